/*
 * Asks an engine that npm brings for the nearest neighbours, for tools/check_engines.py:
 *
 *     NODE_PATH=FOLDER/node_modules node tools/engines.cjs ENGINE FOLDER
 *
 * FOLDER holds v.npy (the rows), q.npy (the queries) and v.sql (for pgvector). Prints a JSON object: of each way
 * to ask, for each query ten of [row or id, distance].
 */
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');
const [engine, folder] = process.argv.slice(2);

/* The rows of a file of float32. */
function rows(name) {
    const bytes = fs.readFileSync(path.join(folder, name));
    const start = 10 + bytes.readUInt16LE(8);
    const [, count, columns] = bytes.toString('latin1', 0, start).match(/\((\d+), (\d+)\)/).map(Number);
    const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length));
    return Array.from({length: count}, (_, i) => values.slice(i * columns, (i + 1) * columns));
}

const queries = rows('q.npy');

function annoy() {
    const index = new (require('annoy'))(queries[0].length, 'Angular');
    rows('v.npy').forEach((row, i) => index.addItem(i, Array.from(row)));
    index.build(20);
    const ask = (query) => {
        const found = index.getNNsByVector(Array.from(query), 10, 1000, true);
        /* Angular is the root of 2 * cosine distance. */
        return found.neighbors.map((row, i) => [row, found.distances[i] ** 2 / 2]);
    };
    return {cosine: queries.map(ask)};
}

async function lancedb() {
    const {connect} = require('@lancedb/lancedb');
    const place = fs.mkdtempSync(path.join(os.tmpdir(), 'minisim-lancedb-'));
    const table = await (await connect(place)).createTable('rows', rows('v.npy').map((vector, row) => ({row, vector})));
    const found = {};
    for (const [metric, type] of [['cosine', 'cosine'], ['euclidean', 'l2'], ['dot', 'dot']]) {
        found[metric] = [];
        for (const query of queries) {
            const hits = await table.vectorSearch(query).distanceType(type).limit(10).toArray();
            found[metric].push(hits.map((hit) => [hit.row, hit._distance]));
        }
    }
    fs.rmSync(place, {recursive: true});
    return found;
}

/* Runs v.sql as psql would: what follows COPY, up to \., are its rows. */
async function load(database) {
    const [before, copied] = fs.readFileSync(path.join(folder, 'v.sql'), 'utf8').split(/(?<=FROM) STDIN;\n/);
    const start = before.lastIndexOf('COPY');
    const [data, after] = copied.split('\n\\.\n');
    await database.exec(before.slice(0, start));
    await database.query(before.slice(start) + " '/dev/blob'", [], {blob: new Blob([data + '\n'])});
    await database.exec(after);
}

async function pgvector() {
    const {PGlite} = require('@electric-sql/pglite');
    const {vector} = require('@electric-sql/pglite-pgvector');
    const database = new PGlite({extensions: {vector}});
    await load(database);
    await load(database); /* rows that are there are written over */
    const ask = async (operator) => {
        const found = [];
        for (const query of queries) {
            const text = `[${Array.from(query)}]`;
            const {rows: hits} = await database.query(
                `SELECT id, path, embedding ${operator} $1 AS distance FROM minisim ORDER BY distance LIMIT 10`, [text]);
            found.push(hits.map((hit) => [hit.id, hit.distance, hit.path]));
        }
        return found;
    };
    await database.exec('SET enable_indexscan = off');
    const found = {cosine: await ask('<=>'), euclidean: await ask('<->'), dot: await ask('<#>')};
    await database.exec('SET enable_indexscan = on; SET enable_seqscan = off');
    const plan = await database.query(`EXPLAIN SELECT id FROM minisim ORDER BY embedding <=> '[${Array.from(queries[0])}]' LIMIT 10`);
    if (!JSON.stringify(plan.rows).includes('minisim_embedding'))
        throw new Error('the index is not used');
    found.hnsw = await ask('<=>');
    return found;
}

Promise.resolve({annoy, lancedb, pgvector}[engine]()).then((found) => console.log(JSON.stringify(found)));

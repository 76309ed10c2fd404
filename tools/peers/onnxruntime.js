// ONNX Runtime, for tools/bench-peers: node onnxruntime.js NETWORK PIXELS THREADS RUNS.
const fs = require('fs');
const path = require('path');

const [network, pixels, threads, runs] = process.argv.slice(2);
const modules = path.join(path.resolve(path.dirname(network)), 'node_modules');
const ort = require(path.join(modules, 'onnxruntime-node'));
const { version } = require(path.join(modules, 'onnxruntime-node', 'package.json'));
const warmUp = 20;

// [side][side][3] to [3][side][side].
function planes(bytes) {
  const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const size = values.length / 3;
  return Float32Array.from(values, (_, i) => values[3 * (i % size) + Math.floor(i / size)]);
}

async function main() {
  const session = await ort.InferenceSession.create(network + '.onnx', {
    executionProviders: ['cpu'], intraOpNumThreads: +threads, interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
  });
  const values = planes(fs.readFileSync(pixels + '.f32'));
  const side = Math.sqrt(values.length / 3);
  const feed = { input: new ort.Tensor('float32', values, [1, 3, side, side]) };
  const times = [];
  let embedding;
  for (let i = -warmUp; i < +runs; i++) {
    const start = process.hrtime.bigint();
    embedding = (await session.run(feed)).embedding.data;
    if (i >= 0) times.push(Number(process.hrtime.bigint() - start) / 1e6);
  }
  times.sort((a, b) => a - b);
  console.log(version, times[times.length >> 1], times[0], Array.from(embedding).join(' '));
}

main();

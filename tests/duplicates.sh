#!/bin/bash
# minisim duplicates and check as their users meet them: tests/duplicates.sh PROGRAM prints TAP. What
# is in a group, tools/check_duplicates.py holds against SciPy.
. "$(dirname "$0")/support.sh"

flat() { # flat FILE COLOUR SIDE: of one colour, so that its size makes no difference
    awk -v colour="$2" -v side="$3" 'BEGIN {
        printf "P3 %d %d 255\n", side, side
        for (i = 0; i < side * side; i++) print colour
    }' >"$1"
}

# Four pictures, two of them twice: one larger, one as the same file.
collection() {
    export XDG_CACHE_HOME=$PWD/cache
    mkdir -p p/a p/b
    flat p/a/1.ppm '250 10 10' 8
    flat p/a/2.ppm '20 240 30' 8
    flat p/a/3.ppm '30 20 250' 8
    flat p/a/4.ppm '240 240 20' 8
    flat p/b/1.ppm '250 10 10' 16
    cp p/a/2.ppm p/b/2.ppm
    touch -d 2020-01-01 p/a/*
    touch -d 2021-01-01 p/b/*
}

near=0.0001
duplicates() {
    expect 0 "$minisim" duplicates --max-distance $near "$@"
}

kept() { # kept PATTERN...: of the groups in $out, these are kept, in this order
    grep '^keep' "$out" | sed "s|.*	$PWD/||" | cmp - <(printf '%s\n' "$@")
}

groups() {
    collection
    duplicates p
    head -n 1 "$out" | grep -q '^# 2 groups of 6 records: cosine distance at most 0.0001 (option), complete linkage$'
    lines 7 "$out"
    kept p/b/1.ppm p/a/2.ppm
    sed -n 6p "$out" | grep -qx "keep	0	$PWD/p/a/2.ppm"
    sed -n 7p "$out" | grep -qx -- "-	0	$PWD/p/b/2.ppm	identical file"
    duplicates p --keep first
    kept p/a/1.ppm p/a/2.ppm
    duplicates p --keep newest
    kept p/b/1.ppm p/b/2.ppm
    duplicates p --keep oldest
    kept p/a/1.ppm p/a/2.ppm
    duplicates p --keep bytes
    kept p/b/1.ppm p/a/2.ppm
    duplicates p --prefer p/a
    kept p/a/1.ppm p/a/2.ppm
    duplicates p --prefer p/b
    kept p/b/1.ppm p/b/2.ppm
    # "p/bb" is not in "p/b".
    mkdir p/bb && mv p/b/2.ppm p/bb
    duplicates p --prefer p/b
    kept p/b/1.ppm p/a/2.ppm
}

cached() {
    collection
    duplicates p
    cp "$out" before
    local file
    file=$(echo cache/minisim/*.msc) # one
    cp "$file" old.msc
    duplicates p
    cmp before "$out"
    cmp old.msc "$file"
    # Damaged, nobody need know what it is to be rid of it.
    head -c 9000 old.msc >"$file"
    expect 3 "$minisim" duplicates --max-distance 0 p
    grep -qx "minisim: $PWD/$file: this is a cache, which may be deleted; --no-cache does without" "$err"
    cp old.msc "$file"
    # Removed, added, excluded.
    rm p/b/2.ppm
    cp p/a/3.ppm p/b/3.ppm
    duplicates p
    kept p/b/1.ppm p/a/3.ppm
    duplicates p --exclude 3.ppm
    kept p/b/1.ppm
    duplicates p/a p/b
    [ "$(ls cache/minisim | wc -l)" = 2 ]
    # Without: nothing is left, here or there.
    mkdir none tmp
    XDG_CACHE_HOME=$PWD/none TMPDIR=$PWD/tmp duplicates p --no-cache
    kept p/b/1.ppm p/a/3.ppm
    refute ls none/* tmp/* 2>/dev/null
    mkdir home
    env -u XDG_CACHE_HOME HOME="$PWD/home" "$minisim" duplicates --max-distance $near p >home.out
    cmp home.out "$out"
    [ "$(ls home/.cache/minisim | wc -l)" = 1 ]
    XDG_CACHE_HOME=not/absolute HOME=$PWD/home duplicates p
    refute ls not 2>/dev/null
    expect 4 env -u XDG_CACHE_HOME -u HOME "$minisim" duplicates --max-distance 0 p
    grep -q -- '--no-cache' "$err"
    touch file
    expect 4 env XDG_CACHE_HOME="$PWD/file" "$minisim" duplicates --max-distance 0 p
}

removable() {
    collection
    mv p/b/2.ppm p/b/$'new\nline \xff.ppm'
    duplicates p --removable -0
    tr '\0' '|' <"$out" | grep -qaF "$PWD/p/a/1.ppm|"
    xargs -0 rm -- <"$out"
    [ "$(find p -name '*.ppm' -printf x)" = xxxx ]
    duplicates p --removable -0
    [ ! -s "$out" ]
    # A list that people read quotes them.
    cp p/a/2.ppm p/a/$'x\ny.ppm'
    touch -d 2022-01-01 p/a/x*
    duplicates p --removable
    grep -qxF "\"$PWD/p/a/x\\ny.ppm\"" "$out"
    # What changed since is not offered, nor is what it was to stand for.
    expect 0 "$minisim" index c.msc p
    touch p/a/$'x\ny.ppm'
    expect 1 "$minisim" duplicates c.msc --max-distance $near --removable
    [ ! -s "$out" ]
    grep -q 'changed or is gone' "$err"
    expect 0 "$minisim" index c.msc p
    rm p/a/2.ppm
    expect 1 "$minisim" duplicates c.msc --max-distance $near --removable
    [ ! -s "$out" ]
}

against() {
    collection
    expect 0 "$minisim" index train.msc p/a
    expect 0 "$minisim" index test.msc p/b
    duplicates train.msc --against test.msc
    lines 7 "$out"
    head -n 1 "$out" | grep -q '^# 2 groups of 4 records: .*, against test.msc$'
    sed -n 3p "$out" | grep -qx "here	0	$PWD/p/a/1.ppm"
    sed -n 4p "$out" | grep -q "^there	.*	$PWD/p/b/1.ppm"
    duplicates train.msc --against test.msc --removable
    cmp "$out" <(printf '%s\n' "$PWD/p/a/1.ppm" "$PWD/p/a/2.ppm")
    duplicates p/a --against test.msc --json
    [ "$(grep -o '"against":true' "$out" | wc -l)" = 2 ]
    expect 0 "$minisim" index i8.msc --type i8 p/b
    expect 3 "$minisim" duplicates train.msc --max-distance 0 --against i8.msc
    expect 2 "$minisim" duplicates train.msc --max-distance 0 --against test.msc --linkage single
}

judged() {
    collection
    expect 0 "$minisim" index c.msc p
    printf '%s\n' p/b/2.ppm p/a/2.ppm nowhere/x p/a/1.ppm >pairs
    duplicates c.msc --not-duplicates pairs
    kept p/b/1.ppm
    duplicates c.msc
    kept p/b/1.ppm p/a/2.ppm
    duplicates p --not-duplicates pairs
    kept p/b/1.ppm
    tr '\n' '\0' <pairs >null
    duplicates c.msc --not-duplicates null -0 --remember
    kept p/b/1.ppm
    duplicates c.msc
    kept p/b/1.ppm
    expect 0 "$minisim" info c.msc
    grep -qx '  not-duplicates 2 pairs' "$out"
    expect 0 "$minisim" info --json c.msc
    grep -q '"notes":{"not-duplicates":2}' "$out"
    expect 0 "$minisim" compact c.msc
    duplicates c.msc
    kept p/b/1.ppm
    printf '%s\n' "$PWD/p/a/1.ppm" p/b/1.ppm >more
    duplicates c.msc --not-duplicates more --remember
    lines 1 "$out"
    expect 0 "$minisim" verify c.msc
    # In a second catalogue's note.
    expect 0 "$minisim" index a.msc p/a
    duplicates a.msc --against c.msc
    refute grep -q "there	.*p/b/" "$out"
    head -n 3 pairs >half
    expect 2 "$minisim" duplicates c.msc --max-distance 0 --not-duplicates half
    grep -q 'two by two' "$err"
    # Nor may one be left out: the next would take its place.
    printf '%s\n' p/1.ppm '"no quote' p/2.ppm p/3.ppm >shifted
    expect 1 "$minisim" duplicates c.msc --max-distance 0 --not-duplicates shifted --remember
    [ ! -s "$out" ] && lines 1 "$err"
    grep -q '^minisim: shifted: name 2 opens with a quote' "$err"
}

limits() {
    collection
    expect 0 "$minisim" duplicates p
    head -n 1 "$out" | grep -q '(weights), complete linkage'
    expect 0 "$minisim" index c.msc p
    expect 0 "$minisim" duplicates c.msc
    head -n 1 "$out" | grep -q '(weights), complete linkage'
    strict=$("$minisim" info | awk '$1 == "strict-cosine" { print $2 }')
    head -n 1 "$out" | grep -qF "at most $strict "
    expect 3 "$minisim" duplicates c.msc --geometry pad
    "$minisim" embed --format npy -o v.npy --ids-out v.txt p
    expect 0 "$minisim" import rows.msc v.npy --ids v.txt
    expect 2 "$minisim" duplicates rows.msc
    grep -q 'say --max-distance' "$err"
    expect 2 "$minisim" duplicates rows.msc --metric dot
    grep -q 'say --min-score' "$err"
    duplicates rows.msc
    grep -qx 'keep	0	p/a/2.ppm' "$out"
    expect 2 "$minisim" duplicates
    expect 2 "$minisim" duplicates c.msc rows.msc
    expect 2 "$minisim" duplicates c.msc --no-cache
    expect 2 "$minisim" duplicates c.msc --remember
    expect 2 "$minisim" duplicates p --prefer nowhere
    expect 2 "$minisim" duplicates p --json --removable
    expect 2 "$minisim" duplicates c.msc --metric dot --max-distance 1
    expect 2 "$minisim" duplicates c.msc --max-distance nan
    expect 1 "$minisim" duplicates none.msc
    mkdir empty
    expect 1 "$minisim" duplicates empty
    [ ! -s "$out" ]
    # The same whatever the threads, of whatever type.
    for type in f32 f16 i8; do
        expect 0 "$minisim" index $type.msc --type $type p
        duplicates $type.msc --json --threads 1
        cp "$out" one
        duplicates $type.msc --json --threads 3
        cmp one "$out"
        [ "$(grep -o '"keep":true' one | wc -l)" = 2 ]
    done
}

rows() { # rows CATALOGUE COUNT: equal ones, of 32 values
    seq "$2" >ids
    {
        printf '\x93NUMPY\x01\x00\x76\x00'
        printf "%-117s\n" "{'descr': '<f4', 'fortran_order': False, 'shape': ($2, 32), }"
        head -c $(($2 * 128)) /dev/zero | tr '\0' A
    } >v.npy
    expect 0 "$minisim" import "$1" v.npy --ids ids
}

interrupted() {
    rows many.msc 16000
    "$minisim" duplicates many.msc --threads 1 --metric euclidean --max-distance -1 --progress always >o 2>e &
    local run=$! status=0
    for _ in $(seq 200); do grep -q 'of 127,992,000 pairs, .* left' e && break; sleep 0.02; done
    kill -INT $run
    wait $run || status=$?
    [ $status = 130 ] && [ ! -s o ]
    # More pairs than can be remembered.
    rows c.msc 6000
    expect 1 "$minisim" duplicates c.msc --max-distance 0
    grep -q 'more than 16777216 pairs are as close' "$err"
}

checked() {
    collection
    expect 0 "$minisim" index c.msc p/a
    picture new.ppm 50
    expect 0 "$minisim" check c.msc --max-distance $near new.ppm
    grep -qx "new	new.ppm	[0-9.e-]*	$PWD/p/a/[1-4].ppm" "$out"
    lines 1 "$out"
    expect 11 "$minisim" check c.msc --max-distance $near new.ppm p/b/2.ppm p/b/1.ppm
    lines 3 "$out"
    sed -n 2p "$out" | grep -qx "duplicate	p/b/2.ppm	0	$PWD/p/a/2.ppm	identical file"
    sed -n 3p "$out" | grep -q "^duplicate	p/b/1.ppm	.*	$PWD/p/a/1.ppm	merely similar$"
    expect 11 "$minisim" check c.msc --max-distance $near --json new.ppm p/b/2.ppm
    grep -q '^{"schema":1,"picture":{"text":"new.ppm"},"duplicate":false,"nearest":{"path":' "$out"
    grep -q '"text":"p/b/2.ppm"},"duplicate":true,"nearest":{"path":{"text":"[^"]*p/a/2.ppm"},"id":1,"cosine":0,"look":"same-file"}}$' "$out"
    # What cannot be read is not new; a duplicate says more.
    echo text >broken.jpg
    expect 1 "$minisim" check c.msc --max-distance $near new.ppm broken.jpg
    expect 11 "$minisim" check c.msc --max-distance $near broken.jpg p/b/2.ppm
    expect 11 "$minisim" check c.msc p/b/2.ppm # the weights say how near
    expect 11 "$minisim" check c.msc - <p/b/2.ppm
    expect 3 "$minisim" check none.msc new.ppm
    expect 3 "$minisim" check c.msc --geometry pad new.ppm
    expect 2 "$minisim" check c.msc
    expect 2 "$minisim" check
    # An empty catalogue knows nothing.
    expect 0 "$minisim" remove c.msc p/a/*.ppm
    expect 0 "$minisim" check c.msc p/b/2.ppm
    grep -qx 'new	p/b/2.ppm' "$out"
    expect 0 "$minisim" check c.msc --json p/b/2.ppm
    grep -q '"duplicate":false,"nearest":null}' "$out"
}

calibrated() {
    collection
    for i in 1 2 3 4 5 6 7 8; do picture p/$i.ppm $i; done
    expect 0 "$minisim" index c.msc p
    cp -p c.msc old.msc
    expect 0 "$minisim" calibrate --dry-run c.msc
    cmp c.msc old.msc
    # 14 records, one of them the same file as another: 13 * 12 / 2 pairs.
    head -n 1 "$out" | grep -qx '# 14 of 14 records: copies of 14, 78 pairs of 13 that are no copies of each other'
    [ "$(grep -c '^  [a-zA-Z].* 100.0$' "$out")" -ge 1 ]
    expect 0 "$minisim" duplicates c.msc
    head -n 1 "$out" | grep -q '(weights), complete linkage'
    expect 0 "$minisim" calibrate --json --threads 1 c.msc
    cp "$out" one
    expect 0 "$minisim" calibrate --json --threads 3 c.msc
    cmp one "$out"
    grep -q '^{"schema":1,"catalogue":{"text":"c.msc"},"metric":"cosine","records":14,"sampled":14,"left_out":1,' one
    grep -q '"copied":14,"noted":true,"recommended":{"cosine":' one
    [ "$(grep -o '"crop_90":{"found":' one | wc -l)" = 7 ]
    # What is noted counts where no threshold is said.
    threshold=$(sed 's/.*"recommended":{"cosine":\([^,]*\),.*/\1/' one)
    expect 0 "$minisim" duplicates c.msc
    head -n 1 "$out" | grep -qF "cosine distance at most $threshold (catalogue), complete linkage"
    expect 11 "$minisim" check c.msc p/b/2.ppm
    expect 0 "$minisim" duplicates c.msc --max-distance 0
    head -n 1 "$out" | grep -q '(option), complete linkage'
    for metric in euclidean dot; do
        expect 0 "$minisim" calibrate --metric $metric --sample 3 c.msc
        expect 0 "$minisim" duplicates --metric $metric c.msc
        head -n 1 "$out" | grep -q '(catalogue), complete linkage'
    done
    grep -q 'dot product at least' "$out"
    expect 0 "$minisim" verify c.msc
}

calibrated_badly() {
    picture 1.ppm 1 && picture 2.ppm 2 && cp 1.ppm same.ppm && picture 3.ppm 3
    expect 0 "$minisim" index one.msc 1.ppm same.ppm
    expect 1 "$minisim" calibrate one.msc
    grep -q 'too few different pictures' "$err"
    expect 0 "$minisim" index c.msc [123].ppm
    touch -d 2020-01-01 2.ppm
    expect 1 "$minisim" calibrate --json c.msc
    grep -q '1 of the pictures drawn changed or are gone' "$err"
    grep -q '"sampled":2,"left_out":0,"looked_at":1,"pairs":1,"copied":2,"noted":true' "$out"
    chmod 444 c.msc && chmod 777 .
    expect 4 $as_nobody "$minisim" calibrate --json c.msc
    grep -q '"noted":false' "$out"
    expect 3 "$minisim" calibrate c.msc --geometry pad
    expect 3 "$minisim" calibrate none.msc
    expect 2 "$minisim" calibrate
    expect 2 "$minisim" calibrate c.msc c.msc
    expect 2 "$minisim" calibrate c.msc --sample 0
    expect 2 "$minisim" calibrate c.msc --sample 1001
    expect 2 "$minisim" calibrate c.msc --metric manhattan
    expect 2 "$minisim" calibrate c.msc --roi 0,0,4,4
    expect 2 "$minisim" calibrate c.msc --preprocessed
}

check 'groups, and which picture is kept' groups
check 'a catalogue in the cache folder, or none' cached
check 'names of what need not be kept' removable
check 'leaks between two sets' against
check 'pairs that are no duplicates' judged
check 'how close is close; wrong usage' limits
check 'an interrupt, and too many pairs' interrupted
check 'check: new or a duplicate' checked
check 'calibrate: a threshold of its own' calibrated
check 'calibrate: what stands in the way' calibrated_badly
finish

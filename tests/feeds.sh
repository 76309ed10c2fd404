#!/bin/bash
# Pictures that do not come as files which minisim reads: by other programs, and as streams. tests/feeds.sh PROGRAM
# prints TAP.
. "$(dirname "$0")/support.sh"

# ---- other programs ----

# undo FILE: the decoder of files that hold a picture with each byte changed.
undo=$dir/undo
printf '#!/bin/sh\necho "$1" >>%s\ntr "\\000-\\377" "\\200-\\377\\000-\\177" <"$1"\n' "$dir/undone" >"$undo"
chmod 755 "$undo"
hidden() { # hidden FILE SEED
    picture "$dir/plain" "$2"
    tr '\000-\377' '\200-\377\000-\177' <"$dir/plain" >"$1"
}

decoded() {
    picture 1.ppm 1
    hidden '1 $x.odd' 1
    expect 0 "$minisim" embed --format f32 1.ppm
    mv "$out" row
    expect 0 "$minisim" embed --decoder other='false {}' --decoder "ODD=$undo {}" --format f32 '1 $x.odd'
    cmp "$out" row
    expect 0 "$minisim" compare --decoder "odd='$undo' \"{}\"" --json 1.ppm '1 $x.odd'
    grep -q '"cosine":0}' "$out"
    # Limits hold for what it gives as for any file, and so do all other options.
    expect 1 "$minisim" embed --decoder "odd=$undo {}" --max-pixels 63 '1 $x.odd'
    grep -qF 'minisim: 1 $x.odd: what its decoder gave: 8 x 8 is 64 pixels, more than the limit' "$err"
    expect 1 "$minisim" embed --decoder "odd=$undo {}" --max-file-size 100 '1 $x.odd' 1.ppm
    grep -qF "1 \$x.odd: its decoder $undo gives more than the limit of 100 bytes (max-file-size)" "$err"
    expect 0 "$minisim" embed --format f32 --roi 1,2,3,4 1.ppm
    mv "$out" row
    expect 0 "$minisim" embed --decoder "odd=$undo {}" --format f32 --roi 1,2,3,4 '1 $x.odd'
    cmp "$out" row
    echo text >text.odd
    expect 1 "$minisim" embed --decoder 'odd=cat {}' text.odd
    grep -q 'text.odd: what its decoder gave: this is a text file, not a picture' "$err"
    mkfifo fifo.odd
    expect 1 "$minisim" embed --decoder 'odd=cat {}' fifo.odd none.odd
    grep -q '^minisim: fifo.odd: this is a FIFO' "$err"
    grep -q '^minisim: none.odd: .*No such file' "$err"
    for wrong in odd '=cat {}' 'odd=' 'odd=cat' 'odd={}' "odd=cat '{}" 'a.b=cat {}' 'odd={} {}'; do
        expect 2 "$minisim" embed --decoder "$wrong" 1.ppm
        grep -q '^minisim: --decoder' "$err"
    done
}

# Those of a folder are found; what is known is not decoded again.
indexed() {
    mkdir p
    picture p/1.ppm 1
    for i in 2 3 4; do hidden p/$i.odd $i; done
    find p -type f -exec touch -d 2020-01-01 {} +
    expect 0 "$minisim" index c.msc p
    grep -qx 'c.msc: 1 records, 1 new' "$out"
    : >"$dir/undone"
    expect 0 "$minisim" index --decoder "odd=$undo {}" c.msc p
    grep -qx 'c.msc: 4 records, 3 new, 1 unchanged' "$out"
    expect 0 "$minisim" list --json c.msc
    [ "$(grep -c '"bytes":203,.*"width":8,"height":8' "$out")" = 4 ]
    cp -p p/3.odd p/copy.odd
    expect 0 "$minisim" index --decoder "odd=$undo {}" c.msc p
    grep -qx 'c.msc: 5 records, 1 copied, 4 unchanged' "$out"
    lines 3 "$dir/undone"
    expect 0 "$minisim" verify --recompute 9 --decoder "odd=$undo {}" c.msc
    grep -q '^5 computed again' "$out"
    expect 0 "$minisim" search c.msc -k 1 --decoder "odd=$undo {}" p/2.odd
    grep -qx "0	$PWD/p/2.odd" "$out"
    expect 1 "$minisim" index --decoder 'odd=false {}' new.msc p
    grep -q 'p/2.odd: its decoder false ended with exit status 1$' "$err"
    grep -qx 'new.msc: 1 records, 1 new' "$out"
}

# An interrupt does not wait for a decoder, and takes it along.
interrupted_decoder() {
    echo >a.odd
    "$minisim" embed --decoder "odd=sh -c 'echo \$\$ >child; exec sleep 60' {}" a.odd & job=$!
    for _ in $(seq 100); do [ -s child ] && break; sleep 0.05; done
    kill -TERM $job
    status=0
    wait $job || status=$?
    [ $status = 130 ]
    refute grep -q "^State:[^Z]*$" "/proc/$(cat child)/status"
}

check '--decoder: a format that minisim does not read' decoded
check '--decoder: folders, catalogues' indexed
check '--decoder: an interrupt' interrupted_decoder
finish

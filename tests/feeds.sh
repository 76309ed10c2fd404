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
    # A caller that does not want to hear of its children.
    (
        trap '' CHLD
        expect 0 "$minisim" embed --decoder "odd=$undo {}" '1 $x.odd'
    )
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
    grep -qx 'c.msc: 1 record, 1 new' "$out"
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
    grep -qx 'new.msc: 1 record, 1 new' "$out"
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

# ---- streams ----

# frames: the lines of the last output, "N row" or "N error".
frames() {
    sed 's/^{"schema":1,"frame":\([0-9]*\),"embedding":\[[^]]*\]}$/\1 row/
         s/^{"schema":1,"frame":\([0-9]*\),"error":".*"}$/\1 error/' "$out" | tr '\n' ' '
}

streamed() {
    for i in 1 2 3; do picture $i.ppm $i; done
    printf 'P5 2 2 65535 abcdefgh' >grey.pgm
    printf 'P4 3 2 \100\200' >bits.pbm
    cp "$jpeg" 4.jpg
    cp "$root"/tests/pictures/why.png 5.png
    files='1.ppm 4.jpg 4.jpg 5.png grey.pgm 2.ppm bits.pbm 5.png 3.ppm'
    for f in $files; do cat $f; done >stream
    expect 0 "$minisim" embed --stream <stream
    [ ! -s "$err" ]
    sed 's/"frame":[0-9]*/"path":{}/' "$out" >rows
    expect 0 "$minisim" embed --json $files
    sed 's/"path":{[^}]*}/"path":{}/' "$out" | cmp - rows
    expect 0 "$minisim" embed --stream --normalize --threads 2 <stream
    expect 0 "$minisim" embed --json --normalize 1.ppm
    # What is broken or too large does not stop what follows; what cannot be told apart does.
    head -c 1040 4.jpg >cut
    { cat 1.ppm cut 4.jpg; printf 'P5 100 100 255\n'; head -c 10000 /dev/zero; echo; cat 2.ppm; printf 'P6 0 1 255\n'
      cat 3.ppm; } >stream
    expect 1 "$minisim" embed --stream --max-file-size 2K <stream
    [ "$(frames)" = '0 row 1 error 2 row 3 error 4 row 5 error 6 row ' ]
    lines 3 "$err"
    grep -q '^minisim: standard input: frame 1: the JPEG is truncated' "$err"
    grep -q '^{"schema":1,"frame":3,"error":"it is larger than the limit of 2048 bytes (max-file-size)"}$' "$out"
    cat 1.ppm 2.ppm - 3.ppm >stream <<<hello
    expect 1 "$minisim" embed --stream <stream
    [ "$(frames)" = '0 row 1 row 2 error ' ]
    grep -q "byte $((2 * $(wc -c <1.ppm))) of the stream is not what" "$err"
    head -c 3000 5.png >stream
    expect 1 "$minisim" embed --stream <stream
    [ "$(frames)" = '0 error ' ]
    expect 1 "$minisim" embed --stream </dev/null
    grep -qx 'minisim: standard input: no pictures found' "$err"
    expect 1 "$minisim" embed --stream <&-
    grep -q '^minisim: standard input: frame 0: the stream cannot be read: Bad file descriptor$' "$err"
    for wrong in 1.ppm '--format csv' '-o x' '--ids-out x' '--files-from x'; do
        expect 2 "$minisim" embed --stream $wrong <stream
    done
}

# Each frame is answered before anything follows it, whether it comes in one piece or in many.
answers_each() { # answers_each COMMAND...
    "$@" <in >rows & job=$!
    exec 8>in
    answers=0
    for f in 1.ppm "$jpeg" "$root"/tests/pictures/why.png 1.ppm; do
        split -b 4000 --filter 'cat; sleep 0.02' "$f" >&8
        answers=$((answers + 1))
        for _ in $(seq 200); do [ "$(wc -l <rows)" = $answers ] && break; sleep 0.05; done
        lines $answers rows
    done
    kill -TERM $job
    status=0
    wait $job || status=$?
    exec 8>&-
    [ $status = 130 ]
}
at_once() {
    picture 1.ppm 1
    mkfifo in
    answers_each "$minisim" embed --stream
    expect 0 "$minisim" index c.msc 1.ppm
    answers_each "$minisim" check --stream --max-distance 0 c.msc
    [ "$(grep -o '"frame":.*"duplicate":[a-z]*' rows | tr '\n' ' ')" = \
        '"frame":0,"duplicate":true "frame":1,"duplicate":false "frame":2,"duplicate":false "frame":3,"duplicate":true ' ]
}

# Whatever comes, memory is bounded: a frame without an end.
bounded() {
    { printf '\377\330\377\332\0\2'; head -c 300000000 /dev/zero; printf '\377\331'; cat "$jpeg"; } |
        (ulimit -v 200000; expect 1 "$minisim" embed --stream --max-file-size 10M --max-memory 20M)
    [ "$(frames)" = '0 error 1 row ' ]
}

# What is read too early is not moved again and again: small frames between large ones take no longer
# than others.
between_large() {
    { printf 'P5 8192 8192 255\n'; head -c 67108864 /dev/zero; } >large
    { cat large; yes 'P5 0 0 255' | head -n 5000; cat large; } >stream
    (ulimit -t 10; expect 1 "$minisim" embed --stream <stream)
    lines 5002 "$out"
}

# The gate on a stream: each frame is new, a duplicate or an error, whatever its format.
gate() {
    for i in 1 2 3; do picture $i.ppm $i; done
    cp "$root"/tests/pictures/why.png 4.png
    expect 0 "$minisim" index c.msc 1.ppm 2.ppm 4.png "$jpeg"
    head -c 1040 "$jpeg" >cut
    cat 1.ppm cut "$jpeg" 3.ppm 4.png >stream
    expect 11 "$minisim" check --stream --max-distance 0.0001 c.msc <stream
    sed 's/,"nearest":.*\/\([^"]*\)"},"id".*/ \1/; s/"error":".*/error/' "$out" | cmp - <<EOF
{"schema":1,"frame":0,"duplicate":true 1.ppm
{"schema":1,"frame":1,error
{"schema":1,"frame":2,"duplicate":true $(basename "$jpeg")
{"schema":1,"frame":3,"duplicate":false $(sed -n '4s/.*\([12].ppm\).*/\1/p' "$out")
{"schema":1,"frame":4,"duplicate":true 4.png
EOF
    grep -q '^minisim: standard input: frame 1: ' "$err"
    # The answer is that for a file; only what needs its pixels again is not said.
    expect 11 "$minisim" check --json --max-distance 0.0001 c.msc 4.png
    sed 's/"picture":{[^}]*}/"frame":4/; s/"look":"[^"]*"/"look":null/' "$out" >file
    expect 11 "$minisim" check --json --stream --max-distance 0.0001 c.msc <stream
    sed -n 5p "$out" | cmp - file
    expect 0 "$minisim" check --stream --max-distance 0.0001 c.msc <3.ppm
    expect 1 "$minisim" check --stream --max-distance 0.0001 c.msc <cut
    expect 1 "$minisim" check --stream --max-distance 0.0001 c.msc </dev/null
    for wrong in 1.ppm '--files-from x' '--format text' '--only same'; do
        expect 2 "$minisim" check --stream --max-distance 1 c.msc $wrong <stream
        grep -q -- '--stream' "$err"
    done
}

# Somebody cuts the catalogue short while a stream is held against it: that is said, as elsewhere.
cut_short() {
    for i in $(seq 20); do picture $i.ppm $i; done
    expect 0 "$minisim" index c.msc .
    mkfifo in
    "$minisim" check --stream --max-distance 0 c.msc <in >rows 2>"$err" & job=$!
    exec 8>in
    for _ in $(seq 20); do cat 1.ppm; done >&8 # by then the file is mapped
    for _ in $(seq 200); do [ "$(wc -l <rows)" = 20 ] && break; sleep 0.05; done
    truncate -s 16384 c.msc
    cat 2.ppm >&8
    exec 8>&-
    status=0
    wait $job || status=$?
    [ $status = 3 ]
    lines 20 rows
    grep -q '^minisim: c.msc: the catalogue .*cut short' "$err"
}

check '--decoder: a format that minisim does not read' decoded
check '--decoder: folders, catalogues' indexed
check '--decoder: an interrupt' interrupted_decoder
check '--stream: frames are rows, errors, or the end' streamed
check 'check --stream: frames are new, duplicates, or errors' gate
check '--stream: an answer for each frame at once' at_once
check 'check --stream: a catalogue that is cut short' cut_short
[ "$SANITIZE" ] || check '--stream: bounded memory' bounded
[ "$SANITIZE" ] || check '--stream: small frames between large ones' between_large
finish

#!/bin/bash
# The program as its users meet it: tests/cli.sh PROGRAM prints TAP. Pictures are made here, but for
# one small JPEG. Runs as root, too: what may not be read or written is then tried as nobody.
. "$(dirname "$0")/support.sh"

# ---- rows ----

formats() {
    for i in 1 2 3; do picture $i.ppm $i; done
    for f in text json csv npy f32; do
        expect 0 "$minisim" embed --format $f -o rows.$f 1.ppm 2.ppm 3.ppm
        expect 0 "$minisim" embed --format $f 1.ppm 2.ppm 3.ppm
        cmp "$out" rows.$f
        [ ! -s "$err" ]
    done
    nothing_left
    cut -f2 rows.text | tr ' ' '\n' >values
    columns=$(($(wc -l <values) / 3))
    [ $columns -ge 1280 ]
    sed 's/.*"embedding":\[\(.*\)\]}$/\1/' rows.json | tr ',' '\n' | cmp - values
    head -1 rows.json | grep -q '^{"schema":1,"path":{"text":"1.ppm"},"embedding":\['
    tail -n +2 rows.csv | tr -d '\r' | cut -d, -f2- | tr ',' '\n' | cmp - values
    head -1 rows.csv | grep -q "^path,e0,e1,.*,e$((columns - 1))"$'\r$'
    head -c 128 rows.npy | grep -qa "'descr': '<f4', 'fortran_order': False, 'shape': (3, $columns), }"
    tail -c +129 rows.npy | cmp - rows.f32
    [ "$(wc -c <rows.f32)" = $((12 * columns)) ]
    od -An -v -tf4 -w4 --endian=little rows.f32 | paste - values | awk '
        { d = $1 - $2; if (d < 0) d = -d; if (d > 1e-6 * ($2 + 1e-9) || $2 < 0 || $2 > 6) bad++; sum += $2 }
        END { exit bad > 0 || sum == 0 }'
}

order() {
    for i in $(seq 20); do picture $i.ppm $i; done
    names=$(seq 20 -1 1 | sed 's/$/.ppm/')
    expect 0 "$minisim" embed --threads 1 $names
    cp "$out" one
    cut -f1 one | cmp - <(printf '%s\n' $names)
    for t in 2 7; do
        expect 0 "$minisim" embed --threads $t $names
        cmp "$out" one
    done
    for name in $names; do "$minisim" embed $name; done | cmp - one
}

unit_length() {
    picture 1.ppm 1
    expect 0 "$minisim" embed --normalize 1.ppm
    cut -f2 "$out" | tr ' ' '\n' | awk '{ s += $1 * $1 } END { exit !(s > 0.99999 && s < 1.00001) }'
}

standard_input() {
    picture 1.ppm 1
    expect 0 "$minisim" embed --format f32 1.ppm
    mv "$out" file
    expect 0 "$minisim" embed --format f32 - <1.ppm
    cmp "$out" file
    expect 0 "$minisim" embed - <1.ppm
    grep -q $'^-\t' "$out"
    expect 1 "$minisim" embed --max-file-size 100 - <1.ppm
    grep -q '^minisim: standard input: ' "$err"
    expect 1 "$minisim" embed - </dev/null
    grep -q '^minisim: standard input: the file is empty$' "$err"
}

# ---- what is no picture ----

troublemakers() {
    for i in $(seq 10 29); do picture good$i.ppm $i; done
    head -c 500 "$jpeg" >cut.jpg
    echo 'this is no picture' >text.png
    : >empty.jpg
    cp good10.ppm secret.ppm
    chmod 000 secret.ppm
    mkfifo fifo.jpg
}

named() {
    troublemakers
    expect 1 timeout 20 $as_nobody "$minisim" embed --threads 2 \
        cut.jpg good1*.ppm text.png empty.jpg secret.ppm fifo.jpg good2*.ppm
    lines 20 "$out"
    cut -f1 "$out" | cmp - <(ls good*)
    lines 5 "$err"
    for name in cut.jpg text.png empty.jpg secret.ppm fifo.jpg; do
        grep -q "^minisim: $name: ..." "$err"
    done
    grep -q '^minisim: secret.ppm: .*Permission denied$' "$err"
}

walked() {
    mkdir folder
    (cd folder; troublemakers; mkdir x.jpg; mv good29.ppm x.jpg; cp good10.ppm .hidden.ppm)
    expect 1 timeout 20 $as_nobody "$minisim" embed --threads 2 folder
    lines 20 "$out"
    cut -f1 "$out" | cmp - <(find folder -name 'good*' | sort)
    lines 3 "$err"
    grep -q '^minisim: folder/cut.jpg: ...' "$err"
    grep -q '^minisim: folder/secret.ppm: .*Permission denied$' "$err"
    grep -q '^minisim: left out: 1 FIFO (folder/fifo.jpg), 1 empty (folder/empty.jpg), 1 text (folder/text.png)$' "$err"
    expect 1 $as_nobody "$minisim" embed -q folder
    lines 2 "$err"
    for i in 1 2 3 4; do echo text >folder/$i.PNG; : >folder/no-picture-$i; done
    expect 1 $as_nobody "$minisim" embed folder
    grep -q '1 FIFO (.*), 5 empty (folder/empty.jpg), 5 text (folder/1.PNG, folder/2.PNG, folder/3.PNG, ...)$' "$err" ||
        grep -q '5 empty (folder/empty.jpg), 5 text (folder/1.PNG, folder/2.PNG, folder/3.PNG, ...), 1 FIFO (.*)$' "$err"
}

nothing_found() {
    mkdir empty texts
    echo old >rows
    echo old >ids
    : >list
    printf '\n\n' >newlines
    echo text >texts/readme
    expect 1 "$minisim" embed -o rows --ids-out ids empty
    [ "$(cat "$err")" = 'minisim: empty: no pictures found' ]
    expect 1 "$minisim" embed -o rows --format npy texts empty
    lines 3 "$err"
    grep -q '^minisim: left out: 1 text$' "$err"
    grep -q '^minisim: texts: no pictures found$' "$err"
    for list in list newlines; do
        expect 1 "$minisim" embed -o rows --files-from $list
        [ "$(cat "$err")" = "minisim: $list: no pictures found" ]
    done
    expect 1 "$minisim" embed --files-from - </dev/null
    grep -q '^minisim: standard input: no pictures found$' "$err"
    expect 1 "$minisim" embed -o rows --ids-out ids nowhere.jpg
    lines 1 "$err"
    expect 1 "$minisim" embed -o new nowhere.jpg
    [ "$(cat rows ids)" = "$(printf 'old\nold')" ] && [ ! -e new ]
    nothing_left
}

walk_options() {
    mkdir -p a/b a/skip
    picture a/b/1.ppm 1; picture a/b.ppm 2; picture a/skip/3.ppm 3; picture a/4.ppm 4
    ln -s ../a a/loop; ln -s 4.ppm a/5.ppm; ln -s nowhere a/6.ppm
    expect 0 "$minisim" embed --exclude skip --exclude '4.*' a
    cut -f1 "$out" | cmp - <(printf '%s\n' a/b.ppm a/b/1.ppm)
    grep -q '^minisim: left out: 3 links (a/5.ppm, a/6.ppm)$' "$err"
    expect 1 "$minisim" embed -L a/
    cut -f1 "$out" | cmp - <(printf '%s\n' a/4.ppm a/5.ppm a/b.ppm a/b/1.ppm a/skip/3.ppm)
    grep -q '^minisim: a/6.ppm: No such file' "$err"
    grep -q '^minisim: left out: 1 link to a folder above it$' "$err"
}

# ---- names ----

strange_names() {
    newline=$'a\nb.ppm' bytes=$'\xff\xfe.ppm' quote='"q", 1.ppm'
    for name in "$newline" "$bytes" "$quote" ./-dash.ppm; do picture "$name" 1; done
    expect 0 "$minisim" embed -- "$newline" "$bytes" "$quote" -dash.ppm
    cut -f1 "$out" | cmp - <(printf '%s\n' '"a\nb.ppm"' '"\377\376.ppm"' '"\"q\", 1.ppm"' -dash.ppm)
    expect 0 "$minisim" embed --json -- "$newline" "$bytes" "$quote" -dash.ppm
    lines 4 "$out"
    grep -qF '{"text":"a\u000ab.ppm"}' "$out"
    grep -qF '{"bytes":"//4ucHBt"}' "$out"
    grep -qF '{"text":"\"q\", 1.ppm"}' "$out"
    expect 0 "$minisim" embed --format csv "$quote"
    grep -q '^"""q"", 1.ppm",' "$out"
    expect 1 "$minisim" embed $'no\nsuch\e[2J'
    lines 1 "$err"
    grep -q 'minisim: "no\\nsuch\\033\[2J": .*No such file' "$err"
}

# ---- what is no file, or does not stay one ----

# strange_files: all that can stand where a file is asked for, but a FIFO, and a picture, an array, names.
strange_files() {
    /usr/bin/python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
    mkdir folder
    ln -s loop loop
    picture 1.ppm 1
    words
    long=$(printf 'x%.0s' $(seq 4000))
    strange="socket folder loop $long /dev/zero /dev/full /dev/random /proc/self/mem"
}

# In each place where a file is named: a message with its name and a cause, and at once.
kinds_of_files() {
    strange_files
    mkfifo fifo
    for name in $strange fifo /dev/null; do
        [ $name = folder ] || {
            expect 1 "$minisim" embed 1.ppm $name
            lines 1 "$out"
            grep -q "^minisim: $name: [a-z]" "$err"
        }
        expect 3 "$minisim" embed --weights $name 1.ppm
        grep -q "^minisim: $name: [a-z]" "$err"
        expect 1 "$minisim" compare --vectors $name
        grep -qi "^minisim: $name: [a-z]" "$err"
    done
    for name in $strange; do
        expect 1 "$minisim" embed --files-from $name 1.ppm
        lines 1 "$out"
        grep -q "^minisim: $name: [a-z]" "$err"
        expect 1 "$minisim" compare --vectors words.npy -0 --ids $name
        grep -q "^minisim: $name: [a-z]" "$err"
    done
    for name in socket folder loop $long /dev/full; do
        expect 4 "$minisim" embed -o $name 1.ppm
        grep -q "^minisim: $name: [A-Z]" "$err"
    done
    expect 4 "$minisim" embed --ids-out folder 1.ppm
    nothing_left
    for verb in 'embed' 'embed --files-from'; do
        expect 1 "$minisim" $verb - </dev/zero
        grep -q '^minisim: standard input: this is ' "$err"
    done
    { printf '\377\330\377'; head -c 3000000 /dev/zero; } >endless.jpg
    expect 1 "$minisim" embed --max-memory 1M - <endless.jpg
    grep -q '^minisim: standard input: more than .* (max-memory)' "$err"
}

# Met on a walk they are counted, and names of any kind are read, however deep they lie.
strange_walk() {
    strange_files
    mkdir walk
    mv socket loop folder 1.ppm walk
    mkfifo walk/fifo
    if mknod walk/zero c 1 5 2>/dev/null; then device='1 device, '; else device=; fi
    for name in $'new\nline' '"quoted"' $'\xff\xfe' -dash "$(printf 'x%.0s' $(seq 255))"; do
        cp walk/1.ppm "walk/$name"
    done
    expect 0 "$minisim" embed walk
    cut -f1 "$out" >names
    lines 6 "$out"
    for name in '"walk/new\\nline"' '"walk/\\377\\376"' 'walk/"quoted"' walk/-dash; do
        grep -qx -- "$name" names
    done
    [ "$(cat "$err")" = "minisim: left out: 1 FIFO, ${device}1 link, 1 socket" ]
    expect 1 "$minisim" embed -L walk
    grep -q '^minisim: walk/loop: Too many levels of symbolic links$' "$err"
    # Deeper than a path can name: what lies above is read, and what does not is said.
    (cd walk/folder; step=$(printf 'y%.0s' $(seq 200)); for i in $(seq 25); do mkdir $step && cd -P $step; done)
    expect 1 "$minisim" embed walk
    lines 6 "$out"
    grep -q '^minisim: walk/folder/y*.*: File name too long$' "$err"
}

# Rewritten, cut, and replaced while it is read: each time what it was before or after, or an error.
changing_file() {
    picture a.ppm 1; picture b.ppm 2; cp a.ppm c.ppm
    expect 0 "$minisim" embed a.ppm b.ppm
    cut -f2 "$out" | sort >known
    while :; do cp b.ppm new; mv new c.ppm; : >c.ppm; cp a.ppm c.ppm; done &
    writer=$!
    yes c.ppm | head -200 >list
    timeout 60 "$minisim" embed --files-from list >"$out" 2>"$err" || status=$?
    kill $writer
    [ ${status:-0} -le 1 ]
    cut -f2 "$out" | sort -u | comm -23 - known | cmp - /dev/null
    refute grep -v '^minisim: c.ppm: \(the file is empty\|the file became shorter\|cannot be opened: No such\|.*truncated\)' "$err"
}

lists() {
    newline=$'a\nb.ppm'
    picture "$newline" 1; picture 2.ppm 2; picture 3.ppm 3
    printf '%s\0' "$newline" 3.ppm >list
    expect 0 "$minisim" embed -0 --files-from list --ids-out ids -o rows 2.ppm
    printf '%s\0' 2.ppm "$newline" 3.ppm | cmp - ids
    lines 3 rows
    printf '3.ppm\n\nnone.ppm\n2.ppm' >list
    expect 1 "$minisim" embed --files-from - --ids-out - -o rows <list
    cmp "$out" <(printf '3.ppm\n2.ppm\n')
    { head -c 5000 /dev/zero | tr '\0' x; printf '\n2.ppm\n'; } >list
    expect 1 "$minisim" embed --files-from list
    lines 1 "$out"
    grep -q 'longer than 4,096 bytes' "$err"
    expect 1 "$minisim" embed --files-from nowhere
    grep -q '^minisim: nowhere: the list cannot be opened: No such file' "$err"
    expect 1 "$minisim" embed --files-from .
    grep -q '^minisim: \.: the list cannot be read: Is a directory' "$err"
    printf '2.ppm\r\n3.ppm\r\n' >list
    expect 1 "$minisim" embed --files-from list
    grep -q '^minisim: "2.ppm\\r": .*No such file.*; the list has Windows line ends (CRLF)$' "$err"
    printf '2.ppm\n-\n' >list
    expect 1 "$minisim" embed --files-from - <list
    lines 1 "$out"
    grep -q '^minisim: standard input: it is the list' "$err"
    expect 0 "$minisim" embed --files-from list <3.ppm
    lines 2 "$out"
}

# What --ids-out writes, --files-from reads, and the pictures are the same.
round_trip() {
    set -- $'new\nline' $'tab\t' 'say "hi"' '"quoted"' 'back\slash' $'\e[2J' $'\xff' $'\xff"\\\n' ' ' $'a\r' 'ä'
    i=0
    for name; do i=$((i + 1)); picture "$name" $i; done
    expect 0 "$minisim" embed --ids-out ids -o rows -- "$@"
    lines 11 ids
    expect 0 "$minisim" embed --ids-out again --files-from ids
    cmp "$out" rows
    cmp ids again
    expect 0 "$minisim" embed -0 --ids-out ids0 --files-from <(printf '%s\0' "$@")
    cmp "$out" rows
    cmp ids0 <(printf '%s\0' "$@")
    printf '"open\n"a"b"\n"\\400"\n"\\000"\n"\\q"\ntab\t\n' >list
    expect 1 "$minisim" embed --files-from list
    lines 5 "$err"
    for i in 1 2 3 4 5; do grep -q "^minisim: list: name $i opens with a quote but" "$err"; done
}

# ---- distances ----

# array FILE TYPE ROWS COLUMNS: a NumPy file of the bytes on standard input.
array() {
    { printf '\223NUMPY\001\000v\000%-117s\n' "{'descr': '<$2', 'fortran_order': False, 'shape': ($3, $4), }"
      cat; } >"$1"
}

# numbers ROWS COLUMNS: float32 between 0.8 and 1, repeating after seven.
numbers() {
    yes 'abc?xyz?cab?qrs?efg?hij?mno?' | tr -d '\n' | head -c $(($1 * $2 * 4))
}

words() { # caterpillar, cat, table as float64
    d1='\232\231\231\231\231\231\271\077' d2='\232\231\231\231\231\231\311\077'
    d12='\270\036\205\353\121\270\276\077' d8='\232\231\231\231\231\231\351\077'
    d6='\063\063\063\063\063\063\343\077'
    printf "$d1$d1$d2$d2$d12$d2$d8$d6$d6" | array words.npy f8 3 3
}

classic() {
    words
    expect 0 "$minisim" compare --vectors words.npy --metric all
    cmp "$out" - <<'END'
# cosine distance to row 0 (smaller is closer)
0.04331	row 1
0.08982	row 2
# euclidean distance to row 0 (smaller is closer)
0.102	row 1
0.9487	row 2
# dot product with row 0 (larger is closer)
0.072	row 1
0.26	row 2
END
    expect 0 "$minisim" compare --vectors words.npy --matrix
    cmp "$out" - <<'END'
# cosine distance of all pairs (smaller is closer)
           0          1          2
0          0    0.04331    0.08982  row 0
1    0.04331          0     0.0176  row 1
2    0.08982     0.0176          0  row 2
END
    expect 0 "$minisim" compare --vectors words.npy --json
    grep -q '^{"schema":1,"closer":{"cosine":"smaller"},"distances":\[{"a":{"row":0},"b":{"row":1},"cosine":0.0433[0-9]*},{' "$out"
    head -c 150 words.npy >cut.npy
    expect 1 "$minisim" compare --vectors cut.npy
    grep -q '^minisim: cut.npy: ..*22 bytes' "$err"
}

rows() {
    words
    printf 'caterpillar\ncat\ntable\n' >ids
    expect 0 "$minisim" compare --vectors words.npy --query 1 --ids ids
    cmp "$out" <(printf '# cosine distance to cat (smaller is closer)\n0.04331\tcaterpillar\n0.0176\ttable\n')
    expect 0 "$minisim" compare --vectors - --matrix --json --ids ids <words.npy
    grep -q '"a":{"text":"caterpillar"},"b":{"text":"cat"},"cosine":' "$out"
    expect 0 "$minisim" compare --vectors words.npy -0 --ids - < <(printf 'a\0b\0c\0')
    grep -q $'^0.08982\tc$' "$out"
    for cpu in $("$minisim" info | sed -n 's/^  kernels *//p' | tr -d ,); do
        expect 0 "$minisim" compare --vectors words.npy --metric all --json --cpu $cpu
        [ -e each ] || cp "$out" each
        cmp "$out" each
    done
    head -2 ids >few
    expect 1 "$minisim" compare --vectors words.npy --ids few
    grep -q '^minisim: few: it names 2 rows, the array has 3$' "$err"
    # One that is left out would give each behind it another's name.
    printf 'caterpillar\n"cat\ntable\nchair\n' >wrong
    expect 1 "$minisim" compare --vectors words.npy --ids wrong
    lines 0 "$out"
    grep -q '^minisim: wrong: name 2 opens with a quote' "$err"
    expect 1 "$minisim" compare --vectors words.npy --query 3
    grep -q 'no row 3: it holds 3' "$err"
    head -c 150 words.npy >cut.npy
    expect 1 "$minisim" compare --vectors - <cut.npy
    grep -q 'it ends before its values do' "$err"
    for option in '--weights x' '--roi 0,0,1,1' --preprocessed '--threads 2' '--files-from x' -L; do
        expect 2 "$minisim" compare --vectors words.npy $option
        grep -q 'does nothing with --vectors' "$err"
    done
    expect 2 "$minisim" compare --vectors words.npy --matrix --query 1
    expect 2 "$minisim" compare --vectors - --ids - <words.npy
    expect 2 "$minisim" compare --vectors words.npy --cpu 8086
    expect 2 "$minisim" compare --ids ids a b
    expect 2 "$minisim" compare --query 1 a b
}

# 1e20 and 1e-30, whose squares float32 does not hold, zeros, and a one.
out_of_range() {
    big='\354\170\255\140' tiny='\140\102\242\015' zero='\0\0\0\0' one='\0\0\200\077'
    printf "$big$big$big$big$tiny$tiny$tiny$tiny$zero$zero$one$zero" | array range.npy f4 6 2
    for format in text json; do
        expect 1 "$minisim" compare --vectors range.npy --metric all --matrix --format $format
        refute grep -i 'nan\|inf' "$out"
        grep -q '^minisim: range.npy: row 1: its values are too large .*no cosine distance$' "$err"
        grep -q '^minisim: range.npy: row 3: its values are too small .*no cosine distance$' "$err"
        grep -q '^minisim: range.npy: row 4: all its values are zero: it has no cosine distance$' "$err"
        grep -q '^minisim: range.npy: dot product too large .*: pairs [0-9]*, first rows 0 and' "$err"
        grep -q '^minisim: range.npy: euclidean distance too large .*: pairs 8, first rows 0 and 2$' "$err"
        lines 7 "$err"
    done
    grep -q '{"a":{"row":0},"b":{"row":1},"cosine":0,"euclidean":0,"dot":null}' "$out"
    grep -q '{"a":{"row":2},"b":{"row":3},"cosine":0,"euclidean":0,"dot":0}' "$out"
    grep -q '{"a":{"row":0},"b":{"row":2},"cosine":null,"euclidean":null,"dot":[0-9]' "$out"
    grep -q '{"a":{"row":4},"b":{"row":5},"cosine":null,"euclidean":1,"dot":0}' "$out"
}

many_rows() {
    numbers 782 1280 | array many.npy f4 782 1280
    expect 0 timeout 8 "$minisim" compare --vectors many.npy --matrix
    lines 784 "$out"
    awk 'NR > 2 && $(NR - 1) != "0" { bad++ } END { exit bad > 0 }' "$out"
    expect 0 timeout 8 "$minisim" compare --vectors many.npy --matrix --progress always
    tr '\r' '\n' <"$err" | grep -q '^1 of 782 rows, '
}

# Far from its end, at once.
interrupted_matrix() {
    # timeout tells minisim twice: as its child, and with its group.
    numbers 6000 64 | array many.npy f4 6000 64
    for format in text json; do
        timeout 60 "$minisim" compare --vectors many.npy --matrix --format $format >/dev/null 2>"$err" &
        job=$!
        sleep 0.5
        start=$(date +%s)
        kill -TERM $job
        status=0
        wait $job || status=$?
        [ $status = 130 ]
        [ $(($(date +%s) - start)) -le 2 ]
    done
}

pictures_compared() {
    picture 1.ppm 1; picture 2.ppm 2; cp 1.ppm same.ppm
    expect 0 "$minisim" compare 1.ppm same.ppm 2.ppm 1.ppm
    [ "$(sed -n 2p "$out")" = $'0\tsame.ppm' ]
    [ "$(sed -n 4p "$out")" = $'0\t1.ppm' ]
    sed -n 3p "$out" | awk -F'\t' '{ exit !($1 > 0 && $1 <= 2 && length($1) <= 9 && $2 == "2.ppm") }'
    distance=$(sed -n 3p "$out" | cut -f1)
    expect 0 "$minisim" compare --json 1.ppm 2.ppm
    sed 's/^{"schema":1,"closer":{"cosine":"smaller"},"distances":\[{"a":{"text":"1.ppm"},"b":{"text":"2.ppm"},"cosine":\([0-9.e-]*\)}]}$/\1/' "$out" |
        awk -v short="$distance" '{ exit !(NR == 1 && length($0) > 12 && sprintf("%.4g", $0) == short) }'
    expect 0 "$minisim" compare --matrix --metric euclidean 1.ppm 2.ppm - <same.ppm
    lines 5 "$out"
    awk 'NR > 2 { good += $(NR - 1) == 0 && $1 == NR - 2 } END { exit good != 3 }' "$out"
    expect 1 "$minisim" compare 1.ppm none.ppm 2.ppm
    lines 2 "$out"
    for names in 'none.ppm 1.ppm 2.ppm' '1.ppm none.ppm'; do
        expect 1 "$minisim" compare $names
        lines 0 "$out"
        expect 1 "$minisim" compare --json $names
        [ "$(cat "$out")" = '{"schema":1,"closer":{"cosine":"smaller"},"distances":[]}' ]
    done
}

compared_folders() {
    mkdir -p a/b
    picture a/1.ppm 1; picture a/b/2.ppm 2; picture a/b/skip.ppm 3; picture 4.ppm 4
    echo text >a/text.txt
    expect 0 "$minisim" compare 4.ppm a --exclude skip.ppm
    cut -f2 "$out" | cmp - <(printf '# cosine distance to 4.ppm (smaller is closer)\na/1.ppm\na/b/2.ppm\n')
    grep -q '^minisim: left out: 1 text$' "$err"
    expect 0 "$minisim" compare -q a
    lines 3 "$out"
    [ ! -s "$err" ]
    expect 0 "$minisim" compare -q --files-from - 4.ppm < <(printf 'a/1.ppm\na/b\n')
    lines 4 "$out"
    expect 0 "$minisim" compare --progress always 4.ppm 4.ppm
    tr '\r' '\n' <"$err" | grep -q '^[12] of 2 pictures, '
    expect 1 "$minisim" compare a/b --exclude skip.ppm
    grep -q '^minisim: a/b/2.ppm: this is the only picture: compare needs two$' "$err"
}

# The distance as ever, then what adds up to its opposite, and a drawing.
explained() {
    picture 1.ppm 1; picture 2.ppm 2; picture 3.ppm 3
    cp 1.ppm saved
    mkdir folder
    expect 0 "$minisim" compare --why 1.ppm 2.ppm
    cp "$out" why
    expect 0 "$minisim" compare 1.ppm 2.ppm
    head -2 why | cmp - "$out"
    [ "$(grep -c '^#' why)" = 5 ]
    awk '/^#/ { part++; next }
        part == 1 { cosine = 100 * (1 - $1) }
        part == 3 || part == 4 { for (i = 1; $i ~ /^[0-9]/; i++) sum[part] += $i }
        END { for (i = 3; i <= 4; i++) { d = sum[i] - cosine; bad += d > 0.3 || d < -0.3 }; exit bad > 0 }' why
    # A picture on standard input, and the drawing.
    expect 0 "$minisim" compare --why -o why.png - 2.ppm <1.ppm
    sed 's/^# 1.ppm$/# -/; s/1.ppm/-/' why | cmp - "$out"
    head -c 8 why.png | cmp - <(printf '\211PNG\r\n\032\n')
    [ ! -s "$err" ]
    mkfifo fifo
    cat fifo >read &
    expect 0 "$minisim" compare --why --json -o fifo 1.ppm 2.ppm
    wait $!
    cmp read why.png
    # Both that fail are told, and nothing is drawn.
    expect 1 "$minisim" compare --why -o new.png 1.ppm none.ppm
    lines 0 "$out"
    expect 1 "$minisim" compare --why -o new.png none.ppm nowhere.ppm
    lines 2 "$err"
    expect 4 "$minisim" compare --why -o /dev/full 1.ppm 2.ppm
    grep -q '^minisim: /dev/full: No space left on device$' "$err"
    cmp "$out" why
    expect 4 "$minisim" compare --why -o nowhere/new.png 1.ppm 2.ppm
    # Whoever reads the text in part has all of the drawing.
    expect 4 bash -c 'exec "$@" >/dev/full' - "$minisim" compare --why -o again.png 1.ppm 2.ppm
    cmp again.png why.png
    # What makes no sense with it.
    for options in --matrix '--metric euclidean' '--metric all' '--vectors x' '--ids x' '--query 1' \
        '--threads 2' '--files-from x' '-o -' '-o /dev/stdout' '-o 1.ppm' "-o $MINISIM_WEIGHTS" 3.ppm; do
        expect 2 "$minisim" compare --why 1.ppm 2.ppm $options
        lines 0 "$out"
        lines 1 "$err"
    done
    expect 2 "$minisim" compare --why 1.ppm
    expect 2 "$minisim" compare --why 1.ppm folder
    expect 2 "$minisim" compare -o new.png 1.ppm 2.ppm
    cmp 1.ppm saved
    [ ! -e new.png ]
    nothing_left
}

# ---- what the program says about itself ----

info() {
    expect 0 "$minisim" info
    grep -q '^  each thread  *[0-9,]* bytes' "$out"
    grep -q '^  embedding id  *[0-9a-f]\{64\}$' "$out"
    expect 0 "$minisim" info "$root/weights/minisim-default.msw"
    grep -q '^  strict-cosine  *0\.[0-9]*  (one unrelated pair in a million is closer)$' "$out"
    refute grep '^  [^dsu].* is closer' "$out"
    expect 0 "$minisim" info --json "$MINISIM_WEIGHTS"
    lines 1 "$out"
    grep -q '"each_thread":[1-9].*"picture_at_most":2147483648.*"kernels":"' "$out"
    id=$(grep -o '"embedding_id":"[^"]*"' "$out")
    expect 0 "$minisim" info --json --resample bicubic --geometry pad:102030 --max-memory 64M
    grep -q '"geometry":"pad","pad_colour":"102030","resample":"bicubic"' "$out"
    grep -q '"picture_at_most":67108864' "$out"
    refute grep -F "$id" "$out"
}

bench() {
    picture 1.ppm 1
    expect 0 "$minisim" bench --threads 2 1.ppm
    grep -q '^  reference, 1 thread  ' "$out"
    grep -q '^  block\.0\.depthwise  .*million' "$out"
    grep -q ' = [0-9.]* + [0-9.]* + [0-9.]* + [0-9.]*  .*1\.ppm$' "$out"
    expect 0 "$minisim" bench --json --cpu reference --threads 1 1.ppm
    lines 1 "$out"
    grep -q '"network":{"cpu":"reference","threads":1,"ms":[0-9]' "$out"
    grep -q '"name":"head",.*"pictures":\[{"path":{"text":"1.ppm"}.*"peak_resident_kib":[1-9]' "$out"
    expect 1 "$minisim" bench --json --cpu reference --threads 1 none.jpg
    grep -q '^minisim: none.jpg: .*No such file' "$err"
}

# ---- trace ----

trace() {
    picture 1.ppm 1
    expect 0 "$minisim" trace 1.ppm
    [ ! -s "$err" ]
    cp "$out" lines
    head -1 lines | grep -q "^{\"schema\":1,\"layer\":\"file\",\"type\":\"u8\",\"shape\":\[$(wc -c <1.ppm)\],.*\"sha256\":\"$(sha256sum 1.ppm | cut -c1-64)\",\"path\":{\"text\":\"1.ppm\"},\"weights\":{\"text\":\".*weights.msw\"},\"embedding_id\":\"[0-9a-f]*\",\"cpu\":\"[a-z0-9]*\",\"version\":\"[0-9.]*\",\"numerics\":[0-9]*}\$"
    sed -n 2p lines | grep -q '"decoded","type":"u8","shape":\[8,8,3\],"min":32,'
    sed -n '3,$s/.*"layer":"\([^"]*\)","type":"\(...*\)","shape".*/\1 \2/p' lines >names
    head -5 names | cmp - <(printf '%s\n' 'resized u8' 'input f32' 'stem f32' 'block.0.depthwise f32' 'block.0.project f32')
    tail -2 names | cmp - <(printf '%s\n' 'head f32' 'embedding f32')
    expect 0 "$minisim" embed --format f32 1.ppm
    tail -1 lines | grep -q "\"sha256\":\"$(sha256sum "$out" | cut -c1-64)\"}\$"
    # The mean as awk sums it, in the same order.
    tail -c +12 1.ppm | od -An -v -tu1 -w1 | awk '{ s += $1 } END { printf "%.9g\n", s / NR }' >mean
    sed -n '2s/.*"mean":\([0-9.]*\),.*/\1/p' lines | awk '{ printf "%.9g\n", $1 }' | cmp - mean
    expect 0 "$minisim" trace -o file 1.ppm
    cmp file lines
    expect 0 "$minisim" trace - <1.ppm
    cmp <(tail -n +2 "$out") <(tail -n +2 lines)
    expect 0 "$minisim" trace --roi 0,0,4,4 --background 000000 --geometry pad 1.ppm
    expect 1 "$minisim" trace -o none 2.ppm
    grep -q '^minisim: 2.ppm: .*No such file' "$err"
    expect 1 "$minisim" trace -o none .
    : >empty
    expect 1 "$minisim" trace empty # what is no picture has no line
    [ ! -s "$out" ]
    head -c 300000 /dev/zero >endless
    expect 1 "$minisim" trace - <endless
    [ ! -s "$out" ]
    rm empty endless
    expect 2 "$minisim" trace -o 1.ppm 1.ppm
    expect 2 "$minisim" trace -o w.msw --weights w.msw 1.ppm 2.ppm
    expect 2 "$minisim" trace
    expect 2 "$minisim" trace --threads 2 1.ppm
    [ ! -e none ]
    nothing_left
    [ ! -e /dev/full ] || expect 4 "$minisim" trace -o /dev/full 1.ppm
}

dump() {
    picture 1.ppm 1
    expect 0 "$minisim" trace 1.ppm
    cp "$out" lines
    for layer in file decoded resized input stem block.3.expand head embedding; do
        expect 0 "$minisim" trace --dump $layer -o layer.npy 1.ppm
        line=$(grep "\"layer\":\"$layer\"" lines)
        shape=$(echo "$line" | sed 's/.*"shape":\[\([^]]*\)\].*/\1/; s/,/, /g')
        [ $layer != file ] || shape=$shape,
        head -c 128 layer.npy | grep -qaF "'fortran_order': False, 'shape': ($shape), }"
        case $line in *'"u8"'*) type='|u1' ;; *) type='<f4' ;; esac
        head -c 128 layer.npy | grep -qaF "'descr': '$type'"
        echo "$line" | grep -q "\"sha256\":\"$(tail -c +129 layer.npy | sha256sum | cut -c1-64)\""
        "$minisim" trace --dump $layer 1.ppm | cmp - layer.npy
    done
    expect 2 "$minisim" trace --dump block.3.expnd -o none 1.ppm
    grep -q 'no layer block.3.expnd; did you mean block.3.expand; .* lists them$' "$err"
    expect 2 "$minisim" trace --dump nothing -o none 1.ppm
    expect 2 "$minisim" trace --dump '' -o none 1.ppm
    refute grep 'did you mean' "$err"
    expect 2 "$minisim" trace --dump head --against lines 1.ppm
    [ ! -e none ]
    nothing_left
}

against() {
    picture 1.ppm 1; picture 2.ppm 2
    expect 0 "$minisim" trace --cpu reference 1.ppm
    cp "$out" lines
    for cpu in $("$minisim" info | sed -n 's/^  kernels *//p' | tr -d ,); do
        expect 0 "$minisim" trace --cpu $cpu --against lines 1.ppm
        grep -q '^equal: all 5[0-9] lines' "$out"
    done
    expect 0 "$minisim" trace --against - 1.ppm <lines
    expect 0 "$minisim" trace --against <(cat lines) 1.ppm
    expect 10 "$minisim" trace --against lines 2.ppm
    grep -q '^differs: file first; ' "$out"
    expect 10 "$minisim" trace --against lines --roi 0,0,4,4 1.ppm
    grep -q '^differs: resized first; ' "$out"
    expect 10 "$minisim" trace --against lines --resample bicubic 1.ppm
    grep -q '^differs: the weights, ' "$out"
    grep -q "there  $(sed -n '1s/.*"embedding_id":"\([0-9a-f]*\)".*/\1/p' lines)\$" "$out"
    for layer in decoded input block.3.expand embedding; do
        sed "/\"$layer\"/s/\"sha256\":\"..../\"sha256\":\"beef/" lines >other
        expect 10 "$minisim" trace --against other -o verdict 1.ppm
        grep -q "^differs: $layer first; " verdict
        grep -q "^  here   $(sed -n "/\"$layer\"/s/.*\"sha256\":\"\([0-9a-f]*\)\".*/\1/p" lines) " verdict
        grep -q "^  there  beef" verdict
    done
    sed '5s/"shape":\[/&1,/' lines >other
    expect 10 "$minisim" trace --against other 1.ppm
    # What is no trace, or not of these layers.
    : >empty; echo text >text; yes | head -c 2000000 >long; printf '{"schema":1,\0' >zero
    head -20 lines >cut; head -c 5000 lines >torn; sed 5d lines >gap; { cat lines; echo more; } >more
    sed 's/"schema":1/"schema":2/' lines >new; sed '1s/"embedding_id":"./&x/' lines >id
    sed $'7s/"layer":"/&\e[2J/' lines >escape
    for name in empty text long zero cut torn gap more new id escape . nowhere; do
        expect 1 "$minisim" trace --against $name -o none 1.ppm
        lines 1 "$err"
        grep -q "^minisim: $name: " "$err"
        refute grep $'\e' "$err"
        [ ! -e none ]
    done
    expect 2 "$minisim" trace --against - - <lines
    expect 2 "$minisim" trace --against lines -o lines 1.ppm
    nothing_left
}

selftest() {
    expect 0 "$minisim" selftest
    tables=$("$minisim" info | sed -n 's/^  kernels *//p' | tr -d ,)
    for cpu in $tables; do
        for what in pixels input layers 'embedding, 1 thread' 'embedding, 3 threads'; do
            grep -q "^ok  *$cpu  *$what\$" "$out"
        done
    done
    lines $((5 * $(echo $tables | wc -w) + 1)) "$out"
    tail -1 "$out" | grep -q '^passed: '
    expect 0 "$minisim" selftest --json
    grep -q '^{"schema":1,"version":"[0-9.]*","numerics":[0-9]*,"checks":\[{"cpu":"reference","check":"pixels","name":"squares","sha256":"[0-9a-f]*","passed":true},.*\],"passed":true}$' "$out"
    # It can fail: another digest of a layer in the program, another of the embedding.
    layer=$(tr '{' '\n' <"$out" | sed -n 's/.*"name":"block.5.expand","sha256":"\(........\).*/\1/p' | head -1)
    sed "s/$layer/0badd1ce/" "$minisim" >other
    chmod +x other
    expect 10 ./other selftest
    grep -q "^differs  reference  layers: first block.5.expand, $layer... and not 0badd1ce...\$" "$out"
    grep -q '^ok  *reference  *input$' "$out"
    tail -1 "$out" | grep -q '^differs: '
    expect 10 ./other selftest --json
    grep -q '"block.5.expand","sha256":"[0-9a-f]*","passed":false}.*,"passed":false}$' "$out"
    expect 2 "$minisim" selftest 1.ppm
}

help() {
    shared='--weights --cpu --geometry --resample --max-pixels --max-memory --max-file-size'
    pictures='--threads --preprocessed --roi --no-orientation --background --decoder
              --files-from -0, --null --exclude -L, --follow --progress -q, --quiet'
    for verb in embed compare classify info bench trace selftest; do
        case $verb in
        embed) options="$shared $pictures --format --json -o, --output --ids-out --normalize --stream" ;;
        compare) options="$shared $pictures --metric --matrix --vectors --ids --query --why -o, --output
                          --format --json" ;;
        classify) options="$shared $pictures -k, --top --labels --format --json" ;;
        info) options="$shared --format --json" ;;
        bench) options="$shared --format --json --threads" ;;
        selftest) options='--format --json' ;;
        trace) options="$shared --preprocessed --roi --no-orientation --background --decoder --dump --against -o, --output" ;;
        esac
        expect 0 "$minisim" $verb --help
        cp "$out" help
        for option in $options -h, -V,; do grep -q -- "^ .* $option" help; done
        refute grep '.\{91\}' help
        expect 0 "$minisim" help $verb
        cmp "$out" help
        # What help shows is taken: none is unknown.
        for option in $(grep -o '^ .*--[a-z-]*' help | grep -o -- '--[a-z-]*'); do
            "$minisim" $verb $option >/dev/null 2>said </dev/null || true
            refute grep 'unknown option' said
        done
    done
    expect 0 "$minisim" --help
    for word in MINISIM_WEIGHTS share/minisim 'Exit status' 130; do grep -q "$word" "$out"; done
    expect 0 "$minisim" -h
    for verb in embed compare info trace help; do grep -q "^  $verb " "$out"; done
    expect 0 "$minisim" --version
    grep -q '^minisim [0-9]' "$out"
}

# options_of: the options in a verb's help, each behind the number of its table.
options_of() {
    awk '/^$/ { table += used; used = 0 }
         /^ +(-., )?--[a-z]/ { used = 1; sub(/^ +/, ""); sub(/  .*/, ""); print table + 0, $0 }'
}

# options_below PATTERN: the options that the manual page explains in sections of such titles.
options_below() {
    awk -v title="$1" '/^\.SH/ || (/^\.SS/ && title !~ /SH/) { inside = $0 ~ title }
        inside && last == ".TP" && sub(/^\.B -/, "-") { print }
        { last = $0 }' page
}

# minisim.1 says what --help says: the verbs, each with its usage and its own options, and the shared ones.
manual_page() {
    sed 's/\\-/-/g; s/\\f[A-Z]//g' "$manual" >page
    grep -q "^\.TH MINISIM 1 \"\" \"$("$minisim" --version | cut -d' ' -f1,2)\"" page
    : >usages; : >shared
    for verb in $("$minisim" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p' | grep -vx help); do
        "$minisim" $verb --help >help
        head -1 help | sed 's/^Usage: /.SS /' >>usages
        options_of <help >options
        sed -n 's/^0 //p' options | cmp - <(options_below "^\\.SS minisim $verb( |\$)")
        sed -n 's/^[1-9] //p' options >>shared
    done
    grep '^\.SS minisim' page | cmp - usages
    sort -u shared | cmp - <(options_below '^\.SH OPTIONS' | sort)
    for status in $("$minisim" --help | grep -A3 '^Exit status' | grep -o '[;:] [0-9]*' | tr -d ';: '); do
        grep -A1 '^\.TP' page | grep -qx "$status"
    done
    if command -v groff >/dev/null; then
        groff -man -Tutf8 -ww "$manual" 2>said >/dev/null
        [ ! -s said ]
    fi
}

the_build() {
    expect 0 "$minisim" --version --json
    lines 1 "$out"
    commit=unknown
    [ ! -e "$root/.git" ] || commit=$(git -C "$root" rev-parse HEAD || echo unknown)
    grep -q "^{\"schema\":1,\"version\":\"[0-9.]*\",\"numerics\":[0-9]*,\"commit\":\"$commit\(-dirty\)\{0,1\}\",\"compiler\":\"[^\"]*[0-9.]*\",\"target\":\"[^\"]*\",\"flags\":\".*-ffp-contract=off.*\",\"kernels\":\[\"reference\".*\],\"default_weights_sha256\":\"$(sha256sum "$root/weights/minisim-default.msw" | cut -c1-64)\"}\$" "$out"
    refute grep "$root" "$out"
    expect 2 "$minisim" --version --jsn
}

wrong_usage() {
    picture 1.ppm 1
    expect 2 "$minisim"
    grep -q 'Usage' "$err"
    expect 2 "$minisim" emebd 1.ppm
    grep -q 'did you mean embed?' "$err"
    expect 2 "$minisim" 1.ppm
    grep -q 'did you mean minisim embed 1.ppm?' "$err"
    expect 2 "$minisim" embed --wieghts x 1.ppm
    grep -q 'did you mean --weights?' "$err"
    expect 2 "$minisim" embed --format xml 1.ppm
    grep -q 'text, json, csv, npy or f32' "$err"
    expect 2 "$minisim" embed --cpu 8086 1.ppm
    expect 2 "$minisim" embed
    expect 2 "$minisim" embed - -
    expect 2 "$minisim" embed -o x --ids-out x 1.ppm
    expect 2 "$minisim" compare 1.ppm
    expect 2 "$minisim" info a b
    expect 2 "$minisim" help emebd
    lines 0 "$out"
    expect 2 "$minisim" help embed compare
    expect 2 "$minisim" EMBED 1.ppm
    grep -q 'did you mean embed?' "$err"
    expect 2 "$minisim" version
    grep -q 'did you mean --version?' "$err"
    expect 0 "$minisim" help help
    expect 2 "$minisim" embed --cpu 8086 1.ppm
    grep -q -- '--cpu takes .*reference' "$err"
    expect 2 "$minisim" embed -o '' 1.ppm
    expect 2 "$minisim" embed --json --format csv 1.ppm
    expect 2 "$minisim" embed --files-from a --files-from b
    expect 2 "$minisim" embed -0 1.ppm
    expect 2 "$minisim" embed -q --progress always 1.ppm
    expect 2 "$minisim" embed --preprocessed --geometry squash 1.ppm
    expect 2 "$minisim" compare --preprocessed --resample stb 1.ppm 1.ppm
    expect 2 "$minisim" embed --geometry crop:5000 1.ppm
    grep -q 'from the input size to 4096' "$err"
    cp 1.ppm ./-dash.ppm
    expect 2 "$minisim" embed -dash.ppm
    grep -q 'say ./-dash.ppm or -- before it' "$err"
    expect 1 "$minisim" embed --max-memory 100 1.ppm
    grep -q 'reading this file takes [0-9]* bytes of memory, more than the limit of 100 (max-memory)$' "$err"
    echo '<svg>' >a.svg
    expect 1 "$minisim" embed a.svg
    grep -q 'this is an SVG file' "$err"
}

no_weights() {
    picture 1.ppm 1
    expect 3 "$minisim" embed --weights nowhere.msw 1.ppm
    grep -q '^minisim: nowhere.msw: .*No such file' "$err"
    expect 3 "$minisim" embed -o rows --weights 1.ppm 1.ppm
    [ ! -e rows ]
    MINISIM_WEIGHTS=nowhere.msw expect 3 "$minisim" info
    [ -e /usr/local/share/minisim ] || {
        MINISIM_WEIGHTS= expect 3 "$minisim" embed 1.ppm
        grep -q -- '--weights FILE' "$err"
    }
}

# ---- outputs ----

disk_full() {
    [ -e /dev/full ] || return 0
    picture 1.ppm 1; picture 2.ppm 2
    for f in text json csv npy f32; do
        expect 4 "$minisim" embed --format $f -o /dev/full 1.ppm
        grep -q '^minisim: /dev/full: No space left on device$' "$err"
    done
    for arguments in 'embed 1.ppm' 'embed --format npy 1.ppm' 'compare 1.ppm 2.ppm' 'compare --why --json 1.ppm 2.ppm' info --help; do
        expect 4 bash -c 'exec "$@" >/dev/full' - "$minisim" $arguments
        grep -q '^minisim: standard output: No space left on device$' "$err"
        lines 1 "$err"
    done
    expect 4 bash -c 'exec "$@" >&-' - "$minisim" embed 1.ppm
    grep -q '^minisim: standard output: Bad file descriptor$' "$err"
}

# on_disk SIZE COMMAND...: with a disk of that size on `disk`, where `rows` stands from before; prints that
# afterwards, and what else lies there into `left`. A program, because `expect` takes one.
cat >"$dir/on_disk" <<'END'
mount -t tmpfs -o "size=$1,nr_inodes=8" none disk && echo old >disk/rows || exit 125
shift
"$@"
status=$?
cat disk/rows
ls -A disk >left
exit $status
END
# Root may mount, and often others within a namespace of their own.
on_disk=
for unshare in 'unshare -m' 'unshare -rm'; do
    $unshare mount -t tmpfs none "$dir" 2>/dev/null && on_disk="$unshare sh $dir/on_disk" && break
done

small_disk() {
    picture 1.ppm 1
    mkdir disk
    names=$(yes 1.ppm | head -20)
    for f in text json csv npy f32; do
        expect 4 $on_disk 32k "$minisim" embed --format $f -o disk/rows --ids-out ids $names
        grep -q '^minisim: disk/rows: No space left on device$' "$err"
        lines 1 "$err"
        [ "$(cat "$out" left)" = "$(printf 'old\nrows')" ]
        [ ! -e ids ]
    done
    expect 4 $on_disk 8k bash -c 'head -c 4096 /dev/zero >disk/full; exec "$@"' - \
        "$minisim" embed -o rows --ids-out disk/rows 1.ppm
    grep -q '^minisim: disk/rows: No space left on device$' "$err"
    [ "$(cat "$out" left)" = "$(printf 'old\nfull\nrows')" ] && [ ! -e rows ]
    nothing_left
    expect 4 $on_disk 32k env TMPDIR=disk "$minisim" embed --format npy $names
    grep -q '^minisim: temporary file: No space left on device$' "$err"
    [ "$(cat "$out" left)" = "$(printf 'old\nrows')" ]
    expect 0 $on_disk 1m "$minisim" embed -o disk/rows $names
    lines 20 "$out"
}

# The same where no file may be larger than 8 KiB.
small_files() {
    picture 1.ppm 1
    names=$(yes 1.ppm | head -20)
    echo old >rows
    cp 1.ppm 1.odd
    for f in text npy; do
        expect 4 bash -c 'ulimit -f 8; exec "$@"' - "$minisim" embed --format $f -o rows --ids-out ids $names
        grep -q '^minisim: rows: File too large$' "$err"
        lines 1 "$err"
        [ "$(cat rows)" = old ] && [ ! -e ids ]
    done
    expect 4 bash -c 'ulimit -f 8; exec "$@"' - "$minisim" index c.msc $names
    grep -q '^minisim: c.msc: cannot be written: File too large$' "$err"
    nothing_left
    [ ! -e c.msc ]
    # What a decoder may do is its own: it ends by the signal.
    expect 1 bash -c 'ulimit -f 8; exec "$@"' - \
        "$minisim" embed --decoder 'odd=sh -c "exec head -c 20000 /dev/zero >large" {}' 1.odd
    grep -q '^minisim: 1.odd: its decoder sh was killed by signal 25' "$err"
}

closed_pipe() {
    picture 1.ppm 1
    names=$(yes 1.ppm | head -100)
    for f in text json npy; do
        bash -c '"$@" 2>"$0" | head -c 100 >/dev/null; echo ${PIPESTATUS[0]}' \
            "$err" "$minisim" embed --format $f --ids-out ids $names >status
        [ "$(cat status)" = 141 ]
        [ ! -s "$err" ]
        [ ! -e ids ]
        nothing_left
    done
}

half_written() {
    picture 1.ppm 1
    mkdir locked
    echo old >locked/rows
    chmod 755 locked
    expect 4 $as_nobody "$minisim" embed -o locked/new "$PWD/1.ppm" || [ -z "$as_nobody" ]
    [ ! -e locked/new ] || [ -z "$as_nobody" ]
    expect 4 "$minisim" embed -o nowhere/rows 1.ppm
    echo old >rows
    expect 4 "$minisim" embed -o rows --ids-out /dev/full 1.ppm
    [ "$(cat rows)" = old ]
    nothing_left
    expect 1 "$minisim" embed -o rows 1.ppm none.ppm
    lines 1 rows
    nothing_left
}

# Nothing that is read is overwritten, and no output replaces what a shell has opened.
inputs_are_safe() {
    for i in 1 2 3; do picture $i.ppm $i; done
    ln -s 1.ppm link.ppm
    mkdir d
    picture d/2.ppm 2
    cp "$MINISIM_WEIGHTS" w.msw
    echo 1.ppm >list
    cp 1.ppm 1.saved; cp d/2.ppm 2.saved
    for output in 1.ppm ./1.ppm ../inputs_are_safe/1.ppm link.ppm; do
        expect 2 "$minisim" embed -o $output 2.ppm 1.ppm
        grep -q '^minisim: 1.ppm is read: it cannot be the output as well$' "$err"
        expect 2 "$minisim" embed --ids-out $output 2.ppm 1.ppm
        lines 0 "$out"
    done
    expect 2 "$minisim" embed -o 1.ppm --files-from list
    expect 2 "$minisim" embed -o d/2.ppm 3.ppm d
    expect 2 "$minisim" embed -o list --files-from list
    expect 2 "$minisim" embed -o w.msw --weights w.msw 1.ppm
    cmp w.msw "$MINISIM_WEIGHTS"
    cmp 1.ppm 1.saved && cmp d/2.ppm 2.saved && [ "$(cat list)" = 1.ppm ]
    expect 2 "$minisim" embed -o rows --ids-out ./rows 1.ppm
    expect 2 "$minisim" embed -o d/rows --ids-out d/../d/rows 1.ppm
    expect 2 "$minisim" embed -o - --ids-out /dev/stdout 1.ppm
    [ ! -e rows ]
    # An earlier output in the folder that is walked is no input.
    expect 0 "$minisim" embed -o d/rows d
    expect 0 "$minisim" embed -o d/rows d
    [ ! -s "$err" ]
}

open_streams() {
    picture 1.ppm 1
    expect 0 "$minisim" embed 1.ppm
    cp "$out" row
    for name in /dev/stdout /dev/fd/1 /proc/self/fd/1; do
        { echo before; "$minisim" embed -o $name 1.ppm; echo after; } >file
        cmp file <(echo before; cat row; echo after)
    done
    { echo before; "$minisim" embed --format npy -o /dev/stdout 1.ppm; echo after; } >file
    "$minisim" embed --format npy -o npy 1.ppm
    cmp file <(echo before; cat npy; echo after)
    { echo before; "$minisim" embed -o /dev/stderr 1.ppm; echo after >&2; } 2>file >rest
    cmp file <(cat row; echo after)
    # Links stay links, also those that lead to nothing yet.
    mkdir d
    ln -s d/new link
    ln -s link chain
    expect 0 "$minisim" embed -o chain 1.ppm
    [ -L chain ] && [ -L link ] && [ ! -L d/new ]
    cmp d/new row
    echo old >d/new
    expect 0 "$minisim" embed -o link 1.ppm
    [ -L link ] && cmp d/new row
    ln -s circle circle
    expect 4 "$minisim" embed -o circle 1.ppm
    expect 4 "$minisim" embed -o d/ 1.ppm
    expect 4 "$minisim" embed -o new/ 1.ppm
    echo old >fixed
    chmod 444 fixed
    expect 4 $as_nobody "$minisim" embed -o fixed 1.ppm
    grep -q '^minisim: fixed: Permission denied$' "$err"
    [ "$(cat fixed)" = old ]
    nothing_left
    mkfifo fifo
    cat fifo >read &
    expect 0 "$minisim" embed -o fifo 1.ppm
    wait $!
    cmp read row
}

# stop JOB: one signal, once the program catches it, ends it with 130.
stop() {
    for i in $(seq 100); do
        [ "$(cat /proc/$1/comm)" = minisim ] && grep -q '^SigCgt:.*[1-9a-f]' /proc/$1/status && break
        sleep 0.1
    done
    sleep 0.3
    kill -TERM $1
    { sleep 20; kill -KILL $1; } 2>/dev/null &
    status=0
    wait $1 || status=$?
    kill $!
    [ $status = 130 ] || { echo "status $status"; return 1; }
    [ ! -e rows ]
    nothing_left
}

waiting() {
    picture 1.ppm 1
    mkfifo fifo
    "$minisim" embed -o rows --files-from fifo &
    stop $!
    "$minisim" embed -o fifo 1.ppm &
    stop $!
    "$minisim" embed -o rows --ids-out fifo 1.ppm &
    stop $!
    "$minisim" embed -o rows - <>fifo &
    stop $!
    "$minisim" trace --against fifo 1.ppm &
    stop $!
}

interrupted() {
    picture 1.ppm 1
    mkfifo list
    timeout 60 "$minisim" embed --threads 1 --files-from list -o rows --ids-out - >ids 2>"$err" &
    job=$!
    exec 9<>list
    echo 1.ppm >&9
    echo 1.ppm >&9
    for i in $(seq 100); do [ -s ids ] && break; sleep 0.1; done
    [ -s ids ]
    kill -TERM $job
    status=0
    wait $job || status=$?
    exec 9>&-
    [ $status = 130 ]
    [ ! -e rows ]
    nothing_left
}

progress() {
    picture 1.ppm 1
    expect 1 "$minisim" embed --progress always -o rows 1.ppm none.ppm 1.ppm
    tr '\r' '\n' <"$err" | grep -q '^[123] of 3 pictures, '
    tr '\r' '\n' <"$err" | grep -q '^minisim: none.ppm: .*No such file'
    expect 0 "$minisim" embed --progress never -o rows 1.ppm
    [ ! -s "$err" ]
    expect 0 "$minisim" embed --progress always -o rows 1.ppm
    tr '\r' '\n' <"$err" | grep -q '^1 of 1 picture, '
    printf '1.ppm\n\n1.ppm\n1.ppm' >list
    expect 0 "$minisim" embed --progress always --threads 1 -o rows --files-from list 1.ppm
    tr '\r' '\n' <"$err" | grep -q '^1 of 4 pictures, .* left'
    lines 4 rows
    expect 0 "$minisim" embed --progress always -o rows --files-from - <list
    tr '\r' '\n' <"$err" | grep -q '^1 of 3 pictures, .* left'
    mkdir d
    picture d/1.ppm 1; picture d/2.ppm 2
    echo d >list
    expect 0 "$minisim" embed --progress always -o rows --files-from list
    refute grep ' of ' "$err"
}

check 'all formats hold the same values' formats
check 'rows keep the order of their names, whatever the threads' order
check '--normalize gives length 1' unit_length
check 'a picture on standard input' standard_input
check 'what is no picture: named' named
check 'what is no picture: met on a walk' walked
check 'nothing found: status 1, and no output is touched' nothing_found
check 'walks: --exclude, -L, loops, links to nothing' walk_options
check 'names with newlines, quotes, bytes that are no UTF-8, dashes' strange_names
check 'sockets, devices, loops of links, long names in place of files' kinds_of_files
check 'the same on a walk, and deep folders' strange_walk
check 'a file that changes while it is read' changing_file
check '--files-from, --ids-out, -0' lists
check '--files-from reads what --ids-out writes' round_trip
check 'compare: the classic words' classic
check 'compare: rows of an array' rows
check 'compare: values beyond the range of float32 sums' out_of_range
check 'compare: 782 vectors with each other' many_rows
check 'compare: an interrupt ends a long matrix' interrupted_matrix
check 'compare: pictures' pictures_compared
check 'compare: folders and lists' compared_folders
check 'compare: --why' explained
check 'info' info
check 'bench' bench
check 'trace: from the file to the embedding' trace
check 'trace --dump' dump
check 'trace --against' against
check 'selftest passes, and can fail' selftest
check 'help mentions each option' help
check 'the manual page says what --help says' manual_page
check '--version --json says which build this is' the_build
check 'wrong usage: status 2 and a hint' wrong_usage
check 'no weights: status 3' no_weights
check 'no room to write: status 4' disk_full
if [[ $SANITIZE == *thread* ]]; then
    echo '# left out: disks that fill up, limits on files (ThreadSanitizer wants one itself), a signal while a FIFO is opened (it holds it back)'
elif [ "$on_disk" ]; then
    check 'a disk that fills up: status 4, and what stood there stays' small_disk
else
    echo '# left out: a disk that fills up (no file system can be mounted here)'
fi
[[ $SANITIZE == *thread* ]] || check 'no file may be large: status 4' small_files
check 'a closed pipe ends quietly' closed_pipe
check 'nothing half-written' half_written
check 'inputs are never overwritten' inputs_are_safe
check 'links, redirected streams, FIFOs and read-only files as outputs' open_streams
[[ $SANITIZE == *thread* ]] || check 'one signal ends what waits for a FIFO' waiting
check 'an interrupt leaves nothing: status 130' interrupted
check 'progress' progress
finish

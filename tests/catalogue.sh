#!/bin/bash
# The verbs of catalogues as their users meet them: tests/catalogue.sh PROGRAM prints TAP. KILLS says at
# how many random instants an index and a compact are killed (10), PICTURES of how many pictures (60).
. "$(dirname "$0")/support.sh"

# Pictures whose time of change is long ago: they are not hashed again.
pictures() { # pictures FOLDER FIRST LAST
    mkdir -p "$1"
    for i in $(seq "$2" "$3"); do picture "$1/$i.ppm" "$i"; done
    find "$1" -name '*.ppm' -exec touch -d 2020-01-01 {} +
}

indexed() { # indexed WORDS ARGUMENTS...: an index run that ends in these words
    local words=$1
    shift
    expect 0 "$minisim" index "$@"
    grep -qx "c.msc: $words" "$out" || { cat "$out"; return 1; }
}

updates() {
    pictures p 1 6
    indexed '6 records, 6 new' c.msc p
    cp c.msc before
    indexed '6 records, 6 unchanged' c.msc p
    cmp c.msc before
    (cd p && indexed2=$("$minisim" index ../c.msc .) && [ "$indexed2" = '../c.msc: 6 records, 6 unchanged' ])
    picture p/2.ppm 22
    indexed '6 records, 1 changed, 5 unchanged' c.msc p
    cp -p p/1.ppm p/copy.ppm
    mv p/3.ppm p/three.ppm
    ln p/4.ppm p/link.ppm
    ln -s 5.ppm p/symbolic.ppm
    indexed '7 records, 1 copied, 1 moved, 5 unchanged, 1 hard links' c.msc p
    indexed '7 records, 7 unchanged, 2 hard links' c.msc -L p
    rm p/4.ppm
    indexed '7 records, 1 moved, 6 unchanged' c.msc p
    # Changed within the second in which it was read (or later, as a slow machine needs it), without a trace.
    picture p/new.ppm 30
    touch -d '+1 hour' p/new.ppm
    expect 0 "$minisim" index c.msc p
    touch -r p/new.ppm time
    picture p/new.ppm 31
    touch -r time p/new.ppm
    indexed '8 records, 1 changed, 7 unchanged' c.msc p
    expect 0 "$minisim" verify c.msc
    # All that is true of a catalogue made anew.
    expect 0 "$minisim" index new.msc p
    "$minisim" list c.msc | sort >old
    "$minisim" list new.msc | sort | cmp - old
}

missing() {
    pictures p/a 1 3
    pictures p/b 4 6
    indexed '6 records, 6 new' c.msc p
    rm p/a/1.ppm
    indexed '6 records, 5 unchanged, 1 missing' c.msc p
    grep -q "p/a/1.ppm: missing; --prune removes it" "$err"
    indexed '5 records, 5 unchanged, 1 removed' c.msc p --prune
    rm -r p/b
    indexed '2 records, 2 unchanged, 3 removed' c.msc p --prune
    # A root that is not there, or has become an empty folder.
    mv p q
    expect 1 "$minisim" index c.msc --prune p
    mkdir p
    expect 1 "$minisim" index c.msc --prune p
    grep -q 'it stays: nothing of its file system is there' "$err"
    [ "$("$minisim" list c.msc | wc -l)" = 2 ]
}

found() {
    pictures p 1 40
    for type in f32 f16 i8; do
        expect 0 "$minisim" index $type.msc --type $type p
        for metric in cosine euclidean; do
            expect 0 "$minisim" search $type.msc -k 3 --metric $metric p/7.ppm p/9.ppm
            lines 8 "$out"
            sed -n 2p "$out" | grep -qx "0	$PWD/p/7.ppm"
            sed -n 6p "$out" | grep -qx "0	$PWD/p/9.ppm"
            expect 0 "$minisim" search $type.msc -k 3 --metric $metric --exclude-self p/7.ppm
            lines 4 "$out"
            refute grep -q "$PWD/p/7.ppm" "$out"
        done
    done
    expect 0 "$minisim" search f32.msc -k 50 --json p/7.ppm
    sed 's/{"path"/\n&/g' "$out" | tail -n +2 | sed 's/.*"text":"\([^"]*\)".*"cosine":\([^}]*\)}.*/\2 \1/' >hits
    expect 0 "$minisim" compare --json p/7.ppm p
    sed 's/{"a"/\n&/g' "$out" | tail -n +2 | sed 's/.*"b":{"text":"\([^"]*\)"},"cosine":\([^}]*\)}.*/\2 \1/' |
        sort -g -k 1,1 >wanted
    cut -d' ' -f1 wanted | cmp - <(cut -d' ' -f1 hits)
    nearest=$(sed -n 2p hits | cut -d' ' -f1)
    expect 0 "$minisim" search f32.msc --max-distance "$nearest" p/7.ppm
    lines 3 "$out"
    # Another preprocessing, other weights.
    expect 3 "$minisim" search f32.msc --geometry crop p/7.ppm
    grep -q 'f32.msc: the catalogue was made with "geometry: squash", this is "geometry: crop 146"' "$err"
    expect 3 "$minisim" index f32.msc --resample bicubic p
    expect 2 "$minisim" search f32.msc --metric dot --max-distance 1 p/7.ppm
    expect 3 "$minisim" search none.msc p/7.ppm
    grep -q '^minisim: none.msc: there is no such file: minisim index makes one$' "$err"
    expect 2 "$minisim" index p f32.msc
    grep -q '^minisim: p: it is a folder: the CATALOGUE comes first' "$err"
    expect 3 "$minisim" search p/7.ppm p/7.ppm
    grep -q 'no catalogue' "$err"
}

rows() {
    pictures p 1 9
    expect 0 "$minisim" embed --format npy -o v.npy --ids-out v.txt p
    for type in f32 f16 i8; do
        expect 0 "$minisim" import $type.msc --type $type v.npy --ids v.txt
        expect 0 "$minisim" import $type.msc v.npy --ids v.txt
        grep -qx "$type.msc: 9 records, 9 unchanged" "$out"
        expect 0 "$minisim" search $type.msc -k 2 --vectors v.npy --ids v.txt
        lines 27 "$out"
        [ "$(grep -c '^0	' "$out")" = 9 ]
        expect 0 "$minisim" search $type.msc -k 1 --vectors v.npy --ids v.txt --exclude-self
        refute grep -q '^0	' "$out"
        expect 3 "$minisim" search $type.msc p/1.ppm
        grep -q 'vectors of another model, these are embeddings' "$err"
    done
    { head -c 128 v.npy; tail -c +129 v.npy | head -c 6000; printf '\xff\xff\x7f\x47'; tail -c +6133 v.npy; } >large.npy
    # The rows that f16 holds; in a new catalogue none, because its type would stay.
    expect 1 "$minisim" import f16.msc large.npy --ids v.txt
    grep -q 'large.npy: row 1 (counted from 0) was left out: it has a value beyond 65504' "$err"
    grep -qx 'f16.msc: 9 records, 8 unchanged, 1 left out' "$out"
    expect 0 "$minisim" verify f16.msc
    [ "$("$minisim" list f16.msc | wc -l)" = 9 ]
    expect 1 "$minisim" import new.msc large.npy --ids v.txt
    grep -q 'row 1 .* use --type f32; nothing was imported' "$err"
    expect 0 "$minisim" import new.msc large.npy --ids v.txt --type f32
    grep -qx 'new.msc: 9 records, 9 new' "$out"
    # A query too small for the type.
    { head -c 128 v.npy; printf '\1\0\0\0'; head -c 5116 /dev/zero; tail -c +5249 v.npy; } >small.npy
    expect 1 "$minisim" search f16.msc --vectors small.npy
    grep -q "row 0: its values round to zero in the catalogue's type" "$err"
}

# shown WORDS...: what list says of labels, "name=label" in its order.
shown() {
    "$minisim" list c.msc | sed "s|^$PWD/p/||; s/\.ppm\t/=/; s/\.ppm$/=/" | tr '\n' ' ' >labels
    [ "$(cat labels)" = "$* " ] || { cat labels; return 1; }
}

# Pictures that were read in another way do not come into a catalogue; they may be searched for.
read_alike() {
    pictures p 1 4
    for way in '--roi 1,2,3,4' --no-orientation '--background 00ff00' '--roi 0,0,8,8 --background 0000ff'; do
        rm -f c.msc
        expect 0 "$minisim" index $way c.msc p
        expect 0 "$minisim" index $way c.msc p
        grep -qx 'c.msc: 4 records, 4 unchanged' "$out"
        expect 3 "$minisim" index c.msc p
        grep -q 'c.msc: the catalogue was made with "[a-z]*: .*", this is "[a-z]*: [a-z]*": such vectors do not' "$err"
        expect 3 "$minisim" index --roi 1,2,3,5 c.msc p
        expect 0 "$minisim" search c.msc $way -k 1 p/1.ppm
        grep -q '^0	' "$out"
        expect 0 "$minisim" search c.msc p/1.ppm
        expect 0 "$minisim" verify $way --recompute 4 c.msc
        grep -q '^4 computed again' "$out"
        expect 3 "$minisim" verify --recompute 4 c.msc
        expect 0 "$minisim" index usual.msc p
        expect 3 "$minisim" merge usual.msc c.msc
    done
    expect 0 "$minisim" index --background ffffff usual.msc p
    expect 0 "$minisim" info c.msc
    grep -qx '  roi  *0,0,8,8' "$out"
}

labelled() {
    pictures p 1 5
    printf 'red\tp/1.ppm\n"two words"\tp/2.ppm\nred\tp/9.ppm\n' >bad
    printf 'red\tp/1.ppm\n"two words\\tp/2.ppm"\nred\tp/9.ppm\nred\tp/8.ppm\n' >list
    expect 1 "$minisim" index --labels bad c.msc p
    grep -q '^minisim: bad: name 2 opens with a quote' "$err"
    rm -f c.msc
    indexed '5 records, 5 new' --labels list c.msc p
    grep -q "^minisim: $PWD/p/8.ppm: it has a label and was not met (2 in all)$" "$err"
    shown 1=red '2=two words' 3= 4= 5=
    # It stays through runs without labels, changes of the picture, moves and merges.
    indexed '5 records, 5 unchanged' c.msc p
    picture p/1.ppm 11
    touch -d 2020-01-02 p/1.ppm
    mv p/2.ppm p/two.ppm
    indexed '5 records, 1 changed, 1 moved, 3 unchanged' c.msc p
    shown 3= 4= 5= 1=red 'two=two words'
    expect 0 "$minisim" merge d.msc c.msc
    mv d.msc c.msc
    # Another label is a new record with the old vector: the picture is not read.
    printf 'blue\tp/1.ppm\n\tp/two.ppm\nblue\tp/3.ppm\n' >list
    chmod 000 p/1.ppm
    expect 0 $as_nobody "$minisim" index --labels list other.msc p/3.ppm
    expect 0 "$minisim" index --labels - c.msc p <list
    grep -qx 'c.msc: 5 records, 3 relabelled, 2 unchanged' "$out"
    chmod 644 p/1.ppm
    shown 4= 5= 1=blue 3=blue two=
    indexed '5 records, 5 unchanged' --labels list c.msc p
    expect 0 "$minisim" verify --recompute 5 c.msc
    grep -q '^5 computed again' "$out"
    # What carries the label, what is without.
    expect 0 "$minisim" list --label blue c.msc
    cmp "$out" <(printf '%s\n' "$PWD/p/1.ppm" "$PWD/p/3.ppm")
    [ "$("$minisim" list --label '' -0 c.msc | tr -cd '\0' | wc -c)" = 3 ]
    expect 0 "$minisim" search c.msc --label blue -k 9 p/4.ppm
    lines 3 "$out"
    refute grep -q 'p/[45two]*.ppm$' <(tail -n +2 "$out")
    expect 0 "$minisim" search c.msc --label blue --json -k 1 p/4.ppm
    grep -q '"label":{"text":"blue"},"id":' "$out"
    expect 1 "$minisim" search c.msc --label green p/4.ppm
    grep -q 'no record has this label' "$err"
    # By folders; a list that contradicts itself.
    mkdir p/red
    mv p/5.ppm p/4.ppm p/red
    indexed '5 records, 2 moved, 3 relabelled' --label-by folder c.msc p
    shown 1=p 3=p red/4=red red/5=red two=p
    printf 'a\tp/1.ppm\nb\t./p/../p/1.ppm\n' >list
    expect 1 "$minisim" index --labels list c.msc p
    grep -q "p/1.ppm: it stands twice" "$err"
    echo p/1.ppm >list
    expect 1 "$minisim" index --labels list c.msc p
    # A list that cannot be read to its end: nothing is done.
    expect 1 "$minisim" index --labels p new.msc p
    [ ! -e new.msc ]
    expect 2 "$minisim" index --labels list --label-by folder c.msc p
    expect 2 "$minisim" index --labels - --files-from - c.msc
    # Rows of another model, by their ids; NULs end lines.
    expect 0 "$minisim" embed --format npy -o v.npy --ids-out ids p
    printf 'x\tp/1.ppm\0y z\tp/3.ppm\0' >list
    tr '\n' '\0' <ids >ids0
    expect 0 "$minisim" import -0 v.msc v.npy --ids ids0 --labels list
    [ "$("$minisim" list --label 'y z' v.msc)" = p/3.ppm ]
    printf 'y z\tp/1.ppm\n' >list
    expect 0 "$minisim" import v.msc v.npy --ids ids --labels list
    grep -qx 'v.msc: 5 records, 1 changed, 4 unchanged' "$out"
    [ "$("$minisim" list --label 'y z' v.msc | wc -l)" = 2 ]
    expect 2 "$minisim" import v.msc v.npy --ids - --labels -
}

by_id() {
    pictures p 1 9
    for type in f32 f16 i8; do
        expect 0 "$minisim" index $type.msc --type $type p
        expect 0 "$minisim" search $type.msc -k 3 p/4.ppm
        cp "$out" wanted
        expect 0 "$minisim" search $type.msc -k 3 --id 3
        tail -n +2 "$out" | cmp - <(tail -n +2 wanted)
        grep -qx "# cosine distance to $PWD/p/4.ppm (smaller is closer)" "$out"
        expect 0 "$minisim" search $type.msc -k 9 --exclude-self --id 3
        lines 9 "$out"
        refute grep -q "	$PWD/p/4.ppm" "$out"
    done
    expect 0 "$minisim" remove f16.msc p/4.ppm
    for id in 3 9; do
        expect 1 "$minisim" search f16.msc --id $id
        grep -qx "minisim: f16.msc: there is no record $id" "$err"
    done
    expect 2 "$minisim" search f16.msc --id 3 p/1.ppm
    expect 2 "$minisim" search f16.msc --id x
}

strange_names() {
    mkdir p
    i=0
    for name in 'a b' $'new\nline' 'quo"te' $'\xff\xfe' '<script>' '-dash' "it's"; do
        i=$((i + 1))
        picture "p/$name.ppm" $i
    done
    expect 0 "$minisim" index c.msc p
    expect 0 "$minisim" list c.msc
    lines 7 "$out"
    grep -qF "\"$PWD/p/new\\nline.ppm\"" "$out"
    expect 0 "$minisim" list -0 c.msc
    cp "$out" names
    tr '\0' '\n' <names | grep -qaF "$PWD/p/"$'\xff\xfe'.ppm
    xargs -0 ls -d <names >/dev/null
    xargs -0 "$minisim" search c.msc -k 1 --json -- <names >hits
    lines 7 hits
    [ "$(grep -c '"cosine":0}' hits)" = 7 ]
    [ "$(grep -c '"bytes":' hits)" = 1 ]
    expect 0 "$minisim" index c.msc -0 --files-from names
    expect 0 "$minisim" remove c.msc "p/new"$'\n'"line.ppm" p/a\ b.ppm
    [ "$("$minisim" list c.msc | wc -l)" = 5 ]
}

one_writer() {
    pictures p 1 3
    expect 0 "$minisim" index c.msc p
    mkfifo names
    "$minisim" index c.msc --files-from names & writer=$!
    exec 7>names
    for _ in $(seq 100); do grep -q OFDLCK /proc/locks && break; sleep 0.02; done
    sleep 0.2
    expect 4 "$minisim" index c.msc p
    grep -q 'another process is writing' "$err"
    expect 0 "$minisim" search c.msc p/1.ppm
    exec 7>&-
    wait $writer || true
    expect 0 "$minisim" index c.msc p
}

now_us() {
    echo "${EPOCHREALTIME/./}"
}

# killed MICROSECONDS COMMAND...: killed at a random instant of so many, with all that it started.
killed() {
    local most=$1 at status=0
    shift
    at=$(((RANDOM << 15 | RANDOM) % most))
    setsid "$@" >/dev/null 2>"$err" & victim=$!
    read -rt "$(printf '%d.%06d' $((at / 1000000)) $((at % 1000000)))" -u 8 || true # a sleep that starts at once
    kill -9 -- -$victim 2>/dev/null || kill -9 $victim 2>/dev/null || true
    wait $victim || status=$?
    [ $status != 137 ] || hits=$((hits + 1))
}

# Indexes a folder after the other, so that there are commits in between.
by_folders=(bash -c 'for folder in p/*; do "$0" index --threads 2 "$1" "$folder" || exit; done' "$minisim")

# Killed at any instant, what was finished is there, and the next run ends as if nothing had been.
kills() {
    local times=${KILLS:-10} all=${PICTURES:-60} hits=0 some=0 start took
    exec 8<> <(:)
    for i in 0 1 2 3; do pictures p/$i $((all * i / 4 + 1)) $((all * (i + 1) / 4)); done
    start=$(now_us)
    "${by_folders[@]}" whole.msc
    took=$(($(now_us) - start))
    "$minisim" list --json whole.msc >whole
    while [ $hits -lt "$times" ]; do
        rm -f c.msc
        killed $took "${by_folders[@]}" c.msc
        if [ -e c.msc ]; then
            expect 0 "$minisim" verify c.msc
            "$minisim" list c.msc >finished
        else
            : >finished
        fi
        expect 0 "$minisim" index c.msc p
        "$minisim" list c.msc >after
        [ ! -s finished ] || some=$((some + 1))
        head -n "$(wc -l <finished)" after | cmp - finished
        "$minisim" list --json c.msc | cmp - whole
        expect 0 "$minisim" verify --recompute 3 c.msc
        grep -q '^3 computed again' "$out"
    done
    echo "# index: killed $hits times, with records committed in $some"
    hits=0
    start=$(now_us)
    "$minisim" compact c.msc
    took=$(($(now_us) - start))
    while [ $hits -lt "$times" ]; do
        killed $took "$minisim" compact c.msc
        expect 0 "$minisim" verify c.msc
        "$minisim" list --json c.msc | cmp - whole
    done
    echo "# compact: killed $hits times"
    # What a killed one left, the next writer removes; no catalogue of a like name loses anything.
    touch .minisim-c.msc-123-0 .minisim-c.msc-1-23-0 .minisim-c.msc-1 .minisim-c.msc-1-x .minisim-c.msc.msc-1-2
    expect 0 "$minisim" index "$PWD/c.msc" p
    rm .minisim-c.msc-1-23-0 .minisim-c.msc-1 .minisim-c.msc-1-x .minisim-c.msc.msc-1-2
    nothing_left
}

compacted() {
    pictures p 1 30
    expect 0 "$minisim" index --type i8 c.msc p
    rm p/1?.ppm
    expect 0 "$minisim" index --prune c.msc p
    expect 0 "$minisim" list c.msc
    cp "$out" names
    lines 20 names
    old=$(wc -c <c.msc)
    expect 0 "$minisim" compact -n c.msc
    grep -qx 'c.msc: would drop 10 removed records' "$out"
    chmod 640 c.msc
    ln -s c.msc link.msc
    expect 0 "$minisim" compact link.msc
    [ -L link.msc ] && [ "$(stat -c %a c.msc)" = 640 ]
    [ "$(wc -c <c.msc)" -lt "$old" ]
    nothing_left
    expect 0 "$minisim" list c.msc
    cmp "$out" names
    expect 0 "$minisim" verify --recompute 20 c.msc
    grep -q '^20 computed again, bit for bit the same; 0 not compared' "$out"
    expect 0 "$minisim" info --json c.msc
    grep -q '"records":20,"removed":0,' "$out"
    expect 0 "$minisim" info c.msc
    grep -q '^  geometry  *squash' "$out"
    picture p/2.ppm 99
    expect 0 "$minisim" verify --recompute 20 c.msc
    grep -q '^19 computed again, bit for bit the same; 1 not compared' "$out"
    rm p/3.ppm
    expect 1 "$minisim" verify --recompute 20 c.msc
    grep -q '^18 computed again, bit for bit the same; 2 not compared' "$out"
}

# foreseen WORDS CATALOGUES...: merging them into c.msc says this, and says so beforehand.
foreseen() {
    local words=$1
    shift
    cp c.msc before || : >before
    expect 0 "$minisim" merge -n c.msc "$@"
    grep -qx "c.msc: would be $words" "$out" || { cat "$out"; return 1; }
    [ ! -s before ] || cmp c.msc before
    [ -s before ] || [ ! -e c.msc ]
    expect 0 "$minisim" merge c.msc "$@"
    grep -qx "c.msc: $words" "$out" || { cat "$out"; return 1; }
}

merged() {
    pictures p/a 1 10
    pictures p/b 11 20
    expect 0 "$minisim" index all.msc p
    expect 0 "$minisim" index a.msc p/a p/b/1[12].ppm
    expect 0 "$minisim" index b.msc p/b
    foreseen '20 added, 0 replaced, 2 there already, 0 older' a.msc b.msc
    "$minisim" list all.msc >wanted
    "$minisim" list c.msc | cmp - wanted
    picture p/b/15.ppm 99
    expect 0 "$minisim" index new.msc p/b
    foreseen '0 added, 1 replaced, 28 there already, 1 older' b.msc new.msc b.msc
    foreseen '0 added, 0 replaced, 9 there already, 1 older' b.msc
    expect 0 "$minisim" verify --recompute 20 c.msc
    expect 0 "$minisim" index other.msc --geometry pad p/b
    expect 3 "$minisim" merge c.msc other.msc
    expect 0 "$minisim" index i8.msc --type i8 p/b
    for dry in '' -n; do
        expect 3 "$minisim" merge $dry c.msc i8.msc
        grep -q "vectors are f16, not i8" "$err"
    done
}

# blocks FILE SEED [COLUMN]: 8 x 8 blocks of 8 x 8 pixels in random colours; COLUMN says which one stands where.
blocks() {
    awk -v seed="$2" -v column="${3:-i}" 'BEGIN {
        srand(seed); printf "P6 64 64 255\n"
        for (i = 0; i < 192; i++) value[i] = 32 + int(rand() * 90)
        for (y = 0; y < 64; y++) for (x = 0; x < 64; x++) for (c = 0; c < 3; c++) {
            at = int(x / 8); if (column == "mirrored") at = 7 - at
            printf "%c", value[int(y / 8) * 24 + at * 3 + c]
        }
    }' >"$1"
}

labels() {
    mkdir p new
    blocks p/a.ppm 1
    blocks p/b.ppm 2
    blocks p/mirrored.ppm 1 mirrored
    { printf 'P6 # the same pixels\n64 64 255\n'; tail -c 12288 p/a.ppm; } >p/pixels.ppm
    cp p/a.ppm new/a.ppm
    blocks new/c.ppm 3
    expect 0 "$minisim" index c.msc p
    expect 0 "$minisim" search c.msc --explain new/a.ppm
    grep -q "/p/a.ppm	identical file$" "$out"
    grep -q "/p/pixels.ppm	identical pixels$" "$out"
    grep -q "/p/mirrored.ppm	mirrored$" "$out"
    grep -q "/p/b.ppm	merely similar$" "$out"
    expect 0 "$minisim" search c.msc --only same --json new/a.ppm
    [ "$(grep -o '"look":"[a-z-]*"' "$out" | sort | tr '\n' ' ')" = \
        '"look":"mirrored" "look":"same-file" "look":"same-pixels" ' ]
    expect 2 "$minisim" search c.msc --explain --vectors x.npy
    expect 2 "$minisim" search c.msc --only similar new/a.ppm
    expect 0 "$minisim" duplicates c.msc --max-distance 2 --keep first
    grep -q "^keep	0	$PWD/p/a.ppm$" "$out"
    grep -q "/p/b.ppm	merely similar$" "$out"
    expect 0 "$minisim" duplicates c.msc --max-distance 2 --keep first --only same --threads 3 --json
    refute grep -q '/b.ppm' "$out"
    grep -q '/mirrored.ppm"},"id":[0-9]*,"keep":false,"cosine":[0-9.e-]*,"look":"mirrored"' "$out"
    expect 0 "$minisim" duplicates c.msc --max-distance 2 --keep first --only same --removable
    [ "$(sort "$out" | tr '\n' ' ')" = "$PWD/p/mirrored.ppm $PWD/p/pixels.ppm " ]
    expect 11 "$minisim" check c.msc --max-distance 2 new/c.ppm
    grep -q '	merely similar$' "$out"
    expect 0 "$minisim" check c.msc --max-distance 2 --only same new/c.ppm
    expect 11 "$minisim" check c.msc --max-distance 2 --only same --json new/a.ppm
    grep -Eq '"look":"same-(file|pixels)"' "$out"
    # A file that is gone was not looked at; it is not called merely similar.
    rm p/mirrored.ppm
    expect 1 "$minisim" search c.msc --only same new/a.ppm
    grep -q '/p/mirrored.ppm	not looked at$' "$out"
    grep -q 'mirrored.ppm: cannot be opened: .*; it was not looked at' "$err"
}

damaged() {
    pictures p 1 9
    pictures q 1 3
    expect 0 "$minisim" index c.msc p
    "$minisim" export c.msc --to csv -o - 2>"$err" >/dev/full || [ $? = 4 ]
    grep -q '^minisim: standard output: No space left on device$' "$err"
    cp c.msc whole.msc
    printf '\x55' | dd of=c.msc bs=1 seek=16000 conv=notrunc status=none
    expect 3 "$minisim" verify c.msc
    grep -q 'the vectors of the segment at byte 12288 are damaged, which hurts:' "$err"
    grep -q "^  record 0 $PWD/p/1.ppm" "$err"
    # Copied, it would look whole: it is refused, or left out.
    expect 3 "$minisim" export c.msc --to csv -o rows.csv
    grep -q '^minisim: c.msc: the catalogue is damaged: the vector of record [01]; ' "$err"
    refute ls rows.csv
    cp c.msc before
    expect 3 "$minisim" compact c.msc
    grep -q 'the catalogue is damaged; .minisim verify. names' "$err"
    cmp c.msc before
    # A vector, then a whole header.
    for place in 16000 12400; do
        cp whole.msc more.msc
        rm -f rest.msc
        expect 0 "$minisim" index more.msc q
        printf '\x55' | dd of=more.msc bs=1 seek=$place conv=notrunc status=none
        for dry in -n ''; do
            expect 3 "$minisim" merge $dry rest.msc more.msc
            grep -q '3 added, 0 replaced, 0 there already, 0 older$' "$out"
            grep -q 'rest.msc: 9 records of the others are damaged: left out' "$err"
        done
        "$minisim" list rest.msc | cmp - <(printf '%s\n' "$PWD"/q/{1,2,3}.ppm)
        expect 0 "$minisim" verify --recompute 3 rest.msc
    done
    expect 3 "$minisim" search more.msc p/1.ppm
    grep -q 'the header of the segment at byte 12288; .minisim verify. names' "$err"
    expect 3 "$minisim" verify more.msc
    grep -q 'the header of the segment at byte 12288, which hurts:' "$err"
    grep -q '^  up to record 8$' "$err"
    head -c 20000 c.msc >short.msc
    expect 3 "$minisim" search short.msc p/1.ppm
    grep -q 'cut short' "$err"
    head -c -4000 whole.msc >short.msc
    cp short.msc before
    expect 3 "$minisim" index short.msc p
    grep -q 'cut short: .*nothing can be added' "$err"
    cmp short.msc before
}

full_disk() {
    mkdir small
    mount -t tmpfs -o size=400k tmpfs small 2>/dev/null || { echo '# left out: no tmpfs can be mounted'; return; }
    trap 'umount small' EXIT
    pictures p/a 1 20
    pictures p/b 21 150
    expect 0 "$minisim" index small/c.msc --type f32 p/a
    "$minisim" list --json small/c.msc >before
    expect 4 "$minisim" index small/c.msc p
    grep -q 'c.msc: cannot be extended: No space left' "$err"
    expect 0 "$minisim" verify small/c.msc
    "$minisim" list --json small/c.msc | cmp - before
    expect 0 "$minisim" search small/c.msc -k 1 p/a/1.ppm
    # Nothing is left for a copy.
    dd if=/dev/zero of=small/rest bs=4096 status=none 2>/dev/null || true
    expect 4 "$minisim" compact small/c.msc
    expect 4 "$minisim" merge small/new.msc small/c.msc
    expect 4 "$minisim" remove small/c.msc p/a/1.ppm
    expect 0 "$minisim" verify small/c.msc
    "$minisim" list --json small/c.msc | cmp - before
    # With room again, it goes on as if nothing had been.
    rm small/rest
    mount -o remount,size=64m small
    expect 0 "$minisim" index small/c.msc p
    expect 0 "$minisim" index whole.msc --type f32 p
    "$minisim" list --json whole.msc | cmp - <("$minisim" list --json small/c.msc)
    expect 0 "$minisim" verify --recompute 9 small/c.msc
}

check 'index: new, changed, copied, moved, hard links' updates
check 'index: what is missing, and what only seems so' missing
check 'search finds what compare finds' found
check 'import and search: vectors of another model' rows
check 'pictures that were read in another way' read_alike
check 'labels: of a list, of folders; list and search by them' labelled
check 'search for a record that is there' by_id
check 'names with newlines, quotes, bytes that are no UTF-8' strange_names
check 'a second writer is refused, readers are not' one_writer
check 'compact, info, verify --recompute' compacted
check 'merge' merged
check 'labels of pairs: --explain, --only same' labels
check 'damage is named' damaged
check 'index and compact are killed at any instant' kills
check 'index on a disk that fills up' full_disk
finish

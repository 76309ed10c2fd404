#!/bin/bash
# --html as its users meet it: tests/report.sh PROGRAM prints TAP. What is on a page,
# tools/check_report.py reads.
. "$(dirname "$0")/support.sh"

# A catalogue of three pictures, two of them one file.
collection() {
    picture 1.ppm 1
    picture 2.ppm 2
    cp 1.ppm 3.ppm
    touch -d 2020-01-01 3.ppm
    "$minisim" index -q c.msc [123].ppm
}

is_page() { # is_page FILE CARDS
    head -n 1 "$1" | grep -qx '<!DOCTYPE html>'
    tail -n 1 "$1" | grep -qx '</html>'
    [ "$(grep -c '<li' "$1")" = "$2" ]
}

beside() {
    collection
    local command
    for command in 'search c.msc 2.ppm -k 2' 'search c.msc 2.ppm --explain --json' 'duplicates c.msc --max-distance 0' \
        'duplicates c.msc --max-distance 0 --removable' 'compare 1.ppm 2.ppm' 'compare --matrix --json 1.ppm 2.ppm' \
        'compare --why 1.ppm 2.ppm' 'search c.msc --id 1'; do
        expect 0 "$minisim" $command
        cp "$out" before
        expect 0 "$minisim" $command --html page
        cmp before "$out"
        [ ! -s "$err" ]
        is_page page "$(case $command in *-k*) echo 3 ;; search*) echo 4 ;; *) echo 2 ;; esac)"
        rm page
    done
    nothing_left
    # Someone who reads the results in part has all of the page.
    expect 4 bash -c 'exec "$@" >/dev/full' - "$minisim" duplicates c.msc --max-distance 0 --html page
    is_page page 2
}

kept() {
    collection
    awk 'BEGIN { printf "P3 16 16 255\n"; for (i = 0; i < 256; i++) print "90 20 250" }' >4.ppm
    awk 'BEGIN { printf "P3 8 8 255\n"; for (i = 0; i < 64; i++) print "90 20 250" }' >5.ppm
    "$minisim" index -q c.msc 4.ppm 5.ppm
    local rule
    keeps() { # keeps WHY WHY OPTION...
        local first=$1 second=$2
        shift 2
        expect 0 "$minisim" duplicates c.msc --max-distance 0.001 --html page "$@"
        grep -o '<strong>Keep: [^<]*' page | cmp - <(printf '<strong>Keep: %s\n' "$first" "$second")
        [ "$(grep -c 'class="on"' page)" = 2 ]
    }
    keeps 'the oldest' 'the most pixels'
    keeps 'the oldest' 'the largest file' --keep bytes
    keeps 'the first indexed' 'the first indexed' --keep first
    mkdir liked && mv 1.ppm 5.ppm liked && "$minisim" index -q c.msc liked
    keeps 'in the preferred folder' 'in the preferred folder' --prefer liked
    expect 0 "$minisim" duplicates c.msc --against c.msc --html page
    refute grep -q 'Keep' page
    grep -q '<strong>identical file' page
    # Nothing found is an answer, too.
    expect 0 "$minisim" duplicates 2.ppm 4.ppm --no-cache --max-distance 0 --html page
    grep -q 'There are none' page
}

unreadable() {
    collection
    "$minisim" index -q c.msc "$jpeg"
    rm 3.ppm
    echo text >2.ppm
    expect 0 "$minisim" search c.msc 1.ppm --html page
    [ ! -s "$err" ]
    is_page page 5
    [ "$(grep -c '<img' page)" = 3 ]
    grep -q '<p class="none">[^<]*No such file or directory</p>' page
    grep -q '<p class="none">text' page || grep -q '<p class="none">[^<]*not a picture\|<p class="none">[^<]*text' page
    [ "$(grep -c 'changed or gone since it was indexed' page)" = 2 ]
    expect 0 "$minisim" search c.msc 1.ppm --html page --max-memory 8M
    is_page page 5
    expect 0 "$minisim" compare - 1.ppm --html page <1.ppm
    grep -q '<p class="none">from standard input</p>' page
    # Who cannot be embedded has no page; the others' is whole.
    expect 1 "$minisim" compare 1.ppm 2.ppm "$jpeg" --html page
    is_page page 2
    echo old >page
    expect 1 "$minisim" compare 1.ppm 2.ppm --html page
    [ "$(cat page)" = old ]
}

inputs() {
    collection
    printf '2.ppm\n' >list
    ln -s 1.ppm link.ppm
    cp "$MINISIM_WEIGHTS" own.msw
    cp -r . ../spared
    local command
    for command in 'search c.msc 2.ppm --html 2.ppm' 'search c.msc 2.ppm --html c.msc' \
        'search c.msc 2.ppm --html link.ppm' 'search c.msc --files-from list --html list' \
        'search c.msc --files-from list --html ./2.ppm' 'search c.msc 2.ppm --weights own.msw --html own.msw' \
        'duplicates c.msc --html c.msc' 'duplicates c.msc --html 3.ppm' 'duplicates . --no-cache --html 3.ppm' \
        'duplicates c.msc --against c.msc --html 3.ppm' 'duplicates c.msc --not-duplicates list --html list' \
        'compare 1.ppm 2.ppm --html 2.ppm' 'compare --why 1.ppm 2.ppm --html 2.ppm' \
        'compare 1.ppm 2.ppm --weights own.msw --html own.msw' 'compare . --html 2.ppm' \
        'duplicates 1.ppm 3.ppm --no-cache --weights own.msw --html own.msw'; do
        expect 2 "$minisim" $command
        grep -q '^minisim: .* is read: it cannot be the output as well$' "$err"
    done
    for command in 'search c.msc 2.ppm --html -' 'duplicates c.msc --html /dev/stdout' 'compare 1.ppm 2.ppm --html -' \
        'compare --vectors x --html page' 'compare --why -o page 1.ppm 2.ppm --html page'; do
        expect 2 "$minisim" $command
        lines 1 "$err"
        lines 0 "$out"
    done
    diff -r . ../spared
    nothing_left
}

failing() {
    collection
    local command
    for command in 'search c.msc 2.ppm' 'duplicates c.msc' 'compare 1.ppm 2.ppm' 'compare --why 1.ppm 2.ppm'; do
        if [ -e /dev/full ]; then
            expect 4 "$minisim" $command --html /dev/full
            grep -qx 'minisim: /dev/full: No space left on device' "$err"
        fi
        expect 4 "$minisim" $command --html nowhere/page
        grep -qx 'minisim: nowhere/page: No such file or directory' "$err"
        expect 4 "$minisim" $command --html .
    done
    echo old >page
    # ThreadSanitizer wants a temporary file itself.
    [[ $SANITIZE == *thread* ]] || ( ulimit -f 1; trap '' XFSZ; expect 4 "$minisim" duplicates c.msc --html page )
    [ "$(cat page)" = old ]
    nothing_left
}

calibrated() {
    local i
    for i in $(seq 9); do picture $i.ppm $i; done
    awk 'BEGIN { printf "P3 16 16 255\n"; for (i = 0; i < 256; i++) print "90 20 250" }' >10.ppm
    "$minisim" index -q c.msc [0-9]*.ppm
    expect 0 "$minisim" calibrate -n c.msc
    cp "$out" before
    expect 0 "$minisim" calibrate -n c.msc --html page
    cmp before "$out"
    is_page page 0
    # The page's numbers are those that are printed, in another order: the recommended one is first.
    local found
    found=$(sed -n 's/^# recommended: \([^ ]*\) finds.*/\1/p' "$out")
    grep -q "<h2 [^>]*>Recommended: cosine distance at most $found</h2>" page
    grep -q "text-anchor=\"[a-z]*\">$found</text>" page
    [ "$(sed -n 's/.*scope="row">mirrored<\/th>//p' page | sed 's/<[^>]*>/ /g' | xargs -n 1 | sort)" = \
        "$(sed -n 's/^  mirrored//p' "$out" | xargs -n 1 | sort)" ]
    expect 0 "$minisim" calibrate -n c.msc --metric dot --html page
    grep -q 'dot product at least' page
    for i in 1.ppm c.msc "$MINISIM_WEIGHTS" -; do
        expect 2 "$minisim" calibrate c.msc --html $i
        lines 1 "$err"
    done
    expect 4 "$minisim" calibrate c.msc --html nowhere/page
}

# It is being written when the interrupt comes: a pipe holds the list of pictures up.
interrupted() {
    collection
    mkfifo list
    echo old >page
    "$minisim" search c.msc --files-from list --html page >o 2>e &
    local run=$! status=0
    exec 3>list
    for _ in $(seq 70); do echo 1.ppm; done >&3
    for _ in $(seq 200); do [ -s o ] && break; sleep 0.02; done
    ls .minisim-* >/dev/null
    kill -TERM $run
    exec 3>&-
    wait $run || status=$?
    [ $status = 130 ]
    [ "$(cat page)" = old ]
    nothing_left
}

check 'a page beside what is printed, and whole' beside
check 'what is kept, and why' kept
check 'pictures that are gone or cannot be read' unreadable
check 'inputs are spared' inputs
check 'pages that cannot be written' failing
check 'calibrate draws what it prints' calibrated
check 'an interrupt leaves no page' interrupted
finish

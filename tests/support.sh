# What the shell checks share, to be sourced by bash with the program as $1: a folder of their own, check,
# expect, refute, pictures. They end with `finish`.
export LC_ALL=C
program=$(readlink -f "${1:?usage: $0 PROGRAM}")
root=$(readlink -f "$(dirname "$0")/..")
manual=$root/minisim.1
jpeg=$(readlink -f "$(dirname "$0")/pictures/cli-small.jpg")
dir=$(mktemp -d "${TMPDIR:-/tmp}/minisim-cli-XXXXXX") || exit 1
trap 'chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT
chmod 755 "$dir"
out=$dir/out err=$dir/err

# Copies that nobody can read, wherever the checkout lies.
weights=$("$program" info --json | sed 's/.*"file":{"text":"\([^"]*\)".*/\1/')
[ -r "$weights" ] || { echo "Bail out! $program finds no weights"; exit 1; }
cp "$program" "$dir/minisim" && cp "$weights" "$dir/weights.msw" || exit 1
chmod 755 "$dir/minisim" "$dir/weights.msw"
minisim=$dir/minisim
export MINISIM_WEIGHTS=$dir/weights.msw

n=0 failed=0
# check NAME FUNCTION: runs it in a folder of its own; any command that fails is its failure. Lines that it
# begins with "# " are passed on.
check() {
    n=$((n + 1))
    mkdir "$dir/$2" && chmod 777 "$dir/$2"
    (set -e; cd "$dir/$2"; "$2") >"$dir/log" 2>&1
    if [ $? = 0 ]; then
        echo "ok $n - $1"
        grep '^# ' "$dir/log"
    else
        echo "not ok $n - $1"
        cat "$dir/log" "$err" | tail -n 10 | cut -c1-200 | sed 's/^/# /'
        failed=1
    fi
}

# expect STATUS COMMAND...: its output goes to $out, its messages to $err.
expect() {
    local wanted=$1 status=0
    shift
    timeout 60 "$@" >"$out" 2>"$err" || status=$?
    [ $status = "$wanted" ] || { echo "status $status, not $wanted: $*"; return 1; }
}

# refute COMMAND...: it must fail.
refute() {
    if "$@"; then
        echo "succeeds: $*"
        return 1
    fi
}

as_nobody=
[ "$(id -u)" = 0 ] && as_nobody='setpriv --reuid=65534 --regid=65534 --clear-groups'

# picture FILE SEED: 8 x 8 pixels.
picture() {
    awk -v seed="$2" 'BEGIN {
        srand(seed); printf "P6 8 8 255\n"
        for (i = 0; i < 192; i++) printf "%c", 32 + int(rand() * 90)
    }' >"$1"
}

lines() { # lines COUNT FILE
    [ "$(wc -l <"$2")" = "$1" ] || { echo "$(wc -l <"$2") lines, not $1, in $2"; return 1; }
}

nothing_left() { # no unfinished output in this folder
    refute ls .minisim-*
}

finish() {
    echo "1..$n"
    exit $failed
}

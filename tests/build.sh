#!/bin/sh
# What is promised of the build: tests/build.sh BUILD. The header serves C++, README's example builds and runs
# against an installed library, only public symbols are visible, and stb's SIMD changes no pixel.
BUILD=$1
number=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
check() {
    number=$((number + 1))
    what=$1
    shift
    if "$@" >"$folder/log" 2>&1; then
        echo "ok $number - $what"
    else
        echo "not ok $number - $what"
        sed 's/^/# /' "$folder/log"
    fi
}
header_as_cpp() {
    printf '#include "minisim.h"\nint main() { return minisim_version() == nullptr; }\n' \
        >"$folder/header.cc" &&
        ${CXX:-c++} -std=c++11 -Wall -Wextra -Wpedantic -Isrc -fsyntax-only "$folder/header.cc"
}
only_public_symbols() {
    nm -D --defined-only "$BUILD/libminisim.so" | awk '{print $3}' |
        grep -v '^MINISIM_' | grep -v '^minisim_' && return 1
    nm -D --defined-only "$BUILD/libminisim.so" | grep -q ' minisim_embed_file'
}
example() {
    sed -n '/^```c$/,/^```$/p' README.md | sed '1d;$d' >"$folder/example.c" &&
        cmp "$folder/example.c" tests/example.c &&
        make -s install BUILD="$BUILD" PREFIX="$folder/prefix" &&
        ${CC:-cc} $SANITIZE -Wall -Wextra -I"$folder/prefix/include" -o "$folder/example" \
            "$folder/example.c" -L"$folder/prefix/lib" -lminisim &&
        mkdir "$folder/pictures" && "$BUILD/draw" "$folder/pictures" &&
        LD_LIBRARY_PATH="$folder/prefix/lib" "$folder/example" weights/minisim-default.msw \
            "$folder/pictures/ball-red.ppm" "$folder/pictures/ball-blue.ppm"
}
installed_program() {
    [ -d "$folder/prefix" ] || return 1
    [ "$(cd / && "$folder/prefix/bin/minisim" --version | head -c 7)" = minisim ]
}
same_without_simd() {
    mkdir -p "$folder/simd" && "$BUILD/draw" "$folder/simd" || return 1
    set -- "$folder"/simd/*.ppm tests/pictures/*
    [ -n "$MINISIM_SHARED" ] && set -- "$@" "$MINISIM_SHARED"/photos/*.JPEG
    "$BUILD/decode_digest" "$@" >"$folder/with" && "$BUILD/decode_digest_nosimd" "$@" >"$folder/without" &&
        cmp "$folder/with" "$folder/without" && [ -s "$folder/with" ]
}
check 'minisim.h is C++' header_as_cpp
check 'only public symbols are visible' only_public_symbols
check 'the example in README.md builds against the installed library and runs' example
check 'the installed program runs' installed_program
check 'decoded pixels are the same without stb'"'"'s SIMD' same_without_simd
echo "1..$number"

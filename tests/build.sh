#!/bin/sh
# What is promised of the build: tests/build.sh BUILD. The header serves C++, the library shows only public symbols
# and needs nothing of a program's, README's example and one with a catalogue build and run against an installed tree,
# which may be moved, and stb's SIMD changes no pixel.
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
# It prints nothing, reads no environment, touches no file but those that it reads, and catalogues.
library_keeps_quiet() {
    nm -D --undefined-only "$BUILD/libminisim.so" | sed 's/.* //; s/@.*//' >"$folder/imports"
    [ -s "$folder/imports" ] || return 1
    ! grep -Ex '(secure_)?getenv|std(out|err)|_*f?(printf|puts|putc|write)(_chk)?|putchar|perror|exit|abort|setlocale|mkostemp(64)?|realpath' \
        "$folder/imports" &&
        ! nm -u "$BUILD"/src/*/*.o | awk -v 'keep=/src/(base/file|picture/.*|net/.*|kernels/.*|vectors/.*)[.]o:$' \
            '/:$/ { look = $0 ~ keep } look { print $2 }' |
        sed 's/@.*//' | grep -Ex '(rename|unlink)(at)?2?|link|pwrite(64)?|write|f(data)?sync|ftruncate(64)?'
}
# The promise for gcc on x86-64, whose kernels are the most.
library_is_small() {
    size -A "$BUILD/libminisim.so" | awk '$1 == ".text" { print; found = $2 < 250000 } END { exit !found }'
}
# The build knows nothing of this prefix; the installed tree is then moved, too.
install_elsewhere() {
    make -s install BUILD="$BUILD" PREFIX="$folder/prefix" || return 1
    make -s install BUILD="$BUILD" PREFIX=/else/where DESTDIR="$folder/stage" || return 1
    grep -qx 'prefix=/else/where' "$folder/stage/else/where/lib/pkgconfig/minisim.pc" || return 1
    for tree in "$folder/prefix" "$folder/stage/else/where"; do
        (cd / && env -u MINISIM_WEIGHTS "$tree/bin/minisim" info --json) |
            grep -qF "\"file\":{\"text\":\"$tree/bin/../share/minisim/" || return 1
    done
}
uninstall() {
    make -s uninstall BUILD="$BUILD" PREFIX=/else/where DESTDIR="$folder/stage" || return 1
    [ -z "$(find "$folder/stage" ! -type d)" ]
}
clean_heeds_build() {
    make -n clean BUILD=other | grep -qx 'rm -rf other build-asan build-tsan build-coverage'
}
# None in an unpacked archive, even within another repository; then the checkout's, and whether it was changed. The
# file that says so is written anew only then.
knows_its_commit() {
    tree=$folder/repository/tree
    mkdir -p "$tree/src" && cp -r Makefile weights "$tree" && cp src/minisim.h "$tree/src" || return 1
    commit() {
        git -C "$1" init -q && git -C "$1" add . &&
            git -C "$1" -c user.name=test -c user.email=test@localhost commit -q -m test
    }
    says() {
        make -s -C "$tree" BUILD=build build/build.h && grep -qx "#define MINISIM_COMMIT \"$1\"" "$tree/build/build.h"
    }
    echo build >"$tree/.gitignore"
    commit "$folder/repository" && says unknown && commit "$tree" && head=$(git -C "$tree" rev-parse HEAD) &&
        says "$head" && touch -d yesterday "$tree/build/build.h" && says "$head" &&
        [ "$tree/build/build.h" -ot "$tree/Makefile" ] && echo new >"$tree/src/new.c" && says "$head-dirty"
}
no_compiler() {
    make CC=nogcc BUILD="$folder/none" all 2>&1 | tee "$folder/said" | grep 'the compiler "nogcc"' &&
        ! grep stb "$folder/said"
}
example() {
    sed -n '/^```c$/,/^```$/p' README.md | sed '1d;$d' >"$folder/example.c" &&
        cmp "$folder/example.c" tests/example.c &&
        export PKG_CONFIG_PATH="$folder/prefix/lib/pkgconfig" &&
        ${CC:-cc} $SANITIZE -Wall -Wextra -o "$folder/example" "$folder/example.c" \
            $(pkg-config --cflags --libs minisim) &&
        mkdir "$folder/pictures" && "$BUILD/draw" "$folder/pictures" &&
        LD_LIBRARY_PATH="$folder/prefix/lib" "$folder/example" weights/minisim-default.msw \
            "$folder/pictures/ball-red.ppm" "$folder/pictures/ball-blue.ppm" || return 1
    # It says which picture failed, and how it is called.
    LD_LIBRARY_PATH="$folder/prefix/lib" "$folder/example" weights/minisim-default.msw \
        "$folder/pictures/ball-red.ppm" nowhere.jpg 2>&1 | grep '^nowhere.jpg: ' &&
        LD_LIBRARY_PATH="$folder/prefix/lib" "$folder/example" 2>&1 | grep '^usage: '
}
# The same in C and in C++: a picture is new once; among pictures prepared in another way it has no place.
catalogue_example() {
    export PKG_CONFIG_PATH="$folder/prefix/lib/pkgconfig" LD_LIBRARY_PATH="$folder/prefix/lib"
    ${CC:-cc} $SANITIZE -std=c99 -Wall -Wextra -Wpedantic -Werror -o "$folder/in-c" tests/example_catalogue.c \
        $(pkg-config --cflags --libs minisim) &&
        ${CC:-cc} $SANITIZE -std=c++11 -fno-exceptions -Wall -Wextra -Wpedantic -Werror -o "$folder/in-c++" \
            -x c++ tests/example_catalogue.c $(pkg-config --cflags --libs minisim) || return 1
    red=$folder/pictures/ball-red.ppm tree=$folder/pictures/tree-red.ppm
    for language in c c++; do
        set -- "$folder/in-$language" weights/minisim-default.msw "$folder/$language.msc"
        "$@" "$red" "$red" "$tree" >"$folder/said" && "$@" "$tree" >>"$folder/said" || return 1
        printf '%s\n' "$red: new" "$red: 0.0000 from $red" "$tree: new" "$tree: 0.0000 from $tree" |
            cmp - "$folder/said" || return 1
        "$BUILD/minisim" verify "$folder/$language.msc" && "$BUILD/minisim" search -k 1 --json \
            "$folder/$language.msc" "$tree" | grep -F "$tree\"},\"id\":1," || return 1
    done
    "$BUILD/minisim" index --geometry pad "$folder/pad.msc" "$red" || return 1
    "$folder/in-c" weights/minisim-default.msw "$folder/pad.msc" "$red" 2>&1 |
        grep "^$folder/pad.msc: the catalogue was made with \"geometry: pad 000000\", this is \"geometry: squash\""
}
same_without_simd() {
    mkdir -p "$folder/simd" && "$BUILD/draw" "$folder/simd" || return 1
    set -- "$folder"/simd/*.ppm tests/pictures/*
    [ -n "$MINISIM_SHARED" ] && set -- "$@" "$MINISIM_SHARED"/photos/*.JPEG
    "$BUILD/decode_digest" "$@" >"$folder/with" && "$BUILD/decode_digest_nosimd" "$@" >"$folder/without" &&
        cmp "$folder/with" "$folder/without" && [ -s "$folder/with" ]
}
# What was built is linked once more, with EMBED_WEIGHTS=1; a program with a sanitizer cannot be static.
all_in_one_file() {
    mkdir "$folder/one" "$folder/alone" && cp -a "$BUILD/src" "$BUILD/libminisim.a" "$folder/one" &&
        make -s BUILD="$folder/one" PREFIX="$folder/none" EMBED_WEIGHTS=1 STATIC="$([ "$SANITIZE" ] || echo 1)" \
            -W src/cli/embedded.c -W src/cli/pictures.c "$folder/one/minisim" &&
        cp "$folder/one/minisim" tests/pictures/cli-small.jpg "$folder/alone" || return 1
    (
        cd "$folder/alone" && unset MINISIM_WEIGHTS && ./minisim embed --format f32 cli-small.jpg >row &&
            ./minisim info | grep -x '  file  *built in'
    ) || return 1
    "$BUILD/minisim" embed --weights weights/minisim-default.msw --format f32 tests/pictures/cli-small.jpg |
        cmp - "$folder/alone/row" || return 1
    # Weights that are found count first.
    mkdir "$folder/weights" && cp weights/minisim-default.msw "$folder/weights" &&
        env -u MINISIM_WEIGHTS "$folder/alone/minisim" info |
        grep -x "  file  *$folder/alone/../weights/minisim-default.msw"
}
check 'minisim.h is C++' header_as_cpp
check 'only public symbols are visible' only_public_symbols
check 'the library prints nothing and reads no environment' library_keeps_quiet
case $(uname -m),${CC:-gcc},$SANITIZE in
x86_64,*gcc*,) check 'the code of the library is below 250 KB' library_is_small ;;
*) echo '# left out: the size of the library, which is promised for gcc on x86-64' ;;
esac
check 'installs under any prefix without building again' install_elsewhere
check 'the example in README.md builds against the installed library and runs' example
check 'a catalogue is kept by the installed library, in C and in C++' catalogue_example
check 'make uninstall leaves nothing' uninstall
check 'make clean heeds BUILD' clean_heeds_build
check 'the build knows its commit' knows_its_commit
check 'a missing compiler is named' no_compiler
check 'a program with its weights inside, in an empty folder' all_in_one_file
check 'decoded pixels are the same without stb'"'"'s SIMD' same_without_simd
echo "1..$number"

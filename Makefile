# minisim: `make` builds the program and both libraries into build/ (for another machine, with CROSS,
# into a folder of its own below it); `make help` lists the rest.
# Nothing here installs packages: what is missing is named, with the command that installs it.

CC       ?= cc
CROSS    ?=
ifneq ($(CROSS),)
CC       := $(CROSS)gcc
endif
ifeq ($(origin CC),default)
CC       := gcc
endif
# STATIC=1: the program is one file that needs no other; EMBED_WEIGHTS=1: not even weights.
STATIC   ?=
EMBED_WEIGHTS ?=
BUILD    ?= build$(patsubst %-,/%,$(notdir $(CROSS)))$(if $(STATIC),/static)$(if $(EMBED_WEIGHTS),/embedded)
WEIGHTS  := weights/minisim-default.msw
PREFIX   ?= /usr/local
DESTDIR  ?=
CFLAGS   ?= -O2 -g
LDFLAGS  ?=
SANITIZE ?=

VERSION  := $(shell sed -n 's/^\#define MINISIM_VERSION "\(.*\)"/\1/p' src/minisim.h)
MAJOR    := $(firstword $(subst ., ,$(VERSION)))
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion
# The numbers are part of the promise: no contraction, no fast-math, whatever CFLAGS say. Nor does the
# build know the folder that it is made in.
FLAGS     = -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Isrc $(WARNINGS) $(CFLAGS) $(SANITIZE) \
            -ffp-contract=off -fno-fast-math -fno-math-errno -fno-asynchronous-unwind-tables \
            -ffunction-sections -fdata-sections \
            -fvisibility=hidden -fPIC -pthread -MMD -MP -ffile-prefix-map="$$PWD"=. \
            -DMINISIM_DATADIR='"$(abspath $(PREFIX))/share/minisim"'
LIBS      = -lm -pthread
# The program is small: what it does not use, gaps between its segments and long tables of addresses
# are left out.
LINK      = $(CFLAGS) $(LDFLAGS) $(SANITIZE) -Wl,--as-needed -Wl,--gc-sections -Wl,-z,noseparate-code \
            $(call links_with,-Wl$(comma)-z$(comma)pack-relative-relocs)

comma    := ,
links_with = $(shell echo 'int main(void) { return 0; }' | $(CC) -Werror $(1) -Wl,--fatal-warnings \
               -x c -o /dev/null - 2>/dev/null && echo $(1))
has_flag  = $(shell $(CC) -Werror $(1) -x c -c -o /dev/null /dev/null 2>/dev/null && echo $(1))
MACHINE  := $(shell $(CC) -dumpmachine 2>/dev/null)

# What the program alone uses: the library prints nothing and reads no environment.
OUTPUTS  := $(addprefix src/base/,folder.c json.c npy.c output.c text.c) src/picture/jpeg_write.c \
            $(addprefix src/catalogue/,all_pairs.c compact.c distinct.c known.c linkage.c sketch.c)
LIBRARY  := $(sort $(wildcard src/base/*.c src/picture/*.c src/kernels/*.c src/net/*.c src/vectors/*.c \
                              src/catalogue/*.c))
LIBRARY  := $(filter-out $(OUTPUTS),$(LIBRARY))
ifeq ($(filter x86_64%,$(MACHINE)),)
LIBRARY  := $(filter-out src/kernels/%avx2.c src/kernels/%avx512.c src/kernels/%vnni.c,$(LIBRARY))
endif
ifeq ($(filter aarch64%,$(MACHINE)),)
LIBRARY  := $(filter-out src/kernels/%neon.c,$(LIBRARY))
endif
ifeq ($(filter arm%,$(MACHINE)),)
LIBRARY  := $(filter-out src/kernels/vfpv4.c,$(LIBRARY))
endif
# C11 lets f32 be computed in double where <math.h> once said so; this machine need not.
ifneq ($(filter s390x%,$(MACHINE)),)
FLAGS    += -fexcess-precision=fast
endif
PROGRAM  := $(sort $(wildcard src/cli/*.c src/exchange/*.c src/pairs/*.c src/report/*.c)) $(OUTPUTS)
objects   = $(patsubst %.c,$(BUILD)/%.o,$(1))
TESTS    := $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/test_*.c))
# Programs that the checks of tools/ and tests/ drive.
TOOLS    := $(BUILD)/prepare_tool $(BUILD)/decode_digest $(BUILD)/decode_digest_nosimd \
            $(BUILD)/layers_tool $(BUILD)/weights_tool $(BUILD)/draw $(BUILD)/network_digest \
            $(BUILD)/peak_memory $(BUILD)/look_tool $(BUILD)/search_tool

.PHONY: FORCE all help tests check release-check fuzz bench asan tsan coverage install uninstall clean format lint
all: $(BUILD)/minisim $(BUILD)/libminisim.a $(BUILD)/libminisim.so

help:
	@echo 'make             the program and both libraries, into $(BUILD)/'
	@echo 'make tests       builds the tests, runs none'
	@echo 'make check       all tests (needs libcmocka-dev; ./tools/test installs what is missing)'
	@echo 'make release-check   all tests, with every call failing, and for other machines, under qemu'
	@echo 'make asan|tsan   the tests of the C code under the sanitizers'
	@echo 'make coverage    how many lines of what reads and writes files the tests reach (clang, llvm)'
	@echo 'make fuzz        the fuzz targets (clang), into build-fuzz/'
	@echo 'make bench       time, GMAC/s and share of the peak, per layer; speed of search'
	@echo 'make install     PREFIX=$(PREFIX) DESTDIR=; make uninstall, with the same'
	@echo 'make lint        clang-format and cppcheck'
	@echo 'make clean       removes $(BUILD)/, build-asan/, build-tsan/, build-coverage/'
	@echo 'variables: CC, CROSS (aarch64-linux-gnu-), STATIC (1: a static program),'
	@echo '           EMBED_WEIGHTS (1: the default weights inside the program), BUILD, CFLAGS, LDFLAGS'

# A compiler and stb are packages; say so where one is missing, instead of a shell's or a compiler's error.
ifeq ($(filter help clean uninstall format lint,$(MAKECMDGOALS)),)
ifneq ($(shell $(CC) --version >/dev/null 2>&1 && echo yes),yes)
$(error the compiler "$(CC)" cannot be run: sudo apt-get install gcc, or name yours with CC=)
endif
STB := $(shell for h in stb/stb_image.h stb_image.h; do printf '\043include <%s>\n' $$h | \
         $(CC) $(CFLAGS) -E -x c - >/dev/null 2>&1 && echo yes && break; done)
ifneq ($(STB),yes)
$(error stb_image.h is missing: sudo apt-get install libstb-dev)
endif
endif

$(BUILD)/src/kernels/avx2.o: FLAGS += -O2 -mavx2 -mfma -mpclmul
$(BUILD)/src/kernels/avx512.o: FLAGS += -O2 -ftree-vectorize -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mpclmul
$(BUILD)/src/kernels/distance_avx2.o: FLAGS += -O2 -mavx2 -mfma -mf16c
$(BUILD)/src/kernels/distance_avx512.o: FLAGS += -O2 -mavx512f -mavx512dq -mavx512vl -mfma
$(BUILD)/src/kernels/products_avx2.o: FLAGS += -O2 -mavx2
$(BUILD)/src/kernels/products_vnni.o: FLAGS += -O3 -mavx512f -mavx512bw -mavx512vl -mavx512vnni
# -frename-registers: without, sums are copied from register to register.
$(BUILD)/src/kernels/neon.o: FLAGS += -O2 $(call has_flag,-frename-registers)
$(BUILD)/src/kernels/vfpv4.o: FLAGS += -O2 -mfpu=vfpv4-d16
$(BUILD)/src/kernels/distance_neon.o $(BUILD)/src/kernels/products_neon.o \
    $(BUILD)/src/kernels/distance_reference.o: FLAGS += -O3
$(BUILD)/src/kernels/resize_avx2.o: FLAGS += -O3 -mavx2
$(BUILD)/src/kernels/resize_avx512.o: FLAGS += -O3 -mavx512f -mavx512bw -mavx512vl
$(BUILD)/src/kernels/resize_neon.o: FLAGS += -O3
# Vectors, but not -O3: gcc 12 unrolls the sums of rows into code that is slower by half.
$(BUILD)/src/kernels/resize_reference.o: FLAGS += -ftree-vectorize
$(BUILD)/src/kernels/reference.o: FLAGS += -O3
# stb's arithmetic may overflow on hostile files: wrap; what it forgets to set is zero (clang before
# 16 wants a second flag).
ZERO       := -ftrivial-auto-var-init=zero
ZERO_CLANG := -enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang
$(BUILD)/src/picture/jpeg_write.o: FLAGS += -fwrapv
$(BUILD)/src/picture/stb.o $(BUILD)/nosimd/stb.o: FLAGS += -fwrapv \
    $(or $(call has_flag,$(ZERO)),$(call has_flag,$(ZERO) $(ZERO_CLANG)))
# The program waits for the library, not for itself: it may as well be small.
$(call objects,$(PROGRAM)): FLAGS += $(if $(SANITIZE),,-Os)
# But for what compares pixels.
$(call objects,src/pairs/align.c src/pairs/plane.c): FLAGS += -O2 -ftree-vectorize
# So may what runs once a file or once a picture, and over none of its pixels.
ONCE     := $(addprefix src/net/,batch.c classify.c context.c layers.c model.c plan.c watch.c \
                                 weights_header.c weights_network.c) \
            $(addprefix src/picture/,bmp.c jpeg.c png.c pnm.c prepare.c scan.c) src/vectors/distance.c \
            $(addprefix src/base/,arena.c error.c file.c) $(wildcard src/catalogue/*.c)
$(call objects,$(ONCE)): FLAGS += $(if $(SANITIZE),,-Os)
ifneq ($(EMBED_WEIGHTS),)
$(BUILD)/src/cli/embedded.o: FLAGS += -DMINISIM_EMBEDDED_WEIGHTS='"$(WEIGHTS)"'
$(BUILD)/src/cli/embedded.o: $(WEIGHTS)
endif
# Loops over pixels and weights that the compiler vectorises.
$(BUILD)/src/net/run.o: FLAGS += -ftree-vectorize
$(BUILD)/src/net/weights.o: FLAGS += -ftree-vectorize

# What minisim --version --json says: written anew only where it changes, so that a commit compiles
# one file. (The commit is this checkout's, never that of a repository around an unpacked archive.)
git        = $(shell [ -e .git ] && git $(1) 2>/dev/null)
COMMIT     = $(or $(call git,rev-parse -q --verify HEAD)$(if $(call git,status --porcelain),-dirty),unknown)
BUILT_WITH := $(filter-out -I% -W% -D% -M% -ffile-prefix-map=%,$(FLAGS))
as_text    = '$(subst ','\'',$(subst ",\",$(subst \,\\,$(1))))'
$(BUILD)/build.h: FORCE
	@mkdir -p $(@D)
	@printf '#define MINISIM_%s "%s"\n' COMMIT $(COMMIT) TARGET '$(MACHINE)' \
	    FLAGS $(call as_text,$(BUILT_WITH)) \
	    WEIGHTS "$$(sha256sum $(WEIGHTS) | cut -d ' ' -f 1)" >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
FORCE:
$(BUILD)/src/cli/version.o: $(BUILD)/build.h
$(BUILD)/src/cli/version.o: FLAGS += -I$(BUILD)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -c $< -o $@

# What belongs to the library is said here: so this file counts, too.
$(BUILD)/libminisim.a: $(call objects,$(LIBRARY)) Makefile
	@rm -f $@
	$(CROSS)ar qcsD $@ $(filter %.o,$^)

$(BUILD)/libminisim.so: $(BUILD)/libminisim.so.$(VERSION)
	ln -sf $(<F) $(BUILD)/libminisim.so.$(MAJOR)
	ln -sf $(<F) $@

$(BUILD)/libminisim.so.$(VERSION): $(call objects,$(LIBRARY)) src/minisim.map Makefile
	$(CC) $(LINK) -shared -Wl,-soname,libminisim.so.$(MAJOR) \
	    -Wl,--version-script=src/minisim.map -o $@ $(filter %.o,$^) $(LIBS)

$(BUILD)/minisim: $(call objects,$(PROGRAM)) $(BUILD)/libminisim.a
	$(CC) $(LINK) $(if $(STATIC),-static) -o $@ $^ $(LIBS)

# PREFIX counts when installing, not when building: nothing built before knows another one. The
# program looks for its weights beside itself first, so the whole tree may be moved.
ROOT      = $(DESTDIR)$(abspath $(PREFIX))
INSTALLED = bin/minisim lib/libminisim.a lib/libminisim.so lib/libminisim.so.$(MAJOR) \
            lib/libminisim.so.$(VERSION) lib/pkgconfig/minisim.pc include/minisim.h \
            share/minisim/minisim-default.msw share/man/man1/minisim.1

install: all
	@install -d $(addprefix $(ROOT)/,bin lib/pkgconfig include share/minisim share/man/man1)
	@install $(BUILD)/minisim $(ROOT)/bin
	@install $(BUILD)/libminisim.so.$(VERSION) $(ROOT)/lib
	@install -m 644 $(BUILD)/libminisim.a $(ROOT)/lib
	@ln -sf libminisim.so.$(VERSION) $(ROOT)/lib/libminisim.so.$(MAJOR)
	@ln -sf libminisim.so.$(VERSION) $(ROOT)/lib/libminisim.so
	@printf '%s\n' 'prefix=$(abspath $(PREFIX))' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' \
	    'Name: minisim' 'Description: image embeddings and their distances, from MobileNetV2' \
	    'Version: $(VERSION)' 'Libs: -L$${libdir} -lminisim' 'Libs.private: $(LIBS)' \
	    'Cflags: -I$${includedir}' >$(ROOT)/lib/pkgconfig/minisim.pc
	@install -m 644 src/minisim.h $(ROOT)/include
	@install -m 644 $(WEIGHTS) $(ROOT)/share/minisim
	@install -m 644 minisim.1 $(ROOT)/share/man/man1
	@printf 'installed: $(ROOT)/%s\n' $(INSTALLED)
ifeq ($(DESTDIR)$(filter-out /usr /usr/local,$(abspath $(PREFIX))),)
	@echo 'now run ldconfig (as root), so that programs find libminisim.so'
endif

uninstall:
	rm -f $(addprefix $(ROOT)/,$(INSTALLED))
	-rmdir $(ROOT)/share/minisim

# ---- tests: everything below build/ that begins with test_ is a cmocka program that prints TAP ----

$(BUILD)/test_%: $(BUILD)/tests/test_%.o $(BUILD)/tests/support.o $(call objects,$(filter-out src/cli/main.c,$(PROGRAM))) \
                 $(BUILD)/libminisim.a
	$(CC) $(CFLAGS) $(LDFLAGS) $(SANITIZE) -o $@ $^ -lcmocka $(LIBS)

# This one counts what the library asks the system for, and refuses it.
$(BUILD)/test_allocations: LIBS += $(foreach f,malloc calloc realloc aligned_alloc free pthread_create,-Wl,--wrap=$(f))

# This one records and spoils what a catalogue asks of its file.
$(BUILD)/test_catalogue: $(BUILD)/tests/catalogue_support.o
$(BUILD)/test_catalogue: LIBS += $(foreach f,pwrite64 fdatasync fsync ftruncate64 posix_fallocate64 \
                                             link renameat2 rename,-Wl,--wrap=$(f))

$(BUILD)/network_digest: $(BUILD)/tests/support.o
$(BUILD)/bench_search $(BUILD)/search_tool $(BUILD)/look_tool: $(BUILD)/%: $(BUILD)/tests/%.o \
                 $(call objects,$(filter-out src/cli/main.c,$(PROGRAM))) $(BUILD)/libminisim.a
	$(CC) $(CFLAGS) $(LDFLAGS) $(SANITIZE) -o $@ $^ $(LIBS)
$(BUILD)/%: $(BUILD)/tests/%.o $(BUILD)/libminisim.a
	$(CC) $(CFLAGS) $(LDFLAGS) $(SANITIZE) -o $@ $^ $(LIBS)

# Fuzz targets: replayed over their files by `check`, and run by libFuzzer (`make fuzz`, then
# build-fuzz/fuzz_picture tests/fuzz/corpus/hostile tests/pictures).
FUZZ_NAMES := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_PARTS  = $(patsubst %,$(BUILD)/tests/%.o,support catalogue_support) \
              $(call objects,$(filter-out src/cli/main.c,$(PROGRAM))) \
              $(BUILD)/libminisim.a
$(BUILD)/replay_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/replay.o $(FUZZ_PARTS)
	$(CC) $(CFLAGS) $(SANITIZE) -o $@ $^ $(LIBS)
$(BUILD)/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(FUZZ_PARTS)
	$(CC) $(CFLAGS) $(SANITIZE) -fsanitize=fuzzer -o $@ $^ $(LIBS)
fuzz:
	$(MAKE) BUILD=build-fuzz CC=clang CFLAGS='-O1 -g -DMS_LIBFUZZER' \
	    SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' \
	    $(patsubst %,build-fuzz/fuzz_%,$(FUZZ_NAMES))

# The decoder once more, without stb's SIMD, to hold the two against each other.
$(BUILD)/nosimd/stb.o: src/picture/stb.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -DSTBI_NO_SIMD -c $< -o $@
$(BUILD)/decode_digest_nosimd: $(BUILD)/tests/decode_digest.o $(BUILD)/nosimd/stb.o \
                               $(BUILD)/libminisim.a
	$(CC) $(CFLAGS) $(LDFLAGS) $(SANITIZE) -o $@ $^ $(LIBS)

# Makes the program's calls fail, for tools/check_failures.py.
FAILURES := $(if $(filter x86_64%linux-gnu,$(MACHINE)),$(BUILD)/fail.so)
$(BUILD)/fail.so: SANITIZE :=
$(BUILD)/fail.so: tests/fail.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -fvisibility=default -shared -o $@ $<

.PRECIOUS: $(BUILD)/tests/%.o $(BUILD)/tests/fuzz/%.o

tests: all $(TESTS) $(TOOLS) $(FAILURES) $(patsubst %,$(BUILD)/replay_%,$(FUZZ_NAMES))
check: tests
	@BUILD=$(BUILD) CC='$(CC)' SANITIZE='$(SANITIZE)' tests/run

# What CI does for a part of the failures and for one other machine, for all of them.
release-check: check
	tools/check_failures.py $(BUILD) all
	tools/check_targets all

asan:
	$(MAKE) BUILD=build-asan SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all' \
	    CFLAGS='-O1 -g' check
tsan:
	$(MAKE) BUILD=build-tsan SANITIZE=-fsanitize=thread CFLAGS='-O1 -g' check

# How far the tests, with the replay of the fuzz targets' files, reach into what reads hostile input
# and what writes results: lines, a file. `llvm-cov show` with the same arguments names them.
# Two tests fail there: they run the program as a user who may not write the profile, which it says.
COVERED = $(wildcard src/picture/*.c src/net/weights*.c src/catalogue/*.c src/exchange/*.c src/pairs/*.c) \
          $(addprefix src/base/,arena.c folder.c json.c npy.c output.c text.c) \
          $(addprefix src/cli/,names.c options.c sources.c walk.c)
coverage:
	@rm -f build-coverage/*.profraw
	-LLVM_PROFILE_FILE=$(CURDIR)/build-coverage/%m.profraw $(MAKE) BUILD=build-coverage CC=clang \
	    CFLAGS='-O1 -g' SANITIZE='-fprofile-instr-generate -fcoverage-mapping' check
	llvm-profdata merge -o build-coverage/profile build-coverage/*.profraw
	llvm-cov report build-coverage/minisim \
	    $(patsubst %,-object %,$(filter-out %.o %.d,$(wildcard build-coverage/test_* build-coverage/replay_*))) \
	    -instr-profile=build-coverage/profile -compilation-dir=$(CURDIR) $(COVERED)

# Pictures of two usual sizes, drawn by the project, from file to embedding; then a search.
BENCH_WEIGHTS ?= $(WEIGHTS)
BENCH_VECTORS ?= 1000000
bench: $(BUILD)/minisim $(BUILD)/bench_pictures $(BUILD)/bench_search
	@mkdir -p $(BUILD)/pictures && $(BUILD)/bench_pictures $(BUILD)/pictures
	$(BUILD)/minisim bench --weights $(BENCH_WEIGHTS) $(BUILD)/pictures/*.jpg
	$(BUILD)/bench_search $(BUILD)/bench.msc $(BENCH_VECTORS)

SOURCES := $(wildcard src/*.h src/*/*.[ch] tests/*.c tests/fuzz/*.[ch])
format:
	clang-format -i $(SOURCES)
lint:
	clang-format --dry-run -Werror $(SOURCES)
	cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
	    --inline-suppr -Isrc --suppress=missingIncludeSystem src tests

clean:
	rm -rf $(BUILD) build-asan build-tsan build-coverage

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

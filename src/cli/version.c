#include "cli/version.h"

#include "base/json.h"
#include "build.h" /* MINISIM_COMMIT, _TARGET, _FLAGS, _WEIGHTS: written by the Makefile */
#include "kernels/kernels.h"
#include "minisim.h"

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

void ms_print_version(void) {
    printf("minisim %s (numerics version %d)\n", minisim_version(), MINISIM_NUMERICS);
}

void ms_print_build(void) {
    struct ms_json json = {.file = stdout};
    ms_json_open(&json, NULL, '{');
    ms_json_count(&json, "schema", 1);
    ms_json_text(&json, "version", minisim_version());
    ms_json_count(&json, "numerics", MINISIM_NUMERICS);
    ms_json_text(&json, "commit", MINISIM_COMMIT);
    ms_json_text(&json, "compiler", COMPILER);
    ms_json_text(&json, "target", MINISIM_TARGET);
    ms_json_text(&json, "flags", MINISIM_FLAGS);
    ms_json_open(&json, "kernels", '[');
    for (const struct ms_kernels *const *table = ms_kernels_available(); *table; table++)
        ms_json_text(&json, NULL, (*table)->name);
    ms_json_close(&json, ']');
    ms_json_text(&json, "default_weights_sha256", MINISIM_WEIGHTS);
    ms_json_close(&json, '}');
    putchar('\n');
}

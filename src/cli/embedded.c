/*
 * The default weights inside the program: the assembler puts the file in as it is, on every target
 * alike. Only where `make EMBED_WEIGHTS=1` names the file; else there are none.
 */
#include "cli/pictures.h"

#ifdef MINISIM_EMBEDDED_WEIGHTS
__asm__(".section .rodata.ms_embedded,\"a\"\n"
        ".balign 64\n"
        ".globl ms_embedded, ms_embedded_end\n"
        ".hidden ms_embedded, ms_embedded_end\n"
        "ms_embedded: .incbin \"" MINISIM_EMBEDDED_WEIGHTS "\"\n"
        "ms_embedded_end:\n"
        ".previous\n");
extern const char ms_embedded[], ms_embedded_end[];

const void *ms_embedded_weights(size_t *size) {
    *size = (size_t)(ms_embedded_end - ms_embedded);
    return ms_embedded;
}
#else
const void *ms_embedded_weights(size_t *size) {
    *size = 0;
    return NULL;
}
#endif

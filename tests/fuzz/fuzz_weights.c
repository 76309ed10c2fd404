/* The reader of weights, with the checksum mended so that changes get past it. */
#include "../support.h"
#include "fuzz.h"
#include "minisim.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    minisim_model *model;
    minisim_error error;
    uint8_t *file = malloc(size ? size : 1);
    if (!file)
        return 0;
    memcpy(file, data, size);
    if (size >= 128)
        mend_checksum(file, size);
    if ((minisim_model_open_memory(file, size, NULL, &model, &error) == MINISIM_OK) != !!model)
        abort();
    minisim_model_close(model);
    free(file);
    return 0;
}

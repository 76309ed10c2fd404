/* The weights reader against damaged, cut and lying files: each is refused, with its cause. */
#include "base/bytes.h"
#include "net/model.h"
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static uint8_t *file, *changed;
static size_t size;

static int make_file(void **state) {
    (void)state;
    file = make_weights(
        &(struct recipe){
            .width = 0.35, .input_size = 32, .type = 2, .batch_norm = true, .classes = 11},
        &size);
    changed = malloc(size + 64);
    return changed ? 0 : -1;
}

static int free_file(void **state) {
    (void)state;
    free(file);
    free(changed);
    return 0;
}

/* Opens bytes that must be refused, with a text that holds `cause`. */
static void refuse(const uint8_t *bytes, size_t n, const char *cause) {
    minisim_error error = {{0}};
    minisim_model *model = (minisim_model *)&error;
    minisim_status status = minisim_model_open_memory(bytes, n, NULL, &model, &error);
    if (status != MINISIM_BAD_WEIGHTS || model || !strstr(error.text, cause))
        fail_msg("status %d, \"%s\", where \"%s\" was expected", status, error.text, cause);
}

/* The table's entry of that name. */
static uint8_t *entry_of(uint8_t *bytes, const char *name) {
    size_t table = (128 + ms_load_u32(bytes + 24) + 63) / 64 * 64;
    for (uint32_t i = 0; i < ms_load_u32(bytes + 28); i++)
        if (strcmp((char *)bytes + table + 96 * i, name) == 0)
            return bytes + table + 96 * i;
    fail_msg("no tensor %s", name);
    return NULL;
}

static void opens(void **state) {
    (void)state;
    minisim_model *model;
    minisim_error error;
    const char *key, *value;
    char path[] = "/tmp/minisim-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, file, size), size);
    close(fd);
    for (int from_file = 0; from_file < 2; from_file++) {
        minisim_status status = from_file
                                    ? minisim_model_open(path, NULL, &model, &error)
                                    : minisim_model_open_memory(file, size, NULL, &model, &error);
        assert_int_equal(status, MINISIM_OK);
        assert_int_equal(minisim_model_dimension(model), 1280);
        assert_int_equal(minisim_model_classes(model), 11);
        minisim_model_fact(model, 2, &key, &value);
        assert_string_equal(key, "x-unknown");
        assert_string_equal(value, "kept");
        minisim_model_fact(model, 3, &key, &value);
        assert_null(key);
        minisim_model_info info = {.size = sizeof info};
        assert_int_equal(minisim_model_describe(model, &info), MINISIM_OK);
        assert_int_equal(info.blocks, 17);
        assert_string_equal(info.types, "i8");
        minisim_model_close(model);
    }
    unlink(path);
    assert_int_equal(minisim_model_open("/", NULL, &model, &error), MINISIM_BAD_FILE);
    assert_non_null(strstr(error.text, "folder"));
    assert_int_equal(minisim_model_open("/no/such/file", NULL, &model, &error), MINISIM_BAD_FILE);
}

static void multiply_adds_are_the_papers(void **state) {
    (void)state;
    size_t n;
    uint8_t *bytes = make_weights(&(struct recipe){.width = 1, .input_size = 224, .type = 2}, &n);
    minisim_model *model;
    minisim_model_info info = {.size = sizeof info};
    assert_int_equal(minisim_model_open_memory(bytes, n, NULL, &model, NULL), MINISIM_OK);
    assert_int_equal(minisim_model_describe(model, &info), MINISIM_OK);
    /* Sandler et al. 2018, table 4: 300 million. Stem 10.84, depthwise 20.72, pointwise 267.94. */
    assert_int_equal(info.multiply_adds, 299494272);
    minisim_model_close(model);
    free(bytes);
}

static void any_bit_flipped(void **state) {
    (void)state;
    uint64_t seed = 3;
    memcpy(changed, file, size);
    for (size_t i = 0; i < 1024 * 8 + 300; i++) { /* header, facts, first entries; then anywhere */
        size_t bit = i < 1024 * 8 ? i : next_random(&seed) % (8 * size);
        changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        refuse(changed, size, "");
        changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    changed[size - 1] ^= 1;
    refuse(changed, size, "checksum");
}

static void cut_at_any_length(void **state) {
    (void)state;
    for (size_t n = 0; n < size; n += n < 2000 ? 1 : 4999) {
        /* At the very end of its memory, so that the address sanitizer sees a read past it. */
        uint8_t *cut = malloc(n ? n : 1);
        assert_non_null(cut);
        memcpy(cut, file, n);
        refuse(cut, n, "");
        /* Also with a header that agrees with the length. */
        if (n >= 128) {
            ms_store_u32(cut + 16, (uint32_t)n);
            mend_checksum(cut, n);
            refuse(cut, n, "");
        }
        free(cut);
    }
    memcpy(changed, file, size);
    memset(changed + size, 0, 64);
    refuse(changed, size + 64, "header says");
}

struct lie {
    const char *tensor; /* NULL: in the header */
    size_t offset;
    uint32_t value;
    const char *cause;
};

static void lies_with_a_right_checksum(void **state) {
    (void)state;
    static const struct lie lies[] = {
        {NULL, 0, 0x47504a89, "no weights file"},
        {NULL, 8, 2, "version 2"},
        {NULL, 24, 0xffffffff, "impossible"},
        {NULL, 28, 0xffffffff, "impossible"},
        {NULL, 32, 33, "input size"},
        {NULL, 32, 0, "input size"},
        {NULL, 36, 2, "padding"},
        {NULL, 40, 3, "geometry"},
        {NULL, 48, 256, "crop size"},
        {NULL, 60, 0x7ff00000, "epsilon"},
        {NULL, 92, 0, "std"},
        {NULL, 112, 1, "reserved"},
        {"stem.weight", 48, 3, "type"},
        {"stem.weight", 52, 0, "stride"},
        {"stem.weight", 56, 5, "rank"},
        {"stem.weight", 60, 17, "stem.weight"},
        {"stem.weight", 60, 0xffffffff, "stem.weight"},
        {"block.3.expand.weight", 60, 47, "block.3.expand.weight"},
        {"block.3.expand.weight", 0, 0x636f6c63, "block.3.expand.weight"},
        {"block.3.depthwise.weight", 52, 0, "block.3.depthwise.weight"},
        {"block.3.depthwise.bn.var", 80, 4096, "overlaps"},
        {"block.3.depthwise.bn.var", 84, 1, "overlaps"},
        {"block.3.depthwise.bn.var", 88, 8, "bytes"},
        {"head.weight", 92, 1, "bytes"},
        {"classifier.bias", 0, 0x636f6c63, "unknown"},
        {"classifier.weight", 60, 12, "classifier.weight"},
        {"classifier.weight", 52, 1, "classifier.weight"},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        memcpy(changed, file, size);
        uint8_t *at = lies[i].tensor ? entry_of(changed, lies[i].tensor) : changed;
        ms_store_u32(at + lies[i].offset, lies[i].value);
        mend_checksum(changed, size);
        refuse(changed, size, lies[i].cause);
    }
}

/* Values, with a right checksum: what folds to infinity, NaN, or could overflow. */
static void impossible_values(void **state) {
    (void)state;
    static const struct lie values[] = {
        {"stem.bn.gamma", 0, 0x7fc00000, "not finite"},
        {"stem.bn.mean", 8, 0xff800000, "not finite"},
        {"block.2.project.bn.var", 4, 0xbf800000, "not above 0"},
        {"block.2.project.weight", 0, 0x7f800000, "not finite"}, /* a scale */
        {"block.2.project.weight", 0, 0x7f000000, "block.2.project.weight"},
        {"head.bn.beta", 0, 0x7f7fffff, "could overflow"},
        {"classifier.bias", 40, 0xff7fffff, "could overflow"},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        memcpy(changed, file, size);
        size_t at = (size_t)ms_load_u64(entry_of(changed, values[i].tensor) + 80);
        ms_store_u32(changed + at + values[i].offset, values[i].value);
        refuse(changed, size, "checksum");
        mend_checksum(changed, size);
        refuse(changed, size, values[i].cause);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens),
        cmocka_unit_test(multiply_adds_are_the_papers),
        cmocka_unit_test(any_bit_flipped),
        cmocka_unit_test(cut_at_any_length),
        cmocka_unit_test(lies_with_a_right_checksum),
        cmocka_unit_test(impossible_values),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_file, free_file);
}

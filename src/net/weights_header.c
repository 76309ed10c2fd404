/* The first part of a weights file: header, facts, table of tensors. See weights/FORMAT.md. */
#include "base/bytes.h"
#include "base/error.h"
#include "base/utf8.h"
#include "net/weights.h"

#include <math.h>
#include <stdlib.h>

enum { header_bytes = 128, entry_bytes = 96, facts_max = 65536, tensors_max = 4096 };

static uint64_t align64(uint64_t n) {
    return (n + 63) / 64 * 64;
}

static minisim_status bad(struct ms_weights_reader *reader, const char *why) {
    return ms_fail(reader->error, MINISIM_BAD_WEIGHTS, "%s", why);
}

/* The fields that say how pictures become input. */
static minisim_status read_preparation(struct ms_weights_reader *reader, const uint8_t *header,
                                       struct minisim_model *model) {
    minisim_model_info *info = &model->info;
    uint32_t padding = ms_load_u32(header + 36), geometry = ms_load_u32(header + 40),
             resample = ms_load_u32(header + 44);
    info->input_size = ms_load_u32(header + 32);
    info->crop_size = ms_load_u32(header + 48);
    info->pad_colour = ms_load_u32(header + 52);
    info->epsilon = ms_load_f64(header + 56);
    if (info->input_size < 32 || info->input_size > MS_INPUT_MAX || info->input_size % 32)
        return ms_fail(reader->error, MINISIM_BAD_WEIGHTS,
                       "the input size is %u, no multiple of 32 from 32 to 512",
                       (unsigned)info->input_size);
    if (padding > MS_SAME || geometry > 2 || resample > 2)
        return bad(reader, "an unknown padding rule, geometry or resampling");
    if (geometry == 1 ? info->crop_size < info->input_size || info->crop_size > 4096
                      : info->crop_size != 0)
        return bad(reader, "the crop size does not fit the geometry");
    if (geometry == 2 ? info->pad_colour > 0xffffff : info->pad_colour != 0)
        return bad(reader, "the pad colour does not fit the geometry");
    if (!isfinite(info->epsilon) || info->epsilon < 0)
        return bad(reader, "epsilon is negative or not finite");
    for (size_t c = 0; c < 3; c++) {
        info->mean[c] = ms_load_f64(header + 64 + 8 * c);
        info->std[c] = ms_load_f64(header + 88 + 8 * c);
        if (!isfinite(info->mean[c]) || !isfinite(info->std[c]) || info->std[c] <= 0)
            return bad(reader, "mean or std is not finite, or std is not above 0");
        for (size_t v = 0; v < 256; v++) {
            model->table[v][c] = (float)(((double)v / 255 - info->mean[c]) / info->std[c]);
            if (!isfinite(model->table[v][c]))
                return bad(reader, "mean and std give input values that are not finite");
        }
    }
    for (size_t i = 112; i < header_bytes; i++)
        if (header[i] != 0)
            return bad(reader, "reserved bytes of the header are not zero");
    model->padding = padding == MS_SAME ? MS_SAME : MS_SYMMETRIC;
    info->padding = padding == MS_SAME ? "same" : "symmetric";
    info->geometry = (minisim_geometry)(geometry + 1);
    info->resample = (minisim_resample)(resample + 1);
    return MINISIM_OK;
}

static bool key_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

/* The value that a key has among the facts read so far; NULL if none. */
static const char *find_fact(const char *facts, size_t size, const char *key) {
    for (size_t at = 0; at < size;) {
        const char *value = facts + at + strlen(facts + at) + 1;
        if (strcmp(facts + at, key) == 0)
            return value;
        at = (size_t)(value - facts) + strlen(value) + 1;
    }
    return NULL;
}

/* Turns `key: value` lines, in place, into keys and values that each end with a zero. */
static minisim_status split_facts(struct ms_weights_reader *reader, struct minisim_model *model,
                                  size_t size) {
    char *text = model->facts;
    size_t made = 0;
    for (size_t at = 0; at < size;) {
        char *key = text + at, *end = memchr(key, '\n', size - at);
        size_t length = 0;
        if (!end)
            return bad(reader, "the facts do not end with a newline");
        while (key_character(key[length]))
            length++;
        if (length < 1 || length > 64 || end - key < (ptrdiff_t)length + 2 || key[length] != ':' ||
            key[length + 1] != ' ')
            return bad(reader, "a line of the facts is no `key: value`");
        *end = '\0';
        for (const char *c = key; c < end; c += ms_utf8_size(c))
            if (ms_is_control(c) || ms_utf8_size(c) == 0)
                return bad(reader, "a fact holds a control character or is not UTF-8");
        key[length] = '\0';
        size_t value_bytes = (size_t)(end - key) - length - 1; /* with its zero */
        if (find_fact(text, made, key))
            return bad(reader, "a fact stands twice");
        at = (size_t)(end - text) + 1;
        memmove(text + made, key, length + 1);
        memmove(text + made + length + 1, key + length + 2, value_bytes);
        made += length + 1 + value_bytes;
    }
    model->facts_size = made;
    return MINISIM_OK;
}

static minisim_status read_facts(struct ms_weights_reader *reader, struct minisim_model *model,
                                 uint32_t size) {
    model->facts = malloc((size_t)size + 1);
    if (!model->facts)
        return ms_fail(reader->error, MINISIM_OUT_OF_MEMORY, "no memory for the facts");
    minisim_status status = ms_weights_take(reader, model->facts, size);
    if (!status)
        status = split_facts(reader, model, size);
    return status ? status : ms_weights_skip(reader, align64(header_bytes + size));
}

static uint64_t element_bytes(uint32_t type) {
    return type == 0 ? 4 : type == 1 ? 2 : 1;
}

/* One entry of the table; `end` is where the data before it ends, and moves on. */
static minisim_status read_entry(struct ms_weights_reader *reader, struct ms_tensor *tensor,
                                 uint64_t *end) {
    uint8_t entry[entry_bytes];
    minisim_status status = ms_weights_take(reader, entry, sizeof entry);
    if (status)
        return status;
    memcpy(tensor->name, entry, 48);
    size_t length = strlen(tensor->name);
    for (size_t i = length; i < 48; i++)
        if (entry[i] != 0)
            length = 48;
    for (size_t i = 0; i < length; i++)
        if (length == 48 || entry[i] <= ' ' || entry[i] > '~')
            return bad(reader, "the name of a tensor is not ASCII, or does not end");
    tensor->type = ms_load_u32(entry + 48);
    tensor->stride = ms_load_u32(entry + 52);
    tensor->rank = ms_load_u32(entry + 56);
    tensor->offset = ms_load_u64(entry + 80);
    tensor->bytes = ms_load_u64(entry + 88);
    if (tensor->type > 2 || tensor->stride > 2 || tensor->rank < 1 || tensor->rank > 4 ||
        ms_load_u32(entry + 76) != 0)
        return ms_fail(reader->error, MINISIM_BAD_WEIGHTS,
                       "tensor '%s' has an unknown type, stride or rank", tensor->name);
    uint64_t elements = 1;
    for (size_t i = 0; i < 4; i++) {
        tensor->shape[i] = ms_load_u32(entry + 60 + 4 * i);
        if (i < tensor->rank ? tensor->shape[i] < 1 || tensor->shape[i] > MS_CHANNELS_MAX
                             : tensor->shape[i] != 0)
            return ms_fail(reader->error, MINISIM_BAD_WEIGHTS, "tensor '%s' has side %zu of %u",
                           tensor->name, i, (unsigned)tensor->shape[i]);
        if (i < tensor->rank)
            elements *= tensor->shape[i]; /* at most 2^48 */
    }
    uint64_t scales = tensor->type == 2 ? 4 * (uint64_t)tensor->shape[0] : 0;
    if (tensor->bytes != elements * element_bytes(tensor->type) + scales)
        return ms_fail(reader->error, MINISIM_BAD_WEIGHTS,
                       "tensor '%s' has %llu bytes, which its shape and type do not give",
                       tensor->name, (unsigned long long)tensor->bytes);
    if (tensor->offset != align64(*end) || tensor->offset > reader->size ||
        tensor->bytes > reader->size - tensor->offset)
        return ms_fail(reader->error, MINISIM_BAD_WEIGHTS,
                       "tensor '%s' starts at %llu and has %llu bytes: it overlaps the one before, "
                       "leaves a gap, or ends behind the file",
                       tensor->name, (unsigned long long)tensor->offset,
                       (unsigned long long)tensor->bytes);
    *end = tensor->offset + tensor->bytes;
    return MINISIM_OK;
}

minisim_status ms_weights_header(struct ms_weights_reader *reader, struct minisim_model *model,
                                 struct ms_tensor **tensors, size_t *count) {
    static const uint8_t magic[8] = {0x89, 'M', 'S', 'W', 0x0d, 0x0a, 0x1a, 0x0a};
    uint8_t header[header_bytes];
    if (reader->size < sizeof header)
        return bad(reader, "this is no weights file: it is shorter than a header");
    minisim_status status = ms_weights_take(reader, header, sizeof header);
    if (status)
        return status;
    if (memcmp(header, magic, sizeof magic) != 0)
        return bad(reader, "this is no weights file (.msw): it starts with other bytes");
    if (ms_load_u32(header + 8) != 1)
        return ms_fail(reader->error, MINISIM_BAD_WEIGHTS,
                       "the weights file is of version %u; this program reads version 1",
                       (unsigned)ms_load_u32(header + 8));
    reader->expected_checksum = ms_load_u32(header + 12);
    memset(header + 12, 0, 4);
    reader->checksum = reader->kernels->crc32c(0, header, sizeof header);
    uint64_t size = ms_load_u64(header + 16);
    uint32_t facts = ms_load_u32(header + 24), entries = ms_load_u32(header + 28);
    if (size != reader->size)
        return ms_fail(reader->error, MINISIM_BAD_WEIGHTS,
                       "the file has %llu bytes, but its header says %llu: it is cut or damaged",
                       (unsigned long long)reader->size, (unsigned long long)size);
    if (facts > facts_max || entries < 5 || entries > tensors_max)
        return bad(reader, "the header's sizes of facts or table are impossible");
    if ((status = read_preparation(reader, header, model)) ||
        (status = read_facts(reader, model, facts)))
        return status;
    *tensors = calloc(entries, sizeof **tensors);
    if (!*tensors)
        return ms_fail(reader->error, MINISIM_OUT_OF_MEMORY, "no memory for the tensor table");
    *count = entries;
    uint64_t table_end = reader->position + (uint64_t)entries * entry_bytes, end = table_end;
    for (size_t i = 0; i < entries && !status; i++)
        status = read_entry(reader, &(*tensors)[i], &end);
    if (!status && end != reader->size)
        return bad(reader, "the file goes on behind its last tensor");
    return status;
}

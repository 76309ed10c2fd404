/* PNM (PBM, PGM, PPM; plain and raw): scanned and decoded here, because it takes less than trusting
 * stb with it. */
#include "picture/formats.h"

#include "base/error.h"

struct pnm {
    const struct ms_bytes *file;
    size_t at;
    char kind; /* '1' to '6' */
    uint32_t maximum;
};

static minisim_status truncated(const struct pnm *pnm) {
    return ms_fail(pnm->file->error, MINISIM_BAD_PICTURE,
                   "the PNM is truncated: its %zu bytes end before the picture does",
                   pnm->file->size);
}

static bool is_space(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* White space, and comments from # to the end of the line. */
static void skip_space(struct pnm *pnm) {
    const struct ms_bytes *file = pnm->file;
    bool comment = false;
    for (; pnm->at < file->size; pnm->at++) {
        uint8_t c = file->at[pnm->at];
        comment = comment ? c != '\n' && c != '\r' : c == '#';
        if (!comment && !is_space(c))
            return;
    }
}

/* A decimal number of at most `most`; for bits ("1 digit") the next digit alone. */
static minisim_status read_number(struct pnm *pnm, uint32_t most, bool one_digit,
                                  uint32_t *number) {
    const struct ms_bytes *file = pnm->file;
    skip_space(pnm);
    size_t start = pnm->at;
    *number = 0;
    while (pnm->at < file->size && file->at[pnm->at] >= '0' && file->at[pnm->at] <= '9' &&
           !(one_digit && pnm->at > start)) {
        *number = *number * 10 + file->at[pnm->at++] - '0';
        if (*number > most)
            return ms_fail(file->error, MINISIM_BAD_PICTURE,
                           "the PNM is broken: a number is above %u", (unsigned)most);
    }
    if (pnm->at == file->size && pnm->at == start)
        return truncated(pnm);
    return pnm->at > start ? MINISIM_OK
                           : ms_fail(file->error, MINISIM_BAD_PICTURE,
                                     "the PNM is broken: at byte %zu stands no number", start);
}

static minisim_status read_header(struct pnm *pnm, struct ms_scan *scan) {
    pnm->kind = (char)pnm->file->at[1];
    pnm->at = 2;
    pnm->maximum = 1;
    minisim_status status = read_number(pnm, 1 << 24, false, &scan->width);
    if (!status)
        status = read_number(pnm, 1 << 24, false, &scan->height);
    if (!status && pnm->kind != '1' && pnm->kind != '4')
        status = read_number(pnm, 65535, false, &pnm->maximum);
    if (!status && pnm->maximum == 0)
        return ms_fail(pnm->file->error, MINISIM_BAD_PICTURE,
                       "the PNM is broken: its largest value is 0");
    pnm->at++; /* the one white space behind the header */
    return status ? status : ms_check_size(pnm->file, scan->width, scan->height);
}

static uint32_t samples_of(const struct pnm *pnm) {
    return pnm->kind == '3' || pnm->kind == '6' ? 3 : 1;
}

/* Bytes that a row takes in the file: exactly (raw), or at least (plain). */
static uint64_t row_bytes(const struct pnm *pnm, uint64_t width) {
    if (pnm->kind == '4')
        return (width + 7) / 8;
    if (pnm->kind == '1')
        return width;
    if (pnm->kind < '4')
        return 2 * width * samples_of(pnm) - 1; /* a digit and a space each */
    return width * samples_of(pnm) * (pnm->maximum > 255 ? 2 : 1);
}

minisim_status ms_scan_pnm(const struct ms_bytes *file, struct ms_scan *scan) {
    struct pnm pnm = {.file = file};
    scan->format = MS_PNM;
    minisim_status status = read_header(&pnm, scan);
    if (status)
        return status;
    if (pnm.at > file->size || row_bytes(&pnm, scan->width) > (file->size - pnm.at) / scan->height)
        return truncated(&pnm);
    scan->pixels = samples_of(&pnm) == 3 ? MINISIM_RGB : MINISIM_GREY;
    scan->kept = ms_arena_cost((uint64_t)scan->width * scan->height * samples_of(&pnm));
    scan->memory = scan->kept;
    return MINISIM_OK;
}

/* One sample, scaled to 0..255; in PBM 1 is black. */
static minisim_status read_sample(struct pnm *pnm, uint8_t *to) {
    const uint8_t *at = pnm->file->at + pnm->at;
    uint32_t value;
    if (pnm->kind < '4') {
        minisim_status status = read_number(pnm, 65535, pnm->kind == '1', &value);
        if (status)
            return status;
    } else if (pnm->maximum > 255) {
        value = ms_big16(at);
        pnm->at += 2;
    } else {
        value = *at;
        pnm->at++;
    }
    if (value > pnm->maximum)
        return ms_fail(pnm->file->error, MINISIM_BAD_PICTURE,
                       "the PNM is broken: a value of %u is above its largest, %u", (unsigned)value,
                       (unsigned)pnm->maximum);
    *to = (uint8_t)((value * 255 + pnm->maximum / 2) / pnm->maximum);
    if (pnm->kind == '1')
        *to = (uint8_t)(255 - *to);
    return MINISIM_OK;
}

static void read_bits(struct pnm *pnm, uint32_t width, uint8_t *to) {
    const uint8_t *at = pnm->file->at + pnm->at;
    for (uint32_t x = 0; x < width; x++)
        to[x] = at[x / 8] >> (7 - x % 8) & 1 ? 0 : 255;
    pnm->at += (width + 7) / 8;
}

minisim_status ms_decode_pnm(const struct ms_bytes *file, const struct ms_scan *scan,
                             struct ms_arena *arena, minisim_pixels *pixels) {
    struct pnm pnm = {.file = file};
    struct ms_scan again;
    minisim_status status = read_header(&pnm, &again);
    if (status)
        return status;
    size_t row = (size_t)scan->width * samples_of(&pnm);
    uint8_t *to = ms_arena_allocate(arena, row * scan->height);
    if (!to)
        return ms_arena_failed(arena, file->error);
    pixels->pixels = to;
    for (uint32_t y = 0; y < scan->height && !status; y++, to += row) {
        if (pnm.kind == '4')
            read_bits(&pnm, scan->width, to);
        else
            for (size_t x = 0; x < row && !status; x++)
                status = read_sample(&pnm, to + x);
    }
    return status;
}

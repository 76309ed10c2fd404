/*
 * What loading weights spends its time in, written once; each table's file compiles it for its
 * instruction set. fold_row is plain C that compilers vectorise: every value is rounded by itself,
 * and the sum of magnitudes, which only bounds what the network may reach, has eight parts in all
 * tables alike.
 */
#ifndef MS_KERNELS_LOAD_H
#define MS_KERNELS_LOAD_H

#include "base/crc.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

static double fold_row(float *row, size_t n, double gamma, double deviation) {
    enum { parts = 8 };
    double sum[parts] = {0};
    if (gamma != 1 || deviation != 1)
        for (size_t k = 0; k < n; k++)
            row[k] = (float)(((double)row[k] * gamma) / deviation);
    size_t whole = n / parts * parts;
    for (size_t k = 0; k < whole; k += parts)
        for (size_t i = 0; i < parts; i++)
            sum[i] += fabs((double)row[k + i]);
    for (size_t k = whole; k < n; k++)
        sum[k - whole] += fabs((double)row[k]);
    for (size_t half = parts / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            sum[i] += sum[i + half];
    return sum[0];
}

static void pack_panel(const float *rows, size_t inputs, float *to) {
    for (size_t k = 0; k < inputs; k++)
        for (size_t i = 0; i < lanes; i++)
            to[k * lanes + i] = rows[i * inputs + k];
}

/* Eight bytes an instruction, where there is one for this polynomial. */
static uint32_t crc32c(uint32_t crc, const void *bytes, size_t size) {
#if defined(__SSE4_2__)
    const uint8_t *at = bytes;
    uint64_t sum = (uint32_t)~crc;
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        sum = _mm_crc32_u64(sum, word);
    }
    crc = (uint32_t)sum;
    for (; size > 0; size--)
        crc = _mm_crc32_u8(crc, *at++);
    return ~crc;
#else
    return ms_crc32c(crc, bytes, size);
#endif
}

#endif

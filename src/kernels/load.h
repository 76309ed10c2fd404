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

#if defined(__SSE__)
#include <immintrin.h>
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

/* Sixteen values at a time, where four registers can be turned by eight instructions: a value by
 * itself takes a load and a store. */
static void pack_panel(const float *rows, size_t inputs, float *to) {
    size_t first = 0;
#if defined(__SSE__)
    for (; first + 4 <= inputs; first += 4)
        for (size_t i = 0; i < lanes; i += 4) {
            __m128 a = _mm_loadu_ps(rows + i * inputs + first),
                   b = _mm_loadu_ps(rows + (i + 1) * inputs + first),
                   c = _mm_loadu_ps(rows + (i + 2) * inputs + first),
                   d = _mm_loadu_ps(rows + (i + 3) * inputs + first);
            _MM_TRANSPOSE4_PS(a, b, c, d);
            _mm_storeu_ps(to + first * lanes + i, a);
            _mm_storeu_ps(to + (first + 1) * lanes + i, b);
            _mm_storeu_ps(to + (first + 2) * lanes + i, c);
            _mm_storeu_ps(to + (first + 3) * lanes + i, d);
        }
#endif
    for (size_t k = first; k < inputs; k++)
        for (size_t i = 0; i < lanes; i++)
            to[k * lanes + i] = rows[i * inputs + k];
}

#if defined(__PCLMUL__)
/*
 * The sum of three parts that follow each other, from the sum of each: one that `n` more bytes
 * follow is multiplied by x^8n modulo the polynomial. A product of two bit-reversed numbers, taken
 * as eight bytes of input to the instruction, is multiplied by x^33; so the factors are x^(8n-33),
 * for n of twice and once `part`.
 */
enum { crc_part = 1024 };
static uint32_t join_parts(uint64_t first, uint64_t second, uint64_t third) {
    const __m128i factors = _mm_set_epi64x(0x170076fa, 0xa51b6135);
    __m128i products = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)first), factors, 0x00);
    products = _mm_xor_si128(
        products, _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)second), factors, 0x10));
    return (uint32_t)(_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(products)) ^ third);
}

static uint64_t crc_step(uint64_t sum, const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return _mm_crc32_u64(sum, word);
}
#endif

/* Eight bytes an instruction, where there is one for this polynomial. It takes three cycles, and
 * another can begin in each: so three parts are summed side by side. */
static uint32_t crc32c(uint32_t crc, const void *bytes, size_t size) {
#if defined(__PCLMUL__)
    const uint8_t *at = bytes;
    uint64_t sum = (uint32_t)~crc;
    for (; size >= 3 * crc_part; size -= 3 * crc_part, at += 2 * crc_part) {
        uint64_t second = 0, third = 0;
        for (const uint8_t *end = at + crc_part; at < end; at += 8) {
            sum = crc_step(sum, at);
            second = crc_step(second, at + crc_part);
            third = crc_step(third, at + 2 * crc_part);
        }
        sum = join_parts(sum, second, third);
    }
    for (; size >= 8; size -= 8, at += 8)
        sum = crc_step(sum, at);
    crc = (uint32_t)sum;
    for (; size > 0; size--)
        crc = _mm_crc32_u8(crc, *at++);
    return ~crc;
#else
    return ms_crc32c(crc, bytes, size);
#endif
}

#endif

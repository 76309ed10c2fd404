/*
 * Resizing for AVX-512 (F, BW, VL). A product of a byte and a weight takes 32 bits (vpmulld);
 * sixteen at a time. Times are for 3000 rows of 4000 pixels to 224 outputs, Zen 5 at 3.5 GHz.
 *
 * Across. The pixels are R G B R G B, so a weight is wanted in three lanes: five weights fill 15 of
 * the 16 lanes, and every vector has its colours in the same place. For five pixels: load and
 * permute weights, load and widen pixels, multiply, add. The two in the middle are shuffles, of
 * which cores do one (Intel) or two (Zen 5) a cycle: 2 or 1 cycles, 2.3 ms in all with the ends of
 * the outputs. Loads are masked, so that nothing beyond the row or the weights is read; masking an
 * output's last group alone is 0.4 ms faster, for twice the code. The memory does not keep up with
 * this, masked loads least of all: each output asks for what comes 2 KiB later (1 or 4 KiB do the
 * same), and 9.1 ms become 4.1.
 *
 * Down. Per row and 128 bytes: one weight in all lanes, eight times widen, multiply, add into eight
 * sums in registers; one load and three operations for sixteen bytes. The end is masked.
 */
#include "kernels/resize.h"

#include <immintrin.h>
#include <string.h>

enum { group = 5, lanes = 16, vectors = 8, ahead = 2048 };

static __m512i half(void) {
    return _mm512_set1_epi32(1 << (ms_resize_bits - 1));
}

/* The first `n` of sixteen bytes. */
static __m128i load(const uint8_t *bytes, size_t n) {
    return n == lanes ? _mm_loadu_si128((const __m128i *)(const void *)bytes)
                      : _mm_maskz_loadu_epi8((__mmask16)((1u << n) - 1), bytes);
}

/* Sixteen sums that began at `half` to bytes. */
static __m128i clamp(__m512i sums) {
    sums = _mm512_max_epi32(_mm512_srai_epi32(sums, ms_resize_bits), _mm512_setzero_si512());
    return _mm512_cvtusepi32_epi8(sums);
}

/* The sums of five pixels, R G B R G B ..., added up: R G B in the lowest lanes. */
static __m512i add_pixels(__m512i sum) {
    __m512i two = _mm512_add_epi32(sum, _mm512_alignr_epi32(sum, sum, 6));
    __m512i four = _mm512_add_epi32(two, _mm512_alignr_epi32(two, two, 3));
    return _mm512_add_epi32(four, _mm512_alignr_epi32(sum, sum, 12));
}

/* One output: R G B in the lowest lanes. */
static __m512i sum_pixels(const uint8_t *pixel, const int32_t *weights, size_t taps) {
    const __m512i spread = _mm512_setr_epi32(0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 7);
    __m512i sum = _mm512_setzero_si512();
    for (size_t i = 0; i < taps; i += group, pixel += 3 * group) {
        __m512i five = _mm512_castsi256_si512(_mm256_maskz_loadu_epi32(0x1f, weights + i));
        __m512i bytes = _mm512_cvtepu8_epi32(load(pixel, 3 * group));
        __m512i weight = _mm512_permutexvar_epi32(spread, five);
        sum = _mm512_add_epi32(sum, _mm512_mullo_epi32(bytes, weight));
    }
    return _mm512_add_epi32(add_pixels(sum), half());
}

static void across(const struct ms_across *call) {
    const size_t outputs = call->outputs, taps = call->taps;
    for (size_t x = 0; x < outputs; x++) {
        const uint8_t *pixel = call->in + (size_t)call->first[x] * 3;
        _mm_prefetch((const char *)((uintptr_t)pixel + ahead), _MM_HINT_T0);
        __m512i sum = sum_pixels(pixel, call->weights + x * taps, taps);
        int32_t bytes = _mm_cvtsi128_si32(clamp(sum));
        /* The fourth byte has no meaning; the next output overwrites it. */
        memcpy(call->out + 3 * x, &bytes, x + 1 < outputs ? 4 : 3);
    }
}

/* `count` vectors of `n` bytes from byte `at` on; inlined with a constant count, so that sums are
 * registers. */
static inline __attribute__((always_inline)) void
down_columns(const struct ms_down *call, size_t at, const size_t count, size_t n) {
    __m512i sum[vectors];
#pragma GCC unroll 8
    for (size_t v = 0; v < count; v++)
        sum[v] = half();
    for (size_t k = 0; k < call->taps; k++) {
        const uint8_t *row = call->rows[k] + at;
        __m512i weight = _mm512_set1_epi32(call->weights[k]);
#pragma GCC unroll 8
        for (size_t v = 0; v < count; v++) {
            __m512i bytes = _mm512_cvtepu8_epi32(load(row + v * lanes, n));
            sum[v] = _mm512_add_epi32(sum[v], _mm512_mullo_epi32(bytes, weight));
        }
    }
#pragma GCC unroll 8
    for (size_t v = 0; v < count; v++)
        _mm_mask_storeu_epi8(call->out + at + v * lanes, (__mmask16)((1u << n) - 1), clamp(sum[v]));
}

static void down(const struct ms_down *call) {
    size_t at = 0;
    for (; call->bytes - at >= vectors * lanes; at += vectors * lanes)
        down_columns(call, at, vectors, lanes);
    for (; call->bytes - at >= lanes; at += lanes)
        down_columns(call, at, 1, lanes);
    if (at < call->bytes)
        down_columns(call, at, 1, call->bytes - at);
}

const struct ms_resizer ms_resizer_avx512 = {.group = group, .across = across, .down = down};

/*
 * Resizing for AVX2. A product of a byte and a weight takes 32 bits (vpmulld); eight at a time.
 * Times are for 3000 rows of 4000 pixels to 224 outputs, Zen 5 at 3.5 GHz.
 *
 * Across. The pixels are R G B R G B, so a weight is wanted in three lanes: five weights for 15
 * bytes, in two vectors. The second begins at the last byte of the first, so that 15 bytes are read
 * and not 16; that lane gets a weight of zero. For five pixels: load weights (masked), permute them
 * twice, and twice widen (a load with vpmovzxbd), multiply, add. Four of these are shuffles, of
 * which cores do one (Haswell to Skylake) or two a cycle: 4 or 2 cycles. 24 bytes and eight weights
 * in three vectors have no idle lane and nine shuffles for eight pixels, but round the taps up to
 * eight: 4.8 ms against 5.5 with 40 taps, 2.1 against 1.8 with 5, and their sums are harder to
 * bring together. The memory does not keep up with this, so each output asks for what comes 2 KiB
 * later: 9.5 ms become 5.5.
 *
 * Down. Per row and 64 bytes: one weight in all lanes, eight times widen, multiply, add into eight
 * sums in registers; one load and three operations for eight bytes. Bytes that are left over at the
 * end are computed together with some of those before them, once more.
 */
#include "kernels/resize.h"

#include <immintrin.h>
#include <string.h>

enum { group = 5, lanes = 8, vectors = 8, ahead = 2048 };

static __m256i half(void) {
    return _mm256_set1_epi32(1 << (ms_resize_bits - 1));
}

/* Eight bytes, each in a lane of its own. */
static __m256i widen(const uint8_t *bytes) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)bytes));
}

/* Eight sums that began at `half` to eight bytes, in the lower half. */
static __m128i clamp(__m256i sums) {
    sums = _mm256_srai_epi32(sums, ms_resize_bits);
    __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    return _mm_packus_epi16(words, words);
}

/* The sums of five pixels, R G B R G B R G and . B R G B R G B, added up: R G B in the lowest
 * lanes.
 */
static __m256i add_pixels(__m256i low, __m256i high) {
    const __m256i first_two = _mm256_setr_epi32(0, 1, 2, 0, 3, 4, 5, 0);
    const __m256i next_two = _mm256_setr_epi32(6, 7, 1, 0, 2, 3, 4, 0);
    const __m256i last = _mm256_setr_epi32(5, 6, 7, 0, 0, 0, 0, 0);
    __m256i middle = _mm256_blend_epi32(high, low, 0xc0);
    __m256i sum = _mm256_add_epi32(_mm256_permutevar8x32_epi32(low, first_two),
                                   _mm256_permutevar8x32_epi32(middle, next_two));
    sum = _mm256_add_epi32(sum, _mm256_permute2x128_si256(sum, sum, 1));
    return _mm256_add_epi32(sum, _mm256_permutevar8x32_epi32(high, last));
}

/* One output: R G B in the lowest lanes. */
static __m256i sum_pixels(const uint8_t *pixel, const int32_t *weights, size_t taps) {
    const __m256i five = _mm256_setr_epi32(-1, -1, -1, -1, -1, 0, 0, 0);
    const __m256i spread_low = _mm256_setr_epi32(0, 0, 0, 1, 1, 1, 2, 2);
    const __m256i spread_high = _mm256_setr_epi32(7, 2, 3, 3, 3, 4, 4, 4);
    __m256i low = _mm256_setzero_si256(), high = low;
    for (size_t i = 0; i < taps; i += group, pixel += 3 * group) {
        __m256i weight = _mm256_maskload_epi32(weights + i, five);
        __m256i low_weight = _mm256_permutevar8x32_epi32(weight, spread_low);
        __m256i high_weight = _mm256_permutevar8x32_epi32(weight, spread_high);
        low = _mm256_add_epi32(low, _mm256_mullo_epi32(widen(pixel), low_weight));
        high = _mm256_add_epi32(high, _mm256_mullo_epi32(widen(pixel + 7), high_weight));
    }
    return _mm256_add_epi32(add_pixels(low, high), half());
}

static void across(const struct ms_across *call) {
    const size_t outputs = call->outputs, taps = call->taps;
    for (size_t x = 0; x < outputs; x++) {
        const uint8_t *pixel = call->in + (size_t)call->first[x] * 3;
        _mm_prefetch((const char *)((uintptr_t)pixel + ahead), _MM_HINT_T0);
        __m256i sum = sum_pixels(pixel, call->weights + x * taps, taps);
        int32_t bytes = _mm_cvtsi128_si32(clamp(sum));
        /* The fourth byte has no meaning; the next output overwrites it. */
        memcpy(call->out + 3 * x, &bytes, x + 1 < outputs ? 4 : 3);
    }
}

/* `count` vectors from byte `at` on; inlined with a constant count, so that sums are registers. */
static inline __attribute__((always_inline)) void down_columns(const struct ms_down *call,
                                                               size_t at, const size_t count) {
    __m256i sum[vectors];
#pragma GCC unroll 8
    for (size_t v = 0; v < count; v++)
        sum[v] = half();
    for (size_t k = 0; k < call->taps; k++) {
        const uint8_t *row = call->rows[k] + at;
        __m256i weight = _mm256_set1_epi32(call->weights[k]);
#pragma GCC unroll 8
        for (size_t v = 0; v < count; v++)
            sum[v] = _mm256_add_epi32(sum[v], _mm256_mullo_epi32(widen(row + v * lanes), weight));
    }
#pragma GCC unroll 8
    for (size_t v = 0; v < count; v++)
        _mm_storel_epi64((__m128i *)(void *)(call->out + at + v * lanes), clamp(sum[v]));
}

static void down(const struct ms_down *call) {
    size_t at = 0;
    if (call->bytes < lanes) {
        ms_resizer_reference.down(call);
        return;
    }
    for (; call->bytes - at >= vectors * lanes; at += vectors * lanes)
        down_columns(call, at, vectors);
    for (; call->bytes - at >= lanes; at += lanes)
        down_columns(call, at, 1);
    if (at < call->bytes)
        down_columns(call, call->bytes - lanes, 1);
}

const struct ms_resizer ms_resizer_avx2 = {.group = group, .across = across, .down = down};

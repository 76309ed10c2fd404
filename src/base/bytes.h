/* Little-endian numbers in files, read and written on any machine. */
#ifndef MS_BASE_BYTES_H
#define MS_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t ms_load_u32(const uint8_t *from) {
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
           (uint32_t)from[3] << 24;
}

static inline uint64_t ms_load_u64(const uint8_t *from) {
    return (uint64_t)ms_load_u32(from) | (uint64_t)ms_load_u32(from + 4) << 32;
}

static inline float ms_load_f32(const uint8_t *from) {
    uint32_t bits = ms_load_u32(from);
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline double ms_load_f64(const uint8_t *from) {
    uint64_t bits = ms_load_u64(from);
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline void ms_store_u32(uint8_t *to, uint32_t x) {
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(x >> 8 * i);
}

static inline void ms_store_f32(uint8_t *to, float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    ms_store_u32(to, bits);
}

static inline void ms_store_u64(uint8_t *to, uint64_t x) {
    ms_store_u32(to, (uint32_t)x);
    ms_store_u32(to + 4, (uint32_t)(x >> 32));
}

/* Two digits for each of n bytes, and a zero. */
static inline void ms_hex(const uint8_t *from, size_t n, char *to) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        to[2 * i] = digits[from[i] >> 4];
        to[2 * i + 1] = digits[from[i] & 15];
    }
    to[2 * n] = '\0';
}

/* The bits of an IEEE 754 binary16 to f32; every value is exact. */
static inline float ms_f16(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31,
             mantissa = half & 0x3ff;
    uint32_t bits;
    if (exponent == 31)
        bits = sign | 0x7f800000 | mantissa << 13;
    else if (exponent > 0)
        bits = sign | (exponent + 112) << 23 | mantissa << 13;
    else { /* zero and subnormals: mantissa * 2^-24 */
        float x = (float)mantissa * 0x1p-24f;
        memcpy(&bits, &x, sizeof bits);
        bits |= sign;
    }
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline float ms_load_f16(const uint8_t *from) {
    return ms_f16((uint16_t)(from[0] | from[1] << 8));
}

/* Values of `size` bytes each, from a file's order to this machine's or back: on most the same. */
static inline void ms_swap_values(uint8_t *values, size_t count, size_t size) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (; count > 0; count--, values += size)
        for (size_t i = 0; i < size / 2; i++) {
            uint8_t first = values[i];
            values[i] = values[size - 1 - i];
            values[size - 1 - i] = first;
        }
#else
    (void)values, (void)count, (void)size;
#endif
}

#endif

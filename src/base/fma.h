/*
 * a * b + c with one rounding, in f32: the one operation that the numbers are made of.
 *
 * Where the target has the instruction, the compiler is told to use it. Elsewhere it is emulated
 * exactly, because glibc's fallback is slow: the product of two f32 is exact in double, the sum is
 * rounded to odd there (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved
 * algorithms using rounding to odd", IEEE Trans. Computers 57(4), 2008), and 53 bits are more than
 * the 2 * 24 + 2 that make the second rounding, to f32, harmless. Rounding must be to nearest
 * (base/float_env.h).
 */
#ifndef MS_BASE_FMA_H
#define MS_BASE_FMA_H

#include <float.h>
#include <stdint.h>
#include <string.h>

_Static_assert(FLT_EVAL_METHOD == 0, "f32 arithmetic must be rounded to f32 at each step");

static inline float ms_fma_emulated(float a, float b, float c) {
    double product = (double)a * (double)b;
    double addend = (double)c;
    double sum = product + addend;
    double part = sum - product;
    double error = (product - (sum - part)) + (addend - part); /* Knuth's TwoSum: exact */
    int64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    /* Not exact, and even: the odd neighbour on the side of the error is the sum rounded to odd. */
    if (error != 0 && !(bits & 1))
        bits += (error > 0) == (sum > 0) ? 1 : -1;
    memcpy(&sum, &bits, sizeof bits);
    return (float)sum;
}

static inline float ms_fma(float a, float b, float c) {
#if defined(__FMA__) || defined(__FP_FAST_FMAF)
    return __builtin_fmaf(a, b, c);
#else
    return ms_fma_emulated(a, b, c);
#endif
}

#endif

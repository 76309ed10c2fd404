/*
 * Both CRCs, eight bytes a step ("slicing by 8"): table[k][b] is what byte b contributes when k
 * more bytes follow it in the step. A polynomial's tables are made when it is first used, once for
 * all threads. Bytes are put together by shifts, so the byte order of the machine does not matter.
 */
#include "base/crc.h"

#include <pthread.h>

/* Bit-reversed polynomials: the lowest bit stands for the highest power. */
#define POLYNOMIAL_IEEE 0xEDB88320u
#define POLYNOMIAL_CASTAGNOLI 0x82F63B78u

typedef uint32_t crc_tables[8][256];

static crc_tables ieee, castagnoli;
static pthread_once_t ieee_once = PTHREAD_ONCE_INIT, castagnoli_once = PTHREAD_ONCE_INIT;

static void fill(crc_tables tables, uint32_t polynomial) {
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1) ? polynomial : 0);
        tables[0][b] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (int b = 0; b < 256; b++)
            tables[k][b] = (tables[k - 1][b] >> 8) ^ tables[0][tables[k - 1][b] & 255];
}

static void fill_ieee(void) {
    fill(ieee, POLYNOMIAL_IEEE);
}

static void fill_castagnoli(void) {
    fill(castagnoli, POLYNOMIAL_CASTAGNOLI);
}

static uint32_t continue_crc(crc_tables t, uint32_t crc, const uint8_t *p, size_t size) {
    crc = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        uint32_t a = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                            (uint32_t)p[3] << 24);
        crc = t[7][a & 255] ^ t[6][a >> 8 & 255] ^ t[5][a >> 16 & 255] ^ t[4][a >> 24] ^
              t[3][p[4]] ^ t[2][p[5]] ^ t[1][p[6]] ^ t[0][p[7]];
    }
    for (; size > 0; size--, p++)
        crc = (crc >> 8) ^ t[0][(crc ^ *p) & 255];
    return ~crc;
}

uint32_t ms_crc32(uint32_t crc, const void *bytes, size_t size) {
    (void)pthread_once(&ieee_once, fill_ieee);
    return continue_crc(ieee, crc, bytes, size);
}

uint32_t ms_crc32c(uint32_t crc, const void *bytes, size_t size) {
    (void)pthread_once(&castagnoli_once, fill_castagnoli);
    return continue_crc(castagnoli, crc, bytes, size);
}

/*
 * Two sums modulo 65521: a of the bytes (from 1), b of every a. A step of 16 bytes adds to b 16
 * times the old a, and each byte as often as it is counted. 5552 bytes are the most after which b
 * still fits in 32 bits (RFC 1950).
 */
uint32_t ms_adler32(const void *bytes, size_t size) {
    const uint8_t *p = bytes;
    uint32_t a = 1, b = 0;
    while (size > 0) {
        size_t part = size < 5552 ? size : 5552;
        size -= part;
        for (; part >= 16; part -= 16, p += 16) {
            uint32_t sum = 0, weighted = 0;
            for (uint32_t i = 0; i < 16; i++) {
                sum += p[i];
                weighted += (16 - i) * p[i];
            }
            b += 16 * a + weighted;
            a += sum;
        }
        for (; part > 0; part--, p++)
            b += a += *p;
        a %= 65521;
        b %= 65521;
    }
    return b << 16 | a;
}

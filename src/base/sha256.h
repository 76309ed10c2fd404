/* SHA-256 (FIPS 180-4), a stream at a time. */
#ifndef MS_BASE_SHA256_H
#define MS_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct ms_sha256 {
    uint32_t state[8];
    uint64_t bytes; /* taken so far */
    uint8_t block[64];
};

void ms_sha256_start(struct ms_sha256 *hash);
void ms_sha256_add(struct ms_sha256 *hash, const void *bytes, size_t size);

/* Adds floats as little-endian bytes on any machine. */
void ms_sha256_add_floats(struct ms_sha256 *hash, const float *values, size_t count);

/* Ends the stream; `digest` takes its bytes, `hex` 64 digits and a zero. */
void ms_sha256_digest(struct ms_sha256 *hash, uint8_t digest[32]);
void ms_sha256_finish(struct ms_sha256 *hash, char hex[65]);

/* Of bytes that are all there. */
void ms_sha256_of(const void *bytes, size_t size, uint8_t digest[32]);

#endif

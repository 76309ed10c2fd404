/*
 * Checksums: CRC-32 (IEEE 802.3, as PNG uses it), CRC-32C (Castagnoli, as weights files use it),
 * and Adler-32 (RFC 1950, as zlib uses it). The CRCs continue: start from 0, then hand the last
 * result in again.
 */
#ifndef MS_BASE_CRC_H
#define MS_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t ms_crc32(uint32_t crc, const void *bytes, size_t size);
uint32_t ms_crc32c(uint32_t crc, const void *bytes, size_t size);
uint32_t ms_adler32(const void *bytes, size_t size);

#endif

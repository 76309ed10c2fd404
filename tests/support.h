/* What several tests share: random numbers, and weights files made from them. */
#ifndef MS_TESTS_SUPPORT_H
#define MS_TESTS_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A generator of its own, the same numbers on every machine. */
uint32_t next_random(uint64_t *seed);

/* What kind of weights file to make. */
struct recipe {
    double width;
    uint32_t input_size;
    uint32_t padding;  /* 0 symmetric, 1 same */
    uint32_t type;     /* of the weights: 0 f32, 1 f16, 2 i8 */
    bool batch_norm;   /* else biases */
    bool expand_first; /* block 0 has an expansion layer, t = 1 */
    uint32_t classes;  /* of a classifier; 0: without. The other tensors are the same */
};

/* A whole weights file (weights/FORMAT.md) of the paper's 17 blocks, with random weights of
 * realistic size. */
uint8_t *make_weights(const struct recipe *recipe, size_t *size);

/* Mends the checksum of a weights file that a test has changed. */
void mend_checksum(uint8_t *file, size_t size);

#endif

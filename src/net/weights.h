/* Reading a weights file (weights/FORMAT.md): one pass, through a small buffer, trusting nothing.
 */
#ifndef MS_NET_WEIGHTS_H
#define MS_NET_WEIGHTS_H

#include "net/model.h"

/* One tensor of the file's table. */
struct ms_tensor {
    char name[49];
    uint32_t type, stride, rank, shape[4];
    uint64_t offset, bytes;
};

/* The tensors of one layer; all but `weight` may be NULL, the four of BatchNorm together. */
struct ms_layer_tensors {
    const struct ms_tensor *bn[4]; /* gamma, beta, mean, var */
    const struct ms_tensor *bias;
    const struct ms_tensor *weight;
};

/* Stem, three for each block, head, classifier. */
enum { MS_LAYERS_MAX = 3 * MS_BLOCKS_MAX + 3 };

/* Bytes that a reader of a file reads at once. */
enum { MS_WEIGHTS_BUFFER = 65536 };

/* The file as a stream: bytes are checked into the checksum as they pass. */
struct ms_weights_reader {
    const struct ms_kernels *kernels;
    int descriptor;       /* or -1: from memory */
    const uint8_t *bytes; /* the rest of the memory */
    uint64_t size, position;
    uint32_t checksum, expected_checksum;
    uint8_t *buffer; /* of a file: MS_WEIGHTS_BUFFER bytes, read ahead */
    size_t buffered, taken;
    minisim_error *error;
};

/* Takes `size` bytes. BAD_FILE, BAD_WEIGHTS (the file ends). */
minisim_status ms_weights_take(struct ms_weights_reader *reader, void *to, size_t size);

/* Takes bytes up to `offset`, which must be zero. */
minisim_status ms_weights_skip(struct ms_weights_reader *reader, uint64_t offset);

/*
 * Header, facts and table: fills model->info, padding, table, facts. *tensors is the caller's to
 * free, also on failure.
 */
minisim_status ms_weights_header(struct ms_weights_reader *reader, struct minisim_model *model,
                                 struct ms_tensor **tensors, size_t *count);

/*
 * Derives the network from the tensors: shapes and strides of the model's layers, and for each
 * layer, in the file's order, its tensors. *layers is the caller's to free, also on failure.
 */
minisim_status ms_weights_network(const struct ms_tensor *tensors, size_t count,
                                  struct minisim_model *model, struct ms_layer_tensors **layers,
                                  minisim_error *error);

/* The whole: reads, folds BatchNorm, packs. On failure the model holds what was made so far, to be
 * closed. */
minisim_status ms_weights_read(struct ms_weights_reader *reader, struct minisim_model *model);

#endif

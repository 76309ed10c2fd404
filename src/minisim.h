/*
 * minisim: image embeddings and their distances, from MobileNetV2, with nothing underneath.
 *
 * A model holds a network's weights and never changes once it is open: any number of threads may
 * share it. A context holds the working memory of one computation: one thread at a time. Functions
 * that can fail return a status; what went wrong is one line of text, without the name of the file,
 * which the caller knows. The library prints nothing, never exits, installs no signal handler and
 * reads neither environment nor locale. Functions that compute set the floating-point environment
 * that the numbers need and restore the caller's.
 *
 * Option structs open with their size: `minisim_context_options o = {.size = sizeof o};` means
 * "defaults", and so does NULL. Fields that are zero are defaults too. Enums only grow.
 */
#ifndef MINISIM_H
#define MINISIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

#define MINISIM_VERSION_MAJOR 0
#define MINISIM_VERSION_MINOR 1
#define MINISIM_VERSION_PATCH 0
#define MINISIM_VERSION "0.1.0"

/* The version of the order of arithmetic (src/NUMBERS.md): it changes whenever any bit may. */
#define MINISIM_NUMERICS 1

/* The version of the library that runs, such as "0.1.0". */
const char *minisim_version(void);

typedef enum minisim_status {
    MINISIM_OK = 0,
    MINISIM_BAD_ARGUMENT = 1,  /* the call makes no sense: a programming error, or a wrong option */
    MINISIM_BAD_FILE = 2,      /* a file cannot be opened or read, or is no regular file */
    MINISIM_NO_PICTURE = 3,    /* read, but it is no picture, or of a format that is not read */
    MINISIM_BAD_PICTURE = 4,   /* a picture, but broken or beyond a limit */
    MINISIM_BAD_WEIGHTS = 5,   /* weights damaged, or no MobileNetV2 */
    MINISIM_OUT_OF_MEMORY = 6, /* the system gave none, or the memory handed over is too small; a
                                  picture beyond max_memory is a BAD_PICTURE */
    MINISIM_CANCELLED = 7,     /* a callback asked to stop */
    MINISIM_NO_DISTANCE = 8,   /* a vector of zeros has no cosine and no unit length; nor has
                                  anything whose float32 sums leave their range */
    MINISIM_BAD_CATALOGUE = 9, /* a catalogue damaged, or none, or of other vectors */
    MINISIM_REFUSED = 10 /* the system does not let a catalogue be read or written: no room, no
                            right, another writer */
} minisim_status;

/* What went wrong, in one line without a newline; `text` is "" before the first error. */
typedef struct minisim_error {
    char text[512];
} minisim_error;

/* ---- pictures ---- */

typedef enum minisim_geometry {
    MINISIM_GEOMETRY_FROM_WEIGHTS = 0,
    MINISIM_SQUASH = 1, /* the whole picture to the input size */
    MINISIM_CROP = 2,   /* shorter side to `crop_size`, then the centre */
    MINISIM_PAD = 3     /* fit, centred, on `pad_colour` */
} minisim_geometry;

typedef enum minisim_resample {
    MINISIM_RESAMPLE_FROM_WEIGHTS = 0,
    MINISIM_BILINEAR = 1, /* antialiased, Pillow's bytes */
    MINISIM_BICUBIC = 2,  /* antialiased, Pillow's bytes */
    MINISIM_STB = 3       /* stb_image_resize's triangle filter; it refuses some sizes */
} minisim_resample;

typedef enum minisim_pixel_format {
    MINISIM_RGB = 1,
    MINISIM_BGR = 2,
    MINISIM_RGBA = 3, /* straight alpha */
    MINISIM_BGRA = 4,
    MINISIM_GREY = 5,
    MINISIM_GREY_ALPHA = 6,
    MINISIM_NV12 = 7, /* a plane of Y, then one of U and V in turn, at half size */
    MINISIM_NV21 = 8, /* the same with V and U */
    MINISIM_YUYV = 9  /* Y0 U Y1 V for two pixels */
} minisim_pixel_format;

/* A rectangle in pixels of the picture as it is seen, after orientation; all zero: all of it. */
typedef struct minisim_region {
    uint32_t x, y, width, height;
} minisim_region;

/*
 * Pixels that the caller owns. `width` and `height` are those stored, before orientation. `stride`
 * and `chroma_stride` are bytes from row to row (0: rows without a gap). `chroma` is the second
 * plane of NV12 and NV21, (height+1)/2 rows of (width+1)/2 pairs; NULL: it follows the first plane
 * at once. `orientation` is EXIF's, 1 to 8 (0 means 1). YUV is BT.601 in limited range, see
 * src/NUMBERS.md.
 */
typedef struct minisim_pixels {
    const uint8_t *pixels;
    const uint8_t *chroma;
    size_t stride;
    size_t chroma_stride;
    uint32_t width;
    uint32_t height;
    minisim_pixel_format format;
    uint32_t orientation;
    minisim_region region;
} minisim_pixels;

/* ---- model ---- */

typedef struct minisim_model minisim_model;

typedef struct minisim_model_options {
    size_t size;
    const char *cpu; /* name of a kernel table, such as "avx2"; NULL: the fastest this CPU runs */
} minisim_model_options;

/*
 * Reads weights (weights/FORMAT.md) from a file, or from `size` bytes in memory, which may be freed
 * afterwards. On success *model is the caller's, to be closed; on failure it is NULL and *error
 * (may be NULL) says why: BAD_FILE, BAD_WEIGHTS, OUT_OF_MEMORY, BAD_ARGUMENT. Thread-safe.
 */
minisim_status minisim_model_open(const char *path, const minisim_model_options *options,
                                  minisim_model **model, minisim_error *error);
minisim_status minisim_model_open_memory(const void *bytes, size_t size,
                                         const minisim_model_options *options,
                                         minisim_model **model, minisim_error *error);

/* Frees a model; NULL is allowed. Its contexts must be closed before. */
void minisim_model_close(minisim_model *model);

/* The functions from here to minisim_model_describe only read the model: they are thread-safe. */

/* The length of an embedding: 1280, or more at widths above 1. */
size_t minisim_model_dimension(const minisim_model *model);

/* The side of the square of pixels that the network takes. */
uint32_t minisim_model_input_size(const minisim_model *model);

/* How many classes the weights' classifier tells apart; 0: they came without one. */
size_t minisim_model_classes(const minisim_model *model);

/*
 * What the classifier says of an embedding, as minisim_embed_... gave it: `logits` takes a number
 * for each class (minisim_model_classes of them); the largest is the likeliest, and softmax makes
 * probabilities of them. Thread-safe. BAD_ARGUMENT: NULL, or weights without a classifier.
 */
minisim_status minisim_classify(const minisim_model *model, const float *embedding, float *logits);

/* The kernel table in use, such as "avx2". */
const char *minisim_model_cpu(const minisim_model *model);

/* The i-th fact of the weights file; both NULL after the last one. They live as long as the model.
 */
void minisim_model_fact(const minisim_model *model, size_t i, const char **key, const char **value);

/* What the weights are, for people and programs. */
typedef struct minisim_model_info {
    size_t size; /* set by the caller */
    uint32_t input_size;
    uint32_t blocks;
    uint64_t parameters;    /* after folding BatchNorm, without the classifier's */
    uint64_t multiply_adds; /* of an embedding */
    uint64_t file_bytes;
    uint64_t weight_bytes; /* in memory, packed, with the classifier's */
    double epsilon;
    double mean[3], std[3];
    const char *padding; /* "symmetric" or "same" */
    const char *types;   /* of the weights: "f32", "f16", "i8" or "mixed" */
    minisim_geometry geometry;
    uint32_t crop_size, pad_colour;
    minisim_resample resample;
} minisim_model_info;

minisim_status minisim_model_describe(const minisim_model *model, minisim_model_info *info);

/* ---- context ---- */

typedef struct minisim_context minisim_context;

typedef struct minisim_context_options {
    size_t size;
    minisim_geometry geometry;
    uint32_t crop_size;  /* for MINISIM_CROP; 0: input size * 8 / 7, rounded down */
    uint32_t pad_colour; /* 0xRRGGBB, for MINISIM_PAD */
    minisim_resample resample;
    int preprocessed; /* pictures are of the input size already: neither resized nor cropped */
    int ignore_orientation; /* 1: EXIF's orientation is not heeded */
    int background_set;     /* 1: `background` counts, else white */
    uint32_t background;    /* 0xRRGGBB, under transparent pixels */
    uint64_t max_pixels;    /* per picture; 0: 200,000,000 */
    uint64_t max_file_size; /* bytes; 0: 1 GiB */
    uint64_t max_memory;    /* bytes for one picture: its file (the caller's bytes too), and what
                               decoding and resizing take; 0: 2 GiB */
    void *memory; /* NULL: the library allocates; else minisim_context_size bytes, aligned to 64;
                     what is beyond them serves to read pictures before the system is asked */
    size_t memory_size;
    uint32_t threads; /* that share the work of one picture, the caller's included: 0 (1) to 64 */
} minisim_context_options;

/* How many bytes of working memory a context for this model takes; no picture's memory in it. */
minisim_status minisim_context_size(const minisim_model *model,
                                    const minisim_context_options *options, size_t *bytes,
                                    minisim_error *error);

/*
 * Opens a context. From then on the library allocates nothing for it, save what reading one picture
 * takes, within max_memory, freed before the call returns. Memory handed over stays the caller's.
 * The model must outlive the context. Threads beyond the caller's live, asleep between pictures,
 * until it is closed: until then memory handed over must neither move nor be freed, and a forked
 * process cannot use the context. OUT_OF_MEMORY: also where the system gives no more threads. In a
 * batch, where each context has a thread of its own, they multiply.
 */
minisim_status minisim_context_open(const minisim_model *model,
                                    const minisim_context_options *options,
                                    minisim_context **context, minisim_error *error);

/* Ends its threads and frees what was not handed over; NULL is allowed. */
void minisim_context_close(minisim_context *context);

/* The model that a context was opened for. */
const minisim_model *minisim_context_model(const minisim_context *context);

/* What went wrong in this context last, or with NULL, that there is none. The text lives until its
 * next call. */
const char *minisim_context_error(const minisim_context *context);

/*
 * Embeds one picture: from a file, from an encoded file in memory, from pixels. `embedding` takes
 * minisim_model_dimension floats from 0 to 6 and is untouched on failure. `region` may be NULL.
 * BAD_ARGUMENT (NULL, impossible pixels, a region outside the picture), BAD_FILE, NO_PICTURE,
 * BAD_PICTURE, OUT_OF_MEMORY; the context can be used again afterwards.
 */
minisim_status minisim_embed_file(minisim_context *context, const char *path,
                                  const minisim_region *region, float *embedding);
minisim_status minisim_embed_memory(minisim_context *context, const void *bytes, size_t size,
                                    const minisim_region *region, float *embedding);
minisim_status minisim_embed_pixels(minisim_context *context, const minisim_pixels *pixels,
                                    float *embedding);

/*
 * The embedding id: 64 hexadecimal digits and a zero that name the weights, the preprocessing in
 * force and the numerics version. Vectors may be compared when their ids agree.
 */
minisim_status minisim_context_embedding_id(minisim_context *context, char id[65]);

/* ---- batch ---- */

/* One picture of a batch: the first of path, bytes and pixels that is set. What it points to must
 * live until its row has been reported. */
typedef struct minisim_input {
    const char *path;
    const void *bytes;
    size_t bytes_size;
    const minisim_pixels *pixels;
    const minisim_region *region; /* for path and bytes; may be NULL */
    void *tag;                    /* the caller's own, handed back with the row */
} minisim_input;

/* One finished picture. `embedding` is NULL unless status is OK; `error` is its text ("" if OK). */
typedef struct minisim_row {
    uint64_t index;
    const minisim_input *input;
    minisim_status status;
    const char *error;
    const float *embedding;
} minisim_row;

/*
 * Embeds many pictures on `contexts`, one thread each; the calling thread is one of them. `next`
 * fills in an input and returns 1, or returns 0 when there are no more. `row` gets the rows in the
 * order in which `next` gave them, and returns 0 to go on or anything else to cancel. Both are
 * called by one thread at a time, never two at once, but not always by the same thread. A batch
 * allocates its ring (four embeddings a thread) once when it starts, and starts count - 1 threads.
 * Returns OK, CANCELLED, OUT_OF_MEMORY or BAD_ARGUMENT; failed pictures are told by their rows
 * alone. After a cancel, inputs that were given and not reported yet get no row: free what they
 * point to once the batch has returned. All contexts must be of one model, and each may stand there
 * once.
 */
typedef int (*minisim_next_fn)(void *user, minisim_input *input);
typedef int (*minisim_row_fn)(void *user, const minisim_row *row);
minisim_status minisim_embed_batch(minisim_context *const *contexts, size_t count,
                                   minisim_next_fn next, minisim_row_fn row, void *user);

/* ---- distances ---- */

typedef enum minisim_metric {
    MINISIM_COSINE = 1,    /* 1 - a.b / sqrt(a.a * b.b), 0 to 2: smaller is closer */
    MINISIM_EUCLIDEAN = 2, /* sqrt(sum((a-b)^2)): smaller is closer */
    MINISIM_DOT = 3        /* a.b: larger is closer */
} minisim_metric;

/*
 * The distance of two vectors of n finite values each: finite whenever there is one. Equal vectors
 * have distance 0 exactly (cosine, euclidean). NO_DISTANCE: a cosine with a vector of zeros, or of
 * vectors so long or short (beyond 1.8e19, below 8.9e-16) that float32 does not hold the squares;
 * a distance or product that overflows float32. *distance is untouched then. Thread-safe; the order
 * of the sums is part of src/NUMBERS.md.
 */
minisim_status minisim_distance(minisim_metric metric, const float *a, const float *b, size_t n,
                                double *distance);

/* Divides a vector by its Euclidean length, in place. NO_DISTANCE: it is zero, or so long or short
 * as above, and untouched. Thread-safe. */
minisim_status minisim_normalize(float *vector, size_t n);

/* ---- catalogues ---- */

/*
 * A catalogue: vectors of one model, and the names of what they stand for, in one file (.msc,
 * src/catalogue/FORMAT.md). Any number of processes read it, each what was committed when it opened
 * it, while one writes. Records have ids 0, 1, 2, ... that are not given again (but `minisim
 * compact` numbers them anew).
 *
 * A catalogue is used by one thread at a time; functions that take it as const may be called by
 * several at once, while no other is. They end in: BAD_ARGUMENT; BAD_CATALOGUE, it is damaged,
 * none, or of other vectors; REFUSED, the system does not let it be read or written; OUT_OF_MEMORY.
 * *error (may be NULL) says why.
 */
typedef struct ms_catalogue minisim_catalogue;

/* What a catalogue rounds its vectors to (src/catalogue/FORMAT.md, "Vectors"). */
typedef enum minisim_vector_type {
    MINISIM_F32 = 1,
    MINISIM_F16 = 2, /* no value beyond 65,504 */
    MINISIM_I8 = 3   /* with a scale for each vector */
} minisim_vector_type;

typedef struct minisim_catalogue_options {
    size_t size;
    int writes; /* 1: to add and remove as well */
    minisim_context
        *context;     /* vectors are embeddings of this context; it is needed to open alone */
    size_t dimension; /* without a context: vectors of another model, of so many values, up to
                         65,536 */
    minisim_vector_type type; /* 0: any; of a new catalogue, MINISIM_F16 */
} minisim_catalogue_options;

/*
 * Opens a catalogue; *catalogue is the caller's, to be closed, and NULL on failure. BAD_CATALOGUE
 * where its vectors are others than the options say: of other weights, preprocessing, dimension or
 * type, or, to write, of pictures read in another way (orientation, background). Without context
 * and dimension it may hold any. To write: REFUSED at once where another process writes; what does
 * not exist is made, if context or dimension say what it is for.
 */
minisim_status minisim_catalogue_open(const char *path, const minisim_catalogue_options *options,
                                      minisim_catalogue **catalogue, minisim_error *error);

/* Gives up what is not committed; NULL is allowed. */
void minisim_catalogue_close(minisim_catalogue *catalogue);

typedef struct minisim_catalogue_info {
    size_t size;      /* set by the caller */
    size_t dimension; /* values of a vector */
    minisim_vector_type type;
    char embedding_id[65]; /* minisim_context_embedding_id; "": vectors of another model */
    uint64_t ids;          /* ids are below this */
    uint64_t records;      /* that are there: ids but the removed ones */
} minisim_catalogue_info;

minisim_status minisim_catalogue_describe(const minisim_catalogue *catalogue,
                                          minisim_catalogue_info *info);

enum { MINISIM_NAME_SIZE = 4097 }; /* of names and labels, with the NUL */

/* The record of an id: its name, its label ("": none), its vector [dimension] as it is stored. Each
 * may be NULL. BAD_ARGUMENT: there is no such record, or no longer. */
minisim_status minisim_catalogue_record(const minisim_catalogue *catalogue, uint64_t id,
                                        char name[MINISIM_NAME_SIZE], char label[MINISIM_NAME_SIZE],
                                        float *vector, minisim_error *error);

/*
 * Adds a record: its name (1 to 4,096 bytes, such as a path; unique if the caller sees to it), its
 * label (NULL: none) and its vector [dimension] of finite values. *id (may be NULL) becomes its id.
 * What a file was when it was embedded, `minisim index` alone records: to it, this is no file.
 */
minisim_status minisim_catalogue_add(minisim_catalogue *catalogue, const char *name,
                                     const char *label, const float *vector, uint64_t *id,
                                     minisim_error *error);

/* Removes a record; nothing if it is removed already. */
minisim_status minisim_catalogue_remove(minisim_catalogue *catalogue, uint64_t id,
                                        minisim_error *error);

/*
 * Makes what was added and removed last, whatever happens to the machine; nothing where none waits.
 * Adding does it, too, where 1,024 records wait. Once it failed, the catalogue can only be closed.
 */
minisim_status minisim_catalogue_commit(minisim_catalogue *catalogue, minisim_error *error);

typedef struct minisim_hit {
    double distance; /* of MINISIM_DOT, the product */
    uint64_t id;
} minisim_hit;

typedef struct minisim_search_options {
    size_t size;
    minisim_metric metric; /* 0: MINISIM_COSINE */
    int limit_set;         /* 1: hits are no farther than `limit`; MINISIM_DOT: no smaller */
    double limit;
    const uint8_t *among; /* ids that may be found: bit id % 8 of byte id / 8; NULL: all */
    uint32_t threads;     /* that search, the caller's included: 0 (1) to 64 */
} minisim_search_options;

/*
 * The k records nearest to each query: queries [count][dimension], finite values; hits [count][k],
 * the nearest first, of equal ones the lower id; found [count], how many there are. Every record
 * that is there is compared, a writer's own included, with the query rounded to the catalogue's
 * type. A pair without a distance (as minisim_distance has it) is no hit. The answer is the same on
 * every machine, with any number of threads. After a failure, hits and found mean nothing.
 */
minisim_status minisim_catalogue_search(const minisim_catalogue *catalogue, const float *queries,
                                        size_t count, size_t k,
                                        const minisim_search_options *options, minisim_hit *hits,
                                        size_t *found, minisim_error *error);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif

/* Options of pictures, the weights, model and contexts: see pictures.h. In this order. */
#include "cli/pictures.h"

#include "base/large.h"
#include "base/text.h"
#include "cli/console.h"
#include "cli/decoder.h"
#include "cli/machine.h"
#include "kernels/kernels.h"

#include <malloc.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_NAME "minisim-default.msw"

enum {
    MOST_THREADS = 64,
    LARGEST_CROP = 4096,
    LONGEST_FOLDER = 4096,
    LONGEST_PATH = LONGEST_FOLDER + 64
};

const struct ms_option ms_network_options[] = {
    {MS_OPTION_WEIGHTS, "weights", 0, "FILE", "the network's weights (.msw)"},
    {MS_OPTION_CPU, "cpu", 0, "NAME",
     "use these kernels: reference, avx2, ...\n(minisim info lists them)"},
    {MS_OPTION_GEOMETRY, "geometry", 0, "HOW",
     "squash: the whole picture to the input size;\ncrop[:SIDE]: its shorter side to SIDE (8/7 of\n"
     "the input size), then the centre;\npad[:RRGGBB]: fitted, on a colour (000000);\n"
     "instead of what the weights say"},
    {MS_OPTION_RESAMPLE, "resample", 0, "FILTER",
     "bilinear, bicubic or stb (it refuses some sizes),\ninstead of what the weights say"},
    {MS_OPTION_MAX_PIXELS, "max-pixels", 0, "N", "refuse larger pictures (200M: 200,000,000)"},
    {MS_OPTION_MAX_MEMORY, "max-memory", 0, "BYTES",
     "memory for reading one picture (a quarter of the\nmachine's, at most 2G); K, M, G are powers "
     "of\n"
     "1024, KB, MB, GB of 1000"},
    {MS_OPTION_MAX_FILE_SIZE, "max-file-size", 0, "BYTES", "refuse larger files (1G)"},
    {0}};

const struct ms_option ms_picture_options[] = {
    {MS_OPTION_THREADS, "threads", 0, "N",
     "how many work at once (one for each CPU;\non one picture alone: 1)"},
    {MS_OPTION_PREPROCESSED, "preprocessed", 0, NULL,
     "pictures have the input size already:\nneither crop nor resize"},
    {MS_OPTION_ROI, "roi", 0, "X,Y,W,H", "use this rectangle of each picture only"},
    {MS_OPTION_NO_ORIENTATION, "no-orientation", 0, NULL, "do not heed EXIF's orientation"},
    {MS_OPTION_BACKGROUND, "background", 0, "RRGGBB", "colour under transparent pixels (ffffff)"},
    {MS_OPTION_DECODER, "decoder", 0, "EXT=COMMAND",
     "for files called .EXT run COMMAND, {} in it being\nthe file, which writes PNM or PNG to its "
     "standard\noutput: heic='convert {} ppm:-'; without a shell,\nat most 60 seconds and "
     "--max-file-size; may be\nsaid several times"},
    {0}};

static bool take_geometry(minisim_context_options *context, const struct ms_option *option,
                          const char *value) {
    static const char what[] = "squash, crop, crop:SIDE (from the input size to 4096), pad or "
                               "pad:RRGGBB";
    static const char *const names[] = {"squash", "crop", "pad"};
    static const minisim_geometry geometries[] = {MINISIM_SQUASH, MINISIM_CROP, MINISIM_PAD};
    size_t length = strcspn(value, ":");
    const char *detail = value[length] ? value + length + 1 : NULL;
    for (size_t i = 0; i < 3; i++) {
        if (strlen(names[i]) != length || memcmp(names[i], value, length) != 0)
            continue;
        uint64_t side = 0;
        context->geometry = geometries[i];
        context->crop_size = context->pad_colour = 0;
        if (!detail)
            return true;
        if (context->geometry == MINISIM_CROP && ms_parse_count(detail, LARGEST_CROP, &side)) {
            context->crop_size = (uint32_t)side;
            return side > 0 || ms_refuse_value(option, value, what);
        }
        if (context->geometry == MINISIM_PAD && ms_parse_colour(detail, &context->pad_colour))
            return true;
    }
    return ms_refuse_value(option, value, what);
}

/* Those that this CPU runs. */
static bool take_cpu(const char **cpu, const struct ms_option *option, const char *value) {
    enum { MOST_TABLES = 8 };
    const char *names[MOST_TABLES + 1] = {0};
    const struct ms_kernels *const *tables = ms_kernels_available();
    int i;
    for (i = 0; i < MOST_TABLES && tables[i]; i++)
        names[i] = tables[i]->name;
    *cpu = value;
    return ms_take_choice(option, value, names, &i);
}

static bool take_resample(minisim_context_options *context, const struct ms_option *option,
                          const char *value) {
    static const char *const names[] = {"bilinear", "bicubic", "stb", NULL};
    static const minisim_resample filters[] = {MINISIM_BILINEAR, MINISIM_BICUBIC, MINISIM_STB};
    int i;
    if (!ms_take_choice(option, value, names, &i))
        return false;
    context->resample = filters[i];
    return true;
}

static bool take_region(minisim_region *region, const struct ms_option *option, const char *value) {
    uint32_t *fields[] = {&region->x, &region->y, &region->width, &region->height};
    const char *at = value;
    for (size_t i = 0; i < 4; i++) {
        char digits[MS_NUMBER_SIZE];
        size_t length = strcspn(at, ",");
        bool last = i == 3;
        uint64_t number;
        if (length >= sizeof digits || (at[length] == '\0') != last)
            break;
        memcpy(digits, at, length);
        digits[length] = '\0';
        if (!ms_parse_count(digits, UINT32_MAX, &number) || (i >= 2 && number == 0))
            break;
        *fields[i] = (uint32_t)number;
        if (last)
            return true;
        at += length + 1;
    }
    return ms_refuse_value(option, value, "X,Y,W,H in pixels, W and H above 0");
}

bool ms_take_picture_option(struct ms_picture_settings *settings, const struct ms_option *option,
                            const char *value) {
    minisim_context_options *context = &settings->context;
    switch (option->id) {
    case MS_OPTION_WEIGHTS:
        settings->weights = value;
        return true;
    case MS_OPTION_CPU:
        return take_cpu(&settings->model.cpu, option, value);
    case MS_OPTION_GEOMETRY:
        return take_geometry(context, option, value);
    case MS_OPTION_RESAMPLE:
        return take_resample(context, option, value);
    case MS_OPTION_MAX_PIXELS:
        return ms_take_size(option, value, 1000, &context->max_pixels);
    case MS_OPTION_MAX_MEMORY:
        return ms_take_size(option, value, 1024, &context->max_memory);
    case MS_OPTION_MAX_FILE_SIZE:
        return ms_take_size(option, value, 1024, &context->max_file_size);
    case MS_OPTION_THREADS:
        return ms_take_count(option, value, 1, MOST_THREADS, &settings->threads);
    case MS_OPTION_PREPROCESSED:
        context->preprocessed = 1;
        return true;
    case MS_OPTION_ROI:
        return take_region(&settings->region, option, value);
    case MS_OPTION_NO_ORIENTATION:
        context->ignore_orientation = 1;
        return true;
    case MS_OPTION_BACKGROUND:
        context->background_set = 1;
        return ms_parse_colour(value, &context->background) ||
               ms_refuse_value(option, value, "a colour as RRGGBB");
    case MS_OPTION_DECODER:
        return ms_take_decoder(settings, option, value);
    default:
        return false;
    }
}

int ms_note_refusal(minisim_status status) {
    return ms_note(status == MINISIM_BAD_ARGUMENT    ? MS_EXIT_USAGE
                   : status == MINISIM_OUT_OF_MEMORY ? MS_EXIT_SYSTEM
                                                     : MS_EXIT_WEIGHTS);
}

/* The folder that the program lies in, cut behind its last slash; "" where it is not known. */
static void find_program_folder(char folder[LONGEST_FOLDER]) {
    ssize_t length = readlink("/proc/self/exe", folder, LONGEST_FOLDER - 1);
    folder[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(folder, '/');
    folder[slash ? slash + 1 - folder : 0] = '\0';
}

/* The first of the usual places that has weights. false: none has. */
static bool find_weights(const char *folder, char path[LONGEST_PATH]) {
    static const char up[] = "../../../"; /* builds for other machines lie that deep */
    /* An installed tree may have been moved: what lies beside the program counts first. */
    snprintf(path, LONGEST_PATH, "%s../share/minisim/" DEFAULT_NAME, folder);
    if (access(path, F_OK) == 0)
        return true;
    snprintf(path, LONGEST_PATH, "%s", MINISIM_DATADIR "/" DEFAULT_NAME);
    for (int at = sizeof up - 1; access(path, F_OK) != 0; at -= 3) {
        if (at < 0)
            return false;
        snprintf(path, LONGEST_PATH, "%s%sweights/" DEFAULT_NAME, folder, up + at);
    }
    return true;
}

/* The weights that nobody named: a file's path, or what is inside the program (*bytes). NULL: there
 * are none, which was said and noted. */
static const char *choose_weights(char path[LONGEST_PATH], const void **bytes, size_t *size) {
    char folder[LONGEST_FOLDER];
    find_program_folder(folder);
    if (find_weights(folder, path))
        return path;
    *bytes = ms_embedded_weights(size);
    if (*bytes)
        return "built in";
    ms_complain(NULL,
                "no weights found at %s../share/minisim/" DEFAULT_NAME ", " MINISIM_DATADIR
                "/" DEFAULT_NAME " or, in %s or up to three folders above, weights/" DEFAULT_NAME
                "; name some with --weights FILE or in MINISIM_WEIGHTS, or run make where "
                "minisim's source is",
                folder, folder);
    ms_note(MS_EXIT_WEIGHTS);
    return NULL;
}

bool ms_open_model(const struct ms_picture_settings *settings, minisim_model **model, char **path) {
    char found[LONGEST_PATH];
    const void *bytes = NULL;
    size_t size = 0;
    const char *name = settings->weights ? settings->weights : getenv("MINISIM_WEIGHTS");
    *model = NULL;
    *path = NULL;
    if (!name || (!*name && !settings->weights))
        name = choose_weights(found, &bytes, &size);
    if (!name)
        return false;
    minisim_model_options options = settings->model;
    minisim_error error = {"out of memory"};
    options.size = sizeof options;
    minisim_status status = MINISIM_OUT_OF_MEMORY;
    *path = strdup(name);
    if (*path)
        status = bytes ? minisim_model_open_memory(bytes, size, &options, model, &error)
                       : minisim_model_open(*path, &options, model, &error);
    if (status == MINISIM_OK)
        return true;
    ms_complain(status == MINISIM_BAD_ARGUMENT ? NULL : *path, "%s", error.text);
    ms_note_refusal(status);
    free(*path);
    *path = NULL;
    return false;
}

static uint64_t count_cpus(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (uint64_t)CPU_COUNT(&set) : 1;
}

size_t ms_count_threads(const struct ms_picture_settings *settings) {
    uint64_t count = settings->threads ? settings->threads : count_cpus();
    return count < 1 ? 1 : count > MOST_THREADS ? MOST_THREADS : (size_t)count;
}

/* Each context has huge pages of its own; what it does not need of them serves its pictures. */
static minisim_status open_contexts(struct ms_engine *engine, size_t count,
                                    minisim_context_options options, minisim_error *error) {
    size_t bytes;
    minisim_status status = minisim_context_size(engine->model, &options, &bytes, error);
    if (status)
        return status;
    options.memory_size = (bytes + MS_HUGE_PAGE - 1) / MS_HUGE_PAGE * MS_HUGE_PAGE;
    engine->contexts = calloc(count, sizeof *engine->contexts);
    engine->memory = ms_allocate_large(count * options.memory_size);
    if (!engine->contexts || !engine->memory)
        return MINISIM_OUT_OF_MEMORY;
    for (options.memory = engine->memory; engine->count < count && !status; engine->count++) {
        status =
            minisim_context_open(engine->model, &options, &engine->contexts[engine->count], error);
        options.memory = (uint8_t *)options.memory + options.memory_size;
    }
    return status;
}

uint64_t ms_max_memory(const struct ms_picture_settings *settings) {
    const uint64_t most = UINT64_C(2) << 30;
    if (settings->context.max_memory)
        return settings->context.max_memory;
    uint64_t share = ms_machine_memory() / 4;
    return share < most ? share : most;
}

uint64_t ms_most_bytes(const struct ms_picture_settings *settings, const char **name) {
    uint64_t given = settings->context.max_file_size, memory = ms_max_memory(settings);
    uint64_t size = given ? given : UINT64_C(1) << 30;
    *name = memory < size ? "max-memory" : "max-file-size";
    return memory < size ? memory : size;
}

const minisim_region *ms_region_of(const struct ms_picture_settings *settings) {
    return settings->region.width ? &settings->region : NULL;
}

/*
 * What one picture took and gave back must not count against the next: of a block above a 64th of
 * the limit the system gets its pages back. Smaller ones are kept, which saves fetching them anew.
 */
static void return_memory(uint64_t max_memory) {
    const uint64_t least = 256 << 10, most = 32 << 20; /* malloc takes no larger bound */
    uint64_t bound = max_memory / 64;
    bound = bound < least ? least : bound > most ? most : bound;
    mallopt(M_MMAP_THRESHOLD, (int)bound);
    mallopt(M_TRIM_THRESHOLD, (int)(2 * bound));
}

bool ms_open_engine(const struct ms_picture_settings *settings, uint64_t most,
                    struct ms_engine *engine) {
    const minisim_context_options *given = &settings->context;
    *engine = (struct ms_engine){0};
    if (given->preprocessed && (given->geometry || given->resample))
        return ms_refuse_usage("--preprocessed pictures are not resized: leave out --%s",
                               given->geometry ? "geometry" : "resample");
    if (!ms_open_model(settings, &engine->model, &engine->weights))
        return false;
    size_t count = ms_count_threads(settings);
    minisim_context_options options = settings->context;
    minisim_error error = {"out of memory"};
    options.size = sizeof options;
    options.max_memory = ms_max_memory(settings);
    return_memory(options.max_memory);
    malloc_trim(0); /* what loading the weights took goes back before contexts take theirs */
    /* Threads share one picture only when told to: waking them costs what they save on small
     * networks and busy machines. */
    if (most <= 1) {
        options.threads = settings->threads ? (uint32_t)count : 1;
        count = 1;
    }
    count = count > most && most ? (size_t)most : count;
    minisim_status status = open_contexts(engine, count, options, &error);
    if (status == MINISIM_OK)
        return true;
    ms_complain(NULL, "%s", error.text);
    ms_note_refusal(status);
    ms_close_engine(engine);
    return false;
}

void ms_close_engine(struct ms_engine *engine) {
    for (size_t i = 0; i < engine->count; i++)
        minisim_context_close(engine->contexts[i]);
    free(engine->contexts);
    free(engine->memory);
    free(engine->weights);
    minisim_model_close(engine->model);
    *engine = (struct ms_engine){0};
}

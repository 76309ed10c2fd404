/*
 * Frames of a stream: see frames.h. A step goes along a frame's structure as far as its bytes have
 * come, and never back; ms_frames_next reads more until the frame's end has come.
 */
#include "cli/frames.h"

#include "base/error.h"
#include "picture/formats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a step did: it went on, needs more bytes, or found what has no place there. */
enum step { ON, MORE, LOST };

/* Bytes of the frame that have come: those from `offset` on. */
struct window {
    const uint8_t *bytes;
    size_t size;
    uint64_t offset;
};

/* `count` bytes of what is looked at next; NULL: they have not come yet. */
static const uint8_t *peek(const struct ms_frame *frame, const struct window *w, size_t count) {
    uint64_t at = frame->at - w->offset;
    return at <= w->size && w->size - at >= count ? w->bytes + at : NULL;
}

/* ---- the formats ---- */

static enum step step_png(struct ms_frame *frame, const struct window *w) {
    const uint8_t *chunk = peek(frame, w, 8);
    if (!chunk)
        return MORE;
    for (size_t i = 4; i < 8; i++)
        if ((chunk[i] | 0x20) < 'a' || (chunk[i] | 0x20) > 'z')
            return LOST;
    if (ms_big32(chunk) > INT32_MAX)
        return LOST;
    frame->at += 12 + (uint64_t)ms_big32(chunk);
    frame->ends = memcmp(chunk + 4, "IEND", 4) == 0;
    return ON;
}

static bool is_space(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_restart(uint8_t code) {
    return code >= 0xd0 && code <= 0xd7;
}

/* To the marker behind a scan's data, or as far as that has come. */
static enum step step_scan(struct ms_frame *frame, const struct window *w) {
    const uint8_t *at = peek(frame, w, 0), *end = w->bytes + w->size;
    if (!at)
        return MORE;
    while ((at = memchr(at, 0xff, (size_t)(end - at))) && end - at > 1) {
        if (at[1] != 0 && at[1] != 0xff && !is_restart(at[1])) {
            frame->in_scan = false;
            break;
        }
        at += at[1] == 0xff ? 1 : 2;
    }
    frame->at = w->offset + (uint64_t)((at ? at : end) - w->bytes);
    return frame->in_scan ? MORE : ON;
}

static enum step step_jpeg(struct ms_frame *frame, const struct window *w) {
    if (frame->in_scan)
        return step_scan(frame, w);
    const uint8_t *marker = peek(frame, w, 2), *segment = peek(frame, w, 4);
    if (!marker)
        return MORE;
    uint8_t code = marker[1];
    if (marker[0] != 0xff || code == 0)
        return LOST;
    if (code == 0xff) { /* to fill */
        frame->at++;
        return ON;
    }
    if (code == 0xd8) { /* the next picture: this one was cut short */
        frame->ends = true;
        return ON;
    }
    if (code == 0xd9 || code == 1 || is_restart(code)) {
        frame->at += 2;
        frame->ends = code == 0xd9;
        return ON;
    }
    if (!segment)
        return MORE;
    if (ms_big16(segment + 2) < 2)
        return LOST;
    frame->at += 2 + ms_big16(segment + 2);
    frame->in_scan = code == 0xda;
    return ON;
}

/* The pixels of a PNM, behind the one byte that ends its header. */
static void pass_pixels(struct ms_frame *frame) {
    uint64_t width = frame->header.numbers[0], height = frame->header.numbers[1];
    uint64_t bytes = frame->header.numbers[2] > 255 ? 2 : 1;
    uint64_t row = frame->header.kind == '4'   ? (width + 7) / 8
                   : frame->header.kind == '5' ? bytes * width
                                               : bytes * width * 3;
    frame->at += row * height;
    frame->ends = true;
}

/* A byte of a header. */
static enum step step_pnm(struct ms_frame *frame, const struct window *w) {
    const uint8_t *byte = peek(frame, w, 1);
    if (!byte)
        return MORE;
    uint8_t c = *byte;
    frame->at++;
    if (frame->header.in_comment) {
        frame->header.in_comment = c != '\n' && c != '\r';
        return ON;
    }
    if (c >= '0' && c <= '9') {
        uint32_t *number = &frame->header.numbers[frame->header.known];
        *number = 10 * *number + c - '0';
        frame->header.in_number = true;
        return *number <= 1 << 24 ? ON : LOST;
    }
    frame->header.known += frame->header.in_number;
    frame->header.in_number = false;
    if (frame->header.known == (frame->header.kind == '4' ? 2 : 3)) {
        pass_pixels(frame);
        return ON;
    }
    frame->header.in_comment = c == '#';
    return is_space(c) || c == '#' ? ON : LOST;
}

/* As far as the bytes have come, they are as the signature has them. */
static bool matches(const struct window *w, const char *signature, size_t length) {
    return memcmp(w->bytes, signature, w->size < length ? w->size : length) == 0;
}

/* Tells the format. */
static enum step step_start(struct ms_frame *frame, const struct window *w) {
    if (w->size == 0)
        return MORE;
    bool png = matches(w, "\x89PNG\r\n\x1a\n", 8), jpeg = matches(w, "\xff\xd8\xff", 3);
    bool pnm = w->bytes[0] == 'P' && (w->size == 1 || (w->bytes[1] >= '4' && w->bytes[1] <= '6'));
    if (!png && !jpeg && !pnm)
        return LOST;
    size_t needed = png ? 8 : jpeg ? 3 : 2;
    if (w->size < needed)
        return MORE;
    frame->kind = png ? MS_FRAME_PNG : jpeg ? MS_FRAME_JPEG : MS_FRAME_PNM;
    frame->header.kind = w->bytes[1];
    frame->at = png ? 8 : 2;
    return ON;
}

/* As far as it goes. */
static enum step follow(struct ms_frame *frame, const struct window *w) {
    enum step step = ON;
    while (step == ON && !frame->ends)
        step = frame->kind == MS_FRAME_JPEG  ? step_jpeg(frame, w)
               : frame->kind == MS_FRAME_PNG ? step_png(frame, w)
               : frame->kind == MS_FRAME_PNM ? step_pnm(frame, w)
                                             : step_start(frame, w);
    return step;
}

/* ---- the stream ---- */

void ms_frames_open(struct ms_frames *frames, ms_read_stream *read, void *user, uint64_t most,
                    const char *limit) {
    *frames = (struct ms_frames){.read = read, .user = user, .most = most, .limit = limit};
}

void ms_frames_close(struct ms_frames *frames) {
    free(frames->bytes);
    frames->bytes = NULL;
}

/* Drops bytes at the front. */
static void drop(struct ms_frames *f, size_t count) {
    f->size -= count;
    memmove(f->bytes, f->bytes + count, f->size);
}

/* Behind the frame that was given. */
static void begin_frame(struct ms_frames *f) {
    if (f->given > 0)
        drop(f, f->given);
    f->begin += f->dropped + f->given;
    f->given = 0;
    f->dropped = 0;
    f->frame = (struct ms_frame){.kind = MS_FRAME_UNKNOWN};
}

/* What may stand between two frames. */
static void skip_filler(struct ms_frames *f) {
    size_t count = 0;
    while (count < f->size && (f->bytes[count] == 0 || is_space(f->bytes[count])))
        count++;
    if (count > 0)
        drop(f, count);
    f->begin += count;
}

/* Bytes of one read: what is read too early is moved to the front with each frame. */
enum { READ = 65536 };

/* Room for more; the end of a frame that is as large as may be takes one read more. */
static bool make_room(struct ms_frames *f) {
    if (f->size < f->capacity)
        return true;
    size_t capacity = f->capacity ? 2 * f->capacity : READ;
    if (capacity > f->most && capacity - f->most > READ)
        capacity = (size_t)f->most + READ;
    uint8_t *grown =
        capacity > f->capacity && capacity <= SIZE_MAX / 2 ? realloc(f->bytes, capacity) : NULL;
    if (!grown)
        return false;
    f->bytes = grown;
    f->capacity = capacity;
    return true;
}

/* A frame beyond the limit is followed, but not kept. */
static void pass_over(struct ms_frames *f) {
    uint64_t known = f->frame.at - f->dropped;
    size_t count = known < f->size ? (size_t)known : f->size;
    if (count > 0)
        drop(f, count);
    f->dropped += count;
}

static minisim_status refuse_size(const struct ms_frames *f, minisim_error *error) {
    return ms_fail(error, MINISIM_BAD_PICTURE, "it is larger than the limit of %llu bytes (%s)",
                   (unsigned long long)f->most, f->limit);
}

static minisim_status refuse_rest(const struct ms_frames *f, minisim_error *error) {
    static const char *const names[] = {"JPEG, PNG or raw PNM", "JPEG", "PNG", "PNM"};
    return ms_fail(
        error, MINISIM_NO_PICTURE,
        "byte %llu of the stream is not what a %s has there; where the next picture begins "
        "cannot be told, so the stream ends here",
        (unsigned long long)(f->begin + f->frame.at), names[f->frame.kind]);
}

/* Reads on. false: there is no more, or *status says why not. */
static bool read_more(struct ms_frames *f, minisim_status *status, minisim_error *error) {
    *status = MINISIM_OK;
    if (f->ended)
        return false;
    if (!make_room(f)) {
        *status = ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
        return false;
    }
    size_t room = f->capacity - f->size;
    long count = f->read(f->user, f->bytes + f->size, room < READ ? room : READ);
    f->size += count > 0 ? (size_t)count : 0;
    f->ended = count <= 0;
    if (count < 0)
        *status =
            ms_fail(error, MINISIM_BAD_FILE, "the stream cannot be read: %s", ms_errno_text(errno));
    return count > 0;
}

minisim_status ms_frames_next(struct ms_frames *f, const uint8_t **bytes, size_t *size,
                              minisim_error *error) {
    minisim_status status = MINISIM_OK;
    bool too_large = false, whole = false;
    *bytes = NULL;
    begin_frame(f);
    do {
        if (f->frame.kind == MS_FRAME_UNKNOWN)
            skip_filler(f);
        struct window come = {f->bytes, f->size, f->dropped};
        if (follow(&f->frame, &come) == LOST)
            return refuse_rest(f, error);
        whole = f->frame.ends && f->frame.at <= f->dropped + f->size;
        too_large = too_large || f->frame.at > f->most;
        if (too_large)
            pass_over(f);
    } while (!whole && read_more(f, &status, error));
    f->given = whole ? (size_t)(f->frame.at - f->dropped) : f->size;
    if (status || too_large || f->given > f->most)
        return status ? status : refuse_size(f, error);
    *bytes = f->given > 0 ? f->bytes : NULL;
    *size = f->given;
    return MINISIM_OK;
}

/*
 * Pages: see html.h. The style, then text, thumbnails, and the parts of a page. A page may be sent
 * on and opened anywhere, so it forbids the reader's browser whatever it does not need: scripts,
 * and anything from elsewhere.
 */
#include "report/html.h"

#include "base/arena.h"
#include "base/output.h"
#include "base/text.h"
#include "picture/jpeg_write.h"
#include "picture/pixels.h"
#include "picture/read.h"

#include <stdlib.h>
#include <string.h>

/* Colours that are not black on white have a contrast of at least 4.5 in either theme. */
static const char head[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\">\n"
    "<head>\n"
    "<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<style>\n"
    ":root{--page:#f6f5f1;--card:#fff;--ink:#1c1c1a;--soft:#5d5b55;--line:#dbd8d0;--on:#0a6b4c}\n"
    "@media screen and (prefers-color-scheme:dark){:root{--page:#151513;--card:#20201e;"
    "--ink:#eceae4;--soft:#aaa79f;--line:#3b3a36;--on:#74d4b0}}\n"
    "*{box-sizing:border-box}\n"
    "body{max-width:80rem;margin:0 auto;padding:1.25rem 1rem;background:var(--page);"
    "color:var(--ink);font:1rem/1.45 system-ui,sans-serif;overflow-wrap:anywhere}\n"
    "h1{margin:0;font-size:1.5rem;line-height:1.25}\n"
    "h2{margin:2.25rem 0 0;padding-top:1rem;border-top:1px solid var(--line);font-size:1.125rem}\n"
    "p{margin:.25rem 0 0}\n"
    ".soft,small,footer,caption{color:var(--soft)}\n"
    "ul{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.75rem;"
    "margin:1rem 0 0;padding:0;list-style:none}\n"
    "li{display:flex;content-visibility:auto;contain-intrinsic-size:auto 17rem}\n"
    "figure{margin:0;width:100%;background:var(--card);border:1px solid var(--line);"
    "border-radius:.5rem;overflow:hidden}\n"
    ".on figure{border-color:var(--on);box-shadow:inset 0 0 0 1px var(--on)}\n"
    ".on strong{color:var(--on)}\n"
    "li img,.none{display:flex;width:100%;height:11rem;padding:.5rem;object-fit:scale-down}\n"
    ".none{align-items:center;justify-content:center;margin:0;padding:1rem;text-align:center;"
    "font-size:.875rem;color:var(--soft);border-bottom:1px dashed var(--line);overflow:auto}\n"
    "figcaption{padding:.5rem .625rem .75rem;font-size:.875rem}\n"
    "strong{display:block;font-size:1rem;font-variant-numeric:tabular-nums}\n"
    "strong::first-letter,.soft::first-letter{text-transform:uppercase}\n"
    "figcaption p,figcaption bdi{display:block}\n"
    "figcaption small::after{content:\"\\a\";white-space:pre}\n"
    ".wide{margin-top:1rem}\n"
    ".wide>img,svg{display:block;width:100%;max-width:50rem;height:auto;margin:auto}\n"
    "svg{max-width:34rem;fill:var(--ink);font-size:14px}\n"
    ".area{fill:var(--on);opacity:.6}\n"
    ".outline,.axis,.mark{fill:none;stroke:var(--ink);stroke-width:1.2}\n"
    ".mark{stroke-dasharray:4 3}\n"
    ".scroll{margin-top:1rem;overflow-x:auto}\n"
    ".scroll:focus-visible{outline:2px solid var(--on)}\n"
    "table{border-spacing:0;line-height:1.5;font-variant-numeric:tabular-nums;overflow-wrap:normal}"
    "\n"
    "caption{padding-bottom:.5rem;text-align:left}\n"
    "th,td{padding:.25rem .5rem;border-bottom:1px solid var(--line);text-align:right;"
    "white-space:nowrap}\n"
    "[scope=row]{position:sticky;left:0;background:var(--page);text-align:left;"
    "font-weight:400}\n"
    "footer{margin-top:2.25rem;font-size:.875rem}\n"
    "@media print{body{padding:0;background:none}li{content-visibility:visible}"
    "figure,tr{break-inside:avoid}h2{break-after:avoid}.scroll{overflow:visible}}\n"
    "</style>\n";

/* ---- text ---- */

/* Between tags, or between double quotes in one. Controls and what is no UTF-8 have no place on a
 * page. */
static void write_some(FILE *file, const char *text, size_t count) {
    for (size_t i = 0, size; i < count; i += size) {
        size = ms_utf8_size(text + i);
        if (size == 0 || ms_is_control(text + i))
            fputs("&#xfffd;", file);
        else if (strchr("&<>\"'", text[i]))
            fprintf(file, "&#%d;", text[i]);
        else
            fwrite(text + i, 1, size, file);
        size = size ? size : 1;
    }
}

static void write_text(FILE *file, const char *text) {
    write_some(file, text, strlen(text));
}

/* The same of a name, in which a line may end after a slash or an underscore: spaces are rare. */
static void write_name(FILE *file, const char *text, size_t count) {
    for (size_t i = 0, size; i < count; i += size) {
        size = strcspn(text + i, "/_") + 1;
        size = size < count - i ? size : count - i;
        write_some(file, text + i, size);
        if (i + size < count)
            fputs("<wbr>", file);
    }
}

/* What ms_write_name makes of it, to be freed; NULL: no memory, which is noted. */
static char *shown_name(struct ms_page *page, const char *name) {
    char *text;
    size_t size;
    FILE *stream = ms_open_memory(&text, &size);
    if (stream)
        ms_write_name(stream, name);
    if (ms_close_memory(stream, &text))
        return text;
    page->out_of_memory = true;
    free(text);
    return NULL;
}

/* The file's own name, which is what people look for, and before it, less loud, its folder. So that
 * no name changes the direction of what is around it, it stands apart (bdi). */
static void write_path(struct ms_page *page, const char *name) {
    char *text = shown_name(page, name);
    if (!text)
        return;
    const char *slash = strrchr(text, '/'), *own = slash ? slash + 1 : text;
    fputs("<bdi>", page->file);
    if (own > text) {
        fputs("<small>", page->file);
        write_name(page->file, text, (size_t)(own - text));
        fputs("</small>", page->file);
    }
    write_name(page->file, own, strlen(own));
    fputs("</bdi>", page->file);
    free(text);
}

/* The same within a tag, or as the title: without the folder. */
static void write_own_name(struct ms_page *page, const char *name) {
    const char *slash = strrchr(name, '/');
    char *text = shown_name(page, slash ? slash + 1 : name);
    if (text)
        write_text(page->file, text);
    free(text);
}

static void write_element(struct ms_page *page, const char *open, const char *text,
                          const char *close) {
    fputs(open, page->file);
    write_text(page->file, text);
    fputs(close, page->file);
}

/* ---- pictures ---- */

/* Pixels along the longer side: sharp on a phone, where two cards fill the width; some 8 KB. */
enum { SIDE = 224, QUALITY = 75 };

static void write_data(FILE *file, const char *type, const void *bytes, size_t size) {
    fprintf(file, "<img src=\"data:%s;base64,", type);
    ms_write_base64(file, bytes, size);
    putc('"', file);
}

static uint32_t fit(uint32_t side, uint32_t longer) {
    uint32_t fitted = (uint32_t)(((uint64_t)side * SIDE + longer / 2) / longer);
    return longer <= SIDE ? side : fitted ? fitted : 1;
}

/* OUT_OF_MEMORY, or why there is no thumbnail: then nothing is written. */
static minisim_status write_pixels(struct ms_page *page, const minisim_pixels *pixels,
                                   struct ms_arena *arena, minisim_error *error) {
    const minisim_context_options *limits = &page->limits;
    minisim_region all = ms_pixels_picture(pixels);
    uint32_t longer = all.width > all.height ? all.width : all.height;
    uint32_t width = fit(all.width, longer), height = fit(all.height, longer);
    uint32_t background = limits->background_set ? limits->background : 0xffffff;
    uint8_t *rgb;
    char *bytes;
    size_t size;
    minisim_status status =
        ms_shrink_picture(pixels, background, width, height, arena, &rgb, error);
    if (status)
        return status;
    FILE *jpeg = ms_open_memory(&bytes, &size);
    if (jpeg)
        ms_write_jpeg(jpeg, rgb, width, height, QUALITY);
    bool good = ms_close_memory(jpeg, &bytes);
    if (good) {
        write_data(page->file, "image/jpeg", bytes, size);
        fprintf(page->file, " width=\"%u\" height=\"%u\" alt=\"", (unsigned)width,
                (unsigned)height);
    }
    free(bytes);
    return good ? MINISIM_OK : MINISIM_OUT_OF_MEMORY;
}

static void write_thumbnail(struct ms_page *page, const char *name) {
    uint64_t most = page->limits.max_memory;
    struct ms_arena arena;
    struct ms_picture picture;
    minisim_error error = {""};
    if (ferror(page->file)) /* nobody will see it */
        return;
    ms_arena_open(&arena, most < SIZE_MAX ? (size_t)most : SIZE_MAX);
    minisim_status status = ms_read_picture(name, &page->limits, &arena, &picture, &error);
    if (!status)
        status = write_pixels(page, &picture.pixels, &arena, &error);
    ms_arena_close(&arena);
    if (status == MINISIM_OUT_OF_MEMORY) {
        page->out_of_memory = true;
    } else if (status) {
        write_element(page, "<p class=\"none\">", error.text, "</p>\n");
    } else {
        write_own_name(page, name);
        fputs("\">\n", page->file);
    }
}

/* ---- the page ---- */

static void write_heading(struct ms_page *page, const char *what, const char *name,
                          const char *close, const char *about) {
    write_text(page->file, what);
    if (name) {
        putc(' ', page->file);
        write_path(page, name);
    }
    fputs(close, page->file);
    if (about)
        write_element(page, "<p class=\"soft\">", about, "</p>\n");
}

void ms_page_begin(struct ms_page *page, const char *what, const char *name, const char *about) {
    page->sections = 0;
    page->out_of_memory = false;
    fputs(head, page->file);
    write_element(page, "<title>", what, name ? " " : "");
    if (name)
        write_own_name(page, name);
    fputs("</title>\n</head>\n<body>\n<header>\n<h1>", page->file);
    write_heading(page, what, name, "</h1>\n", about);
    fputs("</header>\n<main>\n", page->file);
}

static void end_section(struct ms_page *page) {
    if (page->sections > 0)
        fputs("</section>\n", page->file);
}

bool ms_page_end(struct ms_page *page) {
    end_section(page);
    write_element(page, "</main>\n<footer>Made by minisim ", minisim_version(),
                  ". This file is whole: it loads nothing from elsewhere.</footer>\n</body>\n"
                  "</html>\n");
    return !page->out_of_memory;
}

void ms_page_section(struct ms_page *page, const char *what, const char *name, const char *about) {
    end_section(page);
    unsigned number = ++page->sections;
    fprintf(page->file, "<section aria-labelledby=\"s%u\">\n<h2 id=\"s%u\">", number, number);
    write_heading(page, what, name, "</h2>\n", about);
}

void ms_page_cards_begin(struct ms_page *page) {
    fputs("<ul>\n", page->file);
}

void ms_page_card(struct ms_page *page, const struct ms_card *card) {
    fprintf(page->file, "<li%s><figure>\n", card->chosen ? " class=\"on\"" : "");
    if (card->missing)
        write_element(page, "<p class=\"none\">", card->missing, "</p>\n");
    else
        write_thumbnail(page, card->name);
    write_element(page, "<figcaption><strong>", card->head, "</strong>");
    if (card->note)
        write_element(page, "<p>", card->note, "</p>");
    write_path(page, card->name);
    fputs("</figcaption></figure></li>\n", page->file);
}

void ms_page_cards_end(struct ms_page *page) {
    fputs("</ul>\n", page->file);
}

void ms_page_figure_begin(struct ms_page *page) {
    fputs("<figure class=\"wide\">\n", page->file);
}

void ms_page_figure_end(struct ms_page *page, const char *caption) {
    write_element(page, "<figcaption>", caption, "</figcaption></figure>\n");
}

void ms_page_figure(struct ms_page *page, const char *type, const void *bytes, size_t size,
                    const char *word, const char *caption) {
    ms_page_figure_begin(page);
    write_data(page->file, type, bytes, size);
    write_element(page, " alt=\"", word, "\">\n");
    ms_page_figure_end(page, caption);
}

/* Who has no mouse scrolls what is too wide with the keys. */
void ms_page_table_begin(struct ms_page *page, const char *caption) {
    write_element(page, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"",
                  caption, "\"><table>\n<caption>");
    write_element(page, "", caption, "</caption>\n");
}

void ms_page_row_begin(struct ms_page *page) {
    fputs("<tr>", page->file);
}

void ms_page_heading(struct ms_page *page, bool of_row, const char *text) {
    write_element(page, of_row ? "<th scope=\"row\">" : "<th scope=\"col\">", text, "</th>");
}

void ms_page_cell(struct ms_page *page, const char *text) {
    write_element(page, "<td>", text, "</td>");
}

void ms_page_row_end(struct ms_page *page) {
    fputs("</tr>\n", page->file);
}

void ms_page_table_end(struct ms_page *page) {
    fputs("</table></div>\n", page->file);
}

/*
 * draw FOLDER: the pictures of the demo and of the tests. Draws a ball, a house and a tree, each
 * from several angles and in several colours, as 160 x 160 PPM files NAME-VARIANT.ppm, the same
 * bytes on every machine.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { side = 160, samples = 3 };

struct colour {
    double r, g, b;
};

struct variant {
    const char *name;
    double angle, scale; /* radians; 1: the thing fills the picture */
    struct colour paint, ground;
};

static const struct variant variants[] = {
    {"red", 0.0, 1.0, {0.82, 0.15, 0.12}, {0.93, 0.93, 0.90}},
    {"red-turned", 0.25, 0.85, {0.78, 0.18, 0.12}, {0.90, 0.92, 0.93}},
    {"blue", -0.15, 0.95, {0.12, 0.25, 0.75}, {0.93, 0.92, 0.88}},
};

static struct colour shade(struct colour c, double by) {
    return (struct colour){c.r * by, c.g * by, c.b * by};
}

static int inside_box(double x, double y, double left, double top, double right, double bottom) {
    return x >= left && x <= right && y >= top && y <= bottom;
}

/* A ball with a highlight, a band and a shadow. Coordinates are -1 to 1, y downward. */
static struct colour ball(double x, double y, const struct variant *v) {
    double r = sqrt(x * x + y * y);
    if (r < 0.72) {
        double light = 1.15 - 0.75 * sqrt((x + 0.25) * (x + 0.25) + (y + 0.3) * (y + 0.3));
        struct colour c = fabs(y - 0.25 * x) < 0.1 ? (struct colour){0.95, 0.95, 0.92} : v->paint;
        return shade(c, light < 0.25 ? 0.25 : light);
    }
    double sx = x / 0.8, sy = (y - 0.78) / 0.14;
    return sx * sx + sy * sy < 1 ? shade(v->ground, 0.6) : v->ground;
}

/* A house: walls, roof, door, two windows, a lawn. */
static struct colour house(double x, double y, const struct variant *v) {
    if (inside_box(x, y, -0.08, 0.35, 0.16, 0.75))
        return (struct colour){0.35, 0.22, 0.12};
    if (inside_box(x, y, -0.45, 0.05, -0.2, 0.3) || inside_box(x, y, 0.25, 0.05, 0.5, 0.3))
        return (struct colour){0.75, 0.88, 0.95};
    if (inside_box(x, y, -0.6, -0.1, 0.65, 0.75))
        return (struct colour){0.92, 0.86, 0.72};
    if (y > -0.7 && y < -0.1 && fabs(x - 0.02) < (y + 0.7) * 1.3)
        return shade(v->paint, 0.8 + 0.2 * (sin(40 * y) > 0));
    if (inside_box(x, y, 0.3, -0.75, 0.45, -0.3))
        return (struct colour){0.5, 0.3, 0.25};
    return y > 0.75 ? (struct colour){0.35, 0.6, 0.3} : v->ground;
}

/* A tree: a trunk, a crown of discs, fruit in the variant's colour. */
static struct colour tree(double x, double y, const struct variant *v) {
    static const double discs[5][3] = {{0, -0.45, 0.38},
                                       {-0.35, -0.2, 0.32},
                                       {0.36, -0.2, 0.33},
                                       {0, -0.05, 0.35},
                                       {0.1, -0.3, 0.4}};
    for (int i = 0; i < 7; i++) {
        double dx = x + 0.45 - 0.15 * i, dy = y + 0.25 + 0.16 * sin(2.4 * i);
        if (dx * dx + dy * dy < 0.005)
            return v->paint;
    }
    for (int i = 0; i < 5; i++) {
        double dx = x - discs[i][0], dy = y - discs[i][1];
        if (dx * dx + dy * dy < discs[i][2] * discs[i][2])
            return shade((struct colour){0.18, 0.5, 0.16}, 0.8 + 0.35 * sin(25 * x) * sin(23 * y));
    }
    if (fabs(x) < 0.09 + 0.06 * (y > 0.6) && y > 0 && y < 0.85)
        return shade((struct colour){0.45, 0.3, 0.16}, 0.85 + 0.15 * sin(60 * x));
    return y > 0.8 ? (struct colour){0.4, 0.6, 0.3} : v->ground;
}

typedef struct colour thing(double x, double y, const struct variant *v);

static unsigned char byte_of(double value) {
    return (unsigned char)(value < 0 ? 0 : value > 1 ? 255 : value * 255 + 0.5);
}

static void draw_pixel(thing *draw, const struct variant *v, int px, int py, unsigned char to[3]) {
    struct colour sum = {0, 0, 0};
    double c = cos(v->angle), s = sin(v->angle);
    for (int i = 0; i < samples * samples; i++) {
        double x = (px + (i % samples + 0.5) / samples) * 2 / side - 1;
        double y = (py + (i / samples + 0.5) / samples) * 2 / side - 1;
        struct colour at = draw((c * x + s * y) / v->scale, (c * y - s * x) / v->scale, v);
        sum = (struct colour){sum.r + at.r, sum.g + at.g, sum.b + at.b};
    }
    to[0] = byte_of(sum.r / (samples * samples));
    to[1] = byte_of(sum.g / (samples * samples));
    to[2] = byte_of(sum.b / (samples * samples));
}

static int draw_file(const char *folder, const char *name, thing *draw, const struct variant *v) {
    static unsigned char pixels[side * side * 3];
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s-%s.ppm", folder, name, v->name) >= (int)sizeof path)
        return 0;
    for (int i = 0; i < side * side; i++)
        draw_pixel(draw, v, i % side, i / side, pixels + 3 * i);
    FILE *file = fopen(path, "wb");
    if (!file)
        return 0;
    fprintf(file, "P6\n%d %d\n255\n", side, side);
    size_t written = fwrite(pixels, 1, sizeof pixels, file);
    return (fclose(file) == 0) & (written == sizeof pixels);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "draw FOLDER\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (!draw_file(argv[1], "ball", ball, &variants[i]) ||
            !draw_file(argv[1], "house", house, &variants[i]) ||
            !draw_file(argv[1], "tree", tree, &variants[i])) {
            perror(argv[1]);
            return 4;
        }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * A picture of the Mandelbrot set: mandelbrot [--width N] [--height N] [--iterations N]
 *                                            [--output FILE]
 *
 * Each row is a task. Rows take very different times, those through the middle of the set the
 * longest. The farm evens that out, since each slave gets the next row when it has finished one.
 * Rows come back in any order, as raw bytes; the tag is the number of the row. The file is a PPM,
 * which most viewers can read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mw/mw.h>

#define SIDE_MAX 30000
#define ITERATIONS_MAX 100000000
#define BYTES_PER_PIXEL 3

/* Coordinates are integers with 28 bits behind the point, because another machine may round
 * floating point numbers differently. Coordinates of -2..2 have squares whose sum fits into 64
 * bits. */
#define ONE (INT64_C(1) << 28)
#define LIMIT (2 * ONE)
#define MIDDLE (-3 * ONE / 4)
#define VIEW_WIDTH (3 * ONE)
#define VIEW_HEIGHT (5 * ONE / 2)

struct settings {
    int width, height, iterations;
    const char *output;
};

/* The distance of two pixels at which the whole set is in the picture. */
static int64_t find_step(int width, int height)
{
    int64_t across = VIEW_WIDTH / width, down = VIEW_HEIGHT / height;
    return across > down ? across : down;
}

/* How many times z = z * z + c can be done, from 0, until z is further than 2 from 0. */
static int count_iterations(int64_t c_x, int64_t c_y, int iterations)
{
    int64_t x = 0, y = 0;
    for (int i = 0; i < iterations; i++) {
        if (x < -LIMIT || x > LIMIT || y < -LIMIT || y > LIMIT || x * x + y * y > LIMIT * LIMIT)
            return i;
        int64_t next_x = (x * x - y * y) / ONE + c_x;
        y = 2 * x * y / ONE + c_y;
        x = next_x;
    }
    return iterations;
}

/* The set is black. Around it the colours repeat as the count grows. */
static void paint(unsigned char *pixel, int count, int iterations)
{
    if (count == iterations) {
        memset(pixel, 0, BYTES_PER_PIXEL);
        return;
    }
    pixel[0] = (unsigned char)(count * 5 % 256);
    pixel[1] = (unsigned char)(count * 11 % 256);
    pixel[2] = (unsigned char)(255 - count * 3 % 256);
}

static void compute_row(unsigned char *row, int number, const struct settings *settings)
{
    int64_t step = find_step(settings->width, settings->height);
    int64_t y = (settings->height - 1 - 2 * number) * step / 2;
    for (int i = 0; i < settings->width; i++) {
        int64_t x = MIDDLE + (2 * i - settings->width + 1) * step / 2;
        paint(row + i * BYTES_PER_PIXEL, count_iterations(x, y, settings->iterations),
              settings->iterations);
    }
}

/* Runs in a slave. */
static void draw_row(mw_call *call)
{
    struct settings settings;
    int number;
    if (mw_call_args(call, "iiii", &number, &settings.width, &settings.height,
                     &settings.iterations) != MW_OK)
        return;
    size_t size = (size_t)settings.width * BYTES_PER_PIXEL;
    unsigned char *row = malloc(size);
    if (row == NULL) {
        mw_call_fail(call, "no memory for a row of %zu bytes", size);
        return;
    }
    compute_row(row, number, &settings);
    mw_call_return_bytes_take(call, row, size);
}

/* Puts the rows into their places in the image; returns how many came. */
static int take_rows(mw_master *farm, unsigned char *image, size_t row_size)
{
    const mw_result *result;
    int count = 0;
    while ((result = mw_master_next(farm)) != NULL) {
        if (result->outcome == MW_DONE && result->is_bytes && result->size == row_size) {
            memcpy(image + (size_t)result->tag * row_size, result->data, row_size);
            count++;
        } else {
            fprintf(stderr, "mandelbrot: row %d: %s\n", (int)result->tag,
                    result->outcome == MW_DONE ? "of a wrong size" : result->message);
        }
    }
    return count;
}

static bool draw_image(mw_master *farm, const struct settings *settings, unsigned char *image)
{
    for (int row = 0; row < settings->height; row++)
        mw_master_submit(farm, &(mw_task){.algorithm = "draw_row", .tag = row}, "iiii", row,
                         settings->width, settings->height, settings->iterations);
    return take_rows(farm, image, (size_t)settings->width * BYTES_PER_PIXEL) == settings->height;
}

static void complain(const struct settings *settings, int reason)
{
    fprintf(stderr, "mandelbrot: cannot write \"%s\": %s\n", settings->output, strerror(reason));
}

/* Closes the file too, since the last bytes may be written only then and fail on a full disk. */
static bool write_image(FILE *file, const struct settings *settings, const unsigned char *image)
{
    size_t size = (size_t)settings->width * (size_t)settings->height * BYTES_PER_PIXEL;
    bool is_written = fprintf(file, "P6\n%d %d\n255\n", settings->width, settings->height) > 0 &&
                      fwrite(image, 1, size, file) == size && fflush(file) == 0;
    int reason = errno;
    if (fclose(file) != 0 && is_written) {
        is_written = false;
        reason = errno;
    }
    if (!is_written)
        complain(settings, reason);
    return is_written;
}

struct option {
    const char *name;
    int *number;
    int max;
};

static bool read_number(const struct option *option, const char *value)
{
    char *end;
    errno = 0;
    long number = strtol(value, &end, 10);
    if (end == value || *end != '\0' || errno != 0 || number < 1 || number > option->max) {
        fprintf(stderr, "mandelbrot: %s \"%s\" is not a number in 1..%d\n", option->name, value,
                option->max);
        return false;
    }
    *option->number = (int)number;
    return true;
}

static bool read_option(const char *name, const char *value, struct settings *settings)
{
    const struct option options[] = {
        {"--width", &settings->width, SIDE_MAX},
        {"--height", &settings->height, SIDE_MAX},
        {"--iterations", &settings->iterations, ITERATIONS_MAX},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (strcmp(name, options[i].name) == 0)
            return read_number(&options[i], value);
    if (strcmp(name, "--output") != 0) {
        fprintf(stderr, "mandelbrot: unknown argument \"%s\"\n", name);
        return false;
    }
    if (value[0] == '\0') {
        fprintf(stderr, "mandelbrot: --output wants the name of a file\n");
        return false;
    }
    settings->output = value;
    return true;
}

/* Opens the file first, so that a name that cannot be written does not cost hours of computing. */
static bool make_picture(mw_master *farm, const struct settings *settings)
{
    size_t size = (size_t)settings->width * (size_t)settings->height * BYTES_PER_PIXEL;
    unsigned char *image = malloc(size);
    if (image == NULL) {
        fprintf(stderr, "mandelbrot: no memory for an image of %zu bytes\n", size);
        return false;
    }
    FILE *file = fopen(settings->output, "wb");
    bool is_made = false;
    if (file == NULL)
        complain(settings, errno);
    else if (draw_image(farm, settings, image))
        is_made = write_image(file, settings, image);
    else
        fclose(file);
    free(image);
    return is_made;
}

static int master(mw_master *farm, int argc, char **argv)
{
    struct settings settings = {
        .width = 960, .height = 800, .iterations = 1000, .output = "mandelbrot.ppm"};
    /* mw_main has taken mw's own options out; the arguments that are left are the program's. */
    for (int i = 1; i < argc; i += 2)
        if (!read_option(argv[i], i + 1 < argc ? argv[i + 1] : "", &settings))
            return 2;
    if (!make_picture(farm, &settings))
        return 1;
    printf("%d x %d pixels are in \"%s\".\n", settings.width, settings.height, settings.output);
    return 0;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"draw_row", draw_row}, {0}};
    return mw_main(&(mw_program){.algorithms = algorithms, .master = master}, argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The picture that the example mandelbrot draws is the right one, and the same byte for byte in
 * every mode and with any number of slaves.
 */
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "mwt_process.h"
#include "mwt_run.h"

/* Open MPI itself does not free all its memory. */
#define NO_LEAK_CHECK "ASAN_OPTIONS=detect_leaks=0"

#define ARGV_MAX 24
#define SLAVES_MAX 4
#define SIZE "--width", "60", "--height", "50", "--iterations", "300"
#define HEADER "P6\n60 50\n255\n"
#define HEADER_SIZE (sizeof HEADER - 1)
#define IMAGE_SIZE (HEADER_SIZE + 60 * 50 * 3)

/* The FNV-1a hash of the file that another program, in Python, wrote for this size. */
#define CHECKSUM UINT64_C(0xe0d89510e766e962)

struct mode {
    const char *name;
    const char *launcher[4]; /* empty: the program itself */
    const char *options[8];
    size_t slaves_count; /* slaves that are started to join over TCP */
};

static const struct mode modes[] = {
    {.name = "local, 1 slave", .options = {"--mw-local", "1"}},
    {.name = "local, 2 slaves", .options = {"--mw-local", "2"}},
    {.name = "local, 4 slaves", .options = {"--mw-local", "4"}},
    {.name = "local, groups",
     .options = {"--mw-local", "3", "--mw-slave-task-group", "7", "--mw-slave-result-group", "5"}},
    {.name = "tcp, 1 slave",
     .options = {"--mw-master", "--mw-transport", "tcp", "--mw-master-host", "127.0.0.1"},
     .slaves_count = 1},
    {.name = "tcp, 3 slaves",
     .options = {"--mw-master", "--mw-transport", "tcp", "--mw-master-host", "127.0.0.1"},
     .slaves_count = 3},
#ifdef MWT_MPIEXEC
    {.name = "mpi, 2 ranks", .launcher = {MWT_MPIEXEC, "-n", "2"}},
    {.name = "mpi, 3 ranks",
     .launcher = {MWT_MPIEXEC, "-n", "3"},
     .options = {"--mw-transport", "mpi"}},
    {.name = "mpi, 3 ranks, and tcp, 2 slaves",
     .launcher = {MWT_MPIEXEC, "-n", "3"},
     .options = {"--mw-transport", "mpi,tcp", "--mw-master-host", "127.0.0.1"},
     .slaves_count = 2},
#endif
};

static size_t add_words(const char **argv, size_t count, const char *const *words)
{
    while (*words != NULL && count < ARGV_MAX - 1)
        argv[count++] = *words++;
    return count;
}

/* Starts the example with arguments for the picture behind the options. */
static struct mwt_process *start(struct mwt_crew *crew, const char *const *launcher,
                                 const char *const *options, const char *const *rest)
{
    const char *argv[ARGV_MAX] = {NULL};
    size_t count = add_words(argv, 0, launcher);
    count = add_words(argv, count, MWT_ARGV(MWT_MANDELBROT, "--mw-quiet"));
    count = add_words(argv, count, options);
    add_words(argv, count, rest);
    return mwt_start(
        crew,
        &(struct mwt_start){.argv = argv,
                            .environment = launcher[0] == NULL ? NULL : MWT_ARGV(NO_LEAK_CHECK)});
}

/* Reads the picture into a buffer with a spare byte. Returns its size, or 0 if there is no
 * picture. */
static size_t read_image(const char *path, unsigned char image[IMAGE_SIZE + 1])
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return 0;
    size_t size = fread(image, 1, IMAGE_SIZE + 1, file);
    fclose(file);
    return size;
}

static uint64_t fnv1a(const unsigned char *data, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static const unsigned char *pixel(const unsigned char *image, size_t column, size_t row)
{
    return image + HEADER_SIZE + 3 * (60 * row + column);
}

/* The middle of the set is black; the corner, far out, escapes at once. */
static void check_image(const char *path, const struct mode *mode)
{
    static unsigned char image[IMAGE_SIZE + 1];
    size_t size = read_image(path, image);
    CU_ASSERT_EQUAL(size, IMAGE_SIZE);
    CU_ASSERT_EQUAL(memcmp(image, HEADER, HEADER_SIZE), 0);
    CU_ASSERT_EQUAL(memcmp(pixel(image, 30, 25), "\0\0\0", 3), 0);
    CU_ASSERT_EQUAL(memcmp(pixel(image, 0, 0), "\5\13\374", 3), 0);
    uint64_t checksum = fnv1a(image, size);
    CU_ASSERT_EQUAL(checksum, CHECKSUM);
    if (checksum != CHECKSUM)
        fprintf(stderr, "%s: another picture, %016llx\n", mode->name, (unsigned long long)checksum);
}

static void run_mode(const struct mode *mode)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *resources = mwt_path(crew, "m.rsc"), *output = mwt_path(crew, "m.ppm");
    const char *options[16] = {NULL};
    struct mwt_process *slaves[SLAVES_MAX];

    size_t count = add_words(options, 0, mode->options);
    if (mode->slaves_count > 0)
        add_words(options, count, MWT_ARGV("--mw-resource-file", resources));
    struct mwt_process *farm =
        start(crew, mode->launcher, options, MWT_ARGV(SIZE, "--output", output));
    for (size_t i = 0; i < mode->slaves_count; i++)
        slaves[i] = start(crew, MWT_ARGV(NULL),
                          MWT_ARGV("--mw-slave", "--mw-resource-file", resources), MWT_ARGV(SIZE));

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    check_image(output, mode);
    CU_ASSERT_STRING_EQUAL(mwt_output(farm, MWT_OUT),
                           mwt_format(crew, "60 x 50 pixels are in \"%s\".\n", output));
    for (size_t i = 0; i < mode->slaves_count; i++) {
        CU_ASSERT_EQUAL(mwt_await_end(slaves[i]), 0);
        CU_ASSERT_STRING_EQUAL(mwt_output(slaves[i], MWT_OUT), "");
    }
    mwt_crew_destroy(crew);
}

/* The same picture in every mode. */
static void test_modes(void)
{
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        run_mode(&modes[i]);
#ifndef MWT_MPIEXEC
    mwt_not_run("mandelbrot over MPI", "this build has MW_WITH_MPI=OFF");
#endif
}

/* A picture that cannot be written, at the start or at the end, is one line of error and status
 * 1. */
static void test_no_file(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *nowhere = mwt_path(crew, "nowhere/m.ppm");

    struct mwt_process *absent = start(crew, MWT_ARGV(NULL), MWT_ARGV("--mw-local", "1"),
                                       MWT_ARGV(SIZE, "--output", nowhere));
    struct mwt_process *full = start(crew, MWT_ARGV(NULL), MWT_ARGV("--mw-local", "1"),
                                     MWT_ARGV(SIZE, "--output", "/dev/full"));

    CU_ASSERT_EQUAL(mwt_await_end(absent), 1);
    CU_ASSERT_STRING_EQUAL(
        mwt_output(absent, MWT_ERR),
        mwt_format(crew, "mandelbrot: cannot write \"%s\": No such file or directory\n", nowhere));
    CU_ASSERT_STRING_EQUAL(mwt_output(absent, MWT_OUT), "");
    CU_ASSERT_EQUAL(mwt_await_end(full), 1);
    CU_ASSERT_STRING_EQUAL(mwt_output(full, MWT_ERR),
                           "mandelbrot: cannot write \"/dev/full\": No space left on device\n");
    CU_ASSERT_STRING_EQUAL(mwt_output(full, MWT_OUT), "");
    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"modes", test_modes},
        {"no file", test_no_file},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("mandelbrot", tests);
}

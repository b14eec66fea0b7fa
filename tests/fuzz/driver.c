/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a fuzz function without libFuzzer. With files as arguments, it runs the function on their
 * contents: this replays a crash. Without, it runs it on MW_FUZZ_RUNS random inputs (20,000 if not
 * set) from a seed that it prints; MW_TEST_SEED replays them.
 *
 * Each input is a block of exactly its size, so that a sanitizer or valgrind notices the first
 * byte that is read beyond it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fuzz.h"

#define INPUT_BYTES_MAX 512
#define RUNS_DEFAULT 20000

/* The splitmix64 sequence. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t mixed = *state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

/* Fills data with bytes of one of four kinds: any, small, digits, printable. The kind changes now
 * and then, so that text formats and binary formats both get plausible input for a while. */
static void fill(uint8_t *data, size_t size, uint64_t *state)
{
    static const struct {
        uint8_t first, count_less_1;
    } kinds[] = {{0, 255}, {0, 31}, {'0', 9}, {' ', 94}};
    size_t kind = 0;
    for (size_t i = 0; i < size; i++) {
        uint64_t random = next_random(state);
        if (random % 8 == 0)
            kind = (random >> 8) % (sizeof kinds / sizeof kinds[0]);
        data[i] = (uint8_t)(kinds[kind].first + (random >> 16) % (kinds[kind].count_less_1 + 1u));
    }
}

static int run_random(uint64_t seed, uint64_t runs)
{
    uint64_t state = seed;
    for (uint64_t i = 0; i < runs; i++) {
        size_t size = next_random(&state) % (INPUT_BYTES_MAX + 1);
        uint8_t *data = malloc(size);
        if (data == NULL && size > 0)
            return EXIT_FAILURE;
        fill(data, size, &state);
        LLVMFuzzerTestOneInput(data, size);
        free(data);
    }
    return EXIT_SUCCESS;
}

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    long size = -1;
    int status = EXIT_FAILURE;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0)
        data = malloc((size_t)size + (size == 0));
    if (data != NULL) {
        rewind(file);
        if (fread(data, 1, (size_t)size, file) == (size_t)size) {
            LLVMFuzzerTestOneInput(data, (size_t)size);
            status = EXIT_SUCCESS;
        }
    }
    if (status != EXIT_SUCCESS)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    free(data);
    if (file != NULL)
        fclose(file);
    return status;
}

int main(int argc, char **argv)
{
    const char *seed_text = getenv("MW_TEST_SEED");
    const char *runs_text = getenv("MW_FUZZ_RUNS");
    uint64_t seed = seed_text != NULL ? strtoull(seed_text, NULL, 10) : (uint64_t)time(NULL);
    uint64_t runs = runs_text != NULL ? strtoull(runs_text, NULL, 10) : RUNS_DEFAULT;
    int status = EXIT_SUCCESS;
    if (argc == 1) {
        printf("%" PRIu64 " random inputs; replay with MW_TEST_SEED=%" PRIu64 "\n", runs, seed);
        fflush(stdout);
        return run_random(seed, runs);
    }
    for (int i = 1; i < argc; i++)
        if (run_file(argv[i]) != EXIT_SUCCESS)
            status = EXIT_FAILURE;
    return status;
}

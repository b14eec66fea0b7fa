/* SPDX-License-Identifier: Apache-2.0
 *
 * Pi by throwing darts at a square: monte_carlo_pi [--max-trial-sets N] [--trials N] [--seed S]
 *
 * Each task is a set of trials with random numbers of its own. They depend on the seed and the
 * number of the set alone, not on the slave or the order, so the output is the same in every mode.
 * The numbers come from the counter-based generator Philox4x32-10: a function of a key, here the
 * seed, and a counter, which no two sets share. See J. K. Salmon, M. A. Moraes, R. O. Dror and
 * D. E. Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC11, doi:10.1145/2063384.2063405.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mw/mw.h>

#define PHILOX_ROUNDS 10
#define NUMBERS_PER_BLOCK 4

struct settings {
    uint64_t max_trial_sets, trials, seed;
};

/* Mixes a counter into four random numbers. */
static void philox(uint64_t key, uint32_t numbers[NUMBERS_PER_BLOCK])
{
    uint32_t key_low = (uint32_t)key, key_high = (uint32_t)(key >> 32);
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        uint64_t left = UINT64_C(0xD2511F53) * numbers[0];
        uint64_t right = UINT64_C(0xCD9E8D57) * numbers[2];
        numbers[0] = (uint32_t)(right >> 32) ^ numbers[1] ^ key_low;
        numbers[1] = (uint32_t)right;
        numbers[2] = (uint32_t)(left >> 32) ^ numbers[3] ^ key_high;
        numbers[3] = (uint32_t)left;
        key_low += UINT32_C(0x9E3779B9);
        key_high += UINT32_C(0xBB67AE85);
    }
}

/* Whether a dart at these coordinates hits the quarter of a circle. Only the upper 31 bits of each
 * coordinate are used, as integers: another machine may round floating point numbers
 * differently. */
static bool is_hit(uint32_t x, uint32_t y)
{
    uint64_t wide_x = x >> 1, wide_y = y >> 1;
    return wide_x * wide_x + wide_y * wide_y < UINT64_C(1) << 62;
}

/* One block of numbers makes two darts. The last block makes one if trials is odd. */
static uint64_t count_hits(uint64_t seed, uint64_t set, uint64_t trials)
{
    uint64_t hits = 0;
    for (uint64_t trial = 0; trial < trials; trial += 2) {
        uint64_t block = trial / 2;
        uint32_t numbers[NUMBERS_PER_BLOCK] = {(uint32_t)block, (uint32_t)(block >> 32),
                                               (uint32_t)set, (uint32_t)(set >> 32)};
        philox(seed, numbers);
        hits += is_hit(numbers[0], numbers[1]);
        if (trial + 1 < trials)
            hits += is_hit(numbers[2], numbers[3]);
    }
    return hits;
}

/* Runs in a slave. */
static void throw_darts(mw_call *call)
{
    uint64_t seed, set, trials;
    if (mw_call_args(call, "uuu", &seed, &set, &trials) == MW_OK)
        mw_call_return(call, "u", count_hits(seed, set, trials));
}

/* Adds up in integers, so that the order of arrival does not matter; returns how many sets came. */
static uint64_t add_hits(mw_master *farm, uint64_t *hits)
{
    const mw_result *result;
    uint64_t more, sets_count = 0;
    while ((result = mw_master_next(farm)) != NULL) {
        if (result->outcome == MW_DONE && mw_result_get(result, "u", &more) == MW_OK) {
            *hits += more;
            sets_count++;
        } else {
            fprintf(stderr, "monte_carlo_pi: set %lld: %s\n", (long long)result->tag,
                    result->outcome == MW_DONE ? mw_master_error(farm) : result->message);
        }
    }
    return sets_count;
}

/* The hits are binomially distributed, which gives the standard error. */
static void print_estimate(uint64_t hits, uint64_t trials)
{
    double share = (double)hits / (double)trials;
    double error = sqrt(share * (1 - share) / (double)trials);
    printf("%llu of %llu darts hit.\n", (unsigned long long)hits, (unsigned long long)trials);
    printf("Pi is about %.9f, standard error %.9f.\n", 4 * share, 4 * error);
}

struct option {
    const char *name;
    uint64_t *number;
    uint64_t min, max;
};

static bool read_number(const struct option *option, const char *value)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    /* strtoull takes signs too. */
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 || number < option->min ||
        number > option->max) {
        fprintf(stderr, "monte_carlo_pi: %s \"%s\" is not a number in %llu..%llu\n", option->name,
                value, (unsigned long long)option->min, (unsigned long long)option->max);
        return false;
    }
    *option->number = number;
    return true;
}

/* mw_main has taken mw's own options out; the arguments that are left are the program's. */
static bool read_options(int argc, char **argv, struct settings *settings)
{
    const struct option options[] = {
        {"--max-trial-sets", &settings->max_trial_sets, 1, 1000000},
        {"--trials", &settings->trials, 1, UINT64_C(1000000000000)},
        {"--seed", &settings->seed, 0, UINT64_MAX},
    };
    for (int i = 1; i < argc; i += 2) {
        size_t at = 0;
        while (at < 3 && strcmp(argv[i], options[at].name) != 0)
            at++;
        if (at == 3) {
            fprintf(stderr, "monte_carlo_pi: unknown argument \"%s\"\n", argv[i]);
            return false;
        }
        if (!read_number(&options[at], i + 1 < argc ? argv[i + 1] : ""))
            return false;
    }
    return true;
}

static int master(mw_master *farm, int argc, char **argv)
{
    struct settings settings = {.max_trial_sets = 100, .trials = 10000000, .seed = 1};
    uint64_t hits = 0;
    if (!read_options(argc, argv, &settings))
        return 2;
    for (uint64_t set = 0; set < settings.max_trial_sets; set++)
        mw_master_submit(farm, &(mw_task){.algorithm = "throw_darts", .tag = (int64_t)set}, "uuu",
                         settings.seed, set, settings.trials);
    if (add_hits(farm, &hits) < settings.max_trial_sets)
        return 1;
    print_estimate(hits, settings.max_trial_sets * settings.trials);
    return 0;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"throw_darts", throw_darts}, {0}};
    return mw_main(&(mw_program){.algorithms = algorithms, .master = master}, argc, argv);
}

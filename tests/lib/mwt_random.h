/* SPDX-License-Identifier: Apache-2.0
 *
 * Random numbers from a seed that is printed; MW_TEST_SEED replays it. All code is in this header,
 * so that a test needs no other source for it.
 */
#ifndef MWT_RANDOM_H
#define MWT_RANDOM_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct mwt_random {
    uint64_t state;
};

/* Starts from MW_TEST_SEED, or from the time if that is not set, and prints how to replay it. */
static inline void mwt_random_start(struct mwt_random *random)
{
    const char *given = getenv("MW_TEST_SEED");
    random->state = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf(" (MW_TEST_SEED=%" PRIu64 ") ", random->state);
    fflush(stdout);
}

/* The splitmix64 sequence. */
static inline uint64_t mwt_random_next(struct mwt_random *random)
{
    uint64_t mixed = random->state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

/* A number from 0 to limit - 1. */
static inline size_t mwt_random_below(struct mwt_random *random, size_t limit)
{
    return (size_t)(mwt_random_next(random) % limit);
}

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Tasks that compute for a time drawn beforehand, for mw_work and pure_work alike: how they are
 * drawn, how they are run, and what list scheduling makes of them.
 */
#ifndef MWT_WORK_H
#define MWT_WORK_H

#include <stddef.h>
#include <stdint.h>

#include "bench.h"

/* What the options say. */
struct mwt_work {
    size_t mean_us;       /* --mean-us */
    size_t sigma_percent; /* --sigma-percent: of the normal distribution in the exponent; 0 gives
                             tasks that all take the mean */
    size_t seed;          /* --seed */
};

/* The lengths of so many tasks in nanoseconds, log-normal with that mean; free() them. */
int64_t *mwt_work_draw(const struct mwt_work *work, size_t count);

/* Computes until this thread has used so much processor time. Time for which the thread is not run
 * does not count, so that what a farm takes from its own slaves is seen. */
void mwt_work_spin(int64_t duration_ns);

/* When the last task ends if each goes, in order, to the first of `workers` that is free, and
 * nothing else costs anything. */
double mwt_work_ideal_s(const int64_t *lengths_ns, size_t count, size_t workers);

/* Prints the line of JSON. */
int mwt_work_report(const struct mwt_bench *bench, const struct mwt_work *work,
                    const int64_t *lengths_ns);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Tasks that compute, for programs with a farm and without one alike: drawing their times, running
 * them, processes for those without a farm, and the time that list scheduling would need.
 */
#ifndef MWT_WORK_H
#define MWT_WORK_H

#include <stddef.h>
#include <stdint.h>

#include "bench.h"

/* The values of the options. */
struct mwt_work {
    size_t mean_us;       /* --mean-us */
    size_t sigma_percent; /* --sigma-percent: of the normal distribution in the exponent; 0 gives
                             tasks that all take the mean */
    size_t seed;          /* --seed */
};

/* Draws the lengths of `count` tasks in nanoseconds, log-normal with the mean of `work`. The caller
 * frees them. */
int64_t *mwt_work_draw(const struct mwt_work *work, size_t count);

/* Computes until this thread has used `duration_ns` of processor time. Time in which the thread
 * does not run does not count, so that time that a farm takes away from its slaves shows. */
void mwt_work_spin(int64_t duration_ns);

/* Computes `rounds` multiplications, and each needs the product of the one before. It looks at no
 * clock, so it serves for tasks that are shorter than such a look. Returns the last product, which
 * the caller must use. */
uint64_t mwt_work_compute(uint64_t rounds);

/* How many rounds this thread computes in a nanosecond of its processor time: the best of several
 * attempts, which take some milliseconds together. */
double mwt_work_rounds_per_ns(void);

/* Calls compute(context) in `workers` processes, and waits until all have returned. False if one
 * could not be forked, or did not end well. */
bool mwt_work_fork(size_t workers, void (*compute)(void *context), void *context);

/* The time at which the last task ends if each goes, in order, to the first of `workers` that is
 * free, and nothing else takes time. */
double mwt_work_ideal_s(const int64_t *lengths_ns, size_t count, size_t workers);

/* Prints the line of JSON. Returns the exit status. */
int mwt_work_report(const struct mwt_bench *bench, const struct mwt_work *work,
                    const int64_t *lengths_ns);

/* Prints the line of JSON of a program whose tasks compute `rounds` rounds each. Returns the exit
 * status. */
int mwt_work_report_rounds(const struct mwt_bench *bench, uint64_t rounds);

#endif

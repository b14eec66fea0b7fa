/* SPDX-License-Identifier: Apache-2.0
 *
 * Measures how short tasks may be. It runs --tasks that each compute for --task-ns of processor
 * time, and prints how much was computed per second in all; peak_work prints the same without a
 * farm. The ratio of the two is the farm's efficiency at this length.
 *
 * Such tasks are too short to look at a clock, so a task computes a number of rounds instead, which
 * the master finds out for its own processor. With --values 1, arguments and results are a value of
 * a format string, otherwise raw bytes. At most AHEAD tasks are submitted and not yet back.
 */
#include <mw/mw.h>

#include <stdio.h>
#include <string.h>

#include "mwt_await.h"
#include "work.h"

#define AHEAD ((size_t)100000)

struct grain {
    struct mwt_bench bench;
    mw_master *master;
    size_t task_ns;    /* --task-ns */
    size_t has_values; /* --values */
    uint64_t rounds;
};

static void compute_bytes(mw_call *call)
{
    void *data;
    size_t size;
    uint64_t rounds;
    if (mw_call_bytes(call, &data, &size) != MW_OK)
        return;
    memcpy(&rounds, data, sizeof rounds);
    rounds = mwt_work_compute(rounds);
    mw_call_return_bytes(call, &rounds, sizeof rounds);
}

static void compute_values(mw_call *call)
{
    int64_t rounds;
    if (mw_call_args(call, "l", &rounds) == MW_OK)
        mw_call_return(call, "l", (int64_t)mwt_work_compute((uint64_t)rounds));
}

static mw_error submit(struct grain *grain, size_t number)
{
    mw_task task = {.algorithm = "bytes", .tag = (int64_t)number};
    if (grain->has_values == 0)
        return mw_master_submit_bytes(grain->master, &task, &grain->rounds, sizeof grain->rounds);
    task.algorithm = "values";
    return mw_master_submit(grain->master, &task, "l", (int64_t)grain->rounds);
}

static bool take(struct grain *grain)
{
    const mw_result *result = mw_master_next(grain->master);
    int64_t value;
    if (result == NULL || result->outcome != MW_DONE)
        return false;
    grain->bench.results++;
    grain->bench.numbers_sum += (uint64_t)result->tag;
    return grain->has_values == 0 ? result->size == sizeof grain->rounds
                                  : mw_result_get(result, "l", &value) == MW_OK;
}

static bool run(struct grain *grain)
{
    size_t submitted = 0;
    mwt_bench_begin(&grain->bench);
    while (grain->bench.results < grain->bench.tasks) {
        for (; submitted < grain->bench.tasks && submitted - grain->bench.results < AHEAD;
             submitted++)
            if (submit(grain, submitted) != MW_OK)
                return false;
        if (!take(grain))
            return false;
    }
    mwt_bench_end(&grain->bench);
    return true;
}

static int direct(mw_master *master, int argc, char **argv)
{
    struct grain grain = {.bench = {.program = "mw_grain", .tasks = 20000, .workers = 2},
                          .master = master,
                          .task_ns = 1000};
    const struct mwt_bench_option own[] = {{"workers", &grain.bench.workers, 1},
                                           {"task-ns", &grain.task_ns, 1},
                                           {"values", &grain.has_values, 0},
                                           {NULL, NULL, 0}};
    if (!mwt_bench_parse(&grain.bench, own, argc, argv))
        return 2;
    grain.rounds = (uint64_t)((double)grain.task_ns * mwt_work_rounds_per_ns());
    if (mwt_await_slaves(master, grain.bench.workers) && run(&grain))
        return mwt_work_report_rounds(&grain.bench, grain.rounds);
    fprintf(stderr, "mw_grain: it did not run to its end: %s\n", mw_master_error(master));
    return 1;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {
        {"bytes", compute_bytes}, {"values", compute_values}, {NULL, NULL}};
    return mw_main(&(mw_program){.algorithms = algorithms, .master = direct}, argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Measures how busy mw keeps its slaves. It submits --tasks that compute for times drawn
 * beforehand, and prints the time until the last result is in beside that of list scheduling. The
 * clock starts when --workers slaves are connected. pure_work does the same without a farm.
 */
#include <mw/mw.h>

#include <stdio.h>
#include <stdlib.h>

#include "mwt_await.h"
#include "work.h"

static void spin(mw_call *call)
{
    int64_t duration_ns;
    if (mw_call_args(call, "l", &duration_ns) != MW_OK)
        return;
    mwt_work_spin(duration_ns);
    mw_call_return(call, "");
}

static bool run(mw_master *master, struct mwt_bench *bench, const int64_t *lengths_ns)
{
    bench->begin_ns = mwt_bench_now_ns();
    for (size_t i = 0; i < bench->tasks; i++)
        if (mw_master_submit(master, &(mw_task){.algorithm = "spin", .tag = (int64_t)i}, "l",
                             lengths_ns[i]) != MW_OK)
            return false;
    for (const mw_result *result; (result = mw_master_next(master)) != NULL;) {
        if (result->outcome != MW_DONE)
            return false;
        bench->results++;
        bench->numbers_sum += (uint64_t)result->tag;
    }
    bench->end_ns = mwt_bench_now_ns();
    return true;
}

static int direct(mw_master *master, int argc, char **argv)
{
    struct mwt_bench bench = {.program = "mw_work", .tasks = 1000, .workers = 2};
    struct mwt_work work = {.mean_us = 1000, .sigma_percent = 0, .seed = 1};
    const struct mwt_bench_option own[] = {{"workers", &bench.workers, 1},
                                           {"mean-us", &work.mean_us, 1},
                                           {"sigma-percent", &work.sigma_percent, 0},
                                           {"seed", &work.seed, 0},
                                           {NULL, NULL, 0}};
    if (!mwt_bench_parse(&bench, own, argc, argv))
        return 2;
    int64_t *lengths_ns = mwt_work_draw(&work, bench.tasks);
    bool ran = mwt_await_slaves(master, bench.workers) && run(master, &bench, lengths_ns);
    int status = 1;
    if (ran)
        status = mwt_work_report(&bench, &work, lengths_ns);
    else
        fprintf(stderr, "mw_work: it did not run to its end: %s\n", mw_master_error(master));
    free(lengths_ns);
    return status;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"spin", spin}, {NULL, NULL}};
    return mw_main(&(mw_program){.algorithms = algorithms, .master = direct}, argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * How much the machine computes in a second without a farm, for mw_grain's efficiency: each of
 * --workers processes computes its share of --tasks of --task-ns, one after the other, without
 * asking anybody for the next.
 */
#include "work.h"

/* Of each worker. */
struct share {
    size_t tasks;
    uint64_t rounds;
};

static void compute(void *context)
{
    const struct share *share = context;
    volatile uint64_t sink;
    for (size_t i = 0; i < share->tasks; i++)
        sink = mwt_work_compute(share->rounds);
    (void)sink;
}

int main(int argc, char **argv)
{
    struct mwt_bench bench = {.program = "peak_work", .tasks = 20000, .workers = 2};
    size_t task_ns = 10000;
    const struct mwt_bench_option own[] = {
        {"workers", &bench.workers, 1}, {"task-ns", &task_ns, 1}, {NULL, NULL, 0}};
    if (!mwt_bench_parse(&bench, own, argc, argv))
        return 2;
    uint64_t rounds = (uint64_t)((double)task_ns * mwt_work_rounds_per_ns());
    struct share share = {bench.tasks / bench.workers, rounds};
    bench.tasks -= bench.tasks % bench.workers;
    mwt_bench_begin(&bench);
    if (!mwt_work_fork(bench.workers, compute, &share))
        mwt_bench_die("a worker");
    mwt_bench_end(&bench);
    bench.results = bench.tasks;
    bench.numbers_sum = (uint64_t)bench.tasks * (bench.tasks - 1) / 2;
    return mwt_work_report_rounds(&bench, rounds);
}

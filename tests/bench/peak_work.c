/* SPDX-License-Identifier: Apache-2.0
 *
 * How much the machine computes in a second without a farm, for mw_grain's efficiency: each of
 * --workers processes computes its share of --tasks of --task-ns, one after the other, without
 * asking anybody for the next.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "work.h"

static void compute(size_t tasks, uint64_t rounds)
{
    volatile uint64_t sink;
    for (size_t i = 0; i < tasks; i++)
        sink = mwt_work_compute(rounds);
    (void)sink;
}

/* Forks the workers and waits for them. Returns whether all ended well. */
static bool run(const struct mwt_bench *bench, uint64_t rounds)
{
    bool ran = true;
    size_t started = 0;
    for (; ran && started < bench->workers; started++) {
        pid_t pid = fork();
        if (pid == 0) {
            compute(bench->tasks / bench->workers, rounds);
            _exit(0);
        }
        ran = pid > 0;
    }
    for (size_t i = 0; i < started; i++) {
        int status;
        ran = wait(&status) > 0 && status == 0 && ran;
    }
    return ran;
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
    bench.tasks -= bench.tasks % bench.workers;
    mwt_bench_begin(&bench);
    if (!run(&bench, rounds))
        mwt_bench_die("a worker");
    mwt_bench_end(&bench);
    bench.results = bench.tasks;
    bench.numbers_sum = (uint64_t)bench.tasks * (bench.tasks - 1) / 2;
    return mwt_work_report_rounds(&bench, rounds);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The tasks of mw_work without a farm: each of --workers processes takes the next number from a
 * counter in shared memory and computes. That is list scheduling on this machine, with the
 * machine's other load.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "work.h"

static void compute(const int64_t *lengths_ns, size_t count, atomic_size_t *next)
{
    for (size_t i; (i = atomic_fetch_add(next, 1)) < count;)
        mwt_work_spin(lengths_ns[i]);
}

/* Forks the workers and waits for them. Returns whether all ended well. */
static bool run(const struct mwt_bench *bench, const int64_t *lengths_ns, atomic_size_t *next)
{
    bool ran = true;
    size_t started = 0;
    for (; ran && started < bench->workers; started++) {
        pid_t pid = fork();
        if (pid == 0) {
            compute(lengths_ns, bench->tasks, next);
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
    struct mwt_bench bench = {.program = "pure_work", .tasks = 1000, .workers = 2};
    struct mwt_work work = {.mean_us = 1000, .sigma_percent = 0, .seed = 1};
    const struct mwt_bench_option own[] = {{"workers", &bench.workers, 1},
                                           {"mean-us", &work.mean_us, 1},
                                           {"sigma-percent", &work.sigma_percent, 0},
                                           {"seed", &work.seed, 0},
                                           {NULL, NULL, 0}};
    if (!mwt_bench_parse(&bench, own, argc, argv))
        return 2;
    int64_t *lengths_ns = mwt_work_draw(&work, bench.tasks);
    atomic_size_t *next =
        mmap(NULL, sizeof *next, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (next == MAP_FAILED)
        mwt_bench_die("mmap");
    bench.begin_ns = mwt_bench_now_ns();
    if (!run(&bench, lengths_ns, next))
        mwt_bench_die("a worker");
    bench.end_ns = mwt_bench_now_ns();
    bench.results = bench.tasks;
    bench.numbers_sum = (uint64_t)bench.tasks * (bench.tasks - 1) / 2;
    int status = mwt_work_report(&bench, &work, lengths_ns);
    munmap(next, sizeof *next);
    free(lengths_ns);
    return status;
}

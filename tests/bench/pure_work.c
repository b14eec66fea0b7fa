/* SPDX-License-Identifier: Apache-2.0
 *
 * The tasks of mw_work without a farm: each of --workers processes takes the next number from a
 * counter in shared memory and computes. That is list scheduling on this machine, with the
 * machine's other load.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "work.h"

struct pool {
    const int64_t *lengths_ns;
    size_t count;
    atomic_size_t *next; /* in shared memory */
};

static void compute(void *context)
{
    const struct pool *pool = context;
    for (size_t i; (i = atomic_fetch_add(pool->next, 1)) < pool->count;)
        mwt_work_spin(pool->lengths_ns[i]);
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
    struct pool pool = {lengths_ns, bench.tasks, next};
    bench.begin_ns = mwt_bench_now_ns();
    if (!mwt_work_fork(bench.workers, compute, &pool))
        mwt_bench_die("a worker");
    bench.end_ns = mwt_bench_now_ns();
    bench.results = bench.tasks;
    bench.numbers_sum = (uint64_t)bench.tasks * (bench.tasks - 1) / 2;
    int status = mwt_work_report(&bench, &work, lengths_ns);
    munmap(next, sizeof *next);
    free(lengths_ns);
    return status;
}

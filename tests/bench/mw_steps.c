/* SPDX-License-Identifier: Apache-2.0
 *
 * Steps with a barrier: --tasks that each compute for --task-ns are submitted at once, and the next
 * step begins when all their results are in, again and again. It measures how long a step takes.
 * Such programs are simulations and iterative solvers. The clock starts when --workers slaves are
 * connected; the first tenth of the steps is not counted, since the farm still learns in it.
 *
 * Tasks of less than SHORT_NS are too short to look at a clock, so they compute a number of rounds,
 * which the master finds out for its own processor.
 *
 * It prints one line of JSON. `ideal_us` is what the slaves need if nothing but the tasks takes
 * time, and each slave has a processor to itself.
 */
#include <mw/mw.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mwt_await.h"
#include "work.h"

#define SHORT_NS 10000

/* The arguments of a task. */
struct length {
    int64_t duration_ns; /* 0: `rounds` says it */
    uint64_t rounds;
};

struct steps {
    mw_master *master;
    size_t tasks, workers;
    size_t count;   /* --steps */
    size_t task_ns; /* --task-ns */
    size_t learning;
    struct length length;
    int64_t *took_ns; /* of each step that is counted */
};

static void spin(mw_call *call)
{
    void *data;
    size_t size;
    struct length length;
    if (mw_call_bytes(call, &data, &size) != MW_OK)
        return;
    memcpy(&length, data, sizeof length);
    uint64_t product = mwt_work_compute(length.rounds);
    if (length.duration_ns > 0)
        mwt_work_spin(length.duration_ns);
    mw_call_return_bytes(call, &product, sizeof product);
}

static bool run_step(struct steps *steps)
{
    const mw_result *result;
    size_t results = 0;
    for (size_t i = 0; i < steps->tasks; i++)
        if (mw_master_submit_bytes(steps->master, &(mw_task){.algorithm = "spin"}, &steps->length,
                                   sizeof steps->length) != MW_OK)
            return false;
    while ((result = mw_master_next(steps->master)) != NULL && result->outcome == MW_DONE)
        results++;
    return results == steps->tasks;
}

static bool run_steps(struct steps *steps)
{
    for (size_t i = 0; i < steps->learning + steps->count; i++) {
        int64_t begin_ns = mwt_bench_now_ns();
        if (!run_step(steps))
            return false;
        if (i >= steps->learning)
            steps->took_ns[i - steps->learning] = mwt_bench_now_ns() - begin_ns;
    }
    return true;
}

static int compare_ns(const void *left, const void *right)
{
    int64_t first_ns = *(const int64_t *)left, second_ns = *(const int64_t *)right;
    return (first_ns > second_ns) - (first_ns < second_ns);
}

static int report(struct steps *steps)
{
    size_t rounds = (steps->tasks + steps->workers - 1) / steps->workers;
    double total_ns = 0;
    for (size_t i = 0; i < steps->count; i++)
        total_ns += (double)steps->took_ns[i];
    qsort(steps->took_ns, steps->count, sizeof *steps->took_ns, compare_ns);
    printf("{\"program\": \"mw_steps\", \"steps\": %zu, \"tasks\": %zu, \"task_ns\": %zu, "
           "\"workers\": %zu, \"step_median_us\": %.2f, \"step_p90_us\": %.2f, "
           "\"step_mean_us\": %.2f, \"ideal_us\": %.2f}\n",
           steps->count, steps->tasks, steps->task_ns, steps->workers,
           (double)steps->took_ns[steps->count / 2] / 1e3,
           (double)steps->took_ns[steps->count * 9 / 10] / 1e3,
           total_ns / (double)steps->count / 1e3, (double)(rounds * steps->task_ns) / 1e3);
    return fflush(stdout) == 0 ? 0 : 1;
}

static int master(mw_master *farm, int argc, char **argv)
{
    struct mwt_bench bench = {.program = "mw_steps", .tasks = 8};
    struct steps steps = {.master = farm, .workers = 2, .count = 1000, .task_ns = 100000};
    const struct mwt_bench_option own[] = {{"workers", &steps.workers, 1},
                                           {"steps", &steps.count, 1},
                                           {"task-ns", &steps.task_ns, 0},
                                           {NULL, NULL, 0}};
    if (!mwt_bench_parse(&bench, own, argc, argv))
        return 2;
    steps.tasks = bench.tasks;
    if (steps.task_ns < SHORT_NS)
        steps.length.rounds = (uint64_t)((double)steps.task_ns * mwt_work_rounds_per_ns());
    else
        steps.length.duration_ns = (int64_t)steps.task_ns;
    steps.learning = steps.count / 10;
    steps.took_ns = mwt_bench_alloc(steps.count * sizeof *steps.took_ns);
    bool ran = mwt_await_slaves(farm, steps.workers) && run_steps(&steps);
    int status = ran ? report(&steps) : 1;
    if (!ran)
        fprintf(stderr, "mw_steps: it did not run to its end: %s\n", mw_master_error(farm));
    free(steps.took_ns);
    return status;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"spin", spin}, {NULL, NULL}};
    return mw_main(&(mw_program){.algorithms = algorithms, .master = master}, argc, argv);
}

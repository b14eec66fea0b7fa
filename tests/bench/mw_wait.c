/* SPDX-License-Identifier: Apache-2.0
 *
 * Measures the cost of waiting in a whole farm of one slave: the time of a task when one follows
 * the other, the time of the first task after a second of quiet, and the processor time that
 * master and slave take while there is nothing to do.
 *
 * It measures the transport and the kind of waiting that --mw-transport and --mw-wait choose;
 * waits.py runs it with each. The result of a task is the slave's processor time. It prints one
 * line of JSON.
 */
#include <mw/mw.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench.h"
#include "mwt_await.h"

#define QUIET_S 1.0

struct waiting {
    mw_master *master;
    size_t tasks;   /* --tasks: one after the other */
    size_t quiets;  /* --quiets: of a second, each with a task after it */
    size_t seconds; /* --seconds: with nothing to do */
    int64_t *busy_ns, *first_ns;
    double master_percent, slave_percent;
};

static int64_t cpu_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static void usage(mw_call *call)
{
    mw_call_return(call, "l", cpu_ns());
}

/* Runs one task, and sets *slave_ns to the processor time that its slave has used until now. */
static bool run_task(struct waiting *waiting, int64_t *took_ns, int64_t *slave_ns)
{
    int64_t begin_ns = mwt_bench_now_ns();
    if (mw_master_submit(waiting->master, &(mw_task){.algorithm = "usage"}, "") != MW_OK)
        return false;
    const mw_result *result = mw_master_next(waiting->master);
    *took_ns = mwt_bench_now_ns() - begin_ns;
    return result != NULL && result->outcome == MW_DONE &&
           mw_result_get(result, "l", slave_ns) == MW_OK;
}

static bool serve_for(struct waiting *waiting, double seconds)
{
    int64_t end_ns = mwt_bench_now_ns() + (int64_t)(seconds * 1e9);
    for (int64_t left_ns; (left_ns = end_ns - mwt_bench_now_ns()) > 0;) {
        mw_master_counts counts;
        if (mw_master_loop_iterate(waiting->master, (double)left_ns / 1e9, &counts) != MW_OK)
            return false;
    }
    return true;
}

static bool measure_tasks(struct waiting *waiting)
{
    int64_t slave_ns;
    for (size_t i = 0; i < waiting->tasks; i++)
        if (!run_task(waiting, &waiting->busy_ns[i], &slave_ns))
            return false;
    for (size_t i = 0; i < waiting->quiets; i++)
        if (!serve_for(waiting, QUIET_S) || !run_task(waiting, &waiting->first_ns[i], &slave_ns))
            return false;
    return true;
}

static bool measure_idle(struct waiting *waiting)
{
    int64_t took_ns, slave_begin_ns, slave_end_ns;
    if (!run_task(waiting, &took_ns, &slave_begin_ns))
        return false;
    int64_t begin_ns = mwt_bench_now_ns(), master_begin_ns = cpu_ns();
    if (!serve_for(waiting, (double)waiting->seconds))
        return false;
    int64_t master_ns = cpu_ns() - master_begin_ns;
    double wall_ns = (double)(mwt_bench_now_ns() - begin_ns);
    if (!run_task(waiting, &took_ns, &slave_end_ns))
        return false;
    waiting->master_percent = 100 * (double)master_ns / wall_ns;
    waiting->slave_percent = 100 * (double)(slave_end_ns - slave_begin_ns) / wall_ns;
    return true;
}

static int compare_ns(const void *left, const void *right)
{
    int64_t first_ns = *(const int64_t *)left, second_ns = *(const int64_t *)right;
    return (first_ns > second_ns) - (first_ns < second_ns);
}

/* The value below which `percent` of a hundred values lie, in us; 0 if there are no values. */
static double percentile_us(int64_t *values_ns, size_t count, size_t percent)
{
    if (count == 0)
        return 0;
    qsort(values_ns, count, sizeof *values_ns, compare_ns);
    return (double)values_ns[count * percent / 100] / 1e3;
}

static void report(struct waiting *waiting)
{
    printf("{\"busy_median_us\": %.2f, \"busy_p99_us\": %.2f, \"first_median_us\": %.2f, ",
           percentile_us(waiting->busy_ns, waiting->tasks, 50),
           percentile_us(waiting->busy_ns, waiting->tasks, 99),
           percentile_us(waiting->first_ns, waiting->quiets, 50));
    printf("\"idle_master_percent\": %.3f, \"idle_slave_percent\": %.3f}\n",
           waiting->master_percent, waiting->slave_percent);
}

static int master(mw_master *farm, int argc, char **argv)
{
    struct mwt_bench bench = {.program = "mw_wait", .tasks = 3000};
    struct waiting waiting = {.master = farm, .quiets = 5, .seconds = 10};
    const struct mwt_bench_option own[] = {
        {"quiets", &waiting.quiets, 0}, {"seconds", &waiting.seconds, 1}, {NULL, NULL, 0}};
    if (!mwt_bench_parse(&bench, own, argc, argv))
        return 2;
    waiting.tasks = bench.tasks;
    waiting.busy_ns = mwt_bench_alloc(waiting.tasks * sizeof *waiting.busy_ns);
    waiting.first_ns = mwt_bench_alloc(waiting.quiets * sizeof *waiting.first_ns);
    bool ran =
        mwt_await_slaves(waiting.master, 1) && measure_tasks(&waiting) && measure_idle(&waiting);
    if (ran)
        report(&waiting);
    else
        fprintf(stderr, "mw_wait: it did not run to its end: %s\n", mw_master_error(farm));
    free(waiting.busy_ns);
    free(waiting.first_ns);
    return ran && fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"usage", usage}, {0}};
    return mw_main(&(mw_program){.algorithms = algorithms, .master = master}, argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Measures how fast a master is there again: run it twice with the same --mw-journal. Submits
 * --tasks with arguments of --bytes, and prints the time from the start of the program until the
 * master algorithm begins, in which the journal is read, the growth of memory meanwhile for each
 * result, and how many results came from the journal.
 */
#include <mw/mw.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"

#define AHEAD_MAX ((size_t)100000)

struct restart {
    int64_t started_ns;
    double resident; /* bytes, at the start */
};

static double resident_bytes(void)
{
    unsigned long pages, resident_pages;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu %lu", &pages, &resident_pages) != 2)
        mwt_bench_die("/proc/self/statm");
    fclose(file);
    return (double)resident_pages * (double)sysconf(_SC_PAGESIZE);
}

static void echo(mw_call *call)
{
    void *data;
    size_t size;
    if (mw_call_bytes(call, &data, &size) == MW_OK)
        mw_call_return_bytes_take(call, data, size);
}

/* Returns how many of the results came from the journal, or -1. */
static int64_t run(mw_master *master, struct mwt_bench *bench, unsigned char *arguments)
{
    int64_t replayed = 0;
    size_t submitted = 0;
    while (bench->results < bench->tasks) {
        for (; submitted < bench->tasks && submitted - bench->results < AHEAD_MAX; submitted++) {
            mwt_bench_write(arguments, bench->bytes, submitted);
            if (mw_master_submit_bytes(master,
                                       &(mw_task){.algorithm = "echo", .tag = (int64_t)submitted},
                                       arguments, bench->bytes) != MW_OK)
                return -1;
        }
        const mw_result *result = mw_master_next(master);
        if (result == NULL || result->outcome != MW_DONE)
            return -1;
        replayed += result->is_replayed;
        mwt_bench_take(bench, (uint64_t)result->tag, result->data, result->size);
    }
    return replayed;
}

static int direct(mw_master *master, int argc, char **argv)
{
    const struct restart *restart = mw_master_user(master);
    double open_s = (double)(mwt_bench_now_ns() - restart->started_ns) / 1e9;
    double grown = resident_bytes() - restart->resident;
    struct mwt_bench bench = {.program = "mw_restart", .tasks = 1000000, .bytes = 64};
    const struct mwt_bench_option own[] = {{"workers", &bench.workers, 1}, {NULL, NULL, 0}};
    if (!mwt_bench_parse(&bench, own, argc, argv))
        return 2;
    unsigned char *arguments = mwt_bench_alloc(bench.bytes);
    bench.begin_ns = mwt_bench_now_ns();
    int64_t replayed = run(master, &bench, arguments);
    bench.end_ns = mwt_bench_now_ns();
    free(arguments);
    if (replayed < 0) {
        fprintf(stderr, "mw_restart: %s\n", mw_master_error(master));
        return 1;
    }
    double seconds = (double)(bench.end_ns - bench.begin_ns) / 1e9;
    printf("{\"program\": \"mw_restart\", \"tasks\": %zu, \"bytes\": %zu, \"workers\": %zu, "
           "\"seconds\": %.6f, \"tasks_per_s\": %.1f, \"open_s\": %.3f, "
           "\"resident_per_result\": %.2f, \"replayed\": %lld}\n",
           bench.tasks, bench.bytes, bench.workers, seconds, (double)bench.tasks / seconds, open_s,
           grown / (double)bench.tasks, (long long)replayed);
    return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"echo", echo}, {NULL, NULL}};
    struct restart restart = {.started_ns = mwt_bench_now_ns(), .resident = resident_bytes()};
    mw_program program = {.algorithms = algorithms, .master = direct, .user = &restart};
    return mw_main(&program, argc, argv);
}

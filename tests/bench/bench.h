/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts that all benchmark programs share, so that their figures can be compared: the options,
 * the clock, the contents of a task, the check of a result, and the one line of JSON at the end.
 */
#ifndef MWT_BENCH_H
#define MWT_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mwt_bench_mode {
    MWT_BENCH_THROUGHPUT, /* all tasks as fast as possible */
    MWT_BENCH_LATENCY     /* one task at a time, each one timed */
};

/* One run. The program fills in its name and the defaults, the options change them, and the results
 * are added while it runs. */
struct mwt_bench {
    const char *program;
    enum mwt_bench_mode mode;
    size_t tasks;   /* --tasks */
    size_t bytes;   /* --bytes: of the arguments, and of the result */
    size_t workers; /* processes that run tasks */

    int64_t begin_ns, end_ns; /* from before the first task is sent until the last result is in */
    size_t results;
    uint64_t numbers_sum;  /* of the tasks whose results came */
    int64_t *latencies_ns; /* of each result in latency mode */
};

/* An option "--NAME NUMBER" of a single program. A table of options ends with a NULL name. */
struct mwt_bench_option {
    const char *name;
    size_t *value;
    size_t min;
};

/* Sets --tasks, --bytes, --mode and the program's own options from argv. Returns false, with a
 * message on standard error, for any other argument. */
bool mwt_bench_parse(struct mwt_bench *bench, const struct mwt_bench_option *own, int argc,
                     char **argv);

int64_t mwt_bench_now_ns(void);

/* Allocates zeroed memory. On failure it prints a message and exits with 1. */
void *mwt_bench_alloc(size_t size);

/* Prints `what` with the text of errno, and exits with 1. */
_Noreturn void mwt_bench_die(const char *what);

/* Writes the arguments of task `number`: its number at the start and at the end, as far as there is
 * room. The bytes between them stay as they are. */
void mwt_bench_write(unsigned char *data, size_t bytes, uint64_t number);

/* Counts the result of task `number`, which must equal its arguments. Otherwise it prints a message
 * and exits with 1. */
void mwt_bench_take(struct mwt_bench *bench, uint64_t number, const unsigned char *data,
                    size_t bytes);

/* Start and stop the clock of the run. In latency mode, lap records the time of one result, from
 * `since_ns`. */
void mwt_bench_begin(struct mwt_bench *bench);
void mwt_bench_lap(struct mwt_bench *bench, int64_t since_ns);
void mwt_bench_end(struct mwt_bench *bench);

/* Checks that every task came back exactly once, prints the line of JSON and frees what begin
 * allocated. Returns the exit status. */
int mwt_bench_report(struct mwt_bench *bench);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Many slaves in one process, each in a thread: threaded_slaves RESOURCE_FILE COUNT
 *
 * They do the tasks "echo" and "gate" of farm.c, at once. When all are there the program prints how
 * long that took. Its exit status is 0 if the master told each slave to stop.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include <mw/embed.h>

#define STACK_BYTES 262144

struct crowd {
    const char *resource_file;
    unsigned count;
    atomic_uint there_count, failed_count;
    struct timespec began;
};

static void echo(mw_call *call)
{
    int64_t tag, argument;
    if (mw_call_args(call, "ll", &tag, &argument) == MW_OK)
        mw_call_return(call, "l", tag);
}

static void tell(const struct crowd *crowd)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("threaded: %u slaves in %.3f s\n", crowd->count,
           (double)(now.tv_sec - crowd->began.tv_sec) +
               (double)(now.tv_nsec - crowd->began.tv_nsec) / 1e9);
    fflush(stdout);
}

static bool run_slave(struct crowd *crowd, mw_options *options)
{
    static const mw_algorithm algorithms[] = {{"echo", echo}, {"gate", echo}, {0}};
    static const mw_program program = {.algorithms = algorithms};
    mw_slave *slave;
    if (mw_options_set(options, "slave", "1") != MW_OK ||
        mw_options_set(options, "quiet", "1") != MW_OK ||
        mw_options_set(options, "resource-file", crowd->resource_file) != MW_OK ||
        mw_slave_open(&slave, &program, options) != MW_OK) {
        fprintf(stderr, "threaded: %s\n", mw_options_error(options));
        return false;
    }
    if (atomic_fetch_add(&crowd->there_count, 1) + 1 == crowd->count)
        tell(crowd);
    int status = mw_slave_loop_simple(slave);
    mw_slave_close(slave);
    return status == 0;
}

static void *run(void *context)
{
    struct crowd *crowd = context;
    mw_options *options;
    bool is_well = mw_options_create(&options) == MW_OK;
    if (is_well) {
        is_well = run_slave(crowd, options);
        mw_options_destroy(options);
    }
    if (!is_well)
        atomic_fetch_add(&crowd->failed_count, 1);
    return NULL;
}

static bool start_all(struct crowd *crowd, pthread_t *threads)
{
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    for (unsigned i = 0; i < crowd->count; i++)
        if (pthread_create(&threads[i], &small, run, crowd) != 0)
            return false;
    pthread_attr_destroy(&small);
    return true;
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    if (argc != 3)
        return 2;
    struct crowd crowd = {.resource_file = argv[1], .count = (unsigned)atoi(argv[2])};
    pthread_t *threads = calloc(crowd.count, sizeof *threads);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    clock_gettime(CLOCK_MONOTONIC, &crowd.began);
    if (threads == NULL || !start_all(&crowd, threads))
        return 2;
    for (unsigned i = 0; i < crowd.count; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    return crowd.failed_count == 0 ? 0 : 1;
}

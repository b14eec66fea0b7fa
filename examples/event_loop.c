/* SPDX-License-Identifier: Apache-2.0
 *
 * A farm beside other things in an event loop of libevent: event_loop [--limit N]
 *
 * The program has an event_base of its own, as a server or a desktop program has. On it are a timer
 * that prints the progress, a signal that ends the program, and a master whose slaves count primes.
 * Only the base waits.
 *
 * Such a program cannot use mw_main, which would wait itself. It takes mw's options out of the
 * command line, asks whether it is a slave, and opens the farm on its own.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include <mw/event.h>

#define LIMIT_DEFAULT 2000000
#define LIMIT_MAX 1000000000
#define RANGES_COUNT 200
#define TICK_US 100000

struct run {
    struct event_base *base;
    mw_event_pump *pump;
    mw_master *farm;
    long limit;
    int counted; /* ranges */
    long primes_count;
    int status;
};

/* Runs in a slave: counts the primes in begin..end-1. */
static void count_primes(mw_call *call)
{
    int64_t begin, end, primes_count = 0;
    if (mw_call_args(call, "ll", &begin, &end) != MW_OK)
        return;
    for (int64_t number = begin < 2 ? 2 : begin; number < end; number++) {
        int64_t divisor = 2;
        while (divisor * divisor <= number && number % divisor != 0)
            divisor++;
        primes_count += divisor * divisor > number;
    }
    mw_call_return(call, "l", primes_count);
}

static void submit_ranges(const struct run *run)
{
    for (int64_t i = 0; i < RANGES_COUNT; i++)
        mw_master_submit(run->farm, &(mw_task){.algorithm = "count_primes", .tag = i}, "ll",
                         run->limit * i / RANGES_COUNT, run->limit * (i + 1) / RANGES_COUNT);
}

static void take(struct run *run, const mw_result *result)
{
    int64_t primes_count;
    if (result->outcome != MW_DONE || mw_result_get(result, "l", &primes_count) != MW_OK)
        return;
    run->primes_count += primes_count;
    run->counted++;
}

/* The base calls this when the master has results, slaves that came or went, or an error. */
static void on_farm(mw_master *farm, const mw_master_counts *counts, mw_error error, void *context)
{
    struct run *run = context;
    const mw_result *result;
    (void)counts;
    while ((result = mw_master_next_result(farm)) != NULL ||
           (result = mw_master_next_unrunnable(farm)) != NULL)
        take(run, result);
    if (error != MW_OK)
        fprintf(stderr, "event_loop: %s\n", mw_master_error(farm));
    if (error != MW_OK || mw_master_num_runnable_tasks(farm) == 0)
        event_base_loopbreak(run->base);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    const struct run *run = context;
    (void)fd, (void)what;
    fprintf(stderr, "event_loop: %d of %d ranges, %zu slaves\n", run->counted, RANGES_COUNT,
            mw_master_num_slaves(run->farm));
}

static void on_signal(evutil_socket_t signal_number, short what, void *context)
{
    struct run *run = context;
    (void)what;
    fprintf(stderr, "event_loop: stopped\n");
    run->status = 128 + (int)signal_number;
    event_base_loopbreak(run->base);
}

/* Puts the timer, the signal and the master on the base, and runs it. */
static void run_base(struct run *run)
{
    run->base = event_base_new();
    if (run->base == NULL)
        return;
    struct event *tick = event_new(run->base, -1, EV_PERSIST, on_tick, run);
    struct event *stop = evsignal_new(run->base, SIGINT, on_signal, run);
    event_add(tick, &(struct timeval){.tv_usec = TICK_US});
    event_add(stop, NULL);
    if (mw_event_attach(&run->pump, run->farm, run->base, on_farm, run) == MW_OK) {
        submit_ranges(run);
        mw_event_update(run->pump);
        event_base_dispatch(run->base);
    }

    mw_event_detach(run->pump);
    event_free(tick);
    event_free(stop);
    event_base_free(run->base);
}

/* mw_options_parse has taken mw's own options out; the arguments that are left are the
 * program's. */
static bool read_limit(int argc, char **argv, long *limit)
{
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        char *end;
        if (strcmp(argv[i], "--limit") != 0) {
            fprintf(stderr, "event_loop: unknown argument \"%s\"; usage: event_loop [--limit N]\n",
                    argv[i]);
            return false;
        }
        errno = 0;
        *limit = strtol(value, &end, 10);
        if (end == value || *end != '\0' || errno != 0 || *limit < 1 || *limit > LIMIT_MAX) {
            fprintf(stderr, "event_loop: --limit \"%s\" is not a number in 1..%d\n", value,
                    LIMIT_MAX);
            return false;
        }
    }
    return true;
}

static int print_answer(const struct run *run)
{
    if (run->counted < RANGES_COUNT) {
        fprintf(stderr, "event_loop: %d ranges are missing\n", RANGES_COUNT - run->counted);
        return 1;
    }
    printf("There are %ld primes below %ld.\n", run->primes_count, run->limit);
    return 0;
}

/* Opens the farm before it reads the arguments: over MPI the slaves wait until the master has
 * opened it, and must not wait for ever when the arguments are wrong. */
static int run_master(const mw_program *program, mw_options *options, int argc, char **argv)
{
    struct run run = {.limit = LIMIT_DEFAULT};
    if (mw_master_open(&run.farm, program, options) != MW_OK) {
        fprintf(stderr, "event_loop: %s\n", mw_options_error(options));
        return 255;
    }
    bool is_read = read_limit(argc, argv, &run.limit);
    if (is_read)
        run_base(&run);
    mw_master_close(run.farm);
    if (!is_read)
        return 2;
    return run.status != 0 ? run.status : print_answer(&run);
}

static int run_slave(const mw_program *program, mw_options *options, int argc, char **argv)
{
    int status = 255;
    if (mw_run_slave(program, options, argc, argv, &status) != MW_OK)
        fprintf(stderr, "event_loop: %s\n", mw_options_error(options));
    return status;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"count_primes", count_primes}, {0}};
    static const mw_program program = {.algorithms = algorithms};
    mw_options *options;
    bool is_slave;
    int status;
    if (mw_options_create(&options) != MW_OK)
        return 255;
    if (mw_options_environment(options) != MW_OK ||
        mw_options_parse(options, &argc, argv) != MW_OK ||
        mw_options_is_slave(options, &is_slave) != MW_OK) {
        fprintf(stderr, "event_loop: %s\n", mw_options_error(options));
        status = 2;
    } else if (is_slave) {
        status = run_slave(&program, options, argc, argv);
    } else {
        status = run_master(&program, options, argc, argv);
    }
    mw_options_destroy(options);
    return status;
}

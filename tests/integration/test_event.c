/* SPDX-License-Identifier: Apache-2.0
 *
 * A master in an event loop that is not its own: on an event_base, and by hand with poll. The slaves
 * are local ones, this program again.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <mw/event.h>

#include "mwt_run.h"

#define TASKS_COUNT 600
#define LARGE_BYTES 8000000
/* How often an idle loop may turn in a second: once for the time-out, and some more. */
#define IDLE_TURNS_MAX 50

static void echo(mw_call *call)
{
    int64_t number;
    if (mw_call_args(call, "l", &number) == MW_OK)
        mw_call_return(call, "l", number);
}

static void echo_bytes(mw_call *call)
{
    void *data;
    size_t size;
    if (mw_call_bytes(call, &data, &size) == MW_OK)
        mw_call_return_bytes(call, data, size);
}

static void nap(mw_call *call)
{
    int64_t ms;
    if (mw_call_args(call, "l", &ms) != MW_OK)
        return;
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
    mw_call_return(call, "l", ms);
}

static const mw_algorithm algorithms[] = {
    {"echo", echo}, {"echo_bytes", echo_bytes}, {"nap", nap}, {0}};
static const mw_program program = {.algorithms = algorithms};

static mw_master *open_local(const char *slaves_count)
{
    mw_options *options;
    mw_master *master = NULL;
    CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "quiet", "1"), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "local", slaves_count), MW_OK);
    CU_ASSERT_EQUAL_FATAL(mw_master_open(&master, &program, options), MW_OK);
    mw_options_destroy(options);
    return master;
}

static void submit(mw_master *master, const char *algorithm, int64_t number)
{
    CU_ASSERT_EQUAL(
        mw_master_submit(master, &(mw_task){.algorithm = algorithm, .tag = number}, "l", number),
        MW_OK);
}

/* What a run on an event_base has seen. */
struct run {
    struct event_base *base;
    mw_event_pump *pump;
    bool came[TASKS_COUNT];
    int came_count, submitted_count, ticks_count, errors_count;
    mw_error error;
    bool does_detach;
};

static void submit_some(struct run *run, mw_master *master, int count)
{
    for (int i = 0; i < count; i++)
        submit(master, "echo", run->submitted_count++);
}

static void take(mw_master *master, const mw_master_counts *counts, mw_error error, void *context)
{
    struct run *run = context;
    const mw_result *result;
    int64_t number;
    if (error != MW_OK) {
        run->error = error;
        run->errors_count++;
        event_base_loopbreak(run->base);
        return;
    }
    CU_ASSERT(counts->results > 0);
    while ((result = mw_master_next_result(master)) != NULL) {
        CU_ASSERT_EQUAL(mw_result_get(result, "l", &number), MW_OK);
        CU_ASSERT_FALSE(run->came[number]);
        run->came[number] = true;
        run->came_count++;
    }
    if (run->submitted_count < TASKS_COUNT && mw_master_num_runnable_tasks(master) < 50)
        submit_some(run, master, 100);
    if (run->came_count < TASKS_COUNT)
        return;
    if (run->does_detach)
        mw_event_detach(run->pump);
    event_base_loopbreak(run->base);
}

/* Something of the program's own that the base serves besides. */
static void tick(evutil_socket_t fd, short what, void *context)
{
    (void)fd, (void)what;
    ((struct run *)context)->ticks_count++;
}

static void run_on_base(struct run *run, mw_master *master,
                        void (*begin)(struct run *, mw_master *))
{
    run->base = event_base_new();
    CU_ASSERT_PTR_NOT_NULL_FATAL(run->base);
    struct event *ticker = event_new(run->base, -1, EV_PERSIST, tick, run);
    event_add(ticker, &(struct timeval){.tv_usec = 1000});

    CU_ASSERT_EQUAL_FATAL(mw_event_attach(&run->pump, master, run->base, take, run), MW_OK);
    begin(run, master);
    mw_event_update(run->pump);
    event_base_dispatch(run->base);

    if (!run->does_detach)
        mw_event_detach(run->pump);
    event_free(ticker);
    mw_master_close(master);
    event_base_free(run->base);
}

static void begin_echoes(struct run *run, mw_master *master)
{
    submit_some(run, master, 100);
}

/* Tasks are submitted before, and in the function, and each comes back once; the base serves the rest
 * of the program meanwhile. */
static void test_base(void)
{
    struct run run = {.error = MW_OK};

    run_on_base(&run, open_local("2"), begin_echoes);

    CU_ASSERT_EQUAL(run.came_count, TASKS_COUNT);
    CU_ASSERT_EQUAL(run.error, MW_OK);
    CU_ASSERT(run.ticks_count > 0);
}

/* The function may take the master off the base. */
static void test_detach_in_function(void)
{
    struct run run = {.does_detach = true};

    run_on_base(&run, open_local("1"), begin_echoes);

    CU_ASSERT_EQUAL(run.came_count, TASKS_COUNT);
    mw_event_detach(NULL);
}

/* A farm that breaks is told once. */
static void test_error(void)
{
    struct run run = {.error = MW_OK};

    setenv("EVENT_SLAVES_DIE", "1", 1);
    run_on_base(&run, open_local("1"), begin_echoes);
    unsetenv("EVENT_SLAVES_DIE");

    CU_ASSERT_EQUAL(run.error, MW_ENOSLAVES);
    CU_ASSERT_EQUAL(run.errors_count, 1);
}

/* How a master was served by hand. */
struct serving {
    int turns_count;
    int woken_late_count; /* by the longest time-out, not by the descriptor */
};

/* Serves the master by hand until it has so many results. */
static void serve(struct serving *serving, mw_master *master, size_t results_count)
{
    mw_master_counts counts = {0};
    while (counts.results < results_count) {
        struct pollfd fd = {.fd = mw_master_fd(master), .events = POLLIN};
        double timeout_s = mw_master_timeout(master);
        CU_ASSERT(timeout_s >= 0 && timeout_s <= 1);
        struct timespec timeout = {.tv_sec = (time_t)timeout_s};
        timeout.tv_nsec = (long)((timeout_s - (double)timeout.tv_sec) * 1e9);
        int ready_count = ppoll(&fd, 1, &timeout, NULL);
        CU_ASSERT_EQUAL_FATAL(mw_master_loop_iterate(master, 0, &counts), MW_OK);
        serving->turns_count++;
        serving->woken_late_count += ready_count == 0 && timeout_s == 1;
    }
}

/* With nothing to do but wait there is nothing to turn for: the descriptor and the time-out say when
 * there is. */
static void test_by_hand(void)
{
    enum { ECHOES_COUNT = 10 };
    struct serving serving = {0};
    mw_master *master = open_local("1");
    CU_ASSERT(mw_master_fd(master) >= 0);
    CU_ASSERT_EQUAL(mw_master_fd(master), mw_master_fd(master));
    for (size_t i = 1; i <= ECHOES_COUNT; i++) {
        submit(master, "echo", 1);
        serve(&serving, master, i);
    }
    CU_ASSERT(serving.woken_late_count < ECHOES_COUNT / 2);

    serving.turns_count = 0;
    submit(master, "nap", 1500);
    serve(&serving, master, ECHOES_COUNT + 1);
    CU_ASSERT(serving.turns_count < 2 * IDLE_TURNS_MAX);

    struct pollfd fd = {.fd = mw_master_fd(master), .events = POLLIN};
    mw_master_counts counts;
    while (mw_master_timeout(master) == 0)
        CU_ASSERT_EQUAL_FATAL(mw_master_loop_iterate(master, 0, &counts), MW_OK);
    CU_ASSERT_EQUAL(poll(&fd, 1, 0), 0);
    mw_master_close(master);
}

/* What does not go into a socket at once goes when there is room: the descriptor says so. */
static void test_large_by_hand(void)
{
    enum { LARGE_COUNT = 4 };
    mw_master *master = open_local("2");
    char *data = malloc(LARGE_BYTES);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    memset(data, 'x', LARGE_BYTES);
    for (int i = 0; i < LARGE_COUNT; i++)
        CU_ASSERT_EQUAL(mw_master_submit_bytes(master, &(mw_task){.algorithm = "echo_bytes"}, data,
                                               LARGE_BYTES),
                        MW_OK);

    serve(&(struct serving){0}, master, LARGE_COUNT);

    for (int i = 0; i < LARGE_COUNT; i++) {
        const mw_result *result = mw_master_next_result(master);
        CU_ASSERT_PTR_NOT_NULL_FATAL(result);
        CU_ASSERT(result->size == LARGE_BYTES && memcmp(result->data, data, LARGE_BYTES) == 0);
    }
    free(data);
    mw_master_close(master);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        {"base", test_base},
        {"detach in function", test_detach_in_function},
        {"error", test_error},
        {"by hand", test_by_hand},
        {"large by hand", test_large_by_hand},
        CU_TEST_INFO_NULL,
    };
    if (argc > 1 && getenv("EVENT_SLAVES_DIE") != NULL)
        return 3;
    if (argc > 1)
        return mw_main(&program, argc, argv);
    return mwt_run("event", tests);
}

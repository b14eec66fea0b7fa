/* SPDX-License-Identifier: Apache-2.0
 *
 * A master in an event loop that is not its own: on an event_base, and by hand with poll. The
 * slaves are local ones, which run this program again.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <mw/event.h>

#include "mwt_process.h"
#include "mwt_run.h"

#define TASKS_COUNT 600
#define LARGE_BYTES 8000000
/* The most turns per second of an idle loop: one for the time-out, and a few more. */
#define IDLE_TURNS_MAX 50
#define ECHOES_COUNT 10
/* Far longer than an echo takes, and shorter than the wait of a farm with nothing to do. */
#define LATE_S 0.1
#define TICKS_AFTER_ERROR 50

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

static void die(mw_call *call)
{
    (void)call;
    _exit(3);
}

static const mw_algorithm algorithms[] = {
    {"echo", echo}, {"echo_bytes", echo_bytes}, {"nap", nap}, {"die", die}, {0}};
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

/* The counts of a run on an event_base. */
struct run {
    struct event_base *base;
    mw_event_pump *pump;
    bool came[TASKS_COUNT];
    int came_count, submitted_count, ticks_count, errors_count;
    mw_error error;
    bool does_detach, does_update;
    int ticks_left; /* after an error; then the base is left */
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
        if (run->errors_count++ == 0)
            run->ticks_left = TICKS_AFTER_ERROR;
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

/* An event of the program's own on the same base: its descriptor is always readable. */
static void tick(evutil_socket_t fd, short what, void *context)
{
    struct run *run = context;
    (void)fd, (void)what;
    run->ticks_count++;
    if (run->does_update)
        mw_event_update(run->pump);
    if (run->ticks_left > 0 && --run->ticks_left == 0)
        event_base_loopbreak(run->base);
}

static void give_up(evutil_socket_t fd, short what, void *context)
{
    (void)fd, (void)what;
    CU_FAIL("the master is not served");
    event_base_loopbreak(((struct run *)context)->base);
}

static void run_on_base(struct run *run, mw_master *master,
                        void (*begin)(struct run *, mw_master *))
{
    int pipe_fds[2];
    run->base = event_base_new();
    CU_ASSERT_PTR_NOT_NULL_FATAL(run->base);
    CU_ASSERT_EQUAL_FATAL(pipe2(pipe_fds, O_CLOEXEC), 0);
    CU_ASSERT_EQUAL(write(pipe_fds[1], "x", 1), 1);
    struct event *ticker = event_new(run->base, pipe_fds[0], EV_READ | EV_PERSIST, tick, run);
    struct event *patience = event_new(run->base, -1, 0, give_up, run);
    event_add(ticker, NULL);
    event_add(patience, &(struct timeval){.tv_sec = MWT_WAIT_S});

    CU_ASSERT_EQUAL_FATAL(mw_event_attach(&run->pump, master, run->base, take, run), MW_OK);
    begin(run, master);
    mw_event_update(run->pump);
    event_base_dispatch(run->base);

    if (!run->does_detach)
        mw_event_detach(run->pump);
    event_free(ticker);
    event_free(patience);
    mw_master_close(master);
    event_base_free(run->base);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void begin_echoes(struct run *run, mw_master *master)
{
    submit_some(run, master, 100);
}

/* Tasks are submitted before the loop and in the function, and each comes back once. Meanwhile the
 * base serves the rest of the program. */
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

/* A master that got no descriptor when it was attached is served all the same. */
static void test_no_descriptor(void)
{
    struct run run = {.error = MW_OK};
    struct rlimit limit;
    mw_master *master = open_local("2");
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_max = limit.rlim_max}),
                          0);
    CU_ASSERT_EQUAL(mw_master_fd(master), -1);
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &limit), 0);

    run_on_base(&run, master, begin_echoes);

    CU_ASSERT_EQUAL(run.came_count, TASKS_COUNT);
}

/* A farm that breaks is reported once, however often the program calls mw_event_update. Yet the
 * master notices by its own deadlines that its slaves are gone. */
static void test_error(void)
{
    for (int does_update = 0; does_update < 2; does_update++) {
        struct run run = {.does_update = does_update != 0};

        setenv("EVENT_SLAVES_DIE", "1", 1);
        run_on_base(&run, open_local("1"), begin_echoes);
        unsetenv("EVENT_SLAVES_DIE");

        CU_ASSERT_EQUAL(run.error, MW_ENOSLAVES);
        CU_ASSERT_EQUAL(run.errors_count, 1);
    }
}

/* Several masters run on one base one after the other, each opened when the one before was
 * closed. */
struct relay {
    struct event_base *base;
    mw_event_pump *pump;
    int masters_left, echoes_left, late_count;
    int64_t submitted_ns;
};

static void hand_on(mw_master *master, const mw_master_counts *counts, mw_error error,
                    void *context);

static void submit_one(struct relay *relay, mw_master *master)
{
    relay->submitted_ns = mwt_now_ns();
    submit(master, "echo", 1);
}

static void begin_master(struct relay *relay)
{
    mw_master *master = open_local("1");
    relay->echoes_left = ECHOES_COUNT;
    CU_ASSERT_EQUAL_FATAL(mw_event_attach(&relay->pump, master, relay->base, hand_on, relay),
                          MW_OK);
    submit_one(relay, master);
    mw_event_update(relay->pump);
}

/* Each result submits the next task; the last one hands on to another master. */
static void hand_on(mw_master *master, const mw_master_counts *counts, mw_error error,
                    void *context)
{
    struct relay *relay = context;
    CU_ASSERT_EQUAL_FATAL(error, MW_OK);
    if (counts->results == 0)
        return;
    CU_ASSERT_PTR_NOT_NULL(mw_master_next_result(master));
    relay->late_count += (double)(mwt_now_ns() - relay->submitted_ns) > LATE_S * 1e9;
    if (--relay->echoes_left > 0) {
        submit_one(relay, master);
        return;
    }
    mw_event_detach(relay->pump);
    mw_master_close(master);
    if (--relay->masters_left > 0)
        begin_master(relay);
    else
        event_base_loopbreak(relay->base);
}

/* A master may be opened in another master's function, which then detaches and closes that other
 * one. It gets the same descriptor number, and is still served by its descriptor, not by time-outs
 * alone. */
static void test_relay(void)
{
    struct relay relay = {.base = event_base_new(), .masters_left = 3};
    CU_ASSERT_PTR_NOT_NULL_FATAL(relay.base);

    begin_master(&relay);
    event_base_dispatch(relay.base);

    CU_ASSERT_EQUAL(relay.masters_left, 0);
    CU_ASSERT(relay.late_count < ECHOES_COUNT / 2);
    event_base_free(relay.base);
}

/* The counts of a master that is served by hand. */
struct serving {
    int turns_count;
    int missed_count; /* waits that ended by time although the descriptor should have ended them */
};

/* Serves the master by hand until `ended_count` tasks are done or unrunnable. */
static void serve(struct serving *serving, mw_master *master, size_t ended_count)
{
    mw_master_counts counts = {0};
    while (counts.results + counts.unrunnable < ended_count) {
        struct pollfd fd = {.fd = mw_master_fd(master), .events = POLLIN};
        double timeout_s = mw_master_timeout(master);
        CU_ASSERT(timeout_s >= 0 && timeout_s <= 1);
        struct timespec timeout = {.tv_sec = (time_t)timeout_s};
        timeout.tv_nsec = (long)((timeout_s - (double)timeout.tv_sec) * 1e9);
        int ready_count = ppoll(&fd, 1, &timeout, NULL);
        CU_ASSERT_EQUAL_FATAL(mw_master_loop_iterate(master, 0, &counts), MW_OK);
        serving->turns_count++;
        serving->missed_count +=
            ready_count == 0 && timeout_s > LATE_S && mw_master_timeout(master) == 0;
    }
}

/* An idle farm causes no turns: the descriptor and the time-out say when there is work. */
static void test_by_hand(void)
{
    struct serving serving = {0};
    mw_master *master = open_local("1");
    CU_ASSERT(mw_master_fd(master) >= 0);
    CU_ASSERT_EQUAL(mw_master_timeout(master), 0);
    CU_ASSERT_EQUAL(mw_master_fd(master), mw_master_fd(master));
    for (size_t i = 1; i <= ECHOES_COUNT; i++) {
        submit(master, "echo", 1);
        serve(&serving, master, i);
    }
    CU_ASSERT(serving.missed_count < ECHOES_COUNT / 2);

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

/* When slaves end, the descriptor ends the wait, and they are replaced. */
static void test_replaced_by_hand(void)
{
    struct serving serving = {0};
    mw_master *master = open_local("1");
    const mw_policy once = {.retry = MW_NO};
    for (size_t i = 1; i <= ECHOES_COUNT; i++) {
        CU_ASSERT_EQUAL(
            mw_master_submit(master, &(mw_task){.algorithm = "die", .policy = &once}, ""), MW_OK);
        serve(&serving, master, i);
    }

    CU_ASSERT(serving.missed_count < ECHOES_COUNT / 2);
    mw_master_close(master);
}

/* The time-out runs down to 0 however often the program asks for it. */
static void test_timeout_runs_down(void)
{
    mw_master *master = open_local("1");
    mw_master_counts counts;
    CU_ASSERT(mw_master_fd(master) >= 0);
    submit(master, "echo", 1);
    serve(&(struct serving){0}, master, 1);
    do {
        CU_ASSERT_EQUAL_FATAL(mw_master_loop_iterate(master, 0, &counts), MW_OK);
    } while (mw_master_timeout(master) == 0);

    double least_s = mw_master_timeout(master);
    while (least_s > 0) {
        double timeout_s = mw_master_timeout(master);
        CU_ASSERT_FATAL(timeout_s <= least_s);
        least_s = timeout_s;
    }
    mw_master_close(master);
}

/* Data that does not fit into a socket is sent when there is room: the descriptor says so. */
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
        {"no descriptor", test_no_descriptor},
        {"error", test_error},
        {"relay", test_relay},
        {"by hand", test_by_hand},
        {"replaced by hand", test_replaced_by_hand},
        {"timeout runs down", test_timeout_runs_down},
        {"large by hand", test_large_by_hand},
        CU_TEST_INFO_NULL,
    };
    if (argc > 1 && getenv("EVENT_SLAVES_DIE") != NULL)
        return 3;
    if (argc > 1)
        return mw_main(&program, argc, argv);
    return mwt_run("event", tests);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The master as its user holds it: what can be submitted, what comes back, and how long it waits.
 * The farms are simulated, so waiting takes no time.
 */
#include "face/master_loop.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include <mw/sim.h>

#include "mwt_run.h"
#include "mwt_world.h"

#define SECOND MWT_WORLD_SECOND

static int user_data;

static void run_echo(mw_call *call)
{
    const msgpack_object *value;
    if (mw_call_args(call, "o", &value) != MW_OK)
        return;
    mw_call_return(call, "o", value);
}

static void run_fail(mw_call *call)
{
    mw_call_fail(call, "as asked");
}

static const mw_algorithm algorithms[] = {
    {"echo", run_echo}, {"fail", run_fail}, {"spend", mwt_world_spend}, {NULL, NULL}};

static const mw_task echo = {.algorithm = "echo"};
static const mw_task spend = {.algorithm = "spend"};

/* A farm of `slaves_count` slaves for this master, which finds the world as its user's data. */
static struct mwt_world world_of(size_t slaves_count,
                                 int (*master)(struct mwt_world *world, mw_master *master))
{
    return (struct mwt_world){
        .program = {.algorithms = algorithms}, .master = master, .slaves_count = slaves_count};
}

static void run(struct mwt_world *world)
{
    world->program.user = world;
    CU_ASSERT_TRUE(mwt_world_run(world));
    CU_ASSERT_EQUAL(world->master_error, MW_OK);
    CU_ASSERT_TRUE(world->has_finished);
}

static void run_farm(size_t slaves_count, int (*master)(struct mwt_world *world, mw_master *master))
{
    struct mwt_world world = world_of(slaves_count, master);
    run(&world);
}

static int master_of_results(struct mwt_world *world, mw_master *master)
{
    char name[] = "echo";
    int64_t sum = 0;
    const mw_result *result;
    CU_ASSERT_STRING_EQUAL(mw_master_error(master), "");
    CU_ASSERT_PTR_EQUAL(mw_master_user(master), world);
    CU_ASSERT_PTR_NULL(mw_master_next(master));
    for (int64_t i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(mw_master_submit(master, &(mw_task){.algorithm = name, .tag = -i}, "l", i),
                        MW_OK);
    memset(name, '?', sizeof name - 1);
    CU_ASSERT_EQUAL(mw_master_num_runnable_tasks(master), 100);

    while ((result = mw_master_next(master)) != NULL) {
        int64_t value = 0;
        CU_ASSERT_EQUAL(mw_result_get(result, "l", &value), MW_OK);
        CU_ASSERT_EQUAL(result->tag, -value);
        CU_ASSERT_STRING_EQUAL(result->algorithm, "echo");
        CU_ASSERT_EQUAL(strncmp(result->sid, "SLAVE-", 6), 0);
        CU_ASSERT_TRUE(result->seconds >= 0);
        sum += value;
    }

    CU_ASSERT_EQUAL(sum, 99 * 100 / 2);
    CU_ASSERT_EQUAL(mw_master_num_runnable_tasks(master), 0);
    CU_ASSERT_EQUAL(mw_master_num_slaves(master), 3);
    CU_ASSERT_STRING_EQUAL(mw_master_error(master), "");
    return 0;
}

/* The usual loop: every task that was submitted comes back once, as it was computed. */
static void test_results(void)
{
    run_farm(3, master_of_results);
}

static int master_of_measured(struct mwt_world *world, mw_master *master)
{
    (void)world;
    mw_master_submit(master, &spend, "d", 2.5);
    const mw_result *result = mw_master_next(master);
    CU_ASSERT_DOUBLE_EQUAL(result->seconds, 2.5, 0.001);
    return 0;
}

/* How long an algorithm computed is told. */
static void test_seconds(void)
{
    run_farm(1, master_of_measured);
}

static int master_of_copies(struct mwt_world *world, mw_master *master)
{
    int value = 0;
    (void)world;
    mw_master_submit(master, &echo, "i", 7);
    CU_ASSERT_EQUAL(mw_master_last_task(master), 1);
    mw_master_submit(master, &echo, "i", 8);

    mw_result copy = *mw_master_next(master);

    CU_ASSERT_EQUAL(copy.task, 1);
    CU_ASSERT_EQUAL(mw_result_get(&copy, "i", &value), MW_OK);
    CU_ASSERT_EQUAL(value, 7);
    CU_ASSERT_EQUAL(mw_result_values_count(&copy), 1);
    CU_ASSERT_PTR_NOT_NULL(mw_result_value(&copy, 0));
    const mw_result *second = mw_master_next(master);
    CU_ASSERT_EQUAL(second->task, 2);
    CU_ASSERT_EQUAL(mw_result_args(&copy, "i", &value), MW_ESTATE);
    CU_ASSERT_EQUAL(mw_result_get(&copy, "i", &value), MW_ESTATE);
    CU_ASSERT_STRING_EQUAL(mw_master_error(master),
                           "the result of task 1 is gone: another one was asked for since");
    CU_ASSERT_EQUAL(mw_result_values_count(&copy), 0);
    CU_ASSERT_PTR_NULL(mw_result_value(&copy, 0));
    CU_ASSERT_PTR_NULL(mw_master_next(master));
    CU_ASSERT_EQUAL(mw_result_get(second, "i", &value), MW_ESTATE);
    return 0;
}

/* A copy of a result is read like the result, and refused once the result is gone; so is the result
 * itself. */
static void test_copies_of_a_result(void)
{
    run_farm(1, master_of_copies);
}

/* A submission that must fail: nothing is submitted, and why is told. */
static void check_refused(mw_master *master, mw_error error, mw_error expected,
                          const char *sentence)
{
    CU_ASSERT_EQUAL(error, expected);
    CU_ASSERT_STRING_EQUAL(mw_master_error(master), sentence);
    CU_ASSERT_EQUAL(mw_master_num_runnable_tasks(master), 0);
}

/* A task that overruns its time limit is news at once, though no message comes with it. */
static int master_of_an_overrun(struct mwt_world *world, mw_master *master)
{
    const mw_policy policy = {.time_limit_s = 1, .max_attempts = 1};
    mw_master_submit(master, &(mw_task){.algorithm = "spend", .policy = &policy}, "d", 100.0);

    const mw_result *result = mw_master_next(master);

    CU_ASSERT_PTR_NOT_NULL_FATAL(result);
    CU_ASSERT_EQUAL(result->outcome, MW_UNRUNNABLE);
    CU_ASSERT_TRUE(mw_sim_now(world->sim) < 3 * SECOND);
    return 0;
}

static void test_overrun(void)
{
    run_farm(1, master_of_an_overrun);
}

static int master_of_bad_tasks(struct mwt_world *world, mw_master *master)
{
    static char large[5000];
    (void)world;
    check_refused(master, mw_master_submit(master, &(mw_task){.algorithm = "ehco"}, ""),
                  MW_EALGORITHM, "the program has no task algorithm \"ehco\"");
    check_refused(master, mw_master_submit(master, &(mw_task){.tag = 1}, ""), MW_EINVAL,
                  "a task was submitted without an algorithm");
    check_refused(master,
                  mw_master_submit(
                      master,
                      &(mw_task){.algorithm = "echo", .policy = &(mw_policy){.max_attempts = 256}},
                      ""),
                  MW_EINVAL, "max_attempts of 256 is over 255");
    check_refused(master, mw_master_submit(master, &echo, "iz", 1, 2), MW_EINVAL,
                  "the format \"iz\" has the unknown letter 'z'");
    check_refused(master, mw_master_submit(master, &echo, "s", (const char *)NULL), MW_EINVAL,
                  "the format \"s\" was given a string or object that is NULL");
    check_refused(master, mw_master_submit_values(master, &echo, "\x92\x01", 2), MW_EINVAL,
                  "the arguments are not whole msgpack values");
    char nested[41];
    memset(nested, 0x91, 40);
    nested[40] = 1;
    check_refused(master, mw_master_submit_values(master, &echo, nested, sizeof nested), MW_EINVAL,
                  "the arguments have a value that is nested deeper than 32 arrays and maps");
    check_refused(master, mw_master_submit_bytes(master, &echo, large, sizeof large), MW_ETOOBIG,
                  "the arguments' 5000 bytes are over --mw-max-write-buffer-size of 4096, of which "
                  "the message itself takes 128");
    check_refused(master, mw_master_submit_bytes_take(master, &echo, malloc(5000), 5000),
                  MW_ETOOBIG,
                  "the arguments' 5000 bytes are over --mw-max-write-buffer-size of 4096, of which "
                  "the message itself takes 128");
    CU_ASSERT_EQUAL(mw_master_submit_bytes(master, &echo, large, 3968), MW_OK);
    CU_ASSERT_EQUAL(mw_master_next(master)->outcome, MW_FAILED);
    return 0;
}

/* Every mistake in a submission has its error and its sentence. */
static void test_bad_tasks(void)
{
    static const char *const settings[][2] = {{"max-write-buffer-size", "4096"}, {NULL, NULL}};
    struct mwt_world world = world_of(1, master_of_bad_tasks);
    world.settings = settings;
    run(&world);
}

static int master_of_refused(struct mwt_world *world, mw_master *master)
{
    static const char sentence[] = "the program has no task algorithm \"ehco\"";
    mw_master_counts counts;
    (void)world;
    mw_master_submit(master, &(mw_task){.algorithm = "ehco"}, "");
    mw_master_submit(master, &(mw_task){.tag = 1}, "");
    mw_master_submit(master, &echo, "i", 7);

    CU_ASSERT_EQUAL(mw_master_loop(master, -1, &counts), MW_OK);
    CU_ASSERT_EQUAL(counts.results, 1);
    const mw_result *result = mw_master_next_result(master);
    CU_ASSERT_EQUAL(mw_result_get(result, "s", NULL), MW_EFORMAT);
    CU_ASSERT_EQUAL(mw_master_loop(master, -1, &counts), MW_EALGORITHM);
    CU_ASSERT_STRING_EQUAL(mw_master_error(master), sentence);
    CU_ASSERT_EQUAL(mw_master_loop(master, 1, &counts), MW_OK);

    mw_master_submit(master, &(mw_task){.tag = 1}, "");
    CU_ASSERT_EQUAL(mw_master_loop_iterate(master, 0, &counts), MW_EALGORITHM);
    mw_master_submit(master, &(mw_task){.tag = 1}, "");
    CU_ASSERT_PTR_NULL(mw_master_next(master));
    CU_ASSERT_STRING_EQUAL(mw_master_error(master), sentence);
    CU_ASSERT_EQUAL(mw_master_status(master), MW_EALGORITHM);
    return 0;
}

/* A loop that would wait for nothing but a task that was refused says so, once for each, with the
 * sentence of the first, which no later error replaces. */
static void test_refused(void)
{
    run_farm(1, master_of_refused);
}

static int master_of_policies(struct mwt_world *world, mw_master *master)
{
    (void)world;
    CU_ASSERT_EQUAL(mw_master_submit(master,
                                     &(mw_task){.algorithm = "echo",
                                                .policy = &(mw_policy){.max_attempts = 255}},
                                     "i", 1),
                    MW_OK);
    CU_ASSERT_EQUAL(
        mw_master_submit(master,
                         &(mw_task){.algorithm = "echo", .policy = &(mw_policy){.retry = MW_NO}},
                         "i", 2),
        MW_OK);
    CU_ASSERT_EQUAL(mw_master_submit_values(master, &echo, "\x03", 1), MW_OK);
    for (int i = 1; i <= 3; i++) {
        int value = 0;
        CU_ASSERT_EQUAL(mw_result_get(mw_master_next(master), "i", &value), MW_OK);
        CU_ASSERT_EQUAL(value, i);
    }
    return 0;
}

/* All that a policy can be is accepted, and arguments that the caller packed are too. */
static void test_policies(void)
{
    run_farm(1, master_of_policies);
}

static int master_of_formats(struct mwt_world *world, mw_master *master)
{
    char expected[5001];
    memset(expected, 'x', 5000);
    expected[5000] = '\0';
    (void)world;
    CU_ASSERT_STRING_EQUAL(mw_master_format(master, "%s-%d", "a", 5), "a-5");
    CU_ASSERT_STRING_EQUAL(mw_master_format(master, "%s", expected), expected);
    CU_ASSERT_STRING_EQUAL(mw_master_format(master, "%s", ""), "");
    return 0;
}

/* Strings are made as printf makes them. */
static void test_formats(void)
{
    run_farm(0, master_of_formats);
}

static int master_of_reading(struct mwt_world *world, mw_master *master)
{
    const char *text = "untouched";
    int number = 77;
    (void)world;
    mw_master_submit(master, &echo, "s", "text");
    const mw_result *result = mw_master_next(master);

    CU_ASSERT_EQUAL(mw_result_get(result, "i", &number), MW_EFORMAT);
    CU_ASSERT_STRING_EQUAL(mw_master_error(master),
                           "value 1: expected an integer of 32 bits, got a string");
    CU_ASSERT_EQUAL(mw_result_get(result, "ss", &text, &text), MW_EFORMAT);
    CU_ASSERT_STRING_EQUAL(mw_master_error(master), "expected 2 values, got 1");
    CU_ASSERT_EQUAL(mw_result_get(result, "?", &number), MW_EINVAL);
    CU_ASSERT_STRING_EQUAL(text, "untouched");
    CU_ASSERT_EQUAL(number, 77);
    CU_ASSERT_EQUAL(mw_result_values_count(result), 1);
    CU_ASSERT_EQUAL(mw_result_value(result, 0)->type, MSGPACK_OBJECT_STR);
    CU_ASSERT_PTR_NULL(mw_result_value(result, 1));
    CU_ASSERT_EQUAL(mw_result_get(result, "s", &text), MW_OK);
    CU_ASSERT_STRING_EQUAL(text, "text");
    CU_ASSERT_EQUAL(mwi_master_status(master, 0), 0);
    return 0;
}

/* A result that is read wrongly says so, can be read again, and leaves the exit status alone. */
static void test_reading(void)
{
    run_farm(1, master_of_reading);
}

static int master_of_failures(struct mwt_world *world, mw_master *master)
{
    int number;
    (void)world;
    mw_master_submit(master, &(mw_task){.algorithm = "fail", .tag = 9}, "");
    const mw_result *result = mw_master_next(master);
    CU_ASSERT_EQUAL(result->outcome, MW_FAILED);
    CU_ASSERT_STRING_EQUAL(result->message, "as asked");
    CU_ASSERT_EQUAL(result->tag, 9);
    CU_ASSERT_EQUAL(mw_result_get(result, "i", &number), MW_EFORMAT);
    CU_ASSERT_STRING_EQUAL(mw_master_error(master), "the task failed: as asked");
    CU_ASSERT_EQUAL(mw_result_values_count(result), 0);
    CU_ASSERT_PTR_NULL(mw_result_value(result, 0));
    CU_ASSERT_EQUAL(mwi_master_status(master, 0), 0);
    return 0;
}

/* A failure has a message and no values. */
static void test_failures(void)
{
    run_farm(1, master_of_failures);
}

static int master_of_counts(struct mwt_world *world, mw_master *master)
{
    mw_master_counts counts;
    int64_t begin_ns = mw_sim_now(world->sim);
    CU_ASSERT_PTR_NULL(mw_master_next_result(master));
    CU_ASSERT_EQUAL(mw_master_loop(master, NAN, &counts), MW_EINVAL);
    CU_ASSERT_EQUAL(mw_master_loop_iterate(master, NAN, &counts), MW_EINVAL);
    CU_ASSERT_STRING_EQUAL(mw_master_error(master), "timeout_s is not a number");
    CU_ASSERT_EQUAL(mw_master_loop(master, 0, &counts), MW_OK);
    CU_ASSERT_TRUE(mw_sim_now(world->sim) - begin_ns < SECOND / 100);
    CU_ASSERT_EQUAL(mw_master_loop(master, 2, &counts), MW_OK);
    CU_ASSERT_TRUE(mw_sim_now(world->sim) - begin_ns >= 2 * SECOND);
    CU_ASSERT_TRUE(mw_sim_now(world->sim) - begin_ns < 21 * SECOND / 10);
    CU_ASSERT_TRUE(counts.results == 0 && counts.unrunnable == 0);

    mw_master_submit(master, &echo, "i", 1);
    CU_ASSERT_EQUAL(mw_master_loop(master, -1, &counts), MW_OK);
    CU_ASSERT_EQUAL(counts.results, 1);
    CU_ASSERT_PTR_NULL(mw_master_next_unrunnable(master));
    begin_ns = mw_sim_now(world->sim);
    CU_ASSERT_EQUAL(mw_master_loop(master, DBL_MAX, &counts), MW_OK);
    CU_ASSERT_TRUE(mw_sim_now(world->sim) - begin_ns < SECOND / 100);
    CU_ASSERT_EQUAL(counts.results, 1);
    CU_ASSERT_PTR_NOT_NULL(mw_master_next_result(master));
    CU_ASSERT_PTR_NULL(mw_master_next_result(master));
    return 0;
}

/* The full loop waits as long as it is told, or until there is something to take. */
static void test_counts(void)
{
    run_farm(1, master_of_counts);
}

static int master_of_iterations(struct mwt_world *world, mw_master *master)
{
    mw_master_counts counts = {.results = 77};
    int64_t begin_ns = mw_sim_now(world->sim);
    int turns = 0;
    CU_ASSERT_EQUAL(mw_master_loop_iterate(master, 0, &counts), MW_OK);
    CU_ASSERT_EQUAL(counts.results, 0);
    CU_ASSERT_TRUE(mw_sim_now(world->sim) - begin_ns < SECOND / 100);
    mw_master_submit(master, &spend, "d", 1.0);
    for (; counts.results == 0 && turns < 100; turns++)
        CU_ASSERT_EQUAL(mw_master_loop_iterate(master, -1, &counts), MW_OK);
    CU_ASSERT_TRUE(turns >= 2 && turns < 20);
    CU_ASSERT_EQUAL(mw_master_loop_iterate(master, -1, &counts), MW_OK);
    CU_ASSERT_EQUAL(counts.results, 1);
    return 0;
}

/* One pass returns after anything has happened, a client that came for instance. */
static void test_iterations(void)
{
    run_farm(1, master_of_iterations);
}

static int master_of_loop_without_slaves(struct mwt_world *world, mw_master *master)
{
    mw_master_counts counts;
    mw_master_submit(master, &echo, "i", 1);
    CU_ASSERT_EQUAL(mw_master_loop(master, 100, &counts), MW_OK);
    CU_ASSERT_EQUAL(counts.results, 0);
    CU_ASSERT_TRUE(mw_sim_now(world->sim) >= 100 * SECOND);
    CU_ASSERT_EQUAL(mw_master_num_slaves(master), 0);
    CU_ASSERT_EQUAL(mw_master_num_runnable_tasks(master), 1);
    return 0;
}

/* Without slaves the loop waits for them; a farm that ends with tasks out ends all the same. */
static void test_no_slaves(void)
{
    run_farm(0, master_of_loop_without_slaves);
}

static void kill_first_slave(mw_sim *sim, void *context)
{
    struct mwt_world *world = context;
    (void)sim;
    mw_sim_kill(world->slave_hosts[0]);
}

static int master_of_unrunnable(struct mwt_world *world, mw_master *master)
{
    mw_master_counts counts;
    double seconds = 0;
    mw_sim_at(world->sim, SECOND, kill_first_slave, world);
    mw_master_submit(
        master, &(mw_task){.algorithm = "spend", .tag = 5, .policy = &(mw_policy){.retry = MW_NO}},
        "d", 100.0);
    CU_ASSERT_EQUAL(mw_master_loop(master, -1, &counts), MW_OK);
    CU_ASSERT_EQUAL(counts.unrunnable, 1);
    CU_ASSERT_EQUAL(counts.results, 0);
    CU_ASSERT_EQUAL(mw_master_num_unrunnable_tasks(master), 1);
    CU_ASSERT_EQUAL(mw_master_num_runnable_tasks(master), 0);
    CU_ASSERT_PTR_NULL(mw_master_next_result(master));

    const mw_result *result = mw_master_next_unrunnable(master);

    CU_ASSERT_EQUAL(result->outcome, MW_UNRUNNABLE);
    CU_ASSERT_EQUAL(result->tag, 5);
    CU_ASSERT_EQUAL(result->seconds, 0);
    CU_ASSERT_STRING_EQUAL(result->algorithm, "spend");
    CU_ASSERT_STRING_EQUAL(result->sid, "SLAVE-0");
    CU_ASSERT_EQUAL(strncmp(result->message, "SLAVE-0 (on ", 12), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(result->message, ") was lost: "));
    CU_ASSERT_EQUAL(mw_result_get(result, "d", &seconds), MW_EFORMAT);
    CU_ASSERT_EQUAL(mw_result_args(result, "d", &seconds), MW_OK);
    CU_ASSERT_EQUAL(seconds, 100.0);
    CU_ASSERT_EQUAL(mw_master_num_unrunnable_tasks(master), 0);
    CU_ASSERT_PTR_NULL(mw_master_next(master));
    return 0;
}

/* A task that no slave can run comes back with its arguments and the reasons. */
static void test_unrunnable(void)
{
    run_farm(1, master_of_unrunnable);
}

static int master_of_copied_unrunnable(struct mwt_world *world, mw_master *master)
{
    double seconds = 0;
    mw_sim_at(world->sim, SECOND, kill_first_slave, world);
    mw_master_submit(master,
                     &(mw_task){.algorithm = "spend", .policy = &(mw_policy){.retry = MW_NO}}, "d",
                     100.0);
    mw_result copy = *mw_master_next(master);
    CU_ASSERT_PTR_NULL(mw_master_next(master));

    mw_error error = mw_result_get(&copy, "d", &seconds);

    CU_ASSERT_EQUAL(error, MW_ESTATE);
    CU_ASSERT_EQUAL(mw_result_args(&copy, "d", &seconds), MW_ESTATE);
    return 0;
}

/* A copy of an unrunnable task is refused once the task is gone, and its message is not read. */
static void test_copy_of_an_unrunnable_task(void)
{
    run_farm(1, master_of_copied_unrunnable);
}

static int master_that_keeps_unrunnable(struct mwt_world *world, mw_master *master)
{
    mw_sim_at(world->sim, SECOND, kill_first_slave, world);
    mw_master_submit(master,
                     &(mw_task){.algorithm = "spend", .policy = &(mw_policy){.retry = MW_NO}}, "d",
                     100.0);
    const mw_result *result = mw_master_next(master);
    CU_ASSERT_EQUAL(result->outcome, MW_UNRUNNABLE);
    return 0;
}

static int master_that_keeps_a_result(struct mwt_world *world, mw_master *master)
{
    (void)world;
    mw_master_submit(master, &echo, "i", 1);
    CU_ASSERT_EQUAL(mw_master_next(master)->outcome, MW_DONE);
    return 0;
}

/* A master that ends with a result in its hands, of either kind, lets go of it; the sanitizer and
 * valgrind builds watch. */
static void test_end_with_a_result(void)
{
    run_farm(1, master_that_keeps_a_result);
    run_farm(1, master_that_keeps_unrunnable);
}

static int master_of_unrunnable_bytes(struct mwt_world *world, mw_master *master)
{
    mw_sim_kill(world->slave_hosts[0]);
    (void)mw_master_submit_bytes(
        master, &(mw_task){.algorithm = "spend", .policy = &(mw_policy){.max_attempts = 1}}, "raw",
        3);
    mw_sim_at(world->sim, 2 * SECOND, kill_first_slave, world);
    return 0;
}

/* A farm may end while slaves are being killed and tasks are out. */
static void test_end_with_tasks_out(void)
{
    run_farm(1, master_of_unrunnable_bytes);
}

static int master_of_retries(struct mwt_world *world, mw_master *master)
{
    mw_sim_at(world->sim, SECOND, kill_first_slave, world);
    mw_master_submit(master, &spend, "d", 10.0);
    const mw_result *result = mw_master_next(master);
    CU_ASSERT_EQUAL(result->outcome, MW_DONE);
    CU_ASSERT_STRING_EQUAL(result->sid, "SLAVE-1");
    CU_ASSERT_EQUAL(mw_master_num_slaves(master), 1);
    return 0;
}

/* By default a task of a slave that is lost is run by another. */
static void test_retries(void)
{
    run_farm(2, master_of_retries);
}

static int master_of_statuses(struct mwt_world *world, mw_master *master)
{
    (void)world;
    CU_ASSERT_EQUAL(mwi_master_status(master, 0), 0);
    CU_ASSERT_EQUAL(mwi_master_status(master, 7), 7);
    CU_ASSERT_EQUAL(mwi_master_status(master, 255), 255);
    CU_ASSERT_EQUAL(mwi_master_status(master, 256), 255);
    CU_ASSERT_EQUAL(mwi_master_status(master, -1), 255);
    mw_master_submit(master, &(mw_task){.algorithm = "none"}, "");
    CU_ASSERT_EQUAL(mwi_master_status(master, 0), 255);
    CU_ASSERT_EQUAL(mwi_master_status(master, 7), 7);
    return 0;
}

/* The exit status is the algorithm's, unless that is no status, or it overlooked a mistake. */
static void test_statuses(void)
{
    run_farm(0, master_of_statuses);
}

static int master_that_leaves(struct mwt_world *world, mw_master *master)
{
    mw_master_counts counts;
    mw_master_submit(master, &spend, "d", 50.0);
    CU_ASSERT_EQUAL(mw_master_loop(master, 1, &counts), MW_OK);
    world->context = world;
    return 0;
}

/* A master that ends waits for its slaves as long as the option says, and not for a busy one. */
static void test_shutdown_timeout(void)
{
    static const char *const settings[][2] = {{"shutdown-timeout", "7"}, {NULL, NULL}};
    struct mwt_world world = world_of(2, master_that_leaves);
    world.settings = settings;

    run(&world);

    CU_ASSERT_PTR_EQUAL(world.context, &world);
    CU_ASSERT_TRUE(world.end_ns >= 50 * SECOND && world.end_ns < 60 * SECOND);
}

static int master_inside(struct mwt_world *world, mw_master *master)
{
    mw_master *second = (mw_master *)world;
    mw_options *options;
    (void)master;
    CU_ASSERT_EQUAL(mw_options_create(&options), MW_OK);
    mw_options_set(options, "quiet", "1");
    CU_ASSERT_EQUAL(mw_options_use_transport(options, &mw_sim_transport, world->master_host, ""),
                    MW_OK);

    CU_ASSERT_EQUAL(mw_master_open(&second, &world->program, options), MW_ENETWORK);

    CU_ASSERT_PTR_EQUAL(second, (mw_master *)world);
    CU_ASSERT_STRING_EQUAL(mw_options_error(options), "host master listens already");
    mw_options_destroy(options);
    return 0;
}

/* A master whose transport does not listen is not opened, and why is in the options. */
static void test_open_fails(void)
{
    run_farm(0, master_inside);
}

/* Options that make no master are told, before anything is opened. */
static void test_open_with_wrong_options(void)
{
    mw_master *master = (mw_master *)&user_data;
    mw_program program = {.algorithms = algorithms};
    mw_options *options;
    CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);
    mw_options_set(options, "slave", "1");

    CU_ASSERT_EQUAL(mw_master_open(&master, &program, options), MW_EUSAGE);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(mw_options_error(options), "--mw-slave does not know its master"));
    mw_options_set(options, "master-host", "localhost");
    mw_options_set(options, "master-port", "1");
    CU_ASSERT_EQUAL(mw_master_open(&master, &program, options), MW_EUSAGE);

    CU_ASSERT_STRING_EQUAL(mw_options_error(options),
                           "--mw-slave makes this process a slave: open it with mw_slave_open");
    CU_ASSERT_PTR_EQUAL(master, (mw_master *)&user_data);
    mw_options_destroy(options);
    mw_master_close(NULL);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"results", test_results},
        {"seconds", test_seconds},
        {"copies of a result", test_copies_of_a_result},
        {"bad tasks", test_bad_tasks},
        {"refused", test_refused},
        {"policies", test_policies},
        {"formats", test_formats},
        {"reading", test_reading},
        {"failures", test_failures},
        {"counts", test_counts},
        {"iterations", test_iterations},
        {"no slaves", test_no_slaves},
        {"unrunnable", test_unrunnable},
        {"copy of an unrunnable task", test_copy_of_an_unrunnable_task},
        {"overrun", test_overrun},
        {"end with a result", test_end_with_a_result},
        {"end with tasks out", test_end_with_tasks_out},
        {"retries", test_retries},
        {"statuses", test_statuses},
        {"shutdown timeout", test_shutdown_timeout},
        {"open fails", test_open_fails},
        {"open with wrong options", test_open_with_wrong_options},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("master", tests);
}

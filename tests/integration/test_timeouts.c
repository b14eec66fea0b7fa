/* SPDX-License-Identifier: Apache-2.0
 *
 * The slaves that a master drops because of the time, those that it keeps, and the contents of its
 * resource file meanwhile.
 */
#include <signal.h>
#include <string.h>

#include <jansson.h>

#include "policy_farm.h"

static void check_dropped(const struct mwt_process *master, const char *line)
{
    CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_ERR), line), 1);
}

/* A task may take far longer than --mw-client-timeout. */
static void test_long_task(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(
        crew, MWT_ARGV("--mw-client-timeout", "1", "task=nap,3000", "task=echo,1", "take=2"));
    struct mwt_process *slave = start_slave(crew, MWT_ARGV(NULL));

    check_steps(master);

    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(master, MWT_OUT), "task 0 done by SLAVE-0"));
    CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_ERR), "dropped"), 0);
    mwt_crew_destroy(crew);
}

/* An idle slave that does not answer is dropped, an idle slave that answers is kept. Dropping the
 * first does no harm. */
static void test_silent_slave(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master =
        start_master(crew, MWT_ARGV("--mw-client-timeout", "1", "task=echo,0", "take=1", "slaves=2",
                                    "slaves=1", "task=echo,1", "take=1"));
    struct mwt_process *silent = start_welcome_slave(crew);
    mwt_await_line(master, MWT_OUT, "task 0 done by SLAVE-0");

    struct mwt_process *healthy = start_welcome_slave(crew);

    mwt_kill(silent, SIGSTOP);

    check_steps(master);
    mwt_kill(silent, SIGCONT);
    CU_ASSERT_EQUAL(mwt_await_end(silent), 255);
    CU_ASSERT_EQUAL(mwt_await_end(healthy), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(master, MWT_OUT), "task 1 done by SLAVE-1"));
    check_dropped(master,
                  "SLAVE-0 dropped: it had no task and did not answer within --mw-client-timeout");
    CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_ERR), " dropped: "), 1);
    mwt_crew_destroy(crew);
}

/* A task that overruns its time limit costs the slaves that run it, up to the attempts of its
 * policy. It comes back with their names and the reason. */
static void test_time_limit(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(
        crew, MWT_ARGV("slaves=2", "policy=limit:0.3,attempts:2", "task=nap," MINUTE, "take=1"));
    struct mwt_process *slaves[2];
    for (size_t i = 0; i < 2; i++)
        slaves[i] = start_welcome_slave(crew);

    check_steps(master);

    for (size_t i = 0; i < 2; i++) {
        mwt_kill(slaves[i], SIGKILL);
        CU_ASSERT_EQUAL(mwt_await_end(slaves[i]), -SIGKILL);
        check_dropped(master, mwt_format(crew,
                                         "SLAVE-%zu dropped: task 1 of \"nap\" overran its time "
                                         "limit of 0.3 s",
                                         i));
        CU_ASSERT_PTR_NOT_NULL(
            strstr(mwt_output(master, MWT_OUT), mwt_format(crew, "SLAVE-%zu (pid ", i)));
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(master, MWT_OUT), "task 0 unrunnable by SLAVE-"));
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(master, MWT_OUT), "its policy allows 2 attempts"));
    CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_OUT), ") was lost: task 1 of \"nap\" overran"),
                    2);
    mwt_crew_destroy(crew);
}

/* The same in local mode, where the slaves are killed and replaced. */
static void test_time_limit_in_local_mode(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm =
        mwt_run_program(crew, MWT_POLICY_FARM, "--mw-local", "1", "policy=limit:0.3,attempts:2",
                        "task=nap," MINUTE, "take=1", "policy=", "task=echo,1", "take=1", NULL);

    check_steps(farm);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(farm, MWT_OUT), "task 0 unrunnable by SLAVE-1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(farm, MWT_OUT), "task 1 done by SLAVE-2"));
    CU_ASSERT_EQUAL(
        mwt_count(mwt_output(farm, MWT_ERR), "was killed: its task overran its time limit"), 2);
    mwt_crew_destroy(crew);
}

/* A task within its limit is left alone, and so is the next task of the same slave. */
static void test_time_limit_that_holds(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(
        crew, MWT_ARGV("--mw-slave-task-group", "4", "policy=limit:2", "task=nap,500",
                       "task=nap,500", "task=nap,500", "task=nap,500", "task=nap,500", "take=5"));
    start_slave(crew, MWT_ARGV(NULL));

    check_steps(master);

    CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_OUT), " done by SLAVE-0"), 5);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_ERR), "dropped"), 0);
    mwt_crew_destroy(crew);
}

/* Reads a field of the resource file. The caller frees it. */
static json_t *read_field(struct mwt_crew *crew, const char *name)
{
    json_t *root = json_load_file(mwt_path(crew, "farm.rsc"), 0, NULL);
    json_t *field = json_incref(json_object_get(root, name));
    json_decref(root);
    return field;
}

static void check_status(struct mwt_crew *crew, const char *expected)
{
    json_t *status = read_field(crew, "computation-status");
    CU_ASSERT_PTR_NOT_NULL(status);
    if (status != NULL)
        CU_ASSERT_STRING_EQUAL(json_string_value(status), expected);
    json_decref(status);
}

/* A master that ends does not wait for ever for a slave that does not stop. It names the slave that
 * it dropped, and ends well. */
static void test_straggler(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(
        crew, MWT_ARGV("--mw-shutdown-timeout", "1", "slaves=2", "task=nap," MINUTE, "sent="));
    struct mwt_process *slaves[2];
    for (size_t i = 0; i < 2; i++)
        slaves[i] = start_slave(crew, MWT_ARGV(NULL));

    check_steps(master);

    /* A slave that receives the task and the end in one look does not begin the task. */
    const char *trail = mwt_output(master, MWT_ERR);
    unsigned stragglers_count = 0;
    for (size_t i = 0; i < 2; i++)
        stragglers_count += mwt_count(mwt_output(slaves[i], MWT_ERR), "task runs") > 0;
    CU_ASSERT_EQUAL(mwt_count(trail, " dropped: it did not stop within --mw-shutdown-timeout"),
                    stragglers_count);
    CU_ASSERT_EQUAL(mwt_count(trail, " dropped: "), stragglers_count);
    check_status(crew, "finished");
    for (size_t i = 0; i < 2; i++)
        if (mwt_count(mwt_output(slaves[i], MWT_ERR), "task runs") > 0)
            mwt_kill(slaves[i], SIGKILL);
        else
            CU_ASSERT_EQUAL(mwt_await_end(slaves[i]), 0);
    mwt_crew_destroy(crew);
}

/* Waits until the resource file says that the master needs `expected` slaves. */
static void await_needed(struct mwt_crew *crew, struct mwt_process *master, json_int_t expected)
{
    json_int_t needed = -1;
    while (needed != expected &&
           mwt_await_line(master, MWT_ERR, "RESFILE Generated resource file") != NULL) {
        json_t *field = read_field(crew, "slaves-needed");
        needed = json_integer_value(field);
        json_decref(field);
    }
    CU_ASSERT_EQUAL(needed, expected);
}

/* The resource file gets the new number of needed slaves at once, long before its interval has
 * passed. */
static void test_slaves_needed(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master =
        start_master(crew, MWT_ARGV("allocate=3,ordered", "allocate=2,intermingle", "connected=1",
                                    "deallocate=1,ordered", "connected=2", "slaves=1",
                                    "connected=4", "allocate=3,unordered", "slaves=4"));

    await_needed(crew, master, 5);
    struct mwt_process *first = start_slave(crew, MWT_ARGV(NULL));
    await_needed(crew, master, 3);
    start_slave(crew, MWT_ARGV(NULL));
    await_needed(crew, master, 2);
    check_status(crew, "in-progress");
    mwt_kill(first, SIGTERM);
    await_needed(crew, master, 3);
    start_slave(crew, MWT_ARGV(NULL));
    await_needed(crew, master, 2);
    start_slave(crew, MWT_ARGV(NULL));
    await_needed(crew, master, 4);
    start_slave(crew, MWT_ARGV(NULL));

    check_steps(master);
    CU_ASSERT_EQUAL(mwt_await_end(first), 255);
    check_status(crew, "finished");
    mwt_crew_destroy(crew);
}

/* A master that a signal ends writes into the resource file that its work is not done. */
static void test_failed(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(crew, MWT_ARGV("allocate=1,ordered", "connected=1"));
    await_needed(crew, master, 1);

    mwt_kill(master, SIGTERM);

    CU_ASSERT_EQUAL(mwt_await_end(master), 128 + SIGTERM);
    check_status(crew, "failed");
    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"long task", test_long_task},
        {"silent slave", test_silent_slave},
        {"time limit", test_time_limit},
        {"time limit in local mode", test_time_limit_in_local_mode},
        {"time limit that holds", test_time_limit_that_holds},
        {"straggler", test_straggler},
        {"slaves needed", test_slaves_needed},
        {"failed", test_failed},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("timeouts", tests);
}

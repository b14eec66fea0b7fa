/* SPDX-License-Identifier: Apache-2.0
 *
 * Farms in a single process, --mw-local 0: the same outcomes as with a slave of its own, signals,
 * and a crash. test_examples.c runs the examples so.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mwt_process.h"
#include "mwt_run.h"

static struct mwt_process *run_farm(struct mwt_crew *crew, const char *slaves_count,
                                    const char *specs, const char *tasks_count)
{
    return mwt_run_program(crew, MWT_FARM, "--mw-local", slaves_count, "--mw-quiet",
                           "--mw-max-read-buffer-size", "64K", specs, tasks_count, NULL);
}

/* Tasks that are done, fail, get wrong arguments or leave a result that is too large end as they do
 * with one slave in a process of its own. */
static void test_outcomes(void)
{
    static const char specs[] = "echo,fail,mismatch,big:100000,big:40000";
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *serial = run_farm(crew, "0", specs, "50");
    struct mwt_process *local = run_farm(crew, "1", specs, "50");

    CU_ASSERT_EQUAL(mwt_await_end(serial), 3);
    CU_ASSERT_EQUAL(mwt_await_end(local), 3);

    const char *serial_tasks = strstr(mwt_output(serial, MWT_OUT), "task 0 done");
    const char *local_tasks = strstr(mwt_output(local, MWT_OUT), "task 0 done");
    CU_ASSERT_PTR_NOT_NULL_FATAL(serial_tasks);
    CU_ASSERT_PTR_NOT_NULL_FATAL(local_tasks);
    CU_ASSERT_STRING_EQUAL(serial_tasks, local_tasks);
    mwt_crew_destroy(crew);
}

/* Tasks run in the process that was started. */
static void test_pid(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm = run_farm(crew, "0", "doze:0", "3");

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);

    for (int i = 0; i < 3; i++) {
        const char *line = mwt_format(crew, "task %d runs, pid %ld\n", i, (long)mwt_pid(farm));
        CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), line), 1);
    }
    mwt_crew_destroy(crew);
}

/* A farm whose tasks end when they get a byte through a FIFO. */
struct held_farm {
    struct mwt_crew *crew;
    struct mwt_process *process;
    int tokens;
};

static struct held_farm start_held(void)
{
    struct held_farm held = {.crew = mwt_crew_create()};
    const char *path = mwt_path(held.crew, "tokens");
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
    held.tokens = open(path, O_RDWR | O_CLOEXEC);
    CU_ASSERT_TRUE_FATAL(held.tokens >= 0);
    held.process = mwt_start(
        held.crew, &(struct mwt_start){
                       .argv = MWT_ARGV(MWT_FARM, "--mw-local", "0", "--mw-quiet", "token", "3"),
                       .environment = MWT_ARGV(mwt_format(held.crew, "FARM_TOKENS=%s", path))});
    mwt_await_line(held.process, MWT_ERR, "task 0 runs");
    return held;
}

static void end_held(struct held_farm *held)
{
    close(held->tokens);
    mwt_crew_destroy(held->crew);
}

/* A signal ends the farm when the task that runs is over; no other begins. */
static void test_signal(void)
{
    struct held_farm held = start_held();
    mwt_kill(held.process, SIGINT);
    CU_ASSERT_EQUAL(write(held.tokens, "ttt", 3), 3);

    CU_ASSERT_EQUAL(mwt_await_end(held.process), 128 + SIGINT);

    CU_ASSERT_EQUAL(mwt_count(mwt_output(held.process, MWT_ERR), " runs, pid "), 1);
    end_held(&held);
}

/* The second signal does not wait for the task. */
static void test_second_signal(void)
{
    struct held_farm held = start_held();
    mwt_kill(held.process, SIGINT);
    mwt_kill(held.process, SIGTERM);

    int status = mwt_await_end(held.process);

    CU_ASSERT_TRUE(status == -SIGTERM || status == 128 + SIGINT || status == 128 + SIGTERM);
    end_held(&held);
}

/* A crash of a task is one of the program, which a debugger shows. */
static void test_crash(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm = run_farm(crew, "0", mwt_format(crew, "echo,crash:%d", SIGUSR1), "2");

    CU_ASSERT_EQUAL(mwt_await_end(farm), -SIGUSR1);
    mwt_crew_destroy(crew);
}

/* The master's trail tells of the slave as of any other. */
static void test_trail(void)
{
    static const char *const lines[] = {
        "NEW-CLIENT -> this process\n",
        "SLAVE-0 this process -> [\"default-member-id\"] :connecting [:unordered]",
        "SLAVE-0 <- TRY-SHUTDOWN\n",
        "SLAVE-0 -> :disconnected\n",
        "EOF -> this process\n",
    };
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm = mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-local", "0", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), lines[i]), 1);
    mwt_crew_destroy(crew);
}

/* The resource file of such a farm says that nobody can join. */
static void test_resource_file(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *file = mwt_path(crew, "m.rsc");
    struct mwt_process *farm = mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-local", "0",
                                               "--mw-quiet", "--mw-resource-file", file, NULL);
    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);

    struct mwt_process *slave =
        mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-slave", "--mw-resource-file", file, NULL);

    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"outcomes", test_outcomes},           {"pid", test_pid},     {"signal", test_signal},
        {"second signal", test_second_signal}, {"crash", test_crash}, {"trail", test_trail},
        {"resource file", test_resource_file}, CU_TEST_INFO_NULL,
    };
    return mwt_run("serial", tests);
}

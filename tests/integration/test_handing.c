/* SPDX-License-Identifier: Apache-2.0
 *
 * What a farm takes over from the process that started it, and what it hands on to the processes
 * that its algorithms start. handing_farm.c is the farm.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "mwt_process.h"
#include "mwt_run.h"

/* Prints which signals a command ignores, which it blocks. */
#define SIGNALS "grep -E '^Sig(Ign|Blk)' /proc/self/status | tr '\\n' ' '"

/* A command that starts a local farm of one slave, in which a task or the master runs `command`.
 * `before` is what a shell does first. */
static struct mwt_process *start_farm(struct mwt_crew *crew, const char *before, const char *who,
                                      const char *command)
{
    const char *script = "eval \"$1\"; shift; exec \"$@\"";
    return mwt_run_program(crew, "bash", "-c", script, "bash", before, MWT_HANDING_FARM,
                           "--mw-quiet", "--mw-local", "1", who, command, NULL);
}

static void check_signals(const char *before)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *plain = start_farm(crew, before, "plain", SIGNALS);
    struct mwt_process *by_task = start_farm(crew, before, "task", SIGNALS);
    struct mwt_process *by_master = start_farm(crew, before, "master", SIGNALS);

    CU_ASSERT_EQUAL(mwt_await_end(plain), 0);
    CU_ASSERT_EQUAL(mwt_await_end(by_task), 0);
    CU_ASSERT_EQUAL(mwt_await_end(by_master), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(plain, MWT_OUT), "SigIgn:"));
    CU_ASSERT_STRING_EQUAL(mwt_output(by_task, MWT_OUT), mwt_output(plain, MWT_OUT));
    CU_ASSERT_STRING_EQUAL(mwt_output(by_master, MWT_OUT), mwt_output(plain, MWT_OUT));
    mwt_crew_destroy(crew);
}

/* Commands that tasks and the master run find the signals as the farm has found them. */
static void test_signals(void)
{
    check_signals(":");
    check_signals("trap '' HUP");
    check_signals("trap '' INT QUIT");
    check_signals("trap '' PIPE XFSZ");
}

/* A command whose reader is done ends. */
static void test_endless_producer(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm =
        start_farm(crew, ":", "task", "while :; do echo x; done 2>/dev/null | head -1");

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);

    CU_ASSERT_STRING_EQUAL(mwt_output(farm, MWT_OUT), "line: x\n");
    mwt_crew_destroy(crew);
}

/* Starts a farm after `before`, sends it a signal when a task runs, and returns how it has
 * ended. */
static int signal_farm(const char *before, int number)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *script = mwt_format(crew, "%s; exec \"$@\"", before);
    struct mwt_process *farm = mwt_run_program(crew, "bash", "-c", script, "bash", MWT_FARM,
                                               "--mw-local", "2", "doze:300", "1000", NULL);
    mwt_await_line(farm, MWT_ERR, " runs, pid");
    mwt_kill(farm, number);
    int status = mwt_await_end(farm);
    mwt_crew_destroy(crew);
    return status;
}

/* SIGTERM ends a farm even if it was ignored at start; SIGINT does if it was not. */
static void test_ending(void)
{
    CU_ASSERT_EQUAL(signal_farm("trap '' TERM INT HUP", SIGTERM), 128 + SIGTERM);
    CU_ASSERT_EQUAL(signal_farm(":", SIGINT), 128 + SIGINT);
}

/* A farm that was started in the background, and with nohup, goes on after SIGINT and SIGHUP. */
static void test_background(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm =
        mwt_run_program(crew, "bash", "-c", "trap '' INT HUP; exec \"$@\"", "bash", MWT_FARM,
                        "--mw-local", "2", "doze:100", "6", NULL);
    mwt_await_line(farm, MWT_ERR, " runs, pid");

    mwt_kill(farm, SIGINT);
    mwt_kill(farm, SIGHUP);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    mwt_await_line(farm, MWT_OUT, "farm: 6 done, 0 failed, 0 unrunnable, 0 lost or wrong");
    mwt_crew_destroy(crew);
}

/* mw_main leaves the caller's array as it was, so that it can be called again. */
static void test_twice(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm =
        mwt_run_program(crew, MWT_HANDING_FARM, "--mw-quiet", "twice", "--mw-local", "1", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);

    CU_ASSERT_STRING_EQUAL(mwt_output(farm, MWT_OUT), "line: once more\nline: once more\n");
    mwt_crew_destroy(crew);
}

/* Without this the end of a process that leaves a farm to its parent would be a leak. */
#define NO_LEAK_CHECK "ASAN_OPTIONS=detect_leaks=0"

static struct mwt_process *start_tcp(struct mwt_crew *crew, const char *const *rest,
                                     const char *variable)
{
    const char *argv[16] = {MWT_HANDING_FARM, "--mw-resource-file", mwt_path(crew, "farm.rsc")};
    for (size_t i = 3; *rest != NULL && i < 15; i++)
        argv[i] = *rest++;
    return mwt_start(
        crew, &(struct mwt_start){.argv = argv, .environment = MWT_ARGV(NO_LEAK_CHECK, variable)});
}

static struct mwt_process *start_master(struct mwt_crew *crew, const char *port, const char *what,
                                        const char *rest)
{
    return start_tcp(crew,
                     MWT_ARGV("--mw-master", "--mw-master-host", "127.0.0.1", "--mw-master-port",
                              port, what, rest),
                     NULL);
}

/* The process that an algorithm of `farm` has forked off. */
static struct mwt_process *find_helper(struct mwt_crew *crew, struct mwt_process *farm)
{
    const char *line = mwt_await_line(farm, MWT_ERR, "helper ");
    return mwt_adopt(crew, line == NULL ? 0 : (pid_t)atol(line + strlen("helper ")));
}

/* A task has forked off a process that goes on, and its slave is killed. The master notices that at
 * once, and another slave gets the task. */
static void check_helper_of_task(const char *kind)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(crew, "0", "die", mwt_path(crew, "mark"));
    struct mwt_process *slave = start_tcp(crew, MWT_ARGV("--mw-slave"), kind);
    struct mwt_process *helper = find_helper(crew, slave);
    CU_ASSERT_EQUAL(mwt_await_end(slave), -SIGKILL);

    struct mwt_process *other = start_tcp(crew, MWT_ARGV("--mw-slave"), kind);

    CU_ASSERT_EQUAL(mwt_await_end(master), 0);
    CU_ASSERT_STRING_EQUAL(mwt_output(master, MWT_OUT), "line: here\n");
    CU_ASSERT_EQUAL(mwt_await_end(other), 0);
    CU_ASSERT_FALSE(mwt_has_ended(helper));
    mwt_kill(helper, SIGKILL);
    mwt_crew_destroy(crew);
}

static void test_helper_of_task(void)
{
    check_helper_of_task(NULL);
    check_helper_of_task("HANDING=embedded");
}

/* The master has forked off a process that goes on, and is killed. Its slave notices that at once,
 * and the port is free. */
static void test_helper_of_master(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    char port[16] = "";
    struct mwt_process *master = start_master(crew, "0", "end", NULL);
    const char *line = mwt_await_line(master, MWT_ERR, "127.0.0.1:");
    if (line != NULL)
        snprintf(port, sizeof port, "%d", atoi(strstr(line, "127.0.0.1:") + strlen("127.0.0.1:")));
    struct mwt_process *slave = start_tcp(crew, MWT_ARGV("--mw-slave"), NULL);
    struct mwt_process *helper = find_helper(crew, master);

    CU_ASSERT_EQUAL(mwt_await_end(master), -SIGKILL);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 255);
    struct mwt_process *next = start_master(crew, port, "master", "echo here");

    CU_ASSERT_EQUAL(mwt_await_end(next), 0);
    CU_ASSERT_STRING_EQUAL(mwt_output(next, MWT_OUT), "line: here\n");
    CU_ASSERT_FALSE(mwt_has_ended(helper));
    mwt_kill(helper, SIGKILL);
    mwt_crew_destroy(crew);
}

/* Processes that were forked off by algorithms, and return from them, end without a trace: no
 * result is doubled, no slave is ended, and the trail ends once. */
static void check_no_trace(const struct mwt_process *process)
{
    CU_ASSERT_EQUAL(mwt_count(mwt_output(process, MWT_ERR), "FINI"), 1);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(process, MWT_ERR), "handing_farm:"), 0);
}

static void test_returning_locally(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm = start_tcp(crew, MWT_ARGV("--mw-local", "2", "return"), NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    check_no_trace(farm);
    mwt_crew_destroy(crew);
}

static void test_returning(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(crew, "0", "return", NULL);
    struct mwt_process *slave = start_tcp(crew, MWT_ARGV("--mw-slave"), NULL);

    CU_ASSERT_EQUAL(mwt_await_end(master), 0);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    check_no_trace(master);
    check_no_trace(slave);
    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"signals", test_signals},
        {"endless producer", test_endless_producer},
        {"ending", test_ending},
        {"background", test_background},
        {"twice", test_twice},
        {"helper of a task", test_helper_of_task},
        {"helper of the master", test_helper_of_master},
        {"returning locally", test_returning_locally},
        {"returning", test_returning},
        CU_TEST_INFO_NULL,
    };

    return mwt_run("handing", tests);
}

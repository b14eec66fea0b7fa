/* SPDX-License-Identifier: Apache-2.0
 *
 * What a farm takes over from the process that started it, and what it hands on to the processes
 * that its algorithms start. handing_farm.c is the farm.
 */
#include <signal.h>
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

int main(void)
{
    CU_TestInfo tests[] = {
        {"signals", test_signals}, {"endless producer", test_endless_producer},
        {"ending", test_ending},   {"background", test_background},
        {"twice", test_twice},     CU_TEST_INFO_NULL,
    };

    return mwt_run("handing", tests);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The processor time of a farm that has nothing to do: master and slave over 10 s, measured by
 * mw_wait. All farms wait at the same time, since idle farms do not disturb each other. A busy
 * machine does not change processor time.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "mwt_process.h"
#include "mwt_run.h"

#define SECONDS "10"
#define NO_LEAK_CHECK "ASAN_OPTIONS=detect_leaks=0"

/* A farm, and the share of a core in percent that each of its processes may take. */
struct mode {
    const char *name;
    const char *wait; /* --mw-wait */
    const char *transport;
    const char *seconds; /* with nothing to do */
    double percent_max;
};

static const struct mode modes[] = {
    {"tcp", "auto", "tcp", SECONDS, 1},       {"tcp, nap", "nap", "tcp", SECONDS, 1},
#ifdef MWT_MPIEXEC
    {"mpi", "auto", "mpi", SECONDS, 3},       {"mpi, nap", "nap", "mpi", SECONDS, 3},
    {"mixed", "auto", "mpi,tcp", SECONDS, 3}, {"mixed, nap", "nap", "mpi,tcp", SECONDS, 3},
#endif
};

#define MODES_COUNT (sizeof modes / sizeof modes[0])

/* Starts the farm of one slave, which over TCP is a process of its own. Its master, or its
 * launcher, prints the figures. */
static struct mwt_process *start_mode(struct mwt_crew *crew, const struct mode *mode)
{
    const char *file = mwt_path(crew, mwt_format(crew, "%s.rsc", mode->name));
    const char *argv[32] = {0};
    size_t count = 0;
#ifdef MWT_MPIEXEC
    if (strcmp(mode->transport, "tcp") != 0) {
        const char *const launcher[] = {MWT_MPIEXEC,      "-n",           "2", MWT_WAIT,
                                        "--mw-transport", mode->transport};
        memcpy(argv, launcher, sizeof launcher);
        count = sizeof launcher / sizeof launcher[0];
    }
#endif
    if (count == 0) {
        mwt_run_program(crew, MWT_WAIT, "--mw-slave", "--mw-quiet", "--mw-wait", mode->wait,
                        "--mw-resource-file", file, NULL);
        argv[count++] = MWT_WAIT;
        argv[count++] = "--mw-master";
    }
    const char *const rest[] = {"--mw-quiet", "--mw-wait", mode->wait,  "--tasks",    "10",
                                "--quiets",   "0",         "--seconds", mode->seconds};
    const char *const listening[] = {"--mw-master-host", "127.0.0.1", "--mw-resource-file", file};
    memcpy(argv + count, rest, sizeof rest);
    count += sizeof rest / sizeof rest[0];
    if (strstr(mode->transport, "tcp") != NULL)
        memcpy(argv + count, listening, sizeof listening);
    return mwt_start(crew,
                     &(struct mwt_start){.argv = argv, .environment = MWT_ARGV(NO_LEAK_CHECK)});
}

/* Whether a process kept to its share. */
static bool is_quiet(const struct mode *mode, const json_t *figures, const char *key)
{
    const json_t *percent = json_object_get(figures, key);
    CU_ASSERT_TRUE_FATAL(json_is_real(percent));
    printf("\n%s: %s %.2f, at most %.0f", mode->name, key, json_real_value(percent),
           mode->percent_max);
    return json_real_value(percent) < mode->percent_max;
}

/* Runs all farms at once. Returns whether all processes kept to their shares. */
static bool are_quiet(void)
{
    bool are = true;
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farms[MODES_COUNT];
    for (size_t i = 0; i < MODES_COUNT; i++)
        farms[i] = start_mode(crew, &modes[i]);
    for (size_t i = 0; i < MODES_COUNT; i++) {
        CU_ASSERT_EQUAL(mwt_await_end(farms[i]), 0);
        json_t *figures = json_loads(mwt_output(farms[i], MWT_OUT), 0, NULL);
        CU_ASSERT_PTR_NOT_NULL(figures);
        are = figures != NULL && is_quiet(&modes[i], figures, "idle_master_percent") && are;
        are = figures != NULL && is_quiet(&modes[i], figures, "idle_slave_percent") && are;
        json_decref(figures);
    }
    mwt_crew_destroy(crew);
    return are;
}

/* An idle process takes less than a hundredth of a core over TCP. Over MPI, which has no descriptor
 * to wait for, or over both, it takes less than three hundredths. A virtual machine's host may
 * steal time, which counts against the running process, so one good measurement of three is enough.
 * The cost of a sanitizer is not counted. */
static void test_idle(void)
{
    bool are = are_quiet();
#ifdef MWT_IS_SANITIZED
    are = true;
#endif

    for (int i = 1; i < 3 && !are; i++)
        are = are_quiet();

    CU_ASSERT_TRUE(are);
}

/* The measurement notices a process that never sleeps: it takes far more. */
static void test_spin(void)
{
    static const struct mode spin = {"tcp, spin", "spin", "tcp", "1", 100};
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm = start_mode(crew, &spin);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    json_t *figures = json_loads(mwt_output(farm, MWT_OUT), 0, NULL);
    CU_ASSERT_TRUE(json_real_value(json_object_get(figures, "idle_master_percent")) > 3);
    CU_ASSERT_TRUE(json_real_value(json_object_get(figures, "idle_slave_percent")) > 3);
    json_decref(figures);
    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"idle", test_idle},
        {"spin", test_spin},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("idle", tests);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Out of memory in a whole farm, through the public functions, at every place where an allocation
 * can fail; and in a task algorithm whose result is too large for the memory that is left.
 */
#include <stdlib.h>
#include <string.h>

#include <mw/embed.h>

#include "mwt_memory.h"
#include "mwt_world.h"

#define RESULTS_COUNT 6

static void run_square(mw_call *call)
{
    int number;
    const char *text;
    if (mw_call_args(call, "is", &number, &text) != MW_OK)
        return;
    if (number == 3)
        mw_call_fail(call, "%s", text);
    else
        mw_call_return(call, "is", number * number, mw_call_format(call, "%s!", text));
}

static bool is_right_result(const mw_result *result)
{
    int number = 0;
    const char *text = "";
    if (result->outcome == MW_FAILED)
        return result->tag == 3 || strstr(result->message, "memory") != NULL;
    return result->outcome == MW_DONE && mw_result_get(result, "is", &number, &text) == MW_OK &&
           number == result->tag * result->tag && strcmp(text, "text!") == 0;
}

/* Returns the number of right results; below 0 if one was wrong without an error. */
static int master_of_squares(struct mwt_world *world, mw_master *master)
{
    const mw_result *result;
    int count = 0;
    bool is_told = false;
    (void)world;
    for (int i = 0; i < RESULTS_COUNT; i++)
        if (mw_master_submit(master, &(mw_task){.algorithm = "square", .tag = i}, "is", i,
                             "text") != MW_OK)
            is_told = true;
    while ((result = mw_master_next(master)) != NULL) {
        if (is_right_result(result))
            count++;
        else
            is_told = mw_master_error(master)[0] != '\0';
    }
    is_told = is_told || mw_master_error(master)[0] != '\0';
    return count == RESULTS_COUNT || is_told ? count : -1;
}

/* Slaves keep their results for the case that they lose the master, and come back if it drops them.
 */
static enum mwt_outcome run_farm(void)
{
    static const mw_algorithm squares[] = {{"square", run_square}, {NULL, NULL}};
    static const char *const settings[][2] = {
        {"connect-timeout", "2"}, {"slave-task-group", "2"}, {"reconnect", "2"}, {NULL, NULL}};
    static struct mwt_world world;
    world = (struct mwt_world){.program = {.algorithms = squares},
                               .master = master_of_squares,
                               .slaves_count = 2,
                               .settings = settings};
    if (!mwt_world_run(&world))
        return MWT_TOLD;
    if (world.master_status == RESULTS_COUNT)
        return MWT_RIGHT;
    return world.master_status < 0 && world.has_finished && world.master_error == MW_OK &&
                   world.master_host != NULL
               ? MWT_WRONG
               : MWT_TOLD;
}

/* Master and slaves, from their options to their ends. */
static void test_farm(void)
{
    mwt_memory_repeat(run_farm, false, 100);
    mwt_memory_repeat(run_farm, true, 100);
}

/* Asks for squares until the farm ends. */
static bool has_squares(mw_master *master)
{
    int count = 0;
    bool is_told = false;
    for (int i = 0; i < RESULTS_COUNT; i++)
        if (mw_master_submit(master, &(mw_task){.algorithm = "square", .tag = i}, "is", i,
                             "text") != MW_OK)
            is_told = true;
    for (const mw_result *result; (result = mw_master_next(master)) != NULL;)
        count += is_right_result(result);
    return count == RESULTS_COUNT || is_told || mw_master_error(master)[0] != '\0';
}

static enum mwt_outcome run_serial_farm(void)
{
    static const mw_algorithm squares[] = {{"square", run_square}, {NULL, NULL}};
    const mw_program program = {.algorithms = squares};
    enum mwt_outcome outcome = MWT_TOLD;
    mw_options *options;
    mw_master *master;
    if (mw_options_create(&options) != MW_OK)
        return MWT_TOLD;
    if (mw_options_set(options, "local", "0") == MW_OK &&
        mw_options_set(options, "audit-level", "none") == MW_OK &&
        mw_master_open(&master, &program, options) == MW_OK) {
        outcome = has_squares(master) ? MWT_RIGHT : MWT_WRONG;
        mw_master_close(master);
    }
    mw_options_destroy(options);
    return outcome;
}

/* Master and slave in one process, from their options to their ends. */
static void test_serial_farm(void)
{
    mwt_memory_repeat(run_serial_farm, false, 100);
    mwt_memory_repeat(run_serial_farm, true, 100);
}

static char large[1 << 20];

/* Returns a result for which there is no memory. The argument chooses the call. */
static void run_without_memory(mw_call *call)
{
    const char *what;
    void *block = malloc(sizeof large);
    if (block == NULL || mw_call_args(call, "s", &what) != MW_OK)
        return;
    memset(large, 'x', sizeof large - 1);
    mwt_memory_fail(1, false);
    if (strcmp(what, "values") == 0)
        CU_ASSERT_EQUAL(mw_call_return(call, "s", large), MW_ENOMEM);
    if (strcmp(what, "bytes") == 0)
        CU_ASSERT_EQUAL(mw_call_return_bytes(call, large, sizeof large), MW_ENOMEM);
    if (strcmp(what, "packer") == 0)
        msgpack_pack_bin_with_body(mw_call_packer(call), large, sizeof large);
    if (strcmp(what, "format") == 0)
        CU_ASSERT_STRING_EQUAL(mw_call_format(call, "%s", large), "");
    if (strcmp(what, "failure") == 0)
        mw_call_fail(call, "%s", large);
    CU_ASSERT_TRUE(mwt_memory_has_failed());
    mwt_memory_fail(0, false);
    free(block);
}

static void run_echo(mw_call *call)
{
    const char *text;
    if (mw_call_args(call, "s", &text) == MW_OK)
        mw_call_return(call, "s", text);
}

static int master_of_large_results(struct mwt_world *world, mw_master *master)
{
    static const char *const cases[][2] = {
        {"values", "out of memory for the result"},
        {"bytes", "out of memory for the result"},
        {"packer", "out of memory for the result"},
        {"format", "out of memory for a string"},
        {"failure", "out of memory for the message of a failure"},
    };
    (void)world;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = "";
        mw_master_submit(master, &(mw_task){.algorithm = "poor"}, "s", cases[i][0]);
        const mw_result *result = mw_master_next(master);
        CU_ASSERT_TRUE(result != NULL && result->outcome == MW_FAILED);
        if (result == NULL)
            return 1;
        if (result->outcome == MW_FAILED)
            CU_ASSERT_STRING_EQUAL(result->message, cases[i][1]);
        mw_master_submit(master, &(mw_task){.algorithm = "echo"}, "s", "well");
        result = mw_master_next(master);
        CU_ASSERT_STRING_EQUAL(result->sid, "SLAVE-0");
        CU_ASSERT_EQUAL(mw_result_get(result, "s", &text), MW_OK);
        CU_ASSERT_STRING_EQUAL(text, "well");
    }
    return 0;
}

/* A result that memory does not suffice for fails its task, and the slave goes on with the next. */
static void test_large_results(void)
{
    static const mw_algorithm both[] = {
        {"poor", run_without_memory}, {"echo", run_echo}, {NULL, NULL}};
    struct mwt_world world = {
        .program = {.algorithms = both}, .master = master_of_large_results, .slaves_count = 1};

    CU_ASSERT_TRUE(mwt_world_run(&world));

    CU_ASSERT_EQUAL(world.master_status, 0);
    CU_ASSERT_EQUAL(world.slave_status, 0);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"farm", test_farm},
        {"serial farm", test_serial_farm},
        {"large results", test_large_results},
        CU_TEST_INFO_NULL,
    };
    return mwt_memory_run("no memory: farm", tests);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of states: their names, and the moves that are allowed. docs/states.dot draws the
 * same.
 */
#include "record/state.h"

#include "mwt_run.h"

/* The audit trail prints states as CL-MW does. */
static void test_slave_state_names(void)
{
    CU_ASSERT_STRING_EQUAL(mwi_state_slave_name(MWI_SLAVE_CONNECTING), ":connecting");
    CU_ASSERT_STRING_EQUAL(mwi_state_slave_name(MWI_SLAVE_IDLE), ":idle");
    CU_ASSERT_STRING_EQUAL(mwi_state_slave_name(MWI_SLAVE_BUSY), ":busy");
    CU_ASSERT_STRING_EQUAL(mwi_state_slave_name(MWI_SLAVE_SHUTTING_DOWN), ":shutting-down");
    CU_ASSERT_STRING_EQUAL(mwi_state_slave_name(MWI_SLAVE_DISCONNECTED), ":disconnected");
}

/* And the groups of slaves too. */
static void test_slave_group_names(void)
{
    CU_ASSERT_STRING_EQUAL(mwi_state_group_name(MWI_GROUP_UNORDERED), ":unordered");
    CU_ASSERT_STRING_EQUAL(mwi_state_group_name(MWI_GROUP_INTERMINGLE), ":intermingle");
    CU_ASSERT_STRING_EQUAL(mwi_state_group_name(MWI_GROUP_ORDERED), ":ordered");
}

/* A slave greets before it gets tasks, is told to stop once, and is never there again after it was
 * disconnected. A row a state, a column the state after it. */
static void test_slave_moves(void)
{
    static const char *const allowed[MWI_SLAVE_STATES_COUNT] = {
        /*                            connecting, idle, busy, shutting down, disconnected */
        [MWI_SLAVE_CONNECTING] = "-i--d",   [MWI_SLAVE_IDLE] = "--bsd",
        [MWI_SLAVE_BUSY] = "-i-sd",         [MWI_SLAVE_SHUTTING_DOWN] = "----d",
        [MWI_SLAVE_DISCONNECTED] = "-----",
    };

    for (int from = 0; from < MWI_SLAVE_STATES_COUNT; from++)
        for (int to = 0; to < MWI_SLAVE_STATES_COUNT; to++)
            CU_ASSERT_EQUAL(
                mwi_state_slave_may_move((enum mwi_slave_state)from, (enum mwi_slave_state)to),
                allowed[from][to] != '-');
}

/* A task waits before it runs, may come back, and is done once; one that is unrunnable or cancelled
 * stays so until it is gone. */
static void test_task_moves(void)
{
    static const char *const allowed[MWI_TASK_STATES_COUNT] = {
        /*                         free, waiting, ordered, running, cancelled, unrunnable, aside */
        [MWI_TASK_FREE] = "-wo--u-",      [MWI_TASK_WAITING] = "f--r--a",
        [MWI_TASK_ORDERED] = "fw-r-u-",   [MWI_TASK_RUNNING] = "fw--cu-",
        [MWI_TASK_CANCELLED] = "f------", [MWI_TASK_UNRUNNABLE] = "f------",
        [MWI_TASK_ASIDE] = "f--r---",
    };

    for (int from = 0; from < MWI_TASK_STATES_COUNT; from++)
        for (int to = 0; to < MWI_TASK_STATES_COUNT; to++)
            CU_ASSERT_EQUAL(
                mwi_state_task_may_move((enum mwi_task_state)from, (enum mwi_task_state)to),
                allowed[from][to] != '-');
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"slave state names", test_slave_state_names},
        {"slave group names", test_slave_group_names},
        {"slave moves", test_slave_moves},
        {"task moves", test_task_moves},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("state", tests);
}

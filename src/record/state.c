/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables behind state.h. Each state has a row, and in the row a bit for each state that may
 * follow. slaves.c and tasks.c assert every move of theirs here; the audit trail prints the names.
 *
 * Invariant: a slave never leaves DISCONNECTED, and a task ends in FREE. A new state needs an
 * enumerator, a row, a name if it is a slave's, and a place in docs/states.dot.
 */
#include "record/state.h"

#define TO(state) (1u << (state))

static const char *const slave_state_names[MWI_SLAVE_STATES_COUNT] = {
    [MWI_SLAVE_CONNECTING] = ":connecting",
    [MWI_SLAVE_IDLE] = ":idle",
    [MWI_SLAVE_BUSY] = ":busy",
    [MWI_SLAVE_SHUTTING_DOWN] = ":shutting-down",
    [MWI_SLAVE_DISCONNECTED] = ":disconnected",
};

static const char *const slave_group_names[MWI_GROUPS_COUNT] = {
    [MWI_GROUP_UNORDERED] = ":unordered",
    [MWI_GROUP_INTERMINGLE] = ":intermingle",
    [MWI_GROUP_ORDERED] = ":ordered",
};

static const unsigned slave_moves[MWI_SLAVE_STATES_COUNT] = {
    [MWI_SLAVE_CONNECTING] = TO(MWI_SLAVE_IDLE) | TO(MWI_SLAVE_DISCONNECTED),
    [MWI_SLAVE_IDLE] =
        TO(MWI_SLAVE_BUSY) | TO(MWI_SLAVE_SHUTTING_DOWN) | TO(MWI_SLAVE_DISCONNECTED),
    [MWI_SLAVE_BUSY] =
        TO(MWI_SLAVE_IDLE) | TO(MWI_SLAVE_SHUTTING_DOWN) | TO(MWI_SLAVE_DISCONNECTED),
    [MWI_SLAVE_SHUTTING_DOWN] = TO(MWI_SLAVE_DISCONNECTED),
    [MWI_SLAVE_DISCONNECTED] = 0,
};

static const unsigned task_moves[MWI_TASK_STATES_COUNT] = {
    [MWI_TASK_FREE] = TO(MWI_TASK_WAITING) | TO(MWI_TASK_ORDERED) | TO(MWI_TASK_UNRUNNABLE),
    [MWI_TASK_WAITING] = TO(MWI_TASK_RUNNING) | TO(MWI_TASK_ASIDE) | TO(MWI_TASK_FREE),
    [MWI_TASK_ORDERED] =
        TO(MWI_TASK_RUNNING) | TO(MWI_TASK_WAITING) | TO(MWI_TASK_UNRUNNABLE) | TO(MWI_TASK_FREE),
    [MWI_TASK_RUNNING] =
        TO(MWI_TASK_WAITING) | TO(MWI_TASK_UNRUNNABLE) | TO(MWI_TASK_CANCELLED) | TO(MWI_TASK_FREE),
    [MWI_TASK_CANCELLED] = TO(MWI_TASK_FREE),
    [MWI_TASK_UNRUNNABLE] = TO(MWI_TASK_FREE),
    [MWI_TASK_ASIDE] = TO(MWI_TASK_RUNNING) | TO(MWI_TASK_FREE),
};

const char *mwi_state_slave_name(enum mwi_slave_state state)
{
    return slave_state_names[state];
}

const char *mwi_state_group_name(enum mwi_slave_group group)
{
    return slave_group_names[group];
}

bool mwi_state_slave_may_move(enum mwi_slave_state from, enum mwi_slave_state to)
{
    return (slave_moves[from] & TO(to)) != 0;
}

bool mwi_state_task_may_move(enum mwi_task_state from, enum mwi_task_state to)
{
    return (task_moves[from] & TO(to)) != 0;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The states of slaves and tasks, and the moves between them that are allowed. docs/states.dot
 * draws them. Every change of state goes through one function of slaves.c or tasks.c, which asks
 * here.
 */
#ifndef MWI_STATE_H
#define MWI_STATE_H

#include <stdbool.h>

enum mwi_slave_state {
    MWI_SLAVE_CONNECTING, /* the transport says it is there; it has not greeted yet */
    MWI_SLAVE_IDLE,       /* greeted, has no task */
    MWI_SLAVE_BUSY,       /* has tasks */
    MWI_SLAVE_SHUTTING_DOWN,
    MWI_SLAVE_DISCONNECTED,
    MWI_SLAVE_STATES_COUNT
};

/* The tasks that a slave takes: those of mw_group in mw/mw.h. */
enum mwi_slave_group {
    MWI_GROUP_UNORDERED,
    MWI_GROUP_INTERMINGLE,
    MWI_GROUP_ORDERED,
    MWI_GROUPS_COUNT
};

/* How far the first exchange of a slave and its master is, see engine/greeting. */
enum mwi_greeting_stage {
    MWI_GREETING_SILENT, /* HELLO is to come */
    MWI_GREETING_HELLO,  /* slave: it has said HELLO, and the master is to answer */
    MWI_GREETING_OVER
};

enum mwi_task_state {
    MWI_TASK_FREE,       /* the slot holds no task, or one that is being made */
    MWI_TASK_WAITING,    /* in the pool */
    MWI_TASK_ORDERED,    /* queued for its slave */
    MWI_TASK_RUNNING,    /* sent to a slave */
    MWI_TASK_CANCELLED,  /* sent to a slave, and its result is not wanted any more */
    MWI_TASK_UNRUNNABLE, /* not taken by the user yet */
    MWI_TASK_ASIDE,      /* waits for a slave that accepts larger messages than others */
    MWI_TASK_STATES_COUNT
};

/* ":idle" and so on, as the audit trail prints them; constant strings. */
const char *mwi_state_slave_name(enum mwi_slave_state state);
const char *mwi_state_group_name(enum mwi_slave_group group);

bool mwi_state_slave_may_move(enum mwi_slave_state from, enum mwi_slave_state to);
bool mwi_state_task_may_move(enum mwi_task_state from, enum mwi_task_state to);

#endif

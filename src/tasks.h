/* SPDX-License-Identifier: Apache-2.0
 *
 * The task store: every task that is waiting, running or unrunnable, in a table of slots, and the
 * queue of those that wait. A task is its slot's address while it lives, and a number (id) for the
 * outside: slot and generation, so that an id of a task that is gone is told from one that took its
 * slot. Nothing is allocated per task but its payload.
 */
#ifndef MWI_TASKS_H
#define MWI_TASKS_H

#include "list.h"
#include "map.h"
#include "message.h"
#include "state.h"

/* At most this many attempts can be asked for; they are counted in a byte. */
#define MWI_ATTEMPTS_MAX 255

struct mwi_task {
    struct mwi_list link; /* in the waiting queue, a slave's running list, or the unrunnable list */
    unsigned char *data;  /* malloc'd */
    int64_t tag;
    uint32_t size;
    uint32_t slot;
    uint32_t generation;
    uint32_t sid; /* running: who has it */
    uint16_t algorithm;
    uint8_t state;
    uint8_t attempts; /* slaves that had it and were lost */
    uint8_t max_attempts;
    bool no_retry;
    bool is_bytes;
};

struct mwi_tasks {
    struct mwi_task **chunks;
    size_t chunks_count;
    size_t slots_count; /* slots ever used */
    struct mwi_list free;
    struct mwi_list waiting;
    struct mwi_list unrunnable;
    size_t counts[MWI_TASK_STATES_COUNT];
    struct mwi_map histories; /* id -> text: what befell a task, for the few that were ever lost */
};

void mwi_tasks_init(struct mwi_tasks *tasks);
void mwi_tasks_fini(struct mwi_tasks *tasks);

/* A new task at the end of the waiting queue, all fields 0 but those of the store; NULL out of
 * memory. The caller fills in the rest; `data` becomes the store's. */
struct mwi_task *mwi_tasks_add(struct mwi_tasks *tasks);

uint64_t mwi_task_id(const struct mwi_task *task);

/* The task of an id; NULL if there is none any more, or never was. */
struct mwi_task *mwi_tasks_find(const struct mwi_tasks *tasks, uint64_t id);

/* The first of the waiting queue, NULL if none waits. */
struct mwi_task *mwi_tasks_first_waiting(const struct mwi_tasks *tasks);

/* The one way to change a task's state. The task is moved to the end of `list` (its slave's);
 * WAITING and UNRUNNABLE ignore `list` and take the store's: waiting at the front, since it is
 * older than what waits. FREE frees the payload and the slot. */
void mwi_tasks_move(struct mwi_tasks *tasks, struct mwi_task *task, enum mwi_task_state state,
                    struct mwi_list *list);

/* Adds to what befell a task; "; " between. Out of memory loses the text, nothing else. */
void mwi_tasks_add_history(struct mwi_tasks *tasks, const struct mwi_task *task, const char *text);

/* What befell it, "" if nothing; borrowed until the next change of the task. */
const char *mwi_tasks_history(const struct mwi_tasks *tasks, const struct mwi_task *task);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * The task store: every task that waits, runs or is unrunnable, in a table of slots, and the queue
 * of those that wait. Inside, a task is the address of its slot while it lives; outside, it is a
 * number (id) that counts up from 1 in order of submission and is never used twice. Besides its
 * payload, and the block that counts the users of a large payload, nothing is allocated for a
 * task.
 */
#ifndef MWI_TASKS_H
#define MWI_TASKS_H

#include "base/block.h"
#include "base/list.h"
#include "base/map.h"
#include "farm/aside.h"
#include "farm/losses.h"
#include "farm/policies.h"
#include "farm/pool.h"
#include "farm/stats.h"
#include "farm/task_index.h"
#include "record/state.h"
#include "wire/message.h"

/* At most this many attempts can be asked for; they are counted in a byte. */
#define MWI_ATTEMPTS_MAX 255

struct mwi_copy;

struct mwi_task_entry {
    union {
        struct mwi_list link;    /* in the pool, set aside, a slave's ordered list, the unrunnable,
                                    the free */
        struct mwi_copy *copies; /* running or cancelled: at the slaves, see copies.h */
    };
    union {
        unsigned char *data;     /* malloc'd */
        struct mwi_block *block; /* of the data, if it is shared */
    };
    union {
        int64_t tag;
        struct mwi_tag *tag_bytes; /* malloc'd */
    };
    size_t size;
    union {
        uint64_t id;
        uint32_t slot; /* in the list of the free: where it lies */
    };
    uint32_t sid; /* ordered: the slave that it waits for; else the last one that had it */
    uint32_t policy;
    uint32_t submitted_at; /* in units of MWI_TASKS_TICK_NS, wrapping around */
    uint16_t algorithm;
    uint8_t attempts;   /* slaves that had it and were lost */
    unsigned state : 3; /* an enum mwi_task_state */
    bool is_bytes : 1;
    bool has_tag_bytes : 1;
    bool was_sent : 1;
    bool is_suspect : 1; /* was at a slave that was lost, begun or not */
    bool is_shared : 1;
};

/* The unit of a task's time of submission: about a millisecond, so that 32 bits hold 52 days. */
#define MWI_TASKS_TICK_NS (INT64_C(1) << 20)

/* A tag of any bytes. */
struct mwi_tag {
    size_t size;
    unsigned char bytes[];
};

struct mwi_tasks {
    struct mwi_task_entry **chunks;
    size_t chunks_count;
    size_t slots_count; /* slots ever used */
    struct mwi_list free;
    uint64_t last_id; /* 0: no task was added yet */
    struct mwi_task_index index;
    struct mwi_pool pool;
    struct mwi_aside aside;
    struct mwi_list unrunnable;
    struct mwi_policies policies;
    size_t counts[MWI_TASK_STATES_COUNT];
    mw_algorithm_stats *by_algorithm; /* all but size, name, running: see master_stats.c */
    int64_t now_ns;                   /* of the engine's last step, which sets it */
    struct mwi_losses losses;
};

/* False out of memory. */
bool mwi_tasks_init(struct mwi_tasks *tasks, size_t algorithms_count);
void mwi_tasks_fini(struct mwi_tasks *tasks);

/* A new task of that policy, in no list and in state FREE until it is first moved; all fields 0 but
 * those of the store. NULL out of memory. The caller fills in the rest; `data` and `tag_bytes`
 * become the store's. */
struct mwi_task_entry *mwi_tasks_add(struct mwi_tasks *tasks, const struct mwi_task_policy *policy);

/* Borrowed until the next task is added. */
const struct mwi_task_policy *mwi_tasks_policy(const struct mwi_tasks *tasks,
                                               const struct mwi_task_entry *task);

/* When it was submitted, a millisecond too early at most, and at most 52 days ago. */
int64_t mwi_tasks_submitted_ns(const struct mwi_tasks *tasks, const struct mwi_task_entry *task);

/* Its arguments; borrowed for as long as the task lives. */
unsigned char *mwi_tasks_data(const struct mwi_task_entry *task);

/* The arguments as something that may outlive the task; borrowed. NULL out of memory. */
struct mwi_block *mwi_tasks_share(struct mwi_task_entry *task);

/* The task of an id; NULL if there is none any more, or never was. */
struct mwi_task_entry *mwi_tasks_find(const struct mwi_tasks *tasks, uint64_t id);

/* How many tasks wait for any slave, those that were set aside included. */
static inline size_t mwi_tasks_waiting_count(const struct mwi_tasks *tasks)
{
    return tasks->counts[MWI_TASK_WAITING] + tasks->counts[MWI_TASK_ASIDE];
}

/* The next of the pool, NULL if it is empty. */
struct mwi_task_entry *mwi_tasks_first_waiting(const struct mwi_tasks *tasks);

/* Sets the first task of the pool aside. False out of memory, with nothing changed. */
bool mwi_tasks_set_aside(struct mwi_tasks *tasks, struct mwi_task_entry *task);

/* The first task that was set aside and has at most `size` bytes, or (over) the first that has
 * more; NULL if none was found. The search is bounded: among tasks of about that size it may miss
 * one that stands behind many others. */
struct mwi_task_entry *mwi_tasks_first_aside(const struct mwi_tasks *tasks, size_t size);
struct mwi_task_entry *mwi_tasks_first_aside_over(const struct mwi_tasks *tasks, size_t size);

/* Whether the task was with a slave that was lost. */
static inline bool mwi_tasks_was_lost(const struct mwi_task_entry *task)
{
    return task->attempts > 0 || task->is_suspect;
}

/* Whether the loss of a slave would tell more about the task than about the slave, or may be the
 * last one that the task is allowed. */
bool mwi_tasks_is_precious(const struct mwi_tasks *tasks, const struct mwi_task_entry *task);

/* The first task of the pool that is not precious and has at most `size` bytes; NULL if none was
 * found. The search is bounded. */
struct mwi_task_entry *mwi_tasks_first_carefree(const struct mwi_tasks *tasks, size_t size);

/* The task that comes next for a slave that takes tasks of up to `size` bytes: the first of the
 * pool, which may be larger, or one that was set aside. NULL if there is neither. */
struct mwi_task_entry *mwi_tasks_choose_for(const struct mwi_tasks *tasks, size_t size);

/* The same, quickly if nothing was set aside. */
static inline struct mwi_task_entry *mwi_tasks_next_for(const struct mwi_tasks *tasks, size_t size)
{
    return tasks->counts[MWI_TASK_ASIDE] == 0 ? mwi_tasks_first_waiting(tasks)
                                              : mwi_tasks_choose_for(tasks, size);
}

/* The unrunnable task that has waited longest to be taken, NULL if there is none. */
struct mwi_task_entry *mwi_tasks_first_unrunnable(const struct mwi_tasks *tasks);

/* The one way to change a task's state. WAITING: into the pool, at the end of its priority if the
 * task is new, else at the front, since it is older than those that wait there. ORDERED: to the end
 * of `list`, a slave's, which is NULL for all other states. RUNNING: it has no copy yet, copies.h
 * adds one. UNRUNNABLE: to the end of the store's list. FREE: the task is gone, with all that it
 * owns; its copies must have gone before. CANCELLED: its result is not wanted any more.
 * Only mwi_tasks_set_aside moves to ASIDE. */
void mwi_tasks_move(struct mwi_tasks *tasks, struct mwi_task_entry *task, enum mwi_task_state state,
                    struct mwi_list *list);

/* A task that was sent, or that cannot be sent (is_done false then), ends with a result, after it
 * ran for duration_ns. It is gone then, or CANCELLED as long as it has copies. */
void mwi_tasks_end(struct mwi_tasks *tasks, struct mwi_task_entry *task, bool is_done,
                   uint64_t duration_ns);

/* The user wants no result of a task that waits or runs. It is gone then, or CANCELLED as long as
 * it has copies. */
void mwi_tasks_cancel(struct mwi_tasks *tasks, struct mwi_task_entry *task);

#endif

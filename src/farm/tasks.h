/* SPDX-License-Identifier: Apache-2.0
 *
 * The task store: every task that waits, runs or is unrunnable, and the queue of those that wait. A
 * task is a number (id) that counts up from 1 in order of submission and is never used twice.
 *
 * Ordinary tasks are kept in batches, see batches.h. Every other task has an entry of its own: one
 * that is ordered, large or timed, that must not be tried again or whose tag is bytes; and one that
 * was taken out of its batch, because its slave was lost, for instance.
 */
#ifndef MWI_TASKS_H
#define MWI_TASKS_H

#include "base/block.h"
#include "base/list.h"
#include "base/map.h"
#include "farm/aside.h"
#include "farm/batches.h"
#include "farm/losses.h"
#include "farm/policies.h"
#include "farm/pool.h"
#include "farm/savings.h"
#include "farm/stats.h"
#include "record/state.h"
#include "wire/message.h"

/* At most this many attempts can be asked for; they are counted in a byte. */
#define MWI_ATTEMPTS_MAX 255

struct mwi_copy;

struct mwi_task_entry {
    struct mwi_pool_item item; /* its link: in the pool, set aside, a slave's ordered list, the
                                  unrunnable, the free */
    struct mwi_copy *copies;   /* running or cancelled: at the slaves, see copies.h */
    union {
        unsigned char *data;     /* malloc'd */
        struct mwi_block *block; /* of the data, if it is shared */
    };
    union {
        int64_t tag;
        struct mwi_tag *tag_bytes; /* malloc'd */
    };
    size_t size;
    uint64_t id;
    uint32_t sid;          /* ordered: the slave that it waits for; else the last one that had it */
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
    uint64_t last_id;     /* 0: no task was added yet */
    struct mwi_map by_id; /* struct mwi_task_entry */
    struct mwi_batches batches;
    struct mwi_pool pool;
    struct mwi_aside aside;
    struct mwi_list unrunnable;
    struct mwi_policies policies;
    size_t counts[MWI_TASK_STATES_COUNT];
    mw_algorithm_stats *by_algorithm; /* all but size, name, running: see master_stats.c */
    int64_t now_ns;                   /* of the engine's last step, which sets it */
    bool has_failed;                  /* memory did not suffice to take a task out of its batch */
    struct mwi_losses losses;
    struct mwi_savings savings;
};

/* False out of memory. */
bool mwi_tasks_init(struct mwi_tasks *tasks, size_t algorithms_count);
void mwi_tasks_fini(struct mwi_tasks *tasks);

/* A new task of that policy, in no list and in state FREE until it is first moved; all fields 0 but
 * those of the store. NULL out of memory. The caller fills in the rest; `data` and `tag_bytes`
 * become the store's. */
struct mwi_task_entry *mwi_tasks_add(struct mwi_tasks *tasks, const struct mwi_task_policy *policy);

/* Whether tasks of this policy and with `size` bytes of arguments are kept in batches. */
static inline bool mwi_tasks_is_ordinary(const struct mwi_task_policy *policy, size_t size)
{
    return policy->sid == MWI_NO_SID && policy->time_limit_ns == 0 && policy->is_retried &&
           policy->max_attempts > 1 && size <= MWI_BATCH_TASK_BYTES_MAX;
}

/* Appends an ordinary task to the open batch, or to a new one; it is WAITING then. Its id is
 * tasks->last_id. Copies the arguments. Of *task, tag, algorithm and is_bytes are read. False out
 * of memory. */
bool mwi_tasks_append(struct mwi_tasks *tasks, const struct mwi_task_policy *policy,
                      const struct mwi_batch_task *task, const void *data, size_t size);

/* No batch is open from now on. */
void mwi_tasks_close_batch(struct mwi_tasks *tasks);

/* The batch whose next task is the next of the pool; NULL if that has an entry of its own, or the
 * pool is empty. */
struct mwi_batch_entry *mwi_tasks_first_batch(const struct mwi_tasks *tasks);

/* The next `count` tasks of the batch are sent to a slave. */
void mwi_tasks_send(struct mwi_tasks *tasks, struct mwi_batch_entry *batch, uint32_t count);

/* `count` tasks of the batch, all of one algorithm, have come back as done. Their results are still
 * to be handed out; then they are released. */
void mwi_tasks_end_sent(struct mwi_tasks *tasks, struct mwi_batch_entry *batch, uint16_t algorithm,
                        uint32_t count);

/* `count` tasks of the batch are not needed any more. */
void mwi_tasks_release(struct mwi_tasks *tasks, struct mwi_batch_entry *batch, uint32_t count);

/* The user wants no result of this task of the batch, which waits; it is gone then. */
void mwi_tasks_cancel_waiting(struct mwi_tasks *tasks, struct mwi_batch_entry *batch,
                              uint32_t place);

/* Gives a task of a batch an entry of its own. If it waits, its entry is next to the batch in the
 * pool; else it is RUNNING, and the caller adds its copy. NULL out of memory; `has_failed` is set
 * then. */
struct mwi_task_entry *mwi_tasks_take_out(struct mwi_tasks *tasks, struct mwi_batch_entry *batch,
                                          uint32_t place);

/* Whether that has failed since the last call of this. A NULL of a function that looks for a task
 * may mean that it is not there, or that it could not be taken out; this tells which. */
static inline bool mwi_tasks_take_failure(struct mwi_tasks *tasks)
{
    bool has_failed = tasks->has_failed;
    tasks->has_failed = false;
    return has_failed;
}

/* Borrowed until the next task is added. */
const struct mwi_task_policy *mwi_tasks_policy(const struct mwi_tasks *tasks,
                                               const struct mwi_task_entry *task);

/* When it was submitted, a millisecond too early at most, and at most 52 days ago. */
int64_t mwi_tasks_submitted_ns(const struct mwi_tasks *tasks, const struct mwi_task_entry *task);

/* Its arguments; borrowed for as long as the task lives. */
unsigned char *mwi_tasks_data(const struct mwi_task_entry *task);

/* The arguments as something that may outlive the task; borrowed. NULL out of memory. */
struct mwi_block *mwi_tasks_share(struct mwi_task_entry *task);

/* The entry of the task of an id; NULL if it has none: it is in a batch, is gone, or never was. */
struct mwi_task_entry *mwi_tasks_find(const struct mwi_tasks *tasks, uint64_t id);

/* Hands out all tasks that have entries, in no order: begin with a *cursor of 0. NULL behind the
 * last. Not while tasks are added. */
struct mwi_task_entry *mwi_tasks_next(const struct mwi_tasks *tasks, size_t *cursor);

/* How many tasks wait for any slave, those that were set aside included. */
static inline size_t mwi_tasks_waiting_count(const struct mwi_tasks *tasks)
{
    return tasks->counts[MWI_TASK_WAITING] + tasks->counts[MWI_TASK_ASIDE];
}

/* Whether tasks wait that were not set aside. */
static inline bool mwi_tasks_has_pool(const struct mwi_tasks *tasks)
{
    return tasks->counts[MWI_TASK_WAITING] > 0;
}

/* The task whose entry has this link. Not for the link of a batch in the pool. */
static inline struct mwi_task_entry *mwi_tasks_of_link(struct mwi_list *link)
{
    return MWI_LIST_ENTRY(link, struct mwi_task_entry, item.link);
}

/* The next of the pool, taken out of its batch; NULL if the pool is empty, or out of memory. */
struct mwi_task_entry *mwi_tasks_first_waiting(struct mwi_tasks *tasks);

/* Sets the first task of the pool aside. False out of memory, with nothing changed. */
bool mwi_tasks_set_aside(struct mwi_tasks *tasks, struct mwi_task_entry *task);

/* Whether the task was with a slave that was lost. */
static inline bool mwi_tasks_was_lost(const struct mwi_task_entry *task)
{
    return task->attempts > 0 || task->is_suspect;
}

/* Whether the loss of a slave would tell more about the task than about the slave, or may be the
 * last one that the task is allowed. */
bool mwi_tasks_is_precious(const struct mwi_tasks *tasks, const struct mwi_task_entry *task);

/* The unrunnable task that has waited longest to be taken, NULL if there is none. */
struct mwi_task_entry *mwi_tasks_first_unrunnable(const struct mwi_tasks *tasks);

/* A task that waits in the pool becomes late (see policies.h). False out of memory, with nothing
 * changed. */
bool mwi_tasks_make_late(struct mwi_tasks *tasks, struct mwi_task_entry *task);

/* The one way to change the state of a task that has an entry. WAITING: into the pool, at the end
 * of its priority if the task is new, else at the front, since it is older than those that wait
 * there. ORDERED: to the end of `list`, a slave's, which is NULL for all other states. RUNNING: it
 * has no copy yet, copies.h adds one. UNRUNNABLE: to the end of the store's list. FREE: the task is
 * gone, with all that it owns; its copies must have gone before. CANCELLED: its result is not
 * wanted any more.
 * Only mwi_tasks_set_aside moves to ASIDE. */
void mwi_tasks_move(struct mwi_tasks *tasks, struct mwi_task_entry *task, enum mwi_task_state state,
                    struct mwi_list *list);

/* A task that was sent, or that cannot be sent (is_done false then), ends with a result, after it
 * ran for duration_ns. It is gone then, or CANCELLED as long as it has copies. */
void mwi_tasks_end(struct mwi_tasks *tasks, struct mwi_task_entry *task, bool is_done,
                   uint64_t duration_ns);

/* A task was submitted and has ended at once, with a result that an earlier run has recorded. */
void mwi_tasks_note_replayed(struct mwi_tasks *tasks, uint16_t algorithm, bool is_done);

/* The user wants no result of a task that waits or runs. It is gone then, or CANCELLED as long as
 * it has copies. */
void mwi_tasks_cancel(struct mwi_tasks *tasks, struct mwi_task_entry *task);

static inline uint32_t mwi_tasks_tick(const struct mwi_tasks *tasks)
{
    return (uint32_t)(uint64_t)(tasks->now_ns / MWI_TASKS_TICK_NS);
}

/* For the functions that append: to the open batch, which has room and is in the pool. */
static inline void mwi_tasks_append_open(struct mwi_tasks *tasks, const struct mwi_batch_task *task,
                                         const void *data, size_t size)
{
    mw_algorithm_stats *stats = &tasks->by_algorithm[task->algorithm];
    struct mwi_batch_task added = {.tag = task->tag,
                                   .algorithm = task->algorithm,
                                   .is_bytes = task->is_bytes,
                                   .submitted_at = mwi_tasks_tick(tasks)};
    mwi_batches_append(&tasks->batches, ++tasks->last_id, &added, data, size);
    tasks->counts[MWI_TASK_WAITING]++;
    stats->submitted++;
    stats->waiting++;
}

/* The same, quickly, for a task of the policy of the open batch, which must be a usual one; false,
 * with nothing done, if it is not as easy as that. */
static inline bool mwi_tasks_append_alike(struct mwi_tasks *tasks,
                                          const struct mwi_batch_task *task, const void *data,
                                          size_t size)
{
    const struct mwi_batch_entry *open = tasks->batches.open;
    if (open == NULL || !open->is_usual || open->next == open->count ||
        size > MWI_BATCH_TASK_BYTES_MAX || !mwi_batches_has_room(open, tasks->last_id + 1, size))
        return false;
    mwi_tasks_append_open(tasks, task, data, size);
    return true;
}

#endif

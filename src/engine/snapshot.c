/* SPDX-License-Identifier: Apache-2.0
 *
 * Walks over the stores of a master and writes its tasks, in the order of their numbers, as
 * record/checkpoint_items lays them out. Tasks of batches come in order; those with entries, and
 * those that have ended, are few as a rule, and are sorted. face/master_checkpoint calls it.
 *
 * Invariants: nothing is changed but *known. A task that was cancelled is neither out nor ended.
 * The bodies of records have some 64 KiB, unless one task has more.
 *
 * A new field of a task that must survive a restart is filled in by describe_entry and
 * describe_part, and by the walk over results.
 */
#include "engine/snapshot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BODY_BYTES ((size_t)64 << 10)

void mwi_snapshot_fini(struct mwi_snapshot *snapshot)
{
    mwi_ranges_fini(&snapshot->out);
    mwi_ranges_fini(&snapshot->ended);
}

/* A task with an entry, or one that has ended. */
struct listed {
    uint64_t id;
    struct mwi_task_entry *entry; /* NULL: it has ended */
    struct mwi_finished finished;
};

/* A list of such tasks. */
struct list {
    struct listed *items;
    size_t count, capacity;
    bool has_failed;
};

static struct listed *add(struct list *list)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
        struct listed *items = realloc(list->items, capacity * sizeof *items);
        if (items == NULL) {
            list->has_failed = true;
            return NULL;
        }
        list->items = items;
        list->capacity = capacity;
    }
    return &list->items[list->count++];
}

static int compare(const void *left, const void *right)
{
    const struct listed *one = left, *other = right;
    return one->id < other->id ? -1 : one->id > other->id;
}

static void sort(struct list *list)
{
    if (list->count > 1)
        qsort(list->items, list->count, sizeof *list->items, compare);
}

static void list_entries(const struct mwi_tasks *tasks, struct list *list)
{
    size_t cursor = 0;
    for (struct mwi_task_entry *task; (task = mwi_tasks_next(tasks, &cursor)) != NULL;) {
        struct listed *added = task->state == MWI_TASK_CANCELLED ? NULL : add(list);
        if (added != NULL)
            *added = (struct listed){.id = task->id, .entry = task};
    }
    sort(list);
}

static void list_one_finished(void *context, const struct mwi_finished *item)
{
    struct listed *added = add(context);
    if (added != NULL)
        *added = (struct listed){.id = item->task, .finished = *item};
}

/* A walk in progress. */
struct walk {
    struct mwi_master_engine *engine;
    const struct mwi_snapshot *known;
    const struct mwi_snapshot_sink *sink;
    struct mwi_snapshot now;
    struct list entries, finished;
    size_t next_entry;
    size_t out_cursor, ended_cursor; /* in `known` */
    struct mwi_buffer body;
    uint16_t algorithm; /* of the tasks in the body, if that is not empty */
    bool has_failed;
};

static void flush(struct walk *walk, bool is_gone)
{
    walk->has_failed = walk->has_failed || walk->body.has_failed;
    if (walk->body.size > 0 && !walk->has_failed)
        walk->sink->take(walk->sink->context, is_gone, &walk->body);
    mwi_buffer_clear(&walk->body);
}

static void write_item(struct walk *walk, uint16_t algorithm,
                       const struct mwi_checkpoint_item *item)
{
    if (walk->body.size > 0 &&
        (walk->algorithm != algorithm || walk->body.size + item->size > BODY_BYTES))
        flush(walk, false);
    if (walk->body.size == 0)
        mwi_checkpoint_items_begin(&walk->body, walk->engine->config.algorithms[algorithm].name);
    walk->algorithm = algorithm;
    mwi_checkpoint_items_append(&walk->body, item);
}

static struct mwi_checkpoint_policy policy_of(const struct mwi_task_policy *policy)
{
    return (struct mwi_checkpoint_policy){.sid = policy->sid,
                                          .priority = policy->priority,
                                          .time_limit_ns = policy->time_limit_ns,
                                          .max_attempts = policy->max_attempts,
                                          .is_retried = policy->is_retried,
                                          .is_done_anyway = policy->is_done_anyway,
                                          .is_speculated = policy->is_speculated};
}

struct mwi_task_policy mwi_snapshot_policy(const struct mwi_checkpoint_policy *policy)
{
    return (struct mwi_task_policy){.sid = policy->sid,
                                    .priority = policy->priority,
                                    .time_limit_ns = policy->time_limit_ns,
                                    .max_attempts = policy->max_attempts,
                                    .is_retried = policy->is_retried,
                                    .is_done_anyway = policy->is_done_anyway,
                                    .is_speculated = policy->is_speculated};
}

/* Notes a task in one of the two sets; returns whether the file lacks it there. */
static bool note(struct walk *walk, uint64_t id, bool is_ended)
{
    const struct mwi_ranges *known = is_ended ? &walk->known->ended : &walk->known->out;
    size_t *cursor = is_ended ? &walk->ended_cursor : &walk->out_cursor;
    if (!mwi_ranges_append(is_ended ? &walk->now.ended : &walk->now.out, id))
        walk->has_failed = true;
    return !mwi_ranges_have(known, id, cursor);
}

static void set_tag(struct mwi_checkpoint_item *item, bool has_tag_bytes, int64_t tag,
                    const struct mwi_tag *bytes)
{
    if (!has_tag_bytes) {
        item->tag = tag;
        return;
    }
    item->tag_data = bytes->bytes;
    item->tag_size = bytes->size;
}

static void write_entry(struct walk *walk, const struct mwi_task_entry *task)
{
    const char *history = "";
    struct mwi_checkpoint_item item = {.id = task->id,
                                       .data = mwi_tasks_data(task),
                                       .size = task->size,
                                       .is_bytes = task->is_bytes};
    set_tag(&item, task->has_tag_bytes, task->has_tag_bytes ? 0 : task->tag,
            task->has_tag_bytes ? task->tag_bytes : NULL);
    if (task->state == MWI_TASK_UNRUNNABLE) {
        history = mwi_losses_history(&walk->engine->tasks.losses, task->id);
        item.fate = MWI_CHECKPOINT_UNRUNNABLE;
        item.sid = task->sid;
        item.text = history;
        item.text_size = strlen(history);
    } else {
        item.policy = policy_of(mwi_tasks_policy(&walk->engine->tasks, task));
    }
    write_item(walk, task->algorithm, &item);
}

/* Unrunnable tasks are in the list of those that have ended, when their turn comes. */
static void take_entries_below(struct walk *walk, uint64_t id)
{
    while (walk->next_entry < walk->entries.count) {
        const struct mwi_task_entry *task = walk->entries.items[walk->next_entry].entry;
        if (task->id >= id)
            return;
        walk->next_entry++;
        if (task->state != MWI_TASK_UNRUNNABLE && note(walk, task->id, false))
            write_entry(walk, task);
    }
}

static void take_batch(struct walk *walk, const struct mwi_batch_entry *batch)
{
    const struct mwi_policies *policies = &walk->engine->tasks.policies;
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct mwi_batch_task *task = &batch->tasks[i];
        uint64_t id = mwi_batch_id(batch, i);
        if (task->is_gone)
            continue;
        take_entries_below(walk, id);
        if (!note(walk, id, false))
            continue;
        struct mwi_checkpoint_item item = {
            .id = id,
            .policy = policy_of(&mwi_policies_get(policies, batch->item.policy)->policy),
            .tag = task->tag,
            .data = mwi_batch_data(batch, i),
            .size = mwi_batch_size(batch, i),
            .is_bytes = task->is_bytes};
        write_item(walk, task->algorithm, &item);
    }
}

static void take_out(struct walk *walk)
{
    size_t cursor = 0;
    const struct mwi_batch_entry *batch;
    while ((batch = mwi_batches_next(&walk->engine->tasks.batches, &cursor)) != NULL)
        take_batch(walk, batch);
    take_entries_below(walk, UINT64_MAX);
    flush(walk, false);
}

/* Unrunnable tasks join those that have ended. */
static void list_unrunnable(struct walk *walk)
{
    for (size_t i = 0; i < walk->entries.count; i++) {
        struct mwi_task_entry *task = walk->entries.items[i].entry;
        struct listed *added = task->state == MWI_TASK_UNRUNNABLE ? add(&walk->finished) : NULL;
        if (added != NULL)
            *added = (struct listed){.id = task->id, .entry = task};
    }
}

static void write_finished(struct walk *walk, const struct mwi_finished *finished)
{
    struct mwi_checkpoint_item item = {.id = finished->task,
                                       .fate = finished->is_failed ? MWI_CHECKPOINT_FAILED
                                                                   : MWI_CHECKPOINT_DONE,
                                       .duration_ns = finished->duration_ns,
                                       .sid = finished->sid,
                                       .data = finished->payload.data,
                                       .size = finished->payload.size,
                                       .is_bytes = finished->payload.is_bytes};
    set_tag(&item, finished->has_tag_bytes, finished->has_tag_bytes ? 0 : finished->tag,
            finished->has_tag_bytes ? finished->tag_bytes : NULL);
    write_item(walk, finished->algorithm, &item);
}

static void take_ended(struct walk *walk)
{
    mwi_finished_walk(&walk->engine->finished, list_one_finished, &walk->finished);
    list_unrunnable(walk);
    sort(&walk->finished);
    for (size_t i = 0; i < walk->finished.count; i++) {
        const struct listed *listed = &walk->finished.items[i];
        if (!note(walk, listed->id, true))
            continue;
        if (listed->entry != NULL)
            write_entry(walk, listed->entry);
        else
            write_finished(walk, &listed->finished);
    }
    flush(walk, false);
}

/* Writes the numbers of `known` that are in neither set now. */
static void write_gone(struct walk *walk, const struct mwi_ranges *known)
{
    size_t known_cursor = 0, out_cursor = 0, ended_cursor = 0;
    for (uint64_t id = 1; mwi_ranges_next(known, &id, &known_cursor); id++) {
        if (mwi_ranges_have(&walk->now.out, id, &out_cursor) ||
            mwi_ranges_have(&walk->now.ended, id, &ended_cursor))
            continue;
        mwi_checkpoint_items_append_id(&walk->body, id);
        if (walk->body.size >= BODY_BYTES)
            flush(walk, true);
    }
    flush(walk, true);
}

static void free_walk(struct walk *walk)
{
    free(walk->entries.items);
    free(walk->finished.items);
    mwi_buffer_fini(&walk->body);
    mwi_snapshot_fini(&walk->now);
}

mw_error mwi_snapshot_write(struct mwi_master_engine *engine, struct mwi_snapshot *known,
                            const struct mwi_snapshot_sink *sink)
{
    struct walk walk = {.engine = engine, .known = known, .sink = sink};
    mwi_buffer_init(&walk.body);
    list_entries(&engine->tasks, &walk.entries);
    take_out(&walk);
    take_ended(&walk);
    write_gone(&walk, &known->out);
    write_gone(&walk, &known->ended);
    bool has_failed = walk.has_failed || walk.entries.has_failed || walk.finished.has_failed;
    if (!has_failed) {
        struct mwi_snapshot before = *known;
        *known = walk.now;
        walk.now = before;
    }
    free_walk(&walk);
    return has_failed ? MW_ENOMEM : MW_OK;
}

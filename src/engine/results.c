/* SPDX-License-Identifier: Apache-2.0
 *
 * Builds the results of a slave and decides when they leave. Rules:
 *
 * - While a result is being built, the sizes of the items before it add up to `start`, and `start`
 *   is not above the size of the payloads.
 * - No message is larger than message_bytes_max, except one with the failure that replaces a result
 *   which was too large.
 * - After a failed allocation the payloads append nothing more. The result is then replaced by a
 *   failure. If memory does not even suffice for that, the effects get the error.
 *
 * The slave engine begins and ends results, and the functions of a task algorithm (face/call) leave
 * payloads. face/slave says when messages have left, and sends results that wait. A new form of
 * payload is a value of mwi_results_form, a function that leaves it, and a case in item_of and
 * end_slowly. To change when results are sent, see is_group_full and is_time.
 */
#include "engine/results.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/guard.h"

/* A message of results is sent once it is this large, whatever its group. */
#define RESULTS_BYTES_MAX ((size_t)512 << 10)
/* If the master's group is 0, a result waits for others at most WAIT_NS, if the next task takes as
 * long as the average. A result never waits for a task whose average is over SHORT_NS: such a task
 * may run much longer than its average. */
#define WAIT_NS INT64_C(1500000)
/* Up to TOGETHER_MAX tasks share a reading of the clock if at least KNOWN_SAMPLES tasks of their
 * algorithm have ended, and their average is at most QUICK_NS. The average includes the time that
 * farm/pace adds for the work around a task. */
#define QUICK_NS 900
#define KNOWN_SAMPLES 16
#define TOGETHER_MAX 8
#define SHORT_NS INT64_C(250000)

void mwi_results_init(struct mwi_results *results, struct mwi_effects *effects,
                      struct mwi_kept *kept, size_t own_bytes_max)
{
    assert(effects != NULL);
    *results = (struct mwi_results){
        .effects = effects, .kept = kept, .own_bytes_max = own_bytes_max, .master.group = 1};
    mwi_buffer_init(&results->payloads);
}

void mwi_results_forget_large(struct mwi_results *results)
{
    mwi_block_unref(results->large);
    results->large = NULL;
}

void mwi_results_fini(struct mwi_results *results)
{
    mwi_results_forget_large(results);
    mwi_buffer_fini(&results->payloads);
    free(results->items);
    mwi_pace_fini(&results->pace);
}

bool mwi_results_start(struct mwi_results *results, const struct mwi_results_master *master)
{
    assert(!results->has_master && results->count == 0);
    mwi_pace_fini(&results->pace);
    if (!mwi_pace_init(&results->pace, master->algorithms_count))
        return false;
    results->master = *master;
    results->has_master = true;
    results->message_bytes_max = master->message_bytes_max < results->own_bytes_max
                                     ? master->message_bytes_max
                                     : results->own_bytes_max;
    return true;
}

void mwi_results_expect(struct mwi_results *results, size_t tasks_count)
{
    results->half_count = (tasks_count + results->count + 1) / 2;
}

bool mwi_results_grow(struct mwi_results *results)
{
    size_t capacity = results->items_capacity == 0 ? 16 : 2 * results->items_capacity;
    struct mwi_message_item *items = realloc(results->items, capacity * sizeof *items);
    if (items == NULL)
        return false;
    results->items = items;
    results->items_capacity = capacity;
    return true;
}

bool mwi_results_are_whole(const struct mwi_results *results)
{
    const struct mwi_buffer *payloads = &results->payloads;
    if (results->form != MWI_RESULTS_VALUES || payloads->has_failed)
        return true;
    if (payloads->size == results->start) /* the data may be NULL */
        return true;
    return mwi_guard_check(payloads->data + results->start, payloads->size - results->start, NULL);
}

void mwi_results_leave_text(struct mwi_results *results, enum mwi_results_form form,
                            struct mwi_text text)
{
    assert(form == MWI_RESULTS_FAILURE || form == MWI_RESULTS_CRASH);
    mwi_results_restart(results, form);
    mwi_buffer_append(&results->payloads, text.data, text.size);
    results->payload_end = results->payloads.size;
}

void mwi_results_fail(struct mwi_results *results, const char *message)
{
    mwi_results_leave_text(results, MWI_RESULTS_FAILURE, mwi_message_text(message));
}

/* Whether a message can take a result of this size; if not, *why says so. */
static bool can_take(const struct mwi_results *results, size_t bytes, mw_reason *why)
{
    size_t limit = results->message_bytes_max;
    if (limit >= MWI_MESSAGE_OVERHEAD_BYTES && bytes <= limit - MWI_MESSAGE_OVERHEAD_BYTES)
        return true;
    snprintf(why->text, sizeof why->text, "the result's %zu bytes are over the %s of %zu", bytes,
             limit == results->own_bytes_max ? "slave's --mw-max-write-buffer-size"
                                             : "master's --mw-max-read-buffer-size",
             limit);
    return false;
}

static mw_error share_large(struct mwi_results *results, struct mwi_block *block, const void *data,
                            size_t size, mw_reason *why)
{
    if (!can_take(results, size, why))
        return MW_ETOOBIG;
    mwi_results_restart(results, MWI_RESULTS_LARGE);
    mwi_block_ref(block);
    results->payload_end = results->payloads.size;
    results->large = block;
    results->large_data = data;
    results->large_size = size;
    return MW_OK;
}

static mw_error take_large(struct mwi_results *results, void *data, size_t size, mw_reason *why)
{
    struct mwi_block *block = mwi_block_own(data);
    if (block == NULL) {
        free(data);
        return MW_ENOMEM;
    }
    mw_error error = share_large(results, block, data, size, why);
    mwi_block_unref(block);
    return error;
}

mw_error mwi_results_copy_large(struct mwi_results *results, const void *data, size_t size,
                                mw_reason *why)
{
    assert(size >= MWI_MESSAGE_LARGE_BYTES);
    if (!can_take(results, size, why))
        return MW_ETOOBIG;
    void *copy = malloc(size);
    if (copy == NULL)
        return MW_ENOMEM;
    memcpy(copy, data, size);
    return take_large(results, copy, size, why);
}

mw_error mwi_results_take_bytes(struct mwi_results *results, void *data, size_t size,
                                mw_reason *why)
{
    if (size >= MWI_MESSAGE_LARGE_BYTES)
        return take_large(results, data, size, why);
    mw_error error = mwi_results_copy_small(results, data, size);
    free(data);
    return error;
}

mw_error mwi_results_share_bytes(struct mwi_results *results, struct mwi_block *block,
                                 const void *data, size_t size, mw_reason *why)
{
    return size < MWI_MESSAGE_LARGE_BYTES ? mwi_results_copy_small(results, data, size)
                                          : share_large(results, block, data, size, why);
}

static void audit_sent(struct mwi_results *results, size_t count, int64_t now_ns)
{
    struct mwi_effects *effects = results->effects;
    if (mwi_effects_wants(effects, MWI_AUDIT_RESULTS_SENT))
        mwi_effects_audit(effects, &(struct mwi_audit_record){.kind = MWI_AUDIT_RESULTS_SENT,
                                                              .role = MWI_ROLE_SLAVE,
                                                              .time_ns = now_ns,
                                                              .sid = results->master.sid,
                                                              .count = count});
}

/* Sends a message of `count` results, with their payloads behind its head. */
static void send_items(struct mwi_results *results, const struct mwi_message_item *items,
                       size_t count, const void *payloads, size_t payload_bytes)
{
    struct mwi_buffer message;
    size_t size = 0;
    mwi_buffer_init(&message);
    mwi_buffer_reserve(&message, payload_bytes + count * MWI_MESSAGE_OVERHEAD_BYTES / 4);
    mwi_message_begin_group(&message, MWI_MESSAGE_RESULTS, items, count);
    mwi_buffer_append(&message, payloads, payload_bytes);
    void *frame = mwi_buffer_take(&message, &size);
    mwi_buffer_fini(&message);
    mwi_effects_send(results->effects, results->master.peer, frame, size);
}

/* The slave cannot go on, so nobody needs what is kept. */
static void fail_memory(struct mwi_results *results)
{
    results->kept = NULL;
    mwi_effects_fail(results->effects, MW_ENOMEM);
}

/* Sends the results that wait, if there is a master, and keeps them. Their payloads end at `start`,
 * where the next result's begins. Without a master and without somebody who keeps them, they wait
 * on. */
static void send_waiting(struct mwi_results *results, int64_t now_ns)
{
    size_t count = results->count;
    if (count == 0 || (!results->has_master && results->kept == NULL))
        return;
    if (results->kept != NULL && !mwi_kept_put(results->kept, results->items, count,
                                               results->payloads.data, results->has_master))
        fail_memory(results);
    results->count = 0;
    if (!results->has_master)
        return;
    send_items(results, results->items, count, results->payloads.data, results->start);
    audit_sent(results, count, now_ns);
}

/* Empties the payloads. Keeps their memory, unless it is much more than usual. */
static void clear_payloads(struct mwi_results *results)
{
    if (results->payloads.capacity > 2 * RESULTS_BYTES_MAX)
        mwi_buffer_fini(&results->payloads);
    mwi_buffer_clear(&results->payloads);
    results->start = 0;
}

void mwi_results_flush(struct mwi_results *results, int64_t now_ns)
{
    assert(results->form == MWI_RESULTS_ENDED);
    results->start = results->payloads.size;
    send_waiting(results, now_ns);
    if (results->count == 0)
        clear_payloads(results);
}

void mwi_results_stop(struct mwi_results *results)
{
    results->has_master = false;
}

/* A result without a payload becomes one with no values. If memory has run out, the result becomes
 * a failure. Cuts off bytes that were written behind the payload. */
static void close_payload(struct mwi_results *results)
{
    if (results->form == MWI_RESULTS_EMPTY)
        mwi_results_open_values(results);
    if (results->payloads.has_failed)
        mwi_results_fail(results, "out of memory for the result");
    if (results->form == MWI_RESULTS_VALUES)
        return;
    assert(results->payload_end <= results->payloads.size);
    results->payloads.size = results->payload_end;
}

/* Sends a large result in a message of its own, from where it lies, behind those that wait. */
static void send_large(struct mwi_results *results, const struct mwi_message_item *item,
                       struct mwi_block *block, const void *data, int64_t now_ns)
{
    struct mwi_buffer head;
    size_t size = 0;
    send_waiting(results, now_ns);
    if (results->kept != NULL)
        mwi_kept_put_large(results->kept, item, block, data, results->has_master);
    if (!results->has_master)
        return;
    mw_body body = mwi_block_body(block, data, item->size);
    mwi_buffer_init(&head);
    mwi_message_begin_group(&head, MWI_MESSAGE_RESULTS, item, 1);
    void *frame = mwi_buffer_take(&head, &size);
    mwi_buffer_fini(&head);
    mwi_effects_send_body(results->effects, results->master.peer, frame, size, &body);
    if (results->unsent_bytes == 0)
        results->unsent_since_ns = now_ns;
    results->unsent_bytes += item->size;
    audit_sent(results, 1, now_ns);
}

static struct mwi_message_item item_of(const struct mwi_results *results, uint64_t duration_ns)
{
    uint8_t form = results->form == MWI_RESULTS_VALUES    ? MWI_PAYLOAD_VALUES
                   : results->form == MWI_RESULTS_FAILURE ? MWI_PAYLOAD_FAILED
                   : results->form == MWI_RESULTS_CRASH   ? MWI_PAYLOAD_CRASHED
                                                          : MWI_PAYLOAD_BYTES;
    return (struct mwi_message_item){.id = results->task_id,
                                     .duration_ns = duration_ns,
                                     .size = results->form == MWI_RESULTS_LARGE
                                                 ? results->large_size
                                                 : results->payloads.size - results->start,
                                     .form = form};
}

/* Memory does not even suffice for a failure in place of the result: the slave cannot go on. */
static void fail_result(struct mwi_results *results)
{
    mwi_results_forget_large(results);
    results->payloads.size = results->start;
    results->payloads.has_failed = false;
    fail_memory(results);
}

/* Ends a result whose values have MWI_MESSAGE_LARGE_BYTES or more: the memory of the payloads
 * becomes a block, in which they stay. */
static void end_large_values(struct mwi_results *results, uint64_t duration_ns, int64_t now_ns)
{
    struct mwi_message_item item = item_of(results, duration_ns);
    struct mwi_block *block = mwi_block_own(results->payloads.data);
    if (block == NULL) {
        fail_result(results);
        return;
    }
    send_large(results, &item, block, results->payloads.data + results->start, now_ns);
    results->count = 0;
    mwi_buffer_init(&results->payloads);
    mwi_block_unref(block);
}

static void end_large_bytes(struct mwi_results *results, uint64_t duration_ns, int64_t now_ns)
{
    struct mwi_message_item item = item_of(results, duration_ns);
    assert(results->large != NULL);
    results->payloads.size = results->start;
    send_large(results, &item, results->large, results->large_data, now_ns);
    if (results->count == 0)
        clear_payloads(results);
    mwi_results_forget_large(results);
}

/* Sends the results before the one that is being built, or has just been built when the message
 * would be too large with it. */
static void split_message(struct mwi_results *results, int64_t now_ns)
{
    struct mwi_buffer *payloads = &results->payloads;
    assert(results->start <= payloads->size);
    send_waiting(results, now_ns);
    results->count = 0;
    payloads->size -= results->start;
    if (payloads->size > 0)
        memmove(payloads->data, payloads->data + results->start, payloads->size);
    results->start = 0;
}

void mwi_results_flush_ended(struct mwi_results *results, int64_t now_ns)
{
    size_t start = results->start;
    assert(results->form != MWI_RESULTS_ENDED);
    if (results->count == 0)
        return;
    split_message(results, now_ns);
    results->payload_end = results->payload_end > start ? results->payload_end - start : 0;
}

/* Whether results that have waited since `since_ns` would wait too long if the next task ran first.
 * True if nothing is known of the next task. */
static bool is_time(const struct mwi_results *results, struct mwi_results_ahead ahead,
                    int64_t since_ns, int64_t now_ns)
{
    int64_t next_ns = mwi_pace_of(&results->pace, ahead.algorithm);
    return next_ns == 0 || next_ns > SHORT_NS || next_ns > WAIT_NS - (now_ns - since_ns);
}

static bool is_group_full(const struct mwi_results *results, struct mwi_results_ahead ahead,
                          int64_t now_ns)
{
    if (results->is_prompt)
        return true;
    if (results->master.group > 0)
        return results->count >= results->master.group;
    return results->count >= results->half_count ||
           is_time(results, ahead, results->oldest_ns, now_ns);
}

/* The last `count` results have ended. */
static void note_time(struct mwi_results *results, size_t count, int64_t now_ns)
{
    if (results->count == count)
        results->oldest_ns = now_ns;
}

/* Sends the results that wait if it is time, after one or several have ended. */
static void send_if_due(struct mwi_results *results, struct mwi_results_ahead ahead, int64_t now_ns)
{
    if (ahead.tasks_count > 0 && results->payloads.size <= RESULTS_BYTES_MAX &&
        !is_group_full(results, ahead, now_ns))
        return;
    mwi_results_flush(results, now_ns);
    results->is_group_unsent = true;
}

size_t mwi_results_together(const struct mwi_results *results, size_t algorithm)
{
    if (results->is_prompt)
        return 1;
    size_t group = results->master.group > 0 ? results->master.group : results->half_count;
    size_t count = group > results->count ? group - results->count : 1;
    if (mwi_pace_samples(&results->pace, algorithm) < KNOWN_SAMPLES ||
        mwi_pace_of(&results->pace, algorithm) > QUICK_NS)
        return 1;
    return count < TOGETHER_MAX ? count : TOGETHER_MAX;
}

void mwi_results_set_durations(struct mwi_results *results, size_t count, uint64_t duration_ns,
                               int64_t now_ns)
{
    assert(count <= results->count);
    if (count == 0)
        return;
    note_time(results, count, now_ns);
    mwi_pace_learn(&results->pace, results->algorithm, count * duration_ns, (uint32_t)count);
    for (size_t i = results->count - count; i < results->count; i++)
        results->items[i].duration_ns = duration_ns;
}

void mwi_results_settle(struct mwi_results *results, size_t count, uint64_t duration_ns,
                        struct mwi_results_ahead ahead, int64_t now_ns)
{
    assert(count > 0);
    mwi_results_set_durations(results, count, duration_ns, now_ns);
    send_if_due(results, ahead, now_ns);
}

static void end_small(struct mwi_results *results, uint64_t duration_ns,
                      struct mwi_results_ahead ahead, int64_t now_ns)
{
    if (results->count > 0 && !mwi_results_has_room(results))
        split_message(results, now_ns);
    results->items[results->count++] = item_of(results, duration_ns);
    results->form = MWI_RESULTS_ENDED;
    note_time(results, 1, now_ns);
    send_if_due(results, ahead, now_ns);
}

static bool has_large_values(const struct mwi_results *results)
{
    return results->form == MWI_RESULTS_VALUES &&
           results->payloads.size - results->start >= MWI_MESSAGE_LARGE_BYTES;
}

/* Ends a result for which mwi_results_end_quick returned false. */
static void end_slowly(struct mwi_results *results, uint64_t duration_ns,
                       struct mwi_results_ahead ahead, int64_t now_ns)
{
    mw_reason why;
    results->total_count++;
    close_payload(results);
    if (results->form < MWI_RESULTS_FAILURE)
        mwi_pace_learn(&results->pace, results->algorithm, duration_ns, 1);
    if (!can_take(results, results->payloads.size - results->start, &why))
        mwi_results_fail(results, why.text);
    bool has_place = results->count < results->items_capacity || mwi_results_grow(results);
    if (!has_place || results->payloads.has_failed)
        fail_result(results);
    else if (results->form == MWI_RESULTS_LARGE)
        end_large_bytes(results, duration_ns, now_ns);
    else if (has_large_values(results))
        end_large_values(results, duration_ns, now_ns);
    else
        end_small(results, duration_ns, ahead, now_ns);
    results->form = MWI_RESULTS_ENDED;
}

void mwi_results_end(struct mwi_results *results, uint64_t duration_ns,
                     struct mwi_results_ahead ahead, int64_t now_ns)
{
    assert(results->form != MWI_RESULTS_ENDED);
    if (mwi_results_end_quick(results))
        mwi_results_settle(results, 1, duration_ns, ahead, now_ns);
    else
        end_slowly(results, duration_ns, ahead, now_ns);
}

bool mwi_results_are_pressing(const struct mwi_results *results, struct mwi_results_ahead ahead,
                              int64_t now_ns)
{
    assert(mwi_results_are_unsent(results));
    return results->is_group_unsent || results->unsent_bytes > RESULTS_BYTES_MAX ||
           results->is_prompt || results->master.group > 0 || ahead.tasks_count == 0 ||
           is_time(results, ahead, results->unsent_since_ns, now_ns);
}

void mwi_results_have_left(struct mwi_results *results)
{
    results->unsent_bytes = 0;
    results->is_group_unsent = false;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Builds the results of a slave and decides when they leave. Rules:
 *
 * - Offsets into the message are noted when it is written; nothing here decodes the message.
 * - start <= payload_start <= values_start <= the message's size, while a result is being built.
 * - No message is larger than message_bytes_max, but for a failure that says that a result was.
 * - After a failed allocation the message appends nothing more. The result is then replaced by a
 *   failure. If not even its beginning could be written, the effects get the error.
 *
 * The slave engine begins and ends results, and the functions of a task algorithm (face/call) leave
 * payloads. face/slave says when messages have left, and sends results that wait. A new form of
 * payload is a value of mwi_results_form, a function that leaves it, and a case in mwi_results_end;
 * when a group leaves is decided in is_group_full and is_time.
 */
#include "engine/results.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/guard.h"

/* A message of results is sent once it is this large, whatever its group. */
#define RESULTS_BYTES_MAX ((size_t)512 << 10)
/* If the master's group is 0, a result waits for others at most this long, by the average times of
 * the tasks. A result never waits for a task whose average is over SHORT_NS: such a task may run
 * much longer than its average. */
#define WAIT_NS INT64_C(1500000)
#define SHORT_NS INT64_C(250000)

void mwi_results_init(struct mwi_results *results, struct mwi_effects *effects,
                      size_t own_bytes_max)
{
    assert(effects != NULL);
    *results =
        (struct mwi_results){.effects = effects, .own_bytes_max = own_bytes_max, .master.group = 1};
    mwi_buffer_init(&results->message);
}

static void forget_large(struct mwi_results *results)
{
    if (results->large == NULL)
        return;
    mwi_block_unref(results->large);
    results->large = NULL;
}

void mwi_results_fini(struct mwi_results *results)
{
    forget_large(results);
    mwi_buffer_fini(&results->message);
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

void mwi_results_stop(struct mwi_results *results)
{
    results->has_master = false;
}

void mwi_results_expect(struct mwi_results *results, size_t tasks_count)
{
    results->half_count = (tasks_count + results->count + 1) / 2;
}

void mwi_results_begin(struct mwi_results *results, uint64_t task_id, size_t algorithm)
{
    struct mwi_buffer *message = &results->message;
    assert(results->form == MWI_RESULTS_ENDED);
    if (results->count == 0) {
        mwi_buffer_clear(message);
        mwi_message_begin_results(message);
    }
    results->start = message->size;
    mwi_message_begin_result(message, task_id);
    results->payload_start = message->size;
    results->has_begun = !message->has_failed;
    results->form = MWI_RESULTS_EMPTY;
    results->task_id = task_id;
    results->algorithm = algorithm;
}

/* Forgets the payload that was left before. If memory ran out for that payload, the message can be
 * written again. */
static inline void restart(struct mwi_results *results, enum mwi_results_form form)
{
    assert(results->form != MWI_RESULTS_ENDED);
    assert(results->payload_start <= results->message.size);
    forget_large(results);
    if (results->has_begun) {
        results->message.size = results->payload_start;
        results->message.has_failed = false;
    }
    results->form = form;
}

struct mwi_buffer *mwi_results_open_values(struct mwi_results *results)
{
    restart(results, MWI_RESULTS_VALUES);
    results->values_start = mwi_message_open_values(&results->message);
    return &results->message;
}

bool mwi_results_are_whole(const struct mwi_results *results)
{
    const struct mwi_buffer *message = &results->message;
    if (results->form != MWI_RESULTS_VALUES || message->has_failed)
        return true;
    assert(results->values_start <= message->size);
    return mwi_guard_check(message->data + results->values_start,
                           message->size - results->values_start, NULL);
}

void mwi_results_fail(struct mwi_results *results, const char *message)
{
    restart(results, MWI_RESULTS_FAILURE);
    mwi_message_write_failure(&results->message, message);
    results->payload_end = results->message.size;
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

static mw_error write_bytes(struct mwi_results *results, const void *data, size_t size)
{
    restart(results, MWI_RESULTS_BYTES);
    mwi_buffer_reserve(&results->message, size + MWI_MESSAGE_OVERHEAD_BYTES);
    mwi_message_write_bytes(&results->message, data, size);
    results->payload_end = results->message.size;
    return results->message.has_failed ? MW_ENOMEM : MW_OK;
}

static mw_error share_large(struct mwi_results *results, struct mwi_block *block, const void *data,
                            size_t size, mw_reason *why)
{
    if (!can_take(results, size, why))
        return MW_ETOOBIG;
    restart(results, MWI_RESULTS_LARGE);
    mwi_block_ref(block);
    results->payload_end = results->message.size;
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

mw_error mwi_results_copy_bytes(struct mwi_results *results, const void *data, size_t size,
                                mw_reason *why)
{
    if (size < MWI_MESSAGE_LARGE_BYTES)
        return write_bytes(results, data, size);
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
    mw_error error = write_bytes(results, data, size);
    free(data);
    return error;
}

mw_error mwi_results_share_bytes(struct mwi_results *results, struct mwi_block *block,
                                 const void *data, size_t size, mw_reason *why)
{
    return size < MWI_MESSAGE_LARGE_BYTES ? write_bytes(results, data, size)
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

void mwi_results_flush(struct mwi_results *results, int64_t now_ns)
{
    size_t size = 0;
    size_t count = results->count;
    if (count == 0 || !results->has_master)
        return;
    mwi_message_end_results(&results->message, count);
    void *frame = mwi_buffer_take(&results->message, &size);
    mwi_effects_send(results->effects, results->master.peer, frame, size);
    results->count = 0;
    audit_sent(results, count, now_ns);
}

/* Makes a result without a payload one with no values, and makes the result a failure if memory has
 * run out. Cuts off bytes that were written behind the payload. */
static void close_payload(struct mwi_results *results)
{
    if (results->form == MWI_RESULTS_EMPTY)
        mwi_results_open_values(results);
    if (results->message.has_failed)
        mwi_results_fail(results, "out of memory for the result");
    if (results->form == MWI_RESULTS_VALUES)
        return;
    assert(results->payload_end <= results->message.size);
    results->message.size = results->payload_end;
}

/* Makes the memory of the message a block, in which the values of the current result stay where
 * they are. Then starts the message again with a copy of the results that have ended. NULL out of
 * memory. */
static struct mwi_block *detach_values(struct mwi_results *results)
{
    struct mwi_buffer ended;
    struct mwi_block *block = mwi_block_own(results->message.data);
    if (block == NULL)
        return NULL;
    mwi_buffer_init(&ended);
    if (results->count > 0)
        mwi_buffer_append(&ended, results->message.data, results->start);
    results->message = ended;
    return block;
}

/* Sends the results that wait, and behind them the large one in a message of its own. */
static void send_large(struct mwi_results *results, uint64_t duration_ns, bool is_bytes,
                       const mw_body *body, int64_t now_ns)
{
    struct mwi_buffer head;
    size_t size = 0;
    mwi_results_flush(results, now_ns);
    mwi_buffer_init(&head);
    mwi_message_begin_large_result(&head, results->task_id, duration_ns, is_bytes);
    void *frame = mwi_buffer_take(&head, &size);
    mwi_buffer_fini(&head);
    mwi_effects_send_body(results->effects, results->master.peer, frame, size, body);
    if (results->unsent_bytes == 0)
        results->unsent_since_ns = now_ns;
    results->unsent_bytes += body->size;
    audit_sent(results, 1, now_ns);
}

/* Ends a result whose values have MWI_MESSAGE_LARGE_BYTES or more. */
static void end_large_values(struct mwi_results *results, uint64_t duration_ns, int64_t now_ns)
{
    const void *data = results->message.data + results->values_start;
    size_t size = results->message.size - results->values_start;
    struct mwi_block *block = detach_values(results);
    if (block == NULL) {
        mwi_effects_fail(results->effects, MW_ENOMEM);
        return;
    }
    if (results->has_master) {
        mw_body body = mwi_block_body(block, data, size);
        send_large(results, duration_ns, false, &body, now_ns);
    }
    mwi_block_unref(block);
}

static void end_large_bytes(struct mwi_results *results, uint64_t duration_ns, int64_t now_ns)
{
    assert(results->large != NULL);
    results->message.size = results->start;
    if (results->has_master) {
        mw_body body = mwi_block_body(results->large, results->large_data, results->large_size);
        send_large(results, duration_ns, true, &body, now_ns);
    }
    forget_large(results);
}

/* Moves the result that has just been written out of the message, which is too large with it, into
 * the next message. */
static void split_message(struct mwi_results *results, int64_t now_ns)
{
    struct mwi_buffer next;
    assert(results->start <= results->message.size);
    mwi_buffer_init(&next);
    mwi_message_begin_results(&next);
    mwi_buffer_append(&next, results->message.data + results->start,
                      results->message.size - results->start);
    results->message.size = results->start;
    mwi_results_flush(results, now_ns);
    mwi_buffer_fini(&results->message);
    results->message = next;
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
    if (results->master.group > 0)
        return results->count >= results->master.group;
    return results->count >= results->half_count ||
           is_time(results, ahead, results->oldest_ns, now_ns);
}

static void end_small(struct mwi_results *results, uint64_t duration_ns,
                      struct mwi_results_ahead ahead, int64_t now_ns)
{
    struct mwi_buffer *message = &results->message;
    bool is_failed = results->form == MWI_RESULTS_FAILURE;
    if (results->form == MWI_RESULTS_VALUES)
        mwi_message_close_values(message, results->values_start);
    mwi_message_end_result(message, is_failed ? MWI_RESULT_FAILED : MWI_RESULT_DONE, duration_ns);
    if (results->count > 0 && message->size > results->message_bytes_max)
        split_message(results, now_ns);
    results->count++;
    if (results->count == 1)
        results->oldest_ns = now_ns;
    if (ahead.tasks_count > 0 && message->size <= RESULTS_BYTES_MAX &&
        !is_group_full(results, ahead, now_ns))
        return;
    mwi_results_flush(results, now_ns);
    results->is_group_unsent = true;
}

static bool has_large_values(const struct mwi_results *results)
{
    return results->form == MWI_RESULTS_VALUES &&
           results->message.size - results->values_start >= MWI_MESSAGE_LARGE_BYTES;
}

void mwi_results_end(struct mwi_results *results, uint64_t duration_ns,
                     struct mwi_results_ahead ahead, int64_t now_ns)
{
    mw_reason why;
    assert(results->form != MWI_RESULTS_ENDED);
    results->total_count++;
    close_payload(results);
    if (results->form != MWI_RESULTS_FAILURE)
        mwi_pace_learn(&results->pace, results->algorithm, duration_ns);
    if (!can_take(results, results->message.size - results->start, &why))
        mwi_results_fail(results, why.text);
    if (results->form == MWI_RESULTS_LARGE)
        end_large_bytes(results, duration_ns, now_ns);
    else if (has_large_values(results))
        end_large_values(results, duration_ns, now_ns);
    else
        end_small(results, duration_ns, ahead, now_ns);
    results->form = MWI_RESULTS_ENDED;
}

bool mwi_results_are_pressing(const struct mwi_results *results, struct mwi_results_ahead ahead,
                              int64_t now_ns)
{
    assert(mwi_results_are_unsent(results));
    return results->is_group_unsent || results->unsent_bytes > RESULTS_BYTES_MAX ||
           results->master.group > 0 || ahead.tasks_count == 0 ||
           is_time(results, ahead, results->unsent_since_ns, now_ns);
}

void mwi_results_have_left(struct mwi_results *results)
{
    results->unsent_bytes = 0;
    results->is_group_unsent = false;
}

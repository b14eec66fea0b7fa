/* SPDX-License-Identifier: Apache-2.0
 *
 * A part of slave_engine: results. They are written into the message that will carry them; a large
 * one leaves in a message of its own, from where it was written.
 */
#include "engine/slave_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A message of results is sent once it is this large, whatever its group. */
#define RESULTS_BYTES_MAX ((size_t)512 << 10)
/* Groups by time: how long a result waits for others, as far as can be told; and the longest tasks
 * behind which it waits, since one may turn out to be much longer. */
#define WAIT_NS INT64_C(1500000)
#define SHORT_NS INT64_C(250000)

size_t mwi_slave_engine_payload_start(const struct mwi_slave_engine *engine)
{
    /* A task's id is written in msgpack's shortest form: 1 byte, or 1 and 1, 2, 4 or 8 more. */
    const struct mwi_buffer *results = &engine->results;
    if (results->size <= engine->result_start)
        return results->size;
    unsigned char first = results->data[engine->result_start];
    return engine->result_start + 1 +
           (first >= 0xcc && first <= 0xcf ? (size_t)1 << (first - 0xcc) : 0);
}

/* Moves the result that has just been written out of the message, which is too large with it, into
 * the next message. */
static void split_results(struct mwi_slave_engine *engine, int64_t now_ns)
{
    struct mwi_buffer next;
    mwi_buffer_init(&next);
    mwi_message_begin_results(&next);
    mwi_buffer_append(&next, engine->results.data + engine->result_start,
                      engine->results.size - engine->result_start);
    engine->results.size = engine->result_start;
    mwi_slave_engine_flush(engine, now_ns);
    mwi_buffer_fini(&engine->results);
    engine->results = next;
}

/* Whether a message can take a result of so many bytes; if not, *why says so. */
static bool fits(const struct mwi_slave_engine *engine, size_t bytes, mw_reason *why)
{
    size_t ours = engine->config.frame_write_bytes_max;
    bool is_ours = engine->result_bytes_max == ours;
    if (engine->result_bytes_max >= MWI_MESSAGE_OVERHEAD_BYTES &&
        bytes <= engine->result_bytes_max - MWI_MESSAGE_OVERHEAD_BYTES)
        return true;
    snprintf(why->text, sizeof why->text, "the result's %zu bytes are over the %s of %zu", bytes,
             is_ours ? "slave's --mw-max-write-buffer-size" : "master's --mw-max-read-buffer-size",
             engine->result_bytes_max);
    return false;
}

mw_error mwi_slave_engine_leave_large(struct mwi_slave_engine *engine, const void *data,
                                      size_t size, mw_reason *why)
{
    if (!fits(engine, size, why))
        return MW_ETOOBIG;
    void *copy = malloc(size);
    if (copy == NULL)
        return MW_ENOMEM;
    memcpy(copy, data, size);
    return mwi_slave_engine_take_large(engine, copy, size, why);
}

mw_error mwi_slave_engine_take_large(struct mwi_slave_engine *engine, void *data, size_t size,
                                     mw_reason *why)
{
    struct mwi_block *block = mwi_block_own(data);
    if (block == NULL) {
        free(data);
        return MW_ENOMEM;
    }
    mw_error error = mwi_slave_engine_share_large(engine, block, data, size, why);
    mwi_block_unref(block);
    return error;
}

mw_error mwi_slave_engine_share_large(struct mwi_slave_engine *engine, struct mwi_block *block,
                                      const void *data, size_t size, mw_reason *why)
{
    if (!fits(engine, size, why))
        return MW_ETOOBIG;
    mwi_slave_engine_forget_large(engine);
    mwi_block_ref(block);
    engine->large = block;
    engine->large_data = data;
    engine->large_size = size;
    return MW_OK;
}

void mwi_slave_engine_forget_large(struct mwi_slave_engine *engine)
{
    mwi_block_unref(engine->large);
    engine->large = NULL;
}

/* Where the values of the result begin that was just written to engine->results; 0 if they are not
 * large, or it is something else. */
static size_t large_values(const struct mwi_slave_engine *engine)
{
    const struct mwi_buffer *results = &engine->results;
    size_t start = mwi_slave_engine_payload_start(engine);
    size_t opened = mwi_message_opened_values(results, start);
    return opened > 0 && results->size - opened >= MWI_MESSAGE_LARGE_BYTES ? opened : 0;
}

/* Leaves the results before the last one alone in the message, whose memory, with the values of the
 * last one where they were written, becomes a block. NULL out of memory. */
static struct mwi_block *detach_values(struct mwi_slave_engine *engine)
{
    struct mwi_buffer earlier;
    struct mwi_block *block = mwi_block_own(engine->results.data);
    if (block == NULL)
        return NULL;
    mwi_buffer_init(&earlier);
    if (engine->results_count > 0)
        mwi_buffer_append(&earlier, engine->results.data, engine->result_start);
    engine->results = earlier;
    return block;
}

static void note_unsent(struct mwi_slave_engine *engine, size_t bytes, int64_t now_ns)
{
    if (engine->unsent_bytes == 0)
        engine->unsent_since_ns = now_ns;
    engine->unsent_bytes += bytes;
}

/* Sends the results that wait, and behind them the large one in a message of its own. */
static void send_large(struct mwi_slave_engine *engine, uint64_t id, uint64_t duration_ns,
                       bool is_bytes, const mw_body *body, int64_t now_ns)
{
    struct mwi_buffer head;
    size_t size = 0;
    mwi_slave_engine_flush(engine, now_ns);
    mwi_buffer_init(&head);
    mwi_message_begin_large_result(&head, id, duration_ns, is_bytes);
    void *frame = mwi_buffer_take(&head, &size);
    mwi_buffer_fini(&head);
    mwi_effects_send_body(&engine->effects, engine->peer, frame, size, body);
    note_unsent(engine, body->size, now_ns);
    mwi_slave_engine_audit(engine, now_ns,
                           (struct mwi_audit_record){.kind = MWI_AUDIT_RESULTS_SENT, .count = 1});
}

/* Ends a result whose payload is the bytes that were left, or, if `opened` is not 0, the values
 * that begin there in the message. */
static void end_large(struct mwi_slave_engine *engine, uint64_t id, size_t opened,
                      uint64_t duration_ns, int64_t now_ns)
{
    const void *data = opened > 0 ? engine->results.data + opened : engine->large_data;
    size_t size = opened > 0 ? engine->results.size - opened : engine->large_size;
    struct mwi_block *block = opened > 0 ? detach_values(engine) : engine->large;
    if (block == NULL) {
        engine->effects.failed = true;
        return;
    }
    if (opened == 0)
        engine->results.size = engine->result_start;
    if (engine->phase == MWI_PHASE_READY) {
        mw_body body = mwi_block_body(block, data, size);
        send_large(engine, id, duration_ns, opened == 0, &body, now_ns);
    }
    engine->large = NULL;
    mwi_block_unref(block);
}

/* Whether the oldest of some results would wait for too long behind the next task. */
static bool is_time(const struct mwi_slave_engine *engine, int64_t since_ns, int64_t now_ns)
{
    int64_t next_ns = mwi_pace_of(&engine->pace, engine->ring[engine->ring_first].algorithm);
    return next_ns == 0 || next_ns > SHORT_NS || next_ns > WAIT_NS - (now_ns - since_ns);
}

static bool is_group_full(const struct mwi_slave_engine *engine, int64_t now_ns)
{
    if (engine->result_group > 0)
        return engine->results_count >= engine->result_group;
    return engine->results_count >= engine->half_count ||
           is_time(engine, engine->results_since_ns, now_ns);
}

bool mwi_slave_engine_is_pressing(const struct mwi_slave_engine *engine, int64_t now_ns)
{
    if (engine->is_group_sent || engine->unsent_bytes == 0)
        return engine->is_group_sent;
    return engine->unsent_bytes > RESULTS_BYTES_MAX || engine->result_group > 0 ||
           engine->tasks_count == 0 || is_time(engine, engine->unsent_since_ns, now_ns);
}

void mwi_slave_engine_looked(struct mwi_slave_engine *engine)
{
    engine->unsent_bytes = 0;
    engine->is_group_sent = false;
}

void mwi_slave_engine_end_task(struct mwi_slave_engine *engine, struct mwi_slave_task *task,
                               enum mwi_result_status status, uint64_t duration_ns, int64_t now_ns)
{
    mw_reason why;
    if (status == MWI_RESULT_FAILED)
        mwi_slave_engine_forget_large(engine);
    mwi_block_unref(task->block);
    task->block = NULL;
    engine->results_total++;
    if (status == MWI_RESULT_DONE)
        mwi_pace_learn(&engine->pace, task->algorithm, duration_ns);
    if (!fits(engine, engine->results.size - engine->result_start, &why)) {
        engine->results.size = mwi_slave_engine_payload_start(engine);
        mwi_message_write_failure(&engine->results, why.text);
        status = MWI_RESULT_FAILED;
    }
    size_t opened = status == MWI_RESULT_DONE ? large_values(engine) : 0;
    if (opened > 0 || engine->large != NULL) {
        end_large(engine, task->id, opened, duration_ns, now_ns);
        return;
    }
    mwi_message_end_result(&engine->results, status, duration_ns);
    if (engine->results_count > 0 && engine->results.size > engine->result_bytes_max)
        split_results(engine, now_ns);
    engine->results_count++;
    if (engine->results_count == 1)
        engine->results_since_ns = now_ns;
    if (engine->tasks_count == 0 || engine->results.size > RESULTS_BYTES_MAX ||
        is_group_full(engine, now_ns)) {
        mwi_slave_engine_flush(engine, now_ns);
        engine->is_group_sent = true;
    }
}

void mwi_slave_engine_flush(struct mwi_slave_engine *engine, int64_t now_ns)
{
    size_t size = 0;
    size_t count = engine->results_count;
    if (count == 0 || engine->phase != MWI_PHASE_READY)
        return;
    mwi_message_end_results(&engine->results, count);
    void *frame = mwi_buffer_take(&engine->results, &size);
    mwi_effects_send(&engine->effects, engine->peer, frame, size);
    engine->results_count = 0;
    mwi_slave_engine_audit(
        engine, now_ns, (struct mwi_audit_record){.kind = MWI_AUDIT_RESULTS_SENT, .count = count});
}

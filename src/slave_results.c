/* SPDX-License-Identifier: Apache-2.0
 *
 * A part of slave_engine: results. They are written into the message that will carry them; a large
 * one into, or made into, a message of its own.
 */
#include "slave_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A message of results is sent once it is this large, whatever its group. */
#define RESULTS_BYTES_MAX ((size_t)256 << 10)
/* Groups by time: how long a result waits for others, and the longest task that it waits for. */
#define WAIT_NS INT64_C(500000)
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

mw_error mwi_slave_engine_leave_large(struct mwi_slave_engine *engine,
                                      const struct mwi_slave_task *task, const void *data,
                                      size_t size, mw_reason *why)
{
    struct mwi_buffer *large = &engine->large;
    size_t head_bytes = mwi_message_large_head_bytes(task->id);
    if (!fits(engine, size, why))
        return MW_ETOOBIG;
    if (mwi_buffer_reserve(large, head_bytes + size)) {
        large->size = head_bytes; /* the head is put there at the end */
        mwi_buffer_append(large, data, size);
        return MW_OK;
    }
    mwi_slave_engine_forget_large(engine);
    return MW_ENOMEM;
}

mw_error mwi_slave_engine_take_large(struct mwi_slave_engine *engine,
                                     const struct mwi_slave_task *task, void *data, size_t size,
                                     mw_reason *why)
{
    if (!fits(engine, size, why)) {
        free(data);
        return MW_ETOOBIG;
    }
    if (mwi_buffer_adopt(&engine->large, data, size, mwi_message_large_head_bytes(task->id)))
        return MW_OK;
    mwi_slave_engine_forget_large(engine);
    return MW_ENOMEM;
}

void mwi_slave_engine_forget_large(struct mwi_slave_engine *engine)
{
    mwi_buffer_fini(&engine->large);
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

/* Makes a message of the values, room for the head in front, and leaves the results before them.
 * They stay where they are, unless there are such results. */
static struct mwi_buffer detach_values(struct mwi_slave_engine *engine, size_t opened,
                                       size_t head_bytes)
{
    struct mwi_buffer earlier, large = engine->results;
    mwi_buffer_init(&earlier);
    if (engine->results_count > 0)
        mwi_buffer_append(&earlier, large.data, engine->result_start);
    engine->results = earlier;
    if (opened != head_bytes)
        memmove(large.data + head_bytes, large.data + opened, large.size - opened);
    large.size -= opened - head_bytes;
    return large;
}

static void send_large(struct mwi_slave_engine *engine, const struct mwi_slave_task *task,
                       size_t opened, uint64_t duration_ns, int64_t now_ns)
{
    struct mwi_buffer large = engine->large;
    size_t size = 0;
    mwi_buffer_init(&engine->large);
    if (opened > 0)
        large = detach_values(engine, opened, mwi_message_large_head_bytes(task->id));
    else
        engine->results.size = engine->result_start;
    mwi_slave_engine_flush(engine, now_ns);
    mwi_message_put_large_head(large.data, task->id, duration_ns, opened == 0);
    if (engine->phase == MWI_PHASE_READY) {
        void *frame = mwi_buffer_take(&large, &size);
        mwi_effects_send(&engine->effects, engine->peer, frame, size);
        mwi_slave_engine_audit(
            engine, now_ns, (struct mwi_audit_record){.kind = MWI_AUDIT_RESULTS_SENT, .count = 1});
    }
    mwi_buffer_fini(&large);
}

/* By time, results wait while the tasks that follow are short, and not for long. */
static bool is_group_full(const struct mwi_slave_engine *engine, int64_t now_ns)
{
    if (engine->result_group > 0)
        return engine->results_count >= engine->result_group;
    int64_t next_ns = mwi_pace_of(&engine->pace, engine->ring[engine->ring_first].algorithm);
    return next_ns == 0 || next_ns > SHORT_NS || now_ns - engine->results_since_ns > WAIT_NS;
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
    if (opened > 0 || engine->large.size > 0) {
        send_large(engine, task, opened, duration_ns, now_ns);
        return;
    }
    mwi_message_end_result(&engine->results, status, duration_ns);
    if (engine->results_count > 0 && engine->results.size > engine->result_bytes_max)
        split_results(engine, now_ns);
    engine->results_count++;
    if (engine->results_count == 1)
        engine->results_since_ns = now_ns;
    if (engine->tasks_count == 0 || engine->results.size > RESULTS_BYTES_MAX ||
        is_group_full(engine, now_ns))
        mwi_slave_engine_flush(engine, now_ns);
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

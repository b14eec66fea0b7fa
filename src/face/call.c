/* SPDX-License-Identifier: Apache-2.0
 *
 * What a task algorithm calls. The result is written where it will be sent from; leaving another
 * one cuts the message back to where the payload began.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "face/slave.h"
#include "wire/guard.h"

static struct mwi_buffer *results(mw_call *call)
{
    return &call->slave->engine.results;
}

/* Forgets the result that was left before, and that memory did not suffice for it. */
static void begin_result(mw_call *call, enum mwi_call_result result)
{
    struct mwi_slave_engine *engine = &call->slave->engine;
    size_t start = mwi_slave_engine_payload_start(engine);
    mwi_slave_engine_forget_large(engine);
    if (start > engine->result_start) {
        engine->results.size = start;
        engine->results.failed = false;
    }
    call->result = result;
}

static void open_values(mw_call *call)
{
    begin_result(call, MWI_CALL_VALUES);
    call->opened = mwi_message_open_values(results(call));
}

static void leave_failure(mw_call *call, const char *message)
{
    begin_result(call, MWI_CALL_FAILURE);
    mwi_message_write_failure(results(call), message);
    call->end = results(call)->size;
}

static mw_error fail_task(mw_call *call, mw_error error, const char *message)
{
    leave_failure(call, message);
    return error;
}

static mw_error fail_without_memory(mw_call *call)
{
    return fail_task(call, MW_ENOMEM, "out of memory for the result");
}

static mw_error load_arguments(mw_call *call)
{
    const struct mwi_payload *payload = &call->task->payload;
    if (call->is_loaded)
        return MW_OK;
    call->has_values = true;
    if (payload->is_bytes)
        return fail_task(call, MW_EFORMAT, "expected arguments, got raw bytes");
    mw_error error = mwi_values_load(&call->slave->values, payload->data, payload->size);
    if (error != MW_OK)
        return fail_task(call, error,
                         error == MW_ENOMEM ? "out of memory for the arguments"
                                            : "the arguments are not msgpack values");
    call->is_loaded = true;
    return MW_OK;
}

mw_error mw_call_args(mw_call *call, const char *format, ...)
{
    mw_reason why;
    va_list arguments;
    mw_error error = load_arguments(call);
    if (error != MW_OK)
        return error;
    va_start(arguments, format);
    error = mwi_values_read(&call->slave->values, "argument", format, arguments, &why);
    va_end(arguments);
    return error == MW_OK ? MW_OK : fail_task(call, error, why.text);
}

size_t mw_call_args_count(mw_call *call)
{
    if (call->task->payload.is_bytes || load_arguments(call) != MW_OK)
        return 0;
    return call->slave->values.count;
}

const msgpack_object *mw_call_arg(mw_call *call, size_t index)
{
    return index < mw_call_args_count(call) ? &call->slave->values.objects[index] : NULL;
}

mw_error mw_call_bytes(mw_call *call, void **data, size_t *size)
{
    if (!call->task->payload.is_bytes)
        return fail_task(call, MW_EFORMAT, "expected raw bytes, got arguments");
    *data = call->task->payload.data;
    *size = call->task->payload.size;
    return MW_OK;
}

mw_error mw_call_return(mw_call *call, const char *format, ...)
{
    mw_reason why = {""};
    va_list arguments;
    open_values(call);
    va_start(arguments, format);
    mw_error error = mwi_values_write(results(call), format, arguments, &why);
    va_end(arguments);
    if (error == MW_ENOMEM)
        return fail_without_memory(call);
    return error == MW_OK ? MW_OK : fail_task(call, error, why.text);
}

/* What became of a large result that was left, or could not be. */
static mw_error end_large(mw_call *call, mw_error error, const mw_reason *why)
{
    call->end = results(call)->size;
    if (error == MW_ENOMEM)
        return fail_without_memory(call);
    return error == MW_OK ? MW_OK : fail_task(call, error, why->text);
}

mw_error mw_call_return_bytes(mw_call *call, const void *data, size_t size)
{
    mw_reason why;
    begin_result(call, MWI_CALL_BYTES);
    if (size >= MWI_MESSAGE_LARGE_BYTES) {
        mw_error error = mwi_slave_engine_leave_large(&call->slave->engine, data, size, &why);
        return end_large(call, error, &why);
    }
    mwi_buffer_reserve(results(call), size + MWI_MESSAGE_OVERHEAD_BYTES);
    mwi_message_write_bytes(results(call), data, size);
    call->end = results(call)->size;
    return results(call)->failed ? fail_without_memory(call) : MW_OK;
}

/* Whether the bytes are the task's arguments, or a part of them. */
static bool is_in_arguments(const mw_call *call, const void *data, size_t size)
{
    const struct mwi_payload *payload = &call->task->payload;
    uintptr_t begin = (uintptr_t)payload->data, at = (uintptr_t)data;
    /* Of nothing, the end is a part too: to free that would be worse than to leak a block of 0
     * bytes that somebody else was given there. */
    return begin != 0 && at >= begin && at - begin <= payload->size &&
           size <= payload->size - (at - begin);
}

static mw_error return_in_place(mw_call *call, const void *data, size_t size)
{
    mw_reason why;
    if (size < MWI_MESSAGE_LARGE_BYTES)
        return mw_call_return_bytes(call, data, size);
    begin_result(call, MWI_CALL_BYTES);
    return end_large(
        call,
        mwi_slave_engine_share_large(&call->slave->engine, call->task->block, data, size, &why),
        &why);
}

mw_error mw_call_return_bytes_take(mw_call *call, void *data, size_t size)
{
    mw_reason why;
    if (is_in_arguments(call, data, size))
        return return_in_place(call, data, size);
    if (size >= MWI_MESSAGE_LARGE_BYTES) {
        begin_result(call, MWI_CALL_BYTES);
        return end_large(call, mwi_slave_engine_take_large(&call->slave->engine, data, size, &why),
                         &why);
    }
    mw_error error = mw_call_return_bytes(call, data, size);
    free(data);
    return error;
}

msgpack_packer *mw_call_packer(mw_call *call)
{
    open_values(call);
    call->has_packer = true;
    msgpack_packer_init(&call->packer, results(call), mwi_buffer_write);
    return &call->packer;
}

void mw_call_fail(mw_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *message = mwi_values_format(&call->slave->values, format, arguments);
    va_end(arguments);
    call->has_values = true;
    leave_failure(call, message != NULL ? message : "out of memory for the message of a failure");
}

const char *mw_call_format(mw_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = mwi_values_format(&call->slave->values, format, arguments);
    va_end(arguments);
    call->has_values = true;
    if (text != NULL)
        return text;
    leave_failure(call, "out of memory for a string");
    return "";
}

void *mw_call_user(const mw_call *call)
{
    return call->slave->user;
}

mw_slave *mw_call_slave(const mw_call *call)
{
    return call->slave;
}

static void close_values(mw_call *call)
{
    struct mwi_buffer *buffer = results(call);
    mwi_message_close_values(buffer, call->opened);
    if (call->has_packer && !buffer->failed &&
        !mwi_guard_check(buffer->data + call->opened, buffer->size - call->opened, NULL))
        leave_failure(call, "the result is not whole msgpack values: what was packed with "
                            "mw_call_packer lacks elements, or is nested too deeply");
}

static void run_algorithm(mw_call *call)
{
    if (call->task->run != NULL)
        call->task->run(call);
    else
        mw_call_fail(call, "this slave has no task algorithm \"%.100s\": is it another program?",
                     call->task->name);
}

void mwi_call_run(mw_slave *slave, struct mwi_slave_task *task, int64_t *now_ns)
{
    int64_t began_ns = *now_ns;
    mw_call call = {.slave = slave, .task = task};
    slave->is_running = true;
    run_algorithm(&call);
    slave->is_running = false;
    if (call.result == MWI_CALL_NOTHING)
        open_values(&call);
    if (results(&call)->failed)
        fail_without_memory(&call);
    if (call.result == MWI_CALL_VALUES)
        close_values(&call);
    else
        results(&call)->size = call.end; /* a packer handed out before may have been used after */
    if (call.has_values)
        mwi_values_clear(&slave->values);
    *now_ns = mwi_loop_now(slave->loop);
    mwi_slave_engine_end_task(&slave->engine, task,
                              call.result == MWI_CALL_FAILURE ? MWI_RESULT_FAILED : MWI_RESULT_DONE,
                              (uint64_t)(*now_ns - began_ns), *now_ns);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The functions that a task algorithm calls. face/slave makes the call and runs the algorithm.
 * Arguments are read from where they were received; the result is built in engine/results.
 *
 * Invariant: each result that the algorithm leaves replaces the one before it. So if one of these
 * functions fails, the task fails with its sentence, unless the algorithm leaves another result
 * afterwards. A new way to leave a result is a function here over a new one of engine/results.
 */
#include "face/call.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include "wire/value_quick.h"

static mw_error fail_task(mw_call *call, mw_error error, const char *message)
{
    mwi_results_fail(call->results, message);
    return error;
}

/* Fails the task if its result could not be left. */
static mw_error check_left(mw_call *call, mw_error error, const mw_reason *why)
{
    if (error == MW_OK)
        return MW_OK;
    return fail_task(call, error, error == MW_ENOMEM ? "out of memory for the result" : why->text);
}

static mw_error load_arguments(mw_call *call)
{
    const struct mwi_payload *payload = &call->task->payload;
    if (call->is_loaded)
        return MW_OK;
    call->has_values = true;
    if (payload->is_bytes)
        return fail_task(call, MW_EFORMAT, "expected arguments, got raw bytes");
    mw_error error = mwi_values_load(call->values, payload->data, payload->size);
    if (error != MW_OK)
        return fail_task(call, error,
                         error == MW_ENOMEM ? "out of memory for the arguments"
                                            : "the arguments are not msgpack values");
    call->is_loaded = true;
    return MW_OK;
}

/* Reads the arguments without loading them, if they are plain and were not loaded. */
static bool read_quickly(mw_call *call, const char *format, va_list arguments)
{
    const struct mwi_payload *payload = &call->task->payload;
    return !payload->is_bytes && !call->is_loaded &&
           mwi_value_quick_read(call->values, payload->data, payload->size, format, arguments,
                                &call->has_values);
}

mw_error mw_call_args(mw_call *call, const char *format, ...)
{
    mw_reason why;
    va_list arguments;
    va_start(arguments, format);
    bool has_read = read_quickly(call, format, arguments);
    va_end(arguments);
    if (has_read)
        return MW_OK;
    mw_error error = load_arguments(call);
    if (error != MW_OK)
        return error;
    va_start(arguments, format);
    error = mwi_values_read(call->values, "argument", format, arguments, &why);
    va_end(arguments);
    return error == MW_OK ? MW_OK : fail_task(call, error, why.text);
}

size_t mw_call_args_count(mw_call *call)
{
    if (call->task->payload.is_bytes || load_arguments(call) != MW_OK)
        return 0;
    return call->values->count;
}

const msgpack_object *mw_call_arg(mw_call *call, size_t index)
{
    return index < mw_call_args_count(call) ? &call->values->objects[index] : NULL;
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
    mw_reason why;
    va_list arguments;
    struct mwi_buffer *buffer = mwi_results_open_values(call->results);
    va_start(arguments, format);
    mw_error error = mwi_values_write(buffer, format, arguments, &why);
    va_end(arguments);
    return check_left(call, error, &why);
}

mw_error mw_call_return_bytes(mw_call *call, const void *data, size_t size)
{
    mw_reason why;
    mw_error error = mwi_results_copy_bytes(call->results, data, size, &why);
    return check_left(call, error, &why);
}

/* Whether the bytes are the task's arguments, or a part of them. */
static bool is_in_arguments(const mw_call *call, const void *data, size_t size)
{
    const struct mwi_payload *payload = &call->task->payload;
    uintptr_t begin = (uintptr_t)payload->data, at = (uintptr_t)data;
    /* 0 bytes at the end count as a part: freeing a pointer into the arguments would be worse than
     * leaking a block of 0 bytes that malloc has put there. */
    return begin != 0 && at >= begin && at - begin <= payload->size &&
           size <= payload->size - (at - begin);
}

mw_error mw_call_return_bytes_take(mw_call *call, void *data, size_t size)
{
    mw_reason why;
    mw_error error =
        is_in_arguments(call, data, size)
            ? mwi_results_share_bytes(call->results, call->task->block, data, size, &why)
            : mwi_results_take_bytes(call->results, data, size, &why);
    return check_left(call, error, &why);
}

msgpack_packer *mw_call_packer(mw_call *call)
{
    struct mwi_buffer *buffer = mwi_results_open_values(call->results);
    call->has_packer = true;
    msgpack_packer_init(&call->packer, buffer, mwi_buffer_write);
    return &call->packer;
}

void mw_call_fail(mw_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *message = mwi_values_format(call->values, format, arguments);
    va_end(arguments);
    call->has_values = true;
    mwi_results_fail(call->results,
                     message != NULL ? message : "out of memory for the message of a failure");
}

const char *mw_call_format(mw_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = mwi_values_format(call->values, format, arguments);
    va_end(arguments);
    call->has_values = true;
    if (text != NULL)
        return text;
    mwi_results_fail(call->results, "out of memory for a string");
    return "";
}

mw_error mw_call_save(mw_call *call, const void *data, size_t size)
{
    return call->save(call->slave, data, size);
}

bool mw_call_saved(const mw_call *call, const void **data, size_t *size)
{
    const struct mwi_saved *saved = mwi_slave_engine_loaded(call->engine);
    if (saved == NULL)
        return false;
    *data = saved->data;
    *size = saved->size;
    return true;
}

void *mw_call_user(const mw_call *call)
{
    return *call->user;
}

mw_slave *mw_call_slave(const mw_call *call)
{
    return call->slave;
}

static void run_algorithm(mw_call *call)
{
    if (call->task->run != NULL)
        call->task->run(call);
    else
        mw_call_fail(call, "this slave has no task algorithm \"%.100s\": is it another program?",
                     call->task->name);
}

void mwi_call_run(mw_call *call)
{
    assert(call->task != NULL && call->results != NULL && call->values != NULL);
    run_algorithm(call);
    if (call->has_packer && !mwi_results_are_whole(call->results))
        mwi_results_fail(call->results,
                         "the result is not whole msgpack values: what was packed with "
                         "mw_call_packer lacks elements, or is nested too deeply");
    if (call->has_values)
        mwi_values_clear(call->values);
    call->has_values = call->is_loaded = call->has_packer = false;
}

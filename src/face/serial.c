/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the slave of a serial farm beside its master. face/master_open makes it, and opens the
 * transport inproc that joins the two. Invariants:
 *
 * - The slave runs only while the master polls, so it never sees the master in the middle of
 *   something else.
 * - The coroutine ends before its stack is freed: at the end its polls fail, as those of a slave
 *   do that has lost its master, and then it comes to its end in one turn.
 * - The slave handles no signals: the master does, and tells it.
 *
 * A second slave in the process would be a second of these, with a place of its own.
 */
#include "face/serial.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/coroutine.h"
#include "base/turns.h"
#include "face/slave.h"
#include "face/slave_error.h"
#include "loop/local.h"
#include "options/file_pattern.h"

/* A task may use as much stack as in the main thread of a process: what the limit of the shell
 * says. The memory is only reserved. */
#define STACK_BYTES_MIN ((size_t)1 << 20)
#define STACK_BYTES_MAX ((size_t)1 << 30)

struct mwi_serial {
    const mw_program *program;
    struct mwi_loop *loop;
    struct mwi_slave_settings settings; /* with copies of the strings below */
    char *pattern, *member_id;
    int argc;
    char **argv;
    char **argv_copy; /* which the slave algorithm may change */
    struct mwi_turns_side front, back;
    struct mwi_coroutine_pool stacks;
    struct mwi_coroutine *coroutine; /* NULL: it is to be started */
    int ends_in_row;
    bool has_begun, was_useful; /* the present slave, as far as is known */
    bool is_stopped, is_given_up;
    mw_reason last_end;
};

static void copy_arguments(struct mwi_serial *serial)
{
    for (int i = 0; i < serial->argc; i++)
        serial->argv_copy[i] = serial->argv[i];
    serial->argv_copy[serial->argc] = NULL;
}

/* The whole life of the slave, on its own stack. */
static void run_slave(void *context)
{
    struct mwi_serial *serial = context;
    const mw_program *program = serial->program;
    mw_slave *slave;
    bool has_joined;
    serial->has_begun = true;
    if (mwi_slave_open(&slave, program, &serial->settings, false, &has_joined, &serial->last_end) !=
        MW_OK)
        return;
    copy_arguments(serial);
    int status = program->slave == NULL ? mw_slave_loop_simple(slave)
                                        : program->slave(slave, serial->argc, serial->argv_copy);
    snprintf(serial->last_end.text, sizeof serial->last_end.text,
             "the slave algorithm returned %d while the master was there", status);
    if (mwi_slave_error_check(slave) != MW_OK)
        serial->last_end = slave->error;
    mw_slave_close(slave);
}

static void free_coroutine(struct mwi_serial *serial)
{
    mwi_coroutine_put(&serial->stacks, serial->coroutine);
    serial->coroutine = NULL;
    serial->back.due_ns = INT64_MAX;
}

static void resume_slave(void *context)
{
    struct mwi_serial *serial = context;
    if (serial->coroutine != NULL && !mwi_coroutine_resume(serial->coroutine))
        free_coroutine(serial);
}

static void resume_master(void *context)
{
    mwi_coroutine_yield(((struct mwi_serial *)context)->coroutine);
}

static bool start(struct mwi_serial *serial)
{
    serial->coroutine = mwi_coroutine_take(&serial->stacks, run_slave, serial);
    serial->was_useful = serial->has_begun = false;
    serial->back.due_ns = INT64_MIN;
    return serial->coroutine != NULL;
}

static bool must_start(const struct mwi_serial *serial)
{
    return serial->coroutine == NULL && !serial->is_stopped && !serial->is_given_up;
}

/* The stack of the last slave is there for the next. */
static void tend(void *context, int64_t now_ns)
{
    struct mwi_serial *serial = context;
    (void)now_ns;
    if (!must_start(serial))
        return;
    serial->ends_in_row = serial->was_useful ? 0 : serial->ends_in_row + 1;
    serial->is_given_up = serial->ends_in_row > MWI_LOCAL_REPLACEMENTS_MAX;
    if (serial->is_given_up) {
        mwi_loop_rouse(serial->loop);
        return;
    }
    bool is_started = start(serial);
    assert(is_started);
    (void)is_started;
}

static int64_t deadline(const void *context)
{
    return must_start(context) ? INT64_MIN : INT64_MAX;
}

static void stop(void *context, bool is_finished)
{
    (void)is_finished;
    mwi_serial_stop(context);
}

/* A slave that has not begun needs no end. Another one gets a last turn, in which it may read that
 * it shall stop, and one in which its polls fail. */
static void let_end(void *context, int64_t deadline_ns)
{
    struct mwi_serial *serial = context;
    (void)deadline_ns;
    serial->is_stopped = true;
    if (serial->coroutine != NULL && !serial->has_begun)
        free_coroutine(serial);
    resume_slave(serial);
    serial->back.is_over = true;
    resume_slave(serial);
    assert(serial->coroutine == NULL);
}

/* Makes a coroutine with as much stack as the limits allow. */
static bool start_first(struct mwi_serial *serial)
{
    struct rlimit limit;
    size_t bytes = STACK_BYTES_MAX;
    if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur < bytes)
        bytes = limit.rlim_cur;
    for (; bytes > STACK_BYTES_MIN; bytes /= 2) {
        serial->stacks.stack_bytes = bytes;
        if (start(serial))
            return true;
    }
    serial->stacks.stack_bytes = STACK_BYTES_MIN;
    return start(serial);
}

/* The slave opens its trail later, when the program may have gone to another folder. */
static bool copy_settings(struct mwi_serial *serial, const struct mwi_serial_settings *settings)
{
    const char *pattern = settings->slave.audit.pattern;
    serial->settings = settings->slave;
    serial->settings.place.environment = &serial->back;
    serial->member_id = strdup(settings->slave.audit.member_id);
    serial->pattern = pattern == NULL ? NULL : mwi_file_pattern_absolute(pattern);
    serial->settings.audit.member_id = serial->member_id;
    serial->settings.audit.pattern = serial->pattern;
    serial->argc = settings->argc;
    serial->argv = settings->argv;
    serial->argv_copy = calloc((size_t)settings->argc + 1, sizeof *serial->argv_copy);
    return serial->member_id != NULL && (pattern == NULL || serial->pattern != NULL) &&
           serial->argv_copy != NULL;
}

mw_error mwi_serial_create(struct mwi_serial **serial, const mw_program *program,
                           const struct mwi_serial_settings *settings, struct mwi_loop *loop,
                           mw_reason *why)
{
    struct mwi_serial *created = calloc(1, sizeof *created);
    if (created != NULL) {
        created->program = program;
        created->loop = loop;
        mwi_turns_init(&created->front, &created->back, created);
        created->front.give_way = resume_slave;
        created->back.give_way = resume_master;
    }
    if (created == NULL || !copy_settings(created, settings) || !start_first(created)) {
        mwi_serial_destroy(created);
        snprintf(why->text, sizeof why->text, "out of memory for a slave in this process");
        return MW_ENOMEM;
    }
    mwi_chores_add(mwi_loop_chores(loop), &(struct mwi_chore_entry){.context = created,
                                                                    .tend = tend,
                                                                    .deadline = deadline,
                                                                    .stop = stop,
                                                                    .close = let_end});
    *serial = created;
    return MW_OK;
}

void mwi_serial_destroy(struct mwi_serial *serial)
{
    if (serial == NULL)
        return;
    assert(serial->coroutine == NULL);
    mwi_coroutine_pool_fini(&serial->stacks);
    free(serial->argv_copy);
    free(serial->pattern);
    free(serial->member_id);
    free(serial);
}

void *mwi_serial_environment(struct mwi_serial *serial)
{
    return &serial->front;
}

void mwi_serial_lost(struct mwi_serial *serial, bool was_useful)
{
    serial->was_useful = was_useful;
}

void mwi_serial_stop(struct mwi_serial *serial)
{
    serial->is_stopped = true;
}

bool mwi_serial_is_exhausted(const struct mwi_serial *serial, mw_reason *why)
{
    if (serial->is_given_up)
        snprintf(why->text, sizeof why->text,
                 "the slave in this process ended %d times in a row before it did a task; the "
                 "last: %.300s",
                 MWI_LOCAL_REPLACEMENTS_MAX + 1, serial->last_end.text);
    return serial->is_given_up;
}

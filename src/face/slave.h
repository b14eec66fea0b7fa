/* SPDX-License-Identifier: Apache-2.0
 *
 * The slave as its user holds it: an engine, a loop and the call that runs. slave.c has the loops,
 * slave_open.c how it finds its master, call.c what a task algorithm calls.
 */
#ifndef MWI_SLAVE_H
#define MWI_SLAVE_H

#include "engine/slave_engine.h"
#include "loop/loop.h"
#include "options/role.h"
#include "record/trail.h"
#include "wire/values.h"

/* What a task algorithm has left so far. */
enum mwi_call_result {
    MWI_CALL_NOTHING,
    MWI_CALL_VALUES, /* open: more may be packed */
    MWI_CALL_BYTES,
    MWI_CALL_FAILURE
};

struct mw_call {
    mw_slave *slave;
    struct mwi_slave_task *task;
    enum mwi_call_result result;
    bool has_values; /* the arguments were read into slave->values, or strings made there */
    bool is_loaded;
    bool has_packer; /* msgpack of the user's own may be in the values */
    size_t opened;   /* of open values, see mwi_message_open_values */
    size_t end;      /* of bytes or a failure, in the message of results */
    msgpack_packer packer;
};

struct mw_slave {
    const mw_program *program;
    void *user;
    char *member_id;
    struct mwi_slave_engine engine;
    struct mwi_audit_file *trail;
    struct mwi_loop *loop;
    struct mwi_values values; /* the arguments of the task that runs */
    bool has_signals;
    bool is_running; /* a task algorithm */
    bool has_left;   /* the slave algorithm returned while the master was there */
    int64_t last_turn_ns;
    mw_error broken;
    mw_reason error;
    char id[24];
};

/* mw_slave_open for a process of which more is known. */
mw_error mwi_slave_open(mw_slave **slave, const mw_program *program, mw_options *options,
                        struct mwi_launch *launch) MW_USE_RESULT;

/* Runs a task to its end; now_ns is when it begins, and becomes when it has ended. */
void mwi_call_run(mw_slave *slave, struct mwi_slave_task *task, int64_t *now_ns);

/* Keeps the sentence of an error and returns the error. */
mw_error mwi_slave_fail(mw_slave *slave, mw_error error, const char *format, ...) MW_PRINTF(3, 4);

/* Whether the slave can go on: MW_OK, MW_EGONE, MW_EREFUSED, MW_EINTERRUPTED or what broke it. */
mw_error mwi_slave_check(mw_slave *slave);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * The slave as its user holds it: an engine and a loop. slave.c has the loops that run tasks,
 * slave_open.c the search for the master.
 */
#ifndef MWI_SLAVE_H
#define MWI_SLAVE_H

#include "engine/slave_engine.h"
#include "loop/loop.h"
#include "options/role.h"
#include "record/trail.h"
#include "wire/values.h"

struct mw_slave {
    const mw_program *program;
    void *user;
    char *member_id;
    struct mwi_slave_engine engine;
    struct mwi_greeting_origin origin; /* the engine tells the master */
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

/* Keeps the sentence of an error and returns the error. */
mw_error mwi_slave_fail(mw_slave *slave, mw_error error, const char *format, ...) MW_PRINTF(3, 4);

/* Whether the slave can go on: MW_OK, MW_EGONE, MW_EREFUSED, MW_EINTERRUPTED or what broke it. */
mw_error mwi_slave_check(mw_slave *slave);

#endif

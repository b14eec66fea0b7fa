/* SPDX-License-Identifier: Apache-2.0
 *
 * The slave as its user holds it: an engine and a loop. slave_loop.c has the functions that
 * wait for tasks and run them, slave_open.c opens and closes it, slave_search.c finds its master,
 * slave_return.c finds it again.
 */
#ifndef MWI_SLAVE_H
#define MWI_SLAVE_H

#include "base/fork_guard.h"
#include "engine/relay.h"
#include "engine/slave_engine.h"
#include "face/trust.h"
#include "loop/loop.h"
#include "options/settings.h"
#include "wire/values.h"

struct mw_slave {
    const mw_program *program;
    void *user;
    char member_id[MWI_MEMBER_ID_BYTES_MAX + 1]; /* that it greeted with last; "" at first */
    struct mwi_slave_engine engine;
    struct mwi_relay *relay;           /* isolated: it is stepped in place of the engine; or NULL */
    struct mwi_relay_page *page;       /* in the process that runs an isolated slave's tasks; or
                                          NULL */
    struct mwi_greeting_origin origin; /* where it runs; the engine tells the master */
    struct mwi_audit_file *trail;
    struct mwi_loop *loop;
    struct mwi_trust trust; /* of the transport tcp, on the network */
    struct mwi_slave_search *search;
    bool is_searching; /* for a master in place of the one that was lost */
    struct mwi_fork_guard guard;
    struct mwi_values values; /* of the task that runs: its arguments */
    bool has_signals;         /* signals of the process ask this slave to end */
    bool is_running;          /* a task algorithm runs, which the guard reads */
    volatile bool is_outside; /* no call of the loop runs: a signal handler may send `farewell` */
    void *volatile farewell;  /* a message LEAVING; NULL: there is none, or it was sent */
    size_t farewell_size;
    bool has_left;        /* the slave algorithm returned while the master was there */
    int64_t last_turn_ns; /* when the network was last polled */
    mw_error broken;      /* MW_OK, or the error after which the slave cannot go on */
    mw_reason error;      /* the sentence of the last error */
    char id[24];          /* "SLAVE-3"; "" before the welcome */
};

/* Opens a slave, as mw_slave_open, by its settings, which are borrowed for the call; the rest as
 * mwi_master_open. */
mw_error mwi_slave_open(mw_slave **slave, const mw_program *program,
                        const struct mwi_slave_settings *settings, bool has_signals,
                        bool *has_joined, mw_reason *why) MW_USE_RESULT;

/* mw_slave_open for a slave that may be isolated: `page` is what it shares with the processes that
 * run its tasks. NULL: it is not isolated. */
mw_error mwi_slave_open_isolated(mw_slave **slave, const mw_program *program, mw_options *options,
                                 struct mwi_relay_page *page) MW_USE_RESULT;

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * A loop with an engine that a test plays. The engine writes down its steps and leaves the effects
 * that the test tells it to.
 */
#ifndef MWT_LOOP_H
#define MWT_LOOP_H

#include "loop/loop.h"
#include "mwt_fake.h"

struct mwt_loop {
    int64_t clock;
    struct mwt_fake fakes[2];
    struct mwi_audit_file *audit;
    struct mwi_loop *loop;
    struct mwi_effects effects;
    int64_t deadline_ns; /* the engine's; INT64_MAX at first */
    /* The steps except ticks: "up 1 NAME (fake) at 5, frame 1 TEXT, down 1 REASON". A peer of the
     * second transport is written with an apostrophe: "up 1' NAME". */
    char steps[4096];
    size_t ticks_count;
    int64_t last_tick_ns;
    int64_t away_ns;        /* all that ticks have told */
    size_t caught_up_count; /* ticks that said so */
    char lost[256];         /* "lost 1 after 5" */
    /* Called in each step after it was written down; may be NULL. */
    void (*react)(struct mwt_loop *loop, const struct mwi_event *event);
    /* mwi_loop_engine.withhold, with this context; may be NULL. */
    bool (*withhold)(void *context, mw_peer peer, const char *reason);
    void *withhold_context;
};

/* Opens a loop at time 100 with an engine and no transport. The audit trail goes to the file, or
 * nowhere if the file is NULL. Returns false if something fails. */
bool mwt_loop_open(struct mwt_loop *loop, const char *audit_path);
/* The same with another way to wait. */
bool mwt_loop_open_waiting(struct mwt_loop *loop, const char *audit_path, mw_wait wait);
void mwt_loop_close(struct mwt_loop *loop);

/* Adds fakes[index], which must be the next one. Returns false if it fails. */
bool mwt_loop_add(struct mwt_loop *loop, size_t index, const mw_transport_api *api);

/* Leaves the effect of sending this text to the peer. */
void mwt_loop_send(struct mwt_loop *loop, mw_peer peer, const char *text);

/* A peer's number as the engine sees it. */
mw_peer mwt_loop_peer(size_t index, mw_peer peer);

#endif

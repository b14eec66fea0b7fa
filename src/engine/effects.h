/* SPDX-License-Identifier: Apache-2.0
 *
 * Events go into an engine, and effects come out. The loop steps an engine with an event; the
 * engine leaves effects, which the loop carries out before the next step. Engines never read a
 * clock, a socket or a file: all that they know is in the events.
 */
#ifndef MWI_EFFECTS_H
#define MWI_EFFECTS_H

#include <mw/stats.h>
#include <mw/transport.h>

#include "record/audit.h"

enum mwi_event_kind {
    MWI_EVENT_PEER_UP,
    MWI_EVENT_PEER_DOWN,
    MWI_EVENT_FRAME,
    MWI_EVENT_STRANGER, /* somebody was turned away who was no peer */
    MWI_EVENT_TICK      /* time has passed, or the user has submitted something */
};

/* Strings and the frame are borrowed for the step; a step may keep the frame (mwi_block_keep). */
struct mwi_event {
    enum mwi_event_kind kind;
    int64_t now_ns;
    mw_peer peer;
    const char *transport; /* up, stranger: the scheme */
    const char *name;      /* up, stranger */
    const char *reason;    /* down, stranger */
    bool is_process_end;   /* down: see mwi_loop_lose */
    mw_frame *frame;       /* frame */
    /* Tick: for how long nobody looked at the network since the tick before, if that was long; and
     * whether all that had arrived was handed to the engine. */
    int64_t away_ns;
    bool is_caught_up;
};

enum mwi_effect_kind {
    MWI_EFFECT_SEND,  /* frame, size and body: the transport takes them */
    MWI_EFFECT_ADMIT, /* master: the peer is no stranger, see mw_transport_api.admit */
    MWI_EFFECT_DROP,
    MWI_EFFECT_LOST, /* master: the peer is no slave any more; see was_useful and loss */
    MWI_EFFECT_AUDIT
};

struct mwi_effect_entry {
    enum mwi_effect_kind kind;
    mw_peer peer;
    void *frame;
    size_t size;
    bool was_useful; /* lost: the slave has returned a result, or died in a task */
    mw_loss loss;    /* lost: why */
    mw_body body;    /* all zero: none */
    struct mwi_audit_record record;
};

/* The effects of a step, in order. */
struct mwi_effects {
    struct mwi_effect_entry *items;
    size_t count;
    size_t capacity;
    uint64_t audited_kinds; /* the kinds of audit records that are wanted: 1 << kind; set by the
                               owner */
    mw_error error;         /* why the engine cannot go on, MW_OK if it can; see mwi_effects_fail */
};

void mwi_effects_init(struct mwi_effects *effects);

/* Frees, with the frames that were not taken. */
void mwi_effects_fini(struct mwi_effects *effects);

/* The engine cannot go on: memory did not suffice for an effect, or for a change of state. The
 * first error stays, and the engine's step returns it from then on. */
void mwi_effects_fail(struct mwi_effects *effects, mw_error error);

/* Takes the frame, which may be NULL after a failed allocation: that is remembered as a failure. */
void mwi_effects_send(struct mwi_effects *effects, mw_peer peer, void *frame, size_t size);

/* The same with a body, which is taken too; *body is copied. */
void mwi_effects_send_body(struct mwi_effects *effects, mw_peer peer, void *frame, size_t size,
                           const mw_body *body);
void mwi_effects_admit(struct mwi_effects *effects, mw_peer peer);
void mwi_effects_drop(struct mwi_effects *effects, mw_peer peer);
void mwi_effects_lost(struct mwi_effects *effects, mw_peer peer, bool was_useful, mw_loss loss);

/* Whether somebody wants audit records of this kind. */
static inline bool mwi_effects_wants(const struct mwi_effects *effects, enum mwi_audit_kind kind)
{
    return (effects->audited_kinds >> kind & 1) != 0;
}

/* The kind of a record whose fields begin with `.kind = ...`. Other fields are not evaluated. */
#define MWI_EFFECTS_KIND(first, ...) (((const struct mwi_audit_record){first}).kind)

/* Copies the record, if its kind is wanted; its strings are borrowed until the effects are carried
 * out. */
void mwi_effects_audit(struct mwi_effects *effects, const struct mwi_audit_record *record);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * The place where a test carries out the effects of an engine. It keeps what was sent, dropped and
 * audited until the test clears it. Everything is copied when it is taken, because a loop would
 * use it up.
 */
#ifndef MWT_OUTBOX_H
#define MWT_OUTBOX_H

#include "engine/effects.h"
#include "wire/message.h"

#define MWT_FRAMES_MAX 512

struct mwt_sent {
    mw_peer peer;
    unsigned char *data;
    size_t size;
};

struct mwt_outbox {
    struct mwt_sent frames[MWT_FRAMES_MAX];
    size_t frames_count;
    char trail[16384]; /* the audit records as lines, without the time: "SLAVE-0 -> :idle\n" */
    char events[1024]; /* other effects, in order: "send 1, drop 1, lost 1 after 0" */
    struct mwi_decoder decoder;
    struct mwi_message message; /* of mwt_outbox_decode */
    char text[4096];            /* of mwt_outbox_tasks */
    bool has_overflowed;        /* a text did not fit */
};

/* Returns false out of memory. */
bool mwt_outbox_init(struct mwt_outbox *outbox);
void mwt_outbox_fini(struct mwt_outbox *outbox);

/* Takes all effects, so that the engine has none left. */
void mwt_outbox_take(struct mwt_outbox *outbox, struct mwi_effects *effects);

/* Forgets everything that was taken. */
void mwt_outbox_clear(struct mwt_outbox *outbox);

/* Decodes the last frame that was sent to the peer. Returns NULL if there is none or it is no
 * message. The message is valid until the next call. */
const struct mwi_message *mwt_outbox_decode(struct mwt_outbox *outbox, mw_peer peer);

/* The kind of the last message to the peer, 0 if there is none. */
int mwt_outbox_kind(struct mwt_outbox *outbox, mw_peer peer);

/* The payloads of all tasks that were sent to the peer: "a b|c" for a message of two and then one
 * of one. */
const char *mwt_outbox_tasks(struct mwt_outbox *outbox, mw_peer peer);

/* Finds the id of the task with that payload, in the last message that has it. Returns false, and
 * id 0, if no message has it. */
bool mwt_outbox_task_id(struct mwt_outbox *outbox, const char *payload, uint64_t *id);

/* Whether a text of a message equals the string. */
bool mwt_text_is(struct mwi_text text, const char *expected);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * The first exchange of a slave and its master, both sides of it. The slave says who it is (HELLO);
 * the master welcomes it or refuses it. The functions here read and write the messages and decide;
 * the engines send the answers and act on the verdict.
 *
 * A side keeps a stage, and calls its function for each message until the verdict is not MORE.
 * Today one message of either side suffices, so MORE is never the verdict yet.
 */
#ifndef MWI_GREETING_H
#define MWI_GREETING_H

#include "record/state.h"
#include "wire/message.h"

enum mwi_greeting_verdict {
    MWI_GREETING_MORE,    /* the greeting goes on: send the answer, if it is not empty */
    MWI_GREETING_DONE,    /* master: send the answer; slave: the message is the WELCOME */
    MWI_GREETING_REFUSED, /* master: send the answer; *why is for the trail alone; slave: *why is
                             the master's */
    MWI_GREETING_BROKEN   /* the other side broke the protocol, as *why says: part without a word */
};

/* All that most clients hear that are refused: they may be strangers. */
#define MWI_GREETING_REFUSAL "refused"

/* Where a slave runs. NUL-terminated; printable when it comes from a greeting, where a text that
 * must be escaped may be cut. */
struct mwi_greeting_origin {
    char host[MWI_MESSAGE_HOST_BYTES_MAX + 1];       /* its name; "" if unknown */
    char boot_id[MWI_MESSAGE_BOOT_ID_BYTES_MAX + 1]; /* differs for each boot; "" if unknown */
    uint32_t pid;                                    /* 0 if unknown */
};

/* The description of a slave in its HELLO. Borrowed for the call. */
struct mwi_greeting_self {
    const char *member_id;
    size_t frame_bytes_max;
    const struct mwi_greeting_origin *origin; /* NULL: unknown */
    uint32_t traits;                          /* bits of enum mwi_message_trait */
    size_t offers_count;                      /* results that it has kept, if it may return */
};

/* The slave's side: says HELLO by writing it to an empty buffer, and sets *stage. */
void mwi_greeting_begin(enum mwi_greeting_stage *stage, const struct mwi_greeting_self *self,
                        struct mwi_buffer *hello);

/* The slave's side: takes a message of the master. `answer` is empty, and is filled if the slave
 * must say something more. *why is set if the verdict is REFUSED or BROKEN. */
enum mwi_greeting_verdict mwi_greeting_take_answer(enum mwi_greeting_stage *stage,
                                                   const struct mwi_message *message,
                                                   struct mwi_buffer *answer, mw_reason *why);

/* The master's requirements, and its part of the WELCOME. Borrowed for the call. */
struct mwi_greeting_terms {
    const char *member_id;
    const mw_algorithm *algorithms; /* ended by a NULL name */
    uint32_t sid;                   /* the number that the slave gets if it is welcome */
    uint64_t run;
    uint32_t result_group;
    size_t frame_read_bytes_max;
    size_t frame_write_bytes_max;
};

/* A welcome slave, as it described itself. */
struct mwi_greeting_guest {
    size_t frame_bytes_max; /* the largest message that it accepts */
    bool is_isolated;
    struct mwi_greeting_origin origin;
    bool may_return;
    uint32_t offers_count; /* results that it has kept */
};

/* The master's side: takes a message of a client that has not been welcomed, or a HELLO of one that
 * has. `answer` is empty, and is filled unless the verdict is BROKEN. *guest is set if the verdict
 * is DONE, *why if it is REFUSED or BROKEN. */
enum mwi_greeting_verdict mwi_greeting_take_client(enum mwi_greeting_stage *stage,
                                                   const struct mwi_greeting_terms *terms,
                                                   const struct mwi_message *message,
                                                   struct mwi_greeting_guest *guest,
                                                   struct mwi_buffer *answer, mw_reason *why);

/* The master's side: writes to an empty buffer that the slave is refused, for a reason that shows
 * after the greeting was done. */
void mwi_greeting_refuse(struct mwi_buffer *answer);

#endif

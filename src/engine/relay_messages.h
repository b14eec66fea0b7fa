/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages that a relay makes itself: a child gets tasks as if they came from a master. All are
 * left as effects; out of memory, the effects fail.
 */
#ifndef MWI_RELAY_MESSAGES_H
#define MWI_RELAY_MESSAGES_H

#include "engine/slave_engine.h"

/* Sends a message without fields. */
void mwi_relay_messages_send_bare(struct mwi_effects *effects, mw_peer peer,
                                  enum mwi_message_kind kind);

/* Sends those tasks of a message in the slave's queue that were not returned, behind the bytes that
 * an attempt before has saved. Borrows the message; a large payload is sent from where it lies. */
void mwi_relay_messages_send_tasks(struct mwi_effects *effects, mw_peer peer,
                                   const struct mwi_task_queue_message *message);

/* Sends a frame of a master as it came. */
void mwi_relay_messages_send_copy(struct mwi_effects *effects, mw_peer peer,
                                  const struct mwi_buffer *frame);

/* Says that the slave will leave, since a signal asked it to. */
void mwi_relay_messages_send_leaving(struct mwi_effects *effects, mw_peer peer);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits the lines of the audit trail about strangers: about peers that a transport has turned away
 * before they were clients, and about clients that have not greeted. All of them together get some
 * MWI_STRANGERS_LINES_MAX lines a second. Then the lines are left out, and when the second is over
 * one line says how many strangers were turned away without one. Lines about slaves are never left
 * out.
 */
#ifndef MWI_STRANGERS_H
#define MWI_STRANGERS_H

#include "engine/master_state.h"

#define MWI_STRANGERS_LINES_MAX 10

/* A client has come. Its line is left out if there were too many; strangers_greeted makes up for
 * it. */
void mwi_strangers_come(struct mwi_master_engine *engine, struct mwi_slave_entry *client);

/* The client has greeted and is a slave from now on. */
void mwi_strangers_greeted(struct mwi_master_engine *engine, struct mwi_slave_entry *client);

/* A client that has not greeted is dropped for this reason, or has gone itself: NULL. Returns
 * whether the trail tells, and so has the end of the connection to tell, too. */
bool mwi_strangers_go(struct mwi_master_engine *engine, struct mwi_slave_entry *client,
                      const char *reason);

/* Somebody who was no client was turned away (MWI_EVENT_STRANGER). */
void mwi_strangers_turned_away(struct mwi_master_engine *engine, const struct mwi_event *event);

/* The second is over, or the farm ends: tells how many were left out. */
void mwi_strangers_sum_up(struct mwi_master_engine *engine);

#endif

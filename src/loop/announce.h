/* SPDX-License-Identifier: Apache-2.0
 *
 * A master's resource file: what it says, and when it is written again.
 */
#ifndef MWI_ANNOUNCE_H
#define MWI_ANNOUNCE_H

#include "loop/loop.h"
#include "options/settings.h"
#include "record/resource.h"

struct mwi_announce;

/* Prepares the resource file that the settings name; *announce is NULL if they name none. The
 * settings are copied. `transport` is borrowed until close. `bound` is copied: "HOST:PORT", or ""
 * if the transport has no address. MW_ENOMEM. */
mw_error mwi_announce_open(struct mwi_announce **announce,
                           const struct mwi_announce_settings *settings, const char *transport,
                           const char *bound);

/* How many slaves the farm needs now; the file is written again soon after that changes. NULL is
 * legal. */
void mwi_announce_need(struct mwi_announce *announce, size_t slaves_needed);

/* Writes the file. Errors: those of mwi_resource_file_write. NULL is legal. */
mw_error mwi_announce_write(struct mwi_announce *announce, struct mwi_loop *loop,
                            enum mwi_computation_status status, mw_reason *why);

/* Writes the file for the last time, unless it never was written, or another master has written it
 * since; a failure is audited. NULL is legal. */
void mwi_announce_end(struct mwi_announce *announce, struct mwi_loop *loop,
                      enum mwi_computation_status status);

/* Writes it again if that is due; a failure is audited, and tried again an interval later. */
void mwi_announce_tend(struct mwi_announce *announce, struct mwi_loop *loop);

/* When it wants to be tended at the latest. */
int64_t mwi_announce_deadline(const struct mwi_announce *announce);

void mwi_announce_close(struct mwi_announce *announce);

#endif

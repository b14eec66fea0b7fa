/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes a master's resource file, at the start, at each interval and at the end. Slaves find the
 * master by it, and batch systems read it to start slaves. This is a chore of the loop (chores.h).
 */
#ifndef MWI_ANNOUNCE_H
#define MWI_ANNOUNCE_H

#include "loop/executable.h"
#include "loop/loop.h"
#include "options/settings.h"
#include "record/keyring.h"
#include "record/resource.h"

struct mwi_announce;

/* Prepares the resource file that the settings name, at *announce, and adds it to the chores of
 * `loop`, which owns it from now on. *announce is NULL if the settings name no file. The settings
 * are copied; where the file is written is settled now, see mwi_resource_file_locate. The
 * executable and `transport` are borrowed until close. `bound` is copied: "HOST:PORT", or "" if the
 * transport has no address. `keyring`, with the farm's key, is borrowed until close; NULL if
 * connections to this master are not encrypted. Errors, with a sentence: those of
 * mwi_resource_file_locate. */
mw_error mwi_announce_open(struct mwi_announce **announce, struct mwi_loop *loop,
                           const struct mwi_announce_settings *settings,
                           const struct mwi_executable *executable, const char *transport,
                           const char *bound, struct mwi_keyring *keyring,
                           mw_reason *why) MW_USE_RESULT;

/* Writes the file for the first time, and tells the audit trail if a group may replace it. From now
 * on it is written again at each interval; a failure of that is audited, and tried again an
 * interval later. When the farm ends, or opening it fails, it is written for the last time, with
 * how the farm ended: "failed" at mwi_chores_stop, "finished" at mwi_chores_close; but not if
 * another master has written it since. Errors: those of mwi_resource_file_write. NULL is legal. */
mw_error mwi_announce_start(struct mwi_announce *announce, mw_reason *why);

/* Writes that the farm has failed, unless an end is written already. `announce` is a struct
 * mwi_announce that was started. Safe in a signal handler. */
void mwi_announce_fail_now(const void *announce);

/* How many more slaves the farm could use now; the file is written again within a second after that
 * changes. NULL is legal. */
void mwi_announce_need(struct mwi_announce *announce, size_t slaves_needed);

#endif

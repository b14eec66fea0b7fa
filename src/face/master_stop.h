/* SPDX-License-Identifier: Apache-2.0
 *
 * How a farm stops before its work is done: because a signal asked for it, or the program did. No
 * task is sent any more, and those that run are waited for.
 */
#ifndef MWI_MASTER_STOP_H
#define MWI_MASTER_STOP_H

#include "face/master.h"

/* Notices a signal, which begins the stop. Returns MW_OK if the farm does not stop, or has
 * something to wait for or to hand out before it ends; else MW_EINTERRUPTED with a sentence in
 * master->error. */
mw_error mwi_master_stop_check(mw_master *master);

/* When nothing is waited for any more, INT64_MIN if that is now; INT64_MAX if the farm does not
 * stop. */
int64_t mwi_master_stop_deadline(const mw_master *master);

/* Whether slaves that may return are left, so that they look for the next master: SIGTERM has asked
 * the master to end, once, and the next one will go on with the journal. */
bool mwi_master_stop_keeps_slaves(const mw_master *master);

/* Whether a second SIGTERM has come in a farm where the first one keeps the slaves. It sends them
 * home, and their tasks are not waited for. */
bool mwi_master_stop_is_repeated(const mw_master *master);

/* How long a close may wait for the slaves to end. */
int64_t mwi_master_stop_patience(const mw_master *master);

/* Whether a signal has come that nobody has heard, which makes a close wait no longer. */
bool mwi_master_stop_is_urgent(const mw_master *master);

/* Records a signal that has come in the trail, unless it has been recorded. */
void mwi_master_stop_audit(mw_master *master);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * The promises that every farm must keep, with any faults.
 */
#ifndef MWT_CHECK_H
#define MWT_CHECK_H

#include "farm.h"

/* Checks the account that the master kept, and the audit trail against it. Returns true if all is
 * well. Otherwise prints the fault on standard error, with the seed. */
bool mwt_check_farm(const struct mwt_farm *farm);

/* The same for a farm that was stopped: every task was handed out once at most, with its own value,
 * or is left. No task was given up that no slave had lost, and the stop took no longer than it may.
 */
bool mwt_check_stopped(const struct mwt_farm *farm);

#endif

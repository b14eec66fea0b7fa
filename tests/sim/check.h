/* SPDX-License-Identifier: Apache-2.0
 *
 * The promises that every farm must keep, with any faults.
 */
#ifndef MWT_CHECK_H
#define MWT_CHECK_H

#include "farm.h"

/* Checks the account that the master kept, and the audit trail against it. Says what is wrong on
 * standard error, with the seed; true if all is well. */
bool mwt_check_farm(const struct mwt_farm *farm);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Why a slave cannot go on.
 */
#ifndef MWI_SLAVE_ERROR_H
#define MWI_SLAVE_ERROR_H

#include "face/slave.h"

/* Keeps the sentence of an error in slave->error and returns the error. */
mw_error mwi_slave_error_set(mw_slave *slave, mw_error error, const char *format, ...)
    MW_PRINTF(3, 4);

/* Returns MW_OK if the slave can go on, else why not, with the sentence in slave->error: MW_EGONE,
 * MW_EREFUSED, MW_EINTERRUPTED, or the error in slave->broken. */
mw_error mwi_slave_error_check(mw_slave *slave);

#endif

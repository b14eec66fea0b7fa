/* SPDX-License-Identifier: Apache-2.0
 *
 * Options that contradict each other.
 */
#ifndef MWI_CHECK_H
#define MWI_CHECK_H

#include "options/options.h"

/* MW_EUSAGE, with a sentence in mw_options_error, if the options contradict each other or lack
 * something; otherwise MW_OK. If the environment and the command line contradict each other in role
 * or transport, the option from the environment is unset, without an error. While there is a
 * communicator, variables of the environment that contradict it are ignored and stay set: the next
 * farm may have no communicator. To be called after the last option is set, before role and
 * settings read the options. */
mw_error mwi_check_options(mw_options *options);

#endif

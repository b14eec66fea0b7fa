/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds options that contradict each other, or lack something. mw_main and the functions that open
 * a master or a slave call this once all options are set.
 */
#ifndef MWI_CHECK_H
#define MWI_CHECK_H

#include "options/options.h"

/* MW_EUSAGE, with a sentence in mw_options_error, if the options contradict each other or lack
 * something; otherwise MW_OK. An option from the environment is unset, without an error, if it
 * contradicts one that was set in the program or on the command line. So is a host or port from the
 * environment to which no slave can connect, if there is a resource file. While there is a
 * communicator, variables of the environment that contradict it are ignored and stay set: the next
 * farm may have no communicator. To be called after the last option is set, before role and
 * settings read the options. */
mw_error mwi_check_options(mw_options *options);

#endif

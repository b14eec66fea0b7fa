/* SPDX-License-Identifier: Apache-2.0
 *
 * A host that connects to the master and misbehaves: garbage, forged results, greetings that lie.
 */
#ifndef MWT_STRANGER_H
#define MWT_STRANGER_H

#include <mw/sim.h>

int mwt_stranger_main(mw_sim_host *host, void *context);

#endif

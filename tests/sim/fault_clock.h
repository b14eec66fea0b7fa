/* SPDX-License-Identifier: Apache-2.0
 *
 * A simulated host whose clock jumps: as mw_sim_transport, but the clock of now() is ahead of the
 * world's by as much as the test says.
 */
#ifndef MWT_FAULT_CLOCK_H
#define MWT_FAULT_CLOCK_H

#include <mw/sim.h>

/* The environment of the transport; borrowed until close. */
struct mwt_fault_clock {
    mw_sim_host *host;
    int64_t ahead_ns; /* may grow at any time */
};

extern const mw_transport_api mwt_fault_clock_transport;

#endif

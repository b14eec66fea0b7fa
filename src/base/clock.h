/* SPDX-License-Identifier: Apache-2.0
 *
 * The clocks of the system, in nanoseconds. Only transports and the layers from loop upwards may
 * read them: the layers below are given the time, so that a simulated world can make it up.
 */
#ifndef MWI_CLOCK_H
#define MWI_CLOCK_H

#include <stdint.h>

/* Never goes back. Its zero is arbitrary, but the same for all processes of a machine. */
int64_t mwi_clock_monotonic_ns(void);

/* Since the beginning of 1970 in UTC. Goes back when somebody sets it back. */
int64_t mwi_clock_wall_ns(void);

#endif

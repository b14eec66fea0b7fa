/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the clocks of the system: the only room of the library that does. The transports call it to
 * stamp events and to wait, and the face calls it once to tell the audit trail the time of the day.
 * A module that is loaded at run time is linked with its own copy of this file, since it needs no
 * symbol of the library; see transports/mpi/CMakeLists.txt.
 */
#include "base/clock.h"

#include <assert.h>
#include <time.h>

#include "base/time.h"

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    int result = clock_gettime(id, &now);
    assert(result == 0);
    return (int64_t)now.tv_sec * MWI_NS_PER_S + now.tv_nsec;
}

int64_t mwi_clock_monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t mwi_clock_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

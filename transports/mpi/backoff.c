/* SPDX-License-Identifier: Apache-2.0
 *
 * The back-off of a waiting poll. A nap is a fraction of the time already waited, so that it makes
 * no wait much longer, up to a nap that costs next to nothing. The first nap comes late enough that
 * two processes which answer each other do not fall into napping for each other, each waiting for
 * the other's nap to end. A large message moves only while both ends look, so naps wait for as long
 * as it takes over a slow network, but not for ever: its other end may be busy computing. README.md
 * has what was measured.
 */
#include "backoff.h"

#define SPIN_NS 50000
#define YIELD_NS 1000000
#define WAIT_PER_NAP 16
#define NAP_MAX_NS 2000000
#define MOVING_NS_PER_BYTE 10

int64_t mwi_mpi_backoff_ns(int64_t idle_ns, size_t moving_bytes)
{
    int64_t moving_ns = MOVING_NS_PER_BYTE * (int64_t)moving_bytes;
    int64_t nap_ns = (idle_ns - moving_ns) / WAIT_PER_NAP;

    if (idle_ns < SPIN_NS)
        return MWI_MPI_BACKOFF_SPIN;
    if (idle_ns < YIELD_NS + moving_ns)
        return MWI_MPI_BACKOFF_YIELD;
    return nap_ns < NAP_MAX_NS ? nap_ns : NAP_MAX_NS;
}

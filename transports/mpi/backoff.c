/* SPDX-License-Identifier: Apache-2.0
 *
 * The back-off of a waiting poll. A nap is a fraction of the time already waited, so that it never
 * makes a wait longer by more than that fraction, up to a nap that costs next to nothing. The
 * figures were measured; README.md has the table.
 */
#include "backoff.h"

#define SPIN_NS 20000
#define YIELD_NS 100000
#define NAP_MIN_NS 50000
#define NAP_MAX_NS 2000000
#define WAIT_PER_NAP 8

int64_t mwi_mpi_backoff_ns(int64_t idle_ns)
{
    int64_t nap_ns = idle_ns / WAIT_PER_NAP;

    if (idle_ns < SPIN_NS)
        return MWI_MPI_BACKOFF_SPIN;
    if (idle_ns < YIELD_NS)
        return MWI_MPI_BACKOFF_YIELD;
    if (nap_ns < NAP_MIN_NS)
        return NAP_MIN_NS;
    return nap_ns < NAP_MAX_NS ? nap_ns : NAP_MAX_NS;
}

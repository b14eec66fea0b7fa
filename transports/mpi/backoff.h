/* SPDX-License-Identifier: Apache-2.0
 *
 * How a process waits for MPI, which has no descriptor to sleep on: it looks again and again, at
 * first without a pause, then giving way to other processes, then after naps that grow.
 */
#ifndef MWI_MPI_BACKOFF_H
#define MWI_MPI_BACKOFF_H

#include <stddef.h>
#include <stdint.h>

/* What mwi_mpi_backoff_ns returns if there is no nap to take. */
#define MWI_MPI_BACKOFF_SPIN 0
#define MWI_MPI_BACKOFF_YIELD (-1)

/* What to do before the next look, nothing having happened for `idle_ns` while `moving_bytes` were
 * on their way out or in: look again at once, give the processor to who wants it, or sleep for the
 * number of nanoseconds returned. */
int64_t mwi_mpi_backoff_ns(int64_t idle_ns, size_t moving_bytes);

#endif

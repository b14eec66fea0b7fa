/* SPDX-License-Identifier: Apache-2.0
 *
 * How to wait without a descriptor to sleep on: look again and again, at first without a pause,
 * then yielding to other processes, then after naps that grow. The mpi module and the loop of a
 * master with several transports each have a copy of this file, so that both wait alike.
 */
#ifndef MWI_BACKOFF_H
#define MWI_BACKOFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mw/transport.h>

/* Returned if there is no nap to take. */
#define MWI_BACKOFF_SPIN 0
#define MWI_BACKOFF_YIELD (-1)

struct mwi_backoff {
    mw_wait wait;
    bool is_active; /* something happened, and no look since then was in vain */
    int64_t quiet_since_ns;
    int64_t crowded_until_ns; /* others want the core, as far as this process knows */
};

void mwi_backoff_init(struct mwi_backoff *backoff, mw_wait wait);

/* Something was sent, or has come, so more may follow soon. */
void mwi_backoff_active(struct mwi_backoff *backoff);

/* A look that ended at `now_ns` was in vain. The first such look begins the quiet, so that only
 * waiting counts, and not the caller's computing before it. */
void mwi_backoff_quiet(struct mwi_backoff *backoff, int64_t now_ns);

/* The process yielded from `began_ns` to `ended_ns`. If that was long, a process that computes
 * shares the core. Yielding again would come back too late again, but a process that slept is let
 * in. So for a while naps replace yielding. */
void mwi_backoff_yielded(struct mwi_backoff *backoff, int64_t began_ns, int64_t ended_ns);

/* The step before the next look: as mwi_backoff_ns, for the present quiet, but with naps in place
 * of yielding as said above. */
int64_t mwi_backoff_next(const struct mwi_backoff *backoff, int64_t now_ns, size_t moving_bytes);

/* The policy itself, for a quiet of `quiet_ns` while `moving_bytes` are on their way out or in.
 * Returns MWI_BACKOFF_SPIN to look again at once, MWI_BACKOFF_YIELD to yield the processor, or the
 * nanoseconds to sleep. */
int64_t mwi_backoff_ns(mw_wait wait, int64_t quiet_ns, size_t moving_bytes);

#endif

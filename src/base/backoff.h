/* SPDX-License-Identifier: Apache-2.0
 *
 * How to wait for what cannot be slept on: look again and again, at first without a pause, then
 * giving way to other processes, then after naps that grow. The mpi module and the loop of a master
 * with several transports each have a copy of this file, so that both wait alike.
 */
#ifndef MWI_BACKOFF_H
#define MWI_BACKOFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mw/transport.h>

/* What is returned if there is no nap to take. */
#define MWI_BACKOFF_SPIN 0
#define MWI_BACKOFF_YIELD (-1)

struct mwi_backoff {
    mw_wait wait;
    bool is_active; /* something happened, and no look since was in vain */
    int64_t quiet_since_ns;
    int64_t crowded_until_ns; /* others want the core, as far as is known */
};

void mwi_backoff_init(struct mwi_backoff *backoff, mw_wait wait);

/* Something was sent, or has come: what follows may be near. */
void mwi_backoff_active(struct mwi_backoff *backoff);

/* Nothing came of a look that ended at `now_ns`: if it is the first one, the quiet begins. So only
 * waiting counts, not what the caller computes before it. */
void mwi_backoff_quiet(struct mwi_backoff *backoff, int64_t now_ns);

/* Gave way from `began_ns` to `ended_ns`. If that was long, the core is shared with something that
 * computes: to give way again would be to come too late again, where who has slept is let in. So
 * for a while there are naps in place of it. */
void mwi_backoff_yielded(struct mwi_backoff *backoff, int64_t began_ns, int64_t ended_ns);

/* What to do before the next look: as mwi_backoff_ns, for the quiet so far, but see above. */
int64_t mwi_backoff_next(const struct mwi_backoff *backoff, int64_t now_ns, size_t moving_bytes);

/* The policy itself, for a quiet of `quiet_ns` while `moving_bytes` are on their way out or in:
 * MWI_BACKOFF_SPIN to look again at once, MWI_BACKOFF_YIELD to give the processor to who wants it,
 * or for how many nanoseconds to sleep. */
int64_t mwi_backoff_ns(mw_wait wait, int64_t quiet_ns, size_t moving_bytes);

#endif

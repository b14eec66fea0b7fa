/* SPDX-License-Identifier: Apache-2.0
 *
 * Decides how long the next pause of a wait is. mpi.c and loop.c ask it after each look that found
 * nothing.
 *
 * Invariants: a nap is a fraction of the time already waited, up to NAP_MAX_NS, so no nap makes a
 * wait much longer. By default the first nap comes late enough that two processes which answer each
 * other do not start to nap for each other, each waiting for the end of the other's nap.
 *
 * A large message over MPI moves only while both ends look. So there are no naps, or short ones,
 * for the time that the message takes over a slow network. After that time naps return, since the
 * other end may be busy computing. docs/transports.md has the measurements; measure again before
 * you change a constant.
 */
#include "backoff.h"

#include "base/time.h"

#define SPIN_NS 10000
#define YIELD_NS MWI_NS_PER_MS
#define WAIT_PER_NAP 16
#define NAP_MIN_NS 50000
#define NAP_MAX_NS 4000000
/* A process that yields to others that wait for messages runs again after some microseconds. A
 * process that computes keeps the core for a slice of milliseconds. */
#define CROWDED_NS 200000
#define CROWDED_FOR_NS 50000000
#define CROWDED_NAP_NS 100000
/* This number of bytes on their way needs many looks. */
#define CROWDED_MOVING_BYTES ((size_t)1 << 20)
#define MOVING_NS_PER_BYTE 10
/* More bytes on their way do not count: a larger frame is in parts, whose arrival ends the wait. */
#define MOVING_BYTES_MAX ((size_t)64 << 20)

void mwi_backoff_init(struct mwi_backoff *backoff, mw_wait wait)
{
    *backoff = (struct mwi_backoff){.wait = wait, .is_active = true};
}

void mwi_backoff_active(struct mwi_backoff *backoff)
{
    backoff->is_active = true;
}

void mwi_backoff_quiet(struct mwi_backoff *backoff, int64_t now_ns)
{
    if (backoff->is_active)
        backoff->quiet_since_ns = now_ns;
    backoff->is_active = false;
}

void mwi_backoff_yielded(struct mwi_backoff *backoff, int64_t began_ns, int64_t ended_ns)
{
    if (ended_ns - began_ns > CROWDED_NS)
        backoff->crowded_until_ns = ended_ns + CROWDED_FOR_NS;
}

int64_t mwi_backoff_next(const struct mwi_backoff *backoff, int64_t now_ns, size_t moving_bytes)
{
    int64_t quiet_ns = backoff->is_active ? 0 : now_ns - backoff->quiet_since_ns;
    int64_t next_ns = mwi_backoff_ns(backoff->wait, quiet_ns, moving_bytes);
    bool is_crowded = backoff->wait == MW_WAIT_AUTO && now_ns < backoff->crowded_until_ns;
    if (next_ns == MWI_BACKOFF_YIELD && is_crowded && moving_bytes < CROWDED_MOVING_BYTES)
        return CROWDED_NAP_NS;
    return next_ns;
}

int64_t mwi_backoff_ns(mw_wait wait, int64_t quiet_ns, size_t moving_bytes)
{
    size_t counted_bytes = moving_bytes < MOVING_BYTES_MAX ? moving_bytes : MOVING_BYTES_MAX;
    int64_t moving_ns = MOVING_NS_PER_BYTE * (int64_t)counted_bytes;
    int64_t nap_ns = (quiet_ns - moving_ns) / WAIT_PER_NAP;
    if (wait == MW_WAIT_SPIN || (wait == MW_WAIT_AUTO && quiet_ns < SPIN_NS))
        return MWI_BACKOFF_SPIN;
    if (wait == MW_WAIT_YIELD || (wait == MW_WAIT_AUTO && quiet_ns < YIELD_NS + moving_ns))
        return MWI_BACKOFF_YIELD;
    if (nap_ns < NAP_MIN_NS)
        return NAP_MIN_NS;
    return nap_ns < NAP_MAX_NS ? nap_ns : NAP_MAX_NS;
}

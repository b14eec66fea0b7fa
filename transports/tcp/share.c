/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps account of the time that strangers take. porch.c spends it and makes the pauses.
 *
 * The account is one moment. Time that is spent moves it on by PARTS times as much, and while it
 * lies further ahead than a burst moves it, strangers pause. So in any time T they have at most
 * T / PARTS and one burst.
 */
#include "share.h"

#define AHEAD_MAX_NS (MWI_TCP_SHARE_PARTS * MWI_TCP_SHARE_BURST_NS)
/* Each pause is made longer, so that this much can be spent after it: pauses cost system calls. */
#define AFTER_PAUSE_NS INT64_C(500000)

void mwi_tcp_share_spend(struct mwi_tcp_share *share, int64_t now_ns, int64_t spent_ns,
                         bool is_farm_idle)
{
    if (share->paid_ns < now_ns)
        share->paid_ns = now_ns;
    share->paid_ns += MWI_TCP_SHARE_PARTS * spent_ns;
    if (is_farm_idle && share->paid_ns > now_ns + AHEAD_MAX_NS)
        share->paid_ns = now_ns + AHEAD_MAX_NS;
}

void mwi_tcp_share_give_back(struct mwi_tcp_share *share, int64_t spent_ns)
{
    share->paid_ns -= MWI_TCP_SHARE_PARTS * spent_ns;
}

int64_t mwi_tcp_share_pause_ns(const struct mwi_tcp_share *share, int64_t now_ns)
{
    int64_t ahead_ns = share->paid_ns - now_ns;
    if (ahead_ns <= AHEAD_MAX_NS)
        return 0;
    return ahead_ns - AHEAD_MAX_NS + MWI_TCP_SHARE_PARTS * AFTER_PAUSE_NS;
}

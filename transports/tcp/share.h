/* SPDX-License-Identifier: Apache-2.0
 *
 * How much of a busy farm's time may go to strangers: one part in MWI_TCP_SHARE_PARTS, and a little
 * at once. The decision of porch.c, without sockets and clock.
 */
#ifndef MWI_TCP_SHARE_H
#define MWI_TCP_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#define MWI_TCP_SHARE_PARTS 20
/* Strangers who come after a pause have this much at once, so that a few are not kept waiting. */
#define MWI_TCP_SHARE_BURST_NS INT64_C(10000000)

/* All zero: nothing was spent. */
struct mwi_tcp_share {
    int64_t paid_ns; /* when the farm has had its parts of the time, for all that was spent */
};

/* `spent_ns` went to strangers until `now_ns`. `is_farm_idle` says that nobody else wanted the
 * time: then no more is owed than at the end of a burst. */
void mwi_tcp_share_spend(struct mwi_tcp_share *share, int64_t now_ns, int64_t spent_ns,
                         bool is_farm_idle);

/* `spent_ns` of the time went to somebody who has turned out to be no stranger. */
void mwi_tcp_share_give_back(struct mwi_tcp_share *share, int64_t spent_ns);

/* For how long strangers have to wait before they have more time; 0 if they need not. */
int64_t mwi_tcp_share_pause_ns(const struct mwi_tcp_share *share, int64_t now_ns);

#endif

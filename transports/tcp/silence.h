/* SPDX-License-Identifier: Apache-2.0
 *
 * For how long a host has not answered although it should have: the decision of watch.c, without
 * sockets and clock.
 */
#ifndef MWI_TCP_SILENCE_H
#define MWI_TCP_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

/* The time between two looks. */
#define MWI_TCP_SILENCE_LOOK_MS 5000

/* All zero: the host owes no answer. */
struct mwi_tcp_silence {
    uint32_t looks_count; /* in a row that found an answer owed, and none since the first of them */
};

/* Takes note of one look, and returns whether the host is to be given up. `is_owed` says that the
 * kernel has sent something again, or probed the window, and got no answer since; `last_answer_ms`
 * is the time since the last acknowledgement of anything. */
bool mwi_tcp_silence_is_lost(struct mwi_tcp_silence *silence, bool is_owed,
                             uint32_t last_answer_ms);

#endif

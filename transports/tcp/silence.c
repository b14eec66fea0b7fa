/* SPDX-License-Identifier: Apache-2.0
 *
 * Decides whether a host is given up, from one look at its socket after the other. watch.c calls it
 * for each connection.
 *
 * Invariant: the silence begins with the first look that finds an answer owed, or with an answer
 * after that look. The age of the last answer alone says nothing: it may be old because there was
 * no traffic. How long a silence may last is set here; how the kernel is asked, in watch.c.
 */
#include "silence.h"

/* A host that stays silent for this many looks, 45 s, is given up. */
#define LOOKS_MAX 9

bool mwi_tcp_silence_is_lost(struct mwi_tcp_silence *silence, bool is_owed, uint32_t last_answer_ms)
{
    uint32_t looks_since_answer = last_answer_ms / MWI_TCP_SILENCE_LOOK_MS;
    if (!is_owed)
        silence->looks_count = 0;
    else if (looks_since_answer < silence->looks_count)
        silence->looks_count = looks_since_answer;
    if (silence->looks_count >= LOOKS_MAX)
        return true;
    silence->looks_count += is_owed ? 1 : 0;
    return false;
}

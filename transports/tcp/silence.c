/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts the looks at a host that owes an answer. The last answer may be old because there was no
 * traffic, so its age alone says nothing: the silence begins with the first look that finds an
 * answer owed, or with an answer after that look. Called by watch.c for each connection.
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

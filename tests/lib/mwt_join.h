/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames and their bodies as their receivers see them, for tests that play the transport.
 */
#ifndef MWT_JOIN_H
#define MWT_JOIN_H

#include "base/body.h"
#include "engine/effects.h"

/* Joins a sent frame with its body, if it has one, in one block. */
static inline void mwt_join(struct mwi_effect_entry *effect)
{
    if (effect->kind != MWI_EFFECT_SEND || effect->body.release == NULL)
        return;
    effect->frame = mwi_body_join(effect->frame, effect->size, &effect->body);
    if (effect->frame == NULL)
        abort();
    effect->size += effect->body.size;
    effect->body = (mw_body){0};
}

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of effects that a step leaves. The engines append effects; the loop carries them out and
 * empties the list.
 *
 * Invariants: effects are carried out in the order in which they were appended. The first error
 * stays in the list, and every later step returns it. So an engine need not ask after each effect
 * whether memory sufficed.
 *
 * A new kind of effect is an enumerator in effects.h, a function here, and a case in loop.c.
 */
#include "engine/effects.h"

#include <assert.h>
#include <stdlib.h>

#include "base/body.h"

void mwi_effects_init(struct mwi_effects *effects)
{
    *effects = (struct mwi_effects){0};
}

void mwi_effects_fail(struct mwi_effects *effects, mw_error error)
{
    assert(error != MW_OK);
    if (effects->error == MW_OK)
        effects->error = error;
}

void mwi_effects_fini(struct mwi_effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        free(effects->items[i].frame);
        mwi_body_release(&effects->items[i].body);
    }
    free(effects->items);
    mwi_effects_init(effects);
}

static struct mwi_effect_entry *append_effect(struct mwi_effects *effects,
                                              enum mwi_effect_kind kind, mw_peer peer)
{
    if (effects->count == effects->capacity) {
        size_t capacity = effects->capacity == 0 ? 4 : effects->capacity * 2;
        struct mwi_effect_entry *items = realloc(effects->items, capacity * sizeof *items);
        if (items == NULL) {
            mwi_effects_fail(effects, MW_ENOMEM);
            return NULL;
        }
        effects->items = items;
        effects->capacity = capacity;
    }
    struct mwi_effect_entry *effect = &effects->items[effects->count++];
    effect->kind = kind;
    effect->peer = peer;
    effect->frame = NULL;
    effect->size = 0;
    effect->was_useful = false;
    effect->body = (mw_body){0};
    return effect;
}

void mwi_effects_send(struct mwi_effects *effects, mw_peer peer, void *frame, size_t size)
{
    mwi_effects_send_body(effects, peer, frame, size, NULL);
}

void mwi_effects_send_body(struct mwi_effects *effects, mw_peer peer, void *frame, size_t size,
                           const mw_body *body)
{
    struct mwi_effect_entry *effect =
        frame == NULL ? NULL : append_effect(effects, MWI_EFFECT_SEND, peer);
    if (effect == NULL) {
        mwi_effects_fail(effects, MW_ENOMEM);
        free(frame);
        mwi_body_release(body);
        return;
    }
    effect->frame = frame;
    effect->size = size;
    if (body != NULL)
        effect->body = *body;
}

void mwi_effects_admit(struct mwi_effects *effects, mw_peer peer)
{
    append_effect(effects, MWI_EFFECT_ADMIT, peer);
}

void mwi_effects_drop(struct mwi_effects *effects, mw_peer peer)
{
    append_effect(effects, MWI_EFFECT_DROP, peer);
}

void mwi_effects_lost(struct mwi_effects *effects, mw_peer peer, bool was_useful, mw_loss loss)
{
    struct mwi_effect_entry *effect = append_effect(effects, MWI_EFFECT_LOST, peer);
    if (effect == NULL)
        return;
    effect->was_useful = was_useful;
    effect->loss = loss;
}

void mwi_effects_audit(struct mwi_effects *effects, const struct mwi_audit_record *record)
{
    if (!mwi_effects_wants(effects, record->kind))
        return;
    struct mwi_effect_entry *effect = append_effect(effects, MWI_EFFECT_AUDIT, 0);
    if (effect != NULL)
        effect->record = *record;
}

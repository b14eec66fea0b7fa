/* SPDX-License-Identifier: Apache-2.0
 *
 * The taking of effects of mwt_outbox.h. It makes no assertion of CUnit, so that programs without
 * CUnit can use it.
 */
#include "mwt_outbox.h"
#include "mwt_items.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mwt_join.h"

bool mwt_outbox_init(struct mwt_outbox *outbox)
{
    memset(outbox, 0, sizeof *outbox);
    return mwi_message_decoder_init(&outbox->decoder);
}

void mwt_outbox_fini(struct mwt_outbox *outbox)
{
    mwt_outbox_clear(outbox);
    mwi_message_decoder_fini(&outbox->decoder);
}

MW_PRINTF(4, 5)
static void add_text(struct mwt_outbox *outbox, char *text, size_t size, const char *format, ...)
{
    size_t length = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    int added = vsnprintf(text + length, size - length, format, arguments);
    va_end(arguments);
    if (added < 0 || (size_t)added >= size - length)
        outbox->has_overflowed = true;
}

static void take_frame(struct mwt_outbox *outbox, struct mwi_effect_entry *effect)
{
    mwt_join(effect);
    if (outbox->frames_count == MWT_FRAMES_MAX) {
        outbox->has_overflowed = true;
        free(effect->frame);
    } else {
        outbox->frames[outbox->frames_count++] =
            (struct mwt_sent){effect->peer, effect->frame, effect->size};
    }
    effect->frame = NULL;
}

static void take_record(struct mwt_outbox *outbox, const struct mwi_audit_record *record)
{
    static const char mark[] = " [A] ";
    char line[MWI_AUDIT_LINE_BYTES];
    if (record->kind == MWI_AUDIT_TASK_ENDED)
        mwi_audit_json(record, record->time_ns, line, sizeof line);
    else
        mwi_audit_text(record, "", line, sizeof line);
    const char *text = strstr(line, mark);
    add_text(outbox, outbox->trail, sizeof outbox->trail, "%s\n",
             text == NULL ? line : text + strlen(mark));
}

static void take_effect(struct mwt_outbox *outbox, struct mwi_effect_entry *effect)
{
    const char *comma = outbox->events[0] == '\0' ? "" : ", ";
    unsigned long long peer = effect->peer;
    switch (effect->kind) {
    case MWI_EFFECT_SEND:
        add_text(outbox, outbox->events, sizeof outbox->events, "%ssend %llu", comma, peer);
        take_frame(outbox, effect);
        break;
    case MWI_EFFECT_DROP:
        add_text(outbox, outbox->events, sizeof outbox->events, "%sdrop %llu", comma, peer);
        break;
    case MWI_EFFECT_ADMIT:
        add_text(outbox, outbox->events, sizeof outbox->events, "%sadmit %llu", comma, peer);
        break;
    case MWI_EFFECT_LOST:
        add_text(outbox, outbox->events, sizeof outbox->events, "%slost %llu after %d", comma, peer,
                 effect->was_useful);
        break;
    case MWI_EFFECT_AUDIT:
        take_record(outbox, &effect->record);
        break;
    }
}

void mwt_outbox_take(struct mwt_outbox *outbox, struct mwi_effects *effects)
{
    for (size_t i = 0; i < effects->count; i++)
        take_effect(outbox, &effects->items[i]);
    effects->count = 0;
}

void mwt_outbox_clear(struct mwt_outbox *outbox)
{
    for (size_t i = 0; i < outbox->frames_count; i++)
        free(outbox->frames[i].data);
    outbox->frames_count = 0;
    outbox->trail[0] = '\0';
    outbox->events[0] = '\0';
}

static const struct mwi_message *decode(struct mwt_outbox *outbox, const struct mwt_sent *sent)
{
    mw_reason why;
    return mwi_message_decode(&outbox->decoder, sent->data, sent->size, &outbox->message, &why) ==
                   MW_OK
               ? &outbox->message
               : NULL;
}

const struct mwi_message *mwt_outbox_decode(struct mwt_outbox *outbox, mw_peer peer)
{
    for (size_t i = outbox->frames_count; i-- > 0;)
        if (outbox->frames[i].peer == peer)
            return decode(outbox, &outbox->frames[i]);
    return NULL;
}

int mwt_outbox_kind(struct mwt_outbox *outbox, mw_peer peer)
{
    const struct mwi_message *message = mwt_outbox_decode(outbox, peer);
    return message == NULL ? 0 : (int)message->kind;
}

static const struct mwi_message *decode_tasks(struct mwt_outbox *outbox,
                                              const struct mwt_sent *sent)
{
    const struct mwi_message *message = decode(outbox, sent);
    return message != NULL && message->kind == MWI_MESSAGE_TASKS ? message : NULL;
}

const char *mwt_outbox_tasks(struct mwt_outbox *outbox, mw_peer peer)
{
    struct mwi_message_item item;
    outbox->text[0] = '\0';
    for (size_t i = 0; i < outbox->frames_count; i++) {
        const struct mwi_message *message = decode_tasks(outbox, &outbox->frames[i]);
        if (message == NULL || outbox->frames[i].peer != peer)
            continue;
        for (size_t j = 0; j < message->group.count; j++) {
            const char *between = outbox->text[0] == '\0' ? "" : j == 0 ? "|" : " ";
            item = mwt_items_at(message, j);
            add_text(outbox, outbox->text, sizeof outbox->text, "%s%.*s", between, (int)item.size,
                     (const char *)item.data);
        }
    }
    return outbox->text;
}

bool mwt_outbox_task_id(struct mwt_outbox *outbox, const char *payload, uint64_t *id)
{
    struct mwi_message_item item;
    *id = 0;
    for (size_t i = outbox->frames_count; i-- > 0;) {
        const struct mwi_message *message = decode_tasks(outbox, &outbox->frames[i]);
        for (size_t j = 0; message != NULL && j < message->group.count; j++) {
            item = mwt_items_at(message, j);
            if (item.size != strlen(payload) || memcmp(item.data, payload, item.size) != 0)
                continue;
            *id = item.id;
            return true;
        }
    }
    return false;
}

bool mwt_text_is(struct mwi_text text, const char *expected)
{
    return text.size == strlen(expected) && memcmp(text.data, expected, text.size) == 0;
}

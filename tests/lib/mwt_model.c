/* SPDX-License-Identifier: Apache-2.0
 *
 * The model of a farm; see mwt_model.h. It knows nothing of how the engine stores tasks, which is
 * the job of mwt_walk.c. It does not use CUnit, so that a failure is told once, with its seed.
 */
#include "mwt_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"

void mwt_model_expect(struct mwt_model *farm, bool is_true, const char *what, const char *file,
                      int line, uint64_t id)
{
    if (is_true || farm->is_wrong)
        return;
    farm->is_wrong = true;
    printf("\n  seed %llu, %s:%d, task or peer %llu: not %s\n", (unsigned long long)farm->seed,
           file, line, (unsigned long long)id, what);
}

static unsigned char byte_of(uint64_t id, size_t index)
{
    return (unsigned char)((id * 7 + index * 3) % 128);
}

void mwt_model_fill(unsigned char *data, uint64_t id, size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[i] = byte_of(id, i);
}

bool mwt_model_is_filled(const unsigned char *data, uint64_t id, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] != byte_of(id, i))
            return false;
    return true;
}

void mwt_model_release(struct mwt_model *farm, size_t index)
{
    struct mwt_model_peer *peer = &farm->peers[index];
    for (size_t i = 0; i < peer->held_count; i++)
        farm->tasks[peer->held[i]].holder = 0;
    peer->held_count = 0;
}

void mwt_model_part(struct mwt_model *farm, size_t index)
{
    mwt_model_release(farm, index);
    farm->peers[index].is_up = false;
}

static void note_task(struct mwt_model *farm, size_t index, const struct mwi_message_item *item)
{
    struct mwt_model_peer *peer = &farm->peers[index];
    const struct mwi_slave_entry *slave = mwi_slaves_find(&farm->engine.slaves, index + 1);
    MWT_EXPECT(farm, item->id > 0 && item->id <= farm->last_id, item->id);
    MWT_EXPECT(farm, slave != NULL && !farm->is_stopping, item->id);
    if (farm->is_wrong)
        return;
    struct mwt_model_task *task = &farm->tasks[item->id];
    MWT_EXPECT(farm, task->fate == MWT_FATE_OPEN && task->holder == 0 && !task->is_cancelled,
               item->id);
    MWT_EXPECT(farm,
               item->size == task->size && mwt_model_is_filled(item->data, item->id, item->size),
               item->id);
    MWT_EXPECT(farm, item->algorithm == task->algorithm, item->id);
    MWT_EXPECT(farm, (item->form == MWI_PAYLOAD_BYTES) == task->is_bytes, item->id);
    MWT_EXPECT(farm, slave->group != MWI_GROUP_ORDERED || task->sid == slave->sid, item->id);
    uint64_t *last = &farm->last_in_order[task->priority];
    if (task->is_in_order && !task->was_sent) {
        MWT_EXPECT(farm, item->id > *last, item->id);
        *last = item->id;
    }
    task->was_sent = true;
    task->holder = (uint16_t)(index + 1);
    peer->held[peer->held_count++] = item->id;
}

void mwt_model_take_message(struct mwt_model *farm, const struct mwi_effect_entry *effect)
{
    struct mwi_message message;
    struct mwi_message_item item;
    mw_reason why;
    size_t index = (size_t)effect->peer - 1;
    MWT_EXPECT(farm,
               mwi_message_decode(&farm->decoder, effect->frame, effect->size, &message, &why) ==
                   MW_OK,
               effect->peer);
    if (farm->is_wrong)
        return;
    if (message.kind == MWI_MESSAGE_RECALL)
        farm->peers[index].is_recalled = true;
    if (message.kind == MWI_MESSAGE_WELCOME)
        farm->peers[index].sid = message.welcome.sid;
    if (message.kind != MWI_MESSAGE_TASKS)
        return;
    struct mwi_message_cursor cursor = {.group = &message.group};
    while (mwi_message_next(&cursor, &item) && !farm->is_wrong)
        note_task(farm, index, &item);
}

void mwt_model_note_result(struct mwt_model *farm, size_t index,
                           const struct mwi_message_item *item)
{
    struct mwt_model_peer *peer = &farm->peers[index];
    struct mwt_model_task *task = &farm->tasks[item->id];
    size_t place = 0;
    while (peer->held[place] != item->id)
        place++;
    peer->held_count--;
    memmove(&peer->held[place], &peer->held[place + 1],
            (peer->held_count - place) * sizeof *peer->held);
    task->holder = 0;
    if (task->is_cancelled)
        return;
    task->fate = MWT_FATE_RETURNED;
    farm->results[farm->results_end++] =
        (struct mwt_model_result){.id = item->id,
                                  .size = item->size,
                                  .duration_max = item->duration_ns,
                                  .sid = peer->sid,
                                  .form = item->form};
}

/* A task that fits no slave ends with this text. */
static bool is_misfit(const struct mwt_model *farm, const struct mwi_finished *item)
{
    const char *text = "the task's ";
    return item->is_failed && item->payload.size > strlen(text) &&
           memcmp(item->payload.data, text, strlen(text)) == 0 &&
           farm->tasks[item->task].size > MWT_MODEL_SMALL_BYTES_MAX &&
           farm->tasks[item->task].fate == MWT_FATE_OPEN;
}

static void check_tag(struct mwt_model *farm, uint64_t id, int64_t tag, struct mwi_tag *bytes)
{
    const struct mwt_model_task *task = &farm->tasks[id];
    MWT_EXPECT(farm, (bytes != NULL) == task->has_tag_bytes, id);
    MWT_EXPECT(farm,
               bytes != NULL ? memcmp(bytes->bytes, &task->tag, sizeof tag) == 0 : tag == task->tag,
               id);
    free(bytes);
}

/* Whether the payload is that of the result, or, if the task failed, that made printable. */
static bool is_as_sent(const struct mwi_finished *item, size_t size)
{
    unsigned char sent[MWT_MODEL_RESULT_BYTES_MAX];
    char shown[4 * sizeof sent + 1];
    if (!item->is_failed)
        return item->payload.size == size &&
               mwt_model_is_filled(item->payload.data, item->task, size);
    mwt_model_fill(sent, item->task, size);
    size_t shown_bytes = mwi_printable_copy(shown, sizeof shown, sent, size);
    return item->payload.size == shown_bytes && memcmp(item->payload.data, shown, shown_bytes) == 0;
}

void mwt_model_check_result(struct mwt_model *farm, const struct mwi_finished *item)
{
    struct mwt_model_task *task = &farm->tasks[item->task];
    MWT_EXPECT(farm, !task->is_cancelled && task->fate != MWT_FATE_ENDED, item->task);
    MWT_EXPECT(farm, item->algorithm == task->algorithm, item->task);
    check_tag(farm, item->task, item->tag, item->has_tag_bytes ? item->tag_bytes : NULL);
    if (is_misfit(farm, item)) {
        task->fate = MWT_FATE_ENDED;
        return;
    }
    MWT_EXPECT(farm, farm->results_begin < farm->results_end, item->task);
    const struct mwt_model_result *result = &farm->results[farm->results_begin++];
    task->fate = MWT_FATE_ENDED;
    MWT_EXPECT(farm, item->task == result->id, item->task);
    MWT_EXPECT(farm, item->sid == result->sid, item->task);
    MWT_EXPECT(farm, item->is_failed == (result->form == MWI_PAYLOAD_FAILED), item->task);
    MWT_EXPECT(farm, item->payload.is_bytes == (result->form == MWI_PAYLOAD_BYTES), item->task);
    MWT_EXPECT(farm, is_as_sent(item, result->size), item->task);
    MWT_EXPECT(farm, item->duration_ns <= result->duration_max, item->task);
}

void mwt_model_take_unrunnable(struct mwt_model *farm)
{
    struct mwi_lifecycle_unrunnable taken;
    if (!mwi_lifecycle_take_unrunnable(&farm->engine, &taken))
        return;
    struct mwt_model_task *task = &farm->tasks[taken.id];
    MWT_EXPECT(farm, task->fate == MWT_FATE_OPEN && !task->is_cancelled, taken.id);
    MWT_EXPECT(farm, task->was_sent || task->sid != MWI_NO_SID, taken.id);
    MWT_EXPECT(farm, taken.payload.size == task->size, taken.id);
    MWT_EXPECT(farm, mwt_model_is_filled(taken.payload.data, taken.id, task->size), taken.id);
    MWT_EXPECT(farm, taken.algorithm == task->algorithm, taken.id);
    check_tag(farm, taken.id, taken.tag, taken.tag_bytes);
    task->fate = MWT_FATE_ENDED;
    if (taken.block != NULL)
        mwi_block_unref(taken.block);
    else
        free(taken.payload.data);
    free(taken.history);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Slaves that hold the key and were taken over, in random farms beside honest slaves: they say
 * anything, proper messages and damaged ones. Here it is foreseen which results must be accepted,
 * and mwt_model.h knows what else must come of it. test_taken_slave.c has chosen cases.
 *
 * MW_TEST_SEED replays a run; MW_TEST_SEEDS says how many runs there are.
 */
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "mwt_hello.h"
#include "mwt_items.h"
#include "mwt_master.h"
#include "mwt_play.h"
#include "mwt_random.h"
#include "mwt_run.h"

#define SEEDS_COUNT 60
#define ROUNDS_COUNT 150
#define FRAME_BYTES_MAX 300

/* Results that were accepted, with their payloads as they are to be handed out. */
struct accepted {
    uint64_t id;
    char *payload;
    size_t size;
    bool is_failed;
};

struct taken_farm {
    struct mwt_model model;
    struct accepted accepted[MWT_MODEL_TASKS_MAX];
    size_t accepted_count, handed_count;
    bool is_taken[MWT_MODEL_PEERS_MAX];
};

static bool holds(const struct mwt_model_peer *peer, uint64_t id)
{
    for (size_t i = 0; i < peer->held_count; i++)
        if (peer->held[i] == id)
            return true;
    return false;
}

/* Notes a result that the engine must accept. */
static void note_accepted(struct taken_farm *farm, size_t index,
                          const struct mwi_message_item *item)
{
    bool is_failed = item->form == MWI_PAYLOAD_FAILED;
    bool is_wanted = !farm->model.tasks[item->id].is_cancelled;
    size_t size = is_failed ? mwi_printable_size(item->data, item->size) : item->size;
    mwt_model_note_result(&farm->model, index, item);
    if (!is_wanted)
        return;
    struct accepted *accepted = &farm->accepted[farm->accepted_count++];
    *accepted = (struct accepted){item->id, malloc(size + 1), size, is_failed};
    if (is_failed)
        mwi_printable_write(accepted->payload, item->data, item->size);
    else if (size > 0)
        memcpy(accepted->payload, item->data, size);
}

/* Says what must come of a frame: results up to the first bad one count, nothing else ends a
 * task. */
static void foresee(struct taken_farm *farm, size_t index, struct mwi_buffer *frame)
{
    struct mwt_model_peer *peer = &farm->model.peers[index];
    struct mwi_message message;
    struct mwi_message_item item;
    mw_reason why;
    if (!peer->is_up || !peer->has_greeted ||
        mwi_message_decode(&farm->model.decoder, frame->data, frame->size, &message, &why) != MW_OK)
        return;
    if (message.kind == MWI_MESSAGE_RETURNED && peer->is_recalled) {
        peer->is_recalled = false;
        mwt_model_release(&farm->model, index);
    }
    if (message.kind == MWI_MESSAGE_GOODBYE)
        mwt_model_part(&farm->model, index);
    if (message.kind != MWI_MESSAGE_RESULTS || message.group.count > peer->held_count)
        return;
    struct mwi_message_cursor cursor = {.group = &message.group};
    while (mwi_message_next(&cursor, &item) && holds(peer, item.id) &&
           mwi_message_is_readable(&item))
        note_accepted(farm, index, &item);
}

static void send_frame(struct taken_farm *farm, size_t index, struct mwi_buffer *frame)
{
    if (frame->size > 0 && farm->model.peers[index].is_up) {
        foresee(farm, index, frame);
        mwt_play_say(&farm->model, index, frame);
    }
    mwi_buffer_fini(frame);
}

static uint64_t some_id(struct taken_farm *farm, size_t index)
{
    const struct mwt_model_peer *peer = &farm->model.peers[index];
    if (peer->held_count > 0 && !mwt_play_one_in(&farm->model, 5))
        return peer->held[mwt_play_below(&farm->model, peer->held_count)];
    return mwt_play_below(&farm->model, farm->model.last_id + 3);
}

/* Results of some tasks, its own for the most part. */
static void write_results(struct taken_farm *farm, size_t index, struct mwi_buffer *frame)
{
    enum { COUNT_MAX = 6, SIZE_MAX_BYTES = 20 };
    unsigned char bytes[SIZE_MAX_BYTES];
    struct mwi_message_item items[COUNT_MAX];
    size_t count = 1 + mwt_play_below(&farm->model, COUNT_MAX);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)mwt_random_next(&farm->model.random);
    for (size_t i = 0; i < count; i++) {
        items[i] = mwt_items_make(some_id(farm, index),
                                  (enum mwi_payload_form)mwt_play_below(&farm->model, 3), bytes,
                                  mwt_play_below(&farm->model, sizeof bytes));
        items[i].duration_ns = mwt_random_next(&farm->model.random);
    }
    mwt_items_results(frame, items, count);
}

/* A proper message of any kind. */
static void write_message(struct taken_farm *farm, size_t index, struct mwi_buffer *frame)
{
    static const enum mwi_message_kind bare[] = {MWI_MESSAGE_SHUTDOWN, MWI_MESSAGE_ATTENTIVE,
                                                 MWI_MESSAGE_PING,     MWI_MESSAGE_PONG,
                                                 MWI_MESSAGE_RECALL,   MWI_MESSAGE_RETURNED};
    static const enum mwi_message_kind reasons[] = {MWI_MESSAGE_REFUSE, MWI_MESSAGE_GOODBYE,
                                                    MWI_MESSAGE_LEAVING, MWI_MESSAGE_LEAVING};
    switch (mwt_play_below(&farm->model, 14)) {
    case 0:
    case 1:
        mwi_message_write_bare(frame, bare[mwt_play_below(&farm->model, 6)]);
        break;
    case 2:
        mwi_message_write_reason(frame, reasons[mwt_play_below(&farm->model, 4)], "\x1b[2J");
        break;
    case 3:
    case 4:
        mwi_message_write_id(frame, MWI_MESSAGE_BEGUN, some_id(farm, index));
        break;
    case 6:
    case 7:
        mwi_message_begin_save(frame, some_id(farm, index));
        mwi_buffer_append(frame, "saved", mwt_play_below(&farm->model, 6));
        break;
    case 5:
        mwt_hello(frame, "farm", 4096);
        break;
    default:
        write_results(farm, index, frame);
        break;
    }
}

/* A taken slave speaks. Some of its messages are damaged. */
static void speak(struct taken_farm *farm, size_t index)
{
    struct mwi_buffer frame;
    mwi_buffer_init(&frame);
    write_message(farm, index, &frame);
    for (size_t i = mwt_play_one_in(&farm->model, 4) ? 1 + mwt_play_below(&farm->model, 3) : 0;
         i > 0; i--)
        frame.data[mwt_play_below(&farm->model, frame.size)] =
            (unsigned char)mwt_random_next(&farm->model.random);
    if (mwt_play_one_in(&farm->model, 20))
        frame.size = mwt_play_below(&farm->model, frame.size + 1);
    send_frame(farm, index, &frame);
}

/* An honest slave returns its first task, if it has one. */
static void work(struct taken_farm *farm, size_t index)
{
    const struct mwt_model_peer *peer = &farm->model.peers[index];
    struct mwi_buffer frame;
    unsigned char data[4];
    if (peer->held_count == 0)
        return;
    uint64_t id = peer->held[0];
    const struct mwi_slave_entry *slave = mwi_slaves_find(&farm->model.engine.slaves, index + 1);
    mwi_buffer_init(&frame);
    if (slave != NULL && !slave->has_started) {
        mwi_message_write_id(&frame, MWI_MESSAGE_BEGUN, id);
        send_frame(farm, index, &frame);
    }
    mwt_model_fill(data, id, sizeof data);
    mwi_buffer_init(&frame);
    mwt_items_result(&frame, id, MWI_PAYLOAD_BYTES, data, sizeof data, 1);
    send_frame(farm, index, &frame);
}

static void hand_out(struct taken_farm *farm)
{
    struct mwi_finished item;
    while (mwi_lifecycle_take_result(&farm->model.engine, &item)) {
        MWT_EXPECT(&farm->model, farm->handed_count < farm->accepted_count, item.task);
        const struct accepted *accepted = &farm->accepted[farm->handed_count++];
        MWT_EXPECT(&farm->model, item.task == accepted->id, item.task);
        MWT_EXPECT(&farm->model, item.is_failed == accepted->is_failed, item.task);
        MWT_EXPECT(&farm->model, item.payload.size == accepted->size, item.task);
        MWT_EXPECT(&farm->model,
                   accepted->size == 0 ||
                       memcmp(item.payload.data, accepted->payload, accepted->size) == 0,
                   item.task);
        farm->model.tasks[item.task].fate = MWT_FATE_ENDED;
        if (item.has_tag_bytes)
            free(item.tag_bytes);
        mwi_block_unref(item.block);
    }
    mwt_model_take_unrunnable(&farm->model);
}

/* New peers are taken or honest. An honest one is never dropped. */
static void come(struct taken_farm *farm)
{
    size_t index = farm->model.peers_count, up_count = 0;
    for (size_t i = 0; i < index; i++)
        up_count += farm->model.peers[i].is_up;
    if (up_count >= 6 || index == MWT_MODEL_PEERS_MAX)
        return;
    farm->is_taken[index] = mwt_play_one_in(&farm->model, 2);
    mwt_play_come(&farm->model, 4096 + FRAME_BYTES_MAX * mwt_play_below(&farm->model, 9));
}

static void happen(struct taken_farm *farm)
{
    struct mwt_model *model = &farm->model;
    size_t index = mwt_play_some_peer(model, false);
    switch (mwt_play_below(model, 10)) {
    case 0:
        come(farm);
        break;
    case 1:
        mwt_play_submit_some(model);
        break;
    case 2:
        mwt_play_tick(model, (int64_t)mwt_play_below(model, MWT_SECOND / 10));
        break;
    case 3:
        hand_out(farm);
        break;
    default:
        if (index == MWT_MODEL_PEERS_MAX)
            break;
        if (farm->is_taken[index])
            speak(farm, index);
        else
            work(farm, index);
        break;
    }
    for (size_t i = 0; i < model->peers_count; i++)
        MWT_EXPECT(model, farm->is_taken[i] || model->peers[i].is_up, i + 1);
}

static bool run_farm(uint64_t seed)
{
    struct taken_farm *farm = calloc(1, sizeof *farm);
    farm->model.seed = farm->model.random.state = seed;
    farm->model.now_ns = MWT_SECOND;
    mwt_play_open(&farm->model);
    for (int i = 0; i < ROUNDS_COUNT && !farm->model.is_wrong; i++)
        happen(farm);
    hand_out(farm);
    MWT_EXPECT(&farm->model, farm->handed_count == farm->accepted_count, farm->handed_count);
    bool is_right = !farm->model.is_wrong;
    for (size_t i = 0; i < farm->accepted_count; i++)
        free(farm->accepted[i].payload);
    mwt_play_close(&farm->model);
    free(farm);
    return is_right;
}

/* Taken slaves say anything: each task ends once, with a result of a slave that had it, and honest
 * slaves stay. */
static void test_random(void)
{
    CU_ASSERT_TRUE(mwt_play_seeds(run_farm, SEEDS_COUNT));
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"random", test_random},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("taken farm", tests);
}

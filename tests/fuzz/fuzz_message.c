/* SPDX-License-Identifier: Apache-2.0
 *
 * A master engine whose slaves say anything. Each byte of the input is an event or part of one:
 * clients that come and go, proper and damaged messages, time, and tasks that are submitted and
 * cancelled.
 *
 * After each event these promises must hold: each task is in one place, no dropped client is sent
 * anything, everything that is sent is a message, and only slaves that have greeted get tasks. A
 * new kind of event is a case in happen().
 */
#include "../lib/mwt_hello.h"
#include "../lib/mwt_items.h"
#include "engine/lifecycle.h"
#include "engine/master_engine.h"
#include "engine/membership.h"
#include "frames.h"

#define PEERS_COUNT 6
#define TASKS_MAX 1000
#define MAX_BYTES 4096
#define RESULTS_MAX 16

struct farm {
    struct mwi_master_engine engine;
    struct mwi_decoder decoder;
    struct mwi_buffer buffer;
    bool is_up[PEERS_COUNT + 1]; /* by peer: the transport knows it */
    size_t submitted_count, finished_count, cancelled_count;
    int64_t now_ns;
};

static const mw_algorithm algorithms[] = {{"alpha", NULL}, {"beta", NULL}, {NULL, NULL}};

static void check_frame(struct farm *farm, const struct mwi_effect_entry *effect)
{
    struct mwi_message message;
    mw_reason why;
    MWT_FUZZ_PROMISE(farm->is_up[effect->peer]);
    MWT_FUZZ_PROMISE(
        mwi_message_decode(&farm->decoder, effect->frame, effect->size, &message, &why) == MW_OK);
    if (message.kind != MWI_MESSAGE_TASKS)
        return;
    const struct mwi_slave_entry *slave = mwi_slaves_find(&farm->engine.slaves, effect->peer);
    MWT_FUZZ_PROMISE(slave == NULL || slave->sid != MWI_NO_SID);
    MWT_FUZZ_PROMISE(slave == NULL || effect->size <= slave->frame_bytes_max);
    MWT_FUZZ_PROMISE(!farm->engine.is_shutting_down || slave == NULL ||
                     slave->state != MWI_SLAVE_IDLE);
}

/* A reason may be a peer's. That of a lost connection is the transport's. */
static void check_record(const struct mwi_audit_record *record)
{
    char line[MWI_AUDIT_LINE_BYTES];
    mwi_audit_text(record, "", line, sizeof line);
    if (record->kind == MWI_AUDIT_SLAVE_GOODBYE || record->kind == MWI_AUDIT_SLAVE_LEAVING ||
        record->kind == MWI_AUDIT_TASK_FAILED || record->kind == MWI_AUDIT_CLIENT_REFUSED)
        MWT_FUZZ_PROMISE(mwt_frames_is_printable(record->reason, strlen(record->reason)));
    if (record->kind == MWI_AUDIT_SLAVE_GREETED)
        MWT_FUZZ_PROMISE(mwt_frames_is_printable(record->host, strlen(record->host)));
}

static void carry_out(struct farm *farm)
{
    struct mwi_effects *effects = &farm->engine.effects;
    MWT_FUZZ_PROMISE(effects->error == MW_OK);
    for (size_t i = 0; i < effects->count; i++) {
        struct mwi_effect_entry *effect = &effects->items[i];
        mwt_join(effect);
        if (effect->kind == MWI_EFFECT_SEND)
            check_frame(farm, effect);
        else if (effect->kind == MWI_EFFECT_DROP)
            farm->is_up[effect->peer] = false;
        else if (effect->kind == MWI_EFFECT_ADMIT)
            MWT_FUZZ_PROMISE(farm->is_up[effect->peer]);
        else if (effect->kind == MWI_EFFECT_AUDIT)
            check_record(&effect->record);
        free(effect->frame);
        effect->frame = NULL;
    }
    effects->count = 0;
}

/* Counts the tasks of all slaves in a state. */
static size_t running_count(const struct farm *farm, enum mwi_slave_state state)
{
    size_t count = 0;
    const struct mwi_list *list = &farm->engine.slaves.lists[state], *link;
    for (link = list->next; link != list; link = link->next) {
        const struct mwi_slave_entry *slave =
            MWI_LIST_ENTRY(link, const struct mwi_slave_entry, link);
        struct mwi_list *task = slave->copies.next;
        size_t own = 0;
        for (; task != &slave->copies; task = task->next)
            own += mwi_copies_of_link(task)->task != NULL ? 1 : mwi_copies_of_link(task)->count;
        MWT_FUZZ_PROMISE(own == slave->load.tasks_count);
        MWT_FUZZ_PROMISE((state == MWI_SLAVE_BUSY) == (own > 0) ||
                         state == MWI_SLAVE_SHUTTING_DOWN);
        count += own;
    }
    return count;
}

static void check_tasks(struct farm *farm)
{
    const size_t *counts = farm->engine.tasks.counts;
    struct mwi_finished item;
    size_t running = 0;
    while (mwi_lifecycle_take_result(&farm->engine, &item)) {
        farm->finished_count++;
        MWT_FUZZ_PROMISE(!item.is_failed ||
                         mwt_frames_is_printable(item.payload.data, item.payload.size));
        mwi_block_unref(item.block);
    }
    for (int state = 0; state < MWI_SLAVE_STATES_COUNT; state++)
        running += running_count(farm, (enum mwi_slave_state)state);
    MWT_FUZZ_PROMISE(running == counts[MWI_TASK_RUNNING] + counts[MWI_TASK_CANCELLED]);
    MWT_FUZZ_PROMISE(farm->submitted_count == counts[MWI_TASK_WAITING] + counts[MWI_TASK_ASIDE] +
                                                  counts[MWI_TASK_RUNNING] +
                                                  counts[MWI_TASK_UNRUNNABLE] +
                                                  farm->finished_count + farm->cancelled_count);
}

static void step(struct farm *farm, struct mwi_event event)
{
    event.now_ns = farm->now_ns;
    mwi_master_engine_step(&farm->engine, &event);
    carry_out(farm);
    check_tasks(farm);
}

static void submit(struct farm *farm, struct mwt_input *input)
{
    uint32_t size = mwt_input_byte(input) * 17u;
    uint8_t policy = mwt_input_byte(input);
    uint64_t id;
    struct mwi_lifecycle_task submission = {
        .algorithm = policy % 2,
        .policy = {.sid = policy % 5 == 0 ? policy % 3 : MWI_NO_SID,
                   .priority = policy % 7,
                   .time_limit_ns = policy % 11 == 0,
                   .max_attempts = (uint8_t)(policy % 4 + 1),
                   .is_retried = policy % 8 != 0,
                   .is_done_anyway = policy % 2 == 0},
        .payload = {calloc(1, size + 1), size, policy % 3 == 0}};
    if (submission.payload.data == NULL || farm->submitted_count == TASKS_MAX) {
        free(submission.payload.data);
        return;
    }
    if (mwi_lifecycle_submit(&farm->engine, &submission, &id) != MW_OK)
        abort();
    farm->submitted_count++;
}

static void send_frame(struct farm *farm, mw_peer peer)
{
    mw_frame frame = mwt_frames_hand_over(&farm->buffer, peer % 2 == 0);
    unsigned char *data = frame.data;
    bool may_be_kept = frame.block != NULL;
    step(farm, (struct mwi_event){.kind = MWI_EVENT_FRAME, .peer = peer, .frame = &frame});
    if (!may_be_kept || frame.block != NULL)
        free(data);
}

/* The slave returns the first tasks that it really has, `most` at most. The last result is of this
 * form, and its payload is `last`. */
static void send_results(struct farm *farm, mw_peer peer, uint8_t form, size_t most, uint8_t last)
{
    const struct mwi_slave_entry *slave = mwi_slaves_find(&farm->engine.slaves, peer);
    struct mwi_message_item items[RESULTS_MAX];
    size_t count = 0;
    if (slave == NULL || mwi_list_is_empty(&slave->copies))
        return;
    for (struct mwi_list *link = slave->copies.next; link != &slave->copies; link = link->next) {
        const struct mwi_copy *copy = mwi_copies_of_link(link);
        for (uint32_t i = 0; i < (copy->task != NULL ? 1 : copy->count) && count < most; i++)
            items[count++] = mwt_items_make(
                copy->task != NULL ? copy->task->id : mwi_batch_id(copy->batch, copy->from + i),
                MWI_PAYLOAD_BYTES, "r", 1);
    }
    items[count - 1].form = form;
    items[count - 1].data = &last;
    mwi_buffer_clear(&farm->buffer);
    mwt_items_results(&farm->buffer, items, count);
    send_frame(farm, peer);
}

static void cancel(struct farm *farm, uint64_t id)
{
    farm->cancelled_count += mwi_lifecycle_cancel(&farm->engine, id) == MW_OK;
    carry_out(farm);
    check_tasks(farm);
}

static void come(struct farm *farm, mw_peer peer, bool shall_greet)
{
    if (farm->is_up[peer])
        return;
    farm->is_up[peer] = true;
    step(farm, (struct mwi_event){
                   .kind = MWI_EVENT_PEER_UP, .peer = peer, .transport = "x", .name = "somebody"});
    if (!shall_greet || !farm->is_up[peer])
        return;
    mwi_buffer_clear(&farm->buffer);
    mwt_hello(&farm->buffer, "farm", peer * 1500);
    send_frame(farm, peer);
}

static void go(struct farm *farm, mw_peer peer)
{
    if (!farm->is_up[peer])
        return;
    farm->is_up[peer] = false;
    step(farm,
         (struct mwi_event){.kind = MWI_EVENT_PEER_DOWN, .peer = peer, .reason = "gone \xff"});
}

/* The transport turns strangers away, more than the trail tells of. */
static void turn_away(struct farm *farm, int count)
{
    for (int i = 0; i < count; i++)
        step(farm, (struct mwi_event){.kind = MWI_EVENT_STRANGER,
                                      .transport = "x",
                                      .name = i % 5 == 4 ? "" : "somebody",
                                      .reason = "no"});
}

static void happen(struct farm *farm, struct mwt_input *input)
{
    uint8_t what = mwt_input_byte(input);
    mw_peer peer = what / 16 % PEERS_COUNT + 1;
    switch (what % 16) {
    case 0:
        go(farm, peer);
        break;
    case 1:
    case 2:
        come(farm, peer, what % 16 == 1);
        break;
    case 3:
        farm->now_ns += (int64_t)mwt_input_byte(input) * 100000000;
        step(farm, (struct mwi_event){.kind = MWI_EVENT_TICK, .is_caught_up = true});
        break;
    case 4:
    case 5:
    case 6:
        submit(farm, input);
        break;
    case 7:
    case 8:
    case 9:
        send_results(farm, peer, (uint8_t)(what % 16 - 7), 1 + mwt_input_byte(input) % RESULTS_MAX,
                     mwt_input_byte(input));
        break;
    case 10:
        if (what == 0xfa)
            mwi_membership_shutdown(&farm->engine, farm->now_ns, 9000000000);
        else if (what == 0x5a)
            mwi_membership_stop(&farm->engine, farm->now_ns);
        else
            turn_away(farm, what / 16);
        carry_out(farm);
        break;
    case 11:
        cancel(farm, mwt_input_byte(input));
        break;
    default:
        mwt_frames_next(input, &farm->buffer);
        if (farm->is_up[peer])
            send_frame(farm, peer);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct mwi_master_engine_config config = {.member_id = "farm",
                                                           .algorithms = algorithms,
                                                           .task_group = 6,
                                                           .result_group = 2,
                                                           .frame_write_bytes_max = MAX_BYTES,
                                                           .frame_read_bytes_max = MAX_BYTES,
                                                           .client_timeout_ns = 5000000000};
    struct farm farm = {.now_ns = 0};
    struct mwt_input input = {data, size};
    if (mwi_master_engine_init(&farm.engine, &config) != MW_OK ||
        !mwi_message_decoder_init(&farm.decoder))
        abort();
    mwi_buffer_init(&farm.buffer);
    farm.engine.effects.audited_kinds = size % 4 == 0 ? 0 : UINT64_MAX;
    while (input.size > 0)
        happen(&farm, &input);
    mwi_buffer_fini(&farm.buffer);
    mwi_message_decoder_fini(&farm.decoder);
    mwi_master_engine_fini(&farm.engine);
    return 0;
}

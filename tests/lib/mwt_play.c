/* SPDX-License-Identifier: Apache-2.0
 *
 * The outside of a farm that is modelled: its peers, its user and its time. Each step of the engine
 * goes through mwt_play_step, after which model and stores are compared. The tests choose what
 * happens next.
 */
#include "mwt_play.h"

#include <stdlib.h>
#include <string.h>

#include "mwt_join.h"
#include "mwt_policy.h"
#include "mwt_walk.h"

bool mwt_play_seeds(bool (*is_right)(uint64_t seed), unsigned long count)
{
    struct mwt_random random;
    const char *given = getenv("MW_TEST_SEEDS");
    unsigned long left = given == NULL ? count : strtoul(given, NULL, 10);
    mwt_random_start(&random);
    uint64_t seed = random.state;
    while (left > 0 && is_right(seed)) {
        seed++;
        left--;
    }
    return left == 0;
}

size_t mwt_play_below(struct mwt_model *farm, size_t limit)
{
    return mwt_random_below(&farm->random, limit);
}

bool mwt_play_one_in(struct mwt_model *farm, size_t count)
{
    return mwt_play_below(farm, count) == 0;
}

void mwt_play_carry_out(struct mwt_model *farm)
{
    struct mwi_effects *effects = &farm->engine.effects;
    for (size_t i = 0; i < effects->count; i++) {
        struct mwi_effect_entry *effect = &effects->items[i];
        mwt_join(effect);
        if (effect->kind == MWI_EFFECT_SEND)
            mwt_model_take_message(farm, effect);
        else if (effect->kind == MWI_EFFECT_DROP)
            mwt_model_part(farm, (size_t)effect->peer - 1);
        free(effect->frame);
        effect->frame = NULL;
    }
    effects->count = 0;
    mwt_walk_check(farm);
}

void mwt_play_step(struct mwt_model *farm, struct mwi_event event)
{
    event.now_ns = farm->now_ns;
    mwi_master_engine_step(&farm->engine, &event);
    mwt_play_carry_out(farm);
}

void mwt_play_tick(struct mwt_model *farm, int64_t after_ns)
{
    farm->now_ns += after_ns;
    mwt_play_step(farm, (struct mwi_event){.kind = MWI_EVENT_TICK, .is_caught_up = true});
}

void mwt_play_say(struct mwt_model *farm, size_t index, struct mwi_buffer *buffer)
{
    mw_frame frame = {.data = buffer->data, .size = buffer->size, .block = buffer->data};
    if (buffer->has_failed)
        abort();
    mwt_play_step(farm, (struct mwi_event){
                            .kind = MWI_EVENT_FRAME, .peer = (mw_peer)index + 1, .frame = &frame});
    free(frame.block);
    mwi_buffer_init(buffer);
}

void mwt_play_come(struct mwt_model *farm, size_t frame_bytes_max)
{
    size_t index = farm->peers_count;
    struct mwi_buffer buffer;
    char host[] = "node0";
    if (index == MWT_MODEL_PEERS_MAX)
        return;
    farm->peers[index] = (struct mwt_model_peer){.is_up = true, .sid = MWI_NO_SID};
    farm->peers[index].held = malloc(MWT_MODEL_TASKS_MAX * sizeof(uint64_t));
    farm->peers_count++;
    mwt_play_step(farm, (struct mwi_event){.kind = MWI_EVENT_PEER_UP,
                                           .peer = (mw_peer)index + 1,
                                           .transport = "x",
                                           .name = "address"});
    host[4] = (char)('0' + mwt_play_below(farm, 3));
    mwi_buffer_init(&buffer);
    mwi_message_write_hello(&buffer,
                            &(struct mwi_message_hello){.member_id = mwi_message_text("farm"),
                                                        .frame_bytes_max = frame_bytes_max,
                                                        .host = mwi_message_text(host),
                                                        .boot_id = mwi_message_text("")});
    farm->peers[index].has_greeted = true;
    mwt_play_say(farm, index, &buffer);
}

size_t mwt_play_some_peer(struct mwt_model *farm, bool must_hold)
{
    size_t count = 0, chosen = MWT_MODEL_PEERS_MAX;
    for (size_t i = 0; i < farm->peers_count; i++) {
        const struct mwt_model_peer *peer = &farm->peers[i];
        if (peer->is_up && (!must_hold || peer->held_count > 0) && mwt_play_one_in(farm, ++count))
            chosen = i;
    }
    return chosen;
}

static struct mwi_task_policy some_policy(struct mwt_model *farm)
{
    struct mwi_task_policy policy = mwt_policy_default();
    switch (mwt_play_below(farm, 10)) {
    case 0:
        policy.is_retried = false;
        break;
    case 1:
        policy.max_attempts = 1;
        break;
    case 2:
        policy.time_limit_ns = MWI_NS_PER_S;
        break;
    case 3:
        policy.sid = (uint32_t)mwt_play_below(farm, 1 + farm->engine.slaves.records_count);
        policy.is_done_anyway = mwt_play_one_in(farm, 2);
        break;
    case 4:
        policy.max_attempts = 7;
        break;
    default:
        policy.priority = (int32_t)mwt_play_below(farm, 4);
        break;
    }
    return policy;
}

static size_t some_size(struct mwt_model *farm)
{
    switch (mwt_play_below(farm, 12)) {
    case 0:
        return mwt_play_below(farm, 5000);
    case 1:
        return mwt_play_one_in(farm, 4) ? mwt_play_below(farm, 3 * MWI_MESSAGE_LARGE_BYTES) : 0;
    case 2:
        return mwt_play_below(farm, MWT_MODEL_SMALL_BYTES_MAX);
    default:
        return mwt_play_below(farm, 40);
    }
}

static struct mwi_tag *some_tag(int64_t tag)
{
    struct mwi_tag *bytes = malloc(sizeof *bytes + sizeof tag);
    bytes->size = sizeof tag;
    memcpy(bytes->bytes, &tag, sizeof tag);
    return bytes;
}

/* As face/master_submit does it. */
static void enter(struct mwt_model *farm, struct mwi_lifecycle_task *task)
{
    const struct mwi_payload *payload = &task->payload;
    uint64_t id;
    if (task->is_usual && task->is_borrowed && task->tag_bytes == NULL &&
        mwi_tasks_append_alike(&farm->engine.tasks,
                               &(struct mwi_batch_task){.tag = task->tag,
                                                        .algorithm = task->algorithm,
                                                        .is_bytes = payload->is_bytes},
                               payload->data, payload->size))
        id = farm->engine.tasks.last_id;
    else if (mwi_lifecycle_submit(&farm->engine, task, &id) != MW_OK)
        abort();
    MWT_EXPECT(farm, id == farm->last_id, id);
}

static void submit(struct mwt_model *farm, const struct mwi_task_policy *policy, bool is_usual)
{
    uint64_t id = ++farm->last_id;
    struct mwt_model_task *model = &farm->tasks[id];
    struct mwi_lifecycle_task task = {
        .policy = *policy,
        .algorithm = (uint16_t)(mwt_play_below(farm, 8) % MWT_MODEL_ALGORITHMS_COUNT),
        .tag = (int64_t)mwt_random_next(&farm->random),
        .is_borrowed = !mwt_play_one_in(farm, 4),
        .is_usual = is_usual && !farm->is_told};
    size_t size = some_size(farm);
    unsigned char *data = malloc(size + 1);
    mwt_model_fill(data, id, size);
    task.payload = (struct mwi_payload){data, size, mwt_play_one_in(farm, 2)};
    if (mwt_play_one_in(farm, 30))
        task.tag_bytes = some_tag(task.tag);
    *model = (struct mwt_model_task){.size = size,
                                     .tag = task.tag,
                                     .sid = policy->sid,
                                     .algorithm = task.algorithm,
                                     .priority = (int8_t)policy->priority,
                                     .is_bytes = task.payload.is_bytes,
                                     .has_tag_bytes = task.tag_bytes != NULL};
    model->is_in_order = size <= MWT_MODEL_SMALL_BYTES_MAX && mwi_tasks_is_ordinary(policy, size);
    enter(farm, &task);
    if (task.is_borrowed)
        free(data);
}

void mwt_play_submit_some(struct mwt_model *farm)
{
    size_t count = mwt_play_one_in(farm, 5) ? mwt_play_below(farm, 350) : mwt_play_below(farm, 50);
    bool is_usual = !mwt_play_one_in(farm, 3), is_mixed = mwt_play_one_in(farm, 3);
    struct mwi_task_policy policy = is_usual ? mwt_policy_default() : some_policy(farm);
    while (count-- > 0 && farm->last_id < MWT_MODEL_TASKS_MAX) {
        if (is_mixed && mwt_play_one_in(farm, 4)) {
            struct mwi_task_policy other = some_policy(farm);
            submit(farm, &other, false);
        } else {
            submit(farm, &policy, is_usual);
        }
    }
    mwt_play_carry_out(farm);
}

void mwt_play_open(struct mwt_model *farm)
{
    static const mw_algorithm algorithms[] = {
        {"alpha", NULL}, {"beta", NULL}, {"gamma", NULL}, {NULL, NULL}};
    static const size_t groups[] = {0, 0, 1, 4, 60};
    const struct mwi_master_engine_config config = {
        .member_id = "farm",
        .algorithms = algorithms,
        .task_group = groups[mwt_play_below(farm, 5)],
        .frame_write_bytes_max = MWT_PLAY_FRAME_BYTES_MAX,
        .frame_read_bytes_max = MWT_PLAY_FRAME_BYTES_MAX,
        .client_timeout_ns = 60 * MWI_NS_PER_S,
        .fit_timeout_ns = 2 * MWI_NS_PER_S,
    };
    if (mwi_master_engine_init(&farm->engine, &config) != MW_OK ||
        !mwi_message_decoder_init(&farm->decoder))
        abort();
    farm->is_told = mwt_play_one_in(farm, 10);
    if (farm->is_told)
        farm->engine.effects.audited_kinds = UINT64_MAX;
}

void mwt_play_close(struct mwt_model *farm)
{
    mwi_master_engine_fini(&farm->engine);
    mwi_message_decoder_fini(&farm->decoder);
    for (size_t i = 0; i < farm->peers_count; i++)
        free(farm->peers[i].held);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Out of memory in the engines: a master and its slaves, with their frames carried by hand, through
 * a farm in which a slave is lost. At every place where an allocation can fail: no crash, no leak,
 * and all results, or somebody is told.
 */
#include "engine/lifecycle.h"
#include "engine/master_engine.h"
#include "engine/membership.h"
#include "engine/slave_engine.h"

#include <string.h>

#include "mwt_memory.h"
#include "mwt_policy.h"

#define SLAVES_COUNT 2
#define TASKS_COUNT 7
#define LARGE_TAG 5
#define FRAME_BYTES_MAX (2 * MWI_MESSAGE_LARGE_BYTES)

/* A master and its slaves, whose frames go from effect to event. Slave `i` is the master's peer
 * i + 1, and the master is each slave's peer 9. */
struct farm {
    struct mwi_master_engine master;
    struct mwi_slave_engine slaves[SLAVES_COUNT];
    bool is_connected[SLAVES_COUNT];
    size_t results_count;
    bool is_told, is_wrong;
};

static void run_nothing(mw_call *call)
{
    (void)call;
}

static const mw_algorithm algorithms[] = {{"alpha", run_nothing}, {NULL, NULL}};

static const struct mwi_master_engine_config master_config = {
    .member_id = "farm",
    .algorithms = algorithms,
    .task_group = 2,
    .result_group = 2,
    .frame_write_bytes_max = FRAME_BYTES_MAX,
    .frame_read_bytes_max = FRAME_BYTES_MAX,
    .client_timeout_ns = 1000};

static const struct mwi_slave_engine_config slave_config = {.member_id = "farm",
                                                            .algorithms = algorithms,
                                                            .frame_write_bytes_max =
                                                                FRAME_BYTES_MAX,
                                                            .frame_read_bytes_max = FRAME_BYTES_MAX,
                                                            .client_timeout_ns = 1000};

static void step_master(struct farm *farm, enum mwi_event_kind kind, size_t slave, mw_frame *frame)
{
    mwi_master_engine_step(&farm->master, &(struct mwi_event){.kind = kind,
                                                              .peer = slave + 1,
                                                              .transport = "x",
                                                              .name = "slave",
                                                              .reason = "gone",
                                                              .frame = frame});
}

static void step_slave(struct farm *farm, enum mwi_event_kind kind, size_t slave, mw_frame *frame)
{
    mwi_slave_engine_step(&farm->slaves[slave], &(struct mwi_event){.kind = kind,
                                                                    .peer = 9,
                                                                    .transport = "x",
                                                                    .name = "master",
                                                                    .reason = "gone",
                                                                    .frame = frame});
}

static void disconnect(struct farm *farm, size_t slave)
{
    if (!farm->is_connected[slave])
        return;
    farm->is_connected[slave] = false;
    step_slave(farm, MWI_EVENT_PEER_DOWN, slave, NULL);
    step_master(farm, MWI_EVENT_PEER_DOWN, slave, NULL);
}

/* Carries out the first effect of an engine; false if there is none. */
/* Copies a frame, and its body if it has one, into memory that is not allocated. */
static mw_frame join(const struct mwi_effect_entry *effect)
{
    static unsigned char joined[MW_HEAD_BYTES_MAX + MWI_MESSAGE_LARGE_BYTES];
    mw_frame frame = {effect->frame, effect->size, effect->frame, NULL};
    if (effect->body.release == NULL)
        return frame;
    CU_ASSERT_TRUE_FATAL(effect->size + effect->body.size <= sizeof joined);
    memcpy(joined, effect->frame, effect->size);
    memcpy(joined + effect->size, effect->body.data, effect->body.size);
    free(effect->frame);
    effect->body.release(effect->body.owner);
    return (mw_frame){joined, effect->size + effect->body.size, NULL, NULL};
}

static bool carry_out(struct farm *farm, struct mwi_effects *effects, size_t own,
                      void (*step)(struct farm *farm, enum mwi_event_kind kind, size_t slave,
                                   mw_frame *frame))
{
    if (effects->count == 0)
        return false;
    struct mwi_effect_entry effect = effects->items[0];
    memmove(effects->items, effects->items + 1, --effects->count * sizeof effect);
    size_t slave = own == SLAVES_COUNT ? (size_t)effect.peer - 1 : own;
    if (effect.kind == MWI_EFFECT_DROP) {
        farm->is_told = true;
        disconnect(farm, slave);
    } else if (effect.kind == MWI_EFFECT_SEND) {
        mw_frame frame = join(&effect);
        if (farm->is_connected[slave])
            step(farm, MWI_EVENT_FRAME, slave, &frame);
        free(frame.block);
    }
    return true;
}

/* Runs the tasks of a slave. Each returns its own payload, and every third fails, with a message
 * that the master must escape. */
static void run_tasks(struct farm *farm, struct mwi_slave_engine *slave)
{
    struct mwi_slave_task task;
    mw_reason why;
    while (mwi_slave_engine_begin_task(slave, &task)) {
        const struct mwi_payload *payload = &task.payload;
        bool is_large = payload->size >= MWI_MESSAGE_LARGE_BYTES;
        if (!is_large && payload->data[0] % 3 == 0) {
            mwi_results_fail(&slave->results, "\x03");
        } else if (mwi_results_copy_bytes(&slave->results, payload->data, payload->size, &why) !=
                   MW_OK) {
            farm->is_told = true;
            mwi_results_fail(&slave->results, "\x03");
        }
        mwi_slave_engine_end_task(slave, 1, 0);
        farm->is_told = farm->is_told || slave->effects.error != MW_OK;
    }
}

static void take_results(struct farm *farm)
{
    struct mwi_finished item;
    while (mwi_lifecycle_take_result(&farm->master, &item)) {
        bool is_large = item.tag == LARGE_TAG && !item.is_failed;
        bool is_failure = item.tag != LARGE_TAG && item.tag % 3 == 0;
        size_t size = is_large ? MWI_MESSAGE_LARGE_BYTES : item.is_failed ? strlen("\\x03") : 1;
        if (item.payload.size != size ||
            item.payload.data[0] != (item.is_failed ? '\\' : item.tag) ||
            (item.is_failed != is_failure && !(item.is_failed && farm->is_told)))
            farm->is_wrong = true;
        farm->results_count++;
        mwi_block_unref(item.block);
    }
}

/* Lets all go on until nothing happens any more. An engine that has failed is not stepped again, as
 * the loop does not. */
static void settle(struct farm *farm)
{
    bool is_moving = true;
    while (is_moving && farm->master.effects.error == MW_OK) {
        is_moving = carry_out(farm, &farm->master.effects, SLAVES_COUNT, step_slave);
        for (size_t i = 0; i < SLAVES_COUNT; i++) {
            if (farm->slaves[i].effects.error != MW_OK)
                disconnect(farm, i);
            else
                run_tasks(farm, &farm->slaves[i]);
            is_moving = carry_out(farm, &farm->slaves[i].effects, i, step_master) || is_moving;
            farm->is_told = farm->is_told || farm->slaves[i].effects.error != MW_OK;
        }
        take_results(farm);
    }
    farm->is_told = farm->is_told || farm->master.effects.error != MW_OK;
}

static void submit_tasks(struct farm *farm)
{
    for (int64_t tag = 1; tag <= TASKS_COUNT; tag++) {
        size_t size = tag == LARGE_TAG ? MWI_MESSAGE_LARGE_BYTES : 1;
        unsigned char *data = calloc(1, size);
        if (data == NULL) {
            farm->is_told = true;
            continue;
        }
        data[0] = (unsigned char)tag;
        uint64_t id;
        struct mwi_lifecycle_task submission = {
            .policy = mwt_policy_default(), .tag = tag, .payload = {data, size, true}};
        if (mwi_lifecycle_submit(&farm->master, &submission, &id) != MW_OK) {
            free(data);
            farm->is_told = true;
        }
    }
    step_master(farm, MWI_EVENT_TICK, 0, NULL);
}

static void connect_slave(struct farm *farm, size_t slave)
{
    if (farm->master.effects.error != MW_OK)
        return;
    farm->is_connected[slave] = true;
    mwi_slave_engine_connecting(&farm->slaves[slave], 9, "master");
    step_master(farm, MWI_EVENT_PEER_UP, slave, NULL);
    step_slave(farm, MWI_EVENT_PEER_UP, slave, NULL);
    settle(farm);
}

/* One slave takes tasks and is lost; another does all; then the end. */
static void play(struct farm *farm)
{
    submit_tasks(farm);
    connect_slave(farm, 0);
    if (farm->master.effects.error == MW_OK)
        disconnect(farm, 0);
    connect_slave(farm, 1);
    if (farm->master.effects.error != MW_OK)
        return;
    mwi_membership_shutdown(&farm->master, 0, 1000);
    settle(farm);
    if (!mwi_membership_is_over(&farm->master))
        farm->is_told = farm->is_wrong = true;
}

static enum mwt_outcome run_engines(void)
{
    static struct farm farm;
    size_t slaves_count = 0;
    memset(&farm, 0, sizeof farm);
    if (mwi_master_engine_init(&farm.master, &master_config) != MW_OK)
        return MWT_TOLD;
    farm.master.effects.audited_kinds = mwi_audit_kinds(MWI_AUDIT_LEVEL_ALL);
    while (slaves_count < SLAVES_COUNT &&
           mwi_slave_engine_init(&farm.slaves[slaves_count], &slave_config) == MW_OK)
        slaves_count++;
    if (slaves_count == SLAVES_COUNT)
        play(&farm);
    for (size_t i = 0; i < slaves_count; i++)
        mwi_slave_engine_fini(&farm.slaves[i]);
    mwi_master_engine_fini(&farm.master);
    if (farm.is_wrong || farm.results_count > TASKS_COUNT)
        return MWT_WRONG;
    if (farm.results_count == TASKS_COUNT)
        return MWT_RIGHT;
    return farm.is_told || slaves_count < SLAVES_COUNT ? MWT_TOLD : MWT_WRONG;
}

/* Master and slave engines over a whole exchange, with a slave that is lost. */
static void test_engines(void)
{
    mwt_memory_repeat(run_engines, false, 50);
    mwt_memory_repeat(run_engines, true, 50);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"engines", test_engines},
        CU_TEST_INFO_NULL,
    };
    return mwt_memory_run("no memory: engines", tests);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The stepping of mwt_master.h. It makes no assertion of CUnit, so that programs without CUnit can
 * use it.
 */
#include "mwt_master.h"
#include "mwt_items.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mwt_join.h"
#include "mwt_policy.h"

/* In one message. */
#define RESULTS_MAX 256

static const mw_algorithm algorithms[] = {{"alpha", NULL}, {"beta", NULL}, {NULL, NULL}};

struct mwi_master_engine_config mwt_master_config(void)
{
    return (struct mwi_master_engine_config){
        .member_id = MWT_MEMBER_ID,
        .algorithms = algorithms,
        .task_group = 1,
        .result_group = 1,
        .frame_write_bytes_max = MWT_FRAME_BYTES_MAX,
        .frame_read_bytes_max = MWT_FRAME_BYTES_MAX,
        .client_timeout_ns = 60 * MWT_SECOND,
        .fit_timeout_ns = 20 * MWT_SECOND,
    };
}

bool mwt_master_start(struct mwt_master *master, const struct mwi_master_engine_config *config)
{
    struct mwi_master_engine_config usual = mwt_master_config();
    memset(master, 0, sizeof *master);
    if (!mwt_outbox_init(&master->outbox) || !mwt_outbox_init(&master->tasks) ||
        mwi_master_engine_init(&master->engine, config == NULL ? &usual : config) != MW_OK)
        return false;
    master->engine.effects.audited_kinds = mwi_audit_kinds(MWI_AUDIT_LEVEL_ALL);
    return true;
}

void mwt_master_end(struct mwt_master *master)
{
    mwi_master_engine_fini(&master->engine);
    mwt_outbox_fini(&master->outbox);
    mwt_outbox_fini(&master->tasks);
}

void mwt_master_forget(struct mwt_master *master)
{
    mwt_outbox_clear(&master->outbox);
}

/* Keeps copies of the messages of tasks, so that results find the ids of their tasks. */
static void remember_tasks(struct mwt_master *master, const struct mwi_effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        struct mwi_effect_entry *effect = &effects->items[i];
        if (effect->kind != MWI_EFFECT_SEND)
            continue;
        mwt_join(effect);
        struct mwi_effect_entry copy = *effect;
        struct mwi_effects one = {.items = &copy, .count = 1};
        copy.frame = malloc(effect->size);
        if (copy.frame == NULL)
            abort();
        memcpy(copy.frame, effect->frame, effect->size);
        mwt_outbox_take(&master->tasks, &one);
        master->tasks.events[0] = '\0';
    }
}

static void take(struct mwt_master *master)
{
    remember_tasks(master, &master->engine.effects);
    mwt_outbox_take(&master->outbox, &master->engine.effects);
}

static void step(struct mwt_master *master, struct mwi_event event)
{
    event.now_ns = master->now_ns;
    mwi_master_engine_step(&master->engine, &event);
}

void mwt_master_up(struct mwt_master *master, mw_peer peer)
{
    char name[32];
    snprintf(name, sizeof name, "host:%llu", (unsigned long long)peer);
    step(master, (struct mwi_event){
                     .kind = MWI_EVENT_PEER_UP, .peer = peer, .transport = "tcp", .name = name});
    memset(name, '?', sizeof name - 1);
    take(master);
}

void mwt_master_down_early(struct mwt_master *master, mw_peer peer, const char *reason)
{
    step(master, (struct mwi_event){.kind = MWI_EVENT_PEER_DOWN, .peer = peer, .reason = reason});
    take(master);
}

void mwt_master_begin(struct mwt_master *master, mw_peer peer)
{
    struct mwi_slave_entry *slave = mwi_slaves_find(&master->engine.slaves, peer);
    struct mwi_buffer buffer;
    if (slave == NULL || slave->has_started || mwi_list_is_empty(&slave->copies))
        return;
    mwi_buffer_init(&buffer);
    mwi_message_write_id(&buffer, MWI_MESSAGE_BEGUN, mwi_copies_first(slave)->task->id);
    mwt_master_frame(master, peer, &buffer);
}

void mwt_master_down(struct mwt_master *master, mw_peer peer, const char *reason)
{
    mwt_master_begin(master, peer);
    mwt_master_down_early(master, peer, reason);
}

void mwt_master_tick(struct mwt_master *master, int64_t now_ns)
{
    master->now_ns = now_ns;
    step(master, (struct mwi_event){.kind = MWI_EVENT_TICK, .is_caught_up = true});
    take(master);
}

void mwt_master_tick_back(struct mwt_master *master, int64_t now_ns, int64_t away_ns)
{
    master->now_ns = now_ns;
    step(master, (struct mwi_event){.kind = MWI_EVENT_TICK, .away_ns = away_ns});
    take(master);
}

void mwt_master_bytes(struct mwt_master *master, mw_peer peer, const void *data, size_t size)
{
    unsigned char *block = malloc(size == 0 ? 1 : size);
    if (block == NULL)
        abort();
    if (size > 0)
        memcpy(block, data, size);
    mw_frame frame = {.data = block, .size = size, .block = peer % 2 == 0 ? block : NULL};
    step(master, (struct mwi_event){.kind = MWI_EVENT_FRAME, .peer = peer, .frame = &frame});
    if (peer % 2 == 1 || frame.block != NULL)
        free(block);
    take(master);
}

void mwt_master_frame(struct mwt_master *master, mw_peer peer, struct mwi_buffer *frame)
{
    if (frame->has_failed)
        abort();
    mwt_master_bytes(master, peer, frame->data, frame->size);
    mwi_buffer_fini(frame);
}

void mwt_master_say(struct mwt_master *master, mw_peer peer, enum mwi_message_kind kind,
                    const char *reason)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_reason(&buffer, kind, reason);
    mwt_master_frame(master, peer, &buffer);
}

static struct mwi_text text_or(struct mwi_text given, const char *otherwise)
{
    return given.data != NULL ? given : mwi_message_text(otherwise);
}

void mwt_master_greet_as(struct mwt_master *master, mw_peer peer,
                         const struct mwi_message_hello *hello)
{
    struct mwi_message_hello said = *hello;
    struct mwi_buffer buffer;
    said.member_id = text_or(said.member_id, master->engine.config.member_id);
    said.host = text_or(said.host, "");
    said.boot_id = text_or(said.boot_id, "");
    if (said.frame_bytes_max == 0)
        said.frame_bytes_max = MWT_FRAME_BYTES_MAX;
    mwi_buffer_init(&buffer);
    mwi_message_write_hello(&buffer, &said);
    mwt_master_up(master, peer);
    mwt_master_frame(master, peer, &buffer);
}

void mwt_master_greet_small(struct mwt_master *master, mw_peer peer, size_t frame_bytes_max)
{
    mwt_master_greet_as(master, peer,
                        &(struct mwi_message_hello){.frame_bytes_max = frame_bytes_max});
}

void mwt_master_greet(struct mwt_master *master, mw_peer peer)
{
    mwt_master_greet_small(master, peer, MWT_FRAME_BYTES_MAX);
}

void mwt_master_submit_one(struct mwt_master *master, const char *name, bool is_never_retried,
                           unsigned max_attempts)
{
    uint64_t id;
    struct mwi_lifecycle_task submission = {
        .policy = mwt_policy_default(),
        .tag = master->tags_count++,
        .payload = {(unsigned char *)strdup(name), (uint32_t)strlen(name), true}};
    submission.policy.is_retried = !is_never_retried;
    submission.policy.max_attempts = (uint8_t)max_attempts;
    if (mwi_lifecycle_submit(&master->engine, &submission, &id) != MW_OK)
        abort();
}

/* Copies the next word of *names and moves *names behind it. Returns false at the end. */
static bool next_word(const char **names, char *word, size_t size)
{
    *names += strspn(*names, " ");
    size_t length = strcspn(*names, " ");
    snprintf(word, size, "%.*s", (int)length, *names);
    *names += length;
    return length > 0;
}

void mwt_master_submit(struct mwt_master *master, const char *names)
{
    char name[64];
    while (next_word(&names, name, sizeof name))
        mwt_master_submit_one(master, name, false, 3);
}

uint64_t mwt_master_submit_sized(struct mwt_master *master, char letter, size_t size,
                                 const struct mwi_task_policy *policy)
{
    uint64_t id;
    struct mwi_lifecycle_task submission = {.policy =
                                                policy == NULL ? mwt_policy_default() : *policy,
                                            .payload = {malloc(size + 1), size, true}};
    if (submission.payload.data == NULL)
        abort();
    memset(submission.payload.data, letter, size);
    if (mwi_lifecycle_submit(&master->engine, &submission, &id) != MW_OK)
        abort();
    return id;
}

static void send_results(struct mwt_master *master, mw_peer peer, const char *names, bool is_failed)
{
    enum mwi_payload_form form = is_failed ? MWI_PAYLOAD_FAILED : MWI_PAYLOAD_BYTES;
    char name[64];
    uint64_t id;
    size_t count = 0;
    struct mwi_message_item items[RESULTS_MAX];
    struct mwi_buffer buffer;
    while (next_word(&names, name, sizeof name)) {
        size_t length = strlen(name);
        if (count == RESULTS_MAX || !mwt_outbox_task_id(&master->tasks, name, &id))
            abort();
        items[count] = mwt_items_make(id, form, names - length, length);
        items[count].duration_ns = 1000 * (count + 1);
        count++;
    }
    mwi_buffer_init(&buffer);
    mwt_items_results(&buffer, items, count);
    mwt_master_frame(master, peer, &buffer);
}

void mwt_master_return(struct mwt_master *master, mw_peer peer, const char *names)
{
    send_results(master, peer, names, false);
}

void mwt_master_fail(struct mwt_master *master, mw_peer peer, const char *names)
{
    send_results(master, peer, names, true);
}

const char *mwt_master_sent(struct mwt_master *master, mw_peer peer)
{
    return mwt_outbox_tasks(&master->outbox, peer);
}

const char *mwt_master_results(struct mwt_master *master)
{
    struct mwi_finished item;
    size_t length = 0;
    master->text[0] = '\0';
    while (mwi_lifecycle_take_result(&master->engine, &item)) {
        const char *id = mwi_slaves_id(&master->engine.slaves, item.sid);
        length += (size_t)snprintf(
            master->text + length, sizeof master->text - length, "%s%.*s@%s%s",
            length == 0 ? "" : " ", (int)item.payload.size, (const char *)item.payload.data,
            id == NULL ? "?" : id + strlen("SLAVE-"), item.is_failed ? "!" : "");
        mwi_block_unref(item.block);
    }
    return master->text;
}

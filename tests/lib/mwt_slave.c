/* SPDX-License-Identifier: Apache-2.0
 *
 * The stepping of mwt_slave.h. It makes no assertion of CUnit, so that programs without CUnit can
 * use it.
 */
#include "mwt_slave.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mwt_items.h"

/* The index of "alpha" in the welcome of mwt_slave_join. */
#define ALPHA 1

static void run_nothing(mw_call *call)
{
    (void)call;
}

static const mw_algorithm algorithms[] = {
    {"alpha", run_nothing}, {"beta", run_nothing}, {NULL, NULL}};

struct mwi_slave_engine_config mwt_slave_config(void)
{
    return (struct mwi_slave_engine_config){
        .member_id = "farm",
        .algorithms = algorithms,
        .frame_write_bytes_max = 1 << 20,
        .frame_read_bytes_max = 1 << 20,
        .client_timeout_ns = 60 * MWT_SECOND,
    };
}

bool mwt_slave_start(struct mwt_slave *slave, const struct mwi_slave_engine_config *config)
{
    struct mwi_slave_engine_config usual = mwt_slave_config();
    memset(slave, 0, sizeof *slave);
    if (!mwt_outbox_init(&slave->outbox) ||
        mwi_slave_engine_init(&slave->engine, config == NULL ? &usual : config) != MW_OK)
        return false;
    slave->engine.effects.audited_kinds = mwi_audit_kinds(MWI_AUDIT_LEVEL_ALL);
    return true;
}

void mwt_slave_end(struct mwt_slave *slave)
{
    mwi_slave_engine_fini(&slave->engine);
    mwt_outbox_fini(&slave->outbox);
}

void mwt_slave_forget(struct mwt_slave *slave)
{
    mwt_outbox_clear(&slave->outbox);
}

static void take(struct mwt_slave *slave)
{
    mwt_outbox_take(&slave->outbox, &slave->engine.effects);
}

static void step(struct mwt_slave *slave, struct mwi_event event)
{
    event.now_ns = slave->now_ns;
    event.peer = MWT_MASTER_PEER;
    if (slave->relay != NULL)
        mwi_relay_step(slave->relay, &event);
    else
        mwi_slave_engine_step(&slave->engine, &event);
}

void mwt_slave_up(struct mwt_slave *slave)
{
    char name[] = "host:5";
    step(slave, (struct mwi_event){.kind = MWI_EVENT_PEER_UP, .transport = "tcp", .name = name});
    memset(name, '?', sizeof name - 1);
    take(slave);
}

void mwt_slave_down(struct mwt_slave *slave, const char *reason)
{
    char copy[600];
    snprintf(copy, sizeof copy, "%s", reason);
    step(slave, (struct mwi_event){.kind = MWI_EVENT_PEER_DOWN, .reason = copy});
    memset(copy, '?', sizeof copy - 1);
    take(slave);
}

void mwt_slave_tick(struct mwt_slave *slave, int64_t now_ns)
{
    slave->now_ns = now_ns;
    step(slave, (struct mwi_event){.kind = MWI_EVENT_TICK, .is_caught_up = true});
    take(slave);
}

void mwt_slave_bytes(struct mwt_slave *slave, const void *data, size_t size)
{
    unsigned char *block = malloc(size == 0 ? 1 : size);
    bool is_lent = size % 2 == 1;
    if (block == NULL)
        abort();
    if (size > 0)
        memcpy(block, data, size);
    mw_frame frame = {.data = block, .size = size, .block = is_lent ? NULL : block};
    step(slave, (struct mwi_event){.kind = MWI_EVENT_FRAME, .frame = &frame});
    if (is_lent || frame.block != NULL)
        free(block);
    take(slave);
}

void mwt_slave_frame(struct mwt_slave *slave, struct mwi_buffer *frame)
{
    if (frame->has_failed)
        abort();
    mwt_slave_bytes(slave, frame->data, frame->size);
    mwi_buffer_fini(frame);
}

void mwt_slave_greet(struct mwt_slave *slave)
{
    mwi_slave_engine_connecting(&slave->engine, MWT_MASTER_PEER, "host:5");
    mwt_slave_up(slave);
}

void mwt_slave_join(struct mwt_slave *slave, uint32_t result_group, size_t frame_bytes_max)
{
    static const mw_algorithm theirs[] = {{"beta", NULL}, {"alpha", NULL}, {"gamma", NULL}, {0}};
    struct mwi_buffer buffer;
    mwt_slave_greet(slave);
    mwi_buffer_init(&buffer);
    mwi_message_write_welcome(&buffer, 3, result_group, frame_bytes_max, 77, theirs);
    mwt_slave_frame(slave, &buffer);
}

static size_t count_words(const char *words)
{
    size_t count = 0;
    while (*(words += strspn(words, " ")) != '\0') {
        words += strcspn(words, " ");
        count++;
    }
    return count;
}

void mwt_slave_give(struct mwt_slave *slave, const char *names)
{
    struct mwi_buffer buffer;
    size_t count = 0;
    struct mwi_message_item *items = calloc(count_words(names), sizeof *items);
    if (items == NULL)
        abort();
    while (*(names += strspn(names, " ")) != '\0') {
        size_t size = strcspn(names, " ");
        items[count] = mwt_items_make(slave->ids_count++, MWI_PAYLOAD_BYTES, names, size);
        items[count++].algorithm = ALPHA;
        names += size;
    }
    mwi_buffer_init(&buffer);
    mwt_items_tasks(&buffer, items, count);
    mwt_slave_frame(slave, &buffer);
    free(items);
}

void mwt_slave_return(struct mwt_slave *slave, const void *data, size_t size)
{
    mw_reason why;
    if (mwi_results_copy_bytes(&slave->engine.results, data, size, &why) != MW_OK)
        abort();
}

size_t mwt_slave_run(struct mwt_slave *slave, size_t count)
{
    struct mwi_slave_task task;
    size_t ran = 0;
    for (; ran < count && mwi_slave_engine_begin_task(&slave->engine, &task); ran++) {
        mwt_slave_return(slave, task.payload.data, task.payload.size);
        mwi_slave_engine_end_task(&slave->engine, 1000, slave->now_ns);
    }
    take(slave);
    return ran;
}

/* Adds the results of a message to the text, but for a large one. */
static size_t add_results(struct mwt_slave *slave, const struct mwi_message *message, size_t length)
{
    struct mwi_message_item item;
    for (size_t i = 0; i < message->group.count; i++) {
        const char *between = length == 0 ? "" : i == 0 ? "|" : " ";
        item = mwt_items_at(message, i);
        if (item.size >= MWI_MESSAGE_LARGE_BYTES)
            continue;
        length += (size_t)snprintf(slave->text + length, sizeof slave->text - length, "%s%.*s%s",
                                   between, (int)item.size, (const char *)item.data,
                                   item.form == MWI_PAYLOAD_FAILED    ? "!"
                                   : item.form == MWI_PAYLOAD_CRASHED ? "#"
                                                                      : "");
    }
    return length;
}

const char *mwt_slave_results(struct mwt_slave *slave)
{
    struct mwt_outbox *outbox = &slave->outbox;
    size_t length = 0;
    slave->text[0] = '\0';
    for (size_t i = 0; i < outbox->frames_count; i++) {
        mw_reason why;
        if (mwi_message_decode(&outbox->decoder, outbox->frames[i].data, outbox->frames[i].size,
                               &outbox->message, &why) == MW_OK &&
            outbox->message.kind == MWI_MESSAGE_RESULTS)
            length = add_results(slave, &outbox->message, length);
    }
    return slave->text;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The frames of a stranger are drawn from the world's random numbers. A forged result carries a
 * value that no task has, so that the test notices if it is accepted.
 */
#include "stranger.h"

#include <stdlib.h>

#include "mwt_hello.h"
#include "mwt_items.h"
#include "wire/message.h"

#define FORGED_SLOTS 40

struct stranger {
    mw_sim *sim;
    void *transport;
    bool is_over;
    bool is_own[FORGED_SLOTS]; /* tasks that it was given, and could answer as it likes */
};

static void send_buffer(struct stranger *stranger, mw_peer peer, struct mwi_buffer *buffer)
{
    size_t size = 0;
    void *frame = mwi_buffer_take(buffer, &size);
    if (frame == NULL ||
        mw_sim_transport.send(stranger->transport, peer, frame, size, NULL) != MW_OK)
        free(frame);
    mwi_buffer_fini(buffer);
}

static void write_garbage(struct mwi_buffer *buffer, mw_sim *sim)
{
    size_t size = 1 + mw_sim_random(sim) % 200;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)mw_sim_random(sim);
        mwi_buffer_append(buffer, &byte, 1);
    }
}

/* Results of all tasks that the master may have but those that are this stranger's. */
static void write_forged_results(struct mwi_buffer *buffer, const struct stranger *stranger)
{
    static const unsigned char minus_one = 0xff;
    struct mwi_message_item items[FORGED_SLOTS];
    size_t count = 0;
    for (uint64_t slot = 0; slot < FORGED_SLOTS; slot++) {
        if (stranger->is_own[slot])
            continue;
        items[count] = mwt_items_make(UINT64_C(1) << 32 | slot, MWI_PAYLOAD_VALUES, &minus_one, 1);
        items[count++].duration_ns = 1;
    }
    if (count > 0)
        mwt_items_results(buffer, items, count);
}

static void greet(struct stranger *stranger, mw_peer peer, const char *member_id)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwt_hello(&buffer, member_id, 4 << 20);
    send_buffer(stranger, peer, &buffer);
}

static void on_up(void *context, mw_peer peer, const char *name)
{
    struct stranger *stranger = context;
    struct mwi_buffer buffer;
    (void)name;
    mwi_buffer_init(&buffer);
    switch (mw_sim_random(stranger->sim) % 5) {
    case 0:
        write_garbage(&buffer, stranger->sim);
        break;
    case 1:
        write_forged_results(&buffer, stranger);
        break;
    case 2:
        greet(stranger, peer, "another-farm");
        write_forged_results(&buffer, stranger);
        break;
    case 3:
        greet(stranger, peer, "default-member-id");
        return; /* goes on when it is given tasks */
    default:
        return; /* says nothing until the master has had enough */
    }
    send_buffer(stranger, peer, &buffer);
}

static void on_message(void *context, mw_peer peer, mw_frame *frame)
{
    struct stranger *stranger = context;
    struct mwi_decoder decoder;
    struct mwi_message message;
    struct mwi_message_item item;
    struct mwi_buffer buffer;
    mw_reason why;
    if (!mwi_message_decoder_init(&decoder))
        return;
    if (mwi_message_decode(&decoder, frame->data, frame->size, &message, &why) == MW_OK &&
        message.kind == MWI_MESSAGE_TASKS) {
        struct mwi_message_cursor cursor = {.group = &message.group};
        while (mwi_message_next(&cursor, &item))
            if ((item.id & UINT32_MAX) < FORGED_SLOTS)
                stranger->is_own[item.id & UINT32_MAX] = true;
        mwi_buffer_init(&buffer);
        write_forged_results(&buffer, stranger);
        send_buffer(stranger, peer, &buffer);
    }
    mwi_message_decoder_fini(&decoder);
}

static void on_down(void *context, mw_peer peer, const char *reason)
{
    (void)peer, (void)reason;
    ((struct stranger *)context)->is_over = true;
}

int mwt_stranger_main(mw_sim_host *host, void *context)
{
    static const mw_transport_events events = {.up = on_up, .message = on_message, .down = on_down};
    struct stranger stranger = {.sim = mw_sim_host_world(host)};
    mw_reason why;
    mw_peer peer;
    mw_transport_config config = {.events = &events,
                                  .context = &stranger,
                                  .frame_bytes_max = 4 << 20,
                                  .wake_fd = -1,
                                  .environment = host};
    (void)context;
    if (mw_sim_transport.open(&stranger.transport, &config, &why) != MW_OK)
        return 1;
    if (mw_sim_transport.connect(stranger.transport, "master", &peer, &why) == MW_OK)
        while (!stranger.is_over &&
               mw_sim_transport.poll(stranger.transport, INT64_MAX, &why) == MW_OK)
            ;
    mw_sim_transport.close(stranger.transport);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * What it sends is drawn from the world's random numbers. A forged result carries a value that no
 * task has, so that one that is taken shows.
 */
#include "stranger.h"

#include <stdlib.h>

#include "message.h"

struct stranger {
    mw_sim *sim;
    void *transport;
    bool is_over;
};

static void send(struct stranger *stranger, mw_peer peer, struct mwi_buffer *buffer)
{
    size_t size = 0;
    void *frame = mwi_buffer_take(buffer, &size);
    if (frame == NULL || mw_sim_transport.send(stranger->transport, peer, frame, size) != MW_OK)
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

static void write_forged_results(struct mwi_buffer *buffer)
{
    mwi_message_begin_results(buffer);
    for (uint64_t slot = 0; slot < 20; slot++) {
        mwi_message_begin_result(buffer, UINT64_C(1) << 32 | slot);
        size_t opened = mwi_message_open_values(buffer);
        msgpack_packer packer;
        msgpack_packer_init(&packer, buffer, mwi_buffer_write);
        msgpack_pack_int(&packer, -1);
        mwi_message_close_values(buffer, opened);
        mwi_message_end_result(buffer, MWI_RESULT_DONE, 1);
    }
    mwi_message_end_results(buffer, 20);
}

static void greet(struct stranger *stranger, mw_peer peer, const char *member_id)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_hello(&buffer, member_id, 1 << 20);
    send(stranger, peer, &buffer);
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
        write_forged_results(&buffer);
        break;
    case 2:
        greet(stranger, peer, "another-farm");
        write_forged_results(&buffer);
        break;
    case 3:
        greet(stranger, peer, "default-member-id");
        write_forged_results(&buffer);
        break;
    default:
        return; /* says nothing until the master has had enough */
    }
    send(stranger, peer, &buffer);
}

static void on_message(void *context, mw_peer peer, mw_frame *frame)
{
    (void)context, (void)peer, (void)frame;
}

static void on_down(void *context, mw_peer peer, const char *reason)
{
    (void)peer, (void)reason;
    ((struct stranger *)context)->is_over = true;
}

int mwt_stranger_main(mw_sim_host *host, void *context)
{
    static const mw_transport_events events = {on_up, on_message, on_down};
    struct stranger stranger = {.sim = mw_sim_host_world(host)};
    mw_reason why;
    mw_peer peer;
    mw_transport_config config = {.events = &events,
                                  .context = &stranger,
                                  .frame_bytes_max = 1 << 20,
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

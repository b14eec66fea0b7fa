/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of mpi_end.h. Its events only count and check; the cases look at the counts. Frames
 * carry a sequence and a pattern that follows from it.
 */
#include "mpi_end.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_NS 60000000000

const mw_transport_api *mwt_mpi_load(const char *path)
{
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const mw_transport_api *api = module == NULL ? NULL : dlsym(module, MW_TRANSPORT_MODULE_SYMBOL);

    if (api == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(EXIT_FAILURE);
    }
    return api;
}

static unsigned char byte_at(uint64_t sequence, size_t i)
{
    return (unsigned char)(sequence * 31 + i * 7 + (i >> 12));
}

static void fill(unsigned char *data, uint64_t sequence, size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[i] = byte_at(sequence, i);
    if (size >= sizeof sequence)
        memcpy(data, &sequence, sizeof sequence);
}

static bool is_right(const unsigned char *data, uint64_t sequence, size_t size)
{
    size_t i = 0;

    if (size >= sizeof sequence) {
        if (memcmp(data, &sequence, sizeof sequence) != 0)
            return false;
        i = sizeof sequence;
    }
    for (; i < size; i++) {
        if (data[i] != byte_at(sequence, i))
            return false;
    }
    return true;
}

static struct mwt_mpi_peer *find(struct mwt_mpi_end *end, mw_peer peer)
{
    for (unsigned i = 0; i < end->peers_count; i++) {
        if (end->peers[i].peer == peer)
            return &end->peers[i];
    }
    return NULL;
}

static void up(void *context, mw_peer peer, const char *name)
{
    struct mwt_mpi_end *end = context;
    struct mwt_mpi_peer *entry = &end->peers[end->peers_count % MWT_MPI_PEERS_MAX];

    if (peer == 0 || find(end, peer) != NULL)
        end->faults_count++;
    *entry = (struct mwt_mpi_peer){.peer = peer};
    snprintf(entry->name, sizeof entry->name, "%s", name);
    end->peers_count++;
}

static void echo(struct mwt_mpi_end *end, mw_peer peer, mw_frame *frame)
{
    bool is_malloced = frame->block != NULL && frame->release == NULL;
    void *copy = is_malloced ? frame->block : malloc(frame->size + 1);

    if (copy == NULL)
        return;
    if (is_malloced)
        frame->block = NULL;
    else
        memcpy(copy, frame->data, frame->size);
    if (end->api->send(end->transport, peer, copy, frame->size, NULL) != MW_OK)
        free(copy);
}

static void message(void *context, mw_peer peer, mw_frame *frame)
{
    struct mwt_mpi_end *end = context;
    struct mwt_mpi_peer *entry = find(end, peer);

    if (entry == NULL || entry->is_down ||
        !is_right(frame->data, entry->frames_count, frame->size)) {
        end->faults_count++;
        return;
    }
    entry->frames_count++;
    entry->bytes_count += frame->size;
    end->frames_count++;
    if (frame->block != NULL)
        end->blocks_count++;
    if (end->does_echo)
        echo(end, peer, frame);
}

static void down(void *context, mw_peer peer, const char *reason)
{
    struct mwt_mpi_end *end = context;
    struct mwt_mpi_peer *entry = find(end, peer);

    if (entry != NULL)
        entry->is_down = true;
    end->downs_count++;
    snprintf(end->down_reason, sizeof end->down_reason, "%s", reason);
}

mw_error mwt_mpi_open(struct mwt_mpi_end *end, const mw_transport_api *api, void *comm,
                      size_t frame_bytes_max)
{
    mw_mpi_environment environment = {.comm = comm, .master_rank = -1};
    static const mw_transport_events events = {.up = up, .message = message, .down = down};
    mw_transport_config config = {.events = &events,
                                  .context = end,
                                  .frame_bytes_max = frame_bytes_max,
                                  .wake_fd = -1,
                                  .environment = comm == NULL ? NULL : &environment};

    *end = (struct mwt_mpi_end){.api = api};
    return api->open(&end->transport, &config, &end->why);
}

void mwt_mpi_listen(struct mwt_mpi_end *end)
{
    char bound[16];

    if (end->api->listen(end->transport, "", bound, sizeof bound, &end->why) != MW_OK)
        end->faults_count++;
}

mw_peer mwt_mpi_connect(struct mwt_mpi_end *end, int rank)
{
    char address[16];
    mw_peer peer = 0;

    snprintf(address, sizeof address, "%d", rank);
    if (end->api->connect(end->transport, address, &peer, &end->why) != MW_OK)
        end->faults_count++;
    return peer;
}

void mwt_mpi_close(struct mwt_mpi_end *end)
{
    end->api->close(end->transport);
    end->transport = NULL;
}

mw_error mwt_mpi_send(struct mwt_mpi_end *end, mw_peer peer, uint64_t sequence, size_t size)
{
    unsigned char *frame = malloc(size + 1);
    mw_error error;

    if (frame == NULL)
        return MW_ENOMEM;
    fill(frame, sequence, size);
    error = end->api->send(end->transport, peer, frame, size, NULL);
    if (error != MW_OK)
        free(frame);
    return error;
}

static bool poll_once(struct mwt_mpi_end *end, int64_t deadline)
{
    return end->api->poll(end->transport, deadline, &end->why) == MW_OK &&
           end->api->now(end->transport) < deadline;
}

bool mwt_mpi_await_ups(struct mwt_mpi_end *end, unsigned count)
{
    int64_t deadline = end->api->now(end->transport) + MINUTE_NS;

    while (end->peers_count < count) {
        if (!poll_once(end, deadline))
            return false;
    }
    return true;
}

bool mwt_mpi_await_downs(struct mwt_mpi_end *end, unsigned count)
{
    int64_t deadline = end->api->now(end->transport) + MINUTE_NS;

    while (end->downs_count < count) {
        if (!poll_once(end, deadline))
            return false;
    }
    return true;
}

bool mwt_mpi_await_frames(struct mwt_mpi_end *end, uint64_t count)
{
    int64_t deadline = end->api->now(end->transport) + MINUTE_NS;

    while (end->frames_count < count) {
        if (!poll_once(end, deadline))
            return false;
    }
    return true;
}

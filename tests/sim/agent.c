/* SPDX-License-Identifier: Apache-2.0
 *
 * The recording end of agent.h. It never makes a fatal assertion: that would jump from a host's
 * stack to CUnit's.
 */
#include "agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mwt_seen *write_down(struct mwt_agent *agent, enum mwt_kind kind, mw_peer peer)
{
    struct mwt_seen *seen = &agent->seen[agent->seen_count];

    agent->counts[kind]++;
    if (agent->seen_count < MWT_SEEN_MAX - 1)
        agent->seen_count++;
    *seen = (struct mwt_seen){
        .kind = kind, .peer = peer, .time_ns = mw_sim_transport.now(agent->transport)};
    return seen;
}

static void on_up(void *context, mw_peer peer, const char *name)
{
    struct mwt_agent *agent = context;
    struct mwt_seen *seen = write_down(agent, MWT_UP, peer);

    agent->peer = peer;
    snprintf(seen->text, sizeof seen->text, "%s", name);
}

static void on_message(void *context, mw_peer peer, mw_frame *frame)
{
    struct mwt_agent *agent = context;
    struct mwt_seen *seen = write_down(agent, MWT_MESSAGE, peer);

    if (frame->size >= sizeof seen->number)
        memcpy(&seen->number, frame->data, sizeof seen->number);
    if (agent->on_message != NULL)
        agent->on_message(agent, peer, seen->number);
}

static void on_down(void *context, mw_peer peer, const char *reason)
{
    struct mwt_seen *seen = write_down(context, MWT_DOWN, peer);

    snprintf(seen->text, sizeof seen->text, "%s", reason);
}

mw_error mwt_agent_open(struct mwt_agent *agent, mw_sim_host *host, size_t frame_bytes_max)
{
    static const mw_transport_events events = {.up = on_up, .message = on_message, .down = on_down};
    mw_transport_config config = {
        .events = &events,
        .context = agent,
        .frame_bytes_max = frame_bytes_max != 0 ? frame_bytes_max : 1 << 20,
        .wake_fd = -1,
        .environment = host,
    };

    agent->host = host;
    agent->error = MW_OK;
    return mw_sim_transport.open(&agent->transport, &config, &agent->why);
}

void mwt_agent_close(struct mwt_agent *agent)
{
    mw_sim_transport.close(agent->transport);
    agent->transport = NULL;
}

bool mwt_agent_listen(struct mwt_agent *agent, mw_sim_host *host)
{
    char bound[64];

    return mwt_agent_open(agent, host, 0) == MW_OK &&
           mw_sim_transport.listen(agent->transport, "", bound, sizeof bound, &agent->why) == MW_OK;
}

bool mwt_agent_connect(struct mwt_agent *agent, mw_sim_host *host, const char *to)
{
    return mwt_agent_open(agent, host, 0) == MW_OK &&
           mw_sim_transport.connect(agent->transport, to, &agent->peer, &agent->why) == MW_OK;
}

mw_error mwt_agent_send(struct mwt_agent *agent, mw_peer peer, uint64_t number, size_t size)
{
    unsigned char *frame = calloc(1, size);
    mw_error error;

    if (frame == NULL)
        return MW_ENOMEM;
    memcpy(frame, &number, sizeof number);
    error = mw_sim_transport.send(agent->transport, peer, frame, size, NULL);
    if (error != MW_OK)
        free(frame);
    return error;
}

void mwt_agent_send_range(struct mwt_agent *agent, uint64_t first, uint64_t last)
{
    for (uint64_t number = first; number <= last; number++)
        (void)mwt_agent_send(agent, agent->peer, number, sizeof number);
}

void mwt_agent_poll(struct mwt_agent *agent, int64_t deadline)
{
    agent->error = mw_sim_transport.poll(agent->transport, deadline, &agent->why);
}

void mwt_agent_poll_until(struct mwt_agent *agent, int64_t deadline)
{
    while (agent->error == MW_OK && mw_sim_transport.now(agent->transport) < deadline)
        mwt_agent_poll(agent, deadline);
}

void mwt_agent_await(struct mwt_agent *agent, enum mwt_kind kind, int count)
{
    while (agent->error == MW_OK && agent->counts[kind] < count && agent->counts[MWT_DOWN] == 0)
        mwt_agent_poll(agent, INT64_MAX);
}

const struct mwt_seen *mwt_agent_seen(const struct mwt_agent *agent, enum mwt_kind kind, int index)
{
    static const struct mwt_seen none;

    for (int i = 0; i < agent->seen_count; i++)
        if (agent->seen[i].kind == kind && index-- == 0)
            return &agent->seen[i];
    return &none;
}

bool mwt_agent_saw_range(const struct mwt_agent *agent, uint64_t first, uint64_t last)
{
    int count = (int)(last - first + 1);

    for (int i = 0; i < count; i++)
        if (mwt_agent_seen(agent, MWT_MESSAGE, i)->number != first + (uint64_t)i)
            return false;
    return agent->counts[MWT_MESSAGE] == count;
}

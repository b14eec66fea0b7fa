/* SPDX-License-Identifier: Apache-2.0
 *
 * The far end of far.h. Orders arrive within events, where only send and drop are allowed; it puts
 * off all other orders until the poll is over. The state of one connection does not concern
 * another. A new order is a case in obey or in the work after a poll.
 */
#include "far.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "end.h"

#define PEERS_MAX 256
/* With two transports it cannot wait for one of them alone, so it waits in short steps. */
#define TURN_NS 200000

struct session {
    mw_peer peer;
    uint32_t echo_left;
    uint32_t count_left;
    uint64_t seed;
    uint64_t index;
    struct mwt_tally tally;
    bool returns;
};

/* Work to do after the poll. */
struct chores {
    uint32_t connects;
    bool ends;
    bool opens_second;
    bool closes_second;
    mw_peer second_asker;
    struct mwt_order second_send;
};

struct far {
    const struct mwt_far *config;
    void *transport;
    struct session sessions[PEERS_MAX];
    size_t sessions_count;
    struct chores chores;
    bool has_failed;
};

static struct session *find_session(struct far *far, mw_peer peer)
{
    for (size_t i = 0; i < far->sessions_count; i++)
        if (far->sessions[i].peer == peer)
            return &far->sessions[i];
    return NULL;
}

static void add_session(struct far *far, mw_peer peer)
{
    if (far->sessions_count < PEERS_MAX)
        far->sessions[far->sessions_count++] = (struct session){.peer = peer};
    else
        far->has_failed = true;
}

static void remove_session(struct far *far, mw_peer peer)
{
    struct session *session = find_session(far, peer);
    if (session != NULL)
        *session = far->sessions[--far->sessions_count];
}

/* Takes the frame, which is malloc'd. */
static void send_block(struct far *far, mw_peer peer, void *frame, size_t size)
{
    if (far->config->api->send(far->transport, peer, frame, size, NULL) != MW_OK) {
        free(frame);
        far->has_failed = true;
    }
}

static void send_copy(struct far *far, mw_peer peer, const void *data, size_t size)
{
    unsigned char *frame = malloc(size + 1);

    if (frame == NULL) {
        far->has_failed = true;
        return;
    }
    if (size > 0)
        memcpy(frame, data, size);
    send_block(far, peer, frame, size);
}

static void send_pattern(struct far *far, mw_peer peer, const struct mwt_order *order)
{
    for (uint32_t i = 0; i < order->count; i++) {
        unsigned char *frame = malloc(order->size + 1);
        if (frame == NULL) {
            far->has_failed = true;
            return;
        }
        mwt_pattern_fill(frame, order->size, order->seed, i);
        send_block(far, peer, frame, order->size);
    }
}

static void echo(struct far *far, struct session *session, mw_frame *frame)
{
    session->echo_left--;
    if (frame->block != NULL && frame->block == frame->data && frame->release == NULL) {
        send_block(far, session->peer, frame->block, frame->size);
        frame->block = NULL;
    } else {
        send_copy(far, session->peer, frame->data, frame->size);
    }
}

static void count(struct far *far, struct session *session, const mw_frame *frame)
{
    session->tally.frames++;
    session->tally.bytes += frame->size;
    if (!mwt_pattern_matches(frame->data, frame->size, session->seed, session->index++))
        session->tally.wrong++;
    if (--session->count_left == 0)
        send_copy(far, session->peer, &session->tally, sizeof session->tally);
}

static void begin_count(struct session *session, const struct mwt_order *order)
{
    session->count_left = order->count;
    session->seed = order->seed;
    session->index = 0;
    session->tally = (struct mwt_tally){0};
}

static void leave(struct far *far, struct session *session)
{
    if (session->returns)
        far->chores.connects++;
    far->config->api->drop(far->transport, session->peer);
    remove_session(far, session->peer);
}

static void obey(struct far *far, struct session *session, const struct mwt_order *order)
{
    switch ((enum mwt_order_kind)order->kind) {
    case MWT_ORDER_ECHO:
        session->echo_left = order->count;
        break;
    case MWT_ORDER_COUNT:
        begin_count(session, order);
        break;
    case MWT_ORDER_SEND:
        send_pattern(far, session->peer, order);
        break;
    case MWT_ORDER_ANSWER:
        send_copy(far, session->peer, "", 0);
        break;
    case MWT_ORDER_LEAVE:
        leave(far, session);
        break;
    case MWT_ORDER_LAST_WORDS:
        send_pattern(far, session->peer, order);
        leave(far, session);
        break;
    case MWT_ORDER_ANOTHER:
        far->chores.connects += order->count;
        break;
    case MWT_ORDER_RETURN:
        session->returns = true;
        break;
    case MWT_ORDER_SECOND:
        far->chores.opens_second = true;
        far->chores.second_asker = session->peer;
        break;
    case MWT_ORDER_SECOND_SEND:
        far->chores.second_send = *order;
        far->chores.closes_second = true;
        break;
    case MWT_ORDER_SECOND_CLOSE:
        far->chores.closes_second = true;
        break;
    case MWT_ORDER_END:
        far->chores.ends = true;
        break;
    }
}

static void on_up(void *context, mw_peer peer, const char *name)
{
    struct far *far = context;
    if (far->config->api->admit != NULL)
        far->config->api->admit(far->transport, peer);
    (void)name;

    /* We know the peers to which we connected already. */
    if (find_session(far, peer) == NULL)
        add_session(far, peer);
}

static void on_message(void *context, mw_peer peer, mw_frame *frame)
{
    struct far *far = context;
    struct session *session = find_session(far, peer);
    struct mwt_order order;

    if (session == NULL) {
        far->has_failed = true;
    } else if (session->echo_left > 0) {
        echo(far, session, frame);
    } else if (session->count_left > 0) {
        count(far, session, frame);
    } else if (frame->size == sizeof order) {
        memcpy(&order, frame->data, sizeof order);
        obey(far, session, &order);
    } else {
        far->has_failed = true;
    }
}

static void on_down(void *context, mw_peer peer, const char *reason)
{
    struct far *far = context;
    struct session *session = find_session(far, peer);
    (void)reason;

    if (session != NULL && session->returns)
        far->chores.connects++;
    remove_session(far, peer);
}

static const mw_transport_events events = {.up = on_up, .message = on_message, .down = on_down};

static void complain(struct far *far, const mw_reason *why)
{
    fprintf(stderr, "far end: %s\n", why->text);
    far->has_failed = true;
}

static bool open_far(struct far *far)
{
    const mw_transport_config config = {.events = &events,
                                        .context = far,
                                        .frame_bytes_max = far->config->frame_bytes_max,
                                        .wake_fd = -1,
                                        .environment = far->config->environment};
    mw_reason why;

    if (far->config->api->open(&far->transport, &config, &why) == MW_OK)
        return true;
    complain(far, &why);
    return false;
}

static void connect_near(struct far *far)
{
    mw_reason why;
    mw_peer peer;

    if (far->config->api->connect(far->transport, far->config->address, &peer, &why) == MW_OK)
        add_session(far, peer);
    else
        complain(far, &why);
}

static void open_second(struct far *far, struct far *second)
{
    char bound[256] = "";
    mw_reason why;

    *second = (struct far){.config = far->config};
    if (!open_far(second))
        return;
    if (far->config->api->listen(second->transport, far->config->listen_address, bound,
                                 sizeof bound, &why) != MW_OK)
        complain(far, &why);
    send_copy(far, far->chores.second_asker, bound, strlen(bound) + 1);
}

static void close_second(struct far *far, struct far *second)
{
    for (size_t i = 0; i < second->sessions_count; i++)
        send_pattern(second, second->sessions[i].peer, &far->chores.second_send);
    far->config->api->close(second->transport);
    second->transport = NULL;
}

static void do_chores(struct far *far, struct far *second)
{
    if (far->chores.opens_second)
        open_second(far, second);
    if (far->chores.closes_second && second->transport != NULL)
        close_second(far, second);
    for (uint32_t i = 0; i < far->chores.connects; i++)
        connect_near(far);
    bool ends = far->chores.ends;
    far->chores = (struct chores){.ends = ends};
}

static void poll_once(struct far *far, bool is_alone)
{
    const mw_transport_api *api = far->config->api;
    int64_t deadline = is_alone ? INT64_MAX : api->now(far->transport) + TURN_NS;
    mw_reason why;

    if (api->poll(far->transport, deadline, &why) != MW_OK) {
        far->chores.ends = true;
        complain(far, &why);
    }
}

int mwt_far_run(const struct mwt_far *config)
{
    /* On the heap: a simulated host's stack is small. */
    struct far *ends = calloc(2, sizeof *ends);
    if (ends == NULL)
        return 1;
    struct far *far = &ends[0];
    struct far *second = &ends[1];

    far->config = config;
    if (!open_far(far)) {
        free(ends);
        return 1;
    }
    connect_near(far);
    while (!far->chores.ends && far->sessions_count > 0) {
        poll_once(far, second->transport == NULL);
        if (second->transport != NULL)
            poll_once(second, false);
        do_chores(far, second);
    }
    if (second->transport != NULL)
        config->api->close(second->transport);
    config->api->close(far->transport);
    int status = far->has_failed || second->has_failed ? 1 : 0;
    free(ends);
    return status;
}

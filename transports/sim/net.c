/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections. Whatever one side tells the other - that it connects, accepts, sends, is gone - is
 * an item on the way to the other end and arrives in the order in which it was sent. Only the first
 * item of a way is in the world's queue of events. An item that has arrived waits in the inbox of
 * the end's transport until the host polls. A way that is cut keeps its items and has no event.
 *
 * Each end has one `down` item, so that saying it never needs memory and happens at most once.
 */
#include "net.h"

#include <stdlib.h>

#include "base/body.h"
#include "cut.h"
#include "world.h"

/* What the network takes at once on each connection, as the buffers of a socket do. */
#define TAKEN_BYTES_MAX (64u * 1024)

/* Events that a connection may have arranged at once: two arrivals and a notice. */
#define EVENTS_OF_CONNECTION 3

struct mwi_sim_end *mwi_sim_net_other(const struct mwi_sim_end *end)
{
    return &end->connection->ends[end == &end->connection->ends[0]];
}

static void release(struct mwi_sim_connection *c)
{
    mw_sim *sim = c->sim;

    if (--c->uses_count > 0)
        return;
    mwi_sim_agenda_remove(&sim->agenda, &c->notice);
    mwi_sim_agenda_release(&sim->agenda, EVENTS_OF_CONNECTION);
    if (c->previous != NULL)
        c->previous->next = c->next;
    else
        sim->connections = c->next;
    if (c->next != NULL)
        c->next->previous = c->previous;
    free(c);
}

void mwi_sim_net_discard(struct mwi_sim_item *item)
{
    struct mwi_sim_connection *c = item->end->connection;

    if (item->kind == MWI_SIM_FRAME) {
        free(item->data);
        free(item);
    }
    release(c);
}

/* Puts the item on the way to its end. */
static void dispatch(struct mwi_sim_item *item)
{
    struct mwi_sim_connection *c = item->end->connection;

    c->uses_count++;
    mwi_sim_way_send(c->sim, &item->end->way, item);
}

/* Throws away what is on the way to the end. The caller holds a use of the connection. */
static void clear_way(struct mwi_sim_end *end)
{
    struct mwi_sim_item *item;

    while ((item = mwi_sim_way_take(end->connection->sim, &end->way)) != NULL) {
        if (item->kind == MWI_SIM_DOWN)
            end->down_used = false;
        mwi_sim_net_discard(item);
    }
}

/* The item has arrived. */
static void put_in_inbox(struct mwi_sim_item *item)
{
    struct mwi_sim_transport *t = item->end->transport;

    mwi_sim_queue_put(&t->inbox, item);
    t->inbox_count++;
    mwi_sim_host_wake(t->host);
}

static bool use_down(struct mwi_sim_end *end, const char *reason)
{
    if (end->down_used)
        return false;
    end->down_used = true;
    end->down_reason = reason;
    end->down.end = end;
    end->down.kind = MWI_SIM_DOWN;
    return true;
}

/* The end goes down as soon as all that is on the way to it has arrived. */
static void send_down(struct mwi_sim_end *end, const char *reason)
{
    if (use_down(end, reason))
        dispatch(&end->down);
}

/* The end goes down now. The caller holds a use of the connection. */
static void fall_down(struct mwi_sim_end *end, const char *reason)
{
    clear_way(end);
    if (end->transport != NULL && use_down(end, reason)) {
        end->connection->uses_count++;
        put_in_inbox(&end->down);
    }
}

static bool grow_peers(struct mwi_sim_transport *t)
{
    size_t capacity = t->peers_capacity > 0 ? 2 * t->peers_capacity : 4;
    struct mwi_sim_end **peers;

    if (t->peers_count < t->peers_capacity)
        return true;
    peers = realloc(t->peers, capacity * sizeof *peers);
    if (peers == NULL)
        return false;
    t->peers = peers;
    t->peers_capacity = capacity;
    return true;
}

static bool attach(struct mwi_sim_end *end, struct mwi_sim_transport *t)
{
    if (!grow_peers(t))
        return false;
    t->peers[t->peers_count++] = end;
    end->number = t->peers_count;
    end->transport = t;
    end->next = t->ends;
    if (t->ends != NULL)
        t->ends->previous = end;
    t->ends = end;
    end->connection->uses_count++;
    return true;
}

void mwi_sim_net_detach(struct mwi_sim_end *end)
{
    struct mwi_sim_transport *t = end->transport;

    t->peers[end->number - 1] = NULL;
    if (end->previous != NULL)
        end->previous->next = end->next;
    else
        t->ends = end->next;
    if (end->next != NULL)
        end->next->previous = end->previous;
    end->transport = NULL;
    release(end->connection);
}

void mwi_sim_net_leave(struct mwi_sim_end *end, const char *reason)
{
    send_down(mwi_sim_net_other(end), reason);
    mwi_sim_net_detach(end);
}

/* A connect has arrived at the place where `end` would be. */
static void answer_connect(struct mwi_sim_end *end)
{
    struct mwi_sim_end *client = mwi_sim_net_other(end);

    if (end->node->listener == NULL) {
        send_down(client, "connection refused");
        return;
    }
    if (!attach(end, end->node->listener)) {
        send_down(client, "connection refused: out of memory");
        return;
    }
    client->up.end = client;
    client->up.kind = MWI_SIM_UP;
    dispatch(&client->up);
    end->up.end = end;
    end->up.kind = MWI_SIM_UP;
    end->connection->uses_count++;
    put_in_inbox(&end->up);
}

static void refuse_frame(struct mwi_sim_end *end, size_t size)
{
    end->oversize_bytes = size;
    fall_down(end, NULL);
    send_down(mwi_sim_net_other(end), "closed by the peer");
}

static void fire_arrival(mw_sim *sim, struct mwi_sim_event *event)
{
    struct mwi_sim_end *end = (struct mwi_sim_end *)event;
    struct mwi_sim_item *item = mwi_sim_way_take(sim, &end->way);

    if (item->kind == MWI_SIM_CONNECT) {
        answer_connect(end);
    } else if (end->transport != NULL) {
        if (item->size <= end->transport->config.frame_bytes_max) {
            put_in_inbox(item);
            return;
        }
        refuse_frame(end, item->size);
    }
    mwi_sim_net_discard(item);
}

void mwi_sim_net_heal(struct mwi_sim_connection *c)
{
    mwi_sim_agenda_remove(&c->sim->agenda, &c->notice);
    mwi_sim_way_unhold(c->sim, &c->ends[0].way);
    mwi_sim_way_unhold(c->sim, &c->ends[1].way);
}

/* Nobody has healed the cut in time. */
static void fire_notice(mw_sim *sim, struct mwi_sim_event *event)
{
    struct mwi_sim_connection *c = (struct mwi_sim_connection *)event;

    (void)sim;
    c->uses_count++;
    fall_down(&c->ends[0], "connection timed out");
    fall_down(&c->ends[1], "connection timed out");
    mwi_sim_net_heal(c);
    release(c);
}

void mwi_sim_net_cut(struct mwi_sim_connection *c, int64_t notice_ns)
{
    struct mwi_sim_agenda *agenda = &c->sim->agenda;

    mwi_sim_way_hold(c->sim, &c->ends[0].way);
    mwi_sim_way_hold(c->sim, &c->ends[1].way);
    mwi_sim_agenda_put(agenda, &c->notice, mwi_sim_agenda_later(c->sim->now_ns, notice_ns),
                       mwi_sim_agenda_order(agenda));
}

static struct mwi_sim_connection *make_connection(mw_sim *sim)
{
    struct mwi_sim_connection *c = calloc(1, sizeof *c);

    if (c == NULL || !mwi_sim_agenda_reserve(&sim->agenda, EVENTS_OF_CONNECTION)) {
        free(c);
        return NULL;
    }
    c->sim = sim;
    c->uses_count = 1;
    c->notice.fire = fire_notice;
    for (int i = 0; i < 2; i++) {
        c->ends[i].way.arrival.fire = fire_arrival;
        c->ends[i].connection = c;
    }
    c->next = sim->connections;
    if (c->next != NULL)
        c->next->previous = c;
    sim->connections = c;
    return c;
}

static void send_connect(struct mwi_sim_connection *c)
{
    const struct mwi_sim_cut *cut = mwi_sim_cut_find(c->ends[0].node, c->ends[1].node);

    c->connect.end = &c->ends[1];
    c->connect.kind = MWI_SIM_CONNECT;
    dispatch(&c->connect);
    if (cut != NULL)
        mwi_sim_net_cut(c, cut->notice_ns);
}

mw_error mwi_sim_net_connect(struct mwi_sim_transport *t, const char *name,
                             struct mwi_sim_end **end)
{
    mw_sim *sim = t->host->sim;
    struct mwi_sim_node *node = mwi_sim_node_get(&sim->nodes, name);
    struct mwi_sim_connection *c = node != NULL ? make_connection(sim) : NULL;
    mw_error error = MW_ENOMEM;

    if (c == NULL)
        return MW_ENOMEM;
    c->ends[0].node = t->host->node;
    c->ends[1].node = node;
    if (attach(&c->ends[0], t)) {
        send_connect(c);
        *end = &c->ends[0];
        error = MW_OK;
    }
    release(c);
    return error;
}

struct mwi_sim_end *mwi_sim_net_find(const struct mwi_sim_transport *t, mw_peer peer)
{
    return peer >= 1 && peer <= t->peers_count ? t->peers[peer - 1] : NULL;
}

bool mwi_sim_net_send(struct mwi_sim_end *end, void *data, size_t size, const mw_body *body)
{
    struct mwi_sim_item *item = malloc(sizeof *item);

    if (item == NULL)
        return false;
    *item = (struct mwi_sim_item){.end = mwi_sim_net_other(end),
                                  .kind = MWI_SIM_FRAME,
                                  .data = body == NULL ? data : mwi_body_join(data, size, body),
                                  .size = size + mwi_body_size(body)};
    if (body != NULL && item->data == NULL) {
        free(item);
        return false;
    }
    dispatch(item);
    return true;
}

size_t mwi_sim_net_backlog(const struct mwi_sim_end *end)
{
    size_t bytes = mwi_sim_net_other(end)->way.bytes;

    return bytes > TAKEN_BYTES_MAX ? bytes - TAKEN_BYTES_MAX : 0;
}

struct mwi_sim_item *mwi_sim_net_take(struct mwi_sim_transport *t)
{
    t->inbox_count--;
    return mwi_sim_queue_take(&t->inbox);
}

void mwi_sim_net_leave_all(struct mwi_sim_transport *t, const char *reason)
{
    while (t->ends != NULL)
        mwi_sim_net_leave(t->ends, reason);
    while (t->inbox_count > 0)
        mwi_sim_net_discard(mwi_sim_net_take(t));
    if (t->host->node->listener == t)
        t->host->node->listener = NULL;
}

void mwi_sim_net_leave_host(mw_sim_host *host, const char *reason)
{
    for (struct mwi_sim_transport *t = host->transports; t != NULL; t = t->next)
        mwi_sim_net_leave_all(t, reason);
    host->node->host = NULL;
}

void mwi_sim_net_free_host(mw_sim_host *host)
{
    while (host->transports != NULL) {
        struct mwi_sim_transport *t = host->transports;

        host->transports = t->next;
        free(t->peers);
        free(t);
    }
}

void mwi_sim_net_fini(mw_sim *sim)
{
    while (sim->connections != NULL) {
        struct mwi_sim_connection *c = sim->connections;

        c->uses_count++;
        clear_way(&c->ends[0]);
        clear_way(&c->ends[1]);
        release(c);
    }
}

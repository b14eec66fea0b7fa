/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections. All news from one side to the other - that it connects, accepts, sends, is gone - is
 * an item on the way to the other end; items arrive in the order in which they were sent. An item
 * that has arrived waits in the inbox of the end's transport until the host polls. A way that is
 * held by a cut keeps its items.
 *
 * - A connection lives as long as it has uses: one for each end that a transport holds, and one for
 *   each item on a way or in an inbox.
 * - Each end has one `down` item, so that saying it never needs memory and happens at most once.
 * - Frames are handed over, never copied.
 *
 * A new kind of loss or delay goes into way.c if it is about one direction, into here if it is
 * about a connection; the public function that causes it goes into fault.c.
 */
#include "net.h"

#include <assert.h>
#include <stdlib.h>

#include "base/body.h"
#include "base/time.h"
#include "cut.h"
#include "sim_host.h"

/* Events that a connection may have arranged at once: two arrivals and a notice. */
#define EVENTS_OF_CONNECTION 3

struct mwi_sim_end *mwi_sim_net_other(const struct mwi_sim_end *end)
{
    return &end->connection->ends[end == &end->connection->ends[0]];
}

static void enter_node(struct mwi_sim_end *end, struct mwi_sim_node *node)
{
    end->node = node;
    node->ends_count++;
    mwi_list_prepend(&node->ends, &end->node_link);
}

static void leave_node(struct mwi_sim_end *end)
{
    assert(end->node->ends_count > 0);
    end->node->ends_count--;
    mwi_list_remove(&end->node_link);
}

static void release(struct mwi_sim_connection *connection)
{
    assert(connection->uses_count > 0);
    if (--connection->uses_count > 0)
        return;
    mw_sim *sim = connection->sim;
    mwi_sim_agenda_remove(&sim->agenda, &connection->notice);
    mwi_sim_agenda_release(&sim->agenda, EVENTS_OF_CONNECTION);
    leave_node(&connection->ends[0]);
    leave_node(&connection->ends[1]);
    free(connection);
}

void mwi_sim_net_discard(struct mwi_sim_item *item)
{
    struct mwi_sim_connection *connection = item->end->connection;
    if (item->kind == MWI_SIM_FRAME) {
        free(item->data);
        free(item);
    }
    release(connection);
}

/* Puts the item on the way to its end. */
static void dispatch(struct mwi_sim_item *item)
{
    struct mwi_sim_connection *connection = item->end->connection;
    connection->uses_count++;
    mwi_sim_way_send(connection->sim, &item->end->way, item);
}

/* Throws away what is on the way to the end. The caller holds a use of the connection. */
static void clear_way(struct mwi_sim_end *end)
{
    struct mwi_sim_item *item;
    while ((item = mwi_sim_way_take(end->connection->sim, &end->way)) != NULL) {
        if (item->kind == MWI_SIM_DOWN)
            end->is_down_used = false;
        mwi_sim_net_discard(item);
    }
}

/* The item has arrived. Its use of the connection is kept. */
static void put_in_inbox(struct mwi_sim_item *item)
{
    struct mwi_sim_transport *transport = item->end->transport;
    assert(transport != NULL);
    mwi_sim_way_push(&transport->inbox, item);
    transport->inbox_count++;
    mwi_sim_host_wake(transport->host);
}

/* Prepares the end's down item; false if it is under way already. */
static bool use_down(struct mwi_sim_end *end, const char *reason)
{
    if (end->is_down_used)
        return false;
    end->is_down_used = true;
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

static bool grow_peers(struct mwi_sim_transport *transport)
{
    if (transport->peers_count < transport->peers_capacity)
        return true;
    size_t capacity = transport->peers_capacity > 0 ? 2 * transport->peers_capacity : 4;
    struct mwi_sim_end **peers = realloc(transport->peers, capacity * sizeof *peers);
    if (peers == NULL)
        return false;
    transport->peers = peers;
    transport->peers_capacity = capacity;
    return true;
}

/* Gives the end to the transport, with the next number. False out of memory. */
static bool attach(struct mwi_sim_end *end, struct mwi_sim_transport *transport)
{
    assert(end->transport == NULL);
    if (!grow_peers(transport))
        return false;
    transport->peers[transport->peers_count++] = end;
    end->number = transport->peers_count;
    end->transport = transport;
    end->next = transport->ends;
    if (transport->ends != NULL)
        transport->ends->previous = end;
    transport->ends = end;
    end->connection->uses_count++;
    return true;
}

void mwi_sim_net_detach(struct mwi_sim_end *end)
{
    struct mwi_sim_transport *transport = end->transport;
    assert(transport->peers[end->number - 1] == end);
    transport->peers[end->number - 1] = NULL;
    if (end->previous != NULL)
        end->previous->next = end->next;
    else
        transport->ends = end->next;
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

/* A frame has arrived that is larger than the end's transport accepts. */
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
    assert(item != NULL && item->end == end);
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

void mwi_sim_net_heal(struct mwi_sim_connection *connection)
{
    mwi_sim_agenda_remove(&connection->sim->agenda, &connection->notice);
    mwi_sim_way_unhold(connection->sim, &connection->ends[0].way);
    mwi_sim_way_unhold(connection->sim, &connection->ends[1].way);
}

/* The cut was not healed in time. */
static void fire_notice(mw_sim *sim, struct mwi_sim_event *event)
{
    struct mwi_sim_connection *connection = (struct mwi_sim_connection *)event;
    (void)sim;
    connection->uses_count++;
    fall_down(&connection->ends[0], "connection timed out");
    fall_down(&connection->ends[1], "connection timed out");
    mwi_sim_net_heal(connection);
    release(connection);
}

void mwi_sim_net_cut(struct mwi_sim_connection *connection, int64_t notice_ns)
{
    mw_sim *sim = connection->sim;
    mwi_sim_way_hold(sim, &connection->ends[0].way);
    mwi_sim_way_hold(sim, &connection->ends[1].way);
    mwi_sim_agenda_put(&sim->agenda, &connection->notice, mwi_time_after(sim->now_ns, notice_ns),
                       mwi_sim_agenda_order(&sim->agenda));
}

/* A connection between the places with one use, the caller's; NULL out of memory. */
static struct mwi_sim_connection *make_connection(mw_sim *sim, struct mwi_sim_node *here,
                                                  struct mwi_sim_node *there)
{
    struct mwi_sim_connection *connection =
        aligned_alloc(alignof(struct mwi_sim_connection), sizeof *connection);
    if (connection == NULL || !mwi_sim_agenda_reserve(&sim->agenda, EVENTS_OF_CONNECTION)) {
        free(connection);
        return NULL;
    }
    *connection =
        (struct mwi_sim_connection){.sim = sim, .uses_count = 1, .notice.fire = fire_notice};
    for (int i = 0; i < 2; i++) {
        connection->ends[i].way.arrival.fire = fire_arrival;
        connection->ends[i].connection = connection;
        enter_node(&connection->ends[i], i == 0 ? here : there);
    }
    return connection;
}

static void send_connect(struct mwi_sim_connection *connection)
{
    connection->connect.end = &connection->ends[1];
    connection->connect.kind = MWI_SIM_CONNECT;
    dispatch(&connection->connect);
    const struct mwi_sim_cut *cut =
        mwi_sim_cut_find(connection->ends[0].node, connection->ends[1].node);
    if (cut != NULL)
        mwi_sim_net_cut(connection, cut->notice_ns);
}

mw_error mwi_sim_net_connect(struct mwi_sim_transport *transport, const char *name,
                             struct mwi_sim_end **end)
{
    mw_sim *sim = transport->host->sim;
    struct mwi_sim_node *node = mwi_sim_node_get(&sim->nodes, name);
    struct mwi_sim_connection *connection =
        node != NULL ? make_connection(sim, transport->host->node, node) : NULL;
    if (connection == NULL)
        return MW_ENOMEM;
    bool is_attached = attach(&connection->ends[0], transport);
    if (is_attached) {
        send_connect(connection);
        *end = &connection->ends[0];
    }
    release(connection);
    return is_attached ? MW_OK : MW_ENOMEM;
}

struct mwi_sim_end *mwi_sim_net_find(const struct mwi_sim_transport *transport, mw_peer peer)
{
    return peer >= 1 && peer <= transport->peers_count ? transport->peers[peer - 1] : NULL;
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

struct mwi_sim_item *mwi_sim_net_take(struct mwi_sim_transport *transport)
{
    assert(transport->inbox_count > 0);
    transport->inbox_count--;
    return mwi_sim_way_pop(&transport->inbox);
}

void mwi_sim_net_leave_all(struct mwi_sim_transport *transport, const char *reason)
{
    while (transport->ends != NULL)
        mwi_sim_net_leave(transport->ends, reason);
    while (transport->inbox_count > 0)
        mwi_sim_net_discard(mwi_sim_net_take(transport));
    if (transport->host->node->listener == transport)
        transport->host->node->listener = NULL;
}

void mwi_sim_net_leave_host(mw_sim_host *host, const char *reason)
{
    for (struct mwi_sim_transport *transport = host->transports; transport != NULL;
         transport = transport->next)
        mwi_sim_net_leave_all(transport, reason);
    host->node->host = NULL;
}

void mwi_sim_net_free_host(mw_sim_host *host)
{
    while (host->transports != NULL) {
        struct mwi_sim_transport *transport = host->transports;
        host->transports = transport->next;
        free(transport->peers);
        free(transport);
    }
}

/* Frees the connections that have an end at the place. */
static void free_connections(struct mwi_sim_node *node)
{
    while (!mwi_list_is_empty(&node->ends)) {
        struct mwi_sim_connection *connection =
            MWI_LIST_ENTRY(node->ends.next, struct mwi_sim_end, node_link)->connection;
        connection->uses_count++;
        clear_way(&connection->ends[0]);
        clear_way(&connection->ends[1]);
        release(connection);
    }
}

void mwi_sim_net_fini(mw_sim *sim)
{
    for (size_t i = 0; i < sim->nodes.slots_count; i++)
        if (sim->nodes.slots[i] != NULL)
            free_connections(sim->nodes.slots[i]);
}

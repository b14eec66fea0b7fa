/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated network: order and delays of frames, connects that fail, the ends of connections,
 * cuts, limits, and what a stale peer gets. The server is the host "b", the client the host "a".
 */
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "agent.h"

struct net {
    mw_sim *sim;
    mw_sim_host *server_host, *client_host;
    struct mwt_agent server, client;
    int64_t notice_ns, time_ns;
    mw_error errors[4];
    size_t sizes[4];
    size_t server_frame_bytes_max;
};

static struct net *create_net(const mw_sim_config *config)
{
    struct net *n = calloc(1, sizeof *n);

    CU_ASSERT_PTR_NOT_NULL_FATAL(n);
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&n->sim, config), MW_OK);
    return n;
}

static void destroy_net(struct net *n)
{
    mw_sim_destroy(n->sim);
    free(n);
}

static void at(struct net *n, int64_t at_ns, void (*act)(mw_sim *, void *))
{
    CU_ASSERT_EQUAL_FATAL(mw_sim_at(n->sim, at_ns, act, n), MW_OK);
}

/* Listens for ten seconds. */
static int serve(mw_sim_host *host, void *context)
{
    struct net *n = context;
    char bound[8];

    n->errors[0] = mwt_agent_open(&n->server, host, n->server_frame_bytes_max);
    n->errors[1] =
        mw_sim_transport.listen(n->server.transport, "", bound, sizeof bound, &n->server.why);
    CU_ASSERT_STRING_EQUAL(bound, "b");
    mwt_agent_poll_until(&n->server, 10 * MWT_SECOND);
    mwt_agent_close(&n->server);
    return 0;
}

static void start(struct net *n, mw_sim_main *server, mw_sim_main *client)
{
    if (server != NULL)
        CU_ASSERT_EQUAL_FATAL(mw_sim_host_start(n->sim, "b", server, n, &n->server_host), MW_OK);
    CU_ASSERT_EQUAL_FATAL(mw_sim_host_start(n->sim, "a", client, n, &n->client_host), MW_OK);
}

static void run(struct net *n)
{
    CU_ASSERT_TRUE(mw_sim_run(n->sim, INT64_MAX));
}

static void check_down(const struct mwt_agent *agent, const char *reason)
{
    CU_ASSERT_EQUAL(agent->counts[MWT_DOWN], 1);
    CU_ASSERT_STRING_EQUAL(mwt_agent_seen(agent, MWT_DOWN, 0)->text, reason);
}

static int send_hundred(mw_sim_host *host, void *context)
{
    struct net *n = context;

    if (!mwt_agent_connect(&n->client, host, "b"))
        return 1;
    mwt_agent_await(&n->client, MWT_UP, 1);
    n->time_ns = mw_sim_now(n->sim);
    mwt_agent_send_range(&n->client, 1, 100);
    mwt_agent_close(&n->client);
    return 0;
}

/* A hundred frames sent at once and followed by a close all arrive, in order, within the bounds of
 * the delay, and then the peer goes down. Both ends hear the other's name. */
static void frames_keep_their_order(void)
{
    struct net *n = create_net(&(mw_sim_config){.delay_min_ns = 1000, .delay_max_ns = 9000});
    start(n, serve, send_hundred);

    run(n);

    CU_ASSERT_TRUE(mwt_agent_saw_range(&n->server, 1, 100));
    for (int i = 0; i < 100; i++) {
        int64_t delay_ns = mwt_agent_seen(&n->server, MWT_MESSAGE, i)->time_ns - n->time_ns;
        CU_ASSERT_TRUE(delay_ns >= 1000 && delay_ns <= 9000);
    }
    check_down(&n->server, "closed by the peer");
    CU_ASSERT_EQUAL(n->server.seen[101].kind, MWT_DOWN);
    CU_ASSERT_STRING_EQUAL(mwt_agent_seen(&n->server, MWT_UP, 0)->text, "a");
    CU_ASSERT_STRING_EQUAL(mwt_agent_seen(&n->client, MWT_UP, 0)->text, "b");
    destroy_net(n);
}

/* With one delay for all, a connect is up after exactly twice that. */
static void a_fixed_delay_is_exact(void)
{
    struct net *n = create_net(&(mw_sim_config){.delay_min_ns = 7000, .delay_max_ns = 7000});
    start(n, serve, send_hundred);

    run(n);

    CU_ASSERT_EQUAL(mwt_agent_seen(&n->server, MWT_UP, 0)->time_ns, 7000);
    CU_ASSERT_EQUAL(mwt_agent_seen(&n->client, MWT_UP, 0)->time_ns, 14000);
    CU_ASSERT_EQUAL(mwt_agent_seen(&n->server, MWT_MESSAGE, 99)->time_ns, 21000);
    destroy_net(n);
}

static int leave_without_close(mw_sim_host *host, void *context)
{
    struct net *n = context;

    if (!mwt_agent_connect(&n->client, host, "b"))
        return 1;
    mwt_agent_await(&n->client, MWT_UP, 1);
    mwt_agent_send_range(&n->client, 1, 3);
    return 0;
}

/* A host that ends without closing its transport leaves as one that did. */
static void the_end_of_a_host_closes(void)
{
    struct net *n = create_net(&(mw_sim_config){.seed = 2});
    start(n, serve, leave_without_close);

    run(n);

    CU_ASSERT_TRUE(mwt_agent_saw_range(&n->server, 1, 3));
    check_down(&n->server, "closed by the peer");
    destroy_net(n);
}

static int connect_and_wait(mw_sim_host *host, void *context)
{
    struct net *n = context;

    if (!mwt_agent_connect(&n->client, host, "b"))
        return 1;
    mwt_agent_poll_until(&n->client, 10 * MWT_SECOND);
    mwt_agent_close(&n->client);
    return 0;
}

static int listen_to_nobody(mw_sim_host *host, void *context)
{
    struct net *n = context;

    n->errors[0] = mwt_agent_open(&n->server, host, 0);
    mwt_agent_poll_until(&n->server, MWT_SECOND);
    mwt_agent_close(&n->server);
    return 0;
}

/* A connect to a name that no host has, or whose host does not listen, goes down after the delay
 * there and back, without an up. */
static void connect_to_nobody(void)
{
    mw_sim_main *const servers[] = {NULL, listen_to_nobody};

    for (int i = 0; i < 2; i++) {
        struct net *n = create_net(&(mw_sim_config){.seed = 3});
        start(n, servers[i], connect_and_wait);

        run(n);

        int64_t time_ns = mwt_agent_seen(&n->client, MWT_DOWN, 0)->time_ns;
        CU_ASSERT_EQUAL(n->client.counts[MWT_UP], 0);
        check_down(&n->client, "connection refused");
        CU_ASSERT_TRUE(time_ns >= 100000 && time_ns <= 400000);
        CU_ASSERT_EQUAL(n->server.seen_count, 0);
        destroy_net(n);
    }
}

static void start_server(mw_sim *sim, void *context)
{
    struct net *n = context;

    n->errors[2] = mw_sim_host_start(sim, "b", serve, n, &n->server_host);
}

static int connect_again_and_again(mw_sim_host *host, void *context)
{
    struct net *n = context;

    if (!mwt_agent_connect(&n->client, host, "b"))
        return 1;
    while (n->client.counts[MWT_UP] == 0 && n->client.error == MW_OK) {
        int downs = n->client.counts[MWT_DOWN];
        mwt_agent_poll(&n->client, mw_sim_now(n->sim) + 100 * MWT_MS);
        if (n->client.counts[MWT_DOWN] == downs)
            continue;
        mwt_agent_poll(&n->client, mw_sim_now(n->sim) + 100 * MWT_MS);
        n->errors[3] =
            mw_sim_transport.connect(n->client.transport, "b", &n->client.peer, &n->client.why);
    }
    n->time_ns = mw_sim_now(n->sim);
    mwt_agent_close(&n->client);
    return 0;
}

/* A client that comes before the server and tries again gets through once it is there; each try is
 * a new peer. */
static void connect_before_listen(void)
{
    struct net *n = create_net(&(mw_sim_config){.seed = 4});
    start(n, NULL, connect_again_and_again);
    at(n, MWT_SECOND, start_server);

    run(n);

    CU_ASSERT_TRUE(n->client.counts[MWT_DOWN] >= 5);
    CU_ASSERT_EQUAL(n->client.counts[MWT_UP], 1);
    CU_ASSERT_EQUAL(n->client.peer, (mw_peer)n->client.counts[MWT_DOWN] + 1);
    CU_ASSERT_TRUE(n->time_ns > MWT_SECOND && n->time_ns < 2 * MWT_SECOND);
    destroy_net(n);
}

static void cut(mw_sim *sim, void *context)
{
    struct net *n = context;

    (void)sim;
    n->errors[2] = mw_sim_cut(n->client_host, n->server_host, n->notice_ns);
}

static void heal(mw_sim *sim, void *context)
{
    struct net *n = context;

    (void)sim;
    mw_sim_heal(n->server_host, n->client_host);
}

static int send_before_and_in_the_cut(mw_sim_host *host, void *context)
{
    struct net *n = context;

    if (!mwt_agent_connect(&n->client, host, "b"))
        return 1;
    mwt_agent_poll_until(&n->client, MWT_SECOND - 1);
    mwt_agent_send_range(&n->client, 1, 10);
    mwt_agent_poll_until(&n->client, MWT_SECOND + MWT_MS);
    mwt_agent_send_range(&n->client, 11, 20);
    mwt_agent_poll_until(&n->client, 10 * MWT_SECOND);
    mwt_agent_close(&n->client);
    return 0;
}

/* A cut that nobody heals delivers nothing of what was under way, and takes both ends down exactly
 * when it is noticed. */
static void cut_without_heal(void)
{
    struct net *n = create_net(&(mw_sim_config){.seed = 5});
    start(n, serve, send_before_and_in_the_cut);
    n->notice_ns = 3 * MWT_SECOND;
    at(n, MWT_SECOND, cut);

    run(n);

    CU_ASSERT_EQUAL(n->errors[2], MW_OK);
    CU_ASSERT_EQUAL(n->server.counts[MWT_MESSAGE], 0);
    check_down(&n->server, "connection timed out");
    check_down(&n->client, "connection timed out");
    CU_ASSERT_EQUAL(mwt_agent_seen(&n->server, MWT_DOWN, 0)->time_ns, 4 * MWT_SECOND);
    CU_ASSERT_EQUAL(mwt_agent_seen(&n->client, MWT_DOWN, 0)->time_ns, 4 * MWT_SECOND);
    destroy_net(n);
}

/* A cut that is healed in time only delays: all arrives after that, in order, and none goes down.
 */
static void cut_with_heal(void)
{
    struct net *n = create_net(&(mw_sim_config){.seed = 6});
    start(n, serve, send_before_and_in_the_cut);
    n->notice_ns = 3 * MWT_SECOND;
    at(n, MWT_SECOND, cut);
    at(n, 3 * MWT_SECOND, heal);

    CU_ASSERT_FALSE(mw_sim_run(n->sim, 9 * MWT_SECOND));

    CU_ASSERT_TRUE(mwt_agent_saw_range(&n->server, 1, 20));
    CU_ASSERT_TRUE(mwt_agent_seen(&n->server, MWT_MESSAGE, 0)->time_ns > 3 * MWT_SECOND);
    CU_ASSERT_EQUAL(n->server.counts[MWT_DOWN] + n->client.counts[MWT_DOWN], 0);
    destroy_net(n);
}

static int connect_late(mw_sim_host *host, void *context)
{
    struct net *n = context;

    mw_sim_spend(n->sim, 2 * MWT_SECOND);
    return connect_and_wait(host, context);
}

/* A connect across a cut goes down after the notice, counted from the connect; or comes up, if the
 * cut is healed before. */
static void connect_across_a_cut(void)
{
    for (int healed = 0; healed < 2; healed++) {
        struct net *n = create_net(&(mw_sim_config){.seed = 7});
        start(n, serve, connect_late);
        n->notice_ns = 3 * MWT_SECOND;
        at(n, MWT_SECOND, cut);
        if (healed)
            at(n, 4 * MWT_SECOND, heal);

        CU_ASSERT_FALSE(mw_sim_run(n->sim, 9 * MWT_SECOND));

        CU_ASSERT_EQUAL(n->client.counts[MWT_UP], healed);
        CU_ASSERT_EQUAL(n->client.counts[MWT_DOWN], !healed);
        CU_ASSERT_EQUAL(n->server.seen_count, healed);
        if (!healed)
            CU_ASSERT_EQUAL(n->client.seen[0].time_ns, 5 * MWT_SECOND);
        destroy_net(n);
    }
}

static void restart_server(mw_sim *sim, void *context)
{
    mw_sim_kill(((struct net *)context)->server_host);
    start_server(sim, context);
}

/* A cut is between places: a host that is started anew is still behind it, and can be healed. */
static void a_cut_outlives_its_hosts(void)
{
    struct net *n = create_net(&(mw_sim_config){.seed = 8});
    start(n, listen_to_nobody, connect_late);
    n->notice_ns = 3 * MWT_SECOND;
    at(n, 0, cut);
    at(n, 500 * MWT_MS, restart_server);
    at(n, 4 * MWT_SECOND, heal);

    CU_ASSERT_FALSE(mw_sim_run(n->sim, 9 * MWT_SECOND));

    CU_ASSERT_EQUAL(n->errors[2], MW_OK);
    CU_ASSERT_EQUAL(n->client.counts[MWT_UP], 1);
    CU_ASSERT_TRUE(n->client.seen[0].time_ns > 4 * MWT_SECOND);
    destroy_net(n);
}

static void kill_client(mw_sim *sim, void *context)
{
    (void)sim;
    mw_sim_kill(((struct net *)context)->client_host);
}

/* Nobody hears of a death behind a cut before the cut is healed or noticed. */
static void a_death_behind_a_cut(void)
{
    struct net *n = create_net(&(mw_sim_config){.seed = 9});
    start(n, serve, send_before_and_in_the_cut);
    n->notice_ns = 5 * MWT_SECOND;
    at(n, MWT_SECOND, cut);
    at(n, 2 * MWT_SECOND, kill_client);
    at(n, 3 * MWT_SECOND, heal);

    run(n);

    CU_ASSERT_TRUE(mwt_agent_saw_range(&n->server, 1, 20));
    check_down(&n->server, "connection reset by the peer");
    CU_ASSERT_TRUE(mwt_agent_seen(&n->server, MWT_DOWN, 0)->time_ns > 3 * MWT_SECOND);
    destroy_net(n);
}

/* A host cannot be cut off from itself, nor from one of another world. */
static void senseless_cuts(void)
{
    struct net *n = create_net(&(mw_sim_config){0}), *other = create_net(&(mw_sim_config){0});
    start(n, serve, connect_and_wait);
    start(other, serve, connect_and_wait);

    CU_ASSERT_EQUAL(mw_sim_cut(n->server_host, n->server_host, 1), MW_EINVAL);
    CU_ASSERT_EQUAL(mw_sim_cut(n->server_host, other->client_host, 1), MW_EINVAL);
    CU_ASSERT_EQUAL(mw_sim_cut(n->server_host, n->client_host, -1), MW_EINVAL);
    mw_sim_heal(n->server_host, n->client_host);

    destroy_net(n);
    destroy_net(other);
}

static int send_too_much(mw_sim_host *host, void *context)
{
    struct net *n = context;

    if (!mwt_agent_connect(&n->client, host, "b"))
        return 1;
    mwt_agent_await(&n->client, MWT_UP, 1);
    n->errors[2] = mwt_agent_send(&n->client, n->client.peer, 1, (1 << 20) + 1);
    n->errors[3] = mwt_agent_send(&n->client, n->client.peer, 1, 1000);
    (void)mwt_agent_send(&n->client, n->client.peer, 2, 1001);
    (void)mwt_agent_send(&n->client, n->client.peer, 3, 1000);
    mwt_agent_await(&n->client, MWT_DOWN, 1);
    mwt_agent_close(&n->client);
    return 0;
}

/* A frame over one's own limit is not sent; one over the receiver's limit takes both ends down. */
static void frame_limits(void)
{
    struct net *n = create_net(&(mw_sim_config){.seed = 10});
    n->server_frame_bytes_max = 1000;
    start(n, serve, send_too_much);

    run(n);

    CU_ASSERT_EQUAL(n->errors[2], MW_ETOOBIG);
    CU_ASSERT_EQUAL(n->errors[3], MW_OK);
    CU_ASSERT_TRUE(mwt_agent_saw_range(&n->server, 1, 1));
    CU_ASSERT_STRING_EQUAL(mwt_agent_seen(&n->server, MWT_DOWN, 0)->text,
                           "a frame of 1001 bytes is over the limit of 1000");
    check_down(&n->client, "closed by the peer");
    destroy_net(n);
}

static int use_stale_peers(mw_sim_host *host, void *context)
{
    struct net *n = context;
    mw_peer peer;

    if (!mwt_agent_connect(&n->client, host, "b"))
        return 1;
    mwt_agent_await(&n->client, MWT_UP, 1);
    peer = n->client.peer;
    mwt_agent_send_range(&n->client, 1, 5);
    mw_sim_transport.drop(n->client.transport, peer);
    n->errors[2] = mwt_agent_send(&n->client, peer, 6, 8);
    n->errors[3] = mwt_agent_send(&n->client, 77, 6, 8);
    n->sizes[0] = mw_sim_transport.backlog(n->client.transport, peer);
    mw_sim_transport.drop(n->client.transport, peer);
    mw_sim_transport.drop(n->client.transport, 0);
    mwt_agent_poll_until(&n->client, MWT_SECOND);
    mwt_agent_close(&n->client);
    return 0;
}

/* Who drops a peer hears no more of it; the peer gets what was sent, and goes down. Calls with its
 * number, or one that never was, are harmless. */
static void drop_and_stale_peers(void)
{
    struct net *n = create_net(&(mw_sim_config){.seed = 11});
    start(n, serve, use_stale_peers);

    run(n);

    CU_ASSERT_EQUAL(n->client.seen_count, 1);
    CU_ASSERT_TRUE(mwt_agent_saw_range(&n->server, 1, 5));
    check_down(&n->server, "closed by the peer");
    CU_ASSERT_EQUAL(n->errors[2], MW_EPEER);
    CU_ASSERT_EQUAL(n->errors[3], MW_EPEER);
    CU_ASSERT_EQUAL(n->sizes[0], 0);
    destroy_net(n);
}

static int pile_up(mw_sim_host *host, void *context)
{
    struct net *n = context;

    if (!mwt_agent_connect(&n->client, host, "b"))
        return 1;
    mwt_agent_await(&n->client, MWT_UP, 1);
    n->errors[2] = mwt_agent_send(&n->client, n->client.peer, 1, 1000);
    n->sizes[0] = mw_sim_transport.backlog(n->client.transport, n->client.peer);
    n->errors[3] = mwt_agent_send(&n->client, n->client.peer, 2, 1 << 20);
    n->sizes[1] = mw_sim_transport.backlog(n->client.transport, n->client.peer);
    mwt_agent_poll_until(&n->client, MWT_SECOND);
    n->sizes[2] = mw_sim_transport.backlog(n->client.transport, n->client.peer);
    mwt_agent_close(&n->client);
    return 0;
}

/* The network takes a little at once; the rest is backlog until it has arrived. */
static void backlog_rises_and_falls(void)
{
    struct net *n = create_net(&(mw_sim_config){.seed = 12});
    start(n, serve, pile_up);

    run(n);

    CU_ASSERT_EQUAL(n->errors[3], MW_OK);
    CU_ASSERT_EQUAL(n->sizes[0], 0);
    CU_ASSERT_TRUE(n->sizes[1] > 1 << 19 && n->sizes[1] <= (1 << 20) + 1000);
    CU_ASSERT_EQUAL(n->sizes[2], 0);
    destroy_net(n);
}

static int misuse(mw_sim_host *host, void *context)
{
    struct net *n = context;
    struct mwt_agent *agent = &n->client;
    char bound[8];
    mw_peer peer;

    n->errors[0] = mwt_agent_open(agent, NULL, 0);
    n->errors[1] = mwt_agent_open(agent, n->server_host, 0);
    if (mwt_agent_open(agent, host, 0) != MW_OK)
        return 1;
    n->errors[2] =
        mw_sim_transport.listen(agent->transport, "elsewhere", bound, sizeof bound, &agent->why);
    n->errors[3] = mw_sim_transport.connect(agent->transport, "", &peer, &agent->why);
    CU_ASSERT_EQUAL(mw_sim_transport.listen(agent->transport, "", bound, 1, &agent->why),
                    MW_EINVAL);
    CU_ASSERT_EQUAL(
        mw_sim_transport.listen(agent->transport, "a", bound, sizeof bound, &agent->why), MW_OK);
    return 0;
}

/* A transport is opened by the host that runs, listens under its name only, and connects to a name;
 * nobody but that host polls it. */
static void misuse_is_refused(void)
{
    struct net *n = create_net(&(mw_sim_config){0});
    start(n, serve, misuse);

    CU_ASSERT_FALSE(mw_sim_run(n->sim, MWT_SECOND));

    CU_ASSERT_EQUAL(n->errors[0], MW_EINVAL);
    CU_ASSERT_EQUAL(n->errors[1], MW_EINVAL);
    CU_ASSERT_EQUAL(n->errors[2], MW_ENETWORK);
    CU_ASSERT_EQUAL(n->errors[3], MW_EINVAL);
    mwt_agent_poll(&n->server, 0);
    CU_ASSERT_EQUAL(n->server.error, MW_ENETWORK);
    mw_sim_transport.close(NULL);
    destroy_net(n);
}

static void compute_in_callback(struct mwt_agent *agent, mw_peer peer, uint64_t number)
{
    (void)peer;
    mw_sim_spend(mw_sim_host_world(agent->host), MWT_SECOND);
    if (number == 2)
        mw_sim_kill(agent->host);
}

/* A callback may compute, and even be the death of its host: the rest of what had arrived is not
 * handed out then. */
static void a_callback_that_computes_and_dies(void)
{
    struct net *n = create_net(&(mw_sim_config){.seed = 13});
    start(n, serve, send_hundred);
    n->server.on_message = compute_in_callback;

    run(n);

    CU_ASSERT_TRUE(mwt_agent_saw_range(&n->server, 1, 2));
    CU_ASSERT_EQUAL(n->server.error, MW_ENETWORK);
    CU_ASSERT_TRUE(mw_sim_host_ended(n->server_host, NULL));
    destroy_net(n);
}

static int wait_with_two_transports(mw_sim_host *host, void *context)
{
    struct net *n = context;

    if (!mwt_agent_listen(&n->server, host) || mwt_agent_open(&n->client, host, 0) != MW_OK)
        return 1;
    mwt_agent_poll(&n->client, INT64_MAX);
    n->time_ns = mw_sim_now(n->sim);
    mwt_agent_poll(&n->server, 0);
    mwt_agent_close(&n->server);
    mwt_agent_close(&n->client);
    return 0;
}

static int connect_only(mw_sim_host *host, void *context)
{
    struct mwt_agent *agent = calloc(1, sizeof *agent);

    (void)context;
    if (agent != NULL && mwt_agent_connect(agent, host, "b"))
        mwt_agent_await(agent, MWT_DOWN, 1);
    mw_sim_transport.close(agent != NULL ? agent->transport : NULL);
    free(agent);
    return 0;
}

/* A host may hold several transports: what arrives for one of them wakes it in the poll of any. */
static void an_arrival_wakes_every_poll(void)
{
    struct net *n = create_net(&(mw_sim_config){.delay_min_ns = 500, .delay_max_ns = 500});
    start(n, wait_with_two_transports, connect_only);

    run(n);

    CU_ASSERT_EQUAL(n->time_ns, 500);
    CU_ASSERT_EQUAL(n->server.counts[MWT_UP], 1);
    destroy_net(n);
}

int main(void)
{
    static CU_TestInfo tests[] = {
        {"frames keep their order", frames_keep_their_order},
        {"a fixed delay is exact", a_fixed_delay_is_exact},
        {"the end of a host closes", the_end_of_a_host_closes},
        {"connect to nobody", connect_to_nobody},
        {"connect before listen", connect_before_listen},
        {"cut without heal", cut_without_heal},
        {"cut with heal", cut_with_heal},
        {"connect across a cut", connect_across_a_cut},
        {"a cut outlives its hosts", a_cut_outlives_its_hosts},
        {"a death behind a cut", a_death_behind_a_cut},
        {"senseless cuts", senseless_cuts},
        {"frame limits", frame_limits},
        {"drop and stale peers", drop_and_stale_peers},
        {"backlog rises and falls", backlog_rises_and_falls},
        {"misuse is refused", misuse_is_refused},
        {"a callback that computes and dies", a_callback_that_computes_and_dies},
        {"an arrival wakes every poll", an_arrival_wakes_every_poll},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{.pName = "sim net", .pTests = tests}, CU_SUITE_INFO_NULL};
    unsigned failures;

    if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
        return EXIT_FAILURE;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

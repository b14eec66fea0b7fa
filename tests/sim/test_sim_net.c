/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated network: order and delays of frames, connects that fail, the ends of connections,
 * cuts, limits, and what a stale peer gets. The server is the host "b", the client the host "a".
 */
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "agent.h"
#include "mwt_run.h"

struct net {
    mw_sim *sim;
    mw_sim_host *server_host, *client_host;
    struct mwt_agent server, client;
    int64_t notice_ns, time_ns;
    mw_error errors[4];
    size_t server_frame_bytes_max;
};

static struct net *create_net(const mw_sim_config *config)
{
    struct net *net = calloc(1, sizeof *net);

    CU_ASSERT_PTR_NOT_NULL_FATAL(net);
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&net->sim, config), MW_OK);
    return net;
}

static void destroy_net(struct net *net)
{
    mw_sim_destroy(net->sim);
    free(net);
}

static void at(struct net *net, int64_t at_ns, void (*act)(mw_sim *, void *))
{
    CU_ASSERT_EQUAL_FATAL(mw_sim_at(net->sim, at_ns, act, net), MW_OK);
}

/* Listens for ten seconds. */
static int serve(mw_sim_host *host, void *context)
{
    struct net *net = context;
    char bound[8];

    net->errors[0] = mwt_agent_open(&net->server, host, net->server_frame_bytes_max);
    net->errors[1] =
        mw_sim_transport.listen(net->server.transport, "", bound, sizeof bound, &net->server.why);
    CU_ASSERT_STRING_EQUAL(bound, "b");
    mwt_agent_poll_until(&net->server, 10 * MWT_SECOND);
    mwt_agent_close(&net->server);
    return 0;
}

static void start(struct net *net, mw_sim_main *server, mw_sim_main *client)
{
    if (server != NULL)
        CU_ASSERT_EQUAL_FATAL(mw_sim_host_start(net->sim, "b", server, net, &net->server_host),
                              MW_OK);
    CU_ASSERT_EQUAL_FATAL(mw_sim_host_start(net->sim, "a", client, net, &net->client_host), MW_OK);
}

static void run(struct net *net)
{
    CU_ASSERT_TRUE(mw_sim_run(net->sim, INT64_MAX));
}

static void check_down(const struct mwt_agent *agent, const char *reason)
{
    CU_ASSERT_EQUAL(agent->counts[MWT_DOWN], 1);
    CU_ASSERT_STRING_EQUAL(mwt_agent_seen(agent, MWT_DOWN, 0)->text, reason);
}

static int send_hundred(mw_sim_host *host, void *context)
{
    struct net *net = context;

    if (!mwt_agent_connect(&net->client, host, "b"))
        return 1;
    mwt_agent_await(&net->client, MWT_UP, 1);
    net->time_ns = mw_sim_now(net->sim);
    mwt_agent_send_range(&net->client, 1, 100);
    mwt_agent_close(&net->client);
    return 0;
}

/* A hundred frames sent at once and followed by a close all arrive, in order, within the bounds of
 * the delay, and then the peer goes down. Both ends hear the other's name. */
static void frames_keep_their_order(void)
{
    struct net *net = create_net(&(mw_sim_config){.delay_min_ns = 1000, .delay_max_ns = 9000});
    start(net, serve, send_hundred);

    run(net);

    CU_ASSERT_TRUE(mwt_agent_saw_range(&net->server, 1, 100));
    for (int i = 0; i < 100; i++) {
        int64_t delay_ns = mwt_agent_seen(&net->server, MWT_MESSAGE, i)->time_ns - net->time_ns;
        CU_ASSERT_TRUE(delay_ns >= 1000 && delay_ns <= 9000);
    }
    check_down(&net->server, "closed by the peer");
    CU_ASSERT_EQUAL(net->server.seen[101].kind, MWT_DOWN);
    CU_ASSERT_STRING_EQUAL(mwt_agent_seen(&net->server, MWT_UP, 0)->text, "a");
    CU_ASSERT_STRING_EQUAL(mwt_agent_seen(&net->client, MWT_UP, 0)->text, "b");
    destroy_net(net);
}

/* With one delay for all, a connect is up after exactly twice that. */
static void a_fixed_delay_is_exact(void)
{
    struct net *net = create_net(&(mw_sim_config){.delay_min_ns = 7000, .delay_max_ns = 7000});
    start(net, serve, send_hundred);

    run(net);

    CU_ASSERT_EQUAL(mwt_agent_seen(&net->server, MWT_UP, 0)->time_ns, 7000);
    CU_ASSERT_EQUAL(mwt_agent_seen(&net->client, MWT_UP, 0)->time_ns, 14000);
    CU_ASSERT_EQUAL(mwt_agent_seen(&net->server, MWT_MESSAGE, 99)->time_ns, 21000);
    destroy_net(net);
}

static int leave_without_close(mw_sim_host *host, void *context)
{
    struct net *net = context;

    if (!mwt_agent_connect(&net->client, host, "b"))
        return 1;
    mwt_agent_await(&net->client, MWT_UP, 1);
    mwt_agent_send_range(&net->client, 1, 3);
    return 0;
}

/* A host that ends without closing its transport leaves like one that closed it. */
static void the_end_of_a_host_closes(void)
{
    struct net *net = create_net(&(mw_sim_config){.seed = 2});
    start(net, serve, leave_without_close);

    run(net);

    CU_ASSERT_TRUE(mwt_agent_saw_range(&net->server, 1, 3));
    check_down(&net->server, "closed by the peer");
    destroy_net(net);
}

static int connect_and_wait(mw_sim_host *host, void *context)
{
    struct net *net = context;

    if (!mwt_agent_connect(&net->client, host, "b"))
        return 1;
    mwt_agent_poll_until(&net->client, 10 * MWT_SECOND);
    mwt_agent_close(&net->client);
    return 0;
}

static int listen_to_nobody(mw_sim_host *host, void *context)
{
    struct net *net = context;

    net->errors[0] = mwt_agent_open(&net->server, host, 0);
    mwt_agent_poll_until(&net->server, MWT_SECOND);
    mwt_agent_close(&net->server);
    return 0;
}

/* A connect to a name that no host has, or whose host does not listen, goes down after the delay
 * there and back, without an up. */
static void connect_to_nobody(void)
{
    mw_sim_main *const servers[] = {NULL, listen_to_nobody};

    for (int i = 0; i < 2; i++) {
        struct net *net = create_net(&(mw_sim_config){.seed = 3});
        start(net, servers[i], connect_and_wait);

        run(net);

        int64_t time_ns = mwt_agent_seen(&net->client, MWT_DOWN, 0)->time_ns;
        CU_ASSERT_EQUAL(net->client.counts[MWT_UP], 0);
        check_down(&net->client, "connection refused");
        CU_ASSERT_TRUE(time_ns >= 100000 && time_ns <= 400000);
        CU_ASSERT_EQUAL(net->server.seen_count, 0);
        destroy_net(net);
    }
}

static void start_server(mw_sim *sim, void *context)
{
    struct net *net = context;

    net->errors[2] = mw_sim_host_start(sim, "b", serve, net, &net->server_host);
}

static int connect_again_and_again(mw_sim_host *host, void *context)
{
    struct net *net = context;

    if (!mwt_agent_connect(&net->client, host, "b"))
        return 1;
    while (net->client.counts[MWT_UP] == 0 && net->client.error == MW_OK) {
        int downs = net->client.counts[MWT_DOWN];
        mwt_agent_poll(&net->client, mw_sim_now(net->sim) + 100 * MWT_MS);
        if (net->client.counts[MWT_DOWN] == downs)
            continue;
        mwt_agent_poll(&net->client, mw_sim_now(net->sim) + 100 * MWT_MS);
        net->errors[3] = mw_sim_transport.connect(net->client.transport, "b", &net->client.peer,
                                                  &net->client.why);
    }
    net->time_ns = mw_sim_now(net->sim);
    mwt_agent_close(&net->client);
    return 0;
}

/* A client that comes before the server and tries again gets through once it is there; each try is
 * a new peer. */
static void connect_before_listen(void)
{
    struct net *net = create_net(&(mw_sim_config){.seed = 4});
    start(net, NULL, connect_again_and_again);
    at(net, MWT_SECOND, start_server);

    run(net);

    CU_ASSERT_TRUE(net->client.counts[MWT_DOWN] >= 5);
    CU_ASSERT_EQUAL(net->client.counts[MWT_UP], 1);
    CU_ASSERT_EQUAL(net->client.peer, (mw_peer)net->client.counts[MWT_DOWN] + 1);
    CU_ASSERT_TRUE(net->time_ns > MWT_SECOND && net->time_ns < 2 * MWT_SECOND);
    destroy_net(net);
}

static void cut(mw_sim *sim, void *context)
{
    struct net *net = context;

    (void)sim;
    net->errors[2] = mw_sim_cut(net->client_host, net->server_host, net->notice_ns);
}

static void heal(mw_sim *sim, void *context)
{
    struct net *net = context;

    (void)sim;
    mw_sim_heal(net->server_host, net->client_host);
}

static int send_before_and_in_the_cut(mw_sim_host *host, void *context)
{
    struct net *net = context;

    if (!mwt_agent_connect(&net->client, host, "b"))
        return 1;
    mwt_agent_poll_until(&net->client, MWT_SECOND - 1);
    mwt_agent_send_range(&net->client, 1, 10);
    mwt_agent_poll_until(&net->client, MWT_SECOND + MWT_MS);
    mwt_agent_send_range(&net->client, 11, 20);
    mwt_agent_poll_until(&net->client, 10 * MWT_SECOND);
    mwt_agent_close(&net->client);
    return 0;
}

/* A cut that is never healed loses everything on its way, and takes both ends down exactly when it
 * is noticed. */
static void cut_without_heal(void)
{
    struct net *net = create_net(&(mw_sim_config){.seed = 5});
    start(net, serve, send_before_and_in_the_cut);
    net->notice_ns = 3 * MWT_SECOND;
    at(net, MWT_SECOND, cut);

    run(net);

    CU_ASSERT_EQUAL(net->errors[2], MW_OK);
    CU_ASSERT_EQUAL(net->server.counts[MWT_MESSAGE], 0);
    check_down(&net->server, "connection timed out");
    check_down(&net->client, "connection timed out");
    CU_ASSERT_EQUAL(mwt_agent_seen(&net->server, MWT_DOWN, 0)->time_ns, 4 * MWT_SECOND);
    CU_ASSERT_EQUAL(mwt_agent_seen(&net->client, MWT_DOWN, 0)->time_ns, 4 * MWT_SECOND);
    destroy_net(net);
}

/* A cut that is healed in time only delays: everything arrives after that, in order, and no end
 * goes down. */
static void cut_with_heal(void)
{
    struct net *net = create_net(&(mw_sim_config){.seed = 6});
    start(net, serve, send_before_and_in_the_cut);
    net->notice_ns = 3 * MWT_SECOND;
    at(net, MWT_SECOND, cut);
    at(net, 3 * MWT_SECOND, heal);

    CU_ASSERT_FALSE(mw_sim_run(net->sim, 9 * MWT_SECOND));

    CU_ASSERT_TRUE(mwt_agent_saw_range(&net->server, 1, 20));
    CU_ASSERT_TRUE(mwt_agent_seen(&net->server, MWT_MESSAGE, 0)->time_ns > 3 * MWT_SECOND);
    CU_ASSERT_EQUAL(net->server.counts[MWT_DOWN] + net->client.counts[MWT_DOWN], 0);
    destroy_net(net);
}

static int connect_late(mw_sim_host *host, void *context)
{
    struct net *net = context;

    mw_sim_spend(net->sim, 2 * MWT_SECOND);
    return connect_and_wait(host, context);
}

/* A connect across a cut goes down after the notice, counted from the connect; or comes up, if the
 * cut is healed before. */
static void connect_across_a_cut(void)
{
    for (int is_healed = 0; is_healed < 2; is_healed++) {
        struct net *net = create_net(&(mw_sim_config){.seed = 7});
        start(net, serve, connect_late);
        net->notice_ns = 3 * MWT_SECOND;
        at(net, MWT_SECOND, cut);
        if (is_healed)
            at(net, 4 * MWT_SECOND, heal);

        CU_ASSERT_FALSE(mw_sim_run(net->sim, 9 * MWT_SECOND));

        CU_ASSERT_EQUAL(net->client.counts[MWT_UP], is_healed);
        CU_ASSERT_EQUAL(net->client.counts[MWT_DOWN], !is_healed);
        CU_ASSERT_EQUAL(net->server.seen_count, is_healed);
        if (!is_healed)
            CU_ASSERT_EQUAL(net->client.seen[0].time_ns, 5 * MWT_SECOND);
        destroy_net(net);
    }
}

static void restart_server(mw_sim *sim, void *context)
{
    mw_sim_kill(((struct net *)context)->server_host);
    start_server(sim, context);
}

/* A cut is between places: it stays when a host is started anew, and can be healed. */
static void a_cut_outlives_its_hosts(void)
{
    struct net *net = create_net(&(mw_sim_config){.seed = 8});
    start(net, listen_to_nobody, connect_late);
    net->notice_ns = 3 * MWT_SECOND;
    at(net, 0, cut);
    at(net, 500 * MWT_MS, restart_server);
    at(net, 4 * MWT_SECOND, heal);

    CU_ASSERT_FALSE(mw_sim_run(net->sim, 9 * MWT_SECOND));

    CU_ASSERT_EQUAL(net->errors[2], MW_OK);
    CU_ASSERT_EQUAL(net->client.counts[MWT_UP], 1);
    CU_ASSERT_TRUE(net->client.seen[0].time_ns > 4 * MWT_SECOND);
    destroy_net(net);
}

static void kill_client(mw_sim *sim, void *context)
{
    (void)sim;
    mw_sim_kill(((struct net *)context)->client_host);
}

/* A death behind a cut is not reported before the cut is healed or noticed. */
static void a_death_behind_a_cut(void)
{
    struct net *net = create_net(&(mw_sim_config){.seed = 9});
    start(net, serve, send_before_and_in_the_cut);
    net->notice_ns = 5 * MWT_SECOND;
    at(net, MWT_SECOND, cut);
    at(net, 2 * MWT_SECOND, kill_client);
    at(net, 3 * MWT_SECOND, heal);

    run(net);

    CU_ASSERT_TRUE(mwt_agent_saw_range(&net->server, 1, 20));
    check_down(&net->server, "connection reset by the peer");
    CU_ASSERT_TRUE(mwt_agent_seen(&net->server, MWT_DOWN, 0)->time_ns > 3 * MWT_SECOND);
    destroy_net(net);
}

/* A host cannot be cut off from itself, nor from one of another world. */
static void senseless_cuts(void)
{
    struct net *net = create_net(&(mw_sim_config){0}), *other = create_net(&(mw_sim_config){0});
    start(net, serve, connect_and_wait);
    start(other, serve, connect_and_wait);

    CU_ASSERT_EQUAL(mw_sim_cut(net->server_host, net->server_host, 1), MW_EINVAL);
    CU_ASSERT_EQUAL(mw_sim_cut(net->server_host, other->client_host, 1), MW_EINVAL);
    CU_ASSERT_EQUAL(mw_sim_cut(net->server_host, net->client_host, -1), MW_EINVAL);
    mw_sim_heal(net->server_host, net->client_host);

    destroy_net(net);
    destroy_net(other);
}

static int send_too_much(mw_sim_host *host, void *context)
{
    struct net *net = context;

    if (!mwt_agent_connect(&net->client, host, "b"))
        return 1;
    mwt_agent_await(&net->client, MWT_UP, 1);
    net->errors[2] = mwt_agent_send(&net->client, net->client.peer, 1, (1 << 20) + 1);
    net->errors[3] = mwt_agent_send(&net->client, net->client.peer, 1, 1000);
    (void)mwt_agent_send(&net->client, net->client.peer, 2, 1001);
    (void)mwt_agent_send(&net->client, net->client.peer, 3, 1000);
    mwt_agent_await(&net->client, MWT_DOWN, 1);
    mwt_agent_close(&net->client);
    return 0;
}

/* A frame above the sender's own limit is not sent. A frame above the receiver's limit takes both
 * ends down. */
static void frame_limits(void)
{
    struct net *net = create_net(&(mw_sim_config){.seed = 10});
    net->server_frame_bytes_max = 1000;
    start(net, serve, send_too_much);

    run(net);

    CU_ASSERT_EQUAL(net->errors[2], MW_ETOOBIG);
    CU_ASSERT_EQUAL(net->errors[3], MW_OK);
    CU_ASSERT_TRUE(mwt_agent_saw_range(&net->server, 1, 1));
    CU_ASSERT_STRING_EQUAL(mwt_agent_seen(&net->server, MWT_DOWN, 0)->text,
                           "a frame of 1001 bytes is over the limit of 1000");
    check_down(&net->client, "closed by the peer");
    destroy_net(net);
}

static int use_stale_peers(mw_sim_host *host, void *context)
{
    struct net *net = context;
    mw_peer peer;

    if (!mwt_agent_connect(&net->client, host, "b"))
        return 1;
    mwt_agent_await(&net->client, MWT_UP, 1);
    peer = net->client.peer;
    mwt_agent_send_range(&net->client, 1, 5);
    mw_sim_transport.drop(net->client.transport, peer);
    net->errors[2] = mwt_agent_send(&net->client, peer, 6, 8);
    net->errors[3] = mwt_agent_send(&net->client, 77, 6, 8);
    mw_sim_transport.drop(net->client.transport, peer);
    mw_sim_transport.drop(net->client.transport, 0);
    mwt_agent_poll_until(&net->client, MWT_SECOND);
    mwt_agent_close(&net->client);
    return 0;
}

/* After a drop no event of the peer follows. The peer gets the frames that were sent, and goes
 * down. Calls with its number, or with one that never was, are harmless. */
static void drop_and_stale_peers(void)
{
    struct net *net = create_net(&(mw_sim_config){.seed = 11});
    start(net, serve, use_stale_peers);

    run(net);

    CU_ASSERT_EQUAL(net->client.seen_count, 1);
    CU_ASSERT_TRUE(mwt_agent_saw_range(&net->server, 1, 5));
    check_down(&net->server, "closed by the peer");
    CU_ASSERT_EQUAL(net->errors[2], MW_EPEER);
    CU_ASSERT_EQUAL(net->errors[3], MW_EPEER);
    destroy_net(net);
}

static int misuse(mw_sim_host *host, void *context)
{
    struct net *net = context;
    struct mwt_agent *agent = &net->client;
    char bound[8];
    mw_peer peer;

    net->errors[0] = mwt_agent_open(agent, NULL, 0);
    net->errors[1] = mwt_agent_open(agent, net->server_host, 0);
    if (mwt_agent_open(agent, host, 0) != MW_OK)
        return 1;
    net->errors[2] =
        mw_sim_transport.listen(agent->transport, "elsewhere", bound, sizeof bound, &agent->why);
    net->errors[3] = mw_sim_transport.connect(agent->transport, "", &peer, &agent->why);
    CU_ASSERT_EQUAL(mw_sim_transport.listen(agent->transport, "", bound, 1, &agent->why),
                    MW_EINVAL);
    CU_ASSERT_EQUAL(
        mw_sim_transport.listen(agent->transport, "a", bound, sizeof bound, &agent->why), MW_OK);
    return 0;
}

/* A transport is opened by the running host, listens under the host's name only, and connects to a
 * name. Only that host may poll it. */
static void misuse_is_refused(void)
{
    struct net *net = create_net(&(mw_sim_config){0});
    start(net, serve, misuse);

    CU_ASSERT_FALSE(mw_sim_run(net->sim, MWT_SECOND));

    CU_ASSERT_EQUAL(net->errors[0], MW_EINVAL);
    CU_ASSERT_EQUAL(net->errors[1], MW_EINVAL);
    CU_ASSERT_EQUAL(net->errors[2], MW_ENETWORK);
    CU_ASSERT_EQUAL(net->errors[3], MW_EINVAL);
    mwt_agent_poll(&net->server, 0);
    CU_ASSERT_EQUAL(net->server.error, MW_ENETWORK);
    mw_sim_transport.close(NULL);
    destroy_net(net);
}

static void compute_in_callback(struct mwt_agent *agent, mw_peer peer, uint64_t number)
{
    (void)peer;
    mw_sim_spend(mw_sim_host_world(agent->host), MWT_SECOND);
    if (number == 2)
        mw_sim_kill(agent->host);
}

/* A callback may compute, and even kill its host. Then the other frames that had arrived are not
 * reported. */
static void a_callback_that_computes_and_dies(void)
{
    struct net *net = create_net(&(mw_sim_config){.seed = 13});
    start(net, serve, send_hundred);
    net->server.on_message = compute_in_callback;

    run(net);

    CU_ASSERT_TRUE(mwt_agent_saw_range(&net->server, 1, 2));
    CU_ASSERT_EQUAL(net->server.error, MW_ENETWORK);
    CU_ASSERT_TRUE(mw_sim_host_ended(net->server_host, NULL));
    destroy_net(net);
}

static int wait_with_two_transports(mw_sim_host *host, void *context)
{
    struct net *net = context;

    if (!mwt_agent_listen(&net->server, host) || mwt_agent_open(&net->client, host, 0) != MW_OK)
        return 1;
    mwt_agent_poll(&net->client, INT64_MAX);
    net->time_ns = mw_sim_now(net->sim);
    mwt_agent_poll(&net->server, 0);
    mwt_agent_close(&net->server);
    mwt_agent_close(&net->client);
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

/* A host may hold several transports. A frame for one of them ends the host's poll of any. */
static void an_arrival_wakes_every_poll(void)
{
    struct net *net = create_net(&(mw_sim_config){.delay_min_ns = 500, .delay_max_ns = 500});
    start(net, wait_with_two_transports, connect_only);

    run(net);

    CU_ASSERT_EQUAL(net->time_ns, 500);
    CU_ASSERT_EQUAL(net->server.counts[MWT_UP], 1);
    destroy_net(net);
}

int main(void)
{
    CU_TestInfo tests[] = {
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
        {"misuse is refused", misuse_is_refused},
        {"a callback that computes and dies", a_callback_that_computes_and_dies},
        {"an arrival wakes every poll", an_arrival_wakes_every_poll},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("sim net", tests);
}

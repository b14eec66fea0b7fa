/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections over a stream that is not plain: two hubs in one process, joined by a socket pair,
 * which are moved on by hand.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "conn_dial.h"
#include "conn_drop.h"
#include "conn_guest.h"
#include "conn_send.h"
#include "conn_turn.h"
#include "end.h"
#include "ending.h"
#include "mwt_run.h"
#include "odd_stream.h"

#define SEED 7
#define FRAMES_COUNT 8
/* Far more than any case takes. */
#define TURNS_MAX 200000

/* One end: its hub, its one connection, and what the events said. */
struct side {
    struct mwi_tcp_hub hub;
    struct mwi_tcp_porch porch; /* of a side that accepts */
    struct mwt_odd_plan plan;
    mw_peer peer;
    unsigned ups_count;
    unsigned downs_count;
    unsigned strangers_count;
    unsigned frames_count;
    bool has_wrong_frame; /* not the one whose turn it was, or not while the peer was up */
    char name[256];       /* of the peer that came up, or of the stranger */
    char reason[256];
};

struct pair {
    struct side client;
    struct side server;
};

static size_t frame_size(unsigned index)
{
    return index * 37 % 101;
}

static void on_up(void *context, mw_peer peer, const char *name)
{
    struct side *side = context;
    if (side->peer == 0)
        side->peer = peer;
    CU_ASSERT_EQUAL(peer, side->peer);
    side->ups_count++;
    snprintf(side->name, sizeof side->name, "%s", name);
}

static void on_message(void *context, mw_peer peer, mw_frame *frame)
{
    struct side *side = context;
    unsigned index = side->frames_count++;
    side->has_wrong_frame |= side->ups_count != 1 || side->downs_count != 0 || peer != side->peer ||
                             frame->size != frame_size(index) ||
                             !mwt_pattern_matches(frame->data, frame->size, SEED, index);
}

static void on_down(void *context, mw_peer peer, const char *reason)
{
    struct side *side = context;
    CU_ASSERT_EQUAL(peer, side->peer);
    side->downs_count++;
    snprintf(side->reason, sizeof side->reason, "%s", reason);
}

static void on_stranger(void *context, const char *name, const char *reason)
{
    struct side *side = context;
    side->strangers_count++;
    snprintf(side->name, sizeof side->name, "%s", name);
    snprintf(side->reason, sizeof side->reason, "%s", reason);
}

static const mw_transport_events side_events = {
    .up = on_up, .message = on_message, .down = on_down, .stranger = on_stranger};

static struct mwt_odd_plan good_plan(void)
{
    return (struct mwt_odd_plan){.read_bytes_max = SIZE_MAX, .write_bytes_max = SIZE_MAX};
}

static struct mwt_odd_plan proving_plan(void)
{
    struct mwt_odd_plan plan = good_plan();
    plan.has_proof = true;
    return plan;
}

static void open_hub(struct side *side, struct mwt_odd_plan plan)
{
    mw_transport_config config = {
        .events = &side_events, .context = side, .frame_bytes_max = 1000, .wake_fd = -1};
    memset(side, 0, sizeof *side);
    side->plan = plan;
    CU_ASSERT_EQUAL_FATAL(mwi_tcp_hub_open(&side->hub, &config), MW_OK);
    side->hub.open_stream = mwt_odd_stream_open;
    side->hub.stream_context = &side->plan;
}

static void open_side(struct side *side, int fd, bool is_server, struct mwt_odd_plan plan)
{
    struct mwi_tcp_address address = {.kind = MWI_TCP_ADDRESS_FD, .fd = fd};
    open_hub(side, plan);
    CU_ASSERT_EQUAL_FATAL(mwi_tcp_conn_dial(&side->hub, &address, is_server, &side->peer), MW_OK);
}

static void open_sockets(int fds[2])
{
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
                          0);
}

static void open_pair(struct pair *pair, struct mwt_odd_plan client, struct mwt_odd_plan server)
{
    int fds[2];
    open_sockets(fds);
    open_side(&pair->client, fds[0], false, client);
    open_side(&pair->server, fds[1], true, server);
}

/* The server's end accepts its socket, as a listener does. */
static void open_accepted_pair(struct pair *pair, struct mwt_odd_plan client,
                               struct mwt_odd_plan server)
{
    int fds[2];
    open_sockets(fds);
    open_side(&pair->client, fds[0], false, client);
    open_hub(&pair->server, server);
    CU_ASSERT_TRUE_FATAL(mwi_tcp_porch_open(&pair->server.porch, &pair->server.hub));
    pair->server.hub.porch = &pair->server.porch;
    mwi_tcp_conn_guest_accept(&pair->server.hub, fds[1], "somebody");
}

/* Closes as a transport does; no stream stays open. */
static void close_side(struct side *side)
{
    mwi_tcp_ending_run(&side->hub);
    if (side->hub.porch != NULL)
        mwi_tcp_porch_close(side->hub.porch);
    mwi_tcp_hub_close(&side->hub);
    CU_ASSERT_EQUAL(side->plan.open_count, 0);
    CU_ASSERT_FALSE(side->has_wrong_frame);
}

static void close_pair(struct pair *pair)
{
    close_side(&pair->client);
    close_side(&pair->server);
}

/* One turn that does not wait. */
static void turn(struct side *side)
{
    mwi_tcp_conn_send_dirty(&side->hub);
    CU_ASSERT_TRUE(mwi_tcp_conn_turn(&side->hub, 0));
    mwi_tcp_conn_free_dead(&side->hub);
}

static void send_one(struct side *side, unsigned index)
{
    struct mwi_tcp_conn *conn = mwi_map_get(&side->hub.peers, side->peer);
    size_t size = frame_size(index);
    unsigned char *frame = malloc(size + 1);
    unsigned char *rest = malloc(size + 1);
    size_t head = index % 2 == 0 ? size : size / 3;
    CU_ASSERT_FATAL(conn != NULL && frame != NULL && rest != NULL);
    mwt_pattern_fill(frame, size, SEED, index);
    memcpy(rest, frame + head, size - head);
    mw_body body = {.data = rest, .size = size - head, .release = free, .owner = rest};
    CU_ASSERT_EQUAL(mwi_tcp_conn_send(conn, frame, head, &body), MW_OK);
}

static void send_all(struct side *side)
{
    for (unsigned i = 0; i < FRAMES_COUNT; i++)
        send_one(side, i);
}

static bool has_finished(const struct side *side)
{
    return side->frames_count == FRAMES_COUNT || side->downs_count > 0;
}

/* Moves both sides on until both have all frames, or are down. */
static void run(struct pair *pair)
{
    for (unsigned i = 0; i < TURNS_MAX; i++) {
        if (has_finished(&pair->client) && has_finished(&pair->server))
            return;
        turn(&pair->client);
        turn(&pair->server);
    }
    CU_FAIL("the two sides do not come to an end");
}

static void check_all_arrived(const struct side *side)
{
    CU_ASSERT_EQUAL(side->ups_count, 1);
    CU_ASSERT_EQUAL(side->downs_count, 0);
    CU_ASSERT_EQUAL(side->frames_count, FRAMES_COUNT);
}

/* All frames of both sides arrive if both streams have this plan. */
static void check_exchange(struct mwt_odd_plan plan)
{
    struct pair pair;
    open_pair(&pair, plan, plan);
    send_all(&pair.client);
    send_all(&pair.server);

    run(&pair);

    check_all_arrived(&pair.client);
    check_all_arrived(&pair.server);
    close_pair(&pair);
}

/* Frames arrive whole and in order, though each call passes one byte and the rest of the input lies
 * inside the stream, where no event tells of it. */
static void test_one_byte_at_a_time(void)
{
    check_exchange(good_plan());
}

/* Frames that are queued before the proof pass after it, on the side that has to write before it
 * can read, and on the one that has to read before it can write. */
static void test_proof(void)
{
    check_exchange(proving_plan());
}

/* The proof passes although nobody has a frame to send, and a frame passes after it. */
static void test_proof_without_frames(void)
{
    struct pair pair;
    open_pair(&pair, proving_plan(), proving_plan());
    for (int i = 0; i < 50; i++) {
        turn(&pair.client);
        turn(&pair.server);
    }
    unsigned proofs_count = pair.client.plan.proofs_count + pair.server.plan.proofs_count;

    send_one(&pair.server, 0);
    for (int i = 0; i < 50; i++) {
        turn(&pair.server);
        turn(&pair.client);
    }

    CU_ASSERT_EQUAL(proofs_count, 4);
    CU_ASSERT_EQUAL(pair.client.plan.writes_count, 0);
    CU_ASSERT_EQUAL(pair.client.frames_count, 1);
    close_pair(&pair);
}

/* A stream that waits for the other end's part of the proof is not asked to write again and again,
 * though frames are queued and its socket is writable. */
static void test_waits_quietly(void)
{
    struct pair pair;
    open_pair(&pair, proving_plan(), proving_plan());
    send_all(&pair.client);

    for (int i = 0; i < 100; i++)
        turn(&pair.client);

    CU_ASSERT_EQUAL(pair.client.ups_count, 0);
    CU_ASSERT_EQUAL(pair.client.plan.proofs_count, 1);
    CU_ASSERT_EQUAL(pair.client.plan.writes_count, 0);
    send_all(&pair.server);
    run(&pair);
    check_all_arrived(&pair.client);
    check_all_arrived(&pair.server);
    close_pair(&pair);
}

static size_t bytes_of_all_frames(void)
{
    size_t total = 0;
    for (unsigned i = 0; i < FRAMES_COUNT; i++)
        total += MWI_TCP_HEADER_BYTES + frame_size(i);
    return total;
}

static unsigned frames_within(size_t bytes)
{
    unsigned count = 0;
    size_t end = 0;
    for (; count < FRAMES_COUNT; count++) {
        end += MWI_TCP_HEADER_BYTES + frame_size(count);
        if (end > bytes)
            break;
    }
    return count;
}

/* A stream that breaks at any byte that it reads: the frames before it arrive, then the connection
 * goes down once, with the stream's words; the other end sees it close. */
static void test_breaks_reading(void)
{
    size_t total = bytes_of_all_frames();
    for (size_t at = 0; at < total; at++) {
        struct mwt_odd_plan plan = good_plan();
        struct pair pair;
        plan.read_bytes_max = at;
        plan.has_proof = at % 2 == 1;
        struct mwt_odd_plan other = good_plan();
        other.has_proof = plan.has_proof;
        open_pair(&pair, other, plan);
        send_all(&pair.client);

        run(&pair);

        CU_ASSERT_EQUAL(pair.server.frames_count, frames_within(at));
        CU_ASSERT_EQUAL(pair.server.downs_count, 1);
        CU_ASSERT_STRING_EQUAL(pair.server.reason, MWT_ODD_STREAM_PROBLEM);
        CU_ASSERT_EQUAL(pair.client.downs_count, 1);
        close_pair(&pair);
    }
}

/* A stream that breaks at any byte that it writes: its end goes down once, with its words; the
 * frames before that byte arrive, and then the other end is told that its peer closed. */
static void test_breaks_writing(void)
{
    size_t total = bytes_of_all_frames();
    for (size_t at = 0; at < total; at++) {
        struct mwt_odd_plan plan = good_plan();
        struct pair pair;
        plan.write_bytes_max = at;
        open_pair(&pair, plan, good_plan());
        send_all(&pair.client);

        run(&pair);

        CU_ASSERT_EQUAL(pair.client.downs_count, 1);
        CU_ASSERT_STRING_EQUAL(pair.client.reason, MWT_ODD_STREAM_PROBLEM);
        CU_ASSERT_EQUAL(pair.server.frames_count, frames_within(at));
        CU_ASSERT_EQUAL(pair.server.downs_count, 1);
        CU_ASSERT_PTR_NOT_NULL(strstr(pair.server.reason, "closed by the peer"));
        close_pair(&pair);
    }
}

/* The other end of a transport that is closed in the middle of the proof turns a stranger away. */
static void test_closes_in_proof(void)
{
    struct pair pair;
    open_accepted_pair(&pair, proving_plan(), proving_plan());
    send_one(&pair.client, 0);
    turn(&pair.client);

    close_side(&pair.client);

    for (unsigned i = 0; i < TURNS_MAX && pair.server.strangers_count == 0; i++)
        turn(&pair.server);
    CU_ASSERT_EQUAL(pair.server.strangers_count, 1);
    CU_ASSERT_EQUAL(pair.server.ups_count + pair.server.downs_count, 0);
    CU_ASSERT_STRING_EQUAL(pair.server.reason, "closed by the peer");
    close_side(&pair.server);
}

/* An accepted connection has no peer number before the proof, so that no caller can reach it, and
 * comes up with its name after it. */
static void test_accepted(void)
{
    struct pair pair;
    open_accepted_pair(&pair, proving_plan(), proving_plan());
    turn(&pair.server);
    CU_ASSERT_PTR_NULL(mwi_map_get(&pair.server.hub.peers, 1));

    send_all(&pair.client);
    for (unsigned i = 0; i < TURNS_MAX && pair.server.frames_count < FRAMES_COUNT; i++) {
        turn(&pair.client);
        turn(&pair.server);
    }

    check_all_arrived(&pair.server);
    CU_ASSERT_EQUAL(pair.server.peer, 1);
    CU_ASSERT_STRING_EQUAL(pair.server.name, "somebody");
    close_pair(&pair);
}

/* If the proof fails at the end that accepted, that end turns a stranger away, with the stream's
 * words, and no peer goes down; the end that connected goes down. */
static void test_server_fails_proof(void)
{
    struct mwt_odd_plan plan = proving_plan();
    struct pair pair;
    plan.fails_proof = true;
    open_accepted_pair(&pair, proving_plan(), plan);

    for (unsigned i = 0; i < TURNS_MAX && pair.client.downs_count == 0; i++) {
        turn(&pair.client);
        turn(&pair.server);
    }

    CU_ASSERT_EQUAL(pair.server.strangers_count, 1);
    CU_ASSERT_EQUAL(pair.server.ups_count + pair.server.downs_count, 0);
    CU_ASSERT_STRING_EQUAL(pair.server.name, "somebody");
    CU_ASSERT_STRING_EQUAL(pair.server.reason, MWT_ODD_STREAM_PROBLEM);
    CU_ASSERT_EQUAL(pair.client.ups_count, 0);
    CU_ASSERT_EQUAL(pair.client.downs_count, 1);
    close_pair(&pair);
}

/* If the proof fails at the end that connected, that end goes down, with the stream's words. */
static void test_client_fails_proof(void)
{
    struct mwt_odd_plan plan = proving_plan();
    struct pair pair;
    plan.fails_proof = true;
    open_accepted_pair(&pair, plan, proving_plan());
    send_all(&pair.client);

    for (int i = 0; i < 3; i++) {
        turn(&pair.client);
        turn(&pair.server);
    }

    CU_ASSERT_EQUAL(pair.client.strangers_count + pair.client.ups_count, 0);
    CU_ASSERT_EQUAL(pair.client.downs_count, 1);
    CU_ASSERT_STRING_EQUAL(pair.client.reason, MWT_ODD_STREAM_PROBLEM);
    CU_ASSERT_EQUAL(pair.server.strangers_count, 1);
    close_pair(&pair);
}

/* A peer whose proof is under way can be dropped; no event follows. */
static void test_drop_in_proof(void)
{
    struct pair pair;
    open_accepted_pair(&pair, proving_plan(), proving_plan());
    turn(&pair.client);

    mwi_tcp_conn_drop(mwi_map_get(&pair.client.hub.peers, pair.client.peer));

    CU_ASSERT_EQUAL(pair.client.plan.open_count, 0);
    for (int i = 0; i < 3; i++)
        turn(&pair.server);
    CU_ASSERT_EQUAL(pair.client.downs_count, 0);
    CU_ASSERT_EQUAL(pair.server.strangers_count, 1);
    close_pair(&pair);
}

/* A peer that is dropped takes its stream with it. */
static void test_drop(void)
{
    struct pair pair;
    open_pair(&pair, good_plan(), good_plan());
    turn(&pair.client);
    turn(&pair.server);
    CU_ASSERT_EQUAL(pair.client.plan.open_count, 1);

    mwi_tcp_conn_drop(mwi_map_get(&pair.client.hub.peers, pair.client.peer));

    CU_ASSERT_EQUAL(pair.client.plan.open_count, 0);
    turn(&pair.server);
    CU_ASSERT_EQUAL(pair.client.downs_count, 0);
    CU_ASSERT_EQUAL(pair.server.downs_count, 1);
    close_pair(&pair);
}

/* If no stream can be made, the connection goes down without having been up. */
static void test_refused(void)
{
    struct mwt_odd_plan plan = good_plan();
    struct pair pair;
    plan.is_refused = true;
    open_pair(&pair, plan, good_plan());

    for (int i = 0; i < 3; i++) {
        turn(&pair.client);
        turn(&pair.server);
    }

    CU_ASSERT_EQUAL(pair.client.ups_count, 0);
    CU_ASSERT_EQUAL(pair.client.downs_count, 1);
    CU_ASSERT_EQUAL(pair.server.downs_count, 1);
    close_pair(&pair);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"one byte at a time", test_one_byte_at_a_time},
        {"proof", test_proof},
        {"proof without frames", test_proof_without_frames},
        {"waits quietly", test_waits_quietly},
        {"breaks reading", test_breaks_reading},
        {"breaks writing", test_breaks_writing},
        {"closes in the proof", test_closes_in_proof},
        {"accepted", test_accepted},
        {"server fails the proof", test_server_fails_proof},
        {"client fails the proof", test_client_fails_proof},
        {"drop in the proof", test_drop_in_proof},
        {"drop", test_drop},
        {"refused", test_refused},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("tcp stream", tests);
}

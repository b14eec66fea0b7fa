/* SPDX-License-Identifier: Apache-2.0
 *
 * One end of a transport in a test. It records the transport's events in order, and checks that
 * each peer's life is as promised: one up, frames, at most one down, and silence after that or
 * after a drop. It counts broken promises in `faults`.
 */
#ifndef MWT_END_H
#define MWT_END_H

#include <mw/transport.h>

/* Far longer than any event takes, so that only an event that never happens fails the test. */
#define MWT_PATIENCE_NS ((int64_t)60 * 1000 * 1000 * 1000)

enum mwt_event_kind { MWT_NONE, MWT_UP, MWT_MESSAGE, MWT_DOWN, MWT_STRANGER };

struct mwt_event {
    struct mwt_event *next;
    enum mwt_event_kind kind;
    mw_peer peer;
    unsigned char *data; /* malloc'd: a copy, or the block that the transport gave away */
    size_t size;
    bool was_block;
    char text[256]; /* name or reason; of a stranger both */
};

struct mwt_end;

/* Called within an event, before it is recorded. */
typedef void mwt_hook(struct mwt_end *end, const struct mwt_event *event);

struct mwt_life;

struct mwt_end {
    const mw_transport_api *api;
    void *environment;
    void *transport;
    mw_reason why;
    mwt_hook *hook;
    void *hook_context;
    struct mwt_event *first;
    struct mwt_event *last;
    size_t events_count;
    struct mwt_life *lives; /* of every peer that was ever heard of */
    size_t lives_count;
    unsigned tracked_count; /* frames that the transport still has */
    unsigned faults;
    char fault[128]; /* the first one */
    bool polls_fail;
    bool keeps_strangers; /* peers are not admitted when they come up */
};

/* Opens the end; the environment is the transport's. On failure the sentence is in end->why. */
mw_error mwt_end_open(struct mwt_end *end, const mw_transport_api *api, void *environment,
                      size_t frame_bytes_max, int wake_fd, mw_wait wait);

/* Closes and frees all that was recorded. */
void mwt_end_close(struct mwt_end *end);

/* The transport's clock. */
int64_t mwt_end_now(struct mwt_end *end);

/* Polls once, waiting at most until `deadline`. */
void mwt_end_poll(struct mwt_end *end, int64_t deadline);

/* Takes the next event, polling for it. Its kind is MWT_NONE if none comes in MWT_PATIENCE_NS. The
 * caller frees it with mwt_event_clear. */
struct mwt_event mwt_end_take(struct mwt_end *end);
void mwt_event_clear(struct mwt_event *event);

/* Starts to connect. Returns 0 on failure. */
mw_peer mwt_end_connect(struct mwt_end *end, const char *address);

/* Sends a copy of the bytes. */
mw_error mwt_end_send(struct mwt_end *end, mw_peer peer, const void *data, size_t size);

/* Drops the peer. From now on an event of this peer is a fault. */
void mwt_end_drop(struct mwt_end *end, mw_peer peer);

/* The same, and remembers whether the transport still has the frame. */
mw_error mwt_end_send_tracked(struct mwt_end *end, mw_peer peer, const void *data, size_t size);

/* Polls until the transport has handed all tracked frames to the network. Returns false if that
 * takes longer than the patience. */
bool mwt_end_flush(struct mwt_end *end);

/* Bytes that follow from seed and index, so that frames can be checked. */
void mwt_pattern_fill(unsigned char *data, size_t size, uint64_t seed, uint64_t index);
bool mwt_pattern_matches(const unsigned char *data, size_t size, uint64_t seed, uint64_t index);

/* The next number of a random sequence. */
uint64_t mwt_random(uint64_t *state);

#endif

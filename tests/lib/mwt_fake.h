/* SPDX-License-Identifier: Apache-2.0
 *
 * A transport that a test plays. Events happen at the times that the test says, on a clock that
 * moves only while somebody waits. Every call is written down.
 */
#ifndef MWT_FAKE_H
#define MWT_FAKE_H

#include <mw/transport.h>

#define MWT_FAKE_EVENTS_MAX 256
#define MWT_FAKE_POLLS_MAX 4096

struct mwt_fake_event {
    int64_t at_ns;
    enum { MWT_FAKE_UP, MWT_FAKE_FRAME, MWT_FAKE_DOWN } kind;
    mw_peer peer;
    const char *text; /* name, bytes of the frame, reason */
    size_t size;      /* of the frame */
};

/* The environment of a fake transport. The test begins with all members zero but `clock`. */
struct mwt_fake {
    int64_t *clock; /* several fakes may share one */
    struct mwt_fake_event events[MWT_FAKE_EVENTS_MAX];
    size_t events_count, events_done;
    mw_peer peers_count; /* connect counts them up */
    bool is_woken;       /* polls return at once */
    int64_t stop_ns;     /* for so long the next poll goes on after its deadline */
    size_t peers_max;    /* 0: no limit */
    int fd;              /* 0: none */
    size_t fd_asked_count;
    /* The errors of the functions, MW_OK by default. The sentence is "fake trouble". */
    mw_error open_error, listen_error, connect_error, send_error, poll_error;
    /* The calls: "open, listen A, connect B, send 1 TEXT, drop 1, close", without polls. */
    char calls[4096];
    int64_t polls[MWT_FAKE_POLLS_MAX]; /* the deadlines */
    int64_t polls_at[MWT_FAKE_POLLS_MAX];
    size_t polls_count;
    mw_transport_config config;
};

/* Two transports: polls of "fake" sleep, polls of "nap" do not. */
extern const mw_transport_api mwt_fake_sleeping;
extern const mw_transport_api mwt_fake_napping;

/* Arranges an event. The test arranges events in order of time. The text is borrowed for the life
 * of the fake. */
void mwt_fake_up(struct mwt_fake *fake, int64_t at_ns, mw_peer peer, const char *name);
void mwt_fake_frame(struct mwt_fake *fake, int64_t at_ns, mw_peer peer, const char *text);
void mwt_fake_bytes(struct mwt_fake *fake, int64_t at_ns, mw_peer peer, const char *bytes,
                    size_t size);
void mwt_fake_down(struct mwt_fake *fake, int64_t at_ns, mw_peer peer, const char *reason);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * A simulated host's end of the network for tests: it opens the sim transport, writes down every
 * event with its time, and sends numbers.
 */
#ifndef MWT_AGENT_H
#define MWT_AGENT_H

#include <mw/sim.h>

#define MWT_SEEN_MAX 512
#define MWT_MS INT64_C(1000000)
#define MWT_SECOND INT64_C(1000000000)

enum mwt_kind { MWT_UP, MWT_MESSAGE, MWT_DOWN };

struct mwt_seen {
    enum mwt_kind kind;
    mw_peer peer;
    int64_t time_ns;
    uint64_t number; /* of a message */
    char text[96];   /* of an up, the name; of a down, the reason */
};

struct mwt_agent {
    mw_sim_host *host;
    void *transport;
    mw_peer peer;   /* the last one that came up, or that was connected to */
    mw_error error; /* what the last poll said, and why */
    mw_reason why;
    int counts[3]; /* how many events of each kind */
    int seen_count;
    struct mwt_seen seen[MWT_SEEN_MAX];
    /* Called after a message was written down, if not NULL. */
    void (*on_message)(struct mwt_agent *agent, mw_peer peer, uint64_t number);
};

/* Opens the transport of the host that runs; frame_bytes_max 0 means 1 MiB. */
mw_error mwt_agent_open(struct mwt_agent *agent, mw_sim_host *host, size_t frame_bytes_max);
void mwt_agent_close(struct mwt_agent *agent);

/* Opens, and listens or connects. False if one of them fails. */
bool mwt_agent_listen(struct mwt_agent *agent, mw_sim_host *host);
bool mwt_agent_connect(struct mwt_agent *agent, mw_sim_host *host, const char *to);

/* Sends the number in a frame of `size` bytes, at least 8. */
mw_error mwt_agent_send(struct mwt_agent *agent, mw_peer peer, uint64_t number, size_t size);
/* Sends first, first + 1, ... last to the agent's peer. */
void mwt_agent_send_range(struct mwt_agent *agent, uint64_t first, uint64_t last);

void mwt_agent_poll(struct mwt_agent *agent, int64_t deadline);
/* Polls until the deadline, or until a poll fails. */
void mwt_agent_poll_until(struct mwt_agent *agent, int64_t deadline);
/* Polls until `count` events of that kind have come, or one of its peers is down, or a poll
 * fails. */
void mwt_agent_await(struct mwt_agent *agent, enum mwt_kind kind, int count);

/* Event number `index` of that kind, from 0; one that is all zero if there is none. */
const struct mwt_seen *mwt_agent_seen(const struct mwt_agent *agent, enum mwt_kind kind, int index);
/* Whether the messages seen are exactly first, first + 1, ... last. */
bool mwt_agent_saw_range(const struct mwt_agent *agent, uint64_t first, uint64_t last);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * All transports of a loop as if they were one. A peer's number has the index of its transport in
 * the upper 8 bits, so that it names the peer among those of all transports.
 */
#ifndef MWI_CARRIERS_H
#define MWI_CARRIERS_H

#include "base/backoff.h"
#include "engine/effects.h"
#include "options/options.h"

struct mwi_carriers;

struct mwi_carrier_entry {
    struct mwi_carriers *carriers;
    size_t index;
    const mw_transport_api *api;
    void *transport;
    size_t ups_count; /* peers that ever came up */
};

/* Must not move once a transport was added. */
struct mwi_carriers {
    struct mwi_carrier_entry items[MWI_TRANSPORTS_MAX];
    size_t count;
    /* Takes an event of any transport, with the peer's number among all, within a poll. */
    void (*on_event)(void *context, struct mwi_event *event);
    void *context;
    uint64_t events_count;
    struct mwi_backoff backoff; /* for several transports, or for a caller's own loop */
};

void mwi_carriers_init(struct mwi_carriers *carriers, mw_wait wait,
                       void (*on_event)(void *context, struct mwi_event *event), void *context);

/* Closes the transports, the last one first. */
void mwi_carriers_fini(struct mwi_carriers *carriers);

/* Opens another transport; *index says which it is. `wake_fd` is mw_transport_config.wake_fd.
 * Errors: those of the transport's open; MW_EINVAL: there are MWI_TRANSPORTS_MAX already. */
mw_error mwi_carriers_add(struct mwi_carriers *carriers, const mw_transport_api *api,
                          void *environment, size_t frame_bytes_max, int wake_fd, size_t *index,
                          mw_reason *why);

/* As the functions of mw_transport_api, for transport `index`. */
mw_error mwi_carriers_listen(struct mwi_carriers *carriers, size_t index, const char *address,
                             char *bound, size_t size, mw_reason *why);
mw_error mwi_carriers_connect(struct mwi_carriers *carriers, size_t index, const char *address,
                              mw_peer *peer, mw_reason *why);

/* As the functions of mw_transport_api, for a peer of any transport. Nothing happens to an admitted
 * peer of a transport that has no `admit`. */
mw_error mwi_carriers_send(struct mwi_carriers *carriers, mw_peer peer, void *frame, size_t size,
                           const mw_body *body);
bool mwi_carriers_send_now(struct mwi_carriers *carriers, mw_peer peer, void *frame, size_t size);
void mwi_carriers_admit(struct mwi_carriers *carriers, mw_peer peer);
void mwi_carriers_drop(struct mwi_carriers *carriers, mw_peer peer);

/* Waits until an event was taken, wake_fd is readable, or the deadline has passed; may return
 * early. Errors: those of the transports' poll. */
mw_error mwi_carriers_poll(struct mwi_carriers *carriers, int64_t deadline_ns, int wake_fd,
                           mw_reason *why);

/* Nothing came of a poll that ended at now_ns. */
void mwi_carriers_note_quiet(struct mwi_carriers *carriers, int64_t now_ns);

/* For a caller that polls on its own: how long it may pause at now_ns before it polls again, if no
 * descriptor tells it; 0: not at all. */
int64_t mwi_carriers_pause_ns(const struct mwi_carriers *carriers, int64_t now_ns);

/* How many peers can ever come up on all of them; SIZE_MAX: no limit is known. */
size_t mwi_carriers_peers_max(const struct mwi_carriers *carriers);

/* Whether all peers have come up that can, on the transports that know how many that are. */
bool mwi_carriers_is_complete(const struct mwi_carriers *carriers);

/* The descriptor of the first transport that has one; -1: none has. */
int mwi_carriers_fd(const struct mwi_carriers *carriers);

/* The clock of the first transport. */
int64_t mwi_carriers_now(const struct mwi_carriers *carriers);

#endif

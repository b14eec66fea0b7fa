/* SPDX-License-Identifier: Apache-2.0
 *
 * Joins transports to an engine: waits for their events, steps the engine with them, and carries
 * out the effects. It holds one transport or several; the engine sees the peers of all of them
 * alike. The loop's clock is the clock of the first transport. Only mwi_loop_open,
 * mwi_loop_open_descriptors, mwi_loop_add, mwi_loop_descriptors, mwi_loop_chores and mwi_loop_close
 * may be called while there is no transport.
 */
#ifndef MWI_LOOP_H
#define MWI_LOOP_H

#include "engine/effects.h"
#include "loop/chores.h"
#include "loop/descriptors.h"
#include "record/audit_file.h"

struct mwi_loop;

/* The functions of an engine that the loop calls. */
struct mwi_loop_engine {
    void *engine;
    /* MW_OK, or why the engine cannot go on. */
    mw_error (*step)(void *engine, const struct mwi_event *event);
    int64_t (*deadline)(const void *engine);
    struct mwi_effects *effects;
    /* Called for MWI_EFFECT_LOST, possibly within a poll; may be NULL. */
    void (*lost)(void *context, mw_peer peer, bool was_useful, mw_loss loss);
    /* Called, within a poll, when the connection of a peer has ended. True: the engine does not
     * hear of that until mwi_loop_lose is called for the peer. May be NULL. */
    bool (*withhold)(void *context, mw_peer peer, const char *reason);
    void *lost_context; /* of both */
};

/* Makes a loop without a transport at *loop. `engine` is copied; `audit` is borrowed until close.
 * `wait` says how the loop and its transports wait. MW_ENOMEM. */
mw_error mwi_loop_open(struct mwi_loop **loop, const struct mwi_loop_engine *engine, mw_wait wait,
                       struct mwi_audit_file *audit);

/* This process was forked off by the one that has opened the loop, and the loop is the other's.
 * From now on a turn fails with MW_ESTATE, nothing is sent, dropped or audited, and close leaves
 * everything as it is. mwi_loop_disown is safe in a signal handler. */
void mwi_loop_disown(struct mwi_loop *loop);
bool mwi_loop_is_disowned(const struct mwi_loop *loop);

/* The sentence for that. */
extern const mw_reason mwi_loop_why_disowned;

/* Closes the chores, without waiting for them, and the transports. NULL is legal. */
void mwi_loop_close(struct mwi_loop *loop);

/* Lets the loop wait for descriptors besides its transports. Call it before mwi_loop_add; a second
 * call does nothing. Errors: those of mwi_descriptors_open. */
mw_error mwi_loop_open_descriptors(struct mwi_loop *loop, mw_reason *why) MW_USE_RESULT;

/* The set of these descriptors, which belongs to the loop; NULL unless it was opened. A turn
 * dispatches it after its poll, never within a transport's event. A watch that has become readable
 * ends the wait of a turn at once; while peers keep the loop busy its turn comes a millisecond
 * later at most. */
struct mwi_descriptors *mwi_loop_descriptors(const struct mwi_loop *loop);

/* The chores of the loop, which belong to it. Each turn tends them before it waits, and waits no
 * longer than their deadline. Stop and close them before mwi_loop_close, to end them in order. */
struct mwi_chores *mwi_loop_chores(struct mwi_loop *loop);

/* For chores and watches: something has happened that the loop's user must look at, though no
 * transport reported it. The turn that is under way does not wait, and is eventful. */
void mwi_loop_rouse(struct mwi_loop *loop);

/* Opens another transport and sets *index to its number. `api` and `environment` are borrowed until
 * close. Errors: those of its open; MW_EINVAL: there are too many. */
mw_error mwi_loop_add(struct mwi_loop *loop, const mw_transport_api *api, void *environment,
                      size_t frame_bytes_max, size_t *index, mw_reason *why);

/* Call the function of transport `index`; see mw_transport_api. *peer is a number of the loop's. */
mw_error mwi_loop_listen(struct mwi_loop *loop, size_t index, const char *address, char *bound,
                         size_t size, mw_reason *why);
mw_error mwi_loop_connect(struct mwi_loop *loop, size_t index, const char *address, mw_peer *peer,
                          mw_reason *why);

/* The number of peers that can ever come up on all transports together; SIZE_MAX: no limit. */
size_t mwi_loop_peers_max(const struct mwi_loop *loop);

/* Whether all peers have come up, on those transports that have a limit of peers. */
bool mwi_loop_is_complete(const struct mwi_loop *loop);

/* The scheme of transport `index`, such as "tcp"; constant. */
const char *mwi_loop_scheme(const struct mwi_loop *loop, size_t index);

/* One turn: ticks the engine, tends the chores, waits until an event comes or the deadline, the
 * engine's own or that of a chore has passed, and carries out all effects. Sets *is_eventful, which
 * may be NULL, to whether an event came, a slave was lost or mwi_loop_rouse was called. Errors,
 * after which the loop can only be closed: those of mw_transport_api.poll and of the engine. */
mw_error mwi_loop_turn(struct mwi_loop *loop, int64_t deadline_ns, bool *is_eventful,
                       mw_reason *why);

/* mwi_loop_fd: a descriptor that is readable while a turn would find that the network or one of the
 * loop's own descriptors has something; the same each time. -1 if no transport has one, or none
 * could be made at the first call. mwi_loop_due: the time at which a turn is due although that
 * descriptor is not readable, or was not asked for: a second after the last turn at the latest. */
int mwi_loop_fd(struct mwi_loop *loop);
int64_t mwi_loop_due(const struct mwi_loop *loop);

/* The time when the last turn ended, or when its last event came if it had one: this saves reading
 * the clock. 0 before the first turn. */
int64_t mwi_loop_turned(const struct mwi_loop *loop);

/* Where the time since mwi_loop_add of the first transport went. */
struct mwi_loop_times {
    int64_t waiting_ns; /* for the network */
    int64_t serving_ns; /* events and their effects */
    int64_t caller_ns;  /* outside of the turns */
};

struct mwi_loop_times mwi_loop_times(const struct mwi_loop *loop);

/* As mw_transport_api.send_now: for a signal handler that has interrupted no call of the loop. */
bool mwi_loop_send_now(struct mwi_loop *loop, mw_peer peer, void *frame, size_t size);

/* Drops a peer that is known to be gone from another source, or whose end was withheld, as if its
 * transport had reported a down. With is_process_end the reason says how its process ended, such as
 * "was killed by signal 9 (Killed)". Not to be called from an event. */
void mwi_loop_lose(struct mwi_loop *loop, mw_peer peer, const char *reason, bool is_process_end);

/* Carries out the effects that a direct call of the engine has left. */
void mwi_loop_carry_out(struct mwi_loop *loop);

/* Stamps the records from now on with the time of day. Without this call they have the time of the
 * transport's clock. */
void mwi_loop_set_wall_clock(struct mwi_loop *loop);

/* Writes a record that the caller made, and not an engine; its time is filled in. */
void mwi_loop_audit(struct mwi_loop *loop, struct mwi_audit_record record);

/* The time of the loop's clock. */
int64_t mwi_loop_now(const struct mwi_loop *loop);

/* The time `timeout_s` seconds from now; INT64_MAX, that is never, if it is below 0 or too far
 * away. */
int64_t mwi_loop_deadline_after(const struct mwi_loop *loop, double timeout_s);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * How a transport plugs in. A transport moves whole frames between peers and knows nothing of
 * tasks: no greeting, no retry, no reconnection, no heartbeat; these live once, in the engines.
 * Users of the library need nothing of this header; who writes a transport needs only this one.
 *
 * The promises that tests/transport checks of every transport:
 *
 * - Frames arrive whole, once, and in order per peer, between one `up` and at most one `down`;
 *   after `down` that peer is never heard of again.
 * - A peer is a number, never 0, never used twice by one transport object. Every function accepts a
 *   stale or made-up one: send and connect say MW_EPEER, backlog says 0, drop does nothing.
 * - `poll` is the only place where events are called, and the only one that waits. No function ever
 *   blocks for a peer.
 * - An event may call send, backlog, drop and now of its transport; not poll, listen, connect or
 *   close.
 * - One thread at a time per transport object; no locks, no threads, no signal handlers inside.
 *   Several objects live in one process without knowing of each other.
 */
#ifndef MW_TRANSPORT_H
#define MW_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mw/error.h>
#include <mw/export.h>

/* Raised when this header changes in a way that a transport or its user must know of. */
#define MW_TRANSPORT_VERSION 3

/* The most that a limit of frames may be, in bytes: far more than memory has. */
#define MW_FRAME_BYTES_MAX (UINT64_C(1) << 48)

/* Another end, as one transport object counts them; 0 is none. The engine uses the upper 8 bits
 * for its own purposes: a transport counts from 1 up and stays below 2^56. */
typedef uint64_t mw_peer;

/* A frame that has arrived. The bytes are the transport's and stay valid until the event returns,
 * unless `block` is not NULL: then they lie in that malloc'd block, and the receiver may keep it by
 * setting `block` to NULL, after which the receiver must free() it. */
typedef struct mw_frame {
    unsigned char *data;
    size_t size;
    void *block;
} mw_frame;

/* The most that a frame may have before its body. */
#define MW_HEAD_BYTES_MAX 1024

/* The end of a frame that is to be sent from where it lies: a large payload that its owner keeps,
 * or sends to several peers; 0 bytes are allowed. `release`, not NULL, is called once, when the
 * transport has done with the bytes, which do not change until then; it calls nothing of the
 * transport. */
typedef struct mw_body {
    const void *data;
    size_t size;
    void (*release)(void *owner);
    void *owner;
} mw_body;

/* What a transport tells. `context` is mw_transport_config.context. Strings are borrowed for the
 * length of the event. */
typedef struct mw_transport_events {
    /* A peer is there: it connected to us, or our connect succeeded. `name` is for humans:
     * "127.0.0.1:39950", "rank 3". */
    void (*up)(void *context, mw_peer peer, const char *name);
    /* A whole frame came, of 0 to frame_bytes_max bytes. */
    void (*message)(void *context, mw_peer peer, mw_frame *frame);
    /* A peer is gone, for a `reason` in words: "closed by the peer", "connection refused", "a frame
     * of N bytes is over the limit of M". Also the outcome of a connect that failed, then without
     * an `up` before it. Frames that were queued for the peer are dropped. */
    void (*down)(void *context, mw_peer peer, const char *reason);
} mw_transport_events;

/* What a waiting poll does while nothing happens: a choice between how soon it answers and what it
 * costs. It changes nothing else. */
typedef enum mw_wait {
    /* Fast when busy, quiet when idle. A transport that sleeps does so at once; one that can only
     * look spins for a moment, then yields, then takes naps that grow. */
    MW_WAIT_AUTO,
    /* Looks again and again and never sleeps: the fastest, and a whole core for each process. */
    MW_WAIT_SPIN,
    /* The same, but gives the core to whoever wants it between two looks (sched_yield). */
    MW_WAIT_YIELD,
    /* Sleeps at once, or naps where it cannot: the cheapest. */
    MW_WAIT_NAP
} mw_wait;

/* What mpi takes as environment. `comm` is an `MPI_Comm *`: its ranks are joined, and it is only
 * read. `master_rank` is the rank of it that is going to listen, -1 if that is not said: open fails
 * on all ranks if they name different ones. Borrowed for the length of open. */
typedef struct mw_mpi_environment {
    void *comm;
    int master_rank;
} mw_mpi_environment;

/* Copied by open, but for what its pointers point to: `events` must outlive the transport. */
typedef struct mw_transport_config {
    const mw_transport_events *events;
    void *context;
    /* The largest frame in bytes, its body included, both ways: send says MW_ETOOBIG beyond it, and
     * a peer that sends a larger one goes down before memory is spent on it. At most
     * MW_FRAME_BYTES_MAX; a transport whose network counts in less cuts large frames into parts.
     * While a large frame arrives from one peer, those of others do not wait for its end. */
    size_t frame_bytes_max;
    /* A descriptor that ends a waiting poll when it becomes readable, or -1. The transport does not
     * read it. A signal handler's pipe, for instance. */
    int wake_fd;
    /* How a poll waits; MW_WAIT_AUTO is 0. A transport may ignore it, as sim does, whose host
     * decides when time moves. */
    mw_wait wait;
    /* Something that only this transport understands, or NULL. tcp: none yet. mpi: a
     * mw_mpi_environment; NULL means all of MPI_COMM_WORLD, initialising MPI if nobody has. sim:
     * the mw_sim_host to speak for; must not be NULL. */
    void *environment;
} mw_transport_config;

/* Every member is mandatory. `why` receives a sentence when a function fails; it must not be NULL.
 */
typedef struct mw_transport_api {
    /* MW_TRANSPORT_VERSION of the header the transport was compiled with; checked before use. */
    unsigned version;
    /* "tcp": what users call it. */
    const char *scheme;
    /* Whether a waiting poll sleeps until something happens (true), or naps and looks (false). A
     * loop with several transports waits in one that sleeps. */
    bool sleeps;

    /* Makes a transport object at *transport, to be closed by close. On failure *transport is
     * untouched. Errors: MW_ENOMEM, MW_ENETWORK, MW_EINVAL, MW_EUNAVAILABLE.
     * mpi: collective over the communicator. A rank that gives no `events` (NULL) stays out: it
     * gets MW_OK at once and no transport, and the others one without it. So the first collective
     * call of open is MPI_Comm_split with the color 0, or MPI_UNDEFINED; one that fails before
     * makes it too. */
    mw_error (*open)(void **transport, const mw_transport_config *config, mw_reason *why);

    /* The master's side: from now on peers may come up. Writes the address under which slaves reach
     * it, port 0 having become a port, to bound[0..size), NUL-terminated. May be called again for
     * another address. Errors: MW_EINVAL for an address that makes no sense, MW_ENETWORK for one
     * that cannot be had, MW_ENOMEM.
     *   tcp: "HOST:PORT", "[::1]:0", "*:7000" for all interfaces, "HOST:LOW-HIGH" for the first
     *        port of a range that is not taken or forbidden, "fd:N" to adopt the connected stream
     *        socket N, which becomes the transport's: it closes it even if it fails.
     *   mpi: "" or this process's rank, which is "rank 0" then: the other ranks come up as they
     * connect. */
    mw_error (*listen)(void *transport, const char *address, char *bound, size_t size,
                       mw_reason *why);

    /* The slave's side: starts to connect and returns at once with *peer set; the outcome is an
     * up or a down event in a later poll. Errors as listen.
     *   tcp: "HOST:PORT", "[::1]:7000", "fd:N" as above, no range.   mpi: the master's rank: "0",
     * "rank 0". */
    mw_error (*connect)(void *transport, const char *address, mw_peer *peer, mw_reason *why);

    /* Queues a frame: the `size` bytes of `frame` (0 is allowed, with any `frame`), and behind them
     * those of the body, unless it is NULL; with a body the frame itself is at most
     * MW_HEAD_BYTES_MAX. `frame` is malloc'd; on success the transport takes it and will free() it,
     * and will release the body, in any call from this one to close; on failure both stay the
     * caller's. *body itself is only read. Frames are handed to the network in the next poll at the
     * latest; those queued for one peer between two polls go out together. Errors: MW_EPEER,
     * MW_ETOOBIG, MW_ENOMEM; a network error is a later down event instead. */
    mw_error (*send)(void *transport, mw_peer peer, void *frame, size_t size, const mw_body *body);

    /* Bytes queued for the peer and not yet handed to the network. */
    size_t (*backlog)(void *transport, mw_peer peer);

    /* Forgets the peer now: what is queued for it is thrown away after one attempt to hand over
     * what the network takes without waiting, and no event follows for it. */
    void (*drop)(void *transport, mw_peer peer);

    /* Hands over what is queued, then waits until at least one event was called, wake_fd is
     * readable, or `deadline` on the clock of now() has passed, whichever is first; INT64_MAX waits
     * for ever, a deadline in the past looks once without waiting. May return early. The work of
     * one poll is bounded, however busy the peers are. Errors: MW_ENETWORK, MW_ENOMEM: the
     * transport is broken and only close is left. */
    mw_error (*poll)(void *transport, int64_t deadline, mw_reason *why);

    /* How many peers can ever come up at a listening end, as far as anybody can know: a master
     * whose slaves are all gone knows by it whether to wait for others. SIZE_MAX: there is no end
     * of them. mpi: the other ranks that took part in open. */
    size_t (*peers_max)(void *transport);

    /* A descriptor that is readable, for poll(2) and its like, while the network has something to
     * do for a listening end's poll that does not wait; -1 if the transport has none, or cannot
     * make one. The same, or none, for the life of the transport, which may make it when it is
     * first asked for. The caller only waits for it. What the caller itself has caused it need not
     * tell: who has called listen, connect, send or drop, or has polled and an event was called,
     * polls once more before he waits. And since some things come with time alone, he polls at
     * least once a second. */
    int (*fd)(void *transport);

    /* Nanoseconds on a monotonic clock whose zero is arbitrary but the same for all transports of a
     * process; the library has no other clock. sim: the host's virtual time. */
    int64_t (*now)(void *transport);

    /* Hands over what the network takes without waiting for long, then frees everything. No event
     * is called. NULL is legal. mpi: collective over the communicator: returns when every rank
     * closes, so that no message is left in flight. */
    void (*close)(void *transport);
} mw_transport_api;

/* A transport in a module of its own is a shared object `mw_SCHEME.so` that exports one symbol of
 * this name, `const mw_transport_api mw_transport_module`. It needs no symbol of the library. */
#define MW_TRANSPORT_MODULE_SYMBOL "mw_transport_module"

#endif

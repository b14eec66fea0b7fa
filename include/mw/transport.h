/* SPDX-License-Identifier: Apache-2.0
 *
 * The interface of a transport. A transport moves whole frames between peers and knows nothing of
 * tasks: it does not greet, retry, reconnect or send heartbeats; the engines do. A program that
 * uses the library does not need this header; a transport needs no other.
 *
 * A transport keeps these promises, which tests/transport checks:
 *
 * - Frames arrive whole, once, and in order for each peer, between one `up` and at most one `down`.
 *   After its `down` no event names that peer again.
 * - A peer is a number, never 0, never used twice by one transport object. Every function accepts a
 *   number that is stale or was never given: send returns MW_EPEER, and drop does nothing.
 * - Only `poll` calls events, and only `poll` waits. No function blocks until a peer does
 *   something.
 * - An event may call send, admit, drop and now of its transport, but not poll, listen, connect
 *   or close.
 * - One thread at a time uses a transport object. A transport has no locks, threads or signal
 *   handlers. Several objects in one process are independent of each other.
 */
#ifndef MW_TRANSPORT_H
#define MW_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mw/error.h>
#include <mw/export.h>

/* The version of this interface. It is raised when transports or their callers must change. */
#define MW_TRANSPORT_VERSION 7

/* The largest frame_bytes_max, in bytes: far more than a machine's memory. */
#define MW_FRAME_BYTES_MAX (UINT64_C(1) << 48)

/* The number of a peer, that is, of another end that a transport object is or was connected to; 0
 * means no peer. A transport counts from 1 up and stays below 2^56: the engine uses the upper 8
 * bits. */
typedef uint64_t mw_peer;

/* A frame that has arrived. Its bytes are borrowed until the event returns. If `block` is not NULL,
 * they lie in that block, and the event may take the block: it sets `block` to NULL, and must give
 * it back later with release(block), or with free() if `release` is NULL. It may do so after the
 * transport was closed, in the thread that used the transport. */
typedef struct mw_frame {
    unsigned char *data;
    size_t size;
    void *block;
    void (*release)(void *block);
} mw_frame;

/* The largest number of bytes that a frame may have before its body. */
#define MW_HEAD_BYTES_MAX 1024

/* The last part of a frame, which the transport sends from where it lies: a large payload that its
 * owner keeps or sends to several peers. `size` may be 0. The transport borrows `data` until it
 * calls `release` with `owner`, once; until then nobody may write to the bytes. `release` must not
 * be NULL and must not call the transport. */
typedef struct mw_body {
    const void *data;
    size_t size;
    void (*release)(void *owner);
    void *owner;
} mw_body;

/* The events that poll calls. `context` is mw_transport_config.context. Strings, and *frame, are
 * borrowed until the event returns. */
typedef struct mw_transport_events {
    /* A peer is connected: it connected to a listening end, or a connect of this side succeeded.
     * `name` is for humans: "127.0.0.1:39950", "rank 3". If this side has connected, the address of
     * its own end may follow: "127.0.0.1:36107 from 127.0.0.1:39950". */
    void (*up)(void *context, mw_peer peer, const char *name);
    /* A whole frame of 0 to frame_bytes_max bytes has arrived. */
    void (*message)(void *context, mw_peer peer, mw_frame *frame);
    /* A peer is gone, or a connect has failed, and then no `up` came before. `reason` says why, in
     * words: "closed by the peer", "connection refused", "a frame of N bytes is over the limit of
     * M". Frames that were queued for the peer are dropped. */
    void (*down)(void *context, mw_peer peer, const char *reason);
    /* Somebody who connected to a listening end was turned away before an `up`, and was no peer:
     * `name` is the address, `reason` says why, in words without characters of the stranger's. With
     * an empty name it tells of several, and the reason of their number. May be NULL. */
    void (*stranger)(void *context, const char *name, const char *reason);
} mw_transport_events;

/* How a waiting poll spends the time while nothing happens. The faster it notices an event, the
 * more processor time it takes. Nothing else depends on it. */
typedef enum mw_wait {
    /* Fast when busy, quiet when idle. A transport that can sleep until something happens does so
     * at once; another first looks again and again, then yields, then takes naps that grow. */
    MW_WAIT_AUTO,
    /* Looks again and again and never sleeps: the fastest; each process takes a whole core. */
    MW_WAIT_SPIN,
    /* As spin, but yields the core to other processes between two looks (sched_yield). */
    MW_WAIT_YIELD,
    /* Sleeps at once, or takes naps where it cannot sleep: the cheapest. */
    MW_WAIT_NAP
} mw_wait;

/* When a close of the mpi transport ends the job: MPI_Abort, with `status`, if another rank has not
 * come to its close by the time `deadline_ns` on the clock of now(). INT64_MAX: never. */
typedef struct mw_mpi_ending {
    int64_t deadline_ns;
    int status;
    /* Called before the job is ended, to say so; or NULL. */
    void (*late)(void *context);
    void *context;
} mw_mpi_ending;

/* The environment of the mpi transport, borrowed until open returns, but `ending` until close.
 * Members that are 0 or NULL have the values of a NULL environment, except `master_rank`. */
typedef struct mw_mpi_environment {
    /* An `MPI_Comm *` whose ranks take part; it is only read. NULL: all ranks of MPI_COMM_WORLD,
     * and MPI is initialised if it is not. */
    void *comm;
    /* The rank that will listen, or -1 for any: if two ranks give different numbers, open fails on
     * all. */
    int master_rank;
    /* The MPI that `comm` is of, "Open MPI" or "MPICH"; NULL: the one that the module was built
     * for. open fails with MW_EUNAVAILABLE if the two differ, and does not read `comm`. */
    const char *kind;
    /* Read at close, so the caller may change it until then; NULL: close waits for ever. */
    const mw_mpi_ending *ending;
} mw_mpi_environment;

#define MW_TCP_KEY_BYTES 32
#define MW_TCP_KEY_NAME_BYTES 64

/* A secret that both ends of a connection hold, and its name, which passes unencrypted: printable
 * ASCII, NUL-terminated, not empty. */
typedef struct mw_tcp_key {
    char name[MW_TCP_KEY_NAME_BYTES];
    unsigned char bytes[MW_TCP_KEY_BYTES];
} mw_tcp_key;

/* The environment of the tcp transport, borrowed until close; all its functions are called in a
 * poll. With keys, each connection is encrypted, and both ends prove a key before a peer comes up.
 * With all members NULL, nothing is encrypted. In both cases a peer of a listening end is a
 * stranger until it is admitted: its frames are small, and its time is short. An address "fd:N" is
 * neither encrypted nor limited: such a socket was handed over by somebody who is trusted. Without
 * an environment no other address may be used: MW_EINVAL. */
typedef struct mw_tcp_environment {
    /* A listening end: writes the key of this name to *key, which the transport wipes after use;
     * false if there is none. NULL: not encrypted. */
    bool (*find_key)(void *context, const char *name, mw_tcp_key *key);
    /* A connecting end: writes the key to prove to *key, which the transport wipes after use; false
     * if there is none, and then the connection goes down with the sentence *why. NULL: not
     * encrypted. */
    bool (*own_key)(void *context, mw_tcp_key *key, mw_reason *why);
    void *context;
    /* The farm's name, NUL-terminated; read at each connection. The proof holds for this farm only:
     * it fails if the two ends name different farms. */
    const char *farm;
    /* A frame without its length, for somebody who connects and speaks this transport's form
     * unencrypted: it is sent as it is, and the connection closed. NULL: none. */
    const void *refusal;
    size_t refusal_size;
} mw_tcp_environment;

/* How a transport object is made. open copies the struct, and borrows `events` and `context` until
 * the transport is closed. */
typedef struct mw_transport_config {
    const mw_transport_events *events;
    void *context;
    /* The largest frame in bytes, its body included, in both directions; at most
     * MW_FRAME_BYTES_MAX. For a larger one send returns MW_ETOOBIG; a peer that begins to send a
     * larger one goes down before memory is spent on it. A transport whose network has a lower
     * limit cuts large frames into parts. While a large frame arrives from one peer, frames from
     * others arrive too. */
    size_t frame_bytes_max;
    /* A descriptor that ends a waiting poll when it becomes readable, such as a signal handler's
     * pipe; or -1. The transport does not read from it and does not close it. */
    int wake_fd;
    /* How a poll waits. A transport may ignore it, as sim does, where the world moves time. */
    mw_wait wait;
    /* For the transport alone. tcp: an mw_tcp_environment, or NULL. mpi: an mw_mpi_environment, or
     * NULL. sim: the mw_sim_host that the transport belongs to; must not be NULL. inproc: one of
     * mw's own structs, since only mw opens it. */
    void *environment;
} mw_transport_config;

/* This process as one of a job, the processes that a launcher such as mpirun started together. */
typedef struct mw_mpi_job {
    int rank;         /* its number, from 0 */
    int size;         /* the number of processes */
    bool must_stop;   /* start has started the network, so stop is owed */
    char library[96]; /* what the network is, for sentences: "Open MPI v4.1.4" */
} mw_mpi_job;

/* The functions of a transport whose network starts all processes together and knows their ranks.
 * mw_main uses them before it knows whether the process is a master or a slave. mpi: all processes
 * of MPI_COMM_WORLD. */
typedef struct mw_mpi_job_api {
    /* Starts the network, unless that was done, and fills *job. Collective. May end the process:
     * MPI calls exit if it cannot start. Errors: MW_EUNAVAILABLE, MW_ENETWORK. */
    mw_error (*start)(mw_mpi_job *job, mw_reason *why);

    /* Ends the network if `job` owes it. Collective. All transports must be closed. */
    void (*stop)(mw_mpi_job *job);

    /* Ends all processes of the job at once, with this exit status. Does not return. */
    void (*abort)(int status);
} mw_mpi_job_api;

/* The functions of a transport. Every member but `send_now`, `admit` and `job` must be set. A
 * function that fails writes a sentence to *why, which must not be NULL. */
typedef struct mw_transport_api {
    /* MW_TRANSPORT_VERSION of the header that the transport was compiled with; the library checks
     * it before use. */
    unsigned version;
    /* The name by which users choose the transport, such as "tcp". */
    const char *scheme;
    /* Whether a waiting poll sleeps until something happens (true), or takes naps and looks
     * (false). A loop with several transports waits in one that sleeps. */
    bool sleeps;

    /* Makes a transport object at *transport, to be freed by close. After an error *transport is
     * unchanged. Errors: MW_ENOMEM, MW_ENETWORK, MW_EINVAL, MW_EUNAVAILABLE.
     * mpi: collective over the communicator. A rank whose config->events is NULL stays out: it gets
     * MW_OK and no transport, without waiting, and the other ranks form a farm without it. For this
     * the first collective call of open is MPI_Comm_split, with the color 0, or MPI_UNDEFINED to
     * stay out; a rank whose open fails before that makes the call too. */
    mw_error (*open)(void **transport, const mw_transport_config *config, mw_reason *why);

    /* The master's side: peers may come up from now on. Writes the address that slaves connect to,
     * with the real port in place of port 0, to bound[0..size), NUL-terminated. `address` is
     * borrowed for the call. May be called again with another address. Errors: MW_EINVAL for an
     * address that makes no sense, MW_ENETWORK for one that cannot be listened on, MW_ENOMEM.
     *   tcp: "HOST:PORT", "[::1]:0"; "*:7000" for all interfaces; "HOST:LOW-HIGH" for the first
     *        port of a range that is neither taken nor forbidden; "fd:N" for the connected stream
     *        socket N, which the transport takes, and closes also on an error.
     *   mpi: "" or this process's rank, "0" or "rank 0". The other ranks come up when they connect.
     */
    mw_error (*listen)(void *transport, const char *address, char *bound, size_t size,
                       mw_reason *why);

    /* The slave's side: begins to connect, sets *peer and returns without waiting. A later poll
     * calls `up` or `down` for the peer. `address` is borrowed for the call. The errors are those
     * of listen.
     *   tcp: "HOST:PORT", "[::1]:7000", "fd:N" as for listen; no range.
     *   mpi: the master's rank: "0", "rank 0". */
    mw_error (*connect)(void *transport, const char *address, mw_peer *peer, mw_reason *why);

    /* Queues a frame: the `size` bytes of `frame`, followed by the body unless `body` is NULL.
     * `size` may be 0, with any `frame`; with a body it is at most MW_HEAD_BYTES_MAX. On success
     * the transport takes `frame`, a malloc'd block, and the body: it frees and releases them in
     * any call from this one to close. After an error both still belong to the caller. The struct
     * *body is copied. The frame goes to the network in the next poll at the latest; frames that
     * are queued for one peer between two polls leave together. Errors: MW_EPEER, MW_ETOOBIG,
     * MW_ENOMEM; an error of the network is a later down event instead. */
    mw_error (*send)(void *transport, mw_peer peer, void *frame, size_t size, const mw_body *body);

    /* For the signal handler of a process whose own code was interrupted, never this transport:
     * queues the frame, and writes as much of the queue as the network takes at once. Calls only
     * functions that are safe in a signal handler, and allocates nothing. On true the transport
     * takes `frame`, a malloc'd block, as send does; on false nothing has happened, because the
     * peer cannot be written to in a handler. May be NULL: no peer can. */
    bool (*send_now)(void *transport, mw_peer peer, void *frame, size_t size);

    /* The peer, which has connected to this listening end, is a stranger no longer: from now on it
     * has no limits but those of all peers. Until then a transport whose network lets strangers in
     * keeps bounded what they cost: the size of their frames, their time and their number. May be
     * NULL: nobody is a stranger here. */
    void (*admit)(void *transport, mw_peer peer);

    /* Forgets the peer now. Queued frames get one attempt to leave without waiting; the rest is
     * thrown away. No event for the peer follows. */
    void (*drop)(void *transport, mw_peer peer);

    /* Hands queued frames to the network, then waits until an event was called, wake_fd is
     * readable, or the clock of now() has reached `deadline`. A deadline of INT64_MAX waits for
     * ever; one in the past looks once without waiting. poll may return early. The work of one poll
     * is bounded, however busy the peers are. After an error the transport is broken and only close
     * may be called. Errors: MW_ENETWORK, MW_ENOMEM. */
    mw_error (*poll)(void *transport, int64_t deadline, mw_reason *why);

    /* The largest number of peers that can ever come up at a listening end; SIZE_MAX if there is no
     * limit. A master that has lost all slaves reads from it whether others can come. mpi: the
     * number of other ranks that took part in open. */
    size_t (*peers_max)(void *transport);

    /* A descriptor for poll(2) and similar functions. It is readable while the network has work for
     * a poll of a listening end. -1 if the transport has none or cannot make one. The transport may
     * make it at the first call; from then on the answer stays the same. The caller only waits for
     * it. The descriptor need not report what the caller caused: after listen, connect, send, drop,
     * or a poll that called an event, poll once more before waiting for it. Some work comes with
     * time alone, so poll at least once a second. */
    int (*fd)(void *transport);

    /* The time in nanoseconds on a monotonic clock. Its zero is arbitrary, but the same for all
     * transports of a process. The engines have no other clock. sim: the host's virtual time. */
    int64_t (*now)(void *transport);

    /* Hands to the network the frames that it accepts without a long wait, then frees everything.
     * Calls no event. NULL is legal. mpi: collective over the communicator; it returns when every
     * rank closes, so that no message is still under way. */
    void (*close)(void *transport);

    /* mpi: the job. NULL in other transports. */
    const mw_mpi_job_api *job;
} mw_transport_api;

/* The symbol of a transport in a module. Such a transport is a shared object `mw_SCHEME.so` that
 * exports `const mw_transport_api mw_transport_module` and needs no symbol of the library. */
#define MW_TRANSPORT_MODULE_SYMBOL "mw_transport_module"

#endif

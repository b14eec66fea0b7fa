/* SPDX-License-Identifier: Apache-2.0
 *
 * A world in one process and one thread, with a clock of its own: hosts that run programs, a
 * network between them that delays, cuts and heals, and one seed from which all chance comes. The
 * same seed gives the same run, to the byte. It is made for testing a farm: the master and the
 * slaves run unchanged, on up to a million hosts, and hours of virtual time pass in seconds.
 *
 *     mw_sim_create        a world
 *     mw_sim_host_start    a host that runs a function, such as one that opens a master
 *     mw_sim_at            an act at a chosen time: a kill, a cut, a new host
 *     mw_sim_run           until all hosts have ended, or for some time
 *
 * A host's function runs as if it were alone. The world goes on only while the function waits, in a
 * poll of its transport, or computes, in mw_sim_spend. Everything else takes no virtual time. The
 * function must not block in any other way, and must not use more stack than
 * mw_sim_config.stack_bytes.
 *
 * Threads: a world belongs to the thread that runs it.
 */
#ifndef MW_SIM_H
#define MW_SIM_H

#include <mw/error.h>
#include <mw/export.h>
#include <mw/transport.h>

MW_BEGIN_DECLS

typedef struct mw_sim mw_sim;
typedef struct mw_sim_host mw_sim_host;

/* The transport of simulated hosts: scheme "sim". Its environment is the mw_sim_host that runs. Its
 * addresses are host names: listen "" listens as the host itself, connect "master" connects to the
 * host of that name. A connect to a host that does not listen goes down after the delay. A host
 * that polls with a past deadline again and again pays a microsecond of virtual time each time, so
 * that the world goes on beside a host that spins. wake_fd is ignored: nothing outside of the world
 * can wake a host. */
extern MW_API const mw_transport_api mw_sim_transport;

/* How a world is made. Each member that is 0 stands for its default. */
typedef struct mw_sim_config {
    uint64_t seed;
    /* How long a frame is under way, in nanoseconds: evenly spread from delay_min_ns to
     * delay_max_ns. Frames of one connection keep their order. Both 0: 50,000 to 200,000. */
    int64_t delay_min_ns, delay_max_ns;
    /* The size of each host's stack; 0: 256 KiB. */
    size_t stack_bytes;
} mw_sim_config;

/* Makes an empty world at time 0. Copies the config. MW_ENOMEM; MW_EINVAL for a negative delay. */
MW_API mw_error mw_sim_create(mw_sim **sim, const mw_sim_config *config) MW_USE_RESULT;

/* Kills the hosts that still run, lets their functions end, and frees all. NULL is legal. Must not
 * be called from a host. */
MW_API void mw_sim_destroy(mw_sim *sim);

/* A host's program; it returns the host's exit status. */
typedef int mw_sim_main(mw_sim_host *host, void *context);

/* Starts a host at the present time: `main` runs when the world next moves. Copies the name, which
 * must not be that of a host that runs. Borrows `context` until main returns. *host is valid until
 * the world is destroyed; `host` may be NULL. May also be called from a host and from an act of
 * mw_sim_at. MW_ENOMEM; MW_EINVAL for an empty name, a name in use, or no main; MW_ESTATE from a
 * host that was killed. */
MW_API mw_error mw_sim_host_start(mw_sim *sim, const char *name, mw_sim_main *main, void *context,
                                  mw_sim_host **host);

/* Moves the world until the last host has ended, or nothing can happen any more, or its clock has
 * reached `until_ns`; events of that time still happen. Returns whether every host has ended. Acts
 * that mw_sim_at has arranged for later stay arranged, and happen in a later call. Must not be
 * called from a host. */
MW_API bool mw_sim_run(mw_sim *sim, int64_t until_ns);

/* Calls `act` once at virtual time `at_ns`, or now if that is past, outside of all hosts. The act
 * may start and kill hosts, cut, heal, and call mw_sim_at. Acts of one time happen in the order in
 * which they were arranged. Borrows `context` until the act has happened. MW_ENOMEM; MW_ESTATE from
 * a host that was killed. */
MW_API mw_error mw_sim_at(mw_sim *sim, int64_t at_ns, void (*act)(mw_sim *sim, void *context),
                          void *context);

/* Kills a host as kill -9 does: frames that it sent before now still arrive, its peers see it go
 * down, its name is free, and nothing that it does from now on has an effect on others. Its polls
 * fail from now on, so that its function comes to its end, at this same time, and frees its memory;
 * then the host has ended. A host may kill itself. Nothing happens to a host that has ended. */
MW_API void mw_sim_kill(mw_sim_host *host);

/* Cuts the two hosts off from each other, silently: frames are held back, and after `notice_ns` the
 * connections between the hosts go down on both sides. If mw_sim_heal comes first, it delivers the
 * frames that were held back. A connect across a cut goes down after notice_ns. The cut is between
 * the hosts' names: hosts that are started under these names later are cut off too. MW_EINVAL for a
 * host and itself, hosts of two worlds, or a negative notice; MW_ENOMEM; MW_ESTATE from a host that
 * was killed. */
MW_API mw_error mw_sim_cut(mw_sim_host *one, mw_sim_host *other, int64_t notice_ns);
MW_API void mw_sim_heal(mw_sim_host *one, mw_sim_host *other);

/* The virtual time in nanoseconds since the world was made. */
MW_API int64_t mw_sim_now(const mw_sim *sim);

/* Lets the host that runs compute for `duration_ns`. The world goes on meanwhile; frames that
 * arrive for the host are handed out by its next poll. Returns at once if the host is killed
 * meanwhile. Does nothing outside of all hosts. */
MW_API void mw_sim_spend(mw_sim *sim, int64_t duration_ns);

/* The next number of the world's random sequence, 0..2^64-1. */
MW_API uint64_t mw_sim_random(mw_sim *sim);

/* Whether the host has ended. If so, *status is set to the value that its function returned, or to
 * -9 if it was killed; `status` may be NULL. */
MW_API bool mw_sim_host_ended(const mw_sim_host *host, int *status);

/* The host's name, valid until the world is destroyed, and the host's world. */
MW_API const char *mw_sim_host_name(const mw_sim_host *host);
MW_API mw_sim *mw_sim_host_world(const mw_sim_host *host);

MW_END_DECLS

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * A world in one process and one thread, with a clock of its own: hosts that run programs, a
 * network between them that delays, cuts and heals, and one seed from which all chance comes. The
 * same seed gives the same run, to the byte. For testing a farm: its master and slaves run
 * unchanged, ten thousand of them if wanted, through hours of virtual time in seconds.
 *
 *     mw_sim_create        a world
 *     mw_sim_host_start    a host that runs a function, such as one that opens a master
 *     mw_sim_at            something that shall happen at a time: a kill, a cut, a new host
 *     mw_sim_run           until all hosts have ended, or for some time
 *
 * A host's function runs as if alone; the world goes on only when it waits, in a poll of its
 * transport, or computes, in mw_sim_spend. All else takes no virtual time. It must not block in any
 * other way, and must not use more stack than mw_sim_config.stack_bytes.
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

/* The transport of simulated hosts: scheme "sim". Its environment is the mw_sim_host that runs; it
 * listens and connects by host names: listen "" takes the host's own, connect "master" goes to the
 * host of that name. A connect to a host that does not listen goes down after the delay. A host
 * that polls in the past again and again pays a microsecond each time, so that one that spins does
 * not stop the world. wake_fd is ignored: nothing wakes a host from outside of its world. */
extern MW_API const mw_transport_api mw_sim_transport;

/* What is left 0 is the default. Copied. */
typedef struct mw_sim_config {
    uint64_t seed;
    /* A frame's way takes this long, evenly spread; frames between two hosts keep their order.
     * Nanoseconds; both 0 means 50,000 to 200,000. */
    int64_t delay_min_ns, delay_max_ns;
    /* Stack of a host in bytes; 0 means 256 KiB. */
    size_t stack_bytes;
} mw_sim_config;

/* Makes an empty world at time 0. MW_ENOMEM; MW_EINVAL for a negative delay. */
MW_API mw_error mw_sim_create(mw_sim **sim, const mw_sim_config *config) MW_USE_RESULT;

/* Kills the hosts that still run, lets them end, and frees all. NULL is legal. Not from a host. */
MW_API void mw_sim_destroy(mw_sim *sim);

/* What a host runs; the return value is its exit status. */
typedef int mw_sim_main(mw_sim_host *host, void *context);

/* Starts a host at the present time: `main` runs when the world next moves. The name is copied and
 * must not be that of a host that runs; `context` is borrowed until main returns. *host, if wanted,
 * is valid until the world is destroyed. Also from a host or from mw_sim_at. MW_ENOMEM, MW_EINVAL;
 * MW_ESTATE from a host that was killed. */
MW_API mw_error mw_sim_host_start(mw_sim *sim, const char *name, mw_sim_main *main, void *context,
                                  mw_sim_host **host);

/* Moves the world until the last host has ended, or nothing can happen any more, or its clock has
 * reached `until_ns`; what happens at that time happens. Returns whether every host has ended. What
 * mw_sim_at arranged for later is kept: call again for it. Not from a host. */
MW_API bool mw_sim_run(mw_sim *sim, int64_t until_ns);

/* Calls `act` once at virtual time `at_ns` (now, if that is past), outside of all hosts. It may
 * start, kill, cut, heal, and call mw_sim_at; what was arranged for one time happens in the order
 * in which it was arranged. `context` is borrowed until then. MW_ENOMEM; MW_ESTATE from a host that
 * was killed. */
MW_API mw_error mw_sim_at(mw_sim *sim, int64_t at_ns, void (*act)(mw_sim *sim, void *context),
                          void *context);

/* Kills a host as kill -9 does: what it sent before now still arrives, its peers see it go down,
 * its name is free, and nothing it does from now on has an effect on others. Its function is
 * unwound by failing polls, at this same time, so that its memory is freed; it has ended when that
 * is done. A host that has ended: nothing happens. By the host itself too: its next poll fails. */
MW_API void mw_sim_kill(mw_sim_host *host);

/* Cuts the two hosts off from each other, silently: frames are held back, and after `notice_ns`
 * their connections go down on both sides, unless mw_sim_heal came first and delivers what was
 * held. A connect across a cut goes down after notice_ns. What is cut are the places: hosts that
 * are started under these names later are cut off too. MW_EINVAL for a host and itself, hosts of
 * two worlds, or a negative notice; MW_ENOMEM; MW_ESTATE from a host that was killed. */
MW_API mw_error mw_sim_cut(mw_sim_host *a, mw_sim_host *b, int64_t notice_ns);
MW_API void mw_sim_heal(mw_sim_host *a, mw_sim_host *b);

/* The virtual time in nanoseconds. */
MW_API int64_t mw_sim_now(const mw_sim *sim);

/* Lets the host that runs compute for so long: the world goes on meanwhile, and what comes for the
 * host is seen in its next poll. If it is killed meanwhile, this returns at once. Nothing happens
 * outside of all hosts. */
MW_API void mw_sim_spend(mw_sim *sim, int64_t duration_ns);

/* The next number of the world's random sequence, 0..2^64-1. */
MW_API uint64_t mw_sim_random(mw_sim *sim);

/* Whether the host has ended, and if so, how: what its function returned; a killed one gives -9. */
MW_API bool mw_sim_host_ended(const mw_sim_host *host, int *status);

/* The host's name, borrowed until the world is destroyed, and its world. */
MW_API const char *mw_sim_host_name(const mw_sim_host *host);
MW_API mw_sim *mw_sim_host_world(const mw_sim_host *host);

MW_END_DECLS

#endif

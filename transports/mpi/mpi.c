/* SPDX-License-Identifier: Apache-2.0
 *
 * The transport over MPI: the table of functions that the module exports, waiting, and closing.
 * One transport is two communicators of its own with the same ranks; its peers are links to these.
 * MPI offers nothing to sleep on, so a poll looks and naps.
 */
#include "protocol.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/time.h"

/* An address is what the peers' names are, too. */
#define RANK_PREFIX "rank "
/* How many looks a spinning poll makes before it looks at wake_fd. */
#define LOOKS_PER_WAKE_CHECK 64

MW_API extern const mw_transport_api mw_transport_module;

static int64_t mpi_now(void *transport)
{
    (void)transport;
    return mwi_clock_monotonic_ns();
}

static void free_transport(struct mwi_mpi_transport *t)
{
    mwi_mpi_receives_fini(&t->receives);
    mwi_mpi_sends_fini(&t->sends);
    mwi_mpi_links_fini(&t->links);
    mwi_mpi_world_close(&t->world);
    free(t);
}

static mw_error open_transport(struct mwi_mpi_transport *t, mw_reason *why)
{
    mw_error error = mwi_mpi_world_open(&t->world, t->config.environment, why);
    bool is_ready;

    if (error != MW_OK)
        return error;
    is_ready = mwi_mpi_links_init(&t->links, t->world.size) == MW_OK &&
               mwi_mpi_receives_init(&t->receives, &t->world, why) == MW_OK;
    return mwi_mpi_world_agree(&t->world, is_ready, (int64_t)t->config.frame_bytes_max, why);
}

static mw_error mpi_open(void **transport, const mw_transport_config *config, mw_reason *why)
{
    struct mwi_mpi_transport *t;
    mw_error error;

    if (config->events == NULL)
        return mwi_mpi_world_decline(config->environment, why);
    if (config->frame_bytes_max > MW_FRAME_BYTES_MAX) {
        (void)mwi_mpi_world_decline(config->environment, why);
        return mwi_mpi_fail(why, MW_EINVAL, "mpi: a frame limit of %zu is over %llu",
                            config->frame_bytes_max, (unsigned long long)MW_FRAME_BYTES_MAX);
    }
    t = calloc(1, sizeof *t);
    if (t == NULL) {
        (void)mwi_mpi_world_decline(config->environment, why);
        return mwi_mpi_fail(why, MW_ENOMEM, "out of memory");
    }
    t->config = *config;
    mwi_backoff_init(&t->backoff, config->wait);
    error = open_transport(t, why);
    if (error != MW_OK)
        free_transport(t);
    else
        *transport = t;
    return error;
}

/* "rank 3", "3" -> 3; -1 for what is none of them. */
static int read_rank(const char *address)
{
    char *end;
    long rank;

    if (strncmp(address, RANK_PREFIX, strlen(RANK_PREFIX)) == 0)
        address += strlen(RANK_PREFIX);
    if (address[0] < '0' || address[0] > '9')
        return -1;
    rank = strtol(address, &end, 10);
    return *end == '\0' && rank <= INT_MAX ? (int)rank : -1;
}

static mw_error mpi_listen(void *transport, const char *address, char *bound, size_t size,
                           mw_reason *why)
{
    struct mwi_mpi_transport *t = transport;
    int length;

    if (address[0] != '\0' && read_rank(address) != (int)t->world.own.parent_rank)
        return mwi_mpi_fail(why, MW_EINVAL,
                            "\"%.100s\" is no address to listen at: this process is rank %d",
                            address, (int)t->world.own.parent_rank);
    length = snprintf(bound, size, RANK_PREFIX "%d", (int)t->world.own.parent_rank);
    if (length < 0 || (size_t)length >= size)
        return mwi_mpi_fail(why, MW_EINVAL, "no room for the address");
    t->listening = true;
    return MW_OK;
}

static mw_error mpi_connect(void *transport, const char *address, mw_peer *peer, mw_reason *why)
{
    struct mwi_mpi_transport *t = transport;
    int parent_rank = read_rank(address);
    int rank = mwi_mpi_world_find(&t->world, parent_rank);

    if (parent_rank < 0 || parent_rank >= t->world.parent_size)
        return mwi_mpi_fail(why, MW_EINVAL, "\"%.100s\" is no rank: they are 0 to %d", address,
                            t->world.parent_size - 1);
    if (rank < 0)
        return mwi_mpi_fail(why, MW_EUNAVAILABLE, "rank %d does not take part", parent_rank);
    if (rank == t->world.rank)
        return mwi_mpi_fail(why, MW_EINVAL, "rank %d is this process itself", parent_rank);
    return mwi_mpi_protocol_connect(t, rank, peer, why);
}

static mw_error mpi_send(void *transport, mw_peer peer, void *frame, size_t size,
                         const mw_body *body)
{
    return mwi_mpi_protocol_send(transport, peer, frame, size, body);
}

static size_t mpi_backlog(void *transport, mw_peer peer)
{
    const struct mwi_mpi_transport *t = transport;
    const struct mwi_mpi_link *link = mwi_mpi_links_of_peer(&t->links, peer);

    return link == NULL ? 0 : link->backlog_bytes;
}

static void mpi_drop(void *transport, mw_peer peer)
{
    struct mwi_mpi_transport *t = transport;
    struct mwi_mpi_link *link = mwi_mpi_links_of_peer(&t->links, peer);

    if (link != NULL)
        mwi_mpi_protocol_leave(t, link);
}

/* Sleeps for so long, or until wake_fd is readable or a signal came; returns whether it was cut
 * short. */
static bool nap(int wake_fd, int64_t duration_ns)
{
    struct pollfd wake = {.fd = wake_fd, .events = POLLIN};
    struct timespec duration = {.tv_sec = duration_ns / MWI_NS_PER_S,
                                .tv_nsec = duration_ns % MWI_NS_PER_S};

    return ppoll(&wake, wake_fd >= 0 ? 1 : 0, &duration, NULL) != 0;
}

/* Waits a little, as the back-off says, but not beyond the deadline; returns whether something
 * other than MPI ended it. */
static bool wait_a_little(struct mwi_mpi_transport *t, int wake_fd, int64_t now_ns,
                          int64_t deadline_ns)
{
    int64_t nap_ns;

    mwi_backoff_quiet(&t->backoff, now_ns);
    nap_ns = mwi_backoff_next(&t->backoff, now_ns, t->sends.bytes + t->receives.bytes);
    if (nap_ns == MWI_BACKOFF_SPIN)
        return false;
    if (nap_ns == MWI_BACKOFF_YIELD) {
        sched_yield();
        mwi_backoff_yielded(&t->backoff, now_ns, mwi_clock_monotonic_ns());
        return false;
    }
    return nap(wake_fd, nap_ns < deadline_ns - now_ns ? nap_ns : deadline_ns - now_ns);
}

static bool is_woken(const struct mwi_mpi_transport *t)
{
    return t->config.wake_fd >= 0 && nap(t->config.wake_fd, 0);
}

/* Besides for the reasons in mw/transport.h it returns when a send is done that was not done at
 * once, so that whoever waits for a backlog to shrink hears of it. */
static mw_error mpi_poll(void *transport, int64_t deadline, mw_reason *why)
{
    struct mwi_mpi_transport *t = transport;
    uint64_t events_count = t->events_count;
    size_t done_count = 0;

    for (unsigned looks_count = 1;; looks_count++) {
        mw_error error = mwi_mpi_protocol_look(t, &done_count, why);
        int64_t now_ns;

        if (error != MW_OK)
            return error;
        if (t->events_count != events_count || done_count > 0) {
            mwi_backoff_active(&t->backoff);
            return MW_OK;
        }
        if (deadline == INT64_MIN)
            return MW_OK;
        now_ns = mwi_clock_monotonic_ns();
        if (now_ns >= deadline || wait_a_little(t, t->config.wake_fd, now_ns, deadline))
            return MW_OK;
        if (looks_count % LOOKS_PER_WAKE_CHECK == 0 && is_woken(t))
            return MW_OK;
    }
}

/* Looks until every rank has come to its close and nothing is on its way any more, to us or from
 * us. A rank enters the barrier only when all its links have ended; after that it makes no new one,
 * and the ends of those that others make late are answered from here. */
static mw_error part(struct mwi_mpi_transport *t, mw_reason *why)
{
    MPI_Request barrier = MPI_REQUEST_NULL;
    int is_passed = 0;
    bool is_entered = false;
    size_t done_count = 0;
    mw_error error = MW_OK;

    mwi_backoff_active(&t->backoff);
    while (error == MW_OK && !(is_passed && mwi_mpi_protocol_quiet(t))) {
        error = mwi_mpi_protocol_look(t, &done_count, why);
        if (error == MW_OK && !is_entered && mwi_mpi_protocol_quiet(t)) {
            error = mwi_mpi_check(MPI_Ibarrier(t->world.comm, &barrier), "MPI_Ibarrier", why);
            is_entered = true;
        }
        if (error == MW_OK && is_entered && !is_passed)
            error =
                mwi_mpi_check(MPI_Test(&barrier, &is_passed, MPI_STATUS_IGNORE), "MPI_Test", why);
        if (!is_passed)
            wait_a_little(t, -1, mwi_clock_monotonic_ns(), INT64_MAX);
    }
    return error;
}

static size_t mpi_peers_max(void *transport)
{
    const struct mwi_mpi_transport *t = transport;

    return (size_t)t->world.size - 1;
}

/* MPI offers nothing to wait for. */
static int mpi_fd(void *transport)
{
    (void)transport;
    return -1;
}

static void mpi_close(void *transport)
{
    struct mwi_mpi_transport *t = transport;
    mw_reason why;

    if (t == NULL)
        return;
    t->listening = false;
    if (mwi_mpi_world_usable()) {
        mwi_mpi_protocol_leave_all(t);
        (void)part(t, &why);
    }
    free_transport(t);
}

const mw_transport_api mw_transport_module = {
    .version = MW_TRANSPORT_VERSION,
    .scheme = "mpi",
    .sleeps = false,
    .open = mpi_open,
    .listen = mpi_listen,
    .connect = mpi_connect,
    .send = mpi_send,
    .backlog = mpi_backlog,
    .drop = mpi_drop,
    .poll = mpi_poll,
    .peers_max = mpi_peers_max,
    .fd = mpi_fd,
    .now = mpi_now,
    .close = mpi_close,
};

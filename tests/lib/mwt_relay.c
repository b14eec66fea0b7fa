/* SPDX-License-Identifier: Apache-2.0
 *
 * The relay of mwt_relay.h: one thread, one poll over all connections.
 *
 * A connection has two ends. The bytes that come from one end are recorded, meddled with, and
 * appended to the pending bytes of the end that they go to. An end is not read while the other has
 * pending bytes, so that a slow receiver slows its sender down as on a real network. The mutex
 * guards everything but the descriptors of ends, which only the thread touches. For a new fault add
 * a case to meddle.
 */
#include "mwt_relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "mwt_process.h"

#define CONNECTIONS_MAX 4096
#define READ_BYTES 65536

struct bytes {
    unsigned char *data;
    size_t size, room;
};

/* The end of a slave sends MWT_UP, that of the master MWT_DOWN. */
struct end {
    int fd;               /* -1: closed */
    bool is_over;         /* its sender has ended */
    bool is_told;         /* it was told that the other sender has ended */
    struct bytes pending; /* bytes that it is to get */
    size_t sent;          /* of `pending` */
    struct bytes record;  /* the bytes that it has sent */
    struct bytes held;    /* bytes of its sender that wait for a release */
};

struct connection {
    struct end ends[2]; /* by the way that the end sends */
    struct mwt_meddling meddling;
    bool is_meddled, is_released;
    bool must_end; /* as soon as nothing is pending */
    bool has_ended;
};

struct mwt_relay {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int listen_fd, wake_fd;
    char port[8];
    uint16_t master_port;
    struct mwt_meddling meddling;
    struct connection *connections[CONNECTIONS_MAX];
    size_t counts[MWT_RELAY_COUNTS];
    bool must_stop, must_release;
};

static void insist(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "the relay cannot go on: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static void append(struct bytes *bytes, const unsigned char *data, size_t size)
{
    if (size == 0)
        return;
    if (bytes->size + size > bytes->room) {
        bytes->room = 2 * (bytes->size + size);
        bytes->data = realloc(bytes->data, bytes->room);
        insist(bytes->data != NULL, "realloc");
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

static void count_up(struct mwt_relay *relay, enum mwt_relay_count which, size_t more)
{
    relay->counts[which] += more;
    pthread_cond_broadcast(&relay->changed);
}

static enum mwt_way opposite(enum mwt_way way)
{
    return way == MWT_UP ? MWT_DOWN : MWT_UP;
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void tune(int fd)
{
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void close_end(struct end *end)
{
    if (end->fd >= 0)
        close(end->fd);
    end->fd = -1;
}

static void end_connection(struct mwt_relay *relay, struct connection *connection)
{
    for (size_t i = 0; i < 2; i++)
        close_end(&connection->ends[i]);
    connection->has_ended = true;
    count_up(relay, MWT_RELAY_ENDED, 1);
}

/* A master that is not there is an end at once. */
static void accept_connection(struct mwt_relay *relay)
{
    int slave_fd = accept4(relay->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    size_t number = relay->counts[MWT_RELAY_CONNECTIONS];
    if (slave_fd < 0)
        return;
    insist(number < CONNECTIONS_MAX, "too many connections");
    struct connection *connection = calloc(1, sizeof *connection);
    insist(connection != NULL, "calloc");
    struct sockaddr_in address = loopback(relay->master_port);
    int master_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_there = connect(master_fd, (struct sockaddr *)&address, sizeof address) == 0;
    tune(slave_fd);
    tune(master_fd);
    connection->ends[MWT_UP].fd = slave_fd;
    connection->ends[MWT_DOWN].fd = master_fd;
    connection->meddling = relay->meddling;
    relay->connections[number] = connection;
    count_up(relay, MWT_RELAY_CONNECTIONS, 1);
    if (!is_there)
        end_connection(relay, connection);
}

/* Passes the bytes on from place `start` of their way, as the fault at place `at` wants it. */
static void meddle(struct connection *connection, enum mwt_way way, unsigned char *data,
                   size_t start, size_t size)
{
    struct end *sender = &connection->ends[way], *receiver = &connection->ends[opposite(way)];
    const struct mwt_meddling *meddling = &connection->meddling;
    size_t before = meddling->at > start ? meddling->at - start : 0;
    switch (meddling->fault) {
    case MWT_FAULT_CUT:
        append(&receiver->pending, data, before);
        connection->must_end = true;
        break;
    case MWT_FAULT_FLIP:
        data[before] ^= 1;
        append(&receiver->pending, data, size);
        break;
    case MWT_FAULT_DROP:
        append(&receiver->pending, data, before);
        append(&receiver->pending, data + before + 1, size - before - 1);
        break;
    case MWT_FAULT_TWICE:
        append(&receiver->pending, data, size);
        append(&receiver->pending, data, size);
        break;
    case MWT_FAULT_HOLD:
        append(&receiver->pending, data, before);
        append(&sender->held, data + before, size - before);
        break;
    case MWT_FAULT_REFLECT:
        append(&receiver->pending, data, before);
        append(&sender->pending, data + before, size - before);
        break;
    case MWT_FAULT_NONE:
        append(&receiver->pending, data, size);
        break;
    }
}

/* Whether the fault lasts, as a hold does, or happens once. */
static bool is_lasting(const struct connection *connection)
{
    return (connection->meddling.fault == MWT_FAULT_HOLD && !connection->is_released) ||
           connection->meddling.fault == MWT_FAULT_REFLECT;
}

static void pass_on(struct mwt_relay *relay, struct connection *connection, enum mwt_way way,
                    unsigned char *data, size_t size)
{
    const struct mwt_meddling *meddling = &connection->meddling;
    size_t start = connection->ends[way].record.size;
    append(&connection->ends[way].record, data, size);
    count_up(relay, way == MWT_UP ? MWT_RELAY_BYTES_UP : MWT_RELAY_BYTES_DOWN, size);
    bool is_due = meddling->fault != MWT_FAULT_NONE && meddling->way == way &&
                  meddling->at < start + size &&
                  (!connection->is_meddled || is_lasting(connection)) && !connection->is_released;
    if (!is_due) {
        append(&connection->ends[opposite(way)].pending, data, size);
        return;
    }
    meddle(connection, way, data, start, size);
    if (!connection->is_meddled)
        count_up(relay, MWT_RELAY_MEDDLED, 1);
    connection->is_meddled = true;
}

static void read_end(struct mwt_relay *relay, struct connection *connection, enum mwt_way way)
{
    unsigned char data[READ_BYTES];
    ssize_t got = recv(connection->ends[way].fd, data, sizeof data, 0);
    if (got > 0)
        pass_on(relay, connection, way, data, (size_t)got);
    else if (got == 0 || errno == ECONNRESET)
        connection->ends[way].is_over = true;
    else if (errno != EAGAIN)
        connection->must_end = true;
}

/* Sends pending bytes. A receiver that is gone ends the connection. */
static void write_end(struct connection *connection, struct end *end)
{
    size_t piece_size = connection->meddling.piece_size;
    while (end->sent < end->pending.size) {
        size_t size = end->pending.size - end->sent;
        if (piece_size > 0 && size > piece_size)
            size = piece_size;
        ssize_t sent = send(end->fd, end->pending.data + end->sent, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN)
            return;
        if (sent < 0) {
            connection->must_end = true;
            break;
        }
        end->sent += (size_t)sent;
    }
    end->pending.size = end->sent = 0;
}

/* Tells each end that the other sender has ended, and ends the connection when both have. */
static void end_ways(struct mwt_relay *relay, struct connection *connection)
{
    bool is_idle = true, are_over = true;
    for (size_t i = 0; i < 2; i++) {
        struct end *end = &connection->ends[i], *other = &connection->ends[1 - i];
        bool has_pending = end->pending.size > 0;
        is_idle = is_idle && !has_pending;
        are_over = are_over && end->is_over;
        if (other->is_over && !has_pending && !end->is_told) {
            shutdown(end->fd, SHUT_WR);
            end->is_told = true;
        }
    }
    if ((connection->must_end || are_over) && is_idle)
        end_connection(relay, connection);
}

static void release(struct connection *connection)
{
    for (size_t i = 0; i < 2; i++) {
        struct end *end = &connection->ends[i];
        append(&connection->ends[1 - i].pending, end->held.data, end->held.size);
        end->held.size = 0;
    }
    connection->is_released = true;
}

static bool is_open(const struct connection *connection)
{
    return connection != NULL && !connection->has_ended;
}

/* The next connection that is open, from `number` on; NULL: none. */
static struct connection *next_open(struct mwt_relay *relay, size_t *number)
{
    while (*number < relay->counts[MWT_RELAY_CONNECTIONS])
        if (is_open(relay->connections[(*number)++]))
            return relay->connections[*number - 1];
    return NULL;
}

/* An end whose sender has ended is still watched for a reset, which poll tells without being asked.
 */
static short wanted_events(const struct connection *connection, enum mwt_way way)
{
    const struct end *end = &connection->ends[way], *other = &connection->ends[opposite(way)];
    bool can_read = !end->is_over && other->pending.size == 0 && !connection->must_end;
    return (short)((can_read ? POLLIN : 0) | (end->pending.size > 0 ? POLLOUT : 0));
}

static size_t fill_polls(struct mwt_relay *relay, struct pollfd *polls)
{
    size_t count = 2, number = 0;
    struct connection *connection;
    polls[0] = (struct pollfd){.fd = relay->listen_fd, .events = POLLIN};
    polls[1] = (struct pollfd){.fd = relay->wake_fd, .events = POLLIN};
    while ((connection = next_open(relay, &number)) != NULL)
        for (size_t i = 0; i < 2; i++) {
            short events = wanted_events(connection, (enum mwt_way)i);
            polls[count++] =
                (struct pollfd){.fd = events == 0 ? -1 : connection->ends[i].fd, .events = events};
        }
    return count;
}

static void serve_connection(struct mwt_relay *relay, struct connection *connection,
                             const struct pollfd *polls)
{
    if (relay->must_release)
        release(connection);
    for (size_t i = 0; i < 2; i++)
        if ((polls[i].revents & ~POLLOUT) != 0)
            read_end(relay, connection, (enum mwt_way)i);
    for (size_t i = 0; i < 2; i++)
        write_end(connection, &connection->ends[i]);
    end_ways(relay, connection);
}

static void serve_all(struct mwt_relay *relay, const struct pollfd *polls)
{
    size_t count = 2, number = 0;
    struct connection *connection;
    while ((connection = next_open(relay, &number)) != NULL) {
        serve_connection(relay, connection, &polls[count]);
        count += 2;
    }
    relay->must_release = false;
    if (polls[0].revents != 0)
        accept_connection(relay);
}

static void *run(void *context)
{
    struct mwt_relay *relay = context;
    static _Thread_local struct pollfd polls[2 + 2 * CONNECTIONS_MAX];
    uint64_t wakes;
    pthread_mutex_lock(&relay->mutex);
    while (!relay->must_stop) {
        size_t count = fill_polls(relay, polls);
        pthread_mutex_unlock(&relay->mutex);
        poll(polls, count, -1);
        if (polls[1].revents != 0)
            insist(read(relay->wake_fd, &wakes, sizeof wakes) == sizeof wakes, "read");
        pthread_mutex_lock(&relay->mutex);
        serve_all(relay, polls);
    }
    pthread_mutex_unlock(&relay->mutex);
    return NULL;
}

static void wake(struct mwt_relay *relay)
{
    uint64_t one = 1;
    insist(write(relay->wake_fd, &one, sizeof one) == sizeof one, "write");
}

struct mwt_relay *mwt_relay_create(const char *master_port)
{
    struct mwt_relay *relay = calloc(1, sizeof *relay);
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    pthread_condattr_t on_clock;
    insist(relay != NULL, "calloc");
    relay->master_port = (uint16_t)atoi(master_port);
    relay->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    relay->wake_fd = eventfd(0, EFD_CLOEXEC);
    insist(bind(relay->listen_fd, (struct sockaddr *)&address, size) == 0, "bind");
    insist(listen(relay->listen_fd, SOMAXCONN) == 0, "listen");
    insist(getsockname(relay->listen_fd, (struct sockaddr *)&address, &size) == 0, "getsockname");
    snprintf(relay->port, sizeof relay->port, "%u", ntohs(address.sin_port));
    pthread_condattr_init(&on_clock);
    pthread_condattr_setclock(&on_clock, CLOCK_MONOTONIC);
    pthread_cond_init(&relay->changed, &on_clock);
    pthread_condattr_destroy(&on_clock);
    pthread_mutex_init(&relay->mutex, NULL);
    insist(pthread_create(&relay->thread, NULL, run, relay) == 0, "pthread_create");
    return relay;
}

static void free_connection(struct connection *connection)
{
    for (size_t i = 0; i < 2; i++) {
        close_end(&connection->ends[i]);
        free(connection->ends[i].pending.data);
        free(connection->ends[i].record.data);
        free(connection->ends[i].held.data);
    }
    free(connection);
}

void mwt_relay_destroy(struct mwt_relay *relay)
{
    pthread_mutex_lock(&relay->mutex);
    relay->must_stop = true;
    pthread_mutex_unlock(&relay->mutex);
    wake(relay);
    pthread_join(relay->thread, NULL);
    for (size_t i = 0; i < relay->counts[MWT_RELAY_CONNECTIONS]; i++)
        free_connection(relay->connections[i]);
    close(relay->listen_fd);
    close(relay->wake_fd);
    pthread_cond_destroy(&relay->changed);
    pthread_mutex_destroy(&relay->mutex);
    free(relay);
}

const char *mwt_relay_port(const struct mwt_relay *relay)
{
    return relay->port;
}

void mwt_relay_lead(struct mwt_relay *relay, const char *master_port)
{
    pthread_mutex_lock(&relay->mutex);
    relay->master_port = (uint16_t)atoi(master_port);
    pthread_mutex_unlock(&relay->mutex);
}

void mwt_relay_meddle(struct mwt_relay *relay, struct mwt_meddling meddling)
{
    pthread_mutex_lock(&relay->mutex);
    relay->meddling = meddling;
    pthread_mutex_unlock(&relay->mutex);
}

void mwt_relay_release(struct mwt_relay *relay)
{
    pthread_mutex_lock(&relay->mutex);
    relay->must_release = true;
    pthread_mutex_unlock(&relay->mutex);
    wake(relay);
}

size_t mwt_relay_count(struct mwt_relay *relay, enum mwt_relay_count which)
{
    pthread_mutex_lock(&relay->mutex);
    size_t count = relay->counts[which];
    pthread_mutex_unlock(&relay->mutex);
    return count;
}

bool mwt_relay_await(struct mwt_relay *relay, enum mwt_relay_count which, size_t least)
{
    static const char *const names[] = {"connections", "ended connections", "faults", "bytes up",
                                        "bytes down"};
    struct timespec until;
    int error = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += MWT_WAIT_S;
    pthread_mutex_lock(&relay->mutex);
    while (relay->counts[which] < least && error == 0)
        error = pthread_cond_timedwait(&relay->changed, &relay->mutex, &until);
    size_t count = relay->counts[which];
    pthread_mutex_unlock(&relay->mutex);
    if (count >= least)
        return true;
    fprintf(stderr, "\nthe relay waited in vain for %zu %s, there are %zu\n", least, names[which],
            count);
    CU_FAIL("a wait of the relay came to nothing");
    return false;
}

unsigned char *mwt_relay_record(struct mwt_relay *relay, size_t connection, enum mwt_way way,
                                size_t *size)
{
    struct bytes copy = {0};
    pthread_mutex_lock(&relay->mutex);
    if (connection < relay->counts[MWT_RELAY_CONNECTIONS]) {
        const struct bytes *record = &relay->connections[connection]->ends[way].record;
        append(&copy, record->data, record->size);
    }
    pthread_mutex_unlock(&relay->mutex);
    *size = copy.size;
    return copy.data;
}

bool mwt_relay_has_seen(struct mwt_relay *relay, const char *text)
{
    bool has_seen = false;
    pthread_mutex_lock(&relay->mutex);
    for (size_t i = 0; i < relay->counts[MWT_RELAY_CONNECTIONS]; i++)
        for (size_t j = 0; j < 2; j++) {
            const struct bytes *record = &relay->connections[i]->ends[j].record;
            has_seen = has_seen || (record->size > 0 &&
                                    memmem(record->data, record->size, text, strlen(text)) != NULL);
        }
    pthread_mutex_unlock(&relay->mutex);
    return has_seen;
}

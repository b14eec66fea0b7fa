/* SPDX-License-Identifier: Apache-2.0
 *
 * Attacks a port of 127.0.0.1 with connections that are no slaves:
 *
 *   attacker PORT stay COUNT [BYTES_PER_S FILE]
 *       keeps COUNT connections open, and opens another for each that is closed by the other end.
 *       Each sends nothing, or the bytes of FILE in turn, BYTES_PER_S of them each second.
 *   attacker PORT swell COUNT FILE
 *       the same, but each sends the bytes of FILE and then zeros without end, as fast as it can.
 *   attacker PORT flood PER_S [FILE]
 *       opens PER_S connections a second, or as many as it can if PER_S is 0. Each sends the bytes
 *       of FILE, if there is one, waits for an answer or the end, and is reset.
 *
 * Its connections come from the addresses 127.0.0.2 to 127.0.0.201, by which a trail can be told
 * apart from that of honest peers. It prints a line when COUNT connections have been open, and one
 * for each thousand connections; at SIGTERM it prints how many there were, and ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define SPEECH_BYTES_MAX 65536
#define LINE_EVERY 1000
#define ADDRESSES_COUNT 200
/* A flood has this many places. */
#define IN_FLIGHT_MAX 2000
/* More at once would overflow the queue of a listening socket, and come again a second later. */
#define DIALING_MAX 256
#define NS_PER_S INT64_C(1000000000)
#define TURNS_PER_S 100

struct connection {
    int fd;
    bool is_there;
    size_t said; /* bytes of the speech */
};

struct attack {
    uint16_t port;
    bool is_flood, is_swell;
    size_t count, per_s;
    char speech[SPEECH_BYTES_MAX];
    size_t speech_size;
    int epoll_fd, signal_fd, timer_fd;
    struct connection *connections;
    size_t connections_count; /* places; in use if fd >= 0 */
    size_t next;              /* place */
    size_t dialing_count;     /* connections that are not there yet */
    size_t begun_count, made_count, refused_count, answered_count, closed_count;
    size_t turns_count;
    int64_t began_ns;
    bool has_told;
};

static void insist(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "attacker: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void watch(struct attack *attack, struct connection *connection, int operation,
                  uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    insist(epoll_ctl(attack->epoll_fd, operation, connection->fd, &event) == 0, "epoll_ctl");
}

/* A reset leaves no port behind that must rest. */
static void reset(struct attack *attack, struct connection *connection)
{
    struct linger at_once = {.l_onoff = 1};
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(connection->fd);
    attack->dialing_count -= !connection->is_there;
    *connection = (struct connection){.fd = -1};
}

/* Ports are chosen at connect, for the four numbers together, so that none run out. */
static int open_socket(const struct attack *attack)
{
    size_t host = 2 + attack->begun_count % ADDRESSES_COUNT;
    struct sockaddr_in own = {.sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + (uint32_t)host)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    insist(fd >= 0, "socket");
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    insist(bind(fd, (struct sockaddr *)&own, sizeof own) == 0, "bind");
    return fd;
}

static void begin(struct attack *attack, struct connection *connection)
{
    struct sockaddr_in master = {.sin_family = AF_INET,
                                 .sin_port = htons(attack->port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *connection = (struct connection){.fd = open_socket(attack)};
    attack->begun_count++;
    attack->dialing_count++;
    if (connect(connection->fd, (struct sockaddr *)&master, sizeof master) < 0 &&
        errno != EINPROGRESS) {
        attack->refused_count++;
        reset(attack, connection);
        return;
    }
    watch(attack, connection, EPOLL_CTL_ADD, EPOLLOUT);
}

static void tell_progress(struct attack *attack)
{
    if (!attack->is_flood && !attack->has_told && attack->made_count >= attack->count) {
        printf("attacker: %zu connections have been open\n", attack->count);
        attack->has_told = true;
    }
    if (attack->made_count % LINE_EVERY == 0)
        printf("attacker: made %zu\n", attack->made_count);
}

/* Says the next `size` bytes of the speech. A connection that stays begins it anew at its end. */
static void say(struct attack *attack, struct connection *connection, size_t size)
{
    if (!attack->is_flood && !attack->is_swell)
        connection->said %= attack->speech_size;
    size_t left = attack->speech_size - connection->said;
    ssize_t sent = send(connection->fd, attack->speech + connection->said,
                        size < left ? size : left, MSG_NOSIGNAL);
    if (sent > 0)
        connection->said += (size_t)sent;
}

/* Says the speech, and then zeros for as long as the other end takes them. */
static void swell(struct attack *attack, struct connection *connection)
{
    static const char zeros[SPEECH_BYTES_MAX];
    if (connection->said < attack->speech_size)
        say(attack, connection, attack->speech_size);
    else
        send(connection->fd, zeros, sizeof zeros, MSG_NOSIGNAL);
}

static void take_connection(struct attack *attack, struct connection *connection)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        attack->refused_count++;
        reset(attack, connection);
        return;
    }
    connection->is_there = true;
    attack->dialing_count--;
    attack->made_count++;
    tell_progress(attack);
    if (attack->is_flood && attack->speech_size > 0)
        say(attack, connection, attack->speech_size);
    if (attack->is_flood && attack->speech_size == 0)
        reset(attack, connection);
    else
        watch(attack, connection, EPOLL_CTL_MOD, EPOLLIN | (attack->is_swell ? EPOLLOUT : 0));
}

static void hear(struct attack *attack, struct connection *connection)
{
    char bytes[4096];
    ssize_t got = recv(connection->fd, bytes, sizeof bytes, 0);
    if (got > 0)
        attack->answered_count++;
    else if (got < 0 && errno == EAGAIN)
        return;
    else
        attack->closed_count++;
    if (attack->is_flood || got <= 0)
        reset(attack, connection);
}

/* The connections that a flood has begun by now: as many as the time that has passed asks for. */
static size_t due_count(const struct attack *attack)
{
    if (attack->per_s == 0)
        return SIZE_MAX;
    return (size_t)((now_ns() - attack->began_ns) / (NS_PER_S / 1000) * (int64_t)attack->per_s /
                    1000);
}

/* Begins connections in all free places, or as many as are due. A flood takes the places in turn:
 * a connection that still waits for an answer when its place is wanted gives up. */
static void begin_due(struct attack *attack)
{
    size_t due = attack->is_flood ? due_count(attack) : 0;
    for (size_t i = 0; i < attack->connections_count; i++) {
        struct connection *connection = &attack->connections[attack->next];
        if (attack->is_flood ? attack->begun_count >= due : attack->dialing_count >= DIALING_MAX)
            return;
        attack->next = (attack->next + 1) % attack->connections_count;
        if (attack->is_flood && connection->fd >= 0 && connection->is_there)
            reset(attack, connection);
        if (connection->fd < 0)
            begin(attack, connection);
    }
}

/* Each connection that stays gets its share of the second in each turn. */
static void say_more(struct attack *attack)
{
    size_t turn = attack->turns_count++ % TURNS_PER_S;
    if (attack->is_flood || attack->is_swell || attack->speech_size == 0)
        return;
    for (size_t i = turn; i < attack->connections_count; i += TURNS_PER_S)
        if (attack->connections[i].is_there)
            say(attack, &attack->connections[i], attack->per_s);
}

static void take_turn(struct attack *attack)
{
    uint64_t expirations;
    if (read(attack->timer_fd, &expirations, sizeof expirations) == sizeof expirations) {
        begin_due(attack);
        say_more(attack);
    }
}

static void serve(struct attack *attack, const struct epoll_event *event)
{
    struct connection *connection = event->data.ptr;
    if (connection == NULL)
        take_turn(attack);
    else if (connection->fd >= 0 && !connection->is_there)
        take_connection(attack, connection);
    else if (connection->fd >= 0 && (event->events & ~(uint32_t)EPOLLOUT) != 0)
        hear(attack, connection);
    else if (connection->fd >= 0)
        swell(attack, connection);
}

static void report(const struct attack *attack)
{
    printf("attacker: %zu made, %zu refused, %zu answered, %zu closed in %.3f s\n",
           attack->made_count, attack->refused_count, attack->answered_count, attack->closed_count,
           (double)(now_ns() - attack->began_ns) / (double)NS_PER_S);
}

static void run(struct attack *attack)
{
    struct epoll_event events[EVENTS_MAX];
    attack->began_ns = now_ns();
    for (;;) {
        if (attack->is_flood && attack->per_s == 0)
            begin_due(attack);
        int count = epoll_wait(attack->epoll_fd, events, EVENTS_MAX, -1);
        insist(count >= 0 || errno == EINTR, "epoll_wait");
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == attack) {
                report(attack);
                return;
            }
            serve(attack, &events[i]);
        }
    }
}

static void read_speech(struct attack *attack, const char *path)
{
    FILE *file = fopen(path, "re");
    insist(file != NULL, path);
    attack->speech_size = fread(attack->speech, 1, sizeof attack->speech, file);
    fclose(file);
    insist(attack->speech_size > 0, "an empty speech");
}

static void parse(struct attack *attack, int argc, char **argv)
{
    insist(argc >= 4, "arguments");
    attack->port = (uint16_t)atoi(argv[1]);
    attack->is_flood = strcmp(argv[2], "flood") == 0;
    attack->is_swell = strcmp(argv[2], "swell") == 0;
    size_t number = (size_t)strtoul(argv[3], NULL, 10);
    bool is_drip = !attack->is_flood && !attack->is_swell && argc > 5;
    attack->per_s = attack->is_flood ? number : is_drip ? (size_t)strtoul(argv[4], NULL, 10) : 0;
    attack->count = attack->is_flood ? 0 : number;
    attack->connections_count = attack->is_flood ? IN_FLIGHT_MAX : number;
    if (argc > 4)
        read_speech(attack, argv[argc - 1]);
}

static void raise_limit(void)
{
    struct rlimit limit;
    insist(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
    limit.rlim_cur = limit.rlim_max;
    insist(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
}

static void open_attack(struct attack *attack)
{
    sigset_t signals;
    const struct itimerspec turns = {.it_interval.tv_nsec = NS_PER_S / TURNS_PER_S,
                                     .it_value.tv_nsec = NS_PER_S / TURNS_PER_S};
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    attack->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    attack->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    attack->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    insist(timerfd_settime(attack->timer_fd, 0, &turns, NULL) == 0, "timerfd_settime");
    struct epoll_event signal_event = {.events = EPOLLIN, .data.ptr = attack};
    struct epoll_event timer_event = {.events = EPOLLIN};
    insist(epoll_ctl(attack->epoll_fd, EPOLL_CTL_ADD, attack->signal_fd, &signal_event) == 0 &&
               epoll_ctl(attack->epoll_fd, EPOLL_CTL_ADD, attack->timer_fd, &timer_event) == 0,
           "epoll_ctl");
    attack->connections = calloc(attack->connections_count, sizeof *attack->connections);
    insist(attack->connections != NULL, "calloc");
    for (size_t i = 0; i < attack->connections_count; i++)
        attack->connections[i].fd = -1;
}

int main(int argc, char **argv)
{
    static struct attack attack;
    setvbuf(stdout, NULL, _IOLBF, 0);
    parse(&attack, argc, argv);
    raise_limit();
    open_attack(&attack);
    run(&attack);
    return 0;
}

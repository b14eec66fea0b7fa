/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets and their options. dial.c, listener.c, conn_start.c, linger.c, ending.c and tcp.c call
 * it.
 *
 * Invariants: no other file calls socket or setsockopt. A socket is noted in base/fork_guard from
 * its beginning, and mwi_fork_guard_close ends it. Keepalive finds a host that dies while
 * nothing is on its way to it. TCP_USER_TIMEOUT, its usual companion, is not set: it also kills a
 * connection whose other end is alive but does not read for that long, such as a slave that
 * computes. watch.c does its work instead. A new option of TCP goes into mwi_tcp_socket_tune.
 */
#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/fork_guard.h"
#include "resolve.h"

/* The first probe is sent after 20 s without input, the next ones every 10 s. After the third one
 * without an answer the host is given up, which makes 50 s. */
#define KEEPALIVE_IDLE_S 20
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_PROBES 3

#define SOCKET_FLAGS (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

/* If the kernel refuses an option, the connection is slower, or a death is found later; it works.
 */
static void set_option(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

bool mwi_tcp_socket_is_inet(int fd)
{
    int family = AF_UNSPEC;
    socklen_t size = sizeof family;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 &&
           (family == AF_INET || family == AF_INET6);
}

void mwi_tcp_socket_tune(int fd)
{
    if (!mwi_tcp_socket_is_inet(fd))
        return;
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

bool mwi_tcp_socket_all_arrived(int fd)
{
    int pending = 0;

    /* The end of a stream counts as one byte until it is acknowledged. */
    return ioctl(fd, SIOCOUTQ, &pending) != 0 || pending <= 1;
}

bool mwi_tcp_socket_discard(int fd, void *scratch, size_t size, size_t *total)
{
    ssize_t taken = recv(fd, scratch, size, MSG_DONTWAIT);
    if (taken < 0)
        return errno == EAGAIN || errno == EINTR;
    *total += (size_t)taken;
    return taken > 0;
}

static int open_socket(int family)
{
    mwi_fork_guard_begin();
    return mwi_fork_guard_opened(socket(family, SOCKET_FLAGS, 0));
}

static int open_listening(const struct sockaddr *address, socklen_t length, bool has_both_families)
{
    int fd = open_socket(address->sa_family);
    if (fd < 0)
        return -1;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (has_both_families)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (bind(fd, address, length) != 0 || listen(fd, SOMAXCONN) != 0) {
        mwi_fork_guard_close(fd);
        return -1;
    }
    return fd;
}

/* One socket for both families; IPv4 alone where the kernel has no IPv6. */
static int listen_any(uint16_t port)
{
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(port)};

    int fd = open_listening((struct sockaddr *)&ipv6, sizeof ipv6, true);
    if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
        fd = open_listening((struct sockaddr *)&ipv4, sizeof ipv4, false);
    return fd;
}

/* Whether the error concerns the port alone, so that another port may be free. */
static bool is_of_the_port(int error)
{
    return error == EADDRINUSE || error == EACCES;
}

/* Listens on the first address that can be had. If all fail, errno is an error of the port if there
 * was one, else the last error. */
static int listen_one_of(const struct evutil_addrinfo *found, uint16_t port)
{
    int fd = -1, error = 0;
    for (const struct evutil_addrinfo *one = found; one != NULL && fd < 0; one = one->ai_next) {
        /* Both families keep the port in the same place. */
        ((struct sockaddr_in *)(void *)one->ai_addr)->sin_port = htons(port);
        fd = open_listening(one->ai_addr, one->ai_addrlen, false);
        if (fd < 0 && !is_of_the_port(error))
            error = errno;
    }
    errno = error;
    return fd;
}

/* Listens on the first port that can be had, on one of the addresses in `found`; on all interfaces
 * if that is NULL. */
static int listen_on_ports(const struct mwi_tcp_address *address,
                           const struct evutil_addrinfo *found)
{
    unsigned port = address->port;
    int fd;
    do
        fd = found == NULL ? listen_any((uint16_t)port) : listen_one_of(found, (uint16_t)port);
    while (fd < 0 && is_of_the_port(errno) && port++ < address->port_last);
    return fd;
}

static mw_error report_failure(const struct mwi_tcp_address *address, const char *problem,
                               mw_reason *why)
{
    bool is_bracketed = strchr(address->host, ':') != NULL;
    bool is_range = address->port_last != address->port;
    char last[8] = "";
    if (is_range)
        snprintf(last, sizeof last, "-%u", address->port_last);
    snprintf(why->text, sizeof why->text, "cannot listen on %s%.100s%s:%u%s: %s",
             is_bracketed ? "[" : "", address->host, is_bracketed ? "]" : "", address->port, last,
             problem);
    return MW_ENETWORK;
}

static mw_error report_error(const struct mwi_tcp_address *address, int error, mw_reason *why)
{
    char problem[160];
    if (!is_of_the_port(error) || address->port_last == address->port)
        return report_failure(address, strerror(error), why);
    snprintf(problem, sizeof problem, "none of these ports can be had, the last: %s",
             strerror(error));
    return report_failure(address, problem, why);
}

static mw_error listen_host(const struct mwi_tcp_address *address, int *fd, mw_reason *why)
{
    char problem[400];
    struct evutil_addrinfo *found = mwi_tcp_resolve_now(address->host, 0, problem, sizeof problem);
    if (found == NULL)
        return report_failure(address, problem, why);
    int opened = listen_on_ports(address, found);
    int error = errno;
    evutil_freeaddrinfo(found);
    if (opened < 0)
        return report_error(address, error, why);
    *fd = opened;
    return MW_OK;
}

mw_error mwi_tcp_socket_listen(const struct mwi_tcp_address *address, int *fd, char *bound,
                               size_t size, mw_reason *why)
{
    struct sockaddr_storage own;
    socklen_t length = sizeof own;
    int opened = -1;
    if (address->kind == MWI_TCP_ADDRESS_ANY) {
        opened = listen_on_ports(address, NULL);
        if (opened < 0)
            return report_error(address, errno, why);
    } else {
        mw_error error = listen_host(address, &opened, why);
        if (error != MW_OK)
            return error;
    }
    if (getsockname(opened, (struct sockaddr *)&own, &length) != 0) {
        int error = errno;
        mwi_fork_guard_close(opened);
        return report_failure(address, strerror(error), why);
    }
    mwi_tcp_address_format_bound((struct sockaddr *)&own, bound, size);
    *fd = opened;
    return MW_OK;
}

int mwi_tcp_socket_connect(const struct sockaddr *address, socklen_t length)
{
    int fd = open_socket(address->sa_family);
    if (fd < 0)
        return -1;
    if (connect(fd, address, length) != 0 && errno != EINPROGRESS && errno != EINTR) {
        mwi_fork_guard_close(fd);
        return -1;
    }
    return fd;
}

static mw_error refuse(int fd, const char *problem, mw_reason *why)
{
    snprintf(why->text, sizeof why->text, "descriptor %d %s", fd, problem);
    return MW_EINVAL;
}

mw_error mwi_tcp_socket_adopt(int fd, mw_reason *why)
{
    struct sockaddr_storage other;
    socklen_t length = sizeof other;
    int type = 0;
    socklen_t type_size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) != 0)
        return refuse(fd, errno == EBADF ? "is not open" : "is not a socket", why);
    if (type != SOCK_STREAM)
        return refuse(fd, "is not a stream socket", why);
    if (getpeername(fd, (struct sockaddr *)&other, &length) != 0)
        return refuse(fd, "is not connected", why);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return refuse(fd, "cannot be made non-blocking", why);
    if (!mwi_fork_guard_note(fd)) {
        snprintf(why->text, sizeof why->text, "%s", mw_error_text(MW_ENOMEM));
        return MW_ENOMEM;
    }
    mwi_tcp_socket_tune(fd);
    return MW_OK;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain sockets, see raw.h. Functions that read wait for an event and not for a time, so that a
 * test does not depend on the speed of the machine.
 */
#include "raw.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int mwt_raw_connect(const char *address)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    const char *port = strrchr(address, ':');
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || port == NULL)
        return -1;
    ipv4.sin_port = htons((uint16_t)strtoul(port + 1, NULL, 10));
    ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&ipv4, sizeof ipv4) == 0)
        return fd;
    close(fd);
    return -1;
}

bool mwt_raw_write(int fd, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t written = send(fd, at, size, MSG_NOSIGNAL);
        if (written <= 0)
            return false;
        at += written;
        size -= (size_t)written;
    }
    return true;
}

bool mwt_raw_write_header(int fd, size_t size)
{
    uint32_t header = htonl((uint32_t)size);
    return mwt_raw_write(fd, &header, sizeof header);
}

bool mwt_raw_write_frame(int fd, const void *data, size_t size)
{
    return mwt_raw_write_header(fd, size) && mwt_raw_write(fd, data, size);
}

long mwt_raw_read(int fd, void *data, size_t size)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};

    (void)poll(&one, 1, 60000);
    return mwt_raw_read_now(fd, data, size);
}

long mwt_raw_read_now(int fd, void *data, size_t size)
{
    return (long)recv(fd, data, size, MSG_DONTWAIT);
}

void mwt_raw_reset(int fd)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

unsigned mwt_raw_segments(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof info;

    memset(&info, 0, sizeof info);
    (void)getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
    return info.tcpi_data_segs_in;
}

/* Calls back with every open descriptor, except the one with which it looks. */
static void each_open(void (*call)(int fd, void *context), void *context)
{
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;

    if (folder == NULL)
        return;
    while ((entry = readdir(folder)) != NULL) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] != '.' && fd != dirfd(folder))
            call(fd, context);
    }
    closedir(folder);
}

static void count_one(int fd, void *context)
{
    unsigned *count = context;
    (void)fd;
    (*count)++;
}

unsigned mwt_raw_open_count(void)
{
    unsigned count = 0;
    each_open(count_one, &count);
    return count;
}

static void close_on_exec(int fd, void *context)
{
    (void)context;
    if (fd > STDERR_FILENO)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

void mwt_raw_inherit_nothing(void)
{
    each_open(close_on_exec, NULL);
}

static void note_inherited(int fd, void *context)
{
    int *found = context;
    if (fd > STDERR_FILENO && (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0)
        *found = fd;
}

int mwt_raw_first_inherited(void)
{
    int found = -1;
    each_open(note_inherited, &found);
    return found;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes, adopts, tunes and asks sockets. All of them are non-blocking, closed on exec, and noted
 * for processes that only fork: mwi_fork_guard_close closes them.
 */
#ifndef MWI_TCP_SOCKET_H
#define MWI_TCP_SOCKET_H

#include <stdbool.h>
#include <sys/socket.h>

#include <mw/error.h>

#include "address.h"

/* Sets *fd to a socket that listens on the first port of the range that can be had, which the
 * caller takes, and writes the address under which others reach it to bound[0..size). MW_ENETWORK
 * with a sentence. Looking up the host's name takes a second at most. */
mw_error mwi_tcp_socket_listen(const struct mwi_tcp_address *address, int *fd, char *bound,
                               size_t size, mw_reason *why);

/* Begins to connect. Returns a socket, whose outcome SO_ERROR tells when it is writable; -1 with
 * errno. */
int mwi_tcp_socket_connect(const struct sockaddr *address, socklen_t length);

/* Makes a connected stream socket of somebody else non-blocking, and tunes it. MW_EINVAL with a
 * sentence if `fd` is something else, or MW_ENOMEM. It stays the caller's, who closes it by
 * mwi_fork_guard_close. */
mw_error mwi_tcp_socket_adopt(int fd, mw_reason *why);

/* Sets the options that a TCP connection needs; leaves sockets of another family alone. */
void mwi_tcp_socket_tune(int fd);

/* Whether the socket speaks TCP; if not, its kernel keeps what was written for the other end to
 * read. */
bool mwi_tcp_socket_is_inet(int fd);

/* Whether the other end of a TCP socket has acknowledged all that was written. */
bool mwi_tcp_socket_all_arrived(int fd);

/* Reads once and throws it away, using `size` bytes at `scratch`; adds to *total. False at the end
 * of the stream, or if the connection is broken. */
bool mwi_tcp_socket_discard(int fd, void *scratch, size_t size, size_t *total);

#endif

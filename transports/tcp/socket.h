/* SPDX-License-Identifier: Apache-2.0
 *
 * Making and tuning sockets. All of them are non-blocking and closed on exec.
 */
#ifndef MWI_TCP_SOCKET_H
#define MWI_TCP_SOCKET_H

#include <stdbool.h>
#include <sys/socket.h>

#include <mw/error.h>

#include "address.h"

/* A listening socket on the first port of the range that can be had, and the address under which
 * others reach it. */
mw_error mwi_tcp_socket_listen(const struct mwi_tcp_address *address, int *fd, char *bound,
                               size_t size, mw_reason *why);

/* Starts a connection: a socket of which the outcome is known when it is writable, or -1 with
 * errno. */
int mwi_tcp_socket_connect(const struct sockaddr *address, socklen_t length);

/* Makes a connected stream socket that somebody else made fit for us. MW_EINVAL if it is none. */
mw_error mwi_tcp_socket_adopt(int fd, mw_reason *why);

/* Sets what a TCP connection needs; sockets of another family are left alone. */
void mwi_tcp_socket_tune(int fd);

bool mwi_tcp_socket_is_inet(int fd);

/* Whether the other end has acknowledged all that was written. False for a family that cannot
 * tell, and whose kernel keeps what was written for the other end to read anyhow. */
bool mwi_tcp_socket_all_arrived(int fd);

/* Reads once and throws it away, using `size` bytes at `scratch`; adds to *total. False at the end
 * of the stream, or if the connection is broken. */
bool mwi_tcp_socket_discard(int fd, void *scratch, size_t size, size_t *total);

#endif

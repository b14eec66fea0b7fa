/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses: reads those that users write, "HOST:PORT", "[::1]:0", "*:7000-7009", "fd:5", and
 * prints those of sockets.
 */
#ifndef MWI_TCP_ADDRESS_H
#define MWI_TCP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <mw/error.h>

enum mwi_tcp_address_kind {
    MWI_TCP_ADDRESS_HOST,
    MWI_TCP_ADDRESS_ANY, /* all interfaces */
    MWI_TCP_ADDRESS_FD
};

struct mwi_tcp_address {
    enum mwi_tcp_address_kind kind;
    char host[256]; /* a name or a numeric address, without brackets */
    uint16_t port;
    uint16_t port_last; /* the end of a range; otherwise equal to `port` */
    int fd;
};

/* Reads an address, without looking up or opening anything. MW_EINVAL with a sentence that quotes
 * the text. */
mw_error mwi_tcp_address_parse(const char *text, struct mwi_tcp_address *address, mw_reason *why);

/* Writes an address, such as "127.0.0.1:36107" or "[::1]:4000", cut off if it does not fit. A
 * mapped IPv4 address is written as IPv4, an address of another family as "". */
void mwi_tcp_address_format(const struct sockaddr *address, char *text, size_t size);

/* Writes the address that others connect to when a socket listens on `address`: as above, but with
 * this machine's name in place of an address that means all interfaces. */
void mwi_tcp_address_format_bound(const struct sockaddr *address, char *text, size_t size);

/* Writes a name for humans of the other end of a connected socket: its address, or "fd:N" if it has
 * none. */
void mwi_tcp_address_peer_name(int fd, char *text, size_t size);

/* The same for a connection that this end has made, with the address of this end behind it:
 * "127.0.0.1:36107 from 127.0.0.1:39950". */
void mwi_tcp_address_dialled_name(int fd, char *text, size_t size);

#endif

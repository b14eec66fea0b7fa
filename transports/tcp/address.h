/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses as users write them, "HOST:PORT", "[::1]:0", "*:7000-7009", "fd:5", and as we print
 * them.
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
    uint16_t port_last; /* of a range; else as port */
    int fd;
};

/* Reads an address; MW_EINVAL with a sentence that quotes it. Nothing is looked up or opened. */
mw_error mwi_tcp_address_parse(const char *text, struct mwi_tcp_address *address, mw_reason *why);

/* Writes "127.0.0.1:36107" or "[::1]:4000"; a mapped IPv4 address comes out as IPv4. Another
 * family gives "". Cut off if it does not fit. */
void mwi_tcp_address_format(const struct sockaddr *address, char *text, size_t size);

/* Writes what others connect to when `address` is listened on: as above, but with this machine's
 * name in place of an address that means all interfaces. */
void mwi_tcp_address_format_bound(const struct sockaddr *address, char *text, size_t size);

/* The name for humans of the other end of a connected socket: its address, else "fd:N". */
void mwi_tcp_address_peer_name(int fd, char *text, size_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Hosts as users name them, and the form in which host and port stand together.
 */
#ifndef MWI_HOSTNAME_H
#define MWI_HOSTNAME_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the text has the form of a host's name, an IPv4 address or an IPv6 address, the last with
 * or without brackets and with or without a zone: "node1", "*", "10.0.0.1", "::1",
 * "[fe80::1%eth0]". Above all it has no port. Whether there is such a host is not known. */
bool mwi_hostname_is_valid(const char *host);

/* Whether a valid host stands for all interfaces: "*", "0.0.0.0", "::" and the like. That is where
 * to listen; who connects there ends up on his own machine. */
bool mwi_hostname_is_all(const char *host);

/* Writes "HOST:PORTS" or "[HOST]:PORTS", with brackets exactly if the host is an IPv6 address,
 * whether or not it came with them. NUL-terminated, cut off if it does not fit. */
void mwi_hostname_join(const char *host, const char *ports, char *text, size_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks the form of a host, and joins a host and its ports. kind.c checks the hosts that users
 * write; settings.c, address_book.c and face/master_open.c join.
 *
 * Invariant: a valid host contains no port, so that "node1:7000" is refused as a host and never
 * misread. Nothing more is certain: "1:2:3:4:5:6:7:8:9" has the form of an IPv6 address, and fails
 * only when the transport looks it up. A new form of host needs a case in mwi_hostname_is_valid,
 * and in transports/tcp/address.c, which reads addresses.
 */
#include "options/hostname.h"

#include <stdio.h>
#include <string.h>

/* "::1", "fe80::1%eth0", "::ffff:10.0.0.1": two colons, digits of an address, perhaps a zone. */
static bool is_ipv6(const char *host, size_t length)
{
    const char *zone = memchr(host, '%', length);
    size_t digits = zone == NULL ? length : (size_t)(zone - host);
    size_t colons = 0;
    for (size_t i = 0; i < digits; i++) {
        if (strchr("0123456789abcdefABCDEF:.", host[i]) == NULL)
            return false;
        colons += host[i] == ':';
    }
    return colons >= 2 && digits + 1 != length;
}

static bool is_plain(const char *host, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (host[i] <= ' ' || host[i] > '~' || strchr(":[]", host[i]) != NULL)
            return false;
    return length > 0;
}

bool mwi_hostname_is_valid(const char *host)
{
    size_t length = strlen(host);
    if (host[0] == '[')
        return length > 2 && host[length - 1] == ']' &&
               strpbrk(host + 1, " []") == host + length - 1 && is_ipv6(host + 1, length - 2);
    return strpbrk(host, " []") == NULL && (is_ipv6(host, length) || is_plain(host, length));
}

/* The address of all interfaces has no digit but 0, however it is written. */
bool mwi_hostname_is_all(const char *host)
{
    size_t length = strcspn(host, "%");
    return strcmp(host, "*") == 0 ||
           (strspn(host, "[0.:]") >= length && strpbrk(host, "0:") != NULL);
}

void mwi_hostname_join(const char *host, const char *ports, char *text, size_t size)
{
    bool needs_brackets = host[0] != '[' && strchr(host, ':') != NULL;
    snprintf(text, size, needs_brackets ? "[%s]:%s" : "%s:%s", host, ports);
}

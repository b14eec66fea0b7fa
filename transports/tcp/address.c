/* SPDX-License-Identifier: Apache-2.0
 *
 * Parses and prints addresses, for tcp.c, listener.c, dial.c and socket.c. Parsing looks up no
 * names: resolve.c does. libevent's own parser cannot be used, since it refuses port 0. A new form
 * of address is a value of mwi_tcp_address_kind, which dial.c and socket.c handle.
 */
#include "address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Takes decimal digits only, so that "+1", " 1" and "0x1" are errors. */
static bool parse_number(const char *text, unsigned long max, unsigned long *number)
{
    size_t length = strlen(text);
    if (length == 0 || length > 10 || strspn(text, "0123456789") != length)
        return false;
    unsigned long value = strtoul(text, NULL, 10);
    if (value > max)
        return false;
    *number = value;
    return true;
}

static mw_error refuse(const char *text, const char *problem, mw_reason *why)
{
    snprintf(why->text, sizeof why->text, "the address \"%.80s\" %s", text, problem);
    return MW_EINVAL;
}

static mw_error parse_fd(const char *text, struct mwi_tcp_address *address, mw_reason *why)
{
    unsigned long number;
    if (!parse_number(text + 3, INT32_MAX, &number))
        return refuse(text, "needs the number of a descriptor after \"fd:\"", why);
    address->kind = MWI_TCP_ADDRESS_FD;
    address->fd = (int)number;
    return MW_OK;
}

/* Finds the host inside the brackets or before the colon, and the colon itself. */
static const char *split_host(const char *text, const char **host, size_t *host_length)
{
    if (text[0] == '[') {
        const char *end = strchr(text, ']');
        if (end == NULL || end[1] != ':')
            return NULL;
        *host = text + 1;
        *host_length = (size_t)(end - text) - 1;
        return end + 1;
    }
    const char *colon = strchr(text, ':');
    if (colon == NULL)
        return NULL;
    *host = text;
    *host_length = (size_t)(colon - text);
    return colon;
}

/* "PORT" or "LOW-HIGH". */
static bool parse_ports(const char *text, struct mwi_tcp_address *address)
{
    unsigned long low;
    unsigned long high;
    size_t length = strcspn(text, "-");
    if (text[length] == '\0') {
        if (!parse_number(text, UINT16_MAX, &low))
            return false;
        high = low;
    } else {
        char low_text[8];
        snprintf(low_text, sizeof low_text, "%.*s", (int)length, text);
        if (length >= sizeof low_text || !parse_number(low_text, UINT16_MAX, &low) ||
            !parse_number(text + length + 1, UINT16_MAX, &high) || low == 0 || high < low)
            return false;
    }
    address->port = (uint16_t)low;
    address->port_last = (uint16_t)high;
    return true;
}

mw_error mwi_tcp_address_parse(const char *text, struct mwi_tcp_address *address, mw_reason *why)
{
    struct mwi_tcp_address parsed = {.fd = -1};
    if (strncmp(text, "fd:", 3) == 0) {
        mw_error error = parse_fd(text, &parsed, why);
        if (error == MW_OK)
            *address = parsed;
        return error;
    }
    const char *host;
    size_t host_length;
    const char *colon = split_host(text, &host, &host_length);
    if (colon == NULL)
        return refuse(text, "has no port: write HOST:PORT, [IPV6]:PORT, *:PORT or fd:N", why);
    if (text[0] != '[' && strchr(colon + 1, ':') != NULL)
        return refuse(text, "has several colons: write an IPv6 address in brackets, [::1]:0", why);
    if (host_length == 0)
        return refuse(text, "has no host: \"*\" means all interfaces", why);
    if (host_length >= sizeof parsed.host)
        return refuse(text, "has a host name that is too long", why);
    if (!parse_ports(colon + 1, &parsed))
        return refuse(text, "needs a port from 0 to 65535, or a range LOW-HIGH from 1 up", why);

    memcpy(parsed.host, host, host_length);
    parsed.kind = strcmp(parsed.host, "*") == 0 ? MWI_TCP_ADDRESS_ANY : MWI_TCP_ADDRESS_HOST;
    *address = parsed;
    return MW_OK;
}

static bool is_mapped_ipv4(const struct sockaddr *address)
{
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

static void format_ipv4(const void *bytes, unsigned port, char *text, size_t size)
{
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, bytes, host, sizeof host);
    snprintf(text, size, "%s:%u", host, port);
}

/* The zone of a link-local address is an interface. It is written by name, which is more often the
 * same on other machines than its number. */
static void format_ipv6(const struct sockaddr_in6 *address, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN];
    char zone[IF_NAMESIZE];
    unsigned port = ntohs(address->sin6_port);
    inet_ntop(AF_INET6, &address->sin6_addr, host, sizeof host);
    if (address->sin6_scope_id != 0 && if_indextoname(address->sin6_scope_id, zone) != NULL)
        snprintf(text, size, "[%s%%%s]:%u", host, zone, port);
    else if (address->sin6_scope_id != 0)
        snprintf(text, size, "[%s%%%u]:%u", host, (unsigned)address->sin6_scope_id, port);
    else
        snprintf(text, size, "[%s]:%u", host, port);
}

void mwi_tcp_address_format(const struct sockaddr *address, char *text, size_t size)
{
    const struct sockaddr_in *ipv4 = (const void *)address;
    const struct sockaddr_in6 *ipv6 = (const void *)address;
    if (address->sa_family == AF_INET)
        format_ipv4(&ipv4->sin_addr, ntohs(ipv4->sin_port), text, size);
    else if (is_mapped_ipv4(address))
        format_ipv4(&ipv6->sin6_addr.s6_addr[12], ntohs(ipv6->sin6_port), text, size);
    else if (address->sa_family == AF_INET6)
        format_ipv6(ipv6, text, size);
    else
        snprintf(text, size, "%s", "");
}

static bool means_all_interfaces(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr == INADDR_ANY;
    return IN6_IS_ADDR_UNSPECIFIED(
        &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

void mwi_tcp_address_format_bound(const struct sockaddr *address, char *text, size_t size)
{
    if (!means_all_interfaces(address)) {
        mwi_tcp_address_format(address, text, size);
        return;
    }
    /* Both families keep the port in the same place. */
    unsigned port = ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
    char name[256] = "";
    if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0')
        snprintf(name, sizeof name, "localhost");
    snprintf(text, size, "%s:%u", name, port);
}

void mwi_tcp_address_peer_name(int fd, char *text, size_t size)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    snprintf(text, size, "%s", "");
    if (getpeername(fd, (struct sockaddr *)&address, &length) == 0 && length > 0)
        mwi_tcp_address_format((struct sockaddr *)&address, text, size);
    if (text[0] == '\0')
        snprintf(text, size, "fd:%d", fd);
}

void mwi_tcp_address_dialled_name(int fd, char *text, size_t size)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char own[128] = "";
    mwi_tcp_address_peer_name(fd, text, size);
    if (getsockname(fd, (struct sockaddr *)&address, &length) == 0 && length > 0)
        mwi_tcp_address_format((struct sockaddr *)&address, own, sizeof own);
    size_t used = strlen(text);
    if (own[0] != '\0')
        snprintf(text + used, size - used, " from %s", own);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The sockets that peers connect to.
 */
#ifndef MWI_TCP_LISTENER_H
#define MWI_TCP_LISTENER_H

#include <stdbool.h>

#include "hub.h"

struct mwi_tcp_listener_entry;

struct mwi_tcp_listeners {
    struct mwi_tcp_hub *hub;
    struct mwi_tcp_listener_entry *first;
    struct event *resume; /* ends a rest, when descriptors or memory had run out */
};

/* Takes a listening socket, also on failure. From now on each poll accepts its connections.
 * MW_ENOMEM. */
mw_error mwi_tcp_listeners_add(struct mwi_tcp_listeners *listeners, int fd);

/* Closes them all. */
void mwi_tcp_listeners_clear(struct mwi_tcp_listeners *listeners);

#endif

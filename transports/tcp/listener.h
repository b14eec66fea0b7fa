/* SPDX-License-Identifier: Apache-2.0
 *
 * The sockets on which new peers come.
 */
#ifndef MWI_TCP_LISTENER_H
#define MWI_TCP_LISTENER_H

#include <stdbool.h>

#include "hub.h"

struct mwi_tcp_listener;

struct mwi_tcp_listeners {
    struct mwi_tcp_hub *hub;
    struct mwi_tcp_listener *first;
    struct event *resume; /* while out of descriptors */
    bool is_resting;      /* it is running */
};

/* Takes a listening socket, also on failure, and brings its connections up in every poll from now
 * on. MW_ENOMEM. */
mw_error mwi_tcp_listeners_add(struct mwi_tcp_listeners *listeners, int fd);

/* Puts them into the hub's mirror, as they are now. */
void mwi_tcp_listeners_mirror(const struct mwi_tcp_listeners *listeners);

void mwi_tcp_listeners_clear(struct mwi_tcp_listeners *listeners);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * From an address to a connected socket: looks up the host's name and tries its addresses in turn,
 * or hands over a descriptor that is connected already.
 */
#ifndef MWI_TCP_DIAL_H
#define MWI_TCP_DIAL_H

#include <event2/event.h>

#include "address.h"

struct mwi_tcp_dial;

/* The outcome: `fd` is a connected socket, which the callee takes, and `text` the name of its other
 * end for humans; or `fd` is -1 and `text` says why there is no connection. The callee borrows
 * `text` for the call, and may destroy the dial in it. */
typedef void mwi_tcp_dial_fn(void *context, int fd, const char *text);

/* Begins, copying the address; `done` is called once, in a later turn of the event loop. Takes the
 * descriptor of an address that has one. NULL out of memory; the descriptor is then still the
 * caller's. */
struct mwi_tcp_dial *mwi_tcp_dial_begin(struct event_base *base,
                                        const struct mwi_tcp_address *address,
                                        mwi_tcp_dial_fn *done, void *context);

/* Gives up what is still under way, without calling `done`. NULL is legal. */
void mwi_tcp_dial_destroy(struct mwi_tcp_dial *dial);

#endif

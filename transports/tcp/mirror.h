/* SPDX-License-Identifier: Apache-2.0
 *
 * A descriptor for mw_transport_api.fd: an epoll set that has what the event base waits for, since
 * libevent does not hand out its own. Made when it is first asked for; until then it costs nothing.
 */
#ifndef MWI_TCP_MIRROR_H
#define MWI_TCP_MIRROR_H

#include <stdint.h>

#include "hub.h"

/* Makes it, with the connections that there are; -1 if it cannot be had. Listeners are the caller's
 * to add. */
int mwi_tcp_mirror_open(struct mwi_tcp_hub *hub);

/* From now on `fd` counts for these events, EPOLLIN and so on; 0: for none, and so before it is
 * closed, since it stays in the set as long as a process that was forked off has a copy. Nothing
 * happens unless the mirror is open. */
void mwi_tcp_mirror_set(struct mwi_tcp_hub *hub, int fd, uint32_t events);

#endif

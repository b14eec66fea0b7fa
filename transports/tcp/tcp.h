/* SPDX-License-Identifier: Apache-2.0
 *
 * The transport over TCP and other stream sockets. Its contract is mw/transport.h; README.md has
 * the wire form and the limits.
 */
#ifndef MWI_TCP_H
#define MWI_TCP_H

#include <mw/transport.h>

extern const mw_transport_api mwi_tcp_transport;

#endif

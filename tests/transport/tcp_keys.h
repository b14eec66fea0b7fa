/* SPDX-License-Identifier: Apache-2.0
 *
 * The environment of an end of tcp that encrypts, with one key.
 */
#ifndef MWT_TCP_KEYS_H
#define MWT_TCP_KEYS_H

#include <mw/transport.h>

/* Of one end. Tests change the fields as they like. */
struct mwt_tcp_keys {
    mw_tcp_key key;
    bool has_key;
    unsigned finds_count; /* of find_key */
    mw_tcp_environment environment;
};

/* Makes both sides' functions, and a key that follows from `seed`. The environment points to
 * *keys, which must stay where it is. */
void mwt_tcp_keys_init(struct mwt_tcp_keys *keys, unsigned seed);

#endif

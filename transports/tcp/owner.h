/* SPDX-License-Identifier: Apache-2.0
 *
 * Which process encrypts. After fork() two processes have the same keys and the same counts of
 * records, and would encrypt two records under one nonce, which gives GCM's secrets away. A program
 * may open its farm and become a daemon then, so the child is not the wrong one by itself: the
 * first of the two to encrypt a record owns the connections from then on, and the other one never
 * encrypts again.
 */
#ifndef MWI_TCP_OWNER_H
#define MWI_TCP_OWNER_H

#include <stdatomic.h>
#include <stdbool.h>

/* Embedded in what all connections of one hub share. */
struct mwi_tcp_owner {
    _Atomic unsigned long *shared; /* records that were begun by all processes; NULL: not made */
    unsigned long count;           /* those that this process knows of */
};

/* False out of memory. fini may be called in both cases. */
bool mwi_tcp_owner_init(struct mwi_tcp_owner *owner);
void mwi_tcp_owner_fini(struct mwi_tcp_owner *owner);

/* Whether another process has encrypted since the fork. Safe in a signal handler, as are the
 * others below. */
bool mwi_tcp_owner_is_lost(const struct mwi_tcp_owner *owner);

/* Surround the encryption of each record. A false begin says that another process owns the
 * connections; there is nothing to end then. */
bool mwi_tcp_owner_begin(struct mwi_tcp_owner *owner);
void mwi_tcp_owner_end(struct mwi_tcp_owner *owner);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * The results that a slave keeps until its master has said that it need not (KEPT). If the master
 * goes before that, the slave offers them to the next one that welcomes it. They are known by the
 * content of their tasks (wire/content.h), and by the run of the master and its id of the task.
 *
 * A task is entered when it begins, while its arguments are there, and its result is put when it is
 * sent, or would be. Results are put in the order in which their tasks have begun.
 */
#ifndef MWI_KEPT_H
#define MWI_KEPT_H

#include "base/block.h"
#include "engine/effects.h"
#include "wire/message.h"

struct mwi_kept {
    struct mwi_kept_entry *ring;
    size_t capacity; /* a power of two, or 0 */
    size_t first, count;
    size_t put_count;    /* of those: with a result; they are the first */
    uint64_t sent_count; /* results that the present master was sent */
    uint64_t told_count; /* of those: it has said that it does not need them any more */
};

/* All zero keeps nothing. */
void mwi_kept_fini(struct mwi_kept *kept);

/* A task begins that this master knows by `id`. Without a `key` its result is kept from no one
 * but this master. `name` is the number of its algorithm's name. False out of memory. */
bool mwi_kept_begin(struct mwi_kept *kept, const struct mwi_digest *key, uint64_t run, uint64_t id,
                    uint64_t name);

/* The next `count` tasks have these results, whose payloads follow each other at `payloads`. They
 * are copied. put_large keeps a reference to the block instead. `is_sent`: the master is sent them.
 * False out of memory. */
bool mwi_kept_put(struct mwi_kept *kept, const struct mwi_message_item *items, size_t count,
                  const void *payloads, bool is_sent);
void mwi_kept_put_large(struct mwi_kept *kept, const struct mwi_message_item *item,
                        struct mwi_block *block, const void *payload, bool is_sent);

/* The master does not need the first `count` results any more that it was sent. False if it was not
 * sent as many. */
bool mwi_kept_forget(struct mwi_kept *kept, uint64_t count);

/* The master is gone. All results that have a key and are no failures stay, to be offered, and so
 * does a task that still runs: kept->count says how many. */
void mwi_kept_lose_master(struct mwi_kept *kept);

/* The master that all results are offered to: its algorithms, by the numbers of their names, and
 * the largest message that it accepts. */
struct mwi_kept_master {
    mw_peer peer;
    const uint64_t *names;
    size_t names_count;
    size_t message_bytes_max;
};

/* Offers all results that were not sent to this master, and says that these are all, or that a task
 * still runs: then call it again when that has a result. Results that this master cannot take are
 * dropped. Only after lose_master, before a task of this master begins. Returns how many were
 * offered. Out of memory, the effects fail. */
size_t mwi_kept_offer(struct mwi_kept *kept, struct mwi_effects *effects,
                      const struct mwi_kept_master *master);

#endif

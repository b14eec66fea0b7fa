/* SPDX-License-Identifier: Apache-2.0
 *
 * A master engine that is stepped by hand. Its tasks are named by their payloads, which are raw
 * bytes. Its peers are numbers; peer 7 has the address "host:7". Everything that a step borrows is
 * freed right after it.
 */
#ifndef MWT_MASTER_H
#define MWT_MASTER_H

#include "engine/lifecycle.h"
#include "engine/master_engine.h"
#include "engine/membership.h"
#include "mwt_outbox.h"

#define MWT_SECOND INT64_C(1000000000)
#define MWT_MEMBER_ID "farm"

/* The largest message that a slave of these tests accepts. */
#define MWT_FRAME_BYTES_MAX (1 << 20)

struct mwt_master {
    struct mwi_master_engine engine;
    struct mwt_outbox outbox; /* the effects since the last mwt_master_forget */
    struct mwt_outbox tasks;  /* every message of tasks so far */
    int64_t now_ns;
    int64_t tags_count;
    char text[4096]; /* of mwt_master_results */
};

/* Algorithms "alpha" and "beta", groups of 1, messages of 1 MiB, timeouts of 60 s, and of 20 s for
 * tasks that fit no slave. */
struct mwi_master_engine_config mwt_master_config(void);

/* Starts an audited engine at time 0; `config` NULL means the configuration above. Returns false
 * out of memory. */
bool mwt_master_start(struct mwt_master *master, const struct mwi_master_engine_config *config);
void mwt_master_end(struct mwt_master *master);

/* Clears the outbox. */
void mwt_master_forget(struct mwt_master *master);

/* Step the engine with an event. The frame is copied to a block of exactly its size, and its buffer
 * is freed. */
void mwt_master_up(struct mwt_master *master, mw_peer peer);
void mwt_master_down(struct mwt_master *master, mw_peer peer, const char *reason);
/* The same before the slave has begun a task; otherwise it begins one first. */
void mwt_master_down_early(struct mwt_master *master, mw_peer peer, const char *reason);
void mwt_master_tick(struct mwt_master *master, int64_t now_ns);
/* The same when nobody had looked for the last away_ns; what has arrived may be unread. */
void mwt_master_tick_back(struct mwt_master *master, int64_t now_ns, int64_t away_ns);
void mwt_master_frame(struct mwt_master *master, mw_peer peer, struct mwi_buffer *frame);
void mwt_master_bytes(struct mwt_master *master, mw_peer peer, const void *data, size_t size);

/* The peer sends a message of this kind that has a reason: a goodbye, for instance. */
void mwt_master_say(struct mwt_master *master, mw_peer peer, enum mwi_message_kind kind,
                    const char *reason);

/* A peer comes up, greets properly, and accepts messages of `frame_bytes_max` bytes. */
void mwt_master_greet(struct mwt_master *master, mw_peer peer);
void mwt_master_greet_small(struct mwt_master *master, mw_peer peer, size_t frame_bytes_max);
/* The same with these words. For a text or a number of bytes that is not given stands what the
 * slaves above say. */
void mwt_master_greet_as(struct mwt_master *master, mw_peer peer,
                         const struct mwi_message_hello *hello);

/* The peer says that it begins the first of its tasks, unless it has begun some task, or has none.
 */
void mwt_master_begin(struct mwt_master *master, mw_peer peer);

/* Submits tasks of "alpha" with 3 attempts, named by the words of `names`. Tags count from 0. The
 * next step sends them. */
void mwt_master_submit(struct mwt_master *master, const char *names);
void mwt_master_submit_one(struct mwt_master *master, const char *name, bool is_never_retried,
                           unsigned max_attempts);

/* Submits a task of "alpha" without a tag, whose arguments are `size` bytes of this letter. Its
 * policy is the default one if `policy` is NULL. Returns its id. */
uint64_t mwt_master_submit_sized(struct mwt_master *master, char letter, size_t size,
                                 const struct mwi_task_policy *policy);

/* The peer returns, in one message, results for the tasks of these names, as they were last sent;
 * or it says that they failed, with their names as messages. */
void mwt_master_return(struct mwt_master *master, mw_peer peer, const char *names);
void mwt_master_fail(struct mwt_master *master, mw_peer peer, const char *names);

/* The names of the tasks that were sent to this peer since the last forget, see
 * mwt_outbox_tasks. */
const char *mwt_master_sent(struct mwt_master *master, mw_peer peer);

/* Takes all results out of the queue. Returns "a@0 b@1!" for the result of task a by SLAVE-0 and
 * the failure of task b by SLAVE-1; "?" stands for a slave without an id. */
const char *mwt_master_results(struct mwt_master *master);

#endif

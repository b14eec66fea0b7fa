/* SPDX-License-Identifier: Apache-2.0
 *
 * Builds the results of a slave and sends them. Payloads are written one after the other into one
 * buffer, and a list of items says which of these bytes belong to which result. When the results
 * are sent, items and payloads become one message. A large result gets a message of its own, and is
 * sent from the memory that it was written to, without a copy.
 *
 * For each task: begin, then leave a payload (each payload replaces the one before it), then end.
 * The slave engine begins and ends, the functions that a task algorithm calls leave the payload.
 * Several results may end together: end_quick ends each without its duration, then settle sets all
 * durations.
 */
#ifndef MWI_RESULTS_H
#define MWI_RESULTS_H

#include <assert.h>

#include "base/block.h"
#include "engine/effects.h"
#include "engine/kept.h"
#include "farm/pace.h"
#include "wire/message.h"

/* The payload of the result that is being built. */
enum mwi_results_form {
    MWI_RESULTS_ENDED,  /* no result is being built */
    MWI_RESULTS_EMPTY,  /* begun; nothing was left yet */
    MWI_RESULTS_VALUES, /* open: more may be appended until the end */
    MWI_RESULTS_BYTES,
    MWI_RESULTS_LARGE, /* raw bytes in `large` */
    MWI_RESULTS_FAILURE,
    MWI_RESULTS_CRASH /* how the process of the task has ended */
};

/* The master that takes the results. */
struct mwi_results_master {
    mw_peer peer;
    uint32_t sid;             /* the slave's number there, for audit records */
    size_t group;             /* results in a message; 0: by time, see mwi_results_expect */
    size_t message_bytes_max; /* the largest message that it accepts */
    size_t algorithms_count;
};

/* The tasks that wait at this slave while a result ends. */
struct mwi_results_ahead {
    size_t tasks_count;
    size_t algorithm; /* of the first of them, if there is one */
};

struct mwi_results {
    struct mwi_effects *effects; /* borrowed */
    struct mwi_kept *kept;       /* borrowed; NULL: results are kept by nobody */
    struct mwi_results_master master;
    bool has_master;          /* from start to stop */
    bool is_prompt;           /* each result leaves before the next task begins */
    size_t own_bytes_max;     /* the largest message that the slave may write */
    size_t message_bytes_max; /* the largest that both sides agree to */
    struct mwi_pace pace;     /* how long tasks take here */
    uint64_t total_count;     /* results that have ended */

    /* The results that have ended and wait. */
    struct mwi_message_item *items;
    size_t count; /* <= items_capacity */
    size_t items_capacity;
    struct mwi_buffer payloads; /* of these results, and then of the one that is being built */
    size_t half_count;          /* by time: when this many have gathered, they are sent */
    int64_t oldest_ns;          /* when the first of them ended */

    /* The result that is being built. */
    enum mwi_results_form form;
    size_t algorithm;
    uint64_t task_id;
    size_t start;            /* where its payload begins in `payloads` */
    size_t payload_end;      /* in all forms but VALUES. Bytes behind it are cut off: the task wrote
                                them with the packer of values, after it had left this payload */
    struct mwi_block *large; /* LARGE, else NULL: owns large_data */
    const void *large_data;
    size_t large_size;

    /* Messages that were sent since the network was last polled. */
    bool is_group_unsent;
    size_t unsent_bytes; /* of large results */
    int64_t unsent_since_ns;
};

/* `effects` is borrowed for the life of the results; messages and audit records go there. `kept`
 * is borrowed, too, and gets a copy of each result, unless it is NULL. `own_bytes_max` limits the
 * messages that this slave writes. */
void mwi_results_init(struct mwi_results *results, struct mwi_effects *effects,
                      struct mwi_kept *kept, size_t own_bytes_max);
void mwi_results_fini(struct mwi_results *results);

/* From now on this master takes the results; *master is copied. False out of memory. */
bool mwi_results_start(struct mwi_results *results, const struct mwi_results_master *master);

/* From now on no master takes results. Those that wait, and those that end from now on, are not
 * sent, but kept if somebody keeps results: flush them before the next start. */
void mwi_results_stop(struct mwi_results *results);

/* The master has sent tasks, and `tasks_count` wait now. If the master's group is 0, this sets how
 * many results gather at most: half of the tasks that wait now or whose results wait. When these
 * are sent, the master sends more tasks, and the slave still has the other half. */
void mwi_results_expect(struct mwi_results *results, size_t tasks_count);

/* Begins the result of a task. The result before it must have ended. */
static inline void mwi_results_begin(struct mwi_results *results, uint64_t task_id,
                                     size_t algorithm)
{
    assert(results->form == MWI_RESULTS_ENDED);
    results->start = results->payloads.size;
    results->form = MWI_RESULTS_EMPTY;
    results->task_id = task_id;
    results->algorithm = algorithm;
}

/* Drops the large payload that was left. Only if there is one. */
void mwi_results_forget_large(struct mwi_results *results);

/* Forgets the payload that was left before, and begins one of this form. If memory ran out for the
 * payload before, this one may find some. */
static inline void mwi_results_restart(struct mwi_results *results, enum mwi_results_form form)
{
    assert(results->form != MWI_RESULTS_ENDED);
    assert(results->start <= results->payloads.size);
    if (results->large != NULL)
        mwi_results_forget_large(results);
    results->payloads.size = results->start;
    results->payloads.has_failed = false;
    results->form = form;
}

/* Leaves values as the payload: the caller appends them to the buffer, which is borrowed until the
 * result ends or another payload is left. */
static inline struct mwi_buffer *mwi_results_open_values(struct mwi_results *results)
{
    mwi_results_restart(results, MWI_RESULTS_VALUES);
    return &results->payloads;
}

/* False if the payload is values that are not whole msgpack values, or are nested deeper than the
 * master can read. True after memory has run out: then mwi_results_end makes the result a
 * failure. */
bool mwi_results_are_whole(const struct mwi_results *results);

/* Leaves a copy of fewer than MWI_MESSAGE_LARGE_BYTES raw bytes as the payload. MW_ENOMEM: the
 * caller then leaves a failure. */
static inline mw_error mwi_results_copy_small(struct mwi_results *results, const void *data,
                                              size_t size)
{
    mwi_results_restart(results, MWI_RESULTS_BYTES);
    mwi_buffer_append(&results->payloads, data, size);
    results->payload_end = results->payloads.size;
    return results->payloads.has_failed ? MW_ENOMEM : MW_OK;
}

/* Leaves raw bytes as the payload. copy_bytes copies them; copy_large is for at least
 * MWI_MESSAGE_LARGE_BYTES. take_bytes takes malloc'd memory, and frees it after an error too.
 * share_bytes keeps a reference to `block`, in which the bytes lie, or copies them if they are few.
 * Errors: MW_ENOMEM; MW_ETOOBIG with a sentence in *why, before `data` is read. After an error the
 * caller leaves a failure. */
mw_error mwi_results_copy_large(struct mwi_results *results, const void *data, size_t size,
                                mw_reason *why) MW_USE_RESULT;
static inline MW_USE_RESULT mw_error mwi_results_copy_bytes(struct mwi_results *results,
                                                            const void *data, size_t size,
                                                            mw_reason *why)
{
    return size < MWI_MESSAGE_LARGE_BYTES ? mwi_results_copy_small(results, data, size)
                                          : mwi_results_copy_large(results, data, size, why);
}
mw_error mwi_results_take_bytes(struct mwi_results *results, void *data, size_t size,
                                mw_reason *why) MW_USE_RESULT;
mw_error mwi_results_share_bytes(struct mwi_results *results, struct mwi_block *block,
                                 const void *data, size_t size, mw_reason *why) MW_USE_RESULT;

/* Leaves a failure with a message, which is copied. */
void mwi_results_fail(struct mwi_results *results, const char *message);

/* The same with a text of this size, and in the form FAILURE or CRASH. */
void mwi_results_leave_text(struct mwi_results *results, enum mwi_results_form form,
                            struct mwi_text text);

/* Ends the result. If nothing was left, it has no values. If memory has run out, or the result is
 * larger than a message may be, it becomes a failure that says so. Sends the results that wait if
 * their group is full, if no task waits, or if this result is large. */
void mwi_results_end(struct mwi_results *results, uint64_t duration_ns,
                     struct mwi_results_ahead ahead, int64_t now_ns);

/* Whether a message can have one more result than those that wait. */
static inline bool mwi_results_has_room(const struct mwi_results *results)
{
    return results->count < MWI_MESSAGE_ITEMS_MAX &&
           results->payloads.size + (results->count + 1) * MWI_MESSAGE_OVERHEAD_BYTES <=
               results->message_bytes_max;
}

/* Makes room for more items; false out of memory. */
bool mwi_results_grow(struct mwi_results *results);

/* Ends the result without its duration, if it is an ordinary one: small, not failed, and with room
 * in the message. Else it returns false, and the result has not ended. */
static inline bool mwi_results_end_quick(struct mwi_results *results)
{
    size_t size = results->payloads.size - results->start;
    bool is_bytes = results->form == MWI_RESULTS_BYTES;
    bool is_ordinary = is_bytes ? results->payload_end == results->payloads.size
                                : results->form == MWI_RESULTS_VALUES;
    if (!is_ordinary || size >= MWI_MESSAGE_LARGE_BYTES || results->payloads.has_failed ||
        !mwi_results_has_room(results) ||
        (results->count == results->items_capacity && !mwi_results_grow(results)))
        return false;
    struct mwi_message_item *item = &results->items[results->count++];
    item->id = results->task_id;
    item->size = size;
    item->algorithm = 0;
    item->form = is_bytes ? MWI_PAYLOAD_BYTES : MWI_PAYLOAD_VALUES;
    results->total_count++;
    results->form = MWI_RESULTS_ENDED;
    return true;
}

/* How many of the next tasks, all of this algorithm, may end together: 1, or more if they are known
 * to be so short that reading the clock for each would cost much. Never more than the results that
 * the group still lacks. */
size_t mwi_results_together(const struct mwi_results *results, size_t algorithm);

/* Sets the durations of the last `count` results, which end_quick has ended by now_ns, and learns
 * from them. They are of the algorithm of the task that was begun last. `count` may be 0. */
void mwi_results_set_durations(struct mwi_results *results, size_t count, uint64_t duration_ns,
                               int64_t now_ns);

/* The same with a `count` above 0. Then sends the results that wait, if mwi_results_end would. */
void mwi_results_settle(struct mwi_results *results, size_t count, uint64_t duration_ns,
                        struct mwi_results_ahead ahead, int64_t now_ns);

/* Sends the results that have ended, though another one is being built, which goes on. */
void mwi_results_flush_ended(struct mwi_results *results, int64_t now_ns);

/* Sends the results that wait, if any and if there is a master. */
void mwi_results_flush(struct mwi_results *results, int64_t now_ns);

/* Whether messages were sent since the network was last polled. */
static inline bool mwi_results_are_unsent(const struct mwi_results *results)
{
    return results->is_group_unsent || results->unsent_bytes > 0;
}

/* Whether those messages must leave before the next task begins, because that may take long. Only
 * if there are such messages. */
bool mwi_results_are_pressing(const struct mwi_results *results, struct mwi_results_ahead ahead,
                              int64_t now_ns);

/* Call this after polling the network: all messages until now have left. */
void mwi_results_have_left(struct mwi_results *results);

#endif

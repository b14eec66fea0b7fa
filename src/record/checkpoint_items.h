/* SPDX-License-Identifier: Apache-2.0
 *
 * The bodies of a checkpoint's records in a journal: tasks that were out, with all that it takes to
 * submit them again; tasks that had ended, and were not handed out; and the numbers of tasks that
 * an earlier record has and that are neither any more. Numbers are little-endian, since a journal
 * may be read on another machine.
 */
#ifndef MWI_CHECKPOINT_ITEMS_H
#define MWI_CHECKPOINT_ITEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

enum mwi_checkpoint_fate {
    MWI_CHECKPOINT_OUT,
    MWI_CHECKPOINT_DONE,
    MWI_CHECKPOINT_FAILED,    /* the payload is the message */
    MWI_CHECKPOINT_UNRUNNABLE /* the payload is the arguments, the text says why */
};

/* The policy of a task that is out; see struct mwi_task_policy. */
struct mwi_checkpoint_policy {
    uint32_t sid;
    int32_t priority;
    int64_t time_limit_ns;
    uint8_t max_attempts;
    bool is_retried, is_done_anyway, is_speculated;
};

/* A task. All that is pointed to is borrowed: of an item that was read, from the record. */
struct mwi_checkpoint_item {
    uint64_t id; /* above 0 */
    enum mwi_checkpoint_fate fate;
    struct mwi_checkpoint_policy policy; /* OUT; else all zero */
    int64_t tag;
    const void *tag_data; /* NULL: the tag is a number */
    size_t tag_size;
    uint64_t duration_ns; /* DONE, FAILED */
    uint32_t sid;         /* not OUT: the slave that had it */
    const char *text;     /* UNRUNNABLE, not NUL-terminated */
    size_t text_size;
    const void *data; /* the payload */
    size_t size;
    bool is_bytes;
};

/* Begin the body of a record of tasks of this algorithm, and append a task to it. The buffer's
 * has_failed says whether memory ran out. */
void mwi_checkpoint_items_begin(struct mwi_buffer *body, const char *algorithm);
void mwi_checkpoint_items_append(struct mwi_buffer *body, const struct mwi_checkpoint_item *item);

/* A body that is being read. */
struct mwi_checkpoint_reader {
    const unsigned char *at, *end;
    const char *algorithm; /* not NUL-terminated */
    size_t algorithm_size;
    bool is_broken; /* the bytes are no such body */
};

/* Begins to read a body of any bytes, which is borrowed. */
void mwi_checkpoint_items_open(struct mwi_checkpoint_reader *reader, const void *body, size_t size);

/* Sets *item to the next task; false at the end, or if the body is broken. */
bool mwi_checkpoint_items_next(struct mwi_checkpoint_reader *reader,
                               struct mwi_checkpoint_item *item);

/* Append the number of a task to a body of numbers, and read number `index`; 0 if there is none. */
void mwi_checkpoint_items_append_id(struct mwi_buffer *body, uint64_t id);
uint64_t mwi_checkpoint_items_id(const void *body, size_t size, size_t index);

#endif

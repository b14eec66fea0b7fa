/* SPDX-License-Identifier: Apache-2.0
 *
 * What a task needs of the slave that runs it, and for how long no slave had it. Today the only
 * need is the size of messages.
 */
#ifndef MWI_FIT_H
#define MWI_FIT_H

#include "farm/slaves.h"
#include "farm/tasks.h"

/* A time-out is cut into this many parts, at whose ends the slaves are looked at. */
#define MWI_FIT_PARTS 4

/* All zero at first. */
struct mwi_fit {
    size_t least_bytes, most_bytes;    /* the limits of the slaves seen; 0: none was seen */
    size_t largest[MWI_FIT_PARTS + 1]; /* the largest limit in each part of the time-out, the
                                          present part first */
};

/* The most bytes that the arguments of a task may have for a slave that accepts such messages. */
static inline size_t mwi_fit_task_bytes_max(size_t frame_bytes_max)
{
    return frame_bytes_max - 2 * MWI_MESSAGE_OVERHEAD_BYTES;
}

/* Whether the slave can be sent the task. */
static inline bool mwi_fit_is_met(const struct mwi_task_entry *task,
                                  const struct mwi_slave_entry *slave)
{
    return task->size <= mwi_fit_task_bytes_max(slave->frame_bytes_max);
}

/* A slave has come. */
void mwi_fit_note_slave(struct mwi_fit *fit, const struct mwi_slave_entry *slave);

/* The time begins in which a task that fits no slave may wait; slaves accept messages of up to
 * `frame_bytes_max` bytes now. */
void mwi_fit_begin(struct mwi_fit *fit, size_t frame_bytes_max);

/* A part of the time-out is over, and the slaves that take unordered tasks now accept messages of
 * up to `frame_bytes_max` bytes. Returns the largest message that a slave accepted during the whole
 * time-out, SIZE_MAX as long as that has not passed. */
size_t mwi_fit_end_part(struct mwi_fit *fit, size_t frame_bytes_max);

#endif

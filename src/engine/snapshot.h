/* SPDX-License-Identifier: Apache-2.0
 *
 * What a master has to do, for a checkpoint: the tasks that are out, and those that have ended and
 * were not handed out. It is written as changes: what a journal has already is not written again.
 */
#ifndef MWI_SNAPSHOT_H
#define MWI_SNAPSHOT_H

#include "base/ranges.h"
#include "engine/master_state.h"
#include "record/checkpoint_items.h"

/* The numbers of the tasks that a journal has. All zero at first. */
struct mwi_snapshot {
    struct mwi_ranges out, ended;
};

/* Takes the bodies of records; `body` is borrowed for the call. `is_gone`: it has the numbers of
 * tasks that are neither out any more nor wait to be handed out; else it has tasks. A task may come
 * a second time, when it has ended; that replaces what came first. */
struct mwi_snapshot_sink {
    void (*take)(void *context, bool is_gone, const struct mwi_buffer *body);
    void *context;
};

void mwi_snapshot_fini(struct mwi_snapshot *snapshot);

/* Writes to the sink how the master's tasks differ from those in *known, and makes *known the
 * tasks of this moment. MW_ENOMEM: *known is as before, and what the sink has got is not whole. */
mw_error mwi_snapshot_write(struct mwi_master_engine *engine, struct mwi_snapshot *known,
                            const struct mwi_snapshot_sink *sink) MW_USE_RESULT;

/* The policy of a task that was read, as the engine has it. */
struct mwi_task_policy mwi_snapshot_policy(const struct mwi_checkpoint_policy *policy);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * A call of a task algorithm: the task's arguments, and the result that the algorithm leaves. The
 * public functions mw_call_... work on it. The slave makes one for a task, or for several that it
 * runs together, on its stack.
 */
#ifndef MWI_CALL_H
#define MWI_CALL_H

#include "engine/slave_engine.h"
#include "wire/values.h"

/* All that is pointed to is borrowed for the length of the call. */
struct mw_call {
    mw_slave *slave;
    void **user; /* the slave's, which the algorithm may change */
    const struct mwi_slave_task *task;
    const struct mwi_slave_engine *engine; /* with what an earlier attempt has saved */
    mw_error (*save)(mw_slave *slave, const void *data, size_t size); /* mw_call_save */
    struct mwi_results *results; /* the task's result has begun and not ended */
    struct mwi_values *values;   /* without values at first; for arguments and strings */
    bool has_values;             /* something was read into or made in `values` */
    bool is_loaded;              /* the arguments are in `values` */
    bool has_packer;             /* the user may have packed msgpack of his own */
    msgpack_packer packer;
};

/* Runs the task algorithm and clears the values; the call is then ready for another task. A task
 * whose algorithm this slave lacks fails, and so does one that left broken msgpack. */
void mwi_call_run(mw_call *call);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Lets callgrind count the instructions of one part of a simulated farm. The caller marks the calls
 * of the library that belong to the part; what the world does inside of them, in the functions of
 * the transport, is left out. The count depends on no name of a function and on no inlining.
 *
 * Without callgrind, or without its header when this was compiled, nothing is counted.
 */
#ifndef MWT_SIM_PART_H
#define MWT_SIM_PART_H

#include <stdbool.h>

#include <mw/sim.h>

/* The parts of a farm. */
enum mwt_sim_part_kind {
    MWT_SIM_PART_NONE,
    MWT_SIM_PART_SUBMIT, /* the master submits a task */
    MWT_SIM_PART_NEXT,   /* the master serves its slaves and hands out a result */
    MWT_SIM_PART_SLAVE,  /* all that a slave does */
    MWT_SIM_PART_MASTER  /* the first two together */
};

struct mwt_sim_part {
    enum mwt_sim_part_kind counted; /* set by the caller */
    bool is_counting;               /* callgrind counts now */
};

/* The transport of a host of the world, mw_sim_transport, which is not counted. `part` is borrowed
 * until the transport is closed. */
struct mwt_sim_part_place {
    struct mwt_sim_part *part;
    mw_sim_host *host;
};

/* Its environment is a struct mwt_sim_part_place, borrowed until open returns. */
extern const mw_transport_api mwt_sim_part_transport;

/* Lets callgrind count, or not. */
void mwt_sim_part_count(struct mwt_sim_part *part, bool is_counting);

/* These two stand around the calls that belong to a part. They cost next to nothing in a run that
 * counts all. */
static inline void mwt_sim_part_begin(struct mwt_sim_part *part, enum mwt_sim_part_kind kind)
{
    if (part->counted == MWT_SIM_PART_NONE)
        return;
    if (part->counted == kind ||
        (part->counted == MWT_SIM_PART_MASTER && kind != MWT_SIM_PART_SLAVE))
        mwt_sim_part_count(part, true);
}

static inline void mwt_sim_part_end(struct mwt_sim_part *part)
{
    if (part->is_counting)
        mwt_sim_part_count(part, false);
}

/* Stand around the time in which callgrind looks at the program at all, if it was started with
 * --instr-atstart=no: without, the program runs ten times as fast. */
void mwt_sim_part_watch(void);
void mwt_sim_part_ignore(void);

#endif

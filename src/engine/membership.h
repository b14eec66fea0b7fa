/* SPDX-License-Identifier: Apache-2.0
 *
 * How a master engine deals with its slaves: greeting, groups, silence, parting, the end.
 * A part of master_engine.
 */
#ifndef MWI_MEMBERSHIP_H
#define MWI_MEMBERSHIP_H

#include "engine/master_state.h"

/* What a timer of the engine is for. */
enum mwi_membership_timer {
    MWI_TIMER_SHUTDOWN,
    MWI_TIMER_QUIET, /* a client that does not greet, a slave without a task that does not answer */
    MWI_TIMER_LIMIT  /* a task that overruns its time limit */
};

/* Starts a timer; false out of memory. */
bool mwi_membership_start_timer(struct mwi_master_engine *engine, struct mwi_timer *timer,
                                enum mwi_membership_timer kind, int64_t after_ns);

/* Changes a slave's state, and says so in the trail. */
void mwi_membership_move_slave(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                               enum mwi_slave_state state);

/* The slave is gone for the reason `loss`, told as `reason`: its tasks come back, which counts as an
 * attempt for those that it had unless it said goodbye, and it is known no more. */
void mwi_membership_part(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                         mw_loss loss, const char *reason);

/* Throws out a peer that misbehaves or does not answer. */
void mwi_membership_drop(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                         mw_loss loss, const char *reason);

/* A client that has not greeted yet, as the farm ends: a slave that comes now has nothing to do. */
void mwi_membership_turn_away(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* Takes a message of a client that has not greeted yet, or a HELLO: welcomes the slave, or tells it
 * why not, or drops one that breaks the protocol. */
void mwi_membership_greet(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                          const struct mwi_message *message);

/* The timer that watches for silence runs on while the slave is busy; only then it means nothing.
 */
void mwi_membership_make_idle(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* From now on silence of this slave while it has no task means that something is wrong. */
void mwi_membership_take_attentive(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* A slave has been quiet for a while, which is wrong only if it could have spoken. */
void mwi_membership_check_silence(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* The task that the slave runs has overrun its time limit. */
void mwi_membership_end_overrun(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* Those that were told to stop and did not in time. */
void mwi_membership_drop_stragglers(struct mwi_master_engine *engine);

/* Moves an ordered or intermingle slave to the unordered ones. MW_ESTATE: there is no such slave.
 */
mw_error mwi_membership_free_slave(struct mwi_master_engine *engine, uint32_t sid);

/* Raises or lowers the number of slaves that a group wants. */
void mwi_membership_allocate(struct mwi_master_engine *engine, enum mwi_slave_group group,
                             size_t slaves_count);
void mwi_membership_deallocate(struct mwi_master_engine *engine, enum mwi_slave_group group,
                               size_t slaves_count);

/* Tells all slaves to stop. After that ticks go on until mwi_membership_is_over. */
void mwi_membership_shutdown(struct mwi_master_engine *engine, int64_t now_ns);
bool mwi_membership_is_over(const struct mwi_master_engine *engine);

#endif

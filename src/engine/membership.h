/* SPDX-License-Identifier: Apache-2.0
 *
 * How slaves come, are watched, and go, as the master's engine sees it: greeting, groups, silence,
 * time limits, losses, and the end of the farm.
 */
#ifndef MWI_MEMBERSHIP_H
#define MWI_MEMBERSHIP_H

#include "engine/master_state.h"

/* Changes a slave's state, unless it goes, and records the change in the trail. */
void mwi_membership_move_slave(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                               enum mwi_slave_state state);

/* The slave is gone for the reason `loss`, told as `reason`: its tasks come back, which counts as
 * an attempt for those that it had unless it said goodbye, or that it was leaving, and it is known
 * no more. */
void mwi_membership_part(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                         mw_loss loss, const char *reason);

/* The connection of a client or slave has ended for this reason, or its process, as the reason then
 * says ("was killed by signal 9 (Killed)"): it parts, which the trail tells. */
void mwi_membership_lose(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                         const char *reason, bool is_process_end);

/* Drops a client or slave that misbehaves or does not answer, for the reason `loss`, told as
 * `reason`. */
void mwi_membership_drop(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                         mw_loss loss, const char *reason);

/* Tells a client that has not greeted yet that the farm ends, and drops it. */
void mwi_membership_turn_away(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* Takes a message of a client that has not greeted yet, or a HELLO: welcomes the slave, or tells it
 * why not, or drops one that breaks the protocol. */
void mwi_membership_greet(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                          const struct mwi_message *message);

/* The slave has returned its last task. The timer that watches for silence runs on from before, but
 * the time that counts begins now. */
void mwi_membership_make_idle(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* The slave has said that it listens whenever it has no task: from now on it is pinged when it is
 * idle for long, and lost if it does not answer. */
void mwi_membership_take_attentive(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* The quiet timer fired: drops the slave if it should have spoken, else pings it or waits on. */
void mwi_membership_check_silence(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* The slave has said that it will go when it has ended the task that it runs; to say so again
 * changes nothing. It gets no more tasks. It may be killed before it says goodbye, which costs its
 * tasks no attempt either. */
void mwi_membership_take_leaving(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                                 const char *reason);

/* The slave was sent a task with a time limit, and is to say when it begins it. A slave that does
 * not say so within client_timeout_ns is taken to have begun it then. */
void mwi_membership_await_begin(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* The slave says that it begins the task: its first one, or one with a limit, which counts from now
 * on. */
void mwi_membership_take_begun(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                               uint64_t id);

/* The timer of the slave's task fired: drops the slave, whose task has overrun its time limit. */
/* The process in which an isolated slave ran a task has ended: `how`, such as "exited with status
 * 3". The task has failed an attempt, and the slave goes on. The copy is gone afterwards. */
void mwi_membership_take_crash(struct mwi_master_engine *engine, struct mwi_copy *copy,
                               const char *how);

void mwi_membership_end_overrun(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* Drops the slaves that were told to stop and did not within --mw-shutdown-timeout. */
void mwi_membership_drop_stragglers(struct mwi_master_engine *engine);

/* Sends the messages that need not wait for the journal any more. The times of their tasks begin
 * now. */
void mwi_membership_send_withheld(struct mwi_master_engine *engine);

/* Drops the slaves whose messages wait for the journal, which has failed: their tasks were not
 * sent. */
void mwi_membership_drop_withheld(struct mwi_master_engine *engine);

/* Moves an ordered or intermingle slave to the unordered ones; the ordered tasks that wait for it
 * come back. MW_ESTATE: there is no such slave. */
mw_error mwi_membership_free_slave(struct mwi_master_engine *engine, uint32_t sid);

/* Raises or lowers the number of slaves that a group wants; not below 0. */
void mwi_membership_allocate(struct mwi_master_engine *engine, enum mwi_slave_group group,
                             size_t slaves_count);
void mwi_membership_deallocate(struct mwi_master_engine *engine, enum mwi_slave_group group,
                               size_t slaves_count);

/* From now on no task is sent, and none that waits becomes unrunnable. The slaves finish the tasks
 * that they run, and are asked to give back the others. The second call does nothing. */
void mwi_membership_stop(struct mwi_master_engine *engine, int64_t now_ns);

/* The slave gives back the tasks that it has not begun, as it was asked. */
void mwi_membership_take_returned(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* How many tasks run, as far as is known: each slave runs one at a time. */
size_t mwi_membership_running_count(const struct mwi_master_engine *engine);

/* Tells all slaves to stop, and drops those that have not within `patience_ns`. Go on stepping the
 * engine until mwi_membership_is_over. */
void mwi_membership_shutdown(struct mwi_master_engine *engine, int64_t now_ns, int64_t patience_ns);

/* Somebody has asked twice for the end, so the patience is short: slaves that are dropped by the
 * shutdown are told so. Call it before mwi_membership_shutdown. */
void mwi_membership_hurry(struct mwi_master_engine *engine);

/* Parts with the slaves that may return, without a word: they will look for the next master. Call
 * it before mwi_membership_shutdown, and carry out the effects in between: they borrow from slaves
 * that shutdown frees. */
void mwi_membership_leave_slaves(struct mwi_master_engine *engine, int64_t now_ns);

bool mwi_membership_is_over(const struct mwi_master_engine *engine);

#endif

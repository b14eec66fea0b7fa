/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of slaves at the master. master_engine calls it for each event that is about a slave
 * and not about a task.
 *
 * Invariants: a slave goes through mwi_membership_part alone, which returns its tasks before it
 * leaves the store; a slave that misbehaves is dropped, and its tasks are treated like those of
 * any lost slave. The quiet timer runs for every client that has not greeted and every attentive
 * slave.
 *
 * A new reason to lose a slave is an enumerator of mw_loss and a call of mwi_membership_drop. The
 * messages of the greeting itself are greeting.c's.
 */
#include "engine/membership.h"

#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "base/printable.h"
#include "base/time.h"
#include "engine/greeting.h"
#include "engine/journaling.h"
#include "engine/lifecycle.h"
#include "engine/outgoing.h"
#include "engine/probation.h"
#include "engine/strangers.h"
#include "engine/withheld.h"
#include "wire/content.h"

/* The most slaves that a group can want: more than there can be, and the sum over all groups does
 * not overflow. */
#define WANTED_MAX ((size_t)UINT32_MAX / 4)
/* How long an isolated slave may take to end a task. */
#define ENDING_NS (10 * MWI_NS_PER_S)

static void audit_state(struct mwi_master_engine *engine, const struct mwi_slave_entry *slave)
{
    if (slave->sid == MWI_NO_SID)
        return;
    if (slave->state == MWI_SLAVE_IDLE || slave->state == MWI_SLAVE_BUSY)
        MWI_OUTGOING_AUDIT(engine, slave, .kind = MWI_AUDIT_SLAVE_STATE, .state = slave->state);
    else
        MWI_OUTGOING_AUDIT(engine, slave, .kind = MWI_AUDIT_SLAVE_ENDING, .state = slave->state);
}

void mwi_membership_move_slave(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                               enum mwi_slave_state state)
{
    mwi_slaves_move(&engine->slaves, slave, state);
    audit_state(engine, slave);
}

static void note_sid(struct mwi_master_engine *engine, struct mwi_sid_queue *queue,
                     const struct mwi_slave_entry *slave)
{
    if (!mwi_sid_queue_push(queue, slave->sid))
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
}

/* Counts the parting of a slave at its host. */
static void note_host(struct mwi_master_engine *engine, struct mwi_slave_entry *slave, mw_loss loss)
{
    bool is_expected = slave->state == MWI_SLAVE_SHUTTING_DOWN || loss == MW_LOSS_GOODBYE;
    if (slave->host == NULL)
        return;
    size_t tasks_count = slave->load.tasks_count;
    if (is_expected)
        mwi_hosts_leave(&engine->hosts, slave->host, tasks_count);
    else
        mwi_hosts_lose(&engine->hosts, slave->host, tasks_count);
    slave->host = NULL;
}

static void return_copies(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                          enum mwi_lifecycle_return how, const char *reason, const char *fate)
{
    if (how == MWI_RETURN_GIVEN_BACK)
        mwi_journaling_note_given_back(engine, slave);
    mwi_lifecycle_return_copies(engine, slave, how, reason, fate);
}

/* Parts as mwi_membership_part. The history of its tasks gets `fate`, which names the slave. */
static void part(struct mwi_master_engine *engine, struct mwi_slave_entry *slave, mw_loss loss,
                 const char *reason, const char *fate)
{
    enum mwi_lifecycle_return how =
        loss == MW_LOSS_GOODBYE ? MWI_RETURN_GIVEN_BACK : MWI_RETURN_LOST;
    /* A slave that was asked to end may be killed before it can. */
    if (slave->is_leaving && loss == MW_LOSS_CONNECTION) {
        loss = MW_LOSS_GOODBYE;
        how = MWI_RETURN_EXCUSED;
    }
    /* A slave that died holding a task counts as useful: the task may have killed it, and its
     * attempts are limited already. One that says goodbye, or has begun none, costs the task no
     * attempt. */
    bool has_died_with_task =
        slave->has_started && slave->load.tasks_count > 0 && loss != MW_LOSS_GOODBYE;
    bool was_useful = slave->done_count + slave->failed_count > 0 || has_died_with_task;
    mwi_list_remove(&slave->unconfirmed_link);
    mwi_withheld_forget(engine, slave);
    mwi_timers_stop(&engine->timers, &slave->quiet);
    mwi_timers_stop(&engine->timers, &slave->limit);
    mwi_probation_part(engine, slave, loss);
    return_copies(engine, slave, how, reason, fate);
    note_host(engine, slave, loss);
    mwi_load_clear(&slave->load);
    mwi_lifecycle_return_ordered(engine, slave, reason);
    if (slave->sid != MWI_NO_SID && slave->group != MWI_GROUP_UNORDERED)
        note_sid(engine, &engine->disconnected, slave);
    bool is_expected = slave->state == MWI_SLAVE_SHUTTING_DOWN;
    mwi_slaves_lose(&engine->slaves, slave, loss);
    audit_state(engine, slave);
    if (slave->sid != MWI_NO_SID || slave->is_told)
        MWI_OUTGOING_AUDIT(engine, slave, .kind = MWI_AUDIT_EOF, .transport = slave->transport,
                           .address = slave->address, .reason = is_expected ? NULL : reason);
    mwi_effects_lost(&engine->effects, slave->peer, was_useful, loss);
}

/* Of a host's name sentences show this much, with a NUL. */
#define HOST_SHOWN_BYTES 65

static const char *host_of(const struct mwi_slave_entry *slave)
{
    return slave->host == NULL ? "" : slave->host->name;
}

/* "SLAVE-3 (pid 4711 on node7) was lost: ...", where `what` is "was lost: ...". */
static const char *tell_fate(struct mwi_master_engine *engine, const struct mwi_slave_entry *slave,
                             const char *what)
{
    unsigned sid = slave->sid;
    char host[HOST_SHOWN_BYTES];
    mwi_printable_copy(host, sizeof host, host_of(slave), strlen(host_of(slave)));
    if (slave->pid != 0)
        return mwi_outgoing_note(engine, "SLAVE-%u (pid %u on %s) %s", sid, (unsigned)slave->pid,
                                 host, what);
    if (host[0] != '\0')
        return mwi_outgoing_note(engine, "SLAVE-%u (on %s) %s", sid, host, what);
    return mwi_outgoing_note(engine, "SLAVE-%u %s", sid, what);
}

static const char *tell_loss(struct mwi_master_engine *engine, const char *reason)
{
    return mwi_outgoing_note(engine, "was lost: %s", reason);
}

void mwi_membership_part(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                         mw_loss loss, const char *reason)
{
    part(engine, slave, loss, reason, tell_fate(engine, slave, tell_loss(engine, reason)));
}

void mwi_membership_lose(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                         const char *reason, bool is_process_end)
{
    const char *what = is_process_end ? reason : tell_loss(engine, reason);
    if (is_process_end)
        reason = mwi_outgoing_note(engine, "it %s", reason);
    if (slave->sid == MWI_NO_SID)
        slave->is_told = mwi_strangers_go(engine, slave, NULL);
    else if (slave->state != MWI_SLAVE_SHUTTING_DOWN && !slave->is_leaving)
        MWI_OUTGOING_AUDIT(engine, slave, .kind = MWI_AUDIT_SLAVE_LOST, .pid = slave->pid,
                           .host = host_of(slave), .reason = what);
    part(engine, slave, MW_LOSS_CONNECTION, reason, tell_fate(engine, slave, what));
}

void mwi_membership_drop(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                         mw_loss loss, const char *reason)
{
    if (slave->sid == MWI_NO_SID)
        slave->is_told = mwi_strangers_go(engine, slave, reason);
    else
        MWI_OUTGOING_AUDIT(engine, slave, .kind = MWI_AUDIT_SLAVE_DROPPED, .reason = reason);
    mwi_effects_drop(&engine->effects, slave->peer);
    mwi_membership_part(engine, slave, loss, reason);
}

static void send_bare(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                      enum mwi_message_kind kind)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_bare(&buffer, kind);
    mwi_outgoing_send(engine, slave, &buffer);
}

void mwi_membership_turn_away(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    send_bare(engine, slave, MWI_MESSAGE_SHUTDOWN);
    mwi_membership_drop(engine, slave, MW_LOSS_SHUTDOWN, "the master is shutting down");
}

static int64_t ping_interval_ns(const struct mwi_master_engine *engine)
{
    return engine->config.client_timeout_ns / 2 + 1;
}

static void start_quiet(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                        int64_t after_ns)
{
    if (!mwi_master_state_start_timer(engine, &slave->quiet, MWI_TIMER_QUIET, after_ns))
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
}

/* Takes in a slave that is welcome, and sends it the welcome. */
static void admit(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                  const struct mwi_greeting_guest *guest, struct mwi_buffer *welcome)
{
    const struct mwi_greeting_origin *origin = &guest->origin;
    struct mwi_host_entry *host =
        mwi_hosts_join(&engine->hosts, origin->host, origin->boot_id, slave->address);
    if (host == NULL || !mwi_slaves_name(&engine->slaves, slave)) {
        if (host != NULL)
            mwi_hosts_leave(&engine->hosts, host, 0);
        const char *reason = "the master is out of memory";
        mwi_buffer_clear(welcome);
        mwi_greeting_refuse(welcome);
        mwi_outgoing_send(engine, slave, welcome);
        mwi_membership_drop(engine, slave, MW_LOSS_PROTOCOL, reason);
        return;
    }
    slave->host = host;
    slave->pid = origin->pid;
    start_quiet(engine, slave, ping_interval_ns(engine));
    slave->frame_bytes_max = guest->frame_bytes_max;
    slave->is_isolated = guest->is_isolated;
    slave->may_return = guest->may_return;
    slave->is_offering = guest->offers_count > 0;
    slave->offers_left = guest->offers_count;
    slave->scope = MWI_CONTENT_SCOPE;
    mwi_strangers_greeted(engine, slave);
    mwi_effects_admit(&engine->effects, slave->peer);
    mwi_outgoing_send(engine, slave, welcome);
    MWI_OUTGOING_AUDIT(engine, slave, .kind = MWI_AUDIT_SLAVE_GREETED,
                       .transport = slave->transport, .address = slave->address,
                       .member_id = engine->config.member_id, .state = MWI_SLAVE_CONNECTING,
                       .group = slave->group, .pid = slave->pid, .host = host->name);
    mwi_fit_note_slave(&engine->fit, slave);
    if (slave->group != MWI_GROUP_UNORDERED)
        note_sid(engine, &engine->connected, slave);
    mwi_membership_move_slave(engine, slave, MWI_SLAVE_IDLE);
}

void mwi_membership_greet(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                          const struct mwi_message *message)
{
    const struct mwi_greeting_terms terms = {
        .member_id = engine->config.member_id,
        .algorithms = engine->config.algorithms,
        .sid = engine->slaves.records_count,
        .run = engine->config.run,
        .result_group = (uint32_t)engine->config.result_group,
        .frame_read_bytes_max = engine->config.frame_read_bytes_max,
        .frame_write_bytes_max = engine->config.frame_write_bytes_max,
    };
    struct mwi_greeting_guest guest;
    struct mwi_buffer answer;
    mw_reason why;
    mwi_buffer_init(&answer);
    switch (
        mwi_greeting_take_client(&slave->greeting_stage, &terms, message, &guest, &answer, &why)) {
    case MWI_GREETING_DONE:
        admit(engine, slave, &guest, &answer);
        break;
    case MWI_GREETING_MORE:
        mwi_outgoing_send(engine, slave, &answer);
        break;
    case MWI_GREETING_REFUSED:
        mwi_outgoing_send(engine, slave, &answer);
        mwi_membership_drop(engine, slave, MW_LOSS_PROTOCOL,
                            mwi_outgoing_note(engine, "%s", why.text));
        break;
    case MWI_GREETING_BROKEN:
        mwi_membership_drop(engine, slave, MW_LOSS_PROTOCOL,
                            mwi_outgoing_note(engine, "%s", why.text));
        break;
    }
    mwi_buffer_fini(&answer);
}

void mwi_membership_make_idle(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    slave->idle_since_ns = mwi_master_state_looked(engine);
    slave->is_pinged = false;
    mwi_membership_move_slave(engine, slave, MWI_SLAVE_IDLE);
}

void mwi_membership_take_attentive(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    slave->is_attentive = true;
    slave->idle_since_ns = mwi_master_state_looked(engine);
    start_quiet(engine, slave, ping_interval_ns(engine));
}

/* Whether the copy's task waits for the journal, so that the slave knows nothing of it. */
static bool has_not_left(const struct mwi_copy *copy)
{
    return mwi_withheld_is_due(copy->slave) && copy->sent_ns >= copy->slave->withheld_ns;
}

/* Tells that a slave has said nothing for long while it has a task: after the time-out of clients,
 * and again whenever that time has doubled. */
static void tell_of_silence(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    const struct mwi_copy *oldest = mwi_copies_first(slave);
    if (has_not_left(oldest))
        return;
    int64_t since_ns = oldest->sent_ns > slave->heard_ns ? oldest->sent_ns : slave->heard_ns;
    int64_t silent_ns = engine->now_ns - since_ns;
    if (slave->next_silence_ns == 0 || silent_ns < engine->config.client_timeout_ns)
        slave->next_silence_ns = engine->config.client_timeout_ns;
    if (silent_ns < slave->next_silence_ns)
        return;
    const char *algorithm = engine->config.algorithms[mwi_copies_algorithm(oldest)].name;
    MWI_OUTGOING_AUDIT(engine, slave, .kind = MWI_AUDIT_SLAVE_SILENT, .task = mwi_copies_id(oldest),
                       .algorithm = algorithm, .count = (uint64_t)(silent_ns / MWI_NS_PER_S));
    while (slave->next_silence_ns <= silent_ns)
        slave->next_silence_ns =
            slave->next_silence_ns < INT64_MAX / 2 ? 2 * slave->next_silence_ns : INT64_MAX;
}

void mwi_membership_check_silence(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    int64_t interval_ns = ping_interval_ns(engine);
    int64_t idle_ns = mwi_master_state_looked(engine) - slave->idle_since_ns;
    bool is_idle = slave->state == MWI_SLAVE_IDLE && slave->is_attentive;
    if (slave->load.tasks_count > 0)
        tell_of_silence(engine, slave);
    if (slave->state == MWI_SLAVE_CONNECTING) {
        mwi_membership_drop(engine, slave, MW_LOSS_SILENCE,
                            "it did not greet within --mw-client-timeout");
        return;
    }
    if (slave->is_offering && !slave->has_offered && !slave->is_still_running &&
        engine->now_ns - slave->heard_ns >= engine->config.client_timeout_ns) {
        mwi_membership_drop(engine, slave, MW_LOSS_SILENCE,
                            "it offered results and did not go on within --mw-client-timeout");
        return;
    }
    if (is_idle && slave->is_pinged) {
        mwi_membership_drop(engine, slave, MW_LOSS_SILENCE,
                            "it had no task and did not answer within --mw-client-timeout");
        return;
    }
    if (is_idle && idle_ns < interval_ns) {
        interval_ns -= idle_ns;
    } else if (is_idle) {
        send_bare(engine, slave, MWI_MESSAGE_PING);
        slave->is_pinged = true;
    }
    start_quiet(engine, slave, interval_ns);
}

void mwi_membership_await_begin(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    slave->is_limit_running = false;
    slave->has_begun = false;
    slave->is_overrun = false;
    if (!mwi_master_state_start_timer(engine, &slave->limit, MWI_TIMER_LIMIT,
                                      engine->config.client_timeout_ns))
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
}

static void begin_limit(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                        const struct mwi_task_entry *task)
{
    slave->is_limit_running = true;
    slave->has_started = true;
    if (!mwi_master_state_start_timer(engine, &slave->limit, MWI_TIMER_LIMIT,
                                      mwi_master_state_limit_ns(engine, task)))
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
}

void mwi_membership_take_begun(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                               uint64_t id)
{
    const struct mwi_copy *copy = mwi_copies_find(&engine->copies, &engine->tasks, slave, id);
    if (copy == NULL && mwi_tasks_take_failure(&engine->tasks)) {
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
        return;
    }
    bool is_timed =
        copy != NULL && !slave->has_begun && mwi_master_state_limit_ns(engine, copy->task) > 0;
    if (!is_timed && (copy == NULL || slave->has_started)) {
        mwi_membership_drop(engine, slave, MW_LOSS_PROTOCOL,
                            "it began a task that it does not have, or is not to tell of");
        return;
    }
    slave->has_started = true;
    slave->has_begun = is_timed;
    if (is_timed)
        begin_limit(engine, slave, copy->task);
}

void mwi_membership_take_leaving(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                                 const char *reason)
{
    if (slave->is_leaving)
        return;
    MWI_OUTGOING_AUDIT(engine, slave, .kind = MWI_AUDIT_SLAVE_LEAVING, .reason = reason);
    mwi_slaves_set_leaving(&engine->slaves, slave);
    mwi_probation_leave(engine, slave);
    mwi_lifecycle_return_ordered(engine, slave, "the slave is leaving");
}

/* "task 7 of "hello" overran its time limit of 2 s". */
static const char *tell_overrun(struct mwi_master_engine *engine, const struct mwi_task_entry *task)
{
    char seconds[MWI_DECIMAL_BYTES];
    mwi_decimal_write(seconds, mwi_time_to_seconds(mwi_master_state_limit_ns(engine, task)));
    return mwi_outgoing_note(engine, "task %llu of \"%.60s\" overran its time limit of %s s",
                             (unsigned long long)task->id,
                             mwi_outgoing_algorithm_name(engine, task), seconds);
}

/* Asks an isolated slave to end the task. If it has not done so ENDING_NS later, it is dropped. */
static void end_task_at_limit(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                              const struct mwi_task_entry *task)
{
    slave->is_overrun = true;
    mwi_outgoing_end_task(engine, task);
    if (!mwi_master_state_start_timer(engine, &slave->limit, MWI_TIMER_LIMIT, ENDING_NS))
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
}

void mwi_membership_end_overrun(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    const struct mwi_task_entry *task = mwi_copies_first(slave)->task;
    if (has_not_left(mwi_copies_first(slave)))
        mwi_membership_await_begin(engine, slave);
    else if (!slave->is_limit_running)
        begin_limit(engine, slave, task);
    else if (slave->is_isolated && !slave->is_overrun)
        end_task_at_limit(engine, slave, task);
    else
        mwi_membership_drop(engine, slave, MW_LOSS_TIME_LIMIT, tell_overrun(engine, task));
}

void mwi_membership_take_crash(struct mwi_master_engine *engine, struct mwi_copy *copy,
                               const char *how)
{
    struct mwi_slave_entry *slave = copy->slave;
    const struct mwi_task_entry *task = copy->task;
    const char *reason = mwi_outgoing_note(engine, "its process %s", how);
    const char *what = mwi_outgoing_note(engine, "ran it in a process that %s", how);
    if (slave->is_overrun) {
        reason = tell_overrun(engine, task);
        what = mwi_outgoing_note(engine, "ended it: %s", reason);
    }
    const char *fate = tell_fate(engine, slave, what);
    /* Nobody is to blame for the end of a task that was asked for. */
    bool is_asked_for = task->state == MWI_TASK_CANCELLED || slave->is_leaving || slave->is_overrun;
    slave->has_started = true;
    if (!is_asked_for)
        mwi_probation_crash(engine, slave);
    mwi_lifecycle_crash(engine, copy, reason, fate);
    if (slave->load.tasks_count == 0)
        mwi_timers_stop(&engine->timers, &slave->limit);
}

void mwi_membership_drop_stragglers(struct mwi_master_engine *engine)
{
    struct mwi_slave_entry *slave;
    const char *reason = engine->is_hurried
                             ? "the master was asked twice to end, and waits no longer"
                             : "it did not stop within --mw-shutdown-timeout";
    while ((slave = mwi_slaves_first(&engine->slaves, MWI_SLAVE_SHUTTING_DOWN)) != NULL)
        mwi_membership_drop(engine, slave, MW_LOSS_SHUTDOWN, reason);
}

/* Messages that were withheld have left. The slave could not answer before. */
static void note_left(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    const struct mwi_copy *oldest = mwi_copies_first(slave);
    int64_t since_ns = slave->withheld_ns;
    if (oldest == NULL)
        return;
    if (oldest->sent_ns >= since_ns)
        slave->working_since_ns = mwi_master_state_looked(engine);
    for (struct mwi_list *link = slave->copies.prev; link != &slave->copies; link = link->prev) {
        struct mwi_copy *copy = mwi_copies_of_link(link);
        if (copy->sent_ns < since_ns)
            break;
        copy->sent_ns = engine->now_ns;
    }
    mwi_load_delay(&slave->load, since_ns, engine->now_ns);
    if (mwi_timers_is_running(&slave->limit) && !slave->is_limit_running)
        mwi_membership_await_begin(engine, slave);
}

void mwi_membership_send_withheld(struct mwi_master_engine *engine)
{
    struct mwi_slave_entry *slave;
    while ((slave = mwi_withheld_release(engine)) != NULL)
        note_left(engine, slave);
}

void mwi_membership_drop_withheld(struct mwi_master_engine *engine)
{
    struct mwi_slave_entry *slave;
    while ((slave = mwi_withheld_first(engine)) != NULL)
        mwi_membership_drop(engine, slave, MW_LOSS_GOODBYE,
                            "its task may not run twice, and the journal has failed");
}

mw_error mwi_membership_free_slave(struct mwi_master_engine *engine, uint32_t sid)
{
    struct mwi_slave_entry *slave = mwi_slaves_by_sid(&engine->slaves, sid);
    if (!mwi_slaves_takes_ordered(slave))
        return MW_ESTATE;
    mwi_membership_deallocate(engine, slave->group, 1);
    mwi_slaves_regroup(&engine->slaves, slave, MWI_GROUP_UNORDERED);
    mwi_fit_note_slave(&engine->fit, slave);
    MWI_OUTGOING_AUDIT(engine, slave, .kind = MWI_AUDIT_SLAVE_GROUP, .group = slave->group);
    mwi_lifecycle_return_ordered(engine, slave, "the slave takes no ordered tasks any more");
    mwi_slaves_update(&engine->slaves, slave);
    return MW_OK;
}

void mwi_membership_allocate(struct mwi_master_engine *engine, enum mwi_slave_group group,
                             size_t slaves_count)
{
    size_t *wanted = &engine->slaves.wanted[group];
    *wanted = slaves_count < WANTED_MAX - *wanted ? *wanted + slaves_count : WANTED_MAX;
}

void mwi_membership_deallocate(struct mwi_master_engine *engine, enum mwi_slave_group group,
                               size_t slaves_count)
{
    size_t *wanted = &engine->slaves.wanted[group];
    *wanted = slaves_count < *wanted ? *wanted - slaves_count : 0;
}

size_t mwi_membership_running_count(const struct mwi_master_engine *engine)
{
    size_t tasks_count = engine->tasks.counts[MWI_TASK_RUNNING];
    size_t slaves_count = engine->slaves.counts[MWI_SLAVE_BUSY];
    return tasks_count < slaves_count ? tasks_count : slaves_count;
}

/* A slave has only tasks that it runs, or has run, if it has one: so it need not be asked. */
static void recall(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    if (slave->load.tasks_count < 2)
        return;
    slave->is_recalled = true;
    send_bare(engine, slave, MWI_MESSAGE_RECALL);
}

void mwi_membership_stop(struct mwi_master_engine *engine, int64_t now_ns)
{
    if (engine->is_stopping)
        return;
    mwi_master_state_set_time(engine, now_ns);
    engine->is_stopping = true;
    MWI_OUTGOING_AUDIT(engine, NULL, .kind = MWI_AUDIT_STOPPING,
                       .count = mwi_membership_running_count(engine));
    const struct mwi_list *busy = &engine->slaves.lists[MWI_SLAVE_BUSY];
    for (struct mwi_list *link = busy->next; link != busy; link = link->next)
        recall(engine, MWI_LIST_ENTRY(link, struct mwi_slave_entry, link));
}

void mwi_membership_take_returned(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    if (!slave->is_recalled) {
        mwi_membership_drop(engine, slave, MW_LOSS_PROTOCOL,
                            "it gave back tasks without being asked");
        return;
    }
    slave->is_recalled = false;
    mwi_timers_stop(&engine->timers, &slave->limit);
    return_copies(engine, slave, MWI_RETURN_GIVEN_BACK, "the farm is stopping", NULL);
    mwi_load_clear(&slave->load);
    if (slave->state == MWI_SLAVE_BUSY)
        mwi_membership_make_idle(engine, slave);
}

/* Parts with those of the slaves in this state that may return. */
static void leave_slaves_in(struct mwi_master_engine *engine, enum mwi_slave_state state)
{
    const struct mwi_list *list = &engine->slaves.lists[state];
    for (struct mwi_list *link = list->next, *next; link != list; link = next) {
        struct mwi_slave_entry *slave = MWI_LIST_ENTRY(link, struct mwi_slave_entry, link);
        next = link->next;
        if (!slave->may_return)
            continue;
        mwi_effects_drop(&engine->effects, slave->peer);
        mwi_membership_part(engine, slave, MW_LOSS_SHUTDOWN,
                            "the master ends, and the slave may look for the next one");
    }
}

void mwi_membership_leave_slaves(struct mwi_master_engine *engine, int64_t now_ns)
{
    mwi_slaves_reap(&engine->slaves);
    mwi_hosts_reap(&engine->hosts);
    mwi_master_state_set_time(engine, now_ns);
    engine->is_stopping = true;
    leave_slaves_in(engine, MWI_SLAVE_IDLE);
    leave_slaves_in(engine, MWI_SLAVE_BUSY);
}

void mwi_membership_hurry(struct mwi_master_engine *engine)
{
    engine->is_hurried = true;
}

void mwi_membership_shutdown(struct mwi_master_engine *engine, int64_t now_ns, int64_t patience_ns)
{
    struct mwi_slave_entry *slave;
    mwi_slaves_reap(&engine->slaves);
    mwi_hosts_reap(&engine->hosts);
    mwi_master_state_set_time(engine, now_ns);
    engine->is_stopping = true;
    engine->is_shutting_down = true;
    mwi_strangers_sum_up(engine);
    while ((slave = mwi_slaves_first(&engine->slaves, MWI_SLAVE_CONNECTING)) != NULL)
        mwi_membership_turn_away(engine, slave);
    while ((slave = mwi_slaves_first(&engine->slaves, MWI_SLAVE_IDLE)) != NULL ||
           (slave = mwi_slaves_first(&engine->slaves, MWI_SLAVE_BUSY)) != NULL) {
        send_bare(engine, slave, MWI_MESSAGE_SHUTDOWN);
        MWI_OUTGOING_AUDIT(engine, slave, .kind = MWI_AUDIT_TRY_SHUTDOWN);
        mwi_membership_move_slave(engine, slave, MWI_SLAVE_SHUTTING_DOWN);
    }
    if (!mwi_master_state_start_timer(engine, &engine->shutdown, MWI_TIMER_SHUTDOWN, patience_ns))
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
}

bool mwi_membership_is_over(const struct mwi_master_engine *engine)
{
    return engine->effects.error != MW_OK || (engine->slaves.counts[MWI_SLAVE_SHUTTING_DOWN] == 0 &&
                                              engine->slaves.counts[MWI_SLAVE_CONNECTING] == 0);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The slave as a state machine. It greets a master, takes the tasks that the master sends, hands
 * them out one by one, and knows why it ends. The tasks wait in engine/task_queue; engine/results
 * builds and sends the results. The face runs the task algorithms, and connects again after a
 * failure. docs/architecture.md draws the phases.
 */
#ifndef MWI_SLAVE_ENGINE_H
#define MWI_SLAVE_ENGINE_H

#include "engine/greeting.h"
#include "engine/repertoire.h"
#include "engine/results.h"
#include "engine/task_queue.h"

enum mwi_slave_phase {
    MWI_PHASE_APART,      /* no connection; the face may connect, or connect again */
    MWI_PHASE_CONNECTING, /* the face has begun to connect */
    MWI_PHASE_GREETING,   /* HELLO is sent, the master is to answer */
    MWI_PHASE_READY,      /* welcome: tasks come, results go */
    MWI_PHASE_SHUTDOWN,   /* the end: the master told the slave to stop */
    MWI_PHASE_REFUSED,    /* the end: the master refused the slave; `reason` is the master's */
    MWI_PHASE_GONE        /* the end: the connection was lost, or given up, after the welcome, and
                             the slave may not return or has found no master */
};

/* The engine copies the struct, and borrows the strings and tables in it for its life. */
struct mwi_slave_engine_config {
    const char *member_id;
    const mw_algorithm *algorithms; /* ended by a NULL name */
    size_t frame_write_bytes_max;
    size_t frame_read_bytes_max;
    int64_t client_timeout_ns; /* for the whole greeting */
    /* Bits of enum mwi_message_trait. With MWI_TRAIT_RETURNS the face looks for the master again
     * after a lost connection. */
    uint32_t traits;
    bool is_prompt;                           /* each result leaves before the next task begins */
    const struct mwi_greeting_origin *origin; /* NULL: unknown; read when the slave greets */
};

/* A task that runs. */
struct mwi_slave_task {
    uint64_t id;      /* the master's */
    size_t algorithm; /* the master's number */
    mw_task_fn *run;  /* NULL: this slave has no such algorithm */
    const char *name; /* as the master calls the algorithm, printable; borrowed from the engine */
    struct mwi_payload payload;
    struct mwi_block *block; /* with the payload; borrowed until the task ends */
};

struct mwi_slave_engine {
    struct mwi_slave_engine_config config;
    struct mwi_effects effects;
    struct mwi_decoder decoder;
    enum mwi_slave_phase phase;
    mw_peer peer;
    enum mwi_greeting_stage greeting_stage;
    int64_t greeting_deadline_ns; /* on a clock that stands still while nobody looks */
    int64_t away_ns;              /* by which that clock is behind */
    char address[128];            /* of the master, for audit records */
    char reason[256];      /* why it was refused, is gone, or failed to connect the last time */
    uint32_t sid;          /* UINT32_MAX until the welcome */
    bool is_attentive;     /* it has said ATTENTIVE */
    bool has_begun;        /* it has said that it begins its first task */
    bool is_returning;     /* the connection to a master was lost, and no other has welcomed it */
    bool is_start_put_off; /* a task still runs of the master that was lost: the results of `next`
                              begin when it has ended */
    struct mwi_results_master next; /* the master that has welcomed the slave meanwhile */
    uint64_t run;                   /* the master's */
    uint64_t scope;                 /* of the tasks of messages that follow */
    struct mwi_repertoire repertoire;
    struct mwi_buffer welcome; /* isolated: the frame of the WELCOME */
    struct mwi_task_queue queue;
    struct mwi_saved_outbox saving; /* of the task that runs */
    bool was_polled;            /* the network was polled while the last task ran; see clean_up */
    bool was_recalled;          /* and the master took back the tasks that were not begun */
    struct mwi_kept kept;       /* if it may return: results for another master */
    struct mwi_results results; /* points to `effects` and `kept`: the engine stays where it is */
};

/* MW_ENOMEM. The engine must not be moved afterwards. */
mw_error mwi_slave_engine_init(struct mwi_slave_engine *engine,
                               const struct mwi_slave_engine_config *config);
void mwi_slave_engine_fini(struct mwi_slave_engine *engine);

/* Tell the engine that the caller has begun to connect to `peer`, or that it could not even begin.
 * Call them only while APART. The strings are copied. */
void mwi_slave_engine_connecting(struct mwi_slave_engine *engine, mw_peer peer,
                                 const char *address);
void mwi_slave_engine_cannot_connect(struct mwi_slave_engine *engine, const char *reason);

/* The face looks no further for a master: the phase is SHUTDOWN if the farm is known to have ended,
 * else GONE for this reason, which is copied. Only while is_returning. */
void mwi_slave_engine_end_search(struct mwi_slave_engine *engine, bool has_farm_ended,
                                 const char *reason, int64_t now_ns);

/* Steps the engine; the effects are then to be carried out. Errors: MW_ENOMEM, the engine cannot go
 * on and each later step says so, too. */
mw_error mwi_slave_engine_step(struct mwi_slave_engine *engine, const struct mwi_event *event);

/* The time at which a tick is due; INT64_MAX: none is. */
int64_t mwi_slave_engine_deadline(const struct mwi_slave_engine *engine);

/* Tells the master, once, that this slave listens whenever it has no task, so that its silence
 * means that something is wrong. */
void mwi_slave_engine_attend(struct mwi_slave_engine *engine);

/* Whether the master wants to know when the next task begins: of the first task, and of timed
 * ones. */
static inline bool mwi_slave_engine_must_tell(const struct mwi_slave_engine *engine)
{
    return engine->queue.tasks_count > 0 &&
           (!engine->has_begun || mwi_task_queue_first(&engine->queue)->is_timed);
}

/* Tells the master that the next task begins, if it wants to know. Returns whether it does. Then
 * let the message leave before the task is begun. */
bool mwi_slave_engine_tell_of_task(struct mwi_slave_engine *engine);

/* For begin_task: the task's result is to be kept, and is known by what the task is. */
void mwi_slave_engine_note_task(struct mwi_slave_engine *engine, const struct mwi_slave_task *task,
                                uint64_t scope);

/* Takes the next task out of the queue and begins its result; false if no task waits. The caller
 * runs the task, leaves the payload of the result in engine->results, and ends the task before it
 * begins another. */
static inline bool mwi_slave_engine_begin_task(struct mwi_slave_engine *engine,
                                               struct mwi_slave_task *task)
{
    if (engine->queue.tasks_count == 0)
        return false;
    const struct mwi_task_queue_message *message = mwi_task_queue_first(&engine->queue);
    struct mwi_message_item item = mwi_task_queue_next(&engine->queue);
    task->id = item.id;
    task->algorithm = item.algorithm;
    task->run = mwi_repertoire_run(&engine->repertoire, item.algorithm);
    task->name = mwi_repertoire_name(&engine->repertoire, item.algorithm);
    task->payload = mwi_message_payload(&item);
    task->block = message->block;
    mwi_results_begin(&engine->results, item.id, item.algorithm);
    if (engine->results.kept != NULL)
        mwi_slave_engine_note_task(engine, task, message->scope);
    mwi_task_queue_take(&engine->queue, item.size);
    return true;
}

/* How many of the next tasks, at most `max`, may end together; see mwi_results_together. They are
 * of one message. */
size_t mwi_slave_engine_together(const struct mwi_slave_engine *engine, size_t max);

/* Whether a task runs. */
static inline bool mwi_slave_engine_is_running(const struct mwi_slave_engine *engine)
{
    return engine->results.form != MWI_RESULTS_ENDED;
}

/* The bytes that an earlier attempt of the task that runs has saved; NULL if there are none. */
static inline const struct mwi_saved *mwi_slave_engine_loaded(const struct mwi_slave_engine *engine)
{
    return engine->queue.loaded.block == NULL ? NULL : &engine->queue.loaded;
}

/* Saves bytes for the next attempt of the task that runs, in place of those that it saved before.
 * Copies. They are sent by the next call of send_save, but not before the bytes that were sent last
 * have left. Poll the network then, and run no other task before. Errors: MW_ENOMEM; MW_ETOOBIG:
 * the master accepts no message of this size; MW_EGONE: there is no master any more that would take
 * the result. */
mw_error mwi_slave_engine_save(struct mwi_slave_engine *engine, const void *data, size_t size,
                               int64_t now_ns) MW_USE_RESULT;

/* Returns whether saved bytes have not left yet. */
bool mwi_slave_engine_send_save(struct mwi_slave_engine *engine);

/* Ends the task without its duration, if its result is an ordinary one (mwi_results_end_quick).
 * Else it returns false, and the caller ends the task by end_task. */
static inline bool mwi_slave_engine_end_quick(struct mwi_slave_engine *engine)
{
    if (!mwi_results_end_quick(&engine->results))
        return false;
    mwi_task_queue_release(&engine->queue);
    return true;
}

/* Ends the last `count` tasks, which end_quick has ended: each of them ran for `duration_ns`. */
void mwi_slave_engine_settle(struct mwi_slave_engine *engine, size_t count, uint64_t duration_ns,
                             int64_t now_ns);

/* Ends the result (mwi_results_end) and the task. */
void mwi_slave_engine_end_task(struct mwi_slave_engine *engine, uint64_t duration_ns,
                               int64_t now_ns);

/* Answers a master that takes back the tasks which were not begun: forgets the tasks that wait. */
void mwi_slave_engine_give_back(struct mwi_slave_engine *engine, int64_t now_ns);

/* Whether results were sent that must leave before the next task begins, which may take long. */
bool mwi_slave_engine_is_pressing(const struct mwi_slave_engine *engine, int64_t now_ns);

/* Sends the results that wait and a goodbye; the phase is then GONE. Before the welcome, which the
 * master may have sent with tasks behind it, only the goodbye; the phase is then APART. */
void mwi_slave_engine_leave(struct mwi_slave_engine *engine, const char *reason, int64_t now_ns);

#endif

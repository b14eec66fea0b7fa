/* SPDX-License-Identifier: Apache-2.0
 *
 * The slave as a state machine: it greets a master, queues the tasks it is given, gathers results
 * into messages, and knows why it ends. Who runs the task algorithms, and who connects again after
 * a failure, is the shell. docs/architecture.md draws its states.
 */
#ifndef MWI_SLAVE_ENGINE_H
#define MWI_SLAVE_ENGINE_H

#include "base/block.h"
#include "engine/effects.h"
#include "farm/pace.h"
#include "wire/message.h"

enum mwi_slave_phase {
    MWI_PHASE_APART,      /* no connection and none under way */
    MWI_PHASE_CONNECTING, /* under way */
    MWI_PHASE_GREETING,   /* HELLO is sent */
    MWI_PHASE_READY,      /* welcome */
    MWI_PHASE_SHUTDOWN,   /* the master said stop */
    MWI_PHASE_REFUSED,    /* the master said why */
    MWI_PHASE_GONE        /* the master was lost after the welcome */
};

/* Borrowed, with what it points to, for the engine's life. */
struct mwi_slave_engine_config {
    const char *member_id;
    const mw_algorithm *algorithms; /* ended by a NULL name */
    size_t frame_write_bytes_max;
    size_t frame_read_bytes_max;
    int64_t client_timeout_ns; /* for the master's answer to the greeting */
};

struct mwi_slave_task {
    uint64_t id;
    size_t algorithm; /* the master's number */
    mw_task_fn *run;  /* NULL: this slave has no such algorithm */
    const char *name; /* as the master calls it */
    struct mwi_payload payload;
    struct mwi_block *block;
};

struct mwi_slave_engine {
    struct mwi_slave_engine_config config;
    struct mwi_effects effects;
    struct mwi_decoder decoder;
    enum mwi_slave_phase phase;
    mw_peer peer;
    int64_t greeting_deadline_ns;
    char address[128];
    char reason[256];        /* why it was refused, is gone, or failed to connect the last time */
    uint32_t sid;            /* UINT32_MAX until the welcome */
    bool is_attentive;       /* the master was told that we listen whenever we have no task */
    size_t result_group;     /* 0: by time */
    size_t result_bytes_max; /* the largest message that both sides agree to */
    mw_task_fn **runs;       /* the master's algorithm numbers -> ours */
    char **names;            /* the master's algorithm numbers -> names */
    size_t algorithms_count;
    struct mwi_slave_task *ring; /* tasks that wait; capacity a power of two */
    size_t ring_capacity, ring_first, tasks_count;
    struct mwi_buffer results; /* the message of results being built */
    size_t results_count;      /* in it */
    size_t half_count;         /* by time: so many may gather, of what the master has sent the half,
                                * after which it sends more */
    int64_t results_since_ns;  /* the oldest of them */
    size_t result_start;       /* where the result of the task that runs begins in it */
    struct mwi_block *large;   /* has the large bytes that the task that runs has left, or NULL */
    const void *large_data;
    size_t large_size;
    bool is_group_sent;  /* since the shell last looked at the network: a message of results */
    size_t unsent_bytes; /* since then: of large results */
    int64_t unsent_since_ns;
    struct mwi_pace pace;
    uint64_t results_total;
};

mw_error mwi_slave_engine_init(struct mwi_slave_engine *engine,
                               const struct mwi_slave_engine_config *config);
void mwi_slave_engine_fini(struct mwi_slave_engine *engine);

/* The shell has begun to connect to `peer`, or could not even begin. */
void mwi_slave_engine_connecting(struct mwi_slave_engine *engine, mw_peer peer,
                                 const char *address);
void mwi_slave_engine_cannot_connect(struct mwi_slave_engine *engine, const char *reason);

/* Steps the engine; the effects are then to be carried out. */
void mwi_slave_engine_step(struct mwi_slave_engine *engine, const struct mwi_event *event);

/* When a tick is due at the latest. */
int64_t mwi_slave_engine_deadline(const struct mwi_slave_engine *engine);

/* Tells the master, once, that this slave listens whenever it has no task, so that its silence
 * means that something is wrong. */
void mwi_slave_engine_attend(struct mwi_slave_engine *engine);

/* Takes the next task out of the queue and begins its result; false if there is none. The caller
 * runs it, writes the payload of the result to engine->results, and ends it with end_task. */
bool mwi_slave_engine_begin_task(struct mwi_slave_engine *engine, struct mwi_slave_task *task);

/* Where the payload of the result begins; cutting engine->results there forgets what was written.
 * That is result_start if memory did not suffice to begin the result. */
size_t mwi_slave_engine_payload_start(const struct mwi_slave_engine *engine);

/* Leaves raw bytes of MWI_MESSAGE_LARGE_BYTES or more as the result, in place of a payload in
 * engine->results. The first copies, the second takes a malloc'd block, also if it fails, the third
 * takes bytes that lie in `block`. Errors: MW_ENOMEM; MW_ETOOBIG with what is to be said of it,
 * before any of `data` is read. */
mw_error mwi_slave_engine_leave_large(struct mwi_slave_engine *engine, const void *data,
                                      size_t size, mw_reason *why);
mw_error mwi_slave_engine_take_large(struct mwi_slave_engine *engine, void *data, size_t size,
                                     mw_reason *why);
mw_error mwi_slave_engine_share_large(struct mwi_slave_engine *engine, struct mwi_block *block,
                                      const void *data, size_t size, mw_reason *why);

/* Forgets the large bytes that were left. */
void mwi_slave_engine_forget_large(struct mwi_slave_engine *engine);

/* Ends the result and frees the task. A result that is larger than a message may be becomes a
 * failure that says so. Sends the results if their group is full or no task waits, or if this one
 * is large: that goes alone. */
void mwi_slave_engine_end_task(struct mwi_slave_engine *engine, struct mwi_slave_task *task,
                               enum mwi_result_status status, uint64_t duration_ns, int64_t now_ns);

/* Leaves an audit record; for the parts of the engine. Inline so that the record is not even made
 * if nobody wants it. */
void mwi_slave_engine_audit_record(struct mwi_slave_engine *engine, int64_t now_ns,
                                   struct mwi_audit_record *record);
static inline void mwi_slave_engine_audit(struct mwi_slave_engine *engine, int64_t now_ns,
                                          struct mwi_audit_record record)
{
    if (engine->effects.is_audited)
        mwi_slave_engine_audit_record(engine, now_ns, &record);
}

/* Whether results were sent that must leave before the next task begins, which may take long. */
bool mwi_slave_engine_is_pressing(const struct mwi_slave_engine *engine, int64_t now_ns);

/* The shell has looked at the network: what was sent until now has left. */
void mwi_slave_engine_looked(struct mwi_slave_engine *engine);

/* Sends the results that wait, if any. */
void mwi_slave_engine_flush(struct mwi_slave_engine *engine, int64_t now_ns);

/* Sends the results that wait and a goodbye; the phase is then GONE. */
void mwi_slave_engine_leave(struct mwi_slave_engine *engine, const char *reason, int64_t now_ns);

#endif

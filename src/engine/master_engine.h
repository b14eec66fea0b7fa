/* SPDX-License-Identifier: Apache-2.0
 *
 * The master as a state machine: it greets slaves, gives them tasks, takes results, and deals with
 * slaves that are lost, without knowing of a network. docs/architecture.md draws its states.
 */
#ifndef MWI_MASTER_ENGINE_H
#define MWI_MASTER_ENGINE_H

#include "engine/effects.h"
#include "farm/finished.h"
#include "farm/schedule.h"
#include "farm/sid_queue.h"
#include "farm/targets.h"

/* Borrowed, with what it points to, for the engine's life. */
struct mwi_master_engine_config {
    const char *member_id;
    const mw_algorithm *algorithms; /* ended by a NULL name */
    size_t task_group;              /* 0: by time */
    size_t result_group;            /* 0: by time */
    size_t frame_write_bytes_max;
    size_t frame_read_bytes_max;
    int64_t client_timeout_ns;
    int64_t shutdown_timeout_ns;
};

struct mwi_master_engine {
    struct mwi_master_engine_config config;
    struct mwi_effects effects;
    struct mwi_tasks tasks;
    struct mwi_slaves slaves;
    struct mwi_finished_queue finished;
    struct mwi_timers timers;
    struct mwi_timer shutdown;
    struct mwi_decoder decoder;
    struct mwi_targets targets;
    struct mwi_pace pace;
    struct mwi_sid_queue connected, disconnected; /* ordered and intermingle slaves */
    int64_t now_ns;                               /* of the last step */
    size_t ended_count;                           /* tasks, since there was nothing to do */
    uint16_t algorithms_count;
    bool is_shutting_down;
};

/* Errors: MW_ENOMEM, MW_EINVAL: more than 65,535 algorithms. */
mw_error mwi_master_engine_init(struct mwi_master_engine *engine,
                                const struct mwi_master_engine_config *config);
void mwi_master_engine_fini(struct mwi_master_engine *engine);

/* Steps the engine; the effects are then to be carried out. */
void mwi_master_engine_step(struct mwi_master_engine *engine, const struct mwi_event *event);

/* When a tick is due at the latest: at once if there is something to send. */
int64_t mwi_master_engine_deadline(const struct mwi_master_engine *engine);

/* What a user submits. */
struct mwi_submission {
    uint16_t algorithm;
    struct mwi_task_policy policy;
    int64_t tag;
    struct mwi_tag *tag_bytes;  /* malloc'd, in place of tag; NULL: none */
    struct mwi_payload payload; /* data malloc'd */
};

/* Enters a task and takes the payload and the tag's bytes; *id is its number. It may be unrunnable
 * at once. Errors, payload and bytes staying the caller's: MW_ENOMEM.
 * This call and those below may leave effects, to be carried out before the next step. */
mw_error mwi_master_engine_submit(struct mwi_master_engine *engine,
                                  const struct mwi_submission *submission, uint64_t *id);

/* After MW_OK nothing is ever handed out for the task. MW_ESTATE: it is too late, or there is no
 * such task. */
mw_error mwi_master_engine_cancel(struct mwi_master_engine *engine, uint64_t id);

/* Moves an ordered or intermingle slave to the unordered ones. MW_ESTATE: there is no such slave.
 */
mw_error mwi_master_engine_free_slave(struct mwi_master_engine *engine, uint32_t sid);

/* Raises or lowers the number of slaves that a group wants. */
void mwi_master_engine_allocate(struct mwi_master_engine *engine, enum mwi_slave_group group,
                                size_t slaves_count);
void mwi_master_engine_deallocate(struct mwi_master_engine *engine, enum mwi_slave_group group,
                                  size_t slaves_count);

/* Tasks that wait, of one algorithm or (MWI_TARGET_GENERAL) of all. */
size_t mwi_master_engine_pending(const struct mwi_master_engine *engine, size_t algorithm);

/* The largest payload that a task can have. */
size_t mwi_master_engine_payload_bytes_max(const struct mwi_master_engine *engine);

/* Tells all slaves to stop. After that ticks go on until mwi_master_engine_is_over. */
void mwi_master_engine_shutdown(struct mwi_master_engine *engine, int64_t now_ns);
bool mwi_master_engine_is_over(const struct mwi_master_engine *engine);

#endif

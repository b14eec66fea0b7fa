/* SPDX-License-Identifier: Apache-2.0
 *
 * A master's engine, and beside it a model of its farm, which knows each task, who has it, and what
 * its result is. A test lets things happen to both; the model says what is wrong about the engine's
 * answers.
 */
#ifndef MWT_MODEL_H
#define MWT_MODEL_H

#include "engine/lifecycle.h"
#include "engine/master_engine.h"
#include "mwt_random.h"
#include "wire/message.h"

#define MWT_MODEL_TASKS_MAX 1500
#define MWT_MODEL_PEERS_MAX 400
#define MWT_MODEL_ALGORITHMS_COUNT 3
/* Every slave accepts tasks of this size. */
#define MWT_MODEL_SMALL_BYTES_MAX 900
/* Results are smaller. */
#define MWT_MODEL_RESULT_BYTES_MAX (2 * MWI_MESSAGE_LARGE_BYTES)

enum mwt_fate { MWT_FATE_OPEN, MWT_FATE_RETURNED, MWT_FATE_ENDED };

struct mwt_model_task {
    size_t size;
    int64_t tag;
    uint32_t sid; /* of the slave that its policy names */
    uint16_t algorithm;
    uint16_t holder; /* the index of the peer that has it, and 1; 0: none */
    int8_t priority;
    uint8_t fate;
    bool is_bytes, has_tag_bytes;
    bool is_in_order; /* sent in the order of submission, at first */
    bool was_sent, is_cancelled;
};

/* A result that was accepted and is to be handed out. */
struct mwt_model_result {
    uint64_t id;
    size_t size;
    uint64_t duration_max;
    uint32_t sid;
    uint8_t form;
};

struct mwt_model_peer {
    uint64_t *held; /* in the order of sending */
    size_t held_count;
    uint32_t sid;
    bool is_up, has_greeted, is_recalled;
};

struct mwt_model {
    struct mwi_master_engine engine;
    struct mwi_decoder decoder;
    struct mwt_random random;
    uint64_t seed;
    int64_t now_ns;
    struct mwt_model_task tasks[MWT_MODEL_TASKS_MAX + 1]; /* by id */
    struct mwt_model_result results[MWT_MODEL_TASKS_MAX];
    size_t results_begin, results_end;
    struct mwt_model_peer peers[MWT_MODEL_PEERS_MAX]; /* peer i + 1 */
    size_t peers_count;
    uint64_t last_in_order[4]; /* by priority: the last task that was sent in order */
    uint64_t last_id;
    bool is_told, is_stopping, is_wrong;
};

/* Notes that the farm is wrong if the condition is false. The first one is printed, with the seed.
 * `id` is of a task or peer. */
#define MWT_EXPECT(farm, condition, id)                                                            \
    mwt_model_expect(farm, condition, #condition, __FILE__, __LINE__, id)

void mwt_model_expect(struct mwt_model *farm, bool is_true, const char *what, const char *file,
                      int line, uint64_t id);

/* The bytes of a task's arguments, and of its result, follow from its id. All are small numbers of
 * msgpack. */
void mwt_model_fill(unsigned char *data, uint64_t id, size_t size);
bool mwt_model_is_filled(const unsigned char *data, uint64_t id, size_t size);

/* The peer of this index has no task any more. */
void mwt_model_release(struct mwt_model *farm, size_t index);

/* The peer is gone, too. */
void mwt_model_part(struct mwt_model *farm, size_t index);

/* Checks a message that the engine sends, and lets its peer have the tasks. */
void mwt_model_take_message(struct mwt_model *farm, const struct mwi_effect_entry *effect);

/* The peer returns a result, which the engine is to accept. */
void mwt_model_note_result(struct mwt_model *farm, size_t index,
                           const struct mwi_message_item *item);

/* Checks a result that the engine hands out. */
void mwt_model_check_result(struct mwt_model *farm, const struct mwi_finished *item);

/* Takes an unrunnable task from the engine, if there is one, and checks it. */
void mwt_model_take_unrunnable(struct mwt_model *farm);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Lets things happen to a master's engine and to the model of its farm (mwt_model.h), and after
 * each step looks at the stores (mwt_walk.h).
 */
#ifndef MWT_PLAY_H
#define MWT_PLAY_H

#include "mwt_model.h"

/* The largest message of the farm. */
#define MWT_PLAY_FRAME_BYTES_MAX (1 << 20)

/* Plays farms of consecutive seeds until one is not right, and says whether all were. MW_TEST_SEED
 * replays a seed; MW_TEST_SEEDS stands in the place of `count`. */
bool mwt_play_seeds(bool (*is_right)(uint64_t seed), unsigned long count);

/* A number below the limit; and true in one case of `count`. */
size_t mwt_play_below(struct mwt_model *farm, size_t limit);
bool mwt_play_one_in(struct mwt_model *farm, size_t count);

/* Opens a farm whose random numbers are seeded already. Closing it leaves the struct itself. */
void mwt_play_open(struct mwt_model *farm);
void mwt_play_close(struct mwt_model *farm);

/* Carries out the effects of the last step: peers get their tasks, or are dropped. */
void mwt_play_carry_out(struct mwt_model *farm);

/* Steps the engine: with this event at the farm's time, or a tick after more time. */
void mwt_play_step(struct mwt_model *farm, struct mwi_event event);
void mwt_play_tick(struct mwt_model *farm, int64_t after_ns);

/* The peer of this index sends the message. Its memory goes to the engine, and the buffer is empty
 * then. */
void mwt_play_say(struct mwt_model *farm, size_t index, struct mwi_buffer *buffer);

/* One more peer comes up and greets, unless there are enough. */
void mwt_play_come(struct mwt_model *farm, size_t frame_bytes_max);

/* A peer that is connected, or has tasks; MWT_MODEL_PEERS_MAX if there is none. */
size_t mwt_play_some_peer(struct mwt_model *farm, bool must_hold);

/* Submits some tasks, alike or mixed. */
void mwt_play_submit_some(struct mwt_model *farm);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * A slave engine that is stepped by hand. Its master, at "host:PEER", is played by the test. Tasks
 * are named by their payloads, which are raw bytes. Everything that a step borrows is freed right
 * after it.
 */
#ifndef MWT_SLAVE_H
#define MWT_SLAVE_H

#include "engine/relay.h"
#include "engine/slave_engine.h"
#include "mwt_outbox.h"

#define MWT_SECOND INT64_C(1000000000)
#define MWT_MASTER_PEER 5

struct mwt_slave {
    struct mwi_slave_engine engine;
    struct mwt_outbox outbox; /* the effects since the last mwt_slave_forget */
    struct mwi_relay *relay;  /* is stepped in place of the engine, if it is not NULL */
    int64_t now_ns;
    uint64_t ids_count;
    char text[4096]; /* of mwt_slave_results */
};

/* Member id "farm", algorithms "alpha" and "beta", messages of 1 MiB, a timeout of 60 s. */
struct mwi_slave_engine_config mwt_slave_config(void);

/* Starts an audited engine at time 0; `config` NULL means the configuration above. Returns false
 * out of memory. */
bool mwt_slave_start(struct mwt_slave *slave, const struct mwi_slave_engine_config *config);
void mwt_slave_end(struct mwt_slave *slave);
void mwt_slave_forget(struct mwt_slave *slave);

/* Step the engine with an event of the peer MWT_MASTER_PEER. The frame is copied to a block of
 * exactly its size: the engine may keep the block if the size is even, and only borrows it if the
 * size is odd, so both ways are tested. The buffer of mwt_slave_frame is freed. */
void mwt_slave_up(struct mwt_slave *slave);
void mwt_slave_down(struct mwt_slave *slave, const char *reason);
void mwt_slave_tick(struct mwt_slave *slave, int64_t now_ns);
void mwt_slave_frame(struct mwt_slave *slave, struct mwi_buffer *frame);
void mwt_slave_bytes(struct mwt_slave *slave, const void *data, size_t size);

/* Begins to connect, is connected, and greets. */
void mwt_slave_greet(struct mwt_slave *slave);

/* The same, and is welcome as SLAVE-3 with that result group. The master accepts messages of
 * `frame_bytes_max` bytes and has the algorithms "beta", "alpha" and "gamma". */
void mwt_slave_join(struct mwt_slave *slave, uint32_t result_group, size_t frame_bytes_max);

/* The master sends, in one message, tasks of "alpha" with these names. Their ids count up. */
void mwt_slave_give(struct mwt_slave *slave, const char *names);

/* Runs up to `count` tasks. Each returns its own payload. Returns the number of tasks that ran. */
size_t mwt_slave_run(struct mwt_slave *slave, size_t count);

/* Leaves raw bytes as the result of the task that was begun. */
void mwt_slave_return(struct mwt_slave *slave, const void *data, size_t size);

/* The results, but for large ones, that were sent since the last forget: "a b|c!" for two in one
 * message, and then a failure whose message is "c"; "d#" for a process that ended so. */
const char *mwt_slave_results(struct mwt_slave *slave);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * All that a master knows of the work that one slave has ahead of it: how many tasks, how long they
 * take, how many bytes they are, and how far away the slave is. schedule decides by it how much the
 * slave gets next.
 */
#ifndef MWI_LOAD_H
#define MWI_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero for a slave that has just greeted. */
struct mwi_load {
    size_t tasks_count; /* sent to the slave and not returned */
    size_t bytes;       /* of their payloads and of the message around them */
    int64_t work_ns;    /* how long they take together, as far as is known */
    int64_t trip_ns;    /* from sending a task to the idle slave to its result, less the task's own
                           time; a moving average, 0: not measured yet */
    int64_t sent_ns; /* when the idle slave was sent its first group; 0: results have come since */
    bool is_alone;   /* the slave has one task and gets no other until that is returned */
    bool has_room;   /* the slave has tasks and may get more; set by dispatch */
};

/* A group of tasks that is sent in one go. */
struct mwi_load_group {
    size_t count;
    size_t bytes;
    int64_t work_ns;
    bool is_alone;
};

/* A group of at least one task is sent at now_ns. */
void mwi_load_add(struct mwi_load *load, const struct mwi_load_group *group, int64_t now_ns);

/* The groups of since_ns and later were held back, and have left at now_ns. */
void mwi_load_delay(struct mwi_load *load, int64_t since_ns, int64_t now_ns);

/* `count` tasks, of `bytes` and `work_ns` together, have come back, or were taken away again. */
void mwi_load_remove(struct mwi_load *load, size_t count, size_t bytes, int64_t work_ns);

/* A message of results has come at now_ns, whose tasks ran for tasks_ns in all. The first one after
 * the slave was idle tells how long the trip takes. */
void mwi_load_measure_trip(struct mwi_load *load, int64_t now_ns, int64_t tasks_ns);

/* The slave has nothing any more; what is known of the trip stays. */
void mwi_load_clear(struct mwi_load *load);

#endif

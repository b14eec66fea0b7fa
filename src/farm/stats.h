/* SPDX-License-Identifier: Apache-2.0
 *
 * The counters of a master, in the form in which mw/stats.h shows them. Each number is counted
 * by the function that changes it, so that it cannot differ from what happened: tasks and slaves by
 * tasks and slaves, messages and their groups by the master's engine.
 */
#ifndef MWI_STATS_H
#define MWI_STATS_H

#include <mw/stats.h>

/* Messages and their bytes, in both directions. */
struct mwi_stats_traffic {
    uint64_t messages_sent, messages_received;
    uint64_t bytes_sent, bytes_received;
};

/* Adds a duration to a histogram, `count` times. */
static inline void mwi_stats_add_times(mw_times *times, uint64_t duration_ns, uint64_t count)
{
    uint64_t duration_us = duration_ns / 1000;
    unsigned bucket = duration_us == 0 ? 0 : 64 - (unsigned)__builtin_clzll(duration_us);
    times->count += count;
    times->total_ns += duration_ns * count;
    times->buckets[bucket < MW_TIMES_BUCKETS ? bucket : MW_TIMES_BUCKETS - 1] += count;
}

static inline void mwi_stats_add_time(mw_times *times, uint64_t duration_ns)
{
    mwi_stats_add_times(times, duration_ns, 1);
}

/* Counts a group of `count` > 0 tasks by its size. */
static inline void mwi_stats_add_group(uint64_t groups[MW_STATS_GROUP_BUCKETS], size_t count)
{
    unsigned bucket = 63 - (unsigned)__builtin_clzll(count);
    groups[bucket < MW_STATS_GROUP_BUCKETS ? bucket : MW_STATS_GROUP_BUCKETS - 1]++;
}

static inline void mwi_stats_sent(struct mwi_stats_traffic *traffic, size_t bytes)
{
    traffic->messages_sent++;
    traffic->bytes_sent += bytes;
}

static inline void mwi_stats_received(struct mwi_stats_traffic *traffic, size_t bytes)
{
    traffic->messages_received++;
    traffic->bytes_received += bytes;
}

#endif

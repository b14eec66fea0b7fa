/* SPDX-License-Identifier: Apache-2.0
 *
 * The numbers of a master for its user: copies of the counters that the stores keep, in the structs
 * of mw/stats.h.
 *
 * A new number is a field at the end of a struct there, counted by the function that changes what
 * it counts (tasks.c, slaves.c, outgoing.c, master_engine.c, loop.c), and copied here.
 */
#include <string.h>

#include <mw/stats.h>

#include "base/time.h"
#include "face/master.h"
#include "farm/copies.h"

/* Copies a struct of the library into the caller's, which may be of another version; both begin
 * with their size. False if the caller's has not even that. */
static bool hand_over(void *to, size_t to_size, const void *from, size_t from_size)
{
    size_t common = to_size < from_size ? to_size : from_size;
    if (to_size < sizeof(size_t))
        return false;
    memset(to, 0, to_size);
    memcpy(to, from, common);
    *(size_t *)to = to_size;
    return true;
}

static void add_algorithm(mw_stats *stats, const mw_algorithm_stats *one)
{
    stats->submitted += one->submitted;
    stats->done += one->done;
    stats->failed += one->failed;
    stats->unrunnable += one->unrunnable;
    stats->cancelled += one->cancelled;
    stats->requeued += one->requeued;
    stats->waiting += one->waiting;
}

static double longer(double seconds, double other)
{
    return seconds > other ? seconds : other;
}

static void add_ages(mw_stats *stats, const struct mwi_slaves *slaves, int64_t now_ns)
{
    const struct mwi_list *list = &slaves->lists[MWI_SLAVE_BUSY];
    for (struct mwi_list *link = list->next; link != list; link = link->next) {
        const struct mwi_slave_entry *slave = MWI_LIST_ENTRY(link, struct mwi_slave_entry, link);
        const struct mwi_copy *oldest = mwi_copies_first(slave);
        if (oldest == NULL)
            continue;
        int64_t since_ns = slave->heard_ns > oldest->sent_ns ? slave->heard_ns : oldest->sent_ns;
        stats->oldest_task_s =
            longer(stats->oldest_task_s, mwi_time_to_seconds(now_ns - oldest->sent_ns));
        stats->silent_s = longer(stats->silent_s, mwi_time_to_seconds(now_ns - since_ns));
    }
}

mw_error mw_master_stats(const mw_master *master, mw_stats *stats)
{
    const struct mwi_master_engine *engine = &master->engine;
    const struct mwi_slaves *slaves = &engine->slaves;
    struct mwi_loop_times times = mwi_loop_times(master->loop);
    mw_stats now = {.results_ready = engine->finished.count,
                    .copied = engine->speculation.copies_count,
                    .unrunnable_ready = engine->tasks.counts[MWI_TASK_UNRUNNABLE],
                    .slaves_connecting = slaves->counts[MWI_SLAVE_CONNECTING],
                    .slaves_idle = slaves->counts[MWI_SLAVE_IDLE],
                    .slaves_busy = slaves->counts[MWI_SLAVE_BUSY],
                    .slaves_stopping = slaves->counts[MWI_SLAVE_SHUTTING_DOWN],
                    .slaves_greeted = slaves->records_count,
                    .slaves_stopped = slaves->stopped_count,
                    .clients_refused = slaves->refused_count,
                    .messages_sent = engine->traffic.messages_sent,
                    .messages_received = engine->traffic.messages_received,
                    .bytes_sent = engine->traffic.bytes_sent,
                    .bytes_received = engine->traffic.bytes_received,
                    .waiting_s = mwi_time_to_seconds(times.waiting_ns),
                    .serving_s = mwi_time_to_seconds(times.serving_ns),
                    .algorithm_s = mwi_time_to_seconds(times.caller_ns)};
    now.running = engine->tasks.counts[MWI_TASK_RUNNING];
    add_ages(&now, slaves, mwi_loop_now(master->loop));
    for (uint16_t i = 0; i < engine->algorithms_count; i++)
        add_algorithm(&now, &engine->tasks.by_algorithm[i]);
    memcpy(now.slaves_lost, slaves->lost_counts, sizeof now.slaves_lost);
    memcpy(now.groups, engine->groups, sizeof now.groups);
    return hand_over(stats, stats->size, &now, sizeof now) ? MW_OK : MW_EINVAL;
}

bool mw_master_algorithm_stats(const mw_master *master, size_t index, mw_algorithm_stats *stats)
{
    const struct mwi_master_engine *engine = &master->engine;
    if (index >= engine->algorithms_count)
        return false;
    mw_algorithm_stats now = engine->tasks.by_algorithm[index];
    now.running = (size_t)(now.submitted - now.done - now.failed - now.unrunnable - now.cancelled) -
                  now.waiting;
    now.algorithm = engine->config.algorithms[index].name;
    return hand_over(stats, stats->size, &now, sizeof now);
}

static mw_group group_of(enum mwi_slave_group group)
{
    static const mw_group groups[MWI_GROUPS_COUNT] = {[MWI_GROUP_UNORDERED] = MW_UNORDERED,
                                                      [MWI_GROUP_INTERMINGLE] = MW_INTERMINGLE,
                                                      [MWI_GROUP_ORDERED] = MW_ORDERED};
    return groups[group];
}

static mw_slave_stats slave_now(const struct mwi_slaves *slaves,
                                const struct mwi_slave_entry *slave, int64_t now_ns)
{
    const struct mwi_copy *oldest = mwi_copies_first(slave);
    int64_t busy_ns = slave->busy_ns;
    bool is_busy = slave->state == MWI_SLAVE_BUSY;
    if (is_busy)
        busy_ns += now_ns - slave->busy_since_ns;
    return (mw_slave_stats){.sid = mwi_slaves_id(slaves, slave->sid),
                            .transport = slave->transport,
                            .address = slave->address,
                            .host = slave->host->name,
                            .pid = slave->pid,
                            .is_busy = is_busy,
                            .group = group_of(slave->group),
                            .done = slave->done_count,
                            .failed = slave->failed_count,
                            .tasks_count = slave->load.tasks_count,
                            .task = oldest == NULL ? 0 : mwi_copies_id(oldest),
                            .task_s =
                                oldest == NULL ? 0 : mwi_time_to_seconds(now_ns - oldest->sent_ns),
                            .busy_s = mwi_time_to_seconds(busy_ns),
                            .connected_s = mwi_time_to_seconds(now_ns - slave->connected_ns),
                            .heard_s = mwi_time_to_seconds(now_ns - slave->heard_ns),
                            .bytes_sent = slave->traffic.bytes_sent,
                            .bytes_received = slave->traffic.bytes_received};
}

bool mw_master_slave_stats(const mw_master *master, size_t *cursor, mw_slave_stats *stats)
{
    const struct mwi_slaves *slaves = &master->engine.slaves;
    while (*cursor < slaves->records_count) {
        const struct mwi_slave_entry *slave = mwi_slaves_by_sid(slaves, (uint32_t)(*cursor)++);
        if (slave == NULL)
            continue;
        mw_slave_stats now = slave_now(slaves, slave, mwi_loop_now(master->loop));
        return hand_over(stats, stats->size, &now, sizeof now);
    }
    return false;
}

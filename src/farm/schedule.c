/* SPDX-License-Identifier: Apache-2.0
 *
 * The choice of tasks for a slave. dispatch calls it after each event for each slave that can take
 * tasks.
 *
 * By time, tasks that a slave has ahead are lost to the others: the slave runs them one after the
 * other, and nothing is called back from it. So little is sent ahead. Three milliseconds hide the
 * cost of sending and are nothing at the end of a run. Near that end the shares shrink to single
 * tasks, or to half a millisecond of short ones, and nothing is sent ahead any more.
 *
 * Invariants: nothing here changes a store, except that a search may take a task out of its batch.
 * Equal stores give equal choices, so that a simulated run can be repeated.
 *
 * To add a rule: a rule on which task comes next belongs to `candidate`, one on how many go
 * together to `may_follow`. tests/unit/test_schedule*.c test the rules one by one,
 * tests/sim/test_makespan.c whole runs.
 */
#include "farm/schedule.h"

#include <assert.h>

#include "farm/fit.h"
#include "farm/task_search.h"
#include "wire/message.h"

/* How much work a slave has ahead: this much and two trips, but not more than the maximum. */
#define AHEAD_NS INT64_C(3000000)
#define AHEAD_MAX_NS INT64_C(400000000)
/* Large tasks that wait at a slave leave its cache before they begin, so only this many bytes are
 * sent ahead; but a second task, up to a larger size, is on its way while the first one runs. */
#define AHEAD_BYTES_MAX ((size_t)1 << 20)
#define SECOND_BYTES_MAX ((size_t)16 << 20)
/* Tasks longer than AHEAD_NS are still sent ahead, one or two of them, if waiting for them would
 * cost the slave more than a hundredth of the time that they take. */
#define LONG_TASKS_AHEAD_MAX 2
#define LONG_TASK_TRIPS 100
/* A trip that seems to take longer may have met a master that was busy with something else. */
#define TRIP_MAX_NS INT64_C(1000000)
/* At most one task is sent ahead for this many tasks that have ended: an average of few samples is
 * not to be trusted. */
#define SAMPLES_PER_TASK_AHEAD 2
/* A slave has at most this part of what each slave would have if all that is left were divided now.
 */
#define SHARE_PART 2
/* The rest of the tasks is divided once, and not into ever smaller parts, if no part takes longer
 * than this: each further message wakes a slave and its master, which takes 30 to 50 us each. */
#define UNDIVIDED_NS INT64_C(500000)
/* In the midst of a run short tasks are not divided either among many slaves: a slave gets up to
 * this part of those that wait, once this many tasks of the run have ended. */
#define UNDIVIDED_PART 4
#define UNDIVIDED_AFTER_COUNT 1000

static struct mwi_task_entry *candidate(struct mwi_tasks *tasks,
                                        const struct mwi_slave_entry *slave)
{
    if (!mwi_list_is_empty(&slave->ordered))
        return mwi_tasks_of_link(slave->ordered.next);
    if (slave->group == MWI_GROUP_ORDERED)
        return NULL;
    return mwi_task_search_next_for(tasks, mwi_fit_task_bytes_max(slave->frame_bytes_max));
}

static bool must_go_alone(const struct mwi_tasks *tasks, const struct mwi_task_entry *task)
{
    return mwi_tasks_was_lost(task) || mwi_tasks_policy(tasks, task)->time_limit_ns > 0;
}

/* Adds a task of `size` bytes to the group; false if it must not follow those that are in it. */
static bool add(struct mwi_load_group *chosen, size_t size, int64_t task_ns, size_t bytes_max,
                bool is_alone)
{
    size_t bytes = chosen->bytes + size + MWI_MESSAGE_OVERHEAD_BYTES;
    if (chosen->count > 0 && (is_alone || bytes > bytes_max))
        return false;
    chosen->count++;
    chosen->bytes = bytes;
    chosen->work_ns += task_ns;
    chosen->is_alone = is_alone;
    return true;
}

static struct mwi_task_entry *next_of_fixed(struct mwi_tasks *tasks,
                                            const struct mwi_slave_entry *slave,
                                            const struct mwi_schedule_limits *limits,
                                            struct mwi_schedule_group *group)
{
    if (slave->state != MWI_SLAVE_IDLE || group->chosen.count == limits->task_group)
        return NULL;
    struct mwi_task_entry *task = candidate(tasks, slave);
    if (task == NULL)
        return NULL;
    bool is_alone = must_go_alone(tasks, task);
    return add(&group->chosen, task->size, 0, limits->group_bytes_max, is_alone) ? task : NULL;
}

/* How long the slave is to be busy with the tasks that it has. */
static int64_t ahead_ns(const struct mwi_load *load)
{
    int64_t ns = AHEAD_NS + 2 * load->trip_ns;
    return ns < AHEAD_MAX_NS ? ns : AHEAD_MAX_NS;
}

static size_t ahead_bytes_max(size_t tasks_count)
{
    return tasks_count > 1 ? AHEAD_BYTES_MAX : SECOND_BYTES_MAX;
}

/* How long tasks may take, beyond ahead_ns, and still be worth sending ahead. */
static int64_t long_ahead_ns(const struct mwi_load *load)
{
    return LONG_TASK_TRIPS * (load->trip_ns < TRIP_MAX_NS ? load->trip_ns : TRIP_MAX_NS);
}

bool mwi_schedule_has_room(const struct mwi_load *load)
{
    if (load->tasks_count == 0 || load->is_alone ||
        load->bytes > ahead_bytes_max(load->tasks_count) / 2)
        return false;
    return load->work_ns <= ahead_ns(load) / 2 ||
           (load->tasks_count <= LONG_TASKS_AHEAD_MAX && load->work_ns <= long_ahead_ns(load));
}

/* How many tasks are not worth dividing, since they take less time together than half of the trip:
 * to tell another slave would take as long. None at the beginning of a run, whose tasks may differ
 * from those before; fewer near its end, where a long one would keep the others waiting. */
static size_t undivided_count(const struct mwi_load *load, const struct mwi_schedule_limits *limits,
                              size_t waiting_count, int64_t task_ns)
{
    if (limits->ended_count < UNDIVIDED_AFTER_COUNT || task_ns == 0)
        return 0;
    int64_t half_trip_ns = load->trip_ns / 2;
    int64_t total_ns = half_trip_ns < UNDIVIDED_NS ? half_trip_ns : UNDIVIDED_NS;
    size_t count = (size_t)(total_ns / task_ns);
    size_t count_max = waiting_count / UNDIVIDED_PART;
    return count < count_max ? count : count_max;
}

/* Whether all that is left takes each slave so little time that it is divided once. */
static bool is_last_part(size_t part, int64_t task_ns)
{
    return task_ns > 0 && part <= (size_t)(UNDIVIDED_NS / task_ns);
}

/* How many of the pool's tasks a group may have, so that the slave has no more than its part of all
 * that is left to do. The last tasks that another slave could take are not sent ahead. */
static size_t share_of(const struct mwi_tasks *tasks, const struct mwi_load *load,
                       const struct mwi_schedule_limits *limits, int64_t task_ns)
{
    size_t slaves_count = limits->slaves_count > 0 ? limits->slaves_count : 1;
    size_t waiting_count = mwi_tasks_waiting_count(tasks);
    size_t left_count = waiting_count + tasks->counts[MWI_TASK_RUNNING];
    size_t part = (left_count + slaves_count - 1) / slaves_count;
    if (!is_last_part(part, task_ns))
        part = left_count / (SHARE_PART * slaves_count);
    size_t undivided = undivided_count(load, limits, waiting_count, task_ns);
    if (part < undivided)
        part = undivided;
    if (load->tasks_count == 0)
        return part > 0 ? part : 1;
    /* Not before half of the last part is done, or groups would stay as small as the first. */
    if (waiting_count <= slaves_count || load->tasks_count > part / 2)
        return 0;
    return part - load->tasks_count;
}

/* Whether a task of `size` bytes may be sent although the slave has others, or the group has. */
static bool may_follow(const struct mwi_load *load, const struct mwi_load_group *chosen,
                       size_t size, int64_t task_ns, size_t samples_count)
{
    size_t tasks_count = load->tasks_count + chosen->count;
    int64_t total_ns = load->work_ns + chosen->work_ns + task_ns;
    if (total_ns > ahead_ns(load) &&
        (tasks_count > LONG_TASKS_AHEAD_MAX || total_ns > 2 * long_ahead_ns(load)))
        return false;
    return tasks_count < samples_count / SAMPLES_PER_TASK_AHEAD &&
           load->bytes + chosen->bytes + size <= ahead_bytes_max(tasks_count);
}

static struct mwi_task_entry *next_by_time(struct mwi_tasks *tasks,
                                           const struct mwi_slave_entry *slave,
                                           const struct mwi_schedule_limits *limits,
                                           struct mwi_schedule_group *group)
{
    const struct mwi_load *load = &slave->load;
    struct mwi_task_entry *task = candidate(tasks, slave);
    if (task == NULL)
        return NULL;
    int64_t task_ns = mwi_pace_of(limits->pace, task->algorithm);
    bool is_unknown = task_ns == 0;
    bool is_alone =
        is_unknown || must_go_alone(tasks, task) || !mwi_tasks_policy(tasks, task)->is_retried;
    bool is_first = load->tasks_count + group->chosen.count == 0;
    if (is_alone && !is_first)
        return NULL;
    if (group->chosen.count == 0)
        group->share = share_of(tasks, load, limits, task_ns);
    if (task->state != MWI_TASK_ORDERED && group->chosen.count >= group->share)
        return NULL;
    if (!is_first && !may_follow(load, &group->chosen, task->size, task_ns,
                                 mwi_pace_samples(limits->pace, task->algorithm)))
        return NULL;
    return add(&group->chosen, task->size, task_ns, limits->group_bytes_max, is_alone) ? task
                                                                                       : NULL;
}

struct mwi_task_entry *mwi_schedule_next(struct mwi_tasks *tasks,
                                         const struct mwi_slave_entry *slave,
                                         const struct mwi_schedule_limits *limits,
                                         struct mwi_schedule_group *group)
{
    if (group->chosen.is_alone)
        return NULL;
    assert(limits->task_group > 0 || limits->pace != NULL);
    return limits->task_group > 0 ? next_of_fixed(tasks, slave, limits, group)
                                  : next_by_time(tasks, slave, limits, group);
}

/* How many of the next tasks of the batch may follow each other in a group: those of one
 * algorithm, up to a gap, but no more than `most`. */
static uint32_t run_of(const struct mwi_batch_entry *batch, size_t most)
{
    const struct mwi_batch_task *first = &batch->tasks[batch->next];
    uint32_t left = batch->count - batch->next, count = 1;
    if (most < left)
        left = (uint32_t)most;
    while (count < left && first[count].algorithm == first->algorithm && !first[count].is_gone)
        count++;
    return count;
}

/* How many tasks of `task_ns` may be sent to a slave that has this work ahead already, and more
 * than LONG_TASKS_AHEAD_MAX tasks; see may_follow. */
static size_t short_count(const struct mwi_load *load, const struct mwi_load_group *chosen,
                          int64_t task_ns, size_t samples_count)
{
    size_t tasks_count = load->tasks_count + chosen->count;
    size_t trusted_count = samples_count / SAMPLES_PER_TASK_AHEAD;
    int64_t left_ns = ahead_ns(load) - load->work_ns - chosen->work_ns;
    if (left_ns < task_ns || tasks_count >= trusted_count)
        return 0;
    size_t by_time = (size_t)(left_ns / task_ns);
    return by_time < trusted_count - tasks_count ? by_time : trusted_count - tasks_count;
}

/* Adds tasks of the batch from `from` on, at most `most`, as long as their bytes are within the
 * limit. Returns how many. */
static uint32_t add_while_small(struct mwi_load_group *chosen, const struct mwi_batch_entry *batch,
                                uint32_t from, size_t most, int64_t task_ns, size_t bytes_max)
{
    uint32_t begin = mwi_batch_begin(batch, from), count = 0, bytes = 0;
    size_t left = bytes_max > chosen->bytes ? bytes_max - chosen->bytes : 0;
    while (count < most) {
        uint32_t with_next = batch->tasks[from + count].end - begin +
                             (count + 1) * (uint32_t)MWI_MESSAGE_OVERHEAD_BYTES;
        if (with_next > left)
            break;
        bytes = with_next;
        count++;
    }
    chosen->count += count;
    chosen->bytes += bytes;
    chosen->work_ns += count * task_ns;
    return count;
}

/* Adds as many of the next tasks of the batch as the bytes of a message and, by time (load), the
 * work that the slave has ahead let it have. */
static uint32_t add_run(const struct mwi_load *load, const struct mwi_batch_entry *batch,
                        uint32_t most, const struct mwi_schedule_limits *limits,
                        struct mwi_load_group *chosen)
{
    uint16_t algorithm = batch->tasks[batch->next].algorithm;
    int64_t task_ns = load == NULL ? 0 : mwi_pace_of(limits->pace, algorithm);
    size_t samples = load == NULL ? 0 : mwi_pace_samples(limits->pace, algorithm);
    size_t bytes_max = limits->group_bytes_max;
    uint32_t count = 0;
    while (count < most &&
           (chosen->count == 0 ||
            (load != NULL && load->tasks_count + chosen->count <= LONG_TASKS_AHEAD_MAX))) {
        uint32_t size = mwi_batch_size(batch, batch->next + count);
        bool is_first = load == NULL || load->tasks_count + chosen->count == 0;
        if ((!is_first && !may_follow(load, chosen, size, task_ns, samples)) ||
            !add(chosen, size, task_ns, bytes_max, false))
            return count;
        count++;
    }
    size_t rest = most - count;
    if (load != NULL) {
        size_t short_max = short_count(load, chosen, task_ns, samples);
        size_t ahead_max = load->bytes < AHEAD_BYTES_MAX ? AHEAD_BYTES_MAX - load->bytes : 0;
        rest = rest < short_max ? rest : short_max;
        bytes_max = bytes_max < ahead_max ? bytes_max : ahead_max;
    }
    return count + add_while_small(chosen, batch, batch->next + count, rest, task_ns, bytes_max);
}

bool mwi_schedule_takes_batch(const struct mwi_schedule_limits *limits,
                              const struct mwi_batch_entry *batch)
{
    return limits->task_group > 0 ||
           mwi_pace_of(limits->pace, batch->tasks[batch->next].algorithm) != 0;
}

uint32_t mwi_schedule_next_of_batch(const struct mwi_tasks *tasks,
                                    const struct mwi_batch_entry *batch,
                                    const struct mwi_slave_entry *slave,
                                    const struct mwi_schedule_limits *limits,
                                    struct mwi_schedule_group *group)
{
    const struct mwi_load *load = &slave->load;
    bool is_by_time = limits->task_group == 0;
    assert(!group->chosen.is_alone && mwi_schedule_takes_batch(limits, batch));
    if (!is_by_time && slave->state != MWI_SLAVE_IDLE)
        return 0;
    if (is_by_time && group->chosen.count == 0)
        group->share = share_of(tasks, load, limits,
                                mwi_pace_of(limits->pace, batch->tasks[batch->next].algorithm));
    size_t most = is_by_time ? group->share : limits->task_group;
    if (group->chosen.count >= most)
        return 0;
    return add_run(is_by_time ? load : NULL, batch, run_of(batch, most - group->chosen.count),
                   limits, &group->chosen);
}

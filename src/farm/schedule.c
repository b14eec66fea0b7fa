/* SPDX-License-Identifier: Apache-2.0
 *
 * By time, a slave may sit on tasks that another could do, if one takes much longer than was to be
 * expected; it runs them one after the other and does not look up. So what it has ahead is little:
 * three milliseconds hide what sending costs, and are nothing at the end of a run. Near that end
 * shares shrink to single tasks, and nothing is sent ahead any more.
 */
#include "farm/schedule.h"

#define AHEAD_NS INT64_C(3000000)
#define AHEAD_MAX_NS INT64_C(400000000)
/* Of large tasks, more are out of the cache before they are begun; but a second one is on its way
 * while the first is at work. */
#define AHEAD_BYTES_MAX ((size_t)1 << 20)
#define SECOND_BYTES_MAX ((size_t)16 << 20)
/* Of longer tasks a few are sent ahead, as long as waiting for them would cost a hundredth of the
 * time that they take. Some are shorter than the average. */
#define WORTHWHILE 100
#define FEW 2
/* A trip that seems to take longer may be a master that was busy with something else. */
#define TRIP_MAX_NS INT64_C(1000000)
/* Of so many tasks that have ended, one may be sent ahead: what a few took says little of others.
 */
#define TRUST 2
/* What is not divided is never longer than this, nor a larger part of what waits, and only after so
 * many tasks of a run. */
#define LEAST_MAX_NS INT64_C(100000)
#define LEAST_PART 4
#define RUN_COUNT 1000
/* A slave has at most this part of what each would have if all that is left were divided now. */
#define SHARE_PART 2

static struct mwi_task_entry *candidate(const struct mwi_tasks *tasks,
                                        const struct mwi_slave_entry *slave)
{
    if (!mwi_list_is_empty(&slave->ordered))
        return MWI_LIST_ENTRY(slave->ordered.next, struct mwi_task_entry, link);
    return slave->group == MWI_GROUP_ORDERED ? NULL : mwi_tasks_first_waiting(tasks);
}

static bool is_alone(const struct mwi_tasks *tasks, const struct mwi_task_entry *task)
{
    return task->attempts > 0 || task->is_suspect ||
           mwi_tasks_policy(tasks, task)->time_limit_ns > 0;
}

static struct mwi_task_entry *add(struct mwi_schedule_group *group, struct mwi_task_entry *task,
                                  size_t bytes_max, bool goes_alone)
{
    size_t bytes = group->bytes + task->size + MWI_MESSAGE_OVERHEAD_BYTES;
    if (group->count > 0 && (goes_alone || bytes > bytes_max))
        return NULL;
    group->count++;
    group->bytes = bytes;
    group->is_closed = goes_alone;
    return task;
}

static struct mwi_task_entry *next_of_fixed(const struct mwi_tasks *tasks,
                                            const struct mwi_slave_entry *slave,
                                            const struct mwi_schedule_limits *limits,
                                            struct mwi_schedule_group *group)
{
    if (slave->state != MWI_SLAVE_IDLE || group->count == limits->task_group)
        return NULL;
    struct mwi_task_entry *task = candidate(tasks, slave);
    return task == NULL ? NULL : add(group, task, limits->group_bytes_max, is_alone(tasks, task));
}

/* How long the slave is to be busy with what it has. */
static int64_t ahead_ns(const struct mwi_slave_entry *slave)
{
    int64_t ns = AHEAD_NS + 2 * slave->trip_ns;
    return ns < AHEAD_MAX_NS ? ns : AHEAD_MAX_NS;
}

static size_t ahead_bytes_max(const struct mwi_slave_entry *slave)
{
    return slave->running_count > 1 ? AHEAD_BYTES_MAX : SECOND_BYTES_MAX;
}

/* How much longer tasks may take to be worth sending ahead. */
static int64_t worthwhile_ns(const struct mwi_slave_entry *slave)
{
    return WORTHWHILE * (slave->trip_ns < TRIP_MAX_NS ? slave->trip_ns : TRIP_MAX_NS);
}

bool mwi_schedule_has_room(const struct mwi_slave_entry *slave)
{
    return slave->state == MWI_SLAVE_BUSY && !slave->is_alone &&
           slave->ahead_bytes <= ahead_bytes_max(slave) / 2 &&
           (slave->ahead_ns <= ahead_ns(slave) / 2 ||
            (slave->running_count <= FEW && slave->ahead_ns <= worthwhile_ns(slave)));
}

/* Tasks that together take less than half of the way to the slave and back are not worth dividing:
 * another would have to be told, too. Not at the beginning of a run, whose tasks may be other ones
 * than those before; and fewer near its end, where a long one would keep the others waiting. */
static size_t least_of(const struct mwi_slave_entry *slave,
                       const struct mwi_schedule_limits *limits, size_t waiting_count,
                       int64_t task_ns)
{
    int64_t way_ns = slave->trip_ns / 2 < LEAST_MAX_NS ? slave->trip_ns / 2 : LEAST_MAX_NS;
    size_t least = task_ns > 0 ? (size_t)(way_ns / task_ns) : 0;
    if (limits->ended_count < RUN_COUNT)
        return 0;
    return least < waiting_count / LEAST_PART ? least : waiting_count / LEAST_PART;
}

/* How many of the pool's tasks a message may have, so that the slave has no more than its part of
 * all that is left to do. One that is sent ahead must not be the last that another could take. */
static size_t share_of(const struct mwi_tasks *tasks, const struct mwi_slave_entry *slave,
                       const struct mwi_schedule_limits *limits, int64_t task_ns)
{
    size_t slaves_count = limits->slaves_count > 0 ? limits->slaves_count : 1;
    size_t waiting_count = tasks->counts[MWI_TASK_WAITING];
    size_t part = (waiting_count + tasks->counts[MWI_TASK_RUNNING]) / (SHARE_PART * slaves_count);
    size_t least = least_of(slave, limits, waiting_count, task_ns);
    if (part < least)
        part = least;
    if (slave->running_count == 0)
        return part > 0 ? part : 1;
    /* Not before half of it is done, or messages would stay as small as the first were. */
    if (waiting_count <= slaves_count || slave->running_count > part / 2)
        return 0;
    return part - slave->running_count;
}

static struct mwi_task_entry *next_by_time(const struct mwi_tasks *tasks,
                                           const struct mwi_slave_entry *slave,
                                           const struct mwi_schedule_limits *limits,
                                           struct mwi_schedule_group *group)
{
    struct mwi_task_entry *task = candidate(tasks, slave);
    if (task == NULL)
        return NULL;
    int64_t task_ns = mwi_pace_of(limits->pace, task->algorithm);
    bool is_unknown = task_ns == 0;
    bool goes_alone =
        is_unknown || is_alone(tasks, task) || !mwi_tasks_policy(tasks, task)->is_retried;
    if (goes_alone && slave->running_count > 0)
        return NULL;
    if (group->count == 0)
        group->share = share_of(tasks, slave, limits, task_ns);
    if (task->state == MWI_TASK_WAITING && group->count >= group->share)
        return NULL;
    int64_t total_ns = slave->ahead_ns + group->ns + task_ns;
    if (slave->running_count > 0 && total_ns > ahead_ns(slave) &&
        (slave->running_count > FEW || total_ns > 2 * worthwhile_ns(slave)))
        return NULL;
    if (slave->running_count > 0 &&
        slave->running_count >= mwi_pace_samples(limits->pace, task->algorithm) / TRUST)
        return NULL;
    if (slave->running_count > 0 &&
        slave->ahead_bytes + group->bytes + task->size > ahead_bytes_max(slave))
        return NULL;
    if (add(group, task, limits->group_bytes_max, goes_alone) == NULL)
        return NULL;
    group->ns += task_ns;
    return task;
}

struct mwi_task_entry *mwi_schedule_next(const struct mwi_tasks *tasks,
                                         const struct mwi_slave_entry *slave,
                                         const struct mwi_schedule_limits *limits,
                                         struct mwi_schedule_group *group)
{
    if (group->is_closed)
        return NULL;
    return limits->task_group > 0 ? next_of_fixed(tasks, slave, limits, group)
                                  : next_by_time(tasks, slave, limits, group);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the audit trail back as text, as its users would. The messages in it must add up to the
 * master's counts, and at no moment may a slave have more than a group. A new promise of every
 * farm is a check here.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLAVES_MAX 4096
#define ATTEMPTS_DEFAULT 3u
/* Not every loss is an attempt, but a task is lost at most this often for each of its attempts. */
#define LOSSES_PER_ATTEMPT 3u

struct account {
    size_t sent, results, offered, requeued, untried, unrunnable, given_up_sent;
    long held[SLAVES_MAX];
    bool is_exceeded;
    bool is_overtried; /* a task was tried again that should have been given up */
};

static bool complain(const struct mwt_farm *farm, const char *what, long long number)
{
    fprintf(stderr, "seed %llu: %s (%lld); replay with --seed %llu --seeds 1\n",
            (unsigned long long)farm->plan.seed, what, number, (unsigned long long)farm->plan.seed);
    return false;
}

static unsigned attempts_max(const struct mwt_farm_task *task)
{
    return task->policy.max_attempts == 0 ? ATTEMPTS_DEFAULT : task->policy.max_attempts;
}

/* Whether it may run on its slave only. */
static bool is_bound(const struct mwt_farm_task *task)
{
    return task->policy.sid != NULL && task->policy.do_it_anyway != MW_YES;
}

/* An unrunnable task has had its last attempt, or one where none may follow, or its one slave is
 * not there for it. */
static bool is_rightly_given_up(const struct mwt_farm_task *task)
{
    if (task->losses > LOSSES_PER_ATTEMPT * attempts_max(task))
        return false;
    return task->losses >= attempts_max(task) || is_bound(task) ||
           (task->policy.retry == MW_NO && task->losses == 1);
}

static bool check_task(const struct mwt_farm *farm, size_t tag)
{
    const struct mwt_farm_task *task = &farm->tasks[tag];
    unsigned failing_every = farm->plan.failing_every;
    bool must_fail = failing_every > 0 && tag % failing_every == 0;
    unsigned ends_count = task->done + task->failed + task->unrunnable;
    if (task->is_cancelled && ends_count > 0)
        return complain(farm, "a cancelled task was handed out", (long long)tag);
    if (!task->is_cancelled && ends_count != 1)
        return complain(farm, "a task did not end exactly once", (long long)tag);
    if (task->is_wrong)
        return complain(farm, "a task has a value of another", (long long)tag);
    if (task->done + task->failed > 0 && (task->failed > 0) != must_fail)
        return complain(farm, "a task failed, or did not, against its algorithm", (long long)tag);
    if (task->unrunnable > 0 && !is_rightly_given_up(task))
        return complain(farm, "a task was given up that should not be", (long long)tag);
    if (task->is_hopeless && task->done + task->failed > 0)
        return complain(farm, "a task overran its time limit and was done", (long long)tag);
    return true;
}

static const struct mwt_farm_task *task_of(const struct mwt_farm *farm, unsigned long long id)
{
    for (size_t i = 0; i < farm->plan.tasks_count; i++)
        if (farm->tasks[i].id == id)
            return &farm->tasks[i];
    return NULL;
}

static void hold(struct account *account, const struct mwt_farm *farm, unsigned sid, long change)
{
    if (sid >= SLAVES_MAX)
        return;
    account->held[sid] += change;
    if (farm->plan.task_group > 0 &&
        (account->held[sid] < 0 || account->held[sid] > farm->plan.task_group))
        account->is_exceeded = true;
}

/* A task that was never sent comes back with attempt 0; so does one of a group by time that was
 * lost with the slave, but was not the first. */
static void read_requeued(struct account *account, const struct mwt_farm *farm, unsigned sid,
                          unsigned long long id, unsigned attempt)
{
    const struct mwt_farm_task *task = task_of(farm, id);
    if (task == NULL || attempt >= attempts_max(task) || is_bound(task) ||
        (task->policy.retry == MW_NO && attempt > 0))
        account->is_overtried = true;
    if (attempt == 0) {
        account->untried++;
        return;
    }
    account->requeued++;
    hold(account, farm, sid, -1);
}

static void read_line(struct account *account, const struct mwt_farm *farm, const char *line)
{
    const char *text = strstr(line, "[A] ");
    unsigned sid, count, attempt;
    unsigned long long id;
    char word[16];
    if (text == NULL)
        return;
    text += 4;
    if (sscanf(text, "SLAVE-%u <- %u %15s", &sid, &count, word) == 3 &&
        strcmp(word, "tasks") == 0) {
        account->sent += count;
        hold(account, farm, sid, (long)count);
    } else if (sscanf(text, "SLAVE-%u -> %u %15s", &sid, &count, word) == 3 &&
               strcmp(word, "results") == 0) {
        account->results += count;
        hold(account, farm, sid, -(long)count);
    } else if (sscanf(text, "SLAVE-%u -> OFFER of kept results: %u of use", &sid, &count) == 2) {
        account->offered += count;
    } else if (sscanf(text, "SLAVE-%u -> task %llu of \"work\" requeued after attempt %u", &sid,
                      &id, &attempt) == 3) {
        read_requeued(account, farm, sid, id, attempt);
    } else if (strstr(text, " is unrunnable: ") != NULL) {
        account->unrunnable++;
        account->given_up_sent += strstr(text, " was lost: ") != NULL;
    }
}

static bool read_trail(struct account *account, const struct mwt_farm *farm)
{
    char line[2048];
    FILE *trail = fopen(farm->plan.audit_path, "r");
    if (trail == NULL)
        return false;
    while (fgets(line, sizeof line, trail) != NULL)
        read_line(account, farm, line);
    return fclose(trail) == 0;
}

/* Cancelled tasks that ran may have come back, or been lost without a word. */
static bool check_sums(const struct mwt_farm *farm, const struct account *account, size_t results,
                       size_t unrunnable, size_t cancelled)
{
    size_t back = account->results + account->requeued + account->given_up_sent;
    /* A task that a kept result has ended may have been running, and then comes back in vain. */
    size_t taken = account->results + account->offered;
    size_t lost_silently = cancelled + account->offered;
    if (taken < results || taken > results + lost_silently || account->unrunnable != unrunnable)
        return complain(farm, "the trail counts other results than the master",
                        (long long)account->results);
    /* Bound tasks may end with their slave without an attempt, and nothing says that they were
     * sent: those of a group by time, and those of a slave that had begun none. */
    lost_silently += account->untried + account->unrunnable;
    if (account->sent < back || account->sent > back + lost_silently)
        return complain(farm, "the trail's tasks do not add up", (long long)account->sent);
    if (account->is_exceeded)
        return complain(farm, "a slave had more tasks than a group", 0);
    if (account->is_overtried)
        return complain(farm, "a task was tried again that should have been given up", 0);
    return true;
}

static bool check_trail(const struct mwt_farm *farm, size_t results, size_t unrunnable,
                        size_t cancelled)
{
    struct account *account = calloc(1, sizeof *account);
    bool is_good = account != NULL && read_trail(account, farm);
    if (is_good)
        is_good = check_sums(farm, account, results, unrunnable, cancelled);
    else
        complain(farm, "the trail cannot be read", 0);
    free(account);
    return is_good;
}

static bool check_slaves(const struct mwt_farm *farm)
{
    if (farm->is_queue_exceeded)
        return complain(farm, "a slave held more than its groups allow", 0);
    if (farm->is_out_of_order)
        return complain(farm, "a slave ran ordered tasks out of order", 0);
    if (farm->is_misplaced)
        return complain(farm, "a task ran on a slave that its policy forbids", 0);
    return true;
}

bool mwt_check_farm(const struct mwt_farm *farm)
{
    size_t results = 0, unrunnable = 0, cancelled = 0;
    if (!farm->has_finished)
        return complain(farm, "the farm has not finished in its time", farm->end_ns);
    if (farm->master_status != 0)
        return complain(farm, "the master ended badly", farm->master_status);
    for (size_t i = 0; i < farm->plan.tasks_count; i++) {
        const struct mwt_farm_task *task = &farm->tasks[i];
        if (!check_task(farm, i))
            return false;
        results += task->done + task->failed;
        unrunnable += task->unrunnable;
        cancelled += task->is_cancelled;
    }
    return check_slaves(farm) &&
           (farm->plan.audit_path == NULL || check_trail(farm, results, unrunnable, cancelled));
}

/* --mw-shutdown-timeout, and the time of one call of the loop. */
#define STOP_NS_MAX INT64_C(21000000000)

bool mwt_check_stopped(const struct mwt_farm *farm)
{
    size_t ended = 0;
    if (!farm->has_finished || farm->master_status != 0)
        return complain(farm, "the master ended badly", farm->master_status);
    for (size_t i = 0; i < farm->submitted_count; i++) {
        const struct mwt_farm_task *task = &farm->tasks[i];
        size_t times = task->done + task->failed + task->unrunnable + task->is_cancelled;
        if (times > 1 || task->is_wrong)
            return complain(farm, "a task came twice, or is wrong", (long long)i);
        ended += times;
    }
    if (ended + farm->left_count != farm->submitted_count)
        return complain(farm, "tasks are lost, or too many", (long long)farm->submitted_count);
    if (farm->is_given_up_while_waiting)
        return complain(farm, "a task that waited was given up", 0);
    if (farm->began_to_stop_ns > 0 && farm->stopped_ns - farm->began_to_stop_ns > STOP_NS_MAX)
        return complain(farm, "the stop took too long", farm->stopped_ns);
    return true;
}

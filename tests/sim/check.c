/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit trail is read back as text, as its users would: what it says was sent and received must
 * add up to what the master counted, and at no moment may a slave have more than a group. All tasks
 * are submitted at first, so that a task's number in the trail is its tag.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLAVES_MAX 4096
#define ATTEMPTS_MAX 3u

struct account {
    size_t sent, results, requeued, unrunnable;
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

static bool is_once(const struct mwt_farm *farm, size_t tag)
{
    return farm->plan.once_every > 0 && tag % farm->plan.once_every == 0;
}

static bool check_task(const struct mwt_farm *farm, size_t tag)
{
    const struct mwt_farm_task *task = &farm->tasks[tag];
    const struct mwt_farm_plan *plan = &farm->plan;
    bool must_fail = plan->failing_every > 0 && tag % plan->failing_every == 0;
    if (task->done + task->failed + task->unrunnable != 1)
        return complain(farm, "a task did not end exactly once", (long long)tag);
    if (task->is_wrong)
        return complain(farm, "a task has a value of another", (long long)tag);
    if (task->unrunnable == 0 && (task->failed > 0) != must_fail)
        return complain(farm, "a task failed, or did not, against its algorithm", (long long)tag);
    if (task->unrunnable > 0 && task->losses != (is_once(farm, tag) ? 1 : ATTEMPTS_MAX))
        return complain(farm, "an unrunnable task was given up too early or late", (long long)tag);
    return true;
}

static void hold(struct account *account, const struct mwt_farm *farm, unsigned sid, long change)
{
    if (sid >= SLAVES_MAX)
        return;
    account->held[sid] += change;
    if (account->held[sid] < 0 || account->held[sid] > farm->plan.task_group)
        account->is_exceeded = true;
}

static void read_line(struct account *account, const struct mwt_farm *farm, const char *line)
{
    const char *text = strstr(line, "[A] ");
    unsigned sid, count, tag, attempt;
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
    } else if (sscanf(text, "SLAVE-%u -> task %u of \"work\" requeued after attempt %u", &sid, &tag,
                      &attempt) == 3) {
        account->requeued++;
        hold(account, farm, sid, -1);
        if (attempt >= (is_once(farm, tag) ? 1 : ATTEMPTS_MAX))
            account->is_overtried = true;
    } else if (strstr(text, " is unrunnable: ") != NULL) {
        account->unrunnable++;
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

static bool check_trail(const struct mwt_farm *farm, size_t results, size_t unrunnable)
{
    struct account *account = calloc(1, sizeof *account);
    bool is_good = account != NULL && read_trail(account, farm);
    if (!is_good)
        complain(farm, "the trail cannot be read", 0);
    else if (account->results != results || account->unrunnable != unrunnable)
        is_good = complain(farm, "the trail counts other results than the master",
                           (long long)account->results);
    else if (account->sent != account->results + account->requeued + account->unrunnable)
        is_good = complain(farm, "the trail's tasks do not add up", (long long)account->sent);
    else if (account->is_exceeded)
        is_good = complain(farm, "a slave had more tasks than a group", 0);
    else if (account->is_overtried)
        is_good = complain(farm, "a task was tried again after its last attempt", 0);
    free(account);
    return is_good;
}

bool mwt_check_farm(const struct mwt_farm *farm)
{
    size_t results = 0, unrunnable = 0;
    if (!farm->has_finished)
        return complain(farm, "the farm has not finished in its time", farm->end_ns);
    if (farm->master_status != 0)
        return complain(farm, "the master ended badly", farm->master_status);
    for (size_t i = 0; i < farm->plan.tasks_count; i++) {
        if (!check_task(farm, i))
            return false;
        results += farm->tasks[i].done + farm->tasks[i].failed;
        unrunnable += farm->tasks[i].unrunnable;
    }
    if (farm->is_queue_exceeded)
        return complain(farm, "a slave held more than its groups allow", 0);
    return farm->plan.audit_path == NULL || check_trail(farm, results, unrunnable);
}

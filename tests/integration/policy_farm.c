/* SPDX-License-Identifier: Apache-2.0
 *
 * A farm whose master does the steps of its arguments, one after the other: policy_farm STEP...
 *
 *   allocate=N,GROUP      deallocate=N,GROUP  free=SLAVE-N  target=N
 *   policy=KEY:VALUE,...  sets the policy of later tasks, with the keys sid, anyway, retry,
 *                         attempts, priority and limit; missing keys have their defaults
 *   tag=TEXT              sets the tag of later tasks to bytes, with a NUL for each underscore
 *   task=NAME,ARGUMENT    submits a task; tasks are numbered from 0, which is their tag by default
 *   load=BYTES            submits a task with an argument of that size
 *   mix=N                 submits N tasks: for SLAVE-0, for SLAVE-1, for any slave, and so on
 *   cancel=NUMBER         cancels a task
 *   sent=                 serves the slaves until no task waits
 *   connected=N           serves the slaves until N ordered slaves have come in all
 *   slaves=N              serves the slaves until N ordered slaves are there
 *   take=N                serves the slaves until N tasks are finished
 *
 * Each event is a line on standard output. The exit status is 0 if all steps were done.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <mw/mw.h>

#define TASKS_MAX 256
#define TEXT_SIZE 64
#define TURN_S 0.1

/* The task algorithms. Each has a number as its argument. */

static void echo(mw_call *call)
{
    int64_t number;
    if (mw_call_args(call, "l", &number) == MW_OK)
        mw_call_return(call, "l", number);
}

/* Prints a line when it begins, and sleeps for its argument in milliseconds. */
static void nap(mw_call *call)
{
    int64_t ms;
    if (mw_call_args(call, "l", &ms) != MW_OK)
        return;
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    fprintf(stderr, "task runs, pid %ld\n", (long)getpid());
    while (nanosleep(&left, &left) != 0)
        ;
    mw_call_return(call, "l", ms);
}

/* Fills its argument in MiB of memory, prints a line, and keeps the memory for a minute. */
static void hoard(mw_call *call)
{
    int64_t count;
    struct timespec left = {.tv_sec = 60};
    if (mw_call_args(call, "l", &count) != MW_OK)
        return;
    size_t size = (size_t)count << 20;
    volatile unsigned char *memory = malloc(size);
    for (size_t i = 0; memory != NULL && i < size; i += 4096)
        memory[i] = 1;
    fprintf(stderr, "task has %d MiB\n", (int)count);
    nanosleep(&left, NULL);
    free((void *)memory);
}

/* Ends the slave by the signal that its argument names. */
static void crash(mw_call *call)
{
    int64_t number;
    if (mw_call_args(call, "l", &number) == MW_OK)
        raise((int)number);
}

static void weigh(mw_call *call)
{
    const void *data;
    size_t size;
    if (mw_call_args(call, "y", &data, &size) == MW_OK)
        mw_call_return(call, "l", (int64_t)size);
}

/* The master. */

struct farm {
    mw_master *master;
    mw_policy policy;
    char sid[TEXT_SIZE], tag[TEXT_SIZE];
    size_t tag_size;
    mw_task_id ids[TASKS_MAX];
    int tasks_count;
    size_t connected_count;
};

static void print_slaves(struct farm *farm)
{
    const char *sid;
    while ((sid = mw_master_next_connected(farm->master)) != NULL) {
        printf("connected %s\n", sid);
        farm->connected_count++;
    }
    while ((sid = mw_master_next_disconnected(farm->master)) != NULL)
        printf("disconnected %s\n", sid);
}

static bool serve(struct farm *farm)
{
    mw_master_counts counts;
    bool is_served = mw_master_loop_iterate(farm->master, TURN_S, &counts) == MW_OK;
    print_slaves(farm);
    return is_served;
}

static enum mw_group group_of(const char *value)
{
    return strstr(value, "ordered") != NULL && strstr(value, "unordered") == NULL ? MW_ORDERED
           : strstr(value, "intermingle") != NULL                                 ? MW_INTERMINGLE
                                                                                  : MW_UNORDERED;
}

static bool allocate(struct farm *farm, char *value)
{
    mw_master_allocate(farm->master, (size_t)atoi(value), group_of(value));
    return true;
}

static bool deallocate(struct farm *farm, char *value)
{
    mw_master_deallocate(farm->master, (size_t)atoi(value), group_of(value));
    return true;
}

static bool free_slave(struct farm *farm, char *value)
{
    return mw_master_free_slave(farm->master, value) == MW_OK;
}

static bool set_target(struct farm *farm, char *value)
{
    mw_master_set_target(farm->master, NULL, atoll(value));
    printf("target %lld pending %zu upto %lld\n", (long long)mw_master_target(farm->master, NULL),
           mw_master_pending(farm->master, NULL), (long long)mw_master_upto(farm->master, NULL));
    return true;
}

static mw_choice choice_of(const char *value)
{
    return strcmp(value, "yes") == 0 ? MW_YES : MW_NO;
}

static bool set_policy(struct farm *farm, char *value)
{
    farm->policy = (mw_policy){.sid = NULL};
    for (char *key; (key = strsep(&value, ",")) != NULL && *key != '\0';) {
        char *word = strchr(key, ':');
        if (word == NULL)
            return false;
        *word++ = '\0';
        if (strcmp(key, "sid") == 0) {
            snprintf(farm->sid, sizeof farm->sid, "%s", word);
            farm->policy.sid = farm->sid;
        } else if (strcmp(key, "anyway") == 0) {
            farm->policy.do_it_anyway = choice_of(word);
        } else if (strcmp(key, "retry") == 0) {
            farm->policy.retry = choice_of(word);
        } else if (strcmp(key, "attempts") == 0) {
            farm->policy.max_attempts = (unsigned)atoi(word);
        } else if (strcmp(key, "priority") == 0) {
            farm->policy.priority = atoi(word);
        } else if (strcmp(key, "limit") == 0) {
            farm->policy.time_limit_s = atof(word);
        } else {
            return false;
        }
    }
    return true;
}

static bool set_tag(struct farm *farm, char *value)
{
    farm->tag_size = (size_t)snprintf(farm->tag, sizeof farm->tag, "%s", value);
    for (char *at = farm->tag; (at = strchr(at, '_')) != NULL; at++)
        *at = '\0';
    return true;
}

/* The properties of a task, without its arguments. */
static mw_task next_task(const struct farm *farm, const char *algorithm)
{
    return (mw_task){.algorithm = algorithm,
                     .tag = farm->tasks_count,
                     .tag_data = farm->tag_size == 0 ? NULL : farm->tag,
                     .tag_size = farm->tag_size,
                     .policy = &farm->policy};
}

static bool keep_task(struct farm *farm, mw_error error)
{
    if (error != MW_OK || farm->tasks_count == TASKS_MAX)
        return false;
    farm->ids[farm->tasks_count++] = mw_master_last_task(farm->master);
    return true;
}

static bool submit(struct farm *farm, char *value)
{
    const char *algorithm = strsep(&value, ",");
    mw_task task = next_task(farm, algorithm);
    return keep_task(farm, mw_master_submit(farm->master, &task, "l",
                                            value == NULL ? (int64_t)0 : (int64_t)atoll(value)));
}

static bool submit_load(struct farm *farm, char *value)
{
    size_t size = (size_t)atoll(value);
    char *bytes = calloc(1, size);
    mw_task task = next_task(farm, "weigh");
    bool is_kept =
        bytes != NULL && keep_task(farm, mw_master_submit(farm->master, &task, "y", bytes, size));
    free(bytes);
    return is_kept;
}

static bool submit_mix(struct farm *farm, char *value)
{
    static const char *const sids[] = {"SLAVE-0", "SLAVE-1", NULL};
    bool is_kept = true;
    for (int i = 0; is_kept && i < atoi(value); i++) {
        farm->policy = (mw_policy){.sid = sids[i % 3]};
        mw_task task = next_task(farm, "echo");
        is_kept = keep_task(farm, mw_master_submit(farm->master, &task, "l", (int64_t)i));
    }
    return is_kept;
}

static bool cancel(struct farm *farm, char *value)
{
    mw_error error = mw_master_cancel(farm->master, farm->ids[atoi(value)]);
    printf("cancel %s: %s\n", value, mw_error_text(error));
    return true;
}

static bool await_sent(struct farm *farm, char *value)
{
    bool is_served = true;
    (void)value;
    while (is_served && mw_master_pending(farm->master, NULL) > 0)
        is_served = serve(farm);
    return is_served;
}

static bool await_connected(struct farm *farm, char *value)
{
    bool is_served = true;
    while (is_served && farm->connected_count < (size_t)atoi(value))
        is_served = serve(farm);
    return is_served;
}

static bool await_slaves(struct farm *farm, char *value)
{
    bool is_served = true;
    while (is_served && mw_master_num_slaves(farm->master) != (size_t)atoi(value))
        is_served = serve(farm);
    return is_served;
}

static void print_result(const mw_result *result)
{
    static const char *const outcomes[] = {"done", "failed", "unrunnable"};
    printf("task %lld %s by %s", (long long)result->tag, outcomes[result->outcome],
           result->sid == NULL ? "nobody" : result->sid);
    if (result->message != NULL)
        printf(": %s", result->message);
    if (result->tag_size > 0)
        printf(", tag");
    for (size_t i = 0; i < result->tag_size; i++)
        printf(" %02x", ((const unsigned char *)result->tag_data)[i]);
    putchar('\n');
}

static bool take(struct farm *farm, char *value)
{
    bool is_served = true;
    for (int count = 0; is_served && count < atoi(value);) {
        const mw_result *result = mw_master_next_result(farm->master);
        if (result == NULL)
            result = mw_master_next_unrunnable(farm->master);
        if (result == NULL) {
            is_served = serve(farm);
            continue;
        }
        print_result(result);
        count++;
    }
    return is_served;
}

static bool do_step(struct farm *farm, char *step)
{
    static const struct {
        const char *name;
        bool (*run)(struct farm *farm, char *value);
    } steps[] = {
        {"allocate", allocate},
        {"deallocate", deallocate},
        {"free", free_slave},
        {"target", set_target},
        {"policy", set_policy},
        {"tag", set_tag},
        {"task", submit},
        {"load", submit_load},
        {"mix", submit_mix},
        {"cancel", cancel},
        {"connected", await_connected},
        {"sent", await_sent},
        {"slaves", await_slaves},
        {"take", take},
    };
    char *value = strchr(step, '=');
    if (value == NULL)
        return false;
    *value++ = '\0';
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (strcmp(steps[i].name, step) == 0)
            return steps[i].run(farm, value);
    return false;
}

static int master(mw_master *self, int argc, char **argv)
{
    struct farm farm = {.master = self};
    for (int i = 1; i < argc; i++) {
        if (!do_step(&farm, argv[i])) {
            printf("farm: step %d, %s, is not done: %s\n", i, argv[i], mw_master_error(self));
            return 1;
        }
        print_slaves(&farm);
    }
    printf("farm: all steps are done, %zu tasks are left\n", mw_master_num_runnable_tasks(self));
    return 0;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"echo", echo},   {"nap", nap},     {"crash", crash},
                                              {"hoard", hoard}, {"weigh", weigh}, {0}};
    setvbuf(stdout, NULL, _IOLBF, 0);
    return mw_main(&(mw_program){.algorithms = algorithms, .master = master}, argc, argv);
}

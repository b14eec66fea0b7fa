/* SPDX-License-Identifier: Apache-2.0
 *
 * The farm of churn.py: churn_farm TASKS MICROSECONDS WINDOW
 *
 * Submits TASKS tasks that sleep for so long each, with at most WINDOW of them out at a time, and
 * prints the tag of each result. Each process that runs tasks appends a byte for each task that it
 * has finished, to a file named by its pid in the folder that CHURN_RUNS names. The master writes
 * its pid into the file that CHURN_MASTER names. Its last line says how many results an earlier
 * run had computed, by how much its memory has grown since a fifth of the results had come, and how
 * many descriptors it has left open. The status is 1 if a result is wrong.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <mw/mw.h>

/* More than a run of bad luck: each slave that dies may have had the same task. */
#define ATTEMPTS_MAX 255
#define TIME_LIMIT_S 1

struct ends {
    bool has_ended;
    int64_t replayed;
    long growth_kib;
    int64_t wrong;
};

/* Scatters the tags, so that a swapped or cut result cannot look right. */
static int64_t answer_of(int64_t tag)
{
    return (int64_t)((uint64_t)tag * UINT64_C(0x9e3779b97f4a7c15) >> 1);
}

static void note_end(void)
{
    const char *folder = getenv("CHURN_RUNS");
    char path[4096];
    if (folder == NULL)
        return;
    snprintf(path, sizeof path, "%s/%ld", folder, (long)getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1)
        perror(path);
    close(fd);
}

static void nap(mw_call *call)
{
    int64_t tag, microseconds;
    if (mw_call_args(call, "ll", &tag, &microseconds) != MW_OK)
        return;
    struct timespec left = {.tv_sec = microseconds / 1000000,
                            .tv_nsec = microseconds % 1000000 * 1000};
    while (nanosleep(&left, &left) != 0)
        ;
    mw_call_return(call, "l", answer_of(tag));
    note_end();
}

static long resident_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return kib;
}

static int count_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder != NULL && readdir(folder) != NULL)
        count++;
    if (folder != NULL)
        closedir(folder);
    return count;
}

/* Under another name first, so that a reader never sees half of it. */
static bool note_pid(void)
{
    const char *path = getenv("CHURN_MASTER");
    char next[4096];
    if (path == NULL)
        return true;
    snprintf(next, sizeof next, "%s.next", path);
    FILE *file = fopen(next, "we");
    if (file == NULL)
        return false;
    fprintf(file, "%ld\n", (long)getpid());
    return fclose(file) == 0 && rename(next, path) == 0;
}

static void take(mw_master *farm, const mw_result *result, struct ends *ends)
{
    int64_t answer;
    if (mw_result_get(result, "l", &answer) != MW_OK || answer != answer_of(result->tag)) {
        ends->wrong++;
        fprintf(stderr, "task %" PRId64 ": wrong: %s\n", result->tag,
                result->message == NULL ? mw_master_error(farm) : result->message);
    }
    ends->replayed += result->is_replayed;
    printf("%" PRId64 "\n", result->tag);
}

static int master(mw_master *farm, int argc, char **argv)
{
    static const mw_policy policy = {.max_attempts = ATTEMPTS_MAX, .time_limit_s = TIME_LIMIT_S};
    struct ends *ends = mw_master_user(farm);
    if (argc != 4 || !note_pid())
        return 2;
    int64_t tasks = atoll(argv[1]), microseconds = atoll(argv[2]), window = atoll(argv[3]);
    int64_t submitted = 0;
    long memory_kib = 0;
    for (int64_t taken = 0; taken < tasks; taken++) {
        for (; submitted < tasks && submitted < taken + window; submitted++)
            if (mw_master_submit(
                    farm, &(mw_task){.algorithm = "nap", .tag = submitted, .policy = &policy}, "ll",
                    submitted, microseconds) != MW_OK)
                return 1;
        const mw_result *result = mw_master_next(farm);
        if (result == NULL)
            return 1;
        take(farm, result, ends);
        if (taken == tasks / 5)
            memory_kib = resident_kib();
    }
    ends->has_ended = true;
    ends->growth_kib = resident_kib() - memory_kib;
    return 0;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"nap", nap}, {0}};
    struct ends ends = {0};
    int descriptors = count_descriptors();
    int status = mw_main(&(mw_program){.algorithms = algorithms, .master = master, .user = &ends},
                         argc, argv);
    if (ends.has_ended)
        printf("replayed %" PRId64 ", grown by %ld KiB, descriptors %d\n", ends.replayed,
               ends.growth_kib, count_descriptors() - descriptors);
    return status == 0 && ends.wrong > 0 ? 1 : status;
}

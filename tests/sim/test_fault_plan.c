/* SPDX-License-Identifier: Apache-2.0
 *
 * Farms with faults of all kinds, each drawn from a seed: `test_fault_plan [--seed FIRST]
 * [--seeds COUNT]`. fault_world.c says what is checked. A seed that has found a mistake becomes a
 * row of `found`.
 */
#include "fault_world.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mwt_run.h"

static struct {
    uint64_t first, count;
} seeds = {1, 500};

static struct mwt_fault_world world;

/* No seed breaks a promise, and the farms meet faults and replay results. */
static void test_seeds(void)
{
    unsigned failures = 0;
    size_t faults_count = 0, replayed_count = 0;
    for (uint64_t i = 0; i < seeds.count && failures < 5; i++) {
        struct mwt_fault_plan plan = mwt_fault_plan_draw(seeds.first + i);
        failures += !mwt_fault_world_run(&world, &plan);
        faults_count += world.faults_count;
        replayed_count += world.replayed_count;
    }

    printf("(%zu faults, %zu results replayed) ", faults_count, replayed_count);
    CU_ASSERT_EQUAL(failures, 0);
    CU_ASSERT(seeds.count < 20 || (faults_count > seeds.count && replayed_count > seeds.count));
}

/* Seeds that have found a mistake, and what it was. */
static const struct {
    const char *mistake;
    uint64_t seed;
} found[] = {
    {"a clock that jumped in a wait made the timers late by as much", 2446},
    {"the same, of a slave on probation", 4883},
    {"the same, with many tasks", 5254},
    {"a slave without memory for its results said goodbye, and its task ran twice", 6415},
    {"the same, while clocks jumped", 6565},
    {"the same, with a journal that holds such tasks back", 9681},
    {"the word that a task had begun was lost with its slave, and the task ran twice", 2078},
    {"the same, in other farms", 392},
    {"the same, of the first task of a slave", 2913},
    {"a new journal without its beginning, after a power cut, could not be opened", 7160},
    {"a new journal that was shorter than its beginning could not be opened", 140},
    {"the checks did not know that memory may be refused a while after the fault", 2032147},
    {"the faults had ended, and memory was refused to the master that started then", 2045897},
    {"the same, in another farm", 2084060},
    {"a journal that had failed forgot which results it had given, and an offer gave one again",
     3051719},
    {"the same, in another farm", 3178913},
};

static void test_found(void)
{
    for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
        struct mwt_fault_plan plan = mwt_fault_plan_draw(found[i].seed);
        bool is_right = mwt_fault_world_run(&world, &plan);
        if (!is_right)
            fprintf(stderr, "  (%s)\n", found[i].mistake);
        CU_ASSERT_TRUE(is_right);
    }
}

/* Plays a farm in a process of its own, and returns how many results were replayed. */
static size_t play_apart(uint64_t seed)
{
    int ends[2];
    size_t replayed_count = 0;
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct mwt_fault_plan plan = mwt_fault_plan_draw(seed);
        bool is_right = mwt_fault_world_run(&world, &plan);
        ssize_t size = write(ends[1], &world.replayed_count, sizeof world.replayed_count);
        _exit(is_right && size > 0 ? 0 : 1);
    }
    CU_ASSERT_EQUAL(read(ends[0], &replayed_count, sizeof replayed_count),
                    (ssize_t)sizeof replayed_count);
    CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
    close(ends[0]);
    close(ends[1]);
    return replayed_count;
}

/* A seed is the same farm in each process, also if clocks jump and slaves return: nothing of the
 * machine is in it, such as the number of the process. */
static void test_repeats(void)
{
    enum { SEED = 4 };
    size_t first = play_apart(SEED);

    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(play_apart(SEED), first);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        {"seeds that have found mistakes", test_found},
        {"a seed repeats itself", test_repeats},
        {"seeds", test_seeds},
        CU_TEST_INFO_NULL,
    };
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            seeds.first = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seeds") == 0)
            seeds.count = strtoull(argv[i + 1], NULL, 10);
    }
    return mwt_run("farms with faults of all kinds", tests);
}

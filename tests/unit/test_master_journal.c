/* SPDX-License-Identifier: Apache-2.0
 *
 * A master opens a journal that is a real file. The program's executable file counts by its bytes,
 * however the system cuts the reads of it; and texts of the journal are printable in sentences. A
 * task that is submitted ends with what the journal has, and the trail tells what is passed over,
 * with the time.
 */
#include "face/master_journal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <mw/embed.h>

#include "mwt_folder.h"
#include "mwt_run.h"
#include "record/disk_file.h"
#include "record/journal_open.h"

static size_t cut_bytes; /* no read returns more; 0: as the system likes */
static size_t cut_count;

/* Takes the place of the C library's, for this whole program. */
ssize_t read(int fd, void *buffer, size_t size)
{
    bool is_cut = cut_bytes > 0 && size > cut_bytes;
    cut_count += is_cut;
    if (is_cut && cut_count % 5 == 0) {
        errno = EINTR;
        return -1;
    }
    return syscall(SYS_read, fd, buffer, is_cut ? cut_bytes : size);
}

/* Opens a master with the journal, and closes it. *why is the sentence if there is one. */
static mw_error open_journal(const char *path, mw_reason *why)
{
    static const mw_algorithm algorithms[] = {{"none", NULL}, {NULL, NULL}};
    static const mw_program program = {.algorithms = algorithms};
    mw_options *options;
    mw_master *master;
    CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "quiet", "1"), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "journal", path), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "local", "0"), MW_OK);
    mw_error error = mw_master_open(&master, &program, options);
    snprintf(why->text, sizeof why->text, "%s", mw_options_error(options));
    if (error == MW_OK)
        mw_master_close(master);
    mw_options_destroy(options);
    return error;
}

/* The next run has the same executable file, though its reads are cut or interrupted. */
static void test_cut_reads(void)
{
    struct mwt_folder folder;
    mw_reason why;
    mwt_folder_create(&folder);
    CU_ASSERT_EQUAL_FATAL(open_journal(mwt_folder_file(&folder, "journal"), &why), MW_OK);

    for (cut_bytes = 1000; cut_bytes < 100000; cut_bytes *= 7) {
        cut_count = 0;
        CU_ASSERT_EQUAL(open_journal(mwt_folder_file(&folder, "journal"), &why), MW_OK);
        CU_ASSERT_TRUE(cut_count > 0);
    }

    cut_bytes = 0;
    mwt_folder_destroy(&folder);
}

/* Somebody has the journal: the sentence names the host that is in the file, escaped. */
static void test_host_of_holder(void)
{
    struct mwt_folder folder;
    struct mwi_journal *holder = NULL;
    struct mwi_journal_findings findings;
    mw_reason why;
    mwt_folder_create(&folder);
    const struct mwi_journal_settings settings = {
        .path = mwt_folder_file(&folder, "journal"),
        .api = &mwi_disk_file_api,
        .run = {.number = 1, .pid = 1, .host = {"far\x1b[2J\n", 8}}};
    CU_ASSERT_EQUAL_FATAL(mwi_journal_open(&holder, &settings, &findings, &why), MW_OK);
    uint64_t mark = mwi_journal_hurry(holder);
    struct pollfd disk = {.fd = mwi_journal_descriptor(holder), .events = POLLIN};
    while (!mwi_journal_is_durable(holder, mark))
        CU_ASSERT_EQUAL_FATAL(poll(&disk, 1, 60000), 1);

    CU_ASSERT_EQUAL(open_journal(settings.path, &why), MW_ESTATE);

    CU_ASSERT_PTR_NOT_NULL(
        strstr(why.text, "its last run is process 1 on far\\x1b[2J\\n; if that machine"));
    mwi_journal_close(holder);
    mwt_folder_destroy(&folder);
}

static int runs_count; /* of the task */

static void run_task(mw_call *call)
{
    runs_count++;
    (void)mw_call_return(call, "i", 7);
}

/* A master of such a program with a slave in this process, its journal, and its trail. */
static mw_master *open_farm_of(struct mwt_folder *folder, const mw_program *program)
{
    mw_options *options;
    mw_master *master = NULL;
    CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "local", "0"), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "quiet", "1"), MW_OK);
    const char *journal = mwt_folder_file(folder, "journal");
    CU_ASSERT_EQUAL(mw_options_set(options, "journal", journal), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "journal-accept", "1"), MW_OK);
    const char *trail = mwt_folder_file(folder, "trail");
    CU_ASSERT_EQUAL(mw_options_set(options, "audit-file", trail), MW_OK);
    CU_ASSERT_EQUAL_FATAL(mw_master_open(&master, program, options), MW_OK);
    mw_options_destroy(options);
    runs_count = 0;
    return master;
}

static mw_master *open_farm(struct mwt_folder *folder)
{
    static const mw_algorithm algorithms[] = {{"task", run_task}, {NULL, NULL}};
    static const mw_program program = {.algorithms = algorithms};
    return open_farm_of(folder, &program);
}

/* Runs a task, whose result must be right. Returns whether the journal had it. */
static bool do_task(mw_master *master)
{
    int value = 0;
    CU_ASSERT_EQUAL(mw_master_submit(master, &(mw_task){.algorithm = "task", .tag = 3}, ""), MW_OK);
    const mw_result *result = mw_master_next(master);
    CU_ASSERT_PTR_NOT_NULL_FATAL(result);
    CU_ASSERT_EQUAL(result->tag, 3);
    CU_ASSERT_EQUAL(mw_result_get(result, "i", &value), MW_OK);
    CU_ASSERT_EQUAL(value, 7);
    return result->is_replayed;
}

/* How often the trail has this text. */
static int count_in_trail(struct mwt_folder *folder, const char *text)
{
    char line[1000];
    int count = 0;
    FILE *trail = fopen(mwt_folder_file(folder, "trail"), "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(trail);
    while (fgets(line, sizeof line, trail) != NULL)
        count += strstr(line, text) != NULL;
    fclose(trail);
    return count;
}

/* A task ends with the recorded result, and runs when there is none left. */
static void test_submit(void)
{
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    mw_master *master = open_farm(&folder);
    CU_ASSERT_FALSE(do_task(master));
    mw_master_close(master);

    master = open_farm(&folder);
    CU_ASSERT_TRUE(do_task(master));
    CU_ASSERT_EQUAL(runs_count, 0);
    CU_ASSERT_FALSE(do_task(master));
    CU_ASSERT_EQUAL(runs_count, 1);
    mw_master_close(master);
    mwt_folder_destroy(&folder);
}

/* A program that submits before it asks for the checkpoint goes on without it. The trail tells so,
 * once. */
static void test_passed_over(void)
{
    const void *data;
    size_t size;
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    mw_master *master = open_farm(&folder);
    CU_ASSERT_FALSE(do_task(master));
    CU_ASSERT_EQUAL(mw_master_checkpoint(master, "state", 5), MW_OK);
    mw_master_close(master);

    master = open_farm(&folder);
    CU_ASSERT_TRUE(do_task(master));
    CU_ASSERT_FALSE(do_task(master));
    CU_ASSERT_FALSE(mw_master_restored(master, &data, &size));
    mw_master_close(master);

    CU_ASSERT_EQUAL(count_in_trail(&folder, "the checkpoint is passed over"), 1);
    mwt_folder_destroy(&folder);
}

/* Overwrites bytes of the journal from there on. */
static void spoil_journal(struct mwt_folder *folder, long offset)
{
    FILE *file = fopen(mwt_folder_file(folder, "journal"), "r+");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fseek(file, offset, SEEK_SET), 0);
    for (int i = 0; i < 1000; i++)
        fputc('?', file);
    fclose(file);
}

/* A file that changes behind the master's back: the task runs, and the trail tells why. */
static void test_changed_file(void)
{
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    mw_master *master = open_farm(&folder);
    CU_ASSERT_FALSE(do_task(master));
    mw_master_close(master);
    mw_master_close(open_farm(&folder)); /* begins a block, the last that is read below */

    master = open_farm(&folder);
    spoil_journal(&folder, 0);
    CU_ASSERT_FALSE(do_task(master));
    CU_ASSERT_EQUAL(runs_count, 1);
    mw_master_close(master);

    CU_ASSERT_EQUAL(count_in_trail(&folder, "has changed"), 1);
    mwt_folder_destroy(&folder);
}

static void submit(mw_master *master, const char *algorithm)
{
    CU_ASSERT_EQUAL(mw_master_submit(master, &(mw_task){.algorithm = algorithm}, ""), MW_OK);
}

/* A checkpoint that changes behind the master's back breaks the farm; none of its tasks is there,
 * though they lie before the bytes that are not sound. */
static void test_changed_checkpoint(void)
{
    static const char state[200000];
    struct mwt_folder folder;
    const void *data;
    size_t size;
    mwt_folder_create(&folder);
    mw_master *master = open_farm(&folder);
    submit(master, "task");
    submit(master, "task");
    CU_ASSERT_EQUAL(mw_master_checkpoint(master, state, sizeof state), MW_OK);
    mw_master_close(master);

    master = open_farm(&folder);
    spoil_journal(&folder, sizeof state / 2);
    CU_ASSERT_FALSE(mw_master_restored(master, &data, &size));

    CU_ASSERT_EQUAL(mw_master_status(master), MW_EIO);
    CU_ASSERT_EQUAL(master->engine.tasks.last_id, 0);
    mw_master_close(master);
    mwt_folder_destroy(&folder);
}

/* Tasks of an algorithm that the program has no more are dropped when a checkpoint is restored. The
 * trail tells how many, and does not count the task that had been handed out before. */
static void test_lost_algorithm(void)
{
    static const mw_algorithm algorithms[] = {{"task", run_task}, {"lost", run_task}, {NULL, NULL}};
    static const mw_program both = {.algorithms = algorithms};
    struct mwt_folder folder;
    const void *data;
    size_t size;
    mwt_folder_create(&folder);
    mw_master *master = open_farm_of(&folder, &both);
    submit(master, "lost");
    CU_ASSERT_EQUAL(mw_master_checkpoint(master, "state", 5), MW_OK);
    CU_ASSERT_PTR_NOT_NULL(mw_master_next(master));
    submit(master, "lost");
    submit(master, "task");
    submit(master, "lost");
    CU_ASSERT_EQUAL(mw_master_checkpoint(master, "state", 5), MW_OK);
    mw_master_close(master);

    master = open_farm(&folder);
    CU_ASSERT_TRUE(mw_master_restored(master, &data, &size));

    CU_ASSERT_EQUAL(master->engine.tasks.last_id, 1);
    mw_master_close(master);
    CU_ASSERT_EQUAL(count_in_trail(&folder, "has their algorithms no more: 2"), 1);
    mwt_folder_destroy(&folder);
}

/* How many lines of the trail are not of the time since `start`. */
static int count_old_lines(struct mwt_folder *folder, time_t start)
{
    char line[1000];
    int count = 0;
    FILE *trail = fopen(mwt_folder_file(folder, "trail"), "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(trail);
    while (fgets(line, sizeof line, trail) != NULL) {
        struct tm stamp = {.tm_isdst = -1};
        CU_ASSERT_EQUAL_FATAL(sscanf(line, "%d/%d/%d %d:%d:%d", &stamp.tm_mon, &stamp.tm_mday,
                                     &stamp.tm_year, &stamp.tm_hour, &stamp.tm_min, &stamp.tm_sec),
                              6);
        stamp.tm_mon--;
        stamp.tm_year -= 1900;
        count += mktime(&stamp) < start - 1;
    }
    fclose(trail);
    return count;
}

/* Records of what the program does before the first turn of the farm have the time of its calls: a
 * task is cancelled, and another one is unrunnable at once. */
static void test_times(void)
{
    static const mw_policy policy = {.sid = "SLAVE-77", .do_it_anyway = MW_NO};
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    mw_master *master = open_farm(&folder);
    time_t start = time(NULL);
    submit(master, "task");
    CU_ASSERT_EQUAL(mw_master_cancel(master, mw_master_last_task(master)), MW_OK);
    const mw_task ordered = {.algorithm = "task", .policy = &policy};
    CU_ASSERT_EQUAL(mw_master_submit(master, &ordered, ""), MW_OK);
    mw_master_close(master);

    CU_ASSERT_EQUAL(count_in_trail(&folder, "is cancelled"), 1);
    CU_ASSERT_EQUAL(count_in_trail(&folder, "unrunnable"), 1);
    CU_ASSERT_EQUAL(count_old_lines(&folder, start), 0);
    mwt_folder_destroy(&folder);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"cut reads", test_cut_reads},
        {"host of the holder", test_host_of_holder},
        {"submit", test_submit},
        {"passed over", test_passed_over},
        {"changed file", test_changed_file},
        {"changed checkpoint", test_changed_checkpoint},
        {"lost algorithm", test_lost_algorithm},
        {"times", test_times},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("master: journal", tests);
}

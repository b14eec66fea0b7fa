/* SPDX-License-Identifier: Apache-2.0
 *
 * The command mwjournal, as users call it, on journals that a farm has written, whole, damaged and
 * cut off.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include <jansson.h>

#include "mwt_folder.h"
#include "mwt_process.h"
#include "mwt_run.h"
#include "record/disk_file.h"
#include "record/journal_open.h"

#define TASKS "200"

static struct mwt_process *start(struct mwt_crew *crew, const char *command, const char *file)
{
    const char *argv[] = {MWT_MWJOURNAL, command, file, NULL};
    return mwt_start(crew, &(struct mwt_start){.argv = argv});
}

/* Runs mwjournal to its end, and checks its status, and that a part is in what it says. */
static void check(struct mwt_crew *crew, const char *command, const char *file, int status,
                  const char *part)
{
    struct mwt_process *process = start(crew, command, file);
    CU_ASSERT_EQUAL(mwt_await_end(process), status);
    const char *told = mwt_output(process, MWT_OUT), *complaint = mwt_output(process, MWT_ERR);
    CU_ASSERT(strstr(told, part) != NULL || strstr(complaint, part) != NULL);
}

/* Makes a journal of 200 results; returns its path. */
static const char *make_journal(struct mwt_crew *crew)
{
    const char *path = mwt_path(crew, "journal");
    struct mwt_process *farm =
        mwt_run_program(crew, MWT_MONTE_CARLO_PI, "--max-trial-sets", TASKS, "--trials", "10",
                        "--mw-local", "1", "--mw-quiet", "--mw-journal", path, NULL);
    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    return path;
}

/* A sound journal is described, and found sound. */
static void test_sound(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *path = make_journal(crew);

    check(crew, "info", path, 0, TASKS);
    check(crew, "info", path, 0, "--max-trial-sets " TASKS " --trials 10");
    check(crew, "verify", path, 0, "sound: " TASKS " results of 1 runs");
    mwt_crew_destroy(crew);
}

/* Texts of a journal are escaped for the terminal. */
static void test_escaped(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *path = mwt_path(crew, "journal");
    struct mwt_process *farm = mwt_run_program(crew, MWT_MONTE_CARLO_PI, "a\x1b[2J", "--mw-local",
                                               "1", "--mw-quiet", "--mw-journal", path, NULL);
    CU_ASSERT_NOT_EQUAL(mwt_await_end(farm), 0); /* it knows no such argument */

    check(crew, "info", path, 0, "arguments     a\\x1b[2J\n");
    mwt_crew_destroy(crew);
}

/* Adds an empty result of an algorithm with this name, which the journal borrows until it is
 * flushed. */
static void add_result(struct mwi_journal *journal, const char *name, uint64_t id)
{
    mwi_journal_add_result(journal, name, &(struct mwi_journal_result){.key = {id, id}, .id = id});
    mwi_journal_flush(journal);
}

/* A journal of more algorithms than `info` tells apart, two with long names that differ in the last
 * letter: each has its own results, and those of further ones are counted together. */
static void test_algorithms(void)
{
    char one[100], other[100], line[128];
    struct mwt_crew *crew = mwt_crew_create();
    struct mwi_journal *journal;
    struct mwi_journal_findings findings;
    mw_reason why;
    const struct mwi_journal_settings settings = {
        .path = mwt_path(crew, "journal"), .api = &mwi_disk_file_api, .run = {.number = 1}};
    CU_ASSERT_EQUAL_FATAL(mwi_journal_open(&journal, &settings, &findings, &why), MW_OK);
    snprintf(one, sizeof one, "%090d", 1);
    snprintf(other, sizeof other, "%090d", 2);
    add_result(journal, one, 1);
    add_result(journal, other, 2);
    for (uint64_t i = 3; i <= 70; i++) {
        char name[8];
        snprintf(name, sizeof name, "a%d", (int)i);
        add_result(journal, name, i);
    }
    uint64_t mark = mwi_journal_hurry(journal);
    struct pollfd disk = {.fd = mwi_journal_descriptor(journal), .events = POLLIN};
    while (!mwi_journal_is_durable(journal, mark))
        CU_ASSERT_EQUAL_FATAL(poll(&disk, 1, 60000), 1);
    mwi_journal_close(journal);

    snprintf(line, sizeof line, "\n  %s: 1 results", one);
    check(crew, "info", settings.path, 0, line);
    snprintf(line, sizeof line, "\n  %s: 1 results", other);
    check(crew, "info", settings.path, 0, line);
    check(crew, "info", settings.path, 0, "\n  a64: 1 results");
    check(crew, "info", settings.path, 0, "\n  (others): 6 results");
    mwt_crew_destroy(crew);
}

/* Standard output that cannot be written is told, whatever the command. */
static void test_full_output(void)
{
    const char *const commands[] = {"info", "verify", "export"};
    struct mwt_crew *crew = mwt_crew_create();
    const char *path = make_journal(crew);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        char line[512];
        snprintf(line, sizeof line, "%s %s %s >/dev/full", MWT_MWJOURNAL, commands[i], path);
        const char *argv[] = {"/bin/sh", "-c", line, NULL};
        struct mwt_process *process = mwt_start(crew, &(struct mwt_start){.argv = argv});
        CU_ASSERT_EQUAL(mwt_await_end(process), 1);
        CU_ASSERT_STRING_EQUAL(mwt_output(process, MWT_ERR),
                               "mwjournal: standard output cannot be written\n");
    }
    mwt_crew_destroy(crew);
}

/* Each line of the export is JSON. There is a line for the run, and one for each result, with its
 * values. */
static void test_export(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *process = start(crew, "export", make_journal(crew));
    CU_ASSERT_EQUAL(mwt_await_end(process), 0);
    int runs_count = 0, results_count = 0;
    for (const char *line = mwt_output(process, MWT_OUT); *line != '\0';) {
        const char *end = strchr(line, '\n');
        json_t *object = json_loadb(line, (size_t)(end - line), 0, NULL);
        const char *kind = json_string_value(json_object_get(object, "kind"));
        CU_ASSERT_PTR_NOT_NULL_FATAL(kind);
        runs_count += strcmp(kind, "run") == 0;
        if (strcmp(kind, "result") == 0) {
            results_count++;
            CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(object, "form")), "values");
            CU_ASSERT(json_array_size(json_object_get(object, "data")) > 0);
            CU_ASSERT_EQUAL(json_string_length(json_object_get(object, "key")), 32);
        }
        json_decref(object);
        line = end + 1;
    }
    CU_ASSERT_EQUAL(runs_count, 1);
    CU_ASSERT_EQUAL(results_count, atoi(TASKS));
    mwt_crew_destroy(crew);
}

/* The first line of the export with this kind, as JSON; NULL if there is none. The caller releases
 * it. */
static json_t *find_line(struct mwt_process *exporting, const char *kind)
{
    CU_ASSERT_EQUAL(mwt_await_end(exporting), 0);
    for (const char *line = mwt_output(exporting, MWT_OUT); *line != '\0';) {
        const char *end = strchr(line, '\n');
        json_t *object = json_loadb(line, (size_t)(end - line), 0, NULL);
        const char *its_kind = json_string_value(json_object_get(object, "kind"));
        if (its_kind != NULL && strcmp(its_kind, kind) == 0)
            return object;
        json_decref(object);
        line = end + 1;
    }
    return NULL;
}

/* A task that may not run twice is shown when it is sent. */
static void test_begun(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *path = mwt_path(crew, "journal");
    struct mwt_process *farm =
        mwt_run_program(crew, MWT_POLICY_FARM, "policy=retry:no", "task=nap,1", "take=1",
                        "--mw-local", "1", "--mw-quiet", "--mw-journal", path, NULL);
    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);

    json_t *begun = find_line(start(crew, "export", path), "begun");

    CU_ASSERT_EQUAL(json_integer_value(json_object_get(begun, "task")), 1);
    CU_ASSERT_EQUAL(json_string_length(json_object_get(begun, "run")), 16);
    CU_ASSERT_EQUAL(json_string_length(json_object_get(begun, "key")), 32);
    json_decref(begun);
    check(crew, "info", path, 0, "\nbegun         1\n");
    mwt_crew_destroy(crew);
}

/* So are tasks that are sent to a slave which may outlive its master. */
static void test_sent(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *path = mwt_path(crew, "journal"), *farm = mwt_path(crew, "farm.rsc");
    struct mwt_process *master =
        mwt_run_program(crew, MWT_MONTE_CARLO_PI, "--max-trial-sets", TASKS, "--trials", "10",
                        "--mw-master", "--mw-master-host", "127.0.0.1", "--mw-resource-file", farm,
                        "--mw-quiet", "--mw-reconnect", "5", "--mw-journal", path, NULL);
    struct mwt_process *slave =
        mwt_run_program(crew, MWT_MONTE_CARLO_PI, "--mw-slave", "--mw-resource-file", farm,
                        "--mw-reconnect", "5", "--mw-quiet", NULL);
    CU_ASSERT_EQUAL(mwt_await_end(master), 0);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);

    json_t *sent = find_line(start(crew, "export", path), "sent");

    json_t *parts = json_object_get(sent, "parts");
    CU_ASSERT_TRUE(json_array_size(parts) > 0);
    CU_ASSERT_EQUAL(json_string_length(json_array_get(parts, 0)), 16);
    json_decref(sent);
    check(crew, "info", path, 0, "\nsent          " TASKS "\n");
    mwt_crew_destroy(crew);
}

/* So are checkpoints, with the master's bytes and its tasks. */
static void test_checkpoints(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *path = mwt_path(crew, "journal");
    struct mwt_process *farm =
        mwt_run_program(crew, MWT_GENETIC, "--evaluations", "300", "--checkpoint-every", "50",
                        "--mw-local", "1", "--mw-quiet", "--mw-journal", path, NULL);
    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);

    json_t *checkpoint = find_line(start(crew, "export", path), "checkpoint");
    json_t *task = find_line(start(crew, "export", path), "task");
    json_t *gone = find_line(start(crew, "export", path), "gone");

    json_t *bytes = json_object_get(json_object_get(checkpoint, "data"), "base64");
    CU_ASSERT_TRUE(json_string_length(bytes) > 0);
    CU_ASSERT_TRUE(json_integer_value(json_object_get(task, "task")) > 0);
    CU_ASSERT_PTR_NOT_NULL(json_string_value(json_object_get(task, "fate")));
    CU_ASSERT_PTR_NOT_NULL(json_string_value(json_object_get(task, "algorithm")));
    CU_ASSERT_PTR_NOT_NULL(json_object_get(task, "data"));
    CU_ASSERT_TRUE(json_array_size(json_object_get(gone, "tasks")) > 0);
    json_decref(checkpoint);
    json_decref(task);
    json_decref(gone);
    mwt_crew_destroy(crew);
}

/* Changes the byte at this offset. */
static void flip(const char *path, long offset)
{
    FILE *file = fopen(path, "r+");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fseek(file, offset, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, offset, SEEK_SET);
    fputc(byte ^ 1, file);
    fclose(file);
}

static long size_of(const char *path)
{
    struct stat status;
    CU_ASSERT_EQUAL_FATAL(stat(path, &status), 0);
    return (long)status.st_size;
}

/* An end that is not whole may be damage, so verify says no; the next run cuts it off. A byte that
 * was changed is named by its offset; all behind it is still read. */
static void test_damage(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *path = make_journal(crew);
    CU_ASSERT_EQUAL(truncate(path, size_of(path) - 1), 0);
    check(crew, "verify", path, 1, "torn end");
    check(crew, "info", path, 0, "torn end");

    make_journal(crew);
    check(crew, "verify", path, 0, "of 2 runs");
    flip(path, 50);
    check(crew, "verify", path, 1, "damage        1 places, the first at offset 32");
    check(crew, "info", path, 0, "damage        1 places, the first at offset 32");
    check(crew, "export", path, 0, "{\"kind\":\"damage\",\"offset\":32}");
    check(crew, "info", path, 0, "runs          1");
    mwt_crew_destroy(crew);
}

/* A pipe, a device, and a path without a file are refused at once, and no command makes a file. */
static void test_no_file(void)
{
    const char *const commands[] = {"info", "verify", "export", "compact"};
    struct mwt_crew *crew = mwt_crew_create();
    const char *pipe = mwt_path(crew, "pipe"), *absent = mwt_path(crew, "absent");
    CU_ASSERT_EQUAL_FATAL(mkfifo(pipe, 0600), 0);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        check(crew, commands[i], pipe, 1, "pipe: it is no regular file");
        check(crew, commands[i], "/dev/zero", 1, "/dev/zero: it is no regular file");
        check(crew, commands[i], absent, 1, "absent: No such file or directory");
    }
    CU_ASSERT_NOT_EQUAL(access(absent, F_OK), 0);
    mwt_crew_destroy(crew);
}

/* A journal that was written anew is smaller, and has the same results. */
static void test_compact(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *path = make_journal(crew);
    make_journal(crew);
    make_journal(crew);
    long size = size_of(path);
    check(crew, "compact", path, 0, " bytes, were ");
    CU_ASSERT_TRUE(size > 2 * 65536 && size_of(path) < 65536);
    check(crew, "verify", path, 0, "sound: " TASKS " results");
    make_journal(crew);
    check(crew, "verify", path, 0, "sound: " TASKS " results");
    mwt_crew_destroy(crew);
}

/* A journal that is mostly of no use, here since each run begins a block, is written anew by the
 * next run. */
static void test_compacted_by_a_run(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *path = make_journal(crew);
    long largest = 0;
    for (int i = 0; i < 18; i++) {
        make_journal(crew);
        largest = size_of(path) > largest ? size_of(path) : largest;
    }
    CU_ASSERT_TRUE(largest > 1 << 20);
    CU_ASSERT_TRUE(size_of(path) < 1 << 18);
    check(crew, "verify", path, 0, "sound: " TASKS " results");
    mwt_crew_destroy(crew);
}

/* Wrong usage, and files that are no journals, are told in a sentence. */
static void test_refusals(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    check(crew, "inform", "/dev/null", 2, "unknown command; usage: mwjournal");
    check(crew, "info", NULL, 2, "a command and a file are needed");
    check(crew, "info", mwt_path(crew, "none"), 1, "No such file or directory");
    check(crew, "verify", "/dev/null", 1, "/dev/null: ");
    check(crew, "export", MWT_MWJOURNAL, 1, MWT_MWJOURNAL ": ");
    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"sound", test_sound},
        {"escaped", test_escaped},
        {"algorithms", test_algorithms},
        {"full output", test_full_output},
        {"export", test_export},
        {"begun", test_begun},
        {"sent", test_sent},
        {"checkpoints", test_checkpoints},
        {"damage", test_damage},
        {"no file", test_no_file},
        {"compact", test_compact},
        {"compacted_by_a_run", test_compacted_by_a_run},
        {"refusals", test_refusals},
        CU_TEST_INFO_NULL,
    };

    return mwt_run("mwjournal", tests);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit trails of hello_world: their lines on standard error and in files, as text and as
 * JSON, and the errors of files that cannot be written. A new record of the trail gets a line in
 * the expected trails.
 */
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "hello.h"
#include "mwt_folder.h"
#include "mwt_run.h"

/* Stamps and ports differ from run to run. These words stand for them in the expected lines. */
#define STAMP "TIME [A] "
#define STAMP_FORM "dd/dd/dddd dd:dd:dd "
#define LOOPBACK "127.0.0.1:"
/* Each task is in a message of its own, so that the trail is always the same. */
#define ONE_BY_ONE "--mw-slave-task-group", "1", "--mw-slave-result-group", "1"

/* Whether the text begins like the form, in which d is any digit. */
static bool has_form(const char *text, const char *form)
{
    for (; *form != '\0'; form++, text++)
        if (*form == 'd' ? !isdigit((unsigned char)*text) : *form != *text)
            return false;
    return true;
}

/* The trail with "TIME" for a stamp, "PORT" for a port, "PID" for a process id, and "FILE" for a
 * path. The caller frees it. */
static char *mask(const char *trail)
{
    char *masked = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&masked, &size);
    while (*trail != '\0') {
        bool is_start = ftell(stream) == 0 || trail[-1] == '\n';
        if (is_start && has_form(trail, STAMP_FORM)) {
            fputs("TIME ", stream);
            trail += strlen(STAMP_FORM);
        } else if (strncmp(trail, LOOPBACK, strlen(LOOPBACK)) == 0) {
            fputs(LOOPBACK "PORT", stream);
            trail += strlen(LOOPBACK);
            trail += strspn(trail, "0123456789");
        } else if (strncmp(trail, "pid ", 4) == 0) {
            fputs("pid PID", stream);
            trail += 4;
            trail += strspn(trail, "0123456789");
        } else if (strncmp(trail, " on ", 4) == 0) {
            fputs(" on HOST", stream);
            trail += 4 + strcspn(trail + 4, ")");
        } else if (strncmp(trail, "\"/", 2) == 0) {
            fputs("\"FILE\"", stream);
            trail += 1 + strcspn(trail + 1, "\"") + 1;
        } else {
            putc(*trail++, stream);
        }
    }
    fclose(stream);
    return masked;
}

/* Compares a masked trail with the expected lines: before the tasks, for each of the ten tasks, and
 * after. */
static void check_trail(const char *trail, const char *before, const char *task, const char *after)
{
    char *expected = NULL, *masked = mask(trail);
    size_t size = 0;
    FILE *stream = open_memstream(&expected, &size);
    fputs(before, stream);
    for (int i = 0; i < HELLO_TASKS_COUNT; i++)
        fputs(task, stream);
    fputs(after, stream);
    fclose(stream);
    CU_ASSERT_STRING_EQUAL(masked, expected);
    if (strcmp(masked, expected) != 0)
        fprintf(stderr, "\n--- expected:\n%s--- got:\n%s", expected, masked);
    free(masked);
    free(expected);
}

static const char master_before[] =
    STAMP "VERSION MW: Version " MW_VERSION_STRING "\n" STAMP
          "INIT MASTER \"default-member-id\"\n" MWT_WARNING(STAMP "MASTER ") STAMP
    "MASTER READY 127.0.0.1:PORT\n" STAMP "RESFILE Generated resource file: \"FILE\"\n" STAMP
    "NEW-CLIENT -> 127.0.0.1:PORT\n" STAMP "SLAVE-0 127.0.0.1:PORT -> [\"default-member-id\"] "
    ":connecting [:unordered] (pid PID on HOST)\n" STAMP "SLAVE-0 -> :idle\n";
static const char master_task[] = STAMP "SLAVE-0 <- 1 tasks\n" STAMP "SLAVE-0 -> :busy\n" STAMP
                                        "SLAVE-0 -> 1 results\n" STAMP "SLAVE-0 -> :idle\n";
static const char master_after[] = STAMP
    "SLAVE-0 <- TRY-SHUTDOWN\n" STAMP "SLAVE-0 -> :shutting-down\n" STAMP
    "SLAVE-0 -> :disconnected\n" STAMP "EOF -> 127.0.0.1:PORT\n" STAMP
    "RESFILE Generated resource file: \"FILE\"\n" STAMP "FINI SHUTDOWN \"default-member-id\"\n";
static const char slave_before[] =
    STAMP "RESFILE Loading resource file: \"FILE\"\n" STAMP "VERSION MW: Version " MW_VERSION_STRING
          "\n" STAMP "INIT SLAVE \"default-member-id\"\n" MWT_WARNING(STAMP "SLAVE ") STAMP
    "MASTER <- CONNECTED TO 127.0.0.1:PORT FROM 127.0.0.1:PORT\n" STAMP "MASTER -> ID SLAVE-0\n";
static const char slave_task[] =
    STAMP "MASTER -> 1 tasks (1 grouping)\n" STAMP "MASTER <- 1 results\n";
static const char slave_after[] =
    STAMP "MASTER -> SHUTDOWN\n" STAMP "MASTER -> CEOF\n" STAMP "EOF -> 127.0.0.1:PORT\n" STAMP
          "FINI MASTER-SHUTDOWN \"default-member-id\"\n";

/* A master or slave over TCP says this on standard error even if its trail is elsewhere. */
#define SAID_ALWAYS MWT_WARNING("hello_world: ")

/* Starts a master and a slave over TCP with the same options. A look for a resource file that is
 * not there yet leaves no line. */
struct pair {
    struct mwt_crew *crew;
    struct mwt_process *master, *slave;
};

static void run_pair(struct pair *pair, const char *option, const char *value, const char *more)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *file = mwt_path(crew, "m.rsc");
    *pair = (struct pair){.crew = crew};
    pair->master =
        mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-master", "--mw-master-host", "127.0.0.1",
                        "--mw-resource-file", file, ONE_BY_ONE, option, value, more, NULL);
    pair->slave = mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-slave", "--mw-resource-file", file,
                                  option, value, more, NULL);
    CU_ASSERT_EQUAL(mwt_await_end(pair->master), 0);
    CU_ASSERT_EQUAL(mwt_await_end(pair->slave), 0);
    check_hello(pair->master, 1, 0);
    check_hello(pair->slave, 0, 1);
}

/* The trails on standard error equal CL-MW's, line by line. */
static void test_lines(void)
{
    struct pair pair;

    run_pair(&pair, NULL, NULL, NULL);

    check_trail(mwt_output(pair.master, MWT_ERR), master_before, master_task, master_after);
    check_trail(mwt_output(pair.slave, MWT_ERR), slave_before, slave_task, slave_after);
    mwt_crew_destroy(pair.crew);
}

/* The trails show groups: ten tasks in one message, ten results in one. */
static void test_lines_of_groups(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm =
        mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-local", "1", "--mw-slave-task-group", "10",
                        "--mw-slave-result-group", "5", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    const char *trail = mwt_output(farm, MWT_ERR);
    CU_ASSERT_EQUAL(mwt_count(trail, "SLAVE-0 <- 10 tasks\n"), 1);
    CU_ASSERT_EQUAL(mwt_count(trail, "SLAVE-0 -> 5 results\n"), 2);
    CU_ASSERT_EQUAL(mwt_count(trail, "SLAVE-0 -> :busy\n"), 1);
    mwt_crew_destroy(crew);
}

/* A local farm has one trail, the master's, which shows its slaves' coming and going. */
static void test_local_lines(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm =
        mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-local", "1", ONE_BY_ONE, NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    char *trail = mask(mwt_output(farm, MWT_ERR));
    CU_ASSERT_EQUAL(mwt_count(trail, STAMP "MASTER started local slave, pid PID\n"), 1);
    CU_ASSERT_EQUAL(mwt_count(trail, STAMP "MASTER local slave, pid PID, exited with status 0\n"),
                    1);
    CU_ASSERT_EQUAL(mwt_count(trail, master_task), HELLO_TASKS_COUNT);
    CU_ASSERT_EQUAL(mwt_count(trail, "INIT"), 1);
    CU_ASSERT_EQUAL(mwt_count(trail, "\n"), mwt_count(trail, STAMP));
    free(trail);
    mwt_crew_destroy(crew);
}

static char *read_file(const char *path)
{
    char *text = mwt_file_read(path);
    CU_ASSERT_PTR_NOT_NULL(text);
    return text != NULL ? text : strdup("");
}

/* Each process writes the file whose name its node, process id, host and member id give. */
static void test_file_names(void)
{
    char host[HOST_NAME_MAX + 1] = "";
    struct pair pair;
    struct mwt_crew *crew = mwt_crew_create();
    gethostname(host, sizeof host - 1);

    run_pair(&pair, "--mw-audit-file", mwt_path(crew, "%n.%p.%h.%m.%%"), NULL);

    const char *master_file = mwt_path(crew, mwt_format(crew, "master.%ld.%s.default-member-id.%%",
                                                        (long)mwt_pid(pair.master), host));
    const char *slave_file = mwt_path(crew, mwt_format(crew, "SLAVE-0.%ld.%s.default-member-id.%%",
                                                       (long)mwt_pid(pair.slave), host));
    char *master_trail = read_file(master_file), *slave_trail = read_file(slave_file);
    check_trail(master_trail, master_before, master_task, master_after);
    check_trail(slave_trail, slave_before, slave_task, slave_after);
    CU_ASSERT_STRING_EQUAL(mwt_output(pair.master, MWT_ERR), SAID_ALWAYS);
    CU_ASSERT_STRING_EQUAL(mwt_output(pair.slave, MWT_ERR), SAID_ALWAYS);
    free(master_trail);
    free(slave_trail);
    mwt_crew_destroy(pair.crew);
    mwt_crew_destroy(crew);
}

/* The number of files in a folder whose name begins with `beginning`. */
static unsigned count_files(const char *folder, const char *beginning)
{
    unsigned count = 0;
    DIR *directory = opendir(folder);
    struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL)
        count += strncmp(entry->d_name, beginning, strlen(beginning)) == 0;
    if (directory != NULL)
        closedir(directory);
    return count;
}

/* Slaves of a local farm have their own trails if the file's name tells them apart. Otherwise there
 * is only the master's, and nothing is mixed into it. */
static void test_local_file_names(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *named =
        mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-local", "3", "--mw-audit-file",
                        mwt_path(crew, "named-%n"), NULL);
    struct mwt_process *numbered =
        mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-local", "3", "--mw-audit-file",
                        mwt_path(crew, "numbered-%p"), NULL);
    struct mwt_process *single =
        mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-local", "3", "--mw-audit-file",
                        mwt_path(crew, "single-%h"), NULL);

    CU_ASSERT_EQUAL(mwt_await_end(named), 0);
    CU_ASSERT_EQUAL(mwt_await_end(numbered), 0);
    CU_ASSERT_EQUAL(mwt_await_end(single), 0);
    const char *folder = mwt_path(crew, "");
    CU_ASSERT_EQUAL(count_files(folder, "named-"), 4);
    CU_ASSERT_EQUAL(access(mwt_path(crew, "named-master"), R_OK), 0);
    CU_ASSERT_EQUAL(access(mwt_path(crew, "named-SLAVE-0"), R_OK), 0);
    CU_ASSERT_EQUAL(count_files(folder, "numbered-"), 4);
    CU_ASSERT_EQUAL(count_files(folder, "single-"), 1);
    mwt_crew_destroy(crew);
}

/* The file is appended to. */
static void test_append(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *file = mwt_path(crew, "trail");

    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL(mwt_await_end(mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-local", "1",
                                                      "--mw-audit-file", file, NULL)),
                        0);

    char *trail = read_file(file);
    CU_ASSERT_EQUAL(mwt_count(trail, "INIT MASTER"), 2);
    CU_ASSERT_EQUAL(mwt_count(trail, "FINI SHUTDOWN"), 2);
    free(trail);
    mwt_crew_destroy(crew);
}

/* Checks that each line is a JSON object with a time, a subject and an event. Returns the number of
 * lines. */
static unsigned check_json(const char *trail, json_int_t *last_ns)
{
    unsigned count = 0;
    while (*trail != '\0') {
        size_t length = strcspn(trail, "\n");
        json_t *record = json_loadb(trail, length, JSON_REJECT_DUPLICATES, NULL);
        json_int_t time_ns = json_integer_value(json_object_get(record, "time_ns"));
        CU_ASSERT(json_is_object(record));
        CU_ASSERT(json_is_string(json_object_get(record, "subject")));
        CU_ASSERT(json_is_string(json_object_get(record, "event")));
        CU_ASSERT(time_ns >= *last_ns);
        *last_ns = time_ns;
        json_decref(record);
        trail += length + (trail[length] == '\n');
        count++;
    }
    return count;
}

/* The JSON trails have a record for each line of the text trails. */
static void test_json(void)
{
    json_int_t master_ns = INT64_C(1700000000) * 1000000000, slave_ns = master_ns;
    struct pair pair;

    run_pair(&pair, "--mw-audit-format", "json", NULL);

    const char *trail = mwt_output(pair.master, MWT_ERR);
    CU_ASSERT_EQUAL(check_json(trail, &master_ns),
                    mwt_count(master_before, "\n") + mwt_count(master_after, "\n") +
                        HELLO_TASKS_COUNT * mwt_count(master_task, "\n"));
    CU_ASSERT_EQUAL(mwt_count(trail, "\"event\":\"tasks-sent\",\"sid\":0,\"count\":1}"),
                    HELLO_TASKS_COUNT);
    trail = mwt_output(pair.slave, MWT_ERR);
    CU_ASSERT_EQUAL(check_json(trail, &slave_ns),
                    mwt_count(slave_before, "\n") + mwt_count(slave_after, "\n") +
                        HELLO_TASKS_COUNT * mwt_count(slave_task, "\n"));
    CU_ASSERT_EQUAL(mwt_count(trail, "\"event\":\"results-sent\""), HELLO_TASKS_COUNT);
    mwt_crew_destroy(pair.crew);
}

/* A full disk is a warning of each process, and the number of lost records at the end; the farm
 * does its work. */
static void test_full_disk(void)
{
    struct pair pair;

    run_pair(&pair, "--mw-audit-file", "/dev/full", NULL);
    struct mwt_process *local = mwt_run_program(pair.crew, MWT_HELLO_WORLD, "--mw-local", "2",
                                                "--mw-audit-file", "/dev/full", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(local), 0);
    struct mwt_process *processes[] = {pair.master, pair.slave, local};
    const char *before[] = {SAID_ALWAYS, SAID_ALWAYS, ""};
    for (size_t i = 0; i < 3; i++) {
        const char *said = mwt_output(processes[i], MWT_ERR);
        CU_ASSERT_EQUAL(mwt_count(said, "\n"), mwt_count(before[i], "\n") + 2);
        CU_ASSERT_PTR_NOT_NULL(strstr(said, "/dev/full: No space left on device"));
        CU_ASSERT_PTR_NOT_NULL(strstr(said, " records are lost\n"));
    }
    mwt_crew_destroy(pair.crew);
}

/* A limit on the size of files is the same as a full disk. */
static void test_file_size_limit(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *path = mwt_path(crew, "trail");

    struct mwt_process *farm = mwt_run_program(
        crew, "sh", "-c", "ulimit -f 1; exec \"$0\" --mw-local 2 --mw-audit-file \"$1\"",
        MWT_HELLO_WORLD, path, NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    check_hello(farm, 1, 2);
    const char *said = mwt_output(farm, MWT_ERR);
    CU_ASSERT_EQUAL(mwt_count(said, "\n"), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "trail: File too large; records are lost until it can"));
    mwt_crew_destroy(crew);
}

/* A file that cannot be opened is an error before anything runs. */
static void test_unwritable_file(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm =
        mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-local", "1", "--mw-audit-file",
                        mwt_path(crew, "none/trail"), NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 255);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "\n"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(farm, MWT_ERR), "none/trail: No such file"));
    CU_ASSERT_STRING_EQUAL(mwt_output(farm, MWT_OUT), "");
    mwt_crew_destroy(crew);
}

/* Quiet is silent while nothing goes wrong, but an audit file is still written. */
static void test_quiet(void)
{
    struct pair pair;
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *local =
        mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-local", "2", "--mw-quiet", NULL);
    run_pair(&pair, "--mw-audit-file", mwt_path(crew, "trail-%n"), "--mw-quiet");

    CU_ASSERT_EQUAL(mwt_await_end(local), 0);
    CU_ASSERT_STRING_EQUAL(mwt_output(local, MWT_ERR), "");
    CU_ASSERT_STRING_EQUAL(mwt_output(pair.master, MWT_ERR), SAID_ALWAYS);
    CU_ASSERT_STRING_EQUAL(mwt_output(pair.slave, MWT_ERR), SAID_ALWAYS);
    CU_ASSERT_EQUAL(access(mwt_path(crew, "trail-master"), R_OK), 0);
    CU_ASSERT_EQUAL(access(mwt_path(crew, "trail-SLAVE-0"), R_OK), 0);
    mwt_crew_destroy(pair.crew);
    mwt_crew_destroy(crew);
}

/* Quiet still tells of a lost slave and of an unrunnable task, and of nothing else. */
static void test_quiet_problems(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm = mwt_run_program(crew, MWT_FARM, "--mw-local", "1", "--mw-quiet",
                                               "crash,echo", "2", "1", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 3);

    const char *trail = mwt_output(farm, MWT_ERR);
    CU_ASSERT_PTR_NOT_NULL(strstr(trail, "SLAVE-0 (pid "));
    CU_ASSERT_PTR_NOT_NULL(strstr(trail, "of \"crash\" is unrunnable: "));
    CU_ASSERT_PTR_NULL(strstr(trail, "INIT"));
    CU_ASSERT_PTR_NULL(strstr(trail, " tasks"));
    mwt_crew_destroy(crew);
}

/* Level events has no record that comes with every message, and level none has no record. */
static void test_levels(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *events = mwt_run_program(crew, MWT_FARM, "--mw-local", "1",
                                                 "--mw-audit-level", "events", "echo", "5", NULL);
    struct mwt_process *none = mwt_run_program(
        crew, MWT_FARM, "--mw-local", "1", "--mw-audit-level=none", "crash,echo", "2", "1", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(events), 0);
    CU_ASSERT_EQUAL(mwt_await_end(none), 3);

    const char *trail = mwt_output(events, MWT_ERR);
    CU_ASSERT_PTR_NOT_NULL(strstr(trail, "SLAVE-0 -> :disconnected"));
    CU_ASSERT_PTR_NULL(strstr(trail, " tasks"));
    CU_ASSERT_PTR_NULL(strstr(trail, " results"));
    CU_ASSERT_PTR_NULL(strstr(trail, ":busy"));
    CU_ASSERT_STRING_EQUAL(mwt_output(none, MWT_ERR), "");
    mwt_crew_destroy(crew);
}

/* Each task has one line of JSON if that is asked for, though nothing else is. */
static void test_tasks(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm =
        mwt_run_program(crew, MWT_FARM, "--mw-local", "1", "--mw-audit-level", "none",
                        "--mw-audit-tasks", "nap:20,fail", "6", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 3);

    const char *trail = mwt_output(farm, MWT_ERR);
    CU_ASSERT_EQUAL(mwt_count(trail, "\n"), 6);
    CU_ASSERT_EQUAL(mwt_count(trail, "\"outcome\":\"failed\""), 3);
    for (const char *line = trail; *line != '\0'; line = strchr(line, '\n') + 1) {
        json_t *root = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
        double submitted, sent, begun, ended, seconds;
        CU_ASSERT_EQUAL_FATAL(json_unpack(root, "{s:f s:f s:f s:f s:f}", "submitted", &submitted,
                                          "sent", &sent, "begun", &begun, "ended", &ended,
                                          "seconds", &seconds),
                              0);
        CU_ASSERT_TRUE(submitted <= sent && sent <= begun && begun <= ended);
        CU_ASSERT_TRUE(seconds >= 0.02 ||
                       strstr(json_string_value(json_object_get(root, "algorithm")), "fail") !=
                           NULL);
        json_decref(root);
    }
    mwt_crew_destroy(crew);
}

/* Times of text have milliseconds if that is asked for. */
static void test_milliseconds(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm =
        mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-local", "1", "--mw-audit-time", "ms", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);

    CU_ASSERT_TRUE(has_form(mwt_output(farm, MWT_ERR), "dd/dd/dddd dd:dd:dd.ddd [A] "));
    mwt_crew_destroy(crew);
}

/* Records reach the file while nothing else happens, not only with the next record. */
static void test_promptness(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm = mwt_run_program(
        crew, MWT_FARM, "--mw-local", "1", "--mw-shutdown-timeout", "0", "doze:60000", "1", NULL);

    mwt_await_line(farm, MWT_ERR, "SLAVE-0 <- 1 tasks");
    mwt_await_line(farm, MWT_ERR, "SLAVE-0 -> :busy");

    mwt_kill(farm, SIGTERM);
    CU_ASSERT_EQUAL(mwt_await_end(farm), 128 + SIGTERM);
    mwt_crew_destroy(crew);
}

/* Control characters in a quoted argument do not reach the terminal. */
static void test_printable_errors(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm =
        mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-local", "1", "--mw-audit-file",
                        mwt_path(crew, "none/\033[2J\xff\xe2\x80\xae\xc3\xa4"), NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 255);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(farm, MWT_ERR), "none/?[2J????\xc3\xa4: "));
    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"lines", test_lines},
        {"lines of groups", test_lines_of_groups},
        {"local lines", test_local_lines},
        {"file names", test_file_names},
        {"local file names", test_local_file_names},
        {"append", test_append},
        {"json", test_json},
        {"full disk", test_full_disk},
        {"file size limit", test_file_size_limit},
        {"unwritable file", test_unwritable_file},
        {"printable errors", test_printable_errors},
        {"quiet", test_quiet},
        {"problems of a quiet farm", test_quiet_problems},
        {"levels", test_levels},
        {"tasks", test_tasks},
        {"milliseconds", test_milliseconds},
        {"promptness", test_promptness},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("audit", tests);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the audit trail goes: names of files, lines that wait for a name, system calls, full disks
 * and closed pipes. Standard error is replaced during a test that looks at it.
 */
#include "record/audit_file.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include <CUnit/Basic.h>
#include <jansson.h>

#include "mwt_folder.h"
#include "mwt_run.h"

#define NS_PER_S INT64_C(1000000000)
/* 11/22/2026 18:30:18 in UTC. */
#define WALL_S INT64_C(1795372218)
#define STAMP "11/22/2026 18:30:18"
#define CEOF_LINE STAMP " [A] MASTER -> CEOF\n"
#define SHUTDOWN_LINE STAMP " [A] MASTER -> SHUTDOWN\n"

static const struct mwi_audit_record ceof_record = {.kind = MWI_AUDIT_CEOF};
static const struct mwi_audit_record shutdown_record = {.kind = MWI_AUDIT_SHUTDOWN};

static struct mwi_audit_settings settings_for(const char *pattern)
{
    return (struct mwi_audit_settings){
        .pattern = pattern,
        .member_id = "default-member-id",
        .is_simulated = true,
    };
}

static struct mwi_audit_file *open_trail(const struct mwi_audit_settings *settings)
{
    struct mwi_audit_file *file = NULL;
    mw_reason why = {""};
    CU_ASSERT_EQUAL_FATAL(mwi_audit_file_open(&file, settings, &why), MW_OK);
    mwi_audit_file_set_offset(file, WALL_S * NS_PER_S);
    return file;
}

static struct mwi_audit_file *open_pattern(const char *pattern)
{
    struct mwi_audit_settings settings = settings_for(pattern);
    return open_trail(&settings);
}

static void check_file(const char *path, const char *expected)
{
    char *text = mwt_file_read(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_STRING_EQUAL(text, expected);
    free(text);
}

static unsigned count_lines(const char *text, const char *line)
{
    unsigned count = 0;
    for (; *text != '\0'; text += strlen(line), count++) {
        if (strncmp(text, line, strlen(line)) != 0)
            return 0;
    }
    return count;
}

/* Makes `fd` standard error and returns what was it before. */
static int replace_stderr(int fd)
{
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    CU_ASSERT_TRUE_FATAL(saved >= 0 && dup2(fd, STDERR_FILENO) == STDERR_FILENO);
    return saved;
}

static void restore_stderr(int saved)
{
    dup2(saved, STDERR_FILENO);
    close(saved);
}

/* Makes a pair of ends where one read gives what one write put in, the second end being standard
 * error from now on. */
static int open_packets(int ends[2])
{
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    return replace_stderr(ends[1]);
}

static void close_packets(int ends[2], int saved)
{
    restore_stderr(saved);
    close(ends[0]);
    close(ends[1]);
}

/* The next packet as a string, "" if there is none. */
static const char *next_packet(int fd, char *text, size_t size)
{
    ssize_t length = recv(fd, text, size - 1, MSG_DONTWAIT);
    text[length > 0 ? length : 0] = '\0';
    return text;
}

/* %n, %p, %h, %m and %% stand for what they should, and the file has mode 0644. */
static void test_patterns(void)
{
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    mode_t mask = umask(022);
    char host[256] = "";
    CU_ASSERT_EQUAL(gethostname(host, sizeof host - 1), 0);
    char expected[768];
    snprintf(expected, sizeof expected, "%s/a-SLAVE-3-%ld-%s-team_x_.%%-%ld", folder.path,
             (long)getpid(), host, (long)getpid());
    struct mwi_audit_settings settings =
        settings_for(mwt_folder_file(&folder, "a-%n-%p-%h-%m.%%-%p"));
    settings.node = "SLAVE-3";
    settings.member_id = "team/x/";

    struct mwi_audit_file *file = open_trail(&settings);
    mwi_audit_file_close(file);

    struct stat status;
    CU_ASSERT_EQUAL(stat(expected, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0777, 0644);
    umask(mask);
    mwt_folder_destroy(&folder);
}

/* A pattern with something else behind a % is refused by name, and no file is made. */
static void test_unknown_patterns(void)
{
    static const char *const names[] = {"%x", "a%", "%n-%P", "%%%"};
    struct mwt_folder folder;
    mwt_folder_create(&folder);

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct mwi_audit_settings settings = settings_for(mwt_folder_file(&folder, names[i]));
        struct mwi_audit_file *file = NULL;
        mw_reason why = {""};
        CU_ASSERT_EQUAL(mwi_audit_file_open(&file, &settings, &why), MW_EUSAGE);
        CU_ASSERT_PTR_NULL(file);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "--mw-audit-file"));
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, names[i]));
    }

    CU_ASSERT_EQUAL(mwt_folder_files(&folder, 0), 0);
    mwt_folder_destroy(&folder);
}

/* A file that cannot be opened is an error that names the option, the path and the reason. */
static void test_unwritable_file(void)
{
    static const struct {
        const char *path;
        const char *reason;
    } cases[] = {
        {"/nonexistent-folder/audit", "No such file or directory"},
        {"/tmp", "Is a directory"},
        {"", "No such file or directory"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mwi_audit_settings settings = settings_for(cases[i].path);
        struct mwi_audit_file *file = NULL;
        mw_reason why = {""};
        CU_ASSERT_EQUAL(mwi_audit_file_open(&file, &settings, &why), MW_EIO);
        CU_ASSERT_PTR_NULL(file);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "--mw-audit-file"));
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, cases[i].path));
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, cases[i].reason));
    }
}

/* Lines from before the name is known are in the file, first; a second name changes nothing. */
static void test_deferred_name(void)
{
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    struct mwi_audit_file *file = open_pattern(mwt_folder_file(&folder, "%n.txt"));

    mwi_audit_file_write(file, &ceof_record);
    mwi_audit_file_flush(file);
    CU_ASSERT_NOT_EQUAL(mwi_audit_file_kinds(file), 0);
    CU_ASSERT_EQUAL(mwt_folder_files(&folder, 0), 0);
    mwi_audit_file_name(file, "SLAVE-7");
    mwi_audit_file_write(file, &shutdown_record);
    mwi_audit_file_name(file, "SLAVE-8");
    mwi_audit_file_flush(file);

    check_file(mwt_folder_file(&folder, "SLAVE-7.txt"), CEOF_LINE SHUTDOWN_LINE);
    CU_ASSERT_EQUAL(mwt_folder_files(&folder, 0), 1);
    mwi_audit_file_close(file);
    mwt_folder_destroy(&folder);
}

/* The file of a slave that never learned its name, in the folder. */
static const char *nameless_file(struct mwt_folder *folder)
{
    char host[256] = "", name[300];
    gethostname(host, sizeof host - 1);
    snprintf(name, sizeof name, "slave-%s-%ld.txt", host, (long)getpid());
    return mwt_folder_file(folder, name);
}

/* A slave that never learned its name leaves its trail under one of its own; one without a line
 * leaves nothing. */
static void test_close_without_name(void)
{
    struct mwt_folder folder;
    mwt_folder_create(&folder);

    mwi_audit_file_close(open_pattern(mwt_folder_file(&folder, "%n.txt")));
    CU_ASSERT_EQUAL(mwt_folder_files(&folder, 0), 0);
    struct mwi_audit_file *file = open_pattern(mwt_folder_file(&folder, "%n.txt"));
    mwi_audit_file_write(file, &ceof_record);
    mwi_audit_file_close(file);

    check_file(nameless_file(&folder), CEOF_LINE);
    mwt_folder_destroy(&folder);
}

/* The memory for records that wait for a name is bounded: beyond it they are written without the
 * name, and none is lost. */
static void test_full_buffer_without_name(void)
{
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    struct mwi_audit_file *file = open_pattern(mwt_folder_file(&folder, "%n.txt"));

    for (int i = 0; i < 3000; i++)
        mwi_audit_file_write(file, &ceof_record);
    mwi_audit_file_name(file, "SLAVE-7");
    mwi_audit_file_close(file);

    char *text = mwt_file_read(nameless_file(&folder));
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL(count_lines(text, CEOF_LINE), 3000);
    CU_ASSERT_EQUAL(mwt_folder_files(&folder, 0), 1);
    free(text);
    mwt_folder_destroy(&folder);
}

/* If the file cannot be opened once its name is known, there is one warning and no trail. */
static void test_unwritable_deferred_name(void)
{
    int ends[2];
    char text[1024];
    int saved = open_packets(ends);
    struct mwi_audit_file *file = open_pattern("/nonexistent-folder/%n");

    mwi_audit_file_write(file, &ceof_record);
    mwi_audit_file_name(file, "SLAVE-7");
    mwi_audit_file_write(file, &ceof_record);
    mwi_audit_file_flush(file);
    bool is_wanted = mwi_audit_file_kinds(file) != 0;
    mwi_audit_file_close(file);

    CU_ASSERT_FALSE(is_wanted);
    CU_ASSERT_STRING_EQUAL(next_packet(ends[0], text, sizeof text),
                           "mw: --mw-audit-file /nonexistent-folder/SLAVE-7: No such file or "
                           "directory; there is no audit trail, the farm goes on\n");
    CU_ASSERT_STRING_EQUAL(next_packet(ends[0], text, sizeof text), "");
    close_packets(ends, saved);
}

/* The file keeps its contents, and two trails may share it. */
static void test_append(void)
{
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    mwt_file_write(mwt_folder_file(&folder, "a"), "first\n");

    struct mwi_audit_file *one = open_pattern(folder.file);
    struct mwi_audit_file *two = open_pattern(folder.file);
    mwi_audit_file_write(one, &ceof_record);
    mwi_audit_file_write(two, &shutdown_record);
    mwi_audit_file_flush(two);
    mwi_audit_file_flush(one);
    mwi_audit_file_write(two, &ceof_record);
    mwi_audit_file_close(two);
    mwi_audit_file_close(one);

    check_file(folder.file, "first\n" SHUTDOWN_LINE CEOF_LINE CEOF_LINE);
    mwt_folder_destroy(&folder);
}

/* Calls on a full disk go on as if nothing had happened, with a warning at the first and the last.
 */
static void test_full_disk(void)
{
    int ends[2];
    char text[1024];
    int saved = open_packets(ends);
    struct mwi_audit_file *file = open_pattern("/dev/full");
    bool was_wanted = mwi_audit_file_kinds(file) != 0;

    for (int i = 0; i < 5000; i++) {
        mwi_audit_file_write(file, &ceof_record);
        if (i % 10 == 0)
            mwi_audit_file_flush(file);
    }
    bool is_wanted = mwi_audit_file_kinds(file) != 0;
    mwi_audit_file_name(file, "master");
    mwi_audit_file_close(file);

    CU_ASSERT_TRUE(was_wanted);
    CU_ASSERT_TRUE(is_wanted);
    CU_ASSERT_STRING_EQUAL(next_packet(ends[0], text, sizeof text),
                           "mw: audit file /dev/full: No space left on device; records are lost "
                           "until it can be written, the farm goes on\n");
    CU_ASSERT_STRING_EQUAL(next_packet(ends[0], text, sizeof text),
                           "mw: audit file /dev/full: the last 5000 records are lost\n");
    CU_ASSERT_STRING_EQUAL(next_packet(ends[0], text, sizeof text), "");
    close_packets(ends, saved);
}

static void write_at(struct mwi_audit_file *file, double seconds)
{
    struct mwi_audit_record record = ceof_record;
    record.time_ns = (int64_t)(seconds * 1e9);
    mwi_audit_file_write(file, &record);
    mwi_audit_file_flush(file);
}

/* A trail that could not be written goes on as soon as it can, and says how many records are
 * missing. It is tried once a second. */
static void test_recovery(void)
{
    struct mwt_folder folder;
    int ends[2];
    char text[1024], link[400];
    mwt_folder_create(&folder);
    snprintf(link, sizeof link, "%s", mwt_folder_file(&folder, "link"));
    CU_ASSERT_EQUAL_FATAL(symlink("/dev/full", link), 0);
    int saved = open_packets(ends);
    struct mwi_audit_file *file = open_pattern(link);
    size_t room = 65536 / strlen(CEOF_LINE);

    for (size_t i = 0; i < room + 100; i++)
        write_at(file, 0);
    CU_ASSERT_EQUAL(unlink(link), 0);
    CU_ASSERT_EQUAL(symlink(mwt_folder_file(&folder, "a"), link), 0);
    write_at(file, 0.9);
    CU_ASSERT_NOT_EQUAL(access(folder.file, F_OK), 0);
    write_at(file, 1.1);
    write_at(file, 1.2);
    mwi_audit_file_close(file);

    char *trail = mwt_file_read(mwt_folder_file(&folder, "a"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(trail);
    const char *lost = strstr(trail, " [A] AUDIT ");
    CU_ASSERT_PTR_NOT_NULL_FATAL(lost);
    size_t lost_count = strtoul(lost + strlen(" [A] AUDIT "), NULL, 10);
    size_t lines_count = 0;
    for (const char *at = trail; *at != '\0'; at++)
        lines_count += *at == '\n';
    CU_ASSERT_TRUE(lost_count > 100);
    CU_ASSERT_EQUAL(lost_count + lines_count - 1, room + 100 + 3);
    CU_ASSERT_PTR_NOT_NULL(strstr(next_packet(ends[0], text, sizeof text), "No space left"));
    CU_ASSERT_STRING_EQUAL(next_packet(ends[0], text, sizeof text), "");
    free(trail);
    close_packets(ends, saved);
    mwt_folder_destroy(&folder);
}

/* Lines go out together, in one system call a flush, and none before. */
static void test_flush_is_one_write(void)
{
    int ends[2];
    char text[1024];
    int saved = open_packets(ends);
    struct mwi_audit_file *file = open_pattern(NULL);

    mwi_audit_file_write(file, &ceof_record);
    mwi_audit_file_write(file, &shutdown_record);
    CU_ASSERT_STRING_EQUAL(next_packet(ends[0], text, sizeof text), "");
    mwi_audit_file_flush(file);
    mwi_audit_file_flush(file);
    mwi_audit_file_write(file, &ceof_record);
    mwi_audit_file_close(file);

    CU_ASSERT_STRING_EQUAL(next_packet(ends[0], text, sizeof text), CEOF_LINE SHUTDOWN_LINE);
    CU_ASSERT_STRING_EQUAL(next_packet(ends[0], text, sizeof text), CEOF_LINE);
    CU_ASSERT_STRING_EQUAL(next_packet(ends[0], text, sizeof text), "");
    CU_ASSERT_TRUE(fcntl(STDERR_FILENO, F_GETFD) >= 0);
    close_packets(ends, saved);
}

/* A buffer that is full is written without a flush, in whole lines. */
static void test_full_buffer(void)
{
    int ends[2];
    static char text[70000];
    int saved = open_packets(ends);
    struct mwi_audit_file *file = open_pattern(NULL);

    unsigned written = 0, seen = 0;
    while (seen == 0 && written < 70000 / strlen(CEOF_LINE)) {
        mwi_audit_file_write(file, &ceof_record);
        written++;
        seen = count_lines(next_packet(ends[0], text, sizeof text), CEOF_LINE);
    }

    CU_ASSERT_TRUE(seen * strlen(CEOF_LINE) > 64000);
    CU_ASSERT_EQUAL(seen, written - 1);
    mwi_audit_file_close(file);
    close_packets(ends, saved);
}

/* Reads all that comes, slowly enough by its small buffer that the writer has to wait. */
static void *read_all(void *argument)
{
    int fd = *(int *)argument;
    char *all = calloc(1, 400000);
    size_t used = 0;
    ssize_t length = 1;
    while (all != NULL && length > 0 && used + 500 < 400000) {
        length = read(fd, all + used, 499);
        used += length > 0 ? (size_t)length : 0;
    }
    return all;
}

/* A pipe that takes little at a time and does not wait loses nothing. */
static void test_short_writes(void)
{
    int ends[2];
    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC), 0);
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    pthread_t reader;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&reader, NULL, read_all, &ends[0]), 0);
    int saved = replace_stderr(ends[1]);
    struct mwi_audit_file *file = open_pattern(NULL);

    for (int i = 0; i < 5000; i++)
        mwi_audit_file_write(file, &ceof_record);
    mwi_audit_file_close(file);

    restore_stderr(saved);
    close(ends[1]);
    void *all = NULL;
    pthread_join(reader, &all);
    CU_ASSERT_PTR_NOT_NULL_FATAL(all);
    CU_ASSERT_EQUAL(count_lines(all, CEOF_LINE), 5000);
    free(all);
    close(ends[0]);
}

/* When nobody reads standard error any more, the trail ends in silence. */
static void test_closed_pipe(void)
{
    signal(SIGPIPE, SIG_IGN);
    int ends[2];
    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC), 0);
    int saved = replace_stderr(ends[1]);
    close(ends[0]);
    struct mwi_audit_file *file = open_pattern(NULL);

    mwi_audit_file_write(file, &ceof_record);
    mwi_audit_file_flush(file);
    bool is_wanted = mwi_audit_file_kinds(file) != 0;
    mwi_audit_file_write(file, &ceof_record);
    mwi_audit_file_close(file);

    restore_stderr(saved);
    close(ends[1]);
    CU_ASSERT_FALSE(is_wanted);
}

/* A trail has the records of its level only, and one of level none has no file. */
static void test_levels(void)
{
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    const struct mwi_audit_record sent = {.kind = MWI_AUDIT_TASKS_SENT, .count = 3};
    struct mwi_audit_settings settings = settings_for(mwt_folder_file(&folder, "a"));
    settings.level = MWI_AUDIT_LEVEL_NONE;
    struct mwi_audit_file *nowhere = open_trail(&settings);
    CU_ASSERT_EQUAL(mwi_audit_file_kinds(nowhere), 0);
    mwi_audit_file_write(nowhere, &ceof_record);
    mwi_audit_file_close(nowhere);
    CU_ASSERT_NOT_EQUAL(access(folder.file, F_OK), 0);

    settings.level = MWI_AUDIT_LEVEL_EVENTS;
    struct mwi_audit_file *somewhere = open_trail(&settings);
    CU_ASSERT_EQUAL(mwi_audit_file_kinds(somewhere), mwi_audit_kinds(MWI_AUDIT_LEVEL_EVENTS));
    mwi_audit_file_write(somewhere, &ceof_record);
    mwi_audit_file_write(somewhere, &sent);
    mwi_audit_file_close(somewhere);

    check_file(folder.file, CEOF_LINE);
    mwt_folder_destroy(&folder);
}

/* In JSON each line is an object, and its time is the record's moved to 1970. */
static void test_json_lines(void)
{
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    struct mwi_audit_settings settings = settings_for(mwt_folder_file(&folder, "a"));
    settings.is_json = true;
    struct mwi_audit_file *file = open_trail(&settings);
    struct mwi_audit_record record = ceof_record;

    for (record.time_ns = 0; record.time_ns < 100; record.time_ns++)
        mwi_audit_file_write(file, &record);
    mwi_audit_file_close(file);

    char *text = mwt_file_read(folder.file);
    int64_t count = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"), count++) {
        json_t *root = json_loads(line, 0, NULL);
        CU_ASSERT_EQUAL(json_integer_value(json_object_get(root, "time_ns")),
                        WALL_S * NS_PER_S + count);
        json_decref(root);
    }
    CU_ASSERT_EQUAL(count, 100);
    free(text);
    mwt_folder_destroy(&folder);
}

/* The stamp follows the record's second, back and forth, and before 1970 as well. */
static void test_stamps(void)
{
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    struct mwi_audit_file *file = open_pattern(mwt_folder_file(&folder, "a"));
    const int64_t times_ns[] = {0, NS_PER_S - 1, NS_PER_S, 0, -WALL_S * NS_PER_S - 1};

    for (size_t i = 0; i < sizeof times_ns / sizeof times_ns[0]; i++) {
        struct mwi_audit_record record = {.kind = MWI_AUDIT_CEOF, .time_ns = times_ns[i]};
        mwi_audit_file_write(file, &record);
    }
    mwi_audit_file_close(file);

    check_file(folder.file, CEOF_LINE CEOF_LINE "11/22/2026 18:30:19 [A] MASTER -> CEOF\n" CEOF_LINE
                                                "12/31/1969 23:59:59 [A] MASTER -> CEOF\n");
    mwt_folder_destroy(&folder);
}

/* Without `utc`, stamps are in the time zone of the environment. */
static void test_local_time(void)
{
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    setenv("TZ", "TST-2", 1);
    tzset();
    struct mwi_audit_settings settings = settings_for(mwt_folder_file(&folder, "a"));
    settings.is_simulated = false;

    struct mwi_audit_file *file = open_trail(&settings);
    mwi_audit_file_write(file, &ceof_record);
    mwi_audit_file_close(file);

    check_file(folder.file, "11/22/2026 20:30:18 [A] MASTER -> CEOF\n");
    unsetenv("TZ");
    tzset();
    mwt_folder_destroy(&folder);
}

/* Finds the descriptor of an open file, -1 if there is none. */
static int find_descriptor(const char *path)
{
    for (int fd = 3; fd < 256; fd++) {
        char name[64], target[512];
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(name, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        if (strcmp(target, path) == 0)
            return fd;
    }
    return -1;
}

/* The file is not handed on to programs that this one starts, and is closed in the end. */
static void test_descriptor(void)
{
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    struct mwi_audit_file *file = open_pattern(mwt_folder_file(&folder, "a"));

    int fd = find_descriptor(folder.file);
    int flags = fcntl(fd, F_GETFD);
    mwi_audit_file_close(file);

    CU_ASSERT_TRUE(fd >= 0);
    CU_ASSERT_EQUAL(flags, FD_CLOEXEC);
    CU_ASSERT_EQUAL(find_descriptor(folder.file), -1);
    mwi_audit_file_close(NULL);
    mwt_folder_destroy(&folder);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"patterns", test_patterns},
        {"unknown patterns", test_unknown_patterns},
        {"unwritable file", test_unwritable_file},
        {"deferred name", test_deferred_name},
        {"close without name", test_close_without_name},
        {"full buffer without name", test_full_buffer_without_name},
        {"unwritable deferred name", test_unwritable_deferred_name},
        {"append", test_append},
        {"full disk", test_full_disk},
        {"recovery", test_recovery},
        {"flush is one write", test_flush_is_one_write},
        {"full buffer", test_full_buffer},
        {"short writes", test_short_writes},
        {"closed pipe", test_closed_pipe},
        {"levels", test_levels},
        {"json lines", test_json_lines},
        {"stamps", test_stamps},
        {"local time", test_local_time},
        {"descriptor", test_descriptor},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("audit_file", tests);
}

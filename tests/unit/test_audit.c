/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines of the audit trail: every kind in both forms, CL-MW's two trails line by line, and
 * strings that hold anything at any size of the line. Random strings come from a seed that is
 * printed; MW_TEST_SEED replays it.
 */
#include "record/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <CUnit/Basic.h>
#include <jansson.h>

#include "base/utf8.h"
#include "mwt_run.h"

#define STAMP "11/22/2026 18:30:18"
#define ADDRESS "127.0.0.1:39950"
#define MEMBER_ID "default-member-id"
#define RECORD(suffix, ...)                                                                        \
    {                                                                                              \
        .kind = MWI_AUDIT_##suffix, __VA_ARGS__                                                    \
    }

/* A task whose record was made at one second on the clock of the transports. */
static const struct mwi_audit_task ended_task = {
    .id = 17,
    .tag = -3,
    .algorithm = "hello",
    .sid = 2,
    .has_slave = true,
    .submitted_ns = 4,
    .sent_ns = 500000000,
    .begun_ns = MWI_AUDIT_NEVER,
    .ended_ns = 1000000000,
    .duration_ns = 1250000000,
    .outcome = "done",
    .bytes = 12,
    .result_bytes = 5,
};

/* The expected text of a record: after "STAMP [A] ", and after the time in JSON. */
struct expectation {
    struct mwi_audit_record record;
    const char *text;
    const char *json;
};

/* clang-format off */
static const struct expectation expectations[] = {
    {RECORD(VERSION, .version = "0.1.0"),
     "VERSION MW: Version 0.1.0",
     "\"subject\":\"VERSION\",\"event\":\"version\",\"version\":\"0.1.0\"}"},
    {RECORD(INIT, .role = MWI_ROLE_MASTER, .member_id = MEMBER_ID),
     "INIT MASTER \"default-member-id\"",
     "\"subject\":\"INIT\",\"event\":\"init\",\"role\":\"MASTER\",\"member_id\":\"default-member-id\"}"},
    {RECORD(INIT, .role = MWI_ROLE_SLAVE, .member_id = MEMBER_ID),
     "INIT SLAVE \"default-member-id\"",
     "\"subject\":\"INIT\",\"event\":\"init\",\"role\":\"SLAVE\",\"member_id\":\"default-member-id\"}"},
    {RECORD(MASTER_READY, .transport = "tcp", .address = "127.0.0.1:36107"),
     "MASTER READY 127.0.0.1:36107",
     "\"subject\":\"MASTER\",\"event\":\"master-ready\",\"transport\":\"tcp\",\"address\":\"127.0.0.1:36107\"}"},
    {RECORD(MASTER_READY, .transport = "mpi", .address = ""),
     "MASTER READY mpi",
     "\"subject\":\"MASTER\",\"event\":\"master-ready\",\"transport\":\"mpi\",\"address\":\"\"}"},
    {RECORD(NO_MASTER, .sid = 0),
     "MASTER No master algorithm is defined",
     "\"subject\":\"MASTER\",\"event\":\"no-master\"}"},
    {RECORD(RESFILE_WRITTEN, .path = "master.rsc"),
     "RESFILE Generated resource file: \"master.rsc\"",
     "\"subject\":\"RESFILE\",\"event\":\"resfile-written\",\"path\":\"master.rsc\"}"},
    {RECORD(RESFILE_LOADING, .path = "master.rsc"),
     "RESFILE Loading resource file: \"master.rsc\"",
     "\"subject\":\"RESFILE\",\"event\":\"resfile-loading\",\"path\":\"master.rsc\"}"},
    {RECORD(RESFILE_PROBLEM, .path = "m.rsc", .reason = "m.rsc: no such file"),
     "RESFILE m.rsc: no such file",
     "\"subject\":\"RESFILE\",\"event\":\"resfile-problem\",\"path\":\"m.rsc\",\"reason\":\"m.rsc: no such file\"}"},
    {RECORD(NEW_CLIENT, .transport = "tcp", .address = ADDRESS),
     "NEW-CLIENT -> 127.0.0.1:39950",
     "\"subject\":\"NEW-CLIENT\",\"event\":\"new-client\",\"transport\":\"tcp\",\"address\":\"127.0.0.1:39950\"}"},
    {RECORD(CLIENT_REFUSED, .transport = "tcp", .address = ADDRESS, .reason = "protocol version 9"),
     "NEW-CLIENT 127.0.0.1:39950 refused: protocol version 9",
     "\"subject\":\"NEW-CLIENT\",\"event\":\"client-refused\",\"transport\":\"tcp\","
     "\"address\":\"127.0.0.1:39950\",\"reason\":\"protocol version 9\"}"},
    {RECORD(STRANGERS_MORE, .count = 4711),
     "STRANGER 4711 more were turned away",
     "\"subject\":\"STRANGER\",\"event\":\"strangers-more\",\"count\":4711}"},
    {RECORD(STRANGER, .transport = "tcp", .address = ADDRESS, .reason = "it holds another key"),
     "STRANGER 127.0.0.1:39950 turned away: it holds another key",
     "\"subject\":\"STRANGER\",\"event\":\"stranger\",\"transport\":\"tcp\","
     "\"address\":\"127.0.0.1:39950\",\"reason\":\"it holds another key\"}"},
    {RECORD(CLIENT_LATE, .transport = "tcp", .address = ADDRESS, .reason = "the master ends"),
     "NEW-CLIENT 127.0.0.1:39950 refused: the master ends",
     "\"subject\":\"NEW-CLIENT\",\"event\":\"client-refused\",\"transport\":\"tcp\","
     "\"address\":\"127.0.0.1:39950\",\"reason\":\"the master ends\"}"},
    {RECORD(SLAVE_GREETED, .transport = "tcp", .address = ADDRESS, .member_id = MEMBER_ID,
            .pid = 4711, .host = "node7"),
     "SLAVE-0 127.0.0.1:39950 -> [\"default-member-id\"] :connecting [:unordered] "
     "(pid 4711 on node7)",
     "\"subject\":\"SLAVE-0\",\"event\":\"slave-greeted\",\"sid\":0,\"state\":\"connecting\","
     "\"group\":\"unordered\",\"pid\":4711,\"transport\":\"tcp\",\"address\":\"127.0.0.1:39950\","
     "\"member_id\":\"default-member-id\",\"host\":\"node7\"}"},
    {RECORD(SLAVE_STATE, .sid = 12, .state = MWI_SLAVE_BUSY),
     "SLAVE-12 -> :busy",
     "\"subject\":\"SLAVE-12\",\"event\":\"slave-state\",\"sid\":12,\"state\":\"busy\"}"},
    {RECORD(SLAVE_ENDING, .sid = 12, .state = MWI_SLAVE_SHUTTING_DOWN),
     "SLAVE-12 -> :shutting-down",
     "\"subject\":\"SLAVE-12\",\"event\":\"slave-state\",\"sid\":12,\"state\":\"shutting-down\"}"},
    {RECORD(SLAVE_ENDING, .state = MWI_SLAVE_DISCONNECTED),
     "SLAVE-0 -> :disconnected",
     "\"subject\":\"SLAVE-0\",\"event\":\"slave-state\",\"sid\":0,\"state\":\"disconnected\"}"},
    {RECORD(TASKS_SENT, .sid = 4294967295, .count = 1),
     "SLAVE-4294967295 <- 1 tasks",
     "\"subject\":\"SLAVE-4294967295\",\"event\":\"tasks-sent\",\"sid\":4294967295,\"count\":1}"},
    {RECORD(RESULTS_RECEIVED, .count = 1),
     "SLAVE-0 -> 1 results",
     "\"subject\":\"SLAVE-0\",\"event\":\"results-received\",\"sid\":0,\"count\":1,\"failed\":0}"},
    {RECORD(RESULTS_RECEIVED, .count = 3, .failed = 1),
     "SLAVE-0 -> 3 results (1 failed)",
     "\"subject\":\"SLAVE-0\",\"event\":\"results-received\",\"sid\":0,\"count\":3,\"failed\":1}"},
    {RECORD(OFFER_TAKEN, .count = 3),
     "SLAVE-0 -> OFFER of kept results: 3 of use",
     "\"subject\":\"SLAVE-0\",\"event\":\"offer-taken\",\"sid\":0,\"count\":3,\"unused\":0}"},
    {RECORD(OFFER_TAKEN, .failed = 2),
     "SLAVE-0 -> OFFER of kept results: 0 of use, 2 not",
     "\"subject\":\"SLAVE-0\",\"event\":\"offer-taken\",\"sid\":0,\"count\":0,\"unused\":2}"},
    {RECORD(TASK_ENDED, .time_ns = 1000000000, .ended = &ended_task),
     "TASK (always JSON)",
     "\"subject\":\"TASK\",\"event\":\"task\",\"id\":17,\"tag\":-3,\"slave\":2,"
     "\"submitted\":1795372217.000000005,\"sent\":1795372217.500000001,\"begun\":null,"
     "\"ended\":1795372218.000000001,\"seconds\":1.250000000,\"outcome\":\"done\",\"bytes\":12,"
     "\"result_bytes\":5,\"algorithm\":\"hello\"}"},
    {RECORD(TASK_FAILED, .task = 17, .algorithm = "hello", .reason = "no name"),
     "SLAVE-0 -> task 17 of \"hello\" failed: no name",
     "\"subject\":\"SLAVE-0\",\"event\":\"task-failed\",\"sid\":0,\"task\":17,\"algorithm\":\"hello\","
     "\"reason\":\"no name\"}"},
    {RECORD(JOURNAL_OPENED, .path = "s.mwj", .count = 70, .failed = 2),
     "JOURNAL \"s.mwj\" has 70 results of 2 runs",
     "\"subject\":\"JOURNAL\",\"event\":\"journal-opened\",\"results\":70,\"runs\":2,\"path\":\"s.mwj\"}"},
    {RECORD(JOURNAL_PROBLEM, .path = "s.mwj", .reason = "s.mwj: no room"),
     "JOURNAL s.mwj: no room",
     "\"subject\":\"JOURNAL\",\"event\":\"journal-problem\",\"path\":\"s.mwj\",\"reason\":\"s.mwj: no room\"}"},
    {RECORD(TASK_SAVED, .task = 17, .algorithm = "hello", .count = 4096),
     "SLAVE-0 -> task 17 of \"hello\" has saved 4096 bytes",
     "\"subject\":\"SLAVE-0\",\"event\":\"task-saved\",\"sid\":0,\"task\":17,\"bytes\":4096,"
     "\"algorithm\":\"hello\"}"},
    {RECORD(TASK_REQUEUED, .task = 17, .algorithm = "hello", .attempts = 1,
            .reason = "connection reset"),
     "SLAVE-0 -> task 17 of \"hello\" requeued after attempt 1: connection reset",
     "\"subject\":\"SLAVE-0\",\"event\":\"task-requeued\",\"sid\":0,\"task\":17,\"attempts\":1,"
     "\"algorithm\":\"hello\",\"reason\":\"connection reset\"}"},
    {RECORD(TASK_UNRUNNABLE, .task = 17, .algorithm = "hello", .reason = "3 attempts failed"),
     "MASTER task 17 of \"hello\" is unrunnable: 3 attempts failed",
     "\"subject\":\"MASTER\",\"event\":\"task-unrunnable\",\"task\":17,\"algorithm\":\"hello\","
     "\"reason\":\"3 attempts failed\"}"},
    {RECORD(TASK_REFUSED, .algorithm = "hello", .reason = "too large"),
     "MASTER a task of \"hello\" was refused: too large",
     "\"subject\":\"MASTER\",\"event\":\"task-refused\",\"algorithm\":\"hello\","
     "\"reason\":\"too large\"}"},
    {RECORD(TASK_REFUSED, .reason = "no algorithm"),
     "MASTER a task was refused: no algorithm",
     "\"subject\":\"MASTER\",\"event\":\"task-refused\",\"algorithm\":null,"
     "\"reason\":\"no algorithm\"}"},
    {RECORD(TASK_UNFIT, .task = 17, .algorithm = "hello", .reason = "too large"),
     "MASTER task 17 of \"hello\" failed: too large",
     "\"subject\":\"MASTER\",\"event\":\"task-unfit\",\"task\":17,\"algorithm\":\"hello\","
     "\"reason\":\"too large\"}"},
    {RECORD(HOST_DOUBTED, .host = "node7", .count = 3, .failed = 400),
     "HOST node7 lost 3 new slaves with their first tasks; the next waits for 400 ms",
     "\"subject\":\"HOST\",\"event\":\"host-doubted\",\"slaves\":3,\"milliseconds\":400,"
     "\"host\":\"node7\"}"},
    {RECORD(MASTER_AWAY, .count = 1400),
     "MASTER did not look at its slaves for 1400 ms, while they waited",
     "\"subject\":\"MASTER\",\"event\":\"master-away\",\"milliseconds\":1400}"},
    {RECORD(SLAVE_GROUP, .sid = 3, .group = MWI_GROUP_INTERMINGLE),
     "SLAVE-3 -> [:intermingle]",
     "\"subject\":\"SLAVE-3\",\"event\":\"slave-group\",\"sid\":3,\"group\":\"intermingle\"}"},
    {RECORD(TASK_COPIED, .sid = 3, .task = 17, .algorithm = "hello", .reason = "SLAVE-1 is slow"),
     "SLAVE-3 <- second copy of task 17 of \"hello\": SLAVE-1 is slow",
     "\"subject\":\"SLAVE-3\",\"event\":\"task-copied\",\"sid\":3,\"task\":17,"
     "\"algorithm\":\"hello\",\"reason\":\"SLAVE-1 is slow\"}"},
    {RECORD(TASK_CANCELLED, .task = 17, .algorithm = "hello"),
     "MASTER task 17 of \"hello\" is cancelled",
     "\"subject\":\"MASTER\",\"event\":\"task-cancelled\",\"task\":17,\"algorithm\":\"hello\"}"},
    {RECORD(STOPPING, .count = 4),
     "MASTER STOPPING: 4 tasks run",
     "\"subject\":\"MASTER\",\"event\":\"stopping\",\"count\":4}"},
    {RECORD(TRY_SHUTDOWN, .sid = 0),
     "SLAVE-0 <- TRY-SHUTDOWN",
     "\"subject\":\"SLAVE-0\",\"event\":\"try-shutdown\",\"sid\":0}"},
    {RECORD(SLAVE_LEAVING, .reason = "SIGTERM"),
     "SLAVE-0 -> LEAVING: SIGTERM",
     "\"subject\":\"SLAVE-0\",\"event\":\"slave-leaving\",\"sid\":0,\"reason\":\"SIGTERM\"}"},
    {RECORD(SLAVE_GOODBYE, .reason = "SIGTERM"),
     "SLAVE-0 -> GOODBYE: SIGTERM",
     "\"subject\":\"SLAVE-0\",\"event\":\"slave-goodbye\",\"sid\":0,\"reason\":\"SIGTERM\"}"},
    {RECORD(SLAVE_DROPPED, .reason = "silent for 60 s"),
     "SLAVE-0 dropped: silent for 60 s",
     "\"subject\":\"SLAVE-0\",\"event\":\"slave-dropped\",\"sid\":0,\"reason\":\"silent for 60 s\"}"},
    {RECORD(SLAVE_SILENT, .sid = 3, .task = 17, .algorithm = "hello", .count = 120),
     "SLAVE-3 silent for 120 s, has task 17 of \"hello\"",
     "\"subject\":\"SLAVE-3\",\"event\":\"slave-silent\",\"sid\":3,\"task\":17,\"seconds\":120,"
     "\"algorithm\":\"hello\"}"},
    {RECORD(SLAVE_LOST, .pid = 4711, .host = "node7", .reason = "was killed by signal 9 (Killed)"),
     "SLAVE-0 (pid 4711 on node7) was killed by signal 9 (Killed)",
     "\"subject\":\"SLAVE-0\",\"event\":\"slave-lost\",\"sid\":0,\"pid\":4711,\"host\":\"node7\","
     "\"reason\":\"was killed by signal 9 (Killed)\"}"},
    {RECORD(SLAVE_LOST, .host = "node7", .reason = "was lost: gone"),
     "SLAVE-0 was lost: gone",
     "\"subject\":\"SLAVE-0\",\"event\":\"slave-lost\",\"sid\":0,\"pid\":0,\"host\":\"node7\","
     "\"reason\":\"was lost: gone\"}"},
    {RECORD(EOF, .address = ADDRESS),
     "EOF -> 127.0.0.1:39950",
     "\"subject\":\"EOF\",\"event\":\"eof\",\"address\":\"127.0.0.1:39950\",\"reason\":null}"},
    {RECORD(EOF, .address = ADDRESS, .reason = "connection reset"),
     "EOF -> 127.0.0.1:39950 (connection reset)",
     "\"subject\":\"EOF\",\"event\":\"eof\",\"address\":\"127.0.0.1:39950\",\"reason\":\"connection reset\"}"},
    {RECORD(LOCAL_STARTED, .pid = 4711),
     "MASTER started local slave, pid 4711",
     "\"subject\":\"MASTER\",\"event\":\"local-started\",\"pid\":4711}"},
    {RECORD(LOCAL_ENDED, .pid = 4711, .reason = "was killed by signal 9"),
     "MASTER local slave, pid 4711, was killed by signal 9",
     "\"subject\":\"MASTER\",\"event\":\"local-ended\",\"pid\":4711,\"reason\":\"was killed by signal 9\"}"},
    {RECORD(LOCAL_FAILED, .reason = "permission denied"),
     "MASTER could not start a local slave: permission denied",
     "\"subject\":\"MASTER\",\"event\":\"local-failed\",\"reason\":\"permission denied\"}"},
    {RECORD(LOCAL_HALTED, .pid = 4711, .reason = "is stopped"),
     "MASTER local slave, pid 4711, is stopped",
     "\"subject\":\"MASTER\",\"event\":\"local-halted\",\"pid\":4711,\"reason\":\"is stopped\"}"},
    {RECORD(LOCAL_UNGUARDED, .reason = "fork: no memory"),
     "MASTER what local slaves start may outlive this farm: fork: no memory",
     "\"subject\":\"MASTER\",\"event\":\"local-unguarded\",\"reason\":\"fork: no memory\"}"},
    {RECORD(SIGNAL, .role = MWI_ROLE_MASTER, .signal = "SIGINT"),
     "MASTER SIGNAL SIGINT",
     "\"subject\":\"MASTER\",\"event\":\"signal\",\"role\":\"MASTER\",\"signal\":\"SIGINT\"}"},
    {RECORD(SIGNAL, .role = MWI_ROLE_SLAVE, .signal = "SIGTERM"),
     "SLAVE SIGNAL SIGTERM",
     "\"subject\":\"SLAVE\",\"event\":\"signal\",\"role\":\"SLAVE\",\"signal\":\"SIGTERM\"}"},
    {RECORD(CONNECTED, .address = "rank 0"),
     "MASTER <- CONNECTED TO rank 0",
     "\"subject\":\"MASTER\",\"event\":\"connected\",\"address\":\"rank 0\",\"from\":null}"},
    {RECORD(CONNECTED, .address = "127.0.0.1:36107", .from = ADDRESS),
     "MASTER <- CONNECTED TO 127.0.0.1:36107 FROM 127.0.0.1:39950",
     "\"subject\":\"MASTER\",\"event\":\"connected\",\"address\":\"127.0.0.1:36107\","
     "\"from\":\"127.0.0.1:39950\"}"},
    {RECORD(CONNECT_FAILED, .address = "127.0.0.1:36107", .reason = "connection refused"),
     "MASTER <- CONNECT FAILED 127.0.0.1:36107: connection refused",
     "\"subject\":\"MASTER\",\"event\":\"connect-failed\",\"address\":\"127.0.0.1:36107\","
     "\"reason\":\"connection refused\"}"},
    {RECORD(SLAVE_ID, .sid = 0),
     "MASTER -> ID SLAVE-0",
     "\"subject\":\"MASTER\",\"event\":\"slave-id\",\"sid\":0}"},
    {RECORD(REFUSED, .reason = "another member id"),
     "MASTER -> REFUSED: another member id",
     "\"subject\":\"MASTER\",\"event\":\"refused\",\"reason\":\"another member id\"}"},
    {RECORD(TASKS_RECEIVED, .count = 1, .group_size = 1),
     "MASTER -> 1 tasks (1 grouping)",
     "\"subject\":\"MASTER\",\"event\":\"tasks-received\",\"count\":1,\"group_size\":1}"},
    {RECORD(TASKS_RECEIVED, .count = 1),
     "MASTER -> 1 tasks (auto grouping)",
     "\"subject\":\"MASTER\",\"event\":\"tasks-received\",\"count\":1,\"group_size\":0}"},
    {RECORD(RESULTS_SENT, .count = 1),
     "MASTER <- 1 results",
     "\"subject\":\"MASTER\",\"event\":\"results-sent\",\"count\":1}"},
    {RECORD(RESULTS_OFFERED, .count = 5),
     "MASTER <- OFFER of 5 kept results",
     "\"subject\":\"MASTER\",\"event\":\"results-offered\",\"count\":5}"},
    {RECORD(SHUTDOWN, .sid = 0),
     "MASTER -> SHUTDOWN",
     "\"subject\":\"MASTER\",\"event\":\"shutdown\"}"},
    {RECORD(CEOF, .sid = 0),
     "MASTER -> CEOF",
     "\"subject\":\"MASTER\",\"event\":\"ceof\"}"},
    {RECORD(MASTER_LOST, .address = ADDRESS, .reason = "connection reset"),
     "EOF -> 127.0.0.1:39950 (connection reset)",
     "\"subject\":\"EOF\",\"event\":\"eof\",\"address\":\"127.0.0.1:39950\",\"reason\":\"connection reset\"}"},
    {RECORD(INSECURE, .role = MWI_ROLE_SLAVE),
     "SLAVE --mw-insecure: nothing is encrypted, and nobody needs a key",
     "\"subject\":\"SLAVE\",\"event\":\"insecure\",\"role\":\"SLAVE\"}"},
    {RECORD(KEY_PROBLEM, .path = "/h/key", .reason = "key file \"/h/key\": others can read it"),
     "KEY key file \"/h/key\": others can read it",
     "\"subject\":\"KEY\",\"event\":\"key-problem\",\"path\":\"/h/key\","
     "\"reason\":\"key file \\\"/h/key\\\": others can read it\"}"},
    {RECORD(RECORDS_LOST, .count = 17),
     "AUDIT 17 records could not be written",
     "\"subject\":\"AUDIT\",\"event\":\"records-lost\",\"count\":17}"},
    {RECORD(FINI, .how = "SHUTDOWN", .member_id = MEMBER_ID),
     "FINI SHUTDOWN \"default-member-id\"",
     "\"subject\":\"FINI\",\"event\":\"fini\",\"how\":\"SHUTDOWN\",\"member_id\":\"default-member-id\"}"},
};
/* clang-format on */

#define EXPECTATIONS_COUNT (sizeof(expectations) / sizeof(expectations[0]))

static void check_text(const struct mwi_audit_record *record, const char *expected)
{
    char line[MWI_AUDIT_LINE_BYTES];
    char whole[MWI_AUDIT_LINE_BYTES];
    snprintf(whole, sizeof whole, "%s [A] %s", STAMP, expected);

    size_t length = mwi_audit_text(record, STAMP, line, sizeof line);

    CU_ASSERT_STRING_EQUAL(line, whole);
    CU_ASSERT_EQUAL(length, strlen(whole));
}

static json_t *parse_json(const char *line, size_t length)
{
    json_error_t error;
    json_t *root = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        fprintf(stderr, "%s in: %s\n", error.text, line);
    return root;
}

/* Every kind has its line of text. */
static void test_text_of_every_kind(void)
{
    bool seen[MWI_AUDIT_KINDS_COUNT] = {false};

    for (size_t i = 0; i < EXPECTATIONS_COUNT; i++) {
        check_text(&expectations[i].record, expectations[i].text);
        seen[expectations[i].record.kind] = true;
    }

    for (size_t kind = 0; kind < MWI_AUDIT_KINDS_COUNT; kind++)
        CU_ASSERT_TRUE(seen[kind]);
}

/* Every kind has its JSON object, with all the fields that the kind uses. */
static void test_json_of_every_kind(void)
{
    for (size_t i = 0; i < EXPECTATIONS_COUNT; i++) {
        char line[MWI_AUDIT_LINE_BYTES];
        char whole[MWI_AUDIT_LINE_BYTES];
        snprintf(whole, sizeof whole, "{\"time_ns\":1795372218000000001,%s", expectations[i].json);

        size_t length = mwi_audit_json(&expectations[i].record, 1795372218000000001, line, 768);

        CU_ASSERT_STRING_EQUAL(line, whole);
        CU_ASSERT_EQUAL(length, strlen(whole));
        json_t *root = parse_json(line, length);
        CU_ASSERT_PTR_NOT_NULL(root);
        json_decref(root);
    }
}

static bool includes(enum mwi_audit_level level, enum mwi_audit_kind kind)
{
    return (mwi_audit_kinds(level) >> kind & 1) != 0;
}

/* Each level leaves out more: first what comes with each message, then all that went well. */
static void test_levels(void)
{
    static const enum mwi_audit_kind per_message[] = {
        MWI_AUDIT_TASKS_SENT, MWI_AUDIT_RESULTS_RECEIVED, MWI_AUDIT_SLAVE_STATE,
        MWI_AUDIT_TASKS_RECEIVED, MWI_AUDIT_RESULTS_SENT};
    static const enum mwi_audit_kind problems[] = {
        MWI_AUDIT_SLAVE_LOST,   MWI_AUDIT_SLAVE_DROPPED,  MWI_AUDIT_TASK_UNRUNNABLE,
        MWI_AUDIT_LOCAL_FAILED, MWI_AUDIT_CLIENT_REFUSED, MWI_AUDIT_MASTER_LOST};
    static const enum mwi_audit_kind events[] = {MWI_AUDIT_SLAVE_GREETED, MWI_AUDIT_SLAVE_ENDING,
                                                 MWI_AUDIT_CLIENT_LATE,   MWI_AUDIT_TASK_REQUEUED,
                                                 MWI_AUDIT_EOF,           MWI_AUDIT_FINI};

    for (size_t i = 0; i < sizeof per_message / sizeof per_message[0]; i++)
        CU_ASSERT_FALSE(includes(MWI_AUDIT_LEVEL_EVENTS, per_message[i]));
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++)
        CU_ASSERT_TRUE(includes(MWI_AUDIT_LEVEL_PROBLEMS, problems[i]));
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        CU_ASSERT_TRUE(includes(MWI_AUDIT_LEVEL_EVENTS, events[i]));
        CU_ASSERT_FALSE(includes(MWI_AUDIT_LEVEL_PROBLEMS, events[i]));
    }
    CU_ASSERT_EQUAL(mwi_audit_kinds(MWI_AUDIT_LEVEL_ALL),
                    ((UINT64_C(1) << MWI_AUDIT_KINDS_COUNT) - 1) ^
                        (UINT64_C(1) << MWI_AUDIT_TASK_ENDED));
    CU_ASSERT_EQUAL(mwi_audit_kinds(MWI_AUDIT_LEVEL_NONE), 0);
}

/* A time before 1970, which a clock that is not set may give, is a negative number. */
static void test_json_of_an_early_time(void)
{
    const struct mwi_audit_record record = RECORD(CEOF, .sid = 0);
    char line[512];

    mwi_audit_json(&record, INT64_MIN, line, sizeof line);

    CU_ASSERT_STRING_EQUAL(
        line, "{\"time_ns\":-9223372036854775808,\"subject\":\"MASTER\",\"event\":\"ceof\"}");
}

/* A line of CL-MW's trail and the record it comes from. */
struct trail_line {
    struct mwi_audit_record record;
    const char *text;
};

static void check_trail(const struct trail_line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_text(&lines[i].record, lines[i].text);
}

/* A master's trail of hello-world equals CL-MW's, except for the name and number of the version.
 * CL-MW prints its middle part once for each task. */
static void test_master_trail_of_cl_mw(void)
{
    static const struct trail_line lines[] = {
        {RECORD(VERSION, .version = "0.4"), "VERSION MW: Version 0.4"},
        {RECORD(INIT, .member_id = MEMBER_ID), "INIT MASTER \"default-member-id\""},
        {RECORD(MASTER_READY, .transport = "tcp", .address = "127.0.0.1:36107"),
         "MASTER READY 127.0.0.1:36107"},
        {RECORD(RESFILE_WRITTEN, .path = "master.rsc"),
         "RESFILE Generated resource file: \"master.rsc\""},
        {RECORD(NEW_CLIENT, .transport = "tcp", .address = ADDRESS),
         "NEW-CLIENT -> 127.0.0.1:39950"},
        {RECORD(SLAVE_GREETED, .transport = "tcp", .address = ADDRESS, .member_id = MEMBER_ID),
         "SLAVE-0 127.0.0.1:39950 -> [\"default-member-id\"] :connecting [:unordered]"},
        {RECORD(SLAVE_STATE, .state = MWI_SLAVE_IDLE), "SLAVE-0 -> :idle"},
        {RECORD(TASKS_SENT, .count = 1), "SLAVE-0 <- 1 tasks"},
        {RECORD(SLAVE_STATE, .state = MWI_SLAVE_BUSY), "SLAVE-0 -> :busy"},
        {RECORD(RESULTS_RECEIVED, .count = 1), "SLAVE-0 -> 1 results"},
        {RECORD(SLAVE_STATE, .state = MWI_SLAVE_IDLE), "SLAVE-0 -> :idle"},
        {RECORD(TRY_SHUTDOWN, .sid = 0), "SLAVE-0 <- TRY-SHUTDOWN"},
        {RECORD(SLAVE_ENDING, .state = MWI_SLAVE_SHUTTING_DOWN), "SLAVE-0 -> :shutting-down"},
        {RECORD(SLAVE_ENDING, .state = MWI_SLAVE_DISCONNECTED), "SLAVE-0 -> :disconnected"},
        {RECORD(EOF, .address = ADDRESS), "EOF -> 127.0.0.1:39950"},
        {RECORD(RESFILE_WRITTEN, .path = "master.rsc"),
         "RESFILE Generated resource file: \"master.rsc\""},
        {RECORD(FINI, .how = "SHUTDOWN", .member_id = MEMBER_ID),
         "FINI SHUTDOWN \"default-member-id\""},
    };

    check_trail(lines, sizeof lines / sizeof lines[0]);
}

/* A slave's trail of hello-world is CL-MW's too. */
static void test_slave_trail_of_cl_mw(void)
{
    static const struct trail_line lines[] = {
        {RECORD(RESFILE_LOADING, .path = "master.rsc"),
         "RESFILE Loading resource file: \"master.rsc\""},
        {RECORD(VERSION, .version = "0.4"), "VERSION MW: Version 0.4"},
        {RECORD(INIT, .role = MWI_ROLE_SLAVE, .member_id = MEMBER_ID),
         "INIT SLAVE \"default-member-id\""},
        {RECORD(CONNECTED, .address = "127.0.0.1:36107", .from = ADDRESS),
         "MASTER <- CONNECTED TO 127.0.0.1:36107 FROM 127.0.0.1:39950"},
        {RECORD(SLAVE_ID, .sid = 0), "MASTER -> ID SLAVE-0"},
        {RECORD(TASKS_RECEIVED, .count = 1, .group_size = 1), "MASTER -> 1 tasks (1 grouping)"},
        {RECORD(RESULTS_SENT, .count = 1), "MASTER <- 1 results"},
        {RECORD(SHUTDOWN, .sid = 0), "MASTER -> SHUTDOWN"},
        {RECORD(CEOF, .sid = 0), "MASTER -> CEOF"},
        {RECORD(EOF, .address = "127.0.0.1:36107"), "EOF -> 127.0.0.1:36107"},
        {RECORD(FINI, .how = "MASTER-SHUTDOWN", .member_id = MEMBER_ID),
         "FINI MASTER-SHUTDOWN \"default-member-id\""},
    };

    check_trail(lines, sizeof lines / sizeof lines[0]);
}

/* In text a string can neither start a line nor drive a terminal nor be malformed, but it may be
 * in any language. */
static void test_hostile_bytes_in_text(void)
{
    static const struct {
        const char *reason;
        const char *shown;
    } cases[] = {
        {"a\nb\r\tc", "a?b??c"},
        {"\033[31mred\033[0m\177", "?[31mred?[0m?"},
        {"\xff\xfe", "??"},
        {"M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x90\x84",
         "M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x90\x84"},
        {"cut \xe2\x82", "cut ??"},
        {"overlong \xc0\xaf \xe0\x80\xaf", "overlong ?? ???"},
        {"surrogate \xed\xa0\x80", "surrogate ???"},
        {"beyond \xf4\x90\x80\x80", "beyond ????"},
        {"next line \xc2\x85 right to left \xe2\x80\xae.", "next line ? right to left ?."},
        {"%s%n{}", "%s%n{}"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct mwi_audit_record record = RECORD(REFUSED, .reason = cases[i].reason);
        char expected[128];
        snprintf(expected, sizeof expected, "MASTER -> REFUSED: %s", cases[i].shown);
        check_text(&record, expected);
    }
}

/* In JSON all characters come back as they were, and bytes that are no characters as U+FFFD. */
static void test_hostile_bytes_in_json(void)
{
    static const struct {
        const char *reason;
        const char *parsed;
    } cases[] = {
        {"\"quoted\" \\ / \b\f\n\r\t", "\"quoted\" \\ / \b\f\n\r\t"},
        {"\033[0m \177 \xc2\x85 \xe2\x80\xae", "\033[0m \177 \xc2\x85 \xe2\x80\xae"},
        {"M\xc3\xbcller \xf0\x9f\x90\x84", "M\xc3\xbcller \xf0\x9f\x90\x84"},
        {"\xff \xe2\x82", "\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct mwi_audit_record record = RECORD(REFUSED, .reason = cases[i].reason);
        char line[512];
        size_t length = mwi_audit_json(&record, 0, line, sizeof line);
        CU_ASSERT_PTR_NULL(strchr(line, '\n'));
        json_t *root = parse_json(line, length);
        CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(root, "reason")), cases[i].parsed);
        json_decref(root);
    }
}

/* Strings that must be there and are not show as "?" in text. */
static void test_missing_strings_in_text(void)
{
    const struct mwi_audit_record dropped = RECORD(SLAVE_DROPPED, .sid = 1);
    const struct mwi_audit_record ready = RECORD(MASTER_READY, .sid = 0);

    check_text(&dropped, "SLAVE-1 dropped: ?");
    check_text(&ready, "MASTER READY ?");
}

/* Text that does not fit is a beginning of the whole line that ends with a whole character or
 * number, as a number cut in two would be another number. */
static void test_text_is_cut_to_any_size(void)
{
    const struct mwi_audit_record record =
        RECORD(TASK_FAILED, .sid = 7, .task = 123456789, .algorithm = "h\xc3\xa9llo",
               .reason = "\xf0\x9f\x90\x84\xe2\x82\xac\xc3\xbc and so on");
    char whole[MWI_AUDIT_LINE_BYTES];
    size_t whole_length = mwi_audit_text(&record, STAMP, whole, sizeof whole);

    for (size_t size = 1; size <= whole_length + 1; size++) {
        char *line = malloc(size);
        CU_ASSERT_PTR_NOT_NULL_FATAL(line);
        size_t length = mwi_audit_text(&record, STAMP, line, size);
        CU_ASSERT_EQUAL(length, strlen(line));
        CU_ASSERT_TRUE(length < size && length + sizeof(STAMP) >= size);
        CU_ASSERT_EQUAL(memcmp(line, whole, length), 0);
        CU_ASSERT_TRUE(mwi_utf8_is_valid(line));
        free(line);
    }
    CU_ASSERT_EQUAL(mwi_audit_text(&record, STAMP, NULL, 0), 0);
}

/* A record with the largest numbers and the strings given. */
static struct mwi_audit_record largest_record(enum mwi_audit_kind kind, const char *string)
{
    static struct mwi_audit_task task = {
        .id = INT64_MAX,
        .has_tag_bytes = true,
        .tag_size = MWI_AUDIT_TAG_BYTES,
        .sid = UINT32_MAX,
        .has_slave = true,
        .submitted_ns = INT64_MIN + 1,
        .sent_ns = INT64_MIN + 1,
        .begun_ns = INT64_MIN + 1,
        .ended_ns = INT64_MIN + 1,
        .duration_ns = INT64_MIN + 1,
        .outcome = "unrunnable",
        .bytes = INT64_MAX,
        .result_bytes = INT64_MAX,
    };
    task.algorithm = string;
    if (kind == MWI_AUDIT_TASK_ENDED)
        return (struct mwi_audit_record){.kind = kind, .ended = &task};
    return (struct mwi_audit_record){
        .kind = kind,
        .role = MWI_ROLE_MASTER,
        .sid = UINT32_MAX,
        .state = MWI_SLAVE_SHUTTING_DOWN,
        .group = MWI_GROUP_INTERMINGLE,
        .task = INT64_MAX,
        .count = INT64_MAX,
        .attempts = UINT32_MAX,
        .failed = INT64_MAX,
        .group_size = INT64_MAX,
        .transport = string,
        .address = string,
        .algorithm = string,
        .member_id = string,
        .reason = string,
    };
}

/* Whether what came back is a beginning of the string. */
static bool is_beginning(const json_t *value, const char *string)
{
    return strncmp(json_string_value(value), string, json_string_length(value)) == 0;
}

/* JSON that does not fit shortens strings only: every field stays there, and the object is whole,
 * even when every character is an escape and the line as small as it may be. */
static void test_json_is_shortened_to_any_size(void)
{
    static const char *const strings[] = {"\x01\x02\x03\x04\x05\x06", "\xf0\x9f\x90\x84", "\"\\",
                                          "plain"};
    for (size_t choice = 0; choice < 4; choice++) {
        char string[3000] = "";
        while (strlen(string) + 8 < sizeof string)
            strcat(string, strings[choice]);
        for (size_t kind = 0; kind < MWI_AUDIT_KINDS_COUNT; kind++) {
            struct mwi_audit_record record = largest_record((enum mwi_audit_kind)kind, string);
            size_t size = 768 + kind * 3;
            char *line = malloc(size);
            CU_ASSERT_PTR_NOT_NULL_FATAL(line);
            size_t length = mwi_audit_json(&record, INT64_MIN, line, size);
            CU_ASSERT_TRUE(length < size);
            json_t *root = parse_json(line, length);
            const char *key;
            json_t *value;
            json_object_foreach(root, key, value)
            {
                if (strcmp(key, "tag") != 0 && json_is_string(value) &&
                    json_string_length(value) > 30)
                    CU_ASSERT_TRUE(is_beginning(value, string));
            }
            CU_ASSERT_PTR_NOT_NULL(root);
            json_decref(root);
            free(line);
        }
    }
}

static uint64_t next_random(uint64_t *state)
{
    uint64_t mixed = *state += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
}

static uint64_t test_seed(void)
{
    const char *given = getenv("MW_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("seed %" PRIu64 " (MW_TEST_SEED=%" PRIu64 " replays it) ", seed, seed);
    return seed;
}

/* Mostly bytes of all kinds, at times only the beginnings and ends of characters. */
static void random_string(uint64_t *state, char *string, size_t size)
{
    size_t length = next_random(state) % size;
    bool is_high = next_random(state) % 4 == 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)(next_random(state) % 255 + 1);
        string[i] = (char)(is_high ? byte | 0x80 : byte);
    }
    string[length] = '\0';
}

/* Random strings at random sizes give JSON that parses and text that is one line of UTF-8; strings
 * that are UTF-8 come back as they were if there is room. */
static void test_random_strings(void)
{
    uint64_t state = test_seed();

    for (int round = 0; round < 20000; round++) {
        char string[200];
        random_string(&state, string, sizeof string);
        enum mwi_audit_kind kind =
            (enum mwi_audit_kind)(next_random(&state) % MWI_AUDIT_KINDS_COUNT);
        struct mwi_audit_record record = largest_record(kind, string);
        char line[6000];
        size_t size = 768 + next_random(&state) % (sizeof line - 768);

        size_t length = mwi_audit_json(&record, (int64_t)next_random(&state), line, size);
        json_t *root = parse_json(line, length);
        CU_ASSERT_PTR_NOT_NULL(root);
        const char *reason = json_string_value(json_object_get(root, "reason"));
        if (reason != NULL && mwi_utf8_is_valid(string) && size > 5500)
            CU_ASSERT_STRING_EQUAL(reason, string);
        json_decref(root);

        length = mwi_audit_text(&record, STAMP, line, size % 300 + 1);
        CU_ASSERT_TRUE(mwi_utf8_is_valid(line));
        CU_ASSERT_EQUAL(strcspn(line, "\n\r\033"), length);
    }
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"text of every kind", test_text_of_every_kind},
        {"json of every kind", test_json_of_every_kind},
        {"levels", test_levels},
        {"json of an early time", test_json_of_an_early_time},
        {"master trail of CL-MW", test_master_trail_of_cl_mw},
        {"slave trail of CL-MW", test_slave_trail_of_cl_mw},
        {"hostile bytes in text", test_hostile_bytes_in_text},
        {"hostile bytes in json", test_hostile_bytes_in_json},
        {"missing strings in text", test_missing_strings_in_text},
        {"text is cut to any size", test_text_is_cut_to_any_size},
        {"json is shortened to any size", test_json_is_shortened_to_any_size},
        {"random strings", test_random_strings},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("audit", tests);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Formats audit records. audit_file.c calls it for each record. The table `forms` says everything
 * about a kind of record: its level, its subject, its event name, its text, and its fields with
 * their JSON keys. Both forms of line are made from it.
 *
 * Invariants: no function makes a system call or allocates, since a busy master writes several
 * records a task. A string may come from a peer and hold any bytes: text replaces those that are
 * not printable, JSON escapes them, and no character is cut in two.
 *
 * A new kind of record is an enumerator in audit.h and a row of `forms`. A new field is a member of
 * struct mwi_audit_record and a letter in field_value.
 */
#include "record/audit.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/time.h"
#include "base/utf8.h"

#define FIELDS_MAX 12
#define NS_PER_S ((uint64_t)MWI_NS_PER_S)

static const char hexadecimal[] = "0123456789abcdef";

/* A field of a record, by the letter that stands for it in a form. */
struct field {
    char letter;
    const char *key;
};

/* In `subject` and `text`, "%x" is the field of letter x, see field_value, and a part in braces is
 * left out if its field is 0, NULL or empty. The line is "STAMP [A] SUBJECT TEXT". */
struct form {
    enum mwi_audit_level level; /* the last one that includes the kind */
    const char *subject;
    const char *event;
    const char *text;
    struct field fields[FIELDS_MAX];
};

#define ALL MWI_AUDIT_LEVEL_ALL
#define EVENTS MWI_AUDIT_LEVEL_EVENTS
#define PROBLEMS MWI_AUDIT_LEVEL_PROBLEMS
#define SLAVE_N "SLAVE-%s"
/* clang-format off */
#define SID {'s', "sid"}
#define ROLE {'R', "role"}
#define STATE {'S', "state"}
#define GROUP {'G', "group"}
#define TASK {'k', "task"}
#define COUNT {'c', "count"}
#define TRANSPORT {'T', "transport"}
#define ADDRESS {'a', "address"}
#define REASON {'r', "reason"}
#define VERSION {'v', "version"}
#define MEMBER_ID {'m', "member_id"}
#define PATH {'p', "path"}
#define ALGORITHM {'n', "algorithm"}
#define ATTEMPTS {'A', "attempts"}
#define PID {'P', "pid"}
#define HOST {'H', "host"}
#define SIGNAL {'i', "signal"}
#define HOW {'h', "how"}
#define FROM {'F', "from"}

static const struct form forms[MWI_AUDIT_KINDS_COUNT] = {
    [MWI_AUDIT_VERSION] = {EVENTS, "VERSION", "version", "MW: Version %v", {VERSION}},
    [MWI_AUDIT_INIT] = {EVENTS, "INIT", "init", "%R \"%m\"", {ROLE, MEMBER_ID}},
    [MWI_AUDIT_MASTER_READY] = {EVENTS, "MASTER", "master-ready", "READY %a", {TRANSPORT, ADDRESS}},
    [MWI_AUDIT_NO_MASTER] =
        {PROBLEMS, "MASTER", "no-master", "No master algorithm is defined", {{0}}},
    [MWI_AUDIT_RESFILE_WRITTEN] =
        {EVENTS, "RESFILE", "resfile-written", "Generated resource file: \"%p\"", {PATH}},
    [MWI_AUDIT_RESFILE_LOADING] =
        {EVENTS, "RESFILE", "resfile-loading", "Loading resource file: \"%p\"", {PATH}},
    [MWI_AUDIT_RESFILE_PROBLEM] = {PROBLEMS, "RESFILE", "resfile-problem", "%r", {PATH, REASON}},
    [MWI_AUDIT_NEW_CLIENT] = {EVENTS, "NEW-CLIENT", "new-client", "-> %a", {TRANSPORT, ADDRESS}},
    [MWI_AUDIT_CLIENT_REFUSED] =
        {PROBLEMS, "NEW-CLIENT", "client-refused", "%a refused: %r", {TRANSPORT, ADDRESS, REASON}},
    [MWI_AUDIT_STRANGER] =
        {PROBLEMS, "STRANGER", "stranger", "%a turned away: %r", {TRANSPORT, ADDRESS, REASON}},
    [MWI_AUDIT_STRANGERS_MORE] =
        {PROBLEMS, "STRANGER", "strangers-more", "%c more were turned away", {COUNT}},
    [MWI_AUDIT_CLIENT_LATE] =
        {EVENTS, "NEW-CLIENT", "client-refused", "%a refused: %r", {TRANSPORT, ADDRESS, REASON}},
    [MWI_AUDIT_SLAVE_GREETED] =
        {EVENTS, SLAVE_N, "slave-greeted", "%a -> [\"%m\"] %S [%G]{ (pid %P on %H)}",
         {SID, STATE, GROUP, TRANSPORT, ADDRESS, MEMBER_ID, PID, HOST}},
    [MWI_AUDIT_SLAVE_STATE] = {ALL, SLAVE_N, "slave-state", "-> %S", {SID, STATE}},
    [MWI_AUDIT_SLAVE_ENDING] = {EVENTS, SLAVE_N, "slave-state", "-> %S", {SID, STATE}},
    [MWI_AUDIT_SLAVE_GROUP] = {EVENTS, SLAVE_N, "slave-group", "-> [%G]", {SID, GROUP}},
    [MWI_AUDIT_TASKS_SENT] = {ALL, SLAVE_N, "tasks-sent", "<- %c tasks", {SID, COUNT}},
    [MWI_AUDIT_RESULTS_RECEIVED] =
        {ALL, SLAVE_N, "results-received", "-> %c results{ (%f failed)}",
         {SID, COUNT, {'f', "failed"}}},
    [MWI_AUDIT_OFFER_TAKEN] =
        {EVENTS, SLAVE_N, "offer-taken", "-> OFFER of kept results: %c of use{, %f not}",
         {SID, COUNT, {'f', "unused"}}},
    [MWI_AUDIT_TASK_ENDED] =
        {ALL, "TASK", "task", "(always JSON)",
         {{'I', "id"}, {'t', "tag"}, {'N', "algorithm"}, {'L', "slave"}, {'1', "submitted"},
          {'2', "sent"}, {'3', "begun"}, {'4', "ended"}, {'5', "seconds"}, {'o', "outcome"},
          {'b', "bytes"}, {'B', "result_bytes"}}},
    [MWI_AUDIT_TASK_FAILED] =
        {EVENTS, SLAVE_N, "task-failed", "-> task %k of \"%n\" failed: %r",
         {SID, TASK, ALGORITHM, REASON}},
    [MWI_AUDIT_JOURNAL_OPENED] =
        {EVENTS, "JOURNAL", "journal-opened", "\"%p\" has %c results of %f runs",
         {{'c', "results"}, {'f', "runs"}, PATH}},
    [MWI_AUDIT_JOURNAL_PROBLEM] = {PROBLEMS, "JOURNAL", "journal-problem", "%r", {PATH, REASON}},
    [MWI_AUDIT_TASK_SAVED] =
        {ALL, SLAVE_N, "task-saved", "-> task %k of \"%n\" has saved %c bytes",
         {SID, TASK, {'c', "bytes"}, ALGORITHM}},
    [MWI_AUDIT_TASK_COPIED] =
        {EVENTS, SLAVE_N, "task-copied", "<- second copy of task %k of \"%n\": %r",
         {SID, TASK, ALGORITHM, REASON}},
    [MWI_AUDIT_TASK_REQUEUED] =
        {EVENTS, SLAVE_N, "task-requeued", "-> task %k of \"%n\" requeued after attempt %A: %r",
         {SID, TASK, ATTEMPTS, ALGORITHM, REASON}},
    [MWI_AUDIT_TASK_UNRUNNABLE] =
        {PROBLEMS, "MASTER", "task-unrunnable", "task %k of \"%n\" is unrunnable: %r",
         {TASK, ALGORITHM, REASON}},
    [MWI_AUDIT_TASK_UNFIT] =
        {PROBLEMS, "MASTER", "task-unfit", "task %k of \"%n\" failed: %r",
         {TASK, ALGORITHM, REASON}},
    [MWI_AUDIT_TASK_REFUSED] =
        {PROBLEMS, "MASTER", "task-refused", "a task{ of \"%n\"} was refused: %r",
         {ALGORITHM, REASON}},
    [MWI_AUDIT_TASK_CANCELLED] =
        {EVENTS, "MASTER", "task-cancelled", "task %k of \"%n\" is cancelled", {TASK, ALGORITHM}},
    [MWI_AUDIT_STOPPING] = {EVENTS, "MASTER", "stopping", "STOPPING: %c tasks run", {COUNT}},
    [MWI_AUDIT_TRY_SHUTDOWN] = {EVENTS, SLAVE_N, "try-shutdown", "<- TRY-SHUTDOWN", {SID}},
    [MWI_AUDIT_SLAVE_GOODBYE] = {EVENTS, SLAVE_N, "slave-goodbye", "-> GOODBYE: %r", {SID, REASON}},
    [MWI_AUDIT_SLAVE_LEAVING] = {EVENTS, SLAVE_N, "slave-leaving", "-> LEAVING: %r", {SID, REASON}},
    [MWI_AUDIT_SLAVE_DROPPED] = {PROBLEMS, SLAVE_N, "slave-dropped", "dropped: %r", {SID, REASON}},
    [MWI_AUDIT_SLAVE_SILENT] =
        {EVENTS, SLAVE_N, "slave-silent", "silent for %c s, has task %k of \"%n\"",
         {SID, TASK, {'c', "seconds"}, ALGORITHM}},
    [MWI_AUDIT_SLAVE_LOST] =
        {PROBLEMS, SLAVE_N, "slave-lost", "{(pid %P on %H) }%r", {SID, PID, HOST, REASON}},
    [MWI_AUDIT_EOF] = {EVENTS, "EOF", "eof", "-> %a{ (%r)}", {ADDRESS, REASON}},
    [MWI_AUDIT_LOCAL_STARTED] =
        {EVENTS, "MASTER", "local-started", "started local slave, pid %P", {PID}},
    [MWI_AUDIT_LOCAL_ENDED] =
        {EVENTS, "MASTER", "local-ended", "local slave, pid %P, %r", {PID, REASON}},
    [MWI_AUDIT_LOCAL_FAILED] =
        {PROBLEMS, "MASTER", "local-failed", "could not start a local slave: %r", {REASON}},
    [MWI_AUDIT_HOST_DOUBTED] =
        {PROBLEMS, "HOST", "host-doubted",
         "%H lost %c new slaves with their first tasks; the next waits for %f ms",
         {{'c', "slaves"}, {'f', "milliseconds"}, HOST}},
    [MWI_AUDIT_MASTER_AWAY] =
        {EVENTS, "MASTER", "master-away", "did not look at its slaves for %c ms, while they waited",
         {{'c', "milliseconds"}}},
    [MWI_AUDIT_LOCAL_HALTED] =
        {EVENTS, "MASTER", "local-halted", "local slave, pid %P, %r", {PID, REASON}},
    [MWI_AUDIT_LOCAL_UNGUARDED] =
        {PROBLEMS, "MASTER", "local-unguarded", "what local slaves start may outlive this farm: %r",
         {REASON}},
    [MWI_AUDIT_SIGNAL] = {EVENTS, "%R", "signal", "SIGNAL %i", {ROLE, SIGNAL}},
    [MWI_AUDIT_CONNECTED] =
        {EVENTS, "MASTER", "connected", "<- CONNECTED TO %a{ FROM %F}", {ADDRESS, FROM}},
    [MWI_AUDIT_CONNECT_FAILED] =
        {EVENTS, "MASTER", "connect-failed", "<- CONNECT FAILED %a: %r", {ADDRESS, REASON}},
    [MWI_AUDIT_SLAVE_ID] = {EVENTS, "MASTER", "slave-id", "-> ID " SLAVE_N, {SID}},
    [MWI_AUDIT_REFUSED] = {PROBLEMS, "MASTER", "refused", "-> REFUSED: %r", {REASON}},
    [MWI_AUDIT_TASKS_RECEIVED] =
        {ALL, "MASTER", "tasks-received", "-> %c tasks (%g grouping)",
         {COUNT, {'g', "group_size"}}},
    [MWI_AUDIT_RESULTS_SENT] = {ALL, "MASTER", "results-sent", "<- %c results", {COUNT}},
    [MWI_AUDIT_RESULTS_OFFERED] =
        {EVENTS, "MASTER", "results-offered", "<- OFFER of %c kept results", {COUNT}},
    [MWI_AUDIT_SHUTDOWN] = {EVENTS, "MASTER", "shutdown", "-> SHUTDOWN", {{0}}},
    [MWI_AUDIT_CEOF] = {EVENTS, "MASTER", "ceof", "-> CEOF", {{0}}},
    [MWI_AUDIT_MASTER_LOST] = {PROBLEMS, "EOF", "eof", "-> %a{ (%r)}", {ADDRESS, REASON}},
    [MWI_AUDIT_INSECURE] =
        {PROBLEMS, "%R", "insecure", "--mw-insecure: nothing is encrypted, and nobody needs a key",
         {ROLE}},
    [MWI_AUDIT_KEY_PROBLEM] = {PROBLEMS, "KEY", "key-problem", "%r", {PATH, REASON}},
    [MWI_AUDIT_RECORDS_LOST] =
        {PROBLEMS, "AUDIT", "records-lost", "%c records could not be written", {COUNT}},
    [MWI_AUDIT_FINI] = {EVENTS, "FINI", "fini", "%h \"%m\"", {HOW, MEMBER_ID}},
};
/* clang-format on */

static_assert(MWI_AUDIT_KINDS_COUNT <= 64, "the kinds are the bits of a number");

uint64_t mwi_audit_kinds(enum mwi_audit_level level)
{
    uint64_t kinds = 0;
    for (unsigned i = 0; i < MWI_AUDIT_KINDS_COUNT; i++)
        if (forms[i].level >= level && i != MWI_AUDIT_TASK_ENDED)
            kinds |= UINT64_C(1) << i;
    return kinds;
}

/* A field's value: a number, nanoseconds that are written as seconds, nothing, a word of ours, a
 * string that may hold anything, or be NULL, or bytes that are written in hexadecimal. */
enum value_type {
    VALUE_NUMBER,
    VALUE_SIGNED,
    VALUE_TIME,
    VALUE_NULL,
    VALUE_WORD,
    VALUE_STRING,
    VALUE_BYTES
};

struct value {
    enum value_type type;
    union {
        uint64_t number;
        int64_t integer;
        size_t size;
    };
    const char *string;
};

/* The place where the line grows. `end` is the last byte that may be used for the NUL. */
struct out {
    char *at;
    char *end;
};

static struct value number_value(uint64_t number)
{
    return (struct value){.type = VALUE_NUMBER, .number = number};
}

static struct value word_value(const char *word)
{
    return (struct value){.type = VALUE_WORD, .string = word};
}

static struct value string_value(const char *string)
{
    return (struct value){.type = VALUE_STRING, .string = string};
}

static struct value time_value(int64_t time_ns)
{
    if (time_ns == MWI_AUDIT_NEVER)
        return (struct value){.type = VALUE_NULL};
    return (struct value){.type = VALUE_TIME, .integer = time_ns};
}

static struct value tag_value(const struct mwi_audit_task *task)
{
    if (!task->has_tag_bytes)
        return (struct value){.type = VALUE_SIGNED, .integer = task->tag};
    return (struct value){
        .type = VALUE_BYTES, .size = task->tag_size, .string = (const char *)task->tag_bytes};
}

/* A field of a task that has ended. */
static struct value task_value(const struct mwi_audit_task *task, char letter)
{
    switch (letter) {
    case 'I':
        return number_value(task->id);
    case 't':
        return tag_value(task);
    case 'N':
        return string_value(task->algorithm);
    case 'L':
        return task->has_slave ? number_value(task->sid) : (struct value){.type = VALUE_NULL};
    case '1':
        return time_value(task->submitted_ns);
    case '2':
        return time_value(task->sent_ns);
    case '3':
        return time_value(task->begun_ns);
    case '4':
        return time_value(task->ended_ns);
    case '5':
        return time_value(task->duration_ns);
    case 'o':
        return word_value(task->outcome);
    case 'b':
        return number_value(task->bytes);
    default:
        assert(letter == 'B');
        return number_value(task->result_bytes);
    }
}

static struct value field_value(const struct mwi_audit_record *record, char letter)
{
    if (record->kind == MWI_AUDIT_TASK_ENDED)
        return task_value(record->ended, letter);
    switch (letter) {
    case 's':
        return number_value(record->sid);
    case 'k':
        return number_value(record->task);
    case 'c':
        return number_value(record->count);
    case 'A':
        return number_value(record->attempts);
    case 'P':
        return number_value(record->pid);
    case 'f':
        return number_value(record->failed);
    case 'g':
        return number_value(record->group_size);
    case 'R':
        return word_value(record->role == MWI_ROLE_MASTER ? "MASTER" : "SLAVE");
    case 'S':
        return word_value(mwi_state_slave_name(record->state));
    case 'G':
        return word_value(mwi_state_group_name(record->group));
    case 'T':
        return string_value(record->transport);
    case 'a':
        return string_value(record->address);
    case 'v':
        return string_value(record->version);
    case 'm':
        return string_value(record->member_id);
    case 'p':
        return string_value(record->path);
    case 'n':
        return string_value(record->algorithm);
    case 'i':
        return string_value(record->signal);
    case 'h':
        return string_value(record->how);
    case 'F':
        return string_value(record->from);
    case 'H':
        return string_value(record->host);
    default:
        assert(letter == 'r');
        return string_value(record->reason);
    }
}

static bool is_empty(const struct value *value)
{
    if (value->type == VALUE_NUMBER)
        return value->number == 0;
    return value->string == NULL || value->string[0] == '\0';
}

/* Appends the whole piece or nothing. After the first piece that did not fit, nothing fits. */
static void put_bytes(struct out *out, const char *bytes, size_t size)
{
    if (size > (size_t)(out->end - out->at)) {
        out->end = out->at;
        return;
    }
    memcpy(out->at, bytes, size);
    out->at += size;
}

static void put_char(struct out *out, char character)
{
    put_bytes(out, &character, 1);
}

static void put_word(struct out *out, const char *word)
{
    put_bytes(out, word, strlen(word));
}

static void put_number(struct out *out, uint64_t number)
{
    char digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    put_bytes(out, digits + first, sizeof digits - first);
}

static void put_text(struct out *out, const char *text)
{
    while (*text != '\0' && out->at < out->end) {
        uint32_t code;
        size_t length = mwi_utf8_decode(text, &code);
        if (length != 0 && mwi_utf8_is_printable(code))
            put_bytes(out, text, length);
        else
            put_char(out, '?');
        text += length != 0 ? length : 1;
    }
}

static void put_text_field(struct out *out, const struct mwi_audit_record *record, char letter)
{
    struct value value = field_value(record, letter);
    if (letter == 'a' && is_empty(&value))
        value = field_value(record, 'T');
    if (letter == 'g' && is_empty(&value))
        value = word_value("auto");

    if (value.type == VALUE_NUMBER)
        put_number(out, value.number);
    else
        put_text(out, value.string != NULL ? value.string : "?");
}

/* Whether the part of a form that begins with the brace at `form` is left out. */
static bool is_left_out(const struct mwi_audit_record *record, const char *form)
{
    struct value value = field_value(record, strchr(form, '%')[1]);
    return is_empty(&value);
}

static void put_form(struct out *out, const struct mwi_audit_record *record, const char *form)
{
    for (; *form != '\0'; form++) {
        if (*form == '%')
            put_text_field(out, record, *++form);
        else if (*form == '{' && is_left_out(record, form))
            form = strchr(form, '}');
        else if (*form != '{' && *form != '}')
            put_char(out, *form);
    }
}

size_t mwi_audit_text(const struct mwi_audit_record *record, const char *stamp, char *line,
                      size_t size)
{
    if (size == 0)
        return 0;

    assert(record->kind < MWI_AUDIT_KINDS_COUNT);
    const struct form *form = &forms[record->kind];
    struct out out = {.at = line, .end = line + size - 1};
    put_word(&out, stamp);
    put_word(&out, " [A] ");
    put_form(&out, record, form->subject);
    put_char(&out, ' ');
    put_form(&out, record, form->text);
    *out.at = '\0';
    return (size_t)(out.at - line);
}

/* Writes a character as JSON to piece[0..8), and returns the number of bytes. A byte that is no
 * text becomes the replacement character, because JSON has no other form for it. */
static size_t escape_character(const char *bytes, size_t length, uint32_t code, char *piece)
{
    if (length == 0)
        code = 0xfffd;
    if (length != 0 && mwi_utf8_is_printable(code) && code != '"' && code != '\\') {
        memcpy(piece, bytes, length);
        return length;
    }
    piece[0] = '\\';
    if (code == '"' || code == '\\') {
        piece[1] = (char)code;
        return 2;
    }
    piece[1] = 'u';
    for (unsigned i = 0; i < 4; i++)
        piece[2 + i] = hexadecimal[code >> (12 - 4 * i) & 0xf];
    return 6;
}

/* Writes a string in quotes, as much of it as fits into `room` bytes with the quotes. */
static void put_json_string(struct out *out, const char *string, size_t room)
{
    size_t used = 2;
    put_char(out, '"');
    while (*string != '\0') {
        char piece[8];
        uint32_t code;
        size_t length = mwi_utf8_decode(string, &code);
        size_t size = escape_character(string, length, code, piece);
        if (used + size > room)
            break;
        put_bytes(out, piece, size);
        used += size;
        string += length != 0 ? length : 1;
    }
    put_char(out, '"');
}

static void put_json_key(struct out *out, const char *key)
{
    put_word(out, ",\"");
    put_word(out, key);
    put_word(out, "\":");
}

static void put_json_word(struct out *out, const char *word)
{
    put_char(out, '"');
    put_word(out, word[0] == ':' ? word + 1 : word);
    put_char(out, '"');
}

static void put_integer(struct out *out, int64_t number)
{
    if (number < 0)
        put_char(out, '-');
    put_number(out, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

/* Writes nanoseconds as seconds with all their digits. */
static void put_seconds(struct out *out, int64_t time_ns)
{
    uint64_t size_ns = time_ns < 0 ? 0 - (uint64_t)time_ns : (uint64_t)time_ns;
    if (time_ns < 0)
        put_char(out, '-');
    put_number(out, size_ns / NS_PER_S);
    put_char(out, '.');
    for (uint64_t unit = NS_PER_S / 10; unit > 0; unit /= 10)
        put_char(out, (char)('0' + size_ns / unit % 10));
}

static void put_hexadecimal(struct out *out, const char *bytes, size_t size)
{
    put_char(out, '"');
    for (size_t i = 0; i < size; i++) {
        put_char(out, hexadecimal[(unsigned char)bytes[i] >> 4]);
        put_char(out, hexadecimal[bytes[i] & 0xf]);
    }
    put_char(out, '"');
}

/* A value of bounded length. */
static void put_json_bounded(struct out *out, const struct value *value)
{
    switch (value->type) {
    case VALUE_NUMBER:
        put_number(out, value->number);
        break;
    case VALUE_SIGNED:
        put_integer(out, value->integer);
        break;
    case VALUE_TIME:
        put_seconds(out, value->integer);
        break;
    case VALUE_NULL:
        put_word(out, "null");
        break;
    case VALUE_BYTES:
        put_hexadecimal(out, value->string, value->size);
        break;
    default:
        put_json_word(out, value->string);
    }
}

static void put_json_unbounded(struct out *out, const char *key, const char *string, size_t room)
{
    put_json_key(out, key);
    if (string == NULL)
        put_word(out, "null");
    else
        put_json_string(out, string, room - (strlen(key) + 4));
}

/* Writes numbers and words first, since their length is bounded. Then each string may use an equal
 * share of the room that is left, less the closing brace, and a short string leaves more for the
 * later ones. */
static void put_json_fields(struct out *out, const struct mwi_audit_record *record,
                            const struct field *fields)
{
    struct value strings[FIELDS_MAX];
    const char *keys[FIELDS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < FIELDS_MAX && fields[i].letter != '\0'; i++) {
        struct value value = field_value(record, fields[i].letter);
        if (value.type != VALUE_STRING) {
            put_json_key(out, fields[i].key);
            put_json_bounded(out, &value);
            continue;
        }
        strings[count] = value;
        keys[count++] = fields[i].key;
    }
    for (size_t i = 0; i < count; i++) {
        size_t room = (size_t)(out->end - out->at) - 1;
        put_json_unbounded(out, keys[i], strings[i].string, room / (count - i));
    }
}

static void put_json_time(struct out *out, int64_t wall_ns)
{
    put_word(out, "{\"time_ns\":");
    put_integer(out, wall_ns);
}

static int64_t shift(int64_t time_ns, int64_t offset_ns)
{
    return time_ns == MWI_AUDIT_NEVER ? time_ns
                                      : (int64_t)((uint64_t)time_ns + (uint64_t)offset_ns);
}

/* The same task with times since 1970. */
static struct mwi_audit_task shift_times(const struct mwi_audit_task *task, int64_t offset_ns)
{
    struct mwi_audit_task shifted = *task;
    shifted.submitted_ns = shift(task->submitted_ns, offset_ns);
    shifted.sent_ns = shift(task->sent_ns, offset_ns);
    shifted.begun_ns = shift(task->begun_ns, offset_ns);
    shifted.ended_ns = shift(task->ended_ns, offset_ns);
    return shifted;
}

static size_t write_json(const struct mwi_audit_record *record, int64_t wall_ns, char *line,
                         size_t size)
{
    const struct form *form = &forms[record->kind];
    struct out out = {.at = line, .end = line + size - 1};
    put_json_time(&out, wall_ns);
    put_json_key(&out, "subject");
    put_char(&out, '"');
    put_form(&out, record, form->subject);
    put_char(&out, '"');
    put_json_key(&out, "event");
    put_json_word(&out, form->event);
    put_json_fields(&out, record, form->fields);
    put_char(&out, '}');
    *out.at = '\0';
    return (size_t)(out.at - line);
}

size_t mwi_audit_json(const struct mwi_audit_record *record, int64_t wall_ns, char *line,
                      size_t size)
{
    assert(record->kind < MWI_AUDIT_KINDS_COUNT);
    if (record->kind != MWI_AUDIT_TASK_ENDED)
        return write_json(record, wall_ns, line, size);
    int64_t offset_ns = (int64_t)((uint64_t)wall_ns - (uint64_t)record->time_ns);
    struct mwi_audit_task task = shift_times(record->ended, offset_ns);
    struct mwi_audit_record shifted = *record;
    shifted.ended = &task;
    return write_json(&shifted, wall_ns, line, size);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of options: their names, kinds, limits, defaults and help texts. The readers of argv
 * and of the environment, --mw-help and the man page all use it, so that each fact stands once.
 * Each option has exactly one row, at the index of its enumerator.
 *
 * To add an option: an enumerator in table.h and a row here; then settings.c hands its value to the
 * room that needs it.
 */
#include "options/table.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <mw/transport.h>

#include "base/time.h"

#define SECONDS(count) (MWI_NS_PER_S * (count))
#define DURATION_MAX SECONDS(1000000)
#define MESSAGE_BYTES_MIN 4096
#define MESSAGE_BYTES_MAX ((int64_t)MW_FRAME_BYTES_MAX)
#define PATH_BYTES_MAX 4095
#define NAME_LENGTH_MAX 40
#define PART_LENGTH_MIN 3

static const char *const transports[] = {"auto", "local", "tcp", "mpi", "mpi,tcp", NULL};
/* In the order of mw_wait. */
static const char *const waits[] = {"auto", "spin", "yield", "nap", NULL};
static const char *const audit_formats[] = {"text", "json", NULL};
static const char *const on_error_words[] = {"stop", "continue", NULL};
static const char *const audit_times[] = {"s", "ms", NULL};
/* In the order of enum mwi_audit_level. */
static const char *const audit_levels[] = {"all", "events", "problems", "none", NULL};

const struct mwi_option_row mwi_table_rows[MWI_OPTIONS_COUNT] = {
    [MWI_OPTION_HELP] =
        {
            .name = "help",
            .kind = MWI_OPTION_IS_FLAG,
            .section = MWI_OPTIONS_GENERAL,
            .is_command_line_only = true,
            .default_value = "0",
            .help = "Print this text and exit.",
        },
    [MWI_OPTION_VERSION_STRING] =
        {
            .name = "version-string",
            .kind = MWI_OPTION_IS_FLAG,
            .section = MWI_OPTIONS_GENERAL,
            .is_command_line_only = true,
            .default_value = "0",
            .help = "Print the version of the library and exit.",
        },
    [MWI_OPTION_MASTER] =
        {
            .name = "master",
            .kind = MWI_OPTION_IS_FLAG,
            .section = MWI_OPTIONS_ROLE,
            .default_value = "0",
            .help = "Run as a master that slaves connect to over TCP. Not for rank 0 of an MPI "
                    "job, which is a master anyway; with --mw-transport mpi,tcp that master "
                    "accepts slaves over TCP too.",
        },
    [MWI_OPTION_SLAVE] =
        {
            .name = "slave",
            .kind = MWI_OPTION_IS_FLAG,
            .section = MWI_OPTIONS_ROLE,
            .default_value = "0",
            .help = "Run as a slave. It finds its master through --mw-resource-file, or through "
                    "--mw-master-host and --mw-master-port.",
        },
    [MWI_OPTION_LOCAL] =
        {
            .name = "local",
            .kind = MWI_OPTION_IS_INTEGER,
            .role = MWI_OPTION_FOR_MASTER,
            .section = MWI_OPTIONS_ROLE,
            .min = 0,
            .max = 4096,
            .metavariable = "N",
            .default_words =
                "one slave per processor that the program may use, when the farm is local",
            .help = "Run a whole farm on this machine: a master that starts N slaves. With 0 it "
                    "starts none, and runs the slave in its own process, one task after the "
                    "other: for debuggers and tests. Then no task has a time limit.",
        },
    [MWI_OPTION_TRANSPORT] =
        {
            .name = "transport",
            .kind = MWI_OPTION_IS_WORD,
            .section = MWI_OPTIONS_ROLE,
            .words = transports,
            .metavariable = "T",
            .default_value = "auto",
            .help = "How master and slaves talk to each other. auto chooses mpi if an MPI "
                    "launcher has started more than one process, tcp if --mw-master or --mw-slave "
                    "is given, and local otherwise. Under mpi, rank 0 is the master. mpi,tcp is "
                    "mpi with a master that also accepts slaves over TCP.",
        },
    [MWI_OPTION_CHANNEL] =
        {
            .name = "channel",
            .kind = MWI_OPTION_IS_INTEGER,
            .role = MWI_OPTION_FOR_SLAVE,
            .section = MWI_OPTIONS_ROLE,
            .min = 0,
            .max = 1048576,
            .metavariable = "N",
            .help = "Talk to the master over the inherited descriptor N. A master gives this "
                    "option to the slaves that it starts itself.",
        },
    [MWI_OPTION_MASTER_HOST] =
        {
            .name = "master-host",
            .kind = MWI_OPTION_IS_HOST,
            .section = MWI_OPTIONS_NETWORK,
            .max = MWI_HOST_BYTES_MAX,
            .metavariable = "H",
            .default_words = "for a master, all interfaces and the name of its machine",
            .help = "Master: the interface to listen on; * is all interfaces. The resource file "
                    "names this host, unless --mw-advertise gives another one. Slave: the host to "
                    "connect to.",
        },
    [MWI_OPTION_MASTER_PORT] =
        {
            .name = "master-port",
            .kind = MWI_OPTION_IS_PORTS,
            .section = MWI_OPTIONS_NETWORK,
            .min = 0,
            .max = 65535,
            .metavariable = "P",
            .default_value = "0",
            .help =
                "Master: the port to listen on; 0 takes a free one, LOW-HIGH takes the first free "
                "port of the range. Slave: the port to connect to, a single one.",
        },
    [MWI_OPTION_ADVERTISE] =
        {
            .name = "advertise",
            .kind = MWI_OPTION_IS_HOST,
            .is_one_host = true,
            .role = MWI_OPTION_FOR_MASTER,
            .section = MWI_OPTIONS_NETWORK,
            .max = MWI_HOST_BYTES_MAX,
            .metavariable = "H",
            .default_words = "the host of --mw-master-host",
            .help = "The name or address that slaves shall connect to. The resource file and the "
                    "audit trail name it in place of the interface that the master listens on.",
        },
    [MWI_OPTION_MEMBER_ID] =
        {
            .name = "member-id",
            .kind = MWI_OPTION_IS_TEXT,
            .section = MWI_OPTIONS_NETWORK,
            .is_inherited = true,
            .is_printable = true,
            .min = 1,
            .max = MWI_MEMBER_ID_BYTES_MAX,
            .metavariable = "S",
            .default_value = "default-member-id",
            .help = "A token that must be the same in master and slave. It keeps several farms "
                    "apart and gives no security.",
        },
    [MWI_OPTION_KEY_FILE] =
        {
            .name = "key-file",
            .kind = MWI_OPTION_IS_TEXT,
            .section = MWI_OPTIONS_NETWORK,
            .min = 1,
            .max = PATH_BYTES_MAX,
            .metavariable = "F",
            .default_words = "$XDG_CONFIG_HOME/mw/key, or $HOME/.config/mw/key",
            .help = "Master and slaves over TCP encrypt all that they say, and prove to each "
                    "other that they hold the same key. A slave without a resource file takes "
                    "the key from the file F, and a master makes the file if there is none. "
                    "Nobody but its owner may have any right to it. mwkey changes the key.",
        },
    [MWI_OPTION_INSECURE] =
        {
            .name = "insecure",
            .kind = MWI_OPTION_IS_FLAG,
            .section = MWI_OPTIONS_NETWORK,
            .default_value = "0",
            .help = "Over TCP encrypt nothing and ask nobody for a key. Master and slaves must "
                    "both have this option. A master listens on 127.0.0.1 then, unless "
                    "--mw-master-host names another host.",
        },
    [MWI_OPTION_CONNECT_TIMEOUT] =
        {
            .name = "connect-timeout",
            .kind = MWI_OPTION_IS_DURATION,
            .section = MWI_OPTIONS_NETWORK,
            .min = 0,
            .max = DURATION_MAX,
            .metavariable = "S",
            .default_value = "30",
            .help =
                "How many seconds a slave tries to reach a master over the network. It also "
                "waits that long for the master or the resource file to appear. Slaves that a "
                "master starts itself, and the ranks of an MPI job, have no such limit. A master "
                "waits that long for a slave that accepts messages of the size of a waiting "
                "task, while slaves are there that do not.",
        },
    [MWI_OPTION_RECONNECT] =
        {
            .name = "reconnect",
            .kind = MWI_OPTION_IS_DURATION,
            .section = MWI_OPTIONS_NETWORK,
            .min = 0,
            .max = DURATION_MAX,
            .metavariable = "S",
            .default_value = "0",
            .help =
                "Slave: if the master is gone and has not said goodbye, finish the task and look "
                "for the master, or another one, for S seconds. Results that the old master "
                "has not confirmed are offered to the new one. Only over TCP. With 0 a slave "
                "without a master ends at once. Master, with --mw-journal: tasks that slaves "
                "had when the master before ended are sent to others last for S seconds, and "
                "on SIGTERM slaves with this option are left to look for the next master; a "
                "second SIGTERM sends them home.",
        },
    [MWI_OPTION_CLIENT_TIMEOUT] =
        {
            .name = "client-timeout",
            .kind = MWI_OPTION_IS_DURATION,
            .role = MWI_OPTION_FOR_MASTER,
            .section = MWI_OPTIONS_NETWORK,
            .min = 1,
            .max = DURATION_MAX,
            .metavariable = "S",
            .default_value = "60",
            .help = "How many seconds the master waits for the greeting of a new client, and for "
                    "a sign of life from a slave that has no task. Over TCP a new client has 10 "
                    "seconds at most. A slave that runs a task may be silent for any time.",
        },
    [MWI_OPTION_SHUTDOWN_TIMEOUT] =
        {
            .name = "shutdown-timeout",
            .kind = MWI_OPTION_IS_DURATION,
            .role = MWI_OPTION_FOR_MASTER,
            .section = MWI_OPTIONS_NETWORK,
            .min = 0,
            .max = DURATION_MAX,
            .metavariable = "S",
            .default_value = "20",
            .help = "How many seconds a master that ends waits for its slaves to end. After the "
                    "first signal, and after mw_master_stop, it waits as long for the tasks that "
                    "run.",
        },
    [MWI_OPTION_WAIT] =
        {
            .name = "wait",
            .kind = MWI_OPTION_IS_WORD,
            .section = MWI_OPTIONS_NETWORK,
            .is_inherited = true,
            .words = waits,
            .metavariable = "T",
            .default_value = "auto",
            .help = "How a process waits while nothing happens. auto is fast when busy and quiet "
                    "when idle; spin never sleeps, which gives the fastest answers and takes a "
                    "whole core for each process; yield is the same but gives way to other "
                    "processes; nap never spins.",
        },
    [MWI_OPTION_MAX_WRITE_BUFFER_SIZE] =
        {
            .name = "max-write-buffer-size",
            .kind = MWI_OPTION_IS_SIZE,
            .section = MWI_OPTIONS_NETWORK,
            .is_inherited = true,
            .min = MESSAGE_BYTES_MIN,
            .max = MESSAGE_BYTES_MAX,
            .metavariable = "B",
            .default_value = "64M",
            .help = "The largest message to send; the message itself needs up to 128 bytes of it. "
                    "A task that does not fit is refused when it is submitted. A result that does "
                    "not fit fails alone. A task that is too large for a slave waits for one that "
                    "accepts it.",
        },
    [MWI_OPTION_MAX_READ_BUFFER_SIZE] =
        {
            .name = "max-read-buffer-size",
            .kind = MWI_OPTION_IS_SIZE,
            .section = MWI_OPTIONS_NETWORK,
            .is_inherited = true,
            .min = MESSAGE_BYTES_MIN,
            .max = MESSAGE_BYTES_MAX,
            .metavariable = "B",
            .default_value = "64M",
            .help = "The largest message to accept. It protects against a peer that sends "
                    "nonsense.",
        },
    [MWI_OPTION_SLAVE_TASK_GROUP] =
        {
            .name = "slave-task-group",
            .kind = MWI_OPTION_IS_GROUP,
            .section = MWI_OPTIONS_SLAVES,
            .is_inherited = true,
            .min = 1,
            .max = 1000000,
            .metavariable = "N",
            .default_value = "auto",
            .help = "How many tasks the master sends to a slave in one message. With a number, "
                    "the master sends the next group once the slave has returned the last one, "
                    "and nothing ahead. With auto, it sends as many tasks as take a short time, "
                    "and more while the slave still has some.",
        },
    [MWI_OPTION_SPECULATE] =
        {
            .name = "speculate",
            .kind = MWI_OPTION_IS_FLAG,
            .role = MWI_OPTION_FOR_MASTER,
            .section = MWI_OPTIONS_SLAVES,
            .default_value = "0",
            .help = "When no task waits and a slave is idle, let it run a task a second time that "
                    "is slow at another slave. The first result counts. Holds for all tasks whose "
                    "policy says nothing else; never for tasks that belong to one slave or must "
                    "not run twice.",
        },
    [MWI_OPTION_SPECULATE_FACTOR] =
        {
            .name = "speculate-factor",
            .kind = MWI_OPTION_IS_INTEGER,
            .role = MWI_OPTION_FOR_MASTER,
            .section = MWI_OPTIONS_SLAVES,
            .min = 1,
            .max = 1000,
            .metavariable = "K",
            .default_value = "2",
            .help = "A task is slow when it has run for longer than K times the median of its "
                    "algorithm's last tasks, and for at least half a second.",
        },
    [MWI_OPTION_SLAVE_RESULT_GROUP] =
        {
            .name = "slave-result-group",
            .kind = MWI_OPTION_IS_GROUP,
            .section = MWI_OPTIONS_SLAVES,
            .is_inherited = true,
            .min = 1,
            .max = 1000000,
            .metavariable = "N",
            .default_value = "auto",
            .help = "How many results a slave sends to the master in one message. It sends fewer "
                    "when it has no task left. With auto, it sends them when half of its tasks "
                    "are done, and before a result would wait for more than 1.5 ms.",
        },
    [MWI_OPTION_AUDIT_FILE] =
        {
            .name = "audit-file",
            .kind = MWI_OPTION_IS_TEXT,
            .section = MWI_OPTIONS_AUDIT,
            .is_inherited = true,
            .min = 1,
            .max = PATH_BYTES_MAX,
            .metavariable = "F",
            .default_words = "standard error",
            .help = "Append the audit trail to the file F. In the name F, %n becomes the node "
                    "(master, SLAVE-3), %p the process id, %h the host, %m the member id, and %% "
                    "a %.",
        },
    [MWI_OPTION_AUDIT_FORMAT] =
        {
            .name = "audit-format",
            .kind = MWI_OPTION_IS_WORD,
            .section = MWI_OPTIONS_AUDIT,
            .is_inherited = true,
            .words = audit_formats,
            .metavariable = "T",
            .default_value = "text",
            .help = "The form of the audit trail: text writes lines for people, json writes one "
                    "JSON object a line.",
        },
    [MWI_OPTION_AUDIT_LEVEL] =
        {
            .name = "audit-level",
            .kind = MWI_OPTION_IS_WORD,
            .section = MWI_OPTIONS_AUDIT,
            .is_inherited = true,
            .words = audit_levels,
            .metavariable = "T",
            .default_value = "all",
            .help = "Which records the audit trail has: all of them; events, that is all but one "
                    "or two for each message between master and slave; problems, such as a lost "
                    "slave or an unrunnable task; or none.",
        },
    [MWI_OPTION_AUDIT_TASKS] =
        {
            .name = "audit-tasks",
            .kind = MWI_OPTION_IS_FLAG,
            .role = MWI_OPTION_FOR_MASTER,
            .section = MWI_OPTIONS_AUDIT,
            .default_value = "0",
            .help = "Add a line of JSON to the audit trail for each task that has ended: its tag, "
                    "algorithm and slave, when it was submitted, sent, begun and ended, its "
                    "outcome and its sizes. --mw-audit-level has no influence on these lines.",
        },
    [MWI_OPTION_AUDIT_TIME] =
        {
            .name = "audit-time",
            .kind = MWI_OPTION_IS_WORD,
            .section = MWI_OPTIONS_AUDIT,
            .is_inherited = true,
            .words = audit_times,
            .metavariable = "T",
            .default_value = "s",
            .help = "The times of an audit trail in text: s has whole seconds, ms also "
                    "milliseconds. JSON always has nanoseconds.",
        },
    [MWI_OPTION_QUIET] =
        {
            .name = "quiet",
            .kind = MWI_OPTION_IS_FLAG,
            .section = MWI_OPTIONS_AUDIT,
            .is_inherited = true,
            .default_value = "0",
            .help = "Write only the problems of the audit trail to standard error. A file that "
                    "--mw-audit-file names is written as --mw-audit-level says.",
        },
    [MWI_OPTION_SLAVE_OUTPUT] =
        {
            .name = "slave-output",
            .kind = MWI_OPTION_IS_TEXT,
            .role = MWI_OPTION_FOR_SLAVE,
            .section = MWI_OPTIONS_AUDIT,
            .is_inherited = true,
            .min = 1,
            .max = PATH_BYTES_MAX,
            .metavariable = "F",
            .default_words = "where the slave's own output goes",
            .help = "Append all that tasks print, to standard output and standard error, to the "
                    "file F. %n, %p, %h and %m stand for the same as in --mw-audit-file, so that "
                    "out-%n gives each slave a file of its own.",
        },
    [MWI_OPTION_RESOURCE_FILE] =
        {
            .name = "resource-file",
            .kind = MWI_OPTION_IS_TEXT,
            .section = MWI_OPTIONS_RESOURCE_FILE,
            .min = 1,
            .max = PATH_BYTES_MAX,
            .metavariable = "F",
            .help = "Master: write to the file F how slaves and batch systems reach this master. "
                    "Slave: read from the file F the host, port and member id of the master, and "
                    "whether the computation has finished. A --mw-master-host, --mw-master-port "
                    "or --mw-member-id that comes later on the command line overrides the file. "
                    "The file overrides the ones that come earlier or from the environment.",
        },
    [MWI_OPTION_RESOURCE_FILE_UPDATE_INTERVAL] =
        {
            .name = "resource-file-update-interval",
            .kind = MWI_OPTION_IS_DURATION,
            .role = MWI_OPTION_FOR_MASTER,
            .section = MWI_OPTIONS_RESOURCE_FILE,
            .min = SECONDS(1),
            .max = DURATION_MAX,
            .metavariable = "S",
            .default_value = "300",
            .help = "After how many seconds, at the latest, the master writes the resource file "
                    "again.",
        },
    [MWI_OPTION_JOURNAL] =
        {
            .name = "journal",
            .kind = MWI_OPTION_IS_TEXT,
            .role = MWI_OPTION_FOR_MASTER,
            .section = MWI_OPTIONS_JOURNAL,
            .min = 1,
            .max = PATH_BYTES_MAX,
            .metavariable = "F",
            .default_words = "none",
            .help =
                "Record all results in the file F. A master that is started again with the same "
                "file, after it was killed for instance, gets the recorded results for tasks of "
                "the same algorithm and arguments, and only the others run.",
        },
    [MWI_OPTION_JOURNAL_SYNC] =
        {
            .name = "journal-sync",
            .kind = MWI_OPTION_IS_DURATION,
            .role = MWI_OPTION_FOR_MASTER,
            .section = MWI_OPTIONS_JOURNAL,
            .min = 0,
            .max = DURATION_MAX,
            .metavariable = "S",
            .default_value = "0.005",
            .help = "Results are on the disk S seconds after they have come, at the latest, so a "
                    "power cut costs no more. If only the master is killed, nothing is lost in any "
                    "case. With 0 the next sync begins when the last has ended.",
        },
    [MWI_OPTION_JOURNAL_ACCEPT] =
        {
            .name = "journal-accept",
            .kind = MWI_OPTION_IS_FLAG,
            .role = MWI_OPTION_FOR_MASTER,
            .section = MWI_OPTIONS_JOURNAL,
            .default_value = "0",
            .help = "Use the journal although the program or its arguments have changed since it "
                    "was written. You vouch that the recorded results are still right.",
        },
    [MWI_OPTION_JOURNAL_ON_ERROR] =
        {
            .name = "journal-on-error",
            .kind = MWI_OPTION_IS_WORD,
            .role = MWI_OPTION_FOR_MASTER,
            .section = MWI_OPTIONS_JOURNAL,
            .words = on_error_words,
            .metavariable = "W",
            .default_value = "stop",
            .help =
                "If the journal cannot be written any more, because the disk is full for "
                "instance: stop waits for the tasks that run and ends the farm, as SIGTERM does; "
                "continue goes on without recording anything.",
        },
    [MWI_OPTION_JOURNAL_KEEP_FAILED] =
        {
            .name = "journal-keep-failed",
            .kind = MWI_OPTION_IS_FLAG,
            .role = MWI_OPTION_FOR_MASTER,
            .section = MWI_OPTIONS_JOURNAL,
            .default_value = "0",
            .help = "Record failed tasks, too, and let recorded failures stand. Without it, tasks "
                    "that have failed run again when the master is started again.",
        },
    [MWI_OPTION_SLAVE_EXECUTABLE] =
        {
            .name = "slave-executable",
            .kind = MWI_OPTION_IS_TEXT,
            .role = MWI_OPTION_FOR_MASTER,
            .section = MWI_OPTIONS_RESOURCE_FILE,
            .min = 1,
            .max = PATH_BYTES_MAX,
            .metavariable = "P",
            .default_words = "this program",
            .help = "The path of the program that slaves run. The master starts it in local mode, "
                    "and the resource file names it.",
        },
    [MWI_OPTION_SLAVE_ISOLATE] =
        {
            .name = "slave-isolate",
            .kind = MWI_OPTION_IS_FLAG,
            .role = MWI_OPTION_FOR_SLAVE,
            .section = MWI_OPTIONS_SLAVES,
            .is_inherited = true,
            .default_value = "0",
            .help = "Run the slave's tasks, and its slave algorithm, in a process of their own, "
                    "which leads a session. If that process crashes, exits or kills its process "
                    "group, or a task overruns its time limit, only an attempt at this task has "
                    "failed: the slave goes on with a new process. A task that is cancelled is "
                    "ended.",
        },
    [MWI_OPTION_SLAVE_MEMORY] =
        {
            .name = "slave-memory",
            .kind = MWI_OPTION_IS_SIZE,
            .role = MWI_OPTION_FOR_SLAVE,
            .section = MWI_OPTIONS_SLAVES,
            .is_inherited = true,
            .min = 4096,
            .max = INT64_C(1) << 48,
            .metavariable = "B",
            .default_words = "no limit",
            .help = "With --mw-slave-isolate: how much memory the process that runs the tasks, "
                    "and the processes that it has started, may have in use together. Memory "
                    "that they share counts once, and pages of mapped files do not count. It is "
                    "measured 20 times a second, less often near the limit, and a process with "
                    "more is ended.",
        },
};

const char *mwi_table_section_title(enum mwi_option_section section)
{
    static const char *const titles[MWI_OPTION_SECTIONS_COUNT] = {
        [MWI_OPTIONS_GENERAL] = "General", [MWI_OPTIONS_ROLE] = "Role and transport",
        [MWI_OPTIONS_NETWORK] = "Network", [MWI_OPTIONS_SLAVES] = "Slaves",
        [MWI_OPTIONS_AUDIT] = "Audit",     [MWI_OPTIONS_RESOURCE_FILE] = "Resource file",
        [MWI_OPTIONS_JOURNAL] = "Journal",
    };
    assert(section < MWI_OPTION_SECTIONS_COUNT);
    return titles[section];
}

enum mwi_option mwi_table_find(const char *name, size_t length)
{
    int i = 0;
    while (i < MWI_OPTIONS_COUNT && (strlen(mwi_table_rows[i].name) != length ||
                                     memcmp(mwi_table_rows[i].name, name, length) != 0))
        i++;
    return (enum mwi_option)i;
}

static size_t min_of_three(size_t first, size_t second, size_t third)
{
    size_t least = first < second ? first : second;
    return least < third ? least : third;
}

/* How many bytes must be inserted, removed or replaced to turn `name` into `known`. This is the
 * usual matrix, computed row by row, and only one row is kept. */
static size_t edit_distance(const char *known, const char *name, size_t length)
{
    size_t row[NAME_LENGTH_MAX + 1];
    assert(length <= NAME_LENGTH_MAX);
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (; *known != '\0'; known++) {
        size_t diagonal = row[0]++;
        for (size_t j = 1; j <= length; j++) {
            size_t above = row[j];
            row[j] = min_of_three(above + 1, row[j - 1] + 1, diagonal + (*known != name[j - 1]));
            diagonal = above;
        }
    }
    return row[length];
}

/* The first name in which a word begins with the given part: "master-port" for "port". */
static const char *name_around(const char *part, size_t length)
{
    for (int i = 0; length >= PART_LENGTH_MIN && i < MWI_OPTIONS_COUNT; i++) {
        const char *name = mwi_table_rows[i].name;
        const char *found = memmem(name, strlen(name), part, length);
        if (found != NULL && (found == name || found[-1] == '-'))
            return name;
    }
    return NULL;
}

const char *mwi_table_nearest(const char *name, size_t length)
{
    const char *nearest = NULL;
    size_t least = length / 2 + 1;
    if (length > NAME_LENGTH_MAX)
        return NULL;
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++) {
        size_t distance = edit_distance(mwi_table_rows[i].name, name, length);
        if (distance < least) {
            least = distance;
            nearest = mwi_table_rows[i].name;
        }
    }
    const char *around = least > 2 ? name_around(name, length) : NULL;
    return around != NULL ? around : nearest;
}

void mwi_table_variable(const struct mwi_option_row *row, char *text, size_t size)
{
    snprintf(text, size, "MW_%s", row->name);
    for (; *text != '\0'; text++) {
        if (*text == '-')
            *text = '_';
        else if (*text >= 'a' && *text <= 'z')
            *text = (char)(*text - 'a' + 'A');
    }
}

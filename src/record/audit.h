/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit trail: typed records, and their form as a line, in text as CL-MW writes it or in JSON.
 * This file does no input or output: audit_file writes the lines; the engines, the loop and the
 * face make the records. A new kind is a row of the list below and of the table in audit.c.
 */
#ifndef MWI_AUDIT_H
#define MWI_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options/settings.h"
#include "record/state.h"

/* Every kind of record, and the fields of struct mwi_audit_record that it uses. audit.c holds the
 * forms, and tests/unit/test_audit.c fixes them. */
enum mwi_audit_kind {
    MWI_AUDIT_VERSION,          /* version */
    MWI_AUDIT_INIT,             /* role, member_id */
    MWI_AUDIT_MASTER_READY,     /* transport, address */
    MWI_AUDIT_NO_MASTER,        /* none: the program has no master algorithm */
    MWI_AUDIT_RESFILE_WRITTEN,  /* path */
    MWI_AUDIT_RESFILE_LOADING,  /* path */
    MWI_AUDIT_RESFILE_PROBLEM,  /* path, reason */
    MWI_AUDIT_NEW_CLIENT,       /* transport, address */
    MWI_AUDIT_CLIENT_REFUSED,   /* transport, address, reason: a client that is no slave yet */
    MWI_AUDIT_STRANGER,         /* transport, address, reason: no client, turned away */
    MWI_AUDIT_STRANGERS_MORE,   /* count: of those that had no line, in about a second */
    MWI_AUDIT_CLIENT_LATE,      /* the same for a client that came while the master ends */
    MWI_AUDIT_SLAVE_GREETED,    /* sid, state, group, transport, address, member_id, pid, host */
    MWI_AUDIT_SLAVE_STATE,      /* sid, state: its new one, idle or busy */
    MWI_AUDIT_SLAVE_ENDING,     /* sid, state: the same for shutting down and disconnected */
    MWI_AUDIT_SLAVE_GROUP,      /* sid, group: its new one */
    MWI_AUDIT_TASKS_SENT,       /* sid, count */
    MWI_AUDIT_RESULTS_RECEIVED, /* sid, count, failed */
    MWI_AUDIT_OFFER_TAKEN,      /* sid, count: kept results that ended tasks, failed: others */
    MWI_AUDIT_TASK_ENDED,       /* ended: only if it is asked for, and always as JSON */
    MWI_AUDIT_TASK_FAILED,      /* sid, task, algorithm, reason */
    MWI_AUDIT_JOURNAL_OPENED,   /* path, count (results), failed (runs) */
    MWI_AUDIT_JOURNAL_PROBLEM,  /* path, reason */
    MWI_AUDIT_TASK_SAVED,       /* sid, task, algorithm, count (bytes) */
    MWI_AUDIT_TASK_COPIED,      /* sid (of the second slave), task, algorithm, reason */
    MWI_AUDIT_TASK_REQUEUED,    /* sid, task, attempts, algorithm, reason */
    MWI_AUDIT_TASK_UNRUNNABLE,  /* task, algorithm, reason */
    MWI_AUDIT_TASK_UNFIT,       /* task, algorithm, reason: it failed, and fits no slave */
    MWI_AUDIT_TASK_REFUSED,     /* algorithm (may be NULL), reason: it was not submitted */
    MWI_AUDIT_TASK_CANCELLED,   /* task, algorithm */
    MWI_AUDIT_STOPPING,         /* count: of the tasks that run and are waited for */
    MWI_AUDIT_TRY_SHUTDOWN,     /* sid */
    MWI_AUDIT_SLAVE_GOODBYE,    /* sid, reason */
    MWI_AUDIT_SLAVE_LEAVING,    /* sid, reason: it will say goodbye when its task has ended */
    MWI_AUDIT_SLAVE_DROPPED,    /* sid, reason: by the master */
    MWI_AUDIT_SLAVE_SILENT,     /* sid, task, algorithm, count: of seconds */
    MWI_AUDIT_SLAVE_LOST,       /* sid, pid, host, reason: "was lost: ...", or how it ended */
    MWI_AUDIT_EOF,              /* address, reason (may be NULL) */
    MWI_AUDIT_LOCAL_STARTED,    /* pid */
    MWI_AUDIT_LOCAL_ENDED,      /* pid, reason */
    MWI_AUDIT_LOCAL_FAILED,     /* reason */
    MWI_AUDIT_HOST_DOUBTED,     /* host, count: of slaves, failed: milliseconds */
    MWI_AUDIT_MASTER_AWAY,      /* count: of milliseconds */
    MWI_AUDIT_LOCAL_UNGUARDED,  /* reason */
    MWI_AUDIT_LOCAL_HALTED,     /* pid, reason: "is stopped", "goes on" */
    MWI_AUDIT_SIGNAL,           /* role, signal */
    /* In a slave's trail: */
    MWI_AUDIT_CONNECTED,       /* address (the master's), from (may be NULL) */
    MWI_AUDIT_CONNECT_FAILED,  /* address, reason */
    MWI_AUDIT_SLAVE_ID,        /* sid */
    MWI_AUDIT_REFUSED,         /* reason */
    MWI_AUDIT_TASKS_RECEIVED,  /* count, group_size */
    MWI_AUDIT_RESULTS_SENT,    /* count */
    MWI_AUDIT_RESULTS_OFFERED, /* count: of kept results */
    MWI_AUDIT_SHUTDOWN,        /* none */
    MWI_AUDIT_CEOF,            /* none: the connection is closed */
    MWI_AUDIT_MASTER_LOST,     /* the fields of EOF: the connection ended too early */
    /* In both: */
    MWI_AUDIT_INSECURE,     /* role: nothing is encrypted, because the user wants it so */
    MWI_AUDIT_KEY_PROBLEM,  /* path, reason: the key file is of no use */
    MWI_AUDIT_RECORDS_LOST, /* count: of records that could not be written */
    MWI_AUDIT_FINI,         /* how, member_id */
    MWI_AUDIT_KINDS_COUNT
};

enum mwi_role { MWI_ROLE_MASTER, MWI_ROLE_SLAVE };

/* A tag of bytes is cut at this length. */
#define MWI_AUDIT_TAG_BYTES 64
/* A time that does not exist, since the task was never sent for instance. */
#define MWI_AUDIT_NEVER INT64_MIN

/* The life of a task that has ended. Times are on the clock of the transports. */
struct mwi_audit_task {
    uint64_t id;
    int64_t tag; /* if has_tag_bytes is false */
    bool has_tag_bytes;
    size_t tag_size; /* of tag_bytes */
    unsigned char tag_bytes[MWI_AUDIT_TAG_BYTES];
    const char *algorithm;
    uint32_t sid; /* of the last slave that had it */
    bool has_slave;
    int64_t submitted_ns, sent_ns, begun_ns, ended_ns;
    int64_t duration_ns;   /* how long it ran; MWI_AUDIT_NEVER: it did not */
    const char *outcome;   /* "done", "failed", "unrunnable" or "cancelled" */
    uint64_t bytes;        /* of its arguments */
    uint64_t result_bytes; /* of its result, or of the message of its failure */
};

/* Fields that a kind does not use are 0. Strings are borrowed until the record is written, and may
 * hold any bytes. */
struct mwi_audit_record {
    enum mwi_audit_kind kind;
    enum mwi_role role;
    int64_t time_ns; /* on the clock of the transports */
    uint32_t sid;
    enum mwi_slave_state state;
    enum mwi_slave_group group;
    uint32_t attempts; /* the losses of the task that its policy counts */
    uint64_t task;
    uint64_t failed;     /* of `count` results; for HOST_DOUBTED, milliseconds */
    uint64_t group_size; /* of results; 0: the slave chooses */
    /* No kind uses two fields of one union: an engine copies several records a task. */
    union {
        uint64_t count; /* see the kinds */
        uint64_t pid;
    };
    union {
        const char *version; /* of the library */
        const char *path;    /* of the resource file, or key file */
        const char *algorithm;
        const char *signal; /* its name */
        const char *how;    /* the process ends */
        const char *from;   /* the address of this end of a connection */
        const char *host;   /* of a slave */
    };
    union {
        const char *transport;              /* its scheme */
        const struct mwi_audit_task *ended; /* borrowed like strings */
    };
    const char *address;
    const char *member_id;
    const char *reason;
};

/* The kinds of records that the level includes, as bits: 1 << kind. No level includes
 * MWI_AUDIT_TASK_ENDED. */
uint64_t mwi_audit_kinds(enum mwi_audit_level level);

/* Room for a line of either form with the usual strings in full. */
#define MWI_AUDIT_LINE_BYTES 1024

/* Writes the record as one line without a newline to line[0..size), cut off if it does not fit,
 * always NUL-terminated; bytes that are no printable UTF-8 (a peer's, say) come out as "?". An
 * empty address is replaced by the transport's name, and a group size of 0 by "auto". Returns the
 * length. `stamp` is the time as "MM/DD/YYYY HH:MM:SS". */
size_t mwi_audit_text(const struct mwi_audit_record *record, const char *stamp, char *line,
                      size_t size);

/* The same as a JSON object with every field that the kind uses; wall_ns is the time since 1970.
 * {"time_ns":...,"subject":"SLAVE-0","event":"tasks-sent","sid":0,"count":3}. NULL is null; bytes
 * that are no UTF-8 become U+FFFD. Never cut: a string that does not fit is shortened. `size` is at
 * least 768. */
size_t mwi_audit_json(const struct mwi_audit_record *record, int64_t wall_ns, char *line,
                      size_t size);

#endif

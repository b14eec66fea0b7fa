/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit trail: typed records, and their form as a line of text (CL-MW's) or of JSON. This room
 * does no input or output: audit_file writes the lines, the engines make the records. A new kind
 * is a row of the list below and of the table in audit.c.
 */
#ifndef MWI_AUDIT_H
#define MWI_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "record/state.h"

/* Every kind of record and the fields it uses, with the field's meaning in brackets. audit.c holds
 * the forms, and tests/unit/test_audit.c fixes them. */
enum mwi_audit_kind {
    MWI_AUDIT_VERSION,          /* text (version) */
    MWI_AUDIT_INIT,             /* role, text (member id) */
    MWI_AUDIT_MASTER_READY,     /* transport, address */
    MWI_AUDIT_NO_MASTER,        /* - : the program has no master algorithm */
    MWI_AUDIT_RESFILE_WRITTEN,  /* text (path) */
    MWI_AUDIT_RESFILE_LOADING,  /* text (path) */
    MWI_AUDIT_RESFILE_PROBLEM,  /* text (path), reason */
    MWI_AUDIT_NEW_CLIENT,       /* transport, address */
    MWI_AUDIT_CLIENT_REFUSED,   /* transport, address, reason: a client that is no slave yet */
    MWI_AUDIT_SLAVE_GREETED,    /* sid, transport, address, text (member id), state, group */
    MWI_AUDIT_SLAVE_STATE,      /* sid, state, reason (may be NULL) */
    MWI_AUDIT_SLAVE_GROUP,      /* sid, group: it has moved there */
    MWI_AUDIT_TASKS_SENT,       /* sid, count */
    MWI_AUDIT_RESULTS_RECEIVED, /* sid, count, failed: the number of failed ones */
    MWI_AUDIT_TASK_FAILED,      /* sid, task, text (algorithm), reason */
    MWI_AUDIT_TASK_REQUEUED,    /* sid, task, text (algorithm), count (attempts), reason */
    MWI_AUDIT_TASK_UNRUNNABLE,  /* task, text (algorithm), reason */
    MWI_AUDIT_TASK_CANCELLED,   /* task, text (algorithm) */
    MWI_AUDIT_TRY_SHUTDOWN,     /* sid */
    MWI_AUDIT_SLAVE_GOODBYE,    /* sid, reason */
    MWI_AUDIT_SLAVE_DROPPED,    /* sid, reason: by us */
    MWI_AUDIT_EOF,              /* address, reason (may be NULL) */
    MWI_AUDIT_LOCAL_STARTED,    /* count (pid) */
    MWI_AUDIT_LOCAL_ENDED,      /* count (pid), reason */
    MWI_AUDIT_LOCAL_FAILED,     /* reason */
    MWI_AUDIT_SIGNAL,           /* role, text (signal) */
    MWI_AUDIT_CONNECTED,        /* slave: address (the master's) */
    MWI_AUDIT_CONNECT_FAILED,   /* slave: address, reason */
    MWI_AUDIT_SLAVE_ID,         /* slave: sid */
    MWI_AUDIT_REFUSED,          /* slave: reason */
    MWI_AUDIT_TASKS_RECEIVED,   /* slave: count, group_size */
    MWI_AUDIT_RESULTS_SENT,     /* slave: count */
    MWI_AUDIT_SHUTDOWN,         /* slave: - */
    MWI_AUDIT_CEOF,             /* slave: - : the connection is closed */
    MWI_AUDIT_FINI,             /* text (how), reason (member id) */
    MWI_AUDIT_KINDS_COUNT
};

enum mwi_role { MWI_ROLE_MASTER, MWI_ROLE_SLAVE };

/* Fields that a kind does not use are 0. Strings are borrowed until the record is written, and may
 * hold any bytes. */
struct mwi_audit_record {
    enum mwi_audit_kind kind;
    enum mwi_role role;
    int64_t time_ns; /* on the clock of the transports */
    uint32_t sid;
    enum mwi_slave_state state;
    enum mwi_slave_group group;
    uint64_t task;
    uint64_t count;
    uint64_t failed;
    uint64_t group_size;
    const char *transport;
    const char *address;
    const char *text;
    const char *reason;
};

/* Room for a line of either form with the usual strings in full. */
#define MWI_AUDIT_LINE_BYTES 1024

/* Writes the record as one line without a newline to line[0..size), cut off if it does not fit,
 * always NUL-terminated; bytes that are no printable UTF-8 (a peer's, say) come out as "?". An
 * empty address is replaced by the transport's name. Returns the length. `stamp` is the time as
 * "MM/DD/YYYY HH:MM:SS". */
size_t mwi_audit_text(const struct mwi_audit_record *record, const char *stamp, char *line,
                      size_t size);

/* The same as a JSON object with every field that the kind uses; wall_ns is the time since 1970.
 * {"time_ns":...,"subject":"SLAVE-0","event":"tasks-sent","sid":0,"count":3}. A field's key is the
 * word in brackets above, with "_" ("member_id", "pid"; "how"), else its name. NULL is null; bytes
 * that are no UTF-8 become U+FFFD. Never cut: a string that does not fit is shortened. `size` is at
 * least 512. */
size_t mwi_audit_json(const struct mwi_audit_record *record, int64_t wall_ns, char *line,
                      size_t size);

#endif

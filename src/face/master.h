/* SPDX-License-Identifier: Apache-2.0
 *
 * The master as its user holds it: an engine, a loop, and what is handed out. master_submit.c has
 * the calls that submit, master_results.c those that hand out, master_loop.c the loops, master.c
 * the other calls of the master algorithm, master_open.c opens and closes it.
 */
#ifndef MWI_MASTER_H
#define MWI_MASTER_H

#include "base/fork_guard.h"
#include "engine/master_engine.h"
#include "engine/snapshot.h"
#include "face/serial.h"
#include "face/trust.h"
#include "loop/announce.h"
#include "loop/local.h"
#include "loop/loop.h"
#include "options/settings.h"
#include "wire/values.h"

/* Tells a person something that is no error. All zero: nobody. Both are borrowed. */
struct mwi_notice {
    void (*tell)(const void *context, const char *sentence);
    const void *context;
};

struct mw_master {
    const mw_program *program;
    char *member_id;
    struct mwi_master_engine engine;
    struct mwi_audit_file *trail;
    struct mwi_loop *loop;
    struct mwi_fork_guard guard;
    struct mwi_trust trust;            /* of the transport tcp, on the network */
    struct mwi_executable *executable; /* that slaves run; NULL until it is found */
    struct mwi_local *local;           /* a chore of the loop; NULL unless in local mode */
    struct mwi_serial *serial;         /* NULL unless a slave runs in this process */
    struct mwi_announce *announce;     /* a chore of the loop; NULL without a resource file */
    size_t slaves_max;                 /* how many can ever come; SIZE_MAX: no end of them */
    size_t slaves_lost_count;
    struct mwi_journal *journal; /* NULL: none */
    struct mwi_watch journal_watch;
    char *journal_path;
    mw_reason journal_note;           /* what opening it has found that was not in order, or "" */
    struct mwi_snapshot snapshot;     /* the tasks that the journal's last checkpoint has */
    struct mwi_block *restored_block; /* with the program's bytes; or NULL */
    bool has_restored;
    mw_error journal_error;       /* after which nothing is recorded; MW_OK: none */
    bool goes_on_without_journal; /* after an error */
    int64_t clocked_ns;           /* when mw_master_next last read the clock */
    unsigned at_once_count;       /* results to hand out before the next look at farm and clock */
    uint64_t scope;       /* of tasks that are submitted, see wire/content.h; 0: none was named */
    bool must_name_scope; /* before a task is submitted */
    bool is_speculating;  /* tasks whose policy says nothing may have a second copy */
    bool keeps_slaves; /* on SIGTERM, slaves that may return are not sent home, see master_stop */
    bool has_signals;
    int64_t shutdown_timeout_ns;
    int64_t stop_ns; /* while the engine is stopping: when no task is waited for any more */
    int stop_signal; /* the signal that was heard; 0: none */
    struct mwi_notice notice;
    mw_mpi_environment mpi; /* of the transport mpi, with `ending` if closing may end the job */
    mw_mpi_ending ending;
    mw_error broken; /* what mw_master_loop says from now on */
    mw_error misuse; /* of the first submission that was refused */
    mw_reason broken_sentence, misuse_sentence;
    bool is_misuse_untold; /* a submission was refused, and no loop has told of it yet */
    mw_reason error;
    uint16_t last_algorithm; /* found by the last submission */
    mw_task_id last_task;
    struct mwi_buffer scratch;               /* for packing arguments */
    char *formatted;                         /* by mw_master_format */
    mw_result result;                        /* handed out, with what it lives in: */
    struct mwi_finished_group *result_group; /* of the next results, that are like it; or NULL */
    uint16_t result_algorithm;
    struct mwi_block *result_block;
    unsigned char *result_arguments; /* of an unrunnable task */
    struct mwi_tag *result_tag;
    struct mwi_values values; /* read from it */
    bool has_values;
};

/* Keeps the sentence of an error and returns the error. */
mw_error mwi_master_fail(mw_master *master, mw_error error, const char *format, ...)
    MW_PRINTF(3, 4);

/* Gives the engine the time of a direct call: audit records that it leaves have it, not the time of
 * the last turn. */
void mwi_master_tell_time(mw_master *master);

/* Carries out what the engine has left after a direct call. */
void mwi_master_carry_out(mw_master *master);

/* "SLAVE-3" -> 3; false if it is nothing like that. */
bool mwi_master_read_sid(const char *sid, uint32_t *number);

/* How many tasks wait or run. */
size_t mwi_master_runnable_count(const mw_master *master);

#endif

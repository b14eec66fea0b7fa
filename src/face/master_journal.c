/* SPDX-License-Identifier: Apache-2.0
 *
 * Joins record/journal to a master. master_open opens and closes it, master_loop tends it,
 * master_submit submits by it. The engine has a pointer to the journal, and records in it.
 *
 * Invariants: the loop never waits for the disk, except where the user asks for it: at the end. A
 * failure is told once; then, as the options say, the farm stops as after a signal, or goes on
 * without recording anything.
 *
 * The parts of a journal's identity are gathered in read_identity. record/journal_identity compares
 * them.
 */
#include "face/master_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/printable.h"
#include "engine/membership.h"
#include "face/program.h"
#include "record/disk_file.h"
#include "record/journal_compact.h"
#include "record/journal_open.h"
#include "record/journal_view.h"

#define CHUNK_BYTES ((size_t)1 << 20)
/* A smaller journal is not written anew, whatever is in it. */
#define COMPACT_FROM_BYTES ((uint64_t)1 << 20)

/* The texts of an identity, in memory of their own. */
struct identity {
    char *names, *arguments;
    char executable[20];
};

static int compare_names(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* Writes a text so that no two lists of texts look alike: as it is if it has only usual characters,
 * else in quotes as a shell takes it. Returns the end. */
static char *write_quoted(char *end, const char *text)
{
    bool is_usual = text[0] != '\0' && strpbrk(text, " \t\n'\"\\") == NULL;
    if (is_usual)
        return stpcpy(end, text);
    *end++ = '\'';
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            end = stpcpy(end, "'\\''");
        else
            *end++ = *text;
    }
    *end++ = '\'';
    return end;
}

/* Joins texts with blanks between; NULL out of memory. The caller frees it. */
static char *join(const char *const *texts, size_t count)
{
    size_t size = 1;
    for (size_t i = 0; i < count; i++)
        size += 4 * strlen(texts[i]) + 3;
    char *joined = malloc(size);
    if (joined == NULL)
        return NULL;
    char *end = joined;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            *end++ = ' ';
        end = write_quoted(end, texts[i]);
    }
    *end = '\0';
    return joined;
}

static char *join_names(const mw_algorithm *algorithms)
{
    size_t count = 0;
    while (algorithms[count].name != NULL)
        count++;
    const char **names = calloc(count + 1, sizeof *names);
    if (names == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        names[i] = algorithms[i].name;
    qsort(names, count, sizeof *names, compare_names);
    char *joined = join(names, count);
    free(names);
    return joined;
}

/* Reads until the chunk is full or the file ends: a read may be cut anywhere. Negative after an
 * error. */
static ssize_t read_chunk(int fd, unsigned char *chunk)
{
    size_t filled = 0;
    while (filled < CHUNK_BYTES) {
        ssize_t count = read(fd, chunk + filled, CHUNK_BYTES - filled);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return count;
        if (count == 0)
            break;
        filled += (size_t)count;
    }
    return (ssize_t)filled;
}

/* The digest of the program's file in digits; "" if it cannot be read. */
static void digest_executable(char *digits, size_t size)
{
    uint64_t digest = 0;
    unsigned char *bytes = malloc(CHUNK_BYTES);
    int fd = bytes == NULL ? -1 : open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ssize_t count = -1;
    digits[0] = '\0';
    while (fd >= 0 && (count = read_chunk(fd, bytes)) > 0)
        digest = mwi_digest_64(digest, bytes, (size_t)count);
    if (fd >= 0)
        close(fd);
    free(bytes);
    if (count == 0)
        snprintf(digits, size, "%016llx", (unsigned long long)digest);
}

static struct mwi_journal_text text_of(const char *string)
{
    return (struct mwi_journal_text){string, string == NULL ? 0 : strlen(string)};
}

/* False out of memory. */
static bool read_identity(const mw_master *master, const struct mwi_journal_options *settings,
                          struct identity *texts, struct mwi_journal_identity *identity)
{
    bool has_arguments = settings->argc > 1;
    texts->names = join_names(mwi_program_algorithms(master->program));
    texts->arguments = join(has_arguments ? (const char *const *)settings->argv + 1 : NULL,
                            has_arguments ? (size_t)settings->argc - 1 : 0);
    texts->executable[0] = '\0';
    if (settings->disk == NULL)
        digest_executable(texts->executable, sizeof texts->executable);
    identity->names = text_of(texts->names);
    identity->arguments = text_of(texts->arguments);
    identity->version = text_of(master->program->version);
    identity->executable = text_of(texts->executable);
    return texts->names != NULL && texts->arguments != NULL;
}

void mwi_master_journal_audit(mw_master *master, const char *reason)
{
    mwi_loop_audit(master->loop, (struct mwi_audit_record){.kind = MWI_AUDIT_JOURNAL_PROBLEM,
                                                           .path = master->journal_path,
                                                           .reason = reason});
}

/* A power cut may leave such an end, but damage looks like it. */
static void write_torn(const mw_master *master, const struct mwi_journal_findings *findings,
                       mw_reason *note)
{
    snprintf(note->text, sizeof note->text,
             "%.200s: its end of %llu bytes was not whole, from offset %llu on, and is cut off: if "
             "no power cut or full disk has left that, it was damaged, and tasks that must not run "
             "twice may have been recorded there",
             master->journal_path, (unsigned long long)findings->torn_bytes,
             (unsigned long long)findings->torn);
}

/* Writes into the trail what was found, and keeps a sentence if it was not in order. */
static void note_findings(mw_master *master, const struct mwi_journal_findings *findings)
{
    mw_reason *note = &master->journal_note;
    mwi_loop_audit(master->loop, (struct mwi_audit_record){.kind = MWI_AUDIT_JOURNAL_OPENED,
                                                           .path = master->journal_path,
                                                           .count = findings->results_count,
                                                           .failed = findings->runs_count});
    note->text[0] = '\0';
    if (findings->torn_bytes > 0 && findings->damages_count > 0) {
        write_torn(master, findings, note);
        mwi_master_journal_audit(master, note->text);
    }
    if (findings->damages_count > 0)
        snprintf(note->text, sizeof note->text,
                 "%.200s: damaged at %llu places, first at offset %llu: the results there are "
                 "computed again; tasks that must not run twice may have been recorded there",
                 master->journal_path, (unsigned long long)findings->damages_count,
                 (unsigned long long)findings->damage);
    else if (findings->torn_bytes > 0)
        write_torn(master, findings, note);
    else if (findings->difference.text[0] != '\0')
        snprintf(note->text, sizeof note->text, "%.150s: the program has changed: %.320s",
                 master->journal_path, findings->difference.text);
    else if (findings->is_checkpoint_damaged)
        snprintf(note->text, sizeof note->text,
                 "%.200s: the newest checkpoint is damaged, and an older one is used",
                 master->journal_path);
    if (note->text[0] != '\0')
        mwi_master_journal_audit(master, note->text);
}

static void tell(const mw_master *master, const char *sentence)
{
    if (master->notice.tell != NULL)
        master->notice.tell(master->notice.context, sentence);
}

/* Nothing is recorded any more. Results that were recorded are safe. */
static void lose_journal(mw_master *master, mw_error error, const mw_reason *why)
{
    mw_reason sentence;
    snprintf(sentence.text, sizeof sentence.text, "nothing more is recorded: %.400s", why->text);
    master->journal_error = error;
    master->engine.journal = NULL;
    mwi_master_journal_audit(master, sentence.text);
    tell(master, sentence.text);
    if (master->goes_on_without_journal)
        return;
    if (master->misuse == MW_OK) {
        master->misuse = error;
        master->misuse_sentence = sentence;
    }
    /* The stop comes first: tasks that come back must not be sent without a record. */
    mw_master_stop(master);
    mwi_membership_drop_withheld(&master->engine);
    mwi_master_carry_out(master);
}

static void check(void *context)
{
    mw_master *master = context;
    mw_reason why;
    mw_error error = mwi_journal_status(master->journal, &why);
    if (error != MW_OK && master->journal_error == MW_OK)
        lose_journal(master, error, &why);
}

/* The disk's descriptor ends the wait of a turn. A simulated one has none, and wakes its host. */
static mw_error watch(mw_master *master)
{
    int fd = mwi_journal_descriptor(master->journal);
    if (fd < 0)
        return MW_OK;
    master->journal_watch = (struct mwi_watch){.fd = fd, .ready = check, .context = master};
    return mwi_descriptors_add(mwi_loop_descriptors(master->loop), &master->journal_watch);
}

/* A damaged file is left as it is: somebody may want to look at it. */
static bool is_mostly_dead(const struct mwi_journal_findings *findings)
{
    return findings->file_bytes > COMPACT_FROM_BYTES &&
           findings->dead_bytes > findings->file_bytes / 2 && findings->damages_count == 0 &&
           !findings->is_checkpoint_damaged;
}

/* Writes the journal anew without what is of no use. If that fails, as on a full disk, the old one
 * stays and serves. */
static mw_error compact(mw_master *master, const struct mwi_journal_settings *opening,
                        struct mwi_journal_findings *findings, mw_reason *why)
{
    struct mwi_journal_compaction outcome;
    mw_reason problem;
    mwi_journal_close(master->journal);
    master->journal = NULL;
    if (mwi_journal_compact(opening->path, opening->keeps_failures, &outcome, &problem) != MW_OK)
        mwi_master_journal_audit(master, problem.text);
    return mwi_journal_open(&master->journal, opening, findings, why);
}

/* Another process has the journal: says which, as far as the file tells. */
static void name_holder(const char *path, struct mwi_journal_text own_host, mw_reason *why)
{
    struct mwi_journal_run run;
    struct mwi_buffer body;
    mwi_buffer_init(&body);
    bool is_found = mwi_journal_view_last_run(path, &run, &body);
    bool is_own = is_found && run.host.size == own_host.size &&
                  memcmp(run.host.data, own_host.data, own_host.size) == 0;
    const char *hint = "; if that machine is gone, the file server ends its lock after a while";
    if (is_own)
        hint = kill((pid_t)run.pid, 0) != 0 && errno == ESRCH
                   ? ", which has ended; a process that it started still has it"
                   : "";
    if (is_found) {
        char host[65];
        (void)mwi_printable_copy(host, sizeof host, run.host.data, run.host.size);
        snprintf(why->text, sizeof why->text,
                 "%.200s: another process has it: its last run is process %u on %s%s", path,
                 (unsigned)run.pid, host, hint);
    }
    mwi_buffer_fini(&body);
}

static mw_error open_with(mw_master *master, const struct mwi_journal_options *settings,
                          const struct mwi_journal_identity *identity, mw_reason *why)
{
    char host[256] = "";
    struct mwi_journal_findings findings;
    (void)gethostname(host, sizeof host - 1);
    const struct mwi_journal_settings opening = {
        .path = settings->path,
        .api = settings->disk != NULL ? settings->disk : &mwi_disk_file_api,
        .environment = settings->environment,
        .sync_ns = settings->sync_ns,
        .is_accepted = settings->is_accepted,
        .keeps_failures = settings->keeps_failures,
        .run = {.number = master->engine.config.run,
                .wall_ns = settings->disk == NULL ? mwi_clock_wall_ns() : 0,
                .pid = (uint32_t)getpid(),
                .host = text_of(host),
                .identity = *identity}};
    mw_error error = mwi_journal_open(&master->journal, &opening, &findings, why);
    if (error == MW_OK && settings->disk == NULL && is_mostly_dead(&findings))
        error = compact(master, &opening, &findings, why);
    if (error == MW_ESTATE && settings->disk == NULL)
        name_holder(settings->path, opening.run.host, why);
    if (error != MW_OK)
        return error;
    note_findings(master, &findings);
    master->engine.journal = master->engine.earlier = master->journal;
    return watch(master);
}

mw_error mwi_master_journal_open(mw_master *master, const struct mwi_journal_options *settings,
                                 mw_reason *why)
{
    struct identity texts;
    struct mwi_journal_identity identity;
    if (settings->path == NULL)
        return MW_OK;
    master->goes_on_without_journal = settings->goes_on;
    master->must_name_scope = settings->is_shared;
    master->engine.config.keeps_failures = settings->keeps_failures;
    master->journal_path = strdup(settings->path);
    mw_error error = MW_ENOMEM;
    if (read_identity(master, settings, &texts, &identity) && master->journal_path != NULL)
        error = open_with(master, settings, &identity, why);
    free(texts.names);
    free(texts.arguments);
    return error;
}

void mwi_master_journal_tell(const mw_master *master)
{
    if (master->journal_note.text[0] != '\0')
        tell(master, master->journal_note.text);
}

void mwi_master_journal_tend(mw_master *master)
{
    if (master->journal == NULL || master->journal_error != MW_OK)
        return;
    mwi_journal_flush(master->journal);
    if (master->journal_watch.ready == NULL || mwi_journal_is_broken(master->journal))
        check(master);
}

mw_error mwi_master_journal_await(mw_master *master)
{
    mw_error error = MW_OK;
    if (master->journal == NULL || master->journal_error != MW_OK)
        return master->journal_error;
    uint64_t mark = mwi_journal_hurry(master->journal);
    check(master);
    while (error == MW_OK && master->journal_error == MW_OK &&
           !mwi_journal_is_durable(master->journal, mark)) {
        error = mwi_loop_turn(master->loop, INT64_MAX, NULL, &master->error);
        mwi_master_journal_tend(master);
        if (master->journal_error == MW_OK)
            check(master);
    }
    if (error == MW_OK && master->journal_error != MW_OK)
        return mwi_master_fail(master, master->journal_error, "the journal has failed");
    return error;
}

void mwi_master_journal_close(mw_master *master)
{
    master->engine.journal = master->engine.earlier = NULL;
    mwi_journal_close(master->journal);
    master->journal = NULL;
    free(master->journal_path);
    master->journal_path = NULL;
}

/* The program submits tasks without having asked for the checkpoint. */
static void pass_over(mw_master *master)
{
    master->has_restored = true;
    if (mwi_journal_has_checkpoint(master->journal))
        mwi_master_journal_audit(master,
                                 "the checkpoint is passed over: mw_master_restored was not called "
                                 "before the first submission");
}

mw_error mwi_master_journal_submit(mw_master *master, const struct mwi_lifecycle_task *submission)
{
    mw_reason why;
    if (master->journal != NULL && !master->has_restored)
        pass_over(master);
    if (!mwi_master_journal_has_replays(master))
        return mwi_lifecycle_submit(&master->engine, submission, &master->last_task);
    mw_error error = mwi_journaling_submit(&master->engine, submission, &master->last_task, &why);
    if (why.text[0] != '\0')
        mwi_master_journal_audit(master, why.text);
    return error;
}

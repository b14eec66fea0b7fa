/* SPDX-License-Identifier: Apache-2.0
 *
 * The command mwjournal: shows what is in a journal, see docs/man/mwjournal.1.in. The file is read
 * by record/journal_form and journal_items, which are compiled into this program, so that the form
 * of the file lives once. Only `compact` changes the file; the others may be used while a master
 * writes to it.
 *
 * A new command is a row of `commands`.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/printable.h"
#include "journal_lines.h"
#include "record/checkpoint_items.h"
#include "record/journal_compact.h"
#include "record/journal_items.h"
#include "record/journal_view.h"

#define USAGE "usage: mwjournal info|verify|export|compact FILE"
#define EXIT_USAGE 2
/* Algorithms that `info` tells apart; the results of further ones are counted together. */
#define ALGORITHMS_MAX 64

struct tally {
    char *name;
    size_t name_size;
    uint64_t results_count, bytes;
};

/* The contents of a file, counted. */
struct census {
    uint64_t runs_count, results_count, saved_count, sent_count, begun_count, checkpoints_count;
    uint64_t checkpoint_tasks_count; /* in the records of all checkpoints */
    uint64_t damages_count, first_damage;
    uint64_t pending_count, first_pending; /* damage behind which no record was read yet */
    uint64_t file_bytes, sound_bytes;
    struct mwi_buffer last_run; /* the body of its record */
    struct tally tallies[ALGORITHMS_MAX], others;
    size_t tallies_count;
};

static struct tally *find_tally(struct census *census, struct mwi_journal_text name)
{
    for (size_t i = 0; i < census->tallies_count; i++) {
        struct tally *tally = &census->tallies[i];
        if (tally->name_size == name.size && memcmp(tally->name, name.data, name.size) == 0)
            return tally;
    }
    char *copy = census->tallies_count < ALGORITHMS_MAX ? malloc(name.size + 1) : NULL;
    if (copy == NULL)
        return &census->others;
    memcpy(copy, name.data, name.size);
    struct tally *tally = &census->tallies[census->tallies_count++];
    tally->name = copy;
    tally->name_size = name.size;
    return tally;
}

static void count_results(struct census *census, const struct mwi_journal_record *record)
{
    struct mwi_journal_cursor cursor;
    struct mwi_journal_result result;
    mwi_journal_items_open_results(&cursor, record->body, record->size);
    struct tally *tally = find_tally(census, cursor.algorithm);
    while (mwi_journal_items_next(&cursor, &result)) {
        census->results_count++;
        tally->results_count++;
        tally->bytes += result.size;
    }
}

static void count_sent(struct census *census, const struct mwi_journal_record *record)
{
    uint64_t part;
    for (size_t i = 0; mwi_journal_items_read_part(&part, record->body, record->size, i); i++)
        census->sent_count++;
}

static void count_tasks(struct census *census, const struct mwi_journal_record *record)
{
    struct mwi_checkpoint_reader reader;
    struct mwi_checkpoint_item item;
    mwi_checkpoint_items_open(&reader, record->body, record->size);
    while (mwi_checkpoint_items_next(&reader, &item))
        census->checkpoint_tasks_count++;
}

static void count_record(struct census *census, const struct mwi_journal_record *record)
{
    if (census->pending_count > 0 && census->damages_count == 0)
        census->first_damage = census->first_pending;
    census->damages_count += census->pending_count;
    census->pending_count = 0;
    switch (record->kind) {
    case MWI_JOURNAL_RUN:
        census->runs_count++;
        mwi_buffer_clear(&census->last_run);
        mwi_buffer_append(&census->last_run, record->body, record->size);
        break;
    case MWI_JOURNAL_RESULTS:
        count_results(census, record);
        break;
    case MWI_JOURNAL_SAVED:
        census->saved_count++;
        break;
    case MWI_JOURNAL_SENT:
        count_sent(census, record);
        break;
    case MWI_JOURNAL_BEGUN:
        census->begun_count++;
        break;
    case MWI_JOURNAL_TASKS:
        count_tasks(census, record);
        break;
    case MWI_JOURNAL_STATE:
        census->checkpoints_count++;
        break;
    default:
        break;
    }
}

/* Called for each record and each damage. False ends the walk. */
typedef bool visit_function(void *context, enum mwi_journal_step step,
                            const struct mwi_journal_record *record);

/* Reads the whole file, which is closed then. *sound_bytes is where the last whole record ends. */
static mw_error walk(struct mwi_journal_view *view, visit_function *visit, void *context,
                     uint64_t *sound_bytes, mw_reason *why)
{
    struct mwi_journal_record record;
    for (;;) {
        enum mwi_journal_step step = mwi_journal_reader_next(&view->reader, &record, why);
        if (step == MWI_JOURNAL_END)
            *sound_bytes = record.offset;
        bool goes_on = step == MWI_JOURNAL_RECORD || step == MWI_JOURNAL_DAMAGE;
        if (!goes_on || !visit(context, step, &record)) {
            mwi_journal_view_close(view);
            return step == MWI_JOURNAL_FAILED ? MW_EIO : MW_OK;
        }
    }
}

static bool visit_for_census(void *context, enum mwi_journal_step step,
                             const struct mwi_journal_record *record)
{
    struct census *census = context;
    if (step == MWI_JOURNAL_RECORD)
        count_record(census, record);
    else if (census->pending_count++ == 0)
        census->first_pending = record->offset;
    return true;
}

static mw_error take_census(struct census *census, const char *path, mw_reason *why)
{
    struct mwi_journal_view view;
    *census = (struct census){0};
    mwi_buffer_init(&census->last_run);
    mw_error error = mwi_journal_view_open(&view, path, why);
    if (error != MW_OK)
        return error;
    census->file_bytes = view.reader.end_bytes;
    return walk(&view, visit_for_census, census, &census->sound_bytes, why);
}

static void free_census(struct census *census)
{
    for (size_t i = 0; i < census->tallies_count; i++)
        free(census->tallies[i].name);
    mwi_buffer_fini(&census->last_run);
}

/* Prints a text of the file, escaped. */
static void print_escaped(struct mwi_journal_text text)
{
    size_t size = mwi_printable_size(text.data, text.size);
    char *escaped = malloc(size + 1);
    if (escaped != NULL) {
        mwi_printable_write(escaped, text.data, text.size);
        fwrite(escaped, 1, size, stdout);
    }
    free(escaped);
}

static void print_text(const char *title, struct mwi_journal_text text)
{
    if (text.size == 0)
        return;
    printf("%-14s", title);
    print_escaped(text);
    putchar('\n');
}

static void print_counts(const struct census *census)
{
    const struct {
        const char *title;
        uint64_t count;
    } counts[] = {
        {"bytes", census->file_bytes},
        {"runs", census->runs_count},
        {"results", census->results_count},
        {"saved", census->saved_count},
        {"sent", census->sent_count},
        {"begun", census->begun_count},
        {"checkpoints", census->checkpoints_count},
        {"tasks", census->checkpoint_tasks_count},
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        printf("%-14s%" PRIu64 "\n", counts[i].title, counts[i].count);
}

static void print_tally(struct mwi_journal_text name, const struct tally *tally)
{
    fputs("  ", stdout);
    print_escaped(name);
    printf(": %" PRIu64 " results of %" PRIu64 " bytes\n", tally->results_count, tally->bytes);
}

static void print_tallies(const struct census *census)
{
    static const char others[] = "(others)";
    for (size_t i = 0; i < census->tallies_count; i++) {
        const struct tally *tally = &census->tallies[i];
        print_tally((struct mwi_journal_text){tally->name, tally->name_size}, tally);
    }
    if (census->others.results_count > 0)
        print_tally((struct mwi_journal_text){others, sizeof others - 1}, &census->others);
}

static void print_last_run(const struct census *census)
{
    struct mwi_journal_run run;
    char time_text[40] = "";
    struct tm calendar;
    if (!mwi_journal_items_read_run(&run, census->last_run.data, census->last_run.size))
        return;
    time_t seconds = (time_t)(run.wall_ns / 1000000000);
    if (gmtime_r(&seconds, &calendar) != NULL)
        strftime(time_text, sizeof time_text, "%Y-%m-%d %H:%M:%S UTC", &calendar);
    printf("%-14s%s, process %u on ", "last run", time_text, (unsigned)run.pid);
    print_escaped(run.host);
    putchar('\n');
    print_text("algorithms", run.identity.names);
    print_text("arguments", run.identity.arguments);
    print_text("version", run.identity.version);
}

static void print_damage(const struct census *census)
{
    if (census->damages_count > 0)
        printf("%-14s%" PRIu64 " places, the first at offset %" PRIu64 "\n", "damage",
               census->damages_count, census->first_damage);
    if (census->pending_count > 0)
        printf("%-14s%" PRIu64 " bytes behind the last whole record, from offset %" PRIu64
               " on, are not whole\n",
               "torn end", census->file_bytes - census->sound_bytes, census->first_pending);
}

static int info(const char *path, mw_reason *why)
{
    struct census census;
    mw_error error = take_census(&census, path, why);
    if (error == MW_OK) {
        printf("%-14s%s\n", "file", path);
        print_counts(&census);
        print_tallies(&census);
        print_last_run(&census);
        print_damage(&census);
    }
    free_census(&census);
    return error == MW_OK ? EXIT_SUCCESS : -1;
}

static int verify(const char *path, mw_reason *why)
{
    struct census census;
    mw_error error = take_census(&census, path, why);
    free_census(&census);
    if (error != MW_OK)
        return -1;
    print_damage(&census);
    if (census.damages_count > 0 || census.pending_count > 0)
        return EXIT_FAILURE;
    printf("sound: %" PRIu64 " results of %" PRIu64 " runs\n", census.results_count,
           census.runs_count);
    return EXIT_SUCCESS;
}

/* Where lines go, and whether that went well. */
struct exporting {
    FILE *out;
    bool has_failed;
};

static int fail_output(mw_reason *why)
{
    snprintf(why->text, sizeof why->text, "standard output cannot be written");
    return -1;
}

static bool visit_for_export(void *context, enum mwi_journal_step step,
                             const struct mwi_journal_record *record)
{
    struct exporting *exporting = context;
    exporting->has_failed = step == MWI_JOURNAL_DAMAGE
                                ? !journal_lines_write_damage(exporting->out, record->offset)
                                : !journal_lines_write(exporting->out, record);
    return !exporting->has_failed;
}

static int export_lines(const char *path, mw_reason *why)
{
    struct mwi_journal_view view;
    struct exporting exporting = {.out = stdout};
    uint64_t sound_bytes;
    if (mwi_journal_view_open(&view, path, why) != MW_OK ||
        walk(&view, visit_for_export, &exporting, &sound_bytes, why) != MW_OK)
        return -1;
    return exporting.has_failed ? fail_output(why) : EXIT_SUCCESS;
}

/* Opening a file for writing would make one that is not there. */
static int compact(const char *path, mw_reason *why)
{
    struct mwi_journal_compaction outcome;
    struct mwi_journal_view view;
    if (mwi_journal_view_open(&view, path, why) != MW_OK)
        return -1;
    mwi_journal_view_close(&view);
    if (mwi_journal_compact(path, false, &outcome, why) != MW_OK)
        return -1;
    printf("%" PRIu64 " bytes, were %" PRIu64 "\n", outcome.after_bytes, outcome.before_bytes);
    if (outcome.damages_count > 0)
        printf("%" PRIu64 " damaged places were left out\n", outcome.damages_count);
    return EXIT_SUCCESS;
}

/* Returns the exit status, or -1 after a failure with a sentence. */
typedef int command_function(const char *path, mw_reason *why);

static const struct {
    const char *name;
    command_function *run;
} commands[] = {{"info", info}, {"verify", verify}, {"export", export_lines}, {"compact", compact}};

static int fail_usage(const char *problem)
{
    fprintf(stderr, "mwjournal: %s; %s\n", problem, USAGE);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    mw_reason why = {""};
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        puts(USAGE);
        return EXIT_SUCCESS;
    }
    if (argc != 3)
        return fail_usage("a command and a file are needed");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, argv[1]) != 0)
            continue;
        int status = commands[i].run(argv[2], &why);
        if (status >= 0 && (fflush(stdout) != 0 || ferror(stdout) != 0))
            status = fail_output(&why);
        if (status >= 0)
            return status;
        fprintf(stderr, "mwjournal: %s\n", why.text);
        return EXIT_FAILURE;
    }
    return fail_usage("unknown command");
}

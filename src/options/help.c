/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints the table of options: as text for --mw-help, which mw_main calls, and as roff for the man
 * page mw(7), for which the build runs docs/man/options_roff.c. Everything that is printed of an
 * option comes from its row and from kind.c; a new option needs no change here.
 */
#include "options/help.h"

#include <assert.h>
#include <string.h>

#include <mw/embed.h>

#include "options/kind.h"

#define COLUMNS 80
#define TEXT_BYTES_MAX 1024

/* Prints words with blanks between them, broken into indented lines; ends the last line. */
static void print_wrapped(FILE *stream, int indent, const char *text)
{
    int column = 0;
    while (*text != '\0') {
        int length = (int)strcspn(text, " ");
        if (column > 0 && column + 1 + length > COLUMNS) {
            fputc('\n', stream);
            column = 0;
        }
        column += fprintf(stream, "%*s%.*s", column == 0 ? indent : 1, "", length, text);
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', stream);
}

/* Prints text for roff, which reads '\' and, at the start of a line, '.' and "'" as commands, and
 * sets '-' as a hyphen that no shell knows. */
static void print_roff(FILE *stream, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        bool starts_line = at == text || at[-1] == '\n';
        if (starts_line && (*at == '.' || *at == '\''))
            fputs("\\&", stream);
        if (*at == '-')
            fputs("\\-", stream);
        else if (*at == '\\')
            fputs("\\e", stream);
        else
            fputc(*at, stream);
    }
}

/* The help of an option with what the table says besides: who reads it, what is allowed, and the
 * default. The texts of options that anything may be given to need no "Allowed". */
static void describe(const struct mwi_option_row *row, char *text, size_t size)
{
    static const char *const roles[] = {
        [MWI_OPTION_FOR_BOTH] = "",
        [MWI_OPTION_FOR_MASTER] = " For the master.",
        [MWI_OPTION_FOR_SLAVE] = " For slaves.",
    };
    bool is_obvious =
        row->kind == MWI_OPTION_IS_FLAG || (row->kind == MWI_OPTION_IS_TEXT && !row->is_printable);
    const char *standard = row->default_value != NULL ? row->default_value : row->default_words;
    char allowed[160];
    int length = snprintf(text, size, "%s%s", row->help, roles[row->role]);
    mwi_kind_allowed(row, allowed, sizeof allowed);
    if (!is_obvious)
        length += snprintf(text + length, size - (size_t)length, " Allowed: %s.", allowed);
    if (standard != NULL && row->kind != MWI_OPTION_IS_FLAG)
        snprintf(text + length, size - (size_t)length, " Default: %s.", standard);
}

static void help_section(FILE *stream, enum mwi_option_section section)
{
    char text[TEXT_BYTES_MAX];
    fprintf(stream, "\n%s:\n", mwi_table_section_title(section));
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++) {
        const struct mwi_option_row *row = &mwi_table_rows[i];
        if (row->section != section)
            continue;
        fprintf(stream, "  " MWI_OPTION_PREFIX "%s%s%s\n", row->name,
                row->metavariable != NULL ? " " : "",
                row->metavariable != NULL ? row->metavariable : "");
        describe(row, text, sizeof text);
        print_wrapped(stream, 6, text);
    }
}

static void help_examples(FILE *stream, const char *program)
{
    static const struct {
        const char *before, *after, *meaning;
    } examples[] = {
        {"", "", "a farm on this machine, with one slave per processor"},
        {"", " --mw-local 3", "the same with three slaves"},
        {"", " --mw-master --mw-resource-file farm.rsc",
         "a master that writes down how to reach it"},
        {"", " --mw-slave --mw-resource-file farm.rsc",
         "a slave: any number of them, from anywhere, at any time"},
        {"mpirun -n 4 ", "", "rank 0 is the master, the other ranks are slaves"},
        {"mpirun -n 4 ", " --mw-transport mpi,tcp --mw-resource-file farm.rsc",
         "the same, and slaves over TCP may join"},
    };
    fputs("\nExamples:\n", stream);
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
        fprintf(stream, "  %s%s%s\n      %s\n", examples[i].before, program, examples[i].after,
                examples[i].meaning);
}

void mw_options_print_help(FILE *stream, const char *program)
{
    fprintf(stream, "Usage: %s [--mw-OPTION ...] [ARGUMENT ...]\n\n", program);
    print_wrapped(stream, 0,
                  "The options that begin with --mw- say how the program is run as a master/slave "
                  "farm; the program does not see them. A value follows after a blank or an equals "
                  "sign. What follows after -- is the program's.");
    for (int i = 0; i < MWI_OPTION_SECTIONS_COUNT; i++)
        help_section(stream, (enum mwi_option_section)i);
    fputs("\nEnvironment:\n", stream);
    print_wrapped(stream, 2,
                  "Every option but --mw-help and --mw-version-string may be set by an environment "
                  "variable too: "
                  "MW_MASTER_PORT=7000 for --mw-master-port 7000, MW_QUIET=1 for --mw-quiet. An "
                  "empty variable counts as not set. The command line wins over the environment, "
                  "and the environment over the default.");
    help_examples(stream, program);
}

void mwi_help_print_roff(FILE *stream)
{
    char text[TEXT_BYTES_MAX];
    for (int section = 0; section < MWI_OPTION_SECTIONS_COUNT; section++) {
        fprintf(stream, ".SS %s\n", mwi_table_section_title((enum mwi_option_section)section));
        for (int i = 0; i < MWI_OPTIONS_COUNT; i++) {
            const struct mwi_option_row *row = &mwi_table_rows[i];
            if (row->section != (enum mwi_option_section)section)
                continue;
            fputs(".TP\n\\fB", stream);
            print_roff(stream, MWI_OPTION_PREFIX);
            print_roff(stream, row->name);
            fputs("\\fR", stream);
            if (row->metavariable != NULL)
                fprintf(stream, " \\fI%s\\fR", row->metavariable);
            fputc('\n', stream);
            describe(row, text, sizeof text);
            print_roff(stream, text);
            fputc('\n', stream);
        }
    }
}

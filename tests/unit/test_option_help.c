/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of options as the text of --mw-help, and as a section of the man page. Every row of
 * the table is checked in both.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "mwt_options.h"
#include "mwt_run.h"
#include "options/help.h"

/* Returns the output of a function. The caller frees it. */
static char *print(bool is_roff)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);

    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    if (is_roff)
        mwi_help_print_roff(stream);
    else
        mw_options_print_help(stream, "./prog");
    fclose(stream);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    return text;
}

/* The help has every option with its default under its section, and the rule of the environment. No
 * line has more than 80 columns or a blank at its end. */
static void test_help(void)
{
    static const char *const parts[] = {"Usage: ./prog ",
                                        "\nGeneral:\n",
                                        "\nRole and transport:\n",
                                        "\nNetwork:\n",
                                        "\nSlaves:\n",
                                        "\nAudit:\n",
                                        "\nResource file:\n",
                                        "\nEnvironment:\n",
                                        "MW_MASTER_PORT=7000",
                                        "\nExamples:\n",
                                        "  ./prog --mw-slave --mw-resource-file farm.rsc\n",
                                        "  mpirun -n 4 ./prog\n",
                                        "  mpirun -n 4 ./prog --mw-transport mpi,tcp "};
    char *text = print(false);

    for (size_t i = 0; i < MWT_COUNT_OF(parts); i++)
        mwt_check_contains(text, parts[i]);
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++) {
        const struct mwi_option_row *row = &mwi_table_rows[i];
        char line[96];

        snprintf(line, sizeof line, "\n  --mw-%s%s%s\n", row->name,
                 row->metavariable != NULL ? " " : "",
                 row->metavariable != NULL ? row->metavariable : "");
        mwt_check_contains(text, line);
    }
    mwt_check_contains(text, "Default: default-member-id.\n");
    mwt_check_contains(text, " a range LOW-HIGH from 1 up.");
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
        size_t length = strcspn(line, "\n");

        CU_ASSERT_TRUE(length <= 80);
        CU_ASSERT_TRUE(length == 0 || line[length - 1] != ' ');
    }
    free(text);
}

/* The roff has every option, its only requests are the two for options, and each hyphen and
 * backslash is escaped. */
static void test_roff(void)
{
    char *text = print(true);

    mwt_check_contains(text, ".SS Resource file\n");
    mwt_check_contains(text, ".TP\n\\fB\\-\\-mw\\-master\\-port\\fR \\fIP\\fR\n");
    mwt_check_contains(text, ".TP\n\\fB\\-\\-mw\\-quiet\\fR\n");
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
        if (*line == '.' || *line == '\'')
            CU_ASSERT_TRUE(strncmp(line, ".SS ", 4) == 0 || strncmp(line, ".TP\n", 4) == 0);
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '-')
            CU_ASSERT_TRUE(at > text && at[-1] == '\\');
        if (*at == '\\')
            CU_ASSERT_TRUE(at[1] != '\0' && strchr("f-&e", at[1]) != NULL);
    }
    free(text);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"help", test_help},
        {"roff", test_roff},
        CU_TEST_INFO_NULL,
    };

    return mwt_run("option help", tests);
}

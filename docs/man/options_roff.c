/* SPDX-License-Identifier: Apache-2.0
 *
 * Puts the table of options into a man page: copies standard input to standard output, and prints
 * the table in place of the line `.\" OPTIONS`. The build runs it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options/help.h"

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) >= 0)
        if (strcmp(line, ".\\\" OPTIONS\n") == 0)
            mwi_help_print_roff(stdout);
        else
            fputs(line, stdout);
    free(line);
    return ferror(stdin) || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

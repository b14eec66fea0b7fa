/* SPDX-License-Identifier: Apache-2.0
 *
 * Puts the table of options into a man page: copies standard input to standard output and prints
 * the table at the line that is `.\" OPTIONS`. Run by the build.
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

/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of options as a section of a man page; mw_options_print_help prints it for --mw-help.
 */
#ifndef MWI_HELP_H
#define MWI_HELP_H

#include <stdio.h>

/* Prints all options, in their sections, as roff. `stream` is borrowed for the call. */
void mwi_help_print_roff(FILE *stream);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of a journal as lines of JSON; docs/man/mwjournal.1.in has their form.
 */
#ifndef MWI_JOURNAL_LINES_H
#define MWI_JOURNAL_LINES_H

#include <stdio.h>

#include "record/journal_form.h"

/* Writes a record's lines. False if they cannot be written, or memory runs out. */
bool journal_lines_write(FILE *out, const struct mwi_journal_record *record);

/* Writes a line that tells of damage. */
bool journal_lines_write_damage(FILE *out, uint64_t offset);

#endif

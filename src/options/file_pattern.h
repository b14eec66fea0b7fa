/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of files with placeholders, as options give them: %n is the node, %p the process id, %h the
 * host, %m the member id with "_" in place of "/", and %% is a %. The node of a slave is known only
 * when its master has accepted it, so a pattern is kept until then. A slave that no master has
 * given a number is "slave-HOST-PID": several such slaves must not share a file. A name that is no
 * absolute path is one of the folder that was the current one at init.
 */
#ifndef MWI_FILE_PATTERN_H
#define MWI_FILE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include <mw/error.h>

struct mwi_file_pattern {
    char *pattern; /* with the folder in front, as mwi_file_pattern_absolute makes it */
    char *member_id;
    bool has_node; /* it has a %n */
};

/* MW_OK, or MW_EUSAGE, with a sentence that names the option, for an unknown %. */
mw_error mwi_file_pattern_check(const char *option, const char *text, mw_reason *why);

/* Whether the text, which was checked, has this letter behind a %. */
bool mwi_file_pattern_has(const char *text, char letter);

/* The same pattern as an absolute path, with the working directory of this moment. Malloc'd; NULL
 * out of memory. */
char *mwi_file_pattern_absolute(const char *text);

/* Copies the strings; `option` names the option in sentences, and member_id may be NULL. On failure
 * there is nothing to free. Errors: MW_EUSAGE, with a sentence, for an unknown %; MW_ENOMEM. */
mw_error mwi_file_pattern_init(struct mwi_file_pattern *pattern, const char *option,
                               const char *text, const char *member_id,
                               mw_reason *why) MW_USE_RESULT;

/* Frees the strings. All zero is legal. */
void mwi_file_pattern_fini(struct mwi_file_pattern *pattern);

/* Makes the path, which the caller frees. `node` is the text for %n, "master" or "SLAVE-3"; NULL: a
 * slave without a number. NULL out of memory. */
char *mwi_file_pattern_expand(const struct mwi_file_pattern *pattern, const char *node);

#endif

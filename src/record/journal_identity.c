/* SPDX-License-Identifier: Apache-2.0
 *
 * Compares the program of a journal with the one that opens it. face/master_journal gathers the
 * parts of an identity; a new part is one more comparison here.
 */
#include "record/journal_identity.h"

#include <stdio.h>
#include <string.h>

/* Writes how a part of the identity differs. */
static void tell_difference(mw_reason *why, const char *what, struct mwi_journal_text was,
                            struct mwi_journal_text is)
{
    int was_size = was.size < 60 ? (int)was.size : 60, is_size = is.size < 60 ? (int)is.size : 60;
    snprintf(why->text, sizeof why->text, "%s were \"%.*s\", and are \"%.*s\" now", what, was_size,
             was.data, is_size, is.data);
}

static bool is_same_text(struct mwi_journal_text one, struct mwi_journal_text other)
{
    return one.size == other.size && (one.size == 0 || memcmp(one.data, other.data, one.size) == 0);
}

bool mwi_journal_identity_may_stand_for(const struct mwi_journal_identity *was,
                                        const struct mwi_journal_identity *is, mw_reason *why)
{
    bool is_vouched = is->version.size > 0 && is_same_text(was->version, is->version);
    why->text[0] = '\0';
    if (!is_same_text(was->names, is->names)) {
        tell_difference(why, "its task algorithms", was->names, is->names);
        return false;
    }
    if (!is_same_text(was->version, is->version)) {
        snprintf(why->text, sizeof why->text, "its version was \"%.*s\", and is \"%.*s\" now",
                 (int)(was->version.size < 60 ? was->version.size : 60), was->version.data,
                 (int)(is->version.size < 60 ? is->version.size : 60), is->version.data);
        return false;
    }
    if (!is_same_text(was->arguments, is->arguments)) {
        tell_difference(why, "its arguments", was->arguments, is->arguments);
        return is_vouched;
    }
    if (!is_same_text(was->executable, is->executable)) {
        snprintf(why->text, sizeof why->text, "its executable file is another one");
        return is_vouched;
    }
    return true;
}

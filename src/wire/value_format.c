/* SPDX-License-Identifier: Apache-2.0
 *
 * Parses format strings: letters, a "|" before the optional ones, a "*" for further values, names
 * in braces; blanks anywhere but in a name. The readers and writers of values walk over a format
 * with mwi_value_format_next, and check it first, since the walk trusts it.
 *
 * A new letter goes into `letters`, into value_letter.h (its type, its output), value_read.c (its
 * name) and value_write.c, and into the table of mw/mw.h.
 */
#include "wire/value_format.h"

#include <stdio.h>
#include <string.h>

static const char letters[] = "sSyiludbo";

/* Takes a name and its colon, if one stands here. */
static void take_name(struct mwi_value_format *format)
{
    format->name = format->at;
    format->name_size = strcspn(format->at, ":} ");
    format->at += format->name_size;
    if (*format->at == ':')
        format->at++;
}

bool mwi_value_format_next(struct mwi_value_format *format)
{
    for (;;) {
        char next = *format->at;
        if (next == '\0')
            return false;
        if (next == ' ' || next == '}' || next == '|' || next == '{') {
            format->at++;
            format->is_optional = format->is_optional || next == '|';
            format->is_named = next == '{' || (format->is_named && next != '}');
            continue;
        }
        if (format->is_named)
            take_name(format);
        format->letter = *format->at;
        if (*format->at != '\0')
            format->at++;
        return true;
    }
}

static mw_error refuse(mw_reason *why, const char *format, const char *fault)
{
    snprintf(why->text, sizeof why->text, "the format \"%.100s\" %s", format, fault);
    return MW_EINVAL;
}

/* Checks that each mark stands at most once, that they are in order, and that braces are closed. */
static mw_error check_marks(const char *text, mw_reason *why)
{
    const char *rest = strchr(text, '*'), *brace = strchr(text, '{');
    const char *bar = strchr(text, '|'), *end = brace == NULL ? NULL : strchr(brace, '}');
    if (brace != NULL && (end == NULL || end[1 + strspn(end + 1, " ")] != '\0'))
        return refuse(why, text, "does not end with the \"}\" of its \"{\"");
    if (brace == NULL && strchr(text, '}') != NULL)
        return refuse(why, text, "has a \"}\" without a \"{\"");
    if (bar != NULL && (strchr(bar + 1, '|') != NULL || (rest != NULL && rest < bar) ||
                        (brace != NULL && brace < bar)))
        return refuse(why, text, "has a \"|\" where none can be");
    if (rest != NULL && rest[1 + strspn(rest + 1, " ")] != '\0' &&
        rest[1 + strspn(rest + 1, " ")] != '{')
        return refuse(why, text, "has values after its \"*\"");
    return MW_OK;
}

/* Whether the item's name is well formed. Named values are separated by blanks; a comma between
 * them would become a part of a name, so only some characters are allowed. */
static bool is_name(const struct mwi_value_format *format)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.?!";
    return format->name_size > 0 && strspn(format->name, allowed) == format->name_size &&
           format->name[format->name_size] == ':';
}

mw_error mwi_value_format_check(const char *text, mw_reason *why)
{
    struct mwi_value_format format = {.at = text};
    mw_error error = check_marks(text, why);
    if (error != MW_OK)
        return error;
    while (mwi_value_format_next(&format)) {
        if (format.is_named && !is_name(&format))
            return refuse(why, text, "has a named value that is not like \"name:i\"");
        if (format.letter == '*' && !format.is_named)
            continue;
        if (format.letter == '\0' || strchr(letters, format.letter) == NULL) {
            snprintf(why->text, sizeof why->text,
                     "the format \"%.100s\" has the unknown letter '%c'", text,
                     format.letter == '\0' ? ' ' : format.letter);
            return MW_EINVAL;
        }
    }
    return MW_OK;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The names and texts of the errors, made from the list in mw/error.h, and the version of the
 * library. Users call these functions, and every room that puts an error into a sentence.
 *
 * To add an error, add a line to that list and a row to the table in docs/guide.md. The test of
 * documents fails if the row is missing.
 */
#include <mw/error.h>
#include <mw/version.h>

const char *mw_error_name(mw_error error)
{
    switch (error) {
    case MW_OK:
        return "MW_OK";
#define CASE(name, text)                                                                           \
    case MW_##name:                                                                                \
        return "MW_" #name;
        MW_ERRORS(CASE)
#undef CASE
    }
    return "MW_E?";
}

const char *mw_error_text(mw_error error)
{
    switch (error) {
    case MW_OK:
        return "no error";
#define CASE(name, text)                                                                           \
    case MW_##name:                                                                                \
        return text;
        MW_ERRORS(CASE)
#undef CASE
    }
    return "unknown error";
}

const char *mw_version(void)
{
    return MW_VERSION_STRING;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The texts of the errors, made from the list in mw/error.h. A new error is a line of that list;
 * docs/guide.md has a row for each, which the test of documents checks.
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

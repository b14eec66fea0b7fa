/* SPDX-License-Identifier: Apache-2.0
 *
 * The texts of the list in mw/error.h.
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

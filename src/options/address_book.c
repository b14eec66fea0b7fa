/* SPDX-License-Identifier: Apache-2.0
 *
 * Merges the contents of a resource file into the whereabouts of a master. A slave's search
 * (face/slave_search.c) reads the file again and again and takes each entry each time, so that it
 * follows a master that moved. Invariant: an entry always has a value that its option allows.
 *
 * To take another entry of the resource file, add a field to struct mwi_address_book, and a
 * function here that checks it by its option.
 */
#include "options/address_book.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "options/hostname.h"
#include "options/kind.h"

static bool is_allowed(enum mwi_option option, const char *text)
{
    struct mwi_option_value value;
    return mwi_kind_read(&mwi_table_rows[option], text, &value);
}

static mw_error fail(enum mwi_option option, const char *text, mw_reason *why)
{
    const struct mwi_option_row *row = &mwi_table_rows[option];
    char shown[MWI_KIND_SHOWN_BYTES], allowed[160];
    mwi_kind_show(text, shown);
    mwi_kind_allowed(row, allowed, sizeof allowed);
    snprintf(why->text, sizeof why->text, "resource file: %s %s: must be %s", row->name, shown,
             allowed);
    return MW_EUSAGE;
}

static mw_error take_text(enum mwi_option option, const char *text, char *entry, size_t size,
                          mw_reason *why)
{
    if (!is_allowed(option, text))
        return fail(option, text, why);
    assert(strlen(text) < size);
    snprintf(entry, size, "%s", text);
    return MW_OK;
}

mw_error mwi_address_book_take_member_id(struct mwi_address_book *book, const char *member_id,
                                         mw_reason *why)
{
    if (!book->takes_member_id)
        return MW_OK;
    return take_text(MWI_OPTION_MEMBER_ID, member_id, book->member_id, sizeof book->member_id, why);
}

mw_error mwi_address_book_take_host(struct mwi_address_book *book, const char *host, mw_reason *why)
{
    if (!book->takes_host)
        return MW_OK;
    return take_text(MWI_OPTION_MASTER_HOST, host, book->host, sizeof book->host, why);
}

mw_error mwi_address_book_take_port(struct mwi_address_book *book, int port, mw_reason *why)
{
    char digits[16];
    if (!book->takes_port)
        return MW_OK;
    snprintf(digits, sizeof digits, "%d", port);
    if (!is_allowed(MWI_OPTION_MASTER_PORT, digits))
        return fail(MWI_OPTION_MASTER_PORT, digits, why);
    book->port = (unsigned)port;
    return MW_OK;
}

bool mwi_address_book_is_complete(const struct mwi_address_book *book)
{
    return book->host[0] != '\0' && book->port != 0;
}

void mwi_address_book_write(const struct mwi_address_book *book, char *text, size_t size)
{
    char digits[16];
    assert(mwi_address_book_is_complete(book));
    snprintf(digits, sizeof digits, "%u", book->port);
    mwi_hostname_join(book->host, digits, text, size);
}

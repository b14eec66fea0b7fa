/* SPDX-License-Identifier: Apache-2.0
 *
 * The whereabouts of a slave's master: the member id, host and port that the options say, and those
 * that a resource file says, which a slave reads again before each attempt to connect.
 */
#ifndef MWI_ADDRESS_BOOK_H
#define MWI_ADDRESS_BOOK_H

#include <mw/error.h>

#include "options/table.h"

/* Made by settings.c, which also decides which entries a resource file may replace: those that the
 * options do not say, or say in a weaker place than --mw-resource-file. */
struct mwi_address_book {
    char member_id[MWI_MEMBER_ID_BYTES_MAX + 1];
    char host[MWI_HOST_BYTES_MAX + 1]; /* "" if unknown */
    unsigned port;                     /* 0 if unknown */
    bool takes_member_id;              /* from a resource file */
    bool takes_host;
    bool takes_port;
};

/* Take an entry of a resource file if the book takes it at all, and copy it. A value that its
 * option does not allow is MW_EUSAGE with a sentence, and the entry is then unchanged. */
mw_error mwi_address_book_take_member_id(struct mwi_address_book *book, const char *member_id,
                                         mw_reason *why) MW_USE_RESULT;
mw_error mwi_address_book_take_host(struct mwi_address_book *book, const char *host,
                                    mw_reason *why) MW_USE_RESULT;
mw_error mwi_address_book_take_port(struct mwi_address_book *book, int port,
                                    mw_reason *why) MW_USE_RESULT;

/* Whether host and port are known. */
bool mwi_address_book_is_complete(const struct mwi_address_book *book);

/* Writes "HOST:PORT" of a complete book to text[0..size), always NUL-terminated. */
void mwi_address_book_write(const struct mwi_address_book *book, char *text, size_t size);

#endif

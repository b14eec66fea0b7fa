/* SPDX-License-Identifier: Apache-2.0
 *
 * The greeting of a slave as tests write it.
 */
#ifndef MWT_HELLO_H
#define MWT_HELLO_H

#include "wire/message.h"

/* Appends the HELLO of a slave that says nothing of its host. */
static inline void mwt_hello(struct mwi_buffer *buffer, const char *member_id,
                             uint64_t frame_bytes_max)
{
    mwi_message_write_hello(buffer,
                            &(struct mwi_message_hello){.member_id = mwi_message_text(member_id),
                                                        .frame_bytes_max = frame_bytes_max,
                                                        .host = mwi_message_text(""),
                                                        .boot_id = mwi_message_text("")});
}

#endif

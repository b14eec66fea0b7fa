/* SPDX-License-Identifier: Apache-2.0
 *
 * The way of a message through a buffer: a test writes it, and reads it back.
 */
#ifndef MWT_WAY_H
#define MWT_WAY_H

#include <string.h>

#include <CUnit/Basic.h>

#include "wire/message.h"

/* Of bytes in a literal: these, and how many they are. */
#define MWT_WAY_BYTES(bytes) bytes, sizeof bytes - 1

/* A message that was written, and the message that was read from it. */
struct mwt_way {
    struct mwi_buffer buffer;
    struct mwi_decoder decoder;
    struct mwi_message message;
    mw_reason why;
};

static inline void mwt_way_start(struct mwt_way *way)
{
    mwi_buffer_init(&way->buffer);
    CU_ASSERT_TRUE_FATAL(mwi_message_decoder_init(&way->decoder));
}

static inline void mwt_way_end(struct mwt_way *way)
{
    mwi_message_decoder_fini(&way->decoder);
    mwi_buffer_fini(&way->buffer);
}

/* Decodes the written message, whatever it is. */
static inline mw_error mwt_way_decode(struct mwt_way *way)
{
    strcpy(way->why.text, "");
    return mwi_message_decode(&way->decoder, way->buffer.data, way->buffer.size, &way->message,
                              &way->why);
}

/* Decodes the written message, which must be of that kind. */
static inline void mwt_way_read(struct mwt_way *way, enum mwi_message_kind kind)
{
    CU_ASSERT_FALSE_FATAL(way->buffer.has_failed);
    CU_ASSERT_EQUAL_FATAL(mwt_way_decode(way), MW_OK);
    CU_ASSERT_EQUAL_FATAL(way->message.kind, kind);
}

/* Whether the bytes lie in the written message. */
static inline bool mwt_way_holds(const struct mwt_way *way, const unsigned char *data, size_t size)
{
    return data >= way->buffer.data && data + size <= way->buffer.data + way->buffer.size;
}

#endif

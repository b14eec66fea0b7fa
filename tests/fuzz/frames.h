/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames made from fuzz input: any bytes, proper messages, and proper messages with some bytes
 * changed. All code is in this header, because a fuzz function is compiled from a single source.
 */
#ifndef MWT_FRAMES_H
#define MWT_FRAMES_H

#include <stdlib.h>
#include <string.h>

#include <mw/transport.h>

#include "../lib/mwt_items.h"
#include "../lib/mwt_join.h"
#include "base/printable.h"
#include "fuzz.h"
#include "wire/content.h"
#include "wire/message.h"

/* The rest of the input. Reading beyond its end gives zeros. */
struct mwt_input {
    const uint8_t *data;
    size_t size;
};

static inline uint8_t mwt_input_byte(struct mwt_input *input)
{
    if (input->size == 0)
        return 0;
    input->size--;
    return *input->data++;
}

static inline uint64_t mwt_input_number(struct mwt_input *input, size_t bytes)
{
    uint64_t number = 0;
    while (bytes-- > 0)
        number = number << 8 | mwt_input_byte(input);
    return number;
}

/* Appends up to 255 bytes of the input as they are. */
static inline void mwt_frames_any(struct mwt_input *input, struct mwi_buffer *buffer)
{
    size_t size = mwt_input_byte(input);
    size = size < input->size ? size : input->size;
    mwi_buffer_append(buffer, input->data, size);
    input->data += size;
    input->size -= size;
}

/* Whether a text can be printed as it is, although a peer has sent it. */
static inline bool mwt_frames_is_printable(const void *text, size_t size)
{
    return mwi_printable_size(text, size) == size;
}

/* Appends up to 7 bytes of the input, any, and a NUL. */
static inline void mwt_frames_text(struct mwt_input *input, char *text)
{
    size_t size = mwt_input_byte(input) % 8u;
    for (size_t i = 0; i < size; i++)
        text[i] = (char)mwt_input_byte(input);
    text[size] = '\0';
}

static inline struct mwi_payload mwt_frames_payload(struct mwt_input *input, unsigned char *bytes)
{
    uint8_t size = mwt_input_byte(input);
    memset(bytes, size, 256);
    return (struct mwi_payload){bytes, size, size % 2 == 0};
}

/* Makes up to 9 items. All their payloads are bytes of `bytes`, which is of 256. */
static inline size_t mwt_frames_items(struct mwt_input *input, struct mwi_message_item *items,
                                      unsigned char *bytes)
{
    size_t count = mwt_input_byte(input) % 9u + 1u;
    bool is_dense = mwt_input_byte(input) % 2 == 0;
    uint64_t id = mwt_input_byte(input) % 32u;
    for (size_t i = 0; i < count; i++) {
        struct mwi_payload payload = mwt_frames_payload(input, bytes);
        items[i] = mwt_items_make(is_dense ? id + i : mwt_input_number(input, 2) % 4096u,
                                  payload.is_bytes ? MWI_PAYLOAD_BYTES : MWI_PAYLOAD_VALUES, bytes,
                                  payload.size);
        items[i].algorithm = mwt_input_byte(input) % 4u;
        items[i].duration_ns = is_dense ? 5 : mwt_input_number(input, 3);
    }
    return count;
}

static inline void mwt_frames_tasks(struct mwt_input *input, struct mwi_buffer *buffer)
{
    struct mwi_message_item items[9];
    unsigned char bytes[256];
    size_t count = mwt_frames_items(input, items, bytes);
    if (count == 1 && items[0].size % 5 == 0)
        items[0].form |= MWI_PAYLOAD_TIMED;
    mwt_items_tasks(buffer, items, count);
}

static inline void mwt_frames_results(struct mwt_input *input, struct mwi_buffer *buffer)
{
    struct mwi_message_item items[9];
    unsigned char bytes[256];
    size_t count = mwt_frames_items(input, items, bytes);
    for (size_t i = 0; i < count; i++)
        if (items[i].size % 3 == 0)
            items[i].form = items[i].size % 2 == 0 ? MWI_PAYLOAD_FAILED : MWI_PAYLOAD_CRASHED;
    mwt_items_results(buffer, items, count);
}

/* Offers results, some of them of the task "" of the algorithm "alpha", whose arguments are raw
 * bytes. */
static inline void mwt_frames_offer(struct mwt_input *input, struct mwi_buffer *buffer)
{
    struct mwi_message_item items[9];
    struct mwi_digest keys[9];
    unsigned char bytes[256];
    size_t count = mwt_frames_items(input, items, bytes);
    uint64_t seed = mwi_content_seed(MWI_CONTENT_SCOPE, mwi_content_name("alpha", 5), true);
    for (size_t i = 0; i < count; i++)
        keys[i] = mwi_content_key(seed, "", mwt_input_byte(input) % 2u);
    mwi_message_begin_offer(buffer, mwt_input_byte(input) % 3u, items, keys, count);
    for (size_t i = 0; i < count; i++)
        mwi_buffer_append(buffer, bytes, items[i].size);
}

/* Writes the greeting of a slave that may belong to this farm, and says anything of its host. */
static inline void mwt_frames_hello(struct mwt_input *input, struct mwi_buffer *buffer)
{
    unsigned char bytes[256];
    bool is_ours = mwt_input_byte(input) % 8 > 0;
    uint64_t frame_bytes_max = mwt_input_number(input, 2);
    struct mwi_payload host = mwt_frames_payload(input, bytes);
    for (size_t i = 0; i < host.size; i += 3)
        bytes[i] = mwt_input_byte(input);
    struct mwi_text text = {(const char *)bytes, host.size};
    uint32_t traits = mwt_input_byte(input);
    bool may_offer = (traits & MWI_TRAIT_RETURNS) != 0;
    mwi_message_write_hello(buffer, &(struct mwi_message_hello){
                                        .member_id = mwi_message_text(is_ours ? "farm" : "other"),
                                        .frame_bytes_max = frame_bytes_max,
                                        .host = text,
                                        .boot_id = {text.data, text.size / 4},
                                        .pid = mwt_input_byte(input),
                                        .traits = traits,
                                        .offers_count = may_offer ? mwt_input_byte(input) : 0,
                                    });
}

/* Writes a proper message of any kind. */
static inline void mwt_frames_proper(struct mwt_input *input, struct mwi_buffer *buffer)
{
    char text[8];
    mwt_frames_text(input, text);
    const mw_algorithm algorithms[] = {{"alpha", NULL}, {"", NULL}, {text, NULL}, {NULL, NULL}};
    switch (mwt_input_byte(input) % 23 + 1) {
    case MWI_MESSAGE_HELLO:
        mwt_frames_hello(input, buffer);
        break;
    case MWI_MESSAGE_WELCOME:
        mwi_message_write_welcome(buffer, 1, mwt_input_byte(input) % 8u + 1u,
                                  mwt_input_number(input, 2), 77, algorithms);
        break;
    case MWI_MESSAGE_BEGUN:
        mwi_message_write_id(buffer, MWI_MESSAGE_BEGUN, mwt_input_byte(input) % 32u);
        break;
    case MWI_MESSAGE_END_TASK:
        mwi_message_write_id(buffer, MWI_MESSAGE_END_TASK, mwt_input_byte(input) % 32u);
        break;
    case MWI_MESSAGE_REFUSE:
        mwi_message_write_reason(buffer, MWI_MESSAGE_REFUSE, text);
        break;
    case MWI_MESSAGE_TASKS:
        mwt_frames_tasks(input, buffer);
        break;
    case MWI_MESSAGE_RESULTS:
        mwt_frames_results(input, buffer);
        break;
    case MWI_MESSAGE_SAVE:
        mwi_message_begin_save(buffer, mwt_input_byte(input) % 32u);
        mwt_frames_any(input, buffer);
        break;
    case MWI_MESSAGE_SHUTDOWN:
        mwi_message_write_bare(buffer, MWI_MESSAGE_SHUTDOWN);
        break;
    case MWI_MESSAGE_LEAVING:
        mwi_message_write_reason(buffer, MWI_MESSAGE_LEAVING, text);
        break;
    case MWI_MESSAGE_RECALL:
        mwi_message_write_bare(buffer, MWI_MESSAGE_RECALL);
        break;
    case MWI_MESSAGE_OFFER:
        mwt_frames_offer(input, buffer);
        break;
    case MWI_MESSAGE_RUNNING:
        mwi_message_write_running(buffer,
                                  &(struct mwi_message_running){.run = mwt_input_byte(input) % 3u,
                                                                .id = mwt_input_byte(input) % 32u});
        break;
    case MWI_MESSAGE_OFFERED:
        mwi_message_write_bare(buffer, MWI_MESSAGE_OFFERED);
        break;
    case MWI_MESSAGE_KEPT:
        mwi_message_write_number(buffer, MWI_MESSAGE_KEPT, mwt_input_byte(input));
        break;
    case MWI_MESSAGE_SCOPE:
        mwi_message_write_number(buffer, MWI_MESSAGE_SCOPE, mwt_input_byte(input) % 3u);
        break;
    case MWI_MESSAGE_RETURNED:
        mwi_message_write_bare(buffer, MWI_MESSAGE_RETURNED);
        break;
    default:
        mwi_message_write_reason(buffer, MWI_MESSAGE_GOODBYE, text);
        break;
    }
}

/* Fills the buffer with the next frame. */
static inline void mwt_frames_next(struct mwt_input *input, struct mwi_buffer *buffer)
{
    uint8_t kind = mwt_input_byte(input) % 8;
    mwi_buffer_clear(buffer);
    if (kind == 0) {
        mwt_frames_any(input, buffer);
        return;
    }
    mwt_frames_proper(input, buffer);
    for (uint8_t i = kind == 1 ? 3 : kind == 2 ? 1 : 0; i > 0 && buffer->size > 0; i--)
        buffer->data[mwt_input_byte(input) % buffer->size] ^= mwt_input_byte(input);
}

/* Copies the frame into a block of exactly its size. If may_be_kept, the receiver may take the
 * block; otherwise the caller frees it. */
static inline mw_frame mwt_frames_hand_over(const struct mwi_buffer *buffer, bool may_be_kept)
{
    unsigned char *block = malloc(buffer->size == 0 ? 1 : buffer->size);
    if (block == NULL)
        abort();
    if (buffer->size > 0)
        memcpy(block, buffer->data, buffer->size);
    return (mw_frame){block, buffer->size, may_be_kept ? block : NULL, NULL};
}

#endif

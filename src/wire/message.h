/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages between master and slave: one msgpack array a frame, the kind first.
 * docs/protocol.md describes them for those who write another end.
 */
#ifndef MWI_MESSAGE_H
#define MWI_MESSAGE_H

#include <string.h>

#include <mw/mw.h>

#include "base/buffer.h"

/* The numbers are the protocol's. HELLO and REFUSE keep their form in every version, so that ends
 * of different versions can tell each other why they part. */
enum mwi_message_kind {
    MWI_MESSAGE_HELLO = 1,     /* slave: ["mw", protocol, member id, frame_bytes_max,
                                 host, boot id, pid] */
    MWI_MESSAGE_WELCOME = 2,   /* master: [sid, result group, frame_bytes_max, names...] */
    MWI_MESSAGE_REFUSE = 3,    /* master: [reason] */
    MWI_MESSAGE_TASKS = 4,     /* master: [id, algorithm, payload]... */
    MWI_MESSAGE_RESULTS = 5,   /* slave: [id, payload, status, nanoseconds]... */
    MWI_MESSAGE_SHUTDOWN = 6,  /* master: [] */
    MWI_MESSAGE_GOODBYE = 7,   /* slave: [reason]: it leaves; the tasks that it has not returned go
                                 back to the pool */
    MWI_MESSAGE_ATTENTIVE = 8, /* slave: []: without a task it listens, and may be pinged */
    MWI_MESSAGE_PING = 9,      /* master: [] */
    MWI_MESSAGE_PONG = 10,     /* slave: [], at once */
    /* The payload is what follows the array in the frame, as it is: no length of msgpack's limits
     * it, and it can be handed out, or sent, where it lies. */
    MWI_MESSAGE_LARGE_TASK = 11,  /* master: [id, algorithm, form] payload */
    MWI_MESSAGE_LARGE_RESULT = 12 /* slave: [id, nanoseconds, form] payload */
};

/* A payload is an ext of this type holding a sequence of values, a bin holding raw bytes, or, in a
 * failed result, a str holding the message. */
#define MWI_MESSAGE_EXT_VALUES 1

/* The form of a large payload. */
enum mwi_payload_form { MWI_PAYLOAD_VALUES = 0, MWI_PAYLOAD_BYTES = 1 };

/* A payload of so many bytes goes in a message of its own, in which it need not be copied. */
#define MWI_MESSAGE_LARGE_BYTES ((size_t)32 << 10)

enum mwi_result_status { MWI_RESULT_DONE = 0, MWI_RESULT_FAILED = 1 };

/* The largest a message without tasks or results can be, and what a task or result needs besides
 * its payload at most. */
#define MWI_MESSAGE_OVERHEAD_BYTES 64

/* Longer texts make a greeting malformed. */
#define MWI_MESSAGE_HOST_BYTES_MAX 255
#define MWI_MESSAGE_BOOT_ID_BYTES_MAX 64

/* A text in a frame, not NUL-terminated. */
struct mwi_text {
    const char *data;
    size_t size;
};

/* The string as such a text; it is borrowed. */
static inline struct mwi_text mwi_message_text(const char *string)
{
    return (struct mwi_text){string, strlen(string)};
}

/* Of another protocol than ours, only that number is there. */
struct mwi_message_hello {
    uint64_t protocol;
    struct mwi_text member_id;
    uint64_t frame_bytes_max; /* the largest frame that the slave accepts */
    struct mwi_text host;     /* as it came: may be anything */
    struct mwi_text boot_id;  /* likewise */
    uint32_t pid;
};

struct mwi_payload {
    unsigned char *data;
    size_t size;
    bool is_bytes;
};

/* What the other end allows, as a size that can be added to. */
static inline size_t mwi_message_size(uint64_t bytes)
{
    return bytes < SIZE_MAX / 2 ? (size_t)bytes : SIZE_MAX / 2;
}

/* A received task or result; the payload points into the frame. */
struct mwi_message_item {
    uint64_t id;
    uint32_t algorithm;            /* task */
    enum mwi_result_status status; /* result; FAILED: the payload is the message's text */
    uint64_t duration_ns;          /* result */
    struct mwi_payload payload;
};

struct mwi_message {
    enum mwi_message_kind kind;
    union {
        struct mwi_message_hello hello;
        struct {
            uint32_t sid;
            uint32_t result_group;
            uint64_t frame_bytes_max;
            size_t algorithms_count; /* mwi_message_algorithm */
        } welcome;
        struct mwi_text reason; /* refuse, goodbye */
        size_t items_count;     /* tasks, results: mwi_message_item; 1 of a large one */
    };
    struct mwi_payload large;     /* large task, large result: the payload */
    const msgpack_object *fields; /* of the array, behind the kind */
    size_t fields_count;
};

/* Decodes frames; the memory is reused from one to the next. */
struct mwi_decoder {
    msgpack_zone zone;
};

bool mwi_decoder_init(struct mwi_decoder *decoder);
void mwi_decoder_fini(struct mwi_decoder *decoder);

/* The fields of a result in a message. */
#define MWI_MESSAGE_RESULT_FIELDS 4

/* How many fields the frame claims to have, by its first bytes alone; 0 if it is no array. */
size_t mwi_message_fields_count(const unsigned char *data, size_t size);

/* Reads a frame; everything in *message points into it, or is the decoder's until the next frame.
 * All of the message is checked here: the accessors below cannot fail. Errors: MW_EPROTOCOL with
 * what is wrong, MW_ENOMEM. A HELLO of another protocol version is read as far as that number. */
mw_error mwi_message_decode(struct mwi_decoder *decoder, unsigned char *data, size_t size,
                            struct mwi_message *message, mw_reason *why);

struct mwi_text mwi_message_algorithm(const struct mwi_message *message, size_t index);
void mwi_message_task(const struct mwi_message *message, size_t index,
                      struct mwi_message_item *item);
void mwi_message_result(const struct mwi_message *message, size_t index,
                        struct mwi_message_item *item);

/* Writers: append a whole message to an empty buffer, whose `failed` says whether memory sufficed.
 */
/* Of our protocol, whatever hello->protocol is. */
void mwi_message_write_hello(struct mwi_buffer *buffer, const struct mwi_message_hello *hello);
void mwi_message_write_welcome(struct mwi_buffer *buffer, uint32_t sid, uint32_t result_group,
                               uint64_t frame_bytes_max, const mw_algorithm *algorithms);
void mwi_message_write_reason(struct mwi_buffer *buffer, enum mwi_message_kind kind,
                              const char *reason);
/* SHUTDOWN, ATTENTIVE, PING, PONG. */
void mwi_message_write_bare(struct mwi_buffer *buffer, enum mwi_message_kind kind);

/* A message of tasks: begin with their number, then each. */
void mwi_message_begin_tasks(struct mwi_buffer *buffer, size_t tasks_count);
void mwi_message_write_task(struct mwi_buffer *buffer, uint64_t id, uint32_t algorithm,
                            const struct mwi_payload *payload);

/* A message of results, whose number is not known at first: begin; for each result its id, its
 * payload, its end; at last the number. The payload is written by mwi_message_write_bytes or
 * _failure (which cuts a text that msgpack cannot hold), or between _open_values and _close_values
 * by anybody who appends values. Beyond MWI_MESSAGE_LARGE_BYTES bytes and values are for a large
 * result: the lengths here have 32 bits. */
void mwi_message_begin_results(struct mwi_buffer *buffer);
void mwi_message_begin_result(struct mwi_buffer *buffer, uint64_t id);
size_t mwi_message_open_values(struct mwi_buffer *buffer); /* -> `opened` of _close_values */
void mwi_message_close_values(struct mwi_buffer *buffer, size_t opened);
void mwi_message_write_bytes(struct mwi_buffer *buffer, const void *data, size_t size);
void mwi_message_write_failure(struct mwi_buffer *buffer, const char *message);
void mwi_message_end_result(struct mwi_buffer *buffer, enum mwi_result_status status,
                            uint64_t duration_ns);
void mwi_message_end_results(struct mwi_buffer *buffer, size_t results_count);

/* A large task or result, but for the payload, which follows it, at a multiple of 16 bytes. */
void mwi_message_begin_large_task(struct mwi_buffer *buffer, uint64_t id, uint16_t algorithm,
                                  bool is_bytes);
void mwi_message_begin_large_result(struct mwi_buffer *buffer, uint64_t id, uint64_t duration_ns,
                                    bool is_bytes);

#endif

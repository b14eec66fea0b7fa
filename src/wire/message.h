/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages between master and slave. A frame holds one message: a msgpack array whose first
 * element is the kind. docs/protocol.md describes them for authors of another master or slave; the
 * kinds below and that page change together.
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
    MWI_MESSAGE_TASKS = 4,     /* master: [id, algorithm, payload]..., or of one task that is timed
                                  [id, algorithm, payload, 1] */
    MWI_MESSAGE_RESULTS = 5,   /* slave: [id, payload, status, nanoseconds]... */
    MWI_MESSAGE_SHUTDOWN = 6,  /* master: [] */
    MWI_MESSAGE_GOODBYE = 7,   /* slave: [reason]: it leaves; the tasks that it has not returned go
                                 back to the pool */
    MWI_MESSAGE_ATTENTIVE = 8, /* slave: []: without a task it listens, and may be pinged */
    MWI_MESSAGE_PING = 9,      /* master: [] */
    MWI_MESSAGE_PONG = 10,     /* slave: [], at once */
    /* The payload follows the array in the frame, without a header: no length of msgpack limits it,
     * and it can be handed out, or sent, where it lies. */
    MWI_MESSAGE_LARGE_TASK = 11,   /* master: [id, algorithm, form] payload */
    MWI_MESSAGE_LARGE_RESULT = 12, /* slave: [id, nanoseconds, form] payload */
    MWI_MESSAGE_BEGUN = 13,        /* slave: [id]: it begins this task, which is timed */
    MWI_MESSAGE_LEAVING = 14,      /* slave: [reason]: it will say goodbye, perhaps only after the
                                     task that it runs; if it is lost before, as after a goodbye */
    MWI_MESSAGE_RECALL = 15,       /* master: []: give back the tasks that were not begun */
    MWI_MESSAGE_RETURNED = 16      /* slave: []: the answer, behind its results: it has no task */
};

/* A payload is an ext of this type holding a sequence of values, a bin holding raw bytes, or, in a
 * failed result, a str holding the message. */
#define MWI_MESSAGE_EXT_VALUES 1

/* The form of a large payload, and, added to that of a task, that the task is timed. */
enum mwi_payload_form { MWI_PAYLOAD_VALUES = 0, MWI_PAYLOAD_BYTES = 1, MWI_PAYLOAD_TIMED = 2 };

/* A payload of this size or more goes in a message of its own, in which it need not be copied. */
#define MWI_MESSAGE_LARGE_BYTES ((size_t)32 << 10)

enum mwi_result_status { MWI_RESULT_DONE = 0, MWI_RESULT_FAILED = 1 };

/* A task or result takes at most this much besides its payload, with the message's beginning. */
#define MWI_MESSAGE_OVERHEAD_BYTES 64

/* Longer texts make a greeting malformed. */
#define MWI_MESSAGE_HOST_BYTES_MAX 255
#define MWI_MESSAGE_BOOT_ID_BYTES_MAX 64

/* Stands for a reason that a peer left empty, so that no sentence ends in nothing. */
#define MWI_MESSAGE_NO_REASON "no reason was given"

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

/* If `protocol` is not ours, nothing else is set. */
struct mwi_message_hello {
    uint64_t protocol;
    struct mwi_text member_id;
    uint64_t frame_bytes_max; /* the largest frame that the slave accepts */
    struct mwi_text host;     /* as received: any bytes */
    struct mwi_text boot_id;  /* as received: any bytes */
    uint32_t pid;
};

struct mwi_payload {
    unsigned char *data;
    size_t size;
    bool is_bytes;
};

/* A size that a peer has named, cut so that adding to it does not overflow. */
static inline size_t mwi_message_size(uint64_t bytes)
{
    return bytes < SIZE_MAX / 2 ? (size_t)bytes : SIZE_MAX / 2;
}

/* A received task or result; the payload points into the frame. */
struct mwi_message_item {
    uint64_t id;
    uint32_t algorithm;            /* task */
    enum mwi_result_status status; /* result; FAILED: the payload is a text for people */
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
        struct mwi_text reason; /* refuse, goodbye, leaving */
        uint64_t begun;         /* begun: the id */
        struct {
            size_t items_count; /* tasks, results; 1 if it is large */
            bool is_timed;      /* the one task: the slave is to say when it begins it */
        };
    };
    struct mwi_payload large;     /* large task, large result: the payload */
    const msgpack_object *fields; /* the array's elements behind the kind */
    size_t fields_count;
};

/* Memory in which messages are decoded; each message uses it anew. */
struct mwi_decoder {
    msgpack_zone zone;
};

/* False out of memory. */
bool mwi_message_decoder_init(struct mwi_decoder *decoder);
void mwi_message_decoder_fini(struct mwi_decoder *decoder);

/* The fields of a result in a message. */
#define MWI_MESSAGE_RESULT_FIELDS 4

/* Returns the number of fields that the frame claims to have. Reads only its first bytes, so that a
 * claim can be refused before memory is spent on it. 0 if the frame is no array. */
size_t mwi_message_fields_count(const unsigned char *data, size_t size);

/* Reads a frame of any bytes. *message borrows the frame, and the decoder's memory until the next
 * call. The whole message is checked here, so that the functions below cannot fail. A HELLO of
 * another protocol version is read as far as that number. Errors: MW_EPROTOCOL with a sentence in
 * *why, MW_ENOMEM. */
mw_error mwi_message_decode(struct mwi_decoder *decoder, unsigned char *data, size_t size,
                            struct mwi_message *message, mw_reason *why);

/* The parts of a decoded message, by an index below its count. */
struct mwi_text mwi_message_algorithm(const struct mwi_message *message, size_t index);
void mwi_message_task(const struct mwi_message *message, size_t index,
                      struct mwi_message_item *item);
void mwi_message_result(const struct mwi_message *message, size_t index,
                        struct mwi_message_item *item);

/* Each writer appends a whole message to an empty buffer. The buffer's `has_failed` says whether
 * memory ran out. A text longer than 4 GiB is cut. HELLO is of our protocol, whatever
 * hello->protocol is. */
void mwi_message_write_hello(struct mwi_buffer *buffer, const struct mwi_message_hello *hello);
void mwi_message_write_welcome(struct mwi_buffer *buffer, uint32_t sid, uint32_t result_group,
                               uint64_t frame_bytes_max, const mw_algorithm *algorithms);
/* `kind`: REFUSE, GOODBYE or LEAVING. */
void mwi_message_write_reason(struct mwi_buffer *buffer, enum mwi_message_kind kind,
                              const char *reason);
/* `kind`: SHUTDOWN, ATTENTIVE, PING, PONG, RECALL or RETURNED. */
void mwi_message_write_bare(struct mwi_buffer *buffer, enum mwi_message_kind kind);

/* Appends a message of tasks: begin_tasks, then write_task for each of the `tasks_count` tasks; or,
 * by write_timed_task alone, a message of one task that is timed. */
void mwi_message_begin_tasks(struct mwi_buffer *buffer, size_t tasks_count);
void mwi_message_write_task(struct mwi_buffer *buffer, uint64_t id, uint32_t algorithm,
                            const struct mwi_payload *payload);
void mwi_message_write_timed_task(struct mwi_buffer *buffer, uint64_t id, uint32_t algorithm,
                                  const struct mwi_payload *payload);

/* Appends the message that the slave begins a task. */
void mwi_message_write_begun(struct mwi_buffer *buffer, uint64_t id);

/* Appends a message of results whose number is not known at first: begin_results; for each result
 * begin_result, a payload, end_result; at last end_results with the number. A payload is written by
 * write_bytes or write_failure, or as values that the caller appends between open_values and
 * close_values. Lengths here have 32 bits: larger payloads need a large result. */
void mwi_message_begin_results(struct mwi_buffer *buffer);
void mwi_message_begin_result(struct mwi_buffer *buffer, uint64_t id);
/* Returns where the values begin, for close_values. */
size_t mwi_message_open_values(struct mwi_buffer *buffer);
void mwi_message_close_values(struct mwi_buffer *buffer, size_t opened);
void mwi_message_write_bytes(struct mwi_buffer *buffer, const void *data, size_t size);
void mwi_message_write_failure(struct mwi_buffer *buffer, const char *message);
void mwi_message_end_result(struct mwi_buffer *buffer, enum mwi_result_status status,
                            uint64_t duration_ns);
void mwi_message_end_results(struct mwi_buffer *buffer, size_t results_count);

/* Appends all of a large task or result but the payload. The caller appends the payload or sends it
 * as the frame's body; it then begins at a multiple of 16 bytes. */
void mwi_message_begin_large_task(struct mwi_buffer *buffer, uint64_t id, uint16_t algorithm,
                                  bool is_bytes, bool is_timed);
void mwi_message_begin_large_result(struct mwi_buffer *buffer, uint64_t id, uint64_t duration_ns,
                                    bool is_bytes);

#endif

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
#include "base/digest.h"
#include "wire/column.h"
#include "wire/guard.h"

/* The numbers are the protocol's. HELLO and REFUSE keep their form in every version, so that ends
 * of different versions can tell each other why they part. */
enum mwi_message_kind {
    MWI_MESSAGE_HELLO = 1,   /* slave: ["mw", protocol, member id, frame_bytes_max,
                                 host, boot id, pid, traits, offers] */
    MWI_MESSAGE_WELCOME = 2, /* master: [sid, result group, frame_bytes_max, run, names...] */
    MWI_MESSAGE_REFUSE = 3,  /* master: [reason] */
    /* These two in columns, see below. The payloads follow the array in the frame, one after the
     * other and without headers: no length of msgpack limits them, and one can be handed out, or
     * sent, where it lies. */
    MWI_MESSAGE_TASKS = 4,     /* master: [count, ids, algorithms, forms, sizes, padding] */
    MWI_MESSAGE_RESULTS = 5,   /* slave: [count, ids, forms, nanoseconds, sizes, padding] */
    MWI_MESSAGE_SHUTDOWN = 6,  /* master: [] */
    MWI_MESSAGE_GOODBYE = 7,   /* slave: [reason]: it leaves; the tasks that it has not returned go
                                 back to the pool */
    MWI_MESSAGE_ATTENTIVE = 8, /* slave: []: without a task it listens, and may be pinged */
    MWI_MESSAGE_PING = 9,      /* master: [] */
    MWI_MESSAGE_PONG = 10,     /* slave: [], at once */
    /* 11 and 12 were messages of protocol 3. */
    MWI_MESSAGE_BEGUN = 13,    /* slave: [id]: it begins this task, which is timed or its first */
    MWI_MESSAGE_LEAVING = 14,  /* slave: [reason]: it will say goodbye, perhaps only after the
                                     task that it runs; if it is lost before, as after a goodbye */
    MWI_MESSAGE_RECALL = 15,   /* master: []: give back the tasks that were not begun */
    MWI_MESSAGE_RETURNED = 16, /* slave: []: the answer, behind its results: it has no task */
    MWI_MESSAGE_END_TASK = 17, /* master: [id]: to an isolated slave: end this task, even while it
                                      runs */
    /* Bytes that a task keeps for its next attempt follow the array, up to the end of the frame. */
    MWI_MESSAGE_SAVE = 18, /* slave: [id, padding]: of the task that it runs;
                              master: the same, before the message of this task alone */
    /* These four only if the slave may return: its traits say so. */
    MWI_MESSAGE_OFFER = 19,   /* slave: [count, run, keys, ids, algorithms, forms, nanoseconds,
                                 sizes, padding]: results that it has kept, of tasks of that run;
                                 the payloads follow as in RESULTS */
    MWI_MESSAGE_OFFERED = 20, /* slave: []: there are no more; tasks may come */
    MWI_MESSAGE_KEPT = 21,    /* master: [count]: the slave need not keep the first `count` of the
                                 results that it has sent since the welcome */
    MWI_MESSAGE_SCOPE = 22,   /* master: [number]: the scope of the tasks that follow, see
                                 content.h */
    MWI_MESSAGE_RUNNING = 23  /* slave: [run, id, key]: before OFFERED, the task of that run that an
                                 isolated slave still runs; its result will be offered */
};

/* The bits of HELLO's traits. */
enum mwi_message_trait {
    MWI_TRAIT_ISOLATED = 1, /* its tasks run in a process of their own, which it can end */
    MWI_TRAIT_RETURNS = 2   /* when its master is gone, it looks for it, and keeps results */
};

/* The form of a payload. A task that is timed, which is alone in its message, adds
 * MWI_PAYLOAD_TIMED. */
enum mwi_payload_form {
    MWI_PAYLOAD_VALUES = 0,  /* a sequence of msgpack values one after the other */
    MWI_PAYLOAD_BYTES = 1,   /* raw bytes */
    MWI_PAYLOAD_FAILED = 2,  /* result: a text for people */
    MWI_PAYLOAD_CRASHED = 3, /* result, of an isolated slave: the process that ran the task has
                                ended; a text for people says how. The attempt has failed */
    MWI_PAYLOAD_TIMED = 2    /* task: the slave is to say when it begins it */
};

/* A payload of this size or more goes in a message of its own, in which it need not be copied. */
#define MWI_MESSAGE_LARGE_BYTES ((size_t)32 << 10)

/* The largest number of tasks or results in a message. */
#define MWI_MESSAGE_ITEMS_MAX 65536

/* A task or result takes at most this much besides its payload, with the message's beginning. */
#define MWI_MESSAGE_OVERHEAD_BYTES 64

/* A master has at most this many algorithms, so no message has more than MWI_MESSAGE_FIELDS_MAX
 * fields. */
#define MWI_MESSAGE_ALGORITHMS_MAX UINT16_MAX
#define MWI_MESSAGE_FIELDS_MAX (MWI_MESSAGE_ALGORITHMS_MAX + 5)

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
    uint32_t traits;       /* of enum mwi_message_trait; others are of a later version */
    uint32_t offers_count; /* at most as many results are offered after the welcome; 0: none */
};

/* A task that a slave runs although the master of that run is gone. */
struct mwi_message_running {
    uint64_t run;
    uint64_t id;
    struct mwi_digest key;
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

/* The tasks or results of a message, whose payloads follow one after the other. All is borrowed
 * from the frame. */
struct mwi_message_group {
    size_t count;                 /* 1 to MWI_MESSAGE_ITEMS_MAX */
    struct mwi_column ids;        /* a number: each id is one more than that before it */
    struct mwi_column algorithms; /* tasks; up to 32 bits */
    struct mwi_column forms;      /* without MWI_PAYLOAD_TIMED in tasks */
    struct mwi_column durations;  /* results; nanoseconds */
    struct mwi_column sizes;      /* they add up to payload_bytes */
    unsigned char *payloads;
    size_t payload_bytes;
};

/* A task or result. */
struct mwi_message_item {
    uint64_t id;
    uint64_t duration_ns; /* result */
    size_t size;          /* of the payload */
    uint32_t algorithm;   /* task */
    uint8_t form;         /* enum mwi_payload_form */
    unsigned char *data; /* the payload when it was received, in the frame; the writers below do not
                             read it */
};

/* Hands out the items of a message one after the other. */
struct mwi_message_cursor {
    const struct mwi_message_group *group; /* borrowed */
    size_t index;                          /* of the next item */
    size_t offset;                         /* of its payload */
};

struct mwi_message {
    enum mwi_message_kind kind;
    union {
        struct mwi_message_hello hello;
        struct {
            uint32_t sid;
            uint32_t result_group;
            uint64_t frame_bytes_max;
            uint64_t run;            /* a number of this run of the master alone */
            size_t algorithms_count; /* mwi_message_algorithm */
        } welcome;
        struct mwi_text reason; /* refuse, goodbye, leaving */
        uint64_t id;            /* begun, end task */
        uint64_t kept_count;    /* kept */
        uint64_t scope;         /* scope */
        struct mwi_message_running running;
        struct {
            uint64_t id;
            unsigned char *data; /* in the frame */
            size_t size;
        } save;
        struct {
            struct mwi_message_group group; /* tasks, results, offer */
            bool is_timed;                  /* the one task: the slave is to say when it begins */
            uint64_t run;                   /* offer: of the master that has sent the tasks */
            const unsigned char *keys;      /* offer: see mwi_message_key */
        };
    };
    const msgpack_object *fields; /* the array's elements behind the kind; not of messages with
                                     bytes behind the array */
    size_t fields_count;
};

/* Memory in which messages are decoded; each message uses it anew. */
struct mwi_decoder {
    msgpack_zone zone;
};

/* False out of memory. */
bool mwi_message_decoder_init(struct mwi_decoder *decoder);
void mwi_message_decoder_fini(struct mwi_decoder *decoder);

/* Returns the number of fields that the frame claims to have. Reads only its first bytes, so that a
 * claim can be refused before memory is spent on it. 0 if the frame does not begin as an array. */
size_t mwi_message_fields_count(const unsigned char *data, size_t size);

/* Reads a frame of any bytes. *message borrows the frame, and the decoder's memory until the next
 * call; messages with bytes behind the array use none of that memory. The whole message but for the
 * values in payloads is checked here, so that the functions below cannot fail. A HELLO of another
 * protocol version is read as far as that number. Errors: MW_EPROTOCOL with a sentence in *why,
 * MW_ENOMEM. */
mw_error mwi_message_decode(struct mwi_decoder *decoder, unsigned char *data, size_t size,
                            struct mwi_message *message, mw_reason *why);

/* A name in a decoded welcome, by an index below algorithms_count. */
struct mwi_text mwi_message_algorithm(const struct mwi_message *message, size_t index);

/* The key of a result in a decoded offer, by an index below group.count. */
struct mwi_digest mwi_message_key(const struct mwi_message *message, size_t index);

/* The frame's bytes, which were at `from`, are at `to` from now on (mwi_block_keep). Only for
 * messages with bytes behind the array: tasks, results, offer, save. Items that were read from the
 * message before still point to `from`. */
void mwi_message_rebase(struct mwi_message *message, const unsigned char *from, unsigned char *to);

/* The item of a group at `index`, whose payload begins at `offset`. */
static inline struct mwi_message_item mwi_message_item_at(const struct mwi_message_group *group,
                                                          size_t index, size_t offset)
{
    return (struct mwi_message_item){
        .id = mwi_column_at(&group->ids, index),
        .duration_ns = mwi_column_at(&group->durations, index),
        .size = (size_t)mwi_column_at(&group->sizes, index),
        .algorithm = (uint32_t)mwi_column_at(&group->algorithms, index),
        .form = (uint8_t)mwi_column_at(&group->forms, index),
        .data = group->payloads + offset,
    };
}

/* Sets *item to the next item of the message; false at the end. */
static inline bool mwi_message_next(struct mwi_message_cursor *cursor,
                                    struct mwi_message_item *item)
{
    if (cursor->index == cursor->group->count)
        return false;
    *item = mwi_message_item_at(cursor->group, cursor->index++, cursor->offset);
    cursor->offset += item->size;
    return true;
}

/* The payload of an item. */
static inline struct mwi_payload mwi_message_payload(const struct mwi_message_item *item)
{
    return (struct mwi_payload){item->data, item->size, item->form == MWI_PAYLOAD_BYTES};
}

/* Whether the payload can be read: it is not values, or they are whole msgpack values. */
static inline bool mwi_message_is_readable(const struct mwi_message_item *item)
{
    return item->form != MWI_PAYLOAD_VALUES || mwi_guard_check(item->data, item->size, NULL);
}

/* Each writer appends a whole message to an empty buffer. The buffer's `has_failed` says whether
 * memory ran out. A text longer than 4 GiB is cut. HELLO is of our protocol, whatever
 * hello->protocol is. */
void mwi_message_write_hello(struct mwi_buffer *buffer, const struct mwi_message_hello *hello);
void mwi_message_write_welcome(struct mwi_buffer *buffer, uint32_t sid, uint32_t result_group,
                               uint64_t frame_bytes_max, uint64_t run,
                               const mw_algorithm *algorithms);
/* `kind`: REFUSE, GOODBYE or LEAVING. */
void mwi_message_write_reason(struct mwi_buffer *buffer, enum mwi_message_kind kind,
                              const char *reason);
/* `kind`: SHUTDOWN, ATTENTIVE, PING, PONG, RECALL, RETURNED or OFFERED. */
void mwi_message_write_bare(struct mwi_buffer *buffer, enum mwi_message_kind kind);

/* Appends the message that the slave still runs a task. */
void mwi_message_write_running(struct mwi_buffer *buffer,
                               const struct mwi_message_running *running);

/* Appends all of a message of tasks or results but the payloads. The caller then appends the
 * payloads, one after the other, or sends that of a single item as the frame's body; the first
 * begins at a multiple of 16 bytes. `kind`: TASKS or RESULTS. `count`: 1 to MWI_MESSAGE_ITEMS_MAX.
 * A task with MWI_PAYLOAD_TIMED in its form is alone. */
void mwi_message_begin_group(struct mwi_buffer *buffer, enum mwi_message_kind kind,
                             const struct mwi_message_item *items, size_t count);

/* Appends all of a message of saved bytes but these bytes, which begin at a multiple of 16. */
void mwi_message_begin_save(struct mwi_buffer *buffer, uint64_t id);
/* The same for an offer: `keys` has the key of each item. */
void mwi_message_begin_offer(struct mwi_buffer *buffer, uint64_t run,
                             const struct mwi_message_item *items, const struct mwi_digest *keys,
                             size_t count);

/* Appends a message about one task. `kind`: BEGUN or END_TASK. */
void mwi_message_write_id(struct mwi_buffer *buffer, enum mwi_message_kind kind, uint64_t id);

/* Appends a message of another number. `kind`: KEPT or SCOPE. */
void mwi_message_write_number(struct mwi_buffer *buffer, enum mwi_message_kind kind,
                              uint64_t number);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * A slave engine whose master says anything. Each byte of the input is an event or part of one.
 *
 * After each event these promises must hold: an end is final, nothing is sent after it, everything
 * that is sent is a message that both sides accept, and each task that was begun has one result,
 * in order. A new kind of event is a case in happen().
 */
#include "engine/slave_engine.h"
#include "frames.h"

#define MAX_BYTES 100000
#define ADDRESS "master \xff"

struct life {
    struct mwi_slave_engine engine;
    struct mwi_decoder decoder;
    struct mwi_buffer buffer;
    mw_peer peer; /* of the last attempt */
    bool is_dropped;
    size_t results_sent;
    size_t offers_left; /* as announced to this peer */
    int64_t now_ns;
};

static void run_nothing(mw_call *call)
{
    (void)call;
}

static const mw_algorithm algorithms[] = {
    {"alpha", run_nothing}, {"beta", run_nothing}, {NULL, NULL}};

static bool is_over(const struct life *life)
{
    return life->engine.phase == MWI_PHASE_SHUTDOWN || life->engine.phase == MWI_PHASE_REFUSED ||
           life->engine.phase == MWI_PHASE_GONE;
}

static void check_frame(struct life *life, const struct mwi_effect_entry *effect)
{
    struct mwi_message message;
    mw_reason why;
    MWT_FUZZ_PROMISE(effect->peer == life->peer && !life->is_dropped);
    MWT_FUZZ_PROMISE(
        mwi_message_decode(&life->decoder, effect->frame, effect->size, &message, &why) == MW_OK);
    MWT_FUZZ_PROMISE(message.kind == MWI_MESSAGE_HELLO || message.kind == MWI_MESSAGE_RESULTS ||
                     message.kind == MWI_MESSAGE_GOODBYE || message.kind == MWI_MESSAGE_PONG ||
                     message.kind == MWI_MESSAGE_RETURNED || message.kind == MWI_MESSAGE_SAVE ||
                     message.kind == MWI_MESSAGE_OFFER || message.kind == MWI_MESSAGE_RUNNING ||
                     message.kind == MWI_MESSAGE_OFFERED);
    if (message.kind == MWI_MESSAGE_HELLO)
        life->offers_left = message.hello.offers_count;
    if (message.kind == MWI_MESSAGE_RUNNING)
        MWT_FUZZ_PROMISE(life->offers_left > 0);
    if (message.kind == MWI_MESSAGE_OFFER) {
        MWT_FUZZ_PROMISE(effect->size <= life->engine.next.message_bytes_max);
        MWT_FUZZ_PROMISE(message.group.count <= life->offers_left);
        life->offers_left -= message.group.count;
    }
    if (message.kind != MWI_MESSAGE_RESULTS)
        return;
    /* A failure is sent even if it is longer than the master accepts. */
    MWT_FUZZ_PROMISE(effect->size <= life->engine.results.message_bytes_max ||
                     life->engine.results.message_bytes_max < 300);
    life->results_sent += message.group.count;
}

static void carry_out(struct life *life)
{
    struct mwi_effects *effects = &life->engine.effects;
    MWT_FUZZ_PROMISE(effects->error == MW_OK);
    for (size_t i = 0; i < effects->count; i++) {
        struct mwi_effect_entry *effect = &effects->items[i];
        char line[MWI_AUDIT_LINE_BYTES];
        mwt_join(effect);
        if (effect->kind == MWI_EFFECT_SEND)
            check_frame(life, effect);
        else if (effect->kind == MWI_EFFECT_DROP)
            life->is_dropped = true;
        else if (effect->kind == MWI_EFFECT_AUDIT)
            mwi_audit_text(&effect->record, "", line, sizeof line);
        free(effect->frame);
        effect->frame = NULL;
    }
    effects->count = 0;
}

static void step(struct life *life, struct mwi_event event)
{
    bool was_over = is_over(life);
    enum mwi_slave_phase phase = life->engine.phase;
    event.now_ns = life->now_ns;
    mwi_slave_engine_step(&life->engine, &event);
    MWT_FUZZ_PROMISE(!was_over || (phase == life->engine.phase && life->engine.effects.count == 0));
    MWT_FUZZ_PROMISE(!is_over(life) || life->engine.queue.tasks_count == 0);
    MWT_FUZZ_PROMISE(mwt_frames_is_printable(life->engine.reason, strlen(life->engine.reason)));
    for (size_t i = 0; i < life->engine.repertoire.count; i++)
        MWT_FUZZ_PROMISE(mwt_frames_is_printable(life->engine.repertoire.names[i],
                                                 strlen(life->engine.repertoire.names[i])));
    carry_out(life);
}

static void send_frame(struct life *life, bool may_be_kept)
{
    mw_frame frame = mwt_frames_hand_over(&life->buffer, may_be_kept);
    unsigned char *data = frame.data;
    step(life, (struct mwi_event){.kind = MWI_EVENT_FRAME, .peer = life->peer, .frame = &frame});
    if (!may_be_kept || frame.block != NULL)
        free(data);
}

/* Begins to connect if the engine can. The connection succeeds. */
static void join(struct life *life, struct mwt_input *input)
{
    if (life->engine.phase == MWI_PHASE_APART) {
        mwi_slave_engine_connecting(&life->engine, ++life->peer, ADDRESS);
        life->is_dropped = false;
    }
    if (life->engine.phase == MWI_PHASE_CONNECTING)
        step(life,
             (struct mwi_event){
                 .kind = MWI_EVENT_PEER_UP, .peer = life->peer, .name = "there", .transport = "x"});
    if (mwt_input_byte(input) % 4 == 0)
        return;
    mwi_buffer_clear(&life->buffer);
    mwi_message_write_welcome(&life->buffer, 3, mwt_input_byte(input) % 8u + 1u,
                              mwt_input_byte(input) * 400u, 77, algorithms);
    send_frame(life, true);
}

/* The task that runs saves bytes, and any frame comes meanwhile. */
static void save(struct life *life, struct mwt_input *input, const char *bytes, bool may_be_kept)
{
    size_t size = mwt_input_byte(input);
    if (mwi_slave_engine_save(&life->engine, bytes, size * size, life->now_ns) == MW_OK)
        mwi_slave_engine_send_save(&life->engine);
    if (size % 2 == 0)
        carry_out(life);
    mwt_frames_next(input, &life->buffer);
    send_frame(life, may_be_kept);
}

/* The connection of an isolated slave is lost while its task runs, and it finds a master. */
static void return_in_task(struct life *life, struct mwt_input *input)
{
    if ((life->engine.config.traits & MWI_TRAIT_ISOLATED) == 0)
        return;
    step(life,
         (struct mwi_event){.kind = MWI_EVENT_PEER_DOWN, .peer = life->peer, .reason = "gone"});
    join(life, input);
}

static void run_task(struct life *life, struct mwt_input *input)
{
    static const char bytes[255 * 255];
    struct mwi_slave_task task;
    mw_reason why;
    size_t number = mwt_input_byte(input);
    size_t size = number % 3 == 0 ? number * 200 : number; /* some are large */
    if (!mwi_slave_engine_begin_task(&life->engine, &task))
        return;
    MWT_FUZZ_PROMISE(task.run == run_nothing || task.run == NULL);
    MWT_FUZZ_PROMISE(task.name != NULL);
    for (size_t i = 0; i < number % 4; i++) {
        save(life, input, bytes, number >= 128);
        if (number % 2 == 1)
            return_in_task(life, input);
    }
    if (mwi_results_copy_bytes(&life->engine.results, bytes, size, &why) != MW_OK)
        mwi_results_fail(&life->engine.results, why.text);
    mwi_slave_engine_end_task(&life->engine, 1, life->now_ns);
    carry_out(life);
}

static void happen(struct life *life, struct mwt_input *input)
{
    uint8_t what = mwt_input_byte(input);
    switch (what % 8) {
    case 0:
        join(life, input);
        break;
    case 1:
    case 2:
        run_task(life, input);
        break;
    case 3:
        mwi_buffer_clear(&life->buffer);
        mwt_frames_tasks(input, &life->buffer);
        send_frame(life, what < 128);
        break;
    case 4:
        life->now_ns += (int64_t)mwt_input_byte(input) * 100000000;
        step(life, (struct mwi_event){.kind = MWI_EVENT_TICK, .is_caught_up = true});
        break;
    case 5:
        if (what == 0x2d || (what < 0x60 && life->engine.results.kept != NULL))
            step(life, (struct mwi_event){
                           .kind = MWI_EVENT_PEER_DOWN, .peer = life->peer, .reason = "gone"});
        else if (what == 0xed)
            mwi_slave_engine_leave(&life->engine, "enough", life->now_ns);
        else
            mwi_results_flush(&life->engine.results, life->now_ns);
        carry_out(life);
        break;
    default:
        mwt_frames_next(input, &life->buffer);
        send_frame(life, what < 128);
        break;
    }
    MWT_FUZZ_PROMISE(life->results_sent <= life->engine.results.total_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct mwi_greeting_origin origin = {"node \xff", "boot", 3};
    static const struct mwi_slave_engine_config config = {.member_id = "farm",
                                                          .origin = &origin,
                                                          .algorithms = algorithms,
                                                          .frame_write_bytes_max = MAX_BYTES,
                                                          .frame_read_bytes_max = MAX_BYTES,
                                                          .client_timeout_ns = 5000000000};
    struct life life = {.now_ns = 0};
    struct mwt_input input = {data, size};
    struct mwi_slave_engine_config own = config;
    if (size % 3 > 0)
        own.traits = MWI_TRAIT_RETURNS | (size % 3 == 1 ? MWI_TRAIT_ISOLATED : 0);
    if (mwi_slave_engine_init(&life.engine, &own) != MW_OK ||
        !mwi_message_decoder_init(&life.decoder))
        abort();
    mwi_buffer_init(&life.buffer);
    life.engine.effects.audited_kinds = size % 4 == 0 ? 0 : UINT64_MAX;
    while (input.size > 0)
        happen(&life, &input);
    mwi_buffer_fini(&life.buffer);
    mwi_message_decoder_fini(&life.decoder);
    mwi_slave_engine_fini(&life.engine);
    return 0;
}

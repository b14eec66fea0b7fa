/* SPDX-License-Identifier: Apache-2.0
 *
 * The values of one mw_options: who set them and when. What options there are is table.c's
 * business, taking them out of argv option_argv.c's.
 *
 * Every setting gets a number: the environment's all the same first one, those of argv and of
 * mw_options_set the next, in order. A later setting of an option replaces an earlier one, and a
 * resource file speaks as if its contents stood where --mw-resource-file stands.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options/table.h"

#define SEQUENCE_OF_ENVIRONMENT 1
#define NAME_BYTES_MAX 64
#define SHOWN_BYTES_MAX 64

struct option_value {
    char *text;     /* NULL: the default */
    int64_t number; /* as mwi_option_read reads the text or the default */
    enum mwi_option_source source;
    uint64_t sequence;
};

struct mw_options {
    struct option_value values[MWI_OPTIONS_COUNT];
    uint64_t sequence;
    struct mwi_option_transport transports[MWI_TRANSPORTS_MAX];
    size_t transports_count;
    mw_mpi_environment environment;
    void *communicator; /* the above, or NULL: none was given */
    bool must_decline;
    char master_rank[16];
    char error[512];
};

/* A value that somebody wants to set. */
struct setting {
    enum mwi_option option;
    const char *value;
    enum mwi_option_source source;
    uint64_t sequence;
};

static const struct mwi_option_row *row_of(enum mwi_option option)
{
    return &mwi_option_table[option];
}

void mwi_options_unset(mw_options *options, enum mwi_option option)
{
    const char *value = row_of(option)->default_value;
    struct option_value *entry = &options->values[option];

    free(entry->text);
    *entry = (struct option_value){.source = MWI_SOURCE_DEFAULT};
    if (value)
        mwi_option_read(row_of(option), value, &entry->number);
}

mw_error mw_options_create(mw_options **options)
{
    mw_options *made = calloc(1, sizeof *made);

    if (!made)
        return MW_ENOMEM;
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++)
        mwi_options_unset(made, (enum mwi_option)i);
    made->sequence = SEQUENCE_OF_ENVIRONMENT;
    *options = made;
    return MW_OK;
}

void mw_options_destroy(mw_options *options)
{
    if (!options)
        return;
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++)
        free(options->values[i].text);
    for (size_t i = 0; i < options->transports_count; i++)
        free(options->transports[i].address);
    free(options);
}

mw_error mwi_options_fail(mw_options *options, mw_error error, const char *format, ...)
{
    char sentence[sizeof options->error];
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    memcpy(options->error, sentence, sizeof sentence);
    return error;
}

const char *mw_options_error(const mw_options *options)
{
    return options->error;
}

static mw_error fail_memory(mw_options *options)
{
    return mwi_options_fail(options, MW_ENOMEM, "%s", mw_error_text(MW_ENOMEM));
}

/* Makes a value fit for a sentence: short, visible, and without bytes that a terminal obeys. */
static void show_value(const char *value, char *shown)
{
    size_t length = strnlen(value, SHOWN_BYTES_MAX);

    if (length == 0)
        value = "\"\"", length = 2;
    if (length == SHOWN_BYTES_MAX)
        length = SHOWN_BYTES_MAX - 1;
    for (size_t i = 0; i < length; i++)
        shown[i] = value[i] >= ' ' && value[i] <= '~' ? value[i] : '?';
    shown[length] = '\0';
    if (length == SHOWN_BYTES_MAX - 1)
        memcpy(shown + length - 3, "...", 3);
}

static mw_error fail_value(mw_options *options, const struct setting *setting)
{
    const struct mwi_option_row *row = row_of(setting->option);
    char shown[SHOWN_BYTES_MAX], allowed[160], variable[NAME_BYTES_MAX];

    show_value(setting->value, shown);
    mwi_option_allowed(row, allowed, sizeof allowed);
    switch (setting->source) {
    case MWI_SOURCE_ENVIRONMENT:
        mwi_option_variable(row, variable, sizeof variable);
        return mwi_options_fail(options, MW_EUSAGE, "environment variable %s=%s: must be %s",
                                variable, shown, allowed);
    case MWI_SOURCE_RESOURCE_FILE:
        return mwi_options_fail(options, MW_EUSAGE, "resource file: %s %s: must be %s", row->name,
                                shown, allowed);
    default:
        return mwi_options_fail(options, MW_EUSAGE, MWI_OPTION_PREFIX "%s %s: must be %s",
                                row->name, shown, allowed);
    }
}

bool mwi_options_is_refused(const mw_options *options, enum mwi_option option)
{
    return row_of(option)->is_one_host && options->values[option].number != 0;
}

mw_error mwi_options_refuse(mw_options *options, enum mwi_option option)
{
    const struct option_value *entry = &options->values[option];
    struct setting setting = {option, entry->text, entry->source, entry->sequence};

    return fail_value(options, &setting);
}

static mw_error apply(mw_options *options, const struct setting *setting)
{
    const struct mwi_option_row *row = row_of(setting->option);
    struct option_value *entry = &options->values[setting->option];
    const char *value = setting->value;
    int64_t number;
    char *text;

    if (!mwi_option_read(row, value, &number) ||
        (row->is_one_host && number != 0 && setting->source != MWI_SOURCE_ENVIRONMENT))
        return fail_value(options, setting);
    if (row->kind == MWI_OPTION_IS_FLAG)
        value = number ? "1" : "0";
    text = strdup(value);
    if (!text)
        return fail_memory(options);
    free(entry->text);
    *entry = (struct option_value){text, number, setting->source, setting->sequence};
    return MW_OK;
}

mw_error mwi_options_fail_unknown(mw_options *options, const char *name, size_t length)
{
    const char *nearest = mwi_option_nearest(name, length);
    char shown[SHOWN_BYTES_MAX], copy[SHOWN_BYTES_MAX];
    size_t copied = length < sizeof copy ? length : sizeof copy - 1;

    memcpy(copy, name, copied);
    copy[copied] = '\0';
    show_value(copy, shown);
    if (length == 0)
        shown[0] = '\0';
    if (nearest)
        return mwi_options_fail(
            options, MW_EUSAGE,
            MWI_OPTION_PREFIX "%s: there is no such option; did you mean " MWI_OPTION_PREFIX "%s?",
            shown, nearest);
    return mwi_options_fail(options, MW_EUSAGE,
                            MWI_OPTION_PREFIX "%s: there is no such option; --mw-help lists all",
                            shown);
}

/* The name as the table has it: people also write it as on a command line. */
static const char *bare_name(const char *name)
{
    size_t prefix = strlen(MWI_OPTION_PREFIX);

    return strncmp(name, MWI_OPTION_PREFIX, prefix) == 0 ? name + prefix : name;
}

mw_error mw_options_set(mw_options *options, const char *name, const char *value)
{
    if (name == NULL || value == NULL)
        return mwi_options_fail(options, MW_EINVAL,
                                "mw_options_set: %s is NULL: an option is set by its name and a "
                                "value, a flag to \"1\" or \"0\"",
                                name == NULL ? "the name" : name);
    name = bare_name(name);
    enum mwi_option option = mwi_option_find(name, strlen(name));
    struct setting setting = {option, value, MWI_SOURCE_SET, ++options->sequence};

    if (option == MWI_OPTIONS_COUNT)
        return mwi_options_fail_unknown(options, name, strlen(name));
    return apply(options, &setting);
}

mw_error mw_options_environment(mw_options *options)
{
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++) {
        const struct mwi_option_row *row = &mwi_option_table[i];
        struct setting setting = {(enum mwi_option)i, NULL, MWI_SOURCE_ENVIRONMENT,
                                  SEQUENCE_OF_ENVIRONMENT};
        char variable[NAME_BYTES_MAX];
        mw_error error;

        if (row->not_environment || options->values[i].source == MWI_SOURCE_SET)
            continue;
        mwi_option_variable(row, variable, sizeof variable);
        setting.value = getenv(variable);
        if (!setting.value || *setting.value == '\0')
            continue;
        error = apply(options, &setting);
        if (error)
            return error;
    }
    return MW_OK;
}

const char *mw_options_get(const mw_options *options, const char *name)
{
    name = bare_name(name);
    enum mwi_option option = mwi_option_find(name, strlen(name));

    return option == MWI_OPTIONS_COUNT ? NULL : mwi_options_text(options, option);
}

const char *mwi_options_text(const mw_options *options, enum mwi_option option)
{
    const char *text = options->values[option].text;

    return text ? text : row_of(option)->default_value;
}

int64_t mwi_options_integer(const mw_options *options, enum mwi_option option)
{
    return options->values[option].number;
}

mw_wait mwi_options_wait(const mw_options *options)
{
    return (mw_wait)options->values[MWI_OPTION_WAIT].number;
}

int64_t mwi_options_duration_ns(const mw_options *options, enum mwi_option option)
{
    return options->values[option].number;
}

struct mwi_ports mwi_options_ports(const mw_options *options, enum mwi_option option)
{
    int64_t number = options->values[option].number;
    unsigned low = (unsigned)(number & 0xffff);

    return (struct mwi_ports){low, low + (unsigned)(number >> 16)};
}

bool mwi_options_flag(const mw_options *options, enum mwi_option option)
{
    return options->values[option].number != 0;
}

enum mwi_option_source mwi_options_source(const mw_options *options, enum mwi_option option)
{
    return options->values[option].source;
}

bool mwi_options_is_set(const mw_options *options, enum mwi_option option)
{
    return options->values[option].source != MWI_SOURCE_DEFAULT;
}

mw_error mwi_options_set_from_resource_file(mw_options *options, enum mwi_option option,
                                            const char *value)
{
    const struct option_value *old = &options->values[option];
    const struct option_value *file = &options->values[MWI_OPTION_RESOURCE_FILE];
    struct setting setting = {option, value, MWI_SOURCE_RESOURCE_FILE, file->sequence};

    /* The environment has no order of its own, and the more specific of its variables wins. */
    if (old->sequence > file->sequence ||
        (old->sequence == file->sequence && old->source > MWI_SOURCE_RESOURCE_FILE))
        return MW_OK;
    return apply(options, &setting);
}

static bool is_complete(const mw_transport_api *api)
{
    return api->scheme && api->open && api->listen && api->connect && api->send && api->backlog &&
           api->drop && api->poll && api->peers_max && api->fd && api->now && api->close;
}

mw_error mw_options_use_transport(mw_options *options, const mw_transport_api *api,
                                  void *environment, const char *address)
{
    char *copy;

    if (!api || !address)
        return mwi_options_fail(options, MW_EINVAL, "a transport needs its api and an address");
    if (api->version != MW_TRANSPORT_VERSION)
        return mwi_options_fail(options, MW_EINVAL,
                                "the transport was made for version %u of the interface; this is "
                                "version %u",
                                api->version, (unsigned)MW_TRANSPORT_VERSION);
    if (!is_complete(api))
        return mwi_options_fail(options, MW_EINVAL, "the transport \"%s\" lacks a function",
                                api->scheme ? api->scheme : "?");
    if (options->transports_count == MWI_TRANSPORTS_MAX)
        return mwi_options_fail(options, MW_EINVAL, "more than %d transports", MWI_TRANSPORTS_MAX);
    copy = strdup(address);
    if (!copy)
        return fail_memory(options);
    options->transports[options->transports_count++] =
        (struct mwi_option_transport){api, environment, copy};
    return MW_OK;
}

bool mwi_options_names_transport(const mw_options *options, const char *scheme)
{
    const char *word = mwi_options_text(options, MWI_OPTION_TRANSPORT);
    size_t length = strlen(scheme);

    while (strncmp(word, scheme, length) != 0 || (word[length] != '\0' && word[length] != ',')) {
        word = strchr(word, ',');
        if (!word)
            return false;
        word++;
    }
    return true;
}

void mw_options_set_communicator(mw_options *options, void *comm, int master_rank)
{
    options->environment = (mw_mpi_environment){.comm = comm, .master_rank = master_rank};
    options->communicator = comm == NULL ? NULL : &options->environment;
    snprintf(options->master_rank, sizeof options->master_rank, "%d", master_rank);
}

void *mwi_options_communicator(const mw_options *options, const char **master_rank)
{
    *master_rank = options->master_rank;
    return options->communicator;
}

void mwi_options_set_must_decline(mw_options *options, bool must_decline)
{
    options->must_decline = must_decline;
}

bool mw_options_must_decline(const mw_options *options)
{
    return options->must_decline;
}

const struct mwi_option_transport *mwi_options_transports(const mw_options *options, size_t *count)
{
    *count = options->transports_count;
    return options->transports;
}

static bool is_handed_on(const mw_options *options, int option)
{
    return mwi_option_table[option].is_inherited &&
           options->values[option].source != MWI_SOURCE_DEFAULT;
}

char **mwi_options_inherited(const mw_options *options, size_t *count)
{
    size_t words = 0;
    size_t bytes = 0;
    char **vector;
    char *end;

    for (int i = 0; i < MWI_OPTIONS_COUNT; i++)
        if (is_handed_on(options, i)) {
            words++;
            bytes += strlen(MWI_OPTION_PREFIX "=") + strlen(mwi_option_table[i].name) +
                     strlen(options->values[i].text) + 1;
        }
    vector = malloc((words + 1) * sizeof *vector + bytes);
    if (!vector)
        return NULL;
    end = (char *)(vector + words + 1);
    *count = 0;
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++)
        if (is_handed_on(options, i)) {
            vector[(*count)++] = end;
            end += sprintf(end, MWI_OPTION_PREFIX "%s=%s", mwi_option_table[i].name,
                           options->values[i].text) +
                   1;
        }
    vector[*count] = NULL;
    return vector;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps the value of each option of one mw_options, and who set it when. table.c says which options
 * there are, kind.c reads their texts, argv.c takes them out of argv. mw_main and programs that
 * embed a farm call the setters; role.c, check.c and settings.c call the readers.
 *
 * Invariants: kind.c has accepted the value of every option. A value that is refused leaves the
 * option as it was, and a sentence in the object. A new option is a row in table.c and needs no
 * change here.
 *
 * Each setting has a number, its sequence: all those from the environment have the first number,
 * those from argv and mw_options_set the following ones, in order. A later setting of an option
 * replaces an earlier one, and a resource file counts as if its contents stood where
 * --mw-resource-file stands.
 */
#include "options/options.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEQUENCE_OF_ENVIRONMENT 1
#define NAME_BYTES_MAX 64

/* The entry of one option. */
struct entry {
    char *text;                    /* NULL: the default */
    struct mwi_option_value value; /* read from the text, or from the default */
    enum mwi_option_source source;
    uint64_t sequence;
};

struct mw_options {
    struct entry entries[MWI_OPTIONS_COUNT];
    uint64_t sequence;
    struct mwi_option_transport transports[MWI_TRANSPORTS_MAX];
    size_t transports_count;
    mw_mpi_environment environment; /* with comm NULL while there is no communicator */
    bool is_alone;                  /* the communicator has one rank, which is the master's */
    bool ends_job;                  /* the master may end the job of the communicator */
    bool can_fork;                  /* see mw_options_allow_fork */
    bool must_decline;
    const struct mwi_disk_api *disk; /* of a test; NULL: none */
    void *disk_environment;
    char master_rank[16];
    char error[512];
};

/* An option, the text to set it to, and where that comes from. */
struct assignment {
    enum mwi_option option;
    const char *text;
    enum mwi_option_source source;
    uint64_t sequence;
};

static const struct mwi_option_row *row_of(enum mwi_option option)
{
    assert(option < MWI_OPTIONS_COUNT);
    return &mwi_table_rows[option];
}

/* The value of an option that is of this kind. */
static const struct mwi_option_value *value_of(const mw_options *options, enum mwi_option option,
                                               enum mwi_option_kind kind)
{
    assert(row_of(option)->kind == kind);
    return &options->entries[option].value;
}

void mwi_options_unset(mw_options *options, enum mwi_option option)
{
    const struct mwi_option_row *row = row_of(option);
    struct entry *entry = &options->entries[option];
    free(entry->text);
    *entry = (struct entry){.source = MWI_SOURCE_DEFAULT};
    bool is_read =
        row->default_value == NULL || mwi_kind_read(row, row->default_value, &entry->value);
    assert(is_read);
    (void)is_read;
}

mw_error mw_options_create(mw_options **options)
{
    mw_options *created = calloc(1, sizeof *created);
    if (created == NULL)
        return MW_ENOMEM;
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++)
        mwi_options_unset(created, (enum mwi_option)i);
    created->sequence = SEQUENCE_OF_ENVIRONMENT;
    *options = created;
    return MW_OK;
}

void mw_options_destroy(mw_options *options)
{
    if (options == NULL)
        return;
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++)
        free(options->entries[i].text);
    for (size_t i = 0; i < options->transports_count; i++)
        free(options->transports[i].address);
    free(options);
}

/* The sentence may be made from the one that it replaces. */
mw_error mwi_options_fail(mw_options *options, mw_error error, const char *format, ...)
{
    char sentence[sizeof options->error];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
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

static mw_error fail_text(mw_options *options, const struct assignment *assignment)
{
    const struct mwi_option_row *row = row_of(assignment->option);
    char shown[MWI_KIND_SHOWN_BYTES], allowed[160], variable[NAME_BYTES_MAX];
    mwi_kind_show(assignment->text, shown);
    mwi_kind_allowed(row, allowed, sizeof allowed);
    if (assignment->source != MWI_SOURCE_ENVIRONMENT)
        return mwi_options_fail(options, MW_EUSAGE, MWI_OPTION_PREFIX "%s %s: must be %s",
                                row->name, shown, allowed);
    mwi_table_variable(row, variable, sizeof variable);
    return mwi_options_fail(options, MW_EUSAGE, "environment variable %s=%s: must be %s", variable,
                            shown, allowed);
}

static bool is_refused(const struct mwi_option_row *row, const struct mwi_option_value *value)
{
    return row->is_one_host && value->is_all_interfaces;
}

bool mwi_options_is_refused(const mw_options *options, enum mwi_option option)
{
    return is_refused(row_of(option), &options->entries[option].value);
}

mw_error mwi_options_refuse(mw_options *options, enum mwi_option option)
{
    const struct entry *entry = &options->entries[option];
    assert(mwi_options_is_refused(options, option));
    struct assignment assignment = {option, entry->text, entry->source, entry->sequence};
    return fail_text(options, &assignment);
}

static mw_error assign(mw_options *options, const struct assignment *assignment)
{
    const struct mwi_option_row *row = row_of(assignment->option);
    struct mwi_option_value value;
    if (!mwi_kind_read(row, assignment->text, &value) ||
        (is_refused(row, &value) && assignment->source != MWI_SOURCE_ENVIRONMENT))
        return fail_text(options, assignment);
    const char *text = assignment->text;
    if (row->kind == MWI_OPTION_IS_FLAG)
        text = value.is_on ? "1" : "0";
    char *copy = strdup(text);
    if (copy == NULL)
        return fail_memory(options);
    struct entry *entry = &options->entries[assignment->option];
    free(entry->text);
    *entry = (struct entry){copy, value, assignment->source, assignment->sequence};
    return MW_OK;
}

mw_error mwi_options_fail_unknown(mw_options *options, const char *name, size_t length)
{
    const char *nearest = mwi_table_nearest(name, length);
    char shown[MWI_KIND_SHOWN_BYTES], copy[MWI_KIND_SHOWN_BYTES + 1];
    size_t copied = length < sizeof copy ? length : sizeof copy - 1;
    memcpy(copy, name, copied);
    copy[copied] = '\0';
    mwi_kind_show(copy, shown);
    if (length == 0)
        shown[0] = '\0';
    if (nearest != NULL)
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
    size_t prefix_length = strlen(MWI_OPTION_PREFIX);
    return strncmp(name, MWI_OPTION_PREFIX, prefix_length) == 0 ? name + prefix_length : name;
}

mw_error mw_options_set(mw_options *options, const char *name, const char *value)
{
    if (name == NULL || value == NULL)
        return mwi_options_fail(options, MW_EINVAL,
                                "mw_options_set: %s is NULL: an option is set by its name and a "
                                "value, a flag to \"1\" or \"0\"",
                                name == NULL ? "the name" : name);
    name = bare_name(name);
    enum mwi_option option = mwi_table_find(name, strlen(name));
    if (option == MWI_OPTIONS_COUNT)
        return mwi_options_fail_unknown(options, name, strlen(name));
    struct assignment assignment = {option, value, MWI_SOURCE_SET, ++options->sequence};
    return assign(options, &assignment);
}

mw_error mw_options_environment(mw_options *options)
{
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++) {
        const struct mwi_option_row *row = &mwi_table_rows[i];
        char variable[NAME_BYTES_MAX];
        if (row->is_command_line_only || options->entries[i].source == MWI_SOURCE_SET)
            continue;
        mwi_table_variable(row, variable, sizeof variable);
        const char *text = getenv(variable);
        if (text == NULL || text[0] == '\0')
            continue;
        struct assignment assignment = {(enum mwi_option)i, text, MWI_SOURCE_ENVIRONMENT,
                                        SEQUENCE_OF_ENVIRONMENT};
        mw_error error = assign(options, &assignment);
        if (error != MW_OK)
            return error;
    }
    return MW_OK;
}

const char *mw_options_get(const mw_options *options, const char *name)
{
    name = bare_name(name);
    enum mwi_option option = mwi_table_find(name, strlen(name));
    return option == MWI_OPTIONS_COUNT ? NULL : mwi_options_text(options, option);
}

const char *mwi_options_text(const mw_options *options, enum mwi_option option)
{
    const char *text = options->entries[option].text;
    return text != NULL ? text : row_of(option)->default_value;
}

struct mwi_option_value mwi_options_value(const mw_options *options, enum mwi_option option)
{
    assert(option < MWI_OPTIONS_COUNT);
    return options->entries[option].value;
}

bool mwi_options_flag(const mw_options *options, enum mwi_option option)
{
    return value_of(options, option, MWI_OPTION_IS_FLAG)->is_on;
}

int64_t mwi_options_integer(const mw_options *options, enum mwi_option option)
{
    return value_of(options, option, MWI_OPTION_IS_INTEGER)->number;
}

size_t mwi_options_group_size(const mw_options *options, enum mwi_option option)
{
    return (size_t)value_of(options, option, MWI_OPTION_IS_GROUP)->group_size;
}

int64_t mwi_options_duration_ns(const mw_options *options, enum mwi_option option)
{
    return value_of(options, option, MWI_OPTION_IS_DURATION)->duration_ns;
}

size_t mwi_options_size_bytes(const mw_options *options, enum mwi_option option)
{
    return (size_t)value_of(options, option, MWI_OPTION_IS_SIZE)->size_bytes;
}

bool mwi_options_is_all_interfaces(const mw_options *options, enum mwi_option option)
{
    return value_of(options, option, MWI_OPTION_IS_HOST)->is_all_interfaces;
}

struct mwi_ports mwi_options_ports(const mw_options *options, enum mwi_option option)
{
    return value_of(options, option, MWI_OPTION_IS_PORTS)->ports;
}

size_t mwi_options_word(const mw_options *options, enum mwi_option option)
{
    return (size_t)value_of(options, option, MWI_OPTION_IS_WORD)->word_index;
}

/* The table lists the words in the order of mw_wait. */
mw_wait mwi_options_wait(const mw_options *options)
{
    return (mw_wait)mwi_options_word(options, MWI_OPTION_WAIT);
}

enum mwi_option_source mwi_options_source(const mw_options *options, enum mwi_option option)
{
    assert(option < MWI_OPTIONS_COUNT);
    return options->entries[option].source;
}

bool mwi_options_is_set(const mw_options *options, enum mwi_option option)
{
    return mwi_options_source(options, option) != MWI_SOURCE_DEFAULT;
}

/* The variables of the environment have no order, and the more specific one wins. */
bool mwi_options_gives_way(const mw_options *options, enum mwi_option option)
{
    const struct entry *file = &options->entries[MWI_OPTION_RESOURCE_FILE];
    return !mwi_options_is_set(options, option) ||
           options->entries[option].sequence < file->sequence;
}

static bool is_complete(const mw_transport_api *api)
{
    return api->scheme != NULL && api->open != NULL && api->listen != NULL &&
           api->connect != NULL && api->send != NULL && api->drop != NULL && api->poll != NULL &&
           api->peers_max != NULL && api->fd != NULL && api->now != NULL && api->close != NULL;
}

static mw_error check_transport(mw_options *options, const mw_transport_api *api)
{
    if (api->version != MW_TRANSPORT_VERSION)
        return mwi_options_fail(options, MW_EINVAL,
                                "the transport was made for version %u of the interface; this is "
                                "version %u",
                                api->version, (unsigned)MW_TRANSPORT_VERSION);
    if (!is_complete(api))
        return mwi_options_fail(options, MW_EINVAL, "the transport \"%s\" lacks a function",
                                api->scheme != NULL ? api->scheme : "?");
    if (options->transports_count == MWI_TRANSPORTS_MAX)
        return mwi_options_fail(options, MW_EINVAL, "more than %d transports", MWI_TRANSPORTS_MAX);
    return MW_OK;
}

mw_error mw_options_use_transport(mw_options *options, const mw_transport_api *api,
                                  void *environment, const char *address)
{
    if (api == NULL || address == NULL)
        return mwi_options_fail(options, MW_EINVAL, "a transport needs its api and an address");
    if (strlen(address) >= MWI_PLACE_ADDRESS_BYTES)
        return mwi_options_fail(options, MW_EINVAL,
                                "the address of a transport has %zu bytes; %d is the most",
                                strlen(address), MWI_PLACE_ADDRESS_BYTES - 1);
    mw_error error = check_transport(options, api);
    if (error != MW_OK)
        return error;
    char *copy = strdup(address);
    if (copy == NULL)
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
        if (word == NULL)
            return false;
        word++;
    }
    return true;
}

void mw_options_set_communicator(mw_options *options, void *comm, int master_rank, int ranks_count,
                                 const char *kind)
{
    options->is_alone = comm != NULL && ranks_count == 1 && master_rank == 0;
    options->environment =
        (mw_mpi_environment){.comm = comm, .master_rank = master_rank, .kind = kind};
    snprintf(options->master_rank, sizeof options->master_rank, "%d", master_rank);
}

void mw_options_end_job(mw_options *options, bool ends_job)
{
    options->ends_job = ends_job;
}

void mw_options_allow_fork(mw_options *options, bool is_safe)
{
    options->can_fork = is_safe;
}

bool mwi_options_may_fork(const mw_options *options)
{
    return options->can_fork;
}

bool mwi_options_ends_job(const mw_options *options)
{
    return options->ends_job;
}

void mwi_options_use_disk(mw_options *options, const struct mwi_disk_api *disk, void *environment)
{
    options->disk = disk;
    options->disk_environment = environment;
}

const struct mwi_disk_api *mwi_options_disk(const mw_options *options, void **environment)
{
    *environment = options->disk_environment;
    return options->disk;
}

void *mwi_options_communicator(const mw_options *options)
{
    return options->environment.comm == NULL ? NULL : (void *)(uintptr_t)&options->environment;
}

bool mwi_options_is_alone(const mw_options *options)
{
    return options->is_alone;
}

const char *mwi_options_master_rank(const mw_options *options)
{
    return options->master_rank;
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

static bool is_handed_on(const mw_options *options, enum mwi_option option)
{
    return row_of(option)->is_inherited && mwi_options_is_set(options, option);
}

/* The bytes of "--mw-NAME=TEXT" with its NUL. */
static size_t word_bytes(const mw_options *options, enum mwi_option option)
{
    return sizeof MWI_OPTION_PREFIX "=" + strlen(row_of(option)->name) +
           strlen(options->entries[option].text);
}

char **mwi_options_inherited(const mw_options *options, size_t *count)
{
    size_t words = 0, bytes = 0;
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++) {
        if (is_handed_on(options, (enum mwi_option)i)) {
            words++;
            bytes += word_bytes(options, (enum mwi_option)i);
        }
    }
    char **vector = malloc((words + 1) * sizeof *vector + bytes);
    if (vector == NULL)
        return NULL;
    char *at = (char *)(vector + words + 1);
    *count = 0;
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++) {
        if (!is_handed_on(options, (enum mwi_option)i))
            continue;
        vector[(*count)++] = at;
        at += sprintf(at, MWI_OPTION_PREFIX "%s=%s", mwi_table_rows[i].name,
                      options->entries[i].text) +
              1;
    }
    assert(*count == words && at == (char *)(vector + words + 1) + bytes);
    vector[*count] = NULL;
    return vector;
}

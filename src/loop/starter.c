/* SPDX-License-Identifier: Apache-2.0
 *
 * Starts the slaves of local.c, with their arguments, folder and marks.
 *
 * Invariant: all slaves of a farm are started alike, whatever the program does meanwhile, but for
 * their channels and the serials of their marks. To hand something else to slaves, add it to the
 * plan in mwi_starter_start.
 */
#include "loop/starter.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool add_argument(struct mwi_starter *starter, const char *argument)
{
    char *copy = strdup(argument);
    starter->arguments[starter->arguments_count] = copy;
    starter->arguments_count += copy != NULL;
    return copy != NULL;
}

/* The words in front, "--mw-slave", the channel, the inherited options, and the user's own
 * arguments. */
static bool make_arguments(struct mwi_starter *starter, const struct mwi_local_settings *settings)
{
    size_t user_count = settings->argc > 0 ? (size_t)settings->argc - 1 : 0, words_count;
    char *const *words = mwi_executable_words(starter->executable, &words_count);
    size_t all_count = words_count + settings->inherited_count + user_count;
    starter->channel_index = words_count + 1;
    starter->arguments = calloc(all_count + 3, sizeof(char *));
    bool is_made = starter->arguments != NULL;
    for (size_t i = 0; i < words_count && is_made; i++)
        is_made = add_argument(starter, words[i]);
    is_made =
        is_made && add_argument(starter, "--mw-slave") && add_argument(starter, "--mw-channel");
    for (size_t i = 0; i < settings->inherited_count && is_made; i++)
        is_made = add_argument(starter, settings->inherited[i]);
    for (size_t i = 0; i < user_count && is_made; i++)
        is_made = add_argument(starter, settings->argv[i + 1]);
    return is_made;
}

bool mwi_starter_init(struct mwi_starter *starter, const struct mwi_local_settings *settings,
                      const struct mwi_executable *executable, bool has_own_process)
{
    *starter = (struct mwi_starter){.executable = executable, .has_own_process = has_own_process};
    mwi_family_make_name(starter->name);
    starter->folder = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return make_arguments(starter, settings);
}

void mwi_starter_fini(struct mwi_starter *starter)
{
    for (size_t i = 0; i < starter->arguments_count; i++)
        free(starter->arguments[i]);
    free(starter->arguments);
    if (starter->folder >= 0)
        close(starter->folder);
}

mw_error mwi_starter_start(struct mwi_starter *starter, struct mwi_child *child, bool is_unguarded,
                           mw_reason *why)
{
    char mark[MWI_FAMILY_NAME_BYTES + 24];
    struct mwi_child_plan plan = {.arguments = starter->arguments,
                                  .channel_index = starter->channel_index,
                                  .folder = starter->folder,
                                  .mark = mark,
                                  .has_own_session = starter->has_own_process,
                                  .is_group_killed = starter->has_own_process && is_unguarded};
    assert(starter->arguments_count > starter->channel_index);
    starter->serial++;
    snprintf(mark, sizeof mark, "%s:%llu", starter->name, (unsigned long long)starter->serial);
    mw_error error = mwi_executable_to_start(starter->executable, &plan.path, why);
    if (error == MW_OK)
        error = mwi_child_start(child, &plan, why);
    if (error != MW_OK)
        mwi_executable_name_option(starter->executable, why);
    return error;
}

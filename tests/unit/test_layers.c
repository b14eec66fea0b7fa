/* SPDX-License-Identifier: Apache-2.0
 *
 * The layers of the library, as src/CMakeLists.txt lists them: includes point downwards only, the
 * core does not touch clock, network or files, and transports know nothing but the public headers.
 * What breaks a rule is printed.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "mwt_folder.h"
#include "mwt_run.h"

#define NAME_SIZE 64
#define MODULES_MAX 128

static const char *const layers[] = {"base", "data", "state", "engines", "shell"};
enum { SHELL = 4, LAYERS_COUNT = 5 };

struct module {
    char name[NAME_SIZE]; /* without its suffix */
    int layer;
};

struct modules {
    struct module items[MODULES_MAX];
    size_t count;
};

/* A file of the project as text, to be freed. */
static char *read_source(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s/%s", MWT_SOURCE_DIR, folder, name);
    char *text = mwt_file_read(path);
    if (text == NULL)
        printf("\n%s cannot be read\n", path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    return text;
}

static int layer_by_name(const char *name)
{
    for (int i = 0; i < LAYERS_COUNT; i++)
        if (strcmp(layers[i], name) == 0)
            return i;
    return -1;
}

static void add_module(struct modules *modules, const char *name, int layer)
{
    CU_ASSERT_TRUE_FATAL(modules->count < MODULES_MAX && layer >= 0);
    struct module *added = &modules->items[modules->count++];
    snprintf(added->name, sizeof added->name, "%.*s", (int)strcspn(name, "."), name);
    added->layer = layer;
}

/* Reads the list of sources: comments name the layer of what follows them. */
static void load_modules(struct modules *modules)
{
    char *text = read_source("src", "CMakeLists.txt"), *rest = NULL, *line_rest = NULL;
    char *list = strstr(text, "set(mw_sources");
    int layer = -1;
    CU_ASSERT_PTR_NOT_NULL_FATAL(list);
    *strchr(list, ')') = '\0';
    modules->count = 0;
    add_module(modules, "list.h", 0);
    for (char *line = strtok_r(list, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char *comment = strstr(line, "# ");
        if (comment != NULL) {
            layer = layer_by_name(comment + 2);
            continue;
        }
        for (char *word = strtok_r(line, " ", &line_rest); word != NULL;
             word = strtok_r(NULL, " ", &line_rest))
            if (strstr(word, ".c") != NULL && strchr(word, '/') == NULL)
                add_module(modules, word, layer);
    }
    free(text);
}

/* The layer of a source or header of src/, -1 if it is not in the list. */
static int layer_of(const struct modules *modules, const char *file)
{
    size_t length = strcspn(file, ".");
    for (size_t i = 0; i < modules->count; i++)
        if (strlen(modules->items[i].name) == length &&
            strncmp(modules->items[i].name, file, length) == 0)
            return modules->items[i].layer;
    return -1;
}

static bool is_source(const char *name)
{
    const char *suffix = strrchr(name, '.');
    return suffix != NULL && (strcmp(suffix, ".c") == 0 || strcmp(suffix, ".h") == 0);
}

/* Calls `check` for each source and header of a folder. */
static void for_each_source(const char *folder,
                            void (*check)(const char *folder, const char *name, void *context),
                            void *context)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", MWT_SOURCE_DIR, folder);
    DIR *directory = opendir(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (is_source(entry->d_name))
            check(folder, entry->d_name, context);
    closedir(directory);
}

/* The next file that is included, with its quotes; *at moves behind it. False at the end. */
static bool next_include(const char **at, char *name, size_t size)
{
    static const char directive[] = "#include ";
    const char *found = strstr(*at, directive);
    if (found == NULL)
        return false;
    found += sizeof directive - 1;
    snprintf(name, size, "%.*s", (int)strcspn(found, "\n"), found);
    *at = found + strcspn(found, "\n");
    return true;
}

static void complain(const char *folder, const char *file, const char *what, const char *name)
{
    printf("\n%s/%s %s %s\n", folder, file, what, name);
    CU_FAIL("a rule of the layers is broken");
}

static void check_includes_of_source(const char *folder, const char *file, void *context)
{
    const struct modules *modules = context;
    char *text = read_source(folder, file), included[128];
    int own = layer_of(modules, file);
    if (own < 0)
        complain(folder, file, "is not in", "the list of src/CMakeLists.txt");
    for (const char *at = text; next_include(&at, included, sizeof included);) {
        if (included[0] != '"')
            continue;
        int layer = strncmp(included, "\"../transports/", 15) == 0
                        ? SHELL
                        : layer_of(modules, included + 1);
        if (layer < 0)
            complain(folder, file, "includes what has no layer:", included);
        if (layer > own)
            complain(folder, file, "includes a header of a higher layer:", included);
    }
    free(text);
}

/* A header of src/ is included only by its own layer and those above. */
static void test_includes_point_downwards(void)
{
    static struct modules modules;
    load_modules(&modules);
    CU_ASSERT_TRUE(modules.count > 40);

    for_each_source("src", check_includes_of_source, &modules);
}

static void check_includes_of_transport(const char *folder, const char *file, void *context)
{
    char *text = read_source(folder, file), included[128], path[512];
    (void)context;
    for (const char *at = text; next_include(&at, included, sizeof included);) {
        if (included[0] != '"')
            continue;
        snprintf(path, sizeof path, "%s/%s/%.*s", MWT_SOURCE_DIR, folder, (int)strlen(included) - 2,
                 included + 1);
        bool is_shared =
            strcmp(included, "\"../backoff.h\"") == 0 || strcmp(included, "\"../body.h\"") == 0;
        FILE *own = is_shared || strchr(included, '/') == NULL ? fopen(path, "r") : NULL;
        if (own == NULL)
            complain(folder, file, "includes what is not of its folder:", included);
        else
            fclose(own);
    }
    free(text);
}

/* A transport includes the public headers, those of its own folder, and how to wait and to
 * treat a body. */
static void test_transports_stand_alone(void)
{
    char path[512], folder[300];
    snprintf(path, sizeof path, "%s/transports", MWT_SOURCE_DIR);
    DIR *directory = opendir(path);
    size_t count = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(directory);

    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (strchr(entry->d_name, '.') != NULL)
            continue;
        snprintf(folder, sizeof folder, "transports/%s", entry->d_name);
        for_each_source(folder, check_includes_of_transport, NULL);
        count++;
    }

    closedir(directory);
    CU_ASSERT_TRUE(count >= 3);
}

/* Where a comment or a literal that begins at `at` ends; `at` itself if none begins. */
static char *skip_no_code(char *at)
{
    if (strncmp(at, "/*", 2) == 0) {
        char *end = strstr(at + 2, "*/");
        return end == NULL ? at + strlen(at) : end + 2;
    }
    if (*at != '"' && *at != '\'')
        return at;
    char quote = *at++;
    while (*at != '\0' && *at != quote)
        at += *at == '\\' && at[1] != '\0' ? 2 : 1;
    return *at == '\0' ? at : at + 1;
}

/* Turns comments and literals into blanks. */
static void keep_code(char *text)
{
    for (char *at = text; *at != '\0';) {
        char *end = skip_no_code(at);
        if (end == at)
            at++;
        while (at < end)
            *at++ = ' ';
    }
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* What reaches out of the process, or differs from run to run. */
static bool is_outside(const char *name, size_t length)
{
    static const char *const calls[] = {
        "clock_gettime", "gettimeofday", "time",    "clock",  "nanosleep", "usleep",    "sleep",
        "socket",        "bind",         "listen",  "accept", "connect",   "send",      "sendto",
        "sendmsg",       "recv",         "recvmsg", "open",   "openat",    "fopen",     "freopen",
        "fdopen",        "read",         "readv",   "write",  "writev",    "poll",      "ppoll",
        "select",        "epoll_wait",   "fork",    "execv",  "system",    "getrandom", "rand",
        "random",        "srand",        "exit",    "abort",  "signal",    "sigaction",
    };
    static const char *const prefixes[] = {"MPI_", "event_", "evutil_", "bufferevent_", "pthread_"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (strlen(calls[i]) == length && strncmp(calls[i], name, length) == 0)
            return true;
    return false;
}

/* A call is a name before a parenthesis that is no member of anything. */
static bool is_call(const char *text, const char *name, size_t length)
{
    const char *after = name + length;
    while (*after == ' ' || *after == '\n')
        after++;
    bool is_member = name > text && (name[-1] == '.' || (name[-1] == '>' && name[-2] == '-'));
    return *after == '(' && !is_member;
}

static void check_calls(const char *folder, const char *file, void *context)
{
    const struct modules *modules = context;
    if (layer_of(modules, file) == SHELL)
        return;
    char *text = read_source(folder, file), word[NAME_SIZE];
    keep_code(text);
    for (const char *at = text; *at != '\0';) {
        size_t length = 0;
        while (is_word(at[length]))
            length++;
        if (length > 0 && is_call(text, at, length) && is_outside(at, length)) {
            snprintf(word, sizeof word, "%.*s", (int)length, at);
            complain(folder, file, "calls", word);
        }
        at += length == 0 ? 1 : length;
    }
    free(text);
}

/* The core reads no clock, socket, file or random number: all that it knows is in its events. */
static void test_core_calls_nothing_outside(void)
{
    static struct modules modules;
    load_modules(&modules);

    for_each_source("src", check_calls, &modules);
}

static void count_calls(char *text, size_t *count)
{
    keep_code(text);
    *count = 0;
    for (const char *at = text; *at != '\0';) {
        size_t length = 0;
        while (is_word(at[length]))
            length++;
        *count += length > 0 && is_call(text, at, length) && is_outside(at, length);
        at += length == 0 ? 1 : length;
    }
}

/* The search finds what it shall find, and nothing else. */
static void test_search(void)
{
    char bad[] = "x = read(fd); time (NULL);y->z=MPI_Send(a);if(!event_add(e)){}";
    char good[] =
        "/* read(fd) */ s = \"time(\\\"(\"; c = '\"'; api->send(t); v.open(); read_number(x);"
        "struct time t; unread(1);";
    size_t count;

    count_calls(bad, &count);
    CU_ASSERT_EQUAL(count, 4);
    count_calls(good, &count);
    CU_ASSERT_EQUAL(count, 0);
}

static void check_no_file_scope_state(const char *folder, const char *file, void *context)
{
    char *text = read_source(folder, file), *rest = NULL;
    (void)context;
    keep_code(text);
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        bool is_static = strncmp(line, "static ", 7) == 0 && strstr(line, "const") == NULL;
        bool is_function = strchr(line, '(') != NULL;
        if (is_static && !is_function && line[strlen(line) - 1] == ';')
            complain(folder, file, "has state of the whole process:", line);
    }
    free(text);
}

static void check_unless_signals(const char *folder, const char *file, void *context)
{
    if (strcmp(file, "signals.c") != 0)
        check_no_file_scope_state(folder, file, context);
}

/* Two masters in one process must work: nothing is global but what a signal handler needs. */
static void test_no_global_state(void)
{
    for_each_source("src", check_unless_signals, NULL);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"includes point downwards", test_includes_point_downwards},
        {"transports stand alone", test_transports_stand_alone},
        {"core calls nothing outside", test_core_calls_nothing_outside},
        {"search", test_search},
        {"no global state", test_no_global_state},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("layers", tests);
}

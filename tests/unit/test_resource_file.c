/* SPDX-License-Identifier: Apache-2.0
 *
 * The resource file: a written file reads back, a file is replaced whole or not at all, and
 * anything that is no resource file is refused with a sentence that gives the reason.
 */
#include "record/resource_file.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <CUnit/Basic.h>
#include <jansson.h>

#include "mwt_folder.h"
#include "mwt_run.h"

static const char *const libraries[] = {"/home/user/libmw.so.0", "/home/user/libm\xc3\xbcller.so"};
static const char *const arguments[] = {"--mw-slave", "--mw-master-host", "127.0.0.1",
                                        "--mw-master-port", "36107"};

static const mw_tcp_key sample_key = {
    .name = "farm:00112233445566778899aabbccddeeff",
    .bytes = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, [31] = 0xff},
};

static struct mwi_resource sample_resource(void)
{
    return (struct mwi_resource){
        .computation_status = MWI_COMPUTATION_IN_PROGRESS,
        .timestamp_s = 1795372218,
        .member_id = "default-member-id",
        .update_interval_s = 300,
        .slaves_needed = 3,
        .slave_executable = "/home/user/hello \"world\"",
        .shared_libraries = libraries,
        .shared_libraries_count = 2,
        .slave_arguments = arguments,
        .slave_arguments_count = 5,
        .transport = "tcp",
        .host = "127.0.0.1",
        .port = 36107,
        .pid = 4711,
        .protocol_version = 1,
        .key = &sample_key,
    };
}

static const char sample_text[] = "{\n"
                                  "  \"computation-status\": \"in-progress\",\n"
                                  "  \"timestamp\": 1795372218,\n"
                                  "  \"member-id\": \"default-member-id\",\n"
                                  "  \"update-interval\": 300,\n"
                                  "  \"slaves-needed\": 3,\n"
                                  "  \"slave-executable\": \"/home/user/hello \\\"world\\\"\",\n"
                                  "  \"shared-libraries\": [\n"
                                  "    \"/home/user/libmw.so.0\",\n"
                                  "    \"/home/user/libm\xc3\xbcller.so\"\n"
                                  "  ],\n"
                                  "  \"slave-arguments\": [\n"
                                  "    \"--mw-slave\",\n"
                                  "    \"--mw-master-host\",\n"
                                  "    \"127.0.0.1\",\n"
                                  "    \"--mw-master-port\",\n"
                                  "    \"36107\"\n"
                                  "  ],\n"
                                  "  \"transport\": \"tcp\",\n"
                                  "  \"host\": \"127.0.0.1\",\n"
                                  "  \"port\": 36107,\n"
                                  "  \"pid\": 4711,\n"
                                  "  \"protocol-version\": 1,\n"
                                  "  \"encryption\": \"tls\",\n"
                                  "  \"key-name\": \"farm:00112233445566778899aabbccddeeff\",\n"
                                  "  \"key\": \"0123456789abcdef0000000000000000"
                                  "000000000000000000000000000000ff\"\n"
                                  "}\n";

static void check_list(const char *const *got, size_t got_count, const char *const *expected,
                       size_t expected_count)
{
    CU_ASSERT_EQUAL_FATAL(got_count, expected_count);
    for (size_t i = 0; i < expected_count; i++)
        CU_ASSERT_STRING_EQUAL(got[i], expected[i]);
}

static void check_equal(const struct mwi_resource *got, const struct mwi_resource *expected)
{
    CU_ASSERT_EQUAL(got->computation_status, expected->computation_status);
    CU_ASSERT_EQUAL(got->timestamp_s, expected->timestamp_s);
    CU_ASSERT_STRING_EQUAL(got->member_id, expected->member_id);
    CU_ASSERT_DOUBLE_EQUAL(got->update_interval_s, expected->update_interval_s, 1e-9);
    CU_ASSERT_EQUAL(got->slaves_needed, expected->slaves_needed);
    CU_ASSERT_STRING_EQUAL(got->slave_executable, expected->slave_executable);
    check_list(got->shared_libraries, got->shared_libraries_count, expected->shared_libraries,
               expected->shared_libraries_count);
    check_list(got->slave_arguments, got->slave_arguments_count, expected->slave_arguments,
               expected->slave_arguments_count);
    CU_ASSERT_STRING_EQUAL(got->transport, expected->transport);
    CU_ASSERT_EQUAL(got->port, expected->port);
    CU_ASSERT_EQUAL(got->host == NULL, expected->host == NULL);
    if (got->host != NULL && expected->host != NULL)
        CU_ASSERT_STRING_EQUAL(got->host, expected->host);
    CU_ASSERT_EQUAL(got->pid, expected->pid);
    CU_ASSERT_EQUAL(got->protocol_version, expected->protocol_version);
    CU_ASSERT_EQUAL(got->encryption, expected->encryption);
    CU_ASSERT_EQUAL_FATAL(got->key == NULL, expected->key == NULL);
    if (got->key != NULL)
        CU_ASSERT_EQUAL(memcmp(got->key, expected->key, sizeof *got->key), 0);
}

static void check_round_trip(const struct mwi_resource *resource)
{
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    const char *path = mwt_folder_file(&folder, "master.rsc");
    struct mwi_resource read = {.owner = NULL};
    mw_reason why = {""};

    CU_ASSERT_EQUAL_FATAL(mwi_resource_file_write(path, resource, &why), MW_OK);
    CU_ASSERT_EQUAL_FATAL(mwi_resource_file_read(path, &read, &why), MW_OK);

    check_equal(&read, resource);
    CU_ASSERT_STRING_EQUAL(why.text, "");
    mwi_resource_fini(&read);
    CU_ASSERT_PTR_NULL(read.owner);
    mwi_resource_fini(&read);
    mwt_folder_destroy(&folder);
}

/* A file has a field a line, which scripts can find with grep. */
static void test_text(void)
{
    struct mwi_resource resource = sample_resource();
    struct mwi_secret text;
    mw_reason why = {""};

    CU_ASSERT_EQUAL_FATAL(mwi_resource_format(&resource, "m.rsc", &text, &why), MW_OK);

    CU_ASSERT_STRING_EQUAL(text.data, sample_text);
    mwi_secret_fini(&text);
}

/* All statuses, no lists, odd characters and the largest numbers come back as they were. */
static void test_round_trips(void)
{
    struct mwi_resource resource = sample_resource();
    for (int status = 0; status < MWI_COMPUTATION_STATUSES_COUNT; status++) {
        resource.computation_status = (enum mwi_computation_status)status;
        check_round_trip(&resource);
    }

    resource.shared_libraries = resource.slave_arguments = NULL;
    resource.shared_libraries_count = resource.slave_arguments_count = 0;
    resource.member_id = "\x01\n\t\"\\/ M\xc3\xbcller \xf0\x9f\x90\x84";
    resource.update_interval_s = 0.05;
    resource.slaves_needed = INT64_MAX;
    resource.timestamp_s = 0;
    resource.port = 65535;
    resource.host = "::1";
    check_round_trip(&resource);
}

/* A master that does not encrypt has no key in its file. */
static void test_without_key(void)
{
    struct mwi_resource resource = sample_resource();
    resource.encryption = MWI_ENCRYPTION_NONE;
    resource.key = NULL;

    check_round_trip(&resource);
}

/* A master without a network address, as under mpi, has neither host nor port. */
static void test_without_address(void)
{
    struct mwi_resource resource = sample_resource();
    resource.transport = "mpi";
    resource.host = NULL;
    resource.port = 0;

    check_round_trip(&resource);
}

/* A file of another protocol version, with unknown fields, can be read, so that the slave can
 * report the versions. */
static void test_other_protocol_version(void)
{
    json_t *root = json_loads(sample_text, 0, NULL);
    json_object_set_new(root, "protocol-version", json_integer(77));
    json_object_set_new(root, "colour", json_pack("[s]", "blue"));
    char *text = json_dumps(root, 0);
    struct mwi_resource resource;
    mw_reason why = {""};

    CU_ASSERT_EQUAL_FATAL(mwi_resource_parse(text, strlen(text), "m.rsc", &resource, &why), MW_OK);

    CU_ASSERT_EQUAL(resource.protocol_version, 77);
    mwi_resource_fini(&resource);
    free(text);
    json_decref(root);
}

/* A file is replaced whole, and then nothing else is in the folder. Its mode is 0600 under any
 * umask, also if the old one was open to all. */
static void test_replacement(void)
{
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    mode_t mask = umask(0);
    struct mwi_resource resource = sample_resource();
    mw_reason why = {""};
    mwt_file_write(mwt_folder_file(&folder, "master.rsc"), "old");

    CU_ASSERT_EQUAL(mwi_resource_file_write(folder.file, &resource, &why), MW_OK);

    char *text = mwt_file_read(folder.file);
    CU_ASSERT_STRING_EQUAL(text, sample_text);
    free(text);
    struct stat status;
    CU_ASSERT_EQUAL(stat(folder.file, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 07777, 0600);
    CU_ASSERT_EQUAL(mwt_folder_files(&folder, 0), 1);
    umask(mask);
    mwt_folder_destroy(&folder);
}

/* Locates `path`, which must succeed, and returns the place in `located`. */
static void locate(const char *path, char located[384])
{
    char *found = NULL;
    mw_reason why = {""};
    CU_ASSERT_EQUAL_FATAL(mwi_resource_file_locate(path, &found, &why), MW_OK);
    snprintf(located, 384, "%s", found);
    free(found);
}

/* The place of a relative path is settled once: it does not follow the working directory. */
static void test_place_of_relative_path(void)
{
    struct mwt_folder folder;
    char located[384];
    mwt_folder_create(&folder);
    char *before = getcwd(NULL, 0);
    CU_ASSERT_EQUAL_FATAL(chdir(folder.path), 0);

    locate("master.rsc", located);

    CU_ASSERT_STRING_EQUAL(located, mwt_folder_file(&folder, "master.rsc"));
    CU_ASSERT_EQUAL(chdir(before), 0);
    free(before);
    mwt_folder_destroy(&folder);
}

/* A link is followed, and so is a chain of links, whether the file is there yet or not; links that
 * run in a circle are refused. */
static void test_place_behind_links(void)
{
    struct mwt_folder folder;
    char located[384], link[384];
    char *found;
    mw_reason why = {""};
    struct mwi_resource resource = sample_resource();
    mwt_folder_create(&folder);
    CU_ASSERT_EQUAL(symlink("target", mwt_folder_file(&folder, "second")), 0);
    CU_ASSERT_EQUAL(symlink("loop", mwt_folder_file(&folder, "loop")), 0);
    snprintf(link, sizeof link, "%s", mwt_folder_file(&folder, "first"));
    CU_ASSERT_EQUAL(symlink(mwt_folder_file(&folder, "second"), link), 0);

    locate(link, located);
    CU_ASSERT_STRING_EQUAL(located, mwt_folder_file(&folder, "target"));
    CU_ASSERT_EQUAL(mwi_resource_file_write(located, &resource, &why), MW_OK);
    locate(link, located);

    struct stat status;
    CU_ASSERT_STRING_EQUAL(located, mwt_folder_file(&folder, "target"));
    CU_ASSERT_TRUE(lstat(link, &status) == 0 && S_ISLNK(status.st_mode));
    CU_ASSERT_TRUE(stat(link, &status) == 0 && status.st_size > 0);
    CU_ASSERT_EQUAL(mwi_resource_file_locate(mwt_folder_file(&folder, "loop"), &found, &why),
                    MW_EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "Too many levels of symbolic links"));
    CU_ASSERT_EQUAL(mwi_resource_file_locate("/dev/null", &found, &why), MW_EIO);
    mwt_folder_destroy(&folder);
}

/* Another user's link is refused. Only root can give a link away. */
static void test_links_of_others(void)
{
    struct mwt_folder folder;
    char *found;
    mw_reason why = {""};
    mwt_folder_create(&folder);
    const char *link = mwt_folder_file(&folder, "link");
    CU_ASSERT_EQUAL(symlink("target", link), 0);

    if (lchown(link, geteuid() + 12345, (gid_t)-1) == 0) {
        CU_ASSERT_EQUAL(mwi_resource_file_locate(link, &found, &why), MW_EIO);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "it is a symbolic link of another user"));
    } else {
        CU_ASSERT_EQUAL(errno, EPERM);
    }

    mwt_folder_destroy(&folder);
}

/* A write that fails in the middle, here at a limit of the file's size, leaves the old file and no
 * temporary one. */
static void test_failed_write(void)
{
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    struct mwi_resource resource = sample_resource();
    mw_reason why = {""};
    mwt_file_write(mwt_folder_file(&folder, "master.rsc"), "old");
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    small = (struct rlimit){.rlim_cur = 100, .rlim_max = old.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);

    setrlimit(RLIMIT_FSIZE, &small);
    mw_error error = mwi_resource_file_write(folder.file, &resource, &why);
    setrlimit(RLIMIT_FSIZE, &old);

    signal(SIGXFSZ, handler);
    CU_ASSERT_EQUAL(error, MW_EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "File too large"));
    char *text = mwt_file_read(folder.file);
    CU_ASSERT_STRING_EQUAL(text, "old");
    free(text);
    CU_ASSERT_EQUAL(mwt_folder_files(&folder, 0), 1);
    mwt_folder_destroy(&folder);
}

/* Places that cannot be replaced are not touched: a missing folder, a folder, a device. */
static void test_unwritable(void)
{
    static const char *const paths[] = {"/nonexistent-folder/m.rsc", "/tmp", "/dev/null", ""};
    struct mwi_resource resource = sample_resource();

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        mw_reason why = {""};
        CU_ASSERT_EQUAL(mwi_resource_file_write(paths[i], &resource, &why), MW_EIO);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, paths[i]));
    }

    struct stat status;
    CU_ASSERT_TRUE(stat("/dev/null", &status) == 0 && S_ISCHR(status.st_mode));
}

/* A value that could not be read back is not written, and the sentence names its field. */
static void test_unwritable_values(void)
{
    static const char *const bad_list[] = {"fine", "\xff"};
    struct mwi_resource cases[8];
    static const char *const fields[] = {"member-id",
                                         "slave-executable",
                                         "slave-arguments",
                                         "port",
                                         "port",
                                         "host",
                                         "update-interval",
                                         "pid"};
    for (size_t i = 0; i < 8; i++)
        cases[i] = sample_resource();
    cases[0].member_id = NULL;
    cases[1].slave_executable = "/home/M\xfcller";
    cases[2].slave_arguments = bad_list;
    cases[2].slave_arguments_count = 2;
    cases[3].port = 65536;
    cases[4].port = 0;
    cases[5].host = "";
    cases[6].update_interval_s = -1;
    cases[7].pid = 0;

    for (size_t i = 0; i < 8; i++) {
        struct mwi_secret text = {.data = NULL};
        mw_reason why = {""};
        CU_ASSERT_EQUAL(mwi_resource_format(&cases[i], "m.rsc", &text, &why), MW_EINVAL);
        CU_ASSERT_PTR_NULL(text.data);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, fields[i]));
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "m.rsc"));
    }
}

/* A file that is not there yet is told apart from one that cannot be read. */
static void test_missing_and_unreadable(void)
{
    struct mwi_resource resource = {.pid = 1};
    mw_reason why = {""};

    CU_ASSERT_EQUAL(mwi_resource_file_read("/nonexistent-folder/m.rsc", &resource, &why),
                    MW_EUNAVAILABLE);
    CU_ASSERT_STRING_EQUAL(
        why.text, "resource file \"/nonexistent-folder/m.rsc\": No such file or directory");
    CU_ASSERT_EQUAL(mwi_resource_file_read("/tmp", &resource, &why), MW_EIO);
    CU_ASSERT_STRING_EQUAL(why.text, "resource file \"/tmp\": it is not a regular file");
    CU_ASSERT_EQUAL(mwi_resource_file_read("/dev/null/m.rsc", &resource, &why), MW_EIO);
    CU_ASSERT_EQUAL(resource.pid, 1);
}

static void check_refused(const void *data, size_t size, const char *part)
{
    struct mwi_resource resource = {.pid = 1};
    mw_reason why = {""};
    char *copy = malloc(size + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    memcpy(copy, data, size);

    CU_ASSERT_EQUAL(mwi_resource_parse(copy, size, "m.rsc", &resource, &why), MW_EPROTOCOL);

    free(copy);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "resource file \"m.rsc\": "));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, part));
    CU_ASSERT_EQUAL(resource.pid, 1);
}

/* Everything that is no JSON object is refused: nothing, binary, CL-MW's own files, other JSON,
 * NULs, a field that is there twice, and every beginning of a good file. */
static void test_garbage(void)
{
    static const char *const texts[] = {
        "",
        " ",
        "\177ELF\002\001\001",
        ";; Status of the computation\n(:computation-status :finished)\n",
        "{\"member-id\": \"\\u0000\"}",
        "{\"member-id\": \"\xff\"}",
        "{\"pid\": 1, \"pid\": 2}",
        "{} {}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_refused(texts[i], strlen(texts[i]), "it is not JSON");
    check_refused("[1, 2]", 6, "it is not a JSON object");
    check_refused("{\0}", 3, "it is not JSON");
    for (size_t size = 0; size < strlen(sample_text) - 2; size++)
        check_refused(sample_text, size, "it is not JSON");
}

/* Files of older masters have neither. */
static bool is_optional(const char *key)
{
    return strcmp(key, "encryption") == 0 || strcmp(key, "key") == 0;
}

static bool is_free_text(const char *key)
{
    return strcmp(key, "computation-status") != 0 && strcmp(key, "encryption") != 0 &&
           strncmp(key, "key", 3) != 0;
}

/* Each field must be there and be of its type; the sentence says which is not. */
static void test_missing_fields_and_wrong_types(void)
{
    static const char *const wrong_values[] = {"true", "{}", "[1]", "-1", "\"\\n\"", "1.5"};
    json_t *good = json_loads(sample_text, 0, NULL);
    const char *key;
    json_t *value;
    json_object_foreach(good, key, value)
    {
        json_t *bad = json_copy(good);
        json_object_del(bad, key);
        char *text = json_dumps(bad, 0);
        if (!is_optional(key)) {
            check_refused(text, strlen(text), key);
            check_refused(text, strlen(text), "is missing");
        }
        free(text);
        for (size_t i = 0; i < 6; i++) {
            json_t *wrong = json_loads(wrong_values[i], JSON_DECODE_ANY, NULL);
            bool fits = (json_is_string(wrong) && json_is_string(value) && is_free_text(key)) ||
                        (json_is_real(wrong) && strcmp(key, "update-interval") == 0);
            json_object_set_new(bad, key, wrong);
            text = json_dumps(bad, 0);
            if (!fits)
                check_refused(text, strlen(text), key);
            free(text);
        }
        json_decref(bad);
    }
    json_decref(good);
}

/* A port is a number from 1 to 65535, and comes with a host. */
static void test_addresses(void)
{
    static const struct {
        const char *host;
        const char *port;
        const char *field;
    } cases[] = {
        {"\"h\"", "0", "port"},      {"\"h\"", "65536", "port"},      {"\"h\"", "-1", "port"},
        {"\"h\"", "\"80\"", "port"}, {"\"h\"", "null", "port"},       {"\"\"", "80", "host"},
        {"null", "80", "host"},      {"\"h\"", "4294967297", "port"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *root = json_loads(sample_text, 0, NULL);
        json_object_set_new(root, "host", json_loads(cases[i].host, JSON_DECODE_ANY, NULL));
        json_object_set_new(root, "port", json_loads(cases[i].port, JSON_DECODE_ANY, NULL));
        char *text = json_dumps(root, 0);
        check_refused(text, strlen(text), cases[i].field);
        free(text);
        json_decref(root);
    }
}

/* A file of zeros without blocks, a byte above the limit. */
static void check_too_large(void)
{
    struct mwt_folder folder;
    struct mwi_resource resource;
    mw_reason why = {""};
    mwt_folder_create(&folder);
    mwt_file_write(mwt_folder_file(&folder, "large"), "");
    CU_ASSERT_EQUAL(chmod(folder.file, 0600), 0);
    CU_ASSERT_EQUAL(truncate(folder.file, MWI_RESOURCE_BYTES_MAX + 1), 0);
    CU_ASSERT_EQUAL(mwi_resource_file_read(folder.file, &resource, &why), MW_EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "larger than 1048576 bytes"));
    mwt_folder_destroy(&folder);
}

/* A large file is read up to the limit, a larger one is neither written nor read. */
static void test_large(void)
{
    struct mwi_resource resource = sample_resource();
    char *member_id = malloc(MWI_RESOURCE_BYTES_MAX);
    struct mwi_secret text;
    mw_reason why = {""};
    CU_ASSERT_PTR_NOT_NULL_FATAL(member_id);
    memset(member_id, 'x', MWI_RESOURCE_BYTES_MAX);
    size_t largest = MWI_RESOURCE_BYTES_MAX - strlen(sample_text) + strlen(resource.member_id);
    member_id[largest] = '\0';
    resource.member_id = member_id;

    check_round_trip(&resource);
    CU_ASSERT_EQUAL(mwi_resource_format(&resource, "m.rsc", &text, &why), MW_OK);
    CU_ASSERT_EQUAL(strlen(text.data), MWI_RESOURCE_BYTES_MAX);
    mwi_secret_fini(&text);
    member_id[largest] = 'x';
    member_id[largest + 1] = '\0';
    CU_ASSERT_EQUAL(mwi_resource_format(&resource, "m.rsc", &text, &why), MW_ETOOBIG);
    check_too_large();
    free(member_id);
}

/* Deep nesting neither overflows the stack nor passes. */
static void test_deep(void)
{
    char *text = malloc(400000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memset(text, '[', 400000);

    check_refused(text, 400000, "it is not JSON");

    free(text);
}

/* How many allocations jansson may still make before one fails; below 0: any number. */
static long allocations_left = -1;

static void *failing_malloc(size_t size)
{
    if (allocations_left == 0)
        return NULL;
    if (allocations_left > 0)
        allocations_left--;
    return malloc(size);
}

/* However early memory runs out, there is an error and nothing is lost. At some places jansson
 * takes lack of memory for a fault of the text, and so do we. */
static void test_out_of_memory(void)
{
    struct mwi_resource sample = sample_resource();
    json_set_alloc_funcs(failing_malloc, free);

    for (int what = 0; what < 2; what++) {
        mw_error error = MW_ENOMEM;
        for (long allowed = 0; error != MW_OK && allowed < 1000; allowed++) {
            struct mwi_resource resource = {.owner = NULL};
            struct mwi_secret text = {.data = NULL};
            char copy[sizeof sample_text];
            mw_reason why = {""};
            memcpy(copy, sample_text, sizeof copy);
            allocations_left = allowed;
            error = what == 0 ? mwi_resource_format(&sample, "m.rsc", &text, &why)
                              : mwi_resource_parse(copy, strlen(copy), "m.rsc", &resource, &why);
            allocations_left = -1;
            CU_ASSERT_TRUE(error == MW_OK || error == MW_ENOMEM ||
                           (what == 1 && error == MW_EPROTOCOL));
            CU_ASSERT_EQUAL(error == MW_OK, why.text[0] == '\0');
            mwi_resource_fini(&resource);
            mwi_secret_fini(&text);
        }
        CU_ASSERT_EQUAL(error, MW_OK);
    }

    json_set_alloc_funcs(malloc, free);
}

/* A file that would block a reader, or that is no file of bytes, is refused at once. */
static void test_no_regular_file(void)
{
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    const char *fifo = mwt_folder_file(&folder, "fifo");
    const char *const paths[] = {fifo, folder.path, "/dev/zero"};
    CU_ASSERT_EQUAL(mkfifo(fifo, 0600), 0);

    for (size_t i = 0; i < 3; i++) {
        struct mwi_resource resource;
        mw_reason why = {""};
        CU_ASSERT_EQUAL(mwi_resource_file_read(paths[i], &resource, &why), MW_EIO);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, paths[i]));
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "it is not a regular file"));
    }
    mwt_folder_destroy(&folder);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"text", test_text},
        {"round trips", test_round_trips},
        {"without key", test_without_key},
        {"without address", test_without_address},
        {"other protocol version", test_other_protocol_version},
        {"replacement", test_replacement},
        {"place of a relative path", test_place_of_relative_path},
        {"place behind links", test_place_behind_links},
        {"links of others", test_links_of_others},
        {"failed write", test_failed_write},
        {"unwritable", test_unwritable},
        {"unwritable values", test_unwritable_values},
        {"missing and unreadable", test_missing_and_unreadable},
        {"no regular file", test_no_regular_file},
        {"garbage", test_garbage},
        {"missing fields and wrong types", test_missing_fields_and_wrong_types},
        {"addresses", test_addresses},
        {"large", test_large},
        {"deep", test_deep},
        {"out of memory", test_out_of_memory},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("resource_file", tests);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The environment of the transport tcp that masters and slaves make: which keys it finds, and how
 * it says that there are none.
 */
#include "face/trust.h"

#include <string.h>
#include <sys/stat.h>

#include <CUnit/Basic.h>

#include "mwt_folder.h"
#include "mwt_loop.h"
#include "mwt_run.h"
#include "record/key_file.h"
#include "wire/message.h"

#define FARM "meadow"

/* A trust with a key file of its own. */
struct place {
    struct mwt_folder folder;
    struct mwt_loop loop;
    struct mwi_tcp_settings settings;
    char key_file[384];
    struct mwi_trust trust;
    mw_reason why;
};

static void start(struct place *place)
{
    memset(place, 0, sizeof *place);
    mwt_folder_create(&place->folder);
    CU_ASSERT_TRUE_FATAL(mwt_loop_open(&place->loop, NULL));
    CU_ASSERT_TRUE_FATAL(mwt_loop_add(&place->loop, 0, &mwt_fake_sleeping));
    snprintf(place->key_file, sizeof place->key_file, "%s", mwt_folder_file(&place->folder, "key"));
    place->settings.key_file = place->key_file;
}

static void end(struct place *place)
{
    mwt_loop_close(&place->loop);
    mwi_trust_close(&place->trust);
    mwt_folder_destroy(&place->folder);
}

static mw_error open_master(struct place *place, bool has_resource_file)
{
    return mwi_trust_open_master(&place->trust, &place->settings, has_resource_file, FARM,
                                 place->loop.loop, &place->why);
}

static mw_error open_slave(struct place *place, bool has_resource_file)
{
    return mwi_trust_open_slave(&place->trust, &place->settings, has_resource_file, FARM,
                                place->loop.loop, &place->why);
}

/* Whether the environment of a master knows this key. */
static bool is_found(struct place *place, const mw_tcp_key *key)
{
    const mw_tcp_environment *environment = &place->trust.environment;
    mw_tcp_key found;
    return environment->find_key(environment->context, key->name, &found) &&
           memcmp(found.bytes, key->bytes, sizeof found.bytes) == 0;
}

/* The first key of the key file. */
static mw_tcp_key read_key(struct place *place)
{
    struct mwi_key_list list;
    CU_ASSERT_EQUAL_FATAL(mwi_key_file_read(place->key_file, &list, &place->why), MW_OK);
    return list.keys[0];
}

/* Without encryption there are no functions for keys, and no key file is made. */
static void test_insecure(void)
{
    for (int i = 0; i < 2; i++) {
        struct place place;
        start(&place);
        place.settings.is_insecure = true;

        CU_ASSERT_EQUAL(i == 0 ? open_master(&place, true) : open_slave(&place, true), MW_OK);

        CU_ASSERT_PTR_NULL(place.trust.environment.find_key);
        CU_ASSERT_PTR_NULL(place.trust.environment.own_key);
        CU_ASSERT_PTR_NULL(place.trust.environment.refusal);
        CU_ASSERT_PTR_NULL(place.trust.keyring);
        CU_ASSERT_EQUAL(mwt_folder_files(&place.folder, false), 0);
        end(&place);
    }
}

/* A master with a resource file takes the key of its farm and that of the key file, which it makes;
 * one without takes the latter alone. Neither takes a key that it has never seen. */
static void test_keys_of_a_master(void)
{
    static const mw_tcp_key stranger = {.name = "key:0123456789abcdef"};
    for (int i = 0; i < 2; i++) {
        struct place place;
        start(&place);

        CU_ASSERT_EQUAL_FATAL(open_master(&place, i == 0), MW_OK);

        mw_tcp_key key = read_key(&place);
        const mw_tcp_key *farm_key = mwi_keyring_farm_key(place.trust.keyring);
        CU_ASSERT_TRUE(is_found(&place, &key));
        CU_ASSERT_FALSE(is_found(&place, &stranger));
        CU_ASSERT_EQUAL(farm_key != NULL, i == 0);
        if (farm_key != NULL)
            CU_ASSERT_TRUE(is_found(&place, farm_key));
        CU_ASSERT_PTR_NULL(place.trust.environment.own_key);
        CU_ASSERT_STRING_EQUAL(place.trust.environment.farm, FARM);
        CU_ASSERT_STRING_EQUAL(place.trust.problem.text, "");
        end(&place);
    }
}

/* A peer that does not encrypt is told so in a message that every version of mw understands. */
static void test_refusal(void)
{
    struct place place;
    struct mwi_decoder decoder;
    struct mwi_message message;
    start(&place);
    CU_ASSERT_EQUAL_FATAL(open_master(&place, true), MW_OK);
    CU_ASSERT_TRUE_FATAL(mwi_message_decoder_init(&decoder));

    CU_ASSERT_EQUAL(mwi_message_decode(&decoder, place.trust.refusal.data,
                                       place.trust.environment.refusal_size, &message, &place.why),
                    MW_OK);

    CU_ASSERT_EQUAL(message.kind, MWI_MESSAGE_REFUSE);
    CU_ASSERT_PTR_NOT_NULL(
        memmem(message.reason.data, message.reason.size, "encrypted", strlen("encrypted")));
    mwi_message_decoder_fini(&decoder);
    end(&place);
}

/* If the key file is of no use, a master with a resource file goes on and knows why; another cannot
 * be opened, and the sentence names the option. */
static void test_bad_key_file(void)
{
    for (int i = 0; i < 2; i++) {
        struct place place;
        start(&place);
        CU_ASSERT_EQUAL(mkdir(place.key_file, 0700), 0);

        mw_error error = open_master(&place, i == 0);

        CU_ASSERT_EQUAL(error, i == 0 ? MW_OK : MW_EIO);
        const char *sentence = i == 0 ? place.trust.problem.text : place.why.text;
        CU_ASSERT_PTR_NOT_NULL(strstr(sentence, place.key_file));
        CU_ASSERT_PTR_NOT_NULL(strstr(sentence, "--mw-key-file"));
        end(&place);
    }
}

/* A key file that is bad when the master opens is told of once, and not again at the first look. */
static void test_told_once(void)
{
    struct place place;
    bool is_new;
    start(&place);
    CU_ASSERT_EQUAL(mwi_key_file_create(place.key_file, &is_new, &place.why), MW_OK);
    CU_ASSERT_EQUAL(chmod(place.key_file, 0644), 0);
    CU_ASSERT_EQUAL_FATAL(open_master(&place, true), MW_OK);
    mw_reason told = place.trust.problem;

    mwi_chores_tend(mwi_loop_chores(place.loop.loop), 0);

    CU_ASSERT_PTR_NOT_NULL(strstr(told.text, "0644"));
    CU_ASSERT_STRING_NOT_EQUAL(mwi_keyring_problem(place.trust.keyring), "");
    CU_ASSERT_STRING_EQUAL(place.trust.problem.text, told.text);
    end(&place);
}

/* A slave proves the key of its key file, which may come later, and rather that of the resource
 * file. */
static void test_key_of_a_slave(void)
{
    struct place place;
    bool is_new;
    mw_tcp_key own, farm_key = {.name = "farm:1", .bytes = "of the farm"};
    start(&place);
    CU_ASSERT_EQUAL_FATAL(open_slave(&place, false), MW_OK);
    mw_tcp_environment *environment = &place.trust.environment;

    CU_ASSERT_FALSE(environment->own_key(environment->context, &own, &place.why));
    CU_ASSERT_PTR_NOT_NULL(strstr(place.why.text, place.key_file));
    CU_ASSERT_PTR_NOT_NULL(strstr(place.why.text, "copy it"));
    CU_ASSERT_PTR_NOT_NULL(strstr(place.why.text, "(see --mw-key-file)"));
    CU_ASSERT_EQUAL(mwi_key_file_create(place.key_file, &is_new, &place.why), MW_OK);
    CU_ASSERT_TRUE(environment->own_key(environment->context, &own, &place.why));
    mw_tcp_key key = read_key(&place);
    CU_ASSERT_STRING_EQUAL(own.name, key.name);
    mwi_keyring_take_farm_key(place.trust.keyring, &farm_key);
    CU_ASSERT_TRUE(environment->own_key(environment->context, &own, &place.why));
    CU_ASSERT_STRING_EQUAL(own.name, "farm:1");

    CU_ASSERT_PTR_NULL(environment->find_key);
    end(&place);
}

/* Without a home there is no place for a key file. Only a slave with a resource file, which may
 * have the key, can be opened all the same. */
static void test_no_home(void)
{
    unsetenv("HOME");
    unsetenv("XDG_CONFIG_HOME");
    for (int i = 0; i < 2; i++) {
        struct place place;
        start(&place);
        place.settings.key_file = NULL;

        CU_ASSERT_EQUAL(open_slave(&place, i == 0), i == 0 ? MW_OK : MW_EUNAVAILABLE);

        if (i == 1)
            CU_ASSERT_PTR_NOT_NULL(strstr(place.why.text, "--mw-key-file"));
        end(&place);
    }
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"insecure", test_insecure},   {"keys of a master", test_keys_of_a_master},
        {"refusal", test_refusal},     {"bad key file", test_bad_key_file},
        {"told once", test_told_once}, {"key of a slave", test_key_of_a_slave},
        {"no home", test_no_home},     CU_TEST_INFO_NULL,
    };
    return mwt_run("trust", tests);
}

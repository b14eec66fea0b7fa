/* SPDX-License-Identifier: Apache-2.0
 *
 * Which programs may use a journal, and the sentences that say how they differ: in all parts, where
 * the difference is, and in characters that can be printed.
 */
#include "record/journal_identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "mwt_run.h"

static mw_reason why;

static struct mwi_journal_text text_of(const char *string)
{
    return (struct mwi_journal_text){string, strlen(string)};
}

static struct mwi_journal_identity identity_of(const char *names, const char *version,
                                               const char *arguments, const char *executable)
{
    return (struct mwi_journal_identity){text_of(names), text_of(arguments), text_of(version),
                                         text_of(executable)};
}

static bool may_stand(struct mwi_journal_identity was, struct mwi_journal_identity is)
{
    return mwi_journal_identity_may_stand_for(&was, &is, &why);
}

/* Compares programs that differ in their arguments alone. */
static void compare(struct mwi_journal_text was, struct mwi_journal_text is)
{
    struct mwi_journal_identity one = {.arguments = was}, other = {.arguments = is};
    CU_ASSERT_FALSE(mwi_journal_identity_may_stand_for(&one, &other, &why));
    CU_ASSERT_TRUE(mwi_utf8_is_valid(why.text));
}

/* Names and versions must be the same. A version vouches for arguments and the executable file. */
static void test_judgement(void)
{
    const struct mwi_journal_identity plain = identity_of("a b", "", "--n 1", "01");
    const struct mwi_journal_identity with_version = identity_of("a b", "7", "--n 1", "01");

    CU_ASSERT_TRUE(may_stand(plain, plain));
    CU_ASSERT_STRING_EQUAL(why.text, "");
    CU_ASSERT_FALSE(may_stand(plain, identity_of("a", "", "--n 1", "01")));
    CU_ASSERT_STRING_EQUAL(why.text, "its task algorithms were \"a b\", and are \"a\" now");
    CU_ASSERT_FALSE(may_stand(plain, with_version));
    CU_ASSERT_STRING_EQUAL(why.text, "its version was \"\", and is \"7\" now");
    CU_ASSERT_FALSE(may_stand(plain, identity_of("a b", "", "--n 2", "01")));
    CU_ASSERT_FALSE(may_stand(plain, identity_of("a b", "", "--n 1", "02")));
    CU_ASSERT_STRING_EQUAL(why.text, "its executable file is another one");
    CU_ASSERT_TRUE(may_stand(with_version, with_version));
    CU_ASSERT_STRING_EQUAL(why.text, "");
    CU_ASSERT_TRUE(may_stand(with_version, identity_of("a b", "7", "--n 2", "01")));
    CU_ASSERT_STRING_EQUAL(why.text, "its arguments were \"--n 1\", and are \"--n 2\" now");
    CU_ASSERT_TRUE(may_stand(with_version, identity_of("a b", "7", "--n 1", "02")));
    CU_ASSERT_FALSE(may_stand(with_version, identity_of("a", "7", "--n 1", "01")));
}

/* All differences are told, also if all texts are long. */
static void test_all_differences(void)
{
    char was[1000], is[1000];
    memset(was, 'w', sizeof was - 1);
    memset(is, 'i', sizeof is - 1);
    was[sizeof was - 1] = is[sizeof is - 1] = '\0';

    CU_ASSERT_FALSE(may_stand(identity_of("a", "", "1", "01"), identity_of("a", "", "2", "02")));
    CU_ASSERT_STRING_EQUAL(why.text, "its arguments were \"1\", and are \"2\" now; "
                                     "its executable file is another one");
    CU_ASSERT_FALSE(may_stand(identity_of(was, was, was, "01"), identity_of(is, is, is, "02")));
    CU_ASSERT_STRING_EQUAL(why.text,
                           "its task algorithms were \"wwwwwwwwwwwwwwwwwwww...\", and are "
                           "\"iiiiiiiiiiiiiiiiiiii...\" now; "
                           "its version was \"wwwwwwwwwwwwwwwwwwww...\", and is "
                           "\"iiiiiiiiiiiiiiiiiiii...\" now; "
                           "its arguments were \"wwwwwwwwwwwwwwwwwwww...\", and are "
                           "\"iiiiiiiiiiiiiiiiiiii...\" now; "
                           "its executable file is another one");
}

/* A list of 200 times the same text, but for one letter. */
static void fill(char *list, const char *filling, size_t place, const char *letter)
{
    for (size_t i = 0; i < 200; i++)
        list = stpcpy(list, i == place ? letter : filling);
}

/* Compares lists that differ in a letter, at each of many places: the excerpts show it. */
static void check_places(const char *filling, const char *was_letter, const char *is_letter)
{
    for (size_t place = 0; place < 200; place++) {
        char was[800], is[800];
        fill(was, filling, place, was_letter);
        fill(is, filling, place, is_letter);
        compare(text_of(was), text_of(is));
        const char *middle = strstr(why.text, ", and are \"");
        const char *letter = strstr(why.text, was_letter);
        CU_ASSERT_PTR_NOT_NULL_FATAL(middle);
        CU_ASSERT_TRUE(letter != NULL && letter < middle);
        CU_ASSERT_PTR_NOT_NULL(strstr(middle, is_letter));
    }
}

/* Wherever two long lists differ, the sentence says how: also among characters of two bytes, and
 * among bytes that are escaped. */
static void test_places(void)
{
    check_places("x", "W", "I");
    check_places("\xc3\xa4", "\xc3\xbc", "\xc3\xb6");
    check_places("\n", "W", "I");
    check_places("\xff\x01", "W", "I");
}

/* One list may be the beginning of the other. */
static void test_longer(void)
{
    char was[200], is[200];
    memset(was, 'x', sizeof was);
    memset(is, 'x', sizeof is);
    compare((struct mwi_journal_text){was, 100}, (struct mwi_journal_text){is, 101});

    CU_ASSERT_STRING_EQUAL(why.text, "its arguments were \"...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\", "
                                     "and are \"...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" now");
}

/* Bytes of the file and of the command are escaped. Texts that look alike then are told apart. */
static void test_printable(void)
{
    compare(text_of("a\x1b[31m\n"), text_of("b\xff"));
    CU_ASSERT_STRING_EQUAL(why.text,
                           "its arguments were \"a\\x1b[31m\\n\", and are \"b\\xff\" now");
    compare(text_of("'a\nb'"), text_of("'a\\nb'"));
    CU_ASSERT_STRING_EQUAL(why.text, "its arguments were \"'a\\nb'\", and are \"'a\\nb'\" now "
                                     "(byte 3 differs)");
    compare((struct mwi_journal_text){NULL, 0}, text_of("\xbf\xbf\xbf\xbf\xbf"));
    CU_ASSERT_STRING_EQUAL(why.text, "its arguments were \"\", and are "
                                     "\"\\xbf\\xbf\\xbf\\xbf\\xbf\" now");
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"judgement", test_judgement}, {"all differences", test_all_differences},
        {"places", test_places},       {"longer", test_longer},
        {"printable", test_printable}, CU_TEST_INFO_NULL,
    };
    return mwt_run("journal identity", tests);
}

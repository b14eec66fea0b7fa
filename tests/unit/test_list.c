/* SPDX-License-Identifier: Apache-2.0
 *
 * The linked list: inserting at either end, removing in any order, and links that are in no list.
 * A link in no list may be removed again.
 */
#include "base/list.h"

#include "mwt_run.h"

struct member {
    int before; /* so that the link is not at the member's beginning */
    struct mwi_list link;
    int number;
};

/* The members' numbers as the digits of a decimal number, both ways, which must agree. */
static int numbers(const struct mwi_list *list)
{
    int forwards = 0, backwards = 0, factor = 1;
    for (const struct mwi_list *link = list->next; link != list; link = link->next)
        forwards = forwards * 10 + MWI_LIST_ENTRY(link, const struct member, link)->number;
    for (const struct mwi_list *link = list->prev; link != list; link = link->prev) {
        backwards += MWI_LIST_ENTRY(link, const struct member, link)->number * factor;
        factor *= 10;
    }
    CU_ASSERT_EQUAL(forwards, backwards);
    return forwards;
}

/* Members are put at the end, at the beginning, and before another one. */
static void test_insert(void)
{
    struct mwi_list list;
    struct member one = {.number = 1}, two = {.number = 2}, three = {.number = 3},
                  four = {.number = 4};
    mwi_list_init(&list);
    CU_ASSERT_TRUE(mwi_list_is_empty(&list));

    mwi_list_append(&list, &three.link);
    mwi_list_append(&list, &four.link);
    mwi_list_prepend(&list, &one.link);
    mwi_list_insert(&three.link, &two.link);

    CU_ASSERT_EQUAL(numbers(&list), 1234);
    CU_ASSERT_FALSE(mwi_list_is_empty(&list));
}

/* Members are taken out anywhere; the list is empty after the last. */
static void test_remove(void)
{
    struct mwi_list list;
    struct member member[4] = {{.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
    mwi_list_init(&list);
    for (size_t i = 0; i < 4; i++)
        mwi_list_append(&list, &member[i].link);

    mwi_list_remove(&member[1].link);
    CU_ASSERT_EQUAL(numbers(&list), 134);
    mwi_list_remove(&member[0].link);
    CU_ASSERT_EQUAL(numbers(&list), 34);
    mwi_list_remove(&member[3].link);
    CU_ASSERT_EQUAL(numbers(&list), 3);
    mwi_list_remove(&member[2].link);

    CU_ASSERT_TRUE(mwi_list_is_empty(&list));
}

/* A link that was taken out points to itself: it can be taken out again, and put elsewhere. */
static void test_link_in_no_list(void)
{
    struct mwi_list first, second;
    struct member member = {.number = 7};
    mwi_list_init(&first);
    mwi_list_init(&second);
    mwi_list_append(&first, &member.link);

    mwi_list_remove(&member.link);
    CU_ASSERT_TRUE(mwi_list_is_empty(&member.link));
    mwi_list_remove(&member.link);
    mwi_list_append(&second, &member.link);

    CU_ASSERT_TRUE(mwi_list_is_empty(&first));
    CU_ASSERT_EQUAL(numbers(&second), 7);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"insert", test_insert},
        {"remove", test_remove},
        {"link in no list", test_link_in_no_list},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("list", tests);
}

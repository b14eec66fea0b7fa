/* SPDX-License-Identifier: Apache-2.0
 *
 * The heap: the smallest key comes out first, and of equal keys the smallest order, after any puts,
 * moves and removals. The last case compares it with a naive model, from a seed that it prints.
 */
#include "base/heap.h"

#include "mwt_random.h"
#include "mwt_run.h"

/* An empty heap has no first entry, and removing a node that is in no heap changes nothing. */
static void test_empty(void)
{
    struct mwi_heap heap;
    struct mwi_heap_node node = {0};
    mwi_heap_init(&heap);

    mwi_heap_remove(&heap, &node);

    CU_ASSERT_PTR_NULL(mwi_heap_first(&heap));
    CU_ASSERT_EQUAL(node.position, 0);
    mwi_heap_fini(&heap);
}

/* Equal keys come out by their order; the ends of both ranges are keys and orders like others. */
static void test_order(void)
{
    static const struct {
        int64_t key;
        uint64_t order;
    } expected[] = {{INT64_MIN, 0}, {INT64_MIN, UINT64_MAX}, {-1, 5}, {0, 3}, {0, 4},
                    {INT64_MAX, 0}, {INT64_MAX, UINT64_MAX}};
    enum { COUNT = sizeof expected / sizeof *expected };
    struct mwi_heap_node node[COUNT] = {{0}};
    struct mwi_heap heap;
    mwi_heap_init(&heap);
    CU_ASSERT_TRUE_FATAL(mwi_heap_reserve(&heap, COUNT));

    for (size_t i = COUNT; i-- > 0;)
        mwi_heap_put(&heap, &node[i], expected[i].key, expected[i].order);

    for (size_t i = 0; i < COUNT; i++) {
        CU_ASSERT_PTR_EQUAL(mwi_heap_first(&heap)->node, &node[i]);
        mwi_heap_remove(&heap, &node[i]);
    }
    CU_ASSERT_PTR_NULL(mwi_heap_first(&heap));
    mwi_heap_fini(&heap);
}

/* Room that is reserved stays when less is asked for, and what is in the heap stays when it grows.
 */
static void test_reserve(void)
{
    struct mwi_heap_node node[2] = {{0}};
    struct mwi_heap heap;
    mwi_heap_init(&heap);
    CU_ASSERT_TRUE(mwi_heap_reserve(&heap, 2));
    mwi_heap_put(&heap, &node[0], 2, 0);
    mwi_heap_put(&heap, &node[1], 1, 0);
    size_t capacity = heap.capacity;

    CU_ASSERT_TRUE(mwi_heap_reserve(&heap, 1));
    CU_ASSERT_EQUAL(heap.capacity, capacity);
    CU_ASSERT_TRUE(mwi_heap_reserve(&heap, 100 * capacity));

    CU_ASSERT(heap.capacity >= 100 * capacity);
    CU_ASSERT_EQUAL(heap.count, 2);
    CU_ASSERT_PTR_EQUAL(mwi_heap_first(&heap)->node, &node[1]);
    mwi_heap_fini(&heap);
}

enum { MEMBERS_COUNT = 200 };

/* A member of the naive model, which finds the first one by looking at all. */
struct member {
    struct mwi_heap_node node;
    bool is_in;
    int64_t key;
    uint64_t order;
};

static struct member *find_first(struct member *members)
{
    struct member *first = NULL;
    for (struct member *member = members; member < members + MEMBERS_COUNT; member++) {
        if (!member->is_in)
            continue;
        if (first == NULL || member->key < first->key ||
            (member->key == first->key && member->order < first->order))
            first = member;
    }
    return first;
}

/* Each entry's node knows its position, and no entry comes before its parent. */
static bool is_sound(const struct mwi_heap *heap)
{
    for (size_t i = 0; i < heap->count; i++) {
        const struct mwi_heap_entry *entry = &heap->entries[i];
        const struct mwi_heap_entry *parent = &heap->entries[i > 0 ? (i - 1) / 4 : 0];
        if (entry->node->position != i + 1 || entry->key < parent->key ||
            (entry->key == parent->key && entry->order < parent->order))
            return false;
    }
    return true;
}

static void put_member(struct mwi_heap *heap, struct member *member, int64_t key, uint64_t order)
{
    member->is_in = true;
    member->key = key;
    member->order = order;
    mwi_heap_put(heap, &member->node, key, order);
}

static void remove_member(struct mwi_heap *heap, struct member *member)
{
    member->is_in = false;
    mwi_heap_remove(heap, &member->node);
    CU_ASSERT_EQUAL(member->node.position, 0);
}

/* After any puts, moves and removals the heap is sound and its first is the one of a naive model.
 */
static void test_like_a_search(void)
{
    static struct member members[MEMBERS_COUNT];
    struct mwt_random random;
    struct mwi_heap heap;
    mwt_random_start(&random);
    mwi_heap_init(&heap);
    CU_ASSERT_TRUE_FATAL(mwi_heap_reserve(&heap, MEMBERS_COUNT));

    for (uint64_t step = 0; step < 20000; step++) {
        struct member *any = &members[mwt_random_below(&random, MEMBERS_COUNT)];
        if (mwt_random_below(&random, 3) < 2)
            put_member(&heap, any, (int64_t)mwt_random_below(&random, 50) - 25, step);
        else
            remove_member(&heap, any);

        const struct mwi_heap_entry *first = mwi_heap_first(&heap);
        const struct member *expected = find_first(members);
        CU_ASSERT_PTR_EQUAL(first != NULL ? first->node : NULL,
                            expected != NULL ? &expected->node : NULL);
        CU_ASSERT_TRUE_FATAL(is_sound(&heap));
    }

    for (struct member *next; (next = find_first(members)) != NULL; remove_member(&heap, next))
        CU_ASSERT_PTR_EQUAL(mwi_heap_first(&heap)->node, &next->node);
    CU_ASSERT_EQUAL(heap.count, 0);
    mwi_heap_fini(&heap);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"empty", test_empty},     {"order", test_order},
        {"reserve", test_reserve}, {"like a search", test_like_a_search},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("heap", tests);
}

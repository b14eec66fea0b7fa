/* SPDX-License-Identifier: Apache-2.0
 *
 * Doubly linked lists whose links lie in the members, so nothing is allocated. A list is a link
 * that is in no member: its head. An empty list, and a link that was removed, point to themselves.
 * All pointers are borrowed as long as the link is in the list.
 */
#ifndef MWI_LIST_H
#define MWI_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct mwi_list {
    struct mwi_list *next;
    struct mwi_list *prev;
};

/* The struct whose member `member` is `link`. */
#define MWI_LIST_ENTRY(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* Makes an empty list, or a link that is in no list. */
static inline void mwi_list_init(struct mwi_list *list)
{
    list->next = list;
    list->prev = list;
}

static inline bool mwi_list_is_empty(const struct mwi_list *list)
{
    return list->next == list;
}

/* Puts `link`, which is in no list, before `position`; before the head is the end of the list. */
static inline void mwi_list_insert(struct mwi_list *position, struct mwi_list *link)
{
    link->prev = position->prev;
    link->next = position;
    position->prev->next = link;
    position->prev = link;
}

static inline void mwi_list_append(struct mwi_list *list, struct mwi_list *link)
{
    mwi_list_insert(list, link);
}

static inline void mwi_list_prepend(struct mwi_list *list, struct mwi_list *link)
{
    mwi_list_insert(list->next, link);
}

/* Takes `link` out of its list. A link that is in no list stays as it is. */
static inline void mwi_list_remove(struct mwi_list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    mwi_list_init(link);
}

#endif

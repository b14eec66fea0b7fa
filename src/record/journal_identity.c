/* SPDX-License-Identifier: Apache-2.0
 *
 * Compares the program of a journal with the one that opens it. face/master_journal gathers the
 * parts of an identity; a new part is one more row in mwi_journal_identity_may_stand_for.
 *
 * Invariant: of a text that is too long for the sentence, both sides show the same section, which
 * has the first character that differs. The texts are those of a file, so they are escaped.
 */
#include "record/journal_identity.h"

#include <stdio.h>
#include <string.h>

#include "base/printable.h"

/* All excerpts of one side together have this many bytes. */
#define EXCERPTS_BYTES 60

/* A part of an identity, with the words before its texts. */
struct part {
    const char *was_words, *is_words;
    struct mwi_journal_text was, is;
};

/* A section of a text, escaped, and dots where something is left out. */
struct excerpt {
    const char *before, *after;
    char text[EXCERPTS_BYTES + 1];
};

static bool is_same_text(struct mwi_journal_text one, struct mwi_journal_text other)
{
    return one.size == other.size && (one.size == 0 || memcmp(one.data, other.data, one.size) == 0);
}

/* Whether the byte at this place is inside a character of UTF-8. */
static bool is_inside(struct mwi_journal_text text, size_t place)
{
    return place < text.size && ((unsigned char)text.data[place] & 0xc0) == 0x80;
}

/* The place of the first character that differs; a character has up to four bytes. */
static size_t find_difference(struct mwi_journal_text one, struct mwi_journal_text other)
{
    size_t place = 0;
    while (place < one.size && place < other.size && one.data[place] == other.data[place])
        place++;
    for (int i = 0; i < 3 && place > 0; i++)
        if (is_inside(one, place) || is_inside(other, place))
            place--;
    return place;
}

static bool fits(struct mwi_journal_text text, size_t room)
{
    return text.size <= room && mwi_printable_size(text.data, text.size) <= room;
}

/* Where the section begins that shows this place; up to half of it lies before the place. */
static size_t find_begin(const struct part *part, size_t place, size_t room)
{
    size_t begin = place > room / 2 ? place - room / 2 : 0;
    if (fits(part->was, room) && fits(part->is, room))
        return 0;
    while (begin < place && (is_inside(part->is, begin) ||
                             mwi_printable_size(part->is.data + begin, place - begin) > room / 2))
        begin++;
    return begin;
}

static void write_excerpt(struct excerpt *excerpt, struct mwi_journal_text text, size_t begin,
                          size_t room)
{
    const char *rest = begin > 0 ? text.data + begin : text.data;
    size_t used = mwi_printable_copy(excerpt->text, room + 1, rest, text.size - begin);
    excerpt->before = begin > 0 ? "..." : "";
    excerpt->after = used < mwi_printable_size(rest, text.size - begin) ? "..." : "";
}

/* Appends a sentence to those that are there. */
static void add_sentence(mw_reason *why, const char *sentence)
{
    size_t used = strlen(why->text);
    snprintf(why->text + used, sizeof why->text - used, "%s%s", used > 0 ? "; " : "", sentence);
}

/* Tells how a part differs, with excerpts of up to `room` bytes. */
static void tell_part(mw_reason *why, const struct part *part, size_t room)
{
    size_t place = find_difference(part->was, part->is), begin = find_begin(part, place, room);
    struct excerpt was, is;
    char alike[48] = "", sentence[300];
    write_excerpt(&was, part->was, begin, room);
    write_excerpt(&is, part->is, begin, room);
    /* A newline and its escape, for instance. */
    if (strcmp(was.text, is.text) == 0)
        snprintf(alike, sizeof alike, " (byte %zu differs)", place + 1);
    snprintf(sentence, sizeof sentence, "%s \"%s%s%s\", and %s \"%s%s%s\" now%s", part->was_words,
             was.before, was.text, was.after, part->is_words, is.before, is.text, is.after, alike);
    add_sentence(why, sentence);
}

bool mwi_journal_identity_may_stand_for(const struct mwi_journal_identity *was,
                                        const struct mwi_journal_identity *is, mw_reason *why)
{
    const struct part parts[] = {
        {"its task algorithms were", "are", was->names, is->names},
        {"its version was", "is", was->version, is->version},
        {"its arguments were", "are", was->arguments, is->arguments},
    };
    const size_t parts_count = sizeof parts / sizeof parts[0];
    bool has_same_executable = is_same_text(was->executable, is->executable);
    size_t differing_count = 0;
    why->text[0] = '\0';
    for (size_t i = 0; i < parts_count; i++)
        differing_count += !is_same_text(parts[i].was, parts[i].is);
    for (size_t i = 0; i < parts_count; i++)
        if (!is_same_text(parts[i].was, parts[i].is))
            tell_part(why, &parts[i], EXCERPTS_BYTES / differing_count);
    if (!has_same_executable)
        add_sentence(why, "its executable file is another one");
    if (!is_same_text(was->names, is->names) || !is_same_text(was->version, is->version))
        return false;
    return is->version.size > 0 ||
           (is_same_text(was->arguments, is->arguments) && has_same_executable);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes are either refused with a sentence that has no part of a key, or are the very text that
 * we write for the keys in it, and perhaps empty lines.
 *
 * An input whose first byte is not ASCII stands for a good file of one or two keys that is cut off
 * somewhere, or has up to three bytes changed, three bytes of input for each change.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "record/key_file.h"

#define DIGITS "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"

static const char good_text[] =
    "mw-key 1\nkey:0123456789abcdef " DIGITS "key:fedcba9876543210 " DIGITS;

static void check_names(const struct mwi_key_list *list)
{
    MWT_FUZZ_PROMISE(list->count >= 1 && list->count <= MWI_KEY_FILE_KEYS_MAX);
    for (size_t i = 0; i < list->count; i++)
        MWT_FUZZ_PROMISE(memchr(list->keys[i].name, '\0', MW_TCP_KEY_NAME_BYTES) != NULL);
}

static void check_bytes(const void *data, size_t size)
{
    struct mwi_key_list list;
    mw_reason why = {""};
    char text[MWI_KEY_FILE_BYTES_MAX];
    mw_error error = mwi_key_file_parse(data, size, "fuzz", &list, &why);
    if (error != MW_OK) {
        MWT_FUZZ_PROMISE(error == MW_EPROTOCOL || error == MW_EUNAVAILABLE);
        MWT_FUZZ_PROMISE(why.text[0] != '\0' && strstr(why.text, "2233") == NULL &&
                         strstr(why.text, "ccdd") == NULL);
        return;
    }
    check_names(&list);
    size_t length = mwi_key_file_format(&list, text);
    MWT_FUZZ_PROMISE(length <= size && memcmp(text, data, length) == 0);
    for (size_t i = length; i < size; i++)
        MWT_FUZZ_PROMISE(((const char *)data)[i] == '\n');
}

static void check_changed_file(const uint8_t *changes, size_t size)
{
    size_t length = strlen(good_text);
    if (size % 3 == 1)
        length -= (size_t)changes[size - 1] % length;
    char *text = malloc(length);
    MWT_FUZZ_PROMISE(text != NULL);
    memcpy(text, good_text, length);
    for (size_t i = 0; i + 3 <= size && i < 9; i += 3)
        text[(size_t)(changes[i] << 8 | changes[i + 1]) % length] = (char)changes[i + 2];
    check_bytes(text, length);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] >= 0x80)
        check_changed_file(data + 1, size - 1);
    else
        check_bytes(data, size);
    return 0;
}

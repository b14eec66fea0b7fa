/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes are either refused with a sentence, or are a resource that can be written and read
 * again.
 *
 * An input whose first byte is not ASCII stands for a good file with up to three bytes changed,
 * three bytes of input for each change, so that random inputs get past the JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "record/resource.h"

static const char good_text[] =
    "{\"computation-status\": \"in-progress\", \"timestamp\": 1795372218, \"member-id\": \"id\", "
    "\"update-interval\": 300.5, \"slaves-needed\": 3, \"slave-executable\": \"/hello\", "
    "\"shared-libraries\": [\"a\"], \"slave-arguments\": [\"--mw-slave\", \"\\u00e9\\n\"], "
    "\"transport\": \"tcp\", \"host\": \"::1\", \"port\": 36107, \"pid\": 4711, "
    "\"protocol-version\": 1, \"encryption\": \"tls\", \"key-name\": \"farm:0123\", \"key\": "
    "\"00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef\"}";

/* Returns NULL if the resource was close to the limit of size and the spaces of our format exceed
 * it. */
static char *format(const struct mwi_resource *resource)
{
    struct mwi_secret text;
    mw_reason why = {""};
    mw_error error = mwi_resource_format(resource, "fuzz", &text, &why);
    MWT_FUZZ_PROMISE(error == MW_OK || error == MW_ETOOBIG);
    if (error != MW_OK)
        return NULL;
    char *copy = strdup(text.data);
    mwi_secret_fini(&text);
    return copy;
}

/* Reads `text`, which we wrote, writes it again, and frees it. */
static char *format_again(char *text)
{
    struct mwi_resource resource;
    mw_reason why = {""};
    if (text == NULL)
        return NULL;
    MWT_FUZZ_PROMISE(mwi_resource_parse(text, strlen(text), "fuzz", &resource, &why) == MW_OK);
    char *again = format(&resource);
    mwi_resource_fini(&resource);
    free(text);
    return again;
}

/* The digits of the key in the good text, or a part of them, are in no sentence. */
static void check_sentence(const mw_reason *why)
{
    MWT_FUZZ_PROMISE(why->text[0] != '\0');
    MWT_FUZZ_PROMISE(strstr(why->text, "2233") == NULL && strstr(why->text, "ccdd") == NULL &&
                     strstr(why->text, "4567") == NULL);
}

static void check_bytes(const void *data, size_t size)
{
    struct mwi_resource resource;
    mw_reason why = {""};
    char *copy = malloc(size + 1);
    MWT_FUZZ_PROMISE(copy != NULL);
    memcpy(copy, data, size);
    mw_error error = mwi_resource_parse(copy, size, "fuzz", &resource, &why);
    free(copy);
    if (error != MW_OK) {
        check_sentence(&why);
        return;
    }
    /* The first text may contain 300.0 where all later texts contain 300. */
    char *second = format_again(format(&resource));
    char *third = second != NULL ? format_again(strdup(second)) : NULL;
    MWT_FUZZ_PROMISE(second == NULL || third == NULL || strcmp(second, third) == 0);
    mwi_resource_fini(&resource);
    free(second);
    free(third);
}

static void check_changed_file(const uint8_t *changes, size_t size)
{
    char text[sizeof(good_text)];
    memcpy(text, good_text, sizeof(good_text));
    for (size_t i = 0; i + 3 <= size && i < 9; i += 3)
        text[(changes[i] << 8 | changes[i + 1]) % (int)strlen(good_text)] = (char)changes[i + 2];
    check_bytes(text, strlen(good_text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] >= 0x80)
        check_changed_file(data + 1, size - 1);
    else
        check_bytes(data, size);
    return 0;
}

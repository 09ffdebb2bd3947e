/* type_fuzz.c - a label is read the same whatever its case and the spaces round it, what
 * bytes are never depends on what follows the first 4096, and a type's own name is its
 * type. The first line is the label, the rest the bytes. */
#include "media/type.h"
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text rest,
        label = text_cut((struct text){(const char *)data, size}, '\n', &rest);
    const struct media_type *type = media_type_of(label);
    struct text charset = media_charset(label);
    assert(!charset.at || (charset.at >= label.at && charset.len <= label.len));
    assert(!type || media_may_be(type, media_type_of(text_of(type->name))));
    char *loud = malloc(label.len + 3);
    loud[0] = ' ';
    for (size_t i = 0; i < label.len; i++)
        loud[i + 1] = (char)(label.at[i] >= 'a' && label.at[i] <= 'z' ? label.at[i] - 32
                                                                      : label.at[i]);
    assert(media_type_of((struct text){loud, label.len + 1}) == type);
    free(loud);
    if (rest.at) {
        const struct media_type *found = media_sniff(rest);
        assert(found == media_sniff(text_slice(rest, 0, 4096)));
        assert(!found || media_type_of(text_of(found->name)) == found);
    }
    return 0;
}

/* picture_fuzz.c - whatever a child hands out as pictures, what is taken is a picture. */
#include "media/type.h"
#include "tools/picture.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct tool_blob *pictures;
    size_t total = 0;
    int n = pictures_read((struct text){(const char *)data, size}, arena, &pictures);
    assert(n >= 0 && n <= PICTURES_MOST);
    for (int i = 0; i < n; i++) {
        const struct media_type *type = media_type_of(pictures[i].mime_type);
        assert(type && type->kind == MEDIA_IMAGE && pictures[i].bytes.len > 0);
        total += pictures[i].bytes.len;
    }
    assert(total <= size);
    arena_close(arena);
    return 0;
}

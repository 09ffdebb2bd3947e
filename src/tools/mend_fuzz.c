/* mend_fuzz.c - code that was mended needs no mending, and begins as it did. */
#include "tools/mend.h"
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct text source = arena_text(arena, (struct text){(const char *)data, size});
    if (source.at) {
        struct text once = mend_python(source, arena);
        assert(text_same(mend_python(once, arena), once));
        assert(once.len <= source.len + 200 + 1); /* brackets, and a line break */
    }
    arena_close(arena);
    return 0;
}

/* page_fuzz.c: a page token is refused in words, or it is a place whose own token is read
 * as the same place. */
#include "store/page.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct text id, again_id, token = {(const char *)data, size};
    int64_t created = -1, again = -1;
    struct error err = {0};
    if (page_read(token, INT64_MAX, &created, &id, &err)) {
        assert(created >= 0 && (id.len > 0) == (size > 0));
        struct text own = page_token(created, id, arena);
        assert(size == 0 || page_read(own, INT64_MAX, &again, &again_id, &err));
        assert(size == 0 || (again == created && text_same(again_id, id)));
    } else {
        assert(err.code == ERROR_INVALID_ARGUMENT && err.message[0]);
    }
    arena_close(arena);
    return 0;
}

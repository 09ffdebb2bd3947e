/* schema_fuzz.c: whatever can be decoded and is encoded, decodes again, and then encodes
 * to the same bytes. */
#include "json/sample.h"
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err;
    struct sample first, second;
    struct buf out = {0}, again = {0};
    struct arena *arena = arena_open();
    struct text text = {(const char *)data, size};
    if (json_read(&sample_type, text, &first, arena, &err)) {
        json_encode(&sample_type, &first, false, &out);
        assert(text_is_utf8(buf_view(&out)));
        assert(json_read(&sample_type, buf_view(&out), &second, arena, &err));
        json_encode(&sample_type, &second, false, &again);
        assert(text_same(buf_view(&out), buf_view(&again)));
        buf_clear(&again);
        json_encode(&sample_type, &first, true, &again);
        assert(json_read(&sample_type, buf_view(&again), &second, arena, &err));
    } else {
        assert(err.code == ERROR_INVALID_ARGUMENT && err.message[0]);
        assert(text_is_utf8(text_of(err.message)) && text_is_utf8(text_of(err.field)));
    }
    buf_free(&out);
    buf_free(&again);
    arena_close(arena);
    return 0;
}

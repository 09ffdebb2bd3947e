/* reading_fuzz.c - whatever a reader's child says is an error or a reading whose text is
 * framed and whose header is printable. */
#include "media/reading.h"
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct media_reading reading = {0};
    struct error err = {0};
    struct text json = arena_text(arena, (struct text){(const char *)data, size});
    if (reading_of(json, arena, &reading, &err)) {
        assert(text_starts(reading.text, "\n\n[Attached ") &&
               text_ends(reading.text, "]\n\n"));
        assert(text_is_utf8(reading.text) && reading.reader.len > 0);
        for (size_t i = 0; i < reading.reader.len; i++)
            assert(reading.reader.at[i] >= 32 && reading.reader.at[i] < 127);
    } else {
        assert(err.code == ERROR_INVALID_ARGUMENT || err.code == ERROR_INTERNAL);
        assert(err.message[0] && !strchr(err.message, '\n'));
    }
    arena_close(arena);
    return 0;
}

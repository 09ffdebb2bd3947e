/* reading_fuzz.c - whatever a reader's child says is an error or a reading whose text is
 * framed (an image that is seen has none), whose header is printable, and whose pictures
 * stand in the text one behind the other and share all bytes: what is behind the first
 * NUL. */
#include "media/reading.h"
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pictures(const struct media_reading *reading, struct text bytes)
{
    size_t n = 0, at = 0;
    for (int i = 0; i < reading->n_pictures; i++) {
        const struct media_picture *picture = &reading->pictures[i];
        size_t pixels = (size_t)picture->width * (size_t)picture->height;
        assert(picture->width >= 0 && picture->width <= READING_SIDE);
        assert(picture->height >= 0 && picture->height <= READING_SIDE);
        assert(picture->n_samples >= 0 && picture->n_samples <= READING_SAMPLES);
        assert((pixels > 0) != (picture->n_samples > 0));
        assert(picture->bytes.len == pixels * 3 + (size_t)picture->n_samples * 2);
        assert(picture->bytes.at == bytes.at + n);
        assert(picture->at >= at && picture->at <= reading->text.len);
        n += picture->bytes.len;
        at = picture->at;
    }
    assert(n == bytes.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct media_reading reading = {0};
    struct error err = {0};
    struct text all = arena_text(arena, (struct text){(const char *)data, size});
    struct text bytes, json = text_cut(all, '\0', &bytes);
    if (reading_of(json, bytes, arena, &reading, &err)) {
        bool bare = reading.kind == MEDIA_IMAGE && reading.n_pictures == 1;
        assert((bare && reading.text.len == 0) ||
               (text_starts(reading.text, "\n\n[Attached ") &&
                text_ends(reading.text, "]\n\n")));
        check_pictures(&reading, bytes);
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

/* text_fuzz.c: wherever UTF-8 is cut, what text_utf8_pending() keeps back makes the rest
 * whole again; and one character at a time finds what the whole check finds. */
#include "base/text.h"
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t whole_characters(struct text text)
{
    size_t at = 0;
    for (size_t n; (n = text_utf8_char(text_slice(text, at, text.len))) > 0;)
        at += n;
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text text = {(const char *)data, size};
    size_t whole = whole_characters(text);
    assert(text_is_utf8(text) == (whole == size));
    for (size_t cut = 0; cut <= whole; cut++) {
        struct text head = text_slice(text, 0, cut);
        size_t pending = text_utf8_pending(head);
        assert(pending <= 3 && pending <= cut);
        assert(text_is_utf8(text_slice(head, 0, cut - pending)));
        assert((pending == 0) == text_is_utf8(head));
    }
    return 0;
}

/* blocklist_fuzz.c: wherever a text is cut while it grows, the same is found in it; and
 * what was said to be clear has nothing that is listed.
 *
 * Input: one byte that says whether an expression is listed, too; one that says how many
 * cuts follow; the cuts, as distances; the list, which ends with a NUL; the text. Lists
 * with expressions of their own are passed over: those are their owner's business. */
#include "base/buf.h"
#include "chat/blocklist.h"
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool scan_in_pieces(const struct blocklist *list, struct text text,
                           const uint8_t *cuts, size_t n_cuts)
{
    struct blocklist_scan scan = {0};
    size_t at = 0;
    for (size_t i = 0; i < n_cuts && at < text.len; i++) {
        at += cuts[i];
        struct text so_far = text_slice(text, 0, at);
        so_far.len -= text_utf8_pending(so_far);
        if (blocklist_scan(list, so_far, false, &scan))
            return true;
        assert(scan.clear <= so_far.len);
        assert(!blocklist_finds(list, text_slice(text, 0, scan.clear)));
    }
    return blocklist_scan(list, text, true, &scan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size < 2u + data[1])
        return 0;
    size_t n_cuts = data[1];
    struct text text, lines = {(const char *)data + 2 + n_cuts, size - 2 - n_cuts};
    lines = text_cut(lines, '\0', &text);
    if (!text.at || !text_is_utf8(text) || memchr(lines.at, '/', lines.len))
        return 0;
    struct buf file = {0}, copy = {0};
    struct error err;
    buf_text(&copy, text); /* ends in a NUL: the sanitizer looks for one in regexec() */
    text = buf_view(&copy);
    buf_text(&file, lines);
    if (data[0] & 1)
        buf_str(&file, "\n/a+b$/");
    struct blocklist *list = blocklist_read(buf_view(&file), "list", &err);
    if (list) {
        bool found = blocklist_finds(list, text);
        assert(scan_in_pieces(list, text, data + 2, n_cuts) == found);
    } else {
        assert(err.message[0]);
    }
    blocklist_close(list);
    buf_free(&file);
    buf_free(&copy);
    return 0;
}

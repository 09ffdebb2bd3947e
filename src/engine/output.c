#include "engine/output.h"
#include "base/arena.h"
#include <stdint.h>
#include <stdlib.h>

struct output {
    struct arena *arena;
    struct text *stops;
    int n_stops;
    struct buf held; /* not shown yet */
};

struct output *output_open(const struct text *stops, int n_stops)
{
    struct arena *arena = arena_open();
    struct output *output = arena_new(arena, struct output);
    output->arena = arena;
    output->n_stops = n_stops;
    output->stops = arena_array(arena, struct text, (size_t)n_stops);
    for (int i = 0; i < n_stops; i++)
        output->stops[i] = arena_text(arena, stops[i]);
    return output;
}

void output_close(struct output *output)
{
    if (!output)
        return;
    buf_free(&output->held);
    arena_close(output->arena);
}

/* The stop sequence that ends first, the longest of those that end together: where it
 * begins, or SIZE_MAX. Judged by ends, because that is what a reader of single bytes
 * sees. */
static size_t find_stop(const struct output *output)
{
    struct text held = buf_view(&output->held);
    size_t first_end = SIZE_MAX, start = SIZE_MAX;
    for (int i = 0; i < output->n_stops; i++) {
        size_t at = text_find(held, output->stops[i], 0);
        if (at == SIZE_MAX)
            continue;
        size_t end = at + output->stops[i].len;
        if (end < first_end || (end == first_end && at < start)) {
            first_end = end;
            start = at;
        }
    }
    return start;
}

/* How many bytes at the end may still become a stop sequence. */
static size_t stop_begun(const struct output *output)
{
    struct text held = buf_view(&output->held);
    size_t longest = 0;
    for (int i = 0; i < output->n_stops; i++) {
        struct text stop = output->stops[i];
        size_t n = stop.len - 1 < held.len ? stop.len - 1 : held.len;
        for (; n > longest; n--)
            if (memcmp(held.at + held.len - n, stop.at, n) == 0)
                longest = n;
    }
    return longest;
}

/* Bytes that are no UTF-8 come out as U+FFFD each, as they would in the end in JSON. */
static void show(struct text text, struct buf *out)
{
    if (text_is_utf8(text)) {
        buf_text(out, text);
        return;
    }
    for (size_t i = 0, n; i < text.len; i += n ? n : 1) {
        struct text rest = text_slice(text, i, text.len);
        n = text_utf8_char(rest);
        buf_text(out, n ? text_slice(rest, 0, n) : TEXT("\xef\xbf\xbd"));
    }
}

bool output_feed(struct output *output, struct text piece, struct buf *out)
{
    buf_text(&output->held, piece);
    size_t stop = find_stop(output);
    if (stop != SIZE_MAX) {
        show(text_slice(buf_view(&output->held), 0, stop), out);
        buf_clear(&output->held);
        return true;
    }
    size_t hold = stop_begun(output);
    struct text rest = text_slice(buf_view(&output->held), 0, output->held.len - hold);
    rest.len -= text_utf8_pending(rest);
    show(rest, out);
    buf_drop(&output->held, rest.len);
    return false;
}

void output_end(struct output *output, struct buf *out)
{
    show(buf_view(&output->held), out);
    buf_clear(&output->held);
}

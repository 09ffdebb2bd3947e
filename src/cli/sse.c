/* sse.c - lines to events. */
#include "cli/sse.h"

static void add_data(struct sse *sse, struct text value)
{
    if (text_starts(value, " "))
        value = text_slice(value, 1, value.len);
    if (sse->has_data)
        buf_char(&sse->data, '\n');
    buf_text(&sse->data, value);
    sse->has_data = true;
}

static void dispatch(struct sse *sse)
{
    if (sse->has_data && !sse->stopped)
        sse->stopped = !sse->event(buf_view(&sse->data), sse->arg);
    buf_clear(&sse->data);
    sse->has_data = false;
}

static void end_line(struct sse *sse)
{
    struct text value, name = text_cut(buf_view(&sse->line), ':', &value);
    if (sse->line.len == 0)
        dispatch(sse);
    else if (text_is(name, "data"))
        add_data(sse, value.at ? value : TEXT(""));
    buf_clear(&sse->line);
}

/* The bytes before the next CR or LF. */
static struct text plain_bytes(struct text bytes)
{
    size_t n = 0;
    while (n < bytes.len && bytes.at[n] != '\n' && bytes.at[n] != '\r')
        n++;
    return text_slice(bytes, 0, n);
}

bool sse_feed(struct sse *sse, struct text bytes)
{
    while (bytes.len && !sse->stopped) {
        struct text plain = plain_bytes(bytes);
        buf_text(&sse->line, plain);
        if (sse->line.len + sse->data.len > SSE_MOST)
            return false;
        if (plain.len == bytes.len) {
            sse->after_cr = sse->after_cr && plain.len == 0;
            break;
        }
        char end = bytes.at[plain.len];
        bool second_half = end == '\n' && sse->after_cr && plain.len == 0;
        sse->after_cr = end == '\r';
        if (!second_half)
            end_line(sse);
        bytes = text_slice(bytes, plain.len + 1, bytes.len);
    }
    return !sse->stopped;
}

void sse_end(struct sse *sse)
{
    if (sse->line.len)
        end_line(sse);
    dispatch(sse);
    buf_free(&sse->line);
    buf_free(&sse->data);
}

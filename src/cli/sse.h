/* sse.h - finds events in a stream of server-sent events, wherever it is cut.
 *
 * Only `data:` counts: names, ids, comments and retry lines are skipped, as the Gemini
 * API has none that matter. Lines end in LF, CRLF or CR. */
#ifndef POLLUX_CLI_SSE_H
#define POLLUX_CLI_SSE_H

#include "base/buf.h"

/* The data of one event, its lines joined by newlines. False: no more, please. */
typedef bool sse_event(struct text data, void *arg);

struct sse {
    sse_event *event;
    void *arg;
    struct buf line, data; /* of the line and of the event that are not complete yet */
    bool after_cr, has_data, stopped;
};

/* False when the receiver wanted no more, or a line is longer than SSE_MOST. */
enum { SSE_MOST = 64 << 20 };
bool sse_feed(struct sse *sse, struct text bytes);

/* The stream ended: an event whose blank line is missing counts. Frees what sse holds. */
void sse_end(struct sse *sse);

#endif

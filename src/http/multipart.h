/* multipart.h - a body of several parts (multipart/related), taken apart as it arrives.
 *
 * Give it bytes as they come, cut anywhere; it says when a part begins, with its header
 * lines, and gives the part's bytes on. Lines end in CR LF or LF alone. Nothing is kept
 * but what may be the begin of a boundary, and a header. Knows no HTTP and waits for
 * nothing; one thread at a time. */
#ifndef POLLUX_HTTP_MULTIPART_H
#define POLLUX_HTTP_MULTIPART_H

#include "base/buf.h"
#include "base/error.h"

enum {
    MULTIPART_BOUNDARY = 70,                     /* characters at most (RFC 2046) */
    MULTIPART_HEADER = 8192,                     /* bytes of one part's header */
    MULTIPART_HELD = 4 + MULTIPART_BOUNDARY + 4, /* of a part's bytes, held back */
};

struct multipart {
    char mark[4 + MULTIPART_BOUNDARY + 1]; /* "\n--boundary" */
    size_t mark_len;
    enum multipart_state {
        MULTIPART_PREAMBLE,
        MULTIPART_HEADERS,
        MULTIPART_BODY,
        MULTIPART_END,
    } state;
    bool fresh; /* nothing of the part was given yet */
    int n_parts;
    struct buf held;
    /* Both may refuse with false and err, which ends all. Texts are valid in the call. */
    bool (*begin)(void *arg, int part, struct text content_type, struct text encoding,
                  struct error *err);
    bool (*bytes)(void *arg, int part, struct text bytes, struct error *err);
    void *arg;
};

/* Reads the boundary from a Content-Type; the rest of *m is set to nothing. */
bool multipart_open(struct multipart *m, struct text content_type, struct error *err);
void multipart_close(struct multipart *m);

bool multipart_add(struct multipart *m, struct text bytes, struct error *err);

/* Nothing more comes: an error when the last boundary did not. */
bool multipart_finish(const struct multipart *m, struct error *err);

#endif

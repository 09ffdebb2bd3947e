/* upload_head.h - what an upload request asks for, by its header alone.
 *
 * Three protocols share one path. X-Goog-Upload-Protocol: resumable with commands (the
 * SDKs, curl); Google's older media protocol, uploadType=resumable with Content-Range
 * (the legacy Python client); and one request with everything, multipart or raw. */
#ifndef POLLUX_API_UPLOAD_HEAD_H
#define POLLUX_API_UPLOAD_HEAD_H

#include "base/error.h"
#include "base/text.h"
#include <stdint.h>

/* The header's lines and query's values, absent where there are none. */
struct upload_lines {
    struct text method, content_type, content_range;
    struct text upload_id, upload_type, upload_protocol; /* of the query */
    struct text protocol, command, offset;               /* X-Goog-Upload-... */
    struct text told_length, told_type, file_name;       /* ...-Header-..., -File-Name */
    struct text media_length, media_type;                /* X-Upload-Content-... */
    int64_t length;                                      /* of the body; -1: not told */
};

enum upload_verb {
    UPLOAD_START,     /* a session; the body is its metadata */
    UPLOAD_PIECE,     /* bytes of a session, maybe the last, maybe none */
    UPLOAD_QUERY,     /* how far is it? */
    UPLOAD_CANCEL,    /* drop it */
    UPLOAD_RAW,       /* the body is the file */
    UPLOAD_MULTIPART, /* metadata and file */
};

struct upload_head {
    enum upload_verb verb;
    bool media;     /* the older protocol: it answers in its own way */
    bool adds;      /* the body is bytes; otherwise there must be none */
    bool finishes;  /* with this piece; media: when its last byte is */
    int64_t offset; /* of a piece */
    int64_t total;  /* as Content-Range tells; -1: it does not */
    int64_t size;   /* of a whole file, as a start or a raw body tells; -1 */
    struct text mime_type, file_name; /* absent */
};

bool upload_head_read(const struct upload_lines *lines, struct upload_head *head,
                      struct error *err);

/* "bytes 0-10/11", with * for a total that is not known or for no piece: from, end (0:
 * no piece), and the total or -1. */
bool upload_range_read(struct text range, int64_t *from, int64_t *end, int64_t *total);

#endif

/* upload_head.c - what an upload request asks for, by its header alone. */
#include "api/upload_head.h"

/* Absent is -1. */
static bool read_told(struct text value, const char *name, int64_t *number,
                      struct error *err)
{
    *number = -1;
    return !value.at || text_number(text_trim(value), number) ||
           error_set(err, ERROR_INVALID_ARGUMENT, "%s must be a number of bytes.", name);
}

/* ---- Content-Range ---- */

bool upload_range_read(struct text range, int64_t *from, int64_t *end, int64_t *total)
{
    struct text all, last;
    range = text_trim(range);
    *from = *end = 0;
    *total = -1;
    if (!text_is_nocase(text_slice(range, 0, 6), "bytes "))
        return false;
    struct text piece =
        text_trim(text_cut(text_trim(text_slice(range, 6, range.len)), '/', &all));
    all = text_trim(all);
    if (!text_is(all, "*") && !text_number(all, total))
        return false;
    if (text_is(piece, "*"))
        return true;
    struct text first = text_cut(piece, '-', &last);
    if (!text_number(first, from) || !text_number(last, end) || *end < *from)
        return false;
    ++*end;
    return *total < 0 || *end <= *total;
}

/* ---- X-Goog-Upload-Command ---- */

enum { ADDS = 1, FINISHES = 2, STARTS = 4, QUERIES = 8, CANCELS = 16 };

static const struct {
    const char *name;
    unsigned bit;
} commands[] = {
    {"upload", ADDS},   {"finalize", FINISHES}, {"start", STARTS},
    {"query", QUERIES}, {"cancel", CANCELS},
};

static bool read_commands(struct text list, unsigned *bits, struct error *err)
{
    *bits = 0;
    while (list.len) {
        struct text one = text_trim(text_cut(list, ',', &list));
        unsigned bit = 0;
        for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
            if (text_is_nocase(one, commands[i].name))
                bit = commands[i].bit;
        if (!bit)
            return error_set(err, ERROR_INVALID_ARGUMENT,
                             "'%.*s' is not a command of X-Goog-Upload-Command.",
                             TEXT_ARG(text_slice(one, 0, 50)));
        *bits |= bit;
    }
    return true;
}

/* ---- requests to a session ---- */

static bool read_goog_piece(const struct upload_lines *lines, struct upload_head *head,
                            struct error *err)
{
    unsigned bits;
    if (!read_commands(lines->command, &bits, err))
        return false;
    head->verb = bits == QUERIES   ? UPLOAD_QUERY
                 : bits == CANCELS ? UPLOAD_CANCEL
                                   : UPLOAD_PIECE;
    if (head->verb != UPLOAD_PIECE)
        return true;
    if (bits == 0 || bits & ~(unsigned)(ADDS | FINISHES))
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "The commands for a begun upload are upload, finalize, both, "
                         "query or cancel; not '%.*s'.",
                         TEXT_ARG(text_slice(lines->command, 0, 60)));
    head->adds = (bits & ADDS) != 0;
    head->finishes = (bits & FINISHES) != 0;
    if (!read_told(lines->offset, "X-Goog-Upload-Offset", &head->offset, err))
        return false;
    return !head->adds || head->offset >= 0 ||
           error_set(err, ERROR_INVALID_ARGUMENT,
                     "X-Goog-Upload-Offset is missing: where the bytes belong.");
}

static bool read_media_piece(const struct upload_lines *lines, struct upload_head *head,
                             struct error *err)
{
    int64_t end = 0;
    head->media = head->adds = head->finishes = true;
    head->offset = 0;
    if (!lines->content_range.at)
        return true; /* all of it */
    if (!upload_range_read(lines->content_range, &head->offset, &end, &head->total))
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "Content-Range must be like bytes 0-10/11 or bytes */11.");
    if (end == 0) {
        head->verb = UPLOAD_QUERY;
        head->adds = false;
        return true;
    }
    head->finishes = end == head->total;
    return lines->length < 0 || lines->length == end - head->offset ||
           error_set(err, ERROR_INVALID_ARGUMENT,
                     "Content-Range tells %lld bytes, and Content-Length %lld.",
                     (long long)(end - head->offset), (long long)lines->length);
}

static bool read_session(const struct upload_lines *lines, struct upload_head *head,
                         struct error *err)
{
    head->verb = UPLOAD_PIECE;
    if (text_is(lines->method, "DELETE")) {
        head->verb = UPLOAD_CANCEL;
        head->media = true;
        return true;
    }
    return (lines->command.len ? read_goog_piece : read_media_piece)(lines, head, err);
}

/* ---- requests that begin something ---- */

static bool read_start(const struct upload_lines *lines, struct upload_head *head,
                       struct error *err)
{
    unsigned bits;
    if (!read_commands(lines->command, &bits, err))
        return false;
    head->verb = UPLOAD_START;
    head->media = !lines->command.at;
    if (bits != STARTS && lines->command.at)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "An upload begins with X-Goog-Upload-Command: start; for other "
                         "commands the URL that this answers is missing.");
    head->mime_type = lines->told_type.len ? lines->told_type : lines->media_type;
    return read_told(lines->told_length.at ? lines->told_length : lines->media_length,
                     "The length of the upload", &head->size, err);
}

static bool is_multipart(struct text type)
{
    return text_is_nocase(text_slice(type, 0, 10), "multipart/");
}

static bool read_begin(const struct upload_lines *lines, struct upload_head *head,
                       struct error *err)
{
    struct text how = lines->protocol.len      ? lines->protocol
                      : lines->upload_type.len ? lines->upload_type
                                               : lines->upload_protocol;
    head->file_name = lines->file_name;
    if (text_is_nocase(how, "resumable"))
        return read_start(lines, head, err);
    head->adds = head->finishes = true;
    if (text_is_nocase(how, "multipart") ||
        (!how.len && is_multipart(lines->content_type))) {
        head->verb = UPLOAD_MULTIPART;
        return is_multipart(lines->content_type) ||
               error_set(err, ERROR_INVALID_ARGUMENT,
                         "A multipart upload has the Content-Type multipart/related.");
    }
    if (!text_is_nocase(how, "raw") && !text_is_nocase(how, "media"))
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "Say how the file comes: X-Goog-Upload-Protocol (or uploadType) "
                         "resumable, multipart or raw (media).");
    head->verb = UPLOAD_RAW;
    head->size = lines->length;
    head->mime_type = lines->told_type.len ? lines->told_type : lines->content_type;
    return true;
}

bool upload_head_read(const struct upload_lines *lines, struct upload_head *head,
                      struct error *err)
{
    *head = (struct upload_head){.offset = -1, .total = -1, .size = -1};
    return (lines->upload_id.at ? read_session : read_begin)(lines, head, err);
}

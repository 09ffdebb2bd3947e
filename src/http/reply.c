/* reply.c - answers: whole, or streams that grow.
 *
 * MHD asks for a stream's bytes when the socket takes some; what was written meanwhile
 * lies in `out`, so many small writes of one loop turn leave as one chunk. When there is
 * nothing to give, the connection is suspended and the next write resumes it. A stream is
 * not compressed: deflate would hold tokens back. */
#include "http/request.h"
#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    PACKET = 1400,          /* a body that fits in one is not made smaller */
    GZIP_MOST = 256 * 1024, /* a longer body would hold up every other client */
    GZIP_LEVEL = 1,
    BUFFER_KEPT = 256 * 1024, /* of a stream, once it was sent */
    SHIFT_LEAST = 64 * 1024,
    BLOCK = 4096,            /* HTTP/1.0 only: chunks use the connection's own memory */
    LARGE_BLOCK = 64 * 1024, /* of an answer whose length is told */
};

struct header {
    const char *name, *value;
    struct header *next;
};

void http_set(struct http_request *public, const char *name, const char *value)
{
    struct request *rq = request_of(public);
    struct header *header = arena_new(public->arena, struct header);
    header->name = arena_text(public->arena, text_of(name)).at;
    header->value = arena_text(public->arena, text_of(value)).at;
    *rq->last_header = header;
    rq->last_header = &header->next;
}

static bool is_set(const struct request *rq, const char *name)
{
    for (const struct header *h = rq->headers; h; h = h->next)
        if (text_is_nocase(text_of(h->name), name))
            return true;
    return false;
}

static void send_reply(struct request *rq, int status, struct MHD_Response *response)
{
    assert(response);
    for (const struct header *h = rq->headers; h; h = h->next)
        MHD_add_response_header(response, h->name, h->value);
    if (rq->connection->server->quiet)
        MHD_add_response_header(response, "Connection", "close");
    rq->public.status = status;
    MHD_queue_response(rq->connection->mhd, (unsigned)status, response);
    MHD_destroy_response(response);
    request_resume(rq);
}

/* Compression. */

/* What is not text in some way is compressed already. */
static bool is_worth_gzip(const struct request *rq, const char *type, size_t len)
{
    static const char *const kinds[] = {"text/", "json", "javascript", "xml"};
    if (!type || len <= PACKET || len > GZIP_MOST || is_set(rq, "Content-Encoding"))
        return false;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strstr(type, kinds[i]))
            return true;
    return false;
}

/* "gzip;q=0" refuses it. */
static bool is_wanted(struct text parameters)
{
    struct text q = text_trim(parameters);
    if (!text_starts(q, "q=") && !text_starts(q, "Q="))
        return true;
    for (size_t i = 2; i < q.len; i++)
        if (q.at[i] >= '1' && q.at[i] <= '9')
            return true;
    return false;
}

static bool takes_gzip(const struct request *rq)
{
    struct text rest = http_header(&rq->public, "Accept-Encoding");
    while (rest.len) {
        struct text parameters;
        struct text item = text_cut(rest, ',', &rest);
        struct text name = text_trim(text_cut(item, ';', &parameters));
        if (text_is_nocase(name, "gzip"))
            return is_wanted(parameters);
    }
    return false;
}

static z_stream *open_gzip(struct http_server *server)
{
    if (server->gzip) {
        deflateReset(server->gzip);
        return server->gzip;
    }
    z_stream *stream = mem_alloc(sizeof(*stream));
    const int with_gzip_header = 15 + 16;
    if (deflateInit2(stream, GZIP_LEVEL, Z_DEFLATED, with_gzip_header, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        free(stream);
        return NULL;
    }
    return server->gzip = stream;
}

void reply_close_gzip(struct http_server *server)
{
    if (server->gzip)
        deflateEnd(server->gzip);
    free(server->gzip);
}

static bool compress_body(struct request *rq, struct text body)
{
    z_stream *stream = open_gzip(rq->connection->server);
    if (!stream)
        return false;
    size_t bound = deflateBound(stream, body.len);
    stream->next_in = (Bytef *)body.at;
    stream->avail_in = (uInt)body.len;
    stream->next_out = (Bytef *)buf_reserve(&rq->out, bound);
    stream->avail_out = (uInt)bound;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END)
        return false;
    rq->out.len = stream->total_out;
    return true;
}

void reply_headers(const struct request *rq, struct buf *to)
{
    for (const struct header *h = rq->headers; h; h = h->next)
        buf_printf(to, "%s: %s\r\n", h->name, h->value);
}

/* Whole answers. */

/* MHD takes none while the body arrives. */
static void reply_later(struct request *rq, int status, const char *content_type,
                        struct text body)
{
    rq->early = status;
    buf_text(&rq->out, body);
    if (content_type)
        http_set(&rq->public, "Content-Type", content_type);
    request_resume(rq);
}

void reply_early(struct request *rq)
{
    rq->progress = WHOLE;
    send_reply(
        rq, rq->early,
        MHD_create_response_from_buffer(rq->out.len, rq->out.at, MHD_RESPMEM_PERSISTENT));
}

void http_reply(struct http_request *public, int status, const char *content_type,
                struct text body)
{
    struct request *rq = request_of(public);
    if (rq->progress == RECEIVED && !rq->early) {
        reply_later(rq, status, content_type, body);
        return;
    }
    if (rq->progress != OPEN) {
        assert(rq->progress == CUT); /* or this is the second reply */
        return;
    }
    rq->progress = WHOLE;
    bool compressed = false;
    if (is_worth_gzip(rq, content_type, body.len)) {
        compressed = takes_gzip(rq) && compress_body(rq, body);
        http_set(public, "Vary", "Accept-Encoding");
    }
    if (compressed)
        http_set(public, "Content-Encoding", "gzip");
    else
        buf_text(&rq->out, body);
    if (content_type)
        http_set(public, "Content-Type", content_type);
    send_reply(
        rq, status,
        MHD_create_response_from_buffer(rq->out.len, rq->out.at, MHD_RESPMEM_PERSISTENT));
}

/* Streams. */

/* MHD 0.9.75 forgets a connection that its content reader ends: it is closed but not
 * cleaned up until a time-out. One that was suspended is looked at again when it is
 * resumed. */
static ssize_t close_from_reader(struct request *rq, ssize_t how)
{
    MHD_suspend_connection(rq->connection->mhd);
    MHD_resume_connection(rq->connection->mhd);
    rq->connection->server->ready = true;
    return how;
}

static void forget_read(struct request *rq)
{
    if (rq->n_read == rq->out.len) {
        rq->n_read = 0;
        if (rq->out.room > BUFFER_KEPT)
            buf_free(&rq->out);
        else
            buf_clear(&rq->out);
    } else if (rq->n_read >= SHIFT_LEAST && rq->n_read >= rq->out.len / 2) {
        buf_drop(&rq->out, rq->n_read);
        rq->n_read = 0;
    }
}

static ssize_t read_stream(void *arg, uint64_t position, char *to, size_t most)
{
    (void)position;
    struct request *rq = arg;
    size_t n = rq->out.len - rq->n_read;
    if (n > 0) {
        if (n > most)
            n = most;
        memcpy(to, rq->out.at + rq->n_read, n);
        rq->n_read += n;
        rq->public.n_sent += (int64_t)n;
        forget_read(rq);
        return (ssize_t)n;
    }
    if (rq->progress == CUT)
        return close_from_reader(rq, MHD_CONTENT_READER_END_WITH_ERROR);
    if (rq->progress == STREAM && rq->public.drained)
        rq->public.drained(&rq->public);
    if (rq->out.len > rq->n_read)
        return read_stream(arg, position, to, most);
    if (rq->progress == ENDED && rq->until_close)
        return close_from_reader(rq, MHD_CONTENT_READER_END_OF_STREAM);
    if (rq->progress == ENDED)
        return MHD_CONTENT_READER_END_OF_STREAM;
    request_suspend(rq);
    return 0;
}

static void begin_stream(struct http_request *public, int status,
                         const char *content_type, uint64_t length, size_t block)
{
    struct request *rq = request_of(public);
    /* MHD 0.9.75 would end a HEAD's answer with an empty chunk. */
    if (rq->progress != OPEN || text_is(public->method, "HEAD")) {
        http_reply(public, status, content_type, TEXT(""));
        return;
    }
    rq->progress = STREAM;
    if (content_type)
        http_set(public, "Content-Type", content_type);
    send_reply(rq, status,
               MHD_create_response_from_callback(length, block, read_stream, rq, NULL));
}

void http_stream(struct http_request *public, int status, const char *content_type)
{
    begin_stream(public, status, content_type, MHD_SIZE_UNKNOWN, BLOCK);
}

void http_stream_of(struct http_request *public, int status, const char *content_type,
                    int64_t length)
{
    begin_stream(public, status, content_type, (uint64_t)length, LARGE_BLOCK);
}

void http_write(struct http_request *public, struct text bytes)
{
    struct request *rq = request_of(public);
    if (rq->progress != STREAM || bytes.len == 0)
        return;
    int64_t unsent = (int64_t)(rq->out.len - rq->n_read);
    int64_t limit = rq->connection->server->options.stream_limit;
    if (unsent > 0 && unsent + (int64_t)bytes.len > limit) {
        request_lose(rq);
        return;
    }
    buf_text(&rq->out, bytes);
    request_resume(rq);
}

static void finish(struct request *rq, enum progress how)
{
    rq->progress = how;
    request_resume(rq);
}

void http_end(struct http_request *public)
{
    struct request *rq = request_of(public);
    if (rq->progress == STREAM)
        finish(rq, ENDED);
}

void http_drop(struct http_request *public)
{
    struct request *rq = request_of(public);
    if (rq->given && rq->progress == RECEIVED) {
        shutdown(rq->connection->fd, SHUT_RDWR); /* MHD sees it, and request_over comes */
        request_resume(rq);
    } else if (rq->progress == OPEN || rq->progress == STREAM)
        finish(rq, CUT);
}

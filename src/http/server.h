/* server.h - HTTP/1.1 requests in, replies and streams out, on the loop's thread.
 *
 * libmicrohttpd does the protocol; its epoll descriptor is one watch of our loop. A
 * request is handed over once its body is complete; the handler answers at once or later,
 * whole or as a stream. Or, where `arrive` asks for it, its body is given away in pieces
 * as they come and nothing of it is kept; who cannot take more lets the client wait. A
 * connection whose answer is not ready is suspended, and its socket watched for the
 * peer's hang-up, so a client that goes away is noticed within milliseconds in streaming
 * and in plain calls alike.
 *
 * It refuses to know: JSON, keys, routes, what an answer means. What it must refuse
 * itself it phrases with the `refuse` callback, so that those errors, too, have the API's
 * shape: a target with a NUL in it or a body of unclear length (400), a body that is too
 * large (413) or took too long to arrive (408), a header that is too large (431). What is
 * not HTTP at all, and a header of more than some 28 KB, libmicrohttpd answers with a
 * page of its own.
 *
 * A client that closes its sending side before its answer is complete counts as gone.
 *
 * Everything here is called on the loop's thread. A request lives until its `done` was
 * called: exactly once, when the last byte was handed to the kernel or the client was
 * gone. Its arena is closed right after. */
#ifndef POLLUX_HTTP_SERVER_H
#define POLLUX_HTTP_SERVER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/loop.h"

struct http_server;

struct http_request {
    struct arena *arena; /* the request's; closed after done() */
    struct text method;  /* "GET" */
    struct text path;    /* percent-decoded, without the query */
    struct text body;    /* complete; empty for none */
    struct text peer;    /* "127.0.0.1:5000" */
    int64_t since_us;    /* now_us() when its header was complete */
    int status;          /* of the reply; 0 until there is one */
    int64_t n_sent;      /* bytes of body written so far */
    int64_t length;      /* of the body, as the header tells; -1: it does not (chunks) */

    /* The handler may set these. gone: the client hung up before the answer was complete
     * (called at most once, before done; do not reply any more). done: see above. */
    void (*gone)(struct http_request *rq);
    void (*done)(struct http_request *rq);
    void *user;

    /* Set by `arrive`, and only there: the body is not collected but given to this. It
     * returns how many of the bytes it took; when that is not all, no more come, and the
     * client is held up by TCP, until http_more. Called with an absent text when the body
     * is complete. An error may be replied before that: then what still comes of the
     * body is thrown away. */
    size_t (*take)(struct http_request *rq, struct text bytes);

    /* Set before http_stream: all that was written has left; write on, now or later. */
    void (*drained)(struct http_request *rq);
};

struct http_options {
    const char *host;     /* "127.0.0.1", "::1", "0.0.0.0" */
    int port;             /* 0: any free one; http_server_port tells */
    int64_t body_limit;   /* bytes; a longer body is refused with 413 */
    int idle_timeout_s;   /* a header must be complete so long after the connection was
                           * opened or the last answer ended; a body may take a second
                           * more for each KB; an answer may take for ever */
    int64_t stream_limit; /* unsent bytes of one stream; a write that finds some and would
                           * go beyond is the end: the client is too slow and is dropped
                           * (gone is called). What is written in one turn of the loop is
                           * sent after it, so a burst counts whole. */
    int max_connections;

    /* NULL, or called for each request when its header is complete, before any byte of
     * its body: may set rq->take. Then body_limit is not for it, the handler is not
     * called for it, and gone and done are called even when its body was not complete. */
    void (*arrive)(struct http_request *rq, void *arg);
};

/* Called for each complete request. Must reply now or keep rq and reply later. */
typedef void http_handler(struct http_request *rq, void *arg);

/* Fills `body` with an error reply, which is JSON, for what the server itself refuses. */
typedef void http_refuser(int status, const char *why, struct buf *body, void *arg);

struct http_server *http_server_open(struct loop *loop,
                                     const struct http_options *options,
                                     http_handler *handle, http_refuser *refuse,
                                     void *arg, struct error *err);
int http_server_port(const struct http_server *server);
int http_server_connections(const struct http_server *server);

/* Stops accepting. Requests in hand go on; http_server_connections falls to 0. */
void http_server_quiesce(struct http_server *server);

/* Breaks off what is left: gone and done are called. The loop must not run any more. */
void http_server_close(struct http_server *server);

/* Absent text when the request has none. Header names in any case. A query value is
 * decoded (+ and %XX); `name` is compared with the decoded key. */
struct text http_header(const struct http_request *rq, const char *name);
struct text http_query(const struct http_request *rq, const char *name);

/* Adds a header to the coming reply; before http_reply or http_stream. */
void http_set(struct http_request *rq, const char *name, const char *value);

/* More of the body can be taken: rq->take will be called with the rest. */
void http_more(struct http_request *rq);

/* The whole answer. The body is copied, or compressed: text of more than one network
 * packet and at most 256 KB, for a client that takes gzip. */
void http_reply(struct http_request *rq, int status, const char *content_type,
                struct text body);

/* An answer that grows: begin, any number of writes, end. Writes never block and may be
 * called after the client is gone (they do nothing). It is not compressed, which would
 * delay it. http_drop sends what was written and breaks the connection without ending the
 * answer; before http_stream it closes without any. */
void http_stream(struct http_request *rq, int status, const char *content_type);

/* The same with a length that is told before; so much must be written, no more. */
void http_stream_of(struct http_request *rq, int status, const char *content_type,
                    int64_t length);
void http_write(struct http_request *rq, struct text bytes);
void http_end(struct http_request *rq);
void http_drop(struct http_request *rq);

#endif

/* request.c - one request: received, handed over, left alone until it is answered.
 *
 * MHD does not look at a suspended connection. So our loop watches every socket, for the
 * hang-up only: bytes of a next, pipelined request stay unread. A client that shuts down
 * its sending side counts as gone; there is no telling the two apart before writing. The
 * watch ends before MHD closes the socket, so the number that we watch cannot have got a
 * new owner.
 *
 * MHD takes a reply before the body or after it, not while it arrives. So what we refuse
 * is answered past MHD, on the socket, and MHD told to close. */
#include "http/request.h"
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
    HEADER_MOST = 16 * 1024,
    SWALLOW_MOST = 16 << 20, /* bytes of a body that nobody wants; then we hang up */
};

struct request *request_of(struct http_request *rq)
{
    return (struct request *)rq;
}

/* Rest and go on. */

void request_resume(struct request *rq)
{
    if (!rq->suspended)
        return;
    rq->suspended = false;
    MHD_resume_connection(rq->connection->mhd);
    rq->connection->server->ready = true;
}

void request_lose(struct request *rq)
{
    rq->progress = CUT;
    buf_free(&rq->out);
    rq->n_read = 0;
    if (rq->public.gone)
        rq->public.gone(&rq->public);
    shutdown(rq->connection->fd, SHUT_RDWR); /* wakes MHD when it waits to write */
    request_resume(rq);
}

static void on_hang_up(void *arg, uint32_t events)
{
    (void)events;
    struct connection *connection = arg;
    struct request *rq = connection->request;
    connection_unwatch(connection); /* or it would be told again and again */
    connection->hung_up = connection->server->hung_up = true;
    if (rq && (rq->progress == OPEN || rq->progress == STREAM))
        request_lose(rq); /* else the answer is complete, and MHD sees how far it gets */
}

void connection_watch(struct connection *connection)
{
    if (!connection->watch)
        connection->watch = loop_watch(connection->server->loop, connection->fd,
                                       EPOLLRDHUP, on_hang_up, connection);
}

void connection_unwatch(struct connection *connection)
{
    loop_unwatch(connection->server->loop, connection->watch);
    connection->watch = NULL;
}

void request_suspend(struct request *rq)
{
    rq->suspended = true;
    MHD_suspend_connection(rq->connection->mhd);
    /* If it was told before there was anyone to tell: it will be told again. */
    connection_watch(rq->connection);
}

/* Receiving. */

/* Whether the target holds a NUL, by whatever way: it would end the path too early. MHD
 * puts one where the target ends; the version follows. */
void *request_target(void *arg, const char *target, struct MHD_Connection *mhd)
{
    (void)arg;
    (void)mhd;
    static char bad;
    bool whole = memcmp(target + strlen(target) + 1, "HTTP/", 5) == 0;
    return whole && !strstr(target, "%00") ? NULL : &bad;
}

/* `headers` are whole lines. */
static enum MHD_Result write_past(struct connection *connection, int status,
                                  struct text headers, struct text body)
{
    struct buf reply = {0};
    buf_printf(&reply, "HTTP/1.1 %d %s\r\nConnection: close\r\n", status,
               MHD_get_reason_phrase_for((unsigned)status));
    buf_text(&reply, headers);
    buf_printf(&reply, "Content-Length: %zu\r\n\r\n", body.len);
    buf_text(&reply, body);
    send(connection->fd, reply.at, reply.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    connection->refused = true;
    buf_free(&reply);
    return MHD_NO; /* to MHD: close */
}

enum MHD_Result request_refuse(struct connection *connection, int status, const char *why)
{
    struct http_server *server = connection->server;
    struct buf body = {0};
    server->refuse(status, why, &body, server->arg);
    enum MHD_Result close = write_past(
        connection, status,
        TEXT("Content-Type: application/json; charset=UTF-8\r\n"
             "Access-Control-Allow-Origin: *\r\n"), /* or a browser hides why */
        buf_view(&body));
    buf_free(&body);
    return close;
}

static const char *find_header(struct MHD_Connection *mhd, const char *name)
{
    return MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, name);
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
        ->socket_context;
}

/* The status to refuse the request with for its header alone, or 0. */
static int check_header(struct connection *connection, const char **why)
{
    const char *coding = find_header(connection->mhd, "Transfer-Encoding");
    const char *length = find_header(connection->mhd, "Content-Length");
    const union MHD_ConnectionInfo *size =
        MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (size && size->header_size > HEADER_MOST) {
        *why = "The request header is too large.";
        return MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;
    }
    if (coding && (length || !text_is_nocase(text_of(coding), "chunked"))) {
        *why = "The length of the request body cannot be told from its header.";
        return MHD_HTTP_BAD_REQUEST;
    }
    return 0;
}

/* -1: it is not told. What does not fit is as good as too much. */
static int64_t told_length(struct MHD_Connection *mhd)
{
    const char *length = find_header(mhd, "Content-Length");
    if (!length)
        return find_header(mhd, "Transfer-Encoding") ? -1 : 0;
    unsigned long long n = strtoull(length, NULL, 10);
    return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

/* Lets the owner see the header; its body may be refused for its length, or an answer
 * may be ready before the client, which waits to be asked for it, has sent any. */
static enum MHD_Result greet(struct request *rq)
{
    const struct http_server *server = rq->connection->server;
    const char *expect = find_header(rq->connection->mhd, "Expect");
    if (server->options.arrive)
        server->options.arrive(&rq->public, server->arg);
    rq->given = rq->public.take != NULL;
    if (!rq->given && rq->public.length > server->options.body_limit)
        return request_refuse(rq->connection, MHD_HTTP_CONTENT_TOO_LARGE,
                              "The request body is too large.");
    if (rq->early && expect && text_is_nocase(text_of(expect), "100-continue"))
        reply_early(rq);
    return MHD_YES;
}

static enum MHD_Result begin_request(struct connection *connection, const char *path,
                                     const char *method, const char *version, void **slot)
{
    const char *why = "The request target is malformed.";
    int status = *slot ? MHD_HTTP_BAD_REQUEST : check_header(connection, &why);
    *slot = NULL;
    if (status)
        return request_refuse(connection, status, why);
    struct arena *arena = arena_open();
    struct request *rq = arena_new(arena, struct request);
    rq->public = (struct http_request){
        .arena = arena,
        .method = text_of(method),
        .path = text_of(path),
        .body = TEXT(""),
        .peer = text_of(connection->peer),
        .since_us = now_us(),
        .length = told_length(connection->mhd),
    };
    rq->connection = connection;
    rq->until_close = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
    rq->last_header = &rq->headers;
    connection->request = rq;
    *slot = rq;
    return greet(rq);
}

/* Of a body that has its answer already. Replying to a client that still sends and
 * hanging up may lose it the answer, so little is waited for. */
static enum MHD_Result swallow(struct request *rq, size_t *len)
{
    int64_t rest = rq->public.length - rq->n_body;
    rq->n_body += (int64_t)*len;
    rq->n_thrown += (int64_t)*len;
    *len = 0;
    if (rest <= SWALLOW_MOST && rq->n_thrown <= SWALLOW_MOST)
        return MHD_YES;
    struct buf headers = {0};
    reply_headers(rq, &headers);
    enum MHD_Result close =
        write_past(rq->connection, rq->early, buf_view(&headers), buf_view(&rq->out));
    rq->public.status = rq->early;
    buf_free(&headers);
    return close;
}

static enum MHD_Result give_body(struct request *rq, const char *bytes, size_t *len)
{
    size_t n = rq->early ? 0 : rq->public.take(&rq->public, (struct text){bytes, *len});
    rq->n_body += (int64_t)n;
    *len -= n;
    if (rq->early)
        return swallow(rq, len);
    if (*len > 0)
        request_suspend(rq);
    return MHD_YES;
}

void http_more(struct http_request *public)
{
    struct request *rq = request_of(public);
    if (rq->progress == RECEIVED)
        request_resume(rq);
}

static enum MHD_Result take_body(struct request *rq, const char *bytes, size_t *len)
{
    struct connection *connection = rq->connection;
    if (rq->given)
        return give_body(rq, bytes, len);
    if ((int64_t)(rq->body.len + *len) > connection->server->options.body_limit)
        return request_refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE,
                              "The request body is too large.");
    buf_add(&rq->body, bytes, *len);
    rq->n_body += (int64_t)*len;
    *len = 0;
    return MHD_YES;
}

/* Called when the request is complete, and again if it was resumed without an answer. */
static enum MHD_Result hand_over(struct request *rq)
{
    struct http_server *server = rq->connection->server;
    if (rq->progress != RECEIVED)
        return MHD_NO;
    if (rq->early) {
        reply_early(rq);
        return MHD_YES;
    }
    rq->progress = OPEN;
    rq->public.body = buf_view(&rq->body);
    if (rq->given)
        rq->public.take(&rq->public, (struct text){0});
    else
        server->handle(&rq->public, server->arg);
    if (rq->progress == OPEN)
        request_suspend(rq);
    bool unanswered = rq->progress == CUT && rq->public.status == 0;
    return unanswered ? MHD_NO : MHD_YES;
}

enum MHD_Result request_arrived(void *arg, struct MHD_Connection *mhd, const char *path,
                                const char *method, const char *version,
                                const char *bytes, size_t *len, void **slot)
{
    (void)arg;
    struct connection *connection = connection_of(mhd);
    if (!connection->request)
        return begin_request(connection, path, method, version, slot);
    if (bytes) /* none of them, maybe: that is not the end yet */
        return take_body(connection->request, bytes, len);
    return hand_over(connection->request);
}

void request_over(void *arg, struct MHD_Connection *mhd, void **slot,
                  enum MHD_RequestTerminationCode how)
{
    (void)arg;
    struct connection *connection = connection_of(mhd);
    struct request *rq = connection->request;
    *slot = NULL;
    connection->waiting_us = now_us();
    if (!rq)
        return;
    if (how == MHD_REQUEST_TERMINATED_COMPLETED_OK && rq->progress == WHOLE)
        rq->public.n_sent = (int64_t)rq->out.len;
    if (rq->progress != RECEIVED || rq->given) {
        bool lost = how != MHD_REQUEST_TERMINATED_COMPLETED_OK && rq->progress != CUT;
        rq->progress = CUT;
        if (lost && rq->public.gone)
            rq->public.gone(&rq->public);
        if (rq->public.done)
            rq->public.done(&rq->public);
    }
    connection->request = NULL;
    buf_free(&rq->body);
    buf_free(&rq->out);
    arena_close(rq->public.arena);
}

struct text http_header(const struct http_request *public, const char *name)
{
    const struct request *rq = (const struct request *)public;
    return text_of(find_header(rq->connection->mhd, name));
}

struct lookup {
    struct text name, value;
};

static enum MHD_Result match(void *arg, enum MHD_ValueKind kind, const char *name,
                             size_t name_len, const char *value, size_t value_len)
{
    (void)kind;
    struct lookup *lookup = arg;
    if (!text_same(lookup->name, (struct text){name, name_len}))
        return MHD_YES;
    lookup->value = value ? (struct text){value, value_len} : TEXT("");
    return MHD_NO;
}

/* Not MHD's own look-up, which takes names in any case. */
struct text http_query(const struct http_request *public, const char *name)
{
    const struct request *rq = (const struct request *)public;
    struct lookup lookup = {.name = text_of(name)};
    MHD_get_connection_values_n(rq->connection->mhd, MHD_GET_ARGUMENT_KIND, match,
                                &lookup);
    return lookup.value;
}

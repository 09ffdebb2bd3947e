/* scene.h - for tests: the server over real sockets.
 *
 * The server has a loop on a thread of its own; the test is the client. What the handler
 * does is chosen by the path. At the end of every test each request that was handed over
 * must have been done exactly once. */
#ifndef POLLUX_HTTP_SCENE_H
#define POLLUX_HTTP_SCENE_H

#include "http/server.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { BODY_LIMIT = 1024 * 1024, STREAM_LIMIT = 256 * 1024, N_LINES = 2000 };

static struct loop *loop;
static struct http_server *server;
static int port;
static pthread_t thread;
static atomic_int n_handled, n_gone, n_done, n_connections;
static _Atomic int64_t gone_us, n_sent;

/* The handler, on the loop's thread. */

struct job {
    struct http_request *rq;
    struct timer *timer;
    int line;
};

static inline void tick(struct job *job, int64_t ms, void (*due)(void *arg))
{
    job->timer = loop_after(loop, ms, due, job);
}

static inline int64_t number(const struct http_request *rq, const char *name,
                             int64_t otherwise)
{
    struct text value = http_query(rq, name);
    return value.at ? strtoll(value.at, NULL, 10) : otherwise;
}

static inline void on_gone(struct http_request *rq)
{
    struct job *job = rq->user;
    loop_cancel(loop, job->timer);
    job->timer = NULL;
    gone_us = now_us();
    n_gone++;
    http_write(rq, TEXT("into the void"));
    http_end(rq);
}

static inline void on_done(struct http_request *rq)
{
    struct job *job = rq->user;
    loop_cancel(loop, job->timer);
    n_sent = rq->n_sent;
    n_done++;
}

static inline void echo(struct job *job)
{
    struct http_request *rq = job->rq;
    struct text absent = TEXT("(absent)");
    struct text a = http_query(rq, "$alt"), agent = http_header(rq, "user-AGENT");
    struct text said = arena_printf(
        rq->arena, "%.*s|%.*s|%.*s|%.*s", TEXT_ARG(rq->method), TEXT_ARG(rq->path),
        TEXT_ARG(a.at ? a : absent), TEXT_ARG(agent.at ? agent : absent));
    http_set(rq, "X-Said", said.at);
    http_reply(rq, 200, "text/plain", rq->body);
}

static inline void reply_late(void *arg)
{
    struct job *job = arg;
    job->timer = NULL;
    http_reply(job->rq, 201, "text/plain", TEXT("late"));
}

static inline void write_line(struct http_request *rq, int line)
{
    http_write(rq, arena_printf(rq->arena, "line %d\n", line));
}

/* One line, then two, then three... a millisecond apart. */
static inline void write_lines(void *arg)
{
    struct job *job = arg;
    job->timer = NULL;
    for (int n = job->line + 1; n > 0 && job->line < N_LINES; n--)
        write_line(job->rq, job->line++);
    if (job->line < N_LINES)
        tick(job, 1, write_lines);
    else
        http_end(job->rq);
}

static inline void flood(void *arg)
{
    static const char bytes[64 * 1024];
    struct job *job = arg;
    job->timer = NULL;
    tick(job, 1, flood);
    http_write(job->rq, (struct text){bytes, sizeof(bytes)});
}

static inline void drop(void *arg)
{
    struct job *job = arg;
    job->timer = NULL;
    http_drop(job->rq);
}

static inline void reply_long(struct job *job)
{
    struct buf body = {0};
    int64_t len = number(job->rq, "n", 0);
    for (int i = 0; (int64_t)body.len < len; i++)
        buf_printf(&body, "%d,", i);
    body.len = (size_t)len;
    bool is_text = number(job->rq, "text", 1);
    http_reply(job->rq, 200, is_text ? "application/json" : "image/png", buf_view(&body));
    buf_free(&body);
}

static inline void handle(struct http_request *rq, void *arg)
{
    (void)arg;
    struct job *job = arena_new(rq->arena, struct job);
    *job = (struct job){.rq = rq};
    rq->user = job;
    rq->gone = on_gone;
    rq->done = on_done;
    n_handled++;
    if (text_is(rq->path, "/late")) {
        tick(job, number(rq, "ms", 20), reply_late);
    } else if (text_is(rq->path, "/hold")) {
        return;
    } else if (text_is(rq->path, "/long")) {
        reply_long(job);
    } else if (text_is(rq->path, "/lines")) {
        http_stream(rq, 200, "text/event-stream");
        write_lines(job);
    } else if (text_is(rq->path, "/open")) {
        http_stream(rq, 200, "text/event-stream");
        write_line(rq, 0);
    } else if (text_is(rq->path, "/burst")) {
        http_stream(rq, 200, "text/event-stream");
        for (int i = 0; i < 100; i++)
            write_line(rq, i);
        http_end(rq);
    } else if (text_is(rq->path, "/flood")) {
        http_stream(rq, 200, "text/event-stream");
        flood(job);
    } else if (text_is(rq->path, "/drop")) {
        http_stream(rq, 200, "text/event-stream");
        write_line(rq, 0);
        tick(job, 20, drop);
    } else if (text_is(rq->path, "/drop-first")) {
        http_drop(rq);
    } else if (text_is(rq->path, "/drop-late")) {
        tick(job, 20, drop);
    } else {
        if (text_is(rq->path, "/quiesce"))
            http_server_quiesce(server);
        echo(job);
    }
}

static inline void refuse(int status, const char *why, struct buf *body, void *arg)
{
    (void)why;
    (void)arg;
    buf_printf(body, "refused with %d", status);
}

/* The server may be asked on its own thread only. */
static inline int64_t publish(void *arg)
{
    (void)arg;
    n_connections = http_server_connections(server);
    return -1;
}

static inline void *run(void *arg)
{
    loop_run(arg);
    return NULL;
}

static inline int set_up(void **state)
{
    (void)state;
    struct error err;
    struct http_options options = {
        .host = "127.0.0.1",
        .body_limit = BODY_LIMIT,
        .idle_timeout_s = 1,
        .stream_limit = STREAM_LIMIT,
        .max_connections = 400,
    };
    n_handled = n_gone = n_done = 0;
    gone_us = n_sent = 0;
    loop = loop_open();
    loop_before_wait(loop, publish, NULL);
    server = http_server_open(loop, &options, handle, refuse, NULL, &err);
    if (!server)
        return -1;
    port = http_server_port(server);
    return pthread_create(&thread, NULL, run, loop);
}

static inline int tear_down(void **state)
{
    (void)state;
    loop_stop(loop);
    pthread_join(thread, NULL);
    http_server_close(server);
    loop_close(loop);
    assert_int_equal(n_handled, n_done);
    return 0;
}

/* The client. */

static inline int open_client(void)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct timeval patience = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static inline bool try_send(int fd, struct text bytes)
{
    while (bytes.len) {
        ssize_t n = send(fd, bytes.at, bytes.len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes = text_slice(bytes, (size_t)n, bytes.len);
    }
    return true;
}

static inline void say(int fd, const char *bytes)
{
    assert_true(try_send(fd, text_of(bytes)));
}

static inline int ask(const char *request)
{
    int fd = open_client();
    say(fd, request);
    return fd;
}

/* False at the end; a time-out or a reset counts as one. */
static inline bool receive(int fd, struct buf *buf)
{
    char bytes[16 * 1024];
    ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
    if (n > 0)
        buf_add(buf, bytes, (size_t)n);
    return n > 0;
}

static inline void receive_until(int fd, struct buf *buf, const char *end)
{
    while (text_find(buf_view(buf), text_of(end), 0) == SIZE_MAX)
        assert_true(receive(fd, buf));
}

/* All that comes until the server closes. */
static inline void receive_all(int fd, struct buf *buf)
{
    while (receive(fd, buf))
        ;
    close(fd);
}

static inline bool holds(const struct buf *buf, const char *part)
{
    return text_find(buf_view(buf), text_of(part), 0) != SIZE_MAX;
}

/* The reply to a request that asks for the connection to be closed. */
static inline void expect(const char *request, const char *const *parts)
{
    struct buf reply = {0};
    receive_all(ask(request), &reply);
    for (; *parts; parts++)
        if (!holds(&reply, *parts))
            fail_msg("no \"%s\" in \"%s\"", *parts, reply.at);
    buf_free(&reply);
}
#define EXPECT(request, ...) expect(request, (const char *const[]){__VA_ARGS__, NULL})

static inline void wait_for(const atomic_int *count, int value)
{
    for (int i = 0; i < 5000 && *count < value; i++)
        usleep(1000);
    assert_int_equal(*count, value);
}

static inline void wait_for_connections(int n, int64_t ms)
{
    int64_t since = now_ms();
    while (n_connections != n && now_ms() - since < ms)
        usleep(1000);
    assert_int_equal(n_connections, n);
}

static inline struct text body_of(const struct buf *reply)
{
    size_t at = text_find(buf_view(reply), TEXT("\r\n\r\n"), 0);
    assert_true(at != SIZE_MAX);
    return text_slice(buf_view(reply), at + 4, reply->len);
}

/* Joins what the chunks hold; fails when the last one is missing. */
static inline int join_chunks(struct text chunks, struct buf *to)
{
    for (int n = 0;; n++) {
        size_t end = text_find(chunks, TEXT("\r\n"), 0);
        assert_true(end != SIZE_MAX);
        size_t len = strtoul(chunks.at, NULL, 16);
        if (len == 0)
            return n;
        assert_true(chunks.len >= end + 2 + len + 2);
        buf_text(to, text_slice(chunks, end + 2, end + 2 + len));
        chunks = text_slice(chunks, end + 2 + len + 2, chunks.len);
    }
}

static inline void expect_lines(struct text got, int n)
{
    struct buf want = {0};
    for (int i = 0; i < n; i++)
        buf_printf(&want, "line %d\n", i);
    assert_true(text_same(got, buf_view(&want)));
    buf_free(&want);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif

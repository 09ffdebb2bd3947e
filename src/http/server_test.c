/* server_test.c - the server over real sockets.
 *
 * The server has a loop on a thread of its own; the test is the client. What the handler
 * does is chosen by the path. At the end of every test each request that was handed over
 * must have been done exactly once. */
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
#include <zlib.h>

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

static void tick(struct job *job, int64_t ms, void (*due)(void *arg))
{
    job->timer = loop_after(loop, ms, due, job);
}

static int64_t number(const struct http_request *rq, const char *name, int64_t otherwise)
{
    struct text value = http_query(rq, name);
    return value.at ? strtoll(value.at, NULL, 10) : otherwise;
}

static void on_gone(struct http_request *rq)
{
    struct job *job = rq->user;
    loop_cancel(loop, job->timer);
    job->timer = NULL;
    gone_us = now_us();
    n_gone++;
    http_write(rq, TEXT("into the void"));
    http_end(rq);
}

static void on_done(struct http_request *rq)
{
    struct job *job = rq->user;
    loop_cancel(loop, job->timer);
    n_sent = rq->n_sent;
    n_done++;
}

static void echo(struct job *job)
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

static void reply_late(void *arg)
{
    struct job *job = arg;
    job->timer = NULL;
    http_reply(job->rq, 201, "text/plain", TEXT("late"));
}

static void write_line(struct http_request *rq, int line)
{
    http_write(rq, arena_printf(rq->arena, "line %d\n", line));
}

/* One line, then two, then three... a millisecond apart. */
static void write_lines(void *arg)
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

static void flood(void *arg)
{
    static const char bytes[64 * 1024];
    struct job *job = arg;
    job->timer = NULL;
    tick(job, 1, flood);
    http_write(job->rq, (struct text){bytes, sizeof(bytes)});
}

static void drop(void *arg)
{
    struct job *job = arg;
    job->timer = NULL;
    http_drop(job->rq);
}

static void reply_long(struct job *job)
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

static void handle(struct http_request *rq, void *arg)
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

static void refuse(int status, const char *why, struct buf *body, void *arg)
{
    (void)why;
    (void)arg;
    buf_printf(body, "refused with %d", status);
}

/* The server may be asked on its own thread only. */
static int64_t publish(void *arg)
{
    (void)arg;
    n_connections = http_server_connections(server);
    return -1;
}

static void *run(void *arg)
{
    loop_run(arg);
    return NULL;
}

static int set_up(void **state)
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

static int tear_down(void **state)
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

static int open_client(void)
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

static bool try_send(int fd, struct text bytes)
{
    while (bytes.len) {
        ssize_t n = send(fd, bytes.at, bytes.len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes = text_slice(bytes, (size_t)n, bytes.len);
    }
    return true;
}

static void say(int fd, const char *bytes)
{
    assert_true(try_send(fd, text_of(bytes)));
}

static int ask(const char *request)
{
    int fd = open_client();
    say(fd, request);
    return fd;
}

/* False at the end; a time-out or a reset counts as one. */
static bool receive(int fd, struct buf *buf)
{
    char bytes[16 * 1024];
    ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
    if (n > 0)
        buf_add(buf, bytes, (size_t)n);
    return n > 0;
}

static void receive_until(int fd, struct buf *buf, const char *end)
{
    while (text_find(buf_view(buf), text_of(end), 0) == SIZE_MAX)
        assert_true(receive(fd, buf));
}

/* All that comes until the server closes. */
static void receive_all(int fd, struct buf *buf)
{
    while (receive(fd, buf))
        ;
    close(fd);
}

static bool holds(const struct buf *buf, const char *part)
{
    return text_find(buf_view(buf), text_of(part), 0) != SIZE_MAX;
}

/* The reply to a request that asks for the connection to be closed. */
static void expect(const char *request, const char *const *parts)
{
    struct buf reply = {0};
    receive_all(ask(request), &reply);
    for (; *parts; parts++)
        if (!holds(&reply, *parts))
            fail_msg("no \"%s\" in \"%s\"", *parts, reply.at);
    buf_free(&reply);
}
#define EXPECT(request, ...) expect(request, (const char *const[]){__VA_ARGS__, NULL})

static void wait_for(const atomic_int *count, int value)
{
    for (int i = 0; i < 5000 && *count < value; i++)
        usleep(1000);
    assert_int_equal(*count, value);
}

static void wait_for_connections(int n, int64_t ms)
{
    int64_t since = now_ms();
    while (n_connections != n && now_ms() - since < ms)
        usleep(1000);
    assert_int_equal(n_connections, n);
}

static struct text body_of(const struct buf *reply)
{
    size_t at = text_find(buf_view(reply), TEXT("\r\n\r\n"), 0);
    assert_true(at != SIZE_MAX);
    return text_slice(buf_view(reply), at + 4, reply->len);
}

/* Joins what the chunks hold; fails when the last one is missing. */
static int join_chunks(struct text chunks, struct buf *to)
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

static void expect_lines(struct text got, int n)
{
    struct buf want = {0};
    for (int i = 0; i < n; i++)
        buf_printf(&want, "line %d\n", i);
    assert_true(text_same(got, buf_view(&want)));
    buf_free(&want);
}

/* Whole replies. */

static void a_reply_has_its_status_type_and_body(void **state)
{
    (void)state;
    EXPECT("POST /echo HTTP/1.1\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
           "HTTP/1.1 200 OK\r\n", "Content-Type: text/plain\r\n", "Content-Length: 5\r\n",
           "X-Said: POST|/echo|(absent)|(absent)\r\n", "\r\n\r\nhello");
    wait_for(&n_done, 1);
    assert_int_equal(n_sent, 5);
}

static void a_late_reply_reaches_the_client_that_waited(void **state)
{
    (void)state;
    EXPECT("GET /late HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 201 Created\r\n",
           "\r\n\r\nlate");
    assert_int_equal(n_gone, 0);
}

static void a_body_may_come_in_chunks(void **state)
{
    (void)state;
    EXPECT("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
           "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
           "\r\n\r\nabcdefg");
}

static void a_client_that_expects_100_is_told_to_continue(void **state)
{
    (void)state;
    struct buf reply = {0};
    int fd = ask("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n"
                 "Connection: close\r\n\r\n");
    receive_until(fd, &reply, "HTTP/1.1 100 Continue\r\n\r\n");
    say(fd, "abc");
    receive_all(fd, &reply);
    assert_true(holds(&reply, "HTTP/1.1 200 OK"));
    assert_true(holds(&reply, "\r\n\r\nabc"));
    buf_free(&reply);
}

/* MHD hands over a piece of no bytes here, which must not be taken for the end. */
static void an_expectation_without_a_body_is_harmless(void **state)
{
    (void)state;
    EXPECT("POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n"
           "GET /b HTTP/1.1\r\nConnection: close\r\n\r\n",
           "POST|/a|", "GET|/b|");
}

static void a_thousand_requests_fit_on_one_connection(void **state)
{
    (void)state;
    int fd = open_client();
    struct buf reply = {0};
    for (int i = 0; i < 1000; i++) {
        say(fd, i % 10 ? "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
                       : "GET /late?ms=0 HTTP/1.1\r\n\r\n");
        receive_until(fd, &reply, i % 10 ? "\r\n\r\nabc" : "\r\n\r\nlate");
        buf_clear(&reply);
    }
    assert_int_equal(n_connections, 1);
    close(fd);
    buf_free(&reply);
    wait_for(&n_done, 1000);
    assert_int_equal(n_gone, 0);
}

static void head_and_options_reach_the_handler(void **state)
{
    (void)state;
    struct buf reply = {0};
    receive_all(ask("HEAD /long?n=5 HTTP/1.1\r\n\r\nHEAD /open HTTP/1.1\r\n\r\n"
                    "OPTIONS * HTTP/1.1\r\nConnection: close\r\n\r\n"),
                &reply);
    assert_true(holds(&reply, "Content-Length: 5\r\n\r\nHTTP/1.1 200 OK"));
    assert_true(holds(&reply, "Content-Length: 0\r\n\r\nHTTP/1.1 200 OK"));
    assert_true(holds(&reply, "X-Said: OPTIONS|*|"));
    buf_free(&reply);
}

static void a_path_is_decoded_once(void **state)
{
    (void)state;
#define GET(target) "GET " target " HTTP/1.1\r\nConnection: close\r\n\r\n"
    EXPECT(GET("/models/m%3Agenerate"), "GET|/models/m:generate|");
    EXPECT(GET("/a%252Fb%2Fc+d%zz"), "GET|/a%2Fb/c+d%zz|");
    EXPECT(GET("/files/\"files/abc\""), "GET|/files/\"files/abc\"|");
    EXPECT(GET("/a%00b"), "HTTP/1.1 400 Bad Request\r\n", "refused with 400");
    assert_int_equal(n_handled, 3);
}

static void a_query_is_looked_up_by_its_decoded_name(void **state)
{
    (void)state;
    EXPECT(GET("/?%24alt=json%3Bx%3D1+2&$alt=second"), "|json;x=1 2|");
    EXPECT(GET("/?alt=1&$ALT=2&$alt"), "|/||");
    EXPECT(GET("/"), "|(absent)|");
    EXPECT("GET / HTTP/1.1\r\nuser-agent: me\r\nConnection: close\r\n\r\n", "|me\r\n");
#undef GET
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    struct buf reply = {0};
    int fd =
        ask("GET /late?ms=60 HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 3\r\n"
            "\r\nabc");
    usleep(30000); /* while the first one rests, a third arrives */
    say(fd, "GET /late?ms=1 HTTP/1.1\r\nConnection: close\r\n\r\n");
    receive_all(fd, &reply);
    size_t second = text_find(buf_view(&reply), TEXT("\r\n\r\nabc"), 0);
    assert_true(text_find(buf_view(&reply), TEXT("\r\n\r\nlate"), 0) < second);
    assert_true(text_find(buf_view(&reply), TEXT("\r\n\r\nlate"), second) != SIZE_MAX);
    assert_int_equal(n_gone, 0);
    buf_free(&reply);
}

static void three_hundred_clients_are_served_at_once(void **state)
{
    (void)state;
    int fds[300];
    struct buf reply = {0};
    for (int i = 0; i < 300; i++)
        fds[i] = ask("GET /late?ms=300 HTTP/1.1\r\nConnection: close\r\n\r\n");
    wait_for(&n_handled, 300);
    for (int i = 0; i < 300; i++) {
        buf_clear(&reply);
        receive_all(fds[i], &reply);
        assert_true(holds(&reply, "\r\n\r\nlate"));
    }
    buf_free(&reply);
}

/* Compression. */

static void inflate_into(struct text packed, struct buf *to)
{
    z_stream stream = {.next_in = (Bytef *)packed.at, .avail_in = (uInt)packed.len};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    stream.next_out = (Bytef *)buf_reserve(to, BODY_LIMIT);
    stream.avail_out = BODY_LIMIT;
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    to->len += stream.total_out;
    inflateEnd(&stream);
}

static void a_long_text_is_compressed_for_a_client_that_can(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) { /* the compressor is used again */
        struct buf plain = {0}, packed = {0}, unpacked = {0};
        receive_all(ask("GET /long?n=50000 HTTP/1.1\r\nConnection: close\r\n\r\n"),
                    &plain);
        receive_all(ask("GET /long?n=50000 HTTP/1.1\r\nConnection: close\r\n"
                        "Accept-Encoding: br;q=1.0, gzip;q=0.8\r\n\r\n"),
                    &packed);
        assert_true(holds(&packed, "Content-Encoding: gzip\r\n"));
        assert_true(holds(&packed, "Vary: Accept-Encoding\r\n"));
        assert_true(packed.len < plain.len / 2);
        inflate_into(body_of(&packed), &unpacked);
        assert_true(text_same(buf_view(&unpacked), body_of(&plain)));
        buf_free(&plain);
        buf_free(&packed);
        buf_free(&unpacked);
    }
}

static void the_rest_is_not_compressed(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "GET /long?n=5000 HTTP/1.1\r\nConnection: close\r\nAccept-Encoding: "
        "gzip;q=0\r\n\r\n",
        "GET /long?n=5000 HTTP/1.1\r\nConnection: close\r\nAccept-Encoding: br\r\n\r\n",
        "GET /long?n=900 HTTP/1.1\r\nConnection: close\r\nAccept-Encoding: gzip\r\n\r\n",
        "GET /long?n=5000&text=0 HTTP/1.1\r\nConnection: close\r\n"
        "Accept-Encoding: gzip\r\n\r\n",
        "GET /lines HTTP/1.1\r\nConnection: close\r\nAccept-Encoding: gzip\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct buf reply = {0};
        receive_all(ask(requests[i]), &reply);
        assert_true(holds(&reply, "HTTP/1.1 200 OK"));
        assert_false(holds(&reply, "Content-Encoding"));
        buf_free(&reply);
    }
}

/* Streams. */

static void a_stream_keeps_its_order_and_every_byte(void **state)
{
    (void)state;
    struct buf reply = {0}, lines = {0};
    receive_all(ask("GET /lines HTTP/1.1\r\nConnection: close\r\n\r\n"), &reply);
    assert_true(holds(&reply, "Transfer-Encoding: chunked\r\n"));
    join_chunks(body_of(&reply), &lines);
    expect_lines(buf_view(&lines), N_LINES);
    assert_int_equal(n_gone, 0);
    wait_for(&n_done, 1);
    assert_int_equal(n_sent, lines.len);
    buf_free(&reply);
    buf_free(&lines);
}

static void writes_of_one_turn_leave_as_one_chunk(void **state)
{
    (void)state;
    struct buf reply = {0}, lines = {0};
    receive_all(ask("GET /burst HTTP/1.1\r\nConnection: close\r\n\r\n"), &reply);
    assert_int_equal(join_chunks(body_of(&reply), &lines), 1);
    expect_lines(buf_view(&lines), 100);
    buf_free(&reply);
    buf_free(&lines);
}

static void a_token_leaves_at_once(void **state)
{
    (void)state;
    struct buf reply = {0};
    int64_t since = now_ms();
    int fd = ask("GET /open HTTP/1.1\r\n\r\n");
    receive_until(fd, &reply, "line 0\n\r\n");
    assert_in_range(now_ms() - since, 0, 200);
    close(fd);
    wait_for(&n_done, 1);
    buf_free(&reply);
}

/* An older connection is open meanwhile: MHD looks at the oldest one anyway, and so would
 * clean up a lonely one that it otherwise forgot. */
static void a_stream_to_an_old_client_ends_with_the_connection(void **state)
{
    (void)state;
    struct buf reply = {0};
    int idle = open_client();
    receive_all(ask("GET /burst HTTP/1.0\r\n\r\n"), &reply);
    assert_false(holds(&reply, "chunked"));
    expect_lines(body_of(&reply), 100);
    wait_for(&n_done, 1);
    assert_int_equal(n_gone, 0);
    wait_for_connections(1, 300);
    close(idle);
    buf_free(&reply);
}

static void a_dropped_stream_has_no_end(void **state)
{
    (void)state;
    struct buf reply = {0};
    int idle = open_client();
    receive_all(ask("GET /drop HTTP/1.1\r\n\r\n"), &reply);
    assert_true(holds(&reply, "line 0\n"));
    assert_false(holds(&reply, "\r\n0\r\n"));
    wait_for(&n_done, 1);
    assert_int_equal(n_gone, 0);
    wait_for_connections(1, 300);
    close(idle);
    buf_free(&reply);
}

static void a_dropped_request_has_no_reply(void **state)
{
    (void)state;
    struct buf reply = {0};
    receive_all(ask("GET /drop-first HTTP/1.1\r\n\r\n"), &reply);
    receive_all(ask("GET /drop-late HTTP/1.1\r\n\r\n"), &reply);
    assert_int_equal(reply.len, 0);
    wait_for(&n_done, 2);
    assert_int_equal(n_gone, 0);
    buf_free(&reply);
}

/* Clients that leave. */

static void leave_and_measure(int fd)
{
    int64_t left_us = now_us();
    close(fd);
    wait_for(&n_gone, 1);
    wait_for(&n_done, 1);
    assert_in_range(gone_us - left_us, 0, 200000);
}

static void a_client_that_leaves_before_the_reply_is_noticed(void **state)
{
    (void)state;
    int fd = ask("GET /hold HTTP/1.1\r\n\r\n");
    wait_for(&n_handled, 1);
    usleep(20000);
    leave_and_measure(fd);
}

static void a_client_that_leaves_at_once_is_noticed(void **state)
{
    (void)state;
    int64_t left_us = now_us();
    close(ask("GET /hold HTTP/1.1\r\n\r\n"));
    wait_for(&n_done, 1);
    assert_int_equal(n_gone, 1);
    assert_in_range(gone_us - left_us, 0, 200000);
}

static void a_client_that_leaves_a_silent_stream_is_noticed(void **state)
{
    (void)state;
    struct buf reply = {0};
    int fd = ask("GET /open HTTP/1.1\r\n\r\n");
    receive_until(fd, &reply, "line 0\n");
    usleep(20000);
    leave_and_measure(fd);
    buf_free(&reply);
}

static void a_client_that_leaves_a_busy_stream_is_noticed(void **state)
{
    (void)state;
    struct buf reply = {0};
    int fd = ask("GET /lines HTTP/1.1\r\n\r\n");
    receive_until(fd, &reply, "line 0\n");
    leave_and_measure(fd);
    buf_free(&reply);
}

static void a_client_that_only_stops_sending_gets_its_reply(void **state)
{
    (void)state;
    struct buf reply = {0};
    int64_t since = now_ms();
    int fd = ask("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
    shutdown(fd, SHUT_WR);
    receive_all(fd, &reply); /* and the end, well before the time-out */
    assert_true(holds(&reply, "\r\n\r\nabc"));
    assert_in_range(now_ms() - since, 0, 500);
    buf_free(&reply);
}

static void a_client_that_does_not_read_is_dropped(void **state)
{
    (void)state;
    int fd = ask("GET /flood HTTP/1.1\r\n\r\n");
    wait_for(&n_gone, 1);
    wait_for(&n_done, 1);
    close(fd);
}

static void a_client_may_leave_with_its_next_request_unread(void **state)
{
    (void)state;
    int fd = ask("GET /hold HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    wait_for(&n_handled, 1);
    leave_and_measure(fd);
    assert_int_equal(n_handled, 1);
}

/* What the server refuses. */

static void a_body_that_says_it_is_too_large_is_refused_unread(void **state)
{
    (void)state;
    struct buf reply = {0};
    receive_all(ask("POST / HTTP/1.1\r\nExpect: 100-continue\r\n"
                    "Content-Length: 1048577\r\n\r\n"),
                &reply);
    assert_true(text_starts(buf_view(&reply), "HTTP/1.1 413 "));
    assert_true(holds(&reply, "\r\n\r\nrefused with 413"));
    assert_int_equal(n_handled, 0);
    buf_free(&reply);
}

/* It sends far more than is taken, and only then reads. */
static void send_too_much(const char *header, const char *before, const char *after)
{
    static const char bytes[64 * 1024];
    struct buf reply = {0};
    int fd = ask(header);
    for (int i = 0; i < 512; i++)
        if (!try_send(fd, text_of(before)) ||
            !try_send(fd, (struct text){bytes, sizeof(bytes)}) ||
            !try_send(fd, text_of(after)))
            fail_msg("the connection broke after %d pieces", i);
    receive_all(fd, &reply);
    assert_true(holds(&reply, "\r\n\r\nrefused with 413"));
    buf_free(&reply);
}

static void a_refusal_can_be_read_after_sending_all(void **state)
{
    (void)state;
    send_too_much("POST / HTTP/1.1\r\nContent-Length: 33554432\r\n\r\n", "", "");
    send_too_much("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "10000\r\n",
                  "\r\n");
    assert_int_equal(n_handled, 0);
}

static void a_body_of_the_limit_is_taken(void **state)
{
    (void)state;
    struct buf request = {0}, reply = {0};
    buf_printf(&request,
               "POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n",
               BODY_LIMIT);
    memset(buf_reserve(&request, BODY_LIMIT), 'x', BODY_LIMIT);
    request.len += BODY_LIMIT;
    int fd = open_client();
    assert_true(try_send(fd, buf_view(&request)));
    receive_all(fd, &reply);
    assert_int_equal(body_of(&reply).len, BODY_LIMIT);
    buf_free(&request);
    buf_free(&reply);
}

static void a_body_without_a_clear_length_is_refused(void **state)
{
    (void)state;
    EXPECT("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", "refused with 400");
    EXPECT("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
           "refused with 400");
}

static void a_header_that_is_too_large_is_refused(void **state)
{
    (void)state;
    struct buf request = {0};
    buf_str(&request, "GET / HTTP/1.1\r\nX: ");
    memset(buf_reserve(&request, 20000), 'x', 20000);
    request.len += 20000;
    buf_str(&request, "\r\n\r\n");
    EXPECT(request.at, "HTTP/1.1 431 ", "refused with 431");
    buf_free(&request);
}

static void garbage_does_not_hurt_the_others(void **state)
{
    (void)state;
    struct buf reply = {0};
    receive_all(ask("\x16\x03\x01 what?\r\n\r\n"), &reply);
    receive_all(ask("GET / HTTP/9.9\r\n\r\n"), &reply);
    assert_int_equal(n_handled, 0);
    EXPECT("POST / HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
           "\r\n\r\nabc");
    buf_free(&reply);
}

/* Time. */

static void drip(int fd, int64_t ms)
{
    int64_t since = now_ms();
    while (now_ms() - since < ms && try_send(fd, TEXT("x")))
        usleep(50000);
}

static void what_does_not_arrive_is_given_up(void **state)
{
    (void)state;
    struct buf late = {0}, none = {0}, body = {0};
    int64_t since = now_ms();
    int waiting = ask("GET /late?ms=2500 HTTP/1.1\r\nConnection: close\r\n\r\n");
    int idle = open_client();
    int half = ask("POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc");
    int slow = ask("GET / HTTP/1.1\r\nX: ");
    drip(slow, 6000);
    receive_all(slow, &none);
    receive_all(idle, &none);
    receive_all(half, &body);
    assert_in_range(now_ms() - since, 900, 4500);
    assert_int_equal(none.len, 0);
    assert_true(holds(&body, "refused with 408"));
    receive_all(waiting, &late); /* its own wait is no fault of the client */
    assert_true(holds(&late, "\r\n\r\nlate"));
    buf_free(&late);
    buf_free(&none);
    buf_free(&body);
}

static void a_quiet_server_finishes_what_it_has(void **state)
{
    (void)state;
    struct buf reply = {0};
    int held = ask("GET /late?ms=300 HTTP/1.1\r\n\r\n"), idle = open_client();
    wait_for(&n_handled, 1);
    EXPECT("GET /quiesce HTTP/1.1\r\n\r\n", "|/quiesce|");
    receive_all(idle, &reply);
    assert_int_equal(reply.len, 0);
    receive_all(held, &reply);
    assert_true(holds(&reply, "Connection: close\r\n"));
    assert_true(holds(&reply, "\r\n\r\nlate"));
    wait_for_connections(0, 500);
    buf_free(&reply);
}

static void a_server_may_close_with_requests_in_hand(void **state)
{
    int fds[] = {
        ask("GET /hold HTTP/1.1\r\n\r\n"),
        ask("GET /open HTTP/1.1\r\n\r\n"),
        ask("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n"),
        ask("GET /flood HTTP/1.1\r\n\r\n"),
    };
    wait_for(&n_handled, 3);
    tear_down(state);
    assert_int_equal(n_gone, 3);
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        close(fds[i]);
    assert_int_equal(set_up(state), 0);
}

static void a_port_in_use_is_named(void **state)
{
    (void)state;
    struct error err;
    struct http_options options = {.host = "127.0.0.1", .port = port};
    assert_null(http_server_open(loop, &options, handle, refuse, NULL, &err));
    assert_non_null(strstr(err.message, "127.0.0.1 port"));
    assert_non_null(strstr(err.message, "in use"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_reply_has_its_status_type_and_body),
        TEST(a_late_reply_reaches_the_client_that_waited),
        TEST(a_body_may_come_in_chunks),
        TEST(a_client_that_expects_100_is_told_to_continue),
        TEST(an_expectation_without_a_body_is_harmless),
        TEST(a_thousand_requests_fit_on_one_connection),
        TEST(head_and_options_reach_the_handler),
        TEST(a_path_is_decoded_once),
        TEST(a_query_is_looked_up_by_its_decoded_name),
        TEST(pipelined_requests_are_answered_in_order),
        TEST(three_hundred_clients_are_served_at_once),
        TEST(a_long_text_is_compressed_for_a_client_that_can),
        TEST(the_rest_is_not_compressed),
        TEST(a_stream_keeps_its_order_and_every_byte),
        TEST(writes_of_one_turn_leave_as_one_chunk),
        TEST(a_token_leaves_at_once),
        TEST(a_stream_to_an_old_client_ends_with_the_connection),
        TEST(a_dropped_stream_has_no_end),
        TEST(a_dropped_request_has_no_reply),
        TEST(a_client_that_leaves_before_the_reply_is_noticed),
        TEST(a_client_that_leaves_at_once_is_noticed),
        TEST(a_client_that_leaves_a_silent_stream_is_noticed),
        TEST(a_client_that_leaves_a_busy_stream_is_noticed),
        TEST(a_client_that_only_stops_sending_gets_its_reply),
        TEST(a_client_that_does_not_read_is_dropped),
        TEST(a_client_may_leave_with_its_next_request_unread),
        TEST(a_body_that_says_it_is_too_large_is_refused_unread),
        TEST(a_refusal_can_be_read_after_sending_all),
        TEST(a_body_of_the_limit_is_taken),
        TEST(a_body_without_a_clear_length_is_refused),
        TEST(a_header_that_is_too_large_is_refused),
        TEST(garbage_does_not_hurt_the_others),
        TEST(what_does_not_arrive_is_given_up),
        TEST(a_quiet_server_finishes_what_it_has),
        TEST(a_server_may_close_with_requests_in_hand),
        TEST(a_port_in_use_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* server_fuzz.c - any bytes from a client.
 *
 * The bytes go to a real server over a loopback connection. Wherever they are cut in two,
 * the handler must see the same requests; and however the client leaves, with replies
 * late, half written or never made, each request that was handed over is done exactly
 * once. */
#include "http/server.h"
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LONGEST = 8 * 1024 }; /* where "header too large" begins may depend on the cut */

static struct loop *loop;
static struct http_server *server;
static int wanted; /* connections: the loop stops when there are so many */
static bool at_once;
static int n_handled, n_done;
static struct buf seen;

struct job {
    struct http_request *rq;
    struct timer *timer;
    bool gone, done;
};

static void on_gone(struct http_request *rq)
{
    struct job *job = rq->user;
    assert(!job->gone && !job->done);
    job->gone = true;
}

static void on_done(struct http_request *rq)
{
    struct job *job = rq->user;
    assert(!job->done);
    job->done = true;
    loop_cancel(loop, job->timer);
    n_done++;
}

static void answer(void *arg)
{
    struct job *job = arg;
    struct http_request *rq = job->rq;
    job->timer = NULL;
    switch (rq->path.len % 4) {
    case 0:
    case 1:
        http_reply(rq, 200, "text/plain", rq->body);
        break;
    case 2:
        http_stream(rq, 200, "text/plain");
        http_write(rq, rq->body);
        http_write(rq, rq->path);
        if (at_once || rq->body.len % 2)
            http_end(rq);
        break;
    default:
        http_drop(rq);
    }
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
    buf_printf(&seen, "%.*s %.*s %.*s %.*s\n", TEXT_ARG(rq->method), TEXT_ARG(rq->path),
               TEXT_ARG(http_query(rq, "a")), TEXT_ARG(http_header(rq, "b")));
    buf_text(&seen, rq->body);
    if (at_once)
        answer(job);
    else if (rq->path.len % 8 < 7)
        job->timer = loop_after(loop, 0, answer, job);
}

static void refuse(int status, const char *why, struct buf *body, void *arg)
{
    (void)arg;
    buf_printf(body, "%d %s", status, why);
}

static int64_t stop_when_wanted(void *arg)
{
    (void)arg;
    if (http_server_connections(server) == wanted)
        loop_stop(loop);
    return -1;
}

static void run_until(int n_connections)
{
    wanted = n_connections;
    loop_run(loop);
}

static void a_turn(void *arg)
{
    (void)arg;
    loop_stop(loop);
}

static void open_server(void)
{
    struct error err;
    struct http_options options = {
        .host = "127.0.0.1",
        .body_limit = 1000,
        .idle_timeout_s = 30,
        .stream_limit = 4000,
        .max_connections = 10,
    };
    loop = loop_open();
    /* Added before the server's, and so called after it. */
    loop_before_wait(loop, stop_when_wanted, NULL);
    server = http_server_open(loop, &options, handle, refuse, NULL, &err);
    assert(server);
}

/* Each from another address of the loopback network: the ports of one would not last. */
static int open_client(void)
{
    static uint16_t n_clients;
    const struct sockaddr_in from = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(0x7f010000u + n_clients++),
    };
    const int on = 1;
    struct sockaddr_in to = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)http_server_port(server)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    int bound = bind(fd, (const struct sockaddr *)&from, sizeof(from));
    assert(bound == 0);
    int connected = connect(fd, (struct sockaddr *)&to, sizeof(to));
    assert(connected == 0 ||
           errno == EINTR); /* libFuzzer's alarm; it goes on connecting */
    run_until(1);
    return fd;
}

/* The requests that the handler saw, of bytes that came in two pieces. */
static struct buf send_in_two(struct text bytes, size_t cut)
{
    int fd = open_client();
    send(fd, bytes.at, cut, MSG_NOSIGNAL);
    if (cut < bytes.len) {
        loop_after(loop, 0, a_turn, NULL);
        run_until(-1);
        send(fd, bytes.at + cut, bytes.len - cut, MSG_NOSIGNAL);
    }
    shutdown(fd, SHUT_WR);
    run_until(0);
    close(fd);
    struct buf requests = seen;
    seen = (struct buf){0};
    return requests;
}

static void send_and_leave(struct text bytes, bool turn, bool reset)
{
    const struct linger at_once_with_a_reset = {.l_onoff = 1};
    int fd = open_client();
    send(fd, bytes.at, bytes.len, MSG_NOSIGNAL);
    if (turn) {
        loop_after(loop, 0, a_turn, NULL);
        run_until(-1);
    }
    if (reset)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once_with_a_reset,
                   sizeof(at_once_with_a_reset));
    close(fd);
    run_until(0);
    buf_free(&seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > LONGEST)
        return 0;
    if (!server)
        open_server();
    struct text bytes = {(const char *)data + 2, size - 2};
    n_handled = n_done = 0;
    at_once = true;
    struct buf whole = send_in_two(bytes, bytes.len);
    struct buf cut = send_in_two(bytes, (data[0] | (size_t)data[1] << 8) % bytes.len);
    assert(text_same(buf_view(&whole), buf_view(&cut)));
    buf_free(&whole);
    buf_free(&cut);
    at_once = false;
    send_and_leave(bytes, data[0] & 1, data[0] & 2);
    assert(n_handled == n_done);
    return 0;
}

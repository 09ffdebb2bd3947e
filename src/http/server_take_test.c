/* Bodies that are given away in pieces, and answers that are written as they leave. */
#include "http/scene.h"
#include <stdatomic.h>

/* What the owner of a body does is in its query: ?most=N takes N bytes of each piece and
 * lets the client wait a millisecond; ?refuse=N answers 400 after N bytes. */
static atomic_int n_pieces;
static _Atomic int64_t n_bytes, sum;

static void take_more(void *arg)
{
    struct job *job = arg;
    job->timer = NULL;
    http_more(job->rq);
}

static size_t take(struct http_request *rq, struct text bytes)
{
    struct job *job = rq->user;
    int64_t most = number(rq, "most", INT64_MAX), refuse_at = number(rq, "refuse", -1);
    if (!bytes.at) {
        http_reply(
            rq, 200, "text/plain",
            arena_printf(rq->arena, "%lld %lld", (long long)n_bytes, (long long)sum));
        return 0;
    }
    n_pieces++;
    size_t n = (int64_t)bytes.len < most ? bytes.len : (size_t)most;
    for (size_t i = 0; i < n; i++)
        sum += (unsigned char)bytes.at[i] * (n_bytes++ % 7 + 1);
    if (n < bytes.len && !job->timer)
        tick(job, 1, take_more);
    if (refuse_at >= 0 && n_bytes >= refuse_at)
        http_reply(rq, 400, "text/plain", TEXT("no more"));
    return n;
}

static void arrive(struct http_request *rq, void *arg)
{
    (void)arg;
    if (!text_is(rq->path, "/take"))
        return;
    struct job *job = arena_new(rq->arena, struct job);
    *job = (struct job){.rq = rq};
    rq->user = job;
    rq->gone = on_gone;
    rq->done = on_done;
    rq->take = take;
    n_handled++;
    if (number(rq, "refuse", -1) == 0)
        http_reply(rq, 400, "text/plain", TEXT("no more"));
}

static int set_up_taking(void **state)
{
    (void)state;
    struct error err;
    struct http_options options = {
        .host = "127.0.0.1",
        .body_limit = BODY_LIMIT,
        .idle_timeout_s = 1,
        .stream_limit = STREAM_LIMIT,
        .max_connections = 400,
        .arrive = arrive,
    };
    n_handled = n_gone = n_done = n_pieces = 0;
    n_bytes = sum = 0;
    loop = loop_open();
    loop_before_wait(loop, publish, NULL);
    server = http_server_open(loop, &options, handle, refuse, NULL, &err);
    if (!server)
        return -1;
    port = http_server_port(server);
    return pthread_create(&thread, NULL, run, loop);
}

enum { LONG = 3 * BODY_LIMIT };
static char bytes[LONG];

static int64_t sum_of(int64_t len)
{
    int64_t total = 0;
    for (int64_t i = 0; i < len; i++)
        total += (unsigned char)bytes[i] * (i % 7 + 1);
    return total;
}

static int begin(const char *target, int64_t len)
{
    char request[300];
    snprintf(request, sizeof request,
             "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: "
             "%lld\r\n\r\n",
             target, (long long)len);
    return ask(request);
}

static void a_body_of_any_length_comes_whole(void **state)
{
    (void)state;
    static const char *const targets[] = {"/take", "/take?most=5000", "/take?most=20000"};
    for (size_t i = 0; i < LONG; i++)
        bytes[i] = (char)(i * 31 >> 3);
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct buf reply = {0};
        char want[60];
        n_bytes = sum = 0;
        int fd = begin(targets[i], LONG);
        assert_true(try_send(fd, (struct text){bytes, LONG}));
        receive_all(fd, &reply);
        snprintf(want, sizeof want, "%d %lld", LONG, (long long)sum_of(LONG));
        assert_true(text_is(body_of(&reply), want));
        buf_free(&reply);
    }
    assert_true(n_pieces > 100);
}

static void an_empty_body_is_complete_at_once(void **state)
{
    (void)state;
    EXPECT("POST /take HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: "
           "0\r\n\r\n",
           "200 OK", "0 0");
}

static void an_error_may_be_answered_before_the_body_ended(void **state)
{
    (void)state;
    static const char *const targets[] = {"/take?refuse=0", "/take?refuse=1",
                                          "/take?refuse=1000000",
                                          "/take?most=5000&refuse=9000"};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct buf reply = {0};
        n_bytes = 0;
        int fd = begin(targets[i], LONG);
        assert_true(try_send(fd, (struct text){bytes, LONG}));
        receive_all(fd, &reply);
        assert_true(holds(&reply, "400 Bad Request"));
        assert_true(holds(&reply, "no more"));
        buf_free(&reply);
    }
}

static void who_has_far_more_to_send_is_answered_and_left(void **state)
{
    (void)state;
    struct buf reply = {0};
    int fd = begin("/take?refuse=1", 1LL << 40);
    assert_true(try_send(fd, (struct text){bytes, 1000}));
    receive_until(fd, &reply, "no more");
    assert_true(holds(&reply, "400 Bad Request") && holds(&reply, "Connection: close"));
    receive_all(fd, &reply);
    buf_free(&reply);
    wait_for(&n_done, 1);
}

static void who_asks_first_is_answered_before_the_body(void **state)
{
    (void)state;
    EXPECT("POST /take?refuse=0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
           "Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n",
           "400 Bad Request", "no more");
    assert_int_equal(n_pieces, 0);
}

static void a_client_that_leaves_is_told_of(void **state)
{
    (void)state;
    static const char *const targets[] = {"/take", "/take?most=100", "/take?most=2000"};
    for (int i = 0; i < 3; i++) {
        int fd = begin(targets[i], LONG);
        assert_true(try_send(fd, (struct text){bytes, 30000}));
        usleep(20000);
        close(fd);
        wait_for(&n_done, i + 1);
        assert_int_equal(n_gone, i + 1);
    }
}

static void other_bodies_keep_their_limit(void **state)
{
    (void)state;
    EXPECT("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n", "413");
}

#define TAKE(name) cmocka_unit_test_setup_teardown(name, set_up_taking, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAKE(a_body_of_any_length_comes_whole),
        TAKE(an_empty_body_is_complete_at_once),
        TAKE(an_error_may_be_answered_before_the_body_ended),
        TAKE(who_has_far_more_to_send_is_answered_and_left),
        TAKE(who_asks_first_is_answered_before_the_body),
        TAKE(a_client_that_leaves_is_told_of),
        TAKE(other_bodies_keep_their_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* server_refuse_test.c - what is refused, what does not arrive, and the end. */
#include "http/scene.h"

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
    const struct CMUnitTest tests[] = {
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

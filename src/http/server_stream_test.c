/* server_stream_test.c - streams, and clients that leave. */
#include "http/scene.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* server_test.c - whole replies, and compressed ones. */
#include "http/scene.h"
#include <zlib.h>

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

int main(void)
{
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A server on the loopback, and what must not reach it. Names are resolved by the test.
 */
#include "base/loop.h"
#include "fetch/fetch.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 5000 };

static struct arena *arena;
static int listener, port;
static pthread_t server;
static atomic_int n_served;
static char asked[4096]; /* the last request; read after its answer */
static struct fetched fetched;
static struct error err;

/* ---- the server ---- */

static void say(int fd, const char *text)
{
    ssize_t n = write(fd, text, strlen(text));
    (void)n;
}

static void answer(int fd, const char *path)
{
    char line[200];
    bool again = strncmp(path, "/again?", 7) == 0;
    if (again || strncmp(path, "/to?", 4) == 0) {
        const char *to = strchr(path, '?') + 1;
        snprintf(line, sizeof line, "HTTP/1.1 %s\r\nX-Say: moved\r\nLocation: %.*s\r\n",
                 again ? "307 Again" : "302 Found", (int)strcspn(to, " "), to);
        say(fd, line);
        say(fd, "Content-Length: 0\r\nConnection: close\r\n\r\n");
    } else if (strncmp(path, "/long ", 6) == 0) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n");
        for (int i = 0; i < 1000; i++)
            say(fd, "0123456789012345678901234567890123456789012345678901234567890123");
    } else if (strncmp(path, "/never ", 7) == 0) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
        usleep(300000);
    } else if (strncmp(path, "/drip ", 6) == 0) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n01234567890123");
        usleep(300000);
    } else if (strncmp(path, "/headers ", 9) == 0) {
        say(fd, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < 3000; i++)
            say(fd, "X-More: 0123456789012345678901234567890123456789\r\n");
        say(fd, "Content-Length: 0\r\n\r\n");
    } else {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/x-words\r\nContent-Length: 5\r\n"
                "x-say: \t a value  \r\nX-Bad: \x01\r\nConnection: close\r\n\r\nwords");
    }
}

static void *serve(void *arg)
{
    (void)arg;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        ssize_t n = read(fd, asked, sizeof asked - 1);
        asked[n > 0 ? n : 0] = '\0';
        atomic_fetch_add(&n_served, 1);
        const char *path = strchr(asked, ' ');
        if (path)
            answer(fd, path + 1);
        shutdown(fd, SHUT_RDWR);
        close(fd);
    }
}

static int open_all(void **state)
{
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    arena = arena_open();
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (const struct sockaddr *)&at, sizeof at) != 0 ||
        listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)&at, &len) != 0)
        return -1;
    port = ntohs(at.sin_port);
    return pthread_create(&server, NULL, serve, NULL);
}

static int close_all(void **state)
{
    (void)state;
    shutdown(listener, SHUT_RDWR);
    pthread_join(server, NULL);
    close(listener);
    arena_close(arena);
    return 0;
}

/* ---- asking ---- */

static const char *url(const char *host, const char *path)
{
    return arena_printf(arena, "http://%s:%d%s", host, port, path).at;
}

static bool fetch(const char *allow, const char *from, const struct fetch_request *more)
{
    const char *const resolve[] = {
        arena_printf(arena, "inside.test:%d:127.0.0.1", port).at,
        arena_printf(arena, "media.lan:%d:127.0.0.1", port).at,
        arena_printf(arena, "mapped.test:%d:[::ffff:127.0.0.1]", port).at, NULL};
    const struct fetch_config config = {
        .allow = &allow, .n_allow = allow ? 1 : 0, .resolve = resolve};
    struct fetch_request request = more ? *more : (struct fetch_request){0};
    request.url = text_of(from);
    request.most = request.most ? request.most : 10000;
    request.timeout_ms = request.timeout_ms ? request.timeout_ms : PATIENCE_MS;
    struct fetcher *fetcher = fetch_open(&config, &err);
    assert_non_null(fetcher);
    bool good = fetch_run(fetcher, &request, arena, &fetched, &err);
    fetch_close(fetcher);
    return good;
}

static void assert_refused(const char *allow, const char *from, const char *words)
{
    int before = atomic_load(&n_served);
    if (fetch(allow, from, NULL))
        fail_msg("%s was fetched", from);
    if (!strstr(err.message, words))
        fail_msg("%s: '%s' says nothing of '%s'", from, err.message, words);
    assert_int_equal(err.code, ERROR_INVALID_ARGUMENT);
    assert_int_equal(atomic_load(&n_served), before);
}

/* ---- tests ---- */

static void what_is_allowed_is_fetched(void **state)
{
    (void)state;
    static const char *const nets[] = {"127.0.0.1", "127.0.0.0/8", "0.0.0.0/0"};
    for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++)
        assert_true(fetch(nets[i], url("127.0.0.1", "/"), NULL));
    assert_int_equal(fetched.status, 200);
    assert_true(text_is(fetched.body, "words") && text_is(fetched.type, "text/x-words"));
    assert_true(fetch("media.lan", url("media.lan", "/"), NULL));
    assert_true(fetch("MEDIA.lan", url("media.lan", "/"), NULL));
    assert_true(fetch(".lan", url("media.lan", "/"), NULL));
    assert_null(strstr(asked, "Cookie"));
    assert_null(strstr(asked, "Authorization"));
}

static void nothing_reaches_this_machine_otherwise(void **state)
{
    (void)state;
    static const char *const hosts[] = {
        "127.0.0.1",       "localhost",    "127.1", "2130706433",
        "0x7f000001",      "0.0.0.0",      "[::1]", "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]", "017700000001",
    };
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        assert_refused(NULL, url(hosts[i], "/"), "not on the public network");
    assert_refused("10.0.0.0/8", url("127.0.0.1", "/"), "not on the public network");
    assert_refused("an.lan", url("media.lan", "/"), "not on the public network");
    assert_refused(".other", url("media.lan", "/"), "not on the public network");
}

/* Whatever a name meant before: what counts is the address of the socket. */
static void a_name_that_means_this_machine_does_not_help(void **state)
{
    (void)state;
    assert_refused(NULL, url("inside.test", "/"), "not on the public network");
    assert_refused(NULL, url("mapped.test", "/"), "not on the public network");
    assert_refused("media.lan", url("inside.test", "/"), "not on the public network");
}

static void what_is_no_url_of_ours_is_refused(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"ftp://media.lan/", "only http"},
        {"file:///etc/passwd", ""},
        {"gopher://media.lan/", "only http"},
        {"http://", "sound URL"},
        {"http://me@media.lan/", "password"},
        {"http://me:it@media.lan/", "password"},
        {"http://media.lan:99999/", "sound"},
        {"http://a b/", "sound"},
        {"media.lan", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_refused("media.lan", rows[i][0], rows[i][1]);
}

static void redirects_are_checked_like_the_first(void **state)
{
    (void)state;
    const struct fetch_request two = {.redirects = 2};
    const char *to = arena_printf(arena, "/to?%s", url("127.0.0.1", "/")).at;
    assert_true(fetch("127.0.0.1", url("127.0.0.1", to), &two));
    assert_true(text_is(fetched.url, url("127.0.0.1", "/")));

    int before = atomic_load(&n_served);
    assert_false(fetch("media.lan", url("media.lan", to), &two));
    assert_non_null(strstr(err.message, "not on the public network"));
    assert_int_equal(atomic_load(&n_served), before + 1);

    assert_false(fetch("127.0.0.1", url("127.0.0.1", "/to?file:///etc/passwd"), &two));
    assert_false(fetch("127.0.0.1", url("127.0.0.1", "/to?http://a:b@127.0.0.1/"), &two));
    assert_non_null(strstr(err.message, "password"));
}

static void redirects_end(void **state)
{
    (void)state;
    const struct fetch_request two = {.redirects = 2};
    assert_false(fetch("127.0.0.1", url("127.0.0.1", "/to?/to?/to?/"), &two));
    assert_non_null(strstr(err.message, "more than 2"));
}

static void length_and_time_are_bounded(void **state)
{
    (void)state;
    const struct fetch_request brief = {.timeout_ms = 100};
    assert_false(fetch("127.0.0.1", url("127.0.0.1", "/long"), NULL));
    assert_non_null(strstr(err.message, "longer than the 10000 bytes"));
    assert_false(fetch("127.0.0.1", url("127.0.0.1", "/headers"), NULL));
    assert_false(fetch("127.0.0.1", url("127.0.0.1", "/never"), &brief));
    assert_non_null(strstr(err.message, "did not arrive within"));
}

static void whoever_leaves_is_not_waited_for(void **state)
{
    (void)state;
    const atomic_bool cancelled = true;
    const struct fetch_request request = {.cancelled = &cancelled};
    int64_t since = now_ms();
    assert_false(fetch("127.0.0.1", url("127.0.0.1", "/never"), &request));
    assert_int_equal(err.code, ERROR_CANCELLED);
    assert_true(now_ms() - since < 250);
}

static bool takes_images(struct text type)
{
    return text_starts(type, "image/");
}

static void a_type_that_is_not_wanted_is_not_taken(void **state)
{
    (void)state;
    const struct fetch_request request = {.takes = takes_images};
    assert_false(fetch("127.0.0.1", url("127.0.0.1", "/"), &request));
    assert_non_null(strstr(err.message, "text/x-words"));
}

static void a_post_carries_its_body_and_headers_and_is_not_sent_on(void **state)
{
    (void)state;
    static const char *const headers[] = {"X-Mine: yes", NULL};
    const struct fetch_request request = {
        .post = TEXT("a body"), .headers = headers, .redirects = 3};
    assert_true(fetch("127.0.0.1", url("127.0.0.1", "/"), &request));
    assert_memory_equal(asked, "POST / ", 7);
    assert_non_null(strstr(asked, "X-Mine: yes"));
    assert_non_null(strstr(asked, "Content-Length: 6"));
    assert_false(fetch("127.0.0.1", url("127.0.0.1", "/to?/"), &request));
}

static void a_post_goes_on_where_the_same_server_says_so(void **state)
{
    (void)state;
    char to[200], path[220];
    const struct fetch_request request = {.post = TEXT("a body"), .redirects = 3};
    assert_true(fetch("127.0.0.1", url("127.0.0.1", "/again?/"), &request));
    assert_memory_equal(asked, "POST / ", 7);
    assert_non_null(strstr(asked, "a body"));
    snprintf(to, sizeof to, "%s", url("localhost", "/"));
    snprintf(path, sizeof path, "/again?%s", to);
    assert_false(fetch("127.0.0.1", url("127.0.0.1", path), &request));
    assert_non_null(
        strstr(err.message, "redirects what is sent to it, to http://localhost"));
    const struct fetch_request remove = {.remove = true, .redirects = 3};
    assert_true(fetch("127.0.0.1", url("127.0.0.1", "/"), &remove));
    assert_memory_equal(asked, "DELETE / ", 9);
    assert_false(fetch("127.0.0.1", url("127.0.0.1", path), &remove));
}

static void a_header_is_told_of_the_last_answer(void **state)
{
    (void)state;
    const struct fetch_request request = {.header = "X-Say", .redirects = 1};
    assert_true(fetch("127.0.0.1", url("127.0.0.1", "/"), &request));
    assert_true(text_is(fetched.header, "a value"));
    assert_true(fetch("127.0.0.1", url("127.0.0.1", "/to?/"), &request));
    assert_true(text_is(fetched.header, "a value"));
    const struct fetch_request bad = {.header = "X-Bad"};
    assert_true(fetch("127.0.0.1", url("127.0.0.1", "/"), &bad));
    assert_null(fetched.header.at);
}

static bool has_ten(struct text type, struct text body, void *arg)
{
    ++*(int *)arg;
    return text_is(type, "text/plain") && body.len >= 10;
}

static void what_is_enough_is_not_waited_past(void **state)
{
    (void)state;
    int n_looks = 0;
    const struct fetch_request request = {.enough = has_ten, .arg = &n_looks};
    int64_t since = now_ms();
    assert_true(fetch("127.0.0.1", url("127.0.0.1", "/drip"), &request));
    assert_true(now_ms() - since < 250 && n_looks >= 1);
    assert_int_equal(fetched.status, 200);
    assert_true(text_is(fetched.body, "01234567890123"));
}

static void an_owner_can_turn_it_off(void **state)
{
    (void)state;
    const char *allow = "127.0.0.1";
    const struct fetch_config config = {.off = true, .allow = &allow, .n_allow = 1};
    const struct fetch_request request = {
        .url = text_of(url("127.0.0.1", "/")), .most = 100, .timeout_ms = 100};
    struct fetcher *fetcher = fetch_open(&config, &err);
    assert_false(fetch_run(fetcher, &request, arena, &fetched, &err));
    assert_non_null(strstr(err.message, "--fetch off"));
    fetch_close(fetcher);
}

static void what_is_allowed_must_be_a_net_or_a_name(void **state)
{
    (void)state;
    static const char *const rows[] = {"",       "10.0.0.0/33", "10.0.0.1/8",
                                       "10.0.0", "a b",         "http://a",
                                       "a/b",    "999",         "1.2.3.4.5"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct fetch_config config = {.allow = &rows[i], .n_allow = 1};
        if (fetch_open(&config, &err))
            fail_msg("'%s' was taken", rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_allowed_is_fetched),
        cmocka_unit_test(nothing_reaches_this_machine_otherwise),
        cmocka_unit_test(a_name_that_means_this_machine_does_not_help),
        cmocka_unit_test(what_is_no_url_of_ours_is_refused),
        cmocka_unit_test(redirects_are_checked_like_the_first),
        cmocka_unit_test(redirects_end),
        cmocka_unit_test(length_and_time_are_bounded),
        cmocka_unit_test(whoever_leaves_is_not_waited_for),
        cmocka_unit_test(a_type_that_is_not_wanted_is_not_taken),
        cmocka_unit_test(a_post_carries_its_body_and_headers_and_is_not_sent_on),
        cmocka_unit_test(a_post_goes_on_where_the_same_server_says_so),
        cmocka_unit_test(a_header_is_told_of_the_last_answer),
        cmocka_unit_test(what_is_enough_is_not_waited_past),
        cmocka_unit_test(an_owner_can_turn_it_off),
        cmocka_unit_test(what_is_allowed_must_be_a_net_or_a_name),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, open_all, close_all);
}

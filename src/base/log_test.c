#include "base/log.h"
#include "base/text.h"
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

/* stderr is a pipe between catch_lines() and caught(). */
static int saved_stderr, pipe_fds[2];

static void catch_lines(enum log_level least, enum log_format format)
{
    log_setup(least, format);
    assert_int_equal(pipe(pipe_fds), 0);
    saved_stderr = dup(STDERR_FILENO);
    dup2(pipe_fds[1], STDERR_FILENO);
    close(pipe_fds[1]);
}

static const char *caught(void)
{
    static char lines[8192];
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    ssize_t len = read(pipe_fds[0], lines, sizeof(lines) - 1);
    close(pipe_fds[0]);
    lines[len > 0 ? len : 0] = '\0';
    return lines;
}

/* The line behind its time, which is always as long. */
enum { TIME_LEN = sizeof("2026-11-22T19:01:02.345Z") - 1 };

static void a_line_is_time_level_event_and_pairs(void **state)
{
    (void)state;
    catch_lines(LOG_INFO, LOG_TEXT);
    log_line(LOG_INFO, "turn", "id=%s in=%d ms=%.0f", "r_81", 412, 2140.2);
    const char *line = caught();
    assert_int_equal(line[10], 'T');
    assert_int_equal(line[TIME_LEN - 1], 'Z');
    assert_string_equal(line + TIME_LEN, " info turn id=r_81 in=412 ms=2140\n");
}

static void a_value_with_spaces_is_quoted(void **state)
{
    (void)state;
    catch_lines(LOG_INFO, LOG_TEXT);
    log_line(LOG_WARN, "file", "path=%s error=%s n=%d", "/a b", "say \"no\"\n", 1);
    assert_string_equal(caught() + TIME_LEN, " warn file path=\"/a b\" "
                                             "error=\"say \\\"no\\\"\\n\" n=1\n");
}

static void words_without_a_key_are_one_text(void **state)
{
    (void)state;
    catch_lines(LOG_INFO, LOG_TEXT);
    log_line(LOG_INFO, "start", "listening on %s port=%d", "all", 80);
    assert_string_equal(caught() + TIME_LEN,
                        " info start text=\"listening on all\" port=80\n");
}

static void json_lines_keep_numbers_as_numbers(void **state)
{
    (void)state;
    catch_lines(LOG_INFO, LOG_JSON);
    log_line(LOG_INFO, "turn", "id=%s n=%zu load=%.2f bad=%f why=%s", "81", (size_t)3,
             0.5, NAN, "a \"b\"");
    const char *line = caught();
    assert_memory_equal(line, "{\"time\":\"2", 10);
    const char *rest = strstr(line, ",\"level\"");
    assert_non_null(rest);
    assert_string_equal(rest,
                        ",\"level\":\"info\",\"event\":\"turn\",\"id\":\"81\",\"n\":3,"
                        "\"load\":0.50,\"bad\":\"nan\",\"why\":\"a \\\"b\\\"\"}\n");
}

static void a_value_cannot_forge_pairs_or_lines(void **state)
{
    (void)state;
    catch_lines(LOG_INFO, LOG_TEXT);
    log_line(LOG_INFO, "get", "path=%s ip=%s", "/x ip=1.1.1.1\nline", "2.2.2.2");
    assert_string_equal(caught() + TIME_LEN,
                        " info get path=\"/x ip=1.1.1.1\\nline\" ip=2.2.2.2\n");
    catch_lines(LOG_INFO, LOG_TEXT);
    log_line(LOG_INFO, "get", "path=%s", "/x\x1fip=1.1.1.1");
    assert_string_equal(caught() + TIME_LEN,
                        " info get text=\"path=/x\\u001fip=1.1.1.1\"\n");
}

static void bytes_that_are_not_utf8_are_replaced(void **state)
{
    (void)state;
    catch_lines(LOG_INFO, LOG_TEXT);
    log_line(LOG_INFO, "get", "path=%s", "\xc3\xa9\xff");
    assert_string_equal(caught() + TIME_LEN, " info get path=\"\xc3\xa9\xef\xbf\xbd\"\n");
}

static void lines_below_the_least_level_are_not_written(void **state)
{
    (void)state;
    catch_lines(LOG_WARN, LOG_TEXT);
    log_line(LOG_INFO, "turn", "id=%d", 1);
    log_line(LOG_ERROR, "disk", "full=%d", 1);
    assert_string_equal(caught() + TIME_LEN, " error disk full=1\n");
}

static void errno_is_left_alone(void **state)
{
    (void)state;
    catch_lines(LOG_INFO, LOG_TEXT);
    errno = ENOSPC;
    log_line(LOG_INFO, "turn", "id=%d", 1);
    assert_int_equal(errno, ENOSPC);
    caught();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_time_level_event_and_pairs),
        cmocka_unit_test(a_value_with_spaces_is_quoted),
        cmocka_unit_test(words_without_a_key_are_one_text),
        cmocka_unit_test(json_lines_keep_numbers_as_numbers),
        cmocka_unit_test(a_value_cannot_forge_pairs_or_lines),
        cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
        cmocka_unit_test(lines_below_the_least_level_are_not_written),
        cmocka_unit_test(errno_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

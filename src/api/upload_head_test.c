#include "api/upload_head.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct error err;
static struct upload_head head;

#define READ(...) upload_head_read(&(const struct upload_lines){__VA_ARGS__}, &head, &err)
#define SESSION .method = TEXT("POST"), .upload_id = TEXT("u")
#define COMMAND(c) .command = TEXT(c)

static void a_start_tells_type_and_length(void **state)
{
    (void)state;
    assert_true(READ(.protocol = TEXT("resumable"), COMMAND("start"),
                     .told_length = TEXT("11"), .told_type = TEXT("a/b"),
                     .file_name = TEXT("n")));
    assert_int_equal(head.verb, UPLOAD_START);
    assert_int_equal(head.size, 11);
    assert_true(text_is(head.mime_type, "a/b") && text_is(head.file_name, "n"));
    assert_false(head.media);
    assert_true(READ(.upload_type = TEXT("resumable"), .media_length = TEXT("7"),
                     .media_type = TEXT("c/d")));
    assert_true(head.media && head.size == 7 && text_is(head.mime_type, "c/d"));
    assert_false(READ(.protocol = TEXT("resumable"), COMMAND("upload")));
    assert_false(
        READ(.protocol = TEXT("resumable"), COMMAND("start"), .told_length = TEXT("-1")));
}

static void commands_come_in_any_case_and_order(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        int verb;
        bool adds, finishes, good;
    } cases[] = {
        {"upload", UPLOAD_PIECE, true, false, true},
        {"upload, finalize", UPLOAD_PIECE, true, true, true},
        {"Finalize,UPLOAD", UPLOAD_PIECE, true, true, true},
        {" finalize ", UPLOAD_PIECE, false, true, true},
        {"query", UPLOAD_QUERY, false, false, true},
        {"cancel", UPLOAD_CANCEL, false, false, true},
        {"start", 0, false, false, false},
        {"query, finalize", 0, false, false, false},
        {"upload finalize", 0, false, false, false},
        {",", 0, false, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool good =
            READ(SESSION, .command = text_of(cases[i].command), .offset = TEXT("5"));
        assert_int_equal(good, cases[i].good);
        if (!good)
            continue;
        assert_int_equal(head.verb, cases[i].verb);
        assert_int_equal(head.adds, cases[i].adds);
        assert_int_equal(head.finishes, cases[i].finishes);
    }
    assert_false(READ(SESSION, COMMAND("upload")));
    assert_false(READ(SESSION, COMMAND("upload"), .offset = TEXT("9999999999999999999")));
}

static void ranges_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *range;
        int64_t from, end, total; /* end -1: refused */
    } cases[] = {
        {"bytes 0-10/11", 0, 11, 11},
        {"bytes 5-5/*", 5, 6, -1},
        {"bytes */11", 0, 0, 11},
        {"bytes */*", 0, 0, -1},
        {"Bytes  0-0/1", 0, 1, 1},
        {"bytes 1-0/9", 0, -1, 0},
        {"bytes 0-9/9", 0, -1, 0},
        {"bytes 0-/9", 0, -1, 0},
        {"bytes -5/9", 0, -1, 0},
        {"0-1/2", 0, -1, 0},
        {"bytes", 0, -1, 0},
        {"bytes 0-1", 0, -1, 0},
        {"bytes 0-9999999999999999999/*", 0, -1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t from, end, total;
        bool good = upload_range_read(text_of(cases[i].range), &from, &end, &total);
        assert_int_equal(good, cases[i].end >= 0);
        assert_true(!good || (from == cases[i].from && end == cases[i].end &&
                              total == cases[i].total));
    }
}

static void a_piece_of_the_older_protocol_must_have_its_range(void **state)
{
    (void)state;
    assert_true(READ(SESSION, .content_range = TEXT("bytes 5-9/10"), .length = 5));
    assert_true(head.media && head.finishes && head.adds && head.offset == 5);
    assert_true(READ(SESSION, .content_range = TEXT("bytes 5-8/10"), .length = 4));
    assert_false(head.finishes);
    assert_false(READ(SESSION, .content_range = TEXT("bytes 5-8/10"), .length = 5));
    assert_true(READ(SESSION, .content_range = TEXT("bytes */10")));
    assert_int_equal(head.verb, UPLOAD_QUERY);
    assert_true(READ(SESSION, .length = 3)); /* all of it */
    assert_true(head.finishes && head.offset == 0);
    assert_true(READ(.method = TEXT("DELETE"), .upload_id = TEXT("u")));
    assert_int_equal(head.verb, UPLOAD_CANCEL);
}

static void one_request_may_bring_all(void **state)
{
    (void)state;
    assert_true(READ(.content_type = TEXT("multipart/related; boundary=a")));
    assert_int_equal(head.verb, UPLOAD_MULTIPART);
    assert_true(
        READ(.upload_type = TEXT("media"), .content_type = TEXT("a/b"), .length = 9));
    assert_true(head.verb == UPLOAD_RAW && head.size == 9 &&
                text_is(head.mime_type, "a/b"));
    assert_false(READ(.upload_type = TEXT("multipart"), .content_type = TEXT("a/b")));
    assert_false(READ(.content_type = TEXT("a/b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_tells_type_and_length),
        cmocka_unit_test(commands_come_in_any_case_and_order),
        cmocka_unit_test(ranges_are_read),
        cmocka_unit_test(a_piece_of_the_older_protocol_must_have_its_range),
        cmocka_unit_test(one_request_may_bring_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

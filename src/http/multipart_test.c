#include "http/multipart.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct buf seen;

static bool on_part(void *arg, int part, struct text type, struct text encoding,
                    struct error *err)
{
    (void)arg;
    (void)err;
    buf_printf(&seen, "[%d %.*s %.*s]", part, TEXT_ARG(type), TEXT_ARG(encoding));
    return true;
}

static bool on_bytes(void *arg, int part, struct text bytes, struct error *err)
{
    (void)arg;
    (void)part;
    (void)err;
    buf_text(&seen, bytes);
    return true;
}

/* What came of the body, given `step` bytes at a time; NULL when it is refused. */
static const char *read(const char *type, const char *body, size_t step)
{
    struct error err;
    struct multipart m;
    struct text all = text_of(body);
    buf_clear(&seen);
    buf_str(&seen, "");
    bool good = multipart_open(&m, text_of(type), &err);
    m.begin = on_part;
    m.bytes = on_bytes;
    for (size_t at = 0; good && at < all.len; at += step)
        good = multipart_add(&m, text_slice(all, at, at + step), &err);
    good = good && multipart_finish(&m, &err);
    multipart_close(&m);
    return good ? seen.at : NULL;
}

#define TYPE "multipart/related; boundary=B"

static void parts_are_told_apart_however_they_are_cut(void **state)
{
    (void)state;
    static const struct {
        const char *type, *body, *want;
    } cases[] = {
        {TYPE, "--B\r\nContent-Type: a/b\r\n\r\none\r\n--B\r\n\r\ntwo\r\n--B--",
         "[0 a/b ]one[1  ]two"},
        {TYPE, "--B\ncontent-type:a/b\n\none\n--B\n\ntwo\n--B--\nepilogue",
         "[0 a/b ]one[1  ]two"},
        {TYPE, "preamble\r\n--B \t\r\n\r\none\r\n--B--", "[0  ]one"},
        {TYPE, "--B\r\n\r\n\r\n--B\r\n\r\n--B--", "[0  ][1  ]"},
        {TYPE, "--B\r\n\r\n\r\n\r\n--B--", "[0  ]\r\n"},
        {TYPE, "--B\n\n--C\n--BB\n--B-\n --B\n--B x\n--B--",
         "[0  ]--C\n--BB\n--B-\n --B\n--B x"},
        {TYPE, "--B\r\nContent-Transfer-Encoding: binary\r\nX: y\r\n\r\n\r\r\n\r\n--B--",
         "[0  binary]\r\r\n"},
        {"multipart/related; x=\"a;boundary=C\"; Boundary=\"=B= =\"",
         "--=B= =\n\na\n--=B= =--", "[0  ]a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t step = 1; step < 60; step++) {
            const char *got = read(cases[i].type, cases[i].body, step);
            assert_non_null(got);
            assert_string_equal(got, cases[i].want);
        }
}

static void what_is_not_complete_or_too_long_is_refused(void **state)
{
    (void)state;
    char header[MULTIPART_HEADER + 100];
    snprintf(header, sizeof header, "--B\r\nX: %*d", MULTIPART_HEADER, 1);
    assert_null(read(TYPE, "", 1));
    assert_null(read(TYPE, "--B\r\n\r\nabc\r\n--B", 1));
    assert_null(read(TYPE, "--B\r\n\r\nabc\r\n--B-", 1));
    assert_null(read(TYPE, "--B\r\nX: y", 1));
    assert_null(read(TYPE, header, 100));
    assert_null(read("multipart/related", "--B--", 1));
    assert_null(read("multipart/related; boundary=", "--B--", 1));
    assert_null(
        read("multipart/related; boundary=" /* 71 of them */
             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
             "--B--", 1));
}

static int tear_down(void **state)
{
    (void)state;
    buf_free(&seen);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_told_apart_however_they_are_cut),
        cmocka_unit_test(what_is_not_complete_or_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}

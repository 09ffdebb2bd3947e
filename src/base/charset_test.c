#include "base/charset.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define BYTES(literal)                                                                   \
    {                                                                                    \
        literal, sizeof(literal) - 1                                                     \
    }

static void texts_become_utf8(void **state)
{
    (void)state;
    static const struct {
        struct text bytes;
        const char *charset, *want; /* NULL: refused */
    } cases[] = {
        {BYTES("caf\xc3\xa9"), "", "caf\xc3\xa9"},
        {BYTES("caf\xe9 \x80"), "", "caf\xc3\xa9 \xe2\x82\xac"},
        {BYTES("caf\xe9"), "utf-8", NULL},
        {BYTES("caf\xe9 \x93"), "ISO-8859-1", "caf\xc3\xa9 \xe2\x80\x9c"},
        {BYTES("caf\xe9"), "us-ascii", "caf\xc3\xa9"},
        {BYTES("\xff\xfe"
               "a\0"),
         "", "a"},
        {BYTES("\xfe\xff\0a"), "utf-8", "a"},
        {BYTES("\xef\xbb\xbf"
               "a"),
         "", "a"},
        {BYTES("\xef\xbb\xbf\xff"), "", NULL},
        {BYTES("\x82\xa0"), "shift_jis", "\xe3\x81\x82"},
        {BYTES("\0a"), "utf-16be", "a"},
        {BYTES("a"), "klingon", NULL},
        {BYTES("\xff"), "UTF-8//IGNORE", NULL},
        {BYTES("\xff"), "../../x", NULL},
        {BYTES(""), "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = {0};
        bool good = charset_decode(cases[i].bytes, text_of(cases[i].charset), &out);
        assert_int_equal(good, cases[i].want != NULL);
        assert_true(!good || text_is(buf_view(&out), cases[i].want));
        buf_free(&out);
    }
}

static void a_long_text_comes_whole(void **state)
{
    (void)state;
    struct buf bytes = {0}, out = {0};
    for (int i = 0; i < 100000; i++)
        buf_char(&bytes, '\xe9');
    assert_true(charset_decode(buf_view(&bytes), TEXT("latin1"), &out));
    assert_int_equal(out.len, 200000);
    buf_free(&bytes);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_utf8),
        cmocka_unit_test(a_long_text_comes_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Names of types, beginnings of bytes. */
#include "media/type.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *name_of(const char *mime)
{
    const struct media_type *type = media_type_of(text_of(mime));
    return type ? type->name : "none";
}

static void types_have_several_names(void **state)
{
    (void)state;
    assert_string_equal(name_of("image/jpg"), "image/jpeg");
    assert_string_equal(name_of("IMAGE/PNG"), "image/png");
    assert_string_equal(name_of("audio/mp3"), "audio/mpeg");
    assert_string_equal(name_of("audio/x-wav"), "audio/wav");
    assert_string_equal(name_of("video/mov"), "video/quicktime");
    assert_string_equal(name_of(" text/csv ; charset=utf-8"), "text/plain");
    assert_string_equal(name_of("text/html;charset=x"), "text/html");
    assert_string_equal(name_of("TEXT/x-anything"), "text/plain");
    assert_string_equal(name_of("application/json"), "application/json");
}

static void what_no_reader_knows_has_none(void **state)
{
    (void)state;
    static const char *const names[] = {"",
                                        "text",
                                        "text/",
                                        "image/svg+xml",
                                        "image",
                                        "foo/bar",
                                        ";",
                                        "application/zip",
                                        "image/p",
                                        "image/png2",
                                        "application/octet-stream"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_string_equal(name_of(names[i]), "none");
}

static void a_charset_is_found_in_the_label(void **state)
{
    (void)state;
    assert_true(
        text_is(media_charset(TEXT("text/plain; charset=\"ISO-8859-1\"")), "ISO-8859-1"));
    assert_true(
        text_is(media_charset(TEXT("text/x;a=b; Charset = koi8-r ;c")), "koi8-r"));
    assert_null(media_charset(TEXT("text/plain")).at);
    assert_null(media_charset(TEXT("text/plain;charset")).at);
}

static const char *sniffed(const char *bytes, size_t len)
{
    const struct media_type *type = media_sniff((struct text){bytes, len});
    return type ? type->name : "none";
}
#define SNIFFED(literal) sniffed(literal, sizeof(literal) - 1)

static void bytes_say_what_they_are(void **state)
{
    (void)state;
    assert_string_equal(SNIFFED("%PDF-1.7\n"), "application/pdf");
    assert_string_equal(SNIFFED("\x89PNG\r\n\x1a\n\0\0"), "image/png");
    assert_string_equal(SNIFFED("RIFF\0\0\0\0WEBPVP8 "), "image/webp");
    assert_string_equal(SNIFFED("RIFF\0\0\0\0WAVEfmt "), "audio/wav");
    assert_string_equal(SNIFFED("\0\0\0\x18"
                                "ftypheic"),
                        "image/heic");
    assert_string_equal(SNIFFED("\0\0\0\x18"
                                "ftypisom"),
                        "video/mp4");
    assert_string_equal(SNIFFED("\0\0\0\x18"
                                "ftypM4A "),
                        "audio/mp4");
    assert_string_equal(SNIFFED("\0\0\0\x14"
                                "ftypqt  "),
                        "video/quicktime");
    assert_string_equal(SNIFFED("RIFF\0\0\0\0AVI LIST"), "video/avi");
    assert_string_equal(SNIFFED("II*\0\x08\0\0\0"), "image/tiff");
    assert_string_equal(SNIFFED("MM\0*\0\0\0\x08"), "image/tiff");
    assert_string_equal(SNIFFED("\0\0\1\xba!\0"), "video/mpeg");
    assert_string_equal(SNIFFED("FLV\1\5\0\0\0\t"), "video/x-flv");
    assert_string_equal(SNIFFED("ID3\4\0"), "audio/mpeg");
    assert_string_equal(SNIFFED("\xff\xf1P\x80"), "audio/aac");
    assert_string_equal(SNIFFED("plain words\r\n\t"), "text/plain");
    assert_string_equal(SNIFFED("BMW is a car"), "text/plain");
    assert_string_equal(SNIFFED("\xff\xfeh\0i\0"), "text/plain");
    assert_string_equal(SNIFFED("MZ\x90\0\3\0"), "none");
    assert_string_equal(SNIFFED("PK\3\4"), "none");
    assert_string_equal(SNIFFED("RIFF"), "text/plain");
}

static void a_label_has_to_be_of_the_same_kind_only(void **state)
{
    (void)state;
    static const struct {
        const char *found, *label;
        bool good;
    } rows[] = {
        {"image/png", "image/jpeg", true},       {"video/mp4", "audio/mp4", true},
        {"audio/ogg", "video/webm", true},       {"text/plain", "application/json", true},
        {"image/png", "text/plain", false},      {"text/plain", "image/png", false},
        {"application/pdf", "image/png", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(media_may_be(media_type_of(text_of(rows[i].found)),
                                      media_type_of(text_of(rows[i].label))),
                         rows[i].good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_have_several_names),
        cmocka_unit_test(what_no_reader_knows_has_none),
        cmocka_unit_test(a_charset_is_found_in_the_label),
        cmocka_unit_test(bytes_say_what_they_are),
        cmocka_unit_test(a_label_has_to_be_of_the_same_kind_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

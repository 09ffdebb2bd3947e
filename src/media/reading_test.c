/* What a child says, in words. */
#include "media/reading.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct media_reading reading;
static struct error err;
static struct arena *arena;

static int open_arena(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

static void assert_words(const char *json, const char *words)
{
    assert_true(reading_of(text_of(json), TEXT(""), arena, &reading, &err));
    assert_string_equal(reading.text.at, words);
}

static void what_was_read_can_be_had_without_its_frame(void **state)
{
    (void)state;
    assert_true(reading_of(TEXT("{\"kind\":\"TEXT\",\"facts\":[\"latin1\",\"title: A\\n"
                                "page\"],\"found\":[{\"at\":\"\",\"text\":\"a]\\nb\"}]}"),
                           TEXT(""), arena, &reading, &err));
    assert_true(text_is(reading_title(&reading), "A page"));
    assert_true(text_is(reading_body(&reading), "a]\nb\n"));
    assert_true(reading_of(TEXT("{\"kind\":\"IMAGE\",\"facts\":[\"PNG\"],\"found\":[]}"),
                           TEXT(""), arena, &reading, &err));
    assert_int_equal(reading_title(&reading).len + reading_body(&reading).len, 0);
}

static void what_was_found_is_framed(void **state)
{
    (void)state;
    assert_words(
        "{\"kind\":\"IMAGE\",\"reader\":\"R 1\",\"facts\":[\"PNG\",\"2 x 3 pixels\"],"
        "\"found\":[{\"at\":\"\",\"text\":\"words\"}]}",
        "\n\n[Attached image (PNG; 2 x 3 pixels). Software read this text in it:]\n"
        "words\n[End of the attached image.]\n\n");
    assert_int_equal(reading.kind, MEDIA_IMAGE);
    assert_string_equal(reading.reader.at, "R 1");
    assert_words(
        "{\"kind\":\"AUDIO\",\"facts\":[\"mp3\"],\"notes\":[\"Cut.\"],\"found\":"
        "[{\"at\":\"0:00-0:02\",\"text\":\"Hello.\"},{\"at\":\"0:02-0:03\",\"text\":"
        "\"Bye.\"}]}",
        "\n\n[Attached audio (mp3). Cut. This is said in it:]\n[0:00-0:02] Hello.\n"
        "[0:02-0:03] Bye.\n[End of the attached audio.]\n\n");
}

static void nothing_found_is_said_too(void **state)
{
    (void)state;
    assert_words("{\"kind\":\"IMAGE\",\"found\":[]}",
                 "\n\n[Attached image. There is no text in it.]\n\n");
    assert_words("{\"kind\":\"DOCUMENT\",\"found\":[{\"at\":\"page 1\",\"text\":\"\"}]}",
                 "\n\n[Attached document. It has no text.]\n\n");
}

static void facts_cannot_break_the_frame(void **state)
{
    (void)state;
    assert_words(
        "{\"kind\":\"IMAGE\",\"reader\":\"a\\\"b\\nc\\u00e9\",\"facts\":[\"a\\nb\"]}",
        "\n\n[Attached image (a b). There is no text in it.]\n\n");
    assert_string_equal(reading.reader.at, "a?b?c??");
}

static void a_childs_complaint_is_the_callers_error(void **state)
{
    (void)state;
    assert_false(reading_of(TEXT("{\"error\":\"it is\\nbroken\"}"), TEXT(""), arena,
                            &reading, &err));
    assert_int_equal(err.code, ERROR_INVALID_ARGUMENT);
    assert_string_equal(err.message, "it is broken");
}

static void nonsense_is_our_error(void **state)
{
    (void)state;
    static const char *const rows[] = {"",
                                       "{",
                                       "[]",
                                       "{}",
                                       "{\"kind\":\"CAKE\"}",
                                       "{\"kind\":\"IMAGE\",\"more\":1}",
                                       "Traceback",
                                       "{\"kind\":\"IMAGE\",\"found\":\"x\"}"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_false(reading_of(text_of(rows[i]), TEXT(""), arena, &reading, &err));
        assert_int_equal(err.code, ERROR_INTERNAL);
    }
}

static void assert_bytes(int i, const char *bytes)
{
    assert_true(text_is(reading.pictures[i].bytes, bytes));
}

static void pictures_stand_among_the_words(void **state)
{
    (void)state;
    assert_true(reading_of(
        TEXT(
            "{\"kind\":\"VIDEO\",\"found\":[{\"at\":\"0:00\",\"text\":\"\",\"width\":2,"
            "\"height\":1},{\"at\":\"0:01\",\"text\":\"words\",\"width\":1,\"height\":1},"
            "{\"at\":\"0:00-0:01\",\"text\":\"said: Hello.\"}]}"),
        TEXT("abcdefghi"), arena, &reading, &err));
    assert_string_equal(
        reading.text.at,
        "\n\n[Attached video. What is seen and heard in it, at these times:]\n"
        "[0:00] \n[0:01] words\n\n[0:00-0:01] said: Hello.\n"
        "[End of the attached video.]\n\n");
    assert_int_equal(reading.n_pictures, 2);
    assert_bytes(0, "abcdef");
    assert_bytes(1, "ghi");
    assert_true(
        text_ends(text_slice(reading.text, 0, reading.pictures[0].at), "[0:00] "));
    assert_true(
        text_ends(text_slice(reading.text, 0, reading.pictures[1].at), "[0:01] words\n"));
    assert_int_equal(reading.pictures[0].width, 2);
}

static void a_film_of_pictures_alone_is_not_empty(void **state)
{
    (void)state;
    assert_true(reading_of(TEXT("{\"kind\":\"DOCUMENT\",\"found\":[{\"at\":\"page 1\","
                                "\"text\":\"\",\"width\":1,\"height\":1}]}"),
                           TEXT("abc"), arena, &reading, &err));
    assert_non_null(strstr(reading.text.at, "as pictures:]\n[page 1] \n[End"));
}

static void an_image_that_is_seen_needs_no_words(void **state)
{
    (void)state;
    assert_true(
        reading_of(TEXT("{\"kind\":\"IMAGE\",\"facts\":[\"PNG\"],\"found\":[{\"at\":"
                        "\"\",\"text\":\"\",\"width\":1,\"height\":2}]}"),
                   TEXT("abcdef"), arena, &reading, &err));
    assert_int_equal(reading.text.len, 0);
    assert_int_equal(reading.pictures->at, 0);
    assert_int_equal(reading.pictures->height, 2);
}

static void a_sound_has_no_width(void **state)
{
    (void)state;
    assert_true(
        reading_of(TEXT("{\"kind\":\"AUDIO\",\"facts\":[\"mp3\"],\"found\":[{\"at\":\"\","
                        "\"text\":\"\",\"samples\":2,\"width\":1,\"height\":1}]}"),
                   TEXT("abcd"), arena, &reading, &err));
    assert_string_equal(reading.text.at, "\n\n[Attached audio (mp3). Here it is:]\n\n"
                                         "[End of the attached audio.]\n\n");
    assert_int_equal(reading.pictures->n_samples, 2);
    assert_int_equal(reading.pictures->width, 0);
    assert_bytes(0, "abcd");
}

#define ONE(size) "{\"kind\":\"IMAGE\",\"found\":[{\"text\":\"\"," size "}]}"

static void pixels_are_as_many_as_the_sizes_say(void **state)
{
    (void)state;
    static const struct {
        const char *json, *pixels;
    } rows[] = {
        {ONE("\"width\":1,\"height\":1"), ""},
        {ONE("\"width\":1,\"height\":1"), "ab"},
        {ONE("\"width\":1,\"height\":1"), "abcd"},
        {ONE("\"width\":4096,\"height\":4096"), "abc"},
        {ONE("\"width\":4097,\"height\":1"), "abc"},
        {ONE("\"width\":-1,\"height\":-1"), "abc"},
        {ONE("\"width\":1"), "abc"},
        {ONE("\"samples\":2"), "abc"},
        {ONE("\"samples\":4800001"), "abcd"},
        {"{\"kind\":\"IMAGE\"}", "abc"},
        {"{\"kind\":\"IMAGE\",\"found\":[{\"width\":1,\"height\":1},{\"width\":1,"
         "\"height\":1}]}",
         "abc"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_false(reading_of(text_of(rows[i].json), text_of(rows[i].pixels), arena,
                                &reading, &err));
        assert_int_equal(err.code, ERROR_INTERNAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_read_can_be_had_without_its_frame),
        cmocka_unit_test(what_was_found_is_framed),
        cmocka_unit_test(nothing_found_is_said_too),
        cmocka_unit_test(facts_cannot_break_the_frame),
        cmocka_unit_test(a_childs_complaint_is_the_callers_error),
        cmocka_unit_test(nonsense_is_our_error),
        cmocka_unit_test(pictures_stand_among_the_words),
        cmocka_unit_test(a_film_of_pictures_alone_is_not_empty),
        cmocka_unit_test(an_image_that_is_seen_needs_no_words),
        cmocka_unit_test(a_sound_has_no_width),
        cmocka_unit_test(pixels_are_as_many_as_the_sizes_say),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}

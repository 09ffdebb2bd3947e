#include "engine/output.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Feeds `text` in pieces of the given size; what came out, and whether a stop was met. */
static bool feed_in_pieces(struct text text, size_t piece, const struct text *stops,
                           int n_stops, struct buf *out)
{
    struct output *output = output_open(stops, n_stops);
    bool stopped = false;
    for (size_t at = 0; at < text.len && !stopped; at += piece)
        stopped = output_feed(output, text_slice(text, at, at + piece), out);
    if (!stopped)
        output_end(output, out);
    output_close(output);
    return stopped;
}

static void a_stop_sequence_never_shows_however_the_text_is_cut(void **state)
{
    (void)state;
    struct text stops[] = {TEXT("Title"), TEXT("red"), TEXT("\n\n")};
    struct text text = TEXT("A Titan wore re re-dyed robes. Tit\nTitle: red\n\n");
    for (size_t piece = 1; piece <= text.len; piece++) {
        struct buf out = {0};
        assert_true(feed_in_pieces(text, piece, stops, 3, &out));
        assert_true(text_is(buf_view(&out), "A Titan wore re re-dyed robes. Tit\n"));
        buf_free(&out);
    }
}

static void of_two_stops_the_one_complete_first_ends_the_answer(void **state)
{
    (void)state;
    struct text stops[] = {TEXT("abcd"), TEXT("c")};
    struct text text = TEXT("xabcd");
    for (size_t piece = 1; piece <= text.len; piece++) {
        struct buf out = {0};
        assert_true(feed_in_pieces(text, piece, stops, 2, &out));
        assert_true(text_is(buf_view(&out), "xab"));
        buf_free(&out);
    }
}

static void what_looked_like_a_stop_comes_out_at_the_end(void **state)
{
    (void)state;
    struct text stop = TEXT("STOP");
    struct buf out = {0};
    assert_false(feed_in_pieces(TEXT("it is STO"), 1, &stop, 1, &out));
    assert_true(text_is(buf_view(&out), "it is STO"));
    buf_free(&out);
}

static void characters_come_out_whole(void **state)
{
    (void)state;
    struct text text = TEXT("na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80.");
    struct output *output = output_open(NULL, 0);
    struct buf all = {0};
    for (size_t i = 0; i < text.len; i++) {
        struct buf out = {0};
        output_feed(output, text_slice(text, i, i + 1), &out);
        assert_true(text_is_utf8(buf_view(&out)));
        buf_text(&all, buf_view(&out));
        buf_free(&out);
    }
    assert_true(text_same(buf_view(&all), text));
    buf_free(&all);
    output_close(output);
}

/* As of an answer that max_tokens cut within a character. */
static void what_is_no_character_does_not_come_out(void **state)
{
    (void)state;
    static const char BAD[] = "\xef\xbf\xbd";
    struct text stop = TEXT("STOP");
    struct text text = TEXT("a\xff b\x80\xc3\xafve \xe2\x82");
    char wanted[40];
    snprintf(wanted, sizeof wanted, "a%s b%s\xc3\xafve %s%s", BAD, BAD, BAD, BAD);
    for (size_t piece = 1; piece <= text.len; piece++) {
        struct buf out = {0};
        assert_false(feed_in_pieces(text, piece, &stop, 1, &out));
        assert_true(text_is(buf_view(&out), wanted));
        buf_free(&out);
    }
}

static void random_cuts_give_the_same_text(void **state)
{
    (void)state;
    srand(7);
    for (int round = 0; round < 2000; round++) {
        char bytes[40];
        size_t n = (size_t)(rand() % 40);
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)('a' + rand() % 2);
        struct text text = {bytes, n};
        struct text stops[] = {TEXT("abab"), TEXT("bba"), TEXT("aaaa")};
        struct buf whole = {0}, cut = {0};
        bool stopped = feed_in_pieces(text, 1, stops, 3, &whole);
        assert_int_equal(feed_in_pieces(text, 1 + (size_t)(rand() % 9), stops, 3, &cut),
                         stopped);
        assert_true(text_same(buf_view(&whole), buf_view(&cut)));
        buf_free(&whole);
        buf_free(&cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_sequence_never_shows_however_the_text_is_cut),
        cmocka_unit_test(of_two_stops_the_one_complete_first_ends_the_answer),
        cmocka_unit_test(what_looked_like_a_stop_comes_out_at_the_end),
        cmocka_unit_test(characters_come_out_whole),
        cmocka_unit_test(what_is_no_character_does_not_come_out),
        cmocka_unit_test(random_cuts_give_the_same_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

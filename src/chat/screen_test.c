#include "base/buf.h"
#include "chat/screen.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct scene {
    struct arena *arena;
    struct blocklist *words;
    struct screen *screen;
    struct buf out; /* [S]text[T]thought[C]json */
};

static int open_scene(void **state)
{
    struct arena *arena = arena_open();
    struct scene *scene = arena_new(arena, struct scene);
    scene->arena = arena;
    *state = scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    buf_free(&scene->out);
    blocklist_close(scene->words);
    arena_close(scene->arena);
    return 0;
}

static struct scene *set_up(void **state, const char *words, bool judged, bool streamed)
{
    struct scene *scene = *state;
    struct error err;
    if (words)
        scene->words = blocklist_read(text_of(words), "list", &err);
    struct screen_options options = {scene->words, judged, streamed};
    scene->screen = screen_open(scene->arena, &options);
    return scene;
}

static void say(struct scene *scene, enum part_kind kind, const char *text)
{
    struct part part = {.kind = kind, .text = text_of(text)};
    if (kind == PART_CALL)
        part = (struct part){.kind = kind, .name = TEXT("f"), .json = text_of(text)};
    screen_add(scene->screen, &part);
}

static void on_part(const struct part *part, void *arg)
{
    struct scene *scene = arg;
    buf_printf(&scene->out, "[%c]%.*s", "STC"[part->kind],
               TEXT_ARG(part->kind == PART_CALL ? part->json : part->text));
}

/* What left since the last time. */
static void left(struct scene *scene, const char *wanted)
{
    buf_clear(&scene->out);
    assert_false(screen_listed(scene->screen));
    screen_release(scene->screen, on_part, scene);
    assert_string_equal(scene->out.at ? scene->out.at : "", wanted);
}

static void due(struct scene *scene, const char *wanted)
{
    struct text text = screen_due(scene->screen);
    if (wanted) {
        assert_non_null(text.at);
        assert_true(text_is(text, wanted));
    } else {
        assert_null(text.at);
    }
}

static void what_cannot_become_a_listed_word_leaves_at_once(void **state)
{
    struct scene *scene = set_up(state, "red apple", false, true);
    say(scene, PART_TEXT, "A green ");
    left(scene, "[S]A green ");
    say(scene, PART_TEXT, "or re");
    left(scene, "[S]or ");
    say(scene, PART_TEXT, "d pear");
    left(scene, "[S]red pear");
    assert_true(screen_empty(scene->screen));
}

static void a_listed_word_does_not_leave_though_it_comes_in_pieces(void **state)
{
    struct scene *scene = set_up(state, "red apple", false, true);
    say(scene, PART_TEXT, "One r");
    left(scene, "[S]One ");
    say(scene, PART_TEXT, "ed app");
    left(scene, "");
    say(scene, PART_TEXT, "le");
    left(scene, "");
    say(scene, PART_TEXT, " now");
    assert_true(screen_listed(scene->screen));
    screen_release(scene->screen, on_part, scene);
    assert_false(screen_empty(scene->screen));
    assert_int_equal(scene->out.len, 0);
}

static void a_listed_word_at_the_end_is_seen_at_the_end(void **state)
{
    struct scene *scene = set_up(state, "red", false, true);
    say(scene, PART_TEXT, "It is red");
    left(scene, "[S]It is ");
    screen_end(scene->screen);
    assert_true(screen_listed(scene->screen));
}

/* Though "ass" came alone, it is the end of a longer word that has left in part. */
static void pieces_of_one_text_are_one_text(void **state)
{
    struct scene *scene = set_up(state, "ass", false, true);
    say(scene, PART_TEXT, "a cl");
    left(scene, "[S]a cl");
    say(scene, PART_TEXT, "ass");
    say(scene, PART_TEXT, " of");
    left(scene, "[S]ass of");
}

static void parts_leave_in_order_and_a_word_does_not_span_them(void **state)
{
    struct scene *scene = set_up(state, "redapple", false, true);
    say(scene, PART_THOUGHT, "so red");
    say(scene, PART_TEXT, "apple red");
    say(scene, PART_CALL, "{\"a\": 1}");
    say(scene, PART_CALL, "{\"a\": 2}");
    screen_end(scene->screen);
    left(scene, "[T]so red[S]apple red[C]{\"a\": 1}[C]{\"a\": 2}");
}

static void a_listed_word_in_a_call_is_found(void **state)
{
    struct scene *scene = set_up(state, "red", false, true);
    say(scene, PART_CALL, "{\"color\": \"Red\"}");
    assert_true(screen_listed(scene->screen));
}

static void an_answer_that_is_not_streamed_is_judged_once(void **state)
{
    struct scene *scene = set_up(state, NULL, true, false);
    say(scene, PART_TEXT, "One sentence. ");
    due(scene, NULL);
    say(scene, PART_TEXT, "Another.");
    screen_end(scene->screen);
    left(scene, "");
    due(scene, "One sentence. Another.");
    screen_judged(scene->screen);
    left(scene, "[S]One sentence. Another.");
    due(scene, NULL);
}

#define SENTENCE "This is a sentence of some length, and so it takes its time. "

static void a_stream_is_judged_by_sentences_with_what_was_before(void **state)
{
    struct scene *scene = set_up(state, NULL, true, true);
    say(scene, PART_TEXT, SENTENCE);
    due(scene, NULL);
    say(scene, PART_TEXT, SENTENCE "And then");
    due(scene, SENTENCE "This is a sentence of some length, and so it takes its time.");
    left(scene, "");
    screen_judged(scene->screen);
    left(scene,
         "[S]" SENTENCE "This is a sentence of some length, and so it takes its time.");
    due(scene, NULL);
    screen_end(scene->screen);
    due(scene, SENTENCE SENTENCE "And then");
    screen_judged(scene->screen);
    left(scene, "[S] And then");
    assert_true(screen_empty(scene->screen));
}

static void a_stream_without_sentences_is_judged_by_words(void **state)
{
    struct scene *scene = set_up(state, NULL, true, true);
    for (int i = 0; i < 20; i++)
        say(scene, PART_TEXT, " words");
    due(scene, NULL);
    for (int i = 0; i < 10; i++)
        say(scene, PART_TEXT, " words");
    struct text text = screen_due(scene->screen);
    assert_int_equal(text.len, 29 * strlen(" words"));
}

/* Each byte is judged, the pieces grow, and none is more than a judge sees at a time. */
static void a_long_stream_is_judged_in_few_pieces(void **state)
{
    struct scene *scene = set_up(state, NULL, true, true);
    int n_verdicts = 0;
    size_t longest = 0;
    for (int i = 0; i < 200; i++) {
        say(scene, PART_TEXT, SENTENCE);
        struct text text = screen_due(scene->screen);
        if (!text.at)
            continue;
        n_verdicts++;
        longest = text.len > longest ? text.len : longest;
        screen_judged(scene->screen);
    }
    screen_end(scene->screen);
    while (screen_due(scene->screen).at)
        screen_judged(scene->screen);
    screen_release(scene->screen, on_part, scene);
    assert_int_equal(scene->out.len, strlen("[S]") + 200 * strlen(SENTENCE));
    assert_in_range(n_verdicts, 10, 30);
    assert_in_range(longest, 1000, 3000);
}

static void what_is_judged_waits_for_the_words_and_the_other_way_round(void **state)
{
    struct scene *scene = set_up(state, "words", true, true);
    say(scene, PART_TEXT, SENTENCE SENTENCE "w");
    left(scene, "");
    screen_due(scene->screen);
    screen_judged(scene->screen);
    left(scene,
         "[S]" SENTENCE "This is a sentence of some length, and so it takes its time.");
    screen_end(scene->screen);
    left(scene, "");
    due(scene, SENTENCE SENTENCE "w");
    screen_judged(scene->screen);
    left(scene, "[S] w");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_cannot_become_a_listed_word_leaves_at_once),
        TEST(a_listed_word_does_not_leave_though_it_comes_in_pieces),
        TEST(a_listed_word_at_the_end_is_seen_at_the_end),
        TEST(pieces_of_one_text_are_one_text),
        TEST(parts_leave_in_order_and_a_word_does_not_span_them),
        TEST(a_listed_word_in_a_call_is_found),
        TEST(an_answer_that_is_not_streamed_is_judged_once),
        TEST(a_stream_is_judged_by_sentences_with_what_was_before),
        TEST(a_stream_without_sentences_is_judged_by_words),
        TEST(a_long_stream_is_judged_in_few_pieces),
        TEST(what_is_judged_waits_for_the_words_and_the_other_way_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

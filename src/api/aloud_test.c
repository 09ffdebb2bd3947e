/* Scripts of models that only speak. What comes out of a turn is
 * tests/api/test_speech.py's. */
#include "api/aloud.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct speaking alone = {.on = true};
static const struct speaking two = {
    .on = true, .speakers = {{"Joe", NULL}, {"Dr. Ann", NULL}}, .n_speakers = 2};

static void assert_script(const struct speaking *how, const char *prompt,
                          const char *want)
{
    struct text got = aloud_script(how, text_of(prompt));
    if (!text_is(got, want))
        fail_msg("'%s' gives '%.*s'", prompt, TEXT_ARG(got));
}

static void a_direction_in_front_is_not_said(void **state)
{
    (void)state;
    assert_script(&alone, "Say cheerfully: Have a nice day!", "Have a nice day!");
    assert_script(&alone, "  say:\n  Hello.\n", "Hello.");
    assert_script(&alone, "READ this slowly:One: two", "One: two");
}

static void what_is_no_direction_is_said(void **state)
{
    (void)state;
    assert_script(&alone, "Have a nice day!", "Have a nice day!");
    assert_script(&alone, "Note: no direction", "Note: no direction");
    assert_script(&alone, "Sayings: many", "Sayings: many");
    assert_script(&alone, "Say it", "Say it");
    assert_script(&alone, "Say it:", "Say it:");
    assert_script(&alone, "", "");
}

static void speakers_begin_with_the_first_line_that_is_ones(void **state)
{
    (void)state;
    assert_script(&two, "TTS this: now\nJoe: Hi\nDr. Ann: Hello",
                  "Joe: Hi\nDr. Ann: Hello");
    assert_script(&two, "Read:\n**dr. ann: Hello", "**dr. ann: Hello");
    assert_script(&two, "Nobody: speaks", "Nobody: speaks");
    assert_script(&two, "Joes: not him\nJoe: him", "Joe: him");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_direction_in_front_is_not_said),
        cmocka_unit_test(what_is_no_direction_is_said),
        cmocka_unit_test(speakers_begin_with_the_first_line_that_is_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "engine/local.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MOST = 1000 };

/* A prompt of so many words, then rows of a picture, and so on; -1: no more. */
static struct job_spec prompt_of(int32_t *tokens, const int *lengths)
{
    int n = 0;
    for (int k = 0; lengths[k] >= 0; k++)
        for (int i = 0; i < lengths[k]; i++, n++)
            tokens[n] = k % 2 ? -100 - n : 100 + n;
    return (struct job_spec){.tokens = tokens, .n_tokens = n};
}

static void words_are_exact_in_whole_pieces(void **state)
{
    (void)state;
    int32_t tokens[MOST];
    const struct job_spec spec = prompt_of(tokens, (const int[]){300, -1});
    assert_int_equal(local_exact(&spec, 300, 300), 256);
    assert_int_equal(local_exact(&spec, 256, 300), 256);
    assert_int_equal(local_exact(&spec, 300, 70), 64);
    assert_int_equal(local_exact(&spec, 300, 63), 0);
    assert_int_equal(local_exact(&spec, 0, 300), 0);
}

/* 100 words, 50 rows of a picture, 200 words, 70 rows. */
static void pieces_begin_anew_behind_a_picture(void **state)
{
    (void)state;
    int32_t tokens[MOST];
    const struct job_spec spec = prompt_of(tokens, (const int[]){100, 50, 200, 70, -1});
    assert_int_equal(local_exact(&spec, 420, 420), 420);
    assert_int_equal(local_exact(&spec, 420, 300), 150 + 128);
    assert_int_equal(local_exact(&spec, 420, 213), 150);
    assert_int_equal(local_exact(&spec, 420, 150), 150);
    assert_int_equal(local_exact(&spec, 350, 420), 150 + 192);
}

static void a_picture_is_whole_or_not_there(void **state)
{
    (void)state;
    int32_t tokens[MOST];
    const struct job_spec spec = prompt_of(tokens, (const int[]){100, 50, 200, 70, -1});
    assert_int_equal(local_exact(&spec, 420, 149), 100);
    assert_int_equal(local_exact(&spec, 420, 101), 100);
    assert_int_equal(local_exact(&spec, 420, 419), 350);
}

/* The rows may go on with words instead, and then their last piece was a longer one. */
static void words_that_end_where_a_picture_would_begin_are_not_exact(void **state)
{
    (void)state;
    int32_t tokens[MOST];
    const struct job_spec spec = prompt_of(tokens, (const int[]){100, 50, 200, 70, -1});
    assert_int_equal(local_exact(&spec, 420, 100), 64);
    assert_int_equal(local_exact(&spec, 100, 420), 64);
    assert_int_equal(local_exact(&spec, 420, 350), 150 + 192);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_exact_in_whole_pieces),
        cmocka_unit_test(pieces_begin_anew_behind_a_picture),
        cmocka_unit_test(a_picture_is_whole_or_not_there),
        cmocka_unit_test(words_that_end_where_a_picture_would_begin_are_not_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/id.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void ids_are_letters_and_digits_of_the_length(void **state)
{
    (void)state;
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyz";
    static const char ALL[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    int n_digits = 0;
    for (int i = 0; i < 1000; i++) {
        char id[25];
        id_random(id, 24);
        assert_int_equal(strlen(id), 24);
        assert_int_equal(strspn(id, ALL), 24);
        assert_true(strspn(id, LETTERS) > 0);
        for (int k = 0; k < 24; k++)
            n_digits += !strchr(LETTERS, id[k]);
    }
    assert_in_range(n_digits, 23000 * 10 / 36 - 700,
                    23000 * 10 / 36 + 700); /* ten sigmas */
}

static void no_two_are_the_same(void **state)
{
    (void)state;
    char a[25], b[25];
    id_random(a, 24);
    id_random(b, 24);
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_letters_and_digits_of_the_length),
        cmocka_unit_test(no_two_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

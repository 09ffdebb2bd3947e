#include "interactions/status.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t seed = 1;

static unsigned drawn(unsigned below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % below;
}

/* 10,000 lives of up to 30 happenings in any order: an interaction begins once, ends
 * once, and what it ended as it stays. */
static void whatever_happens_it_begins_once_and_ends_once(void **state)
{
    (void)state;
    for (int life = 0; life < 10000; life++) {
        enum status now = STATUS_NONE;
        int n_begun = 0, n_ended = 0;
        for (int i = 0; i < 30; i++) {
            enum happening h = (enum happening)drawn(N_HAPPENINGS);
            enum status next = status_after(now, h);
            if (next == STATUS_NONE)
                continue; /* refused: nothing changes */
            assert_false(status_is_over(now));
            n_begun += now == STATUS_NONE;
            n_ended += status_is_over(next);
            assert_true(n_begun == 1 && n_ended <= 1);
            assert_int_equal(h == HAPPENS_BEGIN, next == STATUS_IN_PROGRESS);
            now = next;
        }
        assert_int_equal(status_is_over(now), n_ended == 1);
    }
}

static void one_in_progress_can_end_in_every_way(void **state)
{
    (void)state;
    static const enum status ends[N_HAPPENINGS] = {
        [HAPPENS_STOP] = STATUS_COMPLETED,   [HAPPENS_CALL] = STATUS_REQUIRES_ACTION,
        [HAPPENS_CUT] = STATUS_INCOMPLETE,   [HAPPENS_FAULT] = STATUS_FAILED,
        [HAPPENS_CANCEL] = STATUS_CANCELLED,
    };
    for (int h = 0; h < N_HAPPENINGS; h++) {
        enum status end = status_after(STATUS_IN_PROGRESS, (enum happening)h);
        assert_int_equal(end, ends[h]);
        if (h != HAPPENS_BEGIN)
            assert_true(status_is_over(end));
    }
}

static void what_is_over_stays_as_it_is(void **state)
{
    (void)state;
    for (int s = 0; s < N_STATUSES; s++)
        for (int h = 0; status_is_over((enum status)s) && h < N_HAPPENINGS; h++)
            assert_int_equal(status_after((enum status)s, (enum happening)h),
                             STATUS_NONE);
}

static void each_has_a_name_of_its_own(void **state)
{
    (void)state;
    assert_null(status_name(STATUS_NONE));
    for (int a = 1; a < N_STATUSES; a++)
        for (int b = 1; b < a; b++)
            assert_string_not_equal(status_name((enum status)a),
                                    status_name((enum status)b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_it_begins_once_and_ends_once),
        cmocka_unit_test(one_in_progress_can_end_in_every_way),
        cmocka_unit_test(what_is_over_stays_as_it_is),
        cmocka_unit_test(each_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tuning/event.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct trainer_event event;

static bool reads(const char *line)
{
    return trainer_event_read(text_of(line), &event);
}

static void a_start_tells_how_far_it_is(void **state)
{
    (void)state;
    assert_true(reads("{\"event\":\"start\",\"totalSteps\":19,\"completedSteps\":4}"));
    assert_int_equal(event.kind, TRAINER_START);
    assert_int_equal(event.total, 19);
    assert_int_equal(event.n_completed, 4);
}

static void a_step_has_its_loss_and_time(void **state)
{
    (void)state;
    assert_true(reads("{\"event\":\"step\",\"step\":3,\"epoch\":1,\"meanLoss\":0.25,"
                      "\"computeTime\":\"1970-01-01T00:00:02Z\",\"more\":[1]}"));
    assert_int_equal(event.kind, TRAINER_STEP);
    assert_int_equal(event.step.step, 3);
    assert_int_equal(event.step.epoch, 1);
    assert_true(event.step.loss == 0.25);
    assert_int_equal(event.step.computed, 2000000000);
    assert_true(reads("{\"event\":\"step\",\"step\":3,\"meanLoss\":1}"));
    assert_true(event.step.computed > 1000000000LL * 1000000000);
}

static void an_error_has_its_code_and_words(void **state)
{
    (void)state;
    assert_true(reads("{\"event\":\"error\",\"status\":\"RESOURCE_EXHAUSTED\","
                      "\"message\":\"The disk is full.\"}"));
    assert_int_equal(event.error.code, ERROR_RESOURCE_EXHAUSTED);
    assert_string_equal(event.error.message, "The disk is full.");
    assert_true(reads("{\"event\":\"error\",\"status\":\"ODD\"}"));
    assert_int_equal(event.error.code, ERROR_INTERNAL);
    assert_true(event.error.message[0] != '\0');
    assert_true(reads("{\"event\":\"error\",\"status\":\"OK\",\"message\":\"x\"}"));
    assert_int_equal(event.error.code, ERROR_INTERNAL);
}

static void what_is_no_event_is_none(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "x",
        "[]",
        "{}",
        "{\"event\":\"pause\"}",
        "{\"event\":\"step\",\"step\":1}",
        "{\"event\":\"step\",\"meanLoss\":1}",
        "{\"event\":\"step\",\"step\":-1,\"meanLoss\":1}",
        "{\"event\":\"step\",\"step\":1,\"meanLoss\":NaN}",
        "{\"event\":\"start\",\"totalSteps\":\"many\"}",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (reads(lines[i]))
            fail_msg("%s", lines[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_tells_how_far_it_is),
        cmocka_unit_test(a_step_has_its_loss_and_time),
        cmocka_unit_test(an_error_has_its_code_and_words),
        cmocka_unit_test(what_is_no_event_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

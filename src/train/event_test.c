#include "train/event.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct train_event event;

static bool reads(const char *line)
{
    return train_event_read(text_of(line), &event);
}

static void a_start_tells_how_far_it_is(void **state)
{
    (void)state;
    assert_true(reads("{\"event\":\"start\",\"totalSteps\":19,\"completedSteps\":4}"));
    assert_int_equal(event.kind, TRAIN_START);
    assert_int_equal(event.total, 19);
    assert_int_equal(event.n_completed, 4);
}

static void a_step_has_its_loss_and_time(void **state)
{
    (void)state;
    assert_true(reads("{\"event\":\"step\",\"step\":3,\"epoch\":1,\"meanLoss\":0.25,"
                      "\"computeTime\":\"1970-01-01T00:00:02Z\",\"more\":[1]}"));
    assert_int_equal(event.kind, TRAIN_STEP);
    assert_int_equal(event.step, 3);
    assert_int_equal(event.epoch, 1);
    assert_true(event.loss == 0.25);
    assert_int_equal(event.computed, 2000000000);
    assert_true(reads("{\"event\":\"step\",\"step\":3,\"meanLoss\":1}"));
    assert_true(event.computed > 1000000000LL * 1000000000);
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

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct train_event wrote[] = {
        {.kind = TRAIN_START, .total = 19, .n_completed = 0},
        {.kind = TRAIN_STEP,
         .step = 7,
         .epoch = 2,
         .n_tokens = 160,
         .loss = 0.1,
         .computed = 5000},
        {.kind = TRAIN_DONE},
        {.kind = TRAIN_ERROR},
    };
    error_set(&wrote[3].error, ERROR_RESOURCE_EXHAUSTED, "a \"full\"\ndisk");
    for (size_t i = 0; i < sizeof wrote / sizeof wrote[0]; i++) {
        struct buf line = {0};
        train_event_write(&wrote[i], &line);
        assert_true(line.at[line.len - 1] == '\n' &&
                    !memchr(line.at, '\n', line.len - 1));
        assert_true(reads(line.at));
        assert_int_equal(event.kind, wrote[i].kind);
        assert_int_equal(event.total, wrote[i].total);
        assert_int_equal(event.n_completed, wrote[i].n_completed);
        assert_int_equal(event.step, wrote[i].step);
        assert_int_equal(event.epoch, wrote[i].epoch);
        assert_int_equal(event.n_tokens, wrote[i].n_tokens);
        assert_true(event.loss == wrote[i].loss);
        assert_int_equal(event.error.code, wrote[i].error.code);
        assert_string_equal(event.error.message, wrote[i].error.message);
        if (wrote[i].computed)
            assert_int_equal(event.computed, wrote[i].computed);
        buf_free(&line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_tells_how_far_it_is),
        cmocka_unit_test(a_step_has_its_loss_and_time),
        cmocka_unit_test(an_error_has_its_code_and_words),
        cmocka_unit_test(what_is_no_event_is_none),
        cmocka_unit_test(what_is_written_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

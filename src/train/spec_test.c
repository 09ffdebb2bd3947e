#include "train/spec.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena *arena;
static struct error err;

static void what_is_written_is_read(void **state)
{
    (void)state;
    const struct train_spec wrote = {
        .base = TEXT("/models/a \"b\".gguf"),
        .examples = TEXT("examples.jsonl"),
        .adapter = TEXT("from.gguf"),
        .epochs = 7,
        .batch = 16,
        .rank = 4,
        .threads = 0,
        .checkpoint_s = 0,
        .rate = 0.0002,
        .seed = 9007199254740993,
    };
    struct train_spec read;
    struct buf json = {0};
    train_spec_write(&wrote, &json);
    assert_true(train_spec_read(buf_view(&json), &read, arena, &err));
    buf_free(&json);
    assert_true(text_same(read.base, wrote.base));
    assert_true(text_same(read.examples, wrote.examples));
    assert_true(text_same(read.adapter, wrote.adapter));
    assert_int_equal(read.epochs, 7);
    assert_int_equal(read.batch, 16);
    assert_int_equal(read.rank, 4);
    assert_int_equal(read.threads, 0);
    assert_int_equal(read.checkpoint_s, 0);
    assert_true(read.rate == 0.0002);
    assert_true(read.seed == 9007199254740993);
}

static void what_is_left_out_has_defaults(void **state)
{
    (void)state;
    struct train_spec spec;
    assert_true(
        train_spec_read(TEXT("{\"base\":\"b\",\"examples\":\"e\"}"), &spec, arena, &err));
    assert_null(spec.adapter.at);
    assert_int_equal(spec.epochs, 5);
    assert_int_equal(spec.batch, 4);
    assert_int_equal(spec.rank, 8);
    assert_int_equal(spec.checkpoint_s, TRAIN_CHECKPOINT_S);
    assert_true(spec.rate == 0.001);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "{\"base\":\"b\"}",
        "{\"examples\":\"e\"}",
        "{\"base\":\"b\",\"examples\":\"e\",\"epochCount\":0}",
        "{\"base\":\"b\",\"examples\":\"e\",\"learningRate\":2}",
        "{\"base\":\"b\",\"examples\":\"e\",\"rank\":257}",
        "{\"base\":\"b\",\"examples\":\"e\",\"colour\":1}",
        "[]",
    };
    struct train_spec spec;
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++)
        if (train_spec_read(text_of(specs[i]), &spec, arena, &err))
            fail_msg("%s", specs[i]);
}

static void steps_are_rounded_up(void **state)
{
    (void)state;
    assert_int_equal(train_steps(15, 5, 4), 19);
    assert_int_equal(train_steps(4, 1, 4), 1);
    assert_int_equal(train_steps(1, 1, 4096), 1);
    assert_int_equal(train_steps(100000, 10000, 1), 1000000000);
}

static int set_up(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_is_left_out_has_defaults),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(steps_are_rounded_up),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

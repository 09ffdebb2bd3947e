/* The loop on a tiny model: it learns, repeats itself, goes on from a checkpoint; and its
 * adapter goes through a file unharmed. */
#include "train/scene.h"
#include "train/trainer.h"
#include <math.h>

enum { N_EXAMPLES = 6 };

struct course {
    struct base *base;
    struct adapter *adapter;
    struct net *net;
    struct trainer *trainer;
    struct example *examples;
    struct error err;
};

static struct course course(uint64_t seed)
{
    struct course c = {0};
    struct net_options options = {.n_threads = 2};
    struct train_settings settings = {
        .epochs = 8, .batch = 4, .rate = 0.02, .seed = seed};
    c.base = base_open(tinies[1].path, 2, &c.err);
    c.adapter = adapter_new(c.base, 4, 8, seed);
    c.net = net_open(c.base, c.adapter, &options, &c.err);
    c.examples = mem_alloc(sizeof(*c.examples) * N_EXAMPLES);
    for (int i = 0; i < N_EXAMPLES; i++)
        c.examples[i] = random_example((uint64_t)i, 8 + i, 3, TINY_VOCAB);
    c.trainer = trainer_open(c.net, c.adapter, c.examples, N_EXAMPLES, &settings);
    return c;
}

static void end(struct course *c)
{
    trainer_close(c->trainer);
    net_close(c->net);
    adapter_close(c->adapter);
    base_close(c->base);
    for (int i = 0; i < N_EXAMPLES; i++)
        free(c->examples[i].tokens);
    free(c->examples);
}

static struct train_step step(struct course *c)
{
    struct train_step s;
    if (!trainer_step(c->trainer, &s, &c->err))
        fail_msg("%s", c->err.message);
    return s;
}

static void losses_fall_and_steps_are_counted(void **state)
{
    (void)state;
    struct course c = course(1);
    const int epochs[] = {1, 1, 2, 3, 3, 4, 5, 5, 6, 7, 7, 8};
    double first = 0, last = 0;
    assert_int_equal(trainer_total(c.trainer), 12);
    for (int i = 0; i < 12; i++) {
        struct train_step s = step(&c);
        assert_int_equal(s.step, i + 1);
        assert_int_equal(s.epoch, epochs[i]);
        assert_true(s.n_rows <= s.n_tokens + 15);
        first = i == 0 ? s.loss : first;
        last = s.loss;
    }
    assert_int_equal(trainer_done(c.trainer), 12);
    assert_true(last < 0.5 * first);
    end(&c);
}

static void the_seed_decides_everything(void **state)
{
    (void)state;
    struct course a = course(1), same = course(1), other = course(2);
    for (int i = 0; i < 3; i++) {
        double loss = step(&a).loss;
        assert_true(loss == step(&same).loss);
        assert_true(loss != step(&other).loss);
    }
    assert_memory_equal(a.adapter->values, same.adapter->values,
                        sizeof(float) * a.adapter->n);
    end(&a);
    end(&same);
    end(&other);
}

static void from_a_checkpoint_it_goes_on_to_the_same_numbers(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof(path), "/tmp/pollux-checkpoint-%d", (int)getpid());
    unlink(path);
    struct course a = course(1), again = course(1);
    assert_false(trainer_load(again.trainer, 77, path, &again.err));
    assert_int_equal(again.err.code, ERROR_OK); /* there is none */
    for (int i = 0; i < 5; i++)
        step(&a);
    assert_true(trainer_save(a.trainer, 77, path, &a.err));
    assert_false(trainer_load(again.trainer, 78, path, &again.err));
    assert_int_equal(again.err.code, ERROR_INVALID_ARGUMENT);
    assert_true(trainer_load(again.trainer, 77, path, &again.err));
    assert_int_equal(trainer_done(again.trainer), 5);
    for (int i = 5; i < 12; i++)
        assert_true(step(&a).loss == step(&again).loss);
    assert_memory_equal(a.adapter->values, again.adapter->values,
                        sizeof(float) * a.adapter->n);
    assert_int_equal(truncate(path, 1000), 0);
    assert_false(trainer_load(again.trainer, 77, path, &again.err));
    unlink(path);
    end(&a);
    end(&again);
}

static void too_high_a_rate_is_said(void **state)
{
    (void)state;
    struct course c = course(1);
    c.adapter->values[0] = INFINITY;
    struct train_step s;
    assert_false(trainer_step(c.trainer, &s, &c.err));
    assert_int_equal(c.err.code, ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(c.err.message, "smaller learningRate"));
    end(&c);
}

static void an_adapter_comes_out_of_its_file_as_it_went_in(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof(path), "/tmp/pollux-adapter-%d.gguf", (int)getpid());
    struct course c = course(1);
    for (int i = 0; i < 2; i++)
        step(&c);
    assert_true(adapter_save(c.adapter, c.base, path, &c.err));
    struct adapter *read = adapter_load(c.base, path, 9, &c.err);
    assert_non_null(read);
    assert_int_equal(read->rank, 4);
    assert_true(read->alpha == 8);
    assert_memory_equal(read->values, c.adapter->values, sizeof(float) * read->n);
    adapter_close(read);
    /* Of another family: the same shapes, but not the same model. */
    struct base *other = base_open(tinies[0].path, 2, &c.err);
    assert_null(adapter_load(other, path, 9, &c.err));
    assert_int_equal(c.err.code, ERROR_INVALID_ARGUMENT);
    assert_null(adapter_load(other, tinies[0].path, 9, &c.err)); /* no adapter at all */
    base_close(other);
    unlink(path);
    end(&c);
}

static int make(void **state)
{
    (void)state;
    tiny_make(&tinies[0]);
    tiny_make(&tinies[1]);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    unlink(tinies[0].path);
    unlink(tinies[1].path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_fall_and_steps_are_counted),
        cmocka_unit_test(the_seed_decides_everything),
        cmocka_unit_test(from_a_checkpoint_it_goes_on_to_the_same_numbers),
        cmocka_unit_test(too_high_a_rate_is_said),
        cmocka_unit_test(an_adapter_comes_out_of_its_file_as_it_went_in),
    };
    return cmocka_run_group_tests(tests, make, drop);
}

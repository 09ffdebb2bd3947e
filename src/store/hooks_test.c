#include "base/scratch.h"
#include "store/hooks.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena *arena;
static struct store *store;
static struct error err;

static int set_up(void **state)
{
    static char folder[64];
    snprintf(folder, sizeof folder, "/tmp/pollux-hooks-XXXXXX");
    *state = mkdtemp(folder);
    arena = arena_open();
    store = store_open(folder, &err);
    return store ? 0 : -1;
}

static int tear_down(void **state)
{
    store_close(store);
    arena_close(arena);
    return scratch_remove(*state);
}

static void add(const struct hook *hooks, int n)
{
    assert_true(store_begin(store, &err) &&
                store_end(store, hooks_add(store, hooks, n, &err), &err));
}

static void hooks_come_when_they_are_due_until_they_are_done(void **state)
{
    (void)state;
    struct hook in[] = {{TEXT("1"), TEXT("a"), TEXT("http://x"), TEXT("{}"), 0, 10},
                        {TEXT("2"), TEXT("a"), TEXT("http://y"), TEXT("{}"), 0, 20}};
    struct hook *out;
    int64_t next;
    int n;
    add(in, 2);
    assert_true(hooks_due(store, 10, 5, arena, &out, &n, &next, &err));
    assert_true(n == 1 && text_is(out[0].id, "1") && text_is(out[0].owner, "a"));
    assert_true(next == 20);
    out[0].tries = 1;
    out[0].due = 30;
    assert_true(hooks_again(store, &out[0], &err));
    assert_true(hooks_done(store, TEXT("2"), &err));
    assert_true(hooks_due(store, 10, 5, arena, &out, &n, &next, &err));
    assert_true(n == 0 && next == 30);
    assert_true(hooks_due(store, 30, 5, arena, &out, &n, &next, &err));
    assert_true(n == 1 && out[0].tries == 1 && text_is(out[0].uri, "http://x") && !next);
}

static void more_are_due_than_are_asked_for(void **state)
{
    (void)state;
    struct hook in[] = {{TEXT("1"), TEXT("a"), TEXT("u"), TEXT("{}"), 0, 3},
                        {TEXT("2"), TEXT("a"), TEXT("u"), TEXT("{}"), 0, 1},
                        {TEXT("3"), TEXT("b"), TEXT("u"), TEXT("{}"), 0, 2}};
    struct hook *out;
    int64_t next;
    int n;
    add(in, 3);
    assert_true(hooks_due(store, 10, 2, arena, &out, &n, &next, &err));
    assert_true(n == 2 && text_is(out[0].id, "2") && text_is(out[1].id, "3"));
    assert_true(next == 3);
}

static void the_same_is_not_told_twice(void **state)
{
    (void)state;
    const struct hook hook = {TEXT("1"), TEXT("a"), TEXT("u"), TEXT("{}"), 0, 1};
    add(&hook, 1);
    assert_true(store_begin(store, &err));
    assert_false(store_end(store, hooks_add(store, &hook, 1, &err), &err));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hooks_come_when_they_are_due_until_they_are_done),
        TEST(more_are_due_than_are_asked_for),
        TEST(the_same_is_not_told_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

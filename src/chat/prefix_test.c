#include "chat/prefix.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* A scripted engine, a chat, and the rows that came of it. */
static struct arena *arena;
static struct loop *loop;
static struct engine *engine;
static struct runner *runner;
static struct chat chat;
static struct prefix prefixes[PROMPT_FORMS];
static int n_prefixes, n_calls, n_rows;
static struct saved_rows *rows[PROMPT_FORMS];
static struct error err;

static int set_up(void **state)
{
    static const char script[] = "{\"context\":60,\"replies\":[{\"text\":\"x\"}]}";
    char path[] = "/tmp/prefix_test.XXXXXX";
    int fd = mkstemp(path);
    (void)state;
    assert_int_equal(write(fd, script, sizeof script - 1), sizeof script - 1);
    close(fd);
    engine = script_open(path, &err);
    unlink(path);
    if (!engine)
        fail_msg("%s", err.message);
    arena = arena_open();
    loop = loop_open();
    runner = runner_open(loop, engine, &err);
    assert_non_null(runner);
    chat = (struct chat){.n_candidates = 1};
    n_calls = n_rows = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < n_rows; i++)
        rows_release(rows[i]);
    runner_close(runner);
    engine_close(engine);
    loop_close(loop);
    arena_close(arena);
    return 0;
}

static void says(enum role role, const char *words)
{
    struct turn_of *turns = arena_array(arena, struct turn_of, (size_t)chat.n_turns + 1);
    struct part *part = arena_new(arena, struct part);
    *part = (struct part){.kind = PART_TEXT, .text = text_of(words)};
    for (int i = 0; i < chat.n_turns; i++)
        turns[i] = chat.turns[i];
    turns[chat.n_turns++] = (struct turn_of){role, part, 1};
    chat.turns = turns;
}

static void find(void)
{
    if (!prefix_find(runner_prompter(runner), &chat, arena, prefixes, &n_prefixes, &err))
        fail_msg("%s", err.message);
}

static void a_prefix_is_what_any_prompt_begins_with(void **state)
{
    (void)state;
    struct prompt prompt, before;
    chat.system = TEXT("You are a parrot.");
    says(ROLE_USER, "One.");
    says(ROLE_MODEL, "Two.");
    find();
    assert_int_equal(n_prefixes, 1);
    assert_true(prompt_text(runner_prompter(runner), &chat, arena, &before, &err));
    says(ROLE_USER, "\nThree, four?");
    assert_true(prompt_text(runner_prompter(runner), &chat, arena, &prompt, &err));
    int n = 0;
    while (n < prefixes[0].n && prefixes[0].tokens[n] == prompt.tokens[n])
        n++;
    assert_true(n > before.n_tokens - 8);
    assert_true(n >= prefixes[0].n - 2 && n < prompt.n_tokens);
}

static void a_system_instruction_alone_has_one(void **state)
{
    (void)state;
    chat.system = TEXT("You are a parrot.");
    find();
    assert_int_equal(n_prefixes, 1);
    assert_true(prefixes[0].n > 4);
}

static void on_made(struct saved_rows **made, int n, const struct error *error, void *arg)
{
    assert_ptr_equal(arg, &chat);
    n_calls++;
    n_rows = n;
    for (int i = 0; i < n; i++)
        rows[i] = made[i];
    if (error)
        err = *error;
    loop_stop(loop);
}

static struct prefix_work *start(void)
{
    return prefix_start(runner, prefixes, n_prefixes, TEXT("m"), NULL, arena, on_made,
                        &chat, &err);
}

static void the_engine_makes_its_rows(void **state)
{
    (void)state;
    says(ROLE_USER, "One, two, three.");
    find();
    assert_non_null(start());
    loop_run(loop);
    assert_int_equal(n_calls, 1);
    assert_int_equal(n_rows, 1);
    assert_int_equal(rows[0]->n_tokens, prefixes[0].n);
    assert_int_equal(rows_common(rows[0], prefixes[0].tokens, prefixes[0].n),
                     prefixes[0].n);
}

static void one_that_was_cancelled_ends_with_that(void **state)
{
    (void)state;
    says(ROLE_USER, "One, two, three.");
    find();
    prefix_cancel(start());
    loop_run(loop);
    assert_int_equal(n_calls, 1);
    assert_int_equal(n_rows, 0);
    assert_int_equal(err.code, ERROR_CANCELLED);
}

static void one_that_is_too_long_is_refused_with_both_numbers(void **state)
{
    (void)state;
    says(ROLE_USER,
         "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i "
         "j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p");
    find();
    assert_null(start());
    assert_int_equal(err.code, ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "(59)"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_prefix_is_what_any_prompt_begins_with),
        TEST(a_system_instruction_alone_has_one),
        TEST(the_engine_makes_its_rows),
        TEST(one_that_was_cancelled_ends_with_that),
        TEST(one_that_is_too_long_is_refused_with_both_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

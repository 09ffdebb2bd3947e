#include "base/scratch.h"
#include "interactions/interactions.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static char folder[] = "/tmp/pollux-inter-XXXXXX";
static struct store *store;
static struct interactions *is;
static struct arena *arena;
static struct error err;

static void open_world(int64_t keep_s)
{
    store = store_open(folder, &err);
    assert_non_null(store);
    is = interactions_open(store, keep_s);
}

static void close_world(void)
{
    interactions_close(is);
    store_close(store);
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(scratch_folder(folder, sizeof folder));
    arena = arena_open();
    open_world(1000);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close_world();
    arena_close(arena);
    return scratch_remove(folder);
}

static const int64_t AGES = INT64_C(4000000000) * 1000000000; /* ns: in the year 2096 */

static struct interaction made(const char *id, const char *previous, enum status status)
{
    return (struct interaction){
        .id = text_of(id),
        .previous = text_of(previous),
        .status = status,
        .created = AGES,
        .updated = AGES,
        .request = TEXT("{\"model\":\"m\"}"),
        .input = TEXT("[{\"type\":\"user_input\"}]"),
        .steps = TEXT("[]"),
        .outcome = TEXT("{}"),
    };
}

static void add(const char *id, const char *previous, enum status status)
{
    struct interaction row = made(id, previous, status);
    assert_true(interactions_add(is, &row, NULL, &err));
}

static bool is_there(const char *id)
{
    struct interaction row;
    return interactions_get(is, text_of(id), arena, &row, &err);
}

static void what_was_kept_is_there_after_a_restart(void **state)
{
    (void)state;
    struct interaction row;
    add("a", NULL, STATUS_COMPLETED);
    close_world();
    open_world(1000);
    assert_true(interactions_get(is, TEXT("a"), arena, &row, &err));
    assert_true(text_is(row.request, "{\"model\":\"m\"}") && !row.previous.at);
    assert_int_equal(row.status, STATUS_COMPLETED);
    assert_true(row.created == AGES);
    assert_false(is_there("b"));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void a_chain_comes_with_its_oldest_first(void **state)
{
    (void)state;
    struct interaction *rows;
    int n;
    add("a", NULL, STATUS_COMPLETED);
    add("b", "a", STATUS_REQUIRES_ACTION);
    add("c", "b", STATUS_INCOMPLETE);
    assert_true(interactions_chain(is, TEXT("c"), arena, &rows, &n, &err));
    assert_int_equal(n, 3);
    assert_true(text_is(rows[0].id, "a") && text_is(rows[2].id, "c"));
}

static void a_chain_with_a_link_that_is_gone_is_not_found(void **state)
{
    (void)state;
    struct interaction *rows;
    int n;
    add("a", NULL, STATUS_COMPLETED);
    add("b", "a", STATUS_COMPLETED);
    assert_true(interactions_delete(is, TEXT("a"), &err));
    assert_false(interactions_chain(is, TEXT("b"), arena, &rows, &n, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void nothing_goes_on_from_one_in_progress(void **state)
{
    (void)state;
    struct interaction *rows;
    int n;
    add("a", NULL, STATUS_IN_PROGRESS);
    assert_false(interactions_chain(is, TEXT("a"), arena, &rows, &n, &err));
    assert_int_equal(err.code, ERROR_FAILED_PRECONDITION);
}

static void a_log_is_read_from_any_event_on(void **state)
{
    (void)state;
    struct interaction row = made("a", NULL, STATUS_IN_PROGRESS);
    struct log_piece begin = {1, 2, TEXT("1\n2\n")}, more = {3, 1, TEXT("3\n")}, *pieces;
    int n;
    assert_true(interactions_add(is, &row, &begin, &err));
    row.status = STATUS_COMPLETED;
    row.steps = TEXT("[1]");
    assert_true(interactions_write(is, row.id, &more, &row, &err));
    assert_true(interactions_log(is, row.id, 0, arena, &pieces, &n, &err));
    assert_int_equal(n, 2);
    assert_true(text_is(pieces[0].lines, "1\n2\n") && text_is(pieces[1].lines, "3\n"));
    assert_true(interactions_log(is, row.id, 2, arena, &pieces, &n, &err));
    assert_true(n == 1 && pieces[0].first == 3 && pieces[0].n == 1);
    assert_true(interactions_get(is, row.id, arena, &row, &err));
    assert_true(row.status == STATUS_COMPLETED && text_is(row.steps, "[1]"));
}

static void a_deleted_one_takes_its_log_with_it(void **state)
{
    (void)state;
    struct interaction row = made("a", NULL, STATUS_COMPLETED);
    struct log_piece begin = {1, 1, TEXT("1\n")}, *pieces;
    int n;
    assert_true(interactions_add(is, &row, &begin, &err));
    assert_true(interactions_delete(is, row.id, &err));
    assert_false(is_there("a"));
    assert_true(interactions_log(is, row.id, 0, arena, &pieces, &n, &err));
    assert_int_equal(n, 0);
    assert_false(interactions_delete(is, row.id, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_false(interactions_write(is, row.id, NULL, &row, &err));
}

static void those_cut_off_are_found(void **state)
{
    (void)state;
    struct interaction *rows;
    int n;
    add("a", NULL, STATUS_COMPLETED);
    add("b", NULL, STATUS_IN_PROGRESS);
    assert_true(interactions_cut_off(is, arena, &rows, &n, &err));
    assert_true(n == 1 && text_is(rows[0].id, "b"));
}

/* Made long ago: the time it is kept for is over. */
static void an_expired_one_is_gone_at_once_and_swept_later(void **state)
{
    (void)state;
    struct interaction row = made("a", NULL, STATUS_COMPLETED);
    row.created = 1;
    assert_true(interactions_add(is, &row, NULL, &err));
    add("b", NULL, STATUS_COMPLETED);
    assert_false(is_there("a"));
    assert_int_equal(interactions_sweep(is), 1);
    assert_int_equal(interactions_sweep(is), 0);
    assert_true(is_there("b"));
}

static void one_that_is_kept_for_ever_does_not_expire(void **state)
{
    (void)state;
    struct interaction row = made("a", NULL, STATUS_COMPLETED);
    close_world();
    open_world(0);
    row.created = 1;
    assert_true(interactions_add(is, &row, NULL, &err));
    assert_int_equal(interactions_sweep(is), 0);
    assert_true(is_there("a"));
}

static void hooks_are_written_with_the_end_and_go_with_the_interaction(void **state)
{
    (void)state;
    struct interaction row = made("a", NULL, STATUS_COMPLETED);
    struct hook in = {TEXT("1"), TEXT("a"), TEXT("http://x"), TEXT("{}"), 0, 10}, *out;
    int64_t next;
    int n;
    row.hooks = &in;
    row.n_hooks = 1;
    assert_true(interactions_add(is, &row, NULL, &err));
    assert_true(hooks_due(store, 10, 5, arena, &out, &n, &next, &err));
    assert_true(n == 1 && text_is(out[0].uri, "http://x"));
    assert_true(interactions_delete(is, TEXT("a"), &err));
    assert_true(hooks_due(store, 10, 5, arena, &out, &n, &next, &err));
    assert_true(n == 0 && next == 0);
}

static void ids_are_no_two_the_same(void **state)
{
    (void)state;
    struct text a = interactions_new_id(arena), b = interactions_new_id(arena);
    assert_false(text_same(a, b));
    assert_true(text_starts(a, "v1_") && a.len <= INTERACTION_ID_MOST);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_kept_is_there_after_a_restart),
        TEST(a_chain_comes_with_its_oldest_first),
        TEST(a_chain_with_a_link_that_is_gone_is_not_found),
        TEST(nothing_goes_on_from_one_in_progress),
        TEST(a_log_is_read_from_any_event_on),
        TEST(a_deleted_one_takes_its_log_with_it),
        TEST(those_cut_off_are_found),
        TEST(an_expired_one_is_gone_at_once_and_swept_later),
        TEST(one_that_is_kept_for_ever_does_not_expire),
        TEST(hooks_are_written_with_the_end_and_go_with_the_interaction),
        TEST(ids_are_no_two_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

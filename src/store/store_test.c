#include "base/scratch.h"
#include "store/store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static char folder[] = "/tmp/pollux-store-XXXXXX";
static struct error err;

static int set_up(void **state)
{
    if (!scratch_folder(folder, sizeof folder))
        return -1;
    *state = store_open(folder, &err);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    store_close(*state);
    return scratch_remove(folder);
}

static const char insert[] = "INSERT INTO blobs (hash, size, refs) VALUES (?, ?, ?)";
static const char count[] = "SELECT COUNT(*) FROM blobs";

static bool add(struct store *store, const char *hash, int64_t size)
{
    return store_run(
        store, insert,
        STORE_VALUES(STORE_TEXT(text_of(hash)), STORE_INT(size), STORE_INT(1)), NULL,
        &err);
}

static int64_t n_rows(struct store *store)
{
    int64_t n = -1;
    assert_true(store_begin(store, &err));
    assert_true(
        store_end(store, store_number(store, count, STORE_NO_VALUES, 0, &n, &err), &err));
    return n;
}

static void what_is_committed_is_there_and_what_is_taken_back_is_not(void **state)
{
    assert_true(store_begin(*state, &err));
    assert_true(add(*state, "a", 1));
    assert_true(store_end(*state, true, &err));
    assert_true(store_begin(*state, &err));
    assert_true(add(*state, "b", 2));
    assert_false(store_end(*state, false, &err));
    assert_int_equal(n_rows(*state), 1);
    store_close(*state);
    *state = store_open(folder, &err);
    assert_int_equal(n_rows(*state), 1);
}

static void rows_come_one_by_one(void **state)
{
    static const char ask[] =
        "SELECT hash, size, NULL FROM blobs WHERE size > ? ORDER BY size";
    struct arena *arena = arena_open();
    assert_true(store_begin(*state, &err));
    for (int i = 0; i < 5; i++)
        assert_true(add(*state, (char[]){(char)('a' + i), 0}, i));
    struct rows *rows = store_ask(*state, ask, STORE_VALUES(STORE_INT(1)), &err);
    for (int i = 2; i < 5; i++) {
        assert_true(store_next(rows, &err));
        assert_int_equal(store_text(rows, 0, arena).at[0], 'a' + i);
        assert_int_equal(store_int(rows, 1), i);
        assert_null(store_text(rows, 2, arena).at);
    }
    assert_false(store_next(rows, &err));
    assert_int_equal(err.code, ERROR_OK);
    store_done(rows);
    assert_true(store_end(*state, true, &err));
    arena_close(arena);
}

static void an_error_is_told_and_takes_all_back(void **state)
{
    assert_true(store_begin(*state, &err));
    assert_true(add(*state, "a", 1));
    assert_false(add(*state, "a", 1)); /* the key is there */
    assert_int_equal(err.code, ERROR_INTERNAL);
    assert_non_null(strstr(err.message, "UNIQUE"));
    assert_false(store_end(*state, false, &err));
    assert_int_equal(n_rows(*state), 0);
}

static void a_second_server_is_refused(void **state)
{
    (void)state;
    assert_null(store_open(folder, &err));
    assert_non_null(strstr(err.message, "another Pollux"));
    assert_null(store_open("/nonexistent", &err));
}

static void a_newer_database_is_refused(void **state)
{
    assert_true(store_begin(*state, &err));
    assert_true(
        store_run(*state, "PRAGMA user_version = 1000", STORE_NO_VALUES, NULL, &err));
    assert_true(store_end(*state, true, &err));
    store_close(*state);
    *state = store_open(folder, &err);
    assert_null(*state);
    assert_non_null(strstr(err.message, "newer"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_committed_is_there_and_what_is_taken_back_is_not),
        TEST(rows_come_one_by_one),
        TEST(an_error_is_told_and_takes_all_back),
        TEST(a_second_server_is_refused),
        TEST(a_newer_database_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

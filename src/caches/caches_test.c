#include "base/scratch.h"
#include "caches/caches.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/pollux-caches-XXXXXX";
static struct store *store;
static struct blobs *blobs;
static struct caches *caches;
static struct arena *arena;
static struct error err;

static bool nothing(const char *name, void *arg)
{
    (void)name, (void)arg;
    return false;
}

static void open_world(const char *key, int64_t disk, int64_t memory)
{
    const struct caches_options options = {text_of(key), disk, memory};
    store = store_open(folder, &err);
    assert_non_null(store);
    blobs = blobs_open(store, &err);
    assert_true(blobs_sweep(blobs, nothing, NULL, &err));
    caches = caches_open(store, blobs, &options, &err);
    assert_non_null(caches);
}

static void close_world(void)
{
    caches_close(caches);
    blobs_close(blobs);
    store_close(store);
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(scratch_folder(folder, sizeof folder));
    arena = arena_open();
    open_world("key", 1 << 20, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close_world();
    arena_close(arena);
    return scratch_remove(folder);
}

static struct saved_rows *rows_of(int seed, size_t len)
{
    int32_t tokens[] = {seed, 2, 3};
    struct saved_rows *rows = rows_make(tokens, 3, 2, len);
    memset(rows_state(rows), seed, len);
    return rows;
}

static struct cache_entry make(int seed, size_t len)
{
    struct saved_rows *rows = rows_of(seed, len);
    struct cache_entry entry = {.model = TEXT("models/m"),
                                .body = TEXT("{\"x\":1}"),
                                .n_tokens = 3,
                                .expires = INT64_MAX};
    assert_true(caches_create(caches, &entry, NULL, &rows, 1, arena, &err));
    rows_release(rows);
    return entry;
}

/* How many rows there are; the first one's state begins with this. -1: some lack. */
static int rows_there(struct text id, char *first)
{
    struct saved_rows *rows[CACHE_FORMS];
    int n = 0;
    bool good = caches_rows(caches, id, NULL, NULL, rows, &n);
    if (n > 0 && first)
        *first = rows[0]->state.at[0];
    for (int i = 0; i < n; i++)
        rows_release(rows[i]);
    return good ? n : -1;
}

static void run_sql(const char *sql)
{
    assert_true(store_begin(store, &err));
    assert_true(
        store_end(store, store_run(store, sql, STORE_NO_VALUES, NULL, &err), &err));
}

static int n_blobs(void)
{
    char command[120];
    snprintf(command, sizeof command, "find %s/blobs %s/parts -type f | wc -l", folder,
             folder);
    FILE *out = popen(command, "r");
    int n = -1;
    assert_int_equal(fscanf(out, "%d", &n), 1);
    pclose(out);
    return n;
}

static void a_cache_is_there_after_it_was_made(void **state)
{
    (void)state;
    struct cache_entry made = make(7, 100), got;
    char first = 0;
    close_world();
    open_world("key", 1 << 20, 1 << 20);
    assert_true(caches_get(caches, made.id, arena, &got, &err));
    assert_true(text_same(got.body, made.body));
    assert_true(text_same(got.model, made.model));
    assert_int_equal(got.created, made.created);
    assert_int_equal(got.n_tokens, 3);
    assert_int_equal(rows_there(made.id, &first), 1);
    assert_int_equal(first, 7);
    assert_false(caches_get(caches, TEXT("other"), arena, &got, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void another_engine_gets_no_rows_until_its_own_are_saved(void **state)
{
    (void)state;
    struct cache_entry made = make(7, 100);
    char first = 0;
    close_world();
    open_world("other key", 1 << 20, 1 << 20);
    assert_int_equal(rows_there(made.id, NULL), -1);
    struct saved_rows *rows = rows_of(9, 50);
    assert_true(caches_save(caches, made.id, NULL, 4, &rows, 1, &err));
    rows_release(rows);
    assert_int_equal(rows_there(made.id, &first), 1);
    assert_int_equal(first, 9);
    assert_int_equal(n_blobs(), 1);
    struct cache_entry got;
    assert_true(caches_get(caches, made.id, arena, &got, &err));
    assert_int_equal(got.n_tokens, 4);
    close_world();
    open_world("key", 1 << 20, 1 << 20);
    assert_int_equal(rows_there(made.id, NULL), -1);
}

static void an_adapters_rows_are_for_nobody_else(void **state)
{
    (void)state;
    const struct cache_adapter one = {TEXT("one"), NULL}, two = {TEXT("two"), NULL};
    struct cache_entry made = make(7, 100);
    struct saved_rows *rows = rows_of(9, 50), *got[CACHE_FORMS];
    int n;
    assert_false(caches_rows(caches, made.id, NULL, &one, got, &n));
    assert_true(caches_save(caches, made.id, &one, 3, &rows, 1, &err));
    assert_false(caches_rows(caches, made.id, NULL, &two, got, &n));
    assert_false(caches_rows(caches, made.id, NULL, NULL, got, &n));
    assert_true(caches_rows(caches, made.id, NULL, &one, got, &n));
    assert_int_equal(n, 1);
    assert_int_equal(got[0]->state.at[0], 9);
    rows_release(got[0]);
    rows_release(rows);
}

static void damaged_rows_are_not_given_and_can_be_saved_again(void **state)
{
    (void)state;
    char command[200];
    struct cache_entry made = make(7, 100);
    snprintf(command, sizeof command,
             "f=$(find %s/blobs -type f); chmod u+w $f; printf x | dd of=$f bs=1 seek=60 "
             "conv=notrunc 2>/dev/null",
             folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(rows_there(made.id, NULL), -1);
    struct saved_rows *rows = rows_of(7, 100);
    assert_true(
        caches_save(caches, made.id, NULL, 3, &rows, 1, &err)); /* the same name */
    rows_release(rows);
    assert_int_equal(rows_there(made.id, NULL), 1);
    rows = rows_of(7, 100);
    assert_true(
        caches_save(caches, made.id, NULL, 3, &rows, 1, &err)); /* and once more */
    rows_release(rows);
    assert_int_equal(rows_there(made.id, NULL), 1);
    assert_true(caches_delete(caches, made.id, &err));
    assert_int_equal(n_blobs(), 0);
}

static void rows_are_in_memory_once(void **state)
{
    (void)state;
    struct cache_entry made = make(7, 1000);
    struct saved_rows *a[CACHE_FORMS], *b[CACHE_FORMS];
    int n = 0;
    assert_true(caches_rows(caches, made.id, NULL, NULL, a, &n));
    assert_true(caches_rows(caches, made.id, NULL, NULL, b, &n));
    assert_ptr_equal(a[0], b[0]);
    rows_release(a[0]);
    rows_release(b[0]);
}

static void memory_has_a_limit_and_one_cache_always_fits(void **state)
{
    (void)state;
    close_world();
    open_world("key", 1 << 20, 500);
    struct cache_entry large = make(1, 2000), other = make(2, 100);
    struct saved_rows *rows[CACHE_FORMS];
    int n = 0;
    assert_true(caches_rows(caches, large.id, NULL, NULL, rows, &n));
    assert_int_equal(n, 1);
    assert_int_equal(rows_there(other.id, NULL), 0); /* not missing: no room just now */
    rows_release(rows[0]);
    assert_int_equal(rows_there(other.id, NULL), 1);
}

static void the_disk_has_a_limit_and_the_oldest_rows_go(void **state)
{
    (void)state;
    close_world();
    open_world("key", 2500, 1 << 20);
    struct cache_entry a = make(1, 1000), b = make(2, 1000);
    run_sql("UPDATE caches SET used = 1 WHERE n_tokens = 3 AND created = "
            "(SELECT MAX(created) FROM caches)"); /* b was not used since */
    struct cache_entry c = make(3, 1000);
    assert_int_equal(rows_there(a.id, NULL), 1);
    assert_int_equal(rows_there(b.id, NULL), -1);
    assert_int_equal(rows_there(c.id, NULL), 1);
    struct cache_entry got;
    assert_true(caches_get(caches, b.id, arena, &got, &err));
}

static void what_expired_is_gone_at_once_and_its_bytes_after_the_sweep(void **state)
{
    (void)state;
    struct cache_entry made = make(7, 100), stays = make(8, 100), got;
    assert_true(
        caches_set_expiry(caches, made.id, 8000000000000000000, arena, &got, &err));
    assert_int_equal(got.expires, 8000000000000000000);
    assert_true(got.updated > got.created);
    run_sql("UPDATE caches SET expires = 1 WHERE expires < 9000000000000000000");
    assert_false(caches_get(caches, made.id, arena, &got, &err));
    assert_false(caches_set_expiry(caches, made.id, INT64_MAX, arena, &got, &err));
    assert_int_equal(caches_sweep(caches), 1);
    assert_int_equal(n_blobs(), 1);
    assert_int_equal(rows_there(stays.id, NULL), 1);
}

static void parts_of_a_crash_are_swept(void **state)
{
    (void)state;
    struct part *part = part_open(blobs, "cache-x-0", 0, &err);
    assert_true(part_add(part, TEXT("half"), &err));
    part_close(part);
    close_world();
    open_world("key", 1 << 20, 1 << 20);
    assert_int_equal(n_blobs(), 0);
}

static void pages_follow_one_another(void **state)
{
    (void)state;
    struct text made[5], next = {0};
    for (int i = 4; i >= 0; i--)
        made[i] = make(i, 10).id;
    int seen = 0, n = 0;
    do {
        struct cache_entry *list;
        assert_true(caches_list(caches, 2, next, arena, &list, &n, &next, &err));
        for (int i = 0; i < n; i++)
            assert_true(text_same(list[i].id, made[seen++]));
    } while (next.at);
    assert_int_equal(seen, 5);
    struct cache_entry *list;
    assert_false(caches_list(caches, 2, TEXT("x"), arena, &list, &n, &next, &err));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_cache_is_there_after_it_was_made),
        TEST(another_engine_gets_no_rows_until_its_own_are_saved),
        TEST(an_adapters_rows_are_for_nobody_else),
        TEST(damaged_rows_are_not_given_and_can_be_saved_again),
        TEST(rows_are_in_memory_once),
        TEST(memory_has_a_limit_and_one_cache_always_fits),
        TEST(the_disk_has_a_limit_and_the_oldest_rows_go),
        TEST(what_expired_is_gone_at_once_and_its_bytes_after_the_sweep),
        TEST(parts_of_a_crash_are_swept),
        TEST(pages_follow_one_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

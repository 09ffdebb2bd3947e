#include "files/scene.h"

static void names_are_checked(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "0", "a-b", "a--0",
                                       "abcdefghijabcdefghijabcdefghijabcdefghij"};
    static const char *const bad[] = {
        "",    "-",   "-a",  "a-",       "A",
        "a_b", "a/b", "a.b", "\xc3\xa9", "abcdefghijabcdefghijabcdefghijabcdefghijk"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(files_id_is_good(text_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(files_id_is_good(text_of(bad[i])));
}

static void a_uri_is_ours_whatever_its_host(void **state)
{
    (void)state;
    static const char *const ours[] = {"files/abc", "http://x/v1beta/files/abc",
                                       "https://a.b:1/prefix/v1/files/abc"};
    static const char *const others[] = {"abc",
                                         "gs://a/files/abc",
                                         "http://x/files/abc",
                                         "http://x/v1beta/files/abc/d",
                                         "http://x/v1beta/files/",
                                         "x/files/abc",
                                         "http://x/v1beta/files/abc?x=1"};
    struct text id;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        assert_true(files_is_ours(text_of(ours[i]), &id));
        assert_true(text_is(id, "abc"));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(files_is_ours(text_of(others[i]), &id));
}

static void the_same_bytes_lie_there_once(void **state)
{
    (void)state;
    struct file a = make("a", "same"), b = make("b", "same");
    assert_true(text_same(a.hash, b.hash));
    assert_true(files_delete(files, TEXT("a"), &err));
    assert_false(holds("files/a", "same"));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_true(holds("files/b", "same"));
    assert_true(files_delete(files, TEXT("b"), &err));
    assert_false(holds("files/b", "same"));
    make("c", "same"); /* and comes again */
    assert_true(holds("files/c", "same"));
}

static void an_expired_file_is_gone_at_once_and_its_room_after_the_sweep(void **state)
{
    (void)state;
    struct file file;
    make("old", "x");
    run_sql("UPDATE files SET expires = 1");
    assert_false(files_get(files, TEXT("old"), arena, &file, &err));
    assert_int_equal(files_sweep(files), 1);
    assert_int_equal(files_sweep(files), 0);
    make("old", "y"); /* the name is free again */
    assert_true(holds("files/old", "y"));
}

static void states_decide_what_can_be_read(void **state)
{
    (void)state;
    make("a", "x");
    assert_true(
        files_set_state(files, TEXT("a"), FILE_PROCESSING, (struct text){0}, &err));
    assert_false(holds("files/a", "x"));
    assert_int_equal(err.code, ERROR_FAILED_PRECONDITION);
    assert_true(files_set_state(files, TEXT("a"), FILE_FAILED, TEXT("no"), &err));
    assert_false(holds("files/a", "x"));
    assert_true(files_set_state(files, TEXT("a"), FILE_ACTIVE, (struct text){0}, &err));
    assert_true(holds("files/a", "x"));
    assert_false(files_set_state(files, TEXT("b"), FILE_ACTIVE, (struct text){0}, &err));
}

static void pages_go_on_where_the_last_one_ended(void **state)
{
    (void)state;
    struct file *list;
    struct text next = {0};
    int n, total = 0;
    for (int i = 0; i < 7; i++)
        make((char[]){(char)('a' + i), 0}, "x");
    do {
        assert_true(files_list(files, 3, next, arena, &list, &n, &next, &err));
        for (int i = 0; i < n; i++)
            assert_int_equal(list[i].id.at[0], 'g' - total++);
    } while (next.at);
    assert_int_equal(total, 7);
    assert_false(files_list(files, 3, TEXT("nonsense"), arena, &list, &n, &next, &err));
}

static void files_outlive_a_restart(void **state)
{
    (void)state;
    make("a", "kept");
    close_world();
    open_world();
    assert_true(holds("files/a", "kept"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(a_uri_is_ours_whatever_its_host),
        TEST(the_same_bytes_lie_there_once),
        TEST(an_expired_file_is_gone_at_once_and_its_room_after_the_sweep),
        TEST(states_decide_what_can_be_read),
        TEST(pages_go_on_where_the_last_one_ended),
        TEST(files_outlive_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

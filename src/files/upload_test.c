#include "files/scene.h"

static void a_session_goes_on_after_a_restart_from_what_was_kept(void **state)
{
    (void)state;
    struct file file;
    struct text id = begin(6);
    struct upload *upload = upload_take(files, id, &err);
    assert_true(upload_add(upload, TEXT("abc"), &err));
    assert_true(upload_keep(upload, &err));
    assert_true(upload_add(upload, TEXT("lost"), &err) == false); /* more than 6 */
    assert_true(upload_add(upload, TEXT("XY"), &err));            /* and never kept */
    close_world();
    open_world();
    upload = upload_take(files, id, &err);
    assert_non_null(upload);
    assert_int_equal(upload_received(upload), 3);
    assert_false(upload_finish(upload, arena, &file, &err));
    assert_true(upload_add(upload, TEXT("def"), &err));
    assert_true(upload_finish(upload, arena, &file, &err));
    upload_leave(upload);
    struct text name = arena_printf(arena, "files/%.*s", TEXT_ARG(file.id));
    assert_true(holds(name.at, "abcdef"));
}

static void a_session_has_one_holder(void **state)
{
    (void)state;
    struct text id = begin(6);
    struct upload *upload = upload_take(files, id, &err);
    assert_null(upload_take(files, id, &err));
    assert_int_equal(err.code, ERROR_ABORTED);
    upload_leave(upload);
    upload = upload_take(files, id, &err);
    assert_non_null(upload);
    upload_leave(upload);
    assert_null(
        upload_take(files, TEXT("0123456789012345678901234567890123456789"), &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_null(upload_take(files, TEXT("../../etc/passwd"), &err));
}

static void finishing_again_gives_the_same_file(void **state)
{
    (void)state;
    struct file first, again;
    struct text id = begin(1);
    struct upload *upload = upload_take(files, id, &err);
    assert_true(upload_add(upload, TEXT("x"), &err));
    assert_true(upload_finish(upload, arena, &first, &err));
    upload_leave(upload);
    upload = upload_take(files, id, &err);
    assert_true(upload_complete(upload));
    assert_true(upload_finish(upload, arena, &again, &err));
    assert_true(text_same(first.id, again.id) && first.created == again.created);
    assert_false(upload_cancel(upload, &err));
    assert_true(files_delete(files, first.id, &err));
    assert_null(upload_take(files, id, &err));
}

static void room_is_taken_by_what_came_and_given_back(void **state)
{
    (void)state;
    static char kilobyte[1001];
    struct text id = begin(-1), id2;
    memset(kilobyte, 'x', 1000);
    struct upload *upload = upload_take(files, id, &err);
    assert_true(upload_add(upload, text_of(kilobyte), &err));
    assert_false(upload_add(upload, TEXT("y"), &err)); /* --file-limit */
    assert_int_equal(err.code, ERROR_INVALID_ARGUMENT);
    struct upload_wish wish = {.size = 1000};
    assert_true(upload_begin(files, &wish, arena, &id2, &err));
    wish.size = 1001;
    assert_false(upload_begin(files, &wish, arena, &id2, &err));
    make("a", kilobyte);
    wish.size = 1;
    assert_false(upload_begin(files, &wish, arena, &id2, &err));
    assert_int_equal(err.code, ERROR_RESOURCE_EXHAUSTED);
    assert_true(upload_cancel(upload, &err));
    assert_true(upload_begin(files, &wish, arena, &id2, &err));
    close_world();
    open_world(); /* counted anew */
    wish.size = 1000;
    assert_true(upload_begin(files, &wish, arena, &id2, &err));
    make("b", kilobyte);
    assert_false(upload_begin(files, &wish, arena, &id2, &err));
}

static void a_direct_upload_that_is_left_leaves_nothing(void **state)
{
    (void)state;
    struct upload *upload = upload_direct(files, &err);
    assert_true(upload_add(upload, TEXT("x"), &err));
    upload_leave(upload);
    char command[200];
    snprintf(command, sizeof command, "test -z \"$(ls %s/parts %s/blobs | grep -v :)\"",
             folder, folder);
    assert_int_equal(system(command), 0);
}

static void what_a_crash_left_is_swept_at_the_start(void **state)
{
    (void)state;
    char path[200];
    struct text id = begin(6);
    make("a", "kept");
    snprintf(path, sizeof path, "%s/parts/stray", folder);
    fclose(fopen(path, "w"));
    snprintf(path, sizeof path, "%s/blobs/00", folder);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/blobs/00/%064d", folder, 0);
    fclose(fopen(path, "w"));
    close_world();
    open_world();
    assert_int_equal(access(path, F_OK), -1);
    assert_false(is_there("parts/stray"));
    assert_true(is_there(arena_printf(arena, "parts/%.*s", TEXT_ARG(id)).at));
    assert_true(holds("files/a", "kept"));
}

static void a_session_that_nobody_goes_on_with_is_swept(void **state)
{
    (void)state;
    struct text id = begin(6), held_id = begin(6);
    struct upload *held = upload_take(files, held_id, &err);
    run_sql("UPDATE uploads SET touched = 1");
    assert_int_equal(files_sweep(files), 1);
    assert_null(upload_take(files, id, &err));
    upload_leave(held);
    assert_int_equal(files_sweep(files), 1);
}

static void a_name_that_is_taken_meanwhile_is_refused_at_the_end(void **state)
{
    (void)state;
    struct file file;
    struct text id;
    struct upload_wish wish = {.id = TEXT("a"), .size = -1};
    assert_true(upload_begin(files, &wish, arena, &id, &err));
    make("a", "first");
    struct upload *upload = upload_take(files, id, &err);
    assert_false(upload_finish(upload, arena, &file, &err));
    assert_int_equal(err.code, ERROR_ALREADY_EXISTS);
    upload_leave(upload);
    assert_true(holds("files/a", "first"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_session_goes_on_after_a_restart_from_what_was_kept),
        TEST(a_session_has_one_holder),
        TEST(finishing_again_gives_the_same_file),
        TEST(room_is_taken_by_what_came_and_given_back),
        TEST(a_direct_upload_that_is_left_leaves_nothing),
        TEST(what_a_crash_left_is_swept_at_the_start),
        TEST(a_session_that_nobody_goes_on_with_is_swept),
        TEST(a_name_that_is_taken_meanwhile_is_refused_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/file.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/pollux-file-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    bool good = fd >= 0 && write(fd, "one\0two", 7) == 7;
    return good && close(fd) == 0 ? 0 : -1;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void a_file_is_read_behind_what_is_there(void **state)
{
    (void)state;
    struct error err;
    struct buf out = {0};
    buf_str(&out, "zero");
    assert_true(file_read(path, 7, &out, &err));
    assert_true(text_same(buf_view(&out), TEXT("zeroone\0two")));
    assert_int_equal(out.at[out.len], '\0');
    buf_free(&out);
}

static void a_long_file_leaves_nothing_behind(void **state)
{
    (void)state;
    struct error err;
    struct buf out = {0};
    buf_str(&out, "zero");
    assert_false(file_read(path, 6, &out, &err));
    assert_int_equal(err.code, ERROR_INVALID_ARGUMENT);
    assert_string_equal(out.at, "zero");
    assert_int_equal(out.len, 4);
    buf_free(&out);
}

static void what_is_no_file_is_named(void **state)
{
    (void)state;
    struct error err;
    struct buf out = {0};
    assert_false(file_read("/nonexistent/file", 9, &out, &err));
    assert_string_equal(err.message, "/nonexistent/file: No such file or directory");
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_false(file_read("/tmp", 9, &out, &err));
    assert_string_equal(err.message, "/tmp: Is a directory");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_behind_what_is_there),
        cmocka_unit_test(a_long_file_leaves_nothing_behind),
        cmocka_unit_test(what_is_no_file_is_named),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}

#include "tuning/matrix.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena *arena;
static struct error err;
static struct matrix_file file;

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

/* A safetensors file of this header and data. */
static struct text safetensors(const char *header, struct text data)
{
    struct buf buf = {0};
    for (int i = 0; i < 8; i++)
        buf_char(&buf, (char)(i == 0 ? strlen(header) : 0));
    buf_str(&buf, header);
    buf_text(&buf, data);
    struct text bytes = arena_text(arena, buf_view(&buf));
    buf_free(&buf);
    return bytes;
}

static bool reads(const char *header, struct text data)
{
    return safetensors_read(safetensors(header, data), arena, &file, &err);
}

static void shapes_are_turned_and_numbers_read(void **state)
{
    (void)state;
    static const char data[] = "\0\0\x80\x3f\0\0\0\xc0\x00\x3c\x00\xc0\x01\x00\x80\xbf";
    assert_true(reads("{\"__metadata__\":{\"a\":\"b\"},"
                      "\"w\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
                      "\"h\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[8,14]},"
                      "\"b\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[14,16]},"
                      "\"i\":{\"dtype\":\"I8\",\"shape\":[99],\"data_offsets\":[0,0]}}",
                      (struct text){data, 16}));
    assert_int_equal(file.n_matrices, 4);
    const struct matrix *w = matrix_named(&file, TEXT("w")),
                        *h = matrix_named(&file, TEXT("h")),
                        *b = matrix_named(&file, TEXT("b"));
    assert_int_equal(w->dims[0], 2); /* columns first */
    assert_int_equal(w->dims[1], 1);
    assert_true(matrix_at(w, 0) == 1 && matrix_at(w, 1) == -2);
    assert_true(matrix_at(h, 0) == 1 && matrix_at(h, 1) == -2);
    assert_true(matrix_at(h, 2) == 0x1p-24f);
    assert_true(matrix_at(b, 0) == -1);
    assert_int_equal(matrix_named(&file, TEXT("i"))->type, MATRIX_OTHER);
    assert_null(matrix_named(&file, TEXT("x")));
}

static void what_lies_outside_is_refused(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}}",
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-4,4]}}",
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}",
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,8]}}",
        ("{\"w\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],"
         "\"data_offsets\":[0,8]}}"),
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,8]}}",
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1],\"data_offsets\":[0,8]}}",
        "{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}",
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[2]}}",
        "{\"w\":1}",
        "[]",
        "{",
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (reads(headers[i], TEXT("12345678")))
            fail_msg("%s", headers[i]);
    assert_false(safetensors_read(TEXT("short"), arena, &file, &err));
    assert_false(gguf_read(TEXT("GGUF\3\0\0\0\1"), arena, &file, &err));
    assert_false(gguf_read(TEXT("GGML"), arena, &file, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shapes_are_turned_and_numbers_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_lies_outside_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/arena.h"
#include "base/buf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void memory_is_zeroed_aligned_and_its_own(void **state)
{
    (void)state;
    struct arena *arena = arena_open();
    for (size_t size = 0; size < 20000; size = size * 3 / 2 + 1) {
        unsigned char *a = arena_alloc(arena, size);
        unsigned char *b = arena_alloc(arena, size);
        assert_int_equal((uintptr_t)a % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(a[i] | b[i], 0);
        memset(a, 1, size);
        memset(b, 2, size);
        assert_true(size == 0 || (a[size - 1] == 1 && b[0] == 2));
    }
    arena_close(arena);
    arena_close(NULL);
}

static void many_small_pieces_fill_many_chunks(void **state)
{
    (void)state;
    struct arena *arena = arena_open();
    int *numbers[5000];
    for (int i = 0; i < 5000; i++) {
        numbers[i] = arena_new(arena, int);
        *numbers[i] = i;
    }
    for (int i = 0; i < 5000; i++)
        assert_int_equal(*numbers[i], i);
    assert_int_equal(arena_array(arena, int, 3)[2], 0);
    arena_close(arena);
}

static void copies_end_with_a_nul_and_absent_stays_absent(void **state)
{
    (void)state;
    struct arena *arena = arena_open();
    char bytes[] = {'a', '\0', 'b'};
    struct text copy = arena_text(arena, (struct text){bytes, 3});
    assert_int_equal(copy.len, 3);
    assert_memory_equal(copy.at, "a\0b", 4);
    assert_null(arena_text(arena, (struct text){0}).at);
    struct text empty = arena_text(arena, TEXT(""));
    assert_non_null(empty.at);
    assert_int_equal(empty.len, 0);
    arena_close(arena);
}

static void printing_fits_short_and_long(void **state)
{
    (void)state;
    struct arena *arena = arena_open();
    assert_true(text_is(arena_printf(arena, "%s-%d", "id", 7), "id-7"));
    for (int len = 250; len < 260; len++) {
        struct text text = arena_printf(arena, "%0*d", len, 1);
        assert_int_equal(text.len, len);
        assert_int_equal(strlen(text.at), len);
    }
    arena_close(arena);
}

static void taking_a_buf_leaves_it_empty(void **state)
{
    (void)state;
    struct arena *arena = arena_open();
    struct buf buf = {0};
    buf_str(&buf, "taken");
    assert_true(text_is(arena_take(arena, &buf), "taken"));
    assert_null(buf.at);
    assert_non_null(arena_take(arena, &buf).at); /* of nothing: empty, not absent */
    arena_close(arena);
}

struct note {
    struct buf *out;
    char what;
    struct arena *arena;
};

static void take_note(void *what)
{
    struct note *note = what;
    buf_char(note->out, note->what);
}

static void defer_one_more(void *what)
{
    struct note *note = what;
    struct note *more = arena_new(note->arena, struct note);
    *more = (struct note){note->out, 'm', note->arena};
    arena_defer(note->arena, take_note, more);
    take_note(what);
}

static void what_is_deferred_runs_newest_first(void **state)
{
    (void)state;
    struct buf out = {0};
    struct arena *arena = arena_open();
    struct note notes[] = {{&out, 'a', arena}, {&out, 'b', arena}, {&out, 'c', arena}};
    arena_defer(arena, take_note, &notes[0]);
    arena_defer(arena, defer_one_more, &notes[1]);
    arena_defer(arena, take_note, &notes[2]);
    arena_close(arena);
    assert_string_equal(out.at, "cbma");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_its_own),
        cmocka_unit_test(many_small_pieces_fill_many_chunks),
        cmocka_unit_test(copies_end_with_a_nul_and_absent_stays_absent),
        cmocka_unit_test(printing_fits_short_and_long),
        cmocka_unit_test(taking_a_buf_leaves_it_empty),
        cmocka_unit_test(what_is_deferred_runs_newest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

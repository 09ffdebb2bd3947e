#include "media/recall.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena *arena;

static int open_arena(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

static void keep(struct recall *recall, const char *key, const char *text)
{
    struct media_reading reading = {.kind = MEDIA_IMAGE,
                                    .type = "image/png",
                                    .reader = TEXT("r"),
                                    .text = text_of(text)};
    recall_keep(recall, text_of(key), &reading);
}

static bool has(struct recall *recall, const char *key)
{
    return recall_find(recall, text_of(key), arena, NULL);
}

static void what_was_kept_is_found_whole(void **state)
{
    (void)state;
    struct recall *recall = recall_open(1000);
    struct media_reading reading;
    assert_false(recall_find(recall, TEXT("a"), arena, &reading));
    keep(recall, "a", "first words");
    assert_true(recall_find(recall, TEXT("a"), arena, &reading));
    assert_true(text_is(reading.text, "first words") && text_is(reading.reader, "r"));
    assert_string_equal(reading.type, "image/png");
    assert_int_equal(reading.kind, MEDIA_IMAGE);
    assert_false(has(recall, "b"));
    keep(recall, "a", "other words");
    recall_find(recall, TEXT("a"), arena, &reading);
    assert_true(text_is(reading.text, "other words"));
    recall_close(recall);
}

static void pictures_are_remembered_without_their_pixels(void **state)
{
    (void)state;
    struct recall *recall = recall_open(1000);
    struct media_picture pictures[] = {{1, 2, 3, 0, TEXT("pixels"), TEXT("hash one")},
                                       {4, 5, 6, 0, TEXT("pixels"), TEXT("hash two")}};
    struct media_reading reading = {.kind = MEDIA_VIDEO,
                                    .type = "video/mp4",
                                    .reader = TEXT("r"),
                                    .text = TEXT("words"),
                                    .pictures = pictures,
                                    .n_pictures = 2};
    recall_keep(recall, TEXT("a"), &reading);
    pictures[1] = pictures[0];
    reading = (struct media_reading){0};
    assert_true(recall_find(recall, TEXT("a"), arena, &reading));
    assert_int_equal(reading.n_pictures, 2);
    assert_true(text_is(reading.pictures[1].hash, "hash two"));
    assert_int_equal(reading.pictures[1].at, 4);
    assert_int_equal(reading.pictures[1].height, 6);
    assert_null(reading.pictures[0].bytes.at);
    recall_close(recall);
}

static void the_one_not_used_for_longest_goes(void **state)
{
    (void)state;
    struct recall *recall = recall_open(36); /* three of 12 bytes */
    keep(recall, "a", "0123456789");
    keep(recall, "b", "0123456789");
    keep(recall, "c", "0123456789");
    assert_true(has(recall, "a"));
    keep(recall, "d", "0123456789");
    assert_true(has(recall, "a") && has(recall, "c") && has(recall, "d"));
    assert_false(has(recall, "b"));
    recall_close(recall);
}

static void what_is_larger_than_all_room_is_not_kept(void **state)
{
    (void)state;
    struct recall *recall = recall_open(5);
    keep(recall, "a", "0123456789");
    assert_false(has(recall, "a"));
    recall_close(recall);
}

static void there_are_not_more_than_a_thousand(void **state)
{
    (void)state;
    struct recall *recall = recall_open(1 << 20);
    char key[20];
    for (int i = 0; i <= 1000; i++) {
        snprintf(key, sizeof key, "%d", i);
        keep(recall, key, "x");
    }
    assert_false(has(recall, "0"));
    assert_true(has(recall, "1") && has(recall, "1000"));
    recall_close(recall);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_kept_is_found_whole),
        cmocka_unit_test(pictures_are_remembered_without_their_pixels),
        cmocka_unit_test(the_one_not_used_for_longest_goes),
        cmocka_unit_test(what_is_larger_than_all_room_is_not_kept),
        cmocka_unit_test(there_are_not_more_than_a_thousand),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}

/* Sources of bytes and of files, through the real readers (make test installs them). */
#include "media/media.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct media *media;
static struct arena *arena;
static struct media_reading reading;
static struct error err;
static const struct media_options plain;

static int open_all(void **state)
{
    (void)state;
    static char folder[400];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    snprintf(folder, sizeof folder, "%s%s/pollux/readers/current", cache ? cache : home,
             cache ? "" : "/.cache");
    const struct media_config config = {.folder = folder, .deadline_s = 60};
    arena = arena_open();
    media = media_open(&config);
    return media_safe(media, &err) ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    media_close(media);
    arena_close(arena);
    return 0;
}

static bool read_bytes(struct text bytes, const char *mime)
{
    const struct media_source source = {.bytes = bytes, .mime = text_of(mime)};
    return media_read(media, &source, &plain, NULL, arena, &reading, &err);
}

/* A file in a folder that only its owner may enter. */
static bool read_file(struct text bytes, const char *mime)
{
    char folder[] = "/tmp/media-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/blob", folder);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, bytes.at, bytes.len), (ssize_t)bytes.len);
    fchmod(fd, 0644);
    close(fd);
    const struct media_source source = {.path = path, .mime = text_of(mime)};
    bool good = media_read(media, &source, &plain, NULL, arena, &reading, &err);
    unlink(path);
    rmdir(folder);
    return good;
}

static void plain_text_needs_no_reader(void **state)
{
    (void)state;
    assert_true(read_bytes(TEXT("\xef\xbb\xbfwords"), "text/plain"));
    assert_string_equal(reading.text.at, "\n\n[Attached text. It says:]\nwords\n"
                                         "[End of the attached text.]\n\n");
    assert_string_equal(reading.reader.at, "UTF-8");
    assert_string_equal(reading.type, "text/plain");
}

static void files_are_read_where_they_lie(void **state)
{
    (void)state;
    assert_true(read_file(TEXT("gr\xfc\xdf"), "text/plain; charset=iso-8859-1"));
    assert_non_null(strstr(reading.text.at, "grüß"));
    assert_true(read_file((struct text){"\0g\0o", 4}, "text/plain; charset=utf-16be"));
    assert_non_null(strstr(reading.text.at, "go"));
    assert_true(read_file(TEXT("<title>T</title><p>Page</p>"), "text/html"));
    assert_non_null(strstr(reading.text.at, "(title: T)"));
    assert_false(read_file(TEXT("%PDF-1.4 and no more"), "application/pdf"));
    assert_int_equal(err.code, ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "broken"));
}

static void what_is_no_media_is_refused_before_a_child_is_made(void **state)
{
    (void)state;
    assert_false(read_bytes(TEXT("x"), "application/zip"));
    assert_non_null(strstr(err.message, "Unsupported MIME type: application/zip"));
    assert_false(read_bytes(TEXT("x"), "image/png"));
    assert_non_null(strstr(err.message, "not image/png"));
    assert_false(read_file(TEXT(""), "text/plain"));
    assert_non_null(strstr(err.message, "empty"));
}

static void a_cancelled_reading_ends(void **state)
{
    (void)state;
    const atomic_bool cancelled = true;
    const struct media_source source = {.bytes = TEXT("<p>x"), .mime = TEXT("text/html")};
    assert_false(media_read(media, &source, &plain, &cancelled, arena, &reading, &err));
    assert_int_equal(err.code, ERROR_CANCELLED);
}

static void what_readers_lack_is_told(void **state)
{
    (void)state;
    struct buf names = {0};
    assert_true(media_lacks("/nowhere", &names) >= 2);
    assert_non_null(strstr(names.at, "the Whisper model"));
    buf_free(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_needs_no_reader),
        cmocka_unit_test(files_are_read_where_they_lie),
        cmocka_unit_test(what_is_no_media_is_refused_before_a_child_is_made),
        cmocka_unit_test(a_cancelled_reading_ends),
        cmocka_unit_test(what_readers_lack_is_told),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}

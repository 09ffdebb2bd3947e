/* scene.h - for tests: a data folder, opened, crashed and opened again. */
#ifndef POLLUX_FILES_SCENE_H
#define POLLUX_FILES_SCENE_H

#include "base/scratch.h"
#include "files/upload.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/pollux-files-XXXXXX";
static struct store *store;
static struct files *files;
static struct arena *arena;
static struct error err;

static inline void open_world(void)
{
    const struct files_options options = {.file_limit = 1000, .total_limit = 2000};
    store = store_open(folder, &err);
    assert_non_null(store);
    files = files_open(store, &options, &err);
    assert_non_null(files);
}

static inline void close_world(void)
{
    files_close(files);
    store_close(store);
}

static inline int set_up(void **state)
{
    (void)state;
    assert_non_null(scratch_folder(folder, sizeof folder));
    arena = arena_open();
    open_world();
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    close_world();
    arena_close(arena);
    return scratch_remove(folder);
}

static inline bool is_there(const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static inline void run_sql(const char *sql)
{
    assert_true(store_begin(store, &err));
    assert_true(
        store_end(store, store_run(store, sql, STORE_NO_VALUES, NULL, &err), &err));
}

static inline struct text begin(int64_t size)
{
    struct upload_wish wish = {.mime_type = TEXT("text/plain"), .size = size};
    struct text id = {0};
    assert_true(upload_begin(files, &wish, arena, &id, &err));
    return id;
}

/* A file of these bytes. */
static inline struct file make(const char *id, const char *bytes)
{
    struct file file;
    struct upload_wish wish = {.id = text_of(id), .size = UPLOAD_SIZE_UNKNOWN};
    struct upload *upload = upload_direct(files, &err);
    assert_non_null(upload);
    assert_true(upload_set_wish(upload, &wish, &err));
    assert_true(upload_add(upload, text_of(bytes), &err));
    assert_true(upload_finish(upload, arena, &file, &err));
    upload_leave(upload);
    return file;
}

static inline bool holds(const char *uri, const char *bytes)
{
    struct file file;
    char got[1000];
    int fd;
    if (!files_find(files, text_of(uri), arena, &file, &fd, &err))
        return false;
    ssize_t n = pread(fd, got, sizeof got, 0);
    return n == (ssize_t)strlen(bytes) && memcmp(got, bytes, (size_t)n) == 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif

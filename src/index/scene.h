/* scene.h - for tests: a data folder with files, an embedder that counts words, an index.
 */
#ifndef POLLUX_INDEX_SCENE_H
#define POLLUX_INDEX_SCENE_H

#include "base/log.h"
#include "base/scratch.h"
#include "files/upload.h"
#include "index/index.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/pollux-index-XXXXXX";
static struct store *store;
static struct files *files;
static struct embedder *embedder;
static struct index *docs;
static struct arena *arena;
static struct error err;

static inline struct embedder *open_words(const char *json)
{
    char path[] = "/tmp/index_test.XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, json, strlen(json)), strlen(json));
    close(fd);
    struct embed_options options = {
        .name = "words", .path = path, .script = true, .queue_limit = 100};
    struct embedder *e = embed_open(&options, &err);
    unlink(path);
    assert_non_null(e);
    return e;
}

#define WORDS "{'embeddings': {'dimensions': 256}, 'default': {'echo': true}}"

static inline void open_world_with(struct embedder *e)
{
    const struct files_options limits = {.file_limit = 100 << 20,
                                         .total_limit = 200 << 20};
    const struct index_options options = {.embedder = e, .total_limit = 200 << 20};
    embedder = e;
    store = store_open(folder, &err);
    assert_non_null(store);
    files = files_open(store, &limits, &err);
    assert_non_null(files);
    docs = index_open(store, files, &options, &err);
    if (!docs)
        fail_msg("%s", err.message);
}

static inline void close_world(void)
{
    index_close(docs);
    embed_close(embedder);
    files_close(files);
    store_close(store);
}

static inline int set_up(void **state)
{
    (void)state;
    log_setup(LOG_ERROR, LOG_TEXT);
    assert_non_null(scratch_folder(folder, sizeof folder));
    arena = arena_open();
    open_world_with(open_words(WORDS));
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    close_world();
    arena_close(arena);
    return scratch_remove(folder);
}

static inline struct text file_of(struct text bytes)
{
    struct file file;
    struct upload_wish wish = {.mime_type = TEXT("text/plain"),
                               .size = UPLOAD_SIZE_UNKNOWN};
    struct upload *upload = upload_direct(files, &err);
    assert_non_null(upload);
    assert_true(upload_set_wish(upload, &wish, &err));
    assert_true(upload_add(upload, bytes, &err));
    assert_true(upload_finish(upload, arena, &file, &err));
    upload_leave(upload);
    return arena_printf(arena, "files/%.*s", TEXT_ARG(file.id));
}

static inline struct text make_store(const char *name)
{
    struct index_store made;
    assert_true(index_create(docs, text_of(name), arena, &made, &err));
    return made.id;
}

static inline struct index_document put(struct text to, const char *name,
                                        const char *bytes, const char *metadata)
{
    struct index_document made;
    struct index_wish wish = {.display_name = text_of(name),
                              .metadata = text_of(metadata)};
    if (!index_import(docs, to, file_of(text_of(bytes)), &wish, arena, &made, &err))
        fail_msg("%s", err.message);
    return made;
}

static inline int look_for(struct text in, const char *text, const char *filter,
                           struct passage **passages)
{
    int n = -1;
    const struct index_query query = {
        .text = text_of(text), .stores = &in, .n_stores = 1, .filter = text_of(filter)};
    if (!index_search(docs, &query, arena, passages, &n, &err))
        return -1;
    return n;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif

/* files.c - rows of files: read, listed, deleted, expired. */
#include "base/buf.h"
#include "base/log.h"
#include "base/loop.h"
#include "files/inside.h"
#include "store/page.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

enum { SWEPT_AT_ONCE = 100 };

#define COLUMNS                                                                          \
    "id, display_name, mime_type, hash, size, created, updated, expires, state, "        \
    "source, error"

/* ---- names ---- */

bool files_id_is_good(struct text id)
{
    if (id.len == 0 || id.len > FILE_ID_MOST || id.at[0] == '-' ||
        id.at[id.len - 1] == '-')
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.at[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return true;
}

/* The last segment, when the one before it is `files`; *before is the rest. */
static bool cut_id(struct text uri, struct text *before, struct text *id)
{
    static const char mark[] = "files/";
    size_t slash = uri.len;
    while (slash > 0 && uri.at[slash - 1] != '/')
        slash--;
    *id = text_slice(uri, slash, uri.len);
    *before = text_slice(uri, 0, slash);
    if (!text_ends(*before, mark))
        return false;
    before->len -= strlen(mark);
    return files_id_is_good(*id);
}

bool files_is_ours(struct text uri, struct text *id)
{
    static const char *const versions[] = {"/v1/", "/v1beta/", "/v1alpha/"};
    struct text before;
    if (!cut_id(uri, &before, id))
        return false;
    if (before.len == 0)
        return true;
    if (!text_starts(uri, "http://") && !text_starts(uri, "https://"))
        return false;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
        if (text_ends(before, versions[i]))
            return true;
    return false;
}

static bool not_found(struct text id, struct error *err)
{
    return error_set(err, ERROR_NOT_FOUND,
                     "files/%.*s is not found: it was never there, was deleted, or has "
                     "expired.",
                     TEXT_ARG(text_slice(id, 0, 100)));
}

/* ---- room ---- */

bool files_claim(struct files *files, int64_t n, struct error *err)
{
    int64_t limit = files->options.total_limit;
    pthread_mutex_lock(&files->lock);
    int64_t used = files->used;
    bool good = n <= 0 || used + n <= limit;
    if (good)
        files->used += n;
    pthread_mutex_unlock(&files->lock);
    return good ||
           error_set(err, ERROR_RESOURCE_EXHAUSTED,
                     "All files together may have %lld bytes on this server, and %lld "
                     "are in use: delete files, or start it with a higher --files-total.",
                     (long long)limit, (long long)used);
}

/* ---- rows ---- */

static void read_row(struct rows *rows, struct arena *arena, struct file *file)
{
    *file = (struct file){
        .id = store_text(rows, 0, arena),
        .display_name = store_text(rows, 1, arena),
        .mime_type = store_text(rows, 2, arena),
        .hash = store_text(rows, 3, arena),
        .size = store_int(rows, 4),
        .created = store_int(rows, 5),
        .updated = store_int(rows, 6),
        .expires = store_int(rows, 7),
        .state = (int)store_int(rows, 8),
        .source = (int)store_int(rows, 9),
        .error = store_text(rows, 10, arena),
    };
}

bool files_read(struct files *files, struct text id, struct arena *arena,
                struct file *file, struct error *err)
{
    static const char ask[] =
        "SELECT " COLUMNS " FROM files WHERE id = ? AND expires > ?";
    struct rows *rows = store_ask(
        files->store, ask, STORE_VALUES(STORE_TEXT(id), STORE_INT(clock_ns())), err);
    if (!rows)
        return false;
    bool found = store_next(rows, err);
    if (found)
        read_row(rows, arena, file);
    else if (err->code == ERROR_OK)
        not_found(id, err);
    store_done(rows);
    return found;
}

bool files_get(struct files *files, struct text id, struct arena *arena,
               struct file *file, struct error *err)
{
    if (!files_id_is_good(id))
        return not_found(id, err);
    return store_begin(files->store, err) &&
           store_end(files->store, files_read(files, id, arena, file, err), err);
}

bool files_insert(struct files *files, const struct file *file, struct error *err)
{
    static const char insert[] =
        "INSERT INTO files (" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    return files_check_free(files, file->id, err) &&
           store_run(files->store, insert,
                     STORE_VALUES(STORE_TEXT(file->id), STORE_TEXT(file->display_name),
                                  STORE_TEXT(file->mime_type), STORE_BYTES(file->hash),
                                  STORE_INT(file->size), STORE_INT(file->created),
                                  STORE_INT(file->updated), STORE_INT(file->expires),
                                  STORE_INT(file->state), STORE_INT(file->source),
                                  STORE_TEXT(file->error)),
                     NULL, err);
}

/* An expired one that was not swept yet still has its name. */
bool files_check_free(struct files *files, struct text id, struct error *err)
{
    static const char ask[] = "SELECT 1 FROM files WHERE id = ?";
    int64_t taken = 0;
    if (!store_number(files->store, ask, STORE_VALUES(STORE_TEXT(id)), 0, &taken, err))
        return false;
    return !taken || error_set(err, ERROR_ALREADY_EXISTS, "files/%.*s exists already.",
                               TEXT_ARG(id));
}

/* ---- the list ---- */

static bool read_page(struct files *files, int64_t created, struct text id, int most,
                      struct arena *arena, struct file *list, int *n, struct error *err)
{
    static const char ask[] = "SELECT " COLUMNS " FROM files "
                              "WHERE expires > ?1 AND (created, id) < (?2, ?3) "
                              "ORDER BY created DESC, id DESC LIMIT ?4";
    struct rows *rows = store_ask(files->store, ask,
                                  STORE_VALUES(STORE_INT(clock_ns()), STORE_INT(created),
                                               STORE_TEXT(id), STORE_INT(most)),
                                  err);
    if (!rows)
        return false;
    for (*n = 0; store_next(rows, err); ++*n)
        read_row(rows, arena, &list[*n]);
    store_done(rows);
    return err->code == ERROR_OK;
}

bool files_list(struct files *files, int page_size, struct text token,
                struct arena *arena, struct file **list, int *n, struct text *next,
                struct error *err)
{
    struct text id = {0};
    int64_t created = 0;
    int most = page_size + 1; /* the one more says that there is another page */
    *list = arena_array(arena, struct file, (size_t)most);
    *next = (struct text){0};
    if (!page_read(token, INT64_MAX, &created, &id, err) ||
        !store_begin(files->store, err))
        return false;
    bool good = read_page(files, created, id, most, arena, *list, n, err);
    if (!store_end(files->store, good, err))
        return false;
    if (*n == most) {
        const struct file *last = &(*list)[--*n - 1];
        *next = page_token(last->created, last->id, arena);
    }
    return true;
}

/* ---- the end of a file ---- */

static bool drop_row(struct files *files, const struct file *file, bool *last,
                     struct error *err)
{
    static const char drop[] = "DELETE FROM files WHERE id = ?";
    static const char forget[] = "DELETE FROM uploads WHERE file_id = ? AND complete";
    return store_run(files->store, drop, STORE_VALUES(STORE_TEXT(file->id)), NULL, err) &&
           store_run(files->store, forget, STORE_VALUES(STORE_TEXT(file->id)), NULL,
                     err) &&
           blob_drop(files->blobs, file->hash, last, err);
}

static void remove_bytes(struct files *files, const struct file *file, bool last)
{
    struct error ignored;
    if (last)
        blob_remove(files->blobs, file->hash);
    files_claim(files, -file->size, &ignored);
}

bool files_delete(struct files *files, struct text id, struct error *err)
{
    struct arena *arena = arena_open();
    struct file file = {0};
    bool last = false, good = files_id_is_good(id) || not_found(id, err);
    blobs_lock(files->blobs);
    if (good && (good = store_begin(files->store, err)))
        good = store_end(files->store,
                         files_read(files, id, arena, &file, err) &&
                             drop_row(files, &file, &last, err),
                         err);
    if (good)
        remove_bytes(files, &file, last);
    blobs_unlock(files->blobs);
    arena_close(arena);
    return good;
}

static bool read_expired(struct files *files, struct arena *arena, struct file *list,
                         int *n, struct error *err)
{
    static const char ask[] = "SELECT " COLUMNS " FROM files WHERE expires <= ? LIMIT ?";
    struct rows *rows =
        store_ask(files->store, ask,
                  STORE_VALUES(STORE_INT(clock_ns()), STORE_INT(SWEPT_AT_ONCE)), err);
    if (!rows)
        return false;
    for (*n = 0; store_next(rows, err); ++*n)
        read_row(rows, arena, &list[*n]);
    store_done(rows);
    return err->code == ERROR_OK;
}

/* Some at a time, so that others get the database in between. */
static int sweep_some(struct files *files, struct error *err)
{
    struct arena *arena = arena_open();
    struct file list[SWEPT_AT_ONCE];
    bool last[SWEPT_AT_ONCE] = {0}, good = false;
    int n = 0;
    blobs_lock(files->blobs);
    if (store_begin(files->store, err)) {
        good = read_expired(files, arena, list, &n, err);
        for (int i = 0; good && i < n; i++)
            good = drop_row(files, &list[i], &last[i], err);
        good = store_end(files->store, good, err);
    }
    for (int i = 0; good && i < n; i++)
        remove_bytes(files, &list[i], last[i]);
    blobs_unlock(files->blobs);
    arena_close(arena);
    return good ? n : -1;
}

int files_sweep(struct files *files)
{
    struct error err = {0};
    int n, n_files = 0, n_uploads = uploads_sweep(files);
    while ((n = sweep_some(files, &err)) > 0)
        n_files += n;
    if (n < 0)
        log_line(LOG_WARN, "files", "sweep=failed why=\"%s\"", err.message);
    if (n_files + n_uploads > 0)
        log_line(LOG_INFO, "files", "expired=%d abandoned=%d", n_files, n_uploads);
    return n_files + n_uploads;
}

/* ---- states ---- */

bool files_set_state(struct files *files, struct text id, enum file_state state,
                     struct text why, struct error *err)
{
    static const char set[] =
        "UPDATE files SET state = ?, error = ?, updated = ? WHERE id = ?";
    int n = 0;
    if (!store_begin(files->store, err))
        return false;
    bool good = store_run(files->store, set,
                          STORE_VALUES(STORE_INT(state), STORE_TEXT(why),
                                       STORE_INT(clock_ns()), STORE_TEXT(id)),
                          &n, err);
    return store_end(files->store, good, err) && (n > 0 || not_found(id, err));
}

/* ---- its bytes ---- */

static void close_fd(void *fd)
{
    close(*(int *)fd);
}

static bool is_usable(const struct file *file, struct error *err)
{
    if (file->state == FILE_ACTIVE)
        return true;
    if (file->state == FILE_PROCESSING)
        return error_set(err, ERROR_FAILED_PRECONDITION,
                         "files/%.*s is not ACTIVE yet: it is PROCESSING.",
                         TEXT_ARG(file->id));
    return error_set(err, ERROR_FAILED_PRECONDITION,
                     "files/%.*s is not usable, its state is FAILED: %.*s",
                     TEXT_ARG(file->id), TEXT_ARG(text_slice(file->error, 0, 300)));
}

bool files_find(struct files *files, struct text uri, struct arena *arena,
                struct file *file, int *fd, struct error *err)
{
    struct text id;
    if (!files_is_ours(uri, &id))
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "'%.*s' does not name a file of this server; its files are "
                         "files/{id}.",
                         TEXT_ARG(text_slice(uri, 0, 200)));
    if (!files_get(files, id, arena, file, err) || !is_usable(file, err))
        return false;
    *fd = blob_open(files->blobs, file->hash);
    if (*fd < 0)
        return error_set(err, ERROR_DATA_LOSS,
                         "The bytes of files/%.*s are gone from the server's disk.",
                         TEXT_ARG(id));
    int *kept = arena_new(arena, int);
    *kept = *fd;
    arena_defer(arena, close_fd, kept);
    return true;
}

/* ---- opening ---- */

/* Rows and bytes of an earlier server: every blob must be there. */
static bool check_bytes(struct files *files, struct error *err)
{
    static const char ask[] = "SELECT DISTINCT hash FROM files WHERE state = ?";
    static const char fail[] =
        "UPDATE files SET state = ?, error = 'its bytes are gone from the disk', "
        "updated = ? WHERE hash = ?";
    struct arena *arena = arena_open();
    bool good = store_begin(files->store, err);
    struct rows *rows =
        good ? store_ask(files->store, ask, STORE_VALUES(STORE_INT(FILE_ACTIVE)), err)
             : NULL;
    struct buf missing = {0};
    while (rows && store_next(rows, err)) {
        struct text hash = store_text(rows, 0, arena);
        int fd = blob_open(files->blobs, hash);
        if (fd < 0)
            buf_text(&missing, hash);
        else
            close(fd);
    }
    good = rows && err->code == ERROR_OK;
    store_done(rows);
    for (size_t i = 0; good && i + BLOB_HASH <= missing.len; i += BLOB_HASH) {
        struct text hash = text_slice(buf_view(&missing), i, i + BLOB_HASH);
        log_line(LOG_ERROR, "files", "lost=1 bytes_of_a_file_are_gone");
        good = store_run(files->store, fail,
                         STORE_VALUES(STORE_INT(FILE_FAILED), STORE_INT(clock_ns()),
                                      STORE_BYTES(hash)),
                         NULL, err);
    }
    buf_free(&missing);
    arena_close(arena);
    return (rows || good) && store_end(files->store, good, err);
}

static bool count_used(struct files *files, struct error *err)
{
    static const char ask[] =
        "SELECT (SELECT COALESCE(SUM(size), 0) FROM files) +"
        " (SELECT COALESCE(SUM(received), 0) FROM uploads WHERE NOT complete)";
    return store_begin(files->store, err) &&
           store_end(
               files->store,
               store_number(files->store, ask, STORE_NO_VALUES, 0, &files->used, err),
               err);
}

static bool is_wanted(const char *name, void *arg)
{
    static const char ask[] = "SELECT 1 FROM uploads WHERE id = ? AND NOT complete";
    struct files *files = arg;
    struct error err;
    int64_t found = 0;
    bool good =
        store_begin(files->store, &err) &&
        store_end(files->store,
                  store_number(files->store, ask, STORE_VALUES(STORE_TEXT(text_of(name))),
                               0, &found, &err),
                  &err);
    return !good || found;
}

struct files *files_open(struct store *store, const struct files_options *options,
                         struct error *err)
{
    struct files *files = mem_alloc(sizeof *files);
    *files = (struct files){.store = store, .options = *options};
    pthread_mutex_init(&files->lock, NULL);
    files->blobs = blobs_open(store, err);
    if (files->blobs && blobs_sweep(files->blobs, is_wanted, files, err) &&
        check_bytes(files, err) && count_used(files, err)) {
        files_sweep(files);
        return files;
    }
    files_close(files);
    return NULL;
}

struct blobs *files_blobs(const struct files *files)
{
    return files->blobs;
}

void files_close(struct files *files)
{
    if (!files)
        return;
    uploads_close(files);
    blobs_close(files->blobs);
    pthread_mutex_destroy(&files->lock);
    free(files);
}

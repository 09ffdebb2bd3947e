/* documents.c - rows of documents: put in, read, listed, taken away. */
#include "base/clock.h"
#include "index/inside.h"
#include "store/page.h"

/* ---- reading ---- */

static bool no_document(struct text store, struct text id, struct error *err)
{
    return error_set(
        err, ERROR_NOT_FOUND, "fileSearchStores/%.*s/documents/%.*s is not found.",
        TEXT_ARG(text_slice(store, 0, 100)), TEXT_ARG(text_slice(id, 0, 100)));
}

void index_read_document(struct rows *rows, struct arena *arena,
                         struct index_document *document)
{
    *document = (struct index_document){
        .number = store_int(rows, 0),
        .store = store_text(rows, 1, arena),
        .id = store_text(rows, 2, arena),
        .display_name = store_text(rows, 3, arena),
        .mime_type = store_text(rows, 4, arena),
        .uri = store_text(rows, 5, arena),
        .hash = store_text(rows, 6, arena),
        .metadata = store_text(rows, 7, arena),
        .size = store_int(rows, 8),
        .created = store_int(rows, 9),
        .updated = store_int(rows, 10),
        .n_passages = store_int(rows, 11),
        .state = (int)store_int(rows, 12),
        .error = store_text(rows, 13, arena),
    };
}

static bool get_document(struct index *index, struct text store, struct text id,
                         struct arena *arena, struct index_document *found,
                         struct error *err)
{
    static const char ask[] =
        "SELECT " DOCUMENT_COLUMNS " FROM search_documents WHERE store = ? AND id = ?";
    struct rows *rows = store_ask(index->store, ask,
                                  STORE_VALUES(STORE_TEXT(store), STORE_TEXT(id)), err);
    if (!rows)
        return false;
    bool good = store_next(rows, err);
    if (good)
        index_read_document(rows, arena, found);
    else if (err->code == ERROR_OK)
        no_document(store, id, err);
    store_done(rows);
    return good;
}

bool index_document_get(struct index *index, struct text store, struct text id,
                        struct arena *arena, struct index_document *found,
                        struct error *err)
{
    return store_begin(index->store, err) &&
           store_end(index->store, get_document(index, store, id, arena, found, err),
                     err);
}

bool index_read_documents(struct index *index, struct text store, int64_t created,
                          struct text id, int most, struct arena *arena,
                          struct index_document *list, int *n, struct error *err)
{
    static const char ask[] = "SELECT " DOCUMENT_COLUMNS " FROM search_documents "
                              "WHERE store = ? AND (created, id) > (?, ?) "
                              "ORDER BY created, id LIMIT ?";
    struct rows *rows = store_ask(index->store, ask,
                                  STORE_VALUES(STORE_TEXT(store), STORE_INT(created),
                                               STORE_TEXT(id), STORE_INT(most)),
                                  err);
    if (!rows)
        return false;
    for (*n = 0; store_next(rows, err); ++*n)
        index_read_document(rows, arena, &list[*n]);
    store_done(rows);
    return err->code == ERROR_OK;
}

bool index_document_list(struct index *index, struct text store, int page_size,
                         struct text token, struct arena *arena,
                         struct index_document **list, int *n, struct text *next,
                         struct error *err)
{
    struct text id = {0};
    struct index_store of;
    int64_t created = 0;
    int most = page_size + 1;
    *list = arena_array(arena, struct index_document, (size_t)most);
    *next = (struct text){0};
    if (!page_read(token, -1, &created, &id, err) || !store_begin(index->store, err))
        return false;
    bool good =
        index_find_store(index, store, arena, &of, err) &&
        index_read_documents(index, store, created, id, most, arena, *list, n, err);
    if (!store_end(index->store, good, err))
        return false;
    if (*n == most) {
        const struct index_document *last = &(*list)[--*n - 1];
        *next = page_token(last->created, last->id, arena);
    }
    return true;
}

/* ---- putting in ---- */

static bool check_room(struct index *index, int64_t size, struct error *err)
{
    static const char ask[] = "SELECT COALESCE(SUM(size), 0) FROM search_documents";
    int64_t used = 0;
    if (!store_number(index->store, ask, STORE_NO_VALUES, 0, &used, err))
        return false;
    return used + size <= index->options.total_limit ||
           error_set(err, ERROR_RESOURCE_EXHAUSTED,
                     "The documents of all stores may have %lld bytes on this server, "
                     "and %lld are in use: delete some, or start it with a higher "
                     "--files-total.",
                     (long long)index->options.total_limit, (long long)used);
}

static bool insert_document(struct index *index, const struct index_document *d,
                            struct chunking chunking, struct error *err)
{
    static const char insert[] =
        "INSERT INTO search_documents (store, id, display_name, mime_type, uri, hash, "
        "metadata, size, created, updated, n_passages, state, words, overlap) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)";
    return store_run(
        index->store, insert,
        STORE_VALUES(STORE_TEXT(d->store), STORE_TEXT(d->id), STORE_TEXT(d->display_name),
                     STORE_TEXT(d->mime_type), STORE_TEXT(d->uri), STORE_BYTES(d->hash),
                     STORE_TEXT(d->metadata), STORE_INT(d->size), STORE_INT(d->created),
                     STORE_INT(d->updated), STORE_INT(DOCUMENT_PENDING),
                     STORE_INT(chunking.words), STORE_INT(chunking.overlap)),
        NULL, err);
}

static struct index_document document_of(const struct file *file, struct text store,
                                         const struct index_wish *wish,
                                         struct arena *arena)
{
    struct text name = wish->display_name.len ? wish->display_name : file->display_name;
    int64_t now = clock_ns();
    return (struct index_document){
        .store = store,
        .id = index_make_id(name, arena),
        .display_name = name,
        .mime_type = wish->mime_type.len ? wish->mime_type : file->mime_type,
        .uri = wish->uri,
        .hash = file->hash,
        .metadata = wish->metadata,
        .size = file->size,
        .created = now,
        .updated = now,
        .state = DOCUMENT_PENDING,
    };
}

static struct chunking chunking_of(const struct index_wish *wish)
{
    return wish->chunking.words
               ? wish->chunking
               : (struct chunking){.words = CHUNK_WORDS, .overlap = CHUNK_OVERLAP};
}

/* Inside a transaction, with blobs locked. */
static bool put_in(struct index *index, const struct file *file, struct text store,
                   const struct index_wish *wish, struct arena *arena,
                   struct index_document *made, struct error *err)
{
    *made = document_of(file, store, wish, arena);
    return index_check_name(made->display_name, err) &&
           index_touch_store(index, store, made->created, err) &&
           check_room(index, file->size, err) &&
           blob_hold(index->blobs, file->hash, err) &&
           insert_document(index, made, chunking_of(wish), err);
}

/* A blob's count and a row change together, under the lock of whoever takes blobs away.
 */
static bool begin_change(struct index *index, struct error *err)
{
    blobs_lock(index->blobs);
    if (store_begin(index->store, err))
        return true;
    blobs_unlock(index->blobs);
    return false;
}

static bool end_change(struct index *index, bool good, struct error *err)
{
    good = store_end(index->store, good, err);
    blobs_unlock(index->blobs);
    if (good)
        index_wake(index);
    return good;
}

bool index_import(struct index *index, struct text store, struct text name,
                  const struct index_wish *wish, struct arena *arena,
                  struct index_document *made, struct error *err)
{
    struct file file;
    int fd;
    return files_find(index->files, name, arena, &file, &fd, err) &&
           begin_change(index, err) &&
           end_change(index, put_in(index, &file, store, wish, arena, made, err), err);
}

/* ---- uploads that become documents ---- */

bool index_expect(struct index *index, struct text store, struct text upload,
                  const struct index_wish *wish, struct error *err)
{
    static const char forget[] =
        "DELETE FROM search_uploads WHERE upload NOT IN (SELECT id FROM uploads)";
    static const char insert[] =
        "INSERT INTO search_uploads (upload, store, display_name, mime_type, uri, "
        "metadata, words, overlap) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    if (!index_check_name(wish->display_name, err) || !store_begin(index->store, err))
        return false;
    bool good = index_touch_store(index, store, clock_ns(), err) &&
                store_run(index->store, forget, STORE_NO_VALUES, NULL, err) &&
                store_run(index->store, insert,
                          STORE_VALUES(STORE_TEXT(upload), STORE_TEXT(store),
                                       STORE_TEXT(wish->display_name),
                                       STORE_TEXT(wish->mime_type), STORE_TEXT(wish->uri),
                                       STORE_TEXT(wish->metadata),
                                       STORE_INT(wish->chunking.words),
                                       STORE_INT(wish->chunking.overlap)),
                          NULL, err);
    return store_end(index->store, good, err);
}

/* *document is absent when there is none yet. */
static bool read_expected(struct index *index, struct text store, struct text upload,
                          struct arena *arena, struct index_wish *wish,
                          struct text *document, struct error *err)
{
    static const char ask[] = "SELECT display_name, mime_type, uri, metadata, words, "
                              "overlap, document FROM search_uploads "
                              "WHERE upload = ? AND store = ?";
    struct rows *rows = store_ask(
        index->store, ask, STORE_VALUES(STORE_TEXT(upload), STORE_TEXT(store)), err);
    if (!rows)
        return false;
    bool good = store_next(rows, err);
    if (good) {
        *wish = (struct index_wish){
            .display_name = store_text(rows, 0, arena),
            .mime_type = store_text(rows, 1, arena),
            .uri = store_text(rows, 2, arena),
            .metadata = store_text(rows, 3, arena),
            .chunking = {(int)store_int(rows, 4), (int)store_int(rows, 5)},
        };
        *document = store_text(rows, 6, arena);
    } else if (err->code == ERROR_OK) {
        error_set(err, ERROR_NOT_FOUND,
                  "This upload was not begun for fileSearchStores/%.*s.",
                  TEXT_ARG(text_slice(store, 0, 100)));
    }
    store_done(rows);
    return good;
}

static bool receive(struct index *index, struct text store, struct text upload,
                    const struct file *file, struct arena *arena,
                    struct index_document *made, struct error *err)
{
    static const char note[] = "UPDATE search_uploads SET document = ? WHERE upload = ?";
    struct index_wish wish;
    struct text document = {0};
    if (!read_expected(index, store, upload, arena, &wish, &document, err))
        return false;
    if (document.at)
        return get_document(index, store, document, arena, made, err);
    return put_in(index, file, store, &wish, arena, made, err) &&
           store_run(index->store, note,
                     STORE_VALUES(STORE_TEXT(made->id), STORE_TEXT(upload)), NULL, err);
}

bool index_receive(struct index *index, struct text store, struct text upload,
                   struct text name, struct arena *arena, struct index_document *made,
                   struct error *err)
{
    struct file file;
    int fd;
    return files_find(index->files, name, arena, &file, &fd, err) &&
           begin_change(index, err) &&
           end_change(index, receive(index, store, upload, &file, arena, made, err), err);
}

/* ---- taking away ---- */

bool index_drop_passages(struct index *index, int64_t document, struct error *err)
{
    /* FTS5 does not keep what it indexed: it has to be told. */
    static const char words[] =
        "INSERT INTO search_words (search_words, rowid, title, text) "
        "SELECT 'delete', number, title, text FROM search_texts WHERE document = ?";
    static const char passages[] = "DELETE FROM search_passages WHERE document = ?";
    return store_run(index->store, words, STORE_VALUES(STORE_INT(document)), NULL, err) &&
           store_run(index->store, passages, STORE_VALUES(STORE_INT(document)), NULL,
                     err);
}

bool index_drop_document(struct index *index, const struct index_document *document,
                         bool *last, struct error *err)
{
    static const char drop[] = "DELETE FROM search_documents WHERE number = ?";
    return index_drop_passages(index, document->number, err) &&
           store_run(index->store, drop, STORE_VALUES(STORE_INT(document->number)), NULL,
                     err) &&
           blob_drop(index->blobs, document->hash, last, err);
}

void index_forget(struct index *index, const struct index_document *document, bool last)
{
    if (last)
        blob_remove(index->blobs, document->hash);
    pthread_rwlock_wrlock(&index->reading);
    vectors_remove(&index->vectors, document->number);
    pthread_rwlock_unlock(&index->reading);
}

static bool find_to_delete(struct index *index, struct text store, struct text id,
                           bool force, struct arena *arena,
                           struct index_document *document, struct error *err)
{
    return get_document(index, store, id, arena, document, err) &&
           (force || document->n_passages == 0 ||
            error_set(err, ERROR_FAILED_PRECONDITION,
                      "The document has %lld passages; with force=true they go with it.",
                      (long long)document->n_passages));
}

bool index_document_delete(struct index *index, struct text store, struct text id,
                           bool force, struct error *err)
{
    struct arena *arena = arena_open();
    struct index_document document = {0};
    bool last = false;
    pthread_mutex_lock(&index->change);
    blobs_lock(index->blobs);
    bool good = store_begin(index->store, err);
    if (good)
        good = store_end(index->store,
                         find_to_delete(index, store, id, force, arena, &document, err) &&
                             index_drop_document(index, &document, &last, err) &&
                             index_touch_store(index, store, clock_ns(), err),
                         err);
    if (good)
        index_forget(index, &document, last);
    blobs_unlock(index->blobs);
    pthread_mutex_unlock(&index->change);
    arena_close(arena);
    return good;
}

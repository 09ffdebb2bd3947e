/* index.c - rows of stores and of documents: made, read, listed, deleted. */
#include "base/buf.h"
#include "base/log.h"
#include "index/inside.h"
#include "store/page.h"
#include <stdio.h>
#include <stdlib.h>

enum { SUFFIX = 12, SLUG_MOST = INDEX_ID_MOST - SUFFIX - 1 };

/* ---- names ---- */

struct text index_plain_id(struct text name)
{
    static const char prefix[] = "fileSearchStores/";
    return text_starts(name, prefix) ? text_slice(name, strlen(prefix), name.len) : name;
}

/* "My books!" to "my-books-" and twelve characters at random. */
static struct text make_id(struct text display_name, struct arena *arena)
{
    char slug[SLUG_MOST + 1], suffix[SUFFIX + 1];
    size_t n = 0;
    for (size_t i = 0; i < display_name.len && n < SLUG_MOST; i++) {
        char c = display_name.at[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (plain)
            slug[n++] = c;
        else if (n > 0 && slug[n - 1] != '-')
            slug[n++] = '-';
    }
    while (n > 0 && slug[n - 1] == '-')
        n--;
    files_random_id(suffix, SUFFIX);
    return arena_printf(arena, "%.*s%s%s", (int)n, slug, n ? "-" : "", suffix);
}

static size_t n_characters(struct text text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += ((unsigned char)text.at[i] & 0xc0) != 0x80;
    return n;
}

static bool check_name(struct text name, struct error *err)
{
    return n_characters(name) <= INDEX_NAME_MOST ||
           error_at(err, "display_name", "displayName may have at most %d characters.",
                    INDEX_NAME_MOST);
}

static bool no_store(struct text id, struct error *err)
{
    return error_set(err, ERROR_NOT_FOUND, "fileSearchStores/%.*s is not found.",
                     TEXT_ARG(text_slice(id, 0, 100)));
}

static bool no_document(struct text store, struct text id, struct error *err)
{
    return error_set(
        err, ERROR_NOT_FOUND, "fileSearchStores/%.*s/documents/%.*s is not found.",
        TEXT_ARG(text_slice(store, 0, 100)), TEXT_ARG(text_slice(id, 0, 100)));
}

/* ---- pages ---- */

/* ---- stores ---- */

#define STORE_COLUMNS                                                                    \
    "s.id, s.display_name, s.created, s.updated,"                                        \
    " COALESCE(SUM(d.state = 2), 0), COALESCE(SUM(d.state = 1), 0),"                     \
    " COALESCE(SUM(d.state = 3), 0), COALESCE(SUM(d.size), 0)"                           \
    " FROM search_stores s LEFT JOIN search_documents d ON d.store = s.id "

static void read_store(struct rows *rows, struct arena *arena, struct index_store *store)
{
    *store = (struct index_store){
        .id = store_text(rows, 0, arena),
        .display_name = store_text(rows, 1, arena),
        .created = store_int(rows, 2),
        .updated = store_int(rows, 3),
        .n_active = store_int(rows, 4),
        .n_pending = store_int(rows, 5),
        .n_failed = store_int(rows, 6),
        .size = store_int(rows, 7),
    };
}

static bool insert_store(struct index *index, const struct index_store *store,
                         struct error *err)
{
    static const char insert[] = "INSERT INTO search_stores (id, display_name, created, "
                                 "updated) VALUES (?, ?, ?, ?)";
    return store_run(index->store, insert,
                     STORE_VALUES(STORE_TEXT(store->id), STORE_TEXT(store->display_name),
                                  STORE_INT(store->created), STORE_INT(store->updated)),
                     NULL, err);
}

bool index_create(struct index *index, struct text display_name, struct arena *arena,
                  struct index_store *made, struct error *err)
{
    int64_t now = files_now();
    *made = (struct index_store){.id = make_id(display_name, arena),
                                 .display_name = display_name,
                                 .created = now,
                                 .updated = now};
    return check_name(display_name, err) && store_begin(index->store, err) &&
           store_end(index->store, insert_store(index, made, err), err);
}

static bool get_store(struct index *index, struct text id, struct arena *arena,
                      struct index_store *found, struct error *err)
{
    static const char ask[] = "SELECT " STORE_COLUMNS "WHERE s.id = ? GROUP BY s.id";
    struct rows *rows = store_ask(index->store, ask, STORE_VALUES(STORE_TEXT(id)), err);
    if (!rows)
        return false;
    bool good = store_next(rows, err);
    if (good)
        read_store(rows, arena, found);
    else if (err->code == ERROR_OK)
        no_store(id, err);
    store_done(rows);
    return good;
}

bool index_get(struct index *index, struct text id, struct arena *arena,
               struct index_store *found, struct error *err)
{
    return store_begin(index->store, err) &&
           store_end(index->store, get_store(index, id, arena, found, err), err);
}

static bool list_stores(struct index *index, int64_t created, struct text id, int most,
                        struct arena *arena, struct index_store *list, int *n,
                        struct error *err)
{
    static const char ask[] =
        "SELECT " STORE_COLUMNS "WHERE (s.created, s.id) > (?, ?) GROUP BY s.id "
        "ORDER BY s.created, s.id LIMIT ?";
    struct rows *rows =
        store_ask(index->store, ask,
                  STORE_VALUES(STORE_INT(created), STORE_TEXT(id), STORE_INT(most)), err);
    if (!rows)
        return false;
    for (*n = 0; store_next(rows, err); ++*n)
        read_store(rows, arena, &list[*n]);
    store_done(rows);
    return err->code == ERROR_OK;
}

bool index_list(struct index *index, int page_size, struct text token,
                struct arena *arena, struct index_store **list, int *n, struct text *next,
                struct error *err)
{
    struct text id = {0};
    int64_t created = 0;
    int most = page_size + 1; /* the one more says that there is another page */
    *list = arena_array(arena, struct index_store, (size_t)most);
    *next = (struct text){0};
    if (!page_read(token, -1, &created, &id, err) || !store_begin(index->store, err))
        return false;
    bool good = list_stores(index, created, id, most, arena, *list, n, err);
    if (!store_end(index->store, good, err))
        return false;
    if (*n == most) {
        const struct index_store *last = &(*list)[--*n - 1];
        *next = page_token(last->created, last->id, arena);
    }
    return true;
}

/* ---- documents ---- */

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

static bool list_documents(struct index *index, struct text store, int64_t created,
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
    bool good = get_store(index, store, arena, &of, err) &&
                list_documents(index, store, created, id, most, arena, *list, n, err);
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

static bool touch_store(struct index *index, struct text id, int64_t now,
                        struct error *err)
{
    static const char touch[] = "UPDATE search_stores SET updated = ? WHERE id = ?";
    int n = 0;
    if (!store_run(index->store, touch, STORE_VALUES(STORE_INT(now), STORE_TEXT(id)), &n,
                   err))
        return false;
    const struct index_store local = {.id = TEXT(INDEX_LOCAL),
                                      .display_name = TEXT("Local documents"),
                                      .created = now,
                                      .updated = now};
    if (n == 0 && text_is(id, INDEX_LOCAL))
        return insert_store(index, &local, err);
    return n > 0 || no_store(id, err);
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
    int64_t now = files_now();
    return (struct index_document){
        .store = store,
        .id = make_id(name, arena),
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
    return check_name(made->display_name, err) &&
           touch_store(index, store, made->created, err) &&
           check_room(index, file->size, err) &&
           blob_hold(index->blobs, file->hash, err) &&
           insert_document(index, made, chunking_of(wish), err);
}

bool index_import(struct index *index, struct text store, struct text name,
                  const struct index_wish *wish, struct arena *arena,
                  struct index_document *made, struct error *err)
{
    struct file file;
    int fd;
    if (!files_find(index->files, name, arena, &file, &fd, err))
        return false;
    blobs_lock(index->blobs);
    bool good = store_begin(index->store, err);
    if (good)
        good = store_end(index->store,
                         put_in(index, &file, store, wish, arena, made, err), err);
    blobs_unlock(index->blobs);
    if (good)
        index_wake(index);
    return good;
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
    if (!check_name(wish->display_name, err) || !store_begin(index->store, err))
        return false;
    bool good = touch_store(index, store, files_now(), err) &&
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
    if (!files_find(index->files, name, arena, &file, &fd, err))
        return false;
    blobs_lock(index->blobs);
    bool good = store_begin(index->store, err);
    if (good)
        good = store_end(index->store,
                         receive(index, store, upload, &file, arena, made, err), err);
    blobs_unlock(index->blobs);
    if (good)
        index_wake(index);
    return good;
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

static bool drop_document(struct index *index, const struct index_document *document,
                          bool *last, struct error *err)
{
    static const char drop[] = "DELETE FROM search_documents WHERE number = ?";
    return index_drop_passages(index, document->number, err) &&
           store_run(index->store, drop, STORE_VALUES(STORE_INT(document->number)), NULL,
                     err) &&
           blob_drop(index->blobs, document->hash, last, err);
}

static void forget(struct index *index, const struct index_document *document, bool last)
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
                             drop_document(index, &document, &last, err) &&
                             touch_store(index, store, files_now(), err),
                         err);
    if (good)
        forget(index, &document, last);
    blobs_unlock(index->blobs);
    pthread_mutex_unlock(&index->change);
    arena_close(arena);
    return good;
}

/* What is in the store, in its transaction; each with whether its blob was the last. */
struct doomed {
    struct index_document *documents;
    bool *last;
    int n;
};

static bool drop_all(struct index *index, struct text store, struct arena *arena,
                     struct doomed *doomed, struct error *err)
{
    static const char count[] = "SELECT COUNT(*) FROM search_documents WHERE store = ?";
    int64_t n = 0;
    if (!store_number(index->store, count, STORE_VALUES(STORE_TEXT(store)), 0, &n, err))
        return false;
    doomed->documents = arena_array(arena, struct index_document, (size_t)n + 1);
    doomed->last = arena_array(arena, bool, (size_t)n + 1);
    if (!list_documents(index, store, -1, TEXT(""), (int)n, arena, doomed->documents,
                        &doomed->n, err))
        return false;
    for (int i = 0; i < doomed->n; i++)
        if (!drop_document(index, &doomed->documents[i], &doomed->last[i], err))
            return false;
    return true;
}

static bool drop_store(struct index *index, struct text id, bool force,
                       struct arena *arena, struct doomed *doomed, struct error *err)
{
    static const char uploads[] = "DELETE FROM search_uploads WHERE store = ?";
    static const char drop[] = "DELETE FROM search_stores WHERE id = ?";
    struct index_store store;
    if (!get_store(index, id, arena, &store, err))
        return false;
    long long n = (long long)(store.n_active + store.n_pending + store.n_failed);
    if (!force && n > 0)
        return error_set(err, ERROR_FAILED_PRECONDITION,
                         "fileSearchStores/%.*s has %lld documents; with force=true they "
                         "go with it.",
                         TEXT_ARG(id), n);
    return drop_all(index, id, arena, doomed, err) &&
           store_run(index->store, uploads, STORE_VALUES(STORE_TEXT(id)), NULL, err) &&
           store_run(index->store, drop, STORE_VALUES(STORE_TEXT(id)), NULL, err);
}

bool index_delete(struct index *index, struct text id, bool force, struct error *err)
{
    struct arena *arena = arena_open();
    struct doomed doomed = {0};
    pthread_mutex_lock(&index->change);
    blobs_lock(index->blobs);
    bool good = store_begin(index->store, err);
    if (good)
        good = store_end(index->store, drop_store(index, id, force, arena, &doomed, err),
                         err);
    for (int i = 0; good && i < doomed.n; i++)
        forget(index, &doomed.documents[i], doomed.last[i]);
    blobs_unlock(index->blobs);
    pthread_mutex_unlock(&index->change);
    arena_close(arena);
    return good;
}

/* ---- opening ---- */

/* A blob whose bytes are gone, and passages of another model. */
static bool look_over(struct index *index, struct error *err)
{
    static const char again[] =
        "UPDATE search_documents SET state = 1 WHERE state = 2 AND model <> ?";
    int n = 0;
    if (!store_begin(index->store, err))
        return false;
    struct text model = text_of(embed_name(index->options.embedder));
    bool good = store_run(index->store, again, STORE_VALUES(STORE_TEXT(model)), &n, err);
    if (!store_end(index->store, good, err))
        return false;
    if (n > 0)
        log_line(LOG_INFO, "index", "again=%d model=%.*s", n, TEXT_ARG(model));
    return true;
}

/* A document's passages, one after the other, become one block. */
static bool load_one(struct index *index, const struct index_document *document,
                     int64_t first, int n_dims, struct error *err)
{
    static const char ask[] =
        "SELECT vector FROM search_passages WHERE document = ? ORDER BY number";
    struct arena *arena = arena_open();
    struct buf block = {0};
    size_t size = sizeof(float) * (size_t)n_dims * (size_t)document->n_passages;
    struct rows *rows =
        store_ask(index->store, ask, STORE_VALUES(STORE_INT(document->number)), err);
    while (rows && store_next(rows, err))
        buf_text(&block, store_text(rows, 0, arena));
    bool good = rows && err->code == ERROR_OK;
    store_done(rows);
    if (good && block.len == size)
        index_hold(index, document, first, (int)document->n_passages, n_dims,
                   (const void *)block.at);
    else if (good)
        log_line(LOG_ERROR, "index", "document=%lld vectors=broken",
                 (long long)document->number);
    buf_free(&block);
    arena_close(arena);
    return good;
}

static bool load_all(struct index *index, struct arena *arena, struct error *err)
{
    static const char ask[] = "SELECT " DOCUMENT_COLUMNS ", first, n_dims "
                              "FROM search_documents WHERE state = 2";
    struct rows *rows = store_ask(index->store, ask, STORE_NO_VALUES, err);
    bool good = rows != NULL;
    while (good && store_next(rows, err)) {
        struct index_document document;
        index_read_document(rows, arena, &document);
        good = load_one(index, &document, store_int(rows, 14), (int)store_int(rows, 15),
                        err);
    }
    good = good && err->code == ERROR_OK;
    store_done(rows);
    return good;
}

static bool load(struct index *index, struct error *err)
{
    struct arena *arena = arena_open();
    pthread_rwlock_wrlock(&index->reading); /* before the store's, as a search does */
    bool good = store_begin(index->store, err);
    good = good && store_end(index->store, load_all(index, arena, err), err);
    pthread_rwlock_unlock(&index->reading);
    arena_close(arena);
    return good;
}

struct index *index_open(struct store *store, struct files *files,
                         const struct index_options *options, struct error *err)
{
    struct index *index = mem_alloc(sizeof *index);
    *index = (struct index){.store = store,
                            .files = files,
                            .blobs = files_blobs(files),
                            .options = *options,
                            .woken = true};
    pthread_mutex_init(&index->change, NULL);
    pthread_rwlock_init(&index->reading, NULL);
    pthread_mutex_init(&index->lock, NULL);
    pthread_cond_init(&index->news, NULL);
    if (look_over(index, err) && load(index, err) && index_start(index, err))
        return index;
    index_close(index);
    return NULL;
}

void index_close(struct index *index)
{
    if (!index)
        return;
    index_stop(index);
    vectors_free(&index->vectors);
    pthread_cond_destroy(&index->news);
    pthread_mutex_destroy(&index->lock);
    pthread_rwlock_destroy(&index->reading);
    pthread_mutex_destroy(&index->change);
    free(index);
}

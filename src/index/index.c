/* index.c - stores: made, read, listed, deleted; and what is loaded at the start. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
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
struct text index_make_id(struct text display_name, struct arena *arena)
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
    id_random(suffix, SUFFIX);
    return arena_printf(arena, "%.*s%s%s", (int)n, slug, n ? "-" : "", suffix);
}

bool index_check_name(struct text name, struct error *err)
{
    return text_characters(name) <= INDEX_NAME_MOST ||
           error_at(err, "display_name", "displayName may have at most %d characters.",
                    INDEX_NAME_MOST);
}

bool index_no_store(struct text id, struct error *err)
{
    return error_set(err, ERROR_NOT_FOUND, "fileSearchStores/%.*s is not found.",
                     TEXT_ARG(text_slice(id, 0, 100)));
}

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

bool index_touch_store(struct index *index, struct text id, int64_t now,
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
    return n > 0 || index_no_store(id, err);
}

bool index_create(struct index *index, struct text display_name, struct arena *arena,
                  struct index_store *made, struct error *err)
{
    int64_t now = clock_ns();
    *made = (struct index_store){.id = index_make_id(display_name, arena),
                                 .display_name = display_name,
                                 .created = now,
                                 .updated = now};
    return index_check_name(display_name, err) && store_begin(index->store, err) &&
           store_end(index->store, insert_store(index, made, err), err);
}

bool index_find_store(struct index *index, struct text id, struct arena *arena,
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
        index_no_store(id, err);
    store_done(rows);
    return good;
}

bool index_get(struct index *index, struct text id, struct arena *arena,
               struct index_store *found, struct error *err)
{
    return store_begin(index->store, err) &&
           store_end(index->store, index_find_store(index, id, arena, found, err), err);
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

/* ---- taking a store away ---- */

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
    if (!index_read_documents(index, store, -1, TEXT(""), (int)n, arena,
                              doomed->documents, &doomed->n, err))
        return false;
    for (int i = 0; i < doomed->n; i++)
        if (!index_drop_document(index, &doomed->documents[i], &doomed->last[i], err))
            return false;
    return true;
}

static bool drop_store(struct index *index, struct text id, bool force,
                       struct arena *arena, struct doomed *doomed, struct error *err)
{
    static const char uploads[] = "DELETE FROM search_uploads WHERE store = ?";
    static const char drop[] = "DELETE FROM search_stores WHERE id = ?";
    struct index_store store;
    if (!index_find_store(index, id, arena, &store, err))
        return false;
    long long n = store.n_active + store.n_pending + store.n_failed;
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
        index_forget(index, &doomed.documents[i], doomed.last[i]);
    blobs_unlock(index->blobs);
    pthread_mutex_unlock(&index->change);
    arena_close(arena);
    return good;
}

/* ---- opening ---- */

/* What another embedding model made is made anew. */
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

/* caches.c - rows of caches: made, read, listed, changed, deleted, expired. */
#include "caches/caches.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "caches/inside.h"
#include "store/page.h"
#include <stdlib.h>
#include <time.h>

enum { SWEPT_AT_ONCE = 100, ID_LEN = 24, IDLE_S = 60, ID_MOST = 100 };

#define NS 1000000000LL
#define COLUMNS "id, model, display_name, n_tokens, created, updated, expires"

/* ---- one ---- */

static bool not_found(struct text id, struct error *err)
{
    return error_set(err, ERROR_NOT_FOUND,
                     "CachedContent not found: cachedContents/%.*s was never there, was "
                     "deleted, or has expired.",
                     TEXT_ARG(text_slice(id, 0, ID_MOST)));
}

static void read_row(struct rows *rows, struct arena *arena, struct cache_entry *entry)
{
    *entry = (struct cache_entry){
        .id = store_text(rows, 0, arena),
        .model = store_text(rows, 1, arena),
        .display_name = store_text(rows, 2, arena),
        .n_tokens = (int)store_int(rows, 3),
        .created = store_int(rows, 4),
        .updated = store_int(rows, 5),
        .expires = store_int(rows, 6),
    };
}

/* Inside a transaction. */
static bool read_entry(struct caches *caches, struct text id, struct arena *arena,
                       struct cache_entry *entry, struct error *err)
{
    static const char ask[] =
        "SELECT " COLUMNS ", body FROM caches WHERE id = ? AND expires > ?";
    struct rows *rows = store_ask(
        caches->store, ask, STORE_VALUES(STORE_TEXT(id), STORE_INT(clock_ns())), err);
    if (!rows)
        return false;
    bool found = store_next(rows, err);
    if (found) {
        read_row(rows, arena, entry);
        entry->body = store_text(rows, 7, arena);
    } else if (err->code == ERROR_OK) {
        not_found(id, err);
    }
    store_done(rows);
    return found;
}

bool caches_get(struct caches *caches, struct text id, struct arena *arena,
                struct cache_entry *entry, struct error *err)
{
    return store_begin(caches->store, err) &&
           store_end(caches->store, read_entry(caches, id, arena, entry, err), err);
}

/* ---- making ---- */

static bool insert(struct caches *caches, const struct cache_entry *entry,
                   struct error *err)
{
    static const char sql[] =
        "INSERT INTO caches (" COLUMNS ", body, used) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    return store_run(caches->store, sql,
                     STORE_VALUES(STORE_TEXT(entry->id), STORE_TEXT(entry->model),
                                  STORE_TEXT(entry->display_name),
                                  STORE_INT(entry->n_tokens), STORE_INT(entry->created),
                                  STORE_INT(entry->updated), STORE_INT(entry->expires),
                                  STORE_BYTES(entry->body), STORE_INT(entry->created)),
                     NULL, err);
}

bool caches_create(struct caches *caches, struct cache_entry *entry,
                   const struct cache_adapter *adapter, struct saved_rows *const *rows,
                   int n, struct arena *arena, struct error *err)
{
    struct row_parts parts;
    struct text key = rows_key_of(caches, adapter, arena);
    char id[ID_LEN + 1];
    id_random(id, ID_LEN);
    entry->id = arena_text(arena, (struct text){id, ID_LEN});
    entry->created = entry->updated = clock_ns();
    if (!rows_write(caches, entry->id, rows, n, &parts, err))
        return false;
    blobs_lock(caches->blobs);
    bool good = store_begin(caches->store, err) &&
                store_end(caches->store,
                          insert(caches, entry, err) &&
                              rows_insert(caches, entry->id, key, rows, n, &parts, err),
                          err);
    blobs_unlock(caches->blobs);
    rows_written(caches, &parts);
    if (good)
        rows_limit(caches, entry->id);
    return good;
}

static bool replace(struct caches *caches, struct text id, struct text key, int n_tokens,
                    struct saved_rows *const *rows, int n, struct row_parts *parts,
                    struct kept_rows *kept, int *n_kept, struct error *err)
{
    static const char set[] =
        "UPDATE caches SET n_tokens = ? WHERE id = ? AND expires > ?";
    static const char ask[] = "SELECT 1 FROM blobs WHERE hash = ?";
    int n_there = 0;
    bool good = store_run(
        caches->store, set,
        STORE_VALUES(STORE_INT(n_tokens), STORE_TEXT(id), STORE_INT(clock_ns())),
        &n_there, err);
    if (good && n_there == 0)
        return not_found(id, err);
    good = good && rows_drop(caches, id, kept, n_kept, err) &&
           rows_insert(caches, id, key, rows, n, parts, err);
    for (int i = 0; good && i < *n_kept; i++) { /* the same bytes may have come again */
        struct text hash = {(const char *)kept[i].hash, BLOB_HASH};
        int64_t again = 0;
        good = store_number(caches->store, ask, STORE_VALUES(STORE_BYTES(hash)), 0,
                            &again, err);
        kept[i].last = kept[i].last && !again;
    }
    return good;
}

bool caches_save(struct caches *caches, struct text id,
                 const struct cache_adapter *adapter, int n_tokens,
                 struct saved_rows *const *rows, int n, struct error *err)
{
    struct row_parts parts;
    struct kept_rows kept[CACHE_FORMS] = {0};
    int n_kept = 0;
    if (!rows_write(caches, id, rows, n, &parts, err))
        return false;
    struct arena *arena = arena_open();
    struct text key = rows_key_of(caches, adapter, arena);
    blobs_lock(caches->blobs);
    bool good =
        store_begin(caches->store, err) &&
        store_end(caches->store,
                  replace(caches, id, key, n_tokens, rows, n, &parts, kept, &n_kept, err),
                  err);
    if (good)
        rows_remove(caches, kept, n_kept);
    blobs_unlock(caches->blobs);
    rows_written(caches, &parts);
    arena_close(arena);
    if (good)
        rows_limit(caches, id);
    return good;
}

/* ---- changing ---- */

bool caches_set_expiry(struct caches *caches, struct text id, int64_t expires,
                       struct arena *arena, struct cache_entry *entry, struct error *err)
{
    static const char set[] =
        "UPDATE caches SET expires = ?, updated = ? WHERE id = ? AND expires > ?";
    int64_t now = clock_ns();
    int n = 0;
    if (!store_begin(caches->store, err))
        return false;
    bool good = store_run(caches->store, set,
                          STORE_VALUES(STORE_INT(expires), STORE_INT(now), STORE_TEXT(id),
                                       STORE_INT(now)),
                          &n, err) &&
                (n > 0 || not_found(id, err)) &&
                read_entry(caches, id, arena, entry, err);
    return store_end(caches->store, good, err);
}

/* ---- the list ---- */

static bool read_page(struct caches *caches, int64_t created, struct text id, int most,
                      struct arena *arena, struct cache_entry *list, int *n,
                      struct error *err)
{
    static const char ask[] = "SELECT " COLUMNS " FROM caches "
                              "WHERE expires > ?1 AND (created, id) < (?2, ?3) "
                              "ORDER BY created DESC, id DESC LIMIT ?4";
    struct rows *rows = store_ask(caches->store, ask,
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

bool caches_list(struct caches *caches, int page_size, struct text token,
                 struct arena *arena, struct cache_entry **list, int *n,
                 struct text *next, struct error *err)
{
    struct text id = {0};
    int64_t created = 0;
    int most = page_size + 1; /* the one more says that there is another page */
    *list = arena_array(arena, struct cache_entry, (size_t)most);
    *next = (struct text){0};
    if (!page_read(token, INT64_MAX, &created, &id, err) ||
        !store_begin(caches->store, err))
        return false;
    bool good = read_page(caches, created, id, most, arena, *list, n, err);
    if (!store_end(caches->store, good, err))
        return false;
    if (*n == most) {
        const struct cache_entry *last = &(*list)[--*n - 1];
        *next = page_token(last->created, last->id, arena);
    }
    return true;
}

/* ---- the end ---- */

static bool drop(struct caches *caches, struct text id, struct kept_rows *kept, int *n,
                 struct error *err)
{
    static const char sql[] = "DELETE FROM caches WHERE id = ?";
    return rows_drop(caches, id, kept, n, err) &&
           store_run(caches->store, sql, STORE_VALUES(STORE_TEXT(id)), NULL, err);
}

bool caches_delete(struct caches *caches, struct text id, struct error *err)
{
    struct arena *arena = arena_open();
    struct cache_entry entry;
    struct kept_rows kept[CACHE_FORMS] = {0};
    int n = 0;
    blobs_lock(caches->blobs);
    bool good = store_begin(caches->store, err) &&
                store_end(caches->store,
                          read_entry(caches, id, arena, &entry, err) &&
                              drop(caches, id, kept, &n, err),
                          err);
    if (good)
        rows_remove(caches, kept, n);
    blobs_unlock(caches->blobs);
    arena_close(arena);
    return good;
}

static bool read_expired(struct caches *caches, struct arena *arena, struct text *ids,
                         int *n, struct error *err)
{
    static const char ask[] = "SELECT id FROM caches WHERE expires <= ? LIMIT ?";
    struct rows *rows =
        store_ask(caches->store, ask,
                  STORE_VALUES(STORE_INT(clock_ns()), STORE_INT(SWEPT_AT_ONCE)), err);
    if (!rows)
        return false;
    for (*n = 0; store_next(rows, err); ++*n)
        ids[*n] = store_text(rows, 0, arena);
    store_done(rows);
    return err->code == ERROR_OK;
}

/* Some at a time, so that others get the database in between. */
static int sweep_some(struct caches *caches, struct error *err)
{
    struct arena *arena = arena_open();
    struct text ids[SWEPT_AT_ONCE];
    struct kept_rows kept[SWEPT_AT_ONCE * CACHE_FORMS] = {0};
    bool good = false;
    int n = 0, n_kept = 0;
    blobs_lock(caches->blobs);
    if (store_begin(caches->store, err)) {
        good = read_expired(caches, arena, ids, &n, err);
        for (int i = 0; good && i < n; i++)
            good = drop(caches, ids[i], kept, &n_kept, err);
        good = store_end(caches->store, good, err);
    }
    if (good)
        rows_remove(caches, kept, n_kept);
    blobs_unlock(caches->blobs);
    arena_close(arena);
    return good ? n : -1;
}

int caches_sweep(struct caches *caches)
{
    struct error err = {0};
    int n, n_gone = 0;
    while ((n = sweep_some(caches, &err)) > 0)
        n_gone += n;
    if (n < 0)
        log_line(LOG_WARN, "caches", "sweep=failed why=\"%s\"", err.message);
    if (n_gone > 0)
        log_line(LOG_INFO, "caches", "expired=%d", n_gone);
    rows_forget(caches, clock_ns() - IDLE_S * NS);
    return n_gone;
}

/* ---- opening ---- */

struct caches *caches_open(struct store *store, struct blobs *blobs,
                           const struct caches_options *options, struct error *err)
{
    struct caches *caches = mem_alloc(sizeof *caches);
    *caches = (struct caches){.store = store, .blobs = blobs, .options = *options};
    pthread_mutex_init(&caches->lock, NULL);
    pthread_cond_init(&caches->read, NULL);
    if (sweep_some(caches, err) >= 0) {
        caches_sweep(caches);
        return caches;
    }
    caches_close(caches);
    return NULL;
}

void caches_close(struct caches *caches)
{
    if (!caches)
        return;
    rows_forget(caches, INT64_MAX);
    pthread_cond_destroy(&caches->read);
    pthread_mutex_destroy(&caches->lock);
    free(caches);
}

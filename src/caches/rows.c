/* rows.c - the rows of caches: written, read, shared, limited.
 *
 * Rows are written before they are named, and named in the transaction that commits the
 * row which tells of them (store/blob.h). What is read is checked against its name, the
 * hash, so that bytes which the disk has changed never reach an engine. */
#include "base/clock.h"
#include "base/log.h"
#include "caches/inside.h"
#include "engine/engine.h"
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct text name_of(const unsigned char *hash)
{
    return (struct text){(const char *)hash, BLOB_HASH};
}

/* ---- writing ---- */

static struct part *write_one(struct caches *caches, const char *name,
                              const struct saved_rows *rows, struct error *err)
{
    struct part *part = part_open(caches->blobs, name, 0, err);
    if (part && part_add(part, rows->bytes, err) && part_sync(part, err))
        return part;
    part_close(part);
    part_remove(caches->blobs, name);
    return NULL;
}

bool rows_write(struct caches *caches, struct text id, struct saved_rows *const *rows,
                int n, struct row_parts *parts, struct error *err)
{
    *parts = (struct row_parts){0};
    for (int i = 0; i < n; i++) {
        snprintf(parts->names[i], sizeof parts->names[i], "cache-%.*s-%d", TEXT_ARG(id),
                 i);
        parts->parts[i] = write_one(caches, parts->names[i], rows[i], err);
        if (!parts->parts[i]) {
            rows_written(caches, parts);
            return false;
        }
        parts->n++;
    }
    return true;
}

void rows_written(struct caches *caches, struct row_parts *parts)
{
    for (int i = 0; i < parts->n; i++) {
        part_close(parts->parts[i]);
        part_remove(caches->blobs, parts->names[i]);
    }
    parts->n = 0;
}

struct text rows_key_of(const struct caches *caches, const struct cache_adapter *adapter,
                        struct arena *arena)
{
    struct text key = caches->options.key;
    if (!adapter || !adapter->name.at)
        return key;
    return arena_printf(arena, "%.*s with %.*s", TEXT_ARG(key), TEXT_ARG(adapter->name));
}

bool rows_insert(struct caches *caches, struct text id, struct text key,
                 struct saved_rows *const *rows, int n, struct row_parts *parts,
                 struct error *err)
{
    static const char insert[] =
        "INSERT INTO cache_rows (cache_id, form, key, tokens, hash, size) "
        "VALUES (?, ?, ?, ?, ?, ?)";
    bool good = true;
    for (int i = 0; good && i < n; i++) {
        unsigned char hash[BLOB_HASH];
        struct text tokens = {(const char *)rows[i]->tokens,
                              sizeof(int32_t) * (size_t)rows[i]->n_tokens};
        good = blob_keep(parts->parts[i], hash, err) &&
               store_run(caches->store, insert,
                         STORE_VALUES(STORE_TEXT(id), STORE_INT(i), STORE_TEXT(key),
                                      STORE_BYTES(tokens), STORE_BYTES(name_of(hash)),
                                      STORE_INT((int64_t)rows[i]->bytes.len)),
                         NULL, err);
    }
    return good;
}

/* ---- dropping ---- */

bool rows_drop(struct caches *caches, struct text id, struct kept_rows *kept, int *n,
               struct error *err)
{
    static const char ask[] = "SELECT hash FROM cache_rows WHERE cache_id = ? LIMIT ?";
    static const char drop[] = "DELETE FROM cache_rows WHERE cache_id = ?";
    struct arena *arena = arena_open();
    struct rows *rows = store_ask(
        caches->store, ask, STORE_VALUES(STORE_TEXT(id), STORE_INT(CACHE_FORMS)), err);
    int from = *n;
    bool good = rows != NULL;
    while (rows && store_next(rows, err)) {
        struct text hash = store_text(rows, 0, arena);
        memcpy(kept[(*n)++].hash, hash.at, BLOB_HASH);
    }
    good = good && err->code == ERROR_OK;
    store_done(rows);
    good =
        good && store_run(caches->store, drop, STORE_VALUES(STORE_TEXT(id)), NULL, err);
    for (int i = from; good && i < *n; i++)
        good = blob_drop(caches->blobs, name_of(kept[i].hash), &kept[i].last, err);
    arena_close(arena);
    return good;
}

void rows_remove(struct caches *caches, const struct kept_rows *kept, int n)
{
    for (int i = 0; i < n; i++)
        if (kept[i].last)
            blob_remove(caches->blobs, name_of(kept[i].hash));
}

/* The rows of one cache, the one that was not used for the longest time, go, when all
 * together are too many. False: they are not, or there is nothing to be done. */
static bool limit_once(struct caches *caches, struct text id)
{
    static const char sum[] = "SELECT COALESCE(SUM(size), 0) FROM cache_rows";
    static const char oldest[] =
        "SELECT id FROM caches WHERE id <> ? AND id IN (SELECT cache_id FROM cache_rows) "
        "ORDER BY used LIMIT 1";
    struct arena *arena = arena_open();
    struct kept_rows kept[CACHE_FORMS] = {0};
    struct text victim = {0};
    struct error err = {0};
    int64_t size = 0;
    int n = 0;
    bool good = false;
    blobs_lock(caches->blobs);
    if (store_begin(caches->store, &err)) {
        good = store_number(caches->store, sum, STORE_NO_VALUES, 0, &size, &err) &&
               size > caches->options.disk_limit;
        struct rows *rows =
            good ? store_ask(caches->store, oldest, STORE_VALUES(STORE_TEXT(id)), &err)
                 : NULL;
        if (rows && store_next(rows, &err))
            victim = store_text(rows, 0, arena);
        store_done(rows);
        good = victim.at && rows_drop(caches, victim, kept, &n, &err);
        good = store_end(caches->store, good, &err) && good;
    }
    if (good)
        rows_remove(caches, kept, n);
    blobs_unlock(caches->blobs);
    if (good)
        log_line(LOG_INFO, "caches", "id=%.*s rows=dropped why=disk_limit",
                 TEXT_ARG(victim));
    arena_close(arena);
    return good;
}

void rows_limit(struct caches *caches, struct text id)
{
    while (limit_once(caches, id))
        ;
}

/* ---- memory ---- */

/* The lock is held. */
static void forget_one(struct caches *caches, int i)
{
    rows_release(caches->loaded[i].rows);
    caches->loaded[i] = caches->loaded[--caches->n_loaded];
}

static bool is_idle(const struct loaded *loaded)
{
    return !loaded->reading && rows_holders(loaded->rows) == 1;
}

void rows_forget(struct caches *caches, int64_t before)
{
    pthread_mutex_lock(&caches->lock);
    for (int i = caches->n_loaded - 1; i >= 0; i--)
        if (is_idle(&caches->loaded[i]) && caches->loaded[i].used < before)
            forget_one(caches, i);
    pthread_mutex_unlock(&caches->lock);
}

static struct loaded *find(struct caches *caches, const unsigned char *hash)
{
    for (int i = 0; i < caches->n_loaded; i++)
        if (memcmp(caches->loaded[i].hash, hash, BLOB_HASH) == 0)
            return &caches->loaded[i];
    return NULL;
}

static int64_t bytes_loaded(const struct caches *caches)
{
    int64_t n = 0;
    for (int i = 0; i < caches->n_loaded; i++)
        n += caches->loaded[i].rows ? (int64_t)caches->loaded[i].rows->bytes.len : 0;
    return n;
}

/* Room for so many bytes more; what is idle goes for it. The lock is held. */
static bool make_room(struct caches *caches, int64_t size)
{
    for (int i = caches->n_loaded - 1; i >= 0; i--) {
        bool fits = bytes_loaded(caches) + size <= caches->options.memory_limit;
        if (is_idle(&caches->loaded[i]) && (!fits || caches->n_loaded == LOADED_MOST))
            forget_one(caches, i);
    }
    return caches->n_loaded < LOADED_MOST &&
           (caches->n_loaded == 0 ||
            bytes_loaded(caches) + size <= caches->options.memory_limit);
}

/* ---- reading ---- */

static bool read_all(int fd, char *to, size_t len)
{
    size_t at = 0;
    while (at < len) {
        ssize_t n = pread(fd, to + at, len - at, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

static bool is_named(struct text bytes, const unsigned char *hash)
{
    unsigned char is[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    return EVP_Digest(bytes.at, bytes.len, is, &len, EVP_sha256(), NULL) == 1 &&
           len == BLOB_HASH && memcmp(is, hash, BLOB_HASH) == 0;
}

/* Bytes that are not what their name says are of no use to anyone, and where they lie the
 * right ones could not be put. */
static void remove_broken(struct caches *caches, const unsigned char *hash)
{
    blobs_lock(caches->blobs);
    blob_remove(caches->blobs, name_of(hash));
    blobs_unlock(caches->blobs);
}

/* NULL: they are gone, or not what they were. */
static struct saved_rows *read_rows(struct caches *caches, const unsigned char *hash,
                                    int64_t size)
{
    int fd = blob_open(caches->blobs, name_of(hash));
    struct stat is;
    if (fd < 0)
        return NULL;
    struct saved_rows *rows = NULL;
    if (fstat(fd, &is) == 0 && is.st_size == size) {
        rows = rows_blank((size_t)size);
        if (!read_all(fd, rows_room(rows), (size_t)size) ||
            !is_named(rows->bytes, hash) || !rows_parse(rows)) {
            rows_release(rows);
            rows = NULL;
        }
    }
    close(fd);
    if (!rows)
        remove_broken(caches, hash);
    return rows;
}

/* The first who wants them reads, others wait for him. NULL with *full: there is no room
 * in memory now. */
static struct saved_rows *load(struct caches *caches, const unsigned char *hash,
                               int64_t size, bool *full)
{
    struct loaded *loaded;
    pthread_mutex_lock(&caches->lock);
    while ((loaded = find(caches, hash)) && loaded->reading)
        pthread_cond_wait(&caches->read, &caches->lock);
    struct saved_rows *rows = loaded ? rows_hold(loaded->rows) : NULL;
    *full = !loaded && !make_room(caches, size);
    if (loaded)
        loaded->used = clock_ns();
    bool reads = !loaded && !*full;
    if (reads) {
        caches->loaded[caches->n_loaded] = (struct loaded){.reading = true};
        memcpy(caches->loaded[caches->n_loaded++].hash, hash, BLOB_HASH);
    }
    pthread_mutex_unlock(&caches->lock);
    if (!reads)
        return rows;
    rows = read_rows(caches, hash, size);
    pthread_mutex_lock(&caches->lock);
    loaded = find(caches, hash);
    loaded->rows = rows_hold(rows);
    loaded->reading = false;
    loaded->used = clock_ns();
    if (!rows)
        forget_one(caches, (int)(loaded - caches->loaded));
    pthread_cond_broadcast(&caches->read);
    pthread_mutex_unlock(&caches->lock);
    return rows;
}

/* ---- use ---- */

struct form {
    struct text tokens, hash;
    int64_t size;
};

static bool read_forms(struct caches *caches, struct text id, struct text key,
                       struct arena *arena, struct form *forms, int *n)
{
    static const char ask[] = "SELECT tokens, hash, size FROM cache_rows "
                              "WHERE cache_id = ? AND key = ? ORDER BY form LIMIT ?";
    static const char use[] = "UPDATE caches SET used = ?1 WHERE id = ?2 AND used < ?3";
    enum { USE_S = 60 }; /* not each use is worth a commit */
    struct error err = {0};
    int64_t now = clock_ns();
    if (!store_begin(caches->store, &err))
        return false;
    struct rows *rows = store_ask(
        caches->store, ask,
        STORE_VALUES(STORE_TEXT(id), STORE_TEXT(key), STORE_INT(CACHE_FORMS)), &err);
    for (*n = 0; rows && store_next(rows, &err); ++*n)
        forms[*n] = (struct form){store_text(rows, 0, arena), store_text(rows, 1, arena),
                                  store_int(rows, 2)};
    bool good = rows && err.code == ERROR_OK;
    store_done(rows);
    good = good && store_run(caches->store, use,
                             STORE_VALUES(STORE_INT(now), STORE_TEXT(id),
                                          STORE_INT(now - USE_S * 1000000000LL)),
                             NULL, &err);
    return store_end(caches->store, good, &err);
}

bool caches_rows(struct caches *caches, struct text id, struct engine *engine,
                 const struct cache_adapter *adapter,
                 struct saved_rows *rows[CACHE_FORMS], int *n)
{
    struct arena *arena = arena_open();
    struct text key = rows_key_of(caches, adapter, arena);
    const struct adapter *loaded = adapter ? adapter->loaded : NULL;
    struct form forms[CACHE_FORMS];
    int n_forms = 0;
    bool good = read_forms(caches, id, key, arena, forms, &n_forms) && n_forms > 0;
    *n = 0;
    for (int i = 0; i < n_forms; i++) {
        const int32_t *tokens = (const int32_t *)(const void *)forms[i].tokens.at;
        int n_tokens = (int)(forms[i].tokens.len / sizeof *tokens);
        bool full = false;
        if (engine && engine_cached(engine, loaded, tokens, n_tokens) >= n_tokens)
            continue;
        rows[*n] =
            load(caches, (const unsigned char *)forms[i].hash.at, forms[i].size, &full);
        if (rows[*n])
            ++*n;
        else if (full)
            log_line(LOG_WARN, "caches", "id=%.*s rows=left why=memory", TEXT_ARG(id));
        else
            good = false;
    }
    if (!good)
        log_line(n_forms > 0 ? LOG_WARN : LOG_INFO, "caches", "id=%.*s rows=%s",
                 TEXT_ARG(id), n_forms > 0 ? "broken" : "missing");
    arena_close(arena);
    return good;
}

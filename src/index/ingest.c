/* ingest.c - the indexer: the thread that makes passages of PENDING documents.
 *
 * One document after the other, oldest first. Reading and embedding happen outside of any
 * transaction; the commit at the end finds the document deleted meanwhile, or not. What
 * fails for a reason that passes (the disk or the embedder's queue is full, the server
 * stops) leaves the document PENDING and is tried again; all else makes it FAILED, also
 * that the embedding model is not on this machine: a client that waits must be told. */
#include "base/buf.h"
#include "base/log.h"
#include "base/loop.h"
#include "index/inside.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    RETRY_MS = 5000,
    BATCH = 32,             /* passages that are embedded at once */
    TEXT_MOST = 64 << 20,   /* bytes of a document in plain text */
    PASSAGES_MOST = 100000, /* of a document */
};

struct job {
    struct index *index;
    struct arena *arena;
    struct index_document document;
    struct chunking chunking;
    struct text *passages;
    size_t n;
    float *vectors;
    int n_dims;
};

/* ---- reading ---- */

static bool read_fd(int fd, size_t size, struct arena *arena, struct text *bytes)
{
    char *to = arena_alloc(arena, size + 1);
    size_t n = 0;
    while (n < size) {
        ssize_t got = pread(fd, to + n, size - n, (off_t)n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        n += (size_t)got;
    }
    *bytes = (struct text){to, n};
    return true;
}

/* Text is text whatever its label says: code, tables, JSON. */
static bool is_plain(struct text bytes)
{
    return text_is_utf8(bytes) && !memchr(bytes.at, '\0', bytes.len);
}

static bool is_page(const struct job *job)
{
    const struct media_type *type = media_type_of(job->document.mime_type);
    return type && strcmp(type->name, "text/html") == 0;
}

static struct text without_mark(struct text text)
{
    return text_starts(text, "\xef\xbb\xbf") ? text_slice(text, 3, text.len) : text;
}

static bool read_media(struct job *job, int fd, struct text bytes, struct text *text,
                       struct error *err)
{
    char path[PATH_MAX] = "";
    struct media_reading reading = {0};
    const struct media_options none = {0};
    struct media *media = job->index->options.media;
    const struct media_type *type = media_type_of(job->document.mime_type);
    struct media_source source = {.mime = job->document.mime_type};
    if (!media)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "There are no media readers here: only text can be read.");
    ssize_t n = readlink(arena_printf(job->arena, "/proc/self/fd/%d", fd).at, path,
                         sizeof path - 1);
    if (type && type->kind == MEDIA_TEXT && bytes.at)
        source.bytes = bytes; /* in UTF-16, say */
    else
        source.path = n > 0 ? path : "";
    if (!media_read(media, &source, &none, &job->index->closing, job->arena, &reading,
                    err))
        return false;
    *text = reading_body(&reading);
    return true;
}

static bool read_document(struct job *job, struct text *text, struct error *err)
{
    struct stat stat;
    struct text bytes = {0};
    struct error ignored;
    int fd = blob_open(job->index->blobs, job->document.hash);
    if (fd < 0 || fstat(fd, &stat) != 0)
        return error_set(err, ERROR_DATA_LOSS,
                         "The document's bytes are gone from the server's disk.");
    bool good = true;
    if (stat.st_size <= TEXT_MOST)
        good = read_fd(fd, (size_t)stat.st_size, job->arena, &bytes);
    if (!good)
        error_set(err, ERROR_DATA_LOSS, "The document's bytes cannot be read.");
    else if (bytes.at && is_page(job) && read_media(job, fd, bytes, text, &ignored))
        good = true; /* without its tags; where no reader is installed, with them */
    else if (bytes.at && is_plain(bytes))
        *text = without_mark(bytes);
    else
        good = read_media(job, fd, bytes, text, err);
    close(fd);
    return good;
}

static bool cut(struct job *job, struct error *err)
{
    struct text text;
    if (!read_document(job, &text, err))
        return false;
    job->passages = chunk_cut(text, job->chunking, job->arena, &job->n);
    if (job->n == 0)
        return error_set(err, ERROR_INVALID_ARGUMENT, "The document has no text.");
    return job->n <= PASSAGES_MOST ||
           error_set(err, ERROR_INVALID_ARGUMENT,
                     "The document has %zu passages; at most %d can be kept.", job->n,
                     PASSAGES_MOST);
}

static bool embed(struct job *job, struct error *err)
{
    struct embed_text texts[BATCH];
    for (size_t at = 0; at < job->n; at += BATCH) {
        int n = job->n - at < BATCH ? (int)(job->n - at) : BATCH;
        float *vectors;
        if (atomic_load(&job->index->closing))
            return error_set(err, ERROR_CANCELLED, "The server is stopping.");
        for (int i = 0; i < n; i++)
            texts[i] = (struct embed_text){.text = job->passages[at + (size_t)i],
                                           .title = job->document.display_name,
                                           .task = EMBED_DOCUMENT};
        if (!index_embed(job->index->options.embedder, texts, n, job->arena, &vectors,
                         &job->n_dims, err))
            return false;
        if (!job->vectors)
            job->vectors = arena_array(job->arena, float, job->n *(size_t)job->n_dims);
        memcpy(job->vectors + at * (size_t)job->n_dims, vectors,
               sizeof(float) * (size_t)n * (size_t)job->n_dims);
    }
    return true;
}

/* ---- the commit ---- */

static bool is_still_there(struct job *job, bool *is, struct error *err)
{
    static const char ask[] = "SELECT COUNT(*) FROM search_documents WHERE number = ?";
    int64_t n = 0;
    bool good = store_number(job->index->store, ask,
                             STORE_VALUES(STORE_INT(job->document.number)), 0, &n, err);
    *is = n > 0;
    return good;
}

static bool write_passages(struct job *job, int64_t *first, struct error *err)
{
    static const char next[] =
        "SELECT seq + 1 FROM sqlite_sequence WHERE name = 'search_passages'";
    static const char insert[] =
        "INSERT INTO search_passages (number, document, text, vector) "
        "VALUES (?, ?, ?, ?)";
    static const char words[] = "INSERT INTO search_words (rowid, title, text) "
                                "SELECT number, title, text FROM search_texts "
                                "WHERE document = ?";
    struct store *store = job->index->store;
    size_t size = sizeof(float) * (size_t)job->n_dims;
    if (!store_number(store, next, STORE_NO_VALUES, 1, first, err))
        return false;
    for (size_t i = 0; i < job->n; i++) {
        struct text vector = {(const char *)job->vectors + i * size, size};
        if (!store_run(store, insert,
                       STORE_VALUES(STORE_INT(*first + (int64_t)i),
                                    STORE_INT(job->document.number),
                                    STORE_TEXT(job->passages[i]), STORE_BYTES(vector)),
                       NULL, err))
            return false;
    }
    return store_run(store, words, STORE_VALUES(STORE_INT(job->document.number)), NULL,
                     err);
}

static bool write_state(struct job *job, int64_t first, struct error *err)
{
    static const char set[] =
        "UPDATE search_documents SET state = 2, error = NULL, updated = ?, n_passages = "
        "?, first = ?, n_dims = ?, model = ? WHERE number = ?";
    struct text model = text_of(embed_name(job->index->options.embedder));
    return store_run(job->index->store, set,
                     STORE_VALUES(STORE_INT(clock_ns()), STORE_INT((int64_t)job->n),
                                  STORE_INT(first), STORE_INT(job->n_dims),
                                  STORE_TEXT(model), STORE_INT(job->document.number)),
                     NULL, err);
}

void index_hold(struct index *index, const struct index_document *document, int64_t first,
                int n, int n_dims, const float *vectors)
{
    struct error ignored;
    vectors_remove(&index->vectors, document->number);
    struct held *held = vectors_add(&index->vectors, document->number, first, n, n_dims,
                                    vectors, document->store);
    held->metadata = arena_text(held->arena, document->metadata);
    if (held->metadata.len) {
        held->meta = arena_new(held->arena, struct metadata);
        if (!json_read(&metadata_type, held->metadata, held->meta, held->arena, &ignored))
            held->meta = NULL;
    }
}

static bool commit(struct job *job, struct error *err)
{
    struct index *index = job->index;
    int64_t first = 0;
    bool is_there = false;
    pthread_mutex_lock(&index->change);
    bool good = store_begin(index->store, err);
    if (good) {
        good = is_still_there(job, &is_there, err);
        if (good && is_there)
            good = index_drop_passages(index, job->document.number, err) &&
                   write_passages(job, &first, err) && write_state(job, first, err);
        good = store_end(index->store, good, err);
    }
    if (good && is_there) {
        pthread_rwlock_wrlock(&index->reading);
        index_hold(index, &job->document, first, (int)job->n, job->n_dims, job->vectors);
        pthread_rwlock_unlock(&index->reading);
    }
    pthread_mutex_unlock(&index->change);
    return good;
}

static void set_failed(struct job *job, const struct error *why)
{
    static const char set[] = "UPDATE search_documents SET state = 3, error = ?, "
                              "updated = ? WHERE number = ?";
    struct error err;
    struct index *index = job->index;
    if (store_begin(index->store, &err))
        store_end(index->store,
                  store_run(index->store, set,
                            STORE_VALUES(STORE_TEXT(text_of(why->message)),
                                         STORE_INT(clock_ns()),
                                         STORE_INT(job->document.number)),
                            NULL, &err),
                  &err);
}

/* ---- one document ---- */

static bool may_pass(enum error_code code)
{
    return code == ERROR_RESOURCE_EXHAUSTED || code == ERROR_CANCELLED;
}

/* False: it is to be tried again later. */
static bool do_document(struct job *job)
{
    struct error err = {0};
    int64_t since = now_ms();
    if (cut(job, &err) && embed(job, &err) && commit(job, &err)) {
        log_line(LOG_INFO, "index", "document=%lld bytes=%lld passages=%zu ms=%lld",
                 (long long)job->document.number, (long long)job->document.size, job->n,
                 (long long)(now_ms() - since));
        return true;
    }
    bool again = may_pass(err.code);
    if (err.code != ERROR_CANCELLED)
        log_line(LOG_WARN, "index", "document=%lld %s=1 why=\"%s\"",
                 (long long)job->document.number, again ? "waits" : "failed",
                 err.message);
    if (!again)
        set_failed(job, &err);
    return !again;
}

/* False: there is none. */
static bool next_document(struct index *index, struct job *job)
{
    static const char ask[] = "SELECT " DOCUMENT_COLUMNS ", words, overlap "
                              "FROM search_documents WHERE state = 1 "
                              "ORDER BY number LIMIT 1";
    struct error err;
    bool found = false;
    if (!store_begin(index->store, &err))
        return false;
    struct rows *rows = store_ask(index->store, ask, STORE_NO_VALUES, &err);
    if (rows && store_next(rows, &err)) {
        index_read_document(rows, job->arena, &job->document);
        job->chunking =
            (struct chunking){(int)store_int(rows, 14), (int)store_int(rows, 15)};
        found = true;
    }
    store_done(rows);
    store_end(index->store, true, &err);
    return found;
}

/* ---- the thread ---- */

/* Until there is news, or `ms` are over (-1: without end). False: closing. */
static bool rest(struct index *index, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    pthread_mutex_lock(&index->lock);
    index->idle = ms < 0;
    pthread_cond_broadcast(&index->news);
    while (!index->woken && !atomic_load(&index->closing))
        if (ms < 0)
            pthread_cond_wait(&index->news, &index->lock);
        else if (pthread_cond_timedwait(&index->news, &index->lock, &until) == ETIMEDOUT)
            break;
    index->woken = false;
    index->idle = false;
    pthread_mutex_unlock(&index->lock);
    return !atomic_load(&index->closing);
}

static void *run(void *arg)
{
    struct index *index = arg;
    bool go_on = rest(index, -1);
    while (go_on) {
        struct arena *arena = arena_open();
        struct job job = {.index = index, .arena = arena};
        bool found = next_document(index, &job);
        bool done = found && do_document(&job);
        arena_close(arena);
        go_on = !atomic_load(&index->closing);
        if (go_on && !done)
            go_on = rest(index, found ? RETRY_MS : -1);
    }
    return NULL;
}

bool index_start(struct index *index, struct error *err)
{
    int code = pthread_create(&index->indexer, NULL, run, index);
    index->has_indexer = code == 0;
    return index->has_indexer ||
           error_set(err, ERROR_INTERNAL, "no thread: %s", strerrordesc_np(code));
}

void index_wake(struct index *index)
{
    pthread_mutex_lock(&index->lock);
    index->woken = true;
    index->idle = false;
    pthread_cond_broadcast(&index->news);
    pthread_mutex_unlock(&index->lock);
}

void index_stop(struct index *index)
{
    pthread_mutex_lock(&index->lock);
    atomic_store(&index->closing, true);
    pthread_cond_broadcast(&index->news);
    pthread_mutex_unlock(&index->lock);
    if (index->has_indexer)
        pthread_join(index->indexer, NULL);
}

bool index_wait(struct index *index, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&index->lock);
    while (!index->idle &&
           pthread_cond_timedwait(&index->news, &index->lock, &until) == 0)
        ;
    bool idle = index->idle;
    pthread_mutex_unlock(&index->lock);
    return idle;
}

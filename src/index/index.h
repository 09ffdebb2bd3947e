/* index.h - documents that can be searched: stores of them, their passages, retrieval.
 *
 * A store (the wire's fileSearchStore) holds documents; a document has bytes (a blob that
 * it shares with the file it came from), a state and metadata. A document is acknowledged
 * when its row is on the disk, PENDING. One thread, the indexer, then takes PENDING ones
 * in order: reads them (media/ for what is not text), cuts them into passages (chunk.h),
 * has vectors made (engine/embed.h), and commits passages, words (FTS5), vectors and the
 * state ACTIVE together; so a crash leaves a document PENDING, and the next start takes
 * it up. What cannot be read is FAILED and says why. When the owner serves another
 * embedding model, documents made with the one before are PENDING again at the start.
 *
 * A search ranks passages twice, by the words they share with the query (BM25) and by
 * the cosine of vectors, and joins both ranks (reciprocal rank fusion).
 *
 * Of the wire this room knows names, limits and the form of metadata (metadata.h).
 *
 * Everything here may wait for the disk, a search also for the embedder: any thread but
 * the loop's and the embedder's. It locks for itself. Times are nanoseconds since 1970.
 */
#ifndef POLLUX_INDEX_INDEX_H
#define POLLUX_INDEX_INDEX_H

#include "engine/embed.h"
#include "files/files.h"
#include "index/chunk.h"
#include "index/metadata.h"
#include "media/media.h"

struct index;

enum {
    INDEX_ID_MOST = 40,
    INDEX_NAME_MOST = 512 /* characters */,
    INDEX_TOP = 5, /* passages, when a search does not say */
    INDEX_TOP_MOST = 100,
    INDEX_QUERY_MOST = 8192, /* bytes */
};

/* The owner's documents (`pollux index`); it is there once something was put into it. */
#define INDEX_LOCAL "local"

/* The wire's numbers. */
enum document_state { DOCUMENT_PENDING = 1, DOCUMENT_ACTIVE = 2, DOCUMENT_FAILED = 3 };

struct index_store {
    struct text id; /* "my-books-123a456b789c", without "fileSearchStores/" */
    struct text display_name;
    int64_t created, updated;
    int64_t n_active, n_pending, n_failed;
    int64_t size; /* bytes of its documents */
};

struct index_document {
    int64_t number; /* its row */
    struct text store, id;
    struct text display_name, mime_type, uri; /* uri: where it came from; may be absent */
    struct text hash;                         /* of its blob */
    struct text metadata;                     /* JSON; see metadata.h; absent: none */
    int64_t size, created, updated, n_passages;
    int state;
    struct text error; /* why it FAILED */
};

/* What is said of a document when it is put in. Copied. */
struct index_wish {
    struct text display_name, uri, metadata; /* may be absent */
    struct text mime_type;                   /* absent: the file's */
    struct chunking chunking;                /* zeros: the default */
};

struct index_options {
    struct embedder *embedder; /* not owned */
    struct media *media;       /* not owned; NULL: only text can be read */
    int64_t total_limit;       /* bytes of all documents */
};

/* Store and files stay the caller's. Starts the indexer. */
struct index *index_open(struct store *store, struct files *files,
                         const struct index_options *options, struct error *err);
void index_close(struct index *index); /* what is PENDING stays so; NULL is fine */

/* ---- stores ---- */

bool index_create(struct index *index, struct text display_name, struct arena *arena,
                  struct index_store *made, struct error *err);
bool index_get(struct index *index, struct text id, struct arena *arena,
               struct index_store *found, struct error *err);

/* Oldest first; `token` as in files_list. */
bool index_list(struct index *index, int page_size, struct text token,
                struct arena *arena, struct index_store **list, int *n, struct text *next,
                struct error *err);

/* FAILED_PRECONDITION when it has documents, unless `force`: then they go with it. */
bool index_delete(struct index *index, struct text id, bool force, struct error *err);

/* ---- documents ---- */

/* Makes a document of a file (files/{id}, ACTIVE). The file may go afterwards. The store
 * INDEX_LOCAL is made when it is not there. */
bool index_import(struct index *index, struct text store, struct text file,
                  const struct index_wish *wish, struct arena *arena,
                  struct index_document *made, struct error *err);

/* A promise to import what an upload will bring (files/upload.h), kept over restarts:
 * index_expect when the upload begins, index_receive when it is a file; more often than
 * once, for a client may repeat its last piece. */
bool index_expect(struct index *index, struct text store, struct text upload,
                  const struct index_wish *wish, struct error *err);
bool index_receive(struct index *index, struct text store, struct text upload,
                   struct text file, struct arena *arena, struct index_document *made,
                   struct error *err);

bool index_document_get(struct index *index, struct text store, struct text id,
                        struct arena *arena, struct index_document *found,
                        struct error *err);
bool index_document_list(struct index *index, struct text store, int page_size,
                         struct text token, struct arena *arena,
                         struct index_document **list, int *n, struct text *next,
                         struct error *err);

/* FAILED_PRECONDITION when it has passages, unless `force`. */
bool index_document_delete(struct index *index, struct text store, struct text id,
                           bool force, struct error *err);

/* Waits until nothing is PENDING, or `ms` are over; whether nothing is. */
bool index_wait(struct index *index, int ms);

/* ---- retrieval: what a tool calls ---- */

struct index_query {
    struct text text;
    const struct text *stores; /* "fileSearchStores/abc" or "abc"; at least one */
    int n_stores;
    struct text filter; /* filter.h; absent: none */
    int top;            /* passages; 0: INDEX_TOP */
};

struct passage {
    struct text title; /* the document's display name, or its id */
    struct text uri;   /* where it came from, or "fileSearchStores/a/documents/b" */
    struct text store, document; /* ids */
    struct text text;
    struct text metadata; /* the document's, JSON; absent: none */
    double score;         /* 1: best in both rankings */
    double similarity;    /* cosine of query and passage */
};

/* The passages that fit best, best first, in the arena; none is no error. NOT_FOUND for a
 * store that is not there. */
bool index_search(struct index *index, const struct index_query *query,
                  struct arena *arena, struct passage **passages, int *n,
                  struct error *err);

/* "fileSearchStores/abc" to "abc"; what is not of the form stays as it is. */
struct text index_plain_id(struct text name);

/* Vectors of length 1 for n texts, n * *n_dims floats in the arena. A text that is longer
 * than the model takes gets the mean of its parts'. Waits. */
enum { INDEX_EMBED_MOST = 128 /* texts */ };
bool index_embed(struct embedder *embedder, const struct embed_text *texts, int n,
                 struct arena *arena, float **vectors, int *n_dims, struct error *err);

#endif

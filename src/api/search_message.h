/* search_message.h - the messages of file search stores, as structs and tables. */
#ifndef POLLUX_API_SEARCH_MESSAGE_H
#define POLLUX_API_SEARCH_MESSAGE_H

#include "index/index.h"
#include "json/schema.h"

struct wire_store {
    struct text name, display_name, embedding_model;
    struct json_int created, updated; /* nanoseconds */
    struct json_int n_active, n_pending, n_failed, size;
};

struct wire_stores {
    struct json_list stores; /* struct wire_store */
    struct text next_page;
};

struct wire_document {
    struct text name, display_name, mime_type;
    int state;
    struct json_int size, created, updated;
    struct json_list metadata; /* struct metadata_entry */
};

struct wire_documents {
    struct json_list documents; /* struct wire_document */
    struct text next_page;
};

struct wire_white_space {
    struct json_int words, overlap;
};

struct wire_chunking {
    struct wire_white_space *white_space;
};

/* What an upload's start or an import says of a document. */
struct wire_document_wish {
    struct text display_name, mime_type, file_name;
    struct json_list metadata; /* struct metadata_entry */
    struct wire_chunking *chunking;
};

struct wire_import_status {
    struct json_int code; /* google.rpc's */
    struct text message;
};

struct wire_import_result {
    struct text type, parent, document;
};

struct wire_import { /* an Operation */
    struct text name;
    struct json_bool done;
    struct wire_import_status *error;
    struct wire_import_result *response;
};

/* A search by itself: an extension of Pollux. */
struct wire_search {
    struct text query, filter;
    struct json_int top;
};

struct wire_passage {
    struct text title, uri, document, text;
    struct json_number score, similarity;
    struct json_list metadata; /* struct metadata_entry */
};

struct wire_search_answer {
    struct json_list passages; /* struct wire_passage */
};

extern const struct json_type wire_store_type, wire_stores_type, wire_document_type,
    wire_documents_type, wire_upload_wish_type, wire_import_wish_type, wire_import_type,
    wire_search_type, wire_search_answer_type;

/* `model`: the embedder's name. */
struct wire_store wire_store_of(const struct index_store *store, const char *model,
                                struct arena *arena);
struct wire_document wire_document_of(const struct index_document *document,
                                      struct arena *arena);
struct wire_passage wire_passage_of(const struct passage *passage, struct arena *arena);

/* The operation that a document's state is. `uploaded`: its name is that of an upload's.
 */
struct wire_import wire_import_of(const struct index_document *document, bool uploaded,
                                  struct arena *arena);

/* Checks what is said of a document, and makes of it what index/ takes. */
bool wire_wish_read(const struct wire_document_wish *from, struct arena *arena,
                    struct index_wish *wish, struct error *err);

#endif

/* search_message.c - the tables of file search stores' messages. */
#include "api/search_message.h"
#include "api/message.h"

/* clang-format off */
#define AT(type, member) offsetof(struct type, member)
#define GOOGLE "type.googleapis.com/google.ai.generativelanguage.v1main."

static const struct json_field store_fields[] = {
    {"name",                  JSON_STRING,    AT(wire_store, name),            JSON_OUTPUT, 0, 0, NULL, "made of displayName"},
    {"displayName",           JSON_STRING,    AT(wire_store, display_name),    0, 0, 0, NULL, "at most 512 characters"},
    {"embeddingModel",        JSON_STRING,    AT(wire_store, embedding_model), 0, 0, 0, NULL, "the one that this server has"},
    {"createTime",            JSON_TIMESTAMP, AT(wire_store, created),         JSON_OUTPUT, 0, 0, NULL, NULL},
    {"updateTime",            JSON_TIMESTAMP, AT(wire_store, updated),         JSON_OUTPUT, 0, 0, NULL, NULL},
    {"activeDocumentsCount",  JSON_INT64,     AT(wire_store, n_active),        JSON_OUTPUT, 0, 0, NULL, NULL},
    {"pendingDocumentsCount", JSON_INT64,     AT(wire_store, n_pending),       JSON_OUTPUT, 0, 0, NULL, NULL},
    {"failedDocumentsCount",  JSON_INT64,     AT(wire_store, n_failed),        JSON_OUTPUT, 0, 0, NULL, NULL},
    {"sizeBytes",             JSON_INT64,     AT(wire_store, size),            JSON_OUTPUT, 0, 0, NULL, NULL},
    {0},
};
const struct json_type wire_store_type = {
    "FileSearchStore", sizeof(struct wire_store), store_fields, false};

static const struct json_field stores_fields[] = {
    {"fileSearchStores", JSON_MESSAGE, AT(wire_stores, stores),    JSON_LIST, 0, 0, &wire_store_type, NULL},
    {"nextPageToken",    JSON_STRING,  AT(wire_stores, next_page), 0, 0, 0, NULL, NULL},
    {0},
};
const struct json_type wire_stores_type = {
    "ListFileSearchStoresResponse", sizeof(struct wire_stores), stores_fields, false};

static const struct json_enum states[] = {
    {"STATE_UNSPECIFIED", 0, NULL},
    {"STATE_PENDING",     DOCUMENT_PENDING, NULL},
    {"STATE_ACTIVE",      DOCUMENT_ACTIVE, NULL},
    {"STATE_FAILED",      DOCUMENT_FAILED, NULL},
    {0},
};

static const struct json_field document_fields[] = {
    {"name",           JSON_STRING,    AT(wire_document, name),         0, 0, 0, NULL, NULL},
    {"displayName",    JSON_STRING,    AT(wire_document, display_name), 0, 0, 0, NULL, NULL},
    {"customMetadata", JSON_MESSAGE,   AT(wire_document, metadata),     JSON_LIST, 0, 0, &metadata_entry_type, NULL},
    {"state",          JSON_ENUM,      AT(wire_document, state),        0, 0, 0, states, NULL},
    {"sizeBytes",      JSON_INT64,     AT(wire_document, size),         0, 0, 0, NULL, NULL},
    {"mimeType",       JSON_STRING,    AT(wire_document, mime_type),    0, 0, 0, NULL, NULL},
    {"createTime",     JSON_TIMESTAMP, AT(wire_document, created),      0, 0, 0, NULL, NULL},
    {"updateTime",     JSON_TIMESTAMP, AT(wire_document, updated),      0, 0, 0, NULL, NULL},
    {0},
};
const struct json_type wire_document_type = {
    "Document", sizeof(struct wire_document), document_fields, false};

static const struct json_field documents_fields[] = {
    {"documents",     JSON_MESSAGE, AT(wire_documents, documents), JSON_LIST, 0, 0, &wire_document_type, NULL},
    {"nextPageToken", JSON_STRING,  AT(wire_documents, next_page), 0, 0, 0, NULL, NULL},
    {0},
};
const struct json_type wire_documents_type = {
    "ListDocumentsResponse", sizeof(struct wire_documents), documents_fields, false};

static const struct json_field white_space_fields[] = {
    {"maxTokensPerChunk", JSON_INT, AT(wire_white_space, words),   0, 1, CHUNK_WORDS_MOST, NULL, "words"},
    {"maxOverlapTokens",  JSON_INT, AT(wire_white_space, overlap), 0, 0, CHUNK_WORDS_MOST, NULL, "fewer"},
    {0},
};
static const struct json_type white_space_type = {
    "WhiteSpaceConfig", sizeof(struct wire_white_space), white_space_fields, false};

static const struct json_field chunking_fields[] = {
    {"whiteSpaceConfig", JSON_MESSAGE, AT(wire_chunking, white_space), 0, 0, 0, &white_space_type, NULL},
    {0},
};
static const struct json_type chunking_type = {
    "ChunkingConfig", sizeof(struct wire_chunking), chunking_fields, false};

static const struct json_field upload_fields[] = {
    {"displayName",    JSON_STRING,  AT(wire_document_wish, display_name), 0, 0, 0, NULL, "at most 512 characters"},
    {"mimeType",       JSON_STRING,  AT(wire_document_wish, mime_type),    0, 0, 255, NULL, NULL},
    {"customMetadata", JSON_MESSAGE, AT(wire_document_wish, metadata),     JSON_LIST, 0, METADATA_ENTRIES, &metadata_entry_type, NULL},
    {"chunkingConfig", JSON_MESSAGE, AT(wire_document_wish, chunking),     0, 0, 0, &chunking_type, NULL},
    {0},
};
const struct json_type wire_upload_wish_type = {
    "UploadToFileSearchStoreRequest", sizeof(struct wire_document_wish), upload_fields, false};

static const struct json_field import_fields[] = {
    {"fileName",       JSON_STRING,  AT(wire_document_wish, file_name), JSON_REQUIRED, 0, 0, NULL, "files/{id}"},
    {"customMetadata", JSON_MESSAGE, AT(wire_document_wish, metadata),  JSON_LIST, 0, METADATA_ENTRIES, &metadata_entry_type, NULL},
    {"chunkingConfig", JSON_MESSAGE, AT(wire_document_wish, chunking),  0, 0, 0, &chunking_type, NULL},
    {0},
};
const struct json_type wire_import_wish_type = {
    "ImportFileRequest", sizeof(struct wire_document_wish), import_fields, false};

static const struct json_field status_fields[] = {
    {"code",    JSON_INT,    AT(wire_import_status, code),    0, 0, 0, NULL, NULL},
    {"message", JSON_STRING, AT(wire_import_status, message), 0, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type status_type = {
    "Status", sizeof(struct wire_import_status), status_fields, false};

static const struct json_field result_fields[] = {
    {"@type",        JSON_STRING, AT(wire_import_result, type),     0, 0, 0, NULL, NULL},
    {"parent",       JSON_STRING, AT(wire_import_result, parent),   0, 0, 0, NULL, NULL},
    {"documentName", JSON_STRING, AT(wire_import_result, document), 0, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type result_type = {
    "ImportFileResponse", sizeof(struct wire_import_result), result_fields, false};

static const struct json_field operation_fields[] = {
    {"name",     JSON_STRING,  AT(wire_import, name),     0, 0, 0, NULL, NULL},
    {"done",     JSON_BOOL,    AT(wire_import, done),     0, 0, 0, NULL, NULL},
    {"error",    JSON_MESSAGE, AT(wire_import, error),    0, 0, 0, &status_type, NULL},
    {"response", JSON_MESSAGE, AT(wire_import, response), 0, 0, 0, &result_type, NULL},
    {0},
};
const struct json_type wire_import_type = {
    "Operation", sizeof(struct wire_import), operation_fields, false};

static const struct json_field search_fields[] = {
    {"query",          JSON_STRING, AT(wire_search, query),  JSON_REQUIRED, 1, INDEX_QUERY_MOST, NULL, NULL},
    {"metadataFilter", JSON_STRING, AT(wire_search, filter), 0, 0, 0, NULL, NULL},
    {"topK",           JSON_INT,    AT(wire_search, top),    0, 1, INDEX_TOP_MOST, NULL, NULL},
    {0},
};
const struct json_type wire_search_type = {
    "SearchRequest", sizeof(struct wire_search), search_fields, false};

static const struct json_field passage_fields[] = {
    {"title",          JSON_STRING,  AT(wire_passage, title),      0, 0, 0, NULL, NULL},
    {"uri",            JSON_STRING,  AT(wire_passage, uri),        0, 0, 0, NULL, NULL},
    {"document",       JSON_STRING,  AT(wire_passage, document),   0, 0, 0, NULL, NULL},
    {"text",           JSON_STRING,  AT(wire_passage, text),       0, 0, 0, NULL, NULL},
    {"score",          JSON_NUMBER,  AT(wire_passage, score),      0, 0, 0, NULL, NULL},
    {"similarity",     JSON_NUMBER,  AT(wire_passage, similarity), 0, 0, 0, NULL, NULL},
    {"customMetadata", JSON_MESSAGE, AT(wire_passage, metadata),   JSON_LIST, 0, 0, &metadata_entry_type, NULL},
    {0},
};
static const struct json_type passage_type = {
    "Passage", sizeof(struct wire_passage), passage_fields, false};

static const struct json_field answer_fields[] = {
    {"passages", JSON_MESSAGE, AT(wire_search_answer, passages), JSON_LIST, 0, 0, &passage_type, NULL},
    {0},
};
const struct json_type wire_search_answer_type = {
    "SearchResponse", sizeof(struct wire_search_answer), answer_fields, false};
/* clang-format on */

static struct json_int number(int64_t n)
{
    return (struct json_int){true, n};
}

static struct text store_name(struct text id, struct arena *arena)
{
    return arena_printf(arena, "fileSearchStores/%.*s", TEXT_ARG(id));
}

static struct text document_name(struct text store, struct text id, struct arena *arena)
{
    return arena_printf(arena, "fileSearchStores/%.*s/documents/%.*s", TEXT_ARG(store),
                        TEXT_ARG(id));
}

/* It was checked when it was kept. */
static struct json_list metadata_of(struct text json, struct arena *arena)
{
    struct metadata metadata = {0};
    struct error ignored;
    if (json.len && !json_read(&metadata_type, json, &metadata, arena, &ignored))
        return (struct json_list){0};
    return metadata.entries;
}

struct wire_store wire_store_of(const struct index_store *store, const char *model,
                                struct arena *arena)
{
    return (struct wire_store){
        .name = store_name(store->id, arena),
        .display_name = store->display_name,
        .embedding_model = arena_printf(arena, "models/%s", model),
        .created = wire_time(store->created),
        .updated = wire_time(store->updated),
        .n_active = number(store->n_active),
        .n_pending = number(store->n_pending),
        .n_failed = number(store->n_failed),
        .size = number(store->size),
    };
}

struct wire_document wire_document_of(const struct index_document *document,
                                      struct arena *arena)
{
    return (struct wire_document){
        .name = document_name(document->store, document->id, arena),
        .display_name = document->display_name,
        .mime_type = document->mime_type,
        .state = document->state,
        .size = number(document->size),
        .created = wire_time(document->created),
        .updated = wire_time(document->updated),
        .metadata = metadata_of(document->metadata, arena),
    };
}

struct wire_passage wire_passage_of(const struct passage *passage, struct arena *arena)
{
    return (struct wire_passage){
        .title = passage->title,
        .uri = passage->uri,
        .document = document_name(passage->store, passage->document, arena),
        .text = passage->text,
        .score = {true, passage->score},
        .similarity = {true, passage->similarity},
        .metadata = metadata_of(passage->metadata, arena),
    };
}

struct wire_import wire_import_of(const struct index_document *document, bool uploaded,
                                  struct arena *arena)
{
    struct wire_import operation = {
        .name = arena_printf(arena, "fileSearchStores/%.*s/%soperations/%.*s",
                             TEXT_ARG(document->store), uploaded ? "upload/" : "",
                             TEXT_ARG(document->id)),
    };
    if (document->state == DOCUMENT_PENDING)
        return operation;
    operation.done = (struct json_bool){true, true};
    if (document->state == DOCUMENT_FAILED) {
        operation.error = arena_new(arena, struct wire_import_status);
        *operation.error =
            (struct wire_import_status){number(ERROR_INVALID_ARGUMENT), document->error};
        return operation;
    }
    operation.response = arena_new(arena, struct wire_import_result);
    *operation.response = (struct wire_import_result){
        .type = uploaded ? TEXT(GOOGLE "UploadToFileSearchStoreResponse")
                         : TEXT(GOOGLE "ImportFileResponse"),
        .parent = store_name(document->store, arena),
        .document = document_name(document->store, document->id, arena),
    };
    return operation;
}

static bool read_chunking(const struct wire_chunking *from, struct chunking *chunking,
                          struct error *err)
{
    const struct wire_white_space *config = from ? from->white_space : NULL;
    if (!config)
        return true;
    chunking->words = config->words.set ? (int)config->words.is : CHUNK_WORDS;
    int usual = chunking->words / 5 < CHUNK_OVERLAP ? chunking->words / 5 : CHUNK_OVERLAP;
    chunking->overlap = config->overlap.set ? (int)config->overlap.is : usual;
    return chunking->overlap < chunking->words ||
           error_at(err, "chunking_config.white_space_config.max_overlap_tokens",
                    "maxOverlapTokens is %d; it must be less than maxTokensPerChunk, "
                    "which is %d.",
                    chunking->overlap, chunking->words);
}

/* Where it came from, for whoever cites it: the documented way to say so. */
static struct text uri_of(const struct json_list *list)
{
    const struct metadata_entry *entries = list->at;
    for (size_t i = 0; i < list->n; i++)
        if (text_is(entries[i].key, "uri"))
            return entries[i].string;
    return (struct text){0};
}

bool wire_wish_read(const struct wire_document_wish *from, struct arena *arena,
                    struct index_wish *wish, struct error *err)
{
    const struct metadata metadata = {from->metadata};
    *wish = (struct index_wish){.display_name = from->display_name,
                                .mime_type = from->mime_type,
                                .uri = uri_of(&from->metadata)};
    if (!metadata_check(&metadata, "custom_metadata", err) ||
        !read_chunking(from->chunking, &wish->chunking, err))
        return false;
    if (metadata.entries.n > 0) {
        struct buf json = {0};
        json_encode(&metadata_type, &metadata, false, &json);
        wish->metadata = arena_text(arena, buf_view(&json));
        buf_free(&json);
    }
    return true;
}

/* search_stores.c - fileSearchStores.*: create, list, get, delete, importFile, query;
 * their documents and operations.
 *
 * Each is one job on a disk worker, a query one on a searcher, for it waits for the
 * embedder. A job has an arena of its own, for its client may go while it is at work, and
 * makes the text of its answer there. An operation is a document's state under another
 * name: it has the document's id, and ends with it. */
#include "api/search_stores.h"
#include "api/models.h"
#include "api/search_message.h"
#include <stdlib.h>

enum { PAGE = 10, PAGE_MOST = 20 };

struct search_job {
    struct work work; /* first */
    struct arena *arena;
    struct api *api;
    struct index *index;
    struct call *call; /* NULL: the client is gone */
    bool (*run)(struct search_job *job);
    bool at_work, gone, good, pretty;
    struct error err;

    struct text id, sub, body, token; /* what is asked */
    int page_size;
    bool force, uploaded;

    struct buf answer; /* what came of it */
};

/* ---- its life ---- */

static void free_answer(void *arg)
{
    buf_free(&((struct search_job *)arg)->answer);
}

static void on_gone(struct call *call)
{
    ((struct search_job *)call->own)->gone = true;
}

static void on_closed(struct call *call)
{
    struct search_job *job = call->own;
    job->call = NULL;
    if (!job->at_work)
        arena_close(job->arena);
}

static void run_job(struct work *work)
{
    struct search_job *job = (struct search_job *)work;
    job->good = job->run(job);
}

static void finish_job(struct work *work)
{
    struct search_job *job = (struct search_job *)work;
    job->at_work = false;
    if (!job->call)
        arena_close(job->arena);
    else if (job->gone)
        return;
    else if (job->good)
        http_reply(job->call->rq, 200, API_JSON, buf_view(&job->answer));
    else
        api_error(job->call, &job->err);
}

static struct search_job *open_job(struct call *call)
{
    struct arena *arena = arena_open();
    struct search_job *job = arena_new(arena, struct search_job);
    arena_defer(arena, free_answer, job);
    job->arena = arena;
    job->api = call->api;
    job->index = call->api->options.index;
    job->call = call;
    job->pretty = call->pretty;
    job->id = arena_text(arena, call->name);
    job->sub = arena_text(arena, call->sub);
    job->force = api_flag(call, "force", false);
    call->own = job;
    call->gone = on_gone;
    call->closed = on_closed;
    return job;
}

static void start(struct search_job *job, struct workers *on,
                  bool (*run)(struct search_job *))
{
    job->run = run;
    job->at_work = true;
    job->work = (struct work){.run = run_job, .done = finish_job};
    workers_push(on, &job->work);
}

static void start_plain(struct call *call, bool (*run)(struct search_job *))
{
    start(open_job(call), call->api->options.disk, run);
}

static void start_with_body(struct call *call, struct workers *on,
                            bool (*run)(struct search_job *))
{
    struct search_job *job = open_job(call);
    job->body = arena_text(job->arena, call->rq->body);
    start(job, on, run);
}

/* On the worker. Always true. */
static bool answer(struct search_job *job, const struct json_type *type,
                   const void *message)
{
    json_encode(type, message, job->pretty, &job->answer);
    if (job->pretty)
        buf_char(&job->answer, '\n');
    return true;
}

static bool answer_nothing(struct search_job *job)
{
    buf_str(&job->answer, "{}\n");
    return true;
}

static const char *model_of(const struct search_job *job)
{
    return embed_name(job->api->options.embedder);
}

static bool answer_store(struct search_job *job, const struct index_store *store)
{
    struct wire_store wire = wire_store_of(store, model_of(job), job->arena);
    return answer(job, &wire_store_type, &wire);
}

static bool answer_document(struct search_job *job, const struct index_document *document)
{
    struct wire_document wire = wire_document_of(document, job->arena);
    return answer(job, &wire_document_type, &wire);
}

static bool answer_operation(struct search_job *job,
                             const struct index_document *document)
{
    struct wire_import wire = wire_import_of(document, job->uploaded, job->arena);
    return answer(job, &wire_import_type, &wire);
}

/* ---- stores ---- */

/* There is one embedding model; a store may name it, or leave it out. */
static bool check_model(const struct search_job *job, struct text name, struct error *err)
{
    struct text plain = text_starts(name, "models/")
                            ? text_slice(name, strlen("models/"), name.len)
                            : name;
    struct error ignored;
    if (!name.len || models_embed(job->api, TEXT("v1beta"), plain, "stores", &ignored))
        return true;
    return error_at(err, "embedding_model",
                    "embeddingModel is '%.*s'; this server embeds with models/%s.",
                    TEXT_ARG(text_slice(name, 0, 100)), model_of(job));
}

static bool run_create(struct search_job *job)
{
    struct wire_store wire;
    struct index_store store;
    return json_read(&wire_store_type, job->body, &wire, job->arena, &job->err) &&
           check_model(job, wire.embedding_model, &job->err) &&
           index_create(job->index, wire.display_name, job->arena, &store, &job->err) &&
           answer_store(job, &store);
}

void search_route_create(struct call *call)
{
    start_with_body(call, call->api->options.disk, run_create);
}

static bool run_get(struct search_job *job)
{
    struct index_store store;
    return index_get(job->index, job->id, job->arena, &store, &job->err) &&
           answer_store(job, &store);
}

void search_route_get(struct call *call)
{
    start_plain(call, run_get);
}

static bool run_delete(struct search_job *job)
{
    return index_delete(job->index, job->id, job->force, &job->err) &&
           answer_nothing(job);
}

void search_route_delete(struct call *call)
{
    start_plain(call, run_delete);
}

static void start_list(struct call *call, bool (*run)(struct search_job *))
{
    struct error err;
    int size;
    if (!api_page_size(call, PAGE, PAGE_MOST, &size, &err)) {
        api_error(call, &err);
        return;
    }
    struct search_job *job = open_job(call);
    job->page_size = size;
    job->token = arena_text(job->arena, http_query(call->rq, "pageToken"));
    start(job, call->api->options.disk, run);
}

static bool run_list(struct search_job *job)
{
    struct index_store *list;
    struct wire_stores wire = {0};
    int n;
    if (!index_list(job->index, job->page_size, job->token, job->arena, &list, &n,
                    &wire.next_page, &job->err))
        return false;
    struct wire_store *stores = arena_array(job->arena, struct wire_store, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        stores[i] = wire_store_of(&list[i], model_of(job), job->arena);
    wire.stores = (struct json_list){stores, (size_t)n};
    return answer(job, &wire_stores_type, &wire);
}

void search_route_list(struct call *call)
{
    start_list(call, run_list);
}

/* ---- documents ---- */

static bool run_import(struct search_job *job)
{
    struct wire_document_wish wire;
    struct index_wish wish;
    struct index_document document;
    return json_read(&wire_import_wish_type, job->body, &wire, job->arena, &job->err) &&
           wire_wish_read(&wire, job->arena, &wish, &job->err) &&
           index_import(job->index, job->id, wire.file_name, &wish, job->arena, &document,
                        &job->err) &&
           answer_operation(job, &document);
}

void search_route_import(struct call *call)
{
    start_with_body(call, call->api->options.disk, run_import);
}

static bool run_document(struct search_job *job)
{
    struct index_document document;
    return index_document_get(job->index, job->id, job->sub, job->arena, &document,
                              &job->err) &&
           answer_document(job, &document);
}

void search_route_document(struct call *call)
{
    start_plain(call, run_document);
}

static bool run_documents(struct search_job *job)
{
    struct index_document *list;
    struct wire_documents wire = {0};
    int n;
    if (!index_document_list(job->index, job->id, job->page_size, job->token, job->arena,
                             &list, &n, &wire.next_page, &job->err))
        return false;
    struct wire_document *documents =
        arena_array(job->arena, struct wire_document, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        documents[i] = wire_document_of(&list[i], job->arena);
    wire.documents = (struct json_list){documents, (size_t)n};
    return answer(job, &wire_documents_type, &wire);
}

void search_route_documents(struct call *call)
{
    start_list(call, run_documents);
}

static bool run_document_delete(struct search_job *job)
{
    return index_document_delete(job->index, job->id, job->sub, job->force, &job->err) &&
           answer_nothing(job);
}

void search_route_document_delete(struct call *call)
{
    start_plain(call, run_document_delete);
}

/* ---- operations ---- */

static bool run_operation(struct search_job *job)
{
    struct index_document document;
    if (index_document_get(job->index, job->id, job->sub, job->arena, &document,
                           &job->err))
        return answer_operation(job, &document);
    if (job->err.code == ERROR_NOT_FOUND)
        error_set(&job->err, ERROR_NOT_FOUND,
                  "fileSearchStores/%.*s/%soperations/%.*s is not found: it was never "
                  "there, or its document was deleted.",
                  TEXT_ARG(text_slice(job->id, 0, 100)), job->uploaded ? "upload/" : "",
                  TEXT_ARG(text_slice(job->sub, 0, 100)));
    return false;
}

void search_route_operation(struct call *call)
{
    start_plain(call, run_operation);
}

void search_route_upload_operation(struct call *call)
{
    struct search_job *job = open_job(call);
    job->uploaded = true;
    start(job, call->api->options.disk, run_operation);
}

/* ---- searching ---- */

static bool run_query(struct search_job *job)
{
    struct wire_search wire;
    struct passage *found;
    int n;
    if (!json_read(&wire_search_type, job->body, &wire, job->arena, &job->err))
        return false;
    const struct index_query query = {
        .text = wire.query,
        .stores = &job->id,
        .n_stores = 1,
        .filter = wire.filter,
        .top = (int)wire.top.is,
    };
    if (!index_search(job->index, &query, job->arena, &found, &n, &job->err))
        return false;
    struct wire_passage *passages =
        arena_array(job->arena, struct wire_passage, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        passages[i] = wire_passage_of(&found[i], job->arena);
    struct wire_search_answer list = {{passages, (size_t)n}};
    return answer(job, &wire_search_answer_type, &list);
}

void search_route_query(struct call *call)
{
    start_with_body(call, call->api->options.searchers, run_query);
}

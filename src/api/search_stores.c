/* search_stores.c - fileSearchStores.*: create, list, get, delete, importFile, query;
 * their documents and operations.
 *
 * Each is a job (job.h) on a disk worker, a query one on a searcher, for it waits for the
 * embedder. An operation is a document's state under another name: it has the document's
 * id, and ends with it. */
#include "api/search_stores.h"
#include "api/job.h"
#include "api/models.h"
#include "api/search_message.h"

enum { PAGE = 10, PAGE_MOST = 20 };

static struct index *index_of(const struct job *job)
{
    return job->api->options.index;
}

static const char *model_of(const struct job *job)
{
    return embed_name(job->api->options.embedder);
}

static bool answer_store(struct job *job, const struct index_store *store)
{
    struct wire_store wire = wire_store_of(store, model_of(job), job->arena);
    return job_answer(job, &wire_store_type, &wire);
}

static bool answer_document(struct job *job, const struct index_document *document)
{
    struct wire_document wire = wire_document_of(document, job->arena);
    return job_answer(job, &wire_document_type, &wire);
}

/* `uploaded`: not imported; the two have names of different forms. */
static bool answer_operation(struct job *job, const struct index_document *document,
                             bool uploaded)
{
    struct wire_import wire = wire_import_of(document, uploaded, job->arena);
    return job_answer(job, &wire_import_type, &wire);
}

/* ---- stores ---- */

/* There is one embedding model; a store may name it, or leave it out. */
static bool check_model(const struct job *job, struct text name, struct error *err)
{
    struct error ignored;
    if (!name.len ||
        models_embed(job->api, TEXT("v1beta"), models_plain(name), "stores", &ignored))
        return true;
    return error_at(err, "embedding_model",
                    "embeddingModel is '%.*s'; this server embeds with models/%s.",
                    TEXT_ARG(text_slice(name, 0, 100)), model_of(job));
}

static bool run_create(struct job *job)
{
    struct wire_store wire;
    struct index_store store;
    return json_read(&wire_store_type, job->body, &wire, job->arena, &job->err) &&
           check_model(job, wire.embedding_model, &job->err) &&
           index_create(index_of(job), wire.display_name, job->arena, &store,
                        &job->err) &&
           answer_store(job, &store);
}

void search_route_create(struct call *call)
{
    job_run_call(call, run_create, NULL);
}

static bool run_get(struct job *job)
{
    struct index_store store;
    return index_get(index_of(job), job->id, job->arena, &store, &job->err) &&
           answer_store(job, &store);
}

void search_route_get(struct call *call)
{
    job_run_call(call, run_get, NULL);
}

/* With what is in it: job->own of those that may say so. */
static void start_delete(struct call *call, job_run *run)
{
    struct job *job = job_open(call);
    bool *force = arena_new(job->arena, bool);
    *force = api_flag(call, "force", false);
    job->own = force;
    job_start(job, run, NULL);
}

static bool is_forced(const struct job *job)
{
    return *(const bool *)job->own;
}

static bool run_delete(struct job *job)
{
    return index_delete(index_of(job), job->id, is_forced(job), &job->err) &&
           job_answer_nothing(job);
}

void search_route_delete(struct call *call)
{
    start_delete(call, run_delete);
}

static void start_list(struct call *call, job_run *run)
{
    struct job *job = job_open(call);
    if (job_page(job, PAGE, PAGE_MOST))
        job_start(job, run, NULL);
}

static bool run_list(struct job *job)
{
    struct index_store *list;
    struct wire_stores wire = {0};
    int n;
    if (!index_list(index_of(job), job->page_size, job->token, job->arena, &list, &n,
                    &wire.next_page, &job->err))
        return false;
    struct wire_store *stores = arena_array(job->arena, struct wire_store, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        stores[i] = wire_store_of(&list[i], model_of(job), job->arena);
    wire.stores = (struct json_list){stores, (size_t)n};
    return job_answer(job, &wire_stores_type, &wire);
}

void search_route_list(struct call *call)
{
    start_list(call, run_list);
}

/* ---- documents ---- */

static bool run_import(struct job *job)
{
    struct wire_document_wish wire;
    struct index_wish wish;
    struct index_document document;
    return json_read(&wire_import_wish_type, job->body, &wire, job->arena, &job->err) &&
           wire_wish_read(&wire, job->arena, &wish, &job->err) &&
           index_import(index_of(job), job->id, wire.file_name, &wish, job->arena,
                        &document, &job->err) &&
           answer_operation(job, &document, false);
}

void search_route_import(struct call *call)
{
    job_run_call(call, run_import, NULL);
}

static bool run_document(struct job *job)
{
    struct index_document document;
    return index_document_get(index_of(job), job->id, job->sub, job->arena, &document,
                              &job->err) &&
           answer_document(job, &document);
}

void search_route_document(struct call *call)
{
    job_run_call(call, run_document, NULL);
}

static bool run_documents(struct job *job)
{
    struct index_document *list;
    struct wire_documents wire = {0};
    int n;
    if (!index_document_list(index_of(job), job->id, job->page_size, job->token,
                             job->arena, &list, &n, &wire.next_page, &job->err))
        return false;
    struct wire_document *documents =
        arena_array(job->arena, struct wire_document, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        documents[i] = wire_document_of(&list[i], job->arena);
    wire.documents = (struct json_list){documents, (size_t)n};
    return job_answer(job, &wire_documents_type, &wire);
}

void search_route_documents(struct call *call)
{
    start_list(call, run_documents);
}

static bool run_document_delete(struct job *job)
{
    return index_document_delete(index_of(job), job->id, job->sub, is_forced(job),
                                 &job->err) &&
           job_answer_nothing(job);
}

void search_route_document_delete(struct call *call)
{
    start_delete(call, run_document_delete);
}

/* ---- operations ---- */

static bool tell_operation(struct job *job, bool uploaded)
{
    struct index_document document;
    if (index_document_get(index_of(job), job->id, job->sub, job->arena, &document,
                           &job->err))
        return answer_operation(job, &document, uploaded);
    if (job->err.code == ERROR_NOT_FOUND)
        error_set(&job->err, ERROR_NOT_FOUND,
                  "fileSearchStores/%.*s/%soperations/%.*s is not found: it was never "
                  "there, or its document was deleted.",
                  TEXT_ARG(text_slice(job->id, 0, 100)), uploaded ? "upload/" : "",
                  TEXT_ARG(text_slice(job->sub, 0, 100)));
    return false;
}

static bool run_operation(struct job *job)
{
    return tell_operation(job, false);
}

void search_route_operation(struct call *call)
{
    job_run_call(call, run_operation, NULL);
}

static bool run_upload_operation(struct job *job)
{
    return tell_operation(job, true);
}

void search_route_upload_operation(struct call *call)
{
    job_run_call(call, run_upload_operation, NULL);
}

/* ---- searching ---- */

static bool run_query(struct job *job)
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
    if (!index_search(index_of(job), &query, job->arena, &found, &n, &job->err))
        return false;
    struct wire_passage *passages =
        arena_array(job->arena, struct wire_passage, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        passages[i] = wire_passage_of(&found[i], job->arena);
    struct wire_search_answer list = {{passages, (size_t)n}};
    return job_answer(job, &wire_search_answer_type, &list);
}

void search_route_query(struct call *call)
{
    job_start_on(job_open(call), call->api->options.searchers, run_query, NULL);
}

/* search_stores.c - fileSearchStores.*: create, list, get, delete, importFile, query;
 * their documents and operations.
 *
 * Each is a task (task.h) on a disk worker, a query one on a searcher, for it waits for
 * the embedder. An operation is a document's state under another name: it has the
 * document's id, and ends with it. */
#include "api/search_stores.h"
#include "api/models.h"
#include "api/search_message.h"
#include "api/task.h"

enum { PAGE = 10, PAGE_MOST = 20 };

static struct index *index_of(const struct task *task)
{
    return task->api->options.index;
}

static const char *model_of(const struct task *task)
{
    return embed_name(task->api->options.embedder);
}

static bool answer_store(struct task *task, const struct index_store *store)
{
    struct wire_store wire = wire_store_of(store, model_of(task), task->arena);
    return task_answer(task, &wire_store_type, &wire);
}

static bool answer_document(struct task *task, const struct index_document *document)
{
    struct wire_document wire = wire_document_of(document, task->arena);
    return task_answer(task, &wire_document_type, &wire);
}

/* `uploaded`: not imported; the two have names of different forms. */
static bool answer_operation(struct task *task, const struct index_document *document,
                             bool uploaded)
{
    struct wire_import wire = wire_import_of(document, uploaded, task->arena);
    return task_answer(task, &wire_import_type, &wire);
}

/* ---- stores ---- */

/* There is one embedding model; a store may name it, or leave it out. */
static bool check_model(const struct task *task, struct text name, struct error *err)
{
    struct error ignored;
    if (!name.len ||
        models_embed(task->api, TEXT("v1beta"), models_plain(name), "stores", &ignored))
        return true;
    return error_at(err, "embedding_model",
                    "embeddingModel is '%.*s'; this server embeds with models/%s.",
                    TEXT_ARG(text_slice(name, 0, 100)), model_of(task));
}

static bool run_create(struct task *task)
{
    struct wire_store wire;
    struct index_store store;
    return json_read(&wire_store_type, task->body, &wire, task->arena, &task->err) &&
           check_model(task, wire.embedding_model, &task->err) &&
           index_create(index_of(task), wire.display_name, task->arena, &store,
                        &task->err) &&
           answer_store(task, &store);
}

void search_route_create(struct call *call)
{
    task_run_call(call, run_create, NULL);
}

static bool run_get(struct task *task)
{
    struct index_store store;
    return index_get(index_of(task), task->id, task->arena, &store, &task->err) &&
           answer_store(task, &store);
}

void search_route_get(struct call *call)
{
    task_run_call(call, run_get, NULL);
}

/* With what is in it: task->own of those that may say so. */
static void start_delete(struct call *call, task_run *run)
{
    struct task *task = task_open(call);
    bool *force = arena_new(task->arena, bool);
    *force = api_flag(call, "force", false);
    task->own = force;
    task_start(task, run, NULL);
}

static bool is_forced(const struct task *task)
{
    return *(const bool *)task->own;
}

static bool run_delete(struct task *task)
{
    return index_delete(index_of(task), task->id, is_forced(task), &task->err) &&
           task_answer_nothing(task);
}

void search_route_delete(struct call *call)
{
    start_delete(call, run_delete);
}

static void start_list(struct call *call, task_run *run)
{
    struct task *task = task_open(call);
    if (task_page(task, PAGE, PAGE_MOST))
        task_start(task, run, NULL);
}

static bool run_list(struct task *task)
{
    struct index_store *list;
    struct wire_stores wire = {0};
    int n;
    if (!index_list(index_of(task), task->page_size, task->token, task->arena, &list, &n,
                    &wire.next_page, &task->err))
        return false;
    struct wire_store *stores =
        arena_array(task->arena, struct wire_store, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        stores[i] = wire_store_of(&list[i], model_of(task), task->arena);
    wire.stores = (struct json_list){stores, (size_t)n};
    return task_answer(task, &wire_stores_type, &wire);
}

void search_route_list(struct call *call)
{
    start_list(call, run_list);
}

/* ---- documents ---- */

static bool run_import(struct task *task)
{
    struct wire_document_wish wire;
    struct index_wish wish;
    struct index_document document;
    return json_read(&wire_import_wish_type, task->body, &wire, task->arena,
                     &task->err) &&
           wire_wish_read(&wire, task->arena, &wish, &task->err) &&
           index_import(index_of(task), task->id, wire.file_name, &wish, task->arena,
                        &document, &task->err) &&
           answer_operation(task, &document, false);
}

void search_route_import(struct call *call)
{
    task_run_call(call, run_import, NULL);
}

static bool run_document(struct task *task)
{
    struct index_document document;
    return index_document_get(index_of(task), task->id, task->sub, task->arena, &document,
                              &task->err) &&
           answer_document(task, &document);
}

void search_route_document(struct call *call)
{
    task_run_call(call, run_document, NULL);
}

static bool run_documents(struct task *task)
{
    struct index_document *list;
    struct wire_documents wire = {0};
    int n;
    if (!index_document_list(index_of(task), task->id, task->page_size, task->token,
                             task->arena, &list, &n, &wire.next_page, &task->err))
        return false;
    struct wire_document *documents =
        arena_array(task->arena, struct wire_document, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        documents[i] = wire_document_of(&list[i], task->arena);
    wire.documents = (struct json_list){documents, (size_t)n};
    return task_answer(task, &wire_documents_type, &wire);
}

void search_route_documents(struct call *call)
{
    start_list(call, run_documents);
}

static bool run_document_delete(struct task *task)
{
    return index_document_delete(index_of(task), task->id, task->sub, is_forced(task),
                                 &task->err) &&
           task_answer_nothing(task);
}

void search_route_document_delete(struct call *call)
{
    start_delete(call, run_document_delete);
}

/* ---- operations ---- */

static bool tell_operation(struct task *task, bool uploaded)
{
    struct index_document document;
    if (index_document_get(index_of(task), task->id, task->sub, task->arena, &document,
                           &task->err))
        return answer_operation(task, &document, uploaded);
    if (task->err.code == ERROR_NOT_FOUND)
        error_set(&task->err, ERROR_NOT_FOUND,
                  "fileSearchStores/%.*s/%soperations/%.*s is not found: it was never "
                  "there, or its document was deleted.",
                  TEXT_ARG(text_slice(task->id, 0, 100)), uploaded ? "upload/" : "",
                  TEXT_ARG(text_slice(task->sub, 0, 100)));
    return false;
}

static bool run_operation(struct task *task)
{
    return tell_operation(task, false);
}

void search_route_operation(struct call *call)
{
    task_run_call(call, run_operation, NULL);
}

static bool run_upload_operation(struct task *task)
{
    return tell_operation(task, true);
}

void search_route_upload_operation(struct call *call)
{
    task_run_call(call, run_upload_operation, NULL);
}

/* ---- searching ---- */

static bool run_query(struct task *task)
{
    struct wire_search wire;
    struct passage *found;
    int n;
    if (!json_read(&wire_search_type, task->body, &wire, task->arena, &task->err))
        return false;
    const struct index_query query = {
        .text = wire.query,
        .stores = &task->id,
        .n_stores = 1,
        .filter = wire.filter,
        .top = (int)wire.top.is,
    };
    if (!index_search(index_of(task), &query, task->arena, &found, &n, &task->err))
        return false;
    struct wire_passage *passages =
        arena_array(task->arena, struct wire_passage, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        passages[i] = wire_passage_of(&found[i], task->arena);
    struct wire_search_answer list = {{passages, (size_t)n}};
    return task_answer(task, &wire_search_answer_type, &list);
}

void search_route_query(struct call *call)
{
    task_start_on(task_open(call), call->api->options.searchers, run_query, NULL);
}

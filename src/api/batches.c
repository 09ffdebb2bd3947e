/* batches.c - batchGenerateContent, asyncBatchEmbedContent; batches.get, list, cancel,
 * delete, update.
 *
 * Each is a task (task.h) on a disk worker. Whether or not its client still waits, the
 * runner of batches is told then what has changed. */
#include "api/batches.h"
#include "api/batch_message.h"
#include "api/batch_run.h"
#include "api/models.h"
#include "api/task.h"
#include "api/webhook.h"
#include "json/tree.h"

enum {
    PAGE = 10,
    PAGE_MOST = 100,
    SOME = 64,
    LIST_MOST = 32 << 20, /* bytes of a page that holds outputs; then it ends early */
};

/* task->own of each. */
struct batch_task {
    enum batch_kind kind; /* what is asked */
    struct batch batch;   /* what came of it */
};

static struct task *open_task(struct call *call, enum batch_kind kind)
{
    struct task *task = task_open(call);
    struct batch_task *own = arena_new(task->arena, struct batch_task);
    own->kind = kind;
    task->own = own;
    return task;
}

static enum batch_kind kind_of(const struct task *task)
{
    return ((const struct batch_task *)task->own)->kind;
}

static struct batch *batch_of(const struct task *task)
{
    return &((struct batch_task *)task->own)->batch;
}

/* ---- writing: on a worker ---- */

/* What stands for an answer that was not made. */
static void write_missing(struct buf *out)
{
    struct error err;
    error_set(&err, ERROR_CANCELLED, "The batch ended before this request was answered.");
    batch_write_line(&(struct batch_request){0}, &err, TEXT(""), out);
}

static void add_inlined(struct buf *out, struct text json)
{
    if (out->len > 0)
        buf_char(out, ',');
    buf_text(out, json);
}

/* Whoever sent a list finds the i-th answer at the i-th place, whatever is missing. */
static bool read_inlined(struct task *task, const struct batch *batch, struct buf *out)
{
    struct batch_answer answers[SOME];
    struct buf missing = {0};
    int64_t at = 0;
    bool good = true;
    write_missing(&missing);
    for (int n = SOME; good && n == SOME;) {
        struct arena *arena = arena_open();
        n = batches_answers(task->api->options.batches, batch->id, at, SOME, arena,
                            answers, &task->err);
        good = n >= 0;
        for (int i = 0; good && i < n; i++, at++) {
            for (; at < answers[i].line; at++)
                add_inlined(out, buf_view(&missing));
            add_inlined(out, answers[i].json);
        }
        arena_close(arena);
    }
    for (; good && at < batch->n_lines; at++)
        add_inlined(out, buf_view(&missing));
    buf_free(&missing);
    return good;
}

/* One of the writers of batch_message.h. */
typedef void batch_writer(struct json_writer *w, const struct batch *batch,
                          struct text inlined);

static bool write_batch(struct task *task, struct json_writer *w,
                        const struct batch *batch, batch_writer *writer)
{
    struct buf inlined = {0};
    bool has = batch->ended && !batch->input_file.at && !batch->output_file.at;
    bool good = !has || read_inlined(task, batch, &inlined);
    if (good)
        writer(w, batch, has ? buf_view(&inlined) : (struct text){0});
    buf_free(&inlined);
    return good;
}

static bool write_one(struct task *task, batch_writer *writer)
{
    struct json_writer w = json_writer(&task->answer, task->pretty);
    bool good = write_batch(task, &w, batch_of(task), writer);
    if (task->pretty)
        buf_char(&task->answer, '\n');
    return good;
}

/* ---- create: on a worker ---- */

static bool check_name(struct text name, const char *field, struct error *err)
{
    return text_characters(name) <= BATCH_NAME_MOST ||
           error_at(err, field, "displayName may have at most %d characters.",
                    BATCH_NAME_MOST);
}

/* As it came; it is read again at the batch's end. */
static bool read_webhook(const struct task *task, struct json_object *from,
                         struct text *kept, struct error *err)
{
    static const char where[] = "batch.webhook_config";
    struct wire_webhook wire;
    struct buf json = {0};
    if (!from)
        return true;
    if (!json_decode_at(&wire_webhook_type, from, where, &wire, task->arena, err) ||
        !webhook_check(task->api, &wire, where, err))
        return false;
    json_any_write(from, &json);
    *kept = arena_text(task->arena, buf_view(&json));
    buf_free(&json);
    return true;
}

static bool check_batch(const struct task *task, const struct wire_batch *wire,
                        struct error *err)
{
    struct text model = models_plain(wire->model);
    if (model.len > 0 && !text_same(model, task->id))
        return error_at(err, "batch.model",
                        "The batch's model, models/%.*s, is not that of the path, "
                        "models/%.*s.",
                        TEXT_ARG(text_slice(model, 0, 200)), TEXT_ARG(task->id));
    if (!check_name(wire->display_name, "batch.display_name", err))
        return false;
    bool file = wire->input && wire->input->file_name.len > 0;
    bool lines = wire->input && wire->input->requests;
    return file != lines ||
           error_at(err, "batch.input_config",
                    "inputConfig must have fileName or requests, and only one of them.");
}

/* What a file has on its lines. */
static void write_lines(const struct wire_batch_requests *requests, struct buf *out)
{
    const struct wire_batch_request *request = requests->requests.at;
    for (size_t i = 0; i < requests->requests.n; i++, request++) {
        struct json_writer w = json_writer(out, false);
        json_begin(&w, '{');
        if (request->request) {
            json_key(&w, "request");
            tree_write(&w, request->request);
        }
        if (request->metadata) {
            json_key(&w, "metadata");
            tree_write(&w, request->metadata);
        }
        json_end(&w, '}');
        buf_char(out, '\n');
    }
}

static bool run_create(struct task *task)
{
    struct wire_batch_create create;
    struct batches *batches = task->api->options.batches;
    struct error *err = &task->err;
    if (!json_read(&wire_batch_create_type, task->body, &create, task->arena, err) ||
        !check_batch(task, create.batch, err))
        return false;
    const struct wire_batch_input *input = create.batch->input;
    struct batch_wish wish = {
        .kind = kind_of(task),
        .model = task->id,
        .display_name = create.batch->display_name,
        .priority = create.batch->priority.is,
    };
    if (!read_webhook(task, create.batch->webhook, &wish.webhook, err))
        return false;
    bool good;
    if (input->requests) {
        struct buf lines = {0};
        write_lines(input->requests, &lines);
        good = batches_make_of_lines(batches, &wish, buf_view(&lines), task->arena,
                                     batch_of(task), err);
        buf_free(&lines);
    } else {
        good = batches_make_of_file(batches, &wish, input->file_name, task->arena,
                                    batch_of(task), err);
    }
    return good && write_one(task, batch_write);
}

static void offer(struct task *task)
{
    batch_run_offer(task->api, batch_of(task));
}

void batches_route_generate(struct call *call)
{
    struct error err;
    if (models_serve(call->api, call->version, call->name, "batchGenerateContent", &err))
        task_start(open_task(call, BATCH_GENERATE), run_create, offer);
    else
        api_error(call, &err);
}

void batches_route_embed(struct call *call)
{
    struct error err;
    if (models_embed(call->api, call->version, call->name, "asyncBatchEmbedContent",
                     &err))
        task_start(open_task(call, BATCH_EMBED), run_create, offer);
    else
        api_error(call, &err);
}

/* ---- update ---- */

/* "displayName,priority", or what the body has when there is no mask. */
static bool read_mask(const struct task *task, const struct wire_batch *wire,
                      struct batch_change *change, struct error *err)
{
    if (task->mask.len == 0) {
        change->renames = wire->display_name.at != NULL;
        change->orders = wire->priority.set;
        return (!wire->input ||
                error_at(err, "input_config", "A batch's input cannot be changed.")) &&
               (!wire->webhook ||
                error_at(err, "webhook_config", "A batch's webhooks cannot be changed."));
    }
    for (struct text rest = task->mask; rest.at;) {
        struct text path = text_cut(rest, ',', &rest);
        bool name = text_is(path, "displayName") || text_is(path, "display_name");
        bool priority = text_is(path, "priority");
        if (!name && !priority)
            return error_at(err, "update_mask",
                            "'%.*s' cannot be changed; displayName and priority can.",
                            TEXT_ARG(text_slice(path, 0, 100)));
        change->renames |= name;
        change->orders |= priority;
    }
    return true;
}

static bool run_change(struct task *task)
{
    struct wire_batch wire;
    struct batch_change change = {0};
    if (!json_read(&wire_batch_type, task->body, &wire, task->arena, &task->err) ||
        !check_name(wire.display_name, "display_name", &task->err) ||
        !read_mask(task, &wire, &change, &task->err))
        return false;
    change.display_name = wire.display_name;
    change.priority = wire.priority.is;
    return batches_change(task->api->options.batches, task->id, kind_of(task), &change,
                          task->arena, batch_of(task), &task->err) &&
           write_one(task, batch_write_bare);
}

void batches_route_change_generate(struct call *call)
{
    task_start(open_task(call, BATCH_GENERATE), run_change, offer);
}

void batches_route_change_embed(struct call *call)
{
    task_start(open_task(call, BATCH_EMBED), run_change, offer);
}

/* ---- get, cancel, delete ---- */

static bool run_get(struct task *task)
{
    return batches_get(task->api->options.batches, task->id, task->arena, batch_of(task),
                       &task->err) &&
           write_one(task, batch_write);
}

void batches_route_get(struct call *call)
{
    task_start(open_task(call, 0), run_get, NULL);
}

static bool run_cancel(struct task *task)
{
    return batches_end(task->api->options.batches, task->id, BATCH_CANCELLED,
                       (struct text){0}, &task->err) &&
           task_answer_nothing(task);
}

static void end_run(struct task *task)
{
    batch_run_end(task->api, task->id);
}

void batches_route_cancel(struct call *call)
{
    task_run_call(call, run_cancel, end_run);
}

static bool run_delete(struct task *task)
{
    return batches_delete(task->api->options.batches, task->id, &task->err) &&
           task_answer_nothing(task);
}

void batches_route_delete(struct call *call)
{
    task_run_call(call, run_delete, end_run);
}

/* ---- list ---- */

/* A page that would be too large ends before its time; its token says where. */
static bool run_list(struct task *task)
{
    struct batch *list;
    struct text next;
    int n = 0, i = 0;
    if (!batches_list(task->api->options.batches, task->page_size, task->token,
                      task->arena, &list, &n, &next, &task->err))
        return false;
    struct json_writer w = json_writer(&task->answer, task->pretty);
    json_begin(&w, '{');
    if (n > 0) {
        json_key(&w, "operations");
        json_begin(&w, '[');
        for (; i < n && task->answer.len < LIST_MOST; i++)
            if (!write_batch(task, &w, &list[i], batch_write))
                return false;
        json_end(&w, ']');
    }
    if (i < n)
        next = batches_token(&list[i - 1], task->arena);
    if (next.at) {
        json_key(&w, "nextPageToken");
        json_text(&w, next);
    }
    json_end(&w, '}');
    if (task->pretty)
        buf_char(&task->answer, '\n');
    return true;
}

void batches_route_list(struct call *call)
{
    struct error err;
    if (http_query(call->rq, "filter").len > 0) {
        error_at(&err, "filter", "'filter' is not supported by Pollux yet.");
        api_error(call, &err);
        return;
    }
    struct task *task = task_open(call);
    if (task_page(task, PAGE, PAGE_MOST))
        task_start(task, run_list, NULL);
}

/* batches.c - batchGenerateContent, asyncBatchEmbedContent; batches.get, list, cancel,
 * delete, update.
 *
 * Each is one job on a disk worker, which also reads a create's body, for that may have
 * many requests, and makes the text of an answer, for that may have many answers. A job
 * has an arena of its own, for its client may go while the disk is at work. */
#include "api/batches.h"
#include "api/batch_message.h"
#include "api/batch_run.h"
#include "api/models.h"
#include "api/webhook.h"
#include "json/tree.h"
#include <stdlib.h>

enum {
    PAGE = 10,
    PAGE_MOST = 100,
    SOME = 64,
    LIST_MOST = 32 << 20, /* bytes of a page that holds outputs; then it ends early */
};

struct batch_job {
    struct work work; /* first */
    struct arena *arena;
    struct api *api;
    struct call *call; /* NULL: the client is gone */
    bool (*run)(struct batch_job *job);
    void (*done)(struct batch_job *job); /* it went well, whether or not anybody waits */
    bool gone;
    bool good, pretty;
    struct error err;

    enum batch_kind kind; /* what is asked */
    struct text id, model, body, token, mask;
    int page_size;

    struct batch batch; /* what came of it */
    struct buf answer;
};

/* ---- its life ---- */

static void free_answer(void *arg)
{
    buf_free(&((struct batch_job *)arg)->answer);
}

static void on_gone(struct call *call)
{
    ((struct batch_job *)call->own)->gone = true;
}

static void on_closed(struct call *call)
{
    struct batch_job *job = call->own;
    job->call = NULL;
    if (!job->run) /* else it is at work */
        arena_close(job->arena);
}

static void run_job(struct work *work)
{
    struct batch_job *job = (struct batch_job *)work;
    job->good = job->run(job);
}

static void reply(struct batch_job *job)
{
    if (!job->good)
        api_error(job->call, &job->err);
    else
        http_reply(job->call->rq, 200, API_JSON, buf_view(&job->answer));
}

static void finish_job(struct work *work)
{
    struct batch_job *job = (struct batch_job *)work;
    job->run = NULL;
    if (job->good && job->done)
        job->done(job);
    if (!job->call)
        arena_close(job->arena);
    else if (!job->gone)
        reply(job);
}

static struct batch_job *open_job(struct call *call)
{
    struct arena *arena = arena_open();
    struct batch_job *job = arena_new(arena, struct batch_job);
    arena_defer(arena, free_answer, job);
    job->arena = arena;
    job->api = call->api;
    job->call = call;
    job->pretty = call->pretty;
    job->id = arena_text(arena, call->name);
    call->own = job;
    call->gone = on_gone;
    call->closed = on_closed;
    return job;
}

static void start(struct batch_job *job, bool (*run)(struct batch_job *),
                  void (*done)(struct batch_job *))
{
    job->run = run;
    job->done = done;
    job->work = (struct work){.run = run_job, .done = finish_job};
    workers_push(job->api->options.disk, &job->work);
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
static bool read_inlined(struct batch_job *job, const struct batch *batch,
                         struct buf *out)
{
    struct batch_answer answers[SOME];
    struct buf missing = {0};
    int64_t at = 0;
    bool good = true;
    write_missing(&missing);
    for (int n = SOME; good && n == SOME;) {
        struct arena *arena = arena_open();
        n = batches_answers(job->api->options.batches, batch->id, at, SOME, arena,
                            answers, &job->err);
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

static bool write_batch(struct batch_job *job, struct json_writer *w,
                        const struct batch *batch, batch_writer *writer)
{
    struct buf inlined = {0};
    bool has = batch->ended && !batch->input_file.at && !batch->output_file.at;
    bool good = !has || read_inlined(job, batch, &inlined);
    if (good)
        writer(w, batch, has ? buf_view(&inlined) : (struct text){0});
    buf_free(&inlined);
    return good;
}

static bool write_one(struct batch_job *job, batch_writer *writer)
{
    struct json_writer w = json_writer(&job->answer, job->pretty);
    bool good = write_batch(job, &w, &job->batch, writer);
    if (job->pretty)
        buf_char(&job->answer, '\n');
    return good;
}

/* ---- create: on a worker ---- */

static bool check_name(struct text name, const char *field, struct error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < name.len; i++)
        n += ((unsigned char)name.at[i] & 0xc0) != 0x80;
    return n <= BATCH_NAME_MOST ||
           error_at(err, field, "displayName may have at most %d characters.",
                    BATCH_NAME_MOST);
}

/* As it came; it is read again at the batch's end. */
static bool read_webhook(const struct batch_job *job, struct json_object *from,
                         struct text *kept, struct error *err)
{
    static const char where[] = "batch.webhook_config";
    struct wire_webhook wire;
    struct buf json = {0};
    if (!from)
        return true;
    if (!json_decode_at(&wire_webhook_type, from, where, &wire, job->arena, err) ||
        !webhook_check(job->api, &wire, where, err))
        return false;
    json_any_write(from, &json);
    *kept = arena_text(job->arena, buf_view(&json));
    buf_free(&json);
    return true;
}

static bool check_batch(const struct batch_job *job, const struct wire_batch *wire,
                        struct error *err)
{
    struct text model = wire->model;
    if (text_starts(model, "models/"))
        model = text_slice(model, strlen("models/"), model.len);
    if (model.len > 0 && !text_same(model, job->model))
        return error_at(err, "batch.model",
                        "The batch's model, models/%.*s, is not that of the path, "
                        "models/%.*s.",
                        TEXT_ARG(text_slice(model, 0, 200)), TEXT_ARG(job->model));
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

static bool run_create(struct batch_job *job)
{
    struct wire_batch_create create;
    struct batches *batches = job->api->options.batches;
    struct error *err = &job->err;
    if (!json_read(&wire_batch_create_type, job->body, &create, job->arena, err) ||
        !check_batch(job, create.batch, err))
        return false;
    const struct wire_batch_input *input = create.batch->input;
    struct batch_wish wish = {
        .kind = job->kind,
        .model = job->model,
        .display_name = create.batch->display_name,
        .priority = create.batch->priority.is,
    };
    if (!read_webhook(job, create.batch->webhook, &wish.webhook, err))
        return false;
    bool good;
    if (input->requests) {
        struct buf lines = {0};
        write_lines(input->requests, &lines);
        good = batches_make_of_lines(batches, &wish, buf_view(&lines), job->arena,
                                     &job->batch, err);
        buf_free(&lines);
    } else {
        good = batches_make_of_file(batches, &wish, input->file_name, job->arena,
                                    &job->batch, err);
    }
    return good && write_one(job, batch_write);
}

static void offer(struct batch_job *job)
{
    batch_run_offer(job->api, &job->batch);
}

static void create(struct call *call, enum batch_kind kind)
{
    struct batch_job *job = open_job(call);
    job->kind = kind;
    job->model = arena_text(job->arena, call->name);
    job->body = arena_text(job->arena, call->rq->body);
    start(job, run_create, offer);
}

void batches_route_generate(struct call *call)
{
    struct error err;
    if (models_serve(call->api, call->version, call->name, "batchGenerateContent", &err))
        create(call, BATCH_GENERATE);
    else
        api_error(call, &err);
}

void batches_route_embed(struct call *call)
{
    struct error err;
    if (models_embed(call->api, call->version, call->name, "asyncBatchEmbedContent",
                     &err))
        create(call, BATCH_EMBED);
    else
        api_error(call, &err);
}

/* ---- update ---- */

/* "displayName,priority", or what the body has when there is no mask. */
static bool read_mask(const struct batch_job *job, const struct wire_batch *wire,
                      struct batch_change *change, struct error *err)
{
    if (job->mask.len == 0) {
        change->renames = wire->display_name.at != NULL;
        change->orders = wire->priority.set;
        return (!wire->input ||
                error_at(err, "input_config", "A batch's input cannot be changed.")) &&
               (!wire->webhook ||
                error_at(err, "webhook_config", "A batch's webhooks cannot be changed."));
    }
    for (struct text rest = job->mask; rest.at;) {
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

static bool run_change(struct batch_job *job)
{
    struct wire_batch wire;
    struct batch_change change = {0};
    if (!json_read(&wire_batch_type, job->body, &wire, job->arena, &job->err) ||
        !check_name(wire.display_name, "display_name", &job->err) ||
        !read_mask(job, &wire, &change, &job->err))
        return false;
    change.display_name = wire.display_name;
    change.priority = wire.priority.is;
    return batches_change(job->api->options.batches, job->id, job->kind, &change,
                          job->arena, &job->batch, &job->err) &&
           write_one(job, batch_write_bare);
}

static void start_change(struct call *call, enum batch_kind kind)
{
    struct batch_job *job = open_job(call);
    job->kind = kind;
    job->body = arena_text(job->arena, call->rq->body);
    job->mask = arena_text(job->arena, http_query(call->rq, "updateMask"));
    start(job, run_change, offer);
}

void batches_route_change_generate(struct call *call)
{
    start_change(call, BATCH_GENERATE);
}

void batches_route_change_embed(struct call *call)
{
    start_change(call, BATCH_EMBED);
}

/* ---- get, cancel, delete ---- */

static bool run_get(struct batch_job *job)
{
    return batches_get(job->api->options.batches, job->id, job->arena, &job->batch,
                       &job->err) &&
           write_one(job, batch_write);
}

void batches_route_get(struct call *call)
{
    start(open_job(call), run_get, NULL);
}

static bool run_cancel(struct batch_job *job)
{
    buf_str(&job->answer, "{}\n");
    return batches_end(job->api->options.batches, job->id, BATCH_CANCELLED,
                       (struct text){0}, &job->err);
}

static void end_run(struct batch_job *job)
{
    batch_run_end(job->api, job->id);
}

void batches_route_cancel(struct call *call)
{
    start(open_job(call), run_cancel, end_run);
}

static bool run_delete(struct batch_job *job)
{
    buf_str(&job->answer, "{}\n");
    return batches_delete(job->api->options.batches, job->id, &job->err);
}

void batches_route_delete(struct call *call)
{
    start(open_job(call), run_delete, end_run);
}

/* ---- list ---- */

/* A page that would be too large ends before its time; its token says where. */
static bool run_list(struct batch_job *job)
{
    struct batch *list;
    struct text next;
    int n = 0, i = 0;
    if (!batches_list(job->api->options.batches, job->page_size, job->token, job->arena,
                      &list, &n, &next, &job->err))
        return false;
    struct json_writer w = json_writer(&job->answer, job->pretty);
    json_begin(&w, '{');
    if (n > 0) {
        json_key(&w, "operations");
        json_begin(&w, '[');
        for (; i < n && job->answer.len < LIST_MOST; i++)
            if (!write_batch(job, &w, &list[i], batch_write))
                return false;
        json_end(&w, ']');
    }
    if (i < n)
        next = batches_token(&list[i - 1], job->arena);
    if (next.at) {
        json_key(&w, "nextPageToken");
        json_text(&w, next);
    }
    json_end(&w, '}');
    if (job->pretty)
        buf_char(&job->answer, '\n');
    return true;
}

void batches_route_list(struct call *call)
{
    struct error err;
    int size;
    bool good = api_page_size(call, PAGE, PAGE_MOST, &size, &err);
    if (good && http_query(call->rq, "filter").len > 0)
        good = error_at(&err, "filter", "'filter' is not supported by Pollux yet.");
    if (!good) {
        api_error(call, &err);
        return;
    }
    struct batch_job *job = open_job(call);
    job->page_size = size;
    job->token = arena_text(job->arena, http_query(call->rq, "pageToken"));
    start(job, run_list, NULL);
}

/* batches.c - batchGenerateContent, asyncBatchEmbedContent; batches.get, list, cancel,
 * delete, update.
 *
 * Each is a job (job.h) on a disk worker. Whether or not its client still waits, the
 * runner of batches is told then what has changed. */
#include "api/batches.h"
#include "api/batch_message.h"
#include "api/batch_run.h"
#include "api/job.h"
#include "api/models.h"
#include "json/tree.h"

enum {
    PAGE = 10,
    PAGE_MOST = 100,
    SOME = 64,
    LIST_MOST = 32 << 20, /* bytes of a page that holds outputs; then it ends early */
};

/* job->own of each. */
struct batch_job {
    enum batch_kind kind; /* what is asked */
    struct batch batch;   /* what came of it */
};

static struct job *open_job(struct call *call, enum batch_kind kind)
{
    struct job *job = job_open(call);
    struct batch_job *own = arena_new(job->arena, struct batch_job);
    own->kind = kind;
    job->own = own;
    return job;
}

static enum batch_kind kind_of(const struct job *job)
{
    return ((const struct batch_job *)job->own)->kind;
}

static struct batch *batch_of(const struct job *job)
{
    return &((struct batch_job *)job->own)->batch;
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
static bool read_inlined(struct job *job, const struct batch *batch, struct buf *out)
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

static bool write_batch(struct job *job, struct json_writer *w, const struct batch *batch,
                        batch_writer *writer)
{
    struct buf inlined = {0};
    bool has = batch->ended && !batch->input_file.at && !batch->output_file.at;
    bool good = !has || read_inlined(job, batch, &inlined);
    if (good)
        writer(w, batch, has ? buf_view(&inlined) : (struct text){0});
    buf_free(&inlined);
    return good;
}

static bool write_one(struct job *job, batch_writer *writer)
{
    struct json_writer w = json_writer(&job->answer, job->pretty);
    bool good = write_batch(job, &w, batch_of(job), writer);
    if (job->pretty)
        buf_char(&job->answer, '\n');
    return good;
}

/* ---- create: on a worker ---- */

static bool check_name(struct text name, const char *field, struct error *err)
{
    return text_characters(name) <= BATCH_NAME_MOST ||
           error_at(err, field, "displayName may have at most %d characters.",
                    BATCH_NAME_MOST);
}

static bool check_batch(const struct job *job, const struct wire_batch *wire,
                        struct error *err)
{
    struct text model = models_plain(wire->model);
    if (model.len > 0 && !text_same(model, job->id))
        return error_at(err, "batch.model",
                        "The batch's model, models/%.*s, is not that of the path, "
                        "models/%.*s.",
                        TEXT_ARG(text_slice(model, 0, 200)), TEXT_ARG(job->id));
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

static bool run_create(struct job *job)
{
    struct wire_batch_create create;
    struct batches *batches = job->api->options.batches;
    struct error *err = &job->err;
    if (!json_read(&wire_batch_create_type, job->body, &create, job->arena, err) ||
        !check_batch(job, create.batch, err))
        return false;
    const struct wire_batch_input *input = create.batch->input;
    const struct batch_wish wish = {
        .kind = kind_of(job),
        .model = job->id,
        .display_name = create.batch->display_name,
        .priority = create.batch->priority.is,
    };
    bool good;
    if (input->requests) {
        struct buf lines = {0};
        write_lines(input->requests, &lines);
        good = batches_make_of_lines(batches, &wish, buf_view(&lines), job->arena,
                                     batch_of(job), err);
        buf_free(&lines);
    } else {
        good = batches_make_of_file(batches, &wish, input->file_name, job->arena,
                                    batch_of(job), err);
    }
    return good && write_one(job, batch_write);
}

static void offer(struct job *job)
{
    batch_run_offer(job->api, batch_of(job));
}

void batches_route_generate(struct call *call)
{
    struct error err;
    if (models_serve(call->api, call->version, call->name, "batchGenerateContent", &err))
        job_start(open_job(call, BATCH_GENERATE), run_create, offer);
    else
        api_error(call, &err);
}

void batches_route_embed(struct call *call)
{
    struct error err;
    if (models_embed(call->api, call->version, call->name, "asyncBatchEmbedContent",
                     &err))
        job_start(open_job(call, BATCH_EMBED), run_create, offer);
    else
        api_error(call, &err);
}

/* ---- update ---- */

/* "displayName,priority", or what the body has when there is no mask. */
static bool read_mask(const struct job *job, const struct wire_batch *wire,
                      struct batch_change *change, struct error *err)
{
    if (job->mask.len == 0) {
        change->renames = wire->display_name.at != NULL;
        change->orders = wire->priority.set;
        return !wire->input ||
               error_at(err, "input_config", "A batch's input cannot be changed.");
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

static bool run_change(struct job *job)
{
    struct wire_batch wire;
    struct batch_change change = {0};
    if (!json_read(&wire_batch_type, job->body, &wire, job->arena, &job->err) ||
        !check_name(wire.display_name, "display_name", &job->err) ||
        !read_mask(job, &wire, &change, &job->err))
        return false;
    change.display_name = wire.display_name;
    change.priority = wire.priority.is;
    return batches_change(job->api->options.batches, job->id, kind_of(job), &change,
                          job->arena, batch_of(job), &job->err) &&
           write_one(job, batch_write_bare);
}

void batches_route_change_generate(struct call *call)
{
    job_start(open_job(call, BATCH_GENERATE), run_change, offer);
}

void batches_route_change_embed(struct call *call)
{
    job_start(open_job(call, BATCH_EMBED), run_change, offer);
}

/* ---- get, cancel, delete ---- */

static bool run_get(struct job *job)
{
    return batches_get(job->api->options.batches, job->id, job->arena, batch_of(job),
                       &job->err) &&
           write_one(job, batch_write);
}

void batches_route_get(struct call *call)
{
    job_start(open_job(call, 0), run_get, NULL);
}

static bool run_cancel(struct job *job)
{
    return batches_end(job->api->options.batches, job->id, BATCH_CANCELLED,
                       (struct text){0}, &job->err) &&
           job_answer_nothing(job);
}

static void end_run(struct job *job)
{
    batch_run_end(job->api, job->id);
}

void batches_route_cancel(struct call *call)
{
    job_run_call(call, run_cancel, end_run);
}

static bool run_delete(struct job *job)
{
    return batches_delete(job->api->options.batches, job->id, &job->err) &&
           job_answer_nothing(job);
}

void batches_route_delete(struct call *call)
{
    job_run_call(call, run_delete, end_run);
}

/* ---- list ---- */

/* A page that would be too large ends before its time; its token says where. */
static bool run_list(struct job *job)
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
    if (http_query(call->rq, "filter").len > 0) {
        error_at(&err, "filter", "'filter' is not supported by Pollux yet.");
        api_error(call, &err);
        return;
    }
    struct job *job = job_open(call);
    if (job_page(job, PAGE, PAGE_MOST))
        job_start(job, run_list, NULL);
}

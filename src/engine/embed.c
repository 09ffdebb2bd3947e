/* embed.c - the embedder's thread: jobs in, one event each out.
 *
 * A job waits in a list, oldest first. One round of the thread is: take what came in, end
 * what was cancelled, load the model when it is not there, tokenise new jobs (which may
 * find a text too long), run one step with a text of each job in turn, and end the jobs
 * whose last text that was. So a job is in the next step but one, whoever else is there.
 *
 * A job is freed by whoever lets go last: the submitter, the thread, a cancellation under
 * way. Only `cancelled` is touched by both. */
#include "engine/embed.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/loop.h"
#include "engine/embed_model.h"
#include "engine/engine.h"
#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    RETRY_MS = 1000,
    /* Bytes for each token that a text may have: what is longer is refused unread. */
    MOST_BYTES = 256,
    MOST_MARKS = 16, /* tokens that a model puts round a text */
};

enum note_kind { NOTE_SUBMIT, NOTE_CANCEL };

struct note {
    struct message message;
    enum note_kind kind;
    struct embed_job *job;
};

struct embed_job {
    struct note submit, cancel;
    struct embedder *embedder;
    struct embed_job *next;
    struct arena *arena;
    struct embed_text *texts;
    struct embed_piece *pieces; /* NULL: not tokenised yet */
    float *vectors;             /* n_texts * the model's n_dims */
    int n_texts, n_taken, n_done;
    struct queue *to;
    void *user;
    int64_t submitted_us, began_us;
    atomic_bool cancelled;
    atomic_int holders;
};

struct embedder {
    struct embed_options options;
    struct queue *inbox;
    pthread_t thread;
    bool has_thread;
    atomic_int n_jobs; /* that have not ended */
    atomic_int n_dims, n_ctx;
    atomic_bool closing;
    /* The rest is the thread's own. */
    struct embed_model *model;
    struct embed_job *first;
};

/* ---- what the submitter calls ---- */

static void unhold(struct embed_job *job)
{
    if (atomic_fetch_sub(&job->holders, 1) == 1)
        arena_close(job->arena);
}

static struct embed_job *open_job(struct embedder *e, const struct embed_text *texts,
                                  int n, struct queue *to, void *user)
{
    struct arena *arena = arena_open();
    struct embed_job *job = arena_new(arena, struct embed_job);
    job->arena = arena;
    job->embedder = e;
    job->submit = (struct note){.kind = NOTE_SUBMIT, .job = job};
    job->cancel = (struct note){.kind = NOTE_CANCEL, .job = job};
    job->texts = arena_array(arena, struct embed_text, (size_t)n);
    for (int i = 0; i < n; i++) {
        job->texts[i] = texts[i];
        job->texts[i].text = arena_text(arena, texts[i].text);
        job->texts[i].title = arena_text(arena, texts[i].title);
    }
    job->n_texts = n;
    job->to = to;
    job->user = user;
    job->submitted_us = now_us();
    atomic_init(&job->holders, 2);
    return job;
}

struct embed_job *embed_submit(struct embedder *e, const struct embed_text *texts,
                               int n_texts, struct queue *to, void *user,
                               struct error *err)
{
    int n_jobs = atomic_load(&e->n_jobs);
    if (n_jobs > e->options.queue_limit) {
        error_set(err, ERROR_RESOURCE_EXHAUSTED,
                  "The server is busy: %d requests for embeddings wait already. Try "
                  "again later.",
                  n_jobs - 1);
        err->retry_ms = RETRY_MS;
        return NULL;
    }
    struct embed_job *job = open_job(e, texts, n_texts, to, user);
    atomic_fetch_add(&e->n_jobs, 1);
    queue_push(e->inbox, &job->submit.message);
    return job;
}

void embed_cancel(struct embed_job *job)
{
    if (atomic_exchange(&job->cancelled, true))
        return;
    atomic_fetch_add(&job->holders, 1);
    if (!queue_push(job->embedder->inbox, &job->cancel.message))
        unhold(job);
}

void embed_release(struct embed_job *job)
{
    unhold(job);
}

/* ---- ending a job ---- */

/* Cut to what was asked for, then of length 1. A vector without direction stays so. */
static void settle(float *vector, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)vector[i] * (double)vector[i];
    float scale = sum > 0 ? (float)(1 / sqrt(sum)) : 0;
    for (int i = 0; i < n; i++)
        vector[i] *= scale;
}

static struct embed_event *event_with_vectors(const struct embed_job *job, int n_dims)
{
    size_t n = (size_t)job->n_texts, floats = 0;
    for (size_t i = 0; i < n; i++)
        floats += (size_t)(job->texts[i].n_dims ? job->texts[i].n_dims : n_dims);
    struct embed_event *event =
        mem_alloc(sizeof(*event) + n * sizeof(*event->vectors) + floats * sizeof(float));
    struct embed_vector *vectors = (struct embed_vector *)(event + 1);
    float *at = (float *)(vectors + n);
    for (size_t i = 0; i < n; i++) {
        int dims = job->texts[i].n_dims ? job->texts[i].n_dims : n_dims;
        memcpy(at, job->vectors + i * (size_t)n_dims, sizeof(float) * (size_t)dims);
        settle(at, dims);
        vectors[i] = (struct embed_vector){at, dims, job->pieces[i].n_tokens};
        at += dims;
    }
    event->vectors = vectors;
    event->n_texts = job->n_texts;
    return event;
}

/* Sends the job's event and takes it off the list. err NULL: its vectors are there. */
static void end_job(struct embedder *e, struct embed_job *job, const struct error *err,
                    int at_fault)
{
    struct embed_job **link = &e->first;
    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
    struct embed_event *event =
        err ? mem_alloc(sizeof(*event)) : event_with_vectors(job, e->model->n_dims);
    int64_t now = now_us(), began = job->began_us ? job->began_us : now;
    event->user = job->user;
    event->at_fault = at_fault;
    event->queued_us = began - job->submitted_us;
    event->run_us = now - began;
    if (err)
        event->error = *err;
    atomic_fetch_sub(&e->n_jobs, 1);
    queue_push(job->to, &event->message);
    unhold(job);
}

static void end_all(struct embedder *e, const struct error *err)
{
    while (e->first)
        end_job(e, e->first, err, -1);
}

/* ---- the thread ---- */

static void take_note(struct embedder *e, struct note *note)
{
    struct embed_job *job = note->job;
    if (note->kind == NOTE_CANCEL) {
        unhold(job); /* the flag is set; the sweep sees it */
        return;
    }
    struct embed_job **end = &e->first;
    while (*end)
        end = &(*end)->next;
    *end = job;
}

static void take_notes(struct embedder *e)
{
    struct message *m = e->first ? queue_take(e->inbox) : queue_wait(e->inbox, -1);
    for (struct message *next; m; m = next) {
        next = m->next;
        take_note(e, (struct note *)m);
    }
}

static void sweep(struct embedder *e)
{
    struct error err;
    error_set(&err, ERROR_CANCELLED, "The operation was cancelled.");
    for (struct embed_job *job = e->first, *next; job; job = next) {
        next = job->next;
        if (atomic_load(&job->cancelled) || atomic_load(&e->closing))
            end_job(e, job, &err, -1);
    }
}

static int all_threads(const struct embedder *e)
{
    int n = e->options.n_threads;
    return n > 0 ? n : (int)sysconf(_SC_NPROCESSORS_ONLN);
}

/* Half of the threads while the chat engine works: both together then ask for one and a
 * half times what there is, for the time of a step, and neither waits for the other. */
static int threads_now(const struct embedder *e)
{
    int n = all_threads(e), n_running = 0, n_waiting = 0;
    if (e->options.beside)
        engine_load(e->options.beside, &n_running, &n_waiting);
    return n_running > 0 && n > 1 ? n / 2 : n;
}

static double resident_mb(void)
{
    long all = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%ld %ld", &all, &resident) != 2) // NOLINT(cert-err34-c)
        resident = 0;
    if (file)
        fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static bool set_model(struct embedder *e, struct embed_model *model)
{
    e->model = model;
    if (!model)
        return false;
    atomic_store(&e->n_dims, model->n_dims);
    atomic_store(&e->n_ctx, model->n_ctx);
    return true;
}

static bool load(struct embedder *e, struct error *err)
{
    const struct embed_options *options = &e->options;
    int64_t since = now_ms();
    double before = resident_mb();
    if (access(options->path, R_OK) != 0)
        return error_set(err, ERROR_FAILED_PRECONDITION,
                         "The embedding model %s is not on this machine: %s.",
                         options->name, options->remedy);
    if (!set_model(e, embed_llm_open(options->path, options->name, all_threads(e), err)))
        return false;
    log_line(LOG_INFO, "embedder",
             "model=%s dims=%d ctx=%d weights_mb=%.1f resident_mb=%.1f ms=%lld",
             options->name, e->model->n_dims, e->model->n_ctx,
             (double)e->model->bytes / 1e6, resident_mb() - before,
             (long long)(now_ms() - since));
    return true;
}

static bool tokenize(struct embedder *e, struct embed_job *job, int i, struct error *err)
{
    struct embed_model *model = e->model;
    const struct embed_text *text = &job->texts[i];
    if (text->n_dims > model->n_dims)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "outputDimensionality is %d; the vectors of %s have %d numbers.",
                         text->n_dims, e->options.name, model->n_dims);
    struct buf words = {0};
    embed_wording(model->family, text->task, text->title, text->text, &words);
    size_t most = (size_t)MOST_BYTES * (size_t)model->n_ctx;
    size_t len = words.len;
    int32_t *tokens = NULL;
    int n = 0;
    if (len <= most) {
        size_t room = len + MOST_MARKS < (size_t)model->n_ctx ? len + MOST_MARKS
                                                              : (size_t)model->n_ctx;
        tokens = arena_alloc(job->arena, sizeof(int32_t) * room);
        n = model->ops->tokenize(model, buf_view(&words), tokens, (int)room);
    }
    buf_free(&words);
    if (len > most)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "The text is %zu bytes long; %s takes %d tokens, and never more "
                         "than %zu bytes.",
                         len, e->options.name, model->n_ctx, most);
    if (n > model->n_ctx)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "The input token count (%d) exceeds the maximum number of "
                         "tokens allowed (%d).",
                         n, model->n_ctx);
    if (n == 0)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "The text has nothing that %s could read.", e->options.name);
    job->pieces[i] = (struct embed_piece){tokens, n};
    return true;
}

static void prepare(struct embedder *e, struct embed_job *job)
{
    struct error err = {0};
    size_t n = (size_t)job->n_texts;
    job->began_us = now_us();
    job->pieces = arena_array(job->arena, struct embed_piece, n);
    job->vectors = arena_alloc(job->arena, sizeof(float) * n * (size_t)e->model->n_dims);
    for (int i = 0; i < job->n_texts; i++) {
        if (!tokenize(e, job, i, &err)) {
            end_job(e, job, &err, i);
            return;
        }
    }
}

/* What goes into a step: one text of each job in turn. */
struct step {
    struct embed_piece *pieces;
    struct embed_job **jobs; /* of each piece */
    int *texts;              /* and its place there */
    int n, n_tokens;
    bool full;
};

static void put_next(struct step *step, const struct embed_model *model,
                     struct embed_job *job)
{
    const struct embed_piece *piece = &job->pieces[job->n_taken];
    if (step->n == model->n_pieces ||
        (step->n > 0 && step->n_tokens + piece->n_tokens > model->n_batch)) {
        step->full = true;
        return;
    }
    step->pieces[step->n] = *piece;
    step->jobs[step->n] = job;
    step->texts[step->n++] = job->n_taken++;
    step->n_tokens += piece->n_tokens;
}

static void fill_step(struct embedder *e, struct step *step)
{
    for (int before = -1; !step->full && before != step->n;) {
        before = step->n;
        for (struct embed_job *job = e->first; job && !step->full; job = job->next)
            if (job->n_taken < job->n_texts)
                put_next(step, e->model, job);
    }
}

/* A step of one job's alone ends with it. */
static const atomic_bool *stop_of(const struct embedder *e, const struct step *step)
{
    for (int i = 1; i < step->n; i++)
        if (step->jobs[i] != step->jobs[0])
            return &e->closing;
    return &step->jobs[0]->cancelled;
}

static void give_vectors(struct embedder *e, const struct step *step,
                         const float *vectors)
{
    size_t n_dims = (size_t)e->model->n_dims;
    for (int i = 0; i < step->n; i++) {
        struct embed_job *job = step->jobs[i];
        memcpy(job->vectors + (size_t)step->texts[i] * n_dims,
               vectors + (size_t)i * n_dims, sizeof(float) * n_dims);
        if (++job->n_done == job->n_texts)
            end_job(e, job, NULL, -1);
    }
}

static void fail_step(struct embedder *e, const struct step *step)
{
    struct error err;
    error_set(&err, ERROR_INTERNAL, "The embedding model failed.");
    log_line(LOG_ERROR, "embedder", "texts=%d tokens=%d failed=1", step->n,
             step->n_tokens);
    for (int i = 0; i < step->n; i++) {
        bool again = false;
        for (int j = 0; j < i; j++)
            again |= step->jobs[j] == step->jobs[i];
        if (!again)
            end_job(e, step->jobs[i], &err, -1);
    }
}

static void run_step(struct embedder *e)
{
    struct embed_model *model = e->model;
    size_t n = (size_t)model->n_pieces;
    struct arena *arena = arena_open();
    struct step step = {.pieces = arena_array(arena, struct embed_piece, n),
                        .jobs = arena_array(arena, struct embed_job *, n),
                        .texts = arena_array(arena, int, n)};
    fill_step(e, &step);
    if (step.n > 0) {
        float *vectors =
            mem_alloc(sizeof(float) * (size_t)step.n * (size_t)model->n_dims);
        enum embed_result result = model->ops->run(
            model, step.pieces, step.n, threads_now(e), stop_of(e, &step), vectors);
        if (result == EMBED_DONE)
            give_vectors(e, &step, vectors);
        else if (result == EMBED_FAILED)
            fail_step(e, &step);
        /* Stopped: whoever was in it is swept. */
        free(vectors);
    }
    arena_close(arena);
}

static void *run(void *arg)
{
    struct embedder *e = arg;
    for (;;) {
        take_notes(e);
        sweep(e);
        if (!e->first && atomic_load(&e->closing))
            return NULL;
        struct error err = {0};
        if (e->first && !e->model && !load(e, &err)) {
            end_all(e, &err);
            continue;
        }
        assert(!e->first || e->model);
        for (struct embed_job *job = e->first, *next; job; job = next) {
            next = job->next;
            if (!job->pieces)
                prepare(e, job);
        }
        if (e->first)
            run_step(e);
    }
}

/* ---- opening and closing ---- */

struct embedder *embed_open(const struct embed_options *options, struct error *err)
{
    struct embedder *e = mem_alloc(sizeof *e);
    e->options = *options;
    e->inbox = queue_open();
    bool good = !options->script || set_model(e, embed_script_open(options->path, err));
    if (good && (!e->inbox || pthread_create(&e->thread, NULL, run, e) != 0))
        good = error_set(err, ERROR_INTERNAL, "no thread for embeddings: %m");
    e->has_thread = good;
    if (good)
        return e;
    embed_close(e);
    return NULL;
}

const char *embed_name(const struct embedder *embedder)
{
    return embedder->options.name;
}

struct embed_facts embed_facts(struct embedder *e)
{
    return (struct embed_facts){atomic_load(&e->n_dims), atomic_load(&e->n_ctx)};
}

void embed_close(struct embedder *e)
{
    if (!e)
        return;
    atomic_store(&e->closing, true);
    if (e->inbox)
        queue_shut(e->inbox);
    if (e->has_thread)
        pthread_join(e->thread, NULL);
    if (e->model)
        e->model->ops->close(e->model);
    if (e->inbox)
        queue_close(e->inbox);
    free(e);
}

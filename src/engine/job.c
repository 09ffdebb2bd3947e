#include "engine/job.h"
#include "base/loop.h"
#include "rust/constraint.h"
#include <stdlib.h>

struct local_job *job_open(struct engine *engine, const struct job_spec *spec,
                           struct queue *to, void *user)
{
    struct arena *arena = arena_open();
    struct local_job *job = arena_new(arena, struct local_job);
    job->arena = arena;
    job->job.engine = engine;
    job->submit = (struct note){.kind = NOTE_SUBMIT, .job = job};
    job->cancel = (struct note){.kind = NOTE_CANCEL, .job = job};
    job->spec = *spec;
    size_t size = sizeof(int32_t) * (size_t)spec->n_tokens;
    int32_t *tokens = arena_alloc(arena, size);
    memcpy(tokens, spec->tokens, size);
    job->spec.tokens = tokens;
    job->spec.prompt = job->spec.model = (struct text){0};
    job->spec.stops = NULL; /* each sequence's output has them */
    engine_adapter_hold(spec->adapter);
    struct saved_rows **rows =
        arena_array(arena, struct saved_rows *, (size_t)spec->n_rows + 1);
    for (int i = 0; i < spec->n_rows; i++)
        rows[i] = rows_hold(spec->rows[i]);
    job->spec.rows = rows;
    job->to = to;
    job->user = user;
    job->submitted_us = now_us();
    atomic_init(&job->holders, 2);
    job->n_left = spec->n_candidates;
    job->sequences = arena_array(arena, struct sequence, (size_t)spec->n_candidates);
    for (int i = 0; i < spec->n_candidates; i++) {
        struct sequence *sequence = &job->sequences[i];
        sequence->job = job;
        sequence->candidate = i;
        sequence->output = output_open(spec->stops, spec->n_stops);
    }
    return job;
}

void job_drop_rows(struct local_job *job)
{
    for (int i = 0; i < job->spec.n_rows; i++)
        rows_release(job->spec.rows[i]);
    job->spec.n_rows = 0;
}

void job_hold(struct local_job *job)
{
    atomic_fetch_add(&job->holders, 1);
}

void job_unhold(struct local_job *job)
{
    if (atomic_fetch_sub(&job->holders, 1) > 1)
        return;
    free(job->logits);
    for (int i = 0; i < job->n_views; i++)
        engine_view_release(job->job.engine, job->views[i]);
    job_drop_rows(job);
    engine_grammar_release(job->job.engine, job->spec.grammar);
    engine_adapter_release(job->spec.adapter);
    arena_close(job->arena);
}

/* ---- events: one block, the struct first, then steps, their tops, and bytes ---- */

static size_t steps_size(struct llm *llm, const struct sampled *sampled, int n)
{
    size_t size = sizeof(struct token_step) * (size_t)n;
    for (int i = 0; i < n; i++) {
        size += sizeof(struct token_prob) * (size_t)sampled[i].n_top;
        size += llm_piece(llm, sampled[i].token).len;
        for (int j = 0; j < sampled[i].n_top; j++)
            size += llm_piece(llm, sampled[i].top[j].token).len;
    }
    return size;
}

static struct token_prob put_prob(struct llm *llm, int32_t token, float logprob,
                                  char **bytes)
{
    struct text piece = llm_piece(llm, token);
    memcpy(*bytes, piece.at, piece.len);
    struct token_prob prob = {token, logprob, {*bytes, piece.len}};
    *bytes += piece.len;
    return prob;
}

static void put_steps(struct llm *llm, const struct sampled *sampled, int n, void *room,
                      struct job_event *event)
{
    struct token_step *steps = room;
    struct token_prob *tops = (struct token_prob *)(steps + n);
    int n_tops = 0;
    for (int i = 0; i < n; i++)
        n_tops += sampled[i].n_top;
    char *bytes = (char *)(tops + n_tops);
    for (int i = 0; i < n; i++) {
        steps[i].chosen = put_prob(llm, sampled[i].token, sampled[i].logprob, &bytes);
        steps[i].top = tops;
        steps[i].n_top = sampled[i].n_top;
        for (int j = 0; j < sampled[i].n_top; j++)
            *tops++ =
                put_prob(llm, sampled[i].top[j].token, sampled[i].top[j].logprob, &bytes);
    }
    event->steps = steps;
    event->n_steps = n;
}

/* An event with what the sequence has not sent yet. */
static struct job_event *new_event(struct sequence *sequence, struct llm *llm,
                                   enum job_event_kind kind)
{
    const struct sampled *sampled = (const struct sampled *)(void *)sequence->steps.at;
    int n = (int)(sequence->steps.len / sizeof(*sampled));
    size_t steps = n ? steps_size(llm, sampled, n) : 0;
    struct job_event *event = mem_alloc(sizeof(*event) + steps + sequence->text.len);
    if (n)
        put_steps(llm, sampled, n, event + 1, event);
    char *text = (char *)(event + 1) + steps;
    memcpy(text, buf_view(&sequence->text).at, sequence->text.len);
    event->text = (struct text){text, sequence->text.len};
    event->user = sequence->job->user;
    event->candidate = sequence->candidate;
    event->kind = kind;
    event->n_prompt = sequence->job->spec.n_tokens;
    event->n_cached = sequence->n_cached;
    event->n_output = sequence->n_output;
    buf_clear(&sequence->steps);
    buf_clear(&sequence->text);
    return event;
}

void sequence_tell(struct sequence *sequence, struct llm *llm)
{
    if (sequence->text.len == 0 && sequence->steps.len == 0)
        return;
    struct job_event *event = new_event(sequence, llm, JOB_TEXT);
    queue_push(sequence->job->to, &event->message);
}

void sequence_end(struct sequence *sequence, struct llm *llm, enum finish finish,
                  const struct error *error)
{
    struct local_job *job = sequence->job;
    if (finish != FINISH_CANCELLED && finish != FINISH_ERROR)
        output_end(sequence->output, &sequence->text);
    struct job_event *event = new_event(sequence, llm, JOB_END);
    int64_t now = now_us();
    int64_t admitted = sequence->admitted_us ? sequence->admitted_us : now;
    int64_t spoke = sequence->spoke_us ? sequence->spoke_us : now;
    event->queued_us = admitted - job->submitted_us;
    event->prefill_us = spoke - admitted;
    event->decode_us = now - spoke;
    event->finish = finish;
    if (error)
        event->error = *error;
    event->rows = sequence->rows;
    sequence->over = true;
    queue_push(job->to, &event->message); /* first: somebody waits for it */
    sampler_close(sequence->sampler);
    matcher_close(sequence->matcher);
    output_close(sequence->output);
    buf_free(&sequence->text);
    buf_free(&sequence->steps);
    if (--job->n_left == 0)
        job_unhold(job);
}

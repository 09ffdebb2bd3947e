/* generate.c - generateContent, streamGenerateContent, countTokens.
 *
 * A request is decoded and checked, its prompt is made (generate_prepare.c), its turn is
 * run (generate_turn.c), and what the turn says goes to the client as one answer or as a
 * stream (generate_write.c). All that takes microseconds for what people type.
 *
 * An answer may also be asked for without a call, aside (struct aside in api.h): a batch
 * does so for each of its requests. It is whole.
 *
 * Here are the calls, and a generation's life: generate_inside.h. */
#include "api/generate_inside.h"
#include "api/models.h"
#include "base/log.h"

/* ---- its life ---- */

void generation_release(struct generation *g)
{
    if (g->call || g->aside.told || g->running || g->at_work || g->prepare.at_work ||
        (g->aloud && !aloud_is_idle(g->aloud)))
        return;
    *g->at = g->next;
    if (g->next)
        g->next->at = g->at;
    arena_close(g->arena);
}

static void log_turn(const struct generation *g)
{
    struct answer_facts facts = answer_facts(g->answer);
    int64_t since = g->since_us;
    double first_ms = g->first_us ? (double)(g->first_us - since) / 1000 : 0;
    log_line(LOG_INFO, "turn",
             "id=%.*s model=%.*s in=%d reused=%d out=%d ms=%.3f first_ms=%.3f "
             "queue_ms=%.3f prefill_ms=%.3f decode_ms=%.3f end=%s",
             TEXT_ARG(facts.id), TEXT_ARG(g->name), facts.n_prompt, facts.n_cached,
             facts.n_output, (double)(g->over_us - since) / 1000, first_ms,
             (double)facts.queued_us / 1000, (double)facts.prefill_us / 1000,
             (double)facts.decode_us / 1000, g->end ? g->end : facts.end);
}

/* A line for the log takes longer to write than an answer does: where somebody is
 * answered, it comes after that (on_closed). */
void generation_conclude(struct generation *g, const char *end)
{
    if (g->silent)
        return;
    g->silent = true;
    g->end = end;
    g->over_us = now_us();
    atomic_store(&g->prepare.cancelled, true);
    loop_cancel(g->api->loop, g->deadline);
    loop_cancel(g->api->loop, g->hold);
    g->deadline = g->hold = NULL;
    if (g->answer && !g->call)
        log_turn(g);
    if (g->turn)
        rounds_cancel(g->turn);
    if (g->aloud)
        aloud_stop(g->aloud);
    if (g->wait.making)
        cached_leave(&g->wait);
}

static void on_gone(struct call *call)
{
    generation_conclude(call->generation, "GONE");
}

static void on_closed(struct call *call)
{
    struct generation *g = call->generation;
    generation_conclude(g, "GONE");
    if (g->answer)
        log_turn(g);
    g->call = NULL;
    generation_release(g);
}

static struct generation *link_generation(struct api *api, enum form form,
                                          struct text name)
{
    struct arena *arena = arena_open();
    struct generation *g = arena_new(arena, struct generation);
    g->arena = arena;
    g->api = api;
    g->form = form;
    g->name = arena_text(arena, name);
    g->since_us = now_us();
    g->at = &api->generations;
    g->next = *g->at;
    if (g->next)
        g->next->at = &g->next;
    *g->at = g;
    return g;
}

static struct generation *open_generation(struct call *call, enum form form)
{
    struct generation *g = link_generation(call->api, form, call->name);
    g->call = call;
    g->since_us = call->rq->since_us;
    call->generation = g;
    call->gone = on_gone;
    call->closed = on_closed;
    return g;
}

struct generation *generate_next(const struct generation *g)
{
    return g->next;
}

/* ---- calls ---- */

static void on_deadline(void *arg)
{
    struct generation *g = arg;
    struct error err;
    g->deadline = NULL;
    api_late(&err, g->deadline_s);
    generation_fail(g, &err);
}

static void set_deadline(struct generation *g)
{
    g->deadline_s = api_timeout_s(g->call);
    if (g->deadline_s > 0)
        g->deadline =
            loop_after(g->api->loop, (int64_t)g->deadline_s * 1000, on_deadline, g);
}

static struct generation *begin_any(struct call *call, enum form form)
{
    struct generation *g = open_generation(call, form);
    set_deadline(g);
    g->body = arena_text(g->arena, call->rq->body); /* the request's own may go first */
    return g;
}

static void begin(struct call *call, enum form form, const char *method)
{
    struct error err;
    if (form != FORM_COUNT)
        engine_rouse(runner_engine(call->api->runner));
    if (models_serve(call->api, call->version, call->name, method, &err))
        generation_begin(begin_any(call, form), false);
    else
        api_error(call, &err);
}

static void begin_tuned(struct call *call, enum form form)
{
    generation_begin_tuned(begin_any(call, form));
}

void generate_unary(struct call *call)
{
    begin(call, FORM_WHOLE, "generateContent");
}

/* The older Python client writes $alt=json;enum-encoding=int. */
static bool read_alt(const struct call *call, enum form *form)
{
    struct text rest, alt = http_query(call->rq, "alt");
    if (!alt.at)
        alt = http_query(call->rq, "$alt");
    alt = text_cut(alt, ';', &rest);
    *form = text_is(alt, "sse") ? FORM_SSE : FORM_ARRAY;
    return alt.len == 0 || text_is(alt, "sse") || text_is(alt, "json");
}

static void begin_stream(struct call *call, bool tuned)
{
    enum form form;
    if (read_alt(call, &form) && tuned) {
        begin_tuned(call, form);
    } else if (read_alt(call, &form)) {
        begin(call, form, "streamGenerateContent");
    } else {
        struct error err;
        error_at(&err, "alt", "alt must be sse or json.");
        api_error(call, &err);
    }
}

void generate_stream(struct call *call)
{
    begin_stream(call, false);
}

void generate_count(struct call *call)
{
    begin(call, FORM_COUNT, "countTokens");
}

void generate_tuned(struct call *call)
{
    begin_tuned(call, FORM_WHOLE);
}

void generate_tuned_stream(struct call *call)
{
    begin_stream(call, true);
}

void generate_tuned_count(struct call *call)
{
    begin_tuned(call, FORM_COUNT);
}

/* ---- without a call ---- */

struct generation *generate_aside(struct api *api, struct text model, struct text body,
                                  const struct aside *aside)
{
    struct generation *g = link_generation(api, FORM_WHOLE, model);
    g->aside = *aside;
    g->body = arena_text(g->arena, body);
    generation_begin(g, true);
    return g;
}

void generate_leave(struct generation *g)
{
    g->aside.told = NULL;
    generation_conclude(g, "GONE");
    generation_release(g);
}

void generate_cancel(struct generation *g)
{
    struct error err;
    api_stops(&err);
    generation_fail(g, &err);
}

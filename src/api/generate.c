/* generate.c - generateContent, streamGenerateContent, countTokens.
 *
 * A request is decoded and checked, its prompt is made (rendered, tokenised; a grammar
 * compiled), its turn is run, and what the turn says goes to the client as one answer or
 * as a stream. All that takes microseconds for what people type; but a body over LARGE is
 * decoded on a worker, and so are prompts made whose answer is held to a grammar, so that
 * nobody else waits for them.
 *
 * Media are read in between (attach.h), on threads of their own, for it takes seconds:
 * the chat is there, and its prompt is made when they have become words.
 *
 * A generation outlives its call: when the client leaves, the turn goes on until the
 * engine has let go of it, and a worker may still be reading. So it has an arena of its
 * own, and is over when the call is closed, the turn is over and no worker has it. From
 * the moment it is `silent` nothing more is written.
 *
 * The clients' chat classes want the finishReason together with text, and the engine
 * learns that an answer is complete only one token after its last word. So what a model
 * says goes out at once but for its last character, which waits for the next one or the
 * end. What a script says keeps its pieces as they are written: each waits for the next,
 * HOLD_MS at most. */
#include "api/generate.h"
#include "api/answer.h"
#include "api/attach.h"
#include "api/content.h"
#include "api/message.h"
#include "api/models.h"
#include "base/log.h"
#include "chat/rounds.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    LARGE = 64 * 1024, /* bytes of body */
    HOLD_MS = 100,
    MOST_READING = 64,
};

enum form { FORM_WHOLE, FORM_SSE, FORM_ARRAY, FORM_COUNT };

struct generation {
    struct work work; /* first: a worker's message is the generation */
    struct arena *arena;
    struct api *api;
    struct call *call; /* NULL: closed */
    enum form form;
    bool at_work, running; /* a worker has it; its turn is not over */
    bool silent;
    bool reading;          /* of its media; counted in api->n_reading */
    atomic_bool cancelled; /* for whoever reads */
    struct attached attached;
    bool begun; /* a stream's first bytes are written */

    struct text body, version, name;
    bool decoded; /* the chat is there */
    bool good;    /* so far; else err says why not */
    struct error err;
    struct wire_generate request;
    struct chat chat;
    struct prompt prompt;

    struct rounds *turn; /* NULL: must not be cancelled any more */
    struct answer *answer;
    bool scripted;
    bool spoken[WIRE_CANDIDATES];
    int64_t first_us; /* when the first event came */
    struct timer *deadline, *hold;
    bool hold_short; /* the timer is for somebody's first words */
    int deadline_s;

    struct generation *next, **at; /* in api->generations */
};

/* ---- its life ---- */

static void release(struct generation *g)
{
    if (g->call || g->running || g->at_work)
        return;
    *g->at = g->next;
    if (g->next)
        g->next->at = g->at;
    arena_close(g->arena);
}

static void log_turn(const struct generation *g, const char *end)
{
    struct answer_facts facts = answer_facts(g->answer);
    int64_t since = g->call->rq->since_us;
    double first_ms = g->first_us ? (double)(g->first_us - since) / 1000 : 0;
    log_line(LOG_INFO, "turn",
             "id=%.*s model=%.*s in=%d reused=%d out=%d ms=%.3f first_ms=%.3f "
             "queue_ms=%.3f prefill_ms=%.3f decode_ms=%.3f end=%s",
             TEXT_ARG(facts.id), TEXT_ARG(g->name), facts.n_prompt, facts.n_cached,
             facts.n_output, (double)(now_us() - since) / 1000, first_ms,
             (double)facts.queued_us / 1000, (double)facts.prefill_us / 1000,
             (double)facts.decode_us / 1000, end ? end : facts.end);
}

/* Nothing more is said, whatever still happens. */
static void conclude(struct generation *g, const char *end)
{
    if (g->silent)
        return;
    g->silent = true;
    atomic_store(&g->cancelled, true);
    loop_cancel(g->api->loop, g->deadline);
    loop_cancel(g->api->loop, g->hold);
    g->deadline = g->hold = NULL;
    if (g->answer)
        log_turn(g, end);
    if (g->turn)
        rounds_cancel(g->turn);
}

static void on_gone(struct call *call)
{
    conclude(call->generation, "GONE");
}

static void on_closed(struct call *call)
{
    struct generation *g = call->generation;
    conclude(g, "GONE");
    g->call = NULL;
    release(g);
}

static struct generation *open_generation(struct call *call, enum form form)
{
    struct arena *arena = arena_open();
    struct generation *g = arena_new(arena, struct generation);
    g->arena = arena;
    g->api = call->api;
    g->call = call;
    g->form = form;
    g->version = arena_text(arena, call->version);
    g->name = arena_text(arena, call->name);
    g->at = &call->api->generations;
    g->next = *g->at;
    if (g->next)
        g->next->at = &g->next;
    *g->at = g;
    call->generation = g;
    call->gone = on_gone;
    call->closed = on_closed;
    return g;
}

struct generation *generate_next(const struct generation *g)
{
    return g->next;
}

/* ---- writing ---- */

/* What stands round the chunks of each form of stream. */
static const struct {
    const char *type, *before_first, *before, *after, *end;
} framings[] = {
    [FORM_SSE] = {"text/event-stream", "data: ", "data: ", "\r\n\r\n", ""},
    [FORM_ARRAY] = {"application/json; charset=UTF-8", "[", ",\r\n", "", "\n]"},
};

static void write_chunk(struct generation *g, const struct buf *json)
{
    struct buf bytes = {0};
    if (!g->begun) {
        http_set(g->call->rq, "Cache-Control", "no-cache");
        http_set(g->call->rq, "X-Accel-Buffering", "no"); /* or nginx would collect */
        http_stream(g->call->rq, 200, framings[g->form].type);
    }
    buf_str(&bytes, g->begun ? framings[g->form].before : framings[g->form].before_first);
    buf_text(&bytes, buf_view(json));
    buf_str(&bytes, framings[g->form].after);
    g->begun = true;
    http_write(g->call->rq, buf_view(&bytes));
    buf_free(&bytes);
}

static void end_stream(struct generation *g)
{
    http_write(g->call->rq, text_of(framings[g->form].end));
    http_end(g->call->rq);
}

static void write_candidates(struct generation *g, int from, int to)
{
    struct buf json = {0};
    answer_write(g->answer, from, to, false, &json);
    write_chunk(g, &json);
    buf_free(&json);
}

static void write_held(struct generation *g)
{
    if (!g->answer || g->form == FORM_WHOLE)
        return;
    answer_release(g->answer);
    for (int i = 0; !g->silent && i < g->chat.n_candidates; i++)
        if (answer_has(g->answer, i))
            write_candidates(g, i, i + 1);
}

static void write_whole(struct generation *g)
{
    struct buf json = {0};
    answer_write(g->answer, 0, g->chat.n_candidates, g->call->pretty, &json);
    if (g->call->pretty)
        buf_char(&json, '\n');
    http_reply(g->call->rq, 200, "application/json; charset=UTF-8", buf_view(&json));
    buf_free(&json);
}

/* Before a stream's first byte an error is an ordinary reply, after it its last element.
 */
static void fail(struct generation *g, const struct error *err)
{
    if (g->silent)
        return;
    write_held(g);
    if (g->begun) {
        struct buf json = {0};
        api_error_text(err, false, &json);
        write_chunk(g, &json);
        buf_free(&json);
        end_stream(g);
    } else {
        api_error(g->call, err);
    }
    conclude(g, error_row(err->code)->name);
}

/* ---- the turn ---- */

static void on_hold(void *arg)
{
    struct generation *g = arg;
    g->hold = NULL;
    g->hold_short = false;
    write_held(g);
}

static void hold(struct generation *g, int ms)
{
    if (g->hold_short)
        return;
    loop_cancel(g->api->loop, g->hold);
    g->hold = loop_after(g->api->loop, ms, on_hold, g);
    g->hold_short = ms == 0;
}

static void stream_event(struct generation *g, const struct turn_event *event)
{
    int i = event->candidate;
    if (event->kind == TURN_PART && g->scripted && answer_has(g->answer, i))
        write_candidates(g, i, i + 1);
    answer_add(g->answer, event);
    if (g->silent || !answer_has(g->answer, i))
        return;
    if (event->kind == TURN_END || !g->scripted)
        write_candidates(g, i, i + 1);
    else
        hold(g, g->spoken[i] || event->part->kind == PART_CALL ? HOLD_MS : 0);
    g->spoken[i] = true;
}

/* The prompt was blocked: one answer without candidates, however many were asked for. */
static void block(struct generation *g, const struct turn_event *event)
{
    answer_add(g->answer, event);
    if (g->form == FORM_WHOLE) {
        write_whole(g);
    } else {
        write_candidates(g, 0, 0);
        end_stream(g);
    }
    conclude(g, NULL);
}

static void go_on_with(struct generation *g, const struct turn_event *event)
{
    if (g->form == FORM_WHOLE)
        answer_add(g->answer, event);
    else
        stream_event(g, event);
    if (!event->last || g->silent)
        return;
    if (g->form == FORM_WHOLE)
        write_whole(g);
    else
        end_stream(g);
    conclude(g, NULL);
}

static void end_badly(struct generation *g, const struct turn_event *event)
{
    struct error err = {0};
    if (event->error)
        err = *event->error;
    else if (event->finish == FINISH_CANCELLED)
        error_set(&err, ERROR_CANCELLED, "The operation was cancelled.");
    else
        error_set(&err, ERROR_INTERNAL, "An internal error occurred.");
    fail(g, &err);
}

static void handle(struct generation *g, const struct turn_event *event)
{
    if (!g->first_us)
        g->first_us = now_us();
    switch (event->kind == TURN_END ? event->finish : FINISH_STOP) {
    case FINISH_ERROR:
    case FINISH_CANCELLED:
        end_badly(g, event);
        break;
    case FINISH_DROP:
        write_held(g);
        http_drop(g->call->rq);
        conclude(g, "DROP");
        break;
    case FINISH_BLOCKED:
        block(g, event);
        break;
    default:
        go_on_with(g, event);
    }
}

static void on_event(const struct turn_event *event, void *arg)
{
    struct generation *g = arg;
    if (event->last)
        g->turn = NULL;
    if (!g->silent)
        handle(g, event);
    if (event->last) {
        g->running = false;
        release(g);
    }
}

static void start_turn(struct generation *g)
{
    const struct engine_info *info = engine_info(runner_engine(g->api->runner));
    const struct wire_config *config = g->request.config;
    const struct wire_thinking *thinking = config ? config->thinking : NULL;
    struct answer_options options = {
        .n_candidates = g->chat.n_candidates,
        .model = info->model,
        .prompt = g->prompt.text,
        .safety = g->chat.safety,
        .n_media = g->attached.n > 0 ? g->attached.n_tokens : NULL,
        .thoughts = thinking && thinking->include.set && thinking->include.is,
        .streamed = g->form != FORM_WHOLE,
        .holds_back = g->form != FORM_WHOLE && !info->scripted,
    };
    g->chat.streamed = options.streamed;
    g->answer = answer_open(g->arena, &options);
    g->scripted = info->scripted;
    g->running = true;
    const struct rounds_spec spec = {
        .runner = g->api->runner,
        .box = g->api->options.tools,
        .chat = &g->chat,
        .prompt = &g->prompt,
        .arena = g->arena,
        .on = on_event,
        .arg = g,
    };
    g->turn = rounds_start(&spec, &g->err);
    if (g->turn) {
        g->call->logged = true;
    } else {
        g->running = false;
        g->answer = NULL;
        fail(g, &g->err);
    }
}

/* ---- preparing: any thread ---- */

/* The body may repeat the path's model. */
static bool check_model(struct generation *g, struct text model)
{
    if (text_starts(model, "models/"))
        model = text_slice(model, strlen("models/"), model.len);
    return model.len == 0 || text_same(model, g->name) ||
           error_at(
               &g->err, "model",
               "The body's model, models/%.*s, is not that of the path, models/%.*s.",
               TEXT_ARG(text_slice(model, 0, 200)), TEXT_ARG(g->name));
}

static bool read_count(struct generation *g)
{
    struct wire_count count;
    if (!json_read(&wire_count_type, g->body, &count, g->arena, &g->err))
        return false;
    if (count.request && count.contents.n)
        return error_at(&g->err, "generate_content_request",
                        "contents is set, too; one of them may be");
    if (!count.request && count.contents.n == 0)
        return error_at(&g->err, "contents",
                        "* CountTokensRequest.contents: contents is not specified\n");
    if (count.request)
        g->request = *count.request;
    else
        g->request = (struct wire_generate){.contents = count.contents};
    return check_model(g, count.model);
}

static bool read_request(struct generation *g)
{
    bool good = g->form == FORM_COUNT ? read_count(g)
                                      : json_read(&wire_generate_type, g->body,
                                                  &g->request, g->arena, &g->err);
    return good && check_model(g, g->request.model);
}

static void decode(struct generation *g)
{
    const struct content_rules rules = {
        .thinks = prompter_thinks(runner_prompter(g->api->runner)),
        .defaults = g->api->options.defaults,
        .tools = g->api->options.tools,
    };
    g->chat.model = g->name;
    g->good =
        read_request(g) && content_chat(&g->request, &rules, g->arena, &g->chat, &g->err);
    g->attached.n = g->good ? attach_find(&g->chat) : 0;
    g->decoded = true;
}

static void make_prompt(struct generation *g)
{
    struct prompter *prompter = runner_prompter(g->api->runner);
    g->good = (g->form == FORM_COUNT ? prompt_text : prompt_make)(
        prompter, &g->chat, g->arena, &g->prompt, &g->err);
}

static void prepare(struct generation *g)
{
    if (!g->decoded)
        decode(g);
    if (g->good && g->attached.n == 0)
        make_prompt(g);
}

/* On a thread that may wait for readers. */
static void prepare_media(struct generation *g)
{
    const struct attach_from from = {g->api->options.media, g->api->options.files};
    g->good =
        attach_read(&from, &g->chat, &g->cancelled, g->arena, &g->attached, &g->err);
    if (!g->good)
        return;
    make_prompt(g);
    attach_count(runner_engine(g->api->runner), &g->chat, &g->attached);
}

/* Whether a grammar may be compiled for the answer: that takes milliseconds. */
static bool is_constrained(const struct generation *g)
{
    const struct chat *chat = &g->chat;
    return g->form != FORM_COUNT && (chat->n_functions > 0 || chat->thinking.on ||
                                     chat->shape.kind != ANSWER_TEXT);
}

/* ---- calls ---- */

static void answer_count(struct generation *g)
{
    struct wire_modality_count counts[WIRE_MODALITIES];
    struct wire_count_answer answer = {
        .total = {true, g->prompt.n_tokens},
        .details = answer_modalities(g->attached.n_tokens, g->prompt.n_tokens, counts),
    };
    conclude(g, NULL);
    api_reply(g->call, &wire_count_answer_type, &answer);
}

static void begin_reading(struct generation *g);

static void go_on(struct generation *g)
{
    if (!g->silent && g->good && g->attached.n > 0 && !g->reading) {
        begin_reading(g);
        return;
    }
    if (!g->silent && g->good && g->attached.n > 0)
        http_set(g->call->rq, "x-pollux-media", g->attached.header.at);
    if (g->silent)
        release(g);
    else if (!g->good)
        fail(g, &g->err);
    else if (g->form == FORM_COUNT)
        answer_count(g);
    else
        start_turn(g);
}

static void work_run(struct work *work)
{
    prepare((struct generation *)work);
}

static void work_done(struct work *work)
{
    struct generation *g = (struct generation *)work;
    g->at_work = false;
    go_on(g);
}

static void read_run(struct work *work)
{
    prepare_media((struct generation *)work);
}

static void read_done(struct work *work)
{
    struct generation *g = (struct generation *)work;
    g->api->n_reading--;
    work_done(work);
}

/* Reading takes seconds; the threads that do it are few, and wait for children. */
static void begin_reading(struct generation *g)
{
    struct api *api = g->api;
    g->reading = true;
    if (api->n_reading >= MOST_READING) {
        error_set(&g->err, ERROR_RESOURCE_EXHAUSTED,
                  "The media of %d requests wait to be read already.", MOST_READING);
        g->err.retry_ms = 5000;
        fail(g, &g->err);
        return;
    }
    api->n_reading++;
    g->at_work = true;
    g->work = (struct work){.run = read_run, .done = read_done};
    workers_push(api->options.media ? api->options.readers : api->workers, &g->work);
}

static void on_deadline(void *arg)
{
    struct generation *g = arg;
    struct error err;
    g->deadline = NULL;
    error_set(&err, ERROR_DEADLINE_EXCEEDED,
              "The request took longer than the %d s that X-Server-Timeout gives it.",
              g->deadline_s);
    fail(g, &err);
}

static void set_deadline(struct generation *g)
{
    g->deadline_s = api_timeout_s(g->call);
    if (g->deadline_s > 0)
        g->deadline =
            loop_after(g->api->loop, (int64_t)g->deadline_s * 1000, on_deadline, g);
}

static void begin(struct call *call, enum form form, const char *method)
{
    struct error err;
    if (!models_serve(call->api, call->version, call->name, method, &err)) {
        api_error(call, &err);
        return;
    }
    struct generation *g = open_generation(call, form);
    set_deadline(g);
    g->body = arena_text(g->arena, call->rq->body); /* the request's own may go first */
    if (g->body.len <= LARGE)
        decode(g);
    if (g->decoded && !(g->good && is_constrained(g))) {
        prepare(g);
        go_on(g);
        return;
    }
    g->at_work = true;
    g->work = (struct work){.run = work_run, .done = work_done};
    workers_push(call->api->workers, &g->work);
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

void generate_stream(struct call *call)
{
    enum form form;
    if (read_alt(call, &form)) {
        begin(call, form, "streamGenerateContent");
    } else {
        struct error err;
        error_at(&err, "alt", "alt must be sse or json.");
        api_error(call, &err);
    }
}

void generate_count(struct call *call)
{
    begin(call, FORM_COUNT, "countTokens");
}

void generate_tuned(struct call *call)
{
    struct error err;
    error_set(&err, ERROR_NOT_FOUND, "tunedModels/%.*s is not found.",
              TEXT_ARG(text_slice(call->name, 0, 200)));
    api_error(call, &err);
}

void generate_cancel(struct generation *g)
{
    struct error err;
    error_set(&err, ERROR_UNAVAILABLE, "The server is stopping.");
    fail(g, &err);
}

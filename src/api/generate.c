/* generate.c - generateContent, streamGenerateContent, countTokens.
 *
 * A request is decoded and checked, its prompt is made (rendered, tokenised; a grammar
 * compiled), its turn is run, and what the turn says goes to the client as one answer or
 * as a stream. All that takes microseconds for what people type; but a body over LARGE is
 * decoded on a worker, and so are prompts made whose answer is held to a grammar, so that
 * nobody else waits for them.
 *
 * A request that names a cache is merged with it first: a disk worker reads it
 * (cached.h), and a worker makes the prompt.
 *
 * Media are read in between (attach.h), on threads of their own, for it takes seconds:
 * the chat is there, and its prompt is made when they have become words.
 *
 * A tuned model is first looked up, by a disk worker, and its adapter loaded if need be.
 *
 * An answer may also be asked for without a call, aside (struct aside in api.h): a batch
 * does so for each of its requests. It is whole, and decoded on a worker always.
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
 * HOLD_MS at most.
 *
 * An answer that is to be heard (aloud.h) comes out of the turn as text and goes on as
 * sound, later; the generation is not over while a worker speaks. */
#include "api/generate.h"
#include "api/aloud.h"
#include "api/answer.h"
#include "api/attach.h"
#include "api/cached.h"
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

/* How far a request is with the cache that it names. */
enum caching { CACHE_NONE, CACHE_NAMED, CACHE_READ };

struct generation {
    struct work work; /* first: a worker's message is the generation */
    struct arena *arena;
    struct api *api;
    struct call *call;  /* NULL: closed, or there was none */
    struct aside aside; /* told: whoever asked without a call still waits */
    int64_t since_us;
    enum form form;
    bool at_work, running; /* a worker has it; its turn is not over */
    bool silent;
    bool reading;          /* of its media; counted in api->n_reading */
    atomic_bool cancelled; /* for whoever reads */
    struct attached attached;
    bool begun; /* a stream's first bytes are written */

    struct text body, name; /* of a tuned model: "tunedModels/x" */
    bool is_tuned;
    struct tuned tuned;
    struct text who;         /* asks for it */
    struct adapter *adapter; /* held */
    enum caching caching;
    struct cached cached;    /* once READ */
    struct cached_wait wait; /* for its rows */
    bool decoded;            /* the chat is there, or a cache is to be read for it */
    bool good;               /* so far; else err says why not */
    struct error err;
    struct wire_generate request;
    struct chat chat;
    struct prompt prompt;

    struct rounds *turn; /* NULL: must not be cancelled any more */
    struct answer *answer;
    struct aloud *aloud; /* NULL: it is not spoken */
    bool recites;        /* the prompt's own words, not the model's */
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
    if (g->call || g->aside.told || g->running || g->at_work ||
        (g->aloud && !aloud_is_idle(g->aloud)))
        return;
    *g->at = g->next;
    if (g->next)
        g->next->at = g->at;
    arena_close(g->arena);
}

static void log_turn(const struct generation *g, const char *end)
{
    struct answer_facts facts = answer_facts(g->answer);
    int64_t since = g->since_us;
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
    if (g->aloud)
        aloud_stop(g->aloud);
    if (g->wait.making)
        cached_leave(&g->wait);
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

/* ---- writing ---- */

/* The asker may ask anew within it. */
static void tell(struct generation *g, const struct error *err, struct text json)
{
    struct aside to = g->aside;
    g->aside.told = NULL;
    to.told(to.arg, err, json);
}

/* What stands round the chunks of each form of stream. */
static const struct {
    const char *type, *before_first, *before, *after, *end;
} framings[] = {
    [FORM_SSE] = {"text/event-stream", "data: ", "data: ", "\r\n\r\n", ""},
    [FORM_ARRAY] = {"application/json; charset=UTF-8", "[", ",\r\n", "", "\n]"},
};

static void on_drained(struct http_request *rq)
{
    const struct generation *g = ((struct call *)rq->user)->generation;
    if (!g->silent)
        aloud_more(g->aloud);
}

static void write_chunk(struct generation *g, const struct buf *json)
{
    struct buf bytes = {0};
    if (!g->begun) {
        if (g->aloud) /* sound is made faster than most lines carry it */
            g->call->rq->drained = on_drained;
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
    bool pretty = g->call && g->call->pretty;
    answer_write(g->answer, 0, g->chat.n_candidates, pretty, &json);
    if (pretty)
        buf_char(&json, '\n');
    if (g->call)
        http_reply(g->call->rq, 200, "application/json; charset=UTF-8", buf_view(&json));
    else
        tell(g, NULL, buf_view(&json));
    buf_free(&json);
}

/* Before a stream's first byte an error is an ordinary reply, after it its last element.
 */
static void fail(struct generation *g, const struct error *err)
{
    if (g->silent)
        return;
    write_held(g);
    if (!g->call) {
        tell(g, err, TEXT(""));
    } else if (g->begun) {
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
    if (event->kind == TURN_PART && g->scripted && !g->aloud && answer_has(g->answer, i))
        write_candidates(g, i, i + 1);
    answer_add(g->answer, event);
    if (g->silent || !answer_has(g->answer, i))
        return;
    if (g->aloud && event->kind == TURN_PART && aloud_ends(g->aloud, i))
        return; /* the two go out together */
    if (event->kind == TURN_END || !g->scripted || g->aloud)
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

/* ---- aloud ---- */

static void on_spoken(const struct turn_event *event, void *arg)
{
    go_on_with(arg, event);
}

static void on_speechless(const struct error *err, void *arg)
{
    fail(arg, err);
}

static void on_idle(void *arg)
{
    release(arg);
}

static void begin_speaking(struct generation *g)
{
    const struct aloud_options options = {
        .how = &g->chat.speaking,
        .n_candidates = g->chat.n_candidates,
        .speech = g->api->options.speech,
        .workers = g->api->options.speakers ? g->api->options.speakers : g->api->workers,
        .streamed = g->form != FORM_WHOLE,
        .on = on_spoken,
        .failed = on_speechless,
        .idle = on_idle,
        .arg = g,
    };
    g->aloud = aloud_open(g->arena, &options);
}

/* All texts of the last turn. */
static struct text last_words(const struct generation *g)
{
    const struct turn_of *turn = &g->chat.turns[g->chat.n_turns - 1];
    struct buf words = {0};
    for (int i = 0; i < turn->n_parts; i++)
        if (turn->parts[i].kind == PART_TEXT)
            buf_printf(&words, "%s%.*s", words.len ? "\n" : "",
                       TEXT_ARG(turn->parts[i].text));
    struct text copy = arena_text(g->arena, buf_view(&words));
    buf_free(&words);
    return copy;
}

/* The model has looked at the prompt, as far as its owner or the caller wants that; its
 * end is where the words begin. */
static void recite(struct generation *g, const struct turn_event *end)
{
    struct part part = {.kind = PART_TEXT,
                        .text = aloud_script(&g->chat.speaking, last_words(g))};
    struct turn_event words = *end, over = *end;
    words.kind = TURN_PART;
    words.part = &part;
    words.last = false;
    over.finish = FINISH_STOP;
    aloud_take(g->aloud, &words);
    aloud_take(g->aloud, &over);
}

static void speak(struct generation *g, const struct turn_event *event)
{
    bool ends = event->kind == TURN_END;
    if (!g->recites ||
        (ends && event->finish != FINISH_STOP && event->finish != FINISH_MAX_TOKENS))
        aloud_take(g->aloud, event);
    else if (ends)
        recite(g, event);
}

static void drop(struct generation *g)
{
    struct error err;
    error_set(&err, ERROR_UNAVAILABLE, "The answer broke off.");
    if (!g->call) {
        fail(g, &err);
        return;
    }
    write_held(g);
    http_drop(g->call->rq);
    conclude(g, "DROP");
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
        drop(g);
        break;
    case FINISH_BLOCKED:
        block(g, event);
        break;
    default:
        if (g->aloud)
            speak(g, event);
        else
            go_on_with(g, event);
    }
}

static void on_event(const struct turn_event *event, void *arg)
{
    struct generation *g = arg;
    if (event->last)
        g->turn = NULL;
    cached_let_go(&g->cached); /* the engine has them, or does not need them */
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
        .model = g->is_tuned ? g->name : info->model,
        .prompt = g->prompt.text,
        .safety = g->chat.safety,
        .n_media = g->attached.n > 0 || g->cached.has_media ? g->attached.n_tokens : NULL,
        .n_kept = g->caching ? g->cached.n_media : NULL,
        .n_kept_tokens = g->cached.entry.n_tokens,
        .thoughts = thinking && thinking->include.set && thinking->include.is,
        .streamed = g->form != FORM_WHOLE,
        .aloud = g->chat.speaking.on,
        .holds_back = g->form != FORM_WHOLE && !info->scripted,
    };
    g->chat.streamed = options.streamed;
    g->chat.rows = g->cached.rows;
    g->chat.n_rows = g->cached.n_rows;
    g->answer = answer_open(g->arena, &options);
    if (g->chat.speaking.on)
        begin_speaking(g);
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
    if (g->turn && g->call)
        g->call->logged = true;
    if (!g->turn) {
        g->running = false;
        g->answer = NULL;
        fail(g, &g->err);
    }
}

/* ---- preparing: any thread ---- */

/* The body may repeat the path's model. */
static bool check_model(struct generation *g, struct text model)
{
    const char *folder = g->is_tuned ? "" : "models/";
    if (text_starts(model, "models/"))
        model = text_slice(model, strlen("models/"), model.len);
    return model.len == 0 || text_same(model, g->name) ||
           error_at(&g->err, "model",
                    "The body's model, %s%.*s, is not that of the path, %s%.*s.", folder,
                    TEXT_ARG(text_slice(model, 0, 200)), folder, TEXT_ARG(g->name));
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

/* Models that only speak are known by their names, and say what they are given. */
static bool prepare_speech(struct generation *g)
{
    struct chat *chat = &g->chat;
    if (!chat->speaking.on || g->form == FORM_COUNT)
        return true;
    g->recites = text_find(g->name, TEXT("-tts"), 0) != SIZE_MAX;
    if (g->recites) {
        chat->max_tokens = 1;
        chat->thinking = (struct thinking){0};
    }
    if (!g->api->options.speech)
        return error_at(&g->err, "generation_config.response_modalities",
                        "Nothing speaks here.");
    if (speech_can(g->api->options.speech, &g->err))
        return true;
    char why[sizeof g->err.message];
    memcpy(why, g->err.message, sizeof why);
    return error_at(&g->err, "generation_config.response_modalities", "%s", why);
}

static void make_chat(struct generation *g)
{
    struct content_rules rules = {
        .thinks = prompter_thinks(runner_prompter(g->api->runner)),
        .defaults = g->api->options.defaults,
        .tools = g->api->options.tools,
    };
    if (g->is_tuned) {
        rules.defaults.temperature = g->tuned.temperature;
        rules.defaults.top_p = g->tuned.top_p;
        rules.defaults.top_k = g->tuned.top_k;
    }
    g->good = g->good && content_chat(&g->request, &rules, g->arena, &g->chat, &g->err) &&
              prepare_speech(g);
    g->chat.adapter = g->adapter;
    g->attached.n = g->good ? attach_find(&g->chat) : 0;
}

static void decode(struct generation *g)
{
    g->chat.model = g->name;
    g->good = read_request(g);
    g->decoded = true;
    if (g->good && g->request.cached.len > 0)
        g->caching = CACHE_NAMED;
    else
        make_chat(g);
}

/* On a thread that may wait for the disk. */
static void read_cache(struct generation *g)
{
    g->good = cached_read(g->api, g->request.cached, g->name, g->form != FORM_COUNT,
                          g->arena, &g->cached, &g->err) &&
              cached_merge(&g->cached, &g->request, &g->chat, g->arena, &g->err);
    make_chat(g);
    if (!g->good)
        return;
    for (int i = 0; i < WIRE_MODALITIES; i++)
        g->attached.n_tokens[i] = g->cached.n_media[i];
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
    if (g->good && g->attached.n == 0 && g->caching != CACHE_NAMED)
        make_prompt(g);
}

/* On a thread that may wait, for the disk and the network, or for readers. */
static void prepare_media(struct generation *g, bool quickly)
{
    const struct api_options *options = &g->api->options;
    const struct attach_from from = {
        .engine = runner_engine(g->api->runner),
        .media = options->media,
        .files = options->files,
        .fetcher = options->fetcher,
        .fetch_limit = options->fetch_limit,
        .fetch_timeout_s = options->fetch_timeout_s,
    };
    g->good = (quickly ? attach_gather : attach_read)(&from, &g->chat, &g->cancelled,
                                                      g->arena, &g->attached, &g->err);
    if (!g->good || attach_find(&g->chat) > 0)
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
        .cached = {g->caching != CACHE_NONE, g->cached.entry.n_tokens},
        .details = answer_modalities(g->attached.n_tokens, g->prompt.n_tokens, counts),
    };
    conclude(g, NULL);
    api_reply(g->call, &wire_count_answer_type, &answer);
}

static void begin_reading(struct generation *g);

static void begin_caching(struct generation *g);

static void proceed(struct generation *g)
{
    if (g->good && g->caching == CACHE_NAMED) {
        begin_caching(g);
        return;
    }
    if (g->good && g->attached.n > 0 && !g->reading) {
        begin_reading(g);
        return;
    }
    if (g->good && g->attached.n > 0 && g->call)
        http_set(g->call->rq, "x-pollux-media", g->attached.header.at);
    if (!g->good)
        fail(g, &g->err);
    else if (g->form == FORM_COUNT)
        answer_count(g);
    else
        start_turn(g);
}

static void go_on(struct generation *g)
{
    if (!g->silent)
        proceed(g);
    release(g);
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
    prepare_media((struct generation *)work, false);
}

static void gather_run(struct work *work)
{
    prepare_media((struct generation *)work, true);
}

static void read_done(struct work *work)
{
    struct generation *g = (struct generation *)work;
    g->api->n_reading--;
    work_done(work);
}

/* The cache, then its rows where they are to be made, then the prompt. */
static void cache_run(struct work *work)
{
    read_cache((struct generation *)work);
}

static void make_prompt_of_cache(struct generation *g)
{
    if (g->attached.n > 0) {
        go_on(g);
        return;
    }
    g->at_work = true;
    g->work = (struct work){.run = work_run, .done = work_done};
    workers_push(g->api->workers, &g->work);
}

static void on_rows(struct cached_wait *wait)
{
    make_prompt_of_cache(
        (struct generation *)((char *)wait - offsetof(struct generation, wait)));
}

static void cache_done(struct work *work)
{
    struct generation *g = (struct generation *)work;
    g->at_work = false;
    g->caching = CACHE_READ;
    if (g->silent || !g->good) {
        go_on(g);
    } else if (g->cached.lacks) {
        g->wait = (struct cached_wait){.cached = &g->cached, .on = on_rows};
        cached_make(g->api, &g->wait);
    } else {
        make_prompt_of_cache(g);
    }
}

static void begin_caching(struct generation *g)
{
    g->at_work = true;
    g->work = (struct work){.run = cache_run, .done = cache_done};
    workers_push(g->api->options.caches ? g->api->options.disk : g->api->workers,
                 &g->work);
}

/* Reading takes seconds; the threads that do it are few, and wait for children. So what
 * takes less does not stand in their line. */
static void gather_done(struct work *work)
{
    struct generation *g = (struct generation *)work;
    if (g->silent || !g->good || attach_find(&g->chat) == 0) {
        read_done(work);
        return;
    }
    g->work = (struct work){.run = read_run, .done = read_done};
    workers_push(g->api->options.readers ? g->api->options.readers : g->api->workers,
                 &g->work);
}

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
    g->work = (struct work){.run = gather_run, .done = gather_done};
    struct workers *who =
        attach_has_urls(&g->chat) ? api->options.fetchers : api->options.gatherers;
    workers_push(who ? who : api->workers, &g->work);
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

static void begin_work(struct generation *g)
{
    g->at_work = true;
    g->work = (struct work){.run = work_run, .done = work_done};
    workers_push(g->api->workers, &g->work);
}

static void begin_preparing(struct generation *g)
{
    if (g->body.len <= LARGE)
        decode(g);
    if (g->decoded && (g->caching || !(g->good && is_constrained(g)))) {
        prepare(g);
        go_on(g);
        return;
    }
    begin_work(g);
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
        begin_preparing(begin_any(call, form));
    else
        api_error(call, &err);
}

/* ---- tuned models ---- */

static bool is_usable(struct generation *g)
{
    const struct tuned *tuned = &g->tuned;
    struct text own = engine_info(runner_engine(g->api->runner))->model;
    static const char *const states[] = {"", "CREATING", "ACTIVE", "FAILED"};
    if (tuned->state != TUNED_ACTIVE)
        return error_set(&g->err, ERROR_FAILED_PRECONDITION,
                         "tunedModels/%.*s cannot be used: its state is %s.%s%.*s",
                         TEXT_ARG(tuned->id), states[tuned->state & 3],
                         tuned->error.len ? " " : "", TEXT_ARG(tuned->error));
    return text_same(tuned->engine, own) ||
           error_set(&g->err, ERROR_FAILED_PRECONDITION,
                     "tunedModels/%.*s was tuned from %.*s, and this server runs %.*s; "
                     "start it with --model %.*s.",
                     TEXT_ARG(tuned->id), TEXT_ARG(tuned->engine), TEXT_ARG(own),
                     TEXT_ARG(tuned->engine));
}

static void let_go(void *adapter)
{
    engine_adapter_release(adapter);
}

static void tuned_run(struct work *work)
{
    struct generation *g = (struct generation *)work;
    struct tuning *tuning = g->api->options.tuning;
    struct text id = text_slice(g->name, strlen("tunedModels/"), g->name.len);
    g->good = tuned_get(tuning, g->who, id, TUNED_READER, g->arena, &g->tuned, &g->err) &&
              is_usable(g) &&
              (g->adapter = tuned_adapter(tuning, &g->tuned, &g->err)) != NULL;
    if (g->adapter)
        arena_defer(g->arena, let_go, g->adapter);
}

static void tuned_done(struct work *work)
{
    struct generation *g = (struct generation *)work;
    g->at_work = false;
    if (g->silent)
        release(g);
    else if (!g->good)
        fail(g, &g->err);
    else
        begin_preparing(g);
}

static void begin_tuned(struct call *call, enum form form)
{
    struct generation *g = begin_any(call, form);
    g->is_tuned = true;
    g->name = arena_printf(g->arena, "tunedModels/%.*s",
                           TEXT_ARG(text_slice(call->name, 0, 200)));
    g->who = api_caller(call, g->arena);
    g->at_work = true;
    g->work = (struct work){.run = tuned_run, .done = tuned_done};
    workers_push(g->api->options.disk, &g->work);
}

struct generation *generate_aside(struct api *api, struct text model, struct text body,
                                  const struct aside *aside)
{
    struct generation *g = link_generation(api, FORM_WHOLE, model);
    g->aside = *aside;
    g->body = arena_text(g->arena, body);
    begin_work(g);
    return g;
}

void generate_leave(struct generation *g)
{
    g->aside.told = NULL;
    conclude(g, "GONE");
    release(g);
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

void generate_cancel(struct generation *g)
{
    struct error err;
    error_set(&err, ERROR_UNAVAILABLE, "The server is stopping.");
    fail(g, &err);
}

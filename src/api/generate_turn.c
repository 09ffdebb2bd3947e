/* generate_turn.c - what a turn says, on its way to the client.
 *
 * The clients' chat classes want the finishReason together with text, and the engine
 * learns that an answer is complete only one token after its last word. So what a model
 * says goes out at once but for its last character, which waits for the next one or the
 * end. What a script says keeps its pieces as they are written: each waits for the next,
 * HOLD_MS at most.
 *
 * An answer that is to be heard (aloud.h) comes out of the turn as text and goes on as
 * sound, later; the generation is not over while a worker speaks. */
#include "api/generate_inside.h"

enum { HOLD_MS = 100 };

/* ---- text ---- */

static void on_hold(void *arg)
{
    struct generation *g = arg;
    g->hold = NULL;
    g->hold_short = false;
    generation_write_held(g);
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
        generation_write(g, i, i + 1);
    answer_add(g->answer, event);
    if (g->silent || !answer_has(g->answer, i))
        return;
    if (g->aloud && event->kind == TURN_PART && aloud_ends(g->aloud, i))
        return; /* the two go out together */
    if (event->kind == TURN_END || !g->scripted || g->aloud)
        generation_write(g, i, i + 1);
    else
        hold(g, g->spoken[i] || event->part->kind == PART_CALL ? HOLD_MS : 0);
    g->spoken[i] = true;
}

/* The prompt was blocked: one answer without candidates, however many were asked for. */
static void block(struct generation *g, const struct turn_event *event)
{
    answer_add(g->answer, event);
    if (g->form == FORM_WHOLE) {
        generation_write_whole(g);
    } else {
        generation_write(g, 0, 0);
        generation_end_stream(g);
    }
    generation_conclude(g, NULL);
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
        generation_write_whole(g);
    else
        generation_end_stream(g);
    generation_conclude(g, NULL);
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
    generation_fail(g, &err);
}

/* ---- aloud ---- */

static void on_spoken(const struct turn_event *event, void *arg)
{
    go_on_with(arg, event);
}

static void on_speechless(const struct error *err, void *arg)
{
    generation_fail(arg, err);
}

static void on_idle(void *arg)
{
    generation_release(arg);
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
    return arena_take(g->arena, &words);
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

/* ---- the turn ---- */

static void drop(struct generation *g)
{
    struct error err;
    error_set(&err, ERROR_UNAVAILABLE, "The answer broke off.");
    if (!g->call) {
        generation_fail(g, &err);
        return;
    }
    generation_write_held(g);
    http_drop(g->call->rq);
    generation_conclude(g, "DROP");
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
        generation_release(g);
    }
}

void generation_start_turn(struct generation *g)
{
    const struct engine_info *info = engine_info(runner_engine(g->api->runner));
    const struct prepare *prepare = &g->prepare;
    const struct wire_config *config = g->request.config;
    const struct wire_thinking *thinking = config ? config->thinking : NULL;
    struct answer_options options = {
        .n_candidates = g->chat.n_candidates,
        .model = g->is_tuned ? g->name : info->model,
        .prompt = prepare->prompt.text,
        .safety = g->chat.safety,
        .n_media = prepare->attached.n > 0 || g->cached.has_media
                       ? prepare->attached.n_tokens
                       : NULL,
        .n_kept = g->caching ? prepare->attached.n_kept : NULL,
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
        .prompt = &prepare->prompt,
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
        generation_fail(g, &g->err);
    }
}

/* generate_prepare.c - from a body to a prompt.
 *
 * A body over API_LARGE is decoded on a worker, and so are prompts made whose answer
 * is held to a grammar, so that nobody else waits for them; whatever is asked aside, too.
 *
 * A request that names a cache is merged with it first: a disk worker reads it
 * (cached.h), then its rows are made where they are missing, and a worker makes the
 * prompt. Media are read in between (prepare.h). Each time a thread is done the
 * generation comes back to the loop: proceed() looks what is next. */
#include "api/content.h"
#include "api/generate_inside.h"
#include "api/models.h"

/* ---- reading: any thread ---- */

/* The body may repeat the path's model. */
static bool check_model(struct generation *g, struct text model)
{
    const char *folder = g->is_tuned ? "" : "models/";
    model = models_plain(model);
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
    struct content_rules rules = content_rules(g->api);
    if (g->is_tuned) {
        rules.defaults.temperature = g->tuned.temperature;
        rules.defaults.top_p = g->tuned.top_p;
        rules.defaults.top_k = g->tuned.top_k;
    }
    g->good = g->good && content_chat(&g->request, &rules, g->arena, &g->chat, &g->err) &&
              prepare_speech(g);
    g->chat.adapter = g->adapter;
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

static void prepare(struct generation *g)
{
    if (!g->decoded)
        decode(g);
    if (g->good && g->caching != CACHE_NAMED)
        g->good = prepare_begin(&g->prepare);
}

/* Whether a grammar may be compiled for the answer: that takes milliseconds. */
static bool is_constrained(const struct generation *g)
{
    const struct chat *chat = &g->chat;
    return g->form != FORM_COUNT && (chat->n_functions > 0 || chat->thinking.on ||
                                     chat->shape.kind != ANSWER_TEXT);
}

/* ---- from thread to thread ---- */

static void begin_caching(struct generation *g);

static void proceed(struct generation *g)
{
    if (!g->good) {
        generation_fail(g, &g->err);
    } else if (g->caching == CACHE_NAMED) {
        begin_caching(g);
    } else if (prepare_waits(&g->prepare)) {
        if (!prepare_read(&g->prepare))
            generation_fail(g, &g->err);
    } else {
        if (g->prepare.attached.header.len > 0 && g->call)
            http_set(g->call->rq, "x-pollux-media", g->prepare.attached.header.at);
        (g->form == FORM_COUNT ? generation_write_count : generation_start_turn)(g);
    }
}

static void go_on(struct generation *g)
{
    if (!g->silent)
        proceed(g);
    generation_release(g);
}

static void on_media(struct prepare *p)
{
    struct generation *g = p->host;
    g->good = p->good;
    go_on(g);
}

static void push(struct generation *g, struct workers *who, void (*run)(struct work *),
                 void (*done)(struct work *))
{
    g->at_work = true;
    g->work.run = run;
    g->work.done = done;
    workers_push(who, &g->work);
}

static void prepare_run(struct work *work)
{
    prepare((struct generation *)work);
}

static void prepare_done(struct work *work)
{
    struct generation *g = (struct generation *)work;
    g->at_work = false;
    go_on(g);
}

static void begin_work(struct generation *g)
{
    push(g, g->api->workers, prepare_run, prepare_done);
}

/* ---- the cache, then its rows where they are to be made, then the prompt ---- */

static void cache_run(struct work *work)
{
    struct generation *g = (struct generation *)work;
    const struct cache_adapter adapter = {g->tuned.operation, g->adapter};
    struct text model = g->name;
    if (!g->is_tuned)
        model = arena_printf(g->arena, "models/%.*s", TEXT_ARG(g->name));
    g->good = cached_read(g->api, g->request.cached, model, &adapter,
                          g->form != FORM_COUNT, g->arena, &g->cached, &g->err) &&
              cached_merge(&g->cached, &g->request, &g->chat, g->arena, &g->err);
    make_chat(g);
    for (int i = 0; g->good && i < WIRE_MODALITIES; i++)
        g->prepare.attached.n_tokens[i] = g->prepare.attached.n_kept[i] =
            g->cached.n_media[i];
}

static void on_rows(struct cached_wait *wait)
{
    begin_work((struct generation *)((char *)wait - offsetof(struct generation, wait)));
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
        begin_work(g);
    }
}

static void begin_caching(struct generation *g)
{
    push(g, g->api->options.caches ? g->api->options.disk : g->api->workers, cache_run,
         cache_done);
}

/* ---- beginning ---- */

void generation_begin(struct generation *g, bool aside)
{
    g->prepare.api = g->api;
    g->prepare.arena = g->arena;
    g->prepare.chat = &g->chat;
    g->prepare.err = &g->err;
    g->prepare.make = g->form == FORM_COUNT ? prepare_count : prepare_prompt;
    g->prepare.done = on_media;
    g->prepare.host = g;
    if (!aside && g->body.len <= API_LARGE)
        decode(g);
    if (g->decoded && (g->caching || !(g->good && is_constrained(g)))) {
        prepare(g);
        go_on(g);
        return;
    }
    begin_work(g);
}

/* prepare.c - what becomes of a chat before the model sees it. */
#include "api/prepare.h"
#include "api/tools_open.h"

enum { MOST_READING = 64 };

static struct engine *engine_of(const struct prepare *p)
{
    return runner_engine(p->api->runner);
}

bool prepare_prompt(struct prepare *p)
{
    return prompt_make(runner_prompter(p->api->runner), p->chat, p->arena, &p->prompt,
                       p->err);
}

bool prepare_count(struct prepare *p)
{
    return prompt_text(runner_prompter(p->api->runner), p->chat, p->arena, &p->prompt,
                       p->err);
}

bool prepare_begin(struct prepare *p)
{
    p->attached.n = attach_find(p->chat);
    p->read = p->attached.n == 0 && !tools_are_closed(p->chat);
    p->good = !p->read || p->make(p);
    return p->good;
}

bool prepare_waits(const struct prepare *p)
{
    return !p->read;
}

/* ---- media: on workers ---- */

static struct attach_from from_of(const struct prepare *p)
{
    const struct api_options *options = &p->api->options;
    return (struct attach_from){
        .engine = engine_of(p),
        .media = options->media,
        .files = options->files,
        .fetcher = options->fetcher,
        .fetch_limit = options->fetch_limit,
        .fetch_timeout_s = options->fetch_timeout_s,
    };
}

/* All are words now. */
static bool make_of_words(struct prepare *p)
{
    p->read = true;
    attach_count(engine_of(p), p->chat, &p->attached);
    return p->make(p);
}

static bool open_tools(struct prepare *p)
{
    const struct toolbox *box = p->api->options.tools;
    return tools_open(p->chat, box ? box->call_s : 0, &p->cancelled, p->arena, p->err);
}

static void gather_run(struct work *work)
{
    struct prepare *p = (struct prepare *)work;
    const struct attach_from from = from_of(p);
    p->good =
        open_tools(p) &&
        attach_gather(&from, p->chat, &p->cancelled, p->arena, &p->attached, p->err) &&
        (attach_find(p->chat) > 0 || make_of_words(p));
}

static void read_run(struct work *work)
{
    struct prepare *p = (struct prepare *)work;
    const struct attach_from from = from_of(p);
    p->good =
        attach_read(&from, p->chat, &p->cancelled, p->arena, &p->attached, p->err) &&
        make_of_words(p);
}

/* ---- from thread to thread ---- */

static void push(struct prepare *p, struct workers *who, void (*run)(struct work *),
                 void (*done)(struct work *))
{
    p->work.run = run;
    p->work.done = done;
    workers_push(who ? who : p->api->workers, &p->work);
}

static void read_done(struct work *work)
{
    struct prepare *p = (struct prepare *)work;
    p->api->n_reading--;
    p->at_work = false;
    p->done(p);
}

static void gather_done(struct work *work)
{
    struct prepare *p = (struct prepare *)work;
    if (p->good && !p->read && !atomic_load(&p->cancelled))
        push(p, p->api->options.readers, read_run, read_done);
    else
        read_done(work);
}

bool prepare_read(struct prepare *p)
{
    const struct api_options *options = &p->api->options;
    bool elsewhere = attach_has_urls(p->chat) || tools_are_closed(p->chat);
    if (p->api->n_reading >= MOST_READING) {
        error_set(p->err, ERROR_RESOURCE_EXHAUSTED,
                  "The media or tools of %d requests wait to be read already.",
                  MOST_READING);
        p->err->retry_ms = 5000;
        return false;
    }
    p->api->n_reading++;
    p->at_work = true;
    push(p, elsewhere ? options->fetchers : options->gatherers, gather_run, gather_done);
    return true;
}

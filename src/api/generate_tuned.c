/* generate_tuned.c - the tuned model that a request is to: it is looked up by a disk
 * worker, and its adapter loaded if need be. */
#include "api/generate_inside.h"

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
        generation_release(g);
    else if (!g->good)
        generation_fail(g, &g->err);
    else
        generation_begin(g, false);
}

void generation_begin_tuned(struct generation *g)
{
    g->is_tuned = true;
    g->name = arena_printf(g->arena, "tunedModels/%.*s",
                           TEXT_ARG(text_slice(g->call->name, 0, 200)));
    g->who = api_caller(g->call, g->arena);
    g->at_work = true;
    g->work = (struct work){.run = tuned_run, .done = tuned_done};
    workers_push(g->api->options.disk, &g->work);
}

/* generate_tuned.c - the tuned model that a request is to: it is looked up by a disk
 * worker, and its adapter loaded if need be. */
#include "api/generate_inside.h"
#include "api/tuned_use.h"

static void tuned_run(struct work *work)
{
    struct generation *g = (struct generation *)work;
    g->good =
        tuned_use(g->api, g->who, g->name, g->arena, &g->tuned, &g->adapter, &g->err);
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
    g->work.run = tuned_run;
    g->work.done = tuned_done;
    workers_push(g->api->options.disk, &g->work);
}

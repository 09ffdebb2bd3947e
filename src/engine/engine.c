#include "engine/engine.h"
#include <assert.h>

struct job *engine_submit(struct engine *engine, const struct job_spec *spec,
                          struct queue *to, void *user, struct error *err)
{
    assert(spec->n_tokens >= 1 && spec->n_candidates >= 1 && spec->max_tokens >= 1);
    return engine->ops->submit(engine, spec, to, user, err);
}

void engine_cancel(struct job *job)
{
    job->engine->ops->cancel(job);
}

void engine_release(struct job *job)
{
    job->engine->ops->release(job);
}

int engine_tokenize(struct engine *engine, struct text text, bool special,
                    int32_t *tokens, int room)
{
    return engine->ops->tokenize(engine, text, special, tokens, room);
}

void engine_show(struct engine *engine, const struct text *names, int n)
{
    if (engine->ops->show)
        engine->ops->show(engine, names, n);
}

const struct engine_info *engine_info(const struct engine *engine)
{
    return &engine->info;
}

bool engine_fits(const struct engine *engine, int n_tokens, struct error *err)
{
    int most = engine->info.n_ctx - 1;
    return n_tokens <= most ||
           error_set(err, ERROR_INVALID_ARGUMENT,
                     "The input token count (%d) exceeds the maximum number of tokens "
                     "allowed (%d).",
                     n_tokens, most);
}

void engine_rouse(struct engine *engine)
{
    if (engine->ops->rouse)
        engine->ops->rouse(engine);
}

int engine_cached(struct engine *engine, const struct adapter *adapter,
                  const int32_t *tokens, int n)
{
    return engine->ops->cached ? engine->ops->cached(engine, adapter, tokens, n) : 0;
}

void engine_load(struct engine *engine, int *n_running, int *n_waiting)
{
    engine->ops->load(engine, n_running, n_waiting);
}

struct grammar *engine_grammar(struct engine *engine, struct text lark, struct error *err)
{
    return engine->ops->grammar(engine, lark, err);
}

void engine_grammar_release(struct engine *engine, struct grammar *grammar)
{
    if (grammar)
        engine->ops->grammar_release(engine, grammar);
}

struct adapter *engine_adapter_open(struct engine *engine, const char *path,
                                    struct error *err)
{
    return engine->ops->adapter_open(engine, path, err);
}

void engine_adapter_hold(struct adapter *adapter)
{
    if (adapter)
        atomic_fetch_add(&adapter->holders, 1);
}

void engine_adapter_release(struct adapter *adapter)
{
    if (adapter && atomic_fetch_sub(&adapter->holders, 1) == 1)
        adapter->engine->ops->adapter_free(adapter);
}

void engine_close(struct engine *engine)
{
    if (engine)
        engine->ops->close(engine);
}

struct view *engine_view(struct engine *engine, const struct picture *picture,
                         struct error *err)
{
    return engine->ops->view(engine, picture, err);
}

void engine_view_release(struct engine *engine, struct view *view)
{
    engine->ops->view_release(engine, view);
}

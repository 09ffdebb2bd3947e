#include "api/tuned_use.h"

static bool is_usable(const struct api *api, const struct tuned *tuned, struct error *err)
{
    struct text own = engine_info(runner_engine(api->runner))->model;
    static const char *const states[] = {"", "CREATING", "ACTIVE", "FAILED"};
    if (tuned->state != TUNED_ACTIVE)
        return error_set(err, ERROR_FAILED_PRECONDITION,
                         "tunedModels/%.*s cannot be used: its state is %s.%s%.*s",
                         TEXT_ARG(tuned->id), states[tuned->state & 3],
                         tuned->error.len ? " " : "", TEXT_ARG(tuned->error));
    return text_same(tuned->engine, own) ||
           error_set(err, ERROR_FAILED_PRECONDITION,
                     "tunedModels/%.*s was tuned from %.*s, and this server runs %.*s; "
                     "start it with --model %.*s.",
                     TEXT_ARG(tuned->id), TEXT_ARG(tuned->engine), TEXT_ARG(own),
                     TEXT_ARG(tuned->engine));
}

static void let_go(void *adapter)
{
    engine_adapter_release(adapter);
}

bool tuned_use(struct api *api, struct text who, struct text name, struct arena *arena,
               struct tuned *tuned, struct adapter **adapter, struct error *err)
{
    struct tuning *tuning = api->options.tuning;
    struct text id = text_slice(name, strlen("tunedModels/"), name.len);
    if (!tuning)
        return error_set(err, ERROR_UNIMPLEMENTED,
                         "This server has no place for tuned models.");
    if (!tuned_get(tuning, who, id, TUNED_READER, arena, tuned, err) ||
        !is_usable(api, tuned, err))
        return false;
    *adapter = tuned_adapter(tuning, tuned, err);
    if (*adapter)
        arena_defer(arena, let_go, *adapter);
    return *adapter != NULL;
}

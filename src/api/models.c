/* models.c - which model names are served, and what models.list and models.get say. */
#include "api/models.h"
#include "api/message.h"
#include <stdio.h>
#include <stdlib.h>

/* Names of the documentation that models.list shows, so that a client that picks from the
 * list finds the one it was written for. Others of their kind are served just the same.
 */
static const char *const documented[] = {
    "gemini-3.5-flash",    "gemini-3-pro-preview",  "gemini-3-flash-preview",
    "gemini-2.5-pro",      "gemini-2.5-flash",      "gemini-2.5-flash-lite",
    "gemini-2.0-flash",    "gemini-2.0-flash-001",  "gemini-2.0-flash-lite",
    "gemini-1.5-pro",      "gemini-1.5-pro-latest", "gemini-1.5-pro-001",
    "gemini-1.5-flash",    "gemini-1.5-flash-001",  "gemini-1.5-flash-latest",
    "gemini-1.5-flash-8b", "gemini-flash-latest",   "gemma-3-27b-it",
};

static const char *const documented_embedders[] = {
    "gemini-embedding-001",
    "text-embedding-004",
    "embedding-001",
};

static const char *const families[] = {"gemini-", "gemma-"};

static const struct text methods[] = {{"generateContent", 15},
                                      {"streamGenerateContent", 21},
                                      {"countTokens", 11},
                                      {"batchGenerateContent", 20},
                                      {"createCachedContent", 19}};

static const struct text embed_methods[] = {
    {"embedContent", 12}, {"batchEmbedContents", 18}, {"asyncBatchEmbedContent", 22}};

enum {
    N_EMBEDDERS = sizeof documented_embedders / sizeof documented_embedders[0],
    N_EMBED_METHODS = sizeof embed_methods / sizeof embed_methods[0],
    N_DOCUMENTED = sizeof documented / sizeof documented[0],
    N_METHODS = sizeof methods / sizeof methods[0],
    PAGE = 50,
    PAGE_MOST = 1000,
};

/* ---- names ---- */

static const struct engine_info *info_of(const struct api *api)
{
    return engine_info(runner_engine(api->runner));
}

/* Names go into logs and answers: nothing strange in them. */
static bool is_plain(struct text name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && (!c || !strchr("._-", c)))
            return false;
    }
    return name.len <= 100;
}

static bool is_own_name(const struct api *api, struct text name)
{
    if (text_same(name, info_of(api)->model) || text_is(name, "default"))
        return true;
    for (int i = 0; i < api->options.n_aliases; i++)
        if (text_same(name, api->options.aliases[i]))
            return true;
    return false;
}

static bool is_embedders_own(const struct api *api, struct text name)
{
    const struct api_options *options = &api->options;
    if (!options->embedder)
        return false;
    for (int i = 0; i < options->n_embed_aliases; i++)
        if (text_same(name, options->embed_aliases[i]))
            return true;
    return text_is(name, embed_name(options->embedder));
}

/* The model that writes keeps its own name, whatever that is. */
static bool is_embedder(const struct api *api, struct text name)
{
    if (is_own_name(api, name) || !api->options.embedder)
        return false;
    if (is_embedders_own(api, name))
        return true;
    return !api->options.strict_names && is_plain(name) &&
           text_find(name, TEXT("embedding"), 0) != SIZE_MAX;
}

static bool is_served(const struct api *api, struct text name)
{
    if (is_own_name(api, name))
        return true;
    if (api->options.strict_names || !is_plain(name))
        return false;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if (text_starts(name, families[i]))
            return true;
    return false;
}

static bool not_found(struct text version, struct text name, const char *method,
                      struct error *err)
{
    return error_set(err, ERROR_NOT_FOUND,
                     "models/%.*s is not found for API version %.*s, or is not supported "
                     "for %s. Call ListModels to see the list of available models and "
                     "their supported methods.",
                     TEXT_ARG(text_slice(name, 0, 200)), TEXT_ARG(version), method);
}

struct text models_plain(struct text name)
{
    return text_slice(name, text_starts(name, "models/") ? strlen("models/") : 0,
                      name.len);
}

bool models_serve(const struct api *api, struct text version, struct text name,
                  const char *method, struct error *err)
{
    if (is_embedder(api, name))
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "models/%.*s makes embeddings: it is supported for embedContent "
                         "and batchEmbedContents, not for %s.",
                         TEXT_ARG(name), method);
    return is_served(api, name) || not_found(version, name, method, err);
}

bool models_embed(const struct api *api, struct text version, struct text name,
                  const char *method, struct error *err)
{
    if (is_embedder(api, name))
        return true;
    if (is_served(api, name) && api->options.embedder)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "models/%.*s writes text: it is not supported for %s. "
                         "models/%s makes embeddings.",
                         TEXT_ARG(name), method, embed_name(api->options.embedder));
    return not_found(version, name, method, err);
}

/* ---- what is said of a model ---- */

/* The model's own name is shown as it is; another name says what stands behind it. */
static struct text display_name(struct arena *arena, struct text name, struct text own,
                                struct text shown)
{
    return text_same(name, own)
               ? shown
               : arena_printf(arena, "%.*s (%.*s)", TEXT_ARG(name), TEXT_ARG(shown));
}

static struct wire_model describe(const struct api *api, struct arena *arena,
                                  struct text name)
{
    const struct engine_info *info = info_of(api);
    const struct api_defaults *defaults = &api->options.defaults;
    struct text description = api->options.description;
    return (struct wire_model){
        .name = arena_printf(arena, "models/%.*s", TEXT_ARG(name)),
        .base = info->model,
        .version = TEXT("001"),
        .display_name = display_name(arena, name, info->model, api->options.display_name),
        .description = description.len ? description : TEXT("Served by Pollux."),
        .input_limit = {true, info->n_ctx},
        .output_limit = {true, info->n_ctx},
        .methods = {(void *)methods, N_METHODS},
        .temperature = {true, defaults->temperature},
        .max_temperature = {true, 2},
        .top_p = {true, defaults->top_p},
        .top_k = {defaults->top_k > 0, defaults->top_k},
    };
}

static struct wire_model describe_embedder(const struct api *api, struct arena *arena,
                                           struct text name)
{
    const struct api_options *options = &api->options;
    struct text own = text_of(embed_name(options->embedder));
    struct text description = options->embed_description;
    struct embed_facts facts = embed_facts(options->embedder);
    int n_ctx = facts.n_ctx ? facts.n_ctx : options->embed_facts.n_ctx;
    return (struct wire_model){
        .name = arena_printf(arena, "models/%.*s", TEXT_ARG(name)),
        .base = own,
        .version = TEXT("001"),
        .display_name = display_name(arena, name, own, options->embed_display_name),
        .description =
            description.len ? description : TEXT("Makes embeddings; served by Pollux."),
        .input_limit = {n_ctx > 0, n_ctx},
        .output_limit = {true, 1},
        .methods = {(void *)embed_methods, N_EMBED_METHODS},
    };
}

static struct wire_model describe_any(const struct api *api, struct arena *arena,
                                      struct text name)
{
    return is_embedder(api, name) ? describe_embedder(api, arena, name)
                                  : describe(api, arena, name);
}

void models_get(struct call *call)
{
    struct error err;
    if (!is_embedder(call->api, call->name) &&
        !models_serve(call->api, call->version, call->name, "generateContent", &err)) {
        api_error(call, &err);
        return;
    }
    struct wire_model model = describe_any(call->api, call->rq->arena, call->name);
    api_reply(call, &wire_model_type, &model);
}

/* ---- the list ---- */

/* The model's own name, then the documented ones; the embedding model's likewise. */
static int n_writers(const struct api *api)
{
    return api->options.strict_names ? 1 : 1 + N_DOCUMENTED;
}

static int n_listed(const struct api *api)
{
    int n_embedders = api->options.strict_names ? 1 : 1 + N_EMBEDDERS;
    return n_writers(api) + (api->options.embedder ? n_embedders : 0);
}

static struct text listed(const struct api *api, int i)
{
    if (i == 0)
        return info_of(api)->model;
    if (i < n_writers(api))
        return text_of(documented[i - 1]);
    i -= n_writers(api);
    return text_of(i == 0 ? embed_name(api->options.embedder)
                          : documented_embedders[i - 1]);
}

/* A page's token is the place of its first model. */
static bool read_page(const struct call *call, int *from, int *size, struct error *err)
{
    if (!api_page_size(call, PAGE, PAGE_MOST, size, err))
        return false;
    if (!api_number(call, "pageToken", 0, from) || *from > n_listed(call->api))
        return error_at(err, "page_token",
                        "pageToken is not one that an earlier answer gave.");
    return true;
}

void models_list(struct call *call)
{
    struct error err;
    int from = 0, size = 0;
    if (!read_page(call, &from, &size, &err)) {
        api_error(call, &err);
        return;
    }
    int end = n_listed(call->api);
    int to = size < end - from ? from + size : end;
    struct arena *arena = call->rq->arena;
    struct wire_model models[2 + N_DOCUMENTED + N_EMBEDDERS];
    for (int i = from; i < to; i++)
        models[i - from] = describe_any(call->api, arena, listed(call->api, i));
    struct wire_models list = {.models = {models, (size_t)(to - from)}};
    if (to < end)
        list.next_page = arena_printf(arena, "%d", to);
    api_reply(call, &wire_models_type, &list);
}

/* serve_models.c - the engines of a server: what answers, what judges, what embeds. */
#include "base/log.h"
#include "serve_inside.h"
#include <string.h>
#include <unistd.h>

enum { GUARD_CTX = 4096 /* a judge sees a few thousand bytes at a time */ };

/* On a terminal only; the line is overwritten and in the end gone. */
static void show_progress(float done, void *arg)
{
    (void)arg;
    if (done < 1)
        fprintf(stderr, "\rLoading the model: %3.0f %%", (double)done * 100);
    else
        fputs("\r\033[K", stderr);
}

/* Where there is no folder, weights are packed at each start. */
static const char *packed_folder(struct server *s)
{
    const char *asked = s->settings.packed_dir;
    if (asked && strcmp(asked, "off") == 0)
        return NULL;
    const char *folder = serve_cache_folder(s, asked, "/packed");
    return *folder && command_make_folder(folder) ? folder : NULL;
}

/* NULL as a name means the default model. */
static int open_model(struct server *s, const char *name, int n_ctx,
                      const struct model_entry **entry, struct engine **engine)
{
    struct error err;
    struct model_file file = {0};
    const struct settings *settings = &s->settings;
    if (!s->catalogue)
        s->catalogue = catalogue_open(&err);
    if (!s->catalogue)
        return serve_fail(SERVE_FAILED, &err);
    struct text folder = models_folder(settings->models_dir, s->arena);
    if (!catalogue_resolve(s->catalogue, text_of(name), folder, s->arena, &file, &err))
        return serve_fail(SERVE_NO_MODEL, &err);
    *entry = file.entry;
    if (file.entry && file.entry->kind == MODEL_EMBEDS)
        return command_fail(&serve_command, SERVE_USAGE,
                            "%.*s makes embeddings and writes no text: it goes with "
                            "--embedding-model.",
                            TEXT_ARG(file.name));
    struct local_options options = {
        .path = file.path.at,
        .projector = entry == &s->entry && settings->mmproj && *settings->mmproj
                         ? settings->mmproj
                         : NULL,
        .name = arena_text(s->arena, file.name).at,
        .n_threads = (int)settings->threads,
        .plain_kernels = settings->kernels != 0,
        .packed = packed_folder(s),
        .n_ctx = n_ctx,
        .n_slots = (int)settings->parallel,
        .queue_limit = (int)settings->queue,
        .progress = isatty(STDERR_FILENO) ? show_progress : NULL,
    };
    if (engine == &s->engine)
        s->model_path = options.path;
    *engine = local_open(&options, &err);
    return *engine ? SERVE_OK : serve_fail(SERVE_FAILED, &err);
}

static int open_script(const char *path, struct engine **engine)
{
    struct error err;
    *engine = script_open(path, &err);
    return *engine ? SERVE_OK : serve_fail(SERVE_FAILED, &err);
}

static void log_load(const char *what, const struct engine *engine, int64_t since)
{
    const struct engine_info *info = engine_info(engine);
    log_line(LOG_INFO, what, "model=%.*s ctx=%d parallel=%d kernels=%s packed=%s ms=%lld",
             TEXT_ARG(info->model), info->n_ctx, info->n_slots,
             info->kernels ? info->kernels : "none", info->packed ? "kept" : "no",
             (long long)(now_ms() - since));
}

int serve_open_engine(struct server *s)
{
    const struct settings *settings = &s->settings;
    int64_t since = now_ms();
    if (settings->script && settings->mmproj && *settings->mmproj)
        return command_fail(&serve_command, SERVE_USAGE,
                            "--mmproj goes with a model, not with --script");
    int status = settings->script ? open_script(settings->script, &s->engine)
                                  : open_model(s, settings->model, (int)settings->ctx,
                                               &s->entry, &s->engine);
    if (status == SERVE_OK)
        log_load("load", s->engine, since);
    return status;
}

int serve_open_guard(struct server *s)
{
    struct error err;
    const struct settings *settings = &s->settings;
    const struct model_entry *entry;
    int64_t since = now_ms();
    int status = SERVE_OK;
    if (settings->blocklist &&
        !(s->blocklist = blocklist_open(settings->blocklist, &err)))
        return serve_fail(SERVE_FAILED, &err);
    if (settings->guard_script)
        status = open_script(settings->guard_script, &s->guard_engine);
    else if (settings->guard_model)
        status =
            open_model(s, settings->guard_model, GUARD_CTX, &entry, &s->guard_engine);
    if (s->guard_engine)
        log_load("guard", s->guard_engine, since);
    return status;
}

/* The default one may be missing: whoever asks it is told so. */
static int find_embedder(struct server *s, struct embed_options *options)
{
    struct error err;
    struct model_file file;
    struct text folder = models_folder(s->settings.models_dir, s->arena);
    if (!s->catalogue)
        s->catalogue = catalogue_open(&err);
    if (!s->catalogue)
        return serve_fail(SERVE_FAILED, &err);
    if (!catalogue_resolve_embedder(s->catalogue, text_of(s->settings.embedding_model),
                                    folder, s->arena, &file, &err))
        return serve_fail(SERVE_NO_MODEL, &err);
    s->embed_entry = file.entry;
    options->name = arena_text(s->arena, file.name).at;
    options->path = file.path.at;
    options->remedy = arena_printf(s->arena, "run 'pollux pull %s'", options->name).at;
    return SERVE_OK;
}

int serve_open_embedder(struct server *s)
{
    struct error err;
    const struct settings *settings = &s->settings;
    bool named = settings->embedding_model && *settings->embedding_model;
    struct embed_options options = {
        .name = "scripted-embedding",
        .path = settings->script,
        .script = settings->script && !named,
        .n_threads = (int)settings->threads,
        .queue_limit = (int)settings->queue,
        .beside = s->engine,
    };
    int status = options.script ? SERVE_OK : find_embedder(s, &options);
    if (status != SERVE_OK)
        return status;
    s->embedder = embed_open(&options, &err);
    return s->embedder ? SERVE_OK : serve_fail(SERVE_FAILED, &err);
}

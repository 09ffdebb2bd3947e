/* serve_rooms.c - opens the rooms of a server, and closes them in reverse. */
#include "api/grounding.h"
#include "base/log.h"
#include "batches/batches.h"
#include "caches/caches.h"
#include "index/index.h"
#include "serve_inside.h"
#include "store/store.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    BATCH_MEMORY_DAYS = 30,       /* for so long a batch that has ended is remembered */
    CACHES_IN_MEMORY = 512 << 20, /* bytes of rows that were read and are in use */
};

static const int n_threads[N_POOLS] = {
    [POOL_DISK] = 4,   /* they wait more than they work */
    [POOL_WORK] = 2,   /* large bodies, prompts whose answer is held to a grammar */
    [POOL_SPEAK] = 4,  /* pieces of answers that are spoken at once */
    [POOL_FETCH] = 8,  /* get URLs; they wait for others' servers */
    [POOL_GATHER] = 4, /* get files, and read what takes no time */
    [POOL_READ] = 2,   /* media that are read at once */
    [POOL_SEARCH] = 2, /* they wait for the embedder */
    [POOL_HOOKS] = 1,  /* waits for who is told of what happened */
    [POOL_TOOLS] = 4,  /* calls of built-in tools at once */
};

/* ---- what survives ---- */

static int open_store(struct server *s, const char *folder)
{
    struct error err;
    const struct files_options options = {
        .file_limit = s->settings.file_limit,
        .total_limit = s->settings.files_total,
    };
    s->store = store_open(folder, &err);
    if (s->store)
        s->files = files_open(s->store, &options, &err);
    const struct batches_options batches = {
        .life = s->settings.batch_hours * 3600 * INT64_C(1000000000),
        .memory = INT64_C(86400) * BATCH_MEMORY_DAYS * 1000000000,
        .line_most = (size_t)s->settings.request_limit,
    };
    if (s->files)
        s->batches = batches_open(s->store, s->files, &batches, &err);
    if (!s->batches)
        return serve_fail(SERVE_FAILED, &err);
    s->interactions =
        interactions_open(s->store, s->settings.interaction_days * 24 * 60 * 60);
    return SERVE_OK;
}

static int open_data_folder(struct server *s)
{
    struct buf path = {0};
    const char *asked = s->settings.data_dir;
    int status = SERVE_OK;
    if (asked && *asked)
        buf_str(&path, asked);
    else if (!command_folder("XDG_DATA_HOME", ".local/share", &path))
        status = command_fail(&serve_command, SERVE_FAILED,
                              "HOME is not set: say where to keep data with --data-dir");
    if (status == SERVE_OK && !command_make_folder(path.at))
        status = command_fail(&serve_command, SERVE_FAILED,
                              "cannot make the data folder %s: %s", path.at,
                              strerrordesc_np(errno));
    if (status == SERVE_OK)
        status = open_store(s, path.at);
    buf_free(&path);
    return status;
}

/* Their rows are of one engine's kind. */
static int open_caches(struct server *s)
{
    struct error err;
    const struct caches_options options = {
        .key = engine_info(s->engine)->rows_key,
        .disk_limit = s->settings.caches_total,
        .memory_limit = CACHES_IN_MEMORY,
    };
    s->caches = caches_open(s->store, files_blobs(s->files), &options, &err);
    return s->caches ? SERVE_OK : serve_fail(SERVE_FAILED, &err);
}

/* POLLUX_TRAINER is a program that trains in our place: tests have one that is done at
 * once, and needs no model. */
static int open_tuning(struct server *s)
{
    struct error err;
    struct tuning_options options = {
        .engine = s->engine,
        .base = s->model_path,
        .trainer = option_env("POLLUX_TRAINER"),
        .n_threads = (int)s->settings.threads,
    };
    if (!options.base && options.trainer)
        options.base = s->settings.script;
    s->tuning = tuning_open(s->store, &options, &err);
    return s->tuning ? SERVE_OK : serve_fail(SERVE_FAILED, &err);
}

/* ---- what works on it ---- */

static int open_fetcher(struct server *s)
{
    struct error err;
    const struct settings *settings = &s->settings;
    const struct fetch_config config = {
        .off = settings->fetch != 0,
        .allow = settings->fetch_allow.at,
        .n_allow = settings->fetch_allow.n,
    };
    if (config.off && settings->webhook_secret)
        return command_fail(&serve_command, SERVE_USAGE,
                            "--webhook-secret is of no use with --fetch off: webhooks go "
                            "the way of what is fetched");
    s->fetcher = fetch_open(&config, &err);
    return s->fetcher ? SERVE_OK
                      : command_fail(&serve_command, SERVE_USAGE, "--fetch-allow: %s",
                                     err.message);
}

const char *serve_cache_folder(struct server *s, const char *asked, const char *otherwise)
{
    struct buf folder = {0};
    if (asked && *asked)
        buf_str(&folder, asked);
    else if (command_folder("XDG_CACHE_HOME", ".cache", &folder))
        buf_str(&folder, otherwise);
    const char *path = arena_text(s->arena, buf_view(&folder)).at;
    buf_free(&folder);
    return path;
}

static int open_media(struct server *s)
{
    struct buf lacks = {0};
    struct error err;
    const struct settings *settings = &s->settings;
    const struct media_config config = {
        .folder = serve_cache_folder(s, settings->readers_dir, "/readers/current"),
        .mode = settings->media_sandbox ? SANDBOX_BARE : SANDBOX_REQUIRED,
        .deadline_s = (int)settings->media_timeout,
        .ocr_languages = settings->ocr_languages,
    };
    if (settings->ocr_languages && !media_has_languages(settings->ocr_languages, &err))
        return command_fail(&serve_command, SERVE_USAGE, "--ocr-languages: %s",
                            err.message);
    s->media = media_open(&config);
    int n_lacks = media_lacks(config.folder, &lacks);
    if (!media_safe(s->media, &err))
        log_line(LOG_WARN, "media", "read=text sandbox=none why=\"%s\"", err.message);
    else
        log_line(n_lacks || settings->media_sandbox ? LOG_WARN : LOG_INFO, "media",
                 "sandbox=%s lacks=\"%s\"", settings->media_sandbox ? "off" : "on",
                 lacks.at ? lacks.at : "");
    buf_free(&lacks);
    return SERVE_OK;
}

static int open_speech(struct server *s)
{
    struct error err;
    const struct settings *settings = &s->settings;
    const char *folder = settings->speech_dir;
    const struct speech_config config = {
        .media = s->media,
        .command = settings->speech_command,
        .folder = folder && *folder ? realpath(folder, s->speech_dir) : NULL,
    };
    if (folder && *folder && !config.folder)
        return command_fail(&serve_command, SERVE_USAGE,
                            "--speech-dir: there is no folder %s", folder);
    s->speech = speech_open(&config, &err);
    if (!s->speech)
        return command_fail(&serve_command, SERVE_USAGE, "--speech-command: %s",
                            err.message);
    return SERVE_OK;
}

static const char *given(const char *setting)
{
    return setting && *setting ? setting : NULL;
}

static int open_search(struct server *s)
{
    struct error err;
    const struct settings *settings = &s->settings;
    const struct provider_config config = {
        .kind = settings->search,
        .url = given(settings->search_url),
        .key = given(settings->search_key),
        .index = s->index,
    };
    s->provider = provider_open(&config, &err);
    if (!s->provider)
        return command_fail(&serve_command, SERVE_USAGE, "%s", err.message);
    s->search = search_open(s->provider);
    return SERVE_OK;
}

static int open_tools(struct server *s)
{
    struct error err;
    const struct settings *settings = &s->settings;
    const struct pages_config pages = {
        .off = settings->fetch != 0,
        .fetcher = s->fetcher,
        .media = s->media,
        .most = settings->fetch_limit,
        .timeout_s = (int)settings->fetch_timeout,
    };
    const struct code_config config = {
        .off = !settings->code_execution,
        .folder = serve_cache_folder(s, settings->tools_dir, "/tools/current"),
        .memory_mb = (int)settings->code_memory,
    };
    s->code = code_open(&config);
    s->pages = pages_open(&pages);
    s->file_search = file_search_open(s->index);
    s->mcp = mcp_open(settings->fetch ? NULL : s->fetcher);
    mcp_attend(s->mcp, s->pools[POOL_FETCH]);
    s->tools[0] = code_tool(s->code);
    s->tools[1] = search_tool(s->search);
    s->tools[2] = pages_tool(s->pages);
    s->tools[3] = file_search_tool(s->file_search);
    s->tools[4] = mcp_tool(s->mcp);
    s->toolbox = (struct toolbox){
        .tools = s->tools,
        .n = SERVE_TOOLS,
        .workers = s->pools[POOL_TOOLS],
        .call_s = (int)settings->tool_timeout,
        .answer_s = 4 * (int)settings->tool_timeout,
        .rounds = (int)settings->tool_rounds,
        .ground = grounding_find,
        .embedder = s->embedder,
    };
    if (!s->tools[0]->ready(s->tools[0], &err))
        log_line(config.off ? LOG_INFO : LOG_WARN, "tools", "code=no why=\"%s\"",
                 err.message);
    else
        log_line(LOG_INFO, "tools", "code=yes packages=%s",
                 code_has_packages(s->code) ? "yes" : "no");
    return SERVE_OK;
}

/* With what reads documents and what makes their vectors. */
static int open_index(struct server *s)
{
    struct error err;
    const struct index_options options = {
        .embedder = s->embedder,
        .media = s->media,
        .total_limit = s->settings.files_total,
    };
    s->index = index_open(s->store, s->files, &options, &err);
    return s->index ? SERVE_OK : serve_fail(SERVE_FAILED, &err);
}

/* ---- the loop, and who lives on it ---- */

static void on_work(void *arg, uint32_t events)
{
    (void)events;
    workers_finish(arg);
}

static bool open_pool(struct server *s, enum pool pool)
{
    struct workers *workers = s->pools[pool] = workers_open(n_threads[pool]);
    return workers &&
           loop_watch(s->loop, workers_fd(workers), EPOLLIN, on_work, workers) != NULL;
}

static int open_loop(struct server *s)
{
    s->loop = loop_open();
    bool good = s->loop != NULL;
    for (int i = 0; good && i < N_POOLS; i++)
        good = open_pool(s, (enum pool)i);
    return good ? SERVE_OK
                : command_fail(&serve_command, SERVE_FAILED, "cannot open the loop: %s",
                               strerrordesc_np(errno));
}

static int open_runner(struct server *s)
{
    struct error err;
    s->runner = runner_open(s->loop, s->engine, &err);
    if (s->runner && s->guard_engine)
        s->guard_runner = runner_open(s->loop, s->guard_engine, &err);
    if (!s->runner || (s->guard_engine && !s->guard_runner))
        return serve_fail(SERVE_FAILED, &err);
    struct guard guard = *runner_guarded(s->runner);
    if (s->guard_runner)
        guard.judge = s->guard_runner;
    guard.words = s->blocklist;
    runner_guard(s->runner, &guard);
    return SERVE_OK;
}

/* What the catalogue knows of the models. */
static void tell_models(const struct server *s, struct api_options *options)
{
    static const enum level safety[] = {LEVEL_NONE, LEVEL_HIGH, LEVEL_MEDIUM, LEVEL_LOW};
    const struct model_entry *entry = s->entry, *embed = s->embed_entry;
    options->defaults =
        (struct api_defaults){.temperature = 1, .top_p = 0.95, .top_k = 40};
    if (entry) {
        options->aliases = entry->aliases;
        options->n_aliases = entry->n_aliases;
        options->display_name = entry->display_name;
        options->description = entry->description;
        options->defaults =
            (struct api_defaults){entry->defaults.temperature, entry->defaults.top_p,
                                  entry->defaults.top_k, LEVEL_NONE};
    }
    if (embed) {
        options->embed_aliases = embed->aliases;
        options->n_embed_aliases = embed->n_aliases;
        options->embed_display_name = embed->display_name;
        options->embed_description = embed->description;
        options->embed_facts.n_ctx = embed->context;
    }
    options->defaults.block_from = safety[s->settings.safety];
}

static int open_api(struct server *s)
{
    const struct settings *settings = &s->settings;
    s->supervisor = supervisor_open(s->loop, s->pools[POOL_DISK], s->tuning,
                                    (int)settings->tuning_jobs);
    struct api_options options = {
        .keys = settings->keys.at,
        .n_keys = settings->keys.n,
        .strict_names = settings->strict_names,
        .request_limit = settings->request_limit,
        .embedder = s->embedder,
        .tuning = s->tuning,
        .supervisor = s->supervisor,
        .files = s->files,
        .open_files = settings->open_files,
        .disk = s->pools[POOL_DISK],
        .interactions = s->interactions,
        .webhook_secret = settings->webhook_secret && *settings->webhook_secret
                              ? settings->webhook_secret
                              : NULL,
        .store = s->store,
        .webhook_worker = s->pools[POOL_HOOKS],
        .batches = s->batches,
        .index = s->index,
        .searchers = s->pools[POOL_SEARCH],
        .caches = s->caches,
        .tools = &s->toolbox,
        .media = s->media,
        .readers = s->pools[POOL_READ],
        .gatherers = s->pools[POOL_GATHER],
        .fetchers = s->pools[POOL_FETCH],
        .fetcher = s->fetcher,
        .fetch_limit = settings->fetch_limit,
        .fetch_timeout_s = (int)settings->fetch_timeout,
        .speech = s->speech,
        .speakers = s->pools[POOL_SPEAK],
    };
    tell_models(s, &options);
    s->api = api_open(s->loop, s->runner, s->pools[POOL_WORK], &options);
    return SERVE_OK;
}

/* ---- the whole ---- */

/* What an option asks for in vain is told before a model is loaded, which takes time. */
int serve_open_rooms(struct server *s)
{
    static int (*const steps[])(struct server * s) = {
        open_fetcher,        open_media,        open_speech, open_data_folder,
        serve_open_guard,    serve_open_engine, open_tuning, open_caches,
        serve_open_embedder, open_loop,         open_index,  open_search,
        open_tools,          open_runner,       open_api,
    };
    int status = SERVE_OK;
    for (size_t i = 0; status == SERVE_OK && i < sizeof steps / sizeof steps[0]; i++)
        status = steps[i](s);
    return status;
}

/* The clients are gone, which ended their calls; what a worker still has comes back
 * before the api goes. A turn that did not end in time keeps its memory: the process ends
 * now. */
void serve_close_rooms(struct server *s)
{
    supervisor_halt(s->supervisor);
    if (s->mcp)
        mcp_attend(s->mcp, NULL);
    for (int i = 0; i < N_POOLS; i++)
        workers_close(s->pools[i]);
    pages_close(s->pages);
    file_search_close(s->file_search);
    mcp_close(s->mcp);
    search_close(s->search);
    provider_close(s->provider);
    index_close(s->index); /* before what it reads and embeds with */
    speech_close(s->speech);
    media_close(s->media);
    code_close(s->code);
    supervisor_close(s->supervisor);
    fetch_close(s->fetcher);
    if (s->api && api_busy(s->api) > 0) {
        log_line(LOG_WARN, "stop", "left=%d", api_busy(s->api));
        _exit(SERVE_OK);
    }
    api_close(s->api);
    runner_close(s->runner);
    runner_close(s->guard_runner);
    embed_close(s->embedder); /* before the engine that it looks at */
    tuning_close(s->tuning);  /* likewise */
    if (s->engine)
        engine_close(s->engine);
    if (s->guard_engine)
        engine_close(s->guard_engine);
    interactions_close(s->interactions);
    batches_close(s->batches);
    caches_close(s->caches);
    files_close(s->files);
    store_close(s->store);
    blocklist_close(s->blocklist);
    loop_close(s->loop);
    catalogue_close(s->catalogue);
}

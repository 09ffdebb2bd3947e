/* serve.c - `pollux serve`: opens everything, runs the loop, closes in reverse.
 *
 * The port is opened last, when the model is loaded: a client that is let in is answered.
 *
 * Stopping has three steps, each a deadline on one timer. At the first SIGINT or SIGTERM
 * the server listens no more and what is in hand goes on, for GRACE_MS; then, or at the
 * second signal, what is left is told 503; after HURRY_MS more the loop is left anyway.
 */
#include "serve.h"
#include "api/api.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/queue.h"
#include "batches/batches.h"
#include "caches/caches.h"
#include "cli/command.h"
#include "index/index.h"
#include "media/media.h"
#include "model/catalogue.h"
#include "store/store.h"
#include "tools/code.h"
#include "tuning/supervisor.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    GRACE_MS = 10000,
    HURRY_MS = 2000,
    TICK_MS = 10,
    WORKERS = 2,
    DISK_WORKERS = 4, /* they wait more than they work */
    READERS = 2,      /* media that are read at once */
    SEARCHERS = 2,    /* they wait for the embedder */
    TOOL_WORKERS = 4, /* calls of built-in tools at once */
    GATHERERS = 4,    /* get files, and read what takes no time */
    FETCHERS = 8,     /* get URLs; they wait for others' servers */
    SPEAKING = 4,     /* pieces of answers that are spoken at once */
    MOST_CONNECTIONS = 4096,
    STREAM_LIMIT = 8 << 20,       /* bytes that one slow reader may leave unread */
    BATCH_MEMORY_DAYS = 30,       /* for so long a batch that has ended is remembered */
    CACHES_IN_MEMORY = 512 << 20, /* bytes of rows that were read and are in use */
    GUARD_CTX = 4096,             /* a judge sees a few thousand bytes at a time */
};

/* ---- the command line ---- */

struct settings {
    const char *host, *model, *models_dir, *data_dir, *script;
    const char *embedding_model, *guard_model, *guard_script, *blocklist, *readers_dir;
    const char *mmproj, *ocr_languages, *speech_command, *speech_dir;
    const char *tools_dir;
    int64_t code_timeout, code_memory, tool_rounds;
    int64_t port, media_timeout, threads, ctx, parallel, queue, request_limit,
        idle_timeout;
    int64_t file_limit, files_total, batch_hours, caches_total, interaction_days,
        tuning_jobs, fetch_limit, fetch_timeout;
    struct option_list keys, fetch_allow;
    int fetch;
    const char *webhook_secret;
    int safety, kernels, media_sandbox, log_format, log_level;
    bool strict_names, open_files, code_execution;
};

/* clang-format off */
#define AT(member) offsetof(struct settings, member)
static const struct option table[] = {
    {"host", 0, OPTION_STRING, AT(host), "127.0.0.1", 0, 0, "ADDRESS",
     "where to listen; 0.0.0.0 lets other machines in", NULL},
    {"port", 'p', OPTION_INT, AT(port), "8080", 0, 65535, "N",
     "port to listen on; 0 takes any free one", NULL},
    {"model", 'm', OPTION_STRING, AT(model), NULL, 0, 0, "NAME|FILE",
     "a model of `pollux models`, or a GGUF file; else the default model", NULL},
    {"mmproj", 0, OPTION_STRING, AT(mmproj), NULL, 0, 0, "FILE",
     "the model's projector, a GGUF: pictures are seen by the model and not put into words", NULL},
    {"embedding-model", 0, OPTION_STRING, AT(embedding_model), NULL, 0, 0, "NAME|FILE",
     "the model that makes embeddings, loaded when first asked; else the default one", NULL},
    {"models-dir", 0, OPTION_STRING, AT(models_dir), NULL, 0, 0, "DIR",
     "where models lie (default ~/.cache/pollux/models)", NULL},
    {"data-dir", 0, OPTION_STRING, AT(data_dir), NULL, 0, 0, "DIR",
     "where the server keeps what must survive (default ~/.local/share/pollux)", NULL},
    {"script", 0, OPTION_STRING, AT(script), NULL, 0, 0, "FILE",
     "replay answers and faults from a JSON file instead of running a model", NULL},
    {"threads", 't', OPTION_INT, AT(threads), "0", 0, 1024, "N",
     "threads that compute; 0: one for each core", NULL},
    {"kernels", 0, OPTION_CHOICE, AT(kernels), "auto", 0, 0, "WHOSE",
     "products of weights: ours where this CPU can do them, or always libllama's",
     "auto libllama"},
    {"ctx", 'c', OPTION_INT, AT(ctx), "0", 0, 1 << 24, "TOKENS",
     "context of one conversation, prompt and answer together; 0: the model's own, at "
     "most 8192", NULL},
    {"parallel", 0, OPTION_INT, AT(parallel), "4", 1, 64, "N",
     "answers that are made at once; each takes memory for its context", NULL},
    {"queue", 0, OPTION_INT, AT(queue), "512", 0, 100000, "N",
     "answers that may wait; more are refused with 429", NULL},
    {"safety", 0, OPTION_CHOICE, AT(safety), "off", 0, 0, "LEVEL",
     "what is blocked where a request's safetySettings say nothing: what is harmful with this "
     "probability or a higher one", "off high medium low"},
    {"guard-model", 0, OPTION_STRING, AT(guard_model), NULL, 0, 0, "NAME|FILE",
     "a model that judges what is harmful; else the served model judges itself", NULL},
    {"guard-script", 0, OPTION_STRING, AT(guard_script), NULL, 0, 0, "FILE",
     "a script that judges instead; for tests", NULL},
    {"blocklist", 0, OPTION_STRING, AT(blocklist), NULL, 0, 0, "FILE",
     "words and /expressions/, one a line, that neither prompts nor answers may have", NULL},
    {"readers-dir", 0, OPTION_STRING, AT(readers_dir), NULL, 0, 0, "DIR",
     "what scripts/setup.sh readers installed (default ~/.cache/pollux/readers/current)", NULL},
    {"media-timeout", 0, OPTION_INT, AT(media_timeout), "300", 1, 3600, "SECONDS",
     "a piece of media that takes longer to read is refused", NULL},
    {"media-sandbox", 0, OPTION_CHOICE, AT(media_sandbox), "required", 0, 0, "HOW",
     "media are read by children in a sandbox; where this machine has none they are refused, "
     "unless this is off: then a broken reader has the server's own rights", "required off"},
    {"code-execution", 0, OPTION_SWITCH, AT(code_execution), "true", 0, 0, NULL,
     "the model may have Python run, in a sandbox, for requests with the tool code execution",
     NULL},
    {"code-timeout", 0, OPTION_INT, AT(code_timeout), "30", 1, 600, "SECONDS",
     "code that runs longer is ended", NULL},
    {"code-memory", 0, OPTION_INT, AT(code_memory), "512", 64, 65536, "MB",
     "code that takes more is ended", NULL},
    {"tools-dir", 0, OPTION_STRING, AT(tools_dir), NULL, 0, 0, "DIR",
     "what scripts/setup.sh tools installed (default ~/.cache/pollux/tools/current)", NULL},
    {"tool-rounds", 0, OPTION_INT, AT(tool_rounds), "8", 1, 100, "N",
     "how often in an answer the model may call built-in tools", NULL},
    {"ocr-languages", 0, OPTION_STRING, AT(ocr_languages), NULL, 0, 0, "LANGUAGES",
     "what text in pictures is written in: tesseract's names, eng+deu; else its default", NULL},
    {"speech-command", 0, OPTION_STRING, AT(speech_command), NULL, 0, 0, "COMMAND",
     "a program that speaks instead of espeak-ng: reads text, writes WAV; {voice}, {gender}, "
     "{language}, {pitch} and {rate} in it are filled in", NULL},
    {"speech-dir", 0, OPTION_STRING, AT(speech_dir), NULL, 0, 0, "DIR",
     "a folder that it needs; it sees /usr and this, and nothing else", NULL},
    {"fetch", 0, OPTION_CHOICE, AT(fetch), "public", 0, 0, "WHAT",
     "URLs that requests name are fetched from the public network, or not at all",
     "public off"},
    {"fetch-allow", 0, OPTION_LIST, AT(fetch_allow), NULL, 0, 0, "NET|HOST",
     "fetch from here as well, although it is not public: 10.1.0.0/16, ::1, media.lan, .lan "
     "(repeatable)", NULL},
    {"fetch-limit", 0, OPTION_INT, AT(fetch_limit), "20971520", 1, 1 << 30, "BYTES",
     "longest that all URLs of one request may be together", NULL},
    {"fetch-timeout", 0, OPTION_INT, AT(fetch_timeout), "30", 1, 3600, "SECONDS",
     "a URL that takes longer to arrive is refused", NULL},
    {"api-key", 'k', OPTION_LIST, AT(keys), NULL, 0, 0, "KEY",
     "let in only callers with this key (repeatable); without any, everyone", NULL},
    {"strict-names", 0, OPTION_SWITCH, AT(strict_names), "false", 0, 0, NULL,
     "serve the model under its own name only, not as gemini-*", NULL},
    {"request-limit", 0, OPTION_INT, AT(request_limit), "20971520", 1000, 1 << 30, "BYTES",
     "longest request body", NULL},
    {"file-limit", 0, OPTION_INT, AT(file_limit), "2147483648", 1, 1LL << 50, "BYTES",
     "longest file that may be uploaded", NULL},
    {"files-total", 0, OPTION_INT, AT(files_total), "21474836480", 1, 1LL << 50, "BYTES",
     "room for all uploaded files together", NULL},
    {"tuning-jobs", 0, OPTION_INT, AT(tuning_jobs), "1", 0, 16, "N",
     "tuned models that are trained at once; others wait, with 0 all", NULL},
    {"batch-hours", 0, OPTION_INT, AT(batch_hours), "168", 1, 100000, "HOURS",
     "a batch that takes longer expires; what is made of it is kept", NULL},
    {"caches-total", 0, OPTION_INT, AT(caches_total), "10737418240", 0, 1LL << 50, "BYTES",
     "room on the disk for the model's state of cached contents; those not used for the longest time "
     "are computed again", NULL},
    {"open-files", 0, OPTION_SWITCH, AT(open_files), "false", 0, 0, NULL,
     "what there is to know of a file whose name one knows needs no key", NULL},
    {"interaction-days", 0, OPTION_INT, AT(interaction_days), "55", 0, 36500, "DAYS",
     "stored interactions are kept for so long; 0: until they are deleted", NULL},
    {"webhook-secret", 0, OPTION_STRING, AT(webhook_secret), NULL, 0, 0, "SECRET",
     "signs what is sent to a webhook_config's uris; without it there are no webhooks", NULL},
    {"idle-timeout", 0, OPTION_INT, AT(idle_timeout), "60", 1, 86400, "SECONDS",
     "a connection that sends nothing for so long is closed", NULL},
    {"log-format", 0, OPTION_CHOICE, AT(log_format), "text", 0, 0, "FORMAT",
     "of the lines on standard error", "text json"},
    {"log-level", 0, OPTION_CHOICE, AT(log_level), "info", 0, 0, "LEVEL",
     "the least important lines to write", "debug info warn error"},
    {0},
};
#undef AT
/* clang-format on */

static const struct command command = {
    "serve",
    "[OPTION]...",
    "Starts a Gemini API server. It loads the model, then says where it listens; "
    "clients\n"
    "take that address as their base URL. Ctrl-C lets what is under way finish, for up\n"
    "to 10 seconds; a second one ends at once.\n"
    "\n"
    "Exit status: 0 stopped, 1 failed, 2 wrong command line, 3 cannot listen (the port\n"
    "is taken), 4 the model is not on this machine (pollux pull fetches it).",
    table,
    "  pollux serve\n"
    "  pollux serve --model qwen2.5-coder-0.5b-instruct --port 9000\n"
    "  pollux serve --host 0.0.0.0 --api-key \"$(openssl rand -hex 16)\"\n"
    "  pollux serve --script replies.json   # for tests of an app, no model needed\n",
};

/* ---- what is open ---- */

struct server {
    struct settings settings;
    struct arena *arena;
    struct catalogue *catalogue;
    const struct model_entry *entry;       /* NULL: not of the catalogue */
    const struct model_entry *embed_entry; /* likewise */
    struct embedder *embedder;
    struct engine *engine, *guard_engine; /* NULL: the model judges itself, if at all */
    struct blocklist *blocklist;
    struct loop *loop;
    struct watch *signals, *work, *disk_work, *read, *gathered, *fetched, *spoken,
        *hooked, *searched, *tool_work;
    struct workers *workers, *disk, *readers, *gatherers, *fetchers, *speakers, *webhooks,
        *searchers, *tool_workers;
    struct fetcher *fetcher;
    struct code *code;
    const struct tool *tools[1];
    struct toolbox toolbox;
    struct media *media;
    struct speech *speech;
    char speech_dir[PATH_MAX];
    struct store *store;
    struct caches *caches;
    struct files *files;
    const char *model_path; /* NULL: a script */
    struct tuning *tuning;
    struct supervisor *supervisor;
    struct interactions *interactions;
    struct batches *batches;
    struct index *index;
    struct runner *runner, *guard_runner;
    struct api *api;
    struct http_server *http;

    bool stopping, hurried;
    int64_t until_ms; /* of the step of stopping */
};

static int fail(int status, const struct error *err)
{
    return command_fail(&command, status, "%s", err->message);
}

/* ---- signals ---- */

/* The handler's half; -1: still opening, and a signal simply ends the process. */
static volatile sig_atomic_t signal_fd = -1;

static void on_signal(int number)
{
    int saved_errno = errno;
    uint64_t one = 1;
    if (signal_fd < 0)
        _exit(128 + number);
    ssize_t written = write(signal_fd, &one, sizeof one);
    (void)written; /* fails only when it is readable already */
    errno = saved_errno;
}

static void tick(void *arg);

static void begin_step(struct server *s, int64_t ms)
{
    s->until_ms = now_ms() + ms;
    loop_after(s->loop, 0, tick, s);
}

static void tick(void *arg)
{
    struct server *s = arg;
    bool late = now_ms() >= s->until_ms;
    if (api_busy(s->api) == 0 || (late && s->hurried)) {
        loop_stop(s->loop);
    } else if (late) {
        s->hurried = true;
        api_cancel(s->api);
        begin_step(s, HURRY_MS);
    } else {
        loop_after(s->loop, TICK_MS, tick, s);
    }
}

static void on_signals(void *arg, uint32_t events)
{
    (void)events;
    struct server *s = arg;
    uint64_t n = 0;
    if (read((int)signal_fd, &n, sizeof n) != sizeof n)
        return;
    if (s->stopping || n > 1) /* not for the first time: no grace */
        s->until_ms = 0;
    if (s->stopping)
        return;
    s->stopping = true;
    log_line(LOG_INFO, "stop", "in_hand=%d", api_busy(s->api));
    api_stop(s->api);
    http_server_quiesce(s->http);
    begin_step(s, n > 1 ? 0 : GRACE_MS);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* ---- opening ---- */

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

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
        .memory = BATCH_MEMORY_DAYS * 86400 * INT64_C(1000000000),
        .line_most = (size_t)s->settings.request_limit,
    };
    if (s->files)
        s->batches = batches_open(s->store, s->files, &batches, &err);
    if (!s->batches)
        return fail(SERVE_FAILED, &err);
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
        status = command_fail(&command, SERVE_FAILED,
                              "HOME is not set: say where to keep data with --data-dir");
    if (status == SERVE_OK && !command_make_folder(path.at))
        status =
            command_fail(&command, SERVE_FAILED, "cannot make the data folder %s: %s",
                         path.at, strerrordesc_np(errno));
    if (status == SERVE_OK)
        status = open_store(s, path.at);
    buf_free(&path);
    return status;
}

/* On a terminal only; the line is overwritten and in the end gone. */
static void show_progress(float done, void *arg)
{
    (void)arg;
    if (done < 1)
        fprintf(stderr, "\rLoading the model: %3.0f %%", (double)done * 100);
    else
        fputs("\r\033[K", stderr);
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
        return fail(SERVE_FAILED, &err);
    struct text folder = models_folder(settings->models_dir, s->arena);
    if (!catalogue_resolve(s->catalogue, text_of(name), folder, s->arena, &file, &err))
        return fail(SERVE_NO_MODEL, &err);
    *entry = file.entry;
    if (file.entry && file.entry->kind == MODEL_EMBEDS)
        return command_fail(&command, SERVE_USAGE,
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
        .n_ctx = n_ctx,
        .n_slots = (int)settings->parallel,
        .queue_limit = (int)settings->queue,
        .progress = isatty(STDERR_FILENO) ? show_progress : NULL,
    };
    if (engine == &s->engine)
        s->model_path = options.path;
    *engine = local_open(&options, &err);
    return *engine ? SERVE_OK : fail(SERVE_FAILED, &err);
}

static int open_script(const char *path, struct engine **engine)
{
    struct error err;
    *engine = script_open(path, &err);
    return *engine ? SERVE_OK : fail(SERVE_FAILED, &err);
}

static void log_load(const char *what, const struct engine *engine, int64_t since)
{
    const struct engine_info *info = engine_info(engine);
    log_line(LOG_INFO, what, "model=%.*s ctx=%d parallel=%d kernels=%s ms=%lld",
             TEXT_ARG(info->model), info->n_ctx, info->n_slots,
             info->kernels ? info->kernels : "none", (long long)(now_ms() - since));
}

static int open_engine(struct server *s)
{
    const struct settings *settings = &s->settings;
    int64_t since = now_ms();
    if (settings->script && settings->mmproj && *settings->mmproj)
        return command_fail(&command, SERVE_USAGE,
                            "--mmproj goes with a model, not with --script");
    int status = settings->script ? open_script(settings->script, &s->engine)
                                  : open_model(s, settings->model, (int)settings->ctx,
                                               &s->entry, &s->engine);
    if (status == SERVE_OK)
        log_load("load", s->engine, since);
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
    return s->caches ? SERVE_OK : fail(SERVE_FAILED, &err);
}

static int open_guard(struct server *s)
{
    struct error err;
    const struct settings *settings = &s->settings;
    const struct model_entry *entry;
    int64_t since = now_ms();
    int status = SERVE_OK;
    if (settings->blocklist &&
        !(s->blocklist = blocklist_open(settings->blocklist, &err)))
        return fail(SERVE_FAILED, &err);
    if (settings->guard_script)
        status = open_script(settings->guard_script, &s->guard_engine);
    else if (settings->guard_model)
        status =
            open_model(s, settings->guard_model, GUARD_CTX, &entry, &s->guard_engine);
    if (s->guard_engine)
        log_load("guard", s->guard_engine, since);
    return status;
}

/* Where the embedding model lies. The default one may be missing: whoever asks it is told
 * so. One that the owner names must be there. */
static int find_embedder(struct server *s, struct embed_options *options)
{
    struct error err;
    struct model_file file = {0};
    struct text folder = models_folder(s->settings.models_dir, s->arena);
    const char *name = s->settings.embedding_model;
    if (!s->catalogue)
        s->catalogue = catalogue_open(&err);
    if (!s->catalogue)
        return fail(SERVE_FAILED, &err);
    s->embed_entry = catalogue_embedder(s->catalogue);
    if (!name || !*name) {
        options->name = s->embed_entry->name.at;
        options->path = catalogue_place(s->embed_entry, folder, s->arena).at;
    } else {
        if (!catalogue_resolve(s->catalogue, text_of(name), folder, s->arena, &file,
                               &err))
            return fail(SERVE_NO_MODEL, &err);
        s->embed_entry = file.entry;
        options->name = arena_text(s->arena, file.name).at;
        options->path = file.path.at;
    }
    options->remedy = arena_printf(s->arena, "run 'pollux pull %s'", options->name).at;
    return SERVE_OK;
}

static int open_embedder(struct server *s)
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
    return s->embedder ? SERVE_OK : fail(SERVE_FAILED, &err);
}

static void on_work(void *arg, uint32_t events)
{
    (void)events;
    workers_finish(arg);
}

/* POLLUX_TRAINER is a program that trains in our place: tests have one that is done at
 * once, and needs no model. */
static int open_tuning(struct server *s)
{
    struct error err;
    struct tuning_options options = {
        .engine = s->engine,
        .base = s->model_path,
        .trainer = command_env("POLLUX_TRAINER"),
        .n_threads = (int)s->settings.threads,
    };
    if (!options.base && options.trainer)
        options.base = s->settings.script;
    s->tuning = tuning_open(s->store, &options, &err);
    return s->tuning ? SERVE_OK : fail(SERVE_FAILED, &err);
}

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
        return command_fail(&command, SERVE_USAGE,
                            "--webhook-secret is of no use with --fetch off: webhooks go "
                            "the way of what is fetched");
    s->fetcher = fetch_open(&config, &err);
    if (!s->fetcher)
        return command_fail(&command, SERVE_USAGE, "--fetch-allow: %s", err.message);
    if (settings->ocr_languages && !media_has_languages(settings->ocr_languages, &err))
        return command_fail(&command, SERVE_USAGE, "--ocr-languages: %s", err.message);
    return SERVE_OK;
}

/* A folder that the owner names, or one of the cache's. */
static const char *folder_of(struct server *s, const char *asked, const char *otherwise)
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

/* The loop, and all that lives on it but the port. */
static bool open_readers(struct server *s)
{
    struct buf lacks = {0};
    struct error err;
    const struct media_config config = {
        .folder = folder_of(s, s->settings.readers_dir, "/readers/current"),
        .mode = s->settings.media_sandbox ? SANDBOX_BARE : SANDBOX_REQUIRED,
        .deadline_s = (int)s->settings.media_timeout,
        .ocr_languages = s->settings.ocr_languages,
    };
    s->media = media_open(&config);
    s->readers = workers_open(READERS);
    s->searchers = workers_open(SEARCHERS);
    s->gatherers = workers_open(GATHERERS);
    s->fetchers = workers_open(FETCHERS);
    s->speakers = workers_open(SPEAKING);
    int n_lacks = media_lacks(config.folder, &lacks);
    if (!media_safe(s->media, &err))
        log_line(LOG_WARN, "media", "read=text sandbox=none why=\"%s\"", err.message);
    else
        log_line(n_lacks || s->settings.media_sandbox ? LOG_WARN : LOG_INFO, "media",
                 "sandbox=%s lacks=\"%s\"", s->settings.media_sandbox ? "off" : "on",
                 lacks.at ? lacks.at : "");
    buf_free(&lacks);
    return s->readers != NULL && s->searchers != NULL;
}

/* With what reads documents and what makes their vectors. */
static bool open_index(struct server *s, struct error *err)
{
    const struct index_options options = {
        .embedder = s->embedder,
        .media = s->media,
        .total_limit = s->settings.files_total,
    };
    s->index = index_open(s->store, s->files, &options, err);
    return s->index != NULL;
    return s->readers && s->gatherers && s->fetchers && s->speakers;
}

static bool open_tools(struct server *s)
{
    struct error err;
    const struct settings *settings = &s->settings;
    const struct code_config config = {
        .off = !settings->code_execution,
        .folder = folder_of(s, settings->tools_dir, "/tools/current"),
        .memory_mb = (int)settings->code_memory,
    };
    s->code = code_open(&config);
    s->tool_workers = workers_open(TOOL_WORKERS);
    s->tools[0] = code_tool(s->code);
    s->toolbox = (struct toolbox){
        .tools = s->tools,
        .n = 1,
        .workers = s->tool_workers,
        .call_s = (int)settings->code_timeout,
        .answer_s = 4 * (int)settings->code_timeout,
        .rounds = (int)settings->tool_rounds,
    };
    if (!s->tools[0]->ready(s->tools[0], &err))
        log_line(config.off ? LOG_INFO : LOG_WARN, "tools", "code=no why=\"%s\"",
                 err.message);
    else
        log_line(LOG_INFO, "tools", "code=yes packages=%s",
                 code_has_packages(s->code) ? "yes" : "no");
    return s->tool_workers != NULL;
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
        return command_fail(&command, SERVE_USAGE, "--speech-dir: there is no folder %s",
                            folder);
    s->speech = speech_open(&config, &err);
    if (!s->speech)
        return command_fail(&command, SERVE_USAGE, "--speech-command: %s", err.message);
    return SERVE_OK;
}

/* The loop, and all that lives on it but the port. */
static int open_rooms(struct server *s)
{
    struct error err;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->loop = loop_open();
    s->workers = workers_open(WORKERS);
    s->disk = workers_open(DISK_WORKERS);
    s->webhooks = workers_open(1);
    if (fd < 0 || !s->loop || !s->workers || !s->disk || !s->webhooks ||
        !open_readers(s) || !open_tools(s))
        return command_fail(&command, SERVE_FAILED, "cannot open the loop: %s",
                            strerrordesc_np(errno));
    signal_fd = fd;
    s->signals = loop_watch(s->loop, fd, EPOLLIN, on_signals, s);
    s->work = loop_watch(s->loop, workers_fd(s->workers), EPOLLIN, on_work, s->workers);
    s->disk_work = loop_watch(s->loop, workers_fd(s->disk), EPOLLIN, on_work, s->disk);
    s->read = loop_watch(s->loop, workers_fd(s->readers), EPOLLIN, on_work, s->readers);
    s->searched =
        loop_watch(s->loop, workers_fd(s->searchers), EPOLLIN, on_work, s->searchers);
    if (!open_index(s, &err))
        return fail(SERVE_FAILED, &err);
    s->gathered =
        loop_watch(s->loop, workers_fd(s->gatherers), EPOLLIN, on_work, s->gatherers);
    s->fetched =
        loop_watch(s->loop, workers_fd(s->fetchers), EPOLLIN, on_work, s->fetchers);
    s->spoken =
        loop_watch(s->loop, workers_fd(s->speakers), EPOLLIN, on_work, s->speakers);
    s->tool_work = loop_watch(s->loop, workers_fd(s->tool_workers), EPOLLIN, on_work,
                              s->tool_workers);
    s->hooked =
        loop_watch(s->loop, workers_fd(s->webhooks), EPOLLIN, on_work, s->webhooks);
    s->runner = runner_open(s->loop, s->engine, &err);
    if (s->runner && s->guard_engine)
        s->guard_runner = runner_open(s->loop, s->guard_engine, &err);
    if (!s->runner || (s->guard_engine && !s->guard_runner))
        return fail(SERVE_FAILED, &err);
    struct guard guard = *runner_guarded(s->runner);
    if (s->guard_runner)
        guard.judge = s->guard_runner;
    guard.words = s->blocklist;
    runner_guard(s->runner, &guard);
    s->supervisor =
        supervisor_open(s->loop, s->disk, s->tuning, (int)s->settings.tuning_jobs);
    return SERVE_OK;
}

static void open_api(struct server *s)
{
    static const enum level safety[] = {LEVEL_NONE, LEVEL_HIGH, LEVEL_MEDIUM, LEVEL_LOW};
    const struct settings *settings = &s->settings;
    struct api_options options = {
        .keys = settings->keys.at,
        .n_keys = settings->keys.n,
        .strict_names = settings->strict_names,
        .defaults = {.temperature = 1, .top_p = 0.95, .top_k = 40},
        .request_limit = settings->request_limit,
        .tuning = s->tuning,
        .supervisor = s->supervisor,
        .files = s->files,
        .interactions = s->interactions,
        .webhook_secret = settings->webhook_secret && *settings->webhook_secret
                              ? settings->webhook_secret
                              : NULL,
        .store = s->store,
        .webhook_worker = s->webhooks,
        .batches = s->batches,
        .index = s->index,
        .searchers = s->searchers,
        .disk = s->disk,
        .caches = s->caches,
        .open_files = settings->open_files,
        .media = s->media,
        .readers = s->readers,
        .tools = &s->toolbox,
        .gatherers = s->gatherers,
        .fetchers = s->fetchers,
        .speakers = s->speakers,
        .speech = s->speech,
        .fetcher = s->fetcher,
        .fetch_limit = settings->fetch_limit,
        .fetch_timeout_s = (int)settings->fetch_timeout,
    };
    if (s->entry) {
        options.aliases = s->entry->aliases;
        options.n_aliases = s->entry->n_aliases;
        options.display_name = s->entry->display_name;
        options.description = s->entry->description;
        options.defaults = (struct api_defaults){s->entry->defaults.temperature,
                                                 s->entry->defaults.top_p,
                                                 s->entry->defaults.top_k, LEVEL_NONE};
    }
    options.embedder = s->embedder;
    if (s->embed_entry) {
        options.embed_aliases = s->embed_entry->aliases;
        options.n_embed_aliases = s->embed_entry->n_aliases;
        options.embed_display_name = s->embed_entry->display_name;
        options.embed_description = s->embed_entry->description;
        options.embed_facts.n_ctx = s->embed_entry->context;
    }
    options.defaults.block_from = safety[settings->safety];
    s->api = api_open(s->loop, s->runner, s->workers, &options);
}

static int open_port(struct server *s)
{
    struct error err;
    struct http_options options = {
        .host = s->settings.host,
        .port = (int)s->settings.port,
        .body_limit = s->settings.request_limit,
        .idle_timeout_s = (int)s->settings.idle_timeout,
        .stream_limit = STREAM_LIMIT,
        .max_connections = MOST_CONNECTIONS,
        .arrive = api_arrive,
    };
    s->http = http_server_open(s->loop, &options, api_handle, api_refuse, s->api, &err);
    if (s->http)
        return SERVE_OK;
    return command_fail(&command, SERVE_NO_PORT,
                        "%s.\nAnother port is chosen with --port, another address with "
                        "--host.",
                        err.message);
}

/* ---- saying where ---- */

static bool is_local(const char *host)
{
    struct text address = text_of(host);
    return text_starts(address, "127.") || text_is(address, "::1") ||
           text_is(address, "localhost");
}

/* An address to call: one that means all of the machine's is called by the nearest. */
static struct text base_url(const struct server *s)
{
    const char *host = s->settings.host;
    bool all = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    bool v6 = !all && strchr(host, ':');
    return arena_printf(s->arena, "http://%s%s%s:%d", v6 ? "[" : "",
                        all ? "127.0.0.1" : host, v6 ? "]" : "",
                        http_server_port(s->http));
}

static void announce(const struct server *s)
{
    const struct engine_info *info = engine_info(s->engine);
    const char *url = base_url(s).at;
    const char *key = s->settings.keys.n ? "YOUR_KEY" : "any";
    printf("Pollux %s serves %.*s at %s\n\n"
           "  curl %s/v1beta/models/gemini-2.5-flash:generateContent -H 'x-goog-api-key: "
           "%s' -d '{\"contents\":[{\"parts\":[{\"text\":\"Say hello\"}]}]}'\n"
           "  python:      from google import genai; print(genai.Client(api_key=\"%s\", "
           "http_options={\"base_url\": \"%s\"}).models.generate_content("
           "model=\"gemini-2.5-flash\", contents=\"Say hello\").text)\n"
           "  javascript:  import {GoogleGenAI} from \"@google/genai\"; "
           "console.log((await new GoogleGenAI({apiKey: \"%s\", httpOptions: {baseUrl: "
           "\"%s\"}}).models.generateContent({model: \"gemini-2.5-flash\", contents: "
           "\"Say hello\"})).text)\n\n",
           POLLUX_VERSION, TEXT_ARG(info->model), url, url, key, key, url, key, url);
    fflush(stdout);
    log_line(LOG_INFO, "listen", "url=%s keys=%d", url, s->settings.keys.n);
    if (!is_local(s->settings.host) && s->settings.keys.n == 0)
        log_line(LOG_WARN, "listen",
                 "risk=\"whoever reaches this machine is let in; see --api-key\"");
}

/* ---- the whole ---- */

static int open_all(struct server *s)
{
    log_setup((enum log_level)s->settings.log_level,
              (enum log_format)s->settings.log_format);
    catch_signals();
    raise_file_limit();
    s->arena = arena_open();
    int status = open_fetcher(s);
    if (status == SERVE_OK)
        status = open_data_folder(s);
    if (status == SERVE_OK)
        status = open_guard(s);
    if (status == SERVE_OK)
        status = open_engine(s);
    if (status == SERVE_OK)
        status = open_tuning(s);
    if (status == SERVE_OK)
        status = open_caches(s);
    if (status == SERVE_OK)
        status = open_embedder(s);
    if (status == SERVE_OK)
        status = open_rooms(s);
    if (status == SERVE_OK)
        status = open_speech(s);
    if (status != SERVE_OK)
        return status;
    open_api(s);
    return open_port(s);
}

/* Clients go first, which ends their calls; what a worker still has comes back before the
 * api goes. A turn that did not end in time keeps its memory: the process ends now. */
static void close_all(struct server *s)
{
    http_server_close(s->http);
    supervisor_halt(s->supervisor);
    workers_close(s->disk);
    workers_close(s->workers);
    workers_close(s->speakers);
    workers_close(s->fetchers); /* these two may hand on to the readers */
    workers_close(s->gatherers);
    workers_close(s->readers);
    workers_close(s->searchers);
    index_close(s->index); /* before what it reads and embeds with */
    speech_close(s->speech);
    workers_close(s->webhooks);
    workers_close(s->tool_workers);
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
    int fd = (int)signal_fd;
    signal_fd = -1;
    if (fd >= 0)
        close(fd);
    catalogue_close(s->catalogue);
    arena_close(s->arena);
    option_free(table, &s->settings);
}

int serve(int argc, char **argv)
{
    struct server s = {0};
    int n_words = 0, status = SERVE_OK;
    const char **words = mem_alloc((size_t)argc * sizeof *words);
    bool begun =
        command_begin(&command, argc, argv, &s.settings, words, &n_words, &status);
    if (begun && n_words > 0)
        status = command_misuse(&command, "'%s' is one word too many", words[0]);
    free(words);
    if (!begun)
        return status;
    if (status == SERVE_OK)
        status = open_all(&s);
    if (status == SERVE_OK) {
        announce(&s);
        loop_run(s.loop);
    }
    close_all(&s);
    return status;
}

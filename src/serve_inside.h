/* serve_inside.h - what a server has open, for the files that open it.
 *
 * Private to serve.c (signals, the port, the loop's run), serve_options.c (the command
 * line), serve_models.c (engines) and serve_rooms.c (everything else). The main thread.
 */
#ifndef POLLUX_SERVE_INSIDE_H
#define POLLUX_SERVE_INSIDE_H

#include "api/api.h"
#include "base/queue.h"
#include "cli/command.h"
#include "media/media.h"
#include "model/catalogue.h"
#include "serve.h"
#include "tools/code.h"
#include "tools/file_search.h"
#include "tools/mcp.h"
#include "tools/pages.h"
#include "tools/search.h"
#include "tuning/supervisor.h"
#include <limits.h>

/* What the command line says; serve_options.c tells each. */
enum { SERVE_TOOLS = 5 };

struct settings {
    const char *host, *model, *models_dir, *data_dir, *script;
    const char *embedding_model, *guard_model, *guard_script, *blocklist, *readers_dir;
    const char *mmproj, *ocr_languages, *speech_command, *speech_dir;
    const char *packed_dir, *tools_dir, *search_url, *search_key;
    int64_t code_memory, tool_timeout, tool_rounds;
    int64_t port, media_timeout, threads, ctx, parallel, queue, request_limit,
        idle_timeout;
    int64_t file_limit, files_total, batch_hours, caches_total, interaction_days,
        tuning_jobs, fetch_limit, fetch_timeout;
    struct option_list keys, fetch_allow;
    int fetch;
    const char *webhook_secret;
    int search; /* enum provider_kind */
    int safety, kernels, media_sandbox, log_format, log_level;
    bool strict_names, open_files, code_execution;
};

/* Who does what may block. They close in this order: fetchers and gatherers may hand on
 * to the readers. */
enum pool {
    POOL_DISK,
    POOL_WORK,
    POOL_SPEAK,
    POOL_FETCH,
    POOL_GATHER,
    POOL_READ,
    POOL_SEARCH,
    POOL_HOOKS,
    POOL_TOOLS,
    N_POOLS,
};

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
    struct workers *pools[N_POOLS];
    struct fetcher *fetcher;
    struct code *code;
    struct provider *provider;
    struct search_tool *search;
    struct pages_tool *pages;
    struct file_search *file_search;
    struct mcp *mcp;
    const struct tool *tools[SERVE_TOOLS];
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

extern const struct command serve_command;

/* The command line into *settings. False: the command is over, with *status. */
bool serve_read(int argc, char **argv, struct settings *settings, int *status);
void serve_forget(struct settings *settings);

/* Each of these returns SERVE_OK, or says what is wrong and returns how the process is to
 * end. What an option asks for in vain is SERVE_USAGE. */
int serve_fail(int status, const struct error *err);

/* A folder that the owner names, or one of the cache's; "" without a home. */
const char *serve_cache_folder(struct server *s, const char *asked,
                               const char *otherwise);

int serve_open_guard(struct server *s);
int serve_open_engine(struct server *s);
int serve_open_embedder(struct server *s); /* of the engine */

/* All of them, the loop and what lives on it, but the port. */
int serve_open_rooms(struct server *s);

/* In reverse. Whatever is not open is left out. */
void serve_close_rooms(struct server *s);

#endif

/* cache_create.c - cachedContents.create.
 *
 * A task (task.h) with several stages: it is decoded and checked on a worker, its media
 * are read where media are read (prepare.h), its prefix is computed by the engine, and
 * when that lies on the disk it is answered. What is kept of media is what was read in
 * them, and of pictures that the model looks at itself their bytes: the cache does not
 * depend on files that expire before it does. */
#include "api/cached.h"
#include "api/caches.h"
#include "api/models.h"
#include "api/prepare.h"
#include "api/task.h"
#include "api/tuned_use.h"
#include "base/file.h"
#include "base/log.h"

enum { PICTURES_MOST = 20 << 20 /* bytes, of all that are kept as they are */ };

#define HOUR 3600000000000LL

/* task->own. */
struct creation {
    struct task *task;
    struct text tuned;            /* the model's name when it is a tuned one */
    struct cache_adapter adapter; /* its; held by the arena */
    struct wire_cache asked;
    struct wire_kept kept;
    struct cache_entry entry;
    struct chat chat;
    struct prepare prepare;
    size_t n_pictures; /* bytes of those that are kept */
    struct prefix prefixes[PROMPT_FORMS];
    int n_prefixes;
    struct prefix_work *computing; /* NULL: not now */
    struct saved_rows *rows[PROMPT_FORMS];
    int n_rows;
    struct creation *next, **at; /* in api->creations */
};

/* ---- its life ---- */

/* With the task's arena. */
static void close_creation(void *arg)
{
    struct creation *c = arg;
    for (int i = 0; i < c->n_rows; i++)
        rows_release(c->rows[i]);
    *c->at = c->next;
    if (c->next)
        c->next->at = c->at;
}

static void on_left(struct task *task)
{
    struct creation *c = task->own;
    atomic_store(&c->prepare.cancelled, true);
    if (c->computing)
        prefix_cancel(c->computing);
}

/* ---- reading: any thread ---- */

static bool check(struct creation *c)
{
    struct task *task = c->task;
    struct wire_cache *asked = &c->asked;
    struct text name = models_plain(asked->model);
    if (!name.len)
        return error_at(&task->err, "model",
                        "* CreateCachedContentRequest.model: model is not specified\n");
    if (text_starts(name, "tunedModels/"))
        c->tuned = arena_text(task->arena, name);
    else if (!models_serve(task->api, task->version, name, "createCachedContent",
                           &task->err))
        return false;
    if (text_characters(asked->display_name) > CACHE_DISPLAY_NAME_MOST)
        return error_at(&task->err, "display_name",
                        "displayName may have at most %d characters.",
                        CACHE_DISPLAY_NAME_MOST);
    if (!asked->contents.n && !asked->system && !asked->tools.n)
        return error_at(&task->err, "contents",
                        "* CreateCachedContentRequest.contents: there is nothing to be "
                        "cached: neither contents nor systemInstruction nor tools.\n");
    c->entry.model =
        c->tuned.at ? c->tuned : arena_printf(task->arena, "models/%.*s", TEXT_ARG(name));
    c->entry.display_name = asked->display_name;
    return caches_expiry(asked, HOUR, &c->entry.expires, &task->err);
}

static bool run_decode(struct task *task)
{
    struct creation *c = task->own;
    if (!json_read(&wire_cache_type, task->body, &c->asked, task->arena, &task->err) ||
        !check(c))
        return false;
    c->kept = (struct wire_kept){
        .system = c->asked.system,
        .contents = c->asked.contents,
        .tools = c->asked.tools,
        .tool_config = c->asked.tool_config,
    };
    return cached_chat(task->api, &c->kept, task->arena, &c->chat, &task->err) &&
           prepare_begin(&c->prepare);
}

/* A file's bytes are where the readers were shown them. */
static bool take_bytes(struct creation *c, const struct media_source *source,
                       struct text *bytes)
{
    struct buf read = {0};
    struct error why;
    size_t most = PICTURES_MOST - c->n_pictures;
    *bytes = source->bytes;
    if (bytes->at ? bytes->len > most : !file_read(source->path, most, &read, &why))
        return error_at(&c->task->err, "contents",
                        "The media of a CachedContent may have at most %d MB together "
                        "when the model looks at them itself.",
                        PICTURES_MOST >> 20);
    if (!bytes->at)
        *bytes = arena_take(c->task->arena, &read);
    c->n_pictures += bytes->len;
    return true;
}

/* As it is, and with the tokens that it takes here, whatever a request says that uses the
 * cache. */
static bool keep_picture(struct creation *c, const struct part_media *of,
                         struct wire_part *part)
{
    struct arena *arena = c->task->arena;
    struct wire_blob *blob = arena_new(arena, struct wire_blob);
    struct wire_resolution *resolution = arena_new(arena, struct wire_resolution);
    blob->mime_type = text_of(of->reading.type);
    if (of->n_most > 0)
        resolution->n_tokens = (struct json_int){true, of->n_most};
    else
        resolution->level = WIRE_RESOLUTION_HIGH;
    *part =
        (struct wire_part){.blob = blob, .resolution = resolution, .video = part->video};
    return take_bytes(c, &of->source, &blob->data);
}

/* In the place of media stands what was read, or a picture. */
static bool keep_readings(struct creation *c)
{
    struct wire_content *contents = c->kept.contents.at;
    int64_t *n = arena_array(c->task->arena, int64_t, WIRE_MODALITIES);
    for (int i = 0; i < WIRE_MODALITIES; i++)
        n[i] = c->prepare.attached.n_tokens[i];
    for (int i = 0; i < c->chat.n_turns; i++) {
        struct wire_part *parts = contents[i].parts.at;
        for (int k = 0; k < c->chat.turns[i].n_parts; k++) {
            const struct part *part = &c->chat.turns[i].parts[k];
            if (part->media && part->media->shown) {
                n[attach_modality(part->media->reading.kind)] -= part->media->n_tokens;
                if (!keep_picture(c, part->media, &parts[k]))
                    return false;
            } else if (part->media) {
                parts[k] = (struct wire_part){.text = part->text};
            }
        }
    }
    c->kept.n_media = (struct json_list){n, WIRE_MODALITIES};
    return true;
}

/* What prepare.h makes of it. */
static bool make_prefix(struct prepare *p)
{
    struct creation *c = p->host;
    struct buf body = {0};
    if (p->attached.n > 0 && !keep_readings(c))
        return false;
    if (!prefix_find(runner_prompter(p->api->runner), &c->chat, p->arena, c->prefixes,
                     &c->n_prefixes, p->err))
        return false;
    json_encode(&wire_kept_type, &c->kept, false, &body);
    c->entry.body = arena_take(p->arena, &body);
    c->entry.n_tokens = c->n_prefixes > 0 ? c->prefixes[0].n : 0;
    return true;
}

static bool run_keep(struct task *task)
{
    struct creation *c = task->own;
    if (atomic_load(&c->prepare.cancelled))
        return error_set(&task->err, ERROR_CANCELLED, "Nobody waits for the cache.");
    if (!caches_create(task->api->options.caches, &c->entry, &c->adapter, c->rows,
                       c->n_rows, task->arena, &task->err))
        return false;
    struct wire_cache cache = caches_wire(&c->entry, task->arena);
    return task_answer(task, &wire_cache_type, &cache);
}

/* ---- its stages: the loop ---- */

static void on_kept(struct task *task)
{
    const struct creation *c = task->own;
    if (task_heard(task))
        log_line(LOG_INFO, "cache", "id=%.*s tokens=%d rows=%d ms=%.1f",
                 TEXT_ARG(c->entry.id), c->entry.n_tokens, c->n_rows,
                 (double)(now_us() - task->call->rq->since_us) / 1000);
}

static void on_computed(struct saved_rows **rows, int n, const struct error *error,
                        void *arg)
{
    struct creation *c = arg;
    struct task *task = c->task;
    c->computing = NULL;
    c->n_rows = n;
    for (int i = 0; i < n; i++)
        c->rows[i] = rows[i];
    if (error)
        task_fail(task, error);
    else if (task_heard(task))
        task_start(task, run_keep, on_kept);
    task_let_go(task);
}

static void compute(struct creation *c)
{
    struct task *task = c->task;
    if (!task_heard(task))
        return;
    if (c->prepare.attached.n > 0)
        http_set(task->call->rq, "x-pollux-media", c->prepare.attached.header.at);
    if (c->n_prefixes == 0) {
        task_start(task, run_keep, on_kept);
        return;
    }
    c->computing = prefix_start(task->api->runner, c->prefixes, c->n_prefixes,
                                cached_model(&c->entry), c->adapter.loaded, task->arena,
                                on_computed, c, &task->err);
    if (c->computing)
        task_hold(task);
    else
        task_fail(task, &task->err);
}

static void on_media(struct prepare *p)
{
    struct creation *c = p->host;
    struct task *task = c->task;
    if (p->good)
        compute(c);
    else
        task_fail(task, p->err);
    task_let_go(task);
}

static void begin_preparing(struct task *task)
{
    struct creation *c = task->own;
    if (!task_heard(task))
        return;
    if (!prepare_waits(&c->prepare))
        compute(c);
    else if (prepare_read(&c->prepare))
        task_hold(task);
    else
        task_fail(task, &task->err);
}

/* A tuned model is looked up, by a disk worker, and its adapter loaded if need be. */
static bool run_tuned(struct task *task)
{
    struct creation *c = task->own;
    struct tuned tuned = {0};
    if (!tuned_use(task->api, task->who, c->tuned, task->arena, &tuned,
                   &c->adapter.loaded, &task->err))
        return false;
    c->adapter.name = tuned.operation;
    return true;
}

static void on_decoded(struct task *task)
{
    const struct creation *c = task->own;
    if (c->tuned.at && task_heard(task))
        task_start(task, run_tuned, begin_preparing);
    else
        begin_preparing(task);
}

void caches_route_create(struct call *call)
{
    struct task *task = task_open(call);
    struct creation *c = arena_new(task->arena, struct creation);
    c->task = task;
    c->prepare.api = task->api;
    c->prepare.arena = task->arena;
    c->prepare.chat = &c->chat;
    c->prepare.err = &task->err;
    c->prepare.make = make_prefix;
    c->prepare.done = on_media;
    c->prepare.host = c;
    c->at = &call->api->creations;
    c->next = *c->at;
    if (c->next)
        c->next->at = &c->next;
    *c->at = c;
    arena_defer(task->arena, close_creation, c);
    task->own = c;
    task->left = on_left;
    task_deadline(task);
    task_start_on(task, task->api->workers, run_decode, on_decoded);
}

int caches_creating(const struct api *api)
{
    int n = 0;
    for (const struct creation *c = api->creations; c; c = c->next)
        n++;
    return n;
}

void caches_cancel_all(struct api *api)
{
    struct error err;
    api_stops(&err);
    for (struct creation *c = api->creations, *next; c; c = next) {
        next = c->next;
        task_fail(c->task, &err);
    }
}

/* api.c - routes, keys, error replies. */
#include "api/api.h"
#include "api/batch_run.h"
#include "api/batches.h"
#include "api/cached.h"
#include "api/caches.h"
#include "api/embed.h"
#include "api/files.h"
#include "api/generate.h"
#include "api/interact.h"
#include "api/interact_run.h"
#include "api/message.h"
#include "api/models.h"
#include "api/search_stores.h"
#include "api/tuned.h"
#include "api/upload.h"
#include "api/webhook.h"
#include "base/log.h"
#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define JSON_TYPE API_JSON
#define SERVICE "generativelanguage.googleapis.com"

#define RPC "type.googleapis.com/google.rpc."

/* ---- errors ---- */

static int status_of(const struct error *err)
{
    return err->http_status ? err->http_status : error_row(err->code)->http_status;
}

static struct text message_of(const struct error *err)
{
    return text_of(err->message[0] ? err->message : error_row(err->code)->name);
}

void api_error_text(const struct error *err, bool pretty, struct buf *out)
{
    struct wire_violation violation = {text_of(err->field), message_of(err)};
    struct wire_metadata metadata = {TEXT(SERVICE)};
    struct wire_detail details[3] = {0};
    size_t n = 0;
    if (err->field[0])
        details[n++] = (struct wire_detail){.type = TEXT(RPC "BadRequest"),
                                            .violations = {&violation, 1}};
    if (err->reason)
        details[n++] = (struct wire_detail){.type = TEXT(RPC "ErrorInfo"),
                                            .reason = text_of(err->reason),
                                            .domain = TEXT("googleapis.com"),
                                            .metadata = &metadata};
    if (err->retry_ms > 0)
        details[n++] = (struct wire_detail){
            .type = TEXT(RPC "RetryInfo"),
            .retry = {true, (int64_t)err->retry_ms * 1000000},
        };
    struct wire_status status = {
        .code = {true, status_of(err)},
        .message = message_of(err),
        .status = text_of(error_row(err->code)->name),
        .details = {details, n},
    };
    json_encode(&wire_error_type, &(struct wire_error){&status}, pretty, out);
    if (pretty)
        buf_char(out, '\n');
}

static void set_retry_after(struct http_request *rq, int retry_ms)
{
    char seconds[16];
    snprintf(seconds, sizeof seconds, "%d", retry_ms / 1000 + (retry_ms % 1000 > 0));
    http_set(rq, "Retry-After", seconds);
}

void api_error(struct call *call, const struct error *err)
{
    struct buf body = {0};
    if (call->slugs) {
        interact_error(call, err);
        return;
    }
    api_error_text(err, call->pretty, &body);
    if (err->retry_ms > 0)
        set_retry_after(call->rq, err->retry_ms);
    if (err->code == ERROR_UNAUTHENTICATED)
        http_set(call->rq, "WWW-Authenticate", "Bearer");
    http_reply(call->rq, status_of(err), JSON_TYPE, buf_view(&body));
    buf_free(&body);
}

/* What http/ refuses before there is a call. */
static enum error_code code_of_status(int status)
{
    switch (status) {
    case 408:
        return ERROR_DEADLINE_EXCEEDED;
    case 500:
        return ERROR_INTERNAL;
    case 503:
        return ERROR_UNAVAILABLE;
    default:
        return ERROR_INVALID_ARGUMENT;
    }
}

void api_refuse(int status, const char *why, struct buf *body, void *arg)
{
    const struct api *api = arg;
    struct error err;
    if (status == 413)
        error_set(&err, ERROR_INVALID_ARGUMENT,
                  "Request payload size exceeds the limit: %lld bytes.",
                  (long long)api->options.request_limit);
    else
        error_set(&err, code_of_status(status), "%s", why);
    err.http_status = status;
    api_error_text(&err, true, body);
}

/* ---- answers ---- */

void api_reply(struct call *call, const struct json_type *type, const void *message)
{
    struct buf body = {0};
    json_encode(type, message, call->pretty, &body);
    if (call->pretty)
        buf_char(&body, '\n');
    http_reply(call->rq, 200, JSON_TYPE, buf_view(&body));
    buf_free(&body);
}

static void health(struct call *call)
{
    bool good = !call->api->stopping;
    http_reply(call->rq, good ? 200 : 503, JSON_TYPE,
               good ? TEXT("{\"status\":\"ok\"}\n")
                    : TEXT("{\"status\":\"stopping\"}\n"));
}

static void welcome(struct call *call)
{
    http_reply(call->rq, 200, "text/plain; charset=UTF-8",
               TEXT("This is Pollux, a self-hosted Gemini API server.\n\n"
                    "Point a Gemini client's base URL here, or try:\n"
                    "  GET  /v1beta/models\n"
                    "  POST /v1beta/models/gemini-2.0-flash:generateContent\n\n"
                    "What is served and what is not: docs/wire.md\n"));
}

/* ---- keys ---- */

/* Takes as long for a wrong key as for the right one; only the length can be told. */
static bool same_key(struct text given, struct text key)
{
    unsigned char differs = given.len != key.len;
    for (size_t i = 0; i < key.len; i++)
        differs |= (unsigned char)(key.at[i] ^ (i < given.len ? given.at[i] : 0));
    return differs == 0;
}

static bool is_key(const struct api *api, struct text given)
{
    bool found = false;
    for (int i = 0; i < api->options.n_keys; i++)
        found |= same_key(given, text_of(api->options.keys[i]));
    return found && given.len > 0;
}

static struct text bearer(const struct http_request *rq)
{
    struct text token, header = http_header(rq, "Authorization");
    struct text scheme = text_cut(header, ' ', &token);
    return text_is_nocase(scheme, "Bearer") ? token : (struct text){0};
}

bool api_let_in(const struct call *call, struct error *err)
{
    const struct api *api = call->api;
    if (api->options.n_keys == 0)
        return true;
    struct text query = http_query(call->rq, "key");
    struct text header = http_header(call->rq, "x-goog-api-key");
    struct text token = bearer(call->rq);
    if (is_key(api, query) || is_key(api, header) || is_key(api, token))
        return true;
    if (query.len || header.len) {
        error_set(err, ERROR_INVALID_ARGUMENT,
                  "API key not valid. Please pass a valid API key.");
        err->reason = "API_KEY_INVALID";
        return false;
    }
    if (token.len)
        return error_set(err, ERROR_UNAUTHENTICATED, "The access token is not valid.");
    return error_set(err, ERROR_PERMISSION_DENIED,
                     "Method doesn't allow unregistered callers (callers without "
                     "established identity). Please use API Key or other form of API "
                     "consumer identity to call this API.");
}

/* The key that lets the call in. */
static struct text key_of(const struct call *call)
{
    struct text keys[] = {http_query(call->rq, "key"),
                          http_header(call->rq, "x-goog-api-key"), bearer(call->rq)};
    for (int i = 0; i < 3; i++)
        if (is_key(call->api, keys[i]))
            return keys[i];
    return (struct text){0};
}

/* 64 bits of the key's hash: enough to tell the keys of one server apart. */
struct text api_caller(const struct call *call, struct arena *arena)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    struct text key = key_of(call);
    if (call->api->options.n_keys == 0)
        return (struct text){0};
    if (!EVP_Digest(key.at, key.len, hash, &n, EVP_sha256(), NULL))
        n = 0;
    char hex[17] = "0";
    for (unsigned i = 0; i < n && i < 8; i++)
        snprintf(hex + 2 * (size_t)i, 3, "%02x", hash[i]);
    return arena_text(arena, text_of(hex));
}

/* ---- routes ---- */

struct route {
    const char *method;  /* GET is HEAD's, too */
    const char *pattern; /* after the version; {} is the rest of one segment before a
                          * verb, at most two of them. With a / in front: as it stands */
    void (*handle)(struct call *call);
    unsigned flags;
};

enum {
    OPEN = 1,      /* no key needed */
    OPEN_FILE = 2, /* likewise, where the owner wants it (--open-files) */
    FILES = 4,     /* needs a place for files */
    ARRIVES = 8,   /* handled when the header is there; its body comes in pieces */
    BATCHES = 16,  /* needs a place for batches */
    CACHES = 32,   /* needs a place for caches */
    TUNED = 64,    /* needs a place for tuned models */
    SEARCH = 128,  /* needs an index */
};

/* clang-format off */
static const struct route routes[] = {
    {"POST", "models/{}:generateContent",            generate_unary,  false},
    {"POST", "models/{}:streamGenerateContent",      generate_stream, false},
    {"POST", "models/{}:countTokens",                generate_count,  false},
    {"POST", "models/{}:embedContent",               embed_one,       false},
    {"POST", "models/{}:batchEmbedContents",         embed_batch,     false},
    {"POST", "models/{}:batchGenerateContent",       batches_route_generate, BATCHES},
    {"POST", "models/{}:asyncBatchEmbedContent",     batches_route_embed,    BATCHES},
    {"GET",  "models",                               models_list,     false},
    {"GET",  "models/{}",                            models_get,      false},
    {"GET",  "/healthz",                             health,          true},
    {"GET",  "/",                                    welcome,         true},

    {"POST",   "tunedModels/{}:generateContent",       generate_tuned,        TUNED},
    {"POST",   "tunedModels/{}:streamGenerateContent", generate_tuned_stream, TUNED},
    {"POST",   "tunedModels/{}:countTokens",           generate_tuned_count,  TUNED},
    {"POST",   "tunedModels",                          tuned_route_create,    TUNED},
    {"GET",    "tunedModels",                          tuned_route_list,      TUNED},
    {"GET",    "tunedModels/{}",                       tuned_route_get,       TUNED},
    {"PATCH",  "tunedModels/{}",                       tuned_route_patch,     TUNED},
    {"DELETE", "tunedModels/{}",                       tuned_route_delete,    TUNED},
    {"POST",   "tunedModels/{}:cancel",                tuned_route_cancel,    TUNED},
    {"POST",   "tunedModels/{}:transferOwnership",     tuned_route_transfer,  TUNED},
    {"GET",    "tunedModels/{}:export",                tuned_route_export,    TUNED},
    {"POST",   "tunedModels:import",                   tuned_route_import,    TUNED | FILES},
    {"GET",    "tunedModels/{}/operations",            tuned_route_operations, TUNED},
    {"GET",    "tunedModels/{}/operations/{}",         tuned_route_operation, TUNED},
    {"POST",   "tunedModels/{}/operations/{}:cancel",  tuned_route_operation_cancel, TUNED},
    {"POST",   "tunedModels/{}/operations/{}:wait",    tuned_route_operation_wait, TUNED},
    {"POST",   "tunedModels/{}/permissions",           tuned_route_grant,     TUNED},
    {"GET",    "tunedModels/{}/permissions",           tuned_route_permissions, TUNED},
    {"GET",    "tunedModels/{}/permissions/{}",        tuned_route_permission, TUNED},
    {"PATCH",  "tunedModels/{}/permissions/{}",        tuned_route_permission_patch, TUNED},
    {"DELETE", "tunedModels/{}/permissions/{}",        tuned_route_permission_delete, TUNED},

    {"GET",    "batches",                     batches_route_list,   BATCHES},
    {"GET",    "batches/{}",                  batches_route_get,    BATCHES},
    {"DELETE", "batches/{}",                  batches_route_delete, BATCHES},
    {"PATCH",  "batches/{}:updateGenerateContentBatch", batches_route_change_generate, BATCHES},
    {"PATCH",  "batches/{}:updateEmbedContentBatch",    batches_route_change_embed,    BATCHES},
    {"POST",   "batches/{}:cancel",           batches_route_cancel, BATCHES},

    {"POST",   "fileSearchStores",                      search_route_create,    SEARCH},
    {"GET",    "fileSearchStores",                      search_route_list,      SEARCH},
    {"GET",    "fileSearchStores/{}",                   search_route_get,       SEARCH},
    {"DELETE", "fileSearchStores/{}",                   search_route_delete,    SEARCH},
    {"POST",   "fileSearchStores/{}:importFile",        search_route_import,    SEARCH},
    {"POST",   "fileSearchStores/{}:query",             search_route_query,     SEARCH},
    {"GET",    "fileSearchStores/{}/operations/{}",     search_route_operation, SEARCH},
    {"GET",    "fileSearchStores/{}/upload/operations/{}", search_route_upload_operation, SEARCH},
    {"GET",    "fileSearchStores/{}/documents",         search_route_documents, SEARCH},
    {"GET",    "fileSearchStores/{}/documents/{}",      search_route_document,  SEARCH},
    {"DELETE", "fileSearchStores/{}/documents/{}",      search_route_document_delete, SEARCH},
    {"POST",   "/upload/{v}/fileSearchStores/{}:uploadToFileSearchStore", upload_arrive, SEARCH | FILES | OPEN | ARRIVES},
    {"PUT",    "/upload/{v}/fileSearchStores/{}:uploadToFileSearchStore", upload_arrive, SEARCH | FILES | OPEN | ARRIVES},
    {"DELETE", "/upload/{v}/fileSearchStores/{}:uploadToFileSearchStore", upload_arrive, SEARCH | FILES | OPEN | ARRIVES},

    {"GET",    "files",                       files_route_list,     FILES},
    {"POST",   "files:register",              files_route_register, FILES},
    {"GET",    "files/{}:download",           files_route_download, FILES},
    {"GET",    "files/{}",                    files_route_get,      FILES | OPEN_FILE},
    {"DELETE", "files/{}",                    files_route_delete,   FILES},
    {"POST",   "/upload/{v}/files",           upload_arrive,        FILES | OPEN | ARRIVES},
    {"PUT",    "/upload/{v}/files",           upload_arrive,        FILES | OPEN | ARRIVES},
    {"DELETE", "/upload/{v}/files",           upload_arrive,        FILES | OPEN | ARRIVES},
    {"POST",   "/resumable/upload/{v}/files", upload_arrive,        FILES | OPEN | ARRIVES},
    {"PUT",    "/resumable/upload/{v}/files", upload_arrive,        FILES | OPEN | ARRIVES},
    {"DELETE", "/resumable/upload/{v}/files", upload_arrive,        FILES | OPEN | ARRIVES},
    {"POST",   "cachedContents",              caches_route_create,  CACHES},
    {"GET",    "cachedContents",              caches_route_list,    CACHES},
    {"GET",    "cachedContents/{}",           caches_route_get,     CACHES},
    {"PATCH",  "cachedContents/{}",           caches_route_patch,   CACHES},
    {"DELETE", "cachedContents/{}",           caches_route_delete,  CACHES},
    {"GET",    "/$discovery/rest",            files_route_discovery, FILES | OPEN},

    {"POST",   "interactions",                interact_create, 0},
    {"GET",    "interactions/{}",             interact_get,    0},
    {"DELETE", "interactions/{}",             interact_delete, 0},
    {"POST",   "interactions/{}/cancel",      interact_cancel, 0},
};
/* clang-format on */

static const char *const versions[] = {"v1", "v1beta", "v1alpha"};

static const size_t n_routes = sizeof routes / sizeof routes[0];

static bool is_version(struct text text)
{
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
        if (text_is(text, versions[i]))
            return true;
    return false;
}

/* "/upload/{v}/files": the version is not in front. */
static bool fits_version(const char *pattern, const char *hole, struct text path)
{
    struct text before = {pattern, (size_t)(hole - pattern)};
    const char *after = hole + strlen("{v}");
    return path.len > before.len + strlen(after) &&
           text_same(text_slice(path, 0, before.len), before) && text_ends(path, after) &&
           is_version(text_slice(path, before.len, path.len - strlen(after)));
}

/* "tunedModels/{}/operations/{}:cancel": what stands for the first hole is cut off, with
 * the words between. */
static const char *cut_first(const char *pattern, const char *hole, struct text *path,
                             struct text *name)
{
    struct text before = {pattern, (size_t)(hole - pattern)}, rest;
    const char *after = hole + 2;
    if (path->len < before.len || !text_same(text_slice(*path, 0, before.len), before))
        return NULL;
    *name = text_cut(text_slice(*path, before.len, path->len), '/', &rest);
    if (name->len == 0 || !rest.at)
        return NULL;
    *path = (struct text){rest.at - 1, rest.len + 1};
    return after;
}

/* "/upload/{v}/fileSearchStores/{}:verb": the version is cut off, with what is before. */
static const char *cut_middle_version(const char *pattern, const char *hole,
                                      struct text *path)
{
    struct text before = {pattern, (size_t)(hole - pattern)}, rest;
    if (path->len < before.len || !text_same(text_slice(*path, 0, before.len), before))
        return NULL;
    struct text version = text_cut(text_slice(*path, before.len, path->len), '/', &rest);
    if (!rest.at || !is_version(version))
        return NULL;
    *path = rest;
    return hole + strlen("{v}/");
}

/* A custom verb is what follows the last colon of the last segment. */
static bool fits(const char *pattern, struct text path, struct text *name,
                 struct text *sub)
{
    const char *hole = strstr(pattern, "{}"), *version = strstr(pattern, "{v}");
    if (hole && strstr(hole + 2, "{}")) {
        struct text first;
        const char *rest = cut_first(pattern, hole, &path, &first);
        if (!rest || !fits(rest, path, sub, NULL))
            return false;
        *name = first;
        return true;
    }
    if (version && hole) {
        const char *rest = cut_middle_version(pattern, version, &path);
        return rest && fits(rest, path, name, sub);
    }
    if (version)
        return fits_version(pattern, version, path);
    if (!hole)
        return text_is(path, pattern);
    struct text before = {pattern, (size_t)(hole - pattern)};
    const char *after = hole + 2;
    if (path.len <= before.len + strlen(after) || !text_ends(path, after) ||
        !text_same(text_slice(path, 0, before.len), before))
        return false;
    *name = text_slice(path, before.len, path.len - strlen(after));
    bool has_verb = *after != '\0';
    return !memchr(name->at, '/', name->len) &&
           (has_verb || !memchr(name->at, ':', name->len));
}

/* Leaves in *rest what follows the version; absent when the path has none. */
static struct text cut_version(struct text path, struct text *rest)
{
    struct text version = text_cut(text_slice(path, 1, path.len), '/', rest);
    if (is_version(version))
        return version;
    *rest = (struct text){0};
    return *rest;
}

/* The documentation's shell sample polls files/"files/abc", quotes and all. */
static struct text plain_file(const struct call *call, struct text rest)
{
    if (!rest.at ||
        (!text_starts(rest, "files/\"") && !text_starts(rest, "files/files/")))
        return rest;
    return arena_printf(call->rq->arena, "files/%.*s", TEXT_ARG(files_plain_id(rest)));
}

/* The documentation's shell sample downloads from /download/v1beta/files/abc:download. */
static struct text plain_path(const struct http_request *rq)
{
    bool is_download =
        text_starts(rq->path, "/download/") && text_ends(rq->path, ":download");
    return text_slice(rq->path, is_download ? strlen("/download") : 0, rq->path.len);
}

static bool is_for(const struct route *route, struct text method)
{
    return text_is(method, route->method) ||
           (text_is(method, "HEAD") && strcmp(route->method, "GET") == 0);
}

/* The call's route, or NULL: then *others has the methods that the path has routes for.
 */
static const struct route *find_route(struct call *call, struct buf *others)
{
    struct text rest;
    call->version = cut_version(plain_path(call->rq), &rest);
    call->slugs = text_is(rest, "interactions") || text_starts(rest, "interactions/");
    rest = plain_file(call, rest);
    for (const struct route *r = routes; r < routes + n_routes; r++) {
        struct text path = r->pattern[0] == '/' ? call->rq->path : rest;
        if (!path.at || !fits(r->pattern, path, &call->name, &call->sub))
            continue;
        if (is_for(r, call->rq->method))
            return r;
        buf_printf(others, "%s%s, ", r->method,
                   strcmp(r->method, "GET") == 0 ? ", HEAD" : "");
    }
    return NULL;
}

static void refuse_route(struct call *call, struct buf *others)
{
    const struct http_request *rq = call->rq;
    struct error err;
    if (others->len) {
        buf_str(others, "OPTIONS");
        http_set(call->rq, "Allow", others->at);
        error_set(&err, ERROR_UNIMPLEMENTED, "%.*s does not go with %.*s; try %s.",
                  TEXT_ARG(text_slice(rq->method, 0, 20)),
                  TEXT_ARG(text_slice(rq->path, 0, 300)), others->at);
        err.http_status = 405;
    } else {
        error_set(&err, ERROR_NOT_FOUND,
                  "There is no method %.*s %.*s in this API; docs/wire.md lists those "
                  "that there are.",
                  TEXT_ARG(text_slice(rq->method, 0, 20)),
                  TEXT_ARG(text_slice(rq->path, 0, 300)));
    }
    api_error(call, &err);
}

static bool is_open(const struct api *api, const struct route *route)
{
    return route->flags & OPEN || (route->flags & OPEN_FILE && api->options.open_files);
}

/* What the route needs and the server has no place for; NULL: nothing. */
static const char *lacks(const struct api_options *options, const struct route *route)
{
    if (route->flags & FILES && !options->files)
        return "files";
    if (route->flags & BATCHES && !options->batches)
        return "files and batches";
    if (route->flags & TUNED && !options->tuning)
        return "tuned models";
    if (route->flags & SEARCH && !options->index)
        return "search stores";
    return route->flags & CACHES && !options->caches ? "caches" : NULL;
}

static void refuse_place(struct call *call, const char *things)
{
    struct error err;
    error_set(&err, ERROR_UNIMPLEMENTED, "This server has no place for %s.", things);
    api_error(call, &err);
}

static void route_call(struct call *call)
{
    struct buf others = {0};
    struct error err = {0};
    const char *lacking;
    const struct route *route = find_route(call, &others);
    if (!route)
        refuse_route(call, &others);
    else if (!is_open(call->api, route) && !api_let_in(call, &err))
        api_error(call, &err);
    else if ((lacking = lacks(&call->api->options, route)))
        refuse_place(call, lacking);
    else
        route->handle(call);
    buf_free(&others);
}

/* ---- browsers ---- */

/* Any page may call: a key, not an origin, is what lets in. */
static void preflight(struct call *call)
{
    struct text asked = http_header(call->rq, "Access-Control-Request-Headers");
    http_set(call->rq, "Access-Control-Allow-Methods",
             "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    http_set(call->rq, "Access-Control-Allow-Headers", asked.at ? asked.at : "*");
    http_set(call->rq, "Access-Control-Max-Age", "86400");
    http_reply(call->rq, 200, NULL, TEXT(""));
}

/* ---- calls ---- */

static void on_gone(struct http_request *rq)
{
    struct call *call = rq->user;
    if (call->gone)
        call->gone(call);
}

static void on_done(struct http_request *rq)
{
    struct call *call = rq->user;
    call->api->n_calls--;
    bool trouble = rq->status >= 500 || rq->status == 429;
    if (!call->logged)
        log_line(trouble ? LOG_WARN : LOG_DEBUG, "http",
                 "method=%.*s path=%.*s status=%d bytes=%lld ms=%.1f",
                 TEXT_ARG(rq->method), TEXT_ARG(rq->path), rq->status,
                 (long long)rq->n_sent, (double)(now_us() - rq->since_us) / 1000);
    if (call->closed)
        call->closed(call);
}

static struct call *open_call(struct http_request *rq, struct api *api)
{
    struct call *call = arena_new(rq->arena, struct call);
    *call = (struct call){.api = api, .rq = rq};
    call->pretty = api_flag(call, "prettyPrint", api_flag(call, "$prettyPrint", true));
    rq->user = call;
    rq->gone = on_gone;
    rq->done = on_done;
    api->n_calls++;
    http_set(rq, "Access-Control-Allow-Origin", "*");
    return call;
}

/* Only of those whose body is to come in pieces. */
void api_arrive(struct http_request *rq, void *arg)
{
    struct api *api = arg;
    struct buf others = {0};
    struct call asked = {.api = api, .rq = rq};
    if (!text_starts(rq->path, "/upload/") &&
        !text_starts(rq->path, "/resumable/upload/"))
        return;
    const struct route *route = find_route(&asked, &others);
    buf_free(&others);
    if (!route || !(route->flags & ARRIVES) || lacks(&api->options, route))
        return;
    struct call *call = open_call(rq, api);
    call->version = asked.version;
    call->name = asked.name;
    route->handle(call);
}

void api_handle(struct http_request *rq, void *arg)
{
    struct call *call = open_call(rq, arg);
    if (text_is(rq->method, "OPTIONS"))
        preflight(call);
    else
        route_call(call);
}

/* ---- the api ---- */

enum { SWEEP_MS = 60000 };

struct sweep {
    struct work work; /* first */
    struct api *api;
};

static void on_sweep(void *arg);

static void run_sweep(struct work *work)
{
    const struct api_options *options = &((struct sweep *)work)->api->options;
    if (options->files)
        files_sweep(options->files);
    if (options->batches)
        batches_sweep(options->batches);
    if (options->interactions)
        interactions_sweep(options->interactions);
    if (options->caches)
        caches_sweep(options->caches);
}

static void end_sweep(struct work *work)
{
    struct api *api = ((struct sweep *)work)->api;
    free(work);
    batch_run_look(api);
    if (!api->stopping)
        api->sweep = loop_after(api->loop, SWEEP_MS, on_sweep, api);
}

static void on_sweep(void *arg)
{
    struct api *api = arg;
    struct sweep *sweep = mem_alloc(sizeof *sweep);
    *sweep = (struct sweep){{.run = run_sweep, .done = end_sweep}, api};
    api->sweep = NULL;
    workers_push(api->options.disk, &sweep->work);
}

struct api *api_open(struct loop *loop, struct runner *runner, struct workers *workers,
                     const struct api_options *options)
{
    struct api *api = mem_alloc(sizeof *api);
    *api = (struct api){
        .loop = loop, .runner = runner, .workers = workers, .options = *options};
    embed_begin(api);
    if (options->files || options->interactions)
        api->sweep = loop_after(loop, SWEEP_MS, on_sweep, api);
    irun_recover(api);
    api->webhooks = webhooks_open(api);
    batch_run_open(api);
    return api;
}

void api_close(struct api *api)
{
    if (!api)
        return;
    assert(api_busy(api) == 0);
    batch_run_close(api);
    embed_end(api);
    webhooks_close(api->webhooks);
    loop_cancel(api->loop, api->sweep);
    free(api);
}

void api_stop(struct api *api)
{
    api->stopping = true;
    batch_run_stop(api);
}

void api_cancel(struct api *api)
{
    for (struct generation *g = api->generations; g; g = generate_next(g))
        generate_cancel(g);
    embed_cancel_all(api);
    irun_stop_all(api);
    for (struct upload_call *u = api->uploads; u; u = upload_next(u))
        upload_stop(u);
    caches_cancel_all(api);
    cached_cancel_all(api);
}

int api_busy(const struct api *api)
{
    int n = api->n_calls;
    for (const struct generation *g = api->generations; g; g = generate_next(g))
        n++;
    for (const struct upload_call *u = api->uploads; u; u = upload_next(u))
        n++;
    return n + embed_count(api) + batch_run_busy(api) + irun_count(api) +
           webhooks_busy(api->webhooks) + caches_creating(api) + cached_count(api);
}

/* route.c - which handler a request is for. */
#include "api/route.h"
#include "api/batches.h"
#include "api/caches.h"
#include "api/embed.h"
#include "api/files.h"
#include "api/generate.h"
#include "api/interact.h"
#include "api/models.h"
#include "api/search_stores.h"
#include "api/tuned.h"
#include "api/upload.h"
#include <stdlib.h>

/* ---- of our own ---- */

static void health(struct call *call)
{
    bool good = !call->api->stopping;
    http_reply(call->rq, good ? 200 : 503, API_JSON,
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

/* ---- the table ---- */

/* clang-format off */
static const struct route routes[] = {
    {"POST", "models/{}:generateContent",            generate_unary,  0},
    {"POST", "models/{}:streamGenerateContent",      generate_stream, 0},
    {"POST", "models/{}:countTokens",                generate_count,  0},
    {"POST", "models/{}:embedContent",               embed_one,       0},
    {"POST", "models/{}:batchEmbedContents",         embed_batch,     0},
    {"POST", "models/{}:batchGenerateContent",       batches_route_generate, BATCHES},
    {"POST", "models/{}:asyncBatchEmbedContent",     batches_route_embed,    BATCHES},
    {"GET",  "models",                               models_list,     0},
    {"GET",  "models/{}",                            models_get,      0},
    {"GET",  "/healthz",                             health,          OPEN},
    {"GET",  "/",                                    welcome,         OPEN},

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
    if (sub && hole && strstr(hole + 2, "{}")) {
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

const struct route *route_find(struct call *call, struct buf *others)
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

const char *route_lacks(const struct api_options *options, const struct route *route)
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

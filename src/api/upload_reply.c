/* upload_reply.c - uploads: what the client is told. */
#include "api/files.h"
#include "api/search_message.h"
#include "api/upload_inside.h"
#include <stdio.h>

enum { GRANULARITY = 256 * 1024 };

static void set_size_received(struct upload_call *u)
{
    char size[24];
    snprintf(size, sizeof size, "%lld", (long long)u->received);
    http_set(u->call->rq, "X-Goog-Upload-Size-Received", size);
}

static void set_exposed(struct http_request *rq)
{
    http_set(rq, "Access-Control-Expose-Headers",
             "X-Goog-Upload-URL, X-Goog-Upload-Status, X-Goog-Upload-Size-Received, "
             "X-Goog-Upload-Chunk-Granularity, X-GUploader-UploadID, Location, Range");
}

static void reply_error(struct upload_call *u)
{
    bool session = u->upload_id.at && u->err.code != ERROR_NOT_FOUND;
    if (session && !u->head.media) {
        http_set(u->call->rq, "X-Goog-Upload-Status", "active");
        set_size_received(u);
    }
    api_error(u->call, &u->err);
}

static void reply_start(struct upload_call *u)
{
    struct http_request *rq = u->call->rq;
    struct text url =
        arena_printf(u->arena, "%.*s%.*s?upload_id=%.*s&%s=resumable", TEXT_ARG(u->base),
                     TEXT_ARG(u->path), TEXT_ARG(u->new_id),
                     u->head.media ? "uploadType" : "upload_protocol");
    http_set(rq, "X-GUploader-UploadID", u->new_id.at);
    if (u->head.media) {
        http_set(rq, "Location", url.at);
    } else {
        char granularity[16];
        snprintf(granularity, sizeof granularity, "%d", GRANULARITY);
        http_set(rq, "X-Goog-Upload-URL", url.at);
        http_set(rq, "X-Goog-Upload-Status", "active");
        http_set(rq, "X-Goog-Upload-Chunk-Granularity", granularity);
    }
    http_reply(rq, 200, "text/plain; charset=UTF-8", TEXT(""));
}

static void reply_file(struct upload_call *u)
{
    struct wire_file file = wire_file_of(&u->file, u->base, u->arena);
    struct wire_upload answer = {&file};
    http_set(u->call->rq, "X-Goog-Upload-Status", "final");
    if (u->upload_id.at)
        set_size_received(u);
    if (u->store.at) {
        struct wire_import operation = wire_import_of(&u->document, true, u->arena);
        api_reply(u->call, &wire_import_type, &operation);
        return;
    }
    api_reply(u->call, &wire_upload_type, &answer);
}

/* There is more to come. */
static void reply_progress(struct upload_call *u)
{
    struct http_request *rq = u->call->rq;
    if (u->head.media) {
        if (u->received > 0)
            http_set(
                rq, "Range",
                arena_printf(u->arena, "bytes=0-%lld", (long long)u->received - 1).at);
        http_reply(rq, 308, NULL, TEXT(""));
        return;
    }
    http_set(rq, "X-Goog-Upload-Status", "active");
    set_size_received(u);
    http_reply(rq, 200, "text/plain; charset=UTF-8", TEXT(""));
}

static void reply_cancelled(struct upload_call *u)
{
    http_set(u->call->rq, "X-Goog-Upload-Status", "cancelled");
    http_reply(u->call->rq, 200, API_JSON, TEXT("{}\n"));
}

static void reply_well(struct upload_call *u)
{
    set_exposed(u->call->rq);
    if (u->is_file)
        reply_file(u);
    else if (u->head.verb == UPLOAD_START)
        reply_start(u);
    else if (u->head.verb == UPLOAD_CANCEL)
        reply_cancelled(u);
    else
        reply_progress(u);
}

void upload_reply(struct upload_call *u)
{
    (u->good ? reply_well : reply_error)(u);
}

/* upload.c - bytes of files, in every way that clients send them.
 *
 * An upload's bytes go from the socket into one of two buffers; while the disk worker
 * hashes and writes the one, the other fills. When both are full the connection rests,
 * and TCP holds the client up: 256 KB is what an upload costs, however long it is. One
 * job at a time is at work for each, so its steps are in order:
 *
 *     OPEN  take hold of the session, or begin a direct upload
 *     WRITE a full buffer; now and then make sure that it is on the disk
 *     CLOSE what the request asked for in the end, and let go
 *
 * An upload to a file search store is the same, and a document in the end: what was said
 * of that is kept by index/ from the session's start.
 *
 * A client that leaves in the middle has its last bytes written and its session let go:
 * what arrived is where it goes on. When a second request comes for a session that is
 * still held, the first one's client has most likely lost its connection and tries again:
 * its line is cut, and the second waits until the session is let go. */
#include "api/upload.h"
#include "api/files.h"
#include "api/upload_inside.h"
#include "base/log.h"
#include <stdlib.h>

static void advance(struct upload_call *u);

/* ---- its life ---- */

struct upload_call *upload_next(const struct upload_call *u)
{
    return u->next;
}

static void push(struct upload_call *u, void (*run)(struct work *),
                 void (*done)(struct work *))
{
    u->at_work = true;
    u->work.run = run;
    u->work.done = done;
    workers_push(u->api->options.disk, &u->work);
}

static struct upload_call *holder_of(struct api *api, struct text upload_id,
                                     const struct upload_call *but)
{
    for (struct upload_call *u = upload_id.at ? api->uploads : NULL; u; u = u->next)
        if (u != but && u->step != WAITING && text_same(u->upload_id, upload_id))
            return u;
    return NULL;
}

static void release(struct upload_call *u)
{
    struct api *api = u->api;
    *u->at = u->next;
    if (u->next)
        u->next->at = u->at;
    struct text id = u->upload_id;
    struct upload_call *waiting = api->uploads;
    while (waiting &&
           !(waiting->step == WAITING && id.at && text_same(waiting->upload_id, id)))
        waiting = waiting->next;
    if (u->multipart)
        multipart_close(u->multipart);
    buf_free(&u->metadata);
    free(u->filling);
    free(u->writing);
    arena_close(u->arena);
    if (waiting)
        advance(waiting);
}

/* ---- its steps ---- */

/* The worker's word comes to the loop. */
static struct upload_call *come_back(struct work *work)
{
    struct upload_call *u = (struct upload_call *)work;
    u->at_work = false;
    if (u->good && !u->ran)
        u->err = u->ran_err;
    u->good = u->good && u->ran;
    return u;
}

static void on_closed_upload(struct work *work)
{
    struct upload_call *u = come_back(work);
    if (u->call && !u->answered)
        upload_reply(u);
    if (u->call)
        u->call->own = NULL;
    release(u);
}

/* What was filled is to be written. Not while the worker is at work. */
static void swap_buffers(struct upload_call *u)
{
    char *full = u->filling;
    u->filling = u->writing;
    u->writing = full;
    u->n_writing = u->n_filling;
    u->n_filling = 0;
}

static void close_upload(struct upload_call *u)
{
    u->step = CLOSING;
    u->wanted = u->complete && u->call && !u->answered;
    swap_buffers(u);
    push(u, upload_run_close, on_closed_upload);
}

/* Whether this piece fits on what is there. */
static bool check_piece(struct upload_call *u)
{
    const struct upload_head *head = &u->head;
    if (u->was_complete || head->verb != UPLOAD_PIECE)
        return true;
    if (head->total >= 0 && u->declared >= 0 && head->total != u->declared)
        return error_set(&u->err, ERROR_INVALID_ARGUMENT,
                         "Content-Range tells a total of %lld bytes, and the upload's "
                         "start told %lld.",
                         (long long)head->total, (long long)u->declared);
    if (head->offset > u->received)
        return error_set(&u->err, ERROR_INVALID_ARGUMENT,
                         "The piece begins at byte %lld, but only %lld bytes came so "
                         "far: go on from there.",
                         (long long)head->offset, (long long)u->received);
    if (!head->adds)
        return u->length <= 0 ||
               error_set(&u->err, ERROR_INVALID_ARGUMENT,
                         "X-Goog-Upload-Command has no upload, but the request a body.");
    u->skip = u->received - head->offset;
    return u->declared < 0 || u->length < 0 || head->offset + u->length <= u->declared ||
           error_set(&u->err, ERROR_INVALID_ARGUMENT,
                     "The piece ends at byte %lld, and the upload's start told %lld.",
                     (long long)head->offset + u->length, (long long)u->declared);
}

static void on_opened(struct work *work)
{
    struct upload_call *u = come_back(work);
    u->step = TAKING;
    u->good = u->good && check_piece(u);
    if (u->call)
        http_more(u->call->rq);
    advance(u);
}

static void on_written(struct work *work)
{
    struct upload_call *u = come_back(work);
    if (u->call)
        http_more(u->call->rq);
    advance(u);
}

static void start_writing(struct upload_call *u)
{
    swap_buffers(u);
    push(u, upload_run_write, on_written);
}

static void advance(struct upload_call *u)
{
    if (u->at_work || u->step == CLOSING)
        return;
    bool over = !u->call || u->answered || !u->good;
    if (over || (u->step == TAKING && u->complete)) {
        close_upload(u);
    } else if (u->step == TAKING && upload_is_full(u)) {
        start_writing(u);
    } else if (u->step == WAITING && !holder_of(u->api, u->upload_id, u)) {
        u->step = OPENING;
        push(u, upload_run_open, on_opened);
    }
}

/* ---- the body ---- */

static size_t take(struct http_request *rq, struct text bytes)
{
    struct upload_call *u = ((struct call *)rq->user)->own;
    if (!u || u->answered) /* http/ throws the rest away */
        return bytes.len;
    if (!bytes.at) {
        u->complete = true;
        if (u->good) /* else it may be closing, and the worker's */
            u->good = upload_end_body(u);
        advance(u);
        return 0;
    }
    if (!u->good) /* the answer comes when the session is let go */
        return bytes.len;
    size_t n = upload_take_bytes(u, bytes);
    u->n_taken += (int64_t)n;
    advance(u);
    return n;
}

/* ---- beginning and leaving ---- */

static void on_gone(struct call *call)
{
    struct upload_call *u = call->own;
    if (u)
        u->answered = true;
}

static void on_closed(struct call *call)
{
    struct upload_call *u = call->own;
    if (!u)
        return;
    u->call = NULL;
    advance(u);
}

void upload_stop(struct upload_call *u)
{
    if (!u->call || u->answered || u->step == CLOSING)
        return;
    struct error err;
    api_stops(&err);
    u->answered = true;
    api_error(u->call, &err);
    advance(u);
}

static bool read_head(struct call *call, struct upload_head *head, struct text *upload_id,
                      struct error *err)
{
    const struct http_request *rq = call->rq;
    const struct upload_lines lines = {
        .method = rq->method,
        .content_type = http_header(rq, "Content-Type"),
        .content_range = http_header(rq, "Content-Range"),
        .upload_id = http_query(rq, "upload_id"),
        .upload_type = http_query(rq, "uploadType"),
        .upload_protocol = http_query(rq, "upload_protocol"),
        .protocol = http_header(rq, "X-Goog-Upload-Protocol"),
        .command = http_header(rq, "X-Goog-Upload-Command"),
        .offset = http_header(rq, "X-Goog-Upload-Offset"),
        .told_length = http_header(rq, "X-Goog-Upload-Header-Content-Length"),
        .told_type = http_header(rq, "X-Goog-Upload-Header-Content-Type"),
        .file_name = http_header(rq, "X-Goog-Upload-File-Name"),
        .media_length = http_header(rq, "X-Upload-Content-Length"),
        .media_type = http_header(rq, "X-Upload-Content-Type"),
        .length = rq->length,
    };
    *upload_id = lines.upload_id;
    return upload_head_read(&lines, head, err);
}

static void open_upload(struct call *call, const struct upload_head *head,
                        struct text upload_id, struct text base)
{
    struct arena *arena = arena_open();
    struct upload_call *u = arena_new(arena, struct upload_call);
    struct api *api = call->api;
    *u = (struct upload_call){
        .arena = arena,
        .api = api,
        .call = call,
        .head = *head,
        .upload_id = arena_text(arena, upload_id),
        .base = arena_text(arena, base),
        .path = arena_text(arena, call->rq->path),
        .store = arena_text(arena, call->name),
        .length = call->rq->length,
        .good = true,
        .declared = -1,
        .next = api->uploads,
        .at = &api->uploads,
    };
    u->head.mime_type = arena_text(arena, head->mime_type);
    u->head.file_name = arena_text(arena, head->file_name);
    u->wish.size = -1;
    if (u->next)
        u->next->at = &u->next;
    api->uploads = u;
    call->own = u;
    call->gone = on_gone;
    call->closed = on_closed;
}

/* The first client of a session that is asked for again is cut off. */
static void cut_off(struct upload_call *u)
{
    struct upload_call *first = holder_of(u->api, u->upload_id, u);
    if (!first || first->complete || !first->call)
        return;
    log_line(LOG_INFO, "upload", "cut=1 why=\"another request goes on with it\"");
    first->answered = true;
    http_drop(first->call->rq);
    advance(first);
}

void upload_arrive(struct call *call)
{
    struct upload_head head;
    struct text upload_id = {0}, base = {0};
    struct error err = {0};
    call->rq->take = take;
    bool good = read_head(call, &head, &upload_id, &err);
    if (!upload_id.at && !api_let_in(call, &err))
        good = false;
    if (!good || !files_base(call, &base, &err)) {
        api_error(call, &err);
        return;
    }
    open_upload(call, &head, upload_id, base);
    struct upload_call *u = call->own;
    u->good = upload_begin_body(u, http_header(call->rq, "Content-Type"));
    if (head.verb == UPLOAD_START)
        u->step = TAKING; /* there is nothing to open */
    else if (upload_id.at)
        cut_off(u);
    advance(u);
}

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
#include "api/search_message.h"
#include "api/upload_head.h"
#include "base/log.h"
#include "files/upload.h"
#include "http/multipart.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    BUFFER = 128 * 1024,
    SPARE = 512, /* of a buffer: what multipart may hold back and give later */
    METADATA_MOST = 256 * 1024,
    CHECKPOINT = 32 << 20, /* bytes that a crash may cost a session */
    GRANULARITY = 256 * 1024,
};

enum step { WAITING, OPENING, TAKING, CLOSING };

struct upload_call {
    struct work work; /* first */
    struct arena *arena;
    struct api *api;
    struct call *call; /* NULL: the client is gone */
    struct upload_head head;
    struct text upload_id, new_id, base, path;
    int64_t length; /* of the body, as it is told */
    enum step step;
    bool at_work;
    bool good, ran;            /* by the loop's word, and by the worker's last job's */
    struct error err, ran_err; /* likewise */
    bool complete;             /* the body is */
    bool answered;             /* or cannot be any more: what still comes is of no use */
    bool wanted;               /* when it is closed, what the request asked for is done */

    struct buf metadata; /* of a start, and of a multipart's first part */
    struct multipart *multipart;
    struct upload_wish wish;
    bool wished; /* the upload knows it */

    struct upload *upload; /* the worker's while at work */
    int64_t skip;          /* bytes of this piece that are there already */
    int64_t n_taken;       /* of the body */
    char *filling, *writing;
    size_t n_filling, n_writing;
    int64_t n_unkept;

    int64_t received, declared; /* when the session was opened, and when it was closed */
    bool was_complete, is_file;
    struct file file;

    struct text store; /* the file is to be a document of; absent: of none */
    struct index_wish document_wish;
    struct index_document document;
    struct upload_call *next, **at;
};

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

/* ---- the worker's half ---- */

static bool make_wish(struct upload_call *u)
{
    if (u->wished || u->upload_id.at)
        return true; /* a session knows it from its start */
    u->wished = upload_set_wish(u->upload, &u->wish, &u->ran_err);
    return u->wished;
}

static bool write_buffer(struct upload_call *u)
{
    struct text bytes = {u->writing, u->n_writing};
    u->n_writing = 0;
    if (bytes.len == 0)
        return true;
    if (!make_wish(u) || !upload_add(u->upload, bytes, &u->ran_err))
        return false;
    u->n_unkept += (int64_t)bytes.len;
    if (u->n_unkept < CHECKPOINT)
        return true;
    u->n_unkept = 0;
    return upload_keep(u->upload, &u->ran_err);
}

static void run_write(struct work *work)
{
    struct upload_call *u = (struct upload_call *)work;
    u->ran = write_buffer(u);
}

static void run_open(struct work *work)
{
    struct upload_call *u = (struct upload_call *)work;
    struct files *files = u->api->options.files;
    u->upload = u->upload_id.at ? upload_take(files, u->upload_id, &u->ran_err)
                                : upload_direct(files, &u->ran_err);
    u->ran = u->upload != NULL;
    if (!u->ran)
        return;
    u->received = upload_received(u->upload);
    u->declared = upload_declared(u->upload);
    u->was_complete = upload_complete(u->upload);
}

static bool make_document(struct upload_call *u)
{
    struct index *index = u->api->options.index;
    struct text name = arena_printf(u->arena, "files/%.*s", TEXT_ARG(u->file.id));
    if (u->upload_id.at)
        return index_receive(index, u->store, u->upload_id, name, u->arena, &u->document,
                             &u->ran_err);
    return index_import(index, u->store, name, &u->document_wish, u->arena, &u->document,
                        &u->ran_err);
}

/* The session goes again when the store does not want it. */
static bool begin_session(struct upload_call *u)
{
    struct files *files = u->api->options.files;
    struct error ignored;
    if (!upload_begin(files, &u->wish, u->arena, &u->new_id, &u->ran_err))
        return false;
    if (!u->store.at || index_expect(u->api->options.index, u->store, u->new_id,
                                     &u->document_wish, &u->ran_err))
        return true;
    struct upload *upload = upload_take(files, u->new_id, &ignored);
    if (upload)
        upload_cancel(upload, &ignored);
    return false;
}

static bool finish_upload(struct upload_call *u)
{
    if (!make_wish(u))
        return false;
    if (u->declared < 0 && u->head.total >= 0 && !u->was_complete &&
        u->head.total != upload_received(u->upload))
        return error_set(&u->ran_err, ERROR_INVALID_ARGUMENT,
                         "Content-Range tells a total of %lld bytes; %lld came.",
                         (long long)u->head.total, (long long)upload_received(u->upload));
    u->is_file = upload_finish(u->upload, u->arena, &u->file, &u->ran_err) &&
                 (!u->store.at || make_document(u));
    return u->is_file;
}

static bool close_well(struct upload_call *u)
{
    switch (u->head.verb) {
    case UPLOAD_START:
        return begin_session(u);
    case UPLOAD_CANCEL: {
        struct upload *upload = u->upload;
        u->upload = NULL; /* cancelling lets go */
        return upload_cancel(upload, &u->ran_err);
    }
    case UPLOAD_QUERY:
        return u->was_complete || u->head.total == u->received
                   ? finish_upload(u)
                   : upload_keep(u->upload, &u->ran_err);
    default:
        return u->head.finishes || u->was_complete ? finish_upload(u)
                                                   : upload_keep(u->upload, &u->ran_err);
    }
}

/* Whatever went wrong, what came stays, and the session is free for the next request. */
static void run_close(struct work *work)
{
    struct upload_call *u = (struct upload_call *)work;
    struct error ignored;
    u->ran = true;
    if (u->upload && u->good)
        u->ran = write_buffer(u);
    if (u->wanted && u->good && u->ran)
        u->ran = close_well(u);
    if (!u->upload)
        return;
    upload_keep(u->upload, &ignored);
    u->received = upload_received(u->upload);
    upload_leave(u->upload);
    u->upload = NULL;
}

/* ---- answers ---- */

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

/* ---- the loop's half ---- */

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
        (u->good ? reply_well : reply_error)(u);
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
    push(u, run_close, on_closed_upload);
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
    push(u, run_write, on_written);
}

static void advance(struct upload_call *u)
{
    if (u->at_work || u->step == CLOSING)
        return;
    bool over = !u->call || u->answered || !u->good;
    if (over || (u->step == TAKING && u->complete)) {
        close_upload(u);
    } else if (u->step == TAKING && u->n_filling >= BUFFER - SPARE) {
        start_writing(u);
    } else if (u->step == WAITING && !holder_of(u->api, u->upload_id, u)) {
        u->step = OPENING;
        push(u, run_open, on_opened);
    }
}

/* ---- the body ---- */

static void fill(struct upload_call *u, struct text bytes)
{
    if (!u->filling) {
        u->filling = mem_alloc(BUFFER);
        u->writing = mem_alloc(BUFFER);
    }
    memcpy(u->filling + u->n_filling, bytes.at, bytes.len);
    u->n_filling += bytes.len;
}

static bool add_metadata(struct upload_call *u, struct text bytes, struct error *err)
{
    if (u->metadata.len + bytes.len > METADATA_MOST)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "What is told of a file may have at most %d bytes.",
                         METADATA_MOST);
    buf_text(&u->metadata, bytes);
    return true;
}

/* Of a document; its file has the same name. */
static bool read_document_wish(struct upload_call *u, struct error *err)
{
    struct wire_document_wish message;
    if (!json_read(&wire_upload_wish_type, buf_view(&u->metadata), &message, u->arena,
                   err) ||
        !wire_wish_read(&message, u->arena, &u->document_wish, err))
        return false;
    if (!u->document_wish.display_name.len)
        u->document_wish.display_name = u->head.file_name;
    u->wish.display_name = u->document_wish.display_name;
    u->wish.mime_type = u->head.mime_type.len ? u->head.mime_type : message.mime_type;
    if (!message.mime_type.len)
        u->document_wish.mime_type = u->wish.mime_type;
    u->wish.size = u->head.size;
    return true;
}

/* The header's word is taken before the message's; two lengths must agree. */
static bool read_wish(struct upload_call *u, struct error *err)
{
    struct wire_upload message;
    if (u->store.at)
        return read_document_wish(u, err);
    if (!json_read(&wire_upload_type, buf_view(&u->metadata), &message, u->arena, err))
        return false;
    const struct wire_file none = {0}, *file = message.file ? message.file : &none;
    int64_t size = u->head.size;
    if (file->size.set && size >= 0 && file->size.is != size)
        return error_at(err, "file.size_bytes",
                        "sizeBytes is %lld, and the header tells a length of %lld.",
                        (long long)file->size.is, (long long)size);
    if (text_starts(file->name, "files/"))
        u->wish.id = files_plain_id(file->name);
    else if (file->name.len)
        u->wish.id = file->name;
    u->wish.display_name =
        file->display_name.len ? file->display_name : u->head.file_name;
    if (u->head.mime_type.len)
        u->wish.mime_type = u->head.mime_type;
    else if (!u->wish.mime_type.len && file->mime_type.len)
        u->wish.mime_type = file->mime_type;
    u->wish.size = size >= 0 ? size : file->size.set ? file->size.is : -1;
    return true;
}

/* A multipart's parts: what is told of the file, then the file. */
static bool on_part(void *arg, int part, struct text type, struct text encoding,
                    struct error *err)
{
    struct upload_call *u = arg;
    bool plain = !encoding.len || text_is_nocase(encoding, "binary") ||
                 text_is_nocase(encoding, "8bit") || text_is_nocase(encoding, "7bit");
    if (!plain)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "The Content-Transfer-Encoding %.*s is not supported: send the "
                         "part as it is (binary).",
                         TEXT_ARG(text_slice(encoding, 0, 50)));
    if (part > 1)
        return error_set(
            err, ERROR_INVALID_ARGUMENT,
            "A multipart upload has two parts: JSON, then the file's bytes.");
    if (part == 0)
        return true;
    if (!read_wish(u, err))
        return false;
    if (type.len && !u->wish.mime_type.len)
        u->wish.mime_type = arena_text(u->arena, type);
    return true;
}

static bool on_part_bytes(void *arg, int part, struct text bytes, struct error *err)
{
    struct upload_call *u = arg;
    if (part == 0)
        return add_metadata(u, bytes, err);
    fill(u, bytes);
    return true;
}

static bool end_body(struct upload_call *u)
{
    if (u->length >= 0 && u->n_taken != u->length)
        return error_set(&u->err, ERROR_INVALID_ARGUMENT, "The body came short.");
    if (u->head.verb == UPLOAD_START)
        return read_wish(u, &u->err);
    if (!u->multipart)
        return true;
    if (!multipart_finish(u->multipart, &u->err))
        return false;
    return u->multipart->n_parts == 2 ||
           error_set(&u->err, ERROR_INVALID_ARGUMENT,
                     "A multipart upload has two parts: JSON, then the file's bytes.");
}

static size_t room(const struct upload_call *u)
{
    return u->n_filling < BUFFER - SPARE ? BUFFER - SPARE - u->n_filling : 0;
}

/* Takes what there is room for. */
static size_t take_bytes(struct upload_call *u, struct text bytes)
{
    if (u->head.verb == UPLOAD_START) {
        u->good = add_metadata(u, bytes, &u->err);
        return bytes.len;
    }
    if (u->step != TAKING)
        return 0;
    if (u->was_complete || u->head.verb == UPLOAD_QUERY ||
        u->head.verb == UPLOAD_CANCEL || (int64_t)bytes.len <= u->skip) {
        u->skip -= (int64_t)bytes.len;
        return bytes.len;
    }
    size_t skipped = u->skip > 0 ? (size_t)u->skip : 0;
    u->skip -= (int64_t)skipped;
    bytes = text_slice(bytes, skipped, skipped + room(u));
    if (u->multipart)
        u->good = multipart_add(u->multipart, bytes, &u->err);
    else
        fill(u, bytes);
    return skipped + bytes.len;
}

static size_t take(struct http_request *rq, struct text bytes)
{
    struct upload_call *u = ((struct call *)rq->user)->own;
    if (!u || u->answered) /* http/ throws the rest away */
        return bytes.len;
    if (!bytes.at) {
        u->complete = true;
        u->good = u->good && end_body(u);
        advance(u);
        return 0;
    }
    if (!u->good) /* the answer comes when the session is let go */
        return bytes.len;
    size_t n = take_bytes(u, bytes);
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
    error_set(&err, ERROR_UNAVAILABLE, "The server is stopping.");
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

static bool prepare_body(struct upload_call *u, struct text content_type)
{
    if (u->head.verb == UPLOAD_MULTIPART) {
        u->multipart = arena_new(u->arena, struct multipart);
        if (!multipart_open(u->multipart, content_type, &u->err))
            return false;
        u->multipart->begin = on_part;
        u->multipart->bytes = on_part_bytes;
        u->multipart->arg = u;
    }
    return u->head.verb != UPLOAD_RAW || read_wish(u, &u->err);
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
    u->good = prepare_body(u, http_header(call->rq, "Content-Type"));
    if (head.verb == UPLOAD_START)
        u->step = TAKING; /* there is nothing to open */
    else if (upload_id.at)
        cut_off(u);
    advance(u);
}

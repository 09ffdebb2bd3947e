/* files.c - files.*: get, list, delete, download.
 *
 * Each is one job on a disk worker: the loop starts it and answers when it is back. A
 * download is such a job again and again: a piece is read when the last one has left. A
 * job has an arena of its own, for its client may go while the disk is at work. */
#include "api/files.h"
#include "json/write.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { PAGE = 10, PAGE_MOST = 100, PIECE = 256 * 1024 };

struct file_job {
    struct work work; /* first */
    struct arena *arena;
    struct api *api;
    struct call *call; /* NULL: the client is gone */
    bool (*run)(struct file_job *job);
    void (*done)(struct file_job *job); /* it went well, and the client is there */
    bool at_work, good, over;
    struct error err;

    struct text id, base; /* what is asked */
    struct text token;
    int page_size;

    struct file *list; /* what came of it */
    int n;
    struct text next;
    struct file file;

    int fd; /* a download's: closed with the arena */
    int64_t at, end;
    char *piece;
    size_t piece_len;
};

/* ---- its life ---- */

static void release(struct file_job *job)
{
    if (!job->call && !job->at_work)
        arena_close(job->arena);
}

static void on_closed(struct call *call)
{
    struct file_job *job = call->own;
    job->call = NULL;
    release(job);
}

static void run_job(struct work *work)
{
    struct file_job *job = (struct file_job *)work;
    job->good = job->run(job);
}

static void finish_job(struct work *work)
{
    struct file_job *job = (struct file_job *)work;
    job->at_work = false;
    if (!job->call || job->over)
        release(job);
    else if (job->good)
        job->done(job);
    else
        api_error(job->call, &job->err);
}

static void start(struct file_job *job, bool (*run)(struct file_job *),
                  void (*done)(struct file_job *))
{
    job->run = run;
    job->done = done;
    job->at_work = true;
    job->work.run = run_job;
    job->work.done = finish_job;
    workers_push(job->api->options.disk, &job->work);
}

static void on_gone(struct call *call)
{
    ((struct file_job *)call->own)->over = true;
}

/* NULL: answered already. */
static struct file_job *open_job(struct call *call)
{
    struct text base;
    struct error err;
    if (!files_base(call, &base, &err)) {
        api_error(call, &err);
        return NULL;
    }
    struct arena *arena = arena_open();
    struct file_job *job = arena_new(arena, struct file_job);
    job->arena = arena;
    job->api = call->api;
    job->call = call;
    job->base = arena_text(arena, base);
    job->id = arena_text(arena, files_plain_id(call->name));
    call->own = job;
    call->gone = on_gone;
    call->closed = on_closed;
    return job;
}

/* ---- names and addresses ---- */

struct text files_plain_id(struct text name)
{
    while (name.len && (name.at[0] == '"' || text_starts(name, "files/")))
        name = text_slice(name, name.at[0] == '"' ? 1 : strlen("files/"), name.len);
    while (name.len && name.at[name.len - 1] == '"')
        name.len--;
    return name;
}

static bool is_made_of(struct text text, const char *more)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || !strchr(more, c)))
            return false;
    }
    return text.len > 0 && text.len < 300;
}

/* Of a list, which several proxies make, the first: the client's own. */
static struct text first_of(const struct call *call, const char *name)
{
    struct text rest;
    struct text first = text_cut(http_header(call->rq, name), ',', &rest);
    while (first.len && first.at[first.len - 1] == ' ')
        first.len--;
    return first;
}

bool files_base(const struct call *call, struct text *base, struct error *err)
{
    struct text host = first_of(call, "X-Forwarded-Host");
    struct text proto = first_of(call, "X-Forwarded-Proto");
    struct text prefix = first_of(call, "X-Forwarded-Prefix");
    if (!is_made_of(host, ".-_:[]"))
        host = http_header(call->rq, "Host");
    if (!is_made_of(host, ".-_:[]"))
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "The request has no usable Host header.");
    bool tls = text_is_nocase(proto, "https");
    if (!is_made_of(prefix, "/.-_~") || prefix.at[0] != '/')
        prefix = TEXT("");
    while (prefix.len && prefix.at[prefix.len - 1] == '/')
        prefix.len--;
    *base = arena_printf(call->rq->arena, "%s://%.*s%.*s", tls ? "https" : "http",
                         TEXT_ARG(host), TEXT_ARG(prefix));
    return true;
}

/* ---- get, delete ---- */

static bool run_get(struct file_job *job)
{
    return files_get(job->api->options.files, job->id, job->arena, &job->file, &job->err);
}

static void reply_file(struct file_job *job)
{
    struct wire_file file = wire_file_of(&job->file, job->base, job->arena);
    api_reply(job->call, &wire_file_type, &file);
}

void files_route_get(struct call *call)
{
    struct file_job *job = open_job(call);
    if (job)
        start(job, run_get, reply_file);
}

static bool run_delete(struct file_job *job)
{
    return files_delete(job->api->options.files, job->id, &job->err);
}

static void reply_nothing(struct file_job *job)
{
    http_reply(job->call->rq, 200, API_JSON, TEXT("{}\n"));
}

void files_route_delete(struct call *call)
{
    struct file_job *job = open_job(call);
    if (job)
        start(job, run_delete, reply_nothing);
}

/* ---- list ---- */

static bool run_list(struct file_job *job)
{
    return files_list(job->api->options.files, job->page_size, job->token, job->arena,
                      &job->list, &job->n, &job->next, &job->err);
}

static void reply_list(struct file_job *job)
{
    struct wire_file *files =
        arena_array(job->arena, struct wire_file, (size_t)job->n + 1);
    for (int i = 0; i < job->n; i++)
        files[i] = wire_file_of(&job->list[i], job->base, job->arena);
    struct wire_files list = {{files, (size_t)job->n}, job->next};
    api_reply(job->call, &wire_files_type, &list);
}

void files_route_list(struct call *call)
{
    struct error err;
    int size;
    if (!api_page_size(call, PAGE, PAGE_MOST, &size, &err)) {
        api_error(call, &err);
        return;
    }
    struct file_job *job = open_job(call);
    if (!job)
        return;
    job->page_size = size;
    job->token = arena_text(job->arena, http_query(call->rq, "pageToken"));
    start(job, run_list, reply_list);
}

/* ---- download ---- */

static bool run_open(struct file_job *job)
{
    struct text name = arena_printf(job->arena, "files/%.*s", TEXT_ARG(job->id));
    if (!files_id_is_good(job->id))
        return files_get(job->api->options.files, job->id, job->arena, &job->file,
                         &job->err);
    job->piece = arena_alloc(job->arena, PIECE);
    return files_find(job->api->options.files, name, job->arena, &job->file, &job->fd,
                      &job->err);
}

static bool run_read(struct file_job *job)
{
    int64_t most = job->end - job->at < PIECE ? job->end - job->at : PIECE;
    ssize_t n;
    do
        n = pread(job->fd, job->piece, (size_t)most, job->at);
    while (n < 0 && errno == EINTR);
    job->piece_len = n > 0 ? (size_t)n : 0;
    return true;
}

/* When the disk fails here the answer has begun: all that is left is to break it off. */
static void write_piece(struct file_job *job)
{
    struct http_request *rq = job->call->rq;
    if (job->piece_len == 0) {
        http_drop(rq);
        return;
    }
    job->at += (int64_t)job->piece_len;
    bool last = job->at == job->end;
    http_write(rq, (struct text){job->piece, job->piece_len}); /* the client may go */
    if (last)
        http_end(rq);
}

static void on_drained(struct http_request *rq)
{
    struct file_job *job = ((struct call *)rq->user)->own;
    if (!job->at_work && job->at < job->end)
        start(job, run_read, write_piece);
}

static bool is_digits(struct text text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
    return true;
}

/* "bytes=5-", "bytes=-5", "bytes=0-4". Other forms mean all of it, as HTTP allows. */
static bool read_range(struct text range, int64_t size, int64_t *from, int64_t *end)
{
    struct text last;
    if (!text_starts(range, "bytes=") || memchr(range.at, ',', range.len))
        return false;
    struct text first = text_cut(text_slice(range, 6, range.len), '-', &last);
    if (!last.at || first.len > 18 || last.len > 18 || first.len + last.len == 0 ||
        !is_digits(first) || !is_digits(last))
        return false;
    /* The text ends with its header's NUL, and a number at what is no digit. */
    int64_t a = strtoll(first.at, NULL, 10), b = strtoll(last.at, NULL, 10);
    if (first.len == 0) {
        *from = b < size ? size - b : 0;
        *end = size;
    } else {
        *from = a;
        *end = last.len && b < size ? b + 1 : size;
    }
    return true;
}

static void refuse_range(struct file_job *job)
{
    struct error err;
    struct text all = arena_printf(job->arena, "bytes */%lld", (long long)job->file.size);
    http_set(job->call->rq, "Content-Range", all.at);
    error_set(&err, ERROR_OUT_OF_RANGE, "The file has %lld bytes.",
              (long long)job->file.size);
    err.http_status = 416;
    api_error(job->call, &err);
}

static void begin_download(struct file_job *job)
{
    struct http_request *rq = job->call->rq;
    int64_t size = job->file.size;
    job->end = size;
    bool part = read_range(http_header(rq, "Range"), size, &job->at, &job->end);
    if (part && (job->at >= size || job->end <= job->at)) {
        refuse_range(job);
        return;
    }
    if (part)
        http_set(rq, "Content-Range",
                 arena_printf(job->arena, "bytes %lld-%lld/%lld", (long long)job->at,
                              (long long)job->end - 1, (long long)size)
                     .at);
    http_set(rq, "Accept-Ranges", "bytes");
    /* What somebody uploaded must not run as a page of this server. */
    http_set(rq, "X-Content-Type-Options", "nosniff");
    http_set(rq, "Content-Security-Policy", "sandbox");
    if (size == 0) {
        http_reply(rq, 200, job->file.mime_type.at, TEXT(""));
        return;
    }
    rq->drained = on_drained;
    http_stream_of(rq, part ? 206 : 200, job->file.mime_type.at, job->end - job->at);
}

void files_route_download(struct call *call)
{
    struct error err;
    if (!text_is(http_query(call->rq, "alt"), "media")) {
        error_at(&err, "alt",
                 "A download needs alt=media; without :download the answer "
                 "is what there is to know of the file.");
        api_error(call, &err);
        return;
    }
    struct file_job *job = open_job(call);
    if (job)
        start(job, run_open, begin_download);
}

/* ---- others ---- */

void files_route_register(struct call *call)
{
    struct error err;
    error_set(&err, ERROR_UNIMPLEMENTED,
              "files.register is of objects in Google's cloud storage, which Pollux does "
              "not reach. Upload the file instead: POST /upload/v1beta/files.");
    api_error(call, &err);
}

/* ---- discovery ---- */

static void write_method(struct json_writer *w)
{
    static const char *const protocols[] = {"simple", "resumable"};
    json_begin(w, '{');
    json_key(w, "id");
    json_text(w, TEXT("generativelanguage.media.upload"));
    json_key(w, "path");
    json_text(w, TEXT("v1beta/files"));
    json_key(w, "flatPath");
    json_text(w, TEXT("v1beta/files"));
    json_key(w, "httpMethod");
    json_text(w, TEXT("POST"));
    json_key(w, "parameters");
    json_raw(w, TEXT("{}"));
    json_key(w, "request");
    json_raw(w, TEXT("{\"$ref\":\"CreateFileRequest\"}"));
    json_key(w, "response");
    json_raw(w, TEXT("{\"$ref\":\"CreateFileResponse\"}"));
    json_key(w, "supportsMediaUpload");
    json_bool(w, true);
    json_key(w, "mediaUpload");
    json_begin(w, '{');
    json_key(w, "accept");
    json_raw(w, TEXT("[\"*/*\"]"));
    json_key(w, "protocols");
    json_begin(w, '{');
    for (int i = 0; i < 2; i++) {
        json_key(w, protocols[i]);
        json_begin(w, '{');
        json_key(w, "multipart");
        json_bool(w, true);
        json_key(w, "path");
        json_text(w, i == 0 ? TEXT("/upload/v1beta/files")
                            : TEXT("/resumable/upload/v1beta/files"));
        json_end(w, '}');
    }
    json_end(w, '}');
    json_end(w, '}');
    json_end(w, '}');
}

/* As much of the public document as a client needs to upload: the legacy Python library
 * builds that one method from it. Other methods it does not look up here. */
void files_route_discovery(struct call *call)
{
    struct buf body = {0};
    struct text base = {0};
    struct error err;
    if (!files_base(call, &base, &err)) {
        api_error(call, &err);
        return;
    }
    struct json_writer w = json_writer(&body, call->pretty);
    json_begin(&w, '{');
    json_key(&w, "kind");
    json_text(&w, TEXT("discovery#restDescription"));
    json_key(&w, "name");
    json_text(&w, TEXT("generativelanguage"));
    json_key(&w, "version");
    json_text(&w, TEXT("v1beta"));
    json_key(&w, "id");
    json_text(&w, TEXT("generativelanguage:v1beta"));
    json_key(&w, "rootUrl");
    json_text(&w, arena_printf(call->rq->arena, "%.*s/", TEXT_ARG(base)));
    json_key(&w, "baseUrl");
    json_text(&w, arena_printf(call->rq->arena, "%.*s/", TEXT_ARG(base)));
    json_key(&w, "servicePath");
    json_text(&w, TEXT(""));
    json_key(&w, "batchPath");
    json_text(&w, TEXT("batch"));
    json_key(&w, "parameters");
    json_raw(&w, TEXT("{\"key\":{\"type\":\"string\",\"location\":\"query\"},"
                      "\"alt\":{\"type\":\"string\",\"location\":\"query\"}}"));
    json_key(&w, "schemas");
    json_raw(&w, TEXT("{\"File\":{\"id\":\"File\",\"type\":\"object\"},"
                      "\"CreateFileRequest\":{\"id\":\"CreateFileRequest\",\"type\":"
                      "\"object\",\"properties\":{\"file\":{\"$ref\":\"File\"}}},"
                      "\"CreateFileResponse\":{\"id\":\"CreateFileResponse\",\"type\":"
                      "\"object\",\"properties\":{\"file\":{\"$ref\":\"File\"}}}}"));
    json_key(&w, "resources");
    json_begin(&w, '{');
    json_key(&w, "media");
    json_begin(&w, '{');
    json_key(&w, "methods");
    json_begin(&w, '{');
    json_key(&w, "upload");
    write_method(&w);
    for (int i = 0; i < 4; i++)
        json_end(&w, '}');
    http_reply(call->rq, 200, API_JSON, buf_view(&body));
    buf_free(&body);
}

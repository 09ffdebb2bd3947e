/* files.c - files.*: get, list, delete, download.
 *
 * Each is a task (task.h) on a disk worker. */
#include "api/files.h"
#include "api/send.h"
#include "api/task.h"
#include "json/write.h"

enum { PAGE = 10, PAGE_MOST = 100 };

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

/* task->own of each: what the addresses of files begin with. */
struct asked {
    struct text base;
    struct file file; /* of a download */
    int fd;
};

/* NULL: answered already. */
static struct task *open_task(struct call *call)
{
    struct text base;
    struct error err;
    if (!files_base(call, &base, &err)) {
        api_error(call, &err);
        return NULL;
    }
    struct task *task = task_open(call);
    struct asked *asked = arena_new(task->arena, struct asked);
    asked->base = arena_text(task->arena, base);
    task->own = asked;
    task->id = arena_text(task->arena, files_plain_id(call->name));
    return task;
}

static void run_call(struct call *call, task_run *run, task_done *done)
{
    struct task *task = open_task(call);
    if (task)
        task_start(task, run, done);
}

static struct wire_file wire_of(const struct task *task, const struct file *file)
{
    return wire_file_of(file, ((const struct asked *)task->own)->base, task->arena);
}

static bool run_get(struct task *task)
{
    struct file file;
    if (!files_get(task->api->options.files, task->id, task->arena, &file, &task->err))
        return false;
    struct wire_file wire = wire_of(task, &file);
    return task_answer(task, &wire_file_type, &wire);
}

void files_route_get(struct call *call)
{
    run_call(call, run_get, NULL);
}

static bool run_delete(struct task *task)
{
    return files_delete(task->api->options.files, task->id, &task->err) &&
           task_answer_nothing(task);
}

void files_route_delete(struct call *call)
{
    run_call(call, run_delete, NULL);
}

/* ---- list ---- */

static bool run_list(struct task *task)
{
    struct file *list;
    struct wire_files wire = {0};
    int n;
    if (!files_list(task->api->options.files, task->page_size, task->token, task->arena,
                    &list, &n, &wire.next_page, &task->err))
        return false;
    struct wire_file *files = arena_array(task->arena, struct wire_file, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        files[i] = wire_of(task, &list[i]);
    wire.files = (struct json_list){files, (size_t)n};
    return task_answer(task, &wire_files_type, &wire);
}

void files_route_list(struct call *call)
{
    struct task *task = open_task(call);
    if (task && task_page(task, PAGE, PAGE_MOST))
        task_start(task, run_list, NULL);
}

/* ---- download ---- */

static bool run_open(struct task *task)
{
    struct asked *asked = task->own;
    struct files *files = task->api->options.files;
    struct text name = arena_printf(task->arena, "files/%.*s", TEXT_ARG(task->id));
    if (!files_id_is_good(task->id))
        return files_get(files, task->id, task->arena, &asked->file, &task->err);
    return files_find(files, name, task->arena, &asked->file, &asked->fd, &task->err);
}

/* "bytes=5-", "bytes=-5", "bytes=0-4". Other forms mean all of it, as HTTP allows. */
static bool read_range(struct text range, int64_t size, int64_t *from, int64_t *end)
{
    struct text last;
    int64_t a = 0, b = 0;
    if (!text_starts(range, "bytes=") || memchr(range.at, ',', range.len))
        return false;
    struct text first = text_cut(text_slice(range, 6, range.len), '-', &last);
    if (!last.at || first.len + last.len == 0 || (first.len && !text_number(first, &a)) ||
        (last.len && !text_number(last, &b)))
        return false;
    if (first.len == 0) {
        *from = b < size ? size - b : 0;
        *end = size;
    } else {
        *from = a;
        *end = last.len && b < size ? b + 1 : size;
    }
    return true;
}

static void refuse_range(struct task *task, int64_t size)
{
    struct error err;
    struct text all = arena_printf(task->arena, "bytes */%lld", (long long)size);
    http_set(task->call->rq, "Content-Range", all.at);
    error_set(&err, ERROR_OUT_OF_RANGE, "The file has %lld bytes.", (long long)size);
    err.http_status = 416;
    task_fail(task, &err);
}

static void begin_download(struct task *task)
{
    if (!task_heard(task))
        return;
    const struct asked *asked = task->own;
    struct http_request *rq = task->call->rq;
    int64_t size = asked->file.size;
    struct send_range range = {asked->fd, 0, size};
    bool part = read_range(http_header(rq, "Range"), size, &range.from, &range.end);
    if (part && (range.from >= size || range.end <= range.from)) {
        refuse_range(task, size);
        return;
    }
    if (part)
        http_set(rq, "Content-Range",
                 arena_printf(task->arena, "bytes %lld-%lld/%lld", (long long)range.from,
                              (long long)range.end - 1, (long long)size)
                     .at);
    http_set(rq, "Accept-Ranges", "bytes");
    /* What somebody uploaded must not run as a page of this server. */
    http_set(rq, "X-Content-Type-Options", "nosniff");
    http_set(rq, "Content-Security-Policy", "sandbox");
    if (size == 0)
        http_reply(rq, 200, asked->file.mime_type.at, TEXT(""));
    else
        send_file(task, part ? 206 : 200, asked->file.mime_type.at, &range);
}

void files_route_download(struct call *call)
{
    struct error err;
    if (text_is(http_query(call->rq, "alt"), "media")) {
        run_call(call, run_open, begin_download);
        return;
    }
    error_at(&err, "alt",
             "A download needs alt=media; without :download the answer "
             "is what there is to know of the file.");
    api_error(call, &err);
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

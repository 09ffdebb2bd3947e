/* client.c - libcurl, driven by its multi interface so that Ctrl-C is seen within 50 ms.
 *
 * The answer's first bytes decide where the rest goes: with status 200 to the caller's
 * buffer or event reader, otherwise to `refusal`, which is read as the API's error. */
#include "cli/client.h"
#include "base/arena.h"
#include "cli/cli.h"
#include "cli/command.h"
#include "cli/term.h"
#include "json/schema.h"
#include <curl/curl.h>
#include <stdlib.h>

enum {
    TICK_MS = 50,
    CONNECT_S = 10,
    MOST_REFUSAL = 1 << 20,
    MOST_ANSWER = 256 << 20,
};

struct client {
    const char *base_url, *api_key;
    volatile sig_atomic_t *interrupted;
    int timeout_s;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    char curl_says[CURL_ERROR_SIZE];

    /* Of the call in hand. */
    struct buf *answer;                   /* NULL in a stream */
    const struct client_request *request; /* NULL: a GET, or a POST of a string */
    FILE *from, *to;    /* NULL: the body is a string, the answer goes to a buffer */
    const char *header; /* NULL: none more */
    struct curl_slist *extra;
    struct sse sse;
    sse_event *event;
    void *arg;
    struct buf refusal;
    bool refused_inside; /* an event was an error */
};

/* Opening. */

static const char *find_key(const char *given)
{
    const char *variables[] = {"GEMINI_API_KEY", "GOOGLE_API_KEY"};
    for (int i = 0; !given && i < 2; i++)
        given = option_env(variables[i]);
    return given;
}

/* A proxy from the environment is for the world outside, not for this machine. */
static bool is_this_machine(const char *url)
{
    struct text text = text_of(url);
    return text_starts(text, "http://127.") || text_starts(text, "http://localhost") ||
           text_starts(text, "http://[::1]");
}

/* POLLUX_API_KEY may list all keys of a server; the first is as good as any. */
static void add_key(struct client *client)
{
    struct text rest, first = text_cut(text_of(client->api_key), ',', &rest);
    if (!first.len)
        return;
    struct buf header = {0};
    buf_printf(&header, "x-goog-api-key: %.*s", TEXT_ARG(first));
    client->headers = curl_slist_append(client->headers, header.at);
    buf_free(&header);
}

static bool check_url(const char *url, struct error *err)
{
    struct text text = text_of(url);
    if (text_starts(text, "http://") || text_starts(text, "https://"))
        return true;
    return error_set(err, ERROR_INVALID_ARGUMENT,
                     "--base-url is '%s'; it must begin with http:// or https://", url);
}

struct client *client_open(const char *base_url, const char *api_key,
                           volatile sig_atomic_t *interrupted, struct error *err)
{
    if (!check_url(base_url, err))
        return NULL;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct client *client = mem_alloc(sizeof(*client));
    client->base_url = base_url;
    client->api_key = find_key(api_key);
    client->interrupted = interrupted;
    client->multi = curl_multi_init();
    client->easy = curl_easy_init();
    static const char *const headers[] = {"Content-Type: application/json", "Expect:"};
    for (int i = 0; i < 2; i++)
        client->headers = curl_slist_append(client->headers, headers[i]);
    add_key(client);
    return client;
}

void client_close(struct client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->easy);
    curl_multi_cleanup(client->multi);
    curl_slist_free_all(client->headers);
    free(client);
    curl_global_cleanup();
}

void client_set_timeout(struct client *client, int seconds)
{
    client->timeout_s = seconds;
}

const char *client_base_url(const struct client *client)
{
    return client->base_url;
}

/* What the server says. */

struct wire_error {
    struct json_int code;
    struct text message, status;
};
struct wire_refusal {
    struct wire_error *error;
};

static const struct json_field error_fields[] = {
    {"code", JSON_INT, offsetof(struct wire_error, code), 0, 0, 0, NULL, NULL},
    {"message", JSON_STRING, offsetof(struct wire_error, message), 0, 0, 0, NULL, NULL},
    {"status", JSON_STRING, offsetof(struct wire_error, status), 0, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type error_type = {"Status", sizeof(struct wire_error),
                                            error_fields, true};
static const struct json_field refusal_fields[] = {
    {"error", JSON_MESSAGE, offsetof(struct wire_refusal, error), 0, 0, 0, &error_type,
     NULL},
    {0},
};
static const struct json_type refusal_type = {"Refusal", sizeof(struct wire_refusal),
                                              refusal_fields, true};

/* True when `body` is {"error": ...}; then err has it. */
static bool read_refusal(struct text body, struct error *err)
{
    struct arena *arena = arena_open();
    struct wire_refusal refusal;
    struct error bad;
    bool found = json_read(&refusal_type, body, &refusal, arena, &bad) && refusal.error;
    if (found) {
        struct text status = refusal.error->status;
        const struct error_row *row =
            status.len ? error_row_named(arena_text(arena, status).at) : NULL;
        error_set(err, row ? row->code : ERROR_UNKNOWN, "%.*s",
                  TEXT_ARG(refusal.error->message));
        err->http_status = (int)refusal.error->code.is;
    }
    arena_close(arena);
    return found;
}

static bool take_event(struct text data, void *arg)
{
    struct client *client = arg;
    struct error err;
    if (text_find(text_slice(data, 0, 32), TEXT("\"error\""), 0) != SIZE_MAX &&
        read_refusal(data, &err)) {
        buf_text(&client->refusal, data);
        client->refused_inside = true;
        return false;
    }
    return client->event(data, client->arg);
}

/* libcurl wants a char pointer. NOLINTNEXTLINE(readability-non-const-parameter) */
static size_t take_bytes(char *at, size_t size, size_t n, void *arg)
{
    struct client *client = arg;
    struct text bytes = {at, size * n};
    long status = 0;
    curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200 && client->to)
        return fwrite(bytes.at, 1, bytes.len, client->to);
    struct buf *into = status == 200 ? client->answer : &client->refusal;
    size_t most = status == 200 ? MOST_ANSWER : MOST_REFUSAL;
    if (!into)
        return sse_feed(&client->sse, bytes) ? bytes.len : 0;
    if (into->len + bytes.len > most)
        return 0;
    buf_text(into, bytes);
    return bytes.len;
}

/* One call. */

static size_t give_bytes(char *at, size_t size, size_t n, void *file)
{
    return fread(at, 1, size * n, file);
}

/* All of the file, from its beginning. */
static void set_file(struct client *client)
{
    CURL *easy = client->easy;
    fseeko(client->from, 0, SEEK_END);
    curl_off_t size = ftello(client->from);
    rewind(client->from);
    client->extra = curl_slist_append(NULL, client->header);
    for (struct curl_slist *header = client->headers; header; header = header->next)
        if (!text_starts(text_of(header->data), "Content-Type:"))
            client->extra = curl_slist_append(client->extra, header->data);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, client->extra);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_bytes);
    curl_easy_setopt(easy, CURLOPT_READDATA, client->from);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, size);
}

/* What is sent with every call, but for the type, and what this request has. */
static struct curl_slist *headers_of(const struct client *client,
                                     const struct client_request *request)
{
    struct curl_slist *headers = NULL;
    struct buf type = {0};
    for (const struct curl_slist *h = client->headers; h; h = h->next)
        if (!request->type || !text_starts(text_of(h->data), "Content-Type:"))
            headers = curl_slist_append(headers, h->data);
    buf_printf(&type, "Content-Type: %s", request->type ? request->type : "");
    if (request->type)
        headers = curl_slist_append(headers, type.at);
    for (int i = 0; i < 3 && request->headers[i]; i++)
        headers = curl_slist_append(headers, request->headers[i]);
    buf_free(&type);
    return headers;
}

static void set_request(struct client *client, const struct client_request *request)
{
    CURL *easy = client->easy;
    client->extra = headers_of(client, request);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, client->extra);
    if (request->body.at) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)request->body.len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.at);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_up(struct client *client, const char *url, const char *body)
{
    CURL *easy = client->easy;
    curl_easy_reset(easy);
    client->curl_says[0] = '\0';
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, client->headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "pollux/" POLLUX_VERSION);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)client->timeout_s);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, client->curl_says);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, client);
    if (is_this_machine(url))
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    if (body) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    }
    if (client->from)
        set_file(client);
    if (client->request)
        set_request(client, client->request);
}

static bool is_interrupted(const struct client *client)
{
    return client->interrupted && *client->interrupted;
}

/* Taking the handle out before its end closes the connection: that is how the server
 * learns that nobody waits any more. */
static CURLcode perform(struct client *client)
{
    int running = 1, left;
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;
    curl_multi_add_handle(client->multi, client->easy);
    while (running && !is_interrupted(client)) {
        if (curl_multi_perform(client->multi, &running) != CURLM_OK)
            break;
        if (running)
            curl_multi_poll(client->multi, NULL, 0, TICK_MS, NULL);
    }
    CURLMsg *message = curl_multi_info_read(client->multi, &left);
    if (message && message->msg == CURLMSG_DONE)
        result = message->data.result;
    curl_multi_remove_handle(client->multi, client->easy);
    return result;
}

static bool never_connected(CURLcode result)
{
    static const CURLcode codes[] = {CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST,
                                     CURLE_COULDNT_RESOLVE_PROXY};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (result == codes[i])
            return true;
    return false;
}

static enum client_end say_broken(struct client *client, CURLcode result,
                                  struct error *err)
{
    const char *why =
        client->curl_says[0] ? client->curl_says : curl_easy_strerror(result);
    curl_off_t connect_us = 0;
    curl_easy_getinfo(client->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
    bool nobody = never_connected(result) ||
                  (result == CURLE_OPERATION_TIMEDOUT && connect_us == 0);
    if (nobody) {
        error_set(
            err, ERROR_UNAVAILABLE,
            "nobody answers at %s (%s). Start a server with `pollux serve`, or name "
            "another with --base-url or POLLUX_BASE_URL.",
            client->base_url, why);
        return CLIENT_NO_SERVER;
    }
    error_set(err, ERROR_UNAVAILABLE, "the connection to %s broke: %s", client->base_url,
              why);
    return CLIENT_LOST;
}

static enum client_end say_refused(struct client *client, long status, struct error *err)
{
    if (read_refusal(buf_view(&client->refusal), err)) {
        err->http_status = client->refused_inside ? err->http_status : (int)status;
        return CLIENT_REFUSED;
    }
    error_set(err, ERROR_UNKNOWN,
              "%s answered with HTTP status %ld and not in the shape of the Gemini API",
              client->base_url, status);
    return CLIENT_LOST;
}

static enum client_end how_it_ended(struct client *client, CURLcode result,
                                    struct error *err)
{
    long status = 0;
    curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
    if (is_interrupted(client)) {
        error_set(err, ERROR_CANCELLED, "interrupted");
        return CLIENT_INTERRUPTED;
    }
    if (client->refused_inside || (result == CURLE_OK && status != 200))
        return say_refused(client, status, err);
    if (result == CURLE_OK)
        return CLIENT_DONE;
    if (client->sse.stopped) {
        error_set(err, ERROR_UNKNOWN, "%s sent what is not an answer", client->base_url);
        return CLIENT_LOST;
    }
    return say_broken(client, result, err);
}

static enum client_end call(struct client *client, const char *path, const char *body,
                            struct error *err)
{
    struct text base = text_of(client->base_url);
    while (text_ends(base, "/"))
        base.len--;
    struct buf url = {0};
    buf_text(&url, base);
    buf_str(&url, path);
    client->refused_inside = false;
    set_up(client, url.at, body);
    CURLcode result = perform(client);
    sse_end(&client->sse);
    enum client_end end = how_it_ended(client, result, err);
    buf_free(&client->refusal);
    buf_free(&url);
    curl_slist_free_all(client->extra);
    client->extra = NULL;
    client->from = client->to = NULL;
    client->header = NULL;
    client->request = NULL;
    return end;
}

enum client_end client_call(struct client *client, const char *path, const char *body,
                            struct buf *answer, struct error *err)
{
    client->answer = answer;
    client->sse = (struct sse){.event = take_event, .arg = client};
    return call(client, path, body, err);
}

enum client_end client_exchange(struct client *client,
                                const struct client_request *request, struct buf *answer,
                                struct error *err)
{
    client->request = request;
    return client_call(client, request->path, NULL, answer, err);
}

enum client_end client_delete(struct client *client, const char *path, struct error *err)
{
    const struct client_request request = {.method = "DELETE", .path = path};
    struct buf answer = {0};
    enum client_end end = client_exchange(client, &request, &answer, err);
    buf_free(&answer);
    return end;
}

enum client_end client_send(struct client *client, const char *path, const char *header,
                            FILE *file, struct buf *answer, struct error *err)
{
    client->from = file;
    client->header = header;
    return client_call(client, path, NULL, answer, err);
}

enum client_end client_save(struct client *client, const char *path, FILE *file,
                            struct error *err)
{
    struct buf answer = {0};
    client->to = file;
    enum client_end end = client_call(client, path, NULL, &answer, err);
    if (end == CLIENT_DONE && (fflush(file) != 0 || ferror(file))) {
        error_set(err, ERROR_INTERNAL, "the file could not be written: %m");
        end = CLIENT_LOST;
    }
    return end;
}

enum client_end client_stream(struct client *client, const char *path, const char *body,
                              sse_event *event, void *arg, struct error *err)
{
    client->answer = NULL;
    client->sse = (struct sse){.event = take_event, .arg = client};
    client->event = event;
    client->arg = arg;
    return call(client, path, body, err);
}

/* In words. */

static void say_refusal(const char *name, const struct error *err)
{
    fprintf(stderr, "pollux %s: the server refused: ", name);
    term_show(stderr, text_of(err->message));
    fprintf(stderr, " (%s", error_row(err->code)->name);
    if (err->http_status)
        fprintf(stderr, ", HTTP %d", err->http_status);
    fputs(")\n", stderr);
    if (err->code == ERROR_NOT_FOUND)
        fputs("`pollux models --server` lists the names of models.\n", stderr);
    if (err->code == ERROR_UNAUTHENTICATED || err->code == ERROR_PERMISSION_DENIED)
        fputs("Give a key with --api-key or POLLUX_API_KEY.\n", stderr);
}

int client_report(const char *name, enum client_end end, const struct error *err)
{
    fflush(stdout);
    switch (end) {
    case CLIENT_DONE:
        return CLI_OK;
    case CLIENT_REFUSED:
        say_refusal(name, err);
        return CLI_FAILED;
    case CLIENT_INTERRUPTED:
        return CLI_INTERRUPTED;
    case CLIENT_NO_SERVER:
    case CLIENT_LOST:
        fprintf(stderr, "pollux %s: %s\n", name, err->message);
        break;
    }
    return end == CLIENT_NO_SERVER ? CLI_NO_SERVER : CLI_FAILED;
}

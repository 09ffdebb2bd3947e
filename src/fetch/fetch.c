/* fetch.c - libcurl with a guard at its sockets.
 *
 * libcurl follows no redirect by itself: each hop is checked and made anew, so that a
 * name that the owner allows covers its own hop and no other. It is driven by the multi
 * interface, because that hears within TICK_MS that nobody wants the answer any more. */
#include "fetch/fetch.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/loop.h"
#include "fetch/address.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TICK_MS = 50,
    CONNECT_MS = 10000,
    MOST_URL = 8192,
    MOST_HEADERS = 64 * 1024,
    MOST_TYPE = 200,
    FIRST_USER_PORT = 1024,
};

struct allowed {
    const char *host; /* NULL: the net */
    struct net net;
};

struct fetcher {
    struct fetch_config config;
    struct allowed *allowed;
    struct curl_slist *resolve;
};

/* One fetch, and its hop of now. */
struct trip {
    const struct fetcher *fetcher;
    const struct fetch_request *request;
    struct arena *arena;
    struct fetched *fetched;
    struct error *err;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    struct buf *body;
    int64_t until_ms;

    struct text host;
    bool named;     /* the owner allows the host, whatever its address */
    bool forbidden; /* an address was */
    bool too_long, unwanted, enough;
    size_t n_headers; /* bytes */
    char says[CURL_ERROR_SIZE];
};

/* ---- opening ---- */

static bool is_host(const char *name)
{
    size_t n = strlen(name);
    return n > 1 && n < 254 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                        ".-_") == n;
}

/* A name of digits would be meant as an address. */
static bool read_allowed(const char *text, struct allowed *allowed, struct error *err)
{
    *allowed = (struct allowed){0};
    if (net_parse(text_of(text), &allowed->net))
        return true;
    allowed->host = text;
    return (is_host(text) && strspn(text, "0123456789.") < strlen(text)) ||
           error_set(
               err, ERROR_INVALID_ARGUMENT,
               "'%s' is no address, no net (10.0.0.0/8, with zeros behind its bits) "
               "and no name of a host.",
               text);
}

struct fetcher *fetch_open(const struct fetch_config *config, struct error *err)
{
    struct fetcher *f = mem_alloc(sizeof *f);
    bool good = true;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    f->config = *config;
    f->allowed = mem_alloc(((size_t)config->n_allow + 1) * sizeof *f->allowed);
    for (int i = 0; good && i < config->n_allow; i++)
        good = read_allowed(config->allow[i], &f->allowed[i], err);
    for (int i = 0; config->resolve && config->resolve[i]; i++)
        f->resolve = curl_slist_append(f->resolve, config->resolve[i]);
    if (good)
        return f;
    fetch_close(f);
    return NULL;
}

void fetch_close(struct fetcher *f)
{
    if (!f)
        return;
    curl_slist_free_all(f->resolve);
    free(f->allowed);
    free(f);
    curl_global_cleanup();
}

bool fetch_is_url(struct text url)
{
    return text_is_nocase(text_slice(url, 0, 7), "http://") ||
           text_is_nocase(text_slice(url, 0, 8), "https://");
}

struct text fetch_host(struct text url, struct arena *arena)
{
    CURLU *parsed = curl_url();
    char *host = NULL;
    struct text copy = {0};
    if (fetch_is_url(url) &&
        curl_url_set(parsed, CURLUPART_URL, arena_text(arena, url).at,
                     CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        copy = arena_text(arena, text_of(host));
    curl_free(host);
    curl_url_cleanup(parsed);
    return copy.len && copy.at[0] == '['
               ? arena_text(arena, text_slice(copy, 1, copy.len - 1))
               : copy;
}

/* ---- who may be asked ---- */

static bool host_is(struct text host, const char *allowed)
{
    size_t n = strlen(allowed);
    if (allowed[0] == '.' && host.len > n)
        host = text_slice(host, host.len - n, host.len);
    else if (allowed[0] == '.')
        allowed++;
    return text_is_nocase(host, allowed);
}

static bool is_named(const struct trip *t)
{
    for (int i = 0; i < t->fetcher->config.n_allow; i++)
        if (t->fetcher->allowed[i].host && host_is(t->host, t->fetcher->allowed[i].host))
            return true;
    return false;
}

static bool may_connect(const struct trip *t, const struct sockaddr *to)
{
    struct address address;
    int port;
    if (!net_address(to, &address, &port))
        return false;
    if (t->named)
        return true;
    for (int i = 0; i < t->fetcher->config.n_allow; i++)
        if (!t->fetcher->allowed[i].host &&
            net_has(&t->fetcher->allowed[i].net, &address))
            return true;
    /* Services of the lower ports speak other things and may be made to believe us. */
    return (port == 80 || port == 443 || port >= FIRST_USER_PORT) &&
           net_is_public(&address) && !net_is_own(&address);
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose,
                                 struct curl_sockaddr *to)
{
    struct trip *t = arg;
    if (purpose != CURLSOCKTYPE_IPCXN || !may_connect(t, &to->addr)) {
        t->forbidden = true;
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static struct text url_part(const struct trip *t, CURLU *url, CURLUPart part)
{
    char *value = NULL;
    struct text copy = TEXT("");
    if (curl_url_get(url, part, &value, 0) == CURLUE_OK)
        copy = arena_text(t->arena, text_of(value));
    curl_free(value);
    return copy;
}

static bool check_url(struct trip *t, struct text url)
{
    CURLU *parsed = curl_url();
    bool sane = url.len <= MOST_URL && !memchr(url.at, '\0', url.len);
    CURLUcode code =
        sane ? curl_url_set(parsed, CURLUPART_URL, arena_text(t->arena, url).at,
                            CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME)
             : CURLUE_MALFORMED_INPUT;
    struct text scheme = url_part(t, parsed, CURLUPART_SCHEME);
    t->host = url_part(t, parsed, CURLUPART_HOST);
    curl_url_cleanup(parsed);
    if (code == CURLUE_USER_NOT_ALLOWED)
        return error_set(t->err, ERROR_INVALID_ARGUMENT,
                         FETCH_CANNOT "it must not carry a name and a password.");
    if (code != CURLUE_OK)
        return error_set(t->err, ERROR_INVALID_ARGUMENT,
                         FETCH_CANNOT "it is not a sound URL.");
    if (!text_is(scheme, "http") && !text_is(scheme, "https"))
        return error_set(t->err, ERROR_INVALID_ARGUMENT,
                         FETCH_CANNOT "only http and https are fetched.");
    if (t->host.len == 0)
        return error_set(t->err, ERROR_INVALID_ARGUMENT,
                         FETCH_CANNOT "it names no host.");
    t->named = is_named(t);
    return true;
}

/* ---- one hop ---- */

static bool is_printable(struct text text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < 32 || text.at[i] > 126)
            return false;
    return true;
}

/* "Name: value" and an end of line; what is not printable is no value. */
static void note_header(struct trip *t, struct text line)
{
    struct text value, name = text_cut(line, ':', &value);
    if (!t->request->header || !value.at || !text_is_nocase(name, t->request->header))
        return;
    while (value.len && (value.at[0] == ' ' || value.at[0] == '\t'))
        value = text_slice(value, 1, value.len);
    while (value.len && strchr("\r\n \t", value.at[value.len - 1]))
        value.len--;
    if (is_printable(value))
        t->fetched->header = arena_text(t->arena, value);
}

/* libcurl wants char pointers. NOLINTNEXTLINE(readability-non-const-parameter) */
static size_t take_header(char *at, size_t size, size_t n, void *arg)
{
    struct trip *t = arg;
    t->n_headers += size * n;
    note_header(t, (struct text){at, size * n});
    t->too_long = t->n_headers > MOST_HEADERS;
    return t->too_long ? 0 : size * n;
}

static struct text type_of(const struct trip *t)
{
    char *type = NULL;
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
    struct text told = text_slice(text_of(type ? type : ""), 0, MOST_TYPE);
    return is_printable(told) ? told : TEXT("");
}

static bool is_wanted(const struct trip *t)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    return !t->request->takes || status / 100 != 2 || t->request->takes(type_of(t));
}

/* NOLINTNEXTLINE(readability-non-const-parameter) */
static size_t take_body(char *at, size_t size, size_t n, void *arg)
{
    struct trip *t = arg;
    size_t len = size * n;
    t->unwanted = t->body->len == 0 && !is_wanted(t);
    t->too_long = (int64_t)(t->body->len + len) > t->request->most;
    if (t->unwanted || t->too_long)
        return 0;
    buf_add(t->body, at, len);
    t->enough = t->request->enough &&
                t->request->enough(type_of(t), buf_view(t->body), t->request->arg);
    return t->enough ? 0 : len;
}

static void set_up(struct trip *t, const char *url, long left_ms)
{
    CURL *easy = t->easy;
    curl_easy_reset(easy);
    t->says[0] = '\0';
    t->n_headers = 0;
    buf_clear(t->body);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_PROXY,
                     ""); /* its address would be checked, not theirs */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "Pollux/" POLLUX_VERSION);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, left_ms);
    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)t->request->most);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->says);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, t);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(easy, CURLOPT_RESOLVE, t->fetcher->resolve);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* do not wait for the DNS either */
#endif
    if (t->request->remove)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "DELETE");
    if (t->request->post.at) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)t->request->post.len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, t->request->post.at);
    }
}

static bool is_cancelled(const struct trip *t)
{
    return t->request->cancelled && atomic_load(t->request->cancelled);
}

static CURLcode perform(struct trip *t)
{
    int running = 1, left;
    CURLcode code = CURLE_ABORTED_BY_CALLBACK;
    curl_multi_add_handle(t->multi, t->easy);
    while (running && !is_cancelled(t)) {
        if (curl_multi_perform(t->multi, &running) != CURLM_OK)
            break;
        if (running)
            curl_multi_poll(t->multi, NULL, 0, TICK_MS, NULL);
    }
    const CURLMsg *message = curl_multi_info_read(t->multi, &left);
    if (message && message->msg == CURLMSG_DONE)
        code = message->data.result;
    curl_multi_remove_handle(t->multi, t->easy);
    return code;
}

static bool say_why(struct trip *t, CURLcode code)
{
    struct error *err = t->err;
    const char *says = t->says[0] ? t->says : curl_easy_strerror(code);
    if (is_cancelled(t))
        return error_set(err, ERROR_CANCELLED, "The operation was cancelled.");
    if (t->unwanted)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         FETCH_CANNOT
                         "what is there is of a type that is not read here, %.*s.",
                         TEXT_ARG(type_of(t)));
    if (t->too_long || code == CURLE_FILESIZE_EXCEEDED)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         FETCH_CANNOT
                         "it is longer than the %lld bytes that are left for it.",
                         (long long)t->request->most);
    t->fetched->forbidden = t->forbidden;
    if (t->forbidden)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         FETCH_CANNOT
                         "'%.*s' is not on the public network, or on a port that is "
                         "not asked. The server's owner can allow it (--fetch-allow).",
                         TEXT_ARG(text_slice(t->host, 0, 200)));
    if (code == CURLE_OPERATION_TIMEDOUT)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         FETCH_CANNOT
                         "it did not arrive within the %d s that it may take.",
                         (t->request->timeout_ms + 999) / 1000);
    return error_set(err, ERROR_INVALID_ARGUMENT, FETCH_CANNOT "%s.", says);
}

static bool hop(struct trip *t, struct text url, struct text *next)
{
    char *to = NULL;
    long status = 0;
    int64_t left_ms = t->until_ms - now_ms();
    if (!check_url(t, url))
        return false;
    t->forbidden = t->too_long = t->unwanted = t->enough = false;
    t->fetched->header = (struct text){0};
    set_up(t, arena_text(t->arena, url).at, left_ms > 0 ? (long)left_ms : 1);
    CURLcode code = perform(t);
    if (code != CURLE_OK && !t->enough)
        return say_why(t, code);
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &to);
    *next = status / 100 == 3 && to ? arena_text(t->arena, text_of(to)) : TEXT("");
    t->fetched->status = (int)status;
    t->fetched->url = url;
    t->fetched->type = arena_text(t->arena, type_of(t));
    t->fetched->body = buf_view(t->body);
    return true;
}

/* ---- the whole ---- */

/* Scheme, host and port of a URL that was found sound. */
static struct text origin_of(struct text url)
{
    size_t from = text_find(url, TEXT("://"), 0), to = from == SIZE_MAX ? 0 : from + 3;
    while (to < url.len && !strchr("/?#", url.at[to]))
        to++;
    return text_slice(url, 0, to);
}

/* A POST goes on where it says so itself, and to nobody else: its headers may be secrets.
 */
static bool may_follow(const struct trip *t, struct text from, struct text to)
{
    int status = t->fetched->status;
    return !(t->request->post.at || t->request->remove) ||
           ((status == 307 || status == 308) &&
            text_same(origin_of(from), origin_of(to)));
}

static bool follow(struct trip *t)
{
    int most = t->request->redirects;
    struct text url = t->request->url, next = TEXT("");
    for (int n = 0; hop(t, url, &next); n++) {
        if (next.len == 0)
            return true;
        if (!may_follow(t, url, next))
            return error_set(t->err, ERROR_INVALID_ARGUMENT,
                             FETCH_CANNOT "it redirects what is sent to it, to %.*s.",
                             TEXT_ARG(text_slice(origin_of(next), 0, 200)));
        if (n == most)
            return error_set(t->err, ERROR_INVALID_ARGUMENT,
                             FETCH_CANNOT "it redirects more than %d times.", most);
        url = next;
    }
    return false;
}

static void free_body(void *arg)
{
    buf_free(arg);
}

bool fetch_run(const struct fetcher *fetcher, const struct fetch_request *request,
               struct arena *arena, struct fetched *fetched, struct error *err)
{
    struct trip t = {
        .fetcher = fetcher,
        .request = request,
        .arena = arena,
        .fetched = fetched,
        .err = err,
        .body = arena_new(arena, struct buf),
        .until_ms = now_ms() + request->timeout_ms,
        .host = TEXT(""),
    };
    int64_t since = now_ms();
    *fetched = (struct fetched){.body = TEXT("")};
    if (fetcher->config.off)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         FETCH_CANNOT "this server fetches nothing (--fetch off).");
    arena_defer(arena, free_body, t.body);
    t.multi = curl_multi_init();
    t.easy = curl_easy_init();
    for (int i = 0; request->headers && request->headers[i]; i++)
        t.headers = curl_slist_append(t.headers, request->headers[i]);
    bool good = follow(&t);
    curl_easy_cleanup(t.easy);
    curl_multi_cleanup(t.multi);
    curl_slist_free_all(t.headers);
    /* A URL may hold a secret; its host does not. */
    log_line(LOG_INFO, "fetch", "host=%.*s status=%d bytes=%zu ms=%lld end=%s",
             TEXT_ARG(text_slice(t.host, 0, 200)), fetched->status, t.body->len,
             (long long)(now_ms() - since), good ? "OK" : error_row(err->code)->name);
    return good;
}

/* post.c - one POST to somebody's server, by libcurl. */
#include "http/post.h"
#include "http/address.h"
#include <curl/curl.h>
#include <pthread.h>
#include <unistd.h>

enum { CONNECT_S = 5 };

struct state {
    bool anywhere, refused;
};

/* Called with the address that a connection is about to go to. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose,
                                 struct curl_sockaddr *address)
{
    struct state *state = arg;
    (void)purpose;
    if (!state->anywhere && !address_is_public(&address->addr)) {
        state->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t forget(char *bytes, size_t size, size_t n, void *arg)
{
    (void)bytes;
    (void)arg;
    return size * n;
}

static void set_up(CURL *easy, const struct http_post *post, struct state *state,
                   struct curl_slist *headers)
{
    curl_easy_setopt(easy, CURLOPT_URL, post->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)post->timeout_s);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "pollux/" POLLUX_VERSION);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->body.len);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, post->body.at);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, forget);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, state);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void begin_once(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

bool http_post(const struct http_post *post, int *status, struct error *err)
{
    pthread_once(&once, begin_once);
    struct state state = {.anywhere = post->anywhere};
    struct curl_slist *headers = NULL;
    char says[CURL_ERROR_SIZE] = "";
    long code = 0;
    CURL *easy = curl_easy_init();
    if (!easy)
        return error_set(err, ERROR_INTERNAL, "libcurl cannot begin");
    for (int i = 0; post->headers && post->headers[i]; i++)
        headers = curl_slist_append(headers, post->headers[i]);
    set_up(easy, post, &state, headers);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, says);
    CURLcode result = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    *status = (int)code;
    if (result == CURLE_OK)
        return true;
    if (state.refused)
        return error_set(err, ERROR_PERMISSION_DENIED, "its address is not a public one");
    return error_set(err, ERROR_UNAVAILABLE, "%s",
                     says[0] ? says : curl_easy_strerror(result));
}

/* key.c - who is let in, and who calls. */
#include "api/api.h"
#include <openssl/evp.h>
#include <stdio.h>

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

/* request_fuzz.c - any request gets an answer in the API's shape.
 *
 * The first byte chooses the method and whether the client stays, the second a target (or
 * the bytes up to the first newline are the target), the rest is the body. The whole path
 * runs: route, decode, check, render, the scripted engine, encode. */
#include "api/fake_http.h"
#include "base/log.h"
#include "json/tree.h"
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EMBEDDER "/v1beta/models/text-embedding-004:"
#define MODEL "/v1beta/models/gemini-2.0-flash:"

static const char *const methods[] = {"POST", "GET", "HEAD", "OPTIONS", "DELETE"};

static const char *const targets[] = {
    MODEL "generateContent",
    MODEL "generateContent?prettyPrint=false",
    MODEL "streamGenerateContent?alt=sse",
    MODEL "streamGenerateContent",
    MODEL "countTokens",
    EMBEDDER "embedContent",
    EMBEDDER "batchEmbedContents?prettyPrint=false",
    "/v1/models?pageSize=3&pageToken=2",
    "/v1alpha/models/default",
    "/v1beta/interactions",
    "/v1/interactions?alt=sse",
    "/v1/interactions/v1_a?stream=true&last_event_id=3",
};

enum {
    N_METHODS = sizeof methods / sizeof methods[0],
    N_TARGETS = sizeof targets / sizeof targets[0],
};

static const char script[] =
    "{\"replies\":["
    "{\"match\":{\"prompt\":\"fault\"},\"chunks\":[\"a\",\"b\"],\"error\":{\"status\":"
    "503}},"
    "{\"match\":{\"prompt\":\"block\"},\"block\":\"SAFETY\"},"
    "{\"match\":{\"prompt\":\"drop\"},\"chunks\":[\"a\",\"b\"],\"drop\":true},"
    "{\"match\":{\"prompt\":\"think\"},\"thought\":\"t\",\"chunks\":[\"a\",\"b\"]},"
    "{\"match\":{\"prompt\":\"call\"},\"calls\":[{\"name\":\"f\",\"args\":{\"a\":1}}]}],"
    "\"default\":{\"echo\":true}}";

static void open_once(void)
{
    static struct api_options options = {.defaults = {1, 0.95, 40, LEVEL_NONE}};
    if (fake_world.api)
        return;
    log_setup(LOG_ERROR, LOG_TEXT);
    options.embedder = fake_embedder(script);
    fake_open(script, &options);
}

/* ---- what an answer must be ---- */

static struct json_object *parse(struct text text)
{
    struct json_tokener *tokener = json_tokener_new();
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *value =
        json_tokener_parse_ex(tokener, text.at, (int)text.len + 1); /* with its NUL */
    assert(json_tokener_get_error(tokener) == json_tokener_success);
    json_tokener_free(tokener);
    return value;
}

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    json_object_object_get_ex(object, name, &value);
    return value;
}

static void check_object(struct json_object *object, int status)
{
    static const char *const names[] = {"candidates", "promptFeedback", "totalTokens",
                                        "models",     "name",           "status",
                                        "embedding",  "embeddings",     "event_type"};
    struct json_object *error = member(object, "error");
    if (error && json_object_is_type(member(error, "code"), json_type_string)) {
        assert(json_object_get_string_len(member(error, "code")) > 0);
        assert(json_object_get_string_len(member(error, "message")) > 0);
        return;
    }
    if (error) {
        int code = json_object_get_int(member(error, "code"));
        assert(code >= 400 && (status == 200 || status == code));
        assert(json_object_get_string_len(member(error, "message")) > 0);
        assert(json_object_get_string_len(member(error, "status")) > 0);
        return;
    }
    bool known = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        known |= member(object, names[i]) != NULL;
    assert(known && status == 200);
}

static void check_json(struct text body, int status)
{
    struct json_object *value = parse(body);
    if (json_object_is_type(value, json_type_array)) {
        assert(body.at[body.len - 1] == ']' && json_object_array_length(value) > 0);
        for (size_t i = 0; i < json_object_array_length(value); i++)
            check_object(json_object_array_get_idx(value, i), status);
    } else {
        check_object(value, status);
    }
    json_object_put(value);
}

static void check_events(struct arena *arena, struct text body)
{
    while (body.len) {
        size_t end = text_find(body, TEXT("\r\n\r\n"), 0);
        assert(end != SIZE_MAX && text_starts(body, "data: {"));
        struct text event = text_slice(body, strlen("data: "), end);
        assert(!memchr(event.at, '\n', event.len));
        check_json(arena_text(arena, event), 200);
        body = text_slice(body, end + 4, body.len);
    }
}

/* Of an interaction: each has its name, and the last says that it is. */
static void check_named_events(struct arena *arena, struct text body)
{
    assert(text_ends(body, "event: done\ndata: [DONE]\n\n"));
    body.len -= strlen("event: done\ndata: [DONE]\n\n");
    while (body.len) {
        struct text rest, name = text_cut(body, '\n', &rest);
        struct text event = text_cut(rest, '\n', &body);
        assert(text_starts(name, "event: ") && text_starts(event, "data: {"));
        check_json(arena_text(arena, text_slice(event, strlen("data: "), event.len)),
                   200);
        assert(text_starts(body, "\n"));
        body = text_slice(body, 1, body.len);
    }
}

static void check_answer(const struct fake *fake)
{
    if (fake->dropped)
        return;
    assert(fake->rq.status != 0 &&
           strstr(fake->set.at, "Access-Control-Allow-Origin: *"));
    if (text_starts(buf_view(&fake->body), "event: "))
        check_named_events(fake->rq.arena, buf_view(&fake->body));
    else if (strstr(fake->set.at, "Content-Type: text/event-stream"))
        check_events(fake->rq.arena, buf_view(&fake->body));
    else if (strstr(fake->set.at, "Content-Type: application/json; charset=UTF-8"))
        check_json(buf_view(&fake->body), fake->rq.status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    open_once();
    struct text rest, body = {(const char *)data + 2, size - 2};
    struct text line = text_cut(body, '\n', &rest);
    char own[300] = "";
    const char *target = targets[data[1] % N_TARGETS];
    if (text_starts(line, "/") && line.len < sizeof own) {
        memcpy(own, line.at, line.len);
        target = own;
        body = rest.at ? rest : TEXT("");
    }
    bool stays = data[0] < 200;
    struct fake *fake = fake_send(methods[data[0] % N_METHODS], target, NULL, body);
    if (stays) {
        fake_wait(fake);
        check_answer(fake);
        fake_close(fake);
    } else {
        fake_leave(fake);
    }
    bool over = fake_settle();
    assert(over);
    return 0;
}

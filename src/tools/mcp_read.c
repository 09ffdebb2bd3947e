/* mcp_read.c - what requests say of MCP servers, and servers of their tools and results.
 */
#include "tools/mcp_inside.h"
#include "json/scan.h"
#include "json/tree.h"
#include <stdio.h>

enum {
    MOST_DESCRIPTION = 4000, /* bytes that a model is shown */
    MOST_SCHEMA = 64 * 1024, /* bytes; a longer one is left to the server to check */
    MOST_ITEMS = 200,        /* of a result */
    MOST_PICTURES = 8,
    MOST_PICTURE = 4 << 20, /* bytes */
    MOST_CALL_S = 3600,
};

/* ---- what a request says ---- */

struct wire_allowed {
    int mode;
    struct json_list tools; /* struct text */
};

/* Where and how the server is spoken to: beside its name in Interactions, in
 * streamableHttpTransport in generateContent. */
struct wire_place {
    struct text url;
    struct json_object *headers;
    struct json_int timeout, sse_timeout; /* ns */
    struct json_bool terminate;
};

struct wire_server {
    struct text name, url;
    struct json_object *headers;
    struct json_list allowed; /* struct wire_allowed */
    struct wire_place *place;
};

enum { MODE_NONE = 1, MODE_AUTO, MODE_ANY, MODE_VALIDATED };

/* clang-format off */
#define AT(type, member) offsetof(struct type, member)

static const struct json_enum modes[] = {
    {"none",      MODE_NONE, NULL},
    {"auto",      MODE_AUTO, NULL},
    {"any",       MODE_ANY, NULL},
    {"validated", MODE_VALIDATED, NULL},
    {0},
};

static const struct json_field allowed_fields[] = {
    {"mode",  JSON_ENUM,   AT(wire_allowed, mode),  0, 0, 0, modes, "none, without tools: no tool at all; any is for tool_choice"},
    {"tools", JSON_STRING, AT(wire_allowed, tools), JSON_LIST, 0, MCP_MOST_TOOLS, NULL, "absent: all"},
    {0},
};
static const struct json_type allowed_type = {
    "AllowedTools", sizeof(struct wire_allowed), allowed_fields, false};

static const struct json_field place_fields[] = {
    {"url",              JSON_STRING,   AT(wire_place, url),         JSON_REQUIRED, 0, 0, NULL, NULL},
    {"headers",          JSON_ANY,      AT(wire_place, headers),     0, 0, 0, NULL, "an object of texts"},
    {"timeout",          JSON_DURATION, AT(wire_place, timeout),     0, 0, 0, NULL, "of a call; the shorter of the two counts"},
    {"sseReadTimeout",   JSON_DURATION, AT(wire_place, sse_timeout), 0, 0, 0, NULL, NULL},
    {"terminateOnClose", JSON_BOOL,     AT(wire_place, terminate),   0, 0, 0, NULL, "true when absent"},
    {0},
};
static const struct json_type place_type = {
    "StreamableHttpTransport", sizeof(struct wire_place), place_fields, false};

static const struct json_field server_fields[] = {
    {"name",                    JSON_STRING,  AT(wire_server, name),    0, 1, 100, NULL, "the URL's host when absent"},
    {"url",                     JSON_STRING,  AT(wire_server, url),     0, 0, 0, NULL, NULL},
    {"headers",                 JSON_ANY,     AT(wire_server, headers), 0, 0, 0, NULL, "an object of texts"},
    {"allowedTools",            JSON_MESSAGE, AT(wire_server, allowed), JSON_LIST, 0, 100, &allowed_type, NULL},
    {"streamableHttpTransport", JSON_MESSAGE, AT(wire_server, place),   0, 0, 0, &place_type, "in place of url and headers"},
    {0},
};
static const struct json_type server_type = {
    "McpServer", sizeof(struct wire_server), server_fields, false};
/* clang-format on */

/* Names of headers that are the protocol's, or the connection's, and not a caller's. */
static bool is_ours(struct text name)
{
    static const char *const ours[] = {
        "accept",     "connection",   "content-length", "content-type",
        "expect",     "host",         "mcp-session-id", "mcp-protocol-version",
        "keep-alive", "te",           "trailer",        "transfer-encoding",
        "upgrade",    "last-event-id"};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (text_is_nocase(name, ours[i]))
            return true;
    return false;
}

static bool is_header(struct text name, struct text value)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    bool good = name.len > 0 && name.len < 100 && value.at && value.len < 8000;
    for (size_t i = 0; good && i < name.len; i++) {
        char c = name.at[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               (c >= '0' && c <= '9') || memchr(marks, c, sizeof marks - 1);
    }
    for (size_t i = 0; good && i < value.len; i++)
        good = value.at[i] == '\t' || (value.at[i] >= 32 && value.at[i] < 127);
    return good;
}

static bool read_headers(struct json_object *from, const char *where, struct arena *arena,
                         struct mcp_wish *wish, struct error *err)
{
    const char **headers = arena_array(arena, const char *, MCP_MOST_HEADERS + 1);
    int n = 0;
    wish->headers = headers;
    if (from && !json_object_is_type(from, json_type_object))
        return error_at(err, where, "Invalid value at '%s': an object of texts.", where);
    for (struct lh_entry *e = tree_first(from); e; e = e->next) {
        struct text name = text_of(tree_key(e)), value = tree_text(tree_value(e));
        if (!is_header(name, value))
            return error_at(err, where,
                            "Invalid value at '%s': '%.*s' is not a header whose value "
                            "is a printable text.",
                            where, TEXT_ARG(text_slice(name, 0, 60)));
        if (is_ours(name))
            return error_at(err, where,
                            "Invalid value at '%s': the header '%.*s' is the "
                            "protocol's own.",
                            where, TEXT_ARG(name));
        if (n == MCP_MOST_HEADERS)
            return error_at(err, where, "'%s': at most %d are possible.", where,
                            MCP_MOST_HEADERS);
        headers[n++] =
            value.len
                ? arena_printf(arena, "%.*s: %.*s", TEXT_ARG(name), TEXT_ARG(value)).at
                : arena_printf(arena, "%.*s;", TEXT_ARG(name)).at;
    }
    return true;
}

static bool has(const struct text *names, int n, struct text name)
{
    for (int i = 0; i < n; i++)
        if (text_same(names[i], name))
            return true;
    return false;
}

/* Entries of mode none take away, all others add. */
static bool read_allowed(const struct wire_server *wire, const char *where,
                         struct arena *arena, struct mcp_wish *wish, struct error *err)
{
    const struct wire_allowed *entries = wire->allowed.at;
    size_t room = 1;
    for (size_t i = 0; i < wire->allowed.n; i++) {
        const char *at = arena_printf(arena, "%s.allowed_tools[%zu]", where, i).at;
        if (entries[i].mode == MODE_ANY)
            return error_at(err, at,
                            "'%s.mode' is not supported by Pollux here: any. That a tool "
                            "must be called says generation_config.tool_choice.",
                            at);
        if (entries[i].mode == MODE_NONE && entries[i].tools.n)
            return error_at(err, at,
                            "'%s.tools' is not supported by Pollux here: with the mode "
                            "none. Name those that are allowed.",
                            at);
        room += entries[i].tools.n;
        wish->some = wish->some || entries[i].mode == MODE_NONE || entries[i].tools.n;
    }
    struct text *names = arena_array(arena, struct text, room);
    for (size_t i = 0; i < wire->allowed.n; i++)
        for (size_t k = 0; k < entries[i].tools.n; k++) {
            struct text name = ((const struct text *)entries[i].tools.at)[k];
            if (!has(names, wish->n_allowed, name))
                names[wish->n_allowed++] = name;
        }
    wish->allowed = names;
    return true;
}

static struct text host_of(struct text url)
{
    size_t from = text_find(url, TEXT("://"), 0);
    size_t to = from = from == SIZE_MAX ? 0 : from + 3;
    while (to < url.len && !strchr("/?#", url.at[to]))
        to++;
    return text_slice(url, from, to);
}

static bool read_place(const struct wire_server *wire, const char *where,
                       struct arena *arena, struct mcp_wish *wish, struct error *err)
{
    const struct wire_place *place = wire->place;
    const char *deeper = place ? ".streamable_http_transport" : "";
    const char *headers = arena_printf(arena, "%s%s.headers", where, deeper).at;
    const char *url = arena_printf(arena, "%s%s.url", where, deeper).at;
    if (place && (wire->url.at || wire->headers))
        return error_at(err, where,
                        "'%s': url and headers stand in streamable_http_transport.",
                        where);
    wish->url = place ? place->url : wire->url;
    if (!fetch_is_url(wish->url))
        return error_at(
            err, url, "Invalid value at '%s': it begins with http:// or https://.", url);
    int64_t timeout = place && place->timeout.set ? place->timeout.is : 0;
    if (place && place->sse_timeout.set && place->sse_timeout.is > 0 &&
        (timeout <= 0 || place->sse_timeout.is < timeout))
        timeout = place->sse_timeout.is;
    if (timeout > 0)
        wish->call_ms = timeout / 1000000 < (int64_t)MOST_CALL_S * 1000
                            ? (int)((timeout + 999999) / 1000000)
                            : MOST_CALL_S * 1000;
    wish->stays = place && place->terminate.set && !place->terminate.is;
    return read_headers(place ? place->headers : wire->headers, headers, arena, wish,
                        err);
}

bool mcp_read_wish(struct json_object *from, const char *where, struct arena *arena,
                   struct mcp_wish *wish, struct error *err)
{
    struct wire_server wire;
    *wish = (struct mcp_wish){0};
    if (!json_decode_at(&server_type, from, where, &wire, arena, err) ||
        !read_place(&wire, where, arena, wish, err) ||
        !read_allowed(&wire, where, arena, wish, err))
        return false;
    wish->name = wire.name.len ? wire.name : host_of(wish->url);
    return true;
}

bool mcp_is_wanted(const struct mcp_wish *wish, struct text tool)
{
    return !wish->some || has(wish->allowed, wish->n_allowed, tool);
}

/* ---- what a server says of a tool ---- */

static const char *schema_of(struct json_object *from, struct arena *arena)
{
    struct buf json = {0};
    const char *schema = "{\"type\":\"object\"}";
    if (json_object_is_type(from, json_type_object) && tree_is_sound(from)) {
        json_any_write(from, &json);
        if (json.len <= MOST_SCHEMA)
            schema = arena_text(arena, buf_view(&json)).at;
    }
    buf_free(&json);
    return schema;
}

bool mcp_read_tool(struct json_object *from, struct arena *arena, struct tool *tool)
{
    struct text name = tree_text(tree_member(from, "name"));
    struct text description = tree_text(tree_member(from, "description"));
    if (!description.len)
        description = tree_text(tree_member(from, "title"));
    tool->own_name = arena_text(arena, name);
    tool->description =
        arena_text(arena,
                   description.at ? tool_cut(description, MOST_DESCRIPTION) : TEXT(""))
            .at;
    tool->parameters = schema_of(tree_member(from, "inputSchema"), arena);
    return name.len > 0 && name.len <= MCP_MOST_NAME;
}

/* ---- results ---- */

struct result {
    struct arena *arena;
    struct tool_result *to;
    struct buf words;
};

static void say(struct result *r, struct text words)
{
    if (r->words.len)
        buf_char(&r->words, '\n');
    buf_text(&r->words, words);
}

/* Pictures go to the client; a model is told that they are there. */
static void add_picture(struct result *r, struct json_object *item)
{
    static const char *const types[] = {"image/png", "image/jpeg", "image/webp",
                                        "image/gif"};
    struct text bytes, mime = tree_text(tree_member(item, "mimeType"));
    struct text data = tree_text(tree_member(item, "data"));
    size_t i = 0, n = sizeof types / sizeof types[0];
    while (i < n && !text_is_nocase(mime, types[i]))
        i++;
    if (i == n || r->to->n_blobs == MOST_PICTURES ||
        data.len > (size_t)MOST_PICTURE / 3 * 4 || !scan_base64(data, r->arena, &bytes) ||
        bytes.len == 0) {
        say(r, TEXT("[a picture that cannot be shown]"));
        return;
    }
    r->to->blobs[r->to->n_blobs++] = (struct tool_blob){text_of(types[i]), bytes};
    say(r, TEXT("[a picture, which the user sees]"));
}

/* What lies elsewhere, or in the result itself. */
static void add_resource(struct result *r, struct json_object *resource)
{
    struct text text = tree_text(tree_member(resource, "text"));
    struct text uri = tree_text(tree_member(resource, "uri"));
    struct text name = tree_text(tree_member(resource, "name"));
    if (text.at)
        say(r, text);
    else
        say(r, arena_printf(r->arena, "[a resource%s%.*s: %.*s]", name.len ? " " : "",
                            TEXT_ARG(text_slice(name, 0, 200)),
                            TEXT_ARG(text_slice(uri, 0, 500))));
}

static void add_item(struct result *r, struct json_object *item)
{
    struct text type = tree_text(tree_member(item, "type"));
    struct text text = tree_text(tree_member(item, "text"));
    if (text_is(type, "text") && text.at)
        say(r, text);
    else if (text_is(type, "image"))
        add_picture(r, item);
    else if (text_is(type, "resource"))
        add_resource(r, tree_member(item, "resource"));
    else if (text_is(type, "resource_link"))
        add_resource(r, item);
    else
        say(r, arena_printf(
                   r->arena, "[%.*s that cannot be shown]",
                   TEXT_ARG(type.len ? text_slice(type, 0, 40) : TEXT("something"))));
}

/* A result may be structured, and then mostly stands in its texts, too. */
static void add_structure(struct result *r, struct json_object *from)
{
    struct buf json = {0};
    if (!from || r->words.len || r->to->n_blobs)
        return;
    json_any_write(from, &json);
    say(r, buf_view(&json));
    buf_free(&json);
}

void mcp_read_result(struct json_object *from, struct arena *arena,
                     struct tool_result *result)
{
    struct result r = {.arena = arena, .to = result};
    struct json_object *content = tree_member(from, "content");
    bool is_list = json_object_is_type(content, json_type_array);
    size_t n = is_list ? json_object_array_length(content) : 0;
    result->blobs = arena_array(arena, struct tool_blob, MOST_PICTURES);
    result->outcome =
        json_object_get_boolean(tree_member(from, "isError")) ? TOOL_FAILED : TOOL_OK;
    for (size_t i = 0; i < n && i < MOST_ITEMS && r.words.len < MCP_MOST_WORDS; i++)
        add_item(&r, json_object_array_get_idx(content, i));
    add_structure(&r, tree_member(from, "structuredContent"));
    result->words = arena_text(arena, tool_cut(buf_view(&r.words), MCP_MOST_WORDS));
    buf_free(&r.words);
}

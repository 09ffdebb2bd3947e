/* mcp_session.c - the protocol: requests as POSTs, answers as JSON or events, a session.
 *
 * A session is begun by `initialize`, whose answer may carry an id that all further
 * requests do. When the server has forgotten it (404), what was asked is asked once more
 * in a new one. */
#include "base/log.h"
#include "base/loop.h"
#include "tools/mcp_inside.h"
#include "tools/rpc.h"
#include "json/tree.h"
#include <limits.h>
#include <stdio.h>

enum {
    MOST_REDIRECTS = 3, /* on the same server, which say to ask again */
    LEAVE_MS = 5000,
    OWN_HEADERS = 6,
};

/* Newest first: the one that is asked for. */
static const char *const revisions[] = {"2025-11-25", "2025-06-18", "2025-03-26",
                                        "2024-11-05"};

/* ---- one exchange ---- */

static const char *const *headers_of(const struct mcp_session *s, struct arena *arena)
{
    const char **headers =
        arena_array(arena, const char *, MCP_MOST_HEADERS + OWN_HEADERS);
    int n = 0;
    for (int i = 0; s->wish->headers[i]; i++)
        headers[n++] = s->wish->headers[i];
    headers[n++] = "Content-Type: application/json";
    headers[n++] = "Accept: application/json, text/event-stream";
    headers[n++] = "Expect:";
    if (s->version)
        headers[n++] = arena_printf(arena, "MCP-Protocol-Version: %s", s->version).at;
    if (s->id[0])
        headers[n++] = arena_printf(arena, "Mcp-Session-Id: %s", s->id).at;
    return headers;
}

static bool enough(struct text type, struct text body, void *arg)
{
    return rpc_more(arg, type, body);
}

/* fetch/ speaks of a URL that the caller knows; here it is the server's. */
static struct text reason_of(const struct error *err)
{
    struct text message = text_of(err->message);
    size_t skip = text_starts(message, FETCH_CANNOT) ? strlen(FETCH_CANNOT) : 0;
    return text_slice(message, skip, message.len);
}

static bool fail(const struct mcp_errand *e, struct text reason)
{
    char copy[sizeof e->err->message];
    snprintf(copy, sizeof copy, "%.*s", TEXT_ARG(reason));
    return error_set(e->err, ERROR_INVALID_ARGUMENT, "The MCP server '%.*s': %s",
                     TEXT_ARG(e->session->wish->name), copy);
}

static int left_ms(const struct mcp_errand *e)
{
    int64_t left = e->call->until_ms - now_ms();
    int most = e->session->wish->call_ms ? e->session->wish->call_ms : INT_MAX;
    return left < 1 ? 1 : left < most ? (int)left : most;
}

/* `reader`: for what is answered; NULL: a notification, to which nothing is. */
static bool post(const struct mcp_errand *e, struct text body, struct rpc_reader *reader,
                 struct fetched *fetched)
{
    const struct fetch_request request = {
        .url = e->session->wish->url,
        .most = MCP_MOST_BODY,
        .timeout_ms = left_ms(e),
        .redirects = MOST_REDIRECTS,
        .post = body,
        .headers = headers_of(e->session, e->call->arena),
        .header = "Mcp-Session-Id",
        .enough = reader ? enough : NULL,
        .arg = reader,
        .cancelled = e->call->cancelled,
    };
    return fetch_run(e->fetcher, &request, e->call->arena, fetched, e->err) ||
           (e->err->code != ERROR_CANCELLED && fail(e, reason_of(e->err)));
}

/* What a status means to whoever wrote the request. */
static bool refuse(const struct mcp_errand *e, const struct fetched *fetched,
                   const struct rpc_reader *reader)
{
    const char *hint = fetched->status == 401 || fetched->status == 403
                           ? " It wants to know who asks: give it what it wants in "
                             "headers."
                           : "";
    struct text said =
        reader->found && !reader->result ? text_slice(reader->message, 0, 300) : TEXT("");
    return fail(e,
                arena_printf(e->call->arena, "it answered with HTTP status %d.%s%s%.*s",
                             fetched->status, hint, said.len ? " It says: " : "",
                             TEXT_ARG(said)));
}

static bool is_good(const struct fetched *fetched)
{
    return fetched->status >= 200 && fetched->status < 300;
}

/* *forgotten: it does not know the session any more. */
static struct json_object *exchange(const struct mcp_errand *e, const char *method,
                                    struct text params, struct fetched *fetched,
                                    bool *forgotten)
{
    struct arena *arena = e->call->arena;
    struct rpc_reader reader = {.arena = arena, .id = ++e->session->n_requests};
    struct text body = rpc_request(reader.id, method, params, arena);
    bool good = post(e, body, &reader, fetched);
    *forgotten = good && fetched->status == 404 && e->session->id[0];
    if (!good) {
        buf_free(&reader.data);
        return NULL;
    }
    struct error none;
    good = rpc_end(&reader, fetched->type, fetched->body, &none);
    if (!is_good(fetched))
        refuse(e, fetched, &reader);
    else if (!good)
        fail(e, text_of(none.message));
    else if (!reader.result)
        fail(e, arena_printf(arena, "%s (%lld): %.*s", method, (long long)reader.code,
                             TEXT_ARG(text_slice(reader.message, 0, 400))));
    return is_good(fetched) ? reader.result : NULL;
}

static bool notify(const struct mcp_errand *e, const char *method)
{
    struct fetched fetched;
    const struct rpc_reader nothing = {0};
    return post(e, rpc_request(-1, method, (struct text){0}, e->call->arena), NULL,
                &fetched) &&
           (is_good(&fetched) || refuse(e, &fetched, &nothing));
}

/* ---- a session ---- */

static struct text introduction(struct arena *arena)
{
    return arena_printf(arena,
                        "{\"protocolVersion\":\"%s\",\"capabilities\":{},"
                        "\"clientInfo\":{\"name\":\"pollux\",\"version\":\"%s\"}}",
                        revisions[0], POLLUX_VERSION);
}

static bool agree(const struct mcp_errand *e, struct json_object *result)
{
    struct text revision = tree_text(tree_member(result, "protocolVersion"));
    for (size_t i = 0; i < sizeof revisions / sizeof revisions[0]; i++)
        if (text_is(revision, revisions[i]))
            e->session->version = revisions[i];
    return e->session->version ||
           fail(e, arena_printf(e->call->arena,
                                "it speaks a revision of the protocol that is not "
                                "spoken here: %.*s",
                                TEXT_ARG(text_slice(revision, 0, 40))));
}

static bool keep_id(const struct mcp_errand *e, struct text id)
{
    if (id.len > MCP_MOST_SESSION)
        return fail(e, TEXT("the id of its session is too long."));
    memcpy(e->session->id, id.len ? id.at : "", id.len);
    e->session->id[id.len] = '\0';
    return true;
}

bool mcp_begin(const struct mcp_errand *e)
{
    struct fetched fetched;
    bool forgotten;
    e->session->id[0] = '\0';
    e->session->version = NULL;
    struct json_object *result =
        exchange(e, "initialize", introduction(e->call->arena), &fetched, &forgotten);
    return result && keep_id(e, fetched.header) && agree(e, result) &&
           notify(e, "notifications/initialized");
}

struct json_object *mcp_ask(const struct mcp_errand *e, const char *method,
                            struct text params)
{
    struct fetched fetched;
    bool forgotten;
    struct json_object *result = exchange(e, method, params, &fetched, &forgotten);
    if (result || !forgotten)
        return result;
    log_line(LOG_INFO, "mcp", "server=%.*s session=forgotten",
             TEXT_ARG(e->session->wish->name));
    return mcp_begin(e) ? exchange(e, method, params, &fetched, &forgotten) : NULL;
}

void mcp_leave(const struct fetcher *fetcher, const struct mcp_session *session,
               struct arena *arena)
{
    struct fetched fetched;
    struct error ignored; /* a server may not know how to end a session: 405 */
    const struct fetch_request request = {
        .url = session->wish->url,
        .most = MCP_MOST_BODY,
        .timeout_ms = LEAVE_MS,
        .remove = true,
        .headers = headers_of(session, arena),
    };
    fetch_run(fetcher, &request, arena, &fetched, &ignored);
}

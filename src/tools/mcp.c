/* mcp.c - the tool mcp_server: finds out what a server offers, and calls it.
 *
 * A session lives in the arena of the request that named the server, and with it the
 * tools that were found; each remembers it. Calls of one answer are made one after the
 * other, so a session has one user at a time. */
#include "tools/mcp.h"
#include "base/log.h"
#include "base/loop.h"
#include "tools/mcp_inside.h"
#include "json/tree.h"
#include <stdlib.h>

enum { MOST_PAGES = 32, MOST_CURSOR = 4096 /* bytes */ };

struct mcp {
    struct tool tool;
    const struct fetcher *fetcher;
    struct workers *workers; /* who ends sessions; NULL: nobody */
};

/* ---- the end of a session ---- */

struct goodbye {
    struct work work; /* first */
    struct arena *arena;
    const struct fetcher *fetcher;
    struct mcp_wish wish;
    struct mcp_session session;
};

static void run_goodbye(struct work *work)
{
    struct goodbye *goodbye = (struct goodbye *)work;
    mcp_leave(goodbye->fetcher, &goodbye->session, goodbye->arena);
}

static void end_goodbye(struct work *work)
{
    arena_close(((struct goodbye *)work)->arena);
}

static const char *const *copy_headers(const char *const *from, struct arena *arena)
{
    const char **headers = arena_array(arena, const char *, MCP_MOST_HEADERS + 1);
    for (int i = 0; from[i]; i++)
        headers[i] = arena_text(arena, text_of(from[i])).at;
    return headers;
}

/* The request's arena is about to go; what is left to do is copied. */
static void end_session(void *arg)
{
    const struct mcp_session *session = arg;
    struct mcp *mcp = session->mcp;
    if (!mcp->workers || !session->id[0] || session->wish->stays)
        return;
    struct arena *arena = arena_open();
    struct goodbye *goodbye = arena_new(arena, struct goodbye);
    goodbye->arena = arena;
    goodbye->fetcher = mcp->fetcher;
    goodbye->wish.name = arena_text(arena, session->wish->name);
    goodbye->wish.url = arena_text(arena, session->wish->url);
    goodbye->wish.headers = copy_headers(session->wish->headers, arena);
    goodbye->session = *session;
    goodbye->session.wish = &goodbye->wish;
    goodbye->work.run = run_goodbye;
    goodbye->work.done = end_goodbye;
    workers_push(mcp->workers, &goodbye->work);
}

/* ---- calls ---- */

static struct text params_of(struct text name, struct json_object *args,
                             struct arena *arena)
{
    struct buf json = {0};
    struct json_writer w = json_writer(&json, false);
    json_begin(&w, '{');
    json_key(&w, "name");
    json_text(&w, name);
    json_key(&w, "arguments");
    tree_write(&w, args);
    json_end(&w, '}');
    return arena_take(arena, &json);
}

static void run(const struct tool *tool, const struct tool_call *call,
                struct tool_result *result)
{
    struct mcp_session *session = tool->own;
    struct error err;
    const struct mcp_errand errand = {session, session->mcp->fetcher, call, &err};
    struct json_object *args = json_parse(call->arena, call->args, &err);
    int64_t since = now_ms();
    *result = (struct tool_result){.outcome = TOOL_FAILED};
    if (!json_object_is_type(args, json_type_object)) {
        result->words = TEXT("The arguments are no object.");
        return;
    }
    struct json_object *answer =
        mcp_ask(&errand, "tools/call", params_of(tool->own_name, args, call->arena));
    if (answer) {
        mcp_read_result(answer, call->arena, result);
    } else {
        result->words = arena_text(call->arena, text_of(err.message));
        if (now_ms() >= call->until_ms)
            result->outcome = TOOL_DEADLINE;
    }
    log_line(LOG_INFO, "mcp", "server=%.*s tool=%.*s outcome=%d bytes=%zu ms=%lld",
             TEXT_ARG(tool->server), TEXT_ARG(tool->own_name), (int)result->outcome,
             result->words.len, (long long)(now_ms() - since));
}

/* ---- what a server offers ---- */

struct list {
    const struct mcp_errand *errand;
    struct tool *tools;
    int n;
    bool too_many;
};

static void add_tools(struct list *list, struct json_object *from)
{
    struct mcp_session *session = list->errand->session;
    bool is_list = json_object_is_type(from, json_type_array);
    size_t n = is_list ? json_object_array_length(from) : 0;
    for (size_t i = 0; i < n; i++) {
        struct tool tool = {
            .name = MCP_TOOL_NAME,
            .run = run,
            .own = session,
            .server = session->wish->name,
        };
        if (!mcp_read_tool(json_object_array_get_idx(from, i), list->errand->call->arena,
                           &tool) ||
            !mcp_is_wanted(session->wish, tool.own_name))
            continue;
        list->too_many = list->n == MCP_MOST_TOOLS;
        if (list->too_many)
            return;
        list->tools[list->n++] = tool;
    }
}

static struct text page_params(struct text cursor, struct arena *arena)
{
    struct buf json = {0};
    struct json_writer w = json_writer(&json, false);
    if (!cursor.at)
        return TEXT("{}");
    json_begin(&w, '{');
    json_key(&w, "cursor");
    json_text(&w, cursor);
    json_end(&w, '}');
    return arena_take(arena, &json);
}

static bool read_pages(struct list *list)
{
    struct error *err = list->errand->err;
    struct text name = list->errand->session->wish->name, cursor = {0};
    for (int i = 0; i < MOST_PAGES; i++) {
        struct json_object *page = mcp_ask(
            list->errand, "tools/list", page_params(cursor, list->errand->call->arena));
        if (!page)
            return false;
        add_tools(list, tree_member(page, "tools"));
        cursor = tree_text(tree_member(page, "nextCursor"));
        if (list->too_many)
            return error_set(err, ERROR_INVALID_ARGUMENT,
                             "The MCP server '%.*s' has more tools than the %d that a "
                             "model is shown. Name those that are wanted in "
                             "allowed_tools.",
                             TEXT_ARG(name), MCP_MOST_TOOLS);
        if (!cursor.len)
            return true;
        if (cursor.len > MOST_CURSOR)
            break;
    }
    return error_set(err, ERROR_INVALID_ARGUMENT,
                     "The MCP server '%.*s' tells of its tools on more than %d pages, or "
                     "names a page by more than %d bytes.",
                     TEXT_ARG(name), MOST_PAGES, MOST_CURSOR);
}

/* A name that is allowed and is not there is a mistake of the caller's. */
static bool check_allowed(const struct list *list)
{
    const struct mcp_wish *wish = list->errand->session->wish;
    for (int i = 0; i < wish->n_allowed; i++) {
        int k = 0;
        while (k < list->n && !text_same(list->tools[k].own_name, wish->allowed[i]))
            k++;
        if (k == list->n)
            return error_set(list->errand->err, ERROR_INVALID_ARGUMENT,
                             "The MCP server '%.*s' has no tool '%.*s', which "
                             "allowed_tools names.",
                             TEXT_ARG(wish->name),
                             TEXT_ARG(text_slice(wish->allowed[i], 0, 100)));
    }
    return true;
}

static bool open_server(const struct tool *tool, const struct tool_call *call,
                        const struct tool **tools, int *n, struct error *err)
{
    struct mcp *mcp = tool->own;
    struct mcp_session *session = arena_new(call->arena, struct mcp_session);
    const struct mcp_errand errand = {session, mcp->fetcher, call, err};
    struct list list = {.errand = &errand};
    *session = (struct mcp_session){.mcp = mcp, .wish = call->settings};
    arena_defer(call->arena, end_session, session);
    list.tools = arena_array(call->arena, struct tool, MCP_MOST_TOOLS);
    if (!mcp_begin(&errand) || !read_pages(&list) || !check_allowed(&list))
        return false;
    *tools = list.tools;
    *n = list.n;
    return true;
}

/* ---- the door ---- */

static bool ready(const struct tool *tool, struct error *err)
{
    const struct mcp *mcp = tool->own;
    return mcp->fetcher || error_set(err, ERROR_INVALID_ARGUMENT,
                                     "this server fetches nothing (--fetch off)");
}

static bool accept(const struct tool *tool, struct json_object *from, const char *where,
                   struct arena *arena, const void **settings, struct error *err)
{
    struct mcp_wish *wish = arena_new(arena, struct mcp_wish);
    (void)tool;
    *settings = wish;
    return mcp_read_wish(from, where, arena, wish, err);
}

struct mcp *mcp_open(const struct fetcher *fetcher)
{
    struct mcp *mcp = mem_alloc(sizeof *mcp);
    mcp->fetcher = fetcher;
    mcp->tool = (struct tool){
        .name = MCP_NAME,
        .description = "",
        .parameters = "{\"type\":\"object\"}",
        .ready = ready,
        .accept = accept,
        .open = open_server,
        .own = mcp,
    };
    return mcp;
}

void mcp_close(struct mcp *mcp)
{
    free(mcp);
}

const struct tool *mcp_tool(const struct mcp *mcp)
{
    return &mcp->tool;
}

void mcp_attend(struct mcp *mcp, struct workers *workers)
{
    mcp->workers = workers;
}

/* rpc_fuzz.c - wherever the body of an answer is cut as it arrives, what is found in it
 * is the same; and whatever a server says of results and tools keeps to the limits. */
#include "tools/mcp_inside.h"
#include "tools/rpc.h"
#include "json/tree.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rpc_reader read_in(struct arena *arena, struct text type, struct text body,
                                 size_t piece)
{
    struct rpc_reader reader = {.arena = arena, .id = 7};
    struct error err;
    for (size_t at = piece; piece && at < body.len; at += piece)
        if (rpc_more(&reader, type, text_slice(body, 0, at)))
            break;
    assert(rpc_end(&reader, type, body, &err) == reader.found);
    return reader;
}

static void check_same(const struct rpc_reader *a, const struct rpc_reader *b)
{
    assert(a->found == b->found && (a->result != NULL) == (b->result != NULL));
    assert(a->code == b->code && text_same(a->message, b->message));
    assert(!a->result || json_object_equal(a->result, b->result));
}

static void check_result(struct json_object *from, struct arena *arena)
{
    struct tool_result result = {0};
    struct tool tool = {0};
    mcp_read_result(from, arena, &result);
    assert(result.words.at && result.words.len <= MCP_MOST_WORDS);
    assert(text_is_utf8(result.words));
    for (int i = 0; i < result.n_blobs; i++)
        assert(result.blobs[i].bytes.len > 0);
    if (mcp_read_tool(from, arena, &tool))
        assert(tool.own_name.len > 0 && tool.own_name.len <= MCP_MOST_NAME);
    assert(text_is_utf8(text_of(tool.description)));
    struct error err;
    assert(json_parse(arena, text_of(tool.parameters), &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct arena *arena = arena_open();
    struct text type =
        data[0] % 2 ? TEXT("text/event-stream; charset=utf-8") : TEXT("application/json");
    struct text body = {(const char *)data + 2, size - 2};
    struct rpc_reader whole = read_in(arena, type, body, 0);
    struct rpc_reader pieces = read_in(arena, type, body, (size_t)data[1] + 1);
    check_same(&whole, &pieces);
    if (whole.result)
        check_result(whole.result, arena);
    arena_close(arena);
    return 0;
}

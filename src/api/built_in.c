#include "api/built_in.h"

/* clang-format off */
const struct built_in built_ins[WIRE_BUILT_INS] = {
    [WIRE_CODE_EXECUTION] = {"code_execution", "code_execution", "code_execution", NULL, false, NULL},
    [WIRE_GOOGLE_SEARCH]  = {"google_search", "google_search", "google_search", "GOOGLE_SEARCH_WEB", false, NULL},
    [WIRE_SEARCH_RETRIEVAL] = {"google_search", "google_search_retrieval", "google_search", "GOOGLE_SEARCH_WEB", false, NULL},
    [WIRE_URL_CONTEXT]    = {"url_context", "url_context", "url_context", "URL_CONTEXT", false, NULL},
    [WIRE_FILE_SEARCH]    = {"file_search", "file_search", "file_search", "FILE_SEARCH", false, NULL},
    [WIRE_MCP_SERVERS]    = {"mcp_server", "mcp_servers", "mcp_server_tool", NULL, true, NULL},
    [WIRE_GOOGLE_MAPS]    = {"google_maps", "google_maps", "google_maps", "GOOGLE_MAPS", false, "there are no maps"},
    [WIRE_COMPUTER_USE]   = {"computer_use", "computer_use", "computer_use", NULL, false, "there is no screen to use"},
    [WIRE_RETRIEVAL]      = {"retrieval", NULL, "retrieval", NULL, false, "the tool for documents is file_search"},
};
/* clang-format on */

const struct built_in *built_in_find(struct text name)
{
    for (int i = 0; name.at && i < WIRE_BUILT_INS; i++)
        if (text_is(name, built_ins[i].name))
            return &built_ins[i];
    return NULL;
}

const struct built_in *built_in_step(struct text type, const char *kind)
{
    if (!text_ends(type, kind))
        return NULL;
    struct text steps = text_slice(type, 0, type.len - strlen(kind));
    for (int i = 0; i < WIRE_BUILT_INS; i++)
        if (text_is(steps, built_ins[i].steps))
            return &built_ins[i];
    return NULL;
}

#define MARK "words\n"

struct text built_in_sign(struct text words, struct arena *arena)
{
    return arena_printf(arena, MARK "%.*s", TEXT_ARG(words));
}

struct text built_in_words(struct text signature)
{
    struct text words = text_slice(signature, sizeof MARK - 1, signature.len);
    bool ours = signature.at && text_starts(signature, MARK) && text_is_utf8(words);
    return ours ? words : (struct text){0};
}

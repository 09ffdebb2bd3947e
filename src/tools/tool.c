#include "tools/tool.h"
#include "json/write.h"

const struct tool *toolbox_find(const struct toolbox *box, struct text name)
{
    for (int i = 0; box && i < box->n; i++)
        if (text_is(name, box->tools[i]->name))
            return box->tools[i];
    return NULL;
}

/* Steps back to where a character begins. */
static size_t whole(struct text text, size_t at)
{
    while (at > 0 && at < text.len && (text.at[at] & 0xc0) == 0x80)
        at--;
    return at;
}

struct text tool_cut(struct text text, size_t most)
{
    return text.len <= most ? text : text_slice(text, 0, whole(text, most));
}

struct text tool_said(struct text words, bool is_error, struct arena *arena)
{
    struct buf json = {0}, cut = {0};
    struct json_writer w = json_writer(&json, false);
    if (words.len > TOOL_MOST_SAID) {
        size_t from = whole(words, words.len - TOOL_MOST_SAID / 2);
        size_t to = whole(words, TOOL_MOST_SAID / 2);
        buf_text(&cut, text_slice(words, 0, to));
        buf_printf(&cut, "\n[%zu bytes are left out here]\n", from - to);
        buf_text(&cut, text_slice(words, from, words.len));
        words = buf_view(&cut);
    }
    json_begin(&w, '{');
    json_key(&w, is_error ? "error" : "result");
    json_text(&w, words);
    json_end(&w, '}');
    struct text said = arena_text(arena, buf_view(&json));
    buf_free(&json);
    buf_free(&cut);
    return said;
}

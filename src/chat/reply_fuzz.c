/* reply_fuzz.c: wherever the text is cut, the parts come out the same, and nothing of a
 * reply without functions or thoughts is lost.
 *
 * Input: one byte that says whether there are functions (1) and whether the prompt has
 * opened a thought (2); one that says how many cuts follow; the cuts, as distances; the
 * text. */
#include "base/buf.h"
#include "chat/reply.h"
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct notes {
    struct buf text;
    enum part_kind last;
};

static void write_down(const struct part *part, void *arg)
{
    struct notes *notes = arg;
    assert(part->kind == PART_CALL ? part->name.len > 0 : part->text.len > 0);
    if (part->kind != notes->last || part->kind == PART_CALL)
        buf_printf(&notes->text, "\x01%d", part->kind);
    notes->last = part->kind;
    if (part->kind == PART_CALL) {
        buf_text(&notes->text, part->name);
        buf_text(&notes->text, part->json);
    } else {
        buf_text(&notes->text, part->text);
    }
}

static const struct family *hermes(void)
{
    return family_of(&(struct engine_info){.template = TEXT("<tool_call>")});
}

static bool read_reply(int flags, struct text text, const uint8_t *cuts, size_t n_cuts,
                       struct notes *notes)
{
    struct function f = {.name = TEXT("f")};
    struct chat chat = {.functions = &f, .n_functions = flags & 1};
    struct arena *arena = arena_open();
    struct reply *reply = reply_open(arena, &chat, hermes(), write_down, notes);
    if (flags & 2)
        reply_follows(reply, TEXT("<think>\n"));
    size_t at = 0;
    for (size_t i = 0; i < n_cuts && at < text.len; at += cuts[i++])
        reply_feed(reply, text_slice(text, at, at + cuts[i]));
    reply_feed(reply, text_slice(text, at, text.len));
    bool good = reply_end(reply);
    arena_close(arena);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size < 2u + data[1])
        return 0;
    int flags = data[0];
    size_t n_cuts = data[1];
    struct text text = {(const char *)data + 2 + n_cuts, size - 2 - n_cuts};
    struct notes whole = {.last = PART_RESULT}, cut = {.last = PART_RESULT};
    bool good = read_reply(flags, text, data, 0, &whole);
    assert(read_reply(flags, text, data + 2, n_cuts, &cut) == good);
    assert(text_same(buf_view(&whole.text), buf_view(&cut.text)));
    if (!(flags & 3) && text_find(text, TEXT("<think>"), 0) == SIZE_MAX && text.len > 0)
        assert(text_same(text_slice(buf_view(&whole.text), 2, SIZE_MAX), text));
    buf_free(&whole.text);
    buf_free(&cut.text);
    return 0;
}

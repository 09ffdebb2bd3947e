/* reply_fuzz.c: wherever the text is cut, the parts come out the same, and nothing of a
 * reply without functions or thoughts is lost. A call's pieces add up to it.
 *
 * Input: one byte that says whether there are functions (1), whether the prompt has
 * opened a thought (2), which family it is (28), whether a call must come (32) and
 * whether JSON must (64); one that says how many cuts follow (up to 127) and whether
 * calls are wanted in pieces (128); the cuts, as distances; the text. */
#include "base/buf.h"
#include "chat/reply.h"
#include "json/tree.h"
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct notes {
    struct buf text;
    enum part_kind last;
    struct buf pieces;
    bool begun; /* a call, in pieces */
};

static void add_piece(struct notes *notes, const struct part *piece)
{
    assert(piece->name.len > 0 && (piece->json.len > 0) == notes->begun);
    notes->begun = true;
    buf_text(&notes->pieces, piece->json);
    buf_text(&notes->text, piece->json);
}

static void check_pieces(struct notes *notes, const struct part *call)
{
    struct error err;
    struct buf json = {0};
    struct arena *arena = arena_open();
    json_any_write(json_parse(arena, buf_view(&notes->pieces), &err), &json);
    assert(notes->begun && text_same(buf_view(&json), call->json));
    buf_free(&json);
    arena_close(arena);
}

static void forget_pieces(struct notes *notes)
{
    buf_clear(&notes->pieces);
    notes->begun = false;
}

static void write_down(const struct part *part, void *arg)
{
    struct notes *notes = arg;
    if (part->piece) {
        if (part->json.len == 0) /* the one before may have broken off */
            forget_pieces(notes);
        add_piece(notes, part);
        return;
    }
    if (part->told)
        check_pieces(notes, part);
    if (part->kind == PART_CALL)
        forget_pieces(notes);
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

static const struct family *family_for(int flags)
{
    static const char *const templates[8] = {
        "<tool_call>",         "<|start_header_id|> tools",      "[TOOL_CALLS]",
        "[TOOL_CALLS] [ARGS]", "<｜tool▁calls▁begin｜> ```json", "<｜tool▁calls▁begin｜>",
        "<start_of_turn>",     "<|channel> <tool_call|>",
    };
    return family_of(
        &(struct engine_info){.template = text_of(templates[flags >> 2 & 7])});
}

static bool read_reply(int flags, bool pieces, struct text text, const uint8_t *cuts,
                       size_t n_cuts, struct notes *notes)
{
    struct function f = {.name = TEXT("f")};
    struct chat chat = {.functions = &f,
                        .n_functions = flags & 1,
                        .shape = {.kind = flags & 64 ? ANSWER_JSON : ANSWER_TEXT}};
    const struct family *family = family_for(flags);
    const struct reply_spec spec = {
        .chat = &chat,
        .family = family,
        .calling = flags & 32 ? CALLING_ANY : CALLING_AUTO,
        .prompt = flags & 2 ? text_of(family->think) : TEXT(""),
        .pieces = pieces,
    };
    struct arena *arena = arena_open();
    struct reply *reply = reply_open(arena, &spec, write_down, notes);
    size_t at = 0;
    for (size_t i = 0; i < n_cuts && at < text.len; at += cuts[i++])
        reply_feed(reply, text_slice(text, at, at + cuts[i]));
    reply_feed(reply, text_slice(text, at, text.len));
    bool good = reply_end(reply, flags & 128);
    arena_close(arena);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size < 2u + (data[1] & 127))
        return 0;
    int flags = data[0];
    size_t n_cuts = data[1] & 127;
    bool pieces = data[1] & 128;
    struct text text = {(const char *)data + 2 + n_cuts, size - 2 - n_cuts};
    struct notes whole = {.last = PART_RESULT}, cut = {.last = PART_RESULT};
    bool good = read_reply(flags, pieces, text, data, 0, &whole);
    assert(read_reply(flags, pieces, text, data + 2, n_cuts, &cut) == good);
    assert(text_same(buf_view(&whole.text), buf_view(&cut.text)));
    if (!(flags & (3 | 128)) && text.len > 0 &&
        text_find(text, text_of(family_for(flags)->think), 0) == SIZE_MAX)
        assert(text_same(text_slice(buf_view(&whole.text), 2, SIZE_MAX), text));
    buf_free(&whole.text);
    buf_free(&cut.text);
    buf_free(&whole.pieces);
    buf_free(&cut.pieces);
    return 0;
}

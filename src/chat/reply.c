/* reply.c - the model's text to parts, as it arrives.
 *
 * The stream is a walk through six places. Whatever cannot be decided yet, a space that a
 * mark may follow or the beginning of a mark, stays in `held`, and every decision is made
 * from the same bytes however they were cut:
 *
 *     START   nothing but white space so far; only here can a thought begin
 *     OPENED  behind the mark that opens a thought; white space is dropped
 *     THOUGHT inside a thought; white space before its end is dropped
 *     GAP     behind a thought or a call; white space is dropped
 *     WORDS   the answer; with functions, white space before a call is dropped
 *     CALL    inside a call; its end counts only outside of JSON strings
 *
 * A call whose end mark never comes is taken when it is whole: small models forget the
 * mark. */
#include "chat/reply.h"
#include "json/tree.h"

/* How a family of models marks what is not plain text. */
static const struct family {
    const char *name;
    const char *think, *end_think;
    const char *call, *end_call;
} families[] = {
    {"hermes, qwen", "<think>", "</think>", "<tool_call>", "</tool_call>"},
};

enum place { START, OPENED, THOUGHT, GAP, WORDS, CALL };

struct reply {
    struct arena *arena;
    void (*on)(const struct part *part, void *arg);
    void *arg;
    const struct family *family;
    bool takes_calls;
    bool bad;
    enum place place;
    struct buf held;
    size_t at;               /* of held: what is before it is done with */
    size_t scanned;          /* CALL: of held: looked at for the call's end */
    bool in_string, escaped; /* CALL: at `scanned` */
};

static void close_reply(void *what)
{
    struct reply *r = what;
    buf_free(&r->held);
}

struct reply *reply_open(struct arena *arena, const struct chat *chat,
                         void (*on)(const struct part *part, void *arg), void *arg)
{
    struct reply *r = arena_new(arena, struct reply);
    r->arena = arena;
    r->on = on;
    r->arg = arg;
    r->family = &families[0];
    r->takes_calls = chat->n_functions > 0;
    arena_defer(arena, close_reply, r);
    return r;
}

/* ---- looking at what is held ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static size_t n_spaces(struct text text)
{
    size_t n = 0;
    while (n < text.len && is_space(text.at[n]))
        n++;
    return n;
}

static struct text held(const struct reply *r)
{
    return (struct text){r->held.at + r->at, r->held.len - r->at};
}

enum match { NO, MAYBE, YES };

/* Whether the text begins with the mark; MAYBE: it is too short to know. */
static enum match begins(struct text text, const char *mark)
{
    size_t len = strlen(mark), n = text.len < len ? text.len : len;
    if (n > 0 && memcmp(text.at, mark, n) != 0)
        return NO;
    return n == len ? YES : MAYBE;
}

void reply_follows(struct reply *r, struct text prompt)
{
    while (prompt.len > 0 && is_space(prompt.at[prompt.len - 1]))
        prompt.len--;
    if (text_ends(prompt, r->family->think))
        r->place = OPENED;
}

/* ---- giving out ---- */

static void give(struct reply *r, enum part_kind kind, size_t len)
{
    if (len == 0)
        return;
    struct part part = {.kind = kind, .text = {r->held.at + r->at, len}};
    r->at += len;
    r->on(&part, r->arg);
}

/* {"name": ..., "arguments": {...}}; the arguments may be JSON in a string, or missing.
 */
static bool read_call(struct reply *r, struct text text, struct part *call,
                      struct buf *json)
{
    struct error err;
    struct json_object *tree = json_parse(r->arena, text, &err), *name, *args = NULL;
    if (!json_object_is_type(tree, json_type_object) ||
        !json_object_object_get_ex(tree, "name", &name) || tree_text(name).len == 0)
        return false;
    if (!json_object_object_get_ex(tree, "arguments", &args))
        json_object_object_get_ex(tree, "parameters", &args);
    if (tree_text(args).at)
        args = json_parse(r->arena, tree_text(args), &err);
    else if (!args)
        args = json_parse(r->arena, TEXT("{}"), &err);
    if (!json_object_is_type(args, json_type_object))
        return false;
    json_any_write(args, json);
    *call =
        (struct part){.kind = PART_CALL, .name = tree_text(name), .json = buf_view(json)};
    return true;
}

/* Gives the `len` bytes that are held as a call whose JSON is [from, to) of them; as
 * text, when they are none. */
static bool give_call(struct reply *r, size_t from, size_t to, size_t len)
{
    struct buf json = {0};
    struct part call;
    bool good = read_call(r, text_slice(held(r), from, to), &call, &json);
    if (good) {
        r->at += len;
        r->on(&call, r->arg);
    } else {
        r->bad = true;
        give(r, PART_TEXT, len);
    }
    buf_free(&json);
    return good;
}

/* ---- the walk: each step decides as much as it can; false when it needs more ---- */

/* Words up to a mark that leads elsewhere, together with the white space before it. */
static bool walk_words(struct reply *r, enum part_kind kind, const char *mark,
                       enum place next, bool eat_mark, bool final)
{
    struct text text = held(r);
    size_t end = 0;
    while (end < text.len) {
        size_t spaces = n_spaces(text_slice(text, end, text.len));
        size_t at = end + spaces;
        enum match match = begins(text_slice(text, at, text.len), mark);
        if (match == MAYBE && !final)
            break;
        if (match == YES) {
            give(r, kind, end);
            r->at += spaces + (eat_mark ? strlen(mark) : 0);
            r->place = next;
            return true;
        }
        end = at < text.len ? at + 1 : at;
    }
    give(r, kind, end);
    return false;
}

static bool walk_start(struct reply *r, bool final)
{
    struct text text = held(r);
    size_t spaces = n_spaces(text);
    struct text rest = text_slice(text, spaces, text.len);
    enum match think = begins(rest, r->family->think);
    if (think == YES) {
        r->at += spaces + strlen(r->family->think);
        r->place = OPENED;
        return true;
    }
    if (think == MAYBE && !final)
        return false;
    r->place = WORDS;
    return true;
}

static bool walk_text(struct reply *r, bool final)
{
    if (r->takes_calls)
        return walk_words(r, PART_TEXT, r->family->call, CALL, false, final);
    give(r, PART_TEXT, held(r).len);
    return false;
}

static bool walk_spaces(struct reply *r, enum place next)
{
    r->at += n_spaces(held(r));
    if (held(r).len == 0)
        return false;
    r->place = next;
    return true;
}

/* Goes on to look for the end mark, outside of strings; MAYBE: as far as can be said now.
 */
static enum match find_end(struct reply *r, struct text text)
{
    for (; r->scanned < text.len; r->scanned++) {
        char c = text.at[r->scanned];
        if (r->in_string) {
            r->in_string = r->escaped || c != '"';
            r->escaped = !r->escaped && c == '\\';
            continue;
        }
        enum match match =
            begins(text_slice(text, r->scanned, text.len), r->family->end_call);
        if (match != NO)
            return match;
        r->in_string = c == '"';
    }
    return MAYBE;
}

/* The call stays held, mark and all, until its end has come. */
static bool walk_call(struct reply *r, bool final)
{
    struct text text = held(r);
    size_t open = strlen(r->family->call);
    if (r->scanned == 0)
        r->scanned = open;
    enum match end = find_end(r, text);
    if (end != YES && !final)
        return false;
    size_t to = end == YES ? r->scanned : text.len;
    bool good =
        give_call(r, open, to, end == YES ? to + strlen(r->family->end_call) : to);
    r->scanned = 0;
    r->in_string = r->escaped = false;
    r->place = good ? GAP : WORDS;
    return true;
}

static bool walk(struct reply *r, bool final)
{
    switch (r->place) {
    case START:
        return walk_start(r, final);
    case OPENED:
        return walk_spaces(r, THOUGHT);
    case THOUGHT:
        return walk_words(r, PART_THOUGHT, r->family->end_think, GAP, true, final);
    case GAP:
        return walk_spaces(r, WORDS);
    case WORDS:
        return walk_text(r, final);
    case CALL:
        return walk_call(r, final);
    }
    return false;
}

void reply_feed(struct reply *r, struct text text)
{
    buf_text(&r->held, text);
    while (held(r).len > 0 && walk(r, false))
        continue;
    buf_drop(&r->held, r->at);
    r->at = 0;
}

bool reply_end(struct reply *r)
{
    while (held(r).len > 0 && walk(r, true))
        continue;
    return !r->bad;
}

/* reply.c - the model's text to parts, as it arrives.
 *
 * The stream is a walk through eight places. Whatever cannot be decided yet, a space that
 * a mark may follow or the beginning of a mark, stays in `held`, and every decision is
 * made from the same bytes however they were cut:
 *
 *     START   nothing but white space so far; only here can a thought begin
 *     OPENED  behind the mark that opens a thought; white space is dropped
 *     THOUGHT inside a thought; white space before its end is dropped
 *     GAP     behind a thought or a call; white space is dropped
 *     BARE    where a call without a mark may begin; else WORDS
 *     WORDS   the answer; with functions, white space before a call is dropped
 *     CALL    inside a block of calls; how it ends, call.c knows. The call that it begins
 *             with may be told in pieces, while the block stays held
 *     ITEM    inside an array of calls, between two: each is given when it is whole
 *
 * A block whose end never comes is taken when it is whole: small models forget the mark.
 * Of an answer that was cut short, the call that is not whole is dropped; so is a mark of
 * which more than half is there. */
#include "chat/reply.h"
#include "chat/call.h"
#include "json/tree.h"
#include <stdint.h>

enum place { START, OPENED, THOUGHT, GAP, BARE, WORDS, CALL, ITEM };

struct reply {
    struct arena *arena;
    void (*on)(const struct part *part, void *arg);
    void *arg;
    const struct family *family;
    const struct function *functions;
    int n_functions;
    bool takes_calls;
    char bare; /* what begins with it may be a call; '\0': nothing */
    bool bad;
    bool cut;     /* at its end: the answer was cut short */
    bool thought; /* there was one */
    enum place place;
    struct buf held;
    size_t at;             /* of held: what is before it is done with */
    size_t open;           /* CALL: bytes of its mark */
    bool is_bare;          /* CALL: it may turn out to be none */
    bool in_array;         /* CALL: the block is one of an array */
    bool after_call;       /* BARE: another may follow behind a semicolon */
    struct call_scan scan; /* CALL */

    /* CALL: of the call that the block begins with, in pieces. */
    bool pieces;                  /* they are wanted */
    bool sure;                    /* what looks like a call is one, also without a mark */
    bool looks;                   /* it is not known yet whose call it is */
    const struct function *tells; /* whose; NULL: nothing is told */
    size_t args;                  /* where the arguments begin in the block */
    struct call_scan args_scan;   /* its `at`: what was told of them */
    bool args_end;
};

static void close_reply(void *what)
{
    struct reply *r = what;
    buf_free(&r->held);
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

/* Whether the text begins with the mark; MAYBE: it is too short to know. NULL: no mark.
 */
static enum match begins(struct text text, const char *mark)
{
    if (!mark)
        return NO;
    size_t len = strlen(mark), n = text.len < len ? text.len : len;
    if (n > 0 && memcmp(text.at, mark, n) != 0)
        return NO;
    return n == len ? YES : MAYBE;
}

static struct text without_spaces_behind(struct text text)
{
    while (text.len > 0 && is_space(text.at[text.len - 1]))
        text.len--;
    return text;
}

struct reply *reply_open(struct arena *arena, const struct reply_spec *spec,
                         void (*on)(const struct part *part, void *arg), void *arg)
{
    const struct chat *chat = spec->chat;
    const struct family *family = spec->family;
    struct reply *r = arena_new(arena, struct reply);
    r->arena = arena;
    r->on = on;
    r->arg = arg;
    r->family = family;
    r->functions = chat->functions;
    r->n_functions = chat->n_functions;
    r->pieces = spec->pieces;
    r->sure = spec->calling == CALLING_ANY;
    r->takes_calls =
        chat->n_functions > 0 && (family->as_is || spec->calling != CALLING_NONE);
    /* A shaped answer is JSON, too: there only the tag tells (grammar.c). */
    if (r->takes_calls && !family->mark[0] &&
        (chat->shape.kind == ANSWER_TEXT || spec->calling == CALLING_ANY))
        r->bare = family_begins(family);
    if (text_ends(without_spaces_behind(spec->prompt), family->think))
        r->place = OPENED;
    arena_defer(arena, close_reply, r);
    return r;
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

static bool is_ours(const struct reply *r, const struct part *call)
{
    for (int i = 0; i < r->n_functions; i++)
        if (text_same(r->functions[i].name, call->name))
            return true;
    return false;
}

/* ---- pieces of a call ---- */

static void give_piece(struct reply *r, struct text json)
{
    const struct part part = {
        .kind = PART_CALL, .name = r->tells->name, .json = json, .piece = true};
    r->on(&part, r->arg);
}

static void tell_pieces(struct reply *r, struct text block)
{
    if (r->looks) {
        r->tells = call_begins(r->family, r->functions, r->n_functions, block, &r->args,
                               &r->looks);
        if (r->tells)
            give_piece(r, TEXT(""));
    }
    if (!r->tells || r->args_end)
        return;
    struct text args = text_slice(block, r->args, block.len);
    size_t from = r->args_scan.at;
    r->args_end = call_object_ends(&r->args_scan, args);
    if (r->args_scan.at > from)
        give_piece(r, text_slice(args, from, r->args_scan.at));
}

/* Whether the call is what its pieces add up to. */
static bool adds_up(const struct reply *r, struct text block, const struct part *call)
{
    struct error err;
    struct buf json = {0};
    struct text args = text_slice(block, r->args, r->args + r->args_scan.at);
    struct json_object *tree = json_parse(r->arena, args, &err);
    if (tree)
        json_any_write(tree, &json);
    bool same = r->args_end && text_same(call->name, r->tells->name) &&
                text_same(buf_view(&json), call->json);
    buf_free(&json);
    return same;
}

/* ---- calls ---- */

/* Gives the `len` bytes that are held as the calls that [from, to) of them are; as text,
 * when they are none. */
static bool give_calls(struct reply *r, size_t from, size_t to, size_t len)
{
    struct part *calls;
    struct text block = text_slice(held(r), from, to);
    int n = call_read(r->family, block, r->cut, r->arena, &calls);
    if (n == 0 && r->cut) {
        r->at += len;
        return true;
    }
    if (r->tells && (n == 0 || !adds_up(r, block, calls))) {
        r->bad = true;
        r->at += len;
        return true;
    }
    if (n == 0 || (r->is_bare && !is_ours(r, calls))) {
        r->bad = r->bad || !r->is_bare;
        give(r, PART_TEXT, len);
        return false;
    }
    r->at += len;
    calls[0].told = r->tells != NULL;
    for (int i = 0; i < n; i++)
        r->on(&calls[i], r->arg);
    return true;
}

/* ---- the walk: each step decides as much as it can; false when it needs more ---- */

/* A model whose thought was ended for it may begin another, or end it once more. Marks of
 * thoughts have no place behind one: what is held at `at` is looked at and dropped. */
static enum match drop_stray(struct reply *r, size_t at)
{
    const char *const marks[] = {r->family->think, r->family->end_think};
    struct text text = text_slice(held(r), at, SIZE_MAX);
    enum match match = NO;
    for (int i = 0; r->thought && i < 2; i++) {
        enum match one = begins(text, marks[i]);
        if (one == YES) {
            give(r, PART_TEXT, at);
            r->at += strlen(marks[i]);
            r->place = GAP;
            return YES;
        }
        match = one == MAYBE ? MAYBE : match;
    }
    return match;
}

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
            r->at += spaces + (eat_mark && mark ? strlen(mark) : 0);
            r->place = next;
            return true;
        }
        if (mark && match == MAYBE && r->cut && kind == PART_TEXT &&
            2 * (text.len - at) > strlen(mark)) {
            give(r, kind, end);
            r->at += held(r).len;
            return false;
        }
        enum match stray = kind == PART_TEXT ? drop_stray(r, at) : NO;
        if (stray == MAYBE && !final)
            break;
        if (stray == YES)
            return true;
        end = at < text.len ? at + 1 : at;
    }
    give(r, kind, end);
    return false;
}

/* The place behind a thought or a call. */
static enum place answer_place(const struct reply *r)
{
    return r->takes_calls && !r->family->mark[0] ? BARE : WORDS;
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
    r->place = answer_place(r);
    return true;
}

static bool begin_call(struct reply *r, size_t open, bool is_bare)
{
    r->open = open;
    r->is_bare = is_bare;
    r->in_array = false;
    r->scan = (struct call_scan){0};
    r->looks = r->pieces && (r->sure || !is_bare);
    r->tells = NULL;
    r->args_scan = (struct call_scan){0};
    r->args_end = false;
    r->place = CALL;
    return true;
}

/* What parts a call without a mark from the one before it. */
static size_t n_between(const struct reply *r, struct text text)
{
    size_t spaces = n_spaces(text);
    if (!r->after_call || spaces == text.len || text.at[spaces] != ';')
        return spaces;
    return spaces + 1 + n_spaces(text_slice(text, spaces + 1, text.len));
}

static bool walk_bare(struct reply *r, bool final)
{
    struct text text = held(r);
    size_t between = n_between(r, text);
    struct text rest = text_slice(text, between, text.len);
    enum match tag = begins(rest, r->family->tag);
    if ((tag == MAYBE || rest.len == 0) && !final)
        return false;
    if (tag == YES) {
        r->at += between;
        return begin_call(r, strlen(r->family->tag), false);
    }
    if (r->bare && rest.len > 0 && rest.at[0] == r->bare) {
        r->at += r->after_call ? between : 0;
        return begin_call(r, 0, true);
    }
    r->place = WORDS;
    return true;
}

static bool walk_text(struct reply *r, bool final)
{
    const char *mark = r->takes_calls && r->family->mark[0] ? r->family->mark : NULL;
    if (!mark && !r->thought) {
        give(r, PART_TEXT, held(r).len);
        return false;
    }
    if (!walk_words(r, PART_TEXT, mark, CALL, false, final))
        return false;
    return r->place != CALL || !mark || begin_call(r, strlen(mark), false);
}

static bool walk_spaces(struct reply *r, enum place next)
{
    r->at += n_spaces(held(r));
    if (held(r).len == 0)
        return false;
    r->place = next;
    return true;
}

/* Whether the block is an array of objects; the first one begins behind *len bytes. */
static enum match opens_array(const struct family *family, struct text block, size_t *len)
{
    static const char brackets[] = "[{";
    *len = 0;
    if (family->form != FORM_JSON || family->lead[0] != '[' || family->end_mark[0])
        return NO;
    for (int i = 0; i < 2; i++, ++*len) {
        *len += n_spaces(text_slice(block, *len, block.len));
        if (*len == block.len)
            return MAYBE;
        if (block.at[*len] != brackets[i])
            return NO;
    }
    --*len;
    return YES;
}

/* The block stays held, mark and all, until its end has come. */
static bool walk_call(struct reply *r, bool final)
{
    struct text block = text_slice(held(r), r->open, SIZE_MAX);
    size_t to, behind;
    if (r->scan.at == 0 && !r->in_array) {
        enum match array = opens_array(r->family, block, &to);
        if (array == MAYBE && !final)
            return false;
        if (array == YES) {
            r->open += to;
            r->in_array = true;
            return true;
        }
    }
    bool ends = call_ends(&r->scan, r->family, block, &to, &behind);
    tell_pieces(r, text_slice(block, 0, ends ? to : r->scan.at));
    if (!ends && !final)
        return false;
    if (!ends && r->in_array && r->open == 0) { /* not the first of an array */
        r->at += block.len;
        r->bad = true;
        return false;
    }
    if (!ends) {
        to = r->cut ? r->scan.at : block.len; /* without what there is of the end mark */
        behind = block.len;
    }
    bool good = give_calls(r, r->open, r->open + to, r->open + behind);
    r->after_call = good;
    r->place = !good ? WORDS : r->in_array ? ITEM : GAP;
    return true;
}

static bool walk_item(struct reply *r)
{
    char c = held(r).at[0];
    if (c == '{') {
        begin_call(r, 0, false);
        r->in_array = true;
    } else if (c == ',' || c == ']' || is_space(c)) {
        r->at++;
        r->place = c == ']' ? GAP : ITEM;
    } else {
        r->bad = true;
        r->place = WORDS;
    }
    return true;
}

static bool walk(struct reply *r, bool final)
{
    switch (r->place) {
    case START:
        return walk_start(r, final);
    case OPENED:
        r->thought = true;
        return walk_spaces(r, THOUGHT);
    case THOUGHT:
        return walk_words(r, PART_THOUGHT, r->family->end_think, GAP, true, final);
    case GAP:
        return walk_spaces(r, answer_place(r));
    case BARE:
        return walk_bare(r, final);
    case WORDS:
        return walk_text(r, final);
    case CALL:
        return walk_call(r, final);
    case ITEM:
        return walk_item(r);
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

bool reply_end(struct reply *r, bool cut)
{
    r->cut = cut;
    while (held(r).len > 0 && walk(r, true))
        continue;
    return !r->bad;
}

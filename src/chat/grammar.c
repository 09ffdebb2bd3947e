/* grammar.c - what an answer may be, in llguidance's Lark syntax.
 *
 * An answer is an optional thought and then words, the shaped answer, or calls, which
 * words may lead up to. For a family that writes <tool_call>, in mode AUTO:
 *
 *     start: answer
 *     answer: WORDS | head block ("\n<tool_call>" block){0,31}
 *     head[lazy]: ANY "<tool_call>"
 *     WORDS: ANY
 *     block: "\n" call "\n</tool_call>"
 *     call: f0 | f1
 *     f0: "{\"name\": \"get\", \"arguments\": " %json {...} "}"
 *
 * What this rests on:
 * - A lazy lexeme ends as soon as it matches, so `head` takes the text away from WORDS
 *   at its first mark, and from there on only a call is possible.
 * - Everything around the arguments is literal, so a function's arguments are a %json of
 *   their own, with its own x-guidance and its own $refs, and no two of them are ever
 *   possible at the same byte (llguidance could not choose).
 * - A thought that has used up its tokens is ended by force with the first lexeme that
 *   was possible: `cut` stands before `whole`, and behind `cut` the end mark must follow.
 *   What is counted are tokens since the thought began.
 * - A mark that is a control token cannot be part of a lexeme and cannot occur in text:
 *   it is written <[id]>, between lexemes.
 *
 * Without a mark, a call can only be the whole answer: WORDS do not begin as it does. A
 * model that is too small to know when to stop is stopped by the number of its calls. A
 * rule costs nothing unless `start` reaches it, so all that might be used is written. */
#include "chat/grammar.h"
#include "json/write.h"

struct writer {
    const struct grammar_spec *spec;
    const struct family *family;
    struct buf *out;
};

/* ---- pieces ---- */

static void put(struct writer *w, const char *lark)
{
    buf_str(w->out, lark);
}

static void put_string(struct writer *w, struct text text)
{
    struct json_writer json = json_writer(w->out, false);
    json_text(&json, text);
}

/* The text as literals and control tokens, in a row. */
static void put_literal(struct writer *w, struct text text)
{
    const struct specials *specials = w->spec->specials;
    for (size_t at = 0; at < text.len;) {
        size_t next = special_next(specials, text, at);
        if (next > at) {
            put_string(w, text_slice(text, at, next));
            put(w, " ");
        }
        size_t len = special_at(specials, text_slice(text, next, text.len));
        if (len > 0)
            buf_printf(w->out, "<[%d]> ",
                       special_token(specials, text_slice(text, next, next + len)));
        at = next + len;
    }
}

/* The same of several, which may run into each other. */
#define put_literals(w, ...) put_joined((w), (const struct text[]){__VA_ARGS__, {0}})
static void put_joined(struct writer *w, const struct text *texts)
{
    struct buf all = {0};
    for (; texts->at; texts++)
        buf_text(&all, *texts);
    put_literal(w, buf_view(&all));
    buf_free(&all);
}

/* Whether it holds a control token: then it can be part of no lexeme. */
static bool is_control(const struct writer *w, const char *mark)
{
    struct text text = text_of(mark);
    return special_next(w->spec->specials, text, 0) < text.len;
}

/* ---- thoughts ---- */

static void put_not_at_first(struct writer *w, struct text text)
{
    put(w, " & ~( SPACE ");
    put_literal(w, text);
    put(w, "ANY )");
}

/* Words do not begin a thought, not even a second one. Behind one there are some, and
 * they do not begin by ending it again: behind the lexeme ANY. */
static void put_not_thought(struct writer *w)
{
    const struct family *family = w->family;
    enum thought thought = w->spec->thought;
    if (thought != THOUGHT_NONE && !is_control(w, family->think))
        put_not_at_first(w, text_of(family->think));
    if (thought != THOUGHT_MAY && thought != THOUGHT_OPEN)
        return;
    put(w, " & ~( SPACE )");
    if (!is_control(w, family->end_think)) /* nor as the mark begins, "</" */
        put_not_at_first(w, text_slice(text_of(family->end_think), 0, 2));
}

static void put_thought(struct writer *w)
{
    struct text end = text_of(w->family->end_think);
    struct buf limit = {0};
    if (w->spec->budget >= 0)
        buf_printf(&limit, "max_tokens=%d", w->spec->budget > 0 ? w->spec->budget : 1);
    bool limited = limit.len > 0;
    bool control = is_control(w, w->family->think);
    put(w, control ? "opening: SPACE " : "opening: OPENING\nOPENING: SPACE ");
    put_literal(w, text_of(w->family->think));
    if (is_control(w, w->family->end_think)) {
        put(w, "\nthought: thinking ");
        put_literal(w, end);
        buf_printf(w->out, "\nthinking%s%s%s: ANY\n", limited ? "[" : "",
                   limited ? limit.at : "", limited ? "]" : "");
    } else {
        put(w, "\nthought: ");
        if (limited) {
            put(w, "cut ");
            put_literal(w, end);
            put(w, "| ");
        }
        put(w, "whole\n");
        if (limited)
            buf_printf(w->out, "cut[%s]: ANY\n", limit.at);
        buf_printf(w->out, "whole[lazy%s%s]: ANY ", limited ? ", " : "",
                   limited ? limit.at : "");
        put_literal(w, end);
        put(w, "\n");
    }
    buf_free(&limit);
}

/* ---- calls ---- */

static void put_call(struct writer *w, int i)
{
    const struct function *f = &w->spec->chat->functions[i];
    struct text before = text_of(w->family->before),
                between = text_of(w->family->between), after = text_of(w->family->after);
    buf_printf(w->out, "f%d: ", i);
    if (f->parameters.len > 0) {
        put_literals(w, before, f->name, between);
        put(w, "%json ");
        buf_text(w->out, f->parameters);
        put(w, " ");
        put_literal(w, after);
    } else {
        put_literals(w, before, f->name, between, TEXT("{}"), after);
    }
    put(w, "\n");
}

/* How many calls there can be besides the first. To call what takes no arguments twice
 * makes no sense; what the server itself runs can be called again when it has given its
 * result. */
static int most_more(const struct chat *chat)
{
    enum { MORE_CALLS = 31 };
    int n_callable = 0;
    for (int i = 0; i < chat->n_functions; i++) {
        if (chat->functions[i].barred)
            continue;
        if (chat->functions[i].parameters.len > 0 && !chat->functions[i].tool)
            return MORE_CALLS;
        n_callable++;
    }
    return n_callable <= MORE_CALLS ? n_callable - 1 : MORE_CALLS;
}

/* What comes behind the first mark. */
static void put_calls(struct writer *w)
{
    const struct family *family = w->family;
    int more = most_more(w->spec->chat);
    put(w, "calls: block");
    if (family->next && more > 0) {
        put(w, " ( ");
        put_literals(w, text_of(family->next), text_of(family->mark));
        buf_printf(w->out, "block ){0,%d}", more);
    }
    put(w, "\nblock: ");
    put_literal(w, text_of(family->lead));
    put(w, "call ");
    if (family->more && more > 0) {
        put(w, "( ");
        put_literal(w, text_of(family->more));
        buf_printf(w->out, "call ){0,%d} ", more);
    }
    put_literals(w, text_of(family->trail), text_of(family->end_mark));
    put(w, "\ncall:");
    const struct chat *chat = w->spec->chat;
    const char *before = " ";
    for (int i = 0; i < chat->n_functions; i++) {
        if (chat->functions[i].barred)
            continue;
        buf_printf(w->out, "%sf%d", before, i);
        before = " | ";
    }
    put(w, "\n");
    for (int i = 0; i < chat->n_functions; i++)
        if (!chat->functions[i].barred)
            put_call(w, i);
}

/* Calls and nothing before them. Where a shaped answer might begin as a call without a
 * mark does, the tag must tell. */
static void put_only_calls(struct writer *w, bool tagged)
{
    if (w->family->tag) {
        put(w, "( ");
        put_literal(w, text_of(w->family->tag));
        put(w, tagged ? ") " : ")? ");
    }
    put_literal(w, text_of(w->family->mark));
    put(w, "calls");
}

/* Words that lead to a call's mark. */
static void put_head(struct writer *w)
{
    const char *mark = w->family->mark;
    if (is_control(w, mark)) {
        put(w, "head: WORDS ");
        put_literal(w, text_of(mark));
        put(w, "\n");
        return;
    }
    put(w, "head[lazy]: HEAD\nHEAD: ANY ");
    put_literal(w, text_of(mark));
    put_not_thought(w);
    put(w, "\n");
}

/* ---- words and shapes ---- */

static bool is_spelled(const struct writer *w, const char *mark)
{
    return mark && mark[0] && !is_control(w, mark);
}

/* Words that do not begin as a call without a mark does. */
static void put_not_bare(struct writer *w)
{
    if (!w->family->mark[0])
        buf_printf(w->out, " & ~( SPACE \"%c\" ANY )", family_begins(w->family));
}

/* Words that hold no call's mark, where calls are barred. Without a mark, who was shown
 * no function means no call by a bracket. */
static void put_words_without_calls(struct writer *w)
{
    bool calls = w->spec->chat->n_functions > 0;
    put(w, "MUTE: ANY");
    if (calls && w->spec->chat->calling != CALLING_NONE)
        put_not_bare(w);
    if (calls && is_spelled(w, w->family->mark)) {
        put(w, " & ~( ANY ");
        put_literal(w, text_of(w->family->mark));
        put(w, "ANY )");
    }
    put_not_thought(w);
    put(w, "\n");
}

/* Words in which `head` watches for calls. */
static void put_words(struct writer *w)
{
    put(w, "WORDS: ANY");
    put_not_bare(w);
    if (is_spelled(w, w->family->tag)) {
        put(w, " & ~( SPACE ");
        put_literal(w, text_of(w->family->tag));
        put(w, "ANY )");
    }
    put_not_thought(w);
    put(w, "\n");
}

/* JSON without a schema: what clients of the API expect is an object or an array. */
#define ANY_JSON                                                                         \
    "{\"type\":[\"object\",\"array\"],\"x-guidance\":{\"whitespace_flexible\":false,"    \
    "\"item_separator\":\", \",\"key_separator\":\": \"}}"

static void put_shape(struct writer *w)
{
    const struct shape *shape = &w->spec->chat->shape;
    put(w, "shape: ");
    if (shape->kind == ANSWER_JSON) {
        put(w, "%json ");
        buf_text(w->out, shape->schema.len > 0 ? shape->schema : TEXT(ANY_JSON));
    }
    for (int i = 0; shape->kind == ANSWER_CHOICE && i < shape->n_choices; i++) {
        put(w, i ? " | " : "");
        put_string(w, shape->choices[i]);
    }
    put(w, "\n");
}

/* ---- the whole ---- */

/* Whether a call is possible. Where nothing tells it from a shaped answer, it is not. */
static bool has_callable(const struct grammar_spec *spec)
{
    const struct chat *chat = spec->chat;
    bool told = spec->family->mark[0] || spec->family->tag ||
                chat->calling == CALLING_ANY || chat->shape.kind == ANSWER_TEXT;
    for (int i = 0; i < chat->n_functions; i++)
        if (!chat->functions[i].barred)
            return told && chat->calling != CALLING_NONE;
    return false;
}

static void put_answer(struct writer *w, bool calls)
{
    const struct chat *chat = w->spec->chat;
    bool must = chat->calling == CALLING_ANY && calls;
    bool shaped = chat->shape.kind != ANSWER_TEXT;
    put(w, "answer: ");
    if (!must)
        put(w, shaped ? "shape" : calls ? "WORDS" : "MUTE");
    if (calls && !must)
        put(w, " | ");
    if (calls && !must && !shaped && w->family->mark[0])
        put(w, "head calls");
    else if (calls)
        put_only_calls(w, shaped && !must);
    put(w, "\n");
}

static bool is_free(const struct grammar_spec *spec, bool calls)
{
    bool watched = spec->thought != THOUGHT_NONE &&
                   !(spec->thought != THOUGHT_BARRED && spec->budget < 0);
    bool mute = spec->chat->n_functions > 0;
    return spec->chat->shape.kind == ANSWER_TEXT && !calls && !mute && !watched;
}

bool grammar_write(const struct grammar_spec *spec, struct buf *lark)
{
    bool calls = has_callable(spec);
    if (spec->family->as_is || is_free(spec, calls))
        return false;
    struct writer w = {spec, spec->family, lark};
    bool shaped =
        spec->chat->shape.kind != ANSWER_TEXT || spec->chat->calling == CALLING_ANY;
    const char *gap = shaped ? "GAP " : "";
    put(&w, "ANY: /(?s:.*)/\nSPACE: /[ \\t\\r\\n]*/\nGAP: /\\n{0,2}/\nstart: ");
    if (spec->thought == THOUGHT_OPEN)
        buf_printf(lark, "thought %sanswer\n", gap);
    else if (spec->thought == THOUGHT_MAY)
        buf_printf(lark, "( opening thought %s)? answer\n", gap);
    else
        put(&w, "answer\n");
    put_answer(&w, calls);
    if (spec->thought == THOUGHT_OPEN || spec->thought == THOUGHT_MAY)
        put_thought(&w);
    if (calls)
        put_calls(&w);
    if (calls && w.family->mark[0])
        put_head(&w);
    put_words(&w);
    put_words_without_calls(&w);
    if (spec->chat->shape.kind != ANSWER_TEXT)
        put_shape(&w);
    return true;
}

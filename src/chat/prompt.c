/* prompt.c - chat to tokens by the model's own template.
 *
 * The chat becomes the list of messages that templates know from Hugging Face, the list
 * becomes a JSON context, minijinja renders it, the engine makes tokens of the result.
 *
 * Templates are picky, the Gemini API is not: two user turns may follow each other there,
 * and a system instruction is always welcome. So a template that raises an exception is
 * asked again with a chat of another shape (the table `shapes`); only when no shape
 * pleases it does the caller hear its words.
 *
 * A user could spell a control token ("<|im_end|>") and so end his turn and begin the
 * model's. Where any text of the chat spells one, a sentinel, a character that the chat
 * does not hold, is put behind the spelling's first character before rendering;
 * afterwards the text is cut there, and its pieces are tokenised one by one: no piece
 * spells a control token that the template did not write. This is rare, so the context is
 * first written plainly, and again with the sentinel only when a spelling was seen.
 * Rejected: marking the span and tokenising it without control tokens; a template that
 * cuts a content in two (many do, at </think>) could lose one mark of the pair, and then
 * everything behind it would change sides. */
#include "chat/prompt.h"
#include "chat/grammar.h"
#include "chat/narrate.h"
#include "chat/say.h"
#include "chat/wording.h"
#include "rust/template.h"
#include "json/tree.h"
#include <stdint.h>
#include <stdlib.h>

/* What a model without a template is given: a page of dialogue, which any base model has
 * read before. It knows no end of turn, so the user's next line ends the answer
 * (PLAIN_STOP).
 *
 *     System:
 *     You answer in one word.
 *
 *     User:
 *     What is the capital of France?
 *
 *     Model:
 */
static const char plain_template[] =
    "{%- set names = {'system': 'System', 'user': 'User', 'assistant': 'Model', "
    "'tool': 'Function'} %}"
    "{%- for message in messages %}{{ names[message.role] + ':\\n' + message.content + "
    "'\\n\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ 'Model:\\n' }}{%- endif %}";
#define PLAIN_STOP TEXT("\nUser:")

struct prompter {
    struct engine *engine;
    const struct engine_info *info;
    const struct family *family;
    struct specials *specials;
    struct template *template;
    bool plain;
    bool thinks;   /* trained to */
    bool switches; /* enable_thinking makes a difference to the template */
    bool shows_tools, shows_calls, shows_results; /* the template does, and rightly */
    bool string_args; /* it wants a call's arguments as JSON in a string */
};

/* What is rendered, and what comes of it. */
struct rendering {
    const struct chat *chat;
    struct text *tools;   /* its functions, as they are shown */
    struct text words;    /* ours, behind the system instruction */
    int n_turns;          /* that are rendered */
    struct text more;     /* what a last turn of the model begins with: to be continued */
    bool thinks;          /* it is asked to */
    struct text sentinel; /* out: where to cut; absent: nowhere */
    struct buf text;      /* out */
};

static const struct say_shape shapes[] = {
    {0},
    {.split = true},
    {.merge = true},
    {.fold = true},
    {.merge = true, .fold = true},
    {.merge = true, .fold = true, .split = true},
};

/* ---- messages to the template's context ---- */

struct context {
    const struct prompter *prompter;
    struct json_writer w;
    struct text sentinel; /* absent: spellings are only looked for */
    bool forged;          /* one was seen */
    struct buf broken;
};

/* The text as it may be written. What spells a control token is noticed or broken. */
static struct text harmless(struct context *c, struct text text)
{
    const struct specials *specials = c->prompter->specials;
    if (!c->sentinel.at) {
        c->forged = c->forged || special_next(specials, text, 0) < text.len;
        return text;
    }
    buf_clear(&c->broken);
    special_break(specials, text, c->sentinel, &c->broken);
    return buf_view(&c->broken);
}

static void put_text(struct context *c, const char *key, struct text text)
{
    json_key(&c->w, key);
    json_text(&c->w, harmless(c, text));
}

static void put_json(struct context *c, const char *key, struct text json)
{
    json_key(&c->w, key);
    json_raw(&c->w, harmless(c, json));
}

static void put_calls(struct context *c, const struct said *said)
{
    if (said->n_calls == 0)
        return;
    json_key(&c->w, "tool_calls");
    json_begin(&c->w, '[');
    for (int i = 0; i < said->n_calls; i++) {
        const struct said_call *call = &said->calls[i];
        json_begin(&c->w, '{');
        if (call->id.len > 0)
            put_text(c, "id", call->id);
        put_text(c, "type", TEXT("function"));
        json_key(&c->w, "function");
        json_begin(&c->w, '{');
        put_text(c, "name", call->name);
        if (c->prompter->string_args)
            put_text(c, "arguments", call->args);
        else
            put_json(c, "arguments", call->args);
        json_end(&c->w, '}');
        json_end(&c->w, '}');
    }
    json_end(&c->w, ']');
}

static void put_said(struct context *c, const struct said *said)
{
    json_begin(&c->w, '{');
    json_key(&c->w, "role");
    json_text(&c->w, text_of(said->role));
    if (said->n_calls > 0 && said->content.len == 0 && c->prompter->family->null_content)
        put_json(c, "content", TEXT("null"));
    else
        put_text(c, "content", said->content);
    if (said->thought.len > 0)
        put_text(c, "reasoning_content", said->thought);
    if (said->name.len > 0)
        put_text(c, "name", said->name);
    if (said->id.len > 0)
        put_text(c, "tool_call_id", said->id);
    put_calls(c, said);
    json_end(&c->w, '}');
}

static void put_tools(struct context *c, const struct rendering *r)
{
    if (r->chat->n_functions == 0 || !c->prompter->shows_tools)
        return;
    json_key(&c->w, "tools");
    json_begin(&c->w, '[');
    for (int i = 0; i < r->chat->n_functions; i++)
        json_raw(&c->w, harmless(c, r->tools[i]));
    json_end(&c->w, ']');
}

static void put_bool(struct context *c, const char *key, bool value)
{
    json_key(&c->w, key);
    json_bool(&c->w, value);
}

static void put_context(struct context *c, const struct rendering *r,
                        const struct saying *say)
{
    const struct engine_info *info = c->prompter->info;
    json_begin(&c->w, '{');
    json_key(&c->w, "messages");
    json_begin(&c->w, '[');
    for (int i = 0; i < say->n; i++)
        put_said(c, &say->at[i]);
    json_end(&c->w, ']');
    put_tools(c, r);
    put_bool(c, "add_generation_prompt", true);
    if (c->prompter->switches) {
        put_bool(c, "enable_thinking", r->thinks);
        put_bool(c, "thinking", r->thinks);
    }
    json_key(&c->w, "bos_token");
    json_text(&c->w, info->bos);
    json_key(&c->w, "eos_token");
    json_text(&c->w, info->eos);
    json_end(&c->w, '}');
}

/* ---- thoughts ---- */

static bool ends_with(const struct buf *text, const char *mark)
{
    struct text view = buf_view(text);
    while (view.len > 0 && strchr(" \t\r\n", view.at[view.len - 1]))
        view.len--;
    return text_ends(view, mark);
}

/* Has the prompt's end say whether there is to be a thought, where the template did not.
 */
static enum thought lead_thought(const struct prompter *p, struct rendering *r)
{
    const struct family *family = p->family;
    bool opened = ends_with(&r->text, family->think);
    if (family->as_is || r->more.len > 0)
        return THOUGHT_NONE;
    if (r->thinks && !p->thinks && !opened) {
        buf_printf(&r->text, "%s\n", family->think);
        opened = true;
    }
    if (r->thinks)
        return opened ? THOUGHT_OPEN : THOUGHT_MAY;
    if (opened)
        buf_printf(&r->text, "\n%s\n\n", family->end_think);
    else if (p->thinks && !p->switches)
        buf_printf(&r->text, "%s\n\n%s\n\n", family->think, family->end_think);
    return p->thinks ? THOUGHT_BARRED : THOUGHT_NONE;
}

/* ---- context to text ---- */

/* U+FDD0 to U+FDEF are no characters and never will be: nearly no text holds any, and no
 * text holds all of them with good intent. */
static struct text pick_sentinel(struct text all, struct text more, struct arena *arena)
{
    for (int i = 0; i < 32; i++) {
        char bytes[] = {(char)0xEF, (char)0xB7, (char)(0x90 + i)};
        struct text sentinel = {bytes, sizeof bytes};
        if (text_find(all, sentinel, 0) == SIZE_MAX &&
            text_find(more, sentinel, 0) == SIZE_MAX)
            return arena_text(arena, sentinel);
    }
    return (struct text){0};
}

/* The context, written again with a sentinel when the chat spells a control token. */
static bool write_context(const struct prompter *p, const struct saying *say,
                          struct rendering *r, struct arena *arena, struct buf *json,
                          struct error *err)
{
    struct context c = {.prompter = p, .w = json_writer(json, false)};
    put_context(&c, r, say);
    r->sentinel = (struct text){0};
    if (!c.forged && special_next(p->specials, r->more, 0) == r->more.len)
        return true;
    r->sentinel = pick_sentinel(buf_view(json), r->more, arena);
    if (!r->sentinel.at)
        return error_set(
            err, ERROR_INVALID_ARGUMENT,
            "The text spells control tokens of the model and holds all of the "
            "characters U+FDD0 to U+FDEF; leave out one or the other.");
    buf_clear(json);
    c = (struct context){
        .prompter = p, .w = json_writer(json, false), .sentinel = r->sentinel};
    put_context(&c, r, say);
    buf_free(&c.broken);
    return true;
}

static bool render_shape(const struct prompter *p, const struct say_shape *shape,
                         struct rendering *r, struct arena *arena, struct error *err)
{
    const struct say_spec spec = {
        .chat = r->chat,
        .n_turns = r->n_turns,
        .words = r->words,
        .family = p->family,
        .own_calls = !p->shows_calls,
        .own_results = !p->shows_results,
        .shape = *shape,
    };
    struct saying say = say_chat(&spec, arena);
    struct buf json = {0};
    if (!write_context(p, &say, r, arena, &json, err)) {
        buf_free(&json);
        return false;
    }
    char words[400] = "";
    size_t len;
    char *text =
        template_render(p->template, json.at, json.len, &len, words, sizeof words);
    buf_free(&json);
    if (!text)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "The chat template of %.*s refuses this conversation: %s",
                         TEXT_ARG(p->info->model), words);
    struct text bos = p->info->bos;
    struct text rendered = {text, len};
    if (p->info->add_bos && !text_same(text_slice(rendered, 0, bos.len), bos))
        buf_text(&r->text, bos);
    buf_text(&r->text, rendered);
    template_free(text, len);
    return true;
}

/* Whether the chat's last turn is words of the model, which the answer is to go on. */
static bool is_to_be_continued(const struct chat *chat)
{
    if (chat->n_turns == 0 || chat->turns[chat->n_turns - 1].role != ROLE_MODEL)
        return false;
    const struct turn_of *last = &chat->turns[chat->n_turns - 1];
    for (int i = 0; i < last->n_parts; i++)
        if (last->parts[i].kind == PART_CALL)
            return false;
    return true;
}

static bool has_calls(const struct chat *chat)
{
    for (int i = 0; i < chat->n_turns; i++)
        for (int k = 0; k < chat->turns[i].n_parts; k++)
            if (chat->turns[i].parts[k].kind == PART_CALL)
                return true;
    return false;
}

static bool render(const struct prompter *p, struct rendering *r, struct arena *arena,
                   struct error *err)
{
    struct error later;
    bool calls = has_calls(r->chat), system = r->chat->system.len + r->words.len > 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if ((shapes[i].fold && !system) || (shapes[i].split && !calls))
            continue;
        if (render_shape(p, &shapes[i], r, arena, i ? &later : err))
            return true;
    }
    return false; /* in the words for the chat as it came */
}

/* ---- text to tokens ---- */

static void tokenize(struct engine *engine, struct text text, struct arena *arena,
                     struct prompt *prompt)
{
    int room = (int)(text.len / 2) + 16;
    prompt->tokens = arena_array(arena, int32_t, (size_t)room);
    prompt->n_tokens = engine_tokenize(engine, text, true, prompt->tokens, room);
    if (prompt->n_tokens <= room)
        return;
    room = prompt->n_tokens;
    prompt->tokens = arena_array(arena, int32_t, (size_t)room);
    prompt->n_tokens = engine_tokenize(engine, text, true, prompt->tokens, room);
}

static void tokenize_pieces(struct engine *engine, struct text text, struct text sentinel,
                            struct arena *arena, struct prompt *prompt)
{
    struct buf whole = {0}, tokens = {0};
    for (size_t from = 0; from <= text.len;) {
        size_t to = text_find(text, sentinel, from);
        struct text piece = text_slice(text, from, to);
        struct prompt part;
        tokenize(engine, piece, arena, &part);
        buf_text(&whole, piece);
        buf_add(&tokens, part.tokens, (size_t)part.n_tokens * sizeof *part.tokens);
        if (to == SIZE_MAX)
            break;
        from = to + sentinel.len;
    }
    prompt->n_tokens = (int)(tokens.len / sizeof *prompt->tokens);
    prompt->tokens = arena_array(arena, int32_t, (size_t)prompt->n_tokens + 1);
    memcpy(prompt->tokens, tokens.at, tokens.len);
    prompt->text = arena_take(arena, &whole);
    buf_free(&tokens);
}

/* ---- what the template can do ---- */

static bool renders(const struct prompter *p, const char *json, struct buf *out)
{
    char words[8];
    size_t len;
    buf_clear(out);
    char *text =
        template_render(p->template, json, strlen(json), &len, words, sizeof words);
    if (!text)
        return false;
    buf_add(out, text, len);
    template_free(text, len);
    return true;
}

#define PROBE(more)                                                                      \
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Hello.\"}" more                     \
    ",\"add_generation_prompt\":true,\"bos_token\":\"\",\"eos_token\":\"\""
#define PROBE_TOOLS                                                                      \
    ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"probed_tool\","         \
    "\"description\":\"d\",\"parameters\":{\"type\":\"object\",\"properties\":{}}}}]"
#define PROBE_CALL(content, args)                                                        \
    ",{\"role\":\"assistant\",\"content\":" content ",\"tool_calls\":[{\"id\":"          \
    "\"123456789\",\"type\":\"function\",\"function\":{\"name\":\"probed_tool\","        \
    "\"arguments\":" args "}}]},{\"role\":\"tool\",\"name\":\"probed_tool\","            \
    "\"tool_call_id\":\"123456789\",\"content\":\"{\\\"r\\\":\\\"probed_result\\\"}\"}"
#define PROBE_OBJECT "{\"probed_argument\":1}"
#define PROBE_STRING "\"{\\\"probed_argument\\\":1}\""

/* With arguments as an object, and as a string; without content, and with none. */
static const char *const call_probes[2][2] = {
    {PROBE(PROBE_CALL("\"\"", PROBE_OBJECT) "]") PROBE_TOOLS "}",
     PROBE(PROBE_CALL("\"\"", PROBE_STRING) "]") PROBE_TOOLS "}"},
    {PROBE(PROBE_CALL("null", PROBE_OBJECT) "]") PROBE_TOOLS "}",
     PROBE(PROBE_CALL("null", PROBE_STRING) "]") PROBE_TOOLS "}"},
};

static bool has(const struct buf *text, const char *word)
{
    return text_find(buf_view(text), text_of(word), 0) != SIZE_MAX;
}

static void learn_tools(struct prompter *p, struct buf *out)
{
    p->shows_tools = !p->family->signatures &&
                     renders(p, PROBE("]") PROBE_TOOLS "}", out) &&
                     has(out, "probed_tool");
    const char *const *probes = call_probes[p->family->null_content];
    bool good = renders(p, probes[0], out);
    if (!good)
        good = p->string_args = renders(p, probes[1], out);
    p->shows_calls = good && has(out, "probed_argument");
    p->shows_results = good && has(out, "probed_result");
}

/* Asks the template itself: reading Jinja for what it does would be guessing. */
static void learn_template(struct prompter *p)
{
    struct buf with = {0}, without = {0};
    p->thinks = family_thinks(p->family, p->info);
    if (p->family->native && !p->plain)
        learn_tools(p, &with);
    if (p->thinks && !p->family->as_is)
        p->switches =
            renders(p, PROBE("]") ",\"enable_thinking\":true,\"thinking\":true}",
                    &with) &&
            renders(p, PROBE("]") ",\"enable_thinking\":false,\"thinking\":false}",
                    &without) &&
            !text_same(buf_view(&with), buf_view(&without));
    buf_free(&with);
    buf_free(&without);
}

/* Marks of the family that are control tokens are to be read in its answers. */
static void show_marks(const struct prompter *p)
{
    const struct family *f = p->family;
    const char *const marks[] = {f->mark,   f->end_mark, f->lead,  f->trail,
                                 f->before, f->between,  f->after, f->tag,
                                 f->think,  f->end_think};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        struct text mark = text_of(marks[i] ? marks[i] : "");
        for (size_t at = 0; (at = special_next(p->specials, mark, at)) < mark.len;) {
            size_t len = special_at(p->specials, text_slice(mark, at, mark.len));
            struct text name = text_slice(mark, at, at + len);
            engine_show(p->engine, &name, 1);
            at += len;
        }
    }
}

/* ---- the door ---- */

struct prompter *prompter_open(struct engine *engine, struct error *err)
{
    struct prompter *p = mem_alloc(sizeof *p);
    p->engine = engine;
    p->info = engine_info(engine);
    p->family = family_of(p->info);
    p->specials = specials_open(engine);
    p->plain = p->info->template.len == 0;
    struct text source = p->plain ? text_of(plain_template) : p->info->template;
    char words[400] = "";
    p->template = template_open(source.at, source.len, words, sizeof words);
    if (!p->template) {
        error_set(err, ERROR_FAILED_PRECONDITION,
                  "The chat template of %.*s is broken: %s", TEXT_ARG(p->info->model),
                  words);
        prompter_close(p);
        return NULL;
    }
    learn_template(p);
    show_marks(p);
    return p;
}

void prompter_close(struct prompter *p)
{
    if (!p)
        return;
    template_close(p->template);
    specials_close(p->specials);
    free(p);
}

bool prompter_thinks(const struct prompter *p)
{
    return p->thinks;
}

/* The chat as this prompt is to show it: where no call is allowed, as if there were no
 * functions. */
static struct rendering plan(const struct prompter *p, const struct chat *chat,
                             struct chat *shown, struct arena *arena)
{
    if (p->family->narrates)
        narrate(chat, chat->calling != CALLING_ANY, arena, shown);
    else
        *shown = *chat;
    if (chat->calling == CALLING_NONE && !p->family->as_is)
        shown->n_functions = 0;
    struct rendering r = {.chat = shown, .n_turns = shown->n_turns, .more = TEXT("")};
    if (is_to_be_continued(shown)) {
        const struct turn_of *last = &shown->turns[--r.n_turns];
        r.more = say_parts(arena, last, 0, last->n_parts, PART_TEXT);
    }
    r.thinks = chat->thinking.on && chat->thinking.budget != 0 && r.more.len == 0;
    r.tools = arena_array(arena, struct text, (size_t)shown->n_functions + 1);
    for (int i = 0; i < shown->n_functions; i++)
        r.tools[i] = wording_tool(p->family, &shown->functions[i], arena);
    const struct wording_spec words = {
        .chat = shown,
        .family = p->family,
        .tools = p->shows_tools ? NULL : r.tools,
        .think = r.thinks && !p->thinks,
    };
    r.words = wording_system(&words, arena);
    return r;
}

static bool make_text(const struct prompter *p, struct rendering *r, struct arena *arena,
                      struct prompt *prompt, struct error *err)
{
    if (!render(p, r, arena, err)) {
        buf_free(&r->text);
        return false;
    }
    prompt->family = p->family;
    prompt->calling = r->chat->calling;
    prompt->stop = p->plain ? PLAIN_STOP : (struct text){0};
    prompt->thought = lead_thought(p, r);
    special_break(p->specials, r->more, r->sentinel, &r->text);
    if (r->sentinel.at) {
        tokenize_pieces(p->engine, buf_view(&r->text), r->sentinel, arena, prompt);
    } else {
        prompt->text = arena_text(arena, buf_view(&r->text));
        tokenize(p->engine, prompt->text, arena, prompt);
    }
    buf_free(&r->text);
    return true;
}

struct hold {
    struct engine *engine;
    struct grammar *grammar;
};

static void release(void *what)
{
    struct hold *hold = what;
    engine_grammar_release(hold->engine, hold->grammar);
}

static int n_tokens(const struct prompter *p, const char *mark)
{
    return engine_tokenize(p->engine, text_of(mark), true, NULL, 0);
}

/* Tokens of a thought, its marks not counted. A model that was asked to think and never
 * learnt to would not always find an end: it has half of what the answer may take. */
static int thought_budget(const struct prompter *p, const struct chat *chat,
                          const struct prompt *prompt)
{
    enum { MOST_UNLEARNT = 1024 };
    int budget = chat->thinking.budget;
    if (budget < 0 && p->thinks)
        return budget;
    if (!p->thinks) {
        int room = p->info->n_ctx - prompt->n_tokens;
        if (chat->max_tokens > 0 && chat->max_tokens < room)
            room = chat->max_tokens;
        if (budget < 0)
            budget = MOST_UNLEARNT;
        while (budget > 1 && budget > room / 2)
            budget /= 2; /* few values: each is a grammar of its own */
    }
    budget -= n_tokens(p, p->family->end_think);
    if (prompt->thought == THOUGHT_MAY)
        budget -= n_tokens(p, p->family->think);
    return budget > 1 ? budget : 1;
}

static bool make_grammar(const struct prompter *p, const struct chat *chat,
                         struct arena *arena, struct prompt *prompt, struct error *err)
{
    const struct grammar_spec spec = {
        .chat = chat,
        .family = p->family,
        .specials = p->specials,
        .thought = prompt->thought,
        .budget = thought_budget(p, chat, prompt),
    };
    struct buf lark = {0};
    if (!grammar_write(&spec, &lark))
        return true;
    struct hold *hold = arena_new(arena, struct hold);
    hold->engine = p->engine;
    hold->grammar = engine_grammar(p->engine, buf_view(&lark), err);
    buf_free(&lark);
    if (!hold->grammar)
        return false;
    arena_defer(arena, release, hold);
    prompt->grammar = hold->grammar;
    return true;
}

bool prompt_text(const struct prompter *p, const struct chat *chat, struct arena *arena,
                 struct prompt *prompt, struct error *err)
{
    struct chat shown;
    struct rendering r = plan(p, chat, &shown, arena);
    *prompt = (struct prompt){0};
    return make_text(p, &r, arena, prompt, err);
}

static bool make_answerable(const struct prompter *p, const struct chat *chat,
                            enum calling calling, struct arena *arena,
                            struct prompt *prompt, struct error *err)
{
    struct chat as = *chat;
    as.calling = calling;
    return prompt_text(p, &as, arena, prompt, err) &&
           make_grammar(p, &as, arena, prompt, err);
}

/* The questions, and a prompt for either answer. */
static bool make_questions(const struct prompter *p, const struct chat *chat,
                           struct arena *arena, struct prompt *prompt, struct error *err)
{
    struct chat questions[WORDING_QUESTIONS];
    double yes_from[WORDING_QUESTIONS];
    struct prompt *asked = arena_array(arena, struct prompt, WORDING_QUESTIONS);
    struct prompt *otherwise = arena_new(arena, struct prompt);
    bool good = make_answerable(p, chat, CALLING_ANY, arena, prompt, err) &&
                make_answerable(p, chat, CALLING_NONE, arena, otherwise, err);
    int n = wording_questions(p->family, chat, arena, questions, yes_from);
    for (int i = 0; good && i < n; i++) {
        good = prompt_text(p, &questions[i], arena, &asked[i], err);
        asked[i].yes_from = yes_from[i];
    }
    prompt->questions = asked;
    prompt->n_questions = n;
    prompt->otherwise = otherwise;
    return good;
}

int prompt_forms(const struct prompter *p, const struct chat *chat,
                 enum calling forms[PROMPT_FORMS])
{
    enum first_step first = wording_first(p->family, chat);
    forms[0] = first == FIRST_ASK     ? CALLING_ANY
               : first == FIRST_WORDS ? CALLING_NONE
                                      : chat->calling;
    forms[1] = CALLING_NONE;
    return first == FIRST_ASK ? 2 : 1;
}

bool prompt_make(const struct prompter *p, const struct chat *chat, struct arena *arena,
                 struct prompt *prompt, struct error *err)
{
    enum calling forms[PROMPT_FORMS];
    if (prompt_forms(p, chat, forms) > 1)
        return make_questions(p, chat, arena, prompt, err);
    return make_answerable(p, chat, forms[0], arena, prompt, err);
}

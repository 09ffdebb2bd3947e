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
#include "rust/template.h"
#include "json/write.h"
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
    "{%- if tools %}{{ raise_exception('it was not trained to call functions') }}"
    "{%- endif %}"
    "{%- set names = {'system': 'System', 'user': 'User', 'assistant': 'Model', "
    "'tool': 'Function'} %}"
    "{%- for message in messages %}{{ names[message.role] + ':\\n' + message.content + "
    "'\\n\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ 'Model:\\n' }}{%- endif %}";
#define PLAIN_STOP TEXT("\nUser:")

struct prompter {
    struct engine *engine;
    const struct engine_info *info;
    struct template *template;
    bool plain;
    /* The spellings of control tokens, sorted. None begins with another of them, so the
     * one that a text begins with, if any, is the greatest that is not greater than the
     * text. */
    struct text *specials;
    int n_specials;
    bool begins[256]; /* whether one of them begins with this byte */
};

/* ---- spellings of control tokens ---- */

static int text_order(struct text a, struct text b)
{
    int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_text(const void *a, const void *b)
{
    return text_order(*(const struct text *)a, *(const struct text *)b);
}

static bool begins_with(struct text text, struct text prefix)
{
    return prefix.len <= text.len && memcmp(text.at, prefix.at, prefix.len) == 0;
}

static void learn_specials(struct prompter *p)
{
    const struct engine_info *info = p->info;
    p->specials = mem_alloc(((size_t)info->n_specials + 1) * sizeof *p->specials);
    int n = 0;
    for (int i = 0; i < info->n_specials; i++)
        if (info->specials[i].len > 0)
            p->specials[n++] = info->specials[i];
    qsort(p->specials, (size_t)n, sizeof *p->specials, by_text);
    for (int i = 0; i < n; i++) {
        struct text it = p->specials[i];
        if (p->n_specials && begins_with(it, p->specials[p->n_specials - 1]))
            continue;
        p->specials[p->n_specials++] = it;
        p->begins[(unsigned char)it.at[0]] = true;
    }
}

static bool spells_special(const struct prompter *p, struct text text)
{
    int low = 0, high = p->n_specials; /* the first that is greater than text */
    while (low < high) {
        int middle = (low + high) / 2;
        if (text_order(p->specials[middle], text) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && begins_with(text, p->specials[low - 1]);
}

/* The offset of the next spelling at or after `from`, or text.len. */
static size_t next_spelling(const struct prompter *p, struct text text, size_t from)
{
    for (size_t i = from; i < text.len; i++)
        if (p->begins[(unsigned char)text.at[i]] &&
            spells_special(p, (struct text){text.at + i, text.len - i}))
            return i;
    return text.len;
}

/* A copy with the sentinel behind the first character of each spelling. */
static void add_broken(const struct prompter *p, struct text text, struct text sentinel,
                       struct buf *out)
{
    size_t from = 0;
    for (size_t at; (at = next_spelling(p, text, from)) < text.len;) {
        size_t first = text_utf8_char((struct text){text.at + at, text.len - at});
        at += first ? first : 1;
        buf_add(out, text.at + from, at - from);
        buf_text(out, sentinel);
        from = at;
    }
    buf_add(out, text.at + from, text.len - from);
}

/* ---- chat to messages ---- */

/* One message as templates know it. A message of the model may have calls: those of the
 * chat's turns [from_turn, to_turn). */
struct said {
    const char *role; /* system, user, assistant, tool */
    struct text content, thought;
    struct text name, id; /* tool */
    int from_turn, to_turn;
};

struct saying {
    struct said *at;
    int n;
};

/* As paragraphs, if both say something. */
static struct text join(struct arena *arena, struct text a, struct text b)
{
    static const struct text gap = {"\n\n", 2};
    if (a.len == 0)
        return b;
    if (b.len == 0)
        return a;
    char *both = arena_alloc(arena, a.len + gap.len + b.len + 1);
    memcpy(both, a.at, a.len);
    memcpy(both + a.len, gap.at, gap.len);
    memcpy(both + a.len + gap.len, b.at, b.len);
    return (struct text){both, a.len + gap.len + b.len};
}

/* All texts of one kind in parts [from, to), put together. One part is not copied. */
static struct text join_parts(struct arena *arena, const struct turn_of *turn, int from,
                              int to, enum part_kind kind)
{
    size_t len = 0;
    int n = 0;
    struct text only = TEXT("");
    for (int i = from; i < to; i++) {
        if (turn->parts[i].kind != kind)
            continue;
        only = turn->parts[i].text;
        len += only.len;
        n++;
    }
    if (n < 2)
        return only;
    char *all = arena_alloc(arena, len + 1), *to_byte = all;
    for (int i = from; i < to; i++) {
        struct text text = turn->parts[i].text;
        if (turn->parts[i].kind != kind || text.len == 0)
            continue;
        memcpy(to_byte, text.at, text.len);
        to_byte += text.len;
    }
    return (struct text){all, len};
}

/* A user's turn: runs of text are a message each, and so is each function's result. */
static void say_user(struct saying *say, const struct turn_of *turn, struct arena *arena)
{
    int before = say->n;
    for (int i = 0; i < turn->n_parts;) {
        const struct part *part = &turn->parts[i];
        struct said *said = &say->at[say->n++];
        if (part->kind == PART_RESULT) {
            *said = (struct said){.role = "tool",
                                  .content = part->json,
                                  .name = part->name,
                                  .id = part->id};
            i++;
            continue;
        }
        int to = i;
        while (to < turn->n_parts && turn->parts[to].kind != PART_RESULT)
            to++;
        *said = (struct said){.role = "user",
                              .content = join_parts(arena, turn, i, to, PART_TEXT)};
        i = to;
    }
    if (say->n == before)
        say->at[say->n++] = (struct said){.role = "user", .content = TEXT("")};
}

static void say_model(struct saying *say, const struct chat *chat, int turn,
                      struct arena *arena)
{
    const struct turn_of *it = &chat->turns[turn];
    say->at[say->n++] = (struct said){
        .role = "assistant",
        .content = join_parts(arena, it, 0, it->n_parts, PART_TEXT),
        .thought = join_parts(arena, it, 0, it->n_parts, PART_THOUGHT),
        .from_turn = turn,
        .to_turn = turn + 1,
    };
}

static struct saying say_chat(const struct chat *chat, int n_turns, struct arena *arena)
{
    size_t room = 2;
    for (int i = 0; i < n_turns; i++)
        room += (size_t)chat->turns[i].n_parts + 1;
    struct saying say = {arena_array(arena, struct said, room), 0};
    if (chat->system.len > 0)
        say.at[say.n++] = (struct said){.role = "system", .content = chat->system};
    for (int i = 0; i < n_turns; i++) {
        if (chat->turns[i].role == ROLE_USER)
            say_user(&say, &chat->turns[i], arena);
        else
            say_model(&say, chat, i, arena);
    }
    /* Templates look at the first message without asking whether there is one. */
    if (n_turns == 0 && say.n == 0)
        say.at[say.n++] = (struct said){.role = "user", .content = TEXT("")};
    return say;
}

/* ---- shapes ---- */

/* Neighbours of one role become one message; the results of functions stay apart. */
static void merge_neighbours(struct saying *say, struct arena *arena)
{
    int n = 0;
    for (int i = 0; i < say->n; i++) {
        struct said *last = n ? &say->at[n - 1] : NULL, *it = &say->at[i];
        if (!last || strcmp(last->role, it->role) != 0 || strcmp(it->role, "tool") == 0) {
            say->at[n++] = *it;
            continue;
        }
        last->content = join(arena, last->content, it->content);
        last->thought = join(arena, last->thought, it->thought);
        last->to_turn = it->to_turn;
    }
    say->n = n;
}

/* The system instruction goes in front of what the user said first. */
static void fold_system(struct saying *say, struct arena *arena)
{
    if (say->n == 0 || strcmp(say->at[0].role, "system") != 0)
        return;
    struct text system = say->at[0].content;
    if (say->n == 1 || strcmp(say->at[1].role, "user") != 0) {
        say->at[0].role = "user";
        return;
    }
    say->at[1].content = join(arena, system, say->at[1].content);
    memmove(say->at, say->at + 1, sizeof *say->at * (size_t)--say->n);
}

static const struct shape {
    bool merge, fold;
} shapes[] = {{false, false}, {true, false}, {false, true}, {true, true}};

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
    if (!c->sentinel.at) {
        c->forged = c->forged || next_spelling(c->prompter, text, 0) < text.len;
        return text;
    }
    buf_clear(&c->broken);
    add_broken(c->prompter, text, c->sentinel, &c->broken);
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

static void put_call(struct context *c, const struct part *call)
{
    json_begin(&c->w, '{');
    if (call->id.len > 0)
        put_text(c, "id", call->id);
    put_text(c, "type", TEXT("function"));
    json_key(&c->w, "function");
    json_begin(&c->w, '{');
    put_text(c, "name", call->name);
    put_json(c, "arguments", call->json.len > 0 ? call->json : TEXT("{}"));
    json_end(&c->w, '}');
    json_end(&c->w, '}');
}

static void put_calls(struct context *c, const struct chat *chat, const struct said *said)
{
    bool any = false;
    for (int t = said->from_turn; t < said->to_turn; t++) {
        for (int i = 0; i < chat->turns[t].n_parts; i++) {
            if (chat->turns[t].parts[i].kind != PART_CALL)
                continue;
            if (!any) {
                json_key(&c->w, "tool_calls");
                json_begin(&c->w, '[');
                any = true;
            }
            put_call(c, &chat->turns[t].parts[i]);
        }
    }
    if (any)
        json_end(&c->w, ']');
}

static void put_said(struct context *c, const struct chat *chat, const struct said *said)
{
    json_begin(&c->w, '{');
    json_key(&c->w, "role");
    json_text(&c->w, text_of(said->role));
    put_text(c, "content", said->content);
    if (said->thought.len > 0)
        put_text(c, "reasoning_content", said->thought);
    if (said->name.len > 0)
        put_text(c, "name", said->name);
    if (said->id.len > 0)
        put_text(c, "tool_call_id", said->id);
    put_calls(c, chat, said);
    json_end(&c->w, '}');
}

static void put_tools(struct context *c, const struct chat *chat)
{
    if (chat->n_functions == 0)
        return;
    json_key(&c->w, "tools");
    json_begin(&c->w, '[');
    for (int i = 0; i < chat->n_functions; i++) {
        const struct function *f = &chat->functions[i];
        json_begin(&c->w, '{');
        put_text(c, "type", TEXT("function"));
        json_key(&c->w, "function");
        json_begin(&c->w, '{');
        put_text(c, "name", f->name);
        put_text(c, "description", f->description.at ? f->description : TEXT(""));
        put_json(c, "parameters",
                 f->parameters.len > 0 ? f->parameters
                                       : TEXT("{\"type\":\"object\",\"properties\":{}}"));
        json_end(&c->w, '}');
        json_end(&c->w, '}');
    }
    json_end(&c->w, ']');
}

static void put_context(struct context *c, const struct chat *chat,
                        const struct saying *say)
{
    const struct engine_info *info = c->prompter->info;
    json_begin(&c->w, '{');
    json_key(&c->w, "messages");
    json_begin(&c->w, '[');
    for (int i = 0; i < say->n; i++)
        put_said(c, chat, &say->at[i]);
    json_end(&c->w, ']');
    put_tools(c, chat);
    json_key(&c->w, "add_generation_prompt");
    json_bool(&c->w, true);
    json_key(&c->w, "bos_token");
    json_text(&c->w, info->bos);
    json_key(&c->w, "eos_token");
    json_text(&c->w, info->eos);
    json_end(&c->w, '}');
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

struct rendering {
    const struct chat *chat;
    struct text more;     /* what a last turn of the model begins with: to be continued */
    struct text sentinel; /* out: where to cut; absent: nowhere */
    struct buf text;      /* out */
};

/* The context, written again with a sentinel when the chat spells a control token. */
static bool write_context(const struct prompter *p, const struct saying *say,
                          struct rendering *r, struct arena *arena, struct buf *json,
                          struct error *err)
{
    struct context c = {.prompter = p, .w = json_writer(json, false)};
    put_context(&c, r->chat, say);
    r->sentinel = (struct text){0};
    if (!c.forged && next_spelling(p, r->more, 0) == r->more.len)
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
    put_context(&c, r->chat, say);
    buf_free(&c.broken);
    return true;
}

static bool render_shape(const struct prompter *p, const struct shape *shape, int n_turns,
                         struct rendering *r, struct arena *arena, struct error *err)
{
    struct saying say = say_chat(r->chat, n_turns, arena);
    if (shape->fold)
        fold_system(&say, arena);
    if (shape->merge)
        merge_neighbours(&say, arena);
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
    if (p->info->add_bos && !begins_with((struct text){text, len}, bos))
        buf_text(&r->text, bos);
    buf_add(&r->text, text, len);
    add_broken(p, r->more, r->sentinel, &r->text);
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

static bool render(const struct prompter *p, struct rendering *r, struct arena *arena,
                   struct error *err)
{
    int n_turns = r->chat->n_turns;
    r->more = TEXT("");
    if (is_to_be_continued(r->chat)) {
        const struct turn_of *last = &r->chat->turns[--n_turns];
        r->more = join_parts(arena, last, 0, last->n_parts, PART_TEXT);
    }
    struct error first;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (shapes[i].fold && r->chat->system.len == 0)
            continue;
        if (render_shape(p, &shapes[i], n_turns, r, arena, i ? &first : err))
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
    prompt->text = arena_text(arena, buf_view(&whole));
    buf_free(&whole);
    buf_free(&tokens);
}

/* ---- the door ---- */

struct prompter *prompter_open(struct engine *engine, struct error *err)
{
    struct prompter *p = mem_alloc(sizeof *p);
    p->engine = engine;
    p->info = engine_info(engine);
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
    learn_specials(p);
    return p;
}

void prompter_close(struct prompter *p)
{
    if (!p)
        return;
    template_close(p->template);
    free(p->specials);
    free(p);
}

bool prompt_make(struct prompter *p, const struct chat *chat, struct arena *arena,
                 struct prompt *prompt, struct error *err)
{
    struct rendering r = {.chat = chat};
    if (!render(p, &r, arena, err))
        return false;
    *prompt = (struct prompt){.stop = p->plain ? PLAIN_STOP : (struct text){0}};
    if (r.sentinel.at) {
        tokenize_pieces(p->engine, buf_view(&r.text), r.sentinel, arena, prompt);
    } else {
        prompt->text = arena_text(arena, buf_view(&r.text));
        tokenize(p->engine, prompt->text, arena, prompt);
    }
    buf_free(&r.text);
    return true;
}

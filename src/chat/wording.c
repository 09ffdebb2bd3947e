#include "chat/wording.h"
#include "chat/signature.h"
#include "json/tree.h"
#include <stdint.h>

/* ---- functions ---- */

/* A schema as a model is to read it: what it tells llguidance is not part of it. */
static struct text shown_schema(struct text schema, struct arena *arena)
{
    static const struct text key = {"\"x-guidance\"", 12};
    struct error err;
    if (schema.len == 0)
        return TEXT("{\"type\":\"object\",\"properties\":{}}");
    if (text_find(schema, key, 0) == SIZE_MAX)
        return schema;
    struct json_object *tree = json_parse(arena, schema, &err);
    if (!json_object_is_type(tree, json_type_object))
        return schema;
    json_object_object_del(tree, "x-guidance");
    struct buf shown = {0};
    json_any_write(tree, &shown);
    return arena_take(arena, &shown);
}

struct text wording_tool(const struct family *family, const struct function *f,
                         struct arena *arena)
{
    if (family->signatures)
        return signature_of(f, arena);
    struct buf json = {0};
    struct json_writer w = json_writer(&json, false);
    json_begin(&w, '{');
    json_key(&w, "type");
    json_text(&w, TEXT("function"));
    json_key(&w, "function");
    json_begin(&w, '{');
    json_key(&w, "name");
    json_text(&w, f->name);
    json_key(&w, "description");
    json_text(&w, f->description.at ? f->description : TEXT(""));
    json_key(&w, "parameters");
    json_raw(&w, shown_schema(f->parameters, arena));
    json_end(&w, '}');
    json_end(&w, '}');
    struct buf spaced = {0};
    family_write_json(buf_view(&json), &spaced);
    buf_free(&json);
    return arena_take(arena, &spaced);
}

/* The tools' last words, with a call in which no name stands yet, as templates write it.
 */
static void add_example(const struct family *family, struct buf *words)
{
    static const struct family_call example = {{"<function-name>", 15},
                                               {"<args-json-object>", 18}};
    static const struct text quoted = {"\"<function-name>\"", 17};
    struct buf call = {0};
    family_write_calls(family, &example, 1, &call);
    struct text trail = text_of(family->tools_trail), shown = buf_view(&call);
    size_t at = text_find(trail, TEXT("%s"), 0), name = text_find(shown, quoted, 0);
    buf_text(words, text_slice(trail, 0, at));
    if (name != SIZE_MAX) {
        buf_text(words, text_slice(shown, 0, name));
        buf_text(words, example.name);
        shown = text_slice(shown, name + quoted.len, shown.len);
    }
    buf_text(words, shown);
    buf_text(words, text_slice(trail, at + 2, trail.len));
    buf_free(&call);
}

static void add_tools(const struct wording_spec *spec, struct buf *words)
{
    const struct family *family = spec->family;
    buf_str(words, family->tools_lead);
    for (int i = 0; i < spec->chat->n_functions; i++) {
        buf_char(words, '\n');
        buf_text(words, spec->tools[i]);
    }
    if (strstr(family->tools_trail, "%s"))
        add_example(family, words);
    else
        buf_str(words, family->tools_trail);
}

/* ---- the form of the answer ---- */

static void add_shape(const struct shape *shape, struct arena *arena, struct buf *words)
{
    if (shape->kind == ANSWER_JSON && shape->schema.len == 0)
        buf_str(words, "Answer in JSON.");
    if (shape->kind == ANSWER_JSON && shape->schema.len > 0) {
        buf_str(words, "Answer in JSON, by this JSON Schema:\n");
        buf_text(words, shown_schema(shape->schema, arena));
    }
    if (shape->kind == ANSWER_CHOICE)
        buf_str(words, "Answer with one of these, and nothing else:");
    for (int i = 0; shape->kind == ANSWER_CHOICE && i < shape->n_choices; i++) {
        buf_char(words, '\n');
        buf_text(words, shape->choices[i]);
    }
}

static void next_paragraph(struct buf *words)
{
    if (words->len > 0 && words->at[words->len - 1] != '\n')
        buf_str(words, "\n\n");
}

static bool has_words(const struct wording_spec *spec)
{
    return (spec->tools && spec->chat->n_functions > 0) ||
           spec->chat->shape.kind != ANSWER_TEXT || spec->think;
}

struct text wording_system(const struct wording_spec *spec, struct arena *arena)
{
    struct buf words = {0};
    if (spec->family->as_is)
        return TEXT("");
    if (spec->chat->system.len == 0 && spec->family->system && has_words(spec))
        buf_printf(&words, "%s\n\n", spec->family->system);
    if (spec->tools && spec->chat->n_functions > 0)
        add_tools(spec, &words);
    if (spec->chat->shape.kind != ANSWER_TEXT) {
        next_paragraph(&words);
        add_shape(&spec->chat->shape, arena, &words);
    }
    if (spec->think) {
        next_paragraph(&words);
        buf_printf(&words, "Before you answer, think step by step between %s and %s.",
                   spec->family->think, spec->family->end_think);
    }
    return arena_take(arena, &words);
}

/* ---- whether to call ---- */

static const struct turn_of *last_turn(const struct chat *chat)
{
    return chat->n_turns > 0 ? &chat->turns[chat->n_turns - 1] : NULL;
}

static bool has_callable(const struct chat *chat)
{
    for (int i = 0; i < chat->n_functions; i++)
        if (!chat->functions[i].barred)
            return true;
    return false;
}

enum first_step wording_first(const struct family *family, const struct chat *chat)
{
    const struct turn_of *last = last_turn(chat);
    if (!family->ask.words || !has_callable(chat) || !last || last->role != ROLE_USER ||
        (chat->calling != CALLING_AUTO && chat->calling != CALLING_VALIDATED))
        return FIRST_ANSWER;
    for (int i = 0; i < last->n_parts; i++)
        if (last->parts[i].kind == PART_RESULT)
            return FIRST_WORDS;
    return FIRST_ASK;
}

static bool has_text(const struct turn_of *turn)
{
    for (int i = 0; i < turn->n_parts; i++)
        if (turn->parts[i].kind == PART_TEXT)
            return true;
    return false;
}

/* What the user asked for before, if anything. */
static const struct turn_of *request_before(const struct chat *chat)
{
    for (int i = chat->n_turns - 2; i >= 0; i--)
        if (chat->turns[i].role == ROLE_USER && has_text(&chat->turns[i]))
            return &chat->turns[i];
    return NULL;
}

static void add_request(const struct turn_of *turn, const char *lead, struct buf *words)
{
    buf_str(words, lead);
    for (int i = 0; i < turn->n_parts; i++)
        if (turn->parts[i].kind == PART_TEXT)
            buf_text(words, turn->parts[i].text);
}

/* What a function does, without what follows on its arguments. */
static struct text first_paragraph(struct text description)
{
    size_t at = text_find(description, TEXT("\n\n"), 0);
    return at == SIZE_MAX ? description : text_slice(description, 0, at);
}

static void add_function(const struct function *f, struct buf *words)
{
    buf_printf(words, "Function %.*s: %.*s\n", TEXT_ARG(f->name),
               TEXT_ARG(first_paragraph(f->description)));
}

static struct chat question_of(const struct chat *chat, const char *system,
                               struct buf *words, struct arena *arena)
{
    struct part *part = arena_new(arena, struct part);
    struct turn_of *turn = arena_new(arena, struct turn_of);
    part->text = arena_take(arena, words);
    *turn = (struct turn_of){ROLE_USER, part, 1};
    return (struct chat){
        .model = chat->model, .system = text_of(system), .turns = turn, .n_turns = 1};
}

/* About the functions list[0..n). */
static struct chat ask_about(const struct family_question *question,
                             const struct chat *chat, const struct function **list, int n,
                             struct arena *arena)
{
    struct buf words = {0};
    const struct turn_of *before = request_before(chat);
    for (int i = 0; i < n; i++)
        add_function(list[i], &words);
    if (before)
        add_request(before, "Earlier request: ", &words);
    add_request(last_turn(chat), before ? "\nRequest: " : "Request: ", &words);
    return question_of(chat, question->words, &words, arena);
}

/* About what the user wants, whatever there is to do it with. */
static struct chat ask_use(const struct family *family,
                           const struct family_question *question,
                           const struct chat *chat, struct arena *arena)
{
    struct buf words = {0};
    const struct turn_of *before = request_before(chat);
    if (before) {
        add_request(before, "Earlier message: \"", &words);
        buf_str(&words, "\"\n\n");
    }
    add_request(last_turn(chat), "Message: \"", &words);
    buf_printf(&words, "\"\n\n%s", question->words);
    return question_of(chat, family->system, &words, arena);
}

int wording_questions(const struct family *family, const struct chat *chat,
                      struct arena *arena, struct chat *questions, double *yes_from)
{
    const struct family_question *question =
        request_before(chat) ? &family->ask_again : &family->ask;
    const struct function **others =
        arena_array(arena, const struct function *, (size_t)chat->n_functions + 1);
    bool asked[TOOL_USES] = {false};
    int n = 0, n_others = 0;
    for (int i = 0; i < chat->n_functions; i++) {
        const struct function *f = &chat->functions[i];
        enum tool_use use = f->tool ? f->tool->use : TOOL_DOES;
        const struct family_question *own = &family->ask_use[use];
        if (f->barred || (own->words && asked[use]))
            continue;
        if (!own->words) {
            others[n_others++] = f;
            continue;
        }
        asked[use] = true;
        yes_from[n] = own->yes_from;
        questions[n++] = ask_use(family, own, chat, arena);
    }
    int left = n_others < WORDING_QUESTIONS - n ? n_others : WORDING_QUESTIONS - n;
    for (int i = 0; i < left; i++) {
        int from = n_others * i / left, to = n_others * (i + 1) / left;
        yes_from[n] = question->yes_from;
        questions[n++] = ask_about(question, chat, others + from, to - from, arena);
    }
    return n;
}

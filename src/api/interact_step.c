/* interact_step.c - from the wire's steps to the turns of a chat. */
#include "api/interact_step.h"
#include "api/built_in.h"
#include "api/interact_message.h"
#include "api/message.h"
#include "fetch/fetch.h"
#include "files/files.h"
#include "json/tree.h"
#include <stdio.h>

/* What is done with a step. */
enum kind { SAID, THOUGHT, CALL, RESULT, NOTHING };

/* clang-format off */
static const struct step_type {
    const char *name;
    enum role role;
    enum kind kind;
    const struct built_in *tool; /* CALL, RESULT: whose; NULL: the client's */
} step_types[] = {
    {"user_input",        ROLE_USER,  SAID,    NULL},
    {"model_output",      ROLE_MODEL, SAID,    NULL},
    {"thought",           ROLE_MODEL, THOUGHT, NULL},
    {"function_call",     ROLE_MODEL, CALL,    NULL},
    {"function_result",   ROLE_USER,  RESULT,  NULL},
    {"processing_call",   ROLE_MODEL, NOTHING, NULL}, /* how media were made ready */
    {"processing_result", ROLE_MODEL, NOTHING, NULL},
};
/* clang-format on */

static const char *const block_types[] = {"text", "image", "audio", "video", "document"};

enum {
    N_STEP_TYPES = sizeof step_types / sizeof step_types[0],
    N_BLOCK_TYPES = sizeof block_types / sizeof block_types[0],
};

struct item {
    enum role role;
    struct part part;
    bool answered; /* of a call */
};

struct steps {
    struct arena *arena;
    struct item *items;
    int n, room;
};

struct reader {
    struct steps *steps;
    struct error *err;
};

/* ---- types ---- */

static struct text type_of(struct json_object *object)
{
    struct json_object *type = NULL;
    if (json_object_is_type(object, json_type_object))
        json_object_object_get_ex(object, "type", &type);
    return tree_text(type);
}

static bool is_block(struct json_object *object)
{
    struct text type = type_of(object);
    for (int i = 0; type.at && i < N_BLOCK_TYPES; i++)
        if (text_is(type, block_types[i]))
            return true;
    return false;
}

static bool find_type(struct text name, struct step_type *found)
{
    const struct built_in *call = built_in_step(name, "_call");
    const struct built_in *result = built_in_step(name, "_result");
    for (int i = 0; i < N_STEP_TYPES; i++)
        if (name.at && text_is(name, step_types[i].name)) {
            *found = step_types[i];
            return true;
        }
    *found = call ? (struct step_type){NULL, ROLE_MODEL, CALL, call}
                  : (struct step_type){NULL, ROLE_USER, RESULT, result};
    return call || result;
}

static bool is_step(struct json_object *object)
{
    struct step_type type;
    return find_type(type_of(object), &type);
}

static bool unknown_type(struct json_object *object, const char *where, const char *of,
                         struct error *err)
{
    struct text type = type_of(object);
    char path[200];
    snprintf(path, sizeof path, "%s.type", where);
    if (!json_object_is_type(object, json_type_object))
        return error_at(err, where, "Invalid value at '%s': %s is an object with a type.",
                        where, of);
    return error_at(err, path, "Invalid value at '%s': '%.*s' is not the type of %s.",
                    path, TEXT_ARG(text_slice(type, 0, 60)), of);
}

/* ---- the forms of input ---- */

static void begin_input(struct json_writer *w)
{
    json_begin(w, '{');
    json_key(w, "type");
    json_text(w, TEXT("user_input"));
    json_key(w, "content");
    json_begin(w, '[');
}

static void end_input(struct json_writer *w)
{
    json_end(w, ']');
    json_end(w, '}');
}

/* Blocks that follow one another are one input. */
static bool write_list(struct json_writer *w, struct json_object *list, struct error *err)
{
    bool open = false;
    size_t n = json_object_array_length(list);
    if (n == 0)
        return error_at(err, "input", "input is empty.");
    for (size_t i = 0; i < n; i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        char where[40];
        snprintf(where, sizeof where, "input[%zu]", i);
        bool block = is_block(one);
        if (!block && !is_step(one))
            return unknown_type(one, where, "a content block or a step", err);
        if (block && !open)
            begin_input(w);
        if (!block && open)
            end_input(w);
        open = block;
        tree_write(w, one);
    }
    if (open)
        end_input(w);
    return true;
}

static bool write_one(struct json_writer *w, struct json_object *input, struct error *err)
{
    bool block = is_block(input);
    if (!block && !is_step(input))
        return unknown_type(input, "input", "a content block or a step", err);
    if (block)
        begin_input(w);
    tree_write(w, input);
    if (block)
        end_input(w);
    return true;
}

static bool write_text(struct json_writer *w, struct text text, struct error *err)
{
    if (text.len == 0)
        return error_at(err, "input", "input is empty.");
    begin_input(w);
    json_begin(w, '{');
    json_key(w, "type");
    json_text(w, TEXT("text"));
    json_key(w, "text");
    json_text(w, text);
    json_end(w, '}');
    end_input(w);
    return true;
}

bool steps_normal(struct json_object *input, struct buf *out, struct error *err)
{
    struct json_writer w = json_writer(out, false);
    bool good;
    if (!input)
        return error_at(err, "input", "input is not specified.");
    json_begin(&w, '[');
    if (json_object_is_type(input, json_type_string))
        good = write_text(&w, tree_text(input), err);
    else if (json_object_is_type(input, json_type_array))
        good = write_list(&w, input, err);
    else
        good = write_one(&w, input, err);
    json_end(&w, ']');
    return good;
}

/* ---- parts ---- */

struct steps *steps_open(struct arena *arena)
{
    struct steps *steps = arena_new(arena, struct steps);
    steps->arena = arena;
    return steps;
}

static void add(struct steps *steps, enum role role, const struct part *part)
{
    if (steps->n == steps->room) {
        steps->room = steps->room ? steps->room * 2 : 16;
        struct item *more = arena_array(steps->arena, struct item, (size_t)steps->room);
        if (steps->n > 0)
            memcpy(more, steps->items, sizeof *more * (size_t)steps->n);
        steps->items = more;
    }
    steps->items[steps->n++] = (struct item){role, *part, false};
}

static const char *below(const struct reader *r, const char *where, const char *field)
{
    return arena_printf(r->steps->arena, "%s.%s", where, field).at;
}

static struct text kept(const struct reader *r, struct buf *buf)
{
    struct text text = arena_text(r->steps->arena, buf_view(buf));
    buf_free(buf);
    return text;
}

/* ---- content blocks ---- */

static bool read_options(const struct reader *r, struct json_object *processing,
                         const char *where, struct part_media *media)
{
    struct wire_processing wire = {0};
    struct text name = tree_text(processing);
    if (!processing || text_is(name, "static"))
        return true;
    if (!name.at && !json_decode_at(&wire_processing_type, processing, where, &wire,
                                    r->steps->arena, r->err))
        return false;
    if (name.at || (wire.type.at && !text_is(wire.type, "static")))
        return error_at(r->err, where,
                        "'%s' is not supported by Pollux yet: processing other than "
                        "static",
                        where);
    if (wire.start.is < 0 || (wire.end.set && wire.end.is <= wire.start.is) ||
        (wire.fps.set && wire.fps.is <= 0))
        return error_at(r->err, where,
                        "Invalid value at '%s': end_offset must be behind start_offset, "
                        "and fps more than 0.",
                        where);
    media->has_options = true;
    media->options = (struct media_options){
        .start_s = (double)wire.start.is / 1e9,
        .end_s = (double)wire.end.is / 1e9,
        .fps = wire.fps.is,
    };
    return true;
}

static bool read_resolution(const struct reader *r, struct text name, const char *where,
                            struct part_media *media)
{
    static const struct {
        const char *name;
        int n_most; /* 0: the model's own */
    } known[] = {{"low", WIRE_LOW_TOKENS},
                 {"medium", WIRE_MEDIUM_TOKENS},
                 {"high", 0},
                 {"ultra_high", 0}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!text_is(name, known[i].name))
            continue;
        media->n_most = known[i].n_most;
        return true;
    }
    return !name.len || error_at(r->err, where,
                                 "Invalid value at '%s': low, medium, high or "
                                 "ultra_high.",
                                 where);
}

static bool read_media(const struct reader *r, enum role role, struct json_object *from,
                       const char *where)
{
    struct wire_block_of block;
    struct text id;
    struct part_media *media = arena_new(r->steps->arena, struct part_media);
    if (!json_decode_at(&wire_media_block_type, from, where, &block, r->steps->arena,
                        r->err))
        return false;
    if ((block.data.len > 0) == (block.uri.len > 0))
        return error_at(r->err, where, "Invalid value at '%s': one of data and uri.",
                        where);
    if (block.data.len && !block.mime_type.len)
        return error_at(r->err, below(r, where, "mime_type"),
                        "'%s.mime_type' is not specified: data needs one.", where);
    if (block.uri.len && !files_is_ours(block.uri, &id) && !fetch_is_url(block.uri))
        return error_at(r->err, below(r, where, "uri"),
                        "'%s.uri': '%.*s' names neither a file of this server "
                        "(files/{id}) nor something to fetch (http://, https://).",
                        where, TEXT_ARG(text_slice(block.uri, 0, 200)));
    media->path = where;
    media->uri = block.uri;
    media->source = (struct media_source){.bytes = block.data, .mime = block.mime_type};
    if (!read_options(r, block.processing, below(r, where, "processing"), media) ||
        !read_resolution(r, block.resolution, below(r, where, "resolution"), media))
        return false;
    add(r->steps, role, &(struct part){.kind = PART_MEDIA, .media = media});
    return true;
}

/* `as`: TEXT or THOUGHT. */
static bool read_block(const struct reader *r, enum role role, enum part_kind as,
                       struct json_object *from, const char *where)
{
    struct wire_block_of block;
    if (!is_block(from))
        return unknown_type(from, where, "a content block", r->err);
    if (!text_is(type_of(from), "text"))
        return read_media(r, role, from, where);
    if (!json_decode_at(&wire_text_block_type, from, where, &block, r->steps->arena,
                        r->err))
        return false;
    if (!block.text.at)
        return error_at(r->err, below(r, where, "text"), "'%s.text' is not specified.",
                        where);
    add(r->steps, role, &(struct part){.kind = as, .text = block.text});
    return true;
}

/* A text, a block, or a list of blocks. */
static bool read_content(const struct reader *r, enum role role, enum part_kind as,
                         struct json_object *from, const char *where)
{
    struct text text = tree_text(from);
    if (text.at) {
        add(r->steps, role, &(struct part){.kind = as, .text = text});
        return true;
    }
    if (!json_object_is_type(from, json_type_array))
        return read_block(r, role, as, from, where);
    for (size_t i = 0; i < json_object_array_length(from); i++) {
        const char *here = arena_printf(r->steps->arena, "%s[%zu]", where, i).at;
        if (!read_block(r, role, as, json_object_array_get_idx(from, i), here))
            return false;
    }
    return true;
}

/* Pictures that a tool drew, right behind its result: the model did not see them. */
static bool is_drawn(const struct reader *r, const struct step_type *type,
                     struct json_object *content)
{
    const struct item *last = r->steps->n ? &r->steps->items[r->steps->n - 1] : NULL;
    bool all = type->role == ROLE_MODEL && last && last->part.kind == PART_RESULT &&
               last->part.of_server && json_object_is_type(content, json_type_array);
    for (size_t i = 0; all && i < json_object_array_length(content); i++)
        all = text_is(type_of(json_object_array_get_idx(content, i)), "image");
    return all;
}

static bool read_said(const struct reader *r, const struct step_type *type,
                      struct json_object *from, const char *where)
{
    struct wire_step step;
    int n = r->steps->n;
    const char *content = below(r, where, "content");
    if (!json_decode_at(&wire_said_type, from, where, &step, r->steps->arena, r->err))
        return false;
    if (is_drawn(r, type, step.content))
        return true;
    if (step.content && !read_content(r, type->role, PART_TEXT, step.content, content))
        return false;
    return r->steps->n > n || type->role == ROLE_MODEL ||
           error_at(r->err, content, "'%s' is empty.", content);
}

static bool read_thought(const struct reader *r, const struct step_type *type,
                         struct json_object *from, const char *where)
{
    struct wire_step step;
    return json_decode_at(&wire_thought_type, from, where, &step, r->steps->arena,
                          r->err) &&
           (!step.summary || read_content(r, type->role, PART_THOUGHT, step.summary,
                                          below(r, where, "summary")));
}

/* ---- calls and results ---- */

static bool read_call(const struct reader *r, const struct step_type *type,
                      struct json_object *from, const char *where)
{
    struct wire_step step;
    struct buf json = {0};
    if (!json_decode_at(&wire_step_call_type, from, where, &step, r->steps->arena,
                        r->err))
        return false;
    struct part part = {
        .kind = PART_CALL,
        .id = step.id,
        .name = type->tool && !step.name.len ? text_of(type->tool->name) : step.name,
        .json = TEXT("{}"),
        .of_server = type->tool != NULL,
        .server = step.server,
    };
    if (part.name.len == 0)
        return error_at(r->err, below(r, where, "name"), "'%s.name' is not specified.",
                        where);
    if (step.arguments && !json_object_is_type(step.arguments, json_type_object))
        return error_at(r->err, below(r, where, "arguments"),
                        "Invalid value at '%s.arguments': they are an object.", where);
    if (step.arguments) {
        json_any_write(step.arguments, &json);
        part.json = kept(r, &json);
    }
    add(r->steps, type->role, &part);
    return true;
}

/* The latest that has no result yet. */
static struct item *find_call(const struct reader *r, struct text id)
{
    for (int i = r->steps->n; i-- > 0;) {
        struct item *item = &r->steps->items[i];
        if (item->part.kind == PART_CALL && !item->answered &&
            text_same(item->part.id, id))
            return item;
    }
    return NULL;
}

/* A text that is an object is meant as one: clients send JSON so. */
static bool put_object(const struct reader *r, struct text text, struct buf *out)
{
    struct error err;
    if (!text_starts(text, "{"))
        return false;
    struct json_object *tree = json_parse(r->steps->arena, text, &err);
    bool good = json_object_is_type(tree, json_type_object) && tree_is_sound(tree);
    if (good)
        json_any_write(tree, out);
    return good;
}

static void put_member(const char *name, struct text json, struct buf *out)
{
    buf_printf(out, "{\"%s\":", name);
    buf_text(out, json);
    buf_char(out, '}');
}

static void put_text(const struct reader *r, struct text text, bool is_error,
                     struct buf *out)
{
    struct buf json = {0};
    struct json_writer w = json_writer(&json, false);
    if (!is_error && put_object(r, text, out))
        return;
    json_text(&w, text);
    put_member(is_error ? "error" : "result", buf_view(&json), out);
    buf_free(&json);
}

/* What a tool of the server's own gave: the words that the model was told. */
static void put_words(const struct reader *r, const struct step_type *type,
                      struct text text, bool is_error, struct buf *out)
{
    if (type->tool)
        buf_text(out, tool_said(text, is_error, r->steps->arena));
    else
        put_text(r, text, is_error, out);
}

static bool are_blocks(struct json_object *list)
{
    bool all = json_object_is_type(list, json_type_array);
    for (size_t i = 0; all && i < json_object_array_length(list); i++)
        all = is_block(json_object_array_get_idx(list, i));
    return all;
}

/* The texts among the blocks are the result; media are shown behind it. */
static bool read_blocks(const struct reader *r, const struct step_type *type,
                        struct json_object *list, const char *where, struct buf *texts)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        const char *here = arena_printf(r->steps->arena, "%s[%zu]", where, i).at;
        int n = r->steps->n;
        if (!read_block(r, type->role, PART_TEXT, one, here))
            return false;
        if (r->steps->items[n].part.kind != PART_TEXT)
            continue;
        buf_str(texts, texts->len ? "\n" : "");
        buf_text(texts, r->steps->items[n].part.text);
        r->steps->n = n;
    }
    return true;
}

static bool read_value(const struct reader *r, const struct step_type *type,
                       const struct wire_step *step, const char *where, struct text *json)
{
    struct buf out = {0}, texts = {0};
    bool is_error = step->is_error.is, good = true;
    struct json_object *value = step->result;
    struct text words = built_in_words(step->signature);
    if (type->tool && words.at) {
        put_words(r, type, words, is_error, &out);
    } else if (!value) {
        buf_str(&out, "{}");
    } else if (tree_text(value).at) {
        put_words(r, type, tree_text(value), is_error, &out);
    } else if (are_blocks(value)) {
        good = read_blocks(r, type, value, where, &texts);
        put_words(r, type, buf_view(&texts), is_error, &out);
    } else if (json_object_is_type(value, json_type_object) && !is_error) {
        json_any_write(value, &out);
    } else if (type->tool || json_object_is_type(value, json_type_object)) {
        json_any_write(value, &texts);
        put_member(is_error ? "error" : "result", buf_view(&texts), &out);
    } else {
        good = error_at(r->err, where,
                        "Invalid value at '%s': an object, a list of content blocks, or "
                        "a text.",
                        where);
    }
    buf_free(&texts);
    *json = kept(r, &out);
    return good;
}

static bool read_result(const struct reader *r, const struct step_type *type,
                        struct json_object *from, const char *where)
{
    struct wire_step step;
    if (!json_decode_at(&wire_step_result_type, from, where, &step, r->steps->arena,
                        r->err))
        return false;
    struct item *call = find_call(r, step.call_id);
    if (!call)
        return error_at(r->err, below(r, where, "call_id"),
                        "'%s.call_id': no call with the id '%.*s' waits for a result.",
                        where, TEXT_ARG(text_slice(step.call_id, 0, 100)));
    if (step.name.len && !type->tool && !text_same(step.name, call->part.name))
        return error_at(r->err, below(r, where, "name"),
                        "'%s.name': the call '%.*s' is of '%.*s'.", where,
                        TEXT_ARG(text_slice(step.call_id, 0, 100)),
                        TEXT_ARG(text_slice(call->part.name, 0, 100)));
    call->answered = true;
    struct part part = {PART_RESULT, .id = call->part.id, .name = call->part.name,
                        .of_server = type->tool != NULL, .server = call->part.server};
    int n = r->steps->n;
    add(r->steps, type->role, &part); /* in front of its media */
    bool good = read_value(r, type, &step, below(r, where, "result"), &part.json);
    r->steps->items[n].part.json = part.json;
    return good;
}

/* ---- steps ---- */

static bool read_step(const struct reader *r, struct json_object *from, const char *where)
{
    struct step_type type;
    if (!find_type(type_of(from), &type))
        return unknown_type(from, where, "a step", r->err);
    switch (type.kind) {
    case SAID:
        return read_said(r, &type, from, where);
    case THOUGHT:
        return read_thought(r, &type, from, where);
    case CALL:
        return read_call(r, &type, from, where);
    case RESULT:
        return read_result(r, &type, from, where);
    default:
        return true;
    }
}

bool steps_add(struct steps *steps, struct json_object *array, const char *where,
               struct error *err)
{
    const struct reader r = {steps, err};
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        const char *here = arena_printf(steps->arena, "%s[%zu]", where, i).at;
        if (!read_step(&r, json_object_array_get_idx(array, i), here))
            return false;
    }
    return true;
}

void steps_turns(const struct steps *steps, struct chat *chat)
{
    struct part *parts = arena_array(steps->arena, struct part, (size_t)steps->n + 1);
    chat->turns = arena_array(steps->arena, struct turn_of, (size_t)steps->n + 1);
    chat->n_turns = 0;
    for (int i = 0; i < steps->n; i++) {
        struct turn_of *turn = &chat->turns[chat->n_turns - (chat->n_turns > 0)];
        if (chat->n_turns == 0 || turn->role != steps->items[i].role) {
            turn = &chat->turns[chat->n_turns++];
            *turn = (struct turn_of){.role = steps->items[i].role, .parts = &parts[i]};
        }
        parts[i] = steps->items[i].part;
        turn->n_parts++;
    }
}

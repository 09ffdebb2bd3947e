#include "chat/narrate.h"
#include "chat/family.h"
#include "json/tree.h"

/* A turn that is being written: the user's words, then what was called for them. */
struct tale {
    struct arena *arena;
    struct chat *to;
    struct buf words; /* of the last user's turn; empty: it was written down */
    bool open;        /* there is such a turn */
    bool told;        /* it tells of calls */
    const struct turn_of *called; /* where the calls are that were not answered yet */
    int n_called;
};

static void add_turn(struct tale *tale, enum role role, struct text text)
{
    struct part *part = arena_new(tale->arena, struct part);
    *part = (struct part){.kind = PART_TEXT, .text = arena_text(tale->arena, text)};
    tale->to->turns[tale->to->n_turns++] = (struct turn_of){role, part, 1};
}

static void close_turn(struct tale *tale)
{
    if (tale->open)
        add_turn(tale, ROLE_USER, buf_view(&tale->words));
    buf_clear(&tale->words);
    tale->open = tale->told = false;
}

static void add_args(struct text json, struct tale *tale)
{
    struct error err;
    struct json_object *args = json.len > 0 ? json_parse(tale->arena, json, &err) : NULL;
    const char *comma = "";
    if (!json_object_is_type(args, json_type_object))
        return;
    for (struct lh_entry *e = tree_first(args); e; e = e->next) {
        struct buf value = {0};
        json_any_write(tree_value(e), &value);
        buf_printf(&tale->words, "%s%s=", comma, tree_key(e));
        family_write_json(buf_view(&value), &tale->words);
        buf_free(&value);
        comma = ", ";
    }
}

static bool has_id(const struct part *call, struct text id)
{
    return call->kind == PART_CALL && id.len > 0 && text_same(call->id, id);
}

/* The arguments that the result is of: by id, else by name and order. */
static struct text args_of(const struct tale *tale, const struct part *result, int nth)
{
    const struct turn_of *called = tale->called;
    for (int i = 0; called && i < called->n_parts; i++)
        if (has_id(&called->parts[i], result->id))
            return called->parts[i].json;
    for (int i = 0; called && i < called->n_parts; i++) {
        const struct part *call = &called->parts[i];
        if (call->kind == PART_CALL && text_same(call->name, result->name) && nth-- == 0)
            return call->json;
    }
    return TEXT("");
}

static void add_result(struct tale *tale, const struct turn_of *turn, int i)
{
    const struct part *result = &turn->parts[i];
    int nth = 0;
    for (int k = 0; k < i; k++)
        nth += turn->parts[k].kind == PART_RESULT &&
               text_same(turn->parts[k].name, result->name);
    if (!tale->told)
        buf_printf(&tale->words, "%sFunctions were called for this:",
                   tale->words.len > 0 ? "\n\n" : "");
    tale->open = tale->told = true;
    buf_printf(&tale->words, "\n%.*s(", TEXT_ARG(result->name));
    add_args(args_of(tale, result, nth), tale);
    buf_str(&tale->words, ") gave ");
    family_write_json(result->json.len > 0 ? result->json : TEXT("{}"), &tale->words);
}

static void tell_user(struct tale *tale, const struct turn_of *turn)
{
    bool spoken = false; /* in this turn */
    for (int i = 0; i < turn->n_parts; i++) {
        if (turn->parts[i].kind == PART_RESULT) {
            add_result(tale, turn, i);
            continue;
        }
        if (!spoken || tale->told)
            close_turn(tale);
        spoken = tale->open = true;
        buf_text(&tale->words, turn->parts[i].text);
    }
    if (turn->n_parts == 0)
        tale->open = true;
}

static void tell_model(struct tale *tale, const struct turn_of *turn)
{
    struct buf words = {0};
    bool calls = false;
    for (int i = 0; i < turn->n_parts; i++) {
        calls = calls || turn->parts[i].kind == PART_CALL;
        if (turn->parts[i].kind == PART_TEXT)
            buf_text(&words, turn->parts[i].text);
    }
    tale->called = turn;
    if (!calls) {
        close_turn(tale);
        add_turn(tale, ROLE_MODEL, buf_view(&words));
    }
    buf_free(&words);
}

void narrate(const struct chat *chat, bool answer, struct arena *arena,
             struct chat *narrated)
{
    size_t room = 1;
    for (int i = 0; i < chat->n_turns; i++)
        room += (size_t)chat->turns[i].n_parts + 1;
    *narrated = *chat;
    narrated->turns = arena_array(arena, struct turn_of, room);
    narrated->n_turns = 0;
    struct tale tale = {.arena = arena, .to = narrated};
    for (int i = 0; i < chat->n_turns; i++) {
        if (chat->turns[i].role == ROLE_USER)
            tell_user(&tale, &chat->turns[i]);
        else
            tell_model(&tale, &chat->turns[i]);
    }
    if (answer && tale.told)
        buf_printf(&tale.words, "\n\nAnswer%s, by what they gave.",
                   chat->shape.kind == ANSWER_TEXT ? " in plain words" : "");
    close_turn(&tale);
    buf_free(&tale.words);
}

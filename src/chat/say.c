#include "chat/say.h"
#include "json/write.h"

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

/* One part is not copied. */
struct text say_parts(struct arena *arena, const struct turn_of *turn, int from, int to,
                      enum part_kind kind)
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

/* ---- turns to messages ---- */

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
                              .content = say_parts(arena, turn, i, to, PART_TEXT)};
        i = to;
    }
    if (say->n == before)
        say->at[say->n++] = (struct said){.role = "user", .content = TEXT("")};
}

static void say_model(struct saying *say, const struct turn_of *turn, struct arena *arena)
{
    struct said *said = &say->at[say->n++];
    *said = (struct said){
        .role = "assistant",
        .content = say_parts(arena, turn, 0, turn->n_parts, PART_TEXT),
        .thought = say_parts(arena, turn, 0, turn->n_parts, PART_THOUGHT),
        .calls = arena_array(arena, struct said_call, (size_t)turn->n_parts + 1),
    };
    for (int i = 0; i < turn->n_parts; i++) {
        const struct part *part = &turn->parts[i];
        if (part->kind == PART_CALL)
            said->calls[said->n_calls++] = (struct said_call){
                part->id, part->name, part->json.len > 0 ? part->json : TEXT("{}")};
    }
}

/* ---- ids ---- */

/* Of the family's length, always the same for the same id. */
static struct text short_id(struct arena *arena, struct text id, int len)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    char *made = arena_alloc(arena, (size_t)len + 1);
    uint64_t hash = text_hash(TEXT_HASH, id);
    for (int i = 0; i < len; i++) {
        made[i] = letters[hash % 36];
        hash /= 36;
    }
    return (struct text){made, (size_t)len};
}

/* The call that a result without id answers: the first of that name which no result has
 * answered yet. */
static struct said_call *find_call(const struct saying *say, int before, struct text name,
                                   int nth)
{
    for (int i = 0; i < before; i++) {
        for (int k = 0; k < say->at[i].n_calls; k++) {
            struct said_call *call = &say->at[i].calls[k];
            if (text_same(call->name, name) && nth-- == 0)
                return call;
        }
    }
    return NULL;
}

static int n_results_before(const struct saying *say, int before, struct text name)
{
    int n = 0;
    for (int i = 0; i < before; i++)
        n += strcmp(say->at[i].role, "tool") == 0 && text_same(say->at[i].name, name);
    return n;
}

/* Where the family's template insists on ids of its own kind, each call and result has
 * one. */
static void give_ids(struct saying *say, int len, struct arena *arena)
{
    int n = 0;
    for (int i = 0; i < say->n; i++) {
        struct said *said = &say->at[i];
        for (int k = 0; k < said->n_calls; k++, n++) {
            struct said_call *call = &said->calls[k];
            if (call->id.len == 0)
                call->id = arena_printf(arena, "call %d", n);
            call->id = short_id(arena, call->id, len);
        }
        if (strcmp(said->role, "tool") != 0)
            continue;
        struct said_call *call =
            said->id.len > 0
                ? NULL
                : find_call(say, i, said->name, n_results_before(say, i, said->name));
        said->id = call ? call->id : short_id(arena, said->id, len);
    }
}

/* ---- what the template does not show ---- */

static void calls_to_words(const struct family *family, struct said *said,
                           struct arena *arena)
{
    struct buf words = {0};
    struct family_call *calls =
        arena_array(arena, struct family_call, (size_t)said->n_calls + 1);
    for (int i = 0; i < said->n_calls; i++)
        calls[i] = (struct family_call){said->calls[i].name, said->calls[i].args};
    buf_text(&words, said->content);
    if (said->content.len > 0 && said->n_calls > 0)
        buf_char(&words, '\n');
    family_write_calls(family, calls, said->n_calls, &words);
    said->content = arena_take(arena, &words);
    said->n_calls = 0;
}

static void result_to_words(const struct family *family, struct said *said,
                            struct arena *arena)
{
    struct buf words = {0};
    struct buf json = {0};
    struct json_writer w = json_writer(&json, false);
    json_begin(&w, '{');
    json_key(&w, "name");
    json_text(&w, said->name);
    json_key(&w, "content");
    json_raw(&w, said->content.len > 0 ? said->content : TEXT("{}"));
    json_end(&w, '}');
    buf_str(&words, family->result);
    family_write_json(buf_view(&json), &words);
    buf_free(&json);
    buf_str(&words, family->end_result);
    *said = (struct said){.role = "user", .content = arena_take(arena, &words)};
}

static void put_into_words(const struct say_spec *spec, struct saying *say,
                           struct arena *arena)
{
    for (int i = 0; i < say->n; i++) {
        struct said *said = &say->at[i];
        if (spec->own_calls && said->n_calls > 0)
            calls_to_words(spec->family, said, arena);
        if (spec->own_results && strcmp(said->role, "tool") == 0)
            result_to_words(spec->family, said, arena);
    }
}

/* ---- shapes ---- */

static void merge_calls(struct said *into, const struct said *from, struct arena *arena)
{
    int n = into->n_calls + from->n_calls;
    struct said_call *all = arena_array(arena, struct said_call, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        all[i] = i < into->n_calls ? into->calls[i] : from->calls[i - into->n_calls];
    into->calls = all;
    into->n_calls = n;
}

/* The results of functions stay apart. */
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
        merge_calls(last, it, arena);
    }
    say->n = n;
}

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

/* Moves the result of the call to the place `at`, from behind it. */
static void pull_result(struct saying *say, int at, const struct said_call *call)
{
    int from = at;
    while (from < say->n && strcmp(say->at[from].role, "tool") == 0) {
        bool fits = say->at[from].id.len > 0 && call->id.len > 0
                        ? text_same(say->at[from].id, call->id)
                        : text_same(say->at[from].name, call->name);
        if (fits)
            break;
        from++;
    }
    if (from == say->n || strcmp(say->at[from].role, "tool") != 0)
        return;
    struct said result = say->at[from];
    memmove(&say->at[at + 1], &say->at[at], sizeof *say->at * (size_t)(from - at));
    say->at[at] = result;
}

/* [call a, call b] [result a] [result b] becomes [call a] [result a] [call b] [result b].
 */
static void split_calls(struct saying *say, struct arena *arena)
{
    size_t room = (size_t)say->n + 1;
    for (int i = 0; i < say->n; i++)
        room += (size_t)say->at[i].n_calls;
    struct said *at = arena_array(arena, struct said, room);
    memcpy(at, say->at, sizeof *at * (size_t)say->n);
    say->at = at;
    for (int i = 0; i < say->n; i++) {
        struct said *said = &at[i];
        if (said->n_calls < 2)
            continue;
        struct said rest = {.role = said->role,
                            .content = TEXT(""),
                            .calls = said->calls + 1,
                            .n_calls = said->n_calls - 1};
        said->n_calls = 1;
        pull_result(say, i + 1, &said->calls[0]);
        int to = i + 1 + (i + 1 < say->n && strcmp(at[i + 1].role, "tool") == 0);
        memmove(&at[to + 1], &at[to], sizeof *at * (size_t)(say->n - to));
        at[to] = rest;
        say->n++;
    }
}

/* ---- the door ---- */

struct saying say_chat(const struct say_spec *spec, struct arena *arena)
{
    const struct chat *chat = spec->chat;
    size_t room = 2;
    for (int i = 0; i < spec->n_turns; i++)
        room += (size_t)chat->turns[i].n_parts + 1;
    struct saying say = {arena_array(arena, struct said, room), 0};
    struct text system = join(arena, chat->system, spec->words);
    if (system.len > 0)
        say.at[say.n++] = (struct said){.role = "system", .content = system};
    for (int i = 0; i < spec->n_turns; i++) {
        if (chat->turns[i].role == ROLE_USER)
            say_user(&say, &chat->turns[i], arena);
        else
            say_model(&say, &chat->turns[i], arena);
    }
    /* Templates look at the first message without asking whether there is one. */
    if (spec->n_turns == 0 && say.n == 0)
        say.at[say.n++] = (struct said){.role = "user", .content = TEXT("")};
    if (spec->family->id_len > 0)
        give_ids(&say, spec->family->id_len, arena);
    put_into_words(spec, &say, arena);
    if (spec->shape.split)
        split_calls(&say, arena);
    if (spec->shape.fold)
        fold_system(&say, arena);
    if (spec->shape.merge)
        merge_neighbours(&say, arena);
    return say;
}

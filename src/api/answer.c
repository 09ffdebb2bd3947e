/* answer.c - what the candidates of a turn said and was not written yet.
 *
 * What a candidate said lies in an arena of its own, which is closed when it was written:
 * a long stream does not grow. Pieces of text that follow one another are one part; the
 * last part's text is still open and lies in a struct buf.
 *
 * A chunk of a stream that ends a candidate without text has a part with an empty text:
 * the chat classes of the Python client drop a turn that has a chunk without parts. A
 * candidate that was blocked has no content at all.
 *
 * A signature stands where the public API has it, on the first part behind a thought and
 * on each call (print.h).
 */
#include "api/answer_inside.h"
#include "api/finish.h"
#include "api/grounding.h"
#include "api/print.h"
#include "tools/code.h"
#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

/* ---- opening ---- */

/* 22 characters of A-Z a-z 0-9 - and _. */
static struct text random_id(struct arena *arena)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char bytes[22];
    char id[sizeof bytes];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        abort(); /* cannot be for so few */
    for (size_t i = 0; i < sizeof bytes; i++)
        id[i] = letters[bytes[i] % 64];
    return arena_text(arena, (struct text){id, sizeof id});
}

void answer_clear(struct voice *v)
{
    arena_close(v->arena);
    v->arena = NULL;
    v->parts = NULL;
    v->n_parts = v->room_parts = 0;
    v->open = v->sounds = false;
    v->chosen = NULL;
    v->top = NULL;
    v->n_steps = v->room_steps = 0;
}

static void close_answer(void *arg)
{
    struct answer *answer = arg;
    for (int i = 0; i < answer->options.n_candidates; i++) {
        answer_clear(&answer->voices[i]);
        buf_free(&answer->voices[i].text);
        buf_free(&answer->voices[i].sound);
        buf_free(&answer->voices[i].pages);
    }
}

struct answer *answer_open(struct arena *arena, const struct answer_options *options)
{
    size_t n = (size_t)options->n_candidates;
    assert(n <= WIRE_CANDIDATES);
    struct answer *answer =
        arena_alloc(arena, sizeof *answer + n * sizeof *answer->voices);
    answer->arena = arena;
    answer->options = *options;
    answer->id = random_id(arena);
    arena_defer(arena, close_answer, answer);
    return answer;
}

/* ---- fingerprints ---- */

static struct text call_id(struct answer *answer, const struct voice *v,
                           const struct part *call)
{
    if (!answer->prompt)
        answer->prompt = print_of(0, answer->options.prompt);
    return print_call_id(v->arena, answer->prompt, (int)(v - answer->voices), v->n_calls,
                         call);
}

/* Behind what was thought; `call` may be NULL. */
static struct text signature(struct voice *v, const struct part *call)
{
    v->unsigned_thought = false;
    return print_signature(v->arena, v->thought, call);
}

/* ---- parts ---- */

static void *grown(struct arena *arena, const void *old, size_t n, size_t room,
                   size_t size)
{
    void *more = arena_alloc(arena, room * size);
    if (n > 0)
        memcpy(more, old, n * size);
    return more;
}

struct wire_part *answer_new_part(struct voice *v)
{
    if (v->n_parts == v->room_parts) {
        v->room_parts = v->room_parts ? v->room_parts * 2 : 1;
        v->parts = grown(v->arena, v->parts, v->n_parts, v->room_parts, sizeof *v->parts);
    }
    v->parts[v->n_parts] = (struct wire_part){0};
    return &v->parts[v->n_parts++];
}

static void note_piece(struct voice *v, enum piece piece)
{
    v->n_pieces += piece == PIECE_OTHER || (piece != PIECE_NONE && piece != v->last);
    v->last = piece;
}

static struct wire_part *new_other(struct voice *v)
{
    note_piece(v, PIECE_OTHER);
    return answer_new_part(v);
}

static void end_sound(struct voice *v)
{
    struct wire_blob *blob = arena_new(v->arena, struct wire_blob);
    blob->mime_type = TEXT("audio/L16;codec=pcm;rate=24000");
    blob->data = arena_text(v->arena, buf_view(&v->sound));
    v->parts[v->n_parts - 1].blob = blob;
    v->sounds = false;
    buf_free(&v->sound); /* it was large */
    v->sound = (struct buf){0};
}

void answer_end_text(struct voice *v)
{
    if (v->sounds)
        end_sound(v);
    if (!v->open)
        return;
    v->parts[v->n_parts - 1].text = arena_text(v->arena, buf_view(&v->text));
    v->open = false;
    buf_clear(&v->text);
}

void answer_add_text(struct voice *v, struct text text, bool thought)
{
    if (text.len == 0)
        return;
    note_piece(v, thought ? PIECE_THOUGHT : PIECE_TEXT);
    if (!v->open || v->parts[v->n_parts - 1].thought.is != thought) {
        answer_end_text(v);
        struct wire_part *part = answer_new_part(v);
        part->thought = (struct json_bool){thought, thought};
        if (!thought && v->unsigned_thought)
            part->thought_signature = signature(v, NULL);
        v->open = true;
    }
    buf_text(&v->text, text);
}

/* All of a plain answer is one part; clients play the first. */
static void add_sound(struct voice *v, struct text sound)
{
    if (!v->sounds) {
        answer_end_text(v);
        answer_new_part(v);
        v->sounds = true;
    }
    v->n_sound += sound.len;
    buf_text(&v->sound, sound);
}

/* chat/ vouches for the arguments' being an object. */
static void add_call(struct answer *answer, struct voice *v, const struct part *from)
{
    struct error err;
    struct wire_call *call = arena_new(v->arena, struct wire_call);
    call->id =
        from->id.len > 0 ? arena_text(v->arena, from->id) : call_id(answer, v, from);
    call->name = arena_text(v->arena, from->name);
    call->args = json_parse(v->arena, from->json, &err);
    answer_end_text(v);
    struct wire_part *part = new_other(v);
    part->call = call;
    part->thought_signature = signature(v, from);
    v->n_calls++;
}

/* ---- tools of the server's own ---- */

static void add_code(struct answer *answer, struct voice *v, const struct part *from)
{
    struct wire_code *code = arena_new(v->arena, struct wire_code);
    v->tool_id = arena_text(answer->arena, call_id(answer, v, from));
    code->language = WIRE_PYTHON;
    code->code = code_source(from->json, v->arena);
    if (!code->code.at)
        code->code = TEXT("");
    code->id = v->tool_id;
    struct wire_part *part = new_other(v);
    part->code = code;
    part->thought_signature = signature(v, from);
}

static void add_blob(struct voice *v, const struct tool_blob *from)
{
    struct wire_blob *blob = arena_new(v->arena, struct wire_blob);
    blob->mime_type = arena_text(v->arena, from->mime_type);
    blob->data = arena_text(v->arena, from->bytes);
    new_other(v)->blob = blob;
}

static void add_outcome(struct voice *v, const struct tool_result *from)
{
    static const int outcomes[] = {
        [TOOL_OK] = WIRE_OUTCOME_OK,
        [TOOL_FAILED] = WIRE_OUTCOME_FAILED,
        [TOOL_DEADLINE] = WIRE_OUTCOME_DEADLINE,
    };
    struct wire_outcome *outcome = arena_new(v->arena, struct wire_outcome);
    outcome->outcome = outcomes[from->outcome];
    outcome->output = arena_text(v->arena, from->words);
    outcome->id = v->tool_id;
    new_other(v)->outcome = outcome;
}

static void add_pages(struct voice *v, const struct tool_result *from)
{
    static const char *const statuses[] = {
        [PAGE_SUCCESS] = "URL_RETRIEVAL_STATUS_SUCCESS",
        [PAGE_ERROR] = "URL_RETRIEVAL_STATUS_ERROR",
        [PAGE_PAYWALL] = "URL_RETRIEVAL_STATUS_PAYWALL",
        [PAGE_UNSAFE] = "URL_RETRIEVAL_STATUS_UNSAFE",
    };
    for (int i = 0; i < from->n_pages; i++) {
        buf_str(&v->pages, v->pages.len ? "," : "");
        struct json_writer w = json_writer(&v->pages, false);
        json_begin(&w, '{');
        json_key(&w, "retrievedUrl");
        json_text(&w, from->pages[i].url);
        json_key(&w, "urlRetrievalStatus");
        json_text(&w, text_of(statuses[from->pages[i].status]));
        json_end(&w, '}');
    }
}

/* The words that it speaks of are the last that were said. */
static void add_grounds(struct answer *answer, struct voice *v,
                        const struct grounding *from)
{
    struct buf json = {0};
    struct grounding grounding = *from;
    struct json_writer w = json_writer(&json, false);
    grounding.part = v->n_pieces - 1;
    grounding_write(&w, &grounding);
    v->grounding = arena_text(answer->arena, buf_view(&json));
    buf_free(&json);
}

/* What this dialect shows of a tool that is not named here is no part; but words behind
 * it are not those before it. */
static void add_tool(struct answer *answer, struct voice *v, const struct part *part)
{
    const struct tool_result *result = part->result;
    answer_end_text(v);
    v->last = PIECE_NONE;
    if (result)
        add_pages(v, result);
    if (!text_is(text_of(part->tool->name), CODE_NAME))
        return;
    if (part->kind == PART_CALL)
        add_code(answer, v, part);
    else
        add_outcome(v, result);
    v->n_calls += part->kind == PART_CALL;
    for (int i = 0; result && i < result->n_blobs; i++)
        add_blob(v, &result->blobs[i]);
}

static void free_call(struct answer *answer, struct voice *v)
{
    if (!v->last_call)
        return;
    if (!v->arena)
        v->arena = arena_open();
    add_call(answer, v, v->last_call);
    v->last_call = NULL;
}

static void hold_call(struct answer *answer, struct voice *v, const struct part *call)
{
    v->last_call = arena_new(answer->arena, struct part);
    *v->last_call = (struct part){
        .kind = PART_CALL,
        .id = arena_text(answer->arena, call->id),
        .name = arena_text(answer->arena, call->name),
        .json = arena_text(answer->arena, call->json),
    };
}

static void add_part(struct answer *answer, struct voice *v, const struct part *part)
{
    free_call(answer, v);
    if (part->kind == PART_GROUNDS)
        add_grounds(answer, v, part->grounding);
    else if (part->tool)
        add_tool(answer, v, part);
    else if (part->kind == PART_SOUND)
        add_sound(v, part->text);
    else if (part->kind != PART_CALL)
        answer_add_text(v, part->text, part->kind == PART_THOUGHT);
    else if (answer->options.holds_back && !answer->released)
        hold_call(answer, v, part);
    else
        add_call(answer, v, part);
}

/* ---- logprobs ---- */

static struct wire_logprob logprob_of(struct arena *arena, const struct token_prob *from)
{
    return (struct wire_logprob){
        .token = arena_text(arena, from->text),
        .id = {true, from->token},
        .logprob = {true, (double)from->logprob},
    };
}

static void add_step(struct voice *v, const struct token_step *step)
{
    if (v->n_steps == v->room_steps) {
        size_t room = v->room_steps ? v->room_steps * 2 : 4;
        v->chosen = grown(v->arena, v->chosen, v->n_steps, room, sizeof *v->chosen);
        v->top = grown(v->arena, v->top, v->n_steps, room, sizeof *v->top);
        v->room_steps = room;
    }
    struct wire_logprob *top =
        arena_array(v->arena, struct wire_logprob, (size_t)step->n_top);
    for (int i = 0; i < step->n_top; i++)
        top[i] = logprob_of(v->arena, &step->top[i]);
    v->chosen[v->n_steps] = logprob_of(v->arena, &step->chosen);
    v->top[v->n_steps] = (struct wire_top_logprobs){{top, (size_t)step->n_top}};
    v->n_steps++;
    v->sum_logprobs += (double)step->chosen.logprob;
    v->n_logprobs++;
}

/* ---- events ---- */

void answer_add(struct answer *answer, const struct turn_event *event)
{
    struct voice *v = &answer->voices[event->candidate];
    bool thought = event->kind == TURN_PART && event->part->kind == PART_THOUGHT;
    bool shown = !thought || answer->options.thoughts;
    answer->n_prompt = event->n_prompt;
    answer->n_cached = event->n_cached;
    answer->n_tools = event->n_tools;
    answer->verdict = *event->prompt_verdict;
    v->n_output = event->n_output;
    v->n_thought = event->n_thought;
    if (!v->arena)
        v->arena = arena_open();
    for (int i = 0; shown && i < event->n_steps; i++)
        add_step(v, &event->steps[i]);
    if (thought) {
        v->thought = print_of(v->thought, event->part->text);
        v->unsigned_thought = true;
        if (!shown) { /* text behind it is another part, as it is another step */
            answer_end_text(v);
            v->last = PIECE_NONE;
        }
    }
    if (event->kind == TURN_END) {
        free_call(answer, v);
        v->finish = answer->end = finish_of(event);
        v->verdict = *event->verdict;
        answer->queued_us = event->queued_us;
        answer->prefill_us = event->prefill_us;
        answer->decode_us = event->decode_us;
        if (event->finish == FINISH_BLOCKED)
            answer->block =
                finish_named(wire_block_names, event->error, WIRE_BLOCK_SAFETY);
    } else if (shown) {
        add_part(answer, v, event->part);
    }
}

size_t answer_held_back(const struct answer *answer, const struct voice *v)
{
    if (!answer->options.holds_back || answer->released || v->finish || !v->open)
        return 0;
    size_t n = 1;
    while (n < v->text.len && (v->text.at[v->text.len - n] & 0xc0) == 0x80)
        n++;
    return n;
}

bool answer_has(const struct answer *answer, int candidate)
{
    const struct voice *v = &answer->voices[candidate];
    if (v->finish)
        return !v->end_written;
    return v->n_parts > 1 ||
           (v->n_parts == 1 && (!v->open || v->text.len > answer_held_back(answer, v)));
}

void answer_release(struct answer *answer)
{
    answer->released = true;
    for (int i = 0; i < answer->options.n_candidates; i++)
        free_call(answer, &answer->voices[i]);
}

struct answer_facts answer_facts(const struct answer *answer)
{
    struct answer_facts facts = {
        .id = answer->id,
        .n_prompt = answer->n_prompt,
        .n_cached = answer->n_cached,
        .queued_us = answer->queued_us,
        .prefill_us = answer->prefill_us,
        .decode_us = answer->decode_us,
        .end = answer->block ? "BLOCKED" : json_enum_name(wire_finish_names, answer->end),
    };
    for (int i = 0; i < answer->options.n_candidates; i++)
        facts.n_output += answer->voices[i].n_output;
    return facts;
}

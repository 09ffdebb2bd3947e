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
#include "api/answer.h"
#include "api/aloud.h"
#include "api/finish.h"
#include "api/grounding.h"
#include "api/message.h"
#include "api/print.h"
#include "tools/code.h"
#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

/* What an answer that is not streamed has parts for: groundingMetadata counts them. */
enum piece { PIECE_NONE, PIECE_TEXT, PIECE_THOUGHT, PIECE_OTHER };

struct voice {
    struct arena *arena; /* NULL: nothing said */
    struct wire_part *parts;
    size_t n_parts, room_parts;
    bool open; /* the last part's text is `text`, not complete yet */
    struct buf text;
    bool sounds; /* the last part's sound is `sound`, not complete yet */
    struct buf sound;
    struct wire_logprob *chosen; /* one per token */
    struct wire_top_logprobs *top;
    size_t n_steps, room_steps;

    struct part *last_call; /* held back: not among the parts yet; NULL: none */

    int n_output, n_thought; /* from here on: of the whole turn */
    size_t n_sound;          /* bytes */
    int n_calls;
    struct text tool_id; /* of the last call of a tool; in the answer's arena */
    enum piece last;     /* what was said last; of the whole turn, as are these */
    int n_pieces;
    struct buf pages;      /* that tools read: members of urlMetadata */
    struct text grounding; /* JSON, in the answer's arena; absent: none */
    uint64_t thought;      /* fingerprint of what was thought */
    bool unsigned_thought;
    double sum_logprobs;
    int n_logprobs;
    int finish;             /* enum wire_finish; 0: goes on */
    struct verdict verdict; /* known with `finish` */
    struct wire_rating ratings[N_HARMS];
    bool end_written;
};

struct answer {
    struct arena *arena;
    struct answer_options options;
    struct text id;
    uint64_t prompt; /* its fingerprint; 0: not made yet */
    int n_prompt, n_cached, n_tools;
    int64_t queued_us, prefill_us, decode_us;
    bool released;
    int block;              /* enum wire_block; 0: the prompt was not blocked */
    struct verdict verdict; /* of the prompt */
    bool feedback_written;
    int end; /* enum wire_finish of the candidate that ended last */
    struct voice voices[];
};

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

static void clear_voice(struct voice *v)
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
        clear_voice(&answer->voices[i]);
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

static struct wire_part *new_part(struct voice *v)
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
    return new_part(v);
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

static void end_text(struct voice *v)
{
    if (v->sounds)
        end_sound(v);
    if (!v->open)
        return;
    v->parts[v->n_parts - 1].text = arena_text(v->arena, buf_view(&v->text));
    v->open = false;
    buf_clear(&v->text);
}

static void add_text(struct voice *v, struct text text, bool thought)
{
    if (text.len == 0)
        return;
    note_piece(v, thought ? PIECE_THOUGHT : PIECE_TEXT);
    if (!v->open || v->parts[v->n_parts - 1].thought.is != thought) {
        end_text(v);
        struct wire_part *part = new_part(v);
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
        end_text(v);
        new_part(v);
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
    end_text(v);
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
    end_text(v);
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
        add_text(v, part->text, part->kind == PART_THOUGHT);
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

/* A script may name a reason of its own, where an error would stand. */
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
            end_text(v);
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

/* How many bytes of the text under way stay back: its last character. */
static size_t held_back(const struct answer *answer, const struct voice *v)
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
           (v->n_parts == 1 && (!v->open || v->text.len > held_back(answer, v)));
}

void answer_release(struct answer *answer)
{
    answer->released = true;
    for (int i = 0; i < answer->options.n_candidates; i++)
        free_call(answer, &answer->voices[i]);
}

/* ---- writing ---- */

static struct json_list one_modality(struct wire_modality_count *count, int modality,
                                     int n)
{
    *count = (struct wire_modality_count){modality, {true, n}};
    return (struct json_list){count, n > 0};
}

struct usage {
    struct wire_usage wire;
    struct wire_modality_count prompt[WIRE_MODALITIES], cached[WIRE_MODALITIES], output,
        tools;
};

struct json_list answer_modalities(const int *n_media, int n_prompt,
                                   struct wire_modality_count *counts)
{
    int n_text = n_prompt;
    size_t n = 0;
    for (int i = WIRE_MODALITY_IMAGE; n_media && i < WIRE_MODALITIES; i++)
        n_text -= n_media[i];
    if (n_text > 0)
        counts[n++] = (struct wire_modality_count){WIRE_MODALITY_TEXT, {true, n_text}};
    for (int i = WIRE_MODALITY_IMAGE; n_media && i < WIRE_MODALITIES; i++)
        if (n_media[i] > 0)
            counts[n++] = (struct wire_modality_count){i, {true, n_media[i]}};
    return (struct json_list){counts, n};
}

static struct json_int count_of(int n)
{
    return (struct json_int){n > 0, n};
}

/* What is heard costs what it takes to hear it. */
static int sound_tokens(size_t n_bytes)
{
    enum { TOKEN = SPEECH_RATE / ALOUD_TOKENS_S * 2 };
    return (int)((n_bytes + TOKEN - 1) / TOKEN);
}

/* With media it is known whose the cached tokens are when they are those of a cache. */
static struct json_list cached_details(const struct answer *answer,
                                       struct wire_modality_count *counts)
{
    const struct answer_options *options = &answer->options;
    if (!options->n_media)
        return one_modality(counts, WIRE_MODALITY_TEXT, answer->n_cached);
    if (options->n_kept && answer->n_cached == options->n_kept_tokens)
        return answer_modalities(options->n_kept, answer->n_cached, counts);
    return (struct json_list){0};
}

static int output_of(const struct answer *answer, const struct voice *v)
{
    return answer->options.aloud ? sound_tokens(v->n_sound) : v->n_output - v->n_thought;
}

static void fill_usage(const struct answer *answer, struct usage *u)
{
    int n_output = 0, n_thought = 0;
    bool aloud = answer->options.aloud;
    for (int i = 0; i < answer->options.n_candidates; i++) {
        const struct voice *v = &answer->voices[i];
        n_thought += v->n_thought;
        n_output += output_of(answer, v);
    }
    u->wire = (struct wire_usage){
        .prompt = count_of(answer->n_prompt),
        .cached = count_of(answer->n_cached),
        .output = count_of(n_output),
        .thoughts = count_of(n_thought),
        .tools = count_of(answer->n_tools),
        .total = count_of(answer->n_prompt + n_output + n_thought + answer->n_tools),
        .prompt_details =
            answer_modalities(answer->options.n_media, answer->n_prompt, u->prompt),
        .cached_details = cached_details(answer, u->cached),
        .output_details = one_modality(
            &u->output, aloud ? WIRE_MODALITY_AUDIO : WIRE_MODALITY_TEXT, n_output),
        .tools_details = one_modality(&u->tools, WIRE_MODALITY_TEXT, answer->n_tools),
    };
}

/* Into room for N_HARMS. */
static struct json_list ratings_of(const struct answer *answer,
                                   const struct verdict *verdict,
                                   struct wire_rating *ratings)
{
    size_t n = 0;
    for (int i = 0; i < N_HARMS; i++) {
        bool blocked = verdict_blocks(verdict, &answer->options.safety, (enum harm)i);
        if (verdict->levels[i] != LEVEL_NONE)
            ratings[n++] = (struct wire_rating){.category = WIRE_FIRST_CATEGORY + i,
                                                .probability = (int)verdict->levels[i],
                                                .blocked = {blocked, blocked}};
    }
    return (struct json_list){ratings, n};
}

static bool is_withheld(const struct voice *v)
{
    return v->finish && v->finish != WIRE_FINISH_STOP &&
           v->finish != WIRE_FINISH_MAX_TOKENS;
}

static struct wire_content *content_of(const struct answer *answer, struct voice *v)
{
    if (v->n_parts == 0 && is_withheld(v))
        return NULL;
    struct wire_content *content = arena_new(v->arena, struct wire_content);
    if (v->n_parts == 0 && answer->options.streamed)
        new_part(v)->text = TEXT("");
    content->parts = (struct json_list){v->parts, v->n_parts};
    content->role = TEXT("model");
    return content;
}

static struct wire_logprobs *logprobs_of(struct voice *v)
{
    if (v->n_steps == 0)
        return NULL;
    struct wire_logprobs *logprobs = arena_new(v->arena, struct wire_logprobs);
    logprobs->chosen = (struct json_list){v->chosen, v->n_steps};
    for (size_t i = 0; i < v->n_steps; i++)
        if (v->top[i].candidates.n > 0)
            logprobs->top = (struct json_list){v->top, v->n_steps};
    return logprobs;
}

static struct wire_candidate candidate_of(struct answer *answer, int i)
{
    struct error err;
    struct voice *v = &answer->voices[i];
    if (!v->arena)
        v->arena = arena_open();
    end_text(v);
    struct wire_candidate candidate = {
        .content = content_of(answer, v),
        .finish = v->finish,
        .finish_message = finish_message(v->finish),
        .ratings = ratings_of(answer, &v->verdict, v->ratings),
        .index = {true, i},
        .n_tokens = {v->finish != 0, output_of(answer, v)},
        .logprobs = logprobs_of(v),
    };
    if (v->finish && v->grounding.at)
        candidate.grounding = json_parse(v->arena, v->grounding, &err);
    if (v->finish && v->pages.len)
        candidate.url_context =
            json_parse(v->arena,
                       arena_printf(v->arena, "{\"urlMetadata\":[%.*s]}",
                                    TEXT_ARG(buf_view(&v->pages))),
                       &err);
    if (v->finish && v->n_logprobs > 0)
        candidate.average_logprob =
            (struct json_number){true, v->sum_logprobs / v->n_logprobs};
    v->end_written = v->finish != 0;
    return candidate;
}

/* What stays back of a voice's text. */
struct rest {
    char bytes[8];
    size_t len;
    bool thought;
};

static struct rest take_rest(const struct answer *answer, struct voice *v)
{
    struct rest rest = {.len = held_back(answer, v)};
    if (rest.len == 0 || rest.len > sizeof rest.bytes)
        return (struct rest){.len = 0};
    rest.thought = v->parts[v->n_parts - 1].thought.is;
    v->text.len -= rest.len;
    memcpy(rest.bytes, v->text.at + v->text.len, rest.len);
    if (v->text.len == 0) {
        v->n_parts--;
        v->open = false;
        v->unsigned_thought |= v->parts[v->n_parts].thought_signature.at != NULL;
    }
    return rest;
}

static void keep_rest(struct voice *v, struct rest rest)
{
    clear_voice(v);
    if (rest.len == 0)
        return;
    v->arena = arena_open();
    add_text(v, (struct text){rest.bytes, rest.len}, rest.thought);
}

void answer_write(struct answer *answer, int from, int to, bool pretty, struct buf *out)
{
    struct usage usage;
    struct wire_rating ratings[N_HARMS];
    struct wire_feedback feedback = {answer->block,
                                     ratings_of(answer, &answer->verdict, ratings)};
    bool tells = answer->block || (feedback.ratings.n > 0 && !answer->feedback_written);
    size_t n = answer->block ? 0 : (size_t)(to - from);
    struct wire_candidate candidates[WIRE_CANDIDATES];
    struct rest rests[WIRE_CANDIDATES];
    for (int i = from; i < to; i++)
        rests[i - from] = take_rest(answer, &answer->voices[i]);
    for (size_t i = 0; i < n; i++)
        candidates[i] = candidate_of(answer, from + (int)i);
    fill_usage(answer, &usage);
    struct wire_answer wire = {
        .candidates = {candidates, n},
        .feedback = tells ? &feedback : NULL,
        .usage = &usage.wire,
        .model_version = answer->options.model,
        .response_id = answer->id,
    };
    json_encode(&wire_answer_type, &wire, pretty, out);
    answer->feedback_written = true;
    for (int i = from; i < to; i++)
        keep_rest(&answer->voices[i], rests[i - from]);
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

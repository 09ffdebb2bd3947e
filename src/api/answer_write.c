/* answer_write.c - what candidates said, as a GenerateContentResponse. */
#include "api/aloud.h"
#include "api/answer_inside.h"
#include "api/finish.h"

/* ---- counts ---- */

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

/* ---- candidates ---- */

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
        answer_new_part(v)->text = TEXT("");
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
    answer_end_text(v);
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
    struct rest rest = {.len = answer_held_back(answer, v)};
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
    answer_clear(v);
    if (rest.len == 0)
        return;
    v->arena = arena_open();
    answer_add_text(v, (struct text){rest.bytes, rest.len}, rest.thought);
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

/* content_config.c - what a request says of how it is to be answered: its safetySettings
 * and its generationConfig. */
#include "api/content_inside.h"
#include "chat/shape.h"
#include <float.h>
#include <stdio.h>

/* ---- safety ---- */

enum level content_block_from(int threshold, enum level otherwise)
{
    switch (threshold) {
    case WIRE_BLOCK_LOW:
        return LEVEL_LOW;
    case WIRE_BLOCK_MEDIUM:
        return LEVEL_MEDIUM;
    case WIRE_BLOCK_ONLY_HIGH:
        return LEVEL_HIGH;
    case WIRE_BLOCK_NONE:
    case WIRE_BLOCK_OFF:
        return LEVEL_NONE;
    default:
        return otherwise;
    }
}

bool content_read_safety(const struct reader *r)
{
    const struct wire_safety_setting *settings = r->request->safety.at;
    const struct wire_thinking *thinking =
        r->request->config ? r->request->config->thinking : NULL;
    struct safety *safety = &r->chat->safety;
    unsigned seen = 0;
    safety->thoughts = thinking && thinking->include.set && thinking->include.is;
    for (int i = 0; i < N_HARMS; i++)
        safety->block_from[i] = r->rules->defaults.block_from;
    for (size_t i = 0; i < r->request->safety.n; i++) {
        char path[40];
        snprintf(path, sizeof path, "safety_settings[%zu]", i);
        int category = settings[i].category;
        if (category < WIRE_FIRST_CATEGORY || category > WIRE_LAST_CATEGORY)
            return content_broken_rule(
                r->err, path,
                "element predicate failed: $.category in "
                "(HARM_CATEGORY_HARASSMENT, HARM_CATEGORY_HATE_SPEECH, "
                "HARM_CATEGORY_SEXUALLY_EXPLICIT, "
                "HARM_CATEGORY_DANGEROUS_CONTENT, "
                "HARM_CATEGORY_CIVIC_INTEGRITY)");
        if (seen & 1u << category)
            return content_broken_rule(r->err, path,
                                       "there is another setting of this category");
        seen |= 1u << category;
        safety->block_from[category - WIRE_FIRST_CATEGORY] =
            content_block_from(settings[i].threshold, r->rules->defaults.block_from);
    }
    return true;
}

/* ---- settings ---- */

static bool read_stops(const struct reader *r, const struct wire_config *config)
{
    const struct text *stops = config->stops.at;
    for (size_t i = 0; i < config->stops.n; i++)
        if (stops[i].len == 0)
            return content_broken_rule(r->err, CONFIG "stop_sequences",
                                       "a stop sequence must not be empty");
    r->chat->stops = config->stops.at;
    r->chat->n_stops = (int)config->stops.n;
    return true;
}

static bool read_logprobs(const struct reader *r, const struct wire_config *config)
{
    bool asked = config->logprobs.set && config->logprobs.is;
    if (config->n_logprobs.set && !asked)
        return content_broken_rule(r->err, CONFIG "logprobs",
                                   "logprobs is set, but response_logprobs is not true");
    r->chat->sampling.n_top = asked ? (int)config->n_logprobs.is : -1;
    return true;
}

/* What an answer may be asked to be. The last two the public API knows as well. */
static const struct {
    const char *mime_type;
    enum answer_kind kind;
    bool here;
} answers[] = {
    {"text/plain", ANSWER_TEXT, true},        {"application/json", ANSWER_JSON, true},
    {"text/x.enum", ANSWER_CHOICE, true},     {"application/xml", ANSWER_TEXT, false},
    {"application/yaml", ANSWER_TEXT, false},
};

static bool read_mime_type(const struct reader *r, struct text type)
{
    if (type.len == 0)
        return true;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        if (!text_is(type, answers[i].mime_type))
            continue;
        r->chat->shape.kind = answers[i].kind;
        return answers[i].here ||
               error_at(r->err, CONFIG "response_mime_type",
                        "'" CONFIG "response_mime_type' %s is not available in Pollux: "
                        "an answer can be held to JSON or to an enum, and to no other "
                        "form.",
                        answers[i].mime_type);
    }
    return content_broken_rule(
        r->err, CONFIG "response_mime_type",
        "allowed mimetypes are `text/plain`, `application/json`, "
        "`application/xml`, `application/yaml` and `text/x.enum`.");
}

/* The schema stands in one of three fields. */
struct answer_schema {
    struct json_object *is;
    const char *path;
    bool json; /* JSON Schema, not the API's own */
};

static bool find_schema(const struct reader *r, const struct wire_config *config,
                        struct answer_schema *schema)
{
    const struct answer_schema all[] = {
        {config->schema, CONFIG "response_schema", false},
        {config->json_schema, CONFIG "response_json_schema", true},
        {config->json_schema_old, CONFIG "_response_json_schema", true},
    };
    *schema = (struct answer_schema){0};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i].is && schema->is)
            return error_at(
                r->err, all[i].path,
                "* GenerateContentRequest.%s: %s is set, too; one of them may "
                "be\n",
                all[i].path, schema->path);
        if (all[i].is)
            *schema = all[i];
    }
    return true;
}

static bool read_shape(const struct reader *r, const struct wire_config *config)
{
    struct shape *shape = &r->chat->shape;
    struct answer_schema schema;
    if (!read_mime_type(r, config->mime_type) || !find_schema(r, config, &schema))
        return false;
    if (shape->kind == ANSWER_CHOICE && !schema.is)
        return content_broken_rule(r->err, CONFIG "response_mime_type",
                                   "text/x.enum needs a response_schema with an enum");
    if (!schema.is)
        return true;
    if (shape->kind == ANSWER_TEXT)
        return content_broken_rule(
            r->err, schema.path,
            "Response schema with a response mime type: 'text/plain' is "
            "unsupported; it needs application/json, or text/x.enum");
    if (shape->kind == ANSWER_CHOICE)
        return shape_choices(schema.is, schema.path, r->arena, shape, r->err);
    return (schema.json ? shape_of_json_schema : shape_of_schema)(
        schema.is, schema.path, r->arena, &shape->schema, r->err);
}

/* ---- speech ---- */

#define SPEECH CONFIG "speech_config"

static bool read_voice(const struct reader *r, const struct wire_voice *from,
                       const char *path, const struct speech_voice **voice)
{
    struct buf names = {0};
    struct text name = from && from->prebuilt ? from->prebuilt->name : TEXT("");
    *voice = name.len > 0 ? voice_named(name) : voice_default();
    if (*voice)
        return true;
    voice_names(&names);
    error_at(r->err, path,
             "Voice name %.*s is not supported. Allowed voice names are: %s",
             TEXT_ARG(text_slice(name, 0, 60)), names.at);
    buf_free(&names);
    return false;
}

static bool read_speakers(const struct reader *r, const struct wire_speakers *from)
{
    const struct wire_speaker *speakers = from->voices.at;
    struct speaking *speaking = &r->chat->speaking;
    if (from->voices.n != SPEAKERS)
        return content_broken_rule(r->err, SPEECH ".multi_speaker_voice_config",
                                   "The number of speaker voice configs must be 2.");
    for (int i = 0; i < SPEAKERS; i++) {
        char path[120];
        snprintf(path, sizeof path,
                 SPEECH ".multi_speaker_voice_config.speaker_voice_configs[%d]", i);
        if (speakers[i].name.len == 0 ||
            memchr(speakers[i].name.at, '\0', speakers[i].name.len) ||
            (i > 0 && text_same(speakers[i].name, speakers[0].name)))
            return content_broken_rule(r->err, path,
                                       "each speaker needs a name of its own");
        speaking->speakers[i].name = arena_text(r->arena, speakers[i].name).at;
        if (!read_voice(r, speakers[i].voice, path, &speaking->speakers[i].voice))
            return false;
    }
    speaking->n_speakers = SPEAKERS;
    return true;
}

static bool read_speech(const struct reader *r, const struct wire_speech *from)
{
    static const struct wire_speech none;
    struct speaking *speaking = &r->chat->speaking;
    from = from ? from : &none;
    if (from->voice && from->speakers)
        return content_broken_rule(
            r->err, SPEECH,
            "only one of voice_config and multi_speaker_voice_config may "
            "be set");
    if (from->language.len > 0 &&
        !(speaking->language = voice_language(from->language))) {
        struct buf names = {0};
        voice_languages(&names);
        error_at(r->err, SPEECH ".language_code",
                 "'%.*s' is not spoken here. Spoken are: %s",
                 TEXT_ARG(text_slice(from->language, 0, 40)), names.at);
        buf_free(&names);
        return false;
    }
    return read_voice(r, from->voice, SPEECH ".voice_config", &speaking->voice) &&
           (!from->speakers || read_speakers(r, from->speakers));
}

/* What makes no sound, or is lost when it becomes one. */
static bool may_be_spoken(const struct reader *r, const struct wire_config *config)
{
    const char *path = NULL;
    if (r->chat->n_functions > 0)
        path = "tools";
    else if (config->logprobs.set && config->logprobs.is)
        path = CONFIG "response_logprobs";
    else if (r->chat->shape.kind != ANSWER_TEXT)
        path = CONFIG "response_mime_type";
    return !path || error_at(r->err, path,
                             "'%s' cannot go with an answer that is spoken "
                             "(response_modalities [AUDIO]).",
                             path);
}

static bool read_modalities(const struct reader *r, const struct wire_config *config)
{
    const int *modalities = config->modalities.at;
    unsigned asked = 0;
    struct buf names = {0};
    for (size_t i = 0; i < config->modalities.n; i++) {
        if (modalities[i] == 0 || asked & 1u << modalities[i])
            continue;
        asked |= 1u << modalities[i];
        buf_printf(&names, "%s%s", names.len ? ", " : "",
                   wire_modality_name(modalities[i]));
    }
    bool known = asked == 0 || asked == 1u << WIRE_MODALITY_TEXT ||
                 asked == 1u << WIRE_MODALITY_AUDIO;
    if (!known)
        error_at(r->err, CONFIG "response_modalities",
                 "The requested combination of response modalities (%s) is not supported "
                 "by the model. models/%.*s accepts the following combinations:\n* "
                 "TEXT\n* AUDIO\n",
                 names.at, TEXT_ARG(text_slice(r->chat->model, 0, 100)));
    buf_free(&names);
    r->chat->speaking.on = asked == 1u << WIRE_MODALITY_AUDIO;
    return known && read_speech(r, config->speech) &&
           (!r->chat->speaking.on || may_be_spoken(r, config));
}

#define THINKING CONFIG "thinking_config"

/* A level is a budget in words; docs/wire.md tells them. */
static const int level_budgets[WIRE_LEVELS] = {
    [WIRE_LEVEL_MINIMAL] = 64, [WIRE_LEVEL_LOW] = 256,  [WIRE_LEVEL_MEDIUM] = 1024,
    [WIRE_LEVEL_HIGH] = 4096,  [WIRE_LEVEL_XHIGH] = -1,
};

int content_budget(int level)
{
    return level_budgets[level];
}

/* What is left out is for the model to say: one that was trained to think does, another
 * one only when it is asked to. To want to see thoughts is to ask for them. */
static bool read_thinking(const struct reader *r, const struct wire_thinking *from)
{
    static const struct wire_thinking none;
    struct thinking *thinking = &r->chat->thinking;
    from = from ? from : &none;
    bool shown = from->include.set && from->include.is;
    *thinking = (struct thinking){r->rules->thinks || shown, -1};
    if (from->level && from->budget.set)
        return content_broken_rule(
            r->err, THINKING ".thinking_level",
            "You can only set one of thinking_budget and thinking_level.");
    if (from->level)
        *thinking = (struct thinking){true, content_budget(from->level)};
    if (from->budget.set)
        *thinking = (struct thinking){from->budget.is != 0, (int)from->budget.is};
    if (shown && !thinking->on)
        return content_broken_rule(
            r->err, THINKING ".include_thoughts",
            "Thinking_config.include_thoughts is only enabled when "
            "thinking is enabled.");
    return true;
}

static double number_or(struct json_number number, double otherwise)
{
    return number.set ? number.is : otherwise;
}

static void read_sampling(const struct reader *r, const struct wire_config *config)
{
    const struct api_defaults *defaults = &r->rules->defaults;
    struct sampling *sampling = &r->chat->sampling;
    double top_p = number_or(config->top_p, defaults->top_p);
    sampling->temperature = number_or(config->temperature, defaults->temperature);
    sampling->top_p = top_p > 0 ? top_p : DBL_MIN; /* the likeliest token alone */
    sampling->top_k = config->top_k.set ? (int)config->top_k.is : defaults->top_k;
    sampling->presence = number_or(config->presence, 0);
    sampling->frequency = number_or(config->frequency, 0);
    sampling->seeded = config->seed.set;
    sampling->seed = (uint64_t)config->seed.is;
}

bool content_read_config(const struct reader *r)
{
    static const struct wire_config none;
    const struct wire_config *config = r->request->config ? r->request->config : &none;
    r->chat->n_candidates = config->candidates.set ? (int)config->candidates.is : 1;
    r->chat->max_tokens = (int)config->max_tokens.is;
    read_sampling(r, config);
    return read_stops(r, config) && read_logprobs(r, config) && read_shape(r, config) &&
           read_modalities(r, config) && read_thinking(r, config->thinking);
}

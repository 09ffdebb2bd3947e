/* content.c - what a request asks for: the wire's message to a chat.
 *
 * The wording of errors follows the public service where its wording is known: a part is
 * named as contents[0].parts[1], a request's own rules begin with "* Generate...". */
#include "api/content.h"
#include "api/attach.h"
#include "api/ran.h"
#include "api/tools.h"
#include "chat/shape.h"
#include "files/files.h"
#include <float.h>
#include <stdio.h>

struct reader {
    const struct wire_generate *request;
    const struct content_rules *rules;
    struct arena *arena;
    struct chat *chat;
    struct error *err;
};

static bool not_yet(struct error *err, const char *path, const char *what)
{
    return error_at(err, path, "'%s' is not supported by Pollux yet: %s", path, what);
}

static bool broken_rule(struct error *err, const char *path, const char *rule)
{
    return error_at(err, path, "* GenerateContentRequest.%s: %s\n", path, rule);
}

/* ---- JSON that is kept as it came ---- */

static struct text compact(struct arena *arena, struct json_object *value)
{
    if (!value)
        return (struct text){0};
    struct buf json = {0};
    json_any_write(value, &json);
    struct text copy = arena_text(arena, buf_view(&json));
    buf_free(&json);
    return copy;
}

static bool read_object(const struct reader *r, struct json_object *value,
                        const char *path, const char *field, struct text *into)
{
    *into = value ? compact(r->arena, value) : TEXT("{}");
    if (into->len > 0 && into->at[0] == '{')
        return true;
    struct text where = arena_printf(r->arena, "%s.%s", path, field);
    return error_at(r->err, where.at,
                    "Invalid value at '%s' (type.googleapis.com/google.protobuf.Struct), "
                    "%.*s",
                    where.at, TEXT_ARG(text_slice(*into, 0, 100)));
}

/* ---- parts ---- */

static bool read_call(const struct reader *r, const struct wire_call *from,
                      const char *path, struct part *part)
{
    const char *here = arena_printf(r->arena, "%s.function_call", path).at;
    *part = (struct part){.kind = PART_CALL, .id = from->id, .name = from->name};
    return read_object(r, from->args, here, "args", &part->json);
}

static bool read_result(const struct reader *r, const struct wire_result *from,
                        const char *path, struct part *part)
{
    const char *here = arena_printf(r->arena, "%s.function_response", path).at;
    *part = (struct part){.kind = PART_RESULT, .id = from->id, .name = from->name};
    return read_object(r, from->response, here, "response", &part->json);
}

static const struct wire_blob *blob_of(const struct wire_part *from)
{
    return from->blob ? from->blob : from->image;
}

static bool read_video(const struct reader *r, const struct wire_video *from,
                       const char *path, struct part_media *media)
{
    const char *here = arena_printf(r->arena, "%s.video_metadata", path).at;
    if (!from)
        return true;
    if (from->fps.set && from->fps.is <= 0)
        return error_at(r->err, here,
                        "videoMetadata.fps must be more than 0, at most 24.");
    if (from->start.is < 0 || (from->end.set && from->end.is <= from->start.is))
        return error_at(
            r->err, here,
            "videoMetadata.endOffset must be behind startOffset, and that not "
            "below 0.");
    media->has_options = true;
    media->options = (struct media_options){
        .start_s = (double)from->start.is / 1e9,
        .end_s = from->end.set ? (double)from->end.is / 1e9 : 0,
        .fps = from->fps.set ? from->fps.is : 0,
    };
    return true;
}

int content_resolution(int level)
{
    static const int tokens[] = {[1] = 64, [2] = 256};
    enum { N = sizeof tokens / sizeof tokens[0] };
    return level > 0 && level < N ? tokens[level] : 0;
}

static int most_tokens(const struct reader *r, const struct wire_resolution *part)
{
    int level = r->request->config ? r->request->config->media_resolution : 0;
    if (part && part->n_tokens.set)
        return (int)part->n_tokens.is;
    if (part && part->level)
        level = part->level;
    return content_resolution(level);
}

/* It becomes text when it was read (attach.h). */
static bool read_blob(const struct reader *r, const struct wire_part *from,
                      const char *path, struct part *part)
{
    const struct wire_blob *blob = blob_of(from);
    struct part_media *media = arena_new(r->arena, struct part_media);
    media->source = (struct media_source){.bytes = blob->data, .mime = blob->mime_type};
    media->n_most = most_tokens(r, from->resolution);
    *part = (struct part){.kind = PART_MEDIA, .media = media};
    return read_video(r, from->video, path, media);
}

static bool read_file(const struct reader *r, const struct wire_part *from,
                      const char *path, struct part *part)
{
    struct part_media *media = arena_new(r->arena, struct part_media);
    struct text uri = from->file->uri, id;
    if (!files_is_ours(uri, &id) && !fetch_is_url(uri))
        return error_at(r->err, arena_printf(r->arena, "%s.file_data", path).at,
                        "%s.file_data: '%.*s' names neither a file of this server "
                        "(files/{id}) nor something to fetch (http://, https://).",
                        path, TEXT_ARG(text_slice(uri, 0, 200)));
    media->uri = uri;
    media->source.mime = from->file->mime_type;
    media->n_most = most_tokens(r, from->resolution);
    *part = (struct part){.kind = PART_MEDIA, .media = media};
    return read_video(r, from->video, path, media);
}

/* Clients that leave out empty texts make {"thoughtSignature": ...} of a text part. */
static bool is_empty_text(const struct wire_part *from)
{
    return from->thought_signature.at || (from->thought.set && from->thought.is);
}

static bool read_part(const struct reader *r, const struct wire_part *from,
                      const char *path, struct part *part)
{
    int n_data = (from->text.at != NULL) + (from->call != NULL) + (from->result != NULL) +
                 (from->blob != NULL) + (from->image != NULL) + (from->file != NULL) +
                 (from->code != NULL) + (from->outcome != NULL);
    if (n_data == 0 && !is_empty_text(from))
        return error_at(r->err, path,
                        "* GenerateContentRequest.%s.data: required oneof field 'data' "
                        "must have one initialized field\n",
                        path);
    if (n_data > 1)
        return error_at(r->err, path,
                        "Invalid value at '%s' (oneof), oneof field 'data' is already "
                        "set. Cannot set '%s'",
                        path,
                        from->file      ? "fileData"
                        : blob_of(from) ? "inlineData"
                        : from->outcome ? "codeExecutionResult"
                        : from->code    ? "executableCode"
                        : from->result  ? "functionResponse"
                                        : "functionCall");
    if (from->file)
        return read_file(r, from, path, part);
    if (blob_of(from))
        return read_blob(r, from, path, part);
    if (from->video)
        return error_at(r->err, path,
                        "Video metadata should only be specified while the video data is "
                        "presented in inline_data or file_data.");
    if (from->code)
        ran_code(from->code, r->arena, part);
    else if (from->outcome)
        ran_outcome(from->outcome, r->arena, part);
    if (from->code || from->outcome)
        return true;
    if (from->call)
        return read_call(r, from->call, path, part);
    if (from->result)
        return read_result(r, from->result, path, part);
    bool thought = from->thought.set && from->thought.is;
    *part = (struct part){.kind = thought ? PART_THOUGHT : PART_TEXT,
                          .text = from->text.at ? from->text : TEXT("")};
    return true;
}

static bool read_parts(const struct reader *r, const struct wire_content *from,
                       const char *path, struct turn_of *turn)
{
    const struct wire_part *parts = from->parts.at;
    if (from->parts.n == 0) {
        const char *here = arena_printf(r->arena, "%s.parts", path).at;
        return broken_rule(r->err, here, "contents.parts must not be empty.");
    }
    turn->parts = arena_array(r->arena, struct part, from->parts.n);
    turn->n_parts = (int)from->parts.n;
    for (size_t i = 0; i < from->parts.n; i++) {
        char here[80];
        snprintf(here, sizeof here, "%s.parts[%zu]", path, i);
        if (!read_part(r, &parts[i], here, &turn->parts[i]))
            return false;
    }
    return true;
}

/* ---- turns ---- */

/* Roles of entries of contents. Clients send a function's response under several. */
static const struct {
    const char *name;
    enum role role;
} roles[] = {
    {"user", ROLE_USER},
    {"model", ROLE_MODEL},
    {"function", ROLE_USER},
    {"tool", ROLE_USER},
};

static bool read_role(const struct reader *r, struct text name, const char *path,
                      enum role *role)
{
    *role = ROLE_USER;
    if (name.len == 0)
        return true;
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (text_is(name, roles[i].name)) {
            *role = roles[i].role;
            return true;
        }
    const char *here = arena_printf(r->arena, "%s.role", path).at;
    return error_at(r->err, here, "Please use a valid role: user, model.");
}

static bool read_contents(const struct reader *r)
{
    const struct wire_content *contents = r->request->contents.at;
    size_t n = r->request->contents.n, kept = (size_t)r->chat->kept_turns;
    if (n == kept && !r->rules->is_cache)
        return broken_rule(r->err, "contents", "contents is not specified");
    r->chat->turns = arena_array(r->arena, struct turn_of, n);
    r->chat->n_turns = (int)n;
    for (size_t i = 0; i < n; i++) {
        char path[40];
        snprintf(path, sizeof path, "contents[%zu]", i < kept ? i : i - kept);
        struct turn_of *turn = &r->chat->turns[i];
        if (!read_role(r, contents[i].role, path, &turn->role) ||
            !read_parts(r, &contents[i], path, turn))
            return false;
    }
    return true;
}

/* ---- who says what, and which result answers which call ---- */

/* The calls that results may answer: those of the model's turns that came last. */
struct open_calls {
    struct part **calls; /* those not answered yet first */
    int n, n_open;
    bool more;         /* the turn before was the model's, too */
    struct part *code; /* the last that was run, if its result has not come yet */
};

static bool note_call(const struct reader *r, struct open_calls *open, struct part *call,
                      const char *path)
{
    if (open->n == WIRE_FUNCTIONS)
        return error_at(r->err, path, "More than %d function calls in one turn.",
                        WIRE_FUNCTIONS);
    if (!open->calls)
        open->calls = arena_array(r->arena, struct part *, WIRE_FUNCTIONS);
    open->calls[open->n++] = call;
    open->n_open = open->n;
    return true;
}

/* By id, else the first of that name that has no result yet, else any of that name. */
static int find_call(const struct open_calls *open, const struct part *result)
{
    int named = -1;
    for (int i = 0; i < open->n; i++) {
        const struct part *call = open->calls[i];
        if (result->id.len > 0 && text_same(call->id, result->id))
            return i;
        if (named < 0 && text_same(call->name, result->name))
            named = i;
    }
    return named;
}

/* The two get one id, if either has one; clients drop them. */
static bool match_result(const struct reader *r, struct open_calls *open,
                         struct part *result, const char *path)
{
    int i = find_call(open, result);
    if (i < 0)
        return error_at(r->err, path,
                        "Please ensure that function response turn comes immediately "
                        "after a function call turn. No call before it is of '%.*s'.",
                        TEXT_ARG(text_slice(result->name, 0, 100)));
    struct part *call = open->calls[i];
    if (call->id.len > 0)
        result->id = call->id;
    else
        call->id = result->id;
    if (i < open->n_open) { /* behind the others */
        memmove(open->calls + i, open->calls + i + 1,
                sizeof(struct part *) * (size_t)(open->n - i - 1));
        open->calls[open->n - 1] = call;
        open->n_open--;
    }
    return true;
}

/* The server ran it in the model's turn, so both stand there; a result finds the code
 * that is right before it. */
static bool match_own(const struct reader *r, struct open_calls *open, enum role role,
                      struct part *part, const char *path)
{
    if (role != ROLE_MODEL)
        return error_at(r->err, path,
                        "Code and its result are the model's: their turn must have the "
                        "role model.");
    if (part->kind == PART_CALL) {
        open->code = part;
        return true;
    }
    if (!open->code)
        return error_at(r->err, path,
                        "A code execution result must follow its executable code.");
    if (part->id.len > 0 && open->code->id.len > 0 &&
        !text_same(part->id, open->code->id))
        return error_at(r->err, path,
                        "A code execution result must follow its executable code: that "
                        "before it has the id '%.*s'.",
                        TEXT_ARG(text_slice(open->code->id, 0, 100)));
    part->id = open->code->id = open->code->id.len > 0 ? open->code->id : part->id;
    open->code = NULL;
    return true;
}

static bool match_part(const struct reader *r, struct open_calls *open, enum role role,
                       struct part *part, const char *path)
{
    bool model = role == ROLE_MODEL;
    if (part->of_server)
        return match_own(r, open, role, part, path);
    switch (part->kind) {
    case PART_CALL:
        return model ? note_call(r, open, part, path)
                     : error_at(r->err, path,
                                "A function call is the model's: its turn must have the "
                                "role model.");
    case PART_RESULT:
        return model ? error_at(r->err, path,
                                "A function response is not the model's: its turn must "
                                "have the role user or function.")
                     : match_result(r, open, part, path);
    case PART_THOUGHT:
        if (!model)
            part->kind = PART_TEXT; /* users say what they think */
        return true;
    default:
        return true;
    }
}

static bool match_contents(const struct reader *r)
{
    struct open_calls open = {0};
    for (int i = 0; i < r->chat->n_turns; i++) {
        struct turn_of *turn = &r->chat->turns[i];
        if (turn->role == ROLE_MODEL && !open.more)
            open.n = open.n_open = 0;
        open.more = turn->role == ROLE_MODEL;
        for (int k = 0; k < turn->n_parts; k++) {
            char path[60];
            snprintf(path, sizeof path, "contents[%d].parts[%d]",
                     i - (i < r->chat->kept_turns ? 0 : r->chat->kept_turns), k);
            if (!match_part(r, &open, turn->role, &turn->parts[k], path))
                return false;
        }
    }
    return true;
}

/* Several parts are one text, with a line break between them. */
static bool read_system(const struct reader *r)
{
    struct turn_of turn = {0};
    struct buf text = {0};
    if (!r->request->system || r->request->system->parts.n == 0)
        return true;
    if (!read_parts(r, r->request->system, "system_instruction", &turn))
        return false;
    for (int i = 0; i < turn.n_parts; i++) {
        if (turn.parts[i].kind != PART_TEXT) {
            buf_free(&text);
            return error_at(r->err, "system_instruction",
                            "A system instruction takes text parts only; parts[%d] is "
                            "something else.",
                            i);
        }
        if (i > 0)
            buf_char(&text, '\n');
        buf_text(&text, turn.parts[i].text);
    }
    r->chat->system = text.len ? arena_text(r->arena, buf_view(&text)) : (struct text){0};
    buf_free(&text);
    return true;
}

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

static bool read_safety(const struct reader *r)
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
            return broken_rule(r->err, path,
                               "element predicate failed: $.category in "
                               "(HARM_CATEGORY_HARASSMENT, HARM_CATEGORY_HATE_SPEECH, "
                               "HARM_CATEGORY_SEXUALLY_EXPLICIT, "
                               "HARM_CATEGORY_DANGEROUS_CONTENT, "
                               "HARM_CATEGORY_CIVIC_INTEGRITY)");
        if (seen & 1u << category)
            return broken_rule(r->err, path, "there is another setting of this category");
        seen |= 1u << category;
        safety->block_from[category - WIRE_FIRST_CATEGORY] =
            content_block_from(settings[i].threshold, r->rules->defaults.block_from);
    }
    return true;
}

/* ---- settings ---- */

#define CONFIG "generation_config."

static bool read_stops(const struct reader *r, const struct wire_config *config)
{
    const struct text *stops = config->stops.at;
    for (size_t i = 0; i < config->stops.n; i++)
        if (stops[i].len == 0)
            return broken_rule(r->err, CONFIG "stop_sequences",
                               "a stop sequence must not be empty");
    r->chat->stops = config->stops.at;
    r->chat->n_stops = (int)config->stops.n;
    return true;
}

static bool read_logprobs(const struct reader *r, const struct wire_config *config)
{
    bool asked = config->logprobs.set && config->logprobs.is;
    if (config->n_logprobs.set && !asked)
        return broken_rule(r->err, CONFIG "logprobs",
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
    return broken_rule(r->err, CONFIG "response_mime_type",
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
        return broken_rule(r->err, CONFIG "response_mime_type",
                           "text/x.enum needs a response_schema with an enum");
    if (!schema.is)
        return true;
    if (shape->kind == ANSWER_TEXT)
        return broken_rule(r->err, schema.path,
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
        return broken_rule(r->err, SPEECH ".multi_speaker_voice_config",
                           "The number of speaker voice configs must be 2.");
    for (int i = 0; i < SPEAKERS; i++) {
        char path[120];
        snprintf(path, sizeof path,
                 SPEECH ".multi_speaker_voice_config.speaker_voice_configs[%d]", i);
        if (speakers[i].name.len == 0 ||
            memchr(speakers[i].name.at, '\0', speakers[i].name.len) ||
            (i > 0 && text_same(speakers[i].name, speakers[0].name)))
            return broken_rule(r->err, path, "each speaker needs a name of its own");
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
        return broken_rule(r->err, SPEECH,
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
        return broken_rule(r->err, THINKING ".thinking_level",
                           "You can only set one of thinking_budget and thinking_level.");
    if (from->level)
        *thinking = (struct thinking){true, content_budget(from->level)};
    if (from->budget.set)
        *thinking = (struct thinking){from->budget.is != 0, (int)from->budget.is};
    if (shown && !thinking->on)
        return broken_rule(r->err, THINKING ".include_thoughts",
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

static bool read_config(const struct reader *r)
{
    static const struct wire_config none;
    const struct wire_config *config = r->request->config ? r->request->config : &none;
    r->chat->n_candidates = config->candidates.set ? (int)config->candidates.is : 1;
    r->chat->max_tokens = (int)config->max_tokens.is;
    read_sampling(r, config);
    return read_stops(r, config) && read_logprobs(r, config) && read_shape(r, config) &&
           read_modalities(r, config) && read_thinking(r, config->thinking);
}

bool content_chat(const struct wire_generate *request, const struct content_rules *rules,
                  struct arena *arena, struct chat *chat, struct error *err)
{
    struct reader reader = {request, rules, arena, chat, err};
    if (request->cached.len > 0 && !chat->kept) /* never as if it were not there */
        return not_yet(err, "cached_content", "a cache in this call");
    if (!read_contents(&reader) || !match_contents(&reader) || !read_system(&reader) ||
        !tools_read(request, rules->tools, arena, chat, err) || !read_safety(&reader) ||
        !read_config(&reader))
        return false;
    ran_split(chat, arena);
    return tools_check(chat, CONFIG "candidate_count", err);
}

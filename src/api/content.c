/* content.c - what a request asks for: the wire's message to a chat.
 *
 * The wording of errors follows the public service where its wording is known: a part is
 * named as contents[0].parts[1], a request's own rules begin with "* Generate...". */
#include "api/content.h"
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
    if (into->at[0] == '{')
        return true;
    struct text where = arena_printf(r->arena, "%s.%s", path, field);
    return error_at(r->err, where.at,
                    "Invalid value at '%s' (type.googleapis.com/google.protobuf.Struct), "
                    "%.*s",
                    where.at, TEXT_ARG(text_slice(*into, 0, 100)));
}

/* ---- parts ---- */

static bool needs_script(const struct reader *r, const char *path, const char *what)
{
    return r->rules->scripted || not_yet(r->err, path, what);
}

static bool read_call(const struct reader *r, const struct wire_call *from,
                      const char *path, struct part *part)
{
    const char *here = arena_printf(r->arena, "%s.function_call", path).at;
    *part = (struct part){.kind = PART_CALL, .id = from->id, .name = from->name};
    return needs_script(r, here, "function calling") &&
           read_object(r, from->args, here, "args", &part->json);
}

static bool read_result(const struct reader *r, const struct wire_result *from,
                        const char *path, struct part *part)
{
    const char *here = arena_printf(r->arena, "%s.function_response", path).at;
    *part = (struct part){.kind = PART_RESULT, .id = from->id, .name = from->name};
    return needs_script(r, here, "function calling") &&
           read_object(r, from->response, here, "response", &part->json);
}

static bool read_part(const struct reader *r, const struct wire_part *from,
                      const char *path, struct part *part)
{
    int n_data = (from->text.at != NULL) + (from->call != NULL) + (from->result != NULL);
    if (n_data == 0)
        return error_at(r->err, path,
                        "* GenerateContentRequest.%s.data: required oneof field 'data' "
                        "must have one initialized field\n",
                        path);
    if (n_data > 1)
        return error_at(r->err, path,
                        "Invalid value at '%s' (oneof), oneof field 'data' is already "
                        "set. Cannot set '%s'",
                        path, from->result ? "functionResponse" : "functionCall");
    if (from->call)
        return read_call(r, from->call, path, part);
    if (from->result)
        return read_result(r, from->result, path, part);
    bool thought = from->thought.set && from->thought.is;
    *part = (struct part){.kind = thought ? PART_THOUGHT : PART_TEXT, .text = from->text};
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
    size_t n = r->request->contents.n;
    if (n == 0)
        return broken_rule(r->err, "contents", "contents is not specified");
    r->chat->turns = arena_array(r->arena, struct turn_of, n);
    r->chat->n_turns = (int)n;
    for (size_t i = 0; i < n; i++) {
        char path[40];
        snprintf(path, sizeof path, "contents[%zu]", i);
        struct turn_of *turn = &r->chat->turns[i];
        if (!read_role(r, contents[i].role, path, &turn->role) ||
            !read_parts(r, &contents[i], path, turn))
            return false;
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

/* ---- tools ---- */

static struct function function_of(const struct reader *r,
                                   const struct wire_function *from)
{
    struct json_object *parameters =
        from->parameters_schema ? from->parameters_schema : from->parameters;
    return (struct function){from->name, from->description,
                             compact(r->arena, parameters)};
}

static bool read_tools(const struct reader *r)
{
    const struct wire_tool *tools = r->request->tools.at;
    size_t n = 0, n_tools = r->request->tools.n;
    for (size_t i = 0; i < n_tools; i++)
        n += tools[i].functions.n;
    if (n == 0)
        return true;
    if (!needs_script(r, "tools", "function calling"))
        return false;
    r->chat->functions = arena_array(r->arena, struct function, n);
    for (size_t i = 0; i < n_tools; i++) {
        const struct wire_function *functions = tools[i].functions.at;
        for (size_t k = 0; k < tools[i].functions.n; k++)
            r->chat->functions[r->chat->n_functions++] = function_of(r, &functions[k]);
    }
    return true;
}

static bool check_tool_config(const struct reader *r)
{
    const struct wire_tool_config *config = r->request->tool_config;
    bool asks = config && config->calling &&
                (config->calling->mode || config->calling->allowed.n);
    return !asks || needs_script(r, "tool_config", "function calling");
}

/* ---- safety ---- */

/* From which level on a threshold blocks. */
static enum level block_from(int threshold, enum level otherwise)
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
            block_from(settings[i].threshold, r->rules->defaults.block_from);
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

static bool check_mime_type(const struct reader *r, const struct wire_config *config)
{
    static const char *const structured[] = {"application/json", "text/x.enum",
                                             "application/xml", "application/yaml"};
    struct text type = config->mime_type;
    if (type.len == 0 || text_is(type, "text/plain"))
        return true;
    for (size_t i = 0; i < sizeof structured / sizeof structured[0]; i++)
        if (text_is(type, structured[i]))
            return needs_script(r, CONFIG "response_mime_type", structured[i]);
    return broken_rule(r->err, CONFIG "response_mime_type",
                       "allowed mimetypes are `text/plain`, `application/json`, "
                       "`application/xml`, `application/yaml` and `text/x.enum`.");
}

static bool check_schema(const struct reader *r, const struct wire_config *config)
{
    bool json = config->json_schema || config->json_schema_old;
    if (config->schema && json)
        return broken_rule(r->err, CONFIG "response_json_schema",
                           "response_schema is set, too; one of them may be");
    if (config->schema && !needs_script(r, CONFIG "response_schema", "structured output"))
        return false;
    return !json || needs_script(r, CONFIG "response_json_schema", "structured output");
}

static bool check_modalities(const struct reader *r, const struct wire_config *config)
{
    const int *modalities = config->modalities.at;
    for (size_t i = 0; i < config->modalities.n; i++)
        if (modalities[i] != 0 && modalities[i] != WIRE_MODALITY_TEXT)
            return not_yet(r->err, CONFIG "response_modalities",
                           "answers other than TEXT");
    return true;
}

static bool check_thinking(const struct reader *r, const struct wire_config *config)
{
    const struct wire_thinking *thinking = config->thinking;
    /* A budget of 0 asks for what happens anyway: no thinking. */
    bool asks = thinking &&
                ((thinking->include.set && thinking->include.is) ||
                 (thinking->budget.set && thinking->budget.is != 0) || thinking->level);
    return !asks || needs_script(r, CONFIG "thinking_config", "thinking");
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
    return read_stops(r, config) && read_logprobs(r, config) &&
           check_mime_type(r, config) && check_schema(r, config) &&
           check_modalities(r, config) && check_thinking(r, config);
}

bool content_chat(const struct wire_generate *request, const struct content_rules *rules,
                  struct arena *arena, struct chat *chat, struct error *err)
{
    struct reader reader = {request, rules, arena, chat, err};
    return read_contents(&reader) && read_system(&reader) && read_tools(&reader) &&
           check_tool_config(&reader) && read_safety(&reader) && read_config(&reader);
}

/* content.c - what a request asks for: the wire's message to a chat.
 *
 * The wording of errors follows the public service where its wording is known: a part is
 * named as contents[0].parts[1], a request's own rules begin with "* Generate...". */
#include "api/attach.h"
#include "api/content_inside.h"
#include "api/ran.h"
#include "api/tools.h"
#include "files/files.h"
#include <stdio.h>

bool content_broken_rule(struct error *err, const char *path, const char *rule)
{
    return error_at(err, path, "* GenerateContentRequest.%s: %s\n", path, rule);
}

/* ---- JSON that is kept as it came ---- */

static bool read_object(const struct reader *r, struct json_object *value,
                        const char *path, const char *field, struct text *into)
{
    struct buf json = {0};
    if (value)
        json_any_write(value, &json);
    else
        buf_str(&json, "{}");
    *into = arena_take(r->arena, &json);
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

static int most_tokens(const struct reader *r, const struct wire_resolution *part)
{
    int level = r->request->config ? r->request->config->media_resolution : 0;
    if (part && part->n_tokens.set)
        return (int)part->n_tokens.is;
    if (part && part->level)
        level = part->level;
    return level == WIRE_RESOLUTION_LOW      ? WIRE_LOW_TOKENS
           : level == WIRE_RESOLUTION_MEDIUM ? WIRE_MEDIUM_TOKENS
                                             : 0;
}

/* It becomes text when it was read (attach.h). */
static bool read_blob(const struct reader *r, const struct wire_part *from,
                      const char *path, struct part *part)
{
    const struct wire_blob *blob = blob_of(from);
    struct part_media *media = arena_new(r->arena, struct part_media);
    media->path = arena_text(r->arena, text_of(path)).at;
    media->field = "inline_data";
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
    media->path = arena_text(r->arena, text_of(path)).at;
    media->field = "file_data";
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

/* A part is one thing. */
static bool is_one(const struct reader *r, const struct wire_part *from, const char *path)
{
    int n_data = (from->text.at != NULL) + (from->call != NULL) + (from->result != NULL) +
                 (from->blob != NULL) + (from->image != NULL) + (from->file != NULL) +
                 (from->code != NULL) + (from->outcome != NULL);
    if (n_data == 0 && !is_empty_text(from))
        return error_at(r->err, path,
                        "* GenerateContentRequest.%s.data: required oneof field 'data' "
                        "must have one initialized field\n",
                        path);
    return n_data <= 1 ||
           error_at(r->err, path,
                    "Invalid value at '%s' (oneof), oneof field 'data' is already set. "
                    "Cannot set '%s'",
                    path,
                    from->file      ? "fileData"
                    : blob_of(from) ? "inlineData"
                    : from->outcome ? "codeExecutionResult"
                    : from->code    ? "executableCode"
                    : from->result  ? "functionResponse"
                                    : "functionCall");
}

static void read_text(const struct wire_part *from, struct part *part)
{
    bool thought = from->thought.set && from->thought.is;
    *part = (struct part){.kind = thought ? PART_THOUGHT : PART_TEXT,
                          .text = from->text.at ? from->text : TEXT("")};
}

static bool read_part(const struct reader *r, const struct wire_part *from,
                      const char *path, struct part *part)
{
    if (!is_one(r, from, path))
        return false;
    if (from->file)
        return read_file(r, from, path, part);
    if (blob_of(from))
        return read_blob(r, from, path, part);
    if (from->video)
        return error_at(r->err, path,
                        "Video metadata should only be specified while the video data is "
                        "presented in inline_data or file_data.");
    if (from->call)
        return read_call(r, from->call, path, part);
    if (from->result)
        return read_result(r, from->result, path, part);
    if (from->code)
        ran_code(from->code, r->arena, part);
    else if (from->outcome)
        ran_outcome(from->outcome, r->arena, part);
    else
        read_text(from, part);
    return true;
}

/* Media of a function's response are shown right behind it. */
static bool read_result_parts(const struct reader *r, const struct wire_result *from,
                              const char *path, struct turn_of *turn)
{
    const struct wire_part *parts = from->parts.at;
    for (size_t i = 0; i < from->parts.n; i++) {
        char here[128];
        struct part *part = &turn->parts[turn->n_parts++];
        snprintf(here, sizeof here, "%s.function_response.parts[%zu]", path, i);
        if (!read_part(r, &parts[i], here, part))
            return false;
        part->media->of_result = true;
    }
    return true;
}

static size_t count_parts(const struct wire_content *from)
{
    const struct wire_part *parts = from->parts.at;
    size_t n = from->parts.n;
    for (size_t i = 0; i < from->parts.n; i++)
        n += parts[i].result ? parts[i].result->parts.n : 0;
    return n;
}

static bool read_parts(const struct reader *r, const struct wire_content *from,
                       const char *path, struct turn_of *turn)
{
    const struct wire_part *parts = from->parts.at;
    if (from->parts.n == 0) {
        const char *here = arena_printf(r->arena, "%s.parts", path).at;
        return content_broken_rule(r->err, here, "contents.parts must not be empty.");
    }
    turn->parts = arena_array(r->arena, struct part, count_parts(from));
    for (size_t i = 0; i < from->parts.n; i++) {
        char here[80];
        snprintf(here, sizeof here, "%s.parts[%zu]", path, i);
        if (!read_part(r, &parts[i], here, &turn->parts[turn->n_parts++]) ||
            (parts[i].result && !read_result_parts(r, parts[i].result, here, turn)))
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
        return content_broken_rule(r->err, "contents", "contents is not specified");
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
        int n_nested = 0;
        struct turn_of *turn = &r->chat->turns[i];
        if (turn->role == ROLE_MODEL && !open.more)
            open.n = open.n_open = 0;
        open.more = turn->role == ROLE_MODEL;
        for (int k = 0; k < turn->n_parts; k++) {
            char path[60];
            struct part *part = &turn->parts[k];
            n_nested += part->kind == PART_MEDIA && part->media->of_result;
            snprintf(path, sizeof path, "contents[%d].parts[%d]",
                     i - (i < r->chat->kept_turns ? 0 : r->chat->kept_turns),
                     k - n_nested);
            if (!match_part(r, &open, turn->role, part, path))
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
    if (text.len > 0)
        r->chat->system = arena_take(r->arena, &text);
    buf_free(&text);
    return true;
}

/* ---- the whole ---- */

struct content_rules content_rules(const struct api *api)
{
    return (struct content_rules){
        .thinks = prompter_thinks(runner_prompter(api->runner)),
        .defaults = api->options.defaults,
        .tools = api->options.tools,
    };
}

bool content_chat(const struct wire_generate *request, const struct content_rules *rules,
                  struct arena *arena, struct chat *chat, struct error *err)
{
    struct reader reader = {request, rules, arena, chat, err};
    if (request->cached.len > 0 && !chat->kept) /* never as if it were not there */
        return error_at(err, "cached_content",
                        "'cached_content' is not supported by Pollux yet: a cache in "
                        "this call");
    if (!read_contents(&reader) || !match_contents(&reader) || !read_system(&reader) ||
        !tools_read(request, rules->tools, arena, chat, err) ||
        !content_read_safety(&reader) || !content_read_config(&reader))
        return false;
    ran_split(chat, arena);
    return tools_check(chat, CONFIG "candidate_count", err);
}

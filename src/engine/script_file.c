/* script_file.c - the replies of a script, read from JSON.
 *
 * The tables say what may stand in the file; the checks below them say what makes no
 * sense together. Then each answer is cut into the pieces that the engine will speak. */
#include "engine/script_file.h"
#include "base/file.h"
#include "engine/words.h"
#include "json/tree.h"

enum { MOST_FILE = 16 << 20 };

/* clang-format off */

const struct json_enum script_finishes[] = {
    {"STOP", SCRIPT_STOP, NULL},
    {"MAX_TOKENS", SCRIPT_MAX_TOKENS, NULL},
    {"SAFETY", SCRIPT_SAFETY, NULL},
    {"RECITATION", 4, NULL},
    {"OTHER", 5, NULL},
    {"LANGUAGE", 6, NULL},
    {"BLOCKLIST", 7, NULL},
    {"PROHIBITED_CONTENT", 8, NULL},
    {"SPII", 9, NULL},
    {"MALFORMED_FUNCTION_CALL", 10, NULL},
    {"IMAGE_SAFETY", 11, NULL},
    {"UNEXPECTED_TOOL_CALL", 12, NULL},
    {"TOO_MANY_TOOL_CALLS", 13, NULL},
    {0},
};

const struct json_enum script_blocks[] = {
    {"SAFETY", 1, NULL},
    {"OTHER", 2, NULL},
    {"BLOCKLIST", 3, NULL},
    {"PROHIBITED_CONTENT", 4, NULL},
    {"IMAGE_SAFETY", 5, NULL},
    {0},
};

/* A status by the number on the wire, and what the public service says with it. */
static const struct fault {
    int http_status;
    enum error_code code;
    const char *message;
} faults[] = {
    {400, ERROR_INVALID_ARGUMENT, "Request contains an invalid argument."},
    {401, ERROR_UNAUTHENTICATED, "Request had invalid authentication credentials."},
    {403, ERROR_PERMISSION_DENIED, "The caller does not have permission."},
    {404, ERROR_NOT_FOUND, "Requested entity was not found."},
    {409, ERROR_ABORTED, "The operation was aborted."},
    {429, ERROR_RESOURCE_EXHAUSTED, "Resource has been exhausted (e.g. check quota)."},
    {499, ERROR_CANCELLED, "The operation was cancelled."},
    {500, ERROR_INTERNAL, "An internal error has occurred. Please retry."},
    {501, ERROR_UNIMPLEMENTED, "Operation is not implemented, or supported, or enabled."},
    {503, ERROR_UNAVAILABLE, "The model is overloaded. Please try again later."},
    {504, ERROR_DEADLINE_EXCEEDED, "Deadline expired before operation could complete."},
};
enum { N_FAULTS = sizeof faults / sizeof *faults };

#define HOUR_MS 3600000

struct script_call {
    struct text name;
    struct json_object *args;
};
static const struct json_type call_type = {
    "Call", sizeof(struct script_call), (const struct json_field[]){
        {"name", JSON_STRING, offsetof(struct script_call, name), JSON_REQUIRED, 0, 0, NULL,
         "the function"},
        {"args", JSON_ANY, offsetof(struct script_call, args), 0, 0, 0, NULL,
         "an object; {} when left out"},
        {0}},
    false};

#define ANSWER_FIELDS(at) \
    {"text", JSON_STRING, (at) + offsetof(struct script_answer, text), 0, 0, 0, NULL, \
     "said at once; word by word with chunk_delay_ms"}, \
    {"chunks", JSON_STRING, (at) + offsetof(struct script_answer, chunks), JSON_LIST, 0, 0, \
     NULL, "said one after the other"}, \
    {"echo", JSON_BOOL, (at) + offsetof(struct script_answer, echo), 0, 0, 0, NULL, \
     "says what the user said last"}, \
    {"thought", JSON_STRING, (at) + offsetof(struct script_answer, thought), 0, 0, 0, NULL, \
     "thought first"}, \
    {"calls", JSON_MESSAGE, (at) + offsetof(struct script_answer, calls), JSON_LIST, 0, 0, \
     &call_type, "functions called in the end"}, \
    {"finish", JSON_ENUM, (at) + offsetof(struct script_answer, finish), 0, 0, 0, \
     script_finishes, "STOP when left out"}, \
    {"logprobs", JSON_NUMBER, (at) + offsetof(struct script_answer, logprobs), JSON_LIST, 0, \
     0, NULL, "of the tokens in turn, the last for all others"}

static const struct json_type answer_type = {
    "Answer", sizeof(struct script_answer),
    (const struct json_field[]){ANSWER_FIELDS(0), {0}}, false};

#define AT(member) offsetof(struct script_match, member)
static const struct json_type match_type = {
    "Match", sizeof(struct script_match), (const struct json_field[]){
        {"model", JSON_STRING, AT(model), 0, 0, 0, NULL, "a glob: gemini-*"},
        {"prompt", JSON_STRING, AT(prompt), 0, 0, 0, NULL, "is in what the user said last"},
        {"promptRegex", JSON_STRING, AT(prompt_regex), 0, 0, 0, NULL, "POSIX extended"},
        {"system", JSON_STRING, AT(system), 0, 0, 0, NULL, "is in the system instruction"},
        {"result", JSON_STRING, AT(result), 0, 0, 0, NULL, "is in the functions' results"},
        {0}},
    false};
#undef AT

#define AT(member) offsetof(struct script_error, member)
static const struct json_type error_type = {
    "Error", sizeof(struct script_error), (const struct json_field[]){
        {"status", JSON_ANY, AT(status), JSON_REQUIRED, 0, 0, NULL,
         "RESOURCE_EXHAUSTED or 429"},
        {"message", JSON_STRING, AT(message), 0, 0, 0, NULL, NULL},
        {"retryMs", JSON_INT, AT(retry_ms), 0, 0, HOUR_MS, NULL, "google.rpc.RetryInfo"},
        {"afterChunks", JSON_INT, AT(after_chunks), 0, 0, 1e6, NULL,
         "comes when so many chunks were said"},
        {0}},
    false};
#undef AT

struct drop {
    struct json_int after_chunks;
};
static const struct json_type drop_type = {
    "Drop", sizeof(struct drop), (const struct json_field[]){
        {"afterChunks", JSON_INT, offsetof(struct drop, after_chunks), 0, 0, 1e6, NULL, NULL},
        {0}},
    false};

#define AT(member) offsetof(struct script_reply, member)
static const struct json_type reply_type = {
    "Reply", sizeof(struct script_reply), (const struct json_field[]){
        {"note", JSON_ANY, 0, JSON_IGNORED, 0, 0, NULL, "for the reader of the file"},
        {"match", JSON_MESSAGE, AT(match), 0, 0, 0, &match_type, "any prompt when left out"},
        {"times", JSON_INT, AT(times), 0, 1, 1e9, NULL, "then it matches no more"},
        {"delayMs", JSON_INT, AT(delay_ms), 0, 0, HOUR_MS, NULL, "before the first chunk"},
        {"chunkDelayMs", JSON_INT, AT(chunk_delay_ms), 0, 0, HOUR_MS, NULL,
         "before each further chunk"},
        {"cachedTokens", JSON_INT, AT(cached_tokens), 0, 0, 1e9, NULL,
         "of the prompt, to be counted as cached"},
        ANSWER_FIELDS(AT(answer)),
        {"candidates", JSON_MESSAGE, AT(candidates), JSON_LIST, 0, 0, &answer_type,
         "one answer each; again from the first when more are asked for"},
        {"error", JSON_MESSAGE, AT(error), 0, 0, 0, &error_type, NULL},
        {"drop", JSON_ANY, AT(drop), 0, 0, 0, NULL, "true or {after_chunks}"},
        {"block", JSON_ENUM, AT(block), 0, 0, 0, script_blocks, "the prompt is blocked"},
        {0}},
    false};
#undef AT

#define AT(member) offsetof(struct script_embeddings, member)
static const struct json_type embeddings_type = {
    "Embeddings", sizeof(struct script_embeddings), (const struct json_field[]){
        {"dimensions", JSON_INT, AT(dimensions), 0, 1, 4096, NULL, "384"},
        {"context", JSON_INT, AT(context), 0, 1, 1e6, NULL, "tokens of a text; 2048"},
        {"delayMs", JSON_INT, AT(delay_ms), 0, 0, HOUR_MS, NULL, "of each step"},
        {0}},
    false};
#undef AT

#define AT(member) offsetof(struct script, member)
static const struct json_type script_type = {
    "Script", sizeof(struct script), (const struct json_field[]){
        {"note", JSON_ANY, 0, JSON_IGNORED, 0, 0, NULL, "for the reader of the file"},
        {"model", JSON_STRING, AT(model), 0, 1, 100, NULL, "scripted"},
        {"context", JSON_INT, AT(context), 0, 2, 1e8, NULL, "tokens; 32768"},
        {"slots", JSON_INT, AT(slots), 0, 1, 1000, NULL, "answers at a time; 8"},
        {"queue", JSON_INT, AT(queue), 0, 0, 1e6, NULL, "answers that may wait; 64"},
        {"embeddings", JSON_MESSAGE, AT(embeddings), 0, 0, 0, &embeddings_type, NULL},
        {"replies", JSON_MESSAGE, AT(replies), JSON_LIST, 0, 0, &reply_type, NULL},
        {"default", JSON_MESSAGE, AT(fallback), 0, 0, 0, &reply_type, "when none matches"},
        {0}},
    false};
#undef AT
/* clang-format on */

struct reader {
    struct text json;
    const char *path;
    struct arena *arena;
    struct error *err;
};

/* ---- errors with their place ---- */

/* The line of a key that is wrong, when the file says it only once; else 0. */
static int line_of_key(struct text json, struct text key)
{
    struct buf quoted = {0};
    buf_printf(&quoted, "\"%.*s\"", TEXT_ARG(key));
    size_t at = text_find(json, buf_view(&quoted), 0);
    bool once = at != SIZE_MAX && text_find(json, buf_view(&quoted), at + 1) == SIZE_MAX;
    buf_free(&quoted);
    int line = 1;
    for (size_t i = 0; once && i < at; i++)
        line += json.at[i] == '\n';
    return once ? line : 0;
}

/* The decoder's words with the file's name in front; the key is the one in double quotes,
 * or else the last of the path. */
static bool place_error(struct reader *r)
{
    struct text message = arena_text(r->arena, text_of(r->err->message)), rest = {0};
    struct text path = arena_text(r->arena, text_of(r->err->field)), key = {0};
    static const char prefix[] = "Invalid JSON payload received. ";
    if (text_starts(message, prefix))
        message = text_slice(message, sizeof prefix - 1, message.len);
    text_cut(message, '"', &rest);
    if (text_starts(message, "Unknown name") && rest.at)
        key = text_cut(rest, '"', &rest);
    for (rest = path; !key.at && rest.at;) {
        struct text last = text_cut(rest, '.', &rest);
        if (!rest.at)
            key = text_cut(last, '[', &last);
    }
    int line = key.len > 0 ? line_of_key(r->json, key) : 0;
    if (line > 0)
        return error_set(r->err, ERROR_INVALID_ARGUMENT, "%s:%d: %.*s", r->path, line,
                         TEXT_ARG(message));
    return error_set(r->err, ERROR_INVALID_ARGUMENT, "%s: %.*s", r->path,
                     TEXT_ARG(message));
}

static bool refuse(struct reader *r, struct text where, const char *what)
{
    return error_set(r->err, ERROR_INVALID_ARGUMENT, "%s: %.*s %s", r->path,
                     TEXT_ARG(where), what);
}

/* ---- answers to pieces ---- */

static void add_piece(struct script_answer *answer, struct text piece)
{
    answer->pieces[answer->n_pieces++] = piece;
}

static void add_text(struct script_answer *answer, bool by_words)
{
    struct text text = answer->text;
    while (by_words && text.len > 0) {
        struct text word = words_next(text, true);
        add_piece(answer, text_slice(text, 0, word.len));
        text = text_slice(text, word.len, text.len);
    }
    if (!by_words && text.len > 0)
        add_piece(answer, text);
}

static void add_chunks(struct script_answer *answer)
{
    const struct text *chunks = answer->chunks.at;
    for (size_t i = 0; chunks && i < answer->chunks.n; i++)
        add_piece(answer, chunks[i]);
}

/* As chat/reply.c reads it in the end. */
static struct text call_text(struct arena *arena, const struct script_call *call)
{
    struct buf out = {0};
    buf_str(&out, "<tool_call>");
    struct json_writer w = json_writer(&out, false);
    json_begin(&w, '{');
    json_key(&w, "name");
    json_text(&w, call->name);
    json_key(&w, "arguments");
    if (call->args)
        tree_write(&w, call->args);
    else
        json_raw(&w, TEXT("{}"));
    json_end(&w, '}');
    buf_str(&out, "</tool_call>");
    return arena_take(arena, &out);
}

static bool make_answer(struct reader *r, struct script_answer *answer, bool by_words,
                        struct text where)
{
    const struct script_call *calls = answer->calls.at;
    if ((answer->text.at != NULL) + (answer->chunks.n > 0) + answer->echo.is > 1)
        return refuse(r, where, "has more than one of text, chunks and echo");
    for (size_t i = 0; i < answer->calls.n; i++)
        if (calls[i].args && !json_object_is_type(calls[i].args, json_type_object))
            return refuse(r, where, "calls a function with args that are no object");
    answer->pieces = arena_array(
        r->arena, struct text, answer->text.len + answer->chunks.n + answer->calls.n + 2);
    if (answer->thought.len > 0)
        add_piece(answer, arena_printf(r->arena, "<think>%.*s</think>",
                                       TEXT_ARG(answer->thought)));
    add_text(answer, by_words);
    add_chunks(answer);
    if (answer->echo.is)
        add_piece(answer, (struct text){0});
    for (size_t i = 0; i < answer->calls.n; i++)
        add_piece(answer, call_text(r->arena, &calls[i]));
    return true;
}

/* ---- faults ---- */

static bool make_error(struct reader *r, struct script_error *error, struct text where)
{
    struct text name = tree_text(error->status);
    struct error *is = &error->is;
    if (name.at) {
        const struct error_row *row = error_row_named(arena_text(r->arena, name).at);
        if (!row || row->code == ERROR_OK)
            return refuse(r, where, "has an error whose status is no google.rpc code");
        is->code = row->code;
    } else {
        int number = json_object_get_int(error->status);
        if (!json_object_is_type(error->status, json_type_int) || number < 400 ||
            number > 599)
            return refuse(r, where, "has an error whose status is not 400 to 599");
        is->code = number < 500 ? ERROR_INVALID_ARGUMENT : ERROR_INTERNAL;
        is->http_status = number;
    }
    const char *message = "The script says so.";
    for (int i = 0; i < N_FAULTS; i++) {
        if (name.at ? faults[i].code != is->code
                    : faults[i].http_status != is->http_status)
            continue;
        is->code = faults[i].code;
        is->http_status = 0;
        message = faults[i].message;
    }
    struct text said = error->message.at ? error->message : text_of(message);
    int http_status = is->http_status;
    error_set(is, is->code, "%.*s", TEXT_ARG(said));
    is->http_status = http_status;
    is->retry_ms = (int)error->retry_ms.is;
    return true;
}

static bool make_faults(struct reader *r, struct script_reply *reply, struct text where)
{
    if ((reply->error != NULL) + (reply->drop != NULL) + (reply->block != 0) > 1)
        return refuse(r, where, "has more than one of error, drop and block");
    if (reply->error) {
        reply->fault_after = (int)reply->error->after_chunks.is;
        return make_error(r, reply->error, where);
    }
    if (json_object_is_type(reply->drop, json_type_boolean)) {
        if (!json_object_get_boolean(reply->drop))
            reply->drop = NULL;
    } else if (reply->drop) {
        struct drop drop;
        if (!json_decode(&drop_type, reply->drop, &drop, r->arena, r->err))
            return refuse(r, where, "has a drop that is neither true nor {after_chunks}");
        reply->fault_after = (int)drop.after_chunks.is;
    }
    return true;
}

/* ---- the file ---- */

static bool is_silent(const struct script_answer *answer)
{
    return !answer->text.at && !answer->chunks.at && !answer->echo.set &&
           !answer->thought.at && !answer->calls.at && !answer->finish;
}

static bool make_reply(struct reader *r, struct script_reply *reply, struct text where)
{
    bool by_words = reply->chunk_delay_ms.is > 0, silent = is_silent(&reply->answer);
    struct script_answer *candidates = reply->candidates.at;
    if (reply->candidates.n > 0 && !silent)
        return refuse(r, where, "has candidates and an answer of its own");
    if (silent && reply->candidates.n == 0 && !reply->error && !reply->drop &&
        !reply->block)
        return refuse(r, where,
                      "says nothing: give it text, chunks, echo, thought, calls, "
                      "finish, candidates, error, drop or block");
    for (size_t i = 0; i < reply->candidates.n; i++)
        if (!make_answer(r, &candidates[i], by_words, where))
            return false;
    return make_answer(r, &reply->answer, by_words, where) &&
           make_faults(r, reply, where);
}

static int64_t or_else(struct json_int value, int64_t fallback)
{
    return value.set ? value.is : fallback;
}

struct script *script_read(struct text json, const char *path, struct arena *arena,
                           struct error *err)
{
    struct reader r = {json, path, arena, err};
    struct script *script = arena_new(arena, struct script);
    if (!json_read(&script_type, json, script, arena, err)) {
        place_error(&r);
        return NULL;
    }
    struct script_reply *replies = script->replies.at;
    for (size_t i = 0; i < script->replies.n; i++)
        if (!make_reply(&r, &replies[i], arena_printf(arena, "replies[%zu]", i)))
            return NULL;
    if (script->fallback && !make_reply(&r, script->fallback, TEXT("default")))
        return NULL;
    if (!script->replies.n && !script->fallback) {
        refuse(&r, TEXT("the script"), "has no replies");
        return NULL;
    }
    script->model = script->model.len > 0 ? script->model : TEXT("scripted");
    script->context.is = or_else(script->context, 32768);
    script->slots.is = or_else(script->slots, 8);
    script->queue.is = or_else(script->queue, 64);
    return script;
}

struct script *script_from_file(const char *path, struct arena *arena, struct error *err)
{
    struct buf json = {0};
    return file_read(path, MOST_FILE, &json, err)
               ? script_read(arena_take(arena, &json), path, arena, err)
               : NULL;
}

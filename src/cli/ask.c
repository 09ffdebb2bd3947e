/* ask.c - tables of what is read, and a writer for what is sent. */
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/term.h"
#include <stdlib.h>
#include <time.h>

#define ROW(type, name, kind, member, flags, of)                                         \
    {                                                                                    \
        name, kind, offsetof(struct type, member), flags, 0, 0, of, NULL                 \
    }

/* What an answer looks like. Names that are not here are skipped. */

struct part {
    struct text text;
    struct json_bool thought;
};
struct content {
    struct text role;
    struct json_list parts;
};
struct candidate {
    struct content *content;
    struct text finish;
    struct json_int index;
};
struct feedback {
    struct text blocked;
};
struct usage {
    struct json_int prompt, answer, thought, cached, total;
};
struct response {
    struct json_list candidates;
    struct feedback *feedback;
    struct usage *usage;
    struct text model;
};
struct count {
    struct json_int total;
};

static const struct json_field part_fields[] = {
    ROW(part, "text", JSON_STRING, text, 0, NULL),
    ROW(part, "thought", JSON_BOOL, thought, 0, NULL),
    {0},
};
static const struct json_type part_type = {"Part", sizeof(struct part), part_fields,
                                           true};

static const struct json_field content_fields[] = {
    ROW(content, "role", JSON_STRING, role, 0, NULL),
    ROW(content, "parts", JSON_MESSAGE, parts, JSON_LIST, &part_type),
    {0},
};
static const struct json_type content_type = {"Content", sizeof(struct content),
                                              content_fields, true};

static const struct json_field candidate_fields[] = {
    ROW(candidate, "content", JSON_MESSAGE, content, 0, &content_type),
    ROW(candidate, "finishReason", JSON_STRING, finish, 0, NULL),
    ROW(candidate, "index", JSON_INT, index, 0, NULL),
    {0},
};
static const struct json_type candidate_type = {"Candidate", sizeof(struct candidate),
                                                candidate_fields, true};

static const struct json_field feedback_fields[] = {
    ROW(feedback, "blockReason", JSON_STRING, blocked, 0, NULL),
    {0},
};
static const struct json_type feedback_type = {"PromptFeedback", sizeof(struct feedback),
                                               feedback_fields, true};

static const struct json_field usage_fields[] = {
    ROW(usage, "promptTokenCount", JSON_INT, prompt, 0, NULL),
    ROW(usage, "candidatesTokenCount", JSON_INT, answer, 0, NULL),
    ROW(usage, "thoughtsTokenCount", JSON_INT, thought, 0, NULL),
    ROW(usage, "cachedContentTokenCount", JSON_INT, cached, 0, NULL),
    ROW(usage, "totalTokenCount", JSON_INT, total, 0, NULL),
    {0},
};
static const struct json_type usage_type = {"UsageMetadata", sizeof(struct usage),
                                            usage_fields, true};

static const struct json_field response_fields[] = {
    ROW(response, "candidates", JSON_MESSAGE, candidates, JSON_LIST, &candidate_type),
    ROW(response, "promptFeedback", JSON_MESSAGE, feedback, 0, &feedback_type),
    ROW(response, "usageMetadata", JSON_MESSAGE, usage, 0, &usage_type),
    ROW(response, "modelVersion", JSON_STRING, model, 0, NULL),
    {0},
};
static const struct json_type response_type = {
    "GenerateContentResponse", sizeof(struct response), response_fields, true};

static const struct json_field count_fields[] = {
    ROW(count, "totalTokens", JSON_INT, total, 0, NULL),
    {0},
};
static const struct json_type count_type = {"CountTokensResponse", sizeof(struct count),
                                            count_fields, true};

/* What a saved chat looks like. Names that are not here are refused, not lost. */

struct saved {
    struct text model;
    struct json_list contents;
    struct content *system;
    struct settings_saved *config;
};

static const struct json_type kept_part_type = {"Part", sizeof(struct part), part_fields,
                                                false};
static const struct json_field kept_content_fields[] = {
    ROW(content, "role", JSON_STRING, role, 0, NULL),
    ROW(content, "parts", JSON_MESSAGE, parts, JSON_LIST, &kept_part_type),
    {0},
};
static const struct json_type kept_content_type = {"Content", sizeof(struct content),
                                                   kept_content_fields, false};
static const struct json_field saved_fields[] = {
    ROW(saved, "model", JSON_STRING, model, 0, NULL),
    ROW(saved, "contents", JSON_MESSAGE, contents, JSON_LIST, &kept_content_type),
    ROW(saved, "systemInstruction", JSON_MESSAGE, system, 0, &kept_content_type),
    ROW(saved, "generationConfig", JSON_MESSAGE, config, 0, &settings_saved_type),
    {0},
};
static const struct json_type saved_type = {"Chat", sizeof(struct saved), saved_fields,
                                            false};

/* Talks. */

void talk_add(struct talk *talk, bool by_model, struct text text)
{
    char *copy = mem_alloc(text.len + 1);
    memcpy(copy, text.at, text.len);
    talk->at = mem_grow(talk->at, (talk->n + 1) * sizeof(*talk->at));
    talk->at[talk->n++] = (struct said){by_model, copy};
}

void talk_drop(struct talk *talk, size_t keep)
{
    while (talk->n > keep)
        free(talk->at[--talk->n].text);
}

void talk_free(struct talk *talk)
{
    talk_drop(talk, 0);
    free(talk->at);
    *talk = (struct talk){0};
}

static void write_parts(struct json_writer *w, const char *text)
{
    json_key(w, "parts");
    json_begin(w, '[');
    json_begin(w, '{');
    json_key(w, "text");
    json_text(w, text_of(text));
    json_end(w, '}');
    json_end(w, ']');
}

static void write_contents(struct json_writer *w, const struct talk *talk)
{
    json_key(w, "contents");
    json_begin(w, '[');
    for (size_t i = 0; i < talk->n; i++) {
        json_begin(w, '{');
        json_key(w, "role");
        json_text(w, talk->at[i].by_model ? TEXT("model") : TEXT("user"));
        write_parts(w, talk->at[i].text);
        json_end(w, '}');
    }
    json_end(w, ']');
}

static void write_request(struct json_writer *w, const struct talk *talk,
                          const struct settings *settings, const char *model)
{
    json_begin(w, '{');
    if (model) {
        json_key(w, "model");
        json_text(w, text_of(model));
    }
    if (settings->system && *settings->system) {
        json_key(w, "systemInstruction");
        json_begin(w, '{');
        write_parts(w, settings->system);
        json_end(w, '}');
    }
    write_contents(w, talk);
    settings_write(settings, w);
    json_end(w, '}');
}

void talk_write(const struct talk *talk, const struct settings *settings, bool saved,
                struct buf *out)
{
    struct arena *arena = arena_open();
    struct json_writer w = json_writer(out, saved);
    write_request(&w, talk, settings, saved ? settings_model(settings, arena).at : NULL);
    arena_close(arena);
}

/* All parts of a content as one text. */
static struct text join(const struct content *content, struct arena *arena)
{
    struct buf all = {0};
    const struct part *parts = content->parts.at;
    for (size_t i = 0; i < content->parts.n; i++)
        if (!parts[i].thought.is)
            buf_text(&all, parts[i].text);
    return arena_take(arena, &all);
}

bool talk_read(struct text json, struct talk *talk, struct settings *settings,
               struct arena *arena, struct error *err)
{
    struct saved saved;
    if (!json_read(&saved_type, json, &saved, arena, err))
        return false;
    const struct content *contents = saved.contents.at;
    talk_drop(talk, 0);
    for (size_t i = 0; i < saved.contents.n; i++)
        talk_add(talk, text_is(contents[i].role, "model"), join(&contents[i], arena));
    if (saved.model.len)
        settings->model = arena_text(arena, saved.model).at;
    settings->system = saved.system ? join(saved.system, arena).at : NULL;
    if (saved.config)
        settings_restore(settings, saved.config);
    return true;
}

/* Answers. */

struct asking {
    struct answer *answer;
    ask_show *show;
    void *arg;
    double since;
    struct error *err;
    bool broken; /* an event was not an answer */
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void keep_name(char *into, size_t room, struct text name)
{
    if (name.len)
        snprintf(into, room, "%.*s", TEXT_ARG(name));
}

static void keep_count(int64_t *into, struct json_int count)
{
    if (count.set)
        *into = count.is;
}

/* Counts are cumulative: the last ones hold. */
static void keep_facts(struct answer *answer, const struct response *response)
{
    keep_name(answer->model, sizeof(answer->model), response->model);
    if (response->feedback)
        keep_name(answer->blocked, sizeof(answer->blocked), response->feedback->blocked);
    const struct usage *usage = response->usage;
    if (!usage)
        return;
    keep_count(&answer->prompt_tokens, usage->prompt);
    keep_count(&answer->answer_tokens, usage->answer);
    keep_count(&answer->thought_tokens, usage->thought);
    keep_count(&answer->cached_tokens, usage->cached);
    keep_count(&answer->total_tokens, usage->total);
}

/* Only the first candidate is shown: nobody asked for more. */
static void keep_words(struct answer *answer, const struct response *response,
                       struct buf *text, struct buf *thought)
{
    const struct candidate *candidates = response->candidates.at;
    for (size_t i = 0; i < response->candidates.n; i++) {
        if (candidates[i].index.is != 0)
            continue;
        keep_name(answer->finish, sizeof(answer->finish), candidates[i].finish);
        const struct content *content = candidates[i].content;
        const struct part *parts = content ? content->parts.at : NULL;
        for (size_t p = 0; parts && p < content->parts.n; p++)
            buf_text(parts[p].thought.is ? thought : text, parts[p].text);
    }
    buf_text(&answer->text, buf_view(text));
}

static bool take_chunk(struct text json, void *arg)
{
    struct asking *asking = arg;
    struct answer *answer = asking->answer;
    struct arena *arena = arena_open();
    struct response response;
    struct buf text = {0}, thought = {0};
    asking->broken = !json_read(&response_type, json, &response, arena, asking->err);
    if (!asking->broken) {
        keep_facts(answer, &response);
        keep_words(answer, &response, &text, &thought);
        if (answer->first_s <= 0 && text.len + thought.len)
            answer->first_s = now_s() - asking->since;
        asking->show(&(struct ask_chunk){json, buf_view(&text), buf_view(&thought)},
                     asking->arg);
    }
    buf_free(&text);
    buf_free(&thought);
    arena_close(arena);
    return !asking->broken;
}

static enum client_end send(struct client *client, const char *path, const char *request,
                            bool stream, struct asking *asking, struct error *err)
{
    if (stream)
        return client_stream(client, path, request, take_chunk, asking, err);
    struct buf body = {0};
    enum client_end end = client_call(client, path, request, &body, err);
    if (end == CLIENT_DONE)
        take_chunk(buf_view(&body), asking);
    buf_free(&body);
    return end;
}

/* Every whole answer says how it ended. */
static enum client_end check_whole(struct client *client, const struct asking *asking,
                                   struct error *err)
{
    struct error why = *asking->err;
    if (asking->broken) {
        error_set(err, ERROR_UNKNOWN,
                  "%s sent what is not an answer of the Gemini API: %s",
                  client_base_url(client), why.message);
        return CLIENT_LOST;
    }
    if (asking->answer->finish[0] || asking->answer->blocked[0])
        return CLIENT_DONE;
    error_set(err, ERROR_UNKNOWN, "the answer of %s ended before it was complete",
              client_base_url(client));
    return CLIENT_LOST;
}

enum client_end ask(struct client *client, const struct settings *settings,
                    const char *request, bool stream, ask_show *show, void *arg,
                    struct answer *answer, struct error *err)
{
    struct arena *arena = arena_open();
    struct error unread = {0};
    struct asking asking = {answer, show, arg, now_s(), &unread, false};
    const char *method = stream ? "streamGenerateContent?alt=sse" : "generateContent";
    struct text path =
        arena_printf(arena, "/v1beta/%s:%s", settings_model(settings, arena).at, method);
    enum client_end end = send(client, path.at, request, stream, &asking, err);
    answer->whole_s = now_s() - asking.since;
    if (end == CLIENT_DONE || asking.broken)
        end = check_whole(client, &asking, err);
    arena_close(arena);
    return end;
}

enum client_end ask_count(struct client *client, const struct settings *settings,
                          const struct talk *talk, int64_t *tokens, struct error *err)
{
    struct arena *arena = arena_open();
    struct buf request = {0}, body = {0};
    struct count count;
    struct text model = settings_model(settings, arena);
    struct json_writer w = json_writer(&request, false);
    json_begin(&w, '{');
    json_key(&w, "generateContentRequest");
    write_request(&w, talk, settings, model.at);
    json_end(&w, '}');
    struct text path = arena_printf(arena, "/v1beta/%s:countTokens", model.at);
    enum client_end end = client_call(client, path.at, request.at, &body, err);
    if (end == CLIENT_DONE &&
        !json_read(&count_type, buf_view(&body), &count, arena, err))
        end = CLIENT_LOST;
    *tokens = end == CLIENT_DONE ? count.total.is : 0;
    buf_free(&request);
    buf_free(&body);
    arena_close(arena);
    return end;
}

void answer_free(struct answer *answer)
{
    buf_free(&answer->text);
    *answer = (struct answer){0};
}

int answer_report(const char *name, const struct answer *answer)
{
    fflush(stdout);
    if (answer->blocked[0]) {
        fprintf(stderr, "pollux %s: the prompt was blocked (%s)\n", name,
                answer->blocked);
        return CLI_BLOCKED;
    }
    if (strcmp(answer->finish, "STOP") == 0)
        return CLI_OK;
    if (strcmp(answer->finish, "MAX_TOKENS") == 0) {
        fprintf(stderr, "pollux %s: the answer was cut at its token limit (MAX_TOKENS)\n",
                name);
        return CLI_CUT;
    }
    fprintf(stderr, "pollux %s: the answer was blocked (%s)\n", name, answer->finish);
    return CLI_BLOCKED;
}

void answer_usage(const struct answer *answer, struct buf *out)
{
    buf_printf(out, "%lld tokens in", (long long)answer->prompt_tokens);
    if (answer->cached_tokens)
        buf_printf(out, " (%lld cached)", (long long)answer->cached_tokens);
    buf_printf(out, ", %lld out", (long long)answer->answer_tokens);
    if (answer->thought_tokens)
        buf_printf(out, " and %lld thought", (long long)answer->thought_tokens);
    double speaking_s = answer->whole_s - answer->first_s;
    int64_t after_first = answer->answer_tokens + answer->thought_tokens - 1;
    if (after_first < 1 || speaking_s < 0.001) { /* it came whole */
        buf_printf(out, ", in %.2f s", answer->whole_s);
        return;
    }
    double rate = (double)after_first / speaking_s;
    buf_printf(out, ", %.2f s to the first word, %.*f tokens/s", answer->first_s,
               rate < 10 ? 1 : 0, rate);
}

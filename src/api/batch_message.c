/* batch_message.c - the messages of batches. */
#include "api/batch_message.h"
#include "json/tree.h"
#include <stdio.h>

#define WHOSE "type.googleapis.com/google.ai.generativelanguage.v1main."

enum { CANDIDATES_MOST = 8 };

/* clang-format off */

#define AT(type, member) offsetof(struct type, member)

static const struct json_field request_fields[] = {
    {"request",  JSON_ANY, AT(wire_batch_request, request),  0, 0, 0, NULL, "what the method of a single call takes"},
    {"metadata", JSON_ANY, AT(wire_batch_request, metadata), 0, 0, 0, NULL, "comes back with the answer"},
    {0},
};
static const struct json_type request_type = {
    "InlinedRequest", sizeof(struct wire_batch_request), request_fields, false};

static const struct json_field requests_fields[] = {
    {"requests", JSON_MESSAGE, AT(wire_batch_requests, requests), JSON_LIST | JSON_REQUIRED, 1, 1e6, &request_type, NULL},
    {0},
};
static const struct json_type requests_type = {
    "InlinedRequests", sizeof(struct wire_batch_requests), requests_fields, false};

static const struct json_field input_fields[] = {
    {"fileName", JSON_STRING,  AT(wire_batch_input, file_name), 0, 0, 0, NULL, "files/{id}: a request on each line"},
    {"requests", JSON_MESSAGE, AT(wire_batch_input, requests),  0, 0, 0, &requests_type, NULL},
    {0},
};
static const struct json_type input_type = {
    "InputConfig", sizeof(struct wire_batch_input), input_fields, false};

static const struct json_field batch_fields[] = {
    {"model",         JSON_STRING,  AT(wire_batch, model),        0, 0, 0, NULL, "may repeat the path's"},
    {"name",          JSON_STRING,  0, JSON_IGNORED, 0, 0, NULL, "output only"},
    {"displayName",   JSON_STRING,  AT(wire_batch, display_name), 0, 0, 0, NULL, "at most 512 characters"},
    {"inputConfig",   JSON_MESSAGE, AT(wire_batch, input),        0, 0, 0, &input_type, "required, and not to be changed"},
    {"output",        JSON_ANY,     0, JSON_IGNORED, 0, 0, NULL, "output only"},
    {"createTime",    JSON_ANY,     0, JSON_IGNORED, 0, 0, NULL, "output only"},
    {"endTime",       JSON_ANY,     0, JSON_IGNORED, 0, 0, NULL, "output only"},
    {"updateTime",    JSON_ANY,     0, JSON_IGNORED, 0, 0, NULL, "output only"},
    {"batchStats",    JSON_ANY,     0, JSON_IGNORED, 0, 0, NULL, "output only"},
    {"state",         JSON_ANY,     0, JSON_IGNORED, 0, 0, NULL, "output only"},
    {"priority",      JSON_INT64,   AT(wire_batch, priority),     0, 0, 0, NULL, "the higher goes first; 0 when absent"},
    {"webhookConfig", JSON_ANY,     AT(wire_batch, webhook),      0, 0, 0, NULL, "who is told of its end; not to be changed"},
    {0},
};
const struct json_type wire_batch_type = {
    "Batch", sizeof(struct wire_batch), batch_fields, false};

static const struct json_field create_fields[] = {
    {"batch", JSON_MESSAGE, AT(wire_batch_create, batch), JSON_REQUIRED, 0, 0, &wire_batch_type, NULL},
    {0},
};
const struct json_type wire_batch_create_type = {
    "BatchRequest", sizeof(struct wire_batch_create), create_fields, false};

/* ---- lines ---- */

struct wire_line {
    struct text key;
    struct json_object *request, *metadata;
};

static const struct json_field line_fields[] = {
    {"key",      JSON_STRING, AT(wire_line, key),      0, 0, 0, NULL, "comes back with the answer"},
    {"request",  JSON_ANY,    AT(wire_line, request),  JSON_REQUIRED, 0, 0, NULL, NULL},
    {"metadata", JSON_ANY,    AT(wire_line, metadata), 0, 0, 0, NULL, "likewise"},
    {0},
};
static const struct json_type line_type = {
    "BatchLine", sizeof(struct wire_line), line_fields, false};
/* clang-format on */

static struct json_object *member(struct json_object *object, const char *name,
                                  const char *other)
{
    for (struct lh_entry *e = tree_first(object); e; e = e->next)
        if (strcmp(tree_key(e), name) == 0 || strcmp(tree_key(e), other) == 0)
            return tree_value(e);
    return NULL;
}

/* What is wrong with it is found when the request is read. */
static int candidates_of(struct json_object *request)
{
    struct json_object *config = member(request, "generationConfig", "generation_config");
    int n = json_object_get_int(member(config, "candidateCount", "candidate_count"));
    return n < 1 ? 1 : n > CANDIDATES_MOST ? CANDIDATES_MOST : n;
}

static struct text written(struct json_object *value, struct arena *arena)
{
    struct buf out = {0};
    if (!value)
        return (struct text){0};
    json_any_write(value, &out);
    struct text text = arena_text(arena, buf_view(&out));
    buf_free(&out);
    return text;
}

static bool is_bare(enum batch_kind kind, struct json_object *line)
{
    return !member(line, "request", "request") &&
           member(line, kind == BATCH_EMBED ? "content" : "contents", "");
}

bool batch_read_line(enum batch_kind kind, struct text line, struct arena *arena,
                     struct batch_request *request, struct error *err)
{
    struct wire_line wire = {0};
    *request = (struct batch_request){.n_candidates = 1};
    struct json_object *tree = json_parse(arena, line, err);
    if (!tree)
        return false;
    if (is_bare(kind, tree)) {
        request->request = written(tree, arena);
        request->n_candidates = candidates_of(tree);
        return true;
    }
    request->key = arena_text(arena, tree_text(member(tree, "key", "key")));
    request->metadata = written(member(tree, "metadata", "metadata"), arena);
    if (!json_decode(&line_type, tree, &wire, arena, err))
        return false;
    request->key = arena_text(arena, wire.key);
    request->request = written(wire.request, arena);
    request->n_candidates = candidates_of(wire.request);
    return true;
}

/* google.rpc.Status, whose code is google.rpc's. It has no details: the Python client
 * wants them to be strings. */
static void write_status(struct json_writer *w, int code, struct text message)
{
    json_begin(w, '{');
    json_key(w, "code");
    json_int(w, code);
    json_key(w, "message");
    json_text(w, message);
    json_end(w, '}');
}

void batch_write_line(const struct batch_request *request, const struct error *err,
                      struct text json, struct buf *out)
{
    struct json_writer w = json_writer(out, false);
    json_begin(&w, '{');
    if (request->key.at) {
        json_key(&w, "key");
        json_text(&w, request->key);
    }
    json_key(&w, err ? "error" : "response");
    if (err)
        write_status(
            &w, (int)err->code,
            text_of(err->message[0] ? err->message : error_row(err->code)->name));
    else
        json_raw(&w, json);
    if (request->metadata.at) {
        json_key(&w, "metadata");
        json_raw(&w, request->metadata);
    }
    json_end(&w, '}');
}

/* ---- operations ---- */

static const struct json_enum states[] = {
    {"BATCH_STATE_UNSPECIFIED", 0, NULL},
    {"BATCH_STATE_PENDING", BATCH_PENDING, NULL},
    {"BATCH_STATE_RUNNING", BATCH_RUNNING, NULL},
    {"BATCH_STATE_SUCCEEDED", BATCH_SUCCEEDED, NULL},
    {"BATCH_STATE_FAILED", BATCH_FAILED, NULL},
    {"BATCH_STATE_CANCELLED", BATCH_CANCELLED, NULL},
    {"BATCH_STATE_EXPIRED", BATCH_EXPIRED, NULL},
    {0},
};

const char *batch_state_name(int state)
{
    return json_enum_name(states, state);
}

static void write_string(struct json_writer *w, const char *key, const char *before,
                         struct text value)
{
    struct buf all = {0};
    if (!value.at)
        return;
    buf_str(&all, before);
    buf_text(&all, value);
    json_key(w, key);
    json_text(w, buf_view(&all));
    buf_free(&all);
}

static void write_time(struct json_writer *w, const char *key, int64_t ns)
{
    if (ns == 0)
        return;
    json_key(w, key);
    json_timestamp(w, ns / 1000 * 1000); /* microseconds are what is shown */
}

/* An int64 is a string on the wire. */
static void write_count(struct json_writer *w, const char *key, int64_t n)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)n);
    json_key(w, key);
    json_text(w, text_of(digits));
}

static void write_stats(struct json_writer *w, const struct batch *batch)
{
    int64_t n_pending = batch->n_lines - batch->n_good - batch->n_bad;
    json_key(w, "batchStats");
    json_begin(w, '{');
    write_count(w, "requestCount", batch->n_lines);
    if (batch->n_good)
        write_count(w, "successfulRequestCount", batch->n_good);
    if (batch->n_bad)
        write_count(w, "failedRequestCount", batch->n_bad);
    if (n_pending)
        write_count(w, "pendingRequestCount", n_pending);
    json_end(w, '}');
}

static bool has_output(const struct batch *batch, struct text inlined)
{
    return batch->ended && (batch->output_file.at || inlined.at);
}

/* The members of an output, within the object that holds it. */
static void write_output(struct json_writer *w, const struct batch *batch,
                         struct text inlined)
{
    struct buf list = {0};
    if (batch->output_file.at) {
        write_string(w, "responsesFile", "files/", batch->output_file);
        return;
    }
    buf_char(&list, '[');
    buf_text(&list, inlined);
    buf_char(&list, ']');
    json_key(w, "inlinedResponses");
    json_begin(w, '{');
    json_key(w, "inlinedResponses");
    json_raw(w, buf_view(&list));
    json_end(w, '}');
    buf_free(&list);
}

/* The members of a batch, within the object that holds them. */
static void write_members(struct json_writer *w, const struct batch *batch,
                          struct text inlined)
{
    write_string(w, "model", "models/", batch->model);
    write_string(w, "displayName", "", batch->display_name);
    if (batch->input_file.at) {
        json_key(w, "inputConfig");
        json_begin(w, '{');
        write_string(w, "fileName", "files/", batch->input_file);
        json_end(w, '}');
    }
    if (has_output(batch, inlined)) {
        json_key(w, "output");
        json_begin(w, '{');
        write_output(w, batch, inlined);
        json_end(w, '}');
    }
    write_time(w, "createTime", batch->created);
    write_time(w, "endTime", batch->ended);
    write_time(w, "updateTime", batch->updated);
    write_stats(w, batch);
    json_key(w, "state");
    json_text(w, text_of(batch_state_name(batch->state)));
    if (batch->priority)
        write_count(w, "priority", batch->priority);
    if (batch->webhook.at) {
        json_key(w, "webhookConfig");
        json_raw(w, batch->webhook);
    }
    write_string(w, "name", "batches/", batch->id);
}

static void write_metadata(struct json_writer *w, const struct batch *batch,
                           struct text inlined)
{
    bool embeds = batch->kind == BATCH_EMBED;
    json_begin(w, '{');
    json_key(w, "@type");
    json_text(w, embeds ? TEXT(WHOSE "EmbedContentBatch")
                        : TEXT(WHOSE "GenerateContentBatch"));
    write_members(w, batch, inlined);
    json_end(w, '}');
}

void batch_write_bare(struct json_writer *w, const struct batch *batch,
                      struct text inlined)
{
    json_begin(w, '{');
    write_members(w, batch, inlined);
    json_end(w, '}');
}

/* Of one that ended without all of its answers. */
static void write_error(struct json_writer *w, const struct batch *batch)
{
    static const struct {
        enum error_code code;
        const char *message;
    } reasons[] = {
        [BATCH_FAILED] = {ERROR_INTERNAL, "The batch failed."},
        [BATCH_CANCELLED] = {ERROR_CANCELLED, "The batch was cancelled."},
        [BATCH_EXPIRED] = {ERROR_DEADLINE_EXCEEDED,
                           "The batch did not end in the time that batches have."},
    };
    struct text message =
        batch->error.len ? batch->error : text_of(reasons[batch->state].message);
    json_key(w, "error");
    write_status(w, (int)reasons[batch->state].code, message);
}

void batch_write(struct json_writer *w, const struct batch *batch, struct text inlined)
{
    json_begin(w, '{');
    write_string(w, "name", "batches/", batch->id);
    json_key(w, "metadata");
    write_metadata(w, batch, inlined);
    json_key(w, "done");
    json_bool(w, batch->ended != 0);
    if (batch->ended && batch->state != BATCH_SUCCEEDED)
        write_error(w, batch);
    if (batch->ended && batch->state == BATCH_SUCCEEDED) {
        json_key(w, "response");
        json_begin(w, '{');
        json_key(w, "@type");
        json_text(w, batch->kind == BATCH_EMBED
                         ? TEXT(WHOSE "EmbedContentBatchOutput")
                         : TEXT(WHOSE "GenerateContentBatchOutput"));
        write_output(w, batch, inlined);
        json_end(w, '}');
    }
    json_end(w, '}');
}

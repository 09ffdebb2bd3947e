/* interact_outcome.c - what is told of an interaction's end: usage, errors; and streams.
 */
#include "api/answer.h"
#include "api/interact_log_inside.h"
#include "api/message.h"

/* ---- errors ---- */

/* Names that the clients' documentation suggests; others are google.rpc's in small
 * letters. */
static const struct {
    enum error_code code;
    const char *name;
} error_names[] = {
    {ERROR_INVALID_ARGUMENT, "invalid_request"},
    {ERROR_NOT_FOUND, "not_found"},
    {ERROR_FAILED_PRECONDITION, "failed_precondition"},
    {ERROR_OUT_OF_RANGE, "out_of_range"},
    {ERROR_UNAUTHENTICATED, "unauthenticated"},
    {ERROR_PERMISSION_DENIED, "permission_denied"},
    {ERROR_RESOURCE_EXHAUSTED, "resource_exhausted"},
    {ERROR_ALREADY_EXISTS, "already_exists"},
    {ERROR_ABORTED, "aborted"},
    {ERROR_CANCELLED, "cancelled"},
    {ERROR_DEADLINE_EXCEEDED, "deadline_exceeded"},
    {ERROR_UNIMPLEMENTED, "unimplemented"},
    {ERROR_UNAVAILABLE, "unavailable"},
    {ERROR_DATA_LOSS, "data_loss"},
};

static const char *code_of(const struct error *error)
{
    if (error->reason) /* ours are slugs already, but for one that all dialects have */
        return strcmp(error->reason, "API_KEY_INVALID") == 0 ? "api_key_invalid"
                                                             : error->reason;
    for (size_t i = 0; i < sizeof error_names / sizeof error_names[0]; i++)
        if (error_names[i].code == error->code)
            return error_names[i].name;
    return "internal";
}

void ilog_put_error(struct json_writer *w, const struct error *error)
{
    json_begin(w, '{');
    const char *name = error_row(error->code)->name;
    json_put(w, "code", text_of(code_of(error)));
    json_put(w, "message", text_of(error->message[0] ? error->message : name));
    json_end(w, '}');
}

/* ---- usage ---- */

static void put_count(struct json_writer *w, const char *key, int n)
{
    json_key(w, key);
    json_int(w, n);
}

static const char *const modality_names[WIRE_MODALITIES] = {
    [WIRE_MODALITY_TEXT] = "text",         [WIRE_MODALITY_IMAGE] = "image",
    [WIRE_MODALITY_AUDIO] = "audio",       [WIRE_MODALITY_VIDEO] = "video",
    [WIRE_MODALITY_DOCUMENT] = "document",
};

static void put_modalities(struct json_writer *w, const char *key, const int *n_media,
                           int n)
{
    struct wire_modality_count counts[WIRE_MODALITIES];
    struct json_list list = answer_modalities(n_media, n, counts);
    if (list.n == 0)
        return;
    json_key(w, key);
    json_begin(w, '[');
    for (size_t i = 0; i < list.n; i++) {
        json_begin(w, '{');
        json_put(w, "modality", text_of(modality_names[counts[i].modality]));
        put_count(w, "tokens", (int)counts[i].n.is);
        json_end(w, '}');
    }
    json_end(w, ']');
}

void ilog_put_usage(struct json_writer *w, const struct ilog_usage *u)
{
    json_key(w, "usage");
    json_begin(w, '{');
    put_count(w, "total_input_tokens", u->n_prompt);
    put_count(w, "total_output_tokens", u->n_output - u->n_thought);
    put_count(w, "total_thought_tokens", u->n_thought);
    put_count(w, "total_cached_tokens", u->n_cached);
    put_count(w, "total_tool_use_tokens", u->n_tools);
    put_count(w, "total_tokens", u->n_prompt + u->n_output + u->n_tools);
    put_modalities(w, "input_tokens_by_modality", u->n_media, u->n_prompt);
    put_modalities(w, "output_tokens_by_modality", NULL, u->n_output - u->n_thought);
    put_modalities(w, "tool_use_tokens_by_modality", NULL, u->n_tools);
    if (!u->n_media) /* of whose tokens the cached ones are is not known */
        put_modalities(w, "cached_tokens_by_modality", NULL, u->n_cached);
    json_end(w, '}');
}

void ilog_outcome(const struct ilog_usage *usage, const struct error *error,
                  struct buf *out)
{
    struct json_writer w = json_writer(out, false);
    json_begin(&w, '{');
    ilog_put_usage(&w, usage);
    if (error) {
        json_key(&w, "errors");
        json_begin(&w, '[');
        ilog_put_error(&w, error);
        json_end(&w, ']');
    }
    json_end(&w, '}');
}

/* ---- Server-Sent Events ---- */

/* A line begins with {"event_type":"..." */
static struct text type_of_line(struct text line)
{
    struct text rest, type;
    text_cut(line, ':', &rest);
    text_cut(rest, '"', &type);
    return text_cut(type, '"', &rest);
}

void ilog_sse(struct text lines, struct buf *out)
{
    while (lines.len) {
        struct text line = text_cut(lines, '\n', &lines);
        buf_str(out, "event: ");
        buf_text(out, type_of_line(line));
        buf_str(out, "\ndata: ");
        buf_text(out, line);
        buf_str(out, "\n\n");
    }
}

/* It has no number: it is not in the log. */
void ilog_sse_error(const struct error *error, struct buf *out)
{
    struct buf line = {0};
    struct json_writer w = json_writer(&line, false);
    json_begin(&w, '{');
    json_put(&w, "event_type", TEXT("error"));
    json_key(&w, "error");
    ilog_put_error(&w, error);
    json_end(&w, '}');
    buf_char(&line, '\n');
    ilog_sse(buf_view(&line), out);
    buf_free(&line);
}

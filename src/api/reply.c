/* reply.c - errors and answers, as the API's clients know them. */
#include "api/api.h"
#include "api/interact.h"
#include "api/message.h"
#include <stdio.h>

#define SERVICE "generativelanguage.googleapis.com"
#define RPC "type.googleapis.com/google.rpc."

/* ---- errors ---- */

static int status_of(const struct error *err)
{
    return err->http_status ? err->http_status : error_row(err->code)->http_status;
}

static struct text message_of(const struct error *err)
{
    return text_of(err->message[0] ? err->message : error_row(err->code)->name);
}

void api_error_text(const struct error *err, bool pretty, struct buf *out)
{
    struct wire_violation violation = {text_of(err->field), message_of(err)};
    struct wire_metadata metadata = {TEXT(SERVICE)};
    struct wire_detail details[3] = {0};
    size_t n = 0;
    if (err->field[0])
        details[n++] = (struct wire_detail){.type = TEXT(RPC "BadRequest"),
                                            .violations = {&violation, 1}};
    if (err->reason)
        details[n++] = (struct wire_detail){.type = TEXT(RPC "ErrorInfo"),
                                            .reason = text_of(err->reason),
                                            .domain = TEXT("googleapis.com"),
                                            .metadata = &metadata};
    if (err->retry_ms > 0)
        details[n++] = (struct wire_detail){
            .type = TEXT(RPC "RetryInfo"),
            .retry = {true, (int64_t)err->retry_ms * 1000000},
        };
    struct wire_status status = {
        .code = {true, status_of(err)},
        .message = message_of(err),
        .status = text_of(error_row(err->code)->name),
        .details = {details, n},
    };
    json_encode(&wire_error_type, &(struct wire_error){&status}, pretty, out);
    if (pretty)
        buf_char(out, '\n');
}

static void set_retry_after(struct http_request *rq, int retry_ms)
{
    char seconds[16];
    snprintf(seconds, sizeof seconds, "%d", retry_ms / 1000 + (retry_ms % 1000 > 0));
    http_set(rq, "Retry-After", seconds);
}

void api_error(struct call *call, const struct error *err)
{
    struct buf body = {0};
    if (call->slugs) {
        interact_error(call, err);
        return;
    }
    api_error_text(err, call->pretty, &body);
    if (err->retry_ms > 0)
        set_retry_after(call->rq, err->retry_ms);
    if (err->code == ERROR_UNAUTHENTICATED)
        http_set(call->rq, "WWW-Authenticate", "Bearer");
    http_reply(call->rq, status_of(err), API_JSON, buf_view(&body));
    buf_free(&body);
}

bool api_late(struct error *err, int timeout_s)
{
    return error_set(err, ERROR_DEADLINE_EXCEEDED,
                     "The request took longer than the %d s that X-Server-Timeout gives "
                     "it.",
                     timeout_s);
}

bool api_stops(struct error *err)
{
    return error_set(err, ERROR_UNAVAILABLE, "The server is stopping.");
}

/* What http/ refuses before there is a call. */
static enum error_code code_of_status(int status)
{
    switch (status) {
    case 408:
        return ERROR_DEADLINE_EXCEEDED;
    case 500:
        return ERROR_INTERNAL;
    case 503:
        return ERROR_UNAVAILABLE;
    default:
        return ERROR_INVALID_ARGUMENT;
    }
}

void api_refuse(int status, const char *why, struct buf *body, void *arg)
{
    const struct api *api = arg;
    struct error err;
    if (status == 413)
        error_set(&err, ERROR_INVALID_ARGUMENT,
                  "Request payload size exceeds the limit: %lld bytes.",
                  (long long)api->options.request_limit);
    else
        error_set(&err, code_of_status(status), "%s", why);
    err.http_status = status;
    api_error_text(&err, true, body);
}

/* ---- answers ---- */

void api_reply(struct call *call, const struct json_type *type, const void *message)
{
    struct buf body = {0};
    json_encode(type, message, call->pretty, &body);
    if (call->pretty)
        buf_char(&body, '\n');
    http_reply(call->rq, 200, API_JSON, buf_view(&body));
    buf_free(&body);
}

/* generate_write.c - what the client of an answer is told, and in which form. */
#include "api/generate_inside.h"

/* The asker may ask anew within it. */
static void tell(struct generation *g, const struct error *err, struct text json)
{
    struct aside to = g->aside;
    g->aside.told = NULL;
    to.told(to.arg, err, json);
}

/* What stands round the chunks of each form of stream. */
static const struct {
    const char *type, *before_first, *before, *after, *end;
} framings[] = {
    [FORM_SSE] = {"text/event-stream", "data: ", "data: ", "\r\n\r\n", ""},
    [FORM_ARRAY] = {API_JSON, "[", ",\r\n", "", "\n]"},
};

static void on_drained(struct http_request *rq)
{
    const struct generation *g = ((struct call *)rq->user)->generation;
    if (!g->silent)
        aloud_more(g->aloud);
}

static void write_chunk(struct generation *g, const struct buf *json)
{
    struct buf bytes = {0};
    if (!g->begun) {
        if (g->aloud) /* sound is made faster than most lines carry it */
            g->call->rq->drained = on_drained;
        http_set(g->call->rq, "Cache-Control", "no-cache");
        http_set(g->call->rq, "X-Accel-Buffering", "no"); /* or nginx would collect */
        http_stream(g->call->rq, 200, framings[g->form].type);
    }
    buf_str(&bytes, g->begun ? framings[g->form].before : framings[g->form].before_first);
    buf_text(&bytes, buf_view(json));
    buf_str(&bytes, framings[g->form].after);
    g->begun = true;
    http_write(g->call->rq, buf_view(&bytes));
    buf_free(&bytes);
}

void generation_end_stream(struct generation *g)
{
    http_write(g->call->rq, text_of(framings[g->form].end));
    http_end(g->call->rq);
}

void generation_write(struct generation *g, int from, int to)
{
    struct buf json = {0};
    answer_write(g->answer, from, to, false, &json);
    write_chunk(g, &json);
    buf_free(&json);
}

void generation_write_held(struct generation *g)
{
    if (!g->answer || g->form == FORM_WHOLE)
        return;
    answer_release(g->answer);
    for (int i = 0; !g->silent && i < g->chat.n_candidates; i++)
        if (answer_has(g->answer, i))
            generation_write(g, i, i + 1);
}

void generation_write_whole(struct generation *g)
{
    struct buf json = {0};
    bool pretty = g->call && g->call->pretty;
    answer_write(g->answer, 0, g->chat.n_candidates, pretty, &json);
    if (pretty)
        buf_char(&json, '\n');
    if (g->call)
        http_reply(g->call->rq, 200, API_JSON, buf_view(&json));
    else
        tell(g, NULL, buf_view(&json));
    buf_free(&json);
}

/* Before a stream's first byte an error is an ordinary reply, after it its last element.
 */
void generation_fail(struct generation *g, const struct error *err)
{
    if (g->silent)
        return;
    generation_write_held(g);
    if (!g->call) {
        tell(g, err, TEXT(""));
    } else if (g->begun) {
        struct buf json = {0};
        api_error_text(err, false, &json);
        write_chunk(g, &json);
        buf_free(&json);
        generation_end_stream(g);
    } else {
        api_error(g->call, err);
    }
    generation_conclude(g, error_row(err->code)->name);
}

void generation_write_count(struct generation *g)
{
    const struct prompt *prompt = &g->prepare.prompt;
    struct wire_modality_count counts[WIRE_MODALITIES];
    struct wire_count_answer answer = {
        .total = {true, prompt->n_tokens},
        .cached = {g->caching != CACHE_NONE, g->cached.entry.n_tokens},
        .details =
            answer_modalities(g->prepare.attached.n_tokens, prompt->n_tokens, counts),
    };
    generation_conclude(g, NULL);
    api_reply(g->call, &wire_count_answer_type, &answer);
}

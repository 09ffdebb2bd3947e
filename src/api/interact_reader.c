/* interact_reader.c - who waits for something of an interaction, and what they are told.
 *
 * A reader lives in its call's arena, and its call ends when it has been answered.
 * Writing to a client may lose it: then the reader is gone from its run, and the run may
 * be, too, if that was over. */
#include "api/interact_inside.h"
#include "json/tree.h"

/* ---- readers ---- */

void irun_detach(struct reader *reader)
{
    if (!reader->run)
        return;
    *reader->at = reader->next;
    if (reader->next)
        reader->next->at = reader->at;
    reader->run = NULL;
}

/* Of what nobody keeps only the owner knows. */
static void lose(struct reader *reader)
{
    struct irun *run = reader->run;
    bool owner = reader->owner;
    if (!run)
        return;
    irun_detach(reader);
    if (owner && !run->concluded && !(run->known && irun_is_kept(run))) {
        run->told = true;
        irun_silence(run, "GONE");
    }
    irun_release(run);
}

static void on_gone(struct call *call)
{
    lose(call->own);
}

struct reader *irun_attach(struct irun *run, struct call *call, enum wish wish)
{
    struct reader *reader = arena_new(call->rq->arena, struct reader);
    *reader =
        (struct reader){.run = run, .call = call, .wish = wish, .at = &run->readers};
    reader->next = *reader->at;
    if (reader->next)
        reader->next->at = &reader->next;
    *reader->at = reader;
    call->own = reader;
    call->gone = on_gone;
    call->closed = on_gone;
    return reader;
}

void irun_answer_error(struct reader *reader, const struct error *err)
{
    struct call *call = reader->call;
    irun_detach(reader);
    api_error(call, err);
}

static void write_row(const struct interaction *row, bool include_input, struct buf *out)
{
    struct json_writer w = json_writer(out, false);
    json_begin(&w, '{');
    json_put(&w, "id", row->id);
    json_put(&w, "object", TEXT("interaction"));
    json_put(&w, "status", text_of(status_name(row->status)));
    json_key(&w, "created");
    json_timestamp(&w, row->created - row->created % 1000000000);
    json_key(&w, "updated");
    json_timestamp(&w, row->updated - row->updated % 1000000000);
    json_key(&w, "steps");
    json_raw(&w, row->steps);
    if (row->previous.len)
        json_put(&w, "previous_interaction_id", row->previous);
    if (include_input) {
        json_key(&w, "input");
        json_raw(&w, row->input);
    }
    if (row->outcome.len > 2) { /* its members */
        buf_char(out, ',');
        buf_text(out, text_slice(row->outcome, 1, row->outcome.len - 1));
    }
    interact_echo(row->request, out);
    json_end(&w, '}');
}

void irun_reply(struct call *call, const struct interaction *row, bool include_input)
{
    struct buf body = {0}, pretty = {0};
    struct error err;
    write_row(row, include_input, &body);
    struct json_object *tree =
        call->pretty ? json_parse(call->rq->arena, buf_view(&body), &err) : NULL;
    if (tree) {
        struct json_writer w = json_writer(&pretty, true);
        tree_write(&w, tree);
        buf_char(&pretty, '\n');
    }
    http_reply(call->rq, 200, API_JSON, buf_view(tree ? &pretty : &body));
    buf_free(&body);
    buf_free(&pretty);
}

void irun_answer_row(struct reader *reader)
{
    struct call *call = reader->call;
    struct irun *run = reader->run;
    bool include_input = reader->include_input;
    irun_detach(reader);
    irun_reply(call, &run->row, include_input);
}

void irun_begin_stream(struct call *call)
{
    http_set(call->rq, "Cache-Control", "no-cache");
    http_set(call->rq, "X-Accel-Buffering", "no"); /* or nginx would collect */
    http_stream(call->rq, 200, "text/event-stream");
}

/* A client that is too slow is lost in the middle of this. */
void irun_pump(struct reader *reader)
{
    struct irun *run = reader->run;
    struct log_piece piece = ilog_since(run->log, reader->after, run->n_public);
    struct buf bytes = {0};
    if (!reader->begun || piece.n == 0)
        return;
    ilog_sse(piece.lines, &bytes);
    reader->after = run->n_public;
    http_write(reader->call->rq, buf_view(&bytes));
    buf_free(&bytes);
}

/* `trouble`: what the log does not tell. */
static void end_stream(struct reader *reader, const struct error *trouble)
{
    struct call *call = reader->call;
    struct buf bytes = {0};
    irun_detach(reader);
    if (trouble)
        ilog_sse_error(trouble, &bytes);
    buf_text(&bytes, ILOG_SSE_END);
    http_write(call->rq, buf_view(&bytes));
    http_end(call->rq);
    buf_free(&bytes);
}

void irun_publish(struct irun *run)
{
    run->n_public = ilog_last(run->log);
    for (struct reader *reader = run->readers, *next; reader; reader = next) {
        next = reader->next;
        if (reader->wish == WANTS_STREAM)
            irun_pump(reader);
    }
}

void irun_tell(struct reader *reader, const struct error *trouble)
{
    struct irun *run = reader->run;
    struct error gone;
    if (reader->wish == WANTS_DELETION && !trouble) {
        struct call *call = reader->call;
        irun_detach(reader);
        http_reply(call->rq, 200, API_JSON, TEXT("{}\n"));
    } else if (reader->wish == WANTS_STREAM && reader->begun) {
        end_stream(reader, trouble);
    } else if (trouble) {
        irun_answer_error(reader, trouble);
    } else if (run->deleted) {
        error_set(&gone, ERROR_NOT_FOUND, "Interaction %.*s was deleted.",
                  TEXT_ARG(run->row.id));
        irun_answer_error(reader, &gone);
    } else {
        irun_answer_row(reader);
    }
}

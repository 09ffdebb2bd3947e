/* interact_recover.c - interactions that an earlier server left in progress.
 *
 * A background run is run again, if nothing was said of it yet or it will say the same
 * again: then it goes on where its log ends (interact_again.c). RERUNS times at most, for
 * it may be what the server dies of: each time a status is added to its log, whose
 * numbers leap, so the log counts. Any other one has failed, with what was said of it. */
#include "api/interact_inside.h"
#include "api/webhook.h"
#include "base/clock.h"
#include "base/log.h"

enum { RERUNS = 3 };

/* Whether the same request gets the same words. */
static bool is_repeatable(const struct interact_request *request)
{
    const struct wire_interact_config *config = request->wire.config;
    return config &&
           (config->seed.set || (config->temperature.set && config->temperature.is == 0));
}

struct error irun_interrupted(const char *why)
{
    struct error err;
    error_set(&err, ERROR_UNAVAILABLE,
              "The server stopped before the interaction was over%s", why);
    err.reason = "interrupted";
    return err;
}

static void run_again(struct api *api, const struct interaction *row, struct ilog *log,
                      struct irun *run)
{
    run->body = interact_body(row, run->arena);
    run->version = TEXT("v1beta");
    run->resumed = run->stored = run->acknowledged = true;
    run->row = *row;
    run->log = log;
    run->listed = true;
    run->n_stored = ilog_last(log);
    ilog_status(log); /* on the disk before it runs: it is counted */
    struct log_piece again = ilog_since(log, run->n_stored, ilog_last(log));
    if (!interactions_write(api->options.interactions, row->id, &again, NULL, &run->err))
        log_line(LOG_ERROR, "interaction", "id=%.*s why=\"%s\"", TEXT_ARG(row->id),
                 run->err.message);
    run->n_public = run->n_stored = ilog_last(log);
    if (ilog_has_steps(log))
        ilog_again(log);
    log_line(LOG_INFO, "interaction", "id=%.*s resumed=1", TEXT_ARG(row->id));
    irun_decode(run);
}

static void fail_cut_off(struct irun *run, const struct interaction *row,
                         struct ilog *log, const struct error *why)
{
    struct error trouble = {0};
    struct interactions *is = run->api->options.interactions;
    int64_t before = ilog_last(log);
    run->log = log;
    run->row = *row;
    run->row.status = status_after(row->status, HAPPENS_FAULT);
    run->row.updated = clock_ns();
    ilog_end(log, run->row.status, run->row.updated, &run->usage, why);
    run->row = irun_row_now(run, why, run->arena);
    run->row.request = interact_without_headers(run->row.request, run->arena);
    webhook_make(run->request.wire.webhook, &run->row, run->arena);
    struct log_piece end = ilog_since(log, before, ilog_last(log));
    if (!interactions_write(is, row->id, &end, &run->row, &trouble))
        log_line(LOG_ERROR, "interaction", "id=%.*s why=\"%s\"", TEXT_ARG(row->id),
                 trouble.message);
    else
        log_line(LOG_WARN, "interaction", "id=%.*s end=interrupted", TEXT_ARG(row->id));
    run->concluded = run->told = true;
    irun_release(run);
}

static void recover_one(struct api *api, struct arena *arena,
                        const struct interaction *from)
{
    struct error err;
    struct log_piece *pieces;
    int n;
    struct irun *run = irun_open(api);
    struct interaction row = *from;
    row.id = arena_text(run->arena, from->id);
    row.previous = arena_text(run->arena, from->previous);
    row.request = arena_text(run->arena, from->request);
    row.input = arena_text(run->arena, from->input);
    interact_read(interact_body(&row, run->arena), false, run->arena, &run->request,
                  &err);
    const struct ilog_options options = {
        .id = row.id,
        .model = run->request.model,
        .created = row.created,
        .events = true,
        .thoughts = run->request.summaries,
    };
    struct ilog *log = ilog_open(run->arena, &options);
    bool good =
        interactions_log(api->options.interactions, row.id, 0, arena, &pieces, &n, &err);
    ilog_replay(log, pieces, good ? n : 0);
    bool again = !ilog_has_steps(log) || is_repeatable(&run->request);
    bool too_often = ilog_last(log) / ILOG_LEAP > RERUNS;
    if (row.background && again && !too_often) {
        run_again(api, &row, log, run);
        return;
    }
    err = irun_interrupted(!row.background ? "."
                           : too_often     ? ", and so did each that took it up."
                                       : ". What it had begun to say it would not have "
                                         "said again: that takes a seed, or "
                                         "temperature 0.");
    fail_cut_off(run, &row, log, &err);
}

void irun_recover(struct api *api)
{
    struct interaction *rows;
    struct error err;
    int n;
    if (!api->options.interactions)
        return;
    struct arena *arena = arena_open();
    if (!interactions_cut_off(api->options.interactions, arena, &rows, &n, &err)) {
        log_line(LOG_ERROR, "interactions", "why=\"%s\"", err.message);
        n = 0;
    }
    for (int i = 0; i < n; i++)
        recover_one(api, arena, &rows[i]);
    arena_close(arena);
}

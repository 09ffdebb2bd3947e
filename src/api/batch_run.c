/* batch_run.c - runs batches beside the calls of clients.
 *
 * There is a lane for each model, the one that writes and the one that embeds. A lane has
 * one batch at a time, the first by priority and age. A few lines of it are read ahead;
 * each is begun as an answer aside (struct aside), and a complete answer is made until
 * the disk has it.
 *
 *   read ahead -> begun -> made -> recorded
 *
 * Only one exchange with the disk is under way in a lane: it takes what is made, in one
 * commit however much that is, and brings more lines. So an answer is recorded once, and
 * a lane that dies with the process has done nothing that is not on the disk or will be
 * done again.
 *
 * Clients go first. At most half of the engine's slots have lines of a batch, and while
 * anybody waits for a slot no further line is begun; but one always is, or a busy server
 * would never end a batch. A line that asks for more candidates than that half runs
 * alone.
 *
 * A lane leaves its batch when all lines are recorded, when the batch is ended or deleted
 * (what is begun is given up then), or when one of a higher priority came (what is begun
 * is still done). Batches that are ending and in no lane are given their end by the
 * finisher, one after the other, for that may write a long file. */
#include "api/batch_run.h"
#include "api/batch_message.h"
#include "api/embed.h"
#include "api/generate.h"
#include "api/models.h"
#include "api/webhook.h"
#include "base/log.h"
#include <assert.h>
#include <stdlib.h>

enum {
    LANES = 2,
    AHEAD = 64,            /* lines */
    AHEAD_BYTES = 4 << 20, /* read no further beyond so many */
    MADE_MOST = 256,       /* more are not made before some are recorded */
    EMBED_AT_ONCE = 8,     /* texts; the embedder takes one of each job in turn */
    TRIES = 10,            /* of a line that finds the server too busy */
    LEAST_WAIT_MS = 100,   /* between them */
    MOST_WAIT_MS = 60000,
    DISK_AGAIN_MS = 2000, /* after the disk or the database failed */
};

enum closing { GOES_ON, DRAINS, CLOSES };

struct line {
    struct lane *lane;
    struct arena *arena;
    int64_t number;
    struct batch_request request;
    struct error err; /* ERROR_OK: it can be begun */
    int tries;
    struct generation *generation; /* one of these, or the timer, while it is begun */
    struct embedding *embedding;
    struct timer *again;
    struct buf answer; /* once it is made */
    bool good;
    struct line *next;
};

struct line_list {
    struct line *first, **last;
    int n;
};

/* What goes to the disk, and what comes back. */
struct exchange {
    struct work work; /* first */
    struct lane *lane;
    bool opens;   /* looks for the next batch first */
    int n_wanted; /* lines */
    struct line_list recorded;
    bool over; /* the batch is ending, or gone */
    bool good;
    struct error err;
    struct batch batch; /* the lane's, or the one that was opened */
    struct lines *lines;
    struct line_list read;
    bool at_end;
};

struct lane {
    struct api *api;
    enum batch_kind kind;
    struct arena *arena; /* of the batch; NULL: none is open */
    struct batch batch;
    struct lines *lines;
    enum closing closing;
    bool at_end;  /* all of its lines were read */
    bool idle;    /* the last look found no batch */
    bool offered; /* since it began */
    bool at_disk;
    struct exchange exchange;
    struct timer *again; /* the disk failed */
    struct line_list ahead, begun, made;
    int weight; /* slots that what is begun may take */
};

struct finisher {
    struct work work; /* first */
    struct api *api;
    bool at_disk, again;
    struct text held[LANES];
    int n_held;
    struct arena *arena; /* of held, and of what was finished */
};

struct batch_run {
    struct lane lanes[LANES];
    struct finisher finisher;
};

static void pump(struct lane *lane);

/* ---- lists ---- */

static void put(struct line_list *list, struct line *line)
{
    if (!list->first)
        list->last = &list->first;
    *list->last = line;
    list->last = &line->next;
    line->next = NULL;
    list->n++;
}

static struct line *take_first(struct line_list *list)
{
    struct line *line = list->first;
    if (line) {
        list->first = line->next;
        list->n--;
    }
    return line;
}

static void take_out(struct line_list *list, struct line *line)
{
    struct line_list rest = {0};
    for (struct line *l = take_first(list); l; l = take_first(list))
        if (l != line)
            put(&rest, l);
    *list = rest;
}

static void move_all(struct line_list *to, struct line_list *from)
{
    for (struct line *l = take_first(from); l; l = take_first(from))
        put(to, l);
}

static void free_line(struct line *line)
{
    buf_free(&line->answer);
    arena_close(line->arena);
}

static void free_lines(struct line_list *list)
{
    for (struct line *l = take_first(list); l; l = take_first(list))
        free_line(l);
}

/* ---- a line ---- */

static int weight_of(const struct line *line)
{
    return line->lane->kind == BATCH_GENERATE ? line->request.n_candidates : 1;
}

static void make(struct line *line, const struct error *err, struct text json)
{
    struct lane *lane = line->lane;
    line->good = !err;
    batch_write_line(&line->request, err, json, &line->answer);
    put(&lane->made, line);
}

static void begin(struct line *line);

static void on_again(void *arg)
{
    struct line *line = arg;
    line->again = NULL;
    begin(line);
}

static bool is_worth_trying(const struct line *line, const struct error *err)
{
    return err->retry_ms > 0 && line->tries < TRIES &&
           (err->code == ERROR_RESOURCE_EXHAUSTED || err->code == ERROR_UNAVAILABLE);
}

static void try_again(struct line *line, int64_t wait_ms)
{
    wait_ms = wait_ms < LEAST_WAIT_MS ? LEAST_WAIT_MS : wait_ms;
    wait_ms = wait_ms > MOST_WAIT_MS ? MOST_WAIT_MS : wait_ms;
    line->tries++;
    line->again = loop_after(line->lane->api->loop, wait_ms, on_again, line);
}

static void on_told(void *arg, const struct error *err, struct text json)
{
    struct line *line = arg;
    struct lane *lane = line->lane;
    line->generation = NULL;
    line->embedding = NULL;
    if (err && is_worth_trying(line, err)) {
        try_again(line, err->retry_ms);
        return;
    }
    take_out(&lane->begun, line);
    lane->weight -= weight_of(line);
    make(line, err, json);
    pump(lane);
}

static void begin(struct line *line)
{
    struct lane *lane = line->lane;
    const struct aside aside = {on_told, line};
    if (lane->kind == BATCH_GENERATE)
        line->generation =
            generate_aside(lane->api, lane->batch.model, line->request.request, &aside);
    else
        line->embedding =
            embed_aside(lane->api, lane->batch.model, line->request.request, &aside);
}

static void leave(struct line *line)
{
    if (line->generation)
        generate_leave(line->generation);
    if (line->embedding)
        embed_leave(line->embedding);
    loop_cancel(line->lane->api->loop, line->again);
    free_line(line);
}

static bool may_begin(const struct lane *lane, const struct line *line)
{
    struct engine *engine = runner_engine(lane->api->runner);
    int n_running = 0, n_waiting = 0;
    if (lane->weight == 0)
        return true;
    if (lane->kind == BATCH_EMBED)
        return lane->weight < EMBED_AT_ONCE;
    engine_load(engine, &n_running, &n_waiting);
    return n_waiting == 0 &&
           lane->weight + weight_of(line) <= engine_info(engine)->n_slots / 2;
}

static void begin_lines(struct lane *lane)
{
    while (lane->ahead.first && lane->made.n < MADE_MOST) {
        struct line *line = lane->ahead.first;
        if (line->err.code == ERROR_OK && !may_begin(lane, line))
            return;
        take_first(&lane->ahead);
        if (line->err.code != ERROR_OK) {
            make(line, &line->err, TEXT(""));
            continue;
        }
        put(&lane->begun, line);
        lane->weight += weight_of(line);
        begin(line);
    }
}

/* ---- the disk: on a worker ---- */

static bool record(struct exchange *x)
{
    struct lane *lane = x->lane;
    struct batch_answer *answers = mem_alloc((size_t)x->recorded.n * sizeof *answers);
    int n = 0;
    for (const struct line *l = x->recorded.first; l; l = l->next)
        answers[n++] = (struct batch_answer){l->number, l->good, buf_view(&l->answer)};
    bool good = batches_record(lane->api->options.batches, x->batch.id, answers, n,
                               &x->over, &x->err);
    free(answers);
    return good;
}

static struct line *read_line(struct lane *lane, const struct line_found *found)
{
    struct arena *arena = arena_open();
    struct line *line = arena_new(arena, struct line);
    line->lane = lane;
    line->arena = arena;
    line->number = found->number;
    line->request.n_candidates = 1;
    if (found->too_long)
        error_set(&line->err, ERROR_INVALID_ARGUMENT,
                  "The line is longer than a request may be: %lld bytes.",
                  (long long)lane->api->options.request_limit);
    else if (batch_read_line(lane->kind, found->bytes, arena, &line->request, &line->err))
        line->err.code = ERROR_OK;
    return line;
}

static bool read_lines(struct exchange *x)
{
    struct line_found found;
    size_t n_bytes = 0;
    while (x->read.n < x->n_wanted && n_bytes < AHEAD_BYTES) {
        if (!lines_next(x->lines, &found, &x->err)) {
            x->at_end = x->err.code == ERROR_OK;
            return x->at_end;
        }
        n_bytes += found.bytes.len;
        put(&x->read, read_line(x->lane, &found));
    }
    return true;
}

static void run_exchange(struct work *work)
{
    struct exchange *x = (struct exchange *)work;
    struct lane *lane = x->lane;
    x->good = true;
    if (x->opens)
        x->good = batches_next(lane->api->options.batches, lane->kind, lane->arena,
                               &x->batch, &x->lines, &x->err);
    if (x->good && x->recorded.n > 0)
        x->good = record(x);
    if (x->good && x->lines && x->n_wanted > 0 && !x->over)
        x->good = read_lines(x);
}

/* ---- the finisher ---- */

static void finish(struct api *api);

static void log_batch(const struct batch *batch)
{
    static const char *const ends[] = {
        [BATCH_SUCCEEDED] = "SUCCEEDED",
        [BATCH_FAILED] = "FAILED",
        [BATCH_CANCELLED] = "CANCELLED",
        [BATCH_EXPIRED] = "EXPIRED",
    };
    log_line(LOG_INFO, "batch",
             "id=%.*s model=%.*s lines=%lld good=%lld failed=%lld s=%.1f end=%s",
             TEXT_ARG(batch->id), TEXT_ARG(batch->model), (long long)batch->n_lines,
             (long long)batch->n_good, (long long)batch->n_bad,
             (double)(batch->ended - batch->created) / 1e9, ends[batch->state]);
}

static void run_finisher(struct work *work)
{
    struct finisher *f = (struct finisher *)work;
    struct error err;
    struct batch batch;
    bool found = true;
    while (found) {
        if (!batches_finish(f->api->options.batches, f->held, f->n_held, webhook_of_batch,
                            f->arena, &batch, &found, &err)) {
            log_line(LOG_WARN, "batch", "finish=failed why=\"%s\"", err.message);
            return;
        }
        if (found)
            log_batch(&batch);
    }
}

static void end_finisher(struct work *work)
{
    struct finisher *f = (struct finisher *)work;
    arena_close(f->arena);
    f->arena = NULL;
    f->at_disk = false;
    webhooks_kick(f->api->webhooks);
    if (f->again)
        finish(f->api);
}

static void finish(struct api *api)
{
    struct batch_run *run = api->batch_run;
    struct finisher *f = &run->finisher;
    f->again = f->at_disk;
    if (f->at_disk || api->stopping)
        return;
    f->arena = arena_open();
    f->n_held = 0;
    for (int i = 0; i < LANES; i++)
        if (run->lanes[i].batch.id.at)
            f->held[f->n_held++] = arena_text(f->arena, run->lanes[i].batch.id);
    f->at_disk = true;
    f->work.run = run_finisher;
    f->work.done = end_finisher;
    workers_push(api->options.disk, &f->work);
}

/* ---- a lane ---- */

static void close_batch(struct lane *lane)
{
    lines_close(lane->lines);
    lane->lines = NULL;
    arena_close(lane->arena);
    lane->arena = NULL;
    lane->batch = (struct batch){0};
    lane->closing = GOES_ON;
    lane->at_end = false;
    free_lines(&lane->ahead);
}

static void give_up(struct lane *lane)
{
    for (struct line *l = take_first(&lane->begun); l; l = take_first(&lane->begun))
        leave(l);
    lane->weight = 0;
}

static void close_lane(struct lane *lane, enum closing how)
{
    if (lane->closing < how)
        lane->closing = how;
    free_lines(&lane->ahead);
    if (how == CLOSES)
        give_up(lane);
}

static void on_disk_again(void *arg)
{
    struct lane *lane = arg;
    lane->again = NULL;
    pump(lane);
    finish(lane->api);
}

/* The model may be another one than when the batch was made. */
static void check_model(struct lane *lane)
{
    struct error err;
    const struct batch *batch = &lane->batch;
    bool served = lane->kind == BATCH_EMBED
                      ? models_embed(lane->api, TEXT("v1beta"), batch->model,
                                     "asyncBatchEmbedContent", &err)
                      : models_serve(lane->api, TEXT("v1beta"), batch->model,
                                     "batchGenerateContent", &err);
    if (!served)
        for (struct line *l = lane->ahead.first; l; l = l->next)
            if (l->err.code == ERROR_OK)
                l->err = err;
}

static void end_exchange(struct work *work)
{
    struct exchange *x = (struct exchange *)work;
    struct lane *lane = x->lane;
    lane->at_disk = false;
    lane->batch = x->batch;
    lane->lines = x->lines;
    lane->at_end |= x->at_end;
    if (x->good) {
        free_lines(&x->recorded);
        move_all(&lane->ahead, &x->read);
    } else {
        move_all(&x->recorded, &lane->made); /* older ones first */
        lane->made = (struct line_list){0};
        move_all(&lane->made, &x->recorded);
        move_all(&lane->ahead, &x->read);
        log_line(LOG_WARN, "batch", "disk=failed why=\"%s\"", x->err.message);
    }
    if (x->opens && !lane->lines) {
        lane->idle = x->good && !lane->offered;
        close_batch(lane);
    }
    if (x->opens && lane->lines && lane->offered)
        close_lane(lane, DRAINS); /* it may be another one's turn: look again */
    if (lane->lines)
        check_model(lane);
    if (x->over)
        close_lane(lane, CLOSES);
    if (lane->closing != GOES_ON || lane->api->stopping)
        free_lines(&lane->ahead);
    if (x->good)
        pump(lane);
    else if (!lane->api->stopping)
        lane->again = loop_after(lane->api->loop, DISK_AGAIN_MS, on_disk_again, lane);
}

static void start_exchange(struct lane *lane, bool opens, int n_wanted)
{
    lane->exchange = (struct exchange){
        .work = {.run = run_exchange, .done = end_exchange},
        .lane = lane,
        .opens = opens,
        .n_wanted = n_wanted,
        .batch = lane->batch,
        .lines = lane->lines,
    };
    move_all(&lane->exchange.recorded, &lane->made);
    lane->at_disk = true;
    workers_push(lane->api->options.disk, &lane->exchange.work);
}

static bool is_done(const struct lane *lane)
{
    return lane->lines && (lane->closing != GOES_ON || lane->at_end) &&
           lane->ahead.n + lane->begun.n + lane->made.n == 0;
}

/* Does whatever can be done now. */
static void pump(struct lane *lane)
{
    bool stopping = lane->api->stopping;
    if (lane->lines && lane->closing == GOES_ON && !stopping)
        begin_lines(lane);
    if (lane->at_disk || lane->again)
        return;
    if (is_done(lane)) {
        close_batch(lane);
        finish(lane->api);
    }
    int n_room = AHEAD - lane->ahead.n;
    bool reads = lane->lines && lane->closing == GOES_ON && !lane->at_end && !stopping &&
                 n_room >= AHEAD / 2;
    if (lane->made.n > 0 || reads) {
        start_exchange(lane, false, reads ? n_room : 0);
    } else if (!lane->lines && !lane->idle && !stopping) {
        lane->arena = arena_open();
        lane->offered = false;
        start_exchange(lane, true, AHEAD);
    }
}

/* ---- for the rest of the room ---- */

void batch_run_open(struct api *api)
{
    if (!api->options.batches)
        return;
    api->batch_run = mem_alloc(sizeof *api->batch_run);
    api->batch_run->finisher.api = api;
    for (int i = 0; i < LANES; i++) {
        struct lane *lane = &api->batch_run->lanes[i];
        lane->api = api;
        lane->kind = i == 0 ? BATCH_GENERATE : BATCH_EMBED;
        pump(lane);
    }
    finish(api);
}

void batch_run_close(struct api *api)
{
    if (!api->batch_run)
        return;
    assert(batch_run_busy(api) == 0);
    for (int i = 0; i < LANES; i++) {
        struct lane *lane = &api->batch_run->lanes[i];
        loop_cancel(api->loop, lane->again);
        free_lines(&lane->made);
        close_batch(lane);
    }
    free(api->batch_run);
    api->batch_run = NULL;
}

void batch_run_offer(struct api *api, const struct batch *batch)
{
    struct lane *lane = &api->batch_run->lanes[batch->kind == BATCH_EMBED];
    lane->idle = false;
    lane->offered = true;
    if (lane->lines &&
        (batch->priority > lane->batch.priority || text_same(batch->id, lane->batch.id)))
        close_lane(lane, DRAINS);
    pump(lane);
}

void batch_run_end(struct api *api, struct text id)
{
    for (int i = 0; i < LANES; i++) {
        struct lane *lane = &api->batch_run->lanes[i];
        if (lane->lines && text_same(lane->batch.id, id)) {
            close_lane(lane, CLOSES);
            pump(lane);
        }
    }
    finish(api);
}

void batch_run_look(struct api *api)
{
    if (!api->batch_run)
        return;
    for (int i = 0; i < LANES; i++)
        pump(&api->batch_run->lanes[i]);
    finish(api);
}

void batch_run_stop(struct api *api)
{
    for (int i = 0; api->batch_run && i < LANES; i++) {
        struct lane *lane = &api->batch_run->lanes[i];
        if (lane->lines)
            close_lane(lane, CLOSES);
        pump(lane);
    }
}

int batch_run_busy(const struct api *api)
{
    const struct batch_run *run = api->batch_run;
    int n = 0;
    for (int i = 0; run && i < LANES; i++)
        n += run->lanes[i].at_disk;
    return n + (run && run->finisher.at_disk);
}

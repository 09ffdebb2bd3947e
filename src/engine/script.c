/* script.c - an engine without weights: exact replies and faults from a file.
 *
 * The thread takes commands from its inbox and waits there no longer than until the next
 * piece of an answer is due, so a delay costs nothing and a cancelled job ends at once. A
 * job chooses its reply when its command is read: replies are used up in the order of
 * submission. Each candidate is a sequence, and WAITING, SPEAKING, ENDED, as on a real
 * engine: at most `slots` of them speak, in order of submission. Only the thread touches
 * jobs and replies; n_held alone is shared.
 */
#include "base/loop.h"
#include "engine/engine.h"
#include "engine/output.h"
#include "engine/script_match.h"
#include "engine/words.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST_TOP = 20, RETRY_MS = 1000, SHOWN = 200 };

struct sequence {
    struct script_job *job;
    int candidate;
    const struct script_answer *answer;
    enum { WAITING, SPEAKING, ENDED } state;
    struct output *output;
    int n_pieces; /* said so far */
    int n_output;
    int64_t due_us, started_us, first_us;
};

struct script_job {
    struct job job;
    struct script_job *next;
    struct arena *arena;
    struct job_spec spec; /* its copy, in the arena */
    struct queue *to;
    void *user;
    struct script_reply *reply; /* NULL: none matched; see error */
    struct error error;
    struct text said; /* by the user, last */
    int n_restored;   /* tokens whose rows came with it */
    int64_t submitted_us;
    struct sequence *sequences; /* one for each candidate */
};

struct command {
    struct message message;
    enum { SUBMIT, CANCEL, RELEASE, CLOSE } what;
    struct script_job *job;
};

struct script_engine {
    struct engine engine;
    struct arena *arena;
    const char *path;
    struct script *script;
    struct queue *inbox;
    pthread_t thread;
    struct script_job *first, **end; /* in order of submission */
    int n_speaking;
    atomic_int n_held; /* sequences that have not ended */
};

static struct text shown(struct text text)
{
    struct text start = text_slice(text, 0, SHOWN);
    start.len -= text_utf8_pending(start);
    return start;
}

/* ---- rows: what a script has of them is as long as a model's, and can be checked ----
 */

enum { ROW_BYTES = 1024 };

static void fill_row(int32_t token, int i, char *row)
{
    uint32_t x = (uint32_t)token * 2654435761u + (uint32_t)i;
    for (size_t at = 0; at < ROW_BYTES; at += sizeof x) {
        x = x * 1664525u + 1013904223u;
        memcpy(row + at, &x, sizeof x);
    }
}

static struct saved_rows *rows_of(const struct job_spec *spec)
{
    struct saved_rows *rows = rows_make(spec->tokens, spec->n_tokens, spec->n_tokens,
                                        (size_t)spec->n_tokens * ROW_BYTES);
    for (int i = 0; i < spec->n_tokens; i++)
        fill_row(spec->tokens[i], i, rows_state(rows) + (size_t)i * ROW_BYTES);
    return rows;
}

static bool is_sound(const struct saved_rows *rows)
{
    char row[ROW_BYTES];
    bool good = rows->state.len == (size_t)rows->n_tokens * ROW_BYTES;
    for (int i = 0; good && i < rows->n_tokens; i++) {
        fill_row(rows->tokens[i], i, row);
        good = memcmp(row, rows->state.at + (size_t)i * ROW_BYTES, ROW_BYTES) == 0;
    }
    return good;
}

static int restore(const struct job_spec *spec)
{
    int most = 0;
    for (int i = 0; i < spec->n_rows; i++) {
        int n = rows_common(spec->rows[i], spec->tokens, spec->n_tokens - 1);
        if (n > most && is_sound(spec->rows[i]))
            most = n;
    }
    return most;
}

/* ---- replies ---- */

static void choose_reply(struct script_engine *e, struct script_job *job)
{
    if (job->spec.want_rows)
        return; /* nobody listens to what it says */
    job->n_restored = restore(&job->spec);
    struct asked asked = script_asked(&job->spec);
    job->said = asked.user;
    job->reply = script_choose(e->script, &asked);
    if (job->reply) {
        job->reply->n_used++;
        return;
    }
    bool words = !asked.results.at;
    struct text start = shown(words ? asked.user : asked.results);
    error_set(&job->error, ERROR_NOT_FOUND,
              "No reply of %s matches the %s \"%.*s\" to model \"%.*s\".", e->path,
              words ? "prompt" : "function result", TEXT_ARG(start),
              TEXT_ARG(asked.model));
}

/* ---- events ---- */

static float logprob_of(const struct sequence *s, int i)
{
    const struct json_list *list = &s->answer->logprobs;
    const double *values = list->at;
    if (list->n == 0)
        return -0.1f;
    return (float)values[(size_t)i < list->n ? (size_t)i : list->n - 1];
}

/* The chosen token and what else it might have been: always the same words, each less
 * likely than the one before. */
static void fill_step(const struct sequence *s, int i, struct text token,
                      struct token_prob *top, struct token_step *step)
{
    static const char *const others[MOST_TOP] = {
        "",    " the", " a",   " an",   " it",  " is",  " in", " on",  " of", " to",
        " or", " and", " but", " that", " not", " was", " he", " she", " we", " they"};
    int n_top = s->job->spec.sampling.n_top;
    step->chosen = (struct token_prob){words_id(token, true), logprob_of(s, i), token};
    step->top = top;
    step->n_top = n_top < MOST_TOP ? n_top : MOST_TOP;
    for (int k = 0; k < step->n_top; k++) {
        struct text other = text_of(others[k]);
        top[k] = k == 0
                     ? step->chosen
                     : (struct token_prob){words_id(other, true),
                                           step->chosen.logprob - 3.0f * (float)k, other};
    }
}

/* What one event tells: text, and the tokens that made it. */
struct speech {
    struct buf text;
    struct buf tokens; /* struct text */
};

/* One block: the event, its steps, their tops, then the bytes. */
static struct job_event *event_new(const struct sequence *s, enum job_event_kind kind,
                                   const struct speech *speech)
{
    const struct script_job *job = s->job;
    const struct text *tokens = (const void *)speech->tokens.at;
    size_t n = job->spec.sampling.n_top >= 0 ? speech->tokens.len / sizeof *tokens : 0;
    size_t bytes = speech->text.len;
    for (size_t i = 0; i < n; i++)
        bytes += tokens[i].len;
    struct job_event *event = mem_alloc(
        sizeof *event +
        n * (sizeof(struct token_step) + MOST_TOP * sizeof(struct token_prob)) + bytes);
    struct token_step *steps = (struct token_step *)(event + 1);
    struct token_prob *tops = (struct token_prob *)(steps + n);
    char *end = (char *)(tops + n * MOST_TOP);
    for (size_t i = 0; i < n; i++) {
        memcpy(end, tokens[i].at, tokens[i].len);
        fill_step(s, s->n_output - (int)(n - i), (struct text){end, tokens[i].len},
                  tops + i * MOST_TOP, &steps[i]);
        end += tokens[i].len;
    }
    if (speech->text.len > 0)
        memcpy(end, speech->text.at, speech->text.len);
    *event = (struct job_event){
        .user = job->user,
        .candidate = s->candidate,
        .kind = kind,
        .text = {end, speech->text.len},
        .steps = steps,
        .n_steps = (int)n,
        .n_prompt = job->spec.n_tokens,
        .n_output = s->n_output,
    };
    int64_t cached = job->reply ? job->reply->cached_tokens.is : 0;
    event->n_cached = cached < event->n_prompt ? (int)cached : event->n_prompt;
    if (job->n_restored > event->n_cached)
        event->n_cached = job->n_restored;
    return event;
}

static void post(const struct sequence *s, struct job_event *event)
{
    if (!queue_push(s->job->to, &event->message))
        free(event);
}

static void end_sequence(struct sequence *s, const struct speech *speech,
                         enum finish finish, const struct error *error)
{
    struct script_engine *e = (struct script_engine *)s->job->job.engine;
    struct job_event *event = event_new(s, JOB_END, speech);
    int64_t now = now_us();
    event->finish = finish;
    if (s->job->spec.want_rows && finish == FINISH_MAX_TOKENS)
        event->rows = rows_of(&s->job->spec);
    if (error)
        event->error = *error;
    event->queued_us =
        (s->state == SPEAKING ? s->started_us : now) - s->job->submitted_us;
    event->prefill_us = s->first_us ? s->first_us - s->started_us : 0;
    event->decode_us = s->first_us ? now - s->first_us : 0;
    e->n_speaking -= s->state == SPEAKING;
    s->state = ENDED;
    output_close(s->output);
    s->output = NULL;
    atomic_fetch_sub(&e->n_held,
                     1); /* before the reader knows, so that he may ask again */
    post(s, event);
}

/* ---- speaking ---- */

enum spoken { SAID, STOPPED, TOO_LONG };

static enum spoken speak(struct sequence *s, struct text piece, struct speech *speech)
{
    while (piece.len > 0) {
        if (s->n_output == s->job->spec.max_tokens)
            return TOO_LONG;
        size_t len = words_next(piece, true).len;
        struct text token = text_slice(piece, 0, len);
        buf_add(&speech->tokens, &token, sizeof token);
        s->n_output++;
        if (output_feed(s->output, token, &speech->text))
            return STOPPED;
        piece = text_slice(piece, len, piece.len);
    }
    return SAID;
}

/* The answer is over as the script has it. */
static void finish(struct sequence *s, struct speech *speech)
{
    struct error reason = {0};
    int named = s->answer->finish;
    output_end(s->output, &speech->text);
    if (named <= SCRIPT_MAX_TOKENS) {
        bool cut = named == SCRIPT_MAX_TOKENS;
        end_sequence(s, speech, cut ? FINISH_MAX_TOKENS : FINISH_STOP, NULL);
        return;
    }
    if (named != SCRIPT_SAFETY)
        error_set(&reason, ERROR_OK, "%s", json_enum_name(script_finishes, named));
    end_sequence(s, speech, FINISH_SAFETY, &reason);
}

/* Block, error and drop, when their moment has come; false: it has not. */
static bool fail(struct sequence *s, struct speech *speech)
{
    const struct script_reply *reply = s->job->reply;
    struct error reason = {0};
    if (s->job->spec.want_rows) {
        end_sequence(s, speech, FINISH_MAX_TOKENS, NULL);
        return true;
    }
    if (!reply) {
        end_sequence(s, speech, FINISH_ERROR, &s->job->error);
        return true;
    }
    if (reply->block) {
        if (reply->block > 1)
            error_set(&reason, ERROR_OK, "%s",
                      json_enum_name(script_blocks, reply->block));
        end_sequence(s, speech, FINISH_BLOCKED, &reason);
        return true;
    }
    bool due = s->n_pieces >= reply->fault_after || s->n_pieces == s->answer->n_pieces;
    if (!due || (!reply->error && !reply->drop))
        return false;
    if (reply->error)
        end_sequence(s, speech, FINISH_ERROR, &reply->error->is);
    else
        end_sequence(s, speech, FINISH_DROP, NULL);
    return true;
}

/* Says the next piece. The last one is said together with the end. */
static void say_piece(struct sequence *s, struct speech *speech)
{
    const struct script_reply *reply = s->job->reply;
    const struct script_answer *answer = s->answer;
    enum spoken spoken = SAID;
    if (s->n_pieces < answer->n_pieces) {
        struct text piece = answer->pieces[s->n_pieces++];
        spoken = speak(s, piece.at ? piece : s->job->said, speech);
    }
    bool faulty = reply->error || reply->drop;
    if (spoken == STOPPED) {
        end_sequence(s, speech, FINISH_STOP, NULL);
    } else if (spoken == TOO_LONG) {
        output_end(s->output, &speech->text);
        end_sequence(s, speech, FINISH_MAX_TOKENS, NULL);
    } else if (s->n_pieces == answer->n_pieces && !faulty) {
        finish(s, speech);
    } else {
        post(s, event_new(s, JOB_TEXT, speech));
        s->due_us += reply->chunk_delay_ms.is * 1000;
    }
}

/* Says all that is due. */
static void advance(struct sequence *s, int64_t now)
{
    while (s->state == SPEAKING && s->due_us <= now) {
        struct speech speech = {0};
        if (s->first_us == 0)
            s->first_us = now;
        if (!fail(s, &speech))
            say_piece(s, &speech);
        buf_free(&speech.text);
        buf_free(&speech.tokens);
    }
}

/* ---- the thread ---- */

static void begin(struct script_engine *e, struct sequence *s, int64_t now)
{
    const struct script_reply *reply = s->job->reply;
    s->state = SPEAKING;
    s->started_us = now;
    s->due_us = now + (reply ? reply->delay_ms.is * 1000 : 0);
    s->output = output_open(s->job->spec.stops, s->job->spec.n_stops);
    s->answer = reply ? &reply->answer : NULL;
    if (reply && reply->candidates.n > 0) {
        const struct script_answer *answers = reply->candidates.at;
        s->answer = &answers[(size_t)s->candidate % reply->candidates.n];
    }
    e->n_speaking++;
}

/* Gives slots to those who wait, and says what is due. Returns when something is due
 * next, in milliseconds; -1: never. */
static int step(struct script_engine *e)
{
    int64_t now = now_us(), next = INT64_MAX;
    bool waiting = false;
    for (struct script_job *job = e->first; job; job = job->next) {
        for (int i = 0; i < job->spec.n_candidates; i++) {
            struct sequence *s = &job->sequences[i];
            if (s->state == WAITING && e->n_speaking < e->engine.info.n_slots)
                begin(e, s, now);
            advance(s, now);
            if (s->state == SPEAKING && s->due_us < next)
                next = s->due_us;
            waiting = waiting || s->state == WAITING;
        }
    }
    if (waiting && e->n_speaking < e->engine.info.n_slots)
        return 0;
    if (next == INT64_MAX)
        return -1;
    return (int)((next - now + 999) / 1000);
}

static void cancel(struct script_job *job)
{
    struct speech nothing = {0};
    for (int i = 0; i < job->spec.n_candidates; i++)
        if (job->sequences[i].state != ENDED)
            end_sequence(&job->sequences[i], &nothing, FINISH_CANCELLED, NULL);
}

static void forget(struct script_engine *e, struct script_job *job)
{
    struct script_job **at = &e->first;
    while (*at && *at != job)
        at = &(*at)->next;
    if (*at)
        *at = job->next;
    if (e->end == &job->next)
        e->end = at;
    for (int i = 0; i < job->spec.n_rows; i++)
        rows_release(job->spec.rows[i]);
    arena_close(job->arena);
}

/* False: the engine is to end. */
static bool obey(struct script_engine *e, const struct command *command)
{
    switch (command->what) {
    case SUBMIT:
        *e->end = command->job;
        e->end = &command->job->next;
        choose_reply(e, command->job);
        return true;
    case CANCEL:
        cancel(command->job);
        return true;
    case RELEASE:
        forget(e, command->job);
        return true;
    case CLOSE:
        break;
    }
    return false;
}

static void *run(void *arg)
{
    struct script_engine *e = arg;
    for (bool open = true; open;) {
        struct message *next, *m = queue_wait(e->inbox, step(e));
        for (; m; m = next) {
            next = m->next;
            open = obey(e, (struct command *)m) && open;
            free(m);
        }
    }
    while (e->first) {
        cancel(e->first);
        forget(e, e->first);
    }
    return NULL;
}

/* ---- the engine ---- */

static void command(struct engine *engine, int what, struct script_job *job)
{
    struct script_engine *e = (struct script_engine *)engine;
    struct command *c = mem_alloc(sizeof *c);
    c->what = what;
    c->job = job;
    queue_push(e->inbox, &c->message);
}

static struct text *copy_texts(struct arena *arena, const struct text *texts, int n)
{
    struct text *copy = arena_array(arena, struct text, (size_t)n);
    for (int i = 0; i < n; i++)
        copy[i] = arena_text(arena, texts[i]);
    return copy;
}

static struct script_job *job_new(struct engine *engine, const struct job_spec *spec)
{
    struct arena *arena = arena_open();
    struct script_job *job = arena_new(arena, struct script_job);
    int32_t *tokens = arena_array(arena, int32_t, (size_t)spec->n_tokens);
    memcpy(tokens, spec->tokens, sizeof *tokens * (size_t)spec->n_tokens);
    job->job.engine = engine;
    job->arena = arena;
    job->spec = *spec;
    job->spec.tokens = tokens;
    job->spec.prompt = arena_text(arena, spec->prompt);
    job->spec.model = arena_text(arena, spec->model);
    job->spec.stops = copy_texts(arena, spec->stops, spec->n_stops);
    struct saved_rows **rows =
        arena_array(arena, struct saved_rows *, (size_t)spec->n_rows + 1);
    for (int i = 0; i < spec->n_rows; i++)
        rows[i] = rows_hold(spec->rows[i]);
    job->spec.rows = rows;
    job->submitted_us = now_us();
    job->sequences = arena_array(arena, struct sequence, (size_t)spec->n_candidates);
    for (int i = 0; i < spec->n_candidates; i++) {
        job->sequences[i].job = job;
        job->sequences[i].candidate = i;
    }
    return job;
}

static struct job *script_submit(struct engine *engine, const struct job_spec *spec,
                                 struct queue *to, void *user, struct error *err)
{
    struct script_engine *e = (struct script_engine *)engine;
    int64_t room = engine->info.n_slots + e->script->queue.is;
    int held = atomic_load(&e->n_held);
    if (held + (int64_t)spec->n_candidates > room) {
        error_set(err, ERROR_RESOURCE_EXHAUSTED,
                  "The server is busy: %d requests wait already. Try again later.",
                  held > engine->info.n_slots ? held - engine->info.n_slots : 0);
        err->retry_ms = RETRY_MS;
        return NULL;
    }
    struct script_job *job = job_new(engine, spec);
    job->to = to;
    job->user = user;
    atomic_fetch_add(&e->n_held, spec->n_candidates);
    command(engine, SUBMIT, job);
    return &job->job;
}

static void script_cancel(struct job *job)
{
    command(job->engine, CANCEL, (struct script_job *)job);
}

static void script_release(struct job *job)
{
    command(job->engine, RELEASE, (struct script_job *)job);
}

static int script_tokenize(struct engine *engine, struct text text, bool special,
                           int32_t *tokens, int room)
{
    (void)engine;
    int n = 0;
    for (; text.len > 0; n++) {
        struct text token = words_next(text, special);
        if (n < room)
            tokens[n] = words_id(token, special);
        text = text_slice(text, token.len, text.len);
    }
    return n;
}

static void script_load(struct engine *engine, int *n_running, int *n_waiting)
{
    int held = atomic_load(&((struct script_engine *)engine)->n_held);
    *n_running = held < engine->info.n_slots ? held : engine->info.n_slots;
    *n_waiting = held - *n_running;
}

static void script_free(struct script_engine *e)
{
    queue_close(e->inbox);
    arena_close(e->arena);
    free(e);
}

static void script_close(struct engine *engine)
{
    struct script_engine *e = (struct script_engine *)engine;
    command(engine, CLOSE, NULL);
    pthread_join(e->thread, NULL);
    script_free(e);
}

/* What a script says was written beforehand: no grammar holds it. Some address that is
 * not NULL stands for all of them. */
static struct grammar *script_grammar(struct engine *engine, struct text lark,
                                      struct error *err)
{
    (void)lark;
    (void)err;
    return (struct grammar *)engine;
}

static void script_grammar_release(struct engine *engine, struct grammar *grammar)
{
    (void)engine;
    (void)grammar;
}

/* A script has no weights to adapt; it says what it has for the model's name. */
static struct adapter *script_adapter_open(struct engine *engine, const char *path,
                                           struct error *err)
{
    if (access(path, R_OK) != 0) {
        error_set(err, ERROR_FAILED_PRECONDITION, "The adapter cannot be read: %s.",
                  strerrordesc_np(errno));
        return NULL;
    }
    struct adapter *adapter = mem_alloc(sizeof *adapter);
    adapter->engine = engine;
    atomic_init(&adapter->holders, 1);
    return adapter;
}

static void script_adapter_free(struct adapter *adapter)
{
    free(adapter);
}

static const struct engine_ops script_ops = {
    .submit = script_submit,
    .cancel = script_cancel,
    .release = script_release,
    .tokenize = script_tokenize,
    .load = script_load,
    .grammar = script_grammar,
    .grammar_release = script_grammar_release,
    .adapter_open = script_adapter_open,
    .adapter_free = script_adapter_free,
    .close = script_close,
};

/* ---- opening ---- */

static bool load(struct script_engine *e, const char *path, struct error *err)
{
    e->path = arena_text(e->arena, text_of(path)).at;
    e->script = script_from_file(e->path, e->arena, err);
    return e->script && script_compile(e->script, e->path, e->arena, err);
}

struct engine *script_open(const char *path, struct error *err)
{
    struct script_engine *e = mem_alloc(sizeof *e);
    e->arena = arena_open();
    e->end = &e->first;
    if (!load(e, path, err)) {
        script_free(e);
        return NULL;
    }
    e->engine.ops = &script_ops;
    e->engine.info = (struct engine_info){
        .model = e->script->model,
        .template = script_template,
        .bos = TEXT(""),
        .eos = words_specials[WORDS_END],
        .specials = words_specials,
        .n_specials = WORDS_CONTROLS,
        .n_ctx = (int)e->script->context.is,
        .n_slots = (int)e->script->slots.is,
        .n_vocab = WORDS_VOCAB,
        .rows_key = TEXT("script 1"),
        .scripted = true,
    };
    e->inbox = queue_open();
    if (!e->inbox || pthread_create(&e->thread, NULL, run, e) != 0) {
        error_set(err, ERROR_INTERNAL, "no thread for the script: %m");
        script_free(e);
        return NULL;
    }
    return &e->engine;
}

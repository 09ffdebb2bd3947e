/* turn.c - runs one turn of the model.
 *
 * A runner has one queue, which the loop watches; every job of its engine answers there,
 * and the event's `user` says whose it is. Each candidate is a voice with a reply parser
 * of its own. What an event of the engine says besides text (counts, logprobs) goes out
 * with the first part that comes of it; when its text is held back, with a later one.
 *
 * A turn is over when each voice has ended. A cancelled one waits for that, too, in
 * silence: until then the engine may still speak of it. Nothing of the turn is touched
 * after `last`, since its memory is the reader's to close. */
#include "chat/turn.h"
#include "chat/reply.h"
#include <assert.h>
#include <stdlib.h>
#include <sys/epoll.h>

struct runner {
    struct loop *loop;
    struct watch *watch;
    struct queue *queue;
    struct engine *engine;
    struct prompter *prompter;
};

struct voice {
    struct turn *turn;
    int candidate;
    struct reply *reply;
    int n_output, n_thought;
    int n_undecided; /* tokens of which no part has come yet: answer or thought? */
    const struct token_step *steps; /* not delivered yet */
    int n_steps;
};

struct turn {
    struct runner *runner;
    struct job *job;
    struct arena *arena;
    void (*on)(const struct turn_event *event, void *arg);
    void *arg;
    bool cancelled;
    int n_left; /* voices that have not ended */
    int n_prompt, n_cached;
    struct voice voices[];
};

/* ---- logprobs that wait for their part ---- */

static struct token_prob copy_prob(struct arena *arena, const struct token_prob *prob)
{
    struct token_prob copy = *prob;
    copy.text = arena_text(arena, prob->text);
    return copy;
}

/* The engine's event is freed; what is not delivered with it must outlive it. */
static void keep_steps(struct voice *v)
{
    struct arena *arena = v->turn->arena;
    struct token_step *kept = arena_array(arena, struct token_step, (size_t)v->n_steps);
    for (int i = 0; i < v->n_steps; i++) {
        const struct token_step *from = &v->steps[i];
        struct token_prob *top =
            arena_array(arena, struct token_prob, (size_t)from->n_top);
        for (int k = 0; k < from->n_top; k++)
            top[k] = copy_prob(arena, &from->top[k]);
        kept[i] = (struct token_step){copy_prob(arena, &from->chosen), top, from->n_top};
    }
    v->steps = kept;
}

static void add_steps(struct voice *v, const struct token_step *steps, int n)
{
    if (v->n_steps == 0) {
        v->steps = steps;
        v->n_steps = n;
        return;
    }
    struct token_step *all =
        arena_array(v->turn->arena, struct token_step, (size_t)(v->n_steps + n));
    memcpy(all, v->steps, sizeof *all * (size_t)v->n_steps);
    if (n > 0)
        memcpy(all + v->n_steps, steps, sizeof *all * (size_t)n);
    v->steps = all;
    v->n_steps += n;
}

/* ---- events ---- */

static struct turn_event event_of(struct voice *v, enum turn_event_kind kind)
{
    struct turn_event event = {
        .kind = kind,
        .candidate = v->candidate,
        .steps = v->steps,
        .n_steps = v->n_steps,
        .n_prompt = v->turn->n_prompt,
        .n_cached = v->turn->n_cached,
        .n_output = v->n_output,
        .n_thought = v->n_thought,
    };
    v->steps = NULL;
    v->n_steps = 0;
    return event;
}

static void on_part(const struct part *part, void *arg)
{
    struct voice *v = arg;
    struct turn *turn = v->turn;
    if (turn->cancelled)
        return;
    if (part->kind == PART_THOUGHT)
        v->n_thought += v->n_undecided;
    v->n_undecided = 0;
    struct turn_event event = event_of(v, TURN_PART);
    event.part = part;
    turn->on(&event, turn->arg);
}

static void end_voice(struct voice *v, const struct job_event *from)
{
    struct turn *turn = v->turn;
    bool good = turn->cancelled || reply_end(v->reply);
    if (--turn->n_left == 0)
        engine_release(turn->job);
    else if (turn->cancelled)
        return;
    struct turn_event event = event_of(v, TURN_END);
    event.finish = from->finish;
    event.queued_us = from->queued_us;
    event.prefill_us = from->prefill_us;
    event.decode_us = from->decode_us;
    event.bad_call = !good;
    if (from->finish == FINISH_ERROR || from->error.message[0])
        event.error = &from->error;
    event.last = turn->n_left == 0;
    turn->on(&event, turn->arg);
}

static void on_event(const struct job_event *from)
{
    struct turn *turn = from->user;
    struct voice *v = &turn->voices[from->candidate];
    if (from->candidate == 0) /* the others copy its rows: those were not cached before */
        turn->n_cached = from->n_cached;
    v->n_undecided += from->n_output - v->n_output;
    v->n_output = from->n_output;
    if (!turn->cancelled) {
        add_steps(v, from->steps, from->n_steps);
        reply_feed(v->reply, from->text);
    }
    if (from->kind == JOB_END)
        end_voice(v, from);
    else if (v->n_steps > 0)
        keep_steps(v);
}

static void on_ready(void *arg, uint32_t events)
{
    (void)events;
    struct runner *runner = arg;
    for (struct message *m = queue_take(runner->queue), *next; m; m = next) {
        next = m->next;
        struct job_event *event = (struct job_event *)m;
        on_event(event);
        free(event);
    }
}

/* ---- the runner ---- */

struct runner *runner_open(struct loop *loop, struct engine *engine, struct error *err)
{
    struct runner *r = mem_alloc(sizeof *r);
    r->loop = loop;
    r->engine = engine;
    r->prompter = prompter_open(engine, err);
    if (!r->prompter) {
        free(r);
        return NULL;
    }
    r->queue = queue_open();
    r->watch =
        r->queue ? loop_watch(loop, queue_fd(r->queue), EPOLLIN, on_ready, r) : NULL;
    if (!r->watch) {
        error_set(err, ERROR_INTERNAL, "no queue for the engine: %m");
        runner_close(r);
        return NULL;
    }
    return r;
}

void runner_close(struct runner *r)
{
    if (!r)
        return;
    if (r->watch)
        loop_unwatch(r->loop, r->watch);
    queue_close(r->queue);
    prompter_close(r->prompter);
    free(r);
}

struct engine *runner_engine(struct runner *runner)
{
    return runner->engine;
}

struct prompter *runner_prompter(struct runner *runner)
{
    return runner->prompter;
}

/* ---- the turn ---- */

static bool fits(const struct engine_info *info, const struct prompt *prompt,
                 struct error *err)
{
    if (prompt->n_tokens > info->n_ctx - 1)
        return error_set(
            err, ERROR_INVALID_ARGUMENT,
            "The input token count (%d) exceeds the maximum number of tokens "
            "allowed (%d).",
            prompt->n_tokens, info->n_ctx - 1);
    if (prompt->n_tokens < 1)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "The model's chat template makes an empty prompt of this.");
    return true;
}

static struct job_spec spec_of(const struct engine_info *info, const struct chat *chat,
                               const struct prompt *prompt, struct arena *arena)
{
    int room = info->n_ctx - prompt->n_tokens;
    struct job_spec spec = {
        .tokens = prompt->tokens,
        .n_tokens = prompt->n_tokens,
        .prompt = prompt->text,
        .model = chat->model,
        .n_candidates = chat->n_candidates > 1 ? chat->n_candidates : 1,
        .max_tokens =
            chat->max_tokens > 0 && chat->max_tokens < room ? chat->max_tokens : room,
        .sampling = chat->sampling,
        .stops = chat->stops,
        .n_stops = chat->n_stops,
        .grammar = prompt->grammar,
    };
    if (prompt->stop.len > 0) {
        struct text *stops = arena_array(arena, struct text, (size_t)chat->n_stops + 1);
        for (int i = 0; i < chat->n_stops; i++)
            stops[i] = chat->stops[i];
        stops[spec.n_stops++] = prompt->stop;
        spec.stops = stops;
    }
    return spec;
}

struct turn *turn_start(struct runner *runner, const struct chat *chat,
                        const struct prompt *prompt, struct arena *arena,
                        void (*on)(const struct turn_event *event, void *arg), void *arg,
                        struct error *err)
{
    const struct engine_info *info = engine_info(runner->engine);
    if (!fits(info, prompt, err))
        return NULL;
    struct job_spec spec = spec_of(info, chat, prompt, arena);
    size_t n = (size_t)spec.n_candidates;
    struct turn *turn = arena_alloc(arena, sizeof *turn + n * sizeof *turn->voices);
    *turn = (struct turn){
        .runner = runner,
        .arena = arena,
        .on = on,
        .arg = arg,
        .n_left = spec.n_candidates,
        .n_prompt = prompt->n_tokens,
    };
    const struct reply_spec reply = {chat, prompt->family, prompt->calling, prompt->text};
    for (int i = 0; i < spec.n_candidates; i++) {
        struct voice *v = &turn->voices[i];
        v->turn = turn;
        v->candidate = i;
        v->reply = reply_open(arena, &reply, on_part, v);
    }
    turn->job = engine_submit(runner->engine, &spec, runner->queue, turn, err);
    return turn->job ? turn : NULL;
}

void turn_cancel(struct turn *turn)
{
    if (turn->cancelled)
        return;
    turn->cancelled = true;
    engine_cancel(turn->job);
}

/* turn.c - runs one turn of the model.
 *
 * The engine's events come through the runner to the turn. Each candidate is a voice with
 * a reply parser of its own. What an event of the engine says besides text (counts,
 * logprobs) goes out with the first part that comes of it; when its text is held back,
 * with a later one.
 *
 * Where something may be blocked, a turn has four stages, and where nothing may, none of
 * this runs and nothing waits:
 *
 *     the prompt is looked through for listed words; then it is judged; then the job
 *     runs, and what a voice says stays in its screen until it is clear of listed words
 *     and was judged; a voice that must not go on is stopped, and when all are, the job.
 *
 * Where the prompt brings a question, whether to call a function, the model is asked it
 * before the job runs, and the answer chooses between two prompts.
 *
 * Logprobs spell tokens, so those of a screened voice wait for its end.
 *
 * A turn is over when nothing is pending any more: no candidate that the engine still
 * speaks of, no judgement, no timer. The end of a voice is told when it is decided; the
 * last one not before the turn is over. A cancelled turn waits for that, too, in silence.
 * Nothing of the turn is touched after `last`, since its memory is the reader's to close.
 */
#include "chat/turn.h"
#include "base/buf.h"
#include "chat/decide.h"
#include "chat/judge.h"
#include "chat/reply.h"
#include "chat/screen.h"

/* Why a voice ended, as far as is known. */
struct ending {
    enum finish finish;
    struct error error;
    int64_t queued_us, prefill_us, decode_us;
    bool bad_call;
};

struct voice {
    struct turn *turn;
    int candidate;
    struct reply *reply;
    struct screen *screen;       /* NULL: what it says goes out at once */
    struct judgement *judgement; /* under way; of what it said */
    struct verdict verdict;
    int n_output, n_thought;
    int n_undecided; /* tokens of which no part has come yet: answer or thought? */
    const struct token_step *fresh; /* of the event that is being handled */
    int n_fresh;
    struct token_step *kept; /* of earlier ones, not delivered yet */
    int n_kept, room_kept;
    bool ended;   /* the engine has nothing more of it */
    bool stopped; /* nothing more of it goes out */
    bool told;    /* its end was */
    struct ending ending;
};

struct turn {
    struct listener listener; /* first: the runner's */
    struct runner *runner;
    const struct chat *chat;
    struct job_spec spec;
    struct job *job;             /* NULL: not yet, or over */
    struct judgement *judgement; /* under way; of the prompt */
    struct verdict verdict;      /* of the prompt */
    struct decision *decision;   /* under way: whether to call */
    struct prompt prompt;        /* as given */
    struct arena *arena;
    void (*on)(const struct turn_event *event, void *arg);
    void *arg;
    bool cancelled;
    int n_running; /* candidates that the engine still speaks of */
    int n_pending; /* they, judgements, timers: what will call back */
    int n_left;    /* voices whose end was not told */
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

static struct token_step copy_step(struct arena *arena, const struct token_step *step)
{
    struct token_prob *top = arena_array(arena, struct token_prob, (size_t)step->n_top);
    for (int i = 0; i < step->n_top; i++)
        top[i] = copy_prob(arena, &step->top[i]);
    return (struct token_step){copy_prob(arena, &step->chosen), top, step->n_top};
}

const struct token_step *turn_copy_steps(const struct turn_event *event,
                                         struct arena *arena)
{
    struct token_step *steps =
        arena_array(arena, struct token_step, (size_t)event->n_steps + 1);
    for (int i = 0; i < event->n_steps; i++)
        steps[i] = copy_step(arena, &event->steps[i]);
    return steps;
}

static void make_room(struct voice *v, int n)
{
    if (v->n_kept + n <= v->room_kept)
        return;
    v->room_kept = (v->n_kept + n) * 2;
    struct token_step *more =
        arena_array(v->turn->arena, struct token_step, (size_t)v->room_kept);
    if (v->n_kept > 0)
        memcpy(more, v->kept, sizeof *more * (size_t)v->n_kept);
    v->kept = more;
}

/* The engine's event is freed; what is not delivered with it must outlive it. */
static void keep_fresh(struct voice *v)
{
    make_room(v, v->n_fresh);
    for (int i = 0; i < v->n_fresh; i++)
        v->kept[v->n_kept++] = copy_step(v->turn->arena, &v->fresh[i]);
    v->n_fresh = 0;
}

static void give_steps(struct voice *v, struct turn_event *event)
{
    if (v->n_kept > 0)
        keep_fresh(v);
    event->steps = v->n_kept > 0 ? v->kept : v->fresh;
    event->n_steps = v->n_kept + v->n_fresh;
    v->n_kept = v->n_fresh = 0;
}

/* ---- events for the reader ---- */

static struct turn_event event_of(const struct voice *v, enum turn_event_kind kind)
{
    return (struct turn_event){
        .kind = kind,
        .candidate = v->candidate,
        .n_prompt = v->turn->n_prompt,
        .n_cached = v->turn->n_cached,
        .n_output = v->n_output,
        .n_thought = v->n_thought,
        .prompt_verdict = &v->turn->verdict,
        .verdict = &v->verdict,
    };
}

static void tell_end(struct voice *v)
{
    struct turn *turn = v->turn;
    const struct ending *ending = &v->ending;
    struct turn_event event = event_of(v, TURN_END);
    if (!v->stopped && !turn->cancelled)
        give_steps(v, &event);
    event.finish = turn->cancelled && !v->ended ? FINISH_CANCELLED : ending->finish;
    event.queued_us = ending->queued_us;
    event.prefill_us = ending->prefill_us;
    event.decode_us = ending->decode_us;
    event.bad_call = ending->bad_call;
    if (ending->finish == FINISH_ERROR || ending->error.message[0])
        event.error = &ending->error;
    event.last = turn->n_left == 0;
    turn->on(&event, turn->arg);
}

static bool is_decided(const struct voice *v)
{
    return v->turn->cancelled || v->stopped ||
           (v->ended && (!v->screen || screen_empty(v->screen)));
}

/* Tells what ends can be told. The turn may be gone afterwards. */
static void settle(struct turn *turn)
{
    for (int i = 0, n = turn->n_left; n > 0; i++) {
        struct voice *v = &turn->voices[i];
        bool waits = turn->n_pending > 0 && (turn->cancelled || turn->n_left == 1);
        if (v->told)
            continue;
        n--;
        if (waits || !is_decided(v))
            continue;
        v->told = true;
        if (--turn->n_left == 0 || !turn->cancelled)
            tell_end(v);
    }
}

/* Whether a judge looks at what is said. */
static bool is_judged(const struct turn *turn)
{
    return runner_guarded(turn->runner)->judge && safety_asks(&turn->chat->safety);
}

/* ---- stopping ---- */

static void stop_voice(struct voice *v, enum finish finish, const struct error *error)
{
    v->stopped = true;
    v->ending.finish = finish;
    v->ending.error = error ? *error : (struct error){0};
    if (v->judgement)
        judge_cancel(v->judgement);
}

/* A job that nobody listens to any more need not go on. */
static void stop_job(struct turn *turn)
{
    for (int i = 0; i < turn->spec.n_candidates; i++)
        if (!turn->voices[i].stopped && !turn->voices[i].ended)
            return;
    if (turn->job)
        engine_cancel(turn->job);
}

/* The turn ends before its job began: the first voice says why, the others nothing. */
static void stop_turn(struct turn *turn, enum finish finish, const struct error *error)
{
    for (int i = 1; i < turn->spec.n_candidates; i++)
        turn->voices[i].told = true;
    turn->n_left = 1;
    stop_voice(&turn->voices[0], finish, error);
}

static struct error listed(void)
{
    struct error reason;
    error_set(&reason, ERROR_OK, "BLOCKLIST");
    return reason;
}

/* ---- what a voice says ---- */

static void tell_part(const struct part *part, void *arg)
{
    struct voice *v = arg;
    if (v->turn->cancelled)
        return;
    struct turn_event event = event_of(v, TURN_PART);
    event.part = part;
    if (!v->screen || part->kind == PART_THOUGHT)
        give_steps(v, &event);
    v->turn->on(&event, v->turn->arg);
}

static void on_part(const struct part *part, void *arg)
{
    struct voice *v = arg;
    bool shown = part->kind != PART_THOUGHT || v->turn->chat->safety.thoughts;
    if (part->kind == PART_THOUGHT)
        v->n_thought += v->n_undecided;
    v->n_undecided = 0;
    if (v->screen && shown)
        screen_add(v->screen, part);
    else
        tell_part(part, v);
}

static struct judgement *judge(struct turn *turn, struct text text,
                               void (*on)(const struct verdict *verdict,
                                          const struct error *error, void *arg),
                               void *arg, struct error *err)
{
    struct judge_request request = {
        .text = text,
        .safety = turn->chat->safety,
        .model = turn->chat->model,
        .exact = turn->chat->sampling.seeded,
    };
    struct judgement *judgement =
        judge_start(runner_guarded(turn->runner)->judge, &request, on, arg, err);
    turn->n_pending += judgement != NULL;
    return judgement;
}

static void on_voice_judged(const struct verdict *verdict, const struct error *error,
                            void *arg);

/* What may leave leaves; what is due is judged. */
static void look(struct voice *v)
{
    struct turn *turn = v->turn;
    struct error err = listed();
    if (!v->screen || v->stopped || turn->cancelled)
        return;
    if (screen_listed(v->screen)) {
        stop_voice(v, FINISH_SAFETY, &err);
        return;
    }
    screen_release(v->screen, tell_part, v);
    if (v->judgement || turn->cancelled)
        return;
    struct text due = screen_due(v->screen);
    if (due.at)
        v->judgement = judge(turn, due, on_voice_judged, v, &err);
    if (due.at && !v->judgement)
        stop_voice(v, FINISH_ERROR, &err);
}

static void on_voice_judged(const struct verdict *verdict, const struct error *error,
                            void *arg)
{
    struct voice *v = arg;
    struct turn *turn = v->turn;
    v->judgement = NULL;
    turn->n_pending--;
    if (verdict)
        verdict_add(&v->verdict, verdict);
    if (turn->cancelled || v->stopped) {
        settle(turn);
        return;
    }
    if (!verdict) {
        stop_voice(v, FINISH_ERROR, error);
    } else if (verdict_blocks_any(verdict, &turn->chat->safety)) {
        stop_voice(v, FINISH_SAFETY, NULL);
    } else {
        screen_judged(v->screen);
        look(v);
    }
    if (v->stopped)
        stop_job(turn);
    settle(turn);
}

/* ---- what the engine says ---- */

static void end_voice(struct voice *v, const struct job_event *from)
{
    struct turn *turn = v->turn;
    struct ending *ending = &v->ending;
    bool good = turn->cancelled || v->stopped ||
                reply_end(v->reply, from->finish == FINISH_MAX_TOKENS);
    v->ended = true;
    turn->n_pending--;
    if (--turn->n_running == 0) {
        engine_release(turn->job);
        turn->job = NULL;
    }
    ending->queued_us = from->queued_us;
    ending->prefill_us = from->prefill_us;
    ending->decode_us = from->decode_us;
    if (v->stopped)
        return;
    ending->finish = from->finish;
    ending->error = from->error;
    ending->bad_call = !good && from->finish == FINISH_STOP; /* else it was cut short */
    if (v->screen && from->finish > FINISH_SAFETY)
        v->stopped = true; /* what is held was never looked at */
    else if (v->screen)
        screen_end(v->screen);
}

static void on_event(struct listener *self, const struct job_event *from)
{
    struct turn *turn = (struct turn *)self;
    struct voice *v = &turn->voices[from->candidate];
    if (from->candidate == 0) /* the others copy its rows: those were not cached before */
        turn->n_cached = from->n_cached;
    v->n_undecided += from->n_output - v->n_output;
    v->n_output = from->n_output;
    if (!turn->cancelled && !v->stopped) {
        v->fresh = from->steps;
        v->n_fresh = from->n_steps;
        reply_feed(v->reply, from->text);
    }
    if (from->kind == JOB_END)
        end_voice(v, from);
    if (v->n_fresh > 0 && (v->screen || !v->ended))
        keep_fresh(v);
    look(v);
    if (v->stopped)
        stop_job(turn);
    if (v->stopped || v->ended)
        settle(turn);
}

/* ---- the prompt ---- */

static bool fits(const struct engine *engine, const struct prompt *prompt,
                 struct error *err)
{
    if (prompt->n_tokens < 1)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "The model's chat template makes an empty prompt of this.");
    return engine_fits(engine, prompt->n_tokens, err);
}

/* It, and what may be asked or answered in its place. */
static bool all_fit(const struct engine *engine, const struct prompt *prompt,
                    struct error *err)
{
    bool good = fits(engine, prompt, err) &&
                (!prompt->otherwise || fits(engine, prompt->otherwise, err));
    for (int i = 0; good && i < prompt->n_questions; i++)
        good = fits(engine, &prompt->questions[i], err);
    return good;
}

/* Whether something that is listed stands in what the client wrote. */
static bool names_listed(const struct chat *chat, const struct blocklist *words)
{
    if (blocklist_finds(words, chat->system))
        return true;
    for (int i = 0; i < chat->n_turns; i++) {
        const struct turn_of *turn = &chat->turns[i];
        for (int k = 0; turn->role == ROLE_USER && k < turn->n_parts; k++) {
            const struct part *part = &turn->parts[k];
            if (blocklist_finds(words,
                                part->kind == PART_RESULT ? part->json : part->text))
                return true;
        }
    }
    return false;
}

/* What the user said last. */
static struct text last_words(const struct chat *chat, struct arena *arena)
{
    struct buf words = {0};
    int last = chat->n_turns - 1;
    while (last >= 0 && chat->turns[last].role != ROLE_USER)
        last--;
    const struct turn_of *turn = last >= 0 ? &chat->turns[last] : NULL;
    for (int i = 0; turn && i < turn->n_parts; i++) {
        if (turn->parts[i].kind != PART_TEXT)
            continue;
        if (words.len > 0)
            buf_char(&words, '\n');
        buf_text(&words, turn->parts[i].text);
    }
    return arena_take(arena, &words);
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
        .adapter = chat->adapter,
        .rows = chat->rows,
        .n_rows = chat->n_rows,
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

static void open_voice(struct turn *turn, int i, const struct prompt *prompt)
{
    struct voice *v = &turn->voices[i];
    const struct guard *guard = runner_guarded(turn->runner);
    struct screen_options options = {
        .words = guard->words,
        .judged = is_judged(turn),
        .streamed = turn->chat->streamed,
    };
    bool screened = options.words || options.judged;
    const struct reply_spec reply = {
        .chat = turn->chat,
        .family = prompt->family,
        .calling = prompt->calling,
        .prompt = prompt->text,
        /* A call that was begun cannot be taken back: it must be held to a grammar, and
         * need not be looked at when it is whole. */
        .pieces = turn->chat->call_pieces && !screened &&
                  (prompt->grammar || prompt->family->as_is),
    };
    v->turn = turn;
    v->candidate = i;
    v->reply = reply_open(turn->arena, &reply, on_part, v);
    if (screened)
        v->screen = screen_open(turn->arena, &options);
}

/* The turn goes on with this prompt. What is counted is the one that was asked for, with
 * its functions, as countTokens does. */
static void choose(struct turn *turn, const struct prompt *prompt)
{
    const struct engine_info *info = engine_info(runner_engine(turn->runner));
    turn->spec = spec_of(info, turn->chat, prompt, turn->arena);
    for (int i = 0; i < turn->spec.n_candidates; i++)
        open_voice(turn, i, prompt);
}

static bool start_job(struct turn *turn, struct error *err)
{
    turn->job = runner_submit(turn->runner, &turn->spec, &turn->listener, err);
    if (!turn->job)
        return false;
    turn->n_running = turn->spec.n_candidates;
    turn->n_pending += turn->n_running;
    return true;
}

static void on_decided(bool yes, const struct error *error, void *arg)
{
    struct turn *turn = arg;
    struct error err;
    turn->decision = NULL;
    turn->n_pending--;
    if (!turn->cancelled && error) {
        stop_turn(turn, FINISH_ERROR, error);
    } else if (!turn->cancelled) {
        if (!yes)
            choose(turn, turn->prompt.otherwise);
        if (!start_job(turn, &err))
            stop_turn(turn, FINISH_ERROR, &err);
    }
    settle(turn);
}

/* The question whether to call, where there is one, else the job. */
static bool start(struct turn *turn, struct error *err)
{
    const struct decide_request request = {
        .questions = turn->prompt.questions,
        .n_questions = turn->prompt.n_questions,
        .model = turn->chat->model,
        .exact = turn->chat->sampling.seeded,
    };
    if (request.n_questions == 0)
        return start_job(turn, err);
    turn->decision =
        decide_start(turn->runner, &request, turn->arena, on_decided, turn, err);
    turn->n_pending += turn->decision != NULL;
    return turn->decision != NULL;
}

static void obey(struct turn *turn, const struct verdict *verdict,
                 const struct error *error)
{
    struct error err;
    if (!verdict) {
        stop_turn(turn, FINISH_ERROR, error);
        return;
    }
    turn->verdict = *verdict;
    if (verdict_blocks_any(verdict, &turn->chat->safety))
        stop_turn(turn, FINISH_BLOCKED, NULL);
    else if (!start(turn, &err))
        stop_turn(turn, FINISH_ERROR, &err);
}

static void on_prompt_judged(const struct verdict *verdict, const struct error *error,
                             void *arg)
{
    struct turn *turn = arg;
    turn->judgement = NULL;
    turn->n_pending--;
    if (!turn->cancelled)
        obey(turn, verdict, error);
    settle(turn);
}

static void on_prompt_listed(void *arg)
{
    struct turn *turn = arg;
    struct error reason = listed();
    turn->n_pending--;
    if (!turn->cancelled)
        stop_turn(turn, FINISH_BLOCKED, &reason);
    settle(turn);
}

/* ---- the turn ---- */

/* The first stage that there is for this turn. */
static bool begin(struct turn *turn, struct error *err)
{
    const struct guard *guard = runner_guarded(turn->runner);
    if (guard->words && names_listed(turn->chat, guard->words)) {
        turn->n_pending++;
        loop_after(runner_loop(turn->runner), 0, on_prompt_listed, turn);
        return true;
    }
    struct text words = {0};
    if (is_judged(turn))
        words = last_words(turn->chat, turn->arena);
    if (words.len == 0)
        return start(turn, err);
    turn->judgement = judge(turn, words, on_prompt_judged, turn, err);
    return turn->judgement != NULL;
}

struct turn *turn_start(struct runner *runner, const struct chat *chat,
                        const struct prompt *prompt, struct arena *arena,
                        void (*on)(const struct turn_event *event, void *arg), void *arg,
                        struct error *err)
{
    if (!all_fit(runner_engine(runner), prompt, err))
        return NULL;
    size_t n = chat->n_candidates > 1 ? (size_t)chat->n_candidates : 1;
    struct turn *turn = arena_alloc(arena, sizeof *turn + n * sizeof *turn->voices);
    *turn = (struct turn){
        .listener = {on_event},
        .runner = runner,
        .chat = chat,
        .prompt = *prompt,
        .arena = arena,
        .on = on,
        .arg = arg,
        .n_left = (int)n,
        .n_prompt = prompt->n_tokens,
    };
    choose(turn, prompt);
    return begin(turn, err) ? turn : NULL;
}

void turn_cancel(struct turn *turn)
{
    if (turn->cancelled)
        return;
    turn->cancelled = true;
    if (turn->job)
        engine_cancel(turn->job);
    if (turn->judgement)
        judge_cancel(turn->judgement);
    if (turn->decision)
        decide_cancel(turn->decision);
    for (int i = 0; i < turn->spec.n_candidates; i++)
        if (turn->voices[i].judgement)
            judge_cancel(turn->voices[i].judgement);
}

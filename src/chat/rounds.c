/* rounds.c - an answer: turns of the model, and the server's own tools between them.
 *
 * A tool's result belongs right behind its call, and a model may say more behind a call.
 * So what a turn says behind its first call of a tool is held until the turn is over and
 * the tools have run, one after the other: call, result, call, result, words.
 *
 * What further rounds need lies in an arena of its own. It is the worker's while a worker
 * is at work, and the loop's else; the request's arena is the loop's always.
 *
 * R1  Either a turn runs, or a worker is at work, or `last` was told.
 * R2  Every call that was told of gets its result, unless the answer was cancelled or the
 *     turn failed. */
#include "chat/rounds.h"
#include "base/buf.h"
#include "base/loop.h"

struct held {
    struct turn_event event; /* TURN_PART; what it points to is copied */
    struct part part;
};

struct list {
    void *at;
    int n, room;
};

struct rounds {
    struct work work; /* first: a worker's message is the rounds */
    struct rounds_spec spec;
    struct arena *arena; /* of further rounds; NULL: there are no tools */
    struct chat chat;
    struct prompt prompt;
    struct turn *turn; /* NULL: none runs */
    bool cancelled;
    atomic_bool stop; /* the same, for the worker */
    int n_rounds;     /* that are over, with calls of the model's */
    bool opening;     /* calls are under way that the model did not ask for */
    int64_t until_ms; /* all tools must be done by then */

    /* of the round under way */
    struct list said;    /* struct part: all of it, for the next prompt */
    struct buf words;    /* the last of it, TEXT or THOUGHT, still growing */
    struct list held;    /* struct held: from the first call of a tool on */
    struct list results; /* struct part */
    int at;              /* of held: what is before was told and run */
    bool client_called, too_many;
    struct turn_event end;
    struct error end_error;
    struct tool_result result;
    struct text said_result;
    struct list sources;   /* const struct tool_sources *: of all rounds */
    struct buf last_words; /* text in one piece, behind the last result */
    enum finish finish;    /* of the end that waits for its grounds */
    const struct grounding *grounding;
    int n_said_result; /* tokens */
    bool good;         /* the next prompt; else err says why not */
    struct error err;

    /* of the rounds before */
    int n_prompt, n_cached, n_output, n_thought, n_tools;
    int64_t queued_us, prefill_us, decode_us;
    struct verdict prompt_verdict, verdict;
};

static void *add(struct list *list, struct arena *arena, size_t size)
{
    if (list->n == list->room) {
        list->room = list->room ? list->room * 2 : 8;
        char *more = arena_alloc(arena, (size_t)list->room * size);
        if (list->n > 0)
            memcpy(more, list->at, (size_t)list->n * size);
        list->at = more;
    }
    return (char *)list->at + (size_t)list->n++ * size;
}

/* ---- telling ---- */

static void note_words(struct rounds *r, const struct part *part)
{
    if (part->kind == PART_TEXT)
        buf_text(&r->last_words, part->text);
    else if (part->kind == PART_RESULT || part->kind == PART_THOUGHT)
        buf_clear(&r->last_words); /* what comes is another part, or step */
}

static void tell(struct rounds *r, struct turn_event event)
{
    if (event.kind == TURN_PART)
        note_words(r, event.part);
    event.n_prompt = r->n_prompt;
    event.n_cached = r->n_cached;
    event.n_output += r->n_output;
    event.n_thought += r->n_thought;
    event.n_tools = r->n_tools;
    event.prompt_verdict = &r->prompt_verdict;
    event.verdict = &r->verdict;
    r->spec.on(&event, r->spec.arg);
}

static void tell_end(struct rounds *r, enum finish finish, const struct error *error)
{
    struct turn_event event = r->end;
    event.kind = TURN_END;
    event.finish = finish;
    event.error = error;
    event.last = true;
    event.n_output = event.n_thought = 0; /* counted already */
    event.queued_us = r->queued_us;
    event.prefill_us = r->prefill_us;
    event.decode_us = r->decode_us;
    tell(r, event);
}

/* ---- what it rests on ---- */

static void push(struct rounds *r, void (*run)(struct work *),
                 void (*done)(struct work *))
{
    r->work.run = run;
    r->work.done = done;
    workers_push(r->spec.box->workers, &r->work);
}

/* The worker's. */
static void ground(struct work *work)
{
    struct rounds *r = (struct rounds *)work;
    const struct toolbox *box = r->spec.box;
    r->grounding =
        box->ground(box, buf_view(&r->last_words), r->sources.at, r->sources.n, r->arena);
}

static void tell_grounds(struct work *work)
{
    struct rounds *r = (struct rounds *)work;
    const struct part part = {.kind = PART_GROUNDS, .grounding = r->grounding};
    if (r->cancelled) {
        tell_end(r, FINISH_CANCELLED, NULL);
        return;
    }
    if (r->grounding)
        tell(r, (struct turn_event){.kind = TURN_PART, .part = &part});
    tell_end(r, r->finish, NULL);
}

/* An end that nothing went wrong at. */
static void end_well(struct rounds *r, enum finish finish)
{
    bool well = finish == FINISH_STOP || finish == FINISH_MAX_TOKENS;
    if (!well || r->sources.n == 0 || !r->spec.box->ground) {
        tell_end(r, finish, r->end.error);
        return;
    }
    r->finish = finish;
    push(r, ground, tell_grounds);
}

/* ---- what a turn says ---- */

/* NULL: the call is not of a tool. */
static const struct function *tool_called(const struct rounds *r, const struct part *part)
{
    for (int i = 0; part->kind == PART_CALL && i < r->chat.n_functions; i++)
        if (r->chat.functions[i].tool && text_same(r->chat.functions[i].name, part->name))
            return &r->chat.functions[i];
    return NULL;
}

static struct part copy_part(struct rounds *r, const struct part *from)
{
    return (struct part){
        .kind = from->kind,
        .text = arena_text(r->arena, from->text),
        .id = arena_text(r->arena, from->id),
        .name = arena_text(r->arena, from->name),
        .json = arena_text(r->arena, from->json),
        .tool = from->tool,
    };
}

static void end_words(struct rounds *r)
{
    struct part *parts = r->said.at;
    if (r->words.len > 0)
        parts[r->said.n - 1].text = arena_text(r->arena, buf_view(&r->words));
    buf_clear(&r->words);
}

static void keep(struct rounds *r, const struct part *part)
{
    struct part *parts = r->said.at;
    bool words = part->kind == PART_TEXT || part->kind == PART_THOUGHT;
    bool goes_on = words && r->words.len > 0 && parts[r->said.n - 1].kind == part->kind;
    if (!goes_on) {
        end_words(r);
        struct part *to = add(&r->said, r->arena, sizeof *to);
        if (words)
            *to = (struct part){.kind = part->kind};
        else
            *to = copy_part(r, part);
    }
    if (words)
        buf_text(&r->words, part->text);
}

static void hold(struct rounds *r, const struct turn_event *event)
{
    struct held *held = add(&r->held, r->arena, sizeof *held);
    held->event = *event;
    held->part = copy_part(r, event->part);
    held->event.steps = turn_copy_steps(event, r->arena);
}

static void on_part(struct rounds *r, const struct turn_event *event)
{
    if (event->part->piece) { /* of a client's call; what is held is told whole */
        if (r->held.n == 0)
            tell(r, *event);
        return;
    }
    const struct function *function = tool_called(r, event->part);
    struct part part = *event->part;
    struct turn_event with = *event;
    part.tool = function ? function->tool : NULL;
    with.part = &part;
    r->client_called = r->client_called || (part.kind == PART_CALL && !function);
    if (function && r->n_rounds >= r->spec.box->rounds) {
        r->too_many = true; /* a grammar would not let it */
        return;
    }
    if (function && function->tool->mend)
        part.json = function->tool->mend(part.json, r->arena);
    keep(r, &part);
    bool first = r->held.n == 0;
    if (function || !first)
        hold(r, &with);
    if (first)
        tell(r, with);
}

/* ---- from turn to turn ---- */

static void go_on(struct rounds *r);

static void count(struct rounds *r, const struct turn_event *event)
{
    r->n_output += event->n_output;
    r->n_thought += event->n_thought;
    r->queued_us += event->queued_us;
    r->prefill_us += event->prefill_us;
    r->decode_us += event->decode_us;
    verdict_add(&r->verdict, event->verdict);
}

/* The prompt of the first round is the request's, and what an opening added a tool's. */
static void count_prompt(struct rounds *r, const struct turn_event *event)
{
    int n_asked = r->spec.prompt->n_tokens;
    if (r->n_rounds > 0)
        return;
    r->n_prompt = event->n_prompt < n_asked ? event->n_prompt : n_asked;
    r->n_cached = event->n_cached < r->n_prompt ? event->n_cached : r->n_prompt;
    r->prompt_verdict = *event->prompt_verdict;
}

static void on_end(struct rounds *r, const struct turn_event *event)
{
    bool runs = event->finish == FINISH_STOP || event->finish == FINISH_MAX_TOKENS;
    r->turn = NULL;
    r->end = *event;
    if (event->error)
        r->end_error = *event->error;
    r->end.error = event->error ? &r->end_error : NULL;
    r->end.too_many_calls = r->too_many;
    count(r, event);
    if (runs && r->held.n > 0 && !r->cancelled) {
        r->end.steps = turn_copy_steps(event, r->arena);
        go_on(r);
    } else if (event->finish == FINISH_BLOCKED && r->n_rounds > 0) {
        tell_end(r, FINISH_SAFETY,
                 r->end.error); /* what a tool gave; there is an answer */
    } else if (r->cancelled) {
        tell_end(r, event->finish, r->end.error);
    } else {
        end_well(r, event->finish);
    }
}

static void on_turn(const struct turn_event *event, void *arg)
{
    struct rounds *r = arg;
    count_prompt(r, event);
    if (event->kind == TURN_END)
        on_end(r, event);
    else if (!r->cancelled)
        on_part(r, event);
}

/* ---- running tools ---- */

/* The worker's. */
static void run_tool(struct work *work)
{
    struct rounds *r = (struct rounds *)work;
    const struct held *held = (struct held *)r->held.at + r->at;
    const struct function *function = tool_called(r, &held->part);
    int64_t until = now_ms() + (int64_t)r->spec.box->call_s * 1000;
    const struct tool_call call = {
        .args = held->part.json,
        .settings = function->settings,
        .until_ms = until < r->until_ms ? until : r->until_ms,
        .cancelled = &r->stop,
        .arena = r->arena,
    };
    r->result = (struct tool_result){.words = TEXT("")};
    function->tool->run(function->tool, &call, &r->result);
    r->said_result = tool_said(r->result.words, r->result.outcome != TOOL_OK, r->arena);
    r->n_said_result =
        engine_tokenize(runner_engine(r->spec.runner), r->said_result, false, NULL, 0);
}

static void end_tool(struct work *work)
{
    struct rounds *r = (struct rounds *)work;
    if (r->cancelled) {
        tell_end(r, FINISH_CANCELLED, NULL);
        return;
    }
    const struct held *held = (struct held *)r->held.at + r->at++;
    r->n_tools += r->n_said_result;
    struct part *part = add(&r->results, r->arena, sizeof *part);
    *part = (struct part){
        .kind = PART_RESULT,
        .id = held->part.id,
        .name = held->part.name,
        .json = r->said_result,
        .tool = held->part.tool,
        .result = &r->result,
    };
    tell(r, (struct turn_event){.kind = TURN_PART, .part = part});
    part->result = NULL;
    if (r->result.sources)
        *(const struct tool_sources **)add(&r->sources, r->arena, sizeof(void *)) =
            r->result.sources;
    go_on(r);
}

/* ---- the next prompt ---- */

/* What the chat has said so far, with what this round adds: the model's turn goes on in
 * the last one, if that is the model's. */
static void grow(struct rounds *r)
{
    int n = r->chat.n_turns, n_before = 0;
    struct turn_of *turns = arena_array(r->arena, struct turn_of, (size_t)n + 2);
    struct turn_of *last = NULL;
    memcpy(turns, r->chat.turns, sizeof *turns * (size_t)n);
    if (n > 0 && turns[n - 1].role == ROLE_MODEL)
        last = &turns[n - 1];
    n_before = last ? last->n_parts : 0;
    struct part *parts =
        arena_array(r->arena, struct part, (size_t)(n_before + r->said.n) + 1);
    if (n_before > 0)
        memcpy(parts, last->parts, sizeof *parts * (size_t)n_before);
    if (r->said.n > 0)
        memcpy(parts + n_before, r->said.at, sizeof *parts * (size_t)r->said.n);
    if (!last)
        last = &turns[n++];
    *last = (struct turn_of){ROLE_MODEL, parts, n_before + r->said.n};
    turns[n++] = (struct turn_of){ROLE_USER, r->results.at, r->results.n};
    r->chat.turns = turns;
    r->chat.n_turns = n;
    r->chat.n_rows = 0; /* the engine has them, and whoever held them may have let go */
}

/* Which functions may be called from now on. A tool that was called is what mode ANY
 * wanted, unless there are functions of the client's. */
static void bar(struct rounds *r)
{
    struct function *functions =
        arena_array(r->arena, struct function, (size_t)r->chat.n_functions + 1);
    bool others = false;
    for (int i = 0; i < r->chat.n_functions; i++) {
        functions[i] = r->chat.functions[i];
        if (functions[i].tool && r->n_rounds >= r->spec.box->rounds)
            functions[i].barred = true;
        others = others || (!functions[i].tool && !functions[i].barred);
    }
    r->chat.functions = functions;
    if (r->chat.calling == CALLING_ANY && !others)
        r->chat.calling = CALLING_AUTO;
}

static void make_prompt(struct work *work)
{
    struct rounds *r = (struct rounds *)work;
    r->good = prompt_make(runner_prompter(r->spec.runner), &r->chat, r->arena, &r->prompt,
                          &r->err);
}

static void clear_round(struct rounds *r)
{
    r->said = r->held = r->results = (struct list){0};
    r->at = 0;
}

static void next_turn(struct work *work)
{
    struct rounds *r = (struct rounds *)work;
    int n_ctx = engine_info(runner_engine(r->spec.runner))->n_ctx;
    if (r->cancelled) {
        tell_end(r, FINISH_CANCELLED, NULL);
        return;
    }
    if (!r->good) {
        tell_end(r, FINISH_ERROR, &r->err);
        return;
    }
    if (r->prompt.n_tokens > n_ctx - 1) { /* the context's end is an answer's, too */
        end_well(r, FINISH_MAX_TOKENS);
        return;
    }
    clear_round(r);
    r->turn =
        turn_start(r->spec.runner, &r->chat, &r->prompt, r->arena, on_turn, r, &r->err);
    if (!r->turn)
        tell_end(r, FINISH_ERROR, &r->err);
}

/* All tools of the round have run. */
static void end_round(struct rounds *r)
{
    int most = r->spec.chat->max_tokens;
    if (r->client_called || r->end.finish == FINISH_MAX_TOKENS || r->too_many) {
        end_well(r, r->end.finish);
        return;
    }
    if (most > 0 && r->n_output >= most) {
        end_well(r, FINISH_MAX_TOKENS);
        return;
    }
    r->n_rounds += !r->opening;
    r->opening = false;
    r->chat.max_tokens = most > 0 ? most - r->n_output : 0;
    end_words(r);
    grow(r);
    bar(r);
    push(r, make_prompt, next_turn);
}

/* Tells what is held, up to the next call to be run. */
static void go_on(struct rounds *r)
{
    struct held *held = r->held.at;
    for (; r->at < r->held.n; r->at++) {
        struct held *it = &held[r->at];
        it->event.part = &it->part;
        it->event.n_output = it->event.n_thought = 0; /* counted with the turn's end */
        if (r->at > 0)
            tell(r, it->event);
        if (it->part.tool) {
            push(r, run_tool, end_tool);
            return;
        }
    }
    end_round(r);
}

/* ---- the door ---- */

static void close_rounds(void *arg)
{
    struct rounds *r = arg;
    buf_free(&r->words);
    buf_free(&r->last_words);
    arena_close(r->arena);
}

/* What the user has just said: texts of the last turn, if it is the user's. */
static struct text just_said(const struct chat *chat, struct arena *arena)
{
    const struct turn_of *last = chat->n_turns ? &chat->turns[chat->n_turns - 1] : NULL;
    struct buf text = {0};
    for (int i = 0; last && last->role == ROLE_USER && i < last->n_parts; i++)
        if (last->parts[i].kind == PART_TEXT && !last->parts[i].media) {
            buf_text(&text, last->parts[i].text);
            buf_char(&text, '\n');
        }
    struct text said = arena_text(arena, buf_view(&text));
    buf_free(&text);
    return said;
}

/* Holds the calls that what was said asks for by itself. */
static bool find_openings(struct rounds *r)
{
    struct text said = just_said(&r->chat, r->arena);
    bool may = said.at && r->chat.calling != CALLING_NONE;
    for (int i = 0; may && i < r->chat.n_functions; i++) {
        const struct function *function = &r->chat.functions[i];
        struct text args = {0};
        if (function->tool && function->tool->begin && !function->barred)
            args = function->tool->begin(said, r->arena);
        if (!args.at)
            continue;
        const struct part call = {.kind = PART_CALL,
                                  .name = function->name,
                                  .json = args,
                                  .tool = function->tool};
        keep(r, &call);
        hold(r, &(struct turn_event){.kind = TURN_PART, .part = &call});
    }
    return r->held.n > 0;
}

static void do_nothing(struct work *work)
{
    (void)work;
}

/* As if the model had called: its prompt is made when the results are there. */
static void begin_opening(struct work *work)
{
    struct rounds *r = (struct rounds *)work;
    struct held *first = r->held.at;
    if (r->cancelled) {
        tell_end(r, FINISH_CANCELLED, NULL);
        return;
    }
    r->end.finish = FINISH_STOP;
    first->event.part = &first->part;
    tell(r, first->event);
    go_on(r);
}

static bool has_tools(const struct rounds_spec *spec)
{
    for (int i = 0; spec->box && i < spec->chat->n_functions; i++)
        if (spec->chat->functions[i].tool)
            return true;
    return false;
}

struct rounds *rounds_start(const struct rounds_spec *spec, struct error *err)
{
    struct rounds *r = arena_new(spec->arena, struct rounds);
    r->spec = *spec;
    if (!has_tools(spec)) {
        r->turn = turn_start(spec->runner, spec->chat, spec->prompt, spec->arena,
                             spec->on, spec->arg, err);
        return r->turn ? r : NULL;
    }
    r->arena = arena_open();
    arena_defer(spec->arena, close_rounds, r);
    r->chat = *spec->chat;
    r->until_ms = now_ms() + (int64_t)spec->box->answer_s * 1000;
    int n_ctx = engine_info(runner_engine(spec->runner))->n_ctx;
    bool fits = spec->prompt->n_tokens < n_ctx; /* else the turn says so */
    r->opening = fits && find_openings(r);
    if (r->opening) {
        r->n_prompt = spec->prompt->n_tokens;
        push(r, do_nothing, begin_opening); /* nothing is told before this has returned */
        return r;
    }
    r->turn = turn_start(spec->runner, &r->chat, spec->prompt, r->arena, on_turn, r, err);
    return r->turn ? r : NULL;
}

void rounds_cancel(struct rounds *r)
{
    r->cancelled = true;
    atomic_store(&r->stop, true);
    if (r->turn)
        turn_cancel(r->turn);
}

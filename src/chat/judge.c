/* judge.c - asks a model what harm a text does.
 *
 * A long text is looked at through windows that overlap, so that a question always fits
 * into the context and a small model is not lost in it. In each window the questions are
 * asked one after the other, and the text stands in front of the question: all but the
 * first find the text's rows in the engine's cache, and cost a few tokens each. When a
 * window has a harm that is blocked, the windows after it are not opened.
 *
 * A small model's word for sure depends on the question; the probability of Yes does so
 * much less once a cut is chosen for each harm (safety.c), which is why no grammar holds
 * the answer: the distribution is the answer. */
#include "chat/judge.h"
#include "base/log.h"
#include <math.h>
#include <stdlib.h>

enum {
    WINDOW = 3000,  /* bytes */
    OVERLAP = 10,   /* a tenth of a window */
    QUESTION = 300, /* tokens, at most, of everything but the text */
    LEAST_WINDOW = 100,
    N_TOP = 20,
};

#define UNDECIDED 0.5

struct judgement {
    struct listener listener; /* first: the runner's */
    struct runner *judge;
    struct arena *arena;
    struct judge_request request;
    void (*on)(const struct verdict *verdict, const struct error *error, void *arg);
    void *arg;
    bool cancelled;
    struct job *job;

    size_t from, to; /* the window */
    enum harm harm;  /* that is asked for */
    double yes;      /* the answer; < 0: none yet */
    struct verdict verdict;
    int64_t since_us;
};

/* ---- the answer ---- */

static bool spells(struct text token, const char *word)
{
    while (token.len > 0 && (token.at[0] == ' ' || token.at[0] == '\n'))
        token = text_slice(token, 1, token.len);
    return text_is_nocase(token, word);
}

/* What is not among the likeliest has what the others leave over. */
double judge_yes(const struct token_step *step)
{
    double yes = 0, no = 0;
    for (int i = 0; i < step->n_top; i++) {
        double p = exp((double)step->top[i].logprob);
        if (spells(step->top[i].text, "yes"))
            yes += p;
        else if (spells(step->top[i].text, "no"))
            no += p;
    }
    if (yes > 0 && no > 0)
        return yes / (yes + no);
    if (yes > 0)
        return yes;
    return no > 0 ? 1 - no : UNDECIDED;
}

/* ---- the question ---- */

/* The harm at or after `harm` that the request asks for; N_HARMS: none. */
static enum harm next_harm(const struct safety *safety, enum harm harm)
{
    while (harm < N_HARMS && safety->block_from[harm] == LEVEL_NONE)
        harm++;
    return harm;
}

static struct text question(const struct judgement *j, struct arena *arena)
{
    struct text shown = text_slice(j->request.text, j->from, j->to);
    return arena_printf(arena, "Text:\n\"\"\"\n%.*s\n\"\"\"\n\n%s Answer Yes or No.",
                        TEXT_ARG(shown), safety_question(j->harm));
}

static bool ask(struct judgement *j, struct error *err)
{
    struct arena *arena = arena_open();
    struct part part = {.kind = PART_TEXT, .text = question(j, arena)};
    struct turn_of turn = {ROLE_USER, &part, 1};
    struct chat chat = {
        .model = j->request.model,
        .system = TEXT("You are a content moderator. You read a text and answer a "
                       "question about it with Yes or No."),
        .turns = &turn,
        .n_turns = 1,
        .n_candidates = 1,
    };
    struct prompt prompt;
    bool good = prompt_text(runner_prompter(j->judge), &chat, arena, &prompt, err);
    if (good) {
        struct job_spec spec = {
            .tokens = prompt.tokens,
            .n_tokens = prompt.n_tokens,
            .prompt = prompt.text,
            .model = j->request.model,
            .n_candidates = 1,
            .max_tokens = 1,
            .sampling = {.top_p = 1, .seeded = j->request.exact, .n_top = N_TOP},
        };
        j->yes = -1;
        j->since_us = now_us();
        j->job = runner_submit(j->judge, &spec, &j->listener, err);
        good = j->job != NULL;
    }
    arena_close(arena);
    return good;
}

/* ---- the windows ---- */

static size_t char_start(struct text text, size_t at)
{
    while (at > 0 && at < text.len && (text.at[at] & 0xc0) == 0x80)
        at--;
    return at;
}

/* A token has a byte at least, so what fits in bytes fits in tokens. */
static size_t window_size(const struct judgement *j)
{
    int room = engine_info(runner_engine(j->judge))->n_ctx - QUESTION;
    if (room > WINDOW)
        return WINDOW;
    return room < LEAST_WINDOW ? LEAST_WINDOW : (size_t)room;
}

static void open_window(struct judgement *j, size_t from)
{
    struct text text = j->request.text;
    size_t size = window_size(j);
    j->from = char_start(text, from);
    j->to = text.len - j->from <= size ? text.len : char_start(text, j->from + size);
    j->harm = next_harm(&j->request.safety, 0);
}

/* ---- going on ---- */

static void finish(struct judgement *j, const struct verdict *verdict,
                   const struct error *error)
{
    j->on(verdict, error, j->arg);
    arena_close(j->arena);
}

static void note_answer(struct judgement *j)
{
    struct verdict found = {0};
    found.levels[j->harm] = safety_level(j->harm, j->yes);
    verdict_add(&j->verdict, &found);
    log_line(LOG_DEBUG, "judge", "harm=%s bytes=%zu yes=%.4f ms=%.3f",
             safety_name(j->harm), j->to - j->from, j->yes,
             (double)(now_us() - j->since_us) / 1000);
    j->harm = next_harm(&j->request.safety, j->harm + 1);
}

/* The next question, or the next window's first; false: there is none. */
static bool move_on(struct judgement *j)
{
    if (j->harm < N_HARMS)
        return true;
    if (j->to == j->request.text.len ||
        verdict_blocks_any(&j->verdict, &j->request.safety))
        return false;
    open_window(j, j->to - window_size(j) / OVERLAP);
    return true;
}

static void on_event(struct listener *self, const struct job_event *event)
{
    struct judgement *j = (struct judgement *)self;
    if (event->n_steps > 0 && j->yes < 0)
        j->yes = judge_yes(&event->steps[0]);
    if (event->kind != JOB_END)
        return;
    struct error err = event->error;
    engine_release(j->job);
    j->job = NULL;
    if (j->yes < 0 && event->finish <= FINISH_MAX_TOKENS)
        j->yes = UNDECIDED; /* it said nothing at all */
    bool good = !j->cancelled && j->yes >= 0;
    if (good) {
        note_answer(j);
        if (!move_on(j)) {
            finish(j, &j->verdict, NULL);
            return;
        }
        good = ask(j, &err);
    } else if (j->cancelled || event->finish == FINISH_CANCELLED) {
        error_set(&err, ERROR_CANCELLED, "The operation was cancelled.");
    } else if (event->finish != FINISH_ERROR) {
        error_set(&err, ERROR_INTERNAL, "The model that judges did not answer.");
    }
    if (!good)
        finish(j, NULL, &err);
}

/* ---- from outside ---- */

struct judgement *judge_start(struct runner *judge, const struct judge_request *request,
                              void (*on)(const struct verdict *verdict,
                                         const struct error *error, void *arg),
                              void *arg, struct error *err)
{
    struct arena *arena = arena_open();
    struct judgement *j = arena_new(arena, struct judgement);
    j->listener.on = on_event;
    j->judge = judge;
    j->arena = arena;
    j->request = *request;
    j->request.text = arena_text(arena, request->text);
    j->request.model = arena_text(arena, request->model);
    j->on = on;
    j->arg = arg;
    open_window(j, 0);
    if (j->harm < N_HARMS && ask(j, err))
        return j;
    arena_close(arena);
    return NULL;
}

void judge_cancel(struct judgement *j)
{
    if (j->cancelled)
        return;
    j->cancelled = true;
    if (j->job)
        engine_cancel(j->job);
}

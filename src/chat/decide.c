#include "chat/decide.h"
#include "base/log.h"
#include "chat/judge.h"

struct decision {
    struct listener listener; /* first: the runner's */
    struct runner *runner;
    struct decide_request request;
    struct job *job;
    void (*on)(bool yes, const struct error *error, void *arg);
    void *arg;
    int asked;  /* the question under way */
    double yes; /* its answer; < 0: nothing was said yet */
    bool cancelled;
};

static bool ask(struct decision *d, struct error *err)
{
    const struct prompt *question = &d->request.questions[d->asked];
    const struct job_spec spec = {
        .tokens = question->tokens,
        .n_tokens = question->n_tokens,
        .prompt = question->text,
        .model = d->request.model,
        .n_candidates = 1,
        .max_tokens = 1,
        .sampling = {.top_p = 1, .seeded = d->request.exact, .n_top = 20},
    };
    d->yes = -1;
    d->job = runner_submit(d->runner, &spec, &d->listener, err);
    return d->job != NULL;
}

static bool is_yes(const struct decision *d)
{
    return d->yes >= d->request.questions[d->asked].yes_from;
}

/* The answer to one question. True: there is no more to ask. */
static bool take_answer(struct decision *d)
{
    log_line(LOG_DEBUG, "decide", "question=%d of=%d yes=%.4f", d->asked + 1,
             d->request.n_questions, d->yes);
    if (is_yes(d) || d->asked + 1 == d->request.n_questions)
        return true;
    d->asked++;
    return false;
}

static void on_event(struct listener *self, const struct job_event *event)
{
    struct decision *d = (struct decision *)self;
    if (event->n_steps > 0 && d->yes < 0)
        d->yes = judge_yes(&event->steps[0]);
    if (event->kind != JOB_END)
        return;
    engine_release(d->job);
    d->job = NULL;
    struct error err = event->error;
    bool answered = event->finish <= FINISH_MAX_TOKENS;
    if (d->cancelled || event->finish == FINISH_CANCELLED)
        error_set(&err, ERROR_CANCELLED, "The operation was cancelled.");
    else if (answered && take_answer(d)) {
        d->on(is_yes(d), NULL, d->arg);
        return;
    } else if (answered && ask(d, &err)) {
        return;
    } else if (!answered && event->finish != FINISH_ERROR) {
        error_set(&err, ERROR_INTERNAL, "The model did not say whether to call.");
    }
    d->on(false, &err, d->arg);
}

struct decision *decide_start(struct runner *runner, const struct decide_request *request,
                              struct arena *arena,
                              void (*on)(bool yes, const struct error *error, void *arg),
                              void *arg, struct error *err)
{
    struct decision *d = arena_new(arena, struct decision);
    *d = (struct decision){
        .listener = {on_event},
        .runner = runner,
        .request = *request,
        .on = on,
        .arg = arg,
    };
    return ask(d, err) ? d : NULL;
}

void decide_cancel(struct decision *d)
{
    d->cancelled = true;
    if (d->job)
        engine_cancel(d->job);
}

#include "chat/decide.h"
#include "base/log.h"
#include "chat/judge.h"

struct decision {
    struct listener listener; /* first: the runner's */
    struct job *job;
    void (*on)(double yes, const struct error *error, void *arg);
    void *arg;
    double yes; /* < 0: nothing was said yet */
    bool cancelled;
};

static void on_event(struct listener *self, const struct job_event *event)
{
    struct decision *d = (struct decision *)self;
    if (event->n_steps > 0 && d->yes < 0)
        d->yes = judge_yes(&event->steps[0]);
    if (event->kind != JOB_END)
        return;
    engine_release(d->job);
    struct error err = event->error;
    if (d->cancelled || event->finish == FINISH_CANCELLED)
        error_set(&err, ERROR_CANCELLED, "The operation was cancelled.");
    else if (event->finish <= FINISH_MAX_TOKENS) {
        log_line(LOG_DEBUG, "decide", "yes=%.4f", d->yes);
        d->on(d->yes > 0 ? d->yes : 0, NULL, d->arg);
        return;
    } else if (event->finish != FINISH_ERROR)
        error_set(&err, ERROR_INTERNAL, "The model did not say whether to call.");
    d->on(0, &err, d->arg);
}

struct decision *decide_start(struct runner *runner, const struct decide_request *request,
                              struct arena *arena,
                              void (*on)(double yes, const struct error *error,
                                         void *arg),
                              void *arg, struct error *err)
{
    const struct prompt *question = request->question;
    struct decision *d = arena_new(arena, struct decision);
    *d = (struct decision){.listener = {on_event}, .on = on, .arg = arg, .yes = -1};
    const struct job_spec spec = {
        .tokens = question->tokens,
        .n_tokens = question->n_tokens,
        .prompt = question->text,
        .model = request->model,
        .n_candidates = 1,
        .max_tokens = 1,
        .sampling = {.top_p = 1, .seeded = request->exact, .n_top = 20},
    };
    d->job = runner_submit(runner, &spec, &d->listener, err);
    return d->job ? d : NULL;
}

void decide_cancel(struct decision *d)
{
    d->cancelled = true;
    engine_cancel(d->job);
}

/* runner.c - brings an engine's events to whoever they are for, on the loop. */
#include "chat/runner.h"
#include <stdlib.h>
#include <sys/epoll.h>

struct runner {
    struct loop *loop;
    struct watch *watch;
    struct queue *queue;
    struct engine *engine;
    struct prompter *prompter;
    struct guard guard;
};

static void on_ready(void *arg, uint32_t events)
{
    (void)events;
    struct runner *runner = arg;
    for (struct message *m = queue_take(runner->queue), *next; m; m = next) {
        next = m->next;
        struct job_event *event = (struct job_event *)m;
        struct listener *listener = event->user;
        listener->on(listener, event);
        free(event);
    }
}

struct runner *runner_open(struct loop *loop, struct engine *engine, struct error *err)
{
    struct runner *r = mem_alloc(sizeof *r);
    r->loop = loop;
    r->engine = engine;
    r->guard.judge = engine_info(engine)->scripted ? NULL : r;
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

struct loop *runner_loop(struct runner *runner)
{
    return runner->loop;
}

struct engine *runner_engine(struct runner *runner)
{
    return runner->engine;
}

struct prompter *runner_prompter(struct runner *runner)
{
    return runner->prompter;
}

struct job *runner_submit(struct runner *runner, const struct job_spec *spec,
                          struct listener *listener, struct error *err)
{
    return engine_submit(runner->engine, spec, runner->queue, listener, err);
}

void runner_guard(struct runner *runner, const struct guard *guard)
{
    runner->guard = *guard;
}

const struct guard *runner_guarded(const struct runner *runner)
{
    return &runner->guard;
}

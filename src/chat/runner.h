/* runner.h - brings an engine's events to whoever they are for, on the loop.
 *
 * One per engine. It has the engine's one queue of events, which the loop watches, and
 * the engine's prompter. Turns (turn.h) and questions (judge.h) submit their jobs
 * through it. Everything happens on the loop's thread. */
#ifndef POLLUX_CHAT_RUNNER_H
#define POLLUX_CHAT_RUNNER_H

#include "base/loop.h"
#include "chat/blocklist.h"
#include "chat/prompt.h"

struct runner;

/* The first member of whoever submits a job. The event is valid during the call only. */
struct listener {
    void (*on)(struct listener *self, const struct job_event *event);
};

struct runner *runner_open(struct loop *loop, struct engine *engine, struct error *err);
void runner_close(struct runner *runner); /* all of its jobs must be over */
struct loop *runner_loop(struct runner *runner);
struct engine *runner_engine(struct runner *runner);
struct prompter *runner_prompter(struct runner *runner);

/* As engine_submit(); the job's events go to the listener. */
struct job *runner_submit(struct runner *runner, const struct job_spec *spec,
                          struct listener *listener, struct error *err);

/* What the turns of a runner are looked through for. Neither is owned. */
struct guard {
    struct runner *judge;          /* of the model that judges; NULL: nothing is judged */
    const struct blocklist *words; /* NULL: none are listed */
};

/* At first a real model judges itself, a script is not judged, and no word is listed. */
void runner_guard(struct runner *runner, const struct guard *guard);
const struct guard *runner_guarded(const struct runner *runner);

#endif

/* task.h - a call whose answer is made on another thread.
 *
 * What waits for the disk, or may take long, is not for the loop. It takes from the call
 * what is asked, a worker runs the task (decodes the body, acts, makes the text of the
 * answer), and back on the loop that is sent:
 *
 *     loop: task_open, task_start -> worker: run -> loop: done, then the answer
 *
 * done() may start the task anew, on other workers; the answer goes out after the last. A
 * task has an arena of its own, for its client may go while a worker has it, and dies
 * when its call is closed and nobody else holds it. Everything but run() and what is said
 * to be for it is the loop's. */
#ifndef POLLUX_API_TASK_H
#define POLLUX_API_TASK_H

#include "api/api.h"

struct task;

typedef bool task_run(struct task *task); /* false and task->err */
typedef void
task_done(struct task *task); /* it went well; perhaps nobody waits any more */

struct task {
    struct work work; /* first */
    struct arena *arena;
    struct api *api;
    struct call *call; /* NULL: closed. Not for run() */
    bool pretty;

    /* What is asked, copied: texts end in a NUL. */
    struct text id, sub; /* what the holes of the route stand for */
    struct text version, body;
    struct text who; /* api_caller's */
    struct text mask, token;
    int page_size; /* task_page's */

    void *own; /* of the file that handles it */
    struct error err;
    struct buf answer; /* empty at each run's beginning; empty in the end: none is sent */

    /* Set by whom it concerns, or NULL: nobody waits any more, called once. */
    void (*left)(struct task *task);

    /* task.c's own. */
    task_run *run;
    task_done *done;
    struct workers *on;
    struct timer *later, *deadline;
    int n_holds, deadline_s;
    bool at_work, over, good;
};

struct task *task_open(struct call *call);

/* pageSize and pageToken. False: the call was answered with an error. */
bool task_page(struct task *task, int otherwise, int most);

/* The seconds that X-Server-Timeout gives the call count from now on. */
void task_deadline(struct task *task);

/* On a disk worker; on others; on a disk worker in a while. `done` may be NULL. */
void task_start(struct task *task, task_run *run, task_done *done);
void task_start_on(struct task *task, struct workers *on, task_run *run, task_done *done);
void task_start_later(struct task *task, int ms, task_run *run, task_done *done);

/* Whether somebody still waits for the answer. */
bool task_heard(const struct task *task);

/* Answers with the error, if somebody waits. */
void task_fail(struct task *task, const struct error *err);

/* For whoever has it besides calls and workers. */
void task_hold(struct task *task);
void task_let_go(struct task *task); /* it may be gone after that */

/* The answer, for run(). Always true. */
bool task_answer(struct task *task, const struct json_type *type, const void *message);
bool task_answer_nothing(struct task *task); /* {} */

/* What begins as so many calls do: task_open, task_start. */
void task_run_call(struct call *call, task_run *run, task_done *done);

#endif

/* job.h - a call whose answer is made on another thread.
 *
 * What waits for the disk, or may take long, is not for the loop. It takes from the call
 * what is asked, a worker runs the job (decodes the body, acts, makes the text of the
 * answer), and back on the loop that is sent:
 *
 *     loop: job_open, job_start -> worker: run -> loop: done, then the answer
 *
 * done() may start the job anew, on other workers; the answer goes out after the last. A
 * job has an arena of its own, for its client may go while a worker has it, and dies when
 * its call is closed and nobody else holds it. Everything but run() and what is said to
 * be for it is the loop's. */
#ifndef POLLUX_API_JOB_H
#define POLLUX_API_JOB_H

#include "api/api.h"

struct job;

typedef bool job_run(struct job *job);  /* false and job->err */
typedef void job_done(struct job *job); /* it went well; perhaps nobody waits any more */

struct job {
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
    int page_size; /* job_page's */

    void *own; /* of the file that handles it */
    struct error err;
    struct buf answer; /* empty at each run's beginning; empty in the end: none is sent */

    /* Set by whom it concerns, or NULL: nobody waits any more, called once. */
    void (*left)(struct job *job);

    /* job.c's own. */
    job_run *run;
    job_done *done;
    struct workers *on;
    struct timer *later, *deadline;
    int n_holds, deadline_s;
    bool at_work, over, good;
};

struct job *job_open(struct call *call);

/* pageSize and pageToken. False: the call was answered with an error. */
bool job_page(struct job *job, int otherwise, int most);

/* The seconds that X-Server-Timeout gives the call count from now on. */
void job_deadline(struct job *job);

/* On a disk worker; on others; on a disk worker in a while. `done` may be NULL. */
void job_start(struct job *job, job_run *run, job_done *done);
void job_start_on(struct job *job, struct workers *on, job_run *run, job_done *done);
void job_start_later(struct job *job, int ms, job_run *run, job_done *done);

/* Whether somebody still waits for the answer. */
bool job_heard(const struct job *job);

/* Answers with the error, if somebody waits. */
void job_fail(struct job *job, const struct error *err);

/* For whoever has it besides calls and workers. */
void job_hold(struct job *job);
void job_let_go(struct job *job); /* it may be gone after that */

/* The answer, for run(). Always true. */
bool job_answer(struct job *job, const struct json_type *type, const void *message);
bool job_answer_nothing(struct job *job); /* {} */

/* What begins as so many calls do: job_open, job_start. */
void job_run_call(struct call *call, job_run *run, job_done *done);

#endif

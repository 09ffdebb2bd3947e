/* job.h - `pollux train-job DIR`: one tuning job, in a process of its own.
 *
 * DIR/job.json says what to do; the field table in job.c is its description. "examples"
 * names a file of lines {"textInput": "...", "output": "..."}, relative to DIR; "base" is
 * a GGUF's path, and "adapter", when there, the GGUF of an adapter to start from.
 *
 * What happens is told on standard output, a JSON object a line, each flushed:
 *
 *   {"event":"start","totalSteps":19,"completedSteps":0}
 *   {"event":"step","step":1,"epoch":1,"meanLoss":1.9,"computeTime":"...","tokens":160}
 *   {"event":"done","adapter":"adapter.gguf"}
 *   {"event":"error","status":"INVALID_ARGUMENT","message":"..."}    and exit status 1
 *
 * DIR/checkpoint is written every now and then; started again on the same DIR, the job
 * goes on from there to the same numbers, telling again the steps after it. It may be
 * killed at any moment: what is in DIR is whole. Once DIR/adapter.gguf is there, the
 * checkpoint goes and the job is done, however often it is started. */
#ifndef POLLUX_TRAIN_JOB_H
#define POLLUX_TRAIN_JOB_H

int train_job(int argc, char **argv);

enum {
    TRAIN_TOKENS_MOST = 2048,     /* of an example */
    TRAIN_EXAMPLES_MOST = 100000, /* of a job */
};

#endif

/* job.h - `pollux train-job DIR`: one tuning job, in a process of its own.
 *
 * DIR/job.json says what to do (spec.h), and names a file of examples (examples.h). What
 * happens is told on standard output, a line at a time (event.h); after an error the exit
 * status is 1.
 *
 * DIR/checkpoint is written every now and then; started again on the same DIR, the job
 * goes on from there to the same numbers, telling again the steps after it. It may be
 * killed at any moment: what is in DIR is whole. Once DIR/adapter.gguf is there, the
 * checkpoint goes and the job is done, however often it is started. */
#ifndef POLLUX_TRAIN_JOB_H
#define POLLUX_TRAIN_JOB_H

int train_job(int argc, char **argv);

#endif

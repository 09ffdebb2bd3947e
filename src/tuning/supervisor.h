/* supervisor.h - runs the trainings that wait, a few at a time, each as a child process.
 *
 *     row CREATING -> asked for by a disk worker -> child -> its lines -> rows
 *
 * A training goes on where it was when its child dies, or the server does: the trainer
 * keeps checkpoints in its folder. One that dies again and again without a step more has
 * failed. All of it happens on the loop; what waits for the disk, on the disk workers. */
#ifndef POLLUX_TUNING_SUPERVISOR_H
#define POLLUX_TUNING_SUPERVISOR_H

#include "base/loop.h"
#include "tuning/tuning.h"

struct supervisor;

/* At most `most` trainings at once; 0: none, they wait. Nothing given is owned. */
struct supervisor *supervisor_open(struct loop *loop, struct workers *disk,
                                   struct tuning *tuning, int most);

/* Nothing new is begun; the children are asked to go. Their trainings go on with the next
 * server. To be called before the workers are closed, supervisor_close after. */
void supervisor_halt(struct supervisor *supervisor);  /* NULL is fine */
void supervisor_close(struct supervisor *supervisor); /* NULL is fine */

/* There may be something to do: a model was created. */
void supervisor_kick(struct supervisor *supervisor);

/* A training's operation has ended in the database (cancelled, deleted): stop the child
 * if there is one, then tidy up. */
void supervisor_stop(struct supervisor *supervisor, struct text operation);

#endif

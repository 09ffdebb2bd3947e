/* child.h - one trainer's process: started, asked to stop. Any thread. */
#ifndef POLLUX_TUNING_CHILD_H
#define POLLUX_TUNING_CHILD_H

#include "tuning/tuning.h"
#include <sys/types.h>

struct child {
    pid_t pid; /* 0: none */
    int out;   /* its standard output; does not block */
    int ended; /* readable when it has ended */
};

enum child_start {
    CHILD_STARTED,
    CHILD_BUSY, /* an earlier server's child still has the folder, and was asked to go */
    CHILD_FAILED,
};

/* Starts the trainer on a training's folder, with the lowest priority that a process can
 * have and still run. */
enum child_start child_start(const struct tuning *tuning, struct text operation,
                             struct child *child, struct error *err);

void child_signal(const struct child *child, int number);

/* Whether it has ended; then *status is waitpid's, and it must be forgotten. */
bool child_reap(struct child *child, int *status);

/* Closes what is open. The process must be gone. */
void child_forget(struct child *child);

/* Why it ended, in words that say what to do. */
void child_explain(const struct tuning *tuning, struct text operation, int status,
                   int64_t step, struct error *why);

#endif

/* child.h - runs another program and waits for it. */
#ifndef POLLUX_CLI_CHILD_H
#define POLLUX_CLI_CHILD_H

#include "base/buf.h"
#include "base/error.h"

/* argv[0] is looked up in PATH. `input` becomes its standard input (absent: none). With
 * `output` its standard output is collected there and its standard error is dropped;
 * NULL: both are ours. Ctrl-C reaches the child; we wait until it is gone. Returns its
 * exit status (128 + n after signal n), or -1 and err when it cannot be started. */
int child_run(const char *const *argv, struct text input, struct buf *output,
              struct error *err);

#endif

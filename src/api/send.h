/* send.h - the bytes of an open file to a client, in pieces.
 *
 * A disk worker reads one when the last has left, so that a slow client costs one piece
 * of memory, however long the file is. */
#ifndef POLLUX_API_SEND_H
#define POLLUX_API_SEND_H

#include "api/task.h"

struct send_range {
    int fd; /* stays open as long as the task's arena */
    int64_t from, end;
};

/* Begins the answer, on the loop; task->own is its from here on. Something must be there
 * to be sent. */
void send_file(struct task *task, int status, const char *type,
               const struct send_range *range);

#endif

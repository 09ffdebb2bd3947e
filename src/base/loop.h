/* loop.h - the one epoll: descriptors and timers.
 *
 * One thread runs it. Callbacks run on that thread and must not wait for anything. Adding
 * and removing, also of itself, is allowed inside a callback; a removed watch is never
 * called again. loop_stop may be called from any thread and from a signal handler. */
#ifndef POLLUX_BASE_LOOP_H
#define POLLUX_BASE_LOOP_H

#include "base/clock.h"
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct watch;
struct timer;

struct loop *loop_open(void);
void loop_close(struct loop *loop);
void loop_run(struct loop *loop); /* until loop_stop */
void loop_stop(struct loop *loop);

/* events: EPOLLIN, EPOLLOUT, EPOLLRDHUP... of <sys/epoll.h>. One watch per descriptor;
 * NULL and errno when the kernel refuses it (a plain file, say). */
struct watch *loop_watch(struct loop *loop, int fd, uint32_t events,
                         void (*ready)(void *arg, uint32_t events), void *arg);
void loop_unwatch(struct loop *loop, struct watch *watch);

/* Calls due(arg) once, after_ms from now. */
struct timer *loop_after(struct loop *loop, int64_t after_ms, void (*due)(void *arg),
                         void *arg);
void loop_cancel(struct loop *loop, struct timer *timer); /* not after it was due */

/* Called before each wait, to do what piled up and to say how long the wait may last:
 * milliseconds, or -1 for no limit. Of several the shortest wait counts. */
void loop_before_wait(struct loop *loop, int64_t (*prepare)(void *arg), void *arg);

#endif

/* drain.c - lets a client read our last words. */
#include "http/drain.h"
#include "base/arena.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    DRAINS_MOST = 64, /* more are closed at once, whatever becomes of the words */
    LONGEST_MS = 30000,
    SILENT_MS = 2000,
    BITE = 1024 * 1024,
};

struct drain {
    struct drains *drains;
    int fd;
    struct watch *watch;
    int64_t since_ms, heard_ms;
    struct drain *next, **at;
};

static void drain_close(struct drain *drain)
{
    loop_unwatch(drain->drains->loop, drain->watch);
    close(drain->fd);
    *drain->at = drain->next;
    if (drain->next)
        drain->next->at = drain->at;
    drain->drains->n--;
    free(drain);
}

static void throw_away(void *arg, uint32_t events)
{
    (void)events;
    struct drain *drain = arg;
    /* With MSG_TRUNC, TCP does not copy the bytes anywhere. */
    ssize_t n = recv(drain->fd, NULL, BITE, MSG_TRUNC | MSG_DONTWAIT);
    drain->heard_ms = now_ms();
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        drain_close(drain);
}

void drain_open(struct drains *drains, int fd)
{
    int copy = drains->n < DRAINS_MOST ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (copy < 0)
        return;
    struct drain *drain = mem_alloc(sizeof(*drain));
    *drain = (struct drain){
        .drains = drains,
        .fd = copy,
        .watch = loop_watch(drains->loop, copy, EPOLLIN, throw_away, drain),
        .since_ms = now_ms(),
        .heard_ms = now_ms(),
        .next = drains->first,
        .at = &drains->first,
    };
    if (drain->next)
        drain->next->at = &drain->next;
    drains->first = drain;
    drains->n++;
}

void drains_sweep(struct drains *drains)
{
    int64_t now = now_ms();
    for (struct drain *drain = drains->first, *next; drain; drain = next) {
        next = drain->next;
        if (now - drain->since_ms > LONGEST_MS || now - drain->heard_ms > SILENT_MS)
            drain_close(drain);
    }
}

void drains_close(struct drains *drains)
{
    for (struct drain *drain = drains->first, *next; drain; drain = next) {
        next = drain->next;
        drain_close(drain);
    }
}

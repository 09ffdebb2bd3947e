/* loop.c - the one epoll: descriptors and timers.
 *
 * A watch removed while its event may already lie in the batch being handled cannot be
 * freed at once: it is marked, and freed when the batch is done. Timers are a binary
 * heap; each knows its place in it, so that cancelling does not search. */
#include "base/loop.h"
#include "base/arena.h"
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, POLL_US = 100, SHORT_WAITS = 2 };

struct watch {
    int fd;
    bool removed;
    void (*ready)(void *arg, uint32_t events);
    void *arg;
    struct watch *next, **at; /* in the list of those alive, or of those removed */
};

struct timer {
    int64_t due_us;
    uint64_t number; /* of two that are due together the older goes first */
    size_t place;    /* in the heap */
    void (*due)(void *arg);
    void *arg;
};

struct prepare {
    struct prepare *next;
    int64_t (*call)(void *arg);
    void *arg;
};

struct loop {
    int epoll_fd;
    int stop_fd;
    atomic_bool stopping;
    int n_short; /* waits in a row that were shorter than POLL_US */
    struct watch *watches, *removed;
    struct timer **heap;
    size_t n_timers, room;
    uint64_t n_made; /* timers ever made */
    struct prepare *prepares;
};

/* Descriptors. */

struct loop *loop_open(void)
{
    struct loop *loop = mem_alloc(sizeof(*loop));
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event stop = {.events = EPOLLIN};
    if (loop->epoll_fd < 0 || loop->stop_fd < 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->stop_fd, &stop) < 0) {
        loop_close(loop);
        return NULL;
    }
    return loop;
}

static void link_watch(struct watch **list, struct watch *watch)
{
    watch->next = *list;
    watch->at = list;
    if (watch->next)
        watch->next->at = &watch->next;
    *list = watch;
}

static void unlink_watch(struct watch *watch)
{
    *watch->at = watch->next;
    if (watch->next)
        watch->next->at = watch->at;
}

static void free_watches(struct watch **list)
{
    while (*list) {
        struct watch *watch = *list;
        *list = watch->next;
        free(watch);
    }
}

void loop_close(struct loop *loop)
{
    if (!loop)
        return;
    free_watches(&loop->watches);
    free_watches(&loop->removed);
    for (size_t i = 0; i < loop->n_timers; i++)
        free(loop->heap[i]);
    free(loop->heap);
    while (loop->prepares) {
        struct prepare *first = loop->prepares;
        loop->prepares = first->next;
        free(first);
    }
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    if (loop->stop_fd >= 0)
        close(loop->stop_fd);
    free(loop);
}

struct watch *loop_watch(struct loop *loop, int fd, uint32_t events,
                         void (*ready)(void *arg, uint32_t events), void *arg)
{
    struct watch *watch = mem_alloc(sizeof(*watch));
    *watch = (struct watch){.fd = fd, .ready = ready, .arg = arg};
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        free(watch);
        return NULL;
    }
    link_watch(&loop->watches, watch);
    return watch;
}

void loop_unwatch(struct loop *loop, struct watch *watch)
{
    if (!watch)
        return;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->removed = true;
    unlink_watch(watch);
    link_watch(&loop->removed, watch);
}

/* Timers. */

static bool is_sooner(const struct timer *a, const struct timer *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->number < b->number;
}

static void put(struct loop *loop, size_t place, struct timer *timer)
{
    loop->heap[place] = timer;
    timer->place = place;
}

static void sift_up(struct loop *loop, size_t place, struct timer *timer)
{
    while (place > 0 && is_sooner(timer, loop->heap[(place - 1) / 2])) {
        put(loop, place, loop->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put(loop, place, timer);
}

static void sift_down(struct loop *loop, size_t place, struct timer *timer)
{
    for (size_t child = 2 * place + 1; child < loop->n_timers; child = 2 * place + 1) {
        if (child + 1 < loop->n_timers &&
            is_sooner(loop->heap[child + 1], loop->heap[child]))
            child++;
        if (!is_sooner(loop->heap[child], timer))
            break;
        put(loop, place, loop->heap[child]);
        place = child;
    }
    put(loop, place, timer);
}

struct timer *loop_after(struct loop *loop, int64_t after_ms, void (*due)(void *arg),
                         void *arg)
{
    if (loop->n_timers == loop->room) {
        loop->room = loop->room ? loop->room * 2 : 16;
        loop->heap = mem_grow(loop->heap, loop->room * sizeof(struct timer *));
    }
    if (after_ms < 0)
        after_ms = 0;
    struct timer *timer = mem_alloc(sizeof(*timer));
    *timer = (struct timer){
        .due_us = now_us() + after_ms * 1000,
        .number = loop->n_made++,
        .due = due,
        .arg = arg,
    };
    sift_up(loop, loop->n_timers++, timer);
    return timer;
}

static void take_out(struct loop *loop, struct timer *timer)
{
    size_t place = timer->place;
    assert(loop->heap[place] == timer);
    struct timer *last = loop->heap[--loop->n_timers];
    if (place == loop->n_timers)
        return;
    if (place > 0 && is_sooner(last, loop->heap[(place - 1) / 2]))
        sift_up(loop, place, last);
    else
        sift_down(loop, place, last);
}

void loop_cancel(struct loop *loop, struct timer *timer)
{
    if (!timer)
        return;
    take_out(loop, timer);
    free(timer);
}

/* Timers made meanwhile wait for the next round, or one that renews itself with 0 ms
 * would starve the descriptors. */
static void call_due(struct loop *loop)
{
    int64_t now = now_us();
    uint64_t n_made = loop->n_made;
    while (loop->n_timers && !loop->stopping) {
        struct timer *first = loop->heap[0];
        /* The analyzer cannot know that take_out() left no second pointer in the heap. */
        struct timer due = *first; /* NOLINT(clang-analyzer-unix.Malloc) */
        if (due.due_us > now || due.number >= n_made)
            break;
        loop_cancel(loop, first);
        due.due(due.arg);
    }
}

/* The loop. */

void loop_before_wait(struct loop *loop, int64_t (*prepare)(void *arg), void *arg)
{
    struct prepare *added = mem_alloc(sizeof(*added));
    *added = (struct prepare){loop->prepares, prepare, arg};
    loop->prepares = added;
}

static int64_t sooner_ms(int64_t a, int64_t b)
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a < b ? a : b;
}

static int wait_ms(struct loop *loop)
{
    int64_t wait = -1;
    for (struct prepare *p = loop->prepares; p; p = p->next)
        wait = sooner_ms(wait, p->call(p->arg));
    if (loop->n_timers) {
        int64_t left_us = loop->heap[0]->due_us - now_us();
        wait = sooner_ms(wait, left_us > 0 ? (left_us + 999) / 1000 : 0);
    }
    if (loop->stopping)
        return 0;
    return wait > INT32_MAX ? INT32_MAX : (int)wait;
}

static void call_ready(struct loop *loop, const struct epoll_event *events, int n)
{
    for (int i = 0; i < n && !loop->stopping; i++) {
        struct watch *watch = events[i].data.ptr; /* NULL: the stop descriptor */
        if (watch && !watch->removed)
            watch->ready(watch->arg, events[i].events);
    }
    free_watches(&loop->removed);
}

/* To sleep and be woken costs more than a short request does. So where waits were short
 * for a while, as between the requests of one busy client, the next one begins by
 * looking; the one that turns out long costs POLL_US once. For a while: the streams of a
 * decode step speak one after the other, too, and then the cores are wanted for the next
 * step. */
static int wait_for_events(struct loop *loop, struct epoll_event *events)
{
    int wait = wait_ms(loop), n = 0;
    int64_t began = wait ? now_us() : 0;
    if (wait && loop->n_short >= SHORT_WAITS)
        while ((n = epoll_wait(loop->epoll_fd, events, BATCH, 0)) == 0 &&
               now_us() - began < POLL_US)
            continue;
    if (n == 0)
        n = epoll_wait(loop->epoll_fd, events, BATCH, wait);
    bool is_short = wait && n > 0 && now_us() - began < POLL_US;
    loop->n_short = is_short ? loop->n_short + 1 : 0;
    return n;
}

void loop_run(struct loop *loop)
{
    struct epoll_event events[BATCH];
    while (!loop->stopping) {
        int n = wait_for_events(loop, events);
        assert(n >= 0 || errno == EINTR);
        call_ready(loop, events, n);
        call_due(loop);
    }
    uint64_t stops;
    if (read(loop->stop_fd, &stops, sizeof(stops)) == sizeof(stops))
        loop->stopping = false;
}

void loop_stop(struct loop *loop)
{
    int saved_errno = errno; /* we may be in a signal handler */
    loop->stopping = true;
    uint64_t one = 1;
    ssize_t written = write(loop->stop_fd, &one, sizeof(one));
    (void)written; /* it only fails when it is already readable */
    errno = saved_errno;
}

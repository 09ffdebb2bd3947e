/* queue.c - hands messages between threads and wakes the receiver.
 *
 * The descriptor is readable exactly when something waits to be taken: it is written when
 * the first message comes and read when the last is gone, both under the lock. A burst of
 * pushes therefore costs one write, and a woken receiver always finds something.
 * Receivers that block have none, and who blocks is woken when the lock is free again:
 * each saves system calls on the way of a request to the engine. */
#include "base/queue.h"
#include "base/arena.h"
#include "base/loop.h"
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_US = 300 };

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct message *first, **end;
    atomic_bool some; /* first is not NULL, or it is shut; for looking without the lock */
    bool shut, roused;
    bool raised;         /* the descriptor is readable */
    int fd;              /* -1: nobody asked for it */
    int n_waiting;       /* threads that block */
    atomic_int n_waking; /* threads that are about to wake one, without the lock */
};

struct queue *queue_open(void)
{
    struct queue *queue = mem_alloc(sizeof(*queue));
    queue->fd = -1;
    queue->end = &queue->first;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->more, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return queue;
}

void queue_close(struct queue *queue)
{
    if (!queue)
        return;
    assert(!queue->first);
    while (atomic_load(&queue->n_waking)) /* who got the last message was faster */
        sched_yield();
    if (queue->fd >= 0)
        close(queue->fd);
    pthread_cond_destroy(&queue->more);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

static void raise_flag(struct queue *queue)
{
    if (queue->raised || queue->fd < 0)
        return;
    uint64_t one = 1;
    queue->raised = write(queue->fd, &one, sizeof(one)) == sizeof(one);
    assert(queue->raised);
}

static void lower_flag(struct queue *queue)
{
    if (!queue->raised)
        return;
    uint64_t count;
    queue->raised = read(queue->fd, &count, sizeof(count)) != sizeof(count);
    assert(!queue->raised);
}

int queue_fd(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    if (queue->fd < 0) {
        queue->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (atomic_load(&queue->some))
            raise_flag(queue);
    }
    pthread_mutex_unlock(&queue->lock);
    return queue->fd;
}

/* Gives the lock back and then wakes somebody: woken while it is held, he would wait for
 * it. Who is woken may close the queue, so that waits for n_waking. */
static void unlock_and_wake(struct queue *queue, bool wake)
{
    if (wake)
        atomic_fetch_add(&queue->n_waking, 1);
    pthread_mutex_unlock(&queue->lock);
    if (!wake)
        return;
    pthread_cond_signal(&queue->more);
    atomic_fetch_sub(&queue->n_waking, 1);
}

bool queue_push(struct queue *queue, struct message *message)
{
    pthread_mutex_lock(&queue->lock);
    bool open = !queue->shut;
    if (open) {
        message->next = NULL;
        *queue->end = message;
        queue->end = &message->next;
        atomic_store(&queue->some, true);
        raise_flag(queue);
    }
    unlock_and_wake(queue, open && queue->n_waiting > 0);
    return open;
}

void queue_shut(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->shut = true;
    atomic_store(&queue->some, true);
    raise_flag(queue);
    pthread_cond_broadcast(&queue->more);
    pthread_mutex_unlock(&queue->lock);
}

void queue_rouse(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    bool wake = queue->n_waiting > 0 && !queue->roused;
    queue->roused = queue->roused || wake;
    unlock_and_wake(queue, wake);
}

/* The rest of this part needs the lock. */

static struct message *take_all(struct queue *queue)
{
    struct message *first = queue->first;
    queue->first = NULL;
    queue->end = &queue->first;
    atomic_store(&queue->some, queue->shut);
    lower_flag(queue);
    return first;
}

static struct message *take_one(struct queue *queue)
{
    struct message *first = queue->first;
    if (!first)
        return NULL;
    queue->first = first->next;
    if (!queue->first)
        take_all(queue);
    first->next = NULL;
    return first;
}

/* Without the lock meanwhile. Whoever roused may have been put off the core for this, and
 * is let on again. */
static void look(struct queue *queue)
{
    queue->roused = false;
    pthread_mutex_unlock(&queue->lock);
    int64_t began = now_us();
    while (!atomic_load(&queue->some) && now_us() - began < LOOK_US)
        sched_yield();
    pthread_mutex_lock(&queue->lock);
}

static void wait_for_more(struct queue *queue, int timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    if (timeout_ms > 0) {
        until.tv_sec += timeout_ms / 1000;
        until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
    }
    int failed = 0;
    queue->n_waiting++;
    while (!queue->first && !queue->shut && !failed) {
        if (queue->roused)
            look(queue);
        else if (timeout_ms < 0)
            failed = pthread_cond_wait(&queue->more, &queue->lock);
        else
            failed = pthread_cond_timedwait(&queue->more, &queue->lock, &until);
    }
    queue->n_waiting--;
    queue->roused = false;
}

struct message *queue_take(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    struct message *first = take_all(queue);
    pthread_mutex_unlock(&queue->lock);
    return first;
}

struct message *queue_wait(struct queue *queue, int timeout_ms)
{
    pthread_mutex_lock(&queue->lock);
    wait_for_more(queue, timeout_ms);
    struct message *first = take_all(queue);
    pthread_mutex_unlock(&queue->lock);
    return first;
}

/* For queues with several receivers: only the oldest. */
static struct message *wait_for_one(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    wait_for_more(queue, -1);
    struct message *first = take_one(queue);
    pthread_mutex_unlock(&queue->lock);
    return first;
}

/* Workers. */

struct workers {
    struct queue *todo, *ran;
    int n_threads;
    pthread_t threads[];
};

static void *work_off(void *arg)
{
    struct workers *workers = arg;
    for (struct message *next; (next = wait_for_one(workers->todo));) {
        struct work *work = (struct work *)next;
        work->run(work);
        queue_push(workers->ran, &work->message);
    }
    return NULL;
}

struct workers *workers_open(int n_threads)
{
    struct workers *workers =
        mem_alloc(sizeof(*workers) + (size_t)n_threads * sizeof(pthread_t));
    workers->todo = queue_open();
    workers->ran = queue_open();
    while (workers->todo && workers->ran && workers->n_threads < n_threads &&
           pthread_create(&workers->threads[workers->n_threads], NULL, work_off,
                          workers) == 0)
        workers->n_threads++;
    if (workers->n_threads == n_threads)
        return workers;
    workers_close(workers);
    return NULL;
}

void workers_close(struct workers *workers)
{
    if (!workers)
        return;
    if (workers->todo)
        queue_shut(workers->todo);
    for (int i = 0; i < workers->n_threads; i++)
        pthread_join(workers->threads[i], NULL);
    if (workers->ran)
        workers_finish(workers);
    queue_close(workers->todo);
    queue_close(workers->ran);
    free(workers);
}

void workers_push(struct workers *workers, struct work *work)
{
    if (queue_push(workers->todo, &work->message))
        return;
    work->run(work); /* closing: no thread is left to take it */
    queue_push(workers->ran, &work->message);
}

int workers_fd(struct workers *workers)
{
    return queue_fd(workers->ran);
}

void workers_finish(struct workers *workers)
{
    for (struct message *first; (first = queue_take(workers->ran));) {
        while (first) {
            struct work *work = (struct work *)first;
            first = first->next; /* done() may free it */
            work->done(work);
        }
    }
}

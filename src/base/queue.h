/* queue.h - hands messages between threads and wakes the receiver.
 *
 * The only place where threads meet. What is pushed changes owner. Messages are
 * intrusive: put `struct message` first in yours. Order is kept per pushing thread. */
#ifndef POLLUX_BASE_QUEUE_H
#define POLLUX_BASE_QUEUE_H

#include <stdbool.h>

struct message {
    struct message *next;
};

struct queue;

/* A queue whose receiver polls a descriptor (queue_fd becomes readable) or blocks in
 * queue_wait. */
struct queue *queue_open(void);
void queue_close(struct queue *queue); /* must be empty and unused by any thread */

/* Any thread. False, and the message is not taken, once queue_shut was called. */
bool queue_push(struct queue *queue, struct message *message);

/* All that is there, oldest first, as a linked list; NULL when empty. Receiver only.
 * Clears the descriptor. */
struct message *queue_take(struct queue *queue);

/* Like queue_take, but waits until there is something; NULL after queue_shut or after
 * timeout_ms (-1: no limit). */
struct message *queue_wait(struct queue *queue, int timeout_ms);

/* Something will be pushed soon: a thread that blocks in queue_wait wakes and looks for
 * it for at most 300 us. To wake a core takes longer than to make a prompt, and so both
 * happen at once. Any thread. */
void queue_rouse(struct queue *queue);

void queue_shut(struct queue *queue); /* any thread; wakes the receiver */

/* An eventfd to poll, owned by the queue and made by the first call; -1: the system gives
 * none. */
int queue_fd(struct queue *queue);

/* A few threads that do what may block. run() is called on one of them, then done() on
 * the thread that calls workers_finish(). */
struct work {
    struct message message;
    void (*run)(struct work *work);
    void (*done)(struct work *work);
};

struct workers;
struct workers *workers_open(int n_threads);
void workers_close(struct workers *workers); /* runs and finishes what is queued; joins */
void workers_push(struct workers *workers, struct work *work);
int workers_fd(struct workers *workers);      /* readable when something is done */
void workers_finish(struct workers *workers); /* calls done() for all that is */

#endif

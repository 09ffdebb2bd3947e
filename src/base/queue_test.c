#include "base/queue.h"
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct number {
    struct message message;
    int pusher, is;
};

static bool is_readable(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    return poll(&one, 1, 0) == 1;
}

static void messages_come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    struct queue *queue = queue_open();
    struct number numbers[5];
    for (int i = 0; i < 5; i++) {
        numbers[i].is = i;
        assert_true(queue_push(queue, &numbers[i].message));
    }
    int i = 0;
    for (struct message *m = queue_take(queue); m; m = m->next)
        assert_int_equal(((struct number *)m)->is, i++);
    assert_int_equal(i, 5);
    assert_null(queue_take(queue));
    queue_close(queue);
}

static void the_descriptor_is_readable_while_something_waits(void **state)
{
    (void)state;
    struct queue *queue = queue_open();
    struct number a, b;
    assert_false(is_readable(queue_fd(queue)));
    queue_push(queue, &a.message);
    queue_push(queue, &b.message);
    assert_true(is_readable(queue_fd(queue)));
    assert_ptr_equal(queue_take(queue), &a);
    assert_false(is_readable(queue_fd(queue)));
    queue_push(queue, &a.message);
    assert_true(is_readable(queue_fd(queue)));
    assert_ptr_equal(queue_wait(queue, -1), &a);
    assert_false(is_readable(queue_fd(queue)));
    queue_close(queue);
}

static void waiting_gives_up_after_the_timeout(void **state)
{
    (void)state;
    struct queue *queue = queue_open();
    assert_null(queue_wait(queue, 0));
    assert_null(queue_wait(queue, 5));
    queue_close(queue);
}

static void *shut_it(void *queue)
{
    queue_shut(queue);
    return NULL;
}

static void shutting_wakes_the_receiver_after_what_was_pushed(void **state)
{
    (void)state;
    struct queue *queue = queue_open();
    struct number a, b;
    queue_push(queue, &a.message);
    pthread_t thread;
    pthread_create(&thread, NULL, shut_it, queue);
    assert_ptr_equal(queue_wait(queue, -1), &a);
    assert_null(queue_wait(queue, -1));
    pthread_join(thread, NULL);
    assert_false(queue_push(queue, &b.message));
    assert_null(queue_wait(queue, -1));
    queue_close(queue);
}

static void the_descriptor_comes_late_and_tells_of_what_waits(void **state)
{
    (void)state;
    struct queue *queue = queue_open();
    struct number a;
    queue_push(queue, &a.message);
    assert_true(is_readable(queue_fd(queue)));
    assert_ptr_equal(queue_take(queue), &a);
    assert_false(is_readable(queue_fd(queue)));
    queue_shut(queue);
    queue_close(queue);
}

static void *wait_long(void *queue)
{
    return queue_wait(queue, 60000);
}

static void who_is_roused_goes_on_waiting_and_gets_what_comes(void **state)
{
    (void)state;
    struct queue *queue = queue_open();
    struct number a;
    queue_rouse(queue); /* nobody waits: of no effect */
    assert_null(queue_wait(queue, 0));
    pthread_t thread;
    pthread_create(&thread, NULL, wait_long, queue);
    for (int i = 0; i < 50; i++) { /* asleep, looking, between the two */
        queue_rouse(queue);
        usleep((useconds_t)(i % 10) * 50);
    }
    usleep(2000); /* it gave up looking */
    queue_push(queue, &a.message);
    void *got;
    pthread_join(thread, &got);
    assert_ptr_equal(got, &a);
    queue_close(queue);
}

/* Four threads push; one takes, now polling and now waiting. */
enum { PUSHERS = 4, EACH = 5000 };

struct pusher {
    struct queue *queue;
    int number;
};

static void *push_many(void *arg)
{
    struct pusher *pusher = arg;
    for (int i = 0; i < EACH; i++) {
        struct number *number = malloc(sizeof(*number));
        *number = (struct number){.pusher = pusher->number, .is = i};
        if (i % 3 == 0)
            queue_rouse(pusher->queue);
        queue_push(pusher->queue, &number->message);
    }
    return NULL;
}

static struct message *take_somehow(struct queue *queue, int turn)
{
    if (turn % 2)
        return queue_wait(queue, -1);
    struct pollfd one = {.fd = queue_fd(queue), .events = POLLIN};
    assert_int_equal(poll(&one, 1, 10000), 1);
    struct message *first = queue_take(queue);
    assert_non_null(first); /* readable means that there is something */
    return first;
}

static void order_is_kept_for_each_pushing_thread(void **state)
{
    (void)state;
    struct queue *queue = queue_open();
    struct pusher pushers[PUSHERS];
    pthread_t threads[PUSHERS];
    int next[PUSHERS] = {0};
    for (int i = 0; i < PUSHERS; i++) {
        pushers[i] = (struct pusher){queue, i};
        pthread_create(&threads[i], NULL, push_many, &pushers[i]);
    }
    for (int n = 0, turn = 0; n < PUSHERS * EACH; turn++) {
        for (struct message *m = take_somehow(queue, turn), *rest; m; m = rest, n++) {
            struct number *number = (struct number *)m;
            rest = m->next;
            assert_int_equal(number->is, next[number->pusher]++);
            free(number);
        }
    }
    for (int i = 0; i < PUSHERS; i++)
        pthread_join(threads[i], NULL);
    assert_false(is_readable(queue_fd(queue)));
    queue_close(queue);
}

/* Jobs must be done on this thread, and count themselves. */
struct tally {
    pthread_t thread;
    int n_done;
};

struct job {
    struct work work;
    int result;
    struct tally *tally;
};

static void run_job(struct work *work)
{
    ((struct job *)work)->result = 7;
}

static void job_done(struct work *work)
{
    struct job *job = (struct job *)work;
    assert_int_equal(job->result, 7);
    assert_true(pthread_equal(pthread_self(), job->tally->thread));
    job->tally->n_done++;
    free(job);
}

static void push_job(struct workers *workers, struct tally *tally)
{
    struct job *job = malloc(sizeof(*job));
    *job = (struct job){{{NULL}, run_job, job_done}, 0, tally};
    workers_push(workers, &job->work);
}

static void work_is_run_elsewhere_and_finished_here(void **state)
{
    (void)state;
    struct workers *workers = workers_open(3);
    struct tally tally = {pthread_self(), 0};
    for (int i = 0; i < 500; i++)
        push_job(workers, &tally);
    while (tally.n_done < 500) {
        struct pollfd one = {.fd = workers_fd(workers), .events = POLLIN};
        assert_int_equal(poll(&one, 1, 10000), 1);
        workers_finish(workers);
    }
    workers_close(workers);
    assert_int_equal(tally.n_done, 500);
}

static struct workers *closing;

static void push_one_more(struct work *work)
{
    struct job *job = (struct job *)work;
    push_job(closing, job->tally);
    job_done(work);
}

static void closing_runs_and_finishes_what_is_queued(void **state)
{
    (void)state;
    closing = workers_open(2);
    struct tally tally = {pthread_self(), 0};
    for (int i = 0; i < 100; i++)
        push_job(closing, &tally);
    struct job *job = malloc(sizeof(*job));
    *job = (struct job){{{NULL}, run_job, push_one_more}, 0, &tally};
    workers_push(closing, &job->work);
    workers_close(closing);
    assert_int_equal(tally.n_done, 102);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_out_in_the_order_they_went_in),
        cmocka_unit_test(the_descriptor_is_readable_while_something_waits),
        cmocka_unit_test(the_descriptor_comes_late_and_tells_of_what_waits),
        cmocka_unit_test(who_is_roused_goes_on_waiting_and_gets_what_comes),
        cmocka_unit_test(waiting_gives_up_after_the_timeout),
        cmocka_unit_test(shutting_wakes_the_receiver_after_what_was_pushed),
        cmocka_unit_test(order_is_kept_for_each_pushing_thread),
        cmocka_unit_test(work_is_run_elsewhere_and_finished_here),
        cmocka_unit_test(closing_runs_and_finishes_what_is_queued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

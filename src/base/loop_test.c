#include "base/loop.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop *loop;

/* What happened, one letter each. */
static char seen[64];

static void saw(char c)
{
    size_t len = strlen(seen);
    assert_true(len + 1 < sizeof(seen));
    seen[len] = c;
    seen[len + 1] = '\0';
}

static void note(void *arg)
{
    saw(*(const char *)arg);
}

static void stop(void *arg)
{
    (void)arg;
    loop_stop(loop);
}

static int set_up(void **state)
{
    (void)state;
    seen[0] = '\0';
    loop = loop_open();
    return loop ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    loop_close(loop);
    return 0;
}

static void timers_fire_in_the_order_of_their_times(void **state)
{
    (void)state;
    loop_after(loop, 30, stop, NULL);
    loop_after(loop, 20, note, "c");
    loop_after(loop, 0, note, "a");
    loop_after(loop, 10, note, "b");
    loop_after(loop, -5, note, "A");
    int64_t start = now_us();
    loop_run(loop);
    assert_true(now_us() - start >= 29000);
    assert_int_equal(strlen(seen), 4);
    assert_string_equal(seen + 2, "bc");
}

static void timers_of_one_time_fire_in_the_order_made(void **state)
{
    (void)state;
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    for (int i = 0; i < 26; i++)
        loop_after(loop, 0, note, (void *)(letters + i));
    loop_after(loop, 5, stop, NULL);
    loop_run(loop);
    assert_string_equal(seen, letters);
}

static void a_cancelled_timer_never_fires(void **state)
{
    (void)state;
    struct timer *timers[200];
    for (int i = 0; i < 200; i++)
        timers[i] = loop_after(loop, 1 + i * 37 % 11, note, i % 50 ? "x" : "k");
    for (int i = 0; i < 200; i++)
        if (i % 50)
            loop_cancel(loop, timers[i]);
    loop_cancel(loop, NULL);
    loop_after(loop, 15, stop, NULL);
    loop_run(loop);
    assert_string_equal(seen, "kkkk");
}

static void renew(void *arg)
{
    int *left = arg;
    saw('t');
    if (--*left > 0)
        loop_after(loop, 0, renew, left);
    else
        loop_stop(loop);
}

static void drain(void *arg, uint32_t events)
{
    char c;
    (void)events;
    assert_int_equal(read(*(int *)arg, &c, 1), 1);
    saw(c);
}

static void a_timer_that_renews_itself_starves_nobody(void **state)
{
    (void)state;
    int fds[2], left = 5;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "d", 1), 1);
    loop_watch(loop, fds[0], EPOLLIN, drain, &fds[0]);
    loop_after(loop, 0, renew, &left);
    loop_run(loop);
    assert_int_equal(strlen(seen), 6);
    assert_true(strchr(seen, 'd') - seen <= 1);
    close(fds[0]);
    close(fds[1]);
}

/* Two descriptors become ready together; whoever is called first removes both. */
static struct watch *both[2];

static void remove_both(void *arg, uint32_t events)
{
    (void)arg, (void)events;
    saw('r');
    loop_unwatch(loop, both[0]);
    loop_unwatch(loop, both[1]);
    loop_after(loop, 5, stop, NULL);
}

static void a_removed_watch_is_not_called_again_even_in_the_same_batch(void **state)
{
    (void)state;
    int fds[2][2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe(fds[i]), 0);
        assert_int_equal(write(fds[i][1], "x", 1), 1);
        both[i] = loop_watch(loop, fds[i][0], EPOLLIN, remove_both, NULL);
    }
    loop_run(loop);
    assert_string_equal(seen, "r");
    for (int i = 0; i < 2; i++) {
        close(fds[i][0]);
        close(fds[i][1]);
    }
}

static void a_plain_file_cannot_be_watched(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    assert_null(loop_watch(loop, fileno(file), EPOLLIN, drain, NULL));
    fclose(file);
}

static int64_t in_five_ms(void *arg)
{
    int *n_calls = arg;
    if (++*n_calls == 3)
        loop_stop(loop);
    return 5;
}

static int64_t whenever(void *arg)
{
    (void)arg;
    return -1;
}

static void prepare_says_how_long_the_wait_may_last(void **state)
{
    (void)state;
    int n_calls = 0;
    loop_before_wait(loop, whenever, NULL);
    loop_before_wait(loop, in_five_ms, &n_calls);
    int64_t start = now_ms();
    loop_run(loop);
    assert_int_equal(n_calls, 3);
    assert_true(now_ms() - start >= 9);
}

static void *stop_from_afar(void *arg)
{
    usleep(10000);
    loop_stop(arg);
    return NULL;
}

static void another_thread_can_stop_it_and_it_can_run_again(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, stop_from_afar, loop);
        loop_run(loop);
        pthread_join(thread, NULL);
    }
    loop_stop(loop);
    loop_stop(loop);
    loop_run(loop); /* returns at once */
}

static void on_signal(int number)
{
    (void)number;
    loop_stop(loop); /* NOLINT(bugprone-signal-handler): its header promises it */
}

static void raise_signal(void *arg)
{
    (void)arg;
    raise(SIGUSR1);
}

static void a_signal_handler_can_stop_it(void **state)
{
    (void)state;
    signal(SIGUSR1, on_signal);
    loop_after(loop, 1, raise_signal, NULL);
    loop_run(loop);
    signal(SIGUSR1, SIG_DFL);
}

static void read_one(void *arg, uint32_t events)
{
    char c;
    assert_true(events & EPOLLIN);
    assert_int_equal(read(*(int *)arg, &c, 1), 1);
    saw(c);
}

static void a_loop_that_was_busy_sleeps_all_the_same(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "abcdefghijklmnop", 16), 16);
    struct watch *watch = loop_watch(loop, ends[0], EPOLLIN, read_one, &ends[0]);
    loop_after(loop, 200, stop, NULL);
    clock_t began = clock();
    loop_run(loop);
    double cpu_ms = (double)(clock() - began) * 1000 / CLOCKS_PER_SEC;
    assert_string_equal(seen, "abcdefghijklmnop");
    assert_true(cpu_ms < 50);
    loop_unwatch(loop, watch);
    close(ends[0]);
    close(ends[1]);
}

static void the_clocks_agree_with_the_calendar(void **state)
{
    (void)state;
    assert_true(clock_ms() > INT64_C(1700000000000));
    int64_t ms = now_ms(), us = now_us();
    assert_true(us / 1000 - ms <= 1000 && us / 1000 >= ms);
}

int main(void)
{
#define LOOP_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LOOP_TEST(timers_fire_in_the_order_of_their_times),
        LOOP_TEST(timers_of_one_time_fire_in_the_order_made),
        LOOP_TEST(a_cancelled_timer_never_fires),
        LOOP_TEST(a_timer_that_renews_itself_starves_nobody),
        LOOP_TEST(a_removed_watch_is_not_called_again_even_in_the_same_batch),
        LOOP_TEST(a_plain_file_cannot_be_watched),
        LOOP_TEST(prepare_says_how_long_the_wait_may_last),
        LOOP_TEST(another_thread_can_stop_it_and_it_can_run_again),
        LOOP_TEST(a_signal_handler_can_stop_it),
        LOOP_TEST(a_loop_that_was_busy_sleeps_all_the_same),
        LOOP_TEST(the_clocks_agree_with_the_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

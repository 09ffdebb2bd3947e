#include "api/fake_http.h"
#include "api/send.h"
#include "base/log.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int open_world(void **state)
{
    (void)state;
    static const struct api_options options = {.defaults = {1, 0.95, 40, LEVEL_NONE}};
    log_setup(LOG_ERROR, LOG_TEXT);
    fake_open("{\"default\":{\"echo\":true}}", &options);
    fake_world.api->options.disk = fake_world.workers;
    return 0;
}

static int shut_world(void **state)
{
    (void)state;
    fake_shut();
    return 0;
}

/* ---- calls ---- */

/* What handlers of these tests did. */
static struct {
    int n_runs, n_done, n_left;
    struct task *task;
} seen;

static void on_gone(struct http_request *rq)
{
    struct call *call = rq->user;
    call->gone(call);
}

static void on_done(struct http_request *rq)
{
    struct call *call = rq->user;
    call->closed(call);
}

/* A call that no route is for. */
static struct fake *open_fake(const char *query, const char *headers)
{
    struct arena *arena = arena_open();
    struct fake *fake = arena_new(arena, struct fake);
    struct call *call = arena_new(arena, struct call);
    *call = (struct call){.api = fake_world.api, .rq = &fake->rq, .name = TEXT("it")};
    fake->rq = (struct http_request){
        .arena = arena,
        .body = TEXT("body"),
        .since_us = now_us(),
        .gone = on_gone,
        .done = on_done,
        .user = call,
    };
    fake->query = query;
    fake->headers = headers;
    memset(&seen, 0, sizeof seen);
    return fake;
}

static struct task *open_task(struct fake *fake)
{
    seen.task = task_open(fake->rq.user);
    return seen.task;
}

static void assert_answer(struct fake *fake, int status, const char *body)
{
    fake_wait(fake);
    assert_int_equal(fake->rq.status, status);
    if (!strstr(fake->body.at, body))
        fail_msg("%s is not in\n%s", body, fake->body.at);
    fake_close(fake);
}

/* Until the worker has nothing more. */
static void finish_work(void)
{
    workers_close(fake_world.workers);
    fake_world.workers = workers_open(1);
    loop_watch(fake_world.loop, workers_fd(fake_world.workers), EPOLLIN, fake_finish_work,
               fake_world.workers);
    fake_world.api->workers = fake_world.api->options.disk = fake_world.workers;
}

static bool run_echo(struct task *task)
{
    seen.n_runs++;
    buf_printf(&task->answer, "%.*s of %.*s, page %.*s, run %d", TEXT_ARG(task->body),
               TEXT_ARG(task->id), TEXT_ARG(task->token), seen.n_runs);
    return true;
}

static bool run_badly(struct task *task)
{
    seen.n_runs++;
    buf_str(&task->answer, "half of it");
    return error_at(&task->err, "a.b", "It does not fit.");
}

static void note_done(struct task *task)
{
    (void)task;
    seen.n_done++;
}

static void note_left(struct task *task)
{
    (void)task;
    seen.n_left++;
}

static void start_again(struct task *task)
{
    seen.n_done++;
    if (seen.n_done == 1)
        task_start(task, run_echo, start_again);
    else if (seen.n_done == 2)
        task_start_later(task, 1, run_echo, start_again);
}

/* ---- answers ---- */

static void what_a_worker_makes_is_the_answer(void **state)
{
    (void)state;
    struct fake *fake = open_fake("pageToken=7", NULL);
    task_start(open_task(fake), run_echo, NULL);
    assert_answer(fake, 200, "body of it, page 7, run 1");
}

static void an_error_is_the_whole_answer_and_done_is_not_called(void **state)
{
    (void)state;
    struct fake *fake = open_fake("", NULL);
    task_start(open_task(fake), run_badly, note_done);
    fake_wait(fake);
    assert_null(strstr(fake->body.at, "half of it"));
    assert_answer(fake, 400, "\"field\":\"a.b\"");
    assert_int_equal(seen.n_done, 0);
}

static void done_may_start_the_task_anew_and_the_last_answer_goes_out(void **state)
{
    (void)state;
    struct fake *fake = open_fake("", NULL);
    task_start(open_task(fake), run_echo, start_again);
    assert_answer(fake, 200, "run 3");
    assert_int_equal(seen.n_done, 3);
}

static void without_a_client_done_is_called_and_nothing_sent(void **state)
{
    (void)state;
    struct fake *fake = open_fake("", NULL);
    struct task *task = open_task(fake);
    task->left = note_left;
    task_start(task, run_echo, note_done);
    fake_leave(fake);
    finish_work();
    assert_int_equal(seen.n_runs, 1);
    assert_int_equal(seen.n_done, 1);
    assert_int_equal(seen.n_left, 1);
}

static void a_task_that_waits_to_begin_ends_with_its_call(void **state)
{
    (void)state;
    struct fake *fake = open_fake("", NULL);
    task_start_later(open_task(fake), 0, run_echo, note_done);
    fake_leave(fake);
    struct fake *other = open_fake("", NULL);
    task_start_later(open_task(other), 5, run_echo, note_done);
    assert_answer(other, 200, "run 1");
}

static void hold(struct task *task)
{
    task_hold(task);
    loop_stop(fake_world.loop);
}

static void a_held_task_is_not_answered_yet_and_outlives_its_call(void **state)
{
    (void)state;
    struct error err;
    struct fake *fake = open_fake("", NULL);
    struct task *task = open_task(fake);
    task_start(task, run_echo, hold);
    fake_turn_loop();
    assert_false(fake->complete);
    assert_true(task_heard(task));
    fake_leave(fake);
    assert_false(task_heard(task));
    error_set(&err, ERROR_INTERNAL, "Nobody hears this.");
    task_fail(task, &err);
    task_let_go(task);
}

static void one_who_waits_too_long_is_told_and_left_is_called_once(void **state)
{
    (void)state;
    struct fake *fake = open_fake("", "x-server-timeout: 1\n");
    struct task *task = open_task(fake);
    task->left = note_left;
    task_deadline(task);
    task_start(task, run_echo, hold);
    fake_turn_loop();
    fake_wait(fake);
    assert_int_equal(fake->rq.status, 504);
    fake_close(fake);
    task_let_go(task);
    assert_int_equal(seen.n_left, 1);
}

static void a_page_size_that_is_none_is_refused(void **state)
{
    (void)state;
    struct fake *fake = open_fake("pageSize=many", NULL);
    assert_false(task_page(open_task(fake), 10, 100));
    assert_answer(fake, 400, "\"field\":\"page_size\"");
    fake = open_fake("pageSize=1000", NULL);
    struct task *task = open_task(fake);
    assert_true(task_page(task, 10, 100));
    assert_int_equal(task->page_size, 100);
    fake_leave(fake);
}

/* ---- files ---- */

enum { SIZE = 700000 };

static int open_file(void)
{
    char path[] = "/tmp/pollux-send-XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    for (int i = 0; i < SIZE; i += 1000) {
        char bytes[1000];
        memset(bytes, 'a' + i / 1000 % 26, sizeof bytes);
        ssize_t n = write(fd, bytes, sizeof bytes);
        assert_int_equal(n, sizeof bytes);
    }
    return fd;
}

static void begin_file(struct task *task)
{
    const struct send_range *range = task->own;
    send_file(task, 206, "a/b", range);
    loop_stop(fake_world.loop);
}

static bool run_nothing(struct task *task)
{
    (void)task;
    return true;
}

static void a_file_goes_out_in_pieces_when_the_last_has_left(void **state)
{
    (void)state;
    struct send_range range = {open_file(), 999, SIZE - 999};
    struct fake *fake = open_fake("", NULL);
    struct task *task = open_task(fake);
    task->own = &range;
    task_start(task, run_nothing, begin_file);
    fake_turn_loop();
    assert_int_equal(fake->n_writes, 0);
    for (int i = 1; !fake->complete; i++) {
        fake->rq.drained(&fake->rq);
        fake_wait_writes(fake, i);
    }
    assert_int_equal(fake->body.len, SIZE - 2 * 999);
    assert_int_equal(fake->n_writes, 3);
    assert_memory_equal(fake->body.at, "ab", 2);
    fake_close(fake);
    close(range.fd);
}

static void a_file_that_is_shorter_than_told_breaks_the_answer_off(void **state)
{
    (void)state;
    struct send_range range = {open_file(), SIZE - 5, SIZE + 5};
    struct fake *fake = open_fake("", NULL);
    struct task *task = open_task(fake);
    task->own = &range;
    task_start(task, run_nothing, begin_file);
    fake_turn_loop();
    fake->rq.drained(&fake->rq);
    fake_wait_writes(fake, 1);
    fake->rq.drained(&fake->rq);
    fake_wait(fake);
    assert_true(fake->dropped);
    assert_int_equal(fake->body.len, 5);
    fake_close(fake);
    close(range.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_worker_makes_is_the_answer),
        cmocka_unit_test(an_error_is_the_whole_answer_and_done_is_not_called),
        cmocka_unit_test(done_may_start_the_task_anew_and_the_last_answer_goes_out),
        cmocka_unit_test(without_a_client_done_is_called_and_nothing_sent),
        cmocka_unit_test(a_task_that_waits_to_begin_ends_with_its_call),
        cmocka_unit_test(a_held_task_is_not_answered_yet_and_outlives_its_call),
        cmocka_unit_test(one_who_waits_too_long_is_told_and_left_is_called_once),
        cmocka_unit_test(a_page_size_that_is_none_is_refused),
        cmocka_unit_test(a_file_goes_out_in_pieces_when_the_last_has_left),
        cmocka_unit_test(a_file_that_is_shorter_than_told_breaks_the_answer_off),
    };
    return cmocka_run_group_tests(tests, open_world, shut_world);
}

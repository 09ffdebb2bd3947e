#include "base/buf.h"
#include "base/scratch.h"
#include "batches/batches.h"
#include "files/upload.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/pollux-batches-XXXXXX";
static struct store *store;
static struct files *files;
static struct batches *batches;
static struct arena *arena;
static struct error err;

static void open_world(void)
{
    const struct files_options files_options = {.file_limit = 100, .total_limit = 100000};
    const struct batches_options options = {
        .life = INT64_MAX / 4, .memory = INT64_MAX / 4, .line_most = 1000};
    store = store_open(folder, &err);
    assert_non_null(store);
    files = files_open(store, &files_options, &err);
    assert_non_null(files);
    batches = batches_open(store, files, &options, &err);
    assert_non_null(batches);
}

static void close_world(void)
{
    batches_close(batches);
    files_close(files);
    store_close(store);
}

static void open_again(void)
{
    close_world();
    open_world();
}

/* In the folder. */
static int run(const char *command)
{
    char all[300];
    snprintf(all, sizeof all, "cd %s && %s", folder, command);
    return system(all);
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(scratch_folder(folder, sizeof folder));
    arena = arena_open();
    open_world();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close_world();
    arena_close(arena);
    return scratch_remove(folder);
}

static struct batch make(const char *lines, int64_t priority)
{
    struct batch batch;
    const struct batch_wish wish = {
        .kind = BATCH_GENERATE, .model = TEXT("m"), .priority = priority};
    assert_true(
        batches_make_of_lines(batches, &wish, text_of(lines), arena, &batch, &err));
    return batch;
}

static struct file upload(const char *bytes)
{
    struct file file;
    struct upload_wish wish = {.size = UPLOAD_SIZE_UNKNOWN};
    struct upload *u = upload_direct(files, &err);
    assert_non_null(u);
    assert_true(upload_set_wish(u, &wish, &err));
    assert_true(upload_add(u, text_of(bytes), &err));
    assert_true(upload_finish(u, arena, &file, &err));
    upload_leave(u);
    return file;
}

static struct batch make_of_file(const char *bytes)
{
    struct batch batch;
    struct file file = upload(bytes);
    const struct batch_wish wish = {.kind = BATCH_GENERATE, .model = TEXT("m")};
    struct text uri = arena_printf(arena, "files/%.*s", TEXT_ARG(file.id));
    assert_true(batches_make_of_file(batches, &wish, uri, arena, &batch, &err));
    return batch;
}

static struct batch get(struct text id)
{
    struct batch batch;
    assert_true(batches_get(batches, id, arena, &batch, &err));
    return batch;
}

/* Whether it was over. */
static bool record(struct text id, int64_t line, const char *json, bool good)
{
    bool over;
    struct batch_answer answer = {line, good, text_of(json)};
    assert_true(batches_record(batches, id, &answer, 1, &over, &err));
    return over;
}

/* The lines that batches_next gives, "1b 2c"; of which batch. */
static struct text next_lines(struct text *id)
{
    struct batch batch;
    struct lines *lines;
    struct line_found found;
    struct buf got = {0};
    assert_true(batches_next(batches, BATCH_GENERATE, arena, &batch, &lines, &err));
    *id = batch.id;
    while (lines && lines_next(lines, &found, &err))
        buf_printf(&got, "%s%d%.*s", got.len ? " " : "", (int)found.number,
                   TEXT_ARG(found.bytes));
    lines_close(lines);
    struct text text = arena_text(arena, buf_view(&got));
    buf_free(&got);
    return text;
}

/* A wish for news that is a URI. */
static int news(const struct batch *batch, struct arena *to, const struct hook **hooks)
{
    struct hook *hook = arena_new(to, struct hook);
    *hook = (struct hook){TEXT("msg"), batch->id, batch->webhook, TEXT("{}"), 0, 1};
    *hooks = hook;
    return batch->webhook.at ? 1 : 0;
}

/* How many were given an end. */
static int finish_all(void)
{
    struct batch batch;
    bool found = true;
    int n = -1;
    for (; found; n++)
        assert_true(batches_finish(batches, NULL, 0, news, arena, &batch, &found, &err));
    return n;
}

static struct text content(struct text file_id)
{
    struct file file;
    char bytes[1000];
    int fd;
    struct text uri = arena_printf(arena, "files/%.*s", TEXT_ARG(file_id));
    assert_true(files_find(files, uri, arena, &file, &fd, &err));
    assert_int_equal(file.source, FILE_GENERATED);
    ssize_t n = pread(fd, bytes, sizeof bytes, 0);
    assert_true(n >= 0);
    return arena_text(arena, (struct text){bytes, (size_t)n});
}

static void lines_with_an_answer_are_not_handed_out_again(void **state)
{
    (void)state;
    struct text id;
    struct batch batch = make("a\nb\nc\n", 0);
    assert_int_equal(batch.n_lines, 3);
    assert_int_equal(get(batch.id).state, BATCH_PENDING);
    assert_true(text_is(next_lines(&id), "0a 1b 2c"));
    assert_true(text_same(id, batch.id));
    assert_int_equal(get(batch.id).state, BATCH_RUNNING);
    assert_false(record(batch.id, 1, "B", true));
    open_again();
    assert_true(text_is(next_lines(&id), "0a 2c"));
}

static void an_answer_counts_once(void **state)
{
    (void)state;
    struct batch batch = make("a\nb\n", 0);
    record(batch.id, 0, "A", true);
    record(batch.id, 0, "again", false);
    batch = get(batch.id);
    assert_true(batch.n_good == 1 && batch.n_bad == 0 && batch.bytes == 1);
    struct batch_answer answers[4];
    assert_int_equal(batches_answers(batches, batch.id, 0, 4, arena, answers, &err), 1);
    assert_true(text_is(answers[0].json, "A"));
}

static void with_its_last_answer_a_batch_ends(void **state)
{
    (void)state;
    struct text id;
    struct batch batch = make("a\nb\n", 0);
    record(batch.id, 1, "B", false);
    assert_int_equal(finish_all(), 0);
    record(batch.id, 0, "A", true);
    assert_int_equal(get(batch.id).state, BATCH_PENDING);
    next_lines(&id);
    assert_null(id.at);
    assert_int_equal(finish_all(), 1);
    batch = get(batch.id);
    assert_int_equal(batch.state, BATCH_SUCCEEDED);
    assert_true(batch.n_good == 1 && batch.n_bad == 1 && batch.ended > 0);
    assert_null(batch.input.at);
    assert_null(batch.output_file.at);
}

static void a_file_gets_a_file_in_the_order_of_its_lines(void **state)
{
    (void)state;
    struct batch batch = make_of_file("a\n\nb\nc");
    assert_int_equal(batch.n_lines, 3);
    record(batch.id, 2, "C", true);
    record(batch.id, 0, "A", true);
    record(batch.id, 1, "B", false);
    assert_int_equal(finish_all(), 1);
    batch = get(batch.id);
    assert_true(text_is(content(batch.output_file), "A\nB\nC\n"));
    struct batch_answer answers[4];
    assert_int_equal(batches_answers(batches, batch.id, 0, 4, arena, answers, &err), 0);
}

/* More than --file-limit lets clients send. */
static void an_output_may_be_longer_than_an_upload(void **state)
{
    (void)state;
    char json[400];
    struct batch batch = make_of_file("a\nb\nc");
    memset(json, 'x', sizeof json - 1);
    json[sizeof json - 1] = '\0';
    for (int i = 0; i < 3; i++)
        record(batch.id, i, json, true);
    assert_int_equal(finish_all(), 1);
    assert_int_equal(get(batch.id).state, BATCH_SUCCEEDED);
}

/* The crash comes between the file and the row. */
static void an_output_is_made_once(void **state)
{
    (void)state;
    struct batch batch = make_of_file("a");
    record(batch.id, 0, "A", true);
    assert_int_equal(finish_all(), 1);
    struct text output = get(batch.id).output_file;
    assert_true(store_begin(store, &err));
    bool good =
        store_run(store,
                  "UPDATE batches SET ended = 0, state = 2, output_file = NULL, "
                  "input = (SELECT hash FROM blobs LIMIT 1)",
                  STORE_NO_VALUES, NULL, &err) &&
        store_run(store, "UPDATE blobs SET refs = refs + 1", STORE_NO_VALUES, NULL, &err);
    assert_true(store_end(store, good, &err));
    assert_int_equal(finish_all(), 1);
    batch = get(batch.id);
    assert_int_equal(batch.state, BATCH_SUCCEEDED);
    assert_true(text_same(batch.output_file, output));
    assert_true(text_is(content(output), "A\n"));
}

static void the_input_stays_when_its_file_goes(void **state)
{
    (void)state;
    struct text id;
    struct batch batch = make_of_file("a\nb");
    assert_true(files_delete(files, batch.input_file, &err));
    open_again();
    assert_true(text_is(next_lines(&id), "0a 1b"));
    assert_true(text_same(id, batch.id));
    assert_true(batches_delete(batches, batch.id, &err));
    assert_int_equal(run("test -z \"$(find blobs -type f)\""), 0);
}

static void cancelling_keeps_what_was_made(void **state)
{
    (void)state;
    struct text id;
    struct batch batch = make_of_file("a\nb");
    record(batch.id, 1, "B", true);
    assert_true(batches_end(batches, batch.id, BATCH_CANCELLED, (struct text){0}, &err));
    next_lines(&id);
    assert_null(id.at);
    open_again();
    assert_int_equal(finish_all(), 1);
    batch = get(batch.id);
    assert_int_equal(batch.state, BATCH_CANCELLED);
    assert_true(text_is(content(batch.output_file), "B\n"));
    assert_true(record(batch.id, 0, "A", true)); /* too late */
    assert_int_equal(get(batch.id).n_good, 1);
}

static void what_has_ended_is_not_cancelled_any_more(void **state)
{
    (void)state;
    struct batch batch = make("a\n", 0);
    record(batch.id, 0, "A", true);
    finish_all();
    assert_true(batches_end(batches, batch.id, BATCH_CANCELLED, (struct text){0}, &err));
    assert_int_equal(finish_all(), 0);
    assert_int_equal(get(batch.id).state, BATCH_SUCCEEDED);
}

static void a_deleted_batch_is_gone_and_takes_no_answers(void **state)
{
    (void)state;
    struct batch batch = make("a\nb\n", 0);
    record(batch.id, 0, "A", true);
    assert_true(batches_delete(batches, batch.id, &err));
    assert_true(record(batch.id, 1, "B", true));
    struct batch_answer answers[4];
    assert_int_equal(batches_answers(batches, batch.id, 0, 4, arena, answers, &err), 0);
    assert_false(batches_get(batches, batch.id, arena, &batch, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_false(batches_delete(batches, batch.id, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void the_higher_priority_goes_first_then_the_older(void **state)
{
    (void)state;
    struct text id;
    make("low\n", -1);
    make("old\n", 0);
    make("young\n", 0);
    struct batch high = make("high\n", 7);
    assert_true(text_is(next_lines(&id), "0high"));
    batches_delete(batches, high.id, &err);
    assert_true(text_is(next_lines(&id), "0old"));
    batches_delete(batches, id, &err);
    assert_true(text_is(next_lines(&id), "0young"));
    batches_delete(batches, id, &err);
    assert_true(text_is(next_lines(&id), "0low"));
}

static void held_ones_are_not_finished(void **state)
{
    (void)state;
    bool found = true;
    struct batch other, batch = make("a\n", 0);
    record(batch.id, 0, "A", true);
    assert_true(batches_finish(batches, &batch.id, 1, news, arena, &other, &found, &err));
    assert_false(found);
    assert_int_equal(finish_all(), 1);
}

static void a_lost_input_fails_the_batch(void **state)
{
    (void)state;
    struct text id;
    struct batch other, batch = make("a\n", 0);
    struct lines *lines;
    assert_int_equal(run("rm -r blobs/??"), 0);
    assert_false(batches_next(batches, BATCH_GENERATE, arena, &other, &lines, &err));
    assert_int_equal(finish_all(), 1);
    assert_int_equal(get(batch.id).state, BATCH_FAILED);
    assert_true(get(batch.id).error.len > 0);
    next_lines(&id);
    assert_null(id.at);
}

static void pages_follow_each_other(void **state)
{
    (void)state;
    struct batch *list;
    struct text next = {0};
    int n, n_pages = 0, n_all = 0;
    for (int i = 0; i < 5; i++)
        make("a\n", 0);
    do {
        assert_true(batches_list(batches, 2, next, arena, &list, &n, &next, &err));
        n_all += n;
        n_pages++;
    } while (next.at);
    assert_int_equal(n_all, 5);
    assert_int_equal(n_pages, 3);
    assert_false(
        batches_list(batches, 2, TEXT("nonsense"), arena, &list, &n, &next, &err));
}

static void an_empty_file_is_no_batch(void **state)
{
    (void)state;
    struct batch batch;
    struct file file = upload(" \n\n");
    const struct batch_wish wish = {.kind = BATCH_GENERATE, .model = TEXT("m")};
    struct text uri = arena_printf(arena, "files/%.*s", TEXT_ARG(file.id));
    assert_false(batches_make_of_file(batches, &wish, uri, arena, &batch, &err));
    assert_string_equal(err.field, "batch.input_config.file_name");
}

static void what_is_too_old_expires_and_what_ended_is_forgotten(void **state)
{
    (void)state;
    struct batch batch = make("a\nb\n", 0);
    record(batch.id, 0, "A", true);
    batches_close(batches);
    const struct batches_options options = {.life = 0, .memory = 0, .line_most = 1000};
    batches = batches_open(store, files, &options, &err);
    assert_int_equal(finish_all(), 1);
    assert_int_equal(get(batch.id).state, BATCH_EXPIRED);
    assert_int_equal(get(batch.id).n_good, 1);
    batches_sweep(batches);
    assert_false(batches_get(batches, batch.id, arena, &batch, &err));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_with_an_answer_are_not_handed_out_again),
        TEST(an_answer_counts_once),
        TEST(with_its_last_answer_a_batch_ends),
        TEST(a_file_gets_a_file_in_the_order_of_its_lines),
        TEST(an_output_may_be_longer_than_an_upload),
        TEST(an_output_is_made_once),
        TEST(the_input_stays_when_its_file_goes),
        TEST(cancelling_keeps_what_was_made),
        TEST(what_has_ended_is_not_cancelled_any_more),
        TEST(a_deleted_batch_is_gone_and_takes_no_answers),
        TEST(the_higher_priority_goes_first_then_the_older),
        TEST(held_ones_are_not_finished),
        TEST(a_lost_input_fails_the_batch),
        TEST(pages_follow_each_other),
        TEST(an_empty_file_is_no_batch),
        TEST(what_is_too_old_expires_and_what_ended_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

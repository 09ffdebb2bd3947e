#include "base/log.h"
#include "engine/embed.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct embedder *open_with(const char *json, int queue_limit)
{
    char path[] = "/tmp/embed_test.XXXXXX";
    struct error err = {0};
    int fd = mkstemp(path);
    assert_int_equal(write(fd, json, strlen(json)), strlen(json));
    close(fd);
    struct embed_options options = {
        .name = "words", .path = path, .script = true, .queue_limit = queue_limit};
    struct embedder *e = embed_open(&options, &err);
    unlink(path);
    if (!e)
        fail_msg("%s", err.message);
    return e;
}

#define PLAIN "{'default': {'echo': true}}"
#define SLOW                                                                             \
    "{'embeddings': {'dimensions': 8, 'delay_ms': 2000}, 'default': {'echo': true}}"

/* One job's event. */
static struct embed_event *hear(struct queue *from)
{
    struct message *m = queue_wait(from, 5000);
    assert_non_null(m);
    assert_null(m->next);
    return (struct embed_event *)m;
}

static struct embed_event *embed(struct embedder *e, const struct embed_text *texts,
                                 int n)
{
    struct error err = {0};
    struct queue *to = queue_open();
    struct embed_job *job = embed_submit(e, texts, n, to, NULL, &err);
    assert_non_null(job);
    struct embed_event *event = hear(to);
    embed_release(job);
    queue_close(to);
    return event;
}

static double cosine(struct embed_vector a, struct embed_vector b)
{
    double sum = 0;
    assert_int_equal(a.n_dims, b.n_dims);
    for (int i = 0; i < a.n_dims; i++)
        sum += (double)a.at[i] * (double)b.at[i];
    return sum;
}

static void a_text_has_one_vector_of_length_one(void **state)
{
    (void)state;
    struct embedder *e = open_with(PLAIN, 0);
    struct embed_text texts[] = {
        {.text = TEXT("The tide is high")},
        {.text = TEXT("the TIDE is high")},
        {.text = TEXT("the tide is low")},
        {.text = TEXT("gold prices fell again")},
        {.text = TEXT(" ")},
    };
    struct embed_event *event = embed(e, texts, 5);
    assert_int_equal(event->error.code, ERROR_OK);
    assert_int_equal(event->n_texts, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(event->vectors[i].n_dims, 384);
        assert_true(fabs(cosine(event->vectors[i], event->vectors[i]) - 1) < 1e-5);
    }
    assert_true(cosine(event->vectors[0], event->vectors[1]) > 0.9999);
    assert_true(cosine(event->vectors[0], event->vectors[2]) >
                cosine(event->vectors[0], event->vectors[3]) + 0.3);
    free(event);
    embed_close(e);
}

static void a_cut_vector_is_the_beginning_made_longer(void **state)
{
    (void)state;
    struct embedder *e = open_with(PLAIN, 0);
    struct embed_text texts[] = {{.text = TEXT("a few words")},
                                 {.text = TEXT("a few words"), .n_dims = 3}};
    struct embed_event *event = embed(e, texts, 2);
    struct embed_vector whole = event->vectors[0], cut = event->vectors[1];
    assert_int_equal(cut.n_dims, 3);
    assert_true(fabs(cosine(cut, cut) - 1) < 1e-5);
    for (int i = 1; i < 3; i++)
        assert_true(fabsf(cut.at[i] * whole.at[0] - cut.at[0] * whole.at[i]) < 1e-6f);
    free(event);
    embed_close(e);
}

static void what_is_wrong_with_a_text_names_it(void **state)
{
    (void)state;
    struct embedder *e = open_with(
        "{'embeddings': {'dimensions': 8, 'context': 4}, 'default': {'echo': true}}", 0);
    struct embed_text texts[] = {{.text = TEXT("one two")},
                                 {.text = TEXT("one two three four five")}};
    struct embed_event *event = embed(e, texts, 2);
    assert_int_equal(event->error.code, ERROR_INVALID_ARGUMENT);
    assert_int_equal(event->at_fault, 1);
    assert_non_null(strstr(event->error.message, "(6)"));
    assert_non_null(strstr(event->error.message, "(4)"));
    free(event);
    texts[0].n_dims = 9;
    event = embed(e, texts, 1);
    assert_int_equal(event->at_fault, 0);
    assert_non_null(strstr(event->error.message, "is 9"));
    assert_non_null(strstr(event->error.message, "have 8 numbers"));
    free(event);
    static char huge[4 * 256 + 2];
    memset(huge, ' ', sizeof huge - 1);
    texts[0] = (struct embed_text){.text = text_of(huge)};
    event = embed(e, texts, 1);
    assert_non_null(strstr(event->error.message, "1025 bytes"));
    free(event);
    embed_close(e);
}

static void a_full_queue_refuses_and_a_cancelled_job_ends_at_once(void **state)
{
    (void)state;
    struct error err = {0};
    struct embed_text text = {.text = TEXT("slow")};
    struct embedder *e = open_with(SLOW, 1);
    struct queue *to = queue_open();
    struct embed_job *first = embed_submit(e, &text, 1, to, NULL, &err);
    struct embed_job *second = embed_submit(e, &text, 1, to, NULL, &err);
    assert_non_null(first);
    assert_non_null(second);
    assert_null(embed_submit(e, &text, 1, to, NULL, &err));
    assert_int_equal(err.code, ERROR_RESOURCE_EXHAUSTED);
    assert_true(err.retry_ms > 0);
    embed_cancel(second);
    embed_cancel(first);
    for (int i = 0; i < 2;) {
        struct message *m = queue_wait(to, 5000), *next;
        assert_non_null(m);
        for (; m; m = next, i++) {
            next = m->next;
            assert_int_equal(((struct embed_event *)m)->error.code, ERROR_CANCELLED);
            free(m);
        }
    }
    embed_release(first);
    embed_release(second);
    queue_close(to);
    embed_close(e);
}

static void closing_ends_what_runs(void **state)
{
    (void)state;
    struct error err = {0};
    struct embed_text text = {.text = TEXT("slow")};
    struct embedder *e = open_with(SLOW, 1);
    struct queue *to = queue_open();
    struct embed_job *job = embed_submit(e, &text, 1, to, NULL, &err);
    embed_cancel(job);
    embed_close(e);
    struct embed_event *event = hear(to);
    assert_int_equal(event->error.code, ERROR_CANCELLED);
    free(event);
    embed_release(job);
    queue_close(to);
}

/* Two jobs at once: the small one is in the next step, whoever else is there. */
static void a_small_job_does_not_wait_for_a_large_one(void **state)
{
    (void)state;
    struct error err = {0};
    struct embed_text many[100], one = {.text = TEXT("me")};
    for (int i = 0; i < 100; i++)
        many[i] = (struct embed_text){.text = TEXT("some of many")};
    struct embedder *e = open_with("{'embeddings': {'dimensions': 8, 'delay_ms': 100}, "
                                   "'default': {'echo': true}}",
                                   9);
    struct queue *to_many = queue_open(), *to_one = queue_open();
    struct embed_job *large = embed_submit(e, many, 100, to_many, NULL, &err);
    struct embed_job *small = embed_submit(e, &one, 1, to_one, NULL, &err);
    struct embed_event *first = hear(to_one), *second = hear(to_many);
    assert_int_equal(first->error.code, ERROR_OK);
    assert_int_equal(second->error.code, ERROR_OK);
    assert_true(first->queued_us + first->run_us < second->queued_us + second->run_us);
    free(first);
    free(second);
    embed_release(large);
    embed_release(small);
    queue_close(to_many);
    queue_close(to_one);
    embed_close(e);
}

static void a_model_that_is_not_there_is_told_to_the_job(void **state)
{
    (void)state;
    struct error err = {0};
    log_setup(LOG_ERROR, LOG_TEXT);
    struct embed_options options = {.name = "none",
                                    .path = "/nowhere/none.gguf",
                                    .remedy = "pull it",
                                    .queue_limit = 1};
    struct embedder *e = embed_open(&options, &err);
    struct embed_text text = {.text = TEXT("hello")};
    struct embed_event *event = embed(e, &text, 1);
    assert_int_equal(event->error.code, ERROR_FAILED_PRECONDITION);
    assert_non_null(strstr(event->error.message, "pull it"));
    assert_int_equal(embed_facts(e).n_dims, 0);
    free(event);
    embed_close(e);
}

/* ---- wording ---- */

static const char *wording(const char *model, enum embed_task task, const char *title)
{
    static char said[300];
    struct buf out = {0};
    embed_wording(embed_family_of(model), task, text_of(title), TEXT("sea"), &out);
    snprintf(said, sizeof said, "%s", out.at);
    buf_free(&out);
    return said;
}

static void models_are_told_what_a_vector_is_for(void **state)
{
    (void)state;
    for (int task = 0; task < EMBED_TASKS; task++)
        assert_string_equal(wording("all-minilm-l6-v2", (enum embed_task)task, NULL),
                            "sea");
    assert_string_equal(wording("all-minilm-l6-v2", EMBED_DOCUMENT, "Tides"),
                        "Tides\nsea");
    assert_string_equal(wording("nomic-embed-text-v1.5.Q8_0", EMBED_QUERY, NULL),
                        "search_query: sea");
    assert_string_equal(wording("Multilingual-E5-small", EMBED_DOCUMENT, NULL),
                        "passage: sea");
    assert_string_equal(wording("embeddinggemma-300m", EMBED_DOCUMENT, "Tides"),
                        "title: Tides | text: sea");
    assert_string_equal(wording("embeddinggemma-300m", EMBED_DOCUMENT, NULL),
                        "title: none | text: sea");
    assert_string_equal(wording("bge-small-en", EMBED_DOCUMENT, NULL), "sea");
    assert_string_equal(wording("bge-small-en", EMBED_QUERY, NULL),
                        "Represent this sentence for searching relevant passages: sea");
    assert_string_equal(wording("bge-m3", EMBED_QUERY, NULL), "sea");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_has_one_vector_of_length_one),
        cmocka_unit_test(a_cut_vector_is_the_beginning_made_longer),
        cmocka_unit_test(what_is_wrong_with_a_text_names_it),
        cmocka_unit_test(a_full_queue_refuses_and_a_cancelled_job_ends_at_once),
        cmocka_unit_test(closing_ends_what_runs),
        cmocka_unit_test(a_small_job_does_not_wait_for_a_large_one),
        cmocka_unit_test(a_model_that_is_not_there_is_told_to_the_job),
        cmocka_unit_test(models_are_told_what_a_vector_is_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

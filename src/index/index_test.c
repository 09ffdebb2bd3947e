#include "index/inside.h"
#include "index/scene.h"

static void a_document_becomes_active_and_is_found_by_words_and_by_sense(void **state)
{
    (void)state;
    struct passage *found;
    struct text id = make_store("My Books!");
    assert_true(text_starts(id, "my-books-"));
    put(id, "tides", "The moon raises the tides. Harbours know it well.", NULL);
    put(id, "bread", "Bread needs flour, water, salt and time.", NULL);
    assert_true(index_wait(docs, 10000));
    assert_int_equal(look_for(id, "what raises tides?", NULL, &found), 1);
    assert_true(text_is(found[0].title, "tides"));
    assert_true(
        text_is(found[0].text, "The moon raises the tides. Harbours know it well."));
    assert_true(text_starts(found[0].uri, "fileSearchStores/my-books-"));
    assert_true(found[0].score > 0.99 && found[0].score <= 1.000001);
    assert_true(found[0].similarity > 0.2);
    assert_int_equal(look_for(id, "flours", NULL, &found), 1); /* by its stem */
    assert_true(text_is(found[0].title, "bread"));
}

static void a_store_that_is_not_there_is_told(void **state)
{
    (void)state;
    struct passage *found;
    assert_int_equal(look_for(TEXT("nowhere"), "x", NULL, &found), -1);
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void stores_are_apart(void **state)
{
    (void)state;
    struct passage *found;
    struct text a = make_store("a"), b = make_store("b");
    put(a, "one", "red apples", NULL);
    put(b, "two", "red apples", NULL);
    assert_true(index_wait(docs, 10000));
    assert_int_equal(look_for(a, "apples", NULL, &found), 1);
    assert_true(text_same(found[0].store, a));
    struct text both[] = {a, b};
    struct index_query query = {.text = TEXT("apples"), .stores = both, .n_stores = 2};
    int n;
    assert_true(index_search(docs, &query, arena, &found, &n, &err));
    assert_int_equal(n, 2);
}

static void what_is_deleted_is_not_found(void **state)
{
    (void)state;
    struct passage *found;
    struct text id = make_store("a");
    struct index_document kept = put(id, "kept", "green apples", NULL);
    struct index_document gone = put(id, "gone", "green apples", NULL);
    assert_true(index_wait(docs, 10000));
    assert_false(index_document_delete(docs, id, gone.id, false, &err));
    assert_int_equal(err.code, ERROR_FAILED_PRECONDITION);
    assert_true(index_document_delete(docs, id, gone.id, true, &err));
    assert_int_equal(look_for(id, "apples", NULL, &found), 1);
    assert_true(text_same(found[0].document, kept.id));
    assert_false(index_delete(docs, id, false, &err));
    assert_true(index_delete(docs, id, true, &err));
    assert_int_equal(docs->vectors.n, 0);
    /* Nothing is left of it, in FTS5 neither. */
    int64_t n = -1;
    assert_true(store_begin(store, &err));
    assert_true(store_number(store,
                             "SELECT (SELECT COUNT(*) FROM search_passages) +"
                             " (SELECT COUNT(*) FROM search_words_docsize) +"
                             " (SELECT COUNT(*) FROM search_documents)",
                             STORE_NO_VALUES, 0, &n, &err));
    store_end(store, true, &err);
    assert_int_equal(n, 0);
}

static void a_document_keeps_its_bytes_when_the_file_goes(void **state)
{
    (void)state;
    struct text id = make_store("a");
    struct index_document made;
    struct index_wish wish = {.display_name = TEXT("x")};
    struct text file = file_of(TEXT("some bytes"));
    assert_true(index_import(docs, id, file, &wish, arena, &made, &err));
    assert_true(files_delete(files, text_slice(file, strlen("files/"), file.len), &err));
    int fd = blob_open(files_blobs(files), made.hash);
    assert_true(fd >= 0);
    close(fd);
    assert_true(index_wait(docs, 10000));
    assert_true(index_document_delete(docs, id, made.id, true, &err));
    assert_int_equal(blob_open(files_blobs(files), made.hash), -1);
}

static void it_is_all_there_after_a_restart(void **state)
{
    (void)state;
    struct passage *found;
    struct text id = make_store("a");
    put(id, "pears", "yellow pears",
        "{'customMetadata': [{'key': 'year', "
        "'numericValue': 1999}]}");
    assert_true(index_wait(docs, 10000));
    close_world();
    open_world_with(open_words(WORDS));
    assert_int_equal(look_for(id, "pears", "year > 1990", &found), 1);
    assert_int_equal(look_for(id, "pears", "year > 2000", &found), 0);
}

static void what_is_pending_is_taken_up_after_a_crash(void **state)
{
    (void)state;
    struct passage *found;
    struct text id = make_store("a");
    put(id, "plums", "blue plums", NULL);
    assert_true(index_wait(docs, 10000));
    /* As if it had died before the commit. */
    assert_true(store_begin(store, &err));
    store_run(store, "UPDATE search_documents SET state = 1", STORE_NO_VALUES, NULL,
              &err);
    assert_true(store_end(store, true, &err));
    close_world();
    open_world_with(open_words(WORDS));
    assert_true(index_wait(docs, 10000));
    assert_int_equal(look_for(id, "plums", NULL, &found), 1);
    assert_int_equal(docs->vectors.n_passages, 1);
}

static void another_model_makes_the_vectors_anew(void **state)
{
    (void)state;
    struct passage *found;
    struct text id = make_store("a");
    put(id, "figs", "ripe figs", NULL);
    assert_true(index_wait(docs, 10000));
    assert_true(store_begin(store, &err));
    store_run(store, "UPDATE search_documents SET model = 'another'", STORE_NO_VALUES,
              NULL, &err);
    assert_true(store_end(store, true, &err));
    close_world();
    open_world_with(
        open_words("{'embeddings': {'dimensions': 64}, 'default': {'echo': true}}"));
    assert_true(index_wait(docs, 10000));
    assert_int_equal(docs->vectors.at[0].n_dims, 64);
    assert_int_equal(look_for(id, "figs", NULL, &found), 1);
}

static void an_upload_becomes_one_document_however_often_it_ends(void **state)
{
    (void)state;
    struct text id = make_store("a"), upload = {0};
    struct upload_wish wish = {.mime_type = TEXT("text/plain"), .size = 3};
    struct index_document one, two;
    struct index_wish index_wish = {.display_name = TEXT("n")};
    assert_true(upload_begin(files, &wish, arena, &upload, &err));
    assert_true(index_expect(docs, id, upload, &index_wish, &err));
    struct text file = file_of(TEXT("abc"));
    assert_true(index_receive(docs, id, upload, file, arena, &one, &err));
    assert_true(index_receive(docs, id, upload, file, arena, &two, &err));
    assert_true(text_same(one.id, two.id));
    assert_false(index_receive(docs, TEXT("b"), upload, file, arena, &two, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void what_cannot_be_read_failed_and_says_why(void **state)
{
    (void)state;
    struct text id = make_store("a");
    struct index_document made, now;
    struct index_wish wish = {.display_name = TEXT("x")};
    struct text file = file_of(((struct text){"\x89PNG\0\1\2", 7}));
    assert_true(index_import(docs, id, file, &wish, arena, &made, &err));
    assert_true(index_wait(docs, 10000));
    assert_true(index_document_get(docs, id, made.id, arena, &now, &err));
    assert_int_equal(now.state, DOCUMENT_FAILED);
    assert_true(text_find(now.error, TEXT("readers"), 0) != SIZE_MAX);
}

static void pages_of_documents_join_to_all(void **state)
{
    (void)state;
    struct text id = make_store("a"), token = {0};
    char seen[5] = {0};
    for (int i = 0; i < 5; i++)
        put(id, arena_printf(arena, "%d", i).at, "same", NULL);
    for (int pages = 0, n; pages < 3; pages++) {
        struct index_document *list;
        assert_true(
            index_document_list(docs, id, 2, token, arena, &list, &n, &token, &err));
        for (int i = 0; i < n; i++)
            seen[list[i].display_name.at[0] - '0']++;
    }
    assert_false(token.at != NULL);
    for (int i = 0; i < 5; i++)
        assert_int_equal(seen[i], 1);
}

/* The scan against the sum written plainly, on passages at random. */
static void the_nearest_are_the_nearest(void **state)
{
    (void)state;
    enum { N = 500, DIMS = 37, MOST = 20 };
    static float at[N * DIMS];
    struct vectors v = {0};
    bool allowed[N / 5];
    struct hit hits[MOST];
    srand(7);
    for (int i = 0; i < N * DIMS; i++)
        at[i] = (float)rand() / (float)RAND_MAX - 0.5f;
    for (int i = 0; i < N / 5; i++) {
        vectors_add(&v, i, 10 + i * 7, 5, DIMS, at + (size_t)i * 5 * DIMS, TEXT("s"));
        allowed[i] = i % 3 != 0;
    }
    int n = vectors_nearest(&v, at, DIMS, allowed, hits, MOST);
    assert_int_equal(n, MOST);
    int n_better = 0;
    for (int i = 0; i < N; i++) {
        float sum = 0;
        for (int k = 0; k < DIMS; k++)
            sum += at[i * DIMS + k] * at[k];
        n_better += allowed[i / 5] && sum > hits[MOST - 1].score + 1e-4f;
    }
    assert_true(n_better <= MOST);
    assert_true(n_better >= MOST - 1);
    for (int i = 1; i < n; i++)
        assert_true(hits[i - 1].score >= hits[i].score);
    assert_int_equal(vectors_find(&v, 10), 0);
    assert_int_equal(vectors_find(&v, 15), -1);
    assert_int_equal(vectors_find(&v, 17), 1);
    vectors_remove(&v, 1);
    assert_int_equal(vectors_find(&v, 17), -1);
    vectors_free(&v);
}

static void a_query_is_never_an_operator(void **state)
{
    (void)state;
    static const char *const queries[] = {"NOT",     "a AND", "\"",        "* OR",
                                          "title:x", "(",     "NEAR(a b)", "x\" OR \"y",
                                          "-",       "é^2"};
    struct passage *found;
    struct text id = make_store("a");
    put(id, "x", "some words", NULL);
    assert_true(index_wait(docs, 10000));
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        if (look_for(id, queries[i], NULL, &found) < 0)
            fail_msg("%s: %s", queries[i], err.message);
}

/* ---- many at once ---- */

struct hand {
    pthread_t thread;
    struct text store, file;
    bool searches;
    int n_wrong;
};

static bool add_and_delete(struct hand *hand, struct arena *own)
{
    struct error wrong;
    struct index_document made;
    const struct index_wish wish = {.display_name = TEXT("n")};
    return index_import(docs, hand->store, hand->file, &wish, own, &made, &wrong) &&
           (index_wait(docs, 20) || true) &&
           index_document_delete(docs, hand->store, made.id, true, &wrong);
}

static bool find_the_one_that_stays(struct hand *hand, struct arena *own)
{
    struct error wrong;
    struct passage *found;
    int n;
    const struct index_query query = {
        .text = TEXT("steady words"), .stores = &hand->store, .n_stores = 1, .top = 50};
    if (!index_search(docs, &query, own, &found, &n, &wrong) || n < 1)
        return false;
    for (int i = 0; i < n; i++)
        if (!text_is(found[i].text, "steady words") &&
            !text_is(found[i].text, "fleeting words"))
            return false;
    return text_is(found[0].title, "stays");
}

static void *work_hard(void *arg)
{
    struct hand *hand = arg;
    for (int i = 0; i < 40; i++) {
        struct arena *own = arena_open();
        hand->n_wrong +=
            !(hand->searches ? find_the_one_that_stays : add_and_delete)(hand, own);
        arena_close(own);
    }
    return NULL;
}

static void many_add_delete_and_search_at_once(void **state)
{
    (void)state;
    struct hand hands[6];
    struct text id = make_store("a");
    put(id, "stays", "steady words", NULL);
    assert_true(index_wait(docs, 10000));
    struct text file = file_of(TEXT("fleeting words"));
    for (int i = 0; i < 6; i++) {
        hands[i] = (struct hand){.store = id, .file = file, .searches = i % 2};
        assert_int_equal(pthread_create(&hands[i].thread, NULL, work_hard, &hands[i]), 0);
    }
    for (int i = 0; i < 6; i++) {
        pthread_join(hands[i].thread, NULL);
        assert_int_equal(hands[i].n_wrong, 0);
    }
    assert_true(index_wait(docs, 10000));
    assert_int_equal(docs->vectors.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_document_becomes_active_and_is_found_by_words_and_by_sense),
        TEST(a_store_that_is_not_there_is_told),
        TEST(stores_are_apart),
        TEST(what_is_deleted_is_not_found),
        TEST(a_document_keeps_its_bytes_when_the_file_goes),
        TEST(it_is_all_there_after_a_restart),
        TEST(what_is_pending_is_taken_up_after_a_crash),
        TEST(another_model_makes_the_vectors_anew),
        TEST(an_upload_becomes_one_document_however_often_it_ends),
        TEST(what_cannot_be_read_failed_and_says_why),
        TEST(pages_of_documents_join_to_all),
        TEST(the_nearest_are_the_nearest),
        TEST(a_query_is_never_an_operator),
        TEST(many_add_delete_and_search_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

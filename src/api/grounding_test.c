#include "api/grounding.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct text queries[] = {TEXT("Oslo <population>")};

/* Of stores; on the web they have none. */
static struct passage passages[] = {
    {.title = TEXT("Oslo"),
     .uri = TEXT("file:///oslo.txt"),
     .store = TEXT("local"),
     .document = TEXT("d"),
     .text = TEXT("Oslo has 700 000 inhabitants."),
     .metadata = TEXT("{\"customMetadata\":[{\"key\":\"year\",\"numericValue\":2024}]}")},
    {.title = TEXT("b"),
     .uri = TEXT("file:///b"),
     .store = TEXT("local"),
     .text = TEXT("x")},
};

static const struct citation citations[] = {
    {.from = 0, .to = 6, .n = 2, .passages = {0, 1}, .confidence = {0.91234, 0.8}},
    {.from = 7, .to = 13, .n = 1, .passages = {1}, .confidence = {0.5}},
};

static struct grounding of(bool web)
{
    for (int i = 0; i < 2; i++)
        passages[i].store = text_of(web ? NULL : "local");
    return (struct grounding){
        .queries = queries,
        .n_queries = web,
        .passages = passages,
        .n_passages = 2,
        .answer = TEXT("First. Second."),
        .citations = citations,
        .n_citations = 2,
    };
}

static void check(const struct buf *got, const char *wanted)
{
    assert_string_equal(got->at, wanted);
}

static void the_web_has_queries_an_entry_point_and_addresses(void **state)
{
    (void)state;
    struct buf out = {0};
    struct json_writer w = json_writer(&out, false);
    struct grounding g = of(true);
    grounding_write(&w, &g);
    check(&out, "{\"webSearchQueries\":[\"Oslo <population>\"],\"searchEntryPoint\":{"
                "\"renderedContent\":\"<div class=\\\"container\\\"><span "
                "class=\\\"chip\\\">Oslo "
                "&lt;population&gt;</span></div>\",\"sdkBlob\":"
                "\"W1siT3NsbyA8cG9wdWxhdGlvbj4iLCJmaWxlOi8vL29zbG8udHh0Il1d\"},"
                "\"groundingChunks\":[{\"web\":{\"uri\":\"file:///"
                "oslo.txt\",\"title\":\"Oslo\"}},"
                "{\"web\":{\"uri\":\"file:///b\",\"title\":\"b\"}}],"
                "\"groundingSupports\":[{\"segment\":{\"startIndex\":0,\"endIndex\":6,"
                "\"text\":\"First.\"},"
                "\"groundingChunkIndices\":[0,1],\"confidenceScores\":[0.912,0.8]},"
                "{\"segment\":{\"startIndex\":7,\"endIndex\":13,\"text\":\"Second\"},"
                "\"groundingChunkIndices\":[1],\"confidenceScores\":[0.5]}]}");
    buf_free(&out);
}

static void a_store_has_its_passages(void **state)
{
    (void)state;
    struct buf out = {0};
    struct json_writer w = json_writer(&out, false);
    struct grounding g = of(false);
    g.n_citations = 0;
    g.n_passages = 1;
    grounding_write(&w, &g);
    check(&out,
          "{\"groundingChunks\":[{\"retrievedContext\":{\"uri\":\"file:///oslo.txt\","
          "\"title\":\"Oslo\",\"text\":\"Oslo has 700 000 inhabitants.\","
          "\"fileSearchStore\":\"fileSearchStores/local\",\"customMetadata\":[{"
          "\"key\":\"year\",\"numericValue\":2024}]}}]}");
    buf_free(&out);
}

static void annotations_are_one_for_each_source(void **state)
{
    (void)state;
    struct buf out = {0};
    struct json_writer w = json_writer(&out, false);
    struct grounding g = of(true);
    grounding_annotations(&w, &g);
    check(&out,
          "[{\"type\":\"url_citation\",\"url\":\"file:///oslo.txt\",\"title\":\"Oslo\","
          "\"start_index\":0,\"end_index\":6},"
          "{\"type\":\"url_citation\",\"url\":\"file:///b\",\"title\":\"b\","
          "\"start_index\":0,\"end_index\":6},"
          "{\"type\":\"url_citation\",\"url\":\"file:///b\",\"title\":\"b\","
          "\"start_index\":7,\"end_index\":13}]");
    buf_clear(&out);
    w = json_writer(&out, false);
    g = of(false);
    g.n_citations = 1;
    grounding_annotations(&w, &g);
    assert_true(
        text_starts(buf_view(&out),
                    "[{\"type\":\"file_citation\",\"document_uri\":"
                    "\"file:///oslo.txt\",\"file_name\":\"Oslo\",\"source\":"
                    "\"fileSearchStores/"
                    "local\",\"custom_metadata\":{\"year\":2024},\"start_index\":0,"));
    buf_free(&out);
}

static void nothing_is_an_empty_object(void **state)
{
    (void)state;
    struct buf out = {0};
    struct json_writer w = json_writer(&out, false);
    const struct grounding none = {.n_passages = 0};
    grounding_write(&w, &none);
    check(&out, "{}");
    buf_free(&out);
}

static const struct tool_sources found[] = {
    {.queries = queries, .n_queries = 1, .passages = passages, .n_passages = 2},
    {.queries = queries, .n_queries = 1, .passages = passages, .n_passages = 1},
};

static void what_was_found_twice_is_one_source(void **state)
{
    (void)state;
    const struct tool_sources *const sources[] = {&found[0], &found[1]};
    const struct toolbox box = {.embedder = NULL};
    struct arena *arena = arena_open();
    const struct grounding *g = grounding_find(
        &box, TEXT("Well: Oslo has 700 000 inhabitants. Perhaps."), sources, 2, arena);
    assert_int_equal(g->n_queries, 1);
    assert_int_equal(g->n_passages, 2);
    assert_int_equal(g->n_citations, 1);
    assert_int_equal(g->citations[0].n, 1);
    assert_int_equal(g->citations[0].passages[0], 0);
    arena_close(arena);
}

static void without_sources_there_is_nothing_to_rest_on(void **state)
{
    (void)state;
    const struct tool_sources none = {.n_passages = 0};
    const struct tool_sources *const sources[] = {&none};
    const struct toolbox box = {.embedder = NULL};
    struct arena *arena = arena_open();
    assert_null(grounding_find(&box, TEXT("Words."), sources, 1, arena));
    arena_close(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_web_has_queries_an_entry_point_and_addresses),
        cmocka_unit_test(a_store_has_its_passages),
        cmocka_unit_test(annotations_are_one_for_each_source),
        cmocka_unit_test(nothing_is_an_empty_object),
        cmocka_unit_test(what_was_found_twice_is_one_source),
        cmocka_unit_test(without_sources_there_is_nothing_to_rest_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

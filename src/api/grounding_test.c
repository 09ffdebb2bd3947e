#include "api/grounding.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct text queries[] = {TEXT("Oslo <population>")};

static const struct passage passages[] = {
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

static struct grounding of(enum grounding_kind kind)
{
    return (struct grounding){
        .kind = kind,
        .queries = queries,
        .n_queries = 1,
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
    struct grounding g = of(GROUNDING_WEB);
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
    struct grounding g = of(GROUNDING_STORE);
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
    struct grounding g = of(GROUNDING_WEB);
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
    g = of(GROUNDING_STORE);
    g.n_citations = 1;
    grounding_annotations(&w, &g);
    assert_true(text_starts(buf_view(&out),
                            "[{\"type\":\"file_citation\",\"document_uri\":"
                            "\"file:///oslo.txt\",\"file_name\":\"Oslo\",\"source\":"
                            "\"fileSearchStores/local\",\"start_index\":0,"));
    buf_free(&out);
}

static void nothing_is_an_empty_object(void **state)
{
    (void)state;
    struct buf out = {0};
    struct json_writer w = json_writer(&out, false);
    const struct grounding none = {.kind = GROUNDING_STORE};
    grounding_write(&w, &none);
    check(&out, "{}");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_web_has_queries_an_entry_point_and_addresses),
        cmocka_unit_test(a_store_has_its_passages),
        cmocka_unit_test(annotations_are_one_for_each_source),
        cmocka_unit_test(nothing_is_an_empty_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/buf.h"
#include "index/cite.h"
#include "index/scene.h"

static const struct passage passages[] = {
    {.title = TEXT("oslo"),
     .text = TEXT("Oslo is the capital of Norway. It has about 700 000 inhabitants and "
                  "lies at the end of the Oslofjord.")},
    {.title = TEXT("bread"), .text = TEXT("Bread needs flour, water, salt and time.")},
};

static int find(const char *answer, struct citation **found, bool with_vectors)
{
    int n = -1;
    if (!cite_find(text_of(answer), passages, 2, with_vectors ? embedder : NULL, arena,
                   found, &n, &err))
        fail_msg("%s", err.message);
    return n;
}

static void sentences_get_the_passages_that_say_them(void **state)
{
    (void)state;
    for (int with_vectors = 0; with_vectors < 2; with_vectors++) {
        struct citation *found;
        const char *answer =
            "The capital of Norway is Oslo. Nobody asked about whales or "
            "ships. Bread needs salt, flour and some water!";
        assert_int_equal(find(answer, &found, with_vectors), 2);
        assert_int_equal(found[0].from, 0);
        assert_int_equal(found[0].to, 30);
        assert_int_equal(found[0].n, 1);
        assert_int_equal(found[0].passages[0], 0);
        assert_int_equal(found[1].passages[0], 1);
        assert_int_equal(found[1].to, strlen(answer));
        assert_true(found[0].confidence[0] >= 0.5 && found[0].confidence[0] <= 1);
    }
}

static void indices_are_bytes(void **state)
{
    (void)state;
    struct citation *found;
    const char *before = "Gr\xc3\xb6\xc3\x9f"
                         "e und \xf0\x9f\x90\x99! ";
    const char *answer =
        arena_printf(arena, "%sOslo is the capital of Norway.", before).at;
    assert_int_equal(find(answer, &found, false), 1);
    assert_int_equal(found[0].from, strlen(before));
    assert_int_equal(found[0].to, strlen(answer));
}

static void a_wrong_number_is_not_supported(void **state)
{
    (void)state;
    struct citation *found;
    assert_int_equal(find("Oslo has about 700 000 inhabitants.", &found, true), 1);
    assert_int_equal(find("Oslo has about 900 000 inhabitants.", &found, true), 0);
}

static void nothing_is_cited_for_nothing(void **state)
{
    (void)state;
    struct citation *found;
    assert_int_equal(find("", &found, true), 0);
    assert_int_equal(find("Yes. No. Oslo.", &found, true), 0);
    assert_int_equal(find("\xff\xfe Oslo is the capital of Norway.", &found, true), 0);
    int n = -1;
    assert_true(cite_find(TEXT("a b c"), NULL, 0, embedder, arena, &found, &n, &err));
    assert_int_equal(n, 0);
}

/* Answers and passages at random: what comes out is in order, within, on characters. */
static void indices_always_fall_on_characters(void **state)
{
    (void)state;
    static const char *const bits[] = {
        "tide",     "moon",         "harbour ",     "12 ",
        " ",        ". ",           "\n",           "! ",
        "\xc3\xa9", "\xe6\xbd\xae", "\xe3\x80\x82", "\xf0\x9f\x90\x99",
        "words ",   "mean ",        "\"",           ")"};
    srand(11);
    int n_cited = 0;
    for (int round = 0; round < 3000; round++) {
        struct buf texts[3] = {{0}};
        struct passage random[2] = {0};
        for (int k = 0; k < 3; k++) {
            int n_bits = rand() % 80;
            for (int i = 0; i < n_bits; i++)
                buf_str(&texts[k], bits[rand() % 16]);
        }
        random[0].text = buf_view(&texts[1]);
        random[1].text = buf_view(&texts[2]);
        struct text answer = buf_view(&texts[0]);
        struct arena *own = arena_open();
        struct citation *found;
        int n;
        size_t last = 0;
        assert_true(cite_find(answer, random, 2, round % 50 ? NULL : embedder, own,
                              &found, &n, &err));
        for (int i = 0; i < n; i++) {
            assert_true(found[i].from >= last && found[i].from < found[i].to &&
                        found[i].to <= answer.len);
            last = found[i].to;
            struct text span = text_slice(answer, found[i].from, found[i].to);
            assert_true(text_is_utf8(span));
            assert_true(text_is_utf8(text_slice(answer, 0, found[i].from)));
            assert_true(found[i].n >= 1 && found[i].n <= CITE_SOURCES);
            for (int k = 0; k < found[i].n; k++) {
                assert_true(found[i].confidence[k] >= 0.5 && found[i].confidence[k] <= 1);
                assert_true(found[i].passages[k] == 0 || found[i].passages[k] == 1);
            }
        }
        n_cited += n;
        arena_close(own);
        for (int k = 0; k < 3; k++)
            buf_free(&texts[k]);
    }
    assert_true(n_cited > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sentences_get_the_passages_that_say_them),
        TEST(indices_are_bytes),
        TEST(a_wrong_number_is_not_supported),
        TEST(nothing_is_cited_for_nothing),
        TEST(indices_always_fall_on_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

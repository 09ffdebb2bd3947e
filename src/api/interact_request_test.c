#include "api/interact_request.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena *arena;
static struct error err;
static const struct content_rules rules = {
    .defaults = {.temperature = 1, .top_p = 0.95, .top_k = 40, .block_from = LEVEL_NONE}};

static int set_up(void **state)
{
    (void)state;
    arena = arena_open();
    err = (struct error){0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

#define F(name) "{\"type\":\"function\",\"name\":\"" name "\"}"

/* What a request with these members asks for, behind what a cache brings. */
static bool read(const char *members, struct chat *chat)
{
    struct interact_request request;
    struct text body =
        arena_printf(arena, "{\"model\":\"models/m\",\"input\":\"hi\"%s%s}",
                     *members ? "," : "", members);
    return interact_read(body, false, arena, &request, &err) &&
           interact_chat(&request, &rules, NULL, 0, arena, chat, &err);
}

static struct chat read_well(const char *members)
{
    struct chat chat = {0};
    assert_true(read(members, &chat));
    return chat;
}

static void assert_refused(const char *members, const char *field)
{
    struct chat chat = {0};
    assert_false(read(members, &chat));
    assert_int_equal(err.code, ERROR_INVALID_ARGUMENT);
    assert_string_equal(err.field, field);
}

static void a_bare_request_has_the_servers_settings(void **state)
{
    (void)state;
    struct chat chat = read_well("");
    assert_true(text_is(chat.model, "m") && chat.n_turns == 1 && !chat.system.len);
    assert_true(chat.sampling.temperature == 1 && chat.sampling.top_k == 40);
    assert_true(!chat.sampling.seeded && chat.n_candidates == 1 && !chat.max_tokens);
    assert_true(!chat.thinking.on && !chat.streamed && !chat.call_pieces);
    assert_true(chat.calling == CALLING_AUTO && chat.shape.kind == ANSWER_TEXT);
}

static void settings_are_read(void **state)
{
    (void)state;
    struct chat chat = read_well(
        "\"stream\":true,\"system_instruction\":\"Be a cat.\",\"generation_config\":{"
        "\"temperature\":0.5,\"top_p\":0.25,\"top_k\":3,\"seed\":-1,"
        "\"max_output_tokens\":7,\"stop_sequences\":[\"a\",\"b\"],"
        "\"presence_penalty\":1,\"frequency_penalty\":-1,\"thinking_level\":\"low\"}");
    assert_true(chat.sampling.temperature == 0.5 && chat.sampling.top_p == 0.25);
    assert_true(chat.sampling.top_k == 3 && chat.sampling.seeded);
    assert_true(chat.sampling.presence == 1 && chat.sampling.frequency == -1);
    assert_true(chat.max_tokens == 7 && chat.n_stops == 2 && text_is(chat.stops[1], "b"));
    assert_true(text_is(chat.system, "Be a cat.") && chat.streamed && chat.call_pieces);
    assert_true(chat.thinking.on && chat.thinking.budget > 0);
}

static void tool_choice_in_every_form(void **state)
{
    (void)state;
    static const struct {
        const char *choice;
        enum calling calling;
        bool barred[2];
    } forms[] = {
        {"\"auto\"", CALLING_AUTO, {0}},
        {"\"any\"", CALLING_ANY, {0}},
        {"\"none\"", CALLING_NONE, {0}},
        {"\"validated\"", CALLING_VALIDATED, {0}},
        {"{\"allowed_tools\":{\"mode\":\"any\",\"tools\":[\"g\"]}}",
         CALLING_ANY,
         {true, false}},
        {"{\"allowed_tools\":{\"mode\":\"validated\",\"tools\":[\"f\"]}}",
         CALLING_VALIDATED,
         {false, true}},
        {"{\"allowed_tools\":{\"tools\":[\"f\",\"g\"]}}", CALLING_AUTO, {0}},
        {"{\"allowed_tools\":{\"mode\":\"none\",\"tools\":[]}}", CALLING_NONE, {0}},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const char *members =
            arena_printf(arena,
                         "\"tools\":[" F("f") "," F("g") "],\"generation_config\":{"
                                                         "\"tool_choice\":%s}",
                         forms[i].choice)
                .at;
        struct chat chat = read_well(members);
        assert_int_equal(chat.calling, forms[i].calling);
        for (int k = 0; k < 2; k++)
            /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): there are two */
            assert_int_equal(chat.functions[k].barred, forms[i].barred[k]);
    }
    assert_refused("\"tools\":[" F("f") "],\"generation_config\":{\"tool_choice\":"
                                        "{\"allowed_tools\":{\"tools\":[\"h\"]}}}",
                   "generation_config.tool_choice.allowed_tools.tools");
    assert_refused("\"generation_config\":{\"tool_choice\":\"any\"}",
                   "generation_config.tool_choice");
}

static void a_cache_stands_before_what_is_asked(void **state)
{
    (void)state;
    static const char members[] =
        "\"cached_content\":\"cachedContents/a\",\"tools\":[" F("g") "]";
    struct part part = {PART_TEXT, .text = TEXT("long ago")};
    struct turn_of turn = {ROLE_USER, &part, 1};
    struct function f = {.name = TEXT("f")};
    const struct chat kept = {.system = TEXT("Be brief."),
                              .turns = &turn,
                              .n_turns = 1,
                              .functions = &f,
                              .n_functions = 1,
                              .calling = CALLING_ANY};
    struct chat chat = kept;
    assert_true(read(members, &chat));
    assert_true(chat.n_turns == 2 && text_is(chat.turns[0].parts[0].text, "long ago"));
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): there are two */
    assert_true(text_is(chat.turns[1].parts[0].text, "hi"));
    assert_true(chat.n_functions == 2 && text_is(chat.functions[0].name, "f"));
    assert_true(chat.calling == CALLING_ANY && text_is(chat.system, "Be brief."));
    chat = kept;
    assert_false(
        read("\"cached_content\":\"cachedContents/a\",\"tools\":[" F("f") "]", &chat));
    assert_string_equal(err.field, "tools[0].name");
    assert_refused("\"cached_content\":\"cachedContents/a\",\"system_instruction\":\"x\"",
                   "system_instruction");
}

static void harms_are_looked_for_as_it_is_asked(void **state)
{
    (void)state;
    struct chat chat =
        read_well("\"safety_settings\":[{\"type\":\"hate_speech\",\"threshold\":"
                  "\"block_only_high\"},{\"type\":\"jailbreak\",\"threshold\":\"off\"}]");
    int n = 0;
    for (int i = 0; i < N_HARMS; i++)
        n += chat.safety.block_from[i] == LEVEL_HIGH;
    assert_int_equal(n, 1);
    assert_refused("\"safety_settings\":[{\"type\":\"harassment\",\"threshold\":\"off\"},"
                   "{\"type\":\"harassment\",\"threshold\":\"off\"}]",
                   "safety_settings[1]");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_bare_request_has_the_servers_settings),
        TEST(settings_are_read),
        TEST(tool_choice_in_every_form),
        TEST(a_cache_stands_before_what_is_asked),
        TEST(harms_are_looked_for_as_it_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

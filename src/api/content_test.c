#include "api/content.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct arena *arena;
static struct wire_generate request;
static struct chat chat;
static struct error err;
static enum level default_level;
static bool thinks; /* the model was trained to */

static int open_arena(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static int shut_arena(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

static bool reads(const char *json)
{
    const struct content_rules rules = {.thinks = thinks,
                                        .defaults = {0.7, 0.9, 20, default_level}};
    chat = (struct chat){0};
    err = (struct error){0};
    return json_read(&wire_generate_type, text_of(json), &request, arena, &err) &&
           content_chat(&request, &rules, arena, &chat, &err);
}

static void assert_reads(const char *json)
{
    if (!reads(json))
        fail_msg("%s: %s", json, err.message);
}

#define SAY "\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}]"

static const char *with_config(const char *config)
{
    return arena_printf(arena, "{" SAY ",\"generationConfig\":{%s}}", config).at;
}

static const char *with_part(const char *part)
{
    return arena_printf(arena, "{\"contents\":[{\"parts\":[{\"text\":\"a\"},%s]}]}", part)
        .at;
}

struct refusal {
    const char *json, *field, *says; /* part of the message; NULL: "not supported" */
};

static void assert_refused(const struct refusal *row)
{
    if (reads(row->json))
        fail_msg("%s was taken", row->json);
    assert_int_equal(err.code, ERROR_INVALID_ARGUMENT);
    const char *says = row->says ? row->says : "is not supported by Pollux yet";
    if (strcmp(err.field, row->field) != 0 || !strstr(err.message, says))
        fail_msg("%s: %s: %s", row->json, err.field, err.message);
}

static void turns_and_parts_keep_their_order(void **state)
{
    (void)state;
    assert_reads(
        "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"a\"},{\"text\":"
        "\"\"}]},{\"role\":\"model\",\"parts\":{\"text\":\"b\",\"thought\":true}}"
        ",{\"parts\":[{\"text\":\"c\",\"thoughtSignature\":\"AQL_-w\"}]}]}");
    assert_int_equal(chat.n_turns, 3);
    assert_int_equal(chat.turns[0].role, ROLE_USER);
    assert_int_equal(chat.turns[0].n_parts, 2);
    assert_true(text_is(chat.turns[0].parts[0].text, "a"));
    assert_int_equal(chat.turns[1].role, ROLE_MODEL);
    assert_int_equal(chat.turns[1].parts[0].kind, PART_THOUGHT);
    assert_int_equal(chat.turns[2].role, ROLE_USER);
    assert_int_equal(chat.turns[2].parts[0].kind, PART_TEXT);
}

static void a_system_instruction_is_one_text(void **state)
{
    (void)state;
    assert_reads("{" SAY
                 ",\"systemInstruction\":{\"role\":\"system\",\"parts\":[{\"text\":"
                 "\"You are\"},{\"text\":\"a cat.\"}]}}");
    assert_true(text_is(chat.system, "You are\na cat."));
    assert_reads("{" SAY ",\"systemInstruction\":{\"parts\":[]}}");
    assert_null(chat.system.at);
}

static void what_is_left_out_is_the_models_default(void **state)
{
    (void)state;
    assert_reads("{" SAY "}");
    assert_true(fabs(chat.sampling.temperature - 0.7) < 1e-9);
    assert_true(fabs(chat.sampling.top_p - 0.9) < 1e-9);
    assert_int_equal(chat.sampling.top_k, 20);
    assert_int_equal(chat.sampling.n_top, -1);
    assert_false(chat.sampling.seeded);
    assert_int_equal(chat.n_candidates, 1);
    assert_int_equal(chat.max_tokens, 0);
}

static void settings_reach_the_chat(void **state)
{
    (void)state;
    assert_reads(
        with_config("\"temperature\":0,\"topP\":0,\"topK\":3.0,\"seed\":-7,"
                    "\"presencePenalty\":1,\"frequency_penalty\":-0.5,"
                    "\"candidateCount\":8,\"maxOutputTokens\":\"12\","
                    "\"stopSequences\":[\"x\",\"yz\"],\"responseLogprobs\":true"));
    assert_true(chat.sampling.temperature == 0);
    assert_true(chat.sampling.top_p > 0 && chat.sampling.top_p < 1e-100);
    assert_int_equal(chat.sampling.top_k, 3);
    assert_true(chat.sampling.seeded);
    assert_int_equal((int64_t)chat.sampling.seed, -7);
    assert_int_equal(chat.n_candidates, 8);
    assert_int_equal(chat.max_tokens, 12);
    assert_int_equal(chat.n_stops, 2);
    assert_true(text_is(chat.stops[1], "yz"));
    assert_int_equal(chat.sampling.n_top, 0);
}

static void contents_are_checked(void **state)
{
    (void)state;
    const struct refusal rows[] = {
        {"{}", "contents",
         "* GenerateContentRequest.contents: contents is not specified"},
        {"{\"contents\":[]}", "contents", "contents is not specified"},
        {"{\"contents\":{}}", "contents[0].parts", "contents.parts must not be empty"},
        {"{\"contents\":{\"parts\":{}}}", "contents[0].parts[0]",
         "required oneof field 'data' must have one initialized field"},
        {"{\"contents\":[{\"parts\":{\"text\":\"a\"}},{\"role\":\"pirate\",\"parts\":{"
         "\"text\":\"a\"}}]}",
         "contents[1].role", "Please use a valid role: user, model."},
        {"{\"contents\":{\"role\":\"system\",\"parts\":{\"text\":\"a\"}}}",
         "contents[0].role", "Please use a valid role"},
        {with_part("{\"text\":\"a\",\"functionCall\":{\"name\":\"f\"}}"),
         "contents[0].parts[1]", "Cannot set 'functionCall'"},
        {with_part("{\"functionCall\":{\"name\":\"f\"},\"functionResponse\":{\"name\":"
                   "\"f\"}}"),
         "contents[0].parts[1]", "Cannot set 'functionResponse'"},
        {with_part("{\"functionCall\":{\"name\":\"f\",\"args\":[1]}}"),
         "contents[0].parts[1].function_call.args",
         "(type.googleapis.com/google.protobuf"},
        {with_part("{\"functionCall\":{\"name\":\"f\"}}"), "contents[0].parts[1]",
         "must have the role model"},
        {"{\"contents\":{\"role\":\"model\",\"parts\":{\"functionResponse\":{\"name\":"
         "\"f\"}}}}",
         "contents[0].parts[0]", "must have the role user"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_refused(&rows[i]);
}

static void settings_are_checked(void **state)
{
    (void)state;
    const struct refusal rows[] = {
        {with_config("\"stopSequences\":[\"a\",\"\"]"),
         "generation_config.stop_sequences", "must not be empty"},
        {with_config("\"stopSequences\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\"]"),
         "generation_config.stop_sequences", "a count of 6"},
        {with_config("\"logprobs\":1"), "generation_config.logprobs",
         "response_logprobs"},
        {with_config("\"logprobs\":1,\"responseLogprobs\":false"),
         "generation_config.logprobs", "response_logprobs"},
        {with_config("\"logprobs\":21,\"responseLogprobs\":true"),
         "generation_config.logprobs", "21 is outside of 0 to 20"},
        {with_config("\"candidateCount\":9"), "generation_config.candidate_count", "9"},
        {with_config("\"maxOutputTokens\":0"), "generation_config.max_output_tokens",
         "0"},
        {with_config("\"topK\":0"), "generation_config.top_k", "0 is outside of 1"},
        {with_config("\"responseMimeType\":\"image/png\""),
         "generation_config.response_mime_type", "allowed mimetypes are"},
        {with_config("\"responseModalities\":[\"TEXT\",\"AUDIO\"]"),
         "generation_config.response_modalities", "combination of response modalities"},
        {"{" SAY ",\"safetySettings\":[{\"category\":7,\"threshold\":5},{\"category\":"
         "\"harm_category_harassment\",\"threshold\":\"off\"}]}",
         "safety_settings[1]", "another setting of this category"},
        {"{" SAY ",\"safetySettings\":{\"category\":3,\"threshold\":5}}",
         "safety_settings[0]", "element predicate failed"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_refused(&rows[i]);
}

/* What a script takes and a real model does not yet. */
/* ---- calls and their results ---- */

#define CALL(call) "{\"functionCall\":{" call ",\"args\":{\"a\":1}}}"
#define RESULT(result) "{\"functionResponse\":{" result ",\"response\":{\"b\":2}}}"

static const char *with_history(const char *calls, const char *results)
{
    return arena_printf(arena,
                        "{\"contents\":[{\"parts\":{\"text\":\"hi\"}},{\"role\":"
                        "\"model\",\"parts\":[%s]},{\"role\":\"function\",\"parts\":[%s]"
                        "}]}",
                        calls, results)
        .at;
}

static void calls_and_results_reach_the_chat(void **state)
{
    (void)state;
    assert_reads(
        with_history("{\"text\":\"I look.\"}," CALL("\"name\":\"f\",\"id\":\"x\""),
                     RESULT("\"name\":\"f\",\"id\":\"x\",\"scheduling\":\"SILENT\"")));
    const struct part *call = &chat.turns[1].parts[1], *result = chat.turns[2].parts;
    assert_int_equal(call->kind, PART_CALL);
    assert_true(text_is(call->name, "f") && text_is(call->id, "x"));
    assert_true(text_is(call->json, "{\"a\":1}"));
    assert_int_equal(chat.turns[2].role, ROLE_USER);
    assert_int_equal(result->kind, PART_RESULT);
    assert_true(text_is(result->name, "f") && text_is(result->id, "x"));
    assert_true(text_is(result->json, "{\"b\":2}"));
}

/* Results in order: the ids that they have when all was matched. */
static void results_find_their_calls_by_id_then_by_name_in_order(void **state)
{
    (void)state;
    static const struct {
        const char *calls, *results, *ids[3];
    } rows[] = {
        {CALL("\"name\":\"f\",\"id\":\"1\"") "," CALL("\"name\":\"f\",\"id\":\"2\""),
         RESULT("\"name\":\"f\",\"id\":\"2\"") "," RESULT("\"name\":\"f\",\"id\":\"1\""),
         {"2", "1"}},
        {CALL("\"name\":\"f\",\"id\":\"1\"") "," CALL(
             "\"name\":\"g\",\"id\":\"2\"") "," CALL("\"name\":\"f\",\"id\":\"3\""),
         RESULT("\"name\":\"f\"") "," RESULT("\"name\":\"f\"") "," RESULT(
             "\"name\":\"g\""),
         {"1", "3", "2"}},
        {CALL("\"name\":\"f\",\"id\":\"1\"") "," CALL("\"name\":\"f\",\"id\":\"2\""),
         RESULT("\"name\":\"f\",\"id\":\"1\"") "," RESULT("\"name\":\"f\""),
         {"1", "2"}},
        {CALL("\"name\":\"f\",\"id\":\"1\""), /* an id of the client's own */
         RESULT("\"name\":\"f\",\"id\":\"9\"") "," RESULT("\"name\":\"f\""),
         {"1", "1"}},
        {CALL("\"name\":\"f\""), RESULT("\"name\":\"f\",\"id\":\"9\""), {"9"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_reads(with_history(rows[i].calls, rows[i].results));
        const struct turn_of *turn = &chat.turns[2];
        for (int k = 0; k < turn->n_parts; k++)
            if (!rows[i].ids[k] || !text_is(turn->parts[k].id, rows[i].ids[k]))
                fail_msg("row %zu, result %d: id %.*s", i, k,
                         TEXT_ARG(turn->parts[k].id));
    }
    assert_true(text_is(chat.turns[1].parts[0].id, "9"));
}

/* Streams leave each chunk as a turn of its own in a client's history. */
static void calls_of_the_models_last_turns_can_be_answered(void **state)
{
    (void)state;
    static const char
        history
            [] = "{\"contents\":[{\"role\":\"model\",\"parts\":" CALL("\"name\":\"f\"") "},{\"role\":\"model\",\"parts\":" CALL(
                "\"name\":\"g\"") "},{"
                                  "\"parts\":" RESULT("\"name\":\"f\"") "},{"
                                                                        "\"parts\""
                                                                        ":" RESULT(
                                                                            "\"name\":"
                                                                            "\"g\"") "},{"
                                                                                     "\"r"
                                                                                     "ole"
                                                                                     "\":"
                                                                                     "\"m"
                                                                                     "ode"
                                                                                     "l\""
                                                                                     ",\""
                                                                                     "par"
                                                                                     "ts"
                                                                                     "\":"
                                                                                     "{\""
                                                                                     "tex"
                                                                                     "t\""
                                                                                     ":\""
                                                                                     "ok"
                                                                                     "\"}"
                                                                                     "},{"
                                                                                     "\"p"
                                                                                     "art"
                                                                                     "s\""
                                                                                     ":[%"
                                                                                     "s]}"
                                                                                     "]}";
    assert_reads(arena_printf(arena, history, "{\"text\":\"more\"}").at);
    const struct refusal old = {arena_printf(arena, history, RESULT("\"name\":\"g\"")).at,
                                "contents[5].parts[0]",
                                "immediately after a function call turn"};
    assert_refused(&old);
    const struct refusal other = {
        with_history(CALL("\"name\":\"f\""), RESULT("\"name\":\"g\"")),
        "contents[2].parts[0]", "immediately after a function call turn"};
    assert_refused(&other);
}

static void a_part_may_be_a_signature_alone(void **state)
{
    (void)state;
    assert_reads(
        "{\"contents\":[{\"parts\":{\"text\":\"a\",\"thought\":true}},{\"role\":"
        "\"model\",\"parts\":[{\"thoughtSignature\":\"AQL_-w\"},{\"thought\":true}"
        "]}]}");
    assert_int_equal(chat.turns[0].parts[0].kind,
                     PART_TEXT); /* a user's thought is said */
    assert_int_equal(chat.turns[1].parts[0].kind, PART_TEXT);
    assert_true(chat.turns[1].parts[0].text.at && chat.turns[1].parts[0].text.len == 0);
    assert_int_equal(chat.turns[1].parts[1].kind, PART_THOUGHT);
}

/* ---- what an answer is to be ---- */

#define MIME(type) "\"responseMimeType\":\"" type "\""
#define CAT_OR_DOG "{\"type\":\"STRING\",\"enum\":[\"cat\",\"a dog\"]}"

static void an_answer_may_have_to_be_json(void **state)
{
    (void)state;
    assert_reads(with_config(MIME("text/plain")));
    assert_int_equal(chat.shape.kind, ANSWER_TEXT);
    assert_reads(with_config(MIME("application/json")));
    assert_int_equal(chat.shape.kind, ANSWER_JSON);
    assert_null(chat.shape.schema.at);
    static const char *const fields[] = {
        "responseSchema",
        "response_schema",
        "responseJsonSchema",
        "_responseJsonSchema",
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        assert_reads(
            with_config(arena_printf(arena,
                                     MIME("application/json") ",\"%s\":{\"type\":"
                                                              "\"integer\"}",
                                     fields[i])
                            .at));
        assert_int_equal(chat.shape.kind, ANSWER_JSON);
        assert_non_null(strstr(chat.shape.schema.at, "\"integer\""));
    }
}

static void an_answer_may_have_to_be_one_of_an_enum(void **state)
{
    (void)state;
    static const char *const fields[] = {"responseSchema", "responseJsonSchema"};
    for (size_t i = 0; i < 2; i++) {
        assert_reads(with_config(
            arena_printf(arena, MIME("text/x.enum") ",\"%s\":%s", fields[i], CAT_OR_DOG)
                .at));
        assert_int_equal(chat.shape.kind, ANSWER_CHOICE);
        assert_int_equal(chat.shape.n_choices, 2);
        assert_true(text_is(chat.shape.choices[1], "a dog"));
    }
}

static void shapes_are_checked(void **state)
{
    (void)state;
    const struct refusal rows[] = {
        {with_config(MIME("application/xml")), "generation_config.response_mime_type",
         "is not available in Pollux"},
        {with_config(MIME("application/yaml")), "generation_config.response_mime_type",
         "is not available in Pollux"},
        {with_config(MIME("image/png")), "generation_config.response_mime_type",
         "allowed mimetypes are"},
        {with_config(MIME("text/x.enum")), "generation_config.response_mime_type",
         "needs a response_schema with an enum"},
        {with_config(MIME("text/x.enum") ",\"responseSchema\":{\"type\":\"STRING\"}"),
         "generation_config.response_schema.enum", "needs the values to choose from"},
        {with_config("\"responseSchema\":" CAT_OR_DOG),
         "generation_config.response_schema", "mime type: 'text/plain' is unsupported"},
        {with_config(MIME("text/plain") ",\"responseJsonSchema\":{}"),
         "generation_config.response_json_schema", "it needs application/json"},
        {with_config(MIME("application/json") ",\"responseSchema\":{},"
                                              "\"responseJsonSchema\":{}"),
         "generation_config.response_json_schema", "response_schema is set, too"},
        {with_config(MIME("application/json") ",\"_responseJsonSchema\":{},"
                                              "\"responseJsonSchema\":{}"),
         "generation_config._response_json_schema", "response_json_schema is set, too"},
        {with_config(MIME("application/json") ",\"responseSchema\":5"),
         "generation_config.response_schema", "generation_config.response_schema"},
        {with_config(MIME("application/json") ",\"responseJsonSchema\":[1]"),
         "generation_config.response_json_schema",
         "generation_config.response_json_schema"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_refused(&rows[i]);
}

/* ---- thinking ---- */

static void thinking_is_a_budget(void **state)
{
    (void)state;
    static const struct {
        const char *config;
        bool thinks, on;
        int budget;
    } rows[] = {
        {"", false, false, 0},
        {"", true, true, -1},
        {"\"thinkingConfig\":{}", false, false, 0},
        {"\"thinkingConfig\":{\"includeThoughts\":false}", false, false, 0},
        {"\"thinkingConfig\":{\"includeThoughts\":true}", false, true, -1},
        {"\"thinkingConfig\":{\"thinkingBudget\":0}", true, false, 0},
        {"\"thinkingConfig\":{\"thinkingBudget\":-1}", false, true, -1},
        {"\"thinkingConfig\":{\"thinkingBudget\":77}", false, true, 77},
        {"\"thinkingConfig\":{\"thinkingBudget\":77,\"includeThoughts\":true}", true,
         true, 77},
        {"\"thinkingConfig\":{\"thinkingLevel\":\"minimal\"}", false, true, 64},
        {"\"thinkingConfig\":{\"thinkingLevel\":\"LOW\"}", false, true, 256},
        {"\"thinkingConfig\":{\"thinkingLevel\":\"MEDIUM\"}", false, true, 1024},
        {"\"thinkingConfig\":{\"thinkingLevel\":\"HIGH\"}", true, true, 4096},
        {"\"thinkingConfig\":{\"thinkingLevel\":\"XHIGH\"}", true, true, -1},
        {"\"thinkingConfig\":{\"thinkingLevel\":0,\"thinkingBudget\":5}", true, true, 5},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        thinks = rows[i].thinks;
        assert_reads(with_config(rows[i].config));
        if (chat.thinking.on != rows[i].on ||
            (rows[i].on && chat.thinking.budget != rows[i].budget))
            fail_msg("row %zu: %d, budget %d", i, chat.thinking.on, chat.thinking.budget);
    }
    thinks = false;
    const struct refusal bad[] = {
        {with_config(
             "\"thinkingConfig\":{\"thinkingBudget\":8,\"thinkingLevel\":\"LOW\"}"),
         "generation_config.thinking_config.thinking_level", "only set one of"},
        {with_config(
             "\"thinkingConfig\":{\"thinkingBudget\":0,\"includeThoughts\":true}"),
         "generation_config.thinking_config.include_thoughts",
         "only enabled when thinking is enabled"},
        {with_config("\"thinkingConfig\":{\"thinkingBudget\":-2}"),
         "generation_config.thinking_config.thinking_budget", "-2"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(&bad[i]);
}

static void media_are_to_be_read_with_what_is_asked_of_them(void **state)
{
    (void)state;
    assert_reads(with_part(
        "{\"inlineData\":{\"mimeType\":\"video/mp4\",\"data\":\"AAEC\"},"
        "\"videoMetadata\":{\"startOffset\":\"1.5s\",\"endOffset\":\"4s\",\"fps\":2},"
        "\"mediaResolution\":{\"level\":\"MEDIA_RESOLUTION_LOW\"}}"));
    const struct part *part = &chat.turns[0].parts[1];
    assert_int_equal(part->kind, PART_MEDIA);
    assert_true(text_same(part->media->source.bytes, (struct text){"\0\1\2", 3}));
    assert_true(text_is(part->media->source.mime, "video/mp4"));
    assert_true(part->media->has_options);
    assert_true(part->media->options.start_s == 1.5);
    assert_true(part->media->options.end_s == 4);
    assert_true(part->media->options.fps == 2);
}

#define BLOB "\"inlineData\":{\"mimeType\":\"video/mp4\",\"data\":\"AAEC\"}"

static void media_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    const struct refusal rows[] = {
        {with_part("{\"inlineData\":{\"data\":\"AA==\"}}"),
         "contents[0].parts[1].inline_data.mime_type", "is not specified"},
        {with_part("{\"inlineData\":{\"mimeType\":\"image/png\"}}"),
         "contents[0].parts[1].inline_data.data", "is not specified"},
        {with_part("{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"\"}}"),
         "contents[0].parts[1].inline_data.data", "is not specified"},
        {with_part("{\"image\":{\"mimeType\":\"\",\"data\":\"AA==\"}}"),
         "contents[0].parts[1].image.mime_type", "is not specified"},
        {with_part("{\"text\":\"a\"," BLOB "}"), "contents[0].parts[1]", "inlineData"},
        {with_part("{\"text\":\"a\",\"videoMetadata\":{\"fps\":1}}"),
         "contents[0].parts[1]", "Video metadata"},
        {with_part("{" BLOB ",\"videoMetadata\":{\"fps\":0}}"),
         "contents[0].parts[1].video_metadata", "fps"},
        {with_part("{" BLOB ",\"videoMetadata\":{\"fps\":25}}"),
         "contents[0].parts[1].video_metadata.fps", "25"},
        {with_part("{" BLOB
                   ",\"videoMetadata\":{\"startOffset\":\"5s\",\"endOffset\":\"5s\"}}"),
         "contents[0].parts[1].video_metadata", "endOffset"},
        {with_part("{" BLOB ",\"mediaResolution\":{\"level\":\"HUGE\"}}"),
         "contents[0].parts[1].media_resolution.level", "HUGE"},
        {"{" SAY ",\"systemInstruction\":{\"parts\":[{" BLOB "}]}}", "system_instruction",
         "text parts only"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_refused(&rows[i]);
}

static void no_engine_takes_files_or_built_in_tools(void **state)
{
    (void)state;
    const struct refusal rows[] = {
        {with_part("{\"file_data\":{\"file_uri\":\"x\"}}"),
         "contents[0].parts[1].file_data", "names neither"},
        {"{" SAY ",\"tools\":[{\"googleSearch\":{}}]}", "tools[0].google_search",
         "no such tool"},
        {"{" SAY ",\"tools\":[{\"googleMaps\":{}}]}", "tools[0].google_maps", NULL},
        {"{" SAY ",\"cachedContent\":\"cachedContents/c\"}", "cached_content", NULL},
        {with_config("\"speechConfig\":{\"languageCode\":\"tlh\"}"),
         "generation_config.speech_config.language_code", "not spoken"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_refused(&rows[i]);
}

static void what_asks_for_nothing_is_taken(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "\"tools\":[]",
        "\"tools\":[{}]",
        "\"toolConfig\":{}",
        "\"safetySettings\":[]",
        "\"labels\":{\"a\":\"b\"},\"store\":true,\"serviceTier\":\"flex\"",
        "\"safetySettings\":{\"category\":8,\"threshold\":\"BLOCK_NONE\"}",
        "\"generationConfig\":{\"thinkingConfig\":{\"includeThoughts\":false}}",
        "\"generationConfig\":{\"responseMimeType\":\"text/plain\"}",
        "\"generationConfig\":{\"responseModalities\":[\"text\"]}",
        "\"generationConfig\":{\"mediaResolution\":\"MEDIA_RESOLUTION_LOW\"}",
        "\"cachedContent\":null",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_reads(arena_printf(arena, "{" SAY ",%s}", rows[i]).at);
}

static void a_threshold_says_from_which_level_on_a_harm_is_blocked(void **state)
{
    (void)state;
    static const char json[] =
        "{" SAY ",\"safetySettings\":[{\"category\":7,\"threshold\":1},"
        "{\"category\":8,\"threshold\":\"BLOCK_MEDIUM_AND_ABOVE\"},"
        "{\"category\":9,\"threshold\":3},{\"category\":10,\"threshold\":4}]}";
    assert_reads(json);
    const enum level *from = chat.safety.block_from;
    assert_int_equal(from[HARM_HARASSMENT], LEVEL_LOW);
    assert_int_equal(from[HARM_HATE], LEVEL_MEDIUM);
    assert_int_equal(from[HARM_SEXUAL], LEVEL_HIGH);
    assert_int_equal(from[HARM_DANGEROUS], LEVEL_NONE);
    assert_int_equal(from[HARM_CIVIC], LEVEL_NONE);
    assert_false(chat.safety.thoughts);
    default_level = LEVEL_MEDIUM;
    assert_reads(json);
    default_level = LEVEL_NONE;
    assert_int_equal(from[HARM_HATE], LEVEL_MEDIUM);
    assert_int_equal(from[HARM_DANGEROUS], LEVEL_NONE);
    assert_int_equal(from[HARM_CIVIC], LEVEL_MEDIUM);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_arena, shut_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(turns_and_parts_keep_their_order),
        TEST(a_system_instruction_is_one_text),
        TEST(what_is_left_out_is_the_models_default),
        TEST(settings_reach_the_chat),
        TEST(contents_are_checked),
        TEST(settings_are_checked),
        TEST(calls_and_results_reach_the_chat),
        TEST(results_find_their_calls_by_id_then_by_name_in_order),
        TEST(calls_of_the_models_last_turns_can_be_answered),
        TEST(a_part_may_be_a_signature_alone),
        TEST(an_answer_may_have_to_be_json),
        TEST(an_answer_may_have_to_be_one_of_an_enum),
        TEST(shapes_are_checked),
        TEST(thinking_is_a_budget),
        TEST(media_are_to_be_read_with_what_is_asked_of_them),
        TEST(media_that_make_no_sense_are_refused),
        TEST(no_engine_takes_files_or_built_in_tools),
        TEST(what_asks_for_nothing_is_taken),
        TEST(a_threshold_says_from_which_level_on_a_harm_is_blocked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

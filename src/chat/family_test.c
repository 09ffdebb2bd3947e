/* family_test.c: each family's prompt for one and the same chat. The templates are small
 * ones of ours that want what the family's own wants. */
#include "chat/scene.h"
#include <stdio.h>

#define QWEN                                                                             \
    "{%- if tools %}TOOLS{% for t in tools %} {{ t | tojson }}{% endfor %}{{ '\\n' "     \
    "}}{% endif %}"                                                                      \
    "{%- for m in messages %}[{{ m.role }}]{{ m.content }}"                              \
    "{%- for c in m.tool_calls or [] %}<tool_call>{{ c.function | tojson }}</tool_call>" \
    "{%- endfor %}{{ '\\n' }}{% endfor %}[assistant]{{ '\\n' }}"

#define QWEN3                                                                            \
    QWEN "{%- if enable_thinking is defined and not enable_thinking %}"                  \
         "<think>{{ '\\n' }}{{ '\\n' }}</think>{{ '\\n' }}{{ '\\n' }}{% endif %}"

#define LLAMA                                                                            \
    "{%- if tools %}TOOLS{% for t in tools %} {{ t.function.name }}{% endfor %}{{ "      \
    "'\\n' }}{% "                                                                        \
    "endif %}"                                                                           \
    "{%- for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>"           \
    "{%- if m.tool_calls %}{% if m.tool_calls | length != 1 %}"                          \
    "{{ raise_exception('one call at once') }}{% endif %}"                               \
    "{\"name\": \"{{ m.tool_calls[0].function.name }}\", \"parameters\": "               \
    "{{ m.tool_calls[0].function.arguments | tojson }}}"                                 \
    "{%- else %}{{ m.content }}{% endif %}{{ '\\n' }}{% endfor %}"                       \
    "<|start_header_id|>assistant<|end_header_id|>{{ '\\n' }}"

#define MISTRAL                                                                          \
    "{%- if tools %}[AVAILABLE_TOOLS]{{ tools | tojson }}{{ '\\n' }}{% endif %}"         \
    "{%- for m in messages %}{% if m.role == 'user' %}[INST]{{ m.content }}[/INST]"      \
    "{%- elif m.role == 'system' %}[SYSTEM]{{ m.content }}"                              \
    "{%- elif m.tool_calls %}[TOOL_CALLS]{% for c in m.tool_calls %}"                    \
    "{% if c.id | length != 9 %}{{ raise_exception('ids of 9') }}{% endif %}"            \
    "{{ c.id }} {{ c.function.name }}{{ c.function.arguments | tojson }} {% endfor %}"   \
    "{%- elif m.role == 'tool' %}"                                                       \
    "{% if m.tool_call_id | length != 9 %}{{ raise_exception('ids of 9') }}{% endif %}"  \
    "[TOOL_RESULTS]{{ m.tool_call_id }} {{ m.content }}"                                 \
    "{%- else %}{{ m.content }}{% endif %}{{ '\\n' }}{% endfor %}"

#define DEEPSEEK                                                                         \
    "{%- for m in messages %}{% if m.tool_calls %}<｜tool▁calls▁begin｜>"          \
    "{%- for c in m.tool_calls %}{{ c.function.name + '\\n```json\\n' + "                \
    "c.function.arguments }}{% endfor %}{% endif %}"                                     \
    "{%- if m.content is not none %}<｜{{ m.role }}｜>{{ m.content }}{% endif %}{{ "   \
    "'\\n' }}"                                                                           \
    "{% endfor %}<｜assistant｜><think>{{ '\\n' }}"

#define GEMMA                                                                            \
    "{%- if messages[0].role == 'system' %}{{ raise_exception('No system') }}{% endif "  \
    "%}"                                                                                 \
    "{%- for m in messages %}{% if m.role != (['user', 'assistant'][loop.index0 % 2]) "  \
    "%}"                                                                                 \
    "{{ raise_exception('Alternate') }}{% endif %}"                                      \
    "<start_of_turn>{{ m.role }}{{ '\\n' }}{{ m.content }}<end_of_turn>{{ '\\n' }}{% "   \
    "endfor %}"                                                                          \
    "<start_of_turn>model{{ '\\n' }}"

static const struct function functions[] = {
    {TEXT("get"), TEXT("Gets."),
     TEXT("{\"type\":\"object\",\"x-guidance\":{\"a\":1},\"properties\":{\"n\":"
          "{\"type\":\"integer\"}}}"),
     false, NULL, NULL, NULL},
    {TEXT("put"), TEXT("Puts."), {0}, false, NULL, NULL, NULL},
};
#define SHOWN(name, description, properties)                                             \
    "{\"type\": \"function\", \"function\": {\"name\": \"" name                          \
    "\", \"description\": \"" description                                                \
    "\", \"parameters\": {\"type\": \"object\", \"properties\": {" properties "}}}}"
#define SHOWN_GET SHOWN("get", "Gets.", "\"n\": {\"type\": \"integer\"}")
#define SHOWN_PUT SHOWN("put", "Puts.", "")

static struct part call(const char *id, const char *name, const char *json)
{
    return (struct part){.kind = PART_CALL,
                         .id = text_of(id),
                         .name = text_of(name),
                         .json = text_of(json)};
}

static struct part result(const char *id, const char *name, const char *json)
{
    struct part part = call(id, name, json);
    part.kind = PART_RESULT;
    return part;
}

/* Two functions, called together; the results come in the other order. */
static struct scene *ask(void **state, const char *template)
{
    struct scene *scene = set_up(state, template);
    scene->chat.functions = (struct function *)functions;
    scene->chat.n_functions = 2;
    add(scene, ROLE_USER, "Q?");
    add_part(scene, ROLE_MODEL, call(NULL, "get", "{\"n\":1}"));
    more(scene, call("x", "put", "{}"));
    add_part(scene, ROLE_USER, result("x", "put", "{\"r\":2}"));
    more(scene, result(NULL, "get", "{\"r\":1}"));
    return scene;
}

static void assert_says(struct scene *scene, const char *words)
{
    if (!strstr(scene->prompt.text.at, words))
        fail_msg("no %s in %s", words, scene->prompt.text.at);
}

static void assert_grammar_says(struct scene *scene, const char *words)
{
    if (!strstr(scene->lark.len ? scene->lark.at : "", words))
        fail_msg("no %s in %s", words, scene->lark.at);
}

static void a_family_is_known_by_its_template(void **state)
{
    (void)state;
    static const struct {
        const char *template, *name;
    } rows[] = {
        {QWEN, "hermes"},
        {QWEN3, "hermes"},
        {QWEN "<function=", "qwen3-coder"},
        {LLAMA, "llama"},
        {MISTRAL, "mistral"},
        {MISTRAL "[ARGS]", "mistral, names"},
        {DEEPSEEK, "deepseek r1"},
        {"<｜tool▁calls▁begin｜>", "deepseek v3.1"},
        {GEMMA, "gemma"},
        {"<|start_header_id|>", "generic"},
        {NULL, "generic"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct engine_info info = {.template = text_of(rows[i].template)};
        assert_string_equal(family_of(&info)->name, rows[i].name);
        info.scripted = true;
        assert_true(family_of(&info)->as_is);
    }
}

static void hermes_templates_show_everything_themselves(void **state)
{
    struct scene *scene = ask(state, QWEN);
    assert_prompt(scene,
                  "TOOLS {\"type\": \"function\", \"function\": {\"name\": \"get\", "
                  "\"description\": \"Gets.\", \"parameters\": {\"type\": \"object\", "
                  "\"properties\": {\"n\": {\"type\": \"integer\"}}}}} "
                  "{\"type\": \"function\", \"function\": {\"name\": \"put\", "
                  "\"description\": \"Puts.\", \"parameters\": {\"type\": \"object\", "
                  "\"properties\": {}}}}\n"
                  "[user]Q?\n[assistant]"
                  "<tool_call>{\"name\": \"get\", \"arguments\": {\"n\": 1}}</tool_call>"
                  "<tool_call>{\"name\": \"put\", \"arguments\": {}}</tool_call>\n"
                  "[tool]{\"r\":2}\n[tool]{\"r\":1}\n[assistant]\n");
    assert_grammar_says(scene, "head[lazy]");
}

static void a_template_that_takes_one_call_at_once_gets_them_one_by_one(void **state)
{
    assert_prompt(ask(state, LLAMA),
                  "TOOLS get put\n<|start_header_id|>user<|end_header_id|>Q?\n"
                  "<|start_header_id|>assistant<|end_header_id|>"
                  "{\"name\": \"get\", \"parameters\": {\"n\": 1}}\n"
                  "<|start_header_id|>tool<|end_header_id|>{\"r\":1}\n"
                  "<|start_header_id|>assistant<|end_header_id|>"
                  "{\"name\": \"put\", \"parameters\": {}}\n"
                  "<|start_header_id|>tool<|end_header_id|>{\"r\":2}\n"
                  "<|start_header_id|>assistant<|end_header_id|>\n");
}

static void ids_are_made_to_the_familys_taste_and_still_match(void **state)
{
    struct scene *scene = ask(state, MISTRAL);
    make(scene);
    assert_true(scene->good);
    char ids[2][10], results[2][10];
    const char *at = strstr(scene->prompt.text.at, "[TOOL_CALLS]");
    assert_int_equal(sscanf(at,
                            "[TOOL_CALLS]%9s get{\"n\": 1} %9s put{} \n"
                            "[TOOL_RESULTS]%9s {\"r\":2}\n[TOOL_RESULTS]%9s",
                            ids[0], ids[1], results[0], results[1]),
                     4);
    assert_string_equal(ids[0], results[1]);
    assert_string_equal(ids[1], results[0]);
    assert_string_not_equal(ids[0], ids[1]);
}

static void marks_that_are_control_tokens_are_to_be_shown(void **state)
{
    struct scene *scene = ask(state, MISTRAL);
    scene->controls[3] = TEXT("[TOOL_CALLS]");
    scene->controls[4] = TEXT("[INST]");
    scene->engine.info.n_specials = 5;
    make(scene);
    assert_true(text_is(buf_view(&scene->shown), "[TOOL_CALLS]"));
    assert_grammar_says(scene, "head: WORDS <[1003]>");
}

static void arguments_are_strings_where_the_template_adds_them_to_strings(void **state)
{
    struct scene *scene = ask(state, DEEPSEEK);
    make(scene);
    assert_true(scene->good);
    assert_says(scene, "<｜system｜># Tools");
    assert_says(scene, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>"
                       "<function-name>\n```json\n<args-json-object>\n```"
                       "<｜tool▁call▁end｜><｜tool▁calls▁end｜>");
    assert_says(scene, "<｜user｜>Q?\n"
                       "<｜tool▁calls▁begin｜>get\n```json\n{\"n\":1}put\n```json\n{}\n"
                       "<｜tool｜>{\"r\":2}\n<｜tool｜>{\"r\":1}\n<｜assistant｜>");
}

static void a_template_that_knows_no_tools_gets_them_in_words(void **state)
{
    assert_prompt(
        ask(state, GEMMA),
        "<start_of_turn>user\n# Tools\n\n"
        "You may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n"
        "<tools>\n" SHOWN_GET "\n" SHOWN_PUT "\n</tools>\n\n"
        "For each function call, return a json object with function name and arguments "
        "in "
        "this form:\n"
        "```tool_call\n{\"name\": <function-name>, \"parameters\": "
        "<args-json-object>}\n```\n\nQ?<end_of_turn>\n"
        "<start_of_turn>assistant\n"
        "```tool_call\n{\"name\": \"get\", \"parameters\": {\"n\": 1}}\n```\n"
        "```tool_call\n{\"name\": \"put\", \"parameters\": {}}\n```<end_of_turn>\n"
        "<start_of_turn>user\n"
        "<tool_response>\n{\"name\": \"put\", \"content\": {\"r\": "
        "2}}\n</tool_response>\n\n"
        "<tool_response>\n{\"name\": \"get\", \"content\": {\"r\": 1}}\n</tool_response>"
        "<end_of_turn>\n<start_of_turn>model\n");
}

static void where_no_call_is_allowed_no_function_is_shown(void **state)
{
    struct scene *scene = set_up(state, QWEN);
    scene->chat.functions = (struct function *)functions;
    scene->chat.n_functions = 2;
    scene->chat.calling = CALLING_NONE;
    add(scene, ROLE_USER, "Q?");
    assert_prompt(scene, "[user]Q?\n[assistant]\n");
    assert_non_null(scene->prompt.grammar);
    assert_grammar_says(scene, "answer: MUTE");
}

/* ---- small models ---- */

static struct scene *ask_small(void **state)
{
    struct scene *scene = set_up(state, QWEN);
    scene->engine.info.model = TEXT("qwen2.5-coder-7b");
    scene->chat.functions = (struct function *)functions;
    scene->chat.n_functions = 2;
    scene->chat.system = TEXT("Be brief.");
    add(scene, ROLE_USER, "Q?");
    return scene;
}

static void a_small_model_is_asked_first_whether_to_call(void **state)
{
    struct scene *scene = ask_small(state);
    make(scene);
    assert_true(scene->good);
    const struct prompt *questions = scene->prompt.questions;
    assert_int_equal(scene->prompt.n_questions, 2);
    assert_non_null(
        strstr(questions[0].text.at, "[user]Function get: Gets.\nRequest: Q?\n"));
    assert_non_null(
        strstr(questions[1].text.at, "[user]Function put: Puts.\nRequest: Q?\n"));
    assert_null(questions[0].grammar);
    assert_int_equal(scene->prompt.calling, CALLING_ANY);
    assert_says(scene, "[system]Be brief.\n\n# Functions\n\n");
    assert_says(scene, "```typescript\n/** Gets. */\nfunction get(args: {\n"
                       "  n?: integer,\n})\n\n/** Puts. */\n"
                       "function put(args: {})\n```\n[user]Q?\n");
    assert_string_equal(scene->prompt.otherwise->text.at,
                        "[system]Be brief.\n[user]Q?\n[assistant]\n");
    assert_int_equal(scene->prompt.otherwise->calling, CALLING_NONE);
}

static void a_request_that_goes_on_is_asked_about_with_the_one_before(void **state)
{
    struct scene *scene = ask_small(state);
    make(scene);
    double first = scene->prompt.questions[0].yes_from;
    add(scene, ROLE_MODEL, "A.");
    add(scene, ROLE_USER, "And R?");
    make(scene);
    assert_true(scene->good);
    assert_int_equal(scene->prompt.n_questions, 2);
    assert_non_null(
        strstr(scene->prompt.questions[0].text.at, "again for a user's new request."));
    assert_non_null(
        strstr(scene->prompt.questions[1].text.at,
               "[user]Function put: Puts.\nEarlier request: Q?\nRequest: And R?\n"));
    assert_true(scene->prompt.questions[0].yes_from > first);
}

/* A small model is not asked what a search is good for, but what the user wants; each use
 * once, and functions of the client's beside them. */
static void a_built_in_tool_is_asked_about_by_its_use(void **state)
{
    static const struct tool search = {.use = TOOL_LOOKS_UP, .name = "google_search"},
                             stores = {.use = TOOL_LOOKS_UP, .name = "file_search"},
                             code = {.use = TOOL_COMPUTES, .name = "code_execution"};
    struct scene *scene = ask_small(state);
    struct function all[4] = {functions[0], functions[1], functions[1], functions[1]};
    const struct tool *tools[4] = {NULL, &search, &stores, &code};
    for (int i = 0; i < 4; i++)
        all[i].tool = tools[i];
    scene->chat.functions = all;
    scene->chat.n_functions = 4;
    make(scene);
    assert_true(scene->good);
    const struct prompt *questions = scene->prompt.questions;
    assert_int_equal(scene->prompt.n_questions, 3);
    assert_non_null(strstr(questions[0].text.at,
                           "[user]Message: \"Q?\"\n\nDoes this message ask for a fact"));
    assert_non_null(strstr(questions[1].text.at, "calculated"));
    assert_non_null(
        strstr(questions[2].text.at, "[user]Function get: Gets.\nRequest: Q?\n"));
    assert_true(questions[0].yes_from > questions[2].yes_from);
    add(scene, ROLE_MODEL, "A.");
    add(scene, ROLE_USER, "And R?");
    make(scene);
    assert_non_null(strstr(scene->prompt.questions[0].text.at,
                           "[user]Earlier message: \"Q?\"\n\nMessage: \"And R?\"\n\n"));
}

/* Python's clients send all of a function's docstring. */
static void a_question_is_about_the_first_paragraph(void **state)
{
    struct scene *scene = ask_small(state);
    struct function put = functions[1];
    put.description = TEXT("Puts.\nMuch.\n\nArgs:\n    none");
    scene->chat.functions = &put;
    scene->chat.n_functions = 1;
    make(scene);
    assert_true(scene->good);
    assert_non_null(strstr(scene->prompt.questions[0].text.at,
                           "[user]Function put: Puts.\nMuch.\nRequest: Q?\n"));
}

static void a_small_model_that_was_told_what_to_do_is_not_asked(void **state)
{
    static const enum calling told[] = {CALLING_ANY, CALLING_NONE};
    for (int i = 0; i < 2; i++) {
        struct scene *scene = ask_small(state);
        scene->chat.calling = told[i];
        make(scene);
        assert_true(scene->good);
        assert_int_equal(scene->prompt.n_questions, 0);
        assert_int_equal(scene->prompt.calling, told[i]);
    }
}

static void a_small_model_is_told_what_functions_gave(void **state)
{
    struct scene *scene = ask_small(state);
    add_part(scene, ROLE_MODEL, call(NULL, "get", "{\"n\":1,\"s\":\"a\"}"));
    more(scene, call("x", "get", "{\"n\":2}"));
    more(scene, call(NULL, "put", NULL));
    add_part(scene, ROLE_USER, result("x", "get", "{\"r\":2}"));
    more(scene, result(NULL, "put", "{}"));
#define TOLD                                                                             \
    "[user]Q?\n\nFunctions were called for this:\nget(n=2) gave {\"r\": 2}\n"            \
    "put() gave {}"
    assert_prompt(scene, "[system]Be brief.\n" TOLD "\n\nAnswer in plain words, by what "
                         "they gave.\n[assistant]\n");
    assert_int_equal(scene->prompt.n_questions, 0);
    assert_grammar_says(scene, "answer: MUTE");
    add(scene, ROLE_MODEL, "A.");
    add(scene, ROLE_USER, "R?");
    make(scene);
    assert_string_equal(scene->prompt.otherwise->text.at,
                        "[system]Be brief.\n" TOLD
                        "\n[assistant]A.\n[user]R?\n[assistant]\n");
    scene->chat.n_turns -= 2;
    scene->chat.calling = CALLING_ANY;
    make(scene);
    assert_says(scene, TOLD "\n[assistant]");
}

/* ---- thinking ---- */

static struct scene *think(void **state, const char *template, bool on, int budget)
{
    struct scene *scene = set_up(state, template);
    scene->chat.thinking = (struct thinking){on, budget};
    add(scene, ROLE_USER, "Q?");
    return scene;
}

static void a_template_with_a_switch_is_told(void **state)
{
    struct scene *scene = think(state, QWEN3, true, 35); /* bytes are tokens here */
    assert_prompt(scene, "[user]Q?\n[assistant]\n");
    assert_int_equal(scene->prompt.thought, THOUGHT_MAY);
    assert_grammar_says(scene, "cut[max_tokens=20]");
    scene = think(state, QWEN3, false, 0);
    assert_prompt(scene, "[user]Q?\n[assistant]\n<think>\n\n</think>\n\n");
    assert_int_equal(scene->prompt.thought, THOUGHT_BARRED);
    scene = think(state, QWEN3, true, 0);
    assert_prompt(scene, "[user]Q?\n[assistant]\n<think>\n\n</think>\n\n");
}

static void a_thought_that_the_template_opens_is_closed_at_once(void **state)
{
    struct scene *scene = think(state, DEEPSEEK, true, -1);
    assert_prompt(scene, "<｜user｜>Q?\n<｜assistant｜><think>\n");
    assert_int_equal(scene->prompt.thought, THOUGHT_OPEN);
    assert_null(scene->prompt.grammar);
    scene = think(state, DEEPSEEK, false, 0);
    assert_prompt(scene, "<｜user｜>Q?\n<｜assistant｜><think>\n\n</think>\n\n");
}

static void a_model_that_thinks_unasked_is_given_an_empty_thought(void **state)
{
    struct scene *scene = think(state, QWEN "{#<think>#}", false, 0);
    assert_prompt(scene, "[user]Q?\n[assistant]\n<think>\n\n</think>\n\n");
    assert_grammar_says(scene, "MUTE: ANY & ~( SPACE \"<think>\" ANY )");
}

static void a_model_that_never_learnt_to_think_is_asked_to(void **state)
{
    struct scene *scene = think(state, QWEN, true, 30);
    assert_prompt(scene, "[system]Before you answer, think step by step between <think> "
                         "and </think>.\n[user]Q?\n[assistant]\n<think>\n");
    assert_int_equal(scene->prompt.thought, THOUGHT_OPEN);
    scene = think(state, QWEN, false, 0);
    assert_prompt(scene, "[user]Q?\n[assistant]\n");
    assert_null(scene->prompt.grammar);
}

static void a_thought_without_a_budget_leaves_room_for_the_answer(void **state)
{
    struct scene *scene = think(state, QWEN, true, -1);
    scene->chat.max_tokens = 300;
    make(scene);
    assert_grammar_says(scene, "cut[max_tokens=120]"); /* 128, and 8 for the mark */
    scene->chat.thinking.budget = 200;
    make(scene);
    assert_grammar_says(scene, "cut[max_tokens=92]");
    scene = think(state, QWEN3, true, -1);
    make(scene);
    assert_null(scene->prompt.grammar);
}

static void an_answer_that_goes_on_has_been_thought_about(void **state)
{
    struct scene *scene = think(state, QWEN, true, 30);
    add(scene, ROLE_MODEL, "The");
    assert_prompt(scene, "[user]Q?\n[assistant]\nThe");
    assert_int_equal(scene->prompt.thought, THOUGHT_NONE);
}

/* ---- shapes ---- */

static void the_shape_of_an_answer_is_told_in_words(void **state)
{
    struct scene *scene = set_up(state, QWEN);
    scene->chat.system = TEXT("Be brief.");
    scene->chat.shape = (struct shape){
        .kind = ANSWER_JSON,
        .schema = TEXT("{\"type\":\"string\",\"description\":\"A \\\"b\\\"\","
                       "\"x-guidance\":{}}")};
    add(scene, ROLE_USER, "Q?");
    assert_prompt(scene, "[system]Be brief.\n\nAnswer in JSON, by this JSON Schema:\n"
                         "{\"type\":\"string\",\"description\":\"A \\\"b\\\"\"}\n"
                         "[user]Q?\n[assistant]\n");
    assert_grammar_says(scene, "\"x-guidance\":{}}");
    struct text choices[] = {TEXT("yes"), TEXT("\"no\"")};
    scene->chat.shape =
        (struct shape){.kind = ANSWER_CHOICE, .choices = choices, .n_choices = 2};
    assert_prompt(scene, "[system]Be brief.\n\nAnswer with one of these, and nothing "
                         "else:\nyes\n\"no\"\n[user]Q?\n[assistant]\n");
    assert_grammar_says(scene, "shape: \"yes\" | \"\\\"no\\\"\"\n");
}

static void a_shape_that_does_not_compile_is_the_callers_fault(void **state)
{
    struct scene *scene = set_up(state, QWEN);
    scene->chat.shape = (struct shape){.kind = ANSWER_JSON, .schema = TEXT("refuse")};
    add(scene, ROLE_USER, "Q?");
    make(scene);
    assert_false(scene->good);
    assert_int_equal(scene->err.code, ERROR_INVALID_ARGUMENT);
}

static void counting_compiles_nothing(void **state)
{
    struct scene *scene = ask(state, QWEN);
    struct prompter *prompter = prompter_open(&scene->engine, &scene->err);
    assert_true(
        prompt_text(prompter, &scene->chat, scene->arena, &scene->prompt, &scene->err));
    assert_null(scene->prompt.grammar);
    assert_true(scene->prompt.n_tokens > 0);
    prompter_close(prompter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_family_is_known_by_its_template),
        TEST(hermes_templates_show_everything_themselves),
        TEST(a_template_that_takes_one_call_at_once_gets_them_one_by_one),
        TEST(ids_are_made_to_the_familys_taste_and_still_match),
        TEST(marks_that_are_control_tokens_are_to_be_shown),
        TEST(arguments_are_strings_where_the_template_adds_them_to_strings),
        TEST(a_template_that_knows_no_tools_gets_them_in_words),
        TEST(where_no_call_is_allowed_no_function_is_shown),
        TEST(a_small_model_is_asked_first_whether_to_call),
        TEST(a_request_that_goes_on_is_asked_about_with_the_one_before),
        TEST(a_built_in_tool_is_asked_about_by_its_use),
        TEST(a_question_is_about_the_first_paragraph),
        TEST(a_small_model_that_was_told_what_to_do_is_not_asked),
        TEST(a_small_model_is_told_what_functions_gave),
        TEST(a_template_with_a_switch_is_told),
        TEST(a_thought_that_the_template_opens_is_closed_at_once),
        TEST(a_model_that_thinks_unasked_is_given_an_empty_thought),
        TEST(a_model_that_never_learnt_to_think_is_asked_to),
        TEST(a_thought_without_a_budget_leaves_room_for_the_answer),
        TEST(an_answer_that_goes_on_has_been_thought_about),
        TEST(the_shape_of_an_answer_is_told_in_words),
        TEST(a_shape_that_does_not_compile_is_the_callers_fault),
        TEST(counting_compiles_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

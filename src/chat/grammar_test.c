/* grammar_test.c: the grammars compile, and answers keep to them. The vocabulary is a
 * small one: all bytes, some words that run across the borders of marks and arguments, as
 * real tokens do, and control tokens. */
#include "chat/scene.h"
#include "rust/constraint.h"

static const char *const words[] = {
    "{\"",    "\":",  " \"",         "\",",          " {\"",  "}}\n",
    "}\n",    "name", "arguments",   "\n\n",         "</",    "think",
    "<think", ">\n",  "<tool_call>", "</tool_call>", "get",   "get_",
    " think", "yes",  "no",          "\": \"",       "\n```",
};
enum {
    N_WORDS = sizeof words / sizeof *words,
    CONTROL = 256 + N_WORDS,
    N_TOKENS = CONTROL + 8
};

static struct text token_text(int32_t token)
{
    static char bytes[256];
    if (token >= 256)
        return text_of(words[token - 256]);
    bytes[token] = (char)token;
    return (struct text){&bytes[token], 1};
}

/* The longest token that may come of those that the text begins with. */
static int32_t longest(struct text text, const uint32_t *mask)
{
    int32_t best = -1;
    size_t len = 0;
    for (int32_t i = 0; i < CONTROL; i++) {
        struct text token = token_text(i);
        if (token.len > len && token.len <= text.len &&
            memcmp(token.at, text.at, token.len) == 0 &&
            (!mask || (mask[i / 32] >> (i % 32) & 1))) {
            best = i;
            len = token.len;
        }
    }
    return best;
}

static size_t tokenize(const void *user, const char *text, size_t len, int32_t *tokens,
                       size_t room)
{
    (void)user;
    size_t n = 0;
    for (size_t at = 0; at < len; n++) {
        int32_t token = longest((struct text){text + at, len - at}, NULL);
        if (n < room)
            tokens[n] = token;
        at += token_text(token).len;
    }
    return n;
}

/* ---- an answer's walk through a grammar ---- */

static struct vocabulary *vocabulary;
static struct text controls[8];

static int open_vocabulary(void **state)
{
    (void)state;
    static const char *const names[8] = {"<|end|>",        "<s>",       "[TOOL_CALLS]",
                                         "<|python_tag|>", "<call>",    "</call>",
                                         "<|channel>",     "<channel|>"};
    static const int32_t ends[] = {CONTROL};
    uint32_t lens[N_TOKENS];
    bool control[N_TOKENS], marks[N_TOKENS] = {false};
    struct buf bytes = {0};
    for (int i = 0; i < N_TOKENS; i++) {
        struct text text = i < CONTROL ? token_text(i) : text_of(names[i - CONTROL]);
        lens[i] = (uint32_t)text.len;
        control[i] = i >= CONTROL;
        buf_text(&bytes, text);
    }
    for (int i = 0; i < 8; i++)
        controls[i] = text_of(names[i]);
    char err[200];
    const struct vocabulary_spec spec = {.n_tokens = N_TOKENS,
                                         .lens = lens,
                                         .bytes = bytes.at,
                                         .control = control,
                                         .marks = marks,
                                         .ends = ends,
                                         .n_ends = 1,
                                         .tokenize = tokenize};
    vocabulary = vocabulary_open(&spec, err, sizeof err);
    buf_free(&bytes);
    return vocabulary ? 0 : -1;
}

static int close_vocabulary(void **state)
{
    (void)state;
    vocabulary_close(vocabulary);
    return 0;
}

static bool allows(const uint32_t *mask, int32_t token)
{
    return mask[token / 32] >> (token % 32) & 1;
}

enum outcome { REFUSED, MORE, WHOLE };

/* One token of the text, or all that must come, which may be more than there is. The text
 * may spell the name of a control token. False: it may not go on so. */
static bool go_on(struct matcher *m, struct text *text, bool *more)
{
    char err[200];
    int32_t forced[64];
    uint32_t mask[(N_TOKENS + 31) / 32];
    size_t n = matcher_forced(m, forced, 64);
    for (size_t i = 0; i < n; i++) {
        struct text token =
            forced[i] < CONTROL ? token_text(forced[i]) : controls[forced[i] - CONTROL];
        size_t len = token.len < text->len ? token.len : text->len;
        if (memcmp(token.at, text->at, len) != 0)
            return false;
        *more = len < token.len || (i + 1 < n && len == text->len);
        *text = text_slice(*text, len, text->len);
        if (*more)
            return true;
    }
    if (n > 0)
        return true;
    if (!matcher_mask(m, mask, err, sizeof err))
        return false;
    int32_t token = longest(*text, mask);
    for (int i = 1; i < 8; i++)
        if (text_starts(*text, controls[i].at) && allows(mask, CONTROL + i))
            token = CONTROL + i;
    if (token < 0 || !matcher_take(m, token, err, sizeof err))
        return false;
    *text = text_slice(
        *text, token < CONTROL ? token_text(token).len : controls[token - CONTROL].len,
        text->len);
    return true;
}

static bool may_end(struct matcher *m)
{
    uint32_t mask[(N_TOKENS + 31) / 32];
    return matcher_is_over(m) ||
           (matcher_mask(m, mask, NULL, 0) && allows(mask, CONTROL));
}

static enum outcome walk(const struct grammar *grammar, struct text text)
{
    struct matcher *m = matcher_open(grammar);
    bool good = true, more = false;
    while (good && text.len > 0)
        good = go_on(m, &text, &more);
    enum outcome outcome = !good ? REFUSED : !more && may_end(m) ? WHOLE : MORE;
    matcher_close(m);
    return outcome;
}

/* ---- asking ---- */

#define INTEGER(name)                                                                    \
    "{\"type\":\"object\",\"properties\":{\"" name "\":{\"type\":\"integer\"}},"         \
    "\"required\":[\"" name "\"],\"additionalProperties\":false,"                        \
    "\"x-guidance\":{\"whitespace_flexible\":false,\"item_separator\":\", \","           \
    "\"key_separator\":\": \"}}"

static struct function functions[] = {
    {.name = TEXT("get"), .parameters = TEXT(INTEGER("a"))},
    {.name = TEXT("get_more")},
    {.name = TEXT("bad"), .barred = true},
};
static struct text choices[] = {TEXT("yes"), TEXT("yes, no")};

struct ask {
    const char *template, *model;
    enum calling calling;
    enum answer_kind shape;
    enum thought thought;
    int budget;
    bool no_functions, without_get;
};

/* Names of control tokens are all that is asked for. */
static int find_control(struct engine *engine, struct text text, bool special,
                        int32_t *tokens, int room)
{
    (void)engine;
    for (int i = 0; special && room > 0 && i < 8; i++)
        if (text_same(text, controls[i]))
            tokens[0] = CONTROL + i;
    return 1;
}

static struct grammar *compile(const struct ask *ask)
{
    struct engine engine = {.ops = &(struct engine_ops){.tokenize = find_control},
                            .info = {.template = text_of(ask->template),
                                     .model = text_of(ask->model),
                                     .specials = controls,
                                     .n_specials = 8}};
    struct chat chat = {.functions = ask->without_get ? functions + 1 : functions,
                        .n_functions = ask->no_functions  ? 0
                                       : ask->without_get ? 2
                                                          : 3,
                        .calling = ask->calling,
                        .shape = {.kind = ask->shape,
                                  .schema = TEXT(INTEGER("b")),
                                  .choices = choices,
                                  .n_choices = 2}};
    struct specials *specials = specials_open(&engine);
    const struct grammar_spec spec = {&chat, family_of(&engine.info), specials,
                                      ask->thought, ask->budget};
    struct buf lark = {0};
    struct grammar *grammar = NULL;
    char err[400];
    if (grammar_write(&spec, &lark)) {
        grammar = grammar_compile(vocabulary, lark.at, lark.len, err, sizeof err);
        if (!grammar)
            fail_msg("%s in\n%s", err, lark.at);
    }
    buf_free(&lark);
    specials_close(specials);
    return grammar;
}

struct row {
    const char *answer;
    enum outcome outcome;
};

static void assert_rows(const struct ask *ask, const struct row *rows)
{
    static const char *const names[] = {"refused", "more", "whole"};
    struct grammar *grammar = compile(ask);
    assert_non_null(grammar);
    for (; rows->answer; rows++) {
        enum outcome outcome = walk(grammar, text_of(rows->answer));
        if (outcome != rows->outcome)
            fail_msg("%s: %s, not %s", rows->answer, names[outcome],
                     names[rows->outcome]);
    }
    grammar_free(grammar);
}
#define ASSERT_ROWS(ask, ...)                                                            \
    assert_rows(ask, (const struct row[]){__VA_ARGS__, {NULL, REFUSED}})

#define HERMES "<tool_call>"
#define GET "<tool_call>\n{\"name\": \"get\", \"arguments\": {\"a\": 1}}\n</tool_call>"
#define GET_MORE "<tool_call>\n{\"name\": \"get_more\", \"arguments\": {}}\n</tool_call>"
#define BAD "<tool_call>\n{\"name\": \"bad\", \"arguments\": {}}\n</tool_call>"
#define JSON "{\"b\": 2}"

static void words_may_lead_to_calls(void **state)
{
    (void)state;
    ASSERT_ROWS(
        (&(struct ask){.template = HERMES}), {"Hello.", WHOLE}, {"", WHOLE}, {GET, WHOLE},
        {"Well.\n" GET, WHOLE}, {GET "\n" GET_MORE, WHOLE}, {GET "\n", MORE},
        {GET "\n" BAD, REFUSED}, {GET " so", REFUSED}, {BAD, REFUSED},
        {"<tool_call>?", REFUSED}, {"a <tool b", WHOLE},
        {"<tool_call>\n{\"name\": \"get\", \"arguments\": {\"a\": \"1\"}}", REFUSED});
    ASSERT_ROWS((&(struct ask){.template = HERMES, .calling = CALLING_VALIDATED}),
                {"Hello.", WHOLE}, {GET, WHOLE}, {BAD, REFUSED});
}

static void a_call_can_be_forced_and_forbidden(void **state)
{
    (void)state;
    ASSERT_ROWS((&(struct ask){.template = HERMES, .calling = CALLING_ANY}),
                {"Hello.", REFUSED}, {"", MORE}, {GET, WHOLE}, {GET "\n" GET, WHOLE});
    ASSERT_ROWS((&(struct ask){.template = HERMES, .calling = CALLING_NONE}),
                {"Hello.", WHOLE}, {GET, REFUSED}, {"So " GET, REFUSED},
                {"a <tool b", WHOLE});
}

/* Words may hold a list where no call is looked for. */
static void an_array_of_calls_ends_with_its_bracket(void **state)
{
    (void)state;
#define IN_ARRAY "{\"name\": \"get\", \"arguments\": {\"a\": 1}}"
    struct ask ask = {
        .template = HERMES, .model = "qwen2.5-coder-1.5b", .calling = CALLING_ANY};
    ASSERT_ROWS(&ask, {"[" IN_ARRAY "]", WHOLE}, {"[" IN_ARRAY, MORE}, {"[]", REFUSED},
                {"[" IN_ARRAY ", " IN_ARRAY "]", WHOLE}, {IN_ARRAY, REFUSED},
                {"[" IN_ARRAY "]\n[", REFUSED}, {"Hello.", REFUSED}, {GET, REFUSED});
    ask.calling = CALLING_NONE;
    ASSERT_ROWS(&ask, {"Hello.", WHOLE}, {"[1, 2]", WHOLE});
}

static void what_takes_no_arguments_is_called_once(void **state)
{
    (void)state;
    ASSERT_ROWS((&(struct ask){.template = HERMES, .without_get = true}),
                {GET_MORE, WHOLE}, {GET_MORE "\n" GET_MORE, REFUSED});
}

static void without_anything_to_hold_there_is_no_grammar(void **state)
{
    (void)state;
    assert_null(compile(&(struct ask){.template = HERMES, .no_functions = true}));
    assert_null(compile(&(struct ask){
        .template = HERMES, .no_functions = true, .thought = THOUGHT_MAY, .budget = -1}));
}

static void a_shaped_answer_or_a_call(void **state)
{
    (void)state;
    struct ask ask = {.template = HERMES, .shape = ANSWER_JSON};
    ASSERT_ROWS(&ask, {"Hello.", REFUSED}, {JSON, WHOLE}, {GET, WHOLE},
                {"{\"a\": 1}", REFUSED}, {JSON GET, REFUSED});
    ask.calling = CALLING_ANY;
    ASSERT_ROWS(&ask, {JSON, REFUSED}, {GET, WHOLE});
    ask.calling = CALLING_NONE;
    ASSERT_ROWS(&ask, {JSON, WHOLE}, {GET, REFUSED});
    ask = (struct ask){.template = HERMES, .shape = ANSWER_CHOICE, .no_functions = true};
    ASSERT_ROWS(&ask, {"yes", WHOLE}, {"yes, no", WHOLE}, {"no", REFUSED}, {"ye", MORE},
                {"yes,", MORE});
}

#define TEN " think think think think think think think think think think"

static void a_thought_ends_when_its_tokens_are_used_up(void **state)
{
    (void)state;
    struct ask ask = {.template = HERMES, .thought = THOUGHT_MAY, .budget = 10};
    ASSERT_ROWS(&ask, {"Hello.", WHOLE}, {"<think>a</think>\n\nb", WHOLE},
                {"<think>a</think>" GET, WHOLE}, {"<think>a</think>\n\n" GET, WHOLE},
                {"<think>a</think>\n\n" BAD, REFUSED}, {" <think>a", MORE},
                {"<think>" TEN "</think>So.", WHOLE}, {"<think>" TEN " think", REFUSED},
                {"<think><tool_call></think>So.", WHOLE});
    ask.shape = ANSWER_JSON;
    ASSERT_ROWS(&ask, {JSON, WHOLE}, {"<think>a</think>\n\n" JSON, WHOLE},
                {"<think>" TEN "</think>" GET, WHOLE}, {"<think>a</think>b", REFUSED});
    ask = (struct ask){.template = HERMES, .thought = THOUGHT_OPEN, .budget = 10};
    ASSERT_ROWS(&ask, {"Hello.", MORE}, {"a</think>b", WHOLE}, {"a</think>", MORE},
                {"a</think>\n", MORE}, {"a</think></think>", REFUSED},
                {"a</think>\n<think>b", REFUSED}, {TEN "</think>\n" GET, WHOLE},
                {TEN " think", REFUSED});
    ask = (struct ask){.template = HERMES,
                       .thought = THOUGHT_OPEN,
                       .budget = -1,
                       .calling = CALLING_ANY};
    ASSERT_ROWS(&ask, {TEN TEN TEN "</think>\n\n" GET, WHOLE},
                {TEN "</think>b", REFUSED});
}

static void a_thought_can_be_forbidden(void **state)
{
    (void)state;
    struct ask ask = {.template = HERMES, .thought = THOUGHT_BARRED};
    ASSERT_ROWS(&ask, {"Hello.", WHOLE}, {"<think>", REFUSED}, {"\n<think>", REFUSED},
                {"Say <think>", WHOLE}, {"Well " GET, WHOLE});
    ask.no_functions = true;
    ASSERT_ROWS(&ask, {"Hello.", WHOLE}, {"<think>", REFUSED}, {GET, WHOLE});
}

static void a_call_without_a_mark_is_known_by_its_brace(void **state)
{
    (void)state;
#define F "{\"name\": \"get\", \"parameters\": {\"a\": 1}}"
    struct ask ask = {.template = "<|start_header_id|> tools"};
    ASSERT_ROWS(&ask, {"Hello.", WHOLE}, {F, WHOLE}, {F "; " F, WHOLE},
                {"<|python_tag|>" F, WHOLE}, {"{\"a\"", REFUSED}, {" {", REFUSED});
    ask.calling = CALLING_ANY;
    ASSERT_ROWS(&ask, {"Hello.", REFUSED}, {F, WHOLE});
    ask.calling = CALLING_AUTO;
    ask.shape = ANSWER_JSON;
    ASSERT_ROWS(&ask, {"Hello.", REFUSED}, {JSON, WHOLE}, {F, REFUSED},
                {"<|python_tag|>" F, WHOLE}, {"<|python_tag|>" JSON, REFUSED});
#undef F
}

static void marks_may_be_control_tokens(void **state)
{
    (void)state;
#define F "{\"name\": \"get\", \"arguments\": {\"a\": 1}}"
    struct ask ask = {.template = "[TOOL_CALLS]"};
    ASSERT_ROWS(&ask, {"Hello.", WHOLE}, {"[TOOL_CALLS][" F "]", WHOLE},
                {"So [TOOL_CALLS][" F ", " F "]", WHOLE}, {"[TOOL_CALLS][" F, MORE},
                {"[TOOL_CALLS]so", REFUSED});
    ask.calling = CALLING_NONE;
    ASSERT_ROWS(&ask, {"Hello.", WHOLE}, {"So [TOOL_CALLS][" F, WHOLE});
    ask = (struct ask){
        .template = "<|channel> <tool_call|>", .thought = THOUGHT_MAY, .budget = 10};
    ASSERT_ROWS(&ask, {"Hello.", WHOLE}, {"<|channel>thought\nhm<channel|>So.", WHOLE},
                {"<|channel>thought\n" TEN "<channel|>" GET, WHOLE},
                {"<|channel>thought\n" TEN " think", REFUSED});
#undef F
}

static void deepseeks_names_stand_before_the_arguments(void **state)
{
    (void)state;
#define BEGIN "<｜tool▁calls▁begin｜>"
#define END "<｜tool▁calls▁end｜>"
#define CALL_OF(name, args)                                                              \
    "<｜tool▁call▁begin｜>function<｜tool▁sep｜>" name "\n```json\n" args                \
    "\n```<｜tool▁call▁end｜>"
    struct ask ask = {.template = BEGIN "```json"};
    ASSERT_ROWS(&ask, {"Hello.", WHOLE}, {BEGIN CALL_OF("get", "{\"a\": 1}") END, WHOLE},
                {"So. " BEGIN CALL_OF("get", "{\"a\": 1}") "\n" CALL_OF("get_more", "{}")
                     END,
                 WHOLE},
                {BEGIN CALL_OF("bad", "{}"), REFUSED});
#undef CALL_OF
#undef BEGIN
#undef END
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_may_lead_to_calls),
        cmocka_unit_test(a_call_can_be_forced_and_forbidden),
        cmocka_unit_test(an_array_of_calls_ends_with_its_bracket),
        cmocka_unit_test(what_takes_no_arguments_is_called_once),
        cmocka_unit_test(without_anything_to_hold_there_is_no_grammar),
        cmocka_unit_test(a_shaped_answer_or_a_call),
        cmocka_unit_test(a_thought_ends_when_its_tokens_are_used_up),
        cmocka_unit_test(a_thought_can_be_forbidden),
        cmocka_unit_test(a_call_without_a_mark_is_known_by_its_brace),
        cmocka_unit_test(marks_may_be_control_tokens),
        cmocka_unit_test(deepseeks_names_stand_before_the_arguments),
    };
    return cmocka_run_group_tests(tests, open_vocabulary, close_vocabulary);
}

/* family.c - how families of models write calls and thoughts.
 *
 * What the rows say was read off the families' own templates and what is documented of
 * them. A family whose calls are not JSON (XML-like, or a language of their own) is
 * better served by words of ours: no row claims it, so the last one, which fits every
 * model, does. */
#include "chat/family.h"
#include <stdint.h>

/* clang-format off */
#define TOOLS                                                                              \
    .tools_lead =                                                                          \
        "# Tools\n\n"                                                                      \
        "You may call one or more functions to assist with the user query.\n\n"            \
        "You are provided with function signatures within <tools></tools> XML tags:\n"     \
        "<tools>",                                                                         \
    RESULT
#define RESULT .result = "<tool_response>\n", .end_result = "\n</tool_response>"

/* %s is an example. */
#define EACH                                                                               \
    .tools_trail =                                                                         \
        "\n</tools>\n\n"                                                                   \
        "For each function call, return a json object with function name and arguments "   \
        "in this form:\n%s"
#define THINK .think = "<think>", .end_think = "</think>"

/* <tool_call> and a JSON object, one block for each call. */
#define TOOL_CALL                                                                          \
    .form = FORM_JSON, .mark = "<tool_call>", .end_mark = "</tool_call>", .next = "\n",    \
    .lead = "\n", .before = "{\"name\": \"", .between = "\", \"arguments\": ",             \
    .after = "}", .trail = "\n"

/* One block of special tokens around names and arguments. */
#define DEEPSEEK                                                                           \
    .form = FORM_NAMED, .mark = "<｜tool▁calls▁begin｜>", .end_mark = "<｜tool▁calls▁end｜>", \
    .lead = "", .trail = "", .null_content = true

/* Too small to decide when to call, led astray by calls it has seen, lost behind
 * <tool_call>, which it never learned; but it reads code. */
#define QWEN_CODER                                                                        \
    .signs = {"<tool_call>"},                                                             \
    .native = true, .signatures = true, .narrates = true,                                 \
    .system = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",     \
    .ask = {"You judge whether a function is of use for what a user asks for. "           \
            "Say only Yes or No.", 0.45},                                                 \
    .ask_again = {"You judge whether a function must be called again for a user's new "   \
                  "request. Thanks, and questions about what is known, need none. "       \
                  "Say only Yes or No.", 0.54},                                           \
    .tools_lead =                                                                         \
       "# Functions\n\n"                                                                  \
       "You may call one or more functions to do what the user asks for. Arguments marked "\
       "with ? are left out, unless the user gives a value for them. When several things "\
       "are asked for, there is one call for each of them.\n\n"                           \
       "For example, with\n\n"                                                            \
       "function shop.find_item(args: {\n"                                                \
       "  item: string,\n"                                                                \
       "  size?: string, // Default is 'any'.\n"                                          \
       "  colour?: string,\n"                                                             \
       "})\n\n"                                                                           \
       "the query \"Do they have shoes, and a red hat?\" becomes\n"                       \
       "[{\"name\": \"shop.find_item\", \"arguments\": {\"item\": \"shoes\"}}, "          \
       "{\"name\": \"shop.find_item\", \"arguments\": {\"item\": \"hat\", "               \
       "\"colour\": \"red\"}}]\n\n"                                                       \
       "The functions:\n\n"                                                               \
       "```typescript",                                                                   \
    .tools_trail = "```",                                                                 \
    .form = FORM_JSON, .mark = "", .end_mark = "", .lead = "[",                           \
    .before = "{\"name\": \"", .between = "\", \"arguments\": ", .after = "}",            \
    .more = ", ", .trail = "]", THINK, RESULT

static const struct family families[] = {
    {.name = "script", .native = true, .as_is = true, THINK, TOOL_CALL, TOOLS, EACH},

    /* Names XML-like or other ways to write arguments, which words of ours replace. */
    {.name = "qwen3-coder", .signs = {"<tool_call>", "<function="}, THINK, TOOL_CALL, TOOLS, EACH},
    {.name = "glm", .signs = {"<tool_call>", "<arg_key>"}, THINK, TOOL_CALL, TOOLS, EACH},

    /* The smallest hardly tells a question of facts from a greeting; words and cuts are those
     * that part them best, docs/benchmarks.md has the figures of both. */
    {.name = "qwen2.5-coder 0.5b", .model = "qwen2.5-coder-0.5b", QWEN_CODER,
     .ask_use = {
        [TOOL_LOOKS_UP] = {
            "Does whoever wrote this want to find something out that stands in documents or on "
            "the web? A greeting, thanks, or a wish for a text to be written, translated or "
            "corrected is none. Say only Yes or No.", 0.45}}},
    {.name = "qwen2.5-coder", .model = "qwen2.5-coder", QWEN_CODER,
     .ask_use = {
        [TOOL_LOOKS_UP] = {
            "Does this message ask for a fact that could be looked up, such as a name, a number, "
            "a date or a place? A greeting, thanks, or a text to be written, translated or "
            "corrected is none. Say only Yes or No.", 0.60},
        [TOOL_COMPUTES] = {
            "Does this message ask for something to be calculated, counted, sorted or plotted, "
            "or for code to be run? Say only Yes or No.", 0.65}}},

    {.name = "hermes", .signs = {"<tool_call>"}, .native = true, THINK, TOOL_CALL, TOOLS, EACH},

    {.name = "llama", .signs = {"<|start_header_id|>", "tools"}, .native = true,
     .form = FORM_JSON, .mark = "", .end_mark = "", .tag = "<|python_tag|>",
     .lead = "", .before = "{\"name\": \"", .between = "\", \"parameters\": ",
     .after = "}", .more = "; ", .trail = "", THINK, TOOLS, EACH},

    {.name = "mistral, names", .signs = {"[TOOL_CALLS]", "[ARGS]"}, .native = true,
     .form = FORM_NAMED, .mark = "[TOOL_CALLS]", .end_mark = "", .next = "", .id_len = 9,
     .lead = "", .before = "", .between = "[ARGS]", .after = "", .trail = "",
     .think = "[THINK]", .end_think = "[/THINK]", TOOLS, EACH},

    {.name = "mistral", .signs = {"[TOOL_CALLS]"}, .native = true,
     .form = FORM_JSON, .mark = "[TOOL_CALLS]", .end_mark = "", .id_len = 9,
     .lead = "[", .before = "{\"name\": \"", .between = "\", \"arguments\": ",
     .after = "}", .more = ", ", .trail = "]", THINK, TOOLS, EACH},

    {.name = "deepseek r1", .signs = {"<｜tool▁calls▁begin｜>", "```json"}, .native = true,
     DEEPSEEK, .before = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
     .between = "\n```json\n", .after = "\n```<｜tool▁call▁end｜>", .more = "\n", THINK, TOOLS, EACH},

    {.name = "deepseek v3.1", .signs = {"<｜tool▁calls▁begin｜>"}, .native = true,
     DEEPSEEK, .before = "<｜tool▁call▁begin｜>", .between = "<｜tool▁sep｜>",
     .after = "<｜tool▁call▁end｜>", .more = "", THINK, TOOLS, EACH},

    /* Gemma 4's calls are no JSON: words of ours. */
    {.name = "gemma 4", .signs = {"<|channel>", "<tool_call|>"},
     .think = "<|channel>thought\n", .end_think = "<channel|>", TOOL_CALL, TOOLS, EACH},

    /* Gemma 3's template knows no tools; Google documents a JSON object with "parameters". */
    {.name = "gemma", .signs = {"<start_of_turn>"},
     .form = FORM_JSON, .mark = "```tool_call", .end_mark = "```", .next = "\n",
     .lead = "\n", .before = "{\"name\": \"", .between = "\", \"parameters\": ",
     .after = "}", .trail = "\n", THINK, TOOLS, EACH},

    {.name = "generic", THINK, TOOL_CALL, TOOLS, EACH},
};
/* clang-format on */

static bool holds(struct text text, const char *sign)
{
    return text.len > 0 && text_find(text, text_of(sign), 0) != SIZE_MAX;
}

static bool fits(const struct family *family, const struct engine_info *info)
{
    if (family->as_is)
        return info->scripted;
    if (family->model && !text_starts(info->model, family->model))
        return false;
    for (int i = 0; i < FAMILY_SIGNS && family->signs[i]; i++)
        if (!holds(info->template, family->signs[i]))
            return false;
    return true;
}

const struct family *family_of(const struct engine_info *info)
{
    const struct family *family = families;
    while (!fits(family, info))
        family++;
    return family;
}

bool family_thinks(const struct family *family, const struct engine_info *info)
{
    return holds(info->template, family->think) ||
           holds(info->template, "enable_thinking") ||
           holds(info->template, "reasoning_content");
}

char family_begins(const struct family *family)
{
    return *(family->lead[0] ? family->lead : family->before);
}

static bool ends_block(const struct family *family, int i, int n)
{
    return i == n - 1 || !family->more;
}

void family_write_json(struct text json, struct buf *out)
{
    bool in_string = false, escaped = false;
    for (size_t i = 0; i < json.len; i++) {
        char c = json.at[i];
        buf_char(out, c);
        if (in_string) {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        in_string = c == '"';
        if ((c == ',' || c == ':') && i + 1 < json.len && json.at[i + 1] != ' ')
            buf_char(out, ' ');
    }
}

void family_write_calls(const struct family *family, const struct family_call *calls,
                        int n, struct buf *out)
{
    bool begun = false;
    for (int i = 0; i < n; i++) {
        if (begun)
            buf_str(out, family->more);
        else
            buf_printf(out, "%s%s%s", i && family->next ? family->next : "", family->mark,
                       family->lead);
        buf_str(out, family->before);
        buf_text(out, calls[i].name);
        buf_str(out, family->between);
        family_write_json(calls[i].args.len > 0 ? calls[i].args : TEXT("{}"), out);
        buf_str(out, family->after);
        begun = !ends_block(family, i, n);
        if (!begun)
            buf_printf(out, "%s%s", family->trail, family->end_mark);
    }
}

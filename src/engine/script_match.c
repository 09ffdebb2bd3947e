/* script_match.c - finds the reply of a script that fits a prompt.
 *
 * A user may write a mark of the template, but then it is not a control token in
 * spec.tokens (chat/prompt.c sees to that); so the text and the tokens are walked side by
 * side. */
#include "engine/script_match.h"
#include "engine/words.h"
#include <fnmatch.h>
#include <stdlib.h>

/* clang-format off */
const struct text script_template = TEXT(
    "{%- if tools %}{{ '<|im_start|>tools\\n' + (tools | tojson) + '<|im_end|>\\n' }}{% endif %}"
    "{%- for m in messages %}"
    "{{- '<|im_start|>' + m.role + '\\n' }}"
    "{%- if m.reasoning_content %}{{ '<think>' + m.reasoning_content + '</think>' }}{% endif %}"
    "{{- m.content }}"
    "{%- for call in m.tool_calls or [] %}"
    "{{- '<tool_call>' + (call.function | tojson) + '</tool_call>' }}"
    "{%- endfor %}"
    "{{- '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}");
/* clang-format on */

static void note_message(struct asked *asked, struct text message)
{
    struct text content, role = text_cut(message, '\n', &content);
    if (text_is(role, "system"))
        asked->system = content;
    else if (text_is(role, "user"))
        asked->user = content;
    if (!text_is(role, "tool"))
        asked->results = (struct text){0};
    else if (asked->results.at)
        asked->results.len = (size_t)(content.at + content.len - asked->results.at);
    else
        asked->results = content;
}

struct asked script_asked(const struct job_spec *spec)
{
    struct text model = spec->model.at ? spec->model : TEXT("");
    struct asked asked = {.model = model, .user = spec->prompt, .system = TEXT("")};
    struct text rest = spec->prompt, message = {0};
    for (int i = 0; i < spec->n_tokens && rest.len > 0; i++) {
        int32_t id = spec->tokens[i];
        struct text token = words_next(rest, id < WORDS_SPECIALS);
        rest = text_slice(rest, token.len, rest.len);
        if (id == WORDS_START) {
            message = rest;
        } else if (id == WORDS_END && message.at) {
            message.len = (size_t)(rest.at - message.at) - token.len;
            note_message(&asked, message);
            message = (struct text){0};
        }
    }
    return asked;
}

static bool glob_matches(struct text glob, struct text text)
{
    char *a = strndup(glob.at, glob.len), *b = strndup(text.at, text.len);
    bool same = a && b && fnmatch(a, b, 0) == 0;
    free(a);
    free(b);
    return same;
}

static bool has(struct text pattern, struct text text)
{
    return !pattern.at || text_find(text, pattern, 0) != SIZE_MAX;
}

static bool regex_matches(const regex_t *regex, struct text text)
{
    regmatch_t range = {.rm_so = 0, .rm_eo = (regoff_t)text.len};
    return regexec(regex, text.at, 1, &range, REG_STARTEND) == 0;
}

/* Words about the prompt are about one that ends with words; results are asked for by
 * name. Otherwise the reply that calls a function would also answer the function's
 * result. */
static bool matches(const struct script_reply *reply, const struct asked *asked)
{
    const struct script_match *match = reply->match;
    if (reply->times.set && reply->n_used >= reply->times.is)
        return false;
    if (!match)
        return true;
    bool about_words = match->prompt.at || match->prompt_regex.at;
    if (match->result.at ? !asked->results.at : about_words && asked->results.at)
        return false;
    return (!match->model.at || glob_matches(match->model, asked->model)) &&
           has(match->prompt, asked->user) && has(match->system, asked->system) &&
           has(match->result, asked->results) &&
           (!match->regex || regex_matches(match->regex, asked->user));
}

struct script_reply *script_choose(const struct script *script, const struct asked *asked)
{
    struct script_reply *replies = script->replies.at;
    for (size_t i = 0; i < script->replies.n; i++)
        if (matches(&replies[i], asked))
            return &replies[i];
    return script->fallback;
}

static void free_regex(void *what)
{
    regfree(what);
}

static bool compile(const struct script_reply *reply, const char *path,
                    struct arena *arena, struct error *err)
{
    struct script_match *match = reply->match;
    if (!match || !match->prompt_regex.at)
        return true;
    regex_t *regex = arena_new(arena, regex_t);
    const char *source = arena_text(arena, match->prompt_regex).at;
    int failed = regcomp(regex, source, REG_EXTENDED);
    if (failed) {
        char words[200];
        regerror(failed, regex, words, sizeof words);
        return error_set(err, ERROR_INVALID_ARGUMENT, "%s: prompt_regex \"%s\": %s", path,
                         source, words);
    }
    arena_defer(arena, free_regex, regex);
    match->regex = regex;
    return true;
}

bool script_compile(struct script *script, const char *path, struct arena *arena,
                    struct error *err)
{
    struct script_reply *replies = script->replies.at;
    for (size_t i = 0; i < script->replies.n; i++)
        if (!compile(&replies[i], path, arena, err))
            return false;
    return !script->fallback || compile(script->fallback, path, arena, err);
}

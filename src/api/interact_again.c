/* interact_again.c - a run that begins anew says what its log tells already.
 *
 * With the same seed a model says the same again, wherever its words are cut. So a run
 * that another server began goes on in the log as if nothing had been: what it says is
 * held against the steps, and only what goes beyond the last of them is added. Nothing is
 * taken on trust: what strays from the log ends it. A thought that is not shown is known
 * by its signature. */
#include "api/interact_log_inside.h"
#include "api/print.h"

void ilog_again(struct ilog *log)
{
    log->again.on = true;
}

bool ilog_strayed(const struct ilog *log)
{
    return log->again.strayed;
}

/* ---- the step that is said again ---- */

/* NULL: all were. */
static struct said_step *step_now(const struct ilog *log)
{
    return log->again.step < log->n_steps ? &log->steps[log->again.step] : NULL;
}

static bool is_words(const struct said_step *step)
{
    return !step->tool.at && (step->kind == PART_TEXT || step->kind == PART_THOUGHT);
}

static bool is_hidden(const struct ilog *log, const struct said_step *step)
{
    return step->kind == PART_THOUGHT && !step->tool.at && !log->options.thoughts;
}

static bool is_last(const struct ilog *log)
{
    return log->again.step == log->n_steps - 1;
}

/* What is said behind it belongs to it. */
static bool goes_on(const struct ilog *log)
{
    return log->open && is_last(log);
}

static bool is_said(const struct ilog *log, const struct said_step *step)
{
    return is_words(step) &&
           (is_hidden(log, step) ? log->again.at > 0 : log->again.at == step->text.len);
}

bool ilog_caught_up(const struct ilog *log)
{
    const struct said_step *step = step_now(log);
    return !log->again.on || !step || (is_last(log) && is_said(log, step));
}

static bool stray(struct ilog *log)
{
    log->again.strayed = true;
    return false;
}

static bool caught_up(struct ilog *log)
{
    log->again.on = false;
    return true;
}

static void next_step(struct ilog *log)
{
    log->again.step++;
    log->again.at = 0;
}

/* Words end where something else begins. */
static bool leave_words(struct ilog *log, const struct said_step *step)
{
    bool signs = step->kind == PART_THOUGHT && step->signature.len > 0;
    if (!is_said(log, step) ||
        (signs && !text_same(step->signature, ilog_signature(log))))
        return stray(log);
    next_step(log);
    return true;
}

/* ---- parts ---- */

static bool say_words(struct ilog *log, const struct said_step *step, struct part *part)
{
    bool thought = part->kind == PART_THOUGHT, hidden = is_hidden(log, step);
    size_t n = hidden ? part->text.len : step->text.len - log->again.at;
    if (hidden && goes_on(log))
        return caught_up(log);
    if (n > part->text.len)
        n = part->text.len;
    struct text said = text_slice(part->text, 0, n);
    if (!hidden && n > 0 && memcmp(said.at, step->text.at + log->again.at, n) != 0)
        return stray(log);
    if (thought)
        log->thought = print_of(log->thought, said);
    log->again.at += n;
    part->text = text_slice(part->text, n, part->text.len);
    if (part->text.len == 0)
        return false;
    return goes_on(log) ? caught_up(log) : stray(log);
}

static bool say_call(struct ilog *log, const struct said_step *step,
                     const struct part *part)
{
    struct text tool = part->tool ? ilog_steps_of(part->tool) : (struct text){0};
    if (step->kind != PART_CALL || !text_same(step->tool, tool))
        return stray(log);
    if (part->piece)
        return false;
    if (!text_same(buf_view(&step->text), part->json) ||
        (!part->tool && !text_same(step->name, part->name)))
        return stray(log);
    if (part->tool)
        log->tool_id = step->id;
    next_step(log);
    return false;
}

/* With the pictures behind it, which were written together with it. */
static bool say_result(struct ilog *log, const struct said_step *step,
                       const struct part *part)
{
    const struct tool_result *result = part->result;
    if (step->kind != PART_RESULT ||
        !text_same(buf_view(&step->text), ilog_result_value(log, result)))
        return stray(log);
    next_step(log);
    for (int i = 0; i < result->n_blobs; i++) {
        struct text data = json_base64_of(result->blobs[i].bytes, log->arena);
        step = step_now(log);
        if (!step || step->kind != PART_MEDIA || !text_same(buf_view(&step->text), data))
            return stray(log);
        next_step(log);
    }
    return false;
}

/* They come when all is said. */
static bool say_grounds(struct ilog *log, const struct said_step *step)
{
    if (!step || !is_last(log) || !is_said(log, step))
        return stray(log);
    return step->annotations.len == 0 && caught_up(log);
}

bool ilog_say_again(struct ilog *log, struct part *part)
{
    const struct said_step *step = step_now(log);
    bool words = part->kind == PART_TEXT || part->kind == PART_THOUGHT;
    if (part->kind == PART_GROUNDS && !log->again.strayed)
        return say_grounds(log, step);
    if (log->again.strayed || (words && part->text.len == 0))
        return false;
    if (step && is_words(step) && (part->kind != step->kind || part->tool)) {
        if (!leave_words(log, step))
            return false;
        step = step_now(log);
    }
    if (!step)
        return caught_up(log);
    if (words)
        return is_words(step) && step->kind == part->kind ? say_words(log, step, part)
                                                          : stray(log);
    return part->kind == PART_CALL ? say_call(log, step, part)
                                   : say_result(log, step, part);
}

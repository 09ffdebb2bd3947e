/* tuned_check.c - what a table cannot say of tuned models' messages. */
#include "api/tuned.h"
#include "train/spec.h"
#include "train/words.h"
#include <stdio.h>

/* ---- create ---- */

static bool check_source(const struct wire_tuned *wire, struct arena *arena,
                         struct tuned *tuned, struct error *err)
{
    const struct wire_source *source = wire->source ? wire->source : wire->pre;
    bool is_tuned = source && source->tuned.len > 0;
    if (wire->source && wire->pre)
        return error_at(err, "tuned_model.pre_tuned_model",
                        "tunedModelSource is set, too; one of them may be.");
    if (is_tuned && wire->base.len > 0)
        return error_at(err, "tuned_model.base_model",
                        "baseModel and tunedModelSource are one union: set one of them.");
    if (!is_tuned && wire->base.len == 0)
        return error_at(err, "tuned_model.base_model",
                        "What is to be tuned is missing: set baseModel, or "
                        "tunedModelSource.tunedModel to tune a tuned model further.");
    if (!is_tuned) {
        tuned->base = text_starts(wire->base, "models/")
                          ? wire->base
                          : arena_printf(arena, "models/%.*s", TEXT_ARG(wire->base));
        return true;
    }
    tuned->source = source->tuned;
    if (text_starts(tuned->source, "tunedModels/"))
        tuned->source =
            text_slice(tuned->source, strlen("tunedModels/"), tuned->source.len);
    tuned->source = arena_text(arena, tuned->source);
    return tuned_id_is_good(tuned->source) ||
           error_at(err, "tuned_model.tuned_model_source.tuned_model",
                    "'%.*s' is not the name of a tuned model: tunedModels/{id}.",
                    TEXT_ARG(text_slice(source->tuned, 0, 100)));
}

static bool is_blank(struct text text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!strchr(" \t\r\n", text.at[i]) || text.at[i] == '\0')
            return false;
    return true;
}

enum { PATH_ROOM = 120 };

static const char *example_path(size_t i, const char *member, char room[PATH_ROOM])
{
    snprintf(room, PATH_ROOM,
             "tuned_model.tuning_task.training_data.examples.examples[%zu]%s", i, member);
    return room;
}

static bool check_example(const struct wire_example *example, size_t i, struct error *err)
{
    char room[PATH_ROOM];
    if (is_blank(example->input))
        return error_at(err, example_path(i, ".text_input", room),
                        "Example %zu of the training data has no textInput.", i + 1);
    return !is_blank(example->output) ||
           error_at(err, example_path(i, ".output", room),
                    "Example %zu of the training data has no output.", i + 1);
}

static bool check_data(const struct wire_task *task, struct arena *arena,
                       struct tuned_wish *wish, struct error *err)
{
    static const char path[] = "tuned_model.tuning_task.training_data";
    const struct wire_examples *examples =
        task && task->data ? task->data->examples : NULL;
    if (!task)
        return error_at(err, "tuned_model.tuning_task",
                        "tuningTask is required: it has the training data.");
    if (!examples || examples->examples.n == 0)
        return error_at(err, path,
                        "There are no training examples: "
                        "tuningTask.trainingData.examples.examples needs at least one "
                        "{\"textInput\", \"output\"}. (The google-genai libraries of "
                        "version 1 and later leave them out of the request; REST and "
                        "google-generativeai send them.)");
    if (examples->examples.n > TUNED_EXAMPLES_MOST)
        return error_at(err, path,
                        "There are %zu training examples; at most %d can be trained with "
                        "at once. Take a sample of them.",
                        examples->examples.n, TUNED_EXAMPLES_MOST);
    const struct wire_example *from = examples->examples.at;
    struct said_example *to =
        arena_array(arena, struct said_example, examples->examples.n);
    for (size_t i = 0; i < examples->examples.n; i++) {
        if (!check_example(&from[i], i, err))
            return false;
        to[i] = (struct said_example){from[i].input, from[i].output};
    }
    wish->examples = to;
    wish->n_examples = examples->examples.n;
    return true;
}

/* Bytes are at least as many as tokens: what is short enough in them need not be counted.
 */
bool tuned_check_lengths(const struct api *api, const struct tuned_wish *wish,
                         struct error *err)
{
    const struct prompter *prompter = runner_prompter(api->runner);
    struct engine *engine = runner_engine(api->runner);
    const struct said_example none = {TEXT("?"), TEXT("?")};
    char room[PATH_ROOM];
    int frame, n;
    if (!words_count(prompter, engine, &none, &frame, err))
        return false;
    for (size_t i = 0; i < wish->n_examples; i++) {
        const struct said_example *said = &wish->examples[i];
        if (said->input.len + said->output.len + (size_t)frame <= TRAIN_TOKENS_MOST)
            continue;
        if (!words_count(prompter, engine, said, &n, err))
            return false;
        if (n > TRAIN_TOKENS_MOST)
            return error_at(err, example_path(i, "", room),
                            "Example %zu of the training data has %d tokens with its "
                            "prompt; at most %d can be trained with. Shorten it, or "
                            "leave it out.",
                            i + 1, n, TRAIN_TOKENS_MOST);
    }
    return true;
}

static bool check_hyper(const struct wire_hyper *hyper, struct tuned *tuned,
                        struct error *err)
{
    if (!hyper)
        return true;
    if (hyper->rate.set && hyper->multiplier.set)
        return error_at(err,
                        "tuned_model.tuning_task.hyperparameters."
                        "learning_rate_multiplier",
                        "learningRate and learningRateMultiplier are one union: set one "
                        "of them.");
    if ((hyper->rate.set && hyper->rate.is <= 0) ||
        (hyper->multiplier.set && hyper->multiplier.is <= 0))
        return error_at(err, "tuned_model.tuning_task.hyperparameters.learning_rate",
                        "A learning rate must be above 0.");
    tuned->rate = hyper->rate.is;
    tuned->multiplier = hyper->multiplier.is;
    tuned->has_multiplier = hyper->multiplier.set;
    tuned->epochs = (int)hyper->epochs.is;
    tuned->batch = (int)hyper->batch.is;
    return true;
}

static struct text joined(const struct json_list *numbers, struct arena *arena)
{
    struct buf buf = {0};
    if (numbers->n == 0)
        return (struct text){0};
    for (size_t i = 0; i < numbers->n; i++)
        buf_printf(&buf, "%s%lld", i > 0 ? "," : "",
                   (long long)((const int64_t *)numbers->at)[i]);
    struct text text = arena_text(arena, buf_view(&buf));
    buf_free(&buf);
    return text;
}

bool tuned_check(const struct wire_tuned *wire, struct arena *arena,
                 struct tuned_wish *wish, struct error *err)
{
    struct tuned *tuned = &wish->tuned;
    tuned->display_name = wire->display_name;
    tuned->description = wire->description;
    tuned->readers = joined(&wire->readers, arena);
    return check_source(wire, arena, tuned, err) &&
           check_data(wire->task, arena, wish, err) &&
           check_hyper(wire->task->hyper, tuned, err);
}

/* ---- patch ---- */

enum field { NAME, DESCRIPTION, TEMPERATURE, TOP_P, TOP_K, READERS, N_FIELDS };

static const char *const fields[N_FIELDS][2] = {
    [NAME] = {"displayName", "display_name"},
    [DESCRIPTION] = {"description", "description"},
    [TEMPERATURE] = {"temperature", "temperature"},
    [TOP_P] = {"topP", "top_p"},
    [TOP_K] = {"topK", "top_k"},
    [READERS] = {"readerProjectNumbers", "reader_project_numbers"},
};

static bool mask_one(struct text word, bool set[N_FIELDS], struct error *err)
{
    static const char own[] = "tuned_model.";
    if (text_starts(word, own))
        word = text_slice(word, strlen(own), word.len);
    for (int i = 0; i < N_FIELDS; i++)
        if (text_is(word, "*") || text_is(word, fields[i][0]) ||
            text_is(word, fields[i][1])) {
            set[i] = true;
            if (!text_is(word, "*"))
                return true;
        }
    return text_is(word, "*") ||
           error_at(err, "update_mask",
                    "'%.*s' cannot be changed. What can: displayName, description, "
                    "temperature, topP, topK, readerProjectNumbers.",
                    TEXT_ARG(text_slice(word, 0, 100)));
}

static bool read_mask(const struct wire_tuned *wire, struct text mask, bool set[N_FIELDS],
                      struct error *err)
{
    if (text_trim(mask).len == 0) { /* whatever the body has */
        set[NAME] = wire->display_name.at != NULL;
        set[DESCRIPTION] = wire->description.at != NULL;
        set[TEMPERATURE] = wire->temperature.set;
        set[TOP_P] = wire->top_p.set;
        set[TOP_K] = wire->top_k.set;
        set[READERS] = wire->readers.n > 0;
        return true;
    }
    for (struct text rest = mask; rest.at;)
        if (!mask_one(text_trim(text_cut(rest, ',', &rest)), set, err))
            return false;
    return true;
}

bool tuned_check_patch(const struct wire_tuned *wire, struct text mask,
                       const struct api_defaults *defaults, struct arena *arena,
                       struct tuned *tuned, struct error *err)
{
    bool set[N_FIELDS] = {false};
    if (!read_mask(wire, mask, set, err))
        return false;
    if (set[NAME])
        tuned->display_name = wire->display_name;
    if (set[DESCRIPTION])
        tuned->description = wire->description;
    if (set[TEMPERATURE])
        tuned->temperature =
            wire->temperature.set ? wire->temperature.is : defaults->temperature;
    if (set[TOP_P])
        tuned->top_p = wire->top_p.set ? wire->top_p.is : defaults->top_p;
    if (set[TOP_K])
        tuned->top_k = wire->top_k.set ? (int)wire->top_k.is : defaults->top_k;
    if (set[READERS])
        tuned->readers = joined(&wire->readers, arena);
    return true;
}

/* ---- the list's filter ---- */

enum { MOST_WORDS = 32, LONGEST_WORD = 200 };

static const struct {
    const char *name;
    enum tuned_role role;
} operators[] = {
    {"owner:", TUNED_OWNER}, {"writers:", TUNED_WRITER}, {"readers:", TUNED_READER}};

/* The next word, or what stands in quotes; absent at the end. "owner: me" is one word. */
static struct text next_word(struct text *rest)
{
    struct text at = text_trim(*rest);
    if (at.len == 0)
        return (struct text){0};
    if (at.at[0] == '"')
        return text_cut(text_slice(at, 1, at.len), '"', rest);
    return text_cut(at, ' ', rest);
}

static bool take_operator(struct text word, struct text *rest,
                          struct tuned_filter *filter, bool *is_one, struct error *err)
{
    *is_one = false;
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (!text_starts(word, operators[i].name))
            continue;
        struct text value = text_slice(word, strlen(operators[i].name), word.len);
        if (value.len == 0)
            value = next_word(rest);
        *is_one = true;
        if (text_is(value, "everyone") && operators[i].role == TUNED_READER) {
            filter->everyone = true;
        } else if (text_is(value, "me")) {
            if (!filter->role || operators[i].role < filter->role)
                filter->role = operators[i].role;
        } else {
            return error_at(err, "filter",
                            "'%.*s' is not known in a filter. Known are owner:me, "
                            "writers:me, readers:me and readers:everyone; all else are "
                            "words of the display name or the description.",
                            TEXT_ARG(text_slice(word, 0, 100)));
        }
    }
    return true;
}

bool tuned_check_filter(struct text words, struct arena *arena,
                        struct tuned_filter *filter, struct error *err)
{
    struct text *list = arena_array(arena, struct text, MOST_WORDS);
    struct text rest = words, word;
    *filter = (struct tuned_filter){.words = list};
    while ((word = next_word(&rest)).at) {
        bool is_operator;
        if (!take_operator(word, &rest, filter, &is_operator, err))
            return false;
        if (is_operator)
            continue;
        if (filter->n_words == MOST_WORDS || word.len > LONGEST_WORD)
            return error_at(err, "filter",
                            "A filter has at most %d words of %d bytes each.", MOST_WORDS,
                            LONGEST_WORD);
        list[filter->n_words++] = arena_text(arena, word);
    }
    return true;
}

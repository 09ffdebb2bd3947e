/* The cache of compiled grammars.
 *
 * An entry is found by its text. It is there, without a grammar, from when somebody began
 * to compile it: who asks for the same text then waits for that, who asks for another
 * text does not. An entry that is held stays; of the others the CONSTRAIN_KEPT that were
 * used last do. */
#include "engine/constrain.h"
#include "base/buf.h"
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct entry {
    struct entry *next; /* the one used last comes first */
    struct text lark;
    struct grammar *grammar; /* NULL: being compiled */
    int n_holds;
};

struct constrain {
    struct llm *llm;
    pthread_mutex_t lock;
    pthread_cond_t compiled; /* or failed */
    struct entry *entries;
    pthread_mutex_t opening; /* of the vocabulary */
    struct vocabulary *vocabulary;
};

struct constrain *constrain_open(struct llm *llm)
{
    struct constrain *constrain = mem_alloc(sizeof(*constrain));
    constrain->llm = llm;
    pthread_mutex_init(&constrain->lock, NULL);
    pthread_mutex_init(&constrain->opening, NULL);
    pthread_cond_init(&constrain->compiled, NULL);
    return constrain;
}

static void entry_free(struct entry *entry)
{
    grammar_free(entry->grammar);
    free((char *)entry->lark.at);
    free(entry);
}

void constrain_close(struct constrain *constrain)
{
    if (!constrain)
        return;
    while (constrain->entries) {
        struct entry *entry = constrain->entries;
        constrain->entries = entry->next;
        entry_free(entry);
    }
    vocabulary_close(constrain->vocabulary);
    pthread_cond_destroy(&constrain->compiled);
    pthread_mutex_destroy(&constrain->opening);
    pthread_mutex_destroy(&constrain->lock);
    free(constrain);
}

/* ---- the vocabulary ---- */

static size_t tokenize(const void *user, const char *text, size_t len, int32_t *tokens,
                       size_t room)
{
    return (size_t)llm_tokenize(user, (struct text){text, len}, false, tokens, (int)room);
}

struct words {
    uint32_t *lens;
    bool *control, *marks;
    struct buf bytes;
    int32_t *ends;
    size_t n_ends;
};

/* Tokens that the model's author defined for text (Qwen's <tool_call>) are made by the
 * tokenizer from plain text, too; so a grammar spells them, and what is forced is said
 * with them: a model that reads "<", "/tool", "_call", ">" does not know where it is. */
static void read_words(const struct llm *llm, int n, struct words *words)
{
    words->lens = mem_alloc(sizeof(*words->lens) * (size_t)n);
    words->control = mem_alloc(sizeof(*words->control) * (size_t)n);
    words->marks = mem_alloc(sizeof(*words->marks) * (size_t)n);
    words->ends = mem_alloc(sizeof(*words->ends) * ((size_t)n + 1));
    words->ends[words->n_ends++] = llm_usual_end(llm);
    for (int i = 0; i < n; i++) {
        size_t before = words->bytes.len;
        words->control[i] = llm_token_bytes(llm, i, &words->bytes);
        words->marks[i] = llm_is_mark(llm, i);
        words->lens[i] = (uint32_t)(words->bytes.len - before);
        if (llm_is_end(llm, i) && i != words->ends[0])
            words->ends[words->n_ends++] = i;
    }
}

static struct vocabulary *open_vocabulary(const struct llm *llm, struct error *err)
{
    char words_of_it[300] = "";
    int n = llm_info(llm)->n_vocab;
    struct words words = {0};
    read_words(llm, n, &words);
    struct vocabulary_spec spec = {
        .n_tokens = (size_t)n,
        .lens = words.lens,
        .bytes = buf_view(&words.bytes).at,
        .control = words.control,
        .marks = words.marks,
        .ends = words.ends,
        .n_ends = words.n_ends,
        .tokenize = tokenize,
        .user = llm,
    };
    struct vocabulary *vocabulary =
        vocabulary_open(&spec, words_of_it, sizeof(words_of_it));
    if (!vocabulary)
        error_set(err, ERROR_INTERNAL, "The model's vocabulary cannot be read: %s",
                  words_of_it);
    free(words.lens);
    free(words.control);
    free(words.marks);
    free(words.ends);
    buf_free(&words.bytes);
    return vocabulary;
}

static struct vocabulary *vocabulary(struct constrain *constrain, struct error *err)
{
    pthread_mutex_lock(&constrain->opening);
    if (!constrain->vocabulary)
        constrain->vocabulary = open_vocabulary(constrain->llm, err);
    struct vocabulary *found = constrain->vocabulary;
    pthread_mutex_unlock(&constrain->opening);
    return found;
}

/* ---- the cache; what follows wants the lock ---- */

static struct entry **place_of(struct constrain *constrain, struct text lark)
{
    struct entry **at = &constrain->entries;
    while (*at && !text_same((*at)->lark, lark))
        at = &(*at)->next;
    return at;
}

static struct entry *entry_of(struct constrain *constrain, const struct grammar *grammar)
{
    struct entry *entry = constrain->entries;
    while (entry && entry->grammar != grammar)
        entry = entry->next;
    return entry;
}

static void put_first(struct constrain *constrain, struct entry *entry)
{
    entry->next = constrain->entries;
    constrain->entries = entry;
}

static struct entry *take_out(struct entry **at)
{
    struct entry *entry = *at;
    assert(entry);
    *at = entry->next;
    return entry;
}

static void drop_oldest(struct constrain *constrain)
{
    int n = 0;
    struct entry **at = &constrain->entries;
    while (*at) {
        if ((*at)->n_holds == 0 && ++n > CONSTRAIN_KEPT)
            entry_free(take_out(at));
        else
            at = &(*at)->next;
    }
}

/* The entry of this text, waited for when it is being compiled. NULL: there is none. */
static struct entry *find(struct constrain *constrain, struct text lark)
{
    for (;;) {
        struct entry **at = place_of(constrain, lark);
        if (!*at)
            return NULL;
        if ((*at)->grammar) {
            struct entry *entry = take_out(at);
            put_first(constrain, entry);
            return entry;
        }
        pthread_cond_wait(&constrain->compiled, &constrain->lock);
    }
}

static struct entry *begin(struct constrain *constrain, struct text lark)
{
    struct entry *entry = mem_alloc(sizeof(*entry));
    char *copy = mem_alloc(lark.len + 1);
    memcpy(copy, lark.at, lark.len);
    entry->lark = (struct text){copy, lark.len};
    entry->n_holds = 1;
    put_first(constrain, entry);
    return entry;
}

/* ---- what the header offers ---- */

static struct grammar *compile(struct constrain *constrain, struct text lark,
                               struct error *err)
{
    char why[sizeof(err->message)] = "";
    struct vocabulary *words = vocabulary(constrain, err);
    if (!words)
        return NULL;
    struct grammar *grammar = grammar_compile(words, lark.at, lark.len, why, sizeof(why));
    if (!grammar)
        error_set(err, ERROR_INVALID_ARGUMENT, "%s", why);
    return grammar;
}

struct grammar *constrain_grammar(struct constrain *constrain, struct text lark,
                                  struct error *err)
{
    pthread_mutex_lock(&constrain->lock);
    struct entry *entry = find(constrain, lark);
    if (entry) {
        entry->n_holds++;
        pthread_mutex_unlock(&constrain->lock);
        return entry->grammar;
    }
    entry = begin(constrain, lark);
    pthread_mutex_unlock(&constrain->lock);
    struct grammar *grammar = compile(constrain, lark, err);
    pthread_mutex_lock(&constrain->lock);
    entry->grammar = grammar;
    if (!grammar)
        entry_free(take_out(place_of(constrain, lark)));
    drop_oldest(constrain);
    pthread_cond_broadcast(&constrain->compiled);
    pthread_mutex_unlock(&constrain->lock);
    return grammar;
}

void constrain_hold(struct constrain *constrain, struct grammar *grammar)
{
    pthread_mutex_lock(&constrain->lock);
    entry_of(constrain, grammar)->n_holds++;
    pthread_mutex_unlock(&constrain->lock);
}

void constrain_release(struct constrain *constrain, struct grammar *grammar)
{
    pthread_mutex_lock(&constrain->lock);
    entry_of(constrain, grammar)->n_holds--;
    drop_oldest(constrain);
    pthread_mutex_unlock(&constrain->lock);
}

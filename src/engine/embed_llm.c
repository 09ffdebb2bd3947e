/* embed_llm.c - an embedding model in libllama.
 *
 * The texts of a step are sequences of one batch, packed without padding: attention is
 * masked to each. What lies in the file decides how token vectors become one (pooling);
 * a file that does not say, a chat model's, gets their mean. */
#include "base/buf.h"
#include "engine/embed_model.h"
#include "engine/llm.h"
#include <llama.h>
#include <stdlib.h>

enum {
    CTX_MOST = 2048,   /* tokens of a text: what the public service takes */
    STEP_TOKENS = 256, /* attention costs each token all of its batch: larger is slower */
    STEP_PIECES = 64,
};

struct embed_llm {
    struct embed_model model;
    struct llama_model *weights;
    struct llama_context *ctx;
    const struct llama_vocab *vocab;
    struct llama_batch batch;
    const atomic_bool *stop;
    int n_threads;   /* as they are set now */
    bool decomposes; /* texts, before they are tokenised */
};

static bool should_stop(void *arg)
{
    const struct embed_llm *llm = arg;
    return llm->stop && atomic_load_explicit(llm->stop, memory_order_relaxed);
}

/* Korean syllables to the letters that they are made of, as Unicode's decomposition has
 * it. WordPiece takes accents off after decomposing; libllama decomposes all but these.
 */
static void add_letters(struct text syllable, struct buf *out)
{
    unsigned code = ((unsigned char)syllable.at[0] & 15u) << 12 |
                    ((unsigned char)syllable.at[1] & 63u) << 6 |
                    ((unsigned char)syllable.at[2] & 63u);
    if (code < 0xac00 || code > 0xd7a3) {
        buf_text(out, syllable);
        return;
    }
    unsigned i = code - 0xac00;
    unsigned letters[] = {0x1100 + i / 588, 0x1161 + i % 588 / 28, 0x11a7 + i % 28};
    for (int k = 0; k < (i % 28 ? 3 : 2); k++) {
        buf_char(out, (char)(0xe0 | letters[k] >> 12));
        buf_char(out, (char)(0x80 | (letters[k] >> 6 & 63)));
        buf_char(out, (char)(0x80 | (letters[k] & 63)));
    }
}

static void decompose(struct text text, struct buf *out)
{
    while (text.len > 0) {
        size_t n = text_utf8_char(text);
        n = n > 0 ? n : 1;
        if (n == 3)
            add_letters(text_slice(text, 0, n), out);
        else
            buf_add(out, text.at, n);
        text = text_slice(text, n, text.len);
    }
}

static int llm_embed_tokenize(struct embed_model *model, struct text text,
                              int32_t *tokens, int room)
{
    struct embed_llm *llm = (struct embed_llm *)model;
    struct buf letters = {0};
    if (llm->decomposes) {
        decompose(text, &letters);
        text = buf_view(&letters);
    }
    int n =
        llama_tokenize(llm->vocab, text.at, (int32_t)text.len, tokens, room, true, false);
    buf_free(&letters);
    return n < 0 ? -n : n;
}

static bool says_false(const struct llama_model *weights, const char *key)
{
    char value[8];
    return llama_model_meta_val_str(weights, key, value, sizeof value) > 0 &&
           strcmp(value, "false") == 0;
}

/* Uncased WordPiece takes accents off, unless the file says otherwise. */
static bool takes_accents_off(const struct embed_llm *llm)
{
    return llama_vocab_type(llm->vocab) == LLAMA_VOCAB_TYPE_WPM &&
           !says_false(llm->weights, "tokenizer.ggml.normalizer.lowercase") &&
           !says_false(llm->weights, "tokenizer.ggml.normalizer.strip_accents");
}

static void fill_batch(struct embed_llm *llm, const struct embed_piece *pieces, int n)
{
    struct llama_batch *batch = &llm->batch;
    int row = 0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < pieces[i].n_tokens; j++, row++) {
            batch->token[row] = pieces[i].tokens[j];
            batch->pos[row] = j;
            batch->n_seq_id[row] = 1;
            batch->seq_id[row][0] = i;
            batch->logits[row] = 1;
        }
    }
    batch->n_tokens = row;
}

static enum embed_result llm_embed_run(struct embed_model *model,
                                       const struct embed_piece *pieces, int n_pieces,
                                       int n_threads, const atomic_bool *stop,
                                       float *vectors)
{
    struct embed_llm *llm = (struct embed_llm *)model;
    size_t size = sizeof(float) * (size_t)model->n_dims;
    if (n_threads != llm->n_threads)
        llama_set_n_threads(llm->ctx, n_threads, n_threads);
    llm->n_threads = n_threads;
    if (llama_get_memory(llm->ctx)) /* a decoder's rows of the step before */
        llama_memory_clear(llama_get_memory(llm->ctx), false);
    fill_batch(llm, pieces, n_pieces);
    llm->stop = stop;
    int result = llama_decode(llm->ctx, llm->batch);
    llm->stop = NULL;
    if (result != 0)
        return stop && atomic_load(stop) ? EMBED_STOPPED : EMBED_FAILED;
    for (int i = 0; i < n_pieces; i++) {
        const float *vector = llama_get_embeddings_seq(llm->ctx, i);
        if (!vector)
            return EMBED_FAILED;
        memcpy(vectors + (size_t)i * (size_t)model->n_dims, vector, size);
    }
    return EMBED_DONE;
}

static void llm_embed_close(struct embed_model *model)
{
    struct embed_llm *llm = (struct embed_llm *)model;
    if (llm->batch.token)
        llama_batch_free(llm->batch);
    if (llm->ctx)
        llama_free(llm->ctx);
    if (llm->weights)
        llama_model_free(llm->weights);
    free(llm);
}

static const struct embed_model_ops llm_ops = {
    .tokenize = llm_embed_tokenize,
    .run = llm_embed_run,
    .close = llm_embed_close,
};

static struct llama_context *open_context(struct embed_llm *llm,
                                          enum llama_pooling_type pooling, int n_threads)
{
    struct llama_context_params params = llama_context_default_params();
    uint32_t n =
        (uint32_t)(llm->model.n_ctx > STEP_TOKENS ? llm->model.n_ctx : STEP_TOKENS);
    params.n_ctx = params.n_batch = params.n_ubatch = n; /* a text is not cut */
    params.n_seq_max = STEP_PIECES;
    params.kv_unified = true;
    params.n_threads = params.n_threads_batch = n_threads;
    params.embeddings = true;
    params.pooling_type = pooling;
    params.no_perf = true;
    params.abort_callback = should_stop;
    params.abort_callback_data = llm;
    return llama_init_from_model(llm->weights, params);
}

static bool open_weights(struct embed_llm *llm, const char *path, int n_threads,
                         struct error *err)
{
    llm_begin();
    llm->weights = llama_model_load_from_file(path, llama_model_default_params());
    if (!llm->weights)
        return error_set(err, ERROR_FAILED_PRECONDITION,
                         "%s is not a model that can be loaded (not a GGUF file, cut "
                         "short, an unknown architecture, or too large for the memory)",
                         path);
    int trained = llama_model_n_ctx_train(llm->weights);
    llm->model.n_ctx = trained > 0 && trained < CTX_MOST ? trained : CTX_MOST;
    llm->vocab = llama_model_get_vocab(llm->weights);
    llm->ctx = open_context(llm, LLAMA_POOLING_TYPE_UNSPECIFIED, n_threads);
    if (llm->ctx && llama_pooling_type(llm->ctx) == LLAMA_POOLING_TYPE_NONE) {
        llama_free(llm->ctx);
        llm->ctx = open_context(llm, LLAMA_POOLING_TYPE_MEAN, n_threads);
    }
    if (!llm->ctx)
        return error_set(err, ERROR_RESOURCE_EXHAUSTED,
                         "there is no memory to run the model %s", path);
    if (llama_pooling_type(llm->ctx) == LLAMA_POOLING_TYPE_RANK)
        return error_set(err, ERROR_FAILED_PRECONDITION,
                         "%s ranks texts and makes no vectors", path);
    return true;
}

struct embed_model *embed_llm_open(const char *path, const char *name, int n_threads,
                                   struct error *err)
{
    struct embed_llm *llm = mem_alloc(sizeof *llm);
    llm->model.ops = &llm_ops;
    if (!open_weights(llm, path, n_threads, err)) {
        llm_embed_close(&llm->model);
        return NULL;
    }
    llm->n_threads = n_threads;
    llm->decomposes = takes_accents_off(llm);
    llm->model.family = embed_family_of(name);
    llm->model.n_dims = llama_model_n_embd_out(llm->weights);
    llm->model.n_batch = STEP_TOKENS;
    llm->model.n_pieces = STEP_PIECES;
    llm->model.bytes = (int64_t)llama_model_size(llm->weights);
    llm->batch = llama_batch_init((int32_t)llama_n_batch(llm->ctx), 0, 1);
    return &llm->model;
}

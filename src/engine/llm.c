#include "engine/llm.h"
#include "base/log.h"
#include "engine/rows_key.h"
#include "engine/sight.h"
#include "kernel/kept.h"
#include "kernel/plug.h"
#include <inttypes.h>
#include <limits.h>
#include <llama.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Numbers that a position has with M-RoPE. */
enum { LLM_AXES = 4 };

struct llm {
    struct arena *arena;
    struct llm_info info;
    struct llama_model *model;
    struct kept *kept; /* NULL: its panels are not kept */
    struct llama_context *ctx;
    const struct llama_vocab *vocab;
    struct llama_batch batch;
    const atomic_bool *stop; /* of the decode that runs */
    uint8_t *state;          /* for llm_copy */
    size_t state_size;
    void (*progress)(float, void *);
    void *progress_arg;
    char piece[1024];
    int32_t shown[LLM_SHOWN]; /* control tokens that have their names as text */
    int n_shown;
    struct llm_adapter *adapter;              /* of the steps */
    uint64_t n_adapters;                      /* that there were */
    struct sight *sight;                      /* NULL: it does not see */
    int32_t places[LLM_AXES * LLM_BATCH_MAX]; /* of vectors, axis by axis */
};

static void on_log(enum ggml_log_level level, const char *text, void *arg)
{
    (void)arg;
    size_t len = strcspn(text, "\n");
    if (level == GGML_LOG_LEVEL_ERROR)
        log_line(LOG_WARN, "llama", "message=%.*s", (int)len, text);
}

static bool on_progress(float done, void *arg)
{
    struct llm *llm = arg;
    if (llm->progress)
        llm->progress(done, llm->progress_arg);
    return true;
}

static bool should_stop(void *arg)
{
    const struct llm *llm = arg;
    return llm->stop && atomic_load_explicit(llm->stop, memory_order_relaxed);
}

static struct text token_text(struct llm *llm, llama_token token)
{
    if (token == LLAMA_TOKEN_NULL)
        return TEXT("");
    return arena_text(llm->arena, text_of(llama_vocab_get_text(llm->vocab, token)));
}

struct special {
    struct text text;
    llama_token token;
};

static int by_text(const void *a, const void *b)
{
    struct text x = ((const struct special *)a)->text,
                y = ((const struct special *)b)->text;
    int order = memcmp(x.at, y.at, x.len < y.len ? x.len : y.len);
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

static void read_specials(struct llm *llm)
{
    struct llm_info *info = &llm->info;
    struct special *found = mem_alloc(sizeof(*found) * ((size_t)info->n_vocab + 1));
    int n = 0;
    for (int i = 0; i < info->n_vocab; i++)
        if (llama_vocab_is_control(llm->vocab, i))
            found[n++] = (struct special){token_text(llm, i), i};
    qsort(found, (size_t)n, sizeof(*found), by_text);
    info->n_specials = n;
    info->specials = arena_array(llm->arena, struct text, (size_t)n);
    info->special_ids = arena_array(llm->arena, int32_t, (size_t)n);
    for (int i = 0; i < n; i++) {
        info->specials[i] = found[i].text;
        info->special_ids[i] = found[i].token;
    }
    free(found);
}

/* Whether a control token's text is the beginning of this one, and not all of it. */
static bool begins_with_special(const struct llm_info *info, struct text text)
{
    for (int i = 0; i < info->n_specials; i++) {
        struct text special = info->specials[i];
        if (special.len < text.len && memcmp(special.at, text.at, special.len) == 0)
            return true;
    }
    return false;
}

/* Whether tokenising the pieces between control tokens gives what tokenising the whole
 * does. It does in BPE vocabularies (others put a space before a text's first word),
 * unless a control token strips the white space at its side, or one that libllama would
 * look for first overlaps another: begins with it, or holds a byte that one begins with.
 */
static bool specials_part(const struct llm *llm)
{
    const struct llm_info *info = &llm->info;
    bool begins[256] = {false};
    if (llama_vocab_type(llm->vocab) != LLAMA_VOCAB_TYPE_BPE)
        return false;
    for (int i = 0; i < info->n_specials; i++) {
        if (info->specials[i].len == 0)
            return false;
        begins[(unsigned char)info->specials[i].at[0]] = true;
    }
    for (int i = 0; i < info->n_vocab; i++) {
        enum llama_token_attr attr = llama_vocab_get_attr(llm->vocab, i);
        if (!(attr & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_USER_DEFINED |
                      LLAMA_TOKEN_ATTR_UNKNOWN)))
            continue;
        if (attr & (LLAMA_TOKEN_ATTR_LSTRIP | LLAMA_TOKEN_ATTR_RSTRIP))
            return false;
        struct text text = text_of(llama_vocab_get_text(llm->vocab, i));
        if (begins_with_special(info, text))
            return false;
        for (size_t at = 1; at < text.len; at++)
            if (begins[(unsigned char)text.at[at]])
                return false;
    }
    return true;
}

static void read_vocab(struct llm *llm)
{
    struct llm_info *info = &llm->info;
    info->n_vocab = llama_vocab_n_tokens(llm->vocab);
    info->add_bos = llama_vocab_get_add_bos(llm->vocab);
    info->bos = token_text(llm, llama_vocab_bos(llm->vocab));
    info->eos = token_text(llm, llama_vocab_eos(llm->vocab));
    const char *template = llama_model_chat_template(llm->model, NULL);
    info->template = arena_text(llm->arena, text_of(template));
    read_specials(llm);
    info->parts = specials_part(llm);
}

/* After packing, little of the mapped file is needed: rows of the embedding, as words
 * come up. What else loading has touched need not count as this process's memory. */
static void let_go_of_file(const char *path)
{
    char line[PATH_MAX + 128], *real = realpath(path, NULL);
    FILE *maps = fopen("/proc/self/maps", "r");
    while (real && maps && fgets(line, sizeof(line), maps)) {
        uintptr_t from, to;
        const char *name = strchr(line, '/');
        line[strcspn(line, "\n")] = '\0';
        if (name && strcmp(name, real) == 0 &&
            sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &from, &to) == 2)
            madvise((void *)from, to - from, MADV_DONTNEED); // NOLINT: as the kernel says
    }
    if (maps)
        fclose(maps);
    free(real);
}

static bool open_model(struct llm *llm, const struct llm_options *options,
                       struct error *err)
{
    struct llama_model_params params = llama_model_default_params();
    params.progress_callback = on_progress;
    params.progress_callback_user_data = llm;
    params.vocab_only = options->only_vocab;
    if (access(options->path, R_OK) != 0)
        return error_set(err, ERROR_NOT_FOUND, "cannot read the model file %s",
                         options->path);
    llm->model = llama_model_load_from_file(options->path, params);
    if (!llm->model)
        return error_set(err, ERROR_FAILED_PRECONDITION,
                         "%s is not a model that can be loaded (not a GGUF file, cut "
                         "short, an unknown architecture, or too large for the memory)",
                         options->path);
    if (!llama_model_has_decoder(llm->model))
        return error_set(err, ERROR_FAILED_PRECONDITION,
                         "%s is not a text generation model", options->path);
    llm->vocab = llama_model_get_vocab(llm->model);
    return true;
}

/* The model's name is for whoever looks at the folder. */
static struct kept *open_kept(struct llm *llm, const struct llm_options *options)
{
    const char *slash = strrchr(options->path, '/');
    struct text key = rows_key(options->path, TEXT(POLLUX_ENGINE), llm->arena);
    struct text path = arena_printf(llm->arena, "%s/%s.%.16s" KEPT_END, options->packed,
                                    slash ? slash + 1 : options->path, key.at);
    return kept_open(path.at);
}

/* With our products: what packing leaves is kept, or was. */
static bool open_packed(struct llm *llm, const struct llm_options *options,
                        struct error *err)
{
    if (options->packed && access(options->path, R_OK) == 0)
        llm->kept = open_kept(llm, options);
    plug_keep(llm->kept);
    bool good = open_model(llm, options, err);
    plug_keep(NULL);
    if (!good)
        return false;
    let_go_of_file(options->path);
    if (llm->kept) {
        llm->info.packed = kept_served(llm->kept);
        kept_write(llm->kept);
    }
    return true;
}

/* A KV stream per slot (kv_unified = false): in one shared buffer the rows of the
 * neighbours would change the order of the sums. Only a few rows of a batch want logits,
 * so the buffer for them is small. */
static bool open_context(struct llm *llm, const struct llm_options *options,
                         struct error *err)
{
    int trained = llama_model_n_ctx_train(llm->model);
    int n_ctx = options->n_ctx;
    if (n_ctx <= 0)
        n_ctx = trained < LLM_CTX_DEFAULT ? trained : LLM_CTX_DEFAULT;
    if (n_ctx > trained)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "a context of %d tokens was asked for; the model knows %d",
                         n_ctx, trained);
    int n_threads = options->n_threads;
    if (n_threads <= 0)
        n_threads = (int)sysconf(_SC_NPROCESSORS_ONLN);
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = (uint32_t)(n_ctx * options->n_slots);
    params.n_seq_max = (uint32_t)options->n_slots;
    params.n_batch = LLM_BATCH_MAX;
    params.n_ubatch = LLM_BATCH_MAX;
    params.n_outputs_max = (uint32_t)options->n_slots;
    params.n_threads = n_threads;
    params.n_threads_batch = n_threads;
    params.kv_unified = false;
    params.swa_full = true; /* a window's dropped rows could not be reused as a prefix */
    params.no_perf = true;
    params.abort_callback = should_stop;
    params.abort_callback_data = llm;
    llm->ctx = llama_init_from_model(llm->model, params);
    if (!llm->ctx)
        return error_set(err, ERROR_RESOURCE_EXHAUSTED,
                         "no memory for %d slots of %d tokens; --parallel and --ctx make "
                         "it less",
                         options->n_slots, n_ctx);
    if (!llama_get_memory(llm->ctx))
        return error_set(err, ERROR_FAILED_PRECONDITION,
                         "%s writes no text; a model that makes embeddings goes with "
                         "--embedding-model",
                         options->path);
    llm->info.n_ctx = (int)llama_n_ctx_seq(llm->ctx);
    llm->info.can_truncate =
        !llama_model_is_recurrent(llm->model) && !llama_model_is_hybrid(llm->model);
    return true;
}

static void begin_once(void)
{
    llama_log_set(on_log, NULL);
    llama_backend_init();
    plug_clearing();
}

void llm_begin(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, begin_once);
}

enum { ROUNDING = 2 }; /* of kernel/, counted up when its results change */

/* Whatever may round differently, or lie differently in memory. */
static void make_key(struct llm *llm, const struct llm_options *options)
{
    struct text sight = options->projector
                            ? rows_key(options->projector, TEXT(""), llm->arena)
                            : TEXT("none");
    struct text how = arena_printf(
        llm->arena,
        "%s %s kernels=%s.%d cpu=%s threads=%d ctx=%d slots=%d batch=%d sight=%.*s",
        POLLUX_VERSION, POLLUX_ENGINE, llm->info.kernels, ROUNDING,
        llama_print_system_info(), llama_n_threads_batch(llm->ctx), llm->info.n_ctx,
        options->n_slots, LLM_BATCH_MAX, TEXT_ARG(sight));
    llm->info.rows_key = rows_key(options->path, how, llm->arena);
}

struct llm *llm_open(const struct llm_options *options, struct error *err)
{
    struct arena *arena = arena_open();
    struct llm *llm = arena_new(arena, struct llm);
    llm->arena = arena;
    llm->progress = options->progress;
    llm->progress_arg = options->progress_arg;
    llm_begin();
    bool panels = !options->plain_kernels && plug_panels();
    llm->info.kernels = panels ? "panels" : "libllama";
    bool good = panels ? open_packed(llm, options, err) : open_model(llm, options, err);
    if (!good || (!options->only_vocab && !open_context(llm, options, err))) {
        llm_close(llm);
        return NULL;
    }
    const struct sight_options sight = {
        .path = options->projector,
        .model = llm->model,
        .n_threads = options->n_threads > 0 ? options->n_threads
                                            : (int)sysconf(_SC_NPROCESSORS_ONLN),
        .n_batch = LLM_BATCH_MAX,
    };
    if (options->projector && !(llm->sight = sight_open(&sight, err))) {
        llm_close(llm);
        return NULL;
    }
    read_vocab(llm);
    if (!options->only_vocab)
        make_key(llm, options);
    llm->batch = llama_batch_init(LLM_BATCH_MAX, 0, 1);
    return llm;
}

void llm_close(struct llm *llm)
{
    if (!llm)
        return;
    if (llm->batch.token)
        llama_batch_free(llm->batch);
    sight_close(llm->sight);
    if (llm->ctx)
        llama_free(llm->ctx);
    kept_close(llm->kept); /* it reads the model's memory */
    if (llm->model)
        llama_model_free(llm->model);
    free(llm->state);
    arena_close(llm->arena);
}

const struct llm_info *llm_info(const struct llm *llm)
{
    return &llm->info;
}

int llm_tokenize(const struct llm *llm, struct text text, bool special, int32_t *tokens,
                 int room)
{
    int n = llama_tokenize(llm->vocab, text.at, (int32_t)text.len, tokens, room, false,
                           special);
    return n < 0 ? -n : n;
}

struct text llm_piece(struct llm *llm, int32_t token)
{
    bool shown = false;
    for (int i = 0; i < llm->n_shown && !shown; i++)
        shown = llm->shown[i] == token;
    int n =
        llama_token_to_piece(llm->vocab, token, llm->piece, sizeof(llm->piece), 0, shown);
    return (struct text){llm->piece, n > 0 ? (size_t)n : 0};
}

void llm_show(struct llm *llm, struct text name)
{
    const struct llm_info *info = &llm->info;
    for (int i = 0; i < info->n_specials && llm->n_shown < LLM_SHOWN; i++)
        if (text_same(info->specials[i], name))
            llm->shown[llm->n_shown++] = info->special_ids[i];
}

bool llm_is_end(const struct llm *llm, int32_t token)
{
    return llama_vocab_is_eog(llm->vocab, token);
}

int32_t llm_usual_end(const struct llm *llm)
{
    llama_token turn = llama_vocab_eot(llm->vocab);
    return turn != LLAMA_TOKEN_NULL ? turn : llama_vocab_eos(llm->vocab);
}

bool llm_token_bytes(const struct llm *llm, int32_t token, struct buf *bytes)
{
    enum llama_token_attr attr = llama_vocab_get_attr(llm->vocab, token);
    if (attr & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN) ||
        llm_is_end(llm, token)) {
        buf_str(bytes, llama_vocab_get_text(llm->vocab, token));
        return true;
    }
    int room = 256;
    int n = llama_token_to_piece(llm->vocab, token, buf_reserve(bytes, (size_t)room),
                                 room, 0, false);
    if (n < 0)
        n = llama_token_to_piece(llm->vocab, token, buf_reserve(bytes, (size_t)-n), -n, 0,
                                 false);
    bytes->len += n > 0 ? (size_t)n : 0;
    return false;
}

bool llm_is_mark(const struct llm *llm, int32_t token)
{
    return llama_vocab_get_attr(llm->vocab, token) & LLAMA_TOKEN_ATTR_USER_DEFINED;
}

enum llm_result llm_decode(struct llm *llm, const struct llm_row *rows, int n,
                           const atomic_bool *stop)
{
    struct llama_batch *batch = &llm->batch;
    for (int i = 0; i < n; i++) {
        batch->token[i] = rows[i].token;
        batch->pos[i] = rows[i].pos;
        batch->n_seq_id[i] = 1;
        batch->seq_id[i][0] = rows[i].slot;
        batch->logits[i] = rows[i].want_logits ? 1 : 0;
    }
    batch->n_tokens = n;
    llm->stop = stop;
    int result = llama_decode(llm->ctx, *batch);
    llm->stop = NULL;
    if (result == 2)
        return LLM_STOPPED;
    if (result != 0)
        log_line(LOG_ERROR, "decode", "rows=%d result=%d", n, result);
    return result == 0 ? LLM_OK : LLM_FAILED;
}

struct llm_adapter *llm_adapter_open(struct llm *llm, const char *path)
{
    struct llama_adapter_lora *handle = llama_adapter_lora_init(llm->model, path);
    if (!handle)
        return NULL;
    struct llm_adapter *adapter = mem_alloc(sizeof(*adapter));
    *adapter = (struct llm_adapter){handle, ++llm->n_adapters};
    return adapter;
}

void llm_adapter_close(struct llm *llm, struct llm_adapter *adapter)
{
    if (llm->adapter == adapter)
        llm_adapt(llm, NULL);
    llama_adapter_lora_free(adapter->handle);
    free(adapter);
}

void llm_adapt(struct llm *llm, struct llm_adapter *adapter)
{
    struct llama_adapter_lora *handle = adapter ? adapter->handle : NULL;
    float scale = 1;
    if (llm->adapter != adapter)
        llama_set_adapters_lora(llm->ctx, &handle, adapter ? 1 : 0, &scale);
    llm->adapter = adapter;
}

static void put_places(struct llm *llm, const struct llm_vectors *vectors)
{
    for (int i = 0; i < vectors->n; i++) {
        const struct llm_place *place = &vectors->places[i];
        const int32_t axes[LLM_AXES] = {place->time, place->line, place->column,
                                        place->other};
        for (int axis = 0; axis < LLM_AXES; axis++)
            llm->places[axis * vectors->n + i] = axes[axis];
    }
}

enum llm_result llm_decode_vectors(struct llm *llm, const struct llm_vectors *vectors,
                                   int slot, bool last, const atomic_bool *stop)
{
    struct llama_batch batch = llm->batch;
    int n = vectors->n;
    batch.token = NULL;
    batch.embd = (float *)(uintptr_t)vectors->at;
    batch.pos = llm->places;
    for (int i = 0; i < n; i++) {
        batch.pos[i] = vectors->pos + i;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = slot;
        batch.logits[i] = last && i == n - 1 ? 1 : 0;
    }
    if (vectors->places)
        put_places(llm, vectors);
    batch.n_tokens = n;
    llm->stop = stop;
    llama_set_causal_attn(llm->ctx, vectors->causal);
    int result = llama_decode(llm->ctx, batch);
    llama_set_causal_attn(llm->ctx, true);
    llm->stop = NULL;
    if (result != 0 && result != 2)
        log_line(LOG_ERROR, "decode", "vectors=%d result=%d", n, result);
    return result == 2 ? LLM_STOPPED : result == 0 ? LLM_OK : LLM_FAILED;
}

int llm_width(const struct llm *llm)
{
    return llama_model_n_embd_inp(llm->model);
}

struct sight *llm_sight(const struct llm *llm)
{
    return llm->sight;
}

float *llm_logits(struct llm *llm, int row)
{
    return llama_get_logits_ith(llm->ctx, row);
}

bool llm_truncate(struct llm *llm, int slot, int pos)
{
    llama_memory_t memory = llama_get_memory(llm->ctx);
    if (llama_memory_seq_rm(memory, slot, pos, -1))
        return true;
    llama_memory_seq_rm(memory, slot, -1, -1);
    return pos == 0;
}

/* Through the serialised state, because libllama copies between streams only whole
 * streams: a slot of 8192 tokens for a prompt of 100. */
bool llm_copy(struct llm *llm, int from, int to, int pos)
{
    llama_memory_seq_rm(llama_get_memory(llm->ctx), to, -1, -1);
    size_t size = llama_state_seq_get_size(llm->ctx, from);
    if (size > llm->state_size) {
        llm->state = mem_grow(llm->state, size);
        llm->state_size = size;
    }
    size = llama_state_seq_get_data(llm->ctx, llm->state, size, from);
    if (size == 0 || llama_state_seq_set_data(llm->ctx, llm->state, size, to) == 0) {
        llama_memory_seq_rm(llama_get_memory(llm->ctx), to, -1, -1);
        return false;
    }
    return llm_truncate(llm, to, pos);
}

size_t llm_state_size(struct llm *llm, int slot)
{
    return llama_state_seq_get_size(llm->ctx, slot);
}

size_t llm_state(struct llm *llm, int slot, char *to, size_t size)
{
    return llama_state_seq_get_data(llm->ctx, (uint8_t *)to, size, slot);
}

bool llm_restore(struct llm *llm, int slot, struct text state, int pos)
{
    llama_memory_t memory = llama_get_memory(llm->ctx);
    llama_memory_seq_rm(memory, slot, -1, -1);
    if (llama_state_seq_set_data(llm->ctx, (const uint8_t *)state.at, state.len, slot) ==
        0) {
        llama_memory_seq_rm(memory, slot, -1, -1);
        return false;
    }
    return llm_truncate(llm, slot, pos) && pos > 0;
}

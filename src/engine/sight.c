/* sight.c - libmtmd: pictures and sounds to runs of vectors.
 *
 * libmtmd cuts and scales pictures as the model was trained to see them, and says how
 * many rows that takes. Where that depends on the picture's size, a picture that may take
 * only so many is made smaller until it does; where it does not, the number is the
 * model's.
 *
 * Two requests with the same picture share a view. Whoever writes its marker into a text
 * must have its hash, and so had the picture; and it means something only while somebody
 * shows that picture. */
#include "engine/sight.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include <llama.h>
#include <mtmd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MARK "<pollux-view-"

enum {
    MOST_RUNS = 64,
    MOST_IDLE = 4 << 20, /* pixels of views that nobody holds: libmtmd keeps floats */
    SMALLEST = 28,       /* pixels of a side */
    RATE = 16000,        /* samples a second */
    HASH = 32,           /* bytes of a picture's hash that count */
    MARKER = (int)sizeof MARK + 2 * HASH + 16,
};

struct run {
    int32_t first; /* its first token */
    int n, n_pos;
    const mtmd_input_chunk *chunk;
};

struct view {
    struct view *next;
    int holders; /* 0: it is idle */
    int n_pixels;
    char marker[MARKER];
    mtmd_input_chunks *chunks;
    int32_t *tokens;
    int n_tokens;
    struct run runs[MOST_RUNS];
    int n_runs;
};

struct sight {
    mtmd_context *mtmd;
    int n_batch;
    pthread_mutex_t lock;     /* of the views' list and holders */
    struct view *views;       /* what was looked for last is the first */
    struct llm_place *places; /* of the vectors given out; the engine's thread */
};

/* ---- opening ---- */

static void on_log(enum ggml_log_level level, const char *text, void *arg)
{
    (void)arg;
    if (level == GGML_LOG_LEVEL_ERROR)
        log_line(LOG_WARN, "libmtmd", "%.*s", (int)strcspn(text, "\n"), text);
}

bool sight_sees(const struct sight *sight)
{
    return mtmd_support_vision(sight->mtmd);
}

bool sight_hears(const struct sight *sight)
{
    return mtmd_support_audio(sight->mtmd) &&
           mtmd_get_audio_sample_rate(sight->mtmd) == RATE;
}

struct sight *sight_open(const struct sight_options *options, struct error *err)
{
    struct mtmd_context_params params = mtmd_context_params_default();
    params.use_gpu = false;
    params.print_timings = false;
    params.warmup = false;
    params.n_threads = options->n_threads;
    mtmd_log_set(on_log, NULL);
    if (access(options->path, R_OK) != 0) {
        error_set(err, ERROR_NOT_FOUND, "cannot read the projector %s", options->path);
        return NULL;
    }
    struct sight *sight = mem_alloc(sizeof *sight);
    pthread_mutex_init(&sight->lock, NULL);
    sight->n_batch = options->n_batch;
    sight->mtmd = mtmd_init_from_file(options->path, options->model, params);
    if (!sight->mtmd)
        error_set(err, ERROR_FAILED_PRECONDITION,
                  "%s is no projector of this model (not a GGUF file, cut short, of an "
                  "unknown kind, or made for another model)",
                  options->path);
    else if (!sight_sees(sight) && !sight_hears(sight))
        error_set(err, ERROR_FAILED_PRECONDITION,
                  "%s sees no pictures, nor does it hear sounds of %d samples a second",
                  options->path, RATE);
    else
        return sight;
    sight_close(sight);
    return NULL;
}

static void free_view(struct view *view)
{
    if (view->chunks)
        mtmd_input_chunks_free(view->chunks);
    free(view->tokens);
    free(view);
}

void sight_close(struct sight *sight)
{
    if (!sight)
        return;
    while (sight->views) {
        struct view *view = sight->views;
        sight->views = view->next;
        free_view(view);
    }
    free(sight->places);
    if (sight->mtmd)
        mtmd_free(sight->mtmd);
    pthread_mutex_destroy(&sight->lock);
    free(sight);
}

/* ---- size ---- */

struct pixels {
    int width, height;
    unsigned char *rgb; /* malloc'ed; NULL: only the size */
};

/* Frees the bitmap. */
static mtmd_input_chunks *chunks_of(struct sight *sight, mtmd_bitmap *bitmap)
{
    const char *marker = mtmd_get_marker(sight->mtmd);
    const struct mtmd_input_text text = {marker, strlen(marker), false, true};
    const mtmd_bitmap *const bitmaps[] = {bitmap};
    mtmd_input_chunks *chunks = mtmd_input_chunks_init();
    int result = mtmd_tokenize(sight->mtmd, chunks, &text, bitmaps, 1);
    mtmd_bitmap_free(bitmap);
    if (result == 0)
        return chunks;
    mtmd_input_chunks_free(chunks);
    return NULL;
}

static mtmd_input_chunks *chunks_of_pixels(struct sight *sight,
                                           const struct pixels *pixels)
{
    return chunks_of(sight, mtmd_bitmap_init((uint32_t)pixels->width,
                                             (uint32_t)pixels->height, pixels->rgb));
}

static int count_rows(struct sight *sight, int width, int height)
{
    int n = 0;
    const struct pixels size = {width, height, NULL};
    mtmd_input_chunks *chunks = chunks_of_pixels(sight, &size);
    for (size_t i = 0; chunks && i < mtmd_input_chunks_size(chunks); i++) {
        const mtmd_input_chunk *chunk = mtmd_input_chunks_get(chunks, i);
        if (mtmd_input_chunk_get_type(chunk) != MTMD_INPUT_CHUNK_TYPE_TEXT)
            n += (int)mtmd_input_chunk_get_n_tokens(chunk);
    }
    if (chunks)
        mtmd_input_chunks_free(chunks);
    return n;
}

/* Smaller by a tenth of a side until it fits, or until that no longer helps. */
static void find_size(struct sight *sight, const struct picture *picture, int *width,
                      int *height)
{
    int w = picture->width, h = picture->height;
    int first = picture->n_most > 0 ? count_rows(sight, w, h) : 0, n = first;
    while (n > picture->n_most && picture->n_most > 0 && w > SMALLEST && h > SMALLEST) {
        w -= w / 10 + 1;
        h -= h / 10 + 1;
        n = count_rows(sight, w, h);
    }
    bool helps = n < first;
    *width = helps ? w : picture->width;
    *height = helps ? h : picture->height;
}

struct range {
    int from, to;
};

/* What of n becomes number i of `most`: at least one. */
static struct range part_of(int n, int i, int most)
{
    int from = (int)((int64_t)i * n / most), to = (int)((int64_t)(i + 1) * n / most);
    return (struct range){from, to > from ? to : from + 1};
}

static size_t place_in(int width, int x, int y)
{
    return ((size_t)y * (size_t)width + (size_t)x) * 3;
}

/* The mean of a rectangle. */
static void mean(const struct picture *from, struct range xs, struct range ys,
                 unsigned char *to)
{
    unsigned sums[3] = {0}, n = 0;
    for (int y = ys.from; y < ys.to; y++) {
        for (int x = xs.from; x < xs.to; x++, n++) {
            const unsigned char *at = from->bytes + place_in(from->width, x, y);
            for (int k = 0; k < 3; k++)
                sums[k] += at[k];
        }
    }
    for (int k = 0; k < 3; k++)
        to[k] = (unsigned char)(n ? sums[k] / n : 0);
}

/* Each new pixel is the mean of those that it covers. */
static void shrink(const struct picture *from, struct pixels *to)
{
    for (int y = 0; y < to->height; y++)
        for (int x = 0; x < to->width; x++)
            mean(from, part_of(from->width, x, to->width),
                 part_of(from->height, y, to->height),
                 to->rgb + place_in(to->width, x, y));
}

static void look(struct sight *sight, const struct picture *picture, struct view *view)
{
    struct pixels pixels;
    find_size(sight, picture, &pixels.width, &pixels.height);
    view->n_pixels = pixels.width * pixels.height;
    pixels.rgb = mem_alloc((size_t)view->n_pixels * 3);
    shrink(picture, &pixels);
    view->chunks = chunks_of_pixels(sight, &pixels);
    free(pixels.rgb);
}

/* Its spectrum, 128 numbers for each 160 samples, is kept like a picture's pixels, which
 * are three each. */
static void listen(struct sight *sight, const struct picture *sound, struct view *view)
{
    size_t n = (size_t)sound->n_samples;
    float *samples = mem_alloc(n * sizeof *samples);
    for (size_t i = 0; i < n; i++) {
        const unsigned char *at = sound->bytes + 2 * i;
        samples[i] = (float)(int16_t)(at[0] | at[1] << 8) / 32768;
    }
    view->n_pixels = sound->n_samples / 4;
    view->chunks = chunks_of(sight, mtmd_bitmap_init_from_audio(n, samples));
    free(samples);
}

/* ---- tokens ---- */

static uint64_t mixed(uint64_t x) /* splitmix64 */
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* Negative, and never -1, which libllama knows as no token. */
static int32_t row_token(uint64_t print, uint64_t i)
{
    return (int32_t)(-2 - (int64_t)(mixed(print ^ mixed(i)) & 0x3fffffff));
}

static uint64_t print_of(const struct picture *picture)
{
    return text_hash(TEXT_HASH, picture->hash) ^ mixed((uint64_t)picture->n_most);
}

static bool add_run(struct view *view, const mtmd_input_chunk *chunk, uint64_t print,
                    struct buf *tokens)
{
    int n = (int)mtmd_input_chunk_get_n_tokens(chunk);
    if (view->n_runs == MOST_RUNS)
        return false;
    for (int i = 0; i < n; i++) {
        int32_t token = row_token(print, tokens->len / sizeof token);
        if (i == 0)
            view->runs[view->n_runs++] =
                (struct run){token, n, mtmd_input_chunk_get_n_pos(chunk), chunk};
        buf_add(tokens, &token, sizeof token);
    }
    return true;
}

static bool fill_tokens(struct view *view, uint64_t print)
{
    struct buf tokens = {0};
    bool good = true;
    for (size_t i = 0; good && i < mtmd_input_chunks_size(view->chunks); i++) {
        const mtmd_input_chunk *chunk = mtmd_input_chunks_get(view->chunks, i);
        size_t n = 0;
        if (mtmd_input_chunk_get_type(chunk) == MTMD_INPUT_CHUNK_TYPE_TEXT) {
            const llama_token *text = mtmd_input_chunk_get_tokens_text(chunk, &n);
            buf_add(&tokens, text, n * sizeof *text);
        } else {
            good = add_run(view, chunk, print, &tokens);
        }
    }
    view->tokens = (int32_t *)(void *)tokens.at; /* the view frees it */
    view->n_tokens = (int)(tokens.len / sizeof *view->tokens);
    return good && view->n_runs > 0;
}

/* Rows that see one another must be decoded at once. */
static bool fits(const struct sight *sight, const struct view *view)
{
    for (int i = 0; i < view->n_runs; i++)
        if (mtmd_decode_use_non_causal(sight->mtmd, view->runs[i].chunk) &&
            view->runs[i].n > sight->n_batch)
            return false;
    return true;
}

static void write_marker(const struct picture *picture, char *marker)
{
    int n = snprintf(marker, MARKER, MARK);
    for (size_t i = 0; i < picture->hash.len && i < HASH; i++)
        n += snprintf(marker + n, (size_t)(MARKER - n), "%02x",
                      (unsigned)(unsigned char)picture->hash.at[i]);
    snprintf(marker + n, (size_t)(MARKER - n), "-%d>", picture->n_most);
}

/* With the lock. Holds it once more. */
static struct view *find_marker(struct sight *sight, const char *marker)
{
    for (struct view **at = &sight->views; *at; at = &(*at)->next) {
        struct view *view = *at;
        if (strcmp(view->marker, marker) != 0)
            continue;
        *at = view->next;
        view->next = sight->views;
        sight->views = view;
        view->holders++;
        return view;
    }
    return NULL;
}

/* With the lock: of the idle views those that were used last stay. */
static void limit_idle(struct sight *sight)
{
    int n_pixels = 0;
    for (struct view **at = &sight->views; *at;) {
        struct view *view = *at;
        if (view->holders == 0)
            n_pixels += view->n_pixels;
        if (view->holders > 0 || n_pixels <= MOST_IDLE) {
            at = &view->next;
            continue;
        }
        n_pixels -= view->n_pixels;
        *at = view->next;
        free_view(view);
    }
}

/* Somebody may have been faster. */
static struct view *enlist(struct sight *sight, struct view *view)
{
    pthread_mutex_lock(&sight->lock);
    struct view *other = find_marker(sight, view->marker);
    if (!other) {
        view->holders = 1;
        view->next = sight->views;
        sight->views = view;
    }
    pthread_mutex_unlock(&sight->lock);
    if (other)
        free_view(view);
    return other ? other : view;
}

struct view *sight_view(struct sight *sight, const struct picture *picture,
                        struct error *err)
{
    bool is_sound = picture->n_samples > 0;
    if (is_sound ? !sight_hears(sight) : !sight_sees(sight)) {
        error_set(err, ERROR_INVALID_ARGUMENT, "The model %s.",
                  is_sound ? "does not hear" : "does not see");
        return NULL;
    }
    struct view *view = mem_alloc(sizeof *view);
    write_marker(picture, view->marker);
    pthread_mutex_lock(&sight->lock);
    struct view *other = find_marker(sight, view->marker);
    pthread_mutex_unlock(&sight->lock);
    if (other || !picture->bytes) {
        free(view);
        return other;
    }
    if (is_sound)
        listen(sight, picture, view);
    else
        look(sight, picture, view);
    if (view->chunks && fill_tokens(view, print_of(picture)) && fits(sight, view))
        return enlist(sight, view);
    free_view(view);
    error_set(err, ERROR_INVALID_ARGUMENT, "The model cannot %s.",
              is_sound ? "listen to this sound" : "look at this picture");
    return NULL;
}

struct text engine_view_marker(const struct view *view)
{
    return text_of(view->marker);
}

void sight_release(struct sight *sight, struct view *view)
{
    pthread_mutex_lock(&sight->lock);
    if (--view->holders == 0)
        limit_idle(sight);
    pthread_mutex_unlock(&sight->lock);
}

/* ---- finding ---- */

bool sight_find(struct sight *sight, struct text text, size_t *from, size_t *to,
                int32_t *tokens, int room, int *n)
{
    const struct view *found = NULL;
    pthread_mutex_lock(&sight->lock);
    for (size_t at = 0; !found && (at = text_find(text, TEXT(MARK), at)) != SIZE_MAX;
         at++) {
        const struct view *view = sight->views;
        while (view && !text_starts(text_slice(text, at, text.len), view->marker))
            view = view->next;
        found = view;
        *from = at;
    }
    if (found) {
        *to = *from + strlen(found->marker);
        *n = found->n_tokens;
        for (int i = 0; i < *n && i < room; i++)
            tokens[i] = found->tokens[i];
    }
    pthread_mutex_unlock(&sight->lock);
    return found != NULL;
}

static const struct run *run_of(const struct view *view, int32_t token)
{
    for (int i = 0; i < view->n_runs; i++)
        if (view->runs[i].first == token)
            return &view->runs[i];
    return NULL;
}

int view_run(const struct view *view, int32_t token, int *n_pos)
{
    const struct run *run = run_of(view, token);
    *n_pos = run ? run->n_pos : 0;
    return run ? run->n : 0;
}

struct view *sight_hold(struct sight *sight, int32_t token)
{
    struct view *found = NULL;
    pthread_mutex_lock(&sight->lock);
    for (struct view *view = sight->views; view && !found; view = view->next)
        if (run_of(view, token))
            found = view;
    if (found)
        found->holders++;
    pthread_mutex_unlock(&sight->lock);
    return found;
}

static const struct llm_place *places_of(struct sight *sight, const struct run *run,
                                         int pos)
{
    const mtmd_image_tokens *image = mtmd_input_chunk_get_tokens_image(run->chunk);
    sight->places = mem_grow(sight->places, sizeof *sight->places * (size_t)run->n);
    for (int i = 0; i < run->n; i++) {
        llama_pos behind = pos + i; /* a sound's rows stand as words do */
        struct mtmd_decoder_pos at = {behind, behind, behind, 0};
        if (image)
            at = mtmd_image_tokens_get_decoder_pos(image, pos, (size_t)i);
        sight->places[i] = (struct llm_place){(int32_t)at.t, (int32_t)at.y, (int32_t)at.x,
                                              (int32_t)at.z};
    }
    return sight->places;
}

bool sight_vectors(struct sight *sight, struct view *view, int32_t token, int pos,
                   struct llm_vectors *vectors)
{
    const struct run *run = run_of(view, token);
    if (!run || mtmd_encode_chunk(sight->mtmd, run->chunk) != 0)
        return false;
    *vectors = (struct llm_vectors){
        .at = mtmd_get_output_embd(sight->mtmd),
        .n = run->n,
        .pos = pos,
        .causal = !mtmd_decode_use_non_causal(sight->mtmd, run->chunk),
    };
    if (mtmd_decode_use_mrope(sight->mtmd))
        vectors->places = places_of(sight, run, pos);
    return vectors->at != NULL;
}

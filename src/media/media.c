/* media.c - which reader for what, what it needs, how long and how much it may take. */
#include "media/media.h"
#include "base/log.h"
#include "media/recall.h"
#include "json/write.h"
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The reader's program is a part of ours: it is found wherever that is installed. */
__asm__(".section .rodata\n"
        ".balign 16\nreaders_program:\n"
        ".incbin \"src/media/readers/read.py\"\n"
        "readers_program_end:\n.byte 0\n"
        ".balign 4\nreaders_program_size: .int readers_program_end - readers_program\n"
        ".previous\n");
extern const char readers_program[];
extern const uint32_t readers_program_size;

#define FOLDER "/opt/readers" /* where the sandbox shows the readers' folder */
#define PROGRAM "/opt/read.py"
#define FILE_HERE "/opt/media" /* where it shows a source that is a file */

/* What is shown is a little more than readers/read.py may show (MOST_SHOWN,
 * MOST_HEARD_S). */
enum { MB = 1 << 20, MOST_RECALLED = 64 * MB, MOST_SHOWN = 24 * MB };

/* What a reader may need. In the sandbox there is nothing but /usr, so programs that lie
 * elsewhere do not count. */
enum need {
    NEED_PYTHON = 1,
    NEED_VENV = 2,
    NEED_WHISPER = 4,
    NEED_PDF = 8,
    NEED_OCR = 16,
    NEED_FFMPEG = 32,
    NEED_SPEECH = 64 /* no reader's: speech.c's */
};

static const struct {
    enum need need;
    const char *path; /* without a / in front: in the readers' folder */
    const char *what;
} needs[] = {
    {NEED_PYTHON, "/usr/bin/python3", "python3"}, /* or the venv's */
    {NEED_VENV, "venv/bin/python", "Python packages (Pillow, faster-whisper)"},
    {NEED_WHISPER, "whisper/model.bin", "the Whisper model"},
    {NEED_PDF, "/usr/bin/pdftotext", "poppler-utils"},
    {NEED_OCR, "/usr/bin/tesseract", "tesseract-ocr"},
    {NEED_FFMPEG, "/usr/bin/ffmpeg", "ffmpeg"},
    {NEED_SPEECH, "/usr/bin/espeak-ng", "espeak-ng"},
};

/* What of media may go to the model itself, and not in words. */
enum { SHOWS_PICTURES = 1, SHOWS_SOUND = 2 };

/* Rows by enum media_reader. Memory is of the whole tree of processes; address space also
 * counts what threads reserve and never touch. */
static const struct {
    const char *name;
    unsigned needs;
    int memory_mb, address_mb, scratch_mb, seconds;
    unsigned shows; /* where it is asked for */
} readers[] = {
    [READ_TEXT] = {"text", NEED_PYTHON, 512, 1024, 16, 20, 0},
    [READ_HTML] = {"html", NEED_PYTHON, 512, 1024, 16, 20, 0},
    [READ_IMAGE] = {"image", NEED_VENV | NEED_OCR, 1024, 2048, 256, 60, SHOWS_PICTURES},
    [READ_PDF] = {"pdf", NEED_VENV | NEED_PDF | NEED_OCR, 1024, 2048, 256, 180,
                  SHOWS_PICTURES},
    [READ_SOUND] = {"sound", NEED_VENV | NEED_WHISPER | NEED_FFMPEG, 1536, 6144, 256, 600,
                    SHOWS_SOUND},
    [READ_VIDEO] = {"video", NEED_VENV | NEED_WHISPER | NEED_FFMPEG | NEED_OCR, 2048,
                    6144, 768, 600, SHOWS_PICTURES | SHOWS_SOUND},
};

struct media {
    struct media_config config;
    struct recall *recall;
    struct sandbox *sandbox; /* NULL: `why` */
    struct error why;
    char folder[PATH_MAX]; /* real; "" when there is none */
    char base[PATH_MAX];   /* of the venv's Python, when it is not in /usr */
};

/* ---- what there is ---- */

static bool exists(const char *folder, const char *path)
{
    char full[PATH_MAX + 64];
    if (path[0] != '/' && (!folder || !*folder))
        return false;
    snprintf(full, sizeof full, "%s%s%s", path[0] == '/' ? "" : folder,
             path[0] == '/' ? "" : "/", path);
    return access(full, R_OK) == 0;
}

static bool has(const char *folder, size_t i)
{
    return exists(folder, needs[i].path) ||
           (needs[i].need == NEED_PYTHON && exists(folder, "venv/bin/python"));
}

static int list_lacks(const char *folder, unsigned wanted, struct buf *names)
{
    int n = 0;
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        if (wanted & needs[i].need && !has(folder, i))
            buf_printf(names, "%s%s", n++ ? ", " : "", needs[i].what);
    return n;
}

int media_lacks(const char *folder, struct buf *names)
{
    return list_lacks(folder, ~0u, names);
}

static void read_base(struct media *m)
{
    char path[PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/base", m->folder);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, m->base, sizeof m->base - 1) : 0;
    m->base[n > 0 ? n : 0] = '\0';
    m->base[strcspn(m->base, "\n")] = '\0';
    if (m->base[0] != '/' || strcmp(m->base, "/usr") == 0 ||
        strncmp(m->base, "/usr/", 5) == 0)
        m->base[0] = '\0';
    if (fd >= 0)
        close(fd);
}

struct media *media_open(const struct media_config *config)
{
    struct media *m = mem_alloc(sizeof *m);
    m->config = *config;
    if (!config->folder || !realpath(config->folder, m->folder))
        m->folder[0] = '\0';
    else
        read_base(m);
    m->sandbox = sandbox_open(config->mode, &m->why);
    m->recall = recall_open(MOST_RECALLED);
    return m;
}

void media_close(struct media *m)
{
    if (!m)
        return;
    sandbox_close(m->sandbox);
    recall_close(m->recall);
    free(m);
}

/* ---- languages ---- */

static bool has_language(struct text name)
{
    static const char *const folders[] = {"/usr/share/tesseract-ocr/*/tessdata",
                                          "/usr/share/tesseract-ocr/tessdata",
                                          "/usr/share/tessdata"};
    bool found = false;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0] && !found; i++) {
        char pattern[200];
        glob_t paths = {0};
        snprintf(pattern, sizeof pattern, "%s/%.*s.traineddata", folders[i],
                 TEXT_ARG(name));
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread changes the environment */
        found = glob(pattern, 0, NULL, &paths) == 0;
        globfree(&paths);
    }
    return found;
}

static bool is_language(struct text name)
{
    static const char may[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789_/";
    for (size_t i = 0; i < name.len; i++)
        if (!memchr(may, name.at[i], sizeof may - 1))
            return false;
    return name.len > 0 && name.len <= 40 && name.at[0] != '/';
}

bool media_has_languages(const char *ocr_languages, struct error *err)
{
    for (struct text rest = text_of(ocr_languages); rest.at;) {
        struct text name = text_cut(rest, '+', &rest);
        if (!is_language(name))
            return error_set(
                err, ERROR_INVALID_ARGUMENT,
                "'%.*s' is no language of tesseract's; eng+deu would be two.",
                TEXT_ARG(text_slice(name, 0, 60)));
        if (!has_language(name))
            return error_set(err, ERROR_INVALID_ARGUMENT,
                             "tesseract has no data of '%.*s' on this machine (Debian: "
                             "tesseract-ocr-...).",
                             TEXT_ARG(name));
    }
    return true;
}

bool media_safe(const struct media *m, struct error *err)
{
    if (!m->sandbox)
        *err = m->why;
    return m->sandbox != NULL;
}

struct sandbox *media_sandbox(const struct media *m)
{
    return m->sandbox;
}

/* ---- which reader ---- */

struct reading_job {
    struct media *media;
    const struct media_source *source;
    const struct media_options *options;
    const atomic_bool *cancelled;
    const struct media_type *type; /* what it is */
    struct arena *arena;
};

static bool read_beginning(const struct media_source *source, char *room, size_t size,
                           struct text *beginning, struct error *err)
{
    *beginning = source->bytes;
    if (source->bytes.at)
        return true;
    int fd = open(source->path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, room, size) : -1;
    if (fd >= 0)
        close(fd);
    *beginning = (struct text){room, n > 0 ? (size_t)n : 0};
    return n >= 0 || error_set(err, ERROR_INTERNAL, "A file cannot be read.");
}

/* Has NULs in a text, as nothing else has. */
static bool is_wide(struct text charset)
{
    return text_is_nocase(text_slice(charset, 0, 6), "utf-16") ||
           text_is_nocase(text_slice(charset, 0, 6), "utf-32");
}

static bool find_type(struct reading_job *job, struct error *err)
{
    char room[4096];
    struct text beginning, mime = job->source->mime;
    const struct media_type *label = media_type_of(mime);
    if (!label)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "Unsupported MIME type: %.*s. There is no reader for it.",
                         TEXT_ARG(text_slice(mime, 0, 100)));
    if (!read_beginning(job->source, room, sizeof room, &beginning, err))
        return false;
    const struct media_type *found = media_sniff(beginning);
    if (!found && label->kind == MEDIA_TEXT && is_wide(media_charset(mime)))
        found = label; /* without a mark at its beginning nothing else tells */
    if (beginning.len == 0)
        return error_set(err, ERROR_INVALID_ARGUMENT, "The data is empty.");
    if (!found || !media_may_be(found, label))
        return error_set(err, ERROR_INVALID_ARGUMENT, "The data is not %s: it %s%s.",
                         label->name,
                         found ? "looks like " : "is of a type that no reader knows",
                         found ? found->name : "");
    /* Of texts the label knows more; MP3 without a header is found by it, too. */
    job->type = found->kind == MEDIA_TEXT ? label : found;
    return true;
}

static bool has_all(const struct reading_job *job, struct error *err)
{
    const struct media *m = job->media;
    struct buf names = {0};
    int n = list_lacks(m->folder, readers[job->type->reader].needs, &names);
    if (n > 0)
        error_set(err, ERROR_INVALID_ARGUMENT,
                  "The reader of %s is not installed: %s missing. On the "
                  "server: " MEDIA_INSTALL,
                  job->type->name, names.at);
    buf_free(&names);
    if (n == 0 && !m->sandbox)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "%s is read in a sandbox only, and the server has none: %s",
                         job->type->name, m->why.message);
    return n == 0;
}

/* ---- the child ---- */

/* SHOWS_... */
static unsigned wanted(const struct reading_job *job)
{
    return readers[job->type->reader].shows &
           ((job->options->pixels ? SHOWS_PICTURES : 0) |
            (job->options->sound ? SHOWS_SOUND : 0));
}

static struct text write_options(const struct reading_job *job)
{
    struct buf json = {0};
    struct json_writer w = json_writer(&json, false);
    struct text charset = media_charset(job->source->mime);
    json_begin(&w, '{');
    json_key(&w, "start");
    json_number(&w, job->options->start_s);
    if (job->options->end_s > 0) {
        json_key(&w, "end");
        json_number(&w, job->options->end_s);
    }
    if (job->options->fps > 0) {
        json_key(&w, "fps");
        json_number(&w, job->options->fps);
    }
    if (job->media->config.ocr_languages) {
        json_key(&w, "ocr");
        json_text(&w, text_of(job->media->config.ocr_languages));
    }
    if (charset.at) {
        json_key(&w, "charset");
        json_text(&w, text_slice(charset, 0, 60));
    }
    json_key(&w, "pixels");
    json_bool(&w, wanted(job) & SHOWS_PICTURES);
    json_key(&w, "sound");
    json_bool(&w, wanted(job) & SHOWS_SOUND);
    json_end(&w, '}');
    struct text copy = arena_text(job->arena, buf_view(&json));
    buf_free(&json);
    return copy;
}

/* Why a child that gave no answer was ended, in words for the caller. */
static bool ended_badly(const struct reading_job *job,
                        const struct sandbox_result *result, struct error *err)
{
    const char *name = job->type->name;
    log_line(LOG_WARN, "reader", "type=%s outcome=%d status=%d ms=%lld", name,
             (int)result->outcome, result->status, (long long)result->ms);
    switch (result->outcome) {
    case SANDBOX_DEADLINE:
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "Reading this %s took longer than the %lld s that it may.", name,
                         (long long)(result->ms / 1000));
    case SANDBOX_MEMORY:
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "Reading this %s takes more memory than the %d MB that it may.",
                         name, readers[job->type->reader].memory_mb);
    case SANDBOX_TOO_MUCH:
        return error_set(err, ERROR_INVALID_ARGUMENT, "There is too much in this %s.",
                         name);
    case SANDBOX_CANCELLED:
        return error_set(err, ERROR_CANCELLED, "The operation was cancelled.");
    case SANDBOX_NO_START:
        *err = result->error;
        return false;
    default:
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "The reader of %s failed over this data: it may be broken.",
                         name);
    }
}

/* What the child said; what it shows comes by a descriptor of its own. */
static bool take_answer(const struct reading_job *job, struct sandbox_result *result,
                        struct media_reading *reading, struct error *err)
{
    struct text bytes = arena_take(job->arena, &result->apart);
    return reading_of(buf_view(&result->out), bytes, job->arena, reading, err);
}

static bool run_reader(const struct reading_job *job, struct media_reading *reading,
                       struct error *err)
{
    const struct media *m = job->media;
    int i = (int)job->type->reader;
    bool venv = exists(m->folder, "venv/bin/python");
    int seconds = m->config.deadline_s > 0 && m->config.deadline_s < readers[i].seconds
                      ? m->config.deadline_s
                      : readers[i].seconds;
    const char *const argv[] = {
        venv ? FOLDER "/venv/bin/python" : "/usr/bin/python3",
        "-I",
        PROGRAM,
        readers[i].name,
        job->type->name,
        job->source->bytes.at ? "/dev/stdin" : FILE_HERE,
        write_options(job).at,
        NULL,
    };
    const struct sandbox_file program = {{readers_program, readers_program_size},
                                         PROGRAM};
    struct sandbox_bind binds[3];
    int n_binds = 0;
    if (m->folder[0])
        binds[n_binds++] = (struct sandbox_bind){m->folder, FOLDER};
    if (m->base[0])
        binds[n_binds++] = (struct sandbox_bind){m->base, m->base};
    if (!job->source->bytes.at)
        binds[n_binds++] = (struct sandbox_bind){job->source->path, FILE_HERE};
    const struct sandbox_spec spec = {
        .argv = argv,
        .binds = binds,
        .n_binds = n_binds,
        .files = &program,
        .n_files = 1,
        .input = job->source->bytes,
        .limits =
            {
                .deadline_ms = seconds * 1000,
                .cpu_s = seconds * 2,
                .memory = (int64_t)readers[i].memory_mb * MB,
                .address = (int64_t)readers[i].address_mb * MB,
                .scratch = (int64_t)readers[i].scratch_mb * MB,
                .output = (size_t)4 * MB,
                .n_processes = 128,
                .apart = wanted(job) ? MOST_SHOWN : 0,
            },
        .cancelled = job->cancelled,
    };
    struct sandbox_result result;
    sandbox_run(m->sandbox, &spec, &result);
    bool good = result.outcome == SANDBOX_OK ? take_answer(job, &result, reading, err)
                                             : ended_badly(job, &result, err);
    if (result.err.len > 0)
        log_line(LOG_DEBUG, "reader", "type=%s said=%.*s", job->type->name,
                 TEXT_ARG(text_slice(buf_view(&result.err), 0, 300)));
    sandbox_free(&result);
    return good;
}

/* ---- the door ---- */

/* Text as nearly everybody writes it: nothing is to be decoded. */
static bool is_plain(const struct reading_job *job)
{
    struct text bytes = job->source->bytes, charset = media_charset(job->source->mime);
    return job->type->reader == READ_TEXT && bytes.at &&
           (!charset.at || text_is_nocase(charset, "utf-8") ||
            text_is_nocase(charset, "us-ascii")) &&
           !memchr(bytes.at, '\0', bytes.len) && text_is_utf8(bytes);
}

/* What a reading depends on, the readers themselves aside; absent: it is not kept. */
static struct text key_of(const struct reading_job *job)
{
    const struct media_options *options = job->options;
    struct text charset = media_charset(job->source->mime), hash = job->source->hash;
    if (hash.len == 0 || job->type->reader == READ_TEXT)
        return (struct text){0};
    struct text rest = arena_printf(job->arena, " %s %d %.17g %.17g %.17g %.*s",
                                    job->type->name, (int)wanted(job), options->start_s,
                                    options->end_s, options->fps, TEXT_ARG(charset));
    char *key = arena_alloc(job->arena, hash.len + rest.len);
    memcpy(key, hash.at, hash.len);
    memcpy(key + hash.len, rest.at, rest.len);
    return (struct text){key, hash.len + rest.len};
}

struct text media_hash(struct text bytes, struct arena *arena)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (EVP_Digest(bytes.at, bytes.len, hash, &n, EVP_sha256(), NULL) != 1)
        return (struct text){0};
    return arena_text(arena, (struct text){(const char *)hash, n});
}

/* An image is what its bytes are; of other media each picture is a part of how they were
 * read. */
static void name_pictures(const struct reading_job *job, struct text key,
                          struct media_reading *reading)
{
    bool is_image = reading->kind == MEDIA_IMAGE && reading->n_pictures == 1;
    if (is_image)
        reading->pictures->hash = job->source->hash;
    for (int i = 0; i < reading->n_pictures && key.len > 0 && !is_image; i++) {
        struct buf name = {0};
        buf_printf(&name, "%d ", i);
        buf_text(&name, key);
        reading->pictures[i].hash = media_hash(buf_view(&name), job->arena);
        buf_free(&name);
    }
}

/* A reading with pictures is not whole without their pixels. */
static bool recall_words(const struct reading_job *job, struct text key,
                         struct media_reading *reading)
{
    struct media_reading found;
    if (key.len == 0 || !recall_find(job->media->recall, key, job->arena, &found) ||
        found.n_pictures > 0)
        return false;
    *reading = found;
    return true;
}

bool media_recall(struct media *media, const struct media_source *source,
                  const struct media_options *options, struct arena *arena,
                  struct media_reading *reading)
{
    struct error err;
    struct reading_job job = {media, source, options, NULL, NULL, arena};
    if (!find_type(&job, &err) || !wanted(&job))
        return false;
    struct text key = key_of(&job);
    bool found = key.len > 0 && recall_find(media->recall, key, arena, reading) &&
                 reading->n_pictures > 0;
    if (found)
        log_line(LOG_DEBUG, "reader", "type=%s recalled=1 pictures=%d", job.type->name,
                 reading->n_pictures);
    return found;
}

bool media_is_quick(struct media *media, const struct media_source *source,
                    const struct media_options *options)
{
    struct error err;
    struct media_reading reading;
    struct arena *arena = arena_open();
    struct reading_job job = {media, source, options, NULL, NULL, arena};
    bool quick = !find_type(&job, &err) || job.type->kind == MEDIA_TEXT;
    if (!quick)
        quick = recall_words(&job, key_of(&job), &reading);
    arena_close(arena);
    return quick;
}

bool media_read(struct media *media, const struct media_source *source,
                const struct media_options *options, const atomic_bool *cancelled,
                struct arena *arena, struct media_reading *reading, struct error *err)
{
    struct reading_job job = {media, source, options, cancelled, NULL, arena};
    if (!find_type(&job, err))
        return false;
    *reading = (struct media_reading){.type = job.type->name};
    if (is_plain(&job)) {
        struct text bytes = source->bytes;
        if (text_starts(bytes, "\xef\xbb\xbf"))
            bytes = text_slice(bytes, 3, bytes.len);
        reading_of_text(bytes, arena, reading);
        return true;
    }
    struct text key = key_of(&job);
    if (recall_words(&job, key, reading)) {
        log_line(LOG_DEBUG, "reader", "type=%s recalled=1", job.type->name);
        return true;
    }
    bool good = has_all(&job, err) && run_reader(&job, reading, err);
    reading->type = job.type->name;
    if (good)
        name_pictures(&job, key, reading);
    if (good && key.len > 0)
        recall_keep(media->recall, key, reading);
    return good;
}

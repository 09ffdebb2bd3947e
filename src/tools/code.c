/* code.c - what a model's code may take, what it finds, what comes of it. */
#include "tools/code.h"
#include "base/log.h"
#include "base/loop.h"
#include "media/sandbox.h"
#include "tools/mend.h"
#include "tools/picture.h"
#include "json/tree.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The program is a part of ours: it is found wherever that is installed. */
__asm__(".section .rodata\n"
        ".balign 16\ncode_program:\n"
        ".incbin \"src/tools/python/run.py\"\n"
        "code_program_end:\n.byte 0\n"
        ".balign 4\ncode_program_size: .int code_program_end - code_program\n"
        ".previous\n");
extern const char code_program[];
extern const uint32_t code_program_size;

#define FOLDER "/opt/tools" /* where the sandbox shows the tools' folder */
#define PROGRAM "/opt/run.py"

enum {
    MB = 1 << 20,
    MOST_SOURCE = 256 * 1024,
    MOST_OUTPUT = 64 * 1024, /* on each of standard output and error */
    MOST_PICTURES = 8 * MB,
    SCRATCH_MB = 64,
    PROCESSES = 24,
};

static const char description[] =
    "Runs Python code and returns what it prints. Of use for calculations, counting, "
    "sorting, dates, data, plots: for whatever is better computed than guessed, and when "
    "the user asks for code to be run.\n\n"
    "The code is a whole program that prints its result. numpy, pandas, matplotlib and "
    "sympy are there; a network, files of the user and input are not.";

static const char parameters[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"language\":{\"type\":\"string\",\"enum\":[\"python\"]},"
    "\"code\":{\"type\":\"string\",\"description\":\"A Python program that prints the "
    "result.\"}},"
    "\"required\":[\"language\",\"code\"],\"additionalProperties\":false}";

struct code {
    struct tool tool;
    struct code_config config;
    struct sandbox *sandbox; /* NULL: `why` */
    struct error why;
    char folder[PATH_MAX]; /* real; "" when there is none */
    char base[PATH_MAX];   /* of the venv's Python, when it is not in /usr */
};

/* ---- what there is ---- */

static bool exists(const struct code *code, const char *path)
{
    char full[PATH_MAX + 64];
    snprintf(full, sizeof full, "%s/%s", code->folder, path);
    return code->folder[0] && access(full, R_OK) == 0;
}

bool code_has_packages(const struct code *code)
{
    return exists(code, "venv/bin/python");
}

static void read_base(struct code *code)
{
    char path[PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/base", code->folder);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, code->base, sizeof code->base - 1) : 0;
    code->base[n > 0 ? n : 0] = '\0';
    code->base[strcspn(code->base, "\n")] = '\0';
    if (code->base[0] != '/' || strcmp(code->base, "/usr") == 0 ||
        strncmp(code->base, "/usr/", 5) == 0)
        code->base[0] = '\0';
    if (fd >= 0)
        close(fd);
}

static bool ready(const struct tool *tool, struct error *err)
{
    const struct code *code = tool->own;
    if (code->config.off)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "code execution is switched off on this server "
                         "(--no-code-execution)");
    if (!code->sandbox)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "code execution (--code-execution) needs a sandbox, and this "
                         "server has none: %s",
                         code->why.message);
    if (!code_has_packages(code) && access("/usr/bin/python3", X_OK) != 0)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "code execution (--code-execution) needs Python. On the server: "
                         "scripts/setup.sh tools");
    return true;
}

/* ---- what a request says ---- */

static const struct json_field no_fields[] = {{0}};
static const struct json_type settings_type = {"CodeExecution", 0, no_fields, false};

static bool accept(const struct tool *tool, struct json_object *from, const char *where,
                   struct arena *arena, const void **settings, struct error *err)
{
    char nothing[1];
    (void)tool;
    *settings = NULL;
    return !from || json_decode_at(&settings_type, from, where, nothing, arena, err);
}

/* ---- arguments ---- */

struct text code_source(struct text args, struct arena *arena)
{
    struct error err;
    return tree_text(tree_member(json_parse(arena, args, &err), "code"));
}

struct text code_args(struct text source, struct arena *arena)
{
    struct buf json = {0};
    struct json_writer w = json_writer(&json, false);
    json_begin(&w, '{');
    json_key(&w, "language");
    json_text(&w, TEXT("python"));
    json_key(&w, "code");
    json_text(&w, source);
    json_end(&w, '}');
    struct text args = arena_text(arena, buf_view(&json));
    buf_free(&json);
    return args;
}

static struct text mend(struct text args, struct arena *arena)
{
    struct text source = code_source(args, arena);
    struct text mended = source.at ? mend_python(source, arena) : source;
    return !source.at || text_same(mended, source) ? args : code_args(mended, arena);
}

/* ---- running ---- */

static void run_child(const struct code *code, const struct tool_call *call,
                      struct text source, struct sandbox_result *result)
{
    bool venv = code_has_packages(code);
    int64_t left = call->until_ms - now_ms();
    int ms = left < 1 ? 1 : left > INT_MAX ? INT_MAX : (int)left;
    const char *const argv[] = {venv ? FOLDER "/venv/bin/python" : "/usr/bin/python3",
                                "-I", "-B", PROGRAM, NULL};
    const struct sandbox_file program = {{code_program, code_program_size}, PROGRAM};
    struct sandbox_bind binds[2];
    int n_binds = 0;
    if (venv)
        binds[n_binds++] = (struct sandbox_bind){code->folder, FOLDER};
    if (venv && code->base[0])
        binds[n_binds++] = (struct sandbox_bind){code->base, code->base};
    const struct sandbox_spec spec = {
        .argv = argv,
        .binds = binds,
        .n_binds = n_binds,
        .files = &program,
        .n_files = 1,
        .input = source,
        .limits =
            {
                .deadline_ms = ms,
                .cpu_s = ms / 1000 + 2,
                .memory = (int64_t)code->config.memory_mb * MB,
                .address = (int64_t)code->config.memory_mb * 2 * MB + 512LL * MB,
                .scratch = (int64_t)SCRATCH_MB * MB,
                .output = MOST_OUTPUT,
                .apart = MOST_PICTURES,
                .n_processes = PROCESSES,
            },
        .cancelled = call->cancelled,
    };
    sandbox_run(code->sandbox, &spec, result);
}

/* Bytes that are not UTF-8 become U+FFFD. */
static struct text cleaned(struct text text, struct arena *arena)
{
    struct error err;
    struct buf json = {0};
    struct json_writer w = json_writer(&json, false);
    if (text_is_utf8(text))
        return arena_text(arena, text.at ? text : TEXT(""));
    json_text(&w, text);
    struct text clean =
        tree_text(json_parse(arena, arena_text(arena, buf_view(&json)), &err));
    buf_free(&json);
    return clean.at ? clean : TEXT("");
}

/* Why it was ended, in words for the model and the client; absent: it ended itself. */
static struct text ended_by(const struct code *code, const struct sandbox_result *r,
                            struct arena *arena)
{
    switch (r->outcome) {
    case SANDBOX_DEADLINE:
        return arena_printf(arena,
                            "The code was ended after %.1f s: that is all the "
                            "time that it may take.",
                            (double)r->ms / 1000);
    case SANDBOX_MEMORY:
        return arena_printf(arena,
                            "The code was ended: it took more than the %d MB of memory "
                            "that it may.",
                            code->config.memory_mb);
    case SANDBOX_TOO_MUCH:
        return arena_printf(arena,
                            "The code was ended: it printed more than the %d KB that it "
                            "may, or drew too much.",
                            MOST_OUTPUT / 1024);
    case SANDBOX_CANCELLED:
        return TEXT("The code was ended: nobody waits for it any more.");
    case SANDBOX_NO_START:
        return arena_text(arena, text_of(r->error.message));
    default:
        return (struct text){0};
    }
}

static struct text words_of(const struct code *code, const struct sandbox_result *r,
                            struct arena *arena)
{
    struct text why = ended_by(code, r, arena);
    struct buf words = {0};
    buf_text(&words, text_slice(buf_view(&r->out), 0, MOST_OUTPUT));
    if (r->outcome != SANDBOX_OK) {
        buf_text(&words, text_slice(buf_view(&r->err), 0, MOST_OUTPUT));
        if (why.at && words.len > 0 && words.at[words.len - 1] != '\n')
            buf_char(&words, '\n');
        buf_text(&words, why);
        if (words.len == 0)
            buf_printf(&words, "The code ended with status %d.", r->status);
    }
    struct text clean = cleaned(buf_view(&words), arena);
    buf_free(&words);
    return clean;
}

static void run(const struct tool *tool, const struct tool_call *call,
                struct tool_result *result)
{
    const struct code *code = tool->own;
    struct error err;
    struct json_object *args = json_parse(call->arena, call->args, &err);
    struct text source = tree_text(tree_member(args, "code"));
    struct text language = tree_text(tree_member(args, "language"));
    *result = (struct tool_result){.outcome = TOOL_FAILED};
    if (!source.at || source.len > MOST_SOURCE) {
        result->words = source.at ? TEXT("The code is too long.")
                                  : TEXT("There is no code: the argument 'code' is a "
                                         "text.");
        return;
    }
    if (language.at && !text_is_nocase(language, "python")) {
        result->words =
            arena_printf(call->arena, "Only python can be run here, not %.*s.",
                         TEXT_ARG(text_slice(language, 0, 40)));
        return;
    }
    struct sandbox_result r;
    run_child(code, call, source, &r);
    result->outcome = r.outcome == SANDBOX_OK         ? TOOL_OK
                      : r.outcome == SANDBOX_DEADLINE ? TOOL_DEADLINE
                                                      : TOOL_FAILED;
    result->words = words_of(code, &r, call->arena);
    result->n_blobs = pictures_read(buf_view(&r.apart), call->arena, &result->blobs);
    log_line(r.outcome == SANDBOX_NO_START ? LOG_ERROR : LOG_INFO, "code",
             "outcome=%d status=%d ms=%lld out=%zu err=%zu pictures=%d", (int)r.outcome,
             r.status, (long long)r.ms, r.out.len, r.err.len, result->n_blobs);
    sandbox_free(&r);
}

/* ---- the door ---- */

struct code *code_open(const struct code_config *config)
{
    struct code *code = mem_alloc(sizeof *code);
    code->config = *config;
    code->tool = (struct tool){
        .use = TOOL_COMPUTES,
        .name = CODE_NAME,
        .description = description,
        .parameters = parameters,
        .ready = ready,
        .accept = accept,
        .run = run,
        .own = code,
        .mend = mend,
    };
    if (!config->folder || !realpath(config->folder, code->folder))
        code->folder[0] = '\0';
    else
        read_base(code);
    if (!config->off)
        code->sandbox = sandbox_open(SANDBOX_REQUIRED, &code->why);
    return code;
}

void code_close(struct code *code)
{
    if (!code)
        return;
    sandbox_close(code->sandbox);
    free(code);
}

const struct tool *code_tool(const struct code *code)
{
    return &code->tool;
}

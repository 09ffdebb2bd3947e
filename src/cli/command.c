/* command.c - --help, words on stderr, folders and files: the same for every command. */
#include "cli/command.h"
#include "base/arena.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static void print_help(const struct command *command)
{
    struct buf out = {0};
    buf_printf(&out, "Usage: pollux %s %s\n\n%s\n", command->name, command->synopsis,
               command->about);
    buf_str(&out, "\nOptions (each also as an environment variable):\n");
    option_help(command->table, &out);
    buf_str(&out, "  -h, --help              this text\n");
    buf_printf(&out, "\nExamples:\n%s", command->examples);
    command_print(&out, stdout);
}

/* Help is found before the rest is read, so that it comes even when the rest is wrong. */
static bool asks_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

bool command_begin(const struct command *command, int argc, char **argv, void *into,
                   const char **words, int *n_words, int *status)
{
    struct error err;
    if (asks_help(argc, argv)) {
        print_help(command);
        *status = CLI_OK;
        return false;
    }
    if (!option_read(command->table, argc, argv, into, words, n_words, &err)) {
        *status = command_misuse(command, "%s", err.message);
        option_free(command->table, into);
        return false;
    }
    return true;
}

static void say(const struct command *command, const char *format, va_list args)
{
    struct buf out = {0};
    buf_printf(&out, "pollux %s: ", command->name);
    buf_vprintf(&out, format, args);
    buf_char(&out, '\n');
    fflush(stdout);
    command_print(&out, stderr);
}

int command_fail(const struct command *command, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(command, format, args);
    va_end(args);
    return status;
}

int command_misuse(const struct command *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(command, format, args);
    va_end(args);
    fprintf(stderr, "Try `pollux %s --help`.\n", command->name);
    return CLI_USAGE;
}

void command_print(struct buf *buf, FILE *out)
{
    if (buf->len)
        fwrite(buf->at, 1, buf->len, out);
    buf_free(buf);
}

bool command_folder(const char *variable, const char *under_home, struct buf *path)
{
    const char *folder = option_env(variable), *home = option_env("HOME");
    if (folder && folder[0] == '/') /* XDG: a relative path is to be ignored */
        buf_printf(path, "%s/pollux", folder);
    else if (home)
        buf_printf(path, "%s/%s/pollux", home, under_home);
    return path->len > 0;
}

bool command_make_folder(const char *path)
{
    struct buf upto = {0};
    bool good = true;
    for (const char *c = path; good && *c; c++) {
        buf_char(&upto, *c);
        if (c[1] == '/' || c[1] == '\0')
            good = mkdir(upto.at, 0700) == 0 || errno == EEXIST || errno == EISDIR;
    }
    buf_free(&upto);
    return good && access(path, W_OK | X_OK) == 0;
}

bool command_read(FILE *from, size_t most, struct buf *out, struct error *err)
{
    enum { STEP = 65536 };
    size_t start = out->len, n;
    do {
        n = fread(buf_reserve(out, STEP), 1, STEP, from);
        out->len += n;
        out->at[out->len] = '\0';
        if (out->len - start > most)
            return error_set(err, ERROR_INVALID_ARGUMENT, "is longer than %zu MB",
                             most >> 20);
    } while (n > 0);
    if (ferror(from))
        return error_set(err, ERROR_UNKNOWN, "cannot be read: %m");
    struct text all = text_slice(buf_view(out), start, out->len);
    if (!text_is_utf8(all) || (all.len && memchr(all.at, 0, all.len)))
        return error_set(err, ERROR_INVALID_ARGUMENT, "is not UTF-8 text");
    return true;
}

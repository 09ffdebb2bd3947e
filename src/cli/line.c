/* line.c - libedit on a terminal, plain lines elsewhere.
 *
 * While a line is edited Ctrl-C is a key and not a signal (-isig), bound to a function of
 * ours that ends the line; so no signal handler has to unwind libedit. While an answer is
 * printed the terminal is as the shell left it, and Ctrl-C is a signal again (term.h). */
#include "cli/line.h"
#include "base/arena.h"
#include "cli/term.h"
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HISTORY_LINES = 1000 };

struct line_reader {
    EditLine *edit; /* NULL: not a terminal */
    History *history;
    const char *file;
    const char *const *words;
    const char *prompt;
    bool interrupted;
    locale_t utf8, before;
    char *plain; /* getline's */
    size_t plain_room;
};

static const char first_prompt[] = "> ", next_prompt[] = ". ";

/* Keys. */

static struct line_reader *reader_of(EditLine *edit)
{
    struct line_reader *reader = NULL;
    el_get(edit, EL_CLIENTDATA, &reader);
    return reader;
}

static char *say_prompt(EditLine *edit)
{
    return (char *)(uintptr_t)reader_of(edit)->prompt;
}

static unsigned char on_interrupt(EditLine *edit, int key)
{
    (void)key;
    reader_of(edit)->interrupted = true;
    return CC_NEWLINE;
}

/* Completes what all words that begin with `typed` share; a lone word gets a space. */
static bool common_rest(const char *const *words, struct text typed, struct buf *rest)
{
    const char *first = NULL;
    size_t shared = 0, found = 0;
    for (; *words; words++) {
        if (strncmp(*words, typed.at, typed.len) != 0)
            continue;
        if (found++ == 0) {
            first = *words;
            shared = strlen(first);
        }
        while (strncmp(first, *words, shared) != 0)
            shared--;
    }
    if (found)
        buf_text(rest, text_slice(text_of(first), typed.len, shared));
    if (found == 1)
        buf_char(rest, ' ');
    return rest->len > 0;
}

static unsigned char on_tab(EditLine *edit, int key)
{
    (void)key;
    const LineInfo *line = el_line(edit);
    struct text typed = {line->buffer, (size_t)(line->cursor - line->buffer)};
    struct buf rest = {0};
    unsigned char result = CC_ERROR;
    if (text_starts(typed, "/") && !memchr(typed.at, ' ', typed.len) &&
        common_rest(reader_of(edit)->words, typed, &rest))
        result = el_insertstr(edit, rest.at) == 0 ? CC_REFRESH : CC_ERROR;
    buf_free(&rest);
    return result;
}

/* Opening. */

/* In a container without a locale everything beyond ASCII would be lost. */
static void speak_utf8(struct line_reader *reader)
{
    reader->utf8 = newlocale(LC_CTYPE_MASK, "", NULL);
    if (!reader->utf8 || strcmp(nl_langinfo_l(CODESET, reader->utf8), "UTF-8") != 0) {
        if (reader->utf8)
            freelocale(reader->utf8);
        reader->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    }
    if (reader->utf8)
        reader->before = uselocale(reader->utf8);
}

static void open_history(struct line_reader *reader)
{
    HistEvent event;
    reader->history = history_init();
    history(reader->history, &event, H_SETSIZE, HISTORY_LINES);
    history(reader->history, &event, H_SETUNIQUE, 1);
    if (reader->file)
        history(reader->history, &event, H_LOAD, reader->file);
}

static void open_editor(struct line_reader *reader)
{
    reader->edit = el_init("pollux", stdin, stdout, stderr);
    if (!reader->edit)
        return;
    EditLine *edit = reader->edit;
    el_set(edit, EL_CLIENTDATA, reader);
    el_set(edit, EL_PROMPT, say_prompt);
    el_set(edit, EL_EDITOR, "emacs");
    el_set(edit, EL_SIGNAL, 1); /* a resized window; a terminal left as it was */
    el_set(edit, EL_HIST, history, reader->history);
    el_set(edit, EL_SETTY, "-d", "-isig", NULL);
    /* Wide: libedit's narrow names are copies that nobody frees. */
    el_wset(edit, EL_ADDFN, L"pollux-interrupt", L"forgets the line", on_interrupt);
    el_wset(edit, EL_ADDFN, L"pollux-complete", L"completes a command", on_tab);
    el_set(edit, EL_BIND, "^C", "pollux-interrupt", NULL);
    el_set(edit, EL_BIND, "^I", "pollux-complete", NULL);
    el_set(edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_source(edit, NULL); /* the person's .editrc */
}

struct line_reader *line_open(const char *file, const char *const *words)
{
    struct line_reader *reader = mem_alloc(sizeof(*reader));
    reader->file = file;
    reader->words = words;
    reader->prompt = first_prompt;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return reader;
    speak_utf8(reader);
    open_history(reader);
    open_editor(reader);
    return reader;
}

void line_close(struct line_reader *reader)
{
    if (!reader)
        return;
    if (reader->edit)
        el_end(reader->edit);
    if (reader->history)
        history_end(reader->history);
    if (reader->utf8) {
        uselocale(reader->before);
        freelocale(reader->utf8);
    }
    free(reader->plain);
    free(reader);
}

bool line_is_terminal(const struct line_reader *reader)
{
    return reader->edit != NULL;
}

/* Reading. */

static void remember(struct line_reader *reader, const char *line)
{
    HistEvent event;
    if (strspn(line, " \t\r\n") == strlen(line))
        return;
    history(reader->history, &event, H_ENTER, line);
    if (!reader->file)
        return;
    mode_t before = umask(077); /* a history is nobody else's */
    history(reader->history, &event, H_SAVE, reader->file);
    umask(before);
}

static enum line_end edit_line(struct line_reader *reader, struct buf *line)
{
    int n = 0;
    reader->interrupted = false;
    const char *typed = el_gets(reader->edit, &n);
    if (reader->interrupted) {
        fputs("^C\n", stdout);
        return LINE_INTERRUPTED;
    }
    if (!typed || n <= 0)
        return LINE_OVER;
    remember(reader, typed);
    buf_add(line, typed, (size_t)n);
    return LINE_READ;
}

static enum line_end plain_line(struct line_reader *reader, struct buf *line)
{
    ssize_t n = getline(&reader->plain, &reader->plain_room, stdin);
    if (n < 0)
        return LINE_OVER;
    buf_add(line, reader->plain, (size_t)n);
    return LINE_READ;
}

/* One line without its end. */
static enum line_end any_line(struct line_reader *reader, struct buf *line)
{
    enum line_end end = reader->edit ? edit_line(reader, line) : plain_line(reader, line);
    while (line->len &&
           (line->at[line->len - 1] == '\n' || line->at[line->len - 1] == '\r'))
        line->at[--line->len] = '\0';
    return end;
}

static enum line_end add_line(struct line_reader *reader, struct buf *message)
{
    struct buf line = {0};
    enum line_end end = any_line(reader, &line);
    if (end == LINE_READ) {
        buf_char(message, '\n');
        buf_text(message, buf_view(&line));
    }
    buf_free(&line);
    return end;
}

static const struct text quotes = {"\"\"\"", 3};

/* Up to the closing quotes, or the end of the input. The line ends next to the quotes are
 * not part of the message. */
static enum line_end read_quoted(struct line_reader *reader, struct buf *message)
{
    enum line_end end = LINE_READ;
    size_t close, from = 0;
    buf_drop(message, quotes.len);
    while ((close = text_find(buf_view(message), quotes, from)) == SIZE_MAX) {
        from = message->len;
        end = add_line(reader, message);
        if (end == LINE_INTERRUPTED)
            return end;
        if (end == LINE_OVER)
            break;
    }
    if (close != SIZE_MAX)
        buf_cut(message, close);
    if (text_ends(buf_view(message), "\n"))
        buf_cut(message, message->len - 1);
    if (text_starts(buf_view(message), "\n"))
        buf_drop(message, 1);
    return LINE_READ;
}

static enum line_end read_continued(struct line_reader *reader, struct buf *message)
{
    enum line_end end = LINE_READ;
    while (end == LINE_READ && text_ends(buf_view(message), "\\")) {
        buf_cut(message, message->len - 1);
        end = add_line(reader, message);
    }
    return end == LINE_INTERRUPTED ? end : LINE_READ;
}

enum line_end line_read(struct line_reader *reader, struct buf *message)
{
    buf_clear(message);
    reader->prompt = first_prompt;
    enum line_end end = any_line(reader, message);
    if (end != LINE_READ)
        return end;
    reader->prompt = next_prompt;
    if (text_starts(buf_view(message), quotes.at))
        return read_quoted(reader, message);
    return read_continued(reader, message);
}

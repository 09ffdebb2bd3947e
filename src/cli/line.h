/* line.h - one message of a chat: from a terminal with editing and history, or from a
 * pipe.
 *
 * A message is a line; a line that ends in a backslash goes on in the next; and between
 * two """ there may be any number of lines. On a terminal the arrows, ^R and Tab work,
 * and the history is kept in a file between chats. */
#ifndef POLLUX_CLI_LINE_H
#define POLLUX_CLI_LINE_H

#include "base/buf.h"

struct line_reader;

enum line_end {
    LINE_READ,        /* there is a message */
    LINE_INTERRUPTED, /* Ctrl-C: what was typed is forgotten */
    LINE_OVER,        /* Ctrl-D, the end of the file */
};

/* `history`: a file's path; NULL: nothing is kept. `words`: what Tab completes at the
 * start of a line, ends with NULL; must outlive the reader. */
struct line_reader *line_open(const char *history, const char *const *words);
void line_close(struct line_reader *reader); /* NULL is fine */
bool line_is_terminal(const struct line_reader *reader);

/* The next message, without its marks of many lines. */
enum line_end line_read(struct line_reader *reader, struct buf *message);

#endif

/* term.h - what may be written to a terminal, and what only to a terminal.
 *
 * Colours and progress appear only where a person looks: on a terminal, without NO_COLOR,
 * and not when TERM is "dumb". Bytes that come from a server are shown through term_show,
 * so that an answer cannot move the cursor, set the title or fill the clipboard. */
#ifndef POLLUX_CLI_TERM_H
#define POLLUX_CLI_TERM_H

#include "base/text.h"
#include <signal.h>
#include <stdio.h>

enum ink { INK_PLAIN, INK_DIM, INK_BOLD, INK_RED, INK_GREEN, INK_YELLOW, INK_BLUE };

bool term_is(FILE *out);

/* The bytes that begin an ink, "" where there are no colours; INK_PLAIN ends any. */
const char *term_ink(FILE *out, enum ink ink);

/* Writes text from outside: as it is to a file, without control characters (other than
 * newline and tab) to a terminal. */
void term_show(FILE *out, struct text text);

/* Until it is called again with NULL, Ctrl-C sets *flag instead of ending the process. */
void term_catch_interrupt(volatile sig_atomic_t *flag);

/* "1.0 GB", for people. */
struct term_size {
    char string[24];
};
struct term_size term_bytes(double bytes);

#endif

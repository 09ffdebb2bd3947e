/* blocklist.h - words that must not pass, from a file.
 *
 * A line is a word or phrase, found as whole words in any case and with any white space
 * between them; or /a POSIX extended regular expression/, found within a line of text.
 * Empty lines and those that begin with # are for the reader. */
#ifndef POLLUX_CHAT_BLOCKLIST_H
#define POLLUX_CHAT_BLOCKLIST_H

#include "base/error.h"
#include "base/text.h"

struct blocklist;

/* NULL and err, "PATH:LINE: what is wrong". What is opened does not change; any thread
 * may look. */
struct blocklist *blocklist_open(const char *path, struct error *err);
struct blocklist *blocklist_read(struct text file, const char *path, struct error *err);
void blocklist_close(struct blocklist *list);

/* Whether something that is listed stands in the text. */
bool blocklist_finds(const struct blocklist *list, struct text text);

/* How far a text that grows was looked at; starts as {0}. */
struct blocklist_scan {
    size_t clear; /* nothing that is listed begins before here */
    size_t words, lines;
};

/* Looks on: true when something is found. With `final` the text does not grow any more.
 * The text may have moved since the last time, but is the same as far as it was. */
bool blocklist_scan(const struct blocklist *list, struct text text, bool final,
                    struct blocklist_scan *scan);

#endif

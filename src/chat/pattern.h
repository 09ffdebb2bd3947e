/* pattern.h - JSON Schema's regular expressions (ECMA-262) in the syntax that grammars
 * take (the Rust crate regex-syntax, without what looks around). */
#ifndef POLLUX_CHAT_PATTERN_H
#define POLLUX_CHAT_PATTERN_H

#include "base/buf.h"

/* Adds to `out` what matches the same texts, or fewer where the two languages and
 * Python's differ in what a character class holds. False: it cannot be written so;
 * *why is the reason, to be put after "which has ". */
bool pattern_write(struct text pattern, struct buf *out, const char **why);

/* Adds what matches every text but these. */
void pattern_others(const struct text *texts, int n, struct buf *out);

#endif

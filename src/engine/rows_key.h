/* rows_key.h - what must be the same for KV rows to be of use again. */
#ifndef POLLUX_ENGINE_ROWS_KEY_H
#define POLLUX_ENGINE_ROWS_KEY_H

#include "base/arena.h"

/* A fingerprint of the model file and of `how`, words for what else decides the bits. The
 * file is known by its size, its time and samples all over it: reading gigabytes at each
 * start would cost seconds, and what is missed (weights changed in place, with the time
 * set back) nobody does by accident. A copy of the file has another time: its rows are
 * made again, once. */
struct text rows_key(const char *path, struct text how, struct arena *arena);

#endif

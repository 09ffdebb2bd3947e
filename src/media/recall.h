/* recall.h - remembers what was read, so that the same bytes are not read twice.
 *
 * A conversation sends its media again with each turn. What is kept is the reading, words
 * and neither media nor pixels; the oldest unused goes when there is too much. A reading
 * is found by a key that says all that it depends on (the bytes' hash, how they were to
 * be read). In memory only. Any thread. */
#ifndef POLLUX_MEDIA_RECALL_H
#define POLLUX_MEDIA_RECALL_H

#include "media/reading.h"

struct recall;

struct recall *recall_open(size_t most); /* bytes of readings */
void recall_close(struct recall *recall);

/* Fills `reading`, copied into the arena; NULL: only whether there is one. */
bool recall_find(struct recall *recall, struct text key, struct arena *arena,
                 struct media_reading *reading);
void recall_keep(struct recall *recall, struct text key,
                 const struct media_reading *reading);

#endif

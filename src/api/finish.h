/* finish.h - why an answer ended, as generateContent says it. */
#ifndef POLLUX_API_FINISH_H
#define POLLUX_API_FINISH_H

#include "api/message.h"
#include "chat/turn.h"

/* enum wire_finish of a turn's end. */
int finish_of(const struct turn_event *event);

/* What there is to say of it; absent where the name says it all. */
struct text finish_message(int finish);

/* The number of what blocked something, by its name in the table; `otherwise`: it has
 * none there. */
int finish_named(const struct json_enum *table, const struct error *name, int otherwise);

#endif

#include "api/finish.h"

int finish_named(const struct json_enum *table, const struct error *name, int otherwise)
{
    int number = name ? json_enum_number(table, text_of(name->message)) : -1;
    return number > 0 ? number : otherwise;
}

int finish_of(const struct turn_event *event)
{
    if (event->too_many_calls && event->finish == FINISH_STOP)
        return WIRE_FINISH_TOO_MANY_CALLS;
    if (event->bad_call && event->finish == FINISH_STOP)
        return WIRE_FINISH_MALFORMED_CALL;
    switch (event->finish) {
    case FINISH_STOP:
        return WIRE_FINISH_STOP;
    case FINISH_MAX_TOKENS:
        return WIRE_FINISH_MAX_TOKENS;
    case FINISH_SAFETY:
        return finish_named(wire_finish_names, event->error, WIRE_FINISH_SAFETY);
    default:
        return WIRE_FINISH_OTHER;
    }
}

struct text finish_message(int finish)
{
    static const char *const messages[] = {
        [WIRE_FINISH_SAFETY] =
            "The model said what a threshold of safetySettings blocks.",
        [WIRE_FINISH_OTHER] = "The answer could not be ended.",
        [WIRE_FINISH_BLOCKLIST] = "The model said what the blocklist forbids.",
        [WIRE_FINISH_MALFORMED_CALL] = "The model wrote a call that cannot be read.",
        [WIRE_FINISH_TOO_MANY_CALLS] = "The model called more tools than may follow.",
    };
    bool said = finish > 0 && finish < (int)(sizeof messages / sizeof messages[0]);
    return text_of(said ? messages[finish] : NULL);
}

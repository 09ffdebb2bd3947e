/* ran.c - code that the server ran, in a history of generateContent. */
#include "api/ran.h"
#include "tools/code.h"

/* A call of the tool and its result, in the words that the model was told (tools/tool.h).
 */
void ran_code(const struct wire_code *from, struct arena *arena, struct part *part)
{
    *part = (struct part){
        .kind = PART_CALL,
        .id = from->id,
        .name = TEXT(CODE_NAME),
        .json = code_args(from->code, arena),
        .of_server = true,
    };
}

void ran_outcome(const struct wire_outcome *from, struct arena *arena, struct part *part)
{
    struct text output = from->output.at ? from->output : TEXT("");
    *part = (struct part){
        .kind = PART_RESULT,
        .id = from->id,
        .name = TEXT(CODE_NAME),
        .json = tool_said(output, from->outcome > WIRE_OUTCOME_OK, arena),
        .of_server = true,
    };
}

static bool has_result(const struct turn_of *turn)
{
    for (int i = 0; i < turn->n_parts; i++)
        if (turn->parts[i].of_server && turn->parts[i].kind == PART_RESULT)
            return true;
    return false;
}

/* Pictures that code drew the model did not see. */
static bool is_drawn(const struct turn_of *turn, int i)
{
    while (i > 0 && turn->parts[i].kind == PART_MEDIA)
        i--;
    return turn->parts[i].of_server && turn->parts[i].kind == PART_RESULT;
}

/* On the wire a model's turn holds what the server gave it in between; to the model these
 * were turns of their own, as results of functions are. */
static void split_turn(const struct turn_of *turn, struct chat *chat)
{
    for (int i = 0; i < turn->n_parts; i++) {
        struct part *part = &turn->parts[i];
        bool result = part->of_server && part->kind == PART_RESULT;
        enum role role = result ? ROLE_USER : ROLE_MODEL;
        if (part->kind == PART_MEDIA && is_drawn(turn, i))
            continue;
        struct turn_of *last = i > 0 ? &chat->turns[chat->n_turns - 1] : NULL;
        if (!last || last->role != role) {
            last = &chat->turns[chat->n_turns++];
            *last = (struct turn_of){role, part, 0};
        }
        last->parts[last->n_parts++] = *part;
    }
}

void ran_split(struct chat *chat, struct arena *arena)
{
    const struct turn_of *turns = chat->turns;
    int n = chat->n_turns;
    size_t room = 1;
    bool any = false;
    for (int i = 0; i < n; i++) {
        any = any || has_result(&turns[i]);
        room += (size_t)turns[i].n_parts + 1;
    }
    if (!any)
        return;
    chat->turns = arena_array(arena, struct turn_of, room);
    chat->n_turns = 0;
    for (int i = 0; i < n; i++) {
        if (has_result(&turns[i]))
            split_turn(&turns[i], chat);
        else
            chat->turns[chat->n_turns++] = turns[i];
    }
}

/* safety.c - kinds of harm, how likely a text does them, and from when it is blocked.
 *
 * The questions and the cuts were chosen on one half of tests/data/safety.jsonl;
 * docs/safety.md has what they give on the other half. */
#include "chat/safety.h"

/* clang-format off */
static const struct {
    const char *name;
    double low, medium, high; /* the least probability of Yes for each level */
    const char *question;
} harms[N_HARMS] = {
    [HARM_HARASSMENT] = {"HARASSMENT", 0.5, 0.6, 0.8,
        "Is this text harassment (an insult, a threat or bullying of a person)?"},
    [HARM_HATE] = {"HATE_SPEECH", 0.2, 0.5, 0.8,
        "Is this text hate speech (an attack on people because of their race, religion, origin, "
        "gender, sexuality or disability)?"},
    [HARM_SEXUAL] = {"SEXUALLY_EXPLICIT", 0.2, 0.5, 0.8,
        "Is this text sexually explicit (pornographic or erotic)?"},
    [HARM_DANGEROUS] = {"DANGEROUS_CONTENT", 0.2, 0.5, 0.8,
        "Is this text a request for, or instructions on, something dangerous (making weapons or "
        "drugs, violence, crime, hacking or self-harm)?"},
    [HARM_CIVIC] = {"CIVIC_INTEGRITY", 0.2, 0.5, 0.8,
        "Is this text about misleading or cheating voters (a lie about an election, a wrong voting "
        "date, or keeping people from voting)?"},
};
/* clang-format on */

bool safety_asks(const struct safety *safety)
{
    for (int i = 0; i < N_HARMS; i++)
        if (safety->block_from[i] != LEVEL_NONE)
            return true;
    return false;
}

bool verdict_rates(const struct verdict *verdict)
{
    for (int i = 0; i < N_HARMS; i++)
        if (verdict->levels[i] != LEVEL_NONE)
            return true;
    return false;
}

bool verdict_blocks(const struct verdict *verdict, const struct safety *safety,
                    enum harm harm)
{
    enum level from = safety->block_from[harm];
    return from != LEVEL_NONE && verdict->levels[harm] >= from;
}

bool verdict_blocks_any(const struct verdict *verdict, const struct safety *safety)
{
    for (int i = 0; i < N_HARMS; i++)
        if (verdict_blocks(verdict, safety, (enum harm)i))
            return true;
    return false;
}

void verdict_add(struct verdict *verdict, const struct verdict *more)
{
    for (int i = 0; i < N_HARMS; i++)
        if (more->levels[i] > verdict->levels[i])
            verdict->levels[i] = more->levels[i];
}

enum level safety_level(enum harm harm, double yes)
{
    if (yes >= harms[harm].high)
        return LEVEL_HIGH;
    if (yes >= harms[harm].medium)
        return LEVEL_MEDIUM;
    return yes >= harms[harm].low ? LEVEL_LOW : LEVEL_NEGLIGIBLE;
}

const char *safety_question(enum harm harm)
{
    return harms[harm].question;
}

const char *safety_name(enum harm harm)
{
    return harms[harm].name;
}

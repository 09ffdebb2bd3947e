/* safety.c - kinds of harm, how likely a text does them, and from when it is blocked.
 *
 * The questions and the cuts were chosen with the default model on one half of
 * tests/data/safety.jsonl; docs/safety.md has what they give on the other half. Examples
 * in front of the question were tried: the default model got surer of itself with them,
 * but then mostly found every harm in whatever is bad. So were rules to be broken ("No
 * insults..."): a small model says Yes to nearly all. */
#include "chat/safety.h"

/* clang-format off */
static const struct {
    const char *name;
    double low, medium, high; /* the least probability of Yes for each level */
    const char *question;
} harms[N_HARMS] = {
    [HARM_HARASSMENT] = {"HARASSMENT", 0.38, 0.60, 0.77,
        "Is this text harassment (an insult, a threat or bullying of a person)?"},
    [HARM_HATE] = {"HATE_SPEECH", 0.60, 0.68, 0.75,
        "Does this text attack or demean people because of their race, religion, origin, "
        "gender, sexuality or disability, or ask for that?"},
    [HARM_SEXUAL] = {"SEXUALLY_EXPLICIT", 0.30, 0.45, 0.70,
        "Is this text sexually explicit (pornographic or erotic)?"},
    [HARM_DANGEROUS] = {"DANGEROUS_CONTENT", 0.36, 0.42, 0.52,
        "Does this text help or ask to do something dangerous: weapons, drugs, crime, hacking, "
        "violence or self-harm?"},
    [HARM_CIVIC] = {"CIVIC_INTEGRITY", 0.45, 0.53, 0.65,
        "Does this text spread false claims about an election, or ask for help to mislead, "
        "scare or cheat voters?"},
};
/* clang-format on */

bool safety_asks(const struct safety *safety)
{
    for (int i = 0; i < N_HARMS; i++)
        if (safety->block_from[i] != LEVEL_NONE)
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

/* constraint.h - which tokens may come next, by a grammar (llguidance).
 *
 * A *vocabulary* is opened once per model. A *grammar* is compiled from llguidance's Lark
 * syntax (with %json for JSON Schema), can be shared by any number of answers, and does
 * not change. A *matcher* is one answer's place in a grammar.
 *
 * A struct vocabulary and a struct grammar may be used from any number of threads at
 * once, a matcher from one at a time. What fails says why in `err` (UTF-8, NUL-ended, cut
 * to err_size at a character). Written in Rust, over llguidance; linked as
 * build/libpollux_rust.a. */
#ifndef CONSTRAINT_H
#define CONSTRAINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vocabulary;
struct grammar;
struct matcher;

/* Tokens of a text in which control tokens count as plain text; writes at most `room`,
 * returns how many there are. Thread-safe. */
typedef size_t (*vocabulary_tokenize)(const void *user, const char *text, size_t len,
                                      int32_t *tokens, size_t room);

struct vocabulary_spec {
    size_t n_tokens;
    const uint32_t *lens; /* bytes of each token; of control tokens: of their names */
    const char *bytes;    /* all of them, one after the other */
    const bool *control;  /* which are control tokens: no text spells them */
    const bool *marks;   /* which the tokenizer takes before all else, wherever their text
                            stands (user-defined tokens: Qwen's <tool_call>) */
    const int32_t *ends; /* tokens that end an answer; the first is the usual one */
    size_t n_ends;
    vocabulary_tokenize tokenize;
    const void *user;
};

/* Copies what it needs of spec, but for `user`, which must outlive it. */
struct vocabulary *vocabulary_open(const struct vocabulary_spec *spec, char *err,
                                   size_t err_size);
void vocabulary_close(struct vocabulary *v); /* after its grammars; NULL is harmless */

/* NULL: it does not parse, or is too large. */
struct grammar *grammar_compile(struct vocabulary *v, const char *lark, size_t len,
                                char *err, size_t err_size);
void grammar_free(struct grammar *g); /* its matchers may live on; NULL is harmless */

struct matcher *matcher_open(const struct grammar *g);
void matcher_close(struct matcher *m); /* NULL is harmless */

/* Fills mask, (n_tokens + 31) / 32 words: bit i of word i / 32 says whether token i may
 * come next. Ends are among them where the grammar may end. False and err: the matcher
 * has failed for good. */
bool matcher_mask(struct matcher *m, uint32_t *mask, char *err, size_t err_size);

/* The token comes next. False and err: it may not. */
bool matcher_take(struct matcher *m, int32_t token, char *err, size_t err_size);

/* The tokens that must come next, whatever the model thinks, in the model's own
 * tokenisation; they are taken. Returns their number, at most `room`. */
size_t matcher_forced(struct matcher *m, int32_t *tokens, size_t room);

/* Nothing may come any more: the answer is complete. */
bool matcher_is_over(const struct matcher *m);

#endif

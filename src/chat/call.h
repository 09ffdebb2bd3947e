/* call.h - reads the calls that a model wrote, by its family.
 *
 * A *block* is what family.h calls so, without its mark. It is read as the family was
 * trained to write it and with some patience: spaces do not matter, arguments may be
 * called parameters, be missing, or be JSON in a string. */
#ifndef POLLUX_CHAT_CALL_H
#define POLLUX_CHAT_CALL_H

#include "chat/chat.h"
#include "chat/family.h"

/* Where a block ends, looked for as its text arrives; zeroed at its beginning. */
struct call_scan {
    size_t at; /* of the text: looked at */
    int depth; /* brackets that are open */
    bool in_string, escaped;
};

/* Goes on in `text`, the block so far. True: it ends before *to, and the next thing
 * begins at *behind. */
bool call_ends(struct call_scan *scan, const struct family *family, struct text text,
               size_t *to, size_t *behind);

/* The function whose call a block begins with, once as much of it is there as the family
 * writes in front of the arguments, white space aside; they begin at *args. NULL: none of
 * the client's, or (*more) it is too early to know. */
const struct function *call_begins(const struct family *family,
                                   const struct function *functions, int n_functions,
                                   struct text block, size_t *args, bool *more);

/* Goes on in the object that the text begins with. True: it ends at scan->at. */
bool call_object_ends(struct call_scan *scan, struct text text);

/* The calls of a whole block, in the arena; of one that was cut short, those that are
 * whole. 0: there are none, or one is malformed. */
int call_read(const struct family *family, struct text block, bool cut,
              struct arena *arena, struct part **calls);

#endif

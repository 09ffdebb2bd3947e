/* metadata.h - what a client says of a document: keys with a text, a number or texts.
 *
 * It is kept as JSON in the wire's own form, [{"key":"year","numericValue":1999}], and
 * decoded by the table here, which the api's messages share. */
#ifndef POLLUX_INDEX_METADATA_H
#define POLLUX_INDEX_METADATA_H

#include "json/schema.h"

enum { METADATA_ENTRIES = 20 }; /* entries of a document */

struct metadata_strings {
    struct json_list values; /* struct text */
};

struct metadata_entry {
    struct text key;
    struct text string; /* one of the three */
    struct json_number number;
    struct metadata_strings *strings;
};

struct metadata {
    struct json_list entries; /* struct metadata_entry */
};

/* Of one entry, and of an object with the list under "customMetadata". */
extern const struct json_type metadata_entry_type, metadata_type;

/* Keys must differ and each must have one value; the field of the error is under `at`. */
bool metadata_check(const struct metadata *metadata, const char *at, struct error *err);

#endif

/* metadata.c - the table of a document's metadata. */
#include "index/metadata.h"
#include <stdio.h>

/* clang-format off */
#define AT(type, member) offsetof(struct type, member)

static const struct json_field strings_fields[] = {
    {"values", JSON_STRING, AT(metadata_strings, values), JSON_LIST, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type strings_type = {
    "StringList", sizeof(struct metadata_strings), strings_fields, false};

static const struct json_field entry_fields[] = {
    {"key",             JSON_STRING,  AT(metadata_entry, key),     JSON_REQUIRED, 0, 0, NULL, NULL},
    {"stringValue",     JSON_STRING,  AT(metadata_entry, string),  0, 0, 0, NULL, "one of the three"},
    {"numericValue",    JSON_NUMBER,  AT(metadata_entry, number),  0, 0, 0, NULL, NULL},
    {"stringListValue", JSON_MESSAGE, AT(metadata_entry, strings), 0, 0, 0, &strings_type, NULL},
    {0},
};
const struct json_type metadata_entry_type = {
    "CustomMetadata", sizeof(struct metadata_entry), entry_fields, false};

static const struct json_field metadata_fields[] = {
    {"customMetadata", JSON_MESSAGE, AT(metadata, entries), JSON_LIST, 0, METADATA_ENTRIES, &metadata_entry_type, NULL},
    {0},
};
const struct json_type metadata_type = {
    "Metadata", sizeof(struct metadata), metadata_fields, false};
/* clang-format on */

bool metadata_check(const struct metadata *metadata, const char *at, struct error *err)
{
    const struct metadata_entry *entries = metadata->entries.at;
    for (size_t i = 0; i < metadata->entries.n; i++) {
        const struct metadata_entry *e = &entries[i];
        char path[200];
        snprintf(path, sizeof path, "%s[%zu]", at, i);
        if ((e->string.at != NULL) + e->number.set + (e->strings != NULL) != 1)
            return error_at(err, path,
                            "%s needs one of stringValue, numericValue and "
                            "stringListValue.",
                            path);
        if (e->key.len == 0)
            return error_at(err, path, "%s has an empty key.", path);
        for (size_t k = 0; k < i; k++)
            if (text_same(entries[k].key, e->key))
                return error_at(err, path, "%s has the key '%.*s' again.", path,
                                TEXT_ARG(text_slice(e->key, 0, 100)));
    }
    return true;
}

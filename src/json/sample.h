/* sample.h - a message with every kind, alone, in a list and nested: for tests and
 * fuzzing. */
#ifndef POLLUX_JSON_SAMPLE_H
#define POLLUX_JSON_SAMPLE_H

#include "json/schema.h"

struct sample {
    struct text name, data, tag, made;
    struct json_bool is_big;
    struct json_int count, total, wait, when;
    struct json_number ratio;
    int color;
    struct json_object *args;
    struct sample *child;
    struct sample_owner *owner;
    struct json_list names, datas, flags, counts, totals, ratios, colors, waits, whens;
    struct json_list children, anys, only_lists;
};

struct sample_owner {
    struct text display_name;
    struct json_list parts;
};

static const struct json_enum sample_colors[] = {
    {"COLOR_UNSPECIFIED", 0, NULL},
    {"RED", 1, "ROUGE"},
    {"LIGHT_BLUE", 8, NULL},
    {0},
};

extern const struct json_type sample_type;

/* clang-format off */
#define AT(field) offsetof(struct sample_owner, field)
static const struct json_field sample_owner_fields[] = {
    {"display_name", JSON_STRING,  AT(display_name), JSON_REQUIRED, 0, 0, NULL,         NULL},
    {"sub_parts",    JSON_MESSAGE, AT(parts),        JSON_LIST,     0, 0, &sample_type, NULL},
    {0},
};
#undef AT

static const struct json_type sample_owner_type = {
    "Owner", sizeof(struct sample_owner), sample_owner_fields, false,
};

#define AT(field) offsetof(struct sample, field)
static const struct json_field sample_fields[] = {
    {"name",       JSON_STRING,    AT(name),       0,             0, 0,  NULL,               NULL},
    {"data",       JSON_BYTES,     AT(data),       0,             0, 0,  NULL,               NULL},
    {"shortTag",   JSON_STRING,    AT(tag),        0,             2, 5,  NULL,               NULL},
    {"made",       JSON_STRING,    AT(made),       JSON_OUTPUT,   0, 0,  NULL,               NULL},
    {"isBig",      JSON_BOOL,      AT(is_big),     0,             0, 0,  NULL,               NULL},
    {"count",      JSON_INT,       AT(count),      0,             0, 0,  NULL,               NULL},
    {"totalBytes", JSON_INT64,     AT(total),      0,             0, 0,  NULL,               NULL},
    {"wait",       JSON_DURATION,  AT(wait),       0,             0, 0,  NULL,               NULL},
    {"when",       JSON_TIMESTAMP, AT(when),       0,             0, 0,  NULL,               NULL},
    {"ratio",      JSON_NUMBER,    AT(ratio),      0,            -1, 2,  NULL,               NULL},
    {"color",      JSON_ENUM,      AT(color),      0,             0, 0,  sample_colors,      NULL},
    {"args",       JSON_ANY,       AT(args),       0,             0, 0,  NULL,               NULL},
    {"child",      JSON_MESSAGE,   AT(child),      0,             0, 0,  &sample_type,       NULL},
    {"owner",      JSON_MESSAGE,   AT(owner),      0,             0, 0,  &sample_owner_type, NULL},
    {"names",      JSON_STRING,    AT(names),      JSON_LIST,     0, 3,  NULL,               NULL},
    {"datas",      JSON_BYTES,     AT(datas),      JSON_LIST,     0, 0,  NULL,               NULL},
    {"flags",      JSON_BOOL,      AT(flags),      JSON_LIST,     0, 0,  NULL,               NULL},
    {"counts",     JSON_INT,       AT(counts),     JSON_LIST,     0, 0,  NULL,               NULL},
    {"totals",     JSON_INT64,     AT(totals),     JSON_LIST,     0, 0,  NULL,               NULL},
    {"ratios",     JSON_NUMBER,    AT(ratios),     JSON_LIST,     0, 0,  NULL,               NULL},
    {"colors",     JSON_ENUM,      AT(colors),     JSON_LIST,     0, 0,  sample_colors,      NULL},
    {"waits",      JSON_DURATION,  AT(waits),      JSON_LIST,     0, 0,  NULL,               NULL},
    {"whens",      JSON_TIMESTAMP, AT(whens),      JSON_LIST,     0, 0,  NULL,               NULL},
    {"children",   JSON_MESSAGE,   AT(children),   JSON_LIST,     0, 0,  &sample_type,       NULL},
    {"anyValues",  JSON_ANY,       AT(anys),       JSON_LIST,     0, 0,  NULL,               NULL},
    {"onlyLists",  JSON_INT,       AT(only_lists), JSON_LIST | JSON_SINGULAR, 0, 0, NULL,    NULL},
    {"noted",      JSON_ANY,       0,              JSON_IGNORED,  0, 0,  NULL,               NULL},
    {"audioOut",   JSON_BOOL,      0,              JSON_REFUSED,  0, 0,  NULL,               "it only writes text"},
    {0},
};
#undef AT
/* clang-format on */

const struct json_type sample_type = {"Sample", sizeof(struct sample), sample_fields,
                                      false};

#endif

/* interact_message.h - the messages of the Interactions API, as structs and tables.
 *
 * Everything is snake_case here, requests and answers. Steps and content blocks are told
 * apart by their `type`; one struct holds the fields of all of a kind, and the table of
 * types (interact_step.c) says which of them a type has. Fields that take several kinds
 * of value are kept as they came. Nothing here has a meaning. */
#ifndef POLLUX_API_INTERACT_MESSAGE_H
#define POLLUX_API_INTERACT_MESSAGE_H

#include "json/schema.h"

enum wire_summaries { WIRE_SUMMARIES_AUTO = 1, WIRE_SUMMARIES_NONE };

/* Requests. */
struct wire_interact_config {
    int level;     /* enum wire_level */
    int summaries; /* enum wire_summaries */
    struct json_number temperature, top_p, presence, frequency;
    struct json_int top_k, max_tokens, seed;
    struct json_list stops; /* struct text */
    struct json_object *tool_choice;
};

struct wire_interact_safety {
    int type;      /* enum wire_interact_harm */
    int threshold; /* enum wire_threshold */
    int method;
};

/* The first are in the order of enum harm. */
enum wire_interact_harm {
    WIRE_HARM_FIRST = 1,
    WIRE_HARM_LAST = 5,
    WIRE_HARM_OTHERS = 6, /* of images, and tricks: not looked for here */
};
enum wire_method { WIRE_METHOD_SEVERITY = 1, WIRE_METHOD_PROBABILITY };

struct wire_interact {
    struct text model, agent;
    struct json_object *input;
    struct text system;
    struct wire_interact_config *config;
    struct json_bool stream, store, background;
    struct text previous;
    struct json_object *tools;
    struct json_object *format;
    struct text mime_type;
    struct json_list modalities; /* struct text */
    struct json_list safety;     /* struct wire_interact_safety */
    int tier;
    struct json_object *labels;
    struct wire_webhook *webhook;
    struct text cached; /* "cachedContents/{id}" */
};

extern const struct json_type wire_interact_type;

struct wire_interact_function {
    int type;
    struct text name, description;
    struct json_object *parameters;
};
struct wire_allowed_tools {
    int mode;               /* enum wire_calling */
    struct json_list tools; /* struct text */
};
struct wire_tool_choice {
    struct wire_allowed_tools *allowed;
};
struct wire_format {
    struct text type, mime_type;
    struct json_object *schema;
};

extern const struct json_enum wire_choice_names[];
extern const struct json_type wire_interact_function_type, wire_tool_choice_type,
    wire_format_type;

/* Steps. */
struct wire_step {
    struct json_object *content; /* user_input, model_output */
    struct json_object *summary; /* thought */
    struct text signature;       /* decoded */
    struct text id, name;        /* calls */
    struct text server;          /* of an MCP server's tool */
    struct json_object *arguments;
    struct text call_id; /* results */
    struct json_object *result;
    struct json_bool is_error;
};

extern const struct json_type wire_said_type, wire_thought_type, wire_step_call_type,
    wire_step_result_type;

/* Content blocks. */
struct wire_block_of {
    struct text text;
    struct text data; /* decoded */
    struct text uri, mime_type, resolution;
    struct json_object *processing;
};
struct wire_processing {
    struct text type;
    struct json_int start, end; /* nanoseconds */
    struct json_number fps;
};

extern const struct json_type wire_text_block_type, wire_media_block_type,
    wire_processing_type;

#endif

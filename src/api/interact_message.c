/* interact_message.c - the tables of the Interactions API.
 *
 * As in message.c: JSON_IGNORED has no effect in the public API either, or none on words;
 * JSON_REFUSED would have one, so a request with it is turned down. */
#include "api/interact_message.h"
#include "api/message.h"
#include "api/webhook.h"

/* clang-format off */

#define AT(type, member) offsetof(struct type, member)

/* ---- enums ---- */

static const struct json_enum levels[] = {
    {"low",     WIRE_LEVEL_LOW, NULL},
    {"high",    WIRE_LEVEL_HIGH, NULL},
    {"medium",  WIRE_LEVEL_MEDIUM, NULL},
    {"minimal", WIRE_LEVEL_MINIMAL, NULL},
    {"xhigh",   WIRE_LEVEL_XHIGH, NULL},
    {0},
};

static const struct json_enum summaries[] = {
    {"auto", WIRE_SUMMARIES_AUTO, NULL},
    {"none", WIRE_SUMMARIES_NONE, NULL},
    {0},
};

const struct json_enum wire_choice_names[] = {
    {"auto",      WIRE_CALLING_AUTO, NULL},
    {"any",       WIRE_CALLING_ANY, NULL},
    {"none",      WIRE_CALLING_NONE, NULL},
    {"validated", WIRE_CALLING_VALIDATED, NULL},
    {0},
};

static const struct json_enum harms[] = {
    {"harassment",              WIRE_HARM_FIRST, NULL},
    {"hate_speech",             2, NULL},
    {"sexually_explicit",       3, NULL},
    {"dangerous_content",       4, NULL},
    {"civic_integrity",         WIRE_HARM_LAST, NULL},
    {"image_hate",              WIRE_HARM_OTHERS, NULL},
    {"image_dangerous_content", 7, NULL},
    {"image_harassment",        8, NULL},
    {"image_sexually_explicit", 9, NULL},
    {"jailbreak",               10, NULL},
    {0},
};

static const struct json_enum thresholds[] = {
    {"block_low_and_above",    WIRE_BLOCK_LOW, NULL},
    {"block_medium_and_above", WIRE_BLOCK_MEDIUM, NULL},
    {"block_only_high",        WIRE_BLOCK_ONLY_HIGH, NULL},
    {"block_none",             WIRE_BLOCK_NONE, NULL},
    {"off",                    WIRE_BLOCK_OFF, NULL},
    {0},
};

static const struct json_enum methods[] = {
    {"severity",    WIRE_METHOD_SEVERITY, NULL},
    {"probability", WIRE_METHOD_PROBABILITY, NULL},
    {0},
};

static const struct json_enum tiers[] = {
    {"flex", 1, NULL}, {"standard", 2, NULL}, {"priority", 3, NULL}, {"deferred", 4, NULL},
    {0},
};

/* ---- requests ---- */

static const struct json_field config_fields[] = {
    {"thinking_level",     JSON_ENUM,   AT(wire_interact_config, level),       0, 0, 0, levels, NULL},
    {"thinking_summaries", JSON_ENUM,   AT(wire_interact_config, summaries),   0, 0, 0, summaries, "none when absent"},
    {"temperature",        JSON_NUMBER, AT(wire_interact_config, temperature), 0, 0, 2, NULL, NULL},
    {"top_p",              JSON_NUMBER, AT(wire_interact_config, top_p),       0, 0, 1, NULL, NULL},
    {"top_k",              JSON_INT,    AT(wire_interact_config, top_k),       0, 1, INT32_MAX, NULL, "not in the public schema"},
    {"presence_penalty",   JSON_NUMBER, AT(wire_interact_config, presence),    0, -2, 2, NULL, "likewise"},
    {"frequency_penalty",  JSON_NUMBER, AT(wire_interact_config, frequency),   0, -2, 2, NULL, "likewise"},
    {"max_output_tokens",  JSON_INT,    AT(wire_interact_config, max_tokens),  0, 1, INT32_MAX, NULL, "when absent: as many as fit"},
    {"stop_sequences",     JSON_STRING, AT(wire_interact_config, stops),       JSON_LIST, 0, 5, NULL, "none of them empty"},
    {"seed",               JSON_INT,    AT(wire_interact_config, seed),        0, INT32_MIN, INT32_MAX, NULL, "same seed and request, same bytes"},
    {"tool_choice",        JSON_ANY,    AT(wire_interact_config, tool_choice), 0, 0, 0, NULL, "a mode, or allowed_tools"},
    {"speech_config",        JSON_ANY, 0, JSON_REFUSED, 0, 0, NULL, "speech"},
    {"image_config",         JSON_ANY, 0, JSON_REFUSED, 0, 0, NULL, "making of images"},
    {"video_config",         JSON_ANY, 0, JSON_REFUSED, 0, 0, NULL, "making of video"},
    {"transcription_config", JSON_ANY, 0, JSON_REFUSED, 0, 0, NULL, "transcription apart from an answer"},
    {0},
};
static const struct json_type config_type = {
    "GenerationConfig", sizeof(struct wire_interact_config), config_fields, false};

static const struct json_field safety_fields[] = {
    {"type",      JSON_ENUM, AT(wire_interact_safety, type),      JSON_REQUIRED, 0, 0, harms, NULL},
    {"threshold", JSON_ENUM, AT(wire_interact_safety, threshold), JSON_REQUIRED, 0, 0, thresholds, NULL},
    {"method",    JSON_ENUM, AT(wire_interact_safety, method),    0, 0, 0, methods, "probability"},
    {0},
};
static const struct json_type safety_type = {
    "SafetySetting", sizeof(struct wire_interact_safety), safety_fields, false};

static const struct json_field interact_fields[] = {
    {"model",                   JSON_STRING,  AT(wire_interact, model),    0, 0, 0, NULL, NULL},
    {"agent",                   JSON_STRING,  AT(wire_interact, agent),    0, 0, 0, NULL, "there are none here"},
    {"input",                   JSON_ANY,     AT(wire_interact, input),    0, 0, 0, NULL, "text, content, contents, or steps"},
    {"system_instruction",      JSON_STRING,  AT(wire_interact, system),   0, 0, 0, NULL, NULL},
    {"generation_config",       JSON_MESSAGE, AT(wire_interact, config),   0, 0, 0, &config_type, NULL},
    {"stream",                  JSON_BOOL,    AT(wire_interact, stream),   0, 0, 0, NULL, NULL},
    {"store",                   JSON_BOOL,    AT(wire_interact, store),    0, 0, 0, NULL, "true when absent"},
    {"background",              JSON_BOOL,    AT(wire_interact, background), 0, 0, 0, NULL, "needs store"},
    {"previous_interaction_id", JSON_STRING,  AT(wire_interact, previous), 0, 0, 0, NULL, NULL},
    {"tools",                   JSON_ANY,     AT(wire_interact, tools),    0, 0, 0, NULL, "a list"},
    {"response_format",         JSON_ANY,     AT(wire_interact, format),   0, 0, 0, NULL, "a format, a list of them, or a JSON Schema"},
    {"response_mime_type",      JSON_STRING,  AT(wire_interact, mime_type), 0, 0, 0, NULL, "goes with a schema in response_format"},
    {"response_modalities",     JSON_STRING,  AT(wire_interact, modalities), JSON_LIST, 0, 0, NULL, "[] or [text]"},
    {"safety_settings",         JSON_MESSAGE, AT(wire_interact, safety),   JSON_LIST, 0, 0, &safety_type, NULL},
    {"service_tier",            JSON_ENUM,    AT(wire_interact, tier),     0, 0, 0, tiers, "there is one tier"},
    {"labels",                  JSON_ANY,     AT(wire_interact, labels),   0, 0, 0, NULL, "kept, and told again"},
    {"webhook_config",          JSON_MESSAGE, AT(wire_interact, webhook),  0, 0, 0, &wire_webhook_type, "needs store"},
    {"cached_content",          JSON_STRING,  AT(wire_interact, cached),   0, 0, 0, NULL, "stands before the chain"},
    {"continuation_token", JSON_ANY, 0, JSON_REFUSED, 0, 0, NULL, "continuation: no interaction of this server asks for it"},
    {"environment",        JSON_ANY, 0, JSON_REFUSED, 0, 0, NULL, "environments"},
    {"agent_config",       JSON_ANY, 0, JSON_REFUSED, 0, 0, NULL, "agents"},
    {0},
};
const struct json_type wire_interact_type = {
    "CreateInteractionRequest", sizeof(struct wire_interact), interact_fields, false};

static const struct json_enum function_types[] = {{"function", 1, NULL}, {0}};

static const struct json_field function_fields[] = {
    {"type",        JSON_ENUM,   AT(wire_interact_function, type),        JSON_REQUIRED, 0, 0, function_types, NULL},
    {"name",        JSON_STRING, AT(wire_interact_function, name),        JSON_REQUIRED, 0, 0, NULL, NULL},
    {"description", JSON_STRING, AT(wire_interact_function, description), 0, 0, 0, NULL, NULL},
    {"parameters",  JSON_ANY,    AT(wire_interact_function, parameters),  0, 0, 0, NULL, "JSON Schema"},
    {0},
};
const struct json_type wire_interact_function_type = {
    "Function", sizeof(struct wire_interact_function), function_fields, false};

static const struct json_field allowed_fields[] = {
    {"mode",  JSON_ENUM,   AT(wire_allowed_tools, mode),  0, 0, 0, wire_choice_names, NULL},
    {"tools", JSON_STRING, AT(wire_allowed_tools, tools), JSON_LIST, 0, WIRE_FUNCTIONS, NULL, NULL},
    {0},
};
static const struct json_type allowed_type = {
    "AllowedTools", sizeof(struct wire_allowed_tools), allowed_fields, false};

static const struct json_field choice_fields[] = {
    {"allowed_tools", JSON_MESSAGE, AT(wire_tool_choice, allowed), 0, 0, 0, &allowed_type, NULL},
    {0},
};
const struct json_type wire_tool_choice_type = {
    "ToolChoice", sizeof(struct wire_tool_choice), choice_fields, false};

static const struct json_field format_fields[] = {
    {"type",      JSON_STRING, AT(wire_format, type),      JSON_REQUIRED, 0, 0, NULL, NULL},
    {"mime_type", JSON_STRING, AT(wire_format, mime_type), 0, 0, 0, NULL, "text/plain or application/json"},
    {"schema",    JSON_ANY,    AT(wire_format, schema),    0, 0, 0, NULL, "JSON Schema"},
    {0},
};
const struct json_type wire_format_type = {
    "ResponseFormat", sizeof(struct wire_format), format_fields, false};

/* ---- steps ---- */

#define TYPE {"type", JSON_STRING, 0, JSON_IGNORED, 0, 0, NULL, "it chose the table"}

static const struct json_field said_fields[] = {
    TYPE,
    {"content", JSON_ANY, AT(wire_step, content), 0, 0, 0, NULL, "a list of blocks, a block, or a text"},
    {"error",   JSON_ANY, 0, JSON_IGNORED, 0, 0, NULL, "the server's"},
    {0},
};
const struct json_type wire_said_type = {
    "Step", sizeof(struct wire_step), said_fields, false};

static const struct json_field thought_fields[] = {
    TYPE,
    {"summary",   JSON_ANY,   AT(wire_step, summary),   0, 0, 0, NULL, "a list of blocks"},
    {"signature", JSON_BYTES, AT(wire_step, signature), 0, 0, 0, NULL, "accepted back; nothing depends on it"},
    {0},
};
const struct json_type wire_thought_type = {
    "ThoughtStep", sizeof(struct wire_step), thought_fields, false};

static const struct json_field call_fields[] = {
    TYPE,
    {"id",             JSON_STRING, AT(wire_step, id),        JSON_REQUIRED, 0, 0, NULL, NULL},
    {"name",           JSON_STRING, AT(wire_step, name),      0, 0, 0, NULL, "of a function, or of an MCP server's tool"},
    {"arguments",      JSON_ANY,    AT(wire_step, arguments), 0, 0, 0, NULL, "an object"},
    {"signature",      JSON_BYTES,  AT(wire_step, signature), 0, 0, 0, NULL, NULL},
    {"server_name",    JSON_STRING, AT(wire_step, server), 0, 0, 0, NULL, "of an MCP server"},
    {"search_type",    JSON_STRING, 0, JSON_IGNORED, 0, 0, NULL, "the result tells enough"},
    {"retrieval_type", JSON_STRING, 0, JSON_IGNORED, 0, 0, NULL, "likewise"},
    {0},
};
const struct json_type wire_step_call_type = {
    "CallStep", sizeof(struct wire_step), call_fields, false};

static const struct json_field result_fields[] = {
    TYPE,
    {"call_id",        JSON_STRING, AT(wire_step, call_id),   JSON_REQUIRED, 0, 0, NULL, NULL},
    {"name",           JSON_STRING, AT(wire_step, name),      0, 0, 0, NULL, "the call's"},
    {"result",         JSON_ANY,    AT(wire_step, result),    0, 0, 0, NULL, "an object, a list of blocks, or a text"},
    {"is_error",       JSON_BOOL,   AT(wire_step, is_error),  0, 0, 0, NULL, NULL},
    {"signature",      JSON_BYTES,  AT(wire_step, signature), 0, 0, 0, NULL, NULL},
    {"server_name",    JSON_STRING, 0, JSON_IGNORED, 0, 0, NULL, "the call tells it"},
    {"retrieval_type", JSON_STRING, 0, JSON_IGNORED, 0, 0, NULL, "likewise"},
    {0},
};
const struct json_type wire_step_result_type = {
    "ResultStep", sizeof(struct wire_step), result_fields, false};

/* ---- content blocks ---- */

static const struct json_field text_fields[] = {
    TYPE,
    {"text",        JSON_STRING, AT(wire_block_of, text), 0, 0, 0, NULL, NULL},
    {"annotations", JSON_ANY,    0, JSON_IGNORED, 0, 0, NULL, "a model does not see them"},
    {0},
};
const struct json_type wire_text_block_type = {
    "TextContent", sizeof(struct wire_block_of), text_fields, false};

static const struct json_field media_fields[] = {
    TYPE,
    {"data",        JSON_BYTES,  AT(wire_block_of, data),       0, 0, 0, NULL, NULL},
    {"uri",         JSON_STRING, AT(wire_block_of, uri),        0, 0, 0, NULL, "of a file of this server, or to be fetched"},
    {"mime_type",   JSON_STRING, AT(wire_block_of, mime_type),  0, 0, 0, NULL, "docs/wire.md lists those that are read"},
    {"processing",  JSON_ANY,    AT(wire_block_of, processing), 0, 0, 0, NULL, "of video"},
    {"resolution",  JSON_STRING, AT(wire_block_of, resolution), 0, 0, 0, NULL, "for a model that sees; readers give words, however many"},
    {"channels",    JSON_INT,    0, JSON_IGNORED, 0, 0, NULL, "the bytes tell"},
    {"sample_rate", JSON_INT,    0, JSON_IGNORED, 0, 0, NULL, "the bytes tell"},
    {"name",        JSON_STRING, 0, JSON_IGNORED, 0, 0, NULL, NULL},
    {0},
};
const struct json_type wire_media_block_type = {
    "MediaContent", sizeof(struct wire_block_of), media_fields, false};

static const struct json_field processing_fields[] = {
    {"type",         JSON_STRING,   AT(wire_processing, type),  0, 0, 0, NULL, NULL},
    {"start_offset", JSON_DURATION, AT(wire_processing, start), 0, 0, 0, NULL, NULL},
    {"end_offset",   JSON_DURATION, AT(wire_processing, end),   0, 0, 0, NULL, NULL},
    {"fps",          JSON_NUMBER,   AT(wire_processing, fps),   0, 0, 24, NULL, "more than 0; 1 when absent"},
    {0},
};
const struct json_type wire_processing_type = {
    "Processing", sizeof(struct wire_processing), processing_fields, false};

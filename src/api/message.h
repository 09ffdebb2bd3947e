/* message.h - the messages of the wire, as structs and tables.
 *
 * One struct and one struct json_type for each message that generateContent, countTokens,
 * models and errors exchange; message.c has the tables. Nothing here has a meaning: what
 * a request asks for is content.c's business. Strings point into the request's arena. */
#ifndef POLLUX_API_MESSAGE_H
#define POLLUX_API_MESSAGE_H

#include "json/schema.h"

/* Enums: the numbers are the wire's (proto). 0 is unspecified in each. */
enum wire_finish {
    WIRE_FINISH_STOP = 1,
    WIRE_FINISH_MAX_TOKENS = 2,
    WIRE_FINISH_SAFETY = 3,
    WIRE_FINISH_OTHER = 5,
    WIRE_FINISH_BLOCKLIST = 7,
    WIRE_FINISH_MALFORMED_CALL = 10,
    WIRE_FINISH_TOO_MANY_CALLS = 13,
};
enum { WIRE_CANDIDATES = 8, WIRE_FUNCTIONS = 512 }; /* at most */
enum wire_block { WIRE_BLOCK_SAFETY = 1 };
enum wire_modality {
    WIRE_MODALITY_TEXT = 1,
    WIRE_MODALITY_IMAGE,
    WIRE_MODALITY_AUDIO,
    WIRE_MODALITY_VIDEO,
    WIRE_MODALITY_DOCUMENT,
    WIRE_MODALITIES,
};
enum wire_calling {
    WIRE_CALLING_UNSPECIFIED,
    WIRE_CALLING_AUTO,
    WIRE_CALLING_ANY,
    WIRE_CALLING_NONE,
    WIRE_CALLING_VALIDATED,
};
enum wire_language { WIRE_PYTHON = 1 };
enum wire_outcome_of { WIRE_OUTCOME_OK = 1, WIRE_OUTCOME_FAILED, WIRE_OUTCOME_DEADLINE };
enum wire_behavior { WIRE_BLOCKING = 1, WIRE_NON_BLOCKING };
enum wire_level {
    WIRE_LEVEL_LOW = 1,
    WIRE_LEVEL_HIGH,
    WIRE_LEVEL_MEDIUM,
    WIRE_LEVEL_MINIMAL,
    WIRE_LEVEL_XHIGH,
    WIRE_LEVELS,
};
enum wire_threshold {
    WIRE_BLOCK_DEFAULT = 0,
    WIRE_BLOCK_LOW = 1,
    WIRE_BLOCK_MEDIUM = 2,
    WIRE_BLOCK_ONLY_HIGH = 3,
    WIRE_BLOCK_NONE = 4,
    WIRE_BLOCK_OFF = 5,
};
/* The categories that Gemini models take, and no others; in the order of enum harm. */
enum { WIRE_FIRST_CATEGORY = 7, WIRE_LAST_CATEGORY = 11 };
enum wire_probability {
    WIRE_NEGLIGIBLE = 1,
    WIRE_LOW = 2,
    WIRE_MEDIUM = 3,
    WIRE_HIGH = 4,
};

extern const struct json_enum wire_finish_names[], wire_block_names[];
const char *wire_modality_name(int modality);

/* Content. */
struct wire_call {
    struct text id, name;
    struct json_object *args;
};

struct wire_result {
    struct text id, name;
    struct json_object *response;
    struct json_list parts; /* struct wire_part, each a blob or a file */
};

struct wire_file_data {
    struct text mime_type, uri;
};

struct wire_blob {
    struct text mime_type, data; /* decoded */
};

struct wire_video {
    struct json_int start, end; /* nanoseconds */
    struct json_number fps;
};

/* Tokens of a picture where the model lets them be chosen; higher ones are its own. */
enum wire_resolution_level {
    WIRE_RESOLUTION_LOW = 1,
    WIRE_RESOLUTION_MEDIUM,
    WIRE_RESOLUTION_HIGH,
    WIRE_RESOLUTION_ULTRA_HIGH,
};
enum { WIRE_LOW_TOKENS = 64, WIRE_MEDIUM_TOKENS = 256 };

struct wire_resolution {
    int level; /* enum wire_resolution_level */
    struct json_int n_tokens;
};

struct wire_code {
    int language; /* enum wire_language */
    struct text code, id;
};

struct wire_outcome {
    int outcome; /* enum wire_outcome_of */
    struct text output, id;
};

struct wire_part {
    struct text text;
    struct wire_file_data *file;
    struct wire_blob *blob, *image; /* the same by two names */
    struct wire_video *video;
    struct wire_resolution *resolution;
    struct wire_call *call;
    struct wire_result *result;
    struct wire_code *code;
    struct wire_outcome *outcome;
    struct json_bool thought;
    struct text thought_signature; /* decoded */
};

struct wire_content {
    struct json_list parts; /* struct wire_part */
    struct text role;
};

/* Requests. */
struct wire_function {
    struct text name, description;
    struct json_object *parameters, *parameters_schema;
    struct json_object *response, *response_schema;
    int behavior; /* enum wire_behavior */
};

enum wire_built_in {
    WIRE_CODE_EXECUTION,
    WIRE_GOOGLE_SEARCH,
    WIRE_SEARCH_RETRIEVAL, /* the same by an older name */
    WIRE_URL_CONTEXT,
    WIRE_FILE_SEARCH,
    WIRE_MCP_SERVERS, /* a list */
    WIRE_GOOGLE_MAPS,
    WIRE_COMPUTER_USE,
    WIRE_RETRIEVAL, /* of the Interactions API alone */
    WIRE_BUILT_INS
};

struct wire_tool {
    struct json_list functions; /* struct wire_function */
    struct json_object
        *own[WIRE_BUILT_INS]; /* what each is to be like; NULL: not asked */
};

struct wire_calling_config {
    int mode;                 /* enum wire_calling */
    struct json_list allowed; /* struct text */
};

struct wire_tool_config {
    struct wire_calling_config *calling;
};

struct wire_safety_setting {
    int category, threshold;
};

struct wire_thinking {
    struct json_bool include;
    struct json_int budget;
    int level; /* enum wire_level */
};

struct wire_prebuilt_voice {
    struct text name;
};

struct wire_voice {
    struct wire_prebuilt_voice *prebuilt;
};

struct wire_speaker {
    struct text name;
    struct wire_voice *voice;
};

struct wire_speakers {
    struct json_list voices; /* struct wire_speaker */
};

struct wire_speech {
    struct wire_voice *voice;
    struct wire_speakers *speakers;
    struct text language;
};

struct wire_config {
    struct json_list stops; /* struct text */
    struct text mime_type;
    struct json_object *schema, *json_schema, *json_schema_old;
    struct json_list modalities; /* int */
    struct json_int candidates, max_tokens, top_k, seed, n_logprobs;
    struct json_number temperature, top_p, presence, frequency;
    struct json_bool logprobs;
    struct wire_thinking *thinking;
    int media_resolution;
    struct wire_speech *speech;
};

struct wire_generate {
    struct text model;
    struct json_list contents; /* struct wire_content */
    struct wire_content *system;
    struct json_list tools; /* struct wire_tool */
    struct wire_tool_config *tool_config;
    struct json_list safety; /* struct wire_safety_setting */
    struct wire_config *config;
    int service_tier;
    struct text cached; /* "cachedContents/{id}" */
};

/* A cache, as it is asked for and as it is told of: then what it holds is absent. */
struct wire_cache_usage {
    struct json_int total;
};

struct wire_cache {
    struct text name, model, display_name;
    struct wire_content *system;
    struct json_list contents; /* struct wire_content */
    struct json_list tools;    /* struct wire_tool */
    struct wire_tool_config *tool_config;
    struct json_int ttl, expires, created, updated; /* nanoseconds */
    struct wire_cache_usage *usage;
};

struct wire_caches {
    struct json_list caches; /* struct wire_cache */
    struct text next_page;
};

/* What of it is kept: never on the wire. Media have become text, but for pictures that
 * the model itself looks at: they are `inlineData`, wherever they came from. */
struct wire_kept {
    struct wire_content *system;
    struct json_list contents; /* struct wire_content */
    struct json_list tools;    /* struct wire_tool */
    struct wire_tool_config *tool_config;
    struct json_list n_media; /* int64_t: tokens by enum wire_modality, of the former */
};

extern const struct json_type wire_cache_type, wire_caches_type, wire_kept_type;

enum { WIRE_EMBEDS = 100 }; /* requests of a batch, at most */

struct wire_embed {
    struct text model;
    struct wire_content *content;
    int task; /* enum embed_task has the wire's numbers */
    struct text title;
    struct json_int dimensions;
};

struct wire_embed_batch {
    struct json_list requests; /* struct wire_embed */
};

extern const struct json_type wire_embed_type, wire_embed_batch_type;

struct wire_count {
    struct text model;
    struct json_list contents; /* struct wire_content */
    struct wire_generate *request;
};

extern const struct json_type wire_generate_type, wire_count_type;

/* Answers. */
struct wire_logprob {
    struct text token;
    struct json_int id;
    struct json_number logprob;
};

struct wire_top_logprobs {
    struct json_list candidates; /* struct wire_logprob */
};

struct wire_logprobs {
    struct json_list top;    /* struct wire_top_logprobs, one per token */
    struct json_list chosen; /* struct wire_logprob, one per token */
};

struct wire_rating {
    int category, probability;
    struct json_bool blocked;
};

struct wire_candidate {
    struct wire_content *content;
    int finish; /* enum wire_finish */
    struct text finish_message;
    struct json_list ratings; /* struct wire_rating */
    struct json_int index, n_tokens;
    struct json_number average_logprob;
    struct wire_logprobs *logprobs;
    struct json_object *grounding, *url_context; /* made elsewhere */
};

struct wire_modality_count {
    int modality;
    struct json_int n;
};

struct wire_usage {
    struct json_int prompt, cached, output, thoughts, tools, total;
    struct json_list prompt_details, cached_details, output_details, tools_details;
};

struct wire_feedback {
    int block;                /* enum wire_block */
    struct json_list ratings; /* struct wire_rating */
};

struct wire_answer {
    struct json_list candidates; /* struct wire_candidate */
    struct wire_feedback *feedback;
    struct wire_usage *usage;
    struct text model_version, response_id;
};

struct wire_count_answer {
    struct json_int total, cached;
    struct json_list details; /* struct wire_modality_count */
};

struct wire_model {
    struct text name, base, version, display_name, description;
    struct json_int input_limit, output_limit;
    struct json_list methods; /* struct text */
    struct json_number temperature, max_temperature, top_p;
    struct json_int top_k;
};

struct wire_models {
    struct json_list models; /* struct wire_model */
    struct text next_page;
};

extern const struct json_type wire_answer_type, wire_count_answer_type, wire_model_type,
    wire_models_type;

/* Errors: google.rpc. A detail has the fields of the one message that its @type names. */
struct wire_violation {
    struct text field, description;
};

struct wire_metadata {
    struct text service;
};

struct wire_detail {
    struct text type;            /* "type.googleapis.com/google.rpc.BadRequest" */
    struct json_list violations; /* BadRequest: struct wire_violation */
    struct json_int retry;       /* RetryInfo: nanoseconds */
    struct text reason, domain;  /* ErrorInfo */
    struct wire_metadata *metadata;
};

struct wire_status {
    struct json_int code; /* the HTTP status */
    struct text message, status;
    struct json_list details; /* struct wire_detail */
};

struct wire_error {
    struct wire_status *error;
};

extern const struct json_type wire_error_type;

/* A time as it is told, in microseconds; 0: it is not. */
struct json_int wire_time(int64_t ns);

#endif

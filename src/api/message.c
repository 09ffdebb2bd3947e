/* message.c - the tables of the wire's messages.
 *
 * Rows are in the order in which answers are written. Flags tell the three ways of a
 * field that has no place in a struct: JSON_IGNORED has no effect in the public API
 * either (or none without media); JSON_REFUSED would have one, so a request with it is
 * turned down. docs/wire.md says the same in words. */
#include "api/message.h"

/* clang-format off */

#define AT(type, member) offsetof(struct type, member)

/* ---- enums ---- */

const struct json_enum wire_finish_names[] = {
    {"FINISH_REASON_UNSPECIFIED", 0, NULL},
    {"STOP",                      WIRE_FINISH_STOP, NULL},
    {"MAX_TOKENS",                WIRE_FINISH_MAX_TOKENS, NULL},
    {"SAFETY",                    WIRE_FINISH_SAFETY, NULL},
    {"RECITATION",                4, NULL},
    {"OTHER",                     WIRE_FINISH_OTHER, NULL},
    {"LANGUAGE",                  6, NULL},
    {"BLOCKLIST",                 WIRE_FINISH_BLOCKLIST, NULL},
    {"PROHIBITED_CONTENT",        8, NULL},
    {"SPII",                      9, NULL},
    {"MALFORMED_FUNCTION_CALL",   WIRE_FINISH_MALFORMED_CALL, NULL},
    {"IMAGE_SAFETY",              11, NULL},
    {"UNEXPECTED_TOOL_CALL",      12, NULL},
    {"TOO_MANY_TOOL_CALLS",       WIRE_FINISH_TOO_MANY_CALLS, NULL},
    {0},
};

const struct json_enum wire_block_names[] = {
    {"BLOCK_REASON_UNSPECIFIED", 0, NULL},
    {"SAFETY",                   WIRE_BLOCK_SAFETY, NULL},
    {"OTHER",                    2, NULL},
    {"BLOCKLIST",                3, NULL},
    {"PROHIBITED_CONTENT",       4, NULL},
    {"IMAGE_SAFETY",             5, NULL},
    {0},
};

static const struct json_enum modality_names[] = {
    {"MODALITY_UNSPECIFIED", 0, NULL},
    {"TEXT",                 WIRE_MODALITY_TEXT, NULL},
    {"IMAGE",                WIRE_MODALITY_IMAGE, NULL},
    {"AUDIO",                WIRE_MODALITY_AUDIO, NULL},
    {"VIDEO",                WIRE_MODALITY_VIDEO, NULL},
    {"DOCUMENT",             WIRE_MODALITY_DOCUMENT, NULL},
    {0},
};

const char *wire_modality_name(int modality)
{
    return json_enum_name(modality_names, modality);
}

static const struct json_enum category_names[] = {
    {"HARM_CATEGORY_UNSPECIFIED",       0, NULL},
    {"HARM_CATEGORY_DEROGATORY",        1, NULL},
    {"HARM_CATEGORY_TOXICITY",          2, NULL},
    {"HARM_CATEGORY_VIOLENCE",          3, NULL},
    {"HARM_CATEGORY_SEXUAL",            4, NULL},
    {"HARM_CATEGORY_MEDICAL",           5, NULL},
    {"HARM_CATEGORY_DANGEROUS",         6, NULL},
    {"HARM_CATEGORY_HARASSMENT",        WIRE_FIRST_CATEGORY, NULL},
    {"HARM_CATEGORY_HATE_SPEECH",       8, NULL},
    {"HARM_CATEGORY_SEXUALLY_EXPLICIT", 9, NULL},
    {"HARM_CATEGORY_DANGEROUS_CONTENT", 10, NULL},
    {"HARM_CATEGORY_CIVIC_INTEGRITY",   WIRE_LAST_CATEGORY, NULL},
    {0},
};

static const struct json_enum threshold_names[] = {
    {"HARM_BLOCK_THRESHOLD_UNSPECIFIED", WIRE_BLOCK_DEFAULT, NULL},
    {"BLOCK_LOW_AND_ABOVE",              WIRE_BLOCK_LOW, NULL},
    {"BLOCK_MEDIUM_AND_ABOVE",           WIRE_BLOCK_MEDIUM, NULL},
    {"BLOCK_ONLY_HIGH",                  WIRE_BLOCK_ONLY_HIGH, NULL},
    {"BLOCK_NONE",                       WIRE_BLOCK_NONE, NULL},
    {"OFF",                              WIRE_BLOCK_OFF, NULL},
    {0},
};

static const struct json_enum probability_names[] = {
    {"HARM_PROBABILITY_UNSPECIFIED", 0, NULL},
    {"NEGLIGIBLE",                   WIRE_NEGLIGIBLE, NULL},
    {"LOW",                          WIRE_LOW, NULL},
    {"MEDIUM",                       WIRE_MEDIUM, NULL},
    {"HIGH",                         WIRE_HIGH, NULL},
    {0},
};

static const struct json_enum calling_modes[] = {
    {"MODE_UNSPECIFIED", WIRE_CALLING_UNSPECIFIED, NULL},
    {"AUTO",             WIRE_CALLING_AUTO, NULL},
    {"ANY",              WIRE_CALLING_ANY, NULL},
    {"NONE",             WIRE_CALLING_NONE, NULL},
    {"VALIDATED",        WIRE_CALLING_VALIDATED, NULL},
    {0},
};

static const struct json_enum languages[] = {
    {"LANGUAGE_UNSPECIFIED", 0, NULL},
    {"PYTHON",               WIRE_PYTHON, NULL},
    {0},
};

static const struct json_enum outcomes[] = {
    {"OUTCOME_UNSPECIFIED",       0, NULL},
    {"OUTCOME_OK",                WIRE_OUTCOME_OK, NULL},
    {"OUTCOME_FAILED",            WIRE_OUTCOME_FAILED, NULL},
    {"OUTCOME_DEADLINE_EXCEEDED", WIRE_OUTCOME_DEADLINE, NULL},
    {0},
};

static const struct json_enum behaviors[] = {
    {"UNSPECIFIED",  0, NULL},
    {"BLOCKING",     WIRE_BLOCKING, NULL},
    {"NON_BLOCKING", WIRE_NON_BLOCKING, NULL},
    {0},
};

static const struct json_enum thinking_levels[] = {
    {"THINKING_LEVEL_UNSPECIFIED", 0, NULL},
    {"LOW",                        WIRE_LEVEL_LOW, NULL},
    {"HIGH",                       WIRE_LEVEL_HIGH, NULL},
    {"MEDIUM",                     WIRE_LEVEL_MEDIUM, NULL},
    {"MINIMAL",                    WIRE_LEVEL_MINIMAL, NULL},
    {"XHIGH",                      WIRE_LEVEL_XHIGH, NULL},
    {0},
};

static const struct json_enum media_resolutions[] = {
    {"MEDIA_RESOLUTION_UNSPECIFIED", 0, NULL},
    {"MEDIA_RESOLUTION_LOW",         WIRE_RESOLUTION_LOW, NULL},
    {"MEDIA_RESOLUTION_MEDIUM",      WIRE_RESOLUTION_MEDIUM, NULL},
    {"MEDIA_RESOLUTION_HIGH",        WIRE_RESOLUTION_HIGH, NULL},
    {"MEDIA_RESOLUTION_ULTRA_HIGH",  WIRE_RESOLUTION_ULTRA_HIGH, NULL},
    {0},
};

static const struct json_enum service_tiers[] = {
    {"UNSPECIFIED", 0, "SERVICE_TIER_UNSPECIFIED"},
    {"FLEX",        1, "SERVICE_TIER_FLEX"},
    {"STANDARD",    2, "SERVICE_TIER_STANDARD"},
    {"PRIORITY",    3, "SERVICE_TIER_PRIORITY"},
    {0},
};

/* ---- content ---- */

static const struct json_field call_fields[] = {
    {"id",   JSON_STRING, AT(wire_call, id),   0, 0, 0, NULL, "matches the call with its response"},
    {"name", JSON_STRING, AT(wire_call, name), JSON_REQUIRED, 0, 0, NULL, NULL},
    {"args", JSON_ANY,    AT(wire_call, args), 0, 0, 0, NULL, "an object"},
    {0},
};
static const struct json_type call_type = {
    "FunctionCall", sizeof(struct wire_call), call_fields, false};

static const struct json_field file_data_fields[] = {
    {"mimeType",    JSON_STRING, AT(wire_file_data, mime_type),    0, 0, 0, NULL, "the file's own when absent"},
    {"fileUri",     JSON_STRING, AT(wire_file_data, uri),          JSON_REQUIRED, 0, 0, NULL, "of a file of this server, or http(s)"},
    {"displayName", JSON_STRING, 0, JSON_IGNORED, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type file_data_type = {
    "FileData", sizeof(struct wire_file_data), file_data_fields, false};
static const struct json_field blob_fields[] = {
    {"mimeType",    JSON_STRING, AT(wire_blob, mime_type), JSON_REQUIRED, 0, 0, NULL, "docs/wire.md lists those that are read"},
    {"data",        JSON_BYTES,  AT(wire_blob, data),      JSON_REQUIRED, 0, 0, NULL, NULL},
    {"displayName", JSON_STRING, 0, JSON_IGNORED, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type blob_type = {
    "Blob", sizeof(struct wire_blob), blob_fields, false};
static const struct json_field result_part_fields[] = {
    {"inlineData", JSON_MESSAGE, AT(wire_part, blob), 0, 0, 0, &blob_type, NULL},
    {"fileData",   JSON_MESSAGE, AT(wire_part, file), 0, 0, 0, &file_data_type, NULL},
    {0},
};
static const struct json_type result_part_type = {
    "FunctionResponsePart", sizeof(struct wire_part), result_part_fields, false};
static const struct json_field result_fields[] = {
    {"id",           JSON_STRING,  AT(wire_result, id),       0, 0, 0, NULL, NULL},
    {"name",         JSON_STRING,  AT(wire_result, name),     JSON_REQUIRED, 0, 0, NULL, NULL},
    {"response",     JSON_ANY,     AT(wire_result, response), 0, 0, 0, NULL, "an object"},
    {"parts",        JSON_MESSAGE, AT(wire_result, parts),   JSON_LIST, 0, 0, &result_part_type, NULL},
    {"willContinue", JSON_BOOL,    0, JSON_IGNORED, 0, 0, NULL, "for functions that do not block: none here"},
    {"scheduling",   JSON_ENUM,    0, JSON_IGNORED, 0, 0, NULL, "likewise"},
    {0},
};
static const struct json_type result_type = {
    "FunctionResponse", sizeof(struct wire_result), result_fields, false};

static const struct json_field code_fields[] = {
    {"language", JSON_ENUM,   AT(wire_code, language), 0, 0, 0, languages, NULL},
    {"code",     JSON_STRING, AT(wire_code, code),     JSON_REQUIRED, 0, 0, NULL, NULL},
    {"id",       JSON_STRING, AT(wire_code, id),       0, 0, 0, NULL, "matches the code with its result"},
    {0},
};
static const struct json_type code_type = {
    "ExecutableCode", sizeof(struct wire_code), code_fields, false};

static const struct json_field outcome_fields[] = {
    {"outcome", JSON_ENUM,   AT(wire_outcome, outcome), 0, 0, 0, outcomes, NULL},
    {"output",  JSON_STRING, AT(wire_outcome, output),  0, 0, 0, NULL, "what was printed; what went wrong"},
    {"id",      JSON_STRING, AT(wire_outcome, id),      0, 0, 0, NULL, "the code's"},
    {0},
};
static const struct json_type outcome_type = {
    "CodeExecutionResult", sizeof(struct wire_outcome), outcome_fields, false};

static const struct json_field video_fields[] = {
    {"startOffset", JSON_DURATION, AT(wire_video, start), 0, 0, 0, NULL, NULL},
    {"endOffset",   JSON_DURATION, AT(wire_video, end),   0, 0, 0, NULL, NULL},
    {"fps",         JSON_NUMBER,   AT(wire_video, fps),   0, 0, 24, NULL, "more than 0; 1 when absent"},
    {0},
};
static const struct json_type video_type = {
    "VideoMetadata", sizeof(struct wire_video), video_fields, false};

static const struct json_field resolution_fields[] = {
    {"level",     JSON_ENUM, AT(wire_resolution, level),    0, 0, 0, media_resolutions, NULL},
    {"numTokens", JSON_INT,  AT(wire_resolution, n_tokens), 0, 1, INT32_MAX, NULL, NULL},
    {0},
};
static const struct json_type resolution_type = {
    "MediaResolution", sizeof(struct wire_resolution), resolution_fields, false};

static const struct json_field part_fields[] = {
    {"text",                JSON_STRING,  AT(wire_part, text),    0, 0, 0, NULL, NULL},
    {"functionCall",        JSON_MESSAGE, AT(wire_part, call),    0, 0, 0, &call_type, NULL},
    {"functionResponse",    JSON_MESSAGE, AT(wire_part, result),  0, 0, 0, &result_type, NULL},
    {"thought",             JSON_BOOL,    AT(wire_part, thought), 0, 0, 0, NULL, "the text is the model's reasoning"},
    {"thoughtSignature",    JSON_BYTES,   AT(wire_part, thought_signature), 0, 0, 0, NULL, "of what was thought before the part; accepted back"},
    {"inlineData",          JSON_MESSAGE, AT(wire_part, blob),    0, 0, 0, &blob_type, NULL},
    {"image",               JSON_MESSAGE, AT(wire_part, image),   0, 0, 0, &blob_type, "inlineData as a sample of the documentation names it"},
    {"fileData",            JSON_MESSAGE, AT(wire_part, file),    0, 0, 0, &file_data_type, NULL},
    {"executableCode",      JSON_MESSAGE, AT(wire_part, code),    0, 0, 0, &code_type, "code that the model had run here"},
    {"codeExecutionResult", JSON_MESSAGE, AT(wire_part, outcome), 0, 0, 0, &outcome_type, "and what came of it"},
    {"toolCall",            JSON_ANY, 0, JSON_REFUSED, 0, 0, NULL, "a call of a built-in tool"},
    {"toolResponse",        JSON_ANY, 0, JSON_REFUSED, 0, 0, NULL, "a call of a built-in tool"},
    {"videoMetadata",       JSON_MESSAGE, AT(wire_part, video),   0, 0, 0, &video_type, "with film and sound"},
    {"mediaResolution",     JSON_MESSAGE, AT(wire_part, resolution), 0, 0, 0, &resolution_type, "for a model that sees; readers give words, however many"},
    {"partMetadata",        JSON_ANY, 0, JSON_IGNORED, 0, 0, NULL, NULL},
    {"audioTranscription",  JSON_ANY, 0, JSON_IGNORED, 0, 0, NULL, NULL},
    {"mediaProcessing",     JSON_ANY, 0, JSON_IGNORED, 0, 0, NULL, NULL},
    {"speechMetadata",      JSON_ANY, 0, JSON_IGNORED, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type part_type = {
    "Part", sizeof(struct wire_part), part_fields, false};

static const struct json_field content_fields[] = {
    {"parts", JSON_MESSAGE, AT(wire_content, parts), JSON_LIST, 0, 0, &part_type, NULL},
    {"role",  JSON_STRING,  AT(wire_content, role),  0, 0, 0, NULL, "user (when absent), model; function counts as user"},
    {0},
};
static const struct json_type content_type = {
    "Content", sizeof(struct wire_content), content_fields, false};

/* ---- requests ---- */

static const struct json_field function_fields[] = {
    {"name",                 JSON_STRING, AT(wire_function, name),              JSON_REQUIRED, 0, 0, NULL, "a letter or _, then a-z A-Z 0-9 _ . : -, at most 64"},
    {"description",          JSON_STRING, AT(wire_function, description),       0, 0, 0, NULL, NULL},
    {"parameters",           JSON_ANY,    AT(wire_function, parameters),        0, 0, 0, NULL, "a Schema"},
    {"parametersJsonSchema", JSON_ANY,    AT(wire_function, parameters_schema), 0, 0, 0, NULL, "instead of parameters"},
    {"response",             JSON_ANY,    AT(wire_function, response),          0, 0, 0, NULL, "a Schema: checked, not shown to the model"},
    {"responseJsonSchema",   JSON_ANY,    AT(wire_function, response_schema),   0, 0, 0, NULL, "instead of response"},
    {"behavior",             JSON_ENUM,   AT(wire_function, behavior),          0, 0, 0, behaviors, "NON_BLOCKING is the Live API's"},
    {0},
};
static const struct json_type function_type = {
    "FunctionDeclaration", sizeof(struct wire_function), function_fields, false};

static const struct json_field tool_fields[] = {
    {"functionDeclarations",  JSON_MESSAGE, AT(wire_tool, functions), JSON_LIST, 0, 0, &function_type, NULL},
    {"codeExecution",         JSON_ANY, AT(wire_tool, own[WIRE_CODE_EXECUTION]), 0, 0, 0, NULL, "{}: the model may have code run"},
    {"googleSearch",          JSON_ANY, AT(wire_tool, own[WIRE_GOOGLE_SEARCH]), 0, 0, 0, NULL, "the model may search"},
    {"googleSearchRetrieval", JSON_ANY, AT(wire_tool, own[WIRE_SEARCH_RETRIEVAL]), 0, 0, 0, NULL, "the same by an older name"},
    {"urlContext",            JSON_ANY, AT(wire_tool, own[WIRE_URL_CONTEXT]), 0, 0, 0, NULL, "{}: pages that are named are read"},
    {"fileSearch",            JSON_ANY, AT(wire_tool, own[WIRE_FILE_SEARCH]), 0, 0, 0, NULL, "the model may search in stores"},
    {"mcpServers",            JSON_ANY, AT(wire_tool, own[WIRE_MCP_SERVERS]), 0, 0, 0, NULL, "a list: the model may use their tools"},
    {"googleMaps",            JSON_ANY, 0, JSON_REFUSED, 0, 0, NULL, "maps"},
    {"computerUse",           JSON_ANY, 0, JSON_REFUSED, 0, 0, NULL, "computer use"},
    {0},
};
static const struct json_type tool_type = {
    "Tool", sizeof(struct wire_tool), tool_fields, false};

static const struct json_field calling_fields[] = {
    {"mode",                 JSON_ENUM,   AT(wire_calling_config, mode),    0, 0, 0, calling_modes, NULL},
    {"allowedFunctionNames", JSON_STRING, AT(wire_calling_config, allowed), JSON_LIST, 0, WIRE_FUNCTIONS, NULL, "with ANY and VALIDATED"},
    {0},
};
static const struct json_type calling_type = {
    "FunctionCallingConfig", sizeof(struct wire_calling_config), calling_fields, false};

static const struct json_field tool_config_fields[] = {
    {"functionCallingConfig", JSON_MESSAGE, AT(wire_tool_config, calling), 0, 0, 0, &calling_type, NULL},
    {"retrievalConfig",                  JSON_ANY, 0, JSON_REFUSED, 0, 0, NULL, "search"},
    {"includeServerSideToolInvocations", JSON_ANY, 0, JSON_REFUSED, 0, 0, NULL, "calls of built-in tools"},
    {0},
};
static const struct json_type tool_config_type = {
    "ToolConfig", sizeof(struct wire_tool_config), tool_config_fields, false};

static const struct json_field safety_fields[] = {
    {"category",  JSON_ENUM, AT(wire_safety_setting, category),  JSON_REQUIRED, 0, 0, category_names, NULL},
    {"threshold", JSON_ENUM, AT(wire_safety_setting, threshold), 0, 0, 0, threshold_names, NULL},
    {0},
};
static const struct json_type safety_type = {
    "SafetySetting", sizeof(struct wire_safety_setting), safety_fields, false};

static const struct json_field thinking_fields[] = {
    {"includeThoughts", JSON_BOOL, AT(wire_thinking, include), 0, 0, 0, NULL, NULL},
    {"thinkingBudget",  JSON_INT,  AT(wire_thinking, budget),  0, -1, INT32_MAX, NULL, "0: off; -1: automatic"},
    {"thinkingLevel",   JSON_ENUM, AT(wire_thinking, level),   0, 0, 0, thinking_levels, "instead of thinkingBudget"},
    {0},
};
static const struct json_type thinking_type = {
    "ThinkingConfig", sizeof(struct wire_thinking), thinking_fields, false};

static const struct json_field prebuilt_voice_fields[] = {
    {"voiceName", JSON_STRING, AT(wire_prebuilt_voice, name), 0, 0, 0, NULL, "docs/wire.md lists them"},
    {0},
};
static const struct json_type prebuilt_voice_type = {
    "PrebuiltVoiceConfig", sizeof(struct wire_prebuilt_voice), prebuilt_voice_fields, false};

static const struct json_field voice_fields[] = {
    {"prebuiltVoiceConfig",   JSON_MESSAGE, AT(wire_voice, prebuilt), 0, 0, 0, &prebuilt_voice_type, NULL},
    {"replicatedVoiceConfig", JSON_ANY, 0, JSON_REFUSED, 0, 0, NULL, "voices made after a recording"},
    {0},
};
static const struct json_type voice_type = {
    "VoiceConfig", sizeof(struct wire_voice), voice_fields, false};

static const struct json_field speaker_fields[] = {
    {"speaker",     JSON_STRING,  AT(wire_speaker, name),  JSON_REQUIRED, 0, 0, NULL, "stands before the lines that are this one's"},
    {"voiceConfig", JSON_MESSAGE, AT(wire_speaker, voice), JSON_REQUIRED, 0, 0, &voice_type, NULL},
    {0},
};
static const struct json_type speaker_type = {
    "SpeakerVoiceConfig", sizeof(struct wire_speaker), speaker_fields, false};

static const struct json_field speakers_fields[] = {
    {"speakerVoiceConfigs", JSON_MESSAGE, AT(wire_speakers, voices), JSON_LIST | JSON_REQUIRED, 0, 0, &speaker_type, "two"},
    {0},
};
static const struct json_type speakers_type = {
    "MultiSpeakerVoiceConfig", sizeof(struct wire_speakers), speakers_fields, false};

static const struct json_field speech_fields[] = {
    {"voiceConfig",             JSON_MESSAGE, AT(wire_speech, voice),    0, 0, 0, &voice_type, NULL},
    {"multiSpeakerVoiceConfig", JSON_MESSAGE, AT(wire_speech, speakers), 0, 0, 0, &speakers_type, "instead of voiceConfig"},
    {"languageCode",            JSON_STRING,  AT(wire_speech, language), 0, 0, 0, NULL, "when absent: what the text is in"},
    {0},
};
static const struct json_type speech_type = {
    "SpeechConfig", sizeof(struct wire_speech), speech_fields, false};

static const struct json_field config_fields[] = {
    {"stopSequences",       JSON_STRING,  AT(wire_config, stops),      JSON_LIST, 0, 5, NULL, "none of them empty"},
    {"responseMimeType",    JSON_STRING,  AT(wire_config, mime_type),  0, 0, 0, NULL, "text/plain (the default), application/json, text/x.enum"},
    {"responseSchema",      JSON_ANY,     AT(wire_config, schema),     0, 0, 0, NULL, "a Schema"},
    {"responseJsonSchema",  JSON_ANY,     AT(wire_config, json_schema), 0, 0, 0, NULL, "instead of responseSchema"},
    {"_responseJsonSchema", JSON_ANY,     AT(wire_config, json_schema_old), 0, 0, 0, NULL, "the same under its older name"},
    {"responseModalities",  JSON_ENUM,    AT(wire_config, modalities), JSON_LIST, 0, 0, modality_names, "[], [TEXT] or [AUDIO]"},
    {"candidateCount",      JSON_INT,     AT(wire_config, candidates), 0, 1, WIRE_CANDIDATES, NULL, NULL},
    {"maxOutputTokens",     JSON_INT,     AT(wire_config, max_tokens), 0, 1, INT32_MAX, NULL, "when absent: as many as fit"},
    {"temperature",         JSON_NUMBER,  AT(wire_config, temperature), 0, 0, 2, NULL, NULL},
    {"topP",                JSON_NUMBER,  AT(wire_config, top_p),      0, 0, 1, NULL, NULL},
    {"topK",                JSON_INT,     AT(wire_config, top_k),      0, 1, INT32_MAX, NULL, NULL},
    {"seed",                JSON_INT,     AT(wire_config, seed),       0, INT32_MIN, INT32_MAX, NULL, "same seed and request, same bytes"},
    {"presencePenalty",     JSON_NUMBER,  AT(wire_config, presence),   0, -2, 2, NULL, NULL},
    {"frequencyPenalty",    JSON_NUMBER,  AT(wire_config, frequency),  0, -2, 2, NULL, NULL},
    {"responseLogprobs",    JSON_BOOL,    AT(wire_config, logprobs),   0, 0, 0, NULL, NULL},
    {"logprobs",            JSON_INT,     AT(wire_config, n_logprobs), 0, 0, 20, NULL, "needs responseLogprobs"},
    {"thinkingConfig",      JSON_MESSAGE, AT(wire_config, thinking),   0, 0, 0, &thinking_type, NULL},
    {"mediaResolution",     JSON_ENUM,    AT(wire_config, media_resolution), 0, 0, 0, media_resolutions, "for a model that sees; readers give words, however many"},
    {"speechConfig",        JSON_MESSAGE, AT(wire_config, speech),     0, 0, 0, &speech_type, "with [AUDIO]"},
    {"imageConfig",               JSON_ANY,  0, JSON_REFUSED, 0, 0, NULL, "making of images"},
    {"audioTimestamp",            JSON_BOOL, 0, JSON_IGNORED, 0, 0, NULL, "what is said always has its times"},
    {"enableEnhancedCivicAnswers", JSON_BOOL, 0, JSON_IGNORED, 0, 0, NULL, NULL},
    {"audioTranscriptionConfig",  JSON_ANY,  0, JSON_IGNORED, 0, 0, NULL, NULL},
    {"responseFormat",            JSON_ANY,  0, JSON_IGNORED, 0, 0, NULL, NULL},
    {"translationConfig",         JSON_ANY,  0, JSON_IGNORED, 0, 0, NULL, NULL},
    {"modelSelectionConfig",      JSON_ANY,  0, JSON_IGNORED, 0, 0, NULL, NULL},
    {"routingConfig",             JSON_ANY,  0, JSON_IGNORED, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type config_type = {
    "GenerationConfig", sizeof(struct wire_config), config_fields, false};

static const struct json_field generate_fields[] = {
    {"model",             JSON_STRING,  AT(wire_generate, model),       0, 0, 0, NULL, "may repeat the path's"},
    {"contents",          JSON_MESSAGE, AT(wire_generate, contents),    JSON_LIST, 0, 0, &content_type, NULL},
    {"systemInstruction", JSON_MESSAGE, AT(wire_generate, system),      0, 0, 0, &content_type, "text only; its role does not matter"},
    {"tools",             JSON_MESSAGE, AT(wire_generate, tools),       JSON_LIST, 0, 0, &tool_type, NULL},
    {"toolConfig",        JSON_MESSAGE, AT(wire_generate, tool_config), 0, 0, 0, &tool_config_type, NULL},
    {"safetySettings",    JSON_MESSAGE, AT(wire_generate, safety),      JSON_LIST, 0, 0, &safety_type, NULL},
    {"generationConfig",  JSON_MESSAGE, AT(wire_generate, config),      0, 0, 0, &config_type, NULL},
    {"serviceTier",       JSON_ENUM,    AT(wire_generate, service_tier), 0, 0, 0, service_tiers, "there is one tier"},
    {"cachedContent",     JSON_STRING,  AT(wire_generate, cached),      0, 0, 0, NULL, "cachedContents/{id}: what stands before contents"},
    {"continuationToken", JSON_BYTES,  0, JSON_REFUSED, 0, 0, NULL, "continuation"},
    {"labels",            JSON_ANY,    0, JSON_IGNORED, 0, 0, NULL, NULL},
    {"store",             JSON_BOOL,   0, JSON_IGNORED, 0, 0, NULL, "prompts are never logged"},
    {0},
};
const struct json_type wire_generate_type = {
    "GenerateContentRequest", sizeof(struct wire_generate), generate_fields, false};

/* ---- caches ---- */

static const struct json_field cache_usage_fields[] = {
    {"totalTokenCount", JSON_INT, AT(wire_cache_usage, total), 0, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type cache_usage_type = {
    "CachedContentUsageMetadata", sizeof(struct wire_cache_usage), cache_usage_fields, false};

static const struct json_field cache_fields[] = {
    {"name",              JSON_STRING,    AT(wire_cache, name),         JSON_OUTPUT, 0, 0, NULL, "cachedContents/{id}"},
    {"model",             JSON_STRING,    AT(wire_cache, model),        0, 0, 0, NULL, "models/{model}, that of every request with it"},
    {"displayName",       JSON_STRING,    AT(wire_cache, display_name), 0, 0, 0, NULL, "at most 128 characters"},
    {"systemInstruction", JSON_MESSAGE,   AT(wire_cache, system),       0, 0, 0, &content_type, "not told again, nor what follows"},
    {"contents",          JSON_MESSAGE,   AT(wire_cache, contents),     JSON_LIST, 0, 0, &content_type, NULL},
    {"tools",             JSON_MESSAGE,   AT(wire_cache, tools),        JSON_LIST, 0, 0, &tool_type, NULL},
    {"toolConfig",        JSON_MESSAGE,   AT(wire_cache, tool_config),  0, 0, 0, &tool_config_type, NULL},
    {"ttl",               JSON_DURATION,  AT(wire_cache, ttl),          0, 0, 0, NULL, "instead of expireTime; 3600s when neither is there"},
    {"createTime",        JSON_TIMESTAMP, AT(wire_cache, created),      JSON_OUTPUT, 0, 0, NULL, NULL},
    {"updateTime",        JSON_TIMESTAMP, AT(wire_cache, updated),      JSON_OUTPUT, 0, 0, NULL, NULL},
    {"expireTime",        JSON_TIMESTAMP, AT(wire_cache, expires),      0, 0, 0, NULL, NULL},
    {"usageMetadata",     JSON_MESSAGE,   AT(wire_cache, usage),        JSON_OUTPUT, 0, 0, &cache_usage_type, NULL},
    {0},
};
const struct json_type wire_cache_type = {
    "CachedContent", sizeof(struct wire_cache), cache_fields, false};

static const struct json_field caches_fields[] = {
    {"cachedContents", JSON_MESSAGE, AT(wire_caches, caches),    JSON_LIST, 0, 0, &wire_cache_type, NULL},
    {"nextPageToken",  JSON_STRING,  AT(wire_caches, next_page), 0, 0, 0, NULL, NULL},
    {0},
};
const struct json_type wire_caches_type = {
    "ListCachedContentsResponse", sizeof(struct wire_caches), caches_fields, false};

static const struct json_field kept_fields[] = {
    {"systemInstruction", JSON_MESSAGE, AT(wire_kept, system),      0, 0, 0, &content_type, NULL},
    {"contents",          JSON_MESSAGE, AT(wire_kept, contents),    JSON_LIST, 0, 0, &content_type, NULL},
    {"tools",             JSON_MESSAGE, AT(wire_kept, tools),       JSON_LIST, 0, 0, &tool_type, NULL},
    {"toolConfig",        JSON_MESSAGE, AT(wire_kept, tool_config), 0, 0, 0, &tool_config_type, NULL},
    {"mediaTokens",       JSON_INT,     AT(wire_kept, n_media),     JSON_LIST, 0, 0, NULL, NULL},
    {0},
};
const struct json_type wire_kept_type = {
    "KeptContent", sizeof(struct wire_kept), kept_fields, false};

static const struct json_field count_fields[] = {
    {"model",                  JSON_STRING,  AT(wire_count, model),    0, 0, 0, NULL, NULL},
    {"contents",               JSON_MESSAGE, AT(wire_count, contents), JSON_LIST, 0, 0, &content_type, NULL},
    {"generateContentRequest", JSON_MESSAGE, AT(wire_count, request),  0, 0, 0, &wire_generate_type, "instead of contents"},
    {0},
};
const struct json_type wire_count_type = {
    "CountTokensRequest", sizeof(struct wire_count), count_fields, false};

static const struct json_enum embed_tasks[] = {
    {"TASK_TYPE_UNSPECIFIED", 0, NULL},
    {"RETRIEVAL_QUERY",       1, NULL},
    {"RETRIEVAL_DOCUMENT",    2, NULL},
    {"SEMANTIC_SIMILARITY",   3, NULL},
    {"CLASSIFICATION",        4, NULL},
    {"CLUSTERING",            5, NULL},
    {"QUESTION_ANSWERING",    6, NULL},
    {"FACT_VERIFICATION",     7, NULL},
    {"CODE_RETRIEVAL_QUERY",  8, NULL},
    {0},
};

static const struct json_field embed_fields[] = {
    {"model",                JSON_STRING,  AT(wire_embed, model),      0, 0, 0, NULL, "may repeat the path's"},
    {"content",              JSON_MESSAGE, AT(wire_embed, content),    JSON_REQUIRED, 0, 0, &content_type, "texts only; its role does not matter"},
    {"taskType",             JSON_ENUM,    AT(wire_embed, task),       0, 0, 0, embed_tasks, NULL},
    {"title",                JSON_STRING,  AT(wire_embed, title),      0, 0, 0, NULL, "with RETRIEVAL_DOCUMENT"},
    {"outputDimensionality", JSON_INT,     AT(wire_embed, dimensions), 0, 1, INT32_MAX, NULL, "the first so many numbers, of length 1 again"},
    {0},
};
const struct json_type wire_embed_type = {
    "EmbedContentRequest", sizeof(struct wire_embed), embed_fields, false};

static const struct json_field embed_batch_fields[] = {
    {"requests", JSON_MESSAGE, AT(wire_embed_batch, requests), JSON_LIST | JSON_REQUIRED, 1, WIRE_EMBEDS, &wire_embed_type, NULL},
    {0},
};
const struct json_type wire_embed_batch_type = {
    "BatchEmbedContentsRequest", sizeof(struct wire_embed_batch), embed_batch_fields, false};

/* ---- answers ---- */

static const struct json_field logprob_fields[] = {
    {"token",          JSON_STRING, AT(wire_logprob, token),   0, 0, 0, NULL, NULL},
    {"tokenId",        JSON_INT,    AT(wire_logprob, id),      0, 0, 0, NULL, NULL},
    {"logProbability", JSON_NUMBER, AT(wire_logprob, logprob), 0, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type logprob_type = {
    "LogprobsResultCandidate", sizeof(struct wire_logprob), logprob_fields, false};

static const struct json_field top_logprobs_fields[] = {
    {"candidates", JSON_MESSAGE, AT(wire_top_logprobs, candidates), JSON_LIST, 0, 0, &logprob_type, NULL},
    {0},
};
static const struct json_type top_logprobs_type = {
    "TopCandidates", sizeof(struct wire_top_logprobs), top_logprobs_fields, false};

static const struct json_field logprobs_fields[] = {
    {"topCandidates",    JSON_MESSAGE, AT(wire_logprobs, top),    JSON_LIST, 0, 0, &top_logprobs_type, NULL},
    {"chosenCandidates", JSON_MESSAGE, AT(wire_logprobs, chosen), JSON_LIST, 0, 0, &logprob_type, NULL},
    {0},
};
static const struct json_type logprobs_type = {
    "LogprobsResult", sizeof(struct wire_logprobs), logprobs_fields, false};

static const struct json_field rating_fields[] = {
    {"category",    JSON_ENUM, AT(wire_rating, category),    0, 0, 0, category_names, NULL},
    {"probability", JSON_ENUM, AT(wire_rating, probability), 0, 0, 0, probability_names, NULL},
    {"blocked",     JSON_BOOL, AT(wire_rating, blocked),     0, 0, 0, NULL, "it was blocked for this"},
    {0},
};
static const struct json_type rating_type = {
    "SafetyRating", sizeof(struct wire_rating), rating_fields, false};

static const struct json_field candidate_fields[] = {
    {"content",        JSON_MESSAGE, AT(wire_candidate, content),         0, 0, 0, &content_type, NULL},
    {"finishReason",   JSON_ENUM,    AT(wire_candidate, finish),          0, 0, 0, wire_finish_names, NULL},
    {"finishMessage",  JSON_STRING,  AT(wire_candidate, finish_message),  0, 0, 0, NULL, "api/finish.c"},
    {"safetyRatings",  JSON_MESSAGE, AT(wire_candidate, ratings),         JSON_LIST, 0, 0, &rating_type, NULL},
    {"index",          JSON_INT,     AT(wire_candidate, index),           0, 0, 0, NULL, NULL},
    {"tokenCount",     JSON_INT,     AT(wire_candidate, n_tokens),        0, 0, 0, NULL, "of what it said, thoughts not counted"},
    {"avgLogprobs",    JSON_NUMBER,  AT(wire_candidate, average_logprob), 0, 0, 0, NULL, NULL},
    {"logprobsResult", JSON_MESSAGE, AT(wire_candidate, logprobs),        0, 0, 0, &logprobs_type, NULL},
    {"groundingMetadata",  JSON_ANY, AT(wire_candidate, grounding),       0, 0, 0, NULL, "what the answer rests on"},
    {"urlContextMetadata", JSON_ANY, AT(wire_candidate, url_context),     0, 0, 0, NULL, "pages that were read"},
    {0},
};
static const struct json_type candidate_type = {
    "Candidate", sizeof(struct wire_candidate), candidate_fields, false};

static const struct json_field modality_count_fields[] = {
    {"modality",   JSON_ENUM, AT(wire_modality_count, modality), 0, 0, 0, modality_names, NULL},
    {"tokenCount", JSON_INT,  AT(wire_modality_count, n),        0, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type modality_count_type = {
    "ModalityTokenCount", sizeof(struct wire_modality_count), modality_count_fields, false};

static const struct json_field usage_fields[] = {
    {"promptTokenCount",        JSON_INT,     AT(wire_usage, prompt),         0, 0, 0, NULL, NULL},
    {"cachedContentTokenCount", JSON_INT,     AT(wire_usage, cached),         0, 0, 0, NULL, "of the prompt, found in the cache"},
    {"candidatesTokenCount",    JSON_INT,     AT(wire_usage, output),         0, 0, 0, NULL, "of all candidates"},
    {"thoughtsTokenCount",      JSON_INT,     AT(wire_usage, thoughts),       0, 0, 0, NULL, NULL},
    {"toolUsePromptTokenCount", JSON_INT,     AT(wire_usage, tools),          0, 0, 0, NULL, "of what tools gave the model"},
    {"totalTokenCount",         JSON_INT,     AT(wire_usage, total),          0, 0, 0, NULL, NULL},
    {"promptTokensDetails",     JSON_MESSAGE, AT(wire_usage, prompt_details), JSON_LIST, 0, 0, &modality_count_type, NULL},
    {"cacheTokensDetails",      JSON_MESSAGE, AT(wire_usage, cached_details), JSON_LIST, 0, 0, &modality_count_type, NULL},
    {"candidatesTokensDetails", JSON_MESSAGE, AT(wire_usage, output_details), JSON_LIST, 0, 0, &modality_count_type, NULL},
    {"toolUsePromptTokensDetails", JSON_MESSAGE, AT(wire_usage, tools_details), JSON_LIST, 0, 0, &modality_count_type, NULL},
    {0},
};
static const struct json_type usage_type = {
    "UsageMetadata", sizeof(struct wire_usage), usage_fields, false};

static const struct json_field feedback_fields[] = {
    {"blockReason",   JSON_ENUM,    AT(wire_feedback, block),   0, 0, 0, wire_block_names, NULL},
    {"safetyRatings", JSON_MESSAGE, AT(wire_feedback, ratings), JSON_LIST, 0, 0, &rating_type, NULL},
    {0},
};
static const struct json_type feedback_type = {
    "PromptFeedback", sizeof(struct wire_feedback), feedback_fields, false};

static const struct json_field answer_fields[] = {
    {"candidates",     JSON_MESSAGE, AT(wire_answer, candidates),    JSON_LIST, 0, 0, &candidate_type, NULL},
    {"promptFeedback", JSON_MESSAGE, AT(wire_answer, feedback),      0, 0, 0, &feedback_type, NULL},
    {"usageMetadata",  JSON_MESSAGE, AT(wire_answer, usage),         0, 0, 0, &usage_type, NULL},
    {"modelVersion",   JSON_STRING,  AT(wire_answer, model_version), 0, 0, 0, NULL, NULL},
    {"responseId",     JSON_STRING,  AT(wire_answer, response_id),   0, 0, 0, NULL, NULL},
    {0},
};
const struct json_type wire_answer_type = {
    "GenerateContentResponse", sizeof(struct wire_answer), answer_fields, false};

static const struct json_field count_answer_fields[] = {
    {"totalTokens",         JSON_INT,     AT(wire_count_answer, total),   0, 0, 0, NULL, NULL},
    {"cachedContentTokenCount", JSON_INT, AT(wire_count_answer, cached),  0, 0, 0, NULL, "of them, of the cache that was named"},
    {"promptTokensDetails", JSON_MESSAGE, AT(wire_count_answer, details), JSON_LIST, 0, 0, &modality_count_type, NULL},
    {0},
};
const struct json_type wire_count_answer_type = {
    "CountTokensResponse", sizeof(struct wire_count_answer), count_answer_fields, false};

static const struct json_field model_fields[] = {
    {"name",             JSON_STRING, AT(wire_model, name),            0, 0, 0, NULL, NULL},
    {"baseModelId",      JSON_STRING, AT(wire_model, base),            0, 0, 0, NULL, NULL},
    {"version",          JSON_STRING, AT(wire_model, version),         0, 0, 0, NULL, NULL},
    {"displayName",      JSON_STRING, AT(wire_model, display_name),    0, 0, 0, NULL, NULL},
    {"description",      JSON_STRING, AT(wire_model, description),     0, 0, 0, NULL, NULL},
    {"inputTokenLimit",  JSON_INT,    AT(wire_model, input_limit),     0, 0, 0, NULL, NULL},
    {"outputTokenLimit", JSON_INT,    AT(wire_model, output_limit),    0, 0, 0, NULL, NULL},
    {"supportedGenerationMethods", JSON_STRING, AT(wire_model, methods), JSON_LIST, 0, 0, NULL, NULL},
    {"temperature",      JSON_NUMBER, AT(wire_model, temperature),     0, 0, 0, NULL, NULL},
    {"maxTemperature",   JSON_NUMBER, AT(wire_model, max_temperature), 0, 0, 0, NULL, NULL},
    {"topP",             JSON_NUMBER, AT(wire_model, top_p),           0, 0, 0, NULL, NULL},
    {"topK",             JSON_INT,    AT(wire_model, top_k),           0, 0, 0, NULL, NULL},
    {0},
};
const struct json_type wire_model_type = {
    "Model", sizeof(struct wire_model), model_fields, false};

static const struct json_field models_fields[] = {
    {"models",        JSON_MESSAGE, AT(wire_models, models),    JSON_LIST, 0, 0, &wire_model_type, NULL},
    {"nextPageToken", JSON_STRING,  AT(wire_models, next_page), 0, 0, 0, NULL, NULL},
    {0},
};
const struct json_type wire_models_type = {
    "ListModelsResponse", sizeof(struct wire_models), models_fields, false};

/* ---- errors ---- */

static const struct json_field violation_fields[] = {
    {"field",       JSON_STRING, AT(wire_violation, field),       0, 0, 0, NULL, NULL},
    {"description", JSON_STRING, AT(wire_violation, description), 0, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type violation_type = {
    "FieldViolation", sizeof(struct wire_violation), violation_fields, false};

static const struct json_field metadata_fields[] = {
    {"service", JSON_STRING, AT(wire_metadata, service), 0, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type metadata_type = {
    "Metadata", sizeof(struct wire_metadata), metadata_fields, false};

static const struct json_field detail_fields[] = {
    {"@type",           JSON_STRING,   AT(wire_detail, type),       0, 0, 0, NULL, NULL},
    {"fieldViolations", JSON_MESSAGE,  AT(wire_detail, violations), JSON_LIST, 0, 0, &violation_type, NULL},
    {"retryDelay",      JSON_DURATION, AT(wire_detail, retry),      0, 0, 0, NULL, NULL},
    {"reason",          JSON_STRING,   AT(wire_detail, reason),     0, 0, 0, NULL, NULL},
    {"domain",          JSON_STRING,   AT(wire_detail, domain),     0, 0, 0, NULL, NULL},
    {"metadata",        JSON_MESSAGE,  AT(wire_detail, metadata),   0, 0, 0, &metadata_type, NULL},
    {0},
};
static const struct json_type detail_type = {
    "Any", sizeof(struct wire_detail), detail_fields, false};

static const struct json_field status_fields[] = {
    {"code",    JSON_INT,     AT(wire_status, code),    0, 0, 0, NULL, NULL},
    {"message", JSON_STRING,  AT(wire_status, message), 0, 0, 0, NULL, NULL},
    {"status",  JSON_STRING,  AT(wire_status, status),  0, 0, 0, NULL, NULL},
    {"details", JSON_MESSAGE, AT(wire_status, details), JSON_LIST, 0, 0, &detail_type, NULL},
    {0},
};
static const struct json_type status_type = {
    "Status", sizeof(struct wire_status), status_fields, false};

static const struct json_field error_fields[] = {
    {"error", JSON_MESSAGE, AT(wire_error, error), 0, 0, 0, &status_type, NULL},
    {0},
};
const struct json_type wire_error_type = {
    "Error", sizeof(struct wire_error), error_fields, false};
/* clang-format on */

struct json_int wire_time(int64_t ns)
{
    return (struct json_int){ns != 0, ns / 1000 * 1000};
}

/* serve_options.c - the command line of `pollux serve`. */
#include "serve_inside.h"
#include <stdlib.h>

/* clang-format off */
#define AT(member) offsetof(struct settings, member)
static const struct option table[] = {
    {"host", 0, OPTION_STRING, AT(host), "127.0.0.1", 0, 0, "ADDRESS",
     "where to listen; 0.0.0.0 lets other machines in", NULL},
    {"port", 'p', OPTION_INT, AT(port), "8080", 0, 65535, "N",
     "port to listen on; 0 takes any free one", NULL},
    {"model", 'm', OPTION_STRING, AT(model), NULL, 0, 0, "NAME|FILE",
     "a model of `pollux models`, or a GGUF file; else the default model", NULL},
    {"mmproj", 0, OPTION_STRING, AT(mmproj), NULL, 0, 0, "FILE",
     "the model's projector, a GGUF: it sees pictures, or hears sounds, which are not put into words", NULL},
    {"embedding-model", 0, OPTION_STRING, AT(embedding_model), NULL, 0, 0, "NAME|FILE",
     "the model that makes embeddings, loaded when first asked; else the default one", NULL},
    {"models-dir", 0, OPTION_STRING, AT(models_dir), NULL, 0, 0, "DIR",
     "where models lie (default ~/.cache/pollux/models)", NULL},
    {"data-dir", 0, OPTION_STRING, AT(data_dir), NULL, 0, 0, "DIR",
     "where the server keeps what must survive (default ~/.local/share/pollux)", NULL},
    {"script", 0, OPTION_STRING, AT(script), NULL, 0, 0, "FILE",
     "replay answers and faults from a JSON file instead of running a model", NULL},
    {"threads", 't', OPTION_INT, AT(threads), "0", 0, 1024, "N",
     "threads that compute; 0: one for each core", NULL},
    {"kernels", 0, OPTION_CHOICE, AT(kernels), "auto", 0, 0, "WHOSE",
     "products of weights: ours where this CPU can do them, or always libllama's",
     "auto libllama"},
    {"packed-dir", 0, OPTION_STRING, AT(packed_dir), NULL, 0, 0, "DIR",
     "where weights lie as those products take them, as large as the model, so that the next start "
     "is quick (default ~/.cache/pollux/packed); off: nowhere", NULL},
    {"ctx", 'c', OPTION_INT, AT(ctx), "0", 0, 1 << 24, "TOKENS",
     "context of one conversation, prompt and answer together; 0: the model's own, at "
     "most 8192", NULL},
    {"parallel", 0, OPTION_INT, AT(parallel), "4", 1, 64, "N",
     "answers that are made at once; each takes memory for its context", NULL},
    {"queue", 0, OPTION_INT, AT(queue), "512", 0, 100000, "N",
     "answers that may wait; more are refused with 429", NULL},
    {"safety", 0, OPTION_CHOICE, AT(safety), "off", 0, 0, "LEVEL",
     "what is blocked where a request's safetySettings say nothing: what is harmful with this "
     "probability or a higher one", "off high medium low"},
    {"guard-model", 0, OPTION_STRING, AT(guard_model), NULL, 0, 0, "NAME|FILE",
     "a model that judges what is harmful; else the served model judges itself", NULL},
    {"guard-script", 0, OPTION_STRING, AT(guard_script), NULL, 0, 0, "FILE",
     "a script that judges instead; for tests", NULL},
    {"blocklist", 0, OPTION_STRING, AT(blocklist), NULL, 0, 0, "FILE",
     "words and /expressions/, one a line, that neither prompts nor answers may have", NULL},
    {"readers-dir", 0, OPTION_STRING, AT(readers_dir), NULL, 0, 0, "DIR",
     "what scripts/setup.sh readers installed (default ~/.cache/pollux/readers/current)", NULL},
    {"media-timeout", 0, OPTION_INT, AT(media_timeout), "300", 1, 3600, "SECONDS",
     "a piece of media that takes longer to read is refused", NULL},
    {"media-sandbox", 0, OPTION_CHOICE, AT(media_sandbox), "required", 0, 0, "HOW",
     "media are read by children in a sandbox; where this machine has none they are refused, "
     "unless this is off: then a broken reader has the server's own rights", "required off"},
    {"code-execution", 0, OPTION_SWITCH, AT(code_execution), "true", 0, 0, NULL,
     "the model may have Python run, in a sandbox, for requests with the tool code execution",
     NULL},
    {"code-memory", 0, OPTION_INT, AT(code_memory), "512", 64, 65536, "MB",
     "code that takes more is ended", NULL},
    {"tools-dir", 0, OPTION_STRING, AT(tools_dir), NULL, 0, 0, "DIR",
     "what scripts/setup.sh tools installed (default ~/.cache/pollux/tools/current)", NULL},
    {"tool-timeout", 0, OPTION_INT, AT(tool_timeout), "30", 1, 600, "SECONDS",
     "a call of a built-in tool that takes longer is ended, code as well as a search; all calls "
     "of an answer may take four times as long", NULL},
    {"tool-rounds", 0, OPTION_INT, AT(tool_rounds), "8", 1, 100, "N",
     "how often in an answer the model may call built-in tools", NULL},
    {"search", 0, OPTION_CHOICE, AT(search), "local", 0, 0, "WHO",
     "who answers the tool google_search: documents of `pollux index add`, a SearXNG server, "
     "a search API with a key as Brave's, or nobody", "local searxng brave off"},
    {"search-url", 0, OPTION_STRING, AT(search_url), NULL, 0, 0, "URL",
     "where that server is; of Brave's its own when absent", NULL},
    {"search-key", 0, OPTION_STRING, AT(search_key), NULL, 0, 0, "KEY",
     "the key of the search API", NULL},
    {"ocr-languages", 0, OPTION_STRING, AT(ocr_languages), NULL, 0, 0, "LANGUAGES",
     "what text in pictures is written in: tesseract's names, eng+deu; else its default", NULL},
    {"speech-command", 0, OPTION_STRING, AT(speech_command), NULL, 0, 0, "COMMAND",
     "a program that speaks instead of espeak-ng: reads text, writes WAV; {voice}, {gender}, "
     "{language}, {pitch} and {rate} in it are filled in", NULL},
    {"speech-dir", 0, OPTION_STRING, AT(speech_dir), NULL, 0, 0, "DIR",
     "a folder that it needs; it sees /usr and this, and nothing else", NULL},
    {"fetch", 0, OPTION_CHOICE, AT(fetch), "public", 0, 0, "WHAT",
     "URLs that requests name are fetched from the public network, or not at all",
     "public off"},
    {"fetch-allow", 0, OPTION_LIST, AT(fetch_allow), NULL, 0, 0, "NET|HOST",
     "fetch from here as well, although it is not public: 10.1.0.0/16, ::1, media.lan, .lan "
     "(repeatable)", NULL},
    {"fetch-limit", 0, OPTION_INT, AT(fetch_limit), "20971520", 1, 1 << 30, "BYTES",
     "longest that all URLs of one request may be together", NULL},
    {"fetch-timeout", 0, OPTION_INT, AT(fetch_timeout), "30", 1, 3600, "SECONDS",
     "a URL that takes longer to arrive is refused", NULL},
    {"api-key", 'k', OPTION_LIST, AT(keys), NULL, 0, 0, "KEY",
     "let in only callers with this key (repeatable); without any, everyone", NULL},
    {"strict-names", 0, OPTION_SWITCH, AT(strict_names), "false", 0, 0, NULL,
     "serve the model under its own name only, not as gemini-*", NULL},
    {"request-limit", 0, OPTION_INT, AT(request_limit), "20971520", 1000, 1 << 30, "BYTES",
     "longest request body", NULL},
    {"file-limit", 0, OPTION_INT, AT(file_limit), "2147483648", 1, 1LL << 50, "BYTES",
     "longest file that may be uploaded", NULL},
    {"files-total", 0, OPTION_INT, AT(files_total), "21474836480", 1, 1LL << 50, "BYTES",
     "room for all uploaded files together", NULL},
    {"tuning-jobs", 0, OPTION_INT, AT(tuning_jobs), "1", 0, 16, "N",
     "tuned models that are trained at once; others wait, with 0 all", NULL},
    {"batch-hours", 0, OPTION_INT, AT(batch_hours), "168", 1, 100000, "HOURS",
     "a batch that takes longer expires; what is made of it is kept", NULL},
    {"caches-total", 0, OPTION_INT, AT(caches_total), "10737418240", 0, 1LL << 50, "BYTES",
     "room on the disk for the model's state of cached contents; those not used for the longest time "
     "are computed again", NULL},
    {"open-files", 0, OPTION_SWITCH, AT(open_files), "false", 0, 0, NULL,
     "what there is to know of a file whose name one knows needs no key", NULL},
    {"interaction-days", 0, OPTION_INT, AT(interaction_days), "55", 0, 36500, "DAYS",
     "stored interactions are kept for so long; 0: until they are deleted", NULL},
    {"webhook-secret", 0, OPTION_STRING, AT(webhook_secret), NULL, 0, 0, "SECRET",
     "signs what is sent to a webhook_config's uris; without it there are no webhooks", NULL},
    {"idle-timeout", 0, OPTION_INT, AT(idle_timeout), "60", 1, 86400, "SECONDS",
     "a connection that sends nothing for so long is closed", NULL},
    {"log-format", 0, OPTION_CHOICE, AT(log_format), "text", 0, 0, "FORMAT",
     "of the lines on standard error", "text json"},
    {"log-level", 0, OPTION_CHOICE, AT(log_level), "info", 0, 0, "LEVEL",
     "the least important lines to write", "debug info warn error"},
    {0},
};
#undef AT
/* clang-format on */

const struct command serve_command = {
    "serve",
    "[OPTION]...",
    "Starts a Gemini API server. It loads the model, then says where it listens; "
    "clients\n"
    "take that address as their base URL. Ctrl-C lets what is under way finish, for up\n"
    "to 10 seconds; a second one ends at once.\n"
    "\n"
    "Exit status: 0 stopped, 1 failed, 2 wrong command line, 3 cannot listen (the port\n"
    "is taken), 4 the model is not on this machine (pollux pull fetches it).",
    table,
    "  pollux serve\n"
    "  pollux serve --model qwen2.5-coder-0.5b-instruct --port 9000\n"
    "  pollux serve --host 0.0.0.0 --api-key \"$(openssl rand -hex 16)\"\n"
    "  pollux serve --script replies.json   # for tests of an app, no model needed\n",
};

bool serve_read(int argc, char **argv, struct settings *settings, int *status)
{
    int n_words = 0;
    const char **words = mem_alloc((size_t)argc * sizeof *words);
    bool begun =
        command_begin(&serve_command, argc, argv, settings, words, &n_words, status);
    if (begun && n_words > 0)
        *status = command_misuse(&serve_command, "'%s' is one word too many", words[0]);
    free(words);
    return begun && n_words == 0;
}

void serve_forget(struct settings *settings)
{
    option_free(table, settings);
}

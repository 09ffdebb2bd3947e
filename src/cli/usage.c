/* usage.c - what `pollux --help` prints. */
#include "cli/cli.h"

void cli_usage(FILE *out)
{
    fputs(
        "Usage: pollux COMMAND [OPTION]...\n"
        "\n"
        "Pollux is a Gemini API server for your own machine: point an application's "
        "base\n"
        "URL at it, and an open model answers.\n"
        "\n"
        "Commands:\n"
        "  serve     start the server (on http://127.0.0.1:8080)\n"
        "  chat      talk with a model, interactively\n"
        "  run       ask one question; prompt as words, piped in, or both\n"
        "  models    list installed and known models\n"
        "  pull      fetch a model\n"
        "  tune      train a model on your own examples\n"
        "  tuned     list, show, delete, export and import tuned models\n"
        "  doctor    say what is missing or wrong here, and how to mend it\n"
        "  version   versions of Pollux and its engine\n"
        "\n"
        "`pollux COMMAND --help` explains a command, with examples. Every option can be\n"
        "given as an environment variable, too: --base-url is POLLUX_BASE_URL.\n"
        "\n"
        "To begin:\n"
        "  pollux pull qwen2.5-coder-1.5b-instruct\n"
        "  pollux serve &\n"
        "  pollux run \"Write a haiku about the sea\"\n",
        out);
}

#!/usr/bin/env bash
# layers.sh - who may include whom. Includes carry their folder, so this table is the check.
# A test or fuzz target may include what its module may, and nothing more. main.c opens
# everything, so it may include everything.
set -euo pipefail
cd "$(dirname "$0")/.."

find src -name '*.[ch]' | sort | xargs awk '
BEGIN {
    may["base"]   = ""
    may["json"]   = may["http"] = may["store"] = "base"
    may["media"]  = "base json"
    may["model"]  = "base json"
    may["kernel"] = ""
    may["engine"] = "base json http model kernel"
    may["tools"]  = "base json http store media fetch index"
    may["chat"]   = "base json engine tools media"
    may["tuning"] = "base json engine store train"
    may["train"]  = "base json engine kernel chat"
    may["files"]  = "base store"
    may["fetch"]  = "base"
    may["interactions"] = "base store"
    may["batches"] = "base store files"
    may["index"]  = "base json store files media engine"
    may["caches"] = "base store engine"
    may["api"]    = "base json http store files index fetch batches caches interactions model engine tools media chat tuning train"
    may["cli"]    = "base json http media model train"
}
FNR == 1 {
    n = split(FILENAME, parts, "/")
    room = n > 2 ? parts[2] : "main"
    if (room != "main" && !(room in may)) {
        printf "%s: %s is not a room in scripts/layers.sh\n", FILENAME, room
        bad = 1
    }
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, quoted, "\"")
    path = quoted[2]
    # Our headers outside src/.
    if (path == "rust/template.h" || path == "rust/constraint.h") {
        if (room != "chat" && room != "engine" && room != "main")
            { printf "%s:%d: %s may not include %s\n", FILENAME, FNR, room, path; bad = 1 }
        next
    }
    if (path !~ /\// && room != "main") {
        printf "%s:%d: \"%s\" does not carry its folder\n", FILENAME, FNR, path
        bad = 1
        next
    }
    split(path, to, "/")
    if (room == "main" || to[1] == room)
        next
    if (index(" " may[room] " ", " " to[1] " ") == 0) {
        printf "%s:%d: %s may not include %s\n", FILENAME, FNR, room, to[1]
        bad = 1
    }
}
/^[ \t]*#[ \t]*include[ \t]*<(llama|mtmd|ggml[a-z-]*)\.h>/ && FILENAME !~ /^src\/(engine\/(embed_llm|llm|sight)|kernel\/[a-z_]*test|train\/[a-z_]*)\./ {
    printf "%s:%d: only src/engine/llm.c, embed_llm.c, sight.c, kernel/ and train/ include libllama\n", FILENAME, FNR
    bad = 1
}
END { exit bad }
'

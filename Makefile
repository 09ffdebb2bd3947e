# Pollux: the whole build. `make` alone says what there is.
VERSION = 0.1.0

# A build is a folder ($B), a compiler and a sanitizer; asan, tsan, fuzz and lint are this same
# file again with other values of the three.
B     ?= build
SAN   ?=
OPT   ?= -O2 -g
ifeq ($(origin CC),default)
CC     = gcc
endif
PYTHON ?= python3
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/pollux
MODEL ?= qwen2.5-coder-1.5b-instruct
EMBEDDER := all-minilm-l6-v2
FUZZ_SECONDS ?= 60

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif

ENGINE := $(shell scripts/engine.sh --where)
ENGINE_STAMP := $(if $(LLAMA_PREFIX),$(ENGINE)/include/llama.h,$(ENGINE)/mtmd-stamp)
RUST := build/libpollux_rust.a
PACKAGES := libmicrohttpd json-c zlib libcurl libedit sqlite3 libcrypto libseccomp

# A libllama of the owner's may come without libmtmd: then no model sees.
SIGHT := $(if $(LLAMA_PREFIX),$(if $(wildcard $(ENGINE)/include/mtmd.h),sight,sight_none),sight)
SOURCES := $(filter-out $(if $(filter sight,$(SIGHT)),src/engine/sight_none.c,src/engine/sight.c),$(sort $(shell find src -name '*.c')))
TESTS   := $(filter %_test.c,$(SOURCES))
FUZZERS := $(filter %_fuzz.c,$(SOURCES))
MODULES := $(filter-out src/main.c $(TESTS) $(FUZZERS),$(SOURCES)) src/kernel/plug.cc
objects  = $(patsubst src/%.cc,$(B)/obj/%.o,$(patsubst src/%.c,$(B)/obj/%.o,$1))
TEST_BINARIES := $(patsubst src/%.c,$(B)/test/%,$(TESTS))
FUZZ_BINARIES := $(patsubst src/%.c,$(B)/%,$(FUZZERS))

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
CFLAGS ?=
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE -DPOLLUX_VERSION='"$(VERSION)"' $(OPT) $(WARN) $(SAN) \
    -fno-omit-frame-pointer -pthread -Isrc -Irust -I. -isystem $(ENGINE)/include \
    $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null) $(CFLAGS) $(CFLAGS_$*)
# Of one file: kernel/plug.cc. ggml's inner headers are C++, and not among the public ones. What clang's sanitizer has
# for C++ alone is not linked to programs in C.
CXX = $(if $(filter clang%,$(CC)),clang++,g++)
ALL_CXXFLAGS = -std=c++17 -D_GNU_SOURCE $(OPT) -Wall -Wextra -Werror -Wshadow $(SAN) \
    -fno-omit-frame-pointer -pthread -Isrc -isystem $(ENGINE)/include -isystem $(ENGINE)/src/ggml/src \
    $(if $(filter clang%,$(CC)),-fno-sanitize=vptr -fno-sanitize=function)
# Libraries that a program does not use are not linked. A libllama of the owner's may lack parts.
LIBS = -L$(ENGINE)/lib \
    $(if $(LLAMA_PREFIX),-Wl$(comma)-rpath$(comma)$(ENGINE)/lib) \
    $(patsubst %,-l%,$(foreach l,$(if $(filter sight,$(SIGHT)),mtmd) llama ggml ggml-cpu ggml-base,$(if \
        $(or $(if $(LLAMA_PREFIX),,all),$(wildcard $(ENGINE)/lib/lib$l.*)),$l))) \
    $(RUST) -Wl,--as-needed $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) \
    -lstdc++ -lgomp -lpthread -lm -ldl
comma := ,

# Flags of one file. The sampler's loops over the vocabulary are as wide as this CPU's registers
# (libllama is built for this CPU as well).
CFLAGS_cli/version = -DPOLLUX_ENGINE='"libllama $(notdir $(ENGINE))"'
CFLAGS_engine/llm = $(CFLAGS_cli/version)
CFLAGS_engine/sample = -march=native -Wno-psabi
CFLAGS_kernel/panel = -O3 -march=native
# Loops that are unrolled by force cost clang minutes and gigabytes to instrument; gcc does it (make asan).
CFLAGS_kernel/avx2 = $(if $(filter clang%,$(CC)),-fno-sanitize=all)
CFLAGS_kernel/avx512 = $(CFLAGS_kernel/avx2)
CFLAGS_kernel/attend_avx2 = $(CFLAGS_kernel/avx2)
CFLAGS_kernel/attend_avx512 = $(CFLAGS_kernel/avx2)
CFLAGS_index/vectors = -O3 -march=native
CFLAGS_train/wide = -O3 -march=native -Wno-psabi

.DEFAULT_GOAL := help
.PHONY: help build unit test run readers tools lint asan tsan fuzz fuzzers bench bench-adapters bench-batches bench-caches bench-files bench-mind bench-search bench-step bench-tools bench-train bench-tuned soak coverage format clean \
        objects tests sanitized
.DELETE_ON_ERROR:

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 18

build: $(B)/pollux ## build/pollux; gets libllama and builds it when it is not there

run: ## install what is missing, build, start the server (ARGS="--port 9000", MODEL=name)
	@scripts/setup.sh run
	@$(MAKE) --no-print-directory --quiet build
	@case "$(ARGS)" in *--model*|*--script*) ;; *) build/pollux pull $(MODEL) ;; esac
	@case "$(ARGS)" in *--embedding-model*|*--script*) ;; \
	*) [ -f $(CACHE)/models/$(EMBEDDER)-f16.gguf ] || build/pollux pull $(EMBEDDER) ;; esac
	@exec build/pollux serve $(if $(findstring --model,$(ARGS))$(findstring --script,$(ARGS)),,--model $(MODEL)) $(ARGS)

tools: ## what code that a model writes can import: numpy, pandas, matplotlib, sympy
	@scripts/setup.sh tools

readers: ## what reads images, PDFs, sound and video for a model without senses
	@scripts/setup.sh readers

unit: ## unit tests; T=json/schema for one; installs what is missing
	@scripts/setup.sh unit
	@scripts/fetch.sh unit
	@$(MAKE) --no-print-directory --quiet tests
	@$(PYTHON) scripts/run_tests.py --build $(B) unit $(T)

test: ## everything that a change must pass; installs what is missing
	@scripts/setup.sh system
	@scripts/fetch.sh & fetch=$$!; \
	$(MAKE) --no-print-directory --quiet build tests $(B)/hold || { kill $$fetch; exit 1; }; wait $$fetch
	@$(PYTHON) scripts/run_tests.py --build $(B) unit api cli sdk schemas

asan: ## unit and API tests with the address and undefined-behaviour sanitizers
	@scripts/setup.sh test
	@$(MAKE) --no-print-directory B=build/asan SAN="-fsanitize=address,undefined -fno-sanitize-recover=all" OPT="-O1 -g" sanitized

# ggml's threads meet by futexes of libgomp that the sanitizer does not see: everything that one of them hands to another
# would be a race. So there is one; the threads that are Pollux's own are all there.
tsan: ## unit and API tests with the thread sanitizer
	@scripts/setup.sh test
	@OMP_THREAD_LIMIT=1 $(MAKE) --no-print-directory B=build/tsan SAN=-fsanitize=thread OPT="-O1 -g" sanitized

sanitized: $(B)/pollux tests
	@ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1 \
	LSAN_OPTIONS=suppressions=$(CURDIR)/scripts/lsan.supp:print_suppressions=0 \
	TSAN_OPTIONS=suppressions=$(CURDIR)/scripts/tsan.supp:halt_on_error=1:second_deadlock_stack=1 \
	$(PYTHON) scripts/run_tests.py --build $(B) --no-model unit api

fuzz: ## run every fuzz target (FUZZ_SECONDS=60 each; F=json/schema for one)
	@scripts/setup.sh fuzz
	@$(MAKE) --no-print-directory B=build/fuzz CC=clang OPT="-O1 -g" \
	    SAN=-fsanitize=fuzzer-no-link,address,undefined fuzzers
	@scripts/fuzz.sh $(FUZZ_SECONDS) $(F)

bench: build ## Pollux and llama-server, interleaved, as ratios
	@$(PYTHON) scripts/bench.py --pollux build/pollux --peer "$$(scripts/engine.sh --peer)" $(ARGS)
	@$(if $(ARGS),,$(PYTHON) scripts/bench_files.py --pollux build/pollux)
	@$(if $(ARGS),,$(PYTHON) scripts/bench_caches.py --pollux build/pollux --model $(MODEL))

bench-caches: build ## first token with a cache: cold, warm, after a restart (ARGS="--tokens 4096 --rounds 3")
	@$(PYTHON) scripts/bench_caches.py --pollux build/pollux --model $(MODEL) $(ARGS)

bench-files: build ## uploads against a plain copy (ARGS="--mb 512 --rounds 5")
	@$(PYTHON) scripts/bench_files.py --pollux build/pollux $(ARGS)

bench-train: build ## training against PyTorch + PEFT: losses, speed, memory
	@$(PYTHON) scripts/bench_train.py --pollux build/pollux $(ARGS)

bench-tuned: build ## what tuning teaches, and costs: right answers before and after, serving beside it, memory
	@$(PYTHON) scripts/bench_tuned.py --pollux build/pollux $(ARGS)

bench-adapters: build ## two tuned models and the base at once, 8 clients each
	@$(PYTHON) scripts/bench_adapters.py --pollux build/pollux $(ARGS)

bench-batches: build ## what a batch costs the clients beside it (ARGS="--model NAME")
	@$(PYTHON) scripts/bench_batches.py --pollux build/pollux $(ARGS)

bench-search: build ## what a search of 10,000 passages costs (ARGS="--chunks 100000 --real")
	@$(PYTHON) scripts/bench_search.py --pollux build/pollux $(ARGS)

bench-tools: build ## right answers with each built-in tool (ARGS="--only search --shown")
	@$$(scripts/venv.sh) scripts/bench_tools.py --pollux build/pollux $(ARGS)

bench-mind: build $(B)/hold ## the same for schemas; calls that are right, by category
	@$(PYTHON) scripts/bench_mind.py --pollux build/pollux --peer "$$(scripts/engine.sh --peer)" $(ARGS)

bench-step: build $(B)/step ## what a step costs by its rows, with either kernels (MODEL=name)
	@echo "| $(MODEL) | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 512 | 1 after 1920 | 12 after 1920 |"
	@for kernels in libllama panels; do \
	    GOMP_SPINCOUNT=10000 $(B)/step $(CACHE)/models/$(MODEL)-q4_k_m.gguf $$kernels; done

soak: build ## what takes minutes: 200 streaming clients for 60 s, none lost; clients that call functions; sweeps
	@scripts/setup.sh system
	@scripts/fetch.sh
	@$(PYTHON) scripts/run_tests.py --build $(B) soak

coverage: ## what the checklist asks and no test names; lines that no unit test runs
	@$(PYTHON) scripts/coverage.py
	@if command -v gcovr >/dev/null; then \
	    $(MAKE) --no-print-directory --quiet B=build/gcov SAN=--coverage OPT="-O0 -g" CC=gcc tests && \
	    $(PYTHON) scripts/run_tests.py --build build/gcov unit && \
	    gcovr --root . --filter src/ --exclude '.*_test.c' build/gcov | cut -c1-68; fi

lint: ## layers, format, cppcheck, clang's warnings, clang-tidy; what was clean is not looked at again
	@scripts/setup.sh lint
	@$(MAKE) --no-print-directory --quiet -k B=build/clang CC=clang OPT=-O0 layers formatted cppcheck objects tidy
	@echo "lint: no findings"

format: ## clang-format over all of it
	@find src rust -name '*.[ch]' -o -name '*.cc' | xargs clang-format -i

clean: ## remove build/; the cache with libllama and the models stays
	rm -rf build

# ---- how ----

objects: $(call objects,$(SOURCES))
tests: $(TEST_BINARIES)
fuzzers: $(FUZZ_BINARIES)
.PHONY: layers formatted cppcheck tidy
layers:
	@scripts/layers.sh
formatted: $(B)/formatted
tidy: $(patsubst src/%.c,$(B)/tidy/%,$(SOURCES))
cppcheck:
	@mkdir -p $(B)/cppcheck
	@cppcheck --quiet -j2 --cppcheck-build-dir=$(B)/cppcheck --std=c11 --enable=warning,performance,portability \
	    --error-exitcode=1 --inline-suppr --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
	    --suppress=unmatchedSuppression -DPOLLUX_VERSION='""' -Isrc -Irust src

$(B)/obj/%.o: src/%.c Makefile | $(ENGINE_STAMP)
	@mkdir -p $(@D)
	@echo "  cc    $<"
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(B)/obj/%.o: src/%.cc Makefile | $(ENGINE_STAMP)
	@mkdir -p $(@D)
	@echo "  c++   $<"
	@$(CXX) $(ALL_CXXFLAGS) -MMD -MP -c $< -o $@

# What .incbin takes in, the compiler's own dependency file does not know.
$(B)/obj/model/catalogue.o: models/catalogue.json scripts/pull.py scripts/bert_gguf.py
$(B)/obj/media/media.o: src/media/readers/read.py
$(B)/obj/tools/code.o: src/tools/python/run.py

$(B)/libpollux.a: $(call objects,$(MODULES))
	@rm -f $@
	@ar rcs $@ $^

$(B)/pollux: $(call objects,src/main.c) $(B)/libpollux.a $(RUST)
	@echo "  link  $@"
	@$(CC) $(SAN) $(LDFLAGS) $(filter %.o %/libpollux.a,$^) $(LIBS) -o $@

$(B)/test/%: $(B)/obj/%.o $(B)/libpollux.a $(RUST)
	@mkdir -p $(@D)
	@echo "  link  $@"
	@$(CC) $(SAN) $(LDFLAGS) $(filter %.o %/libpollux.a,$^) $(LIBS) -lcmocka -o $@

# What holds texts to schemas, for tests/schemas/check.py.
$(B)/hold: tests/schemas/hold.c $(B)/libpollux.a $(RUST)
	@echo "  link  $@"
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(filter %.c %/libpollux.a,$^) $(LIBS) -o $@

$(B)/step: tests/bench/step.c $(B)/libpollux.a $(RUST)
	@echo "  link  $@"
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(filter %.c %/libpollux.a,$^) $(LIBS) -o $@

$(B)/%_fuzz: $(B)/obj/%_fuzz.o $(B)/libpollux.a $(RUST)
	@mkdir -p $(@D)
	@echo "  link  $@"
	@$(CC) $(subst fuzzer-no-link,fuzzer,$(SAN)) $(LDFLAGS) $(filter %.o %/libpollux.a,$^) $(LIBS) -o $@

# Only what changed. A new .clang-format is for all.
$(B)/formatted: $(shell find src rust -name '*.[ch]' -o -name '*.cc') .clang-format
	@mkdir -p $(@D)
	@clang-format --dry-run -Werror $(filter-out .clang-format,$(if $(filter .clang-format,$?),$^,$?))
	@touch $@

# A file is looked at again when its object was made again. Tests have one thread.
$(B)/tidy/%: $(B)/obj/%.o .clang-tidy scripts/tidy.sh
	@mkdir -p $(@D)
	@scripts/tidy.sh src/$*.c $(if $(filter %_test,$*),--checks=-concurrency-mt-unsafe) -- $(filter-out -Werror,$(ALL_CFLAGS))
	@touch $@

$(ENGINE)/mtmd-stamp:
	@scripts/engine.sh >/dev/null

# Cargo's own folder is shared by checkouts; what it leaves there is copied under a lock.
$(RUST): $(wildcard rust/Cargo.* rust/src/*.rs)
	@echo "  cargo $@"
	@mkdir -p $(@D) $(CACHE)/rust
	@flock $(CACHE)/rust/lock sh -c 'cargo build --quiet --release --locked \
	    --manifest-path rust/Cargo.toml --target-dir $(CACHE)/rust/target && \
	    cp $(CACHE)/rust/target/release/libpollux_rust.a $@.new && mv $@.new $@'

-include $(patsubst %.o,%.d,$(call objects,$(SOURCES)))

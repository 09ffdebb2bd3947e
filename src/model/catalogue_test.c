#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/catalogue.h"

struct fixture {
    struct catalogue *catalogue;
    struct arena *arena;
    char folder[64];
};

static int set_up(void **state)
{
    struct error err;
    struct fixture *f = mem_alloc(sizeof(*f));
    snprintf(f->folder, sizeof(f->folder), "/tmp/pollux-catalogue-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->catalogue = catalogue_open(&err);
    f->arena = arena_open();
    *state = f;
    return f->catalogue ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct model_file *files;
    int n = catalogue_list(f->catalogue, text_of(f->folder), f->arena, &files);
    for (int i = 0; i < n; i++)
        unlink(files[i].path.at);
    unlink(arena_printf(f->arena, "%s/notes.txt", f->folder).at);
    unlink(arena_printf(f->arena, "%s/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf", f->folder)
               .at);
    rmdir(f->folder);
    arena_close(f->arena);
    catalogue_close(f->catalogue);
    free(f);
    return 0;
}

/* A file of this size that takes no room on the disk. */
static void put(const struct fixture *f, const char *name, int64_t bytes)
{
    struct text path = arena_printf(f->arena, "%s/%s", f->folder, name);
    FILE *file = fopen(path.at, "w");
    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), bytes), 0);
    fclose(file);
}

static bool resolve(const struct fixture *f, const char *name, struct model_file *file,
                    struct error *err)
{
    return catalogue_resolve(f->catalogue, text_of(name), text_of(f->folder), f->arena,
                             file, err);
}

static void every_entry_is_whole_and_no_two_share_a_name(void **state)
{
    struct fixture *f = *state;
    assert_true(catalogue_count(f->catalogue) >= 4);
    for (int i = 0; i < catalogue_count(f->catalogue); i++) {
        const struct model_entry *e = catalogue_at(f->catalogue, i);
        assert_true(e->display_name.len > 0 && e->description.len > 0 &&
                    e->license.len > 0);
        if (e->kind == MODEL_EMBEDS)
            assert_true(e->dimensions > 0);
        else
            assert_true(e->defaults.temperature > 0 && e->defaults.top_k > 0);
        assert_ptr_equal(catalogue_find(f->catalogue, e->name), e);
        for (int a = 0; a < e->n_aliases; a++)
            assert_ptr_equal(catalogue_find(f->catalogue, e->aliases[a]), e);
        assert_true(text_find(e->json, TEXT("\"sources\""), 0) != SIZE_MAX);
    }
    assert_null(catalogue_at(f->catalogue, catalogue_count(f->catalogue)));
    assert_null(catalogue_at(f->catalogue, -1));
}

static void the_default_is_one_of_the_entries(void **state)
{
    struct fixture *f = *state;
    const struct model_entry *e = catalogue_default(f->catalogue);
    assert_true(e->is_default);
    assert_true(text_is(e->name, "qwen2.5-coder-1.5b-instruct"));
    assert_int_equal(e->bytes, 1117320768);
    assert_int_equal(e->context, 32768);
    assert_true(e->defaults.temperature > 0.69 && e->defaults.temperature < 0.71);
}

static void an_embedding_model_is_the_default_of_its_kind(void **state)
{
    struct fixture *f = *state;
    struct model_file file;
    struct error err;
    assert_true(catalogue_resolve_embedder(f->catalogue, TEXT(""), TEXT("/m"), f->arena,
                                           &file, &err));
    assert_true(file.entry->kind == MODEL_EMBEDS && !file.entry->is_default);
    assert_true(catalogue_default(f->catalogue)->kind == MODEL_WRITES);
    assert_true(text_starts(file.path, "/m/") && text_ends(file.path, ".gguf"));
    assert_false(catalogue_resolve_embedder(f->catalogue, file.name, TEXT("/m"), f->arena,
                                            &file, &err)); /* named, it must be there */
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void a_name_is_found_in_letters_of_any_case(void **state)
{
    struct fixture *f = *state;
    assert_non_null(catalogue_find(f->catalogue, TEXT("SmolLM2-135M-Instruct")));
    assert_non_null(catalogue_find(f->catalogue, TEXT("smollm2")));
    assert_null(catalogue_find(f->catalogue, TEXT("smollm")));
    assert_null(catalogue_find(f->catalogue, TEXT("")));
    assert_null(catalogue_find(f->catalogue, TEXT("smollm2\0x")));
}

static void a_model_that_is_not_installed_says_how_to_get_it(void **state)
{
    struct fixture *f = *state;
    struct model_file file;
    struct error err;
    assert_false(resolve(f, "", &file, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_non_null(strstr(err.message, "pollux pull qwen2.5-coder-1.5b-instruct"));
}

static void an_installed_model_is_found_by_name_alias_and_file(void **state)
{
    struct fixture *f = *state;
    struct model_file file;
    struct error err;
    put(f, "smollm2-135m-instruct-q4_1.gguf", 98362432);
    const char *names[] = {"smollm2-135m-instruct", "SmolLM2",
                           "smollm2-135m-instruct-q4_1",
                           "smollm2-135m-instruct-q4_1.gguf"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        assert_true(resolve(f, names[i], &file, &err));
        assert_true(text_is(file.name, "smollm2-135m-instruct"));
        assert_true(text_ends(file.path, "/smollm2-135m-instruct-q4_1.gguf"));
        assert_true(text_is(file.entry->family, "chatml"));
    }
}

static void a_file_of_the_wrong_size_is_not_the_model(void **state)
{
    struct fixture *f = *state;
    struct model_file file;
    struct error err;
    put(f, "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf", 1000);
    assert_false(resolve(f, "qwen2.5-coder", &file, &err));
    assert_false(resolve(f, "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf", &file, &err));
}

static void other_files_are_served_under_their_own_name(void **state)
{
    struct fixture *f = *state;
    struct model_file file;
    struct error err;
    put(f, "My-Model.Q8_0.gguf", 100);
    assert_true(resolve(f, "my-model.q8_0", &file, &err));
    assert_true(text_is(file.name, "my-model.q8_0"));
    assert_null(file.entry);
    assert_true(text_ends(file.path, "/My-Model.Q8_0.gguf"));
    struct text path = arena_printf(f->arena, "%s/My-Model.Q8_0.gguf", f->folder);
    assert_true(resolve(f, path.at, &file, &err));
    assert_true(text_is(file.name, "my-model.q8_0"));
    assert_false(resolve(f, "/nowhere/x.gguf", &file, &err));
    assert_string_equal(err.message, "/nowhere/x.gguf is not a file");
}

static void the_list_has_models_only_and_is_sorted(void **state)
{
    struct fixture *f = *state;
    put(f, "zeta.gguf", 10);
    put(f, "Alpha.gguf", 10);
    put(f, "notes.txt", 10);
    put(f, "smollm2-135m-instruct-q4_1.gguf", 98362432);
    struct model_file *files;
    int n = catalogue_list(f->catalogue, text_of(f->folder), f->arena, &files);
    assert_int_equal(n, 3);
    assert_true(text_is(files[0].name, "alpha"));
    assert_true(text_is(files[1].name, "smollm2-135m-instruct"));
    assert_true(text_is(files[2].name, "zeta"));
    assert_int_equal(catalogue_list(f->catalogue, TEXT("/nowhere"), f->arena, &files), 0);
}

static void an_unknown_model_gets_the_list_of_what_there_is(void **state)
{
    struct fixture *f = *state;
    struct model_file file;
    struct error err;
    put(f, "mine.gguf", 10);
    assert_false(resolve(f, "gpt-99", &file, &err));
    assert_non_null(strstr(err.message, "there is no model 'gpt-99'; there are: mine, "));
    assert_non_null(strstr(err.message, "smollm2-135m-instruct (pollux pull)"));
}

static void the_folder_is_the_one_asked_for_or_in_the_cache(void **state)
{
    struct fixture *f = *state;
    assert_true(text_is(models_folder("/srv/models", f->arena), "/srv/models"));
    setenv("XDG_CACHE_HOME", "/var/cache/me", 1);
    assert_true(text_is(models_folder(NULL, f->arena), "/var/cache/me/pollux/models"));
    setenv("XDG_CACHE_HOME", "relative", 1);
    setenv("HOME", "/home/me", 1);
    assert_true(text_is(models_folder("", f->arena), "/home/me/.cache/pollux/models"));
}

static void the_pull_script_is_built_in(void **state)
{
    (void)state;
    struct text script = catalogue_pull_script();
    assert_true(text_starts(script, "\"\"\"Makes a GGUF of a BERT"));
    assert_true(text_find(script, TEXT("\n\"\"\"Fetches one model"), 0) != SIZE_MAX);
    assert_true(text_ends(script, "sys.exit(main())\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_entry_is_whole_and_no_two_share_a_name),
        TEST(the_default_is_one_of_the_entries),
        TEST(an_embedding_model_is_the_default_of_its_kind),
        TEST(a_name_is_found_in_letters_of_any_case),
        TEST(a_model_that_is_not_installed_says_how_to_get_it),
        TEST(an_installed_model_is_found_by_name_alias_and_file),
        TEST(a_file_of_the_wrong_size_is_not_the_model),
        TEST(other_files_are_served_under_their_own_name),
        TEST(the_list_has_models_only_and_is_sorted),
        TEST(an_unknown_model_gets_the_list_of_what_there_is),
        TEST(the_folder_is_the_one_asked_for_or_in_the_cache),
        TEST(the_pull_script_is_built_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

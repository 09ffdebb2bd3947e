#include "media/voice.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void voices_are_found_in_any_case_and_no_two_are_the_same(void **state)
{
    (void)state;
    struct buf names = {0};
    const struct speech_voice *all[40];
    int n = 0;
    voice_names(&names);
    for (struct text rest = buf_view(&names); rest.at;) {
        struct text name = text_cut(rest, ',', &rest);
        while (name.len && name.at[0] == ' ')
            name = text_slice(name, 1, name.len);
        all[n] = voice_named(name);
        assert_non_null(all[n]);
        for (int i = 0; i < n; i++)
            if (strcmp(all[i]->variant, all[n]->variant) == 0 &&
                all[i]->pitch == all[n]->pitch)
                fail_msg("%s is %s", all[i]->name, all[n]->name);
        n++;
    }
    assert_int_equal(n, 30);
    assert_ptr_equal(voice_named(TEXT("kORE")), voice_named(TEXT("Kore")));
    assert_null(voice_named(TEXT("Nobody")));
    assert_null(voice_named(TEXT("")));
    buf_free(&names);
}

static void languages_by_their_codes(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"en-US", "en-us"}, {"EN", "en-us"},     {"en-GB", "en-gb"}, {"de-DE", "de"},
        {"de-AT", "de"},    {"es-MX", "es-419"}, {"es-ES", "es"},    {"pt-BR", "pt-br"},
        {"cmn-CN", "cmn"},  {"zh", "cmn"},       {"ja-JP", "ja"},    {"nb-NO", "nb"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(voice_language(text_of(rows[i][0])), rows[i][1]);
    assert_null(voice_language(TEXT("tlh-KL")));
    assert_null(voice_language(TEXT("")));
    assert_null(voice_language(TEXT("../en")));
}

static void a_language_is_guessed_by_script_and_little_words(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"The cat sat on the mat.", "en-us"},
        {"42", "en-us"},
        {"", "en-us"},
        {"Guten Tag, ich bin nicht der Hausmeister.", "de"},
        {"Bonjour, je suis dans la maison avec vous.", "fr-fr"},
        {"Hola, ¿cómo está usted? Los gatos son muy lindos.", "es"},
        {"Ciao, questo è il gatto della signora.", "it"},
        {"Olá, você não está em casa?", "pt"},
        {"Добрый день", "ru"},
        {"こんにちは、世界", "ja"},
        {"你好，世界", "cmn"},
        {"안녕하세요", "ko"},
        {"नमस्ते", "hi"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(voice_guess(text_of(rows[i][0])), rows[i][1]);
    assert_string_equal(voice_guess(TEXT("\xff\xfe")), "en-us");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(voices_are_found_in_any_case_and_no_two_are_the_same),
        cmocka_unit_test(languages_by_their_codes),
        cmocka_unit_test(a_language_is_guessed_by_script_and_little_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* voice.c - the tables of voices and languages.
 *
 * A language is guessed by its script, and among those of Latin letters by its little
 * words: a sentence has several of its own and hardly one of another's. */
#include "media/voice.h"

/* clang-format off */

/* The API says of each in a word how it sounds; pitch and speed follow that. */
static const struct speech_voice voices[] = {
    {"Achernar",      'f', "f3", 62, 158}, /* soft */
    {"Achird",        'm', "m3", 52, 172}, /* friendly */
    {"Algenib",       'm', "m6", 25, 160}, /* gravelly */
    {"Algieba",       'm', "m7", 42, 160}, /* smooth */
    {"Alnilam",       'm', "m4", 40, 170}, /* firm */
    {"Aoede",         'f', "f3", 55, 180}, /* breezy */
    {"Autonoe",       'f', "f2", 68, 172}, /* bright */
    {"Callirrhoe",    'f', "f5", 50, 162}, /* easy-going */
    {"Charon",        'm', "m1", 42, 168}, /* informative */
    {"Despina",       'f', "f1", 58, 160}, /* smooth */
    {"Enceladus",     'm', "m5", 35, 155}, /* breathy */
    {"Erinome",       'f', "f4", 54, 170}, /* clear */
    {"Fenrir",        'm', "m7", 58, 188}, /* excitable */
    {"Gacrux",        'f', "f5", 40, 158}, /* mature */
    {"Iapetus",       'm', "m2", 48, 170}, /* clear */
    {"Kore",          'f', "f1", 50, 170}, /* firm */
    {"Laomedeia",     'f', "f4", 66, 182}, /* upbeat */
    {"Leda",          'f', "f4", 75, 172}, /* youthful */
    {"Orus",          'm', "m2", 38, 166}, /* firm */
    {"Puck",          'm', "m3", 62, 184}, /* upbeat */
    {"Pulcherrima",   'f', "f2", 55, 176}, /* forward */
    {"Rasalgethi",    'm', "m1", 50, 174}, /* informative */
    {"Sadachbia",     'm', "m8", 56, 182}, /* lively */
    {"Sadaltager",    'm', "m4", 46, 164}, /* knowledgeable */
    {"Schedar",       'm', "m8", 44, 166}, /* even */
    {"Sulafat",       'f', "f3", 48, 164}, /* warm */
    {"Umbriel",       'm', "m6", 44, 162}, /* easy-going */
    {"Vindemiatrix",  'f', "f1", 45, 156}, /* gentle */
    {"Zephyr",        'f', "f2", 62, 178}, /* bright */
    {"Zubenelgenubi", 'm', "m5", 50, 176}, /* casual */
};

/* A code is looked for whole first, then by what stands before its first dash. */
static const struct { const char *code, *name; } languages[] = {
    {"af", "af"}, {"ar", "ar"}, {"az", "az"}, {"be", "be"}, {"bg", "bg"}, {"bn", "bn"},
    {"bs", "bs"}, {"ca", "ca"}, {"cmn", "cmn"}, {"cs", "cs"}, {"cy", "cy"}, {"da", "da"},
    {"de", "de"}, {"el", "el"}, {"en", "en-us"}, {"en-gb", "en-gb"}, {"en-au", "en-gb"},
    {"en-in", "en-gb"}, {"en-nz", "en-gb"}, {"en-ie", "en-gb"}, {"en-za", "en-gb"},
    {"eo", "eo"}, {"es", "es"}, {"es-us", "es-419"}, {"es-mx", "es-419"}, {"es-419", "es-419"},
    {"et", "et"}, {"eu", "eu"}, {"fa", "fa"}, {"fi", "fi"}, {"fil", NULL}, {"fr", "fr-fr"},
    {"fr-be", "fr-be"}, {"fr-ch", "fr-ch"}, {"ga", "ga"}, {"gd", "gd"}, {"gu", "gu"},
    {"he", "he"}, {"iw", "he"}, {"hi", "hi"}, {"hr", "hr"}, {"ht", "ht"}, {"hu", "hu"},
    {"hy", "hy"}, {"id", "id"}, {"is", "is"}, {"it", "it"}, {"ja", "ja"}, {"ka", "ka"},
    {"kk", "kk"}, {"kn", "kn"}, {"ko", "ko"}, {"ku", "ku"}, {"ky", "ky"}, {"la", "la"},
    {"lb", "lb"}, {"lt", "lt"}, {"lv", "lv"}, {"mi", "mi"}, {"mk", "mk"}, {"ml", "ml"},
    {"mr", "mr"}, {"ms", "ms"}, {"mt", "mt"}, {"my", "my"}, {"nb", "nb"}, {"no", "nb"},
    {"ne", "ne"}, {"nl", "nl"}, {"om", "om"}, {"or", "or"}, {"pa", "pa"}, {"pl", "pl"},
    {"pt", "pt"}, {"pt-br", "pt-br"}, {"ro", "ro"}, {"ru", "ru"}, {"sd", "sd"}, {"si", "si"},
    {"sk", "sk"}, {"sl", "sl"}, {"sq", "sq"}, {"sr", "sr"}, {"sv", "sv"}, {"sw", "sw"},
    {"ta", "ta"}, {"te", "te"}, {"tk", "tk"}, {"tr", "tr"}, {"tt", "tt"}, {"ug", "ug"},
    {"uk", "uk"}, {"ur", "ur"}, {"uz", "uz"}, {"vi", "vi"}, {"yue", "yue"}, {"zh", "cmn"},
    {"zh-hk", "yue"},
};

static const struct { unsigned first, last; const char *name; } scripts[] = {
    {0x0370, 0x03ff, "el"}, {0x0400, 0x04ff, "ru"}, {0x0530, 0x058f, "hy"}, {0x0590, 0x05ff, "he"},
    {0x0600, 0x06ff, "ar"}, {0x0900, 0x097f, "hi"}, {0x0980, 0x09ff, "bn"}, {0x0a00, 0x0a7f, "pa"},
    {0x0a80, 0x0aff, "gu"}, {0x0b80, 0x0bff, "ta"}, {0x0c00, 0x0c7f, "te"}, {0x0c80, 0x0cff, "kn"},
    {0x0d00, 0x0d7f, "ml"}, {0x0d80, 0x0dff, "si"}, {0x1000, 0x109f, "my"}, {0x10a0, 0x10ff, "ka"},
    {0x3040, 0x30ff, "ja"}, {0x4e00, 0x9fff, "cmn"}, {0xac00, 0xd7af, "ko"},
};

/* Of Latin letters; words that the others have not. The first row wins a draw. */
static const struct { const char *name, *words; } words[] = {
    {"en-us", " the and of is are was you that it with for this have not what how from they be your "},
    {"de", " der die das und ist nicht ein eine ich sie wir mit von auf für auch den dem zu wie guten "},
    {"fr-fr", " le les est et une des que pas vous nous je dans pour avec sur ce qui au bonjour c'est "},
    {"es", " el los las es y una que no por con para está como pero muy del hola qué son más "},
    {"it", " il gli è e una che non per con sono della di questo come ma anche ciao molto nel "},
    {"pt", " o os é e uma que não por com para está como mas muito do da em são você olá "},
    {"nl", " de het een en is niet ik je van dat op zijn voor met wat ook maar hallo naar "},
    {"pl", " i w nie na się jest to że z do jak co ale tak czy są dla dzień dobry "},
    {"sv", " och att det som en är inte jag på för med till av den har om hej men "},
    {"tr", " ve bir bu için ne çok değil ile var ben merhaba nasıl daha gibi ama mi "},
};

/* clang-format on */

const struct speech_voice *voice_named(struct text name)
{
    for (size_t i = 0; i < sizeof voices / sizeof voices[0]; i++)
        if (text_is_nocase(name, voices[i].name))
            return &voices[i];
    return NULL;
}

const struct speech_voice *voice_default(void)
{
    return voice_named(TEXT("Kore"));
}

void voice_names(struct buf *out)
{
    for (size_t i = 0; i < sizeof voices / sizeof voices[0]; i++)
        buf_printf(out, "%s%s", i ? ", " : "", voices[i].name);
}

static const char *language_of(struct text code)
{
    for (size_t i = 0; i < sizeof languages / sizeof languages[0]; i++)
        if (text_is_nocase(code, languages[i].code))
            return languages[i].name;
    return NULL;
}

const char *voice_language(struct text code)
{
    struct text rest;
    const char *whole = language_of(code);
    return whole ? whole : language_of(text_cut(code, '-', &rest));
}

void voice_languages(struct buf *out)
{
    int n = 0;
    for (size_t i = 0; i < sizeof languages / sizeof languages[0]; i++)
        if (languages[i].name)
            buf_printf(out, "%s%s", n++ ? ", " : "", languages[i].code);
}

/* ---- guessing ---- */

static unsigned code_point(const char *at, size_t len)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned value = (unsigned char)at[0] & masks[len];
    for (size_t i = 1; i < len; i++)
        value = value << 6 | ((unsigned char)at[i] & 0x3f);
    return value;
}

/* Which script most letters are of; kana make Chinese characters Japanese. */
static const char *by_script(struct text text)
{
    enum { N = sizeof scripts / sizeof scripts[0] };
    int counts[N] = {0}, n_latin = 0;
    size_t best = 0, kana = 0;
    for (size_t i = 0; i < text.len;) {
        size_t len = text_utf8_char(text_slice(text, i, text.len));
        unsigned c = len ? code_point(text.at + i, len) : 0;
        n_latin += (c | 32) >= 'a' && (c | 32) <= 'z';
        for (size_t k = 0; k < N; k++)
            counts[k] += c >= scripts[k].first && c <= scripts[k].last;
        i += len ? len : 1;
    }
    for (size_t k = 0; k < N; k++) {
        best = counts[k] > counts[best] ? k : best;
        kana = strcmp(scripts[k].name, "ja") == 0 ? k : kana;
    }
    if (counts[best] * 2 <= n_latin || counts[best] == 0)
        return NULL;
    if (strcmp(scripts[best].name, "cmn") == 0 && counts[kana] > 0)
        return "ja";
    return scripts[best].name;
}

static bool is_between_words(char c)
{
    return (unsigned char)c < 128 && c != '\'' && !((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* Looks for " word " among the language's. */
static bool has_word(const char *list, struct text word)
{
    char sought[24];
    if (word.len == 0 || word.len > sizeof sought - 3)
        return false;
    sought[0] = ' ';
    for (size_t i = 0; i < word.len; i++)
        sought[i + 1] =
            (char)(word.at[i] >= 'A' && word.at[i] <= 'Z' ? word.at[i] + 32 : word.at[i]);
    sought[word.len + 1] = ' ';
    sought[word.len + 2] = '\0';
    return strstr(list, sought) != NULL;
}

const char *voice_guess(struct text text)
{
    enum { N = sizeof words / sizeof words[0], ENOUGH = 4000 };
    int counts[N] = {0};
    size_t best = 0;
    text = text_slice(text, 0, ENOUGH);
    const char *script = by_script(text);
    if (script)
        return script;
    for (size_t i = 0; i < text.len;) {
        size_t from = i;
        while (i < text.len && !is_between_words(text.at[i]))
            i++;
        for (size_t k = 0; k < N; k++)
            counts[k] += has_word(words[k].words, text_slice(text, from, i));
        i++;
    }
    for (size_t k = 0; k < N; k++)
        best = counts[k] > counts[best] ? k : best;
    return words[best].name;
}

#include "base/id.h"
#include <sys/random.h>

void id_random(char *to, int len)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    for (int i = 0; i < len;) {
        unsigned char byte;
        int n = i == 0 ? 26 : 36;
        if (getrandom(&byte, 1, 0) == 1 && byte < 256 / n * n) /* each as likely */
            to[i++] = alphabet[byte % n];
    }
    to[len] = '\0';
}

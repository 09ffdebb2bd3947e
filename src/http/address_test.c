#include "http/address.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool is_public(const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        return address_is_public((struct sockaddr *)&in);
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return address_is_public((struct sockaddr *)&in6);
}

static void what_only_this_machine_reaches_is_not_public(void **state)
{
    (void)state;
    static const char *const closed[] = {
        "127.0.0.1",     "127.255.255.254",  "0.0.0.0",         "10.1.2.3",
        "172.16.0.1",    "172.31.9.9",       "192.168.1.1",     "169.254.169.254",
        "100.64.0.1",    "224.0.0.1",        "255.255.255.255", "::",
        "::1",           "fe80::1",          "fd00::1",         "ff02::1",
        "2001:db8::1",   "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
        "2002:7f00:1::", "::7f00:1",
    };
    for (size_t i = 0; i < sizeof closed / sizeof closed[0]; i++)
        if (is_public(closed[i]))
            fail_msg("%s", closed[i]);
}

static void others_are(void **state)
{
    (void)state;
    static const char *const open[] = {
        "1.1.1.1",        "8.8.8.8",          "172.15.255.255", "172.32.0.1",
        "100.63.0.1",     "128.0.0.1",        "192.167.1.1",    "2606:4700:4700::1111",
        "::ffff:8.8.8.8", "64:ff9b::808:808",
    };
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++)
        if (!is_public(open[i]))
            fail_msg("%s", open[i]);
}

static void what_is_no_address_is_not(void **state)
{
    (void)state;
    struct sockaddr local = {.sa_family = AF_UNIX};
    assert_false(address_is_public(&local));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_only_this_machine_reaches_is_not_public),
        cmocka_unit_test(others_are),
        cmocka_unit_test(what_is_no_address_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

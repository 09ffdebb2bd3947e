#include "fetch/address.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct address address(const char *text)
{
    struct net net;
    if (!net_parse(text_of(text), &net) || net.bits != 128)
        fail_msg("'%s' is no address", text);
    return net.address;
}

static void what_is_public_and_what_is_not(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        bool is_public;
    } rows[] = {
        {"8.8.8.8", true},
        {"1.1.1.1", true},
        {"172.15.255.255", true},
        {"172.32.0.0", true},
        {"100.63.255.255", true},
        {"100.128.0.0", true},
        {"192.167.255.255", true},
        {"223.255.255.255", true},
        {"0.0.0.0", false},
        {"0.1.2.3", false},
        {"10.1.2.3", false},
        {"100.64.0.1", false},
        {"127.0.0.1", false},
        {"127.255.255.255", false},
        {"169.254.169.254", false},
        {"172.16.0.1", false},
        {"172.31.255.255", false},
        {"192.168.0.1", false},
        {"192.0.0.8", false},
        {"192.0.2.1", false},
        {"198.19.0.1", false},
        {"224.0.0.1", false},
        {"239.255.255.255", false},
        {"255.255.255.255", false},
        {"2606:4700::1111", true},
        {"2a00:1450:4001::200e", true},
        {"::", false},
        {"::1", false},
        {"fe80::1", false},
        {"fc00::1", false},
        {"fd12:3456::1", false},
        {"ff02::1", false},
        {"fec0::1", false},
        {"2001:db8::1", false},
        {"2001:0:1::1", false},
        {"2002:7f00:1::", false},
        {"::ffff:127.0.0.1", false},
        {"::ffff:8.8.8.8", true},
        {"::127.0.0.1", false},
        {"64:ff9b::7f00:1", false},
        {"64:ff9b::808:808", true},
        {"64:ff9b:1::808:808", false},
        {"100::1", false},
        {"fd00:ec2::254", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct address at = address(rows[i].address);
        if (net_is_public(&at) != rows[i].is_public)
            fail_msg("%s", rows[i].address);
    }
}

static void a_net_has_what_begins_with_its_bits(void **state)
{
    (void)state;
    struct net net;
    struct address in = address("10.5.255.255"), out = address("10.6.0.0");
    assert_true(net_parse(TEXT("10.4.0.0/15"), &net));
    assert_true(net_has(&net, &in));
    assert_false(net_has(&net, &out));
    assert_true(net_parse(TEXT("::/0"), &net));
    assert_true(net_has(&net, &in));
    assert_true(net_parse(TEXT("0.0.0.0/0"), &net));
    struct address v6 = address("2606:4700::1");
    assert_true(net_has(&net, &in));
    assert_false(net_has(&net, &v6));
}

static void what_is_no_net_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",          "/8",          "10.0.0.0/",     "10.0.0.0/33", "10.0.0.1/8",
        "10.0.0",    "10.0.0.0.0",  "010.0.0.1/x",   "::/129",      "::1/64",
        "localhost", "10.0.0.0/+8", "10.0.0.0/0008", "1:2:3",       "fe80::1%eth0",
    };
    struct net net;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (net_parse(text_of(rows[i]), &net))
            fail_msg("'%s' was taken", rows[i]);
}

static void the_machines_own_addresses_are_known(void **state)
{
    (void)state;
    struct address own = address("127.0.0.1"), other = address("8.8.8.8");
    assert_true(net_is_own(&own));
    assert_false(net_is_own(&other));
}

static void addresses_of_sockets(void **state)
{
    (void)state;
    struct address at, want = address("1.2.3.4");
    int port;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(80)};
    inet_pton(AF_INET, "1.2.3.4", &v4.sin_addr);
    assert_true(net_address((const struct sockaddr *)&v4, &at, &port));
    assert_memory_equal(at.at, want.at, sizeof want.at);
    assert_int_equal(port, 80);
    struct sockaddr local = {.sa_family = AF_UNIX};
    assert_false(net_address(&local, &at, &port));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_public_and_what_is_not),
        cmocka_unit_test(a_net_has_what_begins_with_its_bits),
        cmocka_unit_test(what_is_no_net_is_refused),
        cmocka_unit_test(the_machines_own_addresses_are_known),
        cmocka_unit_test(addresses_of_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

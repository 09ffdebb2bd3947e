/* address_fuzz.c - a net has its own address and not the one whose last significant bit
 * is another; an address that is a net of 128 bits is public or not, whatever it is. */
#include "fetch/address.h"
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct net net;
    if (!net_parse((struct text){(const char *)data, size}, &net))
        return 0;
    assert(net.bits >= 0 && net.bits <= 128);
    assert(net_has(&net, &net.address));
    if (net.bits > 0) {
        struct address other = net.address;
        other.at[(net.bits - 1) / 8] ^= (unsigned char)(0x80 >> (net.bits - 1) % 8);
        assert(!net_has(&net, &other));
    }
    (void)net_is_public(&net.address);
    return 0;
}

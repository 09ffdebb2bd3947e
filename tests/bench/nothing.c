/* nothing.c - a server that answers each read with the same bytes, for scripts/bench.py.
 *
 * One connection at a time, no parsing: what it reaches, a server with something to do
 * cannot pass by much. Between requests it sleeps, or, with --look, it asks the socket
 * again and again, as no real server can afford to.
 *
 *   nothing [--look] PORT */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                            "Content-Length: 18\r\n\r\n{\"totalTokens\":42}";

static void answer(int fd, int flags)
{
    char request[65536];
    for (;;) {
        ssize_t n = recv(fd, request, sizeof(request), flags);
        if (n < 0 && errno == EAGAIN)
            continue;
        if (n <= 0 || send(fd, reply, sizeof(reply) - 1, MSG_NOSIGNAL) < 0)
            return;
    }
}

int main(int argc, char **argv)
{
    int one = 1, looks = argc == 3 && strcmp(argv[1], "--look") == 0;
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(argv[argc - 1])),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listener, 8) < 0)
        return 1;
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd)) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        answer(fd, looks ? MSG_DONTWAIT : 0);
    }
    return 1;
}

/* nothing.c - a server that answers each read with the same bytes, for scripts/bench.py.
 *
 * One connection at a time, no parsing: what it reaches, a server with something to do
 * cannot pass by much. Between requests it sleeps, or, with --look, it asks the socket
 * again and again, as no real server can afford to. With --compute it has two threads
 * read memory for so long first, as a model's step does, and its answer says how long
 * they took, in microseconds: the rest of the call is the client's and the system's.
 *
 *   nothing [--look] [--compute MS] PORT */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { COMPUTERS = 2, MEMORY = 256 << 20 };

static int flags, compute_us;
static char *memory;
static sem_t work[COMPUTERS], done;
static int computed_fd;

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The first one is the engine's thread, the other its worker. */
static void *computer(void *arg)
{
    int me = *(int *)arg;
    volatile char sum = 0;
    for (size_t at = (size_t)me * MEMORY / COMPUTERS;; at = (at + 4096) % MEMORY) {
        sem_wait(&work[me]);
        if (me == 0)
            sem_post(&work[1]);
        int64_t began = now_us();
        while (now_us() - began < compute_us)
            for (int i = 0; i < 4096; i += 64, at = (at + 64) % MEMORY)
                sum = (char)(sum + memory[at]);
        if (me) {
            sem_post(&done);
            continue;
        }
        sem_wait(&done);
        uint64_t took = (uint64_t)(now_us() - began);
        if (write(computed_fd, &took, sizeof took) < 0)
            return NULL;
    }
}

static void start_computers(void)
{
    static int numbers[COMPUTERS] = {0, 1};
    memory = malloc(MEMORY);
    memset(memory, 1, MEMORY);
    computed_fd = eventfd(0, 0);
    sem_init(&done, 0, 0);
    for (int i = 0; i < COMPUTERS; i++) {
        pthread_t thread;
        sem_init(&work[i], 0, 0);
        pthread_create(&thread, NULL, computer, &numbers[i]);
    }
}

static unsigned compute(void)
{
    uint64_t took = 0;
    if (!compute_us)
        return 42;
    sem_post(&work[0]);
    return read(computed_fd, &took, sizeof took) > 0 ? (unsigned)took : 0;
}

static void answer(int fd)
{
    char request[65536], reply[256];
    for (;;) {
        ssize_t n = recv(fd, request, sizeof(request), flags);
        if (n < 0 && errno == EAGAIN)
            continue;
        if (n <= 0)
            return;
        int len = snprintf(reply, sizeof reply,
                           "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                           "Content-Length: 24\r\n\r\n{\"totalTokens\":%9u}",
                           compute());
        if (send(fd, reply, (size_t)len, MSG_NOSIGNAL) < 0)
            return;
    }
}

int main(int argc, char **argv)
{
    int one = 1;
    for (int i = 1; i < argc - 1; i++) {
        if (strcmp(argv[i], "--look") == 0)
            flags = MSG_DONTWAIT;
        else if (strcmp(argv[i], "--compute") == 0)
            compute_us = 1000 * atoi(argv[++i]);
    }
    if (compute_us)
        start_computers();
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(argv[argc - 1])),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listener, 8) < 0)
        return 1;
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd)) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        answer(fd);
    }
    return 1;
}

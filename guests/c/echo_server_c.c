//! A TCP server on a listening socket that the host handed over, through wasi-libc: accept, recv, send and shutdown.
//!
//! `echo_server_c [DESCRIPTOR [CONNECTIONS]]` takes the listener's descriptor from the first argument, else from the
//! variable LISTEN_FD, else 3; serves so many connections (1) one after another, each to its end; and prints how many
//! bytes went through each.

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void send_all(int connection, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t sent = send(connection, bytes, length, 0);
        if (sent < 0)
            fail("send");
        bytes += sent;
        length -= (size_t)sent;
    }
}

int main(int argc, char **argv) {
    const char *descriptor = argc > 1 ? argv[1] : getenv("LISTEN_FD");
    int listener = descriptor ? atoi(descriptor) : 3;
    int connections = argc > 2 ? atoi(argv[2]) : 1;

    while (connections-- > 0) {
        int connection = accept(listener, NULL, NULL);
        if (connection < 0)
            fail("accept");
        static char buffer[16 * 1024];
        size_t served = 0;
        ssize_t length;
        while ((length = recv(connection, buffer, sizeof buffer, 0)) > 0) {
            send_all(connection, buffer, (size_t)length);
            served += (size_t)length;
        }
        if (length < 0)
            fail("recv");
        shutdown(connection, SHUT_RDWR); // The other side may be gone altogether by now.
        close(connection);
        printf("served %zu bytes\n", served);
        fflush(stdout);
    }
    return 0;
}

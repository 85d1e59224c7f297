//! POSIX's calls for files as wasi-libc makes them, in the directory that the first argument names: a line for each
//! step, without times, inode numbers or anything else that differs from run to run. The directory is empty again at
//! the end.
//!
//! What `std` of Rust does not reach is here: pread, pwrite, fcntl, poll on a file, readdir's types, getentropy.
//!
//! Native: the same source runs outside WebAssembly, and prints the same.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// Evaluates to the result of a call, and ends the program where it failed: a transcript with a hole would prove
// nothing.
#define MUST(call)                                                                                                     \
    ({                                                                                                                 \
        __typeof__(call) result_ = (call);                                                                             \
        if (result_ < 0) {                                                                                             \
            fprintf(stderr, "line %d: %s: %s\n", __LINE__, #call, strerror(errno));                                    \
            exit(1);                                                                                                   \
        }                                                                                                              \
        result_;                                                                                                       \
    })

// Says which error a call ended with that must not succeed. Numbers differ among platforms, names do not.
#define REFUSED(step, call) printf("%s: %s\n", step, (call) < 0 ? error_name(errno) : "no error")

static const char *error_name(int number) {
    switch (number) {
    case EBADF: return "EBADF";
    case EEXIST: return "EEXIST";
    case EINVAL: return "EINVAL";
    case EISDIR: return "EISDIR";
    case ELOOP: return "ELOOP";
    case ENOENT: return "ENOENT";
    case ENOTDIR: return "ENOTDIR";
    case ENOTEMPTY: return "ENOTEMPTY";
    case ESPIPE: return "ESPIPE";
#ifdef ENOTCAPABLE
    case ENOTCAPABLE: return "EBADF"; // Preview 1's word where POSIX has a descriptor of the wrong mode.
#endif
    default: return strerror(number);
    }
}

static const char *kind(mode_t mode) {
    return S_ISREG(mode) ? "file" : S_ISDIR(mode) ? "directory" : S_ISLNK(mode) ? "link" : "other";
}

static void read_and_write(void) {
    char buffer[32] = {0};
    int fd = MUST(open("data", O_RDWR | O_CREAT | O_EXCL, 0644));
    printf("write: %zd\n", MUST(write(fd, "hello, world", 12)));
    printf("lseek: %d %d %d\n", (int)MUST(lseek(fd, 7, SEEK_SET)), (int)MUST(lseek(fd, -2, SEEK_CUR)),
           (int)MUST(lseek(fd, -5, SEEK_END)));
    printf("read: %zd %s\n", MUST(read(fd, buffer, sizeof buffer)), buffer);

    memset(buffer, 0, sizeof buffer);
    printf("pread: %zd %s\n", MUST(pread(fd, buffer, 5, 0)), buffer);
    printf("pwrite: %zd\n", MUST(pwrite(fd, "HELLO", 5, 0)));
    printf("position after both: %d\n", (int)MUST(lseek(fd, 0, SEEK_CUR)));
    printf("pread past the end: %zd\n", MUST(pread(fd, buffer, 5, 100)));
    REFUSED("pread before the beginning", pread(fd, buffer, 5, -1));
    REFUSED("lseek before the beginning", lseek(fd, -1, SEEK_SET));

    MUST(lseek(fd, 0, SEEK_SET));
    char first[6] = {0}, second[32] = {0};
    struct iovec into[] = {{first, 5}, {NULL, 0}, {second, 31}};
    printf("readv: %zd \"%s\" \"%s\"\n", MUST(readv(fd, into, 3)), first, second);
    struct iovec from[] = {{"!", 1}, {"", 0}, {" and more", 9}};
    printf("writev: %zd\n", MUST(writev(fd, from, 3)));

    struct stat status;
    MUST(fstat(fd, &status));
    printf("fstat: %s of %d bytes, %d link\n", kind(status.st_mode), (int)status.st_size, (int)status.st_nlink);
    MUST(ftruncate(fd, 4));
    MUST(ftruncate(fd, 6));
    memset(buffer, '.', sizeof buffer);
    ssize_t length = MUST(pread(fd, buffer, sizeof buffer, 0));
    printf("ftruncate: %zd bytes, %.4s %d %d\n", length, buffer, buffer[4], buffer[5]);
    MUST(fsync(fd));
    MUST(fdatasync(fd));

    struct timespec times[] = {{1000000000, 0}, {1234567890, 0}};
    MUST(futimens(fd, times));
    MUST(stat("data", &status));
    printf("futimens: %lld %lld\n", (long long)status.st_atim.tv_sec, (long long)status.st_mtim.tv_sec);
    struct timespec omitted[] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};
    MUST(utimensat(AT_FDCWD, "data", omitted, 0));
    MUST(stat("data", &status));
    printf("utimensat: %lld, later than before: %d\n", (long long)status.st_atim.tv_sec,
           status.st_mtim.tv_sec > 1234567890);
    MUST(close(fd));
    REFUSED("write after close", write(fd, "x", 1));
}

static void flags(void) {
    char buffer[16] = {0};
    int fd = MUST(open("data", O_RDWR));
    int flags = MUST(fcntl(fd, F_GETFL));
    printf("F_GETFL: append %d, nonblock %d\n", !!(flags & O_APPEND), !!(flags & O_NONBLOCK));
    MUST(fcntl(fd, F_SETFL, flags | O_APPEND));
    flags = MUST(fcntl(fd, F_GETFL));
    printf("F_SETFL: append %d, nonblock %d\n", !!(flags & O_APPEND), !!(flags & O_NONBLOCK));
    MUST(write(fd, "END", 3));
    printf("appended: %.9s\n", (MUST(pread(fd, buffer, 15, 0)), buffer + 6));
    MUST(fcntl(fd, F_SETFL, flags & ~O_APPEND));
    printf("cleared: append %d\n", !!(MUST(fcntl(fd, F_GETFL)) & O_APPEND));
    MUST(close(fd));

    fd = MUST(open("data", O_RDONLY));
    REFUSED("write to what is open for reading", write(fd, "x", 1));
    MUST(close(fd));
    fd = MUST(open("data", O_WRONLY | O_TRUNC));
    REFUSED("read from what is open for writing", read(fd, buffer, 1));
    MUST(close(fd));
    REFUSED("O_EXCL of what is there", open("data", O_WRONLY | O_CREAT | O_EXCL, 0644));
    REFUSED("O_DIRECTORY of a file", open("data", O_RDONLY | O_DIRECTORY));
    REFUSED("a slash after a file", open("data/", O_RDONLY));
}

static void names(void) {
    struct stat status;
    char target[16] = {0};
    MUST(rename("data", "renamed"));
    REFUSED("stat of the old name", stat("data", &status));
    MUST(link("renamed", "second"));
    MUST(stat("second", &status));
    printf("link: %d names\n", (int)status.st_nlink);
    MUST(symlink("second", "pointer"));
    printf("readlink: %zd", MUST(readlink("pointer", target, sizeof target - 1)));
    printf(" %s\n", target);
    memset(target, 0, sizeof target);
    printf("readlink of too little room: %zd", MUST(readlink("pointer", target, 3)));
    printf(" %s\n", target);
    MUST(lstat("pointer", &status));
    printf("lstat: %s\n", kind(status.st_mode));
    MUST(stat("pointer", &status));
    printf("stat: %s\n", kind(status.st_mode));
    REFUSED("O_NOFOLLOW", open("pointer", O_RDONLY | O_NOFOLLOW));
    MUST(unlink("renamed"));
    MUST(unlink("second"));
    REFUSED("open what dangles", open("pointer", O_RDONLY));
    MUST(unlink("pointer"));
    REFUSED("unlink again", unlink("pointer"));
}

static int by_name(const struct dirent **left, const struct dirent **right) {
    return strcmp((*left)->d_name, (*right)->d_name);
}

static void directories(void) {
    MUST(mkdir("folder", 0755));
    REFUSED("mkdir again", mkdir("folder", 0755));
    int folder = MUST(open("folder", O_RDONLY | O_DIRECTORY));
    MUST(close(MUST(openat(folder, "inside", O_WRONLY | O_CREAT, 0644))));
    MUST(mkdirat(folder, "deeper", 0755));
    MUST(symlinkat("inside", folder, "pointer"));

    struct dirent **entries;
    int count = MUST(scandir("folder", &entries, NULL, by_name));
    for (int index = 0; index < count; index++) {
        unsigned char type = entries[index]->d_type;
        printf("entry: %s %s\n", entries[index]->d_name,
               type == DT_REG ? "file" : type == DT_DIR ? "directory" : type == DT_LNK ? "link" : "other");
        free(entries[index]);
    }
    free(entries);

    DIR *stream = opendir("folder");
    int seen = 0;
    while (readdir(stream))
        seen++;
    rewinddir(stream);
    while (readdir(stream))
        seen++;
    closedir(stream);
    printf("rewinddir: %d entries in two rounds\n", seen);

    REFUSED("rmdir of what is full", rmdir("folder"));
    REFUSED("rmdir of a file", unlinkat(folder, "inside", AT_REMOVEDIR));
    REFUSED("open a directory to write", open("folder", O_WRONLY));
    REFUSED("lseek without a file", lseek(999, 0, SEEK_SET));
    MUST(renameat(folder, "inside", folder, "moved"));
    MUST(unlinkat(folder, "moved", 0));
    MUST(unlinkat(folder, "pointer", 0));
    MUST(unlinkat(folder, "deeper", AT_REMOVEDIR));
    MUST(close(folder));
    MUST(rmdir("folder"));
    printf("rmdir: %s\n", access("folder", F_OK) < 0 ? error_name(errno) : "still there");
}

static void the_rest(void) {
    int fd = MUST(open("polled", O_RDWR | O_CREAT, 0644));
    MUST(write(fd, "12345", 5));
    MUST(lseek(fd, 0, SEEK_SET));
    struct pollfd waits[] = {{.fd = fd, .events = POLLIN | POLLOUT}};
    int ready = MUST(poll(waits, 1, 1000));
    printf("poll: %d ready, in %d, out %d\n", ready, !!(waits[0].revents & POLLIN), !!(waits[0].revents & POLLOUT));
    MUST(close(fd));
    MUST(unlink("polled"));

    struct timespec before, after, pause = {0, 5000000};
    MUST(clock_gettime(CLOCK_MONOTONIC, &before));
    MUST(nanosleep(&pause, NULL));
    MUST(clock_gettime(CLOCK_MONOTONIC, &after));
    long long passed = (after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec - before.tv_nsec;
    printf("nanosleep: %s\n", passed >= pause.tv_nsec ? "long enough" : "too short");
    MUST(clock_gettime(CLOCK_REALTIME, &after));
    printf("clock_gettime: %s\n", after.tv_sec > 1577836800 ? "after 2020" : "before 2020");

    unsigned char first[32] = {0}, second[32] = {0};
    MUST(getentropy(first, sizeof first));
    MUST(getentropy(second, sizeof second));
    printf("getentropy: %s\n", memcmp(first, second, sizeof first) ? "two that differ" : "twice the same");
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fputs("usage: files_c DIRECTORY\n", stderr);
        return 2;
    }
    MUST(chdir(argv[1]));
    read_and_write();
    flags();
    names();
    directories();
    the_rest();
    return 0;
}

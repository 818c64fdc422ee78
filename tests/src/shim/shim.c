/* Preloaded into a process under test: a clock that is wrong, a disk that is full. Needs no rights, unlike setting the
 * machine's clock or mounting a small volume.
 *
 * SHIM_CLOCK_SECONDS  added to the calendar clock; the monotonic one is left alone
 * SHIM_FOLDER         files below it are on the disk that may be full
 * SHIM_FULL           while this file exists, no file below SHIM_FOLDER can grow: ENOSPC. What fits into its present size can be
 *                     written, as on a real disk.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static long offset(void) {
    const char *seconds = getenv("SHIM_CLOCK_SECONDS");
    return seconds ? atol(seconds) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static __typeof__(&clock_gettime) next;
    if (!next) next = NEXT(clock_gettime);
    int done = next(clock, time);
    if (done == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += offset();
    return done;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    static __typeof__(&gettimeofday) next;
    if (!next) next = NEXT(gettimeofday);
    int done = next(time, zone);
    if (done == 0) time->tv_sec += offset();
    return done;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

/* Whether a write that ends at `end` finds no room. -1: at the file's position, plus `count`. */
static int no_room(int fd, off_t end, size_t count) {
    const char *flag = getenv("SHIM_FULL"), *folder = getenv("SHIM_FOLDER");
    if (!flag || !folder || access(flag, F_OK) != 0) return 0;
    struct stat file;
    if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode)) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (strncmp(path, folder, strlen(folder)) != 0) return 0;
    if (end < 0) end = (fcntl(fd, F_GETFL) & O_APPEND ? file.st_size : lseek(fd, 0, SEEK_CUR)) + (off_t)count;
    return end > file.st_size;
}

static size_t total(const struct iovec *parts, int count) {
    size_t sum = 0;
    for (int n = 0; n < count; n++) sum += parts[n].iov_len;
    return sum;
}

#define FULL(condition) do { if (condition) { errno = ENOSPC; return -1; } } while (0)

ssize_t write(int fd, const void *bytes, size_t count) {
    static __typeof__(&write) next;
    if (!next) next = NEXT(write);
    FULL(no_room(fd, -1, count));
    return next(fd, bytes, count);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    static __typeof__(&writev) next;
    if (!next) next = NEXT(writev);
    FULL(no_room(fd, -1, total(parts, count)));
    return next(fd, parts, count);
}

#define PWRITE(name, type) \
    ssize_t name(int fd, const void *bytes, size_t count, type at) { \
        static __typeof__(&name) next; \
        if (!next) next = NEXT(name); \
        FULL(no_room(fd, at + (off_t)count, 0)); \
        return next(fd, bytes, count, at); \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define PWRITEV(name, type) \
    ssize_t name(int fd, const struct iovec *parts, int count, type at) { \
        static __typeof__(&name) next; \
        if (!next) next = NEXT(name); \
        FULL(no_room(fd, at + (off_t)total(parts, count), 0)); \
        return next(fd, parts, count, at); \
    }
PWRITEV(pwritev, off_t)
PWRITEV(pwritev64, off64_t)

#define FALLOCATE(name, type) \
    int name(int fd, type at, type count) { \
        static __typeof__(&name) next; \
        if (!next) next = NEXT(name); \
        if (no_room(fd, at + count, 0)) return ENOSPC; \
        return next(fd, at, count); \
    }
FALLOCATE(posix_fallocate, off_t)
FALLOCATE(posix_fallocate64, off64_t)

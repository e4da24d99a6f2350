/* Put between the service and the C library by LD_PRELOAD: what a system may do to a process, on demand.
 *
 * Each fault is armed by a file in the folder that TRIAL_FAULTS names:
 *   hang    reads of files whose path holds the text in it do not return while the file is there: a dead network share.
 *   lookup  name lookups do not return while the file is there: a name server that does not answer.
 *   panic   the clock fails once in the first thread whose name begins with the text in it ("main" for the first of all),
 *           which makes the Rust standard library panic there: a bug in whatever that thread does. The file is removed when that happened.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char *folder(void) {
    extern char **environ;
    for (char **entry = environ; *entry; entry++)
        if (!strncmp(*entry, "TRIAL_FAULTS=", 13)) return *entry + 13;
    return "";
}

/* The text in the file of a fault; -1 when it is not armed. System calls only: this is asked within library calls. */
static int armed(const char *fault, char *text, int size) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder(), fault);
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return -1;
    int length = syscall(SYS_read, fd, text, size - 1);
    syscall(SYS_close, fd);
    text[length > 0 ? length : 0] = 0;
    return length > 0 ? length : 0;
}

static void pause_for(long nanoseconds) {
    struct timespec span = {0, nanoseconds};
    syscall(SYS_nanosleep, &span, 0);
}

ssize_t pread64(int fd, void *buffer, size_t count, off64_t offset) {
    char text[256], link[64], path[PATH_MAX];
    while (armed("hang", text, sizeof text) > 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, path, sizeof path - 1);
        path[length > 0 ? length : 0] = 0;
        if (!strstr(path, text)) break;
        pause_for(20000000);
    }
    return syscall(SYS_pread64, fd, buffer, count, offset);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    char text[256];
    while (armed("lookup", text, sizeof text) >= 0) pause_for(20000000);
    static int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (!next) next = dlsym(RTLD_NEXT, "getaddrinfo");
    return next(name, service, hints, found);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*next)(clockid_t, struct timespec *);
    if (!next) next = dlsym(RTLD_NEXT, "clock_gettime");
    int status = next(clock, now);
    /* Looking for the file each time would cost more than the service does. */
    static _Atomic long looked;
    long slice = now->tv_sec * 50 + now->tv_nsec / 20000000;
    static char wanted[64];
    static _Atomic int is_armed;
    if (status == 0 && clock == CLOCK_MONOTONIC && atomic_exchange(&looked, slice) != slice) {
        char text[64];
        int length = armed("panic", text, sizeof text);
        if (length > 0 && !is_armed) {
            memcpy(wanted, text, sizeof wanted);
            is_armed = 1;
        } else if (length <= 0) {
            is_armed = 0;
        }
    }
    if (is_armed && clock == CLOCK_MONOTONIC) {
        char own[32] = "";
        prctl(PR_GET_NAME, own, 0, 0, 0);
        int expected = 1;
        int is_main = !strcmp(wanted, "main") && syscall(SYS_gettid) == getpid();
        if ((is_main || !strncmp(own, wanted, strlen(wanted))) && atomic_compare_exchange_strong(&is_armed, &expected, 0)) {
            char path[PATH_MAX];
            snprintf(path, sizeof path, "%s/panic", folder());
            syscall(SYS_unlinkat, AT_FDCWD, path, 0);
            errno = EINVAL;
            return -1;
        }
    }
    return status;
}

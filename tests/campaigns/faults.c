/* Makes calls that change files below one folder fail, or the process die in them.

Preloaded into a process (LD_PRELOAD), so that it also reaches what SQLite does. A process that
dies of a power cut takes with it what it has written since the last fsync of each file. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NEVER, KILL, TEAR, CUT, CUT_SOME, FULL, BROKEN };

static char folder[4096];
static int kind = NEVER, at, seen;
static unsigned luck;

struct unsynced { ino_t inode; int fd; off_t start, size; size_t length; char *before; struct unsynced *next; };
static struct unsynced *unsynced;

void faults_arm(const char *below, int which, int call, unsigned seed) {
    snprintf(folder, sizeof folder, "%s/", below);
    kind = which; at = call; luck = seed; seen = 0;
}

int faults_seen(void) { return seen; }

static int watched(const char *path) { return *folder && !strncmp(path, folder, strlen(folder)); }

static int watched_fd(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (!*folder || length < 0) return 0;
    path[length] = 0;
    return watched(path) && !strstr(path, "-shm"); /* is never durable, and rebuilt */
}

static void die(void) {
    if (kind == CUT || kind == CUT_SOME)
        for (struct unsynced *u = unsynced; u; u = u->next) { /* the latest first */
            if (kind == CUT_SOME && rand_r(&luck) % 2) continue;
            ssize_t (*put)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite64");
            int (*cut)(int, off_t) = dlsym(RTLD_NEXT, "ftruncate64");
            if (u->length) put(u->fd, u->before, u->length, u->start);
            cut(u->fd, u->size);
        }
    kill(getpid(), SIGKILL);
}

/* Counts a call; says whether it fails. `writes` tells whether it needs room on the disk. */
static int fails(int writes) {
    seen++;
    if (kind == NEVER || seen < at) return 0;
    if (kind == FULL) { errno = ENOSPC; return writes; }
    if (kind == BROKEN) { errno = EIO; return seen == at; }
    if (kind != TEAR || !writes) die();
    return 0;
}

/* Whether to write half and die. A system does not tear a write of a few bytes. */
static int tears(size_t length) { return kind == TEAR && seen == at && length > 512; }

static void remember(int fd, off_t start, size_t length) {
    struct stat now;
    if ((kind != CUT && kind != CUT_SOME) || fstat(fd, &now)) return;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    struct unsynced *u = malloc(sizeof *u);
    u->inode = now.st_ino; u->start = start; u->size = now.st_size; u->fd = -1;
    for (struct unsynced *o = unsynced; o; o = o->next) if (o->inode == u->inode) u->fd = o->fd;
    if (u->fd < 0) u->fd = open(link, O_RDWR); /* stays open: closing would drop SQLite's locks */
    u->before = malloc(length + 1);
    ssize_t got = pread(u->fd, u->before, length, start);
    u->length = got > 0 ? got : 0;
    u->next = unsynced; unsynced = u;
}

static void forget(int fd) {
    struct stat now;
    if (fstat(fd, &now)) return;
    for (struct unsynced **u = &unsynced; *u;)
        if ((*u)->inode == now.st_ino) *u = (*u)->next; else u = &(*u)->next;
}

#define NEXT(name) static __typeof__(&name) next; if (!next) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t length) {
    NEXT(write);
    if (watched_fd(fd)) {
        if (fails(1)) return -1;
        remember(fd, lseek(fd, 0, SEEK_CUR), length);
        if (tears(length)) { next(fd, data, length / 2); die(); }
    }
    return next(fd, data, length);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t start) {
    NEXT(pwrite64);
    if (watched_fd(fd)) {
        if (fails(1)) return -1;
        remember(fd, start, length);
        if (tears(length)) { next(fd, data, length / 2, start); die(); }
    }
    return next(fd, data, length, start);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t start) { return pwrite64(fd, data, length, start); }

ssize_t sendfile64(int to, int from, off64_t *start, size_t length) {
    NEXT(sendfile64);
    if (watched_fd(to)) {
        if (fails(1)) return -1;
        remember(to, lseek(to, 0, SEEK_CUR), length < (1 << 24) ? length : 1 << 24);
        if (tears(length)) { next(to, from, start, 4096); die(); }
    }
    return next(to, from, start, length);
}

ssize_t sendfile(int to, int from, off_t *start, size_t length) { return sendfile64(to, from, start, length); }

int ftruncate64(int fd, off64_t size) {
    NEXT(ftruncate64);
    struct stat now;
    if (watched_fd(fd)) {
        if (fails(0)) return -1;
        if (!fstat(fd, &now) && now.st_size > size) remember(fd, size, now.st_size - size);
    }
    return next(fd, size);
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int fsync(int fd) {
    NEXT(fsync);
    if (watched_fd(fd) && fails(1)) return -1;
    forget(fd);
    return next(fd);
}

int fdatasync(int fd) {
    NEXT(fdatasync);
    if (watched_fd(fd) && fails(1)) return -1;
    forget(fd);
    return next(fd);
}

int close(int fd) {
    NEXT(close);
    if (watched_fd(fd) && fails(0)) { next(fd); errno = EIO; return -1; }
    return next(fd);
}

int rename(const char *from, const char *to) {
    NEXT(rename);
    return (watched(from) || watched(to)) && fails(1) ? -1 : next(from, to);
}

int unlink(const char *path) {
    NEXT(unlink);
    return watched(path) && fails(0) ? -1 : next(path);
}

int mkdir(const char *path, mode_t mode) {
    NEXT(mkdir);
    return watched(path) && fails(1) ? -1 : next(path, mode);
}

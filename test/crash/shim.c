/*
 * A disk that can be told what to do: preloaded before libc, it stands between the server and the calls with which data
 * reaches the disk.
 *
 *   faults   delays or fails fdatasync, fsync and msync, writes, and the writes to descriptors that are opened O_DSYNC (LMDB
 *            writes its meta page, the commit point, through such a one)
 *   undo     logs what every write, truncation and creation replaces, until a sync of that file has completed: applied
 *            backwards after a kill, the log takes the directory to what a power cut may leave
 *
 * Only files whose path contains CRASH_DISK_MATCH are touched.
 *
 *   CRASH_DISK_CONTROL  file of 8-byte integers (host order), mapped and read at every call:
 *     0 delay of syncs, ms      1 delay of O_DSYNC writes, ms
 *     2 fail syncs, 1 = on      3 fail O_DSYNC writes: 1 = nothing is written, 2 = it is written and fails nevertheless
 *     4 syncs completed         5 O_DSYNC writes completed     6 syncs failed     7 O_DSYNC writes failed
 *     8 operations seen         9 SIGKILL before this operation (counted from 1)
 *    10 fail other writes with this errno, nothing is written           11 other writes failed    12 delay of other writes, ms
 *                            operations: writes, syncs, truncations, creations, renames
 *   CRASH_DISK_TRACE    appended: one line per sync and O_DSYNC write, "sync|dsync <begin ns> <end ns> <result> <path>",
 *                          ns of CLOCK_MONOTONIC
 *   CRASH_DISK_UNDO     appended: records of the undo log (see test/crash/undo.ts)
 *
 * Built by the tests: cc -shared -fPIC -O1 -o shim.so shim.c -ldl -pthread
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { SYNC_DELAY, DSYNC_DELAY, SYNC_FAIL, DSYNC_FAIL, SYNCS, DSYNCS, SYNCS_FAILED, DSYNCS_FAILED, OPERATIONS, KILL_AT, WRITE_FAIL, WRITES_FAILED, WRITE_DELAY, WORDS };

static const char *match;
static volatile int64_t *control;
static int64_t no_control[WORDS];
static int trace_fd = -1;
static int undo_fd = -1;
/* Order of the undo log = order of what it describes: a record and its write are one step. */
static pthread_mutex_t undo_lock = PTHREAD_MUTEX_INITIALIZER;

/* Raw system calls: nothing here may come back to the functions below. */
static ssize_t raw_write(int fd, const void *bytes, size_t length) { return syscall(SYS_write, fd, bytes, length); }
static ssize_t raw_pread(int fd, void *bytes, size_t length, off_t at) {
  return syscall(SYS_pread64, fd, bytes, length, at);
}

static int raw_open(const char *path, int flags) { return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0600); }

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("CRASH_DISK_CONTROL");
  match = getenv("CRASH_DISK_MATCH");
  control = no_control;
  if (match == NULL) return;
  if (path != NULL) {
    int fd = raw_open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) abort();
    void *words = mmap(NULL, WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (words == MAP_FAILED) abort();
    control = words;
    syscall(SYS_close, fd);
  }
  if ((path = getenv("CRASH_DISK_TRACE")) != NULL)
    if ((trace_fd = raw_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC)) < 0) abort();
  if ((path = getenv("CRASH_DISK_UNDO")) != NULL)
    if ((undo_fd = raw_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC)) < 0) abort();
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void sleep_ms(int64_t ms) {
  struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
  while (ms > 0 && nanosleep(&t, &t) != 0 && errno == EINTR) continue;
}

/* Path of a regular file or directory of ours; 0 for everything else. */
static int ours(int fd, char path[PATH_MAX]) {
  if (match == NULL) return 0;
  struct stat st;
  if (fstat(fd, &st) != 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) return 0;
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return strstr(path, match) != NULL;
}

/* One more operation; the last one when the test said so. */
static void operation(void) {
  if (__sync_add_and_fetch(&control[OPERATIONS], 1) == control[KILL_AT]) kill(getpid(), SIGKILL);
}

static int is_dsync(int fd) { return (fcntl(fd, F_GETFL) & O_DSYNC) != 0; }

static void trace(const char *what, int64_t began, int64_t ended, long result, const char *path) {
  if (trace_fd < 0) return;
  char line[PATH_MAX + 128];
  int length = snprintf(line, sizeof line, "%s %lld %lld %ld %s\n", what, (long long)began, (long long)ended, result, path);
  raw_write(trace_fd, line, (size_t)length);
}

/* ---- undo log -------------------------------------------------------------------------------------------------------- */

/*
 * A record: "<kind> <a> <b> <c> <length of path> <length of data>\n", path, data. Kinds:
 *   W  a write at a of b bytes to a file of c bytes; data = what was there (shorter at the end of the file)
 *   D  the same range has been written durably (O_DSYNC)
 *   T  a truncation of a file of c bytes to a; data = what was cut off
 *   S  a sync of the file (or directory) has completed; a = size of this log when it began
 *   C  the path was created            R  the path was renamed; data = the new path
 */
static void record(char kind, int64_t a, int64_t b, int64_t c, const char *path, const void *data, size_t length) {
  char head[128];
  int head_length = snprintf(head, sizeof head, "%c %lld %lld %lld %zu %zu\n", kind, (long long)a, (long long)b,
                             (long long)c, strlen(path), length);
  struct iovec parts[3] = {{head, (size_t)head_length}, {(void *)path, strlen(path)}, {(void *)data, length}};
  ssize_t all = head_length + (ssize_t)strlen(path) + (ssize_t)length;
  if (syscall(SYS_writev, undo_fd, parts, 3) != all) abort();
}

/* What `length` bytes at `at` hold now; the descriptor may be write-only, so the file is opened again. */
static void record_old(char kind, const char *path, off_t at, size_t length, off_t size) {
  size_t there = at >= size ? 0 : (size_t)(size - at) < length ? (size_t)(size - at) : length;
  char *old = malloc(there + 1);
  int fd = raw_open(path, O_RDONLY | O_CLOEXEC);
  if (old == NULL || fd < 0) abort();
  for (size_t got = 0; got < there;) {
    ssize_t n = raw_pread(fd, old + got, there - got, at + (off_t)got);
    if (n <= 0) abort();
    got += (size_t)n;
  }
  syscall(SYS_close, fd);
  record(kind, at, (int64_t)length, size, path, old, there);
  free(old);
}

static int64_t undo_size(void) {
  struct stat st;
  if (fstat(undo_fd, &st) != 0) abort();
  return st.st_size;
}

/* ---- writes ---------------------------------------------------------------------------------------------------------- */

static ssize_t do_write(int fd, const struct iovec *parts, int count, off_t at) {
  if (at >= 0) return syscall(SYS_pwritev, fd, parts, count, (long)at, 0L);
  return syscall(SYS_writev, fd, parts, count);
}

static ssize_t logged_write(int fd, const struct iovec *parts, int count, off_t at, const char *path, int dsync) {
  if (undo_fd < 0) return do_write(fd, parts, count, at);
  size_t length = 0;
  for (int i = 0; i < count; i++) length += parts[i].iov_len;
  pthread_mutex_lock(&undo_lock);
  struct stat st;
  if (fstat(fd, &st) != 0) abort();
  off_t where = at >= 0 ? at : (fcntl(fd, F_GETFL) & O_APPEND) ? st.st_size : lseek(fd, 0, SEEK_CUR);
  /* A durable write may be cut short by a kill as well: what it replaces is known either way. */
  record_old('W', path, where, length, st.st_size);
  ssize_t result = do_write(fd, parts, count, at);
  int error = errno;
  if (dsync && result == (ssize_t)length) record('D', where, (int64_t)length, st.st_size, path, "", 0);
  pthread_mutex_unlock(&undo_lock);
  errno = error;
  return result;
}

static ssize_t write_parts(int fd, const struct iovec *parts, int count, off_t at) {
  char path[PATH_MAX];
  if (!ours(fd, path)) return do_write(fd, parts, count, at);
  operation();
  if (!is_dsync(fd)) {
    sleep_ms(control[WRITE_DELAY]);
    int refused = (int)control[WRITE_FAIL];
    if (refused == 0) return logged_write(fd, parts, count, at, path, 0);
    __sync_fetch_and_add(&control[WRITES_FAILED], 1);
    errno = refused;
    return -1;
  }
  int64_t began = now_ns();
  sleep_ms(control[DSYNC_DELAY]);
  ssize_t result = -1;
  int64_t fail = control[DSYNC_FAIL];
  if (fail != 1) result = logged_write(fd, parts, count, at, path, 1);
  int error = errno;
  if (fail != 0) {
    result = -1;
    error = EIO;
    __sync_fetch_and_add(&control[DSYNCS_FAILED], 1);
  } else {
    __sync_fetch_and_add(&control[DSYNCS], 1);
  }
  trace("dsync", began, now_ns(), (long)result, path);
  errno = error;
  return result;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  struct iovec part = {(void *)bytes, length};
  return write_parts(fd, &part, 1, -1);
}
ssize_t writev(int fd, const struct iovec *parts, int count) { return write_parts(fd, parts, count, -1); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
  struct iovec part = {(void *)bytes, length};
  return write_parts(fd, &part, 1, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) { return pwrite(fd, bytes, length, at); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return write_parts(fd, parts, count, at); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) { return write_parts(fd, parts, count, at); }

int ftruncate(int fd, off_t length) {
  char path[PATH_MAX];
  if (!ours(fd, path)) return (int)syscall(SYS_ftruncate, fd, length);
  operation();
  if (undo_fd < 0) return (int)syscall(SYS_ftruncate, fd, length);
  pthread_mutex_lock(&undo_lock);
  struct stat st;
  if (fstat(fd, &st) != 0) abort();
  record_old('T', path, length, st.st_size > length ? (size_t)(st.st_size - length) : 0, st.st_size);
  int result = (int)syscall(SYS_ftruncate, fd, length);
  int error = errno;
  pthread_mutex_unlock(&undo_lock);
  errno = error;
  return result;
}
int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

/* ---- syncs ----------------------------------------------------------------------------------------------------------- */

static int sync_call(int fd, long number) {
  char path[PATH_MAX];
  if (!ours(fd, path)) return (int)syscall(number, fd);
  operation();
  int64_t began = now_ns();
  int64_t size = undo_fd < 0 ? 0 : undo_size();
  sleep_ms(control[SYNC_DELAY]);
  int result = -1;
  int error = EIO;
  if (control[SYNC_FAIL] != 0) {
    __sync_fetch_and_add(&control[SYNCS_FAILED], 1);
  } else {
    result = (int)syscall(number, fd);
    error = errno;
    if (result == 0 && undo_fd >= 0) {
      pthread_mutex_lock(&undo_lock);
      record('S', size, 0, 0, path, "", 0);
      pthread_mutex_unlock(&undo_lock);
    }
    __sync_fetch_and_add(&control[SYNCS], 1);
  }
  trace("sync", began, now_ns(), result, path);
  errno = error;
  return result;
}

int fsync(int fd) { return sync_call(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_call(fd, SYS_fdatasync); }

int msync(void *address, size_t length, int flags) {
  if (match == NULL) return (int)syscall(SYS_msync, address, length, flags);
  sleep_ms(control[SYNC_DELAY]);
  if (control[SYNC_FAIL] != 0) {
    __sync_fetch_and_add(&control[SYNCS_FAILED], 1);
    errno = EIO;
    return -1;
  }
  return (int)syscall(SYS_msync, address, length, flags);
}

/* ---- names ----------------------------------------------------------------------------------------------------------- */

static int named(const char *path, char full[PATH_MAX]) {
  if (undo_fd < 0 || match == NULL || path == NULL) return 0;
  if (path[0] == '/') {
    if (strlen(path) >= PATH_MAX) return 0;
    strcpy(full, path);
  } else {
    char here[PATH_MAX];
    if (getcwd(here, sizeof here) == NULL) return 0;
    if (snprintf(full, PATH_MAX, "%s/%s", here, path) >= PATH_MAX) return 0;
  }
  return strstr(full, match) != NULL;
}

static int open_call(int directory, const char *path, int flags, mode_t mode) {
  char full[PATH_MAX];
  struct stat st;
  if (!(flags & O_CREAT) || (directory != AT_FDCWD && path[0] != '/') || !named(path, full) || stat(full, &st) == 0)
    return (int)syscall(SYS_openat, directory, path, flags, mode);
  operation();
  pthread_mutex_lock(&undo_lock);
  int fd = (int)syscall(SYS_openat, directory, path, flags, mode);
  int error = errno;
  if (fd >= 0) record('C', 0, 0, 0, full, "", 0);
  pthread_mutex_unlock(&undo_lock);
  errno = error;
  return fd;
}

static mode_t mode_of(int flags, va_list rest) { return (flags & (O_CREAT | __O_TMPFILE)) ? va_arg(rest, mode_t) : 0; }

#define OPEN(name)                                     \
  int name(const char *path, int flags, ...) {         \
    va_list rest;                                      \
    va_start(rest, flags);                             \
    mode_t mode = mode_of(flags, rest);                \
    va_end(rest);                                      \
    return open_call(AT_FDCWD, path, flags, mode);     \
  }
OPEN(open)
OPEN(open64)
#define OPENAT(name)                                        \
  int name(int directory, const char *path, int flags, ...) { \
    va_list rest;                                           \
    va_start(rest, flags);                                  \
    mode_t mode = mode_of(flags, rest);                     \
    va_end(rest);                                           \
    return open_call(directory, path, flags, mode);         \
  }
OPENAT(openat)
OPENAT(openat64)

int mkdir(const char *path, mode_t mode) {
  char full[PATH_MAX];
  if (!named(path, full)) return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
  operation();
  pthread_mutex_lock(&undo_lock);
  int result = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
  int error = errno;
  if (result == 0) record('C', 0, 0, 0, full, "", 0);
  pthread_mutex_unlock(&undo_lock);
  errno = error;
  return result;
}

int rename(const char *from, const char *to) {
  char full_from[PATH_MAX], full_to[PATH_MAX];
  if (!named(from, full_from) || !named(to, full_to))
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
  operation();
  pthread_mutex_lock(&undo_lock);
  int result = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
  int error = errno;
  if (result == 0) record('R', 0, 0, 0, full_from, full_to, strlen(full_to));
  pthread_mutex_unlock(&undo_lock);
  errno = error;
  return result;
}

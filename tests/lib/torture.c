/* torture.c - makes the n-th allocation or the n-th call of the kernel fail, in a copy of the shop.
 *
 * Linked into shop-torture with --wrap for what our own code calls (OpenSSL allocates through it, too); SQLite is given an allocator and
 * a file system that fail the same way. Left out is what cannot be refused while the program is right: waiting (epoll_wait, futex), waking
 * (eventfd), getrandom. What is to fail is told by a file named "torture" in the working folder, mapped by the data role
 * while it runs (struct orders), or by LIMEN_TORTURE="memory 12" for a command. Passwords are hashed cheaply here: it is their failures that are of interest. */
#include <argon2.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum fault { FAULT_NONE, FAULT_MEMORY, FAULT_KERNEL };

/* Written by the test, counted here; 8 bytes each. */
struct orders {
    _Atomic int64_t fault;
    _Atomic int64_t left;  /* the one that makes it 0 fails */
    _Atomic int64_t lasts; /* and so do all behind it */
    _Atomic int64_t fired; /* how many have failed */
};

static struct orders own_orders;
static struct orders *orders = &own_orders;

static bool fails(enum fault fault)
{
    if (atomic_load(&orders->fault) != fault)
        return false;
    int64_t left = atomic_fetch_sub(&orders->left, 1);
    if (left > 1 || (left < 1 && !atomic_load(&orders->lasts)))
        return false;
    atomic_fetch_add(&orders->fired, 1);
    return true;
}

static bool call_fails(int error)
{
    if (!fails(FAULT_KERNEL))
        return false;
    errno = error;
    return true;
}

/* ---- what our own code calls -------------------------------------------------------------------------------------------------- */
void *__real_malloc(size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
ssize_t __real_recv(int fd, void *memory, size_t bytes, int flags);
ssize_t __real_send(int fd, const void *memory, size_t bytes, int flags);
int __real_epoll_ctl(int poll, int what, int fd, struct epoll_event *event);
int __real_argon2id_hash_encoded(uint32_t passes, uint32_t kib, uint32_t lanes, const void *password,
                                 size_t password_bytes, const void *salt, size_t salt_bytes, size_t hash_bytes,
                                 char *encoded, size_t encoded_bytes);
int __real_argon2id_verify(const char *encoded, const void *password, size_t password_bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
ssize_t __wrap_recv(int fd, void *memory, size_t bytes, int flags);
ssize_t __wrap_send(int fd, const void *memory, size_t bytes, int flags);
int __wrap_epoll_ctl(int poll, int what, int fd, struct epoll_event *event);
int __wrap_argon2id_hash_encoded(uint32_t passes, uint32_t kib, uint32_t lanes, const void *password,
                                 size_t password_bytes, const void *salt, size_t salt_bytes, size_t hash_bytes,
                                 char *encoded, size_t encoded_bytes);
int __wrap_argon2id_verify(const char *encoded, const void *password, size_t password_bytes);

void *__wrap_malloc(size_t bytes)
{
    return fails(FAULT_MEMORY) ? NULL : __real_malloc(bytes);
}

void *__wrap_realloc(void *old, size_t bytes)
{
    return fails(FAULT_MEMORY) ? NULL : __real_realloc(old, bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails(FAULT_MEMORY) ? NULL : __real_calloc(count, bytes);
}

ssize_t __wrap_recv(int fd, void *memory, size_t bytes, int flags)
{
    return call_fails(ECONNRESET) ? -1 : __real_recv(fd, memory, bytes, flags);
}

ssize_t __wrap_send(int fd, const void *memory, size_t bytes, int flags)
{
    return call_fails(EPIPE) ? -1 : __real_send(fd, memory, bytes, flags);
}

int __wrap_epoll_ctl(int poll, int what, int fd, struct epoll_event *event)
{
    return call_fails(ENOMEM) ? -1 : __real_epoll_ctl(poll, what, fd, event);
}

int __wrap_argon2id_hash_encoded(uint32_t passes, uint32_t kib, uint32_t lanes, const void *password,
                                 size_t password_bytes, const void *salt, size_t salt_bytes, size_t hash_bytes,
                                 char *encoded, size_t encoded_bytes)
{
    (void)passes, (void)kib;
    if (fails(FAULT_MEMORY))
        return ARGON2_MEMORY_ALLOCATION_ERROR;
    return __real_argon2id_hash_encoded(1, 8 * lanes, lanes, password, password_bytes, salt, salt_bytes, hash_bytes,
                                        encoded, encoded_bytes);
}

int __wrap_argon2id_verify(const char *encoded, const void *password, size_t password_bytes)
{
    return fails(FAULT_MEMORY) ? ARGON2_MEMORY_ALLOCATION_ERROR
                               : __real_argon2id_verify(encoded, password, password_bytes);
}

/* ---- SQLite's memory ------------------------------------------------------------------------------------------------------------ */
static sqlite3_mem_methods memory;

static void *memory_alloc(int bytes)
{
    return fails(FAULT_MEMORY) ? NULL : memory.xMalloc(bytes);
}

static void *memory_realloc(void *old, int bytes)
{
    return fails(FAULT_MEMORY) ? NULL : memory.xRealloc(old, bytes);
}

/* ---- SQLite's files --------------------------------------------------------------------------------------------------------------- */
static sqlite3_vfs *real_files, files;

/* SQLite's own file lies behind ours. */
struct file {
    sqlite3_file base;
    sqlite3_file *real;
};

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct file *)file)->real;
}

#define FILE_CALL(name, code, parameters, arguments)                                  \
    static int file_##name parameters                                                 \
    {                                                                                 \
        return call_fails(EIO) ? (code) : real_of(file)->pMethods->x##name arguments; \
    }
#define FILE_PASS(type, name, parameters, arguments)       \
    static type file_##name parameters                     \
    {                                                      \
        return real_of(file)->pMethods->x##name arguments; \
    }

/* A disk that stays full says so. */
static int write_fault(void)
{
    return atomic_load(&orders->lasts) ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

FILE_CALL(Read, SQLITE_IOERR_READ, (sqlite3_file * file, void *to, int bytes, sqlite3_int64 at),
          (real_of(file), to, bytes, at))
FILE_CALL(Write, write_fault(), (sqlite3_file * file, const void *from, int bytes, sqlite3_int64 at),
          (real_of(file), from, bytes, at))
FILE_CALL(Truncate, SQLITE_IOERR_TRUNCATE, (sqlite3_file * file, sqlite3_int64 size), (real_of(file), size))
FILE_CALL(Sync, SQLITE_IOERR_FSYNC, (sqlite3_file * file, int flags), (real_of(file), flags))
FILE_CALL(FileSize, SQLITE_IOERR_FSTAT, (sqlite3_file * file, sqlite3_int64 *ret_size), (real_of(file), ret_size))
FILE_CALL(Lock, SQLITE_IOERR_LOCK, (sqlite3_file * file, int level), (real_of(file), level))
FILE_CALL(ShmMap, SQLITE_IOERR_SHMMAP,
          (sqlite3_file * file, int region, int bytes, int extends, void volatile **ret_memory),
          (real_of(file), region, bytes, extends, ret_memory))
FILE_PASS(int, Close, (sqlite3_file * file), (real_of(file)))
FILE_PASS(int, Unlock, (sqlite3_file * file, int level), (real_of(file), level))
FILE_PASS(int, CheckReservedLock, (sqlite3_file * file, int *ret_is_held), (real_of(file), ret_is_held))
FILE_PASS(int, FileControl, (sqlite3_file * file, int what, void *argument), (real_of(file), what, argument))
FILE_PASS(int, SectorSize, (sqlite3_file * file), (real_of(file)))
FILE_PASS(int, DeviceCharacteristics, (sqlite3_file * file), (real_of(file)))
FILE_PASS(void, ShmBarrier, (sqlite3_file * file), (real_of(file)))
FILE_PASS(int, ShmUnmap, (sqlite3_file * file, int deletes), (real_of(file), deletes))

/* Taking a lock may fail; giving one back does not. */
static int file_ShmLock(sqlite3_file *file, int from, int count, int flags)
{
    if ((flags & SQLITE_SHM_LOCK) != 0 && call_fails(ENOLCK))
        return SQLITE_IOERR_SHMLOCK;
    return real_of(file)->pMethods->xShmLock(real_of(file), from, count, flags);
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 2, /* without mapped reads: every read is a call */
    .xClose = file_Close,
    .xRead = file_Read,
    .xWrite = file_Write,
    .xTruncate = file_Truncate,
    .xSync = file_Sync,
    .xFileSize = file_FileSize,
    .xLock = file_Lock,
    .xUnlock = file_Unlock,
    .xCheckReservedLock = file_CheckReservedLock,
    .xFileControl = file_FileControl,
    .xSectorSize = file_SectorSize,
    .xDeviceCharacteristics = file_DeviceCharacteristics,
    .xShmMap = file_ShmMap,
    .xShmLock = file_ShmLock,
    .xShmBarrier = file_ShmBarrier,
    .xShmUnmap = file_ShmUnmap,
};

static int files_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *opened, int flags, int *ret_flags)
{
    struct file *file = (struct file *)opened;
    (void)vfs;
    file->base.pMethods = NULL;
    file->real = (sqlite3_file *)(file + 1);
    if (call_fails(EMFILE))
        return SQLITE_CANTOPEN;
    int code = real_files->xOpen(real_files, name, file->real, flags, ret_flags);
    if (file->real->pMethods != NULL)
        file->base.pMethods = &file_methods;
    return code;
}

static int files_delete(sqlite3_vfs *vfs, const char *name, int syncs)
{
    (void)vfs;
    return call_fails(EIO) ? SQLITE_IOERR_DELETE : real_files->xDelete(real_files, name, syncs);
}

static int files_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret_is_so)
{
    (void)vfs;
    return call_fails(EIO) ? SQLITE_IOERR_ACCESS : real_files->xAccess(real_files, name, flags, ret_is_so);
}

/* ---- at the start -------------------------------------------------------------------------------------------------------------- */
static bool is_data_role(void)
{
    char words[512] = { 0 };
    FILE *file = fopen("/proc/self/cmdline", "re");
    size_t count = file == NULL ? 0 : fread(words, 1, sizeof(words) - 1, file);
    if (file != NULL)
        (void)fclose(file);
    for (size_t i = 0; i < count; i++) /* "shop-torture\0role\0data\0" */
        words[i] = words[i] == '\0' ? ' ' : words[i];
    return strstr(words, " role data") != NULL;
}

static void map_orders(void)
{
    int fd = open("torture", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof(struct orders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped != MAP_FAILED)
        orders = mapped;
    close(fd);
}

static void read_orders(const char *text)
{
    bool is_memory = strncmp(text, "memory ", 7) == 0;
    atomic_store(&orders->left, strtoll(text + 7, NULL, 10));
    atomic_store(&orders->lasts, strstr(text, "lasts") != NULL);
    atomic_store(&orders->fault, is_memory ? FAULT_MEMORY : FAULT_KERNEL);
}

/* The exit code of a command says whether its fault has fired. */
static void tell_fired(void)
{
    if (getenv("LIMEN_TORTURE") != NULL)
        fprintf(stderr, "torture: %lld fired\n", (long long)atomic_load(&orders->fired));
}

__attribute__((constructor)) static void begin(void)
{
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory);
    sqlite3_mem_methods failing = memory;
    failing.xMalloc = memory_alloc;
    failing.xRealloc = memory_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &failing);
    real_files = sqlite3_vfs_find(NULL);
    files = *real_files;
    files.zName = "torture";
    files.szOsFile += (int)sizeof(struct file);
    files.xOpen = files_open;
    files.xDelete = files_delete;
    files.xAccess = files_access;
    sqlite3_vfs_register(&files, /* makeDflt= */ 1);
    if (getenv("LIMEN_TORTURE") != NULL)
        read_orders(getenv("LIMEN_TORTURE"));
    else if (is_data_role())
        map_orders();
    atexit(tell_fired);
}

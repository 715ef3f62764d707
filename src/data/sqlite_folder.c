/* sqlite_folder.c - the database's folder: made, handed over by root, moved into; and what SQLite may ask of the kernel there.
 *
 * Whoever the folder belongs to may be hostile by the time of a later start: a data role that was taken over. So no name is followed,
 * what has a second name is not handed over, and a folder with other things in it is nobody's to give away. */
#include "core/arena.h"
#include "data/sqlite_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct folder {
    limen_str url;
    const char *path; /* for messages */
    const char *name; /* of the database's file, in it */
    int fd;
    uint32_t user; /* 0: nobody is to be given anything */
    struct diags *diags;
};

static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
#define SUFFIX_COUNT (sizeof(suffixes) / sizeof(suffixes[0]))
#define NAME_BYTES 256U /* NAME_MAX and a NUL */

/* ---- refusing ---------------------------------------------------------------------------------------------------------- */

LIMEN_PRINTF(3, 4)
static bool refuse(const struct folder *folder, const char *mend, const char *format, ...)
{
    char text[512];
    va_list values;
    va_start(values, format);
    (void)vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    diags_add_at(folder->diags, folder->url, 0, 0, str_of(mend), "%s", text);
    return false;
}

static bool refuse_foreign(const struct folder *folder, const char *what, uid_t owner)
{
    char mend[512];
    uid_t self = folder->user != 0 ? folder->user : geteuid();
    (void)snprintf(mend, sizeof(mend), "start as that user%s, or give it away: chown -R %u:%u '%s'",
                   folder->user == 0 ? " or as root" : "", (unsigned)self, (unsigned)self, folder->path);
    return refuse(folder, mend, "%s belongs to user %u, not to %u, whom the data process runs as", what,
                  (unsigned)owner, (unsigned)self);
}

/* ---- root hands over --------------------------------------------------------------------------------------------------- */

static bool is_of_database(const struct folder *folder, const char *entry)
{
    size_t bytes = strlen(folder->name);
    if (strncmp(entry, folder->name, bytes) != 0)
        return false;
    for (size_t i = 0; i < SUFFIX_COUNT; i++) {
        if (strcmp(entry + bytes, suffixes[i]) == 0)
            return true;
    }
    return false;
}

static bool is_dots(const char *entry)
{
    return strcmp(entry, ".") == 0 || strcmp(entry, "..") == 0;
}

/* Nothing is in the folder but the database and what is the user's already. */
static bool is_dedicated(const struct folder *folder)
{
    static const char mend[] = "give the database a folder of its own, such as sqlite:var/app.db; or --uid-base off";
    int copy = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = copy < 0 ? NULL : fdopendir(copy);
    if (listing == NULL)
        return refuse(folder, "", "the folder '%s' cannot be read: %s", folder->path, strerror(errno));
    bool is_alone = true;
    for (struct dirent *entry; is_alone && (entry = readdir(listing)) != NULL;) {
        struct stat status;
        if (is_dots(entry->d_name) || is_of_database(folder, entry->d_name))
            continue;
        if (fstatat(folder->fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 || status.st_uid != folder->user)
            is_alone = refuse(folder, mend,
                              "the folder '%s' would become the data process's own, but '%s' is in it too",
                              folder->path, entry->d_name);
    }
    closedir(listing);
    return is_alone;
}

static bool give(const struct folder *folder, int fd)
{
    if (fchownat(fd, "", folder->user, folder->user, AT_EMPTY_PATH) == 0)
        return true;
    return refuse(folder, "use a file system that knows owners, or --uid-base off",
                  "the database cannot be given to user %u: %s", folder->user, strerror(errno));
}

static bool give_file(const struct folder *folder, const char *name)
{
    struct stat status;
    int fd = openat(folder->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT
            || refuse(folder, "", "'%s' in '%s' cannot be opened: %s", name, folder->path, strerror(errno));
    bool ok = fstat(fd, &status) == 0;
    if (ok && (!S_ISREG(status.st_mode) || status.st_nlink != 1))
        ok = refuse(folder, "name the file itself, which no other name may lead to",
                    "'%s' in '%s' is no plain file with one name", name, folder->path);
    else if (ok && status.st_uid == 0)
        ok = give(folder, fd);
    else if (ok && status.st_uid != folder->user)
        ok = refuse_foreign(folder, "the database's file", status.st_uid);
    close(fd);
    return ok;
}

/* The folder last: until then it is root's, and nobody else changes what is in it. */
static bool hand_over(const struct folder *folder)
{
    struct stat status;
    if (fstat(folder->fd, &status) != 0)
        return refuse(folder, "", "the folder '%s' cannot be looked at: %s", folder->path, strerror(errno));
    bool is_roots = status.st_uid == 0;
    if (!is_roots && status.st_uid != folder->user)
        return refuse_foreign(folder, "the database's folder", status.st_uid);
    if (is_roots && (status.st_mode & S_IWOTH) != 0)
        return refuse(folder, "give the database a folder of its own, such as sqlite:var/app.db",
                      "anybody may write in the folder '%s'", folder->path);
    if (is_roots && !is_dedicated(folder))
        return false;
    for (size_t i = 0; i < SUFFIX_COUNT; i++) {
        char name[NAME_BYTES + 16];
        (void)snprintf(name, sizeof(name), "%s%s", folder->name, suffixes[i]);
        if (!give_file(folder, name))
            return false;
    }
    return !is_roots || give(folder, folder->fd);
}

/* ---- whoever it is, can they work there? ------------------------------------------------------------------------------- */

static bool is_reachable(const struct folder *folder)
{
    struct stat status;
    for (size_t i = 0; i < SUFFIX_COUNT; i++) {
        char name[NAME_BYTES + 16];
        (void)snprintf(name, sizeof(name), "%s%s", folder->name, suffixes[i]);
        if (fstatat(folder->fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (!S_ISREG(status.st_mode))
            return refuse(folder, "name the file itself", "'%s' in '%s' is no plain file", name, folder->path);
        if (status.st_uid != geteuid() && faccessat(folder->fd, name, R_OK | W_OK, AT_EACCESS) != 0)
            return refuse_foreign(folder, "the database's file", status.st_uid);
    }
    return true;
}

/* ---- moving in --------------------------------------------------------------------------------------------------------- */

/* SQLite makes every name absolute, resolves links, and opens that: a process that cannot walk there could open nothing. Here a name stays
 * what it is; it is opened with O_NOFOLLOW. */
static int keep_name(sqlite3_vfs *vfs, const char *name, int room, char *ret_name)
{
    (void)vfs;
    return snprintf(ret_name, (size_t)room, "%s", name) < room ? SQLITE_OK : SQLITE_CANTOPEN;
}

/* SQLite's table of them belongs to the process, and lives as long. */
static bool use_names_as_they_are(void)
{
    static sqlite3_vfs vfs;
    vfs = *sqlite3_vfs_find(NULL);
    vfs.zName = "limen";
    vfs.pNext = NULL;
    vfs.xFullPathname = keep_name;
    return sqlite3_vfs_register(&vfs, /* default= */ 1) == SQLITE_OK;
}

static bool open_folder(struct folder *folder)
{
    struct stat status;
    if (mkdir(folder->path, 0700) != 0 && errno != EEXIST)
        return refuse(folder, "make the folder, or choose another with --database",
                      "the database's folder '%s' cannot be made: %s", folder->path, strerror(errno));
    folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd >= 0)
        return true;
    if (errno == EACCES && stat(folder->path, &status) == 0 && status.st_uid != geteuid())
        return refuse_foreign(folder, "the database's folder", status.st_uid);
    return refuse(folder, "check who may read it, or choose another with --database",
                  "the database's folder '%s' cannot be opened: %s", folder->path, strerror(errno));
}

static bool split(const char *path, struct arena *arena, struct folder *folder)
{
    const char *slash = strrchr(path, '/');
    folder->name = slash == NULL ? path : slash + 1;
    folder->path = slash == NULL ? "."
        : slash == path          ? "/"
                                 : arena_copy(arena, str_make(path, (size_t)(slash - path))).ptr;
    if (folder->name[0] == '\0' || is_dots(folder->name) || strlen(folder->name) >= NAME_BYTES)
        return refuse(folder, "write sqlite:var/app.db", "'%s' names no file", path);
    return folder->path != NULL;
}

const char *sqlite_move_in(limen_str url, uint32_t user, struct arena *arena, struct diags *diags)
{
    struct folder folder = { .url = url, .user = user, .fd = -1, .diags = diags };
    const char *path = sqlite_path(url, arena, diags);
    bool ok = path != NULL && split(path, arena, &folder) && open_folder(&folder)
        && (user == 0 ? is_reachable(&folder) : hand_over(&folder));
    if (ok && (fchdir(folder.fd) != 0 || !use_names_as_they_are()))
        ok = refuse(&folder, "", "the database's folder '%s' cannot be moved into: %s", folder.path, strerror(errno));
    if (folder.fd >= 0)
        close(folder.fd);
    return ok ? folder.name : NULL;
}

/* ---- the sandbox ------------------------------------------------------------------------------------------------------- */

#ifdef SYS_unlink
#define MAYBE_UNLINK SYS_unlink
#define MAYBE_ACCESS SYS_access
#else
#define MAYBE_UNLINK (-1) /* arm64 */
#define MAYBE_ACCESS (-1)
#endif

/* Landlock holds those that take a path inside the folder. */
static const int numbers[] = {
    SYS_openat,     SYS_newfstatat, SYS_fstat,    SYS_pread64,  SYS_pwrite64, SYS_fsync,
    SYS_fdatasync,  SYS_ftruncate,  SYS_unlinkat, MAYBE_UNLINK, MAYBE_ACCESS, SYS_faccessat,
    SYS_faccessat2, SYS_fchmod,     SYS_fchown,   SYS_geteuid,  SYS_eventfd2,
};
static const struct syscall_rule rules[] = {
    SYSCALL_WHEN(SYS_fcntl, 1, F_SETLK), SYSCALL_WHEN(SYS_fcntl, 1, F_GETLK), SYSCALL_WHEN(SYS_fcntl, 1, F_GETFD),
    SYSCALL_WHEN(SYS_fcntl, 1, F_SETFD), SYSCALL_WHEN(SYS_fcntl, 1, F_GETFL),
};
const struct syscall_list sqlite_syscalls = { numbers, sizeof(numbers) / sizeof(numbers[0]), rules,
                                              sizeof(rules) / sizeof(rules[0]) };

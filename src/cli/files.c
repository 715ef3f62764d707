/* files.c - reading an app's folder. */
#include "cli/files.h"

#include "core/limits.h"
#include "core/str.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_FILES_MAX 4096U
#define FOLDER_FILE_BYTES (16U * 1024 * 1024)

static bool complain(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return false;
}

static bool read_all(int fd, char *memory, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        ssize_t got = read(fd, memory + at, bytes - at);
        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

bool files_read(const char *path, size_t ceiling, struct arena *arena, limen_str *ret_bytes)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0) {
        complain(path);
        if (fd >= 0)
            close(fd);
        return false;
    }
    size_t bytes = (size_t)info.st_size;
    char *memory = bytes > ceiling ? NULL : arena_alloc(arena, bytes + 1);
    if (bytes > ceiling)
        errno = EFBIG;
    bool ok = memory != NULL && read_all(fd, memory, bytes);
    close(fd);
    if (!ok)
        return complain(path);
    memory[bytes] = '\0';
    *ret_bytes = str_make(memory, bytes);
    return true;
}

static int by_path(const void *a, const void *b)
{
    return str_compare(((const struct limen_file *)a)->path, ((const struct limen_file *)b)->path);
}

static bool add_entry(const FTSENT *entry, size_t root_len, struct arena *arena, struct limen_file *files,
                      size_t *count)
{
    limen_str path = str_of(entry->fts_path);
    struct limen_file *file = &files[*count];
    if (*count == FOLDER_FILES_MAX) {
        errno = EMFILE;
        return complain(entry->fts_path);
    }
    if (!files_read(entry->fts_path, FOLDER_FILE_BYTES, arena, &file->bytes))
        return false;
    file->path = arena_copy(arena, str_slice(path, root_len + 1, path.len));
    (*count)++;
    return file->path.ptr != NULL;
}

bool files_read_folder(const char *folder, const char *ending, struct arena *arena, struct limen_file **ret_files,
                       size_t *ret_count)
{
    char *const roots[] = { (char *)folder, NULL };
    struct limen_file *files = ARENA_NEW_ARRAY(arena, struct limen_file, FOLDER_FILES_MAX);
    if (access(folder, R_OK) != 0)
        return complain(folder);
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    bool ok = files != NULL && tree != NULL;
    size_t count = 0;
    for (FTSENT *entry; ok && (entry = fts_read(tree)) != NULL;) {
        bool is_hidden = entry->fts_level > 0 && entry->fts_name[0] == '.';
        if (is_hidden && entry->fts_info == FTS_D)
            fts_set(tree, entry, FTS_SKIP);
        if (entry->fts_info != FTS_F || is_hidden || !str_ends(str_of(entry->fts_name), str_of(ending)))
            continue;
        ok = add_entry(entry, str_of(folder).len, arena, files, &count);
    }
    if (tree != NULL)
        fts_close(tree);
    if (!ok)
        return false;
    qsort(files, count, sizeof(*files), by_path);
    *ret_files = files;
    *ret_count = count;
    return true;
}

static bool has_bytes(const char *path, limen_str bytes)
{
    struct arena arena;
    limen_str old;
    arena_init(&arena, NULL, SIZE_MAX);
    bool is_same = access(path, R_OK) == 0 && files_read(path, SIZE_MAX / 2, &arena, &old) && str_equal(old, bytes);
    arena_release(&arena);
    return is_same;
}

/* ---- documents -------------------------------------------------------------------------------------------------------- */

/* Bytes that two absolute paths of folders have in common, up to a slash. */
static size_t shared_folders(const char *a, const char *b)
{
    size_t shared = 0;
    for (size_t i = 0; a[i] != '\0' && a[i] == b[i]; i++) {
        if (a[i] == '/')
            shared = i + 1;
    }
    return shared;
}

/* The way from the folder of `contract` to `path`, with "../" where it leads up. */
static bool relative_path(const char *contract, const char *path, struct arena *arena, limen_str *ret_path)
{
    char from[PATH_MAX], to[PATH_MAX];
    struct buf out;
    if (realpath(contract, from) == NULL)
        return complain(contract);
    if (realpath(path, to) == NULL)
        return complain(path);
    const size_t shared = shared_folders(from, to);
    buf_init(&out, arena, PATH_MAX);
    for (const char *at = from + shared; *at != '\0'; at++) {
        if (*at == '/')
            BUF_ADD(&out, "../");
    }
    buf_add(&out, str_of(to + shared));
    *ret_path = buf_str(&out);
    return !out.failed;
}

/* Where FILE begins in [URI=]FILE. A URI has a colon before any slash, and a file's name may hold a '='. */
static const char *path_in(const char *argument)
{
    const char *equals = strrchr(argument, '=');
    const bool has_scheme = argument[strcspn(argument, ":/=")] == ':';
    return equals != NULL && has_scheme ? equals + 1 : argument;
}

static bool read_document(const char *argument, const char *contract, struct arena *arena,
                          struct limen_document *document)
{
    const char *path = path_in(argument);
    document->file.path = str_of(path);
    if (path > argument)
        document->uri = str_make(argument, (size_t)(path - argument) - 1);
    else if (!relative_path(contract, path, arena, &document->uri))
        return false;
    return files_read(path, LIMIT_CONTRACT_BYTES, arena, &document->file.bytes);
}

bool files_read_documents(const char *const *arguments, size_t count, const char *contract, struct arena *arena,
                          struct limen_app *app)
{
    struct limen_document *documents = ARENA_NEW_ARRAY(arena, struct limen_document, count);
    if (documents == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!read_document(arguments[i], contract, arena, &documents[i]))
            return false;
    }
    app->documents = documents;
    app->document_count = count;
    return true;
}

bool files_write(const char *folder, const char *name, limen_str bytes)
{
    char path[4096];
    int len = snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (len < 0 || (size_t)len >= sizeof(path)) {
        errno = ENAMETOOLONG;
        return complain(folder);
    }
    if (has_bytes(path, bytes))
        return true;
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return complain(path);
    bool ok = fwrite(bytes.ptr, 1, bytes.len, file) == bytes.len;
    ok = fclose(file) == 0 && ok;
    return ok || complain(path);
}

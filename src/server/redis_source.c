/* redis_source.c - reads --redis, before the data role closes its sandbox. */
#include "server/redis_source.h"

#include "contract/doc.h"
#include "core/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static bool is_file(limen_str source)
{
    return str_starts(source, LIMEN_STR("@"));
}

bool redis_source_is_valid(limen_str source)
{
    struct arena scratch;
    struct redis_url url;
    if (is_file(source))
        return source.len > 1;
    arena_init(&scratch, NULL, SIZE_MAX);
    bool is_valid = redis_url_parse(source, &scratch, &url) == NULL;
    arena_release(&scratch);
    return is_valid;
}

/* The one line of the file `path`. NULL: `errno` tells. */
static bool read_line(limen_str path, struct arena *arena, limen_str *ret_line)
{
    char *memory = arena_alloc(arena, LIMIT_REDIS_URL_BYTES + 1);
    limen_str name = arena_copy(arena, path);
    int fd = memory == NULL || name.ptr == NULL ? -1 : open(name.ptr, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return false;
    ssize_t bytes = read(fd, memory, LIMIT_REDIS_URL_BYTES + 1);
    close(fd);
    errno = bytes > (ssize_t)LIMIT_REDIS_URL_BYTES ? EFBIG : errno;
    if (bytes < 0 || bytes > (ssize_t)LIMIT_REDIS_URL_BYTES)
        return false;
    *ret_line = str_trim(str_make(memory, (size_t)bytes));
    return true;
}

bool redis_source_read(limen_str source, struct arena *arena, struct redis_url *ret_url, struct diags *errors)
{
    const limen_str flag = LIMEN_STR("--redis");
    limen_str url = source, path = str_slice(source, 1, source.len);
    if (is_file(source) && !read_line(path, arena, &url)) {
        diags_add_at(errors, flag, 0, 0, LIMEN_STR("name a file that holds redis://… and that the server may read"),
                     "the file '%.*s' cannot be read: %s", LIMEN_STR_ARG(path), strerror(errno));
        return false;
    }
    const char *fault = redis_url_parse(url, arena, ret_url);
    if (fault != NULL) {
        diags_add_at(errors, flag, 0, 0, LIMEN_STR(""), "the URL is not right: %s", fault);
        return false;
    }
    return true;
}

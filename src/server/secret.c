/* secret.c - a secret is a small file that whoever starts the server can read, and no text of a command line. */
#include "server/secret.h"

#include "contract/contract.h"
#include "core/arena.h"
#include "server/role.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool secret_is_valid(limen_str value)
{
    limen_str source = value, name = str_cut(&source, '=');
    return name.len > 0 && str_find_char(name, '/', 0) == SIZE_MAX && source.len > 1 && source.ptr[0] == '@';
}

/* The file of a name; empty: none is given. */
static limen_str find_file(limen_str name, struct arena *arena)
{
    limen_str setting = role_setting("LIMEN_SECRET", ""), folder = role_setting("CREDENTIALS_DIRECTORY", "");
    while (setting.len > 0) {
        limen_str source = str_cut(&setting, ','), own_name = str_cut(&source, '=');
        if (str_equal(own_name, name))
            return arena_copy(arena, str_slice(source, 1, source.len));
    }
    if (folder.len == 0)
        return (limen_str){ 0 };
    limen_str path = arena_printf(arena, "%.*s/%.*s", LIMEN_STR_ARG(folder), LIMEN_STR_ARG(name));
    return path.ptr != NULL && access(path.ptr, F_OK) == 0 ? path : (limen_str){ 0 };
}

static limen_str without_line_end(limen_str text)
{
    while (text.len > 0 && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
        text.len--;
    return text;
}

bool secret_read(limen_str name, struct arena *arena, limen_str *ret_secret, struct diags *diags)
{
    limen_str path = find_file(name, arena);
    *ret_secret = (limen_str){ 0 };
    if (path.len == 0)
        return true;
    char *memory = arena_alloc(arena, LIMIT_SECRET_BYTES + 1);
    int fd = memory == NULL ? -1 : open(path.ptr, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t bytes = fd < 0 ? -1 : read(fd, memory, LIMIT_SECRET_BYTES + 1);
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (bytes < 0) {
        diags_add_at(diags, path, 0, 0, LIMEN_STR("name another file with --secret NAME=@FILE"),
                     "the secret '%.*s' cannot be read: %s", LIMEN_STR_ARG(name), strerror(why));
        return false;
    }
    *ret_secret = without_line_end(str_make(memory, (size_t)bytes));
    if (ret_secret->len > 0 && bytes <= (ssize_t)LIMIT_SECRET_BYTES)
        return true;
    diags_add_at(diags, path, 0, 0, LIMEN_STR("put the secret, and nothing else, into the file"),
                 "the secret '%.*s' is empty, or longer than 4096 bytes", LIMEN_STR_ARG(name));
    return false;
}

bool secrets_of_webhooks(const struct contract *contract, struct arena *arena, limen_str ret_secrets[LIMIT_SCHEMES],
                         struct diags *diags)
{
    bool ok = true;
    for (uint32_t i = 0; i < contract->scheme_count; i++) {
        if (contract->schemes[i].kind == SCHEME_WEBHOOK)
            ok = secret_read(contract->schemes[i].name, arena, &ret_secrets[i], diags) && ok;
    }
    return ok;
}

/* jwks_source.c - files of keys are read once, before the data role serves anybody; URLs become targets of the outbound role. */
#include "server/jwks_source.h"

#include "core/arena.h"
#include "core/str.h"
#include "outbound/outbound.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static bool is_url(limen_str source)
{
    return str_find(source, LIMEN_STR("://"), 0) != SIZE_MAX;
}

bool jwks_source_is_valid(limen_str value)
{
    limen_str source = value, name = str_cut(&source, '=');
    return name.len > 0 && source.len > 0 && (!is_url(source) || str_starts(source, LIMEN_STR("https://")));
}

static struct security_scheme *find_bearer(struct contract *contract, limen_str name)
{
    for (uint32_t i = 0; i < contract->scheme_count; i++) {
        if (contract->schemes[i].kind == SCHEME_BEARER && str_equal(contract->schemes[i].name, name))
            return &contract->schemes[i];
    }
    return NULL;
}

/* Gives the URL a number; schemes that share an issuer fetch each for itself. */
static bool add_target(struct contract *contract, struct security_scheme *scheme, struct arena *arena,
                       struct diags *diags)
{
    struct outbound_address address;
    if (str_equal(scheme->algorithms[0], LIMEN_STR("HS256"))) {
        diags_add_at(diags, scheme->jwks, 0, 0, LIMEN_STR("keep the secret in a file"),
                     "a secret that is fetched from a URL is none");
        return false;
    }
    if (!outbound_parse_url(scheme->jwks, arena, &address)) {
        diags_add_at(diags, scheme->jwks, 0, 0, LIMEN_STR("write https://HOST/PATH"),
                     "the keys of the scheme '%.*s' are at no URL that can be fetched", LIMEN_STR_ARG(scheme->name));
        return false;
    }
    if (contract->fetch_count == LIMIT_FETCH_TARGETS) {
        diags_add_at(diags, scheme->jwks, 0, 0, LIMEN_STR("use fewer"), "there are too many URLs to fetch");
        return false;
    }
    scheme->jwks_target = contract->fetch_count;
    contract->fetch_urls[contract->fetch_count++] = scheme->jwks;
    return true;
}

bool jwks_sources_set(struct contract *contract, limen_str setting, struct arena *arena, struct diags *diags)
{
    while (setting.len > 0) {
        limen_str source = str_cut(&setting, ','), name = str_cut(&source, '=');
        struct security_scheme *scheme = find_bearer(contract, name);
        if (scheme == NULL) {
            diags_add_at(diags, LIMEN_STR("--jwks"), 0, 0, LIMEN_STR("name one of components/securitySchemes"),
                         "the contract has no bearer scheme '%.*s'", LIMEN_STR_ARG(name));
            return false;
        }
        scheme->jwks = source;
    }
    for (uint32_t i = 0; i < contract->scheme_count; i++) {
        struct security_scheme *scheme = &contract->schemes[i];
        if (scheme->kind == SCHEME_BEARER && is_url(scheme->jwks) && !add_target(contract, scheme, arena, diags))
            return false;
    }
    return true;
}

static bool read_file(struct data_jwks *jwks, struct arena *arena, struct diags *diags)
{
    char *memory = arena_alloc(arena, LIMIT_JWKS_BYTES + 1);
    limen_str path = arena_copy(arena, jwks->source);
    int fd = memory == NULL || path.ptr == NULL ? -1 : open(path.ptr, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t bytes = fd < 0 ? -1 : read(fd, memory, LIMIT_JWKS_BYTES + 1);
    if (bytes < 0)
        diags_add_at(diags, jwks->source, 0, 0, LIMEN_STR("name another file with --jwks SCHEME=FILE"),
                     "the file of keys cannot be read: %s", strerror(errno));
    else if (bytes > (ssize_t)LIMIT_JWKS_BYTES)
        diags_add_at(diags, jwks->source, 0, 0, LIMEN_STR(""), "the file of keys is larger than 64 KiB");
    if (fd >= 0)
        close(fd);
    if (bytes < 0 || bytes > (ssize_t)LIMIT_JWKS_BYTES)
        return false;
    jwks->json = str_make(memory, (size_t)bytes);
    return true;
}

bool jwks_sources_read(const struct contract *contract, struct arena *arena, struct data_jwks ret_jwks[LIMIT_SCHEMES],
                       struct diags *diags)
{
    bool ok = true;
    for (uint32_t i = 0; i < contract->scheme_count; i++) {
        const struct security_scheme *scheme = &contract->schemes[i];
        if (scheme->kind != SCHEME_BEARER)
            continue;
        ret_jwks[i] = (struct data_jwks){ .source = scheme->jwks,
                                          .is_fetched = is_url(scheme->jwks),
                                          .target = scheme->jwks_target };
        if (scheme->jwks.len > 0 && !ret_jwks[i].is_fetched)
            ok = read_file(&ret_jwks[i], arena, diags) && ok;
    }
    return ok;
}

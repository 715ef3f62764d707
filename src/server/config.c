/* config.c - settings, and the three places where they may stand. */
#include "server/config.h"

#include "contract/doc.h"
#include "core/arena.h"
#include "server/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_FILE_BYTES (256U * 1024)

/* ---- setting one ------------------------------------------------------------------------------------------------------ */

static bool complain(const struct setting *setting, const char *source, limen_str value, const char *wanted)
{
    if (setting->may_be_secret)
        value = LIMEN_STR("(not shown)");
    fprintf(stderr, "%s%s: '%.*s' is not right: %s\n", source, setting->flag, LIMEN_STR_ARG(value), wanted);
    return false;
}

static bool is_choice(const char *choices, limen_str value)
{
    limen_str rest = str_of(choices);
    while (rest.len > 0) {
        if (str_equal(str_cut(&rest, '|'), value))
            return true;
    }
    return false;
}

static bool set_number(const struct setting *setting, const char *source, limen_str value, int64_t *target)
{
    char wanted[80];
    if (str_to_int64(value, target) && *target >= setting->least && *target <= setting->most)
        return true;
    snprintf(wanted, sizeof(wanted), "give a whole number from %lld to %lld", (long long)setting->least,
             (long long)setting->most);
    return complain(setting, source, value, wanted);
}

static bool set_bytes(const struct setting *setting, const char *source, limen_str value, int64_t *target)
{
    char wanted[80];
    size_t bytes;
    *target = 0;
    if (str_equal(value, LIMEN_STR("auto")))
        return true;
    if (str_to_bytes(value, &bytes) && bytes >= (size_t)setting->least) {
        *target = (int64_t)bytes;
        return true;
    }
    snprintf(wanted, sizeof(wanted), "give a size such as 512MiB, at least %lldMiB, or auto",
             (long long)setting->least / (1024 * 1024));
    return complain(setting, source, value, wanted);
}

static bool set_switch(const struct setting *setting, const char *source, limen_str value, bool *target)
{
    *target = str_equal(value, LIMEN_STR("true")) || str_equal(value, LIMEN_STR("1"));
    return *target || str_equal(value, LIMEN_STR("false")) || str_equal(value, LIMEN_STR("0"))
        || complain(setting, source, value, "give true or false");
}

/* Sets one value, or adds it to a list. */
static bool set(const struct setting *setting, const char *source, limen_str value, struct config *config)
{
    void *target = (char *)config + setting->offset;
    if (setting->is_valid != NULL && !setting->is_valid(value))
        return complain(setting, source, value, setting->wanted);
    switch (setting->kind) {
    case SETTING_TEXT:
        if (setting->choices != NULL && !is_choice(setting->choices, value))
            return complain(setting, source, value, setting->choices);
        *(limen_str *)target = value;
        return value.len > 0 || complain(setting, source, value, "it may not be empty");
    case SETTING_LIST: {
        struct config_list *list = target;
        if (list->count == LIMIT_LISTENERS)
            return complain(setting, source, value, "there are too many");
        list->items[list->count++] = value;
        return true;
    }
    case SETTING_NUMBER:
        return set_number(setting, source, value, target);
    case SETTING_BYTES:
        return set_bytes(setting, source, value, target);
    case SETTING_SWITCH:
        return set_switch(setting, source, value, target);
    }
    return false;
}

/* A list in one text: commas between. */
static bool set_all(const struct setting *setting, const char *source, limen_str value, struct config *config)
{
    if (setting->kind != SETTING_LIST)
        return set(setting, source, value, config);
    while (value.len > 0) {
        if (!set(setting, source, str_trim(str_cut(&value, ',')), config))
            return false;
    }
    return true;
}

/* ---- the three sources ------------------------------------------------------------------------------------------------ */

static const struct setting *find(limen_str flag)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (str_equal(str_of(settings[i].flag), flag))
            return &settings[i];
    }
    return NULL;
}

/* Takes `--flag value` or `--flag=value` at argv[*at]. */
static bool read_flag(int argc, char **argv, int *at, bool *is_set, struct config *config)
{
    limen_str rest = str_of(argv[*at]);
    if (!str_starts(rest, LIMEN_STR("--"))) {
        fprintf(stderr, "'%s' is no flag; see --help\n", argv[*at]);
        return false;
    }
    rest = str_slice(rest, 2, rest.len);
    bool has_value = str_find_char(rest, '=', 0) != SIZE_MAX;
    limen_str name = str_cut(&rest, '=');
    const struct setting *setting = find(name);
    if (setting == NULL) {
        fprintf(stderr, "there is no flag --%.*s; see --help\n", LIMEN_STR_ARG(name));
        return false;
    }
    if (!has_value && setting->kind == SETTING_SWITCH)
        rest = LIMEN_STR("true");
    else if (!has_value && *at + 1 < argc)
        rest = str_of(argv[++*at]);
    else if (!has_value)
        return complain(setting, "--", rest, "a value is missing");
    is_set[setting - settings] = true;
    return set(setting, "--", rest, config);
}

static bool read_environment(bool *is_set, struct config *config)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *value = settings[i].environment == NULL ? NULL : getenv(settings[i].environment);
        if (value == NULL || is_set[i])
            continue;
        is_set[i] = true;
        if (!set_all(&settings[i], "environment: ", str_of(value), config))
            return false;
    }
    return true;
}

static bool set_node(const struct setting *setting, const struct doc_node *node, struct config *config)
{
    if (node->kind == DOC_ARRAY && setting->kind == SETTING_LIST) {
        for (size_t i = 0; i < node->count; i++) {
            if (!set(setting, "limen.yaml: ", node->items[i]->text, config))
                return false;
        }
        return true;
    }
    limen_str value = node->kind == DOC_BOOL ? (node->boolean ? LIMEN_STR("true") : LIMEN_STR("false")) : node->text;
    return set_all(setting, "limen.yaml: ", value, config);
}

static bool read_nodes(const struct doc *doc, bool *is_set, struct config *config)
{
    for (size_t i = 0; i < doc->root->count; i++) {
        const struct doc_node *node = doc->root->items[i];
        const struct setting *setting = find(node->key);
        if (setting == NULL || setting->environment == NULL) {
            fprintf(stderr, "limen.yaml:%u:%u: there is no setting '%.*s'; see --help\n", node->key_line,
                    node->key_column, LIMEN_STR_ARG(node->key));
            return false;
        }
        size_t at = (size_t)(setting - settings);
        if (is_set[at])
            continue;
        is_set[at] = true;
        if (!set_node(setting, node, config))
            return false;
    }
    return true;
}

/* All of limen.yaml. False: `errno` tells why not. */
static bool read_yaml(struct arena *arena, limen_str *ret_text)
{
    int fd = open("limen.yaml", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    char *memory = arena_alloc(arena, CONFIG_FILE_BYTES + 1);
    ssize_t bytes = memory == NULL ? -1 : read(fd, memory, CONFIG_FILE_BYTES + 1);
    close(fd);
    if (bytes > (ssize_t)CONFIG_FILE_BYTES)
        errno = EFBIG;
    if (bytes < 0 || bytes > (ssize_t)CONFIG_FILE_BYTES)
        return false;
    *ret_text = str_make(memory, (size_t)bytes);
    return true;
}

static bool read_file(bool *is_set, struct arena *arena, struct config *config)
{
    struct doc doc;
    struct diags diags;
    struct buf text;
    limen_str yaml;
    errno = 0;
    if (!read_yaml(arena, &yaml)) {
        if (errno == ENOENT)
            return true;
        fprintf(stderr, "limen.yaml cannot be read: %s\n", strerror(errno));
        return false;
    }
    diags_init(&diags, arena);
    if (doc_parse(yaml, LIMEN_STR("limen.yaml"), arena, &doc, &diags))
        return read_nodes(&doc, is_set, config);
    buf_init(&text, arena, 1024);
    diags_write(&diags, &text, "error", /* colour= */ false);
    fwrite(text.ptr, 1, text.len, stderr);
    return false;
}

static bool fill_defaults(const bool *is_set, limen_str app_name, struct arena *arena, struct config *config)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        limen_str value = str_of(settings[i].initial);
        if (is_set[i] || value.len == 0)
            continue;
        size_t hole = str_find(value, LIMEN_STR("%s"), 0);
        if (hole != SIZE_MAX)
            value = arena_printf(arena, "%.*s%.*s%.*s", (int)hole, value.ptr, LIMEN_STR_ARG(app_name),
                                 LIMEN_STR_ARG(str_slice(value, hole + 2, value.len)));
        if (!set_all(&settings[i], "default: ", value, config))
            return false;
    }
    return true;
}

enum config_outcome config_read(int argc, char **argv, limen_str app_name, struct arena *arena,
                                struct config *ret_config)
{
    bool is_set[SETTING_COUNT] = { false };
    *ret_config = (struct config){ 0 };
    for (int at = 1; at < argc; at++) {
        if (!read_flag(argc, argv, &at, is_set, ret_config))
            return CONFIG_WRONG;
    }
    if (ret_config->wants_help)
        return CONFIG_HELP;
    bool ok = read_environment(is_set, ret_config) && read_file(is_set, arena, ret_config)
        && fill_defaults(is_set, app_name, arena, ret_config);
    return ok ? CONFIG_OK : CONFIG_WRONG;
}

limen_str config_join(const struct config_list *list, struct arena *arena)
{
    struct buf text;
    buf_init(&text, arena, 64);
    for (uint32_t i = 0; i < list->count; i++) {
        if (i > 0)
            buf_add_char(&text, ',');
        buf_add(&text, list->items[i]);
    }
    return buf_str(&text);
}

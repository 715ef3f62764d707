/* config.h - what an operator may set: flags, then LIMEN_* environment, then limen.yaml.
 *
 * One table declares them all; it also prints --help. */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include "core/limits.h"
#include "core/str.h"

struct arena;

struct config_list {
    limen_str items[LIMIT_LISTENERS];
    uint32_t count;
};

struct config {
    struct config_list listen; /* HOST:PORT */
    limen_str operator;        /* HOST:PORT, or "off" */
    int64_t workers;           /* 0: the cores that the process may use */
    limen_str database;
    int64_t database_connections; /* of PostgreSQL */
    limen_str redis;              /* redis://…, or @FILE that holds it; empty: none */
    struct config_list trusted_proxies;
    struct config_list jwks;    /* SCHEME=FILE|URL */
    struct config_list secrets; /* NAME=@FILE */
    int64_t limit_scale;
    limen_str migrate;    /* auto, wait, off */
    limen_str log_format; /* auto, json, text */
    limen_str log_level;
    int64_t drain_s, notice_s, reload_timeout_s;
    limen_str ca_file;
    struct config_list fetch_private;  /* host names and addresses */
    struct config_list effect_targets; /* NAME=URL */
    limen_str payment_method;
    int64_t worker_memory; /* bytes; 0: as the machine has it */
    int64_t connections_per_address;
    int64_t head_timeout_s, body_timeout_s, idle_timeout_s, write_timeout_s;
    int64_t least_rate; /* bytes a second */
    bool checks_replies;
    limen_str uid_base; /* a number, or "off" */
    bool no_sandbox, strict_sandbox;
    bool wants_help;
};

enum config_outcome { CONFIG_OK, CONFIG_HELP, CONFIG_WRONG };

/* Reads all three sources; later ones fill in what earlier ones left open. `app_name` is in the default of --database. Complaints go to standard
 * error, each naming the flag, the cause and what would be right. Texts live in the arena. */
enum config_outcome config_read(int argc, char **argv, limen_str app_name, struct arena *arena,
                                struct config *ret_config) LIMEN_MUST_CHECK;
/* A list in one text, with commas. */
limen_str config_join(const struct config_list *list, struct arena *arena);
/* The table, as --help shows it. */
void config_write_help(limen_str app_name, struct buf *out);

#endif

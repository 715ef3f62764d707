/* settings.h - what can be set: one table, which --help prints and config.c reads by. */
#ifndef SERVER_SETTINGS_H
#define SERVER_SETTINGS_H

#include "server/config.h"

enum setting_kind { SETTING_TEXT, SETTING_LIST, SETTING_NUMBER, SETTING_BYTES, SETTING_SWITCH };

struct setting {
    const char *flag, *environment;
    enum setting_kind kind;
    size_t offset;
    const char *value;   /* how --help names it; NULL for a switch */
    const char *initial; /* the default */
    int64_t least, most; /* NUMBER; BYTES: `least` */
    const char *choices; /* TEXT: "a|b|c", or NULL */
    const char *help;
    bool (*is_valid)(limen_str value); /* TEXT, LIST; NULL: anything */
    const char *wanted;                /* what to give instead */
    bool may_be_secret;                /* a wrong value is not repeated: it could be what should be in a file */
};

enum { SETTING_COUNT = 32 };
extern const struct setting settings[];

#endif

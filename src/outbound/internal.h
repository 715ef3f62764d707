/* internal.h - what the files of the outbound role share; nobody else includes it. */
#ifndef OUTBOUND_INTERNAL_H
#define OUTBOUND_INTERNAL_H

#include "core/arena.h"
#include "core/effect_wire.h"
#include "outbound/outbound.h"

#include <curl/curl.h>

struct effect;

/* One target's fetch, or one effect. Invariant: `easy` is NULL when none is under way. */
struct transfer {
    const char *url;               /* NUL-terminated, for as long as the transfer */
    bool may_be_private, is_plain; /* plain: http, and then to private addresses only */
    struct effect *effect;         /* NULL: a document is fetched */
    const char *form;              /* an effect's: what is posted; NULL: a GET */
    struct curl_slist *fields;     /* an effect's; NULL: those of the settings */
    char wait[16];                 /* the answer's Retry-After */
    uint8_t wait_bytes;
    CURL *easy;
    int64_t started_us;
    size_t head_bytes;
    bool met_forbidden_address, is_too_large;
    char detail[CURL_ERROR_SIZE];
    bool is_waiting; /* `answer` is complete, and the socket had no room for it */
    struct fetch_answer answer;
};

/* What all transfers share. */
struct transfer_settings {
    struct curl_slist *fields;
    struct curl_blob authorities;
};

/* An easy handle for one attempt; false when memory is out. */
bool transfer_begin(struct transfer *transfer, const struct transfer_settings *settings) LIMEN_MUST_CHECK;
/* Fills in the answer's outcome, status and body's size, and gives the easy handle back; it has been taken out of the multi handle. An
 * effect's body is kept whatever the status says. */
void transfer_end(struct transfer *transfer, CURLcode code);

/* ---- effects.c ---------------------------------------------------------------------------------------------------------- */
/* An effect that is under way. */
struct effect {
    struct transfer transfer;
    struct effect_request request;
    struct arena arena; /* of what is sent and what was read */
};

/* Readies the transfer for `effect->request`. False: it cannot be sent, and the answer says why. */
bool effect_prepare(struct effect *effect, const struct outbound_effects *config) LIMEN_MUST_CHECK;
/* In place of the stranger's body, what it means. Gives back what effect_prepare took. */
void effect_conclude(struct effect *effect);
/* The same without an answer. */
void effect_release(struct effect *effect);

#endif

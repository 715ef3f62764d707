/* internal.h - what the files of the outbound role share; nobody else includes it. */
#ifndef OUTBOUND_INTERNAL_H
#define OUTBOUND_INTERNAL_H

#include "core/fetch_wire.h"
#include "outbound/outbound.h"

#include <curl/curl.h>

/* One target's fetch. Invariant: `easy` is NULL when none is under way. */
struct transfer {
    const char *url; /* NUL-terminated, for as long as the process */
    bool may_be_private;
    CURL *easy;
    int64_t started_us;
    size_t head_bytes;
    bool met_private_address, is_too_large;
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
/* Fills in the answer's outcome, status and body's size, and gives the easy handle back; it has been taken out of the multi handle. */
void transfer_end(struct transfer *transfer, CURLcode code);

#endif

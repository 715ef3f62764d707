/* transfer.c - the rules of one fetch, as options of libcurl; and what its result means. */
#include "outbound/internal.h"

#include "core/str.h"
#include "outbound/address.h"

#include <string.h>
#include <unistd.h>

/* ---- while it runs ------------------------------------------------------------------------------------------------------ */

/* Called with the very address that will be connected to: whatever the name meant a moment ago. What is not encrypted does not leave for the
 * internet. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *transfer = context;
    (void)purpose;
    if (transfer->is_plain ? address_is_public(&address->addr)
                           : !transfer->may_be_private && !address_is_public(&address->addr)) {
        transfer->met_forbidden_address = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* A size other than what was offered ends the transfer. */
static size_t take_field(char *bytes, size_t size, size_t count, void *context)
{
    static const limen_str wait = LIMEN_STR_INIT("retry-after:");
    struct transfer *transfer = context;
    limen_str field = str_make(bytes, size * count);
    transfer->head_bytes += size * count;
    if (str_equal_nocase(str_slice(field, 0, wait.len), wait)) {
        limen_str value = str_trim(str_slice(field, wait.len, field.len));
        transfer->wait_bytes = value.len <= sizeof(transfer->wait) ? (uint8_t)value.len : 0;
        memcpy(transfer->wait, value.ptr, transfer->wait_bytes);
    }
    transfer->is_too_large = transfer->head_bytes > LIMIT_FETCH_HEAD_BYTES;
    return transfer->is_too_large ? 0 : size * count;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    struct fetch_answer *answer = &transfer->answer;
    size_t more = size * count;
    transfer->is_too_large = more > sizeof(answer->body) - answer->body_bytes;
    if (transfer->is_too_large)
        return 0;
    memcpy(answer->body + answer->body_bytes, bytes, more);
    answer->body_bytes += (uint32_t)more;
    return more;
}

/* ---- beginning ---------------------------------------------------------------------------------------------------------- */

#define SET(option, value) (curl_easy_setopt(easy, (option), (value)) == CURLE_OK)

/* A connection that was opened under one target's rules serves no other one. */
static bool set_address_rules(CURL *easy, struct transfer *transfer)
{
    return SET(CURLOPT_URL, transfer->url) && SET(CURLOPT_PROTOCOLS_STR, transfer->is_plain ? "http" : "https")
        && SET(CURLOPT_FOLLOWLOCATION, 0L) && SET(CURLOPT_PROXY, "") /* whatever the environment says */
        && SET(CURLOPT_OPENSOCKETFUNCTION, open_socket) && SET(CURLOPT_OPENSOCKETDATA, transfer)
        && SET(CURLOPT_FORBID_REUSE, 1L);
}

/* No session is resumed, so the certificate is seen each time. */
static bool set_tls_rules(CURL *easy, const struct transfer_settings *settings)
{
    return SET(CURLOPT_SSL_VERIFYPEER, 1L) && SET(CURLOPT_SSL_VERIFYHOST, 2L)
        && SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) && SET(CURLOPT_SSL_SESSIONID_CACHE, 0L)
        && SET(CURLOPT_CAINFO, NULL) && SET(CURLOPT_CAPATH, NULL) && SET(CURLOPT_CAINFO_BLOB, &settings->authorities);
}

/* QUICK_EXIT: a resolver's thread that is still busy when the time is over is left to end by itself; libcurl would wait for it, and hold up
 * every other fetch. */
static bool set_ceilings(CURL *easy)
{
    return SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_QUICK_EXIT, 1L)
        && SET(CURLOPT_CONNECTTIMEOUT_MS, LIMIT_FETCH_CONNECT_US / 1000L)
        && SET(CURLOPT_TIMEOUT_MS, LIMIT_FETCH_US / 1000L) && SET(CURLOPT_MAXFILESIZE, (long)LIMIT_FETCH_BODY_BYTES);
}

/* HTTP/1.1, and no compression: the less of a stranger's bytes is interpreted here, the better. */
static bool set_http_rules(CURL *easy, struct transfer *transfer, const struct transfer_settings *settings)
{
    return SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1)
        && SET(CURLOPT_HTTPHEADER, transfer->fields != NULL ? transfer->fields : settings->fields)
        && SET(CURLOPT_HEADERFUNCTION, take_field) && SET(CURLOPT_HEADERDATA, transfer)
        && SET(CURLOPT_WRITEFUNCTION, take_body) && SET(CURLOPT_WRITEDATA, transfer)
        && SET(CURLOPT_ERRORBUFFER, transfer->detail) && SET(CURLOPT_PRIVATE, transfer)
        && (transfer->form == NULL || SET(CURLOPT_POSTFIELDS, transfer->form));
}

bool transfer_begin(struct transfer *transfer, const struct transfer_settings *settings)
{
    transfer->head_bytes = 0;
    transfer->met_forbidden_address = transfer->is_too_large = false;
    transfer->detail[0] = '\0';
    transfer->wait_bytes = 0;
    transfer->answer.body_bytes = 0;
    CURL *easy = curl_easy_init();
    if (easy == NULL)
        return false;
    bool is_ruled = set_address_rules(easy, transfer) && set_tls_rules(easy, settings) && set_ceilings(easy)
        && set_http_rules(easy, transfer, settings);
    if (!is_ruled) { /* no memory, or a libcurl that lacks one of the rules */
        curl_easy_cleanup(easy);
        return false;
    }
    transfer->easy = easy;
    return true;
}

/* ---- ending ------------------------------------------------------------------------------------------------------------- */

static enum fetch_outcome outcome_of_status(uint32_t status)
{
    if (status == 200)
        return FETCH_OK;
    return status >= 300 && status < 400 ? FETCH_REDIRECT : FETCH_STATUS;
}

/* libcurl has one code for a certificate that is not to be believed and for one of another host. It notes what OpenSSL says of the
 * chain before it compares names; until then it has noted 1. */
static enum fetch_outcome outcome_of_verification(CURL *easy)
{
    long fault = 0;
    bool is_chain = curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &fault) == CURLE_OK && fault > 1;
    return is_chain ? FETCH_CERTIFICATE : FETCH_HOST_NAME;
}

static enum fetch_outcome outcome_of(const struct transfer *transfer, CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return outcome_of_status(transfer->answer.status);
    case CURLE_COULDNT_RESOLVE_HOST:
        return FETCH_UNRESOLVED;
    case CURLE_COULDNT_CONNECT:
        return transfer->met_forbidden_address ? FETCH_ADDRESS : FETCH_UNREACHABLE;
    case CURLE_PEER_FAILED_VERIFICATION:
        return outcome_of_verification(transfer->easy);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_SHUTDOWN_FAILED:
        return FETCH_TLS;
    case CURLE_FILESIZE_EXCEEDED:
        return FETCH_TOO_LARGE;
    case CURLE_WRITE_ERROR:
        return transfer->is_too_large ? FETCH_TOO_LARGE : FETCH_FAILED;
    case CURLE_OPERATION_TIMEDOUT:
        return FETCH_TIMEOUT;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
    case CURLE_SSL_CACERT_BADFILE:
        return FETCH_FAILED;
    default:
        return FETCH_BROKEN;
    }
}

void transfer_end(struct transfer *transfer, CURLcode code)
{
    long status = 0;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    transfer->answer.status = (uint32_t)status;
    transfer->answer.outcome = transfer->effect != NULL && code == CURLE_OK ? FETCH_OK : outcome_of(transfer, code);
    if (transfer->answer.outcome != FETCH_OK)
        transfer->answer.body_bytes = 0;
    curl_easy_cleanup(transfer->easy);
    transfer->easy = NULL;
}

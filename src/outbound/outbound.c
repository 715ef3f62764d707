/* outbound.c - requests in, transfers in libcurl, answers out, on one loop.
 *
 * There is one transfer a target, and one a place for an effect, so nothing here grows with what is asked for: a newer request takes
 * the place of the older one. */
#include "outbound/internal.h"

#include "core/arena.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/str.h"
#include "outbound/multi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct outbound {
    struct loop_source source; /* of the socket to the data role; first: the loop hands us its address */
    struct loop *loop;
    int fd; /* -1: no data role */
    struct multi multi;
    struct transfer_settings settings;
    uint32_t target_count;
    struct transfer transfers[LIMIT_FETCH_TARGETS];
    struct outbound_effects effect_config;
    struct effect_request request; /* the message that is being read */
    struct effect effects[LIMIT_EFFECTS_AT_ONCE];
};

/* ---- ending ------------------------------------------------------------------------------------------------------------- */

static void drop(struct outbound *outbound, struct transfer *transfer)
{
    transfer->is_waiting = false;
    if (transfer->easy == NULL)
        return;
    multi_remove(&outbound->multi, transfer->easy);
    curl_easy_cleanup(transfer->easy);
    transfer->easy = NULL;
    if (transfer->effect != NULL)
        effect_release(transfer->effect);
}

/* The data role sees the socket end, and so does whoever waits there. */
static void detach(struct outbound *outbound)
{
    if (outbound->fd < 0)
        return;
    loop_remove(outbound->loop, &outbound->source);
    close(outbound->fd);
    outbound->fd = -1;
    for (uint32_t i = 0; i < outbound->target_count; i++)
        drop(outbound, &outbound->transfers[i]);
    for (uint32_t i = 0; i < LIMIT_EFFECTS_AT_ONCE; i++)
        drop(outbound, &outbound->effects[i].transfer);
}

/* ---- answers ------------------------------------------------------------------------------------------------------------ */

static void send_answer(struct outbound *outbound, struct transfer *transfer)
{
    size_t bytes = FETCH_ANSWER_HEAD_BYTES + transfer->answer.body_bytes;
    transfer->is_waiting = false;
    if (outbound->fd < 0 || send(outbound->fd, &transfer->answer, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return;
    if (errno != EAGAIN && errno != EINTR) {
        detach(outbound);
        return;
    }
    transfer->is_waiting = true;
    loop_want(outbound->loop, &outbound->source, EPOLLIN | EPOLLOUT);
}

static void send_waiting(struct outbound *outbound)
{
    loop_want(outbound->loop, &outbound->source, EPOLLIN);
    for (uint32_t i = 0; i < outbound->target_count; i++) {
        if (outbound->transfers[i].is_waiting)
            send_answer(outbound, &outbound->transfers[i]);
    }
    for (uint32_t i = 0; i < LIMIT_EFFECTS_AT_ONCE; i++) {
        if (outbound->effects[i].transfer.is_waiting)
            send_answer(outbound, &outbound->effects[i].transfer);
    }
}

/* A URL's query is not for the log. */
static void report(const struct outbound *outbound, const struct transfer *transfer)
{
    limen_str url = str_of(transfer->url);
    const struct fetch_answer *answer = &transfer->answer;
    const struct log_field fields[] = {
        log_str("url", str_cut(&url, '?')),
        log_text("outcome", fetch_outcome_name((enum fetch_outcome)answer->outcome)),
        log_int("status", answer->status),
        log_int("bytes", answer->body_bytes),
        log_int("ms", (loop_clock(outbound->loop)->mono_us - transfer->started_us) / 1000),
        log_text("detail", transfer->detail),
    };
    bool is_ok = answer->outcome == FETCH_OK;
    log_write(is_ok ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, is_ok ? "fetched" : "a fetch failed", fields,
              sizeof(fields) / sizeof(fields[0]));
}

/* Of an effect its key, where it was to go and what came of it, and nothing of what was sent. */
static void report_effect(const struct outbound *outbound, const struct effect *effect)
{
    static const char *const outcomes[] = { "succeeded", "declined", "processing", "refused", "not_found", "unknown" };
    const struct transfer *transfer = &effect->transfer;
    const struct fetch_answer *answer = &transfer->answer;
    uint32_t outcome = EFFECT_UNKNOWN;
    if (answer->outcome == FETCH_OK)
        memcpy(&outcome, answer->body, sizeof(outcome));
    const struct log_field fields[] = {
        log_str("key", effect_request_key(&effect->request)),
        log_str("url", outbound->effect_config.url),
        log_text("outcome", outcomes[outcome]),
        log_text("fetch", fetch_outcome_name((enum fetch_outcome)answer->outcome)),
        log_int("status", answer->status),
        log_int("ms", (loop_clock(outbound->loop)->mono_us - transfer->started_us) / 1000),
        log_text("detail", transfer->detail),
    };
    bool is_ok = outcome != EFFECT_UNKNOWN && outcome != EFFECT_REFUSED;
    log_write(is_ok ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
              answer->outcome == FETCH_OK ? "an effect was sent" : "an effect did not get through", fields,
              sizeof(fields) / sizeof(fields[0]));
}

static void on_ended(void *context, CURL *easy, CURLcode code)
{
    struct outbound *outbound = context;
    struct transfer *transfer = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer) != CURLE_OK || transfer == NULL)
        BUG("a transfer that nobody began");
    transfer_end(transfer, code);
    if (transfer->effect != NULL) {
        effect_conclude(transfer->effect);
        report_effect(outbound, transfer->effect);
    } else {
        report(outbound, transfer);
    }
    send_answer(outbound, transfer);
}

/* ---- requests ----------------------------------------------------------------------------------------------------------- */

static void fail(struct transfer *transfer, enum fetch_outcome outcome)
{
    transfer->answer.outcome = outcome;
    transfer->answer.status = transfer->answer.body_bytes = 0;
}

static void begin(struct outbound *outbound, const struct fetch_request *request)
{
    struct transfer *transfer = &outbound->transfers[request->target];
    drop(outbound, transfer);
    transfer->started_us = loop_clock(outbound->loop)->mono_us;
    transfer->answer.target = request->target;
    transfer->answer.sequence = request->sequence;
    if (transfer_begin(transfer, &outbound->settings)) {
        if (multi_add(&outbound->multi, transfer->easy))
            return;
        drop(outbound, transfer);
    }
    fail(transfer, FETCH_FAILED);
    report(outbound, transfer);
    send_answer(outbound, transfer);
}

/* It has lain in the socket while this process slept: by now another one may have done it, and the provider have forgotten its key. By the
 * wall clock, for a host that sleeps as a whole stops the others. */
static bool is_late(const struct outbound *outbound, const struct effect_request *request)
{
    return loop_clock(outbound->loop)->wall_us / 1000000 >= request->until_s;
}

static void begin_effect(struct outbound *outbound)
{
    struct effect *effect = &outbound->effects[outbound->request.head.target - FETCH_EFFECTS];
    struct transfer *transfer = &effect->transfer;
    drop(outbound, transfer);
    effect->request = outbound->request;
    transfer->started_us = loop_clock(outbound->loop)->mono_us;
    transfer->detail[0] = '\0';
    transfer->answer.target = effect->request.head.target;
    transfer->answer.sequence = effect->request.head.sequence;
    if (is_late(outbound, &effect->request)) {
        fail(transfer, FETCH_TIMEOUT);
    } else if (effect_prepare(effect, &outbound->effect_config)) {
        bool is_begun = transfer_begin(transfer, &outbound->settings);
        if (is_begun && multi_add(&outbound->multi, transfer->easy))
            return;
        if (is_begun)
            drop(outbound, transfer);
        else
            effect_release(effect);
        fail(transfer, FETCH_FAILED);
    }
    report_effect(outbound, effect);
    send_answer(outbound, transfer);
}

/* One message a turn: what follows is reported again. MSG_TRUNC makes recv tell the whole size of one that is too long. */
static void take_request(struct outbound *outbound)
{
    struct effect_request *request = &outbound->request;
    ssize_t received = recv(outbound->fd, request, sizeof(*request), MSG_DONTWAIT | MSG_TRUNC);
    if (received < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (received == (ssize_t)sizeof(request->head) && request->head.target < outbound->target_count) {
        begin(outbound, &request->head);
        return;
    }
    if (received > 0 && outbound->effect_config.url.len > 0 && effect_request_is_sound(request, (size_t)received)) {
        begin_effect(outbound);
        return;
    }
    if (received > 0)
        LOG_ERROR("the data role breaks the protocol and is cut off", log_int("bytes", received));
    detach(outbound);
}

static void on_ready(struct loop_source *source, uint32_t events)
{
    struct outbound *outbound = (struct outbound *)source;
    if (events & EPOLLOUT)
        send_waiting(outbound);
    if (outbound->fd >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        take_request(outbound);
}

bool outbound_attach(struct outbound *outbound, int fd)
{
    detach(outbound);
    outbound->source = (struct loop_source){ 0 };
    if (!loop_add(outbound->loop, &outbound->source, fd, EPOLLIN, /* exclusive= */ false, on_ready)) {
        close(fd);
        return false;
    }
    outbound->fd = fd;
    return true;
}

/* ---- beginning and end -------------------------------------------------------------------------------------------------- */

static bool set_up_fields(struct outbound *outbound)
{
    static const char *const fields[] = { "Accept: application/jwk-set+json, application/json", "User-Agent: limen" };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct curl_slist *longer = curl_slist_append(outbound->settings.fields, fields[i]);
        if (longer == NULL)
            return false;
        outbound->settings.fields = longer;
    }
    return true;
}

static bool set_up_targets(struct outbound *outbound, const struct outbound_config *config, struct arena *arena)
{
    for (uint32_t i = 0; i < config->target_count; i++) {
        struct outbound_address address;
        limen_str url = config->targets[i].url;
        if (!outbound_parse_url(url, arena, &address)) {
            LOG_ERROR("a target is no https URL", log_str("url", url));
            return false;
        }
        outbound->transfers[i].url = arena_copy(arena, url).ptr;
        outbound->transfers[i].may_be_private = config->targets[i].may_be_private;
        if (outbound->transfers[i].url == NULL)
            return false;
    }
    outbound->target_count = config->target_count;
    return true;
}

struct outbound *outbound_new(struct loop *loop, const struct outbound_config *config, struct arena *arena)
{
    struct outbound *outbound = calloc(1, sizeof(*outbound));
    if (outbound == NULL)
        return NULL;
    outbound->loop = loop;
    outbound->fd = -1;
    outbound->effect_config = config->effects;
    outbound->settings.authorities = (struct curl_blob){ (void *)(uintptr_t)config->authorities.ptr,
                                                         config->authorities.len, CURL_BLOB_NOCOPY };
    bool ok = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK
        && multi_init(&outbound->multi, loop, on_ended, outbound);
    if (ok && set_up_fields(outbound) && set_up_targets(outbound, config, arena))
        return outbound;
    outbound_free(outbound);
    return NULL;
}

void outbound_free(struct outbound *outbound)
{
    if (outbound == NULL)
        return;
    detach(outbound);
    multi_release(&outbound->multi);
    curl_slist_free_all(outbound->settings.fields);
    curl_global_cleanup();
    free(outbound);
}

/* ---- the sandbox -------------------------------------------------------------------------------------------------------- */

/* Found by tracing fetches: of libcurl, and of the C library's resolver, which sorts addresses by connecting to them without sending. */
static const int numbers[] = {
    SYS_connect, SYS_getsockname, SYS_getpeername, SYS_setsockopt, SYS_getsockopt, SYS_recvfrom,
    SYS_ppoll,   SYSCALL_POLL,    SYS_newfstatat,  SYS_lseek,      SYS_uname,
};
static const struct syscall_rule rules[] = {
    SYSCALL_WHEN(SYS_socket, /* domain */ 0, AF_INET),
    SYSCALL_WHEN(SYS_socket, /* domain */ 0, AF_INET6),
    SYSCALL_WHEN(SYS_socketpair, /* domain */ 0, AF_UNIX),
    SYSCALL_UNLESS(SYS_openat, /* flags */ 2, O_ACCMODE | O_CREAT | O_TRUNC),
    SYSCALL_UNLESS(SYS_sendto, /* flags */ 3, ~(unsigned)(MSG_NOSIGNAL | MSG_DONTWAIT)),
    SYSCALL_UNLESS(SYS_sendmmsg, /* flags */ 3, ~(unsigned)MSG_NOSIGNAL),
    SYSCALL_WHEN(SYS_ioctl, /* operation */ 1, FIONREAD),
    SYSCALL_WHEN(SYS_fcntl, /* operation */ 1, F_GETFL),
    SYSCALL_WHEN(SYS_fcntl, /* operation */ 1, F_SETFL),
    SYSCALL_WHEN(SYS_fcntl, /* operation */ 1, F_SETFD),
};
const struct syscall_list outbound_syscalls = {
    .numbers = numbers,
    .count = sizeof(numbers) / sizeof(numbers[0]),
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
};

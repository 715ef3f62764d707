/* captured.c - the worker's handlers, when whoever sent it bytes has full control of it: what would they try?
 *
 * Everything in the worker's memory is theirs, so this looks into the library's own structures. Each exchange of frames says to the data role what no honest worker says. */
#define _GNU_SOURCE
#include "api.h"
#include "queries.h"

#include "app/call.h"
#include "core/loop.h"
#include "data/wire.h"
#include "server/control.h"

#include "attempts.h"

#include <time.h>

/* Calls by numbers of other machines: the filter knows ours only, and ends whoever speaks another's. */
static void call_as_i386(void)
{
#if defined(__x86_64__)
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory"); /* getpid */
#endif
}

limen_reply attempt(limen_call *call, const attempt_in *in)
{
    struct target target = attempt_target((pid_t)in->query.pid, (uint16_t)in->query.port);
    char name[64];
    snprintf(name, sizeof(name), "%.*s", LIMEN_STR_ARG(in->query.name));
    if (strcmp(name, "call_as_i386") == 0)
        call_as_i386();
    if (strcmp(name, "call_as_x32") == 0)
        (void)syscall(0x40000000L | SYS_getpid);
    const char *outcome = attempt_run(name, &target);
    said it = { .said = limen_printf(call, "%s", outcome == NULL ? "no such attempt" : outcome) };
    return attempt_200(call, &it);
}

/* ---- frames that no honest worker writes ------------------------------------------------------------------------------- */

/* The statements' numbers: their order in queries.sql. */
enum { MY_NOTES, ADD_NOTE, ALL_NOTES, INSERT_SALE, MARK_SOLD, MARK_UNSOLD, MARK_RETURNED, SALE_STATE };
#define SLOT 4000           /* that no call of the worker has reached */
#define SLOT_OF_NOBODY 4001 /* where no credential is ever shown */
#define NO_ANSWER_US 2000000

struct line {
    int fd; /* to the data role: every structure of the worker is at hand */
    uint32_t slot;
    char bytes[65536];
    size_t len;
    uint16_t operation;
    uint32_t sequence;
    uint32_t rows;
};

static int data_fd(limen_call *call)
{
    return ((const struct loop_source *)call->app->boundary->data)->fd;
}

/* The outcome of what was sent, or a word for its lack. Rows are counted on the way. */
static const char *hear(struct line *line)
{
    static const char *const outcomes[] = { "ok",        "none", "taken",   "refused", "replay", "key reused",
                                            "forbidden", "busy", "timeout", "unknown", "gone",   "error" };
    for (int waited_us = 0; waited_us < NO_ANSWER_US; waited_us += 1000) {
        struct wire_frame frame;
        size_t taken = wire_take((limen_str){ line->bytes, line->len }, &frame);
        if (taken > 0 && taken != SIZE_MAX) {
            uint8_t outcome = frame.payload.len > 0 ? (uint8_t)frame.payload.ptr[0] : 0;
            struct wire_reader reader = { frame.payload.ptr, frame.payload.ptr + frame.payload.len, false };
            if (frame.type == WIRE_ROWS)
                line->rows += wire_get_u32(&reader);
            memmove(line->bytes, line->bytes + taken, line->len - taken);
            line->len -= taken;
            waited_us = 0;
            if (frame.type == WIRE_DONE)
                return outcome < 12 ? outcomes[outcome] : "?";
            continue;
        }
        ssize_t got = recv(line->fd, line->bytes + line->len, sizeof(line->bytes) - line->len, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return "cut off";
        if (got < 0)
            usleep(1000);
        else
            line->len += (size_t)got;
    }
    return "no answer";
}

static const char *say(struct line *line, int type, const char *payload, size_t bytes)
{
    char memory[8192];
    struct buf out;
    buf_init_fixed(&out, memory, sizeof(memory));
    size_t begin = wire_begin(&out, (enum wire_type)type, line->operation, line->slot, ++line->sequence);
    wire_put_bytes(&out, payload, bytes);
    wire_end(&out, begin);
    return send(line->fd, out.ptr, out.len, MSG_NOSIGNAL) == (ssize_t)out.len ? hear(line) : "cut off";
}

/* A CALL; `values` go along whatever the statement wants. */
static const char *say_call(struct line *line, uint16_t statement, const limen_value *values, size_t count)
{
    char memory[4096];
    struct buf out;
    buf_init_fixed(&out, memory, sizeof(memory));
    wire_put_u32(&out, 1000000);
    wire_put_u16(&out, statement);
    wire_put_values(&out, values, count);
    return say(line, WIRE_CALL, out.ptr, out.len);
}

static const char *say_batch(struct line *line, uint16_t statement, const limen_value *values, size_t count)
{
    char memory[4096];
    struct buf out;
    buf_init_fixed(&out, memory, sizeof(memory));
    wire_put_u32(&out, 1000000);
    wire_put_u8(&out, 0);
    wire_put_u32(&out, 1);
    wire_put_u16(&out, statement);
    wire_put_values(&out, values, count);
    return say(line, WIRE_BATCH, out.ptr, out.len);
}

static const char *show(struct line *line, limen_str token)
{
    char memory[4096];
    struct buf out;
    buf_init_fixed(&out, memory, sizeof(memory));
    wire_put_u32(&out, 1000000);
    wire_put_u32(&out, /* scheme= */ 0);
    wire_put_u8(&out, /* is_more= */ 0);
    wire_put_str(&out, token);
    return say(line, WIRE_SHOW, out.ptr, out.len);
}

/* What the data role alone may say: who somebody is. */
static const char *claim_to_be_admin(struct line *line)
{
    char memory[4096];
    struct buf out;
    buf_init_fixed(&out, memory, sizeof(memory));
    wire_put_u8(&out, DATA_OK);
    wire_put_u8(&out, WIRE_PART_PRINCIPAL);
    wire_put_str(&out, LIMEN_STR("acc_admin"));
    wire_put_str(&out, LIMEN_STR("admin@captured.example"));
    wire_put_u32(&out, UINT32_MAX);
    return say(line, WIRE_DONE, out.ptr, out.len);
}

static uint16_t operation_of(limen_call *call, const char *id)
{
    const struct contract *contract = call->app->boundary->contract;
    for (uint32_t i = 0; i < contract->operation_count; i++) {
        if (limen_str_equal(contract->operations[i].id, str_of(id)))
            return (uint16_t)i;
    }
    return 0;
}

/* ---- messages to the supervisor ------------------------------------------------------------------------------------------ */

/* Descriptors that it has not asked for: two behind each message, and some of no message at all. */
static const char *send_descriptors(void)
{
    union {
        char bytes[CMSG_SPACE(2 * sizeof(int))];
        struct cmsghdr align;
    } room = { { 0 } };
    const int both[] = { CONTROL, LISTENER };
    struct control_message message = { .type = 99 };
    struct iovec part = { &message, sizeof(message) };
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = sizeof(room.bytes)
    };
    struct cmsghdr *control = CMSG_FIRSTHDR(&header);
    *control = (struct cmsghdr){ CMSG_LEN(sizeof(both)), SOL_SOCKET, SCM_RIGHTS };
    memcpy(CMSG_DATA(control), both, sizeof(both));
    for (int i = 0; i < 100; i++) {
        if (sendmsg(CONTROL, &header, MSG_NOSIGNAL) < 0)
            return "refused";
        usleep(1000);
    }
    part.iov_len = 1;
    return sendmsg(CONTROL, &header, MSG_NOSIGNAL) < 0 ? "refused" : "sent";
}

/* For a second, that its socket to the data role is lost, each time that it was given another. */
static const char *complain(void)
{
    static char said[40];
    struct control_message message = { CONTROL_LOST, 1 }, answer;
    struct timespec now, begin;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        (void)send(CONTROL, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT);
        while (recv(CONTROL, &answer, sizeof(answer), MSG_DONTWAIT) > 0)
            message.number++;
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec == begin.tv_sec || (now.tv_sec == begin.tv_sec + 1 && now.tv_nsec < begin.tv_nsec));
    snprintf(said, sizeof(said), "%u sockets", message.number - 1);
    return said;
}

/* ---- memory that the roles share ------------------------------------------------------------------------------------------ */

/* All of it can be written, also what stands in front of the rows. */
static const char *overwrite_board(limen_call *call)
{
    char *rows = (char *)call->app->boundary->board; /* of the first worker */
    struct board *board = (struct board *)(void *)(rows - offsetof(struct board, rows));
    memset(board, 0xff, offsetof(struct board, rows));
    board->is_leaving = board->database_away = 0;
    return "written";
}

static const char *exchange_frames(limen_call *call, struct line *line, limen_str name, limen_str token)
{
    const limen_value owner = { .type = LIMEN_TYPE_TEXT, .as.text = LIMEN_STR("acc_admin") };
    const limen_value two[] = { owner, owner };
#define IS(text) limen_str_equal(name, LIMEN_STR(text))
    if (token.len > 0 && strcmp(show(line, token), "ok") != 0 && !IS("forged token"))
        return "the session was not known";
    if (IS("descriptors to the supervisor"))
        return send_descriptors();
    if (IS("complaints to the supervisor"))
        return complain();
    if (IS("overwrite the board"))
        return overwrite_board(call);
    if (IS("rows of nobody"))
        line->slot = SLOT_OF_NOBODY;
    if (IS("rows of whose credential was shown") || IS("rows of nobody"))
        return say_call(line, MY_NOTES, NULL, 0);
    if (IS("forged token")) {
        const char *shown = show(line, LIMEN_STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
        return strcmp(shown, "none") == 0 ? say_call(line, MY_NOTES, NULL, 0) : "a forged token was known";
    }
    if (IS("all rows, as a customer")) {
        line->operation = operation_of(call, "all"); /* one that demands the role */
        return say_call(line, ALL_NOTES, NULL, 0);
    }
    if (IS("claim to be admin"))
        return claim_to_be_admin(line);
    if (IS("name the owner"))
        return say_call(line, MY_NOTES, &owner, 1);
    if (IS("write for another"))
        return say_batch(line, ADD_NOTE, two, 2);
    if (IS("write for nobody"))
        return say_batch(line, ADD_NOTE, &owner, 1);
    if (IS("undeclared statement"))
        return say_call(line, 999, NULL, 0);
    if (IS("a write where a read belongs"))
        return say_call(line, ADD_NOTE, &owner, 1);
    if (IS("SQL"))
        return say(line, WIRE_CALL, "SELECT * FROM limen_credentials", 31);
    return "no such exchange";
}

limen_reply frames(limen_call *call, const frames_in *in)
{
    struct line *line = limen_alloc(call, sizeof(*line));
    *line = (struct line){ .fd = data_fd(call), .slot = SLOT, .operation = operation_of(call, "frames") };
    limen_str token = in->query.has_token ? in->query.token : LIMEN_STR("");
    const char *outcome = exchange_frames(call, line, in->query.name, token);
    said it = { .said = limen_printf(call, "%s, %u rows", outcome, line->rows) };
    return frames_200(call, &it);
}

/* ---- a worker that holds the result of an effect ------------------------------------------------------------------------ */

static char said_in_job[200]; /* what the last job's attempts came to */

static const char *mark(struct line *line, uint16_t statement, limen_str sale_id)
{
    const limen_value value = { .type = LIMEN_TYPE_TEXT, .as.text = sale_id };
    return say_batch(line, statement, &value, 1);
}

static const char *read_sale(struct line *line, limen_str sale_id)
{
    const limen_value value = { .type = LIMEN_TYPE_TEXT, .as.text = sale_id };
    return say_call(line, SALE_STATE, &value, 1);
}

/* The sale was declined: it tries what the app does with other results, and with this one to another sale. */
void sell_result(limen_call *call, limen_str sale_id, const limen_effect_result *result)
{
    const limen_str another = LIMEN_STR("another");
    my_notes_row *none;
    struct line *line = limen_alloc(call, sizeof(*line));
    (void)my_notes(call, &none); /* by now the data role knows that this slot runs the job */
    *line = (struct line){ .fd = data_fd(call), .slot = call->admission.request.slot };
    const char *own = read_sale(line, sale_id), *others = read_sale(line, another),
               *sold = mark(line, MARK_SOLD, sale_id);
    const char *returned = mark(line, MARK_RETURNED, sale_id), *unsold = mark(line, MARK_UNSOLD, another);
    const char *all = say_call(line, ALL_NOTES, NULL, 0);
    line->slot = SLOT_OF_NOBODY;
    const char *elsewhere = read_sale(line, sale_id);
    snprintf(said_in_job, sizeof(said_in_job),
             "own %s, another's %s; sold %s, returned %s, another unsold %s, all notes %s; elsewhere %s", own, others,
             sold, returned, unsold, all, elsewhere);
    if (result->outcome == LIMEN_EFFECT_SUCCEEDED)
        mark_sold(call, sale_id);
    else
        mark_unsold(call, sale_id);
}

void take_back_result(limen_call *call, limen_str sale_id, const limen_effect_result *result)
{
    (void)result;
    mark_returned(call, sale_id);
}

limen_reply said_in_last_job(limen_call *call, const said_in_last_job_in *in)
{
    (void)in;
    said it = { .said = limen_printf(call, "%s", said_in_job) };
    return said_in_last_job_200(call, &it);
}

limen_reply place_sale(limen_call *call, const place_sale_in *in)
{
    insert_sale(call, in->query.id, in->query.method);
    if (in->query.is_charged)
        sell(call, in->query.id);
    said it = { .said = in->query.id };
    return place_sale_201(call, &it);
}

/* ---- what the honest part of the app does ------------------------------------------------------------------------------ */

limen_reply sign_up(limen_call *call, const sign_up_in *in)
{
    limen_str id;
    if (!limen_sign_up(call, in->body.email, in->body.password, &id))
        return sign_up_409(call, "taken");
    add_note(call, in->body.note);
    said it = { .said = id };
    return sign_up_201(call, &it);
}

limen_reply all(limen_call *call, const all_in *in)
{
    all_notes_row *rows;
    (void)in;
    said it = { .said = limen_printf(call, "%zu rows", all_notes(call, &rows)) };
    return all_200(call, &it);
}

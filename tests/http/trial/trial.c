/* trial.c - handlers that go wrong, each in its own way, for tests that the server does not. */
#define _GNU_SOURCE
#include "api.h"
#include "queries.h"

#include <stdio.h>
#include <stdlib.h>

limen_reply well(limen_call *call, const well_in *in)
{
    (void)in;
    count_notes_row row;
    answer it = { .number = count_notes(call, &row) ? row.number : 0 };
    return well_200(call, &it);
}

limen_reply spin(limen_call *call, const spin_in *in)
{
    (void)in;
    for (volatile unsigned i = 0;; i++)
        ;
    return spin_204(call);
}

/* Leaves a trace outside the call's memory: a line on standard error. */
static void undo(void *context)
{
    fprintf(stderr, "undone: %s\n", (const char *)context);
}

limen_reply slow(limen_call *call, const slow_in *in)
{
    (void)in;
    static char first[] = "first", second[] = "second";
    limen_defer(call, undo, first);
    limen_defer(call, undo, second);
    count_for_ever_row row;
    answer it = { .number = count_for_ever(call, &row) ? row.number : 0 };
    limen_log(call, "this is never reached");
    return slow_200(call, &it);
}

limen_reply crash(limen_call *call, const crash_in *in)
{
    (void)call;
    (void)in;
    abort();
}

static int64_t deep(volatile int64_t n)
{
    volatile char room[1024];
    room[n % 1024] = 1;
    return n == 0 ? room[0] : deep(n - 1) + room[n % 1024];
}

limen_reply overflow(limen_call *call, const overflow_in *in)
{
    (void)in;
    answer it = { .number = deep(1000) };
    return overflow_200(call, &it);
}

limen_reply greedy(limen_call *call, const greedy_in *in)
{
    (void)in;
    for (;;)
        (void)limen_alloc(call, 1 << 20);
}

limen_reply silent(limen_call *call, const silent_in *in)
{
    (void)call;
    (void)in;
    return (limen_reply){ 0 };
}

limen_reply astray(limen_call *call, const astray_in *in)
{
    (void)in;
    answer it = { .number = 1, .has_colour = true, .colour = 77 };
    return astray_200(call, &it);
}

limen_reply late_read(limen_call *call, const late_read_in *in)
{
    (void)in;
    count_notes_row row;
    add_note(call, LIMEN_STR("late"));
    answer it = { .number = count_notes(call, &row) ? row.number : 0 };
    return late_read_200(call, &it);
}

/* Counts what it has just written, twice, and ends as it is told. */
limen_reply interactive(limen_call *call, const interactive_in *in)
{
    count_notes_row before, after;
    add_note(call, LIMEN_STR("one"));
    if (!count_notes(call, &before))
        return interactive_404(call, "nothing to count");
    make_note_row *made = make_note(call, LIMEN_STR("two"));
    if (!count_notes(call, &after) || after.number != before.number + 1 || made->id == 0)
        return interactive_404(call, "what was written was not seen");
    switch (in->query.end) {
    case INTERACTIVE_IN_QUERY_END_REFUSED:
        return interactive_409(call, "not today");
    case INTERACTIVE_IN_QUERY_END_MUST:
        change_note(call, 12345);
        break;
    case INTERACTIVE_IN_QUERY_END_LATE: /* past the lease, far from the heartbeat */
        usleep(200000);
        break;
    default:
        break;
    }
    answer it = { .number = after.number };
    return interactive_200(call, &it);
}

limen_reply refused(limen_call *call, const refused_in *in)
{
    (void)in;
    add_note(call, LIMEN_STR("refused"));
    return refused_409(call, "not today");
}

limen_reply must(limen_call *call, const must_in *in)
{
    (void)in;
    add_note(call, LIMEN_STR("must"));
    change_note(call, 12345);
    return must_204(call);
}

limen_reply made(limen_call *call, const made_in *in)
{
    (void)in;
    make_note_row *row = make_note(call, LIMEN_STR("made"));
    limen_commit(call);
    answer it = { .number = row->id };
    return made_201(call, &it);
}

/* Sends back what came, with every card's digits hidden and every transfer a day later. */
static payment changed(const payment *from)
{
    payment it = *from;
    switch (it.kind) {
    case PAYMENT_CARD:
        it.as.card.digits = LIMEN_STR("####");
        break;
    case PAYMENT_BANK_TRANSFER:
        it.as.bank_transfer.days++;
        break;
    }
    return it;
}

limen_reply pay(limen_call *call, const pay_in *in)
{
    payments it = in->body;
    it.first = changed(&in->body.first);
    it.more.items = LIMEN_NEW_ARRAY(call, payment, it.more.count);
    for (size_t i = 0; i < it.more.count; i++)
        it.more.items[i] = changed(&in->body.more.items[i]);
    return pay_200(call, &it);
}

limen_reply slice(limen_call *call, const slice_in *in)
{
    sliced it = { .any = LIMEN_STR("{\"a\":true}"), .pin = 1234 };
    if (in->query.with == SLICE_IN_QUERY_WITH_UNDECLARED)
        it.any = LIMEN_STR("{\"a\":true,\"hash\":\"secret\"}");
    else if (in->query.with == SLICE_IN_QUERY_WITH_BROKEN)
        it.any = LIMEN_STR("true,\"hash\":\"secret\"");
    add_note(call, LIMEN_STR("slice"));
    return slice_200(call, &it);
}

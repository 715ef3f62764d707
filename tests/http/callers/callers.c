/* callers.c - every operation tells who has called it, as far as it knows. */
#include "api.h"
#include "queries.h"

#include <unistd.h>

static caller describe(limen_call *call)
{
    const limen_principal *who = limen_caller(call);
    return (caller){ .id = who->id, .roles = { .items = (limen_str *)who->roles, .count = who->role_count } };
}

#define TELLS(operation)                                              \
    limen_reply operation(limen_call *call, const operation##_in *in) \
    {                                                                 \
        caller it = describe(call);                                   \
        (void)in;                                                     \
        return operation##_200(call, &it);                            \
    }
TELLS(by_anybody)
TELLS(by_session)
TELLS(by_customer)
TELLS(by_admin)
TELLS(by_token)
TELLS(by_writer)
TELLS(by_partner)
TELLS(by_key)
TELLS(by_robot)
TELLS(by_either)
TELLS(by_both)
TELLS(by_both_or)

limen_reply sign_up(limen_call *call, const sign_up_in *in)
{
    limen_str id;
    if (!limen_sign_up(call, in->body.email, in->body.password, &id))
        return sign_up_409(call, "taken");
    caller it = describe(call);
    return sign_up_201(call, &it);
}

limen_reply sign_in(limen_call *call, const sign_in_in *in)
{
    if (!limen_sign_in(call, in->body.email, in->body.password))
        return sign_in_401(call, "no");
    caller it = describe(call);
    return sign_in_201(call, &it);
}

limen_reply count_notes(limen_call *call, const count_notes_in *in)
{
    my_notes_row row;
    (void)in;
    count it = { .number = my_notes(call, &row) ? row.number : 0 };
    return count_notes_200(call, &it);
}

/* Becomes another on the way: with a transaction open, or with time for the data role to die before the note is written. */
limen_reply note_and_sign_in(limen_call *call, const note_and_sign_in_in *in)
{
    my_notes_row row;
    bool is_note_first = in->query.first == NOTE_AND_SIGN_IN_IN_QUERY_FIRST_NOTE;
    if (is_note_first) {
        insert_note(call, LIMEN_STR("before"));
        (void)my_notes(call, &row);
    }
    if (!limen_sign_in(call, in->body.email, in->body.password))
        return note_and_sign_in_401(call, "no");
    if (!is_note_first) {
        usleep(1000000);
        insert_note(call, LIMEN_STR("after"));
    }
    caller it = describe(call);
    return note_and_sign_in_201(call, &it);
}

limen_reply add_note(limen_call *call, const add_note_in *in)
{
    my_notes_row row;
    count it = { .number = (my_notes(call, &row) ? row.number : 0) + 1 };
    insert_note(call, in->body.text);
    return add_note_201(call, &it);
}

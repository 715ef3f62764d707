/* accounts.c - signing up, in and out, and who is signed in. The shop keeps a name; credentials are Limen's own. */
#include "shop.h"

static principal principal_of(limen_call *call, limen_str name)
{
    const limen_principal *caller = limen_caller(call);
    principal value = { .id = caller->id, .email = caller->email, .name = name };
    value.roles.items = LIMEN_NEW_ARRAY(call, limen_str, caller->role_count);
    value.roles.count = caller->role_count;
    for (size_t i = 0; i < caller->role_count; i++)
        value.roles.items[i] = caller->roles[i];
    return value;
}

limen_reply create_account(limen_call *call, const create_account_in *in)
{
    limen_str id;
    if (!limen_sign_up(call, in->body.email, in->body.password, &id))
        return create_account_409(call, "this email has an account already");
    insert_account(call, in->body.name);
    principal value = principal_of(call, in->body.name);
    return create_account_201(call, &value);
}

limen_reply create_session(limen_call *call, const create_session_in *in)
{
    my_account_row account;
    if (!limen_sign_in(call, in->body.email, in->body.password) || !my_account(call, &account))
        return create_session_401(call, "no account has this email and this password");
    principal value = principal_of(call, account.name);
    return create_session_201(call, &value);
}

limen_reply delete_current_session(limen_call *call, const delete_current_session_in *in)
{
    (void)in;
    limen_sign_out(call);
    return delete_current_session_204(call);
}

limen_reply get_me(limen_call *call, const get_me_in *in)
{
    my_account_row account = { 0 };
    (void)in;
    if (!my_account(call, &account))
        account.name = LIMEN_STR("");
    principal value = principal_of(call, account.name);
    return get_me_200(call, &value);
}

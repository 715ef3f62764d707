/* exchange.c - one request and its reply, as the layers above see them.
 *
 * Nothing here writes to the socket or closes it: a reply is put into the output, and the connection goes on when the
 * caller has returned. So a hook may reply from wherever it is called. */
#include "edge/internal.h"

#include "core/log.h"

const struct http_request *exchange_request(const struct exchange *exchange)
{
    return &exchange->request;
}

const struct edge_address *exchange_peer(const struct exchange *exchange)
{
    return exchange->peer;
}

void exchange_set_user(struct exchange *exchange, void *user)
{
    exchange->user = user;
}

void *exchange_user(const struct exchange *exchange)
{
    return exchange->user;
}

/* Reads over what is here of a body that was not read to its end, and notes how much is still to come. False: the rest
 * cannot be read over, so that the connection cannot serve another request. */
static bool skip_body(struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    struct connection *connection = exchange->connection;
    if (request->framing == FRAMING_NONE || exchange->body_done)
        return true;
    if (request->framing == FRAMING_CHUNKED || exchange->must_close)
        return false;
    /* In the arena: what was received of it. Else nothing was taken from the block yet. */
    uint64_t left = request->content_length - exchange->body_bytes;
    uint64_t here = connection->in_end - connection->in_start;
    if (here > left)
        here = left;
    connection->in_start += (uint32_t)here;
    connection->discard_left = left - here;
    /* A client that waits for 100 Continue may send the body or not: nobody can tell what its next bytes are. */
    return left == here || (left - here <= LIMIT_DRAIN_BYTES && !request->expects_continue);
}

void exchange_reply(struct exchange *exchange, const struct http_reply *reply)
{
    struct connection *connection = exchange->connection;
    const struct http_request *request = &exchange->request;
    if (connection == NULL || connection->exchange != exchange)
        BUG("an exchange is replied to twice");
    bool serves_on = skip_body(exchange) && !reply->close && !connection->edge->is_draining;
    struct reply_frame frame = { .is_head = request->method == METHOD_HEAD,
                                 .close = !serves_on || !request->keep_alive,
                                 .says_keep_alive = request->minor_version == 0 };
    reply_write(connection, reply, frame);
    connection->is_last = frame.close;
    /* A client that asked for the close sends nothing that could reset the connection, but for a body on its way. */
    connection->lingers = !serves_on || connection->discard_left > 0;
    connection->exchange = NULL;
    block_put(connection->edge, exchange->held);
    exchange_put(connection->edge, exchange);
    connection_wake(connection);
}

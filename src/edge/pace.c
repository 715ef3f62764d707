/* pace.c - who is too slow, and who goes first when there is no room.
 *
 * A client that takes its time is served as long as that costs nobody else: it keeps the least rate, and memory and descriptors are
 * there. When they are not, whoever has kept them longest makes room; an honest client that is hit connects again. */
#include "edge/internal.h"

bool pace_is_kept(const struct connection *connection, int64_t period_us)
{
    return connection->moved >= (uint64_t)period_us * connection->edge->options.least_rate / 1000000 + 1;
}

/* Either begun heads or unsent replies have used the blocks up: that kind goes which holds more. */
static struct connection *slowest(const struct edge *edge)
{
    bool heads_hold_more = edge->head_count > edge->lent_blocks / 2;
    struct connection *head = connection_oldest(edge, CONNECTION_HEAD);
    struct connection *reader = connection_oldest(edge, CONNECTION_WRITING);
    if (head == NULL || reader == NULL)
        return head != NULL ? head : reader;
    return heads_hold_more ? head : reader;
}

void pace_make_room(struct edge *edge)
{
    while (edge_buffer_bytes(edge) > edge->options.max_buffer_bytes) {
        struct connection *connection = slowest(edge);
        if (connection == NULL)
            return; /* all are lent to exchanges, whose number has a ceiling of its own */
        connection_close(connection);
    }
}

bool pace_close_idle(struct edge *edge)
{
    struct connection *connection = connection_oldest(edge, CONNECTION_IDLE);
    if (connection == NULL)
        connection = connection_oldest(edge, CONNECTION_HEAD);
    if (connection == NULL || connection == edge->connections)
        return false;
    connection_close(connection);
    return true;
}

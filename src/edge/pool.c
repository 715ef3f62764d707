/* pool.c - blocks, exchanges and connections that are lent and taken back.
 *
 * Stacks of one thread: what was used last is lent next. Under AddressSanitizer nothing is kept, so that a use after the
 * end is seen. */
#include "core/arena.h"
#include "edge/internal.h"

#include <stdlib.h>

/* Is there room for one more among those that wait to be lent again? */
static bool is_kept(size_t count, size_t ceiling)
{
    return !ARENA_IS_POISONED && count < ceiling;
}

/* What is lent for one request, with the first two blocks of its call's arena. */
_Static_assert(sizeof(struct block) + sizeof(struct exchange) + (size_t)2 * LIMIT_ARENA_BLOCK_BYTES
                   <= LIMIT_CALL_BASE_BYTES,
               "LIMIT_CALL_BASE_BYTES is less than what a call takes");

struct block *block_take(struct edge *edge)
{
    struct block *block = edge->free_blocks;
    if (block != NULL) {
        edge->free_blocks = block->next;
        edge->free_block_count--;
    } else {
        block = malloc(sizeof *block);
        if (block == NULL)
            return NULL;
    }
    edge->lent_blocks++;
    block->next = NULL;
    block->tail = NULL;
    block->tail_bytes = block->bytes = block->sent = 0;
    return block;
}

void block_put(struct edge *edge, struct block *block)
{
    if (block == NULL)
        return;
    edge->lent_blocks--;
    if (!is_kept(edge->free_block_count, LIMIT_EDGE_POOLED_BLOCKS)) {
        free(block);
        return;
    }
    block->next = edge->free_blocks;
    edge->free_blocks = block;
    edge->free_block_count++;
}

struct exchange *exchange_take(struct edge *edge)
{
    struct exchange *exchange = edge->free_exchanges;
    if (exchange == NULL)
        return malloc(sizeof *exchange);
    edge->free_exchanges = exchange->next_free;
    edge->free_exchange_count--;
    return exchange;
}

void exchange_put(struct edge *edge, struct exchange *exchange)
{
    if (exchange == NULL)
        return;
    if (!is_kept(edge->free_exchange_count, LIMIT_FIBERS_PER_WORKER)) {
        free(exchange);
        return;
    }
    exchange->connection = NULL;
    exchange->next_free = edge->free_exchanges;
    edge->free_exchanges = exchange;
    edge->free_exchange_count++;
}

struct connection *connection_take(struct edge *edge)
{
    struct connection *connection = edge->free_connections;
    if (connection == NULL)
        return calloc(1, sizeof *connection);
    edge->free_connections = connection->next;
    edge->free_connection_count--;
    *connection = (struct connection){ .edge = NULL };
    return connection;
}

void connection_put(struct edge *edge, struct connection *connection)
{
    if (!is_kept(edge->free_connection_count, LIMIT_CONNECTIONS_PER_WORKER)) {
        free(connection);
        return;
    }
    connection->next = edge->free_connections;
    edge->free_connections = connection;
    edge->free_connection_count++;
}

void pools_release(struct edge *edge)
{
    for (struct block *next, *block = edge->free_blocks; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    for (struct exchange *next, *exchange = edge->free_exchanges; exchange != NULL; exchange = next) {
        next = exchange->next_free;
        free(exchange);
    }
    for (struct connection *next, *connection = edge->free_connections; connection != NULL; connection = next) {
        next = connection->next;
        free(connection);
    }
    edge->free_blocks = NULL;
    edge->free_exchanges = NULL;
    edge->free_connections = NULL;
}

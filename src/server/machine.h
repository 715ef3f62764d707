/* machine.h - what of the machine this process may use. */
#ifndef SERVER_MACHINE_H
#define SERVER_MACHINE_H

#include "limen/base.h"

struct contract;
struct diags;

/* Cores that this process may use: affinity and the cgroup's quota counted; at least 1. */
uint32_t machine_cores(void);
/* Bytes of memory that this process may use: the machine's, or what its cgroup is given where that is less; 0 when nobody tells. */
size_t machine_memory(void);
/* Lets this process and its children open as many files as the hard limit allows: a connection is one. */
void machine_raise_descriptors(void);

/* How the memory of one worker is used: so many stacks, so much for what connections hold, and the rest is for calls to reserve. */
struct memory_split {
    uint32_t fibers;
    size_t buffer_bytes, calls_bytes;
};
struct memory_split memory_split(size_t worker_bytes);
/* The memory of one of `workers` where no setting tells. */
size_t memory_default(uint32_t workers);
/* Names each operation that a worker of this memory (0: the default, which is enough for any) could not admit even if it had nothing else to
 * do. */
void memory_check(const struct contract *contract, size_t worker_bytes, struct diags *errors);

#endif

/* limits.h - every ceiling of Limen, by name, in one place. What happens at a ceiling stands beside it. */
#ifndef CORE_LIMITS_H
#define CORE_LIMITS_H

/* ---- memory ---------------------------------------------------------------------------------------------------- */
#define LIMIT_ARENA_BLOCK_BYTES (16U * 1024)      /* a larger piece gets a block of its own */
#define LIMIT_ARENA_POOLED_BLOCKS 1024U           /* more are given back to malloc */
#define LIMIT_CALL_ARENA_BYTES (8U * 1024 * 1024) /* past it the call is abandoned: 503 */
#define LIMIT_FIBER_STACK_BYTES (64U * 1024)      /* plus a guard page; overflow is a crash, never corruption */
#define LIMIT_FIBERS_PER_WORKER 4096U             /* past it: 503 with Retry-After */
#define LIMIT_CALL_BASE_BYTES \
    (64U * 1024) /* a call with an empty request and reply, reserved for each; static asserts */
#define LIMIT_MEMORY_SHARE \
    8U /* a new call may reserve an eighth of what is left of a worker's memory; past it: 503 with Retry-After */
#define LIMIT_BUFFERS_SHARE \
    4U /* a quarter is for what connections have begun to send and not yet read: the slowest goes first */
#define LIMIT_STACKS_SHARE 4U /* a quarter of a worker's memory is for stacks: the number of fibers follows */
#define LIMIT_WORKER_MEMORY_LEAST (16U * 1024 * 1024) /* what --worker-memory may ask for; less is refused at start */
#define LIMIT_WORKER_MEMORY_DEFAULT (128U * 1024 * 1024) /* the default where a half of the machine's is less */
#define LIMIT_WORKER_BASE_BYTES \
    (64U * 1024 * 1024)                        /* of a worker beside --worker-memory: program, tables, pools, pipes */
#define LIMIT_MALLOC_MAPPED_BYTES (128 * 1024) /* a piece this large is mapped, and unmapped when it is freed */

/* ---- HTTP/1.1 -------------------------------------------------------------------------------------------------- */
#define LIMIT_REQUEST_LINE_BYTES (8U * 1024) /* 414 */
#define LIMIT_HEAD_BYTES (16U * 1024)        /* request line and fields together: 431 */
#define LIMIT_HEADER_FIELDS 100U             /* 431 */
#define LIMIT_BODY_BYTES \
    (1U * 1024           \
     * 1024) /* of a body whose operation names no ceiling: 413; twice the largest valid body when that is less */
#define LIMIT_BODY_SMALL_BYTES (4U * 1024)        /* … but not less than this */
#define LIMIT_BODY_UNBOUNDED_BYTES (128U * 1024)  /* … and this where the schema is inside itself */
#define LIMIT_BODY_WASTE 8U                       /* x-max-body past so many times the largest valid body: a warning */
#define LIMIT_BODY_BYTES_MOST (4U * 1024 * 1024)  /* what x-max-body may ask for; the contract is refused */
#define LIMIT_CHUNK_EXTENSION_BYTES 256U          /* of one chunk: 400 */
#define LIMIT_CHUNKED_OVERHEAD_BYTES (16U * 1024) /* of one body: sizes, extensions, trailers: 400 */
#define LIMIT_PIPELINE_DEPTH 64U                  /* more requests wait in the socket */
#define LIMIT_REPLY_BUFFER_BYTES (256U * 1024) /* unsent bytes of a connection; past it no further request is served */
#define LIMIT_UNSENT_BYTES \
    (128 * 1024) /* of them in the kernel and not yet on their way; past it the socket takes nothing more */
#define LIMIT_CONNECTIONS_PER_WORKER \
    20000U /* past it the one that is idle longest makes room; when none is, new ones wait */
#define LIMIT_CONNECTIONS_PER_ADDRESS 256U /* per worker, where no setting tells; past it a new one is closed at once */
#define LIMIT_ACCEPTS_PER_WAKE 10U
#define LIMIT_DRAIN_BYTES (64U * 1024)  /* of an unread body, after a refusal; past it linger and close */
#define LIMIT_TIMEOUT_HEAD_US 10000000  /* from the first byte of a head to its end: 408 */
#define LIMIT_TIMEOUT_BODY_US 30000000  /* whole body: 408 */
#define LIMIT_TIMEOUT_IDLE_US 60000000  /* between two requests: close */
#define LIMIT_TIMEOUT_WRITE_US 30000000 /* in which a client must read at LIMIT_LEAST_RATE: close */
#define LIMIT_LEAST_RATE 1024U          /* bytes a second that a client must send of a body, or read of its replies */
#define LIMIT_PACE_CHECKS 6U            /* of a body's rate within its timeout: 408 */
#define LIMIT_TIMEOUT_LINGER_US 2000000
#define LIMIT_REPLY_UNBOUNDED_BYTES \
    (256U * 1024) /* reserved for a reply whose schema is inside itself; more is taken as it comes */
#define LIMIT_LINGER_BYTES (8U * 1024 * 1024) /* that a refused client may still send; past it the socket is closed */
#define LIMIT_TRUSTED_PROXIES 32U             /* ranges; more are refused at start */
#define LIMIT_EDGE_POOLED_BLOCKS 1024U        /* free 16 KiB blocks kept; more are given back to malloc */
#define LIMIT_ACCEPT_BACKOFF_US 100000        /* after the process ran out of descriptors */

/* ---- JSON and schemas ------------------------------------------------------------------------------------------ */
#define LIMIT_JSON_DEPTH 64U                    /* 400 */
#define LIMIT_JSON_VALUES (256U * 1024)         /* values in one document: 400 */
#define LIMIT_JSON_SPARE_VALUES 1024U           /* past those of a valid body: 400; fewer are told by name: 422 */
#define LIMIT_SCHEMA_DEPTH 128U                 /* $ref and applicators nested while validating: a fault */
#define LIMIT_SCHEMA_FAULTS 32U                 /* faults that one reply lists */
#define LIMIT_PATTERN_STEPS 100000U             /* PCRE2 match limit, from one start: fails closed */
#define LIMIT_PATTERN_WORK (8U * 1024 * 1024)   /* characters read in one match, and 16 for each choice: fails closed */
#define LIMIT_PATTERN_WORK_ALL (256U << 20)     /* the same of all matches of one validation: a fault */
#define LIMIT_PATTERN_BYTES 4096U               /* of a pattern's source: refused */
#define LIMIT_PATTERN_GROUPS 128U               /* in a pattern, and nested: refused */
#define LIMIT_PATTERN_NAME_BYTES 32U            /* of a group's name: refused */
#define LIMIT_PATTERN_STACK_BYTES (256U * 1024) /* of the JIT; past it a pattern gives up: fails closed */
#define LIMIT_PATTERN_HEAP_KIB 4096U            /* of the interpreter: fails closed */
#define LIMIT_SCHEMA_STEPS (4U * 1024 * 1024)   /* schemas visited in one validation: a fault */
#define LIMIT_SCHEMA_NAME_STEPS 16U /* as much as so many schemas is a byte of a host name in another script */
#define LIMIT_SCHEMA_SCRATCH_BYTES (6U * 1024 * 1024) /* for uniqueItems and unevaluated…, reserved at start: a fault */
#define LIMIT_SCHEMA_SCOPES 256U                      /* dynamic scopes that differ in a contract: refused at start */
#define LIMIT_SCHEMA_TRACKED_NAMES 1024U              /* declared or required members of one object: refused at start */

/* ---- contract -------------------------------------------------------------------------------------------------- */
#define LIMIT_CONTRACT_BYTES (4U * 1024 * 1024)
#define LIMIT_DOCUMENTS 64U /* beside the contract, with --with: refused */
#define LIMIT_OPERATIONS 1024U
#define LIMIT_PARAMETERS 32U /* of one operation */
#define LIMIT_PATH_SEGMENTS 32U
#define LIMIT_ROLES 32U       /* a set of roles is a bit mask */
#define LIMIT_SCHEMES 8U      /* security schemes */
#define LIMIT_REQUIREMENTS 8U /* alternatives of one `security` */
#define LIMIT_DEMANDS 4U      /* credentials of one alternative of `security` */
#define LIMIT_REPLIES 16U     /* declared statuses of one operation */

/* ---- data ------------------------------------------------------------------------------------------------------ */
#define LIMIT_FRAME_BYTES (4U * 1024 * 1024) /* one frame between worker and data; past it the peer is cut off */
#define LIMIT_STATEMENTS 1024U
#define LIMIT_STATEMENT_PARAMS 32U
#define LIMIT_LIST_ITEMS 1000U /* of a list parameter */
#define LIMIT_ROWS 10000U      /* of one :many; past it the call fails: 500 and a log line */
#define LIMIT_ROWS_BYTES \
    (4U * 1024 * 1024)         /* of one read, and of one batch's :returning; past it: 500 and a log line */
#define LIMIT_TOUCH_QUEUE 512U /* sessions seen and not yet noted; past it a later request notes it */
#define LIMIT_ROWS_CHUNK_BYTES (32U * 1024) /* a rows frame leaves when it is this full */
#define LIMIT_BATCH_STATEMENTS 256U         /* of one call; past it the call is abandoned */
#define LIMIT_CALLS_PER_WORKER 4096U        /* slots; credit that data grants to one worker; past it: 503 */
#define LIMIT_DATA_READERS 4U               /* reader threads of SQLite */
#define LIMIT_GROUP_BATCHES 256U            /* batches in one commit */
#define LIMIT_LEASE_US 50000                /* that an interactive transaction may hold SQLite's writer; past it: 504 */
#define LIMIT_PG_CONNECTIONS 64U            /* what --database-connections may ask for; more are refused at start */
#define LIMIT_PG_CONNECTIONS_LEAST \
    3U                             /* two, of which an interactive transaction may hold one, and one for what is slow */
#define LIMIT_PG_CREDIT 8U         /* works in flight on one connection; others wait in front of the pool */
#define LIMIT_PG_QUEUE 8192U       /* works waiting in front of the pool; past it: 503 */
#define LIMIT_PG_LEASE_US 1000000  /* that an interactive transaction may hold a connection; past it: 504 */
#define LIMIT_PG_LOOKUP_US 1000000 /* that what is found by a key may take; past it: 503 */
#define LIMIT_PG_CHORE_US 5000000  /* that a statement of nobody's call may take; it is tried again later */
#define LIMIT_PG_HOSTS 16U         /* that the URL names; more are refused at start */
#define LIMIT_PG_DIAL_US 2000000   /* for one address to accept; then it is tried anew, beginning with the next one */
#define LIMIT_PG_CONNECT_US 10000000     /* to connect and prepare; then the same */
#define LIMIT_PG_RETRY_LEAST_US 50000LL  /* before a lost connection is tried again, doubled each time */
#define LIMIT_PG_RETRY_MOST_US 5000000LL /* ... up to this */
#define LIMIT_PG_AWAY_US 1000000         /* without any connection; past it what waits gets 503, and waits no longer */
#define LIMIT_PG_GRACE_US 2000000 /* past a deadline, for the server to say so; then nobody waits for the connection */
#define LIMIT_PG_OWED_US 300000000LL        /* that a connection nobody waits for is kept; then it is closed */
#define LIMIT_READ_QUEUE 8192U              /* reads waiting for a reader; past it: 503 */
#define LIMIT_SLOW_QUEUE 1024U              /* of either queue, slow statements; past it: 503 for them alone */
#define LIMIT_WRITE_QUEUE 8192U             /* batches waiting for the writer; past it: 503 */
#define LIMIT_HASHES_AT_ONCE 2U             /* argon2 threads */
#define LIMIT_HASH_QUEUE 64U                /* sign-ins waiting; past it: 503 */
#define LIMIT_PIPE_BYTES (8U * 1024 * 1024) /* unsent between worker and data; past it: 503, or nothing more is read */
#define LIMIT_WORKER_ASKED_BYTES \
    (32U * 1024 * 1024) /* what one worker asks at once, as the data role keeps it; past it nothing more is read */
#define LIMIT_WORKER_RESULTS_BYTES (64U * 1024 * 1024) /* results that wait for one worker to read them; past it: 503 */
#define LIMIT_TASK_ARENA_BYTES (24U * 1024 * 1024)     /* one request in the data role, with its rows; past it: 500 */
#define LIMIT_TASKS_KEPT 256U                          /* requests of the data role kept for reuse, with their memory */
#define LIMIT_DATA_TIMEOUT_US 60000000                 /* a worker's request is given no more than this */
#define LIMIT_PASSWORD_BYTES 1024U                     /* past it a sign-in fails, a sign-up is an error */

/* ---- limits, sessions, keys ------------------------------------------------------------------------------------ */
#define LIMIT_GCRA_ENTRIES (1U << 16)    /* entries of the shared limit table */
#define LIMIT_CALLER_BYTES 288U          /* of who is counted: an address and an email; what is behind does not count */
#define LIMIT_IDEMPOTENCY_KEY_BYTES 255U /* 400 */
#define LIMIT_SESSION_IDLE_US (7 * 24 * 3600 * 1000000LL)
#define LIMIT_SESSION_ABSOLUTE_US (30 * 24 * 3600 * 1000000LL)
#define LIMIT_TOKEN_BYTES 8192U                 /* a JWT as text: 401 */
#define LIMIT_TOKENS 8192U                      /* remembered by the data role; past it a token is verified each time */
#define LIMIT_TOKENS_PER_WORKER 4096U           /* remembered by a worker; past it the first to expire is shown again */
#define LIMIT_TOKEN_KEPT_US (600 * 1000000LL)   /* a token is verified anew after so long: its key may be withdrawn */
#define LIMIT_TOKENS_REFUSED 1024U              /* remembered by a worker; past it the oldest is shown again */
#define LIMIT_TOKEN_REFUSED_US (10 * 1000000LL) /* and no longer than this: keys change */
#define LIMIT_TOKEN_SCRATCH_BYTES (256U * 1024) /* to read one: 401 */
#define LIMIT_TOKEN_LEEWAY_US (60 * 1000000LL)  /* by which the clocks of issuer and server may differ */
#define LIMIT_KID_BYTES 255U                    /* of a JWT's header: 401; of a key: it is left out */
#define LIMIT_JWKS_BYTES (64U * 1024)           /* a JWK Set: refused at start, or the keys before it are kept */
#define LIMIT_JWKS_KEYS 32U                     /* of one set: the same */
#define LIMIT_JWKS_FRESH_US (900 * 1000000LL)   /* keys from a URL are fetched again after so long */
#define LIMIT_JWKS_RETRY_US (60 * 1000000LL)    /* after a failure they are, at the latest */
#define LIMIT_JWKS_AGAIN_US (30 * 1000000LL)    /* a token with an unknown key has them fetched, no oftener than this */
#define LIMIT_JWKS_SCRATCH_BYTES (1024U * 1024) /* to read a set: the same */
#define LIMIT_WEBHOOK_FIELD_BYTES 1024U         /* of a signature: 401 */
#define LIMIT_WEBHOOK_MARKS 8U                  /* of one signature: 401 */
#define LIMIT_WEBHOOK_BODY_BYTES (256U * 1024)  /* that a signature may cover: the contract is refused */
#define LIMIT_WEBHOOK_TOLERANCE_US (300 * 1000000LL) /* between signing and arriving, and ahead of our clock: 401 */
#define LIMIT_SECRET_BYTES 4096U                     /* of a file that --secret names: refused at start */
#define LIMIT_RSA_BITS 8192U                         /* a longer key costs too much: it is left out */

/* ---- Redis ------------------------------------------------------------------------------------------------------ */
#define LIMIT_REDIS_US 2000000         /* a command, or connecting; past it the connection is given up and made anew */
#define LIMIT_REDIS_CALLS 8192U        /* commands without an answer yet; past it the next one fails at once */
#define LIMIT_REDIS_BACKOFF_US 5000000 /* between two attempts to connect, at the most */
#define LIMIT_REDIS_URL_BYTES 4096U    /* of the file that --redis names: refused at start */
#define LIMIT_REDIS_NAME_BYTES 64U     /* of an app's name in keys; what is behind is left out */
#define LIMIT_LIMITS_AT_ONCE 4U        /* rate limits of one step of admission */

/* ---- outgoing calls -------------------------------------------------------------------------------------------- */
#define LIMIT_FETCH_TARGETS 16U             /* of one contract, and so fetches under way: refused at start */
#define LIMIT_FETCH_BODY_BYTES (64U * 1024) /* a longer answer is not taken: FETCH_TOO_LARGE */
#define LIMIT_FETCH_HEAD_BYTES (16U * 1024) /* all fields of an answer: the same */
#define LIMIT_FETCH_CONNECT_US 5000000      /* resolving, connecting, TLS: FETCH_TIMEOUT */
#define LIMIT_FETCH_US 10000000             /* all of it: FETCH_TIMEOUT */
#define LIMIT_FETCH_WAIT_US 15000000 /* the data role waits no longer, whatever the outbound role does: FETCH_TIMEOUT */
#define LIMIT_EFFECT_NOTES 40U       /* columns beside those that a target knows: refused at start */
#define LIMIT_EFFECT_KEY_BYTES 255U  /* effect's name, '/' and key: the batch is refused */
#define LIMIT_EFFECT_WORD_BYTES 128U /* of a provider's id, state, code: a longer one is left out */
#define LIMIT_EFFECT_NOTE_BYTES 512U /* what an operator is told of it; the rest is cut off */
#define LIMIT_EFFECTS_AT_ONCE 32U    /* that one data role works on; the others wait for their turn */
#define LIMIT_EFFECT_WAIT_US \
    12000000 /* for one answer, whatever the outbound role does: then its outcome is not known */
#define LIMIT_EFFECT_LEASE_US 15000000 /* longer than that; afterwards anybody may take it over */
#define LIMIT_EFFECT_POLL_US 500000    /* how often one looks for those that are due */
#define LIMIT_EFFECT_ATTEMPTS \
    20U /* without learning anything, or in which the app could not take what came of it: dead */
#define LIMIT_EFFECT_GIVE_UP_US (3600 * 1000000LL) /* … and not before this has passed since it was first sent */
#define LIMIT_EFFECT_PAUSE_LEAST_US \
    500000 /* before the second attempt; each later one waits twice as long, and a little by chance */
#define LIMIT_EFFECT_PAUSE_MOST_US (600 * 1000000LL) /* … but no longer than this */
#define LIMIT_EFFECT_KEY_FRESH_US \
    (23 * 3600 * 1000000LL) /* providers keep keys for 24 hours: past it an object is looked for first */
#define LIMIT_EFFECT_JOB_US \
    10000000 /* in which an app must have taken what came of an effect: else it is called again later */
#define LIMIT_EFFECT_SCRATCH_BYTES \
    (2U * 1024 * 1024) /* to write one and to read its answer: its outcome is not known */
#define LIMIT_EFFECT_KEPT_US (30 * 24 * 3600 * 1000000LL) /* after it is done; until then its key is refused */
#define LIMIT_EFFECTS_LISTED 1000U                        /* by one `effects list`: it says how many more there are */
#define LIMIT_EFFECT_BYTES (16U * 1024)        /* of what is sent, as JSON: the batch fails, with a line in the log */
#define LIMIT_CA_FILE_BYTES (4U * 1024 * 1024) /* a longer one is refused at start */

/* ---- names of hosts -------------------------------------------------------------------------------------------- */
#define LIMIT_LOOKUP_ADDRESSES 16U /* of one name; those behind are not tried */
#define LIMIT_LOOKUP_FRESH_US \
    1000000 /* in which connections that were lost together share them; then they are asked for anew */

/* ---- processes ------------------------------------------------------------------------------------------------- */
#define LIMIT_WORKERS 256U
#define LIMIT_LISTENERS 16U
#define LIMIT_HEARTBEAT_US 3000000   /* a worker that is silent this long is killed and named */
#define LIMIT_DRAIN_US 10000000      /* after SIGTERM; what is left then is cut off */
#define LIMIT_DRAIN_QUIET_US 1000000 /* a draining worker closes an idle connection that has been quiet this long */

/* ---- loop and log ---------------------------------------------------------------------------------------------- */
#define LIMIT_EVENTS_PER_TURN 256  /* the rest comes with the next turn */
#define LIMIT_LOG_LINE_BYTES 4096U /* PIPE_BUF, so that lines do not mix; a longer one is cut and says so */

#endif

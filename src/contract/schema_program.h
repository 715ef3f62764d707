/* schema_program.h - the compiled form of a schema, shared by the files that build it and the files that run it.
 *
 * A schema is a struct with one part for each kind of value, and a part is there only when some keyword speaks of that kind. So
 * the walk looks at the value's type once and meets nothing that does not concern it. Everything points into the arena of the set. */
#ifndef CONTRACT_SCHEMA_PROGRAM_H
#define CONTRACT_SCHEMA_PROGRAM_H

#include "contract/format.h"
#include "contract/name_table.h"
#include "contract/pattern.h"
#include "contract/schema.h"
#include "contract/schema_quick.h"
#include "core/hash.h"

/* What `type` tells apart. An integer is one by value: 1.0 is. */
enum type_bit {
    TYPE_NULL = 1,
    TYPE_BOOLEAN = 2,
    TYPE_INTEGER = 4,
    TYPE_FRACTION = 8,
    TYPE_STRING = 16,
    TYPE_ARRAY = 32,
    TYPE_OBJECT = 64,
    TYPE_NUMBER = TYPE_INTEGER | TYPE_FRACTION,
    TYPE_ANY = 127
};

static inline uint8_t type_bit_of(const struct json_value *value)
{
    static const uint8_t bits[] = {
        [JSON_NULL] = TYPE_NULL,   [JSON_FALSE] = TYPE_BOOLEAN,   [JSON_TRUE] = TYPE_BOOLEAN,
        [JSON_INT] = TYPE_INTEGER, [JSON_DOUBLE] = TYPE_FRACTION, [JSON_STRING] = TYPE_STRING,
        [JSON_ARRAY] = TYPE_ARRAY, [JSON_OBJECT] = TYPE_OBJECT
    };
    return value->is_integer ? TYPE_INTEGER : bits[value->type]; /* is_integer is set on doubles only */
}

/* ---- the parts ------------------------------------------------------------------------------------------------- */
/* A bound of a number, with its text for messages and for exact decimal arithmetic. */
struct bound {
    bool is_set;
    struct json_value value;
    limen_str text;
};

struct number_rules {
    struct bound minimum, maximum, above, below, multiple; /* above: exclusiveMinimum; below: exclusiveMaximum */
    const struct format *format;
};

struct string_rules {
    size_t min_length, max_length; /* code points; SIZE_MAX: no bound */
    const struct pattern *pattern;
    const struct format *format;
};

struct array_rules {
    size_t min_items, max_items;
    bool is_unique;
    const struct schema **prefix;
    uint32_t prefix_count;
    const struct schema *items; /* of those behind the prefix; NULL: no rule */
    const struct schema *contains;
    size_t min_contains, max_contains;
};

struct pattern_property {
    const struct pattern *pattern;
    const struct schema *schema;
};
struct dependent {
    limen_str name;      /* when this member is there … */
    limen_str *required; /* … so must these be (dependentRequired) */
    size_t required_count;
    const struct schema *schema; /* … and the object is this (dependentSchemas) */
};

struct object_rules {
    struct name_table names;          /* of properties and required together: the tracked names */
    const struct schema **properties; /* by place; NULL: only required */
    uint64_t *required[3];            /* by enum schema_use: a bit for each place, a word for each 64 */
    uint32_t words;                   /* of each set */
    struct pattern_property *patterns;
    uint32_t pattern_count;
    const struct schema *additional; /* NULL: no rule */
    const struct schema *property_names;
    struct dependent *dependents;
    uint32_t dependent_count;
    size_t min_properties, max_properties;
};

/* enum and const: a parsed copy of their JSON. */
struct value_rules {
    bool has_enum, has_const;
    struct json_doc enumeration; /* an array */
    struct json_doc constant;
    bool has_only_strings; /* then `strings` decides */
    struct name_table strings;
};

/* Keywords that apply schemas to the same value. */
struct logic_rules {
    const struct schema *ref, *dynamic_ref; /* both known when the program is compiled: see schema_scope.c */
    const struct schema **all, **any, **one;
    uint32_t all_count, any_count, one_count;
    const struct schema *negated, *condition, *consequence, *alternative;
    const struct schema *unevaluated_items, *unevaluated_properties;
};

struct schema {
    uint8_t types;            /* enum type_bit */
    uint8_t refused_in;       /* readOnly, writeOnly: a bit for each enum schema_use */
    bool is_always, is_never; /* true and {}; false */
    struct quick quick;
    const struct value_rules *values;
    const struct number_rules *number;
    const struct string_rules *string;
    const struct array_rules *array;
    const struct object_rules *object;
    const struct logic_rules *logic;
    struct schema_set *set;

    /* For the compiler. */
    const struct doc_node *node;
    const struct scope *scope;
    struct schema *next; /* in the list of all */
    struct schema *next_pending;
    uint8_t colour;          /* of the search for loops */
    uint8_t param_types;     /* `types` narrowed by $ref and allOf */
    uint8_t refused_through; /* `refused_in` widened by $ref and allOf */
    uint32_t height;         /* schemas that may apply to one value below this one */
    bool is_broken;          /* a fault was reported */
};

/* Memory for one validation at a time, reserved when the set is made; a stack. */
struct scratch {
    uint64_t *words;
    size_t used, capacity;
};

struct schema_set {
    struct catalog *catalog;
    struct arena *arena;
    struct hash_key key;             /* for uniqueItems: clients choose the items */
    struct pattern_engine *patterns; /* made with the first pattern */
    struct scratch scratch;
    struct schema *all, *pending;
    struct schema **slots; /* by node and scope: open addressing */
    size_t slot_count, schema_count;
    struct scope *scopes; /* all that differ */
    size_t scope_count;
    bool is_standard; /* see schema_set_read_as_standard */
    bool formats_are_annotations;
    bool is_out_of_memory;
};

/* ---- equality, schema_value.c ---------------------------------------------------------------------------------- */
/* As JSON Schema has it: numbers by value, objects without order. */
bool json_equal(const struct json_doc *a, uint32_t a_at, const struct json_doc *b, uint32_t b_at);
/* Equal values have equal hashes. */
uint64_t json_hash(const struct hash_key *key, const struct json_doc *doc, uint32_t at);
/* Negative, 0, positive; exact also between an int64 and a double. */
int json_compare_numbers(const struct json_value *a, const struct json_value *b);
/* True when `value` is a whole multiple of `divisor`, which is positive; decimal, so 0.3 is a multiple of 0.1. */
bool json_is_multiple(limen_str value, limen_str divisor);

/* ---- faults, schema_fault.c ------------------------------------------------------------------------------------ */
/* Where the walk is: the way up to the root of the instance. */
struct place {
    const struct place *up;
    uint32_t name_at; /* on the tape: the member's name; 0: an array's item */
    uint32_t index;   /* of the item */
};

/* One validation. */
struct walk {
    const struct json_value *tape;
    const struct json_doc *doc;
    struct schema_set *set;
    struct faults *faults; /* NULL: quiet, the outcome alone counts */
    const struct place *place;
    limen_str base; /* of all pointers */
    enum schema_use use;
    uint32_t depth, steps;
    size_t pattern_work; /* that is left for all matches */
    const char *gave_up; /* not NULL: a ceiling was met, and the value is refused whatever else */
};

/* Which members or items of one instance some keyword has evaluated, for unevaluated…; a bit each. */
struct marks {
    uint64_t *bits;
    uint32_t count; /* members or items */
};
static inline size_t marks_words(uint32_t count)
{
    return ((size_t)count + 63) / 64;
}
static inline void marks_set(struct marks *marks, uint32_t index)
{
    if (marks != NULL)
        marks->bits[index / 64] |= UINT64_C(1) << index % 64;
}

/* The walk itself. `marks` is NULL unless somebody above asks what was evaluated; those of a failed schema mean nothing.
 * False when the value does not satisfy the schema. */
bool walk_check(struct walk *walk, const struct schema *schema, uint32_t at, struct marks *marks) LIMEN_MUST_CHECK;
/* The same without faults and marks; good values of ordinary schemas are decided faster. `walk->faults` must be NULL. */
bool walk_quickly(struct walk *walk, const struct schema *schema, uint32_t at) LIMEN_MUST_CHECK;
/* For a member or an item: whichever of the two it is that may be asked. Good single values cost little either way. */
static inline bool walk_child(struct walk *walk, const struct schema *schema, uint32_t at)
{
    if (walk->faults == NULL)
        return walk_quickly(walk, schema, at);
    return quick_accepts(&schema->quick, &walk->tape[at]) || walk_check(walk, schema, at, NULL);
}
/* The same without faults, and without marks when it is false. */
bool walk_check_quietly(struct walk *walk, const struct schema *schema, uint32_t at,
                        struct marks *marks) LIMEN_MUST_CHECK;
bool walk_object(struct walk *walk, const struct object_rules *rules, uint32_t at,
                 struct marks *marks) LIMEN_MUST_CHECK;
bool walk_array(struct walk *walk, const struct array_rules *rules, uint32_t at, struct marks *marks) LIMEN_MUST_CHECK;
bool walk_logic(struct walk *walk, const struct logic_rules *rules, uint32_t at, struct marks *marks) LIMEN_MUST_CHECK;
/* Runs all of the schema with marks of its own, then what the unevaluated… keywords say of the rest. */
bool walk_unevaluated(struct walk *walk, const struct schema *schema, uint32_t at,
                      struct marks *outer) LIMEN_MUST_CHECK;
bool walk_rules(struct walk *walk, const struct schema *schema, uint32_t at, struct marks *marks) LIMEN_MUST_CHECK;
enum pattern_outcome walk_pattern(struct walk *walk, const struct pattern *pattern, const struct json_value *string);
/* A ceiling was met: false from here to the root. */
bool walk_give_up(struct walk *walk, const char *why);
/* Zeroed words on top of the scratch, or NULL after walk_give_up; given back with scratch_reset(walk, mark). */
uint64_t *scratch_take(struct walk *walk, size_t words);

/* Adds a fault at the place of the walk, unless it is quiet; the pieces, of which there is at least one, make up its detail. Always
 * false. WALK_FAULT(walk, "minimum", LIMEN_STR("must be at least "), text) */
bool walk_fault(struct walk *walk, limen_str rule, const limen_str *pieces, size_t count);
#define WALK_FAULT(walk, rule, ...) WALK_FAULT_OF((walk), LIMEN_STR(rule), __VA_ARGS__)
#define WALK_FAULT_OF(walk, rule, ...)                             \
    walk_fault((walk), (rule), (const limen_str[]){ __VA_ARGS__ }, \
               sizeof((const limen_str[]){ __VA_ARGS__ }) / sizeof(limen_str))
/* "must have " and, for example, "at most ", 3, "item": the plural is made here. */
bool walk_fault_count(struct walk *walk, limen_str rule, limen_str bound, size_t count, limen_str noun, limen_str rest);
bool walk_fault_type(struct walk *walk, uint8_t types);
bool walk_fault_values(struct walk *walk, const struct value_rules *rules);
/* True while faults are still being collected. */
static inline bool walk_goes_on(const struct walk *walk)
{
    return walk->faults != NULL && !walk->faults->is_cut && walk->gave_up == NULL;
}

#endif

/* schema_dialect.c - which keywords a schema may use: the vocabularies that its metaschema names.
 *
 * `$schema` stands at the root of a schema resource and holds for all inside it that have none of their own. The metaschema is one
 * that is known, or one of the documents that were given. */
#include "contract/schema_compile.h"

#include "contract/metaschema.h"
#include "contract/uri.h"
#include "core/arena.h"
#include "core/str.h"

#define OPENAPI_VOCABULARY LIMEN_STR_INIT("https://spec.openapis.org/oas/3.1/vocab/base")
/* What a schema has that names no dialect; OpenAPI 3.1 and 2020-12 alike. */
#define ALL_VOCABULARIES                                                                                              \
    (VOCABULARY_CORE | VOCABULARY_APPLICATOR | VOCABULARY_UNEVALUATED | VOCABULARY_VALIDATION | VOCABULARY_ANNOTATION \
     | VOCABULARY_FORMAT | VOCABULARY_CONTENT | VOCABULARY_OPENAPI)

#define REFUSED (UINT32_C(1) << 31)

static uint32_t vocabulary_of(limen_str uri)
{
    static const struct {
        limen_str uri;
        enum vocabulary vocabulary;
    } vocabularies[] = {
        { LIMEN_STR_INIT(METASCHEMA_FOLDER "vocab/core"), VOCABULARY_CORE },
        { LIMEN_STR_INIT(METASCHEMA_FOLDER "vocab/applicator"), VOCABULARY_APPLICATOR },
        { LIMEN_STR_INIT(METASCHEMA_FOLDER "vocab/unevaluated"), VOCABULARY_UNEVALUATED },
        { LIMEN_STR_INIT(METASCHEMA_FOLDER "vocab/validation"), VOCABULARY_VALIDATION },
        { LIMEN_STR_INIT(METASCHEMA_FOLDER "vocab/meta-data"), VOCABULARY_ANNOTATION },
        { LIMEN_STR_INIT(METASCHEMA_FOLDER "vocab/format-annotation"), VOCABULARY_FORMAT },
        { LIMEN_STR_INIT(METASCHEMA_FOLDER "vocab/format-assertion"), VOCABULARY_FORMAT_ASSERTION },
        { LIMEN_STR_INIT(METASCHEMA_FOLDER "vocab/content"), VOCABULARY_CONTENT },
        { OPENAPI_VOCABULARY, VOCABULARY_OPENAPI },
    };
    for (size_t i = 0; i < sizeof vocabularies / sizeof *vocabularies; i++) {
        if (str_equal(vocabularies[i].uri, uri))
            return vocabularies[i].vocabulary;
    }
    return 0;
}

/* The set that a metaschema declares; one that declares none has all. 0 after a fault at `at`. */
static uint32_t read_vocabularies(struct compiler *c, const struct doc_node *declared, const struct doc_node *at)
{
    uint32_t vocabularies = VOCABULARY_CORE;
    if (declared == NULL)
        return ALL_VOCABULARIES;
    for (size_t i = 0; i < declared->count; i++) {
        const struct doc_node *entry = declared->items[i];
        const uint32_t vocabulary = vocabulary_of(entry->key);
        if (vocabulary == 0 && !(entry->kind == DOC_BOOL && !entry->boolean)) {
            compiler_fault(c, at, LIMEN_STR("use a metaschema without it"),
                           "the metaschema requires the vocabulary '%.*s', which is not known",
                           LIMEN_STR_ARG(entry->key));
            return 0;
        }
        vocabularies |= vocabulary;
    }
    return vocabularies;
}

uint32_t compiler_dialect(struct compiler *c, const struct doc_node *uri)
{
    limen_str absolute, fragment;
    if (uri->kind != DOC_STRING
        || !uri_resolve(catalog_home(c->set->catalog, uri)->uri, uri->text, c->set->arena, &absolute, &fragment)) {
        compiler_fault(c, uri, LIMEN_STR(""), "%.*s must be the URI of a dialect", LIMEN_STR_ARG(uri->key));
        return 0;
    }
    if (str_equal(absolute, LIMEN_STR(METASCHEMA_URI))
        || str_equal(absolute, LIMEN_STR("https://spec.openapis.org/oas/3.1/dialect/base")))
        return ALL_VOCABULARIES;
    const struct resource *metaschema = catalog_find(c->set->catalog, absolute);
    if (metaschema != NULL)
        return read_vocabularies(c, doc_get(metaschema->root, LIMEN_STR("$vocabulary")), uri);
    compiler_fault(c, uri, LIMEN_STR("use " METASCHEMA_URI ", or give its metaschema with `--with FILE`"),
                   "this dialect of JSON Schema is not known");
    return 0;
}

/* The resource's own `$schema`, else what holds around it; at the root of an OpenAPI document that is `jsonSchemaDialect`. */
static const struct doc_node *find_dialect(const struct resource *resource)
{
    const struct doc_node *dialect = NULL;
    for (; resource != NULL && dialect == NULL; resource = resource->outer) {
        dialect = doc_get(resource->root, LIMEN_STR("$schema"));
        if (dialect == NULL && doc_get(resource->root, LIMEN_STR("openapi")) != NULL)
            dialect = doc_get(resource->root, LIMEN_STR("jsonSchemaDialect"));
    }
    return dialect;
}

uint32_t compiler_vocabularies(struct compiler *c)
{
    struct resource *home = catalog_home(c->set->catalog, c->node);
    if (home->vocabularies == 0) {
        const struct doc_node *dialect = find_dialect(home);
        const uint32_t found = dialect != NULL ? compiler_dialect(c, dialect) : ALL_VOCABULARIES;
        home->vocabularies = found != 0 ? found : REFUSED; /* and told once */
    }
    if (home->vocabularies != REFUSED)
        return home->vocabularies;
    compiler_break(c);
    return 0;
}

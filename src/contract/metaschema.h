/* metaschema.h - JSON Schema 2020-12 described in itself, so that `$ref` and `$schema` can name it without the network. */
#ifndef CONTRACT_METASCHEMA_H
#define CONTRACT_METASCHEMA_H

#include "limen/base.h"

#define METASCHEMA_FOLDER "https://json-schema.org/draft/2020-12/"
#define METASCHEMA_URI METASCHEMA_FOLDER "schema"

/* The text of one YAML document: the metaschema, with those of its vocabularies under $defs. */
limen_str metaschema_text(void);

#endif

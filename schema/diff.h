/* SPDX-License-Identifier: Apache-2.0
 *
 * What changed between two versions of a table, as a list of steps in an order that a target can
 * follow: renames first, then adds, type and property changes, drops last. */
#pragma once

#include "schema/change.h"

enum step_kind {
    STEP_RENAME_COLUMN,  /* old, new */
    STEP_ADD_COLUMN,     /* new; `after` names the column before it in the source order */
    STEP_MODIFY_TYPE,    /* old, new: type or nullability differ */
    STEP_MODIFY_DEFAULT, /* old, new: only the default differs */
    STEP_COMMENT_COLUMN, /* old, new: only the comment differs */
    STEP_DROP_COLUMN,    /* old */
    STEP_CHANGE_KEY,     /* the key's columns differ: no target can follow in place */
    STEP_COMMENT_TABLE,
};

struct step {
    enum step_kind kind;
    const struct column *old, *new;
    struct bytes after; /* ADD: NULL data = first */
};

/* Into `arena`; *count may be 0. Columns are matched by name after applying `change->renames`. */
const struct step *diff_tables(const struct schema_change *change, struct arena *arena,
                               size_t *count);

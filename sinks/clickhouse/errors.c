/* SPDX-License-Identifier: Apache-2.0
 *
 * ClickHouse's exception codes (src/Common/ErrorCodes.cpp), by what to do about them. The HTTP
 * status says less and changes between versions: a code decides, whatever the status was.
 *
 * A code that is not listed is the server's trouble, not the row's: ERROR_RETRY, because the
 * back-off shows it to a person, and parking a table for a passing fault would cost a resync. */
#include "sinks/clickhouse/errors.h"

#include <stddef.h>

#include "engine/base/assert.h"

static const struct code_kind {
    int code;
    enum error_kind kind;
} code_kinds[] = {
    { 3, ERROR_UNKNOWN },   /* UNEXPECTED_END_OF_FILE: a body was cut off on its way */
    { 6, ERROR_DATA },      /* CANNOT_PARSE_TEXT */
    { 10, ERROR_DATA },     /* NOT_FOUND_COLUMN_IN_BLOCK */
    { 15, ERROR_DATA },     /* DUPLICATE_COLUMN */
    { 16, ERROR_DATA },     /* NO_SUCH_COLUMN_IN_TABLE */
    { 20, ERROR_DATA },     /* NUMBER_OF_COLUMNS_DOESNT_MATCH */
    { 26, ERROR_DATA },     /* CANNOT_PARSE_QUOTED_STRING */
    { 27, ERROR_DATA },     /* CANNOT_PARSE_INPUT_ASSERTION_FAILED */
    { 36, ERROR_DATA },     /* BAD_ARGUMENTS */
    { 38, ERROR_DATA },     /* CANNOT_PARSE_DATE */
    { 41, ERROR_DATA },     /* CANNOT_PARSE_DATETIME */
    { 43, ERROR_DATA },     /* ILLEGAL_TYPE_OF_ARGUMENT */
    { 44, ERROR_DATA },     /* ILLEGAL_COLUMN */
    { 47, ERROR_DATA },     /* UNKNOWN_IDENTIFIER */
    { 48, ERROR_DATA },     /* NOT_IMPLEMENTED */
    { 50, ERROR_DATA },     /* UNKNOWN_TYPE */
    { 53, ERROR_DATA },     /* TYPE_MISMATCH */
    { 57, ERROR_DATA },     /* TABLE_ALREADY_EXISTS */
    { 60, ERROR_DATA },     /* UNKNOWN_TABLE */
    { 62, ERROR_DATA },     /* SYNTAX_ERROR */
    { 69, ERROR_DATA },     /* ARGUMENT_OUT_OF_BOUND */
    { 70, ERROR_DATA },     /* CANNOT_CONVERT_TYPE */
    { 72, ERROR_DATA },     /* CANNOT_PARSE_NUMBER */
    { 73, ERROR_CONFIG },   /* UNKNOWN_FORMAT */
    { 80, ERROR_DATA },     /* INCORRECT_QUERY */
    { 81, ERROR_DATA },     /* UNKNOWN_DATABASE */
    { 115, ERROR_CONFIG },  /* UNKNOWN_SETTING */
    { 117, ERROR_DATA },    /* INCORRECT_DATA */
    { 131, ERROR_DATA },    /* TOO_LARGE_STRING_SIZE */
    { 159, ERROR_UNKNOWN }, /* TIMEOUT_EXCEEDED */
    { 160, ERROR_RETRY },   /* TOO_SLOW */
    { 164, ERROR_RETRY },   /* READONLY: of a replica that lost its keeper */
    { 170, ERROR_CONFIG },  /* CLUSTER_DOESNT_EXIST */
    { 192, ERROR_CONFIG },  /* UNKNOWN_USER */
    { 193, ERROR_CONFIG },  /* WRONG_PASSWORD */
    { 194, ERROR_CONFIG },  /* REQUIRED_PASSWORD */
    { 195, ERROR_CONFIG },  /* IP_ADDRESS_NOT_ALLOWED */
    { 202, ERROR_RETRY },   /* TOO_MANY_SIMULTANEOUS_QUERIES */
    { 203, ERROR_RETRY },   /* NO_FREE_CONNECTION */
    { 209, ERROR_UNKNOWN }, /* SOCKET_TIMEOUT */
    { 210, ERROR_UNKNOWN }, /* NETWORK_ERROR */
    { 225, ERROR_RETRY },   /* NO_ZOOKEEPER */
    { 236, ERROR_UNKNOWN }, /* ABORTED: the server is going down */
    { 241, ERROR_RETRY },   /* MEMORY_LIMIT_EXCEEDED */
    { 242, ERROR_RETRY },   /* TABLE_IS_READ_ONLY */
    { 243, ERROR_RETRY },   /* NOT_ENOUGH_SPACE */
    { 252, ERROR_RETRY },   /* TOO_MANY_PARTS */
    { 254, ERROR_UNKNOWN }, /* NO_ACTIVE_REPLICAS */
    { 285, ERROR_UNKNOWN }, /* TOO_FEW_LIVE_REPLICAS */
    { 286, ERROR_UNKNOWN }, /* UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE */
    { 291, ERROR_CONFIG },  /* DATABASE_ACCESS_DENIED */
    { 319, ERROR_UNKNOWN }, /* UNKNOWN_STATUS_OF_INSERT */
    { 341, ERROR_DATA },    /* UNFINISHED: a mutation that failed */
    { 344, ERROR_DATA },    /* SUPPORT_IS_DISABLED */
    { 349, ERROR_DATA },    /* CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN */
    { 359, ERROR_DATA },    /* TABLE_SIZE_EXCEEDS_MAX_DROP_SIZE_LIMIT */
    { 394, ERROR_UNKNOWN }, /* QUERY_WAS_CANCELLED */
    { 407, ERROR_DATA },    /* DECIMAL_OVERFLOW */
    { 425, ERROR_RETRY },   /* SYSTEM_ERROR */
    { 439, ERROR_RETRY },   /* CANNOT_SCHEDULE_TASK */
    { 452, ERROR_CONFIG },  /* SETTING_CONSTRAINT_VIOLATION */
    { 469, ERROR_DATA },    /* VIOLATED_CONSTRAINT */
    { 497, ERROR_CONFIG },  /* ACCESS_DENIED */
    { 516, ERROR_CONFIG },  /* AUTHENTICATION_FAILED */
    { 517, ERROR_RETRY },   /* CANNOT_ASSIGN_ALTER */
    { 524, ERROR_DATA },    /* ALTER_OF_COLUMN_IS_FORBIDDEN */
    { 636, ERROR_DATA },    /* CANNOT_EXTRACT_TABLE_STRUCTURE */
    { 691, ERROR_DATA },    /* UNKNOWN_ELEMENT_OF_ENUM */
    { 999, ERROR_UNKNOWN }, /* KEEPER_EXCEPTION: the commit may have reached the keeper */
};

enum error_kind clickhouse_error_kind(int code)
{
    size_t low = 0, high = ARRAY_SIZE(code_kinds);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code_kinds[middle].code == code)
            return code_kinds[middle].kind;
        if (code_kinds[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    return ERROR_RETRY;
}

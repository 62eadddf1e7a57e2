/* SPDX-License-Identifier: Apache-2.0
 *
 * The body of a QUERY event: u32 thread, u32 time, u8 size of the database, u16 error, u16 size of
 * the status variables, these, database, NUL, text. EXECUTE_LOAD_QUERY has thirteen bytes more in
 * front of the variables. A variable has no size of its own: what follows one that is not known is
 * not read, and servers write them in a fixed order. */
#include "sources/mysql/log.h"

/* MariaDB writes its flag for implicit timestamps from 10.10 on. */
enum { LOAD_BYTES = 13, EXPLICIT_TIMESTAMPS = 1 << 24, FLAG_SINCE = 101000 };

enum status_variable {
    STATUS_FLAGS = 0,
    STATUS_SQL_MODE = 1,
    STATUS_CATALOG = 2,
    STATUS_AUTO_INCREMENT = 3,
    STATUS_CHARSET = 4,
    STATUS_TIME_ZONE = 5,
    STATUS_CATALOG_NZ = 6,
    STATUS_LC_TIME_NAMES = 7,
    STATUS_CHARSET_DATABASE = 8,
    STATUS_TABLE_MAP_FOR_UPDATE = 9,
    STATUS_MASTER_DATA_WRITTEN = 10,
    STATUS_INVOKER = 11,
    STATUS_UPDATED_DATABASES = 12,
    STATUS_MICROSECONDS = 13,
    STATUS_EXPLICIT_TIMESTAMPS = 16,
    STATUS_TRANSACTION_ID = 17,
    STATUS_HIGH_RESOLUTION_TIME = 128,
};

static void take_updated_databases(struct reader *status)
{
    enum { TOO_MANY = 254 };
    uint8_t count = reader_u8(status);
    if (count >= TOO_MANY)
        return;
    for (uint8_t i = 0; i < count && !status->failed; i++)
        while (!status->failed && reader_u8(status))
            ;
}

static void take_flags(struct reader *status, uint32_t mariadb, struct log_query *out)
{
    uint64_t flags = reader_le(status, 4);
    if (mariadb >= FLAG_SINCE)
        out->timestamps = flags & EXPLICIT_TIMESTAMPS ? TIMESTAMPS_EXPLICIT : TIMESTAMPS_IMPLICIT;
}

/* False: a variable that is not known, or the end. */
static bool take_variable(struct reader *status, uint32_t mariadb, struct log_query *out)
{
    switch (reader_u8(status)) {
    case STATUS_FLAGS:
        take_flags(status, mariadb, out);
        return true;
    case STATUS_SQL_MODE:
        out->sql_mode = reader_le(status, 8);
        return true;
    case STATUS_CHARSET:
        out->client_collation = (uint32_t)reader_le(status, 2);
        reader_take(status, 4);
        return true;
    case STATUS_CHARSET_DATABASE:
        out->database_collation = (uint32_t)reader_le(status, 2);
        return true;
    case STATUS_EXPLICIT_TIMESTAMPS:
        out->timestamps = reader_u8(status) ? TIMESTAMPS_EXPLICIT : TIMESTAMPS_IMPLICIT;
        return true;
    case STATUS_CATALOG:
        reader_take(status, reader_u8(status) + 1u);
        return true;
    case STATUS_CATALOG_NZ:
    case STATUS_TIME_ZONE:
        reader_take(status, reader_u8(status));
        return true;
    case STATUS_INVOKER:
        reader_take(status, reader_u8(status));
        reader_take(status, reader_u8(status));
        return true;
    case STATUS_UPDATED_DATABASES:
        take_updated_databases(status);
        return true;
    case STATUS_LC_TIME_NAMES:
        reader_take(status, 2);
        return true;
    case STATUS_MICROSECONDS:
    case STATUS_HIGH_RESOLUTION_TIME:
        reader_take(status, 3);
        return true;
    case STATUS_AUTO_INCREMENT:
    case STATUS_MASTER_DATA_WRITTEN:
        reader_take(status, 4);
        return true;
    case STATUS_TABLE_MAP_FOR_UPDATE:
    case STATUS_TRANSACTION_ID:
        reader_take(status, 8);
        return true;
    default:
        return false;
    }
}

bool log_query_parse(struct bytes body, bool load, uint32_t mariadb, struct log_query *out)
{
    struct reader in = reader_of(body);
    *out = (struct log_query){ 0 };
    reader_take(&in, 8);
    size_t database_size = reader_u8(&in);
    reader_take(&in, 2);
    size_t status_size = (size_t)reader_le(&in, 2);
    if (load)
        reader_take(&in, LOAD_BYTES);
    struct reader status = reader_of(reader_take(&in, status_size));
    out->database = reader_take(&in, database_size);
    reader_u8(&in);
    out->sql = in.rest;
    while (!status.failed && status.rest.size > 0 && take_variable(&status, mariadb, out))
        ;
    return !in.failed;
}

struct bytes log_query_text(const struct log_source *self, const struct log_query *query,
                            struct arena *arena)
{
    const struct collation_entry *entry =
        query->client_collation ? collation_find(&self->collations, query->client_collation) : NULL;
    const struct charset *charset = entry ? charset_find(entry->charset) : NULL;
    uint64_t replaced = 0;
    if (!charset || charset_is_plain(charset))
        return query->sql;
    return charset_decode(charset, query->sql, arena, &replaced);
}

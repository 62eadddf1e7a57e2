/* SPDX-License-Identifier: Apache-2.0
 *
 * SQLSTATEs to kinds, as one table, the first row that fits deciding: five characters name one
 * state, two a class (the manual's appendix "PostgreSQL Error Codes"). What libpq says by itself
 * has no SQLSTATE: it is told by its words, which are never translated here. A state that is not in
 * the table is tried again: the engine limits and reports that. */
#include "sources/postgres/session_errors.h"

#include "engine/base/assert.h"

struct error_rule {
    const char *state;
    enum error_kind kind;
    const char *cure;
};

static const char rights_cure[] = "grant the user REPLICATION, SELECT on the captured tables, and "
                                  "for a publication of our own CREATE on the database and the "
                                  "tables' ownership";

static const struct error_rule rules[] = {
    { "28P01", ERROR_CONFIG, "check username and password" },
    { "28000", ERROR_CONFIG,
      "look at pg_hba.conf: the user, its address, TLS, and for the log a "
      "line for the database" },
    { "3D000", ERROR_CONFIG, "check the name of the database" },
    { "42501", ERROR_CONFIG, rights_cure },
    { "42P01", ERROR_DATA, NULL },  /* no such table */
    { "42703", ERROR_DATA, NULL },  /* no such column */
    { "42704", ERROR_RETRY, NULL }, /* no such object: a slot or publication that is going */
    { "42710", ERROR_RETRY, NULL }, /* it is there already: somebody else made it */
    { "55006", ERROR_RETRY,
      "another reader has the slot: give each pipeline a slot.name of its own" },
    { "53300", ERROR_RETRY,
      "the server has no free connection: raise max_connections, or "
      "max_wal_senders for the log" },
    { "53400", ERROR_RETRY,
      "no replication slot is free: raise max_replication_slots, or drop one "
      "that nobody uses" },
    { "55000", ERROR_CONFIG, "is wal_level logical?" },
    { "58P01", ERROR_LOST, NULL },  /* a WAL segment that is gone */
    { "57014", ERROR_RETRY, NULL }, /* cancelled, or statement_timeout */
    { "25006", ERROR_CONFIG, "the server is read only: a standby" },
    { "0A000", ERROR_CONFIG, NULL },
    { "42", ERROR_CONFIG, NULL },
    { "22023", ERROR_RETRY, NULL }, /* a snapshot that is gone with its session */
    { "22", ERROR_DATA, NULL },
    { "P0001", ERROR_CONFIG, "raised by a function of the database, as an event trigger's" },
};

static const struct library_rule {
    const char *words;
    enum error_kind kind;
    const char *cure;
} library_rules[] = {
    { "root certificate file", ERROR_CONFIG,
      "set ssl.ca to the file of the authority that signed "
      "the server's certificate" },
    { "certificate", ERROR_CONFIG, "check ssl.ca and the name in the server's certificate" },
    { "server does not support SSL", ERROR_CONFIG,
      "turn on ssl in postgresql.conf, or set "
      "ssl.mode: prefer" },
    { "private key", ERROR_CONFIG, "check ssl.key: its file must not be readable by others" },
    { "no password supplied", ERROR_CONFIG, "set password, or a passfile that holds it" },
    { "definition of service", ERROR_CONFIG, "check service, and PGSERVICEFILE" },
    { "could not translate host name", ERROR_RETRY, "the host name cannot be resolved" },
    { "Connection refused", ERROR_RETRY,
      "is the server running, and are hostname and port right?" },
};

int sqlstate_code(const char *state)
{
    int code = 0;
    for (; *state; state++)
        code = code * 36 + (*state <= '9' ? *state - '0' : *state - 'A' + 10);
    return code;
}

static const struct error_rule *rule_of(const char *state)
{
    for (size_t i = 0; i < ARRAY_SIZE(rules) && *state; i++)
        if (strncmp(rules[i].state, state, strlen(rules[i].state)) == 0)
            return &rules[i];
    return NULL;
}

static const struct library_rule *library_rule_of(struct bytes text)
{
    for (size_t i = 0; i < ARRAY_SIZE(library_rules); i++)
        if (memmem(text.data, text.size, library_rules[i].words, strlen(library_rules[i].words)))
            return &library_rules[i];
    return NULL;
}

bool session_failure(struct error *err, const char *state, struct bytes text)
{
    const struct error_rule *rule = rule_of(state);
    const struct library_rule *library = *state ? NULL : library_rule_of(text);
    enum error_kind kind = rule ? rule->kind : library ? library->kind : ERROR_RETRY;
    const char *cure = rule ? rule->cure : library ? library->cure : NULL;
    int cut = text.size > 280 ? 280 : (int)text.size;
    error_code(err, kind, *state ? sqlstate_code(state) : 0, "%.*s%s%s%s%s%s", cut,
               (const char *)text.data, *state ? " (SQLSTATE " : "", state, *state ? ")" : "",
               cure ? ": " : "", cure ? cure : "");
    return false;
}

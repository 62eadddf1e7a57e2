/* SPDX-License-Identifier: Apache-2.0
 *
 * A line of SHOW GRANTS is "GRANT right, right (columns) ON place TO account ..." or, for a role,
 * "GRANT role TO account". Both servers list what the roles in force give as lines of their own.
 * MariaDB puts the password's hash behind the account, so no line is ever shown. */
#include "sources/mysql/rights.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/assert.h"

static const struct {
    const char *name, *words[3];
} known[] = {
    [RIGHT_STREAM] = { "REPLICATION SLAVE", { "REPLICATION SLAVE", "REPLICATION REPLICA", NULL } },
    [RIGHT_STATUS] = { "REPLICATION CLIENT", { "REPLICATION CLIENT", "BINLOG MONITOR", "SUPER" } },
    [RIGHT_SELECT] = { "SELECT", { "SELECT", NULL, NULL } },
    [RIGHT_LOCK] = { "LOCK TABLES", { "LOCK TABLES", NULL, NULL } },
};

const char *right_name(enum right right) { return known[right].name; }

/* A word of the list, at `at`: up to a comma, a bracket or the end. */
static bool list_has(struct bytes list, const char *word)
{
    size_t size = strlen(word);
    for (size_t at = 0; at < list.size;) {
        size_t left = list.size - at;
        if (left >= size && memcmp(list.data + at, word, size) == 0 &&
            (left == size || list.data[at + size] == ',' || list.data[at + size] == ' '))
            return true;
        while (at < list.size && list.data[at] != ',')
            at++;
        while (at < list.size && (list.data[at] == ',' || list.data[at] == ' '))
            at++;
    }
    return false;
}

static void read_line(struct rights *rights, struct bytes line)
{
    static const char start[] = "GRANT ", middle[] = " ON ";
    if (line.size < sizeof start || memcmp(line.data, start, sizeof start - 1) != 0)
        return;
    const uint8_t *words = line.data + sizeof start - 1;
    const uint8_t *place = memmem(words, line.size - sizeof start + 1, middle, sizeof middle - 1);
    if (!place)
        return;
    struct bytes list = { words, (size_t)(place - words) };
    place += sizeof middle - 1;
    size_t left = (size_t)(line.data + line.size - place);
    bool everywhere = left >= 3 && memcmp(place, "*.*", 3) == 0;
    bool all = list_has(list, "ALL PRIVILEGES");
    for (size_t right = 0; right < RIGHT_COUNT; right++) {
        bool held = all;
        for (size_t i = 0; i < ARRAY_SIZE(known[right].words); i++)
            held |= known[right].words[i] && list_has(list, known[right].words[i]);
        rights->held[right] |= held && (everywhere || right >= RIGHT_SELECT);
        if (right == RIGHT_SELECT)
            rights->select_everywhere |= held && everywhere;
    }
}

/* "user@host" of CURRENT_USER(); the user's name may hold an @ too. */
static void set_grantee(struct rights *rights, struct bytes account)
{
    const uint8_t *at = account.data ? memrchr(account.data, '@', account.size) : NULL;
    if (!at) {
        snprintf(rights->grantee, sizeof rights->grantee, "the user");
        return;
    }
    int user = (int)(at - account.data), host = (int)(account.size - (size_t)user - 1);
    snprintf(rights->grantee, sizeof rights->grantee, "`%.*s`@`%.*s`", user,
             (const char *)account.data, host, (const char *)at + 1);
}

bool rights_read(struct connection *connection, struct rights *rights, struct error *err)
{
    struct rights found = { .select_everywhere = false };
    struct arena arena = { 0 };
    struct result grants, account;
    bool ok = connection_query(connection, BYTES_LITERAL("SELECT CURRENT_USER()"), 1, &arena,
                               &account, err) &&
              connection_query(connection, BYTES_LITERAL("SHOW GRANTS"), 0, &arena, &grants, err);
    if (ok) {
        set_grantee(&found, account.row_count ? account.cells[0] : (struct bytes){ 0 });
        for (uint32_t i = 0; i < grants.row_count; i++)
            read_line(&found, grants.cells[(size_t)i * grants.column_count]);
        *rights = found;
    }
    arena_done(&arena);
    return ok;
}

void rights_cure(const struct rights *rights, enum right right, char *out, size_t size)
{
    snprintf(out, size, "GRANT %s ON *.* TO %s", known[right].name, rights->grantee);
}

bool rights_suffice(const struct rights *rights, struct error *err)
{
    char cure[280];
    for (size_t right = 0; right < RIGHT_NEEDED; right++) {
        if (rights->held[right])
            continue;
        rights_cure(rights, (enum right)right, cure, sizeof cure);
        return error_set(err, ERROR_CONFIG, "the user %s lacks the right %s: %s", rights->grantee,
                         known[right].name, cure);
    }
    return true;
}

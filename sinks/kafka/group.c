/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/group.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/base/assert.h"

rd_kafka_topic_partition_list_t *group_mark_make(const struct kafka_options *options,
                                                 const char *label, uint64_t owner,
                                                 const struct group_facts *facts)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *item =
        rd_kafka_topic_partition_list_add(list, (const char *)options->transaction_topic.data, 0);
    enum { SIZE = LOAD_LABEL_SIZE + 80 };
    item->metadata = rd_kafka_mem_malloc(NULL, SIZE); /* the list frees it */
    ASSERT(item->metadata);
    item->metadata_size = (size_t)snprintf(
        item->metadata, SIZE, "%s %016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %" PRIu32, label,
        owner, facts->mark, facts->since, facts->workers);
    item->offset = 0;
    return list;
}

static bool mark_parse(struct bytes metadata, struct group_mark *out)
{
    const uint8_t *space = metadata.size ? memchr(metadata.data, ' ', metadata.size) : NULL;
    size_t size = space ? (size_t)(space - metadata.data) : 0;
    if (size == 0 || size >= sizeof out->label)
        return false;
    char numbers[80];
    snprintf(numbers, sizeof numbers, "%.*s", (int)(metadata.size - size - 1),
             (const char *)space + 1);
    memcpy(out->label, metadata.data, size);
    out->label[size] = '\0';
    out->found = sscanf(numbers, "%16" SCNx64 " %16" SCNx64 " %16" SCNx64 " %" SCNu32, &out->owner,
                        &out->facts.mark, &out->facts.since, &out->facts.workers) >= 1;
    return out->found;
}

/* Why a group's coordinator is not found is not told to the one who asks, but to who polls. */
static rd_kafka_resp_err_t complaint(rd_kafka_t *handle)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (rd_kafka_message_t *message; (message = rd_kafka_consumer_poll(handle, 0));) {
        if (!code && client_error_kind(message->err) == ERROR_CONFIG)
            code = message->err;
        rd_kafka_message_destroy(message);
    }
    return code;
}

bool group_ask(struct kafka_client *client, const char *group, int timeout_ms,
               struct group_mark *out, struct error *err)
{
    *out = (struct group_mark){ .found = false };
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *item = rd_kafka_topic_partition_list_add(
        list, (const char *)client->options->transaction_topic.data, 0);
    rd_kafka_resp_err_t code = rd_kafka_committed(client->handle, list, timeout_ms);
    code = code ? code : item->err;
    rd_kafka_resp_err_t refused = complaint(client->handle);
    if (code == RD_KAFKA_RESP_ERR__TIMED_OUT && refused)
        code = refused;
    bool ok = true;
    if (code)
        ok = client_fail(client, code, "reading the group's offset", rd_kafka_err2str(code), err);
    else if (item->offset >= 0 &&
             !mark_parse((struct bytes){ item->metadata, item->metadata_size }, out))
        ok = error_set(err, ERROR_CONFIG,
                       "Kafka: the group '%s' holds an offset that no agent "
                       "wrote: set another sink.transactional-id-prefix",
                       group);
    rd_kafka_topic_partition_list_destroy(list);
    return ok;
}

bool group_read(const struct kafka_options *options, const char *group, bool settled,
                struct group_mark *out, struct error *err)
{
    struct kafka_client client;
    client_init(&client, options);
    bool ok =
        client_open(&client, &(struct client_role){ .group = group, .settled = settled }, err) &&
        group_ask(&client, group, (int)options->request_timeout_ms, out, err);
    client_done(&client);
    return ok;
}

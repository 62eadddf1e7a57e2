/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/group.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"

rd_kafka_topic_partition_list_t *group_mark_make(const struct kafka_options *options,
                                                 const char *label, uint64_t owner)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *item =
        rd_kafka_topic_partition_list_add(list, (const char *)options->transaction_topic.data, 0);
    enum { SIZE = LOAD_LABEL_SIZE + 32 };
    item->metadata = rd_kafka_mem_malloc(NULL, SIZE); /* the list frees it */
    ASSERT(item->metadata);
    item->metadata_size = (size_t)snprintf(item->metadata, SIZE, "%s %016" PRIx64, label, owner);
    item->offset = 0;
    return list;
}

static bool mark_parse(struct bytes metadata, struct group_mark *out)
{
    const uint8_t *space = metadata.size ? memchr(metadata.data, ' ', metadata.size) : NULL;
    size_t size = space ? (size_t)(space - metadata.data) : 0;
    if (size == 0 || size >= sizeof out->label)
        return false;
    char owner[32];
    snprintf(owner, sizeof owner, "%.*s", (int)(metadata.size - size - 1), (const char *)space + 1);
    memcpy(out->label, metadata.data, size);
    out->label[size] = '\0';
    out->owner = strtoull(owner, NULL, 16);
    out->found = true;
    return true;
}

static bool offsets_parse(struct kafka_client *admin, const rd_kafka_group_result_t *group,
                          struct group_mark *out, struct error *err)
{
    const rd_kafka_error_t *error = rd_kafka_group_result_error(group);
    if (error)
        return client_fail(admin, rd_kafka_error_code(error), "reading the group's offset",
                           rd_kafka_error_string(error), err);
    const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(group);
    const rd_kafka_topic_partition_t *item = list && list->cnt > 0 ? &list->elems[0] : NULL;
    if (item && item->err)
        return client_fail(admin, item->err, "reading the group's offset",
                           rd_kafka_err2str(item->err), err);
    if (!item || item->offset < 0)
        return true;
    return mark_parse((struct bytes){ item->metadata, item->metadata_size }, out) ||
           error_set(err, ERROR_CONFIG,
                     "Kafka: the group '%s' holds an offset that no agent wrote: set another "
                     "sink.transactional-id-prefix",
                     rd_kafka_group_result_name(group));
}

static bool event_parse(struct kafka_client *admin, rd_kafka_event_t *event, struct group_mark *out,
                        struct error *err)
{
    static const char what[] = "reading the group's offset";
    if (!event)
        return client_fail(admin, RD_KAFKA_RESP_ERR__TIMED_OUT, what, "no answer", err);
    if (rd_kafka_event_error(event))
        return client_fail(admin, rd_kafka_event_error(event), what,
                           rd_kafka_event_error_string(event), err);
    size_t count = 0;
    const rd_kafka_group_result_t **groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
    if (count != 1)
        return client_fail(admin, RD_KAFKA_RESP_ERR__BAD_MSG, what, "an empty answer", err);
    return offsets_parse(admin, groups[0], out, err);
}

bool group_read(struct kafka_client *admin, const char *group, struct group_mark *out,
                struct error *err)
{
    *out = (struct group_mark){ .found = false };
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, (const char *)admin->options->transaction_topic.data,
                                      0);
    rd_kafka_ListConsumerGroupOffsets_t *wish = rd_kafka_ListConsumerGroupOffsets_new(group, list);
    rd_kafka_topic_partition_list_destroy(list);
    int timeout_ms = (int)admin->options->request_timeout_ms;
    char text[200];
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(admin->handle, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text, sizeof text);
    rd_kafka_error_t *error = rd_kafka_AdminOptions_set_require_stable_offsets(options, 1);
    ASSERT(!error);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(admin->handle);
    rd_kafka_ListConsumerGroupOffsets(admin->handle, &wish, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
    bool ok = event_parse(admin, event, out, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(wish);
    return ok;
}

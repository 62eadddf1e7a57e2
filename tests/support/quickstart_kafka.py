# SPDX-License-Identifier: Apache-2.0
"""The quickstart's other side, when it is Apache Kafka."""

import os

from . import sample_shop
from .compare_kafka import KafkaComparison
from .kafka_server import Kafka

# A Flink SQL table over a topic: the numbers of debezium-json are those of Kafka Connect.
_FLINK_SQL = """CREATE TABLE settings (name STRING, `value` STRING, PRIMARY KEY (name) NOT ENFORCED)
WITH ('connector' = 'kafka', 'topic' = 'shop.settings', 'format' = 'debezium-json',
      'properties.bootstrap.servers' = '{address}', 'scan.startup.mode' = 'earliest-offset',
      'properties.isolation.level' = 'read_committed');
SELECT * FROM settings;"""


def flink_sql(address):
    return _FLINK_SQL.format(address=address)


class KafkaTarget:
    """What the quickstart's lab has instead of ClickHouse."""

    place, things = "Kafka", "topics"

    def make_target(self):
        self.kafka = Kafka(os.path.join(self.folder, "kafka"))
        return self.kafka

    def make_comparison(self):
        return KafkaComparison(self.database, self.kafka)

    def change_schema(self):
        """What a statement does to rows without telling each of them is in no topic."""
        sample_shop.add_columns(self.database)

    def has_setting(self, name):
        return any(name in (message.key or "") for message in
                   self.kafka.messages("shop.settings"))

    def how_to_look(self):
        address = self.kafka.address
        sql = "\n".join(f"    {line}" for line in flink_sql(address).split("\n"))
        return f"""\
  kcat -b {address} -L
  kcat -b {address} -C -t shop.customers -o -3 -e -X isolation.level=read_committed
  in Flink SQL, with Flink's Kafka connector:
{sql}"""

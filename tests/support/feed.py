# SPDX-License-Identifier: Apache-2.0
"""A database of a source and an agent that sends it to Kafka."""

import os

from .agent import Agent
from .process import wait_for


class Feed:
    """A database of a source and an agent that sends it to topics of its own."""

    def __init__(self, source, kafka, name, folder):
        self.source, self.kafka, self.name, self.folder = source, kafka, name, folder
        self.agent = None
        source.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")

    def execute(self, *statements):
        self.source.execute(*statements, database=self.name)

    def start(self, sink=None, pipeline=None, environment=None, wait=True, source=None):
        self.agent = Agent(
            os.path.join(self.folder, "agent"),
            self.source.source_options(**{"tables": rf"{self.name}.\.*", **(source or {})}),
            self.kafka.sink_options(**{"sink.buffer-flush.interval": "50ms", **(sink or {})}),
            pipeline={"name": self.name, **(pipeline or {})}, environment=environment)
        return self.agent.start(wait)

    def messages(self, table, committed=True):
        return self.kafka.messages(f"{self.name}.{table}", committed)

    def wait_messages(self, table, count, timeout=60):
        """The messages of a table once there are `count` of them; more are a failure."""
        def enough():
            self.agent.check_alive()
            if f"{self.name}.{table}" not in self.kafka.topics():
                return None
            found = self.messages(table)
            return found if len(found) >= count else None

        try:
            found = wait_for(enough, timeout, f"{count} messages", interval=0.3)
        except TimeoutError as error:
            raise AssertionError(f"{error}\nthe agent's log ends:\n{self.agent.log(25)}") from None
        assert len(found) == count, found
        return found

    def end(self):
        if self.agent:
            self.agent.stop()
        self.source.execute(f"DROP DATABASE IF EXISTS {self.name}")

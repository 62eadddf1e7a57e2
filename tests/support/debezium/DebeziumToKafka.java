// SPDX-License-Identifier: Apache-2.0
//
// Debezium's engine, which sends what it reads to Kafka as Debezium Server does: a batch is sent,
// all its answers are awaited, then it counts as processed.
//
//   java DebeziumToKafka CONFIG.properties BOOTSTRAP json|avro ROWS
//
// Ends by itself after so many row events (0: never), or by SIGTERM. Prints "half ROWS CPU TIME"
// when half of them are there, with the seconds of both that had gone, and "rows N" at the end.
import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.Header;
import io.debezium.engine.format.Avro;
import io.debezium.engine.format.Json;
import io.debezium.engine.format.KeyValueHeaderChangeEventFormat;
import java.io.FileReader;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class DebeziumToKafka {
    static final CountDownLatch ended = new CountDownLatch(1);
    static final Set<String> topics = new HashSet<>();
    static KafkaProducer<byte[], byte[]> producer;
    static Admin admin;
    static String tables; // begins the names of the topics of rows
    static long wanted;
    static long rows;

    static byte[] bytes(Object value) {
        return value instanceof String ? ((String) value).getBytes(StandardCharsets.UTF_8)
                                       : (byte[]) value;
    }

    static double cpuSeconds() {
        com.sun.management.OperatingSystemMXBean bean =
                (com.sun.management.OperatingSystemMXBean)
                        ManagementFactory.getOperatingSystemMXBean();
        return bean.getProcessCpuTime() / 1e9;
    }

    /**
     * As Kafka Connect does, with the broker's defaults. Its partitions must be led before the
     * first record: of two batches to one that the broker does not know yet, the second may be
     * taken and the first refused.
     */
    static void makeTopic(String name) throws InterruptedException {
        if (!topics.add(name)) {
            return;
        }
        try {
            admin.createTopics(List.of(new NewTopic(name, Optional.empty(), Optional.empty())))
                    .all().get();
        } catch (java.util.concurrent.ExecutionException refused) {
            if (!(refused.getCause() instanceof TopicExistsException)) {
                throw new RuntimeException(refused);
            }
        }
        try {
            Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
            for (PartitionInfo partition : producer.partitionsFor(name)) {
                ends.put(new TopicPartition(name, partition.partition()), OffsetSpec.latest());
            }
            admin.listOffsets(ends).all().get(); // asked until the leader answers
        } catch (java.util.concurrent.ExecutionException refused) {
            throw new RuntimeException(refused);
        }
    }

    static <T> Future<?> send(ChangeEvent<T, T> event) throws InterruptedException {
        makeTopic(event.destination());
        ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(
                event.destination(), bytes(event.key()), bytes(event.value()));
        for (Header<?> header : event.<Object>headers()) {
            record.headers().add(header.getKey(), bytes(header.getValue()));
        }
        if (event.value() != null && event.destination().startsWith(tables)) {
            if (++rows == (wanted + 1) / 2) {
                System.out.println("half " + rows + " "
                        + cpuSeconds() + " "
                        + ManagementFactory.getRuntimeMXBean().getUptime() / 1e3);
            }
        }
        return producer.send(record);
    }

    static <T> void handle(List<ChangeEvent<T, T>> events,
                           DebeziumEngine.RecordCommitter<ChangeEvent<T, T>> committer)
            throws InterruptedException {
        List<Future<?>> answers = new ArrayList<>(events.size());
        for (ChangeEvent<T, T> event : events) {
            answers.add(send(event));
        }
        try {
            for (Future<?> answer : answers) {
                answer.get();
            }
        } catch (java.util.concurrent.ExecutionException refused) {
            throw new RuntimeException(refused);
        }
        for (ChangeEvent<T, T> event : events) {
            committer.markProcessed(event);
        }
        committer.markBatchFinished();
        if (wanted > 0 && rows >= wanted) {
            ended.countDown();
        }
    }

    static Properties kafka(String servers) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", servers);
        properties.put("acks", "all");
        properties.put("key.serializer", ByteArraySerializer.class.getName());
        properties.put("value.serializer", ByteArraySerializer.class.getName());
        return properties;
    }

    static DebeziumEngine<?> engine(String form, Properties settings) {
        DebeziumEngine.CompletionCallback callback = (success, message, error) -> {
            if (!success) {
                System.err.println("the engine ended: " + message);
                if (error != null) {
                    error.printStackTrace();
                }
                Runtime.getRuntime().halt(1);
            }
        };
        if (form.equals("avro")) {
            return DebeziumEngine
                    .create(KeyValueHeaderChangeEventFormat.of(Avro.class, Avro.class, Json.class))
                    .using(settings).using(callback)
                    .notifying((events, committer) -> handle(cast(events), cast(committer)))
                    .build();
        }
        return DebeziumEngine
                .create(KeyValueHeaderChangeEventFormat.of(Json.class, Json.class, Json.class))
                .using(settings).using(callback)
                .notifying((events, committer) -> handle(cast(events), cast(committer)))
                .build();
    }

    @SuppressWarnings("unchecked")
    static <A, B> B cast(A value) {
        return (B) value;
    }

    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        settings.load(new FileReader(arguments[0]));
        tables = settings.getProperty("topic.prefix") + ".";
        wanted = Long.parseLong(arguments[3]);
        producer = new KafkaProducer<>(kafka(arguments[1]));
        admin = Admin.create(kafka(arguments[1]));
        DebeziumEngine<?> engine = engine(arguments[2], settings);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                engine.close();
            } catch (java.io.IOException | IllegalStateException error) {
                System.err.println(error);
            }
            producer.close();
            System.out.println("rows " + rows);
        }));
        new Thread(engine).start();
        ended.await();
        System.exit(0);
    }
}

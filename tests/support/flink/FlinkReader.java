// SPDX-License-Identifier: Apache-2.0
//
// Reads messages with the formats of Apache Flink, as a Flink SQL table would:
//
//   java FlinkReader.java FORMAT "ROW<id INT, ...>"
//
// Standard input: per message its size (u32, big endian) and its bytes. Standard output: per row the
// kind of change, then each field as Base64 of its text, "-" for NULL.
import java.io.DataInputStream;
import java.io.EOFException;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.formats.common.TimestampFormat;
import org.apache.flink.formats.json.canal.CanalJsonDeserializationSchema;
import org.apache.flink.formats.json.debezium.DebeziumJsonDeserializationSchema;
import org.apache.flink.formats.json.maxwell.MaxwellJsonDeserializationSchema;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.utils.LogicalTypeParser;
import org.apache.flink.table.types.utils.TypeConversions;
import org.apache.flink.util.Collector;

public class FlinkReader {
    static DeserializationSchema<RowData> schema(String format, RowType type) {
        DataType data = TypeConversions.fromLogicalToDataType(type);
        InternalTypeInfo<RowData> info = InternalTypeInfo.of(type);
        switch (format) {
            case "debezium-json":
                return new DebeziumJsonDeserializationSchema(
                        data, Collections.emptyList(), info, false, false,
                        TimestampFormat.ISO_8601);
            case "debezium-json-flink":
                return new DebeziumJsonDeserializationSchema(
                        data, Collections.emptyList(), info, false, false, TimestampFormat.SQL);
            case "canal-json":
                return CanalJsonDeserializationSchema.builder(data, Collections.emptyList(), info)
                        .setIgnoreParseErrors(false)
                        .setTimestampFormat(TimestampFormat.SQL)
                        .build();
            case "maxwell-json":
                return new MaxwellJsonDeserializationSchema(
                        data, Collections.emptyList(), info, false, TimestampFormat.SQL);
            default:
                throw new IllegalArgumentException(format);
        }
    }

    static String text(Object value, LogicalType type) {
        switch (type.getTypeRoot()) {
            case DATE:
                return LocalDate.ofEpochDay((Integer) value).toString();
            case VARBINARY:
                return HexFormat.of().withUpperCase().formatHex((byte[]) value);
            case BOOLEAN:
                return (Boolean) value ? "1" : "0";
            case ARRAY: {
                ArrayData array = (ArrayData) value;
                List<String> items = new ArrayList<>();
                for (int i = 0; i < array.size(); i++) {
                    items.add(array.getString(i).toString());
                }
                return String.join(",", items);
            }
            case TIMESTAMP_WITHOUT_TIME_ZONE:
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                return value.toString().replace('T', ' ');
            default:
                return value.toString();
        }
    }

    static void print(RowData row, RowType type, RowData.FieldGetter[] getters) {
        StringBuilder line = new StringBuilder(row.getRowKind().shortString());
        for (int i = 0; i < getters.length; i++) {
            Object value = getters[i].getFieldOrNull(row);
            line.append(' ');
            line.append(value == null ? "-" : Base64.getEncoder().encodeToString(
                    text(value, type.getTypeAt(i)).getBytes(StandardCharsets.UTF_8)));
        }
        System.out.println(line);
    }

    public static void main(String[] arguments) throws Exception {
        RowType type = (RowType) LogicalTypeParser.parse(
                arguments[1], FlinkReader.class.getClassLoader());
        RowData.FieldGetter[] getters = new RowData.FieldGetter[type.getFieldCount()];
        for (int i = 0; i < getters.length; i++) {
            getters[i] = RowData.createFieldGetter(type.getTypeAt(i), i);
        }
        DeserializationSchema<RowData> schema = schema(arguments[0], type);
        schema.open(null);
        Collector<RowData> printer = new Collector<RowData>() {
            @Override
            public void collect(RowData row) {
                print(row, type, getters);
            }

            @Override
            public void close() {}
        };
        DataInputStream input = new DataInputStream(System.in);
        while (true) {
            int size;
            try {
                size = input.readInt();
            } catch (EOFException end) {
                return;
            }
            byte[] message = new byte[size];
            input.readFully(message);
            schema.deserialize(message, printer);
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
//
// Runs the statements of its standard input, which end with semicolons, in Flink SQL. Each row of a
// SELECT is a line: the kind of its change, then its fields, with tabs between.
import java.nio.charset.StandardCharsets;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

public class FlinkSql {
    static void print(Row row) {
        StringBuilder line = new StringBuilder(row.getKind().shortString());
        for (int i = 0; i < row.getArity(); i++) {
            line.append('\t').append(row.getField(i));
        }
        System.out.println(line);
    }

    public static void main(String[] arguments) throws Exception {
        Configuration settings = new Configuration();
        settings.setString("parallelism.default", "1");
        settings.setString("taskmanager.memory.managed.size", "32m");
        settings.setString("taskmanager.memory.network.min", "8m");
        settings.setString("taskmanager.memory.network.max", "8m");
        TableEnvironment environment = TableEnvironment.create(
                EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(settings)
                        .build());
        String script = new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
        for (String statement : script.split(";")) {
            if (statement.isBlank()) {
                continue;
            }
            TableResult result = environment.executeSql(statement);
            if (!statement.strip().startsWith("SELECT")) {
                continue;
            }
            try (CloseableIterator<Row> rows = result.collect()) {
                rows.forEachRemaining(FlinkSql::print);
            }
        }
    }
}

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.jayway.jsonpath.Configuration;
import com.jayway.jsonpath.JsonPath;
import com.jayway.jsonpath.internal.PathCompiler;
import com.jayway.jsonpath.spi.json.JacksonJsonNodeJsonProvider;
import com.jayway.jsonpath.spi.mapper.JacksonMappingProvider;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.util.Deque;
import java.util.Map;

/**
 * Answers each line {"path", "document"} of the standard input with one line: {"kind": "value", "value"}, {"kind":
 * "refused"} for what is no path, or {"kind": "failed", "error", "words"} for a path that can't be followed.
 */
public final class PathReference {
    private static final int CACHE_SIZE = 200;

    public static void main(String[] arguments) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        Configuration settings = Configuration.builder()
            .jsonProvider(new JacksonJsonNodeJsonProvider())
            .mappingProvider(new JacksonMappingProvider())
            .build();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream answers = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        Object cache = member(PathCompiler.class, "cache", null);
        Deque<?> asked = (Deque<?>) member(cache.getClass(), "queue", cache);
        Map<?, ?> compiled = (Map<?, ?>) member(cache.getClass(), "map", cache);
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            JsonNode pair = mapper.readTree(line);
            answers.println(mapper.writeValueAsString(answer(mapper.createObjectNode(), pair, settings)));
            if (asked.size() > CACHE_SIZE) {
                // Its notes grow with every path it was ever asked for, and it searches them at each question.
                asked.clear();
                compiled.clear();
            }
            if (!lines.ready()) {
                answers.flush();
            }
        }
        answers.flush();
    }

    private static Object member(Class<?> holder, String name, Object of) throws ReflectiveOperationException {
        Field field = holder.getDeclaredField(name);
        field.setAccessible(true);
        return field.get(of);
    }

    private static ObjectNode answer(ObjectNode answer, JsonNode pair, Configuration settings) {
        JsonPath path;
        try {
            path = JsonPath.compile(pair.get("path").textValue());
        } catch (RuntimeException | StackOverflowError refused) {
            return answer.put("kind", "refused");
        }
        try {
            JsonNode value = path.read((Object) pair.get("document"), settings);
            answer.set("value", value);
            return answer.put("kind", "value");
        } catch (RuntimeException | StackOverflowError failed) {
            answer.put("error", failed.getClass().getSimpleName()).put("words", failed.getMessage());
            return answer.put("kind", "failed");
        }
    }
}

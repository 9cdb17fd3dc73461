import java.util.Map;

/** Doubles a number, but every twentieth. */
public class Handler {
    public Map<String, Object> handleRequest(Map<String, Integer> row) {
        int n = row.get("n");
        if (n % 20 == 0) {
            throw new IllegalArgumentException(n + " can't be doubled");
        }
        return Map.of("language", "java", "twice", 2 * n);
    }
}

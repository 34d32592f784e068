import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;

/** Runs the scripts that the command line names, in one JVM: a program as ../doc.go describes it. */
public class Main {
    /** A script is given the bootstrap addresses. */
    interface Script {
        void run(String brokers, Say say) throws Exception;
    }

    /** What a script reports. */
    static final class Say {
        private static final ObjectMapper JSON = new ObjectMapper();
        private static final BufferedReader ANSWERS = new BufferedReader(new InputStreamReader(System.in));
        private static final PrintStream OUT = System.out;
        private final String script;

        Say(String script) {
            this.script = script;
        }

        void saw(String step, Object what) throws Exception {
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("script", script);
            line.put("step", step);
            line.put("saw", what);
            OUT.println(JSON.writeValueAsString(line));
        }

        /** The class and the text of what a call throws, or "done". */
        void outcome(String step, Callable<?> call) throws Exception {
            saw(step, outcomeOf(call));
        }

        /** Asks for brokers to be restarted, and returns when they are. */
        void restart() throws Exception {
            OUT.println(JSON.writeValueAsString(Map.of("script", script, "ask", "restart")));
            if (!"done".equals(ANSWERS.readLine())) {
                throw new IllegalStateException("the suite has gone");
            }
        }

        private void end() throws Exception {
            OUT.println(JSON.writeValueAsString(Map.of("script", script, "end", true)));
        }
    }

    static String outcomeOf(Callable<?> call) {
        try {
            call.call();
            return "done";
        } catch (Throwable e) {
            Throwable cause = e;
            while (cause.getCause() != null && (cause instanceof java.util.concurrent.ExecutionException || cause.getClass() == org.apache.kafka.common.KafkaException.class)) {
                cause = cause.getCause();
            }
            return cause.getClass().getSimpleName() + ": " + cause.getMessage();
        }
    }

    /** Waits until something is so. */
    static void until(String what, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + Duration.ofSeconds(90).toNanos();
        while (!condition.call()) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException(what + " does not come to be");
            }
            Thread.sleep(20);
        }
    }

    /** Waits until something is so whichever broker is asked: brokers learn of a change one after the other. */
    static void settled(String what, Callable<Boolean> condition) throws Exception {
        int[] inRow = {0};
        until(what, () -> {
            inRow[0] = condition.call() ? inRow[0] + 1 : 0;
            return inRow[0] == 20;
        });
    }

    private static final Map<String, Script> SCRIPTS = new LinkedHashMap<>();

    static {
        SCRIPTS.put("java/produce", Produce::run);
        SCRIPTS.put("java/groups", Groups::classic);
        SCRIPTS.put("java/consumer-protocol", Groups::consumerProtocol);
        SCRIPTS.put("java/shares", Shares::run);
        SCRIPTS.put("java/transactions", Transactions::run);
        SCRIPTS.put("java/admin", Administration::run);
        SCRIPTS.put("java/errors", Errors::run);
        SCRIPTS.put("java/restart", Restart::run);
        SCRIPTS.put("java/rights", Rights::run);
        SCRIPTS.put("streams/exactly-once", Streaming::exactlyOnce);
        SCRIPTS.put("streams/joins", Streaming::joins);
        SCRIPTS.put("connect/dead-letters", Connecting::deadLetters);
        SCRIPTS.put("mirrormaker/mirror", Mirroring::run);
        SCRIPTS.put("mirrormaker/across", Mirroring::across);
        SCRIPTS.put("spring/retryable-topic", Spring::retryableTopic);
        SCRIPTS.put("spring/transactions", Spring::transactions);
    }

    public static void main(String[] args) {
        Thread watch = new Thread(() -> {
            try {
                Thread.sleep(Duration.ofSeconds(340).toMillis());
            } catch (InterruptedException e) {
                return;
            }
            Thread.getAllStackTraces().forEach((t, stack) -> { // which is where a script hangs
                System.err.println(t.getName());
                Arrays.stream(stack).limit(12).forEach(f -> System.err.println("    " + f));
            });
            Runtime.getRuntime().halt(2);
        });
        watch.setDaemon(true);
        watch.start();
        for (String name : Arrays.copyOfRange(args, 1, args.length)) {
            Say say = new Say(name);
            try {
                SCRIPTS.get(name).run(args[0], say);
                say.end();
            } catch (Throwable e) {
                System.err.print(name + ": ");
                e.printStackTrace();
                Runtime.getRuntime().halt(1);
            }
        }
        Runtime.getRuntime().halt(0);
    }
}

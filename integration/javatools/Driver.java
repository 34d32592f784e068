import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/** Runs main methods one after the other. Each line of the file: a class, its standard input in base64, its arguments in base64, by tabs. */
public class Driver {
    static final class Ended extends Error {
        final int status;

        Ended(int status) {
            super("exit " + status, null, false, false);
            this.status = status;
        }
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = System.out;
        int[] first = new int[1];
        Exit.Procedure end = (status, message) -> {
            if (first[0] < 0) {
                first[0] = status;
            }
            throw new Ended(status);
        };
        Exit.setExitProcedure(end);
        Exit.setHaltProcedure(end);
        List<Runnable> hooks = new ArrayList<>(); // some tools finish in them
        Exit.setShutdownHookAdder((name, runnable) -> hooks.add(runnable));
        for (String line : Files.readAllLines(Path.of(args[0]))) {
            String[] parts = line.split("\t", -1);
            String[] toolArgs = new String[parts.length - 2];
            for (int i = 0; i < toolArgs.length; i++) {
                toolArgs[i] = new String(Base64.getDecoder().decode(parts[i + 2]), StandardCharsets.UTF_8);
            }
            InputStream in = new ByteArrayInputStream(Base64.getDecoder().decode(parts[1]));
            ByteArrayOutputStream said = new ByteArrayOutputStream();
            PrintStream both = new PrintStream(said, true, StandardCharsets.UTF_8);
            System.setIn(in);
            System.setOut(both);
            System.setErr(both);
            first[0] = -1;
            int status = 0;
            long began = System.nanoTime();
            try {
                scala(() -> Class.forName(parts[0]).getMethod("main", String[].class).invoke(null, (Object) toolArgs), both);
            } catch (Ended e) {
                status = e.status;
            } catch (Throwable e) {
                e.printStackTrace(both);
                status = 99;
            }
            if (first[0] >= 0) {
                status = first[0];
            }
            for (Runnable hook : List.copyOf(hooks)) {
                hook.run();
            }
            hooks.clear();
            both.flush();
            out.println(status + "\t" + (System.nanoTime() - began) / 1_000_000 + "\t" + Base64.getEncoder().encodeToString(said.toByteArray()));
            out.flush();
        }
        Runtime.getRuntime().halt(0);
    }

    interface Call {
        Object run() throws Throwable;
    }

    /** Scala's Console remembers standard output when it is first used. */
    static void scala(Call call, PrintStream to) throws Throwable {
        scala.Function0<Object> body = new scala.runtime.AbstractFunction0<>() {
            @Override
            public Object apply() {
                try {
                    return call.run();
                } catch (InvocationTargetException e) {
                    throw Driver.<RuntimeException>sneak(e.getCause());
                } catch (Throwable e) {
                    throw Driver.<RuntimeException>sneak(e);
                }
            }
        };
        scala.Console$.MODULE$.withOut(to, body);
    }

    @SuppressWarnings("unchecked")
    static <T extends Throwable> T sneak(Throwable t) throws T {
        throw (T) t;
    }
}

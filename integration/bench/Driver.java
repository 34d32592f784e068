import io.confluent.parallelconsumer.ParallelConsumerOptions;
import io.confluent.parallelconsumer.ParallelConsumerOptions.CommitMode;
import io.confluent.parallelconsumer.ParallelConsumerOptions.ProcessingOrder;
import io.confluent.parallelconsumer.ParallelStreamProcessor;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** What parallel-consumer does of the tasks of the bench command; flags and output are those of bench/task. */
public final class Driver {
  private static final int WARM = 2000;

  public static void main(String[] args) throws Exception {
    Map<String, String> flags = new HashMap<>();
    for (int i = 0; i < args.length; i++) {
      String name = args[i].replaceFirst("^-+", "");
      int at = name.indexOf('=');
      if (at >= 0) flags.put(name.substring(0, at), name.substring(at + 1));
      else flags.put(name, args[++i]);
    }
    String kind = flags.get("kind");
    int records = Integer.parseInt(flags.get("records"));
    switch (kind) {
      case "work":
        run(flags, flags.get("group") + "-warm", records, false); // the JVM compiles what is hot
        print(run(flags, flags.get("group"), records, false));
        break;
      case "open":
        print(run(flags, flags.get("group"), WARM + records, true));
        break;
      default:
        throw new IllegalArgumentException("parallel-consumer does not do " + kind);
    }
    System.exit(0);
  }

  private static void print(String sample) {
    System.out.println(sample);
    System.out.flush();
  }

  private static String run(Map<String, String> flags, String group, int want, boolean open) throws Exception {
    Properties props = new Properties();
    props.put("bootstrap.servers", flags.get("brokers"));
    props.put("group.id", group);
    props.put("auto.offset.reset", "earliest");
    props.put("enable.auto.commit", "false");
    props.put("isolation.level", "read_committed");
    props.put("max.poll.records", "10000");
    KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(props, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    ParallelConsumerOptions<byte[], byte[]> options = ParallelConsumerOptions.<byte[], byte[]>builder()
        .consumer(consumer)
        .ordering(ProcessingOrder.valueOf(flags.get("order").toUpperCase(Locale.ROOT)))
        .maxConcurrency(Integer.parseInt(flags.get("ways")))
        .commitMode(CommitMode.PERIODIC_CONSUMER_ASYNCHRONOUS)
        .build();
    ParallelStreamProcessor<byte[], byte[]> processor = ParallelStreamProcessor.createEosStreamProcessor(options);
    processor.subscribe(List.of(flags.get("topic")));
    AtomicLong began = new AtomicLong();
    AtomicLong cpu = new AtomicLong();
    AtomicInteger handled = new AtomicInteger();
    AtomicInteger timed = new AtomicInteger();
    double[] took = new double[want];
    CountDownLatch done = new CountDownLatch(1);
    processor.poll(context -> {
      if (began.get() == 0 && began.compareAndSet(0, System.nanoTime())) cpu.set(cpuTime());
      ByteBuffer value = ByteBuffer.wrap(context.getSingleRecord().value());
      sleep(value.getLong());
      long due = value.getLong();
      if (open && due != 0) {
        java.time.Instant now = java.time.Instant.now();
        took[timed.getAndIncrement()] = (now.getEpochSecond() * 1_000_000_000L + now.getNano() - due) / 1e6;
      }
      int n = handled.incrementAndGet();
      if (open && n == WARM) print("ready");
      if (n == want) done.countDown();
    });
    done.await();
    double seconds = (System.nanoTime() - began.get()) / 1e9;
    double micros = (cpuTime() - cpu.get()) / 1e3;
    processor.close();
    StringBuilder sample = new StringBuilder();
    sample.append(String.format(Locale.ROOT, "{\"rate\":%f,\"cpu\":%f", want / seconds, micros / want));
    if (timed.get() > 0) {
      double[] all = Arrays.copyOf(took, timed.get());
      Arrays.sort(all);
      sample.append(String.format(Locale.ROOT, ",\"p50\":%f,\"p99\":%f", all[all.length / 2], all[(int) (all.length * 99L / 100)]));
    }
    return sample.append('}').toString();
  }

  private static void sleep(long nanos) {
    if (nanos <= 0) return;
    try {
      Thread.sleep(nanos / 1_000_000, (int) (nanos % 1_000_000));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  private static long cpuTime() {
    return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
  }
}

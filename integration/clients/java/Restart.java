import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

/** Producers and groups of both protocols live through the restart of every broker. */
final class Restart {
    private Restart() {}

    static void run(String brokers, Main.Say say) throws Exception {
        String topic = "java-restart";
        Cluster.create(brokers, topic, 3);
        List<Set<String>> seen = new ArrayList<>();
        List<Groups.Member> members = new ArrayList<>();
        for (String protocol : List.of("classic", "consumer")) {
            Set<String> all = ConcurrentHashMap.newKeySet();
            seen.add(all);
            for (int i = 0; i < 2; i++) {
                members.add(new Groups.Member(brokers, topic + "-" + protocol, topic, all, "group.protocol", protocol));
            }
        }
        Groups.Flow flow = new Groups.Flow(brokers, topic, 3);
        try (flow) {
            Main.until("both groups read", () -> seen.stream().allMatch(s -> s.size() > 50));
            say.restart();
            int before = flow.acked.size();
            Main.until("producing after", () -> flow.acked.size() > before + 100);
        }
        say.saw("failed", flow.failed);
        Main.until("all read", () -> seen.stream().allMatch(s -> s.containsAll(flow.acked)));
        for (Groups.Member m : members) {
            m.close();
        }
        for (Set<String> s : seen) {
            Set<String> lost = new TreeSet<>(flow.acked);
            lost.removeAll(s);
            say.saw("lost", lost);
        }
        var log = Cluster.read(brokers, topic);
        say.saw("written once", log.size() == flow.sent.get() && log.stream().map(r -> r.value()).distinct().count() == log.size());
        int[] last = {-1, -1, -1};
        boolean inOrder = true;
        for (var r : log) {
            int n = Integer.parseInt(r.value());
            inOrder &= n > last[r.partition()];
            last[r.partition()] = n;
        }
        say.saw("in order", inOrder);
    }
}

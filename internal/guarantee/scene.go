package guarantee

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/admin"
	"github.com/sordini-go/sordini/internal/history"
	"github.com/sordini-go/sordini/serde"
)

// scene is one run of a scenario: its topics, services and history.
type scene struct {
	t      T
	target *Target
	ctx    context.Context // ends with the test
	unique string          // in the names of topics and groups: the cluster may serve other scenarios
	log    *history.Log
	tally  *tally
	output *tail

	judgement history.Options
	admin     *kgo.Client
	topics    []*topic
	sources   []*source
	members   []*member
	injected  []Injected
	repairs   []func() // in reverse order, whatever happened
	ids       int
	judged    bool
	inspect   func(found)          // looks at what the independent reader finds in the end
	checker   *history.Checker     // judges as the run goes, where no events are kept
	report    func(history.Report) // is told what the checker says
}

// topic is a source topic of the scene.
type topic struct {
	sordini.Topic[Item]
	partitions int
}

// Item is the value of the scene's records.
type Item struct {
	ID  string `json:"id"`
	Key string `json:"key"`
	Do  string `json:"do,omitempty"` // what the standard handler makes of it

	Slow  int    `json:"slow,omitempty"`  // of chaos: how many milliseconds a handler takes; without listening to its context when it is negative
	Crash string `json:"crash,omitempty"` // of chaos: "crash:N" kills its member N times
}

func newScene(t T, target *Target) *scene {
	t.Helper()
	sc := &scene{t: t, target: target, ctx: t.Context(), tally: newTally(), output: &tail{}, unique: strings.ToLower(rand.Text()[:6])}
	sc.log = &history.Log{Sink: sc.tally}
	sc.judgement.MarksPoison = true
	var err error
	if sc.admin, err = target.Direct.NewClient(kgo.MetadataMinAge(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	return sc
}

// expect says that a group owes an end to every record of the topics.
func (sc *scene) expect(group string, order history.Order, topics ...*topic) {
	if !slices.ContainsFunc(sc.judgement.Groups, func(g history.Group) bool { return g.Name == group }) {
		sc.judgement.Groups = append(sc.judgement.Groups, history.Group{Name: group, Topics: topicNames(topics), Order: order})
	}
}

// stream lets the checker judge as the run goes, for runs whose events would fill the memory. Every group is expected by then.
func (sc *scene) stream() {
	sc.checker = history.NewChecker(sc.judgement)
	sc.log.Sink = recorders{sc.tally, sc.checker}
	sc.log.Forget = true
}

// recorders take the same events.
type recorders []history.Recorder

func (rs recorders) Record(events ...history.Event) {
	for _, r := range rs {
		r.Record(events...)
	}
}

// logger is where the services of the scene log: shown when the scenario fails.
func (sc *scene) logger(service string) *slog.Logger {
	return slog.New(slog.NewTextHandler(sc.output, &slog.HandlerOptions{Level: slog.LevelInfo})).With("service", service)
}

// topic creates a topic with 3 replicas and min.insync.replicas 2. Its records are keyed by Item.Key.
func (sc *scene) topic(partitions int, configs ...string) *topic {
	sc.t.Helper()
	return sc.createTopic(partitions, sordini.KeyOf(serde.String(), func(i Item) string { return i.Key }), configs...)
}

// unkeyedTopic creates one whose records have null keys.
func (sc *scene) unkeyedTopic(partitions int) *topic {
	sc.t.Helper()
	return sc.createTopic(partitions, sordini.Unkeyed[Item]())
}

func (sc *scene) createTopic(partitions int, key sordini.Key[Item], configs ...string) *topic {
	sc.t.Helper()
	tp := &topic{partitions: partitions, Topic: sordini.Topic[Item]{
		Name: fmt.Sprintf("t%d-%s", len(sc.topics)+1, sc.unique), Key: key, Value: serde.JSON[Item](),
		Config: sordini.TopicConfig{Partitions: partitions},
	}}
	settings := map[string]string{"min.insync.replicas": "2"}
	for i := 0; i+1 < len(configs); i += 2 {
		settings[configs[i]] = configs[i+1]
	}
	ctx, cancel := sc.patience()
	defer cancel()
	created, err := admin.CreateTopics(ctx, sc.admin, false, admin.NewTopic{Name: tp.Name, Partitions: partitions, ReplicationFactor: 3, Configs: settings})
	if err == nil {
		err = created[tp.Name].Err
	}
	if err == nil {
		_, err = admin.WaitLeaders(ctx, sc.admin, tp.Name)
	}
	if err != nil {
		sc.t.Fatalf("create topic: %v", err)
	}
	sc.topics = append(sc.topics, tp)
	return tp
}

// item makes an item with an identity of its own.
func (sc *scene) item(key, do string) Item {
	sc.ids++
	return Item{ID: fmt.Sprintf("%s-%d", sc.unique, sc.ids), Key: key, Do: do}
}

// items makes n items over that many keys, all with the same do.
func (sc *scene) items(n, keys int, do string) []Item {
	items := make([]Item, n)
	for i := range items {
		items[i] = sc.item(fmt.Sprintf("k%d", i%keys), do)
	}
	return items
}

// group is a group's name in this scene.
func (sc *scene) group(name string) string { return name + "-" + sc.unique }

// patience is the context of a wait.
func (sc *scene) patience() (context.Context, context.CancelFunc) {
	return context.WithTimeout(sc.ctx, sc.target.Patience)
}

// await waits until cond holds; it is asked again after each event of the history, with the tally locked.
func (sc *scene) await(what string, cond func(*tally) bool) {
	sc.t.Helper()
	if !sc.quietly(cond) {
		sc.t.Fatalf("waited %s for: %s\n%s%s", sc.target.Patience, what, sc.tally, sc.healths())
	}
}

// quietly is await that reports whether cond held.
func (sc *scene) quietly(cond func(*tally) bool) bool {
	ctx, cancel := sc.patience()
	defer cancel()
	for {
		changed, ok := sc.tally.next(func() bool { return cond(sc.tally) })
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// awaitAllEnded waits until every accepted record of the topics has ended for the group.
func (sc *scene) awaitAllEnded(group string, topics ...*topic) {
	sc.t.Helper()
	names := topicNames(topics)
	sc.await("every accepted record to end for "+group, func(t *tally) bool { return t.allEnded(group, names...) })
}

// awaitCommitted waits until the group has committed up to the end of the topics, in acknowledged commits.
func (sc *scene) awaitCommitted(group string, topics ...*topic) {
	sc.t.Helper()
	names := topicNames(topics)
	sc.await("everything to be committed for "+group, func(t *tally) bool { return t.allCommitted(group, names...) })
}

// look asks the tally something once.
func (sc *scene) look(f func(*tally)) {
	sc.tally.mu.Lock()
	defer sc.tally.mu.Unlock()
	f(sc.tally)
}

// poll asks cond at intervals, for what leaves no trace in the history.
func (sc *scene) poll(what string, cond func() bool) {
	sc.t.Helper()
	ctx, cancel := sc.patience()
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			sc.t.Fatalf("waited %s for: %s\n%s%s", sc.target.Patience, what, sc.tally, sc.healths())
		}
	}
}

// hold lets time pass while something must not happen.
func (sc *scene) hold(d time.Duration) {
	select {
	case <-time.After(d):
	case <-sc.ctx.Done():
	}
}

// inject starts a fault that ends with the scene at the latest.
func (sc *scene) inject(f Fault) Injected {
	sc.t.Helper()
	in, err := sc.target.Faults.Inject(sc.seeded(f))
	if err != nil {
		sc.t.Fatalf("inject a fault: %v", err)
	}
	sc.injected = append(sc.injected, in)
	return in
}

// awaitHits waits until the fault has met n requests.
func (sc *scene) awaitHits(in Injected, n int) {
	sc.t.Helper()
	ctx, cancel := sc.patience()
	defer cancel()
	if err := in.Wait(ctx, n); err != nil {
		sc.t.Fatalf("%v\n%s%s", err, sc.tally, sc.healths())
	}
}

// do carries out a fault of the target and fails the scenario when the target can not.
func (sc *scene) do(what string, f func(context.Context) error) {
	sc.t.Helper()
	ctx, cancel := sc.patience()
	defer cancel()
	if err := f(ctx); err != nil {
		sc.t.Fatalf("%s: %v", what, err)
	}
}

// repair is done when the scene ends, however it ends.
func (sc *scene) repair(f func()) { sc.repairs = append(sc.repairs, f) }

// leader returns the leader of the partition.
func (sc *scene) leader(tp *topic, partition int32) int32 { return sc.leaderOf(tp.Name, partition) }

func (sc *scene) leaderOf(topic string, partition int32) (id int32) {
	sc.t.Helper()
	sc.do("find the leader", func(ctx context.Context) (err error) {
		for {
			if id, err = sc.target.Faults.Leader(ctx, topic, partition); err != nil || id >= 0 {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			sc.hold(50 * time.Millisecond)
		}
	})
	return id
}

// other returns a broker that is not id.
func (sc *scene) other(id int32) int32 { return id%int32(sc.target.Brokers) + 1 }

// downDuring brings a broker down with f and up again when the scene ends, or when the function that it returns is called.
func (sc *scene) downDuring(what string, broker int32, f func(context.Context, int32) error) (up func()) {
	sc.t.Helper()
	var once sync.Once
	up = func() {
		once.Do(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(sc.ctx), sc.target.Patience)
			defer cancel()
			if err := sc.target.Faults.Start(ctx, broker); err != nil {
				sc.t.Errorf("start broker %d again: %v", broker, err)
			}
		})
	}
	sc.repair(up)
	sc.do(what, func(ctx context.Context) error { return f(ctx, broker) })
	return up
}

// pausedDuring is downDuring for a pause.
func (sc *scene) pausedDuring(broker int32) (resume func()) {
	sc.t.Helper()
	var once sync.Once
	resume = func() {
		once.Do(func() {
			if err := sc.target.Faults.Resume(context.WithoutCancel(sc.ctx), broker); err != nil {
				sc.t.Errorf("resume broker %d: %v", broker, err)
			}
		})
	}
	sc.repair(resume)
	sc.do("pause a broker", func(ctx context.Context) error { return sc.target.Faults.Pause(ctx, broker) })
	return resume
}

// close ends what still runs and repairs the target.
func (sc *scene) close() {
	for _, in := range sc.injected {
		in.Remove()
	}
	for i := len(sc.repairs) - 1; i >= 0; i-- {
		sc.repairs[i]()
	}
	sc.repairs = nil
	for _, m := range sc.members {
		m.abandon()
	}
	for _, s := range sc.sources {
		s.abandon()
	}
	sc.admin.Close()
	if sc.t.Failed() {
		events := sc.log.Events()
		var b strings.Builder
		for i := max(0, len(events)-lastEvents); i < len(events); i++ {
			fmt.Fprintln(&b, events[i].String())
		}
		sc.t.Logf("the services logged:\n%s\nthe history ended with:\n%s", sc.output, &b)
	}
}

// healths is what the members say of themselves, for the text of a failure.
func (sc *scene) healths() string {
	var b strings.Builder
	for _, m := range sc.members {
		if m.running() {
			fmt.Fprintf(&b, "\n%s: %+v", m.name, m.g.Health())
		}
	}
	return b.String()
}

func topicNames(topics []*topic) []string {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Name
	}
	return names
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

// lastEvents is how much of the history a failed scenario shows.
const lastEvents = 60

const tailSize = 64 << 10

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = append(w.buf, p...)
	if len(w.buf) > 2*tailSize {
		w.buf = append(w.buf[:0], w.buf[len(w.buf)-tailSize:]...)
	}
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.buf)
}

// contains reports whether text was written and is still kept.
func (w *tail) contains(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Contains(w.buf, []byte(text))
}

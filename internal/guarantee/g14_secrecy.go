package guarantee

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/producer"
)

var secrecy = []Scenario{
	{Guarantee: "G14", Name: "PasswordShowsNowhere", Targets: Reference | Kafka, body: passwordShowsNowhere},
}

const password = "hunter2-is-no-password"

// passwordShowsNowhere: credentials that the cluster can not use make every part complain; none of them repeats the password.
func passwordShowsNowhere(sc *scene) {
	tp := sc.topic(1)
	cluster := sc.target.Cluster
	cluster.SASL, cluster.AllowPlainWithoutTLS = sordini.Plain("alice", password), true
	cluster.Registry = sordini.Registry{URLs: []string{"http://127.0.0.1:1"}, Username: "alice", Password: sordini.NewSecret(password)}
	cluster.Logger = slog.New(slog.NewTextHandler(sc.output, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var said strings.Builder
	say := func(v any) {
		fmt.Fprintf(&said, "%v %+v %#v\n", v, v, v)
		cluster.Logger.Info("said", "value", v)
	}
	say(cluster)
	say(&cluster)
	say(struct{ inner sordini.Cluster }{cluster})
	ctx, cancel := context.WithTimeout(sc.ctx, 5*time.Second)
	defer cancel()
	p, err := producer.New(cluster, producer.CloseTimeout(time.Second))
	if err != nil {
		sc.t.Fatal(err)
	}
	say(p)
	pub, err := producer.To(p, tp.Topic)
	if err != nil {
		sc.t.Fatal(err)
	}
	if err = pub.Send(ctx, sc.item("a", "")); err == nil {
		sc.t.Error("a send with SASL on a listener without it worked")
	}
	say(err)
	say(p.Close())
	g, err := consumer.New(cluster, sc.group("billing"), consumer.DrainTimeout(time.Second))
	if err != nil {
		sc.t.Fatal(err)
	}
	say(g)
	if err := consumer.Handle(g, tp.Topic, standard); err != nil {
		sc.t.Fatal(err)
	}
	run, end := context.WithTimeout(sc.ctx, 3*time.Second)
	defer end()
	say(g.Run(run))
	say(g.Health())
	if strings.Contains(said.String(), password) || sc.output.contains(password) {
		sc.t.Errorf("the password shows in:\n%s\n%s", said.String(), sc.output)
	}
	if said.Len() == 0 {
		sc.t.Error("nothing was said")
	}
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/sordini-go/sordini/integration/process"
)

// scenario is what a foreign client's user does beside a Go service: read its records, and send it some.
func scenario(ctx context.Context, target, dir, brokers string, c *checks) error {
	began, failed := time.Now(), c.failed
	ledger := filepath.Join(dir, strings.Fields(target)[0]+"-ledger.jsonl")
	service, err := process.Start(ctx, filepath.Join(dir, "order-service"), "-brokers", brokers, "-listen", "127.0.0.1:0", "-ledger", ledger)
	if err != nil {
		return err
	}
	defer service.Kill()
	orders, err := service.Line(ctx, `(http://\S+/orders)`)
	if err != nil {
		return fmt.Errorf("%s: %w", target, err)
	}

	id, err := place(ctx, orders)
	if err != nil {
		return fmt.Errorf("%s: %w", target, err)
	}
	if err := kcat(ctx, target, brokers, orders, id, c); err != nil {
		return fmt.Errorf("%s: kcat: %w", target, err)
	}
	if err := kafkajs(ctx, target, brokers, orders, id, c); err != nil {
		return fmt.Errorf("%s: kafkajs: %w", target, err)
	}

	stopped := service.Stop(ctx)
	c.that(stopped == nil, "%s: the order-service did not end with status 0: %v", target, stopped)
	out, err := process.Output(ctx, "", filepath.Join(dir, "order-service"), "-brokers", brokers, "-verify", ledger, "-json")
	var report struct{ Accepted, Lost int }
	c.that(err == nil && json.Unmarshal([]byte(out), &report) == nil && report.Accepted == 1 && report.Lost == 0, "%s: -verify: %v %s", target, err, out)
	if c.failed > failed {
		fmt.Printf("%s: the order-service printed:\n%s", target, service.Rest())
	}
	fmt.Printf("%s: done in %s\n", target, time.Since(began).Round(100*time.Millisecond))
	return nil
}

// place posts an order and returns its id.
func place(ctx context.Context, orders string) (string, error) {
	body := `{"customer": "go", "card": "4000", "country": "Norway", "cents": 1700}`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, orders, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Correlation-Id", "cid-go")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	var placed struct{ ID string }
	if err != nil || resp.StatusCode != http.StatusAccepted || json.Unmarshal(answer, &placed) != nil {
		return "", fmt.Errorf("POST /orders: %s %s %w", resp.Status, answer, err)
	}
	return placed.ID, nil
}

// handled waits until the service says that both groups ended the order.
func handled(ctx context.Context, orders, id string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	var last string
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, orders+"/"+id, nil)
		if err != nil {
			return nil, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, fmt.Errorf("order %s has not ended (%s): %w", id, last, err)
		}
		var body struct{ Groups map[string]string }
		raw, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return nil, err
		}
		last = string(raw)
		if resp.StatusCode == http.StatusOK && json.Unmarshal(raw, &body) == nil && body.Groups["payment"] != "pending" && body.Groups["shipping"] != "pending" {
			return body.Groups, nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, fmt.Errorf("order %s has not ended: %s", id, last)
		}
	}
}

// kcat reads the order that the service published, with its headers, and places one.
func kcat(ctx context.Context, target, brokers, orders, id string, c *checks) error {
	out, err := process.Output(ctx, "", "kcat", "-b", brokers, "-C", "-t", "orders", "-o", "beginning", "-e", "-q", "-f", "%k|%h|%s\\n")
	if err != nil {
		return err
	}
	var line string
	for l := range strings.Lines(out) {
		if strings.HasPrefix(l, id+"|") {
			line = l
		}
	}
	c.that(line != "", "%s: kcat does not see order %s in:\n%s", target, id, out)
	c.that(strings.Contains(line, "correlation-id=cid-go") && strings.Contains(line, "source=order-service"), "%s: kcat sees headers %q", target, line)
	c.that(strings.Contains(line, `"cents":1700`), "%s: kcat sees value %q", target, line)

	mine := "kcat-order"
	value := `{"id":"` + mine + `","customer":"kcat","card":"declined","country":"Norway","cents":1}`
	if _, err := process.Output(ctx, mine+"|"+value+"\n", "kcat", "-b", brokers, "-P", "-t", "orders", "-K", "|", "-H", "correlation-id=cid-kcat", "-X", "enable.idempotence=true"); err != nil {
		return err
	}
	groups, err := handled(ctx, orders, mine)
	c.that(err == nil && groups["payment"] == "dead" && groups["shipping"] == "shipped", "%s: kcat's order: %v %v", target, groups, err)

	out, err = process.Output(ctx, "", "kcat", "-b", brokers, "-C", "-t", "orders.payment.dlt", "-o", "beginning", "-e", "-q", "-f", "%k|%h|%s\\n")
	c.that(err == nil && strings.Contains(out, value) && strings.Contains(out, "dlt-error-class=permanent") && strings.Contains(out, "correlation-id=cid-kcat"),
		"%s: kcat sees dead letters %q %v", target, out, err)
	return nil
}

// kafkajs does the same as a group with a client in another language.
func kafkajs(ctx context.Context, target, brokers, orders, id string, c *checks) error {
	out, err := process.Output(ctx, "", "node", "clients/kafkajs/order.js", brokers, id, "kafkajs-order")
	if err != nil {
		return err
	}
	var saw struct {
		Found struct {
			Partition int
			Order     struct {
				Customer string
				Cents    int
			}
			Headers map[string]string
		}
		Placed struct{ SamePartition int }
	}
	if err := json.Unmarshal([]byte(out), &saw); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	c.that(saw.Found.Order.Customer == "go" && saw.Found.Order.Cents == 1700, "%s: kafkajs sees %s", target, out)
	c.that(saw.Found.Headers["correlation-id"] == "cid-go" && saw.Found.Headers["source"] == "order-service", "%s: kafkajs sees headers %v", target, saw.Found.Headers)
	c.that(saw.Found.Partition == saw.Placed.SamePartition, "%s: kafkajs puts key %s on partition %d, the service on %d", target, id, saw.Placed.SamePartition, saw.Found.Partition)
	groups, err := handled(ctx, orders, "kafkajs-order")
	c.that(err == nil && groups["payment"] == "paid" && groups["shipping"] == "shipped", "%s: kafkajs' order: %v %v", target, groups, err)
	return nil
}

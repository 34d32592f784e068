package broker_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/internal/files"
	"github.com/sordini-go/sordini/broker/internal/files/crashfs"
)

var fullConfig = broker.Config{Topics: []broker.Topic{{Name: "orders"}}, Properties: map[string]string{"offsets.topic.num.partitions": "1", "transaction.state.log.num.partitions": "1"}}

// valuesOf are the records of the topic orders.
func valuesOf(t *testing.T, cluster *broker.Cluster) (all []string) {
	t.Helper()
	records, err := cluster.Records("orders", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		all = append(all, string(r.Value))
	}
	return all
}

func TestAFullDiskRefusesKeepsWhatItHasAndGoesOnWhenThereIsRoom(t *testing.T) {
	disk := crashfs.New()
	cluster := startOn(t, fullConfig, disk)
	w := dial(t, cluster, 1)
	var want []string
	send := func(value string) int16 {
		t.Helper()
		return w.produce("orders", 0, seal(batchOf(text(value)...))).ErrorCode
	}
	for i := range 5 {
		value := fmt.Sprint("before ", i)
		if code := send(value); code != 0 {
			t.Fatalf("produce: %v", kerr.ErrorForCode(code))
		}
		want = append(want, value)
	}
	disk.Limit(disk.Used() + 100) // a batch and a half
	refused := 0
	for i := range 6 {
		switch value := fmt.Sprint("full ", i); send(value) {
		case 0:
			want = append(want, value)
		case kerr.KafkaStorageError.Code:
			refused++
		default:
			t.Fatal("a full disk is not a storage error")
		}
	}
	if refused < 5 {
		t.Errorf("%d of 6 were refused", refused)
	}
	if got := valuesOf(t, cluster); strings.Join(got, ",") != strings.Join(want, ",") {
		t.Errorf("readers see %v, want %v", got, want)
	}
	disk.Limit(0)
	if code := send("after"); code != 0 {
		t.Fatalf("there is room again: %v", kerr.ErrorForCode(code))
	}
	want = append(want, "after")
	cluster = startOn(t, fullConfig, disk.Crash(disk.Ops(), crashfs.Nothing, 0))
	if got := valuesOf(t, cluster); strings.Join(got, ",") != strings.Join(want, ",") {
		t.Errorf("after the crash there is %v, want %v", got, want)
	}
}

// An offset that a full disk does not take is not confirmed, and is written once there is room.
func TestWhatAFullDiskDoesNotTakeIsNotConfirmed(t *testing.T) {
	disk := crashfs.New()
	cluster := startOn(t, fullConfig, disk)
	commit := func(offset int64) {
		t.Helper()
		resp := ask[*kmsg.OffsetCommitResponse](dial(t, cluster, 1), 8, adminCommit("billing", offset))
		if code := committedCode(resp); code != 0 {
			t.Fatal(kerr.ErrorForCode(code))
		}
	}
	commit(1)
	disk.Limit(disk.Used())
	w := dial(t, cluster, 1)
	w.send(adminCommit("billing", 2))
	w.ends("an offset that is not on the disk")
	left := startOn(t, fullConfig, disk.Crash(disk.Ops(), crashfs.All, 0))
	if offset, _, _ := left.Committed("billing", "orders", 0); offset != 1 {
		t.Errorf("the disk has offset %d, confirmed was 1", offset)
	}
	disk.Limit(0)
	commit(3)
	left = startOn(t, fullConfig, disk.Crash(disk.Ops(), crashfs.Nothing, 0))
	if offset, _, _ := left.Committed("billing", "orders", 0); offset != 3 {
		t.Errorf("the disk has offset %d, confirmed was 3", offset)
	}
}

// After a failed sync nobody knows what is on the disk, whatever a later sync says: everything is written again.
func TestWhatCouldNotBeSyncedIsWrittenAgain(t *testing.T) {
	disk := crashfs.New()
	cluster := startOn(t, fullConfig, disk)
	w := dial(t, cluster, 1)
	if code := w.produce("orders", 0, seal(batchOf(text("a")...))).ErrorCode; code != 0 {
		t.Fatal(kerr.ErrorForCode(code))
	}
	failures := 2
	disk.Fail(func(op, name string) error {
		if op == "Sync" && strings.HasSuffix(name, "/orders-0/00000000000000000000.log") && failures > 0 {
			failures--
			return errors.Join(syscall.EIO)
		}
		return nil
	})
	if code := w.produce("orders", 0, seal(batchOf(text("b")...))).ErrorCode; code != 0 {
		t.Fatalf("it can be synced in the end: %v", kerr.ErrorForCode(code))
	}
	left := startOn(t, fullConfig, disk.Crash(disk.Ops(), crashfs.Nothing, 0))
	if got := valuesOf(t, left); strings.Join(got, ",") != "a,b" {
		t.Errorf("the disk has %v", got)
	}
}

func TestADataDirectoryThatCannotBeUsedIsRefused(t *testing.T) {
	disk := crashfs.New()
	cfg := fullConfig
	cfg.Brokers = 2
	cluster := startOn(t, cfg, disk)
	refuse := func(cfg broker.Config, on *crashfs.FS, want string) {
		t.Helper()
		cfg.DataDir = dataDir
		other, err := broker.StartOn(cfg, on)
		if err == nil {
			other.Close()
			t.Fatalf("want an error with %q", want)
		}
		if !errors.Is(err, broker.ErrDataDir) && !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	refuse(cfg, disk, files.ErrLocked.Error())
	if code := dial(t, cluster, leaderOf(t, cluster, "orders", 0)).produce("orders", 0, seal(batchOf(text("a", "b")...))).ErrorCode; code != 0 {
		t.Fatal(kerr.ErrorForCode(code))
	}
	led := leaderOf(t, cluster, "orders", 0)
	if err := cluster.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.Brokers = 1
	refuse(cfg, disk, "start as many")
	cfg.Brokers = 2
	cfg.Fsync = 7
	refuse(cfg, disk, "Fsync(7)")
	cfg.Fsync = broker.FsyncPromises
	// What had been synced is damaged.
	name := fmt.Sprintf("%s/broker-%d/orders-0/00000000000000000000.log", dataDir, led)
	log, err := disk.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.WriteAt([]byte{0xff}, 70); err != nil {
		t.Fatal(err)
	}
	refuse(cfg, disk, "corrupt log")
}

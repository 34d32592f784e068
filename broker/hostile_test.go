package broker_test

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

// What Apache Kafka 4.3.1 does with such bytes was found out by sending them to it: it answers, or it closes the connection.
func TestWrongRequestsAreAnsweredOrEndTheConnectionAsKafkaDoes(t *testing.T) {
	request := func(key, version int16, body ...byte) []byte {
		b := binary.BigEndian.AppendUint16(nil, uint16(key))
		b = binary.BigEndian.AppendUint16(b, uint16(version))
		b = append(b, 0, 0, 0, 7, 0, 1, 'x')
		return append(b, body...)
	}
	encode := func(req kmsg.Request, version int16) []byte {
		req.SetVersion(version)
		return kmsg.NewRequestFormatter(kmsg.FormatterClientID("x")).AppendRequest(nil, req, 7)[4:]
	}
	versions := kmsg.NewPtrApiVersionsRequest()
	versions.ClientSoftwareName, versions.ClientSoftwareVersion = "a", "1"
	metadata := encode(kmsg.NewPtrMetadataRequest(), 12)
	tagged := func(tags ...byte) []byte { return append(bytes.Clone(metadata[:len(metadata)-1]), tags...) }
	groups := encode(kmsg.NewPtrListGroupsRequest(), 3)
	for _, test := range []struct {
		name    string
		frame   []byte
		answers bool
	}{
		{"no such api", request(999, 0), false},
		{"negative api", request(-1, 0), false},
		{"api that brokers had once", request(4, 0), false},
		{"api that has its own header", request(7, 0), false},
		{"api of controllers", request(62, 0), false},
		{"api that is served and not named", request(71, 0, make([]byte, 18)...), true},
		{"version too old", request(int16(kmsg.ListOffsets), 0), false},
		{"version too new", request(int16(kmsg.Metadata), 99), false},
		{"negative version", request(int16(kmsg.Metadata), -1), false},
		{"version that is named and not served", request(int16(kmsg.Produce), 2), false},
		{"ApiVersions too new", request(int16(kmsg.ApiVersions), 99, 0), true},
		{"ApiVersions too new, header without tags", request(int16(kmsg.ApiVersions), 99), false},
		{"ApiVersions of a negative version", request(int16(kmsg.ApiVersions), -1), true},
		{"ApiVersions without its body", request(int16(kmsg.ApiVersions), 3), false},
		{"ApiVersions of an illegal name", request(int16(kmsg.ApiVersions), 3, 0, 2, ' ', 2, '1', 0), true},
		{"ApiVersions without a name", request(int16(kmsg.ApiVersions), 3, 0, 0, 2, '1', 0), false},
		{"bytes after ApiVersions", append(encode(versions, 4), 1, 2, 3), true},
		{"bytes after Metadata", append(encode(kmsg.NewPtrMetadataRequest(), 4), 9, 9, 9), true},
		{"cut off", request(int16(kmsg.Metadata), 4, 0, 0, 0), false},
		{"tags cut off", groups[:len(groups)-1], false},
		{"array longer than the frame", request(int16(kmsg.Metadata), 4, 0x7f, 0xff, 0xff, 0xff, 1), false},
		{"array of length -2", request(int16(kmsg.Metadata), 4, 0xff, 0xff, 0xff, 0xfe, 1), true},
		{"null where an array may be", request(int16(kmsg.Metadata), 4, 0xff, 0xff, 0xff, 0xff, 1), true},
		{"null where an array must be", request(int16(kmsg.Metadata), 0, 0xff, 0xff, 0xff, 0xff), false},
		{"null where a string must be", request(int16(kmsg.FindCoordinator), 0, 0xff, 0xff), false},
		{"null where a compact string must be", request(int16(kmsg.FindCoordinator), 3, 0, 0, 0, 0), false},
		{"string of length -2", request(int16(kmsg.Metadata), 4, 0, 0, 0, 1, 0xff, 0xfe, 1), false},
		{"string that is no UTF-8", request(int16(kmsg.Metadata), 4, 0, 0, 0, 1, 0, 2, 0xff, 0xfe, 0), true},
		{"bool that is 2", append(bytes.Clone(metadata[:len(metadata)-2]), 2, 0), true},
		{"unknown tag", tagged(1, 99, 3, 'a', 'b', 'c'), true},
		{"unknown tag in the header", append(append(bytes.Clone(metadata[:11]), 1, 50, 1, 'z'), metadata[12:]...), true},
		{"tag twice", tagged(2, 99, 0, 99, 0), true},
		{"tags in falling order", tagged(2, 99, 0, 98, 0), true},
		{"header cut off", []byte{0, 18, 0, 0}, false},
		{"header without a client id", []byte{0, 18, 0, 0, 0, 0, 0, 7}, false},
		{"null client id", []byte{0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff}, true},
		{"client id of length -2", []byte{0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xfe}, true},
		{"client id longer than the frame", []byte{0, 18, 0, 0, 0, 0, 0, 7, 0, 99, 'x'}, false},
		{"client id that is no UTF-8", []byte{0, 18, 0, 0, 0, 0, 0, 7, 0, 2, 0xff, 0xfe}, true},
		{"nothing", nil, false},
		{"a byte", []byte{0}, false},
		// Kafka reads that number of tags as -1, and answers. It is refused, as all that the codec could not read in the memory of the frame.
		{"four billion tags", tagged(0xff, 0xff, 0xff, 0xff, 0x0f), false},
	} {
		bubble(t, func(t *testing.T, cluster *broker.Cluster) {
			w := dial(t, cluster, 1)
			if _, err := w.conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(test.frame))), test.frame...)); err != nil {
				t.Fatal(err)
			}
			if !test.answers {
				w.ends(test.name)
			} else if b, err := w.frame(); err != nil || len(b) < 4 || binary.BigEndian.Uint32(b) != 7 {
				t.Errorf("%s: %x, %v", test.name, b, err)
			}
			dial(t, cluster, 1).produce("orders", 0, seal(batchOf(text("still alive")...)))
		})
	}
}

// The versions are what Apache Kafka 4.3.1 says. All of them are served, if only as a Kafka does that has them off.
func TestVersionsAreKafkas(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		req := kmsg.NewPtrApiVersionsRequest()
		req.ClientSoftwareName, req.ClientSoftwareVersion = "test", "1.0"
		got := make(map[int16]string)
		for _, k := range ask[*kmsg.ApiVersionsResponse](dial(t, cluster, 1), 4, req).ApiKeys {
			got[k.ApiKey] = fmt.Sprintf("%d-%d", k.MinVersion, k.MaxVersion)
		}
		for line := range strings.Lines(kafkaVersions) {
			var key, lowest, highest int16
			if _, err := fmt.Sscan(line, &key, &lowest, &highest); err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf("%d-%d", lowest, highest)
			if got[key] != want {
				t.Errorf("%s: versions %q, want %q", kmsg.NameForKey(key), got[key], want)
			}
			delete(got, key)
		}
		if len(got) > 0 {
			t.Errorf("more than Kafka names: %v", got)
		}
	})
}

//go:embed testdata/apiversions.txt
var kafkaVersions string

func TestFrameBeyondTheLimitEndsTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		for _, size := range []uint32{100<<20 + 1, 1 << 31, 0xffffffff, 0} {
			w := dial(t, cluster, 1)
			if _, err := w.conn.Write(binary.BigEndian.AppendUint32(nil, size)); err != nil {
				t.Fatal(err)
			}
			w.ends(fmt.Sprintf("frame of %d bytes", int32(size)))
		}
	})
}

func TestUnknownVersionOfApiVersionsIsAnsweredInVersion0(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		w.next = 9
		if _, err := w.conn.Write([]byte{0, 0, 0, 12, 0, 18, 0, 99, 0, 0, 0, 9, 0, 1, 'x', 0}); err != nil {
			t.Fatal(err)
		}
		resp, err := w.receive(kmsg.NewPtrApiVersionsRequest())
		if err != nil {
			t.Fatal(err)
		}
		r := resp.(*kmsg.ApiVersionsResponse)
		if r.ErrorCode != 35 || len(r.ApiKeys) != 1 || r.ApiKeys[0].ApiKey != 18 {
			t.Errorf("answer %+v", r)
		}
		for v := range int16(5) {
			req := kmsg.NewPtrApiVersionsRequest()
			req.ClientSoftwareName, req.ClientSoftwareVersion = "test", "1.0"
			if r := ask[*kmsg.ApiVersionsResponse](w, v, req); r.ErrorCode != 0 || len(r.ApiKeys) < 20 {
				t.Errorf("version %d: %+v", v, r)
			}
			req.ClientSoftwareName = "no spaces"
			if r := ask[*kmsg.ApiVersionsResponse](w, v, req); v >= 3 && r.ErrorCode != 42 {
				t.Errorf("version %d with an illegal name: %d", v, r.ErrorCode)
			}
		}
	})
}

// Clients send further requests before the first is answered: the answers come in the order of the requests, also behind one that waits.
func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		wait := fetchRequest("orders", 0, 0)
		wait.MaxWaitMillis = 5000
		wait.SetVersion(12)
		begin := time.Now()
		w.send(wait)
		requests := []kmsg.Request{wait}
		for i := range 20 {
			var req kmsg.Request = kmsg.NewPtrMetadataRequest()
			if i%2 == 1 {
				req = produceRequest("others", 0, seal(batchOf(text("a")...)))
			}
			req.SetVersion(9)
			w.send(req)
			requests = append(requests, req)
		}
		last := w.next
		for i, req := range requests {
			w.next = int32(i + 1) // the correlation id that must come now
			if _, err := w.receive(req); err != nil {
				t.Fatalf("answer %d: %v", i, err)
			}
		}
		if took := time.Since(begin); last != 21 || took != 5*time.Second {
			t.Errorf("%d requests took %v: the first waits for 5 s, and the others behind it", last, took)
		}
		if n := cluster.EndOffset("others", 0); n != 10 {
			t.Errorf("%d records", n)
		}
	})
}

// FuzzConnection sends frames of any content: the broker must go on for others.
func FuzzConnection(f *testing.F) {
	for _, req := range []kmsg.Request{kmsg.NewPtrApiVersionsRequest(), kmsg.NewPtrMetadataRequest(), fetchRequest("orders", 0, 0),
		produceRequest("orders", 0, seal(batchOf(text("a")...))), kmsg.NewPtrJoinGroupRequest(), kmsg.NewPtrCreateTopicsRequest(),
		kmsg.NewPtrListOffsetsRequest(), kmsg.NewPtrDescribeConfigsRequest()} {
		req.SetVersion(3)
		f.Add(kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)[4:])
	}
	cluster, err := broker.Start(broker.Config{Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "orders"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { cluster.Close() })
	f.Fuzz(func(t *testing.T, frame []byte) {
		w := dial(t, cluster, 1)
		w.conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
		w.conn.Close()
		ask[*kmsg.ApiVersionsResponse](dial(t, cluster, 1), 0, kmsg.NewPtrApiVersionsRequest())
	})
}

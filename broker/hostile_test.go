package broker_test

import (
	"encoding/binary"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

func TestWhatIsNoRequestEndsTheConnection(t *testing.T) {
	request := func(key, version int16, body ...byte) []byte {
		b := binary.BigEndian.AppendUint16(nil, uint16(key))
		b = binary.BigEndian.AppendUint16(b, uint16(version))
		b = append(b, 0, 0, 0, 1, 0, 1, 'x')
		return append(b, body...)
	}
	for name, frame := range map[string][]byte{
		"too short for a header":            {0, 3, 0, 1},
		"client id longer than the frame":   {0, 3, 0, 1, 0, 0, 0, 1, 0, 99, 'x'},
		"unknown api":                       request(999, 0),
		"negative api":                      request(-1, 0),
		"api that is not served":            request(7, 0),
		"version too old":                   request(int16(kmsg.ListOffsets), 0),
		"version too new":                   request(int16(kmsg.Metadata), 99),
		"version of produce before its age": request(int16(kmsg.Produce), 2),
		"cut off":                           request(int16(kmsg.Metadata), 4, 0, 0, 0),
		"array longer than the frame":       request(int16(kmsg.Metadata), 4, 0x7f, 0xff, 0xff, 0xff, 1),
		"four billion tags":                 request(int16(kmsg.Metadata), 12, 0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f),
		"header tags cut off":               request(int16(kmsg.Metadata), 12, 5, 1),
	} {
		bubble(t, func(t *testing.T, cluster *broker.Cluster) {
			w := dial(t, cluster, 1)
			if _, err := w.conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)); err != nil {
				t.Fatal(err)
			}
			w.ends(name)
			dial(t, cluster, 1).produce("orders", 0, seal(batchOf(text("still alive")...)))
		})
	}
}

func TestFrameBeyondTheLimitEndsTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		if _, err := w.conn.Write(append(binary.BigEndian.AppendUint32(nil, 100<<20+1), 0, 0)); err != nil {
			t.Fatal(err)
		}
		w.ends("frame of more than 100 MB")
	})
}

func TestUnknownVersionOfApiVersionsIsAnsweredInVersion0(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		w.next = 9
		if _, err := w.conn.Write([]byte{0, 0, 0, 11, 0, 18, 0, 99, 0, 0, 0, 9, 0, 1, 'x'}); err != nil {
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

package groups

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// typeClassic is how ListGroups calls a classic group.
const typeClassic = "classic"

func (m *Manager) describeGroups(c call, req *kmsg.DescribeGroupsRequest) {
	m.mu.Lock()
	defer m.unlock()
	resp := new(kmsg.DescribeGroupsResponse)
	for _, name := range req.Groups {
		d := kmsg.NewDescribeGroupsResponseGroup()
		d.Group = name
		switch g := m.groups[name]; {
		case m.closed:
			d.ErrorCode = kerr.CoordinatorNotAvailable.Code
		case g != nil && g.classic != nil:
			g.classic.describe(&d)
		default:
			d.State = string(Dead)
			if req.Version >= 6 { // KIP-1043
				what := "Group %s not found."
				if g != nil {
					what = "Group %s is not a classic group."
				}
				d.ErrorCode, d.ErrorMessage = kerr.GroupIDNotFound.Code, kmsg.StringPtr(fmt.Sprintf(what, name))
			}
		}
		resp.Groups = append(resp.Groups, d)
	}
	m.answer(c, resp)
}

// describe shows the protocol and what members said under it only of a stable
// group; in any other state it may be about to change.
func (c *classic) describe(d *kmsg.DescribeGroupsResponseGroup) {
	d.State, d.ProtocolType = string(c.state), c.protocolType
	stable := c.state == Stable
	if stable {
		d.Protocol = *c.protocol
	}
	for _, mb := range c.members {
		dm := kmsg.DescribeGroupsResponseGroupMember{
			MemberID: mb.id, InstanceID: mb.instance, ClientID: mb.client.ID, ClientHost: mb.client.Host,
			MemberAssignment: mb.assignment,
		}
		if stable {
			dm.ProtocolMetadata = mb.metadata(*c.protocol)
		}
		d.Members = append(d.Members, dm)
	}
}

func (m *Manager) listGroups(c call, req *kmsg.ListGroupsRequest) {
	m.mu.Lock()
	defer m.unlock()
	if m.closed {
		m.answer(c, &kmsg.ListGroupsResponse{ErrorCode: kerr.CoordinatorNotAvailable.Code})
		return
	}
	states := make([]string, len(req.StatesFilter))
	for i, s := range req.StatesFilter {
		states[i] = strings.TrimSpace(s) // as Kafka does, and not for types
	}
	resp := new(kmsg.ListGroupsResponse)
	for _, name := range slices.Sorted(maps.Keys(m.groups)) {
		g := m.groups[name]
		if !listed(states, string(g.state())) || !listed(req.TypesFilter, g.kind()) {
			continue
		}
		resp.Groups = append(resp.Groups, kmsg.ListGroupsResponseGroup{
			Group: name, ProtocolType: g.protocolType(), GroupState: string(g.state()), GroupType: g.kind(),
		})
	}
	m.answer(c, resp)
}

func listed(filter []string, what string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool {
		return strings.EqualFold(f, what)
	})
}

func (m *Manager) deleteGroups(c call, req *kmsg.DeleteGroupsRequest) {
	m.mu.Lock()
	defer m.unlock()
	resp := new(kmsg.DeleteGroupsResponse)
	done := make(map[string]bool)
	for _, name := range req.Groups {
		if done[name] {
			continue
		}
		done[name] = true
		var err *kerr.Error
		switch g := m.groups[name]; {
		case m.closed:
			err = kerr.CoordinatorNotAvailable
		case g == nil:
			err = kerr.GroupIDNotFound
		case g.state() != Empty:
			err = kerr.NonEmptyGroup
		default:
			m.drop(g)
		}
		resp.Groups = append(resp.Groups, kmsg.DeleteGroupsResponseGroup{Group: name, ErrorCode: code(err)})
	}
	m.answer(c, resp)
}

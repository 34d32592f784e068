package registry

import "strings"

func (r *Registry) getContexts(q *request) (any, error) {
	prefix := q.query.Get("contextPrefix")
	return r.read(func() (any, error) {
		var names []string
		for _, c := range append([]string{defaultContext}, r.state.contextNames()...) {
			if strings.HasPrefix(c, prefix) {
				names = append(names, c)
			}
		}
		return page(q, names, 0)
	})
}

func (r *Registry) deleteContextHandler(q *request) (any, error) {
	return r.write(func() (any, []Record, error) {
		records, err := r.deleteContext(normalizeName(q.params["context"]))
		return noContent{}, records, err
	})
}

// serverID is what tools use to recognise a registry.
func (r *Registry) getServerID(*request) (any, error) {
	return map[string]any{"scope": map[string]any{
		"path":     []string{},
		"clusters": map[string]string{"kafka-cluster": r.cfg.ClusterID, "schema-registry-cluster": "schema-registry"},
	}, "id": ""}, nil
}

// apiVersion is the release of Confluent's registry whose behaviour is followed.
const apiVersion = "8.1.0"

func (r *Registry) getServerVersion(*request) (any, error) {
	return map[string]string{"version": apiVersion, "commitId": ""}, nil
}

func (r *Registry) getRoot(*request) (any, error) { return struct{}{}, nil }

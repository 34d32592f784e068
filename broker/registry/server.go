package registry

import (
	"crypto/sha256"
	"crypto/subtle"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// Media types of the API. The first is what is answered where the client accepts anything.
var mediaTypes = []string{"application/vnd.schemaregistry.v1+json", "application/vnd.schemaregistry+json", "application/json"}

// route is one entry of the table of paths. A segment in braces is a parameter.
type route struct {
	path    string
	methods map[string]func(*Registry, *request) (any, error)
}

type methods = map[string]func(*Registry, *request) (any, error)

var routes = []route{
	{"", methods{"GET": (*Registry).getRoot, "POST": (*Registry).getRoot}},
	{"subjects", methods{"GET": (*Registry).getSubjects}},
	{"subjects/{subject}", methods{"POST": (*Registry).lookUpSchema, "DELETE": (*Registry).deleteSubjectHandler}},
	{"subjects/{subject}/metadata", methods{"GET": (*Registry).getLatestWithMetadata}},
	{"subjects/{subject}/versions", methods{"GET": (*Registry).getVersions, "POST": (*Registry).postVersion}},
	{"subjects/{subject}/versions/{version}", methods{"GET": (*Registry).getVersion, "DELETE": (*Registry).deleteVersionHandler}},
	{"subjects/{subject}/versions/{version}/schema", methods{"GET": (*Registry).getVersionSchema}},
	{"subjects/{subject}/versions/{version}/referencedby", methods{"GET": (*Registry).getReferencedBy}},
	{"schemas", methods{"GET": (*Registry).getSchemas}},
	{"schemas/types", methods{"GET": (*Registry).getTypes}},
	{"schemas/ids/{id}", methods{"GET": (*Registry).getSchemaByID}},
	{"schemas/ids/{id}/schema", methods{"GET": (*Registry).getSchemaTextByID}},
	{"schemas/ids/{id}/subjects", methods{"GET": (*Registry).getIDSubjects}},
	{"schemas/ids/{id}/versions", methods{"GET": (*Registry).getIDVersions}},
	{"schemas/guids/{guid}", methods{"GET": (*Registry).getSchemaByGUID}},
	{"schemas/guids/{guid}/ids", methods{"GET": (*Registry).getIDsByGUID}},
	{"compatibility/subjects/{subject}/versions", methods{"POST": (*Registry).checkSubject}},
	{"compatibility/subjects/{subject}/versions/{version}", methods{"POST": (*Registry).checkVersion}},
	{"config", methods{"GET": (*Registry).getConfig, "PUT": (*Registry).putConfig, "DELETE": (*Registry).deleteConfig}},
	{"config/{subject}", methods{"GET": (*Registry).getConfig, "PUT": (*Registry).putConfig, "DELETE": (*Registry).deleteConfig}},
	{"mode", methods{"GET": (*Registry).getMode, "PUT": (*Registry).putMode, "DELETE": (*Registry).deleteMode}},
	{"mode/{subject}", methods{"GET": (*Registry).getMode, "PUT": (*Registry).putMode, "DELETE": (*Registry).deleteMode}},
	{"contexts", methods{"GET": (*Registry).getContexts}},
	{"contexts/{context}", methods{"DELETE": (*Registry).deleteContextHandler}},
	{"v1/metadata/id", methods{"GET": (*Registry).getServerID}},
	{"v1/metadata/version", methods{"GET": (*Registry).getServerVersion}},
}

// ServeHTTP answers a request of the API.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	contentType := accepted(req)
	answer, err := r.serve(w, req, contentType)
	status := http.StatusOK
	if err != nil {
		e, ok := err.(*apiError)
		if !ok {
			e = errorf(http.StatusInternalServerError, "%v", err)
		}
		if status = e.status(); status >= http.StatusInternalServerError {
			r.cfg.Logger.Error("a request to the schema registry failed", "method", req.Method, "path", req.URL.Path, "error", err)
		}
		answer = struct {
			Code    int    `json:"error_code"`
			Message string `json:"message"`
		}{e.code, e.message}
	}
	if contentType == "" {
		contentType = mediaTypes[0]
	}
	w.Header().Set("Content-Type", contentType)
	switch a := answer.(type) {
	case noContent:
		w.Header().Del("Content-Type")
		w.WriteHeader(http.StatusNoContent)
	case text:
		w.WriteHeader(status)
		w.Write([]byte(a))
	default:
		w.WriteHeader(status)
		w.Write(encode(a))
	}
}

func (r *Registry) serve(w http.ResponseWriter, req *http.Request, contentType string) (any, error) {
	if !r.authenticated(req) {
		w.Header().Set("WWW-Authenticate", `Basic realm="schema registry"`)
		return nil, plain(http.StatusUnauthorized)
	}
	segments, err := splitPath(req.URL.EscapedPath())
	if err != nil {
		return nil, err
	}
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return nil, errorf(http.StatusBadRequest, "the query cannot be read: %v", err)
	}
	segments, err = inContext(segments, query)
	if err != nil {
		return nil, err
	}
	route, params := match(segments)
	switch {
	case route == nil:
		return nil, plain(http.StatusNotFound)
	case route.methods[req.Method] == nil:
		return nil, plain(http.StatusMethodNotAllowed)
	case contentType == "":
		return nil, plain(http.StatusNotAcceptable)
	case !readable(req):
		return nil, plain(http.StatusUnsupportedMediaType)
	}
	body, err := readBody(w, req, r.cfg.MaxBody)
	if err != nil {
		return nil, err
	}
	return route.methods[req.Method](r, &request{params: params, query: query, body: body})
}

// authenticated checks user and password, where there are any.
func (r *Registry) authenticated(req *http.Request) bool {
	if len(r.cfg.Users) == 0 {
		return true
	}
	user, password, _ := req.BasicAuth()
	want, known := r.cfg.Users[user]
	a, b := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(string(want)))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && known
}

// splitPath cuts a path at its slashes, not at those that a segment contains in %2F.
func splitPath(path string) ([]string, error) {
	path = strings.Trim(path, "/")
	if path == "" {
		return nil, nil
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		u, err := url.PathUnescape(s)
		if err != nil {
			return nil, errorf(http.StatusBadRequest, "the path cannot be read: %v", err)
		}
		segments[i] = u
	}
	return segments, nil
}

// inContext understands paths that begin with /contexts/NAME: the rest of the path is then meant within that context.
func inContext(segments []string, query url.Values) ([]string, error) {
	if len(segments) < 2 || segments[0] != "contexts" {
		return segments, nil
	}
	prefix, ok := normalizeContext(segments[1])
	if !ok {
		return nil, errorf(http.StatusBadRequest, "Context name '%s' cannot contain a colon", segments[1])
	}
	if len(segments) == 2 { // the context itself
		return []string{segments[0], prefix}, nil
	}
	segments = segments[2:]
	qualify := func(s string) string {
		if strings.HasPrefix(s, ":.") || strings.HasPrefix(s, anyContext) {
			return s
		}
		return prefix + s
	}
	at := -1 // where the subject stands
	switch {
	case segments[0] == "config" || segments[0] == "mode":
		if at = 1; len(segments) == 1 && prefix != "" {
			segments = append(segments, "")
		}
	case segments[0] == "subjects":
		at = 1
	case segments[0] == "compatibility":
		at = 2
	}
	if at > 0 && at < len(segments) {
		segments[at] = qualify(segments[at])
	}
	switch {
	case len(segments) > 1 && segments[0] == "schemas" && segments[1] == "ids":
		query.Set("subject", qualify(query.Get("subject")))
	case len(segments) == 1 && (segments[0] == "schemas" || segments[0] == "subjects"):
		query.Set("subjectPrefix", qualify(query.Get("subjectPrefix")))
	}
	return segments, nil
}

// match finds the route of a path, and its parameters.
func match(segments []string) (*route, map[string]string) {
	for i := range routes {
		var pattern []string
		if routes[i].path != "" {
			pattern = strings.Split(routes[i].path, "/")
		}
		if params, ok := matchSegments(pattern, segments); ok {
			return &routes[i], params
		}
	}
	return nil, nil
}

func matchSegments(pattern, segments []string) (map[string]string, bool) {
	if len(pattern) != len(segments) {
		return nil, false
	}
	params := make(map[string]string)
	for i, p := range pattern {
		if strings.HasPrefix(p, "{") {
			params[strings.Trim(p, "{}")] = segments[i]
		} else if p != segments[i] {
			return nil, false
		}
	}
	return params, true
}

// accepted returns the media type to answer with, "" where the client takes none that there is.
func accepted(req *http.Request) string {
	header := strings.Join(req.Header.Values("Accept"), ",")
	if strings.TrimSpace(header) == "" {
		return mediaTypes[0]
	}
	best := len(mediaTypes)
	for part := range strings.SplitSeq(header, ",") {
		media, _, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		for i, m := range mediaTypes {
			if media == m || media == "*/*" || media == "application/*" {
				best = min(best, i)
			}
		}
	}
	if best == len(mediaTypes) {
		return ""
	}
	return mediaTypes[best]
}

// readable says whether the body is of a type that the API takes.
func readable(req *http.Request) bool {
	header := req.Header.Get("Content-Type")
	if header == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(header)
	if err != nil {
		return false
	}
	return media == mediaTypes[0] || media == mediaTypes[1] || media == mediaTypes[2] || media == "application/octet-stream"
}

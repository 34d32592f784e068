// Package codecs measures the serdes beside the raw codecs and their peers. It is a module of its own for the sake of what the peers need.
//
//	go test -run '^$' -bench . -benchtime 0.5s -count 5
package codecs

// Franztests aims the public tests of franz-go at the reference broker:
//
//	go run ./franztests            about a minute
//	go run ./franztests -full      with a hundred times as many records
//	go run ./franztests -v         and all that the tests said, where one is not as listed
//
// The tests are those of the versions that this module requires, taken from the module cache and run in copies: pkg/kgo's integration tests, which speak to
// any cluster, and pkg/kfake's, which make kfake's own clusters and are given ours by testdata/aim.go. (pkg/kadm's tests speak to no cluster.) Lists in code
// say what is not run, and what is expected to fail, each with its reason; a failure that is not listed fails the run, and so does one that is listed and
// has vanished.
package main

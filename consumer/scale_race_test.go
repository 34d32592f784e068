//go:build race

package consumer_test

// scale is by what the tests that are about numbers are smaller under the race detector, which is ten times as slow: what they show there is that nothing races.
const scale = 10

//go:build !race

package consumer_test

// scale is by what the tests that are about numbers are smaller under the race detector.
const scale = 1

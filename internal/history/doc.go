// Package history is the one format in which tests write down what a run did, and the one judge of the guarantees G1 to G11.
package history

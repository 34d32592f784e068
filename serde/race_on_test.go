//go:build race

package serde_test

const raced = 1

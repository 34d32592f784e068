// Package sordini puts a Go service on Kafka without losing a record.
package sordini
